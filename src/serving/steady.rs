//! The steady state of continuous batching: how many calls a replica sustains, and how fast it answers.

use serde::{Deserialize, Serialize};

use super::roofline::{Roofline, StepCost, Work, each_within, prefill, prefill_context, within};
use super::{Deployment, GpuFacts, Memory, ModelFacts};
use crate::stats::{Num, turn_by_turn};

/// Mean shape of the calls that an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape<N = f64> {
    /// Tokens to prefill per call, prefix-cache hits removed; >= 0.
    pub prompt_tokens: N,
    /// The whole prompt, cached part included: what the KV holds; >= `prompt_tokens`.
    pub context_tokens: N,
    /// Tokens generated per call, reasoning included; below 1 counts as 1.
    pub output_tokens: N,
    /// Time per output token that must be kept, in seconds; > 0.
    pub tpot_target_secs: N,
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

/// Steps of the batch search; the secant of an almost straight line needs far fewer.
const SEARCH_STEPS: usize = 30;

/// Relative error of the time per output token at which the batch search stops: so small that two ways to the same
/// step time, which differ in the last digits, end at the same batch as far as anybody sees.
const SEARCH_TOLERANCE: f64 = 1e-10;

/// One trial's replica under one shape of calls.
struct Mix<N> {
    roofline: Roofline<N>,
    /// Mean context of a running sequence.
    context: N,
    prompt_tokens: N,
    prefill_context: N,
    output_tokens: N,
    /// Tokens that each step yields per sequence.
    yielded: N,
    drafts: Option<Drafts<N>>,
}

/// What is drafted for each sequence in a step.
struct Drafts<N> {
    tokens: N,
    cost_share: N,
}

impl<N: Num> Mix<N> {
    #[inline(always)]
    fn new(model: &ModelFacts, gpu: &GpuFacts, d: &Deployment<N>, shape: &Shape<N>) -> Self {
        let prompt_tokens = each_within(shape.prompt_tokens, 0.0);
        let context_tokens = shape.context_tokens.larger(prompt_tokens).at_most(1e30);
        let output_tokens = each_within(shape.output_tokens, 1.0);
        let drafts = d.speculative.as_ref().map(|s| Drafts {
            tokens: s.draft_tokens.at_least(0.0).at_most(1e3),
            cost_share: each_within(s.draft_cost_share, 0.0),
        });
        let yielded = match (&d.speculative, &drafts) {
            (Some(s), Some(drafts)) => {
                N::from_fn(|lane| accepted_tokens(s.acceptance.lane(lane), drafts.tokens.lane(lane)))
            }
            _ => N::of(1.0),
        };
        Self {
            roofline: Roofline::new(model, gpu, d),
            context: context_tokens + output_tokens * 0.5,
            prompt_tokens,
            prefill_context: prefill_context(prompt_tokens, context_tokens),
            output_tokens,
            yielded,
            drafts,
        }
    }

    /// A step in which `batch` sequences decode while `prefilling` of them per sequence lifetime are replaced.
    #[inline(always)]
    fn step(&self, batch: N, prefilling: N) -> StepCost<N> {
        let one = N::of(1.0);
        let mut work = Work {
            sequences: batch,
            tokens_per_sequence: one,
            context: self.context,
            prefill_tokens: prefilling * self.prompt_tokens * self.yielded / self.output_tokens,
            prefill_context: self.prefill_context,
        };
        let Some(drafts) = &self.drafts else { return self.roofline.step(&work) };
        let plain = Work { prefill_tokens: N::of(0.0), ..work };
        work.tokens_per_sequence = drafts.tokens + 1.0;
        let mut step = self.roofline.step(&work);
        step.overhead_secs += drafts.tokens * drafts.cost_share * self.roofline.step(&plain).total();
        step
    }

    /// The largest batch of at most `batch_max` (1 where that is less) whose time per output token keeps the target,
    /// that time, and the calls per second.
    #[inline(always)]
    fn sustained(&self, batch_max: N, target: N, capacity_factor: N) -> Sustained<N> {
        let (batch, tpot_secs) = largest_batch(self, batch_max.at_least(1.0), target);
        let step = self.step(batch, batch);
        let calls = batch * self.yielded / (self.output_tokens * step.total().at_least(1e-12))
            * each_within(capacity_factor, 0.0);
        // Where not even one sequence fits, nothing is served.
        let calls_per_sec = N::of(1.0).pick_above(batch_max, N::of(0.0), calls);
        Sustained { batch, tpot_secs, step, calls_per_sec }
    }
}

impl<N: Num> Paced<N> for Mix<N> {
    /// The others' prompts are in the way of a sequence, its own is not.
    #[inline(always)]
    fn tpot(&self, batch: N) -> N {
        self.step(batch, batch - 1.0).total() / self.yielded
    }
}

