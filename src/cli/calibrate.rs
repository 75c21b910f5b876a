//! `breakeven calibrate`: the serving model's constants, fitted to measurements of one's own.

use std::path::PathBuf;

use serde::Serialize;

use crate::analysis::fidelity::{Factor, Fidelity, Metric, compare, refit};
use crate::io::measured::{Tables, read_table};
use crate::report::{Align, Table};

use super::error::CliError;
use super::output::{Output, say};

/// Fits the constants of the serving model to your own measurements, and writes them for --calibration.
///
/// The table has the columns of `breakeven perf --csv` and measured_output_tok_s, measured_tpot_ms or
/// measured_ttft_ms; the published tables that `breakeven fidelity` reads are taken too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The measurements (CSV).
    #[arg(value_name = "FILE")]
    table: PathBuf,
    /// Where the constants are written; a file that is there is replaced.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Constants to start from, instead of those that ship.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct FactorRow {
    group: &'static str,
    factor: f64,
}

#[derive(Serialize)]
struct Document<'a> {
    written: Option<String>,
    factors: Vec<FactorRow>,
    before: &'a Fidelity,
    after: &'a Fidelity,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let base = super::perf::constants(args.calibration.as_deref())?;
    let mut tables = Tables::default();
    read_table(&args.table, &mut tables)?;
    if !tables.other.is_empty() {
        return Err(CliError::Perf(format!(
            "{}: no column measured_output_tok_s, measured_tpot_ms or that of a published table; add what you measured",
            args.table.display()
        )));
    }
    let today = jiff::Timestamp::now().to_string();
    let day = today.get(..10).unwrap_or_default();
    let Some(fit) = refit(&tables.rows, &base, day) else {
        let reason = tables.unread.first().map_or("it has no rows", |(_, reason)| reason);
        return Err(CliError::Perf(format!("{}: no row can be used: {reason}", args.table.display())));
    };
    let mut left_out = tables.unread.clone();
    left_out.extend(fit.left_out.iter().cloned());
    for (_, reason) in &left_out {
        say(&format!("left out: {reason}"));
    }
    let (before, after) =
        (compare(&fit.before, &tables.filtered, &left_out), compare(&fit.after, &tables.filtered, &left_out));
    if let Some(out) = &args.out {
        std::fs::write(out, fit.calibration.to_text())?;
        say(&format!("the constants are written to {}; use them with --calibration", out.display()));
    }
    let factors = || {
        let groups = Factor::ALL.iter().zip(fit.factors);
        groups.map(|(group, factor)| FactorRow { group: group.label(), factor })
    };
    if args.json {
        let written = args.out.as_ref().map(|out| out.display().to_string());
        let document = Document { written, factors: factors().collect(), before: &before, after: &after };
        return output.json("calibrate", document);
    }
    let mut table = Table::new(&[("Group", Align::Left), ("Factor", Align::Right)]);
    for row in factors() {
        table.row([row.group.to_owned(), format!("{:.3}", row.factor)]);
    }
    let mut errors = Table::new(&[
        ("Figure", Align::Left),
        ("Rows", Align::Right),
        ("Median before", Align::Right),
        ("Median after", Align::Right),
    ]);
    for metric in Metric::ALL {
        if let (Some(b), Some(a)) = (before.overall.scores.get(metric), after.overall.scores.get(metric)) {
            errors.row([
                metric.label().to_owned(),
                a.rows.to_string(),
                format!("{:.1} %", 100.0 * b.median_error),
                format!("{:.1} %", 100.0 * a.median_error),
            ]);
        }
    }
    output.text(&format!("{table}\n{errors}"))
}
