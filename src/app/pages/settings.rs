//! What belongs to the whole scenario: name, time, notes, money, draws, and which inputs move together.

use eframe::egui::{Label, RichText, ScrollArea, TextEdit, Ui};

use super::plans::FIELD;
use crate::app::theme::{Theme, space};
use crate::app::view::View;
use crate::app::widgets::{Form, choice, columns, number, section, text_field, whole};
use crate::scenario::labels::qualified;
use crate::scenario::{Correlation, Currency, ScenarioDraft, Severity, UTC_OFFSETS};
use crate::stats::Estimate;
use crate::stats::quantities::{Path, Quantified as _};
use crate::unit::format::Unit;

/// Most trials that may be asked for: a forecast of the largest scenario then takes about a minute.
const TRIALS_MAX: u32 = 1_000_000;

/// Draws the editor.
pub fn ui(ui: &mut Ui, draft: &mut ScenarioDraft, view: &View<'_>) {
    let form = Form::of(view);
    ScrollArea::vertical().id_salt("scenario").auto_shrink(false).show(ui, |ui| {
        columns(
            ui,
            FIELD,
            vec![
                Box::new(|ui: &mut Ui| {
                    text_field(ui, "Scenario name", &mut draft.name);
                    form.problems_of(ui, "name");
                }),
                Box::new(|ui: &mut Ui| drop(text_field(ui, "Industry", &mut draft.industry))),
                Box::new(|ui: &mut Ui| {
                    text_field(ui, "First day, year-month-day", &mut draft.start);
                    form.problems_of(ui, "start");
                }),
            ],
        );
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            ui.label("Months that are planned");
            whole(ui, "Months that are planned", &mut draft.horizon_months, 1..=120);
            ui.add_space(space::L);
            ui.label("Clock of the weekly profiles, hours ahead of UTC");
            whole(
                ui,
                "Clock of the weekly profiles, hours ahead of UTC",
                &mut draft.settings.utc_offset_hours,
                UTC_OFFSETS,
            )
            .on_hover_text("Providers with off-peak prices state their hours in UTC");
        });
        form.problems_of(ui, "horizon_months");
        form.problems_of(ui, "settings.utc_offset_hours");
        let settings = &mut draft.settings;
        section(ui, "Money and demand", true, |ui| {
            let form = form.at("settings");
            columns(
                ui,
                FIELD,
                vec![
                    Box::new(|ui: &mut Ui| {
                        form.quantity(ui, "engineer_usd_per_year", &mut settings.engineer_usd_per_year);
                        form.optional(ui, "budget_usd_per_month", &mut settings.budget_usd_per_month);
                    }),
                    Box::new(|ui: &mut Ui| {
                        form.quantity(ui, "discount_rate_per_year", &mut settings.discount_rate_per_year);
                    }),
                    Box::new(|ui: &mut Ui| {
                        form.quantity(ui, "demand_noise_cv", &mut settings.demand_noise_cv);
                    }),
                ],
            );
        });
        section(ui, "Currency of the results", true, |ui| {
            currency_ui(ui, draft, &form.at("settings.currency"))
        });
        section(ui, "Draws", true, |ui| {
            ui.horizontal(|ui| {
                ui.label("Trials of a forecast");
                whole(ui, "Trials of a forecast", &mut draft.settings.trials, 1..=TRIALS_MAX);
                ui.add_space(space::L);
                ui.label("Seed");
                let mut seed = u32::try_from(draft.settings.seed).unwrap_or(u32::MAX);
                if whole(ui, "Seed", &mut seed, 0..=u32::MAX).changed() {
                    draft.settings.seed = u64::from(seed);
                }
            });
            form.problems_of(ui, "settings.trials");
        });
        section(ui, "Inputs that move together", true, |ui| correlations_ui(ui, draft, view));
        section(ui, "Notes", true, |ui| {
            let field = TextEdit::multiline(&mut draft.notes).desired_rows(8).desired_width(f32::INFINITY);
            let field = ui.add(field);
            ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Notes of the scenario"));
        });
    });
}

/// Currencies that are offered by name; any other is typed as its code.
const CURRENCIES: [&str; 8] = ["EUR", "GBP", "JPY", "CNY", "CHF", "CAD", "AUD", "BRL"];

