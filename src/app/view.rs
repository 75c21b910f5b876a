//! What a page may see, and what it may ask for.
//!
//! A page gets `&mut` the draft and the [`Session`], `&` a [`View`], and an [`Outbox`] for verbs. It does no I/O,
//! spawns nothing and computes nothing that takes longer than a millisecond.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::action::Action;
use super::machine::Machine;
use super::pages::Page;
use super::pages::serving::state::ServingState;
use super::pages::size::SizeState;
use super::pages::this_machine::MachineState;
use super::pages::traffic::TrafficState;
use super::pages::trust::TrustState;
use super::plots::cursor::Cursor;
use super::readings::Readings;
use super::sizing::Sizing;
use super::theme::Theme;
use super::traffic::Simulated;
use super::widgets::Baseline;
use crate::analysis::{BreakEven, Forecast, Outcome, PlanForecast, PlanOutcome, Sensitivity};
use crate::catalog::Catalog;
use crate::report::Verdict;
use crate::scenario::Problems;
use crate::serving::Calibration;
use crate::tokenizer::LengthSummary;
use crate::workload::fit::TraceFit;

/// A result, and whether the draft has moved on since it was computed.
#[derive(Debug)]
pub struct Shown<'a, T> {
    /// The last valid answer.
    pub value: &'a T,
    /// Whether a newer one is on its way.
    pub stale: bool,
}

impl<T> Clone for Shown<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shown<'_, T> {}

/// Everything beside the draft that a page reads in one frame. Nothing ever blanks: a result stays, with its stale
/// badge, until a newer one is there; `None` only before the first one.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The instant answer at the point values.
    pub outcome: Option<Shown<'a, Outcome>>,
    /// The Monte Carlo answer.
    pub forecast: Option<Shown<'a, Forecast>>,
    /// Cost over volume, with bands as soon as there are any.
    pub break_even: Option<Shown<'a, BreakEven>>,
    /// One quantity at a time.
    pub sensitivity: Option<Shown<'a, Sensitivity>>,
    /// What is wrong with the draft, or worth knowing.
    pub problems: &'a Problems,
    /// The quantities as the scenario was opened: what a field is reset to.
    pub opened: &'a Baseline,
    /// The answer in words.
    pub verdict: Option<&'a Verdict>,
    /// Models, GPUs, prices and cloud rates, the user's own included.
    pub catalog: &'a Catalog,
    /// Constants of the serving model, the user's own if there are any.
    pub calibration: &'a Arc<Calibration>,
    /// Counts the states of the document; changes with every edit.
    pub revision: u64,
    /// The tokens of the theme that is shown.
    pub theme: &'a Theme,
    /// Answers to [`Action::CountTokens`] and [`Action::FitTrace`], and what is on its way.
    pub errands: &'a Errands,
    /// The last simulation, and the one under way.
    pub traffic: &'a Simulated,
    /// What was measured of this machine.
    pub machine: &'a Machine,
    /// Scenario files that were open before, latest first.
    pub recent: &'a [PathBuf],
}

impl View<'_> {
    /// The forecast of a plan, if there are draws of it.
    #[must_use]
    pub fn drawn(&self, id: &str) -> Option<&PlanForecast> {
        self.forecast.and_then(|shown| shown.value.plans.iter().find(|plan| plan.id == id))
    }

    /// What a plan costs in the mean month, US dollars: over the draws as soon as there are any, so that every page
    /// gives the same figure; at the point values before.
    #[must_use]
    pub fn mean_month_usd(&self, plan: &PlanOutcome) -> f64 {
        self.drawn(&plan.id).map_or(plan.mean_month_usd, |drawn| drawn.mean_month.mean)
    }
}

/// Slow things that a page asked for.
#[derive(Debug, Default)]
pub struct Errands {
    /// Lengths of the last counted texts, by the tag that the page gave; an error is a sentence.
    pub tokens: BTreeMap<String, Result<LengthSummary, String>>,
    /// The last trace that was read for each use case and what it says, by the use case's id; it is taken over only by
    /// [`Action::ApplyFit`].
    pub fits: BTreeMap<String, (PathBuf, TraceFit)>,
    /// Whether something is on its way.
    pub busy: bool,
    /// The search for a deployment.
    pub sizing: Sizing,
    /// Files that were read for a page.
    pub readings: Readings,
}

/// What a page leaves behind for the window to do after the frame.
#[derive(Debug, Default)]
pub struct Outbox {
    actions: Vec<Action>,
}

impl Outbox {
    /// Asks for something to be done.
    pub fn send(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// What was asked for, in order; empties the box.
    pub fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }
}

/// Where one is in the window: selection and the like. Not saved, not undone.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The page that is shown.
    pub page: Page,
    /// Id of the use case in hand.
    pub use_case: Option<String>,
    /// Id of the plan in hand.
    pub plan: Option<String>,
    /// What was under the pointer in the last frame; every plot of the page shows it.
    pub cursor: Cursor,
    /// What is under the pointer in this frame.
    pub pointed: Cursor,
    /// Whether plots take no notice of the pointer: a picture of one is about to be taken.
    pub still: bool,
    /// Paths of the inputs beside the page, in the order in which they are shown.
    pub inputs: Vec<String>,
    /// What *Why?* was last asked about: a path of the scenario or the name of a result.
    pub why: Option<String>,
    /// What stands in search fields and the like, by the name of the field.
    pub texts: BTreeMap<String, String>,
    /// What is picked in tables and tabs that have no home of their own, by their name.
    pub picks: BTreeMap<String, String>,
    /// What the page *Serving* looks at.
    pub serving: ServingState,
    /// What the page *Traffic* looks at.
    pub traffic: TrafficState,
    /// What the page *Size* looks at.
    pub size: SizeState,
    /// What the page on trust looks at.
    pub trust: TrustState,
    /// What the page *This machine* looks at.
    pub machine: MachineState,
}
