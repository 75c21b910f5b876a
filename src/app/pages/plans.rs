//! The alternatives: plans at the left, the one in hand at the right, from endpoints to the costs people forget.

use eframe::egui::{Align, Align2, Label, Layout, RichText, ScrollArea, TextStyle, Ui, pos2, vec2};

use super::workload::free_id;
use super::{endpoint, router};
use crate::analysis::{PlanOutcome, Severity};
use crate::app::icons::{Icon, icon_button};
use crate::app::money::money;
use crate::app::plots::paint::{plan_dot, text_ui};
use crate::app::theme::{self, Theme, severity_sign, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{
    Form, choice, columns, empty_state, figures_ui, list_row, section, sentence, text_field,
};
use crate::cache::{DerivedHit, HitRate, ResponseCache};
use crate::catalog::{Catalog, PriceMode};
use crate::pricing::{CostItem, Line};
use crate::routing::{Cascade, Endpoint, Overflow, Plan, Router, Split};
use crate::scenario::{Problems, ScenarioDraft, fixed};
use crate::stats::Estimate;
use crate::unit::format::{self, Money};

/// Width of the list at the left.
const LIST: f32 = 210.0;

/// Least width of a column of fields.
pub(super) const FIELD: f32 = 250.0;

/// Draws the page.
pub fn ui(ui: &mut Ui, draft: &mut ScenarioDraft, session: &mut Session, view: &View<'_>, _out: &mut Outbox) {
    let words = answer(draft, view, &money(ui.ctx()));
    sentence(ui, &words);
    ui.add_space(space::S);
    let height = ui.available_height();
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = space::L;
        ui.allocate_ui(vec2(LIST, height), |ui| {
            ui.vertical(|ui| {
                ui.set_width(LIST);
                list_ui(ui, draft, session, view);
            });
        });
        let use_cases: Vec<(String, String)> =
            draft.workload.use_cases.iter().map(|item| (item.id.clone(), item.name.clone())).collect();
        let selected = selected(draft, session);
        ui.vertical(|ui| {
            let Some(plan) = selected.and_then(|index| draft.plans.get_mut(index)) else {
                empty_state(ui, "A plan is one complete way to serve the workload: add one at the left", "");
                return;
            };
            let id = plan.id.clone();
            ScrollArea::vertical().id_salt(&id).auto_shrink(false).show(ui, |ui| {
                ui.push_id(&id, |ui| plan_ui(ui, plan, &use_cases, session, view));
            });
        });
    });
}

/// Which alternatives there are, in one sentence.
fn answer(draft: &ScenarioDraft, view: &View<'_>, money: &Money) -> String {
    let cheapest = view
        .outcome
        .and_then(|shown| shown.value.cheapest.and_then(|index| shown.value.plans.get(index)))
        .map(|plan| {
            format!("; {} is the cheapest at {} a month", plan.name, money.show(view.mean_month_usd(plan)))
        });
    match draft.plans.len() {
        0 => "There is no plan yet: a decision needs two.".to_owned(),
        1 => "One plan: add another to compare it with.".to_owned(),
        count => format!("{count} plans serve the same workload{}.", cheapest.unwrap_or_default()),
    }
}

fn selected(draft: &ScenarioDraft, session: &Session) -> Option<usize> {
    let picked = session.plan.as_ref().and_then(|id| draft.plans.iter().position(|plan| plan.id == *id));
    picked.or(if draft.plans.is_empty() { None } else { Some(0) })
}

