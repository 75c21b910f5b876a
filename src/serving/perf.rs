//! The calibrated time of a step: what a model on GPUs under an engine takes for its tokens.
//!
//! [`Perf::prepare`] folds model, GPU, formats and parallelism into coefficients once; [`Perf::step`] is then a few
//! dozen operations. Physics from data sheets, with the few constants of [`ServingConstants`] on top, none of which
//! belongs to one GPU or one model.
//!
//! ```text
//! step = Σ streams max~(bytes / bandwidth, FLOP / peak)   projections, feed-forward, head, experts, attention
//!      + activations + collectives + layers × overhead + step overhead + sequences × overhead
//! ```
//!
//! Not modelled: overlap of collectives with compute, power capping, the spread of lengths within a batch.

use thiserror::Error;

use super::calibration::{ByEngine, Calibration, ServingConstants};
use super::engine::Engine;
use super::facts::{GpuFacts, Make, ModelFacts};
use super::format::{WeightFormat, Width};
use super::knee::{Knee, smooth_max_of};
use super::memory::STEP_TOKENS;
use super::roofline::within;
use super::{Precision, accepted_tokens};

/// How a model is deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
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
    pub memory_share: f64,
    /// Most sequences at once; `None` is what the engine is calibrated to.
    pub max_sequences: Option<f64>,
    /// Drafts that are verified, if any.
    pub draft: Option<Draft>,
}

/// Speculative decoding or multi-token prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draft {
    /// Tokens drafted per step.
    pub tokens: f64,
    /// Tokens that a step yields, the verified one included; >= 1.
    pub yielded: f64,
    /// Cost of drafting one token, as a share of a plain step.
    pub cost_share: f64,
}

impl Draft {
    /// From the probability that a drafted token is accepted.
    #[must_use]
    pub fn accepted(tokens: f64, acceptance: f64, cost_share: f64) -> Self {
        Self { tokens, yielded: accepted_tokens(acceptance, tokens), cost_share }
    }
}

/// Year of the software when none is given.
pub const YEAR: f64 = 2026.2;

/// Memory share when none is given: vLLM's default.
pub const MEMORY_SHARE: f64 = 0.9;

impl Setup {
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
            memory_share: MEMORY_SHARE,
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

/// Runtime, graphs, buffers and activations per GPU, in bytes: what the published runs leave for KV agrees with it.
const WORKING_BYTES: f64 = 2.0e9;

/// A link above this is NVLink, Infinity Fabric or their like, in bytes per second.
const FAST_LINK: f64 = 100e9;

/// Bytes of a 16 bit activation.
const ACTIVATION_BYTES: f64 = 2.0;

/// Time of one step by part, in seconds; the parts add up to the step.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct PerfStep {
    /// Projections, feed-forward layers and head.
    pub dense_secs: f64,
    /// Routed experts.
    pub expert_secs: f64,
    /// Attention and reading KV.
    pub attention_secs: f64,
    /// Activations through memory.
    pub activation_secs: f64,
    /// All-reduces and all-to-alls.
    pub collective_secs: f64,
    /// Launches and host.
    pub overhead_secs: f64,
}

impl PerfStep {
    /// The whole step, in seconds.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.dense_secs
            + self.expert_secs
            + self.attention_secs
            + self.activation_secs
            + self.collective_secs
            + self.overhead_secs
    }
}

/// Memory and compute of one stream: seconds to read it once, seconds per token.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Stream {
    read: f64,
    per_token: f64,
}

/// A deployment, prepared: cheap to evaluate at any batch and lengths.
#[derive(Debug, Clone, PartialEq)]
pub struct Perf {
    attention: Stream,
    feed_forward: Stream,
    head: Stream,
    experts: Stream,
    has_experts: bool,
    /// ln(1 - k/E) per independent token.
    miss_ln: f64,
    imbalance: f64,
    expert_activation: f64,
    expert_fixed: f64,
    kv: f64,
    kv_window: f64,
    window: f64,
    decode_pair: f64,
    decode_pair_window: f64,
    prefill_pair: f64,
    prefill_pair_window: f64,
    activation: f64,
    collective_fixed: f64,
    collective_per_token: f64,
    layers_fixed: f64,
    step_fixed: f64,
    per_sequence: f64,
    knee: f64,
    table: Option<&'static Knee>,
    data_parallel: f64,
    pipeline: f64,
    drafted: f64,
    /// Tokens that a step yields per sequence.
    pub(super) yielded: f64,
    draft_cost: f64,
    /// What fits.
    pub memory: PerfMemory,
    pub(super) sequences_max: f64,
    pub(super) ttft_fixed: f64,
    pub(super) constants: ServingConstants,
}

