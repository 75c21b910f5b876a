//! Waiting: how long a call stands in the queue and when its first token comes, at an hourly load.

use super::Steady;
use super::roofline::within;

/// What arrives at a fleet in an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Calls per second at the whole fleet; >= 0.
    pub calls_per_sec: f64,
    /// Replicas that serve; > 0.
    pub replicas: f64,
    /// Coefficient of variation of the time between arrivals; 1 is Poisson.
    pub arrival_cv: f64,
    /// Coefficient of variation of the time that a call takes; that of the output length, in the main.
    pub service_cv: f64,
}

/// Time to first token at a load, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ttft {
    /// Load as a share of the capacity, 0..1.
    pub utilisation: f64,
    /// Probability that a call finds no free slot, 0..=1.
    pub wait_share: f64,
    /// Mean wait for a slot in the batch.
    pub wait_secs: f64,
    /// Mean wait behind other prompts, once in the batch.
    pub prefill_wait_secs: f64,
    /// Own prefill and the half step that is under way.
    pub prefill_secs: f64,
    /// Mean time to first token: the sum of the above.
    pub mean_secs: f64,
    /// 95th percentile, with exponential tails of the waits.
    pub p95_secs: f64,
}

/// Time to first token of a fleet whose replicas share one queue; `None` when the load reaches the capacity.
///
/// Slots of all replicas are the servers of a G/G/c queue: mean wait
/// `(ca^2 + cs^2)/2 * rho^(sqrt(2(c+1)) - 1) / (c (1 - rho)) * s` (Allen-Cunneen with Sakasegawa's 1977 wait). Prompts
/// of one replica then queue for its prefill as in M/G/1. An approximation: a 10 % error of the step becomes 25-30 %
/// here near saturation, so show it as a band.
#[must_use]
pub fn ttft(steady: &Steady, load: &Load) -> Option<Ttft> {
    let replicas = load.replicas.max(0.0);
    let capacity = replicas * steady.calls_per_sec;
    let arrivals = load.calls_per_sec.max(0.0);
    // Not `>=`: a capacity of zero serves nothing, whatever arrives.
    if !(arrivals < capacity && capacity.is_finite()) {
        return None;
    }
    let utilisation = arrivals / capacity;
    let slots = (replicas * steady.batch).max(1.0);
    let service_secs = within(slots / capacity, 0.0);
    let variability = 0.5 * (load.arrival_cv.powi(2) + load.service_cv.powi(2)).min(1e6);
    let wait_share = utilisation.powf((2.0 * (slots + 1.0)).sqrt() - 1.0);
    let wait_if_any = variability * service_secs / (slots * (1.0 - utilisation));
    let wait_secs = wait_share * wait_if_any;

    // Share of a full replica's time that prefill takes when prompts come one by one.
    let prefill_share = (steady.calls_per_sec * steady.prefill_secs).min(1.0);
    let prefill_busy = utilisation * prefill_share;
    let prefill_if_any =
        0.5 * (1.0 + load.arrival_cv.powi(2).min(1e6)) * steady.prefill_secs / (1.0 - prefill_busy);
    let prefill_wait_secs = prefill_busy * prefill_if_any;
    let prefill_secs = steady.prefill_secs + 0.5 * steady.tpot_secs;
    let p95_secs = prefill_secs + tail(wait_share, wait_if_any) + tail(prefill_busy, prefill_if_any);
    Some(Ttft {
        utilisation,
        wait_share,
        wait_secs,
        prefill_wait_secs,
        prefill_secs,
        mean_secs: wait_secs + prefill_wait_secs + prefill_secs,
        p95_secs,
    })
}

/// 95th percentile of a wait that happens with probability `share` and is then exponential with mean `secs`.
fn tail(share: f64, secs: f64) -> f64 {
    const BEYOND: f64 = 0.05;
    if share <= BEYOND { 0.0 } else { secs * (share / BEYOND).ln() }
}
