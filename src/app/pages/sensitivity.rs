//! What the answer hangs on: one at a time, rank correlations, and what would flip the decision.

use eframe::egui::{
    Align2, CornerRadius, Rect, RichText, Role, ScrollArea, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2,
    vec2,
};

use super::export::plot_ui;
use super::findings::unanswered_ui;
use crate::analysis::{Forecast, Sensitivity, SensitivityRow};
use crate::app::money::money;
use crate::app::plots::data;
use crate::app::plots::histogram::mean_month_histogram_ui;
use crate::app::plots::paint::{Scale, text_ui};
use crate::app::plots::tornado::{TornadoRow, tornado_ui};
use crate::app::theme::{Theme, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{choice, empty_state, sentence};
use crate::scenario::ScenarioDraft;
use crate::scenario::labels::{describe, qualified};
use crate::unit::format::Money;

/// Rows of the tornado: what comes after does not show.
const ROWS: usize = 14;

/// Draws the page.
pub fn ui(ui: &mut Ui, draft: &ScenarioDraft, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let Some(shown) = view.sensitivity.filter(|shown| !shown.value.rows.is_empty()) else {
        let what = "Nothing is uncertain yet: press ± beside an input to see what the answer hangs on";
        if !unanswered_ui(ui, view, out) {
            empty_state(ui, what, "");
        }
        return;
    };
    let sensitivity = shown.value;
    let plan = chosen_plan(session, draft, view);
    let words = answer(draft, sensitivity, plan, &money(ui.ctx()));
    sentence(ui, &words);
    ui.add_space(space::S);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let names: Vec<String> = draft.plans.iter().map(|plan| plan.name.clone()).collect();
        let title = "One at a time: every uncertain input from its P10 to its P90";
        let csv = || data::tornado(sensitivity, &names);
        plot_ui(ui, title, shown.stale, out, csv, |ui| {
            plan_choice_ui(ui, draft, session, plan);
            let base = sensitivity.base.get(plan).copied().unwrap_or(0.0);
            if tornado_ui(ui, &rows(draft, sensitivity, plan), base, plan).is_some() {
                session.why = None;
            }
            legend_ui(ui, base);
        });
        ui.add_space(space::M);
        let Some(forecast) = view.forecast else { return };
        let (drawn, stale) = (forecast.value, forecast.stale);
        let title = "All at once: rank correlation with the cost";
        plot_ui(
            ui,
            title,
            stale,
            out,
            || data::correlations(drawn),
            |ui| {
                correlations_ui(ui, draft, drawn, plan);
            },
        );
        ui.add_space(space::M);
        let title = "The mean month over the draws";
        plot_ui(ui, title, stale, out, || data::histograms(drawn), |ui| histograms_ui(ui, drawn, session));
    });
}

/// The answer in one sentence.
fn answer(draft: &ScenarioDraft, sensitivity: &Sensitivity, plan: usize, money: &Money) -> String {
    let swing = |row: &SensitivityRow| {
        row.usd_low.get(plan).zip(row.usd_high.get(plan)).map_or(0.0, |(low, high)| (high - low).abs())
    };
    let flips: Vec<&SensitivityRow> = sensitivity.rows.iter().filter(|row| row.flips).collect();
    let name = |row: &SensitivityRow| qualified(&row.path, draft);
    let decision = match flips.as_slice() {
        [] => "No single input flips the decision.".to_owned(),
        [one] => format!("Only one input can flip the decision alone: “{}”.", name(one)),
        [one, rest @ ..] => {
            format!("{} inputs can each flip the decision, first of all “{}”.", rest.len() + 1, name(one))
        }
    };
    let widest = sensitivity.rows.iter().max_by(|a, b| swing(a).total_cmp(&swing(b)));
    let most = widest.map_or_else(String::new, |row| {
        let cost = draft.plans.get(plan).map_or("the plan", |plan| plan.name.as_str());
        let usd = money.show(swing(row));
        format!(" “{}” moves the cost of “{cost}” most: by {usd} a month.", name(row))
    });
    format!("{decision}{most}")
}

/// The plan whose cost is shown: the one picked, else the cheapest.
fn chosen_plan(session: &Session, draft: &ScenarioDraft, view: &View<'_>) -> usize {
    let picked = session.plan.as_ref().and_then(|id| draft.plans.iter().position(|plan| plan.id == *id));
    picked.or_else(|| view.outcome.and_then(|shown| shown.value.cheapest)).unwrap_or(0)
}

fn plan_choice_ui(ui: &mut Ui, draft: &ScenarioDraft, session: &mut Session, plan: usize) {
    let options: Vec<(String, String)> =
        draft.plans.iter().map(|plan| (plan.id.clone(), plan.name.clone())).collect();
    let mut id = options.get(plan).map(|option| option.0.clone()).unwrap_or_default();
    ui.scope(|ui| {
        ui.set_max_width(320.0);
        if choice(ui, "Cost of the plan", &mut id, &options) {
            session.plan = Some(id.clone());
        }
    });
}

