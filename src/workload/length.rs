//! Lengths: mean, limited mean, tail and quantile of each family and of an observed table, in closed form.
//!
//! Start with [`Length::mean_limited`]: what is left of an answer under a limit. Several questions to one length are
//! answered cheaper by its prepared form, `Spread`.

use statrs::function::{erf, gamma};

use super::{Length, LengthSpread, Quantiles};
use crate::stats::Z95;

/// Largest median that is computed with, in tokens; larger draws count as this.
pub(super) const TOKENS_MAX: f64 = 1e15;
/// Largest P95 over median that is computed with.
const RATIO_MAX: f64 = 1e6;
/// Below this sigma the gamma is computed as the log-normal of the same mean and variance: they differ by less than
/// 10⁻⁴ of the mean there, and its series would need too many terms.
const GAMMA_SIGMA_MIN: f64 = 0.01;

/// A length with its parameters worked out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spread<'a> {
    /// All alike.
    Fixed(f64),
    /// `exp(mu + sigma Z)`.
    LogNormal { mu: f64, sigma: f64, mean: f64 },
    /// Shape and scale.
    Gamma { shape: f64, scale: f64, mean: f64, ln_gamma: f64 },
    /// Tokens of the table times `scale`.
    Empirical { table: &'a Quantiles, scale: f64 },
}

impl Length<f64> {
    /// Mean length, in tokens: finite, >= 0.
    ///
    /// Log-normal: `median * exp(sigma² / 2)` with `sigma = ln(p95 / median) / 1.645`; the gamma has the same mean.
    ///
    /// Draws that stray are clamped: a median below 0 (or not a number) counts as 0 and makes every length 0, a P95
    /// below the median as equal to it, medians above 10¹⁵ and ratios above 10⁶ as these. An observed table that
    /// cannot be used makes every length the median.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.spread().mean()
    }

    /// Mean of `min(X, limit)`, the limited expected value; `limit` in tokens, below 0 counts as 0.
    ///
    /// Log-normal: `mean Phi((ln L - mu - sigma²) / sigma) + L (1 - Phi((ln L - mu) / sigma))`; gamma:
    /// `mean P(k + 1, L / theta) + L Q(k, L / theta)`.
    /// Source: Klugman, Panjer, Willmot, *Loss Models*, appendix A.
    #[must_use]
    pub fn mean_limited(&self, limit: f64) -> f64 {
        self.spread().mean_limited(limit)
    }

    /// Probability that a length is greater than `x` tokens, 0..=1.
    #[must_use]
    pub fn survival(&self, x: f64) -> f64 {
        self.spread().survival(x)
    }

    /// The length that a share `p` of the lengths does not exceed; `p` is clamped to 0 ..= 1 - 2⁻⁵³.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        self.spread().quantile(p)
    }

    /// The parameters of the family.
    pub(super) fn spread(&self) -> Spread<'_> {
        let median = tokens(self.median);
        if let LengthSpread::Empirical(table) = &self.spread
            && median > 0.0
            && table.fault().is_none()
        {
            return Spread::Empirical { table, scale: median / table.median() };
        }
        let ratio = (self.p95 / median).max(1.0).min(RATIO_MAX);
        let family = matches!(self.spread, LengthSpread::LogNormal | LengthSpread::Gamma);
        if median == 0.0 || ratio == 1.0 || !family {
            return Spread::Fixed(median);
        }
        let sigma = ratio.ln() / Z95;
        let mean = median * (sigma * sigma / 2.0).exp();
        if self.spread == LengthSpread::LogNormal || sigma < GAMMA_SIGMA_MIN {
            return Spread::LogNormal { mu: median.ln(), sigma, mean };
        }
        // Squared coefficient of variation of the log-normal.
        let shape = 1.0 / (sigma * sigma).exp_m1();
        Spread::Gamma { shape, scale: mean / shape, mean, ln_gamma: gamma::ln_gamma(shape + 1.0) }
    }
}

