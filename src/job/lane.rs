//! One kind of answer, worked out in the background: one job running, one waiting, the last wish wins.

use std::collections::VecDeque;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::cancel::{CancelToken, Stopped};
use super::progress::{Ctl, Progress};

/// Which state of the document a job answers.
pub type Rev = u64;

/// Any error of a job.
pub type JobError = Box<dyn Error + Send + Sync>;

/// What a job returns: `?` works on any error, and on [`Stopped`] it means "cancelled".
pub type JobResult<T> = Result<T, JobError>;

/// What came of a submission.
#[derive(Debug)]
pub enum JobEvent<T> {
    /// A valid answer that will be refined. One not yet fetched is replaced by the next.
    Partial(T),
    /// The answer; nothing follows.
    Done(T),
    /// Stopped on request, or replaced before it began; nothing follows.
    Cancelled,
    /// The job returned an error; nothing follows.
    Failed(JobError),
    /// The job panicked, with its message; nothing follows, and the lane lives on.
    Panicked(String),
}

impl<T> JobEvent<T> {
    /// Whether nothing follows for this submission.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        !matches!(self, Self::Partial(_))
    }
}

type Job<T> = Box<dyn FnOnce(&JobCtl<T>) -> JobResult<T> + Send>;
type Notify = Arc<dyn Fn() + Send + Sync>;

/// A background worker for one kind of answer.
///
/// - One job runs and at most one waits. A new submission replaces the waiting one, which ends as
///   [`JobEvent::Cancelled`], and asks the running one to stop.
/// - Each submission yields any number of [`JobEvent::Partial`] and then exactly one other event.
/// - A panic in a job becomes [`JobEvent::Panicked`].
/// - Dropping the lane stops the running job and waits for its thread.
///
/// ```
/// use breakeven::job::{JobEvent, Lane};
///
/// let lane = Lane::inline(); // runs in `submit`; `Lane::new` has a thread
/// lane.submit(1, |ctl| {
///     ctl.partial(20);
///     ctl.check_stop()?;
///     Ok(42)
/// });
/// assert!(matches!(lane.poll()[..], [(1, JobEvent::Partial(20)), (1, JobEvent::Done(42))]));
/// ```
pub struct Lane<T> {
    shared: Arc<Shared<T>>,
    /// `None` runs jobs inside `submit`.
    worker: Option<JoinHandle<()>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Signalled when a job waits or the lane closes.
    wake: Condvar,
    notify: Notify,
}

