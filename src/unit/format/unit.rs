//! What a number of the product counts, with how it is shown, edited and read.

use super::parse::Factor::{self, Over, Times};
use super::{ParseNumberError, bytes, count, percent, secs, short, usd, usd_per_mtok, watts};
use crate::unit::{DAYS_PER_MONTH, HOURS_PER_MONTH};

/// What a number counts. The value itself is always in the base unit that the variant names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// A bare number.
    Plain,
    /// US dollars.
    Usd,
    /// US dollars per million tokens.
    UsdPerMtok,
    /// US dollars per hour.
    UsdPerHour,
    /// US dollars per month of 730.5 hours.
    UsdPerMonth,
    /// US dollars per year.
    UsdPerYear,
    /// US dollars per gigabyte (10⁹) and month.
    UsdPerGbMonth,
    /// US dollars per kilowatt-hour.
    UsdPerKwh,
    /// Tokens.
    Tokens,
    /// Tokens per second.
    TokensPerSec,
    /// A share, stored as a fraction of one and shown as percent.
    Percent,
    /// A duration in seconds.
    Secs,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSec,
    /// Events per day.
    PerDay,
    /// Events per month.
    PerMonth,
    /// Events per second.
    PerSec,
    /// Things.
    Count,
    /// Hours, as of work or rent.
    Hours,
    /// Months, as of a horizon or a contract.
    Months,
    /// Watts.
    Watts,
    /// Floating-point operations per second.
    FlopsPerSec,
    /// A ratio to a base, `1.25×`.
    Factor,
}

const HOURS_PER_DAY: f64 = 24.0;
const MONTHS_PER_YEAR: f64 = 12.0;
const SECS_PER_DAY: f64 = 86_400.0;

impl Unit {
    /// Every unit, in the order of declaration.
    pub const ALL: [Self; 23] = [
        Self::Plain,
        Self::Usd,
        Self::UsdPerMtok,
        Self::UsdPerHour,
        Self::UsdPerMonth,
        Self::UsdPerYear,
        Self::UsdPerGbMonth,
        Self::UsdPerKwh,
        Self::Tokens,
        Self::TokensPerSec,
        Self::Percent,
        Self::Secs,
        Self::Bytes,
        Self::BytesPerSec,
        Self::PerDay,
        Self::PerMonth,
        Self::PerSec,
        Self::Count,
        Self::Hours,
        Self::Months,
        Self::Watts,
        Self::FlopsPerSec,
        Self::Factor,
    ];

