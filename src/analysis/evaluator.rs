//! One state of the world: what each plan costs in each month.
//!
//! [`Evaluator::take_in`] computes what does not depend on volume (tokens per request, where they go, what a replica
//! sustains). [`Evaluator::month`] then costs one plan in one month with all its lines; [`Evaluator::all_months`] and
//! [`Evaluator::run_rates`] only sum, for many months or volumes at once, in eight states of the world. The instant
//! answer, every draw and every point of a curve go through these.

use crate::cache::{CacheStream, HitRate, Popularity, PromptCurve, cache_parts};
use crate::routing::{Plan, Router, Serves};
use crate::scenario::{EndpointFacts, Scenario, ScenarioOf};
use crate::serving::{FleetWeek, Memory, ServingError, Shape, Speed, Steady};
use crate::stats::{Lanes, Num};
use crate::unit::{DAYS_PER_MONTH, HOURS_PER_MONTH};
use crate::workload::{Demand, UseCase};

use super::columns::{Columns, Pad};
use super::month::{Ledger, Month, MonthFlow};
use super::situation::{Situation, UnitLine};
use super::wide;

/// Seconds in a planning month.
pub(super) const SECS_PER_MONTH: f64 = HOURS_PER_MONTH * 3600.0;

/// One use case in one state of the world.
#[derive(Debug, Clone)]
pub(super) struct UseCaseWorld<N = f64> {
    /// Tokens and calls per request.
    pub demand: Demand<N>,
    /// Requests per month in the first month.
    pub requests: N,
    /// Popularity of the distinct requests, one per lane or one for all; none where no cache derives its hit rate
    /// from it.
    pub popularity: Vec<Popularity>,
    /// Part of the response caches of each plan that its answers take, as the point estimates of the first month say.
    pub cache_parts: Vec<[f64; 2]>,
}

impl<N: Num> UseCaseWorld<N> {
    /// Prepares the popularity of so many distinct requests with Zipf's exponent.
    fn prepare_popularity(&mut self, distinct: N, alpha: N) {
        let of = |lane: usize| (distinct.lane(lane), alpha.lane(lane));
        let alike = (1..N::COUNT).all(|lane| of(lane) == of(0));
        let needed = if alike { 1 } else { N::COUNT };
        self.popularity.truncate(needed);
        for lane in 0..needed {
            let (distinct, alpha) = of(lane);
            match self.popularity.get_mut(lane) {
                Some(popularity) => popularity.refresh(distinct, alpha),
                None => self.popularity.push(Popularity::new(distinct, alpha)),
            }
        }
    }
}

/// One use case at one endpoint of one plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell<N = f64> {
    /// Share of the requests (response-cache misses) that call this endpoint; a cascade's tiers overlap.
    pub reach: N,
    /// Share of them whose answer comes from here.
    pub answers: N,
    /// Tokens read from the endpoint's prompt cache, by the rate of requests.
    pub reads: PromptCurve<N>,
    /// Cost per request at a provider's list price, by its cached tokens.
    pub unit_line: Option<UnitLine<N>>,
    /// Replica seconds per call on own GPUs; infinite when the model does not fit.
    pub replica_secs_per_call: N,
    /// What a replica sustains with this use case alone; kept only where it is asked for in detail.
    pub steady: Option<Steady>,
}

/// One plan in one state of the world.
#[derive(Debug, Clone)]
pub(super) struct PlanWorld<N = f64> {
    /// `use_case * endpoints + endpoint`.
    pub cells: Vec<Cell<N>>,
    /// Memory of each endpoint that is a deployment.
    pub memory: Vec<Option<Result<Memory<N>, ServingError>>>,
    /// The last month's fleet of each endpoint that is a deployment.
    pub weeks: Vec<Option<FleetWeek>>,
    /// Requests of the last month that call each endpoint: `use_case * endpoints + endpoint`.
    pub flows: Vec<N>,
}

/// Costs plans in one state of the world after another, without allocating between them.
#[derive(Debug, Clone)]
pub(super) struct Evaluator<'a, N = f64> {
    scenario: &'a Scenario,
    pub(super) use_cases: Vec<UseCaseWorld<N>>,
    pub(super) plans: Vec<PlanWorld<N>>,
    /// Requests of the month that was costed last, by use case.
    requests: Vec<N>,
    /// Growth of each use case: `slot * months + month`.
    growth: Vec<N>,
    pad: Pad,
    /// What the columns of the last sums were.
    columns_requests: Vec<Lanes>,
    columns_months: Vec<usize>,
}

