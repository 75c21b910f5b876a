//! At which volume the answer flips: the curves, every crossing, and how sure it is today.

use eframe::egui::{Align, Label, Layout, RichText, ScrollArea, Ui};
use egui_extras::{Column, TableBuilder};

use super::Page;
use super::export::plot_ui;
use super::findings::unanswered_ui;
use super::words::why_crossing;
use crate::analysis::{BreakEven, Crossing, Forecast};
use crate::app::action::Action;
use crate::app::money::money;
use crate::app::plots::cursor::Mark;
use crate::app::plots::data;
use crate::app::plots::volume::{VolumePlot, limit_name, volume_plot_ui};
use crate::app::theme::{self, Theme, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{Why, empty_state, heading, sentence, stale_badge};
use crate::unit::format::{self, Money};

/// Draws the page.
pub fn ui(ui: &mut Ui, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let Some(shown) = view.break_even.filter(|shown| !shown.value.plans.is_empty()) else {
        let what = "Two complete plans are needed to see at which volume the answer flips";
        if !unanswered_ui(ui, view, out) && empty_state(ui, what, "Go to the plans") {
            out.send(Action::Go(Page::Plans));
        }
        return;
    };
    let break_even = shown.value;
    sentence(ui, &answer(break_even));
    ui.add_space(space::S);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let height = (0.5 * ui.ctx().content_rect().height()).clamp(260.0, 700.0);
        let how = VolumePlot { height, all_crossings: true, movable: true, plan: session.cursor.plan };
        let mark = session.cursor.volume.map(|at| Mark { at, title: format::tokens_per_day(at) });
        let csv = || data::volume(break_even);
        let pointed = plot_ui(ui, "Cost over volume", shown.stale, out, csv, |ui| {
            volume_plot_ui(ui, break_even, how, mark.as_ref())
        });
        (session.pointed.volume, session.pointed.plan) = (pointed.at, pointed.plan);
        ui.label(
            RichText::new(
                "Drag to move, scroll to zoom, double click to go back. Bands: P5–P95 of the draws.",
            )
            .small()
            .color(Theme::of(ui.ctx()).text_weak),
        );
        ui.add_space(space::M);
        heading(ui, "Every crossing", |_| {});
        crossings_ui(ui, break_even, session);
        ui.add_space(space::M);
        if !break_even.limits.is_empty() {
            heading(ui, "Where a plan is no answer any more", |_| {});
            for limit in &break_even.limits {
                ui.add(Label::new(limit_name(break_even, limit)).wrap());
            }
            ui.add_space(space::M);
        }
        if let Some(forecast) = view.forecast {
            heading(ui, "How likely is one plan cheaper than another, at the planned volume", |ui| {
                stale_badge(ui, forecast.stale);
            });
            cheaper_ui(ui, forecast.value);
        }
    });
}

/// The answer in one sentence.
fn answer(break_even: &BreakEven) -> String {
    let name = |index: usize| break_even.plans.get(index).map_or("?", |plan| plan.name.as_str());
    let today = break_even.today;
    let decisive = || break_even.crossings.iter().filter(|crossing| crossing.decisive);
    let above = decisive().find(|crossing| crossing.tokens_per_day > today);
    let below = decisive().rfind(|crossing| crossing.tokens_per_day <= today);
    let here = format::tokens_per_day(today);
    let full = break_even.limits.iter().find(|limit| limit.decisive && limit.tokens_per_day > today);
    if let Some(full) = full.filter(|full| above.is_none_or(|it| full.tokens_per_day < it.tokens_per_day)) {
        return format!(
            "{} can serve up to {}, then {}; you are at {here}: {} as much is needed.",
            name(full.plan),
            format::tokens_per_day(full.tokens_per_day),
            full.then.map_or("no plan can".to_owned(), |plan| format!("{} is the cheapest plan", name(plan))),
            times(full.tokens_per_day / today)
        );
    }
    match (above, below) {
        (Some(next), _) => format!(
            "Above {}, {} becomes the cheapest plan; you are at {here}: {} as much is needed.",
            format::tokens_per_day(next.tokens_per_day),
            name(next.cheaper_above),
            times(next.tokens_per_day / today)
        ),
        (None, Some(last)) => format!(
            "{} is the cheapest plan from {} on; you are at {here}, {} as much.",
            name(last.cheaper_above),
            format::tokens_per_day(last.tokens_per_day),
            times(today / last.tokens_per_day)
        ),
        (None, None) => {
            let at = break_even.volumes.len() / 2;
            let cheapest = (0..break_even.plans.len()).min_by(|&a, &b| {
                let cost = |plan: usize| break_even.plans[plan].usd.get(at).copied().unwrap_or(f64::INFINITY);
                cost(a).total_cmp(&cost(b))
            });
            let range = |volume: Option<&f64>| format::short(volume.copied().unwrap_or(0.0));
            format!(
                "The answer does not flip: {} is the cheapest from {} to {} tokens/day; you are at {here}.",
                cheapest.map_or("no plan", name),
                range(break_even.volumes.first()),
                range(break_even.volumes.last())
            )
        }
    }
}

fn times(ratio: f64) -> String {
    if ratio.is_finite() { format!("{} times", format::significant(ratio, 2)) } else { "far".to_owned() }
}

