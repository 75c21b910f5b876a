//! A request trace: when requests came and how long they were.
//!
//! Only the data and what was left out of it. Reading files is [`crate::io`]'s affair (`io::trace::read`), fitting
//! is in [`super::fit`].

use std::fmt;

use jiff::civil::DateTime;
use serde::Serialize;

/// Requests in order of time, and an account of what was not taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// What the file is, for people: `Azure LLM inference trace`.
    pub format: String,
    /// Requests, ascending by time; the first is at 0.
    pub rows: Vec<TraceRow>,
    /// Wall clock of the first request as the file writes it (UTC where it names an offset), if it does.
    pub start: Option<DateTime>,
    /// Rows that were left out, by reason, in order of first appearance.
    pub dropped: Vec<Dropped>,
    /// Rows that stood behind a later one and were sorted into place.
    pub out_of_order: u64,
    /// Line of the first of these.
    pub first_out_of_order_line: Option<u64>,
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TraceRow {
    /// Seconds since the first request; finite, >= 0.
    pub at_secs: f64,
    /// Tokens sent.
    pub prompt_tokens: u32,
    /// Tokens answered.
    pub output_tokens: u32,
}

/// Rows that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dropped {
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub count: u64,
    /// Line of the first one, counted from 1.
    pub first_line: u64,
    /// What was found there and what to write.
    pub example: String,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, count, first_line, example } = self;
        let rows = if *count == 1 { "row" } else { "rows" };
        write!(f, "{count} {rows} left out ({reason}); line {first_line}: {example}")
    }
}

/// Why a row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The time is neither a number nor a date.
    Time,
    /// The time is written in another way than in the rows before.
    TimeFormat,
    /// A token count is not a whole number, or absurd.
    Tokens,
    /// The row ends before a column that is needed, or the value is empty.
    Missing,
    /// Bytes that are not UTF-8.
    NotText,
    /// A line that is not a JSON object, or a row that is not CSV.
    NotARecord,
    /// So far behind a later row that it cannot be put into its place while reading on.
    Late,
    /// The same request again: the same id, time and tokens.
    Duplicate,
    /// A prompt of no tokens.
    NoPrompt,
    /// The log says that the request failed.
    Failed,
    /// Prompt and answer are longer than the model's context.
    Context,
    /// So long after the first row that no clock of a simulation reaches it.
    Never,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "time not readable",
            Self::TimeFormat => "time written differently from the rows before",
            Self::Tokens => "token count not readable",
            Self::Missing => "value missing",
            Self::NotText => "not UTF-8",
            Self::NotARecord => "not a record",
            Self::Late => "too late to be sorted into place",
            Self::Duplicate => "the same request again",
            Self::NoPrompt => "prompt of no tokens",
            Self::Failed => "failed request",
            Self::Context => "longer than the context",
            Self::Never => "time too far ahead",
        })
    }
}

impl Dropped {
    /// Counts a row that is left out among `account`; `example` is made for the first of its reason only.
    pub fn count(account: &mut Vec<Self>, reason: DropReason, line: u64, example: impl FnOnce() -> String) {
        match account.iter_mut().find(|dropped| dropped.reason == reason) {
            Some(dropped) => dropped.count += 1,
            None => account.push(Self { reason, count: 1, first_line: line, example: example() }),
        }
    }
}

impl Trace {
    /// Counts a row that is left out.
    pub fn drop_row(&mut self, reason: DropReason, line: u64, example: impl FnOnce() -> String) {
        Dropped::count(&mut self.dropped, reason, line, example);
    }

    /// Rows that were left out, of all reasons.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().map(|dropped| dropped.count).sum()
    }

    /// Seconds from the first to the last request; 0 when there are fewer than two.
    #[must_use]
    pub fn span_secs(&self) -> f64 {
        self.rows.last().map_or(0.0, |row| row.at_secs)
    }
}
