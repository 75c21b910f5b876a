//! What one use case asks of a model, in expectation: calls, tokens by their origin, attempts.
//!
//! Everything is closed form, without allocation: this is the inner loop of the Monte Carlo. Turn t of a conversation
//! carries the history `H_t = min(kept (t - 1) (U + W), limit)`; call j of its agent loop sends
//! `S + H_t + C + U + (j - 1)(O + R)`. U, O are means after limits, R a tool's result, and W what a finished turn adds:
//! its answer, and with a kept transcript `(E[n] - 1)(O + R)`.
//!
//! Not modelled: lengths, turns and calls are independent of each other, and a history limit is held against the mean
//! history of a turn, not against each conversation's own.
//!
//! Draws that stray are clamped, so that every result is finite: shares and probabilities to 0..=1, counts to
//! 1 ..= 10⁹, tokens to 0 ..= 10¹⁵; not-a-number counts as the lower end.

use super::length::{share, tokens};
use super::{Retries, UseCase};

/// Expectations per request of one use case, in the workload's own tokens (before a model's tokenizer factor).
///
/// A request is one turn of a conversation; where turns differ, it is the average turn (each turn of each conversation
/// counts alike). All are finite and >= 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Demand {
    /// Model calls per request, before retries; >= 1.
    pub calls: f64,
    /// System prompt, summed over the request's calls.
    pub system_tokens: f64,
    /// Conversation carried from earlier turns, summed over the calls.
    pub history_tokens: f64,
    /// Retrieved context, sent with every call, summed over the calls.
    pub retrieved_tokens: f64,
    /// What the user writes, sent with every call, summed over the calls.
    pub user_tokens: f64,
    /// The agent loop's own earlier calls and tool results, summed over the calls.
    pub transcript_tokens: f64,
    /// Answers after `max_tokens` and early stop, summed over the calls; reasoning is apart.
    pub output_tokens: f64,
    /// Hidden reasoning, summed over the calls; an early stop does not shorten it, since it comes before the stream.
    pub reasoning_tokens: f64,
    /// Tool calls per request: one after each call but the last.
    pub tool_calls: f64,
    /// Billed share of failed attempts per call; billed attempts per call are `success` plus this.
    pub failed_billed: f64,
    /// Probability that a call succeeds in the end, `1 - q^(k+1)`.
    pub success: f64,
    /// Attempts per call, `1 + q + ... + q^k`.
    pub attempts: f64,
    /// Mean turns of a conversation; >= 1.
    pub turns: f64,
    /// The average turn's history, sent with each of its calls, in tokens.
    pub history_per_call: f64,
    /// What one step of the agent loop adds to the next call: its output and the tool's result, in tokens.
    pub step_tokens: f64,
}

impl Demand {
    /// The expectations of one use case.
    ///
    /// An early stop cuts the answer that would have been generated, limit included:
    /// `O = E[min(X, max_tokens)] (1 - share (1 - at_fraction))`.
    #[must_use]
    pub fn of(use_case: &UseCase<f64>) -> Self {
        let parts = Parts::of(use_case);
        let calls = parts.calls;
        let retries = Attempts::of(&use_case.retries);
        let history = use_case.conversation.turns.mean_ramp(parts.history_step, parts.history_limit);
        Self {
            calls,
            system_tokens: parts.system * calls,
            history_tokens: history * calls,
            retrieved_tokens: parts.retrieved * calls,
            user_tokens: parts.user * calls,
            transcript_tokens: parts.step * use_case.agent.calls.pairs(),
            output_tokens: parts.output * calls,
            reasoning_tokens: tokens(use_case.reasoning_tokens) * calls,
            tool_calls: calls - 1.0,
            failed_billed: retries.failed_billed,
            success: retries.success,
            attempts: retries.attempts,
            turns: use_case.conversation.turns.expectation(),
            history_per_call: history,
            step_tokens: parts.step,
        }
    }

    /// Prompt tokens per request, summed over its calls.
    #[must_use]
    pub fn prompt_tokens(&self) -> f64 {
        self.system_tokens
            + self.history_tokens
            + self.retrieved_tokens
            + self.user_tokens
            + self.transcript_tokens
    }

    /// Mean prompt of a call, in tokens.
    #[must_use]
    pub fn prompt_per_call(&self) -> f64 {
        self.prompt_tokens() / self.calls.max(1.0)
    }

    /// Mean generated tokens of a call, reasoning included: what decoding has to produce.
    #[must_use]
    pub fn output_per_call(&self) -> f64 {
        (self.output_tokens + self.reasoning_tokens) / self.calls.max(1.0)
    }
}

/// The means that one call's prompt is made of, clamped.
pub(super) struct Parts {
    pub(super) system: f64,
    pub(super) retrieved: f64,
    pub(super) user: f64,
    /// Answer of a call.
    pub(super) output: f64,
    pub(super) calls: f64,
    /// What a step of the agent loop adds to the next call.
    pub(super) step: f64,
    /// What a turn adds to the history.
    pub(super) history_step: f64,
    pub(super) history_limit: Option<f64>,
}

impl Parts {
    pub(super) fn of(use_case: &UseCase<f64>) -> Self {
        let stop = &use_case.early_stop;
        let read = 1.0 - share(stop.share) * (1.0 - share(stop.at_fraction));
        let answer = use_case.output_tokens.spread();
        let answer = use_case.max_tokens.map_or_else(|| answer.mean(), |limit| answer.mean_limited(limit));
        let output = answer * read;
        let calls = use_case.agent.calls.expectation();
        let step = output + tokens(use_case.agent.tool_result_tokens);
        let transcript = if use_case.agent.transcript_kept { (calls - 1.0) * step } else { 0.0 };
        let user = use_case.user_tokens.mean();
        let conversation = &use_case.conversation;
        Self {
            system: tokens(use_case.system_prompt_tokens),
            retrieved: tokens(use_case.retrieved_tokens),
            user,
            output,
            calls,
            step,
            history_step: share(conversation.history_kept) * (user + output + transcript),
            history_limit: conversation.history_limit_tokens.map(tokens),
        }
    }
}

/// Expectations over the attempts of one call, in closed form.
struct Attempts {
    success: f64,
    attempts: f64,
    failed_billed: f64,
}

impl Attempts {
    /// Attempts are independent: their number is geometric, cut at k + 1, and each fails with probability q, so that
    /// `q * attempts` of them fail.
    fn of(retries: &Retries<f64>) -> Self {
        let q = share(retries.failure);
        let most = f64::from(retries.max_retries) + 1.0;
        let success = if q > 0.0 { -(most * q.ln()).exp_m1() } else { 1.0 };
        let attempts = if q < 1.0 { success / (1.0 - q) } else { most };
        Self { success, attempts, failed_billed: share(retries.billed_share) * q * attempts }
    }
}
