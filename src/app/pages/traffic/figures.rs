//! What callers met and what it cost, a column per plan; with two plans how far the second is from the first.

use eframe::egui::{Grid, Label, RichText, Ui};

use crate::analysis::traffic::{Interval, Percentiles};
use crate::app::theme::Theme;
use crate::app::traffic::{Played, Span};
use crate::report::{self, TrafficAnswer};
use crate::unit::format::{self, Money};

/// Width of the column of a plan.
const COLUMN: f32 = 80.0;

/// What the cost of an hour is, and is not.
const REMARK: &str = "Tokens at the month's rates and GPUs that are paid for, in the mean over the window; people, \
                      caches and contracts over a whole month are left out";

/// What a figure is, for its text and its difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Seconds.
    Time,
    /// A share: its difference is in points.
    Share,
    /// Per second.
    Rate,
    /// US dollars.
    Usd,
    /// A plain number.
    Number,
}

/// A figure with its name, and how it is read from what was played.
type Figure = (&'static str, Kind, fn(&Played) -> Option<f64>);

fn time(played: &Played, span: Span, of: fn(&Percentiles) -> Interval) -> Option<f64> {
    span.of(&played.traffic).map(|times| of(times).mean)
}

fn share(played: &Played, part: u64) -> Option<f64> {
    let arrived = played.traffic.total.arrived;
    (arrived > 0).then(|| part as f64 / arrived as f64)
}

const FIGURES: [Figure; 13] = [
    ("Within targets", Kind::Share, |one| one.traffic.total.slo_attainment.map(|share| share.mean)),
    ("First token P50", Kind::Time, |one| time(one, Span::Ttft, |times| times.p50)),
    ("First token P95", Kind::Time, |one| time(one, Span::Ttft, |times| times.p95)),
    ("First token P99", Kind::Time, |one| time(one, Span::Ttft, |times| times.p99)),
    ("Per token P95", Kind::Time, |one| time(one, Span::Tpot, |times| times.p95)),
    ("Whole answer P95", Kind::Time, |one| time(one, Span::E2e, |times| times.p95)),
    ("Goodput", Kind::Rate, |one| Some(one.traffic.total.goodput_calls_per_sec.mean)),
    ("Cost per hour", Kind::Usd, |one| one.traffic.mean_cost().map(|cost| cost.usd())),
    ("Of it, providers' bill", Kind::Usd, |one| {
        one.traffic.mean_cost().filter(|cost| cost.gpu_usd > 0.0).map(|cost| cost.provider_usd)
    }),
    ("GPUs paid for", Kind::Number, |one| one.traffic.mean_cost().map(|cost| cost.gpu_hours)),
    ("From cache", Kind::Share, |one| {
        share(one, one.traffic.total.exact_hits + one.traffic.total.semantic_hits)
    }),
    ("Overflow", Kind::Share, |one| share(one, one.traffic.total.overflowed)),
    ("Lost", Kind::Share, |one| share(one, one.traffic.total.lost.values().sum())),
];

impl Kind {
    fn show(self, value: f64, money: &Money) -> String {
        match self {
            Self::Time => format::secs(value),
            Self::Share => format::percent(value),
            Self::Rate => format!("{}/s", format::significant(value, 3)),
            Self::Usd => money.show(value),
            Self::Number => format::significant(value, 3),
        }
    }

    /// How far `value` is from `first`: shares in points, all else as a share of `first`.
    fn difference(self, first: f64, value: f64) -> String {
        /// A difference that rounding could make.
        const NONE: f64 = 5e-4;
        let (by, unit) = match self {
            Self::Share => (value - first, "pts"),
            _ if first > 0.0 => (value / first - 1.0, "%"),
            _ if value > 0.0 => return "new".to_owned(),
            _ => (0.0, "%"),
        };
        if by.abs() < NONE {
            return "same".to_owned();
        }
        let sign = if by < 0.0 { "-" } else { "+" };
        format!("{sign}{} {unit}", format::significant(100.0 * by.abs(), 2))
    }
}

/// Draws the table; figures that no plan has are left out.
pub fn figures_ui(ui: &mut Ui, played: &[Played], money: &Money) {
    let theme = Theme::of(ui.ctx());
    let two = played.len() == 2;
    Grid::new("figures").num_columns(played.len() + 2).spacing([10.0, 2.0]).min_row_height(18.0).show(
        ui,
        |ui| {
            ui.label("");
            for one in played {
                let name = RichText::new(&one.traffic.name).small().color(theme.plan(one.plan));
                ui.scope(|ui| {
                    ui.set_max_width(COLUMN);
                    ui.add(Label::new(name).wrap());
                });
            }
            if two {
                ui.label(RichText::new("Difference").small().color(theme.text_weak)).on_hover_text(
                    "The second plan against the first: shares in percentage points, all else in percent",
                );
            }
            ui.end_row();
            for (name, kind, of) in FIGURES {
                let values: Vec<Option<f64>> = played.iter().map(of).collect();
                if values.iter().all(|value| value.is_none_or(|value| value == 0.0)) {
                    continue;
                }
                let label = ui.label(RichText::new(name).small().color(theme.text_weak));
                if kind == Kind::Usd {
                    label.on_hover_text(REMARK);
                }
                for value in &values {
                    let text =
                        value.map_or_else(|| format::NO_NUMBER.to_owned(), |value| kind.show(value, money));
                    ui.label(RichText::new(text).color(theme.text_strong));
                }
                if let [Some(first), Some(second)] = values[..] {
                    ui.label(RichText::new(kind.difference(first, second)).color(theme.text));
                }
                ui.end_row();
            }
        },
    );
}

/// What a reader should know.
pub fn findings_ui(ui: &mut Ui, played: &[Played]) {
    let theme = Theme::of(ui.ctx());
    for one in played {
        let answer = TrafficAnswer { traffic: &one.traffic, effects: &one.effects, needed: &one.needed };
        for text in report::traffic_sentences(&answer) {
            ui.horizontal_top(|ui| {
                ui.label(RichText::new("•").color(theme.plan(one.plan)));
                ui.add(Label::new(RichText::new(text).small().color(theme.text)).wrap());
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_differ_in_points_and_all_else_in_percent() {
        for (kind, first, second, expected) in [
            (Kind::Share, 0.5, 0.75, "+25 pts"),
            (Kind::Time, 2.0, 1.0, "-50 %"),
            (Kind::Usd, 3.0, 3.0, "same"),
            (Kind::Number, 0.0, 2.0, "new"),
            (Kind::Number, 0.0, 0.0, "same"),
        ] {
            assert_eq!(kind.difference(first, second), expected, "{kind:?} {first} {second}");
        }
    }
}
