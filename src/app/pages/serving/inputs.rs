//! What is asked: model, GPUs, formats, parallelism, lengths, targets and price, each with what is wrong about it.

use eframe::egui::{
    Button, DragValue, Label, Response, RichText, Slider, SliderClamping, TextEdit, Ui, vec2,
};

use super::plan;
use super::state::{Chosen, Computed, Inputs, ServingState, Trouble};
use crate::analysis::Severity;
use crate::analysis::perf::{AskError, native};
use crate::app::action::Action;
use crate::app::pages::Page;
use crate::app::pages::endpoint::picker_ui;
use crate::app::theme::{Theme, severity_sign, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{choice, number, section, toggle, whole};
use crate::scenario::ScenarioDraft;
use crate::serving::{Engine, GgufMix, PerfError, Precision, WeightFormat};
use crate::unit::format::Unit;

/// Where on the page something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Model,
    Gpu,
    Gpus,
    Parallel,
    Lengths,
    Drafts,
    Load,
}

/// Width of the caption of a row, in points.
const CAPTION: f32 = 128.0;

/// Formats that engines of servers load.
const FORMATS: [WeightFormat; 8] = [
    WeightFormat::Bf16,
    WeightFormat::Fp8,
    WeightFormat::Int8,
    WeightFormat::Nvfp4,
    WeightFormat::Mxfp4,
    WeightFormat::Int4,
    WeightFormat::Fp16,
    WeightFormat::Fp32,
];

/// The usual mixes of GGUF files.
const MIXES: [GgufMix; 8] = [
    GgufMix::Q8_0,
    GgufMix::Q6_K,
    GgufMix::Q5_K_M,
    GgufMix::Q4_K_M,
    GgufMix::Q4_0,
    GgufMix::IQ4_XS,
    GgufMix::Q3_K_M,
    GgufMix::Q2_K,
];

/// Formats of the KV cache that engines offer.
const KV_FORMATS: [Precision; 4] = [Precision::Bf16, Precision::Fp8, Precision::Int8, Precision::Int4];

fn place(trouble: &Trouble) -> Place {
    match trouble {
        Trouble::Model(_) => Place::Model,
        Trouble::Gpu(_) => Place::Gpu,
        Trouble::Ask(error, _) => match error {
            AskError::Perf(PerfError::DataSheet { .. }) => Place::Gpu,
            AskError::Perf(PerfError::DoesNotFit { .. }) | AskError::NoRoom { .. } => Place::Gpus,
            AskError::Perf(_) | AskError::Degrees { .. } => Place::Parallel,
            AskError::Context { .. } => Place::Lengths,
            AskError::Number { what, .. } => match *what {
                "the number of GPUs" => Place::Gpus,
                "pipeline parallelism" | "data parallelism" => Place::Parallel,
                "the drafted tokens" | "the acceptance" => Place::Drafts,
                "the concurrency" | "the rate" | "the TPOT target" => Place::Load,
                _ => Place::Lengths,
            },
        },
    }
}

/// Draws every input; `draft` is what "Use in plan" writes to.
pub fn ui(
    ui: &mut Ui,
    draft: &mut ScenarioDraft,
    session: &mut Session,
    state: &mut ServingState,
    computed: &Computed,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let trouble = computed.result.as_ref().err();
    section(ui, "Model", true, |ui| model_ui(ui, session, state, computed, view, out));
    section(ui, "GPUs", true, |ui| gpus_ui(ui, session, &mut state.inputs, trouble, view));
    section(ui, "Calls", true, |ui| calls_ui(ui, &mut state.inputs, trouble));
    section(ui, "Targets and price", true, |ui| targets_ui(ui, &mut state.inputs, computed, trouble));
    section(ui, "Use in a plan", true, |ui| plan_ui(ui, draft, state, computed, out));
}

fn model_ui(
    ui: &mut Ui,
    session: &mut Session,
    state: &mut ServingState,
    computed: &Computed,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let shown = computed.model.as_ref().map_or_else(|| "Choose…".to_owned(), |m| m.name.clone());
    let options = view.catalog.models.iter().map(|row| (row.id.as_str(), row.name.clone()));
    if let Some(id) = picker_ui(ui, "Model", &shown, session, options) {
        state.inputs.model = Chosen::Catalogue(id);
        (state.inputs.weights, state.inputs.users) = (None, None);
    }
    trouble_ui(ui, computed.result.as_ref().err(), Place::Model);
    if let Some(model) = &computed.model {
        weights_ui(ui, &mut state.inputs, native(model).label());
    }
    let kv: Vec<_> = KV_FORMATS.iter().map(|kv| (*kv, kv.label().to_owned())).collect();
    if state.inputs.engine != Engine::LlamaCpp {
        choice(ui, "KV cache", &mut state.inputs.kv, &kv);
    }
    config_ui(ui, state, view, out);
}

