//! The document: what a file holds, what the form edits, and the checked form that everything is computed from.
//!
//! [`ScenarioDraft`] may be wrong; [`Scenario`] is made only by [`Scenario::check`], which lists everything that is
//! wrong as [`Problems`]. Knows every structure below it; does not know how anything is computed or shown.

mod check;
mod checked;
mod defaults;
mod draft;
pub mod fitted;
pub mod labels;
mod problem;
mod range;
#[cfg(test)]
pub(crate) mod sample;

pub use check::{TRIALS_MAX, UTC_OFFSETS, is_id};
pub use checked::{
    ApiFacts, Draw, EndpointFacts, Facts, OwnFacts, PlanFacts, RouteFacts, Scenario, UseCaseFacts, Variable,
};
pub use defaults::fixed;
pub use draft::{Correlation, Currency, SCHEMA, ScenarioDraft, ScenarioOf, Settings};
pub use problem::{Problem, Problems, Severity};
