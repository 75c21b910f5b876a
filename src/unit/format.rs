//! Every rule by which a number becomes text, and text a number.
//!
//! For people, never for files: about three significant digits, one unit, no `-0`, and `–` where there is no
//! number. Full precision belongs to JSON and to [`Unit::edit`]. Start with [`usd`], [`count`] and [`Unit`], which
//! pairs a way to show with the way to read the same thing back ([`parse`]); [`Money`] shows dollars in another currency.

mod money;
mod parse;
mod unit;

pub use money::Money;
pub use parse::{ParseNumberError, parse};
pub use unit::Unit;

/// What stands where a number should be and there is none (NaN or infinite).
pub const NO_NUMBER: &str = "–";

/// Significant digits of a number that a person reads in passing.
const DIGITS: usize = 3;

/// Below this an amount is the dust of a subtraction, not a price: a token costs at least some 10⁻⁸ dollars.
const DUST: f64 = 5e-10;

/// Where money leaves `$9,999` for `$10.0 K`.
const USD_SCALED_FROM: f64 = 1e4;

/// Where counts leave `99,999` for `100 K`.
const COUNT_SCALED_FROM: f64 = 1e5;

const SECS_PER_MINUTE: f64 = 60.0;
const SECS_PER_HOUR: f64 = 3600.0;
const SECS_PER_DAY: f64 = 86_400.0;
const BYTES_PER_GIB: f64 = 1_073_741_824.0;

/// The short scale: thousand, million, billion (10⁹), trillion (10¹²).
const SCALES: [(f64, &str); 5] = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"), (1.0, "")];

/// US dollars: `$820`, `$4.30`, `$0.0012`, `$1,240`, `$11.9 K`, `$1.24 M`; negatives as `-$3`, never `$-0`.
///
/// ```
/// use breakeven::unit::format::usd;
/// assert_eq!(usd(11_899.999), "$11.9 K");
/// assert_eq!(usd(4.3), "$4.30");
/// assert_eq!(usd(-3.0), "-$3.00");
/// ```
#[must_use]
pub fn usd(v: f64) -> String {
    money::amount("$", v)
}

/// US dollars without the sign of the currency, for a column that is headed by it.
#[must_use]
pub fn usd_bare(v: f64) -> String {
    money::amount("", v)
}

/// An interval of dollars: `$9.8–14.6 K` when both share the unit, `$820–$14.6 K` when they do not.
///
/// The ends may come in either order. An end that is not a number is `–`.
#[must_use]
pub fn usd_range(lo: f64, hi: f64) -> String {
    money::range("$", lo, hi)
}

/// Dollars with their error: `$1,240 ± 30`, `$11.90 ± 0.12 K`.
///
/// The error keeps two significant digits below 30 (of its leading digits) and one above, the value stops at the
/// same place. An error that is zero or not a number is left out.
#[must_use]
pub fn usd_with_error(v: f64, error: f64) -> String {
    money::with_error("$", v, error)
}

/// A price per million tokens as vendors print it: `$3.00`, `$0.075`, `$12.50`; the unit is left to the heading.
#[must_use]
pub fn usd_per_mtok(v: f64) -> String {
    signed("$", v, |m| {
        if m >= USD_SCALED_FROM {
            return scaled(m, DIGITS, Trim::No);
        }
        if m >= 100.0 {
            return at_least_cents(&grouped(m, 2)).trim_end_matches(".00").to_owned();
        }
        at_least_cents(&trimmed(&fixed(m, 4)))
    })
}

/// A number of things: `3.7`, `420`, `12,400`, `38 M`.
///
/// ```
/// use breakeven::unit::format::count;
/// assert_eq!(count(12_400.0), "12,400");
/// assert_eq!(count(38e6), "38 M");
/// ```
#[must_use]
pub fn count(v: f64) -> String {
    signed("", v, |m| {
        if m.round() >= COUNT_SCALED_FROM {
            return scaled(m, DIGITS, Trim::Yes);
        }
        if m >= 1000.0 || m.fract() == 0.0 {
            return grouped(m, 0);
        }
        trimmed(&fixed(m, DIGITS))
    })
}

