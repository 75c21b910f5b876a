//! The editor of an endpoint: a model behind an API with its prices, or a deployment with its memory.

mod simulated;

use eframe::egui::{
    Align2, CornerRadius, Grid, Label, Popup, Rect, RichText, ScrollArea, Sense, TextEdit, TextStyle, Ui,
    pos2, vec2,
};

use self::simulated::simulated_ui;
use super::plans::FIELD;
use crate::analysis::EndpointOutcome;
use crate::app::money::money;
use crate::app::plots::paint::{Scale, text_ui};
use crate::app::theme::{self, Theme, space};
use crate::app::view::{Session, View};
use crate::app::widgets::{Form, choice, columns, section, text_field, toggle, whole};
use crate::cache::{PromptCache, PromptTtl};
use crate::catalog::{Catalog, GpuSpec, PriceMode, PriceSheet};
use crate::pricing::{Api, Bracket, CapacityTerms, Commitment, CustomPrice, Owned, Provisioned, ServiceTier};
use crate::routing::{Endpoint, SelfHosted, Serves};
use crate::scenario::fixed;
use crate::scenario::labels::describe;
use crate::serving::{
    Deployment, Efficiency, Engine, Fleet, GpuFacts, ModelFacts, Precision, Scaling, Speculative, Speed,
};
use crate::stats::Estimate;
use crate::stats::quantities::Instantiate as _;
use crate::unit::format;

/// Buy or build, in a word or two.
#[must_use]
pub fn kind(endpoint: &Endpoint<Estimate>) -> String {
    match &endpoint.serves {
        Serves::Api(api) => format!("buy, {}", api.price),
        Serves::SelfHosted(own) => format!("build, {} on {}", own.deployment.model, own.deployment.gpu),
    }
}

/// Draws the editor.
pub fn ui(
    ui: &mut Ui,
    form: &Form<'_>,
    endpoint: &mut Endpoint<Estimate>,
    outcome: Option<&EndpointOutcome>,
    session: &mut Session,
    view: &View<'_>,
) {
    match &mut endpoint.serves {
        Serves::Api(api) => api_ui(ui, &form.at("serves"), api, session, view),
        Serves::SelfHosted(own) => own_ui(ui, &form.at("serves"), own, outcome, session, view),
    }
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                text_field(ui, "Endpoint name", &mut endpoint.name);
                text_field(ui, "Runs in region", &mut endpoint.region);
            }),
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "quality", &mut endpoint.quality);
                form.quantity(ui, "token_factor", &mut endpoint.token_factor);
            }),
            Box::new(|ui: &mut Ui| prompt_cache_ui(ui, form, &mut endpoint.prompt_cache)),
        ],
    );
}

fn prompt_cache_ui(ui: &mut Ui, form: &Form<'_>, cache: &mut PromptCache<Estimate>) {
    let mut kind = match cache {
        PromptCache::Off => 0,
        PromptCache::Given(_) => 1,
        PromptCache::Derived(_) => 2,
    };
    let options = [
        (0, "Off".to_owned()),
        (1, "Stated hit share".to_owned()),
        (2, "From arrivals and time to live".to_owned()),
    ];
    if choice(ui, "Prompt cache", &mut kind, &options) {
        *cache = match kind {
            0 => PromptCache::Off,
            1 => PromptCache::Given(fixed("prompt_cache")),
            _ => PromptCache::Derived(PromptTtl { ttl_secs: fixed("prompt_cache.ttl_secs") }),
        };
    }
    match cache {
        PromptCache::Off => {}
        PromptCache::Given(share) => drop(form.quantity(ui, "prompt_cache", share)),
        PromptCache::Derived(ttl) => {
            drop(form.at("prompt_cache").quantity(ui, "ttl_secs", &mut ttl.ttl_secs))
        }
    }
}

