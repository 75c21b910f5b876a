//! What a set of draws says, and how far to trust it.

use thiserror::Error;

use super::order::sorted;

/// Normal score of a two-sided 95 % interval.
const Z_TWO_SIDED_95: f64 = 1.959_963_984_540_054;

/// The percentiles of a [`Summary`], in percent.
pub const PERCENTS: [u8; 9] = [1, 5, 10, 25, 50, 75, 90, 95, 99];

/// Bins of a [`Histogram`].
const BINS: usize = 40;

/// Share of draws outside the picture on each side, so that one far draw does not flatten it.
const OUTSIDE: f64 = 0.005;

/// Why draws cannot be summarised.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SummaryError {
    /// There is nothing to summarise.
    #[error("there are no draws; ask for at least one trial")]
    Empty,
    /// A draw is NaN or infinite.
    #[error("draw {index} is {value}, not a finite number")]
    NotFinite {
        /// Position of the draw.
        index: usize,
        /// What was found.
        value: f64,
    },
}

/// What a set of draws says: centre, spread, percentiles and shape, each with its Monte Carlo error.
///
/// Depends on the set of draws only, not on their order: two runs that finish their blocks in another
/// order give the same bytes.
///
/// ```
/// use breakeven::stats::Summary;
///
/// let summary = Summary::of(&[3.0, 1.0, 2.0])?;
/// assert_eq!((summary.mean, summary.p50()), (2.0, 2.0));
/// # Ok::<(), breakeven::stats::SummaryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Number of draws.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard error of the mean, `sd / sqrt(n)`; 0 for a single draw, which says nothing of it.
    pub mean_se: f64,
    /// Standard deviation with divisor `n - 1`; 0 for a single draw.
    pub sd: f64,
    /// Smallest draw.
    pub min: f64,
    /// Largest draw.
    pub max: f64,
    /// The percentiles of [`PERCENTS`], in order.
    pub percentiles: [Percentile; PERCENTS.len()],
    /// The shape.
    pub histogram: Histogram,
}

/// A percentile with its Monte Carlo error.
///
/// The interval is of order statistics: ranks `n p -+ 1.96 sqrt(n p (1 - p))`, which cover the percentile
/// with 95 % whatever the distribution (Conover, "Practical Nonparametric Statistics", 1999, section
/// 3.2; the normal approximation to the binomial). Towards the ends of few draws the interval is cut at
/// the smallest and largest draw and then covers less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile {
    /// Which one, in percent.
    pub percent: u8,
    /// Its value, as of [`quantile_sorted`].
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Standard error: the width of the interval over 2 x 1.96.
    pub se: f64,
}

/// Counts of draws in even bins; nothing is dropped, what lies outside is counted outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Left edge of the first bin: the 0.5th percentile.
    pub low: f64,
    /// Right edge of the last bin: the 99.5th percentile. Equal to `low` when the draws do not differ.
    pub high: f64,
    /// Draws per bin; the last bin includes `high`.
    pub counts: Vec<u32>,
    /// Draws below `low`.
    pub below: u32,
    /// Draws above `high`.
    pub above: u32,
}

impl Summary {
    /// Summarises draws given in any order.
    ///
    /// # Errors
    /// [`SummaryError::Empty`], or the first draw that is not finite.
    pub fn of(draws: &[f64]) -> Result<Self, SummaryError> {
        if draws.is_empty() {
            return Err(SummaryError::Empty);
        }
        if let Some((index, value)) = draws.iter().copied().enumerate().find(|(_, x)| !x.is_finite()) {
            return Err(SummaryError::NotFinite { index, value });
        }
        let sorted = sorted(draws);
        let n = sorted.len();
        let mean = mean(&sorted);
        let squares = pairwise(&sorted, &|x| (x - mean).powi(2));
        let sd = if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 };
        Ok(Self {
            n,
            mean,
            mean_se: sd / (n as f64).sqrt(),
            sd,
            min: sorted[0],
            max: sorted[n - 1],
            percentiles: PERCENTS.map(|percent| Percentile::of(&sorted, percent)),
            histogram: Histogram::of(&sorted),
        })
    }

    /// The percentile `percent`, if it is one of [`PERCENTS`].
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<&Percentile> {
        self.percentiles.iter().find(|p| p.percent == percent)
    }

    /// 5th percentile.
    #[must_use]
    pub const fn p5(&self) -> f64 {
        self.percentiles[1].value
    }

    /// Median.
    #[must_use]
    pub const fn p50(&self) -> f64 {
        self.percentiles[4].value
    }

    /// 95th percentile.
    #[must_use]
    pub const fn p95(&self) -> f64 {
        self.percentiles[7].value
    }
}

