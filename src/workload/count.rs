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

    /// Mean of `min(step * i, limit)` over the items i = 0, 1, ... of a sequence, each item alike:
    /// `E[sum over i < n] / E[n]`.
    ///
    /// The history of the average turn, if `step` is what each turn adds. Closed for both kinds: below the limit
    /// the sum is arithmetic (fixed) or arithmetic-geometric, above it every item counts `limit`.
    #[must_use]
    #[inline(always)]
    pub fn mean_ramp(&self, step: N, limit: Option<N>) -> N {
        let mean = self.expectation();
        let unlimited = step * self.pairs() / mean;
        let Some(limit) = limit else { return unlimited };
        let below = (limit / step).map(f64::floor);
        let limited = match self.kind {
            CountKind::Fixed => {
                let (whole, rest) = split(mean);
                let rising = below.smaller(whole - 1.0);
                let all = step * rising * (rising + 1.0) / 2.0 + limit * (whole - 1.0 - rising);
                (all + rest * (step * whole).smaller(limit)) / mean
            }
            CountKind::Geometric => {
                // Item i is reached by r^i of the sequences; each step j <= below adds `step` to all items from j on.
                let ln_r = (N::of(-1.0) / mean).map(f64::ln_1p);
                let r = (N::of(1.0) / mean).rest();
                let full = step * r * -(below * ln_r).map(f64::exp_m1) * mean;
                let sum = full + (limit - step * below) * ((below + 1.0) * ln_r).e_to();
                r.pick_above(N::of(0.0), sum, N::of(0.0))
            }
        };
        // A limit that is never reached, a step of 0 included.
        N::of(1e18).pick_above(limit / step, limited, unlimited)
    }
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
        }
    }

    #[test]
    fn the_ramp_is_the_sum_over_every_sequence_enumerated() {
        for count in counts() {
            for limit in [None, Some(0.0), Some(50.0), Some(100.0), Some(730.0), Some(1e300)] {
                let at = |i: u32| (100.0 * f64::from(i)).min(limit.unwrap_or(f64::MAX));
                let (mut sum, mut mean) = (0.0, 0.0);
                for (n, p) in enumerate(&count) {
                    sum += p * (0..n).map(at).sum::<f64>();
                    mean += p * f64::from(n);
                }
                check(&format!("{count:?}, limit {limit:?}"), count.mean_ramp(100.0, limit), sum / mean);
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
                        let ramp = count.mean_ramp(step, limit);
                        assert!(ramp.is_finite() && ramp >= 0.0, "{count:?} {step} {limit:?}: {ramp}");
                        assert!(
                            limit.is_none_or(|limit| ramp <= limit * (1.0 + 1e-12)),
                            "{count:?} {step} {limit:?}: {ramp}"
                        );
                    }
                }
                assert!(count.pairs() >= 0.0 && count.pairs().is_finite());
            }
        }
    }
}
