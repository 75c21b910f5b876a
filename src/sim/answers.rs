//! Response caches: answers kept by what was asked.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::cache::Popularity;
use crate::unit::SimTime;

use super::draws::Draws;

/// What goes first when an answer has to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// The least recently used.
    #[default]
    Lru,
    /// The least often used; of these the least recently used.
    Lfu,
}

/// How a response cache answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AnswerHits {
    /// This share of the requests that ask it, whatever they are.
    Given(f64),
    /// Those whose question it still has.
    Kept {
        /// Answers that it holds.
        capacity: u64,
        /// How long an answer stays after its last use, in seconds.
        ttl_secs: f64,
        /// What goes first.
        eviction: Eviction,
    },
}

/// A response cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnswerCacheSpec {
    /// When it answers.
    pub hits: AnswerHits,
    /// Time of asking it, in seconds.
    pub lookup_secs: f64,
    /// Share of its hits that are the wrong answer, 0..=1.
    pub false_share: f64,
}

/// Bits of a key below those of its stream.
pub(super) const KEY_BITS: u32 = 48;

/// What one stream asked before time 0, when the cache had long come to its steady state: by Che's approximation each
/// answer is there if its question was asked within the last so many seconds.
///
/// So a window begins with a cache as full as it usually is, be it of twenty million answers, and nothing has to be
/// played to fill it.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// Questions per second that ask this cache.
    pub per_sec: f64,
    /// Their popularity; a key's lower bits are its rank.
    pub popularity: Popularity,
    /// How long answers are kept: their time to live, or until the cache is full.
    pub secs: f64,
}

/// What an answer's place in the order of eviction is: uses (0 under LRU), then time of last use by count.
type Rank = (u64, u64);

#[derive(Clone, Debug)]
pub(super) struct AnswerCache {
    pub spec: AnswerCacheSpec,
    kept: FxHashMap<u64, (Rank, SimTime)>,
    order: BTreeMap<Rank, u64>,
    clock: u64,
    /// What was asked before time 0, by stream.
    before: Vec<Remembered>,
    draws: Draws,
}

impl AnswerCache {
    pub fn new(spec: AnswerCacheSpec, seed: u64, name: &str) -> Self {
        Self {
            spec,
            kept: FxHashMap::default(),
            order: BTreeMap::new(),
            clock: 0,
            before: Vec::new(),
            draws: Draws::new(seed, name),
        }
    }

    /// What was asked before time 0, by stream.
    pub fn remember(&mut self, before: Vec<Remembered>) {
        self.before = before;
    }

    /// Whether an answer is there from before time 0: if the question was asked no longer ago than answers are kept.
    fn is_from_before(&mut self, key: u64, now: SimTime) -> bool {
        let Some(before) = self.before.get((key >> KEY_BITS) as usize) else { return false };
        let left = before.secs - now.secs();
        if left <= 0.0 {
            return false;
        }
        let rank = (key & ((1 << KEY_BITS) - 1)) as f64;
        let asked = before.per_sec * before.popularity.chance_of(rank) * left;
        self.draws.happens(-(-asked).exp_m1())
    }

    /// Whether it answers `key` at `now`; a key that it does not have is put in.
    pub fn ask(&mut self, key: u64, now: SimTime) -> bool {
        let (capacity, ttl_secs, eviction) = match self.spec.hits {
            AnswerHits::Given(share) => return self.draws.happens(share),
            AnswerHits::Kept { capacity, ttl_secs, eviction } => (capacity, ttl_secs, eviction),
        };
        self.clock += 1;
        let found = self.kept.get(&key).copied();
        let hit = match found {
            Some((_, used)) => now.since(used).secs() <= ttl_secs,
            None => self.is_from_before(key, now),
        };
        let uses = match (eviction, found) {
            (Eviction::Lfu, Some(((uses, _), _))) if hit => uses + 1,
            (Eviction::Lfu, _) => 1,
            (Eviction::Lru, _) => 0,
        };
        if let Some((rank, _)) = found {
            self.order.remove(&rank);
        } else if self.kept.len() as u64 >= capacity {
            if capacity == 0 {
                return false;
            }
            if let Some((_, gone)) = self.order.pop_first() {
                self.kept.remove(&gone);
            }
        }
        let rank = (uses, self.clock);
        self.kept.insert(key, (rank, now));
        self.order.insert(rank, key);
        hit
    }

    /// Whether a hit is the wrong answer.
    pub fn is_false(&mut self) -> bool {
        self.draws.happens(self.spec.false_share)
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, Zipf};

    use super::*;

    fn cache(capacity: u64, ttl_secs: f64, eviction: Eviction) -> AnswerCache {
        let hits = AnswerHits::Kept { capacity, ttl_secs, eviction };
        AnswerCache::new(AnswerCacheSpec { hits, lookup_secs: 0.0, false_share: 0.0 }, 1, "cache")
    }

    fn at(secs: f64) -> SimTime {
        SimTime::from_secs(secs)
    }

    #[test]
    fn the_least_recently_used_goes_first_and_time_ends_an_answer() {
        let mut lru = cache(2, 10.0, Eviction::Lru);
        assert_eq!([1, 2, 1, 3, 2].map(|key| lru.ask(key, at(0.0))), [false, false, true, false, false]);
        let mut lru = cache(2, 10.0, Eviction::Lru);
        assert_eq!([0.0, 10.0, 20.0, 30.1].map(|secs| lru.ask(1, at(secs))), [false, true, true, false]);
    }

    #[test]
    fn the_least_often_used_goes_first() {
        let mut lfu = cache(2, 1e9, Eviction::Lfu);
        let asked = [1, 1, 1, 2, 3, 1, 3, 2, 1];
        let hits = asked.map(|key| lfu.ask(key, at(0.0)));
        assert_eq!(hits, [false, true, true, false, false, true, true, false, true]);
    }

    #[test]
    fn simulated_hits_are_those_of_ches_approximation() {
        for (distinct, alpha, capacity) in
            [(1_000.0, 0.8, 100), (20_000.0, 1.0, 1_000), (5_000.0, 0.6, 2_500)]
        {
            let mut lru = cache(capacity, 1e18, Eviction::Lru);
            let law = Zipf::new(distinct, alpha).unwrap();
            let mut draws = Draws::new(3, "zipf");
            let (mut hits, warm, n) = (0_u32, 100_000, 300_000);
            for i in 0..warm + n {
                let hit = lru.ask(law.sample(&mut draws) as u64, at(0.0));
                hits += u32::from(hit && i >= warm);
            }
            let popularity = Popularity::new(distinct, alpha);
            let che = popularity.hit_at(popularity.characteristic_tau(capacity as f64));
            let found = f64::from(hits) / f64::from(n);
            assert!((found - che).abs() < 0.006, "{distinct} {alpha} {capacity}: {found} {che}");
        }
    }
}
