//! One state of the world: what each plan costs in each month.
//!
//! [`Evaluator::prepare`] computes what does not depend on volume (tokens per request, where they go, what a replica
//! sustains); [`Evaluator::month`] then costs one plan at one month's volume. The instant answer, every draw and
//! every point of a curve go through these two. What a month costs is posted to a [`Ledger`], which keeps as much
//! detail as its user wants.

use crate::cache::{HitRate, Popularity, PromptInputs, PromptSplit, prompt_split};
use crate::pricing::{Bill, Line, TokenUse};
use crate::routing::{Endpoint, Plan, Router, Serves};
use crate::scenario::{EndpointFacts, PlanFacts, Scenario, ScenarioOf};
use crate::serving::{self, FleetWeek, Memory, ServingError, Shape, Steady};
use crate::unit::{DAYS_PER_MONTH, HOURS_PER_MONTH};
use crate::workload::{Demand, UseCase};

use super::month::Month;

/// Seconds in a planning month.
pub(super) const SECS_PER_MONTH: f64 = HOURS_PER_MONTH * 3600.0;

/// Where the costs of a month are written.
pub(super) trait Ledger {
    /// Whether only the sum of what is posted is kept, so that lines need not be told apart.
    const ONLY_TOTAL: bool = false;

    /// Posts `factor` times a bill, caused by a use case or shared, at an endpoint or around them.
    fn post(&mut self, use_case: Option<usize>, endpoint: Option<usize>, bill: &Bill, factor: f64);

    /// Posts one line.
    fn line(&mut self, use_case: Option<usize>, endpoint: Option<usize>, line: Line, usd: f64);

    /// Posts what `requests` of a use case cost at an endpoint.
    fn post_unit(&mut self, use_case: usize, endpoint: usize, unit: &Unit, requests: f64) {
        self.post(Some(use_case), Some(endpoint), &unit.bill, requests);
    }
}

/// Only the total, US dollars.
#[derive(Debug, Default)]
pub(super) struct Total(pub f64);

impl Ledger for Total {
    const ONLY_TOTAL: bool = true;

    fn post(&mut self, _: Option<usize>, _: Option<usize>, bill: &Bill, factor: f64) {
        self.0 += bill.total() * factor;
    }
    fn line(&mut self, _: Option<usize>, _: Option<usize>, _: Line, usd: f64) {
        self.0 += usd;
    }
    fn post_unit(&mut self, _: usize, _: usize, unit: &Unit, requests: f64) {
        self.0 += unit.total * requests;
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

/// One use case in one state of the world.
#[derive(Debug, Clone)]
pub(super) struct UseCaseWorld {
    /// Tokens and calls per request.
    pub demand: Demand,
    /// Requests per month in the first month.
    pub requests: f64,
    popularity: Option<(f64, f64, Popularity)>,
}

impl UseCaseWorld {
    /// Popularity of the distinct requests; none where no cache derives its hit rate from it.
    pub(super) fn popularity(&self) -> Option<&Popularity> {
        self.popularity.as_ref().map(|(_, _, popularity)| popularity)
    }
}

/// One use case at one endpoint of one plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// Share of the requests (response-cache misses) that call this endpoint; a cascade's tiers overlap.
    pub reach: f64,
    /// Share of them whose answer comes from here.
    pub answers: f64,
    /// Cost per request at a provider's list price, kept while it does not change from month to month.
    pub unit: Option<Unit>,
    /// The same as a line over the cached tokens, where only totals are wanted.
    pub unit_line: Option<UnitLine>,
    /// Replica seconds per call on own GPUs; infinite when the model does not fit.
    pub replica_secs_per_call: f64,
    /// What a replica sustains with this use case alone.
    pub steady: Option<Steady>,
}

/// What one request costs at a provider at list price, in total: every price is proportional to tokens, so the sum is
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
}

/// What one request costs at a provider, at list price.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// Which rates it was computed with.
    pub rates: Option<usize>,
    /// Whether it holds at any volume and in any month with the same rates.
    pub lasting: bool,
    /// The cost per request.
    pub bill: Bill,
    /// The sum of its lines.
    pub total: f64,
    /// Of that, fees per call with the failed calls' part, which no price change touches.
    pub fees: f64,
    /// Its tokens, in the model's own.
    pub tokens: TokenUse,
    /// Whether something in it has no price.
    pub not_priced: bool,
}

