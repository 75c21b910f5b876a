//! An API endpoint: latency, limits, errors, outages and the provider's prompt cache.

use rand_distr::{Distribution, LogNormal};
use rustc_hash::FxHashMap;

use crate::unit::{NS_PER_SEC, SimTime};

use super::draws::Draws;
use super::prefix::Prefix;
use super::request::Request;

/// A model behind a provider's API, as it is felt.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiSpec {
    /// Mean time to first token, in seconds.
    pub ttft_secs: f64,
    /// Its coefficient of variation; log-normal; 0 is always the mean.
    pub ttft_cv: f64,
    /// Mean time per output token, in seconds.
    pub tpot_secs: f64,
    /// Its coefficient of variation over calls.
    pub tpot_cv: f64,
    /// Tokens (prompt and expected answer) per minute; `None` is no limit.
    pub tokens_per_min: Option<f64>,
    /// Calls per minute; `None` is no limit.
    pub calls_per_min: Option<f64>,
    /// Share of calls that fail, 0..=1.
    pub error_share: f64,
    /// Spans in which nothing is answered, ascending.
    pub outages: Vec<(SimTime, SimTime)>,
    /// How long the provider keeps a prefix after its last use, in seconds; `None` is no prompt cache.
    pub prompt_ttl_secs: Option<f64>,
    /// Shortest prefix that is kept, in tokens.
    pub prompt_min_tokens: u32,
}

/// What comes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Attempt {
    /// The first token and the last come then; so many prompt tokens were in the prompt cache.
    Answered { first: SimTime, last: SimTime, cached_tokens: u32 },
    /// Nothing comes of it, known at `at`.
    Failed { why: Failure, at: SimTime },
}

/// Why an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The rate limit (HTTP 429).
    RateLimit,
    /// An error of the provider.
    Error,
    /// An outage.
    Outage,
    /// It took longer than the caller waits.
    Timeout,
}

/// A bucket that fills with time and holds a minute's worth.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_ns: f64,
    size: f64,
    level: f64,
    at: SimTime,
}

impl Bucket {
    fn new(per_min: f64) -> Self {
        let size = per_min.max(0.0);
        Self { per_ns: size / 60.0 / NS_PER_SEC, size, level: size, at: SimTime(0) }
    }

    fn fill(&mut self, now: SimTime) {
        self.level = self.size.min(self.level + now.since(self.at).0 as f64 * self.per_ns);
        self.at = now;
    }

    /// Whether so much can be taken; more than a bucket holds never can.
    fn holds(&self, amount: f64) -> bool {
        self.level + 1e-9 >= amount
    }
}

#[derive(Clone, Copy, Debug)]
enum Spread {
    Always(f64),
    Drawn(LogNormal<f64>),
}

impl Spread {
    fn of(mean: f64, cv: f64) -> Self {
        let mean = mean.max(0.0);
        match LogNormal::from_mean_cv(mean, cv) {
            Ok(law) if cv > 0.0 && mean > 0.0 => Self::Drawn(law),
            _ => Self::Always(mean),
        }
    }

    #[inline]
    fn draw(&self, draws: &mut Draws) -> f64 {
        match self {
            Self::Always(mean) => *mean,
            Self::Drawn(law) => law.sample(draws),
        }
    }
}

/// A prefix at a provider.
#[derive(Clone, Copy, Debug)]
struct Kept {
    used: SimTime,
    tokens: u32,
    /// The turn that it is of, and the part of it that other turns share.
    turn: u32,
    shared: u32,
}

/// Prefixes at a provider by who uses them.
#[derive(Clone, Debug, Default)]
struct ProviderCache {
    used: FxHashMap<u64, Kept>,
    purge_at: usize,
}

/// Entries that are kept before old ones are looked for.
const PURGE_MIN: usize = 4_096;

