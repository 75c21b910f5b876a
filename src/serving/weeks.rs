//! One fleet in many weeks at once: the same hours of the week, other volumes.
//!
//! A forecast asks for the same week again and again, with more or less work in it, in eight states of the world. Hours that are alike in every
//! profile are one hour that counts several times, and only an hour that no other tops in every profile can be the
//! busiest one. Each number is what [`week`](super::week) gives for that
//! week; it keeps more.

use super::fleet::{paid_hours, whole};
use super::{Fleet, Scaling};
use crate::stats::{Lanes, Num as _, turn_by_turn};
use crate::unit::HOURS_PER_WEEK;

/// Weeks that are added up side by side: one alone would wait for its own sum at every hour.
const ABREAST: usize = 3;

/// Profiles of the week, prepared for many weeks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WeekShape {
    /// Number of profiles.
    profiles: usize,
    /// Which distinct hour each hour of the week is.
    order: Vec<usize>,
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
    pub replica_hours: Vec<Lanes>,
    /// Of those, busy.
    pub busy_replica_hours: Vec<Lanes>,
    /// Most replicas in any hour.
    pub peak_replicas: Vec<Lanes>,
    /// Share of the work that was served, 0..=1; 1 without work.
    pub served_share: Vec<Lanes>,
    /// The work of the weeks abreast, by profile.
    mine: Vec<[Lanes; ABREAST]>,
}

impl Weeks {
    #[inline(always)]
    fn reset(&mut self, weeks: usize) {
        for column in [
            &mut self.replica_hours,
            &mut self.busy_replica_hours,
            &mut self.peak_replicas,
            &mut self.served_share,
        ] {
            column.resize(weeks, Lanes::default());
        }
    }
}

/// How a fleet follows its load: replicas as of an hour's load, within bounds.
struct Following {
    /// Replicas wanted for each that is busy.
    factor: Lanes,
    spare: f64,
    low: f64,
    high: f64,
    /// Share of a replica that may be filled.
    fill: Lanes,
}

impl Following {
    #[inline(always)]
    fn replicas(&self, load: Lanes) -> Lanes {
        (whole(load * self.factor) + self.spare).at_least(self.low).at_most(self.high)
    }
}