fn api_ui(ui: &mut Ui, form: &Form<'_>, api: &mut Api<Estimate>, session: &mut Session, view: &View<'_>) {
    let tiers = [
        (ServiceTier::Standard, "Standard".to_owned()),
        (ServiceTier::Batch, "Batch, within a day".to_owned()),
        (ServiceTier::Flex, "Flex, slower".to_owned()),
        (ServiceTier::Priority, "Priority, faster".to_owned()),
    ];
    let (sheet, tier) = (view.catalog.price(&api.price).ok(), api.tier);
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                price_picker_ui(ui, &mut api.price, session, view.catalog);
                form.problems_of(ui, "price");
                choice(ui, "Service tier", &mut api.tier, &tiers);
                form.problems_of(ui, "tier");
            }),
            Box::new(|ui: &mut Ui| sheet_ui(ui, sheet, tier)),
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "discount", &mut api.discount);
                form.quantity(ui, "price_change_per_year", &mut api.price_change_per_year);
            }),
        ],
    );
    section(ui, "Contract, own rates and speed", false, |ui| contract_ui(ui, form, api));
}

/// The price sheet, found by typing.
fn price_picker_ui(ui: &mut Ui, price: &mut String, session: &mut Session, catalog: &Catalog) {
    let known = catalog.price(price);
    let shown = known.map_or_else(|_| price.clone(), |sheet| format!("{} · {}", sheet.name, sheet.provider));
    let options = catalog
        .prices
        .iter()
        .filter(|sheet| sheet.mode != PriceMode::Embedding)
        .map(|sheet| (sheet.id.as_str(), format!("{} · {}", sheet.name, sheet.provider)));
    if let Some(id) = picker_ui(ui, "Model and price sheet", &shown, session, options) {
        *price = id;
    }
}

/// A choice among many, with a search field; returns the id that was picked.
pub(super) fn picker_ui<'c>(
    ui: &mut Ui,
    label: &str,
    shown: &str,
    session: &mut Session,
    options: impl Iterator<Item = (&'c str, String)>,
) -> Option<String> {
    let theme = Theme::of(ui.ctx());
    ui.label(RichText::new(label).small().color(theme.text_weak));
    let width = ui.available_width().min(420.0);
    let button = eframe::egui::Button::new(format!("{shown} ▾")).truncate().min_size(vec2(width, 26.0));
    let response = ui.add(button);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(label.to_owned()));
    let mut picked = None;
    Popup::menu(&response)
        .width(width.max(320.0))
        .close_behavior(eframe::egui::PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            let search = session.texts.entry(format!("search {label}")).or_default();
            let field = ui.add(TextEdit::singleline(search).hint_text("Search").desired_width(f32::INFINITY));
            ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(format!("Search {label}")));
            // What one opens the list for is to type.
            if ui.memory(|memory| memory.focused().is_none()) {
                field.request_focus();
            }
            let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
            let hits: Vec<(&str, String)> = options
                .filter(|(id, name)| {
                    let text = format!("{id} {name}").to_lowercase();
                    words.iter().all(|word| text.contains(word))
                })
                .collect();
            if hits.is_empty() {
                ui.label(RichText::new("Nothing in the catalogue has these words").color(theme.text_weak));
            }
            ScrollArea::vertical().max_height(320.0).show_rows(ui, 24.0, hits.len(), |ui, rows| {
                for (id, name) in hits.get(rows).unwrap_or_default() {
                    if ui.selectable_label(false, name).on_hover_text(*id).clicked() {
                        picked = Some((*id).to_owned());
                        ui.close();
                    }
                }
            });
        });
    picked
}

