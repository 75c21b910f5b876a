//! Answers that keep up with the draft.
//!
//! Every revision is checked and answered in closed form within its frame. The forecast and the bands over volume
//! are drawn on lanes of their own and refine block by block, the bands after the forecast's first block and giving way
//! to the next one's; sensitivity waits until the draft rests. A result stays until a newer one replaces it, marked as
//! stale; a draft that does not check keeps the last good answers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::analysis::{self, BreakEven, Forecast, Outcome, Sensitivity};
use crate::catalog::Catalog;
use crate::job::{JobEvent, JobResult, Lane, Progress};
use crate::report::{self, Verdict};
use crate::scenario::{Currency, Problems, Scenario, ScenarioDraft};
use crate::serving::Calibration;
use crate::unit::format::Money;

use super::view::Shown;

/// How long the draft rests before sensitivity is computed.
const REST: Duration = Duration::from_millis(250);

/// Draws of a forecast on the calling thread: enough for an answer, and soon over.
const INLINE_TRIALS_MAX: u32 = 512;

/// Where slow answers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// On threads of their own.
    Threads,
    /// On the calling thread, before the frame goes on, with few draws: for tests.
    Inline,
}

impl Where {
    /// How many of the wanted draws are made here.
    fn trials(self, wanted: u32) -> u32 {
        match self {
            Self::Threads => wanted,
            Self::Inline => wanted.min(INLINE_TRIALS_MAX),
        }
    }
}

/// A result and the revision that it answers.
struct Answer<T> {
    value: T,
    revision: u64,
}

/// Everything that was last computed.
pub struct Live {
    scenario: Option<Arc<Scenario>>,
    problems: Problems,
    /// The revision that was last checked; none before the first.
    checked: Option<u64>,
    /// When it was.
    checked_at: Instant,
    good: bool,
    outcome: Option<Answer<Outcome>>,
    break_even: Option<Answer<BreakEven>>,
    forecast: Option<Answer<Forecast>>,
    sensitivity: Option<Answer<Sensitivity>>,
    verdict: Option<Verdict>,
    /// The revision for which sensitivity was last asked.
    sensitivity_asked: Option<u64>,
    /// When the bands over volume were last asked: the revision of the forecast that was shown then, and their own.
    bands_asked: Option<(u64, u64)>,
    forecasts: Lane<Forecast>,
    bands: Lane<BreakEven>,
    sensitivities: Lane<Sensitivity>,
    place: Where,
    stopped: bool,
    /// The revision whose forecast's first block is awaited: what is drawn beside it gives way.
    awaited: Arc<Awaited>,
    closed_form: Duration,
}

/// How long bands over volume give way at most, should a forecast never answer.
const GIVE_WAY_MAX: Duration = Duration::from_secs(1);

/// The revision whose forecast's first block is awaited, if any: what is drawn beside it gives way.
#[derive(Default)]
struct Awaited {
    revision: Mutex<Option<u64>>,
    arrived: Condvar,
}

impl Awaited {
    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.revision.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This revision is awaited from now on; none is nothing.
    fn set(&self, revision: Option<u64>) {
        *self.lock() = revision;
        self.arrived.notify_all();
    }

    /// The first block of a revision is there, or will never be; another one may be awaited by now.
    fn arrive(&self, revision: u64) {
        let mut awaited = self.lock();
        if *awaited == Some(revision) {
            *awaited = None;
            self.arrived.notify_all();
        }
    }

    /// Waits while something is awaited.
    fn give_way(&self) {
        let waiting = self.arrived.wait_timeout_while(self.lock(), GIVE_WAY_MAX, |awaited| awaited.is_some());
        drop(waiting);
    }
}

impl Live {
    /// Nothing computed yet; `notify` is called from other threads when there is something to show.
    #[must_use]
    pub fn new(place: Where, notify: impl Fn() + Clone + Send + Sync + 'static) -> Self {
        Self {
            scenario: None,
            problems: Problems::default(),
            checked: None,
            checked_at: Instant::now(),
            good: false,
            outcome: None,
            break_even: None,
            forecast: None,
            sensitivity: None,
            verdict: None,
            sensitivity_asked: None,
            bands_asked: None,
            forecasts: lane(place, "forecast", notify.clone()),
            bands: lane(place, "bands", notify.clone()),
            sensitivities: lane(place, "sensitivity", notify),
            place,
            stopped: false,
            awaited: Arc::default(),
            closed_form: Duration::ZERO,
        }
    }

    /// Forgets every answer: another document was opened, whose plans have nothing to do with them.
    pub fn forget(&mut self) {
        self.forecasts.cancel();
        self.awaited.set(None);
        self.bands.cancel();
        self.sensitivities.cancel();
        (self.scenario, self.checked, self.good) = (None, None, false);
        (self.outcome, self.break_even, self.forecast, self.sensitivity) = (None, None, None, None);
        (self.verdict, self.sensitivity_asked, self.bands_asked) = (None, None, None);
    }

