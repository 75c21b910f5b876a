//! What averages hide: a plan, or two on the same arrivals, under simulated traffic.
//!
//! The inputs belong to the session. The simulation runs on a worker and is shown while it runs; what it finds can be
//! written into the plan, so that every cost follows from it.

mod figures;
mod source;
mod strips;

use eframe::egui::{
    Button, Frame, Label, Margin, ProgressBar, RichText, ScrollArea, Slider, SliderClamping, TextEdit, Ui,
    vec2,
};

use crate::analysis::Severity;
use crate::analysis::traffic::{Traffic, TrafficAsk};
use crate::app::action::Action;
use crate::app::theme::{Theme, severity_sign, space};
use crate::app::traffic::{Played, Simulated, TraceAsk};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{empty_state, heading, section, sentence, stale_badge};
use crate::report;
use crate::scenario::ScenarioDraft;
use crate::sim::Crowd;
use crate::unit::format::{self, Money};

pub use self::source::TraceWish;
pub use self::strips::Playback;

use self::figures::{figures_ui, findings_ui};
use self::source::{faults_ui, source_ui};
use self::strips::{curves_ui, playback_ui, strips_ui};

/// What the page looks at.
#[derive(Debug, Clone)]
pub struct TrafficState {
    /// Id of the plan; the cheapest if none is picked.
    pub plan: Option<String>,
    /// Id of the plan beside it.
    pub beside: Option<String>,
    /// The trace in hand.
    pub trace: TraceWish,
    /// Place in [`WINDOWS`].
    pub window: usize,
    /// Whether a trace is played to its end and not for the window.
    pub whole: bool,
    /// Factor on the volume.
    pub rate: f64,
    /// Replicas instead of the plan's fleet, as typed; empty is the plan's own.
    pub replicas: String,
    /// Whether flash crowds come.
    pub crowd: bool,
    /// Whether it runs by itself when the scenario rests.
    pub auto: bool,
    /// Place that is pointed at: hours, and logarithm of seconds.
    pub hours: Option<f64>,
    /// The same for the distributions.
    pub seconds: Option<f64>,
    /// The cursor over the timelines.
    pub playback: Playback,
    /// The revision and inputs that were last asked for.
    pub asked: Option<(u64, String)>,
}

impl Default for TrafficState {
    fn default() -> Self {
        Self {
            plan: None,
            beside: None,
            trace: TraceWish::default(),
            window: 1,
            whole: true,
            rate: 1.0,
            replicas: String::new(),
            crowd: false,
            auto: true,
            hours: None,
            seconds: None,
            playback: Playback::default(),
            asked: None,
        }
    }
}

/// Windows to choose from, in seconds.
const WINDOWS: [(&str, f64); 4] =
    [("1 hour", 3_600.0), ("1 day", 86_400.0), ("1 week", 604_800.0), ("1 month", 2_629_800.0)];

/// A flash crowd as one is often met: five times the rate for two minutes, every twenty in the mean. An example to try,
/// not a measurement.
const CROWD: Crowd = Crowd { factor: 5.0, calm_secs: 1_200.0, stay_secs: 120.0 };

/// Most calls that are played without being asked: about a second's worth.
const AUTO_CALLS_MAX: f64 = 400_000.0;

/// Width of the figures beside the strips, and the width of a page from which on they stand there.
const FIGURES: f32 = 364.0;
const BESIDE: f32 = 820.0;

/// Draws the page.
pub fn ui(ui: &mut Ui, draft: &ScenarioDraft, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let mut state = std::mem::take(&mut session.traffic);
    let shown = view.traffic;
    let money = draft.settings.money();
    sentence(ui, &answer(shown, &money));
    ui.add_space(space::S);
    controls_ui(ui, draft, &mut state, view, out);
    ui.add_space(space::S);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if let Some(error) = &shown.error {
            let theme = Theme::of(ui.ctx());
            let text = format!("{} {error}", severity_sign(Severity::Error));
            ui.add(Label::new(RichText::new(text).color(theme.violation)).wrap());
        }
        if shown.played.is_empty() {
            let what = "Plays every call through caches, router, APIs and replicas, and shows the queues, bursts and \
                        tails that decide how many GPUs must be bought.";
            if shown.share.is_none() && empty_state(ui, what, "Simulate now") {
                start(draft, &mut state, view, out, false);
            }
            return;
        }
        results_ui(ui, draft, &mut state, view, out);
    });
    session.traffic = state;
}