/// What the row says, with its source and the day it was read.
fn sheet_ui(ui: &mut Ui, sheet: Option<&PriceSheet>, tier: ServiceTier) {
    let theme = Theme::of(ui.ctx());
    let Some(sheet) = sheet else {
        ui.label(RichText::new("⊗ This sheet is not in the catalogue").color(theme.violation));
        return;
    };
    let Some(row) = sheet.rows.last() else { return };
    let rates = row.rates(tier, false);
    ui.label(RichText::new("US dollars per million tokens").small().color(theme.text_weak));
    Grid::new("rates").num_columns(2).spacing([space::M, 2.0]).show(ui, |ui| {
        let cells = [
            ("Input", rates.input),
            ("Output", rates.output),
            ("Cached input", rates.cached_read),
            ("Cache write", rates.cache_write),
        ];
        for (name, rate) in cells {
            ui.label(name);
            ui.label(theme::figure_text(
                rate.map_or("not priced".to_owned(), |usd| format::usd_per_mtok(usd.get())),
            ));
            ui.end_row();
        }
    });
    if let Some(above) = row.long_context_above() {
        let text = format!("dearer above {} tokens of prompt", format::count(above as f64));
        ui.label(RichText::new(text).small().color(theme.text_weak));
    }
    let source = format!("{}, read {}", sheet.source.citation, sheet.source.read);
    let text = RichText::new(source).small().color(theme.text_weak);
    match &sheet.source.url {
        Some(url) => drop(ui.hyperlink_to(text, url)),
        None => drop(ui.add(Label::new(text).wrap())),
    }
}

fn contract_ui(ui: &mut Ui, form: &Form<'_>, api: &mut Api<Estimate>) {
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "regional_factor", &mut api.regional_factor);
                form.quantity(ui, "usd_per_call", &mut api.usd_per_call);
                form.quantity(ui, "ttft_secs", &mut api.ttft_secs);
                form.quantity(ui, "output_tokens_per_sec", &mut api.output_tokens_per_sec);
                form.optional(ui, "limit_tokens_per_min", &mut api.limit_tokens_per_min);
            }),
            Box::new(|ui: &mut Ui| {
                custom_ui(ui, form, &mut api.custom);
                brackets_ui(ui, &mut api.brackets);
            }),
            Box::new(|ui: &mut Ui| {
                commitment_ui(ui, form, &mut api.commitment);
                provisioned_ui(ui, form, &mut api.provisioned);
            }),
        ],
    );
}

fn custom_ui(ui: &mut Ui, form: &Form<'_>, custom: &mut Option<CustomPrice<Estimate>>) {
    let mut on = custom.is_some();
    if toggle(ui, "Own rates", &mut on, "Rates of a contract that replace those of the sheet").changed() {
        *custom = on.then(|| CustomPrice {
            input_usd_per_mtok: fixed("custom.input_usd_per_mtok"),
            output_usd_per_mtok: fixed("custom.output_usd_per_mtok"),
            cached_read_usd_per_mtok: None,
            cache_write_usd_per_mtok: None,
        });
    }
    let Some(custom) = custom else { return };
    let form = form.at("custom");
    form.quantity(ui, "input_usd_per_mtok", &mut custom.input_usd_per_mtok);
    form.quantity(ui, "output_usd_per_mtok", &mut custom.output_usd_per_mtok);
    form.optional(ui, "cached_read_usd_per_mtok", &mut custom.cached_read_usd_per_mtok);
    form.optional(ui, "cache_write_usd_per_mtok", &mut custom.cache_write_usd_per_mtok);
}

fn brackets_ui(ui: &mut Ui, brackets: &mut Vec<Bracket>) {
    use crate::app::widgets::number;
    use crate::unit::format::Unit;
    let mut removed = None;
    for (index, bracket) in brackets.iter_mut().enumerate() {
        ui.horizontal_wrapped(|ui| {
            ui.label("Above");
            number(
                ui,
                &format!("Bracket {} starts", index + 1),
                &mut bracket.above_usd_per_month,
                Unit::UsdPerMonth,
            );
            number(ui, &format!("Bracket {} discount", index + 1), &mut bracket.discount, Unit::Percent);
            ui.label("off");
            if ui.small_button("Remove").clicked() {
                removed = Some(index);
            }
        });
    }
    if let Some(index) = removed {
        brackets.remove(index);
    }
    if ui.small_button("Add a volume bracket").clicked() {
        let above = brackets.last().map_or(10_000.0, |last| 2.0 * last.above_usd_per_month);
        brackets.push(Bracket { above_usd_per_month: above, discount: 0.05 });
    }
}

