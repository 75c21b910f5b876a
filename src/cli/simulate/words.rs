//! Words of `breakeven simulate`: spans, crowds, outages, policies.

use thiserror::Error;

use crate::analysis::traffic::Outage;
use crate::sim::{Balance, Crowd, Eviction, Users};

/// Why a word is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum WordError {
    #[error("\"{0}\" is no unit of time; write 90s, 30m, 1h, 1d or 1w")]
    Unit(String),
    #[error("\"{0}\" is no span of time; write 90s, 30m, 1h, 1d or 1w")]
    Span(String),
    #[error("write FACTOR:CALM:STAY, such as 5:20m:2m")]
    Crowd,
    #[error("\"{0}\" is no factor on the rate; write 1 or more")]
    Factor(String),
    #[error("write USERS:EXPONENT, 1 user or more and an exponent of 0 to 10, such as 10000:1")]
    Users,
    #[error("write ENDPOINT:FROM:SPAN, such as large:10m:5m")]
    Outage,
    #[error("write least-loaded, round-robin, prefix-aware or session")]
    Balance,
    #[error("write lru or lfu")]
    Eviction,
}

/// A span of time with its unit, in seconds.
pub(super) fn span(text: &str) -> Result<f64, WordError> {
    let number_end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let factor = match unit.trim() {
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        other => return Err(WordError::Unit(other.to_owned())),
    };
    match number.trim().parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value * factor),
        _ => Err(WordError::Span(text.to_owned())),
    }
}

pub(super) fn crowd(text: &str) -> Result<Crowd, WordError> {
    let parts: Vec<&str> = text.split(':').collect();
    let [factor, calm, stay] = parts.as_slice() else {
        return Err(WordError::Crowd);
    };
    let factor: f64 =
        factor.trim_end_matches('x').parse().map_err(|_| WordError::Factor((*factor).to_owned()))?;
    if !(1.0..=1e6).contains(&factor) {
        return Err(WordError::Factor(factor.to_string()));
    }
    Ok(Crowd { factor, calm_secs: span(calm)?, stay_secs: span(stay)? })
}

pub(super) fn popularity(text: &str) -> Result<Users, WordError> {
    let users = text.split_once(':').and_then(|(count, exponent)| {
        Some(Users { count: count.trim().parse().ok()?, exponent: exponent.trim().parse().ok()? })
    });
    users.filter(|users| users.count > 0 && (0.0..=10.0).contains(&users.exponent)).ok_or(WordError::Users)
}

pub(super) fn outage(text: &str) -> Result<Outage, WordError> {
    let parts: Vec<&str> = text.split(':').collect();
    let [endpoint, from, length] = parts.as_slice() else {
        return Err(WordError::Outage);
    };
    Ok(Outage { endpoint: (*endpoint).to_owned(), from_secs: span(from)?, secs: span(length)? })
}

pub(super) fn balance(text: &str) -> Result<Balance, WordError> {
    match text {
        "least-loaded" => Ok(Balance::LeastLoaded),
        "round-robin" => Ok(Balance::RoundRobin),
        "prefix-aware" => Ok(Balance::PrefixAware { imbalance_max: IMBALANCE_MAX }),
        "session" => Ok(Balance::Session),
        _ => Err(WordError::Balance),
    }
}

/// Calls more than the least loaded replica that a prefix-aware router puts up with: SGLang's default
/// (`--balance-abs-threshold` is 64), read 2026-11-24.
const IMBALANCE_MAX: u32 = 64;

pub(super) fn eviction(text: &str) -> Result<Eviction, WordError> {
    match text {
        "lru" => Ok(Eviction::Lru),
        "lfu" => Ok(Eviction::Lfu),
        _ => Err(WordError::Eviction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_crowds_and_outages_are_read_with_their_units() {
        assert_eq!(
            ["90s", "30m", "1.5h", "1d", "1w", "7"].map(span),
            [90.0, 1800.0, 5400.0, 86400.0, 604800.0, 7.0].map(Ok)
        );
        for wrong in ["", "d", "-1h", "1y", "NaN", "infs"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(crowd("5x:20m:2m"), Ok(Crowd { factor: 5.0, calm_secs: 1200.0, stay_secs: 120.0 }));
        assert!(crowd("0.5:1m:1m").is_err() && crowd("5:1m").is_err());
        assert_eq!(popularity("10000:1.2"), Ok(Users { count: 10_000, exponent: 1.2 }));
        for wrong in ["0:1", "10", "10:-1", "10:NaN", "-3:1"] {
            assert_eq!(popularity(wrong), Err(WordError::Users), "{wrong}");
        }
        let expected = Outage { endpoint: "large".into(), from_secs: 600.0, secs: 300.0 };
        assert_eq!(outage("large:10m:5m"), Ok(expected));
    }
}