/// What the simulation says, in a sentence.
fn answer(shown: &Simulated, money: &Money) -> String {
    let Some(first) = shown.played.first() else {
        return "How a plan holds under real traffic, request by request.".to_owned();
    };
    let traffic = &first.traffic;
    let total = &traffic.total;
    let within = total.slo_attainment.map_or(0.0, |share| share.mean);
    let ttft = total.ttft_secs.as_ref().map_or_else(String::new, |times| {
        format!(", the first token comes within {} for 95 % of the calls", format::secs(times.p95.mean))
    });
    let behind = traffic.endpoints.iter().find(|end| end.pool.as_ref().is_some_and(|pool| pool.falls_behind));
    if let Some(endpoint) = behind {
        return format!("{}: {} cannot keep up, its queue grows without end.", traffic.name, endpoint.name);
    }
    if let [_, second] = shown.played.as_slice() {
        return compared(first, second, money);
    }
    let cost = first.effects.iter().find(|effect| effect.path == "cost").map_or_else(String::new, |cost| {
        format!("; with what was found it costs {} a month at this volume", money.show(cost.simulated))
    });
    format!(
        "{}: {} of the calls are answered within the targets{ttft}{cost}.",
        traffic.name,
        format::percent(within)
    )
}

/// Two plans on the same arrivals, in a sentence.
fn compared(first: &Played, second: &Played, money: &Money) -> String {
    let one = |played: &Played| {
        let within = played.traffic.total.slo_attainment.map_or(0.0, |share| share.mean);
        let cost = played.traffic.mean_cost().map_or(0.0, |cost| cost.usd());
        let within = format::percent(within);
        let so_far = if played.traffic.partial { " so far" } else { "" };
        format!(
            "{}: {within} within the targets at {} an hour{so_far}",
            played.traffic.name,
            money.show(cost)
        )
    };
    format!("{}; {}.", one(first), one(second))
}

/// The plan in hand: the one that is picked, else the cheapest.
fn plan_of(draft: &ScenarioDraft, picked: Option<&String>, view: &View<'_>) -> Option<usize> {
    let place = |id: &String| draft.plans.iter().position(|plan| plan.id == *id);
    let cheapest = view.outcome.and_then(|shown| shown.value.cheapest).filter(|at| *at < draft.plans.len());
    picked.and_then(place).or(cheapest).or(if draft.plans.is_empty() { None } else { Some(0) })
}

/// Asks for the simulation of what is picked.
fn start(draft: &ScenarioDraft, state: &mut TrafficState, view: &View<'_>, out: &mut Outbox, needed: bool) {
    let Some(asks) = asks(draft, state, view) else { return };
    let trace = trace(draft, state);
    state.asked = Some((view.revision, inputs(&asks, trace.as_deref())));
    out.send(Action::Simulate { asks, trace, needed });
}

fn inputs(asks: &[TrafficAsk], trace: Option<&TraceAsk>) -> String {
    format!("{asks:?} {trace:?}")
}

/// The trace that is replayed, if one is.
fn trace(draft: &ScenarioDraft, state: &TrafficState) -> Option<Box<TraceAsk>> {
    state.trace.on.then(|| state.trace.ask(state.rate, draft.settings.seed)).flatten().map(Box::new)
}

