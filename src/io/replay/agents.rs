//! Sessions of agents, each with a clock of its own (WEKA's Claude Code traces): when each starts, and what its prompts
//! share.
//!
//! The file says of each request how many blocks of 64 tokens at its start were in an earlier prompt of its session. A
//! context is kept per agent, as pieces ([`Prefix::Pieces`]): a prompt begins with the last prompt of its own agent as
//! far as the file says, or with another agent's of the session where its own does not reach so far; what follows is
//! new. Prompts that only grow stay one piece, so that the answers between them are found again too; the file counts
//! prompts only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::super::trace::{fields, named, shortened};
use super::lines::{Line, Lines, cells};
use super::order::Sorted;
use super::{ReplayAccount, ReplayError, ReplayOptions, Row, failed_read, mixed};
use crate::sim::{Piece, Prefix};
use crate::stats::Stream;
use crate::workload::DropReason;

const SECS_PER_HOUR: f64 = 3600.0;

/// Tokens per block of the counts in the file.
const BLOCK_TOKENS: u32 = 64;

/// Requests of sessions that are open at one time, at most: 4 million take some 400 MB.
const OPEN_MAX: usize = 4_000_000;

/// Columns of the file, of which all but the last are needed.
const COLUMNS: [&str; 8] = [
    "trace_id",
    "subagent",
    "t_s",
    "input_tokens",
    "output_tokens",
    "n_blocks64",
    "prefix_hit_blocks_same_session",
    "api_time_s",
];

/// Whether a file with these columns is one of sessions.
pub(super) fn are_sessions(names: &[String]) -> bool {
    COLUMNS[..7].iter().all(|column| named(names, column).is_some())
}

/// The context of one agent after a request.
#[derive(Clone)]
struct Context {
    pieces: Vec<Piece>,
    /// Tokens of the prompt.
    tokens: u32,
    /// Whether the last piece was longer before: what is written on may not look like what was written then.
    cut: bool,
    /// When it was last used, among the requests of the session.
    turn: u64,
}

/// A session while its rows are read.
struct Session {
    id: Vec<u8>,
    number: u64,
    /// Seconds after the first session's start.
    start: f64,
    contexts: FxHashMap<Vec<u8>, Context>,
    /// When each agent began and when its last call was answered, in seconds of the session.
    clocks: FxHashMap<Vec<u8>, (f64, f64)>,
    pieces: u64,
    turn: u64,
}

/// A row as the file writes it.
struct Call {
    line: u64,
    session: Vec<u8>,
    agent: Vec<u8>,
    /// Seconds of its agent's clock.
    at: f64,
    prompt: u32,
    output: u32,
    found_blocks: u32,
    answered_after: f64,
}

/// Requests of all sessions in order of time.
pub(super) struct Agents {
    path: PathBuf,
    lines: Lines,
    at: [Option<usize>; 8],
    delimiter: u8,
    starts: Stream,
    per_hour: f64,
    session: Option<Session>,
    /// First row of the session after, its start not yet drawn.
    ahead: Option<Call>,
    ended: bool,
    sorted: Sorted<Row>,
    /// Requests that come until here are all read.
    until: f64,
}

impl Agents {
    pub fn new(
        path: &Path,
        options: &ReplayOptions,
        lines: Lines,
        (names, delimiter): (&[String], u8),
        account: &mut ReplayAccount,
    ) -> Result<Self, ReplayError> {
        let Some(per_hour) = options.sessions_per_hour else {
            return Err(ReplayError::SessionStarts { path: path.to_owned() });
        };
        account.format = "Claude Code sessions (WEKA)".to_owned();
        account.notes = vec![
            format!("sessions start as a Poisson process of {per_hour} per hour; the file has no common clock"),
            "a prompt begins with what the file says was in an earlier prompt of its session, in blocks of 64 \
             tokens; answers are found again as well, which the file does not count"
                .to_owned(),
        ];
        Ok(Self {
            path: path.to_owned(),
            lines,
            at: COLUMNS.map(|column| named(names, column)),
            delimiter,
            starts: Stream::new(options.seed, "replay.sessions"),
            per_hour,
            session: None,
            ahead: None,
            ended: false,
            sorted: Sorted::new(usize::MAX),
            until: 0.0,
        })
    }

