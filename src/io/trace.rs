//! Reading request traces: when requests came and how long they were.
//!
//! Recognised by their columns, packed with gzip or zstd or not: the Azure LLM inference traces, BurstGPT, Mooncake (JSON lines), and any CSV or
//! JSON lines with a time and two token columns of a known name. Rows that cannot be read are left out and
//! counted with the line of the first; what is ambiguous for the whole file is an error, never a guess.
//! Start with [`read`]. Rates per window (ServeGen) are read by [`read_windows`].

mod clock;
mod columns;
pub(super) mod fields;
mod windows;

use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use thiserror::Error;

use crate::workload::{DropReason, Trace, TraceRow};

use super::packed::{self, Input};

pub(super) use clock::Clock;
pub(super) use columns::{Chosen, Columns, found, named, plain_name, seconds_per};
pub use windows::read_windows;

/// Longest line that is read, in bytes: a request of a million tokens with its block hashes has some 100 KB.
pub(super) const LINE_BYTES_MAX: u64 = 16_000_000;

/// Largest number of tokens that a request can have; above it the value is taken for a mistake.
pub(super) const TOKENS_MAX: f64 = 1e9;

/// Rows between two calls of a watcher.
const WATCH_ROWS: u64 = 4096;

/// Why a trace cannot be read; names the line where there is one, and what to write.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The file cannot be opened or read on.
    #[error("{source}: {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a text, or no text in it.
    #[error("not a trace: the file is {found}; write CSV with a header, or JSON lines, in UTF-8: {}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A column that is needed is not there.
    #[error(
        "the trace has no column for {missing}; found {found}; expected {expected}: {}", path.display()
    )]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// What is missing: time, prompt tokens, output tokens.
        missing: String,
        /// The columns that are there.
        found: String,
        /// Names that are understood.
        expected: String,
    },
    /// Numbers for times, and nothing says of what.
    #[error(
        "line {line}: {column} is {value}, in seconds or milliseconds? rename the column to {column}_s or \
         {column}_ms: {}", path.display()
    )]
    AmbiguousTime {
        /// The file.
        path: PathBuf,
        /// The first row.
        line: u64,
        /// The column of the time.
        column: String,
        /// Its value there.
        value: String,
    },
    /// Several records, each with a clock of its own, one after the other.
    #[error(
        "the time goes back to the start {times} times, first in line {line}: these are several traces or an \
         unsorted one; give one clock, sorted by time: {}", path.display()
    )]
    ClockRestarts {
        /// The file.
        path: PathBuf,
        /// How often.
        times: u64,
        /// Where first.
        line: u64,
    },
    /// Columns are there, but no row could be read.
    #[error("no request in the trace; {why}: {}", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
        /// The rows left out and the reasons.
        why: String,
    },
    /// The watcher asked to stop.
    #[error("reading was stopped after {rows} rows: {}", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
        /// Rows read until then.
        rows: u64,
    },
}

/// Reads the trace at `path`.
///
/// ```no_run
/// # fn main() -> Result<(), breakeven::io::trace::TraceError> {
/// let trace = breakeven::io::trace::read("trace.csv".as_ref())?;
/// for dropped in &trace.dropped {
///     eprintln!("{dropped}"); // 3 rows left out (token count not readable); line 41: ContextTokens is "12k"; …
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`TraceError`] names the line and what to write.
pub fn read(path: &Path) -> Result<Trace, TraceError> {
    read_watched(path, &mut |_| ControlFlow::Continue(()))
}

