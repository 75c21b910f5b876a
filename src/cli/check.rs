//! `breakeven check`: what is wrong with a scenario.

use serde::Serialize;

use crate::io::overlay;
use crate::scenario::labels::{describe, qualified};
use crate::scenario::{Problem, Scenario, Severity};
use crate::stats::Estimate;
use crate::stats::quantities::{Path, Quantified as _};

use super::error::CliError;
use super::input::ScenarioArgs;
use super::output::Output;

/// What is wrong with a scenario.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Lists every quantity with its path, its value and its name.
    #[arg(long)]
    paths: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    scenario: &'a str,
    valid: bool,
    errors: usize,
    warnings: usize,
    problems: &'a [Problem],
    #[serde(skip_serializing_if = "Option::is_none")]
    quantities: Option<Vec<Quantity>>,
}

#[derive(Serialize)]
struct Quantity {
    path: String,
    name: String,
    mean: f64,
    uncertain: bool,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let draft = args.scenario.draft()?;
    let catalog = overlay::catalog()?;
    let problems = match Scenario::check(&draft, &catalog) {
        Ok(scenario) => scenario.warnings().to_vec(),
        Err(problems) => problems.items,
    };
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let name = &args.scenario.scenario;
    if args.json {
        let quantities = args.paths.then(|| {
            let mut quantities = Vec::new();
            draft.each(&mut Path::default(), &mut |path, estimate: &Estimate| {
                quantities.push(Quantity {
                    path: path.as_str().to_owned(),
                    name: qualified(path.as_str(), &draft),
                    mean: estimate.point(),
                    uncertain: estimate.is_uncertain(),
                });
            });
            quantities
        });
        let scenario = &draft.name;
        let valid = errors == 0;
        output
            .json("check", Report { scenario, valid, errors, warnings, problems: &problems, quantities })?;
    } else {
        output.text(&text(name, &problems, errors, warnings))?;
        if args.paths {
            let mut lines = String::new();
            draft.each(&mut Path::default(), &mut |path, estimate: &Estimate| {
                let value = describe(path.as_str()).unit.show(estimate.point());
                let sign = if estimate.is_uncertain() { "~ " } else { "" };
                lines.push_str(&format!(
                    "{} = {sign}{value}  ({})\n",
                    path.as_str(),
                    qualified(path.as_str(), &draft)
                ));
            });
            output.text(&lines)?;
        }
    }
    if errors == 0 { Ok(()) } else { Err(CliError::Refused { name: name.clone(), errors }) }
}

fn text(name: &str, problems: &[Problem], errors: usize, warnings: usize) -> String {
    let mut text = String::new();
    for Problem { severity, path, message, remedy } in problems {
        let sign = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        text.push_str(&format!("{sign}: {path}: {message}; {remedy}\n"));
    }
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => text.push_str(&format!("{name}: nothing is wrong\n")),
        _ => {
            text.push_str(&format!("{name}: {}, {}\n", plural(errors, "error"), plural(warnings, "warning")))
        }
    }
    text
}
