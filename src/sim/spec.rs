//! What is simulated: endpoints, routes, caches, and for how long.

use thiserror::Error;

use crate::unit::SimTime;

use super::answers::AnswerCacheSpec;
use super::api::ApiSpec;
use super::pool::{PoolSpec, ReplicaScaling};

/// A system to simulate.
#[derive(Clone, Debug)]
pub struct SimSpec {
    /// What can answer.
    pub endpoints: Vec<EndpointSpec>,
    /// How each stream of requests is treated, by [`super::Request::stream`].
    pub streams: Vec<StreamSpec>,
    /// Response cache of the same questions, asked first.
    pub exact: Option<AnswerCacheSpec>,
    /// Response cache of like questions.
    pub semantic: Option<AnswerCacheSpec>,
    /// No request is taken from then on; what is inside is played to its end. [`SimTime::NEVER`]: until the source ends.
    pub horizon: SimTime,
    /// Requests that come before are played and not counted.
    pub warmup: SimTime,
    /// Seed of all draws.
    pub seed: u64,
}

/// Something that answers.
#[derive(Clone, Debug)]
pub struct EndpointSpec {
    /// Its name; part of the names of its random streams.
    pub name: String,
    /// Tokens that its tokenizer makes of one of the requests'; > 0.
    pub token_factor: f64,
    /// Share of each prompt that is found in its prompt cache, where that is given and not simulated, 0..=1.
    pub given_hit_share: f64,
    /// What it is.
    pub kind: EndpointKind,
}

/// What an endpoint is.
#[derive(Clone, Debug)]
pub enum EndpointKind {
    /// A provider.
    Api(ApiSpec),
    /// Own GPUs.
    Own(Box<PoolSpec>),
}

/// How a stream of requests is treated.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    /// Its name.
    pub name: String,
    /// Where its requests go.
    pub route: Route,
    /// Whether response caches may answer it.
    pub cacheable: bool,
    /// Probability that an attempt fails at a provider, beside its own errors, 0..=1.
    pub failure_share: f64,
    /// Most repetitions of a failed attempt.
    pub retries_max: u32,
    /// How long a caller waits for the whole answer of an attempt, in seconds; then it is taken back and counts as failed.
    /// `None`: as long as it takes.
    pub timeout_secs: Option<f64>,
    /// Time before the first repetition, in seconds; doubles with each.
    pub backoff_secs: f64,
    /// Tokens of an answer that a limit or a router reckons with.
    pub expected_output: f64,
    /// Target of the time to first token, in seconds.
    pub ttft_slo_secs: f64,
    /// Target of the time per output token, in seconds.
    pub tpot_slo_secs: f64,
}

/// Where requests go; endpoints by place.
#[derive(Clone, Debug, PartialEq)]
pub enum Route {
    /// All to one.
    Single(usize),
    /// By share.
    Split {
        /// Endpoint and share; the shares are normalised.
        shares: Vec<(usize, f64)>,
        /// Time of classifying, in seconds.
        classifier_secs: f64,
    },
    /// The first answers; with the probability beside it the answer is good enough, else the next one answers too.
    Cascade {
        /// Endpoint and probability that its answer is taken; the last one's always is.
        steps: Vec<(usize, f64)>,
        /// Time of verifying, in seconds.
        verifier_secs: f64,
    },
    /// Own GPUs while they keep up, else the fallback.
    Overflow {
        /// Own GPUs.
        own: usize,
        /// Who takes the rest.
        fallback: usize,
        /// When it is too much.
        when: OverflowWhen,
    },
}

/// When own GPUs have enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OverflowWhen {
    /// The least loaded replica has so many calls, waiting or running.
    Calls(usize),
    /// So many calls wait at the replica with the shortest queue.
    Waiting(usize),
    /// The time to first token, predicted from the queue at this many seconds per call that waits, exceeds so many
    /// seconds.
    Ttft {
        /// Predicted seconds per call that waits.
        per_waiting_secs: f64,
        /// Most seconds.
        most_secs: f64,
    },
}