/// [`read`], telling `watch` now and then how many rows were read; it may stop the reading.
///
/// # Errors
/// As [`read`], and [`TraceError::Stopped`].
pub fn read_watched(path: &Path, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<Trace, TraceError> {
    let (reader, first) = open(path)?;
    let mut state = Reading { path, watch, trace: Trace::default(), clock: None, times: Vec::new(), seen: 0 };
    if first == b'{' {
        read_json_lines(&mut state, reader)?;
    } else {
        read_csv(&mut state, reader)?;
    }
    state.finish()
}

/// Opens a text, packed or not, and looks at its first byte that is not white space; a byte order mark is skipped.
pub(super) fn open(path: &Path) -> Result<(Input, u8), TraceError> {
    let read = |source| TraceError::Read { path: path.to_owned(), source };
    let not_text = |found| TraceError::NotText { path: path.to_owned(), found };
    if path.is_dir() {
        return Err(not_text("a folder"));
    }
    let mut reader = packed::open(path).map_err(read)?;
    let head = reader.fill_buf().map_err(read)?;
    let kind = match head {
        [] => Some("empty"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        [b'P', b'K', 3, 4, ..] => Some("compressed (zip; unpack it first, or pack it with gzip or zstd)"),
        [b'P', b'A', b'R', b'1', ..] => Some(PARQUET),
        head if head.contains(&0) => Some("binary"),
        _ => None,
    };
    if let Some(kind) = kind {
        return Err(not_text(kind));
    }
    let mark = if head.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let first = head.iter().skip(mark).copied().find(|b| !b.is_ascii_whitespace());
    reader.consume(mark);
    Ok((reader, first.ok_or_else(|| not_text("empty"))?))
}

/// What is said of Parquet: reading it would take a library as large as the rest of the readers together.
const PARQUET: &str = "a Parquet table, which is not read; convert it, for example with DuckDB: COPY \
                       (FROM 'trace.parquet') TO 'trace.csv.gz'";

struct Reading<'a> {
    path: &'a Path,
    watch: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
    trace: Trace,
    clock: Option<Clock>,
    /// Time of each row in seconds after the clock's origin, with its line.
    times: Vec<(f64, u64)>,
    seen: u64,
}

/// The values of one row, as text.
struct Fields<'f> {
    line: u64,
    time: Option<&'f [u8]>,
    prompt: Option<&'f [u8]>,
    output: Option<&'f [u8]>,
}

impl Reading<'_> {
    fn row(&mut self, columns: &Columns, fields: &Fields<'_>) -> Result<(), TraceError> {
        self.seen += 1;
        if self.seen.is_multiple_of(WATCH_ROWS) && (self.watch)(self.seen).is_break() {
            return Err(TraceError::Stopped { path: self.path.to_owned(), rows: self.seen });
        }
        let line = fields.line;
        let dropped = &mut self.trace.dropped;
        let prompt = fields::tokens(dropped, line, &columns.prompt, fields.prompt);
        let output = prompt.and_then(|_| fields::tokens(dropped, line, &columns.output, fields.output));
        let time = output.and_then(|_| fields::text(dropped, line, &columns.time, fields.time));
        let (Some(prompt_tokens), Some(output_tokens), Some(time)) = (prompt, output, time) else {
            return Ok(());
        };
        let column = (columns.time.as_str(), columns.time_scale);
        if let Some(at_secs) = fields::time(dropped, &mut self.clock, (self.path, line), column, time)? {
            self.trace.rows.push(TraceRow { at_secs, prompt_tokens, output_tokens });
            self.times.push((at_secs, line));
        }
        Ok(())
    }

    /// Sorts by time and lets the first request be at 0.
    fn finish(self) -> Result<Trace, TraceError> {
        let Self { path, mut trace, clock, times, .. } = self;
        let Some(&(first, _)) = times.first() else {
            let why: Vec<_> = trace.dropped.iter().map(ToString::to_string).collect();
            let why =
                if why.is_empty() { "there is nothing after the header".to_owned() } else { why.join("; ") };
            return Err(TraceError::NoRows { path: path.to_owned(), why });
        };
        let (mut restarts, mut restart_line) = (0, 0);
        let mut latest = first;
        let pairs = times.iter().zip(times.iter().skip(1));
        for (&(before, _), &(at, line)) in pairs {
            if at < before && at <= first {
                restarts += 1;
                restart_line = if restart_line == 0 { line } else { restart_line };
            }
            if at < latest {
                trace.out_of_order += 1;
                trace.first_out_of_order_line.get_or_insert(line);
            }
            latest = latest.max(at);
        }
        if restarts >= 2 {
            return Err(TraceError::ClockRestarts {
                path: path.to_owned(),
                times: restarts,
                line: restart_line,
            });
        }
        // Stable: requests of one instant stay in the order of the file.
        trace.rows.sort_by(|a, b| a.at_secs.total_cmp(&b.at_secs));
        let origin = trace.rows.first().map_or(0.0, |row| row.at_secs);
        for row in &mut trace.rows {
            row.at_secs -= origin;
        }
        trace.start = clock.and_then(|clock| clock.wall_clock(origin));
        Ok(trace)
    }
}

