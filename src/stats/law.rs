//! The distributions behind [`Estimate`](super::Estimate), with their parameters worked out.

use super::beta;
use super::normal::{Z95, normal_density, normal_quantile};
use super::num::Num;

/// Weight of the mode in a PERT mean. Source: Malcolm et al. 1959.
pub(super) const PERT_WEIGHT: f64 = 4.0;

/// Below this `g` the curve of Tukey's g distribution equals the normal to rounding.
const STRAIGHT: f64 = 1e-12;

/// A distribution as it is computed with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Law {
    Fixed(f64),
    Uniform {
        low: f64,
        width: f64,
    },
    Triangular {
        low: f64,
        mode: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        sd: f64,
    },
    LogNormal {
        mu: f64,
        sigma: f64,
    },
    Beta {
        a: f64,
        b: f64,
        low: f64,
        width: f64,
    },
    /// `centre + scale (exp(g z) - 1) / g`.
    Tukey {
        centre: f64,
        scale: f64,
        g: f64,
    },
    /// Sorted values, each as likely as another.
    Steps(Vec<f64>),
}

/// Holds `u` strictly inside 0..1, also when it is not a number.
#[inline(always)]
pub(super) fn inside<N: Num>(u: N) -> N {
    const HALF_STEP: f64 = f64::EPSILON / 2.0;
    u.at_least(f64::MIN_POSITIVE).at_most(1.0 - HALF_STEP)
}

/// The `u`-quantile of sorted values: the smallest one with at least a share `u` at or below it.
#[inline]
pub(super) fn step(sorted: &[f64], u: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = ((u * sorted.len() as f64).ceil() as usize).saturating_sub(1).min(last);
    sorted.get(index).copied().unwrap_or(0.0)
}

/// `(exp(g z) - 1) / g`, which is `z` in the limit.
#[inline]
pub(super) fn bend(g: f64, z: f64) -> f64 {
    if g.abs() < STRAIGHT { z } else { (g * z).exp_m1() / g }
}

#[inline(always)]
pub(super) fn triangular_quantile<N: Num>(low: f64, mode: f64, high: f64, u: N) -> N {
    let width = high - low;
    let left = (u * width * (mode - low)).root() + low;
    let right = -(u.rest() * width * (high - mode)).root() + high;
    (u * width).pick_above(N::of(mode - low), right, left)
}

impl Law {
    pub(super) fn log_normal(median: f64, p95: f64) -> Self {
        Self::LogNormal { mu: median.ln(), sigma: (p95 / median).ln() / Z95 }
    }

    pub(super) fn through(p5: f64, p50: f64, p95: f64) -> Self {
        let (lower, upper) = (p50 - p5, p95 - p50);
        let g = (upper / lower).ln() / Z95;
        Self::Tukey { centre: p50, scale: upper / bend(g, Z95), g }
    }

    pub(super) fn steps(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Self::Steps(sorted)
    }

    pub(super) fn mean(&self) -> f64 {
        match *self {
            Self::Fixed(value) => value,
            Self::Uniform { low, width } => low + 0.5 * width,
            Self::Triangular { low, mode, high } => (low + mode + high) / 3.0,
            Self::Normal { mean, .. } => mean,
            Self::LogNormal { mu, sigma } => (mu + 0.5 * sigma * sigma).exp(),
            Self::Beta { a, b, low, width } => low + width * a / (a + b),
            // E exp(g z) = exp(g^2 / 2)
            Self::Tukey { centre, scale, g } => {
                centre + if g.abs() < STRAIGHT { 0.0 } else { scale * (0.5 * g * g).exp_m1() / g }
            }
            Self::Steps(ref sorted) => sorted.iter().sum::<f64>() / sorted.len().max(1) as f64,
        }
    }