    /// Rows that were read and wait.
    pub fn waiting(&self) -> u64 {
        self.sorted.len() as u64 + u64::from(self.ahead.is_some())
    }

    /// The next request in order of time; `None` at the end.
    pub fn next(&mut self, account: &mut ReplayAccount) -> Result<Option<Row>, ReplayError> {
        while !self.ended && self.sorted.first().is_none_or(|first| first > self.until) {
            self.read_session(account)?;
        }
        Ok(self.sorted.next())
    }

    /// Reads a session to its end, and draws when the next one starts.
    fn read_session(&mut self, account: &mut ReplayAccount) -> Result<(), ReplayError> {
        loop {
            let call = match self.ahead.take() {
                Some(call) => call,
                None => match self.read(account)? {
                    Some(call) => call,
                    None if self.ended => return Ok(()),
                    None => continue,
                },
            };
            let number = match &self.session {
                Some(session) if session.id == call.session => session.number,
                Some(session) if self.until <= session.start => {
                    // The session is read; another one begins after a gap.
                    let number = session.number + 1;
                    let gap = -self.starts.uniform(number).ln() * SECS_PER_HOUR / self.per_hour;
                    self.until = session.start + gap;
                    self.ahead = Some(call);
                    return Ok(());
                }
                Some(session) => session.number + 1,
                None => 0,
            };
            if self.session.as_ref().is_none_or(|session| session.number != number) {
                self.session = Some(Session::new(call.session.clone(), number, self.until));
            }
            let Some(session) = &mut self.session else { return Ok(()) };
            let row = session.row(&call);
            // Rows of a session never come before it starts, and no earlier session is still to be read.
            if self.sorted.push(row.at, 0, row).is_err() {
                account.drop_row(DropReason::Late, call.line, || {
                    "it comes before its session starts".to_owned()
                });
            }
            account.waiting_max = account.waiting_max.max(self.sorted.len());
            if self.sorted.len() > OPEN_MAX {
                return Err(ReplayError::TooManyOpen { path: self.path.clone(), open: self.sorted.len() });
            }
        }
    }

    fn read(&mut self, account: &mut ReplayAccount) -> Result<Option<Call>, ReplayError> {
        let rows = account.rows;
        let line = self.lines.next_quoted().map_err(|source| failed_read(&self.path, rows, source))?;
        let Some(line) = line else {
            self.ended = true;
            return Ok(None);
        };
        account.rows += 1;
        let (line, text) = match line {
            Line::Text(line, text) => (line, text),
            Line::TooLong(line) => {
                account.drop_row(DropReason::NotARecord, line, || {
                    "the line has more than 16 MB; write a row per line".to_owned()
                });
                return Ok(None);
            }
        };
        let mut quoted = csv::ByteRecord::new();
        let all = cells(text, self.delimiter, &mut quoted);
        let cell = |column: usize| self.at[column].and_then(|at| all.get(at).copied());
        Ok(call(line, cell, account))
    }
}

