//! Cost over volume, and every volume at which the cheaper of two plans changes.
//!
//! The run rate of each plan (first month's prices, no one-time costs) is evaluated on a log-spaced grid of
//! volumes; all use cases scale together. Where the sign of a difference changes between two grid points, the
//! crossing is found by cutting the stretch between them. A replica more makes a bill jump, so there may be several crossings and the two
//! bills need not be equal at one: both are reported. Two changes between neighbouring grid points are not seen:
//! the grid is fine enough (about 12 % a step) that they would matter little.
//!
//! A crossing decides only between plans that are answers at its volume, and a plan that stops being one there flips
//! the answer without a crossing: see [`Standing`].

use rayon::prelude::*;

use crate::scenario::{Draw, Scenario};
use crate::stats::{LANES, Lanes, Num as _, quantile_sorted};

use super::evaluate::header;
use super::evaluator::Evaluator;
use super::rates::Rates;
use super::results::{Band, BreakEven, Crossing, Curve};
use super::spread::band;
use super::standing::Standing;
use super::wide;

/// Grid points per factor of ten of volume.
const POINTS_PER_DECADE: usize = 20;

/// Tokens per day at the ends of the axis: below, nobody compares; the reference's last milestone is 10⁹.
const VOLUME_MIN: f64 = 1e4;
const VOLUME_MAX: f64 = 1e11;

/// The axis always reaches this factor beyond today's volume on both sides.
const REACH: f64 = 100.0;

/// Draws behind the bands of a decision, in the terminal and in the window: each costs every plan at every volume, and a
/// band's ends are known to about a percent.
pub const BAND_TRIALS: u32 = 2048;

/// Draws in the first block of bands, so that a first picture is quick.
const FIRST_BLOCK: u32 = 128;

/// Draws that a block adds at most: a stop is honoured between blocks, and who edits meanwhile waits for it.
const STEP_MAX: u32 = 512;

/// Groups of eight draws between two chances to give way: a few milliseconds.
const STRIDE: usize = 8;

/// A relative gap between the two bills at a crossing above which it is a jump.
const JUMP_GAP: f64 = 1e-4;

/// Every how many grid points bands are drawn: 10 a decade are enough for a smooth picture.
const BAND_STRIDE: usize = 2;

/// The closed-form answer: curves at the point values and all crossings.
#[must_use]
pub fn break_even(scenario: &Scenario) -> BreakEven {
    let mut evaluator = Evaluator::new(scenario);
    evaluator.prepare(scenario.point());
    let today = evaluator.tokens_per_day();
    let volumes = grid(today);
    let plans = scenario.draft().plans.len();
    let mut rates = Rates::new(scenario, today);
    let curves: Vec<Vec<f64>> = (0..plans).map(|plan| rates.at(plan, &volumes)).collect();
    let standing = Standing::new(scenario, today);
    let crossings = crossings(&mut evaluator, &mut rates, &standing, &volumes, &curves);
    let limits = match (volumes.first(), volumes.last()) {
        (Some(lowest), Some(highest)) => standing.limits(&mut evaluator, &mut rates, *lowest, *highest),
        _ => Vec::new(),
    };
    BreakEven {
        header: header(scenario, 0),
        today,
        plans: curves
            .into_iter()
            .zip(&scenario.draft().plans)
            .map(|(usd, plan)| Curve { id: plan.id.clone(), name: plan.name.clone(), usd, bands: Vec::new() })
            .collect(),
        volumes,
        crossings,
        limits,
    }
}

/// The same with bands over `trials` draws, refined in blocks; `watch` sees each refinement and returns false to
/// stop.
pub fn break_even_bands(
    scenario: &Scenario,
    trials: u32,
    watch: &mut dyn FnMut(BreakEven) -> bool,
) -> BreakEven {
    break_even_bands_beside(scenario, trials, &|| {}, watch)
}

