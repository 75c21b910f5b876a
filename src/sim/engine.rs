//! The simulation itself: what happens next, until nothing does.
//!
//! Requests are pulled from their sources, events wait in a queue that is stable (first come, first served among equal
//! times), replicas tell when their steps end. The earliest of the three is played; requests before events before
//! steps where they coincide, so that a request that comes as a step begins takes part in it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::unit::SimTime;

use super::answers::{AnswerCache, Remembered};
use super::draws::Draws;
use super::endpoint::{Endpoint, endpoint};
use super::events::{Event, Queued};
use super::job::Done;
use super::over::{Over, Watcher};
use super::pool::{PoolEvent, Seat};
use super::report::SimReport;
use super::request::{AnsweredBy, Request, Source};
use super::spec::{OverflowWhen, Route, SimError, SimSpec};
use super::tally::{EndpointUse, StreamTally};
use super::timeline::Timeline;

/// A request inside.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub request: Request,
    /// Attempts at the endpoint at which it is.
    pub attempts: u32,
    /// Attempts after the first, at all endpoints.
    pub retries: u32,
    /// Changes with each attempt and request in this place: what an event of another one says is void.
    pub number: u32,
    /// Where it waits or runs.
    pub seat: At,
    /// Tier of a cascade.
    pub tier: usize,
    pub endpoint: usize,
    pub overflowed: bool,
    /// Replica that answered last.
    pub replica: Option<u32>,
    /// Time in queues so far.
    pub queued: SimTime,
}

/// Where a request is at an endpoint of own GPUs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum At {
    /// Nowhere: on the way, or at a provider.
    #[default]
    Nowhere,
    /// On a replica for prompts.
    Prompts(Seat),
    /// On a replica that answers.
    Answers(Seat),
}

/// A simulation under way. Its results are valid at any time.
pub struct Simulation<'a> {
    pub(super) spec: SimSpec,
    pub(super) sources: Vec<Box<dyn Source + 'a>>,
    /// The next request of each source.
    pub(super) next: Vec<Option<Request>>,
    /// Whether a source wants to be told of answers.
    pub(super) follows: Vec<bool>,
    pub(super) endpoints: Vec<Endpoint>,
    /// Places of the endpoints that are own GPUs.
    pub(super) pools: Vec<usize>,
    pub(super) exact: Option<AnswerCache>,
    pub(super) semantic: Option<AnswerCache>,
    pub(super) events: BinaryHeap<Reverse<Queued>>,
    pub(super) order: u64,
    pub(super) flights: Vec<Flight>,
    pub(super) free: Vec<u32>,
    pub(super) inside: u64,
    pub(super) draws: Draws,
    pub(super) now: SimTime,
    pub(super) streams: Vec<StreamTally>,
    pub(super) usage: Vec<Vec<EndpointUse>>,
    pub(super) timeline: Timeline,
    pub(super) played: u64,
    pub(super) watcher: Option<Watcher<'a>>,
    pub(super) done: Vec<Done>,
    pub(super) then: Vec<Request>,
    pub(super) wake: Vec<(SimTime, PoolEvent)>,
}

/// Events between two looks at whether to stop.
const LOOK_EVERY: u64 = 4_096;

impl<'a> Simulation<'a> {
    /// A simulation at time 0. Sources answer for the streams in their order: source i is told of answers to stream i.
    ///
    /// # Errors
    /// [`SimError`] where the system cannot be simulated.
    pub fn new(spec: SimSpec, mut sources: Vec<Box<dyn Source + 'a>>) -> Result<Self, SimError> {
        spec.check()?;
        let mut events = Vec::new();
        let endpoints: Vec<Endpoint> =
            spec.endpoints.iter().enumerate().map(|(at, _)| endpoint(&spec, at, &mut events)).collect();
        let pools =
            (0..endpoints.len()).filter(|at| matches!(endpoints[*at], Endpoint::Own(_))).collect::<Vec<_>>();
        let mut simulation = Self {
            next: sources.iter_mut().map(|source| source.next()).collect(),
            follows: sources.iter().map(|source| source.follows()).collect(),
            sources,
            exact: spec.exact.map(|cache| AnswerCache::new(cache, spec.seed, "sim.exact")),
            semantic: spec.semantic.map(|cache| AnswerCache::new(cache, spec.seed, "sim.semantic")),
            events: BinaryHeap::new(),
            order: 0,
            flights: Vec::new(),
            free: Vec::new(),
            inside: 0,
            draws: Draws::new(spec.seed, "sim.routing"),
            now: SimTime(0),
            streams: vec![StreamTally::default(); spec.streams.len()],
            usage: vec![vec![EndpointUse::default(); endpoints.len()]; spec.streams.len()],
            timeline: Timeline::new(spec.horizon, pools.len()),
            pools,
            endpoints,
            played: 0,
            watcher: None,
            done: Vec::new(),
            then: Vec::new(),
            wake: Vec::new(),
            spec,
        };
        for (at, event) in events {
            simulation.push(at, event);
        }
        Ok(simulation)
    }

