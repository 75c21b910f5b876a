//! One plan in one month: response caches, own capacity hour by hour, overflow, the providers' bills, and the rest.

use crate::cache::{HitRate, PromptCache};
use crate::cache::{ResponseCache, response_hit};
use crate::pricing::{
    Api, ApiUsage, Bill, CapacityWeek, Line, MonthAtEndpoint, PlanUse, Rates, StorageTerms, TokenUse,
    api_bill, capacity_bill, costs_bill, price_factor, settle,
};
use crate::routing::{Plan, Router, Serves};
use crate::scenario::{ApiFacts, EndpointFacts, PlanFacts, Scenario, ScenarioOf};
use crate::serving::week;
use crate::unit::{HOURS_PER_MONTH, HOURS_PER_WEEK, TOKENS_PER_MTOK};
use crate::workload::{UseCase, long_prompts};

use super::evaluator::{
    Ledger, MonthFlow, PlanWorld, SECS_PER_MONTH, Unit, UnitLine, UseCaseWorld, split_prompt,
    tokens_per_request,
};

/// Weeks in a planning month.
const WEEKS_PER_MONTH: f64 = HOURS_PER_MONTH / HOURS_PER_WEEK as f64;

/// What a month is computed from.
pub(super) struct Month<'a> {
    pub scenario: &'a Scenario,
    pub state: &'a ScenarioOf<f64>,
    pub plan: &'a Plan<f64>,
    pub facts: &'a PlanFacts,
    pub use_cases: &'a [UseCaseWorld],
    /// Requests of the month, by use case.
    pub requests: &'a [f64],
    /// The first use case whose week has the same shape, by use case.
    pub profiles: &'a [usize],
    pub month: usize,
}

