//! What the page *Serving* is asked, and the last answer: recomputed when an input changes, never otherwise.

use std::path::Path;
use std::sync::Arc;

use egui_plot::PlotPoint;

use crate::analysis::perf::{Ask, AskError, AskLoad, native};
use crate::analysis::serving_curve::{Curve, Targets, curve, is_about_memory, smallest_fit};
use crate::app::plots::axis::log;
use crate::catalog::{Catalog, CloudRate, GpuSpec, ModelSpec};
use crate::serving::{Calibration, Engine, MEMORY_SHARE, Precision, WeightFormat, YEAR};

/// A model of the catalogue, or of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Chosen {
    /// By its id.
    Catalogue(String),
    /// Read from a `config.json`.
    Config(Arc<ModelSpec>),
}

/// Everything that the answer depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Which model.
    pub model: Chosen,
    /// Catalogue id of the GPU.
    pub gpu: String,
    /// GPUs of the replica.
    pub gpus: u32,
    /// Tensor parallelism; what the other degrees leave if not given.
    pub tensor: Option<u32>,
    /// Pipeline parallelism.
    pub pipeline: u32,
    /// Data-parallel attention.
    pub data: u32,
    /// Whether whole experts are spread.
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
    /// Most sequences at once; 0 is what the engine is calibrated to.
    pub max_sequences: u32,
    /// Prompt, in tokens.
    pub prompt_tokens: f64,
    /// Output, in tokens.
    pub output_tokens: f64,
    /// Share of the prompt in the prefix cache, 0..=1.
    pub prefix_hit: f64,
    /// Tokens drafted per step; 0 is none.
    pub drafted: u32,
    /// Probability that a drafted token is accepted, 0..=1.
    pub acceptance: f64,
    /// Users at once; the most that keep the targets if not given.
    pub users: Option<f64>,
    /// Latencies to keep.
    pub targets: Targets,
    /// US dollars per GPU and hour; the cheapest on-demand rate of the catalogue if not given.
    pub usd_per_gpu_hour: Option<f64>,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            model: Chosen::Catalogue("llama-3.3-70b".to_owned()),
            gpu: "h100-sxm-80gb".to_owned(),
            gpus: 4,
            tensor: None,
            pipeline: 1,
            data: 1,
            expert: false,
            weights: Some(WeightFormat::Fp8),
            kv: Precision::Bf16,
            engine: Engine::Vllm,
            year: YEAR,
            memory_share: MEMORY_SHARE,
            max_sequences: 0,
            prompt_tokens: 2048.0,
            output_tokens: 512.0,
            prefix_hit: 0.0,
            drafted: 0,
            acceptance: 0.7,
            users: None,
            targets: Targets { ttft_secs: 2.0, tpot_secs: 0.05 },
            usd_per_gpu_hour: None,
        }
    }
}

impl Inputs {
    /// The model's facts, if it is known.
    #[must_use]
    pub fn model<'a>(&'a self, catalog: &'a Catalog) -> Option<&'a ModelSpec> {
        match &self.model {
            Chosen::Catalogue(id) => catalog.model(id).ok(),
            Chosen::Config(spec) => Some(spec),
        }
    }

    /// The question without its load.
    #[must_use]
    pub fn ask(&self) -> Ask {
        Ask {
            gpus: self.gpus,
            tensor: self.tensor,
            pipeline: self.pipeline,
            data: self.data,
            expert: self.expert,
            weights: self.weights,
            kv: self.kv,
            engine: self.engine,
            year: self.year,
            memory_share: self.memory_share,
            max_sequences: (self.max_sequences > 0).then(|| f64::from(self.max_sequences)),
            input: self.prompt_tokens,
            prefix_hit: self.prefix_hit,
            output: self.output_tokens,
            load: AskLoad::Max,
            draft: (self.drafted > 0).then_some((f64::from(self.drafted), self.acceptance)),
        }
    }

    /// Format of the weights, the published one where none is chosen.
    #[must_use]
    pub fn format(&self, model: &ModelSpec) -> WeightFormat {
        self.weights.unwrap_or_else(|| native(model))
    }
}

