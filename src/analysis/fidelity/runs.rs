//! Recorded runs of a real engine, request by request, against the same requests at a simulated replica.
//!
//! A [`RecordedRun`] says how the engine was set up and when each request came, began to answer and was done;
//! [`replay`] sees lengths and arrivals alone, and the [`ReplayedRun`] holds both sides: errors of mean and P95 with the
//! bars they are held to, distributions, and throughput over time.

use serde::Serialize;
use thiserror::Error;

use crate::catalog::{Catalog, GpuSpec, NativeDtype};
use crate::serving::{
    Calibration, Engine, GpuFacts, ModelFacts, Perf, PerfError, Precision, Setup, WeightFormat,
};
use crate::sim::{Done, Job, KvWindow, Pace, Prefix, Replica, ReplicaLimits, Role};
use crate::unit::SimTime;

/// How far the simulated mean may be from the recorded one, and the same for the 95th percentile: the bars that every
/// figure is held to.
pub const MEAN_BAR: f64 = 0.10;
/// See [`MEAN_BAR`].
pub const P95_BAR: f64 = 0.20;

/// Points of a distribution, and stretches of time of a throughput.
const POINTS: usize = 120;
const STRETCHES: usize = 60;

/// How an engine was set up, and what it did with each request.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRun {
    /// Name of its files.
    pub name: String,
    /// Model as the record names it.
    pub model: String,
    /// GPU as the record names it; where it does not, it is looked for in the name.
    pub gpu: Option<String>,
    /// Engine.
    pub engine: Engine,
    /// Format of the weights; none is the one in which the model was published.
    pub weights: Option<WeightFormat>,
    /// Format of the KV.
    pub kv: Precision,
    /// Tensor, pipeline and data parallelism, each at least 1.
    pub parallel: (u32, u32, u32),
    /// Whether whole experts are spread.
    pub expert_parallel: bool,
    /// Most sequences at once in each data-parallel copy.
    pub sequences_max: u32,
    /// Most tokens of a step in each copy.
    pub step_tokens_max: u32,
    /// Longest prompt with its answer, in tokens; the model's own if none is named.
    pub context_max: Option<u64>,
    /// Blocks of KV that each copy of the engine reports; the model of memory says if it does not.
    pub kv_blocks: Option<u64>,
    /// Tokens of a block.
    pub block_tokens: u32,
    /// Share of the memory that the engine takes, 0..=1.
    pub memory_share: f64,
    /// The requests, in the order in which they came.
    pub requests: Vec<RecordedRequest>,
}

/// A request as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordedRequest {
    /// When it came to the engine, in seconds after the first.
    pub at_secs: f64,
    /// Tokens sent, at least 1.
    pub prompt_tokens: u32,
    /// Tokens answered, at least 1.
    pub output_tokens: u32,
    /// When it was answered.
    pub times: RequestTimes,
}

/// How long a request took, in seconds after it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestTimes {
    /// To the first token.
    pub ttft_secs: f64,
    /// To the last.
    pub e2e_secs: f64,
}

/// Why a run cannot be replayed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RunError {
    /// No GPU of that name.
    #[error("the catalogue has no GPU \"{0}\"; name one in the record, or add it to your own catalogue")]
    Gpu(String),
    /// No model of that name.
    #[error("the catalogue has no model \"{0}\"; add it to your own catalogue")]
    Model(String),
    /// The deployment cannot be.
    #[error(transparent)]
    Deployment(#[from] PerfError),
    /// A request that the replica cannot take.
    #[error(
        "request {place} of {tokens} tokens does not fit into the context or the KV of the simulated replica"
    )]
    Request {
        /// Place of the request, from 1.
        place: usize,
        /// Its prompt and answer.
        tokens: u64,
    },
}

/// A time that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunSpan {
    /// To the first token.
    Ttft,
    /// Per output token after it.
    Tpot,
    /// To the whole answer.
    E2e,
}

