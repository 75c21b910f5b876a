//! The standard normal distribution: quantile, distribution function and density.

use super::num::Num;

/// The 95th percentile of the standard normal distribution.
pub const Z95: f64 = 1.644_853_626_951_472_2;

/// Quantile of the standard normal distribution, for `u` strictly between 0 and 1.
///
/// Relative error about 1e-16. At 0 or below it returns the value at the smallest positive number, and
/// the mirror image at 1 or above, so that it is always finite.
///
/// Source: Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
/// Statistics 37 (1988), routine PPND16.
#[must_use]
#[inline(always)]
pub fn normal_quantile<N: Num>(u: N) -> N {
    let q = u - 0.5;
    let r = -(q * q) + 0.180_625;
    let centre = q * poly(&CENTRE_NUM, r) / poly(&CENTRE_DEN, r);
    // 0.425² = 0.180625: beyond, the square root of the logarithm of the tail is what the quantile follows.
    let tail = q.pick_above(N::of(0.0), u.rest(), u).at_least(f64::MIN_POSITIVE);
    let r = (-tail.log_e()).root();
    let mut outer = poly(&MIDDLE_NUM, r - 1.6) / poly(&MIDDLE_DEN, r - 1.6);
    if r.any_above(5.0) {
        let far = poly(&FAR_NUM, r - 5.0) / poly(&FAR_DEN, r - 5.0);
        outer = r.pick_above(N::of(5.0), far, outer);
    }
    let outer = q.pick_above(N::of(0.0), outer, -outer);
    N::of(0.425 * 0.425).pick_above(q * q, centre, outer)
}

/// Probability that a standard normal number is at most `z`; relative error below 1e-12.
#[must_use]
#[inline(always)]
pub fn normal_cdf<N: Num>(z: N) -> N {
    normal_survival(-z)
}

/// Probability that a standard normal number is above `z`; relative error below 1e-12, far out as well.
///
/// Half the complementary error function of `z / sqrt(2)`. Source: Cody, "Rational Chebyshev approximations for the error
/// function", Mathematics of Computation 23 (1969), as in CALERF of SPECFUN.
#[must_use]
#[inline(always)]
pub fn normal_survival<N: Num>(z: N) -> N {
    const NEAR_MAX: f64 = 0.46875;
    const MIDDLE_MAX: f64 = 4.0;
    const FRAC_1_SQRT_PI: f64 = 0.564_189_583_547_756_3;
    let (zero, x) = (N::of(0.0), z * std::f64::consts::FRAC_1_SQRT_2);
    let (y, squared) = (x.larger(-x), x * x);
    let decay = (-squared).e_to();
    let mut tail = decay * poly(&ERFC_NUM, y) / poly(&ERFC_DEN, y);
    if y.any_above(MIDDLE_MAX) {
        let r = N::of(1.0) / squared;
        let far = N::of(FRAC_1_SQRT_PI) - r * poly(&ERFC_FAR_NUM, r) / poly(&ERFC_FAR_DEN, r);
        tail = y.pick_above(N::of(MIDDLE_MAX), decay * far / y, tail);
    }
    let away = x.pick_above(zero, tail, -tail + 2.0);
    let near = (x * poly(&ERF_NUM, squared) / poly(&ERF_DEN, squared)).rest();
    y.pick_above(N::of(NEAR_MAX), away, near) * 0.5
}

/// Density of the standard normal distribution at `z`.
pub(super) fn normal_density(z: f64) -> f64 {
    const FRAC_1_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
    FRAC_1_SQRT_TAU * (-0.5 * z * z).exp()
}

/// Horner's rule, lowest coefficient first.
#[inline(always)]
fn poly<N: Num, const TERMS: usize>(coefficients: &[f64; TERMS], x: N) -> N {
    let (lower, highest) = coefficients.split_at(TERMS - 1);
    lower.iter().rev().fold(N::of(highest[0]), |sum, coefficient| sum * x + *coefficient)
}