impl Month<'_> {
    /// Costs the month; what is posted sums to the plan's bill.
    pub(super) fn cost(&self, world: &mut PlanWorld, one_time: bool, ledger: &mut impl Ledger) -> MonthFlow {
        let endpoints = self.plan.endpoints.len();
        let mut flow = MonthFlow::default();
        let mut hits = 0.0;
        let mut tokens = 0.0;
        let total: f64 = self.requests.iter().sum();
        for (slot, requests) in self.requests.iter().enumerate() {
            let hit = self.response_caches(slot, *requests, ledger);
            self.around(slot, *requests, *requests * (1.0 - hit), ledger);
            hits += hit * requests;
            tokens += requests * tokens_per_request(&self.use_cases[slot].demand);
            for endpoint in 0..endpoints {
                let cell = slot * endpoints + endpoint;
                world.flows[cell] = requests * (1.0 - hit) * world.cells[cell].reach;
            }
        }
        let mut unserved = 0.0;
        for endpoint in 0..endpoints {
            if matches!(self.facts.endpoints[endpoint], EndpointFacts::Own(_)) {
                unserved += self.own(endpoint, world, ledger);
            }
        }
        for endpoint in 0..endpoints {
            if matches!(self.facts.endpoints[endpoint], EndpointFacts::Api(_)) {
                flow.not_priced |= self.api(endpoint, world, ledger);
            }
        }
        let usage = PlanUse { requests: total, tokens, first_month: one_time };
        let rest = costs_bill(&self.plan.costs, &usage, self.state.settings.engineer_usd_per_year);
        ledger.post(None, None, &rest, 1.0);
        for cache in [&self.plan.caches.exact, &self.plan.caches.semantic].into_iter().flatten() {
            ledger.line(None, None, Line::Caches, cache.usd_per_month);
        }
        flow.cache_hit_share = if total > 0.0 { hits / total } else { 0.0 };
        flow.served_share = if total > 0.0 { 1.0 - unserved / total } else { 1.0 };
        flow
    }

    fn use_case(&self, slot: usize) -> &UseCase<f64> {
        &self.state.workload.use_cases[self.scenario.facts().use_cases[slot].position]
    }

    fn router(&self, slot: usize) -> &Router<f64> {
        self.facts.routes[slot].exception.map_or(&self.plan.router, |place| &self.plan.routes[place].router)
    }

    /// Share of the requests that the response caches answer; posts what asking them costs.
    fn response_caches(&self, slot: usize, requests: f64, ledger: &mut impl Ledger) -> f64 {
        let use_case = self.use_case(slot);
        if use_case.constraints.no_shared_cache {
            return 0.0;
        }
        let mut asking = use_case.repetition.cacheable_share;
        let mut hits = 0.0;
        for cache in [&self.plan.caches.exact, &self.plan.caches.semantic].into_iter().flatten() {
            let asked = requests * asking;
            ledger.line(Some(slot), None, Line::Caches, asked * cache.lookup_usd_per_request);
            let hit = asking * self.hit(slot, cache, asked);
            hits += hit;
            asking -= hit;
        }
        hits
    }

    fn hit(&self, slot: usize, cache: &ResponseCache<f64>, asked: f64) -> f64 {
        match (&cache.hit, self.use_cases[slot].popularity()) {
            (hit, Some(popularity)) => response_hit(hit, popularity, asked / SECS_PER_MONTH),
            (HitRate::Given(share), None) => *share,
            (HitRate::Derived(_), None) => 0.0,
        }
    }

    /// Costs per request that no endpoint bills: router, tools, embeddings.
    fn around(&self, slot: usize, requests: f64, misses: f64, ledger: &mut impl Ledger) {
        let use_case = self.use_case(slot);
        let demand = &self.use_cases[slot].demand;
        let routing = match self.router(slot) {
            Router::Split(split) => split.classifier_usd_per_request * misses,
            Router::Cascade(cascade) => {
                let mut arriving = misses;
                let mut usd = 0.0;
                for step in &cascade.steps[..cascade.steps.len().saturating_sub(1)] {
                    usd += arriving * cascade.verifier_usd_per_answer;
                    arriving *= 1.0 - step.accept;
                }
                usd
            }
            Router::Single(_) | Router::Overflow(_) => 0.0,
        };
        ledger.line(Some(slot), None, Line::Routing, routing);
        ledger.line(Some(slot), None, Line::Fees, misses * demand.tool_calls * use_case.agent.tool_usd);
        if let Some(embedding) = &use_case.embedding {
            let tokens = requests * embedding.query_tokens + embedding.ingested_tokens_per_month;
            let price = self.scenario.facts().use_cases[slot].embedding_usd_per_mtok.unwrap_or(0.0);
            ledger.line(Some(slot), None, Line::Embeddings, tokens * price / 1e6);
            ledger.line(Some(slot), None, Line::VectorStore, embedding.vector_store_usd_per_month);
        }
    }

    /// Fleet and cost of a deployment; overflow is moved to its fallback. Returns the requests that nobody serves.
    fn own(&self, endpoint: usize, world: &mut PlanWorld, ledger: &mut impl Ledger) -> f64 {
        let Serves::SelfHosted(own) = &self.plan.endpoints[endpoint].serves else { return 0.0 };
        let (load, fill) = self.load(endpoint, world);
        let fits = matches!(world.memory[endpoint], Some(Ok(_)));
        let fleet = week(&load, &own.deployment.fleet, fill);
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

    /// Work of the week by hour, in replicas, and the fill share if the endpoint overflows.
    fn load(&self, endpoint: usize, world: &PlanWorld) -> ([f64; HOURS_PER_WEEK], Option<f64>) {
        let mut load = [0.0; HOURS_PER_WEEK];
        let mut fill = None;
        for (slot, facts) in self.scenario.facts().use_cases.iter().enumerate() {
            if let Router::Overflow(overflow) = self.router(slot)
                && self.facts.routes[slot].tiers[0] == endpoint
            {
                fill = Some(overflow.fill_share);
            }
            if self.profiles[slot] != slot {
                continue;
            }
            // Use cases with the same week are one: their work is summed before it is spread over the hours.
            let alike = (slot..self.profiles.len()).filter(|other| self.profiles[*other] == slot);
            let work: f64 = alike.map(|other| self.work(other, endpoint, world)).sum();
            if work > 0.0 {
                for (hour, weight) in load.iter_mut().zip(&facts.weights) {
                    *hour += work * weight;
                }
            }
        }
        (load, fill)
    }

    /// Replica hours per week that a use case asks of a deployment; spread over the hours by the profile they are the
    /// replicas that are busy in each.
    fn work(&self, slot: usize, endpoint: usize, world: &PlanWorld) -> f64 {
        let cell = slot * self.plan.endpoints.len() + endpoint;
        let (requests, secs_per_call) = (world.flows[cell], world.cells[cell].replica_secs_per_call);
        if requests <= 0.0 || !secs_per_call.is_finite() {
            return 0.0;
        }
        let demand = &self.use_cases[slot].demand;
        requests / WEEKS_PER_MONTH * demand.calls * demand.attempts * secs_per_call / 3600.0
    }

    /// Takes `lost` of an endpoint's requests away: to the fallback where there is one; the rest nobody serves.
    fn shed(&self, endpoint: usize, lost: f64, flows: &mut [f64]) -> f64 {
        let endpoints = self.plan.endpoints.len();
        let mut unserved = 0.0;
        for slot in 0..self.requests.len() {
            let cell = slot * endpoints + endpoint;
            let gone = flows[cell] * lost;
            flows[cell] -= gone;
            let tiers = &self.facts.routes[slot].tiers;
            match self.router(slot) {
                Router::Overflow(_) if tiers[0] == endpoint => flows[slot * endpoints + tiers[1]] += gone,
                _ => unserved += gone,
            }
        }
        unserved
    }

    /// A provider's bill for the month; whether something that was used has no price.
    fn api<L: Ledger>(&self, endpoint: usize, world: &mut PlanWorld, ledger: &mut L) -> bool {
        let (Serves::Api(api), EndpointFacts::Api(facts)) =
            (&self.plan.endpoints[endpoint].serves, &self.facts.endpoints[endpoint])
        else {
            return false;
        };
        if L::ONLY_TOTAL && !api.has_contract() {
            self.api_total(endpoint, api, facts, world, ledger);
            return false;
        }
        let endpoints = self.plan.endpoints.len();
        let mut bill = Bill::default();
        let mut tokens = TokenUse::default();
        let mut hours = [0.0; HOURS_PER_WEEK];
        let mut not_priced = false;
        for slot in 0..self.requests.len() {
            let cell = slot * endpoints + endpoint;
            let requests = world.flows[cell];
            if requests <= 0.0 {
                continue;
            }
            let unit = self.unit(slot, endpoint, api, facts, requests, &mut world.cells[cell].unit);
            ledger.post_unit(slot, endpoint, unit, requests);
            bill.add_scaled(&unit.bill, requests);
            tokens.add_scaled(&unit.tokens, requests);
            not_priced |= unit.not_priced;
            if api.provisioned.is_some() {
                let volume = requests * unit.tokens.fresh_tokens;
                let weights = &self.scenario.facts().use_cases[slot].weights;
                hours.iter_mut().zip(weights).for_each(|(hour, weight)| *hour += volume * weight);
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
            ledger.post(None, Some(endpoint), &settle(api, &month), 1.0);
        }
        not_priced
    }

    /// A provider's bill for the month where only its sum is wanted and no contract looks at its lines.
    fn api_total(
        &self,
        endpoint: usize,
        api: &Api<f64>,
        facts: &ApiFacts,
        world: &mut PlanWorld,
        ledger: &mut impl Ledger,
    ) {
        let place = &self.plan.endpoints[endpoint];
        let min_prefix = facts.cache_min_tokens / place.token_factor;
        let row = facts.rates_of_month[self.month];
        let factor = price_factor(api.price_change_per_year, self.month as f64);
        let mut usd = 0.0;
        for slot in 0..self.requests.len() {
            let cell = slot * self.plan.endpoints.len() + endpoint;
            let requests = world.flows[cell];
            if requests <= 0.0 {
                continue;
            }
            let line = match world.cells[cell].unit_line {
                Some(line) if line.rates == row => line,
                _ => self.unit_line(slot, endpoint, api, facts, row),
            };
            world.cells[cell].unit_line = Some(line);
            let (use_case, demand) = (self.use_case(slot), &self.use_cases[slot].demand);
            let split = split_prompt(place, use_case, demand, requests / SECS_PER_MONTH, min_prefix);
            usd += requests * (factor * (line.base + line.per_read_token * split.read) + line.fees);
        }
        ledger.line(None, Some(endpoint), Line::ApiInput, usd);
        self.cache_storage(endpoint, facts, world, ledger);
    }

    /// The line through two requests that differ in what they read from the cache, at the first month's prices.
    fn unit_line(
        &self,
        slot: usize,
        endpoint: usize,
        api: &Api<f64>,
        facts: &ApiFacts,
        row: Option<usize>,
    ) -> UnitLine {
        let first = Month { month: 0, ..*self };
        let place = &self.plan.endpoints[endpoint];
        let min_prefix = facts.cache_min_tokens / place.token_factor;
        let (use_case, demand) = (self.use_case(slot), &self.use_cases[slot].demand);
        // A stream so thin that it finds nothing, and one so dense that it finds every prefix.
        let at = |requests: f64| {
            let split = split_prompt(place, use_case, demand, requests / SECS_PER_MONTH, min_prefix);
            let unit = first.unit_at(slot, endpoint, api, facts, requests, row);
            let fees = unit.fees;
            (split.read, unit.total - fees, fees)
        };
        let ((low_read, low, fees), (high_read, high, _)) = (at(0.0), at(1e30));
        let per_read_token = if high_read > low_read { (high - low) / (high_read - low_read) } else { 0.0 };
        UnitLine { rates: row, base: low - per_read_token * low_read, per_read_token, fees }
    }

    /// Keeping the shared system prompts cached all month, where the provider asks for it.
    fn cache_storage(&self, endpoint: usize, facts: &ApiFacts, world: &PlanWorld, ledger: &mut impl Ledger) {
        let rate = facts.rates_of_month[self.month].and_then(|row| facts.rates[row].cache_storage_per_hour);
        let (Some(rate), false) =
            (rate, matches!(self.plan.endpoints[endpoint].prompt_cache, PromptCache::Off))
        else {
            return;
        };
        let endpoints = self.plan.endpoints.len();
        for (slot, world_of_use_case) in self.use_cases.iter().enumerate() {
            if world.flows[slot * endpoints + endpoint] > 0.0 {
                let demand = &world_of_use_case.demand;
                let prefix = demand.system_tokens / demand.calls * self.plan.endpoints[endpoint].token_factor;
                let usd = prefix / TOKENS_PER_MTOK * HOURS_PER_MONTH * rate;
                ledger.line(Some(slot), Some(endpoint), Line::Storage, usd);
            }
        }
    }

    /// What one request costs at list price; computed once where neither volume nor month changes it.
    fn unit<'u>(
        &self,
        slot: usize,
        endpoint: usize,
        api: &Api<f64>,
        facts: &ApiFacts,
        requests: f64,
        kept: &'u mut Option<Unit>,
    ) -> &'u Unit {
        let row = facts.rates_of_month[self.month];
        let fresh = match kept.take() {
            Some(unit) if unit.lasting && unit.rates == row => unit,
            _ => self.unit_at(slot, endpoint, api, facts, requests, row),
        };
        kept.insert(fresh)
    }

    fn unit_at(
        &self,
        slot: usize,
        endpoint: usize,
        api: &Api<f64>,
        facts: &ApiFacts,
        requests: f64,
        row: Option<usize>,
    ) -> Unit {
        let use_case = self.use_case(slot);
        let demand = &self.use_cases[slot].demand;
        let place = &self.plan.endpoints[endpoint];
        let rates = match (&api.custom, row) {
            (Some(custom), _) => Rates::custom(custom),
            (None, Some(row)) => facts.rates[row],
            (None, None) => Rates::default(),
        };
        let split = split_prompt(
            place,
            use_case,
            demand,
            requests / SECS_PER_MONTH,
            facts.cache_min_tokens / place.token_factor,
        );
        let prompt = demand.prompt_tokens();
        let carried = demand.history_tokens + demand.transcript_tokens;
        let factor = place.token_factor * demand.success;
        let fresh = split.fresh + split.written;
        let tokens = TokenUse {
            fresh_tokens: fresh * factor,
            history_tokens: if prompt > 0.0 { fresh * carried / prompt * factor } else { 0.0 },
            read_tokens: split.read * factor,
            written_tokens: split.written * factor,
            output_tokens: demand.output_tokens * factor,
            reasoning_tokens: demand.reasoning_tokens * factor,
        };
        let long = rates.long.map(|long| {
            let beyond = long_prompts(use_case, long.threshold_tokens / place.token_factor);
            let share = if prompt > 0.0 { beyond.prompt_tokens / prompt } else { 0.0 };
            let answers =
                if demand.output_tokens > 0.0 { beyond.output_tokens / demand.output_tokens } else { 0.0 };
            TokenUse {
                fresh_tokens: tokens.fresh_tokens * share,
                history_tokens: tokens.history_tokens * share,
                read_tokens: tokens.read_tokens * share,
                written_tokens: tokens.written_tokens * share,
                output_tokens: tokens.output_tokens * answers,
                reasoning_tokens: tokens.reasoning_tokens * beyond.calls,
            }
        });
        let usage = ApiUsage {
            calls: demand.calls * demand.success,
            tokens,
            long,
            stored_mtok_hours: 0.0,
            // Per answered call, as the bill multiplies it with what an answered call costs.
            failed_billed: if demand.success > 0.0 { demand.failed_billed / demand.success } else { 0.0 },
            tool_usd: 0.0,
        };
        let (bill, not_priced) = api_bill(&rates, api, &usage, self.month as f64);
        Unit {
            rates: row,
            lasting: api.price_change_per_year == 0.0
                && !matches!(place.prompt_cache, PromptCache::Derived(_)),
            total: bill.total(),
            // A failed call pays its part of the fee too.
            fees: bill.get(Line::Fees) * (1.0 + usage.failed_billed.max(0.0)),
            bill,
            tokens,
            not_priced,
        }
    }
}