/// One plan in one state of the world.
#[derive(Debug, Clone)]
pub(super) struct PlanWorld {
    /// `use_case * endpoints + endpoint`.
    pub cells: Vec<Cell>,
    /// Memory of each endpoint that is a deployment.
    pub memory: Vec<Option<Result<Memory, ServingError>>>,
    /// The last month's fleet of each endpoint that is a deployment.
    pub weeks: Vec<Option<FleetWeek>>,
    /// Requests of the last month that call each endpoint: `use_case * endpoints + endpoint`.
    pub flows: Vec<f64>,
}

/// Costs plans in one state of the world after another, without allocating between them.
#[derive(Debug, Clone)]
pub(super) struct Evaluator<'a> {
    scenario: &'a Scenario,
    pub(super) use_cases: Vec<UseCaseWorld>,
    pub(super) plans: Vec<PlanWorld>,
    requests: Vec<f64>,
    /// Growth of each use case: `slot * months + month`.
    growth: Vec<f64>,
    /// The first use case whose week has the same shape.
    profiles: Vec<usize>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator of a scenario; [`Evaluator::prepare`] comes before anything else.
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let facts = scenario.facts();
        let use_cases = facts.use_cases.len();
        Self {
            scenario,
            use_cases: Vec::with_capacity(use_cases),
            plans: facts
                .plans
                .iter()
                .map(|plan| {
                    let endpoints = plan.endpoints.len();
                    PlanWorld {
                        cells: vec![Cell::default(); use_cases * endpoints],
                        memory: vec![None; endpoints],
                        weeks: vec![None; endpoints],
                        flows: vec![0.0; use_cases * endpoints],
                    }
                })
                .collect(),
            requests: vec![0.0; use_cases],
            growth: vec![1.0; use_cases * facts.months.len()],
            profiles: facts
                .use_cases
                .iter()
                .map(|mine| {
                    facts.use_cases.iter().position(|other| other.weights == mine.weights).unwrap_or(0)
                })
                .collect(),
        }
    }

    /// Takes in a state of the world.
    pub(super) fn prepare(&mut self, state: &ScenarioOf<f64>) {
        let facts = self.scenario.facts();
        let derived = state.plans.iter().any(has_derived_hits);
        for (slot, use_case_facts) in facts.use_cases.iter().enumerate() {
            let use_case = &state.workload.use_cases[use_case_facts.position];
            let demand = Demand::of(use_case);
            let requests = use_case.requests_per_day * DAYS_PER_MONTH;
            let months = facts.months.len();
            for (month, growth) in self.growth[slot * months..(slot + 1) * months].iter_mut().enumerate() {
                *growth = use_case.growth.factor(month as u32);
            }
            let (distinct, alpha) = (use_case.repetition.distinct, use_case.repetition.zipf_alpha);
            if slot == self.use_cases.len() {
                self.use_cases.push(UseCaseWorld { demand, requests, popularity: None });
            }
            let world = &mut self.use_cases[slot];
            world.demand = demand;
            world.requests = requests;
            if derived {
                match &mut world.popularity {
                    Some((d, a, _)) if *d == distinct && *a == alpha => {}
                    Some((d, a, popularity)) => {
                        popularity.refresh(distinct, alpha);
                        (*d, *a) = (distinct, alpha);
                    }
                    none => *none = Some((distinct, alpha, Popularity::new(distinct, alpha))),
                }
            }
        }
        for ((plan, world), plan_facts) in state.plans.iter().zip(&mut self.plans).zip(&facts.plans) {
            prepare_plan(self.scenario, state, plan, plan_facts, &self.use_cases, world);
        }
    }

    /// Requests of the month that was costed last, by use case.
    pub(super) fn requests(&self) -> &[f64] {
        &self.requests
    }

    /// Tokens (prompt and output, before caches) of the month that was costed last.
    pub(super) fn tokens_of_month(&self) -> f64 {
        self.requests
            .iter()
            .zip(&self.use_cases)
            .map(|(requests, world)| requests * tokens_per_request(&world.demand))
            .sum()
    }

    /// Prompt tokens per request that an endpoint's prompt cache answers, in its model's tokens, at the volume of
    /// the month that was costed last.
    pub(super) fn cached_tokens(
        &self,
        state: &ScenarioOf<f64>,
        plan: usize,
        slot: usize,
        endpoint: usize,
    ) -> f64 {
        let place = &state.plans[plan].endpoints[endpoint];
        let use_case = &state.workload.use_cases[self.scenario.facts().use_cases[slot].position];
        let flow = self.plans[plan].flows[slot * state.plans[plan].endpoints.len() + endpoint];
        let minimum = match &self.scenario.facts().plans[plan].endpoints[endpoint] {
            EndpointFacts::Api(facts) => facts.cache_min_tokens / place.token_factor,
            EndpointFacts::Own(_) => 0.0,
        };
        let split =
            split_prompt(place, use_case, &self.use_cases[slot].demand, flow / SECS_PER_MONTH, minimum);
        split.read * place.token_factor
    }

    /// Tokens (prompt and output, before caches) per day in the first month.
    pub(super) fn tokens_per_day(&self) -> f64 {
        self.use_cases.iter().map(|world| world.requests * tokens_per_request(&world.demand)).sum::<f64>()
            / DAYS_PER_MONTH
    }

    /// Requests of each use case in a month, growth and noise included.
    fn requests_of_month(&mut self, month: usize, factor: f64) {
        let months = self.scenario.facts().months.len();
        let growths = self.growth.iter().skip(month).step_by(months.max(1));
        for ((requests, world), growth) in self.requests.iter_mut().zip(&self.use_cases).zip(growths) {
            *requests = world.requests * growth * factor;
        }
    }

    /// US dollars per month of a plan at `scale` times the first month's volume: first month's prices, no one-time
    /// costs.
    pub(super) fn run_rate(&mut self, state: &ScenarioOf<f64>, plan: usize, scale: f64) -> f64 {
        let mut total = Total::default();
        self.month(state, plan, 0, scale, false, &mut total);
        total.0
    }

    /// Mean US dollars per month over the horizon, one-time costs included.
    pub(super) fn mean_month(&mut self, state: &ScenarioOf<f64>, plan: usize, noise: Option<&[f64]>) -> f64 {
        let months = self.scenario.facts().months.len();
        (0..months).map(|month| self.month_total(state, plan, month, noise)).sum::<f64>() / months as f64
    }

    /// US dollars of every plan and month, `plan * months + month`.
    pub(super) fn all_months(&mut self, state: &ScenarioOf<f64>, noise: Option<&[f64]>) -> Vec<f64> {
        let months = self.scenario.facts().months.len();
        let plans = self.plans.len();
        let mut costs = Vec::with_capacity(months * plans);
        for plan in 0..plans {
            for month in 0..months {
                costs.push(self.month_total(state, plan, month, noise));
            }
        }
        costs
    }

    fn month_total(
        &mut self,
        state: &ScenarioOf<f64>,
        plan: usize,
        month: usize,
        noise: Option<&[f64]>,
    ) -> f64 {
        let mut total = Total::default();
        let factor = noise.map_or(1.0, |noise| noise[month]);
        self.month(state, plan, month, factor, month == 0, &mut total);
        total.0
    }

    /// Costs one plan in one month, at `factor` times the month's expected volume.
    pub(super) fn month(
        &mut self,
        state: &ScenarioOf<f64>,
        plan: usize,
        month: usize,
        factor: f64,
        one_time: bool,
        ledger: &mut impl Ledger,
    ) -> MonthFlow {
        self.requests_of_month(month, factor);
        let facts = self.scenario.facts();
        Month {
            state,
            plan: &state.plans[plan],
            facts: &facts.plans[plan],
            scenario: self.scenario,
            use_cases: &self.use_cases,
            requests: &self.requests,
            profiles: &self.profiles,
            month,
        }
        .cost(&mut self.plans[plan], one_time, ledger)
    }
}

