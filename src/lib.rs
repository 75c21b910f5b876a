//! Breakeven answers one question: should LLM inference be bought from an API, built on own GPUs,
//! or mixed, and what will it cost, with what certainty?
//!
//! # From the question to its limits
//!
//! - **Question.** A scenario holds a workload (one or more use cases) and two or more plans that could serve it.
//!   Any number in it is fixed or uncertain ([`stats::Estimate`]).
//! - **Model.** What a request asks for ([`workload`]), what caches answer ([`cache`]), what own GPUs sustain
//!   ([`serving`]), where requests go ([`routing`]) and what usage costs ([`pricing`]), all in closed form.
//! - **Numbers.** [`analysis::evaluate`] costs every plan at the expected values, [`analysis::forecast`] in draws of
//!   everything that is uncertain, [`analysis::break_even`] over volume; [`analysis::sensitivity`] says what matters.
//! - **Limits.** Every module says in its first lines what it leaves out. The serving model is calibrated and says how far
//!   off it is ([`serving::Calibration`], [`analysis::fidelity`]). What averages hide, queues and bursts and tails, is
//!   simulated request by request ([`sim`], [`analysis::traffic`]) and set beside the closed form.
//!
//! # Architecture
//!
//! Folders are layers. One imports only from layers to its left, never from a neighbour within brackets:
//!
//! `unit` → \[`stats`, `job`\] → \[`catalog`, `tokenizer`, `bench`\] → `workload` → \[`cache`, `serving`, `pricing`\] →
//! `routing` → `sim` → `scenario` → `analysis` → `report` → `io` → \[`cli`, `app`\]
//!
//! `tokenizer` stands on `unit` alone, `bench` (measuring this machine) on `unit`, `stats` and `job`: it knows no
//! model, and what a device would serve is worked out in `analysis`. `sim` knows times, tokens and blocks, never a
//! price; `pricing` never an event: they meet in `analysis`. `tests/architecture.rs` holds the order; it also keeps
//! egui inside `app`, wgpu inside `app` and `bench`, colours inside `app::theme` and printing inside `cli`. The binary
//! parses the command line and hands `cli` the function that opens the window, so that the two do not know each other.
//!
//! ```text
//! presets, files, edits -> ScenarioDraft -check-> Scenario -> analysis -> results -> report -> io
//!                               ^             \-> Problems                    |
//!                               +-- undo, save                              cli, app: two listeners
//! ```
//!
//! [`scenario::ScenarioDraft`] may be wrong: it is what a form edits, what undo stores and what a file holds.
//! [`scenario::Scenario`] is made only by [`scenario::Scenario::check`], which lists everything that is wrong, looks up
//! what the draft names in the [`catalog`], and prepares what the trials need. One evaluation of one state of the world
//! costs every plan: at the expected values for the instant answer, at draws for the forecast. Trial i draws each
//! quantity by its place, `F⁻¹(u(seed, path, i))`, so all plans see the same world, no thread or block size changes a
//! number, and a new quantity leaves the others alone. The formulas are written over [`stats::Num`]: for a number, and for
//! eight side by side, which is how trials, volumes and moved quantities are costed.
//!
//! Long work runs on a [`job::Lane`]: the newest wish waits, the running one is asked to stop, and every wish ends
//! exactly once. Results hold their origin ([`analysis::Header`]): same header, same bytes.
//!
//! # Features
//!
//! `cli` (terminal), `gpu` (compute shaders), `app` (window) and `parquet` (tables of simulated requests as Parquet) are
//! on by default; without them the core builds and tests with neither window nor GPU. `window-tests` adds the tests that drive the window.

pub mod analysis;
#[cfg(feature = "app")]
pub mod app;
pub mod bench;
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
pub mod sim;
pub mod stats;
pub mod tokenizer;
pub mod unit;
pub mod workload;
