//! Long work in a terminal: a bar on stderr if somebody looks, and Ctrl-C that stops it with what it has.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::job::{CancelToken, Ctl, Stopped};
use crate::unit::format;

/// How often the bar is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// Cells of the bar.
const CELLS: usize = 24;

/// The exit code of a process that SIGINT ended, by convention.
const INTERRUPTED: i32 = 130;

/// Signals closer together than this are one: a supervisor such as `timeout` sends its own to the process and again to
/// its group, nobody presses keys so fast.
const ONE_SIGNAL: Duration = Duration::from_millis(250);

/// A flag that Ctrl-C (or a polite kill) raises; a second one ends the process at once.
pub(super) fn interrupt() -> &'static CancelToken {
    static TOKEN: OnceLock<CancelToken> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let token = CancelToken::new();
        let raised = token.clone();
        let mut first: Option<Instant> = None;
        let set = ctrlc::set_handler(move || match first {
            Some(at) if at.elapsed() < ONE_SIGNAL => {}
            Some(_) => std::process::exit(INTERRUPTED),
            None => {
                first = Some(Instant::now());
                raised.cancel();
            }
        });
        if set.is_err() {
            super::output::say("Ctrl-C will end the work without a result here");
        }
        token
    })
}

/// A bar of what is done.
pub(super) struct Progress {
    what: &'static str,
    total: u32,
    things: &'static str,
    begun: Instant,
    drawn: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str, total: u32) -> Self {
        Self::of(what, total, "draws")
    }

    /// A bar over `total` things of a name.
    pub(super) fn of(what: &'static str, total: u32, things: &'static str) -> Self {
        Self { what, total, things, begun: Instant::now(), drawn: None, shown: io::stderr().is_terminal() }
    }

    /// Draws the bar now and then; says whether to go on.
    pub(super) fn go_on(&mut self, done: u32) -> bool {
        if self.shown && self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            self.drawn = Some(Instant::now());
            let text = line(self.what, done, (self.total, self.things), self.begun.elapsed().as_secs_f64());
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
        }
        !interrupt().is_cancelled()
    }
}

/// Runs work on a thread of its own while this one draws the bar and listens for Ctrl-C.
///
/// # Errors
/// [`Stopped`] if Ctrl-C came first.
pub(super) fn watched<T: Send>(
    what: &'static str,
    unit: &'static str,
    total: usize,
    work: impl FnOnce(&Ctl) -> Result<T, Stopped> + Send,
) -> Result<T, Stopped> {
    let ctl = Ctl { cancel: interrupt().clone(), ..Ctl::default() };
    let mut progress = Progress::of(what, u32::try_from(total).unwrap_or(u32::MAX), unit);
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let of_work = ctl.clone();
        scope.spawn(move || tell.send(work(&of_work)));
        loop {
            match told.recv_timeout(EVERY) {
                Ok(result) => return result,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    progress.go_on(u32::try_from(ctl.progress.get().done).unwrap_or(u32::MAX));
                }
                // The work panicked: the scope hands that on.
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
        }
    })
}

impl Drop for Progress {
    /// Wipes the bar away.
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// A line of what was just done, of so many steps.
pub(super) struct Steps {
    what: &'static str,
    shown: bool,
    drawn: bool,
}

impl Steps {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, shown: io::stderr().is_terminal(), drawn: false }
    }

    /// Draws the line anew.
    pub(super) fn show(&mut self, done: u64, total: u64, last: &str) {
        if self.shown {
            self.drawn = true;
            let text = format!("{} {} of {total}, {last}; Ctrl-C stops", self.what, done.min(total));
            // A line that cannot be drawn is no reason to stop.
            let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
        }
    }
}

impl Drop for Steps {
    /// Wipes the line away.
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn line(what: &str, done: u32, (total, things): (u32, &str), secs: f64) -> String {
    let share = f64::from(done) / f64::from(total.max(1));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=CELLS")]
    let full = (share.clamp(0.0, 1.0) * CELLS as f64) as usize;
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(CELLS - full));
    let (done_text, total_text) = (format::count(f64::from(done)), format::count(f64::from(total)));
    let rate = f64::from(done) / secs;
    let left = (f64::from(total) - f64::from(done)) / rate;
    let pace = if rate > 0.0 && rate.is_finite() {
        format!(", {}, {} left, Ctrl-C stops", format::rate(rate), format::secs(left.max(0.0).ceil()))
    } else {
        String::new()
    };
    format!("{what} [{bar}] {done_text} of {total_text} {things}{pace}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_how_fast_and_how_long() {
        let text = line("forecast", 4096, (8192, "draws"), 2.0);
        assert_eq!(
            text,
            "forecast [############------------] 4,096 of 8,192 draws, 2.05 K/s, 2 s left, Ctrl-C stops"
        );
        assert!(!line("forecast", 0, (0, "draws"), 0.0).contains("NaN"));
        assert!(line("forecast", 9000, (8192, "draws"), 1.0).contains(&"#".repeat(CELLS)));
    }
}
