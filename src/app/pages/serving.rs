//! What a model on GPUs really serves: whether it fits, how fast, to how many, at what price, and what limits it.
//!
//! The inputs belong to the session, not to the document; "Use in plan" writes what a plan can hold into its
//! deployment. Begin with [`state::Inputs`]; [`words`] has the sentence and the formulas.

mod inputs;
pub mod plan;
pub mod state;
pub mod words;

use std::sync::Arc;

use eframe::egui::{
    Frame, Label, Margin, RichText, ScrollArea, Slider, SliderClamping, TextWrapMode, Ui, vec2,
};

use self::state::{Computed, ServingState, Trouble};
use crate::analysis::Severity;
use crate::analysis::perf::AskError;
use crate::analysis::serving_curve::{Binding, Curve};
use crate::app::action::Action;
use crate::app::pages::Page;
use crate::app::plots::concurrency::{ConcurrencyPlot, CurveLine, concurrency_plot_ui};
use crate::app::plots::memory::{MemoryBar, Part, memory_bar_ui};
use crate::app::plots::roofline::roofline_plot_ui;
use crate::app::theme::{Theme, severity_sign, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{Figure, columns, figure_ui, heading, number, section, sentence, why_ui};
use crate::scenario::ScenarioDraft;
use crate::serving::PerfError;
use crate::unit::format::{self, Unit};

/// Least width of a plot; two stand side by side from twice this on, never more.
const PLOT: f32 = 330.0;

/// Below this width, in points, the inputs stand on the page: the inspector is a drawer.
const NARROW: f32 = 1000.0;

/// What begins the name of a figure that *Why?* may be asked of.
const WHY: &str = "serving.";

/// Draws the page.
pub fn ui(ui: &mut Ui, draft: &mut ScenarioDraft, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let mut state = std::mem::take(&mut session.serving);
    take_config(&mut state, view);
    let computed = state.computed(view.catalog, view.calibration);
    sentence(ui, &words::answer(&computed));
    ui.add_space(space::S);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if ui.ctx().content_rect().width() < NARROW {
            why_section_ui(ui, session, &computed);
            section(ui, "Inputs", false, |ui| {
                inputs::ui(ui, draft, session, &mut state, &computed, view, out);
            });
        }
        match &computed.result {
            Ok(curve) => answer_ui(ui, session, &mut state, &computed, curve),
            Err(trouble) => trouble_ui(ui, &mut state, &computed, trouble),
        }
        trust_ui(ui, out);
    });
    session.serving = state;
}

/// Draws the inputs and the explanation of the last figure that was clicked.
pub fn inspector_ui(
    ui: &mut Ui,
    draft: &mut ScenarioDraft,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let mut state = std::mem::take(&mut session.serving);
    take_config(&mut state, view);
    let computed = state.computed(view.catalog, view.calibration);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        why_section_ui(ui, session, &computed);
        inputs::ui(ui, draft, session, &mut state, &computed, view, out);
    });
    session.serving = state;
}

fn take_config(state: &mut ServingState, view: &View<'_>) {
    if let Some(read) = &view.errands.readings.config {
        state.take_config(read.counted, &read.path, read.result.as_ref().ok());
    }
}

fn why_section_ui(ui: &mut Ui, session: &mut Session, computed: &Computed) {
    let which = session.why.as_deref().and_then(|why| why.strip_prefix(WHY));
    let Some(why) = which.and_then(|which| words::why(which, computed)) else { return };
    section(ui, "Why?", true, |ui| {
        why_ui(ui, &why);
        ui.add_space(space::S);
        if ui.small_button("Close").clicked() {
            session.why = None;
        }
    });
}