/// What is paid for a GPU hour, and where the number comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// US dollars per GPU and hour.
    pub usd_per_gpu_hour: f64,
    /// Its source.
    pub source: String,
}

/// Curves as they are drawn: logarithms of users and of the figure.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// Tokens per second of the replica.
    pub tokens: Vec<PlotPoint>,
    /// The same per GPU.
    pub tokens_per_gpu: Vec<PlotPoint>,
    /// Time to first token, in seconds.
    pub ttft: Vec<PlotPoint>,
    /// Time per output token, in seconds.
    pub tpot: Vec<PlotPoint>,
    /// US dollars per million output tokens; empty without a price.
    pub usd: Vec<PlotPoint>,
}

/// An answer with all that is shown of it.
#[derive(Debug)]
pub struct Computed {
    /// What was asked.
    pub inputs: Inputs,
    /// The model, if it is known.
    pub model: Option<ModelSpec>,
    /// The GPU, if it is known.
    pub gpu: Option<GpuSpec>,
    /// The answer, or why there is none.
    pub result: Result<Curve, Trouble>,
    /// Price of a GPU hour, if there is one.
    pub price: Option<Price>,
    /// Curves to draw.
    pub lines: Lines,
    /// Constants that it was computed with.
    pub calibration: Arc<Calibration>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// The model is not in the catalogue.
    Model(String),
    /// The GPU is not in the catalogue.
    Gpu(String),
    /// It cannot be served so; the smallest number of GPUs that would do, where memory is the reason.
    Ask(AskError, Option<u32>),
}

impl Trouble {
    /// In words, with what to do.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Model(id) => format!("the catalogue has no model \"{id}\"; choose another"),
            Self::Gpu(id) => format!("the catalogue has no GPU \"{id}\"; choose another"),
            Self::Ask(error, _) => error.to_string(),
        }
    }
}

impl Computed {
    fn new(inputs: &Inputs, catalog: &Catalog, calibration: &Arc<Calibration>) -> Self {
        let (model, gpu) = (inputs.model(catalog).cloned(), catalog.gpu(&inputs.gpu).ok().cloned());
        let price = price(inputs, catalog);
        let result = match (&model, &gpu) {
            (None, _) => Err(Trouble::Model(match &inputs.model {
                Chosen::Catalogue(id) => id.clone(),
                Chosen::Config(spec) => spec.id.clone(),
            })),
            (_, None) => Err(Trouble::Gpu(inputs.gpu.clone())),
            (Some(model), Some(gpu)) => answered(model, gpu, inputs, calibration),
        };
        let lines = result.as_ref().map(|curve| lines(curve, price.as_ref())).unwrap_or_default();
        let calibration = Arc::clone(calibration);
        Self { inputs: inputs.clone(), model, gpu, result, price, lines, calibration }
    }

    /// US dollars per million output tokens at a rate of the whole replica.
    #[must_use]
    pub fn usd_per_mtok(&self, output_tokens_per_sec: f64) -> Option<f64> {
        let price = self.price.as_ref()?;
        usd_per_mtok(price.usd_per_gpu_hour, self.inputs.gpus, output_tokens_per_sec)
    }
}

fn answered(
    model: &ModelSpec,
    gpu: &GpuSpec,
    inputs: &Inputs,
    calibration: &Calibration,
) -> Result<Curve, Trouble> {
    let ask = inputs.ask();
    curve(model, gpu, &ask, &inputs.targets, inputs.users, calibration).map_err(|error| {
        let gpus = is_about_memory(&error).then(|| smallest_fit(model, gpu, &ask, calibration)).flatten();
        Trouble::Ask(error, gpus)
    })
}

/// `$/h × GPUs / (tokens/s × 3600 / 10⁶)`; none where nothing is served.
fn usd_per_mtok(usd_per_gpu_hour: f64, gpus: u32, output_tokens_per_sec: f64) -> Option<f64> {
    let mtok_per_hour = output_tokens_per_sec * 3600.0 / 1e6;
    (mtok_per_hour > 0.0).then(|| usd_per_gpu_hour * f64::from(gpus) / mtok_per_hour)
}

