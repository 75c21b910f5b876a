//! A narrow plot of something over time or of a distribution: one line per plan, many of them on a page.

use eframe::egui::{Rangef, RichText, Role, TextStyle, Ui, Vec2b, WidgetInfo};
use egui_plot::{AxisHints, Line, LineStyle, Plot, PlotPoint, PlotPoints, VLine, uniform_grid_spacer};

use super::axis;
use crate::app::theme::Theme;
use crate::unit::format;

/// Longer than any line, in points.
const ENDLESS: f32 = 1e5;

/// A line of a plan.
#[derive(Debug, Clone, Copy)]
pub struct StripLine<'a> {
    /// Its name.
    pub name: &'a str,
    /// Place of the plan: its colour.
    pub plan: usize,
    /// Its points.
    pub points: &'a [PlotPoint],
}

/// What runs along a strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Hours since the start, linear.
    Hours,
    /// Seconds, logarithmic: points carry the logarithm.
    Seconds,
}

/// A strip.
pub struct Strip<'a> {
    /// Its title, and its id.
    pub title: &'a str,
    /// Height of the plot in points.
    pub height: f32,
    /// The lines.
    pub lines: &'a [StripLine<'a>],
    /// What runs along.
    pub along: Along,
    /// Bounds along, so that all strips of a row agree.
    pub bounds: (f64, f64),
    /// Whether the figures are shares.
    pub share: bool,
    /// A place to mark on all strips.
    pub mark: Option<f64>,
    /// Targets to draw, along.
    pub targets: &'a [f64],
}

/// Draws it; returns the place that is pointed at.
pub fn strip_ui(ui: &mut Ui, strip: &Strip<'_>) -> Option<f64> {
    let theme = Theme::of(ui.ctx());
    let value = |points: &[PlotPoint], at: f64| {
        let next = points.partition_point(|point| point.x < at);
        points.get(next.min(points.len().saturating_sub(1))).map(|point| point.y)
    };
    let show = |v: f64| if strip.share { format::percent(v) } else { format::significant(v, 3) };
    ui.horizontal(|ui| {
        ui.label(RichText::new(strip.title).color(theme.text_strong));
        if let Some(at) = strip.mark {
            for line in strip.lines {
                let Some(v) = value(line.points, at) else { continue };
                let text = if strip.along == Along::Seconds { format::percent(v) } else { show(v) };
                ui.label(RichText::new(text).small().color(theme.plan(line.plan)));
            }
        }
    });
    let top = strip.lines.iter().flat_map(|line| line.points).map(|point| point.y).fold(0.0, f64::max);
    let top = if strip.along == Along::Seconds {
        1.02
    } else {
        (top * 1.12).max(if strip.share { 0.01 } else { 1e-3 })
    };
    let small = TextStyle::Small.resolve(ui.style());
    let share = strip.share || strip.along == Along::Seconds;
    let y = AxisHints::new_y()
        .label_spacing(Rangef::new(12.0, 20.0))
        .tick_label_color(theme.text_weak)
        .tick_label_font(small.clone())
        .formatter(move |mark, _| {
            if share { format::percent(mark.value) } else { format::tick(mark.value, mark.step_size) }
        });
    let along = strip.along;
    let x = AxisHints::new_x()
        .label_spacing(Rangef::new(20.0, 34.0))
        .tick_label_color(theme.text_weak)
        .tick_label_font(small)
        .formatter(move |mark, range| match along {
            Along::Hours => format!("{} h", format::tick(mark.value, mark.step_size)),
            Along::Seconds if (mark.value - mark.value.round()).abs() < 1e-6 => {
                let _ = range;
                format::secs(10f64.powf(mark.value))
            }
            Along::Seconds => String::new(),
        });
    let mut plot = Plot::new(strip.title)
        .height(strip.height)
        .show_background(false)
        .grid_color(theme.line)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .auto_bounds(Vec2b::FALSE)
        .custom_x_axes(vec![x])
        .custom_y_axes(vec![y])
        .y_axis_min_width(40.0)
        .show_crosshair(false)
        .label_formatter(|_| None);
    // Two or three lines across, at round figures.
    let step = round_step(top / 2.5);
    plot = plot.y_grid_spacer(uniform_grid_spacer(move |_| [step, step, step]));
    if along == Along::Seconds {
        plot = plot.x_grid_spacer(axis::log_marks);
    }
    let shown = plot.show(ui, |plot| {
        plot.set_plot_bounds_x(strip.bounds.0..=strip.bounds.1.max(strip.bounds.0 + 1e-3));
        plot.set_plot_bounds_y(0.0..=top);
        for target in strip.targets {
            plot.vline(VLine::new("", *target).color(theme.warning).width(1.0).allow_hover(false));
        }
        for (place, line) in strip.lines.iter().enumerate() {
            // The first is solid: alone it needs no dash, and beside others it is told apart by having none.
            let style = match (place, along) {
                // One dash that never ends, piece by piece: an upright piece of a solid line is filled, not drawn.
                (0, Along::Seconds) => LineStyle::Dashed { length: ENDLESS },
                (0, Along::Hours) => LineStyle::Solid,
                _ => LineStyle::dashed_dense(),
            };
            let points = PlotPoints::Borrowed(line.points);
            let color = theme.plan(line.plan);
            plot.line(Line::new(line.name, points).color(color).width(1.6).style(style));
        }
        if let Some(at) = strip.mark {
            plot.vline(VLine::new("", at).color(theme.text_weak).width(1.0).allow_hover(false));
        }
        plot.pointer_coordinate().filter(|_| plot.response().hovered()).map(|at| at.x)
    });
    let words = format!("{} over {}", strip.title, if along == Along::Hours { "hours" } else { "seconds" });
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    shown.inner
}

/// The largest of 1, 2 and 5 times a power of ten that is not above `most`.
fn round_step(most: f64) -> f64 {
    let power = 10f64.powf(most.max(1e-9).log10().floor());
    let times = most / power;
    power
        * if times >= 5.0 {
            5.0
        } else if times >= 2.0 {
            2.0
        } else {
            1.0
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_not_above_what_is_wanted() {
        for (most, step) in [(0.4, 0.2), (1.0, 1.0), (4.9, 2.0), (5.0, 5.0), (130.0, 100.0), (0.06, 0.05)] {
            assert!((round_step(most) - step).abs() < 1e-12, "{most}: {}", round_step(most));
        }
    }
}