    /// Checks a new revision, answers it in closed form and starts what takes longer.
    pub fn update(
        &mut self,
        revision: u64,
        draft: &ScenarioDraft,
        catalog: &Catalog,
        calibration: &Arc<Calibration>,
    ) {
        if self.checked == Some(revision) {
            return;
        }
        self.checked = Some(revision);
        self.checked_at = Instant::now();
        match Scenario::check(draft, catalog) {
            Err(problems) => {
                self.problems = problems;
                self.good = false;
                self.forecasts.cancel();
                self.awaited.set(None);
                self.bands.cancel();
            }
            Ok(scenario) => {
                self.good = true;
                self.problems = Problems { items: scenario.warnings().to_vec() };
                let scenario = Arc::new(scenario.with_calibration(Arc::clone(calibration)));
                let outcome = analysis::evaluate(&scenario);
                let mut break_even = analysis::break_even(&scenario);
                if let Some(before) = &self.break_even {
                    keep_bands(&before.value, &mut break_even);
                }
                self.closed_form = self.checked_at.elapsed();
                self.outcome = Some(Answer { value: outcome, revision });
                self.break_even = Some(Answer { value: break_even, revision });
                self.scenario = Some(scenario);
                self.word();
                self.draw();
            }
        }
    }

    /// Starts the forecast over, for the last good scenario; the bands over volume follow it.
    pub fn draw(&mut self) {
        let (Some(scenario), Some(revision)) = (&self.scenario, self.checked) else { return };
        (self.stopped, self.bands_asked) = (false, self.bands_asked.filter(|asked| asked.1 != revision));
        let trials = self.place.trials(scenario.draft().settings.trials);
        let (of, awaited) = (Arc::clone(scenario), Arc::clone(&self.awaited));
        self.awaited.set(Some(revision));
        self.forecasts.submit(revision, move |ctl| {
            ctl.honour_stop_after_first_partial();
            ctl.progress(0, u64::from(trials), "draws");
            let answer = analysis::forecast_until(&of, trials, &|| ctl.should_stop(), &mut |partial| {
                awaited.arrive(revision);
                ctl.progress(u64::from(partial.header.draws), u64::from(trials), "draws");
                ctl.partial(partial);
                !ctl.should_stop()
            });
            awaited.arrive(revision);
            Ok(answer)
        });
        self.poll();
    }

    /// Starts the bands over volume once a newer forecast has its first block: both use every core, and what one
    /// waits for after an edit is the forecast. It need not be of the newest revision, which a long drag would put off
    /// for ever.
    fn band(&mut self) {
        let (Some(scenario), Some(revision), true) = (&self.scenario, self.checked, self.good) else {
            return;
        };
        let Some(drawn) = self.forecast.as_ref().map(|answer| answer.revision) else { return };
        let asked = self.bands_asked.is_some_and(|(after, of)| after == drawn || of == revision);
        if asked || self.stopped {
            return;
        }
        self.bands_asked = Some((drawn, revision));
        let trials = self.place.trials(scenario.draft().settings.trials).min(analysis::BAND_TRIALS);
        let (of, awaited) = (Arc::clone(scenario), Arc::clone(&self.awaited));
        self.bands.submit(revision, move |ctl| {
            ctl.honour_stop_after_first_partial();
            let bands =
                analysis::break_even_bands_beside(&of, trials, &|| awaited.give_way(), &mut |partial| {
                    ctl.partial(partial);
                    !ctl.should_stop()
                });
            Ok(bands)
        });
    }

