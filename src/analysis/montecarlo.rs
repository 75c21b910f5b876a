//! The forecast: every plan on the same draws, refined in blocks.
//!
//! Trial i is the same state of the world for every plan, whatever the threads do, so that differences between
//! plans are as sharp as they can be and the same seed gives the same bytes.

use rayon::prelude::*;

use crate::scenario::Scenario;
use crate::stats::spearman;

use super::evaluate::{evaluate, header};
use super::evaluator::Evaluator;
use super::findings;
use super::results::{Forecast, PlanForecast, Probability};
use super::spread::{band, probability, spread};

/// Draws in the first block: a first band within a frame or two.
const FIRST_BLOCK: u32 = 256;

/// Draws that a block adds at most, or a quarter of what was drawn if that is more: a stop is honoured between blocks
/// and who edits meanwhile waits for it, while each block is summed up as a whole.
const STEP_MAX: u32 = 1024;

/// Rank correlations are computed from at most so many draws: their error is then about 0.016.
const RANK_DRAWS: usize = 4096;

/// Bins of the histogram of the mean month.
const BINS: usize = 48;

/// One trial: cost of each plan in each month, and the draws of the uncertain quantities.
struct Trial {
    /// `plan * months + month`, US dollars.
    months: Vec<f64>,
    values: Vec<f64>,
}

/// Draws `trials` states of the world and costs every plan in each.
///
/// `watch` sees a growing forecast after each block (256, 1,024, 2,048 ... draws) and returns false to stop; the
/// answer then holds what was drawn.
pub fn forecast(scenario: &Scenario, trials: u32, watch: &mut dyn FnMut(Forecast) -> bool) -> Forecast {
    let trials = if scenario.is_uncertain() { trials.max(1) } else { 1 };
    let mut drawn: Vec<Trial> = Vec::with_capacity(trials as usize);
    let mut block = FIRST_BLOCK;
    loop {
        let from = drawn.len() as u32;
        let to = block.min(trials);
        let fresh: Vec<Trial> = (from..to)
            .into_par_iter()
            .with_min_len(16)
            .map_init(
                || (Evaluator::new(scenario), scenario.draw()),
                |(evaluator, draw), index| {
                    draw.become_trial(scenario, u64::from(index));
                    evaluator.prepare(&draw.state);
                    Trial {
                        months: evaluator.all_months(&draw.state, Some(&draw.noise)),
                        values: draw.values.clone(),
                    }
                },
            )
            .collect();
        drawn.extend(fresh);
        let last = drawn.len() as u32 >= trials;
        let answer = summarise(scenario, &drawn);
        if last || !watch(answer.clone()) {
            return answer;
        }
        block = block.saturating_mul(4).min(block.saturating_add(STEP_MAX.max(block / 4)));
    }
}

fn summarise(scenario: &Scenario, drawn: &[Trial]) -> Forecast {
    let months = scenario.facts().months.len();
    let plans = scenario.draft().plans.len();
    let totals: Vec<Vec<f64>> = (0..plans)
        .map(|plan| {
            drawn
                .iter()
                .map(|trial| {
                    trial.months[plan * months..(plan + 1) * months].iter().sum::<f64>() / months as f64
                })
                .collect()
        })
        .collect();
    let standing = findings::contenders(&evaluate(scenario).plans);
    let mut cheapest = vec![0; plans];
    (0..drawn.len()).for_each(|trial| {
        let cost = |plan: usize| totals[plan][trial];
        if let Some(best) = standing.iter().copied().min_by(|a, b| cost(*a).total_cmp(&cost(*b))) {
            cheapest[best] += 1;
        }
    });
    let budget = scenario.point().settings.budget_usd_per_month;
    let rows: Vec<PlanForecast> = (0..plans)
        .into_par_iter()
        .map(|plan| {
            let mut column = Vec::with_capacity(drawn.len());
            let bands = (0..months)
                .map(|month| {
                    column.clear();
                    column.extend(drawn.iter().map(|trial| trial.months[plan * months + month]));
                    band(&mut column)
                })
                .collect();
            let mean_month = spread(&totals[plan]);
            let (histogram, histogram_low, histogram_high) = histogram(&totals[plan]);
            PlanForecast {
                id: scenario.draft().plans[plan].id.clone(),
                name: scenario.draft().plans[plan].name.clone(),
                horizon: mean_month.times(months as f64),
                mean_month,
                cheapest: probability(cheapest[plan], drawn.len()),
                months: bands,
                over_budget: budget.map(|budget| {
                    probability(totals[plan].iter().filter(|usd| **usd > budget).count(), drawn.len())
                }),
                histogram,
                histogram_low,
                histogram_high,
            }
        })
        .collect();
    let mut order: Vec<usize> =
        standing.into_iter().filter(|plan| rows[*plan].mean_month.mean.is_finite()).collect();
    order.sort_by(|a, b| rows[*a].mean_month.mean.total_cmp(&rows[*b].mean_month.mean));
    let (best, second) = (order.first().copied(), order.get(1).copied());
    let ranked = drawn.len().min(RANK_DRAWS);
    let difference: Option<Vec<f64>> = best
        .zip(second)
        .map(|(best, second)| (0..ranked).map(|trial| totals[second][trial] - totals[best][trial]).collect());
    Forecast {
        header: header(scenario, drawn.len() as u32),
        cheaper: pairs(&totals),
        drivers: difference.map(|target| drivers(scenario, &drawn[..ranked], &target)).unwrap_or_default(),
        plan_drivers: totals
            .iter()
            .map(|target| drivers(scenario, &drawn[..ranked], &target[..ranked]))
            .collect(),
        plans: rows,
        cheapest: best,
        runner_up: second,
    }
}

fn pairs(totals: &[Vec<f64>]) -> Vec<Vec<Probability>> {
    totals
        .iter()
        .map(|mine| {
            totals
                .iter()
                .map(|theirs| {
                    let wins = mine.iter().zip(theirs).filter(|(a, b)| a < b).count();
                    probability(wins, mine.len())
                })
                .collect()
        })
        .collect()
}

fn drivers(scenario: &Scenario, drawn: &[Trial], target: &[f64]) -> Vec<(String, f64)> {
    let mut drivers: Vec<(String, f64)> = scenario
        .variables()
        .par_iter()
        .enumerate()
        .map(|(position, variable)| {
            let values: Vec<f64> = drawn.iter().map(|trial| trial.values[position]).collect();
            (variable.path.clone(), spearman(&values, target).unwrap_or(0.0))
        })
        .collect();
    drivers.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
    drivers
}

fn histogram(totals: &[f64]) -> (Vec<u32>, f64, f64) {
    let low = totals.iter().copied().fold(f64::INFINITY, f64::min);
    let high = totals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut bins = vec![0; BINS];
    if !(low.is_finite() && high.is_finite()) {
        return (bins, 0.0, 0.0);
    }
    let width = (high - low) / BINS as f64;
    for usd in totals {
        let bin = if width > 0.0 { ((usd - low) / width) as usize } else { 0 };
        bins[bin.min(BINS - 1)] += 1;
    }
    (bins, low, high)
}
