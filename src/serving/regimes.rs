//! What a prepared deployment serves: a closed loop of users, full load, a fixed batch, a rate, a burst, a target.

use serde::Serialize;

use super::perf::{Perf, PerfStep};
use super::roofline::StepCost;
use super::roofline::{each_within, prefill_context, within};
use super::steady::{Paced, largest_batch, target_limit, tpot_at_rate};
use super::{Limit, Shape, Steady};
use crate::stats::Num;

/// Lengths of the calls, in tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths<N = f64> {
    /// Prompt tokens to prefill, prefix-cache hits removed.
    pub prompt: N,
    /// The whole prompt, hits included: what the KV holds; >= `prompt`.
    pub context: N,
    /// Tokens generated; >= 1.
    pub output: N,
}

impl Lengths {
    /// Without prefix hits.
    #[must_use]
    pub fn new(prompt: f64, output: f64) -> Self {
        Self { prompt, context: prompt, output }
    }
}

impl<N: Num> Lengths<N> {
    #[inline(always)]
    fn of(shape: &Shape<N>) -> Self {
        let &Shape { prompt_tokens: prompt, context_tokens: context, output_tokens: output, .. } = shape;
        Self { prompt, context, output }.bounded()
    }

    #[inline(always)]
    pub(super) fn bounded(self) -> Self {
        let prompt = each_within(self.prompt, 0.0);
        let context = self.context.larger(prompt).at_most(1e30);
        Self { prompt, context, output: each_within(self.output, 1.0) }
    }

    /// Mean context of a sequence that decodes.
    #[inline(always)]
    pub(super) fn decoding(&self) -> N {
        self.context + self.output * 0.5
    }

    /// Tokens that each prefilled token looks back on, in the mean.
    #[inline(always)]
    fn looked_back(&self) -> N {
        prefill_context(self.prompt, self.context)
    }
}

/// What one replica serves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Served {
    /// Tokens generated per second.
    pub output_tokens_per_sec: f64,
    /// Calls per second.
    pub calls_per_sec: f64,
    /// Mean time to first token, in seconds.
    pub ttft_secs: f64,
    /// Time per output token, in seconds.
    pub tpot_secs: f64,
    /// Sequences that run at once, in the mean.
    pub running: f64,
    /// Most sequences that memory and engine allow.
    pub running_max: f64,
    /// A decode step at that batch, by part.
    pub step: PerfStep,
    /// What keeps it from more.
    pub limited_by: Limit,
}

/// Most rounds in which running sequences and latency come to agree; each takes the error down several times.
const ROUNDS: usize = 8;

/// Relative change at which they agree.
const AGREED: f64 = 1e-4;

/// Most rounds of the search for the batch that keeps a target; the time is almost straight in the batch.
const SEARCH_ROUNDS: usize = 24;

/// Part of the target that the mean time per output token may take, so that its percentile keeps it.
const TARGET_SHARE: f64 = 0.9;

/// Times of a batch.
#[derive(Clone, Copy)]
pub(super) struct Times<N = f64> {
    /// A decode step, by part.
    pub step: PerfStep<N>,
    /// What one prompt adds to a step.
    pub prompt_secs: N,
    pub tpot_secs: N,
}

impl<N: Num> Perf<N> {
    #[inline(always)]
    pub(super) fn times(&self, running: N, lengths: &Lengths<N>) -> Times<N> {
        let context = lengths.decoding();
        let step = self.step(running, context, N::of(0.0), N::of(0.0));
        let decode = step.total();
        let mixed = self.step(running, context, lengths.prompt.at_least(1.0), lengths.looked_back()).total();
        let prompt_secs = (mixed - decode).at_least(0.0);
        let prompts_per_step = running / lengths.output;
        // Several prompts share what a step with prompts costs beyond them.
        let shared = prompt_secs.at_most(self.prompt_fixed) * (prompts_per_step - 1.0).at_least(0.0);
        let tpot_secs = self.with_drafts(decode) / self.yielded
            + (prompts_per_step * prompt_secs - shared) * self.constants.interference;
        Times { step, prompt_secs, tpot_secs }
    }

