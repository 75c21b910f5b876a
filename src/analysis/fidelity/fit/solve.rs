//! The least squares themselves.

use std::collections::BTreeMap;

use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::storage::Owned;
use nalgebra::{DMatrix, DVector, Dyn};

use super::super::{Figures, Load, Resolved};
use super::constants::{BATCHES, Constant, KERNELS, STREAMS, neutral};
use crate::serving::Calibration;

/// A fit.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The constants.
    pub calibration: Calibration,
    /// Rows that it was fitted to.
    pub rows: usize,
}

/// An error up to which rows pull in proportion; beyond it they all pull alike. ln(1.12).
const SOFT: f64 = 0.113;

/// A time to first token counts less: most of it is the client's doing.
const TTFT_WEIGHT: f64 = 0.35;

/// Weight of the pull to the start: a constant that is off by a factor of two costs as much as half a row that is.
const PULL: f64 = 0.5;

/// Step of the numeric derivative on the line.
const STEP: f64 = 1e-2;

/// Evaluations of the Jacobian at most, times parameters: as the solver counts patience.
const PATIENCE: usize = 40;

/// A figure that should have come out and did not costs as much as one that is four times off.
const MISSING: f64 = 1.386;

/// Fits every constant: those of batches to rows in batches, those of one stream to the others.
///
/// - Returns the neutral start where there are no rows.
#[must_use]
pub fn fit(rows: &[&Resolved<'_>]) -> Fit {
    let mut calibration = neutral();
    let (kernels, rest): (Vec<_>, Vec<_>) = rows.iter().copied().partition(|row| row.is_kernel());
    let (streams, batches): (Vec<_>, Vec<_>) = rest.into_iter().partition(|row| row.is_stream());
    for (rows, constants) in [(&streams, STREAMS), (&batches, BATCHES), (&kernels, KERNELS)] {
        if !rows.is_empty() {
            calibration = solved(rows, constants, calibration);
        }
    }
    calibration.rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    Fit { calibration, rows: rows.len() }
}

fn solved(rows: &[&Resolved<'_>], constants: &'static [Constant], base: Calibration) -> Calibration {
    let start: Vec<f64> = constants.iter().map(|c| c.place_of(c.start)).collect();
    let problem = Problem { rows, weights: weights(rows), constants, base };
    problem.rounded(&least_squares(&start, &|x| problem.residuals(x)))
}

/// Rows count by 1 / sqrt(n) of their table and regime, 1 in the mean: thousands of one kind do not drown the others.
fn weights(rows: &[&Resolved<'_>]) -> Vec<f64> {
    let kind = |row: &Resolved<'_>| (row.row.file.clone(), row.row.load.regime());
    let mut counts: BTreeMap<_, f64> = BTreeMap::new();
    for row in rows {
        *counts.entry(kind(row)).or_default() += 1.0;
    }
    let all: f64 = counts.values().map(|n| n.sqrt()).sum();
    let scale = rows.len() as f64 / all.max(1e-9);
    rows.iter().map(|row| scale / counts.get(&kind(row)).copied().unwrap_or(1.0).sqrt()).collect()
}

struct Problem<'a> {
    rows: &'a [&'a Resolved<'a>],
    weights: Vec<f64>,
    constants: &'static [Constant],
    base: Calibration,
}

impl Problem<'_> {
    fn calibration(&self, x: &[f64]) -> Calibration {
        let mut calibration = self.base.clone();
        for (constant, u) in self.constants.iter().zip(x) {
            *(constant.of)(&mut calibration) = constant.value_at(*u);
        }
        calibration
    }

    /// With four digits of each constant: more is noise, and a file is to be read.
    fn rounded(&self, x: &[f64]) -> Calibration {
        let mut calibration = self.calibration(x);
        for constant in self.constants {
            let value = (constant.of)(&mut calibration);
            *value = format!("{value:.3e}").parse().unwrap_or(*value);
        }
        calibration
    }

    fn residuals(&self, x: &[f64]) -> Vec<f64> {
        let calibration = self.calibration(x);
        let mut residuals = Vec::with_capacity(3 * self.rows.len() + self.constants.len());
        for (row, weight) in self.rows.iter().zip(&self.weights) {
            let predicted = row.figures(&calibration).unwrap_or_default();
            push(&mut residuals, row, &predicted, weight.sqrt());
        }
        for (constant, u) in self.constants.iter().zip(x) {
            let off = (constant.value_at(*u) / constant.start).ln();
            residuals.push(PULL.sqrt() * off);
        }
        residuals
    }
}

/// The errors of a row, in logarithms, softened and weighted; as many whatever the constants.
pub(in super::super) fn push(residuals: &mut Vec<f64>, row: &Resolved<'_>, predicted: &Figures, weight: f64) {
    let published = &row.row.published;
    // The rate of a closed loop was computed from the two times: it tells nothing new.
    let derived = matches!(row.row.load, Load::Concurrency(_)) && published.tpot_secs.is_some();
    let figures = [
        (predicted.tokens_per_sec, published.tokens_per_sec, if derived { 0.0 } else { 1.0 }),
        (predicted.tpot_secs, published.tpot_secs, 1.0),
        (predicted.ttft_secs, published.ttft_secs, TTFT_WEIGHT),
        (predicted.kernel_secs, published.kernel_secs, 1.0),
    ];
    for (predicted, published, share) in figures {
        let Some(published) = published.filter(|_| share > 0.0) else { continue };
        let error = predicted.map_or(MISSING, |p| (p / published).ln());
        let error = if error.is_finite() { error } else { MISSING };
        residuals.push(weight * share * soft(error));
    }
}

/// An error of which the square grows no faster than the error itself, once that is beyond [`SOFT`].
pub(in super::super) fn soft(error: f64) -> f64 {
    let soft = SOFT * (2.0 * ((1.0 + (error / SOFT).powi(2)).sqrt() - 1.0)).sqrt();
    soft.copysign(error)
}

/// The point at which the squares of `residuals` are least, from `start` on; derivatives are numeric, with a step of
/// [`STEP`], so that the parameters should be of the order of one.
///
/// - `residuals`: as many whatever the point, each finite.
pub(in super::super) fn least_squares(start: &[f64], residuals: &dyn Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let squares = Squares { residuals, x: DVector::from_column_slice(start) };
    let solver = LevenbergMarquardt::new().with_tol(1e-5).with_stepbound(1.0).with_patience(PATIENCE);
    let (squares, _) = solver.minimize(squares);
    squares.x.as_slice().to_vec()
}

struct Squares<'a> {
    residuals: &'a dyn Fn(&[f64]) -> Vec<f64>,
    x: DVector<f64>,
}

impl Squares<'_> {
    fn at(&self, x: &DVector<f64>) -> DVector<f64> {
        DVector::from_vec((self.residuals)(x.as_slice()))
    }
}

impl LeastSquaresProblem<f64, Dyn, Dyn> for Squares<'_> {
    type ParameterStorage = Owned<f64, Dyn>;
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, Dyn>;

    fn set_params(&mut self, x: &DVector<f64>) {
        self.x.copy_from(x);
    }

    fn params(&self) -> DVector<f64> {
        self.x.clone()
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        Some(self.at(&self.x))
    }

    fn jacobian(&self) -> Option<DMatrix<f64>> {
        let here = self.at(&self.x);
        let column = |i| {
            let mut x = self.x.clone();
            x[i] += STEP;
            (self.at(&x) - &here) / STEP
        };
        Some(DMatrix::from_columns(&(0..self.x.len()).map(column).collect::<Vec<_>>()))
    }
}