fn commitment_ui(ui: &mut Ui, form: &Form<'_>, commitment: &mut Option<Commitment<Estimate>>) {
    let mut on = commitment.is_some();
    if toggle(ui, "Committed spend", &mut on, "Paid even when unused, for a discount on the whole").changed()
    {
        *commitment = on.then(|| Commitment {
            usd_per_month: fixed("commitment.usd_per_month"),
            discount: fixed("commitment.discount"),
        });
    }
    let Some(commitment) = commitment else { return };
    let form = form.at("commitment");
    form.quantity(ui, "usd_per_month", &mut commitment.usd_per_month);
    form.quantity(ui, "discount", &mut commitment.discount);
}

fn provisioned_ui(ui: &mut Ui, form: &Form<'_>, provisioned: &mut Option<Provisioned<Estimate>>) {
    let mut on = provisioned.is_some();
    if toggle(ui, "Provisioned throughput", &mut on, "Capacity by the hour; the rest at list price").changed()
    {
        *provisioned = on.then(|| Provisioned {
            units: fixed("provisioned.units"),
            usd_per_unit_hour: fixed("provisioned.usd_per_unit_hour"),
            tokens_per_min_per_unit: fixed("provisioned.tokens_per_min_per_unit"),
            output_weight: fixed("provisioned.output_weight"),
            cached_weight: fixed("provisioned.cached_weight"),
        });
    }
    let Some(provisioned) = provisioned else { return };
    let form = form.at("provisioned");
    form.quantity(ui, "units", &mut provisioned.units);
    form.quantity(ui, "usd_per_unit_hour", &mut provisioned.usd_per_unit_hour);
    form.quantity(ui, "tokens_per_min_per_unit", &mut provisioned.tokens_per_min_per_unit);
    form.quantity(ui, "output_weight", &mut provisioned.output_weight);
    form.quantity(ui, "cached_weight", &mut provisioned.cached_weight);
}

fn own_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    own: &mut SelfHosted<Estimate>,
    outcome: Option<&EndpointOutcome>,
    session: &mut Session,
    view: &View<'_>,
) {
    let deployment_form = form.at("deployment");
    let gpu = own.deployment.gpu.clone();
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                let hardware = Hardware {
                    model: &mut own.deployment.model,
                    gpu: &mut own.deployment.gpu,
                    gpus_per_replica: &mut own.deployment.gpus_per_replica,
                    weights: &mut own.deployment.weights,
                    kv_cache: &mut own.deployment.kv_cache,
                };
                hardware_ui(ui, &deployment_form, hardware, session, view.catalog);
            }),
            Box::new(|ui: &mut Ui| {
                let most = &mut own.deployment.max_sequences;
                fleet_ui(ui, &deployment_form, &mut own.deployment.fleet, most);
            }),
            Box::new(|ui: &mut Ui| terms_ui(ui, &form.at("terms"), form, &mut own.terms, view, &gpu)),
        ],
    );
    memory_ui(ui, &own.deployment, view.catalog);
    served_ui(ui, outcome);
    section(ui, "Speed, speculation and storage", false, |ui| {
        let deployment = &mut own.deployment;
        let (preemption, prefill) = (&mut deployment.preemption, &mut deployment.prefill);
        columns(
            ui,
            FIELD,
            vec![
                Box::new(|ui: &mut Ui| {
                    speed_ui(
                        ui,
                        &deployment_form,
                        view.calibration.residual_p95(),
                        &mut deployment.engine,
                        &mut deployment.efficiency,
                    );
                }),
                Box::new(|ui: &mut Ui| {
                    deployment_form.quantity(ui, "memory_share", &mut deployment.memory_share);
                    deployment_form.quantity(ui, "capacity_factor", &mut deployment.capacity_factor);
                    speculative_ui(ui, &deployment_form, &mut deployment.speculative);
                }),
                Box::new(|ui: &mut Ui| {
                    form.quantity(ui, "storage_gb", &mut own.storage_gb);
                    form.quantity(ui, "storage_usd_per_gb_month", &mut own.storage_usd_per_gb_month);
                    simulated_ui(ui, &deployment_form, preemption, prefill);
                }),
            ],
        );
    });
}

