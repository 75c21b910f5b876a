//! Playing a recorded trace to the simulator, request by request, without holding it in memory.
//!
//! Recognised by their columns, packed with gzip or zstd or not: logs with a row per request (Azure, BurstGPT, Mooncake
//! and Qwen-Bailian with block hashes, JSON lines of engines and load generators, any CSV or JSON lines with a time and
//! two counts of tokens, named by a [`ColumnMap`] where their names do not tell), agents' sessions (WEKA), and rates per
//! window (ServeGen), from which arrivals are drawn. Parquet is not read.
//!
//! Rows that cannot be played are left out and counted; what is ambiguous for the whole file is an error, never a guess.
//! Requests come in order of time: rows that stand a little out of order are sorted while reading on, later ones are
//! left out and counted. Start with [`Replay::open`].

mod account;
mod agents;
mod lines;
mod log;
mod options;
mod order;
mod play;
mod seen;
mod windows;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::trace::{TraceError, delimiter_of, open};
use crate::sim::{Key, Piece, Prefix, Request, SimTime, Talk};
use crate::workload::DropReason;

pub use account::{ReplayAccount, Seen};
pub use options::{ColumnMap, ColumnMapError, OptionError, ReplayOptions, WindowLengths};
pub use play::{TraceLook, columns, look, simulate_trace, stream_of};

use agents::Agents;
use lines::{Line, Lines};
use log::Log;
use windows::Windows;

/// Requests between two publications of the account.
const PUBLISH_REQUESTS: u64 = 1024;

/// Latest request, in seconds after the first: three hundred years, well within what a simulation's clock counts.
const SECS_MAX: f64 = 1e10;

/// Longest prompt and answer that scaling makes, in tokens.
const TOKENS_MAX: f64 = 1e9;

/// Why a trace cannot be played, or not to its end; names the line where there is one, and what to write.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The file is no trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// An option makes no sense.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The packed bytes end early or are not what was packed.
    #[error("the file ends early or is damaged after {rows} rows ({source}); fetch it again: {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Rows read until then.
        rows: u64,
        /// What was found.
        source: io::Error,
    },
    /// Sessions whose clocks begin with themselves.
    #[error(
        "each session of the trace has a clock of its own; say how many sessions start per hour: {}", path.display()
    )]
    SessionStarts {
        /// The file.
        path: PathBuf,
    },
    /// More of them at one time than can be held.
    #[error(
        "more than {open} requests of sessions that are open at one time; let fewer sessions start per hour: {}",
        path.display()
    )]
    TooManyOpen {
        /// The file.
        path: PathBuf,
        /// Requests held.
        open: usize,
    },
    /// Block hashes that do not fit the prompt.
    #[error(
        "line {line}: {blocks} block hashes for a prompt of {prompt} tokens fit no usual size of a block; say how \
         many tokens a block has: {}", path.display()
    )]
    BlockTokens {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Tokens of its prompt.
        prompt: u32,
        /// Its hashes.
        blocks: u64,
    },
    /// Rates without lengths.
    #[error(
        "the file has rates but no lengths; give tokens per prompt and answer, or a table of lengths per client: {}",
        path.display()
    )]
    Lengths {
        /// The file.
        path: PathBuf,
    },
    /// A table of lengths that has none of the clients.
    #[error("no client of pool {pool} has lengths; add rows for them: {}", path.display())]
    NoLengths {
        /// The table of lengths.
        path: PathBuf,
        /// The pool.
        pool: String,
    },
    /// Several pools and none chosen, or one that is not there.
    #[error("choose one of the pools {pools}: {}", path.display())]
    Pool {
        /// The file.
        path: PathBuf,
        /// Those that are there.
        pools: String,
    },
    /// A file of rates is held in memory, and this one is too large for that.
    #[error("more than {most} rows of rates; split the file by pool or by time: {}", path.display())]
    TooManyWindows {
        /// The file.
        path: PathBuf,
        /// Rows that are held.
        most: usize,
    },
    /// The next pass would begin before this one ends.
    #[error(
        "a pass takes {secs} s of the trace, the next would begin after {every} s; say a longer time between passes"
    )]
    Passes {
        /// Seconds from the start of a pass to its last request.
        secs: f64,
        /// Seconds between the starts of passes.
        every: f64,
    },
}

/// A row that can be played.
struct Row {
    /// Seconds on the clock of the file.
    at: f64,
    line: u64,
    prompt: u32,
    output: u32,
    prefix: Prefix,
    session: u64,
    key: Option<u64>,
}

