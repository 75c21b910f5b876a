//! `breakeven fidelity`: the serving model against published measurements.

use std::path::PathBuf;

use serde::Serialize;

use crate::analysis::fidelity::{
    Compared, Fidelity, Group, LeftOut, Metric, ReplayedRun, Scores, compare, predict_with, replay,
};
use crate::catalog::Catalog;
use crate::io::fidelity_rows;
use crate::io::measured::{MeasuredError, Tables, read_folder};
use crate::io::overlay;
use crate::io::recorded_runs::read_runs;
use crate::report::{self, Align, Table};
use crate::serving::Calibration;
use crate::unit::format;

use super::error::CliError;
use super::output::{Output, say};

/// Predicts every published row of a folder without looking at its result, and says how far off it is; replays recorded
/// runs of a real engine request by request and does the same.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of tables (*.csv), with their columns as they are published, or of recorded runs
    /// (*_requests.jsonl beside *_meta.json).
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Writes published and predicted figures of every row.
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Constants to predict with, instead of those that ship.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    folder: String,
    calibration: &'a str,
    tables_passed_over: &'a [String],
    fidelity: &'a Fidelity,
    runs: &'a [ReplayedRun],
    runs_left_out: &'a [(String, String)],
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let calibration = super::perf::constants(args.calibration.as_deref())?;
    let catalog = overlay::catalog()?;
    let mut recorded = read_runs(&args.folder)?;
    let mut runs = Vec::with_capacity(recorded.runs.len());
    for run in &recorded.runs {
        match replay(run, &catalog, &calibration) {
            Ok(replayed) => runs.push(replayed),
            Err(error) => recorded.left_out.push((run.name.clone(), error.to_string())),
        }
    }
    let tables = match read_folder(&args.folder) {
        Err(MeasuredError::Nothing { .. }) if !runs.is_empty() => Tables::default(),
        read => read?,
    };
    let (compared, left_out) = predicted(&tables, &catalog, &calibration);
    let fidelity = compare(&compared, &tables.filtered, &left_out);
    if let Some(path) = &args.rows {
        write_rows(path, &compared)?;
        say(&format!("{} rows are written to {}", compared.len(), path.display()));
    }
    if args.json {
        return output.json(
            "fidelity",
            Document {
                folder: args.folder.display().to_string(),
                calibration: &calibration.fitted,
                tables_passed_over: &tables.other,
                fidelity: &fidelity,
                runs: &runs,
                runs_left_out: &recorded.left_out,
            },
        );
    }
    let mut text = if fidelity.rows > 0 || runs.is_empty() { text(&fidelity) } else { String::new() };
    text.push_str(&report::runs(&runs, &recorded.left_out));
    output.text(&text)
}

/// Predicts what can be; the rest with file and reason.
pub(super) fn predicted(
    tables: &Tables,
    catalog: &Catalog,
    calibration: &Calibration,
) -> (Vec<Compared>, Vec<(String, String)>) {
    let mut left_out = tables.unread.clone();
    let mut compared = Vec::with_capacity(tables.rows.len());
    for row in &tables.rows {
        match predict_with(row, catalog, calibration) {
            Ok(predicted) => compared.push(Compared { row: row.clone(), predicted }),
            Err(reason) => left_out.push((row.file.clone(), reason.to_string())),
        }
    }
    (compared, left_out)
}

fn text(fidelity: &Fidelity) -> String {
    let mut text = format!("{} rows, {} predicted", fidelity.rows, fidelity.covered);
    if let Some(share) = fidelity.baseline_efficiency {
        text.push_str(&format!(
            "; baseline: {} of the data sheet, fitted to these rows",
            format::percent(share)
        ));
    }
    text.push_str("\n\nBy regime, worst first\n");
    text.push_str(&table(&fidelity.by_regime));
    for (title, groups) in [
        ("By file", &fidelity.by_file),
        ("By engine", &fidelity.by_engine),
        ("By GPU", &fidelity.by_gpu),
        ("By model", &fidelity.by_model),
    ] {
        text.push_str(&format!("\n{title}\n{}", table(groups)));
    }
    text.push_str(&format!("\nAll\n{}", table(std::slice::from_ref(&fidelity.overall))));
    text.push_str(&reasons("Left out", &fidelity.left_out));
    text.push_str(&reasons("Filtered", &fidelity.filtered));
    text
}

pub(super) fn table(groups: &[Group]) -> String {
    let mut table = Table::new(&[
        ("  Group", Align::Left),
        ("Figure", Align::Left),
        ("Rows", Align::Right),
        ("Median", Align::Right),
        ("P90", Align::Right),
        ("in 10 %", Align::Right),
        ("in 25 %", Align::Right),
        ("in 30 %", Align::Right),
        ("in 50 %", Align::Right),
        ("Bias", Align::Right),
        ("Rank", Align::Right),
        ("Baseline", Align::Right),
    ]);
    for group in groups {
        for metric in Metric::ALL {
            if let Some(scores) = group.scores.get(metric) {
                table.row(cells(&group.name, *metric, scores));
            }
        }
    }
    table.to_string()
}

fn cells(name: &str, metric: Metric, s: &Scores) -> [String; 12] {
    let share = |x: f64| format!("{:.0} %", 100.0 * x);
    [
        format!("  {name}"),
        metric.label().to_owned(),
        s.rows.to_string(),
        format!("{:.1} %", 100.0 * s.median_error),
        format!("{:.0} %", 100.0 * s.p90_error),
        share(s.within_10),
        share(s.within_25),
        share(s.within_30),
        share(s.within_50),
        format!("{:+.1} %", 100.0 * s.bias),
        s.rank_correlation.map_or_else(String::new, |r| format!("{r:.3}")),
        s.baseline_median_error.map_or_else(String::new, |e| format!("{:.0} %", 100.0 * e)),
    ]
}

fn reasons(title: &str, rows: &[LeftOut]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[("  File", Align::Left), ("Rows", Align::Right), ("Why", Align::Left)]);
    for row in rows {
        table.row([format!("  {}", row.file), row.rows.to_string(), row.reason.clone()]);
    }
    format!("\n{title}\n{table}")
}

pub(super) fn write_rows(path: &std::path::Path, compared: &[Compared]) -> Result<(), CliError> {
    let file = std::fs::File::create(path)?;
    Ok(fidelity_rows::write(std::io::BufWriter::new(file), compared)?)
}
