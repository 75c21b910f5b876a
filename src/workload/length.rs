//! Lengths: mean, limited mean, tail and quantile of each family and of an observed table, in closed form.
//!
//! Start with [`Length::mean_limited`]: what is left of an answer under a limit. Several questions to one length are
//! answered cheaper by its prepared form, `Spread`.

use statrs::function::{erf, gamma};

use super::{Length, LengthSpread, Quantiles};
use crate::stats::{Num, Z95, normal_survival};

/// Largest median that is computed with, in tokens; larger draws count as this.
pub(super) const TOKENS_MAX: f64 = 1e15;
/// Largest P95 over median that is computed with.
const RATIO_MAX: f64 = 1e6;
/// Below this sigma the gamma is computed as the log-normal of the same mean and variance: they differ by less than
/// 10⁻⁴ of the mean there, and its series would need too many terms.
const GAMMA_SIGMA_MIN: f64 = 0.01;

/// A length with its parameters worked out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spread<'a, N = f64> {
    /// All alike.
    Fixed(N),
    /// `exp(mu + sigma Z)`; a sigma of 0 is a length that is always the median.
    LogNormal { median: N, mu: N, sigma: N, mean: N },
    /// The gamma with the mean and variance of the log-normal with this median and sigma.
    Gamma { median: N, sigma: N, mean: N },
    /// Tokens of the table times `scale`.
    Empirical { table: &'a Quantiles, scale: N },
}

impl<N: Num> Length<N> {
    /// Mean length, in tokens: finite, >= 0.
    ///
    /// Log-normal: `median * exp(sigma² / 2)` with `sigma = ln(p95 / median) / 1.645`; the gamma has the same mean.
    ///
    /// Draws that stray are clamped: a median below 0 (or not a number) counts as 0 and makes every length 0, a P95
    /// below the median as equal to it, medians above 10¹⁵ and ratios above 10⁶ as these. An observed table that
    /// cannot be used makes every length the median.
    #[must_use]
    pub fn mean(&self) -> N {
        self.spread().mean()
    }

    /// Mean of `min(X, limit)`, the limited expected value; `limit` in tokens, below 0 counts as 0.
    ///
    /// Log-normal: `mean Phi((ln L - mu - sigma²) / sigma) + L (1 - Phi((ln L - mu) / sigma))`; gamma:
    /// `mean P(k + 1, L / theta) + L Q(k, L / theta)`.
    /// Source: Klugman, Panjer, Willmot, *Loss Models*, appendix A.
    #[must_use]
    pub fn mean_limited(&self, limit: N) -> N {
        self.spread().mean_limited(limit)
    }

    /// The parameters of the family.
    #[inline(always)]
    pub(super) fn spread(&self) -> Spread<'_, N> {
        let median = tokens(self.median);
        let (zero, one) = (N::of(0.0), N::of(1.0));
        match &self.spread {
            LengthSpread::Empirical(table) if table.fault().is_none() => {
                Spread::Empirical { table, scale: median / table.median() }
            }
            LengthSpread::Fixed | LengthSpread::Empirical(_) => Spread::Fixed(median),
            LengthSpread::LogNormal | LengthSpread::Gamma => {
                let ratio = (self.p95 / median).at_least(1.0).at_most(RATIO_MAX);
                let sigma = median.pick_above(zero, ratio.pick_above(one, ratio.log_e() / Z95, zero), zero);
                let mean = median * (sigma * sigma / 2.0).e_to();
                if self.spread == LengthSpread::LogNormal {
                    Spread::LogNormal { median, mu: median.log_e(), sigma, mean }
                } else {
                    Spread::Gamma { median, sigma, mean }
                }
            }
        }
    }
}

impl Length<f64> {
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
}

