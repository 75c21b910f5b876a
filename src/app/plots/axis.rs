//! Axes: ticks of logarithmic and linear scales, and labels that keep out of each other's way.

use std::ops::RangeInclusive;

use eframe::egui::Vec2b;
use egui_plot::{GridInput, GridMark, Plot, log_grid_spacer};

use crate::app::theme::Theme;
use crate::unit::format::{self, Money};

/// Where the logarithm of money and tokens is cut off, so that zero has a place on the axis.
const LOG_FLOOR: f64 = 1e-6;

/// Base-10 logarithm of a value that may be zero.
#[must_use]
pub fn log(value: f64) -> f64 {
    if value.is_finite() { value.max(LOG_FLOOR).log10() } else { LOG_FLOOR.log10() }
}

/// The marks of a logarithmic axis: decades strong, 2 to 9 faint; with under two decades 2 and 5 are labelled too.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "the signature of a grid spacer")]
pub fn log_marks(input: GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    if !(high - low).is_finite() || high - low > 40.0 || high <= low {
        return Vec::new();
    }
    let mut marks = Vec::new();
    let mut decade = low.floor();
    while decade <= high {
        marks.push(GridMark { value: decade, step_size: 1.0 });
        for digit in 2..10 {
            let step_size = if digit == 5 { 0.3 } else { 0.1 };
            marks.push(GridMark { value: decade + f64::from(digit).log10(), step_size });
        }
        decade += 1.0;
    }
    marks.retain(|mark| (low..=high).contains(&mark.value));
    marks
}

/// Whether a mark of a logarithmic axis has a label: decades, and what lies between where few of them are shown.
#[must_use]
pub fn is_labelled(mark: GridMark, range: &RangeInclusive<f64>) -> bool {
    let decades = range.end() - range.start();
    mark.step_size >= 1.0 || (decades < 2.5 && mark.step_size >= 0.3) || decades < 0.7
}

/// The label of a mark of a logarithmic axis; empty for the faint ones.
#[must_use]
pub fn log_label(mark: GridMark, range: &RangeInclusive<f64>, money: Option<&Money>) -> String {
    if !is_labelled(mark, range) {
        return String::new();
    }
    let value = 10f64.powf(mark.value);
    match money {
        Some(money) => money.tick(tidy(money.convert(value)), 0.0),
        None => format::tick(value, 0.0),
    }
}

/// The marks of a logarithmic axis of US dollars whose labels are round amounts of another currency.
#[must_use]
pub fn money_log_marks(money: &Money, input: &GridInput) -> Vec<GridMark> {
    let shift = log(money.convert(1.0));
    let bounds = (input.bounds.0 + shift, input.bounds.1 + shift);
    let mut marks = log_marks(GridInput { bounds, base_step_size: input.base_step_size });
    marks.iter_mut().for_each(|mark| mark.value -= shift);
    marks
}

/// The same of a linear axis.
#[must_use]
pub fn money_marks(money: &Money, input: &GridInput) -> Vec<GridMark> {
    let rate = money.convert(1.0);
    let bounds = (input.bounds.0 * rate, input.bounds.1 * rate);
    let mut marks = log_grid_spacer(10)(GridInput { bounds, base_step_size: input.base_step_size * rate });
    for mark in &mut marks {
        (mark.value, mark.step_size) = (mark.value / rate, mark.step_size / rate);
    }
    marks
}

/// The label of a mark of a linear axis of US dollars.
#[must_use]
pub fn money_label(mark: GridMark, money: &Money) -> String {
    money.tick(tidy(money.convert(mark.value)), tidy(money.convert(mark.step_size)))
}

/// An amount without the rounding errors of having been converted there and back.
fn tidy(amount: f64) -> f64 {
    format!("{amount:.11e}").parse().unwrap_or(amount)
}

/// Moves positions apart until neighbours are at least `gap` apart, keeping their order and staying in the bounds
/// as far as there is room. Returns one position per input, in the order of the input.
#[must_use]
pub fn spread_apart(wanted: &[f64], gap: f64, bounds: (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut placed = wanted.to_vec();
    let mut floor = bounds.0;
    for &index in &order {
        placed[index] = placed[index].max(floor);
        floor = placed[index] + gap;
    }
    let mut ceiling = bounds.1;
    for &index in order.iter().rev() {
        placed[index] = placed[index].min(ceiling);
        ceiling = placed[index] - gap;
    }
    placed
}

/// A plot over logarithmic axes that stays as it is: no dragging, no zoom, bounds set by hand.
pub(super) fn still_log_plot(title: &str, height: f32, theme: &Theme) -> Plot<'static> {
    Plot::new(title)
        .height(height)
        .show_background(false)
        .grid_color(theme.line)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .auto_bounds(Vec2b::FALSE)
        .x_grid_spacer(log_marks)
        .y_grid_spacer(log_marks)
        .cursor_color(theme.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_would_overlap_are_moved_apart_in_their_order() {
        let placed = spread_apart(&[5.0, 5.1, 1.0], 1.0, (0.0, 10.0));
        assert_eq!(placed[2], 1.0);
        assert!(placed[1] - placed[0] >= 1.0);
        let crowded = spread_apart(&[9.9, 9.8, 9.7], 1.0, (0.0, 10.0));
        assert!(crowded.iter().all(|&y| y <= 10.0));
        assert!(crowded[0] > crowded[1] && crowded[1] > crowded[2]);
    }

    #[test]
    fn marks_of_another_currency_are_round_in_it() {
        let euro = Money::new("€", 0.92);
        let labels = |marks: Vec<GridMark>, label: &dyn Fn(GridMark) -> String| -> Vec<String> {
            marks.into_iter().map(label).filter(|label| !label.is_empty()).collect()
        };
        let bounds = (log(900.0), log(120_000.0));
        let marks = money_log_marks(&euro, &GridInput { bounds, base_step_size: 1.0 });
        let found = labels(marks, &|mark| log_label(mark, &(bounds.0..=bounds.1), Some(&euro)));
        assert_eq!(found, ["€1 K", "€5 K", "€10 K", "€50 K", "€100 K"]);
        let marks = money_marks(&euro, &GridInput { bounds: (0.0, 3_500.0), base_step_size: 1_000.0 });
        let found = labels(marks, &|mark| money_label(mark, &euro));
        assert!(found.contains(&"€1 K".to_owned()) && found.contains(&"€3 K".to_owned()), "{found:?}");
    }

    #[test]
    fn a_logarithmic_axis_survives_zero_and_nonsense() {
        assert_eq!(log(1000.0), 3.0);
        assert!(log(0.0).is_finite() && log(f64::NAN).is_finite() && log(-1.0).is_finite());
        let marks = log_marks(GridInput { bounds: (f64::NEG_INFINITY, 3.0), base_step_size: 1.0 });
        assert!(marks.is_empty());
    }
}
