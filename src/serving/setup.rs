//! How a model is deployed, whether it can be, and what memory that takes.

use thiserror::Error;

use super::engine::Engine;
use super::facts::{GpuFacts, ModelFacts};
use super::format::{WeightFormat, Width};
use super::memory::STEP_TOKENS;
use super::roofline::within;
use super::{Precision, accepted_tokens};
use crate::stats::Num;

/// How a model is deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup<N = f64> {
    /// GPUs that split every layer.
    pub tensor_parallel: u32,
    /// Groups of layers.
    pub pipeline_parallel: u32,
    /// Copies of attention that share the experts.
    pub data_parallel: u32,
    /// Whether whole experts, not slices of them, are spread over the GPUs.
    pub expert_parallel: bool,
    /// Format of the weights.
    pub weights: WeightFormat,
    /// Format of the KV cache.
    pub kv: Precision,
    /// Class of the engine.
    pub engine: Engine,
    /// When its software came out, as a year with its fraction.
    pub year: f64,
    /// Share of the memory that the engine may use, 0..=1.
    pub memory_share: N,
    /// Most sequences at once; `None` is what the engine is calibrated to.
    pub max_sequences: Option<f64>,
    /// Drafts that are verified, if any.
    pub draft: Option<Draft<N>>,
}

/// Speculative decoding or multi-token prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draft<N = f64> {
    /// Tokens drafted per step.
    pub tokens: N,
    /// Tokens that a step yields, the verified one included; >= 1.
    pub yielded: N,
    /// Cost of drafting one token, as a share of a plain step.
    pub cost_share: N,
}

impl<N: Num> Draft<N> {
    /// From the probability that a drafted token is accepted.
    #[must_use]
    pub fn accepted(tokens: N, acceptance: N, cost_share: N) -> Self {
        let yielded = N::from_fn(|lane| accepted_tokens(acceptance.lane(lane), tokens.lane(lane)));
        Self { tokens, yielded, cost_share }
    }
}

/// Year of the software when none is given.
pub const YEAR: f64 = 2026.2;

/// Memory share when none is given: vLLM's default.
pub const MEMORY_SHARE: f64 = 0.9;

impl<N: Num> Setup<N> {
    /// One replica of `gpus` GPUs under tensor parallelism, today's software.
    #[must_use]
    pub fn new(gpus: u32, weights: WeightFormat, kv: Precision, engine: Engine) -> Self {
        Self {
            tensor_parallel: gpus,
            pipeline_parallel: 1,
            data_parallel: 1,
            expert_parallel: false,
            weights,
            kv,
            engine,
            year: YEAR,
            memory_share: N::of(MEMORY_SHARE),
            max_sequences: None,
            draft: None,
        }
    }

    /// GPUs of one replica.
    #[must_use]
    pub fn gpus(&self) -> f64 {
        f64::from(self.tensor_parallel) * f64::from(self.pipeline_parallel) * f64::from(self.data_parallel)
    }
}

/// Why a prediction is refused.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum PerfError {
    /// A degree of parallelism is zero.
    #[error("{what} is 0; write 1 or more")]
    NoParallelism {
        /// Which.
        what: &'static str,
    },
    /// Attention heads cannot be divided.
    #[error(
        "tensor parallelism {tensor} does not divide {heads} attention heads; write a divisor of {heads}"
    )]
    Heads {
        /// Query heads.
        heads: u32,
        /// GPUs over which they are to be split.
        tensor: u32,
    },
    /// More groups of layers than layers.
    #[error("pipeline parallelism {pipeline} exceeds the {layers} layers; write at most {layers}")]
    Layers {
        /// Layers.
        layers: u32,
        /// Groups.
        pipeline: u32,
    },
    /// A figure of the data sheet is missing or zero.
    #[error("{what} of the GPU is {value}; it must be above 0")]
    DataSheet {
        /// Which.
        what: &'static str,
        /// What it is.
        value: f64,
    },
    /// Weights and working memory exceed the memory.
    #[error(
        "the model does not fit: {:.1} GB are needed and {:.1} GB may be used; take more GPUs, a smaller weight format or more of the memory (weights in host memory would be read over PCIe, tens of times slower, and are not predicted)",
        need_bytes / 1e9, have_bytes / 1e9
    )]
    DoesNotFit {
        /// Weights and working memory.
        need_bytes: f64,
        /// What may be used.
        have_bytes: f64,
    },
}

