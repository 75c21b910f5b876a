//! Which plan, at what cost, and how surely: the verdict, the plans side by side, and where the answer flips.

use eframe::egui::{
    Align, Align2, ComboBox, Label, Layout, Rect, RichText, Role, ScrollArea, Sense, Stroke, TextStyle, Ui,
    WidgetInfo, pos2, vec2,
};

use super::sensitivity::histograms_ui;
use super::words::{why_plan, why_service};
use crate::analysis::{Forecast, Outcome, PlanOutcome, Severity};
use crate::app::action::Action;
use crate::app::pages::Page;
use crate::app::plots::drivers::{DriverRow, Grouping, drivers_ui};
use crate::app::plots::months::months_plot_ui;
use crate::app::plots::paint::{Scale, interval_bar, plan_dot, text_ui, text_width};
use crate::app::plots::volume::{VolumePlot, volume_plot_ui};
use crate::app::theme::{self, Theme, severity_sign, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{empty_state, heading, stale_badge};
use crate::unit::format;

/// Below this width the two columns stack.
const STACK_BELOW: f32 = 640.0;

/// Sentences of the verdict that are read first; the others stand smaller below.
const LEADING: usize = 2;

/// Height of one plan in the list.
const PLAN_ROW: f32 = 52.0;

/// Draws the page.
pub fn ui(ui: &mut Ui, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    session.hovered_plan = None;
    verdict_ui(ui, view);
    let Some(outcome) = view.outcome.filter(|shown| !shown.value.plans.is_empty()) else {
        if empty_state(ui, "Add a plan to see what it costs and how it compares", "Add a plan") {
            out.send(Action::Go(Page::Plans));
        }
        return;
    };
    ui.add_space(space::S);
    let width = ui.available_width();
    if width < STACK_BELOW {
        ScrollArea::vertical().show(ui, |ui| {
            decision_ui(ui, outcome.value, session, view, out);
            curves_ui(ui, outcome.value, view, 560.0);
        });
        return;
    }
    let height = ui.available_height();
    let right = (0.40 * width).clamp(310.0, 560.0);
    let left = width - right - space::L;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = space::L;
        let down = Layout::top_down(Align::Min);
        ui.allocate_ui_with_layout(vec2(left, height), down, |ui| {
            ui.set_width(left);
            ui.spacing_mut().item_spacing.x = space::S;
            curves_ui(ui, outcome.value, view, height);
        });
        ui.allocate_ui_with_layout(vec2(right, height), down, |ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            ScrollArea::vertical().auto_shrink(false).max_height(height).show(ui, |ui| {
                ui.set_width(right - 6.0);
                decision_ui(ui, outcome.value, session, view, out);
            });
        });
    });
}

/// The answer in words, the first thing that is seen.
fn verdict_ui(ui: &mut Ui, view: &View<'_>) {
    let theme = Theme::of(ui.ctx());
    let Some(verdict) = view.verdict else {
        ui.add(Label::new(theme::display_text("Working out the answer…").color(theme.text_weak)));
        return;
    };
    ui.spacing_mut().item_spacing.y = 3.0;
    ui.add(Label::new(theme::display_text(&verdict.headline).color(theme.text_strong)).wrap());
    if !verdict.sentences.is_empty() {
        let (first, rest) = verdict.sentences.split_at(LEADING.min(verdict.sentences.len()));
        ui.add(Label::new(RichText::new(first.join(" ")).color(theme.text).size(14.5)).wrap());
        if !rest.is_empty() {
            ui.add(Label::new(RichText::new(rest.join(" ")).small().color(theme.text_weak)).wrap());
        }
    }
}

/// Cost over volume, and over the months.
fn curves_ui(ui: &mut Ui, outcome: &Outcome, view: &View<'_>, height: f32) {
    let headings = 2.0 * 30.0 + space::S;
    let plots = (height - headings).max(260.0);
    heading(ui, "Cost over volume", |ui| stale_badge(ui, view.break_even.is_none_or(|shown| shown.stale)));
    match view.break_even {
        Some(shown) => {
            let how = VolumePlot { height: 0.58 * plots, all_crossings: false, movable: false };
            volume_plot_ui(ui, shown.value, how);
        }
        None => {
            ui.add_space(0.58 * plots);
        }
    }
    heading(ui, "Cost over the months", |ui| stale_badge(ui, view.forecast.is_some_and(|shown| shown.stale)));
    months_plot_ui(ui, outcome, view.forecast.map(|shown| shown.value), 0.40 * plots);
}

