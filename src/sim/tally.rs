//! What a simulation counts: times as histograms, usage by endpoint, a timeline. All of it takes the same memory for ten
//! requests and for a billion.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::unit::SimTime;

use super::api::Failure;
use super::job::Refused;

/// Significant digits of a percentile.
const DIGITS: u8 = 3;
/// Longest time that a histogram tells apart, in microseconds: about 12 days.
const LONGEST_US: u64 = 1 << 40;
const NS_PER_US: u64 = 1_000;

/// A time over requests: its mean exactly, its percentiles to a thousandth.
#[derive(Clone, Debug)]
pub struct Times {
    histogram: Histogram<u64>,
    sum_ns: u128,
    square_secs: f64,
}

impl Default for Times {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, DIGITS);
        Self {
            histogram: histogram.unwrap_or_else(|error| unreachable!("fixed bounds: {error}")),
            sum_ns: 0,
            square_secs: 0.0,
        }
    }
}

impl Times {
    #[inline]
    pub(super) fn record(&mut self, time: SimTime) {
        self.histogram.saturating_record((time.0 / NS_PER_US).max(1));
        self.sum_ns += u128::from(time.0);
        self.square_secs += time.secs() * time.secs();
    }

    /// Takes in the times of another simulation.
    pub fn add(&mut self, other: &Self) {
        let added = self.histogram.add(&other.histogram);
        debug_assert!(added.is_ok(), "histograms of one form: {added:?}");
        self.sum_ns += other.sum_ns;
        self.square_secs += other.square_secs;
    }

    /// What came after `earlier`, a copy of these times as they were then.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        let subtracted = since.histogram.subtract(&earlier.histogram);
        debug_assert!(subtracted.is_ok(), "earlier times are among the later: {subtracted:?}");
        since.sum_ns -= earlier.sum_ns;
        since.square_secs = (since.square_secs - earlier.square_secs).max(0.0);
        since
    }

    /// Requests.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Mean, in seconds; `None` without requests.
    #[must_use]
    pub fn mean_secs(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum_ns as f64 / 1e9 / self.count() as f64)
    }

    /// Standard deviation, in seconds.
    #[must_use]
    pub fn sd_secs(&self) -> Option<f64> {
        let mean = self.mean_secs()?;
        Some((self.square_secs / self.count() as f64 - mean * mean).max(0.0).sqrt())
    }

    /// The time that a share of the requests does not exceed, in seconds; `share` in 0..=1.
    #[must_use]
    pub fn quantile_secs(&self, share: f64) -> Option<f64> {
        (self.count() > 0).then(|| self.histogram.value_at_quantile(share.clamp(0.0, 1.0)) as f64 / 1e6)
    }

    /// Share of the requests within `secs`.
    #[must_use]
    pub fn share_within(&self, secs: f64) -> Option<f64> {
        (self.count() > 0).then(|| self.histogram.quantile_below((secs * 1e6) as u64))
    }

    /// Points (seconds, share of the requests within) for a picture.
    #[must_use]
    pub fn curve(&self, points: usize) -> Vec<(f64, f64)> {
        let step = 1.0 / points.max(2) as f64;
        let shares = (0..=points).map(|i| i as f64 * step).chain([0.995, 0.999]);
        let mut curve: Vec<(f64, f64)> =
            shares.filter_map(|share| Some((self.quantile_secs(share)?, share))).collect();
        curve.sort_by(|a, b| a.1.total_cmp(&b.1));
        curve
    }
}

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// Prompt and answer exceed the context or the KV of a replica.
    TooLong,
    /// As many waited as may.
    QueueFull,
    /// The provider's rate limit, retries included.
    RateLimit,
    /// Errors of the provider, retries included.
    Error,
    /// An outage of the provider, retries included.
    Outage,
    /// The caller waited no longer, retries included.
    Timeout,
}

impl From<Refused> for Lost {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLong => Self::TooLong,
            Refused::QueueFull => Self::QueueFull,
        }
    }
}

impl From<Failure> for Lost {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::RateLimit => Self::RateLimit,
            Failure::Error => Self::Error,
            Failure::Outage => Self::Outage,
            Failure::Timeout => Self::Timeout,
        }
    }
}

/// What one stream of requests met with. Requests that came during the warm-up are not in it.
#[derive(Clone, Debug, Default)]
pub struct StreamTally {
    /// Requests that came.
    pub arrived: u64,
    /// Answered by an endpoint.
    pub answered: u64,
    /// Asked a response cache: those that may be answered from one.
    pub asked: u64,
    /// Answered from the exact cache.
    pub exact_hits: u64,
    /// Answered from the semantic cache.
    pub semantic_hits: u64,
    /// Of these, the wrong answer.
    pub false_hits: u64,
    /// Not answered, by reason.
    pub lost: BTreeMap<Lost, u64>,
    /// Attempts after the first.
    pub retries: u64,
    /// Went to the fallback of an overflow.
    pub overflowed: u64,
    /// Answered, and both latency targets kept.
    pub within_slo: u64,
    /// Tokens of the answers that endpoints gave.
    pub output_tokens: u64,
    /// Of these, in answers that kept the targets.
    pub good_output_tokens: u64,
    /// Time to first token, over answers of endpoints and caches.
    pub ttft: Times,
    /// Time per output token after the first, over answers of endpoints with at least two.
    pub tpot: Times,
    /// From the request to the last token.
    pub e2e: Times,
    /// Time in queues.
    pub queue: Times,
}

