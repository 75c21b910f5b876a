//! Cost over volume, log-log: a band and a line per plan, the crossings, the milestones and where one is.

use eframe::egui::{Align2, Rangef, RichText, TextStyle, Ui, Vec2b};
use egui_plot::{
    FilledArea, HoverPosition, Line, LineStyle, MarkerShape, Plot, PlotPoint, PlotPoints, PlotUi, Points,
    Text, VLine,
};

use super::axis;
use super::cursor::{self, Mark, Pointed, Reading};
use super::paint::strength;
use crate::analysis::{BreakEven, Crossing, Curve, Limit};
use crate::app::money::{money, name};
use crate::app::theme::Theme;
use crate::unit::format;

/// Volumes at which the reference expects the decision to change, in tokens per day.
///
/// Source: the reference's build-or-buy milestones (100 K to 1 B tokens per day).
const MILESTONES: [f64; 5] = [1e5, 1e6, 1e7, 1e8, 1e9];

/// Opacity of the band from P5 to P95.
const BAND: f32 = 0.16;

/// Points that a curve is drawn with; more cannot be seen at the widths of a screen.
const POINTS_MAX: usize = 400;

/// How the plot of cost over volume is drawn.
#[derive(Debug, Clone, Copy)]
pub struct VolumePlot {
    /// Height in points.
    pub height: f32,
    /// Whether all crossings are labelled, or only those that change the decision.
    pub all_crossings: bool,
    /// Whether one may pan and zoom.
    pub movable: bool,
    /// The plan that is looked at; the others are fainter.
    pub plan: Option<usize>,
}

/// Draws the plot, with the costs at a marked volume; returns what is pointed at, tokens per day.
pub fn volume_plot_ui(ui: &mut Ui, break_even: &BreakEven, how: VolumePlot, mark: Option<&Mark>) -> Pointed {
    let theme = Theme::of(ui.ctx());
    if break_even.volumes.len() < 2 || break_even.plans.is_empty() {
        ui.label(
            RichText::new("No plan is complete enough to draw its cost over volume.").color(theme.text_weak),
        );
        return Pointed::default();
    }
    let hover = |position: &HoverPosition<'_>| hover_text(break_even, position);
    let small = TextStyle::Small.resolve(ui.style());
    let currency = money(ui.ctx());
    let label = format!("{} per month", name(ui.ctx()));
    let axes = |costs: bool| {
        let hints = if costs { egui_plot::AxisHints::new_y() } else { egui_plot::AxisHints::new_x() };
        let shown = costs.then(|| currency.clone());
        hints
            .formatter(move |mark, range| axis::log_label(mark, range, shown.as_ref()))
            .label_spacing(if costs { Rangef::new(14.0, 22.0) } else { Rangef::new(30.0, 42.0) })
            .tick_label_color(theme.text_weak)
            .tick_label_font(small.clone())
            .label(RichText::new(if costs { label.as_str() } else { "tokens per day" }).small())
    };
    let volumes: Vec<f64> = break_even.volumes.iter().map(|&volume| axis::log(volume)).collect();
    let (low, high) = (volumes[0], volumes[volumes.len() - 1]);
    let (bottom, top) = cost_bounds(break_even);
    let marked = mark.and_then(|mark| readings(break_even, &volumes, mark.at));
    let shown = Plot::new("cost over volume")
        .height(how.height)
        .show_background(false)
        .grid_color(theme.line)
        .allow_drag(how.movable)
        .allow_zoom(how.movable)
        .allow_scroll(how.movable)
        .allow_boxed_zoom(how.movable)
        .allow_axis_zoom_drag(how.movable)
        .auto_bounds(Vec2b::FALSE)
        .default_x_bounds(low, high)
        .default_y_bounds(bottom, top)
        .x_grid_spacer(axis::log_marks)
        .y_grid_spacer(|input| axis::money_log_marks(&currency, &input))
        .custom_x_axes(vec![axes(false)])
        .custom_y_axes(vec![axes(true)])
        .y_axis_min_width(46.0)
        .label_formatter(hover)
        .cursor_color(theme.line)
        .show(ui, |plot| {
            if !how.movable {
                plot.set_plot_bounds_x(low..=high);
                plot.set_plot_bounds_y(bottom..=top);
            }
            milestones_ui(plot, &theme);
            curves_ui(plot, break_even, &volumes, how.plan, &theme);
            today_ui(plot, break_even.today, &theme);
            let names = name_places(plot, break_even, volumes.len());
            crossings_ui(plot, break_even, how.all_crossings, &names, &theme);
            limits_ui(plot, break_even, how.all_crossings, &theme);
            match &marked {
                // The readout names the curves.
                Some((x, readings)) => cursor::mark_ui(plot, *x, readings, &theme),
                None => names_ui(plot, break_even, &names, &theme),
            }
            pointed(plot, break_even, &volumes)
        });
    if let Some((mark, (x, readings))) = mark.zip(marked.as_ref()) {
        cursor::readout_ui(ui, &shown.transform, *x, &mark.title, readings, &theme);
    }
    shown.inner
}

