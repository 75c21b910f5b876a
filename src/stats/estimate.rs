//! A number that is either known or uncertain, as the scenario file holds it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::law::{Law, PERT_WEIGHT};

/// Smallest and largest shape parameter of a beta distribution that is accepted.
///
/// Below, nearly all of the mass sits on the two ends and a list of values says it better; above, the
/// relative spread is under 0.1 % and a normal says it better.
pub const BETA_SHAPE_RANGE: (f64, f64) = (0.01, 1e6);

/// How much wider one side of [`Estimate::Percentiles`] may be than the other.
///
/// At 100 the mean is already `e^3.9`, about 50, scales beyond the median: three percentiles say too
/// little about such a tail to carry an average.
pub const PERCENTILES_SKEW_MAX: f64 = 100.0;

/// A number that is either fixed or uncertain.
///
/// The unit is that of the field that holds it. In a file it reads as `Fixed(3.0)`,
/// `Triangular(low: 1.0, mode: 2.0, high: 5.0)`, and so on; unknown keys are refused.
/// A value that was read or edited may be wrong: [`Estimate::check`] says so, and every other method
/// promises finite numbers only for an estimate that passes it.
///
/// ```
/// use breakeven::stats::Estimate;
///
/// let price = Estimate::Triangular { low: 1.0, mode: 2.0, high: 6.0 };
/// assert_eq!(price.point(), 3.0); // the mean, (1 + 2 + 6) / 3
/// assert_eq!(Estimate::Fixed(4.0).quantile(0.9), 4.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Estimate {
    /// Known: the same value in every draw.
    Fixed(f64),
    /// Every value between `low` and `high` is as likely as another.
    Uniform {
        /// Smallest value.
        low: f64,
        /// Largest value, above `low`.
        high: f64,
    },
    /// Density rises in a straight line to `mode` and falls in one to `high`.
    Triangular {
        /// Smallest value.
        low: f64,
        /// Most likely value, from `low` to `high`.
        mode: f64,
        /// Largest value, above `low`.
        high: f64,
    },
    /// Normal; unbounded on both sides, so that a quantity that must stay positive needs another family.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation, zero or more.
        sd: f64,
    },
    /// Log-normal by two numbers that people know: always positive, with a long upper tail.
    LogNormal {
        /// Median, above 0.
        median: f64,
        /// 95th percentile, at least the median.
        p95: f64,
    },
    /// Beta, stretched from 0..1 to `low..high`.
    Beta {
        /// First shape; within [`BETA_SHAPE_RANGE`].
        alpha: f64,
        /// Second shape; within [`BETA_SHAPE_RANGE`].
        beta: f64,
        /// Smallest value.
        low: f64,
        /// Largest value, above `low`.
        high: f64,
    },
    /// PERT: a smooth beta through a three-point judgement, with mean `(low + 4 mode + high) / 6`.
    ///
    /// Source: Malcolm, Roseboom, Clark, Fazar, Operations Research 7 (1959); Vose, "Risk Analysis".
    Pert {
        /// Smallest value.
        low: f64,
        /// Most likely value, from `low` to `high`.
        mode: f64,
        /// Largest value, above `low`.
        high: f64,
    },
    /// The smooth distribution through three percentiles.
    ///
    /// It is Tukey's g distribution, `p50 + A (exp(g z) - 1) / g` of a standard normal `z`, with
    /// `g = ln((p95 - p50) / (p50 - p5)) / z95`: a normal when the sides are equal, a shifted log-normal
    /// when the upper side is wider, its mirror image otherwise, and exactly the log-normal when
    /// `p50 / p5 = p95 / p50`. It is continuous, has one mode, hits the three percentiles exactly and
    /// changes smoothly as they are dragged. It is unbounded on the narrower side only up to a shift.
    ///
    /// Source: Hoaglin in "Exploring Data Tables, Trends, and Shapes" (1985), chapter 11; the same curves
    /// are the S_L line of Johnson, Biometrika 36 (1949).
    Percentiles {
        /// 5th percentile.
        p5: f64,
        /// Median, above `p5`.
        p50: f64,
        /// 95th percentile, above `p50`.
        p95: f64,
    },
    /// One of the listed values, each as likely as another.
    Empirical(Vec<f64>),
}

