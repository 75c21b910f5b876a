//! The simulation itself: what happens next, until nothing does.
//!
//! Requests are pulled from their sources, events wait in a queue that is stable (first come, first served among equal
//! times), replicas tell when their steps end. The earliest of the three is played; requests before events before
//! steps where they coincide, so that a request that comes as a step begins takes part in it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::unit::SimTime;

use super::answers::{AnswerCache, Remembered};
use super::api::{Api, Attempt, Failure};
use super::draws::Draws;
use super::pool::{Pool, PoolEvent, PoolSpec, ReplicaScaling};
use super::record::{Outcome, RequestRecord};
use super::replica::{Done, Job, Refused, Role};
use super::report::SimReport;
use super::request::{Request, Source};
use super::spec::{EndpointKind, OverflowWhen, Route, SimError, SimSpec};
use super::tally::{EndpointUse, Lost, StreamTally};
use super::timeline::Timeline;

/// A request inside.
#[derive(Clone, Debug)]
struct Flight {
    request: Request,
    /// Attempts at the endpoint at which it is.
    attempts: u32,
    /// Tier of a cascade.
    tier: usize,
    endpoint: usize,
    overflowed: bool,
    /// Replica that answered last.
    replica: Option<u32>,
    /// Time in queues so far.
    queued: SimTime,
}

/// What waits in the queue of events.
#[derive(Clone, Debug)]
enum Event {
    /// A request that another one led to.
    Came(Box<Request>),
    /// A request goes to its endpoint.
    Send(u32),
    /// Its prompt is done elsewhere and its KV is here; the first token was out then.
    Bring(u32, SimTime),
    /// A provider has answered: first token, last token, cached prompt tokens.
    Answered(u32, SimTime, u32),
    /// A provider's attempt has failed.
    Failed(u32, Failure),
    /// For a pool: which, and whether its prefill part.
    Pool(usize, bool, PoolEvent),
}

#[derive(Debug)]
struct Queued {
    at: SimTime,
    order: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// An endpoint of own GPUs, its prompts apart where they are.
struct OwnEndpoint {
    pool: Pool,
    prefill: Option<(Pool, (f64, f64))>,
    front: SimTime,
}

enum Endpoint {
    Api(Box<Api>),
    Own(Box<OwnEndpoint>),
}

impl Over<'_> {
    /// As a row of a table.
    #[must_use]
    pub fn record(&self, id: u64) -> RequestRecord {
        let request = self.request;
        let answered = self.lost.is_none();
        let outcome = match self.lost {
            None if self.from_cache => Outcome::Cached,
            None => Outcome::Served,
            Some(Lost::TooLong | Lost::QueueFull | Lost::RateLimit) => Outcome::Rejected,
            Some(Lost::Timeout) => Outcome::TimedOut,
            Some(Lost::Error | Lost::Outage) => Outcome::Failed,
        };
        RequestRecord {
            id,
            stream: request.stream,
            arrival: request.at,
            endpoint: self.endpoint.map(|at| at as u16),
            replica: self.replica,
            prompt_tokens: request.prompt_tokens,
            cached_tokens: self.cached_tokens.min(request.prompt_tokens),
            output_tokens: if answered { request.output_tokens } else { 0 },
            queue: (answered && !self.from_cache).then_some(self.queued),
            ttft: answered.then(|| self.first_token.since(request.at)),
            e2e: answered.then(|| self.end.since(request.at)),
            preemptions: self.preemptions,
            retries: self.retries,
            outcome,
        }
    }
}

/// Called with each request that is over.
pub type Watcher<'a> = Box<dyn FnMut(&Over<'_>) + Send + 'a>;

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Over<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who answered, by place; `None`: a response cache or nobody.
    pub endpoint: Option<usize>,
    /// Its replica, if it is own GPUs.
    pub replica: Option<u32>,
    /// Why nobody did.
    pub lost: Option<Lost>,
    /// A response cache answered.
    pub from_cache: bool,
    /// When the first token was out.
    pub first_token: SimTime,
    /// When it was over.
    pub end: SimTime,
    /// Time in queues.
    pub queued: SimTime,
    /// Prompt tokens of the last attempt, in the endpoint's own, that were cached.
    pub cached_tokens: u32,
    /// Attempts after the first.
    pub retries: u32,
    /// Times that its sequence was preempted.
    pub preemptions: u32,
}

