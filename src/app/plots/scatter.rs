//! Predicted against published, log-log: the diagonal, bands of error, and a point per row.

use eframe::egui::{
    Align2, Color32, Painter, Pos2, Rangef, Rect, RichText, Role, Shape, Stroke, TextStyle, Ui, Vec2b,
    WidgetInfo, pos2, vec2,
};
use egui_plot::{
    FilledArea, HoverPosition, Line, MarkerShape, Plot, PlotPoint, PlotPoints, PlotUi, Points, Text,
};

use super::axis;
use crate::app::theme::Theme;

/// Bands of relative error, widest first.
const BANDS: [f64; 3] = [0.50, 0.25, 0.10];

/// Points of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Dots<'a> {
    /// What they are.
    pub name: &'a str,
    /// Logarithms of published and predicted.
    pub points: &'a [PlotPoint],
    /// Position in the palette: colour and marker; none is what was filtered out.
    pub kind: Option<usize>,
}

/// A scatter.
pub struct Scatter<'a> {
    /// Points by kind.
    pub dots: &'a [Dots<'a>],
    /// Height in points.
    pub height: f32,
    /// Unit of both axes.
    pub unit: &'a str,
    /// The mark of an axis.
    pub tick: fn(f64) -> String,
    /// What to say of a point, by the position of its kind and its own.
    pub hover: &'a dyn Fn(usize, usize) -> Option<String>,
}

/// Draws the scatter.
pub fn scatter_ui(ui: &mut Ui, how: &Scatter<'_>) {
    let theme = Theme::of(ui.ctx());
    let Some((low, high)) = bounds(how.dots) else { return };
    let small = TextStyle::Small.resolve(ui.style());
    let tick = how.tick;
    let axes = |vertical: bool| {
        let hints = if vertical { egui_plot::AxisHints::new_y() } else { egui_plot::AxisHints::new_x() };
        let what = if vertical { "predicted" } else { "published" };
        hints
            .formatter(move |mark, range| {
                let shown = axis::is_labelled(mark, range);
                if shown { tick(10f64.powf(mark.value)) } else { String::new() }
            })
            .label_spacing(if vertical { Rangef::new(14.0, 22.0) } else { Rangef::new(34.0, 46.0) })
            .tick_label_color(theme.text_weak)
            .tick_label_font(small.clone())
            .label(RichText::new(format!("{what}, {}", how.unit)).small())
    };
    let hover = |position: &HoverPosition<'_>| {
        let HoverPosition::NearDataPoint { plot_name, index, .. } = position else { return None };
        let kind = how.dots.iter().position(|dots| dots.name == *plot_name)?;
        (how.hover)(kind, *index)
    };
    let response = Plot::new("predicted against published")
        .height(how.height)
        .show_background(false)
        .grid_color(theme.line)
        .auto_bounds(Vec2b::FALSE)
        .default_x_bounds(low, high)
        .default_y_bounds(low, high)
        .allow_scroll(false)
        .x_grid_spacer(axis::log_marks)
        .y_grid_spacer(axis::log_marks)
        .custom_x_axes(vec![axes(false)])
        .custom_y_axes(vec![axes(true)])
        .y_axis_min_width(50.0)
        .label_formatter(hover)
        .cursor_color(theme.line)
        .show(ui, |plot| {
            bands_ui(plot, (low, high), &theme);
            for dots in how.dots {
                dots_ui(plot, dots, &theme);
            }
            band_names_ui(plot, (low, high), &theme);
        });
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Predicted against published"));
}

/// The same bounds on both axes, so that the diagonal is one.
fn bounds(dots: &[Dots<'_>]) -> Option<(f64, f64)> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for point in dots.iter().flat_map(|dots| dots.points) {
        low = low.min(point.x.min(point.y));
        high = high.max(point.x.max(point.y));
    }
    (low.is_finite() && high.is_finite()).then_some((low - 0.15, high + 0.25))
}