fn list_ui(ui: &mut Ui, draft: &mut ScenarioDraft, session: &mut Session, view: &View<'_>) {
    let theme = Theme::of(ui.ctx());
    let chosen = selected(draft, session);
    for (index, plan) in draft.plans.iter().enumerate() {
        let outcome =
            view.outcome.and_then(|shown| shown.value.plans.iter().find(|known| known.id == plan.id));
        ui.push_id(&plan.id, |ui| {
            let response = list_row(ui, &plan.name, chosen == Some(index), 42.0);
            let rect = response.rect;
            plan_dot(ui, pos2(rect.left() + 12.0, rect.top() + 13.0), theme.plan(index));
            let room = rect.width() - 34.0;
            let name = pos2(rect.left() + 24.0, rect.top() + 13.0);
            text_ui(ui, name, Align2::LEFT_CENTER, &plan.name, &TextStyle::Body, theme.text_strong, room);
            let cost = outcome.map_or_else(
                || "not computed".to_owned(),
                |known| format!("{} a month", money(ui.ctx()).show(view.mean_month_usd(known))),
            );
            let below = pos2(name.x, rect.top() + 31.0);
            let used =
                text_ui(ui, below, Align2::LEFT_CENTER, &cost, &TextStyle::Small, theme.text_weak, room);
            if let Some(worst) = worst(outcome, view.problems, &plan.id) {
                let at = pos2(used.right() + 8.0, below.y);
                let sign = severity_sign(worst);
                text_ui(ui, at, Align2::LEFT_CENTER, sign, &TextStyle::Small, theme.severity(worst), 20.0);
            }
            if response.on_hover_text(&plan.name).clicked() {
                session.plan = Some(plan.id.clone());
            }
        });
    }
    ui.add_space(space::S);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        ui.menu_button("Add…", |ui| add_menu_ui(ui, draft, session, view.catalog));
        let Some(index) = chosen else { return };
        if ui.button("Duplicate").clicked() {
            duplicate(draft, session, index);
        }
        if ui.button("Delete").on_hover_text("Undo brings it back").clicked() {
            draft.plans.remove(index);
            session.plan = None;
            return;
        }
        if icon_button(ui, &theme, Icon::Up, "Move up", index > 0).on_hover_text("Move up").clicked() {
            draft.plans.swap(index, index - 1);
        }
        let more = index + 1 < draft.plans.len();
        if icon_button(ui, &theme, Icon::Down, "Move down", more).on_hover_text("Move down").clicked() {
            draft.plans.swap(index, index + 1);
        }
    });
}

/// The gravest thing about a plan that is more than a note.
fn worst(outcome: Option<&PlanOutcome>, problems: &Problems, id: &str) -> Option<Severity> {
    let path = format!("plans.{id}");
    let wrong = problems.at(&path).map(|problem| problem.severity);
    let found = outcome.into_iter().flat_map(|plan| &plan.findings).map(|finding| finding.severity);
    wrong.chain(found).max().filter(|severity| *severity > Severity::Note)
}

fn duplicate(draft: &mut ScenarioDraft, session: &mut Session, index: usize) {
    let Some(mut copy) = draft.plans.get(index).cloned() else { return };
    copy.id = free_id(&copy.id, |id| draft.plans.iter().any(|plan| plan.id == id));
    copy.name = format!("{} (copy)", copy.name);
    session.plan = Some(copy.id.clone());
    draft.plans.insert(index + 1, copy);
}

/// Templates of plans.
#[derive(Clone, Copy, PartialEq)]
enum Template {
    Api,
    Tiered,
    Cascade,
    SelfHosted,
    Hybrid,
}

const TEMPLATES: [(Template, &str, &str); 5] = [
    (Template::Api, "API", "Buy: everything to one model behind an API"),
    (Template::Tiered, "Tiered API", "Buy: a small model for most, a large one for the hard requests"),
    (Template::Cascade, "Cascade", "Buy: a small model first, a large one when its answer is refused"),
    (Template::SelfHosted, "Self-hosted", "Build: an open model on rented GPUs"),
    (Template::Hybrid, "Hybrid", "Mix: own GPUs up to their capacity, an API for the rest"),
];

fn add_menu_ui(ui: &mut Ui, draft: &mut ScenarioDraft, session: &mut Session, catalog: &Catalog) {
    for (template, name, hint) in TEMPLATES {
        if ui.button(name).on_hover_text(hint).clicked() {
            let id = free_id(&slug(name), |id| draft.plans.iter().any(|plan| plan.id == id));
            let mut plan = built(template, catalog, &id, name);
            plan.id.clone_from(&id);
            session.plan = Some(id);
            draft.plans.push(plan);
            ui.close();
        }
    }
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
}

