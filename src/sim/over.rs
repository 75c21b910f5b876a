//! A request that is over, and who wants to know.

use crate::unit::SimTime;

use super::record::{Outcome, RequestRecord};
use super::request::Request;
use super::tally::Lost;

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
