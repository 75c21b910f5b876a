//! `breakeven calibrate`: the serving model's constants, fitted to measurements of one's own or of a folder, and what
//! the fit is worth on rows that it had not seen.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::analysis::fidelity::fit::{Constant, Fold, HoldOut, Out, changed, fit, held_out, stated};
use crate::analysis::fidelity::{Compared, Factor, Fidelity, Measured, Metric, Resolved, compare, refit};
use crate::catalog::Catalog;
use crate::io::measured::{Tables, read_folder, read_table};
use crate::io::overlay;
use crate::job::Ctl;
use crate::report::{Align, Table};
use crate::serving::Calibration;

use super::error::CliError;
use super::output::{Output, say};
use super::progress::watched;

/// Fits the constants of the serving model to measurements, and writes them for --calibration.
///
/// A table of your own has the columns of `breakeven perf --csv` and measured_output_tok_s, measured_tpot_ms or
/// measured_ttft_ms; the published tables that `breakeven fidelity` reads are taken too. To a table six factors are
/// fitted, each on constants that belong together; to a folder every constant, from a start that knows none of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The measurements: a table (CSV) or a folder of them.
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// Where the constants are written; a file that is there is replaced.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Puts the constants where every command and the window find them: each projection then runs at their speed.
    #[arg(long)]
    install: bool,
    /// Leaves each GPU, or each family of models, out in turn, fits without it and predicts it (may be repeated).
    #[arg(long, value_name = "BY")]
    held_out: Vec<By>,
    /// Writes published and predicted figures of every row that was left out, for the last --held-out.
    #[arg(long, value_name = "FILE", requires = "held_out")]
    rows: Option<PathBuf>,
    /// Constants to start from, instead of those that ship; a folder is fitted from a neutral start.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

/// By what rows are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// One GPU at a time.
    Gpu,
    /// One family of models at a time.
    Family,
}

impl From<By> for Out {
    fn from(by: By) -> Self {
        match by {
            By::Gpu => Self::Gpu,
            By::Family => Self::Family,
        }
    }
}

#[derive(Serialize)]
struct FactorRow {
    group: &'static str,
    factor: f64,
}

#[derive(Serialize)]
struct ConstantRow {
    name: &'static str,
    start: f64,
    fitted: f64,
}

#[derive(Serialize)]
struct Unseen {
    by: Out,
    folds: Vec<Fold>,
    fidelity: Fidelity,
}

#[derive(Serialize)]
struct Document {
    written: Option<String>,
    rows: u32,
    factors: Vec<FactorRow>,
    constants: Vec<ConstantRow>,
    held_out: Vec<Unseen>,
    before: Fidelity,
    after: Fidelity,
}

/// A fit and what has to be said of it.
struct Fitted {
    calibration: Calibration,
    factors: Vec<FactorRow>,
    before: Vec<Compared>,
    after: Vec<Compared>,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    // Not what was installed before: a second fit to the same rows must not move again.
    let base = match &args.calibration {
        Some(path) => super::perf::constants(Some(path))?,
        None => Calibration::shipped().clone(),
    };
    let catalog = overlay::catalog()?;
    let tables = read(&args.path)?;
    let mut left_out = tables.unread.clone();
    let rows = resolved(&tables.rows, &catalog, &base, &mut left_out);
    if rows.is_empty() {
        let reason = left_out.first().map_or("it has no rows", |(_, reason)| reason);
        return Err(CliError::Perf(format!("{}: no row can be used: {reason}", args.path.display())));
    }
    if args.path.is_file() {
        for (_, reason) in &left_out {
            say(&format!("left out: {reason}"));
        }
    }
    let whole = args.path.is_dir();
    let of = |rows: &[&Resolved<'_>]| if whole { fit(rows).calibration } else { refitted(rows, &base) };
    let unseen = unseen(args, &rows, &of)?;
    if let (Some(path), Some(out)) = (&args.rows, unseen.last()) {
        super::fidelity::write_rows(path, &out.compared)?;
        say(&format!("{} rows are written to {}", out.compared.len(), path.display()));
    }
    let mut fitted = fitted(&rows, &base, whole);
    fitted.calibration.held_out =
        if unseen.is_empty() { base.held_out.clone() } else { unseen.iter().flat_map(stated).collect() };
    if let Some(out) = &args.out {
        std::fs::write(out, fitted.calibration.to_text())?;
        say(&format!("the constants are written to {}; use them with --calibration", out.display()));
    }
    if args.install {
        let path = overlay::install_calibration(&fitted.calibration)?;
        say(&format!(
            "every command and the window now use it; remove {} to go back to what ships",
            path.display()
        ));
    }
    let sum = |rows: &[Compared]| compare(rows, &tables.filtered, &left_out);
    let document = Document {
        written: args.out.as_ref().map(|out| out.display().to_string()),
        rows: fitted.calibration.rows,
        constants: if whole { constants(&fitted.calibration) } else { Vec::new() },
        factors: fitted.factors,
        held_out: unseen
            .into_iter()
            .map(|out| Unseen {
                by: out.by,
                fidelity: compare(&out.compared, &tables.filtered, &out.left_out),
                folds: out.folds,
            })
            .collect(),
        before: sum(&fitted.before),
        after: sum(&fitted.after),
    };
    if args.json { output.json("calibrate", document) } else { output.text(&text(&document)) }
}

fn read(path: &Path) -> Result<Tables, CliError> {
    if path.is_dir() {
        return Ok(read_folder(path)?);
    }
    let mut tables = Tables::default();
    read_table(path, &mut tables)?;
    if tables.other.is_empty() {
        return Ok(tables);
    }
    Err(CliError::Perf(format!(
        "{}: no column measured_output_tok_s, measured_tpot_ms or that of a published table; add what you measured",
        path.display()
    )))
}

/// Rows whose names are known and that can be predicted at all; the others with file and reason.
fn resolved<'a>(
    rows: &'a [Measured],
    catalog: &'a Catalog,
    base: &Calibration,
    left_out: &mut Vec<(String, String)>,
) -> Vec<Resolved<'a>> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        match Resolved::of(row, catalog).and_then(|known| known.figures(base).map(|_| known)) {
            Ok(known) => found.push(known),
            Err(reason) => left_out.push((row.file.clone(), format!("line {}: {reason}", row.line))),
        }
    }
    found
}