fn rows(draft: &ScenarioDraft, sensitivity: &Sensitivity, plan: usize) -> Vec<TornadoRow> {
    let mut rows: Vec<TornadoRow> = sensitivity
        .rows
        .iter()
        .filter_map(|row| {
            let usd = (*row.usd_low.get(plan)?, *row.usd_high.get(plan)?);
            let unit = describe(&row.path).unit;
            let ends = (unit.show(row.low), unit.show(row.high));
            Some(TornadoRow { label: qualified(&row.path, draft), ends, usd, flips: row.flips })
        })
        .filter(|row| row.flips || (row.usd.0 - row.usd.1).abs() > 0.0)
        .collect();
    rows.sort_by(|a, b| (b.usd.1 - b.usd.0).abs().total_cmp(&(a.usd.1 - a.usd.0).abs()));
    rows.truncate(ROWS);
    rows
}

fn legend_ui(ui: &mut Ui, base: f64) {
    let theme = Theme::of(ui.ctx());
    let text = format!(
        "The line is {} a month with every input at its mean; the fainter end is the input's P10, the stronger its P90. \
         “flips” marks inputs that change which plan is cheapest.",
        money(ui.ctx()).show(base)
    );
    ui.label(RichText::new(text).small().color(theme.text_weak));
}

/// Bars on a scale that ends at 1.
fn correlations_ui(ui: &mut Ui, draft: &ScenarioDraft, forecast: &Forecast, plan: usize) {
    let theme = Theme::of(ui.ctx());
    let Some(drivers) = forecast.plan_drivers.get(plan).filter(|drivers| !drivers.is_empty()) else {
        ui.label(RichText::new("No input of this plan is uncertain.").color(theme.text_weak));
        return;
    };
    let shown = &drivers[..drivers.len().min(ROWS)];
    // Room at the left only where a correlation is negative.
    let lowest = if shown.iter().any(|(_, rank)| *rank < 0.0) { -1.0 } else { 0.0 };
    for (path, rank) in shown {
        let width = ui.available_width();
        let (rect, response) = ui.allocate_exact_size(vec2(width, 24.0), Sense::hover());
        let labels = (0.40 * width).clamp(150.0, 420.0);
        let label = qualified(path, draft);
        let middle = rect.center().y;
        let at = pos2(rect.left() + 4.0, middle);
        text_ui(ui, at, Align2::LEFT_CENTER, &label, &TextStyle::Body, theme.text, labels - 8.0);
        let (left, right) = (rect.left() + labels + 40.0, rect.right() - 44.0);
        let scale = Scale::new(lowest, 1.0, left, right);
        let (zero, end) = (scale.x(0.0), scale.x(*rank));
        let bar = Rect::from_min_max(pos2(zero.min(end), middle - 6.0), pos2(zero.max(end), middle + 6.0));
        ui.painter().rect_filled(bar, CornerRadius::same(2), theme.plan_wash(plan, 0.7));
        ui.painter().line_segment(
            [pos2(zero, rect.top()), pos2(zero, rect.bottom())],
            Stroke::new(1.0, theme.text_weak),
        );
        let (anchor, at) =
            if *rank < 0.0 { (Align2::RIGHT_CENTER, end - 5.0) } else { (Align2::LEFT_CENTER, end + 5.0) };
        let text = format!("{rank:+.2}");
        text_ui(ui, pos2(at, middle), anchor, &text, &TextStyle::Small, theme.text_weak, 44.0);
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Image, true, format!("{label}: rank correlation {text}"))
        });
    }
}

/// The mean month of each plan over the draws, on one scale.
///
/// What is pointed at on one shows on all.
pub(super) fn histograms_ui(ui: &mut Ui, forecast: &Forecast, session: &mut Session) {
    let theme = Theme::of(ui.ctx());
    let low = forecast.plans.iter().map(|plan| plan.histogram_low).fold(f64::INFINITY, f64::min);
    let high = forecast.plans.iter().map(|plan| plan.histogram_high).fold(f64::NEG_INFINITY, f64::max);
    for (index, plan) in forecast.plans.iter().enumerate() {
        let mean = money(ui.ctx()).with_error(plan.mean_month.mean, plan.mean_month.mean_error);
        ui.label(
            RichText::new(format!("{}: mean {mean} a month", plan.name)).small().color(theme.plan(index)),
        );
        let pointed = mean_month_histogram_ui(ui, plan, index, (low, high), 64.0, session.cursor.usd);
        session.pointed.usd = session.pointed.usd.or(pointed);
        ui.add_space(space::XS);
    }
}
