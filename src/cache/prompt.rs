//! How input tokens split at an endpoint's cache of prompt prefixes.

use super::{PromptCache, PromptTtl};
use crate::stats::found_within;

/// A shorter pause than this counts as this, in seconds; only so that nothing divides by zero.
const PAUSE_MIN: f64 = 1e-3;

/// An exponential pause of mean 1 ends within this with the probability 1, as far as a double can tell.
const CERTAIN: f64 = 40.0;

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
    PromptCurve::of(cache, inputs).split(inputs.requests_per_sec)
}

/// [`prompt_split`] as the rate of requests changes and nothing else: more requests find the shared system prompt more
/// often.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PromptCurve {
    total: f64,
    fresh: f64,
    /// Read at any rate.
    read: f64,
    /// System prompt of first calls, and of later calls of a loop.
    first: f64,
    later: f64,
    /// Probability that a later call finds what the one before it sent.
    in_loop: f64,
    /// Seconds by which each request per second multiplies the life of the system prompt: `ttl * calls`.
    life: f64,
}

impl PromptCurve {
    /// The curve of one use case at one endpoint; `inputs.requests_per_sec` is not looked at.
    #[must_use]
    pub fn of(cache: &PromptCache<f64>, inputs: &PromptInputs) -> Self {
        let parts = Parts::of(inputs);
        let total = parts.total();
        match *cache {
            PromptCache::Given(hit) => {
                let read = total * hit.max(0.0).min(1.0);
                Self { total, fresh: total - read, read, ..Self::default() }
            }
            PromptCache::Derived(PromptTtl { ttl_secs: ttl })
                if ttl > 0.0 && parts.prefix_per_call() >= inputs.min_prefix_tokens =>
            {
                derived(&parts, inputs, ttl)
            }
            PromptCache::Off | PromptCache::Derived(_) => Self { total, fresh: total, ..Self::default() },
        }
    }

    /// Tokens read per request at a rate of requests per second.
    #[must_use]
    #[inline]
    pub fn read(&self, requests_per_sec: f64) -> f64 {
        let shared = found(self.life * requests_per_sec.max(0.0));
        self.read + self.first * shared + self.later * shared.max(self.in_loop)
    }

    /// [`PromptCurve::read`] for many rates: `rate_factor * rates[i]` requests per second each.
    pub fn read_each(&self, rates: &[f64], rate_factor: f64, out: &mut [f64]) {
        if !self.follows_rate() {
            out.fill(self.read);
            return;
        }
        let life = self.life * rate_factor;
        for (out, rate) in out.iter_mut().zip(rates) {
            *out = life * rate;
        }
        // Where even the thinnest stream finds everything, so do the others.
        if out.iter().all(|x| *x >= CERTAIN) {
            out.fill(1.0);
        } else {
            found_within(out);
        }
        for shared in out {
            let later = if *shared > self.in_loop { *shared } else { self.in_loop };
            *shared = self.read + self.first * *shared + self.later * later;
        }
    }

    /// Whether the rate changes what is read.
    #[must_use]
    pub fn follows_rate(&self) -> bool {
        self.life > 0.0 && self.first + self.later > 0.0
    }

