//! The instant answer: every plan at the point values, with all the detail that a reader may ask for.

use crate::pricing::{Bill, Line};
use crate::routing::{Router, Serves};
use crate::scenario::{EndpointFacts, Scenario};
use crate::unit::WEEKS_PER_MONTH;

use super::evaluator::{Evaluator, PlanWorld, tokens_per_request};
use super::findings::{self, Kept};
use super::latency::{self, UseCaseLatency};
use super::month::{Ledger, MonthFlow};
use super::results::{
    DeploymentOutcome, EndpointOutcome, Header, MonthOutcome, Outcome, PlanOutcome, UseCaseOutcome,
};

/// The bill by line, by use case and by endpoint.
struct Detail {
    total: Bill,
    by_use_case: Vec<Bill>,
    shared: Bill,
    by_endpoint: Vec<f64>,
}

impl Ledger for Detail {
    fn post(&mut self, use_case: Option<usize>, endpoint: Option<usize>, bill: &Bill, factor: f64) {
        self.total.add_scaled(bill, factor);
        match use_case {
            Some(slot) => self.by_use_case[slot].add_scaled(bill, factor),
            None => self.shared.add_scaled(bill, factor),
        }
        if let Some(endpoint) = endpoint {
            self.by_endpoint[endpoint] += bill.total() * factor;
        }
    }
    fn line(&mut self, use_case: Option<usize>, endpoint: Option<usize>, line: Line, usd: f64) {
        let mut bill = Bill::default();
        bill.add(line, usd);
        self.post(use_case, endpoint, &bill, 1.0);
    }
}

/// Only the lines.
#[derive(Default)]
pub(super) struct Lines(pub Bill);

impl Ledger for Lines {
    fn post(&mut self, _: Option<usize>, _: Option<usize>, bill: &Bill, factor: f64) {
        self.0.add_scaled(bill, factor);
    }
    fn line(&mut self, _: Option<usize>, _: Option<usize>, line: Line, usd: f64) {
        self.0.add(line, usd);
    }
}

/// The header of a result of this scenario.
pub(super) fn header(scenario: &Scenario, draws: u32) -> Header {
    Header {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        schema: scenario.draft().schema,
        scenario: scenario.draft_hash().to_owned(),
        catalog: scenario.catalog_hash().to_owned(),
        calibration: scenario.calibration().content_hash(),
        seed: scenario.draft().settings.seed,
        draws,
        money: "USD",
        shown_in: scenario.draft().settings.currency.clone(),
    }
}

/// Every plan at the point value (the mean) of every quantity. Deterministic; well under a millisecond.
#[must_use]
pub fn evaluate(scenario: &Scenario) -> Outcome {
    let mut evaluator = Evaluator::new(scenario);
    evaluator.prepare(scenario.point());
    let plans: Vec<PlanOutcome> =
        (0..scenario.draft().plans.len()).map(|plan| plan_outcome(scenario, &mut evaluator, plan)).collect();
    let cheapest = (0..plans.len())
        .filter(|plan| findings::is_answer(&plans[*plan]))
        .min_by(|a, b| plans[*a].mean_month_usd.total_cmp(&plans[*b].mean_month_usd));
    Outcome {
        header: header(scenario, 0),
        use_cases: use_cases(scenario, &evaluator),
        tokens_per_day: evaluator.tokens_per_day(),
        plans,
        cheapest,
    }
}

fn use_cases(scenario: &Scenario, evaluator: &Evaluator<'_>) -> Vec<UseCaseOutcome> {
    scenario
        .facts()
        .use_cases
        .iter()
        .zip(&evaluator.use_cases)
        .map(|(facts, world)| {
            let use_case = &scenario.draft().workload.use_cases[facts.position];
            UseCaseOutcome {
                id: use_case.id.clone(),
                name: use_case.name.clone(),
                requests: world.requests,
                calls_per_request: world.demand.calls,
                prompt_tokens: world.demand.prompt_tokens(),
                output_tokens: world.demand.output_tokens + world.demand.reasoning_tokens,
                peak_to_mean: use_case.profile.peak_to_mean(),
            }
        })
        .collect()
}

