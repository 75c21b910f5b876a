//! What can end a command, and with which exit code.

use std::path::PathBuf;

use thiserror::Error;

use crate::analysis::traffic::TrafficError;
use crate::io::measured::MeasuredError;
use crate::io::overlay::OverlayError;
use crate::io::presets::PresetError;
use crate::io::requests::RequestsError;
use crate::io::scenario::{SaveError, ScenarioFileError};
use crate::io::trace::TraceError;
use crate::job::Stopped;
use crate::scenario::Problems;
use crate::serving::CalibrationError;
use crate::tokenizer::TokenizerError;
use crate::unit::format::ParseNumberError;
use crate::workload::fit::FitError;

/// Why a command ended without a result.
#[derive(Debug, Error)]
pub(super) enum CliError {
    #[error("there is no command \"{word}\" and no file of that name; did you mean \"{nearest}\"?")]
    NoCommand { word: String, nearest: String },
    #[error("Cannot read the scenario\n{0}")]
    Scenario(#[from] ScenarioFileError),
    #[error("Cannot load the preset\n{0}")]
    Preset(#[from] PresetError),
    #[error("{name} cannot be computed:\n{}", lines(problems))]
    Problems { name: String, problems: Problems },
    /// The problems are already on stdout.
    #[error("{name} has {errors} {}", if *errors == 1 { "error" } else { "errors" })]
    Refused { name: String, errors: usize },
    #[error("--set {text}: {reason}")]
    Set { text: String, reason: SetError },
    #[error("{0}")]
    Catalog(#[from] OverlayError),
    #[error("Cannot read the trace\n{0}")]
    Trace(#[from] TraceError),
    #[error("Cannot fit the trace\n{0}")]
    Fit(#[from] FitError),
    #[error("no use case has the id \"{id}\"; the scenario has {}", known.join(", "))]
    NoUseCase { id: String, known: Vec<String> },
    #[error("no plan has the id \"{id}\"; the scenario has {}", known.join(", "))]
    NoPlan { id: String, known: Vec<String> },
    #[error("Cannot write the calls\n{0}")]
    Requests(#[from] RequestsError),
    #[error("Cannot simulate\n{0}")]
    Traffic(#[from] TrafficError),
    #[error("Cannot predict\n{0}")]
    Perf(String),
    #[error("Cannot measure\n{0}")]
    Bench(String),
    #[error("{0}")]
    History(#[from] crate::io::machine::HistoryError),
    #[error("Cannot read the measurements\n{0}")]
    Measured(#[from] MeasuredError),
    #[error("stopped before there was a result")]
    Stopped(#[from] Stopped),
    #[error("{0}")]
    Calibration(#[from] CalibrationError),
    #[error("Cannot count tokens\n{0}")]
    Tokenizer(#[from] TokenizerError),
    #[error("Cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is there already; name another file, or add --force", path.display())]
    Exists { path: PathBuf },
    #[error("Cannot save\n{0}")]
    Save(#[from] SaveError),
    #[error("Cannot write the result: {0}")]
    Write(#[from] std::io::Error),
    #[error("Cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Why an override was refused.
#[derive(Debug, Error)]
pub(super) enum SetError {
    #[error("write PATH=VALUE, such as settings.seed=7")]
    NoEquals,
    #[error("the scenario has no quantity with this path{}", if near.is_empty() { "; `breakeven check SCENARIO --paths` lists them".to_owned() } else { format!("; did you mean {}?", near.join(", ")) })]
    Unknown { near: Vec<String> },
    #[error("it could be any of {}; write more of the path", matches.join(", "))]
    Ambiguous { matches: Vec<String> },
    #[error("{0}")]
    Number(#[from] ParseNumberError),
    #[error("{0}")]
    Distribution(String),
    #[error("\"{text}\" is not a whole number of 0 or more")]
    Whole { text: String },
}

impl CliError {
    /// 1: the input is wrong. 2: the command is.
    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::NoCommand { .. } | Self::Set { reason: SetError::NoEquals, .. } => 2,
            _ => 1,
        }
    }
}

fn lines(problems: &Problems) -> String {
    let line = |problem: &crate::scenario::Problem| {
        format!("  {}: {}; {}", problem.path, problem.message, problem.remedy)
    };
    let errors = problems.items.iter().filter(|problem| problem.severity == crate::scenario::Severity::Error);
    errors.map(line).collect::<Vec<_>>().join("\n")
}
