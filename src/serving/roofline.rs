//! Time of one step: streams of memory and compute that meet in a smooth maximum, collectives, overhead.

use super::knee::{Knee, stated};
use super::memory::STEP_TOKENS;
use super::{Deployment, GpuFacts, ModelFacts, Precision};
use crate::stats::Num;

/// Share of the 16 bit streaming rate that weights of 8 and 4 bits reach.
///
/// Measured at one row: H100 FP8 2,182 against BF16 2,967 GB/s; Llama 3 8B Q4 against F16 635/877 (RTX 4090),
/// 660/857 (A100), part of which is the step's overhead, which is counted on its own.
pub const NARROW_STREAM_SHARE: f64 = 0.85;

/// A number in `low..=1e30`, whatever the input: keeps products finite and quotients defined.
pub(super) const fn within(x: f64, low: f64) -> f64 {
    x.max(low).min(1e30)
}

/// [`within`] for numbers side by side.
#[inline(always)]
pub(super) fn each_within<N: Num>(x: N, low: f64) -> N {
    x.at_least(low).at_most(1e30)
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
pub struct StepCost<N = f64> {
    /// Weights that every token meets.
    pub dense_secs: N,
    /// Routed experts.
    pub expert_secs: N,
    /// Attention and reading KV.
    pub attention_secs: N,
    /// All-reduces.
    pub collective_secs: N,
    /// Host and launches.
    pub overhead_secs: N,
    /// Memory traffic alone, within the parts above.
    pub memory_secs: N,
    /// Arithmetic alone, within the parts above.
    pub compute_secs: N,
}

impl<N: Num> StepCost<N> {
    /// The whole step, in seconds.
    #[must_use]
    #[inline(always)]
    pub fn total(&self) -> N {
        self.dense_secs + self.expert_secs + self.attention_secs + self.collective_secs + self.overhead_secs
    }
}

/// Tokens of one step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Work<N = f64> {
    /// Sequences that decode.
    pub sequences: N,
    /// Tokens per decoding sequence: 1, more when drafts are verified.
    pub tokens_per_sequence: N,
    /// Context of a decoding sequence.
    pub context: N,
    /// Prompt tokens that are prefilled.
    pub prefill_tokens: N,
    /// Tokens that each of those looks back on, in the mean.
    pub prefill_context: N,
}

/// The step's coefficients for one replica in one trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Roofline<N = f64> {
    dense_read_secs: N,
    dense_secs_per_token: N,
    expert_read_secs: N,
    expert_secs_per_token: N,
    has_experts: bool,
    /// ln(1 - k/E).
    expert_miss_ln: f64,
    kv_secs_per_token: N,
    kv_secs_per_window_token: N,
    window: f64,
    decode_pair_secs: N,
    prefill_pair_secs: N,
    window_pair_secs: N,
    all_reduce_secs: N,
    all_reduce_secs_per_token: f64,
    knee: &'static Knee,
    overhead_secs: N,
}

const fn narrow(format: Precision) -> bool {
    matches!(format, Precision::Fp8 | Precision::Int8 | Precision::Int4 | Precision::Fp4)
}

