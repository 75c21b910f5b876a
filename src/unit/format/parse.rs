//! Typed text to a number: what a person writes into a field, with or without its unit.

use thiserror::Error;

use super::Unit;

/// Why a typed text is not a number of the wanted unit; the message says what was found and what to write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseNumberError {
    /// Nothing was typed.
    #[error("nothing is written here; write {example}")]
    Empty {
        /// Accepted spellings.
        example: &'static str,
    },
    /// The text does not begin with a number.
    #[error("\"{text}\" is not a number; write {example}")]
    NotANumber {
        /// What was typed.
        text: String,
        /// Accepted spellings.
        example: &'static str,
    },
    /// A comma that does not separate thousands.
    #[error("the comma in \"{text}\" does not separate thousands; write {suggestion}")]
    Grouping {
        /// What was typed.
        text: String,
        /// The number with a decimal point instead.
        suggestion: String,
    },
    /// A number followed by a unit that does not fit.
    #[error("\"{found}\" in \"{text}\" is not a unit of {quantity}; write {example}")]
    Suffix {
        /// What was typed.
        text: String,
        /// The part after the number.
        found: String,
        /// What the field holds.
        quantity: &'static str,
        /// Accepted spellings.
        example: &'static str,
    },
    /// NaN, an infinity, or more than an `f64` can hold.
    #[error("\"{text}\" is not a finite number; write {example}")]
    NotFinite {
        /// What was typed.
        text: String,
        /// Accepted spellings.
        example: &'static str,
    },
}

/// Reads a typed number: `48k`, `1.2M`, `1,200`, `2.5e6`, `$3/h`, `30%`, `80GB`, `70ms`.
///
/// The value comes in the base unit of `unit` (dollars, seconds, bytes, a fraction of one ...). A bare number is
/// taken in the unit that the field shows; in a percent field that is percent. `k`, `M`, `B` (or `bn`, `G`) and
/// `T` scale by thousands and are read in either case, unless the letter is a unit of its own there (`m` is
/// minutes in a duration).
///
/// ```
/// use breakeven::unit::format::{Unit, parse};
/// assert_eq!(parse("48k", Unit::Tokens), Ok(48_000.0));
/// assert_eq!(parse("30%", Unit::Percent), Ok(0.3));
/// assert_eq!(parse("90 s", Unit::Secs), Ok(90.0));
/// ```
///
/// # Errors
/// [`ParseNumberError`] says what was found and what to write.
pub fn parse(text: &str, unit: Unit) -> Result<f64, ParseNumberError> {
    let example = unit.example();
    let typed = text.trim();
    if typed.is_empty() {
        return Err(ParseNumberError::Empty { example });
    }
    let not_a_number = || ParseNumberError::NotANumber { text: shortened(typed), example };
    let not_finite = || ParseNumberError::NotFinite { text: shortened(typed), example };

    let (negative, unsigned) = strip_sign(typed);
    let word = unsigned.trim_start_matches('$').trim();
    if ["nan", "inf", "infinity", "∞"].contains(&word.to_lowercase().as_str()) {
        return Err(not_finite());
    }
    let (number, rest) = split_number(word).ok_or_else(not_a_number)?;
    let number = ungrouped(number, typed)?;
    let magnitude: f64 = number.parse().map_err(|_| not_a_number())?;
    let spelling: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
    let factor = factor_of(&spelling, unit).ok_or_else(|| ParseNumberError::Suffix {
        text: shortened(typed),
        found: shortened(rest.trim()),
        quantity: unit.quantity(),
        example,
    })?;
    let value = match factor {
        Factor::Times(f) => magnitude * f,
        Factor::Over(d) => magnitude / d,
    };
    if !value.is_finite() {
        return Err(not_finite());
    }
    Ok(if negative && value != 0.0 { -value } else { value })
}

