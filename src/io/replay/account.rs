//! What a replay took, changed and left out.

use jiff::civil::DateTime;
use serde::Serialize;

use crate::workload::{DropReason, Dropped};

/// What a replay took and left out, until now. Rows are counted in the first pass over a trace that is repeated.
///
/// After the end `rows` is the sum of the requests of a pass, `outside` and all of `dropped`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ReplayAccount {
    /// What the file is, for people: `Azure LLM inference trace`.
    pub format: String,
    /// Wall clock of the first request as the file writes it (UTC where it names an offset), if it does.
    #[serde(serialize_with = "shown")]
    pub start: Option<DateTime>,
    /// Rows read, headers and empty lines aside.
    pub rows: u64,
    /// Requests given out, of all passes.
    pub requests: u64,
    /// Passes over the trace that were begun.
    pub passes: u32,
    /// Rows that were left out, by reason, in order of first appearance.
    pub dropped: Vec<Dropped>,
    /// Rows outside the asked stretch of time.
    pub outside: u64,
    /// Rows that stood behind a later one and were sorted into place.
    pub out_of_order: Seen,
    /// Requests with the id of an earlier one, but another time or length: taken as requests of their own.
    pub ids_again: Seen,
    /// Answers of no tokens, taken as one token: an engine makes no shorter one.
    pub empty_answers: Seen,
    /// Silences longer than [`super::ReplayOptions::gap_secs`], each at the row that ends it.
    pub gaps: Seen,
    /// Longest time between two requests, in seconds of the trace.
    pub longest_gap_secs: f64,
    /// Line of the row that ends it; 0 when there is none.
    pub longest_gap_line: u64,
    /// Longest prompt of the trace, in tokens, before lengths are scaled.
    pub longest_prompt: u32,
    /// Its line.
    pub longest_prompt_line: u64,
    /// From the first to the last request of a pass, in seconds of the trace.
    pub span_secs: f64,
    /// Most rows that waited to be sorted at one time: what the memory of a replay goes with.
    pub waiting_max: usize,
    /// How this kind of trace was understood, a sentence each.
    pub notes: Vec<String>,
}

/// How often something was seen, and where first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// Line of the first, counted from 1; 0 when there is none.
    pub first_line: u64,
}

impl Seen {
    /// Once more, in `line`.
    pub fn add(&mut self, line: u64) {
        if self.count == 0 {
            self.first_line = line;
        }
        self.count += 1;
    }
}

impl ReplayAccount {
    /// Counts a row that is left out.
    pub(super) fn drop_row(&mut self, reason: DropReason, line: u64, example: impl FnOnce() -> String) {
        Dropped::count(&mut self.dropped, reason, line, example);
    }

    /// Rows that were left out, of all reasons.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().map(|dropped| dropped.count).sum()
    }

    /// What somebody who replays this trace should know, a sentence each; empty for a trace without faults.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut all: Vec<String> = self.dropped.iter().map(ToString::to_string).collect();
        let mut say = |seen: &Seen, what: &str| {
            if seen.count > 0 {
                let rows = if seen.count == 1 { "row" } else { "rows" };
                all.push(format!("{} {rows} {what}; first in line {}", seen.count, seen.first_line));
            }
        };
        say(&self.out_of_order, "out of order, sorted into place");
        say(&self.ids_again, "with the id of an earlier request, taken as requests of their own");
        say(&self.empty_answers, "with an answer of no tokens, taken as one token");
        say(&self.gaps, "after a long silence");
        if self.gaps.count > 0 {
            let (secs, line) = (self.longest_gap_secs, self.longest_gap_line);
            all.push(format!("the longest silence is {secs:.0} s, before line {line}"));
        }
        all
    }
}

fn shown<S: serde::Serializer>(start: &Option<DateTime>, out: S) -> Result<S::Ok, S::Error> {
    start.map(|start| start.to_string()).serialize(out)
}
