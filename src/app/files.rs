//! Asking for a file: the system's dialog on a thread of its own, and a field of our own where none answers.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::job::{JobEvent, Lane};

/// A person needs longer than this to close a dialog: an empty answer before is none.
const TOO_FAST: Duration = Duration::from_millis(400);

/// After so long without an answer the window offers its own field beside the dialog, which may never have appeared.
const OFFER_AFTER: Duration = Duration::from_secs(3);

/// What a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To open a scenario.
    Open,
    /// To save the scenario; `then` follows.
    Save,
    /// To fit a use case, by id, to a trace.
    Trace(String),
    /// To replay a trace.
    Replay,
    /// To save a plot, as data or as a picture.
    Plot {
        /// What it is.
        name: String,
        /// What is written.
        bytes: Vec<u8>,
        /// The extension of its kind.
        extension: &'static str,
    },
    /// To hold the serving model against a folder of measurements.
    Measurements,
    /// To show published bandwidths beside a measured device.
    Bandwidths,
    /// To write predicted against published.
    Rows,
}

impl Purpose {
    /// What the dialog is headed by.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Open => "Open a scenario",
            Self::Save => "Save the scenario",
            Self::Trace(_) => "Choose a request trace",
            Self::Replay => "Choose a trace to replay",
            Self::Plot { .. } => "Save the plot",
            Self::Measurements => "Choose a folder of measured tables",
            Self::Bandwidths => "Choose a folder of published bandwidths",
            Self::Rows => "Write predicted against published",
        }
    }

    /// Whether a folder is asked for, and not a file.
    #[must_use]
    pub const fn is_folder(&self) -> bool {
        matches!(self, Self::Measurements | Self::Bandwidths)
    }

    /// Whether a file is written, and not read.
    #[must_use]
    pub const fn writes(&self) -> bool {
        matches!(self, Self::Save | Self::Plot { .. } | Self::Rows)
    }

    /// The extension that a file gets if it is given none.
    #[must_use]
    pub const fn extension(&self) -> &'static str {
        match self {
            Self::Open | Self::Save => "ron",
            Self::Trace(_) | Self::Replay | Self::Measurements | Self::Bandwidths | Self::Rows => "csv",
            Self::Plot { extension, .. } => extension,
        }
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This file.
    Picked(PathBuf),
    /// Nothing: the person closed the dialog.
    Nothing,
    /// No dialog could be shown.
    NoDialog,
}

/// One question at a time.
pub struct Files {
    lane: Lane<Answer>,
    asked: Option<(Purpose, Instant)>,
}

impl Files {
    /// `notify` is called when an answer is there.
    #[must_use]
    pub fn new(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self { lane: Lane::new("file dialog", notify), asked: None }
    }

    /// Shows the system's dialog.
    ///
    /// - `folder`: where it begins; `name`: what is proposed when saving.
    pub fn ask(&mut self, purpose: &Purpose, folder: Option<&Path>, name: &str) {
        let mut dialog = rfd::FileDialog::new().set_title(purpose.title());
        if let Some(folder) = folder {
            dialog = dialog.set_directory(folder);
        }
        let (saving, folder) = (purpose.writes(), purpose.is_folder());
        let name = name.to_owned();
        dialog = match purpose {
            Purpose::Open | Purpose::Save => dialog.add_filter("Scenario", &["ron"]),
            Purpose::Trace(_) | Purpose::Replay => {
                dialog.add_filter("Request trace", &["csv", "jsonl", "json", "gz", "zst"])
            }
            Purpose::Plot { extension, .. } => dialog.add_filter(extension.to_uppercase(), &[extension]),
            Purpose::Rows => dialog.add_filter("Table", &["csv"]),
            Purpose::Measurements | Purpose::Bandwidths => dialog,
        };
        self.asked = Some((purpose.clone(), Instant::now()));
        self.lane.submit(0, move |_| {
            let began = Instant::now();
            let picked = if saving {
                dialog.set_file_name(name).save_file()
            } else if folder {
                dialog.pick_folder()
            } else {
                dialog.pick_file()
            };
            Ok(match picked {
                Some(path) => Answer::Picked(path),
                None if began.elapsed() < TOO_FAST => Answer::NoDialog,
                None => Answer::Nothing,
            })
        });
    }

    /// The answer, once it is there.
    pub fn poll(&mut self) -> Option<(Purpose, Answer)> {
        let mut answer = None;
        for (_, event) in self.lane.poll() {
            match event {
                JobEvent::Done(done) => answer = Some(done),
                JobEvent::Failed(_) | JobEvent::Panicked(_) => answer = Some(Answer::NoDialog),
                JobEvent::Partial(_) | JobEvent::Cancelled => {}
            }
        }
        let (purpose, _) = self.asked.take_if(|_| answer.is_some())?;
        Some((purpose, answer?))
    }

    /// What is asked for, once the dialog is so late that one may doubt it.
    #[must_use]
    pub fn late(&self) -> Option<&Purpose> {
        self.asked.as_ref().filter(|(_, since)| since.elapsed() >= OFFER_AFTER).map(|(purpose, _)| purpose)
    }

    /// Whether a dialog is open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.asked.is_some()
    }

    /// Stops listening to the dialog.
    pub fn ignore(&mut self) {
        self.asked = None;
    }
}

/// A file name made of the scenario's name, or of another.
#[must_use]
pub fn proposed_name(name: &str, extension: &str) -> String {
    let mut stem = String::new();
    for letter in name.chars().take(60) {
        if letter.is_alphanumeric() {
            stem.extend(letter.to_lowercase());
        } else if !stem.is_empty() && !stem.ends_with('-') {
            stem.push('-');
        }
    }
    let stem = stem.trim_end_matches('-');
    format!("{}.{extension}", if stem.is_empty() { "scenario" } else { stem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_the_scenario() {
        for (name, expected) in [
            ("Customer support chatbot at scale", "customer-support-chatbot-at-scale.ron"),
            ("  a / b  ", "a-b.ron"),
            ("../..", "scenario.ron"),
            ("", "scenario.ron"),
        ] {
            assert_eq!(proposed_name(name, "ron"), expected);
        }
    }
}