/// A simulation under way. Its results are valid at any time.
pub struct Simulation<'a> {
    spec: SimSpec,
    sources: Vec<Box<dyn Source + 'a>>,
    /// The next request of each source.
    next: Vec<Option<Request>>,
    /// Whether a source wants to be told of answers.
    follows: Vec<bool>,
    endpoints: Vec<Endpoint>,
    /// Places of the endpoints that are own GPUs.
    pools: Vec<usize>,
    exact: Option<AnswerCache>,
    semantic: Option<AnswerCache>,
    events: BinaryHeap<Reverse<Queued>>,
    order: u64,
    flights: Vec<Flight>,
    free: Vec<u32>,
    inside: u64,
    draws: Draws,
    now: SimTime,
    streams: Vec<StreamTally>,
    usage: Vec<Vec<EndpointUse>>,
    timeline: Timeline,
    played: u64,
    watcher: Option<Watcher<'a>>,
    done: Vec<Done>,
    then: Vec<Request>,
    wake: Vec<(SimTime, PoolEvent)>,
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

    /// Whether only looks of pools and their like are left in the queue of events.
    fn is_over(&self) -> bool {
        self.events.iter().all(|Reverse(queued)| matches!(queued.event, Event::Pool(..)))
    }

    fn push(&mut self, at: SimTime, event: Event) {
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

    fn counted(&self, request: &Request) -> bool {
        request.at >= self.spec.warmup
    }

    fn came(&mut self, request: Request) {
        self.played += 1;
        self.timeline.now(self.now).arrived += 1;
        let stream = usize::from(request.stream).min(self.streams.len() - 1);
        if self.counted(&request) {
            self.streams[stream].arrived += 1;
        }
        let lookup = match self.ask_caches(&request, stream) {
            Ok(()) => return,
            Err(lookup) => lookup,
        };
        let (endpoint, wait, overflowed) = self.choose(stream);
        let flight =
            Flight { request, attempts: 0, tier: 0, endpoint, overflowed, replica: None, queued: SimTime(0) };
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
            self.flights[place as usize] = flight;
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
        self.follow(request, end, true);
    }

    fn tell(&mut self, over: &Over<'_>) {
        if let Some(watcher) = &mut self.watcher {
            watcher(over);
        }
    }

    /// What a request leads to. `end` may lie ahead: what follows comes after it.
    fn follow(&mut self, request: &Request, end: SimTime, served: bool) {
        let source = usize::from(request.stream).min(self.sources.len().saturating_sub(1));
        if !self.follows.get(source).copied().unwrap_or(false) {
            return;
        }
        let mut then = std::mem::take(&mut self.then);
        self.sources[source].answered(request, end, served, &mut then);
        for next in then.drain(..) {
            if next.at < self.spec.horizon {
                self.push(next.at, Event::Came(Box::new(next)));
            }
        }
        self.then = then;
    }

    /// Endpoint of a request, seconds until it is sent there, and whether it is an overflow.
    fn choose(&mut self, stream: usize) -> (usize, f64, bool) {
        match &self.spec.streams[stream].route {
            Route::Single(at) => (*at, 0.0, false),
            Route::Cascade { steps, .. } => (steps[0].0, 0.0, false),
            Route::Split { shares, classifier_secs } => {
                let all: f64 = shares.iter().map(|(_, share)| share.max(0.0)).sum();
                let mut left = self.draws.uniform() * all;
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
            Event::Bring(place, first) => self.enqueue(place, Some(first)),
            Event::Answered(place, first, cached) => {
                self.answered(place, first, self.now, cached, 0);
            }
            Event::Failed(place, why) => self.failed(place, why),
            Event::Pool(at, prefill, event) => self.wake_pool(at, prefill, event),
        }
    }

    fn send(&mut self, place: u32) {
        let flight = &self.flights[place as usize];
        let (at, stream) = (flight.endpoint, usize::from(flight.request.stream).min(self.streams.len() - 1));
        let Endpoint::Api(api) = &mut self.endpoints[at] else {
            self.enqueue(place, None);
            return;
        };
        let factor = self.spec.endpoints[at].token_factor;
        let expected = self.spec.streams[stream].expected_output * factor;
        if self.draws.happens(self.spec.streams[stream].failure_share) {
            let known = self.now + api.time_to_error();
            self.push(known, Event::Failed(place, Failure::Error));
            return;
        }
        let attempt = if factor == 1.0 {
            api.attempt(&flight.request, expected, self.now)
        } else {
            let mut request = flight.request.clone();
            request.prompt_tokens = scaled(request.prompt_tokens, factor);
            request.output_tokens = scaled(request.output_tokens, factor);
            api.attempt(&request, expected, self.now)
        };
        match attempt {
            Attempt::Failed { why, at } if at > self.now => self.push(at, Event::Failed(place, why)),
            Attempt::Failed { why, .. } => self.failed(place, why),
            Attempt::Answered { first, last, cached_tokens } => {
                let cached = cached_tokens.max(self.given_tokens(at, &self.flights[place as usize].request));
                // Where nothing hangs on the answer, it need not wait in the queue of events.
                if self.is_final(place) {
                    self.answered(place, first, last, cached, 0);
                } else {
                    self.push(last, Event::Answered(place, first, cached));
                }
            }
        }
    }

    /// Whether an answer leads to nothing else that would have to wait for it.
    fn is_final(&self, place: u32) -> bool {
        let request = &self.flights[place as usize].request;
        let stream = usize::from(request.stream).min(self.streams.len() - 1);
        !matches!(self.spec.streams[stream].route, Route::Cascade { .. })
            && !self.follows.get(usize::from(request.stream)).copied().unwrap_or(false)
    }

    fn enqueue(&mut self, place: u32, brought: Option<SimTime>) {
        let flight = &self.flights[place as usize];
        let (at, request) = (flight.endpoint, &flight.request);
        let factor = self.spec.endpoints[at].token_factor;
        let job = Job {
            id: u64::from(place),
            arrival: self.now,
            prompt_tokens: scaled(request.prompt_tokens, factor),
            output_tokens: scaled(request.output_tokens, factor),
            prefix: request.prefix.clone(),
            given_tokens: self.given_tokens(at, request),
            first_token: brought,
        };
        let session = request.session;
        let Endpoint::Own(own) = &mut self.endpoints[at] else { return };
        let taken = match &mut own.prefill {
            Some((prefill, _)) if brought.is_none() => prefill.enqueue(job, session, self.now),
            _ => own.pool.enqueue(job, session, self.now),
        };
        if let Err(refused) = taken {
            self.refused(place, refused);
        }
    }

    /// Prompt tokens that are found because a share is given, in the endpoint's own.
    #[inline]
    fn given_tokens(&self, at: usize, request: &Request) -> u32 {
        let endpoint = &self.spec.endpoints[at];
        let tokens = f64::from(request.prompt_tokens) * endpoint.token_factor * endpoint.given_hit_share;
        tokens.round().clamp(0.0, f64::from(u32::MAX)) as u32
    }

    fn refused(&mut self, place: u32, refused: Refused) {
        let flight = &mut self.flights[place as usize];
        let stream = usize::from(flight.request.stream).min(self.streams.len() - 1);
        if let Route::Overflow { fallback, .. } = self.spec.streams[stream].route
            && !flight.overflowed
        {
            flight.overflowed = true;
            flight.endpoint = fallback;
            let counted = self.counted(&self.flights[place as usize].request);
            self.streams[stream].overflowed += u64::from(counted);
            self.timeline.now(self.now).overflowed += 1;
            self.send(place);
            return;
        }
        self.lose(place, refused.into());
    }

    fn failed(&mut self, place: u32, why: Failure) {
        let flight = &mut self.flights[place as usize];
        let stream = usize::from(flight.request.stream).min(self.streams.len() - 1);
        flight.attempts += 1;
        let (attempts, at, counted) =
            (flight.attempts, flight.endpoint, flight.request.at >= self.spec.warmup);
        let spec = &self.spec.streams[stream];
        self.usage[stream][at].failed_attempts += u64::from(counted);
        if attempts > spec.retries_max {
            self.lose(place, why.into());
            return;
        }
        // Doubling, and spread over half to the whole of it so that callers do not come back together.
        let wait = spec.backoff_secs
            * f64::from(1_u32 << (attempts - 1).min(16))
            * (0.5 + 0.5 * self.draws.uniform());
        self.streams[stream].retries += u64::from(counted);
        self.push(self.now + SimTime::from_secs(wait), Event::Send(place));
    }

    fn lose(&mut self, place: u32, why: Lost) {
        let request = self.disembark(place);
        let stream = usize::from(request.stream).min(self.streams.len() - 1);
        if self.counted(&request) {
            *self.streams[stream].lost.entry(why).or_default() += 1;
        }
        self.timeline.now(self.now).lost += 1;
        let flight = &self.flights[place as usize];
        let (queued, retries) = (flight.queued, flight.attempts.saturating_sub(1));
        self.tell(&Over {
            request: &request,
            endpoint: None,
            replica: None,
            lost: Some(why),
            from_cache: false,
            first_token: self.now,
            end: self.now,
            queued,
            cached_tokens: 0,
            retries,
            preemptions: 0,
        });
        self.follow(&request, self.now, false);
    }

    fn disembark(&mut self, place: u32) -> Request {
        self.inside -= 1;
        self.free.push(place);
        let flight = &mut self.flights[place as usize];
        let empty = Request::plain(SimTime(0), 0, 0, 1);
        std::mem::replace(&mut flight.request, empty)
    }

    fn wake_pool(&mut self, at: usize, prefill: bool, event: PoolEvent) {
        let Endpoint::Own(own) = &mut self.endpoints[at] else { return };
        let (mut wake, mut lost) = (std::mem::take(&mut self.wake), Vec::new());
        let pool = match &mut own.prefill {
            Some((pool, _)) if prefill => pool,
            _ => &mut own.pool,
        };
        pool.wake(event, self.now, &mut wake, &mut lost);
        for (time, event) in wake.drain(..) {
            self.push(time, Event::Pool(at, prefill, event));
        }
        self.wake = wake;
        for job in lost {
            self.refused(job.id as u32, Refused::QueueFull);
        }
    }

    fn end_steps(&mut self, (at, prefill): (usize, bool)) {
        let mut done = std::mem::take(&mut self.done);
        let Endpoint::Own(own) = &mut self.endpoints[at] else { return };
        let front = own.front;
        match &mut own.prefill {
            Some((pool, transfer)) if prefill => {
                pool.advance(&mut done);
                let transfer = *transfer;
                for prompt in done.drain(..) {
                    self.bring(&prompt, transfer);
                }
            }
            _ => {
                let replica = own.pool.advance(&mut done);
                for answer in done.drain(..) {
                    let place = answer.job.id as u32;
                    self.flights[place as usize].replica = Some(replica);
                    self.flights[place as usize].queued += answer.scheduled.since(answer.job.arrival);
                    let first = answer.first_token + front;
                    self.answered(
                        place,
                        first,
                        answer.finished + front,
                        answer.cached_tokens,
                        answer.preemptions,
                    );
                }
            }
        }
        self.done = done;
    }

    /// A prompt is done on a replica for prompts: its KV goes over to one that answers.
    fn bring(&mut self, prompt: &Done, (fixed_secs, per_token_secs): (f64, f64)) {
        let place = prompt.job.id as u32;
        self.flights[place as usize].queued += prompt.scheduled.since(prompt.job.arrival);
        if prompt.job.output_tokens <= 1 {
            self.answered(
                place,
                prompt.first_token,
                prompt.finished,
                prompt.cached_tokens,
                prompt.preemptions,
            );
            return;
        }
        let secs = fixed_secs + per_token_secs * f64::from(prompt.job.prompt_tokens);
        self.push(self.now + SimTime::from_secs(secs), Event::Bring(place, prompt.first_token));
    }

    /// An endpoint has answered: the end, or the next tier of a cascade.
    fn answered(&mut self, place: u32, first: SimTime, last: SimTime, cached_tokens: u32, preemptions: u32) {
        let flight = &self.flights[place as usize];
        let at = flight.endpoint;
        let stream = usize::from(flight.request.stream).min(self.streams.len() - 1);
        let factor = self.spec.endpoints[at].token_factor;
        let output_tokens = scaled(flight.request.output_tokens, factor);
        if self.counted(&flight.request) {
            let usage = &mut self.usage[stream][at];
            usage.calls += 1;
            usage.prompt_tokens += u64::from(scaled(flight.request.prompt_tokens, factor));
            usage.cached_tokens += u64::from(cached_tokens);
            usage.output_tokens += u64::from(output_tokens);
        }
        let mut shown = first;
        let mut end = last;
        if let Route::Cascade { steps, verifier_secs } = &self.spec.streams[stream].route
            && flight.tier + 1 < steps.len()
        {
            // What has to be verified is not streamed: it is shown as a whole, or not at all.
            end = last + SimTime::from_secs(*verifier_secs);
            shown = end;
            let (accept, next) = (steps[flight.tier].1, steps[flight.tier + 1].0);
            if !self.draws.happens(accept) {
                let flight = &mut self.flights[place as usize];
                flight.tier += 1;
                flight.endpoint = next;
                flight.attempts = 0;
                self.push(end, Event::Send(place));
                return;
            }
        }
        self.finish(place, (at, output_tokens), shown, (last.since(first), end), cached_tokens, preemptions);
    }

    fn finish(
        &mut self,
        place: u32,
        (at, output_tokens): (usize, u32),
        shown: SimTime,
        (decoding, end): (SimTime, SimTime),
        cached_tokens: u32,
        preemptions: u32,
    ) {
        let request = self.disembark(place);
        let flight = &self.flights[place as usize];
        let (queued, retries, replica) = (flight.queued, flight.attempts, flight.replica);
        let stream = usize::from(request.stream).min(self.streams.len() - 1);
        let ttft = shown.since(request.at);
        let each = (output_tokens > 1).then(|| decoding.0 / u64::from(output_tokens - 1)).map(SimTime);
        if self.counted(&request) {
            let spec = &self.spec.streams[stream];
            let within = ttft.secs() <= spec.ttft_slo_secs
                && each.is_none_or(|each| each.secs() <= spec.tpot_slo_secs);
            let tally = &mut self.streams[stream];
            tally.answered += 1;
            tally.output_tokens += u64::from(output_tokens);
            if within {
                tally.within_slo += 1;
                tally.good_output_tokens += u64::from(output_tokens);
            }
            tally.ttft.record(ttft);
            if let Some(each) = each {
                tally.tpot.record(each);
            }
            tally.e2e.record(end.since(request.at));
            tally.queue.record(queued);
        }
        let bin = self.timeline.at(end.max(self.now), self.now);
        bin.answered += 1;
        bin.output_tokens += u64::from(output_tokens);
        self.tell(&Over {
            request: &request,
            endpoint: Some(at),
            replica,
            lost: None,
            from_cache: false,
            first_token: shown,
            end,
            queued,
            cached_tokens,
            retries,
            preemptions,
        });
        self.follow(&request, end, true);
    }
}

/// Tokens of another tokenizer; one stays one.
#[inline]
fn scaled(tokens: u32, factor: f64) -> u32 {
    if factor == 1.0 { tokens } else { (f64::from(tokens) * factor).round().max(1.0) as u32 }
}

fn endpoint(spec: &SimSpec, at: usize, events: &mut Vec<(SimTime, Event)>) -> Endpoint {
    let endpoint = &spec.endpoints[at];
    let name = |part: &str| format!("sim.{}.{part}", endpoint.name);
    let pool_spec = match &endpoint.kind {
        EndpointKind::Api(api) => {
            return Endpoint::Api(Box::new(Api::new(api.clone(), spec.seed, &name("api"))));
        }
        EndpointKind::Own(pool) => pool.as_ref().clone(),
    };
    let mut wake = Vec::new();
    let front = SimTime::from_secs(pool_spec.front_secs);
    let prefill = pool_spec.prefill.clone().map(|prefill| {
        let apart = PoolSpec {
            limits: prefill.limits,
            pace: prefill.pace,
            scaling: ReplicaScaling::Fixed(prefill.replicas),
            prefill: None,
            ..pool_spec.clone()
        };
        (Pool::with_role(apart, Role::Prefill, spec.seed, &name("prefill"), &mut wake), prefill.transfer_secs)
    });
    events.extend(wake.drain(..).map(|(time, event)| (time, Event::Pool(at, true, event))));
    let pool = Pool::new(pool_spec, spec.seed, &name("pool"), &mut wake);
    events.extend(wake.into_iter().map(|(time, event)| (time, Event::Pool(at, false, event))));
    Endpoint::Own(Box::new(OwnEndpoint { pool, prefill, front }))
}
