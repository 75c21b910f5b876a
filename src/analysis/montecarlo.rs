//! The forecast: every plan on the same draws, refined in blocks.
//!
//! Trial i is the same state of the world for every plan, whatever the threads do, so that differences between
//! plans are as sharp as they can be and the same seed gives the same bytes.

use std::ops::Range;

use rayon::prelude::*;

use crate::scenario::{Draw, Scenario};
use crate::stats::{LANES, Lanes, rank_correlation, ranks};

use super::evaluate::{evaluate, header};
use super::evaluator::Evaluator;
use super::findings;
use super::results::{Band, Forecast, PlanForecast, Probability};
use super::spread::{band, probability, spread};
use super::wide;

/// Draws in the first block: a first band within a frame or two.
const FIRST_BLOCK: u32 = 256;

/// Draws between two looks at whether to stop: a few milliseconds of one core.
const LOOK: usize = 256;

/// Rank correlations are computed from at most so many draws: their error is then about 0.016.
const RANK_DRAWS: usize = 4096;

/// Draws for which room is made at once: enough for almost every forecast.
const ROOM_MAX: u32 = 10_000;

/// Months whose costs are gathered from the trials at once: so few that they stay in cache.
const MONTHS_AT_ONCE: usize = 8;

/// Bins of the histogram of the mean month.
const BINS: usize = 48;

/// What was drawn so far, eight trials side by side.
struct Drawn {
    trials: usize,
    months: usize,
    plans: usize,
    variables: usize,
    /// US dollars, `(group * plans + plan) * months + month`, with eight trials in a group.
    costs: Vec<Lanes>,
    /// Draws of the uncertain quantities, `group * variables + variable`; of the trials that are ranked.
    values: Vec<Lanes>,
}

impl Drawn {
    /// Nothing yet, with room for so many trials.
    fn new(scenario: &Scenario, trials: u32) -> Self {
        let groups = (trials.min(ROOM_MAX) as usize).div_ceil(LANES);
        Self {
            trials: 0,
            months: scenario.facts().months.len(),
            plans: scenario.draft().plans.len(),
            variables: scenario.variables().len(),
            costs: Vec::with_capacity(groups * scenario.draft().plans.len() * scenario.facts().months.len()),
            values: Vec::with_capacity(groups.min(RANK_DRAWS / LANES) * scenario.variables().len()),
        }
    }

    /// Draws on until there are so many trials.
    fn extend(&mut self, scenario: &Scenario, to: usize) {
        // Quantities are kept of the trials that are ranked and of no others.
        for (to, kept) in [(to.min(RANK_DRAWS), self.variables), (to, 0)] {
            if self.trials < to {
                self.draw(scenario, to, kept);
            }
        }
    }

    /// Draws on, keeping the first `kept` quantities of each trial. The trials so far fill their groups.
    fn draw(&mut self, scenario: &Scenario, to: usize, kept: usize) {
        let (from, groups, row) = (self.trials / LANES, to.div_ceil(LANES), self.plans * self.months);
        self.costs.resize(groups * row, Lanes::default());
        // A row of no variables would be no row at all.
        let mut values = vec![Lanes::default(); (groups - from) * kept.max(1)];
        let costs = self.costs[from * row..].par_chunks_exact_mut(row);
        costs.zip(values.par_chunks_exact_mut(kept.max(1))).enumerate().with_min_len(2).for_each_init(
            || (Evaluator::new(scenario), scenario.draw()),
            |(evaluator, draw), (offset, (costs, values))| {
                cost_trials(scenario, (from + offset) * LANES, evaluator, draw, costs);
                values[..kept].copy_from_slice(&draw.values[..kept]);
            },
        );
        values.truncate((groups - from) * kept);
        self.values.append(&mut values);
        self.trials = to;
    }

