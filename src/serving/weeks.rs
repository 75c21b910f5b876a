//! One fleet in many weeks at once: the same hours of the week, other volumes.
//!
//! A forecast asks for the same week again and again, with more or less work in it. Hours that are alike in every
//! profile are one hour that counts several times, and only an hour that no other tops in every profile can be the
//! busiest one. Each number is what [`week`] gives for that week; it keeps more.

use multiversion::multiversion;

use super::fleet::{week, whole};
use super::{Fleet, Scaling};
use crate::unit::HOURS_PER_WEEK;

/// Profiles of the week, prepared for many weeks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WeekShape {
    /// The profiles as they are: 168 shares each.
    profiles: Vec<[f64; HOURS_PER_WEEK]>,
    /// Distinct hours: `hour * profiles + profile`, the share of that profile.
    hours: Vec<f64>,
    /// How often each distinct hour occurs in a week.
    times: Vec<f64>,
    /// Sum of each profile's shares.
    whole: Vec<f64>,
    /// Positions in `times` of the hours that can be the busiest.
    peaks: Vec<usize>,
}

/// What a fleet does in each of several weeks; one entry per week, hours are replica-hours.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weeks {
    /// Paid.
    pub replica_hours: Vec<f64>,
    /// Of those, busy.
    pub busy_replica_hours: Vec<f64>,
    /// Most replicas in any hour.
    pub peak_replicas: Vec<f64>,
    /// Share of the work that was served, 0..=1; 1 without work.
    pub served_share: Vec<f64>,
    /// The work of a few weeks, by profile.
    lanes: Vec<Lanes>,
}

/// As many weeks as are computed side by side.
type Lanes = [f64; LANES];
const LANES: usize = 8;

impl Weeks {
    fn reset(&mut self, weeks: usize) {
        for column in [
            &mut self.replica_hours,
            &mut self.busy_replica_hours,
            &mut self.peak_replicas,
            &mut self.served_share,
        ] {
            column.clear();
            column.resize(weeks, 0.0);
        }
    }
}