/// Runtime, graphs, buffers and activations per GPU of engines other than vLLM, in bytes: what the published runs leave
/// for KV agrees with it.
const WORKING_BYTES: f64 = 2.0e9;

/// vLLM: libraries and buffers outside of PyTorch, one GPU and several, in bytes. Source: measured by llm-d-benchmark's
/// config_explorer on H100, 0.13 to 0.14 and 0.55 GiB.
const RUNTIME_BYTES: (f64, f64) = (0.15e9, 0.59e9);

/// vLLM: bytes that sampling takes per sequence and word of the vocabulary; it is tried with as many sequences as may
/// run before memory is shared out, and is then the peak. Source: the same, activations of 4.76 GiB for 1,024 sequences
/// of Llama 3.1 8B, 5.64 of Qwen3 32B, 7.38 of gpt-oss: 38.5 to 38.9 bytes each.
const SAMPLING_BYTES: f64 = 38.8;

/// Share of the room beside the weights that sampling takes at most: who is short of it runs fewer sequences, and
/// gpt-oss-120b serves from one H100 although 1,024 sequences of its vocabulary would leave nothing for KV.
const SAMPLING_SHARE: f64 = 0.5;

/// vLLM: bytes of activations of a step per token, unit of width and GPU, and those that tensor parallelism divides.
const ACTIVATION_BYTES: (f64, f64) = (8.0, 14.0);

/// Memory from which vLLM takes its larger defaults: 1,024 sequences and 8,192 tokens a step instead of 256 and 2,048.
/// Source: vLLM 0.11, `EngineArgs._set_default_args`, read 2026-11-24.
pub const LARGE_GPU_BYTES: f64 = 70.0 * 1_073_741_824.0;

/// Sequences that vLLM runs at once where nothing is stated.
pub(super) fn vllm_sequences(gpu: &GpuFacts) -> f64 {
    if gpu.memory_bytes >= LARGE_GPU_BYTES { 1024.0 } else { 256.0 }
}

/// Memory of one GPU that neither weights nor KV take, in bytes.
fn working_bytes<N: Num>(model: &ModelFacts, gpu: &GpuFacts, setup: &Setup<N>, weights_bytes: f64) -> f64 {
    if setup.engine != Engine::Vllm {
        return WORKING_BYTES;
    }
    let sequences = setup.max_sequences.unwrap_or_else(|| vllm_sequences(gpu));
    let vocabulary = model.head_params / model.hidden.max(1.0);
    let tokens = if gpu.memory_bytes >= LARGE_GPU_BYTES { STEP_TOKENS } else { 0.25 * STEP_TOKENS };
    let (whole, divided) = ACTIVATION_BYTES;
    let activations = tokens * model.hidden * (whole + divided / f64::from(setup.tensor_parallel.max(1)));
    let (alone, several) = RUNTIME_BYTES;
    let runtime = if setup.gpus() > 1.0 { several } else { alone };
    let room = MEMORY_SHARE * gpu.memory_bytes - weights_bytes / setup.gpus() - runtime;
    let sampling = (SAMPLING_BYTES * sequences * vocabulary).min(SAMPLING_SHARE * room);
    runtime + activations.max(sampling)
}

/// Memory of one replica, in bytes over all its GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct PerfMemory<N = f64> {
    /// Weights, copies for data parallelism included.
    pub weights_bytes: f64,
    /// Runtime, buffers and activations.
    pub working_bytes: f64,
    /// What the engine may use.
    pub usable_bytes: N,
    /// What is left for KV.
    pub kv_bytes: N,
    /// KV of one token in layers that see everything, all copies.
    pub kv_bytes_per_token: f64,
    /// The same in sliding layers, until the window is full.
    pub kv_bytes_per_token_window: f64,
    /// The window; infinite without one.
    pub window: f64,
}

impl<N: Num> PerfMemory<N> {
    /// Sequences of `tokens` each whose KV fits.
    #[must_use]
    #[inline(always)]
    pub fn sequences(&self, tokens: N) -> N {
        let each =
            tokens * self.kv_bytes_per_token + tokens.at_most(self.window) * self.kv_bytes_per_token_window;
        self.kv_bytes / each.at_least(1e-9)
    }
}

/// Formats by part of the model: published mixtures keep attention and dense layers wider than the experts.
pub(super) struct Parts {
    pub attention: WeightFormat,
    pub dense: WeightFormat,
    pub experts: WeightFormat,
}

