//! `breakeven perf`: what a deployment serves, for one question or a table of them.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::analysis::perf::{Answer, Ask, AskError, AskLoad, answer};
use crate::catalog::{Catalog, ModelSpec, UnknownId};
use crate::io::hf_config::{self, HfConfigError};
use crate::io::overlay;
use crate::serving::{Calibration, Engine, Precision, UnknownEngine, UnknownFormat, WeightFormat, YEAR};
use crate::unit::format;

use super::error::CliError;
use super::output::{Output, say};

/// What a model on GPUs serves under an engine: memory, tokens/s, time to first token, time per output token.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("load").args(["concurrency", "max", "rate", "tpot_ms"]))]
pub(super) struct Args {
    /// The model: an id or name of the catalogue, or the path of a Hugging Face config.json.
    #[arg(long, required_unless_present = "csv")]
    model: Option<String>,
    /// The GPU: an id or name of the catalogue.
    #[arg(long, required_unless_present = "csv")]
    gpu: Option<String>,
    /// GPUs of a replica.
    #[arg(long, default_value_t = 1)]
    gpus: u32,
    /// Tensor parallelism; what the other degrees leave if not given.
    #[arg(long)]
    tp: Option<u32>,
    /// Pipeline parallelism.
    #[arg(long, default_value_t = 1)]
    pp: u32,
    /// Expert parallelism: above 1 spreads whole experts over the GPUs.
    #[arg(long, default_value_t = 1)]
    ep: u32,
    /// Data-parallel attention.
    #[arg(long, default_value_t = 1)]
    dp: u32,
    /// Format of the weights (bf16, fp8, int8, int4, mxfp4, nvfp4, q4_k_m, ...); the published one if not given.
    #[arg(long)]
    weights: Option<String>,
    /// Format of the KV cache.
    #[arg(long, default_value = "bf16")]
    kv: String,
    /// Prompt, in tokens.
    #[arg(long, default_value_t = 1024.0)]
    input: f64,
    /// Output, in tokens.
    #[arg(long, default_value_t = 256.0)]
    output: f64,
    /// Share of the prompt that the prefix cache holds.
    #[arg(long, default_value_t = 0.0)]
    prefix_hit: f64,
    /// Users, each with one call under way.
    #[arg(long)]
    concurrency: Option<f64>,
    /// As much as it takes (the default).
    #[arg(long)]
    max: bool,
    /// Calls per second.
    #[arg(long)]
    rate: Option<f64>,
    /// The most that keeps this time per output token, in milliseconds.
    #[arg(long)]
    tpot_ms: Option<f64>,
    /// Class of the engine: vllm, sglang, trtllm, lmdeploy, llamacpp.
    #[arg(long, default_value = "vllm")]
    engine: String,
    /// Year of the engine's software, with its fraction.
    #[arg(long, default_value_t = YEAR)]
    year: f64,
    /// Tokens drafted per step (speculative decoding, multi-token prediction).
    #[arg(long, requires = "acceptance")]
    draft: Option<f64>,
    /// Probability that a drafted token is accepted.
    #[arg(long, requires = "draft")]
    acceptance: Option<f64>,
    /// Price of one GPU hour in US dollars: prints the price of a million output tokens.
    #[arg(long)]
    usd_per_gpu_hour: Option<f64>,
    /// A table of questions, a row each, with columns named like the options (model, gpu, gpus, tp, ...).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "gpu"])]
    csv: Option<PathBuf>,
    /// Where the answered table is written; standard output if not given.
    #[arg(short, long, value_name = "FILE", requires = "csv")]
    out: Option<PathBuf>,
    /// Constants to predict with, instead of those that ship (see `breakeven calibrate`).
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

/// The constants of a file, else those of the configuration folder, else those that ship.
pub(super) fn constants(path: Option<&Path>) -> Result<Calibration, CliError> {
    let Some(path) = path else { return Ok(overlay::calibration()?) };
    let text =
        std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    Ok(Calibration::parse(&text, &path.display().to_string())?)
}

/// Why a question has no answer.
#[derive(Debug, Error)]
enum NoAnswer {
    #[error("{what} is missing; write {remedy}")]
    Missing { what: &'static str, remedy: &'static str },
    #[error("{what} is \"{found}\"; write {remedy}")]
    Cell { what: String, found: String, remedy: &'static str },
    #[error("{0}")]
    Gpu(#[from] UnknownId),
    #[error("{0}; or write the path of a config.json")]
    Model(UnknownId),
    #[error(transparent)]
    Config(#[from] HfConfigError),
    #[error(transparent)]
    Format(#[from] UnknownFormat),
    #[error(transparent)]
    Engine(#[from] UnknownEngine),
    #[error("more than one of concurrency, rate and tpot_ms; write one")]
    Loads,
    #[error("draft and acceptance belong together; write both")]
    Draft,
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// The model of the catalogue or of a file.
fn model_of(text: &str, catalog: &Catalog) -> Result<ModelSpec, NoAnswer> {
    if let Some(row) = catalog.model_named(text) {
        return Ok(row.clone());
    }
    let path = Path::new(text);
    if path.exists() || text.ends_with(".json") {
        return Ok(hf_config::read(path)?);
    }
    catalog.model(text).cloned().map_err(NoAnswer::Model)
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let calibration = constants(args.calibration.as_deref())?;
    let catalog = overlay::catalog()?;
    if let Some(csv) = &args.csv {
        return table(csv, args.out.as_deref(), &calibration, &catalog, output);
    }
    let cells = |name: &str| match name {
        "model" => args.model.clone(),
        "gpu" => args.gpu.clone(),
        "gpus" => Some(args.gpus.to_string()),
        "tp" => args.tp.map(|n| n.to_string()),
        "pp" => Some(args.pp.to_string()),
        "ep" => Some(args.ep.to_string()),
        "dp" => Some(args.dp.to_string()),
        "weights" => args.weights.clone(),
        "kv" => Some(args.kv.clone()),
        "input" => Some(args.input.to_string()),
        "output" => Some(args.output.to_string()),
        "prefix_hit" => Some(args.prefix_hit.to_string()),
        "concurrency" => args.concurrency.map(|n| n.to_string()),
        "rate" => args.rate.map(|n| n.to_string()),
        "tpot_ms" => args.tpot_ms.map(|n| n.to_string()),
        "engine" => Some(args.engine.clone()),
        "year" => Some(args.year.to_string()),
        "draft" => args.draft.map(|n| n.to_string()),
        "acceptance" => args.acceptance.map(|n| n.to_string()),
        _ => None,
    };
    let found =
        answered(&cells, &calibration, &catalog).map_err(|error| CliError::Perf(error.to_string()))?;
    if args.json {
        #[derive(serde::Serialize)]
        struct Document<'a> {
            #[serde(flatten)]
            answer: &'a Answer,
            usd_per_million_output_tokens: Option<f64>,
        }
        let usd_per_million_output_tokens = args.usd_per_gpu_hour.map(|usd| price(usd, &found));
        return output.json("perf", Document { answer: &found, usd_per_million_output_tokens });
    }
    output.text(&text(&found, args.usd_per_gpu_hour))
}

/// US dollars per million output tokens.
fn price(usd_per_gpu_hour: f64, answer: &Answer) -> f64 {
    usd_per_gpu_hour * f64::from(answer.gpus) / (answer.output_tokens_per_sec * 3600.0 / 1e6)
}

/// Columns of a table of questions.
const COLUMNS: &[&str] = &[
    "model",
    "gpu",
    "gpus",
    "tp",
    "pp",
    "ep",
    "dp",
    "weights",
    "kv",
    "input",
    "output",
    "prefix_hit",
    "concurrency",
    "rate",
    "tpot_ms",
    "engine",
    "year",
    "draft",
    "acceptance",
];

/// The cells of one question by the name of their column.
struct Cells<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Cells<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
    }

    fn number(&self, name: &str) -> Result<Option<f64>, NoAnswer> {
        let Some(found) = self.text(name) else { return Ok(None) };
        let number = found.parse::<f64>().ok();
        number.map(Some).ok_or_else(|| NoAnswer::Cell { what: name.to_owned(), found, remedy: "a number" })
    }

    fn whole(&self, name: &str) -> Result<Option<u32>, NoAnswer> {
        match self.number(name)? {
            None => Ok(None),
            Some(x) if (0.0..=1e6).contains(&x) && x.fract() < 1e-9 => Ok(Some(x as u32)),
            Some(x) => {
                let (what, found) = (name.to_owned(), x.to_string());
                Err(NoAnswer::Cell { what, found, remedy: "a whole number" })
            }
        }
    }
}

/// Reads a question from its cells and answers it.
fn answered(
    cells: &dyn Fn(&str) -> Option<String>,
    calibration: &Calibration,
    catalog: &Catalog,
) -> Result<Answer, NoAnswer> {
    let cells = Cells(cells);
    let defaults = Ask::default();
    let remedy = "a name of the catalogue or a config.json";
    let model_name = cells.text("model").ok_or(NoAnswer::Missing { what: "model", remedy })?;
    let remedy = "a name of the catalogue";
    let gpu_name = cells.text("gpu").ok_or(NoAnswer::Missing { what: "gpu", remedy })?;
    let gpu = match catalog.gpu_named(&gpu_name) {
        Some(row) => row,
        None => catalog.gpu(&gpu_name)?,
    };
    let model = model_of(&model_name, catalog)?;
    let load = match (cells.number("concurrency")?, cells.number("rate")?, cells.number("tpot_ms")?) {
        (Some(users), None, None) => AskLoad::Concurrency(users),
        (None, Some(rate), None) => AskLoad::Rate(rate),
        (None, None, Some(ms)) => AskLoad::Tpot(ms / 1e3),
        (None, None, None) => AskLoad::Max,
        _ => return Err(NoAnswer::Loads),
    };
    let (pipeline, data) = (cells.whole("pp")?.unwrap_or(1), cells.whole("dp")?.unwrap_or(1));
    let tensor = cells.whole("tp")?;
    let gpus = cells.whole("gpus")?.unwrap_or(1);
    // Degrees alone say how many GPUs there are.
    let gpus = if gpus == 1 {
        tensor.unwrap_or(1).max(1).saturating_mul(pipeline.max(1)).saturating_mul(data.max(1))
    } else {
        gpus
    };
    let ask = Ask {
        gpus,
        tensor,
        pipeline,
        data,
        expert: cells.whole("ep")?.unwrap_or(1) > 1,
        weights: cells.text("weights").map(|t| WeightFormat::parse(&t)).transpose()?,
        kv: cells.text("kv").map_or(Ok(defaults.kv), |t| Precision::parse(&t))?,
        engine: cells.text("engine").map_or(Ok(defaults.engine), |t| Engine::parse(&t))?,
        year: cells.number("year")?.unwrap_or(defaults.year),
        input: cells.number("input")?.unwrap_or(defaults.input),
        prefix_hit: cells.number("prefix_hit")?.unwrap_or(0.0),
        output: cells.number("output")?.unwrap_or(defaults.output),
        load,
        draft: match (cells.number("draft")?, cells.number("acceptance")?) {
            (Some(tokens), Some(acceptance)) => Some((tokens, acceptance)),
            (None, None) => None,
            _ => return Err(NoAnswer::Draft),
        },
        memory_share: cells.number("memory_share")?.unwrap_or(defaults.memory_share),
        max_sequences: cells.number("max_sequences")?,
    };
    Ok(answer(&model, gpu, &ask, calibration)?)
}

fn table(
    path: &Path,
    out: Option<&Path>,
    calibration: &Calibration,
    catalog: &Catalog,
    output: &mut Output,
) -> Result<(), CliError> {
    let fail = |error: csv::Error| CliError::Perf(format!("{}: {error}", path.display()));
    let file =
        std::fs::File::open(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(std::io::BufReader::new(file));
    let header = reader.headers().map_err(fail)?.clone();
    let position = |name: &str| header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    if position("model").is_none() || position("gpu").is_none() {
        let known = COLUMNS.join(", ");
        return Err(CliError::Perf(format!(
            "{}: the columns model and gpu are needed; known columns are {known}",
            path.display()
        )));
    }
    let at: Vec<(&str, Option<usize>)> = COLUMNS.iter().map(|name| (*name, position(name))).collect();
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let added = [
        "output_tok_s",
        "output_tok_s_per_gpu",
        "calls_per_s",
        "ttft_ms",
        "tpot_ms_predicted",
        "running",
        "limited_by",
        "error",
    ];
    writer.write_record(header.iter().chain(added)).map_err(fail)?;
    let (mut rows, mut wrong) = (0_usize, 0_usize);
    for record in reader.records() {
        rows += 1;
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                wrong += 1;
                let blank = std::iter::repeat_n("", header.len() + added.len() - 1);
                writer.write_record(blank.chain([error.to_string().as_str()])).map_err(fail)?;
                continue;
            }
        };
        let cell = |name: &str| {
            let (_, column) = at.iter().find(|(known, _)| *known == name)?;
            record.get((*column)?).map(str::to_owned)
        };
        let mut cells: Vec<String> =
            (0..header.len()).map(|i| record.get(i).unwrap_or("").to_owned()).collect();
        match answered(&cell, calibration, catalog) {
            Ok(a) => cells.extend([
                a.output_tokens_per_sec.to_string(),
                a.output_tokens_per_sec_per_gpu.to_string(),
                a.calls_per_sec.to_string(),
                (a.ttft_secs * 1e3).to_string(),
                (a.tpot_secs * 1e3).to_string(),
                a.served.map_or(1.0, |s| s.running).to_string(),
                a.served.map_or("one stream", |s| s.limited_by.label()).to_owned(),
                String::new(),
            ]),
            Err(error) => {
                wrong += 1;
                cells.extend(std::iter::repeat_n(String::new(), added.len() - 1));
                cells.push(error.to_string());
            }
        }
        writer.write_record(&cells).map_err(fail)?;
    }
    let bytes = writer.into_inner().map_err(|error| CliError::Perf(error.to_string()))?;
    match out {
        Some(out) => {
            std::fs::write(out, &bytes)?;
            say(&format!("{rows} rows are written to {}; {wrong} could not be predicted", out.display()));
            Ok(())
        }
        None => {
            if wrong > 0 {
                say(&format!("{wrong} of {rows} rows could not be predicted: see the column error"));
            }
            output.text(&String::from_utf8_lossy(&bytes))
        }
    }
}

fn text(a: &Answer, usd_per_gpu_hour: Option<f64>) -> String {
    let gb = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    let mut lines = vec![format!(
        "{} on {} x {}, {} weights, {} KV, {} (tensor {}, pipeline {}, data {})",
        a.model,
        a.gpus,
        a.gpu,
        a.weights,
        a.kv,
        a.engine,
        a.tensor_parallel,
        a.pipeline_parallel,
        a.data_parallel
    )];
    if let Some(m) = &a.memory {
        lines.push(format!(
            "Memory       weights {}, working {}, KV {} of {} usable",
            gb(m.weights_bytes),
            gb(m.working_bytes),
            gb(m.kv_bytes),
            gb(m.usable_bytes)
        ));
    }
    let (low, high) = a.output_tokens_per_sec_band;
    lines.push(format!(
        "Output       {} tokens/s ({} per GPU; 80 % band {} to {})",
        format::significant(a.output_tokens_per_sec, 3),
        format::significant(a.output_tokens_per_sec_per_gpu, 3),
        format::significant(low, 2),
        format::significant(high, 2),
    ));
    lines.push(format!("Calls        {} a second", format::significant(a.calls_per_sec, 3)));
    lines.push(format!(
        "First token  {}, then {} per token, {} in all",
        format::secs(a.ttft_secs),
        format::secs(a.tpot_secs),
        format::secs(a.call_secs)
    ));
    if let Some(s) = &a.served {
        lines.push(format!(
            "Batch        {} of at most {}, limited by {}",
            format::significant(s.running, 3),
            format::significant(s.running_max, 3),
            s.limited_by.label()
        ));
        let part = |secs: f64| format::secs(secs);
        lines.push(format!(
            "Decode step  dense {}, experts {}, attention {}, activations {}, collectives {}, overhead {}",
            part(s.step.dense_secs),
            part(s.step.expert_secs),
            part(s.step.attention_secs),
            part(s.step.activation_secs),
            part(s.step.collective_secs),
            part(s.step.overhead_secs)
        ));
    }
    if let Some(usd) = usd_per_gpu_hour {
        lines.push(format!(
            "Price        ${} per million output tokens at ${usd} per GPU hour",
            format::significant(price(usd, a), 3)
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}
