//! What is asked of the models: use cases at the left, the one in hand at the right, with what follows from it.

use eframe::egui::{Align2, RichText, ScrollArea, TextStyle, Ui, pos2, vec2};

use super::{count, settings, trace};
use crate::app::plots::paint::text_ui;
use crate::app::theme::{Theme, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{
    Form, choice, columns, empty_state, figures_ui, growth_ui, length_ui, list_row, section, sentence,
    text_field, toggle, week_ui, whole,
};
use crate::scenario::{ScenarioDraft, fixed};
use crate::stats::Estimate;
use crate::stats::quantities::Instantiate as _;
use crate::unit::format;
use crate::workload::{Count, CountKind, Demand, Embedding, UseCase};

/// Width of the list at the left.
const LIST: f32 = 190.0;

/// Least width of a column of fields.
pub(super) const FIELD: f32 = 250.0;

/// Draws the page.
pub fn ui(ui: &mut Ui, draft: &mut ScenarioDraft, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    sentence(ui, &answer(draft));
    ui.add_space(space::S);
    let height = ui.available_height();
    let months = draft.horizon_months;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = space::L;
        ui.allocate_ui(vec2(LIST, height), |ui| {
            ui.vertical(|ui| {
                ui.set_width(LIST);
                list_ui(ui, draft, session);
            });
        });
        let selected = selected(draft, session);
        ui.vertical(|ui| {
            if whole_scenario(session) {
                settings::ui(ui, draft, view);
                return;
            }
            let Some(use_case) = selected.and_then(|index| draft.workload.use_cases.get_mut(index)) else {
                empty_state(ui, "A workload is made of use cases: add the first one at the left", "");
                return;
            };
            let id = use_case.id.clone();
            ScrollArea::vertical().id_salt(&id).auto_shrink(false).show(ui, |ui| {
                ui.push_id(&id, |ui| use_case_ui(ui, use_case, months, session, view, out));
            });
        });
    });
}

/// What is asked for, in one sentence.
fn answer(draft: &ScenarioDraft) -> String {
    let mut requests = 0.0;
    let mut tokens = 0.0;
    let mut count = 0;
    for use_case in draft.workload.use_cases.iter().filter(|use_case| use_case.enabled) {
        let point = use_case.instantiate(&mut Estimate::point);
        let demand = Demand::of(&point);
        requests += point.requests_per_day;
        tokens += point.requests_per_day * (demand.prompt_tokens() + output_per_request(&demand));
        count += 1;
    }
    match count {
        0 => "Nothing is asked for yet.".to_owned(),
        1 => format!(
            "One use case asks for {} requests a day: {}.",
            format::count(requests.round()),
            format::tokens_per_day(tokens)
        ),
        _ => format!(
            "{count} use cases ask for {} requests a day: {}.",
            format::count(requests.round()),
            format::tokens_per_day(tokens)
        ),
    }
}

fn output_per_request(demand: &Demand) -> f64 {
    demand.output_per_call() * demand.calls
}

/// Whether what belongs to all use cases is in hand.
fn whole_scenario(session: &Session) -> bool {
    session.picks.get("workload").is_some_and(|picked| picked == "scenario")
}

/// Position of the use case in hand: the one that was picked, else the first.
fn selected(draft: &ScenarioDraft, session: &Session) -> Option<usize> {
    let cases = &draft.workload.use_cases;
    let picked =
        session.use_case.as_ref().and_then(|id| cases.iter().position(|use_case| use_case.id == *id));
    picked.or(if cases.is_empty() { None } else { Some(0) })
}