fn weights_ui(ui: &mut Ui, inputs: &mut Inputs, published: &str) {
    let mut options = vec![(None, format!("As published ({published})"))];
    let server = FORMATS.into_iter().map(|format| (Some(format), format.label().to_owned()));
    let mixes = MIXES.into_iter().map(WeightFormat::Gguf);
    let mixes = mixes.map(|format| (Some(format), format!("GGUF {}", format.label())));
    if inputs.engine == Engine::LlamaCpp {
        options.extend(mixes.chain(server));
    } else {
        options.extend(server.chain(mixes));
    }
    choice(ui, "Weights", &mut inputs.weights, &options);
}

/// A model that the catalogue lacks: its `config.json`, by path or dropped on the window.
fn config_ui(ui: &mut Ui, state: &mut ServingState, view: &View<'_>, out: &mut Outbox) {
    let theme = Theme::of(ui.ctx());
    let caption = "Or a config.json of Hugging Face (type its path, or drop it here)";
    ui.label(RichText::new(caption).small().color(theme.text_weak));
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 60.0).max(80.0);
        let field =
            TextEdit::singleline(&mut state.config_path).hint_text("…/config.json").desired_width(width);
        let field = ui.add(field);
        label(ui, &field, "Path of a config.json");
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(eframe::egui::Key::Enter));
        let ready = !state.config_path.trim().is_empty();
        let read = ui.add_enabled(ready, Button::new("Read"));
        label(ui, &read, "Read the config.json");
        if ready && (read.clicked() || entered) {
            out.send(Action::ReadConfig(state.config_path.trim().into()));
        }
    });
    let Some(read) = &view.errands.readings.config else { return };
    match &read.result {
        Err(why) => problem(ui, why),
        Ok(spec) if matches!(&state.inputs.model, Chosen::Config(chosen) if chosen == spec) => {
            ui.add(Label::new(RichText::new(&spec.notes).small().color(theme.text_weak)).wrap());
        }
        Ok(_) => {}
    }
}

fn gpus_ui(
    ui: &mut Ui,
    session: &mut Session,
    inputs: &mut Inputs,
    trouble: Option<&Trouble>,
    view: &View<'_>,
) {
    let shown = view.catalog.gpu(&inputs.gpu).map_or_else(|_| inputs.gpu.clone(), |gpu| gpu.name.clone());
    let options = view.catalog.gpus.iter().map(|row| (row.id.as_str(), row.name.clone()));
    if let Some(id) = picker_ui(ui, "GPU", &shown, session, options) {
        inputs.gpu = id;
        (inputs.usd_per_gpu_hour, inputs.users) = (None, None);
    }
    trouble_ui(ui, trouble, Place::Gpu);
    row(ui, "GPUs of a replica", |ui| {
        let before = inputs.gpus;
        let field = whole(ui, "GPUs of a replica", &mut inputs.gpus, 1..=4096);
        let fewer = ui.small_button("½").on_hover_text("Half as many");
        label(ui, &fewer, "Half the GPUs");
        let more = ui.small_button("2×").on_hover_text("Twice as many");
        label(ui, &more, "Twice the GPUs");
        if fewer.clicked() {
            inputs.gpus = (inputs.gpus / 2).max(1);
        }
        if more.clicked() {
            inputs.gpus = (inputs.gpus * 2).min(4096);
        }
        if before != inputs.gpus {
            (inputs.tensor, inputs.users) = (None, None);
        }
        field
    });
    trouble_ui(ui, trouble, Place::Gpus);
    let engines: Vec<_> = Engine::ALL.iter().map(|engine| (*engine, engine.label().to_owned())).collect();
    choice(ui, "Engine", &mut inputs.engine, &engines);
    if inputs.engine == Engine::LlamaCpp {
        note(ui, "One stream at a time; layers are spread over the cards, KV is 16 bit.");
        return;
    }
    engine_ui(ui, inputs);
    parallel_ui(ui, inputs, trouble, view);
}

/// How old the engine is, and what it may take.
fn engine_ui(ui: &mut Ui, inputs: &mut Inputs) {
    row(ui, "Year of software", |ui| {
        let name = "Year of the engine's software";
        let drag = DragValue::new(&mut inputs.year).range(2023.0..=2030.0).speed(0.05).max_decimals(1);
        let response = ui.add(drag);
        label(ui, &response, name);
        response
    })
    .on_hover_text("Overheads shrink as engines mature; 2026.2 is what the calibration calls today");
    row(ui, "Memory share", |ui| number(ui, "Memory share", &mut inputs.memory_share, Unit::Percent))
        .on_hover_text("Of each GPU's memory, what the engine may use; vLLM's default is 90 %");
    inputs.memory_share = inputs.memory_share.clamp(0.05, 1.0);
    row(ui, "Sequences at once", |ui| whole(ui, "Sequences at once", &mut inputs.max_sequences, 0..=8192))
        .on_hover_text("Most that run together on the replica; 0 is the engine's usual");
}