/// Tokens a day: `38 M tokens/day`.
#[must_use]
pub fn tokens_per_day(v: f64) -> String {
    with_unit(&short(v), " tokens/day")
}

/// A rate per second: `1.2 K/s`, `0.5/s`.
#[must_use]
pub fn rate(v: f64) -> String {
    with_unit(&short(v), "/s")
}

/// Three significant digits and a scale from a thousand on: `1.2 K`, `38 M`, `0.5`.
#[must_use]
pub fn short(v: f64) -> String {
    signed("", v, |m| scaled(m, DIGITS, Trim::Yes))
}

/// A share of one as percent: `63 %`, `6.3 %`, `0.42 %`; close to all of it as many digits as tell it from all:
/// `99.95 %`.
#[must_use]
pub fn percent(fraction: f64) -> String {
    let text = signed("", fraction * 100.0, |m| {
        if m > 99.0 && m < 100.0 {
            let decimals = usize::try_from(digits_after(100.0 - m, 2)).unwrap_or(0).min(6);
            return trimmed(&format!("{m:.decimals$}"));
        }
        if m >= 1000.0 {
            return scaled_from(m, COUNT_SCALED_FROM);
        }
        trimmed(&fixed(m, if m < 10.0 { 2 } else { DIGITS }))
    });
    with_unit(&text, " %")
}

/// A duration: `70 ms`, `1.2 s`, `90 s`, `2.5 min`, `3 h`, `2.5 d`.
#[must_use]
pub fn secs(v: f64) -> String {
    let scale = |m: f64| match round_to(m, DIGITS) {
        r if r < 1e-6 => (1e-9, " ns"),
        r if r < 1e-3 => (1e-6, " µs"),
        r if r < 1.0 => (1e-3, " ms"),
        r if r < 2.0 * SECS_PER_MINUTE => (1.0, " s"),
        r if r < 2.0 * SECS_PER_HOUR => (SECS_PER_MINUTE, " min"),
        r if r < 2.0 * SECS_PER_DAY => (SECS_PER_HOUR, " h"),
        _ => (SECS_PER_DAY, " d"),
    };
    if v == 0.0 {
        return "0 s".to_owned();
    }
    let (unit, suffix) = scale(v.abs());
    with_unit(&signed("", v / unit, |m| scaled_from(m, USD_SCALED_FROM)), suffix)
}

