//! Fitting a use case to a trace, with the goodness of each fit on rows that it has not seen.
//!
//! Answers how many requests come a day, how unevenly, and how long they are, and says what the trace cannot
//! tell. Start with [`fit`].

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::{ArrivalFit, Dropped, FitMethod, LengthFit, Trace, TraceRow};
use crate::stats::spearman;
use crate::unit::format;

/// Fewest requests that are fitted: ten to fit and ten to check.
pub const ROWS_MIN: usize = 20;

/// A distance that lets some percentile be off by more than so many points is called poor.
const POOR_KS: f64 = 0.1;

/// Error of the mean, and so of the bill, that is worth a note.
const MEAN_ERROR_NOTED: f64 = 0.05;

/// Rank correlation that is worth a note.
const CORRELATION_NOTED: f64 = 0.2;

/// How many times the noise of its sample a drift must be to be worth a note.
const DRIFT_NOTED: f64 = 3.0;

/// What a trace says about a use case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceFit {
    /// What the trace is.
    pub format: String,
    /// Wall clock of the first request, where the trace has one.
    pub start: Option<String>,
    /// Rows that were left out, by reason.
    pub dropped: Vec<Dropped>,
    /// How often requests come.
    pub arrivals: ArrivalFit,
    /// How long prompts are.
    pub prompt: LengthFit,
    /// How long outputs are.
    pub output: LengthFit,
    /// Spearman's rank correlation of prompt and output length, -1..=1; none if one of them never changes.
    pub rank_correlation: Option<f64>,
    /// What the reader of these numbers should know.
    pub notes: Vec<Note>,
}

/// Why a trace cannot be fitted.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FitError {
    /// Too short.
    #[error("the trace has {found} request{}; a fit needs {ROWS_MIN}", if *found == 1 { "" } else { "s" })]
    TooFewRows {
        /// Its requests.
        found: usize,
    },
    /// Times that say nothing.
    #[error("all {requests} requests come at the same time, which gives no rate; write their times")]
    NoSpan {
        /// Its requests.
        requests: usize,
    },
    /// A column of zeros.
    #[error("fewer than two of {requests} {which} have more than 0 tokens, which gives no length")]
    NoLengths {
        /// Prompts or outputs.
        which: Which,
        /// Requests of the trace.
        requests: usize,
    },
}

/// Which of the two lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// What is sent.
    Prompts,
    /// What is answered.
    Outputs,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prompts => "prompts",
            Self::Outputs => "outputs",
        })
    }
}