/// Five percentiles of an estimate, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// 5th percentile.
    pub p5: f64,
    /// 25th percentile.
    pub p25: f64,
    /// Median.
    pub p50: f64,
    /// 75th percentile.
    pub p75: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// Why an estimate cannot be used, and what to write instead.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EstimateError {
    /// A parameter is NaN or infinite.
    #[error("`{field}` is {value}; write a finite number")]
    NotFinite {
        /// Name of the parameter.
        field: &'static str,
        /// What was found.
        value: f64,
    },
    /// Two parameters are the wrong way round.
    #[error("`{lower}` is {low}, above `{upper}` {high}; swap them, or raise `{upper}`")]
    OutOfOrder {
        /// Name of the parameter that should be smaller.
        lower: &'static str,
        /// Its value.
        low: f64,
        /// Name of the parameter that should be larger.
        upper: &'static str,
        /// Its value.
        high: f64,
    },
    /// Two parameters that must differ are equal.
    #[error("`{lower}` and `{upper}` are both {value}; widen them, or write Fixed({value})")]
    NoWidth {
        /// Name of the smaller parameter.
        lower: &'static str,
        /// Name of the larger parameter.
        upper: &'static str,
        /// The value of both.
        value: f64,
    },
    /// A standard deviation is below zero.
    #[error("`sd` is {value}; write a standard deviation of 0 or more")]
    NegativeSpread {
        /// What was found.
        value: f64,
    },
    /// The median of a log-normal is not above zero.
    #[error("`median` is {value}; a log-normal is above 0: write a positive median, or use Normal")]
    NotPositive {
        /// What was found.
        value: f64,
    },
    /// A shape of a beta is outside [`BETA_SHAPE_RANGE`].
    #[error("`{field}` is {value}; write a shape from {} to {}", BETA_SHAPE_RANGE.0, BETA_SHAPE_RANGE.1)]
    Shape {
        /// Name of the parameter.
        field: &'static str,
        /// What was found.
        value: f64,
    },
    /// One side of the three percentiles is too much wider than the other for a mean to be meant.
    #[error(
        "`p95` is {upper} above `p50` and `p5` is {lower} below it; one side may be at most {} times the \
         other: move the far percentile closer, or use Empirical",
        PERCENTILES_SKEW_MAX
    )]
    TooSkewed {
        /// `p50 - p5`.
        lower: f64,
        /// `p95 - p50`.
        upper: f64,
    },
    /// A list of values is empty.
    #[error("the list of values is empty; write at least one value, such as Empirical([1.0])")]
    NoValues,
    /// The mean or the standard deviation is beyond the range of numbers.
    #[error("the spread is too large for a mean and a standard deviation to exist as numbers; narrow it")]
    TooWide,
    /// The family cannot have this centre.
    #[error("the centre is {centre}; a log-normal is above 0: use Normal or Percentiles instead")]
    CentreNotPositive {
        /// The mean that was to be kept.
        centre: f64,
    },
}

