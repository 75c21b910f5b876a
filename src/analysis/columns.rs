//! One plan in many columns at once, only in total, for eight states of the world side by side: the months of a
//! horizon, or the volumes of an axis.
//!
//! This is the inner loop of the forecast. What does not change from column to column is worked out once, the rest runs
//! over all columns of a use case before the next. The sums are those of [`super::month`], which keeps the lines.

use crate::cache::HitRate;
use crate::pricing::{Api, CapacityWeek, PlanUse, StorageTerms, capacity_usd, costs_bill, price_factor};
use crate::routing::Serves;
use crate::scenario::{ApiFacts, EndpointFacts};
use crate::serving::{WeekShape, Weeks};
use crate::stats::{Lanes, Num as _, turn_by_turn};
use crate::unit::{HOURS_PER_MONTH, WEEKS_PER_MONTH};

use super::evaluator::{PlanWorld, SECS_PER_MONTH, tokens_per_request};
use super::month::{Month, Total};
use super::situation::Situation;

/// What the columns of one call are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    /// Month of each column: its price lists and its growth.
    pub months: &'a [usize],
    /// Whether month 0 pays what is paid once.
    pub one_time: bool,
    /// Requests of each column, `slot * columns + column`.
    pub requests: &'a [Lanes],
    /// The weeks of the use cases.
    pub week_shape: &'a WeekShape,
    /// Which profile of `week_shape` each use case has.
    pub profiles: &'a [usize],
}

/// Room to work in, kept from call to call.
#[derive(Debug, Clone, Default)]
pub(super) struct Pad {
    /// Requests that no response cache answers, `slot * columns + column`.
    misses: Vec<Lanes>,
    /// Requests that call an endpoint, `(slot * endpoints + endpoint) * columns + column`.
    flows: Vec<Lanes>,
    /// Replica-hours a week, `profile * columns + column`.
    work: Vec<Lanes>,
    /// Price change of each column.
    factors: Vec<Lanes>,
    /// One column of requests.
    column: Vec<Lanes>,
    weeks: Weeks,
}

