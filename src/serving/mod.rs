//! What a deployment can do: memory, roofline, steady state and the fleet.
//!
//! Knows GPUs and models. Does not know prices or plans. Start with [`Deployment`]; [`memory()`] says what fits,
//! [`steady()`] what a replica sustains, [`ttft`] how long a call waits, [`week`] what a fleet of replicas pays and
//! [`WeekShape`] the same for many weeks at once.

mod deployment;
mod facts;
mod fleet;
mod from_catalog;
mod knee;
mod latency;
mod memory;
mod roofline;
mod steady;
mod weeks;

#[cfg(test)]
mod tests;

pub use deployment::{Deployment, Efficiency, Fleet, Precision, Scaling, Speculative};
pub use facts::{
    ExpertFacts, GpuFacts, LatentFacts, ModelFacts, PCIE_BYTES_PER_S, PublishedWeights, SlidingFacts,
};
pub use fleet::{FleetWeek, week};
pub use knee::KNEE;
pub use latency::{Load, Ttft, ttft};
pub use memory::{Memory, ServingError, memory};
pub use roofline::{
    NARROW_STREAM_SHARE, StepCost, decode_step_cost, decode_step_secs, experts_touched, prefill_cost,
    prefill_secs,
};
pub use steady::{Limit, Shape, Steady, accepted_tokens, steady};
pub use weeks::{WeekShape, Weeks};