/// [`break_even_bands`], which calls `give_way` every few dozen draws: there it can be made to wait for what is more
/// urgent. Nothing that is drawn depends on it.
pub fn break_even_bands_beside(
    scenario: &Scenario,
    trials: u32,
    give_way: &dyn Fn(),
    watch: &mut dyn FnMut(BreakEven) -> bool,
) -> BreakEven {
    let mut answer = break_even(scenario);
    if !scenario.is_uncertain() || trials == 0 {
        return answer;
    }
    let places: Vec<usize> = (0..answer.volumes.len()).step_by(BAND_STRIDE).collect();
    let volumes: Vec<f64> = places.iter().map(|place| answer.volumes[*place]).collect();
    // US dollars of eight draws side by side, `plan * places + place`.
    let mut drawn: Vec<Vec<Lanes>> = Vec::new();
    let (mut draws, mut block) = (0, FIRST_BLOCK);
    loop {
        let to = block.min(trials);
        let groups = (to as usize).div_ceil(LANES);
        while drawn.len() < groups {
            give_way();
            let fresh: Vec<Vec<Lanes>> = (drawn.len()..groups.min(drawn.len() + STRIDE))
                .into_par_iter()
                .map_init(
                    || (Evaluator::new(scenario), scenario.draw()),
                    |(evaluator, draw), group| {
                        let mut costs = Vec::with_capacity(scenario.draft().plans.len() * places.len());
                        let axis = (volumes.as_slice(), answer.today);
                        cost_volumes(scenario, group * LANES, evaluator, draw, axis, &mut costs);
                        costs
                    },
                )
                .collect();
            drawn.extend(fresh);
        }
        draws = draws.max(to);
        fill_bands(&mut answer, &drawn, draws as usize, &places);
        answer.header.draws = draws;
        if draws >= trials || !watch(answer.clone()) {
            return answer;
        }
        block = block.saturating_mul(4).min(block.saturating_add(STEP_MAX));
    }
}

/// Adds the run rates of every plan at volumes in tokens per day, in eight trials from `first` on.
///
/// - `today`: stands for the first month's volume where a trial has none.
fn cost_volumes(
    scenario: &Scenario,
    first: usize,
    evaluator: &mut Evaluator<'_, Lanes>,
    draw: &mut Draw<Lanes>,
    (volumes, today): (&[f64], f64),
    costs: &mut Vec<Lanes>,
) {
    wide::become_trials(draw, scenario, first as u64);
    wide::take_in(evaluator, &draw.state);
    let mine = evaluator.tokens_per_day();
    let mine = mine.pick_above(Lanes::of(0.0), mine, Lanes::of(today));
    let scales: Vec<Lanes> = volumes.iter().map(|volume| Lanes::of(*volume) / mine).collect();
    let mut usd = Vec::with_capacity(scales.len());
    for plan in 0..draw.state.plans.len() {
        evaluator.run_rates(&draw.state, plan, &scales, &mut usd);
        costs.extend_from_slice(&usd);
    }
}

fn grid(today: f64) -> Vec<f64> {
    let low = VOLUME_MIN.min(today / REACH).max(1.0).log10().floor();
    let high = VOLUME_MAX.min((today * REACH).max(1e10)).log10().ceil();
    let steps = ((high - low) * POINTS_PER_DECADE as f64).round() as usize;
    (0..=steps).map(|step| 10f64.powf(low + step as f64 / POINTS_PER_DECADE as f64)).collect()
}

fn crossings(
    evaluator: &mut Evaluator<'_>,
    rates: &mut Rates<'_>,
    standing: &Standing<'_>,
    volumes: &[f64],
    curves: &[Vec<f64>],
) -> Vec<Crossing> {
    let mut found = Vec::new();
    for a in 0..curves.len() {
        for b in a + 1..curves.len() {
            for step in 1..volumes.len() {
                let before = curves[a][step - 1] - curves[b][step - 1];
                let after = curves[a][step] - curves[b][step];
                if !before.is_finite()
                    || !after.is_finite()
                    || (before < 0.0) == (after < 0.0)
                    || before == 0.0
                {
                    continue;
                }
                let pair = if before < 0.0 { (a, b) } else { (b, a) };
                let stretch = (volumes[step - 1], volumes[step]);
                found.push(crossing(evaluator, rates, standing, pair, stretch));
            }
        }
    }
    found.sort_by(|x, y| x.tokens_per_day.total_cmp(&y.tokens_per_day));
    found
}