impl Estimate {
    /// Whether the parameters make a distribution: finite, ordered and of usable spread.
    ///
    /// # Errors
    /// The first thing that is wrong; the message says what to write instead.
    pub fn check(&self) -> Result<(), EstimateError> {
        match *self {
            Self::Fixed(value) => return finite("value", value),
            Self::Uniform { low, high } => wide("low", low, "high", high)?,
            Self::Triangular { low, mode, high } | Self::Pert { low, mode, high } => {
                ordered("low", low, "mode", mode)?;
                ordered("mode", mode, "high", high)?;
                wide("low", low, "high", high)?;
            }
            Self::Normal { mean, sd } => {
                finite("mean", mean)?;
                finite("sd", sd)?;
                if sd < 0.0 {
                    return Err(EstimateError::NegativeSpread { value: sd });
                }
            }
            Self::LogNormal { median, p95 } => {
                ordered("median", median, "p95", p95)?;
                if median <= 0.0 {
                    return Err(EstimateError::NotPositive { value: median });
                }
            }
            Self::Beta { alpha, beta, low, high } => {
                shape("alpha", alpha)?;
                shape("beta", beta)?;
                wide("low", low, "high", high)?;
            }
            Self::Percentiles { p5, p50, p95 } => {
                wide("p5", p5, "p50", p50)?;
                wide("p50", p50, "p95", p95)?;
                let (lower, upper) = (p50 - p5, p95 - p50);
                if upper > PERCENTILES_SKEW_MAX * lower || lower > PERCENTILES_SKEW_MAX * upper {
                    return Err(EstimateError::TooSkewed { lower, upper });
                }
            }
            Self::Empirical(ref values) => {
                if values.is_empty() {
                    return Err(EstimateError::NoValues);
                }
                values.iter().try_for_each(|value| finite("values", *value))?;
            }
        }
        if self.mean().is_finite() && self.sd().is_finite() { Ok(()) } else { Err(EstimateError::TooWide) }
    }

    /// The one number that instant answers use: the mean, as of [`Estimate::mean`].
    ///
    /// The mean and not the median, because costs add: the mean of a sum is the sum of the means.
    #[must_use]
    pub fn point(&self) -> f64 {
        self.mean()
    }