fn plan_outcome(scenario: &Scenario, evaluator: &mut Evaluator<'_>, plan: usize) -> PlanOutcome {
    let state = scenario.point();
    let mut months = Vec::with_capacity(scenario.facts().months.len());
    let mut not_priced = false;
    let mut kept = Kept::default();
    for month in 0..scenario.facts().months.len() {
        let mut lines = Lines(Bill::default());
        let flow = evaluator.month(state, plan, month, 1.0, month == 0, &mut lines);
        not_priced |= flow.not_priced;
        kept.add(scenario, plan, evaluator, (month, flow.served_share));
        months.push(MonthOutcome {
            bill: lines.0,
            requests: evaluator.requests().iter().sum(),
            tokens: evaluator.tokens_of_month(),
            served_share: flow.served_share,
        });
    }
    let mut detail = Detail {
        total: Bill::default(),
        by_use_case: vec![Bill::default(); scenario.facts().use_cases.len()],
        shared: Bill::default(),
        by_endpoint: vec![0.0; state.plans[plan].endpoints.len()],
    };
    let flow = evaluator.month(state, plan, 0, 1.0, false, &mut detail);
    allocate(evaluator, &mut detail);
    let latencies: Vec<UseCaseLatency> = (0..scenario.facts().use_cases.len())
        .map(|slot| latency::of_use_case(scenario, evaluator, plan, slot))
        .collect();
    let draft = &scenario.draft().plans[plan];
    let endpoints = endpoints(scenario, evaluator, plan, &detail);
    let mut outcome = PlanOutcome {
        id: draft.id.clone(),
        name: draft.name.clone(),
        mean_month_usd: months.iter().map(|month| month.bill.total()).sum::<f64>() / months.len() as f64,
        months,
        run_rate: detail.total,
        by_use_case: detail.by_use_case,
        quality: quality(scenario, evaluator, plan, &flow),
        latency: latency::of_plan(&latencies),
        endpoints,
        cache_hit_share: flow.cache_hit_share,
        not_priced: if not_priced { not_priced_names(scenario, plan) } else { Vec::new() },
        findings: Vec::new(),
    };
    outcome.findings = findings::of_plan(scenario, plan, &outcome, evaluator, &latencies, &kept);
    outcome
}

/// Shared and overhead lines go to the use cases by their share of tokens; a month without tokens splits evenly.
fn allocate(evaluator: &Evaluator<'_>, detail: &mut Detail) {
    let tokens: Vec<f64> =
        evaluator.use_cases.iter().map(|world| world.requests * tokens_per_request(&world.demand)).collect();
    let all: f64 = tokens.iter().sum();
    let count = tokens.len() as f64;
    for (bill, tokens) in detail.by_use_case.iter_mut().zip(&tokens) {
        bill.add_scaled(&detail.shared, if all > 0.0 { tokens / all } else { 1.0 / count });
    }
}

fn endpoints(
    scenario: &Scenario,
    evaluator: &Evaluator<'_>,
    plan: usize,
    detail: &Detail,
) -> Vec<EndpointOutcome> {
    let state = &scenario.point().plans[plan];
    let world = &evaluator.plans[plan];
    let count = state.endpoints.len();
    state
        .endpoints
        .iter()
        .enumerate()
        .map(|(position, endpoint)| {
            let mut row = EndpointOutcome {
                id: endpoint.id.clone(),
                name: endpoint.name.clone(),
                calls: 0.0,
                prompt_tokens: 0.0,
                cached_tokens: 0.0,
                output_tokens: 0.0,
                usd: detail.by_endpoint[position],
                deployment: None,
            };
            for (slot, use_case) in evaluator.use_cases.iter().enumerate() {
                let requests = world.flows[slot * count + position];
                let demand = &use_case.demand;
                row.calls += requests * demand.calls;
                row.prompt_tokens += requests * demand.prompt_tokens() * endpoint.token_factor;
                row.output_tokens +=
                    requests * (demand.output_tokens + demand.reasoning_tokens) * endpoint.token_factor;
                row.cached_tokens +=
                    requests * evaluator.cached_tokens(scenario.point(), plan, slot, position);
            }
            row.deployment = deployment(scenario, evaluator, plan, position, &row);
            row
        })
        .collect()
}

fn deployment(
    scenario: &Scenario,
    evaluator: &Evaluator<'_>,
    plan: usize,
    position: usize,
    row: &EndpointOutcome,
) -> Option<DeploymentOutcome> {
    let EndpointFacts::Own(facts) = &scenario.facts().plans[plan].endpoints[position] else { return None };
    let Serves::SelfHosted(own) = &scenario.point().plans[plan].endpoints[position].serves else {
        return None;
    };
    let world = &evaluator.plans[plan];
    let week = world.weeks[position].as_ref()?;
    let memory = world.memory[position].as_ref()?;
    let mix = Mix::of(world, position, evaluator);
    let tokens = row.prompt_tokens + row.output_tokens;
    let overflows =
        scenario.facts().plans[plan].routes.iter().any(|route| route.tiers.first() == Some(&position));
    let (weights_bytes, usable_bytes, kv_budget_bytes, kv_bytes_per_token) = match memory {
        Ok(memory) => {
            (memory.weights_bytes, memory.usable_bytes, memory.kv_budget_bytes, memory.kv_bytes_per_token)
        }
        Err(error) => {
            let (need, have) = error.sizes().unwrap_or_default();
            (need, have, have - need, 0.0)
        }
    };
    Some(DeploymentOutcome {
        model: facts.model_name.clone(),
        gpu: facts.gpu_name.clone(),
        gpus_per_replica: own.deployment.gpus_per_replica,
        weights_bytes,
        usable_bytes,
        kv_budget_bytes,
        kv_bytes_per_token,
        calls_per_sec: mix.calls_per_sec,
        batch: mix.batch,
        limited_by: mix.limited_by,
        prefill_secs: mix.prefill_secs,
        tpot_secs: mix.tpot_secs,
        output_tokens_per_sec: mix.output_tokens_per_sec,
        peak_replicas: week.peak_replicas,
        replica_hours: week.replica_hours * WEEKS_PER_MONTH,
        mean_utilisation: week.mean_utilisation,
        peak_utilisation: week.peak_utilisation,
        overflow_share: if overflows { 1.0 - week.served_share } else { 0.0 },
        usd_per_mtok: if tokens > 0.0 { row.usd / tokens * 1e6 } else { 0.0 },
    })
}

