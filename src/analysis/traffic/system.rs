//! A plan as a system to simulate, at the expected values of every quantity.

use crate::cache::{HitRate, Popularity, PromptCache, ResponseCache};
use crate::pricing::Api;
use crate::routing::{Endpoint, Router, Serves};
use crate::scenario::{EndpointFacts, Scenario, ScenarioOf};
use crate::serving::Steady;
use crate::sim::{
    AnswerCacheSpec, AnswerHits, ApiSpec, EndpointKind, EndpointSpec, OverflowWhen, People, PeopleOptions,
    Remembered, Route, SimSpec, SimTime, Source, StreamSpec,
};
use crate::workload::Demand;

use super::super::evaluator::Evaluator;
use super::super::month::Total;
use super::super::situation::Situation;
use super::ask::{DAY, TrafficAsk, TrafficError, check, check_outages, check_replicas};
use super::own::pool_spec;

/// First wait before a failed call is sent again; doubles with each. The official client libraries of OpenAI and
/// Anthropic begin with half a second (`INITIAL_RETRY_DELAY`), read 2026-11-24.
const BACKOFF_SECS: f64 = 0.5;

/// What the closed form says about a plan in the month that is simulated.
pub(super) struct Expected {
    /// `use case * endpoints + endpoint`.
    pub steady: Vec<Option<Steady>>,
    /// Replicas of the busiest hour, by endpoint.
    pub replicas: Vec<f64>,
}

pub(super) fn expected(scenario: &Scenario, ask: &TrafficAsk) -> Expected {
    let mut evaluator = Evaluator::new(scenario);
    evaluator.prepare(scenario.point());
    let month = ask.month.min(scenario.facts().months.len().saturating_sub(1));
    evaluator.month(scenario.point(), ask.plan, month, ask.rate_factor, false, &mut Total::default());
    let world = &evaluator.plans[ask.plan];
    Expected {
        steady: world.cells.iter().map(|cell| cell.steady).collect(),
        replicas: world.weeks.iter().map(|week| week.map_or(0.0, |week| week.peak_replicas)).collect(),
    }
}

/// The system of a plan, with the ask's seed.
pub(super) fn system(scenario: &Scenario, ask: &TrafficAsk) -> Result<SimSpec, TrafficError> {
    check(ask, scenario)?;
    let state = scenario.point();
    let plan = &state.plans[ask.plan];
    check_outages(ask, &plan.endpoints)?;
    check_replicas(ask, &plan.endpoints)?;
    let expected = expected(scenario, ask);
    let facts = &scenario.facts().plans[ask.plan];
    let endpoints = plan.endpoints.iter().zip(&facts.endpoints).enumerate();
    let endpoints = endpoints
        .map(|(at, (endpoint, facts))| {
            let kind = match (&endpoint.serves, facts) {
                (Serves::Api(api), EndpointFacts::Api(facts)) => {
                    let least = facts.cache_min_tokens / endpoint.token_factor;
                    EndpointKind::Api(api_spec(api, endpoint, least, ask))
                }
                (Serves::SelfHosted(own), EndpointFacts::Own(facts)) => {
                    let steady = mean_steady(&expected, at, plan.endpoints.len());
                    let pool = pool_spec(
                        (own, facts),
                        endpoint,
                        ask,
                        expected.replicas[at],
                        steady,
                        scenario.calibration(),
                    );
                    EndpointKind::Own(Box::new(pool.map_err(|error| TrafficError::Deployment {
                        endpoint: endpoint.name.clone(),
                        error,
                    })?))
                }
                _ => unreachable!("facts are made from the endpoint"),
            };
            let given_hit_share = match &endpoint.prompt_cache {
                PromptCache::Given(share) => share.clamp(0.0, 1.0),
                PromptCache::Off | PromptCache::Derived(_) => 0.0,
            };
            Ok(EndpointSpec {
                name: endpoint.id.clone(),
                token_factor: endpoint.token_factor,
                given_hit_share,
                kind,
            })
        })
        .collect::<Result<_, TrafficError>>()?;
    let answers = |cache: &Option<ResponseCache<f64>>| cache.as_ref().map(|cache| answer_cache(cache, ask));
    let spec = SimSpec {
        endpoints,
        streams: streams(scenario, ask, state, &expected),
        exact: answers(&plan.caches.exact),
        semantic: answers(&plan.caches.semantic),
        horizon: SimTime::from_secs(ask.window_secs),
        warmup: SimTime::from_secs(ask.warmup()),
        seed: ask.seed,
    };
    spec.check()?;
    Ok(spec)
}

