//! What the serving maths needs of a model and a GPU, prepared once and read by every trial.

use super::{Precision, WeightFormat};
use crate::stats::Num;

/// Architecture of a model in the numbers that memory and time depend on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelFacts {
    /// All weights; > 0.
    pub total_params: f64,
    /// Weights that one token is multiplied with (no embedding look-up); > 0, at most `total_params`.
    pub active_params: f64,
    /// Weights of the input embedding that are only looked up, never streamed; 0 where tied to the output.
    pub lookup_params: f64,
    /// Weights of the output projection (and of the look-up, where tied): kept in 16 bit by quantised checkpoints.
    pub head_params: f64,
    /// How the published checkpoint keeps its weights, where that is not one format throughout.
    pub published: Option<PublishedWeights>,
    /// Transformer layers.
    pub layers: f64,
    /// Layers with attention; fewer than `layers` where others keep a state of fixed size.
    pub attention_layers: f64,
    /// Width of the residual stream.
    pub hidden: f64,
    /// Query heads.
    pub heads: f64,
    /// Key-value heads; not used with `mla`.
    pub kv_heads: f64,
    /// Weights of the projections of attention, all layers.
    pub attention_params: f64,
    /// Width of one head.
    pub head_dim: f64,
    /// Elements of KV that each token leaves in the layers that see everything, summed over them.
    pub kv_elements: f64,
    /// Mixture of experts, if it is one.
    pub experts: Option<ExpertFacts>,
    /// Multi-head latent attention, if it has it.
    pub mla: Option<LatentFacts>,
    /// Sliding-window layers, if it has them.
    pub sliding: Option<SlidingFacts>,
    /// Longest context, in tokens.
    pub context_max: f64,
}

/// The published checkpoint; it counts when the deployment's weights have the same format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedWeights {
    /// Format of most weights.
    pub format: Precision,
    /// Format of what is not a routed expert.
    pub rest: Precision,
    /// Bytes of all of it, where measured.
    pub bytes: Option<f64>,
}

/// Routed experts, the same in every layer that has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpertFacts {
    /// Experts per layer; >= 1.
    pub count: f64,
    /// Experts that answer each token, at most `count`.
    pub top_k: f64,
    /// Weights of all routed experts of all layers.
    pub params: f64,
    /// Layers that have them.
    pub layers: f64,
    /// Width of one expert.
    pub width: f64,
}

/// Latent attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatentFacts {
    /// Width of the compressed keys and values.
    pub latent: f64,
    /// Width of the positional part of the key.
    pub rope: f64,
    /// Width of the rest of a head's key.
    pub nope: f64,
    /// Width of a head's value.
    pub value: f64,
}

/// Layers that look back only so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlidingFacts {
    /// How far, in tokens.
    pub window: f64,
    /// How many layers.
    pub layers: f64,
    /// Elements of KV that each token leaves in them, summed over them, until the window is full.
    pub kv_elements: f64,
}

/// Data sheet of a GPU: dense rates, per device.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuFacts {
    /// Memory that a process can use, in bytes; > 0.
    pub memory_bytes: f64,
    /// Memory bandwidth, in bytes per second; > 0.
    pub bandwidth_bytes_per_s: f64,
    /// Dense 16 bit rate, in FLOP/s; > 0.
    pub bf16_flops: f64,
    /// Rate of 32 bit integers outside the matrix units, in operations per second; > 0.
    pub vector_ops: f64,
    /// Dense FP8 rate; `None` where there is none: such weights are then multiplied in 16 bit.
    pub fp8_flops: Option<f64>,
    /// Dense INT8 rate.
    pub int8_ops: Option<f64>,
    /// Dense FP4 rate.
    pub fp4_flops: Option<f64>,
    /// Bandwidth to the neighbours in one direction, in bytes per second; > 0.
    pub link_bytes_per_s: f64,
    /// Board power, in watts; `None` is unknown.
    pub watts: Option<f64>,
    /// Whose it is and what memory it has: which of the calibrated constants apply.
    pub make: Make,
}

/// What an accelerator is built like, as far as calibrated constants depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// NVIDIA with HBM, and any server accelerator that is not named here.
    Hbm,
    /// NVIDIA with GDDR or LPDDR: gaming cards, workstations, small servers.
    Gddr,
    /// AMD server accelerators.
    AmdServer,
    /// AMD cards.
    AmdCard,
    /// Apple silicon.
    Apple,
}

