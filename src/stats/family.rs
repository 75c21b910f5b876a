//! The families of [`Estimate`], and changing from one to another without losing centre and spread.

use super::estimate::{Estimate, EstimateError, PERCENTILES_SKEW_MAX};
use super::law::step;
use super::normal::Z95;

/// Half of the P5-P95 range that a fixed value is given when it is made uncertain, as a share of it.
///
/// A round, visible start that the user then edits; it is no claim about the quantity.
pub const STARTING_SPREAD: f64 = 0.2;

/// How many values an estimate becomes when it is turned into a list.
const LIST_LENGTH: usize = 9;

/// The kind of an [`Estimate`], without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// [`Estimate::Fixed`].
    Fixed,
    /// [`Estimate::Percentiles`].
    Percentiles,
    /// [`Estimate::Triangular`].
    Triangular,
    /// [`Estimate::Pert`].
    Pert,
    /// [`Estimate::Uniform`].
    Uniform,
    /// [`Estimate::Normal`].
    Normal,
    /// [`Estimate::LogNormal`].
    LogNormal,
    /// [`Estimate::Beta`].
    Beta,
    /// [`Estimate::Empirical`].
    Empirical,
}

impl Family {
    /// Every family, in the order a menu shows them: the ones that ask for what people know come first.
    pub const ALL: [Self; 9] = [
        Self::Fixed,
        Self::Percentiles,
        Self::Triangular,
        Self::Pert,
        Self::Uniform,
        Self::Normal,
        Self::LogNormal,
        Self::Beta,
        Self::Empirical,
    ];

    /// Name for a menu.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fixed => "Fixed",
            Self::Percentiles => "Percentiles",
            Self::Triangular => "Triangular",
            Self::Pert => "PERT",
            Self::Uniform => "Uniform",
            Self::Normal => "Normal",
            Self::LogNormal => "Log-normal",
            Self::Beta => "Beta",
            Self::Empirical => "List of values",
        }
    }

    /// One sentence for a tooltip: when to choose it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Fixed => "Known: the same in every draw",
            Self::Percentiles => "A smooth curve through P5, P50 and P95; may lean to either side",
            Self::Triangular => "Least, most likely and greatest value, joined by straight lines",
            Self::Pert => "Least, most likely and greatest value, with little weight near the ends",
            Self::Uniform => "Anything between two values, all equally likely",
            Self::Normal => "Symmetric about the mean and unbounded",
            Self::LogNormal => "Above zero with a long upper tail, by median and P95",
            Self::Beta => "Bounded on both sides, with a shape of your own",
            Self::Empirical => "One of the listed values, each as likely",
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

