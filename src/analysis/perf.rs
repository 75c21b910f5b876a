//! One question to the serving model: this model on these GPUs, under this engine and load.

use serde::Serialize;
use thiserror::Error;

use crate::catalog::{GpuSpec, ModelSpec, NativeDtype};
use crate::serving::{
    Calibration, Draft, Engine, GpuFacts, Lengths, Local, LocalSetup, MEMORY_SHARE, ModelFacts, Perf,
    PerfError, PerfMemory, Precision, Served, Setup, Spread, WeightFormat, YEAR,
};

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// GPUs of a replica.
    pub gpus: u32,
    /// Tensor parallelism; what the other degrees leave if not given.
    pub tensor: Option<u32>,
    /// Pipeline parallelism.
    pub pipeline: u32,
    /// Data-parallel attention.
    pub data: u32,
    /// Whether experts are spread whole.
    pub expert: bool,
    /// Format of the weights; the published one if not given.
    pub weights: Option<WeightFormat>,
    /// Format of the KV cache.
    pub kv: Precision,
    /// Engine.
    pub engine: Engine,
    /// Year of its software.
    pub year: f64,
    /// Share of the memory that the engine may use, 0..=1.
    pub memory_share: f64,
    /// Most sequences at once; what the engine is calibrated to if not given.
    pub max_sequences: Option<f64>,
    /// Prompt, in tokens.
    pub input: f64,
    /// Share of the prompt that the prefix cache holds, 0..=1.
    pub prefix_hit: f64,
    /// Output, in tokens.
    pub output: f64,
    /// Load.
    pub load: AskLoad,
    /// Drafted tokens and the probability that one is accepted.
    pub draft: Option<(f64, f64)>,
}

/// The load of a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AskLoad {
    /// So many users.
    Concurrency(f64),
    /// As much as it takes.
    Max,
    /// Calls per second.
    Rate(f64),
    /// The most that keeps a time per output token, in seconds.
    Tpot(f64),
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            gpus: 1,
            tensor: None,
            pipeline: 1,
            data: 1,
            expert: false,
            weights: None,
            kv: Precision::Bf16,
            engine: Engine::Vllm,
            year: YEAR,
            memory_share: MEMORY_SHARE,
            max_sequences: None,
            input: 1024.0,
            prefix_hit: 0.0,
            output: 256.0,
            load: AskLoad::Max,
            draft: None,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum AskError {
    /// Parallelism, data sheet or memory.
    #[error(transparent)]
    Perf(#[from] PerfError),
    /// The degrees do not multiply to the GPUs.
    #[error(
        "{gpus} GPUs cannot be shared out as tensor {tensor} x pipeline {pipeline} x data {data}; the three must multiply to the GPUs"
    )]
    Degrees {
        /// GPUs.
        gpus: u32,
        /// Tensor parallelism.
        tensor: u32,
        /// Pipeline parallelism.
        pipeline: u32,
        /// Data parallelism.
        data: u32,
    },
    /// A number outside its range.
    #[error("{what} is {value}; write {remedy}")]
    Number {
        /// Which.
        what: &'static str,
        /// What it is.
        value: f64,
        /// What to write.
        remedy: &'static str,
    },
    /// Longer than the model can see.
    #[error("{tokens} tokens of prompt and output exceed the model's context of {max}; shorten them")]
    Context {
        /// Asked for.
        tokens: f64,
        /// Allowed.
        max: f64,
    },
    /// Not one sequence fits.
    #[error(
        "the weights fit, but beside them not even one sequence of {tokens} tokens does; take more GPUs or a smaller KV format"
    )]
    NoRoom {
        /// Of one sequence.
        tokens: f64,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Catalogue id, or name of the file.
    pub model: String,
    /// Catalogue id.
    pub gpu: String,
    /// GPUs of the replica.
    pub gpus: u32,
    /// Tensor parallelism.
    pub tensor_parallel: u32,
    /// Pipeline parallelism.
    pub pipeline_parallel: u32,
    /// Data-parallel attention.
    pub data_parallel: u32,
    /// Engine.
    pub engine: &'static str,
    /// Format of the weights.
    pub weights: String,
    /// Format of the KV cache.
    pub kv: String,
    /// Memory; `None` for one stream on one machine.
    pub memory: Option<PerfMemory>,
    /// Tokens generated per second by the replica.
    pub output_tokens_per_sec: f64,
    /// The same per GPU.
    pub output_tokens_per_sec_per_gpu: f64,
    /// Calls per second.
    pub calls_per_sec: f64,
    /// Mean time to first token, in seconds.
    pub ttft_secs: f64,
    /// Time per output token, in seconds.
    pub tpot_secs: f64,
    /// Mean time of a whole call, in seconds.
    pub call_secs: f64,
    /// Prefill of one prompt on an idle replica, in seconds.
    pub prefill_secs: f64,
    /// What is served, with the parts of a step; `None` for one stream on one machine.
    pub served: Option<Served>,
    /// The 80 % band of the output rate: what the calibration's errors on unseen rows leave.
    pub output_tokens_per_sec_band: (f64, f64),
}