fn answer_ui(
    ui: &mut Ui,
    session: &mut Session,
    state: &mut ServingState,
    computed: &Arc<Computed>,
    curve: &Curve,
) {
    figures_ui(ui, session, computed, curve);
    ui.add_space(space::M);
    memory_ui(ui, session, computed, curve);
    if curve.binding == Binding::OneStream {
        heading(ui, "Roofline", |ui| why_button(ui, session, "roofline"));
        roofline_plot_ui(ui, &curve.roofline, 2.0 * plot_height(ui));
        return;
    }
    ui.add_space(space::S);
    users_ui(ui, state, curve);
    ui.add_space(space::S);
    plots_ui(ui, session, state, computed, curve);
}

fn figures_ui(ui: &mut Ui, session: &mut Session, computed: &Computed, curve: &Curve) {
    let at = &curve.at;
    let (low, high) = at.output_tokens_per_sec_band;
    let band = format!("80 %: {} – {}", format::significant(low, 2), format::significant(high, 2));
    let mut figures = vec![
        ("throughput", "Replica, tokens/s", number_of(at.output_tokens_per_sec), band),
        ("per_gpu", "Each GPU, tokens/s", number_of(at.output_tokens_per_sec_per_gpu), of_gpus(at.gpus)),
        ("ttft", "First token after", format::secs(at.ttft_secs), "in the mean".to_owned()),
        ("tpot", "Then a token every", format::secs(at.tpot_secs), per_user(at.tpot_secs)),
    ];
    if let Some(usd) = computed.usd_per_mtok(at.output_tokens_per_sec) {
        let hour = computed.price.as_ref().map_or(0.0, |price| price.usd_per_gpu_hour);
        let note = format!("at {} a GPU hour", format::usd(hour));
        figures.push(("price", "Million output tokens", format::usd(usd), note));
    }
    if curve.binding != Binding::OneStream {
        let most = words::users(curve.users_most);
        figures.insert(2, ("users", "Users within targets", most, short_limit(curve.binding).to_owned()));
    }
    let per_row = if ui.available_width() >= 720.0 { figures.len() } else { 3 };
    let width = (ui.available_width() / per_row as f32 - space::S).min(190.0);
    let mut figure_uis = |ui: &mut Ui, row: Vec<(&'static str, &'static str, String, String)>| {
        for (which, caption, value, interval) in row {
            ui.allocate_ui(vec2(width, 56.0), |ui| {
                ui.set_width(width);
                ui.style_mut().wrap_mode = Some(TextWrapMode::Truncate);
                let figure = Figure { caption, value, interval };
                if figure_ui(ui, &figure).clicked() {
                    session.why = Some(format!("{WHY}{which}"));
                }
            });
        }
    };
    let mut rest = figures;
    while !rest.is_empty() {
        let row: Vec<_> = rest.drain(..per_row.min(rest.len())).collect();
        ui.horizontal_top(|ui| figure_uis(ui, row));
    }
}

/// Three digits without a unit: the caption has it.
fn number_of(value: f64) -> String {
    words::rate(value).trim_end_matches(" tokens/s").to_owned()
}

fn of_gpus(gpus: u32) -> String {
    if gpus == 1 { "the only one".to_owned() } else { format!("of {gpus}") }
}

fn per_user(tpot_secs: f64) -> String {
    format!("{}/s for a user", format::significant(1.0 / tpot_secs.max(1e-9), 3))
}

/// What binds, in the few words that stand beside a line.
const fn short_limit(binding: Binding) -> &'static str {
    match binding {
        Binding::Tpot => "time per token binds",
        Binding::Ttft => "first token binds",
        Binding::Memory => "KV memory is full",
        Binding::Sequences => "limit of the engine",
        Binding::TpotOutOfReach | Binding::TtftOutOfReach => "target out of reach",
        Binding::OneStream => "one stream",
    }
}

fn memory_ui(ui: &mut Ui, session: &mut Session, computed: &Computed, curve: &Curve) {
    heading(ui, "Memory of the replica", |ui| why_button(ui, session, "memory"));
    let bar = memory_bar(computed, curve).or_else(|| stream_bar(computed));
    if bar.is_some_and(|bar| memory_bar_ui(ui, &bar).clicked()) {
        session.why = Some(format!("{WHY}memory"));
    }
}

