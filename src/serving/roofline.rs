//! Time of one step: streams of memory and compute that meet in a smooth maximum, collectives, overhead.

use super::memory::STEP_TOKENS;
use super::{Deployment, GpuFacts, ModelFacts, Perf, Precision};

/// Exponent of the smooth maximum `(mem^p + comp^p)^(1/p)`.
///
/// A hard maximum is 22-38 % too fast at the knee; 1.8 takes the mean error from 7.4 to 3.9 % (RTX 4090) and from
/// 10.2 to 4.4 % (RTX PRO 6000) on published operator profiles.
pub const KNEE: f64 = 1.8;

/// Share of the 16 bit streaming rate that weights of 8 and 4 bits reach.
///
/// Measured at one row: H100 FP8 2,182 against BF16 2,967 GB/s; Llama 3 8B Q4 against F16 635/877 (RTX 4090),
/// 660/857 (A100), part of which is the step's overhead, which is counted on its own.
pub const NARROW_STREAM_SHARE: f64 = 0.85;

/// A number in `low..=1e30`, whatever the input: keeps products finite and quotients defined.
pub(super) const fn within(x: f64, low: f64) -> f64 {
    x.max(low).min(1e30)
}

/// `(a^p + b^p)^(1/p)`: at least the larger, at most `2^(1/p)` times it.
pub(super) fn smooth_max(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low <= 0.0 {
        return high.max(0.0);
    }
    high * (1.0 + (low / high).powf(KNEE)).powf(1.0 / KNEE)
}

/// Expected number of distinct experts that `tokens` tokens touch, k of E each: `E (1 - (1 - k/E)^tokens)`.
///
/// Exact for independent uniform routing; skewed routing touches fewer.
#[must_use]
pub fn experts_touched(count: f64, top_k: f64, tokens: f64) -> f64 {
    let count = within(count, 1.0);
    let missed = (1.0 - (top_k / count).clamp(0.0, 1.0)).powf(tokens.max(0.0));
    count * (1.0 - missed)
}

/// Time of one step by part, in seconds; the parts add up to the step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepCost {
    /// Weights that every token meets.
    pub dense_secs: f64,
    /// Routed experts.
    pub expert_secs: f64,
    /// Attention and reading KV.
    pub attention_secs: f64,
    /// All-reduces.
    pub collective_secs: f64,
    /// Host and launches.
    pub overhead_secs: f64,
    /// Memory traffic alone, within the parts above.
    pub memory_secs: f64,
    /// Arithmetic alone, within the parts above.
    pub compute_secs: f64,
}

impl StepCost {
    /// The whole step, in seconds.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.dense_secs + self.expert_secs + self.attention_secs + self.collective_secs + self.overhead_secs
    }
}

/// Tokens of one step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Work {
    /// Sequences that decode.
    pub sequences: f64,
    /// Tokens per decoding sequence: 1, more when drafts are verified.
    pub tokens_per_sequence: f64,
    /// Context of a decoding sequence.
    pub context: f64,
    /// Prompt tokens that are prefilled.
    pub prefill_tokens: f64,
    /// Tokens that each of those looks back on, in the mean.
    pub prefill_context: f64,
}

/// The step's coefficients for one replica in one trial: from stated efficiencies, or calibrated for an engine.
#[derive(Debug, Clone)]
pub(super) enum Roofline {
    /// Efficiencies that the user states.
    Stated(Stated),
    /// Constants fitted to published measurements.
    Calibrated(Box<Perf>),
}

impl Roofline {
    pub fn new(model: &ModelFacts, gpu: &GpuFacts, d: &Deployment<f64>) -> Self {
        match d.engine {
            None => Self::Stated(Stated::new(model, gpu, d)),
            Some(engine) => Self::Calibrated(Box::new(Perf::of_deployment(model, gpu, d, engine))),
        }
    }

    /// One step. More tokens than [`STEP_TOKENS`] take several passes over the weights.
    pub fn step(&self, work: &Work) -> StepCost {
        match self {
            Self::Stated(stated) => stated.step(work),
            Self::Calibrated(perf) => calibrated_step(perf, work),
        }
    }
}