impl<'a, N: Num> Evaluator<'a, N> {
    /// An evaluator of a scenario; [`Evaluator::take_in`] comes before anything else.
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let facts = scenario.facts();
        let use_cases = facts.use_cases.len();
        let zero = N::of(0.0);
        let mut worlds = vec![
            UseCaseWorld {
                demand: Demand::default(),
                requests: zero,
                popularity: Vec::new(),
                cache_parts: vec![[1.0; 2]; facts.plans.len()],
            };
            use_cases
        ];
        share_caches(scenario, &mut worlds);
        Self {
            scenario,
            use_cases: worlds,
            plans: facts
                .plans
                .iter()
                .map(|plan| {
                    let endpoints = plan.endpoints.len();
                    PlanWorld {
                        cells: vec![Cell::default(); use_cases * endpoints],
                        memory: vec![None; endpoints],
                        weeks: vec![None; endpoints],
                        flows: vec![zero; use_cases * endpoints],
                    }
                })
                .collect(),
            requests: vec![zero; use_cases],
            growth: vec![N::of(1.0); use_cases * facts.months.len()],
            pad: Pad::default(),
            columns_requests: Vec::new(),
            columns_months: Vec::new(),
        }
    }

    /// Tokens (prompt and output, before caches) per day in the first month.
    #[inline(always)]
    pub(super) fn tokens_per_day(&self) -> N {
        let tokens = self.use_cases.iter().map(|world| world.requests * tokens_per_request(&world.demand));
        tokens.fold(N::of(0.0), |sum, tokens| sum + tokens) / DAYS_PER_MONTH
    }

    /// Takes in a state of the world in each lane: what does not depend on volume.
    #[inline(always)]
    pub(super) fn take_in(&mut self, state: &ScenarioOf<N>) {
        let facts = self.scenario.facts();
        let derived = state.plans.iter().any(has_derived_hits);
        let months = facts.months.len();
        let growths = self.growth.chunks_exact_mut(months.max(1));
        for ((facts, world), growth) in facts.use_cases.iter().zip(&mut self.use_cases).zip(growths) {
            let use_case = &state.workload.use_cases[facts.position];
            world.demand = Demand::of(use_case);
            world.requests = use_case.requests_per_day * DAYS_PER_MONTH;
            use_case.growth.fill(growth);
            if derived {
                world.prepare_popularity(use_case.repetition.distinct, use_case.repetition.zipf_alpha);
            }
        }
        for (plan, world) in self.plans.iter_mut().enumerate() {
            prepare_plan(&Situation::new(self.scenario, state, plan, &self.use_cases), world);
        }
    }
}

impl Evaluator<'_> {
    /// Takes in a state of the world, with what each replica sustains in detail.
    pub(super) fn prepare(&mut self, state: &ScenarioOf<f64>) {
        self.take_in(state);
        for (plan, world) in self.plans.iter_mut().enumerate() {
            detail_plan(&Situation::new(self.scenario, state, plan, &self.use_cases), world);
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
        let world = &self.plans[plan];
        let cell = slot * state.plans[plan].endpoints.len() + endpoint;
        world.cells[cell].reads.read(world.flows[cell] / SECS_PER_MONTH)
            * state.plans[plan].endpoints[endpoint].token_factor
    }

    /// Time per output token of a deployment's replica to which so many calls of a use case come per second, in seconds;
    /// none where nothing is served.
    pub(super) fn tpot_at_rate(
        &self,
        plan: usize,
        slot: usize,
        position: usize,
        calls_per_sec: f64,
    ) -> Option<f64> {
        let situation = Situation::new(self.scenario, self.scenario.point(), plan, &self.use_cases);
        let cell = &self.plans[plan].cells[slot * situation.plan.endpoints.len() + position];
        let (Serves::SelfHosted(own), EndpointFacts::Own(facts)) =
            (&situation.plan.endpoints[position].serves, &situation.facts.endpoints[position])
        else {
            return None;
        };
        let deployment = (&facts.model, &facts.gpu, &own.deployment);
        let (model, gpu, d) = deployment;
        let speed = Speed::with(model, gpu, d, self.scenario.calibration()).ok()?;
        let shape = shape(&situation, slot, position, &cell.reads);
        Some(speed.tpot_at_rate(deployment, &shape, calls_per_sec, cell.steady?.batch))
    }

    /// Requests of each use case in a month, growth and noise included.
    fn requests_of_month(&mut self, month: usize, factor: f64) {
        let months = self.scenario.facts().months.len();
        let growths = self.growth.iter().skip(month).step_by(months.max(1));
        for ((requests, world), growth) in self.requests.iter_mut().zip(&self.use_cases).zip(growths) {
            *requests = world.requests * growth * factor;
        }
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
        let situation = Situation::new(self.scenario, state, plan, &self.use_cases);
        Month { situation, requests: &self.requests, month }.cost(&mut self.plans[plan], one_time, ledger)
    }
}

