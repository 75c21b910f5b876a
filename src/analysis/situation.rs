//! One plan in one state of the world: what both the detailed month and the sums over many months are computed from.

use crate::cache::{
    PromptCache, PromptCurve, PromptInputs, PromptSplit, ResponseCache, StackHits, stack_hits,
};
use crate::pricing::{Api, ApiUsage, Bill, Rates, TokenUse, api_bill, api_total};
use crate::routing::{Plan, Router};
use crate::scenario::{ApiFacts, EndpointFacts, PlanFacts, Scenario, ScenarioOf};
use crate::unit::TOKENS_PER_MTOK;
use crate::workload::{Demand, UseCase, long_prompts};

use super::evaluator::{Cell, SECS_PER_MONTH, UseCaseWorld};

/// One plan, its facts and the use cases, in one state of the world.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    pub scenario: &'a Scenario,
    pub state: &'a ScenarioOf<f64>,
    pub plan: &'a Plan<f64>,
    pub facts: &'a PlanFacts,
    pub use_cases: &'a [UseCaseWorld],
}

/// What one request costs at a provider, at list price.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// The cost per request.
    pub bill: Bill,
    /// Its tokens, in the model's own.
    pub tokens: TokenUse,
    /// Whether something in it has no price.
    pub not_priced: bool,
}

/// What one request costs at a provider at list price, in total. Every price is proportional to tokens, so the sum is
/// `factor (base + per_read_token * read) + fees`, with `factor` the month's price change and `read` its cached tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnitLine {
    /// Which rates it was computed with.
    pub rates: Option<usize>,
    /// US dollars for the tokens of a request of which nothing is read from the cache.
    pub base: f64,
    /// What each token read from the cache changes, in US dollars; in the workload's tokens.
    pub per_read_token: f64,
    /// US dollars per request that no price change touches.
    pub fees: f64,
    /// How many tokens are read, by the rate of requests.
    pub reads: PromptCurve,
}

