//! A trace beside the use case: the fit over the data with its goodness, and what would change; applied only when
//! one says so.

use eframe::egui::{Button, Grid, Label, RichText, Ui, vec2};

use super::workload::FIELD;
use crate::app::action::Action;
use crate::app::plots::cdf::cdf_ui;
use crate::app::theme::{self, Theme, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{choice, columns, section, toggle};
use crate::scenario::fitted::{Taken, TakenLengths, apply};
use crate::stats::Estimate;
use crate::unit::format;
use crate::workload::UseCase;
use crate::workload::fit::TraceFit;

/// The button that asks for a trace, and what it is for.
pub(super) fn ask_ui(ui: &mut Ui, id: &str, view: &View<'_>, out: &mut Outbox) {
    let theme = Theme::of(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        if ui.add_enabled(!view.errands.busy, Button::new("Fit to a trace…")).clicked() {
            out.send(Action::FitTrace { use_case: id.to_owned(), path: None });
        }
        let hint =
            "A CSV of requests with time, prompt and output tokens; or drop it here. The fit is shown first.";
        ui.add(Label::new(RichText::new(hint).small().color(theme.text_weak)).wrap());
    });
}

/// The fit that was made for this use case, if one was.
pub(super) fn fit_ui(
    ui: &mut Ui,
    use_case: &UseCase<Estimate>,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let Some((path, fit)) = view.errands.fits.get(&use_case.id) else { return };
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let arrivals = session.picks.get(ARRIVALS).is_none_or(|picked| picked == YES);
    let picked = session.picks.get(LENGTHS).map_or("", String::as_str);
    let mut lengths =
        LENGTH_FORMS.iter().find(|(_, text)| *text == picked).map_or(TakenLengths::Chosen, |it| it.0);
    let taken = Taken { arrivals, start_hour: 0, lengths };
    let mut after = use_case.clone();
    apply(fit, &mut after, taken);
    let in_use = after == *use_case;
    let title = if in_use { format!("Follows {name}") } else { format!("Fit to {name}, not applied yet") };
    section(ui, &title, true, |ui| {
        ui.label(summary(fit));
        columns(
            ui,
            FIELD,
            vec![
                Box::new(|ui: &mut Ui| cdf_ui(ui, "Prompts", &fit.prompt)),
                Box::new(|ui: &mut Ui| cdf_ui(ui, "Outputs", &fit.output)),
                Box::new(|ui: &mut Ui| changes_ui(ui, use_case, &after)),
            ],
        );
        notes_ui(ui, fit);
        let mut whole = arrivals;
        let help = "Otherwise the trace gives the lengths alone";
        toggle(ui, "Requests per day, burstiness and week, too", &mut whole, help);
        let forms: Vec<_> = LENGTH_FORMS.iter().map(|(form, text)| (*form, (*text).to_owned())).collect();
        ui.allocate_ui(vec2(FIELD, 48.0), |ui| choice(ui, "Lengths", &mut lengths, &forms));
        let text = LENGTH_FORMS.iter().find(|(form, _)| *form == lengths).map_or("", |it| it.1);
        session.picks.insert(LENGTHS.to_owned(), text.to_owned());
        session.picks.insert(ARRIVALS.to_owned(), if whole { YES } else { "no" }.to_owned());
        ui.add_space(space::XS);
        ui.horizontal(|ui| {
            let id = || use_case.id.clone();
            let theme = Theme::of(ui.ctx());
            let apply = Button::new(RichText::new("Apply the fit").color(theme.on_accent)).fill(theme.accent);
            if !in_use && ui.add(apply).clicked() {
                out.send(Action::ApplyFit { use_case: id(), taken });
            }
            if ui.button(if in_use { "Close" } else { "Cancel" }).clicked() {
                out.send(Action::DropFit { use_case: id() });
            }
        });
    });
}

/// Where [`Session::picks`] keeps how lengths are described.
const LENGTHS: &str = "fit lengths";

/// How lengths can be described.
const LENGTH_FORMS: [(TakenLengths, &str); 4] = [
    (TakenLengths::Chosen, "Best family, else observed"),
    (TakenLengths::Empirical, "As observed"),
    (TakenLengths::LogNormal, "Log-normal"),
    (TakenLengths::Gamma, "Gamma"),
];

/// Where [`Session::picks`] keeps whether arrivals are taken over.
const ARRIVALS: &str = "fit arrivals";
const YES: &str = "yes";

/// What the trace is, in a sentence.
fn summary(fit: &TraceFit) -> String {
    let arrivals = &fit.arrivals;
    let requests = format::count(arrivals.requests as f64);
    let span = format::secs(arrivals.span_secs);
    let day = format::count(arrivals.requests_per_day.round());
    let burst = arrivals
        .burstiness_cv()
        .map_or_else(String::new, |cv| format!(", burstiness {}", format::significant(cv, 2)));
    let dropped: u64 = fit.dropped.iter().map(|dropped| dropped.count).sum();
    let left_out = match dropped {
        0 => String::new(),
        1 => " One row was left out.".to_owned(),
        rows => format!(" {} rows were left out.", format::count(rows as f64)),
    };
    format!("{requests} requests in {span}: {day} a day{burst}.{left_out}")
}

/// What would change, before and after.
fn changes_ui(ui: &mut Ui, before: &UseCase<Estimate>, after: &UseCase<Estimate>) {
    let theme = Theme::of(ui.ctx());
    let tokens = |of: fn(&UseCase<Estimate>) -> f64| (format::count(of(before)), format::count(of(after)));
    let rows = [
        ("Requests a day", tokens(|u| u.requests_per_day.point().round())),
        (
            "Burstiness",
            (
                format::significant(before.burstiness_cv.point(), 2),
                format::significant(after.burstiness_cv.point(), 2),
            ),
        ),
        ("User text, median", tokens(|u| u.user_tokens.median.point().round())),
        ("User text, P95", tokens(|u| u.user_tokens.p95.point().round())),
        ("Output, median", tokens(|u| u.output_tokens.median.point().round())),
        ("Output, P95", tokens(|u| u.output_tokens.p95.point().round())),
        ("System prompt", tokens(|u| u.system_prompt_tokens.point().round())),
        ("Retrieved context", tokens(|u| u.retrieved_tokens.point().round())),
        ("Turns", tokens(|u| u.conversation.turns.mean.point())),
        ("Calls per request", tokens(|u| u.agent.calls.mean.point())),
    ];
    ui.spacing_mut().interact_size.y = 15.0;
    Grid::new("changes").num_columns(3).spacing([space::M, 2.0]).show(ui, |ui| {
        for heading in ["", "now", "with the fit"] {
            ui.label(RichText::new(heading).small().color(theme.text_weak));
        }
        ui.end_row();
        for (name, (now, then)) in rows {
            ui.label(RichText::new(name).small());
            ui.label(RichText::new(&now).small().color(theme.text_weak));
            let changed = now != then;
            let text =
                if changed { theme::figure_text(&then).size(12.0) } else { RichText::new(&then).small() };
            ui.label(text);
            ui.end_row();
        }
    });
}

fn notes_ui(ui: &mut Ui, fit: &TraceFit) {
    let theme = Theme::of(ui.ctx());
    for note in &fit.notes {
        ui.add(Label::new(RichText::new(format!("• {note}")).small().color(theme.text_weak)).wrap());
    }
}
