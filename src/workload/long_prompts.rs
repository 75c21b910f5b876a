//! How much of a use case lies above a length of prompt: what a price cliff by context tier charges more for.

use super::UseCase;
use super::demand::{Demand, Parts};
use super::length::Spread;

/// Survival beyond this many log-normal standard deviations (or its like) is below 10⁻¹³ and counts as none.
const FAR: f64 = 7.4;

/// The part of a use case's calls whose prompt is longer than a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LongPrompts {
    /// Share of the calls, 0..=1.
    pub calls: f64,
    /// Prompt tokens in those calls, per request of the use case (all of them, not those above the threshold).
    pub prompt_tokens: f64,
    /// Answer tokens of those calls, per request, without reasoning (reasoning goes by `calls`).
    pub output_tokens: f64,
}

/// Share of calls whose prompt is longer than `threshold` tokens, and the prompt and output tokens in those calls.
///
/// Turns, calls of the agent loop and the length of what the user writes vary as they are described; history and
/// transcript are the means at their turn and call, and answers do not depend on the prompt's length. Summed over
/// turns and calls: one by one up to 64 of each, then in groups that grow by a sixteenth, each at its middle.
///
/// The share falls as `threshold` rises. A threshold of 0 or less returns everything.
#[must_use]
pub fn long_prompts(use_case: &UseCase<f64>, threshold: f64) -> LongPrompts {
    let demand = Demand::of(use_case);
    let everything = LongPrompts {
        calls: 1.0,
        prompt_tokens: demand.prompt_tokens(),
        output_tokens: demand.output_tokens,
    };
    if threshold.is_nan() || threshold <= 0.0 {
        return everything;
    }
    let parts = Parts::of(use_case);
    let user = use_case.user_tokens.spread();
    let far = far(user);
    let room = threshold - parts.system - parts.retrieved;
    let limit = parts.history_limit.unwrap_or(f64::MAX);
    let (mut calls, mut prompt) = (0.0, 0.0);
    use_case.conversation.turns.each_position(|turn, turn_weight| {
        let room = room - (parts.history_step * turn).min(limit);
        use_case.agent.calls.each_position(|call, call_weight| {
            let room = room - parts.step * call;
            if room < far {
                let (above, excess) = user.tail(room);
                calls += turn_weight * call_weight * above;
                prompt += turn_weight * call_weight * (excess + threshold * above);
            }
        });
    });
    // Rounding, the left-out tail and the groups' middles must not exceed the whole.
    let share = (calls / (demand.turns * demand.calls)).min(1.0);
    LongPrompts {
        calls: share,
        prompt_tokens: (prompt / demand.turns).min(everything.prompt_tokens),
        output_tokens: share * everything.output_tokens,
    }
}

/// A length that practically no draw exceeds.
fn far(user: Spread) -> f64 {
    match user {
        Spread::Fixed(value) => value,
        Spread::LogNormal { mu, sigma, .. } => (mu + FAR * sigma).exp(),
        // The tail of a gamma is exponential beyond its mean.
        Spread::Gamma { shape, scale, .. } => scale * (shape + FAR * shape.sqrt() + 40.0),
    }
}
