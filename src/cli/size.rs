//! `breakeven size`: the best GPUs, parallelism, formats and replicas for a scenario's workload.

use crate::analysis::sizing::{Candidate, SizeAsk, Sizes, asked, hosted, size};
use crate::catalog::ModelSpec;
use crate::io::overlay;
use crate::report::{Align, Table};
use crate::scenario::Scenario;
use crate::serving::Engine;
use crate::unit::format;

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
        models = hosted(&scenario, &catalog);
    }
    if models.is_empty() {
        let why = "the scenario hosts no model itself; name one with --model";
        return Err(CliError::Perf(why.to_owned()));
    }
    let ask = ask(&scenario, args, engine)?;
    let sizes = size(&models, &ask, &catalog, scenario.calibration());
    if sizes.best.is_empty() {
        say("no GPU of the catalogue that has a price keeps the targets; loosen them, or shorten prompts");
    }
    if args.json {
        return output.json("size", &sizes);
    }
    output.text(&text(&sizes))
}

/// The workload with the targets that were given, the tightest of the scenario else.
fn ask(scenario: &Scenario, args: &Args, engine: Engine) -> Result<SizeAsk, CliError> {
    let of = asked(scenario, engine, args.headroom);
    let secs = |own: Option<f64>, of: f64| own.map_or(of, |ms| ms / 1e3);
    let ask = SizeAsk {
        ttft_secs: secs(args.ttft_ms, of.ttft_secs),
        tpot_secs: secs(args.tpot_ms, of.tpot_secs),
        ..of
    };
    if ask.is_fine() {
        return Ok(ask);
    }
    let why = "requests, tokens, targets and headroom must be numbers above 0 (headroom 0 to 10)";
    Err(CliError::Perf(why.to_owned()))
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
        ("Split", Align::Left),
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
            c.split(),
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