    /// The split at a rate of requests per second.
    #[must_use]
    pub fn split(&self, requests_per_sec: f64) -> PromptSplit {
        let read = self.read(requests_per_sec);
        PromptSplit { fresh: self.fresh, read, written: (self.total - read - self.fresh).max(0.0) }
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

fn derived(parts: &Parts, inputs: &PromptInputs, ttl: f64) -> PromptCurve {
    let Parts { system, history, transcript, own, calls, later } = *parts;
    let first = 1.0 - later;
    let in_loop = if later > 0.0 { found(ttl / inputs.tool_secs.max(PAUSE_MIN)) } else { 0.0 };
    let by_gap = if history > 0.0 { found(ttl / inputs.gap_secs.max(PAUSE_MIN)) } else { 0.0 };
    let new_steps = (2.0 / calls).min(1.0);
    // New text is kept only if another call will send it again; between one and two calls that is a chance.
    let repeated = (calls - 1.0).min(1.0);
    PromptCurve {
        total: parts.total(),
        fresh: own * first * (1.0 - repeated),
        read: history * (first * by_gap + later * in_loop)
            + transcript * (1.0 - new_steps) * in_loop
            + own * later * in_loop,
        first: system * first,
        later: system * later,
        in_loop,
        life: ttl * calls,
    }
}

/// Probability that an exponential pause of mean g ends within t, given t / g.
#[inline]
fn found(ratio: f64) -> f64 {
    if ratio < CERTAIN { -(-ratio).exp_m1() } else { 1.0 }
}

/// A number of tokens that is computed with: 0 ..= 10⁶⁰ (sums of sums stay finite), not-a-number counts as 0.
fn tokens(value: f64) -> f64 {
    value.max(0.0).min(1e60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A support chat with tools: 3 calls of 1,000 system, 600 history, 400 retrieved, 100 written, 500 a step.
    fn inputs() -> PromptInputs {
        PromptInputs {
            system_tokens: 3_000.0,
            history_tokens: 1_800.0,
            retrieved_tokens: 1_200.0,
            user_tokens: 300.0,
            transcript_tokens: 1_500.0,
            calls: 3.0,
            requests_per_sec: 0.01,
            gap_secs: 60.0,
            tool_secs: 2.0,
            min_prefix_tokens: 0.0,
        }
    }

    fn derived(ttl_secs: f64) -> PromptCache<f64> {
        PromptCache::Derived(PromptTtl { ttl_secs })
    }

    fn total(inputs: &PromptInputs) -> f64 {
        Parts::of(inputs).total()
    }

    #[test]
    fn fresh_read_and_written_are_the_prompt() {
        let values = [f64::MIN, 0.0, 1e-300, 0.5, 1.0, 1.5, 1e4, f64::MAX];
        for value in values {
            for calls in [0.0, 1.0, 1.5, 3.0, f64::MAX] {
                let plain = inputs();
                let cases = [
                    PromptInputs { calls, ..plain },
                    PromptInputs { calls, system_tokens: value, ..plain },
                    PromptInputs { calls, transcript_tokens: value, ..plain },
                    PromptInputs { calls, requests_per_sec: value, ..plain },
                    PromptInputs { calls, gap_secs: value, tool_secs: value, ..plain },
                    PromptInputs { calls, min_prefix_tokens: value, ..plain },
                ];
                for case in cases {
                    for cache in [PromptCache::Off, PromptCache::Given(value), derived(value), derived(300.0)]
                    {
                        let split = prompt_split(&cache, &case);
                        let parts = [split.fresh, split.read, split.written];
                        assert!(parts.iter().all(|part| *part >= 0.0), "{cache:?} {case:?}: {split:?}");
                        let sum: f64 = parts.iter().sum();
                        assert!((sum / total(&case) - 1.0).abs() < 1e-12, "{cache:?} {case:?}: {split:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_shared_prompt_is_found_as_often_as_a_poisson_stream_returns_in_time() {
        let inputs = PromptInputs {
            system_tokens: 1_000.0,
            calls: 1.0,
            requests_per_sec: 0.01,
            ..PromptInputs::default()
        };
        let split = prompt_split(&derived(300.0), &inputs);
        assert!((split.read - 1_000.0 * (1.0 - (-3f64).exp())).abs() < 1e-9);
        assert!((split.written - 1_000.0 * (-3f64).exp()).abs() < 1e-9);
    }

    #[test]
    fn history_is_found_if_the_next_turn_comes_in_time() {
        let inputs = PromptInputs {
            history_tokens: 800.0,
            user_tokens: 50.0,
            calls: 1.0,
            gap_secs: 300.0,
            ..PromptInputs::default()
        };
        let split = prompt_split(&derived(300.0), &inputs);
        assert!((split.read - 800.0 * (1.0 - (-1f64).exp())).abs() < 1e-9);
        assert!((split.fresh - 50.0).abs() < 1e-12);
    }

    #[test]
    fn a_cache_that_never_forgets_reads_all_but_what_no_call_has_sent_before() {
        // New in 3 calls: the first one's 400 + 100, and two steps of 500; the rest has been sent before.
        let always = PromptInputs { requests_per_sec: 1e9, ..inputs() };
        let split = prompt_split(&derived(1e12), &always);
        assert!((split.written - 1_500.0).abs() < 1e-6, "{split:?}");
        assert!((split.read - 6_300.0).abs() < 1e-6, "{split:?}");
        assert!(split.fresh.abs() < 1e-9, "{split:?}");
    }

    #[test]
    fn reads_rise_with_the_time_to_live_and_the_rate() {
        let mut before = [0.0; 2];
        for step in -20..60 {
            let x = 1.4f64.powi(step);
            let now = [
                prompt_split(&derived(x), &inputs()).read,
                prompt_split(&derived(300.0), &PromptInputs { requests_per_sec: x, ..inputs() }).read,
            ];
            assert!((0..2).all(|i| now[i] >= before[i] - 1e-9), "{now:?} after {before:?}");
            before = now;
        }
    }

    #[test]
    fn without_a_cache_or_below_its_shortest_prefix_everything_is_fresh() {
        let short = PromptInputs { min_prefix_tokens: 1e5, ..inputs() };
        let cases = [(PromptCache::Off, inputs()), (derived(0.0), inputs()), (derived(300.0), short)];
        for (cache, inputs) in cases {
            let split = prompt_split(&cache, &inputs);
            assert_eq!(split, PromptSplit { fresh: total(&inputs), read: 0.0, written: 0.0 }, "{cache:?}");
        }
    }

    #[test]
    fn a_stated_hit_rate_is_that_share_of_the_prompt_and_writes_nothing() {
        let split = prompt_split(&PromptCache::Given(0.4), &inputs());
        assert!((split.read - 0.4 * 7_800.0).abs() < 1e-9);
        assert_eq!(split.written, 0.0);
    }
}