/// Why a system cannot be simulated.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SimError {
    /// No endpoint, or no stream.
    #[error("there is no {0} to simulate; add one")]
    Nothing(&'static str),
    /// A route names an endpoint that is not there.
    #[error("{stream} is routed to endpoint {endpoint}, and there are {endpoints}; name one of them")]
    NoSuchEndpoint {
        /// The stream.
        stream: String,
        /// The place that is named.
        endpoint: usize,
        /// How many there are.
        endpoints: usize,
    },
    /// Own GPUs without a replica.
    #[error("{endpoint} has no replica, so nothing can be answered there; give it at least one")]
    NoReplica {
        /// The endpoint.
        endpoint: String,
    },
    /// Overflow from something that is not own GPUs.
    #[error("{stream} overflows from {endpoint}, which is an API; only own GPUs can be full")]
    OverflowsFromApi {
        /// The stream.
        stream: String,
        /// The endpoint.
        endpoint: String,
    },
    /// The simulated time ends before it is counted.
    #[error("the warm-up of {warmup_secs} s is not shorter than the {horizon_secs} s that are simulated")]
    WarmupTooLong {
        /// Warm-up, in seconds.
        warmup_secs: f64,
        /// Simulated time, in seconds.
        horizon_secs: f64,
    },
}

impl SimSpec {
    /// Whether it can be simulated.
    ///
    /// # Errors
    /// [`SimError`] says what to change.
    pub fn check(&self) -> Result<(), SimError> {
        if self.endpoints.is_empty() {
            return Err(SimError::Nothing("endpoint"));
        }
        if self.streams.is_empty() {
            return Err(SimError::Nothing("stream of requests"));
        }
        if self.warmup >= self.horizon {
            let (warmup_secs, horizon_secs) = (self.warmup.secs(), self.horizon.secs());
            return Err(SimError::WarmupTooLong { warmup_secs, horizon_secs });
        }
        for stream in &self.streams {
            self.check_route(stream)?;
        }
        self.endpoints.iter().try_for_each(check_replicas)
    }

    fn check_route(&self, stream: &StreamSpec) -> Result<(), SimError> {
        let named: Vec<usize> = match &stream.route {
            Route::Single(at) => vec![*at],
            Route::Split { shares: ways, .. } | Route::Cascade { steps: ways, .. } => {
                ways.iter().map(|(at, _)| *at).collect()
            }
            Route::Overflow { own, fallback, .. } => vec![*own, *fallback],
        };
        if named.is_empty() {
            return Err(SimError::Nothing("endpoint on a route"));
        }
        let endpoints = self.endpoints.len();
        if let Some(&endpoint) = named.iter().find(|at| **at >= endpoints) {
            return Err(SimError::NoSuchEndpoint { stream: stream.name.clone(), endpoint, endpoints });
        }
        if let Route::Overflow { own, .. } = stream.route
            && matches!(self.endpoints[own].kind, EndpointKind::Api(_))
        {
            let endpoint = self.endpoints[own].name.clone();
            return Err(SimError::OverflowsFromApi { stream: stream.name.clone(), endpoint });
        }
        Ok(())
    }
}

fn check_replicas(endpoint: &EndpointSpec) -> Result<(), SimError> {
    let EndpointKind::Own(pool) = &endpoint.kind else { return Ok(()) };
    let most = match pool.scaling {
        ReplicaScaling::Fixed(replicas) => replicas,
        ReplicaScaling::Auto(auto) => auto.max.max(auto.min),
    };
    let prefill = pool.prefill.as_ref().map_or(1, |prefill| prefill.replicas);
    if most == 0 || prefill == 0 {
        return Err(SimError::NoReplica { endpoint: endpoint.name.clone() });
    }
    Ok(())
}
