//! The terminal: a file per subcommand. Results go to stdout, talk and progress to stderr.
//!
//! Exit codes: 0 it is done (a result that was stopped with Ctrl-C says that it is partial), 1 something is wrong
//! with the input or the scenario, 2 the command is not understood. Start with [`run`].

mod bench;
mod break_even;
mod calibrate;
mod catalog;
mod check;
mod decide;
mod error;
mod estimate;
mod fidelity;
mod fit;
mod forecast;
mod input;
mod output;
mod perf;
mod presets;
mod progress;
mod sensitivity;
mod simulate;
mod size;
mod tokens;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::unit::spelling::nearest;

use error::CliError;
use output::Output;

/// Opens the window on a scenario; returns when it is closed.
pub type OpenWindow<'a> = &'a dyn Fn(Open) -> Result<(), Box<dyn std::error::Error>>;

/// What the window is to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Open {
    /// What was open last, or the worked example.
    Last,
    /// A preset, by id.
    Preset(String),
    /// A file.
    File(PathBuf),
}

/// Should we buy LLM inference from an API, build it on our own GPUs, or mix the two?
///
/// Without a subcommand it opens the window, on a display that has one; else it prints the decision.
#[derive(Debug, Parser)]
#[command(name = "breakeven", version, args_conflicts_with_subcommands = true)]
struct Cli {
    /// A scenario file, or preset:ID.
    scenario: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The decision as text: verdict, plans with intervals, crossings, what matters.
    Decide(decide::Args),
    /// What each plan costs at the expected values, instantly.
    Estimate(estimate::Args),
    /// What each plan costs with what certainty (Monte Carlo).
    Forecast(forecast::Args),
    /// Cost over volume, and every volume at which two plans cross.
    BreakEven(break_even::Args),
    /// What each uncertain quantity does to the answer, one at a time.
    Sensitivity(sensitivity::Args),
    /// What is wrong with a scenario.
    Check(check::Args),
    /// Models, GPUs, prices and cloud rates with their sources.
    Catalog(catalog::Args),
    /// The scenarios that ship, to read or to start from.
    Presets(presets::Args),
    /// Fits a use case to a request trace.
    Fit(fit::Args),
    /// What a model on GPUs serves: memory, tokens/s, first token, time per token.
    Perf(Box<perf::Args>),
    /// Fits the serving model's constants to your own measurements.
    Calibrate(calibrate::Args),
    /// The best GPUs, formats and replicas for a scenario's workload.
    Size(size::Args),
    /// What averages hide: plans under simulated traffic, request by request.
    Simulate(Box<simulate::Args>),
    /// How far the serving model is from published measurements.
    Fidelity(fidelity::Args),
    /// Measures this machine: bandwidth, compute, latency, and what it would serve.
    Bench(bench::Args),
    /// Counts the tokens of a text.
    Tokens(tokens::Args),
}

/// Runs the program on the arguments of the process.
///
/// - `window`: what opens the window; `None` in a build without one.
#[must_use]
pub fn run(window: Option<OpenWindow<'_>>) -> ExitCode {
    if let Some(error) = std::env::args_os().nth(1).and_then(|first| misspelt(&first)) {
        output::complain(&error);
        return ExitCode::from(error.code());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Where even that cannot be printed, the exit code still says it.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut output = Output::new();
    match dispatch(&cli, window, &mut output).and_then(|()| output.finish()) {
        Ok(()) => ExitCode::SUCCESS,
        // Who closed the pipe has what they wanted.
        Err(CliError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(error.code())
        }
    }
}

/// A first word that is no command, no file and no preset, but nearly a command.
fn misspelt(first: &OsStr) -> Option<CliError> {
    let word = first.to_str()?;
    let plain = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    let command = Cli::command();
    let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).chain(["help"]).collect();
    if !plain || names.contains(&word) || Path::new(word).exists() {
        return None;
    }
    let nearest = nearest(word, names)?.to_owned();
    Some(CliError::NoCommand { word: word.to_owned(), nearest })
}

fn dispatch(cli: &Cli, window: Option<OpenWindow<'_>>, output: &mut Output) -> Result<(), CliError> {
    match &cli.command {
        None => decide::window_or_text(cli.scenario.as_deref(), window, output),
        Some(Command::Decide(args)) => decide::run(args, output),
        Some(Command::Estimate(args)) => estimate::run(args, output),
        Some(Command::Forecast(args)) => forecast::run(args, output),
        Some(Command::BreakEven(args)) => break_even::run(args, output),
        Some(Command::Sensitivity(args)) => sensitivity::run(args, output),
        Some(Command::Check(args)) => check::run(args, output),
        Some(Command::Catalog(args)) => catalog::run(args, output),
        Some(Command::Presets(args)) => presets::run(args, output),
        Some(Command::Fit(args)) => fit::run(args, output),
        Some(Command::Perf(args)) => perf::run(args, output),
        Some(Command::Calibrate(args)) => calibrate::run(args, output),
        Some(Command::Size(args)) => size::run(args, output),
        Some(Command::Simulate(args)) => simulate::run(args, output),
        Some(Command::Fidelity(args)) => fidelity::run(args, output),
        Some(Command::Bench(args)) => bench::run(args, output),
        Some(Command::Tokens(args)) => tokens::run(args, output),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_arguments_are_declared_without_contradiction() {
        use clap::CommandFactory as _;
        super::Cli::command().debug_assert();
    }
}