    /// Most sequences whose KV fits at once.
    #[inline(always)]
    fn fitting(&self, lengths: &Lengths<N>) -> N {
        self.memory.sequences(lengths.context + lengths.output * self.constants.output_reserved)
    }

    /// The largest batch whose time per output token keeps the target, that time, and the calls per second.
    #[inline(always)]
    fn sustained(&self, lengths: &Lengths<N>, batch_max: N, target: N, factor: N) -> (N, N, N) {
        let paced = (self, lengths);
        let (batch, tpot_secs) = largest_batch(&paced, batch_max.at_least(1.0), target);
        let calls = batch / (lengths.output * tpot_secs).at_least(1e-12) * each_within(factor, 0.0);
        (batch, tpot_secs, N::of(1.0).pick_above(batch_max, N::of(0.0), calls))
    }

    /// The calls per second of [`Perf::steady`].
    #[inline(always)]
    pub(super) fn calls_per_sec(&self, shape: &Shape<N>, factor: N) -> N {
        let lengths = Lengths::of(shape);
        let batch_max = self.fitting(&lengths).at_most(self.sequences_max);
        self.sustained(&lengths, batch_max, target(shape), factor).2
    }
}

impl<N: Num> Paced<N> for (&Perf<N>, &Lengths<N>) {
    #[inline(always)]
    fn tpot(&self, batch: N) -> N {
        self.0.times(batch, self.1).tpot_secs
    }
}

/// The time per output token that the mean may take.
#[inline(always)]
fn target<N: Num>(shape: &Shape<N>) -> N {
    each_within(shape.tpot_target_secs, 0.0) * TARGET_SHARE
}

impl Perf {
    /// Most sequences at once: by memory, by engine.
    #[must_use]
    pub fn running_max(&self, lengths: &Lengths) -> (f64, Limit) {
        let by_memory = self.fitting(lengths);
        if by_memory < self.sequences_max {
            (by_memory, Limit::Memory)
        } else {
            (self.sequences_max, Limit::MaxSequences)
        }
    }

    /// Time to prefill one prompt on an idle replica, in seconds.
    #[must_use]
    pub fn prefill_secs(&self, lengths: &Lengths) -> f64 {
        let lengths = lengths.bounded();
        let (prompt, looked) = (lengths.prompt.max(1.0), lengths.looked_back());
        let together = self.step(0.0, 0.0, prompt, looked);
        if self.data_parallel <= 1.0 {
            return together.total();
        }
        // One copy of attention has the whole prompt, only the experts of the others help.
        let alone = self.step(0.0, 0.0, prompt * self.data_parallel, looked);
        alone.total() - alone.expert_secs + together.expert_secs
    }

    /// How much longer a prompt takes for itself than it delays the others: 1 without copies of attention.
    fn lonely(&self, lengths: &Lengths) -> f64 {
        if self.data_parallel <= 1.0 {
            return 1.0;
        }
        let together = self.step(0.0, 0.0, lengths.prompt.max(1.0), lengths.looked_back()).total();
        self.prefill_secs(lengths) / together.max(1e-12)
    }