fn price(inputs: &Inputs, catalog: &Catalog) -> Option<Price> {
    if let Some(usd_per_gpu_hour) = inputs.usd_per_gpu_hour {
        return Some(Price { usd_per_gpu_hour, source: "As typed".to_owned() });
    }
    let (rate, usd_per_gpu_hour) = cheapest(catalog, &inputs.gpu)?;
    let source = format!(
        "Cheapest on-demand rate of the catalogue: {} {}, {}, read {}",
        rate.provider, rate.instance, rate.region, rate.source.read
    );
    Some(Price { usd_per_gpu_hour, source })
}

/// The cheapest on-demand rate of a GPU.
fn cheapest<'a>(catalog: &'a Catalog, gpu: &'a str) -> Option<(&'a CloudRate, f64)> {
    let priced = catalog.rates_of(gpu).filter_map(|rate| Some((rate, rate.on_demand_usd_per_gpu_hour?)));
    priced.min_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.id.cmp(&b.0.id)))
}

fn lines(curve: &Curve, price: Option<&Price>) -> Lines {
    let gpus = curve.at.gpus;
    let mut lines = Lines::default();
    for point in &curve.points {
        let x = log(point.users);
        let at = |y: f64| PlotPoint::new(x, log(y));
        lines.tokens.push(at(point.output_tokens_per_sec));
        lines.tokens_per_gpu.push(at(point.output_tokens_per_sec / f64::from(gpus.max(1))));
        lines.ttft.push(at(point.ttft_secs));
        lines.tpot.push(at(point.tpot_secs));
        let usd = price.and_then(|p| usd_per_mtok(p.usd_per_gpu_hour, gpus, point.output_tokens_per_sec));
        lines.usd.extend(usd.map(at));
    }
    lines
}

/// The page's part of the session.
#[derive(Debug, Clone, Default)]
pub struct ServingState {
    /// What is asked.
    pub inputs: Inputs,
    /// The path of a `config.json`, as it is typed.
    pub config_path: String,
    /// The last configuration that was taken over or refused, counted.
    pub config_seen: u64,
    /// The plan and endpoint that "Use in plan" writes to.
    pub target: Option<(String, String)>,
    /// What was last written to a plan: the inputs, and the plan's name.
    pub written: Option<(Inputs, String)>,
    answer: Option<Arc<Computed>>,
}

impl ServingState {
    /// The answer to the inputs as they are now; computed only if they changed.
    pub fn computed(&mut self, catalog: &Catalog, calibration: &Arc<Calibration>) -> Arc<Computed> {
        if let Some(answer) = self.answer.as_ref().filter(|answer| answer.inputs == self.inputs) {
            return Arc::clone(answer);
        }
        let answer = Arc::new(Computed::new(&self.inputs, catalog, calibration));
        self.answer = Some(Arc::clone(&answer));
        answer
    }

    /// Takes over a configuration that was read since the last look.
    pub fn take_config(&mut self, counted: u64, path: &Path, read: Option<&Arc<ModelSpec>>) {
        if self.config_seen == counted {
            return;
        }
        self.config_seen = counted;
        self.config_path = path.display().to_string();
        if let Some(spec) = read {
            self.inputs.model = Chosen::Config(Arc::clone(spec));
            self.inputs.weights = None;
            self.inputs.users = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Arc<Calibration> {
        Arc::new(Calibration::shipped().clone())
    }

    #[test]
    fn an_answer_is_computed_once_for_the_same_inputs() {
        let mut state = ServingState::default();
        let first = state.computed(Catalog::shipped(), &shipped());
        assert!(Arc::ptr_eq(&first, &state.computed(Catalog::shipped(), &shipped())));
        state.inputs.gpus = 8;
        assert!(!Arc::ptr_eq(&first, &state.computed(Catalog::shipped(), &shipped())));
    }

    #[test]
    fn three_dollars_an_hour_over_a_thousand_tokens_per_second_are_83_cents_a_million() {
        let usd = usd_per_mtok(3.0, 1, 1000.0).unwrap();
        assert!((usd - 3.0 / 3.6).abs() < 1e-12);
        assert!(usd_per_mtok(3.0, 1, 0.0).is_none());
    }
}
