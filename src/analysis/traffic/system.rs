//! A plan as a system to simulate, at the expected values of every quantity.

use thiserror::Error;

use crate::cache::{HitRate, Popularity, PromptCache, ResponseCache};
use crate::pricing::{Api, CapacityTerms};
use crate::routing::{Endpoint, Router, SelfHosted, Serves};
use crate::scenario::{EndpointFacts, OwnFacts, Scenario, ScenarioOf};
use crate::serving::{
    Calibration, Deployment, Engine, Perf, Scaling, ServingError, Speed, Steady, decode_step_secs,
    prefill_secs,
};
use crate::sim::{
    AnswerCacheSpec, AnswerHits, ApiSpec, AutoScaling, BLOCK_TOKENS, Balance, Crowd, EndpointKind,
    EndpointSpec, Eviction, OverflowWhen, Pace, People, PeopleOptions, PoolSpec, Remembered, ReplicaLimits,
    ReplicaScaling, Route, SimError, SimSpec, SimTime, Source, SpotInterruptions, StreamSpec,
};
use crate::unit::HOURS_PER_WEEK;
use crate::workload::Demand;

use super::super::evaluator::Evaluator;
use super::super::month::Total;
use super::super::situation::Situation;

/// Seconds of an hour and of a day.
const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;

/// Tokens of a step: vLLM's defaults for an API server, on GPUs with 70 GiB or more and on smaller ones.
/// Source: vLLM 0.11, `EngineArgs._set_default_args` (`max_num_batched_tokens`), read 2026-11-24.
const STEP_TOKENS: (u32, u32) = (8_192, 2_048);
const LARGE_GPU_BYTES: f64 = 70.0 * 1024.0 * 1024.0 * 1024.0;

/// Time between two looks of an autoscaler, and how long it waits before it stops a replica: Kubernetes' defaults
/// (`--horizontal-pod-autoscaler-sync-period`, `stabilizationWindowSeconds`), read 2026-11-24.
const LOOK_SECS: f64 = 15.0;
const PATIENCE_SECS: f64 = 300.0;

/// Calls that may wait at a replica before the next is turned away: bounds the memory of a plan that cannot keep up.
const WAITING_MAX: usize = 20_000;

/// First wait before a failed call is sent again; doubles with each. The official client libraries of OpenAI and
/// Anthropic begin with half a second (`INITIAL_RETRY_DELAY`), read 2026-11-24.
const BACKOFF_SECS: f64 = 0.5;

/// An API endpoint that answers nothing for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage {
    /// Id of the endpoint.
    pub endpoint: String,
    /// Begin, in seconds after the start of the window.
    pub from_secs: f64,
    /// Length, in seconds.
    pub secs: f64,
}

/// What is to be simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficAsk {
    /// Place of the plan.
    pub plan: usize,
    /// Month whose volume is taken, from 0.
    pub month: usize,
    /// Length of the window, in seconds; > 0. Infinite: until a trace ends.
    pub window_secs: f64,
    /// Hour of the week in which it begins; `None`: so that it holds the busiest hour.
    pub first_hour: Option<usize>,
    /// Part of the window that is played and not counted, in seconds; `None`: a tenth, at most ten minutes.
    pub warmup_secs: Option<f64>,
    /// Seed of all draws.
    pub seed: u64,
    /// Times that the window is played, with other draws.
    pub replications: u32,
    /// Factor on the volume.
    pub rate_factor: f64,
    /// Flash crowds on top of the week.
    pub crowd: Option<Crowd>,
    /// Users in a closed loop instead of a volume, per use case, with their mean time to think in seconds.
    pub closed: Option<(u32, f64)>,
    /// Which replica gets a call.
    pub balance: Balance,
    /// Replicas of every own endpoint, instead of the plan's fleet.
    pub replicas: Option<u32>,
    /// What goes first from a full response cache.
    pub eviction: Eviction,
    /// Coefficient of variation of a provider's time to first token and time per token over calls; the scenario states
    /// means only, so that 0 plays every call at its mean.
    pub api_cv: f64,
    /// Outages of providers.
    pub outages: Vec<Outage>,
    /// Tokens of a KV block of own replicas; a power of two.
    pub block_tokens: u32,
}

