//! `breakeven fit`: a use case from a request trace.

use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::Serialize;

use crate::io::scenario::save;
use crate::io::trace;
use crate::report::{Align, Table};
use crate::scenario::fitted::{Taken, TakenLengths, apply};
use crate::scenario::{ScenarioDraft, is_id};
use crate::unit::{HOURS_PER_WEEK, format};
use crate::workload::fit::{TraceFit, fit};
use crate::workload::{FamilyFit, FitMethod, Length, LengthFit, LengthSpread, UseCase};

use super::error::CliError;
use super::input::draft;
use super::output::{Output, say};
use super::progress::interrupt;

/// Fits a use case to a request trace and writes the scenario.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The trace: CSV or JSON lines, with time, prompt tokens and output tokens.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The scenario that takes the fit: a file or preset:ID.
    #[arg(long, value_name = "SCENARIO", requires = "out")]
    into: Option<String>,
    /// Id of its use case; the first one if not given.
    #[arg(long, value_name = "ID", requires = "into")]
    use_case: Option<String>,
    /// Adds a use case of this id for the fit instead, with starting values for the rest.
    #[arg(long, value_name = "ID", requires = "into", conflicts_with = "use_case", value_parser = id)]
    add: Option<String>,
    /// Leaves requests per day, burstiness and profile as they are.
    #[arg(long, requires = "into")]
    keep_arrivals: bool,
    /// Hour of the week (0 is Monday 00:00) at which a trace without a clock starts.
    #[arg(long, value_name = "HOUR", default_value_t = 0, value_parser = hour)]
    start_hour: usize,
    /// How lengths are described: by a family where one is good enough, else as observed (auto), or one of them.
    #[arg(long, value_name = "HOW", requires = "into", default_value = "auto")]
    lengths: Lengths,
    /// Where the scenario is written; a file that is there is replaced.
    #[arg(short, long, value_name = "FILE", requires = "into")]
    out: Option<PathBuf>,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

/// How lengths are described.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Lengths {
    /// By a family where one is good enough, else as observed.
    Auto,
    /// A table of what was observed.
    Empirical,
    /// The log-normal whose mean is nearest.
    LogNormal,
    /// The gamma.
    Gamma,
}

impl From<Lengths> for TakenLengths {
    fn from(lengths: Lengths) -> Self {
        match lengths {
            Lengths::Auto => Self::Chosen,
            Lengths::Empirical => Self::Empirical,
            Lengths::LogNormal => Self::LogNormal,
            Lengths::Gamma => Self::Gamma,
        }
    }
}

/// An hour of the week.
fn hour(text: &str) -> Result<usize, NotAnHour> {
    text.parse().ok().filter(|hour| *hour < HOURS_PER_WEEK).ok_or(NotAnHour)
}

/// The id of a use case that is to be made.
fn id(text: &str) -> Result<String, NotAnId> {
    if is_id(text) { Ok(text.to_owned()) } else { Err(NotAnId) }
}

#[derive(Debug, thiserror::Error)]
#[error("write lower-case letters, digits, - and _")]
struct NotAnId;

#[derive(Debug, thiserror::Error)]
#[error("write an hour from 0 (Monday 00:00) to {}", HOURS_PER_WEEK - 1)]
struct NotAnHour;

#[derive(Serialize)]
struct Fitted<'a> {
    trace: String,
    use_case: Option<&'a str>,
    written: Option<String>,
    fit: &'a TraceFit,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let token = interrupt();
    let rows = trace::read_watched(&args.trace, &mut |_| match token.is_cancelled() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    })?;
    for dropped in &rows.dropped {
        say(&format!("warning: {dropped}"));
    }
    let fit = fit(&rows)?;
    let mut used = None;
    if let (Some(into), Some(out)) = (&args.into, &args.out) {
        let mut draft = draft(into)?;
        let use_case = target(&mut draft, args)?;
        let taken = Taken {
            arrivals: !args.keep_arrivals,
            start_hour: args.start_hour,
            lengths: args.lengths.into(),
        };
        apply(&fit, use_case, taken);
        used = Some(use_case.id.clone());
        save(out, &draft)?;
        say(&format!(
            "the fit is written to {}, use case {}",
            out.display(),
            used.as_deref().unwrap_or_default()
        ));
    }
    if args.json {
        let written = args.out.as_ref().map(|path| path.display().to_string());
        let trace = args.trace.display().to_string();
        return output.json("fit", Fitted { trace, use_case: used.as_deref(), written, fit: &fit });
    }
    output.text(&text(&fit))
}

