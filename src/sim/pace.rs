//! How long a step of a replica takes, prepared for every batch.
//!
//! A step without prompts is straight in the KV that it reads: `fixed(B) + per_token(B) x KV`. That is exact for the
//! serving model (its knee between reading and scoring KV scales with both) and lets many steps be summed in closed
//! form. A step with prompts is asked of the serving model itself.

use crate::serving::Perf;

use crate::unit::NS_PER_SEC;

/// A step without prompts at one batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct DecodeStep {
    /// Nanoseconds whatever the context.
    pub fixed_ns: f64,
    /// Nanoseconds per token of KV, summed over the batch.
    pub per_token_ns: f64,
}

impl DecodeStep {
    /// `steps` in a row from `kv` tokens on, which grow by `growth` with each, in nanoseconds.
    #[inline]
    pub fn run_ns(&self, steps: f64, kv: f64, growth: f64) -> f64 {
        steps * (self.fixed_ns + self.per_token_ns * (kv + 0.5 * growth * (steps - 1.0)))
    }

    /// How many steps it takes until `ns` have passed: the whole number at or above the root of [`Self::run_ns`].
    pub fn steps_until(&self, ns: f64, kv: f64, growth: f64) -> f64 {
        let bend = 0.5 * self.per_token_ns * growth;
        let slope = self.fixed_ns + self.per_token_ns * kv - bend;
        let root = 2.0 * ns / (slope + (slope * slope + 4.0 * bend * ns).sqrt());
        let mut steps = root.ceil().max(1.0);
        // The root is rounded: settle on the first that is not before.
        while steps > 1.0 && self.run_ns(steps - 1.0, kv, growth) >= ns {
            steps -= 1.0;
        }
        while self.run_ns(steps, kv, growth) < ns {
            steps += 1.0;
        }
        steps
    }
}

/// Five constants that state a replica's steps, in seconds.
///
/// `step + prompt_step [prompts present] + per_prompt_token x prompt tokens + per_sequence x decoding + per_kv_token x
/// KV tokens`: what a user can measure on an engine of their own, and a server with known law for tests.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct StepConstants {
    /// Every step.
    pub step_secs: f64,
    /// A step in which a prompt is prefilled, in addition.
    pub prompt_step_secs: f64,
    /// Per prompt token.
    pub per_prompt_token_secs: f64,
    /// Per sequence that decodes.
    pub per_sequence_secs: f64,
    /// Per token of KV that is read.
    pub per_kv_token_secs: f64,
}

#[derive(Clone, Debug)]
enum Prompts {
    Model(Box<Perf>),
    Stated(StepConstants),
}

/// Step times of one replica.
#[derive(Clone, Debug)]
pub struct Pace {
    /// By sequences that decode, from 0.
    decode: Vec<DecodeStep>,
    prompts: Prompts,
    /// Output tokens of a sequence and step; above 1 with speculative decoding.
    pub(super) yielded: f64,
    /// By which all steps are longer; the table has it in it.
    factor: f64,
}

/// A context that is far from a rounding error and within any window.
const PROBE_TOKENS: f64 = 1_000.0;

impl Pace {
    /// Of a prepared deployment, for up to `sequences_max` at once.
    #[must_use]
    pub fn of(perf: &Perf, sequences_max: u32) -> Self {
        let decode = decode_table(sequences_max, 0.0, |batch, context| perf.decode_secs(batch, context));
        Self { decode, prompts: Prompts::Model(Box::new(perf.clone())), yielded: perf.yielded(), factor: 1.0 }
    }

    /// From stated constants.
    #[must_use]
    pub fn stated(constants: StepConstants, sequences_max: u32) -> Self {
        let decode = (0..=sequences_max)
            .map(|batch| DecodeStep {
                fixed_ns: (constants.step_secs + f64::from(batch) * constants.per_sequence_secs) * NS_PER_SEC,
                per_token_ns: constants.per_kv_token_secs * NS_PER_SEC,
            })
            .collect();
        Self { decode, prompts: Prompts::Stated(constants), yielded: 1.0, factor: 1.0 }
    }

