//! Demand: what is asked of the models, before anybody decides who answers.
//!
//! Knows requests, tokens, conversations, agent loops and their rhythm over the week. Does not know prices,
//! GPUs or plans. Start with [`UseCase`]; what it asks for is a [`Demand`].

#![expect(
    clippy::manual_clamp,
    reason = "`max` then `min` turns a number that is none into the lower end; `clamp` keeps it"
)]

mod arrival_fit;
mod count;
mod demand;
pub mod fit;
mod growth;
mod length;
mod length_fit;
mod long_prompts;
mod profile;
mod quantiles;
mod shape;
mod trace;
mod use_case;

pub use arrival_fit::{ArrivalFit, Dispersion};
pub use demand::Demand;
pub use length_fit::{CdfPoint, FamilyFit, FitMethod, Goodness, LengthFit};
pub use long_prompts::{LongPrompts, long_prompts};
pub use profile::burst_factor;
pub use quantiles::{KNOTS_MADE, KNOTS_MAX, Quantiles, QuantilesError};
pub use shape::{Anchor, HourlyShape, ShapeError, Window, WindowSeries};
pub use trace::{DropReason, Dropped, Trace, TraceRow};
pub use use_case::{
    Agent, Constraints, Conversation, Count, CountKind, EarlyStop, Embedding, Growth, Length, LengthSpread,
    Profile, Repetition, Retries, SCurve, Slo, UseCase, Workload,
};