impl RunSpan {
    /// All.
    pub const ALL: [Self; 3] = [Self::Ttft, Self::Tpot, Self::E2e];

    /// Its name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ttft => "Time to first token",
            Self::Tpot => "Time per output token",
            Self::E2e => "Time to the whole answer",
        }
    }

    fn of(self, times: &RequestTimes, output_tokens: u32) -> f64 {
        match self {
            Self::Ttft => times.ttft_secs,
            Self::Tpot => {
                (times.e2e_secs - times.ttft_secs) / f64::from(output_tokens.saturating_sub(1).max(1))
            }
            Self::E2e => times.e2e_secs,
        }
    }
}

/// One time over all requests, recorded and simulated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpanCompared {
    /// Which.
    pub span: RunSpan,
    /// Recorded.
    pub recorded: Distribution,
    /// Simulated.
    pub simulated: Distribution,
    /// Simulated over recorded mean, less one.
    pub mean_error: f64,
    /// The same of the 95th percentile.
    pub p95_error: f64,
}

impl SpanCompared {
    /// Whether the mean keeps its bar.
    #[must_use]
    pub fn mean_kept(&self) -> bool {
        self.mean_error.abs() <= MEAN_BAR
    }

    /// Whether the 95th percentile keeps its bar.
    #[must_use]
    pub fn p95_kept(&self) -> bool {
        self.p95_error.abs() <= P95_BAR
    }
}

/// A time over requests, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// Mean.
    pub mean: f64,
    /// 95th percentile: the smallest value that at least so many do not exceed.
    pub p95: f64,
    /// Points (seconds, share of the requests within).
    pub curve: Vec<(f64, f64)>,
}

impl Distribution {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let n = times.len();
        let last = n.saturating_sub(1);
        let at = |share: f64| times.get(((n as f64 * share) as usize).min(last)).copied().unwrap_or(0.0);
        let point = |i: usize| {
            let share = i as f64 / POINTS as f64;
            (at(share), share)
        };
        Self {
            mean: times.iter().sum::<f64>() / n.max(1) as f64,
            p95: at(0.95),
            curve: (0..=POINTS).map(point).collect(),
        }
    }
}

/// Output tokens per second over time; the tokens of an answer are spread evenly from its first to its last, since that
/// is all that is recorded of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThroughputCompared {
    /// Length of a stretch, in seconds.
    pub stretch_secs: f64,
    /// Recorded, stretch by stretch.
    pub recorded: Vec<f64>,
    /// Simulated.
    pub simulated: Vec<f64>,
    /// Simulated over recorded tokens per second of the whole run, from the first request to the last token, less one.
    pub mean_error: f64,
    /// Sum of the distances of the stretches over the sum of the recorded.
    pub distance: f64,
}

/// A run and its replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplayedRun {
    /// Name of its files.
    pub name: String,
    /// Id of the model.
    pub model: String,
    /// Id of the GPU.
    pub gpu: String,
    /// GPUs of the replica.
    pub gpus: u32,
    /// Requests.
    pub requests: usize,
    /// Blocks of KV of the simulated replica, and whether the engine reported them.
    pub kv_blocks: (u64, bool),
    /// The times.
    pub spans: Vec<SpanCompared>,
    /// Throughput over time.
    pub throughput: ThroughputCompared,
}