/// The use case that takes the fit.
fn target<'a>(
    draft: &'a mut ScenarioDraft,
    args: &Args,
) -> Result<&'a mut UseCase<crate::stats::Estimate>, CliError> {
    let use_cases = &mut draft.workload.use_cases;
    let known: Vec<String> = use_cases.iter().map(|use_case| use_case.id.clone()).collect();
    if let Some(id) = &args.add
        && !known.contains(id)
    {
        use_cases.push(UseCase::new(id, &format!("Fitted to {}", file_name(args))));
    }
    let wanted = args.add.as_ref().or(args.use_case.as_ref());
    let missing = CliError::NoUseCase { id: wanted.cloned().unwrap_or_default(), known };
    use_cases.iter_mut().find(|use_case| wanted.is_none_or(|id| *id == use_case.id)).ok_or(missing)
}

fn file_name(args: &Args) -> String {
    args.trace.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn text(fit: &TraceFit) -> String {
    let arrivals = &fit.arrivals;
    let mut text = format!(
        "{}: {} requests in {}\n",
        fit.format,
        format::count(arrivals.requests as f64),
        format::secs(arrivals.span_secs)
    );
    let error = arrivals.rate_error.map(|error| format!(" ± {}", format::percent(error)));
    text.push_str(&format!(
        "Requests per day {}{}, burstiness {}\n\n",
        format::count(arrivals.requests_per_day),
        error.unwrap_or_default(),
        arrivals.burstiness_cv().map_or_else(
            || "not seen (coarse times)".to_owned(),
            |cv| format::short((cv * 1e3).round() / 1e3)
        ),
    ));
    text.push_str(&lengths("Prompts", &fit.prompt));
    text.push('\n');
    text.push_str(&lengths("Outputs", &fit.output));
    if !fit.notes.is_empty() {
        text.push_str("\nWorth knowing\n");
        for note in &fit.notes {
            text.push_str(&format!("- {note}\n"));
        }
    }
    text
}

/// What was tried; `*` marks what a scenario takes. Distances are to rows that were held out.
fn lengths(what: &str, fit: &LengthFit) -> String {
    let mut table = Table::new(&[
        ("  Family, fitted by", Align::Left),
        ("Median", Align::Right),
        ("P95", Align::Right),
        ("Mean", Align::Right),
        ("Distance (KS)", Align::Right),
        ("Mean off by", Align::Right),
    ]);
    for family in &fit.fits {
        let marker = if family.method == fit.chosen { "* " } else { "  " };
        table.row([
            format!("{marker}{}", family.method.name()),
            format::count(family.length.median),
            format::count(family.length.p95),
            format::count(family.mean),
            format::significant(family.goodness.ks, 2),
            format::percent(family.goodness.mean_error),
        ]);
    }
    format!(
        "{what}: median {}, P95 {}, mean {} tokens\n{table}{}",
        format::count(fit.median),
        format::count(fit.p95),
        format::count(fit.mean),
        summary(fit)
    )
}

/// How much of the rows the table of what was observed keeps; nothing where there is no table.
fn summary(fit: &LengthFit) -> String {
    let Some(FamilyFit { length: Length { spread: LengthSpread::Empirical(table), .. }, .. }) =
        fit.fit(FitMethod::Empirical)
    else {
        return String::new();
    };
    format!(
        "  The table has {} knots; to its own {} rows its distance is {} and its mean {} off.\n",
        table.knots(),
        format::count(fit.rows as f64),
        format::significant(fit.table.ks, 1),
        format::percent(fit.table.mean_error)
    )
}
