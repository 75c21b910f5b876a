//! What a simulated request costs on one core: by path and number of requests, beside another simulator, in memory.
//!
//! `cargo bench --no-default-features --bench simulate` runs all of it; `-- paths`, `-- cost` or `-- compare` a part.
//! `-- count CASE N` plays N requests of one case and prints nothing, for a counter of instructions
//! (`scripts/instructions`). CPU seconds are the thread's own (Linux; elsewhere those of the clock), the making of the
//! requests included on both sides.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what cannot go on fails here, with its place")]

use std::fs;
use std::time::Instant;

use breakeven::catalog::Catalog;
use breakeven::serving::{Engine, GpuFacts, ModelFacts, Perf, Precision, Setup, WeightFormat};
use breakeven::sim::{
    ApiSpec, BLOCK_TOKENS, Balance, EndpointKind, EndpointSpec, Pace, PoolSpec, ReplicaLimits,
    ReplicaScaling, Request, Route, SimSpec, SimTime, Simulation, StepConstants, StreamSpec,
};
use inference_lab::config::{ModelConfig, WorkloadConfig};
use inference_lab::simulation::Simulator;
use serde_json::json;

/// A replica of Qwen3 14B in bf16 on one H100: its steps as the calibrated model has them.
fn pool(replicas: u32, sequences: u32) -> PoolSpec {
    let catalog = Catalog::shipped();
    let model = ModelFacts::from_spec(catalog.model("qwen3-14b").unwrap());
    let gpu = GpuFacts::from_spec(catalog.gpu("h100-sxm-80gb").unwrap());
    let setup = Setup::new(1, WeightFormat::Bf16, Precision::Bf16, Engine::Vllm);
    let perf = Perf::prepare(&model, &gpu, &setup).unwrap();
    let limits = ReplicaLimits {
        sequences_max: sequences,
        step_tokens_max: 2_048,
        kv_blocks: (perf.memory.kv_bytes / perf.memory.kv_bytes_per_token / f64::from(BLOCK_TOKENS)) as u64,
        block_tokens: BLOCK_TOKENS,
        context_max: 131_072,
        waiting_max: 100_000,
        window: None,
        swap_tokens_per_sec: None,
    };
    PoolSpec {
        limits,
        pace: Pace::of(&perf, sequences),
        prefix_cache: false,
        balance: Balance::LeastLoaded,
        scaling: ReplicaScaling::Fixed(replicas),
        spot: None,
        front_secs: 0.0,
        prefill: None,
    }
}

fn spec(kind: EndpointKind) -> SimSpec {
    SimSpec {
        endpoints: vec![EndpointSpec { name: "it".into(), token_factor: 1.0, given_hit_share: 0.0, kind }],
        streams: vec![StreamSpec {
            name: "all".into(),
            route: Route::Single(0),
            cacheable: false,
            failure_share: 0.0,
            retries_max: 0,
            timeout_secs: None,
            backoff_secs: 1.0,
            expected_output: 500.0,
            ttft_slo_secs: 2.0,
            tpot_slo_secs: 0.05,
        }],
        exact: None,
        semantic: None,
        horizon: SimTime::NEVER,
        warmup: SimTime(0),
        seed: 1,
    }
}

/// Log-normal lengths with the mean and the deviation of the logarithms of the 19,366 requests of the Azure conversation
/// trace (AzureLLMInferenceTrace_conv.csv, 2023-11-16; prompts of 1,155 tokens and answers of 211 in the mean).
const AZURE: [(f64, f64); 2] = [(6.633, 0.985), (5.019, 0.859)];

/// Most sequences at once of a replica: vLLM's default for an API server on such a GPU.
const SEQUENCES: u32 = 256;

/// How long prompts and answers are.
#[derive(Clone, Copy)]
enum Lengths {
    Fixed(u32),
    Azure,
}

/// A system and its load.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// Replicas; 0 is an API.
    replicas: u32,
    per_sec: f64,
    lengths: Lengths,
}

const CASES: [Case; 4] = [
    Case { name: "even", replicas: 1, per_sec: 10.0, lengths: Lengths::Fixed(512) },
    Case { name: "azure", replicas: 1, per_sec: 5.0, lengths: Lengths::Azure },
    Case { name: "eight", replicas: 8, per_sec: 80.0, lengths: Lengths::Fixed(512) },
    Case { name: "api", replicas: 0, per_sec: 1_000.0, lengths: Lengths::Fixed(512) },
];

/// Draws of its own: cheap, so that what is timed is the simulator.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn tokens(&mut self, (mean, deviation): (f64, f64)) -> u32 {
        // Within the context: of ten million prompts one would not be.
        (mean + deviation * self.normal()).exp().clamp(1.0, 1e5) as u32
    }
}

