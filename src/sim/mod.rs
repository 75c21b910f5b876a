//! Requests one by one: a discrete-event simulation of calls through caches, routers, APIs and replicas.
//!
//! Knows times, tokens and blocks; never a price. Start with [`Replica`].

mod blocks;
mod pace;
mod prefix;
mod replica;
mod request;
mod time;

pub use pace::{Pace, StepConstants};
pub use prefix::{BlockReplay, Prefix, PrefixCache};
pub use replica::{BLOCK_TOKENS, Done, Job, Refused, Replica, ReplicaCounts, ReplicaLimits, ReplicaState, Role};
pub use request::{Request, Source};
pub use time::SimTime;
