//! The verbs: one list that feeds the menu, the palette and the keys.
//!
//! Edits of the form are not verbs; they change the draft and are undone as a whole drag at a time.

use std::path::PathBuf;

use eframe::egui::{Key, KeyboardShortcut, Modifiers, Rect};

use super::pages::Page;
use super::picture::Target;
use super::sizing::SizeWish;
use super::traffic::TraceAsk;
use crate::analysis::traffic::TrafficAsk;
use crate::bench::Pace;
use crate::catalog::GpuSpec;
use crate::scenario::fitted::Taken;
use crate::tokenizer::Split;

/// Something that the window can be asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A new scenario.
    New,
    /// Ask for a file and open it.
    Open,
    /// Open this file.
    OpenPath(PathBuf),
    /// Open the example with this id.
    OpenExample(String),
    /// Save where it came from.
    Save,
    /// Ask where, and save there.
    SaveAs,
    /// Take back the last edit.
    Undo,
    /// Do it again.
    Redo,
    /// Open the palette.
    Palette,
    /// Show a page.
    Go(Page),
    /// Show a use case on its page.
    GoUseCase(String),
    /// Show a plan on its page.
    GoPlan(String),
    /// Light, dark, or as the system says.
    Theme(ThemeChoice),
    /// Larger.
    ZoomIn,
    /// Smaller.
    ZoomOut,
    /// The usual size.
    ZoomReset,
    /// Fold or show the pages at the left.
    ToggleNavigation,
    /// Fold or show the inputs at the right.
    ToggleInspector,
    /// Stop the forecast; what was drawn stays.
    StopForecast,
    /// Draw the forecast again.
    RunForecast,
    /// The decision as text, to the clipboard.
    CopyDecision,
    /// The scenario as a file's text, to the clipboard.
    CopyScenario,
    /// The data of a plot, to the clipboard.
    CopyTable {
        /// What it is.
        name: String,
        /// The table.
        csv: String,
    },
    /// Ask where, and save the data of a plot there.
    SaveTable {
        /// What it is.
        name: String,
        /// The table.
        csv: String,
    },
    /// Ask where, and save a measurement as JSON there.
    SaveJson {
        /// What it is.
        name: String,
        /// The document.
        json: String,
    },
    /// A picture of a plot.
    Picture {
        /// What it shows.
        name: String,
        /// Where it is in the window, in points.
        rect: Rect,
        /// What becomes of it.
        target: Target,
    },
    /// Count the tokens of a text; the answer comes under the tag in [`super::view::Errands::tokens`].
    CountTokens {
        /// Names the answer.
        tag: String,
        /// The text.
        text: String,
        /// `o200k_base`, `cl100k_base`, or the path of a `tokenizer.json`.
        encoding: String,
        /// How many texts it is.
        split: Split,
    },
    /// Read a trace and fit lengths and arrivals to it; shown beside the use case, not taken over.
    FitTrace {
        /// Id of the use case.
        use_case: String,
        /// Where the trace is; none asks for it.
        path: Option<PathBuf>,
    },
    /// Take over what the trace of a use case says.
    ApplyFit {
        /// Id of the use case.
        use_case: String,
        /// What is taken over.
        taken: Taken,
    },
    /// Forget the trace of a use case.
    DropFit {
        /// Id of the use case.
        use_case: String,
    },
    /// Read the `config.json` of a model, and show what it serves.
    ReadConfig(PathBuf),
    /// Search the best deployment for the scenario as it is.
    Size(SizeWish),
    /// Stop what an errand is about.
    StopErrands,
    /// Hold the serving model against the tables of this folder; none asks for it.
    Measure(Option<PathBuf>),
    /// Show the published bandwidths of this folder beside the measured device; none asks for it.
    ReadBandwidths(Option<PathBuf>),
    /// Ask where, and write predicted against published there, row by row.
    SaveRows,
    /// Plays plans under simulated traffic.
    Simulate {
        /// What is played, plan by plan.
        asks: Vec<TrafficAsk>,
        /// The trace that is replayed in place of the modelled workload.
        trace: Option<Box<TraceAsk>>,
        /// Whether the replicas are searched that keep the targets.
        needed: bool,
    },
    /// Ask for a recorded trace to replay.
    ChooseReplay,
    /// Read a trace to its end and say what is in it.
    LookAtTrace(Box<TraceAsk>),
    /// Hold the simulation, or let it go on.
    PauseSimulation(bool),
    /// Stop the simulation; what was played stays.
    StopSimulation,
    /// Write what was simulated into the plan with this id.
    UseSimulated(String),
    /// Look for the devices of this machine and for earlier runs.
    ListDevices,
    /// Measure a device of this machine.
    MeasureDevice {
        /// Its position in the list.
        device: usize,
        /// How thoroughly.
        pace: Pace,
    },
    /// Stop measuring; what was measured is kept.
    StopMeasuring,
    /// Show the run that began then.
    ShowRun(String),
    /// Put a measured device into the user's catalogue and into the plan in hand.
    AdoptDevice(Box<GpuSpec>),
    /// What the keys do, and where to begin.
    Help,
    /// Name, version, licence.
    About,
    /// Leave.
    Quit,
}

/// What decides between light and dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Where a verb stands in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// The scenario and its file.
    File,
    /// The draft.
    Edit,
    /// What is seen, and how.
    View,
    /// Where to.
    Go,
    /// Computing and taking the result elsewhere.
    Run,
    /// What it is and how it works.
    Help,
}