fn asks(draft: &ScenarioDraft, state: &TrafficState, view: &View<'_>) -> Option<Vec<TrafficAsk>> {
    let first = plan_of(draft, state.plan.as_ref(), view)?;
    let beside = state.beside.as_ref().and_then(|id| draft.plans.iter().position(|plan| plan.id == *id));
    let window = WINDOWS[state.window.min(WINDOWS.len() - 1)].1;
    let ask = |plan: usize| TrafficAsk {
        window_secs: if state.trace.on && state.whole { f64::INFINITY } else { window },
        // A trace is counted from its first request on.
        warmup_secs: state.trace.on.then_some(0.0),
        rate_factor: state.rate,
        replicas: state.replicas.trim().parse().ok().filter(|replicas| (1..=10_000).contains(replicas)),
        crowd: (state.crowd && !state.trace.on).then_some(CROWD),
        ..TrafficAsk::new(plan, draft.settings.seed)
    };
    Some([Some(first), beside.filter(|at| *at != first)].into_iter().flatten().map(ask).collect())
}

fn controls_ui(
    ui: &mut Ui,
    draft: &ScenarioDraft,
    state: &mut TrafficState,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let theme = Theme::of(ui.ctx());
    let weak = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).color(theme.text_weak));
    ui.horizontal_wrapped(|ui| {
        weak(ui, "Plan");
        let first = plan_of(draft, state.plan.as_ref(), view);
        plan_choice_ui(ui, draft, "Plan to simulate", first, false, &mut state.plan);
        weak(ui, "beside");
        let beside = state.beside.as_ref().and_then(|id| draft.plans.iter().position(|plan| plan.id == *id));
        plan_choice_ui(ui, draft, "Plan beside it", beside, true, &mut state.beside);
        weak(ui, "for");
        if state.trace.on && ui.selectable_label(state.whole, "the whole trace").clicked() {
            state.whole = true;
        }
        for (place, (name, _)) in WINDOWS.iter().enumerate() {
            let picked = state.window == place && !(state.trace.on && state.whole);
            if ui.selectable_label(picked, *name).clicked() {
                state.window = place;
                state.whole &= !state.trace.on;
            }
        }
    });
    source_ui(ui, draft, &mut state.trace, view, out);
    ui.horizontal_wrapped(|ui| {
        weak(ui, if state.trace.on { "Rate" } else { "Volume" });
        rate_ui(ui, &mut state.rate);
        weak(ui, "Replicas");
        let hint = TextEdit::singleline(&mut state.replicas).hint_text("as planned").desired_width(88.0);
        let field = ui.add(hint);
        label(ui, field.id, "Replicas of own endpoints");
        let bad = !state.replicas.trim().is_empty()
            && !state.replicas.trim().parse::<u32>().is_ok_and(|n| (1..=10_000).contains(&n));
        if bad {
            let text = format!("{} write 1 to 10,000, or nothing", severity_sign(Severity::Error));
            ui.label(RichText::new(text).small().color(theme.violation));
        }
        if !state.trace.on {
            ui.checkbox(&mut state.crowd, "Flash crowds")
                .on_hover_text("Five times the rate for two minutes, every twenty minutes in the mean");
        }
        ui.checkbox(&mut state.auto, "When idle")
            .on_hover_text("Simulate by itself when nothing changes, up to 400 K calls");
        run_ui(ui, draft, state, view, out, bad);
    });
}

fn rate_ui(ui: &mut Ui, rate: &mut f64) {
    ui.spacing_mut().slider_width = 130.0;
    let slider = Slider::new(rate, 0.1..=20.0)
        .logarithmic(true)
        .clamping(SliderClamping::Edits)
        .custom_formatter(|v, _| format!("{} x", format::significant(v, 3)))
        .custom_parser(factor_of);
    let response =
        ui.add(slider).on_hover_text("Requests per time against what is planned; double click: as planned");
    label(ui, response.id, "Factor on the volume");
    if response.double_clicked() {
        *rate = 1.0;
    }
}

/// A factor as people write it: `2`, `2x`, `2 ×`.
fn factor_of(text: &str) -> Option<f64> {
    text.trim_end_matches(['x', '×', ' ']).parse().ok()
}

/// A factor as a field.
fn factor_ui(ui: &mut Ui, name: &str, factor: &mut f64) {
    let field = eframe::egui::DragValue::new(factor)
        .range(0.01..=100.0)
        .speed(0.01)
        .custom_formatter(|v, _| format!("{} x", format::significant(v, 3)))
        .custom_parser(factor_of)
        .update_while_editing(false);
    let response = ui.add(field).on_hover_text("Against the trace; double click: as it is");
    label(ui, response.id, name);
    if response.double_clicked() {
        *factor = 1.0;
    }
}