enum Rows {
    Log(Box<Log>),
    Agents(Box<Agents>),
    Windows(Windows),
}

impl Rows {
    fn next(&mut self, account: &mut ReplayAccount) -> Result<Option<Row>, ReplayError> {
        match self {
            Self::Log(log) => log.next(account),
            Self::Agents(agents) => agents.next(account),
            Self::Windows(windows) => Ok(windows.next(account)),
        }
    }

    /// Rows that were read and not given out.
    fn waiting(&self) -> u64 {
        match self {
            Self::Log(log) => log.waiting(),
            Self::Agents(agents) => agents.waiting(),
            Self::Windows(_) => 0,
        }
    }
}

/// A trace as a source of requests, in order of time; the first of its requests is at 0, or where the asked stretch of
/// time begins. [`Request::note`] is its line, [`Request::session`] a number of its own where the trace has no sessions.
///
/// It ends early at an error: ask [`Replay::error`], or a [`ReplayWatch`] where the simulator owns the trace.
///
/// ```no_run
/// use breakeven::io::replay::{Replay, ReplayOptions};
///
/// let options = ReplayOptions { rate: 2.0, context_tokens: Some(131_072), ..ReplayOptions::default() };
/// let mut replay = Replay::open("trace.csv.gz".as_ref(), &options)?;
/// let prompts: u64 = replay.by_ref().map(|request| u64::from(request.prompt_tokens)).sum();
/// if let Some(error) = replay.error() {
///     eprintln!("the trace was played until {error}");
/// }
/// for warning in replay.account().warnings() {
///     eprintln!("{warning}");
/// }
/// # Ok::<(), breakeven::io::replay::ReplayError>(())
/// ```
pub struct Replay {
    path: PathBuf,
    options: ReplayOptions,
    rows: Rows,
    /// The first row of a pass, read to know when it begins.
    ahead: Option<Row>,
    /// Time of the first row.
    origin: f64,
    /// This pass: its number, requests, and times of the first and last of these after the origin.
    pass: u32,
    taken: u64,
    first: f64,
    last: f64,
    /// Time of the row before, after the origin.
    before: f64,
    /// When this pass began, in seconds of the trace after the first.
    begun: f64,
    ended: bool,
    account: ReplayAccount,
    /// Where later passes count what the first has counted.
    again: ReplayAccount,
    error: Option<Arc<ReplayError>>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    account: ReplayAccount,
    error: Option<Arc<ReplayError>>,
}

/// What a replay took and left out, seen from outside while or after somebody else plays it; up to 1,024 requests old
/// until the end.
#[derive(Clone)]
pub struct ReplayWatch(Arc<Mutex<Shared>>);

impl ReplayWatch {
    /// The account.
    #[must_use]
    pub fn account(&self) -> ReplayAccount {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).account.clone()
    }

    /// Why the trace ended early, if it did.
    #[must_use]
    pub fn error(&self) -> Option<Arc<ReplayError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).error.clone()
    }
}

impl Replay {
    /// Opens the trace at `path` and reads on to its first request.
    ///
    /// # Errors
    /// [`ReplayError`] names the line or the option and what to write.
    pub fn open(path: &Path, options: &ReplayOptions) -> Result<Self, ReplayError> {
        options.check()?;
        let mut account = ReplayAccount { passes: 1, ..ReplayAccount::default() };
        let mut rows = rows(path, options, 0, &mut account)?;
        let Some(first) = rows.next(&mut account)? else {
            let why: Vec<_> = account.dropped.iter().map(ToString::to_string).collect();
            let why =
                if why.is_empty() { "there is nothing after the header".to_owned() } else { why.join("; ") };
            return Err(ReplayError::Trace(TraceError::NoRows { path: path.to_owned(), why }));
        };
        let origin = first.at;
        if let Rows::Log(log) = &rows {
            account.start = log.wall_clock(origin);
        }
        let replay = Self {
            path: path.to_owned(),
            options: options.clone(),
            rows,
            ahead: Some(first),
            origin,
            pass: 0,
            taken: 0,
            first: 0.0,
            last: 0.0,
            before: 0.0,
            begun: 0.0,
            ended: false,
            account,
            again: ReplayAccount::default(),
            error: None,
            shared: Arc::default(),
        };
        replay.publish();
        Ok(replay)
    }

