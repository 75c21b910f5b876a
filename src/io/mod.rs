//! Files and formats, one per module, each with its own errors: what is written can be read again.
//!
//! Knows how things are written down and the disk; what they mean is decided in the layers below. Start with
//! [`scenario`], the product's own file.

pub mod bandwidths;
pub mod fidelity_rows;
pub mod hf_config;
pub mod json;
pub mod machine;
pub mod measured;
pub mod overlay;
mod packed;
pub mod presets;
pub mod recorded_runs;
pub mod replay;
pub mod requests;
pub mod scenario;
pub mod trace;