/// Replays a run's requests at a simulated replica of its set-up, without looking at its times.
///
/// # Errors
/// [`RunError`] for names that are not known and set-ups that cannot be.
pub fn replay(
    run: &RecordedRun,
    catalog: &Catalog,
    calibration: &Calibration,
) -> Result<ReplayedRun, RunError> {
    let gpu = gpu_of(run, catalog)?;
    let model = catalog.model_named(&run.model).ok_or_else(|| RunError::Model(run.model.clone()))?;
    let (tensor, pipeline, data) = run.parallel;
    let copies = data.max(1);
    let sequences_max = run.sequences_max.saturating_mul(copies);
    let weights = run.weights.unwrap_or_else(|| published(model.native_dtype));
    let setup = Setup {
        pipeline_parallel: pipeline,
        data_parallel: data,
        expert_parallel: run.expert_parallel,
        memory_share: run.memory_share,
        max_sequences: Some(f64::from(sequences_max)),
        ..Setup::new(tensor, weights, run.kv, run.engine)
    };
    let facts = (ModelFacts::from_spec(model), GpuFacts::from_spec(gpu));
    let perf = Perf::with(&facts.0, &facts.1, &setup, &calibration.serving)?;
    let per_token = perf.memory.kv_bytes_per_token + perf.memory.kv_bytes_per_token_window;
    let fitting = perf.memory.kv_bytes / per_token / f64::from(run.block_tokens);
    let limits = ReplicaLimits {
        sequences_max,
        step_tokens_max: run.step_tokens_max.saturating_mul(copies),
        kv_blocks: match run.kv_blocks {
            Some(blocks) => blocks.saturating_mul(u64::from(copies)),
            None => fitting.clamp(1.0, 1e15) as u64,
        },
        block_tokens: run.block_tokens,
        context_max: run.context_max.unwrap_or(facts.0.context_max.clamp(1.0, 1e12) as u64),
        waiting_max: usize::MAX,
        window: KvWindow::of(&perf.memory),
        swap_tokens_per_sec: None,
    };
    let kv_blocks = (limits.kv_blocks, run.kv_blocks.is_some());
    let replica = Replica::new(limits, Pace::of(&perf, sequences_max), Role::Both, false);
    let simulated = played(replica, &run.requests)?;
    let recorded: Vec<RequestTimes> = run.requests.iter().map(|request| request.times).collect();
    Ok(ReplayedRun {
        name: run.name.clone(),
        model: model.id.clone(),
        gpu: gpu.id.clone(),
        gpus: setup.gpus() as u32,
        requests: run.requests.len(),
        kv_blocks,
        spans: RunSpan::ALL.map(|span| compared(span, &run.requests, &recorded, &simulated)).to_vec(),
        throughput: throughput(&run.requests, &recorded, &simulated),
    })
}

/// The format in which a model was published.
fn published(native: NativeDtype) -> WeightFormat {
    match native {
        NativeDtype::Fp16 => WeightFormat::Fp16,
        NativeDtype::Bf16 => WeightFormat::Bf16,
        NativeDtype::Fp8 => WeightFormat::Fp8,
        NativeDtype::Mxfp4Experts => WeightFormat::Mxfp4,
        NativeDtype::Int4Experts => WeightFormat::Int4,
    }
}

/// The GPU that the record names, or one that a part of its name does: `RTXPRO6000` is an RTX PRO 6000.
fn gpu_of<'a>(run: &RecordedRun, catalog: &'a Catalog) -> Result<&'a GpuSpec, RunError> {
    if let Some(name) = &run.gpu {
        return catalog.gpu_named(name).ok_or_else(|| RunError::Gpu(name.clone()));
    }
    let found = run
        .name
        .split('_')
        .find_map(|part| catalog.gpu_named(part).or_else(|| catalog.gpu_named(&spaced(part))));
    found.ok_or_else(|| RunError::Gpu(run.name.clone()))
}

/// A name without spaces, with them: before a number, and after the name of a series.
fn spaced(name: &str) -> String {
    let name = name.strip_prefix("RTX").map_or_else(|| name.to_owned(), |rest| format!("RTX {rest}"));
    let mut spaced = String::new();
    for letter in name.chars() {
        if letter.is_ascii_digit() && spaced.ends_with(|last: char| last.is_ascii_alphabetic()) {
            spaced.push(' ');
        }
        spaced.push(letter);
    }
    spaced
}