impl Evaluator<'_, Lanes> {
    /// US dollars per month of a plan at each of `scales` times the first month's volume: first month's prices, no
    /// one-time costs. Replaces what `usd` holds.
    pub(super) fn run_rates(
        &mut self,
        state: &ScenarioOf<Lanes>,
        plan: usize,
        scales: &[Lanes],
        usd: &mut Vec<Lanes>,
    ) {
        let months = self.scenario.facts().months.len();
        self.columns_months.clear();
        self.columns_months.resize(scales.len(), 0);
        self.columns_requests.clear();
        for (slot, world) in self.use_cases.iter().enumerate() {
            let first = world.requests * self.growth[slot * months];
            self.columns_requests.extend(scales.iter().map(|scale| first * *scale));
        }
        usd.clear();
        usd.resize(scales.len(), Lanes::default());
        self.add_totals(state, plan, false, usd);
    }

    /// US dollars of every plan and month, `plan * months + month`, with a factor on the volume of each month.
    pub(super) fn all_months(
        &mut self,
        state: &ScenarioOf<Lanes>,
        noise: Option<&[Lanes]>,
        usd: &mut [Lanes],
    ) {
        let months = self.scenario.facts().months.len();
        self.columns_months.clear();
        self.columns_months.extend(0..months);
        self.columns_requests.clear();
        for (world, growth) in self.use_cases.iter().zip(self.growth.chunks_exact(months)) {
            self.columns_requests.extend(growth.iter().map(|growth| world.requests * *growth));
        }
        if let Some(noise) = noise {
            for requests in self.columns_requests.chunks_exact_mut(months) {
                requests.iter_mut().zip(noise).for_each(|(requests, noise)| *requests *= *noise);
            }
        }
        usd.fill(Lanes::default());
        for (plan, usd) in usd.chunks_exact_mut(months).enumerate() {
            self.add_totals(state, plan, true, usd);
        }
    }

    fn add_totals(&mut self, state: &ScenarioOf<Lanes>, plan: usize, one_time: bool, usd: &mut [Lanes]) {
        let facts = self.scenario.facts();
        let columns = Columns {
            months: &self.columns_months,
            one_time,
            requests: &self.columns_requests,
            week_shape: facts.week_shape(),
            profiles: &facts.profiles,
        };
        let situation = Situation::new(self.scenario, state, plan, &self.use_cases);
        wide::add_totals(&situation, &columns, &mut self.plans[plan], &mut self.pad, usd);
    }
}

/// Prompt and output tokens per request, all calls.
#[inline(always)]
pub(super) fn tokens_per_request<N: Num>(demand: &Demand<N>) -> N {
    demand.prompt_tokens() + demand.output_tokens + demand.reasoning_tokens
}

fn has_derived_hits<N>(plan: &Plan<N>) -> bool {
    [&plan.caches.exact, &plan.caches.semantic]
        .into_iter()
        .flatten()
        .any(|cache| matches!(cache.hit, HitRate::Derived(_)))
}

/// Divides the response caches of each plan among the use cases.
fn share_caches<N>(scenario: &Scenario, worlds: &mut [UseCaseWorld<N>]) {
    let state = scenario.point();
    let use_cases =
        || scenario.facts().use_cases.iter().map(|facts| &state.workload.use_cases[facts.position]);
    if use_cases().nth(1).is_none() || !state.plans.iter().any(has_derived_hits) {
        return;
    }
    let popularity: Vec<Popularity> =
        use_cases().map(|of| Popularity::new(of.repetition.distinct, of.repetition.zipf_alpha)).collect();
    let asking = |(use_case, popularity): (&UseCase<f64>, _)| {
        let asks =
            if use_case.constraints.no_shared_cache { 0.0 } else { use_case.repetition.cacheable_share };
        let requests = use_case.requests_per_day * DAYS_PER_MONTH / SECS_PER_MONTH;
        CacheStream { popularity, requests_per_sec: asks.clamp(0.0, 1.0) * requests }
    };
    let streams: Vec<_> = use_cases().zip(&popularity).map(asking).collect();
    for (at, plan) in state.plans.iter().enumerate().filter(|(_, plan)| has_derived_hits(plan)) {
        for (world, parts) in worlds.iter_mut().zip(cache_parts(&plan.caches, &streams)) {
            world.cache_parts[at] = parts;
        }
    }
}

