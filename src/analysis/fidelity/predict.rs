//! The prediction of one row: from its names and numbers alone, never from its result.

use thiserror::Error;

use super::{Figures, Load, Measured};
use crate::catalog::Catalog;
use crate::serving::{
    Calibration, Draft, Engine, GpuFacts, Kernel, KernelConstants, Lengths, Local, LocalSetup, Make,
    ModelFacts, Perf, PerfError, Precision, ServingConstants, Setup, Spread, WeightFormat, YEAR,
};

/// What is predicted for a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicted {
    /// Catalogue id of the model.
    pub model: String,
    /// Catalogue id of the GPU.
    pub gpu: String,
    /// Engine.
    pub engine: Engine,
    /// Predicted figures.
    pub figures: Figures,
    /// Tokens per second at the data sheet's rates with nothing lost, for the baseline.
    pub ideal_tokens_per_sec: Option<f64>,
    /// Time of the kernel at the data sheet's rates, for the baseline.
    pub ideal_kernel_secs: Option<f64>,
}

/// Why a row is not predicted.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Unpredicted {
    /// A name that the catalogue does not have, nor a format or engine that is known.
    #[error("unknown {what} \"{name}\"")]
    Unknown {
        /// What kind of name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Parallelism, data sheet or memory.
    #[error(transparent)]
    Perf(#[from] PerfError),
    /// Not one sequence fits.
    #[error("not even one sequence of this length fits beside the weights")]
    NoRoom,
    /// A way of running that the model does not cover.
    #[error("{what} not modelled")]
    NotModelled {
        /// Which.
        what: &'static str,
    },
}

fn unknown(what: &'static str, name: &str) -> Unpredicted {
    Unpredicted::Unknown { what, name: name.to_owned() }
}

/// Share of the memory that weights may take where parallelism is chosen: the rest holds KV.
const WEIGHTS_SHARE: f64 = 0.72;

/// Year of engines whose version is not told, unless the model is younger.
const UNTOLD_YEAR: f64 = 2024.8;

/// When families came out; their engines are not older. Source: dates of the models' repositories, to the month.
const RELEASES: &[(&str, f64)] = &[
    ("llama4", 2025.3),
    ("llama3.3", 2024.95),
    ("qwen2.5", 2024.75),
    ("qwen3.5", 2026.1),
    ("qwen3next", 2025.7),
    ("qwen3", 2025.35),
    ("gpt-oss", 2025.6),
    ("deepseek", 2025.05),
    ("kimi", 2025.55),
    ("minimax", 2025.8),
    ("glm", 2025.55),
    ("gemma3", 2025.2),
    ("gemma4", 2026.25),
];

/// Time that an engine takes to run a new family well, in years.
const SETTLING_YEARS: f64 = 0.2;

fn untold_year(family: &str) -> f64 {
    let release = RELEASES.iter().find(|(name, _)| family.starts_with(name));
    release.map_or(UNTOLD_YEAR, |(_, year)| UNTOLD_YEAR.max(year + SETTLING_YEARS))
}

/// Predicts a row with the shipped calibration.
///
/// # Errors
/// Why it cannot be predicted, for people: an unknown name, a format, a model that does not fit.
pub fn predict(row: &Measured, catalog: &Catalog) -> Result<Predicted, Unpredicted> {
    predict_with(row, catalog, Calibration::shipped())
}

/// Predicts a row with other constants.
///
/// # Errors
/// Why it cannot be predicted, for people.
pub fn predict_with(
    row: &Measured,
    catalog: &Catalog,
    calibration: &Calibration,
) -> Result<Predicted, Unpredicted> {
    Resolved::of(row, catalog)?.predict(calibration)
}

/// A row with its names looked up: what a fit predicts again and again.
#[derive(Debug, Clone)]
pub struct Resolved<'a> {
    /// The row.
    pub row: &'a Measured,
    /// Catalogue id of the model.
    pub model_id: &'a str,
    /// Catalogue id of the GPU.
    pub gpu_id: &'a str,
    /// Family of the model, as the catalogue has it.
    pub family: &'a str,
    /// Engine.
    pub engine: Engine,
    model: ModelFacts,
    gpu: GpuFacts,
    run: Run,
}