impl WeekShape {
    /// Prepares profiles: shares of a week's work in its 168 hours, each summing to 1.
    #[must_use]
    pub fn new(profiles: &[[f64; HOURS_PER_WEEK]]) -> Self {
        let mut order: Vec<usize> = (0..HOURS_PER_WEEK).collect();
        let compare = |a: usize, b: usize| {
            let ordered = profiles.iter().map(|profile| profile[a].total_cmp(&profile[b]));
            ordered.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        order.sort_by(|a, b| compare(*a, *b));
        let (mut hours, mut times) = (Vec::new(), Vec::new());
        let mut distinct = vec![0; HOURS_PER_WEEK];
        for alike in order.chunk_by(|a, b| compare(*a, *b).is_eq()) {
            alike.iter().for_each(|hour| distinct[*hour] = times.len());
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
        Self { profiles: profiles.len(), order: distinct, hours, times, whole, peaks }
    }

    /// Number of profiles.
    #[must_use]
    pub fn profiles(&self) -> usize {
        self.profiles
    }

    /// What a fleet does in several weeks.
    ///
    /// - `work`: replica-hours of work, `profile * weeks + week`; negative or not a number counts as none.
    /// - `fill_share`: as in [`week`](super::week).
    #[inline(always)]
    pub fn tally(
        &self,
        work: &mut [Lanes],
        weeks: usize,
        fleet: &Fleet<Lanes>,
        fill_share: Option<Lanes>,
        out: &mut Weeks,
    ) {
        out.reset(weeks);
        for work in work.iter_mut() {
            turn_by_turn();
            *work = work.at_least(0.0).at_most(1e15);
        }
        let mut following = Following {
            factor: fleet.headroom.at_least(0.0).at_most(1e3) + 1.0,
            spare: f64::from(fleet.spare_replicas),
            low: 0.0,
            high: f64::INFINITY,
            fill: fill_share.map_or(Lanes::of(1.0), |share| share.at_least(0.0).at_most(1.0)),
        };
        match fleet.scaling {
            Scaling::Fixed(replicas) => {
                let replicas = f64::from(replicas);
                out.peak_replicas.fill(Lanes::of(replicas));
                out.replica_hours.fill(Lanes::of(replicas * HOURS_PER_WEEK as f64));
                self.serve_fixed(work, following.fill * replicas, out);
            }
            Scaling::Peak => {
                self.largest_load(work, out);
                for (peak, paid) in out.peak_replicas.iter_mut().zip(&mut out.replica_hours) {
                    turn_by_turn();
                    *peak = following.replicas(*peak);
                    *paid = *peak * HOURS_PER_WEEK as f64;
                }
                // A fleet for its peak serves every hour.
                self.all_work(work, &mut out.busy_replica_hours);
            }
            Scaling::Auto { min, max, startup_minutes } => {
                (following.low, following.high) = (f64::from(min), f64::from(max.max(min)));
                if startup_minutes > 0 {
                    self.hour_by_hour(work, &following, startup_minutes, out);
                } else {
                    self.serve_auto(work, &following, out);
                }
            }
        }
        self.share_served(work, out);
    }

    /// What was served of all the work.
    #[inline(always)]
    fn share_served(&self, work: &[Lanes], out: &mut Weeks) {
        let (zero, one) = (Lanes::of(0.0), Lanes::of(1.0));
        let Weeks { busy_replica_hours, served_share, .. } = out;
        self.all_work(work, served_share);
        for (share, busy) in served_share.iter_mut().zip(busy_replica_hours) {
            turn_by_turn();
            *share = share.pick_above(zero, (*busy / *share).smaller(one), one);
        }
    }

    /// Work of each week, in replica-hours.
    #[inline(always)]
    fn all_work(&self, work: &[Lanes], all: &mut [Lanes]) {
        all.fill(Lanes::default());
        for (whole, work) in self.whole.iter().zip(work.chunks_exact(all.len().max(1))) {
            for (all, work) in all.iter_mut().zip(work) {
                turn_by_turn();
                *all += *work * *whole;
            }
        }
    }

    /// The work of the weeks from `at` on by profile, into the room that is kept for it; the last week stands in for those
    /// beyond it.
    #[inline(always)]
    fn weeks_of<'a>(
        work: &[Lanes],
        weeks: usize,
        at: usize,
        mine: &'a mut Vec<[Lanes; ABREAST]>,
    ) -> &'a [[Lanes; ABREAST]] {
        mine.clear();
        let abreast = |work: &[Lanes]| std::array::from_fn(|ahead| work[(at + ahead).min(weeks - 1)]);
        mine.extend(work.chunks_exact(weeks).map(abreast));
        mine
    }

    /// The load of each week's busiest hour.
    #[inline(always)]
    fn largest_load(&self, work: &[Lanes], out: &mut Weeks) {
        let weeks = out.peak_replicas.len();
        for (chunk, peak) in out.peak_replicas.chunks_mut(ABREAST).enumerate() {
            let mine = Self::weeks_of(work, weeks, chunk * ABREAST, &mut out.mine);
            let mut largest = [Lanes::default(); ABREAST];
            for hour in &self.peaks {
                let loads = loads(&self.hours[hour * self.profiles..][..self.profiles], mine);
                for (largest, load) in largest.iter_mut().zip(loads) {
                    turn_by_turn();
                    *largest = load.larger(*largest);
                }
            }
            peak.copy_from_slice(&largest[..peak.len()]);
        }
    }

    /// What a capacity that never changes serves.
    #[inline(always)]
    fn serve_fixed(&self, work: &[Lanes], capacity: Lanes, out: &mut Weeks) {
        let weeks = out.busy_replica_hours.len();
        for (chunk, busy) in out.busy_replica_hours.chunks_mut(ABREAST).enumerate() {
            let mine = Self::weeks_of(work, weeks, chunk * ABREAST, &mut out.mine);
            let mut served = [Lanes::default(); ABREAST];
            for (shares, times) in self.hours.chunks_exact(self.profiles).zip(&self.times) {
                for (served, load) in served.iter_mut().zip(loads(shares, mine)) {
                    turn_by_turn();
                    *served += load.smaller(capacity) * *times;
                }
            }
            busy.copy_from_slice(&served[..busy.len()]);
        }
    }

    /// What a fleet serves that follows its load hour by hour, what it pays and its largest size.
    #[inline(always)]
    fn serve_auto(&self, work: &[Lanes], following: &Following, out: &mut Weeks) {
        let weeks = out.peak_replicas.len();
        for at in (0..weeks).step_by(ABREAST) {
            let mine = Self::weeks_of(work, weeks, at, &mut out.mine);
            let mut sums = [[Lanes::default(); 3]; ABREAST];
            for (shares, times) in self.hours.chunks_exact(self.profiles).zip(&self.times) {
                for ([paid, busy, peak], load) in sums.iter_mut().zip(loads(shares, mine)) {
                    turn_by_turn();
                    let serving = following.replicas(load);
                    *paid += serving * *times;
                    *busy += load.smaller(serving * following.fill) * *times;
                    *peak = serving.larger(*peak);
                }
            }
            for ([paid, busy, peak], at) in sums.into_iter().zip(at..weeks) {
                out.replica_hours[at] = paid;
                out.busy_replica_hours[at] = busy;
                out.peak_replicas[at] = peak;
            }
        }
    }

