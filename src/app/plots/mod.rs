//! Pictures of results: each takes a result and draws it, and computes nothing that takes time.
//!
//! Labels sit at their curves; axes carry the unit; a plan has its colour, marker and dash from the theme.
//! What was computed from an older draft is drawn all the same: the page says that it is stale.

pub mod axis;
pub mod bandwidth;
pub mod cdf;
pub mod concurrency;
pub mod cursor;
pub mod data;
pub mod drivers;
pub mod front;
pub mod histogram;
pub mod memory;
pub mod months;
pub mod paint;
pub mod roofline;
pub mod scatter;
pub mod strip;
pub mod tornado;
pub mod volume;
