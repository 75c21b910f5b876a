//! Fitting the families of [`Length`] to observed lengths, and how well each does on rows that it has not seen.
//!
//! Beside the families stands the table of what was observed. It always comes close, but has no parameters to
//! reason with: it is chosen where no family is good enough ([`LengthFit::chosen`]).

use serde::Serialize;
use statrs::function::gamma::digamma;

use super::{Length, LengthSpread, Quantiles};
use crate::stats::{Z95, quantile_sorted};

/// Points of the curves for a plot.
const CURVE_POINTS: u32 = 100;

/// `D sqrt(n m / (n + m))` that two samples of one distribution exceed in 5 % of cases.
///
/// Source: Smirnov 1948; Massey 1951, table 1 (asymptotic).
const KS_NOISE: f64 = 1.358;

/// A family whose distance is at most this describes lengths well enough to be preferred to a table.
const GOOD_KS: f64 = 0.05;

/// The same for the error of its mean, which a bill follows.
const GOOD_MEAN_ERROR: f64 = 0.02;

/// Standard errors within which the means of two halves of one sample mostly differ: 2, with 2 halves of half the rows.
const MEAN_NOISE_ERRORS: f64 = 4.0;

/// Steps of Newton's method for the shape of a gamma; it converges in four or five.
const NEWTON_STEPS: u32 = 50;

/// How a family is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FitMethod {
    /// All lengths are the same.
    Fixed,
    /// Log-normal by maximum likelihood: mean and standard deviation of the logarithms.
    LogNormalLikelihood,
    /// Log-normal through the observed median and P95.
    LogNormalQuantiles,
    /// Log-normal with the observed mean and variance.
    LogNormalMoments,
    /// Gamma by maximum likelihood.
    GammaLikelihood,
    /// The observed lengths themselves, as a table of quantiles.
    Empirical,
}

impl FitMethod {
    /// The name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::LogNormalLikelihood => "log-normal, likelihood",
            Self::LogNormalQuantiles => "log-normal, median and P95",
            Self::LogNormalMoments => "log-normal, mean and variance",
            Self::GammaLikelihood => "gamma, likelihood",
            Self::Empirical => "as observed, a table",
        }
    }
}

/// How far a fitted distribution is from rows that it was not fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goodness {
    /// Largest distance between the two cumulative distributions (Kolmogorov-Smirnov), 0..=1.
    pub ks: f64,
    /// Fitted over observed mean, minus 1.
    pub mean_error: f64,
    /// Fitted over observed median, minus 1.
    pub p50_error: f64,
    /// Fitted over observed P95, minus 1.
    pub p95_error: f64,
    /// Fitted over observed P99, minus 1.
    pub p99_error: f64,
}

/// A fitted family, or the table of what was observed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FamilyFit {
    /// Family and method.
    pub method: FitMethod,
    /// The fit as a scenario holds it. Of a gamma, median and P95 are those of the log-normal with its mean and
    /// variance, as [`LengthSpread::Gamma`] defines them. A table is of all rows.
    pub length: Length<f64>,
    /// The parameter of shape: sigma of the logarithms, or the gamma's k; 0 for a fixed length and a table.
    pub shape: f64,
    /// Mean of the fit, in tokens.
    pub mean: f64,
    /// On the rows that were held out; of a table, that of the table of the other rows.
    pub goodness: Goodness,
}

/// A point of the cumulative distributions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CdfPoint {
    /// Length in tokens.
    pub tokens: f64,
    /// Share of all observed lengths that are not longer.
    pub data: f64,
    /// The same share by each fit, in the order of [`LengthFit::fits`].
    pub fits: Vec<f64>,
}