    /// Lets `watcher` see each request that is over, those of the warm-up too.
    pub fn watch(&mut self, watcher: Watcher<'a>) {
        self.watcher = Some(watcher);
    }

    /// What was asked of the exact and of the semantic cache before time 0, by stream.
    pub fn remember(&mut self, exact: Vec<Remembered>, semantic: Vec<Remembered>) {
        for (cache, before) in [(&mut self.exact, exact), (&mut self.semantic, semantic)] {
            if let Some(cache) = cache {
                cache.remember(before);
            }
        }
    }

    /// Where the clock stands.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Requests that came so far, those of the warm-up too.
    #[must_use]
    pub fn played(&self) -> u64 {
        self.played
    }

    /// What was counted so far.
    #[must_use]
    pub fn report(&self) -> SimReport {
        let pools = self
            .pools
            .iter()
            .filter_map(|at| match &self.endpoints[*at] {
                Endpoint::Own(own) => Some((*at, own)),
                Endpoint::Api(_) => None,
            })
            .map(|(at, own)| {
                let prefill = own.prefill.as_ref().map(|(pool, _)| pool);
                super::report::pool_report(at, &own.pool, prefill, self.now)
            })
            .collect();
        SimReport {
            streams: self.streams.clone(),
            usage: self.usage.clone(),
            pools,
            timeline: self.timeline.finished(self.now),
            played: self.played,
            inside: self.inside,
            end: self.now,
            warmup: self.spec.warmup,
        }
    }

    /// Plays until nothing is left or `stop` says so; whether it came to the end. It may be called again.
    pub fn run(&mut self, stop: &mut dyn FnMut(&Self) -> bool) -> bool {
        self.run_until(SimTime::NEVER, stop)
    }

    /// The same, and no further than to `until`: what happens from then on is left for the next call.
    pub fn run_until(&mut self, until: SimTime, stop: &mut dyn FnMut(&Self) -> bool) -> bool {
        let mut looked = 0;
        loop {
            let requests = self.soonest_source();
            let events = self.events.peek().map_or(SimTime::NEVER, |Reverse(queued)| queued.at);
            let (steps, pool) = self.soonest_pool();
            let coming = requests.0.min(events).min(steps);
            if coming == SimTime::NEVER
                || (self.inside == 0 && requests.0 == SimTime::NEVER && self.is_over())
            {
                self.timeline.close(self.now, &self.pool_states());
                return true;
            }
            if coming >= until {
                return false;
            }
            if coming >= self.timeline.next_sample() {
                let states = self.pool_states_at(self.timeline.next_sample());
                self.timeline.sample(&states);
                continue;
            }
            self.now = coming;
            if requests.0 == coming {
                self.take(requests.1);
            } else if events == coming {
                if let Some(Reverse(queued)) = self.events.pop() {
                    self.play(queued.event);
                }
            } else {
                self.end_steps(pool);
            }
            looked += 1;
            if looked % LOOK_EVERY == 0 && stop(self) {
                return false;
            }
        }
    }

    /// Whether only looks of pools and the patience of those who have their answer are left in the queue of events.
    fn is_over(&self) -> bool {
        self.events.iter().all(|Reverse(queued)| matches!(queued.event, Event::Pool(..) | Event::GivenUp(..)))
    }

    pub(super) fn push(&mut self, at: SimTime, event: Event) {
        self.order += 1;
        self.events.push(Reverse(Queued { at, order: self.order, event }));
    }