/// Where the speed comes from: the calibrated model of an engine, whose error on unseen rows has a 95th percentile of
/// `p95` as a factor, or efficiencies that one states.
fn speed_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    p95: f64,
    engine: &mut Option<Engine>,
    stated: &mut Efficiency<Estimate>,
) {
    let mut options = vec![(None, "Efficiencies that I state".to_owned())];
    let served = Engine::ALL.iter().filter(|engine| **engine != Engine::LlamaCpp);
    options.extend(served.map(|engine| (Some(*engine), format!("Measurements of {}", engine.label()))));
    choice(ui, "Speed from", engine, &options);
    form.problems_of(ui, "engine");
    if let Some(engine) = engine {
        let (less, more) = (100.0 * (1.0 - 1.0 / p95), 100.0 * (p95 - 1.0));
        let text = format!(
            "Calibrated to published runs of {} and others; on GPUs and models that the fit had not seen, nine of ten \
             lie between {less:.0} % less and {more:.0} % more. The capacity correction beside carries that.",
            engine.label()
        );
        ui.add(Label::new(RichText::new(text).small().color(Theme::of(ui.ctx()).text_weak)).wrap());
        return;
    }
    let form = form.at("efficiency");
    form.quantity(ui, "prefill_mfu", &mut stated.prefill_mfu);
    form.quantity(ui, "decode_mbu", &mut stated.decode_mbu);
    form.quantity(ui, "step_overhead_secs", &mut stated.step_overhead_secs);
    form.quantity(ui, "all_reduce_secs", &mut stated.all_reduce_secs);
}

fn speculative_ui(ui: &mut Ui, form: &Form<'_>, speculative: &mut Option<Speculative<Estimate>>) {
    let mut on = speculative.is_some();
    if toggle(ui, "Speculative decoding", &mut on, "A small model drafts, the large one verifies").changed() {
        *speculative = on.then(|| Speculative {
            acceptance: fixed("speculative.acceptance"),
            draft_tokens: fixed("speculative.draft_tokens"),
            draft_cost_share: fixed("speculative.draft_cost_share"),
        });
    }
    let Some(speculative) = speculative else { return };
    let form = form.at("speculative");
    form.quantity(ui, "acceptance", &mut speculative.acceptance);
    form.quantity(ui, "draft_tokens", &mut speculative.draft_tokens);
    form.quantity(ui, "draft_cost_share", &mut speculative.draft_cost_share);
}

/// What runs where.
struct Hardware<'a> {
    model: &'a mut String,
    gpu: &'a mut String,
    gpus_per_replica: &'a mut u32,
    weights: &'a mut Precision,
    kv_cache: &'a mut Precision,
}

