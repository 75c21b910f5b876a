//! Recorded runs of a real engine in a folder: `…_requests.jsonl` with the times of each request, and beside it
//! `…_meta.json` with the engine's settings.
//!
//! A request is `input_toks`, `output_toks`, `queued_ts`, `first_token_ts`, `last_token_ts`, times in seconds of one
//! clock. The settings are those of vLLM's `engine_kwargs`, the KV as `kv_cache` reports it and the device as `hardware`
//! does, where they are there. A run that cannot be read is left out with its reason; so are single requests.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::measured::MeasuredError;
use crate::analysis::fidelity::{RecordedRequest, RecordedRun, RequestTimes};
use crate::serving::{Engine, Precision, WeightFormat};

/// Tokens of a step, and most sequences, where the record does not say: vLLM's defaults.
/// Source: vLLM 0.11, `EngineArgs._set_default_args`, read 2026-11-24.
const STEP_TOKENS: u64 = 2_048;
const SEQUENCES: u64 = 256;

/// What the file of a run's requests ends in, and that of its settings.
const REQUESTS: &str = "requests.jsonl";
const SETTINGS: &str = "meta.json";

/// Runs of a folder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordedRuns {
    /// Runs that could be read, in order of their names.
    pub runs: Vec<RecordedRun>,
    /// File and reason of what was left out: whole runs, and requests.
    pub left_out: Vec<(String, String)>,
}

