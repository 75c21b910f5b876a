//! One stream at a time on one machine: llama.cpp and its kin on consumer, workstation and Apple devices.
//!
//! A token reads the weights once while vector lanes unpack and multiply them, reads the KV, and pays an overhead per
//! layer. Several cards with a split by layers hold a larger model; they do not speed a single stream up.

use serde::Serialize;

use super::calibration::{Calibration, LocalConstants};
use super::facts::{GpuFacts, Make, ModelFacts};
use super::format::{WeightFormat, Width};
use super::knee::smooth_max_of;
use super::roofline::within;
use super::setup::PerfError;

/// How layers or rows are spread over several cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Spread {
    /// Each card holds a run of layers (today's default).
    Layers,
    /// Each card holds rows of every matrix (the default in 2023).
    Rows,
}

/// A stream on a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalSetup {
    /// Cards.
    pub gpus: f64,
    /// How the model is spread over them.
    pub spread: Spread,
    /// Format of the weights.
    pub weights: WeightFormat,
    /// Bytes of the weights where they are known, else they follow from the format.
    pub weights_bytes: Option<f64>,
}

/// A stream, prepared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Local {
    /// Of one token without context, in seconds.
    token_secs: f64,
    /// Per token of context, in seconds.
    context_secs: f64,
    window_secs: f64,
    window: f64,
    prefill_token_secs: f64,
    prefill_pair_secs: f64,
    prefill_half: f64,
    prefill_lanes: f64,
}

/// Tokens that one card takes up at a time, so that several work on one prompt. Source: llama.cpp's `n_ubatch`.
const MICRO_BATCH: f64 = 512.0;

impl Local {
    /// Prepares a stream with the shipped calibration.
    ///
    /// # Errors
    /// [`PerfError`] where the data sheet is empty or the weights exceed the memory.
    pub fn prepare(model: &ModelFacts, gpu: &GpuFacts, setup: &LocalSetup) -> Result<Self, PerfError> {
        Self::with(model, gpu, setup, &Calibration::shipped().local)
    }

    /// Prepares a stream with other constants.
    ///
    /// # Errors
    /// [`PerfError`] where the data sheet is empty or the weights exceed the memory.
    pub fn with(
        model: &ModelFacts,
        gpu: &GpuFacts,
        setup: &LocalSetup,
        c: &LocalConstants,
    ) -> Result<Self, PerfError> {
        for (what, value) in
            [("memory bandwidth", gpu.bandwidth_bytes_per_s), ("16 bit rate", gpu.bf16_flops)]
        {
            if !(value > 0.0 && value.is_finite()) {
                return Err(PerfError::DataSheet { what, value });
            }
        }
        let gpus = within(setup.gpus, 1.0);
        let all_bytes = setup.weights_bytes.unwrap_or(model.total_params * setup.weights.bytes_per_weight());
        let have_bytes = gpus * gpu.memory_bytes;
        if all_bytes > have_bytes {
            return Err(PerfError::DoesNotFit { need_bytes: all_bytes, have_bytes });
        }
        let per_weight = match (model.experts, setup.weights) {
            // gpt-oss: experts in 4 bit, the rest, which is most of what a token meets, in 16 bit.
            (Some(_), WeightFormat::Mxfp4) => 0.75,
            _ => setup.weights.bytes_per_weight(),
        };
        let met = if model.experts.is_some() {
            model.active_params
        } else {
            within(model.total_params - model.lookup_params, 0.0)
        };
        let width = setup.weights.width();
        let share = match width {
            Width::Sixteen => c.stream_16,
            Width::Eight => c.stream_8,
            Width::Four => c.stream_4,
        };
        let (factor, layer_secs) = match gpu.make {
            Make::Hbm => (c.hbm, c.layer_cuda_secs),
            Make::Gddr => (1.0, c.layer_cuda_secs),
            Make::Apple => (c.apple, c.layer_other_secs),
            Make::AmdServer => (c.hbm * c.amd, c.layer_other_secs),
            Make::AmdCard => (c.amd, c.layer_other_secs),
        };
        let bandwidth = gpu.bandwidth_bytes_per_s;
        let read_secs = met * per_weight / within(bandwidth * share * factor, 1.0);
        let weights_secs = if gpu.make == Make::Apple {
            let unpack = match (width, setup.weights.is_k_mix()) {
                (Width::Four, true) => c.unpack_apple_k,
                (Width::Four, false) => c.unpack_apple,
                _ => 0.0,
            };
            read_secs + met * unpack / gpu.bf16_flops
        } else {
            smooth_max_of(c.unpack_knee.max(1.0), read_secs, met * c.unpack / within(gpu.vector_ops, 1.0))
        };
        let split_secs = match setup.spread {
            _ if gpus < 2.0 => 0.0,
            Spread::Layers => (gpus - 1.0) * c.hand_over_secs,
            Spread::Rows => model.layers * (c.row_split_secs + gpus * c.row_split_gpu_secs),
        };
        let shared = if setup.spread == Spread::Rows { gpus } else { 1.0 };
        let kv_rate =
            within(bandwidth * if gpu.make == Make::Apple { c.stream_kv_apple } else { c.stream_kv }, 1.0);
        // Where the data sheet has no 8 bit integers, twice the 16 bit rate stands in: what most hardware does. Half of
        // the integers is also the rate of 16 bit products with 16 bit sums, which gaming cards do not halve.
        let integers = gpu.int8_ops.unwrap_or(2.0 * gpu.bf16_flops);
        let (rate, attention_rate) = match (gpu.make, width) {
            (Make::Apple, _) => (gpu.bf16_flops * c.prefill_apple, gpu.bf16_flops * c.prefill_attention),
            (_, Width::Sixteen) => (0.5 * integers * c.prefill_16, 0.5 * integers * c.prefill_attention),
            _ => (integers * c.prefill, 0.5 * integers * c.prefill_attention),
        };
        let rate = within(rate, 1.0);
        let pair = 4.0 * model.heads * model.head_dim * model.attention_layers;
        Ok(Self {
            token_secs: weights_secs / shared + model.layers * layer_secs + split_secs,
            context_secs: model.kv_elements * 2.0 / kv_rate,
            window_secs: model.sliding.map_or(0.0, |s| s.kv_elements) * 2.0 / kv_rate,
            window: model.sliding.map_or(0.0, |s| s.window),
            prefill_token_secs: 2.0 * model.active_params / rate,
            prefill_pair_secs: pair / within(attention_rate, 1.0),
            prefill_half: c.prefill_half_tokens,
            prefill_lanes: gpus,
        })
    }

    /// Tokens per second of one stream at a mean context.
    #[must_use]
    pub fn decode_tokens_per_sec(&self, context: f64) -> f64 {
        let context = within(context, 0.0);
        1.0 / (self.token_secs + self.context_secs * context + self.window_secs * context.min(self.window))
    }

    /// Prompt tokens per second of a prompt of so many tokens.
    #[must_use]
    pub fn prefill_tokens_per_sec(&self, tokens: f64) -> f64 {
        let tokens = within(tokens, 1.0);
        let pieces = (tokens / MICRO_BATCH).max(1.0);
        let speed_up = self.prefill_lanes * pieces / (pieces + self.prefill_lanes - 1.0);
        let work = self.prefill_token_secs * (tokens + self.prefill_half)
            + self.prefill_pair_secs * tokens * tokens / 2.0;
        tokens / (work / speed_up + self.token_secs)
    }
}
