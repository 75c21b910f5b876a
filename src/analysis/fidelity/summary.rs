//! Predicted against published, summed up.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Measured, Predicted};
use crate::stats::spearman;

/// Which figure is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Tokens per second.
    TokensPerSec,
    /// Time per output token.
    Tpot,
    /// Time to first token.
    Ttft,
    /// Time of a single kernel.
    Kernel,
}

impl Metric {
    /// All of them.
    pub const ALL: &[Self] = &[Self::TokensPerSec, Self::Tpot, Self::Ttft, Self::Kernel];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TokensPerSec => "tokens/s",
            Self::Tpot => "TPOT",
            Self::Ttft => "TTFT",
            Self::Kernel => "kernel",
        }
    }

    /// The figure, if it is there and above zero.
    #[must_use]
    pub fn of(self, figures: &super::Figures) -> Option<f64> {
        let value = match self {
            Self::TokensPerSec => figures.tokens_per_sec,
            Self::Tpot => figures.tpot_secs,
            Self::Ttft => figures.ttft_secs,
            Self::Kernel => figures.kernel_secs,
        };
        value.filter(|x| x.is_finite() && *x > 0.0)
    }
}

/// A covered row.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What was run and published.
    pub row: Measured,
    /// What is predicted.
    pub predicted: Predicted,
}

/// Rows that are not predicted, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// File.
    pub file: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub rows: usize,
}

/// Errors of one figure over a group of rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// Rows that publish the figure.
    pub rows: usize,
    /// Median of |predicted / published - 1|.
    pub median_error: f64,
    /// 90th percentile of the same.
    pub p90_error: f64,
    /// Share of rows within 10 %.
    pub within_10: f64,
    /// Share of rows within 25 %.
    pub within_25: f64,
    /// Share of rows within 30 %.
    pub within_30: f64,
    /// Share of rows within 50 %.
    pub within_50: f64,
    /// Median of predicted / published, less 1.
    pub bias: f64,
    /// Spearman's rank correlation; `None` with fewer than three rows.
    pub rank_correlation: Option<f64>,
    /// Median error of one efficiency constant on the data sheet's rates, which was fitted to these very rows.
    pub baseline_median_error: Option<f64>,
}

/// One group of rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Errors by figure.
    pub scores: BTreeMap<Metric, Scores>,
}

/// How far off the model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fidelity {
    /// Rows that were read and passed the filters.
    pub rows: usize,
    /// Rows that were predicted.
    pub covered: usize,
    /// Rows that the filters took out, by reason.
    pub filtered: Vec<LeftOut>,
    /// Rows that could not be predicted, by reason.
    pub left_out: Vec<LeftOut>,
    /// The efficiency constant of the baseline.
    pub baseline_efficiency: Option<f64>,
    /// All covered rows.
    pub overall: Group,
    /// By file.
    pub by_file: Vec<Group>,
    /// By regime, worst first.
    pub by_regime: Vec<Group>,
    /// By engine.
    pub by_engine: Vec<Group>,
    /// By GPU.
    pub by_gpu: Vec<Group>,
    /// By model.
    pub by_model: Vec<Group>,
}

/// Counts rows by file and reason.
fn counted(rows: &[(String, String)]) -> Vec<LeftOut> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (file, reason) in rows {
        *counts.entry((file, reason)).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((file, reason), rows)| LeftOut { file: file.to_owned(), reason: reason.to_owned(), rows })
        .collect()
}