/// The requests at a replica, one after the other; times in their order.
fn played(mut replica: Replica, requests: &[RecordedRequest]) -> Result<Vec<RequestTimes>, RunError> {
    let mut times = vec![RequestTimes { ttft_secs: 0.0, e2e_secs: 0.0 }; requests.len()];
    let mut done = |answer: Done| {
        let since = |at: SimTime| at.since(answer.job.arrival).secs();
        times[answer.job.id as usize] =
            RequestTimes { ttft_secs: since(answer.first_token), e2e_secs: since(answer.finished) };
    };
    for (place, request) in requests.iter().enumerate() {
        let now = SimTime::from_secs(request.at_secs);
        while replica.next_event().is_some_and(|end| end < now) {
            replica.advance(&mut done);
        }
        let job = Job {
            id: place as u64,
            arrival: now,
            prompt_tokens: request.prompt_tokens,
            output_tokens: request.output_tokens,
            prefix: Prefix::None,
            given_tokens: 0,
            first_token: None,
        };
        let tokens = u64::from(request.prompt_tokens) + u64::from(request.output_tokens);
        replica.enqueue(job, now).map_err(|_| RunError::Request { place: place + 1, tokens })?;
    }
    while replica.next_event().is_some() {
        replica.advance(&mut done);
    }
    Ok(times)
}

fn compared(
    span: RunSpan,
    requests: &[RecordedRequest],
    recorded: &[RequestTimes],
    simulated: &[RequestTimes],
) -> SpanCompared {
    let of = |times: &[RequestTimes]| {
        let each = times.iter().zip(requests);
        Distribution::of(each.map(|(times, request)| span.of(times, request.output_tokens)).collect())
    };
    let (recorded, simulated) = (of(recorded), of(simulated));
    let error = |simulated: f64, recorded: f64| simulated / recorded.max(1e-12) - 1.0;
    SpanCompared {
        span,
        mean_error: error(simulated.mean, recorded.mean),
        p95_error: error(simulated.p95, recorded.p95),
        recorded,
        simulated,
    }
}

fn throughput(
    requests: &[RecordedRequest],
    recorded: &[RequestTimes],
    simulated: &[RequestTimes],
) -> ThroughputCompared {
    let end = |times: &[RequestTimes]| {
        requests
            .iter()
            .zip(times)
            .map(|(request, times)| request.at_secs + times.e2e_secs)
            .fold(0.0, f64::max)
    };
    let ends = (end(recorded), end(simulated));
    let stretch_secs = (ends.0.max(ends.1) / STRETCHES as f64).max(1e-9);
    let rates = |times: &[RequestTimes]| -> Vec<f64> {
        let mut tokens = vec![0.0; STRETCHES];
        for (request, times) in requests.iter().zip(times) {
            let (from, to) = (request.at_secs + times.ttft_secs, request.at_secs + times.e2e_secs);
            spread(&mut tokens, (from / stretch_secs, to / stretch_secs), f64::from(request.output_tokens));
        }
        tokens.into_iter().map(|tokens| tokens / stretch_secs).collect()
    };
    let (recorded, simulated) = (rates(recorded), rates(simulated));
    let sum = recorded.iter().sum::<f64>().max(1e-12);
    let apart: f64 = recorded.iter().zip(&simulated).map(|(a, b)| (a - b).abs()).sum();
    ThroughputCompared {
        stretch_secs,
        mean_error: ends.0 / ends.1.max(1e-12) - 1.0,
        distance: apart / sum,
        recorded,
        simulated,
    }
}

