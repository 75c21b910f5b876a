//! What a fit is worth: each group left out in turn, fitted without, then predicted.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::Serialize;

use super::super::{Compared, Resolved, compare};
use crate::job::{Ctl, Stopped};
use crate::serving::{Calibration, HeldOut};

/// By what rows are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Out {
    /// By GPU, as the catalogue names it.
    Gpu,
    /// By family of models, see [`family_of`].
    Family,
}

impl Out {
    /// Both.
    pub const ALL: &[Self] = &[Self::Gpu, Self::Family];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Gpu => "GPU",
            Self::Family => "family",
        }
    }

    /// The group of a row; `None` for a kernel, which is of no family.
    #[must_use]
    pub fn group(self, row: &Resolved<'_>) -> Option<String> {
        match self {
            Self::Gpu => Some(row.gpu_id.to_owned()),
            Self::Family if row.is_kernel() => None,
            Self::Family => Some(family_of(row.family)),
        }
    }
}

/// A family without its minor versions and variants: `llama3`, `llama3.1` and `llama3.3` are one, `llama2` another.
#[must_use]
pub fn family_of(family: &str) -> String {
    let digits = family.find(|c: char| c.is_ascii_digit());
    let end = digits.map_or(family.len(), |at| {
        at + family[at..].find(|c: char| !c.is_ascii_digit()).unwrap_or(family.len() - at)
    });
    family[..end].to_owned()
}

/// One group that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fold {
    /// The group.
    pub group: String,
    /// Its rows.
    pub rows: usize,
    /// Rows that the constants were fitted to.
    pub fitted_to: usize,
}

/// Every row, predicted by a fit that had not seen its group.
#[derive(Debug, Clone)]
pub struct HoldOut {
    /// By what.
    pub by: Out,
    /// The groups, in the order of their names.
    pub folds: Vec<Fold>,
    /// The rows, group by group.
    pub compared: Vec<Compared>,
    /// File and reason of rows that such a fit does not predict.
    pub left_out: Vec<(String, String)>,
}

/// Leaves each group out in turn.
///
/// - `fit`: constants from rows; it sees the rows of the other groups and nothing else.
/// - The order of threads changes nothing: folds do not know each other.
///
/// # Errors
/// [`Stopped`] if somebody asked to.
pub fn held_out(
    rows: &[Resolved<'_>],
    by: Out,
    fit: &(dyn Fn(&[&Resolved<'_>]) -> Calibration + Sync),
    ctl: &Ctl,
) -> Result<HoldOut, Stopped> {
    let rows: Vec<&Resolved<'_>> = rows.iter().filter(|row| by.group(row).is_some()).collect();
    let groups: Vec<String> =
        rows.iter().filter_map(|row| by.group(row)).collect::<BTreeSet<_>>().into_iter().collect();
    let folds: Vec<_> = groups
        .par_iter()
        .map(|group| {
            ctl.cancel.check()?;
            let (out, rest): (Vec<&Resolved<'_>>, Vec<&Resolved<'_>>) =
                rows.iter().copied().partition(|row| by.group(row).as_deref() == Some(group));
            let calibration = fit(&rest);
            ctl.progress.advance(1);
            let fold = Fold { group: group.clone(), rows: out.len(), fitted_to: rest.len() };
            Ok((fold, out.into_iter().map(|row| (row, row.predict(&calibration))).collect::<Vec<_>>()))
        })
        .collect::<Result<_, Stopped>>()?;
    let mut result = HoldOut { by, folds: Vec::new(), compared: Vec::new(), left_out: Vec::new() };
    for (fold, rows) in folds {
        result.folds.push(fold);
        for (row, predicted) in rows {
            match predicted {
                Ok(predicted) => result.compared.push(Compared { row: row.row.clone(), predicted }),
                Err(reason) => result.left_out.push((row.row.file.clone(), reason.to_string())),
            }
        }
    }
    Ok(result)
}

/// The errors of rows that were left out by regime and figure, as the file of a calibration states them, worst first.
#[must_use]
pub fn stated(out: &HoldOut) -> Vec<HeldOut> {
    let by_regime = compare(&out.compared, &[], &[]).by_regime;
    let rounded = |x: f64| (x * 1e4).round() / 1e4;
    let mut stated: Vec<HeldOut> = by_regime
        .iter()
        .flat_map(|group| group.scores.iter().map(move |(metric, scores)| (group, metric, scores)))
        .map(|(group, metric, s)| HeldOut {
            regime: group.name.clone(),
            figure: metric.label().to_owned(),
            by: out.by.label().to_owned(),
            rows: u32::try_from(s.rows).unwrap_or(u32::MAX),
            median: rounded(s.median_error),
            p90: rounded(s.p90_error),
            within_30: rounded(s.within_30),
            bias: rounded(s.bias),
            rank: s.rank_correlation.map(rounded),
        })
        .collect();
    stated.sort_by(|a, b| b.median.total_cmp(&a.median).then_with(|| a.regime.cmp(&b.regime)));
    stated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_named_up_to_its_major_version() {
        for (family, name) in [
            ("llama3.1", "llama3"),
            ("llama2", "llama2"),
            ("qwen3moe", "qwen3"),
            ("qwen2.5", "qwen2"),
            ("gpt-oss", "gpt-oss"),
            ("gptj", "gptj"),
        ] {
            assert_eq!(family_of(family), name);
        }
    }
}
