//! The steady state of continuous batching: how many calls a replica sustains, and how fast it answers.

use serde::{Deserialize, Serialize};

use super::roofline::{Roofline, StepCost, Work, prefill, prefill_context, within};
use super::{Deployment, GpuFacts, Memory, ModelFacts};

/// Mean shape of the calls that an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Tokens to prefill per call, prefix-cache hits removed; >= 0.
    pub prompt_tokens: f64,
    /// The whole prompt, cached part included: what the KV holds; >= `prompt_tokens`.
    pub context_tokens: f64,
    /// Tokens generated per call, reasoning included; below 1 counts as 1.
    pub output_tokens: f64,
    /// Time per output token that must be kept, in seconds; > 0.
    pub tpot_target_secs: f64,
}

/// What keeps a replica from doing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// Memory for KV. With a batch of 0 not even one sequence of mean length fits.
    Memory,
    /// The time per output token.
    TpotTarget,
    /// The engine's limit of sequences.
    MaxSequences,
    /// Arithmetic: a larger batch would hardly serve more.
    Compute,
    /// Even a batch of one misses the target; the numbers are those of a batch of one.
    TargetUnreachable,
}

impl Limit {
    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory for KV",
            Self::TpotTarget => "time per output token",
            Self::MaxSequences => "sequences of the engine",
            Self::Compute => "compute",
            Self::TargetUnreachable => "target out of reach",
        }
    }
}

/// What one replica sustains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steady {
    /// Calls per second that one replica sustains at the target; >= 0.
    pub calls_per_sec: f64,
    /// Sequences that run at once; a real number, it is a mean.
    pub batch: f64,
    /// Most sequences that memory and engine allow.
    pub batch_max: f64,
    /// Time to prefill one prompt on an idle replica, in seconds.
    pub prefill_secs: f64,
    /// Time per output token at that batch, prefill of other prompts included, in seconds.
    pub tpot_secs: f64,
    /// Tokens generated per second.
    pub output_tokens_per_sec: f64,
    /// Prompt tokens prefilled per second.
    pub prompt_tokens_per_sec: f64,
    /// The mean step, by part.
    pub step: StepCost,
    /// What limits it.
    pub limited_by: Limit,
}

/// Steps between two brackets of the batch search; the secant of an almost straight line needs far fewer.
const SEARCH_STEPS: usize = 24;

/// Relative error of the time per output token at which the batch search stops.
const SEARCH_TOLERANCE: f64 = 1e-6;

/// One trial's replica under one shape of calls.
struct Mix {
    roofline: Roofline,
    /// Mean context of a running sequence.
    context: f64,
    prompt_tokens: f64,
    prefill_context: f64,
    output_tokens: f64,
    /// Tokens that each step yields per sequence.
    yielded: f64,
    drafted: f64,
    draft_cost_share: f64,
}

impl Mix {
    fn new(model: &ModelFacts, gpu: &GpuFacts, d: &Deployment<f64>, shape: &Shape) -> Self {
        let prompt_tokens = within(shape.prompt_tokens, 0.0);
        let context_tokens = within(shape.context_tokens, prompt_tokens);
        let output_tokens = within(shape.output_tokens, 1.0);
        let (drafted, yielded, draft_cost_share) = match &d.speculative {
            None => (0.0, 1.0, 0.0),
            Some(s) => {
                let drafted = s.draft_tokens.clamp(0.0, 1e3);
                (drafted, accepted_tokens(s.acceptance, drafted), within(s.draft_cost_share, 0.0))
            }
        };
        Self {
            roofline: Roofline::new(model, gpu, d),
            context: context_tokens + 0.5 * output_tokens,
            prompt_tokens,
            prefill_context: prefill_context(prompt_tokens, context_tokens),
            output_tokens,
            yielded,
            drafted,
            draft_cost_share,
        }
    }

    /// A step in which `batch` sequences decode while `prefilling` of them per sequence lifetime are replaced.
    fn step(&self, batch: f64, prefilling: f64) -> StepCost {
        let work = Work {
            sequences: batch,
            tokens_per_sequence: 1.0 + self.drafted,
            context: self.context,
            prefill_tokens: prefilling * self.prompt_tokens * self.yielded / self.output_tokens,
            prefill_context: self.prefill_context,
        };
        let mut step = self.roofline.step(&work);
        if self.drafted > 0.0 {
            let plain = Work { tokens_per_sequence: 1.0, prefill_tokens: 0.0, ..work };
            step.overhead_secs += self.drafted * self.draft_cost_share * self.roofline.step(&plain).total();
        }
        step
    }

    /// Time per output token of one of `batch` sequences: the others' prompts are in its way, its own is not.
    fn tpot(&self, batch: f64) -> f64 {
        self.step(batch, batch - 1.0).total() / self.yielded
    }
}