    /// Asks the forecast to stop; what was drawn stays.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.forecasts.cancel();
        self.awaited.set(None);
        self.bands.cancel();
    }

    /// Takes what the lanes have, and asks for sensitivity when the draft has rested.
    ///
    /// - Returns what failed, one sentence each, and how soon to look again if something waits for the draft to rest.
    pub fn poll(&mut self) -> (Vec<String>, Option<Duration>) {
        let mut failures = Vec::new();
        let mut drawn = take(&self.forecasts, &mut self.forecast, "forecast", &mut failures);
        self.band();
        drawn |= take(&self.bands, &mut self.break_even, "bands over volume", &mut failures);
        take(&self.sensitivities, &mut self.sensitivity, "sensitivity", &mut failures);
        if drawn {
            self.word();
        }
        (failures, self.sense())
    }

    fn sense(&mut self) -> Option<Duration> {
        let (Some(scenario), Some(revision), true) = (&self.scenario, self.checked, self.good) else {
            return None;
        };
        if self.sensitivity_asked == Some(revision) {
            return None;
        }
        let rested = self.checked_at.elapsed();
        if rested < REST && self.place == Where::Threads {
            return Some(REST.saturating_sub(rested));
        }
        self.sensitivity_asked = Some(revision);
        let scenario = Arc::clone(scenario);
        self.sensitivities
            .submit(revision, move |_| -> JobResult<_> { Ok(analysis::sensitivity(&scenario)) });
        (self.place == Where::Inline).then_some(Duration::ZERO)
    }

    /// The scenario of the newest revision; none while it does not check.
    #[must_use]
    pub fn scenario(&self) -> Option<Arc<Scenario>> {
        self.scenario.clone().filter(|_| self.good)
    }

    /// What is wrong with the draft, or worth knowing.
    #[must_use]
    pub const fn problems(&self) -> &Problems {
        &self.problems
    }

    /// The closed-form answer.
    #[must_use]
    pub fn outcome(&self) -> Option<Shown<'_, Outcome>> {
        self.shown(&self.outcome)
    }

    /// Cost over volume.
    #[must_use]
    pub fn break_even(&self) -> Option<Shown<'_, BreakEven>> {
        self.shown(&self.break_even)
    }

    /// The forecast, unless it is about other plans than the outcome: then none until the first block is drawn, as
    /// the positions of plans would not agree.
    #[must_use]
    pub fn forecast(&self) -> Option<Shown<'_, Forecast>> {
        let outcome = &self.outcome.as_ref()?.value;
        self.shown(&self.forecast).filter(|shown| {
            shown.value.plans.iter().map(|plan| &plan.id).eq(outcome.plans.iter().map(|plan| &plan.id))
        })
    }

    /// One at a time; not while it is about another number of plans.
    #[must_use]
    pub fn sensitivity(&self) -> Option<Shown<'_, Sensitivity>> {
        let outcome = &self.outcome.as_ref()?.value;
        self.shown(&self.sensitivity).filter(|shown| shown.value.base.len() == outcome.plans.len())
    }

    fn shown<'a, T>(&self, answer: &'a Option<Answer<T>>) -> Option<Shown<'a, T>> {
        answer.as_ref().map(|answer| Shown {
            value: &answer.value,
            stale: self.checked != Some(answer.revision) || !self.good,
        })
    }

    /// The currency of the scenario that the answers are about.
    #[must_use]
    pub fn currency(&self) -> Option<&Currency> {
        self.scenario.as_ref()?.draft().settings.currency.as_ref()
    }

    /// The answer in words.
    #[must_use]
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    fn word(&mut self) {
        let verdict = self.outcome().map(|outcome| {
            // Words about draws of an older revision would contradict the figures beside them.
            let forecast = self.forecast().filter(|shown| !shown.stale).map(|shown| shown.value);
            let break_even = self.break_even().map(|shown| shown.value);
            let money = self.scenario.as_ref().map_or_else(Money::default, |of| of.draft().settings.money());
            report::verdict(outcome.value, forecast, break_even, &money)
        });
        self.verdict = verdict;
    }

    /// How far the forecast is, while it is drawn.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.forecasts.progress().map(|(_, progress)| progress)
    }

    /// Whether the user stopped the forecast.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// How long check and closed-form answers took for the last revision.
    #[must_use]
    pub const fn closed_form(&self) -> Duration {
        self.closed_form
    }
}

fn lane<T: Send + 'static>(place: Where, name: &str, notify: impl Fn() + Send + Sync + 'static) -> Lane<T> {
    match place {
        Where::Threads => Lane::new(name, notify),
        Where::Inline => Lane::inline(),
    }
}

/// Takes what a lane has; returns whether there is a new answer.
fn take<T: Send + 'static>(
    lane: &Lane<T>,
    slot: &mut Option<Answer<T>>,
    what: &str,
    failures: &mut Vec<String>,
) -> bool {
    let mut fresh = false;
    for (revision, event) in lane.poll() {
        // A block that comes late must not replace a newer answer.
        let newer = slot.as_ref().is_none_or(|answer| answer.revision <= revision);
        match event {
            JobEvent::Partial(value) if newer => {
                (*slot, fresh) = (Some(Answer { value, revision }), true);
            }
            JobEvent::Done(value) if newer => {
                (*slot, fresh) = (Some(Answer { value, revision }), true);
            }
            JobEvent::Failed(error) => failures.push(format!("The {what} failed: {error}")),
            JobEvent::Panicked(message) => failures.push(format!("The {what} broke off: {message}")),
            JobEvent::Partial(_) | JobEvent::Done(_) | JobEvent::Cancelled => {}
        }
    }
    fresh
}

/// Lends the bands of an older answer to a newer one until its own are drawn, so that they do not flicker.
fn keep_bands(before: &BreakEven, now: &mut BreakEven) {
    let same_plans = before.plans.iter().map(|plan| &plan.id).eq(now.plans.iter().map(|plan| &plan.id));
    if !same_plans || before.volumes != now.volumes {
        return;
    }
    for (before, now) in before.plans.iter().zip(&mut now.plans) {
        now.bands.clone_from(&before.bands);
    }
    for crossing in &mut now.crossings {
        let pair = |other: &&analysis::Crossing| {
            (other.cheaper_below, other.cheaper_above) == (crossing.cheaper_below, crossing.cheaper_above)
        };
        crossing.band = before.crossings.iter().find(pair).and_then(|before| before.band);
    }
}