/// The plans side by side, and where the money goes.
fn decision_ui(ui: &mut Ui, outcome: &Outcome, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let forecast = view.forecast.map(|shown| shown.value);
    heading(ui, "Plans, US dollars a month", |ui| {
        stale_badge(ui, view.outcome.is_some_and(|shown| shown.stale));
    });
    let top = plan_top(outcome, forecast);
    for (index, plan) in outcome.plans.iter().enumerate() {
        plan_ui(ui, outcome, forecast, index, plan, top, session, out);
    }
    ui.add_space(space::S);
    let mut grouping = grouping_of(session);
    heading(ui, "Where it goes", |ui| grouping_ui(ui, &mut grouping));
    session.picks.insert("grouping".to_owned(), grouping.label().to_owned());
    let rows: Vec<DriverRow<'_>> = outcome
        .plans
        .iter()
        .enumerate()
        .map(|(index, plan)| DriverRow { name: &plan.name, plan: index, bill: &plan.run_rate })
        .collect();
    drivers_ui(ui, &rows, grouping);
    let room = 30.0 + 90.0 * outcome.plans.len() as f32;
    if let Some(forecast) = view.forecast.filter(|_| ui.available_height() > room) {
        ui.add_space(space::S);
        heading(ui, "How the mean month came out over the draws", |_| {});
        histograms_ui(ui, forecast.value);
    }
}

fn grouping_of(session: &Session) -> Grouping {
    let picked = session.picks.get("grouping").map_or("", String::as_str);
    Grouping::ALL.into_iter().find(|grouping| grouping.label() == picked).unwrap_or_default()
}

fn grouping_ui(ui: &mut Ui, grouping: &mut Grouping) {
    let combo = ComboBox::from_id_salt("grouping").selected_text(grouping.label()).show_ui(ui, |ui| {
        for option in Grouping::ALL {
            ui.selectable_value(grouping, option, option.label());
        }
    });
    ui.ctx().accesskit_node_builder(combo.response.id, |node| node.set_label("Group costs"));
}

/// The largest cost that any plan's row has to show.
fn plan_top(outcome: &Outcome, forecast: Option<&Forecast>) -> f64 {
    let drawn =
        forecast.into_iter().flat_map(|forecast| forecast.plans.iter().map(|plan| plan.mean_month.p95));
    outcome
        .plans
        .iter()
        .map(|plan| plan.mean_month_usd)
        .chain(drawn)
        .filter(|usd| usd.is_finite())
        .fold(1.0, f64::max)
}