/// Which currency results are shown in, and what a US dollar costs in it.
fn currency_ui(ui: &mut Ui, draft: &mut ScenarioDraft, form: &Form<'_>) {
    let theme = Theme::of(ui.ctx());
    let mut code = draft.settings.currency.as_ref().map(|currency| currency.code.clone());
    let mut options = vec![(None, "US dollars".to_owned())];
    options.extend(CURRENCIES.map(|code| (Some(code.to_owned()), code.to_owned())));
    if code.as_ref().is_some_and(|code| !CURRENCIES.contains(&code.as_str())) {
        options.push((code.clone(), "another".to_owned()));
    }
    columns(
        ui,
        FIELD,
        vec![Box::new(|ui: &mut Ui| {
            if choice(ui, "Results are shown in", &mut code, &options) {
                // The rate of another currency means nothing for this one: it has to be given.
                draft.settings.currency = code.clone().map(|code| Currency {
                    code,
                    symbol: String::new(),
                    per_usd: 0.0,
                    as_of: draft.start.clone(),
                });
            }
        })],
    );
    let Some(currency) = &mut draft.settings.currency else { return };
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                text_field(ui, "Code, ISO 4217", &mut currency.code);
                form.problems_of(ui, "code");
            }),
            Box::new(|ui: &mut Ui| {
                ui.label(RichText::new("Units that a US dollar buys").small().color(theme.text_weak));
                number(ui, "Units that a US dollar buys", &mut currency.per_usd, Unit::Plain);
                form.problems_of(ui, "per_usd");
            }),
            Box::new(|ui: &mut Ui| {
                text_field(ui, "Day of the rate, year-month-day", &mut currency.as_of);
                form.problems_of(ui, "as_of");
            }),
        ],
    );
    form.problems_of(ui, "symbol");
    let note = "Results are converted at this rate. What is typed in, and what the catalogue states, stays in US dollars.";
    ui.label(RichText::new(note).small().color(theme.text_weak));
}

/// Rank correlations between uncertain quantities.
fn correlations_ui(ui: &mut Ui, draft: &mut ScenarioDraft, view: &View<'_>) {
    let theme = Theme::of(ui.ctx());
    let mut uncertain: Vec<(String, String)> = Vec::new();
    draft.each(&mut Path::default(), &mut |path: &Path, value: &Estimate| {
        if value.is_uncertain() {
            uncertain.push((path.as_str().to_owned(), qualified(path.as_str(), draft)));
        }
    });
    let mut removed = None;
    for (index, correlation) in draft.correlations.iter_mut().enumerate() {
        ui.push_id(index, |ui| {
            columns(
                ui,
                FIELD,
                vec![
                    Box::new(|ui: &mut Ui| {
                        choice(ui, "This input", &mut correlation.a, &uncertain);
                    }),
                    Box::new(|ui: &mut Ui| {
                        choice(ui, "moves with", &mut correlation.b, &uncertain);
                    }),
                    Box::new(|ui: &mut Ui| {
                        ui.label(RichText::new("Rank correlation, -1 to 1").small().color(theme.text_weak));
                        ui.horizontal(|ui| {
                            number(ui, "Rank correlation", &mut correlation.rank, Unit::Plain);
                            if ui.button("Remove").clicked() {
                                removed = Some(index);
                            }
                        });
                    }),
                ],
            );
        });
    }
    if let Some(index) = removed {
        draft.correlations.remove(index);
    }
    for problem in view.problems.at("correlations").filter(|problem| problem.severity > Severity::Note) {
        let text = RichText::new(&problem.message).small().color(theme.severity(problem.severity));
        ui.add(Label::new(text).wrap());
    }
    if let [(a, _), (b, _), ..] = uncertain.as_slice() {
        if ui.button("Let two inputs move together").clicked() {
            draft.correlations.push(Correlation { a: a.clone(), b: b.clone(), rank: 0.5 });
        }
    } else {
        ui.label(
            RichText::new("Two uncertain inputs are needed; press ± beside an input.").color(theme.text_weak),
        );
    }
}
