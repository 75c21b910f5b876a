//! How input tokens split at an endpoint's cache of prompt prefixes.

use super::{PromptCache, PromptTtl};
use crate::stats::Num;

/// A shorter pause than this counts as this, in seconds; only so that nothing divides by zero.
const PAUSE_MIN: f64 = 1e-3;

/// Input tokens per request, by what they cost; the three sum to the prompt tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PromptSplit<N = f64> {
    /// Neither read nor written: full price.
    pub fresh: N,
    /// Read from the cache.
    pub read: N,
    /// Missed but kept for later: billed at the write rate.
    pub written: N,
}

/// What the split depends on: one use case at one endpoint. Tokens are per request, summed over its calls.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PromptInputs<N = f64> {
    /// System prompt, the same for everybody.
    pub system_tokens: N,
    /// Conversation carried from earlier turns.
    pub history_tokens: N,
    /// The part of one call's history that the turn before left at the endpoint in the same place; at most
    /// `history_tokens / calls`.
    pub resent_tokens: N,
    /// Retrieved context.
    pub retrieved_tokens: N,
    /// What the user writes.
    pub user_tokens: N,
    /// The agent loop's earlier calls and tool results.
    pub transcript_tokens: N,
    /// Calls per request; >= 1.
    pub calls: N,
    /// Requests per second that reach this endpoint.
    pub requests_per_sec: N,
    /// Mean turns of a conversation; >= 1.
    pub turns: N,
    /// Share of a conversation's turns that do not come here, 0..=1: a response cache answers them, or another endpoint.
    pub turns_elsewhere: N,
    /// Mean seconds between two turns of a conversation.
    pub gap_secs: N,
    /// Mean seconds between two calls of an agent loop.
    pub tool_secs: N,
    /// Shortest prefix that is cached at all, in tokens; 0 if there is no such rule.
    pub min_prefix_tokens: N,
}

/// How a request's input tokens split at an endpoint's prompt cache.
///
/// - `Off`: all fresh. `Given(h)`: h of the prompt is read, the rest is fresh; nothing counts as written, since a
///   stated hit rate says nothing about writes.
/// - `Derived(ttl)`: each use keeps a prefix alive for another `ttl` seconds, and pauses are exponential, so a prefix
///   whose last use was a pause `g` ago on average is found with probability `1 - exp(-ttl / g)`:
///   - the system prompt, shared by all: `1 - exp(-ttl * calls/s)`, or the loop's own rate on later calls if greater;
///   - history: on a request's first call what the last turn that came here left (`resent_tokens`, if it was the turn
///     before), by the gaps since; on its later calls all of it, by the tool's pause. With a share `e` of the turns
///     elsewhere, that last turn was `k` ago with chance `(1 - e) e^(k-1)`, and the history grows by as much with every
///     turn. Summed over `k`, for a geometric number of turns of mean T and `s = e (1 - 1/T)`, exactly:
///     `resent (1 - e) / (1 - s) (1 - exp(-(1 - s) ttl / g))`;
///   - the transcript: the tool's pause, except for the newest step of each call, which no call has sent before
///     (`2 / calls` of the transcript, exact for a fixed number of calls);
///   - retrieved context and the user's text: new on the first call, a prefix on the later ones.
///
///   What a later call or turn could read and this one does not find is written. New text that no later call of the
///   request repeats is fresh. A `ttl` of 0 or less is `Off`.
/// - If the cacheable prefix of the mean call is shorter than `min_prefix_tokens`, everything is fresh.
///
/// Not modelled: eviction before `ttl`; user's text that is written because the next turn goes on from it.
/// Negative inputs count as 0.
#[must_use]
pub fn prompt_split<N: Num>(cache: &PromptCache<N>, inputs: &PromptInputs<N>) -> PromptSplit<N> {
    PromptCurve::of(cache, inputs).split(inputs.requests_per_sec)
}

