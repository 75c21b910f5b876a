//! What averages hide: a plan, or two on the same arrivals, under simulated traffic.
//!
//! The inputs belong to the session. The simulation runs on a worker and is shown while it runs; what it finds can be
//! written into the plan, so that every cost follows from it.

use eframe::egui::{
    Button, Frame, Label, Margin, ProgressBar, RichText, ScrollArea, Slider, SliderClamping, TextEdit, Ui,
};

use crate::analysis::Severity;
use crate::analysis::traffic::{Interval, Traffic, TrafficAsk};
use crate::app::action::Action;
use crate::app::plots::axis::log;
use crate::app::plots::strip::{Along, Strip, StripLine, strip_ui};
use crate::app::theme::{Theme, severity_sign, space};
use crate::app::traffic::{Played, Series, Simulated, Span};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{columns, empty_state, heading, section, sentence, stale_badge};
use crate::report::{self, TrafficAnswer};
use crate::scenario::ScenarioDraft;
use crate::sim::Crowd;
use crate::unit::format::{self, Money};

/// What the page looks at.
#[derive(Debug, Clone)]
pub struct TrafficState {
    /// Id of the plan; the cheapest if none is picked.
    pub plan: Option<String>,
    /// Id of the plan beside it.
    pub beside: Option<String>,
    /// Place in [`WINDOWS`].
    pub window: usize,
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
    /// The revision and inputs that were last asked for.
    pub asked: Option<(u64, String)>,
}

