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
use crate::stats::Num;

/// Expectations per request of one use case, in the workload's own tokens (before a model's tokenizer factor).
///
/// A request is one turn of a conversation; where turns differ, it is the average turn (each turn of each conversation
/// counts alike). All are finite and >= 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Demand<N = f64> {
    /// Model calls per request, before retries; >= 1.
    pub calls: N,
    /// System prompt, summed over the request's calls.
    pub system_tokens: N,
    /// Conversation carried from earlier turns, summed over the calls.
    pub history_tokens: N,
    /// Retrieved context, sent with every call, summed over the calls.
    pub retrieved_tokens: N,
    /// What the user writes, sent with every call, summed over the calls.
    pub user_tokens: N,
    /// The agent loop's own earlier calls and tool results, summed over the calls.
    pub transcript_tokens: N,
    /// Answers after `max_tokens` and early stop, summed over the calls; reasoning is apart.
    pub output_tokens: N,
    /// Hidden reasoning, summed over the calls; an early stop does not shorten it, since it comes before the stream.
    pub reasoning_tokens: N,
    /// Tool calls per request: one after each call but the last.
    pub tool_calls: N,
    /// Billed share of failed attempts per call; billed attempts per call are `success` plus this.
    pub failed_billed: N,
    /// Probability that a call succeeds in the end, `1 - q^(k+1)`.
    pub success: N,
    /// Attempts per call, `1 + q + ... + q^k`.
    pub attempts: N,
    /// Mean turns of a conversation; >= 1.
    pub turns: N,
    /// The average turn's history, sent with each of its calls, in tokens.
    pub history_per_call: N,
    /// The part of it with which the prompt of the turn before went on after the system prompt: what a cache of prompts
    /// can find. See [`Demand::of`].
    pub history_resent: N,
    /// The newest answer in it, where that follows right after what was resent: a cache that keeps answers finds it too.
    pub history_answer: N,
    /// What one step of the agent loop adds to the next call: its output and the tool's result, in tokens.
    pub step_tokens: N,
}

impl<N: Num> Demand<N> {
    /// The expectations of one use case.
    ///
    /// An early stop cuts the answer that would have been generated, limit included:
    /// `O = E[min(X, max_tokens)] (1 - share (1 - at_fraction))`.
    ///
    /// A prompt is laid out as system prompt, history, retrieved context, the user's text, transcript. Turn t > 1 thus
    /// begins like turn t - 1 as far as
    /// - all but the newest answer, `H_t - O`, where a turn only adds to what was said;
    /// - `H_(t-1)`, where the newest turn is not carried as it was sent: context is retrieved anew in its place, or it is
    ///   shortened (`history_kept` below 1);
    /// - the system prompt alone, where the history has outgrown its limit and lost its beginning.
    #[must_use]
    #[inline(always)]
    pub fn of(use_case: &UseCase<N>) -> Self {
        let parts = Parts::of(use_case);
        let calls = parts.calls;
        let retries = Attempts::of(&use_case.retries);
        let history = use_case.conversation.turns.ramp(parts.history_step, parts.history_limit);
        Self {
            calls,
            system_tokens: parts.system * calls,
            history_tokens: history.mean * calls,
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
            history_per_call: history.mean,
            history_resent: (history.rising - parts.newest * history.rising_items).at_least(0.0),
            history_answer: parts.answer * history.rising_items,
            step_tokens: parts.step,
        }
    }

    /// Prompt tokens per request, summed over its calls.
    #[must_use]
    #[inline(always)]
    pub fn prompt_tokens(&self) -> N {
        self.system_tokens
            + self.history_tokens
            + self.retrieved_tokens
            + self.user_tokens
            + self.transcript_tokens
    }

    /// Mean prompt of a call, in tokens.
    #[must_use]
    pub fn prompt_per_call(&self) -> N {
        self.prompt_tokens() / self.calls.at_least(1.0)
    }

    /// Mean generated tokens of a call, reasoning included: what decoding has to produce.
    #[must_use]
    pub fn output_per_call(&self) -> N {
        (self.output_tokens + self.reasoning_tokens) / self.calls.at_least(1.0)
    }
}

