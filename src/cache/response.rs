//! Hit rate of a cache of whole answers.

#[cfg(doc)]
use super::cache_parts;
use super::{CacheStack, DerivedHit, HitRate, Popularity, ResponseCache};
use crate::stats::Num;

/// Share of the cacheable requests that a response cache answers, 0..=1.
///
/// Given, or derived: an answer is found if its request came within the last `tau` requests,
/// `tau = min(tau_C, rate * ttl)`, so `hit = sum_i p_i (1 - exp(-p_i tau))`. `tau_C` is the LRU cache's characteristic
/// time by Che's approximation (requests independent of each other). The time to live starts anew with each hit; if a
/// cache counts it from the insertion, the true hit rate is lower where the time to live binds.
///
/// - `requests_per_sec`: cacheable requests that reach this cache; below 0 counts as 0.
/// - A capacity or time to live of 0 or less is a cache that never hits.
///
/// Source: Che, Tung, Wang, IEEE JSAC 20(7), 2002; for TTL caches Fofack et al., VALUETOOLS 2012.
#[must_use]
pub fn response_hit(hit: &HitRate<f64>, popularity: &Popularity, requests_per_sec: f64) -> f64 {
    match hit {
        HitRate::Given(share) => share.max(0.0).min(1.0),
        HitRate::Derived(derived) => {
            let by_time = requests_per_sec.max(0.0) * derived.ttl_secs.max(0.0);
            popularity.hit_at(popularity.tau_within(derived.capacity_items, by_time))
        }
    }
}

/// [`response_hit`] of each lane, in a part of the capacity.
#[inline(always)]
fn each_hit<N: Num>(hit: &HitRate<N>, popularity: &[Popularity], part: f64, requests_per_sec: N) -> N {
    match hit {
        HitRate::Given(share) => share.at_least(0.0).at_most(1.0),
        HitRate::Derived(_) if popularity.is_empty() => N::of(0.0),
        HitRate::Derived(derived) => N::from_fn(|lane| {
            let derived = DerivedHit {
                capacity_items: derived.capacity_items.lane(lane) * part,
                ttl_secs: derived.ttl_secs.lane(lane),
            };
            let popularity = &popularity[lane.min(popularity.len() - 1)];
            response_hit(&HitRate::Derived(derived), popularity, requests_per_sec.lane(lane))
        }),
    }
}

/// What the response caches in front of a plan do with a stream of requests; all are shares of the requests, 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StackHits<N = f64> {
    /// Asks the exact cache, or would if there were one: what may be cached at all.
    pub asked: N,
    /// Answered by the exact cache.
    pub exact: N,
    /// Answered by the semantic cache, which is asked for what the exact one does not answer.
    pub semantic: N,
}

impl<N: Num> StackHits<N> {
    /// Answered by either.
    #[must_use]
    #[inline(always)]
    pub fn total(&self) -> N {
        self.exact + self.semantic
    }
}