/// Something that the numbers alone do not say. Its text is its [`Display`](fmt::Display).
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// Less than a day: no profile, and the day is an extrapolation.
    SpanShort {
        /// Its span, in seconds.
        span_secs: f64,
    },
    /// A day but not a week.
    DayOnly {
        /// Its span, in seconds.
        span_secs: f64,
    },
    /// The rate changes over minutes or hours, which a coefficient of variation of gaps does not carry.
    RateDrifts {
        /// Windows in which it shows, in seconds.
        window_secs: f64,
        /// Variance over mean of the counts in them.
        index: f64,
        /// Coefficient of variation of the gaps, whose square independent gaps would give.
        gap_cv: f64,
    },
    /// Time stamps too coarse for burstiness.
    CoarseTimes {
        /// Their step, in seconds.
        step_secs: f64,
    },
    /// Requests without tokens.
    Zeros {
        /// Of which kind.
        which: Which,
        /// How many.
        count: usize,
    },
    /// No family describes the lengths well.
    PoorFit {
        /// Of which kind.
        which: Which,
        /// The best.
        method: FitMethod,
        /// Its distance.
        ks: f64,
        /// Distance of the table of what was observed, on rows that are not in it.
        table_ks: f64,
    },
    /// The best fit by distance misses the mean, and so the bill.
    MeanOff {
        /// Of which kind.
        which: Which,
        /// The best by distance.
        method: FitMethod,
        /// Its error.
        error: f64,
        /// The one that keeps the mean better.
        instead: FitMethod,
        /// The error of that one.
        instead_error: f64,
    },
    /// Earlier and later requests differ in length.
    LengthsDrift {
        /// Of which kind.
        which: Which,
        /// Distance of the two halves.
        ks: f64,
    },
    /// Long prompts get longer (or shorter) answers; a scenario draws them independently.
    Correlated {
        /// Spearman's.
        rank_correlation: f64,
    },
    /// Rows were left out.
    RowsDropped {
        /// How many.
        count: u64,
        /// Of how many.
        total: u64,
    },
    /// Rows were sorted into place.
    OutOfOrder {
        /// How many.
        count: u64,
        /// Line of the first.
        first_line: u64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpanShort { span_secs } => write!(
                f,
                "The trace spans {}, less than a day: requests per day are its mean rate times 86,400 s, as if \
                 every hour were alike, and there is no hourly profile.",
                format::secs(*span_secs)
            ),
            Self::DayOnly { span_secs } => write!(
                f,
                "The trace spans {}, less than a week: the profile is of a day, and weekends are not in it.",
                format::secs(*span_secs)
            ),
            Self::RateDrifts { window_secs, index, gap_cv } => write!(
                f,
                "Counts per {} vary {} times as much as Poisson arrivals; independent gaps with CV {} would give \
                 {}. The rate drifts, which the CV does not carry: peaks are higher than it suggests.",
                format::secs(*window_secs),
                format::significant(*index, 2),
                format::significant(*gap_cv, 3),
                format::significant(gap_cv * gap_cv, 2)
            ),
            Self::CoarseTimes { step_secs } => write!(
                f,
                "Time stamps come in steps of {}: the gaps say nothing about burstiness, so none is fitted.",
                format::secs(*step_secs)
            ),
            Self::Zeros { which, count } => {
                write!(
                    f,
                    "{} {which} have 0 tokens and are not in the lengths.",
                    format::count(*count as f64)
                )
            }
            Self::PoorFit { which, method, ks, table_ks } => write!(
                f,
                "No family describes the {which} well: the best ({}) is off by up to {} points of probability; a \
                 table of what was observed is off by {} on rows that are not in it.",
                method.name(),
                format::significant(ks * 100.0, 2),
                format::significant(table_ks * 100.0, 2)
            ),
            Self::MeanOff { which, method, error, instead, instead_error } => write!(
                f,
                "For {which} the closest fit ({}) misses the mean by {}; a bill follows the mean, so {} ({}) is \
                 the better choice for one.",
                method.name(),
                format::percent(*error),
                instead.name(),
                format::percent(*instead_error)
            ),
            Self::LengthsDrift { which, ks } => write!(
                f,
                "The {which} change over the trace: its earlier and later halves are up to {} points apart.",
                format::significant(ks * 100.0, 2)
            ),
            Self::Correlated { rank_correlation } => write!(
                f,
                "Prompt and output lengths go together (rank correlation {}); a scenario draws them independently, \
                 which leaves the mean as it is.",
                format::significant(*rank_correlation, 2)
            ),
            Self::RowsDropped { count, total } => write!(
                f,
                "{} of {} rows were left out.",
                format::count(*count as f64),
                format::count(*total as f64)
            ),
            Self::OutOfOrder { count, first_line } => write!(
                f,
                "{} rows stood behind a later one (first in line {first_line}) and were sorted into place.",
                format::count(*count as f64)
            ),
        }
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Fits arrivals and lengths to `trace`.
///
/// Families of length are fitted to every second request and judged on the others. Nothing is random.
///
/// # Errors
/// [`FitError`] when there are fewer than [`ROWS_MIN`] requests, all at one time, or all without tokens.
pub fn fit(trace: &Trace) -> Result<TraceFit, FitError> {
    let requests = trace.rows.len();
    if requests < ROWS_MIN {
        return Err(FitError::TooFewRows { found: requests });
    }
    let column =
        |of: fn(&TraceRow) -> u32| -> Vec<f64> { trace.rows.iter().map(|r| f64::from(of(r))).collect() };
    let (prompts, outputs) = (column(|row| row.prompt_tokens), column(|row| row.output_tokens));
    let length = |which, lengths| LengthFit::of(lengths).ok_or(FitError::NoLengths { which, requests });
    let prompt = length(Which::Prompts, &prompts)?;
    let output = length(Which::Outputs, &outputs)?;
    let arrivals = ArrivalFit::of(trace).ok_or(FitError::NoSpan { requests })?;
    let rank_correlation = spearman(&prompts, &outputs);
    let mut notes = notes_on_arrivals(trace, &arrivals);
    notes.extend(notes_on_lengths(Which::Prompts, &prompt));
    notes.extend(notes_on_lengths(Which::Outputs, &output));
    if let Some(rank_correlation) = rank_correlation.filter(|rho| rho.abs() > CORRELATION_NOTED) {
        notes.push(Note::Correlated { rank_correlation });
    }
    Ok(TraceFit {
        format: trace.format.clone(),
        start: trace.start.map(|at| at.to_string()),
        dropped: trace.dropped.clone(),
        arrivals,
        prompt,
        output,
        rank_correlation,
        notes,
    })
}