/// A price sheet to start from: the first current text model whose output costs at most so much per million tokens,
/// dearest first.
fn price_below(catalog: &Catalog, output_usd: f64) -> String {
    let rate = |sheet: &&crate::catalog::PriceSheet| {
        sheet.rows.last().and_then(|row| row.standard.output_usd_per_mtok).filter(|usd| *usd <= output_usd)
    };
    let offered = |sheet: &&crate::catalog::PriceSheet| {
        sheet.mode != PriceMode::Embedding && sheet.deprecated_on.is_none() && !sheet.id.starts_with("ref-")
    };
    catalog
        .prices
        .iter()
        .filter(offered)
        .filter_map(|sheet| rate(&sheet).map(|usd| (sheet, usd)))
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.id.cmp(&a.0.id)))
        .map_or_else(String::new, |(sheet, _)| sheet.id.clone())
}

/// Price of output, US dollars per million tokens, up to which a model counts as small, and as large, in a template.
const SMALL_BELOW: f64 = 2.0;
const LARGE_BELOW: f64 = 16.0;

/// GPU rent of a template where the catalogue has no rate, US dollars per GPU and hour; a place to start, shown as is.
const RENT: f64 = 3.0;

fn built(template: Template, catalog: &Catalog, id: &str, name: &str) -> Plan<Estimate> {
    let large = || Endpoint::api("large", "Large model", &price_below(catalog, LARGE_BELOW));
    let small = || Endpoint::api("small", "Small model", &price_below(catalog, SMALL_BELOW));
    let mut plan = Plan::single(id, name, large());
    match template {
        Template::Api => {}
        Template::Tiered => {
            plan.endpoints = vec![small(), large()];
            plan.router = Router::Split(Split::new(&[("small", 0.75), ("large", 0.25)]));
        }
        Template::Cascade => {
            plan.endpoints = vec![small(), large()];
            plan.router = Router::Cascade(Cascade::new(&[("small", 0.75), ("large", 1.0)]));
        }
        Template::SelfHosted => plan = Plan::single(id, name, own(catalog)),
        Template::Hybrid => {
            plan = Plan::single(id, name, own(catalog));
            plan.endpoints.push(large());
            plan.router = Router::Overflow(Overflow::new("own", "large"));
        }
    }
    plan
}

/// An 8 B model on the GPU that most data centres rent, at the median rate of the catalogue.
fn own(catalog: &Catalog) -> Endpoint<Estimate> {
    let like = |wanted: &str, ids: &mut dyn Iterator<Item = &str>| {
        let all: Vec<String> = ids.map(str::to_owned).collect();
        all.iter().find(|id| id.contains(wanted)).or(all.first()).cloned().unwrap_or_default()
    };
    let model = like("llama-3.1-8b", &mut catalog.models.iter().map(|row| row.id.as_str()));
    let gpu = like("h100-sxm", &mut catalog.gpus.iter().map(|row| row.id.as_str()));
    let mut rates: Vec<f64> =
        catalog.rates_of(&gpu).filter_map(|rate| rate.on_demand_usd_per_gpu_hour).collect();
    rates.sort_by(f64::total_cmp);
    let rent = rates.get(rates.len() / 2).copied().unwrap_or(RENT);
    Endpoint::self_hosted("own", "Own deployment", &model, &gpu, 1, rent)
}

