//! Which plan, at what cost, and how surely: the verdict, the plans side by side, and where the answer flips.

use eframe::egui::{
    Align, Align2, ComboBox, Id, Label, Layout, Rect, RichText, Role, ScrollArea, Sense, Stroke, TextStyle,
    Ui, WidgetInfo, pos2, vec2,
};

use super::export::{export_menu_ui, framed, plot_ui};
use super::findings::unanswered_ui;
use super::sensitivity::histograms_ui;
use super::words::{why_plan, why_service};
use crate::analysis::{Forecast, Outcome, PlanOutcome, Severity};
use crate::app::action::Action;
use crate::app::money::{self, money};
use crate::app::pages::Page;
use crate::app::plots::cursor::{Cursor, Mark};
use crate::app::plots::data;
use crate::app::plots::drivers::{DriverRow, Grouping, drivers_height, drivers_ui};
use crate::app::plots::months::months_plot_ui;
use crate::app::plots::paint::{Scale, interval_bar, plan_dot, text_ui, text_width};
use crate::app::plots::volume::{VolumePlot, volume_plot_ui};
use crate::app::theme::{self, Theme, severity_sign, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{empty_state, heading, sentence, stale_badge};
use crate::scenario::ScenarioDraft;
use crate::unit::format::{self, Money};

/// Below this width the two columns stack.
const STACK_BELOW: f32 = 640.0;

/// Sentences of the verdict that are read first; the others stand smaller below.
const LEADING: usize = 2;

/// Height of one plan in the list, and where there are many.
const PLAN_ROW: f32 = 52.0;
const PLAN_ROW_TIGHT: f32 = 47.0;

/// Headings and distances of the right column, beside its rows.
const HEADINGS: f32 = 76.0;

/// How far a volume may be from that of a month to be called the same, as a share.
const SAME_VOLUME: f64 = 0.03;

/// How much of a page's height the rows of the right column may take.
#[derive(Clone, Copy, PartialEq)]
enum Density {
    /// Everything is written out.
    Roomy,
    /// A line per bill.
    Compact,
    /// And the plans closer together.
    Tight,
}

impl Density {
    /// The roomiest at which the rows of so many plans fit.
    fn of(plans: usize, height: f32) -> Self {
        let gaps = 2.0 * 3.0 * plans as f32;
        let fits = |density: Self| {
            plans as f32 * density.plan_row() + drivers_height(plans, density.compact()) + gaps + HEADINGS
                <= height
        };
        [Self::Roomy, Self::Compact].into_iter().find(|density| fits(*density)).unwrap_or(Self::Tight)
    }

    fn plan_row(self) -> f32 {
        if self == Self::Tight { PLAN_ROW_TIGHT } else { PLAN_ROW }
    }

    fn compact(self) -> bool {
        self != Self::Roomy
    }
}

/// Draws the page.
pub fn ui(ui: &mut Ui, draft: &ScenarioDraft, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let Some(outcome) = view.outcome.filter(|shown| !shown.value.plans.is_empty()) else {
        if draft.plans.is_empty() {
            if empty_state(ui, "Add a plan to see what it costs and how it compares", "Add a plan") {
                out.send(Action::Go(Page::Plans));
            }
        } else if !unanswered_ui(ui, view, out) {
            sentence(ui, "Working out the answer…");
        }
        return;
    };
    verdict_ui(ui, view);
    ui.add_space(space::S);
    let width = ui.available_width();
    if width < STACK_BELOW {
        ScrollArea::vertical().show(ui, |ui| {
            decision_ui(ui, outcome.value, Density::Roomy, session, view, out);
            curves_ui(ui, outcome.value, session, view, out, 560.0);
        });
        return;
    }
    let height = ui.available_height();
    let right = (0.42 * width).clamp(330.0, 560.0);
    let left = width - right - space::XL;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = space::XL;
        let down = Layout::top_down(Align::Min);
        let density = Density::of(outcome.value.plans.len(), height);
        ui.allocate_ui_with_layout(vec2(left, height), down, |ui| {
            ui.set_width(left);
            ui.spacing_mut().item_spacing.x = space::S;
            curves_ui(ui, outcome.value, session, view, out, height);
        });
        ui.allocate_ui_with_layout(vec2(right, height), down, |ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            ScrollArea::vertical().auto_shrink(false).max_height(height).show(ui, |ui| {
                ui.set_width(right - 6.0);
                decision_ui(ui, outcome.value, density, session, view, out);
            });
        });
    });
}

