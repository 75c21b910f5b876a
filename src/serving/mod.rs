//! What a deployment can do: memory, roofline, steady state and the fleet.
//!
//! Knows GPUs and models. Does not know prices or plans. Start with [`Deployment`].

mod deployment;

pub use deployment::{Deployment, Efficiency, Fleet, Precision, Scaling, Speculative};