/// Prompt and output tokens per request, all calls.
pub(super) fn tokens_per_request(demand: &Demand) -> f64 {
    demand.prompt_tokens() + demand.output_tokens + demand.reasoning_tokens
}

fn has_derived_hits(plan: &Plan<f64>) -> bool {
    [&plan.caches.exact, &plan.caches.semantic]
        .into_iter()
        .flatten()
        .any(|cache| matches!(cache.hit, HitRate::Derived(_)))
}

/// Where the requests go, and what a replica sustains: everything of a plan that does not depend on volume.
fn prepare_plan(
    scenario: &Scenario,
    state: &ScenarioOf<f64>,
    plan: &Plan<f64>,
    facts: &PlanFacts,
    use_cases: &[UseCaseWorld],
    world: &mut PlanWorld,
) {
    let endpoints = plan.endpoints.len();
    for (slot, route) in facts.routes.iter().enumerate() {
        let router = route.exception.map_or(&plan.router, |position| &plan.routes[position].router);
        let cells = &mut world.cells[slot * endpoints..(slot + 1) * endpoints];
        for cell in cells.iter_mut() {
            cell.reach = 0.0;
            cell.answers = 0.0;
            cell.unit = None;
            cell.unit_line = None;
        }
        spread_requests(router, &route.tiers, cells);
    }
    for (position, (endpoint, endpoint_facts)) in plan.endpoints.iter().zip(&facts.endpoints).enumerate() {
        let (Serves::SelfHosted(own), EndpointFacts::Own(own_facts)) = (&endpoint.serves, endpoint_facts)
        else {
            continue;
        };
        let memory = serving::memory(&own_facts.model, &own_facts.gpu, &own.deployment);
        for (slot, use_case_facts) in scenario.facts().use_cases.iter().enumerate() {
            let cell = &mut world.cells[slot * endpoints + position];
            if !is_reached(&facts.routes[slot].tiers, position) {
                continue;
            }
            let use_case = &state.workload.use_cases[use_case_facts.position];
            cell.steady = memory.as_ref().ok().map(|memory| {
                let shape = shape(endpoint, use_case, &use_cases[slot]);
                serving::steady(&own_facts.model, &own_facts.gpu, memory, &own.deployment, &shape)
            });
            cell.replica_secs_per_call =
                cell.steady.as_ref().map_or(f64::INFINITY, |steady| 1.0 / steady.calls_per_sec);
        }
        world.memory[position] = Some(memory);
    }
}

