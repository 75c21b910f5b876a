//! The pages. Each is one function that draws its centre and one that draws its inspector.

pub mod break_even;
pub mod catalogue;
mod count;
pub mod endpoint;
pub mod examples;
mod export;
pub mod findings;
pub mod inspector;
pub mod overview;
pub mod plans;
pub mod router;
pub mod sensitivity;
pub mod serving;
pub mod settings;
pub mod size;
pub mod this_machine;
mod trace;
pub mod traffic;
pub mod trust;
pub mod words;
pub mod workload;

use eframe::egui;

use super::plots::cursor::Cursor;
use super::view::{Outbox, Session, View};
use crate::scenario::ScenarioDraft;

/// A page of the window.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// The answer.
    #[default]
    Overview,
    /// Cost over volume and where it flips.
    BreakEven,
    /// What matters most.
    Sensitivity,
    /// What is asked for.
    Workload,
    /// The alternatives.
    Plans,
    /// What a model on GPUs serves.
    Serving,
    /// The best deployment for the workload.
    Size,
    /// How far predictions are from measurements.
    Trust,
    /// What averages hide.
    Traffic,
    /// Models, GPUs and prices.
    Catalogue,
    /// What this machine reaches, and what it would serve.
    ThisMachine,
    /// Worked examples and files.
    Examples,
}

/// What one wants, and the pages for it.
pub const NAVIGATION: [(&str, &[Page]); 4] = [
    ("Decide", &[Page::Overview, Page::BreakEven, Page::Sensitivity]),
    ("Model", &[Page::Workload, Page::Plans, Page::Serving, Page::Size, Page::Trust, Page::Catalogue]),
    ("Run", &[Page::Traffic, Page::ThisMachine]),
    ("Exchange", &[Page::Examples]),
];

impl Page {
    /// Every page, in the order of the navigation.
    pub const ALL: [Self; 12] = [
        Self::Overview,
        Self::BreakEven,
        Self::Sensitivity,
        Self::Workload,
        Self::Plans,
        Self::Serving,
        Self::Size,
        Self::Trust,
        Self::Catalogue,
        Self::Traffic,
        Self::ThisMachine,
        Self::Examples,
    ];

    /// Its name.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::BreakEven => "Break-even",
            Self::Sensitivity => "Sensitivity",
            Self::Workload => "Workload",
            Self::Plans => "Plans",
            Self::Serving => "Serving",
            Self::Size => "Size",
            Self::Trust => "How far to trust this",
            Self::Traffic => "Traffic",
            Self::Catalogue => "Catalogue",
            Self::ThisMachine => "This machine",
            Self::Examples => "Examples and files",
        }
    }

    /// What it answers, in a sentence.
    #[must_use]
    pub const fn tooltip(self) -> &'static str {
        match self {
            Self::Overview => "Which plan, at what cost, with what certainty",
            Self::BreakEven => "At which volume the answer flips",
            Self::Sensitivity => "Which inputs decide the answer",
            Self::Workload => "What is asked of the models, and how much of it",
            Self::Plans => "The alternatives: buy, build, or mix",
            Self::Serving => "What a model on GPUs serves: memory, throughput, latency and price",
            Self::Size => "The best GPUs, count, parallelism, formats and replicas for the workload",
            Self::Trust => "Predicted against published: the errors of the serving model, worst first",
            Self::Traffic => "What averages hide: queues, bursts and tails, request by request",
            Self::Catalogue => "Models, GPUs, prices and cloud rates, with their sources",
            Self::ThisMachine => "Measure this machine's devices, and what they would serve",
            Self::Examples => "Worked examples, recent files, open and save",
        }
    }

    /// Whether it has inputs of its own to show at the right.
    #[must_use]
    pub const fn has_inspector(self) -> bool {
        matches!(self, Self::Overview | Self::BreakEven | Self::Sensitivity | Self::Serving)
    }
}

/// The name under which [`Session::texts`] keeps the text whose tokens are counted for a use case.
#[must_use]
pub(super) fn counter(use_case: &str) -> String {
    format!("count {use_case}")
}

/// Draws the page in the centre; it scrolls if it has to.
pub fn ui(
    ui: &mut egui::Ui,
    draft: &mut ScenarioDraft,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let pointed = std::mem::take(&mut session.pointed);
    session.cursor = if session.still { Cursor::default() } else { pointed };
    match session.page {
        Page::Overview => overview::ui(ui, draft, session, view, out),
        Page::BreakEven => break_even::ui(ui, session, view, out),
        Page::Sensitivity => sensitivity::ui(ui, draft, session, view, out),
        Page::Workload => workload::ui(ui, draft, session, view, out),
        Page::Plans => plans::ui(ui, draft, session, view, out),
        Page::Serving => serving::ui(ui, draft, session, view, out),
        Page::Size => size::ui(ui, draft, session, view, out),
        Page::Trust => trust::ui(ui, session, view, out),
        Page::Traffic => traffic::ui(ui, draft, session, view, out),
        Page::Catalogue => catalogue::ui(ui, session, view),
        Page::ThisMachine => this_machine::ui(ui, session, view, out),
        Page::Examples => examples::ui(ui, view, out),
    }
    if session.pointed != session.cursor {
        // What one plot is pointed at shows on the others in the next frame.
        ui.ctx().request_repaint();
    }
}

/// Draws the inputs that matter to the page, most sensitive first.
pub fn inspector_ui(
    ui: &mut egui::Ui,
    draft: &mut ScenarioDraft,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
) {
    match session.page {
        Page::Serving => serving::inspector_ui(ui, draft, session, view, out),
        _ => inspector::ui(ui, draft, session, view),
    }
}