fn parallel_ui(ui: &mut Ui, inputs: &mut Inputs, trouble: Option<&Trouble>, view: &View<'_>) {
    let others = (inputs.pipeline * inputs.data).max(1);
    let mut tensor = inputs.tensor.unwrap_or(inputs.gpus / others);
    let before = tensor;
    row(ui, "Tensor parallel", |ui| whole(ui, "Tensor parallel", &mut tensor, 1..=4096));
    if tensor != before {
        inputs.tensor = Some(tensor);
    }
    row(ui, "Pipeline parallel", |ui| whole(ui, "Pipeline parallel", &mut inputs.pipeline, 1..=256));
    row(ui, "Data parallel", |ui| whole(ui, "Data parallel", &mut inputs.data, 1..=1024));
    let mixture = inputs.model(view.catalog).is_some_and(|model| model.moe.is_some());
    if mixture {
        let help = "Whole experts on each GPU instead of slices of all of them";
        toggle(ui, "Expert parallel", &mut inputs.expert, help);
    } else {
        inputs.expert = false;
    }
    let tensor = inputs.tensor.unwrap_or(inputs.gpus / (inputs.pipeline * inputs.data).max(1));
    if tensor * inputs.pipeline * inputs.data != inputs.gpus && inputs.tensor.is_some() {
        let gpus = tensor * inputs.pipeline * inputs.data;
        if ui.small_button(format!("Use {gpus} GPUs, as these multiply to")).clicked() {
            inputs.gpus = gpus;
        }
    }
    trouble_ui(ui, trouble, Place::Parallel);
}

fn calls_ui(ui: &mut Ui, inputs: &mut Inputs, trouble: Option<&Trouble>) {
    log_ui(ui, "Prompt", &mut inputs.prompt_tokens, (1.0, 131_072.0), Unit::Tokens);
    log_ui(ui, "Output", &mut inputs.output_tokens, (1.0, 32_768.0), Unit::Tokens);
    trouble_ui(ui, trouble, Place::Lengths);
    row(ui, "Prefix hit", |ui| number(ui, "Prefix hit", &mut inputs.prefix_hit, Unit::Percent));
    inputs.prefix_hit = inputs.prefix_hit.clamp(0.0, 1.0);
    if inputs.engine != Engine::LlamaCpp {
        row(ui, "Drafted tokens", |ui| whole(ui, "Drafted tokens", &mut inputs.drafted, 0..=16))
            .on_hover_text("Speculative decoding or multi-token prediction; 0 is none");
        if inputs.drafted > 0 {
            row(ui, "Accepted", |ui| number(ui, "Accepted share", &mut inputs.acceptance, Unit::Percent));
            inputs.acceptance = inputs.acceptance.clamp(0.0, 1.0);
        }
    }
    trouble_ui(ui, trouble, Place::Drafts);
}

fn targets_ui(ui: &mut Ui, inputs: &mut Inputs, computed: &Computed, trouble: Option<&Trouble>) {
    if inputs.engine != Engine::LlamaCpp {
        log_ui(ui, "First token within", &mut inputs.targets.ttft_secs, (0.02, 120.0), Unit::Secs);
        log_ui(ui, "Each token within", &mut inputs.targets.tpot_secs, (0.001, 2.0), Unit::Secs);
        note(ui, "In the mean, at steady load.");
    }
    trouble_ui(ui, trouble, Place::Load);
    let known = computed.price.as_ref().map(|price| price.usd_per_gpu_hour);
    let mut usd = known.unwrap_or(0.0);
    let before = usd;
    row(ui, "A GPU hour", |ui| number(ui, "US dollars per GPU hour", &mut usd, Unit::UsdPerHour));
    if usd != before && usd.is_finite() && usd >= 0.0 {
        inputs.usd_per_gpu_hour = Some(usd);
    }
    match &computed.price {
        Some(price) => note(ui, &format!("{}.", price.source)),
        None => note(ui, "The catalogue has no on-demand rate of this GPU; type one."),
    }
    if inputs.usd_per_gpu_hour.is_some() && ui.small_button("Rate of the catalogue").clicked() {
        inputs.usd_per_gpu_hour = None;
    }
}

