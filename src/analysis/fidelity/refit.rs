//! Fitting the constants anew to measurements of one's own.
//!
//! A handful of rows cannot settle thirty constants. Six factors are fitted, each on a group of constants that belong
//! together: streaming, compute, overheads, collectives, TTFT, and one stream. They minimise the squared logarithm of
//! predicted over measured, and a factor has to earn its place: it is drawn to 1 as if one more row had said so.

use serde::Serialize;

use super::{Compared, Measured, predict_with};
use crate::catalog::Catalog;
use crate::serving::{ByEngine, Calibration};

/// A group of constants that moves as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Factor {
    /// Shares of the bandwidth.
    Streaming,
    /// Shares of the peak.
    Compute,
    /// Host and launch overheads, and activations.
    Overheads,
    /// Latency of collectives, and the reciprocal of the share of the link.
    Collectives,
    /// Time to first token beyond prefill.
    FirstToken,
    /// Rate of one stream on one machine.
    OneStream,
}

impl Factor {
    /// All of them, in the order of [`Refit::factors`].
    pub const ALL: &[Self] = &[
        Self::Streaming,
        Self::Compute,
        Self::Overheads,
        Self::Collectives,
        Self::FirstToken,
        Self::OneStream,
    ];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Streaming => "streaming",
            Self::Compute => "compute",
            Self::Overheads => "overheads",
            Self::Collectives => "collectives",
            Self::FirstToken => "first token",
            Self::OneStream => "one stream",
        }
    }
}

/// The result of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Refit {
    /// The constants.
    pub calibration: Calibration,
    /// Factor on each group, in the order of [`Factor::ALL`].
    pub factors: [f64; COUNT],
    /// Rows with the constants before.
    pub before: Vec<Compared>,
    /// Rows with the constants after.
    pub after: Vec<Compared>,
    /// File and reason of rows that were not used.
    pub left_out: Vec<(String, String)>,
}

const COUNT: usize = 6;

/// Weight of the pull to 1, in rows: a factor of 1.28 costs as much as a row that is 28 % off.
const PULL: f64 = 1.0;

/// Rounds of Gauss-Newton; the problem is nearly linear in logarithms.
const ROUNDS: usize = 12;

/// Step of the numeric derivative, in logarithms.
const STEP: f64 = 1e-3;

/// Bounds of each factor, in logarithms: 1/4 to 4.
const BOUND: f64 = 1.386;

fn scaled(base: &Calibration, x: &[f64; COUNT]) -> Calibration {
    let f: Vec<f64> = x.iter().map(|x| x.exp()).collect();
    let mut c = base.clone();
    let s = &mut c.serving;
    for share in [&mut s.stream_16, &mut s.stream_8, &mut s.stream_4, &mut s.stream_kv, &mut s.stream_experts]
    {
        *share = (*share * f[0]).min(1.0);
    }
    for share in [
        &mut s.compute_16,
        &mut s.compute_8,
        &mut s.compute_4,
        &mut s.compute_widened,
        &mut s.compute_attention,
    ] {
        *share = (*share * f[1]).min(1.0);
    }
    let all = |by: &mut ByEngine, f: f64| {
        for secs in [&mut by.trtllm, &mut by.vllm, &mut by.sglang, &mut by.lmdeploy] {
            *secs *= f;
        }
    };
    all(&mut s.layer_secs, f[2]);
    all(&mut s.step_secs, f[2]);
    all(&mut s.sequence_secs, f[2]);
    s.sequence_secs_compiled *= f[2];
    s.expert_layer_secs *= f[2];
    s.latent_layer_secs *= f[2];
    s.activation_passes *= f[2];
    s.all_reduce_secs *= f[3];
    s.all_reduce_pcie_secs *= f[3];
    s.all_to_all_secs *= f[3];
    s.link = (s.link / f[3]).min(1.0);
    s.link_pcie = (s.link_pcie / f[3]).min(1.0);
    all(&mut s.ttft_secs, f[4]);
    s.ttft_prefill *= f[4];
    s.ttft_wave *= f[4];
    let l = &mut c.local;
    for share in [&mut l.stream_16, &mut l.stream_8, &mut l.stream_4, &mut l.prefill, &mut l.prefill_apple] {
        *share *= f[5];
    }
    for secs in [&mut l.layer_hbm_secs, &mut l.layer_gddr_secs, &mut l.layer_other_secs] {
        *secs /= f[5];
    }
    c
}

