//! Hit rate of a cache of whole answers.

use super::{HitRate, Popularity};

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
            // The solution for the capacity is dear; it is not needed while time empties the cache faster.
            let tau = if popularity.items_at(by_time) <= derived.capacity_items {
                by_time
            } else {
                popularity.characteristic_tau(derived.capacity_items).min(by_time)
            };
            popularity.hit_at(tau)
        }
    }
}
