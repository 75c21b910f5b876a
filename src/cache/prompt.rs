//! How input tokens split at an endpoint's cache of prompt prefixes.

use super::{PromptCache, PromptTtl};

/// A shorter pause than this counts as this, in seconds; only so that nothing divides by zero.
const PAUSE_MIN: f64 = 1e-3;

/// Input tokens per request, by what they cost; the three sum to the prompt tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PromptSplit {
    /// Neither read nor written: full price.
    pub fresh: f64,
    /// Read from the cache.
    pub read: f64,
    /// Missed but kept for later: billed at the write rate.
    pub written: f64,
}

/// What the split depends on: one use case at one endpoint. Tokens are per request, summed over its calls.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PromptInputs {
    /// System prompt, the same for everybody.
    pub system_tokens: f64,
    /// Conversation carried from earlier turns.
    pub history_tokens: f64,
    /// Retrieved context.
    pub retrieved_tokens: f64,
    /// What the user writes.
    pub user_tokens: f64,
    /// The agent loop's earlier calls and tool results.
    pub transcript_tokens: f64,
    /// Calls per request; >= 1.
    pub calls: f64,
    /// Requests per second that reach this endpoint.
    pub requests_per_sec: f64,
    /// Mean seconds between two turns of a conversation.
    pub gap_secs: f64,
    /// Mean seconds between two calls of an agent loop.
    pub tool_secs: f64,
    /// Shortest prefix that is cached at all, in tokens; 0 if there is no such rule.
    pub min_prefix_tokens: f64,
}

/// How a request's input tokens split at an endpoint's prompt cache.
///
/// - `Off`: all fresh. `Given(h)`: h of the prompt is read, the rest is fresh; nothing counts as written, since a
///   stated hit rate says nothing about writes.
/// - `Derived(ttl)`: each use keeps a prefix alive for another `ttl` seconds, and pauses are exponential, so a prefix
///   whose last use was a pause `g` ago on average is found with probability `1 - exp(-ttl / g)`:
///   - the system prompt, shared by all: `1 - exp(-ttl * calls/s)`, or the loop's own rate on later calls if greater;
///   - history: the gap between turns on a request's first call, the tool's pause on its later calls;
///   - the transcript: the tool's pause, except for the newest step of each call, which no call has sent before
///     (`2 / calls` of the transcript, exact for a fixed number of calls);
///   - retrieved context and the user's text: new on the first call, a prefix on the later ones.
///
///   What a later call or turn could read and this one does not find is written. New text that no later call of the
///   request repeats is fresh. A `ttl` of 0 or less is `Off`.
/// - If the cacheable prefix of the mean call is shorter than `min_prefix_tokens`, everything is fresh.
///
/// Not modelled: history holds the newest answer, which the provider may not have kept; eviction before `ttl`.
/// Negative inputs count as 0.
#[must_use]
pub fn prompt_split(cache: &PromptCache<f64>, inputs: &PromptInputs) -> PromptSplit {
    let parts = Parts::of(inputs);
    match *cache {
        PromptCache::Off => PromptSplit { fresh: parts.total(), ..PromptSplit::default() },
        PromptCache::Given(hit) => {
            let read = parts.total() * hit.max(0.0).min(1.0);
            PromptSplit { fresh: parts.total() - read, read, written: 0.0 }
        }
        PromptCache::Derived(PromptTtl { ttl_secs: ttl })
            if ttl > 0.0 && parts.prefix_per_call() >= inputs.min_prefix_tokens =>
        {
            derived(&parts, inputs, ttl)
        }
        PromptCache::Derived(_) => PromptSplit { fresh: parts.total(), ..PromptSplit::default() },
    }
}

/// Prompt tokens, none below 0, and the share of a request's calls that are not its first.
struct Parts {
    system: f64,
    history: f64,
    transcript: f64,
    /// Retrieved context and the user's text.
    own: f64,
    calls: f64,
    later: f64,
}

impl Parts {
    fn of(inputs: &PromptInputs) -> Self {
        let calls = inputs.calls.max(1.0).min(1e12);
        Self {
            system: tokens(inputs.system_tokens),
            history: tokens(inputs.history_tokens),
            transcript: tokens(inputs.transcript_tokens),
            own: tokens(inputs.retrieved_tokens) + tokens(inputs.user_tokens),
            calls,
            later: (calls - 1.0) / calls,
        }
    }

    fn total(&self) -> f64 {
        self.system + self.history + self.transcript + self.own
    }

    /// Mean tokens of a call that an earlier one may have sent.
    fn prefix_per_call(&self) -> f64 {
        (self.system + self.history + self.transcript + self.own * self.later) / self.calls
    }
}

fn derived(parts: &Parts, inputs: &PromptInputs, ttl: f64) -> PromptSplit {
    let Parts { system, history, transcript, own, calls, later } = *parts;
    let first = 1.0 - later;
    let in_loop = found(ttl / inputs.tool_secs.max(PAUSE_MIN));
    let by_gap = found(ttl / inputs.gap_secs.max(PAUSE_MIN));
    let shared = found(ttl * inputs.requests_per_sec.max(0.0) * calls);
    let new_steps = (2.0 / calls).min(1.0);
    let read = system * (first * shared + later * shared.max(in_loop))
        + history * (first * by_gap + later * in_loop)
        + transcript * (1.0 - new_steps) * in_loop
        + own * later * in_loop;
    // New text is kept only if another call will send it again; between one and two calls that is a chance.
    let repeated = (calls - 1.0).min(1.0);
    let fresh = own * first * (1.0 - repeated);
    let written = (parts.total() - read - fresh).max(0.0);
    PromptSplit { fresh, read, written }
}

/// Probability that an exponential pause of mean g ends within t, given t / g.
fn found(ratio: f64) -> f64 {
    -(-ratio).exp_m1()
}

/// A number of tokens that is computed with: 0 ..= 10⁶⁰ (sums of sums stay finite), not-a-number counts as 0.
fn tokens(value: f64) -> f64 {
    value.max(0.0).min(1e60)
}
