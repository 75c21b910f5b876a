//! Replicas over the 168 hours of a week: what is paid, what is busy, what does not fit.

use super::{Fleet, Scaling};
use crate::stats::Num;
use crate::unit::HOURS_PER_WEEK;

/// A week of a fleet. Hours are replica-hours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FleetWeek {
    /// Paid.
    pub replica_hours: f64,
    /// Of those, busy: the work that was served; at most `replica_hours`.
    pub busy_replica_hours: f64,
    /// Most replicas in any hour.
    pub peak_replicas: f64,
    /// Share of the work that was served, 0..=1; 1 without work.
    pub served_share: f64,
    /// Share of the work that went to the overflow, 0..=1.
    pub overflow_share: f64,
    /// Share of the work that nobody served, for want of an overflow, 0..=1.
    pub dropped_share: f64,
    /// Largest share of the serving replicas that was busy in an hour, 0..=1.
    pub peak_utilisation: f64,
    /// Busy share of the paid hours, 0..=1.
    pub mean_utilisation: f64,
}

type Hours = [f64; HOURS_PER_WEEK];

/// A week.
///
/// `Fixed(n)` pays n; `Peak` pays `ceil(peak (1 + headroom)) + spare` in every hour and serves everything; `Auto` pays
/// `ceil(load (1 + headroom)) + spare` hour by hour within its bounds, and each rise from `startup_minutes` before.
///
/// - `load`: work in replicas (calls/s over calls/s of one replica) in each hour; negative counts as none.
/// - `fill_share`: an overflow takes what exceeds this share of the capacity; `None`: there is none, and what exceeds
///   the capacity is dropped.
/// - `served + overflow + dropped = 1`.
#[must_use]
pub fn week(load: &Hours, fleet: &Fleet<f64>, fill_share: Option<f64>) -> FleetWeek {
    #[expect(clippy::manual_clamp, reason = "NaN becomes no load; clamp would keep it")]
    let load = load.map(|replicas| replicas.max(0.0).min(1e12));
    let factor = 1.0 + fleet.headroom.clamp(0.0, 1e3);
    let spare = f64::from(fleet.spare_replicas);
    let fill = fill_share.map_or(1.0, |share| share.clamp(0.0, 1.0));
    match fleet.scaling {
        Scaling::Fixed(replicas) => {
            let replicas = f64::from(replicas);
            tally(&load, &[replicas; HOURS_PER_WEEK], replicas * HOURS_PER_WEEK as f64, fill, fill_share)
        }
        Scaling::Peak => {
            let replicas = whole(largest(&load) * factor) + spare;
            tally(&load, &[replicas; HOURS_PER_WEEK], replicas * HOURS_PER_WEEK as f64, 1.0, fill_share)
        }
        Scaling::Auto { min, max, startup_minutes } => {
            let (low, high) = (f64::from(min), f64::from(max.max(min)));
            let serving = load.map(|replicas| (whole(replicas * factor) + spare).max(low).min(high));
            let paid = paid_hours(&serving, startup_minutes);
            tally(&load, &serving, paid, fill, fill_share)
        }
    }
}

/// Replica-hours of a week in which each rise is started ahead of its hour.
#[inline(always)]
pub(super) fn paid_hours<N: Num>(serving: &[N; HOURS_PER_WEEK], startup_minutes: u32) -> N {
    // A replica that serves within the next `ahead` hours runs already; a week's maximum cannot grow further.
    let ahead = (startup_minutes / 60).min(HOURS_PER_WEEK as u32) as usize;
    let rest = f64::from(startup_minutes % 60) / 60.0;
    let mut on = *serving;
    for hours in 1..=ahead {
        for (hour, replicas) in on.iter_mut().enumerate() {
            *replicas = replicas.larger(serving[(hour + hours) % HOURS_PER_WEEK]);
        }
    }
    let (mut running, mut started) = (N::of(0.0), N::of(0.0));
    for (hour, on) in on.iter().enumerate() {
        running += *on;
        started += (serving[(hour + ahead + 1) % HOURS_PER_WEEK] - *on).at_least(0.0);
    }
    running + started * rest
}
fn tally(load: &Hours, serving: &Hours, paid: f64, fill: f64, fill_share: Option<f64>) -> FleetWeek {
    let mut served = [0.0; HOURS_PER_WEEK];
    let mut utilisation = [0.0; HOURS_PER_WEEK];
    for hour in 0..HOURS_PER_WEEK {
        served[hour] = load[hour].min(serving[hour] * fill);
        utilisation[hour] = served[hour] / serving[hour].max(1e-9);
    }
    let work = sum(load);
    let busy = sum(&served);
    let served_share = if work > 0.0 { (busy / work).min(1.0) } else { 1.0 };
    let missed = 1.0 - served_share;
    FleetWeek {
        replica_hours: paid,
        busy_replica_hours: busy,
        peak_replicas: largest(serving),
        served_share,
        overflow_share: if fill_share.is_some() { missed } else { 0.0 },
        dropped_share: if fill_share.is_some() { 0.0 } else { missed },
        peak_utilisation: largest(&utilisation),
        mean_utilisation: if paid > 0.0 { busy / paid } else { 0.0 },
    }
}

/// The smallest whole number that is not smaller; 1e-9 above a whole number still counts as it.
#[inline(always)]
pub(super) fn whole<N: Num>(x: N) -> N {
    // Adding and taking away 2^52 rounds without a call per hour, so that the loop over the week vectorises.
    const ULP_IS_ONE: f64 = 4_503_599_627_370_496.0;
    x.map(|x| {
        let x = x - 1e-9;
        let near = (x + ULP_IS_ONE) - ULP_IS_ONE;
        let up = if near < x { near + 1.0 } else { near };
        if up > 0.0 { up } else { 0.0 }
    })
}

const LANES: usize = 8;

/// The sum, in a fixed order over eight lanes.
fn sum(hours: &Hours) -> f64 {
    let mut lanes = [0.0; LANES];
    for chunk in hours.chunks_exact(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    lanes.iter().sum()
}

fn largest(hours: &Hours) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    for chunk in hours.chunks_exact(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    lanes.iter().fold(0.0, |high, lane| high.max(*lane))
}
