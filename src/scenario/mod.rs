//! The document: what a file holds, what the form edits, and the checked form that everything is computed from.

mod defaults;
mod draft;
pub mod labels;
#[cfg(test)]
pub(crate) mod sample;

pub use defaults::fixed;
pub use draft::{Correlation, SCHEMA, ScenarioDraft, ScenarioOf, Settings};
