//! One at a time: each uncertain quantity from its P10 to its P90, everything else at its point value.

use crate::scenario::Scenario;

use super::evaluate::header;
use super::evaluator::Evaluator;
use super::results::{Sensitivity, SensitivityRow};

/// The ends of each quantity's swing.
const LOW: f64 = 0.1;
const HIGH: f64 = 0.9;

/// The tornado: rows sorted by the widest swing of any plan's mean month.
#[must_use]
pub fn sensitivity(scenario: &Scenario) -> Sensitivity {
    let mut evaluator = Evaluator::new(scenario);
    let mut costs = |state: &_| -> Vec<f64> {
        evaluator.prepare(state);
        evaluator.mean_months(state)
    };
    let base = costs(scenario.point());
    let cheapest = argmin(&base);
    let mut rows: Vec<SensitivityRow> = scenario
        .variables()
        .iter()
        .enumerate()
        .map(|(position, variable)| {
            let (low, high) = (variable.estimate.quantile(LOW), variable.estimate.quantile(HIGH));
            let usd_low = costs(&scenario.state_with(position, low));
            let usd_high = costs(&scenario.state_with(position, high));
            let flips = argmin(&usd_low) != cheapest || argmin(&usd_high) != cheapest;
            SensitivityRow { path: variable.path.clone(), low, high, usd_low, usd_high, flips }
        })
        .collect();
    rows.sort_by(|a, b| swing(b).total_cmp(&swing(a)).then_with(|| a.path.cmp(&b.path)));
    Sensitivity { header: header(scenario, 0), base, rows }
}

fn swing(row: &SensitivityRow) -> f64 {
    row.usd_low.iter().zip(&row.usd_high).map(|(low, high)| (high - low).abs()).fold(0.0, f64::max)
}

fn argmin(costs: &[f64]) -> Option<usize> {
    (0..costs.len()).filter(|plan| costs[*plan].is_finite()).min_by(|a, b| costs[*a].total_cmp(&costs[*b]))
}
