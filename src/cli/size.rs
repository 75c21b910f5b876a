//! `breakeven size`: the best GPUs, parallelism, formats and replicas for a scenario's workload.

use crate::analysis::evaluate;
use crate::analysis::sizing::{Candidate, SizeAsk, Sizes, size};
use crate::catalog::ModelSpec;
use crate::io::overlay;
use crate::report::{Align, Table};
use crate::routing::Serves;
use crate::scenario::Scenario;
use crate::serving::Engine;
use crate::unit::{HOURS_PER_MONTH, format};

use super::error::CliError;
use super::input::ScenarioArgs;
use super::output::{Output, say};

/// Searches GPU x count x format x replicas for the workload and latency targets of a scenario.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// The model to serve (may be repeated); the self-hosted models of the scenario if not given.
    #[arg(long)]
    model: Vec<String>,
    /// Class of the engine: vllm, sglang, trtllm, lmdeploy.
    #[arg(long, default_value = "vllm")]
    engine: String,
    /// Time to first token to keep, in milliseconds; the tightest of the scenario if not given.
    #[arg(long)]
    ttft_ms: Option<f64>,
    /// Time per output token to keep, in milliseconds; the tightest of the scenario if not given.
    #[arg(long)]
    tpot_ms: Option<f64>,
    /// Capacity kept free above the busiest hour, as a share.
    #[arg(long, default_value_t = 0.3)]
    headroom: f64,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

/// Seconds of a month.
const SECS_PER_MONTH: f64 = HOURS_PER_MONTH * 3600.0;

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let scenario = args.scenario.checked()?;
    let catalog = overlay::catalog()?;
    let engine = Engine::parse(&args.engine).map_err(|error| CliError::Perf(error.to_string()))?;
    if engine == Engine::LlamaCpp {
        return Err(CliError::Perf(
            "llama.cpp serves one stream; write vllm, sglang, trtllm or lmdeploy".to_owned(),
        ));
    }
    let mut models: Vec<(ModelSpec, f64)> = Vec::new();
    for name in &args.model {
        let row = catalog.model_named(name);
        let row = match row {
            Some(row) => row,
            None => catalog.model(name).map_err(|unknown| CliError::Perf(unknown.to_string()))?,
        };
        models.push((row.clone(), 1.0));
    }
    if models.is_empty() {
        for plan in &scenario.point().plans {
            for endpoint in &plan.endpoints {
                let Serves::SelfHosted(own) = &endpoint.serves else { continue };
                let known = models.iter().any(|(row, _)| row.id == own.deployment.model);
                if let (false, Ok(row)) = (known, catalog.model(&own.deployment.model)) {
                    models.push((row.clone(), endpoint.quality));
                }
            }
        }
    }
    if models.is_empty() {
        let why = "the scenario hosts no model itself; name one with --model";
        return Err(CliError::Perf(why.to_owned()));
    }
    let ask = ask(&scenario, args, engine)?;
    let sizes = size(&models, &ask, &catalog);
    if sizes.best.is_empty() {
        say("no GPU of the catalogue that has a price keeps the targets; loosen them, or shorten prompts");
    }
    if args.json {
        return output.json("size", &sizes);
    }
    output.text(&text(&sizes))
}

/// The workload as one mean call, its peak, and the tightest targets.
fn ask(scenario: &Scenario, args: &Args, engine: Engine) -> Result<SizeAsk, CliError> {
    let outcome = evaluate(scenario);
    let (mut calls, mut peak, mut prompt, mut out) = (0.0, 0.0, 0.0, 0.0);
    for use_case in &outcome.use_cases {
        let per_sec = use_case.requests * use_case.calls_per_request / SECS_PER_MONTH;
        calls += per_sec;
        peak += per_sec * use_case.peak_to_mean;
        let requests = use_case.requests / SECS_PER_MONTH;
        prompt += requests * use_case.prompt_tokens;
        out += requests * use_case.output_tokens;
    }
    let slos = || scenario.point().workload.use_cases.iter().filter(|u| u.enabled).map(|u| &u.slo);
    let tightest = |own: Option<f64>, of: &dyn Fn() -> f64| own.map_or_else(of, |ms| ms / 1e3);
    let ask = SizeAsk {
        peak_calls_per_sec: peak,
        prompt_tokens: prompt / calls,
        output_tokens: out / calls,
        ttft_secs: tightest(args.ttft_ms, &|| slos().map(|s| s.ttft_secs).fold(f64::INFINITY, f64::min)),
        tpot_secs: tightest(args.tpot_ms, &|| slos().map(|s| s.tpot_secs).fold(f64::INFINITY, f64::min)),
        headroom: args.headroom,
        engine,
    };
    let fine = [ask.peak_calls_per_sec, ask.prompt_tokens, ask.output_tokens, ask.ttft_secs, ask.tpot_secs];
    if fine.iter().any(|x| !(x.is_finite() && *x > 0.0)) || !(0.0..=10.0).contains(&ask.headroom) {
        let why = "requests, tokens, targets and headroom must be numbers above 0 (headroom 0 to 10)";
        return Err(CliError::Perf(why.to_owned()));
    }
    Ok(ask)
}

fn text(sizes: &Sizes) -> String {
    let ask = &sizes.ask;
    let mut text = format!(
        "{} calls a second at the peak, {} tokens in and {} out each; first token within {}, then {} per token\n{} configurations: {} do not fit, {} are too slow\n",
        format::significant(ask.peak_calls_per_sec, 3),
        format::count(ask.prompt_tokens),
        format::count(ask.output_tokens),
        format::secs(ask.ttft_secs),
        format::secs(ask.tpot_secs),
        sizes.tried,
        sizes.impossible,
        sizes.too_slow
    );
    let best: Vec<(String, &Candidate)> =
        sizes.best.iter().map(|b| (b.objective.label().to_owned(), &b.candidate)).collect();
    text.push_str(&format!("\nBest by objective\n{}", table("Objective", &best)));
    let front: Vec<(String, &Candidate)> = sizes.front.iter().map(|c| (String::new(), c)).collect();
    text.push_str(&format!("\nNothing is cheaper and faster and as good\n{}", table("", &front)));
    text
}

fn table(title: &str, rows: &[(String, &Candidate)]) -> String {
    let mut table = Table::new(&[
        (title, Align::Left),
        ("Model", Align::Left),
        ("GPUs", Align::Left),
        ("Weights/KV", Align::Left),
        ("Replicas", Align::Right),
        ("Cost/month", Align::Right),
        ("First token", Align::Right),
        ("Per token", Align::Right),
        ("Call", Align::Right),
        ("Quality", Align::Right),
    ]);
    for (name, c) in rows {
        table.row([
            name.clone(),
            c.model.clone(),
            format!("{} x {}", c.gpus_per_replica, c.gpu),
            format!("{}/{}", c.weights, c.kv),
            format::count(c.replicas),
            format::usd(c.usd_per_month),
            format::secs(c.ttft_secs),
            format::secs(c.tpot_secs),
            format::secs(c.call_secs),
            format::percent(c.quality),
        ]);
    }
    table.to_string()
}
