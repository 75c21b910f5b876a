//! An endpoint of own GPUs: replicas, who gets a call, how many there are, and spot interruptions.

use std::collections::VecDeque;

use rand_distr::{Distribution, Exp1};

use crate::unit::SimTime;

use super::draws::Draws;
use super::job::{Done, Job, Refused, ReplicaCounts, ReplicaLimits, Role};
use super::pace::Pace;
use super::replica::Replica;

/// Which replica gets a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Balance {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest calls; of these the first.
    #[default]
    LeastLoaded,
    /// The one that has the longest beginning of the prompt, unless it has so many more calls than the least loaded.
    PrefixAware {
        /// Calls more than the least loaded.
        imbalance_max: u32,
    },
    /// The same for all calls of a session.
    Session,
}

/// How many replicas there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReplicaScaling {
    /// Always so many.
    Fixed(u32),
    /// As many as the calls need, looked at now and then.
    Auto(AutoScaling),
}

/// Replicas that follow the calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutoScaling {
    /// At the beginning.
    pub first: u32,
    /// Fewest; 0 lets calls wait for a start.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// Time until a new one serves, in seconds.
    pub start_secs: f64,
    /// Calls per replica that are aimed at.
    pub calls_per_replica: f64,
    /// Time between two looks, in seconds.
    pub every_secs: f64,
    /// How long fewer must do before one is stopped, in seconds.
    pub patience_secs: f64,
}

/// Spot capacity that is taken away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpotInterruptions {
    /// Mean time between interruptions of one replica, in seconds.
    pub every_secs: f64,
    /// Time until a replica is back, in seconds.
    pub back_secs: f64,
}

/// Replicas for prompts alone, in front of those that answer.
#[derive(Clone, Debug)]
pub struct PrefillPool {
    /// How many.
    pub replicas: u32,
    /// What each may do.
    pub limits: ReplicaLimits,
    /// How long its steps take.
    pub pace: Pace,
    /// Time to bring the KV of a prompt over, in seconds: fixed, and per token.
    pub transfer_secs: (f64, f64),
}

/// An endpoint of own GPUs.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    /// What a replica may do.
    pub limits: ReplicaLimits,
    /// How long its steps take.
    pub pace: Pace,
    /// Whether replicas keep the KV of prompts for others.
    pub prefix_cache: bool,
    /// Who gets a call.
    pub balance: Balance,
    /// How many replicas.
    pub scaling: ReplicaScaling,
    /// Interruptions, if they are spot capacity.
    pub spot: Option<SpotInterruptions>,
    /// Time of the server in front, added to the time to first token, in seconds.
    pub front_secs: f64,
    /// Replicas for prompts alone, if prefill and decode are apart.
    pub prefill: Option<PrefillPool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Up,
    Starting,
    /// Answers what it has and takes nothing new.
    Draining,
    Off,
}

#[derive(Clone, Debug)]
struct Unit {
    replica: Replica,
    life: Life,
    /// Since when it is paid; `None` is off.
    paid_since: Option<SimTime>,
}

/// Where a call was put: replica and place there; `None` is held until a replica serves.
pub(super) type Seat = Option<(u32, u32)>;

/// What a pool wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PoolEvent {
    /// A look at the number of replicas.
    Look,
    /// A replica serves from now on.
    Up(u32),
    /// A replica is taken away.
    Interrupted(u32),
}

/// What a pool looks like at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PoolState {
    pub waiting: f64,
    pub running: f64,
    /// Mean over the replicas that are up.
    pub kv_share: f64,
    pub busy_ns: u64,
    pub paid_ns: u64,
    pub up: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub spec: PoolSpec,
    units: Vec<Unit>,
    /// Ends of the steps under way by unit, and the first of them.
    ends: Vec<u64>,
    soonest: u64,
    soonest_at: usize,
    turn: usize,
    held: VecDeque<(Job, u64)>,
    paid_ns: u64,
    fewer_since: Option<SimTime>,
    pub interruptions: u64,
    pub starts: u64,
    /// Calls that were taken back while they were held.
    withdrawn: u64,
    draws: Draws,
}

