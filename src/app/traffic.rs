//! Simulations for the page *Traffic*: one at a time on a worker, shown while they run, paused and stopped; and recorded
//! traces that are looked through before they are replayed.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use egui_plot::PlotPoint;

use super::live::Where;
use super::plots::axis::log;
use crate::analysis::traffic::{
    Effect, HourlyCost, Listener, Percentiles, ReplicasNeeded, Traffic, TrafficAsk, effect, replicas_needed,
    simulate, so_far,
};
use crate::catalog::Catalog;
use crate::io::replay::{
    self, ReplayAccount, ReplayError, ReplayOptions, TraceLook, simulate_trace, stream_of,
};
use crate::io::trace::TraceError;
use crate::job::{JobCtl, JobEvent, Lane};
use crate::scenario::Scenario;
use crate::sim::{Bin, PoolSample, Simulation};

/// Time between two pictures of a simulation under way.
const EVERY: Duration = Duration::from_millis(80);

/// One plan's simulation with what a picture of it needs.
#[derive(Debug, Clone)]
pub struct Played {
    /// Place of the plan in the scenario.
    pub plan: usize,
    /// What came of it.
    pub traffic: Arc<Traffic>,
    /// What it changes; empty until it is whole.
    pub effects: Vec<Effect>,
    /// Replicas that keep the targets, where they were searched.
    pub needed: Vec<ReplicasNeeded>,
    /// What the trace gave and what was left out of it, where one was replayed; none until it is whole.
    pub account: Option<Arc<ReplayAccount>>,
    /// Points over hours, by what is shown.
    pub lines: Arc<Vec<(Series, Vec<PlotPoint>)>>,
    /// Points (logarithm of seconds, share) of the times, by what is shown.
    pub curves: Arc<Vec<(Span, Vec<PlotPoint>)>>,
}

/// Something over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// Calls that come, per second.
    Arrivals,
    /// Answers, per second.
    Answers,
    /// Calls that wait.
    Waiting,
    /// Sequences in the batches.
    Running,
    /// Share of the KV in use.
    Kv,
    /// Share of the time at work.
    Busy,
    /// Replicas that serve.
    Replicas,
    /// Tokens and GPUs together, US dollars per hour.
    Cost,
    /// Providers' bill alone, US dollars per hour.
    Provider,
    /// GPU-hours paid per hour.
    Gpus,
    /// Share of the answers from response caches.
    Hits,
    /// Share of the calls that overflow.
    Overflow,
    /// Calls turned away, per second.
    Rejected,
    /// Calls given up by their caller, per second.
    TimedOut,
    /// Attempts that failed and were sent again, per second.
    Retried,
    /// Share of the calls that are lost, for whatever reason.
    Lost,
}

impl Series {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 16] = [
        Self::Arrivals,
        Self::Cost,
        Self::Answers,
        Self::Provider,
        Self::Waiting,
        Self::Running,
        Self::Busy,
        Self::Kv,
        Self::Replicas,
        Self::Gpus,
        Self::Hits,
        Self::Overflow,
        Self::Lost,
        Self::Rejected,
        Self::TimedOut,
        Self::Retried,
    ];

    /// Its name.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Arrivals => "Calls per second",
            Self::Answers => "Answers per second",
            Self::Waiting => "Calls that wait",
            Self::Running => "Running batch",
            Self::Kv => "KV in use",
            Self::Busy => "Replicas at work",
            Self::Replicas => "Replicas",
            Self::Cost => "Cost per hour",
            Self::Provider => "Of it, providers' bill",
            Self::Gpus => "GPUs paid for",
            Self::Hits => "Response cache hits",
            Self::Overflow => "Overflow",
            Self::Rejected => "Turned away per second",
            Self::TimedOut => "Timed out per second",
            Self::Retried => "Sent again per second",
            Self::Lost => "Lost calls",
        }
    }

    /// Whether it is US dollars.
    #[must_use]
    pub const fn is_money(self) -> bool {
        matches!(self, Self::Cost | Self::Provider)
    }

    /// Whether it is a share.
    #[must_use]
    pub const fn is_share(self) -> bool {
        matches!(self, Self::Kv | Self::Busy | Self::Hits | Self::Overflow | Self::Lost)
    }

    fn of(self, bin: &Bin, cost: &HourlyCost, secs: f64) -> Option<f64> {
        let pools = |of: fn(&PoolSample) -> f64| {
            (!bin.pools.is_empty()).then(|| bin.pools.iter().map(of).sum::<f64>())
        };
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        match self {
            Self::Arrivals => Some(bin.arrived as f64 / secs),
            Self::Answers => Some(bin.answered as f64 / secs),
            Self::Waiting => pools(|pool| pool.waiting),
            Self::Running => pools(|pool| pool.running),
            Self::Kv => pools(|pool| pool.kv_share).map(|sum| sum / bin.pools.len() as f64),
            Self::Busy => pools(|pool| pool.busy_share).map(|sum| sum / bin.pools.len() as f64),
            Self::Replicas => pools(|pool| f64::from(pool.replicas)),
            Self::Cost => Some(cost.usd()),
            // Alone it is the whole cost.
            Self::Provider => (cost.gpu_usd > 0.0).then_some(cost.provider_usd),
            Self::Gpus => (!bin.pools.is_empty()).then_some(cost.gpu_hours),
            Self::Rejected => Some(bin.rejected as f64 / secs),
            Self::TimedOut => Some(bin.timed_out as f64 / secs),
            Self::Retried => Some(bin.retries as f64 / secs),
            Self::Hits => share(bin.hits, bin.arrived).map(|share| share.min(1.0)),
            Self::Overflow => share(bin.overflowed, bin.arrived).map(|share| share.min(1.0)),
            Self::Lost => share(bin.lost, bin.arrived).map(|share| share.min(1.0)),
        }
    }
}