/// How a resolved row runs.
#[derive(Debug, Clone)]
enum Run {
    /// One stream on one machine.
    Stream(LocalSetup),
    /// In batches, on so many replicas.
    Batches(Setup, f64),
    /// A single kernel.
    Kernel(Kernel),
}

impl<'a> Resolved<'a> {
    /// Looks the names of a row up.
    ///
    /// # Errors
    /// A name or format that is not known, or a way of running that is not modelled.
    pub fn of(row: &'a Measured, catalog: &'a Catalog) -> Result<Self, Unpredicted> {
        let gpu_spec = catalog.gpu_named(&row.gpu).ok_or_else(|| unknown("GPU", &row.gpu))?;
        if let Load::Kernel(kernel) = row.load {
            return Ok(Self {
                row,
                model_id: "",
                gpu_id: &gpu_spec.id,
                family: "",
                engine: Engine::parse(&row.engine).unwrap_or(Engine::Vllm),
                model: ModelFacts::default(),
                gpu: GpuFacts::from_spec(gpu_spec),
                run: Run::Kernel(kernel),
            });
        }
        let model_spec = catalog.model_named(&row.model).ok_or_else(|| unknown("model", &row.model))?;
        let engine = Engine::parse(&row.engine).map_err(|_| unknown("engine", &row.engine))?;
        let weights = match row.weights.trim() {
            "" => crate::analysis::perf::native(model_spec),
            text => WeightFormat::parse(text).map_err(|_| unknown("weight format", text))?,
        };
        let model = ModelFacts::from_spec(model_spec);
        let gpu = GpuFacts::from_spec(gpu_spec);
        let run = if row.load.is_local() && engine == Engine::LlamaCpp {
            stream_setup(row, weights)?
        } else {
            batch_setup(row, &model, &gpu, engine, weights, untold_year(&model_spec.family))?
        };
        let (model_id, gpu_id, family) = (&model_spec.id, &gpu_spec.id, &model_spec.family);
        Ok(Self { row, model_id, gpu_id, family, engine, model, gpu, run })
    }