    /// The costs of a plan in some months, trial by trial. A row is read once for all of them.
    fn columns(&self, plan: usize, months: Range<usize>) -> Vec<Vec<f64>> {
        let (row, first) = (self.plans * self.months, plan * self.months + months.start);
        let mut columns: Vec<_> = months.map(|_| Vec::with_capacity(self.trials + LANES)).collect();
        for group in self.costs.chunks_exact(row) {
            for (column, costs) in columns.iter_mut().zip(&group[first..]) {
                column.extend_from_slice(&costs.0);
            }
        }
        columns.iter_mut().for_each(|column| column.truncate(self.trials));
        columns
    }

    /// The bands of a plan, month by month.
    fn bands(&self, plan: usize) -> Vec<Band> {
        let months = (0..self.months).step_by(MONTHS_AT_ONCE);
        let columns = months.flat_map(|first| {
            let last = (first + MONTHS_AT_ONCE).min(self.months);
            self.columns(plan, first..last)
        });
        columns.map(|column| band(&column)).collect()
    }

    /// Mean month of a plan, by trial.
    fn mean_months(&self, plan: usize) -> Vec<f64> {
        let mut means = Vec::with_capacity(self.trials + LANES);
        for group in self.costs.chunks_exact(self.plans * self.months) {
            let months = &group[plan * self.months..][..self.months];
            let sum = months.iter().fold(Lanes::default(), |sum, usd| sum + *usd);
            means.extend_from_slice(&(sum / self.months as f64).0);
        }
        means.truncate(self.trials);
        means
    }

    /// Draws of a variable in the first trials.
    fn variable(&self, variable: usize, trials: usize) -> Vec<f64> {
        let mut values = Vec::with_capacity(trials + LANES);
        for group in self.values.chunks_exact(self.variables).take(trials.div_ceil(LANES)) {
            values.extend_from_slice(&group[variable].0);
        }
        values.truncate(trials);
        values
    }
}

/// The costs of every plan and month in eight trials from `first` on, `plan * months + month`.
fn cost_trials(
    scenario: &Scenario,
    first: usize,
    evaluator: &mut Evaluator<'_, Lanes>,
    draw: &mut Draw<Lanes>,
    costs: &mut [Lanes],
) {
    wide::become_trials(draw, scenario, first as u64);
    wide::take_in(evaluator, &draw.state);
    evaluator.all_months(&draw.state, Some(&draw.noise), costs);
}

/// Draws `trials` states of the world and costs every plan in each.
#[must_use]
pub fn forecast(scenario: &Scenario, trials: u32) -> Forecast {
    let trials = trials_of(scenario, trials);
    let mut drawn = Drawn::new(scenario, trials);
    drawn.extend(scenario, trials as usize);
    Summary::new(scenario).of(&drawn)
}

/// One trial is enough where nothing is uncertain.
fn trials_of(scenario: &Scenario, asked: u32) -> u32 {
    if scenario.is_uncertain() { asked.max(1) } else { 1 }
}

/// [`forecast`] under the eyes of somebody.
///
/// `watch` sees a growing forecast after each block (256, 1,024, 4,096 ... draws) and returns false to stop; the
/// answer then holds what was drawn. `stop` is asked every few hundred draws within a block, too: after the first block
/// the answer is then summed up from what was drawn.
pub fn forecast_until(
    scenario: &Scenario,
    trials: u32,
    stop: &dyn Fn() -> bool,
    watch: &mut dyn FnMut(Forecast) -> bool,
) -> Forecast {
    let trials = trials_of(scenario, trials);
    let mut drawn = Drawn::new(scenario, trials);
    let mut summary = Summary::new(scenario);
    let mut block = FIRST_BLOCK;
    loop {
        let to = block.min(trials) as usize;
        while drawn.trials < to && !(drawn.trials >= FIRST_BLOCK as usize && stop()) {
            drawn.extend(scenario, (drawn.trials + LOOK).min(to));
        }
        let answer = summary.of(&drawn);
        if drawn.trials < to || to >= trials as usize || !watch(answer.clone()) {
            return answer;
        }
        block = block.saturating_mul(4);
    }
}