// Coefficients of PPND16, lowest first, as printed (Wichura 1988).
#[rustfmt::skip]
const CENTRE_NUM: [f64; 8] = [
    3.387_132_872_796_366_6e0, 1.331_416_678_917_843_8e2, 1.971_590_950_306_551_3e3,
    1.373_169_376_550_946e4, 4.592_195_393_154_987e4, 6.726_577_092_700_87e4,
    3.343_057_558_358_813e4, 2.509_080_928_730_122_7e3,
];
#[rustfmt::skip]
const CENTRE_DEN: [f64; 8] = [
    1.0, 4.231_333_070_160_091e1, 6.871_870_074_920_579e2, 5.394_196_021_424_751e3,
    2.121_379_430_158_659_7e4, 3.930_789_580_009_271e4, 2.872_908_573_572_194_3e4,
    5.226_495_278_852_854e3,
];
#[rustfmt::skip]
const MIDDLE_NUM: [f64; 8] = [
    1.423_437_110_749_683_5, 4.630_337_846_156_546, 5.769_497_221_460_691,
    3.647_848_324_763_204_5, 1.270_458_252_452_368_4, 2.417_807_251_774_506e-1,
    2.272_384_498_926_918_4e-2, 7.745_450_142_783_414e-4,
];
#[rustfmt::skip]
const MIDDLE_DEN: [f64; 8] = [
    1.0, 2.053_191_626_637_759, 1.676_384_830_183_803_8, 6.897_673_349_851e-1,
    1.481_039_764_274_800_8e-1, 1.519_866_656_361_645_7e-2, 5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
#[rustfmt::skip]
const FAR_NUM: [f64; 8] = [
    6.657_904_643_501_103, 5.463_784_911_164_114, 1.784_826_539_917_291_3,
    2.965_605_718_285_048_7e-1, 2.653_218_952_657_612_4e-2, 1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5, 2.010_334_399_292_288_1e-7,
];
#[rustfmt::skip]
const FAR_DEN: [f64; 8] = [
    1.0, 5.998_322_065_558_88e-1, 1.369_298_809_227_358e-1, 1.487_536_129_085_061_5e-2,
    7.868_691_311_456_133e-4, 1.846_318_317_510_054_8e-5, 1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

// Coefficients of CALERF, lowest first, to the nearest double (Cody 1969): erf up to 0.46875, erfc up to 4, erfc beyond.
#[rustfmt::skip]
const ERF_NUM: [f64; 5] = [
    3_209.377_589_138_469_4, 377.485_237_685_302, 113.864_154_151_050_16,
    3.161_123_743_870_565_5, 0.185_777_706_184_603_15,
];
#[rustfmt::skip]
const ERF_DEN: [f64; 5] = [
    2_844.236_833_439_171, 1_282.616_526_077_372_3, 244.024_637_934_444_17,
    23.601_290_952_344_122, 1.0,
];
#[rustfmt::skip]
const ERFC_NUM: [f64; 9] = [
    1_230.339_354_797_997_2, 2_051.078_377_826_071_6, 1_712.047_612_634_070_7,
    881.952_221_241_769, 298.635_138_197_400_1, 66.119_190_637_141_63,
    8.883_149_794_388_377, 0.564_188_496_988_670_1, 2.153_115_354_744_038_3e-8,
];
#[rustfmt::skip]
const ERFC_DEN: [f64; 9] = [
    1_230.339_354_803_749_5, 3_439.367_674_143_721_6, 4_362.619_090_143_247,
    3_290.799_235_733_459_7, 1_621.389_574_566_690_3, 537.181_101_862_009_9,
    117.693_950_891_312_5, 15.744_926_110_709_835, 1.0,
];
#[rustfmt::skip]
const ERFC_FAR_NUM: [f64; 6] = [
    0.000_658_749_161_529_837_8, 0.016_083_785_148_742_275, 0.125_781_726_111_229_26,
    0.360_344_899_949_804_45, 0.305_326_634_961_232_36, 0.016_315_387_137_302_097,
];
#[rustfmt::skip]
const ERFC_FAR_DEN: [f64; 6] = [
    0.002_335_204_976_268_691_8, 0.060_518_341_312_441_32, 0.527_905_102_951_428_5,
    1.872_952_849_923_467_3, 2.568_520_192_289_822, 1.0,
];

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF as _, Normal};

    #[test]
    fn the_quantile_agrees_with_an_independent_one_in_centre_and_tails() {
        let reference = Normal::new(0.0, 1.0).unwrap();
        for i in 1..20_000 {
            for u in [f64::from(i) / 20_000.0, (-f64::from(i) * 0.034).exp()] {
                let (got, want) = (normal_quantile(u), reference.inverse_cdf(u));
                assert!((got - want).abs() < 1e-10 * (1.0 + want.abs()), "{u}: {got} {want}");
            }
        }
    }

    #[test]
    fn the_survival_has_the_values_of_the_c_library_from_end_to_end() {
        // glibc 2.36, erfc(z / sqrt(2)) / 2.
        for (z, want) in [
            (-8.2, 0.999_999_999_999_999_9),
            (-3.1, 0.999_032_396_786_781_7),
            (-1.51, 0.934_478_287_911_083_6),
            (-0.4, 0.655_421_741_610_324_2),
            (0.0, 0.5),
            (0.3, 0.382_088_577_811_047_4),
            (0.7, 0.241_963_652_223_073_06),
            (1.9, 0.028_716_559_816_001_82),
            (3.0, 0.001_349_898_031_630_095_7),
            (5.6, 1.071_759_025_831_096_8e-8),
            (5.7, 5.990_371_401_063_533e-9),
            (9.0, 1.128_588_405_953_842_2e-19),
            (20.0, 2.753_624_118_606_331_4e-89),
            (37.0, 5.725_571_222_525_139e-300),
        ] {
            let got = normal_survival(z);
            assert!((got / want - 1.0).abs() < 1e-12, "{z}: {got} {want}");
            assert_eq!(got, normal_cdf(-z));
        }
        assert_eq!((normal_survival(f64::INFINITY), normal_survival(f64::NEG_INFINITY)), (0.0, 1.0));
        assert!(normal_survival(f64::NAN).is_nan());
    }

    #[test]
    fn the_survival_agrees_with_an_independent_one() {
        for i in -3_700..=3_700 {
            let z = f64::from(i) * 0.01;
            let (got, want) =
                (normal_survival(z), 0.5 * statrs::function::erf::erfc(z / std::f64::consts::SQRT_2));
            // The independent one is good to 1e-9.
            assert!((got / want - 1.0).abs() < 1e-9, "{z}: {got} {want}");
        }
    }

    #[test]
    fn the_quantile_undoes_the_distribution_function_on_both_sides() {
        for i in 0..=320 {
            let z = -8.0 + f64::from(i) * 0.05;
            let back =
                if z > 0.0 { -normal_quantile(normal_cdf(-z)) } else { normal_quantile(normal_cdf(z)) };
            assert!((back - z).abs() < 1e-10, "{z} {back}");
        }
        assert!((normal_quantile(0.95) - Z95).abs() < 1e-15);
    }

    #[test]
    fn the_quantile_has_the_values_printed_with_the_algorithm() {
        // The check values of Wichura 1988.
        for (u, z) in [
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_814),
            (1e-20, -9.262_340_089_798_408),
        ] {
            assert!((normal_quantile(u) / z - 1.0).abs() < 1e-15, "{u}");
        }
    }

    #[test]
    fn the_quantile_is_finite_everywhere_and_odd_about_the_middle() {
        for u in [-1.0, 0.0, 1.0, 2.0, f64::NAN] {
            assert!(normal_quantile(u).is_finite(), "{u}");
        }
        assert_eq!(normal_quantile(0.5), 0.0);
        assert_eq!(normal_quantile(0.25), -normal_quantile(0.75));
    }
}