fn list_ui(ui: &mut Ui, draft: &mut ScenarioDraft, session: &mut Session) {
    let theme = Theme::of(ui.ctx());
    let row = list_row(ui, "Scenario and settings", whole_scenario(session), 26.0);
    let at = pos2(row.rect.left() + 10.0, row.rect.center().y);
    let room = row.rect.width() - 14.0;
    text_ui(ui, at, Align2::LEFT_CENTER, "Scenario and settings", &TextStyle::Body, theme.text_strong, room);
    if row.clicked() {
        session.picks.insert("workload".to_owned(), "scenario".to_owned());
    }
    ui.add_space(space::S);
    ui.label(RichText::new("Use cases").small().color(theme.text_weak));
    let chosen = if whole_scenario(session) { None } else { selected(draft, session) };
    for (index, use_case) in draft.workload.use_cases.iter_mut().enumerate() {
        ui.push_id(&use_case.id, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = space::XS;
                let alt = format!("Enable {}", use_case.name);
                let switch = ui.checkbox(&mut use_case.enabled, "").on_hover_text("Whether it takes part");
                ui.ctx().accesskit_node_builder(switch.id, |node| node.set_label(alt));
                let color = if use_case.enabled { theme.text_strong } else { theme.text_weak };
                let row = list_row(ui, &use_case.name, chosen == Some(index), 26.0);
                let at = pos2(row.rect.left() + 10.0, row.rect.center().y);
                let room = row.rect.width() - 14.0;
                text_ui(ui, at, Align2::LEFT_CENTER, &use_case.name, &TextStyle::Body, color, room);
                if row.on_hover_text(&use_case.name).clicked() {
                    session.picks.remove("workload");
                    session.use_case = Some(use_case.id.clone());
                }
            });
        });
    }
    ui.add_space(space::S);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        if ui.button("Add").on_hover_text("Add a use case with usual values").clicked() {
            add(draft, session);
        }
        let Some(index) = chosen else { return };
        if ui.button("Duplicate").clicked() {
            duplicate(draft, session, index);
        }
        if ui.button("Delete").on_hover_text("Undo brings it back").clicked() {
            remove(draft, session, index);
        }
    });
}

fn add(draft: &mut ScenarioDraft, session: &mut Session) {
    let id = free_id("use-case", |id| draft.workload.use_cases.iter().any(|use_case| use_case.id == id));
    let name = format!("Use case {}", draft.workload.use_cases.len() + 1);
    draft.workload.use_cases.push(UseCase::new(&id, &name));
    session.picks.remove("workload");
    session.use_case = Some(id);
}

fn duplicate(draft: &mut ScenarioDraft, session: &mut Session, index: usize) {
    let Some(mut copy) = draft.workload.use_cases.get(index).cloned() else { return };
    copy.id = free_id(&copy.id, |id| draft.workload.use_cases.iter().any(|use_case| use_case.id == id));
    copy.name = format!("{} (copy)", copy.name);
    session.use_case = Some(copy.id.clone());
    draft.workload.use_cases.insert(index + 1, copy);
}

fn remove(draft: &mut ScenarioDraft, session: &mut Session, index: usize) {
    let removed = draft.workload.use_cases.remove(index);
    for plan in &mut draft.plans {
        plan.routes.retain(|route| route.use_case != removed.id);
    }
    session.use_case = None;
}

/// An id that is not taken: the name itself, else with a number.
#[must_use]
pub fn free_id(stem: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(stem) {
        return stem.to_owned();
    }
    let stem = stem.trim_end_matches(|letter: char| letter.is_ascii_digit()).trim_end_matches('-');
    (2..).map(|number| format!("{stem}-{number}")).find(|id| !taken(id)).unwrap_or_default()
}

fn use_case_ui(
    ui: &mut Ui,
    use_case: &mut UseCase<Estimate>,
    months: u32,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let form = Form::of(view).at("workload").at("use_cases").at(&use_case.id);
    derived_ui(ui, use_case, view);
    trace::fit_ui(ui, use_case, session, view, out);
    columns(
        ui,
        200.0,
        vec![
            Box::new(|ui: &mut Ui| {
                text_field(ui, "Name", &mut use_case.name);
            }),
            Box::new(|ui: &mut Ui| {
                text_field(ui, "Team that pays", &mut use_case.team);
            }),
        ],
    );
    section(ui, "Traffic", true, |ui| traffic_ui(ui, &form, use_case, months, view, out));
    section(ui, "Tokens", true, |ui| tokens_ui(ui, &form, use_case, session, view, out));
    section(ui, "Conversation and agents", true, |ui| turns_ui(ui, &form, use_case));
    section(ui, "Limits and retries", false, |ui| limits_ui(ui, &form, use_case));
    section(ui, "Retrieval", false, |ui| retrieval_ui(ui, &form, use_case, view));
    section(ui, "Repetition and difficulty", false, |ui| {
        let repetition = form.at("repetition");
        columns(
            ui,
            FIELD,
            vec![
                Box::new(|ui: &mut Ui| {
                    drop(repetition.quantity(ui, "distinct", &mut use_case.repetition.distinct))
                }),
                Box::new(|ui: &mut Ui| {
                    drop(repetition.quantity(ui, "zipf_alpha", &mut use_case.repetition.zipf_alpha));
                }),
                Box::new(|ui: &mut Ui| {
                    drop(repetition.quantity(
                        ui,
                        "cacheable_share",
                        &mut use_case.repetition.cacheable_share,
                    ));
                }),
                Box::new(|ui: &mut Ui| drop(form.quantity(ui, "hard_share", &mut use_case.hard_share))),
            ],
        );
    });
    section(ui, "Latency target", false, |ui| {
        let slo = form.at("slo");
        columns(
            ui,
            FIELD,
            vec![
                Box::new(|ui: &mut Ui| drop(slo.quantity(ui, "ttft_secs", &mut use_case.slo.ttft_secs))),
                Box::new(|ui: &mut Ui| drop(slo.quantity(ui, "tpot_secs", &mut use_case.slo.tpot_secs))),
            ],
        );
    });
    section(ui, "Constraints", false, |ui| constraints_ui(ui, use_case));
}

