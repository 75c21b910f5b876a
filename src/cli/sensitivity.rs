//! `breakeven sensitivity`: what each uncertain quantity does, one at a time.

use crate::analysis::{self, Sensitivity, SensitivityRow};
use crate::io::json::Answer;
use crate::report::{Align, Table};
use crate::scenario::ScenarioDraft;
use crate::scenario::labels::{describe, qualified};
use crate::unit::format::Money;

use super::error::CliError;
use super::input::ScenarioArgs;
use super::output::Output;

/// What each uncertain quantity does to the answer, one at a time.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Rows that are printed.
    #[arg(long, value_name = "N", default_value_t = 15)]
    top: usize,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let scenario = args.scenario.checked()?;
    let sensitivity = analysis::sensitivity(&scenario);
    let draft = scenario.draft();
    if args.json {
        let warnings = scenario.warnings();
        let answer =
            Answer { scenario: &draft.name, partial: false, warnings, verdict: None, result: &sensitivity };
        return output.json("sensitivity", answer);
    }
    if sensitivity.rows.is_empty() {
        return output.text("No quantity is uncertain: nothing can be moved.\n");
    }
    let heading = "Mean month of each plan when one quantity moves from its P10 to its P90";
    output.text(&format!("{}\n\n{heading}\n{}", draft.name, table(&sensitivity, draft, args.top)))
}

fn table(sensitivity: &Sensitivity, draft: &ScenarioDraft, top: usize) -> Table {
    let mut columns = vec![("Quantity", Align::Left), ("P10 to P90", Align::Right)];
    columns.extend(draft.plans.iter().map(|plan| (plan.name.as_str(), Align::Right)));
    columns.push(("", Align::Left));
    let mut table = Table::new(&columns);
    let money = draft.settings.money();
    for row in sensitivity.rows.iter().take(top) {
        let SensitivityRow { path, low, high, usd_low, usd_high, flips } = row;
        let unit = describe(path).unit;
        let mut cells = vec![qualified(path, draft), format!("{} to {}", unit.show(*low), unit.show(*high))];
        cells.extend(usd_low.iter().zip(usd_high).map(|(low, high)| swing(*low, *high, &money)));
        cells.push(if *flips { "changes the answer".to_owned() } else { String::new() });
        table.row(cells);
    }
    table
}

/// From one cost to another, in the direction in which the quantity moves.
fn swing(low: f64, high: f64, money: &Money) -> String {
    let (low, high) = (money.show(low), money.show(high));
    if low == high { "–".to_owned() } else { format!("{low} → {high}") }
}