/// A time that a caller feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// To the first token.
    Ttft,
    /// Per token after it.
    Tpot,
    /// To the whole answer.
    E2e,
}

impl Span {
    /// All.
    pub const ALL: [Self; 3] = [Self::Ttft, Self::Tpot, Self::E2e];

    /// Its name.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ttft => "Time to first token",
            Self::Tpot => "Time per output token",
            Self::E2e => "Time to the whole answer",
        }
    }

    /// Its percentiles in a simulation.
    #[must_use]
    pub fn of(self, traffic: &Traffic) -> Option<&Percentiles> {
        match self {
            Self::Ttft => traffic.total.ttft_secs.as_ref(),
            Self::Tpot => traffic.total.tpot_secs.as_ref(),
            Self::E2e => traffic.total.e2e_secs.as_ref(),
        }
    }
}

impl Played {
    fn of(plan: usize, traffic: Traffic, effects: Vec<Effect>, needed: Vec<ReplicasNeeded>) -> Self {
        let secs = traffic.timeline.bin_secs;
        // After the window nothing comes: only the last answers, whose shares would mislead. A stretch under way is short
        // of what is still to come in it.
        let bins = traffic.timeline.bins.iter().zip(&traffic.costs);
        let whole = (traffic.window.secs.min(traffic.window.end_secs) / secs).floor() as usize;
        let bins =
            bins.take(if traffic.partial { whole } else { (traffic.window.secs / secs).ceil() as usize });
        let hours = |at: usize| (at as f64 + 0.5) * secs / 3_600.0;
        let line = |series: Series| {
            let points = bins.clone().enumerate();
            let value = |(at, (bin, cost))| Some(PlotPoint::new(hours(at), series.of(bin, cost, secs)?));
            points.filter_map(value).collect()
        };
        let curve = |span: Span| {
            let curve = span.of(&traffic).map_or(&[][..], |times| times.curve.as_slice());
            curve.iter().map(|(secs, share)| PlotPoint::new(log(secs.max(1e-4)), *share)).collect()
        };
        let lines = Series::ALL.iter().map(|series| (*series, line(*series))).collect();
        let curves = Span::ALL.iter().map(|span| (*span, curve(*span))).collect();
        Self {
            plan,
            lines: Arc::new(lines),
            curves: Arc::new(curves),
            traffic: Arc::new(traffic),
            effects,
            needed,
            account: None,
        }
    }

    /// The points of something over time.
    #[must_use]
    pub fn line(&self, series: Series) -> &[PlotPoint] {
        self.lines.iter().find(|(known, _)| *known == series).map_or(&[], |(_, points)| points.as_slice())
    }

    /// The points of a time's distribution.
    #[must_use]
    pub fn curve(&self, span: Span) -> &[PlotPoint] {
        self.curves.iter().find(|(known, _)| *known == span).map_or(&[], |(_, points)| points.as_slice())
    }
}

/// What the page shows.
#[derive(Debug, Default)]
pub struct Simulated {
    /// The last simulation, plan by plan; those under way too.
    pub played: Vec<Played>,
    /// The revision of the document that it is of.
    pub revision: Option<u64>,
    /// How much of the one under way is played, 0..=1.
    pub share: Option<f64>,
    /// Whether it is held.
    pub paused: bool,
    /// Why there is none.
    pub error: Option<String>,
    /// The trace that was looked through last.
    pub look: Option<Looked>,
    /// The one that is being looked through, and how many requests were read.
    pub looking: Option<(TraceAsk, u64)>,
}

impl Simulated {
    /// The trace that was asked for last, whether it is read yet or not.
    #[must_use]
    pub fn looked_at(&self) -> Option<&TraceAsk> {
        self.looking.as_ref().map(|(ask, _)| ask).or(self.look.as_ref().map(|look| &look.ask))
    }
}

