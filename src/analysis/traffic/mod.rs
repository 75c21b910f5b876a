//! What averages hide: a plan under simulated traffic, beside what the closed form says of it.
//!
//! [`simulate`] builds the system of a plan at the expected values ([`system`](self)), plays a window of time through it
//! several times, and sums up with confidence intervals. [`replicas_needed`] asks the simulator how many replicas keep
//! the latency targets in the busiest hour; [`with_findings`] writes what was found into the plan, so that every cost
//! of it is then computed from the simulated figures.

mod ask;
mod back;
mod cost;
mod needed;
mod own;
mod run;
mod summary;
mod system;

pub use ask::{Outage, TrafficAsk, TrafficError};
pub use back::{Effect, effect, with_findings};
pub use cost::HourlyCost;
pub use needed::{ReplicasNeeded, replicas_needed};
pub use run::{Listener, TraceFactory, Unheard, simulate, so_far};
pub use summary::{
    EndpointTraffic, Interval, Percentiles, PoolTraffic, StreamTraffic, Traffic, TrafficWindow,
};