impl Spread<'_> {
    pub(super) fn mean(&self) -> f64 {
        match *self {
            Self::Fixed(value) => value,
            Self::LogNormal { mean, .. } | Self::Gamma { mean, .. } => mean,
            Self::Empirical { table, scale } => table.mean() * scale,
        }
    }

    pub(super) fn mean_limited(&self, limit: f64) -> f64 {
        if limit > 0.0 { self.mean() - self.tail(limit).1 } else { 0.0 }
    }

    pub(super) fn survival(&self, x: f64) -> f64 {
        self.tail(x).0
    }

    /// `P(X > x)` and the mean excess over it, `E[max(X - x, 0)]`.
    pub(super) fn tail(&self, x: f64) -> (f64, f64) {
        if x < 0.0 {
            return (1.0, self.mean() - x);
        }
        match *self {
            Self::Fixed(value) => (f64::from(u8::from(value > x)), (value - x).max(0.0)),
            Self::LogNormal { mean, .. } if x == 0.0 => (1.0, mean),
            Self::LogNormal { mu, sigma, mean } => {
                let z = (x.ln() - mu) / sigma;
                let survival = normal_survival(z);
                (survival, (mean * normal_survival(z - sigma) - x * survival).max(0.0))
            }
            Self::Gamma { shape, scale, mean, ln_gamma } => {
                let z = x / scale;
                let density = density(shape, z, ln_gamma);
                let survival = gamma_survival(shape, z, density);
                // Q(k + 1, z) = Q(k, z) + z^k e^-z / Gamma(k + 1)
                let above = mean * (survival + density).min(1.0);
                (survival, (above - x * survival).max(0.0))
            }
            Self::Empirical { table, scale } => {
                let (survival, excess) = table.tail(x / scale);
                (survival, excess * scale)
            }
        }
    }

    fn quantile(&self, p: f64) -> f64 {
        let p = p.max(0.0).min(1.0 - f64::EPSILON / 2.0);
        match *self {
            Self::Fixed(value) => value,
            Self::Empirical { table, scale } => table.quantile(p) * scale,
            _ if p == 0.0 => 0.0,
            Self::LogNormal { mu, sigma, .. } => {
                (mu - sigma * std::f64::consts::SQRT_2 * erf::erfc_inv(2.0 * p)).exp()
            }
            Self::Gamma { .. } => self.quantile_by_halving(p),
        }
    }

    /// Halves a bracket on the logarithm of the length; for families without a closed inverse.
    fn quantile_by_halving(&self, p: f64) -> f64 {
        let (mut low, mut high) = (-700.0, 100.0);
        for _ in 0..70 {
            let middle: f64 = (low + high) / 2.0;
            if self.survival(middle.exp()) > 1.0 - p { low = middle } else { high = middle }
        }
        f64::midpoint(low, high).exp()
    }
}

/// A number of tokens that is computed with: 0 ..= 10¹⁵, not-a-number counts as 0.
pub(super) fn tokens(value: f64) -> f64 {
    value.max(0.0).min(TOKENS_MAX)
}

/// A share that is computed with: 0..=1, not-a-number counts as 0.
pub(super) fn share(value: f64) -> f64 {
    value.max(0.0).min(1.0)
}

fn normal_survival(z: f64) -> f64 {
    0.5 * erf::erfc(z / std::f64::consts::SQRT_2)
}

/// `z^k e^-z / Gamma(k + 1)`, with `ln_gamma = ln Gamma(k + 1)`.
fn density(shape: f64, z: f64, ln_gamma: f64) -> f64 {
    if z > 0.0 { (shape * z.ln() - z - ln_gamma).exp() } else { 0.0 }
}

