//! What the model computes with: a number, or eight of them side by side.
//!
//! A formula that is written over [`Num`] answers for one state of the world (`f64`) or for eight ([`Lanes`]); then every
//! operation is one vector instruction instead of eight. A lane goes through the very operations of a lone number, so it
//! has the same bits, whatever its neighbours are.
//!
//! Where a formula has a case for some values, [`Num::pick_above`] computes both cases and keeps, lane by lane, the one
//! that holds. What has no vector form goes lane by lane through [`Num::map`] or [`Num::from_fn`].

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use super::elementary;
use super::quantities::Quantified;

/// How many numbers stand side by side in [`Lanes`]: a vector register of today's processors, or two.
pub const LANES: usize = 8;

/// Eight numbers that are computed with side by side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(align(64))]
pub struct Lanes(pub [f64; LANES]);

/// Marks the body of a loop over [`Lanes`]: nothing happens, but the compiler takes one turn after the other.
///
/// Else it vectorises such a loop across its turns, gathering lane 0 of eight turns, then lane 1 of them, and so on, instead
/// of across the lanes that lie side by side.
#[inline(always)]
pub fn turn_by_turn() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

/// A number, or several side by side. Comparisons with what is not a number do not hold.
pub trait Num:
    Copy
    + Debug
    + Default
    + PartialEq
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + MulAssign<f64>
    + Quantified<Self>
{
    /// How many numbers it holds.
    const COUNT: usize;

    /// The same number in each lane.
    fn of(x: f64) -> Self;

    /// A number for each lane, by its position.
    fn from_fn(f: impl FnMut(usize) -> f64) -> Self;

    /// The number of one lane, `lane < COUNT`.
    fn lane(self, lane: usize) -> f64;

    /// `f` of each number.
    fn map(self, f: impl Fn(f64) -> f64) -> Self;

    /// `yes` where the number is above `bound`, `no` elsewhere.
    fn pick_above(self, bound: Self, yes: Self, no: Self) -> Self;

    /// Whether any number is above `bound`.
    fn any_above(self, bound: f64) -> bool;

    /// Whether every number is above `bound`.
    fn all_above(self, bound: f64) -> bool;

    /// The larger one; `other` where this is not a number.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        self.pick_above(other, self, other)
    }

    /// The smaller one; `other` where this is not a number.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        other.pick_above(self, self, other)
    }

    /// The number, or `low` where it is below that or not a number.
    #[inline(always)]
    fn at_least(self, low: f64) -> Self {
        self.larger(Self::of(low))
    }

    /// The number, or `high` where it is above that or not a number.
    #[inline(always)]
    fn at_most(self, high: f64) -> Self {
        self.smaller(Self::of(high))
    }

    /// What is left of 1.
    #[inline(always)]
    fn rest(self) -> Self {
        Self::of(1.0) - self
    }

    /// The square root.
    #[inline(always)]
    fn root(self) -> Self {
        self.map(f64::sqrt)
    }

    /// `e^x`, see [`elementary::exp`].
    #[inline(always)]
    fn e_to(self) -> Self {
        self.map(elementary::exp)
    }

    /// The natural logarithm of a number above 0, see [`elementary::ln`].
    #[inline(always)]
    fn log_e(self) -> Self {
        self.map(elementary::ln)
    }

    /// `1 - e^-x`, see [`elementary::found_within`].
    #[inline(always)]
    fn found_within(self) -> Self {
        self.map(elementary::found_within)
    }
}

impl Num for f64 {
    const COUNT: usize = 1;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn from_fn(mut f: impl FnMut(usize) -> f64) -> Self {
        f(0)
    }
    #[inline(always)]
    fn lane(self, _lane: usize) -> f64 {
        self
    }
    #[inline(always)]
    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        f(self)
    }
    #[inline(always)]
    fn pick_above(self, bound: Self, yes: Self, no: Self) -> Self {
        if self > bound { yes } else { no }
    }
    #[inline(always)]
    fn any_above(self, bound: f64) -> bool {
        self > bound
    }
    #[inline(always)]
    fn all_above(self, bound: f64) -> bool {
        self > bound
    }
}