fn is_reached(tiers: &[usize], endpoint: usize) -> bool {
    tiers.contains(&endpoint)
}

fn spread_requests(router: &Router<f64>, tiers: &[usize], cells: &mut [Cell]) {
    match router {
        Router::Single(_) => {
            cells[tiers[0]].reach = 1.0;
            cells[tiers[0]].answers = 1.0;
        }
        Router::Split(split) => {
            let sum: f64 = split.shares.iter().map(|share| share.share).sum();
            for (share, tier) in split.shares.iter().zip(tiers) {
                let share = if sum > 0.0 { share.share / sum } else { 1.0 / tiers.len() as f64 };
                cells[*tier].reach += share;
                cells[*tier].answers += share;
            }
        }
        Router::Cascade(cascade) => {
            let mut arriving = 1.0;
            for (position, (step, tier)) in cascade.steps.iter().zip(tiers).enumerate() {
                let accepted = if position + 1 == tiers.len() { 1.0 } else { step.accept };
                cells[*tier].reach += arriving;
                cells[*tier].answers += arriving * accepted;
                arriving *= 1.0 - accepted;
            }
        }
        Router::Overflow(_) => {
            cells[tiers[0]].reach = 1.0;
            cells[tiers[0]].answers = 1.0;
        }
    }
}

/// The mean call of a use case at a deployment. The prefix cache is taken at the first month's volume.
fn shape(endpoint: &Endpoint<f64>, use_case: &UseCase<f64>, world: &UseCaseWorld) -> Shape {
    let demand = &world.demand;
    let split = split_prompt(endpoint, use_case, demand, world.requests / SECS_PER_MONTH, 0.0);
    let prompt = demand.prompt_tokens();
    let per_call = endpoint.token_factor / demand.calls;
    Shape {
        prompt_tokens: (prompt - split.read).max(0.0) * per_call,
        context_tokens: prompt * per_call,
        output_tokens: (demand.output_tokens + demand.reasoning_tokens) * per_call,
        tpot_target_secs: use_case.slo.tpot_secs,
    }
}

pub(super) fn split_prompt(
    endpoint: &Endpoint<f64>,
    use_case: &UseCase<f64>,
    demand: &Demand,
    requests_per_sec: f64,
    min_prefix_tokens: f64,
) -> PromptSplit {
    prompt_split(
        &endpoint.prompt_cache,
        &PromptInputs {
            system_tokens: demand.system_tokens,
            history_tokens: demand.history_tokens,
            retrieved_tokens: demand.retrieved_tokens,
            user_tokens: demand.user_tokens,
            transcript_tokens: demand.transcript_tokens,
            calls: demand.calls,
            requests_per_sec,
            gap_secs: use_case.conversation.gap_secs,
            tool_secs: use_case.agent.tool_secs,
            min_prefix_tokens,
        },
    )
}