fn refitted(rows: &[&Resolved<'_>], base: &Calibration) -> Calibration {
    refit(rows, base).map_or_else(|| base.clone(), |fit| fit.calibration)
}

fn unseen(
    args: &Args,
    rows: &[Resolved<'_>],
    of: &(dyn Fn(&[&Resolved<'_>]) -> Calibration + Sync),
) -> Result<Vec<HoldOut>, CliError> {
    let mut found: Vec<HoldOut> = Vec::new();
    for by in &args.held_out {
        let by = Out::from(*by);
        if found.iter().any(|known| known.by == by) {
            continue;
        }
        let groups =
            rows.iter().filter_map(|row| by.group(row)).collect::<std::collections::BTreeSet<_>>().len();
        if groups < 2 {
            let only = rows.first().and_then(|row| by.group(row)).unwrap_or_default();
            return Err(CliError::Perf(format!(
                "every row is of one {}, {only}: nothing is left to fit without it; leave --held-out away",
                by.label()
            )));
        }
        found.push(watched("leaving out", by.label(), groups, |ctl: &Ctl| held_out(rows, by, of, ctl))?);
    }
    Ok(found)
}

fn fitted(rows: &[Resolved<'_>], base: &Calibration, whole: bool) -> Fitted {
    let all: Vec<&Resolved<'_>> = rows.iter().collect();
    let compared = |c: &Calibration| -> Vec<Compared> {
        let both =
            |row: &Resolved<'_>| Some(Compared { row: row.row.clone(), predicted: row.predict(c).ok()? });
        rows.iter().filter_map(both).collect()
    };
    let before = compared(base);
    let now = jiff::Timestamp::now().to_string();
    let day = now.get(..10).unwrap_or_default().to_owned();
    let (mut calibration, factors) = if whole {
        let mut calibration = fit(&all).calibration;
        calibration.source = source(rows);
        (calibration, Vec::new())
    } else {
        let Some(fit) = refit(&all, base) else {
            return Fitted { calibration: base.clone(), factors: Vec::new(), after: before.clone(), before };
        };
        let groups = Factor::ALL.iter().zip(fit.factors);
        (fit.calibration, groups.map(|(group, factor)| FactorRow { group: group.label(), factor }).collect())
    };
    calibration.fitted = day;
    Fitted { after: compared(&calibration), calibration, factors, before }
}

/// What a whole fit was made of: tables with their rows.
fn source(rows: &[Resolved<'_>]) -> String {
    let mut files: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for row in rows {
        *files.entry(row.row.file.trim_end_matches(".csv")).or_default() += 1;
    }
    let files: Vec<String> = files.iter().map(|(file, rows)| format!("{file} {rows}")).collect();
    format!(
        "breakeven calibrate: least squares (soft-L1) on ln(predicted/published) from a neutral start, to {} rows: {}.",
        rows.len(),
        files.join(", ")
    )
}

fn constants(calibration: &Calibration) -> Vec<ConstantRow> {
    let row = |(c, fitted): (&Constant, f64)| ConstantRow { name: c.name, start: c.start, fitted };
    changed(calibration).into_iter().map(row).collect()
}

fn text(document: &Document) -> String {
    let mut text = String::new();
    for out in &document.held_out {
        text.push_str(&format!("Each {} left out in turn, worst first\n", out.by.label()));
        text.push_str(&super::fidelity::table(&out.fidelity.by_regime));
        text.push_str(&format!("\nBy GPU\n{}", super::fidelity::table(&out.fidelity.by_gpu)));
        text.push_str(&format!("\nBy model\n{}\n", super::fidelity::table(&out.fidelity.by_model)));
    }
    if !document.factors.is_empty() {
        let mut table = Table::new(&[("Group", Align::Left), ("Factor", Align::Right)]);
        for row in &document.factors {
            table.row([row.group.to_owned(), format!("{:.3}", row.factor)]);
        }
        text.push_str(&format!("{table}\n"));
    }
    if !document.constants.is_empty() {
        let heads = [("Constant", Align::Left), ("Start", Align::Right), ("Fitted", Align::Right)];
        let mut table = Table::new(&heads);
        for row in &document.constants {
            table.row([row.name.to_owned(), format!("{:.3e}", row.start), format!("{:.3e}", row.fitted)]);
        }
        text.push_str(&format!("{table}\n"));
    }
    text.push_str(&errors(&document.before, &document.after));
    text
}

fn errors(before: &Fidelity, after: &Fidelity) -> String {
    let mut errors = Table::new(&[
        ("Figure, on the rows that were fitted to", Align::Left),
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
    errors.to_string()
}
