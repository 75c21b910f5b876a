//! What became of one request: plain data for a table with a row per request.

use serde::Serialize;

use super::SimTime;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered in full by an endpoint.
    Served,
    /// Answered from a response cache; no endpoint saw it.
    Cached,
    /// Turned away: a full queue, a rate limit, longer than the context, nowhere to go.
    Rejected,
    /// Given up by its caller before the answer was complete.
    TimedOut,
    /// Lost to an error or an outage, after its last retry.
    Failed,
    /// Still waiting or running when the simulation ended.
    Unfinished,
}

impl Outcome {
    /// All, in the order above.
    pub const ALL: [Self; 6] =
        [Self::Served, Self::Cached, Self::Rejected, Self::TimedOut, Self::Failed, Self::Unfinished];

    /// As files name it: `served`, `cached`, `rejected`, `timed_out`, `failed`, `unfinished`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Cached => "cached",
            Self::Rejected => "rejected",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
        }
    }
}

/// What became of one request. A span that never came to its end is `None`, never 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestRecord {
    /// Number of the request in its simulation, or the line of its trace; the caller's choice.
    pub id: u64,
    /// The stream it belongs to: a use case of a scenario by its place, 0 for a trace.
    pub stream: u16,
    /// When it came.
    pub arrival: SimTime,
    /// Endpoint that answered it, or the last that tried, by its place in the plan; `None` when none took it.
    pub endpoint: Option<u16>,
    /// Replica of that endpoint; `None` for an API.
    pub replica: Option<u32>,
    /// Tokens sent.
    pub prompt_tokens: u32,
    /// Tokens of these that a prefix cache held, at most `prompt_tokens`.
    pub cached_tokens: u32,
    /// Tokens answered, until the end or until it broke off.
    pub output_tokens: u32,
    /// From the arrival until it first ran (retries' waits included).
    pub queue: Option<SimTime>,
    /// From the arrival to the first token of the answer.
    pub ttft: Option<SimTime>,
    /// From the arrival to the last token of the answer.
    pub e2e: Option<SimTime>,
    /// How often its KV was given up to make room for others.
    pub preemptions: u32,
    /// How often it was sent again.
    pub retries: u32,
    /// How it ended.
    pub outcome: Outcome,
}

impl RequestRecord {
    /// Seconds per output token after the first, `(e2e - ttft) / (output_tokens - 1)`; `None` for an answer that is
    /// not complete or has one token.
    #[must_use]
    pub fn tpot_secs(&self) -> Option<f64> {
        let (ttft, e2e) = (self.ttft?, self.e2e?);
        (self.output_tokens > 1).then(|| e2e.since(ttft).secs() / f64::from(self.output_tokens - 1))
    }
}
