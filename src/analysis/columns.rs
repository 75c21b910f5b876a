//! One plan in many columns at once, only in total: the months of a horizon, or the volumes of an axis.
//!
//! This is the inner loop of the forecast. What does not change from column to column is worked out once, the rest runs
//! over all columns of a use case before the next. The sums are those of [`super::month`], which keeps the lines.

use multiversion::multiversion;

use crate::cache::HitRate;
use crate::pricing::{Api, CapacityWeek, PlanUse, StorageTerms, capacity_usd, costs_bill, price_factor};
use crate::routing::Serves;
use crate::scenario::{ApiFacts, EndpointFacts};
use crate::serving::{WeekShape, Weeks};
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
    pub requests: &'a [f64],
    /// The weeks of the use cases.
    pub week_shape: &'a WeekShape,
    /// Which profile of `week_shape` each use case has.
    pub profiles: &'a [usize],
}

/// Room to work in, kept from call to call.
#[derive(Debug, Clone, Default)]
pub(super) struct Pad {
    /// Requests that no response cache answers, `slot * columns + column`.
    misses: Vec<f64>,
    /// Requests that call an endpoint, `(slot * endpoints + endpoint) * columns + column`.
    flows: Vec<f64>,
    /// Replica-hours a week, `profile * columns + column`.
    work: Vec<f64>,
    /// Price change of each column.
    factors: Vec<f64>,
    /// Cached tokens per request of each column.
    reads: Vec<f64>,
    /// One column of requests.
    column: Vec<f64>,
    weeks: Weeks,
}

