//! What is wrong with a plan's answer, or worth knowing, with the figures that say so.

use crate::routing::Serves;
use crate::scenario::Scenario;
use crate::unit::{HOURS_PER_WEEK, WEEKS_PER_MONTH, format};

use super::evaluator::{Evaluator, PlanWorld, tokens_per_request};
use super::latency::UseCaseLatency;
use super::results::{Finding, PlanOutcome, Severity};

/// A fleet that is used less than this is mostly idle.
const IDLE_BELOW: f64 = 0.25;

/// By how much a latency may exceed its target before it is called a miss.
const TARGET_SLACK: f64 = 0.02;

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

/// What the months of a plan have to do with its rules, gathered month by month.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// The smallest share of a month's requests that is answered, 0..=1.
    served_share: f64,
    exceeded: Vec<Exceeded>,
}

/// A provider's limit that is exceeded.
#[derive(Debug, Clone)]
struct Exceeded {
    /// Position of the endpoint.
    place: usize,
    /// The first month in which it is.
    month: usize,
    /// Tokens per minute in the busiest hour of all months.
    peak: f64,
    limit: f64,
}

impl Default for Kept {
    fn default() -> Self {
        Self { served_share: 1.0, exceeded: Vec::new() }
    }
}

impl Kept {
    /// Takes in the month that was costed last, of which a share was served.
    pub(super) fn add(
        &mut self,
        scenario: &Scenario,
        position: usize,
        evaluator: &Evaluator<'_>,
        (month, served_share): (usize, f64),
    ) {
        self.served_share = self.served_share.min(served_share);
        for (place, endpoint) in scenario.point().plans[position].endpoints.iter().enumerate() {
            let Serves::Api(api) = &endpoint.serves else { continue };
            let Some(limit) = api.limit_tokens_per_min else { continue };
            let peak = tokens_per_min(scenario, position, place, evaluator);
            if peak > limit {
                match self.exceeded.iter_mut().find(|known| known.place == place) {
                    Some(known) => {
                        (known.month, known.peak) = (known.month.min(month), known.peak.max(peak));
                    }
                    None => self.exceeded.push(Exceeded { place, month, peak, limit }),
                }
            }
        }
    }
}

/// What rules a plan out, over all months that were taken in: each an error.
pub(super) fn broken(
    scenario: &Scenario,
    position: usize,
    evaluator: &Evaluator<'_>,
    kept: &Kept,
) -> Vec<Finding> {
    let served_share = kept.served_share;
    let world = &evaluator.plans[position];
    let mut found = Vec::new();
    let path = format!("plans.{}", scenario.draft().plans[position].id);
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
    constraints(scenario, position, &path, world, &mut found);
    rate_limits(scenario, position, &path, kept, &mut found);
    found
}

/// The findings of one plan, gravest first.
pub(super) fn of_plan(
    scenario: &Scenario,
    position: usize,
    outcome: &PlanOutcome,
    evaluator: &Evaluator<'_>,
    latencies: &[UseCaseLatency],
    kept: &Kept,
) -> Vec<Finding> {
    let path = format!("plans.{}", outcome.id);
    let mut found = broken(scenario, position, evaluator, kept);
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
    latency_targets(scenario, &path, latencies, &mut found);
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
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
                        use_case.name, endpoint.name, plan.name
                    ),
                    remedy: format!("choose an endpoint in {region}, or state its region"),
                });
            }
        }
    }
}

/// Each use case against its own targets, in the busiest hour; only answers that are generated count.
fn latency_targets(scenario: &Scenario, path: &str, latencies: &[UseCaseLatency], found: &mut Vec<Finding>) {
    for (facts, latency) in scenario.facts().use_cases.iter().zip(latencies) {
        let use_case = &scenario.point().workload.use_cases[facts.position];
        let (first, each) = (latency.ttft_p95_secs, latency.mean.tpot_secs);
        let mut miss = |what: &str, found_secs: f64, accepted: f64, remedy: &str| {
            // A replica is filled up to the target itself: rounding is not a miss.
            if latency.generated > 0.0 && found_secs > accepted * (1.0 + TARGET_SLACK) {
                found.push(Finding {
                    severity: Severity::Warning,
                    path: path.to_owned(),
                    message: format!(
                        "{}: {what} is {} in the busiest hour, {} is accepted",
                        use_case.name,
                        format::secs(found_secs),
                        format::secs(accepted)
                    ),
                    remedy: remedy.to_owned(),
                });
            }
        };
        miss(
            "the P95 of the time to first token",
            first,
            use_case.slo.ttft_secs,
            "add headroom, shorten the prompts, or accept a slower start",
        );
        miss(
            "the time per output token",
            each,
            use_case.slo.tpot_secs,
            "choose a faster model or GPU, or accept a slower stream",
        );
    }
}

/// Tokens per minute that an endpoint takes in the busiest hour of the month that was costed last.
fn tokens_per_min(scenario: &Scenario, position: usize, place: usize, evaluator: &Evaluator<'_>) -> f64 {
    let endpoints = &scenario.point().plans[position].endpoints;
    let mut hours = [0.0; HOURS_PER_WEEK];
    for (slot, facts) in scenario.facts().use_cases.iter().enumerate() {
        let requests = evaluator.plans[position].flows[slot * endpoints.len() + place];
        let tokens =
            requests * tokens_per_request(&evaluator.use_cases[slot].demand) * endpoints[place].token_factor;
        let per_week = tokens / WEEKS_PER_MONTH;
        hours.iter_mut().zip(&facts.weights).for_each(|(hour, weight)| *hour += per_week * weight);
    }
    hours.iter().copied().fold(0.0, f64::max) / 60.0
}

/// The limits of providers that are exceeded, and from which month on.
fn rate_limits(scenario: &Scenario, position: usize, path: &str, kept: &Kept, found: &mut Vec<Finding>) {
    let endpoints = &scenario.point().plans[position].endpoints;
    for Exceeded { place, month, peak, limit } in &kept.exceeded {
        let endpoint = &endpoints[*place];
        let from = match month {
            0 => "from the first month on".to_owned(),
            later => format!("from {} on", scenario.facts().months[*later].strftime("%B %Y")),
        };
        found.push(Finding {
            severity: Severity::Error,
            path: format!("{path}.endpoints.{}.serves.limit_tokens_per_min", endpoint.id),
            message: format!(
                "{} would take {} tokens a minute in the busiest hour, its limit is {}: exceeded {from}",
                endpoint.name,
                format::count(*peak),
                format::count(*limit)
            ),
            remedy: "ask for a higher limit, spread the load, or route a part elsewhere".to_owned(),
        });
    }
}