impl<N: Num> Spread<'_, N> {
    #[inline(always)]
    pub(super) fn mean(&self) -> N {
        match *self {
            Self::Fixed(value) => value,
            Self::LogNormal { mean, .. } | Self::Gamma { mean, .. } => mean,
            Self::Empirical { table, scale } => scale * table.mean(),
        }
    }

    #[inline(always)]
    pub(super) fn mean_limited(&self, limit: N) -> N {
        let limited = self.mean() - self.tail(limit).1;
        limit.pick_above(N::of(0.0), limited, N::of(0.0))
    }

    /// `P(X > x)` and the mean excess over it, `E[max(X - x, 0)]`.
    #[inline(always)]
    pub(super) fn tail(&self, x: N) -> (N, N) {
        let (zero, one) = (N::of(0.0), N::of(1.0));
        let of_one_length = |value: N| (value.pick_above(x, one, zero), (value - x).at_least(0.0));
        let (survival, excess) = match *self {
            Self::Fixed(value) => of_one_length(value),
            Self::LogNormal { median, mu, sigma, mean } => {
                let z = (x.log_e() - mu) / sigma;
                let survival = x.pick_above(zero, normal_survival(z), one);
                let above = x.pick_above(zero, mean * normal_survival(z - sigma), mean);
                let (fixed, fixed_excess) = of_one_length(median);
                let excess = (above - x * survival).at_least(0.0);
                (sigma.pick_above(zero, survival, fixed), sigma.pick_above(zero, excess, fixed_excess))
            }
            Self::Gamma { .. } | Self::Empirical { .. } => {
                let tail = |lane| self.lane(lane).tail_of_one(x.lane(lane));
                (N::from_fn(|lane| tail(lane).0), N::from_fn(|lane| tail(lane).1))
            }
        };
        (zero.pick_above(x, one, survival), zero.pick_above(x, self.mean() - x, excess))
    }

    /// The length of one lane.
    pub(super) fn lane(&self, lane: usize) -> Spread<'_> {
        match *self {
            Self::Fixed(value) => Spread::Fixed(value.lane(lane)),
            Self::LogNormal { median, mu, sigma, mean } => Spread::LogNormal {
                median: median.lane(lane),
                mu: mu.lane(lane),
                sigma: sigma.lane(lane),
                mean: mean.lane(lane),
            },
            Self::Gamma { median, sigma, mean } => {
                Spread::Gamma { median: median.lane(lane), sigma: sigma.lane(lane), mean: mean.lane(lane) }
            }
            Self::Empirical { table, scale } => Spread::Empirical { table, scale: scale.lane(lane) },
        }
    }
}

impl Spread<'_> {
    pub(super) fn survival(&self, x: f64) -> f64 {
        self.tail(x).0
    }

    /// The tail of the families that have no vector form.
    fn tail_of_one(&self, x: f64) -> (f64, f64) {
        match *self {
            Self::Gamma { median, sigma, mean } => match Gamma::of(sigma, mean) {
                Some(gamma) => gamma.tail(x),
                None => Spread::LogNormal { median, mu: median.log_e(), sigma, mean }.tail(x),
            },
            Self::Empirical { table, scale } if scale > 0.0 => {
                let (survival, excess) = table.tail(x / scale);
                (survival, excess * scale)
            }
            Self::Empirical { .. } => (0.0, 0.0),
            Self::Fixed(_) | Self::LogNormal { .. } => self.tail(x),
        }
    }

    fn quantile(&self, p: f64) -> f64 {
        let p = p.max(0.0).min(1.0 - f64::EPSILON / 2.0);
        match *self {
            Self::Fixed(value) => value,
            Self::Empirical { table, scale } => table.quantile(p) * scale,
            Self::LogNormal { median, sigma, .. } | Self::Gamma { median, sigma, .. } if sigma == 0.0 => {
                median
            }
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

/// A gamma distribution.
pub(super) struct Gamma {
    pub(super) shape: f64,
    pub(super) scale: f64,
    mean: f64,
    ln_gamma: f64,
}

impl Gamma {
    /// With the mean and squared coefficient of variation of a log-normal; none where the two hardly differ.
    pub(super) fn of(sigma: f64, mean: f64) -> Option<Self> {
        let shape = 1.0 / (sigma * sigma).exp_m1();
        (sigma >= GAMMA_SIGMA_MIN).then(|| Self {
            shape,
            scale: mean / shape,
            mean,
            ln_gamma: gamma::ln_gamma(shape + 1.0),
        })
    }

    fn tail(&self, x: f64) -> (f64, f64) {
        let z = x / self.scale;
        let density = density(self.shape, z, self.ln_gamma);
        let survival = gamma_survival(self.shape, z, density);
        // Q(k + 1, z) = Q(k, z) + z^k e^-z / Gamma(k + 1)
        let above = self.mean * (survival + density).min(1.0);
        (survival, (above - x * survival).max(0.0))
    }
}

/// A number of tokens that is computed with: 0 ..= 10¹⁵, not-a-number counts as 0.
#[inline(always)]
pub(super) fn tokens<N: Num>(value: N) -> N {
    value.at_least(0.0).at_most(TOKENS_MAX)
}

/// A share that is computed with: 0..=1, not-a-number counts as 0.
#[inline(always)]
pub(super) fn share<N: Num>(value: N) -> N {
    value.at_least(0.0).at_most(1.0)
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