    /// A closed loop: so many users, each sends its next call when the last one is answered.
    ///
    /// `running = users × O t / (TTFT + O t)`; TPOT is the decode step plus the prompts that come in meanwhile; TTFT
    /// is a fixed part, the own prefill, half a step, and the prompts of the wave that starts with it. Beyond what
    /// memory and engine hold, calls wait and `TTFT = users / rate - O t`.
    ///
    /// - Returns finite numbers; throughput never falls and TPOT never falls as users are added, up to the limit.
    #[must_use]
    pub fn at_concurrency(&self, users: f64, lengths: &Lengths) -> Served {
        let lengths = lengths.bounded();
        let users = within(users, 1e-3);
        let (running_max, limit) = self.running_max(&lengths);
        if running_max < 1.0 {
            return self.nothing(&lengths, running_max);
        }
        let batch = users.min(running_max);
        let c = &self.constants;
        let lonely = self.lonely(&lengths);
        let mut running = batch;
        let (mut times, mut ttft);
        let mut round = 0;
        loop {
            times = self.times(running, &lengths);
            ttft = self.ttft_fixed
                + c.ttft_prefill * lonely * times.prompt_secs
                + 0.5 * times.tpot_secs
                + c.ttft_wave * (batch - 1.0).max(0.0) * (times.prompt_secs - self.prompt_fixed).max(0.0);
            let decoding = lengths.output * times.tpot_secs;
            let next = batch * decoding / (ttft + decoding);
            let agreed = (next - running).abs() <= AGREED * next;
            running = next;
            round += 1;
            if agreed || round == ROUNDS {
                break;
            }
        }
        if users > running_max {
            let at_most = self.times(running_max, &lengths);
            let full = running_max / (lengths.output * at_most.tpot_secs).max(1e-12);
            // Not less than the same replica with just as many users as it holds.
            let held = running_max / (ttft + times.tpot_secs * (lengths.output - 1.0)).max(1e-12);
            let calls = full.max(held);
            let mut served = self.served(running_max, running_max, &lengths, calls, limit, &at_most);
            served.ttft_secs = (users / calls - lengths.output * served.tpot_secs).max(ttft);
            return served;
        }
        let calls = users / (ttft + times.tpot_secs * (lengths.output - 1.0)).max(1e-12);
        let mut served = self.served(running, running_max, &lengths, calls, limit, &times);
        served.ttft_secs = ttft;
        served
    }

    /// Full load: requests never run out, the batch is what memory and engine hold.
    #[must_use]
    pub fn at_full_load(&self, lengths: &Lengths) -> Served {
        let lengths = lengths.bounded();
        let (running, limit) = self.running_max(&lengths);
        if running < 1.0 {
            return self.nothing(&lengths, running);
        }
        let times = self.times(running, &lengths);
        let calls = running / (lengths.output * times.tpot_secs).max(1e-12);
        self.served(running, running, &lengths, calls, limit, &times)
    }

    /// A batch that starts and ends together.
    #[must_use]
    pub fn in_fixed_batch(&self, batch: f64, lengths: &Lengths) -> Served {
        let lengths = lengths.bounded();
        let batch = within(batch, 1e-3);
        let (running_max, limit) = self.running_max(&lengths);
        let prefill = self.step(0.0, 0.0, (batch * lengths.prompt).max(1.0), lengths.looked_back()).total();
        let times = self.times(batch, &lengths);
        let step = self.with_drafts(times.step.total()) / self.yielded;
        let calls = batch / (prefill + lengths.output * step).max(1e-12);
        let mut served = self.served(batch, running_max, &lengths, calls, limit, &times);
        served.tpot_secs = step;
        served.ttft_secs = prefill;
        served
    }

    /// Calls that arrive at a rate of their own, `requests` of them where that is known.
    ///
    /// Below capacity the output is the rate times the length; above it the replica is full and calls queue.
    #[must_use]
    pub fn at_rate(&self, calls_per_sec: f64, requests: Option<f64>, lengths: &Lengths) -> Served {
        let lengths = lengths.bounded();
        let full = self.at_full_load(&lengths);
        let rate = within(calls_per_sec, 0.0);
        if full.running < 1.0 || rate >= full.calls_per_sec {
            return requests.map_or(full, |requests| self.in_burst(requests, true, &lengths));
        }
        let mut running = 1.0_f64.min(full.running);
        let mut times = self.times(running, &lengths);
        for _ in 0..2 * ROUNDS {
            times = self.times(running, &lengths);
            let next = (rate * lengths.output * times.tpot_secs).clamp(0.01, full.running);
            let agreed = (next - running).abs() <= AGREED * next;
            running = next;
            if agreed {
                break;
            }
        }
        let c = &self.constants;
        let busy = (rate * times.prompt_secs).min(0.99);
        let wait = 0.5 * busy * times.prompt_secs / (1.0 - busy);
        let ttft = self.ttft_fixed + c.ttft_prefill * times.prompt_secs + 0.5 * times.tpot_secs + wait;
        // A finite run ends when its last call does.
        let stretch = requests.map_or(1.0, |n| {
            let arriving = within(n / rate.max(1e-12), 1e-9);
            arriving / (arriving + ttft + lengths.output * times.tpot_secs)
        });
        let mut served =
            self.served(running, full.running_max, &lengths, rate * stretch, full.limited_by, &times);
        served.tpot_secs = times.tpot_secs;
        served.ttft_secs = ttft;
        served
    }

