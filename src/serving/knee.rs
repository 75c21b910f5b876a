//! The smooth maximum of two times, and a table that makes it cheap.

use std::sync::LazyLock;

use super::calibration::Calibration;
use crate::stats::Num;

/// Exponent of the smooth maximum `(mem^p + comp^p)^(1/p)` where the user states the efficiencies.
///
/// A hard maximum is 22-38 % too fast at the knee; 1.8 takes the mean error from 7.4 to 3.9 % (RTX 4090) and from
/// 10.2 to 4.4 % (RTX PRO 6000) on published operator profiles.
pub const KNEE: f64 = 1.8;

/// Intervals of a table.
const INTERVALS: usize = 512;

/// `(1 + r^p)^(1/p)` and its slope over the fourth root of `r` in 0..=1: there it is smooth to its end, so that cubic
/// pieces are off by less than 1e-10.
#[derive(Debug, PartialEq)]
pub(super) struct Knee {
    exponent: f64,
    /// Of each interval, the cubic over its width: lowest power first.
    pieces: Box<[[f64; 4]; INTERVALS]>,
}

static STATED: LazyLock<Knee> = LazyLock::new(|| Knee::new(KNEE));
static WIDE: LazyLock<Knee> = LazyLock::new(|| Knee::new(Calibration::shipped().serving.knee));
static NARROW: LazyLock<Knee> = LazyLock::new(|| Knee::new(Calibration::shipped().serving.knee_narrow));

/// The smooth maximum of one exponent, by its table where that ships.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Meet {
    exponent: f64,
    table: Option<&'static Knee>,
}

impl Meet {
    pub(super) fn new(exponent: f64) -> Self {
        let mut shipped = [&WIDE, &NARROW].into_iter().map(|knee| &**knee);
        Self { exponent, table: shipped.find(|knee| knee.exponent == exponent) }
    }

    /// The smooth maximum of memory and compute.
    #[inline(always)]
    pub(super) fn of<N: Num>(&self, memory: N, compute: N) -> N {
        match self.table {
            Some(table) => table.smooth_max(memory, compute),
            None => by_formula(self.exponent, memory, compute),
        }
    }
}

/// The smooth maximum of an exponent without a table.
#[inline(never)]
fn by_formula<N: Num>(exponent: f64, a: N, b: N) -> N {
    N::from_fn(|lane| smooth_max_of(exponent, a.lane(lane), b.lane(lane)))
}

impl Knee {
    fn new(exponent: f64) -> Self {
        let mut nodes: Vec<(f64, f64)> = (0..=INTERVALS)
            .map(|node| {
                let q = node as f64 / INTERVALS as f64;
                let sum = 1.0 + q.powf(4.0 * exponent);
                let slope = 4.0 * q.powf(4.0 * exponent - 1.0) * sum.powf(1.0 / exponent - 1.0);
                (sum.powf(1.0 / exponent), slope / INTERVALS as f64)
            })
            .collect();
        // A cubic piece never falls when no slope at its ends exceeds three times its chord (Fritsch, Carlson 1980).
        for k in 1..INTERVALS {
            let most = 3.0 * (nodes[k].0 - nodes[k - 1].0).min(nodes[k + 1].0 - nodes[k].0);
            nodes[k].1 = nodes[k].1.min(most);
        }
        let mut pieces = Box::new([[0.0; 4]; INTERVALS]);
        for (piece, ends) in pieces.iter_mut().zip(nodes.windows(2)) {
            let ((left, s0), (right, s1)) = (ends[0], ends[1]);
            let rise = right - left;
            *piece = [left, s0, 3.0 * rise - 2.0 * s0 - s1, s0 + s1 - 2.0 * rise];
        }
        Self { exponent, pieces }
    }

    /// `(a^p + b^p)^(1/p)`: at least the larger, at most `2^(1/p)` times it. Negative numbers count as 0.
    #[inline(always)]
    pub(super) fn smooth_max<N: Num>(&self, a: N, b: N) -> N {
        let (a, b) = (a.at_least(0.0), b.at_least(0.0));
        let (high, low) = (a.larger(b), a.smaller(b));
        let ratio = high.pick_above(N::of(0.0), low / high, N::of(0.0));
        high * ratio.root().root().map(|q| self.above_one(q))
    }

    /// `(1 + r^p)^(1/p)` for the fourth root of `r`, 0..=1.
    #[inline(always)]
    fn above_one(&self, q: f64) -> f64 {
        // Adding 1.5 * 2^52 rounds to a whole number, which then stands in the low bits; half less rounds down.
        const SHIFT: f64 = 6_755_399_441_055_744.0;
        const LAST: f64 = INTERVALS as f64 - 1.0;
        let place = q * INTERVALS as f64;
        let down = place - 0.5;
        let down = if down < LAST { down } else { LAST };
        let shifted = down + SHIFT;
        let t = place - (shifted - SHIFT);
        let [a, b, c, d] = self.pieces[shifted.to_bits() as usize % INTERVALS];
        a + t * (b + t * (c + t * d))
    }
}

/// The table where the user states the efficiencies.
pub(super) fn stated() -> &'static Knee {
    &STATED
}

/// The smooth maximum of any exponent, by its formula.
pub(super) fn smooth_max_of(exponent: f64, a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low <= 0.0 {
        return high.max(0.0);
    }
    high * (1.0 + (low / high).powf(exponent)).powf(1.0 / exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_the_formula() {
        for knee in [&*STATED, &*WIDE, &*NARROW] {
            let mut last = 0.0;
            for step in 0..=100_000 {
                let r = (f64::from(step) / 100_000.0).powi(3);
                let exact = smooth_max_of(knee.exponent, 1.0, r);
                let found = knee.smooth_max(2.0, 2.0 * r) / 2.0;
                assert!((found / exact - 1.0).abs() < 1e-10, "{r}: {found} {exact}");
                assert!(found >= last - 1e-15, "falls at {r}");
                last = found;
            }
            assert_eq!(knee.smooth_max(0.0, 3.0), 3.0);
            assert_eq!(knee.smooth_max(-1.0, -2.0), 0.0);
        }
    }
}