impl Pool {
    /// The pool at time 0 and what it wants to be woken for.
    pub fn new(spec: PoolSpec, seed: u64, name: &str, wake: &mut Vec<(SimTime, PoolEvent)>) -> Self {
        Self::with_role(spec, Role::Both, seed, name, wake)
    }

    pub fn with_role(
        spec: PoolSpec,
        role: Role,
        seed: u64,
        name: &str,
        wake: &mut Vec<(SimTime, PoolEvent)>,
    ) -> Self {
        let (first, most) = match spec.scaling {
            ReplicaScaling::Fixed(replicas) => (replicas, replicas),
            ReplicaScaling::Auto(auto) => {
                wake.push((SimTime::from_secs(auto.every_secs.max(0.1)), PoolEvent::Look));
                let most = auto.max.max(auto.min);
                (auto.first.clamp(auto.min, most), most)
            }
        };
        let replica = Replica::new(spec.limits, spec.pace.clone(), role, spec.prefix_cache);
        let units = (0..most)
            .map(|at| Unit {
                replica: replica.clone(),
                life: if at < first { Life::Up } else { Life::Off },
                paid_since: (at < first).then_some(SimTime(0)),
            })
            .collect();
        let mut pool = Self {
            units,
            ends: vec![u64::MAX; most as usize],
            soonest: u64::MAX,
            soonest_at: 0,
            turn: 0,
            held: VecDeque::new(),
            paid_ns: 0,
            fewer_since: None,
            interruptions: 0,
            starts: 0,
            withdrawn: 0,
            draws: Draws::new(seed, name),
            spec,
        };
        for at in 0..first {
            pool.plan_interruption(at, SimTime(0), wake);
        }
        pool
    }

    /// When the next steps end; [`SimTime::NEVER`] while all are idle.
    #[inline]
    pub fn next_event(&self) -> SimTime {
        SimTime(self.soonest)
    }

    fn note(&mut self, at: usize) {
        let end = self.units[at].replica.next_event().map_or(u64::MAX, |end| end.0);
        self.ends[at] = end;
        if end <= self.soonest && end != u64::MAX {
            if end < self.soonest || at < self.soonest_at {
                (self.soonest, self.soonest_at) = (end, at);
            }
        } else if at == self.soonest_at {
            (self.soonest, self.soonest_at) = (u64::MAX, 0);
            for (at, &end) in self.ends.iter().enumerate() {
                if end < self.soonest {
                    (self.soonest, self.soonest_at) = (end, at);
                }
            }
        }
    }

    /// Ends the steps that end first; returns which replica's they are.
    #[inline]
    pub fn advance(&mut self, done: &mut Vec<Done>) -> u32 {
        let at = self.soonest_at;
        self.units[at].replica.advance(&mut |answer| done.push(answer));
        if self.units[at].life == Life::Draining && self.units[at].replica.load() == 0 {
            let now = SimTime(self.soonest);
            self.switch_off(at, now);
        }
        // The first of the ends has moved: look again.
        self.ends[at] = u64::MAX;
        self.note(at);
        at as u32
    }

    fn switch_off(&mut self, at: usize, now: SimTime) {
        let unit = &mut self.units[at];
        unit.life = Life::Off;
        if let Some(since) = unit.paid_since.take() {
            self.paid_ns += now.since(since).0;
        }
    }