/// ln(predicted / measured) of every figure of a row; TTFT counts less: it is mostly the client's doing.
fn residuals(row: &Measured, calibration: &Calibration) -> Vec<f64> {
    const TTFT_WEIGHT: f64 = 0.4;
    let Ok(predicted) = predict_with(row, Catalog::shipped(), calibration) else { return Vec::new() };
    let (p, m) = (&predicted.figures, &row.published);
    let ln = |p: Option<f64>, m: Option<f64>, weight: f64| {
        let ratio = p? / m?;
        (ratio.is_finite() && ratio > 0.0).then(|| weight * ratio.ln())
    };
    [
        ln(p.tokens_per_sec, m.tokens_per_sec, 1.0),
        ln(p.tpot_secs, m.tpot_secs, 1.0),
        ln(p.ttft_secs, m.ttft_secs, TTFT_WEIGHT),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Fits the factors to rows.
///
/// - Returns `None` if not one row can be predicted.
#[must_use]
pub fn refit(rows: &[Measured], base: &Calibration, fitted: &str) -> Option<Refit> {
    let usable: Vec<&Measured> = rows.iter().filter(|row| !residuals(row, base).is_empty()).collect();
    if usable.is_empty() {
        return None;
    }
    let at = |x: &[f64; COUNT]| -> Vec<f64> {
        let c = scaled(base, x);
        let mut r: Vec<f64> = usable.iter().flat_map(|row| residuals(row, &c)).collect();
        r.extend(x.iter().map(|x| PULL.sqrt() * x));
        r
    };
    // Soft-L1 on 12 %: a wild row pulls as hard as one that is somewhat off.
    let cost = |r: &[f64]| r.iter().map(|r| (1.0 + (r / 0.12).powi(2)).sqrt() - 1.0).sum::<f64>();
    let mut x = [0.0; COUNT];
    let mut here = at(&x);
    for _ in 0..ROUNDS {
        let weights: Vec<f64> = here.iter().map(|r| 1.0 / (1.0 + (r / 0.12).powi(2)).sqrt()).collect();
        let columns: Vec<Vec<f64>> = (0..COUNT)
            .map(|i| {
                let mut y = x;
                y[i] += STEP;
                at(&y).iter().zip(&here).map(|(a, b)| (a - b) / STEP).collect()
            })
            .collect();
        let dot = |a: &[f64], b: &[f64]| -> f64 {
            a.iter().zip(b).zip(&weights).map(|((a, b), w)| a * b * w).sum()
        };
        let mut matrix = [[0.0; COUNT + 1]; COUNT];
        for (i, row) in matrix.iter_mut().enumerate() {
            for (j, column) in columns.iter().enumerate() {
                row[j] = dot(&columns[i], column);
            }
            row[i] += 1e-9;
            row[COUNT] = -dot(&columns[i], &here);
        }
        let step = solve(matrix);
        let mut length = 1.0;
        let better = loop {
            let mut y = x;
            for (y, step) in y.iter_mut().zip(&step) {
                *y = (*y + length * step).clamp(-BOUND, BOUND);
            }
            let there = at(&y);
            if there.len() == here.len() && cost(&there) < cost(&here) {
                break Some((y, there));
            }
            length *= 0.5;
            if length < 1e-3 {
                break None;
            }
        };
        let Some((y, there)) = better else { break };
        let moved = y.iter().zip(&x).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        (x, here) = (y, there);
        if moved < 1e-5 {
            break;
        }
    }
    let mut calibration = scaled(base, &x);
    calibration.fitted = fitted.to_owned();
    calibration.source = format!("{} rows of your own, on top of: {}", usable.len(), base.source);
    let compared = |c: &Calibration| -> Vec<Compared> {
        usable
            .iter()
            .filter_map(|row| {
                let predicted = predict_with(row, Catalog::shipped(), c).ok()?;
                Some(Compared { row: (*row).clone(), predicted })
            })
            .collect()
    };
    let left_out = rows
        .iter()
        .filter_map(|row| {
            let reason = predict_with(row, Catalog::shipped(), base).err()?;
            Some((row.file.clone(), format!("line {}: {reason}", row.line)))
        })
        .collect();
    let (before, after) = (compared(base), compared(&calibration));
    Some(Refit { factors: x.map(f64::exp), before, after, left_out, calibration })
}

/// Gaussian elimination with pivots; a column without one is left at zero.
fn solve(mut m: [[f64; COUNT + 1]; COUNT]) -> [f64; COUNT] {
    for i in 0..COUNT {
        let pivot = (i..COUNT).max_by(|a, b| m[*a][i].abs().total_cmp(&m[*b][i].abs())).unwrap_or(i);
        m.swap(i, pivot);
        if m[i][i].abs() < 1e-30 {
            continue;
        }
        for j in 0..COUNT {
            if j != i {
                let share = m[j][i] / m[i][i];
                let row = m[i];
                for (to, from) in m[j].iter_mut().zip(row) {
                    *to -= share * from;
                }
            }
        }
    }
    std::array::from_fn(|i| if m[i][i].abs() < 1e-30 { 0.0 } else { m[i][COUNT] / m[i][i] })
}

#[cfg(test)]
mod tests {
    use super::super::{Figures, Load};
    use super::*;

    fn row(users: f64) -> Measured {
        Measured {
            file: "own.csv".to_owned(),
            line: 2,
            model: "llama-3.1-8b".to_owned(),
            gpu: "h100".to_owned(),
            engine: "vllm".to_owned(),
            version: String::new(),
            year: Some(2026.0),
            weights: "bf16".to_owned(),
            kv: None,
            gpus: 1.0,
            parallel: Some((1, 1, 1)),
            expert_parallel: false,
            input: 1024.0,
            output: 256.0,
            output_nominal: 256.0,
            beams: 1.0,
            drafts: false,
            rows_split: false,
            load: Load::Concurrency(users),
            published: Figures::default(),
        }
    }

    #[test]
    fn a_machine_whose_overheads_are_twice_as_long_is_found_out() {
        let base = Calibration::shipped();
        let truth = scaled(base, &[0.0, 0.0, 2.0_f64.ln(), 0.0, 0.0, 0.0]);
        // A small model feels overheads, a large one the bandwidth: together they tell the two apart.
        let users = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
        let rows: Vec<Measured> = ["llama-3.2-1b", "llama-3.1-8b", "qwen3-32b"]
            .into_iter()
            .flat_map(|model| users.map(|users| (model, users)))
            .map(|(model, users)| {
                let mut row = Measured { model: model.to_owned(), ..row(users) };
                row.published = predict_with(&row, Catalog::shipped(), &truth).unwrap().figures;
                row
            })
            .collect();
        let fit = refit(&rows, base, "2026-11-24").unwrap();
        let worst = |rows: &[Compared]| {
            rows.iter()
                .map(|c| {
                    (c.predicted.figures.tpot_secs.unwrap() / c.row.published.tpot_secs.unwrap()).ln().abs()
                })
                .fold(0.0, f64::max)
        };
        assert!(
            worst(&fit.before) > 0.1 && worst(&fit.after) < 0.05,
            "{} {}",
            worst(&fit.before),
            worst(&fit.after)
        );
        assert!((1.3..2.6).contains(&fit.factors[2]), "{:?}", fit.factors);
    }

    #[test]
    fn rows_that_agree_change_nothing() {
        let base = Calibration::shipped();
        let mut exact = row(8.0);
        exact.published = predict_with(&exact, Catalog::shipped(), base).unwrap().figures;
        let fit = refit(&[exact], base, "2026-11-24").unwrap();
        assert!(fit.factors.iter().all(|f| (f - 1.0).abs() < 1e-6), "{:?}", fit.factors);
        assert!(refit(&[], base, "2026-11-24").is_none());
    }
}
