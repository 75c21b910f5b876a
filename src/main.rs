//! The binary: parse, dispatch, map the outcome to an exit code.

use std::process::ExitCode;

#[cfg(feature = "cli")]
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