/// Memory of one replica, in bytes over all its GPUs.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PerfMemory {
    /// Weights, copies for data parallelism included.
    pub weights_bytes: f64,
    /// Runtime, buffers and activations.
    pub working_bytes: f64,
    /// What the engine may use.
    pub usable_bytes: f64,
    /// What is left for KV.
    pub kv_bytes: f64,
    /// KV of one token in layers that see everything, all copies.
    pub kv_bytes_per_token: f64,
    /// The same in sliding layers, until the window is full.
    pub kv_bytes_per_token_window: f64,
    /// The window; infinite without one.
    pub window: f64,
}

impl PerfMemory {
    /// Sequences of `tokens` each whose KV fits.
    #[must_use]
    pub fn sequences(&self, tokens: f64) -> f64 {
        let each =
            self.kv_bytes_per_token * tokens + self.kv_bytes_per_token_window * tokens.min(self.window);
        self.kv_bytes / each.max(1e-9)
    }
}

fn of(by: &ByEngine, engine: Engine) -> f64 {
    match engine {
        Engine::TrtLlm => by.trtllm,
        Engine::Sglang => by.sglang,
        Engine::LmDeploy => by.lmdeploy,
        Engine::Vllm | Engine::LlamaCpp => by.vllm,
    }
}

/// Formats by part of the model: published mixtures keep attention and dense layers wider than the experts.
struct Parts {
    attention: WeightFormat,
    dense: WeightFormat,
    experts: WeightFormat,
}

impl Parts {
    fn of(model: &ModelFacts, weights: WeightFormat) -> Self {
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

/// Rates of one GPU with the calibrated shares.
struct Rates<'a> {
    gpu: &'a GpuFacts,
    c: &'a ServingConstants,
    vendor: f64,
}

impl Rates<'_> {
    fn stream(&self, format: WeightFormat) -> f64 {
        let share = match format.width() {
            Width::Sixteen => self.c.stream_16,
            Width::Eight => self.c.stream_8,
            Width::Four => self.c.stream_4,
        };
        within(self.gpu.bandwidth_bytes_per_s * share, 1.0)
    }

    fn expert_stream(&self, format: WeightFormat) -> f64 {
        let widened = format.width() == Width::Four && self.gpu.fp4_flops.is_none();
        let factor = if widened { self.c.stream_experts_widened } else { 1.0 };
        self.stream(format) / self.c.stream_16.max(1e-6) * self.c.stream_experts * factor
    }

    fn compute(&self, format: WeightFormat) -> f64 {
        let bf16 = self.gpu.bf16_flops;
        let widened = bf16 * self.c.compute_widened;
        let native = |rate: Option<f64>, share: f64| rate.map_or(widened, |rate| rate * share);
        let rate = match format {
            WeightFormat::Fp32 => 0.5 * bf16 * self.c.compute_16,
            WeightFormat::Fp16 | WeightFormat::Bf16 => bf16 * self.c.compute_16,
            WeightFormat::Fp8 => native(self.gpu.fp8_flops, self.c.compute_8),
            WeightFormat::Int8 => native(self.gpu.int8_ops, self.c.compute_8),
            WeightFormat::Mxfp4 | WeightFormat::Nvfp4 => native(self.gpu.fp4_flops, self.c.compute_4),
            WeightFormat::Int4 | WeightFormat::Gguf(_) => widened,
        };
        within(rate * self.vendor, 1.0)
    }
}

impl Perf {
    /// Prepares a deployment with the shipped calibration.
    ///
    /// # Errors
    /// [`PerfError`] where parallelism, data sheet or memory do not allow it.
    pub fn prepare(model: &ModelFacts, gpu: &GpuFacts, setup: &Setup) -> Result<Self, PerfError> {
        Self::with(model, gpu, setup, &Calibration::shipped().serving)
    }