/// [`prompt_split`] as the rate of requests changes and nothing else: more requests find the shared system prompt more
/// often.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PromptCurve<N = f64> {
    total: N,
    fresh: N,
    /// Read at any rate.
    read: N,
    /// System prompt of first calls, and of later calls of a loop.
    first: N,
    later: N,
    /// Probability that a later call finds what the one before it sent.
    in_loop: N,
    /// Seconds by which each request per second multiplies the life of the system prompt: `ttl * calls`.
    life: N,
}

impl<N: Num> PromptCurve<N> {
    /// Of so many prompt tokens per request where nothing is cached.
    #[must_use]
    #[inline(always)]
    pub fn uncached(total: N) -> Self {
        Self { total, fresh: total, ..Self::default() }
    }

    /// The curve of one use case at one endpoint; `inputs.requests_per_sec` is not looked at.
    #[must_use]
    #[inline(always)]
    pub fn of(cache: &PromptCache<N>, inputs: &PromptInputs<N>) -> Self {
        let parts = Parts::of(inputs);
        let total = parts.total();
        let uncached = Self::uncached(total);
        match *cache {
            PromptCache::Off => uncached,
            PromptCache::Given(hit) => {
                let read = total * hit.at_least(0.0).at_most(1.0);
                Self { total, fresh: total - read, read, ..Self::default() }
            }
            PromptCache::Derived(PromptTtl { ttl_secs: ttl }) => {
                let cached = derived(&parts, inputs, ttl);
                // What is too short to be cached, or kept for no time, is fresh.
                let (zero, prefix, min) = (N::of(0.0), parts.prefix_per_call(), inputs.min_prefix_tokens);
                let of = |cached: N, uncached: N| {
                    ttl.pick_above(zero, min.pick_above(prefix, uncached, cached), uncached)
                };
                Self {
                    total,
                    fresh: of(cached.fresh, uncached.fresh),
                    read: of(cached.read, zero),
                    first: of(cached.first, zero),
                    later: of(cached.later, zero),
                    in_loop: of(cached.in_loop, zero),
                    life: of(cached.life, zero),
                }
            }
        }
    }

    /// Tokens read per request at a rate of requests per second.
    #[must_use]
    #[inline(always)]
    pub fn read(&self, requests_per_sec: N) -> N {
        self.read_where(self.shared(requests_per_sec))
    }

    /// Tokens read per request at every rate from `least` requests per second up; none where a higher rate reads more.
    #[must_use]
    #[inline(always)]
    pub fn settled(&self, least: N) -> Option<N> {
        const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;
        let shared = self.shared(least);
        (shared.all_above(BELOW_ONE) || !self.follows_rate()).then(|| self.read_where(shared))
    }

    /// Probability that the system prompt is found at a rate of requests per second.
    #[inline(always)]
    fn shared(&self, requests_per_sec: N) -> N {
        (self.life * requests_per_sec.at_least(0.0)).found_within()
    }

    /// Tokens read per request where the system prompt is found with this probability.
    #[inline(always)]
    fn read_where(&self, shared: N) -> N {
        self.read + self.first * shared + self.later * shared.larger(self.in_loop)
    }

    /// Whether the rate changes what is read.
    #[must_use]
    #[inline(always)]
    pub fn follows_rate(&self) -> bool {
        (self.life * (self.first + self.later)).any_above(0.0)
    }

    /// The split at a rate of requests per second.
    #[must_use]
    #[inline(always)]
    pub fn split(&self, requests_per_sec: N) -> PromptSplit<N> {
        self.split_reading(self.read(requests_per_sec))
    }

    /// The split of a request of which so many tokens are read.
    #[must_use]
    #[inline(always)]
    pub fn split_reading(&self, read: N) -> PromptSplit<N> {
        PromptSplit { fresh: self.fresh, read, written: (self.total - read - self.fresh).at_least(0.0) }
    }

