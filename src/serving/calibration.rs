//! The calibrated constants of the serving model: what they are, where they were fitted, and how far off they are.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::kernels::KernelConstants;
use crate::stats::{Z95, normal_quantile};

/// Constants, their fit and their errors. Ships as `presets/calibration.ron`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of the form of the file.
    pub schema: u32,
    /// Day of the fit.
    pub fitted: String,
    /// Rows that it was fitted to.
    pub rows: u32,
    /// What the rows are and how it was fitted.
    pub source: String,
    /// Errors on rows that were not fitted to, worst first.
    pub held_out: Vec<HeldOut>,
    /// Serving in batches.
    pub serving: ServingConstants,
    /// One stream at a time.
    pub local: LocalConstants,
    /// Single kernels and collectives.
    pub kernels: KernelConstants,
}

/// Error of one regime on rows of GPUs or families that the fit had not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    /// Regime.
    pub regime: String,
    /// Which figure: `tokens/s`, `TPOT`, `TTFT`.
    pub figure: String,
    /// What was left out: a GPU or a family at a time.
    pub by: String,
    /// Rows.
    pub rows: u32,
    /// Median of the absolute relative errors.
    pub median: f64,
    /// 90th percentile of the same.
    pub p90: f64,
    /// Share of rows within 30 %.
    pub within_30: f64,
    /// Median of predicted over published, less one.
    pub bias: f64,
    /// Spearman's rank correlation of predicted and published.
    pub rank: Option<f64>,
}

/// Constants of serving in batches. Shares are of the data sheet's dense figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServingConstants {
    /// Share of the bandwidth that weights of 16 bit are streamed at.
    pub stream_16: f64,
    /// The same, 8 and 4 bit.
    pub stream_narrow: f64,
    /// The same, KV in decode attention.
    pub stream_kv: f64,
    /// Routed experts: factor on the shares above.
    pub stream_experts: f64,
    /// Routed experts of 4 bit where the hardware has no 4 bit arithmetic: factor on top.
    pub stream_experts_widened: f64,
    /// Factor on all of these for GDDR and LPDDR, which lose less than HBM to refreshes and turns of the bus.
    pub stream_gddr: f64,
    /// Exponent of the board power per peak rate: what clock the power allows under load, see [`super::GpuFacts::clock`].
    pub compute_power: f64,
    /// Factor on the shares below for GDDR cards.
    pub compute_gddr: f64,
    /// Share of the peak that 16 bit GEMMs reach.
    pub compute_16: f64,
    /// The same, 8 bit on hardware that has it.
    pub compute_8: f64,
    /// The same, 4 bit on hardware that has it.
    pub compute_4: f64,
    /// Share of the 16 bit peak where a narrower format is widened first.
    pub compute_widened: f64,
    /// Routed experts: factor on the shares above.
    pub compute_experts: f64,
    /// Share of the 16 bit peak that attention reaches.
    pub compute_attention: f64,
    /// Exponent of the smooth maximum of memory and compute, 16 bit.
    pub knee: f64,
    /// The same for narrower weights, whose activations are narrowed first.
    pub knee_narrow: f64,
    /// Activations read and written per token and layer, in units of the width (16 bit each).
    pub activation_passes: f64,
    /// The same per token, layer and chosen expert.
    pub expert_passes: f64,
    /// Tokens that count as independent in the draw of experts: routing is skewed.
    pub routing_skew: f64,
    /// Slowest over mean expert rank.
    pub expert_imbalance: f64,
    /// Latency of one all-reduce over NVLink or its like, two GPUs, in seconds.
    pub all_reduce_secs: f64,
    /// The same over PCIe.
    pub all_reduce_pcie_secs: f64,
    /// Growth of that latency with each doubling of the GPUs.
    pub all_reduce_growth: f64,
    /// Share of the link that collectives reach.
    pub link: f64,
    /// The same over PCIe.
    pub link_pcie: f64,
    /// Exponent by which that share falls with the GPUs beyond two: all go through the same host.
    pub link_pcie_crowd: f64,
    /// Latency of one all-to-all, in seconds.
    pub all_to_all_secs: f64,
    /// Kernel and launch overhead of a layer in 2026, in seconds, by engine.
    pub layer_secs: ByEngine,
    /// More for a layer in a step with prompts, which runs without a graph, in seconds.
    pub prompt_layer_secs: f64,
    /// The same for a layer with latent attention, on top.
    pub prompt_latent_layer_secs: f64,
    /// More for a layer with experts, in seconds.
    pub expert_layer_secs: f64,
    /// The same where 4 bit experts are widened first, on top.
    pub widened_layer_secs: f64,
    /// More for a layer with latent attention, in seconds.
    pub latent_layer_secs: f64,
    /// Host overhead of a step in 2026, in seconds, by engine.
    pub step_secs: ByEngine,
    /// Host overhead of a sequence and step in 2026, in seconds, by engine.
    pub sequence_secs: ByEngine,
    /// TensorRT-LLM before its PyTorch backend (mid 2025): host overhead of a sequence and step, in seconds.
    pub sequence_secs_compiled: f64,
    /// Overheads fall by `exp(-rate)` a year, TensorRT-LLM.
    pub maturing_trtllm: f64,
    /// The same, other engines.
    pub maturing: f64,
    /// AMD: factor on compute.
    pub amd_compute: f64,
    /// AMD: factor on overheads.
    pub amd_overhead: f64,
    /// Share of a prompt's time that delays the others' decoding.
    pub interference: f64,
    /// Time to first token that neither prefill nor step explains, in seconds, by engine.
    pub ttft_secs: ByEngine,
    /// Factor on a prompt's own prefill in the time to first token.
    pub ttft_prefill: f64,
    /// Share of the prompts in flight that a new one waits behind, in closed loops that start at once.
    pub ttft_wave: f64,
    /// Part of the output that memory for KV is held for when the batch is full.
    pub output_reserved: f64,
    /// Sequences that run at once at full load, by engine.
    pub sequences: ByEngine,
    /// Time of a server's front end for one request (parsing, counting, sending), one after the other, in seconds.
    pub request_secs: f64,
    /// Share of exponential lengths in outputs that vary: how long the end of a burst is.
    pub burst_tail: f64,
    /// Share of the rate that a server sustains under a latency target.
    pub under_target: f64,
    /// Drafted tokens of multi-token prediction, where a recipe uses it.
    pub mtp_drafted: f64,
    /// Tokens that such a step yields.
    pub mtp_yield: f64,
}