    #[inline]
    fn soonest_source(&self) -> (SimTime, usize) {
        let mut soonest = (SimTime::NEVER, 0);
        for (place, next) in self.next.iter().enumerate() {
            if let Some(request) = next
                && request.at < soonest.0
            {
                soonest = (request.at, place);
            }
        }
        soonest
    }

    #[inline]
    fn soonest_pool(&self) -> (SimTime, (usize, bool)) {
        let mut soonest = (SimTime::NEVER, (0, false));
        for &at in &self.pools {
            let Endpoint::Own(own) = &self.endpoints[at] else { continue };
            let prefill = own.prefill.as_ref().map_or(SimTime::NEVER, |(pool, _)| pool.next_event());
            for (end, which) in [(own.pool.next_event(), (at, false)), (prefill, (at, true))] {
                if end < soonest.0 {
                    soonest = (end, which);
                }
            }
        }
        soonest
    }

    fn pool_states(&self) -> Vec<super::pool::PoolState> {
        self.pool_states_at(self.now)
    }

    fn pool_states_at(&self, at: SimTime) -> Vec<super::pool::PoolState> {
        let own = self.pools.iter().filter_map(|place| match &self.endpoints[*place] {
            Endpoint::Own(own) => Some(own),
            Endpoint::Api(_) => None,
        });
        own.map(|own| {
            let mut state = own.pool.state(at);
            if let Some((prefill, _)) = &own.prefill {
                let prompts = prefill.state(at);
                state.waiting += prompts.waiting;
                state.running += prompts.running;
                state.busy_ns += prompts.busy_ns;
                state.paid_ns += prompts.paid_ns;
            }
            state
        })
        .collect()
    }

    fn take(&mut self, place: usize) {
        let Some(request) = self.next[place].take() else { return };
        self.next[place] = self.sources[place].next().filter(|next| next.at < self.spec.horizon);
        self.came(request);
    }

    pub(super) fn counted(&self, request: &Request) -> bool {
        request.at >= self.spec.warmup
    }

    fn came(&mut self, mut request: Request) {
        self.played += 1;
        self.timeline.now(self.now).arrived += 1;
        // A stream that is not described counts as the last: from here on every request has one.
        let stream = usize::from(request.stream).min(self.streams.len() - 1);
        request.stream = stream as u16;
        if self.counted(&request) {
            self.streams[stream].arrived += 1;
        }
        let lookup = match self.ask_caches(&request, stream) {
            Ok(()) => return,
            Err(lookup) => lookup,
        };
        let (endpoint, wait, overflowed) = self.choose(&request);
        let flight = Flight {
            request,
            attempts: 0,
            retries: 0,
            number: 0,
            seat: At::Nowhere,
            tier: 0,
            endpoint,
            overflowed,
            replica: None,
            queued: SimTime(0),
        };
        if overflowed {
            self.timeline.now(self.now).overflowed += 1;
            if self.counted(&flight.request) {
                self.streams[stream].overflowed += 1;
            }
        }
        let place = self.board(flight);
        let wait = lookup + SimTime::from_secs(wait);
        if wait.0 == 0 { self.send(place) } else { self.push(self.now + wait, Event::Send(place)) }
    }

    fn board(&mut self, flight: Flight) -> u32 {
        self.inside += 1;
        if let Some(place) = self.free.pop() {
            let before = &mut self.flights[place as usize];
            *before = Flight { number: before.number, ..flight };
            return place;
        }
        self.flights.push(flight);
        (self.flights.len() - 1) as u32
    }

    /// Asks the response caches. `Ok` when one answered, else the time that asking took.
    fn ask_caches(&mut self, request: &Request, stream: usize) -> Result<(), SimTime> {
        let Some(key) = request.key.filter(|_| self.spec.streams[stream].cacheable) else {
            return Err(SimTime(0));
        };
        if (self.exact.is_some() || self.semantic.is_some()) && self.counted(request) {
            self.streams[stream].asked += 1;
        }
        let mut lookup = SimTime(0);
        for exact in [true, false] {
            let cache = if exact { &mut self.exact } else { &mut self.semantic };
            let Some(cache) = cache else { continue };
            lookup += SimTime::from_secs(cache.spec.lookup_secs);
            if cache.ask(if exact { key.exact } else { key.like }, self.now) {
                let wrong = cache.is_false();
                self.answer_from_cache(request, stream, exact, wrong, lookup);
                return Ok(());
            }
        }
        Err(lookup)
    }

