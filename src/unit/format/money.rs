//! Money for people: US dollars, or another currency at a stated rate.
//!
//! Inside, everything is US dollars; a [`Money`] converts at the last moment, when an amount becomes text.

use super::{
    DIGITS, DUST, NO_NUMBER, USD_SCALED_FROM, digits_after, exponent, grouped, round_to, scale_of,
    shared_decimals, signed, tick, usd_magnitude,
};

/// How amounts of US dollars are shown.
///
/// ```
/// use breakeven::unit::format::Money;
/// assert_eq!(Money::default().show(11_899.999), "$11.9 K");
/// assert_eq!(Money::new("€", 0.9).show(10_000.0), "€9,000");
/// assert_eq!(Money::new("CHF", 0.8).range(1_000.0, 2_000.0), "CHF 800–1,600");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Money {
    prefix: String,
    per_usd: f64,
}

impl Default for Money {
    /// US dollars.
    fn default() -> Self {
        Self::new("$", 1.0)
    }
}

impl Money {
    /// A currency by its symbol, or by its code where it has none, and how many of its units a US dollar buys
    /// (finite, > 0).
    #[must_use]
    pub fn new(symbol: &str, per_usd: f64) -> Self {
        // A code stands apart from the number, a sign does not.
        let space = if symbol.ends_with(char::is_alphabetic) { " " } else { "" };
        Self { prefix: format!("{symbol}{space}"), per_usd }
    }

    /// An amount of US dollars, as [`usd`](super::usd) shows it.
    #[must_use]
    pub fn show(&self, usd: f64) -> String {
        amount(&self.prefix, usd * self.per_usd)
    }

    /// The same without the sign of the currency, for a column that is headed by it.
    #[must_use]
    pub fn bare(&self, usd: f64) -> String {
        amount("", usd * self.per_usd)
    }

    /// An interval of US dollars, as [`usd_range`](super::usd_range) shows it.
    #[must_use]
    pub fn range(&self, lo: f64, hi: f64) -> String {
        range(&self.prefix, lo * self.per_usd, hi * self.per_usd)
    }

    /// US dollars with their error, as [`usd_with_error`](super::usd_with_error) shows them.
    #[must_use]
    pub fn with_error(&self, usd: f64, error: f64) -> String {
        with_error(&self.prefix, usd * self.per_usd, error * self.per_usd)
    }

    /// The label of an axis tick: the axis is in the currency already, so nothing is converted.
    #[must_use]
    pub fn tick(&self, amount: f64, step: f64) -> String {
        money_tick(&self.prefix, amount, step)
    }

    /// How many units of the currency an amount of US dollars is: for an axis.
    #[must_use]
    pub fn convert(&self, usd: f64) -> f64 {
        usd * self.per_usd
    }
}

pub(super) fn amount(prefix: &str, v: f64) -> String {
    signed(prefix, v, usd_magnitude)
}

pub(super) fn range(prefix: &str, lo: f64, hi: f64) -> String {
    let show = |v: f64| amount(prefix, v);
    if !lo.is_finite() || !hi.is_finite() {
        return format!("{} to {}", show(lo), show(hi));
    }
    let (lo, hi) = if lo <= hi { (lo, hi) } else { (hi, lo) };
    let (low, high) = (show(lo), show(hi));
    if low == high {
        return low;
    }
    if lo < 0.0 {
        return format!("{low} to {high}");
    }
    if hi < USD_SCALED_FROM {
        return format!("{low}–{}", amount("", hi));
    }
    let (scale, unit) = scale_of(round_to(hi, DIGITS));
    if lo < scale {
        return format!("{low}–{high}");
    }
    let (lo, hi) = (lo / scale, hi / scale);
    format!("{prefix}{}–{} {unit}", shared_decimals(lo, hi), shared_decimals(hi, hi))
}

pub(super) fn with_error(prefix: &str, v: f64, error: f64) -> String {
    let error = error.abs();
    if !v.is_finite() || !error.is_finite() || error < DUST {
        return amount(prefix, v);
    }
    let (scale, unit) =
        if v.abs() < USD_SCALED_FROM { (1.0, "") } else { scale_of(round_to(v.abs(), DIGITS)) };
    let (value, error) = (v / scale, error / scale);
    let leading = error / 10f64.powi(exponent(error));
    let digits = if leading < 2.95 { 2 } else { 1 };
    let error = round_to(error, digits);
    let decimals = usize::try_from(digits_after(error, digits)).unwrap_or(0);
    let place = 10f64.powi(-digits_after(error, digits));
    let value = if place > 1.0 { (value / place).round() * place } else { value };
    let space = if unit.is_empty() { "" } else { " " };
    let value = signed(prefix, value, |m| grouped(m, decimals));
    format!("{value} ± {}{space}{unit}", grouped(error, decimals))
}

pub(super) fn money_tick(prefix: &str, v: f64, step: f64) -> String {
    let label = tick(v, step);
    match label.strip_prefix('-') {
        Some(magnitude) => format!("-{prefix}{magnitude}"),
        None if label == NO_NUMBER => label,
        None => format!("{prefix}{label}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{usd, usd_range, usd_tick, usd_with_error};
    use super::*;

    #[test]
    fn dollars_are_shown_as_without_a_currency() {
        let money = Money::default();
        for v in [-11_900.0, -3.0, 0.0, 1e-12, 0.0012, 4.3, 820.0, 9_999.6, 1.24e6, 1e300, f64::NAN] {
            assert_eq!(money.show(v), usd(v));
            assert_eq!(money.range(v, 2.0 * v), usd_range(v, 2.0 * v));
            assert_eq!(money.with_error(v, 0.01 * v), usd_with_error(v, 0.01 * v));
            assert_eq!(money.tick(v, 1.0), usd_tick(v, 1.0));
        }
    }

    #[test]
    fn another_currency_is_converted_once_and_carries_its_sign() {
        let (euro, yen, franc) = (Money::new("€", 0.9), Money::new("¥", 150.0), Money::new("CHF", 0.8));
        assert_eq!(euro.show(12_345.0), "€11.1 K");
        assert_eq!(euro.show(-3.0), "-€2.70");
        assert_eq!(yen.show(12_000.0), "¥1.80 M");
        assert_eq!(franc.show(1_000.0), "CHF 800");
        assert_eq!(franc.show(-1.0), "-CHF 0.80");
        assert_eq!(euro.range(10_000.0, 20_000.0), "€9–18 K");
        assert_eq!(euro.range(20_000.0, 30_000.0), "€18–27 K");
        assert_eq!(euro.with_error(1_000.0, 20.0), "€900 ± 18");
        assert_eq!(euro.tick(10_000.0, 5_000.0), "€10 K");
        assert_eq!(euro.bare(1_000.0), "900");
        assert_eq!((euro.convert(10.0), euro.show(f64::NAN).as_str()), (9.0, "–"));
    }
}
