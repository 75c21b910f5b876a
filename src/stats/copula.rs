//! Rank correlation between variables, whatever their distributions.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use thiserror::Error;

use super::normal::{normal_cdf, normal_quantile};
use super::num::Num;

/// Two variables that move together, by their Spearman rank correlation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankPair {
    /// Index of one variable.
    pub a: usize,
    /// Index of the other variable.
    pub b: usize,
    /// Spearman's rank correlation, strictly between -1 and 1.
    pub rho: f64,
}

/// Why a set of rank correlations cannot be drawn, and what to write instead.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CopulaError {
    /// A pair names a variable that does not exist.
    #[error("a correlation names variable {index}, but there are {count}; name one from 0 to {count} - 1")]
    NoSuchVariable {
        /// The index named.
        index: usize,
        /// How many variables there are.
        count: usize,
    },
    /// A variable is correlated with itself.
    #[error("variable {index} is correlated with itself; name two different variables")]
    Itself {
        /// The variable.
        index: usize,
    },
    /// A correlation is not strictly between -1 and 1.
    #[error("the correlation of {a} and {b} is {rho}; write a number between -0.999 and 0.999")]
    OutOfRange {
        /// One variable.
        a: usize,
        /// The other variable.
        b: usize,
        /// The correlation found.
        rho: f64,
    },
    /// A pair is given twice with different values.
    #[error("the correlation of {a} and {b} is given as {first} and as {second}; keep one")]
    GivenTwice {
        /// One variable.
        a: usize,
        /// The other variable.
        b: usize,
        /// The value given first.
        first: f64,
        /// The value given later.
        second: f64,
    },
    /// No distribution has all of these correlations at once.
    #[error(
        "no variables can have all of these correlations at once: those of variable {variable} contradict \
         the others; multiply all by {shrink:.3} or less, or drop one of them"
    )]
    Contradictory {
        /// The variable whose correlations cannot be met.
        variable: usize,
        /// Its correlations with variables before it, strongest first: the offending pairs.
        pairs: Vec<RankPair>,
        /// Largest factor, rounded down to a thousandth, by which all correlations together become
        /// possible.
        shrink: f64,
    },
}

/// A Gaussian copula: turns independent uniforms into uniforms with given rank correlations.
///
/// The normal scores get the correlation matrix `R_ij = 2 sin(pi rho_ij / 6)`, under which uniforms have
/// Spearman correlation `rho_ij` exactly (Kruskal, JASA 53, 1958). Pairs not listed have correlation 0.
/// A variable that is in no pair, or only the first of its group, passes through unchanged to the bit,
/// so that adding a correlation re-rolls no other variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Copula {
    /// The correlated variables in increasing order, each with its row of the Cholesky factor.
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    variable: usize,
    /// Weights of the scores of the correlated variables up to this one, its own last.
    weights: Vec<f64>,
    /// Whether its value is its own uniform alone.
    free: bool,
}