impl WeekShape {
    /// Prepares profiles: shares of a week's work in its 168 hours, each summing to 1.
    #[must_use]
    pub fn new(profiles: Vec<[f64; HOURS_PER_WEEK]>) -> Self {
        let mut order: Vec<usize> = (0..HOURS_PER_WEEK).collect();
        let compare = |a: usize, b: usize| {
            let ordered = profiles.iter().map(|profile| profile[a].total_cmp(&profile[b]));
            ordered.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        order.sort_by(|a, b| compare(*a, *b));
        let (mut hours, mut times) = (Vec::new(), Vec::new());
        for alike in order.chunk_by(|a, b| compare(*a, *b).is_eq()) {
            hours.extend(profiles.iter().map(|profile| profile[alike[0]]));
            times.push(alike.len() as f64);
        }
        let hour = |at: usize| &hours[at * profiles.len()..(at + 1) * profiles.len()];
        let peaks = (0..times.len())
            .filter(|at| {
                let topped = |other: usize| hour(*at).iter().zip(hour(other)).all(|(mine, its)| mine <= its);
                !(0..times.len()).any(|other| other != *at && topped(other))
            })
            .collect();
        let whole = profiles.iter().map(|profile| profile.iter().sum()).collect();
        Self { profiles, hours, times, whole, peaks }
    }

    /// Number of profiles.
    #[must_use]
    pub fn profiles(&self) -> usize {
        self.profiles.len()
    }

    /// What a fleet does in several weeks.
    ///
    /// - `work`: replica-hours of work, `profile * weeks + week`; negative or not a number counts as none.
    /// - `fill_share`: as in [`week`].
    pub fn tally(
        &self,
        work: &[f64],
        weeks: usize,
        fleet: &Fleet<f64>,
        fill_share: Option<f64>,
        out: &mut Weeks,
    ) {
        out.reset(weeks);
        let factor = 1.0 + fleet.headroom.clamp(0.0, 1e3);
        let spare = f64::from(fleet.spare_replicas);
        let fill = fill_share.map_or(1.0, |share| share.clamp(0.0, 1.0));
        match fleet.scaling {
            Scaling::Auto { startup_minutes, .. } if startup_minutes > 0 => {
                self.hour_by_hour(work, weeks, fleet, fill_share, out);
                return;
            }
            Scaling::Fixed(replicas) => {
                let replicas = f64::from(replicas);
                out.peak_replicas.fill(replicas);
                out.replica_hours.fill(replicas * HOURS_PER_WEEK as f64);
                serve_fixed(self, work, replicas * fill, out);
            }
            Scaling::Peak => {
                largest_load(self, work, out);
                for (peak, paid) in out.peak_replicas.iter_mut().zip(&mut out.replica_hours) {
                    *peak = whole(*peak * factor) + spare;
                    *paid = *peak * HOURS_PER_WEEK as f64;
                }
                // A fleet for its peak serves every hour.
                self.all_work(work, &mut out.busy_replica_hours);
            }
            Scaling::Auto { min, max, .. } => {
                let bounds = (f64::from(min), f64::from(max.max(min)));
                serve_auto(self, work, (factor, spare, fill), bounds, out);
            }
        }
        self.share_served(work, out);
    }

    /// What was served of all the work.
    fn share_served(&self, work: &[f64], out: &mut Weeks) {
        let Weeks { busy_replica_hours, served_share, .. } = out;
        self.all_work(work, served_share);
        for (share, busy) in served_share.iter_mut().zip(busy_replica_hours) {
            let part = *busy / *share;
            *share = if *share > 0.0 && part < 1.0 { part } else { 1.0 };
        }
    }

    /// Work of each week, in replica-hours.
    fn all_work(&self, work: &[f64], all: &mut [f64]) {
        all.fill(0.0);
        for (whole, work) in self.whole.iter().zip(work.chunks_exact(all.len().max(1))) {
            all.iter_mut().zip(work).for_each(|(all, work)| *all += whole * held(*work));
        }
    }

    /// Hands each of `hours` to `visit`, with how often it occurs and its load in a few weeks, in replicas.
    #[inline(always)]
    fn each_hour(
        &self,
        hours: impl Iterator<Item = usize>,
        lanes: &[Lanes],
        mut visit: impl FnMut(f64, &Lanes),
    ) {
        for hour in hours {
            let shares = &self.hours[hour * self.profiles.len()..][..self.profiles.len()];
            let mut load = [0.0; LANES];
            for (share, work) in shares.iter().zip(lanes) {
                for lane in 0..LANES {
                    load[lane] += share * work[lane];
                }
            }
            visit(self.times[hour], &load);
        }
    }

    /// Weeks in which it matters which hour follows which.
    fn hour_by_hour(
        &self,
        work: &[f64],
        weeks: usize,
        fleet: &Fleet<f64>,
        fill_share: Option<f64>,
        out: &mut Weeks,
    ) {
        for at in 0..weeks {
            let mut load = [0.0; HOURS_PER_WEEK];
            for (profile, work) in self.profiles.iter().zip(work.chunks_exact(weeks)) {
                load.iter_mut().zip(profile).for_each(|(load, share)| *load += work[at] * share);
            }
            let one = week(&load, fleet, fill_share);
            out.replica_hours[at] = one.replica_hours;
            out.busy_replica_hours[at] = one.busy_replica_hours;
            out.peak_replicas[at] = one.peak_replicas;
            out.served_share[at] = one.served_share;
        }
    }
}

/// The work of up to [`LANES`] weeks from `at` on, by profile; weeks beyond the last have none.
#[inline(always)]
fn fill_lanes(work: &[f64], weeks: usize, at: usize, lanes: &mut Vec<Lanes>) {
    lanes.clear();
    for profile in work.chunks_exact(weeks) {
        let mut lane = [0.0; LANES];
        lane.iter_mut().zip(&profile[at..]).for_each(|(lane, work)| *lane = held(*work));
        lanes.push(lane);
    }
}

/// Writes lanes to the weeks from `at` on.
#[inline(always)]
fn keep(lanes: &Lanes, at: usize, column: &mut [f64]) {
    column[at..].iter_mut().zip(lanes).for_each(|(kept, lane)| *kept = *lane);
}

/// Work that can be computed with; written so that it vectorises, and that not-a-number becomes no work.
#[inline(always)]
fn held(work: f64) -> f64 {
    let most = if work < 1e15 { work } else { 1e15 };
    if work > 0.0 { most } else { 0.0 }
}

/// The load of each week's busiest hour.
#[multiversion(targets = "simd")]
fn largest_load(shape: &WeekShape, work: &[f64], out: &mut Weeks) {
    let weeks = out.peak_replicas.len();
    for at in (0..weeks).step_by(LANES) {
        fill_lanes(work, weeks, at, &mut out.lanes);
        let mut peak = [0.0; LANES];
        shape.each_hour(shape.peaks.iter().copied(), &out.lanes, |_, load| {
            for lane in 0..LANES {
                peak[lane] = if load[lane] > peak[lane] { load[lane] } else { peak[lane] };
            }
        });
        keep(&peak, at, &mut out.peak_replicas);
    }
}

/// What a capacity that never changes serves.
#[multiversion(targets = "simd")]
fn serve_fixed(shape: &WeekShape, work: &[f64], capacity: f64, out: &mut Weeks) {
    let weeks = out.peak_replicas.len();
    for at in (0..weeks).step_by(LANES) {
        fill_lanes(work, weeks, at, &mut out.lanes);
        let mut busy = [0.0; LANES];
        shape.each_hour(0..shape.times.len(), &out.lanes, |times, load| {
            for lane in 0..LANES {
                busy[lane] += times * if load[lane] < capacity { load[lane] } else { capacity };
            }
        });
        keep(&busy, at, &mut out.busy_replica_hours);
    }
}

/// What a fleet serves that follows its load hour by hour, what it pays and its largest size.
#[multiversion(targets = "simd")]
fn serve_auto(
    shape: &WeekShape,
    work: &[f64],
    (factor, spare, fill): (f64, f64, f64),
    (low, high): (f64, f64),
    out: &mut Weeks,
) {
    let weeks = out.peak_replicas.len();
    for at in (0..weeks).step_by(LANES) {
        fill_lanes(work, weeks, at, &mut out.lanes);
        let (mut paid, mut busy, mut peak) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        shape.each_hour(0..shape.times.len(), &out.lanes, |times, load| {
            for lane in 0..LANES {
                let wanted = whole(load[lane] * factor) + spare;
                let wanted = if wanted > low { wanted } else { low };
                let serving = if wanted < high { wanted } else { high };
                let capacity = serving * fill;
                paid[lane] += times * serving;
                busy[lane] += times * if load[lane] < capacity { load[lane] } else { capacity };
                peak[lane] = if serving > peak[lane] { serving } else { peak[lane] };
            }
        });
        keep(&paid, at, &mut out.replica_hours);
        keep(&busy, at, &mut out.busy_replica_hours);
        keep(&peak, at, &mut out.peak_replicas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles() -> Vec<[f64; HOURS_PER_WEEK]> {
        let office =
            std::array::from_fn(|hour| if (9..17).contains(&(hour % 24)) { 1.0 / 56.0 } else { 0.0 });
        let ramp = std::array::from_fn(|hour| hour as f64 / (83.5 * 168.0));
        vec![office, [1.0 / 168.0; HOURS_PER_WEEK], ramp]
    }

    fn fleets() -> Vec<Fleet<f64>> {
        let scalings = [
            Scaling::Fixed(0),
            Scaling::Fixed(3),
            Scaling::Peak,
            Scaling::Auto { min: 1, max: 6, startup_minutes: 0 },
            Scaling::Auto { min: 0, max: 40, startup_minutes: 90 },
        ];
        scalings.into_iter().map(|scaling| Fleet { scaling, headroom: 0.3, spare_replicas: 1 }).collect()
    }

    #[test]
    fn many_weeks_at_once_are_each_week_on_its_own() {
        let shape = WeekShape::new(profiles());
        let work: Vec<f64> = vec![0.0, 1e-6, 40.0, 900.0, 0.0, 300.0, 2.0, 80.0, 0.0, 55.0, 1e4, 1.0];
        let weeks = 4;
        let mut out = Weeks::default();
        for fleet in fleets() {
            for fill in [None, Some(0.8)] {
                shape.tally(&work, weeks, &fleet, fill, &mut out);
                for at in 0..weeks {
                    let load = std::array::from_fn(|hour| {
                        profiles()
                            .iter()
                            .enumerate()
                            .map(|(p, shares)| shares[hour] * work[p * weeks + at])
                            .sum()
                    });
                    let one = week(&load, &fleet, fill);
                    for (what, many, one) in [
                        ("paid", out.replica_hours[at], one.replica_hours),
                        ("busy", out.busy_replica_hours[at], one.busy_replica_hours),
                        ("peak", out.peak_replicas[at], one.peak_replicas),
                        ("served", out.served_share[at], one.served_share),
                    ] {
                        let apart = (many - one).abs();
                        assert!(
                            apart <= 1e-9 * one.abs(),
                            "{what} of week {at}, {fleet:?} {fill:?}: {many} {one}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn hours_that_are_alike_are_kept_once_and_only_the_busiest_can_be_the_peak() {
        let office = profiles().remove(0);
        let shape = WeekShape::new(vec![office]);
        assert_eq!(shape.times, [112.0, 56.0]);
        assert_eq!(shape.peaks, [1]);
    }
}