/// PCIe 4.0 x16 in one direction: what GPUs without a link of their own talk over. Source: PCI-SIG, 16 GT/s x 16 lanes.
pub const PCIE_BYTES_PER_S: f64 = 31.5e9;

/// Board power per dense 16 bit rate below which the clock falls under load, in watts per FLOP/s. Matrix products of
/// A100 (1.28 pW) and H100 (0.71) reach 0.86 and 0.84 of the data sheet, of GB200 (0.48) and B200 (0.44) 0.75.
const WATTS_PER_FLOP: f64 = 0.83e-12;

/// Most by which a card's clock exceeds the one that its data sheet's peak is computed with: an RTX 4090 at 2.52 GHz
/// there and 2.75 in use reaches all of 165 TFLOP/s.
const CLOCK_MOST: f64 = 1.1;

impl GpuFacts {
    /// Clock under a load of matrix products, over that of the data sheet's peak.
    ///
    /// `(watts per FLOP/s)^power`, as far as power binds: a server's accelerator never runs above its data sheet.
    ///
    /// - `power`: exponent; 1/3 to 1/2 where voltage rises with the clock.
    /// - `gddr`: factor for cards, whose memory and whose arithmetic take more power.
    #[must_use]
    pub fn clock(&self, power: f64, gddr: f64) -> f64 {
        let per_rate = self.watts.map_or(WATTS_PER_FLOP, |watts| watts / self.bf16_flops);
        let allowed = (per_rate / WATTS_PER_FLOP).powf(power);
        if self.make == Make::Gddr { (allowed * gddr).min(CLOCK_MOST) } else { allowed.min(1.0) }
    }
}

impl ModelFacts {
    /// The format that a precision stands for: 4 bit floating point is that of the published checkpoint.
    #[must_use]
    pub fn weight_format(&self, precision: Precision) -> WeightFormat {
        let mxfp4 = |p: PublishedWeights| p.format == Precision::Fp4 && p.rest == Precision::Bf16;
        match precision {
            Precision::Fp4 if self.published.is_some_and(mxfp4) => WeightFormat::Mxfp4,
            other => other.into(),
        }
    }

    /// A plain decoder: dense, grouped queries, all layers alike, embeddings not tied.
    ///
    /// - `vocab`: size of the vocabulary; the look-up table of `vocab * hidden` weights is not streamed.
    #[must_use]
    pub fn dense(
        total_params: f64,
        layers: f64,
        hidden: f64,
        (heads, kv_heads, head_dim): (f64, f64, f64),
        vocab: f64,
    ) -> Self {
        let lookup_params = vocab * hidden;
        Self {
            total_params,
            active_params: total_params - lookup_params,
            lookup_params,
            head_params: lookup_params,
            published: None,
            layers,
            attention_layers: layers,
            hidden,
            heads,
            kv_heads,
            attention_params: layers * hidden * head_dim * 2.0 * (heads + kv_heads),
            head_dim,
            kv_elements: layers * 2.0 * kv_heads * head_dim,
            experts: None,
            mla: None,
            sliding: None,
            context_max: 131_072.0,
        }
    }

    /// Weights of all routed experts.
    pub(super) fn expert_params(&self) -> f64 {
        self.experts.map_or(0.0, |experts| experts.params)
    }

    /// Format of what is neither a routed expert nor an embedding.
    pub(super) fn rest_format(&self, weights: Precision) -> Precision {
        self.published.filter(|p| p.format == weights).map_or(weights, |p| p.rest)
    }

    /// Bytes of the weights that every step streams whatever its tokens: no look-up, no routed experts.
    pub(super) fn dense_bytes(&self, weights: Precision) -> f64 {
        let rest = self.total_params - self.lookup_params - self.head_params - self.expert_params();
        self.head_params * head_bytes(weights) + rest.max(0.0) * self.rest_format(weights).bytes_per_weight()
    }