/// The bar of one stream: weights and the KV of its longest context.
fn stream_bar(computed: &Computed) -> Option<MemoryBar> {
    let (weights, kv) = words::stream_bytes(computed)?;
    let all_bytes = computed.gpu.as_ref()?.memory_bytes * f64::from(computed.inputs.gpus);
    let part = |name, bytes, strength| Part { name, bytes, strength };
    let free = (all_bytes - weights - kv).max(0.0);
    let parts = vec![part("Weights", weights, 0.9), part("KV", kv, 0.32), part("Free", free, 0.0)];
    Some(MemoryBar { parts, usable_bytes: all_bytes, all_bytes })
}

fn memory_bar(computed: &Computed, curve: &Curve) -> Option<MemoryBar> {
    let memory = curve.at.memory?;
    let running = curve.at.served.map_or(0.0, |served| served.running);
    let used = words::kv_used(&computed.inputs, &memory, running).min(memory.kv_bytes);
    let part = |name, bytes, strength| Part { name, bytes, strength };
    Some(MemoryBar {
        parts: vec![
            part("Weights", memory.weights_bytes, 0.9),
            part("Working", memory.working_bytes, 0.55),
            part("KV in use", used, 0.32),
            part("Free for KV", memory.kv_bytes - used, 0.0),
        ],
        usable_bytes: memory.usable_bytes,
        all_bytes: computed.gpu.as_ref()?.memory_bytes * f64::from(computed.inputs.gpus),
    })
}

/// A link that asks why, where there is no figure to click.
fn why_button(ui: &mut Ui, session: &mut Session, which: &str) {
    let link = ui.link(RichText::new("Why?").small());
    inputs::label(ui, &link, &format!("Why {which}"));
    if link.clicked() {
        session.why = Some(format!("{WHY}{which}"));
    }
}

/// How many users at once: the slider under the curves, and the way back to the most that keep the targets.
fn users_ui(ui: &mut Ui, state: &mut ServingState, curve: &Curve) {
    let theme = Theme::of(ui.ctx());
    ui.horizontal(|ui| {
        ui.label(RichText::new("Users at once").color(theme.text_strong));
        let mut users = curve.users;
        number(ui, "Number of users at once", &mut users, Unit::Count);
        if users != curve.users {
            state.inputs.users = Some(inputs::whole_users(users));
        }
        let high = curve.points.last().map_or(8.0, |point| point.users).max(8.0);
        let following = state.inputs.users.is_none();
        let button = if following { 0.0 } else { 190.0 };
        ui.spacing_mut().slider_width = (ui.available_width() - button).max(80.0);
        let mut point = curve.users;
        let slider = Slider::new(&mut point, 1.0..=high)
            .show_value(false)
            .logarithmic(true)
            .clamping(SliderClamping::Edits)
            .trailing_fill(true);
        let response = ui.add(slider);
        inputs::label(ui, &response, "Users at once");
        if response.double_clicked() {
            state.inputs.users = None;
        } else if point != curve.users {
            state.inputs.users = Some(inputs::whole_users(point));
        }
        if !following && ui.button("Most within the targets").clicked() {
            state.inputs.users = None;
        }
    });
}

fn plot_height(ui: &Ui) -> f32 {
    (0.5 * (ui.ctx().content_rect().height() - 500.0)).clamp(170.0, 420.0)
}

