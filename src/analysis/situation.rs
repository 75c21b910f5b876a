//! One plan in one state of the world: what both the detailed month and the sums over many months are computed from.

use crate::cache::{
    PromptCache, PromptCurve, PromptInputs, PromptSplit, ResponseCache, StackHits, stack_hits,
};
use crate::pricing::{Api, ApiUsage, Bill, Rates, TokenUse, api_bill, api_total};
use crate::routing::{Plan, Router};
use crate::scenario::{ApiFacts, EndpointFacts, PlanFacts, Scenario, ScenarioOf};
use crate::stats::Num;
use crate::unit::TOKENS_PER_MTOK;
use crate::workload::{Demand, LongPrompts, UseCase, long_prompts};

use super::evaluator::{Cell, SECS_PER_MONTH, UseCaseWorld};

/// One plan, its facts and the use cases, in one state of the world.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a, N = f64> {
    pub scenario: &'a Scenario,
    pub state: &'a ScenarioOf<N>,
    /// The plan and its position.
    pub plan: &'a Plan<N>,
    plan_at: usize,
    pub facts: &'a PlanFacts,
    pub use_cases: &'a [UseCaseWorld<N>],
}

/// `part / whole`, 0 of nothing.
#[inline(always)]
fn share_of<N: Num>(part: N, whole: N) -> N {
    whole.pick_above(N::of(0.0), part / whole, N::of(0.0))
}

/// What one request costs at a provider, at list price.
#[derive(Debug, Clone)]
pub(super) struct Unit<N> {
    /// The cost per request.
    pub bill: Bill<N>,
    /// Its tokens, in the model's own.
    pub tokens: TokenUse<N>,
    /// Whether something in it has no price.
    pub not_priced: bool,
}

/// What one request costs at a provider at list price, in total. Every price is proportional to tokens, so the sum is
/// `factor (base + per_read_token * read) + fees`, with `factor` the month's price change and `read` its cached tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnitLine<N> {
    /// Which rates it was computed with.
    pub rates: Option<usize>,
    /// US dollars for the tokens of a request of which nothing is read from the cache.
    pub base: N,
    /// What each token read from the cache changes, in US dollars; in the workload's tokens.
    pub per_read_token: N,
    /// US dollars per request that no price change touches.
    pub fees: N,
}

impl<'a, N: Num> Situation<'a, N> {
    pub(super) fn new(
        scenario: &'a Scenario,
        state: &'a ScenarioOf<N>,
        plan: usize,
        use_cases: &'a [UseCaseWorld<N>],
    ) -> Self {
        let facts = &scenario.facts().plans[plan];
        Self { scenario, state, plan: &state.plans[plan], plan_at: plan, facts, use_cases }
    }