    /// What follows the number, with its space where one belongs; empty for bare numbers and plain dollars.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Plain | Self::Usd | Self::Count => "",
            Self::UsdPerMtok => "/Mtok",
            Self::UsdPerHour => "/h",
            Self::UsdPerMonth | Self::PerMonth => "/month",
            Self::UsdPerYear => "/year",
            Self::UsdPerGbMonth => "/GB/month",
            Self::UsdPerKwh => "/kWh",
            Self::Tokens => " tokens",
            Self::TokensPerSec => " tokens/s",
            Self::Percent => " %",
            Self::Secs => " s",
            Self::Bytes => " B",
            Self::BytesPerSec => " B/s",
            Self::PerDay => "/day",
            Self::PerSec => "/s",
            Self::Hours => " h",
            Self::Months => " months",
            Self::Watts => " W",
            Self::FlopsPerSec => " FLOP/s",
            Self::Factor => "×",
        }
    }

    /// Whether the number is money and carries `$`.
    #[must_use]
    pub const fn is_money(self) -> bool {
        matches!(
            self,
            Self::Usd
                | Self::UsdPerMtok
                | Self::UsdPerHour
                | Self::UsdPerMonth
                | Self::UsdPerYear
                | Self::UsdPerGbMonth
                | Self::UsdPerKwh
        )
    }

    /// The value for people: three significant digits or so, with its unit.
    ///
    /// ```
    /// use breakeven::unit::format::Unit;
    /// assert_eq!(Unit::UsdPerHour.show(3.0), "$3.00/h");
    /// assert_eq!(Unit::Percent.show(0.3), "30 %");
    /// ```
    #[must_use]
    pub fn show(self, v: f64) -> String {
        let number = match self {
            Self::Usd | Self::UsdPerMonth | Self::UsdPerYear => usd(v),
            Self::UsdPerMtok | Self::UsdPerHour | Self::UsdPerGbMonth | Self::UsdPerKwh => usd_per_mtok(v),
            Self::TokensPerSec | Self::PerSec => short(v),
            Self::Percent => return percent(v),
            Self::Secs => return secs(v),
            Self::Bytes => return bytes(v),
            Self::BytesPerSec => return per_second(&bytes(v)),
            Self::Watts => return watts(v),
            Self::FlopsPerSec => return super::flops_per_sec(v),
            Self::Plain
            | Self::Tokens
            | Self::PerDay
            | Self::PerMonth
            | Self::Count
            | Self::Hours
            | Self::Months
            | Self::Factor => count(v),
        };
        super::with_unit(&number, self.suffix())
    }

    /// The value exactly, for a field that is being edited: [`Unit::parse`] gives the same bits back.
    ///
    /// Percent is the one that may differ in the last bit: it is divided by 100 again.
    #[must_use]
    pub fn edit(self, v: f64) -> String {
        if !v.is_finite() {
            return String::new();
        }
        let v = if v == 0.0 { 0.0 } else { v };
        let shown = match self {
            Self::Percent => percent_exactly(v),
            _ if v.abs() >= 1e15 || (v != 0.0 && v.abs() < 1e-6) => format!("{v:e}"),
            _ => format!("{v}"),
        };
        let dollar = if self.is_money() { "$" } else { "" };
        match shown.strip_prefix('-') {
            Some(magnitude) => format!("-{dollar}{magnitude}{}", self.suffix()),
            None => format!("{dollar}{shown}{}", self.suffix()),
        }
    }

    /// Reads what a person typed, see [`super::parse`].
    ///
    /// # Errors
    /// [`ParseNumberError`] says what was found and what to write.
    pub fn parse(self, text: &str) -> Result<f64, ParseNumberError> {
        super::parse(text, self)
    }

    /// What the number is, for a message.
    pub(super) const fn quantity(self) -> &'static str {
        match self {
            Self::Plain => "a plain number",
            Self::Usd => "an amount of money",
            Self::UsdPerMtok => "a price per million tokens",
            Self::UsdPerHour => "a price per hour",
            Self::UsdPerMonth => "a cost per month",
            Self::UsdPerYear => "a cost per year",
            Self::UsdPerGbMonth => "a price per GB and month",
            Self::UsdPerKwh => "a price of electricity",
            Self::Tokens => "a number of tokens",
            Self::TokensPerSec => "tokens per second",
            Self::Percent => "a share",
            Self::Secs => "a duration",
            Self::Bytes => "a size",
            Self::BytesPerSec => "a bandwidth",
            Self::PerDay => "a rate per day",
            Self::PerMonth => "a rate per month",
            Self::PerSec => "a rate per second",
            Self::Count => "a count",
            Self::Hours => "a number of hours",
            Self::Months => "a number of months",
            Self::Watts => "a power",
            Self::FlopsPerSec => "a compute rate",
            Self::Factor => "a factor",
        }
    }

    /// Spellings that are accepted, for a message.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Plain => "for example 1200 or 2.5e6",
            Self::Usd => "for example 1200, $3.50 or 48K",
            Self::UsdPerMtok => "for example 3 or $0.25/M",
            Self::UsdPerHour => "for example 3 or $2.50/h",
            Self::UsdPerMonth => "for example 1200 or $11.9K/month",
            Self::UsdPerYear => "for example 180K or $180,000/year",
            Self::UsdPerGbMonth => "for example 0.023 or $0.023/GB/month",
            Self::UsdPerKwh => "for example 0.12 or $0.12/kWh",
            Self::Tokens => "for example 1200, 48k or 1.2M",
            Self::TokensPerSec => "for example 50 or 1.2K tokens/s",
            Self::Percent => "for example 30 or 30%",
            Self::Secs => "for example 90, 70ms or 2h",
            Self::Bytes => "for example 80GB or 74.5GiB",
            Self::BytesPerSec => "for example 3.35TB/s",
            Self::PerDay => "for example 1200, 48k or 3/s",
            Self::PerMonth => "for example 1200 or 1.2M/month",
            Self::PerSec => "for example 5.5 or 120/min",
            Self::Count => "for example 8 or 12,400",
            Self::Hours => "for example 720 or 30d",
            Self::Months => "for example 36 or 3 years",
            Self::Watts => "for example 700 or 1.2kW",
            Self::FlopsPerSec => "for example 989.5 TFLOP/s",
            Self::Factor => "for example 1.25 or 1.25x",
        }
    }

    /// What a spelling (lower case, no spaces) multiplies the number by; `None` if it is not of this unit.
    pub(super) fn spelled(self, spelling: &str) -> Option<Factor> {
        if let (true, "usd" | "$" | "dollar" | "dollars") = (self.is_money(), spelling) {
            return Some(Times(1.0));
        }
        let spelling = if self.is_money() { spelling.trim_start_matches("usd") } else { spelling };
        if spelling.is_empty() {
            return Some(if self == Self::Percent { Over(100.0) } else { Times(1.0) });
        }
        match self {
            Self::Plain | Self::Count | Self::Usd => None,
            Self::UsdPerMtok => price_per_tokens(spelling),
            Self::UsdPerHour => per_time(spelling, 1.0 / 3600.0),
            Self::UsdPerMonth | Self::PerMonth => per_time(spelling, 1.0 / (HOURS_PER_MONTH * 3600.0)),
            Self::UsdPerYear => per_time(spelling, 1.0 / (HOURS_PER_MONTH * MONTHS_PER_YEAR * 3600.0)),
            Self::PerDay => per_time(spelling, 1.0 / SECS_PER_DAY),
            Self::TokensPerSec | Self::PerSec => per_time(spelling, 1.0),
            Self::UsdPerGbMonth => {
                let stripped = spelling.strip_prefix("/gb").or(spelling.strip_prefix("pergb"))?;
                matches!(stripped, "" | "/month" | "/mo" | "-month" | "-mo").then_some(Times(1.0))
            }
            Self::UsdPerKwh => match spelling {
                "/kwh" | "perkwh" => Some(Times(1.0)),
                "/mwh" => Some(Over(1000.0)),
                _ => None,
            },
            Self::Tokens => matches!(spelling, "token" | "tokens" | "tok" | "toks").then_some(Times(1.0)),
            Self::Percent => matches!(spelling, "%" | "percent" | "pct").then_some(Over(100.0)),
            Self::Secs => duration(spelling),
            Self::Bytes => size(spelling),
            Self::BytesPerSec => size(spelling.strip_suffix("/s").unwrap_or(spelling)),
            Self::Hours => match spelling {
                "min" | "minute" | "minutes" => Some(Over(60.0)),
                "h" | "hr" | "hrs" | "hour" | "hours" => Some(Times(1.0)),
                "d" | "day" | "days" => Some(Times(HOURS_PER_DAY)),
                "month" | "months" => Some(Times(HOURS_PER_MONTH)),
                _ => None,
            },
            Self::Months => match spelling {
                "mo" | "month" | "months" => Some(Times(1.0)),
                "y" | "yr" | "yrs" | "year" | "years" => Some(Times(MONTHS_PER_YEAR)),
                "d" | "day" | "days" => Some(Over(DAYS_PER_MONTH)),
                _ => None,
            },
            Self::Watts => match spelling {
                "w" | "watt" | "watts" => Some(Times(1.0)),
                "kw" => Some(Times(1e3)),
                "mw" => Some(Times(1e6)),
                "gw" => Some(Times(1e9)),
                _ => None,
            },
            Self::FlopsPerSec => match spelling {
                "flop/s" | "flops" | "flops/s" | "flop" => Some(Times(1.0)),
                "pflop/s" | "pflops" => Some(Times(1e15)),
                _ => None,
            },
            Self::Factor => matches!(spelling, "x" | "×" | "times").then_some(Times(1.0)),
        }
    }
}

