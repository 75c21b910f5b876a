//! Which plans stand at a volume: what they serve, and which rules they keep, when the first month has it.
//!
//! A fixed fleet is full at some volume, a rate limit is reached, an overflow begins to leave the house. Below that
//! volume a plan may be an answer, above it it is none. At today's volume this is the judgement of the instant
//! answer: the growth of the months that follow counts.

use crate::routing::{Router, Serves};
use crate::scenario::{Scenario, UseCaseFacts};
use crate::serving::Scaling;

use super::evaluate::evaluate;
use super::evaluator::Evaluator;
use super::findings::{self, Kept};
use super::month::Total;
use super::rates::Rates;
use super::results::Limit;

/// Bisection steps for a limit: seven decades of volume over 2²⁶ are a four-millionth of it.
const BISECTIONS: u32 = 26;

/// How far above its limit a plan is asked what goes wrong: at the limit itself it is a rounding error.
const REASON_AT: f64 = 1.1;

/// Answers which plans stand at a volume.
pub(super) struct Standing<'a> {
    scenario: &'a Scenario,
    /// Tokens per day of the first month.
    today: f64,
    /// Whether each plan stands today; all do where none does, so that there is something to compare.
    stands_today: Vec<bool>,
    /// Whether the volume can change that.
    depends: Vec<bool>,
    /// The months of which one is the busiest for any endpoint.
    busiest: Vec<usize>,
}

impl<'a> Standing<'a> {
    pub(super) fn new(scenario: &'a Scenario, today: f64) -> Self {
        let outcomes = evaluate(scenario).plans;
        let contenders = findings::contenders(&outcomes);
        let none_stands = !outcomes.iter().any(findings::is_answer);
        let plans = 0..outcomes.len();
        let depends: Vec<bool> =
            plans.clone().map(|plan| !none_stands && depends_on_volume(scenario, plan)).collect();
        Self {
            scenario,
            today,
            stands_today: plans.map(|plan| contenders.contains(&plan)).collect(),
            busiest: if depends.contains(&true) { busiest_months(scenario) } else { Vec::new() },
            depends,
        }
    }

    /// Number of plans.
    pub(super) fn plans(&self) -> usize {
        self.depends.len()
    }

    /// Whether a plan stands when the first month has this volume, in tokens per day.
    pub(super) fn at(&self, evaluator: &mut Evaluator<'_>, plan: usize, volume: f64) -> bool {
        if self.depends[plan] {
            self.broken(evaluator, plan, volume).is_none()
        } else {
            self.stands_today[plan]
        }
    }

    /// The first rule that a plan breaks at a volume, in a sentence.
    fn broken(&self, evaluator: &mut Evaluator<'_>, plan: usize, volume: f64) -> Option<String> {
        let state = self.scenario.point();
        let scale = volume / self.today;
        let (mut kept, mut total) = (Kept::default(), Total::default());
        // The first month comes last: what else is judged, is judged on its flows.
        for month in self.busiest.iter().copied().chain([0]) {
            let served = evaluator.month(state, plan, month, scale, false, &mut total).served_share;
            kept.add(self.scenario, plan, evaluator, (month, served));
        }
        let broken = findings::broken(self.scenario, plan, evaluator, &kept);
        broken.into_iter().next().map(|finding| finding.message)
    }

    /// The cheapest of the plans that stand at a volume, with its US dollars per month.
    fn cheapest(
        &self,
        evaluator: &mut Evaluator<'_>,
        rates: &mut Rates<'_>,
        volume: f64,
    ) -> Option<(usize, f64)> {
        let standing: Vec<usize> =
            (0..self.depends.len()).filter(|plan| self.at(evaluator, *plan, volume)).collect();
        standing
            .into_iter()
            .map(|plan| (plan, rates.at(plan, &[volume])[0]))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// For each plan that stands at the lowest volume and no longer at the highest: where that ends, by volume.
    pub(super) fn limits(
        &self,
        evaluator: &mut Evaluator<'_>,
        rates: &mut Rates<'_>,
        lowest: f64,
        highest: f64,
    ) -> Vec<Limit> {
        let mut found: Vec<Limit> = (0..self.depends.len())
            .filter(|plan| self.depends[*plan])
            .filter_map(|plan| self.limit(evaluator, rates, plan, (lowest, highest)))
            .collect();
        found.sort_by(|a, b| a.tokens_per_day.total_cmp(&b.tokens_per_day));
        found
    }

    fn limit(
        &self,
        evaluator: &mut Evaluator<'_>,
        rates: &mut Rates<'_>,
        plan: usize,
        (lowest, highest): (f64, f64),
    ) -> Option<Limit> {
        if !self.at(evaluator, plan, lowest) || self.at(evaluator, plan, highest) {
            return None;
        }
        let (mut low, mut high) = (lowest.ln(), highest.ln());
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            if self.at(evaluator, plan, middle.exp()) { low = middle } else { high = middle }
        }
        let (below, above) = (low.exp(), high.exp());
        let reason = self.broken(evaluator, plan, REASON_AT * above)?;
        Some(Limit {
            plan,
            tokens_per_day: above,
            usd_per_month: rates.at(plan, &[below])[0],
            reason,
            decisive: self.cheapest(evaluator, rates, below).is_some_and(|(cheapest, _)| cheapest == plan),
            then: self.cheapest(evaluator, rates, above).map(|(cheapest, _)| cheapest),
        })
    }
}

/// The months that no other month exceeds in every use case: with growth that only rises, the last one.
fn busiest_months(scenario: &Scenario) -> Vec<usize> {
    let use_cases = || {
        let position = |facts: &UseCaseFacts| &scenario.point().workload.use_cases[facts.position];
        scenario.facts().use_cases.iter().map(position)
    };
    let months = scenario.facts().months.len();
    let volumes: Vec<Vec<f64>> = (0..months)
        .map(|month| use_cases().map(|use_case| use_case.growth.factor(month as u32)).collect())
        .collect();
    let covers = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| a >= b);
    (0..months)
        .filter(|&month| {
            // Of equal months the last one stands for all.
            !(0..months).any(|other| {
                covers(&volumes[other], &volumes[month])
                    && (other > month || !covers(&volumes[month], &volumes[other]))
            })
        })
        .collect()
}

/// Whether anything about a plan can turn from allowed to not allowed as the volume grows.
fn depends_on_volume(scenario: &Scenario, position: usize) -> bool {
    let plan = &scenario.point().plans[position];
    let bounded = plan.endpoints.iter().any(|endpoint| match &endpoint.serves {
        Serves::Api(api) => api.limit_tokens_per_min.is_some(),
        Serves::SelfHosted(own) => match own.deployment.fleet.scaling {
            Scaling::Fixed(_) | Scaling::Auto { .. } => true,
            Scaling::Peak => false,
        },
    });
    let overflows = std::iter::once(&plan.router)
        .chain(plan.routes.iter().map(|route| &route.router))
        .any(|router| matches!(router, Router::Overflow(_)));
    bounded || overflows
}
