//! Demand: what is asked of the models, before anybody decides who answers.
//!
//! Knows requests, tokens, conversations, agent loops and their rhythm over the week. Does not know prices,
//! GPUs or plans. Start with [`UseCase`].

mod use_case;

pub use use_case::{
    Agent, Constraints, Conversation, Count, CountKind, EarlyStop, Embedding, Growth, Length, LengthSpread,
    Profile, Repetition, Retries, SCurve, Slo, UseCase, Workload,
};
