//! Fitting the constants anew to measurements of one's own.
//!
//! A handful of rows cannot settle thirty constants. Six factors are fitted, each on a group of constants that belong
//! together: streaming, compute, overheads, collectives, TTFT, and one stream. They minimise the squared logarithm of
//! predicted over measured, and a factor has to earn its place: it is drawn to 1 as if one more row had said so.

use serde::Serialize;

use super::Resolved;
use super::fit::{least_squares, push, soft};
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
}

const COUNT: usize = 6;

/// Weight of the pull to 1, in rows: a factor of 1.28 costs as much as a row that is 28 % off.
const PULL: f64 = 1.0;

/// Bounds of each factor, in logarithms: 1/4 to 4.
const BOUND: f64 = 1.386;

fn scaled(base: &Calibration, x: &[f64]) -> Calibration {
    let f: Vec<f64> = x.iter().map(|x| x.clamp(-BOUND, BOUND).exp()).collect();
    let mut c = base.clone();
    let s = &mut c.serving;
    for share in [&mut s.stream_16, &mut s.stream_narrow, &mut s.stream_kv, &mut s.stream_experts] {
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
    for secs in [&mut l.layer_cuda_secs, &mut l.layer_other_secs] {
        *secs /= f[5];
    }
    c
}

/// Fits the factors to rows.
///
/// - Returns `None` if not one row can be predicted.
#[must_use]
pub fn refit(rows: &[&Resolved<'_>], base: &Calibration) -> Option<Refit> {
    let usable: Vec<&Resolved<'_>> = rows.iter().copied().filter(|row| row.figures(base).is_ok()).collect();
    if usable.is_empty() {
        return None;
    }
    let residuals = |x: &[f64]| -> Vec<f64> {
        let calibration = scaled(base, x);
        let mut residuals = Vec::with_capacity(3 * usable.len() + COUNT);
        for row in &usable {
            push(&mut residuals, row, &row.figures(&calibration).unwrap_or_default(), 1.0);
        }
        residuals.extend(x.iter().map(|x| PULL.sqrt() * soft(*x)));
        residuals
    };
    let x = least_squares(&[0.0; COUNT], &residuals);
    let mut calibration = scaled(base, &x);
    calibration.rows = u32::try_from(usable.len()).unwrap_or(u32::MAX);
    calibration.source = format!("{} rows of your own, on top of: {}", usable.len(), base.source);
    let factor = |i: usize| x.get(i).map_or(1.0, |x| x.clamp(-BOUND, BOUND).exp());
    Some(Refit { factors: std::array::from_fn(factor), calibration })
}

#[cfg(test)]
mod tests {
    use super::super::{Figures, Load, Measured, predict_with};
    use super::*;
    use crate::catalog::Catalog;

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
        let fit = refitted(&rows, base).unwrap();
        let worst = |c: &Calibration| {
            rows.iter()
                .map(|row| {
                    let predicted = predict_with(row, Catalog::shipped(), c).unwrap().figures;
                    (predicted.tpot_secs.unwrap() / row.published.tpot_secs.unwrap()).ln().abs()
                })
                .fold(0.0, f64::max)
        };
        let (before, after) = (worst(base), worst(&fit.calibration));
        assert!(before > 0.1 && after < 0.05, "{before} {after}");
        assert!((1.3..2.6).contains(&fit.factors[2]), "{:?}", fit.factors);
    }

    fn refitted(rows: &[Measured], base: &Calibration) -> Option<Refit> {
        let known: Vec<Resolved<'_>> =
            rows.iter().map(|row| Resolved::of(row, Catalog::shipped()).unwrap()).collect();
        refit(&known.iter().collect::<Vec<_>>(), base)
    }

    #[test]
    fn rows_that_agree_change_nothing() {
        let base = Calibration::shipped();
        let mut exact = row(8.0);
        exact.published = predict_with(&exact, Catalog::shipped(), base).unwrap().figures;
        let fit = refitted(&[exact], base).unwrap();
        assert!(fit.factors.iter().all(|f| (f - 1.0).abs() < 1e-6), "{:?}", fit.factors);
        assert!(refit(&[], base).is_none());
    }
}
