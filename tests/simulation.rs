//! The simulator against real servers: the same requests, replayed.
#![expect(clippy::unwrap_used, reason = "what cannot go on fails here, with its place")]

use std::path::Path;

use breakeven::catalog::Catalog;
use breakeven::serving::{Engine, GpuFacts, ModelFacts, Perf, Precision, Setup, WeightFormat};
use breakeven::sim::{BLOCK_TOKENS, Done, Job, Pace, Prefix, Replica, ReplicaLimits, Role, SimTime};
use serde_json::Value;

struct Row {
    at: f64,
    ttft: f64,
    tpot: f64,
    e2e: f64,
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

fn p95(v: &[f64]) -> f64 {
    let mut v = v.to_vec();
    v.sort_by(f64::total_cmp);
    v[((v.len() as f64 * 0.95) as usize).min(v.len() - 1)]
}

fn replay(name: &str, gpu: &str, model: &str, tp: u32, seqs: u32, blocks: Option<u64>) {
    let folder = Path::new("../shared/data/traces");
    let file = folder.join(format!("llmservingsim_vllm_{name}_requests.jsonl"));
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("SKIPPED: {} is not there", file.display());
        return;
    };
    let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let catalog = Catalog::shipped();
    let model = ModelFacts::from_spec(catalog.model(model).unwrap());
    let gpu = GpuFacts::from_spec(catalog.gpu(gpu).unwrap());
    let mut setup = Setup::new(tp, WeightFormat::Bf16, Precision::Bf16, Engine::Vllm);
    setup.max_sequences = Some(f64::from(seqs));
    let perf = Perf::prepare(&model, &gpu, &setup).unwrap();
    let kv_blocks = blocks.unwrap_or((perf.memory.kv_bytes / perf.memory.kv_bytes_per_token / 16.0) as u64);
    println!(
        "{name}: {kv_blocks} blocks, model says {}",
        perf.memory.kv_bytes / perf.memory.kv_bytes_per_token / 16.0
    );
    let limits = ReplicaLimits {
        sequences_max: seqs,
        step_tokens_max: 2048,
        kv_blocks,
        block_tokens: BLOCK_TOKENS,
        context_max: 32768,
        waiting_max: usize::MAX,
        swap_tokens_per_sec: None,
    };
    let mut replica = Replica::new(limits, Pace::of(&perf, seqs), Role::Both, false);
    let f = |r: &Value, k: &str| r[k].as_f64().unwrap();
    let t0 = f(&rows[0], "queued_ts");
    let mut jobs: Vec<Job> = rows
        .iter()
        .enumerate()
        .map(|(i, r)| Job {
            id: i as u64,
            arrival: SimTime::from_secs(f(r, "queued_ts") - t0),
            prompt_tokens: f(r, "input_toks") as u32,
            output_tokens: f(r, "output_toks") as u32,
            prefix: Prefix::None,
            given_tokens: 0,
            first_token: None,
        })
        .collect();
    jobs.sort_by_key(|j| (j.arrival, j.id));
    let mut done: Vec<Done> = Vec::new();
    for job in jobs {
        let now = job.arrival;
        while replica.next_event().is_some_and(|t| t <= now) {
            replica.advance(&mut |d| done.push(d));
        }
        replica.enqueue(job, now).unwrap();
    }
    while replica.next_event().is_some() {
        replica.advance(&mut |d| done.push(d));
    }
    println!("{:?}", replica.counts());
    let sim: Vec<Row> = done
        .iter()
        .map(|d| Row {
            at: d.finished.secs(),
            ttft: d.first_token.since(d.job.arrival).secs(),
            tpot: d.finished.since(d.first_token).secs() / f64::from(d.job.output_tokens - 1).max(1.0),
            e2e: d.finished.since(d.job.arrival).secs(),
        })
        .collect();
    let real: Vec<Row> = rows
        .iter()
        .map(|r| Row {
            at: f(r, "last_token_ts") - t0,
            ttft: f(r, "first_token_ts") - f(r, "queued_ts"),
            tpot: (f(r, "last_token_ts") - f(r, "first_token_ts")) / (f(r, "output_toks") - 1.0).max(1.0),
            e2e: f(r, "last_token_ts") - f(r, "queued_ts"),
        })
        .collect();
    for (what, get) in [
        ("ttft", (|r: &Row| r.ttft) as fn(&Row) -> f64),
        ("tpot", |r| r.tpot),
        ("e2e", |r| r.e2e),
        ("end", |r| r.at),
    ] {
        let s: Vec<f64> = sim.iter().map(get).collect();
        let m: Vec<f64> = real.iter().map(get).collect();
        println!(
            "{what}: mean {:.4} vs {:.4} ({:+.1} %), p95 {:.4} vs {:.4} ({:+.1} %)",
            mean(&s),
            mean(&m),
            100.0 * (mean(&s) / mean(&m) - 1.0),
            p95(&s),
            p95(&m),
            100.0 * (p95(&s) / p95(&m) - 1.0)
        );
    }
}

#[test]
fn runs_of_a_real_engine() {
    replay("RTX4090_Llama-3.1-8B", "rtx-4090", "llama-3.1-8b", 1, 256, Some(2588));
    replay("RTXPRO6000_Qwen3-32B", "rtx-pro-6000-server", "qwen3-32b", 2, 128, None);
}