/// How a spelling converts. Division is kept as such: 30 / 100 is 0.3, while 30 × 0.01 is not.
#[derive(Clone, Copy)]
pub(super) enum Factor {
    Times(f64),
    Over(f64),
}

fn factor_of(spelling: &str, unit: Unit) -> Option<Factor> {
    let lower = spelling.to_lowercase();
    if let Some(factor) = unit.spelled(&lower) {
        return Some(factor);
    }
    let (scale, rest) = strip_scale(&lower)?;
    match unit.spelled(rest)? {
        Factor::Times(f) => Some(Factor::Times(scale * f)),
        Factor::Over(d) => Some(Factor::Over(d / scale)),
    }
}

fn strip_scale(lower: &str) -> Option<(f64, &str)> {
    let scales = [
        ("million", 1e6),
        ("billion", 1e9),
        ("thousand", 1e3),
        ("bn", 1e9),
        ("mn", 1e6),
        ("k", 1e3),
        ("m", 1e6),
        ("b", 1e9),
        ("g", 1e9),
        ("t", 1e12),
    ];
    scales.into_iter().find_map(|(word, scale)| Some((scale, lower.strip_prefix(word)?)))
}

/// A sign may stand before or behind the currency.
fn strip_sign(text: &str) -> (bool, &str) {
    let minus = |text: &str| text.starts_with(['-', '−']);
    let bare = text.trim_start_matches('$').trim_start();
    let negative = minus(text) || minus(bare);
    let text = bare.strip_prefix(['-', '−', '+']).unwrap_or(bare).trim_start();
    (negative, text)
}

/// Splits after the longest head that is a number; `None` when there is none.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let is_body = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '_' | '\'');
    let mut end = text.find(|c: char| !is_body(c)).unwrap_or(text.len());
    if !bytes.get(..end)?.iter().any(u8::is_ascii_digit) {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let from = end + 1 + sign;
        let digits = bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            end = from + digits;
        }
    }
    Some(text.split_at(end))
}

/// Removes the marks between thousands, where they stand between thousands.
fn ungrouped(number: &str, typed: &str) -> Result<String, ParseNumberError> {
    let whole = number.split(['.', 'e', 'E']).next().unwrap_or(number);
    let mut groups = whole.split([',', '_', '\'']);
    let first = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    let grouped = rest.peek().is_some();
    let aligned = !grouped || ((1..=3).contains(&first.len()) && rest.all(|group| group.len() == 3));
    let behind_point = number.get(whole.len()..).is_some_and(|tail| tail.contains([',', '_', '\'']));
    if aligned && !behind_point {
        return Ok(number.replace([',', '_', '\''], ""));
    }
    let plain = if number.matches(',').count() == 1 && !number.contains('.') {
        number.replacen(',', ".", 1)
    } else {
        number.replace([',', '_', '\''], "")
    };
    Err(ParseNumberError::Grouping { text: shortened(typed), suggestion: shortened(&plain) })
}