    fn up(&self) -> impl Iterator<Item = usize> + '_ {
        self.units.iter().enumerate().filter(|(_, unit)| unit.life == Life::Up).map(|(at, _)| at)
    }

    /// Calls at the least loaded replica that serves; `None` while none does.
    pub fn least_load(&self) -> Option<usize> {
        self.up().map(|at| self.units[at].replica.load()).min()
    }

    /// Calls that wait at the replica with the fewest of them, and before the first replica is up.
    pub fn least_waiting(&self) -> usize {
        self.up().map(|at| self.units[at].replica.waiting()).min().unwrap_or(self.held.len())
    }

    /// Which replica a call goes to; `None` while none serves.
    fn choose(&mut self, job: &Job, session: u64) -> Option<usize> {
        if self.units.len() == 1 {
            return (self.units[0].life == Life::Up).then_some(0);
        }
        let load = |at: &usize| self.units[*at].replica.load();
        match self.spec.balance {
            Balance::LeastLoaded => self.up().min_by_key(load),
            Balance::RoundRobin => {
                let ups: Vec<usize> = self.up().collect();
                let chosen = ups.get(self.turn % ups.len().max(1)).copied();
                self.turn = self.turn.wrapping_add(1);
                chosen
            }
            Balance::Session => {
                let ups: Vec<usize> = self.up().collect();
                let hash = (session ^ (session >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                ups.get(hash as usize % ups.len().max(1)).copied()
            }
            Balance::PrefixAware { imbalance_max } => {
                let least = self.up().map(|at| load(&at)).min()?;
                self.up().filter(|at| load(at) <= least + imbalance_max as usize).max_by_key(|at| {
                    let replica = &self.units[*at].replica;
                    let cached = replica.cached_tokens(&job.prefix, job.prompt_tokens);
                    (cached, std::cmp::Reverse(replica.load()), std::cmp::Reverse(*at))
                })
            }
        }
    }

    /// Gives it a call; returns where it is.
    #[inline]
    pub fn enqueue(&mut self, job: Job, session: u64, now: SimTime) -> Result<Seat, Refused> {
        let Some(at) = self.choose(&job, session) else {
            if self.held.len() >= self.spec.limits.waiting_max {
                return Err(Refused::QueueFull);
            }
            self.held.push_back((job, session));
            return Ok(None);
        };
        let place = self.units[at].replica.enqueue(job, now)?;
        self.note(at);
        Ok(Some((at as u32, place)))
    }

    /// Takes a call back that was given to `seat`.
    pub fn withdraw(&mut self, id: u64, seat: Seat, now: SimTime) {
        if let Some((at, place)) = seat
            && self.units[at as usize].replica.withdraw(id, Some(place), now)
        {
            self.note(at as usize);
            return;
        }
        // It was held, or an interruption has sent it elsewhere.
        if let Some(at) = self.held.iter().position(|(job, _)| job.id == id) {
            self.held.remove(at);
            self.withdrawn += 1;
            return;
        }
        if let Some(at) = (0..self.units.len()).find(|at| self.units[*at].replica.withdraw(id, None, now)) {
            self.note(at);
        }
    }

    /// Something that it wanted to be woken for. Calls that no longer fit anywhere are returned.
    pub fn wake(
        &mut self,
        event: PoolEvent,
        now: SimTime,
        wake: &mut Vec<(SimTime, PoolEvent)>,
        lost: &mut Vec<Job>,
    ) {
        match event {
            PoolEvent::Look => self.look(now, wake),
            PoolEvent::Up(at) => self.come_up(at, now, wake, lost),
            PoolEvent::Interrupted(at) => self.interrupt(at, now, wake, lost),
        }
    }

    fn come_up(&mut self, at: u32, now: SimTime, wake: &mut Vec<(SimTime, PoolEvent)>, lost: &mut Vec<Job>) {
        if self.units[at as usize].life != Life::Starting {
            return;
        }
        self.units[at as usize].life = Life::Up;
        self.plan_interruption(at, now, wake);
        for (job, session) in std::mem::take(&mut self.held) {
            if self.enqueue(job.clone(), session, now).is_err() {
                lost.push(job);
            }
        }
    }

    fn plan_interruption(&mut self, at: u32, now: SimTime, wake: &mut Vec<(SimTime, PoolEvent)>) {
        if let Some(spot) = self.spec.spot {
            let e: f64 = Exp1.sample(&mut self.draws);
            wake.push((now + SimTime::from_secs(e * spot.every_secs.max(1.0)), PoolEvent::Interrupted(at)));
        }
    }

    fn interrupt(
        &mut self,
        at: u32,
        now: SimTime,
        wake: &mut Vec<(SimTime, PoolEvent)>,
        lost: &mut Vec<Job>,
    ) {
        let unit = &mut self.units[at as usize];
        if unit.life != Life::Up {
            return;
        }
        self.interruptions += 1;
        unit.life = Life::Starting;
        let jobs = unit.replica.evict(now);
        self.ends[at as usize] = u64::MAX;
        self.note(at as usize);
        let back = self.spec.spot.map_or(0.0, |spot| spot.back_secs);
        wake.push((now + SimTime::from_secs(back), PoolEvent::Up(at)));
        // What ran there begins anew elsewhere.
        for job in jobs {
            let session = job.id;
            if self.enqueue(job.clone(), session, now).is_err() {
                lost.push(job);
            }
        }
    }

    fn look(&mut self, now: SimTime, wake: &mut Vec<(SimTime, PoolEvent)>) {
        let ReplicaScaling::Auto(auto) = self.spec.scaling else { return };
        wake.push((now + SimTime::from_secs(auto.every_secs.max(0.1)), PoolEvent::Look));
        let calls: usize = self.held.len() + self.units.iter().map(|unit| unit.replica.load()).sum::<usize>();
        let wished = (calls as f64 / auto.calls_per_replica.max(1e-6)).ceil();
        let wished = wished.clamp(f64::from(auto.min), f64::from(auto.max.max(auto.min))) as usize;
        let coming = |unit: &Unit| matches!(unit.life, Life::Up | Life::Starting);
        let have = self.units.iter().filter(|unit| coming(unit)).count();
        if wished >= have {
            self.fewer_since = None;
        }
        if wished > have {
            self.start(wished - have, now, auto.start_secs, wake);
        } else if wished < have {
            let since = *self.fewer_since.get_or_insert(now);
            if now.since(since).secs() >= auto.patience_secs {
                self.stop_one(now);
                self.fewer_since = None;
            }
        }
    }

    fn start(&mut self, more: usize, now: SimTime, secs: f64, wake: &mut Vec<(SimTime, PoolEvent)>) {
        let mut left = more;
        for at in 0..self.units.len() {
            if left == 0 {
                return;
            }
            let unit = &mut self.units[at];
            match unit.life {
                // It is still there: it goes on.
                Life::Draining => unit.life = Life::Up,
                Life::Off => {
                    unit.life = Life::Starting;
                    unit.paid_since = Some(now);
                    self.starts += 1;
                    wake.push((now + SimTime::from_secs(secs), PoolEvent::Up(at as u32)));
                }
                Life::Up | Life::Starting => continue,
            }
            left -= 1;
        }
    }

    fn stop_one(&mut self, now: SimTime) {
        let Some(at) = self.up().min_by_key(|at| self.units[*at].replica.load()) else { return };
        if self.units[at].replica.load() == 0 {
            self.switch_off(at, now);
        } else {
            self.units[at].life = Life::Draining;
        }
    }

    /// How it looks at `now`.
    pub fn state(&self, now: SimTime) -> PoolState {
        let mut sum = PoolState { waiting: self.held.len() as f64, ..PoolState::default() };
        for unit in &self.units {
            let state = unit.replica.state(now);
            sum.waiting += state.waiting as f64;
            sum.running += f64::from(state.running);
            sum.busy_ns += state.busy_ns;
            if unit.life == Life::Up {
                sum.up += 1;
                sum.kv_share += state.kv_share;
            }
        }
        sum.kv_share /= f64::from(sum.up.max(1));
        sum.paid_ns = self.paid_ns
            + self
                .units
                .iter()
                .filter_map(|unit| unit.paid_since)
                .map(|since| now.since(since).0)
                .sum::<u64>();
        sum
    }

    /// Nanoseconds with work of the replica that has worked longest.
    pub fn busiest_ns(&self, now: SimTime) -> u64 {
        self.units.iter().map(|unit| unit.replica.state(now).busy_ns).max().unwrap_or(0)
    }

    /// What all replicas have done.
    pub fn counts(&self) -> ReplicaCounts {
        let mut sum = ReplicaCounts { withdrawn: self.withdrawn, ..ReplicaCounts::default() };
        self.units.iter().for_each(|unit| sum.add(&unit.replica.counts()));
        sum
    }
}
