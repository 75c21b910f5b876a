//! Bandwidth over working set, log-log: a curve per kernel, its interval, and other devices as lines.

use eframe::egui::{Align2, Rangef, RichText, Role, TextStyle, Ui, WidgetInfo};
use egui_plot::{HoverPosition, Line, LineStyle, PlotPoint, PlotPoints, PlotUi, Points, Text};

use super::axis;
use crate::app::theme::Theme;
use crate::bench::{Kernel, Level, Run};
use crate::unit::format;

/// A line across the plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// What it is.
    pub name: String,
    /// Bytes per second.
    pub bytes_per_s: f64,
    /// Whether it is the device's own data sheet.
    pub own: bool,
}

/// The kernels that have curves, with the position of their colour.
const CURVES: [(Kernel, usize); 3] = [(Kernel::Read, 0), (Kernel::Copy, 1), (Kernel::Triad, 2)];

/// Draws the plot; another run, if given, lies below in a faint line.
pub fn bandwidth_plot_ui(
    ui: &mut Ui,
    run: &Run,
    before: Option<&Run>,
    levels: &[Level],
    marks: &[Mark],
    height: f32,
) {
    let theme = Theme::of(ui.ctx());
    let points = || {
        let runs = std::iter::once(run).chain(before);
        runs.flat_map(|run| run.points.iter().filter(|point| CURVES.iter().any(|(k, _)| *k == point.kernel)))
    };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in points().map(|p| p.value).chain(marks.iter().map(|mark| mark.bytes_per_s)) {
        (low, high) = (low.min(axis::log(value)), high.max(axis::log(value)));
    }
    let far = points().map(|point| point.working_set_bytes).max().unwrap_or(1 << 20);
    // From 16 KiB on, at least to 1 GB, so that the picture does not jump while it grows.
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    let x_bounds = (4.0, axis::log(far as f64).max(9.0) + 0.2);
    let y_bounds = ((low - 0.3).min(high - 1.0), high + 0.35);
    let small = TextStyle::Small.resolve(ui.style());
    let axes = |vertical: bool| {
        let hints = if vertical { egui_plot::AxisHints::new_y() } else { egui_plot::AxisHints::new_x() };
        hints
            .formatter(move |mark, range| {
                if axis::is_labelled(mark, range) {
                    format::bytes(10f64.powf(mark.value))
                } else {
                    String::new()
                }
            })
            .label_spacing(if vertical { Rangef::new(14.0, 22.0) } else { Rangef::new(30.0, 44.0) })
            .tick_label_color(theme.text_weak)
            .tick_label_font(small.clone())
            .label(RichText::new(if vertical { "per second" } else { "working set" }).small())
    };
    let response = axis::still_log_plot("bandwidth", height, &theme)
        .custom_x_axes(vec![axes(false)])
        .custom_y_axes(vec![axes(true)])
        .y_axis_min_width(52.0)
        .label_formatter(hover_text)
        .show(ui, |plot| {
            plot.set_plot_bounds_x(x_bounds.0..=x_bounds.1);
            plot.set_plot_bounds_y(y_bounds.0..=y_bounds.1);
            marks_ui(plot, marks, &theme);
            if let Some(before) = before {
                curves_ui(plot, before, true, &theme);
            }
            levels_ui(plot, levels, &theme);
            curves_ui(plot, run, false, &theme);
        });
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Bandwidth over working set"));
}

