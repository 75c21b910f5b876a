//! One plan in one month: response caches, own capacity hour by hour, overflow, the providers' bills, and the rest.

use crate::pricing::{
    Bill, CapacityWeek, Line, MonthAtEndpoint, PlanUse, StorageTerms, TokenUse, capacity_bill, costs_bill,
    settle,
};
use crate::routing::Serves;
use crate::scenario::{ApiFacts, EndpointFacts};
use crate::serving::week;
use crate::stats::Num;
use crate::unit::{HOURS_PER_MONTH, HOURS_PER_WEEK, WEEKS_PER_MONTH};

use super::evaluator::{PlanWorld, tokens_per_request};
use super::situation::Situation;

/// Where the costs of a month are written.
pub(super) trait Ledger<N = f64> {
    /// Posts `factor` times a bill, caused by a use case or shared, at an endpoint or around them.
    fn post(&mut self, use_case: Option<usize>, endpoint: Option<usize>, bill: &Bill<N>, factor: N);

    /// Posts one line.
    fn line(&mut self, use_case: Option<usize>, endpoint: Option<usize>, line: Line, usd: N);
}

/// Only the total, US dollars.
#[derive(Debug, Default)]
pub(super) struct Total<N = f64>(pub N);

impl<N: Num> Ledger<N> for Total<N> {
    #[inline(always)]
    fn post(&mut self, _: Option<usize>, _: Option<usize>, bill: &Bill<N>, factor: N) {
        self.0 += bill.total() * factor;
    }
    #[inline(always)]
    fn line(&mut self, _: Option<usize>, _: Option<usize>, _: Line, usd: N) {
        self.0 += usd;
    }
}

/// What a month does beside costing.
#[derive(Debug, Clone, Default)]
pub(super) struct MonthFlow {
    /// Share of the requests that are answered.
    pub served_share: f64,
    /// Share of the requests that a response cache answers.
    pub cache_hit_share: f64,
    /// Something that was used has no price.
    pub not_priced: bool,
}

/// What a month is computed from.
pub(super) struct Month<'a, N = f64> {
    pub situation: Situation<'a, N>,
    /// Requests of the month, by use case.
    pub requests: &'a [N],
    pub month: usize,
}

impl Month<'_> {
    /// Costs the month; what is posted sums to the plan's bill.
    pub(super) fn cost(&self, world: &mut PlanWorld, one_time: bool, ledger: &mut impl Ledger) -> MonthFlow {
        let endpoints = self.situation.plan.endpoints.len();
        let mut flow = MonthFlow::default();
        let mut hits = 0.0;
        let mut tokens = 0.0;
        let total: f64 = self.requests.iter().sum();
        for (slot, requests) in self.requests.iter().enumerate() {
            let answered = self.situation.hits(slot, *requests);
            let lookups = requests * self.situation.lookup_usd(&answered);
            ledger.line(Some(slot), None, Line::Caches, lookups);
            let hit = answered.total();
            self.around(slot, *requests, *requests * (1.0 - hit), ledger);
            hits += hit * requests;
            tokens += requests * tokens_per_request(&self.situation.use_cases[slot].demand);
            for endpoint in 0..endpoints {
                let cell = slot * endpoints + endpoint;
                world.flows[cell] = requests * (1.0 - hit) * world.cells[cell].reach;
            }
        }
        let mut unserved = 0.0;
        for endpoint in 0..endpoints {
            if matches!(self.situation.facts.endpoints[endpoint], EndpointFacts::Own(_)) {
                unserved += self.own(endpoint, world, ledger);
            }
        }
        for endpoint in 0..endpoints {
            if matches!(self.situation.facts.endpoints[endpoint], EndpointFacts::Api(_)) {
                flow.not_priced |= self.api(endpoint, world, ledger);
            }
        }
        let usage = PlanUse { requests: total, tokens, first_month: one_time };
        let rest = costs_bill(
            &self.situation.plan.costs,
            &usage,
            self.situation.state.settings.engineer_usd_per_year,
        );
        ledger.post(None, None, &rest, 1.0);
        for cache in
            [&self.situation.plan.caches.exact, &self.situation.plan.caches.semantic].into_iter().flatten()
        {
            ledger.line(None, None, Line::Caches, cache.usd_per_month);
        }
        flow.cache_hit_share = if total > 0.0 { hits / total } else { 0.0 };
        flow.served_share = if total > 0.0 { 1.0 - unserved / total } else { 1.0 };
        flow
    }

    /// Costs per request that no endpoint bills: router, tools, embeddings.
    fn around(&self, slot: usize, requests: f64, misses: f64, ledger: &mut impl Ledger) {
        let use_case = self.situation.use_case(slot);
        let demand = &self.situation.use_cases[slot].demand;
        let routing = self.situation.routing_usd(slot) * misses;
        ledger.line(Some(slot), None, Line::Routing, routing);
        ledger.line(Some(slot), None, Line::Fees, misses * demand.tool_calls * use_case.agent.tool_usd);
        if let Some(embedding) = &use_case.embedding {
            let tokens = requests * embedding.query_tokens + embedding.ingested_tokens_per_month;
            let price = self.situation.scenario.facts().use_cases[slot].embedding_usd_per_mtok.unwrap_or(0.0);
            ledger.line(Some(slot), None, Line::Embeddings, tokens * price / 1e6);
            ledger.line(Some(slot), None, Line::VectorStore, embedding.vector_store_usd_per_month);
        }
    }

    /// Fleet and cost of a deployment; overflow is moved to its fallback. Returns the requests that nobody serves.
    fn own(&self, endpoint: usize, world: &mut PlanWorld, ledger: &mut impl Ledger) -> f64 {
        let Serves::SelfHosted(own) = &self.situation.plan.endpoints[endpoint].serves else { return 0.0 };
        let load = self.load(endpoint, world);
        let fits = matches!(world.memory[endpoint], Some(Ok(_)));
        let fleet = week(&load, &own.deployment.fleet, self.situation.fill_share(endpoint));
        let lost = if fits { 1.0 - fleet.served_share } else { 1.0 };
        let unserved = self.shed(endpoint, lost, &mut world.flows);
        if fits {
            let hours = CapacityWeek {
                replica_hours: fleet.replica_hours,
                busy_replica_hours: fleet.busy_replica_hours,
                peak_replicas: fleet.peak_replicas,
            };
            let storage = StorageTerms {
                gb_per_replica: own.storage_gb,
                usd_per_gb_month: own.storage_usd_per_gb_month,
            };
            let gpus = own.deployment.gpus_per_replica;
            let bill = capacity_bill(&own.terms, gpus, &hours, &storage, HOURS_PER_MONTH);
            ledger.post(None, Some(endpoint), &bill, 1.0);
        }
        world.weeks[endpoint] = Some(fleet);
        unserved
    }

    /// Work of the week by hour, in replicas.
    fn load(&self, endpoint: usize, world: &PlanWorld) -> [f64; HOURS_PER_WEEK] {
        let mut load = [0.0; HOURS_PER_WEEK];
        for (slot, facts) in self.situation.scenario.facts().use_cases.iter().enumerate() {
            let cell = slot * self.situation.plan.endpoints.len() + endpoint;
            let hours = self.situation.replica_hours_per_request(slot, &world.cells[cell]);
            let work = world.flows[cell].max(0.0) / WEEKS_PER_MONTH * hours;
            if work > 0.0 {
                for (hour, weight) in load.iter_mut().zip(&facts.weights) {
                    *hour += work * weight;
                }
            }
        }
        load
    }

    /// Takes `lost` of an endpoint's requests away: to the fallback where there is one; the rest nobody serves.
    fn shed(&self, endpoint: usize, lost: f64, flows: &mut [f64]) -> f64 {
        let endpoints = self.situation.plan.endpoints.len();
        let mut unserved = 0.0;
        for slot in 0..self.requests.len() {
            let cell = slot * endpoints + endpoint;
            let gone = flows[cell] * lost;
            flows[cell] -= gone;
            match self.situation.fallback(slot, endpoint) {
                Some(fallback) => flows[slot * endpoints + fallback] += gone,
                None => unserved += gone,
            }
        }
        unserved
    }
}