/// What is pointed at.
fn pointed(plot: &PlotUi<'_>, break_even: &BreakEven, volumes: &[f64]) -> Pointed {
    let pointer = plot.pointer_coordinate().filter(|_| plot.response().hovered());
    let Some(at) = pointer.map(|pointer| 10f64.powf(pointer.x)) else { return Pointed::default() };
    let plan = readings(break_even, volumes, at).and_then(|(x, readings)| cursor::near(plot, x, &readings));
    Pointed { at: Some(at), plan }
}

/// The costs of every plan at the computed volume nearest to this one, and where that is on the axis.
fn readings<'a>(break_even: &'a BreakEven, volumes: &[f64], volume: f64) -> Option<(f64, Vec<Reading<'a>>)> {
    let at = nearest(&break_even.volumes, volume)?;
    let of = |(plan, curve): (usize, &'a Curve)| {
        let usd = *curve.usd.get(at)?;
        Some(Reading { plan, name: &curve.name, y: axis::log(usd), usd })
    };
    Some((*volumes.get(at)?, break_even.plans.iter().enumerate().filter_map(of).collect()))
}

/// Bounds of the cost axis, as logarithms, with room for labels above.
fn cost_bounds(break_even: &BreakEven) -> (f64, f64) {
    let mut bounds = (f64::INFINITY, f64::NEG_INFINITY);
    for plan in &break_even.plans {
        let bands = plan.bands.iter().flat_map(|band| [band.p5, band.p95]);
        for value in plan.usd.iter().copied().chain(bands).filter(|value| *value > 0.0) {
            bounds = (bounds.0.min(axis::log(value)), bounds.1.max(axis::log(value)));
        }
    }
    if bounds.0 > bounds.1 { (0.0, 6.0) } else { (bounds.0 - 0.15, bounds.1 + 0.25) }
}

fn curves_ui(
    plot: &mut PlotUi<'_>,
    break_even: &BreakEven,
    volumes: &[f64],
    looked_at: Option<usize>,
    theme: &Theme,
) {
    let step = volumes.len().div_ceil(POINTS_MAX).max(1);
    for (index, plan) in break_even.plans.iter().enumerate() {
        let strength = strength(index, looked_at);
        let color = theme.plan_wash(index, strength);
        if plan.bands.len() == volumes.len() {
            let (mut xs, mut lows, mut highs) = (Vec::new(), Vec::new(), Vec::new());
            for (x, band) in volumes.iter().zip(&plan.bands).step_by(step) {
                xs.push(*x);
                lows.push(axis::log(band.p5));
                highs.push(axis::log(band.p95));
            }
            let wash = theme.plan_wash(index, BAND * strength);
            plot.add(FilledArea::new("", &xs, &lows, &highs).fill_color(wash).allow_hover(false));
        }
        let points: PlotPoints<'_> =
            volumes.iter().zip(&plan.usd).step_by(step).map(|(&x, &usd)| [x, axis::log(usd)]).collect();
        plot.line(
            Line::new(plan.name.as_str(), points)
                .color(color)
                .width(2.0)
                .style(Theme::plan_dash(index))
                .id(&plan.id),
        );
    }
}