/// The crossing of the pair (cheaper below, cheaper above) within a stretch of volumes.
fn crossing(
    evaluator: &mut Evaluator<'_>,
    rates: &mut Rates<'_>,
    standing: &Standing<'_>,
    (below, above): (usize, usize),
    stretch: (f64, f64),
) -> Crossing {
    let volume = rates.flip(below, above, stretch);
    let mut cost = |plan: usize| rates.at(plan, &[volume])[0];
    let (left, right) = (cost(below), cost(above));
    let others: Vec<usize> = (0..standing.plans())
        .filter(|plan| *plan != below && *plan != above && cost(*plan) < right)
        .collect();
    let mut stands = |plan: usize| standing.at(evaluator, plan, volume);
    let decisive = stands(below) && stands(above) && !others.into_iter().any(stands);
    Crossing {
        cheaper_below: below,
        cheaper_above: above,
        tokens_per_day: volume,
        usd_per_month: right,
        jump: (left - right).abs() > JUMP_GAP * right.abs().max(1.0),
        band: None,
        decisive,
    }
}

/// Bands at the places that were drawn, in between linear; and for each crossing the spread of the volume at which
/// its pair flips nearest to it.
fn fill_bands(answer: &mut BreakEven, drawn: &[Vec<Lanes>], draws: usize, places: &[usize]) {
    let mut column = Vec::with_capacity(draws);
    for (plan, curve) in answer.plans.iter_mut().enumerate() {
        let mut bands = vec![Band::default(); answer.volumes.len()];
        for (slot, &place) in places.iter().enumerate() {
            column.clear();
            column.extend(drawn.iter().flat_map(|costs| costs[plan * places.len() + slot].0).take(draws));
            bands[place] = band(&column);
        }
        for place in 0..bands.len() {
            if place % BAND_STRIDE != 0 {
                let after = *places.iter().find(|p| **p > place).unwrap_or(&(place - 1));
                bands[place] = midpoint(&bands[place - 1], &bands[after]);
            }
        }
        curve.bands = bands;
    }
    let log_volumes: Vec<f64> = places.iter().map(|&place| answer.volumes[place].ln()).collect();
    for crossing in &mut answer.crossings {
        let (below, above) = (crossing.cheaper_below * places.len(), crossing.cheaper_above * places.len());
        let target = crossing.tokens_per_day.ln();
        let mut flips: Vec<f64> = (0..draws)
            .filter_map(|draw| {
                let costs = &drawn[draw / LANES];
                let gap = |slot: usize| (costs[below + slot] - costs[above + slot]).lane(draw % LANES);
                nearest_flip(gap, &log_volumes, target)
            })
            .collect();
        flips.sort_by(f64::total_cmp);
        crossing.band = (flips.len() * 2 > draws && flips.len() >= 20)
            .then(|| (quantile_sorted(&flips, 0.05).exp(), quantile_sorted(&flips, 0.95).exp()));
    }
}

/// Log-volume at which one draw flips in the same direction, nearest to the crossing at the point values.
///
/// - `gap`: what the plan that is cheaper below costs more than the other, at each of the volumes.
fn nearest_flip(gap: impl Fn(usize) -> f64, log_volumes: &[f64], target: f64) -> Option<f64> {
    (1..log_volumes.len())
        .filter_map(|slot| {
            let (before, after) = (gap(slot - 1), gap(slot));
            (before < 0.0 && after >= 0.0).then(|| {
                let share = before / (before - after);
                log_volumes[slot - 1] + share * (log_volumes[slot] - log_volumes[slot - 1])
            })
        })
        .min_by(|x, y| (x - target).abs().total_cmp(&(y - target).abs()))
}

fn midpoint(a: &Band, b: &Band) -> Band {
    let middle = |x: f64, y: f64| 0.5 * (x + y);
    Band {
        p5: middle(a.p5, b.p5),
        p25: middle(a.p25, b.p25),
        p50: middle(a.p50, b.p50),
        p75: middle(a.p75, b.p75),
        p95: middle(a.p95, b.p95),
        mean: middle(a.mean, b.mean),
    }
}