/// What every summary of one forecast needs, worked out once.
struct Summary<'a> {
    scenario: &'a Scenario,
    /// The plans among which the cheapest is looked for.
    standing: Vec<usize>,
    /// Ranks of each uncertain quantity's first draws.
    ranks: Vec<Vec<f64>>,
}

impl<'a> Summary<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let standing = findings::contenders(&evaluate(scenario).plans);
        Self { scenario, standing, ranks: Vec::new() }
    }

    /// Ranks the first draws of each uncertain quantity, unless they are ranked.
    fn rank(&mut self, drawn: &Drawn) -> usize {
        let ranked = drawn.trials.min(RANK_DRAWS);
        if self.ranks.first().is_none_or(|ranks| ranks.len() != ranked) {
            self.ranks = (0..drawn.variables)
                .into_par_iter()
                .map(|variable| ranks(&drawn.variable(variable, ranked)))
                .collect();
        }
        ranked
    }

    fn of(&mut self, drawn: &Drawn) -> Forecast {
        let ranked = self.rank(drawn);
        summarise(self.scenario, drawn, &self.standing, (&self.ranks, ranked))
    }
}

fn summarise(
    scenario: &Scenario,
    drawn: &Drawn,
    standing: &[usize],
    (variables, ranked): (&[Vec<f64>], usize),
) -> Forecast {
    let (months, plans) = (drawn.months, drawn.plans);
    let totals: Vec<Vec<f64>> = (0..plans).map(|plan| drawn.mean_months(plan)).collect();
    let mut cheapest = vec![0; plans];
    (0..drawn.trials).for_each(|trial| {
        let cost = |plan: usize| totals[plan][trial];
        if let Some(best) = standing.iter().copied().min_by(|a, b| cost(*a).total_cmp(&cost(*b))) {
            cheapest[best] += 1;
        }
    });
    let budget = scenario.point().settings.budget_usd_per_month;
    let rows: Vec<PlanForecast> = (0..plans)
        .into_par_iter()
        .map(|plan| {
            let mean_month = spread(&totals[plan]);
            let (histogram, histogram_low, histogram_high) = histogram(&totals[plan]);
            PlanForecast {
                id: scenario.draft().plans[plan].id.clone(),
                name: scenario.draft().plans[plan].name.clone(),
                horizon: mean_month.times(months as f64),
                mean_month,
                cheapest: probability(cheapest[plan], drawn.trials),
                months: drawn.bands(plan),
                over_budget: budget.map(|budget| {
                    probability(totals[plan].iter().filter(|usd| **usd > budget).count(), drawn.trials)
                }),
                histogram,
                histogram_low,
                histogram_high,
            }
        })
        .collect();
    let mut order: Vec<usize> =
        standing.iter().copied().filter(|plan| rows[*plan].mean_month.mean.is_finite()).collect();
    order.sort_by(|a, b| rows[*a].mean_month.mean.total_cmp(&rows[*b].mean_month.mean));
    let (best, second) = (order.first().copied(), order.get(1).copied());
    let difference: Option<Vec<f64>> = best
        .zip(second)
        .map(|(best, second)| (0..ranked).map(|trial| totals[second][trial] - totals[best][trial]).collect());
    Forecast {
        header: header(scenario, drawn.trials as u32),
        cheaper: pairs(&totals),
        drivers: difference.map(|target| drivers(scenario, variables, &target)).unwrap_or_default(),
        plan_drivers: totals.iter().map(|target| drivers(scenario, variables, &target[..ranked])).collect(),
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

/// Rank correlation of each uncertain quantity with a target, the strongest first.
fn drivers(scenario: &Scenario, variables: &[Vec<f64>], target: &[f64]) -> Vec<(String, f64)> {
    let target = ranks(target);
    let mut drivers: Vec<(String, f64)> = scenario
        .variables()
        .iter()
        .zip(variables)
        .map(|(variable, ranks)| (variable.path.clone(), rank_correlation(ranks, &target).unwrap_or(0.0)))
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
