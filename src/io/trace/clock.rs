//! How a trace writes its times: one way per file, found out from the first row.

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

/// Times since 1973 as Unix seconds are above this; a trace that counts from its own start ends after 3 years.
const EPOCH_SECS_MIN: f64 = 1e8;

/// The way in which times are written, with the time of the first row as origin.
pub enum Clock {
    /// A date and time of day without an offset.
    Civil {
        /// First row.
        origin: DateTime,
    },
    /// An instant, with an offset from UTC.
    Instant {
        /// First row.
        origin: Timestamp,
    },
    /// A number.
    Number {
        /// First row, in its own unit.
        origin: f64,
        /// Seconds per unit.
        scale: f64,
    },
}

impl Clock {
    /// Whether `text` is a time in any of the ways.
    pub fn is_time(text: &str) -> bool {
        number(text).is_some() || text.parse::<DateTime>().is_ok() || text.parse::<Timestamp>().is_ok()
    }

    /// The clock of a trace whose first row says `text`; `None` when the unit of a number is not known.
    pub fn starting(text: &str, scale: Option<f64>) -> Option<Self> {
        if let Some(origin) = number(text) {
            let scale = scale.or_else(|| epoch_scale(origin))?;
            return Some(Self::Number { origin, scale });
        }
        // An instant first: a civil time may not carry an offset, so that it would be refused or lost.
        if let Ok(origin) = text.parse::<Timestamp>() {
            return Some(Self::Instant { origin });
        }
        text.parse().ok().map(|origin| Self::Civil { origin })
    }

    /// Seconds from the first row to `text`; `None` if it is written differently.
    pub fn secs(&self, text: &str) -> Option<f64> {
        match self {
            Self::Number { origin, scale } => number(text).map(|v| (v - origin) * scale),
            Self::Instant { origin } => {
                let at: Timestamp = text.parse().ok()?;
                Some(nanos(at.as_nanosecond() - origin.as_nanosecond()))
            }
            Self::Civil { origin } => {
                if number(text).is_some() || text.parse::<Timestamp>().is_ok() {
                    return None;
                }
                let at: DateTime = text.parse().ok()?;
                Some(nanos(in_utc(at)?.as_nanosecond() - in_utc(*origin)?.as_nanosecond()))
            }
        }
    }

    /// The wall clock `secs` after the first row; `None` for a clock that starts at the trace.
    pub fn wall_clock(&self, secs: f64) -> Option<DateTime> {
        let origin = match self {
            Self::Number { origin, scale } if origin * scale >= EPOCH_SECS_MIN => {
                at_nanos(origin * scale * 1e9)?
            }
            Self::Number { .. } => return None,
            Self::Instant { origin } => *origin,
            Self::Civil { origin } => in_utc(*origin)?,
        };
        let at = Timestamp::from_nanosecond(origin.as_nanosecond() + rounded(secs * 1e9)).ok()?;
        Some(TimeZone::UTC.to_datetime(at))
    }

    /// The time of the first row, to show how times are written.
    pub fn like(&self) -> String {
        match self {
            Self::Civil { origin } => origin.to_string().replace('T', " "),
            Self::Instant { origin } => origin.to_string(),
            Self::Number { origin, .. } => origin.to_string(),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| v.is_finite())
}

/// The unit of a Unix time, which its size tells; `None` for what is not one.
fn epoch_scale(v: f64) -> Option<f64> {
    [(1.0, EPOCH_SECS_MIN), (1e-3, 1e11), (1e-6, 1e14), (1e-9, 1e17)]
        .into_iter()
        .find(|&(_, from)| (from..from * 1e3).contains(&v))
        .map(|(scale, _)| scale)
}

fn in_utc(at: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(at).ok()
}

fn at_nanos(nanos: f64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(rounded(nanos)).ok()
}

#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
fn rounded(v: f64) -> i128 {
    v.round() as i128
}

fn nanos(n: i128) -> f64 {
    n as f64 * 1e-9
}
