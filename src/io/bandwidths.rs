//! Tables of published bandwidths: `gpu, tool, metric, measured_gbs`, and where there are `theoretical_gbs, note, source`.
//!
//! GB are 10⁹ bytes. A row without a measured bandwidth (a data sheet's) and one that measures something else than
//! bandwidth are left out and counted with their reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::measured::MeasuredError;
use crate::analysis::this_machine::PublishedBandwidth;

/// The columns by which a table is recognised.
const COLUMNS: [&str; 4] = ["gpu", "tool", "metric", "measured_gbs"];

/// What a folder of tables, or a table, holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bandwidths {
    /// Rows with a bandwidth, in order of file and line.
    pub rows: Vec<PublishedBandwidth>,
    /// How many rows were left out, by reason.
    pub left_out: BTreeMap<String, usize>,
}

/// Reads every table of bandwidths in a folder, or one table.
///
/// # Errors
/// [`MeasuredError`] with the path, for a folder without such a table too.
pub fn read_bandwidths(path: &Path) -> Result<Bandwidths, MeasuredError> {
    let at = |source| MeasuredError::Read { path: path.to_owned(), source };
    let mut files: Vec<PathBuf> = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(at)? {
            let path = entry.map_err(at)?.path();
            if path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("csv")) {
                files.push(path);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let mut all = Bandwidths::default();
    for file in &files {
        read_table(file, &mut all)?;
    }
    if all.rows.is_empty() && all.left_out.is_empty() {
        return Err(MeasuredError::NoBandwidths { path: path.to_owned() });
    }
    Ok(all)
}

fn read_table(path: &Path, all: &mut Bandwidths) -> Result<(), MeasuredError> {
    let wrong = |source| MeasuredError::Csv { path: path.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(wrong)?;
    let header = reader.headers().map_err(wrong)?.clone();
    let place =
        |name: &str| header.iter().position(|column| column.trim().trim_start_matches('\u{feff}') == name);
    if COLUMNS.iter().any(|name| place(name).is_none()) {
        return Ok(());
    }
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    for record in reader.records() {
        let mut leave = |why: &str| *all.left_out.entry(why.to_owned()).or_default() += 1;
        let Ok(record) = record else {
            leave("not a row of the table");
            continue;
        };
        let cell = |name: &str| place(name).and_then(|at| record.get(at)).map_or("", str::trim);
        let gigabytes = |name: &str| cell(name).parse().ok().filter(|x: &f64| x.is_finite() && *x > 0.0);
        let metric = cell("metric");
        if metric.contains("flops)") {
            leave("measures arithmetic, not bandwidth");
            continue;
        }
        let Some(measured) = gigabytes("measured_gbs") else {
            leave(if cell("measured_gbs").is_empty() {
                "only a data sheet's bandwidth"
            } else {
                "measured_gbs is not a number above 0"
            });
            continue;
        };
        all.rows.push(PublishedBandwidth {
            file: file.clone(),
            line: record.position().map_or(0, csv::Position::line),
            device: cell("gpu").split_whitespace().collect::<Vec<_>>().join(" "),
            tool: cell("tool").to_owned(),
            metric: metric.to_owned(),
            bytes_per_s: 1e9 * measured,
            data_sheet_bytes_per_s: gigabytes("theoretical_gbs").map(|sheet| 1e9 * sheet),
            note: cell("note").to_owned(),
            source: cell("source").to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_the_names_of_their_columns_and_what_is_left_out_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let text = "source,gpu,tool,metric,theoretical_gbs,measured_gbs\n\
                    a,h200,stream,triad,4800,4100.5\n\
                    b,h200,sheet,memory bandwidth (theoretical),4800,\n\
                    c,h200,clpeak,single_precision_compute:float (gflops),,51000\n\
                    d,h200,stream,read,,fast\n";
        std::fs::write(folder.path().join("bandwidth.csv"), text).unwrap();
        std::fs::write(folder.path().join("other.csv"), "a,b\n1,2\n").unwrap();
        let all = read_bandwidths(folder.path()).unwrap();
        assert_eq!(all.rows.len(), 1);
        let row = &all.rows[0];
        assert_eq!((row.bytes_per_s, row.data_sheet_bytes_per_s, row.line), (4100.5e9, Some(4.8e12), 2));
        assert_eq!(all.left_out.values().sum::<usize>(), 3, "{:?}", all.left_out);
        assert_eq!(read_bandwidths(&folder.path().join("bandwidth.csv")).unwrap(), all);
        let none = tempfile::tempdir().unwrap();
        assert!(read_bandwidths(none.path()).unwrap_err().to_string().contains("measured_gbs"));
    }
}
