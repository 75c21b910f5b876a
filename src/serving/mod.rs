//! What a deployment can do: memory, roofline, steady state and the fleet.
//!
//! Knows GPUs and models. Does not know prices or plans. [`Perf`] is the calibrated model of a deployment under an
//! engine, [`Local`] that of one stream on one machine. In a scenario start with [`Deployment`]; [`memory()`] says what fits,
//! [`steady()`] what a replica sustains, [`ttft`] how long a call waits, [`week`] what a fleet of replicas pays and
//! [`WeekShape`] the same for many weeks at once.

mod burst;
mod calibration;
mod deployment;
mod engine;
mod facts;
mod fleet;
mod format;
mod from_catalog;
mod kernels;
mod knee;
mod latency;
mod local;
mod memory;
mod perf;
mod regimes;
mod roofline;
mod setup;
mod speed;
mod steady;
mod steps;
mod weeks;

#[cfg(test)]
mod perf_tests;
#[cfg(test)]
mod tests;

pub use calibration::{ByEngine, Calibration, CalibrationError, HeldOut, LocalConstants, ServingConstants};
pub use deployment::{
    Deployment, Efficiency, Fleet, Layout, Precision, Preemption, PrefillReplicas, Scaling, Speculative,
};
pub use engine::{Engine, UnknownEngine};
pub use facts::{
    ExpertFacts, GpuFacts, LatentFacts, Make, ModelFacts, PCIE_BYTES_PER_S, PublishedWeights, SlidingFacts,
};
pub use fleet::{FleetWeek, week};
pub use format::{GgufMix, UnknownFormat, WeightFormat, Width};
pub use kernels::{Kernel, KernelConstants};
pub use knee::KNEE;
pub use latency::{Load, Ttft, ttft};
pub use local::{Local, LocalSetup, Spread};
pub use memory::{Memory, ServingError, memory};
pub use perf::{Perf, PerfStep};
pub use regimes::{Lengths, Served};
pub use roofline::{
    NARROW_STREAM_SHARE, StepCost, decode_step_cost, decode_step_secs, experts_touched, prefill_cost,
    prefill_secs,
};
pub use setup::{Draft, LARGE_GPU_BYTES, MEMORY_SHARE, PerfError, PerfMemory, Setup, YEAR};
pub use speed::Speed;
pub use steady::{Limit, Shape, Steady, accepted_tokens, steady};
pub use weeks::{WeekShape, Weeks};