/// What a run came to.
struct Played {
    cpu_secs: f64,
    requests: u64,
    tokens: u64,
    ttft_secs: f64,
    tpot_secs: f64,
}

impl Played {
    fn per_cpu_sec(&self) -> f64 {
        self.requests as f64 / self.cpu_secs
    }

    fn line(&self, who: &str) -> String {
        format!(
            "  {who:<20} {:>10.0} requests and {:>6.0} M tokens per CPU second; first token {:.1} ms, then {:.2} ms each",
            self.per_cpu_sec(),
            self.tokens as f64 / self.cpu_secs / 1e6,
            1e3 * self.ttft_secs,
            1e3 * self.tpot_secs
        )
    }
}

/// Nanoseconds that this thread has run.
fn cpu_ns() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

fn timed<T>(what: impl FnOnce() -> T) -> (T, f64) {
    let (clock, cpu) = (Instant::now(), cpu_ns());
    let result = what();
    let secs = match (cpu, cpu_ns()) {
        (Some(before), Some(after)) => (after - before) as f64 * 1e-9,
        _ => clock.elapsed().as_secs_f64(),
    };
    (result, secs)
}

fn play(case: &Case, n: u64) -> Played {
    play_on(case, n, |replicas| pool(replicas, SEQUENCES))
}

fn play_on(case: &Case, n: u64, pool: impl FnOnce(u32) -> PoolSpec) -> Played {
    let kind = if case.replicas == 0 {
        EndpointKind::Api(api())
    } else {
        EndpointKind::Own(Box::new(pool(case.replicas)))
    };
    let (mut draws, mut at, case) = (Draws(1), 0.0, *case);
    let source = (0..n).map(move |_| {
        at += -draws.uniform().ln() / case.per_sec;
        let (prompt, output) = match case.lengths {
            Lengths::Fixed(tokens) => (tokens, tokens),
            Lengths::Azure => (draws.tokens(AZURE[0]), draws.tokens(AZURE[1])),
        };
        Request::plain(SimTime::from_secs(at), 0, prompt, output)
    });
    let mut simulation = Simulation::new(spec(kind), vec![Box::new(source)]).unwrap();
    let (whole, cpu_secs) = timed(|| simulation.run(&mut |_| false));
    let report = simulation.report();
    let (total, used) = (report.total(), report.endpoint_use(0));
    assert!(whole && total.answered == n, "{} of {n} answered", total.answered);
    Played {
        cpu_secs,
        requests: n,
        tokens: used.prompt_tokens + used.output_tokens,
        ttft_secs: total.ttft.mean_secs().unwrap(),
        tpot_secs: total.tpot.mean_secs().unwrap(),
    }
}

fn api() -> ApiSpec {
    ApiSpec {
        ttft_secs: 0.4,
        ttft_cv: 0.5,
        tpot_secs: 0.01,
        tpot_cv: 0.2,
        tokens_per_min: None,
        calls_per_min: None,
        error_share: 0.0,
        outages: Vec::new(),
        prompt_ttl_secs: None,
        prompt_min_tokens: 0,
    }
}

/// Steps that both simulators are given, near to those of Qwen3 14B on an H100, so that they play the very same server.
const STEPS: StepConstants = StepConstants {
    step_secs: 9e-3,
    prompt_step_secs: 1e-3,
    per_prompt_token_secs: 45e-6,
    per_sequence_secs: 20e-6,
    per_kv_token_secs: 60e-9,
};

fn stated_pool(replicas: u32) -> PoolSpec {
    PoolSpec { pace: Pace::stated(STEPS, SEQUENCES), ..pool(replicas, SEQUENCES) }
}