    /// Sampled from a model of steps: `decode_secs(batch, context)` and, for prompts, what one token of them adds.
    #[must_use]
    pub fn sampled(
        sequences_max: u32,
        yielded: f64,
        per_prompt_token_secs: f64,
        decode_secs: impl Fn(f64, f64) -> f64,
    ) -> Self {
        let prompts = StepConstants {
            per_prompt_token_secs,
            step_secs: decode_secs(0.0, 0.0),
            ..StepConstants::default()
        };
        let decode = decode_table(sequences_max, prompts.step_secs, decode_secs);
        Self { decode, prompts: Prompts::Stated(prompts), yielded, factor: 1.0 }
    }

    /// The same with every step taking `factor` times as long; > 0.
    #[must_use]
    pub fn slowed(mut self, factor: f64) -> Self {
        for step in &mut self.decode {
            step.fixed_ns *= factor;
            step.per_token_ns *= factor;
        }
        self.factor *= factor;
        self
    }

    /// Most sequences at once that it is prepared for.
    #[must_use]
    pub fn sequences_max(&self) -> u32 {
        u32::try_from(self.decode.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }

    #[inline]
    pub(super) fn decode(&self, batch: u32) -> DecodeStep {
        self.decode[(batch as usize).min(self.decode.len() - 1)]
    }

    /// A step with prompts, in nanoseconds.
    ///
    /// - `batch` sequences decode over `kv` tokens in all; `prompt_tokens` are prefilled, which look back on
    ///   `looked_back` tokens each, in the mean.
    pub(super) fn mixed_ns(&self, batch: u32, kv: f64, prompt_tokens: f64, looked_back: f64) -> f64 {
        match &self.prompts {
            Prompts::Model(perf) => {
                let context = if batch == 0 { 0.0 } else { kv / f64::from(batch) };
                perf.mixed_secs(f64::from(batch), context, prompt_tokens, looked_back)
                    * NS_PER_SEC
                    * self.factor
            }
            Prompts::Stated(c) => {
                let extra = c.prompt_step_secs + c.per_prompt_token_secs * prompt_tokens;
                let decode = self.decode(batch);
                decode.fixed_ns + decode.per_token_ns * kv + extra * NS_PER_SEC * self.factor
            }
        }
    }
}

/// The line through a short and a long context, for each batch; without sequences a step takes `empty_secs`.
fn decode_table(
    sequences_max: u32,
    empty_secs: f64,
    decode_secs: impl Fn(f64, f64) -> f64,
) -> Vec<DecodeStep> {
    let step = |batch: u32| {
        let batch = f64::from(batch);
        if batch < 1.0 {
            return DecodeStep { fixed_ns: empty_secs * NS_PER_SEC, per_token_ns: 0.0 };
        }
        let at = |context| decode_secs(batch, context) * NS_PER_SEC;
        let (short, long) = (at(PROBE_TOKENS), at(2.0 * PROBE_TOKENS));
        let per_token_ns = (long - short).max(0.0) / (PROBE_TOKENS * batch);
        DecodeStep { fixed_ns: short - per_token_ns * PROBE_TOKENS * batch, per_token_ns }
    };
    (0..=sequences_max).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_a_row_take_the_sum_of_single_steps() {
        let step = DecodeStep { fixed_ns: 9e6, per_token_ns: 53.0 };
        let single: f64 = (0..700).map(|i| step.run_ns(1.0, 12_345.0 + 31.0 * f64::from(i), 31.0)).sum();
        let summed = step.run_ns(700.0, 12_345.0, 31.0);
        assert!((summed / single - 1.0).abs() < 1e-12, "{summed} {single}");
    }

    #[test]
    fn the_number_of_steps_is_the_first_whose_end_is_not_before() {
        for step in [
            DecodeStep { fixed_ns: 9e6, per_token_ns: 53.0 },
            DecodeStep { fixed_ns: 7.0, per_token_ns: 0.0 },
        ] {
            for steps in 1..300 {
                let steps = f64::from(steps);
                let end = step.run_ns(steps, 500.0, 8.0);
                assert_eq!(step.steps_until(end, 500.0, 8.0), steps);
                assert_eq!(step.steps_until(end + 0.5, 500.0, 8.0), steps + 1.0);
            }
        }
    }
}
