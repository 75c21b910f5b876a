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
    load: Vec<f64>,
}

impl Weeks {
    fn reset(&mut self, weeks: usize) {
        for column in [
            &mut self.replica_hours,
            &mut self.busy_replica_hours,
            &mut self.peak_replicas,
            &mut self.served_share,
            &mut self.load,
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
        Self { profiles, hours, times, peaks }
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
        let Weeks { busy_replica_hours, served_share, load, .. } = out;
        self.all_work(work, load);
        for ((share, busy), all) in served_share.iter_mut().zip(busy_replica_hours).zip(load) {
            *share = if *all > 0.0 { (*busy / *all).min(1.0) } else { 1.0 };
        }
    }

    /// Load in one distinct hour of each week, in replicas.
    #[inline(always)]
    fn load(&self, hour: usize, work: &[f64], load: &mut [f64]) {
        let shares = &self.hours[hour * self.profiles.len()..][..self.profiles.len()];
        add_up(shares.iter().copied(), work, load);
    }

    /// Work of each week, in replica-hours.
    fn all_work(&self, work: &[f64], all: &mut [f64]) {
        add_up(self.profiles.iter().map(|profile| profile.iter().sum()), work, all);
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

/// The load of each week's busiest hour.
#[multiversion(targets = "simd")]
fn largest_load(shape: &WeekShape, work: &[f64], out: &mut Weeks) {
    let Weeks { peak_replicas, load, .. } = out;
    for &hour in &shape.peaks {
        shape.load(hour, work, load);
        for (peak, load) in peak_replicas.iter_mut().zip(&*load) {
            *peak = if *load > *peak { *load } else { *peak };
        }
    }
}

/// What a capacity that never changes serves.
#[multiversion(targets = "simd")]
fn serve_fixed(shape: &WeekShape, work: &[f64], capacity: f64, out: &mut Weeks) {
    let Weeks { busy_replica_hours, load, .. } = out;
    for (hour, times) in shape.times.iter().enumerate() {
        shape.load(hour, work, load);
        for (busy, load) in busy_replica_hours.iter_mut().zip(&*load) {
            *busy += times * if *load < capacity { *load } else { capacity };
        }
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
    let Weeks { replica_hours, busy_replica_hours, peak_replicas, load, .. } = out;
    for (hour, times) in shape.times.iter().enumerate() {
        shape.load(hour, work, load);
        let columns =
            replica_hours.iter_mut().zip(busy_replica_hours.iter_mut()).zip(peak_replicas.iter_mut());
        for (((paid, busy), peak), load) in columns.zip(&*load) {
            let wanted = whole(load * factor) + spare;
            let wanted = if wanted > low { wanted } else { low };
            let serving = if wanted < high { wanted } else { high };
            *paid += times * serving;
            *busy += times * if *load < serving * fill { *load } else { serving * fill };
            *peak = if serving > *peak { serving } else { *peak };
        }
    }
}

/// `sum[week] = Σ share[profile] work[profile][week]`, held to what [`week`] computes with.
#[inline(always)]
fn add_up(shares: impl Iterator<Item = f64>, work: &[f64], sum: &mut [f64]) {
    sum.fill(0.0);
    for (share, work) in shares.zip(work.chunks_exact(sum.len().max(1))) {
        for (sum, work) in sum.iter_mut().zip(work) {
            *sum += share * work;
        }
    }
    for sum in sum {
        // Written so that it vectorises, and that not-a-number becomes no work.
        let held = if *sum < 1e12 { *sum } else { 1e12 };
        *sum = if *sum > 0.0 { held } else { 0.0 };
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