fn hardware_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    hardware: Hardware<'_>,
    session: &mut Session,
    catalog: &Catalog,
) {
    let Hardware { model, gpu, gpus_per_replica, weights, kv_cache } = hardware;
    let shown = catalog.model(model).map_or(model.clone(), |row| row.name.clone());
    let models = catalog.models.iter().map(|row| (row.id.as_str(), row.name.clone()));
    if let Some(id) = picker_ui(ui, "Model", &shown, session, models) {
        *model = id;
    }
    form.problems_of(ui, "model");
    let shown = catalog.gpu(gpu).map_or(gpu.clone(), |row| row.name.clone());
    let words = |row: &GpuSpec| format!("{} · {}", row.name, format::bytes(row.memory_bytes));
    let gpus = catalog.gpus.iter().map(|row| (row.id.as_str(), words(row)));
    if let Some(id) = picker_ui(ui, "GPU", &shown, session, gpus) {
        *gpu = id;
    }
    form.problems_of(ui, "gpu");
    ui.horizontal(|ui| {
        ui.label("GPUs per replica");
        whole(ui, "GPUs per replica", gpus_per_replica, 1..=72);
    });
    form.problems_of(ui, "gpus_per_replica");
    choice(ui, "Weights", weights, &precisions());
    choice(ui, "KV cache", kv_cache, &precisions());
}

fn precisions() -> [(Precision, String); 6] {
    [
        (Precision::Fp32, "FP32, 4 bytes".to_owned()),
        (Precision::Bf16, "BF16, 2 bytes".to_owned()),
        (Precision::Fp8, "FP8, 1 byte".to_owned()),
        (Precision::Int8, "INT8, 1 byte".to_owned()),
        (Precision::Int4, "INT4, half a byte and scales".to_owned()),
        (Precision::Fp4, "FP4, half a byte and scales".to_owned()),
    ]
}

fn fleet_ui(ui: &mut Ui, form: &Form<'_>, fleet: &mut Fleet<Estimate>, most_sequences: &mut u32) {
    let mut kind = match fleet.scaling {
        Scaling::Fixed(_) => 0,
        Scaling::Peak => 1,
        Scaling::Auto { .. } => 2,
    };
    let options = [
        (0, "A fixed number of replicas".to_owned()),
        (1, "For the peak, all week".to_owned()),
        (2, "Autoscale hour by hour".to_owned()),
    ];
    if choice(ui, "Replicas", &mut kind, &options) {
        fleet.scaling = match kind {
            0 => Scaling::Fixed(1),
            1 => Scaling::Peak,
            _ => Scaling::Auto { min: 1, max: 64, startup_minutes: 10 },
        };
    }
    let field = |ui: &mut Ui, label: &str, value: &mut u32, least: u32| {
        ui.horizontal(|ui| {
            ui.label(label);
            whole(ui, label, value, least..=10_000);
        });
    };
    match &mut fleet.scaling {
        Scaling::Fixed(count) => field(ui, "Number of replicas", count, 0),
        Scaling::Peak => {}
        Scaling::Auto { min, max, startup_minutes } => {
            field(ui, "Fewest", min, 0);
            field(ui, "Most", max, 1);
            field(ui, "Minutes to start", startup_minutes, 0);
        }
    }
    field(ui, "Spare replicas", &mut fleet.spare_replicas, 0);
    field(ui, "Most sequences at once", most_sequences, 1);
    form.at("fleet").quantity(ui, "headroom", &mut fleet.headroom);
}