impl Percentile {
    /// The percentile of sorted, non-empty draws.
    fn of(sorted: &[f64], percent: u8) -> Self {
        let (n, p) = (sorted.len() as f64, f64::from(percent) / 100.0);
        let reach = Z_TWO_SIDED_95 * (n * p * (1.0 - p)).sqrt();
        let last = sorted.len() - 1;
        // Ranks count from 1; rounded outwards. Casts of negative numbers give 0.
        let low = sorted[((n * p - reach).floor() as usize).saturating_sub(1).min(last)];
        let high = sorted[((n * p + reach).ceil() as usize).min(last)];
        let value = quantile_sorted(sorted, p);
        Self { percent, value, low, high, se: (high - low) / (2.0 * Z_TWO_SIDED_95) }
    }
}

impl Histogram {
    fn of(sorted: &[f64]) -> Self {
        let (low, high) = (quantile_sorted(sorted, OUTSIDE), quantile_sorted(sorted, 1.0 - OUTSIDE));
        let mut counts = vec![0_u32; BINS];
        let (mut below, mut above) = (0, 0);
        let scale = BINS as f64 / (high - low);
        for &x in sorted {
            if x < low {
                below += 1;
            } else if x > high {
                above += 1;
            } else {
                // With no width the scale is infinite or NaN, and the cast puts all into one bin.
                counts[(((x - low) * scale) as usize).min(BINS - 1)] += 1;
            }
        }
        Self { low, high, counts, below, above }
    }

    /// Points `(middle of the bin, density)`; empty when the draws do not differ.
    #[must_use]
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let width = (self.high - self.low) / self.counts.len().max(1) as f64;
        if width <= 0.0 || !width.is_finite() {
            return Vec::new();
        }
        let n: u32 = self.counts.iter().sum::<u32>() + self.below + self.above;
        let share = 1.0 / (f64::from(n) * width);
        let middle = |bin: usize| self.low + (bin as f64 + 0.5) * width;
        self.counts.iter().enumerate().map(|(bin, c)| (middle(bin), f64::from(*c) * share)).collect()
    }
}

/// The `p`-quantile of sorted values, 0 <= p <= 1: linear between the two order statistics next to rank
/// `(n - 1) p`. 0 for no values.
///
/// Source: Hyndman and Fan, "Sample quantiles in statistical packages", 1996, definition 7.
#[must_use]
pub fn quantile_sorted(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let rank = p.clamp(0.0, 1.0) * last as f64;
    let below = (rank as usize).min(last);
    let (left, right) = (sorted[below], sorted[(below + 1).min(last)]);
    // Weights rather than a difference: the difference of two large numbers may overflow.
    let t = rank - below as f64;
    if t > 0.0 && left != right { left * (1.0 - t) + right * t } else { left }
}

/// Mean of values that are not empty; divides first only where the sum would overflow.
fn mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = pairwise(values, &|x| x) / n;
    if mean.is_finite() { mean } else { pairwise(values, &|x| x / n) }
}

/// Sum of `f` by halves: the error grows with the logarithm of the count.
///
/// Source: Higham, "The accuracy of floating point summation", 1993.
fn pairwise(values: &[f64], f: &impl Fn(f64) -> f64) -> f64 {
    const LEAF: usize = 64;
    if values.len() <= LEAF {
        return values.iter().map(|x| f(*x)).sum();
    }
    let (left, right) = values.split_at(values.len() / 2);
    pairwise(left, f) + pairwise(right, f)
}

/// A probability estimated by counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probability {
    /// Draws in which it happened; at most `n`.
    pub hits: u64,
    /// All draws.
    pub n: u64,
}

impl Probability {
    /// Counts the draws in which it happened.
    #[must_use]
    pub fn count(outcomes: impl IntoIterator<Item = bool>) -> Self {
        outcomes.into_iter().fold(Self { hits: 0, n: 0 }, |Self { hits, n }, hit| Self {
            hits: hits + u64::from(hit),
            n: n + 1,
        })
    }