    fn answer_from_cache(
        &mut self,
        request: &Request,
        stream: usize,
        exact: bool,
        wrong: bool,
        lookup: SimTime,
    ) {
        if self.counted(request) {
            let tally = &mut self.streams[stream];
            *(if exact { &mut tally.exact_hits } else { &mut tally.semantic_hits }) += 1;
            tally.false_hits += u64::from(wrong);
            tally.ttft.record(lookup);
            tally.e2e.record(lookup);
        }
        let bin = self.timeline.now(self.now);
        bin.hits += 1;
        bin.answered += 1;
        let end = self.now + lookup;
        self.tell(&Over {
            request,
            endpoint: None,
            replica: None,
            lost: None,
            from_cache: true,
            first_token: end,
            end,
            queued: SimTime(0),
            cached_tokens: 0,
            retries: 0,
            preemptions: 0,
        });
        self.follow(request, end, AnsweredBy::Cache);
    }

    pub(super) fn tell(&mut self, over: &Over<'_>) {
        if let Some(watcher) = &mut self.watcher {
            watcher(over);
        }
    }

    /// What a request leads to. `end` may lie ahead: what follows comes after it.
    pub(super) fn follow(&mut self, request: &Request, end: SimTime, by: AnsweredBy) {
        let source = usize::from(request.stream).min(self.sources.len().saturating_sub(1));
        if !self.follows.get(source).copied().unwrap_or(false) {
            return;
        }
        let mut then = std::mem::take(&mut self.then);
        self.sources[source].over(request, end, by, &mut then);
        for next in then.drain(..) {
            if next.at < self.spec.horizon {
                self.push(next.at, Event::Came(Box::new(next)));
            }
        }
        self.then = then;
    }

    /// Endpoint of a request, seconds until it is sent there, and whether it is an overflow.
    /// A split sends all calls of a turn to the same endpoint.
    fn choose(&mut self, request: &Request) -> (usize, f64, bool) {
        match &self.spec.streams[usize::from(request.stream)].route {
            Route::Single(at) => (*at, 0.0, false),
            Route::Cascade { steps, .. } => (steps[0].0, 0.0, false),
            Route::Split { shares, classifier_secs } => {
                let all: f64 = shares.iter().map(|(_, share)| share.max(0.0)).sum();
                let drawn = match request.prefix.turn() {
                    Some(turn) => self.draws.uniform_of(turn),
                    None => self.draws.uniform(),
                };
                let mut left = drawn * all;
                let chosen = shares.iter().find(|(_, share)| {
                    left -= share.max(0.0);
                    left < 0.0
                });
                (chosen.unwrap_or(&shares[shares.len() - 1]).0, *classifier_secs, false)
            }
            Route::Overflow { own, fallback, when } => {
                if self.is_full(*own, *when) {
                    (*fallback, 0.0, true)
                } else {
                    (*own, 0.0, false)
                }
            }
        }
    }

    fn is_full(&self, at: usize, when: OverflowWhen) -> bool {
        let Endpoint::Own(own) = &self.endpoints[at] else { return false };
        let pool = own.prefill.as_ref().map_or(&own.pool, |(prefill, _)| prefill);
        match when {
            OverflowWhen::Calls(most) => own.pool.least_load().is_none_or(|load| load >= most),
            OverflowWhen::Waiting(most) => pool.least_waiting() >= most,
            OverflowWhen::Ttft { per_waiting_secs, most_secs } => {
                (pool.least_waiting() + 1) as f64 * per_waiting_secs > most_secs
            }
        }
    }

    fn play(&mut self, event: Event) {
        match event {
            Event::Came(request) => self.came(*request),
            Event::Send(place) => self.send(place),
            Event::Bring(place, number, first) => {
                if self.flights[place as usize].number == number {
                    self.enqueue(place, Some(first));
                }
            }
            Event::GivenUp(place, number) => self.given_up(place, number),
            Event::Answered(place, first, cached) => {
                self.answered(place, first, self.now, cached, 0);
            }
            Event::Failed(place, why) => self.failed(place, why),
            Event::Pool(at, prefill, event) => self.wake_pool(at, prefill, event),
        }
    }
}