    /// What was taken and left out until now.
    #[must_use]
    pub fn account(&self) -> &ReplayAccount {
        &self.account
    }

    /// Why the trace ended early, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&ReplayError> {
        self.error.as_deref()
    }

    /// The same from outside, for when the simulator owns the trace.
    #[must_use]
    pub fn watch(&self) -> ReplayWatch {
        ReplayWatch(Arc::clone(&self.shared))
    }

    fn publish(&self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.account.clone_from(&self.account);
        shared.error.clone_from(&self.error);
    }

    fn row(&mut self) -> Result<Option<Row>, ReplayError> {
        if let Some(row) = self.ahead.take() {
            return Ok(Some(row));
        }
        let account = if self.pass == 0 { &mut self.account } else { &mut self.again };
        self.rows.next(account)
    }

    /// The next request of any pass.
    fn request(&mut self) -> Result<Option<Request>, ReplayError> {
        loop {
            let row = self.row()?;
            let at = row.as_ref().map_or(f64::INFINITY, |row| row.at - self.origin);
            let beyond = self.options.until_secs.is_some_and(|until| at >= until);
            match row {
                Some(row) if !beyond => {
                    if self.pass == 0 {
                        self.look_at(&row, at);
                    }
                    if at >= self.options.from_secs {
                        if let Some(request) = self.played(row, at) {
                            return Ok(Some(request));
                        }
                    } else if self.pass == 0 {
                        self.account.outside += 1;
                    }
                }
                row => {
                    if self.pass == 0 {
                        self.account.outside += u64::from(row.is_some());
                        self.account.outside += if row.is_some() { self.rows.waiting() } else { 0 };
                        self.account.span_secs = self.last - self.first;
                    }
                    if self.pass + 1 >= self.options.repeat || self.taken == 0 {
                        return Ok(None);
                    }
                    self.next_pass()?;
                }
            }
        }
    }

    fn look_at(&mut self, row: &Row, at: f64) {
        let account = &mut self.account;
        let gap = at - self.before;
        self.before = at;
        if gap > self.options.gap_secs {
            account.gaps.add(row.line);
        }
        if gap > account.longest_gap_secs {
            (account.longest_gap_secs, account.longest_gap_line) = (gap, row.line);
        }
        if row.prompt > account.longest_prompt {
            (account.longest_prompt, account.longest_prompt_line) = (row.prompt, row.line);
        }
    }

    /// Scales a row and puts it where it belongs in time; `None` for one that is longer than the context.
    fn played(&mut self, row: Row, at: f64) -> Option<Request> {
        let options = &self.options;
        let (prompt, output) = (scaled(row.prompt, options.prompt), scaled(row.output, options.output));
        if let Some(context) =
            options.context_tokens.filter(|context| *context < prompt.saturating_add(output))
        {
            if self.pass == 0 {
                self.account.drop_row(DropReason::Context, row.line, || {
                    format!("{prompt} + {output} tokens are more than {context}; shorten it, or allow a longer context")
                });
            }
            return None;
        }
        let secs = (self.begun + at - options.from_secs) / options.rate;
        if secs > SECS_MAX {
            if self.pass == 0 {
                self.account.drop_row(DropReason::Never, row.line, || {
                    format!("it comes {secs:.0} s after the first; write a time within {SECS_MAX:.0} s of it")
                });
            }
            return None;
        }
        if self.taken == 0 {
            self.first = at;
        }
        self.last = at;
        self.taken += 1;
        self.account.requests += 1;
        let renew = |id: u64| if self.pass == 0 { id } else { mixed(id ^ mixed(u64::from(self.pass))) };
        Some(Request {
            at: SimTime::from_secs(secs),
            stream: options.stream,
            prompt_tokens: prompt,
            output_tokens: output,
            prefix: renewed(row.prefix, options.prompt, self.pass > 0, renew),
            key: row.key.map(|key| Key { exact: key, like: key }),
            session: renew(row.session),
            note: row.line,
        })
    }

    fn next_pass(&mut self) -> Result<(), ReplayError> {
        let options = &self.options;
        let (from, last) = (options.from_secs, self.last);
        let every = match (options.repeat_every_secs, options.until_secs) {
            (Some(every), _) => every,
            (None, Some(until)) => until - from,
            (None, None) if self.taken > 1 => last - from + (last - self.first) / (self.taken - 1) as f64,
            (None, None) => 0.0,
        };
        if every <= 0.0 || every < last - from {
            return Err(ReplayError::Passes { secs: last - from, every });
        }
        self.pass += 1;
        self.account.passes += 1;
        self.begun += every;
        self.taken = 0;
        self.again = ReplayAccount::default();
        self.rows = rows(&self.path, options, self.pass, &mut self.again)?;
        Ok(())
    }
}

