//! Popularity: how unevenly requests repeat, prepared so that a hit rate costs a few dozen exponentials.

use std::cell::Cell;

use multiversion::multiversion;

use crate::stats::{LANES, Lanes, Num as _};

/// Ranks that are summed one by one.
const HEAD: usize = 16;
/// Panels of the integral over the tail.
const PANELS: usize = 8;
/// Length of a panel in the logarithm of the rank.
const PANEL: f64 = 2.6;
/// Knots of a panel.
const KNOTS: usize = 8;
/// Most groups of ranks.
const GROUPS: usize = HEAD + PANELS * KNOTS;
/// Groups side by side.
const ROWS: usize = GROUPS.div_ceil(LANES);
/// Most distinct items and the greatest exponent that are computed with.
const DISTINCT_MAX: f64 = 1e15;
const ALPHA_MAX: f64 = 5.0;

/// Gauss-Legendre of order 8 on -1..=1, the positive half: (knot, weight). Source: Abramowitz & Stegun, table 25.4.
const GAUSS: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
];

/// Zipf popularity `p_i ~ i^-alpha` of `distinct` items, prepared for hit-rate curves.
///
/// The first 16 ranks are exact; the rest is the integral over `16.5 ..= distinct + 0.5` in the logarithm of the rank
/// (Gauss-Legendre, at most 64 knots). Sums over ranks so taken are within about 10⁻⁵ of the exact ones. A number of
/// items that is not whole is allowed: the last one counts in part.
///
/// ```
/// use breakeven::cache::Popularity;
///
/// // Two equal items, of which the cache remembers those asked within tau: each is asked tau / 2 times.
/// let popularity = Popularity::new(2.0, 0.0);
/// assert!((popularity.hit_at(2.0) - (1.0 - (-1.0f64).exp())).abs() < 1e-12);
/// ```
#[derive(Debug, Clone)]
pub struct Popularity {
    distinct: f64,
    alpha: f64,
    groups: usize,
    /// How many items each group stands for; 0 beyond the last.
    items: [Lanes; ROWS],
    /// Probability of one item of each group; 0 beyond the last.
    chance: [Lanes; ROWS],
    /// The last capacity that was solved for, and its characteristic time.
    solved: Cell<(f64, f64)>,
    /// The last time that a hit rate was computed for, and the rate.
    last_hit: Cell<(f64, f64)>,
}

/// What nothing is equal to.
const NOTHING: (f64, f64) = (f64::NAN, 0.0);

impl Popularity {
    /// Prepares `distinct` items (1 ..= 10¹⁵) with Zipf's exponent `alpha` (0 ..= 5); draws outside count as the
    /// nearest end, not-a-number as the lower one.
    #[must_use]
    pub fn new(distinct: f64, alpha: f64) -> Self {
        let mut popularity = Self {
            distinct: 0.0,
            alpha: 0.0,
            groups: 0,
            items: [Lanes::default(); ROWS],
            chance: [Lanes::default(); ROWS],
            solved: Cell::new(NOTHING),
            last_hit: Cell::new(NOTHING),
        };
        popularity.refresh(distinct, alpha);
        popularity
    }

    /// Prepares another popularity in place; free if nothing changed.
    pub fn refresh(&mut self, distinct: f64, alpha: f64) {
        let (distinct, alpha) = (distinct.max(1.0).min(DISTINCT_MAX), alpha.max(0.0).min(ALPHA_MAX));
        if distinct.to_bits() == self.distinct.to_bits() && alpha.to_bits() == self.alpha.to_bits() {
            return;
        }
        (self.distinct, self.alpha, self.groups) = (distinct, alpha, 0);
        (self.items, self.chance) = ([Lanes::default(); ROWS], [Lanes::default(); ROWS]);
        (self.solved, self.last_hit) = (Cell::new(NOTHING), Cell::new(NOTHING));
        let mut rank = 1.0;
        while self.groups < HEAD && rank < distinct + 1.0 {
            self.push(f64::ln(rank), (distinct + 1.0 - rank).min(1.0));
            rank += 1.0;
        }
        if distinct > rank - 1.0 {
            self.push_tail((rank - 0.5).ln(), (distinct + 0.5).ln());
        }
        let total = sum_of_rows(&self.items, &self.chance, |items, chance| items * chance);
        self.chance.iter_mut().for_each(|chance| *chance = *chance / total);
    }

    /// Distinct items that are computed with.
    #[must_use]
    pub fn distinct(&self) -> f64 {
        self.distinct
    }

    /// Probability that a request asks the item of this rank, from 1.
    #[must_use]
    pub fn chance_of(&self, rank: f64) -> f64 {
        self.chance[0].0[0] * rank.max(1.0).powf(-self.alpha)
    }