fn plan_ui(
    ui: &mut Ui,
    plan: &mut Plan<Estimate>,
    use_cases: &[(String, String)],
    session: &mut Session,
    view: &View<'_>,
) {
    let form = Form::of(view).at("plans").at(&plan.id);
    let outcome = view.outcome.and_then(|shown| shown.value.plans.iter().find(|known| known.id == plan.id));
    let at_fault = view.problems.at(form.here()).any(|problem| problem.severity == Severity::Error);
    plan_figures_ui(ui, outcome, at_fault, view);
    findings_ui(ui, outcome);
    columns(
        ui,
        220.0,
        vec![
            Box::new(|ui: &mut Ui| {
                text_field(ui, "Name", &mut plan.name);
            }),
            Box::new(|ui: &mut Ui| {
                text_field(ui, "Notes", &mut plan.notes);
            }),
        ],
    );
    form.problems_of(ui, "endpoints");
    let mut removed = None;
    let count = plan.endpoints.len();
    for (index, item) in plan.endpoints.iter_mut().enumerate() {
        let known = outcome.and_then(|plan| plan.endpoints.iter().find(|known| known.id == item.id));
        let title = format!("{} · {}", item.name, endpoint::kind(item));
        ui.push_id(item.id.clone(), |ui| {
            folding_ui(ui, &title, true, |ui| {
                let form = form.at("endpoints").at(&item.id);
                endpoint::ui(ui, &form, item, known, session, view);
                if count > 1 && ui.small_button("Remove this endpoint").clicked() {
                    removed = Some(index);
                }
            });
        });
    }
    if let Some(index) = removed {
        let gone = plan.endpoints.remove(index);
        router::forget(&mut plan.router, &gone.id, &plan.endpoints);
        plan.routes.iter_mut().for_each(|route| router::forget(&mut route.router, &gone.id, &plan.endpoints));
    }
    ui.horizontal(|ui| {
        let id =
            |stem: &str, plan: &Plan<Estimate>| free_id(stem, |id| plan.endpoints.iter().any(|e| e.id == id));
        if ui.button("Add an API model").clicked() {
            let price = price_below(view.catalog, LARGE_BELOW);
            let endpoint = Endpoint::api(&id("api", plan), "API model", &price);
            plan.endpoints.push(endpoint);
        }
        if ui.button("Add a deployment").clicked() {
            let mut endpoint = own(view.catalog);
            endpoint.id = id("own", plan);
            plan.endpoints.push(endpoint);
        }
    });
    section(ui, "Routing", true, |ui| router::ui(ui, &form, plan, use_cases));
    section(ui, "Response caches", false, |ui| caches_ui(ui, &form, plan));
    section(ui, "Costs beside tokens and GPUs", true, |ui| costs_ui(ui, &form, plan, outcome));
}

/// A section whose title may be edited, so that it is told apart by its place in the id stack alone.
fn folding_ui(ui: &mut Ui, title: &str, open: bool, content: impl FnOnce(&mut Ui)) {
    ui.add_space(space::XS);
    eframe::egui::CollapsingHeader::new(theme::section_text(title))
        .id_salt("fold")
        .default_open(open)
        .show_unindented(ui, |ui| {
            content(ui);
            ui.add_space(space::S);
        });
}

/// What the plan comes to, in a row of figures.
fn plan_figures_ui(ui: &mut Ui, outcome: Option<&PlanOutcome>, at_fault: bool, view: &View<'_>) {
    let (theme, money) = (Theme::of(ui.ctx()), money(ui.ctx()));
    let Some(plan) = outcome else {
        let where_to = if at_fault { "what is marked below" } else { "what is marked in another part first" };
        ui.label(RichText::new(format!("Not computed: mend {where_to}.")).color(theme.text_weak));
        return;
    };
    let interval = view.drawn(&plan.id).map_or_else(
        || "a month, mean of the horizon".to_owned(),
        |drawn| format!("a month ({})", money.range(drawn.mean_month.p5, drawn.mean_month.p95)),
    );
    let figures = [
        (interval.as_str(), money.show(view.mean_month_usd(plan))),
        ("first month at the means, without set-up", money.show(plan.run_rate.total())),
        ("quality", format::percent(plan.quality)),
        ("to first token", format::secs(plan.latency.ttft_secs)),
        ("to the whole answer", format::secs(plan.latency.e2e_secs)),
    ];
    figures_ui(ui, &figures);
    ui.add_space(space::XS);
}