impl Copula {
    /// The copula of `count` variables.
    ///
    /// # Errors
    /// A pair that is not a pair of variables, and correlations that contradict each other, with the
    /// offending pairs and the factor by which all would have to shrink.
    pub fn new(count: usize, pairs: &[RankPair]) -> Result<Self, CopulaError> {
        let rhos = distinct(count, pairs)?;
        let mut variables: Vec<usize> = rhos.keys().flat_map(|(a, b)| [*a, *b]).collect();
        variables.sort_unstable();
        variables.dedup();
        match factor(&variables, &rhos, 1.0) {
            Ok(rows) => Ok(Self { rows }),
            Err(variable) => {
                let mut pairs: Vec<RankPair> = rhos
                    .iter()
                    .filter(|((_, b), _)| *b == variable)
                    .map(|((a, b), rho)| RankPair { a: *a, b: *b, rho: *rho })
                    .collect();
                pairs.sort_by(|x, y| y.rho.abs().total_cmp(&x.rho.abs()));
                Err(CopulaError::Contradictory { variable, pairs, shrink: shrink(&variables, &rhos) })
            }
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_independent(&self) -> bool {
        self.rows.iter().all(|row| row.free)
    }

    /// Correlates one draw of all variables in place; `uniforms[v]` belongs to variable `v`.
    ///
    /// `scores` is scratch space, to spare an allocation per draw. Variables beyond the end of `uniforms`
    /// are left out.
    pub fn apply<N: Num>(&self, uniforms: &mut [N], scores: &mut Vec<N>) {
        scores.clear();
        for row in &self.rows {
            let Some(slot) = uniforms.get_mut(row.variable) else { return };
            scores.push(normal_quantile(*slot));
            if !row.free {
                let terms = row.weights.iter().zip(&*scores);
                let score = terms.fold(N::of(0.0), |sum, (weight, z)| sum + *z * *weight);
                *slot = normal_cdf(score).map(inside);
            }
        }
    }

    /// Correlates many draws in place; `columns[v][i]` is draw `i` of variable `v`. The same numbers as
    /// [`Copula::apply`] draw by draw.
    pub fn apply_columns(&self, columns: &mut [Vec<f64>]) {
        let mut scores: Vec<Vec<f64>> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let Some(column) = columns.get_mut(row.variable) else { return };
            scores.push(column.iter().map(|u| normal_quantile(*u)).collect());
            if !row.free {
                for (i, slot) in column.iter_mut().enumerate() {
                    let score: f64 = row
                        .weights
                        .iter()
                        .zip(&scores)
                        .map(|(w, z)| w * z.get(i).copied().unwrap_or(0.0))
                        .sum();
                    *slot = inside(normal_cdf(score));
                }
            }
        }
    }
}

fn inside(u: f64) -> f64 {
    super::law::inside(u)
}

/// The correlations by ordered pair, checked one by one.
fn distinct(count: usize, pairs: &[RankPair]) -> Result<BTreeMap<(usize, usize), f64>, CopulaError> {
    let mut rhos = BTreeMap::new();
    for &RankPair { a, b, rho } in pairs {
        if let Some(index) = [a, b].into_iter().find(|index| *index >= count) {
            return Err(CopulaError::NoSuchVariable { index, count });
        }
        if a == b {
            return Err(CopulaError::Itself { index: a });
        }
        if rho.is_nan() || rho.abs() >= 1.0 {
            return Err(CopulaError::OutOfRange { a, b, rho });
        }
        if let Some(first) = rhos.insert((a.min(b), a.max(b)), rho)
            && first != rho
        {
            return Err(CopulaError::GivenTwice { a, b, first, second: rho });
        }
    }
    Ok(rhos)
}

/// Cholesky rows of the score correlations with all `rhos` times `shrink`; on failure the variable whose
/// remaining variance is not above rounding.
fn factor(variables: &[usize], rhos: &BTreeMap<(usize, usize), f64>, shrink: f64) -> Result<Vec<Row>, usize> {
    const VARIANCE_MIN: f64 = 1e-10;
    let mut rows: Vec<Row> = Vec::with_capacity(variables.len());
    for &variable in variables {
        let mut weights: Vec<f64> = Vec::with_capacity(rows.len() + 1);
        let mut variance = 1.0;
        for earlier in &rows {
            let rho = rhos.get(&(earlier.variable, variable)).copied().unwrap_or(0.0) * shrink;
            let target = 2.0 * (PI * rho / 6.0).sin();
            let known: f64 = earlier.weights.iter().zip(&weights).map(|(a, b)| a * b).sum();
            let own = earlier.weights.last().copied().unwrap_or(1.0);
            let weight = (target - known) / own;
            variance -= weight * weight;
            weights.push(weight);
        }
        if variance < VARIANCE_MIN {
            return Err(variable);
        }
        let free = weights.iter().all(|weight| *weight == 0.0);
        weights.push(variance.sqrt());
        rows.push(Row { variable, weights, free });
    }
    Ok(rows)
}

/// The largest factor that makes the correlations possible, to a thousandth, from below.
fn shrink(variables: &[usize], rhos: &BTreeMap<(usize, usize), f64>) -> f64 {
    const STEPS: u32 = 1000;
    let possible = |k: u32| factor(variables, rhos, f64::from(k) / f64::from(STEPS)).is_ok();
    // The possible factors are an interval from 0, up to the curvature of the sine: halve.
    let (mut low, mut high) = (0, STEPS);
    while high - low > 1 {
        let middle = u32::midpoint(low, high);
        if possible(middle) { low = middle } else { high = middle }
    }
    f64::from(low) / f64::from(STEPS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Stream, spearman};

    const N: usize = 20_000;

    fn columns(count: usize) -> Vec<Vec<f64>> {
        (0..count)
            .map(|v| {
                let mut column = vec![0.0; N];
                Stream::new(5, &v.to_string()).fill(0, &mut column);
                column
            })
            .collect()
    }

    fn pair(a: usize, b: usize, rho: f64) -> RankPair {
        RankPair { a, b, rho }
    }

    #[test]
    fn the_rank_correlation_asked_for_is_the_one_achieved() {
        let pairs = [pair(0, 1, 0.8), pair(1, 2, -0.5), pair(3, 0, 0.2)];
        let mut columns = columns(5);
        Copula::new(5, &pairs).unwrap().apply_columns(&mut columns);
        for RankPair { a, b, rho } in pairs {
            let got = spearman(&columns[a], &columns[b]).unwrap();
            // Standard error of a rank correlation is about (1 - rho^2) / sqrt(n) * 1.06.
            assert!((got - rho).abs() < 5.0 / (N as f64).sqrt(), "{a} {b}: asked {rho}, got {got}");
        }
        for unlisted in [(0, 2), (4, 0), (2, 3)] {
            let got = spearman(&columns[unlisted.0], &columns[unlisted.1]).unwrap();
            assert!(got.abs() < 5.0 / (N as f64).sqrt(), "{unlisted:?} {got}");
        }
    }

    #[test]
    fn every_variable_stays_uniform() {
        let mut columns = columns(3);
        Copula::new(3, &[pair(0, 2, 0.9)]).unwrap().apply_columns(&mut columns);
        let mut u = columns[2].clone();
        u.sort_by(f64::total_cmp);
        let ks = u.iter().enumerate().map(|(i, u)| (u - i as f64 / N as f64).abs()).fold(0.0, f64::max);
        assert!(ks < 1.95 / (N as f64).sqrt(), "KS {ks}");
        assert!(u.iter().all(|u| *u > 0.0 && *u < 1.0));
    }

    #[test]
    fn variables_without_correlation_do_not_change_by_a_bit() {
        let before = columns(5);
        let mut after = before.clone();
        let copula = Copula::new(5, &[pair(1, 3, 0.7), pair(0, 4, 0.0)]).unwrap();
        copula.apply_columns(&mut after);
        for free in [0, 1, 2, 4] {
            assert_eq!(before[free], after[free], "variable {free}");
        }
        assert_ne!(before[3], after[3]);
        assert!(Copula::new(3, &[]).unwrap().is_independent());
    }

    #[test]
    fn one_draw_at_a_time_gives_the_same_numbers() {
        let copula = Copula::new(3, &[pair(0, 1, 0.5), pair(1, 2, 0.5)]).unwrap();
        let before = columns(3);
        let mut after = before.clone();
        copula.apply_columns(&mut after);
        let mut scores = Vec::new();
        for i in 0..100 {
            let mut draw = [before[0][i], before[1][i], before[2][i]];
            copula.apply(&mut draw, &mut scores);
            assert_eq!(draw, [after[0][i], after[1][i], after[2][i]]);
        }
    }

    #[test]
    fn contradictory_correlations_name_the_pairs_and_a_factor_that_works() {
        let pairs = [pair(0, 1, 0.9), pair(1, 2, 0.9), pair(0, 2, -0.9)];
        let Err(CopulaError::Contradictory { variable, pairs: found, shrink }) = Copula::new(3, &pairs)
        else {
            panic!("should be refused")
        };
        assert_eq!(variable, 2);
        assert_eq!(found.len(), 2);
        let with = |k: f64| Copula::new(3, &pairs.map(|p| RankPair { rho: p.rho * k, ..p }));
        assert!(with(shrink).is_ok(), "{shrink}");
        assert!(with(shrink + 0.002).is_err(), "{shrink}");
    }

    #[test]
    fn a_pair_that_is_no_pair_is_refused() {
        let check = |pairs: &[RankPair]| Copula::new(2, pairs).unwrap_err();
        assert!(matches!(check(&[pair(0, 2, 0.1)]), CopulaError::NoSuchVariable { index: 2, count: 2 }));
        assert!(matches!(check(&[pair(1, 1, 0.1)]), CopulaError::Itself { index: 1 }));
        assert!(matches!(check(&[pair(0, 1, 1.0)]), CopulaError::OutOfRange { .. }));
        assert!(matches!(check(&[pair(0, 1, f64::NAN)]), CopulaError::OutOfRange { .. }));
        assert!(matches!(check(&[pair(0, 1, 0.1), pair(1, 0, 0.2)]), CopulaError::GivenTwice { .. }));
    }
}
