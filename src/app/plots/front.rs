//! Choices by cost and another figure: those that nothing beats, those behind them, and the one that is looked at.

use eframe::egui::{Color32, Rangef, RichText, Role, TextStyle, Ui, WidgetInfo};
use egui_plot::{
    AxisHints, GridMark, HoverPosition, MarkerShape, PlotPoint, PlotPoints, Points, log_grid_spacer,
};

use super::axis;
use crate::app::theme::Theme;
use crate::unit::format;

/// The marks of the dots of one kind: what hovering asks for.
const FRONT: &str = "front";

/// A figure of the horizontal axis.
#[derive(Clone, Copy)]
pub struct Figure {
    /// What it is, with its unit.
    pub name: &'static str,
    /// Whether the axis is logarithmic; then values are logarithms.
    pub is_log: bool,
    /// Writes a value (no logarithm).
    pub tick: fn(f64) -> String,
}

/// What is drawn; points are the figure and the logarithm of US dollars a month.
pub struct FrontPlot<'a> {
    /// Name, for those who do not see it.
    pub title: &'a str,
    /// The horizontal axis.
    pub figure: Figure,
    /// Choices that something beats.
    pub behind: Vec<PlotPoint>,
    /// Choices that nothing beats.
    pub front: Vec<PlotPoint>,
    /// The one that is looked at.
    pub chosen: Option<PlotPoint>,
    /// Height in points.
    pub height: f32,
    /// What to say of a choice of the front.
    pub hover: &'a dyn Fn(usize) -> Option<String>,
}

/// Draws the plot; returns the position in `front` that a click is nearest to.
pub fn front_ui(ui: &mut Ui, how: &FrontPlot<'_>) -> Option<usize> {
    let theme = Theme::of(ui.ctx());
    let (across, up) = bounds(how)?;
    let small = TextStyle::Small.resolve(ui.style());
    let figure = how.figure;
    let axes = |hints: AxisHints<'static>, name: &str, spacing: Rangef| {
        hints
            .label_spacing(spacing)
            .tick_label_color(theme.text_weak)
            .tick_label_font(small.clone())
            .label(RichText::new(name).small())
    };
    let x = AxisHints::new_x().formatter(move |mark, range| {
        if !figure.is_log {
            (figure.tick)(mark.value)
        } else if axis::is_labelled(mark, range) {
            (figure.tick)(10f64.powf(mark.value))
        } else {
            String::new()
        }
    });
    let y = AxisHints::new_y().formatter(|mark: GridMark, range| {
        if axis::is_labelled(mark, range) {
            format!("${}", format::tick(10f64.powf(mark.value), 0.0))
        } else {
            String::new()
        }
    });
    let hover = |position: &HoverPosition<'_>| match position {
        HoverPosition::NearDataPoint { plot_name, index, .. } if *plot_name == FRONT => (how.hover)(*index),
        _ => None,
    };
    let mut plot = axis::still_log_plot(how.title, how.height, &theme);
    if !figure.is_log {
        plot = plot.x_grid_spacer(log_grid_spacer(10));
    }
    let response = plot
        .custom_x_axes(vec![axes(x, figure.name, Rangef::new(24.0, 36.0))])
        .custom_y_axes(vec![axes(y, "US dollars a month", Rangef::new(14.0, 22.0))])
        .y_axis_min_width(44.0)
        .label_formatter(hover)
        .show(ui, |plot| {
            plot.set_plot_bounds_x(across.0..=across.1);
            plot.set_plot_bounds_y(up.0..=up.1);
            let dots = |name: &'static str, rows: Vec<PlotPoint>, radius: f32, color: Color32| {
                Points::new(name, PlotPoints::Owned(rows))
                    .radius(radius)
                    .color(color)
                    .shape(MarkerShape::Circle)
            };
            let faint = theme.text_weak.gamma_multiply(0.6);
            plot.points(dots("", how.behind.clone(), 2.5, faint).allow_hover(false));
            plot.points(dots(FRONT, how.front.clone(), 4.0, theme.accent));
            if let Some(chosen) = how.chosen {
                plot.points(dots("", vec![chosen], 6.5, theme.good).allow_hover(false));
            }
            plot.pointer_coordinate()
        });
    let words = format!("{}: {} choices that nothing beats", how.title, how.front.len());
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let at = response.inner.filter(|_| response.response.clicked())?;
    let far = |point: &PlotPoint| {
        ((point.x - at.x) / (across.1 - across.0)).powi(2) + ((point.y - at.y) / (up.1 - up.0)).powi(2)
    };
    (0..how.front.len()).min_by(|a, b| far(&how.front[*a]).total_cmp(&far(&how.front[*b])))
}

type Range = (f64, f64);

/// Bounds of both axes; none without a point.
fn bounds(how: &FrontPlot<'_>) -> Option<(Range, Range)> {
    let range = |of: fn(&PlotPoint) -> f64, least: f64| {
        let values = || how.front.iter().chain(&how.behind).chain(&how.chosen).map(of);
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let gap = 0.08 * (high - low).max(least);
        (low.is_finite() && high.is_finite()).then_some((low - gap, high + gap))
    };
    Some((range(|point| point.x, 0.3)?, range(|point| point.y, 0.3)?))
}