    /// The most that keeps a time per output token.
    #[must_use]
    pub fn within_tpot(&self, target_secs: f64, lengths: &Lengths) -> Served {
        let lengths = lengths.bounded();
        let full = self.at_full_load(&lengths);
        let allowed = target_secs * TARGET_SHARE;
        let share = self.constants.under_target;
        let scaled = |mut served: Served| {
            served.calls_per_sec *= share;
            served.output_tokens_per_sec *= share;
            served
        };
        if full.running < 1.0 || full.tpot_secs <= allowed {
            return scaled(full);
        }
        let alone = self.times(1.0, &lengths);
        let (batch, times, limit) = if alone.tpot_secs > allowed {
            (1.0, alone, Limit::TargetUnreachable)
        } else {
            let (batch, times) = self.largest_within(allowed, alone, &full, &lengths);
            (batch, times, Limit::TpotTarget)
        };
        let calls = batch / (lengths.output * times.tpot_secs).max(1e-12);
        scaled(self.served(batch, full.running_max, &lengths, calls, limit, &times))
    }

    /// The largest batch whose time per output token is at most `allowed`, between one (which keeps it) and full load
    /// (which does not): regula falsi with the Illinois rule.
    fn largest_within(&self, allowed: f64, alone: Times, full: &Served, lengths: &Lengths) -> (f64, Times) {
        let (mut low, mut best, mut low_error) = (1.0, alone, alone.tpot_secs - allowed);
        let (mut high, mut high_error) = (full.running, full.tpot_secs - allowed);
        let mut last_was_low = None;
        for _ in 0..SEARCH_ROUNDS {
            let middle = (low * high_error - high * low_error) / (high_error - low_error);
            let times = self.times(middle, lengths);
            let error = times.tpot_secs - allowed;
            if error <= 0.0 {
                (low, low_error, best) = (middle, error, times);
                if last_was_low == Some(true) {
                    high_error *= 0.5;
                }
            } else {
                (high, high_error) = (middle, error);
                if last_was_low == Some(false) {
                    low_error *= 0.5;
                }
            }
            last_was_low = Some(error <= 0.0);
            if best.tpot_secs >= allowed * (1.0 - AGREED) || high - low <= AGREED * low {
                break;
            }
        }
        (low, best)
    }

    /// What a replica sustains for a cost model: the largest batch whose time per output token keeps the target, with
    /// prompts of the same mean length coming in as fast as answers leave. `factor` multiplies the rates.
    #[must_use]
    pub fn steady(&self, shape: &Shape, factor: f64) -> Steady {
        let lengths = Lengths::of(shape);
        let (batch_max, limit) = self.running_max(&lengths);
        let target = target(shape);
        let (batch, tpot_secs, calls_per_sec) = self.sustained(&lengths, batch_max, target, factor);
        let (batch, tpot_secs, limited_by) = if batch_max < 1.0 {
            (0.0, self.times(1.0, &lengths).tpot_secs, Limit::Memory)
        } else {
            let missed = target_limit(batch, batch_max, tpot_secs, target);
            (batch, tpot_secs, missed.unwrap_or(limit))
        };
        let step = self.step(batch.max(1.0), lengths.decoding(), 0.0, 0.0);
        Steady {
            calls_per_sec,
            batch,
            batch_max,
            prefill_secs: self.constants.ttft_prefill * self.prefill_secs(&lengths) + self.ttft_fixed,
            tpot_secs,
            output_tokens_per_sec: calls_per_sec * lengths.output,
            prompt_tokens_per_sec: calls_per_sec * lengths.prompt,
            step: StepCost {
                dense_secs: step.dense_secs + step.activation_secs,
                expert_secs: step.expert_secs,
                attention_secs: step.attention_secs,
                collective_secs: step.collective_secs,
                overhead_secs: step.overhead_secs,
                ..StepCost::default()
            },
            limited_by,
        }
    }