fn crossings_ui(ui: &mut Ui, break_even: &BreakEven, session: &mut Session) {
    let (theme, shown) = (Theme::of(ui.ctx()), money(ui.ctx()));
    if break_even.crossings.is_empty() {
        ui.label(RichText::new("No two plans cross in the range that was looked at.").color(theme.text_weak));
        return;
    }
    let name = |index: usize| break_even.plans.get(index).map_or("?", |plan| plan.name.as_str());
    let head = ["Volume", "P5–P95", "Cheaper below", "Cheaper above", "Cost there, a month", "From today"];
    TableBuilder::new(ui)
        .id_salt("crossings")
        .striped(false)
        .vscroll(false)
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::initial(140.0).at_least(110.0).clip(true))
        .column(Column::initial(124.0).at_least(90.0).clip(true))
        .columns(Column::remainder().at_least(110.0).clip(true), 2)
        .columns(Column::initial(104.0).at_least(70.0).clip(true), 2)
        .header(22.0, |mut header| {
            for text in head {
                header.col(|ui| {
                    ui.label(RichText::new(text).small().color(theme.text_weak));
                });
            }
        })
        .body(|mut body| {
            for (index, crossing) in break_even.crossings.iter().enumerate() {
                body.row(26.0, |mut row| {
                    let volume = format::tokens_per_day(crossing.tokens_per_day);
                    row.set_selected(near(session.cursor.volume, crossing.tokens_per_day));
                    row.col(|ui| {
                        let text = if crossing.decisive {
                            theme::figure_text(&volume)
                        } else {
                            RichText::new(&volume)
                        };
                        ui.style_mut().wrap_mode = Some(eframe::egui::TextWrapMode::Truncate);
                        let why = ui.link(text).on_hover_text(kind(crossing));
                        if why.clicked() {
                            session.why = Some(format!("crossing.{index}"));
                        }
                        if why.hovered() || why.has_focus() {
                            session.pointed.volume = Some(crossing.tokens_per_day);
                        }
                    });
                    let band = crossing.band.map_or_else(
                        || format::NO_NUMBER.to_owned(),
                        |(low, high)| format!("{} – {}", format::short(low), format::short(high)),
                    );
                    row.col(|ui| cell(ui, &band));
                    row.col(|ui| cell(ui, name(crossing.cheaper_below)));
                    row.col(|ui| cell(ui, name(crossing.cheaper_above)));
                    let usd = shown.show(crossing.usd_per_month);
                    row.col(|ui| cell(ui, &usd));
                    row.col(|ui| cell(ui, &distance(crossing, break_even.today)));
                });
            }
        });
}

/// Whether a volume is as near to a crossing as the eye can tell on the plot.
fn near(volume: Option<f64>, crossing: f64) -> bool {
    volume.is_some_and(|volume| (volume / crossing).ln().abs() < 0.1)
}

fn cell(ui: &mut Ui, text: &str) {
    ui.add(Label::new(text).truncate());
}

fn kind(crossing: &Crossing) -> &'static str {
    match (crossing.decisive, crossing.jump) {
        (true, true) => "Changes the decision; one bill jumps there by a replica. Click: why?",
        (true, false) => "Changes the decision. Click: why?",
        (false, true) => "Does not change the decision; one bill jumps there by a replica. Click: why?",
        (false, false) => {
            "Does not change the decision: a third plan is cheaper there, or one of the two is no answer there. Click: why?"
        }
    }
}

fn distance(crossing: &Crossing, today: f64) -> String {
    let ratio = crossing.tokens_per_day / today;
    if !ratio.is_finite() || ratio <= 0.0 {
        return format::NO_NUMBER.to_owned();
    }
    if ratio >= 1.0 {
        format!("{}× up", format::significant(ratio, 2))
    } else {
        format!("{}× down", format::significant(1.0 / ratio, 2))
    }
}

/// A table of probabilities: row cheaper than column.
fn cheaper_ui(ui: &mut Ui, forecast: &Forecast) {
    let theme = Theme::of(ui.ctx());
    ScrollArea::horizontal().id_salt("cheaper").show(ui, |ui| {
        eframe::egui::Grid::new("cheaper")
            .num_columns(forecast.plans.len() + 1)
            .spacing([space::L, 6.0])
            .show(ui, |ui| {
                ui.label(RichText::new("cheaper than").small().color(theme.text_weak));
                for (index, plan) in forecast.plans.iter().enumerate() {
                    ui.label(RichText::new(&plan.name).small().color(theme.plan(index)));
                }
                ui.end_row();
                for (row, plan) in forecast.plans.iter().enumerate() {
                    ui.label(RichText::new(&plan.name).color(theme.plan(row)));
                    for column in 0..forecast.plans.len() {
                        let known = forecast.cheaper.get(row).and_then(|cells| cells.get(column));
                        match known.filter(|_| row != column) {
                            Some(p) => {
                                let bounds = format!(
                                    "95 % interval {} to {}",
                                    format::percent(p.low),
                                    format::percent(p.high)
                                );
                                ui.label(theme::figure_text(format::percent(p.share))).on_hover_text(bounds);
                            }
                            None => {
                                ui.label(RichText::new(format::NO_NUMBER).color(theme.text_weak));
                            }
                        }
                    }
                    ui.end_row();
                }
            });
    });
    let draws = format!("{} draws, the same for every plan", format::count(f64::from(forecast.header.draws)));
    ui.label(RichText::new(draws).small().color(theme.text_weak));
}

/// The explanation that was asked for on this page.
#[must_use]
pub fn why(session: &Session, break_even: Option<&BreakEven>, money: &Money) -> Vec<Why> {
    let index = session
        .why
        .as_deref()
        .and_then(|why| why.strip_prefix("crossing."))
        .and_then(|at| at.parse::<usize>().ok());
    let Some((break_even, index)) = break_even.zip(index) else { return Vec::new() };
    let names: Vec<String> = break_even.plans.iter().map(|plan| plan.name.clone()).collect();
    break_even
        .crossings
        .get(index)
        .map(|crossing| why_crossing(&names, crossing, money))
        .into_iter()
        .collect()
}