fn calibrated_step(perf: &Perf, work: &Work) -> StepCost {
    let Work { sequences, tokens_per_sequence: tokens, context, prefill_tokens, prefill_context } = *work;
    let step = perf.step_of(sequences, tokens, context, prefill_tokens, prefill_context);
    let (memory_secs, compute_secs) =
        perf.memory_and_compute(sequences, tokens, context, prefill_tokens, prefill_context);
    StepCost {
        dense_secs: step.dense_secs + step.activation_secs,
        expert_secs: step.expert_secs,
        attention_secs: step.attention_secs,
        collective_secs: step.collective_secs,
        overhead_secs: step.overhead_secs,
        memory_secs,
        compute_secs,
    }
}

/// Coefficients from stated efficiencies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stated {
    dense_read_secs: f64,
    dense_secs_per_token: f64,
    expert_read_secs: f64,
    expert_secs_per_token: f64,
    /// ln(1 - k/E).
    expert_miss_ln: f64,
    kv_secs_per_token: f64,
    kv_secs_per_window_token: f64,
    window: f64,
    decode_pair_secs: f64,
    prefill_pair_secs: f64,
    window_pair_secs: f64,
    all_reduce_secs: f64,
    all_reduce_secs_per_token: f64,
    overhead_secs: f64,
}

const fn narrow(format: Precision) -> bool {
    matches!(format, Precision::Fp8 | Precision::Int8 | Precision::Int4 | Precision::Fp4)
}

impl Stated {
    fn new(model: &ModelFacts, gpu: &GpuFacts, d: &Deployment<f64>) -> Self {
        let gpus = f64::from(d.gpus_per_replica.max(1));
        let mbu = d.efficiency.decode_mbu.clamp(1e-4, 1.0);
        let mfu = d.efficiency.prefill_mfu.clamp(1e-4, 1.0);
        let bandwidth = within(gpus * gpu.bandwidth_bytes_per_s * mbu, 1.0);
        let rest = model.rest_format(d.weights);
        let stream = |format| bandwidth * if narrow(format) { NARROW_STREAM_SHARE } else { 1.0 };
        let flops = |format: Precision| within(gpus * format.flops(gpu) * mfu, 1.0);
        let attention_flops = within(gpus * gpu.bf16_flops * mfu, 1.0);

        let (expert_params, expert_active, expert_miss_ln) = model.experts.map_or((0.0, 0.0, -1.0), |e| {
            let hit = (e.top_k / within(e.count, 1.0)).clamp(0.0, 1.0);
            (e.params, e.params * hit, (1.0 - hit).max(1e-12).ln())
        });
        let dense_active = within(model.active_params - expert_active, 0.0);
        let expert_bytes = expert_params * d.weights.bytes_per_weight();

        let kv_secs = d.kv_cache.bytes_per_kv() * model.kv_copies(gpus) / bandwidth;
        let (window, window_elements, window_layers) =
            model.sliding.map_or((0.0, 0.0, 0.0), |s| (s.window, s.kv_elements, s.layers));
        let full_layers = within(model.attention_layers - window_layers, 0.0);
        let grouped_pair = 4.0 * model.heads * model.head_dim;
        let (decode_pair, prefill_pair) = model.mla.map_or((grouped_pair, grouped_pair), |m| {
            // Decode works on the latent itself (absorbed projections); prefill expands it.
            (2.0 * model.heads * (2.0 * m.latent + m.rope), 2.0 * model.heads * (m.nope + m.rope + m.value))
        });

        // Two all-reduces per layer; a ring moves 2 (g-1)/g of the 16 bit activations over each link.
        let reduces = if gpus > 1.0 { 2.0 * model.layers } else { 0.0 };
        let ring = 2.0 * (gpus - 1.0) / gpus * model.hidden * 2.0 / within(gpu.link_bytes_per_s, 1.0);
        Self {
            dense_read_secs: model.dense_bytes(d.weights) / stream(rest),
            dense_secs_per_token: 2.0 * dense_active / flops(rest),
            expert_read_secs: expert_bytes / stream(d.weights),
            expert_secs_per_token: 2.0 * expert_active / flops(d.weights),
            expert_miss_ln,
            kv_secs_per_token: model.kv_elements * kv_secs,
            kv_secs_per_window_token: window_elements * kv_secs,
            window,
            decode_pair_secs: full_layers * decode_pair / attention_flops,
            prefill_pair_secs: full_layers * prefill_pair / attention_flops,
            window_pair_secs: window_layers * grouped_pair / attention_flops,
            all_reduce_secs: reduces * within(d.efficiency.all_reduce_secs, 0.0),
            all_reduce_secs_per_token: reduces * ring,
            overhead_secs: within(d.efficiency.step_overhead_secs, 0.0),
        }
    }