    /// Prepares a deployment with other constants.
    ///
    /// # Errors
    /// [`PerfError`] where parallelism, data sheet or memory do not allow it.
    pub fn with(
        model: &ModelFacts,
        gpu: &GpuFacts,
        setup: &Setup,
        c: &ServingConstants,
    ) -> Result<Self, PerfError> {
        check(model, gpu, setup)?;
        let tp = f64::from(setup.tensor_parallel);
        let dp = f64::from(setup.data_parallel);
        let ranks = tp * dp;
        let amd = matches!(gpu.make, Make::AmdServer | Make::AmdCard);
        let vendor = if amd { c.amd_compute } else { 1.0 };
        let rates = Rates { gpu, c, vendor };
        let parts = Parts::of(model, setup.weights);
        let memory = memory(model, gpu, setup, &parts)?;

        let expert_active = model.experts.map_or(0.0, |e| e.params * (e.top_k / e.count.max(1.0)).min(1.0));
        let dense =
            within(model.active_params - expert_active - model.attention_params - model.head_params, 0.0);
        let stream = |params: f64, format: WeightFormat| Stream {
            read: params * format.bytes_per_weight() / tp / rates.stream(format),
            per_token: 2.0 * params / tp / rates.compute(format),
        };
        let head = Stream {
            read: model.head_params * 2.0 / tp / rates.stream(parts.dense),
            per_token: 2.0 * model.head_params / tp / rates.compute(WeightFormat::Bf16),
        };
        let layers = model.layers;
        let pace = if setup.engine == Engine::TrtLlm { c.maturing_trtllm } else { c.maturing };
        let age = (setup.year - 2026.0).clamp(-2.5, 0.5);
        let maturity = (-pace * age).exp() * if amd { c.amd_overhead } else { 1.0 };
        let sequence_secs = if setup.engine == Engine::TrtLlm && setup.year <= 2025.5 {
            c.sequence_secs_compiled
        } else {
            of(&c.sequence_secs, setup.engine)
        };
        let latent = if model.mla.is_some() { c.latent_layer_secs } else { 0.0 };

        let fast = gpu.link_bytes_per_s > FAST_LINK;
        let link = within(gpu.link_bytes_per_s * if fast { c.link } else { c.link_pcie }, 1.0);
        let reduce = if fast { c.all_reduce_secs } else { c.all_reduce_pcie_secs }
            * (1.0 + c.all_reduce_growth * (tp.max(2.0) / 2.0).log2());
        let split = if tp > 1.0 { 2.0 * layers } else { 0.0 };
        let expert_layers = model.experts.map_or(0.0, |e| e.layers);
        let exchanges = if dp > 1.0 { 2.0 * expert_layers } else { 0.0 };
        let top_k = model.experts.map_or(0.0, |e| e.top_k);
        let ring = 2.0 * (tp - 1.0) / tp * model.hidden * ACTIVATION_BYTES / link;
        let exchange = model.hidden * ACTIVATION_BYTES * top_k.min(ranks) * 0.5 / link;

        let (window, window_elements, window_layers) =
            model.sliding.map_or((f64::INFINITY, 0.0, 0.0), |s| (s.window, s.kv_elements, s.layers));
        let full_layers = within(model.attention_layers - window_layers, 0.0);
        let grouped = 4.0 * model.heads * model.head_dim;
        let (decode_pair, prefill_pair) = model.mla.map_or((grouped, grouped), |m| {
            (2.0 * model.heads * (2.0 * m.latent + m.rope), 2.0 * model.heads * (m.nope + m.rope + m.value))
        });
        let attention_rate = within(gpu.bf16_flops * c.compute_attention * vendor * tp, 1.0);
        let kv_secs = setup.kv.bytes_per_kv() * model.kv_copies(tp)
            / tp
            / within(gpu.bandwidth_bytes_per_s * c.stream_kv, 1.0);
        let experts = model.experts.map_or_else(Stream::default, |e| Stream {
            read: e.params * parts.experts.bytes_per_weight() / ranks / rates.expert_stream(parts.experts),
            per_token: 2.0 * expert_active / ranks / (rates.compute(parts.experts) * c.compute_experts),
        });
        let spread = if dp > 1.0 { ranks } else { 1.0 };
        Ok(Self {
            attention: stream(model.attention_params, parts.attention),
            feed_forward: stream(dense, parts.dense),
            head,
            experts,
            has_experts: model.experts.is_some(),
            miss_ln: model.experts.map_or(-1.0, |e| {
                (1.0 - (e.top_k / e.count.max(1.0)).clamp(0.0, 0.999)).ln() * c.routing_skew
            }),
            imbalance: if setup.expert_parallel { c.expert_imbalance } else { 1.0 },
            expert_activation: model.experts.map_or(0.0, |e| {
                c.expert_passes
                    * e.top_k
                    * e.layers
                    * (2.0 * model.hidden + 3.0 * e.width / tp)
                    * ACTIVATION_BYTES
                    / spread
                    / gpu.bandwidth_bytes_per_s
            }),
            expert_fixed: expert_layers * c.expert_layer_secs * maturity,
            kv: model.kv_elements * kv_secs,
            kv_window: window_elements * kv_secs,
            window,
            decode_pair: full_layers * decode_pair / attention_rate,
            decode_pair_window: window_layers * decode_pair / attention_rate,
            prefill_pair: full_layers * prefill_pair / attention_rate,
            prefill_pair_window: window_layers * prefill_pair / attention_rate,
            activation: layers * model.hidden * ACTIVATION_BYTES * c.activation_passes * (1.0 + 1.0 / tp)
                / 2.0
                / gpu.bandwidth_bytes_per_s,
            collective_fixed: split * reduce + exchanges * c.all_to_all_secs,
            collective_per_token: split * ring + exchanges * exchange,
            layers_fixed: layers * (of(&c.layer_secs, setup.engine) + latent) * maturity,
            step_fixed: of(&c.step_secs, setup.engine) * maturity,
            per_sequence: sequence_secs * maturity,
            knee: c.knee,
            table: Knee::shipped(c.knee),
            data_parallel: dp,
            pipeline: f64::from(setup.pipeline_parallel),
            drafted: setup.draft.map_or(0.0, |d| d.tokens.clamp(0.0, 64.0)),
            yielded: setup.draft.map_or(1.0, |d| d.yielded.clamp(1.0, 64.0)),
            draft_cost: setup.draft.map_or(0.0, |d| d.tokens.max(0.0) * d.cost_share.max(0.0)),
            memory,
            sequences_max: setup.max_sequences.unwrap_or_else(|| of(&c.sequences, setup.engine)).max(1.0),
            ttft_fixed: of(&c.ttft_secs, setup.engine),
            constants: *c,
        })
    }