/// The means that one call's prompt is made of, clamped.
pub(super) struct Parts<N = f64> {
    pub(super) system: N,
    pub(super) retrieved: N,
    pub(super) user: N,
    /// Answer of a call.
    pub(super) output: N,
    pub(super) calls: N,
    /// What a step of the agent loop adds to the next call.
    pub(super) step: N,
    /// What a turn adds to the history.
    pub(super) history_step: N,
    /// The part of it that the turn's own prompt did not hold at this place.
    pub(super) newest: N,
    /// The answer in it, where it follows right after what the turn's prompt held.
    pub(super) answer: N,
    pub(super) history_limit: Option<N>,
}

impl<N: Num> Parts<N> {
    #[inline(always)]
    pub(super) fn of(use_case: &UseCase<N>) -> Self {
        let stop = &use_case.early_stop;
        let read = (share(stop.share) * share(stop.at_fraction).rest()).rest();
        let answer = use_case.output_tokens.spread();
        let answer = use_case.max_tokens.map_or_else(|| answer.mean(), |limit| answer.mean_limited(limit));
        let output = answer * read;
        let calls = use_case.agent.calls.expectation();
        let step = output + tokens(use_case.agent.tool_result_tokens);
        let transcript = if use_case.agent.transcript_kept { (calls - 1.0) * step } else { N::of(0.0) };
        let user = use_case.user_tokens.mean();
        let conversation = &use_case.conversation;
        let kept = share(conversation.history_kept);
        let history_step = kept * (user + output + transcript);
        let retrieved = tokens(use_case.retrieved_tokens);
        // Whether a turn is carried where and as it was sent; else nothing of it is.
        let (zero, one) = (N::of(0.0), N::of(1.0));
        let as_sent = retrieved.pick_above(zero, zero, one.pick_above(kept, zero, one));
        let followed = if use_case.agent.transcript_kept { one } else { use_case.agent.calls.alone() };
        Self {
            system: tokens(use_case.system_prompt_tokens),
            retrieved,
            user,
            output,
            calls,
            step,
            history_step,
            newest: as_sent.pick_above(zero, output, history_step),
            answer: as_sent * followed * output,
            history_limit: conversation.history_limit_tokens.map(tokens),
        }
    }
}

impl<N: Num> Demand<N> {
    /// The expectations of one lane.
    #[must_use]
    pub fn lane(&self, lane: usize) -> Demand {
        Demand {
            calls: self.calls.lane(lane),
            system_tokens: self.system_tokens.lane(lane),
            history_tokens: self.history_tokens.lane(lane),
            retrieved_tokens: self.retrieved_tokens.lane(lane),
            user_tokens: self.user_tokens.lane(lane),
            transcript_tokens: self.transcript_tokens.lane(lane),
            output_tokens: self.output_tokens.lane(lane),
            reasoning_tokens: self.reasoning_tokens.lane(lane),
            tool_calls: self.tool_calls.lane(lane),
            failed_billed: self.failed_billed.lane(lane),
            success: self.success.lane(lane),
            attempts: self.attempts.lane(lane),
            turns: self.turns.lane(lane),
            history_per_call: self.history_per_call.lane(lane),
            history_resent: self.history_resent.lane(lane),
            history_answer: self.history_answer.lane(lane),
            step_tokens: self.step_tokens.lane(lane),
        }
    }
}

impl<N: Num> Parts<N> {
    /// The parts of one lane.
    pub(super) fn lane(&self, lane: usize) -> Parts {
        Parts {
            system: self.system.lane(lane),
            retrieved: self.retrieved.lane(lane),
            user: self.user.lane(lane),
            output: self.output.lane(lane),
            calls: self.calls.lane(lane),
            step: self.step.lane(lane),
            history_step: self.history_step.lane(lane),
            newest: self.newest.lane(lane),
            answer: self.answer.lane(lane),
            history_limit: self.history_limit.map(|limit| limit.lane(lane)),
        }
    }
}