/// Lengths of one kind (prompts or outputs), and what describes them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LengthFit {
    /// Lengths above zero: what is fitted.
    pub rows: usize,
    /// Lengths of zero, which no family can have.
    pub zeros: usize,
    /// Mean of the lengths above zero, in tokens.
    pub mean: f64,
    /// Standard error of the mean, in tokens, as if rows were independent.
    pub mean_error: f64,
    /// Coefficient of variation.
    pub cv: f64,
    /// Median, in tokens.
    pub median: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
    /// Rows that were fitted; the others were held out. Every second row, in order of time, is held out.
    pub rows_fitted: usize,
    /// Each family, with its goodness on the rows held out; the table of what was observed comes last.
    pub fits: Vec<FamilyFit>,
    /// The fitted rows themselves as a distribution: what the best possible fit would reach.
    pub empirical: Goodness,
    /// How far the table is from the rows that it was made of, all of them: what its knots leave out.
    pub table: Goodness,
    /// Distance that two halves of one distribution stay under in 95 % of cases.
    pub ks_noise: f64,
    /// Distance between the earlier and the later half: how far the lengths drift.
    pub drift_ks: f64,
    /// The family with the smallest distance.
    pub best: FitMethod,
    /// The family for a bill, which is linear in the mean: the one whose mean is closest, among those whose
    /// distance is at most half again that of the best.
    pub for_bill: FitMethod,
    /// What a scenario takes: `for_bill` where it is off by at most 5 points of probability and its mean by at most
    /// 2 % (or by what two halves of one sample differ), else the table.
    pub chosen: FitMethod,
    /// Observed lengths at 0, 1, ... 100 %: the empirical distribution.
    pub percentiles: Vec<f64>,
    /// Points for a plot of the fits over the data.
    pub curve: Vec<CdfPoint>,
}

impl LengthFit {
    /// Fits every family to `lengths`, which stand in order of time; `None` if fewer than two are above zero.
    pub(super) fn of(lengths: &[f64]) -> Option<Self> {
        let positive: Vec<f64> = lengths.iter().copied().filter(|&v| v > 0.0).collect();
        let zeros = lengths.len() - positive.len();
        let (early, late) = positive.split_at(positive.len() / 2);
        let drift_ks = ks_of_samples(&sorted(early), &sorted(late));
        let train = sorted(&every_second(&positive, 0));
        let test = Observed::of(sorted(&every_second(&positive, 1)))?;
        let trained = Observed::of(train)?;
        let all = Observed::of(sorted(&positive))?;

        let mut fits: Vec<FamilyFit> = candidates(&trained)
            .into_iter()
            .map(|(method, length, shape)| {
                let mean = length.mean();
                FamilyFit { method, shape, mean, goodness: test.goodness_of(&length), length }
            })
            .collect();
        let closest = fits.iter().min_by(|a, b| a.goodness.ks.total_cmp(&b.goodness.ks))?;
        let bill = fits
            .iter()
            .filter(|fit| fit.goodness.ks <= 1.5 * closest.goodness.ks)
            .min_by(|a, b| a.goodness.mean_error.abs().total_cmp(&b.goodness.mean_error.abs()))?;
        let n = |observed: &Observed| observed.sorted.len() as f64;
        let mean_error = all.cv * all.mean / n(&all).sqrt();
        let ks_noise = KS_NOISE * (1.0 / n(&trained) + 1.0 / n(&test)).sqrt();
        let mean_noise = MEAN_NOISE_ERRORS * mean_error / all.mean;
        let is_good = bill.goodness.ks <= GOOD_KS.max(ks_noise)
            && bill.goodness.mean_error.abs() <= GOOD_MEAN_ERROR.max(mean_noise);
        let (best, for_bill) = (closest.method, bill.method);
        let table = all.table();
        let table_error = all.goodness_of(&table);
        // Equal lengths need no table.
        let chosen = if is_good || best == FitMethod::Fixed { for_bill } else { FitMethod::Empirical };
        if best != FitMethod::Fixed {
            let goodness = test.goodness_of(&trained.table());
            let (method, mean) = (FitMethod::Empirical, table.mean());
            fits.push(FamilyFit { method, shape: 0.0, mean, goodness, length: table });
        }
        Some(Self {
            rows: positive.len(),
            zeros,
            mean: all.mean,
            mean_error,
            cv: all.cv,
            median: all.quantile(0.5),
            p95: all.quantile(0.95),
            p99: all.quantile(0.99),
            max: all.quantile(1.0),
            rows_fitted: trained.sorted.len(),
            empirical: test.goodness_of_sample(&trained),
            table: table_error,
            ks_noise,
            drift_ks,
            best,
            for_bill,
            chosen,
            percentiles: (0..=100).map(|i| all.quantile(f64::from(i) / 100.0)).collect(),
            curve: curve(&all, &fits),
            fits,
        })
    }

    /// The fit by `method`, if it could be made.
    #[must_use]
    pub fn fit(&self, method: FitMethod) -> Option<&FamilyFit> {
        self.fits.iter().find(|fit| fit.method == method)
    }
}