    /// The fewest and the most tokens that are read: by a stream so thin that it finds no system prompt, and by one so
    /// dense that it finds every one.
    #[must_use]
    #[inline(always)]
    pub fn least_and_most(&self) -> (N, N) {
        (self.read + self.later * self.in_loop, self.read + self.first + self.later)
    }
}

/// Prompt tokens, none below 0, and the share of a request's calls that are not its first.
struct Parts<N> {
    system: N,
    history: N,
    /// What the first call can find of its history.
    resent: N,
    transcript: N,
    /// Retrieved context and the user's text.
    own: N,
    calls: N,
    later: N,
}

impl<N: Num> Parts<N> {
    #[inline(always)]
    fn of(inputs: &PromptInputs<N>) -> Self {
        let calls = inputs.calls.at_least(1.0).at_most(1e12);
        let history = tokens(inputs.history_tokens);
        Self {
            system: tokens(inputs.system_tokens),
            history,
            resent: tokens(inputs.resent_tokens).smaller(history / calls),
            transcript: tokens(inputs.transcript_tokens),
            own: tokens(inputs.retrieved_tokens) + tokens(inputs.user_tokens),
            calls,
            later: (calls - 1.0) / calls,
        }
    }

    #[inline(always)]
    fn total(&self) -> N {
        self.system + self.history + self.transcript + self.own
    }

    /// Mean tokens of a call that an earlier one may have sent.
    #[inline(always)]
    fn prefix_per_call(&self) -> N {
        (self.system + self.history + self.transcript + self.own * self.later) / self.calls
    }
}

#[inline(always)]
fn derived<N: Num>(parts: &Parts<N>, inputs: &PromptInputs<N>, ttl: N) -> PromptCurve<N> {
    let Parts { system, history, resent, transcript, own, calls, later } = *parts;
    let first = later.rest();
    let in_loop = (ttl / inputs.tool_secs.at_least(PAUSE_MIN)).found_within();
    let in_loop = later.pick_above(N::of(0.0), in_loop, N::of(0.0));
    let elsewhere = inputs.turns_elsewhere.at_least(0.0).at_most(1.0);
    // Rate at which a chain of turns that did not come here ends: with the next one that does.
    let ends = (elsewhere * (N::of(1.0) / inputs.turns.at_least(1.0).at_most(1e12)).rest()).rest();
    let came = elsewhere.rest() / ends.at_least(f64::MIN_POSITIVE);
    let by_gap = came * (ends * ttl / inputs.gap_secs.at_least(PAUSE_MIN)).found_within();
    let new_steps = (N::of(2.0) / calls).at_most(1.0);
    // New text is kept only if another call will send it again; between one and two calls that is a chance.
    let repeated = (calls - 1.0).at_most(1.0);
    PromptCurve {
        total: parts.total(),
        fresh: own * first * repeated.rest(),
        read: resent * by_gap
            + history * later * in_loop
            + transcript * new_steps.rest() * in_loop
            + own * later * in_loop,
        first: system * first,
        later: system * later,
        in_loop,
        life: ttl * calls,
    }
}