    /// The share of draws in which it happened; `None` without draws, for then nothing is known.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.n > 0).then(|| self.hits as f64 / self.n as f64)
    }

    /// The 95 % interval of the probability; 0 to 1 without draws.
    ///
    /// Never empty at 0 or n hits, where the textbook interval is.
    /// Source: Wilson, JASA 22 (1927); Brown, Cai, DasGupta, Statistical Science 16 (2001).
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        let Some(share) = self.share() else { return (0.0, 1.0) };
        let (n, z2) = (self.n as f64, Z_TWO_SIDED_95 * Z_TWO_SIDED_95);
        let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let reach = Z_TWO_SIDED_95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        // At the ends the bound is exact; computed, it would be off by rounding.
        let low = if self.hits == 0 { 0.0 } else { (centre - reach).max(0.0) };
        let high = if self.hits >= self.n { 1.0 } else { (centre + reach).min(1.0) };
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Stream, normal_quantile};

    fn uniforms(seed: u64, n: usize) -> Vec<f64> {
        let mut out = vec![0.0; n];
        Stream::new(seed, "summary").fill(0, &mut out);
        out
    }

    #[test]
    fn the_summary_does_not_depend_on_the_order_of_the_draws() {
        let mut draws: Vec<f64> = uniforms(1, 5000).into_iter().map(|u| 1e6 * u.powi(9)).collect();
        let forward = Summary::of(&draws).unwrap();
        draws.reverse();
        draws.rotate_left(1234);
        assert_eq!(forward, Summary::of(&draws).unwrap());
    }

    #[test]
    fn one_to_a_hundred_and_one_has_its_percentiles_at_the_ranks() {
        let draws: Vec<f64> = (1..=101).map(f64::from).collect();
        let summary = Summary::of(&draws).unwrap();
        assert_eq!((summary.mean, summary.min, summary.max), (51.0, 1.0, 101.0));
        assert_eq!(summary.percentiles.map(|p| p.value), PERCENTS.map(|p| f64::from(p) + 1.0));
        // Variance of 1..=n is n (n + 1) / 12 with divisor n - 1.
        assert!((summary.sd - (101.0 * 102.0 / 12.0_f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn the_interval_of_a_percentile_covers_the_truth_about_95_times_in_100() {
        let mut covered = [0; PERCENTS.len()];
        for seed in 0..400 {
            let summary = Summary::of(&uniforms(seed, 1000)).unwrap();
            for (count, p) in covered.iter_mut().zip(&summary.percentiles) {
                let truth = f64::from(p.percent) / 100.0;
                *count += u32::from(p.low <= truth && truth <= p.high);
            }
        }
        // 380 expected; five binomial standard deviations below, and not always.
        assert!(covered.iter().all(|c| (358..400).contains(c)), "{covered:?}");
    }

    #[test]
    fn the_standard_error_of_a_median_of_normals_is_the_textbook_one() {
        let draws: Vec<f64> = uniforms(9, 40_000).into_iter().map(normal_quantile).collect();
        let summary = Summary::of(&draws).unwrap();
        // sqrt(pi / 2 / n)
        let textbook = (std::f64::consts::FRAC_PI_2 / 40_000.0).sqrt();
        let ratio = summary.percentile(50).unwrap().se / textbook;
        assert!((0.85..1.15).contains(&ratio), "{ratio}");
        assert!((summary.mean_se - summary.sd / 200.0).abs() < 1e-15);
    }

    #[test]
    fn the_histogram_counts_every_draw() {
        let draws = uniforms(2, 10_000);
        let Histogram { counts, below, above, .. } = Summary::of(&draws).unwrap().histogram;
        assert_eq!(counts.iter().sum::<u32>() + below + above, 10_000);
        let same = Summary::of(&[5.0; 7]).unwrap();
        assert_eq!(same.histogram.counts.iter().sum::<u32>(), 7);
        assert!(same.histogram.curve().is_empty());
        assert_eq!((same.sd, same.p5(), same.p95()), (0.0, 5.0, 5.0));
    }

    #[test]
    fn no_draws_and_draws_that_are_no_numbers_are_refused() {
        assert_eq!(Summary::of(&[]), Err(SummaryError::Empty));
        let Err(SummaryError::NotFinite { index: 1, .. }) = Summary::of(&[1.0, f64::NAN]) else {
            panic!("should be refused")
        };
    }

    #[test]
    fn huge_draws_do_not_overflow() {
        let summary = Summary::of(&[-1.7e308, 1.7e308]).unwrap();
        assert!(summary.mean.is_finite() && summary.p50().is_finite());
    }

    #[test]
    fn the_wilson_interval_is_the_textbook_one_and_never_empty() {
        // 8 of 10: 0.490 to 0.943 (Brown, Cai, DasGupta 2001 style example).
        let (low, high) = Probability { hits: 8, n: 10 }.interval();
        assert!((low - 0.4902).abs() < 1e-3 && (high - 0.9433).abs() < 1e-3, "{low} {high}");
        let (low, high) = Probability { hits: 0, n: 100 }.interval();
        assert!(low == 0.0 && high > 0.03 && high < 0.04, "{low} {high}");
        assert_eq!(Probability { hits: 0, n: 0 }.share(), None);
        assert_eq!(Probability::count([true, false, true]), Probability { hits: 2, n: 3 });
    }
}