    /// The smooth maximum of memory and compute.
    #[inline]
    fn meet(&self, a: f64, b: f64) -> f64 {
        match self.table {
            Some(table) => table.smooth_max(a, b),
            None => smooth_max_of(self.knee, a, b),
        }
    }

    /// One step of the replica.
    ///
    /// - `sequences`: that decode, over the whole replica; `context`: their mean context.
    /// - `prompt_tokens`: prefilled in this step; `prompt_context`: tokens that each of them looks back on, in the mean.
    /// - Returns seconds by part, finite, >= 0; rises with every argument.
    ///
    /// More tokens than a step holds take several passes. Under pipeline parallelism the time is that of one
    /// micro-batch through all stages, which is also when its next token comes.
    #[must_use]
    pub fn step(&self, sequences: f64, context: f64, prompt_tokens: f64, prompt_context: f64) -> PerfStep {
        let decoding = sequences / self.pipeline / self.data_parallel;
        let prompts = prompt_tokens / self.data_parallel;
        let verified = decoding * (1.0 + self.drafted);
        let tokens = verified + prompts;
        let passes = (tokens / STEP_TOKENS).max(1.0);
        let stream = |s: &Stream| self.meet(s.read * passes, s.per_token * tokens);

        let dense_secs = stream(&self.attention)
            + stream(&self.feed_forward)
            + self.meet(self.head.read, self.head.per_token * verified);
        let expert_secs = if self.has_experts {
            let everywhere = tokens * self.data_parallel;
            let touched = 1.0 - (self.miss_ln * (everywhere / passes)).exp();
            self.meet(self.experts.read * touched * passes, self.experts.per_token * everywhere)
                * self.imbalance
                + self.expert_activation * everywhere
                + self.expert_fixed * passes
        } else {
            0.0
        };
        let seen = context.min(self.window);
        let looked = prompt_context.min(self.window);
        let pair = |full: f64, windowed: f64, far: f64, near: f64| {
            full * far + if windowed > 0.0 { windowed * near } else { 0.0 }
        };
        let read = decoding * pair(self.kv, self.kv_window, context, seen);
        let scored = verified * pair(self.decode_pair, self.decode_pair_window, context, seen);
        let attention_secs = self.meet(read, scored)
            + prompts * pair(self.prefill_pair, self.prefill_pair_window, prompt_context, looked);
        PerfStep {
            dense_secs,
            expert_secs,
            attention_secs,
            activation_secs: self.activation * tokens,
            collective_secs: self.collective_fixed * passes + self.collective_per_token * tokens,
            overhead_secs: self.layers_fixed * passes
                + self.step_fixed * passes
                + self.per_sequence * decoding,
        }
    }

    /// A step that only decodes, drafting included, in seconds.
    pub(super) fn decode_secs(&self, sequences: f64, context: f64) -> f64 {
        self.step(sequences, context, 0.0, 0.0).total() * self.drafting()
    }

    /// Factor on a step that drafts.
    pub(super) fn drafting(&self) -> f64 {
        1.0 + self.draft_cost
    }
}

fn check(model: &ModelFacts, gpu: &GpuFacts, setup: &Setup) -> Result<(), PerfError> {
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

fn memory(model: &ModelFacts, gpu: &GpuFacts, setup: &Setup, parts: &Parts) -> Result<PerfMemory, PerfError> {
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
    let working_bytes = WORKING_BYTES * gpus;
    let usable_bytes = gpus * gpu.memory_bytes * setup.memory_share.clamp(0.0, 1.0);
    let kv_bytes = usable_bytes - weights_bytes - working_bytes;
    if kv_bytes <= 0.0 {
        return Err(PerfError::DoesNotFit {
            need_bytes: weights_bytes + working_bytes,
            have_bytes: usable_bytes,
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
