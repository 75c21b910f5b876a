//! `breakeven decide`, and `breakeven` alone: the window where there is a display, else the decision as text.

use serde::Serialize;

use crate::analysis::{self, BreakEven, Forecast, Outcome};
use crate::io::json::Answer;
use crate::io::presets;
use crate::report;

use super::error::CliError;
use super::input::{ScenarioArgs, checked, draft, preset_id};
use super::output::{Output, say};
use super::{Open, OpenWindow, forecast};

/// The decision as text.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A scenario file, or preset:ID; the worked example if not given.
    #[arg(value_name = "SCENARIO", default_value_t = default_scenario())]
    scenario: String,
    /// Sets a quantity, as for estimate.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

/// Everything that a decision rests on.
#[derive(Serialize)]
struct Decision {
    estimate: Outcome,
    forecast: Forecast,
    break_even: BreakEven,
}

fn default_scenario() -> String {
    format!("preset:{}", presets::DEFAULT)
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let args_of = ScenarioArgs { scenario: args.scenario.clone(), sets: args.sets.clone() };
    let draft = args_of.draft()?;
    let scenario = checked(&draft, &args.scenario)?;
    let estimate = analysis::evaluate(&scenario);
    let trials = draft.settings.trials;
    let (drawn, partial) = forecast::drawn(&scenario, trials);
    let break_even =
        analysis::break_even_bands(&scenario, trials.min(analysis::BAND_TRIALS), &mut |_| !partial);
    let name = &draft.name;
    let money = draft.settings.money();
    if args.json {
        let verdict = report::verdict(&estimate, Some(&drawn), Some(&break_even), &money);
        let decision = Decision { estimate, forecast: drawn, break_even };
        let warnings = scenario.warnings();
        let answer = Answer { scenario: name, partial, warnings, verdict: Some(&verdict), result: &decision };
        return output.json("decision", answer);
    }
    output.text(&report::decision(name, &estimate, Some(&drawn), Some(&break_even), &money))?;
    if partial { output.text(&forecast::partial_note(&drawn, trials)) } else { Ok(()) }
}

/// Opens the window on a scenario; prints the decision where there is no display, or no window in this build.
pub(super) fn window_or_text(
    scenario: Option<&str>,
    window: Option<OpenWindow<'_>>,
    output: &mut Output,
) -> Result<(), CliError> {
    let reason = match window {
        None => "this build has no window".to_owned(),
        Some(_) if !has_display() => "there is no display".to_owned(),
        Some(open) => {
            if let Some(name) = scenario {
                // A file that cannot be read is refused here, where the user is looking.
                draft(name)?;
            }
            let what = match scenario {
                None => Open::Last,
                Some(name) => match preset_id(name) {
                    Some(id) => Open::Preset(id.to_owned()),
                    None => Open::File(name.into()),
                },
            };
            match open(what) {
                Ok(()) => return Ok(()),
                Err(error) => format!("the window did not open ({error})"),
            }
        }
    };
    say(&format!("breakeven: {reason}; this is the decision as text"));
    let scenario = scenario.map_or_else(default_scenario, str::to_owned);
    run(&Args { scenario, sets: Vec::new(), json: false }, output)
}

/// Whether there is a screen to open a window on.
fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