fn run_ui(
    ui: &mut Ui,
    draft: &ScenarioDraft,
    state: &mut TrafficState,
    view: &View<'_>,
    out: &mut Outbox,
    bad: bool,
) {
    let shown = view.traffic;
    if let Some(share) = shown.share {
        let pause = if shown.paused { "Go on" } else { "Pause" };
        if ui.button(pause).clicked() {
            out.send(Action::PauseSimulation(!shown.paused));
        }
        if ui.button("Stop").clicked() {
            out.send(Action::StopSimulation);
        }
        ui.add(ProgressBar::new(share as f32).desired_width(110.0).text(format::percent(share)));
        return;
    }
    let readable = !state.trace.on || state.trace.read(view).is_some_and(|looked| looked.result.is_ok());
    let ready = !bad && readable && view.outcome.is_some_and(|shown| !shown.stale);
    let theme = Theme::of(ui.ctx());
    let simulate = if ready && is_new(draft, state, view) {
        Button::new(RichText::new("Simulate").color(theme.on_accent)).fill(theme.accent)
    } else {
        Button::new("Simulate")
    };
    if ui.add_enabled(ready, simulate).clicked() {
        start(draft, state, view, out, false);
    }
    let help = "Searches, by simulating the busiest hour, how many replicas keep the latency targets";
    let find = ui.add_enabled(ready && !state.trace.on, Button::new("Find the replicas"));
    let why = "Replicas are searched for the modelled workload";
    if find.on_hover_text(help).on_disabled_hover_text(why).clicked() {
        start(draft, state, view, out, true);
    }
    if ready && state.auto && !ui.input(|input| input.pointer.any_down()) {
        idle(draft, state, view, out);
    }
}

/// Whether something else is picked than what was simulated last.
fn is_new(draft: &ScenarioDraft, state: &TrafficState, view: &View<'_>) -> bool {
    let Some(asks) = asks(draft, state, view) else { return false };
    let asked = (view.revision, inputs(&asks, trace(draft, state).as_deref()));
    state.asked.as_ref() != Some(&asked)
}

/// Simulates by itself what has changed, where it is soon done.
fn idle(draft: &ScenarioDraft, state: &mut TrafficState, view: &View<'_>, out: &mut Outbox) {
    let Some(asks) = asks(draft, state, view) else { return };
    let trace = trace(draft, state);
    let asked = (view.revision, inputs(&asks, trace.as_deref()));
    let calls: f64 = view.outcome.map_or(0.0, |shown| {
        let per_month = |of: &crate::analysis::UseCaseOutcome| of.requests * of.calls_per_request;
        shown.value.use_cases.iter().map(per_month).sum::<f64>() / (crate::unit::HOURS_PER_MONTH * 3_600.0)
    });
    let requests = state.trace.read(view).and_then(|looked| looked.result.as_ref().ok());
    let all: f64 = match (&trace, requests) {
        (None, _) => asks.iter().map(|ask| calls * ask.rate_factor * ask.window_secs).sum(),
        (Some(trace), Some(look)) => {
            look.account.requests as f64 * f64::from(trace.options.repeat) * asks.len() as f64
        }
        (Some(_), None) => return,
    };
    if state.asked.as_ref() != Some(&asked) && all <= AUTO_CALLS_MAX {
        start(draft, state, view, out, false);
    }
}

fn label(ui: &Ui, id: eframe::egui::Id, label: &str) {
    ui.ctx().accesskit_node_builder(id, |node| node.set_label(label.to_owned()));
}