/// A constant that depends on the engine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByEngine {
    /// TensorRT-LLM.
    pub trtllm: f64,
    /// vLLM, and any engine that is not named.
    pub vllm: f64,
    /// SGLang.
    pub sglang: f64,
    /// LMDeploy.
    pub lmdeploy: f64,
}

/// Constants of batch-1 decoding, llama.cpp style. Shares are of the data sheet's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConstants {
    /// Share of the bandwidth, 16 bit.
    pub stream_16: f64,
    /// The same, 8 bit.
    pub stream_8: f64,
    /// The same, 4 bit and less.
    pub stream_4: f64,
    /// Factor for HBM.
    pub hbm: f64,
    /// Factor for Apple silicon.
    pub apple: f64,
    /// Factor for AMD.
    pub amd: f64,
    /// Operations per weight to load, unpack and multiply it, of the rate of the vector lanes; on all but Apple silicon.
    pub unpack: f64,
    /// Exponent of the smooth maximum of reading and unpacking.
    pub unpack_knee: f64,
    /// Operations per weight to unpack plain 4 bit blocks on Apple silicon, of the 16 bit rate.
    pub unpack_apple: f64,
    /// The same, K blocks.
    pub unpack_apple_k: f64,
    /// Overhead of a layer under CUDA, in seconds.
    pub layer_cuda_secs: f64,
    /// The same, Apple and AMD.
    pub layer_other_secs: f64,
    /// Split by rows (llama.cpp of 2023): of a layer, in seconds.
    pub row_split_secs: f64,
    /// The same, for each GPU.
    pub row_split_gpu_secs: f64,
    /// Split by layers: of each hand-over, in seconds.
    pub hand_over_secs: f64,
    /// Share of the bandwidth at which KV is read.
    pub stream_kv: f64,
    /// The same on Apple silicon.
    pub stream_kv_apple: f64,
    /// Share of the 8 bit integer rate that prefill of quantised weights reaches: what its kernels multiply in.
    pub prefill: f64,
    /// Share of half of that rate, which is that of 16 bit sums, that prefill of 16 bit weights reaches.
    pub prefill_16: f64,
    /// The same, attention of prefill; of the 16 bit rate on Apple silicon.
    pub prefill_attention: f64,
    /// Apple silicon: share of the 16 bit rate.
    pub prefill_apple: f64,
    /// Prompt tokens at which prefill reaches half of that.
    pub prefill_half_tokens: f64,
}