    /// Whether the constants of one stream predict it, not those of batches.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        matches!(self.run, Run::Stream(_))
    }

    /// Whether it is a single kernel.
    #[must_use]
    pub const fn is_kernel(&self) -> bool {
        matches!(self.run, Run::Kernel(_))
    }

    /// The figures under given constants.
    ///
    /// # Errors
    /// Parallelism, data sheet or memory do not allow it.
    pub fn figures(&self, calibration: &Calibration) -> Result<Figures, Unpredicted> {
        let figures = match &self.run {
            Run::Stream(setup) => {
                let local = Local::with(&self.model, &self.gpu, setup, &calibration.local)?;
                let rate = match self.row.load {
                    Load::LocalPrefill(tokens) => local.prefill_tokens_per_sec(tokens),
                    Load::LocalDecode(context) => local.decode_tokens_per_sec(context),
                    _ => return Err(Unpredicted::NotModelled { what: STREAMS }),
                };
                Figures { tokens_per_sec: Some(rate), ..Figures::default() }
            }
            Run::Batches(setup, replicas) => {
                served(self.row, &self.model, &self.gpu, setup, &calibration.serving, *replicas)?
            }
            Run::Kernel(kernel) => Figures {
                kernel_secs: Some(kernel.secs(&self.gpu, &calibration.kernels)),
                ..Figures::default()
            },
        };
        let finite = [figures.tokens_per_sec, figures.tpot_secs, figures.ttft_secs, figures.kernel_secs];
        if finite.iter().flatten().any(|x| !(x.is_finite() && *x > 0.0)) {
            return Err(Unpredicted::NoRoom);
        }
        Ok(figures)
    }

    /// The prediction with its names, and the data sheet's rate.
    ///
    /// # Errors
    /// As [`Resolved::figures`].
    pub fn predict(&self, calibration: &Calibration) -> Result<Predicted, Unpredicted> {
        let figures = self.figures(calibration)?;
        Ok(Predicted {
            model: self.model_id.to_owned(),
            gpu: self.gpu_id.to_owned(),
            engine: self.engine,
            figures,
            ideal_tokens_per_sec: self.ideal(),
            ideal_kernel_secs: match &self.run {
                Run::Kernel(kernel) => Some(kernel.secs(&self.gpu, &KernelConstants::IDEAL)),
                _ => None,
            },
        })
    }

    /// Tokens per second at the data sheet's rates with nothing lost.
    fn ideal(&self) -> Option<f64> {
        let (model, gpu) = (&self.model, &self.gpu);
        match (&self.run, self.row.load) {
            (Run::Stream(_), Load::LocalPrefill(_)) => Some(gpu.bf16_flops / (2.0 * model.active_params)),
            (Run::Stream(setup), _) => {
                let met = if model.experts.is_some() { model.active_params } else { model.total_params };
                Some(gpu.bandwidth_bytes_per_s / (met * setup.weights.bytes_per_weight()))
            }
            (Run::Kernel(_), _) => None,
            (Run::Batches(setup, replicas), _) => {
                served(self.row, model, gpu, setup, &ServingConstants::IDEAL, *replicas).ok()?.tokens_per_sec
            }
        }
    }
}

const STREAMS: &str = "several streams under llama.cpp are";

fn stream_setup(row: &Measured, weights: WeightFormat) -> Result<Run, Unpredicted> {
    if matches!(row.load, Load::LocalPrefill(_)) && row.rows_split && row.gpus > 1.0 {
        return Err(Unpredicted::NotModelled { what: "prompts under a split by rows are" });
    }
    let spread = if row.rows_split { Spread::Rows } else { Spread::Layers };
    Ok(Run::Stream(LocalSetup { gpus: row.gpus, spread, weights, weights_bytes: None }))
}

fn batch_setup(
    row: &Measured,
    model: &ModelFacts,
    gpu: &GpuFacts,
    engine: Engine,
    weights: WeightFormat,
    untold: f64,
) -> Result<Run, Unpredicted> {
    if engine == Engine::LlamaCpp {
        return Err(Unpredicted::NotModelled { what: STREAMS });
    }
    let kv = match &row.kv {
        Some(text) => Precision::parse(text).map_err(|_| unknown("KV format", text))?,
        // TensorRT-LLM's published recipes keep KV in 8 bit with weights of 8 bit and less.
        None if engine == Engine::TrtLlm && weights.bytes_per_weight() < 2.0 => Precision::Fp8,
        None => Precision::Bf16,
    };
    let (tp, pp, dp) = row.parallel.unwrap_or_else(|| parallelism(model, gpu, weights, row.gpus));
    let chosen = row.parallel.is_none();
    let mut setup = Setup::new(tp, weights, kv, engine);
    setup.pipeline_parallel = pp;
    setup.data_parallel = dp;
    setup.expert_parallel = row.expert_parallel || (chosen && dp > 1);
    let told = if row.version.trim().is_empty() { None } else { engine.year(&row.version) };
    setup.year = row.year.or(told).unwrap_or(if row.version.trim().is_empty() { untold } else { YEAR });
    let replicas = if chosen { row.gpus / setup.gpus() } else { 1.0 };
    Ok(Run::Batches(setup, replicas))
}