/// What a replica does on the mix of its use cases, weighted by calls.
#[derive(Default)]
struct Mix {
    calls_per_sec: f64,
    batch: f64,
    prefill_secs: f64,
    tpot_secs: f64,
    output_tokens_per_sec: f64,
    limited_by: String,
}

impl Mix {
    fn of(world: &PlanWorld, position: usize, evaluator: &Evaluator<'_>) -> Self {
        let count = world.memory.len();
        let mut mix = Self::default();
        let (mut calls, mut seconds, mut largest) = (0.0, 0.0, 0.0);
        for (slot, use_case) in evaluator.use_cases.iter().enumerate() {
            let cell = &world.cells[slot * count + position];
            let mine = world.flows[slot * count + position] * use_case.demand.calls;
            let Some(steady) =
                cell.steady.as_ref().filter(|_| mine > 0.0 && cell.replica_secs_per_call.is_finite())
            else {
                continue;
            };
            calls += mine;
            seconds += mine * cell.replica_secs_per_call;
            mix.batch += mine * steady.batch;
            mix.prefill_secs += mine * steady.prefill_secs;
            mix.tpot_secs += mine * steady.tpot_secs;
            mix.output_tokens_per_sec += mine * steady.output_tokens_per_sec;
            if mine > largest {
                largest = mine;
                mix.limited_by = steady.limited_by.label().to_owned();
            }
        }
        if calls > 0.0 {
            mix.calls_per_sec = calls / seconds;
            mix.batch /= calls;
            mix.prefill_secs /= calls;
            mix.tpot_secs /= calls;
            mix.output_tokens_per_sec /= calls;
        }
        mix
    }
}

/// Mean quality over requests: what the endpoints answer, less what routing and false cache hits lose.
fn quality(scenario: &Scenario, evaluator: &Evaluator<'_>, plan: usize, flow: &MonthFlow) -> f64 {
    let state = scenario.point();
    let routes = &scenario.facts().plans[plan].routes;
    let draft = &state.plans[plan];
    let world = &evaluator.plans[plan];
    let count = draft.endpoints.len();
    let (mut sum, mut requests) = (0.0, 0.0);
    for (slot, use_case) in evaluator.use_cases.iter().enumerate() {
        let router = routes[slot].exception.map_or(&draft.router, |place| &draft.routes[place].router);
        let mut mine = 0.0;
        let (mut answered, mut flowing) = (0.0, 0.0);
        for position in 0..count {
            let cell = &world.cells[slot * count + position];
            // An overflow moves requests after routing: its shares are read off the flows.
            let weight = if matches!(router, Router::Overflow(_)) {
                world.flows[slot * count + position]
            } else {
                cell.answers
            };
            answered += weight * draft.endpoints[position].quality;
            flowing += weight;
        }
        if flowing > 0.0 {
            mine = answered / flowing;
        }
        if let Router::Split(split) = router {
            let hard =
                scenario.point().workload.use_cases[scenario.facts().use_cases[slot].position].hard_share;
            mine -= split.misroute_share * hard * split.misroute_quality_loss;
        }
        sum += use_case.requests * mine.max(0.0);
        requests += use_case.requests;
    }
    let answered = if requests > 0.0 { sum / requests } else { 0.0 };
    let false_hits = [&draft.caches.exact, &draft.caches.semantic]
        .into_iter()
        .flatten()
        .map(|cache| cache.false_hit_share)
        .fold(0.0, f64::max);
    answered * (1.0 - flow.cache_hit_share * false_hits)
}

fn not_priced_names(scenario: &Scenario, plan: usize) -> Vec<String> {
    let plan_facts = &scenario.facts().plans[plan];
    scenario.draft().plans[plan]
        .endpoints
        .iter()
        .zip(&plan_facts.endpoints)
        .filter_map(|(endpoint, facts)| match (&endpoint.serves, facts) {
            (Serves::Api(api), EndpointFacts::Api(facts)) if api.custom.is_none() => Some(facts.name.clone()),
            _ => None,
        })
        .collect()
}
