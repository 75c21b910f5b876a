//! A reader for each kind of table: columns in, a row of the model's words out.

use std::path::Path;

use super::kernels;
use super::record::Columns;
use super::{BadRecord, MeasuredError, Record, Tables};
use crate::analysis::fidelity::{Figures, Load, Measured};
use crate::serving::YEAR;

/// What one record gives: rows (some tables publish two), or why not.
pub(super) type Read = Result<Vec<Measured>, BadRecord>;

/// A kind of table: the columns that mark it, and its reader.
type Kind = (&'static [&'static str], fn(&Record<'_>) -> Read);

const KINDS: &[Kind] = &[
    (&["model", "gpu", "measured_output_tok_s"], own),
    (&["model", "gpu", "measured_tpot_ms"], own),
    (&["attention_dp_size", "tpot_ms", "concurrency"], inference_max),
    (&["output_tok_s_total", "ep_or_dep"], trtllm_throughput),
    (&["itl_ms", "achieved_req_s"], trtllm_latency),
    (&["serving_command", "request_rate"], serving_bench),
    (&["model_norm", "scenario", "accelerator"], mlperf),
    (&["prompt_time_ms", "token_time_ms"], splitwise),
    (&["metric_note", "batch_or_concurrency"], other),
    (&["weights_gb", "depth", "tok_s"], llama_cpp),
    (&["gemm_dtype", "m", "n", "k"], kernels::gemm),
    (&["attn_dtype", "batch_size", "num_heads", "latency_ms"], kernels::attention),
    (&["moe_dtype", "num_tokens", "topk"], kernels::experts),
    (&["op_name", "message_bytes", "num_gpus"], kernels::collective),
];

/// Reads one table into `tables`.
///
/// # Errors
/// [`MeasuredError`] if the file cannot be read or is no table; rows that are wrong are counted instead.
pub fn read_table(path: &Path, tables: &mut Tables) -> Result<(), MeasuredError> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let file =
        std::fs::File::open(path).map_err(|source| MeasuredError::Read { path: path.to_owned(), source })?;
    let csv_error = |source| MeasuredError::Csv { path: path.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(std::io::BufReader::new(file));
    let columns = Columns::new(reader.headers().map_err(csv_error)?);
    let Some((_, read)) = KINDS.iter().find(|(needed, _)| columns.has(needed)) else {
        tables.other.push(name);
        return Ok(());
    };
    for cells in reader.records() {
        let cells = match cells {
            Ok(cells) => cells,
            Err(error) => {
                tables.unread.push((name.clone(), format!("not a record: {error}")));
                continue;
            }
        };
        let record = Record { columns: &columns, cells: &cells };
        if let Some(reason) = record.filtered() {
            tables.filtered.push((name.clone(), reason));
            continue;
        }
        match read(&record) {
            Ok(rows) => {
                let line = cells.position().map_or(0, csv::Position::line);
                tables.rows.extend(rows.into_iter().map(|row| Measured { file: name.clone(), line, ..row }));
            }
            Err(reason) => tables.unread.push((name.clone(), reason.to_string())),
        }
    }
    Ok(())
}

/// What the tables share.
pub(super) fn row(record: &Record<'_>, load: Load) -> Measured {
    Measured {
        file: String::new(),
        line: 0,
        model: record.text("model").to_owned(),
        gpu: record.text("gpu").to_owned(),
        engine: record.text("engine").to_owned(),
        version: record.text("engine_version").to_owned(),
        year: None,
        weights: record.text("precision").to_owned(),
        kv: None,
        gpus: record.above_zero("n_gpus").unwrap_or(1.0),
        parallel: None,
        expert_parallel: false,
        input: record.above_zero("isl").unwrap_or(1.0),
        output: record.above_zero("osl").unwrap_or(1.0),
        output_nominal: record.above_zero("osl").unwrap_or(1.0),
        beams: 1.0,
        drafts: false,
        rows_split: false,
        load,
        published: Figures::default(),
    }
}

pub(super) fn millis(record: &Record<'_>, name: &str) -> Option<f64> {
    record.above_zero(name).map(|ms| ms / 1e3)
}

/// Mean of lengths that are drawn evenly from 0.8 to 1 times the nominal one, as the InferenceMAX client does.
const DRAWN: f64 = 0.9;

/// InferenceMAX: a closed loop of users.
///
/// Where `moe_tp_size` and `moe_ep_size` are equal and above one, the launch had that many GPUs and the source
/// multiplies the two: the same measurement stands in the table once with 8 and once with 64 GPUs.
fn inference_max(record: &Record<'_>) -> Read {
    let users = record.needed("concurrency")?;
    let degree = |name: &str| record.count(name).unwrap_or(1);
    let (mut tp, mut dp) = (degree("tp_size"), degree("attention_dp_size"));
    let (moe_tp, mut ep) = (degree("moe_tp_size"), degree("moe_ep_size"));
    if moe_tp > 1 && moe_tp == ep {
        if tp > 1 {
            tp = moe_tp
        } else {
            dp = moe_tp
        }
        ep = moe_tp;
    }
    let (isl, osl) = (record.needed("isl")?, record.needed("osl")?);
    let drawn = if record.text("src_kind").contains("gap-analysis") { 1.0 } else { DRAWN };
    let measured = record.text("measured");
    let year = measured.get(0..4).and_then(|y| y.parse::<f64>().ok());
    let month = measured.get(5..7).and_then(|m| m.parse::<f64>().ok());
    let version = record.text("backend_version");
    let mode = record.text("mode");
    let load = match mode {
        "disagg" => {
            let workers = |name: &str| record.above_zero(name).unwrap_or(1.0);
            tp = degree("decode_tp_size");
            dp = degree("decode_attention_dp_size");
            ep = degree("decode_moe_ep_size");
            Load::Disaggregated(workers("prefill_num_workers"), workers("decode_num_workers"), users)
        }
        _ => Load::Concurrency(users),
    };
    let model = record.text("model").to_owned();
    Ok(vec![Measured {
        engine: record.text("backend").to_owned(),
        version: version.to_owned(),
        year: year.map(|y| y + month.unwrap_or(6.0) / 12.0),
        parallel: Some((tp, degree("pp_size"), dp)),
        expert_parallel: ep > 1,
        input: isl * drawn,
        output: osl * drawn,
        output_nominal: osl,
        // TensorRT-LLM images of this tag were those of the multi-token-prediction recipes of DeepSeek, the others had
        // post2. Source: InferenceX issue 135, which unified the two.
        drafts: version.contains("rc6.post3") && model.to_lowercase().contains("deepseek"),
        published: Figures {
            tokens_per_sec: record.above_zero("output_tok_s_est"),
            tpot_secs: millis(record, "tpot_ms"),
            ttft_secs: millis(record, "ttft_ms"),
            ..Figures::default()
        },
        ..row(record, load)
    }])
}

/// TensorRT-LLM's tables: static batches in 0.5 to 0.9, full load after. `ep_or_dep` counts GPUs of data-parallel
/// attention with spread experts.
fn trtllm_throughput(record: &Record<'_>) -> Read {
    let published = Some(record.needed("output_tok_s_total")?);
    let load = if record.text("mode").contains("static") {
        Load::FixedBatch(record.needed("batch_size")?)
    } else {
        Load::Full
    };
    let spread = record.count("ep_or_dep");
    let tp = record.count("tp").unwrap_or(1);
    let dp = if record.count("tp").is_none() { spread.unwrap_or(1) } else { 1 };
    Ok(vec![Measured {
        parallel: Some((tp, record.count("pp").unwrap_or(1), dp)),
        expert_parallel: spread.is_some_and(|n| n > 1),
        published: Figures { tokens_per_sec: published, ..Figures::default() },
        ..row(record, load)
    }])
}

/// TensorRT-LLM's latency tables: prompts alone, and request rates.
fn trtllm_latency(record: &Record<'_>) -> Read {
    let load = match record.above_zero("batch_size") {
        Some(batch) if record.number("osl").is_none_or(|osl| osl <= 1.0) => Load::Prompt(batch),
        Some(batch) => Load::FixedBatch(batch),
        None => Load::Rate(record.needed("achieved_req_s")?, None),
    };
    Ok(vec![Measured {
        parallel: Some((record.count("tp").unwrap_or(1), 1, 1)),
        published: Figures {
            tokens_per_sec: record.above_zero("output_tok_s"),
            tpot_secs: millis(record, "itl_ms"),
            ttft_secs: millis(record, "ttft_ms"),
            ..Figures::default()
        },
        ..row(record, load)
    }])
}

/// A rate above this is "all at once".
const AT_ONCE_PER_SEC: f64 = 500.0;

/// vLLM, SGLang, TensorRT-LLM and TGI under their own clients.
fn serving_bench(record: &Record<'_>) -> Read {
    let rate = record.text("request_rate");
    let per_sec = rate.parse::<f64>().ok();
    let users = record.above_zero("concurrency_or_batch");
    let requests = record.above_zero("num_requests");
    let workload = record.text("workload");
    let parallel = record.text("parallel").to_lowercase();
    // Prompts made at random have outputs of one length; those of people do not.
    let vary = !workload.contains("random");
    let gpus = record.count("n_gpus").unwrap_or(1);
    let mut published = record.above_zero("output_tok_s");
    let (input, output) = (record.needed("isl_mean")?, record.needed("osl_mean")?);
    let load = if workload.contains("offline fixed") {
        let batch = users.ok_or_else(|| BadRecord::missing("batch"))?;
        if let Some(secs) = record.above_zero("e2e_latency_s") {
            published = Some(batch * output / secs);
        }
        Load::FixedBatch(batch)
    } else if let Some((prefill, decode)) = disaggregated(&parallel) {
        let users = users.or(requests).ok_or_else(|| BadRecord::missing("concurrency"))?;
        Load::Disaggregated(prefill, decode, users)
    } else {
        match (per_sec, users, requests) {
            (Some(rate), _, requests) if rate.is_finite() && rate < AT_ONCE_PER_SEC => {
                Load::Rate(rate, requests)
            }
            (Some(_), _, Some(requests)) => Load::Burst(requests, vary),
            (Some(_), Some(users), None) => Load::Burst(users, vary),
            (None, Some(users), _) => Load::Concurrency(users),
            _ => return Err(BadRecord::other("neither concurrency nor rate")),
        }
    };
    let degree = |word: &str| {
        let at = parallel.find(word)? + word.len();
        let digits: String = parallel[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok().filter(|n| *n > 0)
    };
    let pp = degree("pp").unwrap_or(1);
    let spread = parallel.contains("dp-att");
    let tp = match degree("tp") {
        _ if spread => 1,
        Some(tp) => tp,
        None => (gpus / pp).max(1),
    };
    let dp = if spread { gpus } else { degree("dp").unwrap_or(1) };
    Ok(vec![Measured {
        parallel: Some((tp, pp, dp)),
        expert_parallel: spread || parallel.ends_with(" ep"),
        input,
        output,
        output_nominal: output,
        weights: stated(record.text("precision"))?,
        published: Figures {
            tokens_per_sec: published,
            tpot_secs: millis(record, "tpot_mean_ms"),
            ttft_secs: millis(record, "ttft_mean_ms"),
            ..Figures::default()
        },
        ..row(record, load)
    }])
}

/// A table of one's own: the columns of `breakeven perf --csv`, with `measured_output_tok_s`, `measured_tpot_ms` and
/// `measured_ttft_ms`, at least one of them filled.
fn own(record: &Record<'_>) -> Read {
    let published = Figures {
        tokens_per_sec: record.above_zero("measured_output_tok_s"),
        tpot_secs: millis(record, "measured_tpot_ms"),
        ttft_secs: millis(record, "measured_ttft_ms"),
        ..Figures::default()
    };
    if published == Figures::default() {
        return Err(BadRecord::other(
            "nothing measured: fill measured_output_tok_s, measured_tpot_ms or measured_ttft_ms",
        ));
    }
    let degree = |name: &str| record.count(name).unwrap_or(1);
    let (pp, dp) = (degree("pp"), degree("dp"));
    let gpus = record.count("gpus").unwrap_or_else(|| degree("tp").saturating_mul(pp).saturating_mul(dp));
    let tp = record.count("tp").unwrap_or_else(|| (gpus / pp.saturating_mul(dp)).max(1));
    let (input, output) = (record.needed("input")?, record.needed("output")?);
    let load = match (record.above_zero("concurrency"), record.above_zero("rate"), record.above_zero("batch"))
    {
        (Some(users), ..) => Load::Concurrency(users),
        (None, Some(rate), _) => Load::Rate(rate, record.above_zero("requests")),
        (None, None, Some(batch)) => Load::FixedBatch(batch),
        (None, None, None) => Load::Full,
    };
    let engine = record.text("engine");
    let load =
        if engine.to_lowercase().contains("llama") { Load::LocalDecode(input + output / 2.0) } else { load };
    Ok(vec![Measured {
        engine: if engine.is_empty() { "vllm".to_owned() } else { engine.to_owned() },
        version: record.text("version").to_owned(),
        // One's own measurements are recent, unless they say otherwise.
        year: record.above_zero("year").or(record.text("version").is_empty().then_some(YEAR)),
        weights: record.text("weights").to_owned(),
        kv: Some(record.text("kv").to_owned()).filter(|text| !text.is_empty()),
        gpus: f64::from(gpus),
        parallel: Some((tp, pp, dp)),
        expert_parallel: degree("ep") > 1,
        input,
        output,
        output_nominal: output,
        published,
        ..row(record, load)
    }])
}

/// A precision that is stated.
fn stated(precision: &str) -> Result<String, BadRecord> {
    if precision.is_empty() { Err(BadRecord::missing("precision")) } else { Ok(precision.to_owned()) }
}

/// `1P:3D`: replicas of prefill and decoding.
fn disaggregated(parallel: &str) -> Option<(f64, f64)> {
    let text = parallel.strip_prefix("disaggregated ")?;
    let (prefill, rest) = text.split_once("p:")?;
    let (decode, _) = rest.split_once('d')?;
    Some((prefill.trim().parse().ok()?, decode.trim().parse().ok()?))
}

/// Mean prompt and output of MLPerf's data sets, in tokens. Outputs are measured (mean of the logs); prompts are those
/// of the task descriptions: OpenOrca about as long as its answers, CNN/DailyMail articles of up to 1,919 tokens, the
/// mix of OpenOrca, GSM8K and MBXP, and DeepSeek's reasoning set. An assumption where the logs do not say.
const MLPERF_TASKS: &[(&str, f64, f64)] = &[
    ("gptj", 870.0, 69.0),
    ("mixtral", 320.0, 145.9),
    ("deepseek", 800.0, 3_710.0),
    ("llama3.1-405b", 9_400.0, 685.0),
    ("llama3.1-8b", 780.0, 128.0),
    ("llama2", 294.0, 294.0),
    ("llama3.1-70b", 294.0, 294.0),
    ("neuralmagic", 294.0, 294.0),
];

/// MLPerf: full load (Offline) or the most under latency limits (Server, Interactive).
///
/// `weight_dtype` is not to be trusted: TensorRT submissions quantise to 8 bit on hardware that has it, whatever the
/// field says. GPT-J is decoded with four beams. `llama3.1-70b-fp8` in the open division runs the Llama 2 70B task.
fn mlperf(record: &Record<'_>) -> Read {
    if record.text("accelerator").is_empty() {
        return Err(BadRecord::other("no accelerator: a run on CPUs"));
    }
    let system = record.text("system");
    if system.contains("DepthPruned") || system.contains("Pruned") {
        return Err(BadRecord::other("the model was pruned: not the one that is named"));
    }
    let task = record.text("model_norm");
    let (_, input, output) = MLPERF_TASKS
        .iter()
        .find(|(name, ..)| task.starts_with(name))
        .ok_or_else(|| BadRecord::other("unknown task"))?;
    let output = record.above_zero("mean_output_tokens").unwrap_or(*output);
    let gpus = record.needed("n_accel_total")?;
    let published = record
        .above_zero("tokens_per_s")
        .or_else(|| record.above_zero("samples_per_s").map(|s| s * output))
        .ok_or_else(|| BadRecord::missing("rate"))?;
    let load = match record.text("scenario") {
        "Offline" => Load::Full,
        "Server" | "Interactive" => {
            Load::Target(record.above_zero("tpot_limit_ms").map_or(f64::INFINITY, |ms| ms / 1e3))
        }
        other => return Err(BadRecord::other(format!("scenario {other} is not modelled"))),
    };
    let framework = record.text("framework");
    let round = record.text("round").trim_start_matches('v').parse::<f64>().unwrap_or(5.0);
    let weights = match record.text("weight_dtype") {
        "fp16" | "fp32" | "UNSET" | "" | "fp8" => "fp8",
        other => other,
    };
    Ok(vec![Measured {
        model: task.to_owned(),
        gpu: record.text("accelerator").to_owned(),
        engine: framework.to_owned(),
        version: String::new(),
        year: Some(2024.6 + (round - 4.1).max(-1.5)),
        weights: weights.to_owned(),
        kv: Some("fp8".to_owned()),
        gpus,
        input: *input,
        output,
        output_nominal: output,
        beams: if task.starts_with("gptj") { 4.0 } else { 1.0 },
        published: Figures {
            tokens_per_sec: Some(published),
            tpot_secs: millis(record, "tpot_mean_ms"),
            ..Figures::default()
        },
        ..row(record, load)
    }])
}

/// Splitwise: the times of a prompt and of a token in a batch, vLLM of late 2023 in 16 bit.
fn splitwise(record: &Record<'_>) -> Read {
    let batch = record.needed("batch_size")?;
    let tpot = record.needed("token_time_ms")? / 1e3;
    Ok(vec![Measured {
        gpu: record.text("hardware").to_owned(),
        engine: "vllm".to_owned(),
        year: Some(2023.8),
        weights: "fp16".to_owned(),
        kv: Some("fp16".to_owned()),
        parallel: Some((record.count("tensor_parallel").unwrap_or(1), 1, 1)),
        input: record.needed("prompt_size")?,
        output: record.needed("token_size")?,
        output_nominal: record.needed("token_size")?,
        published: Figures {
            tpot_secs: Some(tpot),
            ttft_secs: millis(record, "prompt_time_ms"),
            ..Figures::default()
        },
        ..row(record, Load::FixedBatch(batch))
    }])
}

/// LMDeploy's static batches and others.
fn other(record: &Record<'_>) -> Read {
    let mode = record.text("mode");
    let batch = record.above_zero("batch_or_concurrency");
    let lengths = (record.needed("isl")?, record.needed("osl")?);
    let load = match batch {
        Some(batch) if mode.contains("static") || mode.contains("fixed") => Load::FixedBatch(batch),
        Some(users) if mode.contains("concurren") => Load::Concurrency(users),
        _ => Load::Full,
    };
    let parallel = record.text("parallel");
    if !parallel.is_empty() && !parallel.starts_with("tp") {
        return Err(BadRecord::other(format!("parallelism \"{parallel}\" is not described further")));
    }
    let published = Figures {
        tokens_per_sec: record.above_zero("output_tok_s"),
        tpot_secs: millis(record, "tpot_mean_ms"),
        ttft_secs: millis(record, "ttft_mean_ms"),
        ..Figures::default()
    };
    if published == Figures::default() {
        return Err(BadRecord::other("no output rate, TTFT or TPOT published"));
    }
    let year = if record.text("engine").contains("LMDeploy") { Some(2023.8) } else { None };
    Ok(vec![Measured {
        year,
        parallel: Some((record.count("n_gpus").unwrap_or(1), 1, 1)),
        input: lengths.0,
        output: lengths.1,
        published,
        weights: stated(record.text("precision"))?,
        ..row(record, load)
    }])
}

/// An A100 is taken for one with NVLink unless the note says that there is none.
fn without_nvlink(gpu: &str, note: &str) -> String {
    let bare = gpu.contains("A100") && !gpu.contains("PCIe") && note.contains("no NVLink");
    if bare { format!("{gpu} PCIe 80GB") } else { gpu.to_owned() }
}

/// llama.cpp and others on one machine: one stream.
///
/// `tgN` generates N tokens from an empty context, `...@dD` from a context of D; `main` of 2023 split by rows.
fn llama_cpp(record: &Record<'_>) -> Read {
    let rate = record.needed("tok_s")?;
    let test = record.text("test");
    if record.above_zero("batch").is_some_and(|batch| batch > 1.0) {
        return Err(BadRecord::other("several streams or micro-batches under llama.cpp are not modelled"));
    }
    let gpu = record.text("gpu");
    if gpu.to_uppercase().contains("CPU") && !gpu.contains("GPU ") {
        return Err(BadRecord::other("a CPU"));
    }
    if gpu.contains("[CPU") {
        return Err(BadRecord::other("a CPU"));
    }
    let depth = record.number("depth").unwrap_or(0.0);
    let length = |prefix: &str| {
        let digits: String = test.strip_prefix(prefix)?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<f64>().ok()
    };
    let of_main = test.starts_with("main");
    let load = match record.text("phase") {
        "decode" => {
            let generated =
                length("tg").unwrap_or(if of_main || test.contains("512") { 1024.0 } else { 256.0 });
            Load::LocalDecode(depth + generated / 2.0)
        }
        "prefill" => Load::LocalPrefill(length("pp").unwrap_or(512.0)),
        other => return Err(BadRecord::other(format!("phase \"{other}\" is not modelled"))),
    };
    Ok(vec![Measured {
        weights: stated(record.text("quant"))?,
        gpu: without_nvlink(gpu, record.text("note")),
        parallel: Some((record.count("n_gpus").unwrap_or(1), 1, 1)),
        rows_split: of_main,
        published: Figures { tokens_per_sec: Some(rate), ..Figures::default() },
        ..row(record, load)
    }])
}
