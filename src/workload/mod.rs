//! Demand: what is asked of the models, before anybody decides who answers.
//!
//! Knows requests, tokens, conversations, agent loops and their rhythm over the week. Does not know prices,
//! GPUs or plans. Start with [`UseCase`]; what it asks for is a [`Demand`].

mod count;
mod demand;
mod growth;
mod length;
mod long_prompts;
mod profile;
mod shape;
mod trace;
mod use_case;

pub use demand::Demand;
pub use long_prompts::{LongPrompts, long_prompts};
pub use profile::{HOURS_PER_WEEK, burst_factor};
pub use shape::{Anchor, HourlyShape, ShapeError, Window, WindowSeries};
pub use trace::{DropReason, Dropped, Trace, TraceRow};
pub use use_case::{
    Agent, Constraints, Conversation, Count, CountKind, EarlyStop, Embedding, Growth, Length, LengthSpread,
    Profile, Repetition, Retries, SCurve, Slo, UseCase, Workload,
};
