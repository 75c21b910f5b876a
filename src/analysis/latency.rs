//! Latency as a reader feels it, in the busiest hour of the first month: per use case, and of a plan.
//!
//! Closed forms: a provider's figures are the user's, a deployment's come from the queueing approximation of
//! [`ttft`]. What stands before an endpoint counts: asking the response caches, classifying, and in a cascade the
//! answers that are given and verified first.
//!
//! Means are over all requests that are answered. An answer from a response cache is there as a whole after the
//! lookup; a request that takes several calls counts with its mean call. The time per output token is over generated
//! answers, and so is the 95th percentile that is held against the target: cached answers would hide how long the
//! others wait.

use crate::routing::{Router, Serves};
use crate::scenario::Scenario;
use crate::serving::{Load, Steady, ttft};

use super::evaluator::Evaluator;
use super::results::Latency;
use super::situation::Situation;

/// Coefficient of variation of a call's time on a replica: answers differ in length about as much as exponentials.
const SERVICE_CV: f64 = 1.0;

/// What an overloaded deployment shows: it queues without bound.
const OVERLOADED_SECS: f64 = 3600.0;

/// A way that takes less than this share of the calls does not decide the 95th percentile.
const TAIL_SHARE: f64 = 0.05;

/// The latency of one use case under one plan.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UseCaseLatency {
    /// Means over the requests; the time per output token over the generated answers.
    pub mean: Latency,
    /// 95th percentile of the time to first token of generated answers: the slowest way that takes a twentieth of them.
    pub ttft_p95_secs: f64,
    /// Requests per month that an endpoint answers.
    pub generated: f64,
    /// Requests per month that a response cache answers.
    pub cached: f64,
}

/// One call at one endpoint, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Call {
    first: f64,
    first_p95: f64,
    each: f64,
    whole: f64,
}

/// The latency of a plan: its use cases weighted by requests.
pub(super) fn of_plan(rows: &[UseCaseLatency]) -> Latency {
    let mean = |weight: fn(&UseCaseLatency) -> f64, of: fn(&Latency) -> f64| {
        let all: f64 = rows.iter().map(weight).sum();
        if all > 0.0 { rows.iter().map(|row| weight(row) * of(&row.mean)).sum::<f64>() / all } else { 0.0 }
    };
    let answered = |row: &UseCaseLatency| row.generated + row.cached;
    Latency {
        ttft_secs: mean(answered, |latency| latency.ttft_secs),
        tpot_secs: mean(|row| row.generated, |latency| latency.tpot_secs),
        e2e_secs: mean(answered, |latency| latency.e2e_secs),
    }
}

/// What asking the response caches does to one use case; shares of its requests, times in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Lookup {
    /// Share that a cache answers.
    hits: f64,
    /// Mean time until they do.
    hit_secs: f64,
    /// Mean time that the others have asked in vain; some may not be cached and do not ask.
    miss_secs: f64,
    /// The longest of it.
    longest_secs: f64,
}

impl Lookup {
    fn of(scenario: &Scenario, evaluator: &Evaluator<'_>, plan: usize, slot: usize) -> Self {
        let situation = Situation::new(scenario, scenario.point(), plan, &evaluator.use_cases);
        let found = situation.hits(slot, evaluator.requests()[slot]);
        let stack = &situation.plan.caches;
        let [exact, semantic] = [&stack.exact, &stack.semantic]
            .map(|cache| cache.as_ref().map_or(0.0, |cache| cache.lookup_secs));
        let longest_secs = if found.asked > 0.0 { exact + semantic } else { 0.0 };
        let hits = found.total();
        let part = |secs: f64, of: f64| if of > 0.0 { secs / of } else { 0.0 };
        Self {
            hits,
            hit_secs: part(found.exact * exact + found.semantic * longest_secs, hits),
            miss_secs: part((found.asked - hits) * longest_secs, 1.0 - hits),
            longest_secs,
        }
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
    let world = &evaluator.plans[plan];
    let count = state.endpoints.len();
    let calls_per_request = evaluator.use_cases[slot].demand.calls;
    let flow = |position: usize| world.flows[slot * count + position] * calls_per_request;
    let at = |position: usize| call(scenario, evaluator, plan, slot, position);
    let mut sum = Sum::default();
    match router {
        Router::Cascade(cascade) => {
            let asked = route.tiers.first().map_or(0.0, |first| flow(*first));
            let (mut elapsed, mut arriving) = (0.0, asked);
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
                Router::Split(split) => split.classifier_secs,
                _ => 0.0,
            };
            let all: f64 = (0..count).map(flow).sum();
            for position in (0..count).filter(|position| flow(*position) > 0.0) {
                sum.add(flow(position), all, wait, at(position));
            }
        }
    }
    let lookup = Lookup::of(scenario, evaluator, plan, slot);
    sum.done(calls_per_request, lookup, evaluator.requests()[slot])
}

