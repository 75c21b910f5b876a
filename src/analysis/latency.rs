//! Latency as a reader feels it, in the busiest hour of the first month: per use case, and of a plan.
//!
//! Closed forms: a provider's figures are the user's, a deployment's come from the queueing approximation of
//! [`ttft`]. What stands before an endpoint counts: asking the response caches, classifying, and in a cascade the
//! answers that are given and verified first. Answers from a response cache are not in the mean: they are faster.

use crate::routing::{Router, Serves};
use crate::scenario::Scenario;
use crate::serving::{Load, ttft};

use super::evaluator::Evaluator;
use super::results::Latency;

/// Coefficient of variation of a call's time on a replica: answers differ in length about as much as exponentials.
const SERVICE_CV: f64 = 1.0;

/// What an overloaded deployment shows: it queues without bound.
const OVERLOADED_SECS: f64 = 3600.0;

/// A way that takes less than this share of the calls does not decide the 95th percentile.
const TAIL_SHARE: f64 = 0.05;

/// The latency of one use case under one plan.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UseCaseLatency {
    /// Means over the calls.
    pub mean: Latency,
    /// 95th percentile of the time to first token: the slowest way that takes a twentieth of the calls.
    pub ttft_p95_secs: f64,
    /// Calls per month that are answered by an endpoint.
    pub calls: f64,
}

/// One call at one endpoint, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Call {
    first: f64,
    first_p95: f64,
    each: f64,
    whole: f64,
}

/// The latency of a plan: its use cases weighted by calls.
pub(super) fn of_plan(rows: &[UseCaseLatency]) -> Latency {
    let calls: f64 = rows.iter().map(|row| row.calls).sum();
    let mean = |of: fn(&Latency) -> f64| {
        if calls > 0.0 { rows.iter().map(|row| row.calls * of(&row.mean)).sum::<f64>() / calls } else { 0.0 }
    };
    Latency {
        ttft_secs: mean(|latency| latency.ttft_secs),
        tpot_secs: mean(|latency| latency.tpot_secs),
        e2e_secs: mean(|latency| latency.e2e_secs),
    }
}

/// The latency of the use case in `slot` in the month that was costed last.
pub(super) fn of_use_case(
    scenario: &Scenario,
    evaluator: &Evaluator<'_>,
    plan: usize,
    slot: usize,
) -> UseCaseLatency {
    let state = &scenario.point().plans[plan];
    let route = &scenario.facts().plans[plan].routes[slot];
    let router = route.exception.map_or(&state.router, |place| &state.routes[place].router);
    let before: f64 = [&state.caches.exact, &state.caches.semantic]
        .into_iter()
        .flatten()
        .map(|cache| cache.lookup_secs)
        .sum();
    let world = &evaluator.plans[plan];
    let count = state.endpoints.len();
    let calls_per_request = evaluator.use_cases[slot].demand.calls;
    let flow = |position: usize| world.flows[slot * count + position] * calls_per_request;
    let at = |position: usize| call(scenario, evaluator, plan, slot, position);
    let mut sum = Sum::default();
    match router {
        Router::Cascade(cascade) => {
            let asked = route.tiers.first().map_or(0.0, |first| flow(*first));
            let (mut elapsed, mut arriving) = (before, asked);
            for (place, (step, tier)) in cascade.steps.iter().zip(&route.tiers).enumerate() {
                let call = at(*tier);
                if place + 1 == cascade.steps.len() {
                    sum.add(arriving, asked, elapsed, call);
                } else {
                    // What must be verified is not streamed: the reader sees it when it is whole.
                    elapsed += call.whole + cascade.verifier_secs;
                    let shown = Call { each: call.each, ..Call::default() };
                    sum.add(arriving * step.accept, asked, elapsed, shown);
                    arriving *= 1.0 - step.accept;
                }
            }
        }
        Router::Single(_) | Router::Split(_) | Router::Overflow(_) => {
            let wait = match router {
                Router::Split(split) => before + split.classifier_secs,
                _ => before,
            };
            let all: f64 = (0..count).map(flow).sum();
            for position in (0..count).filter(|position| flow(*position) > 0.0) {
                sum.add(flow(position), all, wait, at(position));
            }
        }
    }
    sum.done()
}

#[derive(Default)]
struct Sum {
    total: UseCaseLatency,
}

impl Sum {
    fn add(&mut self, calls: f64, all: f64, before: f64, call: Call) {
        self.total.calls += calls;
        self.total.mean.ttft_secs += calls * (before + call.first);
        self.total.mean.tpot_secs += calls * call.each;
        self.total.mean.e2e_secs += calls * (before + call.whole);
        if calls > TAIL_SHARE * all {
            self.total.ttft_p95_secs = self.total.ttft_p95_secs.max(before + call.first_p95);
        }
    }

    fn done(mut self) -> UseCaseLatency {
        if self.total.calls > 0.0 {
            self.total.mean.ttft_secs /= self.total.calls;
            self.total.mean.tpot_secs /= self.total.calls;
            self.total.mean.e2e_secs /= self.total.calls;
        }
        self.total
    }
}

/// One call of a use case at an endpoint. The percentile of a provider is not known: its stated figure stands for it.
fn call(scenario: &Scenario, evaluator: &Evaluator<'_>, plan: usize, slot: usize, position: usize) -> Call {
    let endpoint = &scenario.point().plans[plan].endpoints[position];
    let demand = &evaluator.use_cases[slot].demand;
    let output = demand.output_per_call() * endpoint.token_factor;
    let (first, first_p95, each) = match &endpoint.serves {
        Serves::Api(api) => (api.ttft_secs, api.ttft_secs, 1.0 / api.output_tokens_per_sec),
        Serves::SelfHosted(_) => own_call(scenario, evaluator, plan, slot, position),
    };
    Call { first, first_p95, each, whole: first + each * (output - 1.0).max(0.0) }
}

/// Mean and P95 of the time to first token, and the time per output token, at the load of the busiest hour.
fn own_call(
    scenario: &Scenario,
    evaluator: &Evaluator<'_>,
    plan: usize,
    slot: usize,
    position: usize,
) -> (f64, f64, f64) {
    let world = &evaluator.plans[plan];
    let cell = &world.cells[slot * world.memory.len() + position];
    let (Some(steady), Some(week)) = (&cell.steady, &world.weeks[position]) else {
        return (OVERLOADED_SECS, OVERLOADED_SECS, 0.0);
    };
    let use_case = &scenario.point().workload.use_cases[scenario.facts().use_cases[slot].position];
    let load = Load {
        calls_per_sec: week.peak_utilisation * week.peak_replicas * steady.calls_per_sec,
        replicas: week.peak_replicas,
        arrival_cv: use_case.burstiness_cv,
        service_cv: SERVICE_CV,
    };
    match ttft(steady, &load) {
        Some(wait) => (wait.mean_secs, wait.p95_secs, steady.tpot_secs),
        None => (OVERLOADED_SECS, OVERLOADED_SECS, steady.tpot_secs),
    }
}
