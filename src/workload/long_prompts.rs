//! How much of a use case lies above a length of prompt: what a price cliff by context tier charges more for.

use super::demand::{Demand, Parts};
use super::length::{Gamma, Spread};
use super::{Count, UseCase};
use crate::stats::{LANES, Num};

/// Standard deviations beyond which the tail is left out: it holds less than 3 × 10⁻⁷ of what users write.
const FAR: f64 = 5.0;
/// More positions than the groups of any count make.
const POSITIONS_MAX: usize = 512;

/// The part of a use case's calls whose prompt is longer than a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LongPrompts<N = f64> {
    /// Share of the calls, 0..=1.
    pub calls: N,
    /// Prompt tokens in those calls, per request of the use case (all of them, not those above the threshold).
    pub prompt_tokens: N,
    /// Answer tokens of those calls, per request, without reasoning (reasoning goes by `calls`).
    pub output_tokens: N,
}

/// Share of calls whose prompt is longer than `threshold` tokens, and the prompt and output tokens in those calls.
///
/// Turns, calls of the agent loop and the length of what the user writes vary as they are described; history and
/// transcript are the means at their turn and call, and answers do not depend on the prompt's length. Summed over
/// turns and calls: one by one up to 64 of each, then in groups that grow by a sixteenth, each at its middle.
///
/// The share falls as `threshold` rises. A threshold of 0 or less returns everything.
#[must_use]
pub fn long_prompts<N: Num>(use_case: &UseCase<N>, threshold: N) -> LongPrompts<N> {
    let (demand, parts) = (Demand::of(use_case), Parts::of(use_case));
    let user = use_case.user_tokens.spread();
    let of_lane = |lane| {
        let count = |count: &Count<N>| Count { mean: count.mean.lane(lane), kind: count.kind };
        let question = Question {
            parts: parts.lane(lane),
            user: user.lane(lane),
            turns: count(&use_case.conversation.turns),
            calls: count(&use_case.agent.calls),
        };
        question.beyond(&demand.lane(lane), threshold.lane(lane))
    };
    let mut found = LongPrompts::<N>::default();
    let lanes: [LongPrompts; LANES] = std::array::from_fn(|lane| of_lane(lane.min(N::COUNT - 1)));
    found.calls = N::from_fn(|lane| lanes[lane].calls);
    found.prompt_tokens = N::from_fn(|lane| lanes[lane].prompt_tokens);
    found.output_tokens = N::from_fn(|lane| lanes[lane].output_tokens);
    found
}

/// One lane of a use case.
struct Question<'a> {
    parts: Parts,
    user: Spread<'a>,
    turns: Count<f64>,
    calls: Count<f64>,
}

impl Question<'_> {
    fn beyond(&self, demand: &Demand, threshold: f64) -> LongPrompts {
        let everything = LongPrompts {
            calls: 1.0,
            prompt_tokens: demand.prompt_tokens(),
            output_tokens: demand.output_tokens,
        };
        if threshold.is_nan() || threshold <= 0.0 {
            return everything;
        }
        let Self { parts, user, .. } = self;
        let far = far(*user);
        let room = threshold - parts.system - parts.retrieved;
        let limit = parts.history_limit.unwrap_or(f64::MAX);
        let (mut calls, mut prompt) = (0.0, 0.0);
        let positions = Positions::of(&self.calls);
        self.turns.each_position(|turn, turn_weight| {
            let room = room - (parts.history_step * turn).min(limit);
            for &(call, call_weight) in positions.from(|call| room - parts.step * call < far) {
                let (above, excess) = user.tail(room - parts.step * call);
                calls += turn_weight * call_weight * above;
                prompt += turn_weight * call_weight * (excess + threshold * above);
            }
        });
        // Rounding, the left-out tail and the groups' middles must not exceed the whole.
        let share = (calls / (demand.turns * demand.calls)).min(1.0);
        LongPrompts {
            calls: share,
            prompt_tokens: (prompt / demand.turns).min(everything.prompt_tokens),
            output_tokens: share * everything.output_tokens,
        }
    }
}

/// The calls of an agent loop with their weights, worked out once for all turns; on the stack.
struct Positions {
    held: [(f64, f64); POSITIONS_MAX],
    count: usize,
}

impl Positions {
    fn of(calls: &Count<f64>) -> Self {
        let mut positions = Self { held: [(0.0, 0.0); POSITIONS_MAX], count: 0 };
        calls.each_position(|at, weight| {
            if let Some(free) = positions.held.get_mut(positions.count) {
                *free = (at, weight);
                positions.count += 1;
            }
        });
        positions
    }

    /// The positions from the first one on that is late enough.
    fn from(&self, late: impl Fn(f64) -> bool) -> &[(f64, f64)] {
        let held = &self.held[..self.count];
        &held[held.partition_point(|&(at, _)| !late(at))..]
    }
}

/// A length that practically no draw exceeds.
fn far(user: Spread<'_>) -> f64 {
    match user {
        Spread::Fixed(value) => value,
        Spread::LogNormal { median, sigma, .. } => median * ((sigma + FAR) * sigma).exp(),
        Spread::Gamma { median, sigma, mean } => match Gamma::of(sigma, mean) {
            // The tail of a gamma is exponential beyond its mean.
            Some(Gamma { shape, scale, .. }) => scale * (shape + FAR * shape.sqrt() + 40.0),
            None => median * ((sigma + FAR) * sigma).exp(),
        },
        Spread::Empirical { table, scale } => table.longest() * scale,
    }
}

