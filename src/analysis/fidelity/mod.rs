//! How far the serving model is from published measurements.
//!
//! A [`Measured`] row says what was run and what was published; [`predict`] sees only the former; [`compare`] puts
//! both side by side and sums up by file, regime, engine, GPU and model, next to a baseline of one efficiency constant.
//! What cannot be predicted is left out with its reason, and counted.

pub mod fit;
mod predict;
mod refit;
mod runs;
mod summary;

use crate::serving::Kernel;

pub use predict::{Predicted, Resolved, Unpredicted, predict, predict_with};
pub use refit::{Factor, Refit, refit};
pub use runs::{
    Distribution, MEAN_BAR, P95_BAR, RecordedRequest, RecordedRun, ReplayedRun, RequestTimes, RunError,
    RunSpan, SpanCompared, ThroughputCompared, replay,
};
pub use summary::{Compared, Fidelity, Group, LeftOut, Metric, Scores, compare};

/// How a row was loaded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// So many users, each with one call under way.
    Concurrency(f64),
    /// Requests never run out.
    Full,
    /// A batch that starts and ends together.
    FixedBatch(f64),
    /// Prompts alone, so many at once: time to first token.
    Prompt(f64),
    /// Calls per second, and how many of them where that is known.
    Rate(f64, Option<f64>),
    /// So many calls at once; whether their outputs vary in length.
    Burst(f64, bool),
    /// The most that keeps a time per output token, in seconds.
    Target(f64),
    /// Prefill and decoding on GPUs of their own: replicas of each, users.
    Disaggregated(f64, f64, f64),
    /// One stream at a mean context, in tokens.
    LocalDecode(f64),
    /// One prompt of so many tokens.
    LocalPrefill(f64),
    /// A single kernel or collective.
    Kernel(Kernel),
}

impl Load {
    /// Whether it is one stream on one machine.
    #[must_use]
    pub const fn is_local(self) -> bool {
        matches!(self, Self::LocalDecode(_) | Self::LocalPrefill(_))
    }

    /// Name of the regime.
    #[must_use]
    pub const fn regime(self) -> &'static str {
        match self {
            Self::Concurrency(_) => "known concurrency",
            Self::Full => "full load",
            Self::FixedBatch(_) => "fixed batch",
            Self::Prompt(_) => "prompts alone",
            Self::Rate(..) => "request rate",
            Self::Burst(..) => "burst",
            Self::Target(_) => "latency target",
            Self::Disaggregated(..) => "disaggregated",
            Self::LocalDecode(_) => "local decode, one stream",
            Self::LocalPrefill(_) => "local prefill",
            Self::Kernel(kernel) => kernel.label(),
        }
    }
}

/// What was run, and what was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// File without its folder.
    pub file: String,
    /// Line in the file, the header being 1.
    pub line: u64,
    /// Model as the file names it.
    pub model: String,
    /// GPU as the file names it.
    pub gpu: String,
    /// Engine as the file names it.
    pub engine: String,
    /// Its version; may be empty.
    pub version: String,
    /// When it was measured, as a year with its fraction, where the file says so.
    pub year: Option<f64>,
    /// Format of the weights as the file names it.
    pub weights: String,
    /// Format of the KV cache; `None` where the file does not say.
    pub kv: Option<String>,
    /// GPUs in all, where parallelism is not stated.
    pub gpus: f64,
    /// Tensor, pipeline and data parallelism; `None` is to be chosen.
    pub parallel: Option<(u32, u32, u32)>,
    /// Whether whole experts are spread.
    pub expert_parallel: bool,
    /// Mean prompt, in tokens.
    pub input: f64,
    /// Mean output, in tokens.
    pub output: f64,
    /// Output that the published rate was computed with, where it is not `output`.
    pub output_nominal: f64,
    /// Sequences decoded per call: beam search.
    pub beams: f64,
    /// Whether the recipe drafts tokens.
    pub drafts: bool,
    /// Whether a model on several cards is split by rows.
    pub rows_split: bool,
    /// How it was loaded.
    pub load: Load,
    /// Published.
    pub published: Figures,
}

/// Figures of a row; `None` is not published.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Figures {
    /// Tokens per second: generated, or of the prompt where the regime is prefill.
    pub tokens_per_sec: Option<f64>,
    /// Mean time per output token, in seconds.
    pub tpot_secs: Option<f64>,
    /// Mean time to first token, in seconds.
    pub ttft_secs: Option<f64>,
    /// Time of a single kernel, in seconds.
    pub kernel_secs: Option<f64>,
}
