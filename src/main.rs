//! The binary: parse, dispatch, map the outcome to an exit code.

use std::process::ExitCode;

#[cfg(feature = "app")]
fn main() -> ExitCode {
    use breakeven::app::{AppOptions, run};
    use breakeven::cli::Open;

    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).init();
    breakeven::cli::run(Some(&|open| {
        let options = match open {
            Open::Last => AppOptions::default(),
            Open::Preset(id) => AppOptions { preset: Some(id), ..AppOptions::default() },
            Open::File(path) => AppOptions { file: Some(path), ..AppOptions::default() },
        };
        Ok(run(&options)?)
    }))
}

#[cfg(all(feature = "cli", not(feature = "app")))]
fn main() -> ExitCode {
    breakeven::cli::run(None)
}

#[cfg(not(feature = "cli"))]
fn main() -> ExitCode {
    eprintln!(
        "breakeven: this build has neither a terminal nor a window; build it with --features cli or app"
    );
    ExitCode::from(2)
}