fn per_second(text: &str) -> String {
    super::with_unit(text, "/s")
}

/// Percent with the fewest digits that read back as the same fraction.
fn percent_exactly(fraction: f64) -> String {
    let shortest = format!("{fraction:e}");
    let Some((digits, exponent)) = shortest.split_once('e') else { return shortest };
    let shifted = exponent
        .parse::<i32>()
        .map_or(fraction * 100.0, |e| format!("{digits}e{}", e + 2).parse().unwrap_or(fraction * 100.0));
    if shifted != 0.0 && !(1e-6..1e15).contains(&shifted.abs()) {
        return format!("{shifted:e}");
    }
    format!("{shifted}")
}

/// `/h`, `per day`, `tokens/s`, `requests/day`: a count per time, in units of `base` per second.
fn per_time(spelling: &str, base: f64) -> Option<Factor> {
    let after = spelling.find('/').map(|at| spelling.split_at(at)).map(|(what, per)| (what, per.get(1..)));
    let (what, per) = match after {
        Some((what, per)) => (what, per?),
        None => ("", spelling.strip_prefix("per")?),
    };
    if !matches!(what, "" | "tok" | "tokens" | "token" | "req" | "requests" | "request" | "gpu") {
        return None;
    }
    let seconds = match per {
        "s" | "sec" | "second" => 1.0,
        "min" | "minute" => 60.0,
        "h" | "hr" | "hour" => 3600.0,
        "d" | "day" => SECS_PER_DAY,
        "w" | "wk" | "week" => SECS_PER_DAY * 7.0,
        "mo" | "month" => HOURS_PER_MONTH * 3600.0,
        "y" | "yr" | "year" => HOURS_PER_MONTH * MONTHS_PER_YEAR * 3600.0,
        _ => return None,
    };
    // The ratio first: it is exact where one of the two is a multiple of the other.
    let ratio = (1.0 / base) / seconds;
    let inverse = seconds * base;
    Some(if (ratio - ratio.round()).abs() < 1e-9 { Times(ratio.round()) } else { Over(nearest(inverse)) })
}

