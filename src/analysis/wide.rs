//! The three steps of costing eight states of the world, compiled for the widest vectors that the machine has.
//!
//! Everything below them is written once, over [`Num`](crate::stats::Num), and inlined into each of these versions: a
//! function that were called instead would be compiled for the narrowest vectors of its processor family. All versions
//! give the same bits, as none multiplies and adds in one rounding; builds with debug assertions have only the narrowest,
//! which compiles in a third of the time.

#[cfg(not(debug_assertions))]
use multiversion::multiversion;

use crate::scenario::{Draw, Scenario, ScenarioOf};
use crate::stats::Lanes;

use super::columns::{Columns, Pad};
use super::evaluator::{Evaluator, PlanWorld};
use super::situation::Situation;

/// [`Draw::become_trials`].
#[cfg_attr(
    not(debug_assertions),
    multiversion(targets(
        "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+bmi1+bmi2+fma",
        "x86_64+avx2+bmi1+bmi2+fma"
    ))
)]
pub(super) fn become_trials(draw: &mut Draw<Lanes>, scenario: &Scenario, first: u64) {
    draw.become_trials(scenario, first);
}

/// [`Evaluator::take_in`].
#[cfg_attr(
    not(debug_assertions),
    multiversion(targets(
        "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+bmi1+bmi2+fma",
        "x86_64+avx2+bmi1+bmi2+fma"
    ))
)]
pub(super) fn take_in(evaluator: &mut Evaluator<'_, Lanes>, state: &ScenarioOf<Lanes>) {
    evaluator.take_in(state);
}

/// [`Situation::add_totals`].
#[cfg_attr(
    not(debug_assertions),
    multiversion(targets(
        "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+bmi1+bmi2+fma",
        "x86_64+avx2+bmi1+bmi2+fma"
    ))
)]
pub(super) fn add_totals(
    situation: &Situation<'_, Lanes>,
    columns: &Columns<'_>,
    world: &mut PlanWorld<Lanes>,
    pad: &mut Pad,
    usd: &mut [Lanes],
) {
    situation.add_totals(columns, world, pad, usd);
}