/// Where the requests go, and what a replica sustains: everything of a plan that does not depend on volume.
#[inline(always)]
fn prepare_plan<N: Num>(situation: &Situation<'_, N>, world: &mut PlanWorld<N>) {
    let Situation { plan, facts, .. } = situation;
    let endpoints = plan.endpoints.len();
    for (slot, route) in facts.routes.iter().enumerate() {
        let cells = &mut world.cells[slot * endpoints..(slot + 1) * endpoints];
        for cell in cells.iter_mut() {
            (cell.reach, cell.answers, cell.unit_line) = (N::of(0.0), N::of(0.0), None);
        }
        spread_requests(situation.router(slot), &route.tiers, cells);
        for (endpoint, cell) in cells.iter_mut().enumerate() {
            if situation.caches_prompts(endpoint) && is_reached(&route.tiers, endpoint) {
                let turns_elsewhere = situation.turns_elsewhere(slot, cell.reach);
                cell.reads = situation.prompt_curve(slot, endpoint, turns_elsewhere);
            } else {
                cell.reads = PromptCurve::uncached(situation.demand(slot).prompt_tokens());
            }
        }
    }
    for (position, (endpoint, endpoint_facts)) in plan.endpoints.iter().zip(&facts.endpoints).enumerate() {
        let (Serves::SelfHosted(own), EndpointFacts::Own(own_facts)) = (&endpoint.serves, endpoint_facts)
        else {
            continue;
        };
        let speed =
            Speed::with(&own_facts.model, &own_facts.gpu, &own.deployment, situation.scenario.calibration());
        for (slot, route) in facts.routes.iter().enumerate() {
            let cell = &mut world.cells[slot * endpoints + position];
            if !is_reached(&route.tiers, position) {
                continue;
            }
            cell.replica_secs_per_call = match &speed {
                Ok(speed) => {
                    let shape = shape(situation, slot, position, &cell.reads);
                    N::of(1.0)
                        / speed.calls_per_sec(&own_facts.model, &own_facts.gpu, &own.deployment, &shape)
                }
                Err(_) => N::of(f64::INFINITY),
            };
        }
        world.memory[position] = Some(speed.map(|speed| *speed.memory()));
    }
}

/// What a replica sustains of each use case, in detail.
fn detail_plan(situation: &Situation<'_>, world: &mut PlanWorld) {
    let Situation { plan, facts, .. } = situation;
    for (position, (endpoint, endpoint_facts)) in plan.endpoints.iter().zip(&facts.endpoints).enumerate() {
        let (Serves::SelfHosted(own), EndpointFacts::Own(own_facts)) = (&endpoint.serves, endpoint_facts)
        else {
            continue;
        };
        let calibration = situation.scenario.calibration();
        let speed = Speed::with(&own_facts.model, &own_facts.gpu, &own.deployment, calibration);
        for (slot, route) in facts.routes.iter().enumerate() {
            if !is_reached(&route.tiers, position) {
                continue;
            }
            let cell = &mut world.cells[slot * plan.endpoints.len() + position];
            cell.steady = speed.as_ref().ok().map(|speed| {
                let shape = shape(situation, slot, position, &cell.reads);
                speed.steady(&own_facts.model, &own_facts.gpu, &own.deployment, &shape)
            });
        }
    }
}

fn is_reached(tiers: &[usize], endpoint: usize) -> bool {
    tiers.contains(&endpoint)
}

#[inline(always)]
fn spread_requests<N: Num>(router: &Router<N>, tiers: &[usize], cells: &mut [Cell<N>]) {
    let one = N::of(1.0);
    match router {
        Router::Single(_) | Router::Overflow(_) => {
            cells[tiers[0]].reach = one;
            cells[tiers[0]].answers = one;
        }
        Router::Split(split) => {
            let sum = split.shares.iter().fold(N::of(0.0), |sum, share| sum + share.share);
            let even = N::of(1.0 / tiers.len() as f64);
            for (share, tier) in split.shares.iter().zip(tiers) {
                let share = sum.pick_above(N::of(0.0), share.share / sum, even);
                cells[*tier].reach += share;
                cells[*tier].answers += share;
            }
        }
        Router::Cascade(cascade) => {
            let mut arriving = one;
            for (position, (step, tier)) in cascade.steps.iter().zip(tiers).enumerate() {
                let accepted = if position + 1 == tiers.len() { one } else { step.accept };
                cells[*tier].reach += arriving;
                cells[*tier].answers += arriving * accepted;
                arriving *= accepted.rest();
            }
        }
    }
}

/// The mean call of a use case at a deployment. The prefix cache is taken at the first month's volume.
#[inline(always)]
fn shape<N: Num>(
    situation: &Situation<'_, N>,
    slot: usize,
    position: usize,
    reads: &PromptCurve<N>,
) -> Shape<N> {
    let world = &situation.use_cases[slot];
    let demand = &world.demand;
    let read = reads.read(world.requests / SECS_PER_MONTH);
    let prompt = demand.prompt_tokens();
    let per_call = situation.plan.endpoints[position].token_factor / demand.calls;
    Shape {
        prompt_tokens: (prompt - read).at_least(0.0) * per_call,
        context_tokens: prompt * per_call,
        output_tokens: (demand.output_tokens + demand.reasoning_tokens) * per_call,
        tpot_target_secs: situation.use_case(slot).slo.tpot_secs,
    }
}
