//! One state of the world: what each plan costs in each month.
//!
//! [`Evaluator::prepare`] computes what does not depend on volume (tokens per request, where they go, what a replica
//! sustains). [`Evaluator::month`] then costs one plan in one month with all its lines; [`Evaluator::all_months`] and
//! [`Evaluator::run_rates`] only sum, for many months or volumes at once. The instant answer, every draw and every
//! point of a curve go through these.

use crate::cache::{HitRate, Popularity};
use crate::routing::{Plan, Router, Serves};
use crate::scenario::{EndpointFacts, Scenario, ScenarioOf};
use crate::serving::{FleetWeek, Memory, ServingError, Shape, Speed, Steady};
use crate::unit::{DAYS_PER_MONTH, HOURS_PER_MONTH};
use crate::workload::Demand;

use super::columns::{Columns, Pad};
use super::month::{Ledger, Month, MonthFlow};
use super::situation::{Situation, UnitLine};

/// Seconds in a planning month.
pub(super) const SECS_PER_MONTH: f64 = HOURS_PER_MONTH * 3600.0;

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
    /// Cost per request at a provider's list price, by its cached tokens.
    pub unit_line: Option<UnitLine>,
    /// Replica seconds per call on own GPUs; infinite when the model does not fit.
    pub replica_secs_per_call: f64,
    /// What a replica sustains with this use case alone.
    pub steady: Option<Steady>,
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
    /// Requests of the month that was costed last, by use case.
    requests: Vec<f64>,
    /// Growth of each use case: `slot * months + month`.
    growth: Vec<f64>,
    pad: Pad,
    /// What the columns of the last sums were.
    columns_requests: Vec<f64>,
    columns_months: Vec<usize>,
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
            pad: Pad::default(),
            columns_requests: Vec::new(),
            columns_months: Vec::new(),
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
            use_case.growth.fill(&mut self.growth[slot * months..(slot + 1) * months]);
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
        for (plan, world) in self.plans.iter_mut().enumerate() {
            prepare_plan(&Situation::new(self.scenario, state, plan, &self.use_cases), world);
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
        let flow = self.plans[plan].flows[slot * state.plans[plan].endpoints.len() + endpoint];
        let situation = Situation::new(self.scenario, state, plan, &self.use_cases);
        situation.prompt_curve(slot, endpoint).read(flow / SECS_PER_MONTH)
            * state.plans[plan].endpoints[endpoint].token_factor
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

    /// US dollars per month of a plan at each of `scales` times the first month's volume: first month's prices, no
    /// one-time costs.
    pub(super) fn run_rates(
        &mut self,
        state: &ScenarioOf<f64>,
        plan: usize,
        scales: &[f64],
        usd: &mut Vec<f64>,
    ) {
        let months = self.scenario.facts().months.len();
        self.columns_months.clear();
        self.columns_months.resize(scales.len(), 0);
        self.columns_requests.clear();
        for (slot, world) in self.use_cases.iter().enumerate() {
            let first = world.requests * self.growth[slot * months];
            self.columns_requests.extend(scales.iter().map(|scale| first * scale));
        }
        usd.clear();
        usd.resize(scales.len(), 0.0);
        self.add_totals(state, plan, false, usd);
    }

    /// [`Evaluator::run_rates`] at one scale.
    pub(super) fn run_rate(&mut self, state: &ScenarioOf<f64>, plan: usize, scale: f64) -> f64 {
        let mut usd = Vec::with_capacity(1);
        self.run_rates(state, plan, &[scale], &mut usd);
        usd[0]
    }

    /// Mean US dollars per month of each plan over the horizon, one-time costs included.
    pub(super) fn mean_months(&mut self, state: &ScenarioOf<f64>) -> Vec<f64> {
        let months = self.scenario.facts().months.len();
        let mut usd = vec![0.0; months * self.plans.len()];
        self.all_months(state, None, &mut usd);
        usd.chunks_exact(months).map(|months| months.iter().sum::<f64>() / months.len() as f64).collect()
    }

    /// US dollars of every plan and month, `plan * months + month`, with a factor on the volume of each month.
    pub(super) fn all_months(&mut self, state: &ScenarioOf<f64>, noise: Option<&[f64]>, usd: &mut [f64]) {
        let months = self.scenario.facts().months.len();
        self.columns_months.clear();
        self.columns_months.extend(0..months);
        self.columns_requests.clear();
        for (world, growth) in self.use_cases.iter().zip(self.growth.chunks_exact(months)) {
            self.columns_requests.extend(growth.iter().map(|growth| world.requests * growth));
        }
        if let Some(noise) = noise {
            for requests in self.columns_requests.chunks_exact_mut(months) {
                requests.iter_mut().zip(noise).for_each(|(requests, noise)| *requests *= noise);
            }
        }
        usd.fill(0.0);
        for (plan, usd) in usd.chunks_exact_mut(months).enumerate() {
            self.add_totals(state, plan, true, usd);
        }
    }

    fn add_totals(&mut self, state: &ScenarioOf<f64>, plan: usize, one_time: bool, usd: &mut [f64]) {
        let facts = self.scenario.facts();
        let columns = Columns {
            months: &self.columns_months,
            one_time,
            requests: &self.columns_requests,
            week_shape: facts.week_shape(),
            profiles: &facts.profiles,
        };
        let situation = Situation::new(self.scenario, state, plan, &self.use_cases);
        situation.add_totals(&columns, &mut self.plans[plan], &mut self.pad, usd);
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
fn prepare_plan(situation: &Situation<'_>, world: &mut PlanWorld) {
    let Situation { plan, facts, .. } = situation;
    let endpoints = plan.endpoints.len();
    for (slot, route) in facts.routes.iter().enumerate() {
        let cells = &mut world.cells[slot * endpoints..(slot + 1) * endpoints];
        for cell in cells.iter_mut() {
            cell.reach = 0.0;
            cell.answers = 0.0;
            cell.unit_line = None;
        }
        spread_requests(situation.router(slot), &route.tiers, cells);
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
            cell.steady = speed.as_ref().ok().map(|speed| {
                let shape = shape(situation, slot, position);
                speed.steady(&own_facts.model, &own_facts.gpu, &own.deployment, &shape)
            });
            cell.replica_secs_per_call =
                cell.steady.as_ref().map_or(f64::INFINITY, |steady| 1.0 / steady.calls_per_sec);
        }
        world.memory[position] = Some(speed.map(|speed| *speed.memory()));
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
fn shape(situation: &Situation<'_>, slot: usize, position: usize) -> Shape {
    let world = &situation.use_cases[slot];
    let demand = &world.demand;
    let read = situation.prompt_curve(slot, position).read(world.requests / SECS_PER_MONTH);
    let prompt = demand.prompt_tokens();
    let per_call = situation.plan.endpoints[position].token_factor / demand.calls;
    Shape {
        prompt_tokens: (prompt - read).max(0.0) * per_call,
        context_tokens: prompt * per_call,
        output_tokens: (demand.output_tokens + demand.reasoning_tokens) * per_call,
        tpot_target_secs: situation.use_case(slot).slo.tpot_secs,
    }
}