impl<N: Num> Month<'_, N> {
    /// A provider's bill for the month; whether something that was used has no price.
    pub(super) fn api(&self, endpoint: usize, world: &PlanWorld<N>, ledger: &mut impl Ledger<N>) -> bool {
        let situation = &self.situation;
        let (Serves::Api(api), EndpointFacts::Api(facts)) =
            (&situation.plan.endpoints[endpoint].serves, &situation.facts.endpoints[endpoint])
        else {
            return false;
        };
        let endpoints = situation.plan.endpoints.len();
        let mut bill = Bill::default();
        let mut tokens = TokenUse::default();
        let mut hours = [N::of(0.0); HOURS_PER_WEEK];
        let mut not_priced = false;
        for slot in 0..self.requests.len() {
            let cell = slot * endpoints + endpoint;
            let requests = world.flows[cell];
            if !requests.any_above(0.0) {
                continue;
            }
            let reads = &world.cells[cell].reads;
            let unit = situation.unit(slot, endpoint, reads, (api, facts), requests, self.month);
            ledger.post(Some(slot), Some(endpoint), &unit.bill, requests);
            bill.add_scaled(&unit.bill, requests);
            tokens.add_scaled(&unit.tokens, requests);
            not_priced |= unit.not_priced;
            if api.provisioned.is_some() {
                let volume = requests * unit.tokens.fresh_tokens;
                let weights = &situation.scenario.facts().use_cases[slot].weights;
                hours.iter_mut().zip(weights).for_each(|(hour, weight)| *hour += volume * *weight);
            }
        }
        self.cache_storage(endpoint, facts, world, ledger);
        let month = MonthAtEndpoint {
            bill: &bill,
            tokens,
            hours: api.provisioned.is_some().then_some(&hours),
            hours_per_month: HOURS_PER_MONTH,
        };
        if api.has_contract() {
            ledger.post(None, Some(endpoint), &settle(api, &month), N::of(1.0));
        }
        not_priced
    }

    /// Keeping the shared system prompts cached all month, where the provider asks for it.
    fn cache_storage(
        &self,
        endpoint: usize,
        facts: &ApiFacts,
        world: &PlanWorld<N>,
        ledger: &mut impl Ledger<N>,
    ) {
        let rate = facts.rates_of_month[self.month].and_then(|row| facts.rates[row].cache_storage_per_hour);
        let Some(rate) = rate.filter(|_| self.situation.caches_prompts(endpoint)) else { return };
        for slot in 0..self.requests.len() {
            let (zero, flow) =
                (N::of(0.0), world.flows[slot * self.situation.plan.endpoints.len() + endpoint]);
            if flow.any_above(0.0) {
                let usd = self.situation.cache_storage_usd(slot, endpoint, rate, HOURS_PER_MONTH);
                ledger.line(Some(slot), Some(endpoint), Line::Storage, flow.pick_above(zero, usd, zero));
            }
        }
    }
}
