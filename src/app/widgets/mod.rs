//! What one touches: number fields with units, uncertain quantities, choices, and small editors of shapes.
//!
//! Every control has a visible label or a spoken one, and that label is an interface: tests find it by role and
//! label. A [`Form`] knows where in the scenario one is, so that a field brings its label, unit, range, help and
//! problems along. Start with [`Form::quantity`].

mod choice;
mod curve;
mod figure;
mod form;
mod growth;
mod length;
mod number;
mod quantity;
mod section;
mod week;

pub use choice::{choice, text_field, toggle};
pub use figure::{Figure, Why, figure_ui, figures_ui, sentence, stale_badge, why_ui};
pub use form::{Baseline, Form};
pub use growth::growth_ui;
pub use length::length_ui;
pub use number::{number, whole};
pub use section::{Cell, columns, empty_state, grid, heading, list_row, section};
pub use week::week_ui;
