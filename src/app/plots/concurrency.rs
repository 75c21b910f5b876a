//! A figure over the number of users, log-log: curves, targets, where they bind, and where one is.

use eframe::egui::{Align2, Color32, Rangef, RichText, TextStyle, Ui, Vec2b};
use egui_plot::{
    HLine, HoverPosition, Line, LineStyle, MarkerShape, PlotPoint, PlotPoints, PlotUi, Points, Text, VLine,
};

use super::axis;
use crate::app::theme::Theme;

/// One curve.
#[derive(Debug, Clone, Copy)]
pub struct CurveLine<'a> {
    /// What it is: its label at the right end, and in the hover.
    pub name: &'a str,
    /// Logarithms of users and figure.
    pub points: &'a [PlotPoint],
    /// Position in the palette.
    pub color: usize,
}

/// A figure over users.
pub struct ConcurrencyPlot<'a> {
    /// Id, and what a screen reader calls it.
    pub title: &'a str,
    /// Height in points.
    pub height: f32,
    /// The curves.
    pub curves: &'a [CurveLine<'a>],
    /// Targets: the figure, and its name.
    pub targets: &'a [(f64, &'a str)],
    /// Users at which a target or a limit binds, and in a few words which.
    pub binding: Option<(f64, &'a str)>,
    /// Users in hand.
    pub users: f64,
    /// The figure for people.
    pub show: fn(f64) -> String,
    /// The mark of an axis, without unit.
    pub tick: fn(f64) -> String,
    /// Unit of the axis.
    pub unit: &'a str,
}

/// Draws the plot; returns the users at which it is pressed or dragged.
pub fn concurrency_plot_ui(ui: &mut Ui, how: &ConcurrencyPlot<'_>) -> Option<f64> {
    let theme = Theme::of(ui.ctx());
    let bounds = bounds(how)?;
    let small = TextStyle::Small.resolve(ui.style());
    let tick = how.tick;
    let axes = |vertical: bool| {
        let hints = if vertical { egui_plot::AxisHints::new_y() } else { egui_plot::AxisHints::new_x() };
        hints
            .formatter(move |mark, range| {
                if vertical { label_of(mark, range, tick) } else { axis::log_label(mark, range, None) }
            })
            .label_spacing(if vertical { Rangef::new(14.0, 22.0) } else { Rangef::new(24.0, 36.0) })
            .tick_label_color(theme.text_weak)
            .tick_label_font(small.clone())
            .label(RichText::new(if vertical { how.unit } else { "users at once" }).small())
    };
    let hover = |position: &HoverPosition<'_>| hover_text(how, position);
    let response = axis::still_log_plot(how.title, how.height, &theme)
        .custom_x_axes(vec![axes(false)])
        .custom_y_axes(vec![axes(true)])
        .y_axis_min_width(44.0)
        .label_formatter(hover)
        .link_cursor(eframe::egui::Id::unique("users at once"), Vec2b::new(true, false))
        .show(ui, |plot| {
            plot.set_plot_bounds_x(bounds.0.0..=bounds.0.1);
            plot.set_plot_bounds_y(bounds.1.0..=bounds.1.1);
            marks_ui(plot, how, &theme);
            curves_ui(plot, how, &theme);
            plot.pointer_coordinate()
        });
    let words = format!("{} over the number of users", how.title);
    response
        .response
        .widget_info(|| eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Image, true, &words));
    let touched = response.response.dragged() || response.response.clicked();
    let at = response.inner.filter(|_| touched)?;
    Some(10f64.powf(at.x.clamp(bounds.0.0, bounds.0.1)))
}

/// The label of a mark of a logarithmic axis, written by `tick`.
fn label_of(
    mark: egui_plot::GridMark,
    range: &std::ops::RangeInclusive<f64>,
    tick: fn(f64) -> String,
) -> String {
    if axis::is_labelled(mark, range) { tick(10f64.powf(mark.value)) } else { String::new() }
}

/// Bounds of both axes, as logarithms.
fn bounds(how: &ConcurrencyPlot<'_>) -> Option<((f64, f64), (f64, f64))> {
    let first = how.curves.iter().find(|curve| curve.points.len() > 1)?;
    let (low, high) = (first.points.first()?.x, first.points.last()?.x);
    let (mut bottom, mut top) = (f64::INFINITY, f64::NEG_INFINITY);
    for y in how.curves.iter().flat_map(|curve| curve.points).map(|point| point.y) {
        (bottom, top) = (bottom.min(y), top.max(y));
    }
    // A target far away must not squeeze the curves.
    for target in how.targets.iter().map(|target| axis::log(target.0)) {
        if (bottom - 0.5..=top + 0.5).contains(&target) {
            (bottom, top) = (bottom.min(target), top.max(target));
        }
    }
    let gap = 0.08 * (top - bottom).max(0.3);
    // The name of a second curve stands below it.
    let below = if how.curves.len() > 1 { 2.2 * gap } else { gap };
    (bottom.is_finite() && top.is_finite()).then_some(((low, high), (bottom - below, top + 2.2 * gap)))
}