/// A number of tokens that is computed with: 0 ..= 10⁶⁰ (sums of sums stay finite), not-a-number counts as 0.
#[inline(always)]
fn tokens<N: Num>(value: N) -> N {
    value.at_least(0.0).at_most(1e60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A support chat with tools: 3 calls of 1,000 system, 600 history, 400 retrieved, 100 written, 500 a step.
    fn inputs() -> PromptInputs {
        PromptInputs {
            system_tokens: 3_000.0,
            history_tokens: 1_800.0,
            resent_tokens: 600.0,
            retrieved_tokens: 1_200.0,
            user_tokens: 300.0,
            transcript_tokens: 1_500.0,
            calls: 3.0,
            requests_per_sec: 0.01,
            turns: 4.0,
            turns_elsewhere: 0.25,
            gap_secs: 60.0,
            tool_secs: 2.0,
            min_prefix_tokens: 0.0,
        }
    }

    #[test]
    fn what_is_settled_is_read_at_every_higher_rate() {
        let curve = PromptCurve::of(&derived(300.0), &inputs());
        let settled = curve.settled(0.05).unwrap();
        for rate in [0.05, 0.06, 1.0, 1e9] {
            assert_eq!(curve.read(rate), settled);
        }
        assert!(curve.settled(0.01).is_none() && curve.read(0.01) < settled);
        let given = PromptCurve::of(&PromptCache::Given(0.4), &inputs());
        assert_eq!(given.settled(0.0), Some(given.read(7.0)));
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
                    PromptInputs { calls, resent_tokens: value, ..plain },
                    PromptInputs { calls, turns: value, turns_elsewhere: value, ..plain },
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
            resent_tokens: 500.0,
            user_tokens: 50.0,
            calls: 1.0,
            gap_secs: 300.0,
            ..PromptInputs::default()
        };
        let split = prompt_split(&derived(300.0), &inputs);
        assert!((split.read - 500.0 * (1.0 - (-1f64).exp())).abs() < 1e-9);
        assert!((split.fresh - 50.0).abs() < 1e-12);
    }

    #[test]
    fn turns_that_went_elsewhere_leave_less_to_find_as_every_way_enumerated_says() {
        // Turn t finds 100 (t - 1 - k + 1) tokens of the turn k before it, if that was the last one that came here.
        let (turns, gap, ttl): (f64, f64, f64) = (5.0, 60.0, 100.0);
        let stays: f64 = 1.0 - 1.0 / turns;
        for elsewhere in [0.0, 0.3, 0.8, 1.0f64] {
            let (mut resent, mut found) = (0.0, 0.0);
            for turn in 1..400 {
                let reached = stays.powi(turn) / turns;
                resent += reached * 100.0 * f64::from(turn);
                let (mut missed, mut term, mut sum) = (1.0, (-ttl / gap).exp(), 0.0);
                for before in 1..=turn {
                    // Erlang of `before` pauses, as one minus a sum of Poisson terms.
                    sum += term;
                    term *= ttl / gap / f64::from(before);
                    found += reached
                        * (1.0 - elsewhere)
                        * missed
                        * (1.0 - sum)
                        * 100.0
                        * f64::from(turn - before + 1);
                    missed *= elsewhere;
                }
            }
            let inputs = PromptInputs {
                history_tokens: 1e6,
                resent_tokens: resent,
                calls: 1.0,
                turns,
                turns_elsewhere: elsewhere,
                gap_secs: gap,
                ..PromptInputs::default()
            };
            let split = prompt_split(&derived(ttl), &inputs);
            assert!((split.read - found).abs() < 1e-6 * (1.0 + found), "{elsewhere}: {} {found}", split.read);
        }
    }

    #[test]
    fn a_cache_that_never_forgets_reads_all_but_what_no_call_has_sent_before() {
        // New in 3 calls: the first one's 400 + 100, and two steps of 500; the rest has been sent before.
        let always = PromptInputs { requests_per_sec: 1e9, turns_elsewhere: 0.0, ..inputs() };
        let split = prompt_split(&derived(1e12), &always);
        assert!((split.written - 1_500.0).abs() < 1e-6, "{split:?}");
        assert!((split.read - 6_300.0).abs() < 1e-6, "{split:?}");
        assert!(split.fresh.abs() < 1e-9, "{split:?}");
        // And what the turn before did not leave there; no more than the history is found.
        let partly = prompt_split(&derived(1e12), &PromptInputs { resent_tokens: 350.0, ..always });
        assert!((split.read - partly.read - 250.0).abs() < 1e-6, "{partly:?}");
        let more = prompt_split(&derived(1e12), &PromptInputs { resent_tokens: 9e9, ..always });
        assert_eq!(more, split);
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