/// One plan: name and cost, its interval as a bar, and what it buys.
#[expect(clippy::too_many_arguments, reason = "a row of a list, drawn in one place")]
fn plan_ui(
    ui: &mut Ui,
    outcome: &Outcome,
    forecast: Option<&Forecast>,
    index: usize,
    plan: &PlanOutcome,
    top: f64,
    session: &mut Session,
    out: &mut Outbox,
) {
    let theme = Theme::of(ui.ctx());
    let drawn = forecast.and_then(|forecast| forecast.plans.iter().find(|drawn| drawn.id == plan.id));
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, PLAN_ROW), Sense::click());
    if response.hovered() {
        ui.painter().rect_filled(rect.expand2(vec2(4.0, 0.0)), 4.0, theme.hover);
        session.hovered_plan = Some(index);
    }
    let color = theme.plan(index);
    let first = rect.top() + 11.0;
    plan_dot(ui, pos2(rect.left() + 5.0, first), color);
    let at_least = if plan.not_priced.is_empty() { "" } else { "at least " };
    let mean = drawn.map_or(plan.mean_month_usd, |drawn| drawn.mean_month.mean);
    let interval = drawn.map_or_else(String::new, |drawn| {
        format!("{} · ", format::usd_range(drawn.mean_month.p5, drawn.mean_month.p95))
    });
    let cost = format!("{at_least}{}", format::usd(mean));
    let cost_room = text_width(ui, &cost, &theme::figure());
    let name = pos2(rect.left() + 15.0, first);
    let strong = if outcome.cheapest == Some(index) { theme::figure() } else { TextStyle::Body };
    let name_room = width - 15.0 - cost_room - 10.0;
    text_ui(ui, name, Align2::LEFT_CENTER, &plan.name, &strong, theme.text_strong, name_room);
    let right = pos2(rect.right(), first);
    text_ui(ui, right, Align2::RIGHT_CENTER, &cost, &theme::figure(), theme.text_strong, cost_room + 2.0);

    let bar = Rect::from_min_max(pos2(rect.left() + 15.0, first + 8.0), pos2(rect.right(), first + 22.0));
    let scale = Scale::new(0.0, top, bar.left(), bar.right());
    let values = drawn.map_or([plan.mean_month_usd; 5], |drawn| {
        let spread = &drawn.mean_month;
        [spread.p5, spread.p25, spread.p50, spread.p75, spread.p95]
    });
    let y = bar.center().y;
    ui.painter().line_segment([pos2(bar.left(), y), pos2(bar.right(), y)], Stroke::new(1.0, theme.line));
    interval_bar(ui, bar, scale, values, color);

    let facts = format!("{interval}{}", facts(plan, drawn.map(|drawn| drawn.cheapest.share)));
    let third = pos2(rect.left() + 15.0, rect.bottom() - 9.0);
    let grave = gravest(plan);
    let mut from = third;
    if let Some((severity, words)) = &grave {
        let text = format!("{} {words} · ", severity_sign(*severity));
        let room = rect.right() - from.x;
        let color = theme.severity(*severity);
        from.x = text_ui(ui, from, Align2::LEFT_CENTER, &text, &TextStyle::Small, color, room).right();
    }
    let room = rect.right() - from.x;
    text_ui(ui, from, Align2::LEFT_CENTER, &facts, &TextStyle::Small, theme.text_weak, room);
    let spoken = format!("{}: {cost} a month, {facts}", plan.name);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
    let response = response.on_hover_ui(|ui| findings_ui(ui, plan, &facts));
    if response.clicked() {
        session.why = Some(format!("plan.{}", plan.id));
    }
    if response.double_clicked() {
        out.send(Action::GoPlan(plan.id.clone()));
    }
}

/// Certainty, quality and latency in a line.
fn facts(plan: &PlanOutcome, cheapest: Option<f64>) -> String {
    let mut parts = Vec::new();
    if let Some(share) = cheapest {
        parts.push(format!("cheapest {}", format::percent(share)));
    }
    parts.push(format!("quality {}", format::percent(plan.quality)));
    parts.push(format::secs(plan.latency.e2e_secs));
    parts.join(" · ")
}

/// The gravest finding in a few words.
fn gravest(plan: &PlanOutcome) -> Option<(Severity, String)> {
    let worst = plan.findings.iter().map(|finding| finding.severity).max()?;
    let count = plan.findings.iter().filter(|finding| finding.severity == worst).count();
    match worst {
        Severity::Note => None,
        Severity::Warning => Some((worst, format!("{count} to check"))),
        Severity::Error => Some((worst, "does not hold".to_owned())),
    }
}

fn findings_ui(ui: &mut Ui, plan: &PlanOutcome, facts: &str) {
    let theme = Theme::of(ui.ctx());
    ui.set_max_width(420.0);
    ui.label(theme::figure_text(&plan.name));
    ui.label(facts);
    ui.small("P5–P95 of the mean month · share of draws in which it is the cheapest · quality · time to the whole answer");
    for finding in &plan.findings {
        let sign = severity_sign(finding.severity);
        ui.label(
            RichText::new(format!("{sign} {}", finding.message)).color(theme.severity(finding.severity)),
        );
        if !finding.remedy.is_empty() {
            ui.label(RichText::new(&finding.remedy).small().color(theme.text_weak));
        }
    }
    ui.small("Click: why? Double click: open the plan.");
}

/// The explanation that was asked for on this page, if its subject is still there.
#[must_use]
pub fn why(session: &Session, outcome: Option<&Outcome>) -> Vec<crate::app::widgets::Why> {
    let Some(id) = session.why.as_deref().and_then(|why| why.strip_prefix("plan.")) else {
        return Vec::new();
    };
    let Some(outcome) = outcome else { return Vec::new() };
    let plan = outcome.plans.iter().find(|plan| plan.id == id);
    plan.map(|plan| vec![why_plan(outcome, plan), why_service(plan)]).unwrap_or_default()
}