fn read_csv(state: &mut Reading<'_>, mut reader: Input) -> Result<(), TraceError> {
    let path = state.path;
    let read = |source| TraceError::Read { path: path.to_owned(), source };
    let mut header = Vec::new();
    reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut header).map_err(read)?;
    let header = String::from_utf8(header)
        .map_err(|_| TraceError::NotText { path: path.to_owned(), found: "not UTF-8" })?;
    let delimiter = delimiter_of(&header);
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).has_headers(false).flexible(true);
    let names: Vec<String> = builder
        .from_reader(header.as_bytes())
        .records()
        .next()
        .and_then(Result::ok)
        .map(|record| record.iter().map(|name| name.trim().to_owned()).collect())
        .unwrap_or_default();
    let columns = Columns::of(&names, &Chosen::default(), path)?;
    state.trace.format = columns.format.to_owned();

    let mut rows = builder.from_reader(reader);
    let mut record = csv::ByteRecord::new();
    loop {
        match rows.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(source) => return Err(read(source)),
                kind => return Err(read(io::Error::other(format!("{kind:?}")))),
            },
        }
        // The header was line 1; the reader counts from 1 again.
        let line = record.position().map_or(0, |position| position.line() + 1);
        let fields = Fields {
            line,
            time: record.get(columns.time_at),
            prompt: record.get(columns.prompt_at),
            output: record.get(columns.output_at),
        };
        state.row(&columns, &fields)?;
    }
}

/// What stands between the columns: a comma, a semicolon or a tab.
pub(super) fn delimiter_of(header: &str) -> u8 {
    let count = |c: char| header.matches(c).count();
    [(b',', count(',')), (b';', count(';')), (b'\t', count('\t'))]
        .into_iter()
        .rev()
        .max_by_key(|&(_, n)| n)
        .map_or(b',', |(delimiter, _)| delimiter)
}

fn read_json_lines(state: &mut Reading<'_>, mut reader: Input) -> Result<(), TraceError> {
    let path = state.path;
    let mut columns: Option<Columns> = None;
    let mut buffer = Vec::new();
    for line in 1_u64.. {
        buffer.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut buffer);
        if read.map_err(|source| TraceError::Read { path: path.to_owned(), source })? == 0 {
            break;
        }
        if buffer.trim_ascii().is_empty() {
            continue;
        }
        let object = match serde_json::from_slice::<Map<String, Value>>(&buffer) {
            Ok(object) => object,
            Err(error) => {
                let shown = shortened(&String::from_utf8_lossy(&buffer));
                state.trace.drop_row(DropReason::NotARecord, line, || {
                    format!("\"{shown}\" is not a JSON object ({error}); write one object per line")
                });
                continue;
            }
        };
        if columns.is_none() {
            let names: Vec<String> = object.keys().cloned().collect();
            let recognised = Columns::of(&names, &Chosen::default(), path)?;
            state.trace.format = recognised.format.to_owned();
            columns = Some(recognised);
        }
        if let Some(columns) = &columns {
            let text = |name: &str| object.get(name).filter(|v| !v.is_null()).map(plain_text);
            let (time, prompt, output) = (text(&columns.time), text(&columns.prompt), text(&columns.output));
            let fields = Fields {
                line,
                time: time.as_deref().map(str::as_bytes),
                prompt: prompt.as_deref().map(str::as_bytes),
                output: output.as_deref().map(str::as_bytes),
            };
            state.row(columns, &fields)?;
        }
    }
    Ok(())
}

pub(super) fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text that fits into a message, on one line.
pub(super) fn shortened(text: &str) -> String {
    const KEPT: usize = 40;
    let mut shown: String =
        text.trim().chars().take(KEPT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(KEPT).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