/// Every family that can be fitted to `sample`, with its parameter of shape.
fn candidates(sample: &Observed) -> Vec<(FitMethod, Length<f64>, f64)> {
    let (mean, median, p95) = (sample.mean, sample.quantile(0.5), sample.quantile(0.95));
    if sample.sorted.first() == sample.sorted.last() {
        return vec![(FitMethod::Fixed, Length { median, p95: median, spread: LengthSpread::Fixed }, 0.0)];
    }
    let n = sample.sorted.len() as f64;
    let mu = sample.sorted.iter().map(|v| v.ln()).sum::<f64>() / n;
    let sigma = (sample.sorted.iter().map(|v| (v.ln() - mu).powi(2)).sum::<f64>() / n).sqrt();
    let of_moments = (1.0 + sample.cv * sample.cv).ln().sqrt();
    let mut found = vec![(FitMethod::LogNormalLikelihood, log_normal(mu.exp(), sigma), sigma)];
    if p95 > median {
        let sigma = (p95 / median).ln() / Z95;
        found.push((FitMethod::LogNormalQuantiles, log_normal(median, sigma), sigma));
    }
    found.push((
        FitMethod::LogNormalMoments,
        with_mean(mean, of_moments, LengthSpread::LogNormal),
        of_moments,
    ));
    if let Some(k) = gamma_shape(mean.ln() - mu) {
        let sigma = (1.0 + 1.0 / k).ln().sqrt();
        found.push((FitMethod::GammaLikelihood, with_mean(mean, sigma, LengthSpread::Gamma), k));
    }
    found
}

fn log_normal(median: f64, sigma: f64) -> Length<f64> {
    Length { median, p95: median * (Z95 * sigma).exp(), spread: LengthSpread::LogNormal }
}

/// The length whose log-normal form has this mean and sigma.
fn with_mean(mean: f64, sigma: f64, spread: LengthSpread) -> Length<f64> {
    Length { spread, ..log_normal(mean * (-sigma * sigma / 2.0).exp(), sigma) }
}

/// The gamma's shape by maximum likelihood: `ln k - digamma(k) = ln(mean) - mean(ln)`.
///
/// Newton from a starting value that is within 1.5 % (Minka 2002, *Estimating a Gamma distribution*). `None`
/// where the lengths hardly differ, so that the gamma is no better than any other family.
fn gamma_shape(s: f64) -> Option<f64> {
    if s.is_nan() || s <= 1e-9 {
        return None;
    }
    let mut k = (3.0 - s + ((s - 3.0).powi(2) + 24.0 * s).sqrt()) / (12.0 * s);
    for _ in 0..NEWTON_STEPS {
        let step = (k.ln() - digamma(k) - s) / (1.0 / k - trigamma(k));
        // Never past zero.
        let next = if step < k { k - step } else { k / 2.0 };
        let done = (next - k).abs() <= 1e-12 * k;
        k = next;
        if done {
            break;
        }
    }
    (k.is_finite() && k > 0.0).then_some(k)
}

/// Derivative of the digamma function: recurrence up to 10, then the asymptotic series.
///
/// Source: Abramowitz and Stegun 6.4.6 and 6.4.12.
fn trigamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 10.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    sum + 1.0 / x + r / 2.0 + r / x * (1.0 / 6.0 - r * (1.0 / 30.0 - r * (1.0 / 42.0 - r / 30.0)))
}

/// A sample with the statistics that are asked of it again and again.
struct Observed {
    /// Ascending, at least one.
    sorted: Vec<f64>,
    mean: f64,
    cv: f64,
}

impl Observed {
    fn of(sorted: Vec<f64>) -> Option<Self> {
        if sorted.is_empty() {
            return None;
        }
        let n = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / n;
        let variance = sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        Some(Self { cv: variance.sqrt() / mean, mean, sorted })
    }

    fn quantile(&self, p: f64) -> f64 {
        quantile_sorted(&self.sorted, p)
    }

    /// Share of values <= `x`.
    fn cdf(&self, x: f64) -> f64 {
        self.sorted.partition_point(|&v| v <= x) as f64 / self.sorted.len() as f64
    }

    /// The table of these lengths, as a scenario holds it.
    fn table(&self) -> Length<f64> {
        match Quantiles::of_tokens(&self.sorted).filter(|table| table.fault().is_none()) {
            Some(table) => Length {
                median: table.median(),
                p95: table.quantile(0.95),
                spread: LengthSpread::Empirical(table),
            },
            // Lengths wider than a million medians: no table can hold them.
            None => Length {
                median: self.quantile(0.5),
                p95: self.quantile(0.95),
                spread: LengthSpread::LogNormal,
            },
        }
    }

    fn goodness_of(&self, fit: &Length<f64>) -> Goodness {
        Goodness { ks: self.ks(fit), ..self.errors(fit.mean(), |p| fit.quantile(p)) }
    }

