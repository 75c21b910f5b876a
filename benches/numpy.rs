//! Our forecast against the same model in vectorised NumPy, both on one thread, in one run.
//!
//! `cargo bench --no-default-features --bench numpy`; needs `python3` with `numpy`, and says so where they are not.
//! The two draw different numbers of the same laws, so their means must agree within the noise of the draws.

mod support;

use std::process::Command;
use std::time::Instant;

use breakeven::analysis::{Forecast, forecast};
use breakeven::pricing::{CostItem, PlanCosts};
use breakeven::routing::Serves;
use breakeven::scenario::{EndpointFacts, Scenario};
use breakeven::serving::memory;
use breakeven::unit::{DAYS_PER_MONTH, HOURS_PER_MONTH, HOURS_PER_WEEK};
use serde_json::{Value, json};

const TRIALS: u32 = 10_000;
/// The means of 10,000 draws of a month's cost differ by about 1 % at most; formulas that differ show more.
const AGREES: f64 = 0.02;

fn main() {
    let scenario = support::checked(&support::comparable());
    let (ours, answer) = ours(&scenario);
    println!("forecast, {TRIALS} trials x 36 months x 4 plans x 6 use cases, one thread: {ours:.3} s");
    match reference(&scenario) {
        Err(reason) => println!("SKIPPED the NumPy reference: {reason}"),
        Ok(theirs) => compare(ours, &answer, &theirs),
    }
}

/// Seconds of the fastest of five runs on one thread, and the answer.
fn ours(scenario: &Scenario) -> (f64, Forecast) {
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool,
        Err(error) => panic!("no pool of one thread: {error}"),
    };
    let run = || {
        let start = Instant::now();
        let answer = pool.install(|| forecast(scenario, TRIALS));
        (start.elapsed().as_secs_f64(), answer)
    };
    let mut best = run();
    for _ in 0..4 {
        let next = run();
        if next.0 < best.0 {
            best = next;
        }
    }
    best
}

fn reference(scenario: &Scenario) -> Result<Value, String> {
    let facts = serde_json::to_string(&facts(scenario)).map_err(|error| error.to_string())?;
    let file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    std::fs::write(file.path(), facts).map_err(|error| error.to_string())?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/numpy_reference.py");
    let output = Command::new("python3").arg("-B").arg(script).arg(file.path()).output();
    let output = output.map_err(|error| format!("python3: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

fn compare(ours: f64, answer: &Forecast, theirs: &Value) {
    let secs = theirs["secs"].as_f64().unwrap_or(f64::NAN);
    println!("NumPy {}, one thread: {secs:.3} s", theirs["numpy"].as_str().unwrap_or("?"));
    let mut worst = 0.0_f64;
    for (plan, mean) in answer.plans.iter().zip(theirs["mean_month_usd"].as_array().into_iter().flatten()) {
        let (mine, mean) = (plan.mean_month.mean, mean.as_f64().unwrap_or(f64::NAN));
        let apart = mine / mean - 1.0;
        println!("  {}: {mine:.0} and {mean:.0} US dollars a month, {:+.2} %", plan.name, 100.0 * apart);
        worst = if apart.abs() > worst || apart.is_nan() { apart.abs() } else { worst };
    }
    assert!(worst <= AGREES, "the two compute different things: {:.1} % apart", 100.0 * worst);
    println!("ratio: {:.1} times as fast as NumPy on one core", secs / ours);
}

/// What the reference has to know beside the numbers that are written in it.
fn facts(scenario: &Scenario) -> Value {
    let point = scenario.point();
    let engineer = point.settings.engineer_usd_per_year;
    let plans: Vec<Value> =
        point.plans.iter().enumerate().map(|(at, plan)| costs(&plan.costs, engineer, at == 2)).collect();
    let weights: Vec<&[f64]> =
        scenario.facts().use_cases.iter().map(|use_case| use_case.weights.as_slice()).collect();
    json!({
        "trials": TRIALS,
        "months": scenario.facts().months.len(),
        "use_cases": weights.iter().map(|_| 0).collect::<Vec<_>>(),
        "weights": weights,
        "days_per_month": DAYS_PER_MONTH,
        "hours_per_month": HOURS_PER_MONTH,
        "secs_per_month": HOURS_PER_MONTH * 3600.0,
        "weeks_per_month": HOURS_PER_MONTH / HOURS_PER_WEEK as f64,
        "noise_cv": point.settings.demand_noise_cv,
        "engineer_usd_per_year": engineer,
        "plans": plans,
        "serving": serving(scenario),
    })
}

/// Costs beside tokens and GPUs; an uncertain on-call is left to the reference.
fn costs(costs: &PlanCosts<f64>, engineer: f64, on_call_is_drawn: bool) -> Value {
    let items = [
        &costs.prompt_engineering,
        &costs.evaluation,
        &costs.monitoring,
        &costs.training,
        &costs.opportunity,
        &costs.compliance,
        &costs.network,
        &costs.gateway,
    ];
    let month = |item: &CostItem<f64>| item.usd_per_month + item.fte * engineer / 12.0;
    let drawn = if on_call_is_drawn { costs.on_call.fte * engineer / 12.0 } else { 0.0 };
    json!({
        "fixed_usd": items.into_iter().map(month).sum::<f64>() + month(&costs.on_call) - drawn,
        "usd_per_request": costs.gateway_usd_per_request,
        "usd_per_token": costs.egress_usd_per_gb * costs.bytes_per_token / 1e9,
        "one_time_usd": costs.one_time_usd,
    })
}

/// The deployment's model and GPU, 8 bit weights, 16 bit KV, four GPUs.
fn serving(scenario: &Scenario) -> Value {
    // What an eight-bit matrix product reaches of the peak; see the serving model.
    const NATIVE_8: f64 = 0.45 / 0.70;
    const WIDENED_8: f64 = 0.55 / 0.70;
    let (Some(EndpointFacts::Own(own)), Serves::SelfHosted(terms)) =
        (scenario.facts().plans[2].endpoints.first(), &scenario.point().plans[2].endpoints[0].serves)
    else {
        panic!("the third plan is not self-hosted");
    };
    let (model, gpu) = (&own.model, &own.gpu);
    let memory = match memory(model, gpu, &terms.deployment) {
        Ok(memory) => memory,
        Err(error) => panic!("{error}"),
    };
    json!({
        "kv_budget": memory.kv_budget_bytes,
        "kv_bytes_per_token": memory.kv_bytes_per_token,
        "max_sequences": terms.deployment.max_sequences,
        "layers": model.layers,
        "heads": model.heads,
        "head_dim": model.head_dim,
        "hidden": model.hidden,
        "active_params": model.active_params,
        "dense_bytes": 2.0 * model.head_params + model.total_params - model.lookup_params - model.head_params,
        "bandwidth": gpu.bandwidth_bytes_per_s,
        "link": gpu.link_bytes_per_s,
        "bf16_flops": gpu.bf16_flops,
        "fp8_flops": (gpu.fp8_flops.unwrap_or(0.0) * NATIVE_8).max(gpu.bf16_flops * WIDENED_8),
    })
}