/// The answer in words, the first thing that is seen.
fn verdict_ui(ui: &mut Ui, view: &View<'_>) {
    let theme = Theme::of(ui.ctx());
    let Some(verdict) = view.verdict else {
        sentence(ui, "Working out the answer…");
        return;
    };
    ui.spacing_mut().item_spacing.y = 3.0;
    let shown = ui.scope(|ui| {
        ui.add(Label::new(theme::display_text(&verdict.headline).color(theme.text_strong)).wrap());
        if !verdict.sentences.is_empty() {
            let (first, rest) = verdict.sentences.split_at(LEADING.min(verdict.sentences.len()));
            ui.add(Label::new(RichText::new(first.join(" ")).color(theme.text).size(14.5)).wrap());
            if !rest.is_empty() {
                ui.add(Label::new(RichText::new(rest.join(" ")).small().color(theme.text_weak)).wrap());
            }
        }
    });
    let drawn = view.forecast.is_some_and(|shown| !shown.stale);
    reserve(ui, shown.response.rect.height(), drawn);
}

/// Keeps the room that the verdict took when it last spoke of draws, while it has none to speak of: what stands below
/// must not jump with every edit. Before the first draws it is a line more.
fn reserve(ui: &mut Ui, height: f32, drawn: bool) {
    let (id, width) = (Id::unique("height of the verdict"), ui.available_width());
    if drawn {
        ui.data_mut(|data| data.insert_temp(id, (width, height)));
        return;
    }
    let kept = ui.data(|data| data.get_temp::<(f32, f32)>(id)).filter(|kept| kept.0 == width);
    let wanted = kept.map_or_else(|| height + ui.text_style_height(&TextStyle::Body), |kept| kept.1);
    if wanted > height {
        ui.add_space(wanted - height);
    }
}

/// Cost over volume, and over the months; what is pointed at on one shows on the other.
fn curves_ui(
    ui: &mut Ui,
    outcome: &Outcome,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
    height: f32,
) {
    let headings = 2.0 * 30.0 + space::S;
    let plots = (height - headings).max(260.0);
    let volumes = month_volumes(outcome);
    let cursor = session.cursor;
    let forecast = view.forecast.map(|shown| shown.value);
    match view.break_even {
        Some(shown) => {
            let how =
                VolumePlot { height: 0.58 * plots, all_crossings: false, movable: false, plan: cursor.plan };
            let mark = volume_mark(&volumes, cursor);
            let csv = || data::volume(shown.value);
            let pointed = plot_ui(ui, "Cost over volume", shown.stale, out, csv, |ui| {
                volume_plot_ui(ui, shown.value, how, mark.as_ref())
            });
            session.pointed.volume = pointed.at;
            session.pointed.plan = session.pointed.plan.or(pointed.plan);
        }
        None => {
            heading(ui, "Cost over volume", |ui| stale_badge(ui, true));
            ui.add_space(0.58 * plots);
        }
    }
    let stale = view.forecast.is_some_and(|shown| shown.stale);
    let mark = month_mark(&volumes, cursor);
    let csv = || data::months(outcome, forecast);
    let pointed = plot_ui(ui, "Cost over the months", stale, out, csv, |ui| {
        months_plot_ui(ui, outcome, forecast, 0.40 * plots, cursor.plan, mark.as_ref())
    });
    session.pointed.month = pointed.at.map(|month| month as usize);
    session.pointed.plan = session.pointed.plan.or(pointed.plan);
}

