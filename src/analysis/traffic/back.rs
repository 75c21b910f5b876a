//! What was simulated, written back into the plan: the costs follow.

use serde::Serialize;

use crate::cache::{HitRate, PromptCache};
use crate::catalog::Catalog;
use crate::routing::{RouteShare, Router, Serves, Split};
use crate::scenario::{Problems, Scenario, ScenarioDraft};
use crate::serving::Scaling;
use crate::stats::Estimate;

use super::super::evaluate;
use super::needed::ReplicasNeeded;
use super::summary::Traffic;

/// A figure of the plan, as the closed form has it and as it was simulated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// Path of what it is about, within the plan.
    pub path: String,
    /// What it is, for people.
    pub what: String,
    /// In the closed form.
    pub closed_form: f64,
    /// Simulated.
    pub simulated: f64,
}

/// The draft with what the simulation of one plan found in place of what was computed: hit rates of response and prompt
/// caches that are derived, replicas of fleets that are sized by their peak, the share of an overflow. What the user has
/// stated stays, and so does what a trace that names no questions and no prefixes cannot tell.
#[must_use]
pub fn with_findings(draft: &ScenarioDraft, traffic: &Traffic, needed: &[ReplicasNeeded]) -> ScenarioDraft {
    let mut draft = draft.clone();
    let Some(plan) = draft.plans.iter_mut().find(|plan| plan.id == traffic.plan) else { return draft };
    let arrived = traffic.total.arrived;
    if arrived == 0 {
        return draft;
    }
    let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
    // As stated hit rates are: of the calls that ask each cache.
    let total = &traffic.total;
    let exact = share(total.exact_hits, total.asked);
    let semantic = share(total.semantic_hits, total.asked.saturating_sub(total.exact_hits));
    for (cache, hit) in [(&mut plan.caches.exact, exact), (&mut plan.caches.semantic, semantic)] {
        if let Some(cache) = cache
            && matches!(cache.hit, HitRate::Derived(_))
            && tells_answers(traffic)
        {
            cache.hit = HitRate::Given(Estimate::Fixed(hit));
        }
    }
    for (endpoint, found) in plan.endpoints.iter_mut().zip(&traffic.endpoints) {
        let told = found.usage.calls > 0 && tells_prefixes(traffic);
        if matches!(endpoint.prompt_cache, PromptCache::Derived(_)) && told {
            endpoint.prompt_cache = PromptCache::Given(Estimate::Fixed(found.prompt_hit_share));
        }
        let replicas = needed.iter().find(|needed| needed.endpoint == endpoint.id).and_then(|n| n.simulated);
        if let (Serves::SelfHosted(own), Some(replicas)) = (&mut endpoint.serves, replicas)
            && own.deployment.fleet.scaling == Scaling::Peak
        {
            own.deployment.fleet.scaling = Scaling::Fixed(replicas + own.deployment.fleet.spare_replicas);
        }
    }
    let overflowed = share(traffic.total.overflowed, traffic.total.answered);
    if let Router::Overflow(overflow) = &plan.router {
        let fixed = |share: f64| Estimate::Fixed(share);
        let way =
            |endpoint: &str, share: f64| RouteShare { endpoint: endpoint.to_owned(), share: fixed(share) };
        plan.router = Router::Split(Split {
            shares: vec![way(&overflow.primary, 1.0 - overflowed), way(&overflow.fallback, overflowed)],
            classifier_usd_per_request: fixed(0.0),
            classifier_secs: fixed(0.0),
            misroute_share: fixed(0.0),
            misroute_quality_loss: fixed(0.0),
        });
    }
    draft
}

/// Whether the requests say which questions repeat.
fn tells_answers(traffic: &Traffic) -> bool {
    !traffic.replayed || traffic.total.exact_hits + traffic.total.semantic_hits > 0
}

/// Whether the requests say what their prompts share.
fn tells_prefixes(traffic: &Traffic) -> bool {
    !traffic.replayed || traffic.endpoints.iter().any(|endpoint| endpoint.usage.cached_tokens > 0)
}

