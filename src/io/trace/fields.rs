//! Single values of a row: read, or counted among what is left out with what to write instead.

use std::path::Path;

use super::{Clock, TOKENS_MAX, TraceError, shortened};
use crate::unit::format::{Unit, parse};
use crate::workload::{DropReason, Dropped};

/// A value as text without white space around it; `None` is counted.
pub fn text<'f>(
    dropped: &mut Vec<Dropped>,
    line: u64,
    column: &str,
    field: Option<&'f [u8]>,
) -> Option<&'f str> {
    let Some(bytes) = field.filter(|bytes| !bytes.trim_ascii().is_empty()) else {
        let example = || format!("{column} is empty; write its value");
        Dropped::count(dropped, DropReason::Missing, line, example);
        return None;
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.trim()),
        Err(_) => {
            Dropped::count(dropped, DropReason::NotText, line, || {
                let shown = shortened(&String::from_utf8_lossy(bytes));
                format!("{column} is \"{shown}\"; save the file as UTF-8")
            });
            None
        }
    }
}

/// A count of tokens; `None` is counted.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, within 0..=1e9")]
pub fn tokens(dropped: &mut Vec<Dropped>, line: u64, column: &str, field: Option<&[u8]>) -> Option<u32> {
    let text = text(dropped, line, column, field)?;
    let allowed = |v: &f64| v.fract() == 0.0 && (0.0..=TOKENS_MAX).contains(v);
    if let Some(v) = text.parse().ok().filter(allowed) {
        return Some(v as u32);
    }
    Dropped::count(dropped, DropReason::Tokens, line, || {
        let meant = parse(text, Unit::Tokens).ok().filter(allowed);
        let instead = match meant {
            Some(v) => format!("{v}"),
            None => format!("a whole number of tokens, 0 to {TOKENS_MAX}"),
        };
        format!("{column} is \"{}\"; write {instead}", shortened(text))
    });
    None
}

/// A time in seconds after that of the first row that has one, which starts `clock`; `None` is counted.
///
/// # Errors
/// [`TraceError::AmbiguousTime`] for a first number whose unit neither `scale` (seconds per unit) nor its size tells.
pub fn time(
    dropped: &mut Vec<Dropped>,
    clock: &mut Option<Clock>,
    (path, line): (&Path, u64),
    (column, scale): (&str, Option<f64>),
    text: &str,
) -> Result<Option<f64>, TraceError> {
    if let Some(clock) = clock {
        let at = clock.secs(text);
        if at.is_none() {
            let (reason, instead) = match Clock::is_time(text) {
                true => (DropReason::TimeFormat, format!("write it as in the rows before: {}", clock.like())),
                false => (DropReason::Time, format!("write a time such as {}", clock.like())),
            };
            let example = || format!("{column} is \"{}\"; {instead}", shortened(text));
            Dropped::count(dropped, reason, line, example);
        }
        return Ok(at);
    }
    if !Clock::is_time(text) {
        Dropped::count(dropped, DropReason::Time, line, || {
            let shown = shortened(text);
            format!("{column} is \"{shown}\"; write seconds, or a date such as 2026-01-31 08:30:00")
        });
        return Ok(None);
    }
    let started = Clock::starting(text, scale).ok_or_else(|| TraceError::AmbiguousTime {
        path: path.to_owned(),
        line,
        column: column.to_owned(),
        value: shortened(text),
    })?;
    let at = started.secs(text);
    *clock = Some(started);
    Ok(at)
}