    /// Hit rate of a cache that remembers every item for `tau` requests after it was last asked:
    /// `sum_i p_i (1 - exp(-p_i tau))`, 0..=1; `tau` is arrival rate times time and may be infinite.
    #[must_use]
    pub fn hit_at(&self, tau: f64) -> f64 {
        if tau == f64::INFINITY {
            return 1.0;
        }
        let (last, hit) = self.last_hit.get();
        if last == tau {
            return hit;
        }
        let hit = hits(&self.items, &self.chance, tau.max(0.0)).min(1.0);
        self.last_hit.set((tau, hit));
        hit
    }

    /// Items that such a cache holds on average: `sum_i 1 - exp(-p_i tau)`, 0 ..= `distinct`.
    #[must_use]
    pub fn items_at(&self, tau: f64) -> f64 {
        if tau == f64::INFINITY {
            return self.distinct;
        }
        fill(&self.items, &self.chance, tau.max(0.0)).held.min(self.distinct)
    }

    /// [`Popularity::items_at`], and the share of requests that ask for an item that such a cache does not hold: its slope.
    #[must_use]
    pub(super) fn items_and_new_at(&self, tau: f64) -> (f64, f64) {
        let Fill { held, rate, .. } = fill(&self.items, &self.chance, tau.max(0.0).min(f64::MAX));
        (held.min(self.distinct), rate)
    }

    /// How many requests an item outlives in an LRU cache of `capacity_items`: `items_at(tau) = capacity`.
    ///
    /// Infinite if everything fits, 0 for no capacity. Newton's iteration between brackets, on coordinates in which
    /// equal popularity is a straight line.
    /// Source: Che, Tung, Wang, *Hierarchical Web caching systems*, IEEE JSAC 20(7), 2002.
    #[must_use]
    pub fn characteristic_tau(&self, capacity_items: f64) -> f64 {
        let (last, tau) = self.solved.get();
        if last == capacity_items {
            return tau;
        }
        let tau = self.solve(capacity_items);
        self.solved.set((capacity_items, tau));
        tau
    }

    /// How many requests an item outlives in a cache that holds `capacity_items` and forgets after `by_time` requests.
    #[must_use]
    pub fn tau_within(&self, capacity_items: f64, by_time: f64) -> f64 {
        // The solution for the capacity is dear; it is not needed while time empties the cache faster.
        let is_solved = self.solved.get().0 == capacity_items;
        if !is_solved && self.items_at(by_time) <= capacity_items {
            return by_time;
        }
        self.characteristic_tau(capacity_items).min(by_time)
    }

    fn solve(&self, capacity_items: f64) -> f64 {
        let filled = capacity_items / self.distinct;
        if filled >= 1.0 {
            return f64::INFINITY;
        }
        if filled.is_nan() || filled <= 0.0 {
            return 0.0;
        }
        let aim = -(-filled).ln_1p();
        // Uneven popularity fills a cache slower than even popularity does (Jensen), so this is never too far.
        let (mut low, mut high) = ((self.distinct * aim).ln(), f64::INFINITY);
        let (mut at, mut stride) = (low, 1.0);
        for _ in 0..100 {
            let (value, slope) = self.filled(at.exp());
            let error = value.ln() - aim.ln();
            if error.abs() < 1e-12 {
                break;
            }
            if error < 0.0 {
                low = at
            } else {
                high = at
            }
            stride *= 2.0;
            let newton = at - error / slope;
            at = if newton > low && newton < high && newton < low + stride {
                newton
            } else if high.is_finite() {
                f64::midpoint(low, high)
            } else {
                low + stride
            };
        }
        at.exp()
    }

    /// `-ln(1 - held / distinct)` at `tau`, and its elasticity.
    fn filled(&self, tau: f64) -> (f64, f64) {
        let Fill { held, left, rate } = fill(&self.items, &self.chance, tau);
        let total = held + left;
        let value = if held < left { -(-held / total).ln_1p() } else { -(left / total).ln() };
        (value, tau * rate / (left * value))
    }

    /// Adds a group of `items` like the one at `ln_rank`; its chance is not yet normalised.
    fn push(&mut self, ln_rank: f64, items: f64) {
        let (row, lane) = (self.groups / LANES, self.groups % LANES);
        self.items[row].0[lane] = items;
        self.chance[row].0[lane] = (-self.alpha * ln_rank).exp();
        self.groups += 1;
    }

    /// Adds the ranks between two logarithms of ranks.
    fn push_tail(&mut self, from: f64, to: f64) {
        let mut panels = 1.0;
        while panels < 8.0 && (to - from) / panels > PANEL {
            panels += 1.0;
        }
        let half = (to - from) / panels / 2.0;
        let mut centre = from + half;
        while self.groups + KNOTS <= GROUPS && centre < to {
            for (knot, weight) in GAUSS {
                for ln_rank in [centre - knot * half, centre + knot * half] {
                    self.push(ln_rank, weight * half * ln_rank.exp());
                }
            }
            centre += 2.0 * half;
        }
    }
}

/// What a cache holds that remembers each item for some time after it was last asked.
struct Fill {
    /// Items that it holds.
    held: f64,
    /// Items that it does not hold.
    left: f64,
    /// Requests for those, as a share of all.
    rate: f64,
}

