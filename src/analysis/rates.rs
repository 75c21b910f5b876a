//! What plans cost a month over volume, at the point values: eight volumes side by side.

use crate::scenario::{Scenario, ScenarioOf};
use crate::stats::{LANES, Lanes, Num as _};

use super::evaluator::Evaluator;
use super::wide;

/// Rounds of the search for a crossing: each leaves a ninth of the stretch, and 12 % / 9¹⁰ is far below a token a day.
const ROUNDS: u32 = 10;

/// Run rates of plans: the first month's prices, no one-time costs.
pub(super) struct Rates<'a> {
    evaluator: Evaluator<'a, Lanes>,
    state: ScenarioOf<Lanes>,
    /// Tokens per day of the first month.
    today: f64,
    usd: Vec<Lanes>,
}

impl<'a> Rates<'a> {
    pub(super) fn new(scenario: &'a Scenario, today: f64) -> Self {
        let (mut evaluator, state) = (Evaluator::new(scenario), scenario.point_lanes());
        wide::take_in(&mut evaluator, &state);
        Self { evaluator, state, today, usd: Vec::new() }
    }

    /// US dollars per month of a plan at volumes of the first month, in tokens per day.
    pub(super) fn at(&mut self, plan: usize, volumes: &[f64]) -> Vec<f64> {
        let scale = |chunk: &[f64]| Lanes::from_fn(|lane| chunk[lane.min(chunk.len() - 1)] / self.today);
        let scales: Vec<Lanes> = volumes.chunks(LANES).map(scale).collect();
        self.evaluator.run_rates(&self.state, plan, &scales, &mut self.usd);
        self.usd.iter().flat_map(|usd| usd.0).take(volumes.len()).collect()
    }

    /// The volume in a stretch from which on a plan is cheaper that is not at its lower end.
    pub(super) fn flip(&mut self, below: usize, above: usize, (from, to): (f64, f64)) -> f64 {
        let (mut low, mut high) = (from.ln(), to.ln());
        for _ in 0..ROUNDS {
            let step = (high - low) / (LANES + 1) as f64;
            let volumes: [f64; LANES] = std::array::from_fn(|cut| (low + (cut + 1) as f64 * step).exp());
            let (left, right) = (self.at(below, &volumes), self.at(above, &volumes));
            let kept = left.iter().zip(&right).take_while(|(left, right)| left < right).count();
            if kept < LANES {
                high = volumes[kept].ln();
            }
            if kept > 0 {
                low = volumes[kept - 1].ln();
            }
        }
        high.exp()
    }
}
