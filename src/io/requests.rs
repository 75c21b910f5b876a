//! A table with a row per simulated request: CSV or, in a build with the feature `parquet`, Parquet.
//!
//! Written while the simulation runs, in constant memory, beside the file that it replaces once it is whole. A span that
//! did not come to its end is empty (null in Parquet), never 0. Start with [`RequestsWriter::create`].

#[cfg(feature = "parquet")]
mod columns;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::scenario::{Replacement, SaveError};
use crate::sim::{RequestRecord, SimTime};

/// Columns of the table, in order. `_s` are seconds; `arrival_s` counts from the start of the simulation, the other
/// spans from the arrival of the request. `endpoint` is a name, `replica` a number from 0 on, empty for an API;
/// `outcome` as [`crate::sim::Outcome::name`] says.
pub const COLUMNS: [&str; 15] = [
    "id",
    "stream",
    "arrival_s",
    "endpoint",
    "replica",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "queue_s",
    "ttft_s",
    "tpot_s",
    "e2e_s",
    "preemptions",
    "retries",
    "outcome",
];

/// Why the table is not written; what was at its place is as it was.
#[derive(Debug, Error)]
pub enum RequestsError {
    /// A name that does not tell the format.
    #[error("the table of requests is CSV or Parquet; write a name that ends in .csv or .parquet: {}", path.display())]
    Format {
        /// The name.
        path: PathBuf,
    },
    /// Parquet, in a build without it.
    #[error("this build writes no Parquet; write a name that ends in .csv: {}", path.display())]
    NoParquet {
        /// The name.
        path: PathBuf,
    },
    /// The disk says no.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The disk says no while rows are written.
    #[error("cannot write row {row}: {source}; nothing is left of the table: {}", path.display())]
    Write {
        /// The table.
        path: PathBuf,
        /// The row, from 1 on.
        row: u64,
        /// Why not.
        source: io::Error,
    },
}

/// A table that is being written; without [`RequestsWriter::finish`] nothing of it stays.
#[derive(Debug)]
pub struct RequestsWriter {
    path: PathBuf,
    endpoints: Vec<String>,
    rows: u64,
    table: Table,
}

#[derive(Debug)]
enum Table {
    Csv(Box<csv::Writer<BufWriter<std::fs::File>>>, Replacement),
    #[cfg(feature = "parquet")]
    Parquet(Box<columns::Columns>, Replacement),
}

impl RequestsWriter {
    /// Begins the table at `path`, whose name tells the format. `endpoints` are the names of the places in
    /// [`RequestRecord::endpoint`].
    ///
    /// # Errors
    /// [`RequestsError`]; what was at `path` is as it was.
    pub fn create(path: &Path, endpoints: Vec<String>) -> Result<Self, RequestsError> {
        let ends = |with: &str| path.extension().is_some_and(|end| end.eq_ignore_ascii_case(with));
        let path = path.to_owned();
        if ends("csv") {
            let mut new = Replacement::beside(&path)?;
            let failed = |source| RequestsError::Write { path: path.clone(), row: 0, source };
            let file = new.file().try_clone().map_err(failed)?;
            let mut writer = csv::Writer::from_writer(BufWriter::new(file));
            writer.write_record(COLUMNS).map_err(|error| failed(error.into()))?;
            return Ok(Self { path, endpoints, rows: 0, table: Table::Csv(Box::new(writer), new) });
        }
        if !ends("parquet") {
            return Err(RequestsError::Format { path });
        }
        #[cfg(not(feature = "parquet"))]
        return Err(RequestsError::NoParquet { path });
        #[cfg(feature = "parquet")]
        {
            let mut new = Replacement::beside(&path)?;
            let failed = |source| RequestsError::Write { path: path.clone(), row: 0, source };
            let file = new.file().try_clone().map_err(failed)?;
            let columns = columns::Columns::new(file).map_err(failed)?;
            Ok(Self { path, endpoints, rows: 0, table: Table::Parquet(Box::new(columns), new) })
        }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// [`RequestsError::Write`].
    pub fn write(&mut self, record: &RequestRecord) -> Result<(), RequestsError> {
        self.rows += 1;
        let name = endpoint(&self.endpoints, record);
        let written = match &mut self.table {
            Table::Csv(writer, _) => csv_row(writer, record, &name),
            #[cfg(feature = "parquet")]
            Table::Parquet(columns, _) => columns.write(record, name),
        };
        written.map_err(|source| RequestsError::Write { path: self.path.clone(), row: self.rows, source })
    }

    /// Puts the table in its place; returns its rows.
    ///
    /// # Errors
    /// [`RequestsError`]; what was there is as it was.
    pub fn finish(self) -> Result<u64, RequestsError> {
        let Self { path, rows, table, .. } = self;
        let failed = |source| RequestsError::Write { path: path.clone(), row: rows, source };
        match table {
            Table::Csv(writer, new) => {
                let mut file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
                file.flush().map_err(failed)?;
                new.finish()?;
            }
            #[cfg(feature = "parquet")]
            Table::Parquet(columns, new) => {
                columns.finish().map_err(failed)?;
                new.finish()?;
            }
        }
        Ok(rows)
    }
}

/// The name of a record's endpoint; its number where it has no name, `None` where there is none.
fn endpoint<'a>(names: &'a [String], record: &RequestRecord) -> Option<std::borrow::Cow<'a, str>> {
    let at = record.endpoint?;
    Some(names.get(usize::from(at)).map_or_else(|| at.to_string().into(), |name| name.as_str().into()))
}