impl Estimate {
    /// Which family it is of.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Fixed(_) => Family::Fixed,
            Self::Uniform { .. } => Family::Uniform,
            Self::Triangular { .. } => Family::Triangular,
            Self::Normal { .. } => Family::Normal,
            Self::LogNormal { .. } => Family::LogNormal,
            Self::Beta { .. } => Family::Beta,
            Self::Pert { .. } => Family::Pert,
            Self::Percentiles { .. } => Family::Percentiles,
            Self::Empirical(_) => Family::Empirical,
        }
    }

    /// The estimate of another family with the same centre and, where the family can, the same spread.
    ///
    /// - The mean is kept, so an instant answer does not move; [`Estimate::Percentiles`] made from a
    ///   skewed family keeps its three percentiles instead, as those are what it is edited by.
    /// - The standard deviation is kept, except that a quantity that could not be negative does not
    ///   become so: then the spread shrinks until the low end is at 0.
    /// - A fixed `v` becomes uncertain with P5 and P95 at 20 % below and above (and 0 by the spread of
    ///   0 to 0.2, whose mean is 0.1). Back to fixed gives the mean.
    /// - To its own family it is unchanged.
    ///
    /// ```
    /// use breakeven::stats::{Estimate, Family};
    ///
    /// let wide = Estimate::Fixed(10.0).to_family(Family::Percentiles)?;
    /// assert_eq!(wide, Estimate::Percentiles { p5: 8.0, p50: 10.0, p95: 12.0 });
    /// assert_eq!(wide.to_family(Family::Fixed)?, Estimate::Fixed(10.0));
    /// # Ok::<(), breakeven::stats::EstimateError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Estimate::check`], and [`EstimateError::CentreNotPositive`] for a log-normal about zero
    /// or less.
    pub fn to_family(&self, family: Family) -> Result<Self, EstimateError> {
        self.check()?;
        if self.family() == family {
            return Ok(self.clone());
        }
        if family == Family::Fixed {
            return Ok(Self::Fixed(self.point()));
        }
        let Moments { mean, sd, positive } = self.moments();
        // Half-width of a symmetric support `reach` standard deviations wide to each side.
        let reach = |reach: f64| if positive { (sd * reach).min(mean) } else { sd * reach };
        let around = |half: f64| (mean - half, mean + half);
        let made = match family {
            Family::Fixed => Self::Fixed(mean),
            Family::Uniform => {
                let (low, high) = around(reach(3.0_f64.sqrt()));
                Self::Uniform { low, high }
            }
            Family::Triangular => {
                let (low, high) = around(reach(6.0_f64.sqrt()));
                Self::Triangular { low, mode: mean, high }
            }
            // A symmetric PERT is Beta(3, 3), of variance 1/28 on a unit width.
            Family::Pert => {
                let (low, high) = around(reach(7.0_f64.sqrt()));
                Self::Pert { low, mode: mean, high }
            }
            // Beta(4, 4) has a standard deviation of one sixth of its width.
            Family::Beta => {
                let (low, high) = around(reach(3.0));
                Self::Beta { alpha: 4.0, beta: 4.0, low, high }
            }
            Family::Normal => Self::Normal { mean, sd },
            Family::LogNormal => log_normal(mean, sd)?,
            Family::Percentiles => self.three_percentiles(mean, sd),
            Family::Empirical => self.listed(mean, sd),
        };
        made.check()?;
        Ok(made)
    }

    /// Mean, standard deviation and sign to keep; a starting spread where there is none.
    fn moments(&self) -> Moments {
        let (mean, sd) = (self.mean(), self.sd());
        if sd > 0.0 {
            return Moments { mean, sd, positive: mean > 0.0 && self.quantile(0.0) >= 0.0 };
        }
        let (mean, half) = if mean == 0.0 {
            (STARTING_SPREAD / 2.0, STARTING_SPREAD / 2.0)
        } else {
            (mean, STARTING_SPREAD * mean.abs())
        };
        Moments { mean, sd: half / Z95, positive: mean > 0.0 }
    }

    fn three_percentiles(&self, mean: f64, sd: f64) -> Self {
        if self.is_uncertain() {
            let [p5, p50, p95] = [0.05, 0.5, 0.95].map(|u| self.quantile(u));
            let made = Self::Percentiles { p5, p50, p95 };
            // A list or a lopsided triangle may have equal or too skewed percentiles.
            if p95 - p50 < PERCENTILES_SKEW_MAX * (p50 - p5) && made.check().is_ok() {
                return made;
            }
        }
        let half = sd * Z95;
        // Rounded to about 12 digits: 20 % of 10 reads 8 and 12, not 8.000000000000002.
        Self::Percentiles { p5: tidy(mean - half), p50: mean, p95: tidy(mean + half) }
    }

    /// Evenly likely values, moved and stretched to have the mean and standard deviation exactly.
    fn listed(&self, mean: f64, sd: f64) -> Self {
        let source = if self.is_uncertain() { self.clone() } else { Self::Normal { mean, sd } };
        let mid = |i: usize| (i as f64 + 0.5) / LIST_LENGTH as f64;
        let raw: Vec<f64> = (0..LIST_LENGTH).map(|i| source.quantile(mid(i))).collect();
        let list = Self::Empirical(raw.clone());
        let (centre, width) = (list.mean(), list.sd());
        let stretch = if width > 0.0 { sd / width } else { 1.0 };
        let moved = |stretch: f64| raw.iter().map(|x| mean + (x - centre) * stretch).collect::<Vec<f64>>();
        let wide = moved(stretch);
        let falls_below = source.quantile(0.0) >= 0.0 && step(&wide, 0.0) < 0.0;
        Self::Empirical(if falls_below { moved(1.0) } else { wide })
    }
}

struct Moments {
    mean: f64,
    sd: f64,
    positive: bool,
}

/// By moments: `sigma^2 = ln(1 + (sd / mean)^2)`.
fn log_normal(mean: f64, sd: f64) -> Result<Estimate, EstimateError> {
    if mean <= 0.0 {
        return Err(EstimateError::CentreNotPositive { centre: mean });
    }
    let variance = (sd / mean).powi(2).ln_1p();
    let median = mean * (-0.5 * variance).exp();
    Ok(Estimate::LogNormal { median, p95: median * (variance.sqrt() * Z95).exp() })
}

/// `x` to twelve significant digits.
fn tidy(x: f64) -> f64 {
    format!("{x:.11e}").parse().unwrap_or(x)
}