/// What stands above the constants in a file.
const HEAD: &str = "\
// Constants of the serving model, fitted to measurements by least squares on the logarithm of the ratio. None belongs to
// one GPU or one model. `breakeven calibrate` writes a file of this form from your own measurements.
";

/// Why a calibration could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the calibration {path} cannot be read: line {line}, {what}")]
pub struct CalibrationError {
    /// The file.
    pub path: String,
    /// Where.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl Calibration {
    /// What ships with the program.
    ///
    /// # Panics
    /// If the embedded file is broken: our own bug, which a test shows before anything ships.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static SHIPPED: OnceLock<Calibration> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            let text = include_str!("../../presets/calibration.ron");
            match Self::parse(text, "presets/calibration.ron") {
                Ok(calibration) => calibration,
                Err(error) => unreachable!("{error}"),
            }
        })
    }

    /// Reads a calibration file.
    ///
    /// # Errors
    /// [`CalibrationError`] with line and reason.
    pub fn parse(text: &str, path: &str) -> Result<Self, CalibrationError> {
        let calibration: Self =
            ron::from_str(text).map_err(|error: ron::error::SpannedError| CalibrationError {
                path: path.to_owned(),
                line: error.span.start.line,
                what: error.code.to_string(),
            })?;
        match calibration.wrong() {
            None => Ok(calibration),
            Some((name, found)) => {
                let at = text.lines().position(|line| line.trim_start().starts_with(&format!("{name}:")));
                let what = format!("{name} is {found}; write a number of 0 or more (a share is at most 1.5)");
                Err(CalibrationError { path: path.to_owned(), line: at.map_or(0, |at| at + 1), what })
            }
        }
    }

    /// The first constant that cannot be one, with what it is.
    fn wrong(&self) -> Option<(String, String)> {
        let parts = [
            serde_json::to_value(self.serving),
            serde_json::to_value(self.local),
            serde_json::to_value(self.kernels),
        ];
        let mut pairs = Vec::new();
        for part in parts.into_iter().flatten() {
            for (name, value) in part.as_object().into_iter().flatten() {
                match value.as_object() {
                    Some(by) => pairs.extend(by.iter().map(|(name, value)| (name.clone(), value.clone()))),
                    None => pairs.push((name.clone(), value.clone())),
                }
            }
        }
        let share = |name: &str| {
            ["stream", "compute", "link", "prefill"].contains(&name)
                || name.starts_with("stream_")
                || name.starts_with("compute_")
        };
        // A number that is not finite becomes null.
        pairs.into_iter().find_map(|(name, value)| {
            let fine =
                value.as_f64().is_some_and(|x| x >= 0.0 && (!share(&name) || (0.001..=1.5).contains(&x)));
            (!fine).then(|| (name, if value.is_null() { "not finite".to_owned() } else { value.to_string() }))
        })
    }

    /// SHA-256 of the constants, hexadecimal: equal constants predict alike, whatever is said about them.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let constants = (self.serving, self.local, self.kernels);
        // A structure of numbers always has a text.
        let text = serde_json::to_string(&constants).unwrap_or_default();
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the constants are those that ship.
    #[must_use]
    pub fn is_shipped(&self) -> bool {
        let shipped = Self::shipped();
        (self.serving, self.local, self.kernels) == (shipped.serving, shipped.local, shipped.kernels)
    }

    /// Which calibration this is, for people.
    #[must_use]
    pub fn name(&self) -> String {
        let whose = if self.is_shipped() { "as shipped, fitted" } else { "your own, fitted" };
        format!("{whose} {} to {} rows", self.fitted, self.rows)
    }

    /// The 95th percentile of published over predicted throughput at known concurrency, on rows that the fit had not
    /// seen: what a cost model has to draw. Log-normal, from the smallest share of rows within 30 %; >= 1.
    #[must_use]
    pub fn residual_p95(&self) -> f64 {
        let known =
            self.held_out.iter().filter(|row| row.regime == "known concurrency" && row.figure == "tokens/s");
        let within = known.map(|row| row.within_30).fold(1.0, f64::min).clamp(0.01, 0.99);
        let sigma = 1.3_f64.ln() / normal_quantile(0.5 * (1.0 + within));
        (Z95 * sigma).exp()
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        // A structure of numbers and strings always has a text.
        let body = ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default()).unwrap_or_default();
        format!("{HEAD}{body}\n")
    }
}

