//! One record of a table, read by the names of its columns.

use std::collections::HashMap;

use thiserror::Error;

/// Why a record gives no row.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum BadRecord {
    /// A cell that has to be filled is empty.
    #[error("no {column}")]
    Missing {
        /// Its column, or what is missing.
        column: String,
    },
    /// A cell that has to hold a number above zero does not.
    #[error("{column} is not a number above 0")]
    NoNumber {
        /// Its column.
        column: String,
    },
    /// A way of running that no prediction covers.
    #[error("{what}")]
    Other {
        /// Which, and why.
        what: String,
    },
}

impl BadRecord {
    pub(super) fn missing(column: &str) -> Self {
        Self::Missing { column: column.to_owned() }
    }

    pub(super) fn other(what: impl Into<String>) -> Self {
        Self::Other { what: what.into() }
    }
}

/// Positions of the columns of a table.
pub(super) struct Columns(HashMap<String, usize>);

impl Columns {
    pub(super) fn new(header: &csv::StringRecord) -> Self {
        let names = header.iter().enumerate();
        Self(names.map(|(at, name)| (name.trim().trim_start_matches('\u{feff}').to_owned(), at)).collect())
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.0.contains_key(*name))
    }
}

/// A record with its columns.
pub(super) struct Record<'a> {
    pub(super) columns: &'a Columns,
    pub(super) cells: &'a csv::StringRecord,
}

impl Record<'_> {
    /// The text of a cell; empty where column or cell is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        let cell = self.columns.0.get(name).and_then(|at| self.cells.get(*at));
        cell.map_or("", str::trim)
    }

    /// The number of a cell, finite; `None` where it is missing or no number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok().filter(|x: &f64| x.is_finite())
    }

    /// A number above zero.
    pub(super) fn above_zero(&self, name: &str) -> Option<f64> {
        self.number(name).filter(|x| *x > 0.0)
    }

    /// A number above zero, or what to say without it.
    pub(super) fn needed(&self, name: &str) -> Result<f64, BadRecord> {
        let filled = !self.text(name).is_empty();
        self.above_zero(name).ok_or_else(|| match filled {
            false => BadRecord::missing(name),
            true => BadRecord::NoNumber { column: name.to_owned() },
        })
    }

    /// A count above zero.
    pub(super) fn count(&self, name: &str) -> Option<u32> {
        self.above_zero(name).filter(|x| *x < 1e6).map(|x| x.round() as u32)
    }

    /// Why the stated filters take the record out.
    pub(super) fn filtered(&self) -> Option<String> {
        let is_true = |name: &str| self.text(name).eq_ignore_ascii_case("true");
        if !self.text("suspect").is_empty() {
            Some("suspect".to_owned())
        } else if is_true("dup_of_99") {
            Some("duplicate of the 99 % run".to_owned())
        } else if is_true("speculative") {
            Some("speculative decoding".to_owned())
        } else if self.text("note").contains("SUSPECT") {
            Some("marked SUSPECT in its note".to_owned())
        } else {
            None
        }
    }
}