/// Share of the first month's requests that may be answered from a response cache.
fn asked_share(scenario: &Scenario) -> f64 {
    let use_cases = &scenario.point().workload.use_cases;
    let (mut all, mut asked) = (0.0, 0.0);
    for use_case in scenario.facts().use_cases.iter().map(|facts| &use_cases[facts.position]) {
        all += use_case.requests_per_day;
        if !use_case.constraints.no_shared_cache {
            asked += use_case.requests_per_day * use_case.repetition.cacheable_share.clamp(0.0, 1.0);
        }
    }
    if all > 0.0 { asked / all } else { 0.0 }
}

/// What the findings change: each figure that was replaced, and the plan's cost.
///
/// # Errors
/// [`Problems`] if the draft with the findings does not pass the check.
pub fn effect(
    scenario: &Scenario,
    catalog: &Catalog,
    traffic: &Traffic,
    needed: &[ReplicasNeeded],
) -> Result<Vec<Effect>, Problems> {
    let before = evaluate(scenario);
    let draft = with_findings(scenario.draft(), traffic, needed);
    let after = evaluate(&Scenario::check(&draft, catalog)?);
    let of = |outcome: &super::super::results::Outcome| {
        outcome.plans.iter().find(|plan| plan.id == traffic.plan).cloned()
    };
    let (Some(before), Some(after)) = (of(&before), of(&after)) else { return Ok(Vec::new()) };
    let row = |path: &str, what: String, closed_form: f64, simulated: f64| Effect {
        path: path.to_owned(),
        what,
        closed_form,
        simulated,
    };
    let mut rows = vec![
        row(
            "cost",
            "cost per month, at the first month's rate".into(),
            before.run_rate.total(),
            after.run_rate.total(),
        ),
        row(
            "caches",
            "share of the calls that ask a response cache which it answers".into(),
            before.cache_hit_share / asked_share(scenario).max(f64::MIN_POSITIVE),
            (traffic.total.exact_hits + traffic.total.semantic_hits) as f64
                / traffic.total.asked.max(1) as f64,
        ),
    ];
    if !tells_answers(traffic) {
        rows.retain(|row| row.path != "caches");
    }
    for (closed, found) in before.endpoints.iter().zip(&traffic.endpoints) {
        let path = format!("endpoints.{}", closed.id);
        let name = &closed.name;
        if tells_prefixes(traffic) {
            rows.push(row(
                &format!("{path}.prompt_cache"),
                format!("{name}: share of prompt tokens from the prompt cache"),
                closed.cached_tokens / closed.prompt_tokens.max(1.0),
                found.prompt_hit_share,
            ));
        }
        let Some(deployment) = &closed.deployment else { continue };
        if let Some(needed) = needed.iter().find(|needed| needed.endpoint == closed.id)
            && let Some(replicas) = needed.simulated
        {
            let what = format!("{name}: replicas that keep the targets in the busiest hour");
            rows.push(row(&format!("{path}.replicas"), what, deployment.peak_replicas, f64::from(replicas)));
        }
        if deployment.overflow_share > 0.0 || traffic.total.overflowed > 0 {
            let simulated = traffic.total.overflowed as f64 / traffic.total.answered.max(1) as f64;
            let what = format!("{name}: share of calls that overflow");
            rows.push(row(&format!("{path}.overflow"), what, deployment.overflow_share, simulated));
        }
    }
    let latency = |times: &Option<super::Percentiles>| times.as_ref().map(|times| times.mean.mean);
    for (path, what, closed_form, simulated) in [
        (
            "latency.ttft",
            "mean time to first token",
            before.latency.ttft_secs,
            latency(&traffic.total.ttft_secs),
        ),
        (
            "latency.tpot",
            "mean time per output token",
            before.latency.tpot_secs,
            latency(&traffic.total.tpot_secs),
        ),
    ] {
        if let Some(simulated) = simulated {
            rows.push(row(path, what.into(), closed_form, simulated));
        }
    }
    Ok(rows)
}