/// A recorded trace to replay.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceAsk {
    /// The file.
    pub path: PathBuf,
    /// How it is replayed.
    pub options: ReplayOptions,
    /// Use case whose route and targets its requests take, by id; the first if none is named.
    pub use_case: Option<String>,
}

/// What looking through a trace came to.
#[derive(Debug)]
pub struct Looked {
    /// What was looked at.
    pub ask: TraceAsk,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// What is in it, or why it cannot be read.
    pub result: Result<TraceLook, Unread>,
}

/// Why a trace cannot be replayed as it was asked for.
#[derive(Debug)]
pub struct Unread {
    /// In a sentence, with the remedy.
    pub why: String,
    /// What has to be said about it.
    pub need: Need,
}

/// What has to be said about a trace before it can be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing would help.
    Nothing,
    /// Which column is what, and the unit of its times.
    Columns,
    /// How many sessions start per hour.
    Sessions,
    /// How long its requests are.
    Lengths,
    /// Which of its pools.
    Pool,
}

impl Unread {
    fn of(error: &ReplayError) -> Self {
        let need = match error {
            ReplayError::Trace(TraceError::MissingColumn { .. } | TraceError::AmbiguousTime { .. }) => {
                Need::Columns
            }
            ReplayError::SessionStarts { .. } | ReplayError::TooManyOpen { .. } => Need::Sessions,
            ReplayError::Lengths { .. } | ReplayError::NoLengths { .. } => Need::Lengths,
            ReplayError::Pool { .. } => Need::Pool,
            _ => Need::Nothing,
        };
        Self { why: error.to_string(), need }
    }
}

/// Whether a simulation is held, and who waits for it to go on.
#[derive(Debug, Default)]
struct Pause {
    held: Mutex<bool>,
    changed: Condvar,
}