/// Where a replica settles.
struct Sustained<N> {
    batch: N,
    tpot_secs: N,
    step: StepCost<N>,
    calls_per_sec: N,
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
    let target = within(shape.tpot_target_secs, 0.0);
    let Sustained { batch, tpot_secs, step, calls_per_sec } =
        mix.sustained(batch_max, target, d.capacity_factor);
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
    let limited_by = match target_limit(batch, batch_max, tpot_secs, target) {
        Some(limit) => limit,
        None if step.compute_secs > step.memory_secs => Limit::Compute,
        None if by_memory < by_engine => Limit::Memory,
        None => Limit::MaxSequences,
    };
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

/// Time per output token of a replica to which so many calls per second come, in seconds.
pub(super) fn tpot_of(
    model: &ModelFacts,
    gpu: &GpuFacts,
    d: &Deployment<f64>,
    shape: &Shape,
    (calls_per_sec, most): (f64, f64),
) -> f64 {
    let mix = Mix::new(model, gpu, d, shape);
    tpot_at_rate(&mix, calls_per_sec / within(d.capacity_factor, 1e-12), mix.output_tokens, most)
}

/// The calls per second of [`steady`].
#[inline(always)]
pub(super) fn calls_per_sec<N: Num>(
    model: &ModelFacts,
    gpu: &GpuFacts,
    memory: &Memory<N>,
    d: &Deployment<N>,
    shape: &Shape<N>,
) -> N {
    let mix = Mix::new(model, gpu, d, shape);
    let by_engine = f64::from(d.max_sequences.max(1));
    let batch_max = memory.sequences(model, d, mix.context).at_most(by_engine);
    mix.sustained(batch_max, each_within(shape.tpot_target_secs, 0.0), d.capacity_factor).calls_per_sec
}

/// What the target has to do with a batch that [`largest_batch`] found; none if it could be kept with a larger one.
pub(super) fn target_limit(batch: f64, max: f64, tpot_secs: f64, target: f64) -> Option<Limit> {
    if tpot_secs > target {
        Some(Limit::TargetUnreachable)
    } else {
        (batch < max).then_some(Limit::TpotTarget)
    }
}

/// Something whose time per output token follows its batch. No closure: that would not be inlined into the versions for
/// wide vectors.
pub(super) trait Paced<N> {
    /// Time per output token of one of `batch` sequences, in seconds; rises with the batch.
    fn tpot(&self, batch: N) -> N;
}

/// Time per output token where `calls_per_sec` of `output_tokens` come on their own, in seconds; that of a batch of
/// `most` where more would have to run at once.
///
/// By Little's law `rate × output × time` sequences run in the mean, and whoever joins sees those beside itself: the least
/// solution of `t = tpot(1 + rate × output × t)`, from below.
pub(super) fn tpot_at_rate(
    replica: &impl Paced<f64>,
    calls_per_sec: f64,
    output_tokens: f64,
    most: f64,
) -> f64 {
    const ROUNDS: usize = 200;
    let most = most.max(1.0);
    let at_most = replica.tpot(most);
    let mut secs = replica.tpot(1.0).min(at_most);
    for _ in 0..ROUNDS {
        let batch = 1.0 + calls_per_sec.max(0.0) * output_tokens * secs;
        if batch >= most || batch.is_nan() {
            return at_most;
        }
        let next = replica.tpot(batch).min(at_most);
        let settled = (next - secs).abs() <= 1e-9 * next;
        secs = next;
        if settled {
            break;
        }
    }
    secs
}

/// The largest batch in `1..=max` whose time per output token keeps the target, and that time; a batch of 1 where
/// even that misses it. The time rises with the batch: regula falsi, safe and few evaluations (about seven, where halving the
/// weight took ten). Source: Anderson and Björck, BIT 13 (1973).
#[inline(always)]
pub(super) fn largest_batch<N: Num>(replica: &impl Paced<N>, max: N, target: N) -> (N, N) {
    let (zero, one) = (N::of(0.0), N::of(1.0));
    let (mut low, mut high) = (one, max);
    let (mut low_tpot, mut low_error, mut high_error) = (zero, zero, zero);
    // Which end moved last: -1 the lower, 1 the upper one.
    let mut side = zero;
    // 1 where a batch between the ends is still looked for.
    let mut open = one;
    let mut at = max;
    for step in 0..SEARCH_STEPS {
        turn_by_turn();
        let tpot = replica.tpot(at);
        let error = tpot - target;
        let missed = |missed: N, kept: N| error.pick_above(zero, missed, kept);
        match step {
            // The largest batch, and done where it keeps the target.
            0 => {
                (low, low_tpot, high_error) = (missed(one, max), tpot, error);
                open = missed(one, zero);
                at = one;
            }
            // A batch of one, and done where even that misses it.
            1 => {
                low_tpot = open.pick_above(zero, tpot, low_tpot);
                low_error = error;
                open = missed(zero, open);
            }
            _ => {
                let still = |next: N, now: N| open.pick_above(zero, next, now);
                // An end that stays twice counts for less; the more, the less the other end gained.
                let weight = (error / missed(high_error, low_error)).rest();
                let weight = weight.pick_above(zero, weight, N::of(0.5));
                let twice_low = zero.pick_above(side, high_error * weight, high_error);
                let twice_high = side.pick_above(zero, low_error * weight, low_error);
                low = still(missed(low, at), low);
                low_tpot = still(missed(low_tpot, tpot), low_tpot);
                high = missed(at, high);
                (low_error, high_error) = (missed(twice_high, error), missed(error, twice_low));
                side = missed(one, -one);
                let close = (target * (1.0 - SEARCH_TOLERANCE)).pick_above(low_tpot, open, zero);
                open = (high - low).pick_above(low * SEARCH_TOLERANCE, close, zero);
            }
        }
        if !open.any_above(0.0) {
            break;
        }
        if step > 0 {
            at = (low * high_error - high * low_error) / (high_error - low_error);
        }
    }
    (low, low_tpot)
}