impl Situation<'_, Lanes> {
    /// Adds the US dollars of each column to `usd`.
    #[inline(always)]
    pub(super) fn add_totals(
        &self,
        columns: &Columns<'_>,
        world: &mut PlanWorld<Lanes>,
        pad: &mut Pad,
        usd: &mut [Lanes],
    ) {
        self.beside_endpoints(columns, pad, usd);
        self.spread(columns, world, pad);
        for (endpoint, facts) in self.facts.endpoints.iter().enumerate() {
            if matches!(facts, EndpointFacts::Own(_)) {
                self.own_totals(columns, endpoint, world, pad, usd);
            }
        }
        for (endpoint, facts) in self.facts.endpoints.iter().enumerate() {
            if let (EndpointFacts::Api(facts), Serves::Api(api)) =
                (facts, &self.plan.endpoints[endpoint].serves)
            {
                if api.has_contract() {
                    self.contract_totals(columns, endpoint, world, pad, usd);
                } else {
                    self.api_totals(columns, endpoint, (api, facts), world, pad, usd);
                }
            }
        }
    }

    /// Response caches, routing, tools, embeddings, people and network; leaves the misses.
    #[inline(always)]
    fn beside_endpoints(&self, columns: &Columns<'_>, pad: &mut Pad, usd: &mut [Lanes]) {
        let count = usd.len();
        let costs = &self.plan.costs;
        let (per_request, per_token) = (costs.gateway_usd_per_request, costs.usd_per_token());
        let mut fixed =
            costs_bill(costs, &PlanUse::default(), self.state.settings.engineer_usd_per_year).total();
        for cache in [&self.plan.caches.exact, &self.plan.caches.semantic].into_iter().flatten() {
            fixed += cache.usd_per_month;
        }
        pad.misses.clear();
        pad.misses.extend_from_slice(columns.requests);
        for slot in 0..self.use_cases.len() {
            let (use_case, demand) = (self.use_case(slot), self.demand(slot));
            let requests = &columns.requests[slot * count..(slot + 1) * count];
            let misses = &mut pad.misses[slot * count..(slot + 1) * count];
            self.response_caches(slot, requests, misses, usd);
            let per_miss = self.routing_usd(slot) + demand.tool_calls * use_case.agent.tool_usd;
            let mut mine = per_request + per_token * tokens_per_request(demand);
            if let Some(embedding) = &use_case.embedding {
                let price = self.scenario.facts().use_cases[slot].embedding_usd_per_mtok.unwrap_or(0.0) / 1e6;
                mine += embedding.query_tokens * price;
                fixed += embedding.ingested_tokens_per_month * price + embedding.vector_store_usd_per_month;
            }
            for ((usd, requests), misses) in usd.iter_mut().zip(requests).zip(&*misses) {
                turn_by_turn();
                *usd += mine * *requests + per_miss * *misses;
            }
        }
        for usd in usd.iter_mut() {
            turn_by_turn();
            *usd += fixed;
        }
        if columns.one_time {
            let first = usd.iter_mut().zip(columns.months).filter(|(_, month)| **month == 0);
            first.for_each(|(usd, _)| *usd += self.plan.costs.one_time_usd);
        }
    }

    /// Takes what the response caches answer off `misses`, which starts as the requests.
    #[inline(always)]
    fn response_caches(&self, slot: usize, requests: &[Lanes], misses: &mut [Lanes], usd: &mut [Lanes]) {
        let caches = [&self.plan.caches.exact, &self.plan.caches.semantic].into_iter().flatten();
        let derived = caches.clone().any(|cache| matches!(cache.hit, HitRate::Derived(_)));
        if caches.count() == 0 {
            return;
        }
        let (mut missed, mut lookups) = self.missed_and_lookups(slot, Lanes::of(0.0));
        for ((misses, requests), usd) in misses.iter_mut().zip(requests).zip(usd) {
            turn_by_turn();
            if derived {
                (missed, lookups) = self.missed_and_lookups(slot, *requests);
            }
            *misses = *requests * missed;
            *usd += *requests * lookups;
        }
    }

    /// Share of the requests that no response cache answers, and US dollars per request for asking them.
    #[inline(always)]
    fn missed_and_lookups(&self, slot: usize, requests: Lanes) -> (Lanes, Lanes) {
        let hits = self.hits(slot, requests);
        (hits.total().rest(), self.lookup_usd(&hits))
    }

    /// Sends the misses to the endpoints.
    #[inline(always)]
    fn spread(&self, columns: &Columns<'_>, world: &PlanWorld<Lanes>, pad: &mut Pad) {
        let count = columns.months.len();
        pad.flows.clear();
        pad.flows.resize(world.cells.len() * count, Lanes::default());
        let endpoints = self.plan.endpoints.len().max(1);
        for ((cell, flows), at) in world.cells.iter().zip(pad.flows.chunks_exact_mut(count.max(1))).zip(0..) {
            let slot: usize = at / endpoints;
            if cell.reach.any_above(0.0) {
                let misses = &pad.misses[slot * count..(slot + 1) * count];
                for (flow, misses) in flows.iter_mut().zip(misses) {
                    turn_by_turn();
                    *flow = *misses * cell.reach;
                }
            }
        }
    }

    /// The fleet of a deployment; what it cannot serve goes to its fallback or nowhere.
    #[inline(always)]
    fn own_totals(
        &self,
        columns: &Columns<'_>,
        endpoint: usize,
        world: &PlanWorld<Lanes>,
        pad: &mut Pad,
        usd: &mut [Lanes],
    ) {
        let Serves::SelfHosted(own) = &self.plan.endpoints[endpoint].serves else { return };
        let (count, endpoints) = (usd.len(), self.plan.endpoints.len());
        let (zero, one) = (Lanes::of(0.0), Lanes::of(1.0));
        // 1 where the model fits, 0 where it does not and nothing is served.
        let fits = match &world.memory[endpoint] {
            Some(Ok(memory)) => memory.kv_budget_bytes.pick_above(zero, one, zero),
            _ => zero,
        };
        let Pad { flows, work, weeks, .. } = pad;
        work.clear();
        work.resize(columns.week_shape.profiles() * count, Lanes::default());
        for (slot, profile) in columns.profiles.iter().enumerate() {
            let cell = slot * endpoints + endpoint;
            let hours = self.replica_hours_per_request(slot, &world.cells[cell]) / WEEKS_PER_MONTH;
            let flow = &flows[cell * count..(cell + 1) * count];
            let work = &mut work[profile * count..(profile + 1) * count];
            for (work, flow) in work.iter_mut().zip(flow) {
                turn_by_turn();
                *work += *flow * hours;
            }
        }
        columns.week_shape.tally(work, count, &own.deployment.fleet, self.fill_share(endpoint), weeks);
        let storage =
            StorageTerms { gb_per_replica: own.storage_gb, usd_per_gb_month: own.storage_usd_per_gb_month };
        let gpus = own.deployment.gpus_per_replica;
        for (at, usd) in usd.iter_mut().enumerate() {
            let week = CapacityWeek {
                replica_hours: weeks.replica_hours[at],
                busy_replica_hours: weeks.busy_replica_hours[at],
                peak_replicas: weeks.peak_replicas[at],
            };
            turn_by_turn();
            *usd += fits * capacity_usd(&own.terms, gpus, &week, &storage, HOURS_PER_MONTH);
        }
        for share in &mut weeks.served_share {
            turn_by_turn();
            *share *= fits;
        }
        for slot in 0..self.use_cases.len() {
            let from = (slot * endpoints + endpoint) * count;
            match self.fallback(slot, endpoint) {
                Some(to) => shed(flows, from, (slot * endpoints + to) * count, &weeks.served_share),
                None => {
                    let kept = flows[from..].iter_mut().zip(&weeks.served_share);
                    for (flow, served) in kept {
                        turn_by_turn();
                        *flow *= *served;
                    }
                }
            }
        }
    }

    /// A provider's bill where no contract looks at its lines.
    #[inline(always)]
    fn api_totals(
        &self,
        columns: &Columns<'_>,
        endpoint: usize,
        (api, facts): (&Api<Lanes>, &ApiFacts),
        world: &mut PlanWorld<Lanes>,
        pad: &mut Pad,
        usd: &mut [Lanes],
    ) {
        let (count, endpoints) = (usd.len(), self.plan.endpoints.len());
        fill_factors(api.price_change_per_year, columns.months, &mut pad.factors);
        for slot in 0..self.use_cases.len() {
            let cell = slot * endpoints + endpoint;
            if !world.cells[cell].reach.any_above(0.0) && !self.takes_overflow(slot, endpoint) {
                continue;
            }
            let flows = &pad.flows[cell * count..(cell + 1) * count];
            let mut from = 0;
            // Neighbouring columns mostly pay by the same row of the price sheet.
            while from < count {
                let row = facts.rates_of_month[columns.months[from]];
                let pays_alike = |month: &&usize| facts.rates_of_month[**month] == row;
                let alike = || columns.months[from..].iter().take_while(pays_alike).count();
                let to = if facts.one_row { count } else { from + alike() };
                let reads = world.cells[cell].reads;
                let line = match world.cells[cell].unit_line {
                    Some(line) if line.rates == row => line,
                    _ => self.unit_line(slot, endpoint, &reads, (api, facts), row),
                };
                world.cells[cell].unit_line = Some(line);
                let (usd, flows) = (&mut usd[from..to], &flows[from..to]);
                let factors = &pad.factors[from..to];
                // Where even the thinnest month finds the system prompt in the cache, all months cost alike.
                let least = flows.iter().fold(Lanes::of(f64::INFINITY), |least, flow| flow.smaller(least));
                if let Some(read) = reads.settled(least * (1.0 / SECS_PER_MONTH)) {
                    let list_price = line.base + line.per_read_token * read;
                    for ((usd, flow), factor) in usd.iter_mut().zip(flows).zip(factors) {
                        turn_by_turn();
                        *usd += *flow * (*factor * list_price + line.fees);
                    }
                } else {
                    for ((usd, flow), factor) in usd.iter_mut().zip(flows).zip(factors) {
                        turn_by_turn();
                        let read = reads.read(*flow * (1.0 / SECS_PER_MONTH));
                        *usd += *flow * (*factor * (line.base + line.per_read_token * read) + line.fees);
                    }
                }
                let stored = row.and_then(|row| facts.rates[row].cache_storage_per_hour);
                if let Some(rate) = stored.filter(|_| self.caches_prompts(endpoint)) {
                    let storage = self.cache_storage_usd(slot, endpoint, rate, HOURS_PER_MONTH);
                    for (usd, flow) in usd.iter_mut().zip(flows) {
                        *usd += flow.pick_above(Lanes::of(0.0), storage, Lanes::of(0.0));
                    }
                }
                from = to;
            }
        }
    }

    fn takes_overflow(&self, slot: usize, endpoint: usize) -> bool {
        let first = self.facts.routes[slot].tiers.first();
        first.is_some_and(|first| self.fallback(slot, *first) == Some(endpoint))
    }

    /// A provider's bill that a contract looks at: column by column, with its lines.
    #[inline(never)]
    fn contract_totals(
        &self,
        columns: &Columns<'_>,
        endpoint: usize,
        world: &mut PlanWorld<Lanes>,
        pad: &mut Pad,
        usd: &mut [Lanes],
    ) {
        let count = usd.len();
        for (at, usd) in usd.iter_mut().enumerate() {
            for (cell, flow) in world.flows.iter_mut().enumerate() {
                *flow = pad.flows[cell * count + at];
            }
            pad.column.clear();
            pad.column.extend(columns.requests.iter().skip(at).step_by(count));
            let mut total = Total(Lanes::default());
            let month = Month { situation: *self, requests: &pad.column, month: columns.months[at] };
            month.api(endpoint, world, &mut total);
            *usd += total.0;
        }
    }
}

/// Moves what is not served from the flows at `from` to those at `to`.
#[inline(always)]
fn shed(flows: &mut [Lanes], from: usize, to: usize, served_share: &[Lanes]) {
    for (at, served) in served_share.iter().enumerate() {
        turn_by_turn();
        let gone = flows[from + at] * served.rest();
        flows[from + at] -= gone;
        flows[to + at] += gone;
    }
}

/// The price change of each column; months in a row are a product, which is cheaper than a power each.
#[inline(always)]
fn fill_factors(change_per_year: Lanes, months: &[usize], factors: &mut Vec<Lanes>) {
    factors.clear();
    let step = power(change_per_year, 1.0);
    let mut last: Option<(usize, Lanes)> = None;
    for month in months {
        turn_by_turn();
        let factor = match last {
            Some((before, factor)) if before == *month => factor,
            Some((before, factor)) if before + 1 == *month => factor * step,
            _ => power(change_per_year, *month as f64),
        };
        last = Some((*month, factor));
        factors.push(factor);
    }
}

#[inline(never)]
fn power(change_per_year: Lanes, months: f64) -> Lanes {
    change_per_year.map(|change| price_factor(change, months))
}