#[cfg(test)]
mod tests {
    use super::super::count::tests::{check, enumerate};
    use super::super::demand::tests::one_call;
    use super::super::{CountKind, LengthSpread, Quantiles};
    use super::*;

    fn agent(spread: LengthSpread, kind: CountKind) -> UseCase<f64> {
        let mut use_case = one_call();
        use_case.user_tokens.spread = spread;
        use_case.user_tokens.p95 = 900.0;
        use_case.conversation.turns = Count { mean: 3.5, kind };
        use_case.conversation.history_limit_tokens = Some(900.0);
        use_case.agent.calls = Count { mean: 2.25, kind };
        use_case
    }

    fn all() -> Vec<UseCase<f64>> {
        let table = Quantiles::new(vec![0.0, 0.5, 0.5, 0.9, 1.0], vec![20.0, 90.0, 110.0, 300.0, 2_000.0]);
        [LengthSpread::Fixed, LengthSpread::LogNormal, LengthSpread::Gamma, LengthSpread::Empirical(table)]
            .into_iter()
            .flat_map(|spread| {
                [CountKind::Fixed, CountKind::Geometric].map(|kind| agent(spread.clone(), kind))
            })
            .collect()
    }

    /// How many of the sequences reach each position, from the probabilities of their lengths.
    fn reach(count: &Count<f64>) -> Vec<f64> {
        let lengths = enumerate(count);
        let last = lengths.last().map_or(0, |&(n, _)| n);
        (0..last).map(|i| lengths.iter().filter(|&&(n, _)| n > i).map(|&(_, p)| p).sum()).collect()
    }

    /// Every turn and call enumerated; the user's text by the length's own tail.
    fn enumerated(use_case: &UseCase<f64>, threshold: f64) -> LongPrompts {
        let parts = Parts::of(use_case);
        let (mut calls, mut above, mut prompt) = (0.0, 0.0, 0.0);
        let (turns, steps) = (reach(&use_case.conversation.turns), reach(&use_case.agent.calls));
        for (turn, by_turn) in (0u32..).zip(&turns) {
            let history = (parts.history_step * f64::from(turn)).min(parts.history_limit.unwrap_or(f64::MAX));
            for (step, by_step) in (0u32..).zip(&steps) {
                let base = parts.system + parts.retrieved + history + parts.step * f64::from(step);
                let room = threshold - base;
                let survival = use_case.user_tokens.survival(room);
                let text = use_case.user_tokens.mean() - use_case.user_tokens.mean_limited(room)
                    + room.max(0.0) * survival;
                calls += by_turn * by_step;
                above += by_turn * by_step * survival;
                prompt += by_turn * by_step * (base * survival + text);
            }
        }
        let requests: f64 = turns.iter().sum();
        let output_tokens = above / requests * parts.output;
        LongPrompts { calls: above / calls, prompt_tokens: prompt / requests, output_tokens }
    }

    #[test]
    fn the_share_above_a_threshold_is_that_of_every_turn_and_call_enumerated() {
        for use_case in all() {
            for threshold in [200.0, 1_450.0, 1_700.0, 2_100.0, 2_600.0, 4_000.0] {
                let (found, expected) =
                    (long_prompts(&use_case, threshold), enumerated(&use_case, threshold));
                check("calls", found.calls, expected.calls);
                check("prompt", found.prompt_tokens, expected.prompt_tokens);
                check("output", found.output_tokens, expected.output_tokens);
            }
        }
    }

    #[test]
    fn everything_is_above_nothing_and_nothing_above_everything() {
        for use_case in all() {
            let demand = Demand::of(&use_case);
            for threshold in [-1.0, 0.0, 1.0] {
                let long = long_prompts(&use_case, threshold);
                check("calls", long.calls, 1.0);
                check("prompt", long.prompt_tokens, demand.prompt_tokens());
                check("output", long.output_tokens, demand.output_tokens);
            }
            assert!(long_prompts(&use_case, 1e9).prompt_tokens < 1e-6);
        }
    }

    #[test]
    fn a_higher_threshold_leaves_less_above_it() {
        for use_case in all() {
            let mut before = long_prompts(&use_case, 0.0);
            for step in 1..60 {
                let long = long_prompts(&use_case, 100.0 * f64::from(step));
                assert!(long.calls <= before.calls + 1e-12, "{long:?}");
                assert!(long.prompt_tokens <= before.prompt_tokens + 1e-6, "{long:?}");
                before = long;
            }
        }
    }

    #[test]
    fn long_conversations_in_groups_are_near_those_one_by_one() {
        let mut use_case = agent(LengthSpread::LogNormal, CountKind::Geometric);
        use_case.conversation.turns = Count { mean: 400.0, kind: CountKind::Geometric };
        use_case.conversation.history_limit_tokens = None;
        use_case.agent.calls.mean = 1.0;
        let parts = Parts::of(&use_case);
        let threshold = 100_000.0;
        let (mut calls, r) = (0.0, 1.0 - 1.0 / 400.0f64);
        for turn in 0..20_000 {
            let room = threshold - parts.system - parts.retrieved - parts.history_step * f64::from(turn);
            calls += r.powi(turn) / 400.0 * use_case.user_tokens.survival(room);
        }
        let found = long_prompts(&use_case, threshold).calls;
        assert!((found / calls - 1.0).abs() < 0.02, "{found}, one by one {calls}");
    }
}