    #[inline(always)]
    pub(super) fn use_case(&self, slot: usize) -> &'a UseCase<N> {
        &self.state.workload.use_cases[self.scenario.facts().use_cases[slot].position]
    }

    #[inline(always)]
    pub(super) fn demand(&self, slot: usize) -> &'a Demand<N> {
        &self.use_cases[slot].demand
    }

    #[inline(always)]
    pub(super) fn router(&self, slot: usize) -> &'a Router<N> {
        self.facts.routes[slot].exception.map_or(&self.plan.router, |place| &self.plan.routes[place].router)
    }

    /// What the response caches do for a use case of so many requests a month.
    #[inline(always)]
    pub(super) fn hits(&self, slot: usize, requests: N) -> StackHits<N> {
        let use_case = self.use_case(slot);
        if use_case.constraints.no_shared_cache {
            return StackHits::default();
        }
        let cacheable = use_case.repetition.cacheable_share;
        let world = &self.use_cases[slot];
        let parts = world.cache_parts[self.plan_at];
        stack_hits(&self.plan.caches, cacheable, &world.popularity, parts, requests / SECS_PER_MONTH)
    }

    /// US dollars per request for asking the response caches.
    #[inline(always)]
    pub(super) fn lookup_usd(&self, hits: &StackHits<N>) -> N {
        let caches = &self.plan.caches;
        let usd = |cache: &Option<ResponseCache<N>>, asked: N| {
            cache.as_ref().map_or(N::of(0.0), |cache| asked * cache.lookup_usd_per_request)
        };
        usd(&caches.exact, hits.asked) + usd(&caches.semantic, hits.asked - hits.exact)
    }

    /// US dollars per request that no cache answers, for classifying or verifying.
    #[inline(always)]
    pub(super) fn routing_usd(&self, slot: usize) -> N {
        match self.router(slot) {
            Router::Split(split) => split.classifier_usd_per_request,
            Router::Cascade(cascade) => {
                let (mut arriving, mut usd) = (N::of(1.0), N::of(0.0));
                for step in &cascade.steps[..cascade.steps.len().saturating_sub(1)] {
                    usd += arriving * cascade.verifier_usd_per_answer;
                    arriving *= step.accept.rest();
                }
                usd
            }
            Router::Single(_) | Router::Overflow(_) => N::of(0.0),
        }
    }

    /// The fill share of a deployment that overflows; none where nothing takes what it cannot serve.
    #[inline(always)]
    pub(super) fn fill_share(&self, endpoint: usize) -> Option<N> {
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
    #[inline(always)]
    pub(super) fn replica_hours_per_request(&self, slot: usize, cell: &Cell<N>) -> N {
        let demand = self.demand(slot);
        let hours = demand.calls * demand.attempts * cell.replica_secs_per_call / 3600.0;
        N::of(f64::INFINITY).pick_above(cell.replica_secs_per_call, hours, N::of(0.0))
    }

    /// US dollars a month for keeping the shared system prompt of a use case cached, where the provider asks for it.
    #[inline(always)]
    pub(super) fn cache_storage_usd(
        &self,
        slot: usize,
        endpoint: usize,
        rate_per_mtok_hour: f64,
        hours: f64,
    ) -> N {
        let demand = self.demand(slot);
        let prefix = demand.system_tokens / demand.calls * self.plan.endpoints[endpoint].token_factor;
        prefix / TOKENS_PER_MTOK * hours * rate_per_mtok_hour
    }

    /// Whether an endpoint's prompt cache is used.
    pub(super) fn caches_prompts(&self, endpoint: usize) -> bool {
        !matches!(self.plan.endpoints[endpoint].prompt_cache, PromptCache::Off)
    }

    /// Share of the turns of conversations that do not come to an endpoint which takes `reach` of those that no response
    /// cache answers, at the first month's volume. A turn that overflows is taken to do so with its whole conversation.
    #[inline(always)]
    pub(super) fn turns_elsewhere(&self, slot: usize, reach: N) -> N {
        let zero = N::of(0.0);
        if !self.demand(slot).history_per_call.any_above(0.0) {
            return zero;
        }
        let missed = self.hits(slot, self.use_cases[slot].requests).total().rest();
        let reach = if matches!(self.router(slot), Router::Overflow(_)) { N::of(1.0) } else { reach };
        (reach * missed).rest().at_least(0.0)
    }

    /// How the prompt of a use case splits at an endpoint's prompt cache, by the rate of requests.
    #[inline(always)]
    pub(super) fn prompt_curve(&self, slot: usize, endpoint: usize, turns_elsewhere: N) -> PromptCurve<N> {
        let place = &self.plan.endpoints[endpoint];
        let (use_case, demand) = (self.use_case(slot), self.demand(slot));
        // A provider keeps prompts; an engine's blocks hold what was answered as well.
        let (min_prefix_tokens, resent_tokens) = match &self.facts.endpoints[endpoint] {
            EndpointFacts::Api(facts) => {
                (N::of(facts.cache_min_tokens) / place.token_factor, demand.history_resent)
            }
            EndpointFacts::Own(_) => (N::of(0.0), demand.history_resent + demand.history_answer),
        };
        PromptCurve::of(
            &place.prompt_cache,
            &PromptInputs {
                system_tokens: demand.system_tokens,
                history_tokens: demand.history_tokens,
                resent_tokens,
                retrieved_tokens: demand.retrieved_tokens,
                user_tokens: demand.user_tokens,
                transcript_tokens: demand.transcript_tokens,
                calls: demand.calls,
                requests_per_sec: N::of(0.0),
                turns: demand.turns,
                turns_elsewhere,
                gap_secs: use_case.conversation.gap_secs,
                tool_secs: use_case.agent.tool_secs,
                min_prefix_tokens,
            },
        )
    }

    #[inline(always)]
    fn rates(&self, slot: usize, api: &Api<N>, facts: &ApiFacts, row: Option<usize>) -> Rates<N> {
        match (&api.custom, row) {
            (Some(custom), _) => Rates::custom(custom),
            (None, Some(row)) => facts.rates_of(row, slot).each(),
            (None, None) => Rates::default(),
        }
    }

    /// One request of a use case whose prompt splits so at an API endpoint.
    ///
    /// - `long`: the part of it in calls above the long-context threshold, from [`Situation::long`].
    #[inline(always)]
    fn usage(
        &self,
        slot: usize,
        endpoint: usize,
        long: Option<&LongPrompts<N>>,
        split: &PromptSplit<N>,
    ) -> ApiUsage<N> {
        let (zero, demand) = (N::of(0.0), self.demand(slot));
        let prompt = demand.prompt_tokens();
        let carried = demand.history_tokens + demand.transcript_tokens;
        let factor = self.plan.endpoints[endpoint].token_factor * demand.success;
        let fresh = split.fresh + split.written;
        let tokens = TokenUse {
            fresh_tokens: fresh * factor,
            history_tokens: share_of(fresh * carried, prompt) * factor,
            read_tokens: split.read * factor,
            written_tokens: split.written * factor,
            output_tokens: demand.output_tokens * factor,
            reasoning_tokens: demand.reasoning_tokens * factor,
        };
        let long = long.map(|beyond| {
            let share = share_of(beyond.prompt_tokens, prompt);
            let answers = share_of(beyond.output_tokens, demand.output_tokens);
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
            stored_mtok_hours: zero,
            // Per answered call, as the bill multiplies it with what an answered call costs.
            failed_billed: share_of(demand.failed_billed, demand.success),
            tool_usd: zero,
        }
    }

    /// The part of a use case's requests whose prompts pay the rates of long contexts, where there are such.
    fn long(&self, slot: usize, endpoint: usize, rates: &Rates<N>) -> Option<LongPrompts<N>> {
        let long = rates.long?;
        let threshold = N::of(long.threshold_tokens) / self.plan.endpoints[endpoint].token_factor;
        Some(long_prompts(self.use_case(slot), threshold))
    }

    /// What one request costs by line, at `requests` per month and the price change of `month`.
    pub(super) fn unit(
        &self,
        slot: usize,
        endpoint: usize,
        reads: &PromptCurve<N>,
        (api, facts): (&Api<N>, &ApiFacts),
        requests: N,
        month: usize,
    ) -> Unit<N> {
        let rates = self.rates(slot, api, facts, facts.rates_of_month[month]);
        let split = reads.split(requests / SECS_PER_MONTH);
        let long = self.long(slot, endpoint, &rates);
        let usage = self.usage(slot, endpoint, long.as_ref(), &split);
        let (bill, not_priced) = api_bill(&rates, api, &usage, month as f64);
        Unit { bill, tokens: usage.tokens, not_priced }
    }

    /// The line through two requests that differ in what they read from the cache: one of a stream so thin that it
    /// finds nothing, and one of a stream so dense that it finds every prefix.
    #[inline(always)]
    pub(super) fn unit_line(
        &self,
        slot: usize,
        endpoint: usize,
        reads: &PromptCurve<N>,
        (api, facts): (&Api<N>, &ApiFacts),
        row: Option<usize>,
    ) -> UnitLine<N> {
        let rates = self.rates(slot, api, facts, row);
        let long = self.long(slot, endpoint, &rates);
        let (least, most) = reads.least_and_most();
        let low =
            api_total(&rates, api, &self.usage(slot, endpoint, long.as_ref(), &reads.split_reading(least)));
        let (mut base, mut per_read_token) = (low.usd, N::of(0.0));
        if reads.follows_rate() {
            let high = self.usage(slot, endpoint, long.as_ref(), &reads.split_reading(most));
            let slope = (api_total(&rates, api, &high).usd - low.usd) / (most - least);
            per_read_token = most.pick_above(least, slope, N::of(0.0));
            base = low.usd - per_read_token * least;
        }
        UnitLine { rates: row, base, per_read_token, fees: low.fees }
    }
}