/// Why a run cannot be read.
#[derive(Debug, Error)]
enum RunFileError {
    #[error("cannot read {name}: {source}")]
    Read { name: String, source: std::io::Error },
    #[error("{name} is not JSON: {source}")]
    Json { name: String, source: serde_json::Error },
    #[error("{name} does not name {field}; add it")]
    Missing { name: String, field: &'static str },
    #[error("{field} is \"{value}\", which is not known")]
    Unknown { field: &'static str, value: String },
    #[error("none of its requests has all its times")]
    NoRequests,
}

/// Reads every run of a folder; a folder without any gives none.
///
/// # Errors
/// [`MeasuredError::Read`] for a folder that cannot be read.
pub fn read_runs(folder: &Path) -> Result<RecordedRuns, MeasuredError> {
    let at = |source| MeasuredError::Read { path: folder.to_owned(), source };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(REQUESTS)) {
            files.push(path);
        }
    }
    files.sort();
    let mut all = RecordedRuns::default();
    for file in files {
        match read_run(&file, &mut all.left_out) {
            Ok(run) => all.runs.push(run),
            Err(error) => all.left_out.push((name_of(&file), error.to_string())),
        }
    }
    Ok(all)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn text_of(path: &Path) -> Result<String, RunFileError> {
    fs::read_to_string(path).map_err(|source| RunFileError::Read { name: name_of(path), source })
}

fn read_run(path: &Path, left_out: &mut Vec<(String, String)>) -> Result<RecordedRun, RunFileError> {
    let file = name_of(path);
    let stem = file.strip_suffix(REQUESTS).unwrap_or(&file);
    let meta_path = path.with_file_name(format!("{stem}{SETTINGS}"));
    let meta: Value = serde_json::from_str(&text_of(&meta_path)?)
        .map_err(|source| RunFileError::Json { name: name_of(&meta_path), source })?;
    let settings = &meta["engine_kwargs"];
    let missing = |field| RunFileError::Missing { name: name_of(&meta_path), field };
    let text = |at: &Value| at.as_str().map(str::to_owned);
    let whole = |name: &str, otherwise: u64| settings[name].as_u64().unwrap_or(otherwise);
    let parallel = |name: &str| u32::try_from(whole(name, 1)).unwrap_or(u32::MAX);
    let model = text(&meta["model"]).or_else(|| text(&settings["model"])).ok_or_else(|| missing("model"))?;
    let quantized = text(&settings["quantization"]);
    let plain = text(&settings["dtype"]).unwrap_or_else(|| "auto".to_owned());
    let kv = text(&settings["kv_cache_dtype"]).unwrap_or_else(|| "auto".to_owned());
    let unknown = |field, value: &str| RunFileError::Unknown { field, value: value.to_owned() };
    let format =
        |name: &str| WeightFormat::parse(name).map_err(|_| unknown("the format of the weights", name));
    // What is computed in 16 bits may be stored in fewer: then the model was published so.
    let weights = match (&quantized, plain.as_str()) {
        (Some(name), _) => Some(format(name)?),
        (None, "auto") => None,
        (None, name) => {
            Some(format(name)?).filter(|of| !matches!(of, WeightFormat::Bf16 | WeightFormat::Fp16))
        }
    };
    let kv = Precision::parse(&kv).map_err(|_| unknown("the format of the KV", &kv))?;
    let requests = requests(&text_of(path)?, &file, left_out);
    if requests.is_empty() {
        return Err(RunFileError::NoRequests);
    }
    Ok(RecordedRun {
        name: stem.trim_end_matches(['_', '-', '.']).to_owned(),
        model,
        gpu: text(&meta["hardware"]["device_name"]),
        engine: Engine::Vllm,
        weights,
        kv,
        parallel: (
            parallel("tensor_parallel_size"),
            parallel("pipeline_parallel_size"),
            parallel("data_parallel_size"),
        ),
        expert_parallel: settings["enable_expert_parallel"].as_bool().unwrap_or(false),
        sequences_max: u32::try_from(whole("max_num_seqs", SEQUENCES)).unwrap_or(u32::MAX).clamp(1, 65_536),
        step_tokens_max: u32::try_from(whole("max_num_batched_tokens", STEP_TOKENS))
            .unwrap_or(u32::MAX)
            .max(1),
        context_max: settings["max_model_len"].as_u64(),
        kv_blocks: meta["kv_cache"]["num_gpu_blocks"].as_u64().filter(|blocks| *blocks > 0),
        block_tokens: meta["kv_cache"]["block_size"]
            .as_u64()
            .map_or(16, |tokens| tokens.clamp(1, 65_536) as u32),
        memory_share: meta["kv_cache"]["gpu_memory_utilization"]
            .as_f64()
            .filter(|share| (0.0..=1.0).contains(share))
            .unwrap_or(crate::serving::MEMORY_SHARE),
        requests,
    })
}

/// The requests in the order in which they came; a line without all its figures is left out.
fn requests(text: &str, file: &str, left_out: &mut Vec<(String, String)>) -> Vec<RecordedRequest> {
    let mut read: Vec<(f64, RecordedRequest)> = Vec::new();
    for (line, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        match serde_json::from_str::<Value>(text).ok().as_ref().and_then(request) {
            Some(request) => read.push(request),
            None => left_out
                .push((file.to_owned(), format!("line {}: not a request with all its times", line + 1))),
        }
    }
    read.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = read.first().map_or(0.0, |(queued, _)| *queued);
    read.into_iter().map(|(queued, request)| RecordedRequest { at_secs: queued - first, ..request }).collect()
}

/// A request and when it came, on the clock of the file.
fn request(row: &Value) -> Option<(f64, RecordedRequest)> {
    let number = |name: &str| row[name].as_f64().filter(|x| x.is_finite());
    let tokens =
        |name: &str| row[name].as_u64().and_then(|tokens| u32::try_from(tokens).ok()).filter(|n| *n > 0);
    let queued = number("queued_ts")?;
    let times = RequestTimes {
        ttft_secs: number("first_token_ts")? - queued,
        e2e_secs: number("last_token_ts")? - queued,
    };
    let sound = times.ttft_secs >= 0.0 && times.e2e_secs >= times.ttft_secs;
    sound.then_some((
        queued,
        RecordedRequest {
            at_secs: 0.0,
            prompt_tokens: tokens("input_toks")?,
            output_tokens: tokens("output_toks")?,
            times,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(meta: &str, requests: &str) -> RecordedRuns {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a_L4_meta.json"), meta).unwrap();
        fs::write(folder.path().join("a_L4_requests.jsonl"), requests).unwrap();
        read_runs(folder.path()).unwrap()
    }

    const META: &str = r#"{"model": "meta-llama/Llama-3.1-8B", "engine_kwargs": {"tensor_parallel_size": 2,
        "max_num_seqs": 128, "dtype": "bfloat16", "kv_cache_dtype": "auto", "max_model_len": null}}"#;

    #[test]
    fn requests_come_in_order_of_time_and_bad_lines_are_counted() {
        let all = folder(
            META,
            "{\"input_toks\": 9, \"output_toks\": 3, \"queued_ts\": 12.5, \"first_token_ts\": 13, \"last_token_ts\": 14}\n\
             {\"input_toks\": 5, \"output_toks\": 2, \"queued_ts\": 10, \"first_token_ts\": 11, \"last_token_ts\": 12}\n\
             {\"input_toks\": 5, \"output_toks\": 2, \"queued_ts\": 10, \"first_token_ts\": 9, \"last_token_ts\": 12}\n\
             nothing\n",
        );
        let run = &all.runs[0];
        assert_eq!((run.name.as_str(), run.parallel, run.sequences_max), ("a_L4", (2, 1, 1), 128));
        let at: Vec<f64> = run.requests.iter().map(|request| request.at_secs).collect();
        assert_eq!(at, [0.0, 2.5]);
        assert_eq!(run.requests[1].times, RequestTimes { ttft_secs: 0.5, e2e_secs: 1.5 });
        assert_eq!(all.left_out.len(), 2);
        assert!(all.left_out[0].1.contains("line 3"), "{:?}", all.left_out);
    }

    #[test]
    fn a_run_without_settings_or_requests_is_left_out_with_its_reason() {
        assert!(folder("{}", "").left_out[0].1.contains("model"));
        assert!(folder(META, "").left_out[0].1.contains("requests"));
        assert!(folder("[", "").left_out[0].1.contains("not JSON"));
        assert!(folder(&META.replace("bfloat16", "fp3"), "").left_out[0].1.contains("fp3"));
    }
}
