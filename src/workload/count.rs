//! Numbers of turns and calls: the moments that demand needs, in closed form.

use super::{Count, CountKind};
use crate::stats::Num;

/// Largest mean that is computed with; larger draws count as this.
const MEAN_MAX: f64 = 1e9;
/// Positions that are enumerated one by one before they are grouped.
const EXACT_POSITIONS: f64 = 64.0;
/// A position is left out once so small a share of the counts reaches it.
const TAIL: f64 = 1e-12;

impl<N: Num> Count<N> {
    /// The mean that is computed with, 1 ..= 10⁹: a draw outside counts as the nearest end.
    #[must_use]
    #[inline(always)]
    pub fn expectation(&self) -> N {
        self.mean.at_least(1.0).at_most(MEAN_MAX)
    }

    /// Share of the sequences that have one item alone.
    #[must_use]
    #[inline(always)]
    pub fn alone(&self) -> N {
        let mean = self.expectation();
        match self.kind {
            CountKind::Fixed => (mean - 1.0).at_most(1.0).rest(),
            CountKind::Geometric => N::of(1.0) / mean,
        }
    }

    /// Expected number of ordered pairs, `E[n (n - 1) / 2]`: how often an earlier item is carried by a later one.
    ///
    /// `Fixed` with whole part w and rest f: `w (w - 1) / 2 + f w`. `Geometric` with mean m: `m (m - 1)`.
    #[must_use]
    #[inline(always)]
    pub fn pairs(&self) -> N {
        let mean = self.expectation();
        match self.kind {
            CountKind::Fixed => {
                let (whole, rest) = split(mean);
                whole * (whole - 1.0) / 2.0 + rest * whole
            }
            CountKind::Geometric => mean * (mean - 1.0),
        }
    }

    /// What grows by `step` with each item of a sequence, up to `limit`.
    ///
    /// The history of the average turn, if `step` is what each turn adds. Closed for both kinds: below the limit
    /// the sum is arithmetic (fixed) or arithmetic-geometric, above it every item counts `limit`.
    #[must_use]
    #[inline(always)]
    pub fn ramp(&self, step: N, limit: Option<N>) -> Ramp<N> {
        let mean = self.expectation();
        let rising = step * self.pairs() / mean;
        let unlimited = Ramp { mean: rising, rising, rising_items: (mean - 1.0) / mean };
        let Some(limit) = limit else { return unlimited };
        let below = (limit / step).map(f64::floor);
        let limited = match self.kind {
            CountKind::Fixed => {
                let (whole, rest) = split(mean);
                let items = below.smaller(whole - 1.0);
                let sum = step * items * (items + 1.0) / 2.0;
                let all = sum + limit * (whole - 1.0 - items);
                let last = whole.pick_above(below, N::of(0.0), rest);
                Ramp {
                    mean: (all + rest * (step * whole).smaller(limit)) / mean,
                    rising: (sum + last * step * whole) / mean,
                    rising_items: (items + last) / mean,
                }
            }
            CountKind::Geometric => {
                // Item i is reached by r^i of the sequences; each step j <= below adds `step` to all items from j on.
                let ln_r = (N::of(-1.0) / mean).map(f64::ln_1p);
                let r = (N::of(1.0) / mean).rest();
                let within = -(below * ln_r).map(f64::exp_m1);
                let beyond = ((below + 1.0) * ln_r).e_to();
                let full = step * r * within * mean;
                let only = |value: N| r.pick_above(N::of(0.0), value, N::of(0.0));
                Ramp {
                    mean: only(full + (limit - step * below) * beyond),
                    rising: only((full - step * below * beyond).at_least(0.0)),
                    rising_items: only(r * within),
                }
            }
        };
        // A limit that is never reached, a step of 0 included.
        let reached = |limited, unlimited| N::of(1e18).pick_above(limit / step, limited, unlimited);
        Ramp {
            mean: reached(limited.mean, unlimited.mean),
            rising: reached(limited.rising, unlimited.rising),
            rising_items: reached(limited.rising_items, unlimited.rising_items),
        }
    }
}

/// Means over the items i = 0, 1, ... of a sequence, each item alike: `E[sum over i < n] / E[n]`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ramp<N = f64> {
    /// Of `min(step * i, limit)`.
    pub mean: N,
    /// Of `step * i` while that is within the limit, 0 beyond it.
    pub rising: N,
    /// Share of the items from the second on whose `step * i` is within the limit.
    pub rising_items: N,
}

impl Count<f64> {
    /// Visits the positions i = 0, 1, ... with the expected number of items there, `P(n > i)`.
    ///
    /// The first 64 positions are visited one by one; later ones in groups that grow by a sixteenth, at the group's
    /// middle. Positions that fewer than 10⁻¹² of the sequences reach are left out.
    pub(super) fn each_position(&self, mut visit: impl FnMut(f64, f64)) {
        let mean = self.expectation();
        let (whole, rest) = split(mean);
        let ln_r = (-1.0 / mean).ln_1p();
        let end = match self.kind {
            CountKind::Fixed => whole,
            CountKind::Geometric if mean > 1.0 => (TAIL.ln() / ln_r).ceil(),
            CountKind::Geometric => 1.0,
        };
        let mut start = 0.0;
        while start < end {
            let width = if start < EXACT_POSITIONS { 1.0 } else { (start / 16.0).floor() };
            let width = width.min(end - start);
            let weight = match self.kind {
                CountKind::Fixed => width,
                CountKind::Geometric if width > 1.0 => (start * ln_r).exp() * -(width * ln_r).exp_m1() * mean,
                CountKind::Geometric if start > 0.0 => (start * ln_r).exp(),
                CountKind::Geometric => 1.0,
            };
            visit(start + (width - 1.0) / 2.0, weight);
            start += width;
        }
        if rest > 0.0 && self.kind == CountKind::Fixed {
            visit(whole, rest);
        }
    }
}

