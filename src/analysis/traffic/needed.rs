//! How many replicas keep the latency targets, by simulation of the busiest hour.

use serde::Serialize;

use crate::routing::Serves;
use crate::scenario::Scenario;

use super::ask::{TrafficAsk, TrafficError};
use super::own::fewest_replicas;
use super::run::{Listener, simulate};
use super::summary::Traffic;
use super::system::expected;

/// Replicas of one own endpoint that keep the latency targets at the 95th percentile in the busiest hour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplicasNeeded {
    /// Id of the endpoint.
    pub endpoint: String,
    /// What the closed form says, headroom and spares included.
    pub closed_form: u32,
    /// What the simulation says, without headroom; `None` where not even the most that was tried do.
    pub simulated: Option<u32>,
    /// Most replicas that were tried.
    pub tried_max: u32,
    /// Times that the hour was simulated.
    pub runs: u32,
    /// 95th percentile of the time to first token with these replicas, in seconds.
    pub ttft_p95_secs: Option<f64>,
    /// 95th percentile of the time per output token with these replicas, in seconds.
    pub tpot_p95_secs: Option<f64>,
}

/// Length of the window that is tried, in seconds, and of its warm-up.
const WINDOW_SECS: f64 = 3_600.0;
const WARMUP_SECS: f64 = 300.0;

/// How many times what the closed form says is tried.
const TRIED: f64 = 4.0;

/// The replicas that a plan's own endpoints need; empty for a plan without any. A plan with several own endpoints gives
/// all the same number, since their queues depend on each other.
///
/// By bisection: more replicas never serve worse. Calls that go to an overflow count as served there, so that a plan
/// that overflows is kept within its targets by its fallback; then 1 is an answer.
///
/// # Errors
/// [`TrafficError`] where the plan cannot be simulated.
pub fn replicas_needed(
    scenario: &Scenario,
    ask: &TrafficAsk,
    listener: &dyn Listener,
) -> Result<Vec<ReplicasNeeded>, TrafficError> {
    let plan = scenario
        .point()
        .plans
        .get(ask.plan)
        .ok_or(TrafficError::NoPlan { plan: ask.plan, plans: scenario.facts().plans.len() })?;
    let own: Vec<usize> = (0..plan.endpoints.len())
        .filter(|at| matches!(plan.endpoints[*at].serves, Serves::SelfHosted(_)))
        .collect();
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let closed = expected(scenario, ask).replicas;
    let most = own.iter().map(|at| closed[*at]).fold(1.0, f64::max);
    let fewest = own.iter().filter_map(|at| match &plan.endpoints[*at].serves {
        Serves::SelfHosted(own) => Some(fewest_replicas(own)),
        Serves::Api(_) => None,
    });
    let fewest = fewest.max().unwrap_or(1);
    let tried_max = ((most * TRIED).ceil().clamp(2.0, 4_096.0) as u32).max(fewest);
    let mut runs = 0;
    let mut kept: Option<(u32, Traffic)> = None;
    let (mut low, mut high) = (fewest, tried_max);
    // The closed form is near: it halves the search.
    let mut next = (most.ceil() as u32).clamp(low, high);
    while low <= high && !listener.stop() {
        let hour = TrafficAsk {
            window_secs: WINDOW_SECS,
            warmup_secs: Some(WARMUP_SECS),
            first_hour: None,
            replications: 1,
            batches: 0,
            replicas: Some(next),
            ..ask.clone()
        };
        let traffic = simulate(scenario, &hour, None, None, listener)?;
        runs += 1;
        if keeps_targets(scenario, &traffic) {
            high = next - 1;
            kept = Some((next, traffic));
        } else {
            low = next + 1;
        }
        next = u32::midpoint(low, high);
    }
    let p95 = |of: &dyn Fn(&Traffic) -> Option<f64>| kept.as_ref().and_then(|(_, traffic)| of(traffic));
    Ok(own
        .into_iter()
        .map(|at| ReplicasNeeded {
            endpoint: plan.endpoints[at].id.clone(),
            closed_form: closed[at].ceil().clamp(0.0, 1e9) as u32,
            simulated: kept.as_ref().map(|(replicas, _)| *replicas),
            tried_max,
            runs,
            ttft_p95_secs: p95(&|traffic| Some(traffic.total.ttft_secs.as_ref()?.p95.mean)),
            tpot_p95_secs: p95(&|traffic| Some(traffic.total.tpot_secs.as_ref()?.p95.mean)),
        })
        .collect())
}

/// Whether every use case is answered, within its targets at the 95th percentile.
fn keeps_targets(scenario: &Scenario, traffic: &Traffic) -> bool {
    /// A share that may be lost all the same: a twentieth of a percent, as much as the percentile can resolve.
    const LOST: f64 = 0.0005;
    let state = scenario.point();
    scenario.facts().use_cases.iter().zip(&traffic.streams).all(|(facts, stream)| {
        let slo = &state.workload.use_cases[facts.position].slo;
        let within = |times: &Option<super::Percentiles>, target: f64| {
            times.as_ref().is_none_or(|times| times.p95.mean <= target)
        };
        stream.lost_share() <= LOST
            && within(&stream.ttft_secs, slo.ttft_secs)
            && within(&stream.tpot_secs, slo.tpot_secs)
    })
}