/// What follows from the fields: the figures that bills are made of.
fn derived_ui(ui: &mut Ui, use_case: &UseCase<Estimate>, view: &View<'_>) {
    let point = use_case.instantiate(&mut Estimate::point);
    let demand = Demand::of(&point);
    let output = output_per_request(&demand);
    let outcome =
        view.outcome.and_then(|shown| shown.value.use_cases.iter().find(|known| known.id == use_case.id));
    let peak = outcome.map_or_else(|| point.profile.peak_to_mean(), |known| known.peak_to_mean);
    let day = point.requests_per_day * (demand.prompt_tokens() + output);
    let figures = [
        ("prompt tokens/request", format::count(demand.prompt_tokens().round())),
        ("output tokens/request", format::count(output.round())),
        ("calls/request", format::significant(demand.calls, 3)),
        ("busiest hour", format!("{}× the mean", format::significant(peak, 3))),
        ("a day", format!("{} tokens", format::short(day))),
    ];
    figures_ui(ui, &figures);
    ui.add_space(space::S);
}

fn traffic_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    use_case: &mut UseCase<Estimate>,
    months: u32,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let id = use_case.id.clone();
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "requests_per_day", &mut use_case.requests_per_day);
                form.quantity(ui, "burstiness_cv", &mut use_case.burstiness_cv);
            }),
            Box::new(|ui: &mut Ui| growth_ui(ui, form, &mut use_case.growth, months)),
            Box::new(|ui: &mut Ui| week_ui(ui, &mut use_case.profile)),
        ],
    );
    trace::ask_ui(ui, &id, view, out);
}

fn tokens_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    use_case: &mut UseCase<Estimate>,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
) {
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "system_prompt_tokens", &mut use_case.system_prompt_tokens);
                form.quantity(ui, "retrieved_tokens", &mut use_case.retrieved_tokens);
                form.quantity(ui, "reasoning_tokens", &mut use_case.reasoning_tokens);
            }),
            Box::new(|ui: &mut Ui| {
                length_ui(ui, &form.at("user_tokens"), "user text", &mut use_case.user_tokens)
            }),
            Box::new(|ui: &mut Ui| {
                length_ui(ui, &form.at("output_tokens"), "output", &mut use_case.output_tokens)
            }),
        ],
    );
    count::ui(ui, use_case, session, view, out);
}

fn count_ui(ui: &mut Ui, form: &Form<'_>, title: &str, count: &mut Count<Estimate>) {
    form.quantity(ui, "mean", &mut count.mean);
    let options = [
        (CountKind::Fixed, "Always the mean".to_owned()),
        (CountKind::Geometric, "Geometric: any may be the last".to_owned()),
    ];
    choice(ui, title, &mut count.kind, &options);
}

fn turns_ui(ui: &mut Ui, form: &Form<'_>, use_case: &mut UseCase<Estimate>) {
    let conversation = form.at("conversation");
    let agent = form.at("agent");
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                count_ui(ui, &conversation.at("turns"), "Spread of turns", &mut use_case.conversation.turns);
                conversation.quantity(ui, "gap_secs", &mut use_case.conversation.gap_secs);
            }),
            Box::new(|ui: &mut Ui| {
                conversation.quantity(ui, "history_kept", &mut use_case.conversation.history_kept);
                let limit = &mut use_case.conversation.history_limit_tokens;
                conversation.optional(ui, "history_limit_tokens", limit);
            }),
            Box::new(|ui: &mut Ui| {
                count_ui(ui, &agent.at("calls"), "Spread of calls", &mut use_case.agent.calls);
                agent.quantity(ui, "tool_result_tokens", &mut use_case.agent.tool_result_tokens);
                agent.quantity(ui, "tool_secs", &mut use_case.agent.tool_secs);
                agent.quantity(ui, "tool_usd", &mut use_case.agent.tool_usd);
                let help = "Whether tool calls and results stay in the conversation's history";
                toggle(ui, "Keep tool calls in the history", &mut use_case.agent.transcript_kept, help);
            }),
        ],
    );
}

