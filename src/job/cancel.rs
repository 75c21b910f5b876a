//! Asking work to stop, and noticing that one was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use thiserror::Error;

/// Someone asked for a stop.
const ASKED: u8 = 1;
/// A stop has to wait: the work has promised a first result.
const HELD: u8 = 2;
/// A stop was asked for that no hold delays, be it set before or after.
const AT_ONCE: u8 = 4;

/// The work was asked to stop, and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("stopped on request")]
pub struct Stopped;

/// A flag shared between the one who may ask for a stop and the work that looks at it.
///
/// Clones are the same flag. Looking costs one load; look once per block, not per number.
///
/// ```
/// use breakeven::job::CancelToken;
///
/// let token = CancelToken::new();
/// let seen_by_the_work = token.clone();
/// assert!(seen_by_the_work.check().is_ok());
/// token.cancel();
/// assert!(seen_by_the_work.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    state: Arc<AtomicU8>,
}

impl CancelToken {
    /// A flag that is not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a stop; it is seen at once, or when [`CancelToken::release`] ends a hold.
    pub fn cancel(&self) {
        self.state.fetch_or(ASKED, Ordering::Relaxed);
    }

    /// Asks for a stop that no hold delays.
    pub fn cancel_now(&self) {
        self.state.fetch_or(AT_ONCE, Ordering::Relaxed);
    }

    /// Delays a stop that was or will be asked for, until [`CancelToken::release`].
    pub fn hold(&self) {
        self.state.fetch_or(HELD, Ordering::Relaxed);
    }

    /// Ends a hold.
    pub fn release(&self) {
        self.state.fetch_and(!HELD, Ordering::Relaxed);
    }

    /// Whether the work should stop now.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        state == ASKED || state & AT_ONCE != 0
    }

    /// [`CancelToken::is_cancelled`], for use with `?`.
    ///
    /// # Errors
    /// [`Stopped`] when the work should stop now.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_cancelled() { Err(Stopped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_stop_is_seen_when_the_hold_ends() {
        let token = CancelToken::new();
        token.hold();
        token.cancel();
        assert_eq!(token.check(), Ok(()));
        token.release();
        assert_eq!(token.check(), Err(Stopped));
    }

    #[test]
    fn a_stop_without_delay_breaks_a_hold() {
        let token = CancelToken::new();
        token.hold();
        token.cancel_now();
        assert!(token.is_cancelled());
        token.hold();
        assert!(token.is_cancelled());
    }
}