impl Iterator for Replay {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        if self.ended {
            return None;
        }
        let request = match self.request() {
            Ok(request) => request,
            Err(error) => {
                self.error = Some(Arc::new(error));
                None
            }
        };
        self.ended = request.is_none();
        if self.ended || self.account.requests.is_multiple_of(PUBLISH_REQUESTS) {
            self.publish();
        }
        request
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.publish();
    }
}

/// Opens a file and finds out what it is.
fn rows(
    path: &Path,
    options: &ReplayOptions,
    pass: u32,
    account: &mut ReplayAccount,
) -> Result<Rows, ReplayError> {
    let (reader, first) = open(path).map_err(|error| match error {
        TraceError::Read { path, source } => failed_read(&path, 0, source),
        other => ReplayError::Trace(other),
    })?;
    let mut lines = Lines::new(reader);
    if first == b'{' {
        return Ok(Rows::Log(Box::new(Log::new(path, options, lines, None, account)?)));
    }
    let not_text = |found| ReplayError::Trace(TraceError::NotText { path: path.to_owned(), found });
    let header = match lines.next().map_err(|source| failed_read(path, 0, source))? {
        Some(Line::Text(_, text)) => String::from_utf8(text.to_vec()).map_err(|_| not_text("not UTF-8"))?,
        Some(Line::TooLong(_)) => return Err(not_text("a line of more than 16 MB")),
        None => return Err(not_text("empty")),
    };
    let delimiter = delimiter_of(&header);
    let names = names(&header, delimiter);
    if agents::are_sessions(&names) {
        return Ok(Rows::Agents(Box::new(Agents::new(path, options, lines, (&names, delimiter), account)?)));
    }
    if windows::are_windows(&names) {
        return Ok(Rows::Windows(Windows::new(path, options, lines, (&names, delimiter), pass, account)?));
    }
    Ok(Rows::Log(Box::new(Log::new(path, options, lines, Some((&header, &names)), account)?)))
}

/// Names of the columns in a header.
fn names(header: &str, delimiter: u8) -> Vec<String> {
    let mut quoted = csv::ByteRecord::new();
    let cells = lines::cells(header.as_bytes(), delimiter, &mut quoted);
    cells.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
}

/// What went wrong while reading on: a packed file that is cut off or damaged, or what the system says.
fn failed_read(path: &Path, rows: u64, source: io::Error) -> ReplayError {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let path = path.to_owned();
    match source.kind() {
        UnexpectedEof | InvalidData | InvalidInput => ReplayError::Damaged { path, rows, source },
        _ => ReplayError::Trace(TraceError::Read { path, source }),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 1..=1e9")]
fn scaled(tokens: u32, factor: f64) -> u32 {
    (f64::from(tokens) * factor).round().clamp(1.0, TOKENS_MAX) as u32
}

/// What a scaled prompt shares in a pass: as much of it as before, under names of the pass's own.
fn renewed(prefix: Prefix, factor: f64, again: bool, renew: impl Fn(u64) -> u64) -> Prefix {
    match prefix {
        Prefix::None => Prefix::None,
        Prefix::Blocks { ids, tokens } => {
            let ids = if again { ids.iter().map(|id| renew(*id)).collect() } else { ids };
            Prefix::Blocks { ids, tokens: scaled(tokens, factor) }
        }
        Prefix::Pieces(pieces) if again || factor != 1.0 => {
            let renewed =
                |p: &Piece| Piece { end: scaled(p.end, factor), id: if again { renew(p.id) } else { p.id } };
            Prefix::Pieces(pieces.iter().map(renewed).collect())
        }
        Prefix::Pieces(pieces) => Prefix::Pieces(pieces),
        Prefix::Session { root, root_tokens, talk } => Prefix::Session {
            root: if again { renew(root) } else { root },
            root_tokens: if root_tokens == 0 { 0 } else { scaled(root_tokens, factor) },
            talk: talk.map(|talk| Talk { id: if again { renew(talk.id) } else { talk.id }, ..talk }),
        },
    }
}

/// Spreads numbers over all 64 bits, one to one.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    z = (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    z ^ (z >> 32)
}

#[cfg(test)]
mod tests;
