//! An estimate prepared for many draws.

use std::sync::Arc;

use super::beta;
use super::estimate::{Estimate, EstimateError};
use super::law::{Law, bend, inside, step, triangular_quantile};
use super::normal::normal_quantile;

/// An [`Estimate`] prepared so that a draw costs tens of nanoseconds.
///
/// A draw is the quantile at a uniform number, so the same uniform gives a draw that moves smoothly with
/// the parameters. Cheap to clone. Beta and PERT draws come from a table (error below 2e-6 of the
/// width); all others are the quantile itself.
#[derive(Clone, Debug)]
pub struct Sampler {
    prepared: Prepared,
}

#[derive(Clone, Debug)]
enum Prepared {
    Closed(Law),
    Beta { table: Arc<beta::Table>, low: f64, width: f64 },
    Steps(Arc<[f64]>),
}

impl Sampler {
    /// Prepares a checked estimate.
    ///
    /// # Errors
    /// Those of [`Estimate::check`].
    pub fn new(estimate: &Estimate) -> Result<Self, EstimateError> {
        estimate.check()?;
        let prepared = match estimate.law() {
            Law::Beta { a, b, low, width } => {
                Prepared::Beta { table: Arc::new(beta::Table::new(a, b)), low, width }
            }
            Law::Steps(sorted) => Prepared::Steps(sorted.into()),
            law => Prepared::Closed(law),
        };
        Ok(Self { prepared })
    }

    /// The value at the uniform number `u`, which is held strictly inside 0..1. Always finite.
    #[must_use]
    #[inline]
    pub fn sample(&self, u: f64) -> f64 {
        let u = inside(u);
        match &self.prepared {
            Prepared::Closed(law) => match *law {
                Law::Fixed(value) => value,
                Law::Uniform { low, width } => low + u * width,
                Law::Triangular { low, mode, high } => triangular_quantile(low, mode, high, u),
                Law::Normal { mean, sd } => mean + sd * normal_quantile(u),
                Law::LogNormal { mu, sigma } => (mu + sigma * normal_quantile(u)).exp(),
                Law::Tukey { centre, scale, g } => centre + scale * bend(g, normal_quantile(u)),
                Law::Beta { .. } | Law::Steps(_) => law.quantile(u),
            },
            Prepared::Beta { table, low, width } => low + width * table.quantile(u),
            Prepared::Steps(sorted) => step(sorted, u),
        }
    }

    /// `out[k] = sample(u[k])`, with the family chosen once; as many as the shorter slice holds.
    pub fn fill(&self, u: &[f64], out: &mut [f64]) {
        fn each(u: &[f64], out: &mut [f64], f: impl Fn(f64) -> f64) {
            for (slot, u) in out.iter_mut().zip(u) {
                *slot = f(inside(*u));
            }
        }
        match &self.prepared {
            Prepared::Closed(law) => match *law {
                Law::Fixed(value) => each(u, out, |_| value),
                Law::Uniform { low, width } => each(u, out, |u| low + u * width),
                Law::Triangular { low, mode, high } => {
                    each(u, out, |u| triangular_quantile(low, mode, high, u));
                }
                Law::Normal { mean, sd } => each(u, out, |u| mean + sd * normal_quantile(u)),
                Law::LogNormal { mu, sigma } => each(u, out, |u| (mu + sigma * normal_quantile(u)).exp()),
                Law::Tukey { centre, scale, g } => {
                    each(u, out, |u| centre + scale * bend(g, normal_quantile(u)));
                }
                Law::Beta { .. } | Law::Steps(_) => each(u, out, |u| law.quantile(u)),
            },
            Prepared::Beta { table, low, width } => each(u, out, |u| low + width * table.quantile(u)),
            Prepared::Steps(sorted) => each(u, out, |u| step(sorted, u)),
        }
    }
}