impl Pause {
    fn set(&self, held: bool) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        self.changed.notify_all();
    }

    /// Waits until it goes on, or until `stop` says so.
    fn wait(&self, stop: impl Fn() -> bool) {
        /// Time between two looks at whether to stop.
        const LOOK: Duration = Duration::from_millis(50);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while *held && !stop() {
            (held, _) = self.changed.wait_timeout(held, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Runs simulations.
pub struct TrafficRunner {
    lane: Lane<(Vec<Played>, f64)>,
    looks: Lane<Looked>,
    paused: Arc<Pause>,
    shown: Simulated,
}

impl TrafficRunner {
    /// `notify` is called when there is something to show.
    #[must_use]
    pub fn new(place: Where, notify: impl Fn() + Clone + Send + Sync + 'static) -> Self {
        let (lane, looks) = match place {
            Where::Threads => (Lane::new("traffic", notify.clone()), Lane::new("trace", notify)),
            Where::Inline => (Lane::inline(), Lane::inline()),
        };
        Self { lane, looks, paused: Arc::default(), shown: Simulated::default() }
    }

    /// Reads a trace to its end to say what is in it.
    pub fn look(&mut self, ask: TraceAsk) {
        self.shown.looking = Some((ask.clone(), 0));
        self.looks.submit(0, move |ctl| {
            let columns = replay::columns(&ask.path).unwrap_or_default();
            let result = replay::look(&ask.path, &ask.options, &mut |read| {
                ctl.progress(read, 0, "reading the trace");
                if ctl.should_stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            ctl.check_stop()?;
            Ok(Looked { ask, columns, result: result.map_err(|error| Unread::of(&error)) })
        });
    }

    /// Plays plans one after the other, the modelled workload or a trace; with `needed` the replicas are searched that
    /// keep the targets.
    pub fn start(
        &mut self,
        revision: u64,
        scenario: Arc<Scenario>,
        catalog: Arc<Catalog>,
        asks: Vec<TrafficAsk>,
        trace: Option<Box<TraceAsk>>,
        needed: bool,
    ) {
        self.paused.set(false);
        let look =
            self.shown.look.as_ref().filter(|look| Some(&look.ask.path) == trace.as_ref().map(|t| &t.path));
        let requests = look.and_then(|look| look.result.as_ref().ok()).map(|look| look.account.requests);
        let repeat = trace.as_ref().map_or(1, |trace| u64::from(trace.options.repeat));
        let requests = requests.map(|requests| requests * repeat);
        (self.shown.paused, self.shown.error, self.shown.share) = (false, None, Some(0.0));
        let paused = Arc::clone(&self.paused);
        self.lane.submit(revision, move |ctl| {
            let mut done: Vec<Played> = Vec::new();
            for ask in &asks {
                let follower = Follower {
                    ctl,
                    paused: &paused,
                    scenario: &scenario,
                    ask,
                    done: &done,
                    plans: asks.len(),
                    replayed: trace.is_some(),
                    requests,
                    last: Mutex::new(None),
                };
                let (traffic, account) = match &trace {
                    None => (simulate(&scenario, ask, None, None, &follower)?, None),
                    Some(trace) => {
                        let stream = trace.use_case.as_ref().and_then(|id| stream_of(&scenario, id));
                        let options = ReplayOptions { stream: stream.unwrap_or(0), ..trace.options.clone() };
                        let (traffic, account) =
                            simulate_trace(&scenario, ask, (&trace.path, &options), None, &follower)?;
                        (traffic, Some(Arc::new(account)))
                    }
                };
                let searched = if needed { replicas_needed(&scenario, ask, &follower)? } else { Vec::new() };
                // A scenario whose findings do not pass the check shows none.
                let effects = effect(&scenario, &catalog, &traffic, &searched).unwrap_or_default();
                let stopped = traffic.partial;
                let played = Played::of(ask.plan, traffic, effects, searched);
                done.push(Played { account, ..played });
                if stopped {
                    break;
                }
                ctl.partial((done.clone(), done.len() as f64 / asks.len() as f64));
            }
            Ok((done, 1.0))
        });
    }

    /// Holds the simulation, or lets it go on.
    pub fn pause(&mut self, paused: bool) {
        self.paused.set(paused);
        self.shown.paused = paused;
    }

    /// Stops; what was played stays.
    pub fn stop(&mut self) {
        self.pause(false);
        self.lane.cancel();
    }

    /// Forgets everything: another document was opened.
    pub fn forget(&mut self) {
        self.stop();
        self.shown = Simulated::default();
    }

    /// Takes what is there.
    pub fn poll(&mut self) {
        for (revision, event) in self.lane.poll() {
            match event {
                JobEvent::Partial((played, share)) => {
                    (self.shown.played, self.shown.share) = (played, Some(share));
                    self.shown.revision = Some(revision);
                }
                JobEvent::Done((played, _)) => {
                    (self.shown.played, self.shown.share) = (played, None);
                    self.shown.revision = Some(revision);
                }
                JobEvent::Cancelled => self.shown.share = None,
                JobEvent::Failed(error) => {
                    (self.shown.error, self.shown.share) = (Some(error.to_string()), None);
                }
                JobEvent::Panicked(message) => {
                    let text = format!("the simulation broke off: {message}");
                    (self.shown.error, self.shown.share) = (Some(text), None);
                }
            }
        }
        if !self.lane.is_busy() {
            self.shown.share = None;
        }
        for (_, event) in self.looks.poll() {
            match event {
                JobEvent::Done(look) => self.shown.look = Some(look),
                JobEvent::Failed(error) => self.unread(error.to_string()),
                JobEvent::Panicked(message) => self.unread(format!("reading the trace broke off: {message}")),
                JobEvent::Partial(_) | JobEvent::Cancelled => {}
            }
        }
        if let Some((_, read)) = &mut self.shown.looking {
            *read = self.looks.progress().map_or(*read, |(_, progress)| progress.done);
        }
        if !self.looks.is_busy() {
            self.shown.looking = None;
        }
    }

    fn unread(&mut self, why: String) {
        if let Some((ask, _)) = self.shown.looking.clone() {
            let result = Err(Unread { why, need: Need::Nothing });
            self.shown.look = Some(Looked { ask, columns: Vec::new(), result });
        }
    }

    /// What the page shows.
    #[must_use]
    pub const fn shown(&self) -> &Simulated {
        &self.shown
    }
}

/// Follows a simulation: hands pictures of it out, holds it, stops it.
struct Follower<'a> {
    ctl: &'a JobCtl<(Vec<Played>, f64)>,
    paused: &'a Pause,
    scenario: &'a Scenario,
    ask: &'a TrafficAsk,
    done: &'a [Played],
    plans: usize,
    replayed: bool,
    /// Requests of the trace, where they were counted before.
    requests: Option<u64>,
    last: Mutex<Option<Instant>>,
}

impl Listener for Follower<'_> {
    fn stop(&self) -> bool {
        self.paused.wait(|| self.ctl.should_stop());
        self.ctl.should_stop()
    }

    fn look(&self, replication: u32, simulation: &Simulation<'_>, share: f64) {
        let Ok(mut last) = self.last.try_lock() else { return };
        if replication != 0 || last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        *last = Some(Instant::now());
        let traffic = so_far(self.scenario, self.ask, simulation, self.replayed);
        let of_trace = self.requests.map(|all| traffic.played as f64 / all.max(1) as f64);
        let share = of_trace.map_or(share, |played| share.max(played).min(1.0));
        let mut all = self.done.to_vec();
        all.push(Played::of(self.ask.plan, traffic, Vec::new(), Vec::new()));
        self.ctl.partial((all, (self.done.len() as f64 + share) / self.plans as f64));
    }
}
