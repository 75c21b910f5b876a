//! How requests end: answered, passed on to the next tier, sent again, or lost.

use crate::unit::SimTime;

use super::api::Failure;
use super::engine::{At, Simulation};
use super::events::Event;
use super::job::{Done, Refused};
use super::over::Over;
use super::request::{AnsweredBy, Request};
use super::sending::scaled;
use super::spec::Route;
use super::tally::{EndpointUse, Lost};

impl Simulation<'_> {
    pub(super) fn refused(&mut self, place: u32, refused: Refused) {
        let flight = &mut self.flights[place as usize];
        let stream = usize::from(flight.request.stream);
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

    pub(super) fn failed(&mut self, place: u32, why: Failure) {
        let flight = &mut self.flights[place as usize];
        let stream = usize::from(flight.request.stream);
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
        self.flights[place as usize].retries += 1;
        self.timeline.now(self.now).retries += 1;
        self.push(self.now + SimTime::from_secs(wait), Event::Send(place));
    }

    pub(super) fn lose(&mut self, place: u32, why: Lost) {
        let request = self.disembark(place);
        let stream = usize::from(request.stream);
        if self.counted(&request) {
            *self.streams[stream].lost.entry(why).or_default() += 1;
        }
        self.timeline.now(self.now).lose(why);
        let flight = &self.flights[place as usize];
        let (queued, retries) = (flight.queued, flight.retries);
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
        self.follow(&request, self.now, AnsweredBy::Nobody);
    }

    pub(super) fn disembark(&mut self, place: u32) -> Request {
        self.inside -= 1;
        self.free.push(place);
        let flight = &mut self.flights[place as usize];
        flight.number = flight.number.wrapping_add(1);
        let empty = Request::plain(SimTime(0), 0, 0, 1);
        std::mem::replace(&mut flight.request, empty)
    }

    /// A prompt is done on a replica for prompts: its KV goes over to one that answers.
    pub(super) fn bring(&mut self, prompt: &Done, (fixed_secs, per_token_secs): (f64, f64)) {
        let place = prompt.job.id as u32;
        let flight = &mut self.flights[place as usize];
        flight.queued += prompt.scheduled.since(prompt.job.arrival);
        flight.seat = At::Nowhere;
        let number = flight.number;
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
        self.push(self.now + SimTime::from_secs(secs), Event::Bring(place, number, prompt.first_token));
    }

    /// An endpoint has answered: the end, or the next tier of a cascade.
    pub(super) fn answered(
        &mut self,
        place: u32,
        first: SimTime,
        last: SimTime,
        cached_tokens: u32,
        preemptions: u32,
    ) {
        let flight = &self.flights[place as usize];
        let at = flight.endpoint;
        let stream = usize::from(flight.request.stream);
        let factor = self.spec.endpoints[at].token_factor;
        let output_tokens = scaled(flight.request.output_tokens, factor);
        let used = EndpointUse {
            calls: 1,
            prompt_tokens: u64::from(scaled(flight.request.prompt_tokens, factor)),
            cached_tokens: u64::from(cached_tokens),
            output_tokens: u64::from(output_tokens),
            failed_attempts: 0,
        };
        if self.counted(&flight.request) {
            self.usage[stream][at].add(&used);
        }
        self.timeline.at(last.max(self.now), self.now).used(at).add(&used);
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

    pub(super) fn finish(
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
        let (queued, retries, replica) = (flight.queued, flight.retries, flight.replica);
        let stream = usize::from(request.stream);
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
        self.follow(&request, end, AnsweredBy::Endpoint);
    }
}