/// Half of an 80 % band, as a factor: the 80th percentile of the errors on rows not fitted to is about 28 %.
/// Source: `presets/calibration.ron`, held-out errors of the regimes in steady state.
const BAND: f64 = 1.28;

/// The published format of a model's weights.
#[must_use]
pub const fn native(spec: &ModelSpec) -> WeightFormat {
    match spec.native_dtype {
        NativeDtype::Fp16 => WeightFormat::Fp16,
        NativeDtype::Bf16 => WeightFormat::Bf16,
        NativeDtype::Fp8 => WeightFormat::Fp8,
        NativeDtype::Mxfp4Experts => WeightFormat::Mxfp4,
        NativeDtype::Int4Experts => WeightFormat::Int4,
    }
}

/// Answers a question with given constants.
///
/// # Errors
/// [`AskError`] says what is wrong and what to write instead.
pub fn answer(
    model: &ModelSpec,
    gpu: &GpuSpec,
    ask: &Ask,
    calibration: &Calibration,
) -> Result<Answer, AskError> {
    checked(model, ask)?;
    let facts = ModelFacts::from_spec(model);
    let device = GpuFacts::from_spec(gpu);
    let weights = ask.weights.unwrap_or_else(|| native(model));
    let hit = ask.prefix_hit.clamp(0.0, 1.0);
    let lengths =
        Lengths { prompt: ask.input * (1.0 - hit), context: ask.input, output: ask.output.max(1.0) };
    if ask.engine == Engine::LlamaCpp {
        return stream(model, gpu, &facts, &device, ask, weights, &lengths, calibration);
    }
    let others = ask.pipeline.saturating_mul(ask.data);
    let tensor = ask.tensor.unwrap_or(ask.gpus / others.max(1)).max(1);
    if tensor.saturating_mul(others) != ask.gpus {
        let (gpus, pipeline, data) = (ask.gpus, ask.pipeline, ask.data);
        return Err(AskError::Degrees { gpus, tensor, pipeline, data });
    }
    let mut setup = Setup::new(tensor, weights, ask.kv, ask.engine);
    (setup.pipeline_parallel, setup.data_parallel) = (ask.pipeline, ask.data);
    setup.expert_parallel = ask.expert;
    setup.year = ask.year;
    (setup.memory_share, setup.max_sequences) = (ask.memory_share, ask.max_sequences);
    setup.draft = ask.draft.map(|(tokens, acceptance)| Draft::accepted(tokens, acceptance, 0.05));
    let perf = Perf::with(&facts, &device, &setup, &calibration.serving)?;
    let served = match ask.load {
        AskLoad::Concurrency(users) => perf.at_concurrency(users, &lengths),
        AskLoad::Max => perf.at_full_load(&lengths),
        AskLoad::Rate(rate) => perf.at_rate(rate, None, &lengths),
        AskLoad::Tpot(secs) => perf.within_tpot(secs, &lengths),
    };
    if served.running <= 0.0 {
        return Err(AskError::NoRoom { tokens: ask.input + ask.output });
    }
    let rate = served.output_tokens_per_sec;
    Ok(Answer {
        model: model.id.clone(),
        gpu: gpu.id.clone(),
        gpus: ask.gpus,
        tensor_parallel: tensor,
        pipeline_parallel: ask.pipeline,
        data_parallel: ask.data,
        engine: ask.engine.label(),
        weights: weights.label().to_owned(),
        kv: ask.kv.label().to_owned(),
        memory: Some(perf.memory),
        output_tokens_per_sec: rate,
        output_tokens_per_sec_per_gpu: rate / f64::from(ask.gpus),
        calls_per_sec: served.calls_per_sec,
        ttft_secs: served.ttft_secs,
        tpot_secs: served.tpot_secs,
        call_secs: served.ttft_secs + served.tpot_secs * (lengths.output - 1.0),
        prefill_secs: perf.prefill_secs(&lengths),
        served: Some(served),
        output_tokens_per_sec_band: (rate / BAND, rate * BAND),
    })
}

