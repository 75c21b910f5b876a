//! How a response cache that several streams of requests share divides among them.

use super::{CacheStack, DerivedHit, HitRate, Popularity, ResponseCache, response_hit};

/// Requests of one use case that may be answered from a response cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheStream<'a> {
    /// Popularity of its distinct requests; no two streams share one.
    pub popularity: &'a Popularity,
    /// Cacheable requests per second, >= 0.
    pub requests_per_sec: f64,
}

/// Part of the capacity that each stream's answers take in the exact and in the semantic cache, each 0..=1.
///
/// All answers of a cache outlive the same time without being asked for: the time `t` in which the streams together ask
/// for as many distinct requests as it holds, `sum_s items_s(rate_s t) = capacity` (Che's approximation over several
/// streams). Where everything fits, or the time to live empties the cache before it is full, the capacity does not bind
/// and each part is 1. The semantic cache is asked for what the exact one leaves.
#[must_use]
pub fn cache_parts(stack: &CacheStack<f64>, streams: &[CacheStream<'_>]) -> Vec<[f64; 2]> {
    let exact = parts_of(&stack.exact, streams);
    let mut left = streams.to_vec();
    if let Some(cache) = &stack.exact {
        for (stream, part) in left.iter_mut().zip(&exact) {
            let hit =
                response_hit(&within_part(&cache.hit, *part), stream.popularity, stream.requests_per_sec);
            stream.requests_per_sec *= 1.0 - hit;
        }
    }
    let semantic = parts_of(&stack.semantic, &left);
    exact.into_iter().zip(semantic).map(|(exact, semantic)| [exact, semantic]).collect()
}

fn within_part(hit: &HitRate<f64>, part: f64) -> HitRate<f64> {
    match hit {
        HitRate::Given(share) => HitRate::Given(*share),
        HitRate::Derived(derived) => HitRate::Derived(DerivedHit {
            capacity_items: derived.capacity_items * part,
            ttl_secs: derived.ttl_secs,
        }),
    }
}

fn parts_of(cache: &Option<ResponseCache<f64>>, streams: &[CacheStream<'_>]) -> Vec<f64> {
    let whole = vec![1.0; streams.len()];
    let Some(HitRate::Derived(DerivedHit { capacity_items, ttl_secs })) =
        cache.as_ref().map(|cache| &cache.hit)
    else {
        return whole;
    };
    let capacity = capacity_items.max(0.0);
    let held = |secs: f64| {
        let of =
            |stream: &CacheStream<'_>| stream.popularity.items_at(stream.requests_per_sec.max(0.0) * secs);
        streams.iter().map(of).collect::<Vec<f64>>()
    };
    let full = held(ttl_secs.max(0.0));
    let binds = capacity > 0.0 && full.iter().sum::<f64>() > capacity;
    if streams.len() < 2 || !binds {
        return whole;
    }
    let secs = characteristic_secs(capacity, ttl_secs.max(0.0), streams);
    held(secs).into_iter().map(|held| (held / capacity).min(1.0)).collect()
}

/// The time in which the streams ask for `capacity` distinct requests; less than `most` secs.
///
/// Newton's iteration between brackets on the logarithms of both, in which the sum is nearly straight.
fn characteristic_secs(capacity: f64, most: f64, streams: &[CacheStream<'_>]) -> f64 {
    let rate: f64 = streams.iter().map(|stream| stream.requests_per_sec.max(0.0)).sum();
    // No request asks for more than one item, so it takes at least this long.
    let (mut low, mut high) = ((capacity / rate).ln(), most.ln());
    let mut at = low;
    for _ in 0..100 {
        let secs = at.exp();
        let (mut held, mut slope) = (0.0, 0.0);
        for stream in streams {
            let rate = stream.requests_per_sec.max(0.0);
            let (items, new) = stream.popularity.items_and_new_at(rate * secs);
            held += items;
            slope += rate * new;
        }
        let error = (held / capacity).ln();
        if error.abs() < 1e-12 {
            break;
        }
        if error < 0.0 {
            low = at;
        } else {
            high = at;
        }
        let newton = at - error * held / (slope * secs);
        at = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
    }
    at.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(capacity_items: f64, ttl_secs: f64) -> CacheStack<f64> {
        let hit = HitRate::Derived(DerivedHit { capacity_items, ttl_secs });
        let cache = ResponseCache {
            hit,
            lookup_usd_per_request: 0.0,
            lookup_secs: 0.0,
            usd_per_month: 0.0,
            false_hit_share: 0.0,
        };
        CacheStack { exact: Some(cache), semantic: None }
    }

    #[test]
    fn a_stream_cut_in_two_with_its_items_hits_as_the_whole_stream_does() {
        // 2,000 items asked alike; one stream asks 500 of them, the other 1,500 three times as often in all.
        let parts = [(500.0, 1.0), (1_500.0, 3.0)].map(|(items, rate)| (Popularity::new(items, 0.0), rate));
        let streams = parts.each_ref().map(|(popularity, requests_per_sec)| CacheStream {
            popularity,
            requests_per_sec: *requests_per_sec,
        });
        let shares = cache_parts(&stack(800.0, 1e12), &streams);
        assert!((shares[0][0] - 0.25).abs() < 1e-9 && (shares[1][0] - 0.75).abs() < 1e-9, "{shares:?}");
    }

    #[test]
    fn the_parts_fill_the_cache_and_all_answers_outlive_the_same_time() {
        let popular = [(1e4, 0.9, 5.0), (300.0, 1.3, 40.0), (1e7, 0.6, 0.2)];
        let popular = popular.map(|(items, alpha, rate)| (Popularity::new(items, alpha), rate));
        let streams = popular.each_ref().map(|(popularity, requests_per_sec)| CacheStream {
            popularity,
            requests_per_sec: *requests_per_sec,
        });
        for capacity in [3.0, 200.0, 5_000.0] {
            let shares = cache_parts(&stack(capacity, 1e12), &streams);
            let sum: f64 = shares.iter().map(|part| part[0]).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{capacity}: {shares:?}");
            let secs: Vec<f64> = streams
                .iter()
                .zip(&shares)
                .map(|(stream, part)| {
                    stream.popularity.characteristic_tau(capacity * part[0]) / stream.requests_per_sec
                })
                .collect();
            assert!(
                secs.iter().all(|secs_of| (secs_of / secs[0] - 1.0).abs() < 1e-6),
                "{capacity}: {secs:?}"
            );
        }
    }

    #[test]
    fn a_cache_that_time_empties_or_that_holds_all_is_not_divided() {
        let popularity = Popularity::new(1_000.0, 0.9);
        let stream = CacheStream { popularity: &popularity, requests_per_sec: 10.0 };
        assert_eq!(cache_parts(&stack(500.0, 1.0), &[stream; 2]), [[1.0; 2]; 2]);
        assert_eq!(cache_parts(&stack(2_000.0, 1e12), &[stream; 2]), [[1.0; 2]; 2]);
        assert_eq!(cache_parts(&stack(500.0, 1e12), &[stream]), [[1.0; 2]]);
        for odd in [0.0, -1.0, f64::MAX, f64::MIN_POSITIVE] {
            for parts in
                [cache_parts(&stack(odd, 60.0), &[stream; 2]), cache_parts(&stack(500.0, odd), &[stream; 2])]
            {
                assert!(parts.iter().flatten().all(|part| (0.0..=1.0).contains(part)), "{odd}: {parts:?}");
            }
        }
        let silent = CacheStream { requests_per_sec: 0.0, ..stream };
        let parts = cache_parts(&stack(500.0, 1e12), &[stream, silent]);
        assert!((parts[0][0] - 1.0).abs() < 1e-9 && parts[1][0] == 0.0, "{parts:?}");
    }
}