fn findings_ui(ui: &mut Ui, outcome: Option<&PlanOutcome>) {
    let theme = Theme::of(ui.ctx());
    let Some(plan) = outcome else { return };
    if !plan.not_priced.is_empty() {
        let text = format!("▲ At least this much: no price is known for {}", plan.not_priced.join(", "));
        ui.add(Label::new(RichText::new(text).color(theme.warning)).wrap());
    }
    for finding in &plan.findings {
        let text = format!("{} {}", severity_sign(finding.severity), finding.message);
        let label = Label::new(RichText::new(text).small().color(theme.severity(finding.severity))).wrap();
        ui.add(label).on_hover_text(&finding.remedy);
    }
    ui.add_space(space::XS);
}

fn caches_ui(ui: &mut Ui, form: &Form<'_>, plan: &mut Plan<Estimate>) {
    let form = form.at("caches");
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                cache_ui(
                    ui,
                    &form,
                    "exact",
                    "Exact: same request, same answer",
                    &mut plan.caches.exact,
                    ResponseCache::exact,
                );
            }),
            Box::new(|ui: &mut Ui| {
                let title = "Semantic: like request, same answer";
                cache_ui(ui, &form, "semantic", title, &mut plan.caches.semantic, || {
                    ResponseCache::semantic(STARTING_HIT)
                });
            }),
        ],
    );
}

/// Hit rate that a new semantic cache starts from; shown and meant to be replaced by a measured one.
const STARTING_HIT: f64 = 0.2;

fn cache_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    field: &str,
    title: &str,
    cache: &mut Option<ResponseCache<Estimate>>,
    fresh: impl FnOnce() -> ResponseCache<Estimate>,
) {
    let mut on = cache.is_some();
    if ui.checkbox(&mut on, title).changed() {
        *cache = on.then(fresh);
    }
    let Some(cache) = cache else { return };
    let form = form.at(field);
    let mut derived = matches!(cache.hit, HitRate::Derived(_));
    let options = [(false, "Stated".to_owned()), (true, "From how requests repeat".to_owned())];
    if choice(ui, &format!("Hit rate of the {field} cache"), &mut derived, &options) {
        cache.hit = if derived {
            HitRate::Derived(DerivedHit {
                capacity_items: fixed("hit.capacity_items"),
                ttl_secs: fixed("hit.ttl_secs"),
            })
        } else {
            HitRate::Given(Estimate::Fixed(STARTING_HIT))
        };
    }
    match &mut cache.hit {
        HitRate::Given(hit) => {
            form.quantity(ui, "hit", hit);
        }
        HitRate::Derived(hit) => {
            let form = form.at("hit");
            form.quantity(ui, "capacity_items", &mut hit.capacity_items);
            form.quantity(ui, "ttl_secs", &mut hit.ttl_secs);
        }
    }
    form.quantity(ui, "lookup_usd_per_request", &mut cache.lookup_usd_per_request);
    form.quantity(ui, "lookup_secs", &mut cache.lookup_secs);
    form.quantity(ui, "usd_per_month", &mut cache.usd_per_month);
    form.quantity(ui, "false_hit_share", &mut cache.false_hit_share);
}