impl ServingConstants {
    /// Everything that the data sheet promises and nothing lost: the floor under every time, for baselines and laws.
    pub const IDEAL: Self = Self {
        stream_16: 1.0,
        stream_narrow: 1.0,
        stream_kv: 1.0,
        stream_experts: 1.0,
        stream_experts_widened: 1.0,
        stream_gddr: 1.0,
        compute_power: 0.0,
        compute_gddr: 1.0,
        compute_16: 1.0,
        compute_8: 1.0,
        compute_4: 1.0,
        compute_widened: 1.0,
        compute_experts: 1.0,
        compute_attention: 1.0,
        knee: 64.0,
        knee_narrow: 64.0,
        activation_passes: 0.0,
        expert_passes: 0.0,
        routing_skew: 1.0,
        expert_imbalance: 1.0,
        all_reduce_secs: 0.0,
        all_reduce_pcie_secs: 0.0,
        all_reduce_growth: 0.0,
        link: 1.0,
        link_pcie: 1.0,
        link_pcie_crowd: 0.0,
        all_to_all_secs: 0.0,
        layer_secs: ByEngine::NONE,
        prompt_layer_secs: 0.0,
        prompt_latent_layer_secs: 0.0,
        expert_layer_secs: 0.0,
        widened_layer_secs: 0.0,
        latent_layer_secs: 0.0,
        step_secs: ByEngine::NONE,
        sequence_secs: ByEngine::NONE,
        sequence_secs_compiled: 0.0,
        maturing_trtllm: 0.0,
        maturing: 0.0,
        amd_compute: 1.0,
        amd_overhead: 1.0,
        interference: 1.0,
        ttft_secs: ByEngine::NONE,
        ttft_prefill: 1.0,
        ttft_wave: 0.0,
        output_reserved: 0.5,
        sequences: ByEngine { trtllm: 1024.0, vllm: 1024.0, sglang: 1024.0, lmdeploy: 1024.0 },
        request_secs: 0.0,
        burst_tail: 0.0,
        under_target: 1.0,
        mtp_drafted: 1.0,
        mtp_yield: 2.0,
    };
}

impl ByEngine {
    /// Nothing, whatever the engine.
    pub const NONE: Self = Self { trtllm: 0.0, vllm: 0.0, sglang: 0.0, lmdeploy: 0.0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_residual_that_keeps_68_percent_within_30_percent_is_one_sigma_wide() {
        let mut calibration = Calibration::shipped().clone();
        for row in &mut calibration.held_out {
            row.within_30 = 0.682_689_492;
        }
        // exp(1.645 ln 1.3).
        assert!((calibration.residual_p95() - 1.5396).abs() < 1e-3, "{}", calibration.residual_p95());
        assert!((1.2..1.5).contains(&Calibration::shipped().residual_p95()));
    }

    #[test]
    fn a_file_that_was_written_is_read_back_and_has_the_same_hash() {
        let shipped = Calibration::shipped();
        let again = Calibration::parse(&shipped.to_text(), "own.ron").unwrap();
        assert_eq!((&again, again.content_hash()), (shipped, shipped.content_hash()));
        assert!(again.is_shipped() && again.name().starts_with("as shipped"));
        let mut own = again;
        own.serving.stream_narrow *= 0.9;
        assert!(!own.is_shipped() && own.content_hash() != shipped.content_hash());
    }

    #[test]
    fn a_constant_that_cannot_be_one_is_refused_with_its_line() {
        let text = Calibration::shipped().to_text();
        for (bad, needle) in [("-0.1", "-0.1"), ("inf", "not finite"), ("40.0", "40")] {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let at = lines.iter().position(|line| line.trim_start().starts_with("stream_narrow:")).unwrap();
            lines[at] = format!("        stream_narrow: {bad},");
            let error = Calibration::parse(&lines.join("\n"), "own.ron").unwrap_err();
            assert_eq!(error.line, at + 1, "{error}");
            let text = error.to_string();
            assert!(
                text.contains("own.ron") && text.contains("stream_narrow") && text.contains(needle),
                "{text}"
            );
        }
    }
}