#[expect(
    clippy::needless_range_loop,
    reason = "loops over a fixed number of lanes become vector instructions"
)]
impl Num for Lanes {
    const COUNT: usize = LANES;

    #[inline(always)]
    fn of(x: f64) -> Self {
        Self([x; LANES])
    }
    #[inline(always)]
    fn from_fn(f: impl FnMut(usize) -> f64) -> Self {
        Self(std::array::from_fn(f))
    }
    #[inline(always)]
    fn lane(self, lane: usize) -> f64 {
        self.0[lane]
    }
    #[inline(always)]
    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let mut out = [0.0; LANES];
        for lane in 0..LANES {
            out[lane] = f(self.0[lane]);
        }
        Self(out)
    }
    #[inline(always)]
    fn pick_above(self, bound: Self, yes: Self, no: Self) -> Self {
        let mut out = [0.0; LANES];
        for lane in 0..LANES {
            out[lane] = if self.0[lane] > bound.0[lane] { yes.0[lane] } else { no.0[lane] };
        }
        Self(out)
    }
    #[inline(always)]
    fn any_above(self, bound: f64) -> bool {
        let mut any = false;
        for lane in 0..LANES {
            any |= self.0[lane] > bound;
        }
        any
    }
    #[inline(always)]
    fn all_above(self, bound: f64) -> bool {
        let mut all = true;
        for lane in 0..LANES {
            all &= self.0[lane] > bound;
        }
        all
    }
}

impl Neg for Lanes {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|x| -x)
    }
}

macro_rules! lane_by_lane {
    ($($operator:ident $function:ident $symbol:tt),+) => {$(
        impl $operator for Lanes {
            type Output = Self;
            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                let mut out = [0.0; LANES];
                for lane in 0..LANES {
                    out[lane] = self.0[lane] $symbol other.0[lane];
                }
                Self(out)
            }
        }
        impl $operator<f64> for Lanes {
            type Output = Self;
            #[inline(always)]
            fn $function(self, other: f64) -> Self {
                self.map(|x| x $symbol other)
            }
        }
    )+};
}
lane_by_lane!(Add add +, Sub sub -, Mul mul *, Div div /);

impl AddAssign for Lanes {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Lanes {
    #[inline(always)]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl MulAssign for Lanes {
    #[inline(always)]
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}

impl MulAssign<f64> for Lanes {
    #[inline(always)]
    fn mul_assign(&mut self, other: f64) {
        *self = *self * other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: [f64; LANES] = [0.0, -1.5, 2.5, 1e300, -1e-300, f64::NAN, f64::INFINITY, 40.0];

    /// A formula with everything in it that a number can do.
    fn formula<N: Num>(x: N, y: N) -> N {
        let mut sum = (x * y - 3.0).larger(-y) + (x / 2.0).smaller(y * y);
        sum += y.at_least(0.5).at_most(3.0).root() * x.e_to();
        sum -= (y + 2.0).log_e().rest() / (x + x).found_within().at_least(0.1);
        sum *= 0.5;
        sum.pick_above(N::of(0.0), sum, x.map(f64::abs))
    }

    #[test]
    fn a_lane_has_the_bits_of_a_number_alone() {
        for shift in 0..LANES {
            let x = Lanes(ODD);
            let y = Lanes::from_fn(|lane| ODD[(lane + shift) % LANES]);
            let side_by_side = formula(x, y);
            for lane in 0..LANES {
                let alone = formula(x.lane(lane), y.lane(lane));
                assert_eq!(side_by_side.lane(lane).to_bits(), alone.to_bits(), "lane {lane}, shift {shift}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_counts_as_the_bound() {
        assert_eq!(f64::NAN.at_least(0.0), 0.0);
        assert_eq!(Num::at_most(f64::NAN, 1.0), 1.0);
        assert!(!Lanes([f64::NAN; LANES]).any_above(0.0) && Lanes(ODD).any_above(1e299));
    }
}