fn csv_row(
    writer: &mut csv::Writer<BufWriter<std::fs::File>>,
    record: &RequestRecord,
    endpoint: &Option<std::borrow::Cow<'_, str>>,
) -> io::Result<()> {
    fn number(v: impl std::fmt::Display) -> String {
        v.to_string()
    }
    let secs = |span: Option<SimTime>| span.map_or_else(String::new, |span| number(span.secs()));
    writer.write_record([
        &number(record.id),
        &number(record.stream),
        &number(record.arrival.secs()),
        endpoint.as_deref().unwrap_or_default(),
        &record.replica.map_or_else(String::new, number),
        &number(record.prompt_tokens),
        &number(record.cached_tokens),
        &number(record.output_tokens),
        &secs(record.queue),
        &secs(record.ttft),
        &record.tpot_secs().map_or_else(String::new, number),
        &secs(record.e2e),
        &number(record.preemptions),
        &number(record.retries),
        record.outcome.name(),
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Outcome;

    fn record(id: u64) -> RequestRecord {
        RequestRecord {
            id,
            stream: 2,
            arrival: SimTime(1_500_000_000),
            endpoint: Some(0),
            replica: Some(3),
            prompt_tokens: 512,
            cached_tokens: 256,
            output_tokens: 101,
            queue: Some(SimTime(250_000_000)),
            ttft: Some(SimTime(500_000_000)),
            e2e: Some(SimTime(2_500_000_001)),
            preemptions: 1,
            retries: 0,
            outcome: Outcome::Served,
        }
    }

    fn lost(id: u64) -> RequestRecord {
        RequestRecord {
            endpoint: None,
            replica: None,
            output_tokens: 0,
            queue: None,
            ttft: None,
            e2e: None,
            outcome: Outcome::TimedOut,
            ..record(id)
        }
    }

    #[test]
    fn a_row_per_request_and_nothing_in_place_of_what_never_was() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("requests.csv");
        std::fs::write(&path, "old").expect("written");
        let mut writer = RequestsWriter::create(&path, vec!["own, \"H100\"".to_owned()]).expect("begins");
        writer.write(&record(7)).expect("writes");
        writer.write(&lost(8)).expect("writes");
        writer.write(&RequestRecord { endpoint: Some(4), output_tokens: 1, ..record(9) }).expect("writes");
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), "old", "not before it is whole");
        assert_eq!(writer.finish().expect("in place"), 3);
        let text = std::fs::read_to_string(&path).expect("reads");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "7,2,1.5,\"own, \"\"H100\"\"\",3,512,256,101,0.25,0.5,0.02000000001,2.500000001,1,0,served"
        );
        assert_eq!(lines[2], "8,2,1.5,,,512,256,0,,,,,1,0,timed_out");
        assert_eq!(lines[3], "9,2,1.5,4,3,512,256,1,0.25,0.5,,2.500000001,1,0,served");
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
    }

    #[test]
    fn an_unfinished_table_leaves_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let mut writer = RequestsWriter::create(&folder.path().join("a.csv"), Vec::new()).expect("begins");
        writer.write(&record(1)).expect("writes");
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
    }

    #[test]
    fn a_name_that_tells_no_format_says_what_to_write() {
        let refused = |name: &str| {
            RequestsWriter::create(Path::new(name), Vec::new()).expect_err("no format").to_string()
        };
        assert!(refused("requests.txt").contains("write a name that ends in .csv or .parquet: requests.txt"));
        #[cfg(not(feature = "parquet"))]
        assert!(
            refused("requests.parquet")
                .contains("this build writes no Parquet; write a name that ends in .csv")
        );
        let absent =
            RequestsWriter::create(Path::new("/nowhere/at/all.csv"), Vec::new()).expect_err("no folder");
        assert!(absent.to_string().contains("cannot create a file beside"), "{absent}");
    }
}
