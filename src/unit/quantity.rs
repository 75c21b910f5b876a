//! The newtypes and the few operations between them.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

use super::TOKENS_PER_MTOK;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub f64);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0.0);

            /// The bare number, in the unit that the type names.
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }

            /// The larger of two.
            #[must_use]
            pub const fn max(self, other: Self) -> Self {
                Self(self.0.max(other.0))
            }

            /// The smaller of two.
            #[must_use]
            pub const fn min(self, other: Self) -> Self {
                Self(self.0.min(other.0))
            }

            /// Neither NaN nor infinite.
            #[must_use]
            pub const fn is_finite(self) -> bool {
                self.0.is_finite()
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }
        impl Mul<$name> for f64 {
            type Output = $name;
            fn mul(self, quantity: $name) -> $name {
                $name(self * quantity.0)
            }
        }
        impl Div<f64> for $name {
            type Output = Self;
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }
        /// The ratio of two like quantities is a bare number.
        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                Self(items.map(|item| item.0).sum())
            }
        }
    };
}

quantity! {
    /// US dollars. Rounded once, when it becomes text.
    Usd
}
quantity! {
    /// US dollars per million tokens, as vendors print prices.
    UsdPerMtok
}
quantity! {
    /// US dollars per hour.
    UsdPerHour
}
quantity! {
    /// A number of tokens; fractional because means are.
    Tokens
}
quantity! {
    /// Tokens per second.
    TokensPerSec
}
quantity! {
    /// Bytes. GB is 10⁹ of them, GiB is 2³⁰.
    Bytes
}
quantity! {
    /// Bytes per second.
    BytesPerSec
}
quantity! {
    /// Floating-point operations (a multiply-add counts as two).
    Flops
}
quantity! {
    /// Floating-point operations per second, dense.
    FlopsPerSec
}
quantity! {
    /// A duration of a model, in seconds. Simulation time is [`super::SimTime`].
    Secs
}

macro_rules! product {
    ($left:ident * $right:ident = $out:ident, $scale:expr) => {
        impl Mul<$right> for $left {
            type Output = $out;
            fn mul(self, other: $right) -> $out {
                $out(self.0 * other.0 * $scale)
            }
        }
        impl Mul<$left> for $right {
            type Output = $out;
            fn mul(self, other: $left) -> $out {
                $out(self.0 * other.0 * $scale)
            }
        }
    };
}

macro_rules! quotient {
    ($left:ident / $right:ident = $out:ident) => {
        impl Div<$right> for $left {
            type Output = $out;
            fn div(self, other: $right) -> $out {
                $out(self.0 / other.0)
            }
        }
    };
}

product!(Tokens * UsdPerMtok = Usd, 1.0 / TOKENS_PER_MTOK);
product!(TokensPerSec * Secs = Tokens, 1.0);
product!(BytesPerSec * Secs = Bytes, 1.0);
product!(FlopsPerSec * Secs = Flops, 1.0);
quotient!(Bytes / BytesPerSec = Secs);
quotient!(Flops / FlopsPerSec = Secs);
quotient!(Tokens / TokensPerSec = Secs);
quotient!(Tokens / Secs = TokensPerSec);
quotient!(Bytes / Secs = BytesPerSec);

impl UsdPerHour {
    /// What `hours` of it cost.
    #[must_use]
    pub fn over_hours(self, hours: f64) -> Usd {
        Usd(self.0 * hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_tokens_at_ten_dollars_cost_ten_dollars() {
        assert_eq!(Tokens(1e6) * UsdPerMtok(10.0), Usd(10.0));
    }

    #[test]
    fn loading_140_gb_at_2_tb_per_second_takes_70_ms() {
        assert_eq!(Bytes(140e9) / BytesPerSec(2e12), Secs(0.07));
    }
}