impl StreamTally {
    /// Requests that were not answered.
    #[must_use]
    pub fn lost_total(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Requests that are over: answered, from a cache, or lost.
    #[must_use]
    pub fn over(&self) -> u64 {
        self.answered + self.exact_hits + self.semantic_hits + self.lost_total()
    }

    /// What was counted after `earlier`, a copy of this tally as it was then.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let lost = self.lost.iter().map(|(why, count)| (*why, count - earlier.lost.get(why).unwrap_or(&0)));
        Self {
            arrived: self.arrived - earlier.arrived,
            asked: self.asked - earlier.asked,
            answered: self.answered - earlier.answered,
            exact_hits: self.exact_hits - earlier.exact_hits,
            semantic_hits: self.semantic_hits - earlier.semantic_hits,
            false_hits: self.false_hits - earlier.false_hits,
            lost: lost.filter(|(_, count)| *count > 0).collect(),
            retries: self.retries - earlier.retries,
            overflowed: self.overflowed - earlier.overflowed,
            within_slo: self.within_slo - earlier.within_slo,
            output_tokens: self.output_tokens - earlier.output_tokens,
            good_output_tokens: self.good_output_tokens - earlier.good_output_tokens,
            ttft: self.ttft.since(&earlier.ttft),
            tpot: self.tpot.since(&earlier.tpot),
            e2e: self.e2e.since(&earlier.e2e),
            queue: self.queue.since(&earlier.queue),
        }
    }

    /// Takes in another tally.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.answered += other.answered;
        self.asked += other.asked;
        self.exact_hits += other.exact_hits;
        self.semantic_hits += other.semantic_hits;
        self.false_hits += other.false_hits;
        for (why, count) in &other.lost {
            *self.lost.entry(*why).or_default() += count;
        }
        self.retries += other.retries;
        self.overflowed += other.overflowed;
        self.within_slo += other.within_slo;
        self.output_tokens += other.output_tokens;
        self.good_output_tokens += other.good_output_tokens;
        self.ttft.add(&other.ttft);
        self.tpot.add(&other.tpot);
        self.e2e.add(&other.e2e);
        self.queue.add(&other.queue);
    }
}

/// What one stream used at one endpoint, in the endpoint's own tokens, warm-up left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointUse {
    /// Calls answered.
    pub calls: u64,
    /// Tokens sent.
    pub prompt_tokens: u64,
    /// Of these, found in the prompt or prefix cache.
    pub cached_tokens: u64,
    /// Tokens answered.
    pub output_tokens: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
}

impl EndpointUse {
    /// Takes in another use.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
        self.failed_attempts += other.failed_attempts;
    }
}

/// A stretch of the timeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Requests that came.
    pub arrived: u64,
    /// Answers completed, from caches too.
    pub answered: u64,
    /// Answers from response caches.
    pub hits: u64,
    /// Requests lost.
    pub lost: u64,
    /// Of these, turned away: a full queue, a rate limit, longer than the context.
    pub rejected: u64,
    /// Of these, given up by their caller.
    pub timed_out: u64,
    /// Attempts that failed and are sent again.
    pub retries: u64,
    /// Requests that went to a fallback.
    pub overflowed: u64,
    /// Tokens of the answers completed.
    pub output_tokens: u64,
    /// By endpoint, what it answered; as many as were in use so far. A rejected tier of a cascade counts too.
    pub usage: Vec<EndpointUse>,
    /// By endpoint of own GPUs, at the end of the stretch; those that are APIs stay empty.
    pub pools: Vec<PoolSample>,
}

/// A pool at the end of a stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PoolSample {
    /// Calls that wait.
    pub waiting: f64,
    /// Sequences in the batches.
    pub running: f64,
    /// Share of the KV blocks in use, over replicas.
    pub kv_share: f64,
    /// Share of the stretch in which replicas that were paid for worked.
    pub busy_share: f64,
    /// Replicas that serve.
    pub replicas: u32,
    /// Replicas that are paid for, in the mean over the stretch; those that start are among them.
    pub paid: f64,
}

impl Bin {
    /// Takes in the stretch that follows: counts are added, a pool is as it stands at the end of the later one.
    pub(super) fn add(&mut self, later: &Self) {
        self.arrived += later.arrived;
        self.answered += later.answered;
        self.hits += later.hits;
        self.lost += later.lost;
        self.rejected += later.rejected;
        self.timed_out += later.timed_out;
        self.retries += later.retries;
        self.overflowed += later.overflowed;
        self.output_tokens += later.output_tokens;
        for (at, usage) in later.usage.iter().enumerate() {
            self.used(at).add(usage);
        }
        for (at, sample) in later.pools.iter().enumerate() {
            match self.pools.get_mut(at) {
                Some(first) => {
                    let busy_share = f64::midpoint(first.busy_share, sample.busy_share);
                    let paid = f64::midpoint(first.paid, sample.paid);
                    *first = PoolSample { busy_share, paid, ..*sample };
                }
                None => self.pools.push(*sample),
            }
        }
    }

    /// What an endpoint answered in it.
    #[inline]
    pub(super) fn used(&mut self, endpoint: usize) -> &mut EndpointUse {
        if endpoint >= self.usage.len() {
            self.usage.resize(endpoint + 1, EndpointUse::default());
        }
        &mut self.usage[endpoint]
    }

    /// Counts a request that is lost.
    pub(super) fn lose(&mut self, why: Lost) {
        self.lost += 1;
        match why {
            Lost::TooLong | Lost::QueueFull | Lost::RateLimit => self.rejected += 1,
            Lost::Timeout => self.timed_out += 1,
            Lost::Error | Lost::Outage => {}
        }
    }
}