/// Expected tokens of one step of speculative decoding: `(1 - a^(k+1)) / (1 - a)` for acceptance `a` and `k` drafted
/// tokens, the one that the large model adds included. Source: Leviathan et al. 2023.
#[must_use]
pub fn accepted_tokens(acceptance: f64, drafted: f64) -> f64 {
    let a = acceptance.clamp(0.0, 1.0);
    let k = drafted.max(0.0);
    if a > 1.0 - 1e-9 { k + 1.0 } else { (1.0 - a.powf(k + 1.0)) / (1.0 - a) }
}

/// The steady state of one replica.
///
/// Every step decodes the batch and carries its share of the prompts that follow (chunked prefill, the engines'
/// default), so calls/s = `B e / (O t(B))`, with `t` the time of the mixed step and `e` the tokens that a step yields
/// per sequence. That is `1 / (t_prefill + O t_decode(B) / B)` with prefill and decode in one smooth maximum instead
/// of one after the other. It rises with the batch, so the batch is the largest one that KV memory, the engine and
/// the time per output token allow. `capacity_factor` multiplies the rates.
///
/// Not modelled: preemption, variance of lengths within a batch, swapping.
#[must_use]
pub fn steady(
    model: &ModelFacts,
    gpu: &GpuFacts,
    memory: &Memory,
    d: &Deployment<f64>,
    shape: &Shape,
) -> Steady {
    let mix = Mix::new(model, gpu, d, shape);
    let by_memory = memory.sequences(model, d, mix.context);
    let by_engine = f64::from(d.max_sequences.max(1));
    let batch_max = by_memory.min(by_engine);
    let prefill_secs =
        prefill(&mix.roofline, mix.prompt_tokens, within(shape.context_tokens, mix.prompt_tokens)).total();
    if batch_max < 1.0 {
        return Steady {
            calls_per_sec: 0.0,
            batch: 0.0,
            batch_max,
            prefill_secs,
            tpot_secs: mix.tpot(1.0),
            output_tokens_per_sec: 0.0,
            prompt_tokens_per_sec: 0.0,
            step: mix.step(1.0, 1.0),
            limited_by: Limit::Memory,
        };
    }
    let (batch, tpot_secs, on_target) =
        largest_batch(|batch| mix.tpot(batch), batch_max, within(shape.tpot_target_secs, 0.0));
    let step = mix.step(batch, batch);
    let limited_by = match on_target {
        Some(limit) => limit,
        None if step.compute_secs > step.memory_secs => Limit::Compute,
        None if by_memory < by_engine => Limit::Memory,
        None => Limit::MaxSequences,
    };
    let calls_per_sec =
        batch * mix.yielded / (mix.output_tokens * step.total().max(1e-12)) * within(d.capacity_factor, 0.0);
    Steady {
        calls_per_sec,
        batch,
        batch_max,
        prefill_secs,
        tpot_secs,
        output_tokens_per_sec: calls_per_sec * mix.output_tokens,
        prompt_tokens_per_sec: calls_per_sec * mix.prompt_tokens,
        step,
        limited_by,
    }
}

/// The largest batch in `1..=max` whose time per output token keeps the target, that time, and the limit if it is
/// the target. The time rises with the batch: regula falsi (Illinois), safe and few evaluations.
pub(super) fn largest_batch(
    tpot_at: impl Fn(f64) -> f64,
    max: f64,
    target: f64,
) -> (f64, f64, Option<Limit>) {
    let at_max = tpot_at(max);
    if at_max <= target {
        return (max, at_max, None);
    }
    let at_one = tpot_at(1.0);
    if at_one > target {
        return (1.0, at_one, Some(Limit::TargetUnreachable));
    }
    let (mut low, mut low_error) = (1.0, at_one - target);
    let (mut high, mut high_error) = (max, at_max - target);
    let mut low_tpot = at_one;
    let mut last_side = 0;
    for _ in 0..SEARCH_STEPS {
        let middle = (low * high_error - high * low_error) / (high_error - low_error);
        let tpot = tpot_at(middle);
        let error = tpot - target;
        if error <= 0.0 {
            (low, low_error, low_tpot) = (middle, error, tpot);
            if last_side == -1 {
                high_error *= 0.5;
            }
            last_side = -1;
        } else {
            (high, high_error) = (middle, error);
            if last_side == 1 {
                low_error *= 0.5;
            }
            last_side = 1;
        }
        if low_tpot >= target * (1.0 - SEARCH_TOLERANCE) || high - low <= SEARCH_TOLERANCE * low {
            break;
        }
    }
    (low, low_tpot, Some(Limit::TpotTarget))
}
