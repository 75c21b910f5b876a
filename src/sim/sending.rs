//! Where requests go and what comes back: attempts at providers, calls on own GPUs, callers who wait no longer.

use crate::unit::SimTime;

use super::api::{Attempt, Failure};
use super::endpoint::Endpoint;
use super::engine::{At, Simulation};
use super::events::Event;
use super::job::{Job, Refused};
use super::pool::PoolEvent;
use super::request::Request;
use super::spec::Route;

impl Simulation<'_> {
    pub(super) fn send(&mut self, place: u32) {
        let flight = &mut self.flights[place as usize];
        flight.number = flight.number.wrapping_add(1);
        let (at, stream, number) = (flight.endpoint, usize::from(flight.request.stream), flight.number);
        let timeout = self.spec.streams[stream].timeout_secs;
        let api = match &mut self.endpoints[at] {
            Endpoint::Api(api) => api,
            Endpoint::Own(own) => {
                // Longer than it waits, the time of the server in front included.
                let within = timeout.map(|secs| SimTime::from_secs(secs).since(own.front) + SimTime(1));
                if self.enqueue(place, None)
                    && let Some(within) = within
                {
                    self.push(self.now + within, Event::GivenUp(place, number));
                }
                return;
            }
        };
        let factor = self.spec.endpoints[at].token_factor;
        let expected = self.spec.streams[stream].expected_output * factor;
        if self.draws.happens(self.spec.streams[stream].failure_share) {
            let known = self.now + api.time_to_error();
            self.push(known, Event::Failed(place, Failure::Error));
            return;
        }
        let attempt = if factor == 1.0 {
            api.attempt(&flight.request, expected, timeout, self.now)
        } else {
            let mut request = flight.request.clone();
            request.prompt_tokens = scaled(request.prompt_tokens, factor);
            request.output_tokens = scaled(request.output_tokens, factor);
            api.attempt(&request, expected, timeout, self.now)
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
        let stream = usize::from(request.stream);
        !matches!(self.spec.streams[stream].route, Route::Cascade { .. })
            && !self.follows.get(usize::from(request.stream)).copied().unwrap_or(false)
    }

    /// Gives a request to own GPUs; whether they took it.
    pub(super) fn enqueue(&mut self, place: u32, brought: Option<SimTime>) -> bool {
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
        let Endpoint::Own(own) = &mut self.endpoints[at] else { return false };
        let taken = match &mut own.prefill {
            Some((prefill, _)) if brought.is_none() => {
                prefill.enqueue(job, session, self.now).map(At::Prompts)
            }
            _ => own.pool.enqueue(job, session, self.now).map(At::Answers),
        };
        match taken {
            Ok(seat) => {
                self.flights[place as usize].seat = seat;
                true
            }
            Err(refused) => {
                self.refused(place, refused);
                false
            }
        }
    }

    /// The caller of an attempt waits no longer: it is taken back from where it waits or runs.
    pub(super) fn given_up(&mut self, place: u32, number: u32) {
        let flight = &mut self.flights[place as usize];
        if flight.number != number {
            return;
        }
        flight.number = number.wrapping_add(1);
        let seat = std::mem::take(&mut flight.seat);
        if let Endpoint::Own(own) = &mut self.endpoints[flight.endpoint] {
            match (seat, &mut own.prefill) {
                (At::Prompts(seat), Some((prefill, _))) => prefill.withdraw(u64::from(place), seat, self.now),
                (At::Answers(seat), _) => own.pool.withdraw(u64::from(place), seat, self.now),
                (At::Nowhere | At::Prompts(_), _) => {}
            }
        }
        self.failed(place, Failure::Timeout);
    }

    /// Prompt tokens that are found because a share is given, in the endpoint's own.
    #[inline]
    fn given_tokens(&self, at: usize, request: &Request) -> u32 {
        let endpoint = &self.spec.endpoints[at];
        let tokens = f64::from(request.prompt_tokens) * endpoint.token_factor * endpoint.given_hit_share;
        tokens.round().clamp(0.0, f64::from(u32::MAX)) as u32
    }

    pub(super) fn wake_pool(&mut self, at: usize, prefill: bool, event: PoolEvent) {
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

    pub(super) fn end_steps(&mut self, (at, prefill): (usize, bool)) {
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
}

/// Tokens of another tokenizer; one stays one.
#[inline]
pub(super) fn scaled(tokens: u32, factor: f64) -> u32 {
    if factor == 1.0 { tokens } else { (f64::from(tokens) * factor).round().max(1.0) as u32 }
}