    /// The same where replicas are started ahead of their hour, so that it matters which hour follows which.
    #[inline(always)]
    fn hour_by_hour(&self, work: &[Lanes], following: &Following, startup_minutes: u32, out: &mut Weeks) {
        let weeks = out.peak_replicas.len();
        let mut distinct = vec![Lanes::default(); self.times.len()];
        for at in 0..weeks {
            let mine = Self::weeks_of(work, weeks, at, &mut out.mine);
            let (mut busy, mut peak) = (Lanes::default(), Lanes::default());
            let hours = self.hours.chunks_exact(self.profiles).zip(&self.times);
            for ((shares, times), distinct) in hours.zip(&mut distinct) {
                let [load, ..] = loads(shares, mine);
                let serving = following.replicas(load);
                *distinct = serving;
                busy += load.smaller(serving * following.fill) * *times;
                peak = serving.larger(peak);
            }
            let serving: [Lanes; HOURS_PER_WEEK] = std::array::from_fn(|hour| distinct[self.order[hour]]);
            out.replica_hours[at] = paid_hours(&serving, startup_minutes);
            out.busy_replica_hours[at] = busy;
            out.peak_replicas[at] = peak;
        }
    }
}

/// The loads of weeks abreast in an hour, in replicas: each week's work by profile times the hour's share of it.
#[inline(always)]
fn loads(shares: &[f64], mine: &[[Lanes; ABREAST]]) -> [Lanes; ABREAST] {
    let mut loads = [Lanes::default(); ABREAST];
    for (share, work) in shares.iter().zip(mine) {
        for (load, work) in loads.iter_mut().zip(work) {
            turn_by_turn();
            *load += *work * *share;
        }
    }
    loads
}

#[cfg(test)]
mod tests {
    use super::super::week;
    use super::*;
    use crate::stats::LANES;

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
        let shape = WeekShape::new(&profiles());
        let work: Vec<f64> = vec![0.0, 1e-6, 40.0, 900.0, 0.0, 300.0, 2.0, 80.0, 0.0, 55.0, 1e4, 1.0];
        let weeks = 4;
        let scaled = |lane: usize| 1.0 + lane as f64 / 3.0;
        let mut out = Weeks::default();
        for fleet in fleets() {
            for fill in [None, Some(0.8)] {
                let mut lanes: Vec<Lanes> =
                    work.iter().map(|work| Lanes::from_fn(|lane| work * scaled(lane))).collect();
                let Fleet { scaling, spare_replicas, headroom } = fleet;
                let side_by_side = Fleet { scaling, spare_replicas, headroom: Lanes::of(headroom) };
                shape.tally(&mut lanes, weeks, &side_by_side, fill.map(Lanes::of), &mut out);
                for (at, lane) in (0..weeks).flat_map(|at| (0..LANES).map(move |lane| (at, lane))) {
                    let load = std::array::from_fn(|hour| {
                        profiles()
                            .iter()
                            .enumerate()
                            .map(|(p, shares)| shares[hour] * work[p * weeks + at] * scaled(lane))
                            .sum()
                    });
                    let one = week(&load, &fleet, fill);
                    for (what, many, one) in [
                        ("paid", &out.replica_hours, one.replica_hours),
                        ("busy", &out.busy_replica_hours, one.busy_replica_hours),
                        ("peak", &out.peak_replicas, one.peak_replicas),
                        ("served", &out.served_share, one.served_share),
                    ] {
                        let many = many[at].lane(lane);
                        let apart = (many - one).abs();
                        assert!(
                            apart <= 1e-9 * one.abs(),
                            "{what} of week {at}, lane {lane}, {fleet:?} {fill:?}: {many} {one}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn hours_that_are_alike_are_kept_once_and_only_the_busiest_can_be_the_peak() {
        let office = profiles().remove(0);
        let shape = WeekShape::new(&[office]);
        assert_eq!(shape.times, [112.0, 56.0]);
        assert_eq!(shape.peaks, [1]);
    }
}