fn terms_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    parent: &Form<'_>,
    terms: &mut CapacityTerms<Estimate>,
    view: &View<'_>,
    gpu: &str,
) {
    let mut kind = match terms {
        CapacityTerms::OnDemand(_) => 0,
        CapacityTerms::Reserved(_) => 1,
        CapacityTerms::Spot(_) => 2,
        CapacityTerms::Owned(_) => 3,
    };
    let options = [
        (0, "Rent on demand".to_owned()),
        (1, "Rent, reserved".to_owned()),
        (2, "Rent, spot".to_owned()),
        (3, "Own".to_owned()),
    ];
    if choice(ui, "GPUs are paid", &mut kind, &options) {
        *terms = terms_started(kind, view.catalog, gpu);
    }
    match terms {
        CapacityTerms::OnDemand(rate) => drop(parent.quantity(ui, "terms", rate)),
        CapacityTerms::Reserved(reserved) => {
            form.quantity(ui, "usd_per_gpu_hour", &mut reserved.usd_per_gpu_hour);
            ui.horizontal(|ui| {
                ui.label("Term in months");
                whole(ui, "Term in months", &mut reserved.term_months, 1..=120);
            });
        }
        CapacityTerms::Spot(spot) => {
            form.quantity(ui, "usd_per_gpu_hour", &mut spot.usd_per_gpu_hour);
            form.quantity(ui, "interruptions_per_day", &mut spot.interruptions_per_day);
            form.quantity(ui, "lost_minutes", &mut spot.lost_minutes);
            form.quantity(ui, "fallback_share", &mut spot.fallback_share);
            form.quantity(ui, "fallback_usd_per_gpu_hour", &mut spot.fallback_usd_per_gpu_hour);
        }
        CapacityTerms::Owned(owned) => owned_ui(ui, form, owned),
    }
    rates_ui(ui, view.catalog, gpu);
}

fn owned_ui(ui: &mut Ui, form: &Form<'_>, owned: &mut Owned<Estimate>) {
    form.quantity(ui, "usd_per_gpu", &mut owned.usd_per_gpu);
    form.quantity(ui, "years", &mut owned.years);
    form.quantity(ui, "residual_share", &mut owned.residual_share);
    form.quantity(ui, "capital_rate", &mut owned.capital_rate);
    form.quantity(ui, "usd_per_kwh", &mut owned.usd_per_kwh);
    form.quantity(ui, "pue", &mut owned.pue);
    form.quantity(ui, "watts_per_gpu", &mut owned.watts_per_gpu);
    form.quantity(ui, "idle_power_share", &mut owned.idle_power_share);
    form.quantity(ui, "colocation_usd_per_kw_month", &mut owned.colocation_usd_per_kw_month);
    form.quantity(ui, "maintenance_share_per_year", &mut owned.maintenance_share_per_year);
}

/// Terms of a kind at the median rate that the catalogue has for the GPU.
fn terms_started(kind: i32, catalog: &Catalog, gpu: &str) -> CapacityTerms<Estimate> {
    let median = |rate: fn(&crate::catalog::CloudRate) -> Option<f64>| {
        let mut rates: Vec<f64> = catalog.rates_of(gpu).filter_map(rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    };
    let start = |found: Option<f64>, path: &str| found.unwrap_or_else(|| describe(path).default);
    let demand = median(|rate| rate.on_demand_usd_per_gpu_hour);
    match kind {
        0 => CapacityTerms::OnDemand(Estimate::Fixed(start(demand, "serves.terms"))),
        1 => {
            let reserved = median(|rate| rate.reserved_1y_usd_per_gpu_hour);
            CapacityTerms::reserved(start(reserved, "terms.usd_per_gpu_hour"))
        }
        2 => {
            let spot = median(|rate| rate.spot_usd_per_gpu_hour);
            let fallback = start(demand, "terms.fallback_usd_per_gpu_hour");
            CapacityTerms::spot(start(spot, "terms.usd_per_gpu_hour"), fallback)
        }
        _ => CapacityTerms::owned(describe("terms.usd_per_gpu").default),
    }
}

/// The span of rates that the catalogue knows for the GPU.
fn rates_ui(ui: &mut Ui, catalog: &Catalog, gpu: &str) {
    let theme = Theme::of(ui.ctx());
    let rates: Vec<f64> = catalog.rates_of(gpu).filter_map(|rate| rate.on_demand_usd_per_gpu_hour).collect();
    let (low, high) =
        rates.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &rate| (low.min(rate), high.max(rate)));
    let text = if rates.is_empty() {
        "The catalogue has no cloud rate for this GPU".to_owned()
    } else {
        format!("Catalogue, on demand: {} an hour, {} offers", format::usd_range(low, high), rates.len())
    };
    ui.add(Label::new(RichText::new(text).small().color(theme.text_weak)).wrap());
}