/// Tokens per day of every month: they grow alike for all plans.
fn month_volumes(outcome: &Outcome) -> Vec<f64> {
    let months = outcome.plans.first().map_or(&[][..], |plan| plan.months.as_slice());
    let first = months.first().map_or(0.0, |month| month.tokens);
    let share = |tokens: f64| if first > 0.0 { tokens / first } else { 0.0 };
    months.iter().map(|month| outcome.tokens_per_day * share(month.tokens)).collect()
}

/// What is read off the plot over volume: the volume under the pointer, or that of the month under it.
fn volume_mark(volumes: &[f64], cursor: Cursor) -> Option<Mark> {
    if let Some(volume) = cursor.volume {
        return Some(Mark { at: volume, title: format::tokens_per_day(volume) });
    }
    let (month, volume) = cursor.month.and_then(|month| Some((month, *volumes.get(month)?)))?;
    let title = format!("Month {}: {}", month + 1, format::tokens_per_day(volume));
    (volume > 0.0).then_some(Mark { at: volume, title })
}

/// What is read off the plot over the months: the month under the pointer, or the one with the volume under it.
fn month_mark(volumes: &[f64], cursor: Cursor) -> Option<Mark> {
    let month = cursor.month.or_else(|| {
        let volume = cursor.volume?;
        let off = |month: usize| (volumes[month] / volume - 1.0).abs();
        let nearest = (0..volumes.len()).min_by(|&a, &b| off(a).total_cmp(&off(b)))?;
        (off(nearest) < SAME_VOLUME).then_some(nearest)
    })?;
    let volume = volumes.get(month).copied().unwrap_or(0.0);
    let title = format!("Month {}: {}", month + 1, format::tokens_per_day(volume));
    Some(Mark { at: month as f64, title })
}

