//! What came of a simulation.

use serde::Serialize;

use crate::unit::SimTime;

use super::job::ReplicaCounts;
use super::pool::Pool;
use super::tally::{EndpointUse, Lost, StreamTally};
use super::timeline::TimelineReport;

/// A simulation's results so far.
#[derive(Clone, Debug)]
pub struct SimReport {
    /// By stream, in the order of the system's.
    pub streams: Vec<StreamTally>,
    /// By stream and endpoint.
    pub usage: Vec<Vec<EndpointUse>>,
    /// By endpoint of own GPUs.
    pub pools: Vec<PoolReport>,
    /// Over time, the warm-up included.
    pub timeline: TimelineReport,
    /// Requests that came, those of the warm-up too.
    pub played: u64,
    /// Requests that are still inside.
    pub inside: u64,
    /// Where the clock stands.
    pub end: SimTime,
    /// Requests that came before were not counted.
    pub warmup: SimTime,
}

/// What the replicas of an endpoint did, from time 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PoolReport {
    /// The endpoint, by place.
    pub endpoint: usize,
    /// Replica-hours that are paid.
    pub replica_hours: f64,
    /// Of these, with work in them.
    pub busy_hours: f64,
    /// Hours with work of the replica that worked longest: what an uneven balance makes longer than the others'.
    pub busiest_hours: f64,
    /// Steps, preemptions and tokens.
    pub counts: ReplicaCounts,
    /// Replicas taken away.
    pub interruptions: u64,
    /// Replicas started by the autoscaler.
    pub starts: u64,
    /// Calls that wait at the end.
    pub waiting: f64,
}

impl PoolReport {
    /// Busy share of the paid hours, 0..=1.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        if self.replica_hours > 0.0 { (self.busy_hours / self.replica_hours).min(1.0) } else { 0.0 }
    }
}

impl SimReport {
    /// All streams together.
    #[must_use]
    pub fn total(&self) -> StreamTally {
        let mut sum = StreamTally::default();
        self.streams.iter().for_each(|stream| sum.add(stream));
        sum
    }

    /// One endpoint's use over all streams.
    #[must_use]
    pub fn endpoint_use(&self, endpoint: usize) -> EndpointUse {
        let mut sum = EndpointUse::default();
        self.usage.iter().filter_map(|by| by.get(endpoint)).for_each(|one| sum.add(one));
        sum
    }

    /// Whether a queue overflowed, or grew all the time: at the end more wait than at three quarters, there more than at half, and
    /// more than a full batch in all.
    #[must_use]
    pub fn falls_behind(&self, pool: usize) -> bool {
        if self.streams.iter().any(|stream| stream.lost.contains_key(&Lost::QueueFull)) {
            return true;
        }
        let with: Vec<f64> = self
            .timeline
            .bins
            .iter()
            .filter_map(|bin| bin.pools.get(pool))
            .map(|sample| sample.waiting)
            .collect();
        // What is left after the last arrival is played to its end: only the time of arrivals tells.
        let arriving = self.timeline.bins.iter().rposition(|bin| bin.arrived > 0).map_or(0, |last| last + 1);
        let with = &with[..arriving.min(with.len())];
        let at =
            |share: f64| with.get(((with.len() as f64 * share) as usize).min(with.len().saturating_sub(1)));
        match (at(0.5), at(0.75), at(1.0)) {
            (Some(half), Some(later), Some(end)) => {
                with.len() >= 8 && *end > 32.0 && end > later && later > half
            }
            _ => false,
        }
    }
}

const NS_PER_HOUR: f64 = 3600.0 * 1e9;

pub(super) fn pool_report(endpoint: usize, pool: &Pool, prefill: Option<&Pool>, now: SimTime) -> PoolReport {
    let state = pool.state(now);
    let prompts = prefill.map(|pool| (pool.state(now), pool.counts()));
    let mut counts = pool.counts();
    let (mut paid, mut busy, mut waiting) = (state.paid_ns, state.busy_ns, state.waiting);
    if let Some((state, more)) = prompts {
        paid += state.paid_ns;
        busy += state.busy_ns;
        waiting += state.waiting;
        counts.add(&more);
    }
    PoolReport {
        endpoint,
        replica_hours: paid as f64 / NS_PER_HOUR,
        busy_hours: busy as f64 / NS_PER_HOUR,
        busiest_hours: pool.busiest_ns(now) as f64 / NS_PER_HOUR,
        counts,
        interruptions: pool.interruptions,
        starts: pool.starts,
        waiting,
    }
}