/// The hits of a stack of caches, exact before semantic.
///
/// - `cacheable_share`: share of the requests that may be answered from a cache, 0..=1.
/// - `popularity`: of the distinct requests in each lane, or one for all; without one a derived hit rate is 0.
/// - `parts`: part of the capacity that this stream's answers take in either cache, from [`cache_parts`]; 1 if it has
///   the caches for itself.
/// - `requests_per_sec`: all requests, cacheable or not.
#[must_use]
#[inline(always)]
pub fn stack_hits<N: Num>(
    stack: &CacheStack<N>,
    cacheable_share: N,
    popularity: &[Popularity],
    parts: [f64; 2],
    requests_per_sec: N,
) -> StackHits<N> {
    let asked = cacheable_share.at_least(0.0).at_most(1.0);
    let of = |cache: &Option<ResponseCache<N>>, part: f64, asked: N| match cache {
        Some(cache) => asked * each_hit(&cache.hit, popularity, part, asked * requests_per_sec),
        None => N::of(0.0),
    };
    let exact = of(&stack.exact, parts[0], asked);
    StackHits { asked, exact, semantic: of(&stack.semantic, parts[1], asked - exact) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(hit: HitRate<f64>) -> ResponseCache<f64> {
        ResponseCache {
            hit,
            lookup_usd_per_request: 0.0,
            lookup_secs: 0.0,
            usd_per_month: 0.0,
            false_hit_share: 0.0,
        }
    }

    #[test]
    fn the_semantic_cache_is_asked_for_what_the_exact_one_leaves() {
        // 80 % may be cached, 40 % of them hit exactly (32 %), 25 % of the other 48 % by meaning (12 %).
        let stack = CacheStack {
            exact: Some(cache(HitRate::Given(0.4))),
            semantic: Some(cache(HitRate::Given(0.25))),
        };
        let hits = stack_hits(&stack, 0.8, &[], [1.0; 2], 5.0);
        assert!((hits.exact - 0.32).abs() < 1e-12 && (hits.semantic - 0.12).abs() < 1e-12, "{hits:?}");
        assert!((hits.total() - 0.44).abs() < 1e-12);
        let only = CacheStack { exact: None, semantic: stack.semantic };
        assert!((stack_hits(&only, 0.8, &[], [1.0; 2], 5.0).semantic - 0.2).abs() < 1e-12);
        assert_eq!(
            stack_hits(&CacheStack { exact: None, semantic: None }, 0.8, &[], [1.0; 2], 5.0).total(),
            0.0
        );
    }

    #[test]
    fn a_derived_stack_asks_with_the_requests_that_reach_each_cache() {
        let popularity = Popularity::new(1e4, 0.9);
        let stack = CacheStack {
            exact: Some(cache(derived(500.0, 600.0))),
            semantic: Some(cache(derived(900.0, 6_000.0))),
        };
        let hits = stack_hits(&stack, 0.5, std::slice::from_ref(&popularity), [1.0; 2], 20.0);
        let exact = 0.5 * response_hit(&derived(500.0, 600.0), &popularity, 10.0);
        let left = 0.5 - exact;
        let semantic = left * response_hit(&derived(900.0, 6_000.0), &popularity, 20.0 * left);
        assert!((hits.exact - exact).abs() < 1e-12 && (hits.semantic - semantic).abs() < 1e-12, "{hits:?}");
        assert_eq!(stack_hits(&stack, 0.5, &[], [1.0; 2], 20.0).total(), 0.0);
    }

    fn derived(capacity_items: f64, ttl_secs: f64) -> HitRate<f64> {
        HitRate::Derived(DerivedHit { capacity_items, ttl_secs })
    }

    /// Numbers in 0..1 from a fixed seed (SplitMix64; Steele, Lea, Flood 2014).
    fn uniforms(mut state: u64) -> impl FnMut() -> f64 {
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    /// Requests for items by Zipf's law and what an LRU cache answers of them, the first fifth not counted.
    fn simulated_lru(distinct: usize, alpha: f64, capacity: usize, ttl_requests: usize) -> f64 {
        let mut reached: Vec<f64> = Vec::with_capacity(distinct);
        for rank in 1..=distinct {
            reached.push(reached.last().copied().unwrap_or(0.0) + (rank as f64).powf(-alpha));
        }
        let total = reached[distinct - 1];
        let mut uniform = uniforms(7);
        let mut cache: Vec<(usize, usize)> = Vec::new();
        let (requests, mut hits) = (200_000, 0);
        for at in 0..requests {
            let aim = uniform() * total;
            let item = reached.partition_point(|&sum| sum < aim);
            let found = cache.iter().position(|&(held, _)| held == item);
            let fresh = found.is_some_and(|position| at - cache.remove(position).1 <= ttl_requests);
            hits += usize::from(fresh && at >= requests / 5);
            cache.insert(0, (item, at));
            cache.truncate(capacity);
        }
        hits as f64 / (requests - requests / 5) as f64
    }

    #[test]
    fn an_lru_cache_simulated_request_by_request_hits_as_often() {
        for (distinct, alpha) in [(300, 0.0), (300, 0.8), (2_000, 1.1)] {
            for capacity in [5, 30, 150] {
                let simulated = simulated_lru(distinct, alpha, capacity, usize::MAX);
                let popularity = Popularity::new(distinct as f64, alpha);
                let found = response_hit(&derived(capacity as f64, 1e12), &popularity, 1.0);
                assert!(
                    (found - simulated).abs() < 0.01,
                    "{distinct} items, alpha {alpha}, capacity {capacity}: {found}, simulated {simulated}"
                );
            }
        }
    }

    /// A file of measured data beside the checkout, if it is there.
    fn measured(name: &str) -> Option<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = root
            .ancestors()
            .skip(1)
            .find_map(|folder| std::fs::read_to_string(folder.join("shared/data/measured").join(name)).ok());
        if found.is_none() {
            eprintln!("SKIPPED: {name} is not in ../shared/data/measured");
        }
        found
    }

    /// Rows of the independent reference: 10,000 items by Zipf's law, LRU simulated over 800,000 requests, Che's
    /// approximation evaluated rank by rank, and the mass of the most popular items that no policy can exceed.
    #[test]
    fn the_derived_hit_rate_is_that_of_the_independent_reference() {
        let Some(text) = measured("cache_hit_tables.csv") else { return };
        let (mut rows, mut off_simulated, mut off_che) = (0, 0.0f64, 0.0f64);
        for row in csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap) {
            if &row[0] != "irm_reference" {
                continue;
            }
            let alpha: f64 =
                row[1].split("alpha=").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
            let (capacity, stated): (f64, f64) = (row[3].parse().unwrap(), row[6].parse().unwrap());
            let found = response_hit(&derived(capacity, 1e15), &Popularity::new(1e4, alpha), 1.0);
            rows += 1;
            match &row[2] {
                "LRU" => off_simulated = off_simulated.max((found - stated).abs()),
                "LRU (Che approximation)" => off_che = off_che.max((found - stated).abs()),
                _ => assert!(
                    found <= stated,
                    "alpha {alpha}, capacity {capacity}: {found} above the best {stated}"
                ),
            }
        }
        eprintln!(
            "{rows} rows: off the simulation by at most {off_simulated:.5}, off Che by at most {off_che:.6}"
        );
        assert_eq!(rows, 60);
        assert!(off_simulated < 2e-3 && off_che < 3e-5, "off by {off_simulated} and {off_che}");
    }

    #[test]
    fn a_time_to_live_that_binds_hits_as_often_as_simulated() {
        for ttl in [3usize, 40, 400] {
            let simulated = simulated_lru(300, 0.8, 300, ttl);
            let found = response_hit(&derived(300.0, ttl as f64), &Popularity::new(300.0, 0.8), 1.0);
            assert!((found - simulated).abs() < 0.01, "ttl {ttl}: {found}, simulated {simulated}");
        }
    }

    #[test]
    fn hits_rise_with_capacity_time_and_rate_from_none_to_all() {
        let popularity = Popularity::new(1e4, 0.9);
        let hit = |capacity, ttl, rate| response_hit(&derived(capacity, ttl), &popularity, rate);
        assert_eq!([hit(0.0, 60.0, 1.0), hit(10.0, 0.0, 1.0), hit(10.0, 60.0, 0.0)], [0.0; 3]);
        assert!(hit(1e4, 1e9, 10.0) > 0.9999);
        let mut before = [0.0; 3];
        for step in 1..60 {
            let x = 1.3f64.powi(step);
            let now = [hit(x, 1e5, 0.1), hit(3_000.0, x, 0.1), hit(3_000.0, 3_600.0, x * 1e-4)];
            assert!((0..3).all(|i| now[i] >= before[i] - 1e-12 && now[i] <= 1.0), "{now:?} after {before:?}");
            before = now;
        }
    }

    #[test]
    fn a_given_hit_rate_is_taken_as_it_is_and_kept_within_bounds() {
        let popularity = Popularity::new(10.0, 1.0);
        let found = [-0.1, 0.35, 1.5].map(|share| response_hit(&HitRate::Given(share), &popularity, 5.0));
        assert_eq!(found, [0.0, 0.35, 1.0]);
    }

    #[test]
    fn the_effective_cost_is_the_base_times_the_misses_plus_the_cache() {
        let hit = response_hit(&HitRate::Given(0.6), &Popularity::new(10.0, 1.0), 1.0);
        assert!((10_000.0 * (1.0 - hit) + 500.0 - 4_500.0).abs() < 1e-9);
    }

    #[test]
    fn no_finite_input_gives_nan() {
        let values = [f64::MIN, -1.0, 0.0, 1e-300, 1.0, 1e9, f64::MAX];
        let popularity = Popularity::new(1e6, 1.0);
        for capacity in values {
            for ttl in values {
                for rate in values {
                    let hit = response_hit(&derived(capacity, ttl), &popularity, rate);
                    assert!((0.0..=1.0).contains(&hit), "{capacity} {ttl} {rate}: {hit}");
                }
            }
        }
    }
}