/// Removes the last-bit error of a ratio that is whole.
fn nearest(v: f64) -> f64 {
    if (v - v.round()).abs() < 1e-9 { v.round() } else { v }
}

fn price_per_tokens(spelling: &str) -> Option<Factor> {
    let per = spelling.strip_prefix('/').or(spelling.strip_prefix("per"))?;
    let per =
        ["tokens", "token", "toks", "tok"].iter().find_map(|word| per.strip_suffix(word)).unwrap_or(per);
    match per {
        "m" | "1m" | "million" | "mn" => Some(Times(1.0)),
        "k" | "1k" | "thousand" | "1000" => Some(Times(1e3)),
        "b" | "1b" | "billion" => Some(Over(1e3)),
        "" => Some(Times(1e6)),
        _ => None,
    }
}

fn duration(spelling: &str) -> Option<Factor> {
    Some(match spelling {
        "ns" => Over(1e9),
        // Both code points of mu: the micro sign and the Greek letter.
        "us" | "µs" | "μs" => Over(1e6),
        "ms" => Over(1e3),
        "s" | "sec" | "secs" | "second" | "seconds" => Times(1.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Times(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Times(3600.0),
        "d" | "day" | "days" => Times(SECS_PER_DAY),
        "w" | "week" | "weeks" => Times(SECS_PER_DAY * 7.0),
        _ => return None,
    })
}

fn size(spelling: &str) -> Option<Factor> {
    Some(Times(match spelling {
        "b" | "byte" | "bytes" => 1.0,
        "kb" | "k" => 1e3,
        "mb" | "m" => 1e6,
        "gb" | "g" => 1e9,
        "tb" | "t" => 1e12,
        "pb" | "p" => 1e15,
        "kib" => 1024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        "tib" => 1_099_511_627_776.0,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_shows_what_a_person_expects() {
        let cases = [
            (Unit::Plain, 3.25, "3.25"),
            (Unit::Usd, 11_900.0, "$11.9 K"),
            (Unit::UsdPerMtok, 0.075, "$0.075/Mtok"),
            (Unit::UsdPerHour, 3.0, "$3.00/h"),
            (Unit::UsdPerMonth, 11_900.0, "$11.9 K/month"),
            (Unit::UsdPerKwh, 0.12, "$0.12/kWh"),
            (Unit::Tokens, 38e6, "38 M tokens"),
            (Unit::TokensPerSec, 1200.0, "1.2 K tokens/s"),
            (Unit::Percent, 0.63, "63 %"),
            (Unit::Secs, 0.07, "70 ms"),
            (Unit::Bytes, 80e9, "80 GB"),
            (Unit::BytesPerSec, 3.35e12, "3.35 TB/s"),
            (Unit::PerDay, 12_400.0, "12,400/day"),
            (Unit::Hours, 720.0, "720 h"),
            (Unit::Months, 36.0, "36 months"),
            (Unit::Watts, 700.0, "700 W"),
            (Unit::Factor, 1.25, "1.25×"),
        ];
        for (unit, v, expected) in cases {
            assert_eq!(unit.show(v), expected);
        }
        for unit in Unit::ALL {
            assert!(!unit.show(f64::NAN).contains("NaN"), "{unit:?}");
            assert_eq!(unit.edit(f64::NAN), "");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_reads_back_within_its_digits(mantissa in 1.0..10.0_f64, exponent in -4..14_i32, negative: bool) {
            let v = mantissa * 10f64.powi(exponent) * if negative { -1.0 } else { 1.0 };
            for unit in Unit::ALL {
                let text = unit.show(v);
                let back = unit.parse(&text);
                let close = back.as_ref().is_ok_and(|back| (back - v).abs() <= 0.06 * v.abs());
                proptest::prop_assert!(close, "{unit:?} {v} shown {text} read {back:?}");
            }
        }

        #[test]
        fn what_is_edited_reads_back_exactly(v: f64) {
            for unit in Unit::ALL {
                let text = unit.edit(v);
                if v.is_finite() && (unit != Unit::Percent || v.abs() < 1e300) {
                    let back = unit.parse(&text);
                    let error = back.as_ref().map_or(f64::INFINITY, |back| (back - v).abs());
                    let allowed = if unit == Unit::Percent { f64::EPSILON * v.abs() + f64::MIN_POSITIVE } else { 0.0 };
                    proptest::prop_assert!(error <= allowed, "{unit:?} {v:e} edited {text} read {back:?}");
                }
            }
        }
    }
}
