//! Requests per second of the simulator on one core.
#![expect(clippy::unwrap_used, reason = "what cannot go on fails here, with its place")]

use std::time::Instant;

use breakeven::catalog::Catalog;
use breakeven::serving::{Engine, GpuFacts, ModelFacts, Perf, Precision, Setup, WeightFormat};
use breakeven::sim::{
    ApiSpec, BLOCK_TOKENS, Balance, EndpointKind, EndpointSpec, Pace, PoolSpec, ReplicaLimits,
    ReplicaScaling, Request, Route, SimSpec, SimTime, Simulation, StreamSpec,
};

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
        context_max: 32_768,
        waiting_max: 100_000,
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

struct Lcg(u64);
impl Lcg {
    fn u(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
}

fn run(name: &str, kind: EndpointKind, n: u64, rate: f64, lengths: impl Fn(&mut Lcg) -> (u32, u32) + Send) {
    let mut rng = Lcg(1);
    let mut at = 0.0;
    let source = (0..n).map(move |_| {
        at += -rng.u().ln() / rate;
        let (p, o) = lengths(&mut rng);
        Request::plain(SimTime::from_secs(at), 0, p, o)
    });
    let mut sim = Simulation::new(spec(kind), vec![Box::new(source)]).unwrap();
    let start = Instant::now();
    assert!(sim.run(&mut |_| false));
    let secs = start.elapsed().as_secs_f64();
    let report = sim.report();
    let total = report.total();
    println!(
        "{name}: {:.2} M requests/s; {n} in {secs:.2} s; ttft mean {:.4} p95 {:.4}, tpot {:.5}, e2e {:.3}, {:?}",
        n as f64 / secs / 1e6,
        total.ttft.mean_secs().unwrap(),
        total.ttft.quantile_secs(0.95).unwrap(),
        total.tpot.mean_secs().unwrap(),
        total.e2e.mean_secs().unwrap(),
        report.pools.first().map(|p| p.counts)
    );
}

fn main() {
    let n = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    run("512/512 at 10/s", EndpointKind::Own(Box::new(pool(1, 256))), n, 10.0, |_| (512, 512));
    run("azure-like at 10/s", EndpointKind::Own(Box::new(pool(1, 256))), n, 10.0, |r| {
        let p = (7.0 + 1.0 * (-2.0 * r.u().ln()).sqrt() * (std::f64::consts::TAU * r.u()).cos())
            .exp()
            .clamp(10.0, 8000.0);
        let o = (4.9 + 0.9 * (-2.0 * r.u().ln()).sqrt() * (std::f64::consts::TAU * r.u()).cos())
            .exp()
            .clamp(5.0, 1500.0);
        (p as u32, o as u32)
    });
    run("512/512 at 80/s on 8", EndpointKind::Own(Box::new(pool(8, 256))), n, 80.0, |_| (512, 512));
    let api = ApiSpec {
        ttft_secs: 0.4,
        ttft_cv: 0.5,
        tpot_secs: 0.01,
        tpot_cv: 0.2,
        tokens_per_min: None,
        calls_per_min: None,
        error_share: 0.0,
        timeout_secs: None,
        outages: Vec::new(),
        prompt_ttl_secs: None,
        prompt_min_tokens: 0,
    };
    run("api", EndpointKind::Api(api), 5 * n, 1000.0, |_| (512, 512));
}