    /// Mean, in closed form for every family.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Empirical(values) => mean_of(values),
            _ => self.law().mean(),
        }
    }

    /// Standard deviation, in closed form for every family; of the listed values themselves (divided by
    /// their number) for [`Estimate::Empirical`].
    #[must_use]
    pub fn sd(&self) -> f64 {
        match self {
            Self::Empirical(values) => {
                let mean = mean_of(values);
                let squares: Vec<f64> = values.iter().map(|x| (x - mean).powi(2)).collect();
                mean_of(&squares).sqrt()
            }
            _ => self.law().sd(),
        }
    }

    /// Whether draws can differ: false for a fixed value and for a spread of zero.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Normal { sd, .. } => *sd > 0.0,
            Self::LogNormal { median, p95 } => p95 > median,
            Self::Empirical(values) => values.iter().any(|x| Some(x) != values.first()),
            _ => true,
        }
    }

    /// The value that is not exceeded with probability `u`; `u` is held strictly inside 0..1.
    ///
    /// Exact to rounding. For many draws prepare a [`Sampler`](super::Sampler).
    #[must_use]
    pub fn quantile(&self, u: f64) -> f64 {
        self.law().quantile(u)
    }

    /// Five percentiles.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let law = self.law();
        let [p5, p25, p50, p75, p95] = [0.05, 0.25, 0.5, 0.75, 0.95].map(|u| law.quantile(u));
        Spread { p5, p25, p50, p75, p95 }
    }

    /// `n` points `(value, density)` from left to right, for a small picture.
    ///
    /// Spans the 0.1st to the 99.9th percentile at even steps, or the whole support where that is
    /// bounded. A list of values is drawn as a histogram with a point per bin. Empty when there is no
    /// width to draw. Densities are finite and in one over the unit of the value.
    #[must_use]
    pub fn curve(&self, n: usize) -> Vec<(f64, f64)> {
        if self.is_uncertain() { self.law().curve(n) } else { Vec::new() }
    }

    /// The same uncertainty of `factor` times the quantity: a change of unit, or a percentage on top.
    ///
    /// Exact for every family. A negative factor turns a log-normal into the percentiles that it mirrors.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let k = factor;
        let turn = |low: f64, high: f64| if k < 0.0 { (high * k, low * k) } else { (low * k, high * k) };
        if k == 0.0 {
            return Self::Fixed(0.0);
        }
        match *self {
            Self::Fixed(value) => Self::Fixed(value * k),
            Self::Uniform { low, high } => {
                let (low, high) = turn(low, high);
                Self::Uniform { low, high }
            }
            Self::Triangular { low, mode, high } => {
                let (low, high) = turn(low, high);
                Self::Triangular { low, mode: mode * k, high }
            }
            Self::Pert { low, mode, high } => {
                let (low, high) = turn(low, high);
                Self::Pert { low, mode: mode * k, high }
            }
            Self::Normal { mean, sd } => Self::Normal { mean: mean * k, sd: sd * k.abs() },
            Self::LogNormal { median, p95 } if k > 0.0 => {
                Self::LogNormal { median: median * k, p95: p95 * k }
            }
            Self::LogNormal { median, p95 } => {
                Self::Percentiles { p5: p95 * k, p50: median * k, p95: median / p95 * median * k }
            }
            Self::Beta { alpha, beta, low, high } => {
                let (alpha, beta) = if k < 0.0 { (beta, alpha) } else { (alpha, beta) };
                let (low, high) = turn(low, high);
                Self::Beta { alpha, beta, low, high }
            }
            Self::Percentiles { p5, p50, p95 } => {
                let (p5, p95) = turn(p5, p95);
                Self::Percentiles { p5, p50: p50 * k, p95 }
            }
            Self::Empirical(ref values) => Self::Empirical(values.iter().map(|x| x * k).collect()),
        }
    }

    /// The distribution with its parameters worked out.
    pub(super) fn law(&self) -> Law {
        match *self {
            Self::Fixed(value) => Law::Fixed(value),
            Self::Uniform { low, high } => Law::Uniform { low, width: high - low },
            Self::Triangular { low, mode, high } => Law::Triangular { low, mode, high },
            Self::Normal { mean, sd } => Law::Normal { mean, sd },
            Self::LogNormal { median, p95 } => Law::log_normal(median, p95),
            Self::Beta { alpha, beta, low, high } => Law::Beta { a: alpha, b: beta, low, width: high - low },
            Self::Pert { low, mode, high } => {
                let width = high - low;
                let a = 1.0 + PERT_WEIGHT * (mode - low) / width;
                Law::Beta { a, b: 2.0 + PERT_WEIGHT - a, low, width }
            }
            Self::Percentiles { p5, p50, p95 } => Law::through(p5, p50, p95),
            Self::Empirical(ref values) => Law::steps(values),
        }
    }
}

impl From<f64> for Estimate {
    fn from(value: f64) -> Self {
        Self::Fixed(value)
    }
}

/// Mean of a list; 0 for an empty one, which `check` refuses.
fn mean_of(values: &[f64]) -> f64 {
    // Sorted, so that the order in the file does not change the last digit.
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.iter().sum::<f64>() / values.len().max(1) as f64
}

fn finite(field: &'static str, value: f64) -> Result<(), EstimateError> {
    if value.is_finite() { Ok(()) } else { Err(EstimateError::NotFinite { field, value }) }
}

fn ordered(lower: &'static str, low: f64, upper: &'static str, high: f64) -> Result<(), EstimateError> {
    finite(lower, low)?;
    finite(upper, high)?;
    if low <= high { Ok(()) } else { Err(EstimateError::OutOfOrder { lower, low, upper, high }) }
}

fn wide(lower: &'static str, low: f64, upper: &'static str, high: f64) -> Result<(), EstimateError> {
    ordered(lower, low, upper, high)?;
    if low < high { Ok(()) } else { Err(EstimateError::NoWidth { lower, upper, value: low }) }
}

fn shape(field: &'static str, value: f64) -> Result<(), EstimateError> {
    finite(field, value)?;
    let (least, most) = BETA_SHAPE_RANGE;
    if (least..=most).contains(&value) { Ok(()) } else { Err(EstimateError::Shape { field, value }) }
}
