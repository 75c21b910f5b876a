//! Results in words and tables: text, no drawing, no files.
//!
//! Knows the results and how numbers read. Does not compute a cost. Start with [`verdict`], the answer in a few
//! sentences; [`decision`] is the whole answer as text, [`Table`] lays columns out for a terminal.

mod decision;
mod runs;
mod table;
mod traffic;
mod verdict;

pub use decision::{crossings, decision, drivers, findings, limits, plans};
pub use runs::{runs, sentence as runs_sentence, signed};
pub use table::{Align, Table};
pub use traffic::{
    TrafficAnswer, effect_value, effects, hour_of_week, sentences as traffic_sentences, traffic,
};
pub use verdict::{Tone, Verdict, verdict};
