//! Writing results: buffered, and without a panic when the reader has gone.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use serde::Serialize;

use crate::io::json;

use super::error::CliError;

/// Where results go.
pub(super) struct Output {
    out: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { out: BufWriter::new(io::stdout().lock()) }
    }

    /// Writes text as it is.
    pub(super) fn text(&mut self, text: &str) -> Result<(), CliError> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Writes a JSON document.
    pub(super) fn json(&mut self, document: &'static str, body: impl Serialize) -> Result<(), CliError> {
        let text = json::to_text(document, body)?;
        self.text(&text)
    }

    /// Hands on what is still buffered.
    pub(super) fn finish(&mut self) -> Result<(), CliError> {
        Ok(self.out.flush()?)
    }
}

/// A line of talk, on stderr.
pub(super) fn say(text: &str) {
    // Nobody listens: the result is still worth having.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Why there is no result, on stderr.
pub(super) fn complain(error: &CliError) {
    say(&format!("breakeven: {error}"));
}
