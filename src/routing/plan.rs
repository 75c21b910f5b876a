//! Plans, endpoints and routers, as the scenario holds them.

use crate::cache::{CacheStack, PromptCache};
use crate::pricing::{Api, CapacityTerms, PlanCosts};
use crate::quantified;
use crate::serving::Deployment;

quantified! {
    /// One complete way to serve the whole workload.
    pub keyed struct Plan<Q> {
        /// Stable name, used in paths and files.
        pub id: String,
        /// Name for people.
        pub name: String,
        /// What the plan is, in a sentence or two.
        pub notes: String,
        /// What can answer; at least one.
        pub endpoints: Vec<Endpoint<Q>>,
        /// How requests are spread over the endpoints.
        pub router: Router<Q>,
        /// Use cases that are routed otherwise.
        pub routes: Vec<Route<Q>>,
        /// Response caches in front.
        pub caches: CacheStack<Q>,
        /// Everything beside tokens and GPUs.
        pub costs: PlanCosts<Q>,
    }

    /// What answers a request: a model behind an API, or a deployment of our own.
    pub keyed struct Endpoint<Q> {
        /// Stable name within the plan.
        pub id: String,
        /// Name for people.
        pub name: String,
        /// How many tokens this model's tokenizer makes of one of the workload's; > 0.
        pub token_factor: Q,
        /// Quality of its answers, 0..=1, as the user judges them.
        pub quality: Q,
        /// Cache of prompt prefixes; at a provider it changes the price of input, on own GPUs it saves prefill only.
        pub prompt_cache: PromptCache<Q>,
        /// Region in which it runs, for constraints on residency; empty is unknown.
        pub region: String,
        /// Who serves it.
        pub serves: Serves<Q>,
    }

    /// Who serves an endpoint.
    pub enum Serves<Q> {
        /// A provider.
        Api(Api<Q>),
        /// Own or rented GPUs.
        SelfHosted(SelfHosted<Q>),
    }

    /// A deployment and what it costs.
    pub struct SelfHosted<Q> {
        /// Model, GPUs and engine.
        pub deployment: Deployment<Q>,
        /// How the GPUs are paid.
        pub terms: CapacityTerms<Q>,
        /// Storage of weights and caches, in GB (10⁹ bytes) per replica.
        pub storage_gb: Q,
        /// US dollars per GB and month.
        pub storage_usd_per_gb_month: Q,
    }

    /// A use case that is routed otherwise than the rest of the plan.
    pub struct Route<Q> {
        /// Id of the use case.
        pub use_case: String,
        /// Its router.
        pub router: Router<Q>,
    }

    /// How requests are spread.
    pub enum Router<Q> {
        /// Everything to one endpoint, by id.
        Single(String),
        /// By share.
        Split(Split<Q>),
        /// Small model first.
        Cascade(Cascade<Q>),
        /// Own capacity first, the rest to an API.
        Overflow(Overflow<Q>),
    }

    /// A classifier sends each request to one tier.
    pub struct Split<Q> {
        /// The tiers; their shares add up to 1 (they are normalised in a trial, refused by the check when fixed and off).
        pub shares: Vec<RouteShare<Q>>,
        /// Cost of classifying, US dollars per request.
        pub classifier_usd_per_request: Q,
        /// Time of classifying, in seconds.
        pub classifier_secs: Q,
        /// Share of requests that are sent to the wrong tier, 0..=1.
        pub misroute_share: Q,
        /// Quality lost by a hard request (see `hard_share` of the use case) that is misrouted, 0..=1.
        pub misroute_quality_loss: Q,
    }

    /// One tier of a split.
    pub struct RouteShare<Q> {
        /// Id of the endpoint.
        pub endpoint: String,
        /// Share of the requests, 0..=1.
        pub share: Q,
    }

    /// The first tier answers; a verifier accepts or the next tier answers too. All answers are paid.
    pub struct Cascade<Q> {
        /// The tiers, smallest first; what the last one answers is always accepted.
        pub steps: Vec<CascadeStep<Q>>,
        /// Cost of one verification, US dollars.
        pub verifier_usd_per_answer: Q,
        /// Time of one verification, in seconds.
        pub verifier_secs: Q,
    }

    /// One tier of a cascade.
    pub struct CascadeStep<Q> {
        /// Id of the endpoint.
        pub endpoint: String,
        /// Probability that its answer is accepted, 0..=1; not used for the last tier.
        pub accept: Q,
    }

    /// Own capacity takes what it can within the SLO, hour by hour; the rest goes to an API.
    pub struct Overflow<Q> {
        /// Id of the self-hosted endpoint.
        pub primary: String,
        /// Id of the API endpoint.
        pub fallback: String,
        /// Share of the capacity up to which the own endpoint is filled, 0..=1; the rest keeps its latency.
        pub fill_share: Q,
    }
}
