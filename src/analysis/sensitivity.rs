//! One at a time: each uncertain quantity from its P10 to its P90, everything else at its point value.

use crate::scenario::Scenario;
use crate::stats::{LANES, Lanes, Num as _};

use super::evaluate::header;
use super::evaluator::Evaluator;
use super::results::{Sensitivity, SensitivityRow};
use super::wide;

/// The ends of each quantity's swing.
const LOW: f64 = 0.1;
const HIGH: f64 = 0.9;

/// The tornado: rows sorted by the widest swing of any plan's mean month.
#[must_use]
pub fn sensitivity(scenario: &Scenario) -> Sensitivity {
    let mut evaluator = Evaluator::new(scenario);
    let plans = scenario.draft().plans.len();
    let mut usd = vec![Lanes::default(); plans * scenario.facts().months.len()];
    // The mean month of each plan in states side by side, state by state.
    let mut costs = |moved: &[(usize, f64)]| -> Vec<Vec<f64>> {
        let state = scenario.states_with(moved);
        wide::take_in(&mut evaluator, &state);
        evaluator.all_months(&state, None, &mut usd);
        let months = usd.len() / plans;
        let mean = |months: &[Lanes]| {
            months.iter().fold(Lanes::default(), |sum, usd| sum + *usd) / months.len() as f64
        };
        let means: Vec<Lanes> = usd.chunks_exact(months).map(mean).collect();
        (0..LANES).map(|lane| means.iter().map(|mean| mean.lane(lane)).collect()).collect()
    };
    let base = costs(&[]).swap_remove(0);
    let ends: Vec<(f64, f64)> = scenario
        .variables()
        .iter()
        .map(|variable| (variable.estimate.quantile(LOW), variable.estimate.quantile(HIGH)))
        .collect();
    let moved: Vec<(usize, f64)> = ends
        .iter()
        .enumerate()
        .flat_map(|(position, (low, high))| [(position, *low), (position, *high)])
        .collect();
    let mut moved_costs =
        moved.chunks(LANES).flat_map(|chunk| costs(chunk).into_iter().take(chunk.len()).collect::<Vec<_>>());
    let cheapest = argmin(&base);
    let mut rows = Vec::with_capacity(ends.len());
    for (variable, (low, high)) in scenario.variables().iter().zip(ends) {
        let (Some(usd_low), Some(usd_high)) = (moved_costs.next(), moved_costs.next()) else { break };
        let flips = argmin(&usd_low) != cheapest || argmin(&usd_high) != cheapest;
        rows.push(SensitivityRow { path: variable.path.clone(), low, high, usd_low, usd_high, flips });
    }
    rows.sort_by(|a, b| swing(b).total_cmp(&swing(a)).then_with(|| a.path.cmp(&b.path)));
    Sensitivity { header: header(scenario, 0), base, rows }
}

fn swing(row: &SensitivityRow) -> f64 {
    row.usd_low.iter().zip(&row.usd_high).map(|(low, high)| (high - low).abs()).fold(0.0, f64::max)
}

fn argmin(costs: &[f64]) -> Option<usize> {
    (0..costs.len()).filter(|plan| costs[*plan].is_finite()).min_by(|a, b| costs[*a].total_cmp(&costs[*b]))
}