impl Situation<'_> {
    /// Adds the US dollars of each column to `usd`.
    pub(super) fn add_totals(
        &self,
        columns: &Columns<'_>,
        world: &mut PlanWorld,
        pad: &mut Pad,
        usd: &mut [f64],
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
    fn beside_endpoints(&self, columns: &Columns<'_>, pad: &mut Pad, usd: &mut [f64]) {
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
            add_lines(requests, misses, (mine, per_miss), usd);
        }
        usd.iter_mut().for_each(|usd| *usd += fixed);
        if columns.one_time {
            let first = usd.iter_mut().zip(columns.months).filter(|(_, month)| **month == 0);
            first.for_each(|(usd, _)| *usd += self.plan.costs.one_time_usd);
        }
    }

    /// Takes what the response caches answer off `misses`, which starts as the requests.
    fn response_caches(&self, slot: usize, requests: &[f64], misses: &mut [f64], usd: &mut [f64]) {
        let caches = [&self.plan.caches.exact, &self.plan.caches.semantic].into_iter().flatten();
        let derived = caches.map(|cache| &cache.hit).any(|hit| matches!(hit, HitRate::Derived(_)));
        let answer = |requests: f64| {
            let hits = self.hits(slot, requests);
            (1.0 - hits.total(), self.lookup_usd(&hits))
        };
        let (missed, lookups) = answer(0.0);
        let columns = misses.iter_mut().zip(requests).zip(usd);
        if derived {
            for ((misses, requests), usd) in columns {
                let (missed, lookups) = answer(*requests);
                *misses = requests * missed;
                *usd += requests * lookups;
            }
        } else if (missed, lookups) != (1.0, 0.0) {
            for ((misses, requests), usd) in columns {
                *misses = requests * missed;
                *usd += requests * lookups;
            }
        }
    }

    /// Sends the misses to the endpoints.
    fn spread(&self, columns: &Columns<'_>, world: &PlanWorld, pad: &mut Pad) {
        let count = columns.months.len();
        pad.flows.clear();
        pad.flows.resize(world.cells.len() * count, 0.0);
        let endpoints = self.plan.endpoints.len().max(1);
        for ((cell, flows), at) in world.cells.iter().zip(pad.flows.chunks_exact_mut(count.max(1))).zip(0..) {
            let slot: usize = at / endpoints;
            if cell.reach > 0.0 {
                let misses = &pad.misses[slot * count..(slot + 1) * count];
                times(misses, cell.reach, flows);
            }
        }
    }

    /// The fleet of a deployment; what it cannot serve goes to its fallback or nowhere.
    fn own_totals(
        &self,
        columns: &Columns<'_>,
        endpoint: usize,
        world: &PlanWorld,
        pad: &mut Pad,
        usd: &mut [f64],
    ) {
        let Serves::SelfHosted(own) = &self.plan.endpoints[endpoint].serves else { return };
        let (count, endpoints) = (usd.len(), self.plan.endpoints.len());
        let fits = matches!(world.memory[endpoint], Some(Ok(_)));
        let Pad { flows, work, weeks, .. } = pad;
        work.clear();
        work.resize(columns.week_shape.profiles() * count, 0.0);
        for (slot, profile) in columns.profiles.iter().enumerate() {
            let cell = slot * endpoints + endpoint;
            let hours = self.replica_hours_per_request(slot, &world.cells[cell]) / WEEKS_PER_MONTH;
            let flow = &flows[cell * count..(cell + 1) * count];
            let work = &mut work[profile * count..(profile + 1) * count];
            add_times(flow, hours, work);
        }
        columns.week_shape.tally(work, count, &own.deployment.fleet, self.fill_share(endpoint), weeks);
        if fits {
            let storage = StorageTerms {
                gb_per_replica: own.storage_gb,
                usd_per_gb_month: own.storage_usd_per_gb_month,
            };
            let gpus = own.deployment.gpus_per_replica;
            for (at, usd) in usd.iter_mut().enumerate() {
                let week = CapacityWeek {
                    replica_hours: weeks.replica_hours[at],
                    busy_replica_hours: weeks.busy_replica_hours[at],
                    peak_replicas: weeks.peak_replicas[at],
                };
                *usd += capacity_usd(&own.terms, gpus, &week, &storage, HOURS_PER_MONTH);
            }
        } else {
            weeks.served_share.fill(0.0);
        }
        for slot in 0..self.use_cases.len() {
            let from = (slot * endpoints + endpoint) * count;
            match self.fallback(slot, endpoint) {
                Some(to) => shed(flows, from, (slot * endpoints + to) * count, &weeks.served_share),
                None => {
                    let kept = flows[from..].iter_mut().zip(&weeks.served_share);
                    kept.for_each(|(flow, served)| *flow *= served);
                }
            }
        }
    }

    /// A provider's bill where no contract looks at its lines.
    fn api_totals(
        &self,
        columns: &Columns<'_>,
        endpoint: usize,
        (api, facts): (&Api<f64>, &ApiFacts),
        world: &mut PlanWorld,
        pad: &mut Pad,
        usd: &mut [f64],
    ) {
        let (count, endpoints) = (usd.len(), self.plan.endpoints.len());
        fill_factors(api.price_change_per_year, columns.months, &mut pad.factors);
        pad.reads.resize(count, 0.0);
        for slot in 0..self.use_cases.len() {
            let cell = slot * endpoints + endpoint;
            if world.cells[cell].reach <= 0.0 && !self.takes_overflow(slot, endpoint) {
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
                let line = match world.cells[cell].unit_line {
                    Some(line) if line.rates == row => line,
                    _ => self.unit_line(slot, endpoint, (api, facts), row),
                };
                world.cells[cell].unit_line = Some(line);
                let reads = &mut pad.reads[from..to];
                line.reads.read_each(&flows[from..to], 1.0 / SECS_PER_MONTH, reads);
                let price = (line.base, line.per_read_token, line.fees);
                add_requests(&flows[from..to], &pad.factors[from..to], reads, price, &mut usd[from..to]);
                let stored = row.and_then(|row| facts.rates[row].cache_storage_per_hour);
                if let Some(rate) = stored.filter(|_| self.caches_prompts(endpoint)) {
                    let storage = self.cache_storage_usd(slot, endpoint, rate, HOURS_PER_MONTH);
                    let used =
                        usd[from..to].iter_mut().zip(&flows[from..to]).filter(|(_, flow)| **flow > 0.0);
                    used.for_each(|(usd, _)| *usd += storage);
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
    fn contract_totals(
        &self,
        columns: &Columns<'_>,
        endpoint: usize,
        world: &mut PlanWorld,
        pad: &mut Pad,
        usd: &mut [f64],
    ) {
        let count = usd.len();
        for (at, usd) in usd.iter_mut().enumerate() {
            for (cell, flow) in world.flows.iter_mut().enumerate() {
                *flow = pad.flows[cell * count + at];
            }
            pad.column.clear();
            pad.column.extend(columns.requests.iter().skip(at).step_by(count));
            let mut total = Total::default();
            let month = Month { situation: *self, requests: &pad.column, month: columns.months[at] };
            month.api(endpoint, world, &mut total);
            *usd += total.0;
        }
    }
}

/// Adds what requests and misses cost, each at its price.
#[multiversion(targets = "simd")]
fn add_lines(requests: &[f64], misses: &[f64], (per_request, per_miss): (f64, f64), usd: &mut [f64]) {
    for ((usd, requests), misses) in usd.iter_mut().zip(requests).zip(misses) {
        *usd += per_request * requests + per_miss * misses;
    }
}

/// `out[i] = x[i] * factor`.
#[multiversion(targets = "simd")]
fn times(x: &[f64], factor: f64, out: &mut [f64]) {
    out.iter_mut().zip(x).for_each(|(out, x)| *out = x * factor);
}

/// `sum[i] += x[i] * factor`.
#[multiversion(targets = "simd")]
fn add_times(x: &[f64], factor: f64, sum: &mut [f64]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x * factor);
}

/// Moves what is not served from the flows at `from` to those at `to`.
fn shed(flows: &mut [f64], from: usize, to: usize, served_share: &[f64]) {
    for (at, served) in served_share.iter().enumerate() {
        let gone = flows[from + at] * (1.0 - served);
        flows[from + at] -= gone;
        flows[to + at] += gone;
    }
}

/// Adds what requests cost whose tokens are `base + per_read * reads` at a price factor, plus fees.
#[multiversion(targets = "simd")]
fn add_requests(
    requests: &[f64],
    factors: &[f64],
    reads: &[f64],
    (base, per_read, fees): (f64, f64, f64),
    usd: &mut [f64],
) {
    for (((usd, requests), factor), read) in usd.iter_mut().zip(requests).zip(factors).zip(reads) {
        *usd += requests * (factor * (base + per_read * read) + fees);
    }
}

/// The price change of each column; months in a row are a product, which is cheaper than a power each.
fn fill_factors(change_per_year: f64, months: &[usize], factors: &mut Vec<f64>) {
    factors.clear();
    let step = price_factor(change_per_year, 1.0);
    let mut last: Option<(usize, f64)> = None;
    factors.extend(months.iter().map(|month| {
        let factor = match last {
            Some((before, factor)) if before == *month => factor,
            Some((before, factor)) if before + 1 == *month => factor * step,
            _ => price_factor(change_per_year, *month as f64),
        };
        last = Some((*month, factor));
        factor
    }));
}
