//! Quantities: a type per idea, and only the operations that mean something.
//!
//! Money, tokens, bytes, floating-point operations and time each have their own type, so that a bill
//! cannot add tokens to dollars. Nothing here knows a model, a price sheet or a plan.
//! Start with [`Usd`] and [`Tokens`]; how a number becomes text (and text a number) is in [`format`].

pub mod format;
pub mod spelling;

mod fraction;
mod quantity;
mod time;

pub use fraction::{Fraction, NotAFraction};
pub use quantity::{
    Bytes, BytesPerSec, Flops, FlopsPerSec, Secs, Tokens, TokensPerSec, Usd, UsdPerHour, UsdPerMtok,
};

pub use time::{NS_PER_SEC, SimTime};

/// Days in a planning month: a year of 365.25 days divided by twelve.
pub const DAYS_PER_MONTH: f64 = 365.25 / 12.0;

/// Hours in a planning month (730.5), so that twelve months are one mean year.
pub const HOURS_PER_MONTH: f64 = DAYS_PER_MONTH * 24.0;

/// Hours in the weekly profile.
pub const HOURS_PER_WEEK: usize = 168;

/// Weeks in a planning month.
pub const WEEKS_PER_MONTH: f64 = HOURS_PER_MONTH / HOURS_PER_WEEK as f64;

/// Tokens in the unit that prices are quoted in.
pub const TOKENS_PER_MTOK: f64 = 1e6;