/// Sums over the calls that endpoints answer.
#[derive(Default)]
struct Sum {
    calls: f64,
    total: Latency,
    ttft_p95_secs: f64,
}

impl Sum {
    /// Adds calls of a way that takes `before` seconds until its endpoint is asked; `all` are the calls of all ways.
    fn add(&mut self, calls: f64, all: f64, before: f64, call: Call) {
        self.calls += calls;
        self.total.ttft_secs += calls * (before + call.first);
        self.total.tpot_secs += calls * call.each;
        self.total.e2e_secs += calls * (before + call.whole);
        if calls > TAIL_SHARE * all {
            self.ttft_p95_secs = self.ttft_p95_secs.max(before + call.first_p95);
        }
    }

    /// The means over the generated answers, and with the cached ones over all `requests` of a month.
    fn done(self, calls_per_request: f64, lookup: Lookup, requests: f64) -> UseCaseLatency {
        let (generated, cached) = (self.calls / calls_per_request, requests * lookup.hits);
        let per_call = |sum: f64| if self.calls > 0.0 { sum / self.calls } else { 0.0 };
        let over_all = |sum: f64| {
            let answered = generated + cached;
            let secs = generated * (lookup.miss_secs + per_call(sum)) + cached * lookup.hit_secs;
            if answered > 0.0 { secs / answered } else { 0.0 }
        };
        let mean = Latency {
            ttft_secs: over_all(self.total.ttft_secs),
            tpot_secs: per_call(self.total.tpot_secs),
            e2e_secs: over_all(self.total.e2e_secs),
        };
        let ttft_p95_secs = if self.calls > 0.0 { lookup.longest_secs + self.ttft_p95_secs } else { 0.0 };
        UseCaseLatency { mean, ttft_p95_secs, generated, cached }
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
    let per_replica = week.peak_utilisation * steady.calls_per_sec;
    let load = Load {
        calls_per_sec: week.peak_replicas * per_replica,
        replicas: week.peak_replicas,
        arrival_cv: use_case.burstiness_cv,
        service_cv: SERVICE_CV,
    };
    let tpot_secs = evaluator.tpot_at_rate(plan, slot, position, per_replica).unwrap_or(steady.tpot_secs);
    match ttft(&Steady { tpot_secs, ..*steady }, &load) {
        Some(wait) => (wait.mean_secs, wait.p95_secs, tpot_secs),
        None => (OVERLOADED_SECS, OVERLOADED_SECS, steady.tpot_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::super::month::Total;
    use super::*;
    use crate::catalog::Catalog;
    use crate::scenario::sample::everything;

    #[test]
    fn the_hits_of_the_means_are_those_of_the_bill() {
        let scenario = Scenario::check(&everything(), Catalog::shipped())
            .unwrap_or_else(|problems| panic!("{problems:#?}"));
        let mut evaluator = Evaluator::new(&scenario);
        evaluator.prepare(scenario.point());
        for plan in 0..scenario.draft().plans.len() {
            let flow = evaluator.month(scenario.point(), plan, 0, 1.0, false, &mut Total::default());
            let requests = evaluator.requests().to_vec();
            let hits = (0..requests.len())
                .map(|slot| requests[slot] * Lookup::of(&scenario, &evaluator, plan, slot).hits)
                .sum::<f64>();
            let share = hits / requests.iter().sum::<f64>();
            assert!(share > 0.0 && (share - flow.cache_hit_share).abs() < 1e-12, "{plan}: {share} {flow:?}");
        }
    }
}