impl TrafficAsk {
    /// A day of the first month under one plan.
    #[must_use]
    pub fn new(plan: usize, seed: u64) -> Self {
        Self {
            plan,
            month: 0,
            window_secs: DAY,
            first_hour: None,
            warmup_secs: None,
            seed,
            replications: 1,
            rate_factor: 1.0,
            crowd: None,
            closed: None,
            balance: Balance::LeastLoaded,
            replicas: None,
            eviction: Eviction::Lru,
            api_cv: 0.0,
            outages: Vec::new(),
            block_tokens: BLOCK_TOKENS,
        }
    }

    /// Seconds that are played and not counted.
    #[must_use]
    pub fn warmup(&self) -> f64 {
        const MOST: f64 = 600.0;
        self.warmup_secs.unwrap_or((0.1 * self.window_secs).min(MOST))
    }

    /// Hour of the week in which the window begins.
    #[must_use]
    pub fn begins(&self, scenario: &Scenario) -> usize {
        if let Some(hour) = self.first_hour {
            return hour % HOURS_PER_WEEK;
        }
        if self.window_secs > 6.0 * DAY {
            return 0;
        }
        let busiest = busiest_hour(scenario);
        if self.window_secs > 2.0 * HOUR { busiest / 24 * 24 } else { busiest }
    }
}

/// The hour of the week in which most tokens are asked for.
fn busiest_hour(scenario: &Scenario) -> usize {
    let mut hours = [0.0; HOURS_PER_WEEK];
    for facts in &scenario.facts().use_cases {
        let use_case = &scenario.point().workload.use_cases[facts.position];
        let demand = Demand::of(use_case);
        let tokens = use_case.requests_per_day * (demand.prompt_tokens() + demand.output_tokens);
        hours.iter_mut().zip(&facts.weights).for_each(|(hour, weight)| *hour += tokens * weight);
    }
    let busiest = hours.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    busiest.map_or(0, |(hour, _)| hour)
}

/// Why a plan cannot be simulated.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TrafficError {
    /// No such plan.
    #[error("there is no plan at place {plan}; the scenario has {plans}")]
    NoPlan {
        /// The place asked for.
        plan: usize,
        /// Plans there are.
        plans: usize,
    },
    /// A number that cannot be.
    #[error("{what} is {value}; write {remedy}")]
    Value {
        /// What it is.
        what: &'static str,
        /// What it says.
        value: f64,
        /// What to write.
        remedy: &'static str,
    },
    /// An outage of an endpoint that is not an API of the plan.
    #[error("{endpoint} is not an API endpoint of the plan; its endpoints are {endpoints}")]
    NoEndpoint {
        /// The endpoint named.
        endpoint: String,
        /// The ones there are.
        endpoints: String,
    },
    /// A deployment cannot run.
    #[error("{endpoint}: {error}")]
    Deployment {
        /// The endpoint.
        endpoint: String,
        /// Why.
        error: ServingError,
    },
    /// The system is not complete.
    #[error(transparent)]
    System(#[from] SimError),
    /// A trace could not be read.
    #[error("{0}")]
    Trace(String),
}

fn check(ask: &TrafficAsk, scenario: &Scenario) -> Result<(), TrafficError> {
    let plans = scenario.facts().plans.len();
    if ask.plan >= plans {
        return Err(TrafficError::NoPlan { plan: ask.plan, plans });
    }
    let wrong = |what, value, remedy| Err(TrafficError::Value { what, value, remedy });
    // A trace may be played to its end, however long it is.
    if !(ask.window_secs > 0.0 && (ask.window_secs <= 400.0 * DAY || ask.window_secs == f64::INFINITY)) {
        return wrong("the window in seconds", ask.window_secs, "more than 0 and at most 400 days");
    }
    if !(ask.rate_factor >= 0.0 && ask.rate_factor.is_finite()) {
        return wrong("the factor on the volume", ask.rate_factor, "0 or more");
    }
    if !(ask.warmup() >= 0.0 && ask.warmup() < ask.window_secs) {
        return wrong("the warm-up in seconds", ask.warmup(), "0 or more, and less than the window");
    }
    if !(0.0..=100.0).contains(&ask.api_cv) {
        return wrong("the variation of providers' times", ask.api_cv, "0 to 100");
    }
    Ok(())
}

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