/// Expectations over the attempts of one call, in closed form.
struct Attempts<N> {
    success: N,
    attempts: N,
    failed_billed: N,
}

impl<N: Num> Attempts<N> {
    /// Attempts are independent: their number is geometric, cut at k + 1, and each fails with probability q, so that
    /// `q * attempts` of them fail.
    #[inline(always)]
    fn of(retries: &Retries<N>) -> Self {
        let q = share(retries.failure);
        let attempts = geometric_sum(q, u64::from(retries.max_retries) + 1);
        let failed_billed = share(retries.billed_share) * q * attempts;
        Self { success: q.rest() * attempts, attempts, failed_billed }
    }
}

/// `1 + q + ... + q^(n - 1)` for `q` in 0..=1, by doubling: `S(2n) = S(n) (1 + q^n)` and `S(n + 1) = 1 + q S(n)`.
/// Nothing is taken away, so nothing cancels near 1.
#[inline(always)]
fn geometric_sum<N: Num>(q: N, n: u64) -> N {
    let (mut sum, mut power) = (N::of(0.0), N::of(1.0));
    for bit in (0..u64::BITS - n.leading_zeros()).rev() {
        sum *= power + 1.0;
        power *= power;
        if n >> bit & 1 == 1 {
            sum = q * sum + 1.0;
            power *= q;
        }
    }
    sum
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::count::tests::{check, counts, enumerate};
    use super::super::{
        Agent, Constraints, Conversation, Count, CountKind, EarlyStop, Growth, Length, LengthSpread, Profile,
        Repetition, Slo,
    };
    use super::*;

    /// One call of 1,000 system, 400 retrieved, 100 written and 300 answered tokens; no loop, no conversation.
    pub(crate) fn one_call() -> UseCase<f64> {
        let once = || Count { mean: 1.0, kind: CountKind::Fixed };
        let fixed = |median| Length { median, p95: median, spread: LengthSpread::Fixed };
        UseCase {
            id: "chat".into(),
            name: "Chat".into(),
            team: String::new(),
            enabled: true,
            requests_per_day: 1_000.0,
            growth: Growth::Flat,
            profile: Profile::Flat,
            burstiness_cv: 1.0,
            system_prompt_tokens: 1_000.0,
            retrieved_tokens: 400.0,
            user_tokens: fixed(100.0),
            output_tokens: fixed(300.0),
            reasoning_tokens: 0.0,
            max_tokens: None,
            early_stop: EarlyStop { share: 0.0, at_fraction: 1.0 },
            conversation: Conversation {
                turns: once(),
                gap_secs: 60.0,
                history_kept: 1.0,
                history_limit_tokens: None,
            },
            agent: Agent {
                calls: once(),
                tool_result_tokens: 200.0,
                tool_secs: 2.0,
                tool_usd: 0.0,
                transcript_kept: false,
            },
            retries: Retries { failure: 0.0, max_retries: 2, timeout_secs: None, billed_share: 0.5 },
            embedding: None,
            repetition: Repetition { distinct: 1_000.0, zipf_alpha: 0.9, cacheable_share: 1.0 },
            hard_share: 0.2,
            slo: Slo { ttft_secs: 1.0, tpot_secs: 0.05 },
            constraints: Constraints::default(),
        }
    }

    /// Every conversation, turn and call enumerated: means per turn.
    fn enumerated(use_case: &UseCase<f64>) -> Demand {
        let (mut turns, mut sum) = (0.0, Demand::default());
        let (user, output, tool) =
            (use_case.user_tokens.mean(), use_case.output_tokens.mean(), use_case.agent.tool_result_tokens);
        let agent = enumerate(&use_case.agent.calls);
        let mean_calls: f64 = agent.iter().map(|&(n, p)| p * f64::from(n)).sum();
        let kept = if use_case.agent.transcript_kept { (mean_calls - 1.0) * (output + tool) } else { 0.0 };
        let added = use_case.conversation.history_kept * (user + output + kept);
        for (conversation_turns, p_turns) in enumerate(&use_case.conversation.turns) {
            turns += p_turns * f64::from(conversation_turns);
            for turn in 0..conversation_turns {
                let limit = use_case.conversation.history_limit_tokens.unwrap_or(f64::MAX);
                let at = |turn: u32| (f64::from(turn) * added).min(limit);
                sum.history_tokens += p_turns * at(turn);
                sum.history_per_call += p_turns * at(turn);
                if turn == 0 || f64::from(turn) * added > limit {
                    continue;
                }
                let whole = use_case.conversation.history_kept >= 1.0 && use_case.retrieved_tokens <= 0.0;
                // The turn before sent its own history and, if that is carried on as it was, all but its answer.
                sum.history_resent += p_turns * if whole { at(turn) - output } else { at(turn - 1) };
                let adjacent = if use_case.agent.transcript_kept {
                    1.0
                } else {
                    agent.iter().filter(|(calls, _)| *calls == 1).map(|(_, p)| p).sum()
                };
                sum.history_answer += p_turns * if whole { adjacent * output } else { 0.0 };
            }
        }
        for &(calls, p_calls) in &agent {
            for call in 0..calls {
                sum.calls += p_calls;
                sum.system_tokens += p_calls * use_case.system_prompt_tokens;
                sum.retrieved_tokens += p_calls * use_case.retrieved_tokens;
                sum.user_tokens += p_calls * user;
                sum.output_tokens += p_calls * output;
                sum.reasoning_tokens += p_calls * use_case.reasoning_tokens;
                sum.transcript_tokens += p_calls * f64::from(call) * (output + tool);
                sum.tool_calls += p_calls * f64::from(u8::from(call + 1 < calls));
            }
        }
        sum.history_tokens *= mean_calls / turns;
        for per_turn in [&mut sum.history_per_call, &mut sum.history_resent, &mut sum.history_answer] {
            *per_turn /= turns;
        }
        sum
    }

    #[test]
    fn expectations_are_those_of_every_conversation_turn_and_call_enumerated() {
        for turns in counts() {
            for calls in counts() {
                for (limit, kept, transcript_kept, retrieved) in [
                    (None, 1.0, false, 400.0),
                    (None, 1.0, false, 0.0),
                    (None, 0.6, true, 0.0),
                    (Some(900.0), 1.0, true, 400.0),
                    (Some(3_900.0), 1.0, true, 0.0),
                    (Some(5_000.0), 0.5, false, 0.0),
                ] {
                    let mut use_case = one_call();
                    use_case.conversation.turns = turns.clone();
                    use_case.conversation.history_kept = kept;
                    use_case.conversation.history_limit_tokens = limit;
                    use_case.agent.calls = calls.clone();
                    use_case.agent.transcript_kept = transcript_kept;
                    use_case.reasoning_tokens = 70.0;
                    use_case.retrieved_tokens = retrieved;
                    let (found, expected) = (Demand::of(&use_case), enumerated(&use_case));
                    check("calls", found.calls, expected.calls);
                    check("system", found.system_tokens, expected.system_tokens);
                    check("history", found.history_tokens, expected.history_tokens);
                    check("history per call", found.history_per_call, expected.history_per_call);
                    check("resent", found.history_resent, expected.history_resent);
                    check("answer", found.history_answer, expected.history_answer);
                    check("retrieved", found.retrieved_tokens, expected.retrieved_tokens);
                    check("user", found.user_tokens, expected.user_tokens);
                    check("transcript", found.transcript_tokens, expected.transcript_tokens);
                    check("output", found.output_tokens, expected.output_tokens);
                    check("reasoning", found.reasoning_tokens, expected.reasoning_tokens);
                    check("tool calls", found.tool_calls, expected.tool_calls);
                }
            }
        }
    }

    #[test]
    fn a_single_call_sends_what_it_is_made_of() {
        let demand = Demand::of(&one_call());
        check("prompt", demand.prompt_tokens(), 1_500.0);
        check("prompt per call", demand.prompt_per_call(), 1_500.0);
        check("output per call", demand.output_per_call(), 300.0);
        check("history", demand.history_tokens, 0.0);
        check("tool calls", demand.tool_calls, 0.0);
    }

    #[test]
    fn input_grows_with_the_square_of_the_turns() {
        // Over a conversation of T turns the history is 400 (0 + 1 + ... + T - 1); worked out by hand for 10.
        let mut use_case = one_call();
        use_case.conversation.turns.mean = 10.0;
        check("history per turn", Demand::of(&use_case).history_tokens, 400.0 * 45.0 / 10.0);
    }

    #[test]
    fn attempts_are_those_of_every_sequence_enumerated() {
        for failure in [0.0, 0.03, 0.5, 0.999, 1.0] {
            for max_retries in [0, 1, 2, 7] {
                let mut use_case = one_call();
                use_case.retries = Retries { failure, max_retries, timeout_secs: None, billed_share: 0.4 };
                // A sequence fails i times and then succeeds, or fails k + 1 times.
                let (mut success, mut attempts, mut failed) = (0.0, 0.0, 0.0);
                for failures in 0..=max_retries {
                    let p = failure.powi(failures as i32) * (1.0 - failure);
                    success += p;
                    attempts += p * f64::from(failures + 1);
                    failed += p * f64::from(failures);
                }
                let given_up = failure.powi(max_retries as i32 + 1);
                attempts += given_up * f64::from(max_retries + 1);
                failed += given_up * f64::from(max_retries + 1);
                let demand = Demand::of(&use_case);
                check("success", demand.success, success);
                check("attempts", demand.attempts, attempts);
                check("failed", demand.failed_billed, 0.4 * failed);
            }
        }
    }

    #[test]
    fn a_limit_and_an_early_stop_shorten_the_answer_and_what_later_turns_carry() {
        let mut use_case = one_call();
        use_case.max_tokens = Some(200.0);
        use_case.early_stop = EarlyStop { share: 0.5, at_fraction: 0.2 };
        use_case.conversation.turns.mean = 2.0;
        use_case.reasoning_tokens = 50.0;
        let demand = Demand::of(&use_case);
        check("output", demand.output_tokens, 200.0 * 0.6);
        check("reasoning", demand.reasoning_tokens, 50.0);
        check("history", demand.history_tokens, (100.0 + 120.0) / 2.0);
    }

    #[test]
    fn no_finite_input_gives_nan() {
        use crate::stats::quantities::Quantified as _;
        for value in [f64::MIN, -1.0, 0.0, 1e-300, 0.5, 1.0, 1e9, f64::MAX] {
            for leaf in 0..64 {
                for kind in [CountKind::Fixed, CountKind::Geometric] {
                    let mut use_case = one_call();
                    use_case.max_tokens = Some(500.0);
                    use_case.conversation.history_limit_tokens = Some(1_000.0);
                    use_case.conversation.turns = Count { mean: 4.5, kind };
                    use_case.agent.calls = Count { mean: 2.5, kind };
                    use_case.user_tokens.spread = LengthSpread::Gamma;
                    use_case.output_tokens.spread = LengthSpread::LogNormal;
                    let mut at = 0;
                    use_case.each_mut(&mut |quantity| {
                        if at == leaf || leaf == 63 {
                            *quantity = value;
                        }
                        at += 1;
                    });
                    let demand = Demand::of(&use_case);
                    let all = [
                        demand.prompt_tokens(),
                        demand.prompt_per_call(),
                        demand.output_per_call(),
                        demand.tool_calls,
                        demand.success,
                        demand.attempts,
                        demand.failed_billed,
                    ];
                    assert!(
                        all.iter().all(|x| x.is_finite() && *x >= 0.0),
                        "{value} at leaf {leaf}: {demand:?}"
                    );
                    let long = super::super::long_prompts(&use_case, 3_000.0);
                    assert!(
                        (0.0..=1.0).contains(&long.calls)
                            && long.prompt_tokens.is_finite()
                            && long.output_tokens.is_finite(),
                        "{value} at leaf {leaf}: {long:?}"
                    );
                }
            }
        }
    }
}
