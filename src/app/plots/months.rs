//! Cost over the months: a fan per plan, from P5 to P95, with the mean.

use eframe::egui::{Align2, RichText, TextStyle, Ui, Vec2b};
use egui_plot::{AxisHints, FilledArea, GridMark, Line, Plot, PlotPoint, PlotPoints, PlotUi, Text};

use super::axis;
use super::cursor::{self, Mark, Pointed, Reading};
use super::paint::strength;
use crate::analysis::{Band, Forecast, Outcome};
use crate::app::money::{money, name};
use crate::app::theme::Theme;

/// Opacity of the outer and the inner band.
const OUTER: f32 = 0.13;
const INNER: f32 = 0.16;

/// Share of the height that the names of the plans may take.
const NAMES_SHARE: f64 = 0.5;

/// The months of one plan: the mean, and bands where there are draws.
struct Months<'a> {
    name: &'a str,
    mean: Vec<f64>,
    bands: &'a [Band],
}

/// Draws the months of every plan; the closed-form answer stands in until there are draws.
///
/// - `looked_at`: the plan that is looked at, if one is; the others are fainter.
/// - `mark`: the month, from 0, whose costs are read off.
/// - Returns what is pointed at; a month counts from 0.
pub fn months_plot_ui(
    ui: &mut Ui,
    outcome: &Outcome,
    forecast: Option<&Forecast>,
    height: f32,
    looked_at: Option<usize>,
    mark: Option<&Mark>,
) -> Pointed {
    let theme = Theme::of(ui.ctx());
    let plans: Vec<Months<'_>> = outcome
        .plans
        .iter()
        .map(|plan| {
            let drawn = forecast.and_then(|forecast| forecast.plans.iter().find(|drawn| drawn.id == plan.id));
            let bands = drawn.map_or(&[][..], |drawn| drawn.months.as_slice());
            let mean = if bands.len() == plan.months.len() && !bands.is_empty() {
                bands.iter().map(|band| band.mean).collect()
            } else {
                plan.months.iter().map(|month| month.bill.total()).collect()
            };
            Months { name: &plan.name, mean, bands }
        })
        .collect();
    let months = plans.iter().map(|plan| plan.mean.len()).max().unwrap_or(0);
    if months == 0 {
        ui.label(RichText::new("Add a plan to see its months.").color(theme.text_weak));
        return Pointed::default();
    }
    let top = plans
        .iter()
        .flat_map(|plan| plan.bands.iter().map(|band| band.p95).chain(plan.mean.iter().copied()))
        .filter(|usd| usd.is_finite())
        .fold(1.0, f64::max)
        * 1.12;
    let right = (months as f64).max(1.5);
    let small = TextStyle::Small.resolve(ui.style());
    let hints = |hints: AxisHints<'static>, label: &str| {
        hints
            .tick_label_color(theme.text_weak)
            .tick_label_font(small.clone())
            .label(RichText::new(label).small())
    };
    let x = hints(AxisHints::new_x(), "month").formatter(whole_month);
    let (currency, shown) = (money(ui.ctx()), money(ui.ctx()));
    let label = format!("{} per month", name(ui.ctx()));
    let y = hints(AxisHints::new_y(), &label).formatter(move |mark, _| axis::money_label(mark, &shown));
    let marked = mark.map(|mark| (mark.at, readings(&plans, mark.at)));
    let shown = Plot::new("cost over months")
        .height(height)
        .show_background(false)
        .grid_color(theme.line)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .auto_bounds(Vec2b::FALSE)
        .default_x_bounds(1.0, right)
        .default_y_bounds(0.0, top)
        .y_grid_spacer(|input| axis::money_marks(&currency, &input))
        .custom_x_axes(vec![x])
        .custom_y_axes(vec![y])
        .y_axis_min_width(46.0)
        .show_crosshair(false)
        .label_formatter(|_| None)
        .show(ui, |plot| {
            plot.set_plot_bounds_x(1.0..=right);
            plot.set_plot_bounds_y(0.0..=top);
            for (index, plan) in plans.iter().enumerate() {
                fan_ui(plot, plan, index, strength(index, looked_at), &theme);
            }
            match &marked {
                // The readout names the lines.
                Some((month, readings)) => cursor::mark_ui(plot, month + 1.0, readings, &theme),
                None => names_ui(plot, &plans, &theme),
            }
            pointed(plot, &plans, months)
        });
    if let Some((mark, (month, readings))) = mark.zip(marked.as_ref()) {
        cursor::readout_ui(ui, &shown.transform, month + 1.0, &mark.title, readings, &theme);
    }
    shown.inner
}

