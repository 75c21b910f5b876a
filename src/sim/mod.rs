//! Requests one by one: a discrete-event simulation of calls through caches, routers, APIs and replicas.
//!
//! It shows what averages hide: queues, bursts, overflow, tails. It knows times, tokens and blocks, never a price. A
//! [`SimSpec`] says what is simulated, [`Source`]s bring the requests ([`People`] from a use case), [`Simulation`] plays
//! them and [`SimReport`] says what came of it. The heart is [`Replica`]: continuous batching whose decode steps are
//! summed in closed form.

mod answers;
mod api;
mod arrivals;
mod blocks;
mod draws;
mod endpoint;
mod engine;
mod events;
mod job;
mod outcomes;
mod over;
mod pace;
mod people;
mod pool;
mod prefix;
mod record;
mod replica;
mod report;
mod request;
mod sending;
mod spec;
mod tally;
mod timeline;

pub use crate::unit::SimTime;
pub use answers::{AnswerCacheSpec, AnswerHits, Eviction, Remembered};
pub use api::{ApiSpec, Failure};
pub use arrivals::{Crowd, Renewal};
pub use draws::Draws;
pub use engine::Simulation;
pub use job::{BLOCK_TOKENS, Done, Job, KvWindow, Refused, ReplicaCounts, ReplicaLimits, ReplicaState, Role};
pub use over::{Over, Watcher};
pub use pace::{Pace, StepConstants};
pub use people::{People, PeopleOptions, Users};
pub use pool::{AutoScaling, Balance, PoolSpec, PrefillPool, ReplicaScaling, SpotInterruptions};
pub use prefix::{BlockReplay, Piece, Prefix, PrefixCache, Talk};
pub use record::{Outcome, RequestRecord};
pub use replica::Replica;
pub use report::{PoolReport, SimReport};
pub use request::{AnsweredBy, Key, Request, Source};
pub use spec::{EndpointKind, EndpointSpec, OverflowWhen, Route, SimError, SimSpec, StreamSpec};
pub use tally::{Bin, EndpointUse, Lost, PoolSample, StreamTally, Times};
pub use timeline::TimelineReport;