    pub(super) fn sd(&self) -> f64 {
        match *self {
            Self::Fixed(_) => 0.0,
            Self::Uniform { width, .. } => width / 12.0_f64.sqrt(),
            Self::Triangular { low, mode, high } => {
                // With the differences, so that a far-off location does not cancel.
                let (left, right) = (mode - low, high - mode);
                ((left * left + left * right + right * right) / 18.0).sqrt()
            }
            Self::Normal { sd, .. } => sd,
            Self::LogNormal { sigma, .. } => self.mean() * (sigma * sigma).exp_m1().sqrt(),
            Self::Beta { a, b, width, .. } => width * (a * b / (a + b + 1.0)).sqrt() / (a + b),
            Self::Tukey { scale, g, .. } => {
                if g.abs() < STRAIGHT {
                    scale
                } else {
                    scale * ((g * g).exp_m1() * (g * g).exp()).sqrt() / g.abs()
                }
            }
            Self::Steps(ref sorted) => {
                let mean = self.mean();
                let squares: f64 = sorted.iter().map(|x| (x - mean).powi(2)).sum();
                (squares / sorted.len().max(1) as f64).sqrt()
            }
        }
    }

    pub(super) fn quantile(&self, u: f64) -> f64 {
        let u = inside(u);
        match *self {
            Self::Fixed(value) => value,
            Self::Uniform { low, width } => low + u * width,
            Self::Triangular { low, mode, high } => triangular_quantile(low, mode, high, u),
            Self::Normal { mean, sd } => mean + sd * normal_quantile(u),
            Self::LogNormal { mu, sigma } => (normal_quantile(u) * sigma + mu).e_to(),
            Self::Beta { a, b, low, width } => low + width * beta::quantile(a, b, u),
            Self::Tukey { centre, scale, g } => centre + scale * bend(g, normal_quantile(u)),
            Self::Steps(ref sorted) => step(sorted, u),
        }
    }

    /// Density at `x`; not for lists and fixed values, which have none.
    fn density(&self, x: f64) -> f64 {
        match *self {
            Self::Fixed(_) | Self::Steps(_) => 0.0,
            Self::Uniform { width, .. } => 1.0 / width,
            Self::Triangular { low, mode, high } => {
                let peak = 2.0 / (high - low);
                if x < mode {
                    peak * (x - low) / (mode - low)
                } else if x > mode {
                    peak * (high - x) / (high - mode)
                } else {
                    peak
                }
            }
            Self::Normal { mean, sd } => normal_density((x - mean) / sd) / sd,
            Self::LogNormal { mu, sigma } => normal_density((x.ln() - mu) / sigma) / (x * sigma),
            Self::Beta { a, b, low, width } => beta::density(a, b, (x - low) / width) / width,
            Self::Tukey { centre, scale, g } => {
                let t = (x - centre) / scale;
                let z = if g.abs() < STRAIGHT { t } else { (g * t).ln_1p() / g };
                normal_density(z) / (scale * (g * z).exp())
            }
        }
    }

    /// Points for a picture; see [`Estimate::curve`](super::Estimate::curve).
    pub(super) fn curve(&self, n: usize) -> Vec<(f64, f64)> {
        if let Self::Steps(sorted) = self {
            return bars(sorted, n);
        }
        if n < 2 {
            return Vec::new();
        }
        let (left, right) = match *self {
            Self::Uniform { low, width } => (low, low + width),
            Self::Triangular { low, high, .. } => (low, high),
            // A hair inside: a beta with a shape below 1 has an infinite density at its end.
            Self::Beta { low, width, .. } => (low + 1e-3 * width, low + 0.999 * width),
            _ => (self.quantile(0.001), self.quantile(0.999)),
        };
        (0..n)
            .map(|i| left + (right - left) * i as f64 / (n - 1) as f64)
            .map(|x| (x, self.density(x)))
            .filter(|(x, density)| x.is_finite() && density.is_finite())
            .collect()
    }
}

/// Histogram of sorted values as densities at the middle of each bin: about the square root of their
/// number of bins, and at most `n`.
fn bars(sorted: &[f64], n: usize) -> Vec<(f64, f64)> {
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let bins = ((sorted.len() as f64).sqrt().ceil() as usize).clamp(1, n.max(1));
    let width = (high - low) / bins as f64;
    if width.is_nan() || width <= 0.0 || !width.is_finite() {
        return Vec::new();
    }
    let mut counts = vec![0_usize; bins];
    for x in sorted {
        counts[(((x - low) / width) as usize).min(bins - 1)] += 1;
    }
    let share = 1.0 / (sorted.len() as f64 * width);
    counts
        .iter()
        .enumerate()
        .map(|(bin, count)| (low + (bin as f64 + 0.5) * width, *count as f64 * share))
        .collect()
}