    fn goodness_of_sample(&self, other: &Self) -> Goodness {
        let ks = ks_of_samples(&self.sorted, &other.sorted);
        Goodness { ks, ..self.errors(other.mean, |p| other.quantile(p)) }
    }

    fn errors(&self, mean: f64, quantile: impl Fn(f64) -> f64) -> Goodness {
        let error = |p: f64| quantile(p) / self.quantile(p) - 1.0;
        Goodness {
            ks: 0.0,
            mean_error: mean / self.mean - 1.0,
            p50_error: error(0.5),
            p95_error: error(0.95),
            p99_error: error(0.99),
        }
    }

    /// Kolmogorov-Smirnov distance to a continuous distribution of which these are whole numbers: a count of 91
    /// stands for 90.5 to 91.5, so that rounding is not taken for a misfit.
    fn ks(&self, fit: &Length<f64>) -> f64 {
        let n = self.sorted.len() as f64;
        let mut below = 0;
        let mut distance: f64 = 0.0;
        for ties in self.sorted.chunk_by(|a, b| a == b) {
            let Some(&x) = ties.first() else { continue };
            // A fixed length jumps at its value; it needs no correction and gets none that matters.
            let before = (below as f64 / n - cdf(fit, x - 0.5)).abs();
            below += ties.len();
            let after = (below as f64 / n - cdf(fit, x + 0.5)).abs();
            distance = distance.max(before).max(after);
        }
        distance
    }
}

fn cdf(length: &Length<f64>, x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { 1.0 - length.survival(x) }
}

/// Kolmogorov-Smirnov distance of two sorted samples; 0 if one is empty.
fn ks_of_samples(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let share = |sample: &[f64], x: f64| sample.partition_point(|&v| v <= x) as f64 / sample.len() as f64;
    a.chunk_by(|x, y| x == y)
        .chain(b.chunk_by(|x, y| x == y))
        .filter_map(|ties| ties.first())
        .map(|&x| (share(a, x) - share(b, x)).abs())
        .fold(0.0, f64::max)
}