    /// Bytes of all weights in memory.
    ///
    /// The measured checkpoint where the format is the published one; else embeddings and head in at least 16 bit,
    /// as quantised checkpoints keep them (Llama 3.1 8B: INT4 5.7 GB, FP8 9.1 GB), the rest by bytes per weight.
    #[must_use]
    pub fn weights_bytes(&self, weights: Precision) -> f64 {
        let measured = self.published.filter(|p| p.format == weights).and_then(|p| p.bytes);
        measured.unwrap_or_else(|| {
            self.dense_bytes(weights)
                + self.lookup_params * head_bytes(weights)
                + self.expert_params() * weights.bytes_per_weight()
        })
    }

    /// Bytes of KV of one sequence of `context` tokens, one copy: growing layers, and sliding ones up to their window.
    #[must_use]
    #[inline(always)]
    pub fn kv_bytes<N: Num>(&self, context: N, precision: Precision) -> N {
        let context = context.at_least(0.0);
        let sliding = self.sliding.map_or(N::of(0.0), |s| context.at_most(s.window) * s.kv_elements);
        (context * self.kv_elements + sliding) * precision.bytes_per_kv()
    }

    /// Copies of the KV that a split over `gpus` keeps: tensor parallelism divides by KV heads, and a latent vector
    /// has no heads to divide by. >= 1.
    #[must_use]
    pub fn kv_copies(&self, gpus: f64) -> f64 {
        let parts = if self.mla.is_some() { 1.0 } else { self.kv_heads.max(1.0) };
        (gpus / parts).max(1.0)
    }
}

/// Bytes of one weight of embedding and head: never below 16 bit.
fn head_bytes(weights: Precision) -> f64 {
    weights.bytes_per_weight().max(2.0)
}

impl Precision {
    /// All of them, in order of display.
    pub const ALL: &[Self] = &[Self::Fp32, Self::Bf16, Self::Fp8, Self::Int8, Self::Int4, Self::Fp4];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fp32 => "FP32",
            Self::Bf16 => "BF16",
            Self::Fp8 => "FP8",
            Self::Int8 => "INT8",
            Self::Int4 => "INT4",
            Self::Fp4 => "FP4",
        }
    }

    /// Bytes of one weight, scales included: INT4 with a 16 bit scale and a 4 bit zero for each 128 weights (as in
    /// AWQ and GPTQ), FP4 with an 8 bit scale for each 16 (NVFP4); 8 bit formats scale whole blocks or channels.
    #[must_use]
    pub const fn bytes_per_weight(self) -> f64 {
        match self {
            Self::Fp32 => 4.0,
            Self::Bf16 => 2.0,
            Self::Fp8 | Self::Int8 => 1.0,
            Self::Int4 => 0.5 + 2.5 / 128.0,
            Self::Fp4 => 0.5 + 1.0 / 16.0,
        }
    }

    /// Bytes of one element of the KV cache, scales included as in [`Precision::bytes_per_weight`].
    #[must_use]
    pub const fn bytes_per_kv(self) -> f64 {
        self.bytes_per_weight()
    }

    /// Rate at which weights of this format are multiplied, in FLOP/s, and the share of that rate which kernels
    /// reach relative to 16 bit.
    ///
    /// Formats that the hardware lacks, and 4 bit integers, are widened to 16 bit first. Shares: empirical GEMM use
    /// of peak in AIConfigurator, bf16 .70, w8a16 .55, w4a16 .45, fp8 .45, nvfp4 .30, each over .70.
    pub(super) fn flops(self, gpu: &GpuFacts) -> f64 {
        const WIDENED_8: f64 = 0.55 / 0.70;
        const WIDENED_4: f64 = 0.45 / 0.70;
        const NATIVE_8: f64 = 0.45 / 0.70;
        const NATIVE_4: f64 = 0.30 / 0.70;
        let bf16 = gpu.bf16_flops;
        let best = |native: Option<f64>, share: f64, widened: f64| {
            native.map_or(0.0, |flops| flops * share).max(bf16 * widened)
        };
        match self {
            // TF32 runs at half of the 16 bit rate on every tensor core generation.
            Self::Fp32 => 0.5 * bf16,
            Self::Bf16 => bf16,
            Self::Fp8 => best(gpu.fp8_flops, NATIVE_8, WIDENED_8),
            Self::Int8 => best(gpu.int8_ops, NATIVE_8, WIDENED_8),
            Self::Int4 => bf16 * WIDENED_4,
            Self::Fp4 => best(gpu.fp4_flops, NATIVE_4, WIDENED_4),
        }
    }
}