impl<'a> Situation<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        state: &'a ScenarioOf<f64>,
        plan: usize,
        use_cases: &'a [UseCaseWorld],
    ) -> Self {
        let facts = &scenario.facts().plans[plan];
        Self { scenario, state, plan: &state.plans[plan], facts, use_cases }
    }

    pub(super) fn use_case(&self, slot: usize) -> &'a UseCase<f64> {
        &self.state.workload.use_cases[self.scenario.facts().use_cases[slot].position]
    }

    pub(super) fn demand(&self, slot: usize) -> &'a Demand {
        &self.use_cases[slot].demand
    }

    pub(super) fn router(&self, slot: usize) -> &'a Router<f64> {
        self.facts.routes[slot].exception.map_or(&self.plan.router, |place| &self.plan.routes[place].router)
    }

    /// What the response caches do for a use case of so many requests a month.
    pub(super) fn hits(&self, slot: usize, requests: f64) -> StackHits {
        let use_case = self.use_case(slot);
        if use_case.constraints.no_shared_cache {
            return StackHits::default();
        }
        let cacheable = use_case.repetition.cacheable_share;
        let popularity = self.use_cases[slot].popularity();
        stack_hits(&self.plan.caches, cacheable, popularity, requests / SECS_PER_MONTH)
    }

    /// US dollars per request for asking the response caches.
    pub(super) fn lookup_usd(&self, hits: &StackHits) -> f64 {
        let caches = &self.plan.caches;
        let usd = |cache: &Option<ResponseCache<f64>>, asked: f64| {
            cache.as_ref().map_or(0.0, |cache| asked * cache.lookup_usd_per_request)
        };
        usd(&caches.exact, hits.asked) + usd(&caches.semantic, hits.asked - hits.exact)
    }

    /// US dollars per request that no cache answers, for classifying or verifying.
    pub(super) fn routing_usd(&self, slot: usize) -> f64 {
        match self.router(slot) {
            Router::Split(split) => split.classifier_usd_per_request,
            Router::Cascade(cascade) => {
                let (mut arriving, mut usd) = (1.0, 0.0);
                for step in &cascade.steps[..cascade.steps.len().saturating_sub(1)] {
                    usd += arriving * cascade.verifier_usd_per_answer;
                    arriving *= 1.0 - step.accept;
                }
                usd
            }
            Router::Single(_) | Router::Overflow(_) => 0.0,
        }
    }

    /// The fill share of a deployment that overflows; none where nothing takes what it cannot serve.
    pub(super) fn fill_share(&self, endpoint: usize) -> Option<f64> {
        (0..self.use_cases.len()).rev().find_map(|slot| match self.router(slot) {
            Router::Overflow(overflow) if self.facts.routes[slot].tiers[0] == endpoint => {
                Some(overflow.fill_share)
            }
            _ => None,
        })
    }

    /// Where the requests of a use case go that a deployment cannot serve; none is nowhere.
    pub(super) fn fallback(&self, slot: usize, endpoint: usize) -> Option<usize> {
        let tiers = &self.facts.routes[slot].tiers;
        (matches!(self.router(slot), Router::Overflow(_)) && tiers[0] == endpoint).then(|| tiers[1])
    }

    /// Replica-hours that a request of a use case takes at a deployment; 0 where the model does not fit.
    pub(super) fn replica_hours_per_request(&self, slot: usize, cell: &Cell) -> f64 {
        if !cell.replica_secs_per_call.is_finite() {
            return 0.0;
        }
        let demand = self.demand(slot);
        demand.calls * demand.attempts * cell.replica_secs_per_call / 3600.0
    }

    /// US dollars a month for keeping the shared system prompt of a use case cached, where the provider asks for it.
    pub(super) fn cache_storage_usd(
        &self,
        slot: usize,
        endpoint: usize,
        rate_per_mtok_hour: f64,
        hours: f64,
    ) -> f64 {
        let demand = self.demand(slot);
        let prefix = demand.system_tokens / demand.calls * self.plan.endpoints[endpoint].token_factor;
        prefix / TOKENS_PER_MTOK * hours * rate_per_mtok_hour
    }

    /// Whether an endpoint's prompt cache is used.
    pub(super) fn caches_prompts(&self, endpoint: usize) -> bool {
        !matches!(self.plan.endpoints[endpoint].prompt_cache, PromptCache::Off)
    }

    /// How the prompt of a use case splits at an endpoint's prompt cache, by the rate of requests.
    pub(super) fn prompt_curve(&self, slot: usize, endpoint: usize) -> PromptCurve {
        let place = &self.plan.endpoints[endpoint];
        let (use_case, demand) = (self.use_case(slot), self.demand(slot));
        let min_prefix_tokens = match &self.facts.endpoints[endpoint] {
            EndpointFacts::Api(facts) => facts.cache_min_tokens / place.token_factor,
            EndpointFacts::Own(_) => 0.0,
        };
        PromptCurve::of(
            &place.prompt_cache,
            &PromptInputs {
                system_tokens: demand.system_tokens,
                history_tokens: demand.history_tokens,
                retrieved_tokens: demand.retrieved_tokens,
                user_tokens: demand.user_tokens,
                transcript_tokens: demand.transcript_tokens,
                calls: demand.calls,
                requests_per_sec: 0.0,
                gap_secs: use_case.conversation.gap_secs,
                tool_secs: use_case.agent.tool_secs,
                min_prefix_tokens,
            },
        )
    }

    fn rates(&self, slot: usize, api: &Api<f64>, facts: &ApiFacts, row: Option<usize>) -> Rates {
        match (&api.custom, row) {
            (Some(custom), _) => Rates::custom(custom),
            (None, Some(row)) => facts.rates_of(row, slot),
            (None, None) => Rates::default(),
        }
    }

    /// One request of a use case whose prompt splits so at an API endpoint.
    fn usage(&self, slot: usize, endpoint: usize, rates: &Rates, split: &PromptSplit) -> ApiUsage {
        let demand = self.demand(slot);
        let place = &self.plan.endpoints[endpoint];
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
            let beyond = long_prompts(self.use_case(slot), long.threshold_tokens / place.token_factor);
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
        ApiUsage {
            calls: demand.calls * demand.success,
            tokens,
            long,
            stored_mtok_hours: 0.0,
            // Per answered call, as the bill multiplies it with what an answered call costs.
            failed_billed: if demand.success > 0.0 { demand.failed_billed / demand.success } else { 0.0 },
            tool_usd: 0.0,
        }
    }

    /// What one request costs by line, at `requests` per month and the price change of `month`.
    pub(super) fn unit(
        &self,
        slot: usize,
        endpoint: usize,
        (api, facts): (&Api<f64>, &ApiFacts),
        requests: f64,
        month: usize,
    ) -> Unit {
        let rates = self.rates(slot, api, facts, facts.rates_of_month[month]);
        let split = self.prompt_curve(slot, endpoint).split(requests / SECS_PER_MONTH);
        let usage = self.usage(slot, endpoint, &rates, &split);
        let (bill, not_priced) = api_bill(&rates, api, &usage, month as f64);
        Unit { bill, tokens: usage.tokens, not_priced }
    }

    /// The line through two requests that differ in what they read from the cache: one of a stream so thin that it
    /// finds nothing, and one of a stream so dense that it finds every prefix.
    pub(super) fn unit_line(
        &self,
        slot: usize,
        endpoint: usize,
        (api, facts): (&Api<f64>, &ApiFacts),
        row: Option<usize>,
    ) -> UnitLine {
        let rates = self.rates(slot, api, facts, row);
        let reads = self.prompt_curve(slot, endpoint);
        let at = |requests_per_sec: f64| {
            let split = reads.split(requests_per_sec);
            (split.read, api_total(&rates, api, &self.usage(slot, endpoint, &rates, &split)))
        };
        let (low_read, low) = at(0.0);
        let (mut base, mut per_read_token) = (low.usd, 0.0);
        if reads.follows_rate() {
            let (high_read, high) = at(1e30);
            if high_read > low_read {
                per_read_token = (high.usd - low.usd) / (high_read - low_read);
            }
            base = low.usd - per_read_token * low_read;
        }
        UnitLine { rates: row, base, per_read_token, fees: low.fees, reads }
    }
}