fn every_second(values: &[f64], from: usize) -> Vec<f64> {
    values.iter().skip(from).step_by(2).copied().collect()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// Points at equal steps of probability, none twice.
fn curve(all: &Observed, fits: &[FamilyFit]) -> Vec<CdfPoint> {
    let mut tokens: Vec<f64> =
        (0..=CURVE_POINTS).map(|i| all.quantile(f64::from(i) / f64::from(CURVE_POINTS)).round()).collect();
    tokens.dedup();
    tokens
        .into_iter()
        .map(|tokens| CdfPoint {
            tokens,
            data: all.cdf(tokens),
            fits: fits.iter().map(|fit| cdf(&fit.length, tokens + 0.5)).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths at equal steps of probability, in an order that is neither rising nor falling.
    fn lengths(of: &Length<f64>, n: u32) -> Vec<f64> {
        // 0.618...: consecutive multiples fall evenly on the unit interval (Weyl).
        let golden = (5f64.sqrt() - 1.0) / 2.0;
        (0..n).map(|i| of.quantile((0.5 + f64::from(i) * golden).fract()).round().max(1.0)).collect()
    }

    #[test]
    fn a_log_normal_is_found_again() {
        let truth = Length { median: 1000.0, p95: 4000.0, spread: LengthSpread::LogNormal };
        let fit = LengthFit::of(&lengths(&truth, 20_000)).expect("fits");
        for method in
            [FitMethod::LogNormalLikelihood, FitMethod::LogNormalQuantiles, FitMethod::LogNormalMoments]
        {
            let found = fit.fit(method).expect("made");
            assert!((found.length.median / 1000.0 - 1.0).abs() < 0.01, "{found:?}");
            assert!((found.length.p95 / 4000.0 - 1.0).abs() < 0.02, "{found:?}");
            assert!(found.goodness.ks < 0.01 && found.goodness.mean_error.abs() < 0.01, "{found:?}");
        }
        assert!(fit.fit(FitMethod::GammaLikelihood).expect("made").goodness.ks > 0.03);
        assert_ne!(fit.best, FitMethod::GammaLikelihood);
        assert_eq!(fit.chosen, fit.for_bill, "a family that fits is preferred to a table");
        assert!(fit.empirical.ks < fit.ks_noise && fit.drift_ks < fit.ks_noise);
    }

    #[test]
    fn a_gamma_is_found_again() {
        let truth = Length { median: 500.0, p95: 2500.0, spread: LengthSpread::Gamma };
        let fit = LengthFit::of(&lengths(&truth, 20_000)).expect("fits");
        assert_eq!(fit.best, FitMethod::GammaLikelihood);
        let found = fit.fit(FitMethod::GammaLikelihood).expect("made");
        assert!(
            (found.length.median / 500.0 - 1.0).abs() < 0.02
                && (found.length.p95 / 2500.0 - 1.0).abs() < 0.02
        );
    }

    #[test]
    fn the_gamma_equation_is_solved_for_any_spread() {
        for k in [1e-3, 0.1, 1.0, 7.5, 1e3, 1e6] {
            let found = gamma_shape(f64::ln(k) - digamma(k)).expect("solved");
            assert!((found / k - 1.0).abs() < 1e-4, "{k} {found}");
        }
        // trigamma(1) = pi^2 / 6.
        assert!((trigamma(1.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-12);
    }

    #[test]
    fn scaling_all_lengths_scales_the_fit_and_keeps_its_shape() {
        let once = lengths(&Length { median: 100.0, p95: 900.0, spread: LengthSpread::LogNormal }, 2_000);
        let thrice: Vec<f64> = once.iter().map(|v| v * 3.0).collect();
        let (a, b) = (LengthFit::of(&once).expect("fits"), LengthFit::of(&thrice).expect("fits"));
        for (a, b) in a.fits.iter().zip(&b.fits) {
            // Half a token is another share of a length three times as long, so tables take other knots.
            let close = if a.method == FitMethod::Empirical { 1e-3 } else { 1e-9 };
            assert!((b.mean / a.mean - 3.0).abs() < close && (a.shape - b.shape).abs() < 1e-9, "{a:?} {b:?}");
        }
    }

    #[test]
    fn lengths_that_no_family_has_are_taken_as_observed() {
        // Two humps far apart: a third of short questions, the rest pasted documents.
        let short = Length { median: 40.0, p95: 90.0, spread: LengthSpread::LogNormal };
        let long = Length { median: 3_000.0, p95: 4_500.0, spread: LengthSpread::LogNormal };
        let (short, long) = (lengths(&short, 3_000), lengths(&long, 3_000));
        let mixed: Vec<f64> =
            (0..9_000).map(|i| if i % 3 == 0 { short[i / 3] } else { long[i * 7 % 3_000] }).collect();
        let fit = LengthFit::of(&mixed).expect("fits");
        assert_eq!(fit.chosen, FitMethod::Empirical, "{:?}", fit.fits);
        assert!(
            fit.fits.iter().filter(|fit| fit.method != FitMethod::Empirical).all(|fit| fit.goodness.ks > 0.1)
        );
        let table = fit.fit(FitMethod::Empirical).expect("made");
        assert!(table.goodness.ks < fit.ks_noise + 0.005, "{table:?}");
        assert!((table.goodness.ks - fit.empirical.ks).abs() < 0.005, "{table:?} {:?}", fit.empirical);
        assert!(fit.table.ks < 0.005 && fit.table.mean_error.abs() < 1e-3, "{:?}", fit.table);
        assert!(fit.table.p95_error.abs() < 0.005 && fit.table.p99_error.abs() < 0.005, "{:?}", fit.table);
    }

    #[test]
    fn equal_lengths_are_fixed_and_zeros_are_set_aside() {
        let fit = LengthFit::of(&[0.0, 91.0, 91.0, 0.0, 91.0, 91.0]).expect("fits");
        assert_eq!((fit.rows, fit.zeros, fit.best, fit.mean), (4, 2, FitMethod::Fixed, 91.0));
        assert_eq!((fit.fits[0].goodness.ks, fit.fits[0].goodness.p95_error), (0.0, 0.0));
        assert!(LengthFit::of(&[0.0; 50]).is_none());
        assert!(LengthFit::of(&[]).is_none());
    }

    #[test]
    fn the_curves_rise_from_nothing_to_all() {
        let truth = Length { median: 100.0, p95: 900.0, spread: LengthSpread::LogNormal };
        let fit = LengthFit::of(&lengths(&truth, 3_000)).expect("fits");
        assert!((90..=101).contains(&fit.curve.len()));
        let rising = |a: &CdfPoint, b: &CdfPoint| {
            a.tokens < b.tokens && a.data <= b.data && a.fits.iter().zip(&b.fits).all(|(a, b)| a <= b)
        };
        assert!(fit.curve.windows(2).all(|pair| rising(&pair[0], &pair[1])));
        assert_eq!(fit.curve.last().map(|point| point.data), Some(1.0));
    }
}
