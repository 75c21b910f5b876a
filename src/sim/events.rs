//! The queue of events: by time, and first come, first served among equal times.

use std::cmp::Ordering;

use crate::unit::SimTime;

use super::api::Failure;
use super::pool::PoolEvent;
use super::request::Request;

/// What waits in the queue of events.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A request that another one led to.
    Came(Box<Request>),
    /// A request goes to its endpoint.
    Send(u32),
    /// Its prompt is done elsewhere and its KV is here, if it is still the attempt of this number; the first token was
    /// out then.
    Bring(u32, u32, SimTime),
    /// Its caller waits no longer, if it is still the attempt of this number.
    GivenUp(u32, u32),
    /// A provider has answered: first token, last token, cached prompt tokens.
    Answered(u32, SimTime, u32),
    /// A provider's attempt has failed.
    Failed(u32, Failure),
    /// For a pool: which, and whether its prefill part.
    Pool(usize, bool, PoolEvent),
}

#[derive(Debug)]
pub(super) struct Queued {
    pub at: SimTime,
    pub order: u64,
    pub event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
