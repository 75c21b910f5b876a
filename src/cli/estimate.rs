//! `breakeven estimate`: what each plan costs at the expected values.

use crate::analysis::{self, Outcome};
use crate::io::json::Answer;
use crate::pricing::Line;
use crate::report::{self, Align, Table};
use crate::unit::format::{self, Money};

use super::error::CliError;
use super::input::ScenarioArgs;
use super::output::Output;

/// What each plan costs at the expected values, instantly.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let scenario = args.scenario.checked()?;
    let outcome = analysis::evaluate(&scenario);
    let money = scenario.draft().settings.money();
    let verdict = report::verdict(&outcome, None, None, &money);
    let name = &scenario.draft().name;
    if args.json {
        let answer = Answer {
            scenario: name,
            partial: false,
            warnings: scenario.warnings(),
            verdict: Some(&verdict),
            result: &outcome,
        };
        return output.json("estimate", answer);
    }
    output.text(&report::decision(name, &outcome, None, None, &money))?;
    output.text(&format!("\nWhere it goes, first month without set-up\n{}", lines(&outcome, &money)))?;
    output.text(&format!("\nWhat is asked for, first month\n{}", workload(&outcome)))
}

/// The lines of the bills, plans as columns; lines that are zero in all of them are left out.
fn lines(outcome: &Outcome, money: &Money) -> Table {
    let mut columns = vec![("", Align::Left)];
    columns.extend(outcome.plans.iter().map(|plan| (plan.name.as_str(), Align::Right)));
    let mut table = Table::new(&columns);
    for &line in Line::ALL {
        let amounts: Vec<f64> = outcome.plans.iter().map(|plan| plan.run_rate.get(line)).collect();
        if amounts.iter().any(|usd| *usd != 0.0) {
            let cells = amounts.iter().map(|usd| money.show(*usd));
            table.row(std::iter::once(line.label().to_owned()).chain(cells));
        }
    }
    let totals = outcome.plans.iter().map(|plan| money.show(plan.run_rate.total()));
    table.row(std::iter::once("Total".to_owned()).chain(totals));
    table
}

fn workload(outcome: &Outcome) -> Table {
    let mut table = Table::new(&[
        ("Use case", Align::Left),
        ("Requests", Align::Right),
        ("Calls each", Align::Right),
        ("Tokens in", Align::Right),
        ("Tokens out", Align::Right),
        ("Peak/mean", Align::Right),
    ]);
    for use_case in &outcome.use_cases {
        table.row([
            use_case.name.clone(),
            format::count(use_case.requests),
            format::short(use_case.calls_per_request),
            format::count(use_case.prompt_tokens),
            format::count(use_case.output_tokens),
            format!("{}×", format::short(use_case.peak_to_mean)),
        ]);
    }
    table
}