/// The system of a plan.
pub(super) fn system(scenario: &Scenario, ask: &TrafficAsk, seed: u64) -> Result<SimSpec, TrafficError> {
    check(ask, scenario)?;
    let state = scenario.point();
    let plan = &state.plans[ask.plan];
    check_outages(ask, &plan.endpoints)?;
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
        seed,
    };
    spec.check()?;
    Ok(spec)
}

fn check_outages(ask: &TrafficAsk, endpoints: &[Endpoint<f64>]) -> Result<(), TrafficError> {
    for outage in &ask.outages {
        let known =
            endpoints.iter().any(|end| end.id == outage.endpoint && matches!(end.serves, Serves::Api(_)));
        if !known {
            let all: Vec<&str> = endpoints.iter().map(|end| end.id.as_str()).collect();
            return Err(TrafficError::NoEndpoint {
                endpoint: outage.endpoint.clone(),
                endpoints: all.join(", "),
            });
        }
    }
    Ok(())
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

/// What an own endpoint's replicas may do, and how fast they are.
fn pool_spec(
    (own, facts): (&SelfHosted<f64>, &OwnFacts),
    endpoint: &Endpoint<f64>,
    ask: &TrafficAsk,
    replicas: f64,
    steady: Option<Steady>,
    calibration: &Calibration,
) -> Result<PoolSpec, ServingError> {
    let d = &own.deployment;
    let speed = Speed::with(&facts.model, &facts.gpu, d, calibration)?;
    let sequences_max = d.max_sequences.clamp(1, 8_192);
    let (pace, front_secs) = match &speed {
        Speed::Calibrated(prepared) => (Pace::of(&prepared.0, sequences_max), prepared.0.front_secs()),
        Speed::Stated(_) => (stated_pace(facts, d, sequences_max, steady), 0.0),
    };
    let limits = ReplicaLimits {
        sequences_max,
        step_tokens_max: step_tokens(facts, d),
        kv_blocks: kv_blocks(&speed, steady, ask.block_tokens),
        block_tokens: ask.block_tokens,
        context_max: facts.model.context_max.clamp(1.0, 1e12) as u64,
        waiting_max: WAITING_MAX,
        swap_tokens_per_sec: None,
    };
    Ok(PoolSpec {
        limits,
        pace: pace.slowed(1.0 / d.capacity_factor.clamp(1e-3, 1e3)),
        prefix_cache: matches!(endpoint.prompt_cache, PromptCache::Derived(_)),
        balance: ask.balance,
        scaling: ask.replicas.map_or_else(|| scaling(d, replicas, steady), ReplicaScaling::Fixed),
        spot: spot(&own.terms, d.gpus_per_replica),
        front_secs,
        prefill: None,
    })
}

fn step_tokens(facts: &OwnFacts, d: &Deployment<f64>) -> u32 {
    let default = if facts.gpu.memory_bytes >= LARGE_GPU_BYTES { STEP_TOKENS.0 } else { STEP_TOKENS.1 };
    match d.engine {
        // llama.cpp's batch: `--batch-size`, 2048.
        Some(Engine::LlamaCpp) => STEP_TOKENS.1,
        _ => default,
    }
}

/// Blocks of KV. Layers with a window count with what they hold at the mean context.
fn kv_blocks(speed: &Speed, steady: Option<Steady>, block_tokens: u32) -> u64 {
    let (bytes, per_token) = match speed {
        Speed::Calibrated(prepared) => (prepared.0.memory.kv_bytes, kv_bytes_per_token(&prepared.0, steady)),
        Speed::Stated(memory) => (memory.kv_budget_bytes, memory.kv_bytes_per_token),
    };
    (bytes / per_token.max(1e-3) / f64::from(block_tokens.max(1))).clamp(1.0, 1e15) as u64
}

fn kv_bytes_per_token(perf: &Perf, steady: Option<Steady>) -> f64 {
    let memory = &perf.memory;
    let context = steady.map_or(memory.window, |steady| {
        (steady.prompt_tokens_per_sec + steady.output_tokens_per_sec) / steady.calls_per_sec.max(1e-12)
    });
    let seen = if context > 0.0 { (memory.window / context).min(1.0) } else { 1.0 };
    memory.kv_bytes_per_token + memory.kv_bytes_per_token_window * seen
}

/// Steps of a deployment whose efficiencies are stated.
fn stated_pace(facts: &OwnFacts, d: &Deployment<f64>, sequences_max: u32, steady: Option<Steady>) -> Pace {
    let (model, gpu) = (&facts.model, &facts.gpu);
    let prompt = steady
        .map_or(1_000.0, |steady| (steady.prompt_tokens_per_sec / steady.calls_per_sec.max(1e-12)).max(1.0));
    let whole = prefill_secs(model, gpu, d, prompt, prompt);
    let empty = prefill_secs(model, gpu, d, 1.0, 1.0);
    let per_token = (whole - empty).max(0.0) / prompt.max(1.0);
    let yielded = d
        .speculative
        .as_ref()
        .map_or(1.0, |s| crate::serving::accepted_tokens(s.acceptance, s.draft_tokens.clamp(0.0, 64.0)));
    let drafting =
        d.speculative.as_ref().map_or(1.0, |s| 1.0 + s.draft_tokens.max(0.0) * s.draft_cost_share.max(0.0));
    Pace::sampled(sequences_max, yielded, per_token, |batch, context| {
        if batch < 1.0 { empty } else { drafting * decode_step_secs(model, gpu, d, batch, context) }
    })
}

fn scaling(d: &Deployment<f64>, replicas: f64, steady: Option<Steady>) -> ReplicaScaling {
    match d.fleet.scaling {
        Scaling::Fixed(replicas) => ReplicaScaling::Fixed(replicas),
        Scaling::Peak => ReplicaScaling::Fixed(replicas.clamp(0.0, 1e5).ceil() as u32),
        Scaling::Auto { min, max, startup_minutes } => {
            let batch = steady.map_or(1.0, |steady| steady.batch.max(1.0));
            ReplicaScaling::Auto(AutoScaling {
                first: replicas.clamp(0.0, 1e5).ceil() as u32,
                min,
                max: max.max(min),
                start_secs: f64::from(startup_minutes) * 60.0,
                calls_per_replica: (batch / (1.0 + d.fleet.headroom.max(0.0))).max(1.0),
                every_secs: LOOK_SECS,
                patience_secs: PATIENCE_SECS,
            })
        }
    }
}

fn spot(terms: &CapacityTerms<f64>, gpus: u32) -> Option<SpotInterruptions> {
    let CapacityTerms::Spot(spot) = terms else { return None };
    let per_day = spot.interruptions_per_day * f64::from(gpus.max(1));
    (per_day > 0.0).then(|| SpotInterruptions {
        every_secs: DAY / per_day,
        back_secs: spot.lost_minutes.max(0.0) * 60.0,
    })
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
///
/// A cache is shared: an answer stays its time to live, or until so many questions of all use cases have come after it
/// that the cache is full (Che), whichever is less. Empty where nothing is kept.
pub(super) fn asked_before(scenario: &Scenario, ask: &TrafficAsk) -> (Vec<Remembered>, Vec<Remembered>) {
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
                closed: ask.closed,
                seed,
            };
            Box::new(People::new(use_case, slot as u16, &options)) as Box<dyn Source>
        })
        .collect()
}