fn bands_ui(plot: &mut PlotUi<'_>, (low, high): (f64, f64), theme: &Theme) {
    // Beyond the bounds, so that the bands do not end when one moves the picture.
    let ends = [low - 3.0, high + 3.0];
    for (position, band) in BANDS.into_iter().enumerate() {
        let (under, over) = ((1.0 - band).log10(), (1.0 + band).log10());
        let wash = theme.text_weak.gamma_multiply(0.07 + 0.05 * position as f32);
        let area = FilledArea::new("", &ends, &ends.map(|x| x + under), &ends.map(|x| x + over));
        plot.add(area.fill_color(wash).allow_hover(false));
    }
    let diagonal = vec![[ends[0], ends[0]], [ends[1], ends[1]]];
    plot.line(Line::new("", PlotPoints::from(diagonal)).color(theme.text_weak).width(1.0).allow_hover(false));
}

/// The width of each band, along its lower edge and over the points.
fn band_names_ui(plot: &mut PlotUi<'_>, (low, high): (f64, f64), theme: &Theme) {
    for (position, band) in BANDS.into_iter().enumerate() {
        let x = high - (0.1 + 0.08 * position as f64) * (high - low);
        let text = RichText::new(format!("{:.0} %", 100.0 * band))
            .small()
            .color(theme.text_weak)
            .background_color(theme.surface.gamma_multiply(0.7));
        let place = PlotPoint::new(x, x + (1.0 - band).log10());
        plot.text(Text::new("", place, text).anchor(Align2::LEFT_TOP).allow_hover(false));
    }
}

fn dots_ui<'a>(plot: &mut PlotUi<'a>, dots: &Dots<'a>, theme: &Theme) {
    let points = Points::new(dots.name, PlotPoints::Borrowed(dots.points));
    plot.points(match dots.kind {
        Some(kind) => points
            .shape(Theme::plan_marker(kind))
            .radius(2.2)
            .filled(true)
            .color(theme.plan(kind).gamma_multiply(0.75)),
        None => points
            .shape(MarkerShape::Circle)
            .radius(1.4)
            .color(theme.text_weak.gamma_multiply(0.16))
            .allow_hover(false),
    });
}

/// Draws the marker of a kind: the one that its points have.
pub fn marker(painter: &Painter, centre: Pos2, kind: usize, theme: &Theme) {
    const RADIUS: f32 = 4.5;
    let color: Color32 = theme.plan(kind);
    let at = |x: f32, y: f32| centre + vec2(x * RADIUS, y * RADIUS);
    let filled = |points: Vec<Pos2>| Shape::convex_polygon(points, color, Stroke::NONE);
    let stroke = Stroke::new(1.8, color);
    match Theme::plan_marker(kind) {
        MarkerShape::Square => {
            let square = Rect::from_center_size(centre, vec2(1.7 * RADIUS, 1.7 * RADIUS));
            painter.rect_filled(square, 0.0, color);
        }
        MarkerShape::Up => drop(painter.add(filled(vec![at(0.0, -1.0), at(0.95, 0.8), at(-0.95, 0.8)]))),
        MarkerShape::Down => drop(painter.add(filled(vec![at(0.0, 1.0), at(-0.95, -0.8), at(0.95, -0.8)]))),
        MarkerShape::Diamond => {
            let points = vec![at(0.0, -1.1), at(1.1, 0.0), at(0.0, 1.1), at(-1.1, 0.0)];
            painter.add(filled(points));
        }
        MarkerShape::Cross => {
            painter.line_segment([at(-0.8, -0.8), at(0.8, 0.8)], stroke);
            painter.line_segment([at(-0.8, 0.8), at(0.8, -0.8)], stroke);
        }
        MarkerShape::Plus => {
            painter
                .line_segment([pos2(centre.x - RADIUS, centre.y), pos2(centre.x + RADIUS, centre.y)], stroke);
            painter
                .line_segment([pos2(centre.x, centre.y - RADIUS), pos2(centre.x, centre.y + RADIUS)], stroke);
        }
        _ => drop(painter.circle_filled(centre, 0.9 * RADIUS, color)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_axes_have_the_same_bounds_and_hold_every_point() {
        let points = [PlotPoint::new(1.0, 2.5), PlotPoint::new(-1.0, 0.0)];
        let (low, high) = bounds(&[Dots { name: "a", points: &points, kind: Some(0) }]).unwrap();
        assert!(low < -1.0 && high > 2.5);
        assert!(bounds(&[]).is_none());
    }
}