fn checked(model: &ModelSpec, ask: &Ask) -> Result<(), AskError> {
    let number = |what, value: f64, fine: bool, remedy| {
        if fine { Ok(()) } else { Err(AskError::Number { what, value, remedy }) }
    };
    let finite = |x: f64| x.is_finite();
    number("the number of GPUs", f64::from(ask.gpus), ask.gpus >= 1 && ask.gpus <= 4096, "1 to 4096")?;
    number("pipeline parallelism", f64::from(ask.pipeline), ask.pipeline >= 1, "1 or more")?;
    number("data parallelism", f64::from(ask.data), ask.data >= 1, "1 or more")?;
    number("the input", ask.input, finite(ask.input) && ask.input >= 1.0, "1 token or more")?;
    number("the output", ask.output, finite(ask.output) && ask.output >= 1.0, "1 token or more")?;
    number("the prefix hit", ask.prefix_hit, (0.0..=1.0).contains(&ask.prefix_hit), "a share of 0 to 1")?;
    number("the year", ask.year, (2022.0..2100.0).contains(&ask.year), "a year such as 2026.2")?;
    let share = ask.memory_share;
    number("the memory share", share, share > 0.0 && share <= 1.0, "a share above 0 and up to 1")?;
    if let Some(x) = ask.max_sequences {
        number("the sequences at once", x, finite(x) && x >= 1.0, "1 or more")?;
    }
    if let Some((tokens, acceptance)) = ask.draft {
        number("the drafted tokens", tokens, (1.0..=64.0).contains(&tokens), "1 to 64")?;
        number("the acceptance", acceptance, (0.0..=1.0).contains(&acceptance), "a share of 0 to 1")?;
    }
    match ask.load {
        AskLoad::Concurrency(x) => number("the concurrency", x, finite(x) && x > 0.0, "a number above 0")?,
        AskLoad::Rate(x) => number("the rate", x, finite(x) && x > 0.0, "calls per second above 0")?,
        AskLoad::Tpot(x) => number("the TPOT target", x, finite(x) && x > 0.0, "seconds above 0")?,
        AskLoad::Max => {}
    }
    let tokens = ask.input + ask.output;
    let max = f64::from(model.context_max);
    if tokens > max { Err(AskError::Context { tokens, max }) } else { Ok(()) }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one question, taken apart once")]
fn stream(
    model: &ModelSpec,
    gpu: &GpuSpec,
    facts: &ModelFacts,
    device: &GpuFacts,
    ask: &Ask,
    weights: WeightFormat,
    lengths: &Lengths,
    calibration: &Calibration,
) -> Result<Answer, AskError> {
    let setup = LocalSetup {
        gpus: f64::from(ask.gpus),
        spread: Spread::Layers,
        weights,
        weights_bytes: model.checkpoint_bytes.filter(|_| weights == native(model)),
    };
    let local = Local::with(facts, device, &setup, &calibration.local)?;
    let rate = local.decode_tokens_per_sec(lengths.context + 0.5 * lengths.output);
    let prefill_secs = lengths.prompt.max(1.0) / local.prefill_tokens_per_sec(lengths.prompt.max(1.0));
    let call_secs = prefill_secs + lengths.output / rate;
    Ok(Answer {
        model: model.id.clone(),
        gpu: gpu.id.clone(),
        gpus: ask.gpus,
        tensor_parallel: 1,
        pipeline_parallel: 1,
        data_parallel: 1,
        engine: ask.engine.label(),
        weights: weights.label().to_owned(),
        kv: ask.kv.label().to_owned(),
        memory: None,
        output_tokens_per_sec: rate,
        output_tokens_per_sec_per_gpu: rate / f64::from(ask.gpus),
        calls_per_sec: 1.0 / call_secs,
        ttft_secs: prefill_secs,
        tpot_secs: 1.0 / rate,
        call_secs,
        prefill_secs,
        served: None,
        output_tokens_per_sec_band: (rate / 1.15, rate * 1.15),
    })
}
