//! `breakeven break-even`: cost over volume, and where plans cross.

use crate::analysis::{self, BreakEven};
use crate::io::json::Answer;
use crate::report::{self, Align, Table};
use crate::scenario::TRIALS_MAX;
use crate::unit::format::{self, Money};

use super::error::CliError;
use super::input::ScenarioArgs;
use super::output::{Output, say};
use super::progress::{Progress, interrupt};

/// Volumes that are printed.
const ROWS: usize = 12;

/// Cost over volume, and every volume at which two plans cross.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Draws for the bands of curves and crossings; 0 for the expected values only.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=i64::from(TRIALS_MAX)))]
    trials: u32,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let scenario = args.scenario.checked()?;
    let mut partial = false;
    let break_even = if args.trials == 0 {
        analysis::break_even(&scenario)
    } else {
        let token = interrupt();
        let mut progress = Progress::new("break-even", args.trials);
        let result =
            analysis::break_even_bands(&scenario, args.trials, &mut |it| progress.go_on(it.header.draws));
        drop(progress);
        partial = result.header.draws < args.trials && token.is_cancelled();
        result
    };
    if partial {
        say(&format!("stopped after {} of {} draws", break_even.header.draws, args.trials));
    }
    let name = &scenario.draft().name;
    let money = scenario.draft().settings.money();
    if args.json {
        let warnings = scenario.warnings();
        let answer = Answer { scenario: name, partial, warnings, verdict: None, result: &break_even };
        return output.json("break_even", answer);
    }
    output.text(&format!("{name}\n\nCost per month over volume\n{}", curves(&break_even, &money)))?;
    let crossings = report::crossings(&break_even, &money);
    if crossings.is_empty() {
        let (low, high) = (break_even.volumes.first(), break_even.volumes.last());
        let range = low
            .zip(high)
            .map(|(low, high)| format!(" from {} to {}", format::short(*low), format::tokens_per_day(*high)));
        output.text(&format!("\nNo two plans cross{}.\n", range.unwrap_or_default()))?;
    } else {
        output.text(&format!("\nWhere plans cross\n{crossings}"))?;
    }
    let limits = report::limits(&break_even);
    if !limits.is_empty() {
        output.text(&format!("\nWhat plans can serve\n{limits}"))?;
    }
    output.text(&format!("\nYou are at {}.\n", format::tokens_per_day(break_even.today)))?;
    if partial {
        output.text(&format!(
            "partial: stopped after {} of {} draws\n",
            break_even.header.draws, args.trials
        ))?;
    }
    Ok(())
}

/// Some volumes of the curves, evenly spaced on a logarithmic axis.
fn curves(break_even: &BreakEven, money: &Money) -> Table {
    let mut columns = vec![("Volume", Align::Right)];
    columns.extend(break_even.plans.iter().map(|plan| (plan.name.as_str(), Align::Right)));
    let mut table = Table::new(&columns);
    let last = break_even.volumes.len().saturating_sub(1);
    let mut shown = usize::MAX;
    for row in 0..ROWS {
        let at = row * last / (ROWS - 1);
        let Some(volume) = break_even.volumes.get(at).filter(|_| at != shown) else {
            continue;
        };
        shown = at;
        let costs = break_even
            .plans
            .iter()
            .map(|plan| plan.usd.get(at).map_or(String::new(), |usd| money.show(*usd)));
        table.row(std::iter::once(format::tokens_per_day(*volume)).chain(costs));
    }
    table
}
