//! `1 - e^-x` for whole slices, in a form that the compiler turns into vector instructions.

use multiversion::multiversion;

/// Where the answer is the double 1.
const CERTAIN: f64 = 40.0;

/// `1 - exp(-x)` in the place of each `x`: the probability that an exponential pause of mean 1 ends within `x`.
///
/// Relative error below 1e-15, small `x` included; `x` below 0 and not-a-number count as 0. The same on every machine:
/// wider vectors change no bit.
#[multiversion(targets = "simd")]
pub fn found_within(x: &mut [f64]) {
    for x in x {
        *x = within(*x);
    }
}

/// One number of [`found_within`].
///
/// `x = k ln 2 - r` with `|r| <= ln 2 / 2`, so `1 - e^-x = (1 - 2^-k) - 2^-k (e^r - 1)`.
#[inline(always)]
fn within(x: f64) -> f64 {
    // Adding and taking away 1.5 * 2^52 rounds to the nearest whole number, which then stands in the low bits.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, so that k ln 2 is exact enough. Source: Cody and Waite, 1980.
    const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = if x > 0.0 { x } else { 0.0 };
    let x = if x < CERTAIN { x } else { CERTAIN };
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let k = shifted - SHIFT;
    let r = (k * LN2_HIGH - x) + k * LN2_LOW;
    // 2^-k from the bits: the exponent field holds 1023 - k.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_library_function_for_small_middling_and_large_numbers() {
        let mut x: Vec<f64> = (0..40_000).map(|i| f64::from(i) * 1.1e-3).collect();
        x.extend((0..2_000).map(|i| (-f64::from(i) * 0.3).exp()));
        let mut out = x.clone();
        found_within(&mut out);
        for (x, out) in x.iter().zip(&out) {
            let exact = -(-x).exp_m1();
            assert!((out - exact).abs() <= 1e-15 * exact, "{x}: {out} {exact}");
        }
    }

    #[test]
    fn it_stays_within_0_and_1_and_never_falls() {
        let mut out: Vec<f64> = (0..100_000).map(|i| f64::from(i) * 5e-4).collect();
        found_within(&mut out);
        assert!(out.windows(2).all(|pair| pair[0] <= pair[1] + 1e-16));
        let mut out = [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 0.0];
        found_within(&mut out);
        assert_eq!(out, [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    }
}
