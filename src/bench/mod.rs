//! Measuring this machine: bandwidth, compute, latency and transfers of a device, with their spread.
//!
//! Knows no model, no price and no plan: what a device would serve is worked out above, from a [`Run`]. A run goes over
//! [`Case`]s of a [`Backend`]: the processor ([`Processor`], always) or an adapter (feature `gpu`). Every kernel has a
//! twin in [`reference`] that its result is held to before any time is reported; outputs are poisoned first. Each point
//! is repeated until its median is known within 2 % or its time is up, and says which. Start with [`measure`].
//!
//! Not measured: links between several devices, power, and what other programs do meanwhile, other than by the spread.

mod choice;
#[cfg(feature = "gpu")]
mod device;
mod kernel;
mod levels;
pub mod reference;
mod repeat;
mod result;
mod run;
mod stream;
#[cfg(feature = "gpu")]
mod suite;
#[cfg(feature = "gpu")]
mod timing;

pub use choice::{Choice, ChoiceError, choices};
#[cfg(feature = "gpu")]
pub use device::{Gpu, Listed, OpenError, adapters};
pub use kernel::{Kernel, Quantity, UnknownKernel};
pub use levels::{Level, levels};
pub use repeat::{SAMPLE_SECS_MAX, STEADY, Settled, Timed, settle};
pub use result::{Clock, Device, DeviceKind, End, Flag, Pace, Point, Run, SCHEMA, Skipped};
pub use run::{
    BYTES_MIN, Backend, Case, CaseError, Occupied, Settings, Turn, Versus, Work, cases, clock, measure,
    median, outlier, safe_bytes, versus,
};
pub use stream::{NoThreads, Processor};
#[cfg(feature = "gpu")]
pub use suite::Adapter;