/// The steady state that closed forms know of an endpoint: of the use case with the smallest batch.
fn mean_steady(expected: &Expected, at: usize, endpoints: usize) -> Option<Steady> {
    let here = expected.steady.iter().skip(at).step_by(endpoints).flatten();
    here.min_by(|a, b| a.batch.total_cmp(&b.batch)).copied()
}

fn api_spec(api: &Api<f64>, endpoint: &Endpoint<f64>, least_tokens: f64, ask: &TrafficAsk) -> ApiSpec {
    let mut outages: Vec<(SimTime, SimTime)> = ask
        .outages
        .iter()
        .filter(|outage| outage.endpoint == endpoint.id)
        .map(|o| (SimTime::from_secs(o.from_secs), SimTime::from_secs(o.from_secs + o.secs)))
        .collect();
    outages.sort();
    ApiSpec {
        ttft_secs: api.ttft_secs,
        ttft_cv: ask.api_cv,
        tpot_secs: 1.0 / api.output_tokens_per_sec.max(1e-3),
        tpot_cv: ask.api_cv,
        tokens_per_min: api.limit_tokens_per_min,
        calls_per_min: None,
        error_share: 0.0,
        outages,
        prompt_ttl_secs: match &endpoint.prompt_cache {
            PromptCache::Derived(ttl) => Some(ttl.ttl_secs),
            PromptCache::Off | PromptCache::Given(_) => None,
        },
        prompt_min_tokens: least_tokens.round().clamp(0.0, 1e9) as u32,
    }
}

fn answer_cache(cache: &ResponseCache<f64>, ask: &TrafficAsk) -> AnswerCacheSpec {
    AnswerCacheSpec {
        hits: match &cache.hit {
            HitRate::Given(share) => AnswerHits::Given(share.clamp(0.0, 1.0)),
            HitRate::Derived(derived) => AnswerHits::Kept {
                capacity: derived.capacity_items.clamp(0.0, 1e9) as u64,
                ttl_secs: derived.ttl_secs.max(0.0),
                eviction: ask.eviction,
            },
        },
        lookup_secs: cache.lookup_secs,
        false_share: cache.false_hit_share,
    }
}

fn streams(
    scenario: &Scenario,
    ask: &TrafficAsk,
    state: &ScenarioOf<f64>,
    expected: &Expected,
) -> Vec<StreamSpec> {
    let facts = scenario.facts();
    let place = |slot: usize| {
        let use_case = &state.workload.use_cases[facts.use_cases[slot].position];
        let situation = Situation::new(scenario, state, ask.plan, &[]);
        let tiers = &facts.plans[ask.plan].routes[slot].tiers;
        let demand = Demand::of(use_case);
        StreamSpec {
            name: use_case.id.clone(),
            route: route(situation.router(slot), tiers, slot, expected),
            cacheable: !use_case.constraints.no_shared_cache,
            failure_share: use_case.retries.failure.clamp(0.0, 1.0),
            retries_max: use_case.retries.max_retries,
            timeout_secs: use_case.retries.timeout_secs,
            backoff_secs: BACKOFF_SECS,
            expected_output: demand.output_per_call(),
            ttft_slo_secs: use_case.slo.ttft_secs,
            tpot_slo_secs: use_case.slo.tpot_secs,
        }
    };
    (0..facts.use_cases.len()).map(place).collect()
}