/// Bytes by powers of ten: `80 GB`, `1.6 TB`.
#[must_use]
pub fn bytes(v: f64) -> String {
    with_prefix(v, &[(1e15, " PB"), (1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")])
}

/// Bytes in GiB (2³⁰): `74.5 GiB`.
#[must_use]
pub fn gib(v: f64) -> String {
    with_unit(&signed("", v / BYTES_PER_GIB, |m| scaled_from(m, USD_SCALED_FROM)), " GiB")
}

/// Power: `700 W`, `1.2 kW`.
#[must_use]
pub fn watts(v: f64) -> String {
    with_prefix(v, &[(1e9, " GW"), (1e6, " MW"), (1e3, " kW"), (1.0, " W")])
}

/// Floating-point operations a second: `989 TFLOP/s`.
#[must_use]
pub fn flops_per_sec(v: f64) -> String {
    with_prefix(
        v,
        &[(1e15, " PFLOP/s"), (1e12, " TFLOP/s"), (1e9, " GFLOP/s"), (1e6, " MFLOP/s"), (1.0, " FLOP/s")],
    )
}

/// A plain number with so many significant digits, grouped by thousands: `1,230`, `0.0457`. No scale.
///
/// `digits` below 1 count as 1, above 15 as 15 (what an `f64` holds).
#[must_use]
pub fn significant(v: f64, digits: usize) -> String {
    let digits = digits.clamp(1, 15);
    signed("", v, |m| {
        let rounded = round_to(m, digits);
        grouped(rounded, usize::try_from(digits_after(rounded, digits)).unwrap_or(0))
    })
}

/// The label of an axis tick, `step` away from the next: `1 K`, `10 K`, `2.5 K`, `1 M`, `0`.
///
/// Shows as many decimals as the step needs, so that neighbours never read alike. A `step` that is not above zero
/// counts as the value itself (a logarithmic axis).
#[must_use]
pub fn tick(v: f64, step: f64) -> String {
    let step = if step.is_finite() && step > 0.0 { step } else { v.abs() };
    if v.abs() < step * 1e-9 {
        return "0".to_owned();
    }
    signed("", v, |m| {
        let (scale, unit) = scale_of(round_to(m, 12));
        let decimals = usize::try_from(digits_after(step / scale, 2)).unwrap_or(0).min(12);
        with_scale(&trimmed(&grouped(m / scale, decimals)), unit)
    })
}

/// [`tick`] with dollars: `$10 K`.
#[must_use]
pub fn usd_tick(v: f64, step: f64) -> String {
    money::money_tick("$", v, step)
}

/// Whether trailing zeros after the point are dropped.
#[derive(Clone, Copy, PartialEq)]
enum Trim {
    Yes,
    No,
}

fn usd_magnitude(m: f64) -> String {
    if m < DUST {
        "0".to_owned()
    } else if m < 0.995 {
        at_least_cents(&fixed(m, 2))
    } else if m < 99.995 {
        format!("{m:.2}")
    } else if m.round() < USD_SCALED_FROM {
        grouped(m, 0)
    } else {
        scaled(m, DIGITS, Trim::No)
    }
}

/// Sign, prefix, magnitude; `–` for what is not a number; no sign before a zero.
fn signed(prefix: &str, v: f64, magnitude: impl Fn(f64) -> String) -> String {
    if !v.is_finite() {
        return NO_NUMBER.to_owned();
    }
    let text = magnitude(v.abs());
    let shown_as_zero = !text.bytes().any(|b| b.is_ascii_digit() && b != b'0');
    let sign = if v < 0.0 && !shown_as_zero { "-" } else { "" };
    format!("{sign}{prefix}{text}")
}

fn with_unit(text: &str, unit: &str) -> String {
    if text == NO_NUMBER { text.to_owned() } else { format!("{text}{unit}") }
}

fn with_scale(text: &str, unit: &str) -> String {
    if unit.is_empty() { text.to_owned() } else { format!("{text} {unit}") }
}

/// The power of ten of the leading digit; 0 for zero.
#[expect(clippy::cast_possible_truncation, reason = "the exponent of an f64 is within ±324")]
fn exponent(m: f64) -> i32 {
    if m == 0.0 { 0 } else { m.log10().floor() as i32 }
}

/// Rounds a magnitude to so many significant digits, by way of its text so that 0.1 stays 0.1.
fn round_to(m: f64, digits: usize) -> f64 {
    format!("{m:.*e}", digits.saturating_sub(1)).parse().unwrap_or(m)
}

/// Digits after the point that show so many significant ones; negative when the last of them is before it.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "digits are at most 15")]
fn digits_after(m: f64, digits: usize) -> i32 {
    digits as i32 - 1 - exponent(round_to(m, digits))
}

/// So many significant digits in plain notation, zeros kept.
fn fixed(m: f64, digits: usize) -> String {
    let rounded = round_to(m, digits);
    let decimals = usize::try_from(digits_after(rounded, digits)).unwrap_or(0);
    grouped(rounded, decimals)
}

fn scale_of(m: f64) -> (f64, &'static str) {
    SCALES.into_iter().find(|&(scale, _)| m >= scale).unwrap_or((1.0, ""))
}

fn scaled(m: f64, digits: usize, trim: Trim) -> String {
    let rounded = round_to(m, digits);
    if rounded >= 1e15 {
        return format!("{rounded:e}");
    }
    if m < DUST * DUST {
        return "0".to_owned();
    }
    let (scale, unit) = scale_of(rounded);
    let text = fixed(rounded / scale, digits);
    with_scale(&if trim == Trim::Yes { trimmed(&text) } else { text }, unit)
}

/// Plain up to `from`, scaled above; zeros dropped.
fn scaled_from(m: f64, from: f64) -> String {
    let rounded = round_to(m, DIGITS);
    if rounded < 1000.0 {
        trimmed(&fixed(m, DIGITS))
    } else if m.round() < from {
        grouped(m, 0)
    } else {
        scaled(m, DIGITS, Trim::Yes)
    }
}

fn with_prefix(v: f64, prefixes: &[(f64, &str)]) -> String {
    let rounded = round_to(v.abs(), DIGITS);
    let (unit, suffix) =
        prefixes.iter().find(|(unit, _)| rounded >= *unit).or(prefixes.last()).copied().unwrap_or((1.0, ""));
    with_unit(&signed("", v / unit, |m| scaled_from(m, USD_SCALED_FROM)), suffix)
}

/// One end of a range, with the decimals that three digits of the high end need, zeros dropped.
fn shared_decimals(m: f64, high: f64) -> String {
    let decimals = usize::try_from(digits_after(high, DIGITS)).unwrap_or(0);
    trimmed(&format!("{m:.decimals$}"))
}

/// Drops zeros after the point, and the point when nothing follows.
fn trimmed(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// Two decimals or more: cents.
fn at_least_cents(text: &str) -> String {
    match text.split_once('.') {
        None => format!("{text}.00"),
        Some((_, cents)) if cents.len() == 1 => format!("{text}0"),
        Some(_) => text.to_owned(),
    }
}

/// Plain notation with a comma between thousands.
fn grouped(m: f64, decimals: usize) -> String {
    if m >= 1e15 {
        return format!("{:e}", round_to(m, DIGITS));
    }
    let text = format!("{m:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::with_capacity(text.len() + text.len() / 3);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(f64, &str)], show: impl Fn(f64) -> String) {
        for &(v, expected) in cases {
            assert_eq!(show(v), expected, "{v}");
        }
    }

    #[test]
    fn money_reads_as_a_person_would_write_it() {
        check(
            &[
                (0.0, "$0"),
                (-0.0, "$0"),
                (-1e-12, "$0"),
                (820.0, "$820"),
                (4.3, "$4.30"),
                (0.3, "$0.30"),
                (0.0012, "$0.0012"),
                (0.996, "$1.00"),
                (99.996, "$100"),
                (1240.4, "$1,240"),
                (9_999.4, "$9,999"),
                (9_999.6, "$10.0 K"),
                (11_899.999_999, "$11.9 K"),
                (999_960.0, "$1.00 M"),
                (1_240_000.0, "$1.24 M"),
                (2.16e9, "$2.16 B"),
                (-3.0, "-$3.00"),
                (-11_900.0, "-$11.9 K"),
                (f64::NAN, "–"),
                (f64::INFINITY, "–"),
                (1e300, "$1e300"),
            ],
            usd,
        );
    }

    #[test]
    fn a_range_writes_the_shared_unit_once() {
        assert_eq!(usd_range(9_800.0, 14_600.0), "$9.8–14.6 K");
        assert_eq!(usd_range(14_600.0, 9_800.0), "$9.8–14.6 K");
        assert_eq!(usd_range(820.0, 14_600.0), "$820–$14.6 K");
        assert_eq!(usd_range(820.0, 1_240.0), "$820–1,240");
        assert_eq!(usd_range(1.2e6, 3.4e6), "$1.2–3.4 M");
        assert_eq!(usd_range(-3.0, 4.0), "-$3.00 to $4.00");
        assert_eq!(usd_range(5.0, 5.0), "$5.00");
        assert_eq!(usd_range(f64::NAN, 5.0), "– to $5.00");
    }

    #[test]
    fn an_error_and_its_value_stop_at_the_same_digit() {
        assert_eq!(usd_with_error(1_238.447_1, 31.0), "$1,240 ± 30");
        assert_eq!(usd_with_error(11_903.0, 123.0), "$11.90 ± 0.12 K");
        assert_eq!(usd_with_error(4.3, 0.05), "$4.30 ± 0.05");
        assert_eq!(usd_with_error(4.3, 0.0), "$4.30");
        assert_eq!(usd_with_error(f64::NAN, 1.0), "–");
    }

    #[test]
    fn prices_keep_the_digits_that_vendors_print() {
        check(
            &[
                (3.0, "$3.00"),
                (0.075, "$0.075"),
                (12.5, "$12.50"),
                (0.0, "$0.00"),
                (0.125, "$0.125"),
                (150.0, "$150"),
            ],
            usd_per_mtok,
        );
    }

    #[test]
    fn counts_are_grouped_and_then_scaled() {
        check(
            &[
                (0.0, "0"),
                (3.7, "3.7"),
                (0.25, "0.25"),
                (420.0, "420"),
                (12_400.0, "12,400"),
                (99_999.7, "100 K"),
                (38e6, "38 M"),
                (-12_400.0, "-12,400"),
                (f64::NAN, "–"),
            ],
            count,
        );
        assert_eq!(tokens_per_day(38e6), "38 M tokens/day");
        assert_eq!(tokens_per_day(f64::NAN), "–");
        assert_eq!(rate(1_200.0), "1.2 K/s");
    }

    #[test]
    fn a_percent_near_everything_does_not_become_everything() {
        check(
            &[
                (0.63, "63 %"),
                (0.0633, "6.3 %"),
                (0.0042, "0.42 %"),
                (0.9995, "99.95 %"),
                (0.999, "99.9 %"),
                (1.0, "100 %"),
                (0.0, "0 %"),
                (12.5, "1,250 %"),
                (-0.05, "-5 %"),
                (f64::NAN, "–"),
            ],
            percent,
        );
    }

    #[test]
    fn durations_and_sizes_choose_their_unit() {
        check(
            &[
                (0.0, "0 s"),
                (3.2e-9, "3.2 ns"),
                (45e-6, "45 µs"),
                (0.07, "70 ms"),
                (0.9999, "1 s"),
                (1.25, "1.25 s"),
                (90.0, "90 s"),
                (150.0, "2.5 min"),
                (10_800.0, "3 h"),
                (216_000.0, "2.5 d"),
                (f64::NAN, "–"),
            ],
            secs,
        );
        check(&[(80e9, "80 GB"), (1.6e12, "1.6 TB"), (0.0, "0 B"), (512.0, "512 B")], bytes);
        check(&[(80e9, "74.5 GiB")], gib);
        check(&[(700.0, "700 W"), (1200.0, "1.2 kW")], watts);
        check(&[(989.5e12, "990 TFLOP/s")], flops_per_sec);
    }

    #[test]
    fn significant_digits_are_kept_and_no_more() {
        assert_eq!(significant(1234.5, 3), "1,230");
        assert_eq!(significant(0.045_67, 3), "0.0457");
        assert_eq!(significant(99.96, 3), "100");
        assert_eq!(significant(f64::NAN, 3), "–");
    }

    #[test]
    fn neighbouring_ticks_never_read_alike() {
        assert_eq!([1e3, 1e4, 1e6].map(|v| tick(v, 0.0)), ["1 K", "10 K", "1 M"]);
        assert_eq!([0.0, 2_500.0, 5_000.0].map(|v| tick(v, 2_500.0)), ["0", "2.5 K", "5 K"]);
        assert_eq!([0.1, 0.2].map(|v| tick(v, 0.1)), ["0.1", "0.2"]);
        assert_eq!(usd_tick(-1e4, 5e3), "-$10 K");
        for step in [0.001, 0.25, 1.0, 20.0, 250.0, 5e4, 2e6] {
            let labels: Vec<_> = (-20..20).map(|i| tick(f64::from(i) * step, step)).collect();
            assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{labels:?}");
        }
    }

    #[test]
    fn no_number_of_any_size_shows_nan_or_minus_zero() {
        for exponent in -320..=308 {
            for digit in [1.0, 4.999, 9.999] {
                for v in [digit * 10f64.powi(exponent), -digit * 10f64.powi(exponent)] {
                    for text in [
                        usd(v),
                        count(v),
                        percent(v),
                        secs(v),
                        bytes(v),
                        short(v),
                        tick(v, 0.0),
                        significant(v, 3),
                    ] {
                        assert!(!text.contains("NaN") && !text.contains("inf"), "{v:e} {text}");
                        let zero = !text.bytes().any(|b| b.is_ascii_digit() && b != b'0');
                        assert!(!zero || !text.starts_with('-'), "{v:e} {text}");
                    }
                }
            }
        }
    }
}
