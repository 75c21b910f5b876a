//! How far work is, and the handle that long functions take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cancel::{CancelToken, Stopped};

/// How far a piece of work is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units finished.
    pub done: u64,
    /// Units in all; 0 when that is not known.
    pub total: u64,
    /// What a unit is, or what is being done: "trials", "lines".
    pub what: String,
}

impl Progress {
    /// The finished share, 0 to 1; `None` when the total is not known.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).min(1.0))
    }
}

/// Where work writes its progress and another thread reads it. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct ProgressCell {
    last: Arc<Mutex<Progress>>,
}

impl ProgressCell {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        // The value is whole at every moment, so that a panic elsewhere cannot have torn it.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the progress.
    pub fn set(&self, done: u64, total: u64, what: &str) {
        let mut last = self.lock();
        (last.done, last.total) = (done, total);
        if last.what != what {
            what.clone_into(&mut last.what);
        }
    }

    /// Adds finished units.
    pub fn advance(&self, units: u64) {
        let mut last = self.lock();
        last.done = last.done.saturating_add(units);
    }

    /// The progress now.
    #[must_use]
    pub fn get(&self) -> Progress {
        self.lock().clone()
    }
}

/// What a long function of the core takes: whether to stop, and where to say how far it is.
///
/// `Ctl::default()` never stops and is read by nobody.
#[derive(Clone, Debug, Default)]
pub struct Ctl {
    /// Whether to stop.
    pub cancel: CancelToken,
    /// How far it is.
    pub progress: ProgressCell,
}

impl Ctl {
    /// Whether to stop now; look once per block.
    ///
    /// # Errors
    /// [`Stopped`] when the work should stop.
    pub fn check(&self) -> Result<(), Stopped> {
        self.cancel.check()
    }
}