/// Reads a row's cells; `None` is counted.
fn call<'a>(
    line: u64,
    cell: impl Fn(usize) -> Option<&'a [u8]>,
    account: &mut ReplayAccount,
) -> Option<Call> {
    let dropped = &mut account.dropped;
    let session = fields::text(dropped, line, COLUMNS[0], cell(0))?;
    let agent = fields::text(dropped, line, COLUMNS[1], cell(1))?;
    let time = fields::text(dropped, line, COLUMNS[2], cell(2))?;
    let prompt = fields::tokens(dropped, line, COLUMNS[3], cell(3))?;
    let output = fields::tokens(dropped, line, COLUMNS[4], cell(4))?;
    let found_blocks = fields::tokens(dropped, line, COLUMNS[6], cell(6))?;
    let secs = |text: &str| text.parse().ok().filter(|v: &f64| v.is_finite() && *v >= 0.0);
    let Some(at) = secs(time) else {
        account.drop_row(DropReason::Time, line, || {
            format!("{} is \"{}\"; write seconds from 0 on", COLUMNS[2], shortened(time))
        });
        return None;
    };
    if prompt == 0 {
        account.drop_row(DropReason::NoPrompt, line, || {
            format!("{} is 0; write the tokens that were sent", COLUMNS[3])
        });
        return None;
    }
    if output == 0 {
        account.empty_answers.add(line);
    }
    let api = cell(7).and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| secs(text.trim()));
    Some(Call {
        line,
        session: session.as_bytes().to_vec(),
        agent: agent.as_bytes().to_vec(),
        at,
        prompt,
        output: output.max(1),
        found_blocks,
        answered_after: api.unwrap_or(0.0),
    })
}

impl Session {
    fn new(id: Vec<u8>, number: u64, start: f64) -> Self {
        Self {
            id,
            number,
            start,
            contexts: FxHashMap::default(),
            clocks: FxHashMap::default(),
            pieces: 0,
            turn: 0,
        }
    }

    fn row(&mut self, call: &Call) -> Row {
        let at = self.at(call);
        let context = self.context(call);
        let prefix = Prefix::Pieces(Arc::from(context.pieces.as_slice()));
        self.contexts.insert(call.agent.clone(), context);
        Row {
            at: self.start + at,
            line: call.line,
            prompt: call.prompt,
            output: call.output,
            prefix,
            session: mixed(self.number),
            key: None,
        }
    }

    /// Seconds after the session's start. An agent that another one starts has a clock of its own, which begins when
    /// the last call of its parent before it in the file is answered.
    fn at(&mut self, call: &Call) -> f64 {
        let begun = match self.clocks.get(&call.agent) {
            Some(&(begun, _)) => begun,
            None => {
                let parent = call.agent.iter().rposition(|b| *b == b'/').map(|at| &call.agent[..at]);
                parent.and_then(|parent| self.clocks.get(parent)).map_or(0.0, |&(_, answered)| answered)
            }
        };
        let at = begun + call.at;
        self.clocks.insert(call.agent.clone(), (begun, at + call.answered_after));
        at
    }

    /// The context of a call: what it shares, and what is new.
    fn context(&mut self, call: &Call) -> Context {
        self.turn += 1;
        let wanted = call.found_blocks.saturating_mul(BLOCK_TOKENS).min(call.prompt);
        let reaches = |context: &Context| context.tokens >= wanted;
        let own = self.contexts.get(&call.agent);
        let base = match own {
            Some(own) if reaches(own) => Some((own, true)),
            _ => {
                let others = self.contexts.values().filter(|context| reaches(context));
                let latest = others.max_by_key(|context| context.turn).map(|other| (other, false));
                latest.or(own.map(|own| (own, true)))
            }
        };
        let (mut pieces, whole, tokens) = match base {
            Some((base, own)) if wanted > 0 => {
                let shared = wanted.min(base.tokens);
                // What is not a full block at the end of the last prompt is not counted; it is there all the same.
                let whole = own && !base.cut && shared / BLOCK_TOKENS == base.tokens / BLOCK_TOKENS;
                let mut pieces = base.pieces.clone();
                if !whole {
                    pieces.truncate(pieces.partition_point(|piece| piece.end < shared) + 1);
                    if let Some(last) = pieces.last_mut() {
                        last.end = shared;
                    }
                }
                (pieces, whole, shared)
            }
            _ => (Vec::new(), false, 0),
        };
        match pieces.last_mut() {
            Some(last) if whole || call.prompt <= tokens => last.end = call.prompt,
            _ => {
                self.pieces += 1;
                let id = mixed(mixed(self.number) ^ self.pieces);
                pieces.push(Piece { end: call.prompt, id });
            }
        }
        let cut = !whole && call.prompt <= tokens;
        Context { pieces, tokens: call.prompt, cut, turn: self.turn }
    }
}
