//! What is wrong with a plan's answer, or worth knowing, with the figures that say so.

use crate::routing::Serves;
use crate::scenario::Scenario;
use crate::unit::format;

use super::evaluator::PlanWorld;
use super::results::{Finding, PlanOutcome, Severity};

/// A fleet that is used less than this is mostly idle.
const IDLE_BELOW: f64 = 0.25;

/// A plan that leaves more than this unanswered does not serve the workload.
const UNSERVED_ABOVE: f64 = 1e-6;

/// Whether a plan may be called the cheapest: it serves everything and breaks no constraint.
pub(super) fn is_answer(plan: &PlanOutcome) -> bool {
    plan.mean_month_usd.is_finite() && plan.findings.iter().all(|finding| finding.severity != Severity::Error)
}

/// The plans among which a decision is made: those that are answers, or all of them if none is.
pub(super) fn contenders(plans: &[PlanOutcome]) -> Vec<usize> {
    let answers: Vec<usize> = (0..plans.len()).filter(|plan| is_answer(&plans[*plan])).collect();
    if answers.is_empty() { (0..plans.len()).collect() } else { answers }
}

/// The findings of one plan, gravest first.
pub(super) fn of_plan(
    scenario: &Scenario,
    position: usize,
    outcome: &PlanOutcome,
    world: &PlanWorld,
    served_share: f64,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let path = format!("plans.{}", outcome.id);
    fits(scenario, position, &path, world, &mut found);
    if 1.0 - served_share > UNSERVED_ABOVE && found.is_empty() {
        found.push(Finding {
            severity: Severity::Error,
            path: path.clone(),
            message: format!(
                "in the busiest month {} of the requests find no capacity",
                format::percent(1.0 - served_share)
            ),
            remedy: "add replicas, raise the autoscaling limit, or let the rest overflow to an API"
                .to_owned(),
        });
    }
    if !outcome.not_priced.is_empty() {
        found.push(Finding {
            severity: Severity::Warning,
            path: path.clone(),
            message: format!(
                "not every token of {} has a price: the total is \"at least\"",
                outcome.not_priced.join(", ")
            ),
            remedy: "give prices of your own".to_owned(),
        });
    }
    for endpoint in &outcome.endpoints {
        let Some(deployment) = &endpoint.deployment else { continue };
        if deployment.replica_hours > 0.0
            && deployment.mean_utilisation < IDLE_BELOW
            && deployment.usable_bytes > 0.0
        {
            found.push(Finding {
                severity: Severity::Note,
                path: format!("{path}.endpoints.{}", endpoint.id),
                message: format!(
                    "the GPUs of {} are busy {} of the time that is paid",
                    endpoint.name,
                    format::percent(deployment.mean_utilisation)
                ),
                remedy: "autoscale, take fewer or smaller GPUs, or move batch work to the quiet hours"
                    .to_owned(),
            });
        }
    }
    constraints(scenario, position, &path, outcome, world, &mut found);
    latency_targets(scenario, &path, outcome, &mut found);
    found.sort_by(|a, b| b.severity.cmp(&a.severity));
    found
}

fn fits(scenario: &Scenario, position: usize, path: &str, world: &PlanWorld, found: &mut Vec<Finding>) {
    let plan = &scenario.draft().plans[position];
    for (endpoint, memory) in plan.endpoints.iter().zip(&world.memory) {
        if let Some(Err(error)) = memory {
            found.push(Finding {
                severity: Severity::Error,
                path: format!("{path}.endpoints.{}.serves.deployment", endpoint.id),
                message: format!("{}: {error}", endpoint.name),
                remedy: "choose more or larger GPUs, or a smaller format of the weights".to_owned(),
            });
        }
    }
}

/// Residency, self-host only: named where a plan breaks them.
fn constraints(
    scenario: &Scenario,
    position: usize,
    path: &str,
    outcome: &PlanOutcome,
    world: &PlanWorld,
    found: &mut Vec<Finding>,
) {
    let plan = &scenario.draft().plans[position];
    let count = plan.endpoints.len();
    for (slot, facts) in scenario.facts().use_cases.iter().enumerate() {
        let use_case = &scenario.draft().workload.use_cases[facts.position];
        for (place, endpoint) in plan.endpoints.iter().enumerate() {
            if world.flows[slot * count + place] <= 0.0 {
                continue;
            }
            if use_case.constraints.self_host_only && matches!(endpoint.serves, Serves::Api(_)) {
                found.push(Finding {
                    severity: Severity::Error,
                    path: path.to_owned(),
                    message: format!(
                        "{} must be self-hosted, and {} is an API",
                        use_case.name, endpoint.name
                    ),
                    remedy: format!("route {} to a deployment, or lift the constraint", use_case.name),
                });
            }
            if let Some(region) = &use_case.constraints.region
                && !endpoint.region.eq_ignore_ascii_case(region)
            {
                let where_it_runs = if endpoint.region.is_empty() {
                    "in a region that is not stated"
                } else {
                    &endpoint.region
                };
                found.push(Finding {
                    severity: Severity::Error,
                    path: path.to_owned(),
                    message: format!(
                        "{} must stay in {region}, and {} of {} runs {where_it_runs}",
                        use_case.name, endpoint.name, outcome.name
                    ),
                    remedy: format!("choose an endpoint in {region}, or state its region"),
                });
            }
        }
    }
}

/// The strictest target of the workload against the latency in the busiest hour.
fn latency_targets(scenario: &Scenario, path: &str, outcome: &PlanOutcome, found: &mut Vec<Finding>) {
    let strictest = scenario
        .facts()
        .use_cases
        .iter()
        .map(|facts| &scenario.point().workload.use_cases[facts.position])
        .min_by(|a, b| a.slo.ttft_secs.total_cmp(&b.slo.ttft_secs));
    let Some(use_case) = strictest else { return };
    if outcome.latency.ttft_secs > use_case.slo.ttft_secs {
        found.push(Finding {
            severity: Severity::Warning,
            path: path.to_owned(),
            message: format!(
                "the mean time to first token in the busiest hour is {}, {} accepts {} at the 95th percentile",
                format::secs(outcome.latency.ttft_secs),
                use_case.name,
                format::secs(use_case.slo.ttft_secs)
            ),
            remedy: "add headroom, shorten the prompts, or accept a slower start".to_owned(),
        });
    }
}