/// The memory of one replica as a bar: weights, working memory, room for KV; or by how much it does not fit.
fn memory_ui(ui: &mut Ui, deployment: &Deployment<Estimate>, catalog: &Catalog) {
    let theme = Theme::of(ui.ctx());
    let (Ok(model), Ok(gpu)) = (catalog.model(&deployment.model), catalog.gpu(&deployment.gpu)) else {
        return;
    };
    let point = deployment.instantiate(&mut Estimate::point);
    let all = gpu.memory_bytes * f64::from(deployment.gpus_per_replica);
    let width = ui.available_width().min(760.0);
    match Speed::prepare(&ModelFacts::from_spec(model), &GpuFacts::from_spec(gpu), &point) {
        Ok(speed) => {
            let found = speed.memory();
            let (rect, _) = ui.allocate_exact_size(vec2(width, 36.0), Sense::hover());
            let bar = Rect::from_min_size(rect.min, vec2(width, 16.0));
            let scale = Scale::new(0.0, all, bar.left(), bar.right());
            let kept = (all - found.usable_bytes).max(0.0);
            let parts = [
                ("weights", found.weights_bytes, theme.accent.gamma_multiply(0.9)),
                ("activations", found.activation_bytes, theme.accent.gamma_multiply(0.6)),
                ("KV cache", found.kv_budget_bytes, theme.accent.gamma_multiply(0.3)),
                ("left free", kept, theme.sunken),
            ];
            let mut sum = 0.0;
            let mut text_from = bar.left();
            for (name, bytes, color) in parts {
                let (left, right) = (scale.x(sum), scale.x(sum + bytes));
                let part =
                    Rect::from_min_max(pos2(left, bar.top()), pos2((right - 1.0).max(left), bar.bottom()));
                ui.painter().rect_filled(part, CornerRadius::same(2), color);
                let text = format!("{name} {}", format::bytes(bytes));
                let at = pos2(left.max(text_from), bar.bottom() + 3.0);
                let room = bar.right() - at.x;
                let used = text_ui(ui, at, Align2::LEFT_TOP, &text, &TextStyle::Small, theme.text_weak, room);
                text_from = used.right() + 12.0;
                sum += bytes;
            }
            let tokens = format!(
                "Memory of one replica, {}. Room for {} tokens of KV at once.",
                format::bytes(all),
                format::count(found.kv_tokens.round())
            );
            ui.label(RichText::new(tokens).small().color(theme.text_weak));
        }
        Err(error) => {
            let short =
                error.sizes().map(|(need, have)| format!(" ({} too much)", format::bytes(need - have)));
            let text = format!("⊗ {error}{}", short.unwrap_or_default());
            ui.add(Label::new(RichText::new(text).color(theme.violation)).wrap());
        }
    }
    ui.add_space(space::XS);
}

/// What the deployment does, as far as it is computed.
fn served_ui(ui: &mut Ui, outcome: Option<&EndpointOutcome>) {
    let theme = Theme::of(ui.ctx());
    let Some(deployment) = outcome.and_then(|endpoint| endpoint.deployment.as_ref()) else { return };
    let text = format!(
        "{} replicas at the peak, {} busy on average and {} at the peak. Full, a replica runs {} sequences at once, bound \
         by {}: {} prefill, {} per output token. {} per million tokens served.",
        format::significant(deployment.peak_replicas, 3),
        format::percent(deployment.mean_utilisation),
        format::percent(deployment.peak_utilisation),
        format::significant(deployment.batch, 2),
        deployment.limited_by,
        format::secs(deployment.prefill_secs),
        format::secs(deployment.tpot_secs),
        money(ui.ctx()).show(deployment.usd_per_mtok)
    );
    ui.add(Label::new(RichText::new(text).color(theme.text)).wrap());
    ui.add_space(space::XS);
}