impl<N: Num> Roofline<N> {
    #[inline(always)]
    pub fn new(model: &ModelFacts, gpu: &GpuFacts, d: &Deployment<N>) -> Self {
        let gpus = f64::from(d.gpus_per_replica.max(1));
        let mbu = d.efficiency.decode_mbu.at_least(1e-4).at_most(1.0);
        let mfu = d.efficiency.prefill_mfu.at_least(1e-4).at_most(1.0);
        let bandwidth = each_within(mbu * (gpus * gpu.bandwidth_bytes_per_s), 1.0);
        let rest = model.rest_format(d.weights);
        let stream = |format| bandwidth * if narrow(format) { NARROW_STREAM_SHARE } else { 1.0 };
        let flops = |format: Precision| each_within(mfu * (gpus * format.flops(gpu)), 1.0);
        let attention_flops = each_within(mfu * (gpus * gpu.bf16_flops), 1.0);

        let (expert_params, expert_active, expert_miss_ln) = model.experts.map_or((0.0, 0.0, -1.0), |e| {
            let hit = (e.top_k / within(e.count, 1.0)).clamp(0.0, 1.0);
            (e.params, e.params * hit, (1.0 - hit).max(1e-12).ln())
        });
        let dense_active = within(model.active_params - expert_active, 0.0);
        let expert_bytes = expert_params * d.weights.bytes_per_weight();

        let kv_secs = N::of(d.kv_cache.bytes_per_kv() * model.kv_copies(gpus)) / bandwidth;
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
            dense_read_secs: N::of(model.dense_bytes(d.weights)) / stream(rest),
            dense_secs_per_token: N::of(2.0 * dense_active) / flops(rest),
            expert_read_secs: N::of(expert_bytes) / stream(d.weights),
            expert_secs_per_token: N::of(2.0 * expert_active) / flops(d.weights),
            has_experts: expert_bytes > 0.0,
            expert_miss_ln,
            kv_secs_per_token: kv_secs * model.kv_elements,
            kv_secs_per_window_token: kv_secs * window_elements,
            window,
            decode_pair_secs: N::of(full_layers * decode_pair) / attention_flops,
            prefill_pair_secs: N::of(full_layers * prefill_pair) / attention_flops,
            window_pair_secs: N::of(window_layers * grouped_pair) / attention_flops,
            all_reduce_secs: each_within(d.efficiency.all_reduce_secs, 0.0) * reduces,
            all_reduce_secs_per_token: reduces * ring,
            overhead_secs: each_within(d.efficiency.step_overhead_secs, 0.0),
            knee: stated(),
        }
    }

    /// One step. More tokens than [`STEP_TOKENS`] take several passes over the weights.
    #[inline(always)]
    pub fn step(&self, work: &Work<N>) -> StepCost<N> {
        let decode_tokens = work.sequences * work.tokens_per_sequence;
        let tokens = decode_tokens + work.prefill_tokens;
        let passes = (tokens / STEP_TOKENS).at_least(1.0);

        let dense_memory = self.dense_read_secs * passes;
        let dense_compute = self.dense_secs_per_token * tokens;
        let (expert_memory, expert_compute) = if self.has_experts {
            let touched = (tokens / passes * -self.expert_miss_ln).found_within();
            (self.expert_read_secs * touched * passes, self.expert_secs_per_token * tokens)
        } else {
            (N::of(0.0), N::of(0.0))
        };
        let seen = work.context.at_most(self.window);
        let attention_memory =
            work.sequences * (self.kv_secs_per_token * work.context + self.kv_secs_per_window_token * seen);
        let attention_compute = decode_tokens
            * (self.decode_pair_secs * work.context + self.window_pair_secs * seen)
            + work.prefill_tokens
                * (self.prefill_pair_secs * work.prefill_context
                    + self.window_pair_secs * work.prefill_context.at_most(self.window));
        let expert_secs =
            if self.has_experts { self.knee.smooth_max(expert_memory, expert_compute) } else { N::of(0.0) };
        StepCost {
            dense_secs: self.knee.smooth_max(dense_memory, dense_compute),
            expert_secs,
            attention_secs: self.knee.smooth_max(attention_memory, attention_compute),
            collective_secs: self.all_reduce_secs * passes + tokens * self.all_reduce_secs_per_token,
            overhead_secs: self.overhead_secs * passes,
            memory_secs: dense_memory + expert_memory + attention_memory,
            compute_secs: dense_compute + expert_compute + attention_compute,
        }
    }
}

/// Tokens that each prefilled token looks back on, in the mean: what was cached before it, and half of its own.
#[inline(always)]
pub(super) fn prefill_context<N: Num>(prompt_tokens: N, context_tokens: N) -> N {
    (context_tokens - prompt_tokens * 0.5).larger(prompt_tokens * 0.5)
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
