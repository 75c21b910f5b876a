//! Running work, and nothing else: how to stop it, see how far it is, and keep only the last wish.
//!
//! Nothing here knows what is computed. Long functions of the core take a [`Ctl`]; a window owns a
//! [`Lane`] per kind of answer and drains it each frame; [`map_blocks`] spreads a loop over the cores
//! without changing its result. Start with [`Lane`].

mod cancel;
mod lane;
mod pool;
mod progress;

pub use cancel::{CancelToken, Stopped};
pub use lane::{JobCtl, JobError, JobEvent, JobResult, Lane, Rev};
pub use pool::{map_blocks, split};
pub use progress::{Ctl, Progress, ProgressCell};