    fn step(&self, work: &Work) -> StepCost {
        let decode_tokens = work.sequences * work.tokens_per_sequence;
        let tokens = decode_tokens + work.prefill_tokens;
        let passes = (tokens / STEP_TOKENS).max(1.0);

        let dense_memory = self.dense_read_secs * passes;
        let dense_compute = self.dense_secs_per_token * tokens;
        let (expert_memory, expert_compute) = if self.expert_read_secs > 0.0 {
            let touched = 1.0 - (self.expert_miss_ln * (tokens / passes)).exp();
            (self.expert_read_secs * touched * passes, self.expert_secs_per_token * tokens)
        } else {
            (0.0, 0.0)
        };
        let seen = work.context.min(self.window);
        let attention_memory =
            work.sequences * (self.kv_secs_per_token * work.context + self.kv_secs_per_window_token * seen);
        let attention_compute = decode_tokens
            * (self.decode_pair_secs * work.context + self.window_pair_secs * seen)
            + work.prefill_tokens
                * (self.prefill_pair_secs * work.prefill_context
                    + self.window_pair_secs * work.prefill_context.min(self.window));
        StepCost {
            dense_secs: smooth_max(dense_memory, dense_compute),
            expert_secs: smooth_max(expert_memory, expert_compute),
            attention_secs: smooth_max(attention_memory, attention_compute),
            collective_secs: self.all_reduce_secs * passes + self.all_reduce_secs_per_token * tokens,
            overhead_secs: self.overhead_secs * passes,
            memory_secs: dense_memory + expert_memory + attention_memory,
            compute_secs: dense_compute + expert_compute + attention_compute,
        }
    }
}

/// Tokens that each prefilled token looks back on, in the mean: what was cached before it, and half of its own.
pub(super) fn prefill_context(prompt_tokens: f64, context_tokens: f64) -> f64 {
    (context_tokens - 0.5 * prompt_tokens).max(0.5 * prompt_tokens)
}

/// Time to prefill one prompt on an idle replica, by part.
///
/// - `prompt_tokens`: tokens to prefill, prefix-cache hits removed; >= 0.
/// - `context_tokens`: the whole prompt, hits included.
/// - Returns finite times >= 0; more tokens never take less.
#[must_use]
pub fn prefill_cost(
    model: &ModelFacts,
    gpu: &GpuFacts,
    d: &Deployment<f64>,
    prompt_tokens: f64,
    context_tokens: f64,
) -> StepCost {
    prefill(&Roofline::new(model, gpu, d), within(prompt_tokens, 0.0), within(context_tokens, 0.0))
}

pub(super) fn prefill(roofline: &Roofline, prompt_tokens: f64, context_tokens: f64) -> StepCost {
    // Even a prompt that is cached whole has its last token computed.
    let prefill_tokens = prompt_tokens.max(1.0);
    roofline.step(&Work {
        prefill_tokens,
        prefill_context: prefill_context(prefill_tokens, context_tokens),
        ..Work::default()
    })
}

/// The total of [`prefill_cost`], in seconds.
#[must_use]
pub fn prefill_secs(
    model: &ModelFacts,
    gpu: &GpuFacts,
    d: &Deployment<f64>,
    prompt_tokens: f64,
    context_tokens: f64,
) -> f64 {
    prefill_cost(model, gpu, d, prompt_tokens, context_tokens).total()
}

/// Time of one decode step of `batch` sequences of `context` tokens each, by part; no prefill, no drafts.
///
/// Weights are read once, KV once per sequence; each part is the smooth maximum of memory and compute, plus
/// collectives and overhead. Not modelled: overlap of collectives with compute (the error is on the slow side).
#[must_use]
pub fn decode_step_cost(
    model: &ModelFacts,
    gpu: &GpuFacts,
    d: &Deployment<f64>,
    batch: f64,
    context: f64,
) -> StepCost {
    Roofline::new(model, gpu, d).step(&Work {
        sequences: within(batch, 0.0),
        tokens_per_sequence: 1.0,
        context: within(context, 0.0),
        ..Work::default()
    })
}

/// The total of [`decode_step_cost`], in seconds.
#[must_use]
pub fn decode_step_secs(
    model: &ModelFacts,
    gpu: &GpuFacts,
    d: &Deployment<f64>,
    batch: f64,
    context: f64,
) -> f64 {
    decode_step_cost(model, gpu, d, batch, context).total()
}
