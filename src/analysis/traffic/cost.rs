//! What a simulated window costs per hour, stretch by stretch: the providers' bill and own GPUs.
//!
//! Tokens pay what they pay in the closed form of the month, long prompts, cache writes, region and billed failures
//! spread evenly over them; GPUs pay as they would if the stretch lasted a month. Contracts that look at a whole month
//! (volume brackets, commitments, provisioned units) and people are left out: they are no question of the hour.

use serde::Serialize;

use crate::pricing::{Bill, CapacityTerms, CapacityWeek, Line, StorageTerms, TokenUse, capacity_bill};
use crate::routing::{SelfHosted, Serves};
use crate::scenario::{EndpointFacts, Scenario};
use crate::sim::{Bin, EndpointUse, PoolSample, TimelineReport};
use crate::unit::{HOURS_PER_MONTH, HOURS_PER_WEEK};

use super::super::evaluator::Evaluator;
use super::super::month::Total;
use super::super::situation::Situation;
use super::ask::TrafficAsk;

/// What a stretch of time costs, as a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct HourlyCost {
    /// Providers' bill for what was answered in it, US dollars per hour; >= 0.
    pub provider_usd: f64,
    /// Own GPUs with their storage, US dollars per hour; >= 0.
    pub gpu_usd: f64,
    /// GPU-hours paid per hour; >= 0.
    pub gpu_hours: f64,
}

impl HourlyCost {
    /// Both together, US dollars per hour.
    #[must_use]
    pub fn usd(&self) -> f64 {
        self.provider_usd + self.gpu_usd
    }
}

/// What the tokens of an endpoint cost, US dollars each.
#[derive(Clone, Copy, Debug, Default)]
struct TokenPrices {
    fresh: f64,
    read: f64,
    output: f64,
    call: f64,
}

impl TokenPrices {
    /// What a bill comes to per token; a kind of token that the closed form has none of costs what a fresh one does.
    fn of(bill: &Bill, tokens: &TokenUse, calls: f64) -> Self {
        let sum = |lines: &[Line]| lines.iter().map(|line| bill.get(*line)).sum::<f64>();
        let fresh = sum(&[Line::ApiInput, Line::ApiHistory, Line::ApiCacheWrite]);
        let read = sum(&[Line::ApiCachedRead]);
        let output = sum(&[Line::ApiOutput, Line::ApiReasoning]);
        let list = fresh + read + output;
        // What region and failed attempts add is added to every token alike.
        let on_top = if list > 0.0 { 1.0 + sum(&[Line::Region, Line::Retries]) / list } else { 1.0 };
        let each = |usd: f64, of: f64| if of > 0.0 { on_top * usd / of } else { 0.0 };
        let fresh = each(fresh, tokens.fresh_tokens);
        Self {
            fresh,
            read: if tokens.read_tokens > 0.0 { each(read, tokens.read_tokens) } else { fresh },
            output: each(output, tokens.output_tokens + tokens.reasoning_tokens),
            call: if calls > 0.0 { bill.get(Line::Fees) / calls } else { 0.0 },
        }
    }

    fn usd(&self, used: &EndpointUse) -> f64 {
        let read = used.cached_tokens.min(used.prompt_tokens);
        self.fresh * (used.prompt_tokens - read) as f64
            + self.read * read as f64
            + self.output * used.output_tokens as f64
            + self.call * used.calls as f64
    }
}

/// Prices by endpoint; own GPUs have none.
fn prices(scenario: &Scenario, ask: &TrafficAsk) -> Vec<TokenPrices> {
    let state = scenario.point();
    let mut evaluator = Evaluator::new(scenario);
    evaluator.prepare(state);
    let month = ask.month.min(scenario.facts().months.len().saturating_sub(1));
    evaluator.month(state, ask.plan, month, ask.rate_factor, false, &mut Total::default());
    let situation = Situation::new(scenario, state, ask.plan, &evaluator.use_cases);
    let endpoints = &situation.plan.endpoints;
    let price = |at: usize| {
        let (Serves::Api(api), EndpointFacts::Api(facts)) =
            (&endpoints[at].serves, &situation.facts.endpoints[at])
        else {
            return TokenPrices::default();
        };
        let (mut bill, mut tokens, mut calls) = (Bill::default(), TokenUse::default(), 0.0);
        for slot in 0..evaluator.use_cases.len() {
            // An endpoint that the closed form never reaches may be reached all the same: as if by one request.
            let cell = slot * endpoints.len() + at;
            let world = &evaluator.plans[ask.plan];
            let requests = world.flows[cell].max(1.0);
            let unit = situation.unit(slot, at, &world.cells[cell].reads, (api, facts), requests, month);
            bill.add_scaled(&unit.bill, requests);
            tokens.add_scaled(&unit.tokens, requests);
            let demand = &evaluator.use_cases[slot].demand;
            calls += requests * demand.calls * demand.success;
        }
        TokenPrices::of(&bill, &tokens, calls)
    };
    (0..endpoints.len()).map(price).collect()
}

/// What own GPUs cost while they are as in `sample`, US dollars per hour.
///
/// - `peak`: most replicas that are paid for at once; what is bought for a term is paid for them all the time.
fn gpu_usd(own: &SelfHosted<f64>, sample: &PoolSample, peak: f64) -> f64 {
    let hours = HOURS_PER_WEEK as f64 * sample.paid;
    let week = CapacityWeek {
        replica_hours: hours,
        busy_replica_hours: hours * sample.busy_share,
        peak_replicas: peak,
    };
    let storage =
        StorageTerms { gb_per_replica: own.storage_gb, usd_per_gb_month: own.storage_usd_per_gb_month };
    let bill = capacity_bill(&own.terms, own.deployment.gpus_per_replica, &week, &storage, HOURS_PER_MONTH);
    bill.total() / HOURS_PER_MONTH
}

/// The cost of each stretch of a timeline.
pub(super) fn costs(scenario: &Scenario, ask: &TrafficAsk, timeline: &TimelineReport) -> Vec<HourlyCost> {
    let endpoints = &scenario.point().plans[ask.plan].endpoints;
    let prices = prices(scenario, ask);
    let own: Vec<&SelfHosted<f64>> = endpoints
        .iter()
        .filter_map(|endpoint| match &endpoint.serves {
            Serves::SelfHosted(own) => Some(own),
            Serves::Api(_) => None,
        })
        .collect();
    let paid =
        |pool: usize| timeline.bins.iter().filter_map(move |bin| bin.pools.get(pool)).map(|one| one.paid);
    let peaks: Vec<f64> = (0..own.len()).map(|pool| paid(pool).fold(0.0, f64::max)).collect();
    let per_hour = 3_600.0 / timeline.bin_secs.max(1e-9);
    let cost = |bin: &Bin| {
        let provider_usd: f64 = prices.iter().zip(&bin.usage).map(|(price, used)| price.usd(used)).sum();
        let mut cost = HourlyCost { provider_usd: provider_usd * per_hour, ..HourlyCost::default() };
        for ((own, sample), peak) in own.iter().zip(&bin.pools).zip(&peaks) {
            let gpus = f64::from(own.deployment.gpus_per_replica.max(1));
            let term = matches!(own.terms, CapacityTerms::Reserved(_) | CapacityTerms::Owned(_));
            cost.gpu_hours += gpus * if term { *peak } else { sample.paid };
            cost.gpu_usd += gpu_usd(own, sample, *peak);
        }
        cost
    };
    timeline.bins.iter().map(cost).collect()
}