/// The plans side by side, and where the money goes.
fn decision_ui(
    ui: &mut Ui,
    outcome: &Outcome,
    density: Density,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let forecast = view.forecast.map(|shown| shown.value);
    let stale = view.outcome.is_some_and(|shown| shown.stale);
    let top = plan_top(outcome, forecast);
    let csv = || data::plans(outcome, forecast);
    let title = format!("Plans, {} a month", money::name(ui.ctx()));
    let asked = plot_ui(ui, &title, stale, out, csv, |ui| {
        let row = |(index, plan)| {
            let row = PlanRow { index, plan, top, height: density.plan_row() };
            plan_ui(ui, outcome, forecast, &row, session)
        };
        outcome.plans.iter().enumerate().filter_map(row).last()
    });
    if let Some(action) = asked {
        out.send(action);
    }
    ui.add_space(space::S);
    let mut grouping = grouping_of(session);
    let before = grouping;
    let title = "Bill of the first month";
    let right = |ui: &mut Ui, out: &mut Outbox, rect| {
        export_menu_ui(ui, title, rect, out, || data::drivers(outcome, before));
        grouping_ui(ui, &mut grouping);
    };
    let pointed = framed(ui, title, out, right, |ui| {
        let rows: Vec<DriverRow<'_>> = outcome
            .plans
            .iter()
            .enumerate()
            .map(|(index, plan)| DriverRow { name: &plan.name, plan: index, bill: &plan.run_rate })
            .collect();
        drivers_ui(ui, &rows, before, density.compact())
    });
    session.picks.insert("grouping".to_owned(), grouping.label().to_owned());
    session.pointed.plan = session.pointed.plan.or(pointed);
    let room = 30.0 + 90.0 * outcome.plans.len() as f32;
    if let Some(forecast) = view.forecast.filter(|_| ui.available_height() > room) {
        ui.add_space(space::S);
        let csv = || data::histograms(forecast.value);
        let title = "How the mean month came out over the draws";
        plot_ui(ui, title, forecast.stale, out, csv, |ui| histograms_ui(ui, forecast.value, session));
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

/// One row of the list of plans.
struct PlanRow<'a> {
    index: usize,
    plan: &'a PlanOutcome,
    /// US dollars a month at the right end of its bar.
    top: f64,
    height: f32,
}

/// One plan: name and cost, its interval as a bar, and what it buys; returns what a double click asks for.
fn plan_ui(
    ui: &mut Ui,
    outcome: &Outcome,
    forecast: Option<&Forecast>,
    row: &PlanRow<'_>,
    session: &mut Session,
) -> Option<Action> {
    let &PlanRow { index, plan, top, height } = row;
    let (theme, money) = (Theme::of(ui.ctx()), money(ui.ctx()));
    let drawn = forecast.and_then(|forecast| forecast.plans.iter().find(|drawn| drawn.id == plan.id));
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::click());
    if response.hovered() || response.has_focus() || session.cursor.plan == Some(index) {
        ui.painter().rect_filled(rect.expand2(vec2(4.0, 0.0)), 4.0, theme.hover);
    }
    if response.hovered() {
        session.pointed.plan = Some(index);
    }
    let color = theme.plan(index);
    let first = rect.top() + if height < PLAN_ROW { 9.0 } else { 11.0 };
    plan_dot(ui, pos2(rect.left() + 5.0, first), color);
    let at_least = if plan.not_priced.is_empty() { "" } else { "at least " };
    let mean = drawn.map_or(plan.mean_month_usd, |drawn| drawn.mean_month.mean);
    let interval = drawn.map_or_else(String::new, |drawn| {
        format!("{} · ", money.range(drawn.mean_month.p5, drawn.mean_month.p95))
    });
    let cost = format!("{at_least}{}", money.show(mean));
    let cost_room = text_width(ui, &cost, &theme::figure());
    let name = pos2(rect.left() + 15.0, first);
    let strong = if outcome.cheapest == Some(index) { theme::figure() } else { TextStyle::Body };
    let name_room = width - 15.0 - cost_room - 10.0;
    text_ui(ui, name, Align2::LEFT_CENTER, &plan.name, &strong, theme.text_strong, name_room);
    let right = pos2(rect.right(), first);
    text_ui(ui, right, Align2::RIGHT_CENTER, &cost, &theme::figure(), theme.text_strong, cost_room + 2.0);

    let bar = first + if height < PLAN_ROW { 6.0 } else { 8.0 };
    let bar = Rect::from_min_max(pos2(rect.left() + 15.0, bar), pos2(rect.right(), bar + 14.0));
    let scale = Scale::new(0.0, top, bar.left(), bar.right());
    let values = drawn.map_or([plan.mean_month_usd; 5], |drawn| {
        let spread = &drawn.mean_month;
        [spread.p5, spread.p25, spread.p50, spread.p75, spread.p95]
    });
    let y = bar.center().y;
    ui.painter().line_segment([pos2(bar.left(), y), pos2(bar.right(), y)], Stroke::new(1.0, theme.line));
    interval_bar(ui, bar, scale, values, color);

    let facts = format!("{interval}{}", facts(plan, drawn.map(|drawn| drawn.cheapest.share)));
    let third = pos2(rect.left() + 15.0, rect.bottom() - if height < PLAN_ROW { 8.0 } else { 9.0 });
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
    response.double_clicked().then(|| Action::GoPlan(plan.id.clone()))
}

/// Certainty, quality and latency in a line.
fn facts(plan: &PlanOutcome, cheapest: Option<f64>) -> String {
    let mut parts = Vec::new();
    if let Some(share) = cheapest {
        parts.push(format!("cheapest {}", format::percent(share)));
    }
    parts.push(format!("quality {}", format::percent(plan.quality)));
    parts.push(format!("in {}", format::secs(plan.latency.e2e_secs)));
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
pub fn why(session: &Session, outcome: Option<&Outcome>, money: &Money) -> Vec<crate::app::widgets::Why> {
    let Some(id) = session.why.as_deref().and_then(|why| why.strip_prefix("plan.")) else {
        return Vec::new();
    };
    let Some(outcome) = outcome else { return Vec::new() };
    let plan = outcome.plans.iter().find(|plan| plan.id == id);
    plan.map(|plan| vec![why_plan(outcome, plan, money), why_service(plan)]).unwrap_or_default()
}
