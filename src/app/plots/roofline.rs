//! The roofline, log-log: bandwidth, peaks, and where decode and prefill stand below them.

use eframe::egui::{Align2, Rangef, RichText, Role, TextStyle, Ui, WidgetInfo};
use egui_plot::{HoverPosition, Line, LineStyle, PlotPoint, PlotPoints, PlotUi, Points, Text};

use super::axis;
use crate::analysis::serving_curve::{Operating, Roofline};
use crate::app::theme::Theme;
use crate::unit::format;

/// Draws the plot.
pub fn roofline_plot_ui(ui: &mut Ui, roofline: &Roofline, height: f32) {
    let theme = Theme::of(ui.ctx());
    let peak = roofline.flops_native.unwrap_or(0.0).max(roofline.flops_16);
    let steps = [("Decode", roofline.decode, 1), ("Prefill", roofline.prefill, 2)];
    let ridge = peak / roofline.bytes_per_sec;
    let intensities = steps.iter().map(|step| step.1.intensity()).chain([ridge]);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for x in intensities.map(axis::log) {
        (low, high) = (low.min(x), high.max(x));
    }
    let x_bounds = (low - 0.5, high + 0.6);
    let floor = steps.iter().map(|step| axis::log(step.1.flops_per_sec())).fold(f64::INFINITY, f64::min);
    let y_bounds = (floor - 0.5, axis::log(peak) + 0.35);
    let small = TextStyle::Small.resolve(ui.style());
    let axes = |vertical: bool| {
        let hints = if vertical { egui_plot::AxisHints::new_y() } else { egui_plot::AxisHints::new_x() };
        hints
            .formatter(move |mark, range| {
                if vertical && axis::is_labelled(mark, range) {
                    return format::flops_per_sec(10f64.powf(mark.value))
                        .replace("FLOP/s", "")
                        .trim()
                        .to_owned();
                }
                axis::log_label(mark, range, None)
            })
            .label_spacing(if vertical { Rangef::new(14.0, 22.0) } else { Rangef::new(24.0, 36.0) })
            .tick_label_color(theme.text_weak)
            .tick_label_font(small.clone())
            .label(RichText::new(if vertical { "FLOP/s, all GPUs" } else { "FLOP per byte read" }).small())
    };
    let response = axis::still_log_plot("roofline", height, &theme)
        .custom_x_axes(vec![axes(false)])
        .custom_y_axes(vec![axes(true)])
        .y_axis_min_width(44.0)
        .label_formatter(hover_text)
        .show(ui, |plot| {
            plot.set_plot_bounds_x(x_bounds.0..=x_bounds.1);
            plot.set_plot_bounds_y(y_bounds.0..=y_bounds.1);
            roofs_ui(plot, roofline, &theme);
            for (name, step, color) in steps {
                step_ui(plot, name, &step, color, &theme);
            }
        });
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Roofline"));
}

/// Bandwidth up to the ridge, then each peak.
fn roofs_ui(plot: &mut PlotUi<'_>, roofline: &Roofline, theme: &Theme) {
    let (low, high) = (plot.plot_bounds().min(), plot.plot_bounds().max());
    let slope = axis::log(roofline.bytes_per_sec);
    let peaks = [(Some(roofline.flops_16), "16 bit"), (roofline.flops_native, "weights' format")];
    let mut last = f64::NEG_INFINITY;
    for (peak, name) in peaks {
        let Some(peak) = peak.map(axis::log) else { continue };
        let ridge = peak - slope;
        let points = vec![[low[0], low[0] + slope], [ridge, peak], [high[0], peak]];
        plot.line(
            Line::new("", PlotPoints::from(points)).color(theme.text_weak).width(1.5).allow_hover(false),
        );
        // Two peaks of one height have one label.
        if (peak - last).abs() > 0.02 {
            let text = format!("{name} {}", format::flops_per_sec(10f64.powf(peak)));
            let text = RichText::new(text).small().color(theme.text_weak);
            let place = PlotPoint::new(high[0] - 0.01 * (high[0] - low[0]), peak);
            plot.text(Text::new("", place, text).anchor(Align2::RIGHT_BOTTOM).allow_hover(false));
        }
        last = peak;
    }
    let text = format!("{}/s", format::bytes(roofline.bytes_per_sec));
    let text = RichText::new(text).small().color(theme.text_weak);
    let x = low[0] + 0.5 * (axis::log(roofline.flops_16) - slope - low[0]).max(0.0);
    let place = PlotPoint::new(x + 0.02 * (high[0] - low[0]), x + slope);
    plot.text(Text::new("", place, text).anchor(Align2::LEFT_TOP).allow_hover(false));
}

/// A step, and the distance to its roof.
fn step_ui(plot: &mut PlotUi<'_>, name: &str, step: &Operating, color: usize, theme: &Theme) {
    let at = [axis::log(step.intensity()), axis::log(step.flops_per_sec())];
    let (low, high) = (plot.plot_bounds().min(), plot.plot_bounds().max());
    let drop = vec![[at[0], low[1]], at];
    let style = LineStyle::Dotted { spacing: 4.0 };
    plot.line(
        Line::new("", PlotPoints::from(drop))
            .color(theme.plan(color))
            .width(1.0)
            .style(style)
            .allow_hover(false),
    );
    plot.points(
        Points::new(name, vec![at]).shape(Theme::plan_marker(color)).radius(5.5).color(theme.plan(color)),
    );
    let text = RichText::new(format!(" {name} "))
        .small()
        .strong()
        .color(theme.plan(color))
        .background_color(theme.surface.gamma_multiply(0.8));
    let right = at[0] > (low[0] + high[0]) / 2.0;
    let anchor = if right { Align2::RIGHT_TOP } else { Align2::LEFT_TOP };
    let gap = 0.03 * (high[1] - low[1]);
    plot.text(Text::new("", PlotPoint::new(at[0], at[1] - gap), text).anchor(anchor).allow_hover(false));
}

fn hover_text(position: &HoverPosition<'_>) -> Option<String> {
    let HoverPosition::NearDataPoint { plot_name, position, .. } = position else { return None };
    (!plot_name.is_empty()).then(|| {
        format!(
            "{plot_name}\n{} FLOP per byte\n{}",
            format::significant(10f64.powf(position.x), 3),
            format::flops_per_sec(10f64.powf(position.y))
        )
    })
}