impl Group {
    /// Every group, in the order of the menu.
    pub const ALL: [Self; 6] = [Self::File, Self::Edit, Self::View, Self::Go, Self::Run, Self::Help];

    /// Its name.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Edit => "Edit",
            Self::View => "View",
            Self::Go => "Go",
            Self::Run => "Result",
            Self::Help => "Help",
        }
    }
}

/// A verb with what a person sees of it.
#[derive(Debug, Clone)]
pub struct Verb {
    /// What it does.
    pub action: Action,
    /// Its name, an imperative.
    pub text: &'static str,
    /// One sentence more.
    pub tooltip: &'static str,
    /// Its key.
    pub shortcut: Option<KeyboardShortcut>,
    /// Where it stands.
    pub group: Group,
}

const fn ctrl(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND, key))
}

const fn ctrl_shift(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key))
}

const fn bare(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::NONE, key))
}

/// Keys of the pages, in the order of the navigation.
const PAGE_KEYS: [Key; 12] = [
    Key::Num1,
    Key::Num2,
    Key::Num3,
    Key::Num4,
    Key::Num5,
    Key::Num6,
    Key::J,
    Key::Num7,
    Key::Num8,
    Key::Num9,
    Key::M,
    Key::E,
];

/// Every verb that takes no argument, in the order of the menu.
#[must_use]
pub fn verbs() -> Vec<Verb> {
    let verb = |group, action, text, tooltip, shortcut| Verb { action, text, tooltip, shortcut, group };
    let mut verbs = vec![
        verb(Group::File, Action::New, "New scenario", "Begin with an empty scenario", ctrl(Key::N)),
        verb(Group::File, Action::Open, "Open…", "Open a scenario file", ctrl(Key::O)),
        verb(Group::File, Action::Save, "Save", "Save to the file it came from", ctrl(Key::S)),
        verb(Group::File, Action::SaveAs, "Save as…", "Save to another file", ctrl_shift(Key::S)),
        verb(
            Group::File,
            Action::Quit,
            "Quit",
            "Close the window; asks before unsaved changes are lost",
            ctrl(Key::Q),
        ),
        verb(Group::Edit, Action::Undo, "Undo", "Take back the last change", ctrl(Key::Z)),
        verb(
            Group::Edit,
            Action::Redo,
            "Redo",
            "Do the change again that was taken back",
            ctrl_shift(Key::Z),
        ),
        verb(
            Group::View,
            Action::Palette,
            "Command palette",
            "Search commands, pages, plans and examples",
            ctrl(Key::K),
        ),
        verb(
            Group::View,
            Action::ToggleNavigation,
            "Fold the navigation",
            "Show or fold the pages at the left",
            ctrl(Key::B),
        ),
        verb(
            Group::View,
            Action::ToggleInspector,
            "Fold the inspector",
            "Show or fold the inputs at the right",
            ctrl(Key::I),
        ),
        verb(
            Group::View,
            Action::Theme(ThemeChoice::System),
            "Theme of the system",
            "Light or dark as the system says",
            None,
        ),
        verb(
            Group::View,
            Action::Theme(ThemeChoice::Light),
            "Light theme",
            "Dark text on a light ground",
            None,
        ),
        verb(
            Group::View,
            Action::Theme(ThemeChoice::Dark),
            "Dark theme",
            "Light text on a dark ground",
            None,
        ),
        verb(Group::View, Action::ZoomIn, "Zoom in", "Everything larger", ctrl(Key::Plus)),
        verb(Group::View, Action::ZoomOut, "Zoom out", "Everything smaller", ctrl(Key::Minus)),
        verb(Group::View, Action::ZoomReset, "Usual size", "Back to the usual size", ctrl(Key::Num0)),
        verb(
            Group::Run,
            Action::RunForecast,
            "Draw the forecast again",
            "Start the Monte Carlo forecast over",
            bare(Key::F5),
        ),
        verb(Group::Run, Action::StopForecast, "Stop the forecast", "What was drawn until now stays", None),
        verb(
            Group::Run,
            Action::CopyDecision,
            "Copy the decision",
            "The verdict and the plans as text, to the clipboard",
            ctrl_shift(Key::C),
        ),
        verb(
            Group::Run,
            Action::CopyScenario,
            "Copy the scenario",
            "The scenario as the text of a file, to the clipboard",
            None,
        ),
        verb(Group::Help, Action::Help, "Help", "Where to begin, and what the keys do", bare(Key::F1)),
        verb(Group::Help, Action::About, "About Breakeven", "Version, licence and what it knows", None),
    ];
    verbs.extend(Page::ALL.into_iter().enumerate().map(|(at, page)| {
        let key = PAGE_KEYS.get(at).and_then(|key| ctrl(*key));
        verb(Group::Go, Action::Go(page), page.text(), page.tooltip(), key)
    }));
    verbs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_verbs_share_a_name_or_a_key() {
        let verbs = verbs();
        for (position, verb) in verbs.iter().enumerate() {
            for other in &verbs[position + 1..] {
                assert_ne!(verb.text, other.text);
                assert_ne!(verb.action, other.action);
                if verb.shortcut.is_some() {
                    assert_ne!(verb.shortcut, other.shortcut, "{} and {}", verb.text, other.text);
                }
            }
        }
    }

    #[test]
    fn every_page_can_be_reached_by_a_key() {
        for page in Page::ALL {
            let verb = verbs().into_iter().find(|verb| verb.action == Action::Go(page));
            assert!(verb.is_some_and(|verb| verb.shortcut.is_some()), "{page:?}");
        }
    }
}