fn limits_ui(ui: &mut Ui, form: &Form<'_>, use_case: &mut UseCase<Estimate>) {
    let stop = form.at("early_stop");
    let retries = form.at("retries");
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| form.optional(ui, "max_tokens", &mut use_case.max_tokens)),
            Box::new(|ui: &mut Ui| {
                stop.quantity(ui, "share", &mut use_case.early_stop.share);
                stop.quantity(ui, "at_fraction", &mut use_case.early_stop.at_fraction);
            }),
            Box::new(|ui: &mut Ui| {
                retries.quantity(ui, "failure", &mut use_case.retries.failure);
                ui.horizontal(|ui| {
                    ui.label("Most retries");
                    whole(ui, "Most retries", &mut use_case.retries.max_retries, 0..=20);
                });
                retries.optional(ui, "timeout_secs", &mut use_case.retries.timeout_secs);
                retries.quantity(ui, "billed_share", &mut use_case.retries.billed_share);
            }),
        ],
    );
}

fn retrieval_ui(ui: &mut Ui, form: &Form<'_>, use_case: &mut UseCase<Estimate>, view: &View<'_>) {
    let prices: Vec<(String, String)> = view
        .catalog
        .prices
        .iter()
        .filter(|sheet| sheet.mode == crate::catalog::PriceMode::Embedding)
        .map(|sheet| (sheet.id.clone(), format!("{} · {}", sheet.name, sheet.provider)))
        .collect();
    let mut on = use_case.embedding.is_some();
    if toggle(ui, "Embeddings and a vector store", &mut on, "What retrieval costs beside the context it adds")
        .changed()
    {
        use_case.embedding = on.then(|| Embedding {
            price: prices.first().map(|price| price.0.clone()).unwrap_or_default(),
            query_tokens: fixed("embedding.query_tokens"),
            ingested_tokens_per_month: fixed("embedding.ingested_tokens_per_month"),
            vector_store_usd_per_month: fixed("embedding.vector_store_usd_per_month"),
        });
    }
    let Some(embedding) = &mut use_case.embedding else { return };
    let form = form.at("embedding");
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                choice(ui, "Embedding model", &mut embedding.price, &prices);
                form.problems_of(ui, "price");
            }),
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "query_tokens", &mut embedding.query_tokens);
                form.quantity(ui, "ingested_tokens_per_month", &mut embedding.ingested_tokens_per_month);
            }),
            Box::new(|ui: &mut Ui| {
                drop(form.quantity(
                    ui,
                    "vector_store_usd_per_month",
                    &mut embedding.vector_store_usd_per_month,
                ));
            }),
        ],
    );
}

fn constraints_ui(ui: &mut Ui, use_case: &mut UseCase<Estimate>) {
    let constraints = &mut use_case.constraints;
    toggle(
        ui,
        "Only own GPUs may answer",
        &mut constraints.self_host_only,
        "Data may not leave for a provider",
    );
    let help = "No answer may be served to another user";
    toggle(ui, "No shared response cache", &mut constraints.no_shared_cache, help);
    let mut bound = constraints.region.is_some();
    if toggle(ui, "Data must stay in a region", &mut bound, "Endpoints elsewhere, or unknown, are named")
        .changed()
    {
        constraints.region = bound.then(|| "eu".to_owned());
    }
    if let Some(region) = &mut constraints.region {
        ui.scope(|ui| {
            ui.set_max_width(220.0);
            text_field(ui, "Region", region);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_never_taken() {
        let taken = ["chat", "chat-2", "use-case"];
        let free = |stem: &str| free_id(stem, |id| taken.contains(&id));
        assert_eq!(free("chat"), "chat-3");
        assert_eq!(free("chat-2"), "chat-3");
        assert_eq!(free("mail"), "mail");
    }
}
