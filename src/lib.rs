//! Breakeven answers one question: should LLM inference be bought from an API, built on own GPUs,
//! or mixed, and what will it cost, with what certainty?

pub mod analysis;
#[cfg(feature = "app")]
pub mod app;
pub mod cache;
pub mod catalog;
#[cfg(feature = "cli")]
pub mod cli;
pub mod io;
pub mod job;
pub mod pricing;
pub mod report;
pub mod routing;
pub mod scenario;
pub mod serving;
pub mod stats;
pub mod tokenizer;
pub mod unit;
pub mod workload;