fn plots_ui(
    ui: &mut Ui,
    session: &mut Session,
    state: &mut ServingState,
    computed: &Computed,
    curve: &Curve,
) {
    let height = plot_height(ui);
    let lines = &computed.lines;
    let session = std::cell::RefCell::new(session);
    let touched = std::cell::Cell::new(None);
    let reachable = !matches!(curve.binding, Binding::TpotOutOfReach | Binding::TtftOutOfReach);
    let binding = reachable.then(|| (curve.users_most, short_limit(curve.binding)));
    let show = |ui: &mut Ui, plot: &ConcurrencyPlot<'_>| {
        if let Some(users) = concurrency_plot_ui(ui, plot) {
            touched.set(Some(users));
        }
    };
    let throughput = |ui: &mut Ui| {
        heading(ui, "Throughput", |ui| why_button(ui, &mut session.borrow_mut(), "throughput"));
        let both = [line("replica", &lines.tokens, 0), line("per GPU", &lines.tokens_per_gpu, 1)];
        let curves = if computed.inputs.gpus > 1 { &both[..] } else { &both[..1] };
        show(ui, &plot("Throughput", height, curves, &[], binding, curve.users, words::rate, "tokens/s"));
    };
    let latency = |ui: &mut Ui| {
        heading(ui, "Latency", |ui| why_button(ui, &mut session.borrow_mut(), "ttft"));
        let curves = [line("first token", &lines.ttft, 2), line("each token", &lines.tpot, 3)];
        let targets = computed.inputs.targets;
        let targets = [(targets.ttft_secs, "first token within"), (targets.tpot_secs, "each token within")];
        show(ui, &plot("Latency", height, &curves, &targets, binding, curve.users, format::secs, "time"));
    };
    let price = |ui: &mut Ui| {
        heading(ui, "Price of a million output tokens", |ui| {
            why_button(ui, &mut session.borrow_mut(), "price");
        });
        if lines.usd.is_empty() {
            let text = "No price of a GPU hour is known; type one beside the page.";
            ui.label(RichText::new(text).color(Theme::of(ui.ctx()).text_weak));
            return;
        }
        let curves = [line("$ per million", &lines.usd, 4)];
        show(ui, &plot("Price", height, &curves, &[], binding, curve.users, format::usd, "US dollars"));
    };
    let roofline = |ui: &mut Ui| {
        heading(ui, "Roofline", |ui| why_button(ui, &mut session.borrow_mut(), "roofline"));
        roofline_plot_ui(ui, &curve.roofline, height);
    };
    // Column by column: throughput over price, latency over roofline.
    let least = PLOT.max(ui.available_width() / 2.5);
    columns(ui, least, vec![Box::new(throughput), Box::new(price), Box::new(latency), Box::new(roofline)]);
    if let Some(users) = touched.get() {
        state.inputs.users = Some(inputs::whole_users(users));
    }
}

fn line<'a>(name: &'a str, points: &'a [egui_plot::PlotPoint], color: usize) -> CurveLine<'a> {
    CurveLine { name, points, color }
}

#[expect(clippy::too_many_arguments, reason = "the fields of a plot, most of which are shared")]
fn plot<'a>(
    title: &'a str,
    height: f32,
    curves: &'a [CurveLine<'a>],
    targets: &'a [(f64, &'a str)],
    binding: Option<(f64, &'a str)>,
    users: f64,
    show: fn(f64) -> String,
    unit: &'a str,
) -> ConcurrencyPlot<'a> {
    let tick: fn(f64) -> String = match unit {
        "time" => format::secs,
        "US dollars" => |value| format::usd_tick(value, 0.0),
        _ => |value| format::tick(value, 0.0),
    };
    ConcurrencyPlot { title, height, curves, targets, binding, users, show, tick, unit }
}

/// What is wrong, by how much, and what would do.
fn trouble_ui(ui: &mut Ui, state: &mut ServingState, computed: &Computed, trouble: &Trouble) {
    let theme = Theme::of(ui.ctx());
    Frame::new().fill(theme.violation_wash).corner_radius(6).inner_margin(Margin::symmetric(14, 10)).show(
        ui,
        |ui| {
            ui.set_width(ui.available_width());
            let head = format!("{} {}", severity_sign(Severity::Error), headline(computed, trouble));
            ui.label(RichText::new(head).strong().color(theme.violation));
            ui.add(Label::new(capital(&trouble.text())).wrap());
            remedies_ui(ui, state, computed, trouble);
        },
    );
    ui.add_space(space::M);
    if let Some(bar) = overfull(computed, trouble) {
        heading(ui, "Memory of the replica", |_| {});
        memory_bar_ui(ui, &bar);
    }
}