fn curves_ui<'a>(plot: &mut PlotUi<'a>, how: &ConcurrencyPlot<'a>, theme: &Theme) {
    let (low, high) = (plot.plot_bounds().min(), plot.plot_bounds().max());
    let height = f64::from(plot.transform().frame().height()).max(1.0);
    let line = 15.0 * (high[1] - low[1]) / height;
    let x = axis::log(how.users);
    for (position, curve) in how.curves.iter().enumerate() {
        let color = theme.plan(curve.color);
        plot.line(
            Line::new(curve.name, PlotPoints::Borrowed(curve.points))
                .color(color)
                .width(2.0)
                .style(Theme::plan_dash(position)),
        );
        if let Some(y) = at(curve.points, x) {
            plot.points(
                Points::new(curve.name, vec![[x, y]]).shape(MarkerShape::Circle).radius(4.5).color(color),
            );
        }
        // The first above its curve, the second below: both rise, and the names cross neither.
        let width = high[0] - low[0];
        let above = position == 0;
        let span = if above { [0.02, 0.2] } else { [0.3, 0.3] };
        let ends = span.map(|share| at(curve.points, low[0] + share * width));
        if let Some(y) = ends.into_iter().flatten().reduce(f64::max) {
            let text = named(curve.name, color, theme);
            let y = if above { y + 0.2 * line } else { y - 0.3 * line };
            let place = PlotPoint::new(low[0] + span[0] * width, y);
            let anchor = if above { Align2::LEFT_BOTTOM } else { Align2::LEFT_TOP };
            plot.text(Text::new("", place, text).anchor(anchor).allow_hover(false));
        }
    }
}

fn named(text: &str, color: Color32, theme: &Theme) -> RichText {
    RichText::new(text).small().strong().color(color).background_color(theme.surface.gamma_multiply(0.8))
}

/// Targets, where something binds, and where one is.
fn marks_ui(plot: &mut PlotUi<'_>, how: &ConcurrencyPlot<'_>, theme: &Theme) {
    let (low, high) = (plot.plot_bounds().min(), plot.plot_bounds().max());
    for (value, name) in how.targets {
        let y = axis::log(*value);
        if !(low[1]..=high[1]).contains(&y) {
            continue;
        }
        let style = LineStyle::Dashed { length: 6.0 };
        plot.hline(HLine::new("", y).color(theme.warning).width(1.0).style(style).allow_hover(false));
        let text = named(&format!("{name} {}", (how.show)(*value)), theme.warning, theme);
        // At the left, where curves are far from their targets; at the right where one is not.
        let width = high[0] - low[0];
        let line = 15.0 * (high[1] - low[1]) / f64::from(plot.transform().frame().height()).max(1.0);
        let crowded = how.curves.iter().any(|curve| {
            let ends = [0.02, 0.35].map(|share| at(curve.points, low[0] + share * width));
            ends.into_iter().flatten().any(|end| (y - 1.6 * line..=y + 1.2 * line).contains(&end))
        });
        let (x, anchor) = if crowded {
            (high[0] - 0.01 * width, Align2::RIGHT_BOTTOM)
        } else {
            (low[0] + 0.02 * width, Align2::LEFT_BOTTOM)
        };
        plot.text(Text::new("", PlotPoint::new(x, y), text).anchor(anchor).allow_hover(false));
    }
    if let Some((users, name)) = how.binding {
        let x = axis::log(users);
        let style = LineStyle::Dotted { spacing: 4.0 };
        plot.vline(VLine::new("", x).color(theme.warning).width(1.5).style(style).allow_hover(false));
        let text = named(&format!(" {name} "), theme.warning, theme);
        let right = x > (low[0] + high[0]) / 2.0;
        let anchor = if right { Align2::RIGHT_TOP } else { Align2::LEFT_TOP };
        let place = PlotPoint::new(x, high[1]);
        plot.text(Text::new("", place, text).anchor(anchor).allow_hover(false));
    }
    let x = axis::log(how.users);
    plot.vline(VLine::new("", x).color(theme.accent).width(1.0).allow_hover(false));
}

/// The curve at a place, between its points.
fn at(points: &[PlotPoint], x: f64) -> Option<f64> {
    let after = points.iter().position(|point| point.x >= x)?;
    let right = points.get(after)?;
    let Some(left) = after.checked_sub(1).and_then(|before| points.get(before)) else { return Some(right.y) };
    let share = (x - left.x) / (right.x - left.x).max(1e-12);
    Some(left.y + share * (right.y - left.y))
}

fn hover_text(how: &ConcurrencyPlot<'_>, position: &HoverPosition<'_>) -> Option<String> {
    let HoverPosition::NearDataPoint { plot_name, position, .. } = position else { return None };
    if plot_name.is_empty() {
        return None;
    }
    let users = crate::unit::format::significant(10f64.powf(position.x), 3);
    Some(format!("{plot_name}\n{users} users\n{}", (how.show)(10f64.powf(position.y))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_read_between_its_points() {
        let points = [PlotPoint::new(0.0, 1.0), PlotPoint::new(2.0, 3.0)];
        assert_eq!(at(&points, 1.0), Some(2.0));
        assert_eq!(at(&points, 0.0), Some(1.0));
        assert_eq!(at(&points, 3.0), None);
    }
}