impl Parts {
    pub fn of(model: &ModelFacts, weights: WeightFormat) -> Self {
        let four = weights.width() == Width::Four;
        // gpt-oss: experts in MXFP4, the rest in bfloat16, whatever the label says.
        let mixed = model.published.is_some_and(|p| p.format == Precision::Fp4 && p.rest == Precision::Bf16);
        if mixed && !matches!(weights, WeightFormat::Bf16 | WeightFormat::Fp16 | WeightFormat::Fp32) {
            return Self {
                attention: WeightFormat::Bf16,
                dense: WeightFormat::Bf16,
                experts: WeightFormat::Mxfp4,
            };
        }
        // NVFP4 checkpoints of latent-attention models keep attention in bfloat16.
        let attention = if four && model.mla.is_some() { WeightFormat::Bf16 } else { weights };
        Self { attention, dense: weights, experts: weights }
    }
}

pub(super) fn check<N>(model: &ModelFacts, gpu: &GpuFacts, setup: &Setup<N>) -> Result<(), PerfError> {
    let degrees = [
        ("tensor parallelism", setup.tensor_parallel),
        ("pipeline parallelism", setup.pipeline_parallel),
        ("data parallelism", setup.data_parallel),
    ];
    for (what, degree) in degrees {
        if degree == 0 {
            return Err(PerfError::NoParallelism { what });
        }
    }
    let sheet = [
        ("memory bandwidth", gpu.bandwidth_bytes_per_s),
        ("16 bit rate", gpu.bf16_flops),
        ("memory", gpu.memory_bytes),
    ];
    for (what, value) in sheet {
        if !(value > 0.0 && value.is_finite()) {
            return Err(PerfError::DataSheet { what, value });
        }
    }
    let tensor = setup.tensor_parallel;
    if model.heads >= 1.0 && model.heads % f64::from(tensor) != 0.0 {
        return Err(PerfError::Heads { heads: model.heads as u32, tensor });
    }
    let (layers, pipeline) = (model.layers as u32, setup.pipeline_parallel);
    if pipeline > layers.max(1) {
        return Err(PerfError::Layers { layers, pipeline });
    }
    Ok(())
}

pub(super) fn memory<N: Num>(
    model: &ModelFacts,
    gpu: &GpuFacts,
    setup: &Setup<N>,
    parts: &Parts,
) -> Result<PerfMemory<N>, PerfError> {
    let gpus = setup.gpus();
    let experts = model.experts.map_or(0.0, |e| e.params);
    let measured = model
        .published
        .and_then(|p| p.bytes.filter(|_| p.format == Precision::Fp4))
        .filter(|_| matches!(parts.experts, WeightFormat::Mxfp4));
    let tables = (model.head_params + model.lookup_params) * 2.0;
    let attention = model.attention_params * parts.attention.bytes_per_weight();
    let rest = within(
        model.total_params - experts - model.attention_params - model.head_params - model.lookup_params,
        0.0,
    ) * parts.dense.bytes_per_weight();
    let copies = f64::from(setup.data_parallel);
    let routed = experts * parts.experts.bytes_per_weight();
    let weights_bytes = measured.unwrap_or(routed + (tables + attention + rest))
        + (copies - 1.0) * (tables + attention + rest);
    let working_bytes = working_bytes(model, gpu, setup, weights_bytes) * gpus;
    let usable_bytes = setup.memory_share.at_least(0.0).at_most(1.0) * (gpus * gpu.memory_bytes);
    let kv_bytes = usable_bytes - weights_bytes - working_bytes;
    if !kv_bytes.any_above(0.0) {
        return Err(PerfError::DoesNotFit {
            need_bytes: weights_bytes + working_bytes,
            have_bytes: usable_bytes.lane(0),
        });
    }
    let kv_copies = model.kv_copies(f64::from(setup.tensor_parallel)) * setup.kv.bytes_per_kv();
    Ok(PerfMemory {
        weights_bytes,
        working_bytes,
        usable_bytes,
        kv_bytes,
        kv_bytes_per_token: model.kv_elements * kv_copies,
        kv_bytes_per_token_window: model.sliding.map_or(0.0, |s| s.kv_elements) * kv_copies,
        window: model.sliding.map_or(f64::INFINITY, |s| s.window),
    })
}
