//! The shape of demand, as the scenario file holds it and as a trial instantiates it.

use serde::{Deserialize, Serialize};

use crate::stats::quantities::Table;
use crate::{plain, quantified};

use super::Quantiles;

quantified! {
    /// Everything that is asked for: a list of use cases.
    pub struct Workload<Q> {
        /// The streams of requests; order is the order of display.
        pub use_cases: Vec<UseCase<Q>>,
    }

    /// A stream of requests of one shape: a feature, a team, a product.
    ///
    /// A *request* is what a person (or a program) asks once. With a conversation it is one turn; with an agent
    /// loop it takes several *calls* to a model.
    pub keyed struct UseCase<Q> {
        /// Stable name, used in paths and files: lower case, digits, `-`, `_`.
        pub id: String,
        /// Name for people.
        pub name: String,
        /// Who pays: the team or customer of cost allocation.
        pub team: String,
        /// Whether it takes part.
        pub enabled: bool,
        /// Mean requests per day in the first month; > 0.
        pub requests_per_day: Q,
        /// How the volume develops over the months.
        pub growth: Growth<Q>,
        /// How a week's requests fall on its 168 hours.
        pub profile: Profile,
        /// Coefficient of variation of the time between arrivals within an hour; 1 is Poisson; >= 0.
        pub burstiness_cv: Q,
        /// System prompt, in tokens; the same for every call, so a cacheable prefix.
        pub system_prompt_tokens: Q,
        /// Context retrieved for each request (RAG), in tokens.
        pub retrieved_tokens: Q,
        /// What the user writes, in tokens per request.
        pub user_tokens: Length<Q>,
        /// What the model answers, in tokens per call, before any limit.
        pub output_tokens: Length<Q>,
        /// Hidden reasoning, in tokens per call; billed as output, not kept in the conversation.
        pub reasoning_tokens: Q,
        /// The most output tokens that a call may produce (reasoning not counted); none means no limit.
        pub max_tokens: Option<Q>,
        /// Readers of a stream who stop it early.
        pub early_stop: EarlyStop<Q>,
        /// Turns that carry what was said before.
        pub conversation: Conversation<Q>,
        /// Calls of an agent loop, each carrying the calls before it.
        pub agent: Agent<Q>,
        /// Failed attempts and their repetition.
        pub retries: Retries<Q>,
        /// Embeddings and the vector store of retrieval, if there is any.
        pub embedding: Option<Embedding<Q>>,
        /// How often requests repeat: what a response cache can live on.
        pub repetition: Repetition<Q>,
        /// Share of requests that need a large model (0..=1): what routing may get wrong.
        pub hard_share: Q,
        /// Latency that the users of this use case accept.
        pub slo: Slo<Q>,
        /// What a plan must respect.
        pub constraints: Constraints,
    }

    /// How the volume develops; month 0 is the first month of the scenario.
    pub enum Growth<Q> {
        /// The same volume every month.
        Flat,
        /// Multiplied by (1 + rate) each month; the rate is a share per month, > -1.
        Compound(Q),
        /// Grows by this share of the first month's volume every month.
        Linear(Q),
        /// Saturating growth.
        SCurve(SCurve<Q>),
        /// Factor on the first month's volume, one per month; the last one holds from then on.
        Table(Table),
    }

    /// Logistic growth from 1 to `ceiling` times the first month's volume.
    pub struct SCurve<Q> {
        /// Volume that is approached, as a multiple of the first month's; > 0.
        pub ceiling: Q,
        /// Month in which half of the growth has happened.
        pub midpoint_month: Q,
        /// Months from 12 % to 88 % of the growth; > 0 (the logistic scale is a quarter of it).
        pub rise_months: Q,
    }

    /// The distribution of a length over requests, in tokens. Its parameters may themselves be uncertain.
    pub struct Length<Q> {
        /// Half of the requests are shorter; > 0.
        pub median: Q,
        /// 95 % of the requests are shorter; at least the median (a draw below it counts as equal).
        pub p95: Q,
        /// The family; with `Fixed` and `Empirical` only the median counts.
        pub spread: LengthSpread,
    }

    /// Readers who stop a stream: with probability `share` only `at_fraction` of the answer is generated.
    pub struct EarlyStop<Q> {
        /// Share of calls that are stopped, 0..=1.
        pub share: Q,
        /// Where they are stopped, as a fraction of the answer, 0..=1.
        pub at_fraction: Q,
    }

    /// A number of turns or calls.
    pub struct Count<Q> {
        /// Its mean; >= 1. A `Fixed` count that is not whole mixes the two whole neighbours.
        pub mean: Q,
        /// Its distribution.
        pub kind: CountKind,
    }

    /// Turns that carry what was said before: input grows with every turn.
    pub struct Conversation<Q> {
        /// Turns of a conversation; mean 1 is no conversation.
        pub turns: Count<Q>,
        /// Mean seconds between two turns (exponential): what a provider's prompt cache must outlive.
        pub gap_secs: Q,
        /// Share of what was said that is carried on, 0..=1; below 1 means that each turn is summarised, once, when it
        /// becomes history.
        pub history_kept: Q,
        /// Longest history that is carried, in tokens; none means all of it.
        pub history_limit_tokens: Option<Q>,
    }

    /// An agent loop: one request takes several calls, each carrying the calls before it.
    pub struct Agent<Q> {
        /// Calls per request; mean 1 is no loop.
        pub calls: Count<Q>,
        /// Tokens that a tool returns after each call but the last.
        pub tool_result_tokens: Q,
        /// Mean seconds that a tool takes.
        pub tool_secs: Q,
        /// Fee per tool call, in US dollars.
        pub tool_usd: Q,
        /// Whether tool calls and results stay in the conversation's history.
        pub transcript_kept: bool,
    }

    /// Failed attempts. An attempt fails with probability `failure`, at most `max_retries` more are made.
    pub struct Retries<Q> {
        /// Probability that an attempt fails, 0..1.
        pub failure: Q,
        /// Most repetitions after the first attempt.
        pub max_retries: u32,
        /// How long a caller waits for the whole answer of an attempt, in seconds; then the attempt has failed. `None`: as
        /// long as it takes. Read by the traffic simulation alone: in closed form nothing is given up for being late.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub timeout_secs: Option<Q>,
        /// Share of a failed attempt that is billed all the same, 0..=1.
        pub billed_share: Q,
    }

    /// Embeddings and vector store of retrieval.
    pub struct Embedding<Q> {
        /// Catalogue id of the embedding model's price.
        pub price: String,
        /// Tokens embedded per request.
        pub query_tokens: Q,
        /// Tokens of documents embedded per month.
        pub ingested_tokens_per_month: Q,
        /// Vector store, US dollars per month.
        pub vector_store_usd_per_month: Q,
    }

    /// How requests repeat. Popularity of the distinct requests is Zipf's.
    pub struct Repetition<Q> {
        /// Distinct requests (or clusters of like meaning); >= 1.
        pub distinct: Q,
        /// Zipf's exponent; 0 is uniform; >= 0.
        pub zipf_alpha: Q,
        /// Share of requests whose answer may come from a response cache at all, 0..=1.
        pub cacheable_share: Q,
    }

    /// Latency targets at the 95th percentile.
    pub struct Slo<Q> {
        /// Time to first token, in seconds; > 0.
        pub ttft_secs: Q,
        /// Time per output token after the first, in seconds; > 0.
        pub tpot_secs: Q,
    }
}

