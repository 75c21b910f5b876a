//! A simulation over time, in at most so many stretches: when they are full, two and two become one.

use crate::unit::SimTime;

use super::pool::PoolState;
use super::tally::{Bin, PoolSample};

/// Most stretches.
pub(super) const BINS_MAX: usize = 512;
/// Shortest stretch.
const FIRST: SimTime = SimTime(1_000_000_000);

/// A finished timeline: stretches of equal length.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct TimelineReport {
    /// Length of a stretch, in seconds.
    pub bin_secs: f64,
    /// Stretches, from time 0.
    pub bins: Vec<Bin>,
}

#[derive(Clone, Debug)]
pub(super) struct Timeline {
    width: u64,
    bins: Vec<Bin>,
    pools: usize,
    /// Stretches whose end was looked at.
    sampled: usize,
    last: Vec<PoolState>,
}

impl Timeline {
    /// For a simulation until `horizon`, with so many pools.
    pub fn new(horizon: SimTime, pools: usize) -> Self {
        let whole = if horizon == SimTime::NEVER { 0 } else { horizon.0.div_ceil(BINS_MAX as u64 / 2) };
        Self {
            width: whole.max(FIRST.0 / 10),
            bins: Vec::new(),
            pools,
            sampled: 0,
            last: vec![PoolState::default(); pools],
        }
    }

    /// End of the first stretch that was not looked at yet; never, without pools.
    #[inline]
    pub fn next_sample(&self) -> SimTime {
        if self.pools == 0 { SimTime::NEVER } else { SimTime((self.sampled as u64 + 1) * self.width) }
    }

    /// The stretch at `now`.
    #[inline]
    pub fn now(&mut self, now: SimTime) -> &mut Bin {
        let mut at = (now.0 / self.width) as usize;
        while at >= BINS_MAX {
            self.halve();
            at = (now.0 / self.width) as usize;
        }
        if at >= self.bins.len() {
            self.bins.resize(at + 1, Bin::default());
        }
        &mut self.bins[at]
    }

    /// The stretch at `time`, or at `now` where it lies too far ahead to be shown.
    #[inline]
    pub fn at(&mut self, time: SimTime, now: SimTime) -> &mut Bin {
        let ahead = (time.0 / self.width) as usize;
        self.now(if ahead < BINS_MAX { time } else { now })
    }

    fn halve(&mut self) {
        let merged = self.bins.chunks(2).map(|pair| {
            let mut sum = pair[0].clone();
            if let Some(second) = pair.get(1) {
                sum.add(second);
            }
            sum
        });
        self.bins = merged.collect();
        self.width *= 2;
        // An odd stretch is looked at again at its new end.
        self.sampled /= 2;
    }

    /// The pools at the end of the next stretch.
    pub fn sample(&mut self, states: &[PoolState]) {
        let end = SimTime((self.sampled as u64 + 1) * self.width - 1);
        let width = self.width;
        let samples = states
            .iter()
            .zip(&self.last)
            .map(|(state, last)| {
                let paid = state.paid_ns.saturating_sub(last.paid_ns);
                let busy = state.busy_ns.saturating_sub(last.busy_ns);
                PoolSample {
                    waiting: state.waiting,
                    running: state.running,
                    kv_share: state.kv_share,
                    busy_share: (busy as f64 / paid.max(1) as f64).min(1.0),
                    replicas: state.up,
                    paid: paid as f64 / width as f64,
                }
            })
            .collect();
        self.last = states.to_vec();
        self.now(end).pools = samples;
        if self.width == width {
            self.sampled += 1;
        }
    }

    /// The last stretch, which may not be whole.
    pub fn close(&mut self, now: SimTime, states: &[PoolState]) {
        if self.pools > 0 && now.0 / self.width >= self.sampled as u64 {
            self.sample(states);
        }
    }

    pub fn finished(&self, now: SimTime) -> TimelineReport {
        let mut bins = self.bins.clone();
        let until = (now.0 / self.width) as usize + 1;
        bins.resize(until.max(bins.len()).min(BINS_MAX), Bin::default());
        TimelineReport { bin_secs: self.width as f64 / 1e9, bins }
    }
}
