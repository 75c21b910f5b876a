//! Exponential, logarithm and the chance to be found in time, in a form that the compiler turns into vector instructions.
//!
//! No branches, no calls, no tables: eight numbers side by side take hardly longer than one. The same on every machine:
//! wider vectors change no bit.

/// ln 2 in two parts, so that `k ln 2` is exact enough. Source: Cody and Waite, 1980.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Adding and taking away 1.5 * 2^52 rounds to the nearest whole number, which then stands in the low bits.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// 2^52: a whole number below it in its low bits is that number added to it.
pub(super) const ULP_IS_ONE: f64 = 4_503_599_627_370_496.0;

/// Where `1 - e^-x` is the double 1.
const CERTAIN: f64 = 40.0;

/// `e^x`, relative error below 1e-15, for `x` in -708 ..= 709; beyond, the value at the nearer end, and at the lower one
/// for not-a-number: always finite and above 0.
///
/// `x = k ln 2 + r` with `|r| <= ln 2 / 2`, so `e^x = 2^k + 2^k (e^r - 1)`.
#[must_use]
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let x = if x > -708.0 { x } else { -708.0 };
    let x = if x < 709.0 { x } else { 709.0 };
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let k = shifted - SHIFT;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    // 2^k from the bits: the exponent field holds 1023 + k.
    let whole = shifted.to_bits().wrapping_sub(SHIFT.to_bits());
    let scale = f64::from_bits(1023_u64.wrapping_add(whole) << 52);
    scale + scale * exp_m1_near_zero(r)
}

/// `1 - e^-x`, the probability that an exponential pause of mean 1 ends within `x`.
///
/// Relative error below 1e-15, small `x` included; `x` below 0 and not-a-number count as 0.
///
/// `x = k ln 2 - r` with `|r| <= ln 2 / 2`, so `1 - e^-x = (1 - 2^-k) - 2^-k (e^r - 1)`.
#[must_use]
#[inline(always)]
pub fn found_within(x: f64) -> f64 {
    let x = if x > 0.0 { x } else { 0.0 };
    let x = if x < CERTAIN { x } else { CERTAIN };
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let k = shifted - SHIFT;
    let r = (k * LN2_HIGH - x) + k * LN2_LOW;
    let whole = shifted.to_bits().wrapping_sub(SHIFT.to_bits());
    let scale = f64::from_bits((1023_u64.wrapping_sub(whole)) << 52);
    (1.0 - scale) - scale * exp_m1_near_zero(r)
}

/// `e^r - 1` for `|r| <= 0.35` by Taylor's series to the 14th power: the rest is below 1e-19.
#[inline(always)]
fn exp_m1_near_zero(r: f64) -> f64 {
    const INVERSE_FACTORIALS: [f64; 13] = [
        1.0 / 87_178_291_200.0,
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    let mut sum = 0.0;
    for term in INVERSE_FACTORIALS {
        sum = sum * r + term;
    }
    r + r * r * sum
}

/// The natural logarithm of a normal number above 0, relative error below 1e-15.
///
/// Finite for every other input, too, where it means nothing: at 0 it is -709.
///
/// `x = 2^k (1 + f)` with `1 + f` between the square roots of 1/2 and 2, `s = f / (2 + f)`, and a minimax polynomial of
/// `s²` for the rest. Source: the algorithm of FreeBSD's `e_log.c` (Sun Microsystems, 1993), with its coefficients.
#[must_use]
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 7] = [
        1.479_819_860_511_658_6e-1,
        1.531_383_769_920_937_3e-1,
        1.818_357_216_161_805e-1,
        2.222_219_843_214_978_4e-1,
        2.857_142_874_366_239e-1,
        3.999_999_999_940_942e-1,
        6.666_666_666_666_735e-1,
    ];
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let k = f64::from_bits(ULP_IS_ONE.to_bits() | ((bits >> 52) & 0x7ff)) - (ULP_IS_ONE + 1023.0);
    let m = f64::from_bits((bits & MANTISSA) | 1.0_f64.to_bits());
    let large = m > std::f64::consts::SQRT_2;
    let f = if large { 0.5 * m } else { m } - 1.0;
    let k = if large { k + 1.0 } else { k };
    let s = f / (2.0 + f);
    let z = s * s;
    let mut rest = 0.0;
    for coefficient in COEFFICIENTS {
        rest = (rest + coefficient) * z;
    }
    let half = 0.5 * f * f;
    k * LN2_HIGH - ((half - (s * (half + rest) + k * LN2_LOW)) - f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(what: &str, x: f64, found: f64, exact: f64) {
        assert!((found - exact).abs() <= 1e-15 * exact.abs(), "{what} of {x}: {found} {exact}");
    }

    #[test]
    fn they_are_the_library_functions() {
        for i in 0..40_000 {
            let x = f64::from(i) * 1.1e-3;
            assert_close("found", x, found_within(x), -(-x).exp_m1());
            let y = f64::from(i) * 0.035 - 700.0;
            assert_close("exp", y, exp(y), y.exp());
            assert_close("ln", y.exp(), ln(y.exp()), y.exp().ln());
            let z = 0.5 + f64::from(i) * 5e-5;
            assert_close("ln", z, ln(z), z.ln());
        }
        for i in 0..2_000 {
            let x = (-f64::from(i) * 0.3).exp();
            assert_close("found", x, found_within(x), -(-x).exp_m1());
        }
    }

    #[test]
    fn a_pause_is_found_with_0_to_1_and_never_less_often_in_more_time() {
        let out: Vec<f64> = (0..100_000).map(|i| found_within(f64::from(i) * 5e-4)).collect();
        assert!(out.windows(2).all(|pair| pair[0] <= pair[1] + 1e-16));
        let odd = [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 0.0].map(found_within);
        assert_eq!(odd, [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(found_within(CERTAIN), 1.0);
    }

    #[test]
    fn what_is_out_of_range_stays_finite() {
        for x in [-1.0, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 1e-310] {
            assert!(exp(x).is_finite() && exp(x) > 0.0 && ln(x).is_finite(), "{x}: {} {}", exp(x), ln(x));
        }
    }
}
