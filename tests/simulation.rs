//! The simulator against real servers: the same requests, replayed.
#![expect(clippy::unwrap_used, reason = "what cannot go on fails here, with its place")]

use std::path::Path;

use breakeven::catalog::Catalog;
use breakeven::serving::{Engine, GpuFacts, ModelFacts, Perf, Precision, Setup, WeightFormat};
use breakeven::sim::{BLOCK_TOKENS, Done, Job, Pace, Prefix, Replica, ReplicaLimits, Role, SimTime};
use serde_json::Value;

/// A run of a real server: its files' name, the deployment, and how far off the simulation may be in the mean and at
/// the 95th percentile.
struct Run {
    name: &'static str,
    gpu: &'static str,
    model: &'static str,
    tensor: u32,
    sequences_max: u32,
    /// KV blocks that the server reports; the model's own where it does not.
    blocks: Option<u64>,
    mean: f64,
    p95: f64,
}

/// Nothing is fitted to these runs: the bounds are what a simulator of a real engine should keep.
const RUNS: [Run; 2] = [
    Run {
        name: "RTX4090_Llama-3.1-8B",
        gpu: "rtx-4090",
        model: "llama-3.1-8b",
        tensor: 1,
        sequences_max: 256,
        blocks: Some(2_588),
        mean: 0.10,
        p95: 0.20,
    },
    Run {
        name: "RTXPRO6000_Qwen3-32B",
        gpu: "rtx-pro-6000-server",
        model: "qwen3-32b",
        tensor: 2,
        sequences_max: 128,
        blocks: None,
        mean: 0.10,
        p95: 0.20,
    },
];

/// What one request met with, in seconds.
#[derive(Clone, Copy)]
struct Times {
    ttft: f64,
    tpot: f64,
    e2e: f64,
}

impl Times {
    fn of(first: f64, last: f64, output: f64) -> Self {
        Self { ttft: first, tpot: (last - first) / (output - 1.0).max(1.0), e2e: last }
    }
}

/// A span of a request by its name.
type Span = (&'static str, fn(&Times) -> f64);

const SPANS: [Span; 3] = [
    ("first token", |times| times.ttft),
    ("per token", |times| times.tpot),
    ("whole answer", |times| times.e2e),
];

fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

fn p95(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() as f64 * 0.95) as usize]
}

fn published(text: &str) -> (Vec<Job>, Vec<Times>) {
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |row: &Value, field: &str| row[field].as_f64().unwrap();
    let start = of(&rows[0], "queued_ts");
    let times = rows
        .iter()
        .map(|row| {
            let queued = of(row, "queued_ts");
            let since = |field: &str| of(row, field) - queued;
            Times::of(since("first_token_ts"), since("last_token_ts"), of(row, "output_toks"))
        })
        .collect();
    let mut jobs: Vec<Job> = rows
        .iter()
        .zip(0..)
        .map(|(row, id)| Job {
            id,
            arrival: SimTime::from_secs(of(row, "queued_ts") - start),
            prompt_tokens: of(row, "input_toks") as u32,
            output_tokens: of(row, "output_toks") as u32,
            prefix: Prefix::None,
            given_tokens: 0,
            first_token: None,
        })
        .collect();
    jobs.sort_by_key(|job| (job.arrival, job.id));
    (jobs, times)
}

fn replica(run: &Run) -> Replica {
    let catalog = Catalog::shipped();
    let model = ModelFacts::from_spec(catalog.model(run.model).unwrap());
    let gpu = GpuFacts::from_spec(catalog.gpu(run.gpu).unwrap());
    let mut setup = Setup::new(run.tensor, WeightFormat::Bf16, Precision::Bf16, Engine::Vllm);
    setup.max_sequences = Some(f64::from(run.sequences_max));
    let perf = Perf::prepare(&model, &gpu, &setup).unwrap();
    let fitting = perf.memory.kv_bytes / perf.memory.kv_bytes_per_token / f64::from(BLOCK_TOKENS);
    let limits = ReplicaLimits {
        sequences_max: run.sequences_max,
        step_tokens_max: 2_048,
        kv_blocks: run.blocks.unwrap_or(fitting as u64),
        block_tokens: BLOCK_TOKENS,
        context_max: 32_768,
        waiting_max: usize::MAX,
        window: None,
        swap_tokens_per_sec: None,
    };
    Replica::new(limits, Pace::of(&perf, run.sequences_max), Role::Both, false)
}

fn replayed(mut replica: Replica, jobs: Vec<Job>) -> Vec<Times> {
    let mut times = Vec::new();
    let mut done = |answer: Done| {
        let since = |at: SimTime| at.since(answer.job.arrival).secs();
        let output = f64::from(answer.job.output_tokens);
        times.push(Times::of(since(answer.first_token), since(answer.finished), output));
    };
    for job in jobs {
        let now = job.arrival;
        while replica.next_event().is_some_and(|end| end < now) {
            replica.advance(&mut done);
        }
        replica.enqueue(job, now).unwrap();
    }
    while replica.next_event().is_some() {
        replica.advance(&mut done);
    }
    times
}

#[test]
fn runs_of_a_real_engine_are_replayed_within_their_bounds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.ancestors().skip(1).map(|a| a.join("shared/data/traces")).find(|p| p.is_dir());
    let Some(folder) = folder else {
        eprintln!("SKIPPED: the traces are not beside the checkout; runs of a real engine are not compared");
        return;
    };
    for run in &RUNS {
        let file = folder.join(format!("llmservingsim_vllm_{}_requests.jsonl", run.name));
        let Ok(text) = std::fs::read_to_string(&file) else {
            eprintln!("SKIPPED: {} is not there", file.display());
            continue;
        };
        let (jobs, real) = published(&text);
        let simulated = replayed(replica(run), jobs);
        assert_eq!(simulated.len(), real.len());
        for (what, get) in SPANS {
            let of = |times: &[Times]| times.iter().map(get).collect::<Vec<_>>();
            let (simulated, real) = (of(&simulated), of(&real));
            let off = |of: fn(&[f64]) -> f64| of(&simulated) / of(&real) - 1.0;
            let (mean, p95) = (off(mean), off(p95));
            println!("{}, {what}: mean {:+.1} %, P95 {:+.1} %", run.name, 100.0 * mean, 100.0 * p95);
            assert!(mean.abs() <= run.mean && p95.abs() <= run.p95, "{} {what}: {mean} {p95}", run.name);
        }
    }
}
