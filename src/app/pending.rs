//! Stand-ins for types of the scenario layer until they arrive there.

use crate::analysis::Severity;

/// One thing that is wrong with the draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How grave.
    pub severity: Severity,
    /// Path of the field.
    pub path: String,
    /// What was found.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

/// Everything that is wrong with the draft.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    /// In the order of the document.
    pub items: Vec<Problem>,
}

impl Problems {
    /// The problems of a field and of everything below it.
    pub fn at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Problem> {
        self.items.iter().filter(move |problem| {
            problem.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// How a verdict sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Clear.
    #[default]
    Clear,
}

/// The answer in words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// The answer in one sentence.
    pub headline: String,
    /// What qualifies it.
    pub sentences: Vec<String>,
    /// How it sounds.
    pub tone: Tone,
}
