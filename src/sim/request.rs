//! What comes in, and where it comes from.

use super::prefix::Prefix;
use crate::unit::SimTime;

/// A request: one call to a model, before caches and routing.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// When it comes.
    pub at: SimTime,
    /// The stream it belongs to: a use case of a scenario by its place, 0 for a trace.
    pub stream: u16,
    /// Tokens sent.
    pub prompt_tokens: u32,
    /// Tokens that the answer will have, reasoning included; at least 1. No queue, router or cache reads it.
    pub output_tokens: u32,
    /// What its prompt shares with others.
    pub prefix: Prefix,
    /// What is asked, where it repeats: two requests of one key may be answered from a response cache.
    pub key: Option<Key>,
    /// Who asks: a conversation or an agent's session. What affinity keeps together.
    pub session: u64,
    /// The source's own note, given back in [`Source::answered`].
    pub note: u64,
}

/// What a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its wording: what the exact cache goes by.
    pub exact: u64,
    /// Its meaning: what the semantic cache goes by.
    pub like: u64,
}

impl Request {
    /// A call of a stream that shares nothing with others.
    #[must_use]
    pub fn plain(at: SimTime, stream: u16, prompt_tokens: u32, output_tokens: u32) -> Self {
        Self {
            at,
            stream,
            prompt_tokens,
            output_tokens: output_tokens.max(1),
            prefix: Prefix::None,
            key: None,
            session: 0,
            note: 0,
        }
    }
}

/// What a request ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// An answer that a response cache held.
    Cache,
    /// An answer of an endpoint.
    Endpoint,
    /// None: it was refused or given up.
    Nobody,
}

/// Where requests come from.
///
/// The engine pulls: it asks for the next request when it has played all before, so that a source of any length takes
/// no memory.
pub trait Source: Send {
    /// The next request in order of time; `None` when no more come by themselves.
    fn next(&mut self) -> Option<Request>;

    /// A request is over at `now`. Requests that this leads to (the next turn, the next call of an agent, the next wish of a
    /// user) go to `then`, none of them before `now`.
    fn over(&mut self, request: &Request, now: SimTime, by: AnsweredBy, then: &mut Vec<Request>) {
        let _ = (request, now, by, then);
    }

    /// Whether [`Source::over`] does anything.
    fn follows(&self) -> bool {
        false
    }
}

/// Requests that are all there.
impl<I: Iterator<Item = Request> + Send> Source for I {
    fn next(&mut self) -> Option<Request> {
        Iterator::next(self)
    }
}