/// The same steps, scheduler, KV and load in inference-lab.
fn inference_lab(case: &Case, n: u64) -> Played {
    const DEPLOYMENT: &str = r#"
        [model]
        name = "Qwen3-14B"
        hidden_dim = 5120
        max_seq_len = 131072
        attention_precision = "bf16"
        [[model.weights]]
        precision = "bf16"
        active_params = 13989969920
        resident_params = 14767882240
        [[model.layers]]
        kind = "attention"
        count = 40
        heads = 40
        head_dim = 128
        kv_heads = 8
        kv_precision = "bf16"
        [scheduler]
        max_num_batched_tokens = 2048
        max_num_seqs = 256
        policy = "fcfs"
        enable_chunked_prefill = true
        block_size = 16
        gpu_memory_utilization = 0.9
        [hardware.h100]
        tp = 1
    "#;
    let kv_bytes = {
        let limits = pool(1, SEQUENCES).limits;
        // 40 layers of 8 heads of 128, keys and values, 2 bytes each.
        limits.kv_blocks * u64::from(limits.block_tokens) * 40 * 8 * 128 * 2 * 2
    };
    let lengths = |at: usize| match case.lengths {
        Lengths::Fixed(value) => json!({ "type": "fixed", "value": value }),
        Lengths::Azure => json!({ "type": "lognormal", "mean": AZURE[at].0, "std_dev": AZURE[at].1 }),
    };
    let workload = json!({
        "arrival_pattern": "poisson", "arrival_rate": case.per_sec, "num_requests": n, "seed": 1,
        "input_len_dist": lengths(0), "output_len_dist": lengths(1),
    });
    let workload: WorkloadConfig = serde_json::from_value(workload).unwrap();
    let mut deployment = ModelConfig::from_toml(DEPLOYMENT).unwrap().deployment(None).unwrap();
    deployment.scheduler.kv_cache_capacity = kv_bytes;
    let steps = json!({
        "model": "linear", "t0": STEPS.step_secs, "t0p": STEPS.prompt_step_secs, "tp": STEPS.per_prompt_token_secs,
        "td": STEPS.per_sequence_secs, "tk": STEPS.per_kv_token_secs,
    });
    deployment.step_cost = serde_json::from_value(steps).unwrap();
    let mut simulator = Simulator::new(deployment.with_workload(workload), None).unwrap();
    let (ran, cpu_secs) = timed(|| simulator.run_with_callback(|_| {}));
    ran.unwrap();
    let summary = simulator.summary();
    assert_eq!(summary.requests.completed, n, "all answered");
    let tokens = |lengths: &[u32]| lengths.iter().map(|tokens| u64::from(*tokens)).sum::<u64>();
    Played {
        cpu_secs,
        requests: n,
        tokens: tokens(simulator.input_lengths()) + tokens(simulator.output_lengths()),
        ttft_secs: 1e-3 * summary.latency_metrics.ttft_ms.mean,
        tpot_secs: 1e-3 * summary.latency_metrics.per_token_ms.mean,
    }
}

/// The run with the median speed of three.
fn median(run: impl Fn() -> Played) -> Played {
    let mut runs = [run(), run(), run()];
    runs.sort_by(|a, b| a.cpu_secs.total_cmp(&b.cpu_secs));
    let [_, middle, _] = runs;
    middle
}

fn paths() {
    println!("paths: each the median of three");
    for case in &CASES {
        let played = median(|| play(case, if case.replicas == 0 { 5_000_000 } else { 1_000_000 }));
        println!("{}", played.line(case.name));
    }
}

/// Most memory of the process since the count was set back, in MiB (Linux).
fn peak_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

fn cost() {
    println!("cost: CPU time per request and peak memory of the process, by number of requests");
    for (case, most) in [(&CASES[0], 10_000_000), (&CASES[1], 10_000_000), (&CASES[3], 100_000_000)] {
        let mut n = 10_000;
        while n <= most {
            // Linux sets the peak back to what is held now.
            let set_back = fs::write("/proc/self/clear_refs", "5").is_ok();
            let played = play(case, n);
            let memory = match peak_mib().filter(|_| set_back) {
                Some(mib) => format!("{mib:.1} MiB"),
                None => "memory unknown".to_owned(),
            };
            println!(
                "  {:<6} {n:>10} requests: {:>5.0} ns each, {memory}",
                case.name,
                1e9 / played.per_cpu_sec()
            );
            n *= 10;
        }
    }
}

/// Requests per CPU second of BLIS (inference-sim, Go) on Qwen3 14B on one H100, 512 tokens in and out at 10 requests per
/// second: the median of five runs of 2,000 requests on another machine of this kind, 2026-11-23. Stated, not run here.
const BLIS: f64 = 357.0;

fn compare() {
    println!("compare: the same steps of one replica; in turns, each the median of three");
    for case in &CASES[..2] {
        let ours = median(|| play_on(case, 500_000, stated_pool));
        let theirs = median(|| inference_lab(case, 20_000));
        println!("  {} at {} requests per second", case.name, case.per_sec);
        println!("{}\n{}", ours.line(case.name), theirs.line("inference-lab 1.0"));
        println!("  {:.0} times inference-lab", ours.per_cpu_sec() / theirs.per_cpu_sec());
        if case.name == "even" {
            println!(
                "  {:.0} times BLIS ({BLIS} requests per CPU second, stated)",
                ours.per_cpu_sec() / BLIS
            );
        }
    }
    println!(
        "  Vidur, stated: 1.4 times the time of BLIS for one benchmark point (8.4 s and 5.8 s, inference-sim pull request 944)"
    );
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let [word, case, n] = words.as_slice()
        && word == "count"
    {
        let case = CASES.iter().find(|known| known.name == case).expect("even, azure, eight or api");
        play(case, n.parse().expect("a number of requests"));
        return;
    }
    for (name, part) in [("cost", cost as fn()), ("paths", paths), ("compare", compare)] {
        if words.is_empty() || words.iter().any(|word| word == name) {
            part();
        }
    }
}
