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

use super::calibration::{ByEngine, Calibration, ServingConstants};
use super::engine::Engine;
use super::facts::{GpuFacts, Make, ModelFacts, PCIE_BYTES_PER_S};
use super::format::{WeightFormat, Width};
use super::knee::Meet;
use super::memory::STEP_TOKENS;
use super::roofline::within;
use super::setup::{Parts, PerfError, PerfMemory, Setup, check, memory, vllm_sequences};
use crate::stats::Num;

/// A link above this is NVLink, Infinity Fabric or their like, in bytes per second.
pub(super) const FAST_LINK: f64 = 100e9;

/// Bytes of a 16 bit activation.
const ACTIVATION_BYTES: f64 = 2.0;

/// Time of one step by part, in seconds; the parts add up to the step.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct PerfStep<N = f64> {
    /// Projections, feed-forward layers and head.
    pub dense_secs: N,
    /// Routed experts.
    pub expert_secs: N,
    /// Attention and reading KV.
    pub attention_secs: N,
    /// Activations through memory.
    pub activation_secs: N,
    /// All-reduces and all-to-alls.
    pub collective_secs: N,
    /// Launches and host.
    pub overhead_secs: N,
}

impl<N: Num> PerfStep<N> {
    /// The whole step, in seconds.
    #[must_use]
    #[inline(always)]
    pub fn total(&self) -> N {
        self.dense_secs
            + self.expert_secs
            + self.attention_secs
            + self.activation_secs
            + self.collective_secs
            + self.overhead_secs
    }
}

/// Memory and compute of one stream: seconds to read it once, seconds per token.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stream {
    read: f64,
    per_token: f64,
    meet: Meet,
}

impl Stream {
    #[inline(always)]
    fn secs<N: Num>(&self, passes: N, tokens: N) -> N {
        self.meet.of(passes * self.read, tokens * self.per_token)
    }
}

/// A deployment, prepared: cheap to evaluate at any batch and lengths.
#[derive(Debug, Clone, PartialEq)]
pub struct Perf<N = f64> {
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
    /// More of the same in a step with prompts.
    pub(super) prompt_fixed: f64,
    step_fixed: f64,
    per_sequence: f64,
    meet: Meet,
    pub(super) data_parallel: f64,
    pipeline: f64,
    drafted: N,
    /// Tokens that a step yields per sequence.
    pub(super) yielded: N,
    draft_cost: N,
    /// What fits.
    pub memory: PerfMemory<N>,
    pub(super) sequences_max: f64,
    pub(super) ttft_fixed: f64,
    pub(super) constants: ServingConstants,
}

fn of(by: &ByEngine, engine: Engine) -> f64 {
    match engine {
        Engine::TrtLlm => by.trtllm,
        Engine::Sglang => by.sglang,
        Engine::LmDeploy => by.lmdeploy,
        Engine::Vllm | Engine::LlamaCpp => by.vllm,
    }
}