/// What is pointed at.
fn pointed(plot: &PlotUi<'_>, plans: &[Months<'_>], months: usize) -> Pointed {
    let Some(pointer) = plot.pointer_coordinate().filter(|_| plot.response().hovered()) else {
        return Pointed::default();
    };
    let month = (pointer.x - 1.0).round().clamp(0.0, months.saturating_sub(1) as f64);
    Pointed { at: Some(month), plan: cursor::near(plot, month + 1.0, &readings(plans, month)) }
}

/// The costs of every plan in a month, from 0.
fn readings<'a>(plans: &'a [Months<'a>], month: f64) -> Vec<Reading<'a>> {
    let of = |(plan, months): (usize, &'a Months<'a>)| {
        let usd = *months.mean.get(month.max(0.0) as usize)?;
        Some(Reading { plan, name: months.name, y: usd, usd })
    };
    plans.iter().enumerate().filter_map(of).collect()
}

fn whole_month(mark: GridMark, _range: &std::ops::RangeInclusive<f64>) -> String {
    if (mark.value - mark.value.round()).abs() < 1e-6 && mark.value >= 1.0 {
        format!("{:.0}", mark.value)
    } else {
        String::new()
    }
}

fn fan_ui(plot: &mut PlotUi<'_>, plan: &Months<'_>, index: usize, strength: f32, theme: &Theme) {
    let months: Vec<f64> = (1..=plan.mean.len()).map(|month| month as f64).collect();
    if plan.bands.len() == months.len() && months.len() > 1 {
        let mut band = |low: fn(&Band) -> f64, high: fn(&Band) -> f64, share: f32| {
            let lows: Vec<f64> = plan.bands.iter().map(low).collect();
            let highs: Vec<f64> = plan.bands.iter().map(high).collect();
            let wash = theme.plan_wash(index, share * strength);
            plot.add(FilledArea::new("", &months, &lows, &highs).fill_color(wash).allow_hover(false));
        };
        band(|b| b.p5, |b| b.p95, OUTER);
        band(|b| b.p25, |b| b.p75, INNER);
    }
    let points: PlotPoints<'_> = months.iter().zip(&plan.mean).map(|(&x, &usd)| [x, usd]).collect();
    let color = theme.plan_wash(index, strength);
    plot.line(Line::new(plan.name, points).color(color).width(2.0).style(Theme::plan_dash(index)));
}

fn names_ui(plot: &mut PlotUi<'_>, plans: &[Months<'_>], theme: &Theme) {
    let bounds = plot.plot_bounds();
    let height = f64::from(plot.transform().frame().height()).max(1.0);
    if 15.0 * plans.len() as f64 > NAMES_SHARE * height {
        // They would cover what they name; the list of plans beside has the same colours.
        return;
    }
    let line = 15.0 * (bounds.max()[1] - bounds.min()[1]) / height;
    let ends: Vec<f64> =
        plans.iter().map(|plan| plan.mean.last().copied().unwrap_or(0.0) + 0.6 * line).collect();
    let placed = axis::spread_apart(&ends, line, (0.6 * line, bounds.max()[1] - 0.5 * line));
    for (index, (plan, y)) in plans.iter().zip(placed).enumerate() {
        let text = RichText::new(plan.name)
            .small()
            .strong()
            .color(theme.plan(index))
            .background_color(theme.surface.gamma_multiply(0.8));
        let x = bounds.max()[0] - 0.01 * (bounds.max()[0] - bounds.min()[0]);
        plot.text(Text::new("", PlotPoint::new(x, y), text).anchor(Align2::RIGHT_CENTER).allow_hover(false));
    }
}