/// Whole part and rest.
#[inline(always)]
fn split<N: Num>(mean: N) -> (N, N) {
    let whole = mean.map(f64::floor);
    (whole, mean - whole)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every count with its probability, by the definition of the kinds.
    pub(crate) fn enumerate(count: &Count<f64>) -> Vec<(u32, f64)> {
        match count.kind {
            CountKind::Fixed => {
                let whole = count.mean.floor() as u32;
                vec![(whole, 1.0 - count.mean.fract()), (whole + 1, count.mean.fract())]
            }
            CountKind::Geometric => {
                let p = 1.0 / count.mean;
                // Beyond, less than 10⁻¹⁷ of the sequences are left.
                let last = (40.0 * count.mean) as u32;
                (1..=last).map(|n| (n, p * (1.0 - p).powi(n as i32 - 1))).collect()
            }
        }
    }

    pub(crate) fn counts() -> Vec<Count<f64>> {
        let fixed = [1.0, 1.3, 2.0, 4.0, 6.75, 40.5].map(|mean| Count { mean, kind: CountKind::Fixed });
        let geometric = [1.0, 1.3, 4.0, 12.0].map(|mean| Count { mean, kind: CountKind::Geometric });
        fixed.into_iter().chain(geometric).collect()
    }

    pub(crate) fn check(what: &str, found: f64, expected: f64) {
        let error = (found - expected).abs() / expected.abs().max(1.0);
        assert!(error < 1e-9, "{what}: found {found}, expected {expected}");
    }

    #[test]
    fn the_mean_and_the_pairs_are_those_of_every_count_enumerated() {
        for count in counts() {
            let mean: f64 = enumerate(&count).iter().map(|&(n, p)| p * f64::from(n)).sum();
            let pairs: f64 =
                enumerate(&count).iter().map(|&(n, p)| p * f64::from(n) * (f64::from(n) - 1.0) / 2.0).sum();
            check(&format!("mean of {count:?}"), count.expectation(), mean);
            check(&format!("pairs of {count:?}"), count.pairs(), pairs);
            let alone: f64 = enumerate(&count).iter().filter(|(n, _)| *n == 1).map(|(_, p)| p).sum();
            check(&format!("alone of {count:?}"), count.alone(), alone);
        }
    }

    #[test]
    fn the_ramp_is_the_sum_over_every_sequence_enumerated() {
        for count in counts() {
            for limit in [None, Some(0.0), Some(50.0), Some(100.0), Some(730.0), Some(1e300)] {
                let most = limit.unwrap_or(f64::MAX);
                let at = |i: u32| 100.0 * f64::from(i);
                let (mut sum, mut rising, mut items, mut mean) = (0.0, 0.0, 0.0, 0.0);
                for (n, p) in enumerate(&count) {
                    sum += p * (0..n).map(|i| at(i).min(most)).sum::<f64>();
                    rising += p * (1..n).map(at).filter(|at| *at <= most).sum::<f64>();
                    items += p * (1..n).map(at).filter(|at| *at <= most).count() as f64;
                    mean += p * f64::from(n);
                }
                let found = count.ramp(100.0, limit);
                check(&format!("{count:?}, limit {limit:?}"), found.mean, sum / mean);
                check(&format!("rising, {count:?}, limit {limit:?}"), found.rising, rising / mean);
                check(&format!("items, {count:?}, limit {limit:?}"), found.rising_items, items / mean);
            }
        }
    }

    #[test]
    fn positions_carry_all_items_of_a_sequence() {
        for mean in [1.0, 1.5, 30.0, 700.5, 1e9] {
            for kind in [CountKind::Fixed, CountKind::Geometric] {
                let (mut items, mut visits) = (0.0, 0);
                Count { mean, kind }.each_position(|_, weight| {
                    items += weight;
                    visits += 1;
                });
                assert!((items / mean - 1.0).abs() < 1e-9, "{kind:?} {mean}: {items}");
                assert!(visits < 500, "{kind:?} {mean}: {visits} visits");
            }
        }
    }

    #[test]
    fn no_finite_input_gives_nan() {
        for mean in [f64::MIN, -1.0, 0.0, 1.0, 1.0 + f64::EPSILON, 2.5, 1e17, f64::MAX] {
            for kind in [CountKind::Fixed, CountKind::Geometric] {
                let count = Count { mean, kind };
                for step in [0.0, 1e-310, 1.0, 1e45] {
                    for limit in [None, Some(0.0), Some(1e-300), Some(1.0), Some(1e15)] {
                        let Ramp { mean, rising, rising_items } = count.ramp(step, limit);
                        let what = format!("{count:?} {step} {limit:?}: {mean} {rising} {rising_items}");
                        assert!(mean.is_finite() && (0.0..=mean * (1.0 + 1e-6)).contains(&rising), "{what}");
                        assert!((0.0..=1.0).contains(&rising_items), "{what}");
                        assert!(limit.is_none_or(|limit| mean <= limit * (1.0 + 1e-12)), "{what}");
                    }
                }
                assert!(count.pairs() >= 0.0 && count.pairs().is_finite());
            }
        }
    }
}