/// What is wrong in a few words; where memory is short, by how much.
fn headline(computed: &Computed, trouble: &Trouble) -> String {
    let Trouble::Ask(error, _) = trouble else { return "This cannot be served".to_owned() };
    let gpus = computed.inputs.gpus;
    let gpu = computed.gpu.as_ref().map_or("", |gpu| gpu.name.as_str());
    match error {
        AskError::Perf(PerfError::DoesNotFit { need_bytes, have_bytes }) => {
            format!("{} too much for {gpus} × {gpu}", format::bytes(need_bytes - have_bytes))
        }
        AskError::NoRoom { .. } => format!("No room for a single call on {gpus} × {gpu}"),
        _ => "This cannot be served".to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// Buttons for what would resolve it.
fn remedies_ui(ui: &mut Ui, state: &mut ServingState, computed: &Computed, trouble: &Trouble) {
    let Trouble::Ask(error, gpus) = trouble else { return };
    let gpu = computed.gpu.as_ref().map_or("", |gpu| gpu.name.as_str());
    ui.horizontal_wrapped(|ui| {
        if let Some(gpus) = gpus
            && ui.button(format!("Use {gpus} × {gpu}")).clicked()
        {
            (state.inputs.gpus, state.inputs.tensor) = (*gpus, None);
        }
        match error {
            AskError::Perf(PerfError::Heads { heads, tensor }) => {
                let divisors = (1..=*heads).filter(|d| heads % d == 0);
                let near = divisors.min_by_key(|d| (d.abs_diff(*tensor), *d));
                let others = state.inputs.pipeline * state.inputs.data;
                let Some(near) = near else { return };
                if ui.button(format!("Split over {near} GPUs")).clicked() {
                    (state.inputs.gpus, state.inputs.tensor) = (near * others, None);
                }
            }
            AskError::Degrees { .. } => {
                let button = ui.button("Tensor parallelism over all that is left");
                if button.clicked() {
                    state.inputs.tensor = None;
                }
            }
            AskError::Context { max, .. } => {
                let fits = (max - state.inputs.output_tokens).max(1.0);
                if ui.button(format!("Prompt of {} tokens", format::count(fits))).clicked() {
                    state.inputs.prompt_tokens = fits;
                    state.inputs.output_tokens = state.inputs.output_tokens.min((max - fits).max(1.0));
                }
            }
            _ => {}
        }
    });
}

/// The bar of a model that does not fit.
fn overfull(computed: &Computed, trouble: &Trouble) -> Option<MemoryBar> {
    let Trouble::Ask(AskError::Perf(PerfError::DoesNotFit { need_bytes, have_bytes }), _) = trouble else {
        return None;
    };
    Some(MemoryBar {
        parts: vec![Part { name: "Weights and working memory", bytes: *need_bytes, strength: 0.75 }],
        usable_bytes: *have_bytes,
        all_bytes: computed.gpu.as_ref()?.memory_bytes * f64::from(computed.inputs.gpus),
    })
}

/// The way to the errors of this model.
fn trust_ui(ui: &mut Ui, out: &mut Outbox) {
    let theme = Theme::of(ui.ctx());
    ui.add_space(space::S);
    ui.horizontal_wrapped(|ui| {
        let text =
            "A prediction, not a measurement. Mean latencies, users in a closed loop, full utilisation.";
        ui.label(RichText::new(text).small().color(theme.text_weak));
        if ui.link(RichText::new("See its errors").small()).clicked() {
            out.send(Action::Go(Page::Trust));
        }
    });
}