fn marks_ui(plot: &mut PlotUi<'_>, marks: &[Mark], theme: &Theme) {
    let (low, high) = (plot.plot_bounds().min(), plot.plot_bounds().max());
    let mut last = f64::INFINITY;
    for mark in marks {
        let y = axis::log(mark.bytes_per_s);
        let style = if mark.own { LineStyle::Solid } else { LineStyle::Dashed { length: 6.0 } };
        let color = if mark.own { theme.text_strong } else { theme.text_weak };
        plot.line(
            Line::new("", PlotPoints::from(vec![[low[0], y], [high[0], y]]))
                .color(color.gamma_multiply(0.6))
                .width(1.0)
                .style(style)
                .allow_hover(false),
        );
        // Names that would overlap are left out; the line remains.
        if (y - last).abs() > 0.055 * (high[1] - low[1]) {
            let text = format!("{}, {}/s", mark.name, format::bytes(mark.bytes_per_s));
            let text = RichText::new(text).small().color(color);
            let place = PlotPoint::new(high[0] - 0.01 * (high[0] - low[0]), y);
            plot.text(Text::new("", place, text).anchor(Align2::RIGHT_BOTTOM).allow_hover(false));
            last = y;
        }
    }
}

/// The levels of memory: their bandwidth over their span.
fn levels_ui(plot: &mut PlotUi<'_>, levels: &[Level], theme: &Theme) {
    for (i, level) in levels.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
        let (from, to) = (axis::log(level.from_bytes as f64), axis::log(level.to_bytes as f64));
        let y = axis::log(level.bytes_per_s);
        plot.line(
            Line::new("", PlotPoints::from(vec![[from - 0.06, y], [to + 0.06, y]]))
                .color(theme.accent.gamma_multiply(0.25))
                .width(7.0)
                .allow_hover(false),
        );
        let name = if i + 1 == levels.len() { "memory".to_owned() } else { format!("cache level {}", i + 1) };
        let text = RichText::new(format!("{name}, {}/s", format::bytes(level.bytes_per_s)))
            .small()
            .color(theme.text)
            .background_color(theme.surface.gamma_multiply(0.8));
        let place = PlotPoint::new(from, y - 0.05);
        plot.text(Text::new("", place, text).anchor(Align2::LEFT_TOP).allow_hover(false));
    }
}

fn curves_ui(plot: &mut PlotUi<'_>, run: &Run, faint: bool, theme: &Theme) {
    let (low, high) = (plot.plot_bounds().min()[1], plot.plot_bounds().max()[1]);
    let ends =
        CURVES.map(|(kernel, _)| run.curve(kernel).last().map_or(low - 1.0, |point| axis::log(point.value)));
    let heights = axis::spread_apart(&ends, 0.06 * (high - low), (low - 1.0, high));
    for ((kernel, color), height) in CURVES.into_iter().zip(heights) {
        let points: Vec<[f64; 2]> = run
            .curve(kernel)
            .iter()
            .map(|point| {
                #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
                let x = point.working_set_bytes as f64;
                [axis::log(x), axis::log(point.value)]
            })
            .collect();
        let Some(last) = points.last().copied() else { continue };
        let own = theme.plan(color);
        let line = if faint { own.gamma_multiply(0.35) } else { own };
        plot.line(
            Line::new("", PlotPoints::from(points.clone()))
                .color(line)
                .width(if faint { 1.0 } else { 1.8 })
                .allow_hover(false),
        );
        if faint {
            continue;
        }
        for point in run.curve(kernel) {
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
            let x = axis::log(point.working_set_bytes as f64);
            let span = vec![[x, axis::log(point.low)], [x, axis::log(point.high)]];
            plot.line(Line::new("", PlotPoints::from(span)).color(own).width(1.0).allow_hover(false));
        }
        plot.points(
            Points::new(kernel.label(), points).shape(Theme::plan_marker(color)).radius(3.5).color(own),
        );
        let text = RichText::new(format!(" {}", kernel.label())).small().strong().color(own);
        plot.text(
            Text::new("", PlotPoint::new(last[0] + 0.03, height), text)
                .anchor(Align2::LEFT_CENTER)
                .allow_hover(false),
        );
    }
}

fn hover_text(position: &HoverPosition<'_>) -> Option<String> {
    let HoverPosition::NearDataPoint { plot_name, position, .. } = position else { return None };
    (!plot_name.is_empty()).then(|| {
        format!(
            "{plot_name} of {}\n{}/s",
            format::bytes(10f64.powf(position.x)),
            format::bytes(10f64.powf(position.y))
        )
    })
}
