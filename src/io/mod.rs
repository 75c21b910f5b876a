//! Files: one format per file, each with its own errors.
//!
//! Knows how things are written down; what they mean is decided in the layers below.

pub mod trace;