/// A text that fits into a message.
fn shortened(text: &str) -> String {
    const KEPT: usize = 40;
    if text.chars().count() <= KEPT {
        return text.to_owned();
    }
    text.chars().take(KEPT).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_understood() {
        let cases: &[(&str, Unit, f64)] = &[
            ("48k", Unit::Tokens, 48_000.0),
            ("48 K tokens", Unit::Tokens, 48_000.0),
            ("1.2M", Unit::Count, 1.2e6),
            ("1.2 million", Unit::Count, 1.2e6),
            ("1,200", Unit::Count, 1200.0),
            ("1_200_000", Unit::Count, 1.2e6),
            ("2.5e6", Unit::Plain, 2.5e6),
            ("2.5E-3", Unit::Plain, 0.0025),
            (".5", Unit::Plain, 0.5),
            ("+7", Unit::Plain, 7.0),
            ("-7", Unit::Plain, -7.0),
            ("−7", Unit::Plain, -7.0),
            ("-0", Unit::Plain, 0.0),
            ("$3/h", Unit::UsdPerHour, 3.0),
            ("$3", Unit::UsdPerHour, 3.0),
            ("-$3", Unit::Usd, -3.0),
            ("$-3", Unit::Usd, -3.0),
            ("11.9k", Unit::Usd, 11_900.0),
            ("$11.9 K/month", Unit::UsdPerMonth, 11_900.0),
            ("30%", Unit::Percent, 0.3),
            ("30", Unit::Percent, 0.3),
            ("0.5 percent", Unit::Percent, 0.005),
            ("80GB", Unit::Bytes, 80e9),
            ("80 GiB", Unit::Bytes, 80.0 * 1_073_741_824.0),
            ("80g", Unit::Bytes, 80e9),
            ("70ms", Unit::Secs, 0.07),
            ("70 µs", Unit::Secs, 70.0 / 1e6),
            ("90 s", Unit::Secs, 90.0),
            ("5m", Unit::Secs, 300.0),
            ("2h", Unit::Secs, 7200.0),
            ("2 days", Unit::Hours, 48.0),
            ("3 years", Unit::Months, 36.0),
            ("1.2kW", Unit::Watts, 1200.0),
            ("$0.12/kWh", Unit::UsdPerKwh, 0.12),
            ("$120/MWh", Unit::UsdPerKwh, 0.12),
            ("$3/M", Unit::UsdPerMtok, 3.0),
            ("$0.003 / 1K tokens", Unit::UsdPerMtok, 3.0),
            ("1.5x", Unit::Factor, 1.5),
            ("1k/day", Unit::PerDay, 1000.0),
            ("1/s", Unit::PerDay, 86_400.0),
            ("120/min", Unit::TokensPerSec, 2.0),
        ];
        for &(text, unit, expected) in cases {
            assert_eq!(parse(text, unit), Ok(expected), "{text} as {unit:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_says_what_to_write() {
        let cases: &[(&str, Unit, &str)] = &[
            ("", Unit::Usd, "nothing is written here; write"),
            ("abc", Unit::Count, "\"abc\" is not a number; write"),
            (
                "12 apples",
                Unit::Usd,
                "\"apples\" in \"12 apples\" is not a unit of an amount of money; write",
            ),
            ("1,5", Unit::Plain, "the comma in \"1,5\" does not separate thousands; write 1.5"),
            ("1,2345", Unit::Plain, "does not separate thousands; write 1.2345"),
            ("1.5,000", Unit::Plain, "does not separate thousands"),
            ("1.2.3", Unit::Plain, "is not a number"),
            ("NaN", Unit::Plain, "is not a finite number"),
            ("-inf", Unit::Plain, "is not a finite number"),
            ("1e999", Unit::Plain, "is not a finite number"),
            ("3 h", Unit::Usd, "is not a unit of an amount of money"),
            ("$", Unit::Usd, "is not a number"),
            ("--3", Unit::Plain, "is not a number"),
        ];
        for &(text, unit, expected) in cases {
            let message = parse(text, unit).expect_err(text).to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
        let long = parse(&"9x".repeat(10_000), Unit::Usd).expect_err("long").to_string();
        assert!(long.len() < 400, "{long}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_or_give_what_is_not_finite(text in ".{0,24}") {
            for unit in Unit::ALL {
                if let Ok(v) = parse(&text, unit) {
                    proptest::prop_assert!(v.is_finite());
                }
            }
        }

        #[test]
        fn numbers_in_odd_spellings_do_not_panic(text in "[-+$−]{0,2}[0-9.,_']{0,8}[eE]?[-+]?[0-9]{0,3} ?[a-zA-Z%/µ]{0,6}") {
            for unit in Unit::ALL {
                if let Ok(v) = parse(&text, unit) {
                    proptest::prop_assert!(v.is_finite());
                }
            }
        }
    }
}