fn notes_on_arrivals(trace: &Trace, arrivals: &ArrivalFit) -> Vec<Note> {
    let mut notes = Vec::new();
    let span_secs = arrivals.span_secs;
    match &arrivals.shape {
        None => notes.push(Note::SpanShort { span_secs }),
        Some(shape) if shape.weights.len() == 24 => notes.push(Note::DayOnly { span_secs }),
        Some(_) => {}
    }
    if let Some(step_secs) = arrivals.coarse_step_secs {
        notes.push(Note::CoarseTimes { step_secs });
    }
    let gap_cv = arrivals.gap_cv;
    if let Some(longest) = arrivals.dispersion.last().filter(|d| d.index > 3.0 * (gap_cv * gap_cv).max(1.0)) {
        notes.push(Note::RateDrifts { window_secs: longest.window_secs, index: longest.index, gap_cv });
    }
    let count = trace.dropped_total();
    if count > 0 {
        notes.push(Note::RowsDropped { count, total: count + trace.rows.len() as u64 });
    }
    if let Some(first_line) = trace.first_out_of_order_line {
        notes.push(Note::OutOfOrder { count: trace.out_of_order, first_line });
    }
    notes
}

fn notes_on_lengths(which: Which, lengths: &LengthFit) -> Vec<Note> {
    let mut notes = Vec::new();
    if lengths.zeros > 0 {
        notes.push(Note::Zeros { which, count: lengths.zeros });
    }
    if let (Some(best), Some(bill)) = (lengths.fit(lengths.best), lengths.fit(lengths.for_bill)) {
        let table_ks = lengths.fit(FitMethod::Empirical).map(|table| table.goodness.ks);
        if let (ks, Some(table_ks)) = (best.goodness.ks, table_ks.filter(|_| best.goodness.ks > POOR_KS)) {
            notes.push(Note::PoorFit { which, method: best.method, ks, table_ks });
        }
        let (error, instead_error) = (best.goodness.mean_error, bill.goodness.mean_error);
        let is_taken = lengths.chosen == bill.method;
        if is_taken && best.method != bill.method && error.abs() > MEAN_ERROR_NOTED {
            let (method, instead) = (best.method, bill.method);
            notes.push(Note::MeanOff { which, method, error, instead, instead_error });
        }
    }
    if lengths.drift_ks > DRIFT_NOTED * lengths.ks_noise {
        notes.push(Note::LengthsDrift { which, ks: lengths.drift_ks });
    }
    notes
}

#[cfg(test)]
mod tests;
