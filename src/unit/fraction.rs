//! A share, checked to lie in 0..=1.

use serde::{Deserialize, Serialize};

/// A share in `0.0..=1.0`. A percent exists only on screen.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fraction(f64);

/// A number that was meant to be a share and is not one.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a share; write a number from 0 to 1 (30 % is 0.3)")]
pub struct NotAFraction(pub f64);

impl Fraction {
    /// None of it.
    pub const ZERO: Self = Self(0.0);
    /// All of it.
    pub const ONE: Self = Self(1.0);

    /// A share.
    ///
    /// # Errors
    /// [`NotAFraction`] when the number is NaN or outside 0..=1.
    pub fn new(share: f64) -> Result<Self, NotAFraction> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(NotAFraction(share)) }
    }

    /// The nearest share; NaN becomes zero. For draws of a distribution that may stray outside.
    #[must_use]
    pub fn clamped(share: f64) -> Self {
        Self(if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) })
    }

    /// The bare number in 0..=1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// What is left: one minus the share.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(1.0 - self.0)
    }
}

impl TryFrom<f64> for Fraction {
    type Error = NotAFraction;
    fn try_from(share: f64) -> Result<Self, NotAFraction> {
        Self::new(share)
    }
}

impl From<Fraction> for f64 {
    fn from(share: Fraction) -> Self {
        share.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_outside_0_to_1_is_refused_with_its_value() {
        assert_eq!(Fraction::new(0.3).map(Fraction::get), Ok(0.3));
        assert_eq!(Fraction::new(1.2), Err(NotAFraction(1.2)));
        assert!(Fraction::new(f64::NAN).is_err());
        assert_eq!(Fraction::clamped(f64::NAN), Fraction::ZERO);
    }
}