struct State<T> {
    waiting: Option<(Rev, Job<T>)>,
    running: Option<(Rev, Ctl)>,
    closed: bool,
    events: VecDeque<(Rev, JobEvent<T>)>,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Jobs run and events are announced outside of the lock, so that a panic cannot tear the state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, rev: Rev, event: JobEvent<T>) {
        self.lock().push(rev, event);
        (self.notify)();
    }

    fn run(self: &Arc<Self>, rev: Rev, job: Job<T>, ctl: Ctl) {
        let job_ctl = JobCtl { rev, ctl, shared: Arc::clone(self) };
        let event = match catch_unwind(AssertUnwindSafe(|| job(&job_ctl))) {
            Ok(Ok(answer)) => JobEvent::Done(answer),
            Ok(Err(error)) if error.is::<Stopped>() => JobEvent::Cancelled,
            Ok(Err(error)) => JobEvent::Failed(error),
            Err(payload) => JobEvent::Panicked(panic_message(&*payload)),
        };
        {
            // Together, so that a lane that is not busy has all of its events out.
            let mut state = self.lock();
            state.running = None;
            state.push(rev, event);
        }
        (self.notify)();
    }

    fn work(self: &Arc<Self>) {
        while let Some((rev, job, ctl)) = self.next() {
            self.run(rev, job, ctl);
        }
    }

    /// Waits for a job; `None` when the lane closes.
    fn next(&self) -> Option<(Rev, Job<T>, Ctl)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((rev, job)) = state.waiting.take() {
                let ctl = Ctl::default();
                state.running = Some((rev, ctl.clone()));
                return Some((rev, job, ctl));
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> State<T> {
    fn push(&mut self, rev: Rev, event: JobEvent<T>) {
        // A reader who is away must not fill the memory: only the latest partial answer is of use.
        if matches!(event, JobEvent::Partial(_))
            && let Some((last_rev, last @ JobEvent::Partial(_))) = self.events.back_mut()
            && *last_rev == rev
        {
            *last = event;
            return;
        }
        self.events.push_back((rev, event));
    }
}

impl<T: Send + 'static> Lane<T> {
    /// A lane with a thread called `name`; `notify` is called after each event, from the thread that
    /// caused it, and should only wake the reader.
    ///
    /// Where the system refuses a thread, jobs run inside [`Lane::submit`] instead.
    #[must_use]
    pub fn new(name: &str, notify: impl Fn() + Send + Sync + 'static) -> Self {
        let mut lane = Self::without_thread(Arc::new(notify));
        let shared = Arc::clone(&lane.shared);
        lane.worker = std::thread::Builder::new().name(name.to_owned()).spawn(move || shared.work()).ok();
        lane
    }

    /// A lane that runs each job inside [`Lane::submit`], on the calling thread: for tests and the
    /// terminal.
    #[must_use]
    pub fn inline() -> Self {
        Self::without_thread(Arc::new(|| ()))
    }

    /// [`Lane::inline`] with a `notify`, which sees each event as it happens.
    #[must_use]
    pub fn inline_with(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self::without_thread(Arc::new(notify))
    }

    fn without_thread(notify: Notify) -> Self {
        let state = State { waiting: None, running: None, closed: false, events: VecDeque::new() };
        let shared = Shared { state: Mutex::new(state), wake: Condvar::new(), notify };
        Self { shared: Arc::new(shared), worker: None }
    }

    /// Makes `job` the next to run, instead of the one that waits, and asks the running one to stop.
    pub fn submit(&self, rev: Rev, job: impl FnOnce(&JobCtl<T>) -> JobResult<T> + Send + 'static) {
        if self.worker.is_none() {
            let ctl = Ctl::default();
            self.shared.lock().running = Some((rev, ctl.clone()));
            self.shared.run(rev, Box::new(job), ctl);
            return;
        }
        let replaced = {
            let mut state = self.shared.lock();
            if let Some((_, ctl)) = &state.running {
                ctl.cancel.cancel();
            }
            state.waiting.replace((rev, Box::new(job)))
        };
        self.shared.wake.notify_one();
        if let Some((rev, job)) = replaced {
            // Dropped outside of the lock: what it captured may be large, or look at this lane.
            drop(job);
            self.shared.announce(rev, JobEvent::Cancelled);
        }
    }

    /// Drops the waiting job and asks the running one to stop at once, first result or not.
    pub fn cancel(&self) {
        let replaced = {
            let mut state = self.shared.lock();
            if let Some((_, ctl)) = &state.running {
                ctl.cancel.cancel_now();
            }
            state.waiting.take()
        };
        if let Some((rev, job)) = replaced {
            drop(job);
            self.shared.announce(rev, JobEvent::Cancelled);
        }
    }

    /// The events since the last call, oldest first. Never waits for a job.
    #[must_use]
    pub fn poll(&self) -> Vec<(Rev, JobEvent<T>)> {
        self.shared.lock().events.drain(..).collect()
    }

    /// Whether a job runs or waits. When it says no, all events are out.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let state = self.shared.lock();
        state.running.is_some() || state.waiting.is_some()
    }

    /// The running job's revision and progress.
    #[must_use]
    pub fn progress(&self) -> Option<(Rev, Progress)> {
        self.shared.lock().running.as_ref().map(|(rev, ctl)| (*rev, ctl.progress.get()))
    }
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.shared.lock();
            state.closed = true;
            if let Some((_, ctl)) = &state.running {
                ctl.cancel.cancel_now();
            }
            state.waiting.take()
        };
        self.shared.wake.notify_all();
        drop(waiting);
        if let Some(worker) = self.worker.take() {
            // The last handle may be dropped by the worker's own `notify`: a thread cannot wait for itself.
            // A panic outside of jobs can only come from `notify`; it has nobody left to tell.
            if worker.thread().id() != std::thread::current().id() {
                drop(worker.join());
            }
        }
    }
}

/// What a running job sees of its lane.
pub struct JobCtl<T> {
    rev: Rev,
    ctl: Ctl,
    shared: Arc<Shared<T>>,
}

impl<T> JobCtl<T> {
    /// Which state of the document this job answers.
    #[must_use]
    pub const fn rev(&self) -> Rev {
        self.rev
    }

    /// The handle that long functions take.
    #[must_use]
    pub const fn ctl(&self) -> &Ctl {
        &self.ctl
    }

    /// The flag alone.
    #[must_use]
    pub const fn token(&self) -> &CancelToken {
        &self.ctl.cancel
    }

    /// Hands out a valid answer that will be refined. Ends
    /// [`JobCtl::honour_stop_after_first_partial`].
    pub fn partial(&self, answer: T) {
        self.shared.announce(self.rev, JobEvent::Partial(answer));
        self.ctl.cancel.release();
    }

    /// Lets a newer submission stop this job only once the first partial answer is out.
    ///
    /// Without it a long drag of a slider, which submits faster than any answer can be ready, would starve
    /// the plot. Call it first. A stop of the lane as a whole ([`Lane::cancel`], drop) does not wait.
    pub fn honour_stop_after_first_partial(&self) {
        self.ctl.cancel.hold();
    }

    /// Whether to stop now.
    #[must_use]
    pub fn should_stop(&self) -> bool {
        self.ctl.cancel.is_cancelled()
    }

    /// [`JobCtl::should_stop`], for use with `?`.
    ///
    /// # Errors
    /// [`Stopped`] when the job should stop.
    pub fn check_stop(&self) -> Result<(), Stopped> {
        self.ctl.check()
    }

    /// Says how far the job is.
    pub fn progress(&self, done: u64, total: u64, what: &str) {
        self.ctl.progress.set(done, total, what);
    }
}

/// The text of a panic, which is a string in all but exotic cases.
fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panicked without a message".to_owned())
}

#[cfg(test)]
mod tests;