/// The sum over groups of what each row of them gives.
#[inline(always)]
fn sum_of_rows(items: &[Lanes; ROWS], chance: &[Lanes; ROWS], of: impl Fn(Lanes, Lanes) -> Lanes) -> f64 {
    let mut sum = Lanes::default();
    for (items, chance) in items.iter().zip(chance) {
        sum += of(*items, *chance);
    }
    sum.0.iter().sum()
}

/// `sum_i p_i (1 - exp(-p_i tau))`.
#[multiversion(targets = "simd")]
fn hits(items: &[Lanes; ROWS], chance: &[Lanes; ROWS], tau: f64) -> f64 {
    sum_of_rows(items, chance, |items, chance| items * chance * (chance * tau).found_within())
}

#[multiversion(targets = "simd")]
fn fill(items: &[Lanes; ROWS], chance: &[Lanes; ROWS], tau: f64) -> Fill {
    let (mut held, mut left, mut rate) = (Lanes::default(), Lanes::default(), Lanes::default());
    for (items, chance) in items.iter().zip(chance) {
        let found = (*chance * tau).found_within();
        let missed = *items * found.rest();
        held += *items * found;
        left += missed;
        rate += *chance * missed;
    }
    let sum = |lanes: Lanes| lanes.0.iter().sum();
    Fill { held: sum(held), left: sum(left), rate: sum(rate) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zipf's probabilities one by one.
    fn zipf(distinct: u32, alpha: f64) -> Vec<f64> {
        let weights: Vec<f64> = (1..=distinct).map(|rank| f64::from(rank).powf(-alpha)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    #[test]
    fn grouped_ranks_give_the_hit_rates_of_ranks_one_by_one() {
        for distinct in [1, 2, 15, 16, 17, 40, 1_000, 30_000] {
            for alpha in [0.0, 0.6, 1.0, 1.4, 3.0] {
                let popularity = Popularity::new(f64::from(distinct), alpha);
                let exact = zipf(distinct, alpha);
                for tau in [0.0, 0.1, 3.0, 100.0, 1e4, 1e7] {
                    let hit: f64 = exact.iter().map(|p| p * -(-p * tau).exp_m1()).sum();
                    let held: f64 = exact.iter().map(|p| -(-p * tau).exp_m1()).sum();
                    let at = format!("distinct {distinct}, alpha {alpha}, tau {tau}");
                    assert!(
                        (popularity.hit_at(tau) - hit).abs() < 5e-5,
                        "{at}: {} {hit}",
                        popularity.hit_at(tau)
                    );
                    assert!(
                        (popularity.items_at(tau) - held).abs() < 2e-3 * held.max(1e-9),
                        "{at}: {} {held}",
                        popularity.items_at(tau)
                    );
                }
            }
        }
    }

    #[test]
    fn the_characteristic_time_fills_the_cache_to_its_capacity() {
        for distinct in [1.0, 1.5, 16.3, 100.0, 1e4, 1e9, 1e15] {
            for alpha in [0.0, 0.5, 1.0, 1.3, 4.0, 5.0] {
                let popularity = Popularity::new(distinct, alpha);
                for filled in [1e-9, 1e-3, 0.1, 0.5, 0.9, 0.999] {
                    let capacity = filled * distinct;
                    let tau = popularity.characteristic_tau(capacity);
                    let held = popularity.items_at(tau);
                    assert!(
                        (held / capacity - 1.0).abs() < 1e-6,
                        "distinct {distinct}, alpha {alpha}, filled {filled}: tau {tau} holds {held}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_cache_that_holds_everything_never_forgets_and_an_empty_one_never_remembers() {
        let popularity = Popularity::new(50.0, 1.0);
        assert_eq!(popularity.characteristic_tau(50.0), f64::INFINITY);
        assert_eq!(popularity.hit_at(f64::INFINITY), 1.0);
        assert_eq!(popularity.characteristic_tau(0.0), 0.0);
        assert_eq!(popularity.hit_at(0.0), 0.0);
    }

    #[test]
    fn a_refreshed_popularity_is_a_new_one() {
        let mut popularity = Popularity::new(1e6, 0.9);
        popularity.refresh(12.0, 1.1);
        let fresh = Popularity::new(12.0, 1.1);
        assert_eq!(popularity.hit_at(7.0), fresh.hit_at(7.0));
        assert_eq!(popularity.items_at(7.0), fresh.items_at(7.0));
    }

    #[test]
    fn no_finite_input_gives_nan() {
        for distinct in [-1.0, 0.0, 1e-300, 3.7, f64::MAX] {
            for alpha in [-5.0, 0.0, 1.0, f64::MAX] {
                let popularity = Popularity::new(distinct, alpha);
                for value in [f64::MIN, 0.0, 1e-300, 0.5, 1.0, 1e10, f64::MAX] {
                    assert!(popularity.hit_at(value).is_finite());
                    assert!(popularity.items_at(value).is_finite());
                    assert!(!popularity.characteristic_tau(value).is_nan());
                }
            }
        }
    }
}