/// Regularised upper incomplete gamma function Q(k, z): a series below k + 1, a continued fraction (modified Lentz) above.
///
/// Source: Abramowitz & Stegun 6.5.29 and 6.5.31.
fn gamma_survival(shape: f64, z: f64, density: f64) -> f64 {
    const TERMS: u32 = 2_000;
    if z <= 0.0 {
        return 1.0;
    }
    if z < shape + 1.0 {
        let (mut term, mut sum, mut k) = (1.0, 1.0, shape);
        for _ in 0..TERMS {
            k += 1.0;
            term *= z / k;
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
        }
        return share(1.0 - density * sum);
    }
    let mut b = z + 1.0 - shape;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for i in 1..TERMS {
        let i = f64::from(i);
        let a = -i * (i - shape);
        b += 2.0;
        d = 1.0 / nonzero(a * d + b);
        c = nonzero(b + a / c);
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    share(density * shape * fraction)
}

fn nonzero(value: f64) -> f64 {
    if value.abs() < 1e-300 { 1e-300 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths() -> Vec<Length<f64>> {
        let shapes = [(800.0, 810.0), (800.0, 1_000.0), (500.0, 2_000.0), (20.0, 900.0)];
        families()
            .into_iter()
            .flat_map(|spread| shapes.map(|(median, p95)| Length { median, p95, spread: spread.clone() }))
            .collect()
    }

    /// One of each; the table holds a gap, and is not scaled to any of the medians.
    fn families() -> [LengthSpread; 4] {
        let table = Quantiles::new(vec![0.0, 0.3, 0.3, 1.0], vec![10.0, 20.0, 50.0, 900.0]);
        [LengthSpread::Fixed, LengthSpread::LogNormal, LengthSpread::Gamma, LengthSpread::Empirical(table)]
    }

    /// Integral of the survival from 0 to `limit`, by Simpson's rule on the square root of the length.
    fn area_under_survival(length: &Length<f64>, limit: f64) -> f64 {
        let steps = 20_000;
        let width = limit.powf(0.25) / f64::from(steps);
        let f = |i: u32| {
            let root = width * f64::from(i);
            4.0 * root.powi(3) * length.survival(root.powi(4))
        };
        (0..steps / 2).map(|i| (f(2 * i) + 4.0 * f(2 * i + 1) + f(2 * i + 2)) * width / 3.0).sum()
    }

    #[test]
    fn the_limited_mean_is_the_area_under_the_survival() {
        for length in lengths().into_iter().filter(|length| length.spread != LengthSpread::Fixed) {
            for limit in [1.0, 100.0, 600.0, 1_500.0, 40_000.0] {
                let (found, area) = (length.mean_limited(limit), area_under_survival(&length, limit));
                assert!((found / area - 1.0).abs() < 1e-7, "{length:?} at {limit}: {found}, integral {area}");
            }
        }
    }

    #[test]
    fn a_log_normal_has_its_median_its_p95_and_its_textbook_mean() {
        let length = Length { median: 500.0, p95: 2_000.0, spread: LengthSpread::LogNormal };
        let sigma = 4f64.ln() / Z95;
        assert!((length.mean() - 500.0 * (sigma * sigma / 2.0).exp()).abs() < 1e-9);
        assert!((length.survival(500.0) - 0.5).abs() < 1e-12);
        assert!((length.survival(2_000.0) - 0.05).abs() < 1e-11);
        assert!((length.quantile(0.95) - 2_000.0).abs() < 1e-6);
    }

    #[test]
    fn a_gamma_of_shape_one_is_the_exponential() {
        // Shape 1 where the log-normal's squared coefficient of variation is 1: sigma² = ln 2.
        let sigma = std::f64::consts::LN_2.sqrt();
        let length = Length { median: 100.0, p95: 100.0 * (sigma * Z95).exp(), spread: LengthSpread::Gamma };
        let mean = 100.0 * std::f64::consts::SQRT_2;
        for x in [0.0, 1.0, 80.0, 141.0, 143.0, 900.0, 4_000.0] {
            let expected = (-x / mean).exp();
            assert!((length.survival(x) - expected).abs() < 1e-12, "{x}");
            assert!((length.mean_limited(x) - mean * (1.0 - expected)).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn quantile_and_survival_are_inverses() {
        for length in lengths().into_iter().filter(|length| length.spread != LengthSpread::Fixed) {
            for p in [0.001, 0.2, 0.5, 0.95, 0.9999] {
                let quantile = length.quantile(p);
                // A very uneven gamma has quantiles that no number can hold.
                if quantile < 1e-250 {
                    continue;
                }
                let back = 1.0 - length.survival(quantile);
                assert!((back - p).abs() < 1e-9, "{length:?}: {p} came back as {back}");
            }
        }
    }

    #[test]
    fn a_limit_only_shortens_and_a_far_one_changes_nothing() {
        for length in lengths() {
            let mut before = 0.0;
            for limit in [0.0, 1.0, 50.0, 799.0, 801.0, 1e4, 1e13] {
                let limited = length.mean_limited(limit);
                assert!(
                    limited >= before && limited <= length.mean().min(limit) * (1.0 + 1e-12),
                    "{length:?} at {limit}: {limited}"
                );
                before = limited;
            }
            assert!((before / length.mean() - 1.0).abs() < 1e-9, "{length:?}: {before}");
        }
    }

    #[test]
    fn a_table_is_scaled_to_the_median_and_keeps_its_shape() {
        let [.., spread] = families();
        let length = |median| Length { median, p95: f64::NAN, spread: spread.clone() };
        let (once, thrice) = (length(100.0), length(300.0));
        assert!((once.quantile(0.5) - 100.0).abs() < 1e-12);
        assert!((thrice.mean() - 3.0 * once.mean()).abs() < 1e-9);
        for x in [5.0, 40.0, 100.0, 250.0] {
            assert!((thrice.survival(3.0 * x) - once.survival(x)).abs() < 1e-12, "{x}");
            assert!((thrice.mean_limited(3.0 * x) - 3.0 * once.mean_limited(x)).abs() < 1e-9, "{x}");
        }
        let broken = LengthSpread::Empirical(Quantiles::new(vec![0.0], vec![]));
        assert_eq!(Length { spread: broken, ..once }.mean(), 100.0);
    }

    #[test]
    fn no_finite_input_gives_nan() {
        let values = [f64::MIN, -1.0, 0.0, 5e-324, 1e-300, 0.5, 1.0, 1e6, 1e15, f64::MAX];
        for spread in families() {
            for median in values {
                for p95 in values {
                    let length = Length { median, p95, spread: spread.clone() };
                    assert!(length.mean().is_finite() && length.mean() >= 0.0, "{length:?}");
                    for x in values {
                        assert!((0.0..=1.0).contains(&length.survival(x)), "{length:?} at {x}");
                        let limited = length.mean_limited(x);
                        assert!(limited.is_finite() && limited >= 0.0, "{length:?} at {x}: {limited}");
                        assert!(!length.quantile(x).is_nan(), "{length:?} at {x}");
                    }
                }
            }
        }
    }
}