impl ProviderCache {
    /// Prompt tokens of `request` that are kept; notes the use.
    fn use_of(&mut self, request: &Request, now: SimTime, ttl: SimTime, min_tokens: u32) -> u32 {
        let Prefix::Session { root, root_tokens, talk } = &request.prefix else { return 0 };
        if self.used.len() > self.purge_at.max(PURGE_MIN) {
            self.used.retain(|_, kept| now.since(kept.used) <= ttl);
            self.purge_at = 2 * self.used.len();
        }
        let mut find = |id: u64, new: Kept| {
            let found = self.used.insert(id, new).filter(|kept| now.since(kept.used) <= ttl);
            found.map_or(0, |kept| {
                if kept.turn == new.turn { kept.tokens } else { kept.tokens.min(kept.shared).min(new.shared) }
            })
        };
        let tokens = *root_tokens;
        let shared = find(root << 1, Kept { used: now, tokens, turn: 0, shared: tokens });
        let own = talk.map_or(0, |talk| {
            let tokens = request.prompt_tokens;
            let kept = Kept { used: now, tokens, turn: talk.turn, shared: talk.kept_tokens };
            find(talk.id << 1 | 1, kept)
        });
        let found = shared.max(own).min(request.prompt_tokens);
        if found < min_tokens { 0 } else { found }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Api {
    spec: ApiSpec,
    ttft: Spread,
    tpot: Spread,
    tokens: Option<Bucket>,
    calls: Option<Bucket>,
    cache: ProviderCache,
    outage: usize,
    draws: Draws,
}

impl Api {
    pub fn new(spec: ApiSpec, seed: u64, name: &str) -> Self {
        Self {
            ttft: Spread::of(spec.ttft_secs, spec.ttft_cv),
            tpot: Spread::of(spec.tpot_secs, spec.tpot_cv),
            tokens: spec.tokens_per_min.map(Bucket::new),
            calls: spec.calls_per_min.map(Bucket::new),
            cache: ProviderCache::default(),
            outage: 0,
            draws: Draws::new(seed, name),
            spec,
        }
    }

    /// One attempt at `now`.
    ///
    /// - `expected_output`: tokens that count against the limit, since nobody knows the answer's length.
    /// - `timeout_secs`: how long its caller waits.
    pub fn attempt(
        &mut self,
        request: &Request,
        expected_output: f64,
        timeout_secs: Option<f64>,
        now: SimTime,
    ) -> Attempt {
        let failed = |why, at| Attempt::Failed { why, at };
        while self.spec.outages.get(self.outage).is_some_and(|(_, end)| *end <= now) {
            self.outage += 1;
        }
        if self.spec.outages.get(self.outage).is_some_and(|(start, _)| *start <= now) {
            return failed(Failure::Outage, now);
        }
        if !self.within_limits(f64::from(request.prompt_tokens) + expected_output, now) {
            return failed(Failure::RateLimit, now);
        }
        let ttft = self.ttft.draw(&mut self.draws);
        if self.draws.happens(self.spec.error_share) {
            return match timeout_secs.filter(|timeout| ttft > *timeout) {
                Some(timeout) => failed(Failure::Timeout, now + SimTime::from_secs(timeout)),
                None => failed(Failure::Error, now + SimTime::from_secs(ttft)),
            };
        }
        let tpot = self.tpot.draw(&mut self.draws);
        let whole = ttft + tpot * f64::from(request.output_tokens - 1);
        if let Some(timeout) = timeout_secs.filter(|timeout| whole > *timeout) {
            return failed(Failure::Timeout, now + SimTime::from_secs(timeout));
        }
        let cached_tokens = self.spec.prompt_ttl_secs.map_or(0, |ttl| {
            self.cache.use_of(request, now, SimTime::from_secs(ttl), self.spec.prompt_min_tokens)
        });
        Attempt::Answered {
            first: now + SimTime::from_secs(ttft),
            last: now + SimTime::from_secs(whole),
            cached_tokens,
        }
    }

    /// Time until an error is known.
    pub fn time_to_error(&mut self) -> SimTime {
        SimTime::from_secs(self.ttft.draw(&mut self.draws))
    }

    fn within_limits(&mut self, tokens: f64, now: SimTime) -> bool {
        for (bucket, amount) in [(&mut self.tokens, tokens), (&mut self.calls, 1.0)] {
            if let Some(bucket) = bucket {
                bucket.fill(now);
                if !bucket.holds(amount) {
                    return false;
                }
            }
        }
        for (bucket, amount) in [(&mut self.tokens, tokens), (&mut self.calls, 1.0)] {
            if let Some(bucket) = bucket {
                bucket.level -= amount;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::prefix::Talk;
    use super::*;

    fn api() -> ApiSpec {
        ApiSpec {
            ttft_secs: 0.4,
            ttft_cv: 0.0,
            tpot_secs: 0.01,
            tpot_cv: 0.0,
            tokens_per_min: None,
            calls_per_min: None,
            error_share: 0.0,
            outages: Vec::new(),
            prompt_ttl_secs: None,
            prompt_min_tokens: 0,
        }
    }

    fn served(api: &mut Api, at: f64) -> bool {
        let now = SimTime::from_secs(at);
        let request = Request::plain(now, 0, 900, 11);
        matches!(api.attempt(&request, 100.0, None, now), Attempt::Answered { .. })
    }

    #[test]
    fn a_limit_lets_through_a_minutes_worth_at_once_and_its_rate_from_then_on() {
        let mut api = Api::new(ApiSpec { tokens_per_min: Some(60_000.0), ..api() }, 1, "api");
        let first = (0..1_000).filter(|_| served(&mut api, 0.0)).count();
        assert_eq!(first, 60);
        let later = (1..=6_000).filter(|i| served(&mut api, f64::from(*i) * 0.1)).count();
        assert_eq!(later, 600);
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_through() {
        let mut api = Api::new(ApiSpec { calls_per_min: Some(0.0), ..api() }, 1, "api");
        assert!(!(0..100).any(|i| served(&mut api, f64::from(i))));
    }

    #[test]
    fn nothing_is_answered_in_an_outage() {
        let outages = vec![(SimTime::from_secs(5.0), SimTime::from_secs(8.0))];
        let mut api = Api::new(ApiSpec { outages, ..api() }, 1, "api");
        let answered = [4.9, 5.0, 7.9, 8.0].map(|at| served(&mut api, at));
        assert_eq!(answered, [true, false, false, true]);
    }

    #[test]
    fn a_prefix_is_kept_until_its_time_after_the_last_use() {
        let mut api =
            Api::new(ApiSpec { prompt_ttl_secs: Some(300.0), prompt_min_tokens: 100, ..api() }, 1, "api");
        let mut ask = |at: f64, session: u64, prompt: u32| {
            let now = SimTime::from_secs(at);
            let mut request = Request::plain(now, 0, prompt, 5);
            let talk = Some(Talk { id: session, turn: 0, kept_tokens: u32::MAX });
            request.prefix = Prefix::Session { root: 1, root_tokens: 200, talk };
            match api.attempt(&request, 0.0, None, now) {
                Attempt::Answered { cached_tokens, .. } => cached_tokens,
                Attempt::Failed { why, .. } => panic!("{why:?}"),
            }
        };
        assert_eq!(ask(0.0, 1, 1_000), 0);
        assert_eq!(ask(10.0, 2, 1_000), 200, "the shared beginning");
        assert_eq!(ask(20.0, 1, 1_500), 1_000, "all that was sent before");
        assert_eq!(ask(400.0, 1, 1_600), 0);
    }
}