/// The family of a [`Length`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LengthSpread {
    /// Every request has the median's length.
    Fixed,
    /// Log-normal through median and P95.
    LogNormal,
    /// Gamma with the log-normal's mean and variance.
    Gamma,
    /// Lengths as they were observed: a table of quantiles, scaled to the median.
    Empirical(Quantiles),
}

/// The distribution of a [`Count`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CountKind {
    /// Always the mean (whole neighbours mixed).
    Fixed,
    /// Geometric from 1: after each there is another with the same probability.
    Geometric,
}

/// How a week's requests fall on its hours; hour 0 is Monday 00:00 in the users' time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Profile {
    /// Every hour alike.
    Flat,
    /// Working days, with a lunch dip and quiet nights.
    OfficeHours,
    /// Evenings and weekends.
    ConsumerEvening,
    /// Working through the night.
    NightBatch,
    /// 168 weights of the user's own; only their ratios count.
    Hours(Table),
}

/// What a plan must respect for a use case; a violated one is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// Data must stay in this region, if it is named.
    pub region: Option<String>,
    /// Only self-hosted endpoints may answer.
    pub self_host_only: bool,
    /// No answer may be served to another user from a shared cache.
    pub no_shared_cache: bool,
}

plain!(LengthSpread, CountKind, Profile, Constraints);