fn plan_ui(
    ui: &mut Ui,
    draft: &mut ScenarioDraft,
    state: &mut ServingState,
    computed: &Computed,
    out: &mut Outbox,
) {
    let targets = plan::targets(draft);
    let Some(first) = targets.first() else {
        note(ui, "No plan has own GPUs yet. Add one on the page Plans.");
        if ui.button("Go to the plans").clicked() {
            out.send(Action::Go(Page::Plans));
        }
        return;
    };
    let (Some(model), Ok(_)) = (&computed.model, &computed.result) else {
        note(ui, "What cannot be served is not written to a plan.");
        return;
    };
    if let Some(why) = plan::refusal(&state.inputs, model) {
        problem(ui, &why);
        return;
    }
    let id = |target: &plan::Target| Some((target.plan.clone(), target.endpoint.clone()));
    let mut target = targets.iter().find(|target| id(target) == state.target).unwrap_or(first).clone();
    let options: Vec<_> = targets.iter().map(|target| (target.clone(), target.name.clone())).collect();
    if choice(ui, "Plan to write to", &mut target, &options) {
        state.target = id(&target);
    }
    let hint = "Writes model, GPUs, parallelism, engine, memory, formats and drafting; Undo takes it back";
    if ui.button("Use in plan").on_hover_text(hint).clicked() {
        plan::use_in(draft, &target, state, computed);
    }
    if let Some((_, name)) = state.written.as_ref().filter(|(inputs, _)| *inputs == state.inputs) {
        let text = format!("Written to “{name}”; Undo takes it back.");
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(text).small().color(Theme::of(ui.ctx()).good));
            if ui.link("Show the plan").clicked() {
                out.send(Action::GoPlan(target.plan.clone()));
            }
        });
    }
    note(ui, "A plan does not hold:");
    for lost in plan::not_held() {
        note(ui, &format!("• {lost}"));
    }
}

/// A caption and its control, on one line.
fn row(ui: &mut Ui, caption: &str, control: impl FnOnce(&mut Ui) -> Response) -> Response {
    ui.horizontal(|ui| {
        let color = Theme::of(ui.ctx()).text;
        ui.allocate_ui(vec2(CAPTION, 22.0), |ui| {
            ui.set_min_width(CAPTION);
            ui.add(Label::new(RichText::new(caption).color(color)).truncate());
        });
        control(ui)
    })
    .inner
}

/// A number with a logarithmic slider below it.
pub(super) fn log_ui(ui: &mut Ui, caption: &str, value: &mut f64, (low, high): (f64, f64), unit: Unit) {
    row(ui, caption, |ui| number(ui, caption, value, unit));
    let before = *value;
    let mut point = *value;
    ui.spacing_mut().slider_width = ui.available_width();
    let slider = Slider::new(&mut point, low..=high)
        .show_value(false)
        .logarithmic(true)
        .smallest_positive(low)
        .clamping(SliderClamping::Edits)
        .trailing_fill(true);
    let response = ui.add_sized(vec2(ui.available_width(), 16.0), slider);
    label(ui, &response, caption);
    if point != before {
        *value = if high > 1000.0 { point.round() } else { rounded(point) };
    }
    if !value.is_finite() || *value <= 0.0 {
        *value = before.max(low);
    }
}

/// Two digits: what a slider of a duration is set to.
fn rounded(value: f64) -> f64 {
    let scale = 10f64.powf(value.abs().max(1e-12).log10().floor() - 1.0);
    (value / scale).round() * scale
}

/// Gives a control its spoken label.
pub(super) fn label(ui: &Ui, response: &Response, text: &str) {
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(text.to_owned()));
}

fn note(ui: &mut Ui, text: &str) {
    let color = Theme::of(ui.ctx()).text_weak;
    ui.add(Label::new(RichText::new(text).small().color(color)).wrap());
}

fn problem(ui: &mut Ui, text: &str) {
    let color = Theme::of(ui.ctx()).severity(Severity::Error);
    let short = format!("{} {}", severity_sign(Severity::Error), shortened(text));
    ui.add(Label::new(RichText::new(short).small().color(color)).wrap()).on_hover_text(text);
}

/// The first sentence of a long message; all of it is said under the pointer.
fn shortened(text: &str) -> String {
    const LONG: usize = 240;
    if text.chars().count() <= LONG {
        return text.to_owned();
    }
    match text.split_once(". ") {
        Some((first, _)) if first.chars().count() <= LONG => format!("{first}…"),
        _ => format!("{}…", text.chars().take(LONG).collect::<String>()),
    }
}

/// What is wrong, if it is wrong here.
fn trouble_ui(ui: &mut Ui, trouble: Option<&Trouble>, here: Place) {
    if let Some(trouble) = trouble.filter(|trouble| place(trouble) == here) {
        problem(ui, &trouble.text());
        ui.add_space(space::XS);
    }
}

/// Users as a whole number, at least one.
pub(super) fn whole_users(users: f64) -> f64 {
    if users.is_finite() { users.round().clamp(1.0, 1e6) } else { 1.0 }
}