/// The ten cost lines that are usually forgotten: eight to fill in, two computed; zero is shown.
fn costs_ui(ui: &mut Ui, form: &Form<'_>, plan: &mut Plan<Estimate>, outcome: Option<&PlanOutcome>) {
    let theme = Theme::of(ui.ctx());
    let form = form.at("costs");
    let costs = &mut plan.costs;
    let total = |line: Line| outcome.map(|plan| plan.run_rate.get(line));
    let mut items: [(&str, &mut CostItem<Estimate>, Line); 9] = [
        ("prompt_engineering", &mut costs.prompt_engineering, Line::PromptEngineering),
        ("evaluation", &mut costs.evaluation, Line::Evaluation),
        ("monitoring", &mut costs.monitoring, Line::Monitoring),
        ("on_call", &mut costs.on_call, Line::OnCall),
        ("training", &mut costs.training, Line::Training),
        ("opportunity", &mut costs.opportunity, Line::Opportunity),
        ("compliance", &mut costs.compliance, Line::Compliance),
        ("network", &mut costs.network, Line::Network),
        ("gateway", &mut costs.gateway, Line::Gateway),
    ];
    for (field, item, line) in &mut items {
        item_ui(ui, &form, field, item, *line, total(*line));
    }
    for (line, why) in
        [(Line::Retries, "from the retries of each use case"), (Line::Caches, "from the caches above")]
    {
        ui.horizontal(|ui| {
            let shown = money(ui.ctx());
            let usd = total(line).map_or_else(|| format::NO_NUMBER.to_owned(), |usd| shown.show(usd));
            name_cell(ui, line, 18.0);
            ui.label(theme::figure_text(format!("{usd} a month")));
            ui.label(RichText::new(why).small().color(theme.text_weak));
        });
    }
    ui.add_space(space::S);
    let costs = &mut plan.costs;
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "egress_usd_per_gb", &mut costs.egress_usd_per_gb);
                form.quantity(ui, "bytes_per_token", &mut costs.bytes_per_token);
            }),
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "gateway_usd_per_request", &mut costs.gateway_usd_per_request);
                form.quantity(ui, "one_time_usd", &mut costs.one_time_usd);
            }),
        ],
    );
}

/// The name of a cost line in a column of its own, so that amounts line up.
fn name_cell(ui: &mut Ui, line: Line, indent: f32) {
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(vec2(230.0 + indent, 22.0), layout, |ui| {
        ui.set_min_width(230.0 + indent);
        ui.add_space(indent);
        ui.label(line.label());
    });
}

/// One cost line: money and people side by side, folded to its sum.
fn item_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    field: &str,
    item: &mut CostItem<Estimate>,
    line: Line,
    total: Option<f64>,
) {
    let spent = item.usd_per_month.point();
    let usd = total.unwrap_or(spent);
    let money = money(ui.ctx());
    let sum = if usd == 0.0 { money.show(0.0) } else { format!("{} a month", money.show(usd)) };
    let fte = item.fte.point();
    let of = match (total, fte > 0.0) {
        (_, false) => String::new(),
        (Some(_), true) => format!("with {} full-time", format::significant(fte, 2)),
        (None, true) => format!("and {} full-time", format::significant(fte, 2)),
    };
    let theme = Theme::of(ui.ctx());
    let id = ui.scope_id().with(field);
    let state = eframe::egui::collapsing_header::CollapsingState::load_with_default_open(ui.ctx(), id, false);
    state
        .show_header(ui, |ui| {
            name_cell(ui, line, 0.0);
            ui.label(theme::figure_text(sum));
            ui.label(RichText::new(of).small().color(theme.text_weak));
        })
        .body_unindented(|ui| {
            let form = form.at(field);
            columns(
                ui,
                FIELD,
                vec![
                    Box::new(|ui: &mut Ui| drop(form.quantity(ui, "usd_per_month", &mut item.usd_per_month))),
                    Box::new(|ui: &mut Ui| drop(form.quantity(ui, "fte", &mut item.fte))),
                ],
            );
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_names_rows_of_the_catalogue_and_its_own_endpoints() {
        let catalog = Catalog::shipped();
        for (template, name, _) in TEMPLATES {
            let plan = built(template, catalog, "new", name);
            for endpoint in &plan.endpoints {
                match &endpoint.serves {
                    crate::routing::Serves::Api(api) => assert!(catalog.price(&api.price).is_ok(), "{name}"),
                    crate::routing::Serves::SelfHosted(own) => {
                        assert!(catalog.model(&own.deployment.model).is_ok(), "{name}");
                        assert!(catalog.gpu(&own.deployment.gpu).is_ok(), "{name}");
                    }
                }
            }
            for id in router::endpoints(&plan.router) {
                assert!(plan.endpoints.iter().any(|endpoint| endpoint.id == id), "{name}: {id}");
            }
        }
    }
}
