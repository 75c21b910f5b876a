//! How grave a finding is: shared by checks of input and findings about results.

use serde::Serialize;

/// How grave a finding or problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Likely to mislead.
    Warning,
    /// The answer does not hold.
    Error,
}