/// Sums up.
///
/// - `filtered`, `left_out`: file and reason of each row that is not compared.
#[must_use]
pub fn compare(
    compared: &[Compared],
    filtered: &[(String, String)],
    left_out: &[(String, String)],
) -> Fidelity {
    let baseline = baseline_efficiency(compared);
    let group = |name: &str, rows: &[&Compared]| Group {
        name: name.to_owned(),
        scores: Metric::ALL
            .iter()
            .filter_map(|metric| scores(rows, *metric, baseline).map(|scores| (*metric, scores)))
            .collect(),
    };
    let by = |key: &dyn Fn(&Compared) -> String| {
        let mut groups: BTreeMap<String, Vec<&Compared>> = BTreeMap::new();
        for row in compared {
            groups.entry(key(row)).or_default().push(row);
        }
        groups.iter().map(|(name, rows)| group(name, rows)).collect::<Vec<_>>()
    };
    let all: Vec<&Compared> = compared.iter().collect();
    let mut by_regime = by(&|c| c.row.load.regime().to_owned());
    let worst = |g: &Group| g.scores.values().next().map_or(0.0, |s| s.median_error);
    by_regime.sort_by(|a, b| worst(b).total_cmp(&worst(a)).then_with(|| a.name.cmp(&b.name)));
    Fidelity {
        rows: compared.len() + left_out.len(),
        covered: compared.len(),
        filtered: counted(filtered),
        left_out: counted(left_out),
        baseline_efficiency: baseline,
        overall: group("all", &all),
        by_file: by(&|c| c.row.file.clone()),
        by_regime,
        by_engine: by(&|c| c.predicted.engine.label().to_owned()),
        by_gpu: by(&|c| c.predicted.gpu.clone()),
        by_model: by(&|c| c.predicted.model.clone()),
    }
}

/// The constant that takes the median of published over ideal to one.
fn baseline_efficiency(compared: &[Compared]) -> Option<f64> {
    let mut ratios: Vec<f64> = compared
        .iter()
        .filter_map(|c| {
            let published = Metric::TokensPerSec.of(&c.row.published)?;
            let ideal = c.predicted.ideal_tokens_per_sec.filter(|x| x.is_finite() && *x > 0.0)?;
            Some(published / ideal)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied()
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let index = ((sorted.len() - 1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

fn scores(rows: &[&Compared], metric: Metric, baseline: Option<f64>) -> Option<Scores> {
    let pairs: Vec<(f64, f64)> = rows
        .iter()
        .filter_map(|c| Some((metric.of(&c.predicted.figures)?, metric.of(&c.row.published)?)))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let mut ratios: Vec<f64> =
        pairs.iter().map(|(predicted, published)| predicted / published - 1.0).collect();
    ratios.sort_by(f64::total_cmp);
    let mut errors: Vec<f64> = ratios.iter().map(|x| x.abs()).collect();
    errors.sort_by(f64::total_cmp);
    let within = |bound: f64| errors.iter().filter(|e| **e <= bound).count() as f64 / errors.len() as f64;
    let (predicted, published): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let baseline_median_error = naive(rows, metric, baseline);
    Some(Scores {
        rows: pairs.len(),
        median_error: quantile(&errors, 0.5),
        p90_error: quantile(&errors, 0.9),
        within_10: within(0.10),
        within_25: within(0.25),
        within_30: within(0.30),
        within_50: within(0.50),
        bias: quantile(&ratios, 0.5),
        rank_correlation: spearman(&predicted, &published).filter(|_| pairs.len() > 2),
        baseline_median_error,
    })
}

/// Median error of one constant on the data sheet: of all rows for tokens per second, of these for kernels.
fn naive(rows: &[&Compared], metric: Metric, efficiency: Option<f64>) -> Option<f64> {
    let ratios: Vec<f64> = rows
        .iter()
        .filter_map(|c| match metric {
            Metric::TokensPerSec => Some(c.predicted.ideal_tokens_per_sec? / metric.of(&c.row.published)?),
            Metric::Kernel => Some(c.predicted.ideal_kernel_secs? / metric.of(&c.row.published)?),
            Metric::Tpot | Metric::Ttft => None,
        })
        .collect();
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(values)
    };
    let factor = match metric {
        Metric::Kernel => 1.0 / quantile(&sorted(ratios.clone())?, 0.5),
        _ => efficiency?,
    };
    let errors = ratios.into_iter().map(|ratio| (ratio * factor - 1.0).abs()).collect();
    Some(quantile(&sorted(errors)?, 0.5))
}
