//! Simulations for the page *Traffic*: one at a time on a worker, shown while they run, paused and stopped.

use std::sync::Arc;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use egui_plot::PlotPoint;

use super::live::Where;
use super::plots::axis::log;
use crate::analysis::traffic::{
    Effect, Listener, Percentiles, ReplicasNeeded, Traffic, TrafficAsk, effect, replicas_needed, simulate,
    so_far,
};
use crate::catalog::Catalog;
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
    /// Share of the answers from response caches.
    Hits,
    /// Share of the calls that overflow.
    Overflow,
    /// Share of the calls that are lost.
    Lost,
}

impl Series {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Arrivals,
        Self::Answers,
        Self::Waiting,
        Self::Running,
        Self::Kv,
        Self::Busy,
        Self::Replicas,
        Self::Hits,
        Self::Overflow,
        Self::Lost,
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
            Self::Hits => "Response cache hits",
            Self::Overflow => "Overflow",
            Self::Lost => "Lost calls",
        }
    }

    /// Whether it is a share.
    #[must_use]
    pub const fn is_share(self) -> bool {
        matches!(self, Self::Kv | Self::Busy | Self::Hits | Self::Overflow | Self::Lost)
    }

    fn of(self, bin: &Bin, secs: f64) -> Option<f64> {
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
        // After the window nothing comes: only the last answers, whose shares would mislead.
        let bins = traffic.timeline.bins.iter().take((traffic.window.secs / secs).ceil() as usize);
        let hours = |at: usize| (at as f64 + 0.5) * secs / 3_600.0;
        let line = |series: Series| {
            let points = bins.clone().enumerate();
            points.filter_map(|(at, bin)| Some(PlotPoint::new(hours(at), series.of(bin, secs)?))).collect()
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
    paused: Arc<Pause>,
    shown: Simulated,
}

impl TrafficRunner {
    /// `notify` is called when there is something to show.
    #[must_use]
    pub fn new(place: Where, notify: impl Fn() + Clone + Send + Sync + 'static) -> Self {
        let lane = match place {
            Where::Threads => Lane::new("traffic", notify),
            Where::Inline => Lane::inline(),
        };
        Self { lane, paused: Arc::default(), shown: Simulated::default() }
    }

    /// Plays plans one after the other; with `needed` the replicas are searched that keep the targets.
    pub fn start(
        &mut self,
        revision: u64,
        scenario: Arc<Scenario>,
        catalog: Arc<Catalog>,
        asks: Vec<TrafficAsk>,
        needed: bool,
    ) {
        self.paused.set(false);
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
                    last: Mutex::new(None),
                };
                let traffic = simulate(&scenario, ask, None, None, &follower)?;
                let searched = if needed { replicas_needed(&scenario, ask, &follower)? } else { Vec::new() };
                // A scenario whose findings do not pass the check shows none.
                let effects = effect(&scenario, &catalog, &traffic, &searched).unwrap_or_default();
                let stopped = traffic.partial;
                done.push(Played::of(ask.plan, traffic, effects, searched));
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
        let traffic = so_far(self.scenario, self.ask, simulation);
        let mut all = self.done.to_vec();
        all.push(Played::of(self.ask.plan, traffic, Vec::new(), Vec::new()));
        self.ctl.partial((all, (self.done.len() as f64 + share) / self.plans as f64));
    }
}