fn served(
    row: &Measured,
    model: &ModelFacts,
    gpu: &GpuFacts,
    setup: &Setup,
    c: &ServingConstants,
    replicas: f64,
) -> Result<Figures, PerfError> {
    let draft = row.drafts.then_some(Draft { tokens: c.mtp_drafted, yielded: c.mtp_yield, cost_share: 0.0 });
    let perf = Perf::with(model, gpu, &Setup { draft, ..setup.clone() }, c)?;
    let lengths = Lengths::new(row.input, row.output);
    // Beam search decodes several sequences for one answer.
    let per_replica = |x: f64| x / replicas;
    let wide = Lengths { output: row.output * row.beams, ..lengths };
    let served = match row.load {
        Load::Concurrency(users) => perf.at_concurrency(per_replica(users), &lengths),
        Load::Full if row.beams > 1.0 => perf.at_full_load(&wide),
        Load::Full => perf.at_full_load(&lengths),
        Load::FixedBatch(batch) | Load::Prompt(batch) => perf.in_fixed_batch(per_replica(batch), &lengths),
        Load::Rate(rate, requests) => perf.at_rate(per_replica(rate), requests.map(per_replica), &lengths),
        Load::Burst(requests, vary) => perf.in_burst(per_replica(requests), vary, &lengths),
        Load::Target(secs) if secs.is_finite() => perf.within_tpot(secs, &lengths),
        Load::Target(_) if row.beams > 1.0 => perf.at_full_load(&wide),
        Load::Target(_) => perf.at_full_load(&lengths),
        Load::Disaggregated(prefill, decode, users) => {
            perf.disaggregated(prefill, &perf, decode, users, gpu.link_bytes_per_s, &lengths)
        }
        Load::LocalDecode(context) => perf.at_concurrency(1.0, &Lengths::new((context - 1.0).max(1.0), 64.0)),
        Load::Kernel(_) => return Ok(Figures::default()),
        Load::LocalPrefill(tokens) => {
            let secs = perf.prefill_secs(&Lengths::new(tokens, 1.0));
            return Ok(Figures { tokens_per_sec: Some(tokens / secs), ..Figures::default() });
        }
    };
    // The published rate of a closed loop was computed from TTFT, TPOT and the nominal length.
    let tokens_per_sec = match row.load {
        Load::Prompt(_) => None,
        Load::Concurrency(_) if (row.output_nominal - row.output).abs() > 0.5 => {
            let ratio = (served.ttft_secs + served.tpot_secs * (row.output - 1.0))
                / (served.ttft_secs + served.tpot_secs * (row.output_nominal - 1.0));
            Some(served.output_tokens_per_sec * replicas * ratio * row.output_nominal / row.output)
        }
        _ => Some(served.output_tokens_per_sec * replicas / row.beams.max(1.0)),
    };
    let tpot = !matches!(row.load, Load::Prompt(_) | Load::Full);
    let ttft = !matches!(row.load, Load::Full | Load::Target(_));
    Ok(Figures {
        tokens_per_sec,
        tpot_secs: tpot.then_some(served.tpot_secs),
        ttft_secs: ttft.then_some(served.ttft_secs),
        kernel_secs: None,
    })
}

/// Tensor, pipeline and data parallelism where a row states GPUs alone: the smallest power of two that leaves room for
/// KV; a mixture with latent attention that needs eight takes data-parallel attention, as its recipes do.
fn parallelism(model: &ModelFacts, gpu: &GpuFacts, weights: WeightFormat, gpus: f64) -> (u32, u32, u32) {
    let bytes = model.total_params * weights.bytes_per_weight();
    let fits = |t: u32| bytes <= WEIGHTS_SHARE * f64::from(t) * gpu.memory_bytes;
    let most = gpus.max(1.0) as u32;
    let tp = [1, 2, 4, 8].into_iter().find(|t| fits(*t) && *t <= most).unwrap_or_else(|| most.min(8));
    let server = matches!(gpu.make, Make::Hbm | Make::AmdServer);
    let spread = model.mla.is_some() && model.experts.is_some() && server && tp >= 4;
    if spread { (1, 1, most.min(8)) } else { (tp, 1, 1) }
}