fn milestones_ui(plot: &mut PlotUi<'_>, theme: &Theme) {
    let bounds = plot.plot_bounds();
    let color = theme.text_weak.gamma_multiply(0.22);
    for volume in MILESTONES {
        let x = axis::log(volume);
        if x > bounds.min()[0] && x < bounds.max()[0] {
            plot.vline(
                VLine::new("", x)
                    .color(color)
                    .width(1.0)
                    .style(LineStyle::Dotted { spacing: 4.0 })
                    .allow_hover(false),
            );
        }
    }
}

fn today_ui(plot: &mut PlotUi<'_>, today: f64, theme: &Theme) {
    if today <= 0.0 {
        return;
    }
    let x = axis::log(today);
    let bounds = plot.plot_bounds();
    plot.vline(VLine::new("", x).color(theme.accent).width(1.5).allow_hover(false));
    let on_the_right = x > (bounds.min()[0] + bounds.max()[0]) / 2.0;
    let anchor = if on_the_right { Align2::RIGHT_BOTTOM } else { Align2::LEFT_BOTTOM };
    let text = RichText::new(format!(" You are here: {} ", format::tokens_per_day(today)))
        .small()
        .color(theme.accent);
    plot.text(Text::new("", PlotPoint::new(x, bounds.min()[1]), text).anchor(anchor).allow_hover(false));
}

fn crossings_ui(plot: &mut PlotUi<'_>, break_even: &BreakEven, all: bool, names: &[f64], theme: &Theme) {
    let bounds = plot.plot_bounds();
    let line = line_height(plot);
    let middle = (bounds.min()[0] + bounds.max()[0]) / 2.0;
    let mut last_labelled = f64::NEG_INFINITY;
    for crossing in break_even.crossings.iter().filter(|crossing| all || crossing.decisive) {
        let at = [axis::log(crossing.tokens_per_day), axis::log(crossing.usd_per_month)];
        if let Some((low, high)) = crossing.band.filter(|_| crossing.decisive) {
            let ends = vec![[axis::log(low), at[1]], [axis::log(high), at[1]]];
            let line = Line::new("", ends).color(theme.text_strong.gamma_multiply(0.6)).width(3.0);
            plot.line(line.allow_hover(false));
        }
        let radius = if crossing.decisive { 5.0 } else { 3.0 };
        plot.points(
            Points::new(crossing_name(break_even, crossing), vec![at])
                .shape(MarkerShape::Circle)
                .radius(radius)
                .filled(crossing.decisive)
                .color(theme.text_strong),
        );
        // Two labels nearer than this share of the width would be written over each other.
        let crowded = (at[0] - last_labelled) < 0.12 * (bounds.max()[0] - bounds.min()[0]);
        if !crossing.decisive || crowded {
            continue;
        }
        last_labelled = at[0];
        let text = RichText::new(format!("{} ", format::tokens_per_day(crossing.tokens_per_day)))
            .small()
            .strong()
            .color(theme.text_strong)
            .background_color(theme.surface.gamma_multiply(0.8));
        // Above the point, or below it where the name of a plan is in the way.
        let covered = at[0] > middle && names.iter().any(|name| (name - at[1] - line).abs() < 1.2 * line);
        let (shift, anchor) = if covered { (-0.4, Align2::RIGHT_TOP) } else { (0.4, Align2::RIGHT_BOTTOM) };
        let place = PlotPoint::new(at[0], at[1] + shift * line);
        plot.text(Text::new("", place, text).anchor(anchor).allow_hover(false));
    }
}

/// Where plans stop being answers: a square on the plan's curve, full where that changes the decision.
fn limits_ui(plot: &mut PlotUi<'_>, break_even: &BreakEven, all: bool, theme: &Theme) {
    for limit in break_even.limits.iter().filter(|limit| all || limit.decisive) {
        let at = [axis::log(limit.tokens_per_day), axis::log(limit.usd_per_month)];
        plot.points(
            Points::new(limit_name(break_even, limit), vec![at])
                .shape(MarkerShape::Square)
                .radius(if limit.decisive { 5.0 } else { 3.5 })
                .filled(limit.decisive)
                .color(theme.plan(limit.plan)),
        );
        if limit.decisive {
            // Towards the middle of the plot, where there is room.
            let bounds = plot.plot_bounds();
            let is_right = at[0] > f64::midpoint(bounds.min()[0], bounds.max()[0]);
            let anchor = if is_right { Align2::RIGHT_TOP } else { Align2::LEFT_TOP };
            let text = RichText::new(format!(" limit {} ", format::tokens_per_day(limit.tokens_per_day)))
                .small()
                .strong()
                .color(theme.text_strong)
                .background_color(theme.surface.gamma_multiply(0.8));
            let place = PlotPoint::new(at[0], at[1] - 0.6 * line_height(plot));
            plot.text(Text::new("", place, text).anchor(anchor).allow_hover(false));
        }
    }
}