fn route(router: &Router<f64>, tiers: &[usize], slot: usize, expected: &Expected) -> Route {
    match router {
        Router::Single(_) => Route::Single(tiers[0]),
        Router::Split(split) => Route::Split {
            shares: tiers.iter().copied().zip(split.shares.iter().map(|share| share.share)).collect(),
            classifier_secs: split.classifier_secs,
        },
        Router::Cascade(cascade) => Route::Cascade {
            steps: tiers.iter().copied().zip(cascade.steps.iter().map(|step| step.accept)).collect(),
            verifier_secs: cascade.verifier_secs,
        },
        Router::Overflow(overflow) => {
            let endpoints = expected.replicas.len();
            // Full is the batch that the closed form fills it to.
            let batch = expected.steady[slot * endpoints + tiers[0]].map_or(0.0, |steady| steady.batch);
            let calls = (overflow.fill_share.clamp(0.0, 1.0) * batch).round().max(1.0) as usize;
            Route::Overflow { own: tiers[0], fallback: tiers[1], when: OverflowWhen::Calls(calls) }
        }
    }
}

/// What was asked of the exact and of the semantic cache before the window, by use case.
pub(super) type AskedBefore = (Vec<Remembered>, Vec<Remembered>);

/// What was asked of the caches before the window.
///
/// A cache is shared: an answer stays its time to live, or until so many questions of all use cases have come after it
/// that the cache is full (Che), whichever is less. Empty where nothing is kept.
pub(super) fn asked_before(scenario: &Scenario, ask: &TrafficAsk) -> AskedBefore {
    let state = scenario.point();
    let caches = &state.plans[ask.plan].caches;
    let month = u32::try_from(ask.month).unwrap_or(u32::MAX);
    let mut asking: Vec<Remembered> = scenario
        .facts()
        .use_cases
        .iter()
        .map(|facts| {
            let use_case = &state.workload.use_cases[facts.position];
            let repetition = &use_case.repetition;
            let cacheable =
                if use_case.constraints.no_shared_cache { 0.0 } else { repetition.cacheable_share };
            let calls = use_case.agent.calls.expectation();
            let growth = use_case.growth.factor(month);
            Remembered {
                per_sec: ask.rate_factor * growth * use_case.requests_per_day * calls * cacheable / DAY,
                popularity: Popularity::new(repetition.distinct, repetition.zipf_alpha),
                secs: 0.0,
            }
        })
        .collect();
    let mut of = |cache: &Option<ResponseCache<f64>>| {
        let Some(HitRate::Derived(derived)) = cache.as_ref().map(|cache| &cache.hit) else {
            return Vec::new();
        };
        let secs = full_after(&asking, derived.capacity_items).min(derived.ttl_secs.max(0.0));
        let kept = asking.iter().map(|one| Remembered { secs, ..one.clone() }).collect();
        // The next cache is asked what this one does not answer.
        for one in &mut asking {
            one.per_sec *= 1.0 - one.popularity.hit_at(one.per_sec * secs);
        }
        kept
    };
    (of(&caches.exact), of(&caches.semantic))
}

/// Seconds after which a cache of `capacity` answers is full: the questions of all streams within them are so many
/// different ones. Infinite if all fit.
fn full_after(asking: &[Remembered], capacity: f64) -> f64 {
    let held =
        |secs: f64| -> f64 { asking.iter().map(|one| one.popularity.items_at(one.per_sec * secs)).sum() };
    if held(f64::MAX) <= capacity {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (1e-6_f64, 1e12_f64);
    for _ in 0..80 {
        let middle = (low * high).sqrt();
        if held(middle) < capacity { low = middle } else { high = middle }
    }
    (low * high).sqrt()
}

/// The people of every use case, at the month's volume.
pub(super) fn people(scenario: &Scenario, ask: &TrafficAsk, seed: u64) -> Vec<Box<dyn Source>> {
    let state = scenario.point();
    let month = u32::try_from(ask.month).unwrap_or(u32::MAX);
    let first_hour = ask.begins(scenario);
    let use_cases = scenario.facts().use_cases.iter().enumerate();
    use_cases
        .map(|(slot, facts)| {
            let use_case = &state.workload.use_cases[facts.position];
            let options = PeopleOptions {
                rate_factor: ask.rate_factor * use_case.growth.factor(month),
                first_hour,
                crowd: ask.crowd,
                users: ask.users,
                closed: ask.closed,
                seed,
            };
            Box::new(People::new(use_case, slot as u16, &options)) as Box<dyn Source>
        })
        .collect()
}
