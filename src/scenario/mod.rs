//! The document: what a file holds, what the form edits, and the checked form that everything is computed from.

mod draft;

pub use draft::{Correlation, SCHEMA, ScenarioDraft, ScenarioOf, Settings};