/// Sequences at once where nothing is stated: what is calibrated, on small GPUs no more than vLLM's default there.
fn default_sequences(gpu: &GpuFacts, engine: Engine, c: &ServingConstants) -> f64 {
    let calibrated = of(&c.sequences, engine);
    if engine == Engine::Vllm { calibrated.min(vllm_sequences(gpu)) } else { calibrated }
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
            Width::Eight | Width::Four => self.c.stream_narrow,
        };
        within(self.bandwidth() * share, 1.0)
    }

    /// What the memory delivers, before the share of a format.
    fn bandwidth(&self) -> f64 {
        let gddr = self.gpu.make == Make::Gddr;
        self.gpu.bandwidth_bytes_per_s * if gddr { self.c.stream_gddr } else { 1.0 }
    }

    /// Where memory and compute meet for weights of a format.
    fn meet(&self, format: WeightFormat) -> Meet {
        Meet::new(if format.width() == Width::Sixteen { self.c.knee } else { self.c.knee_narrow })
    }

    /// A share of a rate, at the clock that the power allows.
    fn share(&self, rate: f64, share: f64) -> f64 {
        rate * share * self.gpu.clock(self.c.compute_power, self.c.compute_gddr)
    }

    /// What collectives over `ranks` GPUs get of the link, in bytes per second. Without a link of their own they go
    /// through the host: the more GPUs the more crowded, and no faster where the slots are.
    fn link(&self, fast: bool, ranks: f64) -> f64 {
        let (own, c) = (self.gpu.link_bytes_per_s, self.c);
        let crowd = (0.5 * ranks.max(2.0)).powf(c.link_pcie_crowd);
        let rate = if fast { own * c.link } else { own.min(PCIE_BYTES_PER_S) * c.link_pcie / crowd };
        within(rate, 1.0)
    }

    /// Activations of the routed experts of one token, in seconds.
    fn expert_activation(&self, model: &ModelFacts, tp: f64) -> f64 {
        let bytes = model.experts.map_or(0.0, |e| {
            e.top_k * e.layers * (2.0 * model.hidden + 3.0 * e.width / tp) * ACTIVATION_BYTES
        });
        self.c.expert_passes * bytes / self.gpu.bandwidth_bytes_per_s
    }

    /// Kernels of a layer of experts beyond what they read and compute, in today's seconds.
    fn expert_layer_secs(&self, format: WeightFormat) -> f64 {
        self.c.expert_layer_secs + if self.widens(format) { self.c.widened_layer_secs } else { 0.0 }
    }

    /// Whether weights of 4 bit have to be widened, for want of arithmetic of their own.
    fn widens(&self, format: WeightFormat) -> bool {
        format.width() == Width::Four && self.gpu.fp4_flops.is_none()
    }

    fn expert_stream(&self, format: WeightFormat) -> f64 {
        let factor = if self.widens(format) { self.c.stream_experts_widened } else { 1.0 };
        self.stream(format) / self.c.stream_16.max(1e-6) * self.c.stream_experts * factor
    }

    fn compute(&self, format: WeightFormat) -> f64 {
        let bf16 = self.gpu.bf16_flops;
        let widened = self.share(bf16, self.c.compute_widened);
        let native = |rate: Option<f64>, share: f64| rate.map_or(widened, |rate| self.share(rate, share));
        let rate = match format {
            WeightFormat::Fp32 => 0.5 * self.share(bf16, self.c.compute_16),
            WeightFormat::Fp16 | WeightFormat::Bf16 => self.share(bf16, self.c.compute_16),
            WeightFormat::Fp8 => native(self.gpu.fp8_flops, self.c.compute_8),
            WeightFormat::Int8 => native(self.gpu.int8_ops, self.c.compute_8),
            WeightFormat::Mxfp4 | WeightFormat::Nvfp4 => native(self.gpu.fp4_flops, self.c.compute_4),
            WeightFormat::Int4 | WeightFormat::Gguf(_) => widened,
        };
        within(rate * self.vendor, 1.0)
    }
}

impl<N: Num> Perf<N> {
    /// Prepares a deployment with the shipped calibration.
    ///
    /// # Errors
    /// [`PerfError`] where parallelism, data sheet or memory do not allow it.
    pub fn prepare(model: &ModelFacts, gpu: &GpuFacts, setup: &Setup<N>) -> Result<Self, PerfError> {
        Self::with(model, gpu, setup, &Calibration::shipped().serving)
    }

    /// Prepares a deployment with other constants.
    ///
    /// # Errors
    /// [`PerfError`] where parallelism, data sheet or memory do not allow it.
    pub fn with(
        model: &ModelFacts,
        gpu: &GpuFacts,
        setup: &Setup<N>,
        c: &ServingConstants,
    ) -> Result<Self, PerfError> {
        check(model, gpu, setup)?;
        let parts = Parts::of(model, setup.weights);
        let memory = memory(model, gpu, setup, &parts)?;
        Ok(Self::built(model, gpu, setup, c, memory))
    }