impl Default for TrafficState {
    fn default() -> Self {
        Self {
            plan: None,
            beside: None,
            window: 1,
            rate: 1.0,
            replicas: String::new(),
            crowd: false,
            auto: true,
            hours: None,
            seconds: None,
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

/// A strip in its place on the page.
type StripCell<'a> = Box<dyn FnOnce(&mut Ui) + 'a>;

/// Height of a strip.
const STRIP: f32 = 104.0;

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
    let cost = first.effects.iter().find(|effect| effect.path == "cost").map_or_else(String::new, |cost| {
        format!("; with what was found it costs {} a month at this volume", money.show(cost.simulated))
    });
    format!(
        "{}: {} of the calls are answered within the targets{ttft}{cost}.",
        traffic.name,
        format::percent(within)
    )
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
    state.asked = Some((view.revision, inputs(&asks)));
    out.send(Action::Simulate { asks, needed });
}

fn inputs(asks: &[TrafficAsk]) -> String {
    format!("{asks:?}")
}

fn asks(draft: &ScenarioDraft, state: &TrafficState, view: &View<'_>) -> Option<Vec<TrafficAsk>> {
    let first = plan_of(draft, state.plan.as_ref(), view)?;
    let beside = state.beside.as_ref().and_then(|id| draft.plans.iter().position(|plan| plan.id == *id));
    let ask = |plan: usize| TrafficAsk {
        window_secs: WINDOWS[state.window.min(WINDOWS.len() - 1)].1,
        rate_factor: state.rate,
        replicas: state.replicas.trim().parse().ok().filter(|replicas| (1..=10_000).contains(replicas)),
        crowd: state.crowd.then_some(CROWD),
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
        for (place, (name, _)) in WINDOWS.iter().enumerate() {
            ui.selectable_value(&mut state.window, place, *name);
        }
    });
    ui.horizontal_wrapped(|ui| {
        weak(ui, "Volume");
        ui.spacing_mut().slider_width = 130.0;
        let slider = Slider::new(&mut state.rate, 0.1..=20.0)
            .logarithmic(true)
            .clamping(SliderClamping::Edits)
            .custom_formatter(|v, _| format!("{} x", format::significant(v, 3)))
            .custom_parser(|text| text.trim_end_matches(['x', '×', ' ']).parse().ok());
        let response = ui.add(slider).on_hover_text("Factor on the volume; double click: as planned");
        label(ui, response.id, "Factor on the volume");
        if response.double_clicked() {
            state.rate = 1.0;
        }
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
        ui.checkbox(&mut state.crowd, "Flash crowds")
            .on_hover_text("Five times the rate for two minutes, every twenty minutes in the mean");
        ui.checkbox(&mut state.auto, "When idle")
            .on_hover_text("Simulate by itself when nothing changes, up to 400 K calls");
        run_ui(ui, draft, state, view, out, bad);
    });
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
    let ready = !bad && view.outcome.is_some_and(|shown| !shown.stale);
    if ui.add_enabled(ready, Button::new("Simulate")).clicked() {
        start(draft, state, view, out, false);
    }
    let help = "Searches, by simulating the busiest hour, how many replicas keep the latency targets";
    if ui.add_enabled(ready, Button::new("Find the replicas")).on_hover_text(help).clicked() {
        start(draft, state, view, out, true);
    }
    if ready && state.auto && !ui.input(|input| input.pointer.any_down()) {
        idle(draft, state, view, out);
    }
}

/// Simulates by itself what has changed, where it is soon done.
fn idle(draft: &ScenarioDraft, state: &mut TrafficState, view: &View<'_>, out: &mut Outbox) {
    let Some(asks) = asks(draft, state, view) else { return };
    let asked = (view.revision, inputs(&asks));
    let calls: f64 = view.outcome.map_or(0.0, |shown| {
        let per_month = |of: &crate::analysis::UseCaseOutcome| of.requests * of.calls_per_request;
        shown.value.use_cases.iter().map(per_month).sum::<f64>() / (crate::unit::HOURS_PER_MONTH * 3_600.0)
    });
    let all: f64 = asks.iter().map(|ask| calls * ask.rate_factor * ask.window_secs).sum();
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
    let stale = shown.revision != Some(view.revision);
    let names: Vec<(&Played, String)> =
        shown.played.iter().map(|played| (played, played.traffic.name.clone())).collect();
    heading(ui, &window_words(&shown.played[0].traffic), |ui| stale_badge(ui, stale));
    percentiles_ui(ui, &shown.played);
    ui.add_space(space::S);
    findings_ui(ui, &shown.played);
    ui.add_space(space::S);
    strips_ui(ui, state, &names);
    ui.add_space(space::S);
    curves_ui(ui, draft, state, &names);
    for played in &shown.played {
        if played.effects.is_empty() {
            continue;
        }
        ui.add_space(space::S);
        let title = format!("{}: simulated against the closed form", played.traffic.name);
        let money = draft.settings.money();
        section(ui, &title, true, |ui| effects_ui(ui, played, &money, view, stale, out));
    }
}

fn window_words(traffic: &Traffic) -> String {
    let window = &traffic.window;
    let calls = format::count(traffic.played as f64);
    let played = if traffic.partial { "so far" } else { "played" };
    format!(
        "{calls} calls {played}, from {}, the first {} not counted",
        report::hour_of_week(window.first_hour),
        format::secs(window.warmup_secs)
    )
}

/// A row per plan: what the callers met.
fn percentiles_ui(ui: &mut Ui, played: &[Played]) {
    let theme = Theme::of(ui.ctx());
    let heads = [
        "",
        "Within targets",
        "First token P50",
        "P95",
        "P99",
        "Per token P95",
        "Whole answer P95",
        "Goodput",
        "From cache",
        "Overflow",
        "Lost",
    ];
    eframe::egui::Grid::new("percentiles").num_columns(heads.len()).spacing([16.0, 4.0]).show(ui, |ui| {
        for head in heads {
            ui.label(RichText::new(head).small().color(theme.text_weak));
        }
        ui.end_row();
        for one in played {
            let total = &one.traffic.total;
            let share = |part: u64| format::percent(part as f64 / total.arrived.max(1) as f64);
            let of = |span: Span, of: fn(&crate::analysis::traffic::Percentiles) -> Interval| {
                span.of(&one.traffic).map_or_else(|| "none".to_owned(), |times| format::secs(of(times).mean))
            };
            ui.add(Label::new(RichText::new(&one.traffic.name).color(theme.plan(one.plan))).extend());
            let cells = [
                total.slo_attainment.map_or_else(String::new, |share| format::percent(share.mean)),
                of(Span::Ttft, |times| times.p50),
                of(Span::Ttft, |times| times.p95),
                of(Span::Ttft, |times| times.p99),
                of(Span::Tpot, |times| times.p95),
                of(Span::E2e, |times| times.p95),
                format!("{}/s", format::significant(total.goodput_calls_per_sec.mean, 3)),
                share(total.exact_hits + total.semantic_hits),
                share(total.overflowed),
                share(total.lost.values().sum()),
            ];
            for cell in cells {
                ui.label(RichText::new(cell).color(theme.text_strong));
            }
            ui.end_row();
        }
    });
}

/// What a reader should know.
fn findings_ui(ui: &mut Ui, played: &[Played]) {
    let theme = Theme::of(ui.ctx());
    for one in played {
        let answer = TrafficAnswer { traffic: &one.traffic, effects: &one.effects, needed: &one.needed };
        for text in report::traffic_sentences(&answer) {
            ui.horizontal_top(|ui| {
                ui.label(RichText::new("•").color(theme.plan(one.plan)));
                ui.add(Label::new(RichText::new(text).color(theme.text)).wrap());
            });
        }
    }
}

fn strips_ui(ui: &mut Ui, state: &mut TrafficState, names: &[(&Played, String)]) {
    let end = names.iter().map(|(played, _)| played.traffic.window.secs / 3_600.0).fold(0.1, f64::max);
    let pointed = std::cell::Cell::new(None);
    let mark = state.hours;
    let mut cells: Vec<StripCell<'_>> = Vec::new();
    for series in Series::ALL {
        let lines: Vec<StripLine<'_>> = names
            .iter()
            .map(|(played, name)| StripLine { name, plan: played.plan, points: played.line(series) })
            .filter(|line| line.points.iter().any(|point| point.y > 0.0))
            .collect();
        if lines.is_empty() {
            continue;
        }
        let pointed = &pointed;
        cells.push(Box::new(move |ui: &mut Ui| {
            let strip = Strip {
                title: series.text(),
                height: STRIP,
                lines: &lines,
                along: Along::Hours,
                bounds: (0.0, end),
                share: series.is_share(),
                mark,
                targets: &[],
            };
            if let Some(at) = strip_ui(ui, &strip) {
                pointed.set(Some(at));
            }
        }));
    }
    columns(ui, (ui.available_width() / 3.2).max(250.0), cells);
    state.hours = pointed.get();
}

fn curves_ui(ui: &mut Ui, draft: &ScenarioDraft, state: &mut TrafficState, names: &[(&Played, String)]) {
    let pointed = std::cell::Cell::new(None);
    let mark = state.seconds;
    let tightest = |of: fn(&crate::workload::Slo<crate::stats::Estimate>) -> f64| {
        let enabled = draft.workload.use_cases.iter().filter(|use_case| use_case.enabled);
        enabled.map(|use_case| of(&use_case.slo)).fold(f64::INFINITY, f64::min)
    };
    let mut cells: Vec<StripCell<'_>> = Vec::new();
    for span in Span::ALL {
        let lines: Vec<StripLine<'_>> = names
            .iter()
            .map(|(played, name)| StripLine { name, plan: played.plan, points: played.curve(span) })
            .filter(|line| !line.points.is_empty())
            .collect();
        let ends = || lines.iter().flat_map(|line| line.points).map(|point| point.x);
        let bounds = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
        if !bounds.0.is_finite() {
            continue;
        }
        let target = match span {
            Span::Ttft => tightest(|slo| slo.ttft_secs.point()),
            Span::Tpot => tightest(|slo| slo.tpot_secs.point()),
            Span::E2e => f64::INFINITY,
        };
        let pointed = &pointed;
        cells.push(Box::new(move |ui: &mut Ui| {
            let target = log(target.clamp(1e-6, 1e9));
            let targets = [target];
            let strip = Strip {
                title: span.text(),
                height: 1.3 * STRIP,
                lines: &lines,
                along: Along::Seconds,
                bounds: (bounds.0 - 0.1, bounds.1 + 0.1),
                share: true,
                mark,
                targets: if target < 8.0 { &targets } else { &[] },
            };
            if let Some(at) = strip_ui(ui, &strip) {
                pointed.set(Some(at));
            }
        }));
    }
    columns(ui, (ui.available_width() / 3.2).max(250.0), cells);
    state.seconds = pointed.get();
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
