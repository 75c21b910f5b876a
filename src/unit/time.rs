//! Simulation time: whole nanoseconds.

use std::ops::{Add, AddAssign, Sub};

/// Nanoseconds of a second.
pub const NS_PER_SEC: f64 = 1e9;

/// A moment, in whole nanoseconds since the start of a simulation, or a span between two; up to 584 years.
///
/// ```
/// use breakeven::unit::SimTime;
///
/// assert_eq!(SimTime::from_secs(1.5) + SimTime(1), SimTime(1_500_000_001));
/// assert_eq!(SimTime::from_secs(f64::NAN), SimTime(0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(pub u64);

impl SimTime {
    /// After every moment of a simulation.
    pub const NEVER: Self = Self(u64::MAX);

    /// The first whole nanosecond that is not before `secs`; below 0 and not-a-number count as 0.
    #[must_use]
    pub fn from_secs(secs: f64) -> Self {
        Self::from_ns(secs * NS_PER_SEC)
    }

    /// The first whole nanosecond that is not before `ns`.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, NaN is 0")]
    pub fn from_ns(ns: f64) -> Self {
        // `f64::ceil` is a call into the C library on processors that are not known to have the instruction.
        let whole = ns as u64;
        Self(whole.saturating_add(u64::from((whole as f64) < ns)))
    }

    /// In seconds.
    #[must_use]
    pub fn secs(self) -> f64 {
        self.0 as f64 / NS_PER_SEC
    }

    /// The span from `earlier` to here; 0 if it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for SimTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for SimTime {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for SimTime {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.since(other)
    }
}