/// What a limit is, for the pointer.
pub fn limit_name(break_even: &BreakEven, limit: &Limit) -> String {
    let name = |plan: usize| break_even.plans.get(plan).map_or("?", |plan| plan.name.as_str());
    let then = limit.then.map_or_else(String::new, |plan| format!("; then {} is the cheapest", name(plan)));
    format!(
        "Above {} {} is no answer: {}{then}",
        format::tokens_per_day(limit.tokens_per_day),
        name(limit.plan),
        limit.reason
    )
}

/// The height of a line of text, in units of the cost axis.
fn line_height(plot: &PlotUi<'_>) -> f64 {
    let bounds = plot.plot_bounds();
    let height = f64::from(plot.transform().frame().height()).max(1.0);
    15.0 * (bounds.max()[1] - bounds.min()[1]) / height
}

/// Where the names stand on the cost axis: at the right ends of the curves, out of each other's way.
fn name_places(plot: &PlotUi<'_>, break_even: &BreakEven, volumes: usize) -> Vec<f64> {
    let bounds = plot.plot_bounds();
    let line = line_height(plot);
    let at = (NAMED_AT * volumes as f64) as usize;
    let end = |plan: &Curve| plan.usd.get(at).or(plan.usd.last()).copied().unwrap_or(1.0);
    let ends: Vec<f64> = break_even.plans.iter().map(|plan| axis::log(end(plan)) + 0.6 * line).collect();
    axis::spread_apart(&ends, line, (bounds.min()[1] + 1.5 * line, bounds.max()[1] - 0.6 * line))
}

/// Where along the curves their names are anchored, as a share of the width.
const NAMED_AT: f64 = 0.985;

/// The name of each plan at the right end of its curve.
fn names_ui(plot: &mut PlotUi<'_>, break_even: &BreakEven, places: &[f64], theme: &Theme) {
    let bounds = plot.plot_bounds();
    for (index, (plan, y)) in break_even.plans.iter().zip(places).enumerate() {
        let text = RichText::new(&plan.name)
            .small()
            .strong()
            .color(theme.plan(index))
            .background_color(theme.surface.gamma_multiply(0.8));
        let end = PlotPoint::new(bounds.max()[0] - 0.01 * (bounds.max()[0] - bounds.min()[0]), *y);
        plot.text(Text::new("", end, text).anchor(Align2::RIGHT_CENTER).allow_hover(false));
    }
}

fn crossing_name(break_even: &BreakEven, crossing: &Crossing) -> String {
    let name = |plan: usize| break_even.plans.get(plan).map_or("?", |plan| plan.name.as_str());
    format!(
        "Above {} {} is cheaper than {}",
        format::tokens_per_day(crossing.tokens_per_day),
        name(crossing.cheaper_above),
        name(crossing.cheaper_below)
    )
}

/// What a crossing is; the curves themselves are read off at the line under the pointer.
fn hover_text(break_even: &BreakEven, position: &HoverPosition<'_>) -> Option<String> {
    let HoverPosition::NearDataPoint { plot_name, .. } = position else { return None };
    let is_plan = break_even.plans.iter().any(|plan| plan.name == *plot_name);
    (!is_plan && !plot_name.is_empty()).then(|| (*plot_name).to_owned())
}

/// Index of the volume nearest to this one, on the logarithmic scale.
fn nearest(volumes: &[f64], volume: f64) -> Option<usize> {
    let distance = |v: f64| (axis::log(v) - axis::log(volume)).abs();
    (0..volumes.len()).min_by(|&a, &b| distance(volumes[a]).total_cmp(&distance(volumes[b])))
}
