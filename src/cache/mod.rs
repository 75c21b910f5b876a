//! Response caches: answers that no endpoint has to give.
//!
//! Exact first, then semantic. Hit rates are given or derived from popularity (Zipf) and capacity (Che).
//! The prompt (prefix) cache belongs to its endpoint: [`PromptCache`] here, its prices in the price sheet.

#![expect(
    clippy::manual_clamp,
    reason = "`max` then `min` turns a number that is none into the lower end; `clamp` keeps it"
)]

mod popularity;
mod prompt;
mod response;
mod shared;

pub use popularity::Popularity;
pub use prompt::{PromptCurve, PromptInputs, PromptSplit, prompt_split};
pub use response::{StackHits, response_hit, stack_hits};
pub use shared::{CacheStream, cache_parts};

use crate::quantified;

quantified! {
    /// The caches in front of the endpoints, asked in this order.
    pub struct CacheStack<Q> {
        /// Same request, same answer.
        pub exact: Option<ResponseCache<Q>>,
        /// Like request, same answer.
        pub semantic: Option<ResponseCache<Q>>,
    }

    /// A cache of whole answers.
    pub struct ResponseCache<Q> {
        /// Share of the requests that ask it and may be cached which it answers.
        pub hit: HitRate<Q>,
        /// Cost of asking (embedding and vector query), US dollars per request.
        pub lookup_usd_per_request: Q,
        /// Time of asking, in seconds.
        pub lookup_secs: Q,
        /// Storage and servers, US dollars per month.
        pub usd_per_month: Q,
        /// Share of its hits that are the wrong answer, 0..=1.
        pub false_hit_share: Q,
    }

    /// Where a hit rate comes from.
    pub enum HitRate<Q> {
        /// Stated by the user, 0..=1.
        Given(Q),
        /// Computed from the use case's repetition.
        Derived(DerivedHit<Q>),
    }

    /// What a computed hit rate needs beside the popularity.
    pub struct DerivedHit<Q> {
        /// Answers that the cache holds (least recently used goes first); >= 1.
        pub capacity_items: Q,
        /// Longest time that an answer stays, in seconds; > 0.
        pub ttl_secs: Q,
    }

    /// A provider's or a replica's cache of prompt prefixes.
    pub enum PromptCache<Q> {
        /// Not used.
        Off,
        /// Share of input tokens that are read from the cache, stated by the user, 0..=1.
        Given(Q),
        /// Computed: shared system prompt by arrival rate, history by the gap between turns, both against the
        /// time to live.
        Derived(PromptTtl<Q>),
    }

    /// How long a prefix stays in a prompt cache after its last use.
    pub struct PromptTtl<Q> {
        /// Time to live, in seconds; > 0. It chooses the write rate: up to 5 minutes, up to an hour, beyond.
        pub ttl_secs: Q,
    }
}
