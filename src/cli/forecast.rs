//! `breakeven forecast`: what each plan costs with what certainty.

use crate::analysis::{self, Forecast};
use crate::io::json::Answer;
use crate::report;
use crate::scenario::{Scenario, TRIALS_MAX};

use super::error::CliError;
use super::input::ScenarioArgs;
use super::output::{Output, say};
use super::progress::{Progress, interrupt};

/// What each plan costs with what certainty (Monte Carlo).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Draws; the scenario's own number if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(TRIALS_MAX)))]
    trials: Option<u32>,
    /// Seed of the draws; the scenario's own if not given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let mut draft = args.scenario.draft()?;
    if let Some(seed) = args.seed {
        draft.settings.seed = seed;
    }
    let trials = args.trials.unwrap_or(draft.settings.trials);
    let scenario = super::input::checked(&draft, &args.scenario.scenario)?;
    let outcome = analysis::evaluate(&scenario);
    let (forecast, partial) = drawn(&scenario, trials);
    let break_even = analysis::break_even(&scenario);
    let name = &draft.name;
    let money = draft.settings.money();
    if args.json {
        let verdict = report::verdict(&outcome, Some(&forecast), Some(&break_even), &money);
        let warnings = scenario.warnings();
        let answer = Answer { scenario: name, partial, warnings, verdict: Some(&verdict), result: &forecast };
        return output.json("forecast", answer);
    }
    output.text(&report::decision(name, &outcome, Some(&forecast), Some(&break_even), &money))?;
    if partial { output.text(&partial_note(&forecast, trials)) } else { Ok(()) }
}

/// A forecast with a bar, and whether it was stopped before its end.
pub(super) fn drawn(scenario: &Scenario, trials: u32) -> (Forecast, bool) {
    let token = interrupt();
    let mut progress = Progress::new("forecast", trials);
    let stop = || token.is_cancelled();
    let forecast = analysis::forecast_until(scenario, trials, &stop, &mut |partial| {
        progress.go_on(partial.header.draws)
    });
    drop(progress);
    let partial = forecast.header.draws < trials && token.is_cancelled();
    if partial {
        say(&format!("stopped after {} of {trials} draws", forecast.header.draws));
    }
    (forecast, partial)
}

/// The line under a result that was stopped.
pub(super) fn partial_note(forecast: &Forecast, trials: u32) -> String {
    format!("partial: stopped after {} of {trials} draws\n", forecast.header.draws)
}
