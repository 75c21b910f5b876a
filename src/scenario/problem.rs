//! What is wrong with a draft, in words that help.

use serde::Serialize;

pub use crate::stats::severity::Severity;

/// One thing that is wrong, or likely to mislead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How grave: an error means that no answer can be computed.
    pub severity: Severity,
    /// Path of the field, `workload.use_cases.chat.requests_per_day`.
    pub path: String,
    /// What was found.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

/// Everything that is wrong with a draft, in the order of the document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, thiserror::Error)]
#[error("{}", summary(items))]
pub struct Problems {
    /// The problems.
    pub items: Vec<Problem>,
}

fn summary(items: &[Problem]) -> String {
    let errors = items.iter().filter(|problem| problem.severity == Severity::Error).count();
    match items.iter().find(|problem| problem.severity == Severity::Error) {
        None => "nothing is wrong".to_owned(),
        Some(first) if errors == 1 => format!("{}: {}", first.path, first.message),
        Some(first) => format!("{}: {} (and {} more)", first.path, first.message, errors - 1),
    }
}

impl Problems {
    /// The problems of a field and of everything below it.
    pub fn at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Problem> {
        self.items.iter().filter(move |problem| {
            problem.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Whether any of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|problem| problem.severity == Severity::Error)
    }

    pub(super) fn add(
        &mut self,
        severity: Severity,
        path: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.items.push(Problem {
            severity,
            path: path.into(),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    pub(super) fn error(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Error, path, message, remedy);
    }

    pub(super) fn warn(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Warning, path, message, remedy);
    }
}