fn plan_choice_ui(
    ui: &mut Ui,
    draft: &ScenarioDraft,
    name: &str,
    current: Option<usize>,
    or_none: bool,
    picked: &mut Option<String>,
) {
    let text = current.and_then(|at| draft.plans.get(at)).map_or("no other", |plan| plan.name.as_str());
    let combo = eframe::egui::ComboBox::from_id_salt(name).selected_text(text).width(170.0).truncate();
    let shown = combo.show_ui(ui, |ui| {
        if or_none && ui.selectable_label(current.is_none(), "no other").clicked() {
            *picked = None;
        }
        for (at, plan) in draft.plans.iter().enumerate() {
            if ui.selectable_label(current == Some(at), &plan.name).clicked() {
                *picked = Some(plan.id.clone());
            }
        }
    });
    label(ui, shown.response.id, name);
}

fn results_ui(
    ui: &mut Ui,
    draft: &ScenarioDraft,
    state: &mut TrafficState,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let shown = view.traffic;
    let stale = shown.revision != Some(view.revision) || is_new(draft, state, view);
    let money = draft.settings.money();
    heading(ui, &window_words(&shown.played[0].traffic), |ui| stale_badge(ui, stale));
    if let Some(account) = shown.played.iter().find_map(|played| played.account.as_ref()) {
        faults_ui(ui, account);
    }
    if ui.available_width() >= BESIDE {
        ui.horizontal_top(|ui| {
            let left = ui.available_width() - FIGURES - space::L;
            ui.allocate_ui(vec2(left, 0.0), |ui| {
                ui.vertical(|ui| {
                    ui.set_width(left);
                    playback_ui(ui, &mut state.playback, &shown.played);
                    strips_ui(ui, state, &shown.played, &money);
                });
            });
            ui.add_space(space::S);
            ui.vertical(|ui| {
                ui.set_width(FIGURES - space::S);
                figures_ui(ui, &shown.played, &money);
                ui.add_space(space::S);
                findings_ui(ui, &shown.played);
            });
        });
    } else {
        figures_ui(ui, &shown.played, &money);
        ui.add_space(space::S);
        findings_ui(ui, &shown.played);
        ui.add_space(space::S);
        playback_ui(ui, &mut state.playback, &shown.played);
        strips_ui(ui, state, &shown.played, &money);
    }
    ui.add_space(space::S);
    curves_ui(ui, draft, state, &shown.played);
    for played in &shown.played {
        if played.effects.is_empty() {
            continue;
        }
        ui.add_space(space::S);
        let title = format!("{}: simulated against the closed form", played.traffic.name);
        section(ui, &title, true, |ui| effects_ui(ui, played, &money, view, stale, out));
    }
}

fn window_words(traffic: &Traffic) -> String {
    let window = &traffic.window;
    let calls = format::count(traffic.played as f64);
    let played = if traffic.partial { "so far" } else { "played" };
    if traffic.replayed {
        return format!("{calls} calls of the trace {played}, over {}", format::secs(window.secs));
    }
    format!(
        "{calls} calls {played}, from {}, the first {} not counted",
        report::hour_of_week(window.first_hour),
        format::secs(window.warmup_secs)
    )
}

fn effects_ui(ui: &mut Ui, played: &Played, money: &Money, view: &View<'_>, stale: bool, out: &mut Outbox) {
    let theme = Theme::of(ui.ctx());
    eframe::egui::Grid::new(("effects", played.plan)).num_columns(3).spacing([24.0, 4.0]).show(ui, |ui| {
        for head in ["", "Closed form", "Simulated"] {
            ui.label(RichText::new(head).small().color(theme.text_weak));
        }
        ui.end_row();
        for row in &played.effects {
            ui.label(&row.what);
            for v in [row.closed_form, row.simulated] {
                ui.label(RichText::new(report::effect_value(row, v, money)).color(theme.text_strong));
            }
            ui.end_row();
        }
    });
    let help = "Hit rates, replicas and overflow of this plan become what was simulated; undo takes it back";
    let ready = !stale && view.traffic.share.is_none() && !played.traffic.partial;
    if ui.add_enabled(ready, Button::new("Use in the plan")).on_hover_text(help).clicked() {
        out.send(Action::UseSimulated(played.traffic.plan.clone()));
    }
    let note = "The closed form is what the other pages compute with.";
    Frame::new().inner_margin(Margin::ZERO).show(ui, |ui| {
        ui.label(RichText::new(note).small().color(theme.text_weak));
    });
}
