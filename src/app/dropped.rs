//! What becomes of a file that is dropped onto the window: told by its name, and by the page that it is dropped on.

use std::path::Path;

use eframe::egui::Context;

use super::App;
use super::action::Action;
use super::pages::{Page, counter};

/// Largest text that the counter takes: it is laid out as a whole in each frame.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// What a file that is dropped onto the window is taken for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// A scenario, to be opened; whatever is not known, too, whose error then says what it is not.
    Scenario,
    /// A request trace, to be fitted.
    Trace,
    /// A request trace, to be replayed.
    Replay,
    /// A tokenizer, to count with.
    Tokenizer,
    /// A text, to be counted.
    Text,
    /// A model's `config.json`, to be served.
    Config,
    /// Measured tables, to hold the serving model against.
    Measurements,
    /// Published bandwidths, to show beside this machine.
    Bandwidths,
}

impl Dropped {
    /// - `page`: where it is dropped; on the page of trust a table is a measurement, on *Traffic* it is replayed, on *This machine* it
    ///   holds bandwidths.
    pub(super) fn of(path: &Path, page: Page) -> Self {
        if path.is_dir() {
            return match page {
                _ if path.join("config.json").exists() => Self::Config,
                Page::ThisMachine => Self::Bandwidths,
                _ => Self::Measurements,
            };
        }
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&[".json"]) && name.contains("tokenizer") {
            Self::Tokenizer
        } else if ends(&[".json"]) && name.contains("config") {
            Self::Config
        } else if ends(&[".csv"]) && page == Page::Trust {
            Self::Measurements
        } else if ends(&[".csv"]) && page == Page::ThisMachine {
            Self::Bandwidths
        } else if ends(&[".csv", ".jsonl", ".json"]) {
            if page == Page::Traffic { Self::Replay } else { Self::Trace }
        } else if ends(&[".txt", ".md"]) {
            Self::Text
        } else {
            Self::Scenario
        }
    }

    /// What dropping it would do.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Scenario => "Drop to open the scenario",
            Self::Trace => "Drop to fit a use case to the trace",
            Self::Replay => "Drop to replay the trace",
            Self::Tokenizer => "Drop to count with this tokenizer",
            Self::Text => "Drop to count the tokens of the text",
            Self::Config => "Drop to see what the model serves",
            Self::Measurements => "Drop to hold the serving model against the tables",
            Self::Bandwidths => "Drop to show the published bandwidths beside this machine",
        }
    }
}

impl App {
    /// Does with a dropped file what its name says.
    pub(super) fn dropped(&mut self, ctx: &Context, path: &Path) {
        match Dropped::of(path, self.session.page) {
            Dropped::Scenario => self.act(ctx, Action::OpenPath(path.to_owned())),
            Dropped::Trace => {
                let cases = &self.document.draft.workload.use_cases;
                let chosen =
                    self.session.use_case.as_ref().filter(|id| cases.iter().any(|known| known.id == **id));
                let Some(use_case) = chosen.or(cases.first().map(|first| &first.id)).cloned() else {
                    let how = "Add one on the page Workload, then drop the trace again.";
                    self.notices.error("There is no use case to fit to the trace", how);
                    return;
                };
                self.act(ctx, Action::GoUseCase(use_case.clone()));
                self.errands.fit(use_case, path.to_owned());
            }
            Dropped::Replay => self.replay(path.to_owned()),
            Dropped::Tokenizer => {
                self.session.picks.insert("encoding".to_owned(), path.display().to_string());
                self.notices.note("Texts are now counted with this tokenizer");
            }
            Dropped::Text => self.take_text(path),
            Dropped::Config => self.act(ctx, Action::ReadConfig(path.to_owned())),
            Dropped::Bandwidths => self.act(ctx, Action::ReadBandwidths(Some(path.to_owned()))),
            Dropped::Measurements => {
                let folder = if path.is_dir() { Some(path) } else { path.parent() };
                self.act(ctx, Action::Measure(folder.map(Path::to_owned)));
            }
        }
    }

    /// Puts a text into the counter of the use case in hand.
    fn take_text(&mut self, path: &Path) {
        let Some(id) = self
            .session
            .use_case
            .clone()
            .or_else(|| self.document.draft.workload.use_cases.first().map(|first| first.id.clone()))
        else {
            return;
        };
        let read = std::fs::metadata(path).and_then(|data| {
            if data.len() > TEXT_BYTES_MAX {
                let most = crate::unit::format::bytes(TEXT_BYTES_MAX as f64);
                let why = format!("it is larger than {most}; count it with `breakeven tokens FILE`");
                return Err(std::io::Error::other(why));
            }
            std::fs::read_to_string(path)
        });
        match read {
            Ok(text) => {
                self.session.texts.insert(counter(&id), text);
                self.session.picks.insert("count".to_owned(), "open".to_owned());
                (self.session.page, self.session.use_case) = (Page::Workload, Some(id));
            }
            Err(error) => self.notices.error("Cannot read the text", format!("{error}: {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_file_is_taken_for_what_its_name_says() {
        for (name, expected) in [
            ("/a/My plan.ron", Dropped::Scenario),
            ("trace.CSV", Dropped::Trace),
            ("requests.jsonl", Dropped::Trace),
            ("tokenizer.json", Dropped::Tokenizer),
            ("prompt.txt", Dropped::Text),
            ("no-extension", Dropped::Scenario),
            ("/b/config.json", Dropped::Config),
        ] {
            assert_eq!(Dropped::of(Path::new(name), Page::Overview), expected, "{name}");
        }
        assert_eq!(Dropped::of(Path::new("a.csv"), Page::Trust), Dropped::Measurements);
        assert_eq!(Dropped::of(Path::new("a.jsonl.zst"), Page::Traffic), Dropped::Replay);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Dropped::of(folder.path(), Page::Overview), Dropped::Measurements);
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        assert_eq!(Dropped::of(folder.path(), Page::Overview), Dropped::Config);
    }
}