/// Spreads an amount evenly over a span of stretches.
fn spread(stretches: &mut [f64], (from, to): (f64, f64), amount: f64) {
    let Some(last) = stretches.len().checked_sub(1) else { return };
    let place = |at: f64| (at.max(0.0) as usize).min(last);
    let (first, end) = (place(from), place(to));
    if first == end || to <= from {
        stretches[first] += amount;
        return;
    }
    for (at, stretch) in stretches.iter_mut().enumerate().take(end + 1).skip(first) {
        let until = if at == last { to } else { to.min(at as f64 + 1.0) };
        *stretch += amount * (until - from.max(at as f64)).max(0.0) / (to - from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spread_over_time_sums_to_the_whole() {
        for (from, to) in [(0.2, 0.7), (0.5, 3.5), (2.0, 9.0), (3.9, 4.0), (1.0, 1.0)] {
            let mut stretches = [0.0; 4];
            spread(&mut stretches, (from, to), 12.0);
            assert!((stretches.iter().sum::<f64>() - 12.0).abs() < 1e-9, "{from} {to}: {stretches:?}");
        }
        let mut stretches = [0.0; 4];
        spread(&mut stretches, (0.5, 2.5), 4.0);
        assert_eq!(stretches, [1.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn the_name_of_a_file_tells_the_gpu() {
        let named = |name: &str| {
            let run = RecordedRun { name: name.to_owned(), gpu: None, ..run(1) };
            gpu_of(&run, Catalog::shipped()).map(|gpu| gpu.id.clone())
        };
        assert_eq!(named("sim_vllm_RTXPRO6000_Qwen3-32B").as_deref(), Ok("rtx-pro-6000-server"));
        assert_eq!(named("H100_a").as_deref(), Ok("h100-sxm-80gb"));
        assert!(named("something").is_err());
    }

    fn run(requests: usize) -> RecordedRun {
        let request = |place: usize| RecordedRequest {
            at_secs: place as f64,
            prompt_tokens: 500,
            output_tokens: 100,
            times: RequestTimes { ttft_secs: 1.0, e2e_secs: 3.0 },
        };
        RecordedRun {
            name: "run".to_owned(),
            model: "llama-3.1-8b".to_owned(),
            gpu: Some("h100".to_owned()),
            engine: Engine::Vllm,
            weights: None,
            kv: Precision::Bf16,
            parallel: (1, 1, 1),
            expert_parallel: false,
            sequences_max: 64,
            step_tokens_max: 8_192,
            context_max: None,
            kv_blocks: None,
            block_tokens: 16,
            memory_share: 0.9,
            requests: (0..requests).map(request).collect(),
        }
    }

    #[test]
    fn a_replay_of_its_own_replay_is_without_error() {
        let first = run(20);
        let calibration = Calibration::shipped();
        let replayed = replay(&first, Catalog::shipped(), calibration).unwrap();
        assert!(
            replayed.spans.iter().all(|span| span.mean_error < -0.2),
            "{:?}",
            replayed.spans[0].mean_error
        );
        assert!(!replayed.spans[0].mean_kept());
        // One request at a time takes the same time whenever it comes: give them as recorded.
        let simulated = replayed.spans.iter().map(|span| span.simulated.mean).collect::<Vec<_>>();
        let mut second = first;
        for request in &mut second.requests {
            request.times = RequestTimes { ttft_secs: simulated[0], e2e_secs: simulated[2] };
        }
        let again = replay(&second, Catalog::shipped(), calibration).unwrap();
        assert!(
            again.spans.iter().all(|span| span.mean_error.abs() < 0.01 && span.p95_kept()),
            "{:?}",
            again.spans
        );
        assert!(again.throughput.distance < 0.02, "{}", again.throughput.distance);
    }

    #[test]
    fn what_is_not_known_or_does_not_fit_is_said() {
        let refused = |change: &dyn Fn(&mut RecordedRun)| {
            let mut run = run(1);
            change(&mut run);
            replay(&run, Catalog::shipped(), Calibration::shipped()).unwrap_err().to_string()
        };
        assert!(refused(&|run| run.gpu = Some("abacus".to_owned())).contains("abacus"));
        assert!(refused(&|run| run.model = "no-model".to_owned()).contains("no-model"));
        assert!(refused(&|run| run.requests[0].prompt_tokens = 10_000_000).contains("request 1"));
        assert!(refused(&|run| run.parallel.0 = 0).contains('0'));
    }
}