    fn built(
        model: &ModelFacts,
        gpu: &GpuFacts,
        setup: &Setup<N>,
        c: &ServingConstants,
        memory: PerfMemory<N>,
    ) -> Self {
        let parts = Parts::of(model, setup.weights);
        let tp = f64::from(setup.tensor_parallel);
        let dp = f64::from(setup.data_parallel);
        let ranks = tp * dp;
        let amd = matches!(gpu.make, Make::AmdServer | Make::AmdCard);
        let vendor = if amd { c.amd_compute } else { 1.0 };
        let rates = Rates { gpu, c, vendor };

        let expert_active = model.experts.map_or(0.0, |e| e.params * (e.top_k / e.count.max(1.0)).min(1.0));
        let dense =
            within(model.active_params - expert_active - model.attention_params - model.head_params, 0.0);
        let stream = |params: f64, format: WeightFormat| Stream {
            read: params * format.bytes_per_weight() / tp / rates.stream(format),
            per_token: 2.0 * params / tp / rates.compute(format),
            meet: rates.meet(format),
        };
        let head = Stream {
            read: model.head_params * 2.0 / tp / rates.stream(parts.dense),
            per_token: 2.0 * model.head_params / tp / rates.compute(WeightFormat::Bf16),
            meet: rates.meet(WeightFormat::Bf16),
        };
        let layers = model.layers;
        let pace = if setup.engine == Engine::TrtLlm { c.maturing_trtllm } else { c.maturing };
        let age = (setup.year - 2026.0).clamp(-2.5, 0.5);
        let maturity = (-pace * age).exp() * if amd { c.amd_overhead } else { 1.0 };
        let compiled = setup.engine == Engine::TrtLlm && setup.year <= 2025.5;
        let sequence_secs =
            if compiled { c.sequence_secs_compiled } else { of(&c.sequence_secs, setup.engine) };
        let latent = if model.mla.is_some() { c.latent_layer_secs } else { 0.0 };

        let fast = gpu.link_bytes_per_s > FAST_LINK;
        let link = rates.link(fast, tp);
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
        let attention_rate = within(rates.share(gpu.bf16_flops, c.compute_attention) * vendor * tp, 1.0);
        let kv_secs =
            setup.kv.bytes_per_kv() * model.kv_copies(tp) / tp / within(rates.bandwidth() * c.stream_kv, 1.0);
        let routed = model.experts.map_or(0.0, |e| e.params);
        let experts = Stream {
            read: routed * parts.experts.bytes_per_weight() / ranks / rates.expert_stream(parts.experts),
            per_token: 2.0 * expert_active / ranks / (rates.compute(parts.experts) * c.compute_experts),
            meet: rates.meet(parts.experts),
        };
        let spread = if dp > 1.0 { ranks } else { 1.0 };
        Self {
            attention: stream(model.attention_params, parts.attention),
            feed_forward: stream(dense, parts.dense),
            head,
            experts,
            has_experts: model.experts.is_some(),
            miss_ln: model.experts.map_or(-1.0, |e| {
                (1.0 - (e.top_k / e.count.max(1.0)).clamp(0.0, 0.999)).ln() * c.routing_skew
            }),
            imbalance: if setup.expert_parallel { c.expert_imbalance } else { 1.0 },
            expert_activation: rates.expert_activation(model, tp) / spread,
            expert_fixed: expert_layers * rates.expert_layer_secs(parts.experts) * maturity,
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
            // Compiled engines launch prompts as fast as tokens.
            prompt_fixed: if compiled {
                0.0
            } else {
                layers
                    * (c.prompt_layer_secs
                        + if model.mla.is_some() { c.prompt_latent_layer_secs } else { 0.0 })
            },
            step_fixed: of(&c.step_secs, setup.engine) * maturity,
            per_sequence: sequence_secs * maturity,
            meet: Meet::new(c.knee),
            data_parallel: dp,
            pipeline: f64::from(setup.pipeline_parallel),
            drafted: setup.draft.map_or(N::of(0.0), |d| d.tokens.at_least(0.0).at_most(64.0)),
            yielded: setup.draft.map_or(N::of(1.0), |d| d.yielded.at_least(1.0).at_most(64.0)),
            draft_cost: setup
                .draft
                .map_or(N::of(0.0), |d| d.tokens.at_least(0.0) * d.cost_share.at_least(0.0)),
            memory,
            sequences_max: setup
                .max_sequences
                .unwrap_or_else(|| default_sequences(gpu, setup.engine, c))
                .max(1.0),
            ttft_fixed: of(&c.ttft_secs, setup.engine),
            constants: *c,
        }
    }

    /// Seconds for a context in full layers, and in sliding ones up to their window.
    #[inline(always)]
    fn seen(&self, context: N, full: f64, sliding: f64) -> N {
        let far = context * full;
        if sliding > 0.0 { far + context.at_most(self.window) * sliding } else { far }
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
    #[inline(always)]
    pub fn step(&self, sequences: N, context: N, prompt_tokens: N, prompt_context: N) -> PerfStep<N> {
        let decoding = sequences / self.pipeline / self.data_parallel;
        let prompts = prompt_tokens / self.data_parallel;
        let verified = decoding * (self.drafted + 1.0);
        let tokens = verified + prompts;
        let passes = (tokens / STEP_TOKENS).at_least(1.0);

        let dense_secs = self.attention.secs(passes, tokens)
            + self.feed_forward.secs(passes, tokens)
            + self.head.secs(N::of(1.0), verified);
        let expert_secs = if self.has_experts {
            let everywhere = tokens * self.data_parallel;
            let touched = (everywhere / passes * -self.miss_ln).found_within();
            self.experts.secs(touched * passes, everywhere) * self.imbalance
                + everywhere * self.expert_activation
                + passes * self.expert_fixed
        } else {
            N::of(0.0)
        };
        let read = decoding * self.seen(context, self.kv, self.kv_window);
        let scored = verified * self.seen(context, self.decode_pair, self.decode_pair_window);
        let attention_secs = self.meet.of(read, scored)
            + prompts * self.seen(prompt_context, self.prefill_pair, self.prefill_pair_window);
        PerfStep {
            dense_secs,
            expert_secs,
            attention_secs,
            activation_secs: tokens * self.activation,
            collective_secs: passes * self.collective_fixed + tokens * self.collective_per_token,
            overhead_secs: passes * (self.layers_fixed + self.step_fixed)
                + decoding * self.per_sequence
                + prompt_tokens.pick_above(N::of(0.0), N::of(self.prompt_fixed), N::of(0.0)),
        }
    }

    /// A decode step with what drafting costs, in seconds.
    #[inline(always)]
    pub(super) fn with_drafts(&self, step_secs: N) -> N {
        step_secs * (self.draft_cost + 1.0)
    }
}