    /// Time per output token of a replica to which so many calls per second come, at most that of a batch of `most`, in
    /// seconds; the rates of the replica are taken as `factor` times those of the model.
    #[must_use]
    pub fn tpot_at_rate(&self, shape: &Shape, factor: f64, calls_per_sec: f64, most: f64) -> f64 {
        let lengths = Lengths::of(shape);
        tpot_at_rate(&(self, &lengths), calls_per_sec / within(factor, 1e-12), lengths.output, most)
    }

    /// Prefill on `prefill_replicas` of this deployment, decoding on `decode_replicas` of `decode`, so many users.
    ///
    /// Prompts do not delay decoding; the KV of each prompt crosses a link of `link_bytes_per_s` once. Rates are those
    /// of all replicas together.
    #[must_use]
    pub fn disaggregated(
        &self,
        prefill_replicas: f64,
        decode: &Self,
        decode_replicas: f64,
        users: f64,
        link_bytes_per_s: f64,
        lengths: &Lengths,
    ) -> Served {
        let lengths = lengths.bounded();
        let prefill = self.prefill_secs(&lengths);
        let transfer = (self.memory.kv_bytes_per_token * lengths.context
            + self.memory.kv_bytes_per_token_window * lengths.context.min(self.memory.window))
            / within(link_bytes_per_s, 1.0);
        let prefill_rate = within(prefill_replicas, 1e-3) / prefill.max(1e-12);
        let (running_max, limit) = decode.running_max(&lengths);
        let decoders = within(decode_replicas, 1e-3);
        let mut running = users.min(running_max * decoders).max(1e-3);
        let (mut step, mut ttft, mut calls) = (0.0, 0.0, 0.0);
        for _ in 0..3 * ROUNDS {
            let plain = decode.step(running / decoders, lengths.decoding(), 0.0, 0.0).total();
            step = decode.with_drafts(plain) / decode.yielded;
            ttft = self.ttft_fixed + prefill + transfer + 0.5 * step;
            calls = (users / (ttft + lengths.output * step)).min(prefill_rate);
            let wished = (calls * lengths.output * step).min(running_max * decoders);
            running = 0.5 * (running + wished.max(1e-3));
        }
        let decode_rate = running_max * decoders / (lengths.output * step).max(1e-12);
        let calls = calls.min(decode_rate);
        let times = decode.times(running / decoders, &lengths);
        let mut served = decode.served(running / decoders, running_max, &lengths, calls, limit, &times);
        served.running = running;
        served.tpot_secs = step;
        served.ttft_secs = (users / calls.max(1e-12) - lengths.output * step).max(ttft);
        served
    }

    pub(super) fn served(
        &self,
        running: f64,
        running_max: f64,
        lengths: &Lengths,
        calls_per_sec: f64,
        limited_by: Limit,
        times: &Times,
    ) -> Served {
        Served {
            output_tokens_per_sec: calls_per_sec * lengths.output,
            calls_per_sec,
            ttft_secs: self.ttft_fixed
                + self.constants.ttft_prefill * times.prompt_secs
                + 0.5 * times.step.total(),
            tpot_secs: times.tpot_secs,
            running,
            running_max,
            step: times.step,
            limited_by,
        }
    }

    pub(super) fn nothing(&self, lengths: &Lengths, running_max: f64) -> Served {
        Served {
            output_tokens_per_sec: 0.0,
            calls_per_sec: 0.0,
            running: 0.0,
            limited_by: Limit::Memory,
            ..self.served(1.0, running_max, lengths, 0.0, Limit::Memory, &self.times(1.0, lengths))
        }
    }
}
