//! What is asked of a simulation, and what cannot be.

use thiserror::Error;

use crate::routing::{Endpoint, Serves};
use crate::scenario::Scenario;
use crate::serving::ServingError;
use crate::sim::{BLOCK_TOKENS, Balance, Crowd, Eviction, SimError, Users};
use crate::unit::HOURS_PER_WEEK;
use crate::workload::Demand;

use super::own::fewest_replicas;

/// Seconds of an hour and of a day.
const HOUR: f64 = 3_600.0;
pub(super) const DAY: f64 = 24.0 * HOUR;

/// Fewest and most batches of one run: fewer tell no spread, more are too short and take memory.
const BATCHES: (u32, u32) = (2, 100);

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
    /// Parts of equal length into which the counted time of a single replication is cut, for confidence intervals from
    /// one long run (batch means); 0 is none. They hold where the load is even over the window and a part is long
    /// against the time that a queue needs to forget.
    pub batches: u32,
    /// Factor on the volume.
    pub rate_factor: f64,
    /// Flash crowds on top of the week.
    pub crowd: Option<Crowd>,
    /// Who begins conversations, per use case; `None`: each conversation is of a user of its own.
    pub users: Option<Users>,
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
            batches: 0,
            rate_factor: 1.0,
            crowd: None,
            users: None,
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

pub(super) fn check(ask: &TrafficAsk, scenario: &Scenario) -> Result<(), TrafficError> {
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
    if ask.batches > 0 {
        let batches = f64::from(ask.batches);
        if !(BATCHES.0..=BATCHES.1).contains(&ask.batches) {
            return wrong("the number of batches", batches, "2 to 100");
        }
        if ask.replications > 1 {
            return wrong("the number of batches", batches, "either batches or more than one replication");
        }
        if !ask.window_secs.is_finite() {
            return wrong("the number of batches", batches, "a window's length too, which batches divide");
        }
    }
    if let Some(users) = ask.users {
        if users.count == 0 {
            return wrong("the number of users", 0.0, "1 or more");
        }
        if !(0.0..=10.0).contains(&users.exponent) {
            return wrong("the exponent of the users' popularity", users.exponent, "0 to 10");
        }
    }
    if !(0.0..=100.0).contains(&ask.api_cv) {
        return wrong("the variation of providers' times", ask.api_cv, "0 to 100");
    }
    Ok(())
}

pub(super) fn check_outages(ask: &TrafficAsk, endpoints: &[Endpoint<f64>]) -> Result<(), TrafficError> {
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

pub(super) fn check_replicas(ask: &TrafficAsk, endpoints: &[Endpoint<f64>]) -> Result<(), TrafficError> {
    let Some(replicas) = ask.replicas else { return Ok(()) };
    let fewest = endpoints.iter().filter_map(|endpoint| match &endpoint.serves {
        Serves::SelfHosted(own) => Some(fewest_replicas(own)),
        Serves::Api(_) => None,
    });
    match fewest.max() {
        Some(fewest) if replicas < fewest => Err(TrafficError::Value {
            what: "the number of replicas",
            value: f64::from(replicas),
            remedy: "1 or more, and more than compute prompts alone",
        }),
        _ => Ok(()),
    }
}
