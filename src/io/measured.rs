//! Tables of published measurements, with their columns as they are.
//!
//! A table is recognised by its columns, not by its name; a folder may hold others, which are named and passed over.
//! Filters first: `suspect` empty, `dup_of_99` false, `speculative` false, no SUSPECT in `note`. What a source means by
//! a column (lengths that are drawn, parallelism that is counted twice, beams) is written down at its reader.

mod kernels;
mod readers;
mod record;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::analysis::fidelity::Measured;

pub use readers::read_table;
use record::{BadRecord, Record};

/// What a folder of tables holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tables {
    /// Rows that passed the filters, in order of file and line.
    pub rows: Vec<Measured>,
    /// File and reason of rows that the filters took out.
    pub filtered: Vec<(String, String)>,
    /// File and reason of rows that could not be read.
    pub unread: Vec<(String, String)>,
    /// Tables that were passed over: they measure something else.
    pub other: Vec<String>,
}

/// Why measurements could not be read.
#[derive(Debug, Error)]
pub enum MeasuredError {
    /// The disk says no.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that is no table.
    #[error("{} is not a CSV table: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: csv::Error,
    },
    /// No table of bandwidths in the folder.
    #[error(
        "{} has no table of published bandwidths (*.csv with the columns gpu, tool, metric, measured_gbs); name the folder that has one", path.display()
    )]
    NoBandwidths {
        /// The folder.
        path: PathBuf,
    },
    /// No table of serving in the folder.
    #[error(
        "{} has no table of serving measurements (*.csv with the columns of the published tables); name the folder that has them", path.display()
    )]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
}

/// Reads every table of a folder, in the order of their names.
///
/// # Errors
/// [`MeasuredError`] with the path; rows that are wrong are counted instead.
pub fn read_folder(folder: &Path) -> Result<Tables, MeasuredError> {
    let at = |source| MeasuredError::Read { path: folder.to_owned(), source };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("csv")) {
            files.push(path);
        }
    }
    files.sort();
    let mut tables = Tables::default();
    for file in &files {
        read_table(file, &mut tables)?;
    }
    if tables.rows.is_empty() && tables.filtered.is_empty() {
        return Err(MeasuredError::Nothing { path: folder.to_owned() });
    }
    Ok(tables)
}
