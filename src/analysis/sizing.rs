//! The best deployment for a workload: GPU, count, parallelism (tensor, pipeline, data, expert), formats, replicas.
//!
//! Every candidate is prepared once and asked for what it serves within the latency targets; replicas follow from the
//! busiest hour, headroom included. Prices are the cheapest on-demand rates of the catalogue. Quality is that of the
//! model as the scenario states it: what a narrower format costs in quality is not known, so formats are shown, not
//! judged; the objectives that care prefer the wider one among equals.

use serde::Serialize;

use crate::catalog::{Catalog, GpuClass, GpuSpec, ModelSpec, NativeDtype};
use crate::job::Stopped;
use crate::routing::Serves;
use crate::scenario::Scenario;
use crate::serving::{
    Calibration, Engine, GpuFacts, Layout, Lengths, ModelFacts, Perf, Precision, Setup, WeightFormat,
};
use crate::unit::HOURS_PER_MONTH;

/// What has to be served.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SizeAsk {
    /// Calls per second in the busiest hour.
    pub peak_calls_per_sec: f64,
    /// Mean prompt of a call, in tokens.
    pub prompt_tokens: f64,
    /// Mean output of a call, in tokens.
    pub output_tokens: f64,
    /// Time to first token that must be kept, in seconds.
    pub ttft_secs: f64,
    /// Time per output token that must be kept, in seconds.
    pub tpot_secs: f64,
    /// Capacity kept free above the peak, as a share.
    pub headroom: f64,
    /// Engine.
    pub engine: Engine,
}

/// What is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The lowest cost.
    Cost,
    /// The lowest product of cost and time of a call.
    Balanced,
    /// The best model, then the widest weights, then the lowest cost.
    Quality,
    /// The shortest call.
    Latency,
    /// The lowest cost with weights of 8 bit or more and a spare replica.
    Enterprise,
}

impl Objective {
    /// All of them, in order of display.
    pub const ALL: &[Self] = &[Self::Cost, Self::Balanced, Self::Quality, Self::Latency, Self::Enterprise];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Balanced => "balanced",
            Self::Quality => "quality",
            Self::Latency => "latency",
            Self::Enterprise => "enterprise",
        }
    }
}

/// A deployment that keeps the targets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Catalogue id of the model.
    pub model: String,
    /// Its quality in the scenario, 0..=1.
    pub quality: f64,
    /// Catalogue id of the GPU.
    pub gpu: String,
    /// GPUs of a replica.
    pub gpus_per_replica: u32,
    /// How they share the work where it is not tensor parallelism alone.
    pub layout: Option<Layout>,
    /// Format of the weights.
    pub weights: String,
    /// Format of the KV cache.
    pub kv: String,
    /// Replicas.
    pub replicas: f64,
    /// GPUs in all.
    pub gpus: f64,
    /// US dollars per month.
    pub usd_per_month: f64,
    /// Cloud rate, in US dollars per GPU hour, and where.
    pub usd_per_gpu_hour: f64,
    /// Id of the cloud rate.
    pub rate: String,
    /// Calls per second that a replica serves within the targets.
    pub calls_per_sec_per_replica: f64,
    /// Mean time to first token in the busiest hour, in seconds.
    pub ttft_secs: f64,
    /// Time per output token in the busiest hour, in seconds.
    pub tpot_secs: f64,
    /// Time of a whole call, in seconds.
    pub call_secs: f64,
    /// Whether nothing is both cheaper and faster with at least this quality.
    pub on_front: bool,
    #[serde(skip)]
    bytes_per_weight: f64,
    /// Format of weights and KV as a deployment holds them.
    #[serde(skip)]
    pub formats: (WeightFormat, Precision),
}

impl Candidate {
    /// The parallelism in a few letters: `TP4`, `TP2 PP2`, `DP8 EP`.
    #[must_use]
    pub fn split(&self) -> String {
        let layout = self.layout.unwrap_or(Layout { pipeline: 1, data: 1, expert: false });
        let tensor = layout.tensor(self.gpus_per_replica).unwrap_or(1);
        let mut parts: Vec<String> = Vec::new();
        for (name, degree) in [("TP", tensor), ("PP", layout.pipeline), ("DP", layout.data)] {
            if degree > 1 {
                parts.push(format!("{name}{degree}"));
            }
        }
        if layout.expert {
            parts.push("EP".to_owned());
        }
        if parts.is_empty() { "TP1".to_owned() } else { parts.join(" ") }
    }
}

/// The search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sizes {
    /// What was asked.
    pub ask: SizeAsk,
    /// Configurations that were tried.
    pub tried: usize,
    /// Of them, that do not fit or whose parallelism does not divide.
    pub impossible: usize,
    /// Of them, that miss a target even when alone.
    pub too_slow: usize,
    /// The best by objective, where any candidate qualifies.
    pub best: Vec<Best>,
    /// The Pareto front of cost, time of a call and quality, by cost.
    pub front: Vec<Candidate>,
    /// The cheapest by GPU and GPUs of a replica.
    pub by_gpu: Vec<Candidate>,
}

/// The choice of one objective.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Best {
    /// Which.
    pub objective: Objective,
    /// The deployment.
    pub candidate: Candidate,
}

/// GPUs of a replica that are tried.
const COUNTS: &[u32] = &[1, 2, 4, 8];

/// Formats of weights and KV that are tried.
const FORMATS: &[(WeightFormat, Precision)] = &[
    (WeightFormat::Bf16, Precision::Bf16),
    (WeightFormat::Fp8, Precision::Bf16),
    (WeightFormat::Fp8, Precision::Fp8),
    (WeightFormat::Int4, Precision::Bf16),
    (WeightFormat::Nvfp4, Precision::Fp8),
    (WeightFormat::Mxfp4, Precision::Bf16),
    (WeightFormat::Mxfp4, Precision::Fp8),
];

/// Whether a format is one that a model is run in: mixtures published in MXFP4 keep it, the others do not take it.
fn is_usual(model: &ModelSpec, weights: WeightFormat) -> bool {
    match (model.native_dtype, weights) {
        (NativeDtype::Mxfp4Experts, WeightFormat::Mxfp4 | WeightFormat::Bf16) => true,
        (NativeDtype::Mxfp4Experts, _) | (_, WeightFormat::Mxfp4) => false,
        _ => true,
    }
}

/// How a replica of so many GPUs may share the work: tensor parallelism, two groups of layers, and for mixtures of
/// experts whole experts, with attention split or copied.
fn layouts(model: &ModelSpec, gpus: u32) -> Vec<Option<Layout>> {
    let mut found = vec![None];
    if gpus > 1 {
        found.push(Some(Layout { pipeline: 2, data: 1, expert: false }));
        if model.moe.is_some() {
            found.push(Some(Layout { pipeline: 1, data: 1, expert: true }));
            found.push(Some(Layout { pipeline: 1, data: gpus, expert: true }));
        }
    }
    found
}

/// Searches models (each with its quality) x GPUs x counts x parallelism x formats.
#[must_use]
pub fn size(
    models: &[(ModelSpec, f64)],
    ask: &SizeAsk,
    catalog: &Catalog,
    calibration: &Calibration,
) -> Sizes {
    size_watched(models, ask, catalog, calibration, &mut |_, _| true)
        .unwrap_or_else(|_| unreachable!("nobody stops it"))
}

/// [`size`], watched.
///
/// - `go_on`: GPUs that are done and all of them; whether to go on.
///
/// # Errors
/// [`Stopped`] if `go_on` says so.
pub fn size_watched(
    models: &[(ModelSpec, f64)],
    ask: &SizeAsk,
    catalog: &Catalog,
    calibration: &Calibration,
    go_on: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Sizes, Stopped> {
    let mut search = Search { ask, calibration, found: Vec::new(), tried: 0, impossible: 0, too_slow: 0 };
    let usable = |gpu: &&GpuSpec| gpu.class != GpuClass::Tpu && gpu.class != GpuClass::Apple;
    let gpus: Vec<&GpuSpec> = catalog.gpus.iter().filter(usable).collect();
    for (done, gpu) in gpus.iter().enumerate() {
        if !go_on(done, gpus.len()) {
            return Err(Stopped);
        }
        let cheapest = catalog
            .rates_of(&gpu.id)
            .filter_map(|rate| Some((rate.on_demand_usd_per_gpu_hour.filter(|usd| *usd > 0.0)?, rate)))
            .min_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| x.id.cmp(&y.id)));
        let Some((usd, rate)) = cheapest else { continue };
        for (model, quality) in models {
            search.gpu(gpu, (usd, &rate.id), model, *quality);
        }
    }
    let Search { mut found, tried, impossible, too_slow, .. } = search;
    mark_front(&mut found);
    let best = Objective::ALL
        .iter()
        .filter_map(|objective| Some(Best { objective: *objective, candidate: best(&found, *objective)? }))
        .collect();
    let front = found.iter().filter(|c| c.on_front).cloned().collect();
    Ok(Sizes { ask: *ask, tried, impossible, too_slow, best, front, by_gpu: cheapest_by_gpu(&found) })
}

/// A search under way.
struct Search<'a> {
    ask: &'a SizeAsk,
    calibration: &'a Calibration,
    found: Vec<Candidate>,
    tried: usize,
    impossible: usize,
    too_slow: usize,
}

impl Search<'_> {
    /// Every count, parallelism and format of a model on a GPU.
    fn gpu(&mut self, gpu: &GpuSpec, (usd, rate): (f64, &str), model: &ModelSpec, quality: f64) {
        let (facts, device) = (ModelFacts::from_spec(model), GpuFacts::from_spec(gpu));
        for &count in COUNTS {
            for layout in layouts(model, count) {
                for &(weights, kv) in FORMATS {
                    // A format that the hardware only widens saves memory; FP4 without hardware is INT4's place.
                    let hopeless = weights == WeightFormat::Nvfp4 && device.fp4_flops.is_none();
                    if hopeless || !is_usual(model, weights) {
                        continue;
                    }
                    self.tried += 1;
                    let mut setup = Setup::new(count, weights, kv, self.ask.engine);
                    if let Some(layout) = layout {
                        setup.tensor_parallel = layout.tensor(count).unwrap_or(0);
                        (setup.pipeline_parallel, setup.data_parallel) = (layout.pipeline, layout.data);
                        setup.expert_parallel = layout.expert;
                    }
                    let Ok(perf) = Perf::with(&facts, &device, &setup, &self.calibration.serving) else {
                        self.impossible += 1;
                        continue;
                    };
                    let Some((replicas, served)) = replicas(&perf, self.ask) else {
                        self.too_slow += 1;
                        continue;
                    };
                    let gpus = replicas * f64::from(count);
                    let rest = (self.ask.output_tokens - 1.0).max(0.0);
                    self.found.push(Candidate {
                        model: model.id.clone(),
                        quality,
                        gpu: gpu.id.clone(),
                        gpus_per_replica: count,
                        layout,
                        weights: weights.label().to_owned(),
                        kv: kv.label().to_owned(),
                        replicas,
                        gpus,
                        usd_per_month: gpus * usd * HOURS_PER_MONTH,
                        usd_per_gpu_hour: usd,
                        rate: rate.to_owned(),
                        calls_per_sec_per_replica: served.capacity,
                        ttft_secs: served.ttft_secs,
                        tpot_secs: served.tpot_secs,
                        call_secs: served.ttft_secs + served.tpot_secs * rest,
                        on_front: false,
                        bytes_per_weight: weights.bytes_per_weight(),
                        formats: (weights, kv),
                    });
                }
            }
        }
    }
}

/// The workload of a scenario as one mean call, its peak, and the tightest targets of its use cases.
#[must_use]
pub fn asked(scenario: &Scenario, engine: Engine, headroom: f64) -> SizeAsk {
    let outcome = super::evaluate(scenario);
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
    SizeAsk {
        peak_calls_per_sec: peak,
        prompt_tokens: prompt / calls,
        output_tokens: out / calls,
        ttft_secs: slos().map(|s| s.ttft_secs).fold(f64::INFINITY, f64::min),
        tpot_secs: slos().map(|s| s.tpot_secs).fold(f64::INFINITY, f64::min),
        headroom,
        engine,
    }
}

/// The models that a scenario hosts itself, each once, with the quality of the first endpoint that has it.
#[must_use]
pub fn hosted(scenario: &Scenario, catalog: &Catalog) -> Vec<(ModelSpec, f64)> {
    let mut models: Vec<(ModelSpec, f64)> = Vec::new();
    for endpoint in scenario.point().plans.iter().flat_map(|plan| &plan.endpoints) {
        let Serves::SelfHosted(own) = &endpoint.serves else { continue };
        let known = models.iter().any(|(row, _)| row.id == own.deployment.model);
        if let (false, Ok(row)) = (known, catalog.model(&own.deployment.model)) {
            models.push((row.clone(), endpoint.quality));
        }
    }
    models
}

impl SizeAsk {
    /// Whether every number is one that can be searched for.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        let above_zero =
            [self.peak_calls_per_sec, self.prompt_tokens, self.output_tokens, self.ttft_secs, self.tpot_secs];
        above_zero.iter().all(|x| x.is_finite() && *x > 0.0) && (0.0..=10.0).contains(&self.headroom)
    }
}

/// Seconds of a month.
const SECS_PER_MONTH: f64 = HOURS_PER_MONTH * 3600.0;

/// What a replica does in the busiest hour.
struct Busy {
    capacity: f64,
    ttft_secs: f64,
    tpot_secs: f64,
}

/// Replicas for the peak with headroom, and how a replica then answers; `None` if a target is missed even so.
fn replicas(perf: &Perf, ask: &SizeAsk) -> Option<(f64, Busy)> {
    let lengths = Lengths::new(ask.prompt_tokens, ask.output_tokens);
    let within = perf.within_tpot(ask.tpot_secs, &lengths);
    if !(within.calls_per_sec > 0.0 && within.tpot_secs <= ask.tpot_secs) {
        return None;
    }
    let needed = ask.peak_calls_per_sec * (1.0 + ask.headroom) / within.calls_per_sec;
    let mut replicas = (needed - 1e-9).ceil().max(1.0);
    // A longer queue than the target allows takes more replicas; a prompt that alone takes too long is hopeless.
    for _ in 0..6 {
        let served = perf.at_rate(ask.peak_calls_per_sec / replicas, None, &lengths);
        if served.ttft_secs <= ask.ttft_secs && served.tpot_secs <= ask.tpot_secs {
            let busy = Busy {
                capacity: within.calls_per_sec,
                ttft_secs: served.ttft_secs,
                tpot_secs: served.tpot_secs,
            };
            return Some((replicas, busy));
        }
        replicas = (replicas * 1.3).ceil();
    }
    None
}

/// Marks what nothing beats in cost, time and quality at once.
fn mark_front(found: &mut [Candidate]) {
    found.sort_by(|a, b| {
        a.usd_per_month
            .total_cmp(&b.usd_per_month)
            .then_with(|| a.call_secs.total_cmp(&b.call_secs))
            .then_with(|| b.quality.total_cmp(&a.quality))
            .then_with(|| {
                let key = |c: &Candidate| {
                    (c.gpu.clone(), c.gpus_per_replica, c.split(), c.weights.clone(), c.kv.clone())
                };
                key(a).cmp(&key(b))
            })
    });
    // In order of cost a candidate is beaten only by one before it.
    for i in 0..found.len() {
        let beaten = found[..i]
            .iter()
            .any(|c| c.on_front && c.call_secs <= found[i].call_secs && c.quality >= found[i].quality);
        found[i].on_front = !beaten;
    }
}

fn best(found: &[Candidate], objective: Objective) -> Option<Candidate> {
    let by = |key: &dyn Fn(&Candidate) -> [f64; 3]| {
        let order = |a: &&Candidate, b: &&Candidate| {
            let (a, b) = (key(a), key(b));
            a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])).then(a[2].total_cmp(&b[2]))
        };
        found.iter().min_by(order).cloned()
    };
    match objective {
        Objective::Cost => by(&|c| [c.usd_per_month, c.call_secs, -c.quality]),
        Objective::Latency => by(&|c| [c.call_secs, c.usd_per_month, -c.quality]),
        Objective::Balanced => by(&|c| [c.usd_per_month * c.call_secs, c.usd_per_month, -c.quality]),
        Objective::Quality => by(&|c| [-c.quality, -c.bytes_per_weight, c.usd_per_month]),
        Objective::Enterprise => {
            let spare = |c: &Candidate| (c.replicas + 1.0) / c.replicas * c.usd_per_month;
            let wide = found.iter().filter(|c| c.bytes_per_weight >= 1.0);
            let mut chosen = wide.min_by(|a, b| spare(a).total_cmp(&spare(b)))?.clone();
            chosen.usd_per_month = spare(&chosen);
            chosen.replicas += 1.0;
            chosen.gpus += f64::from(chosen.gpus_per_replica);
            Some(chosen)
        }
    }
}

fn cheapest_by_gpu(found: &[Candidate]) -> Vec<Candidate> {
    let mut cells: std::collections::BTreeMap<(&str, u32), &Candidate> = std::collections::BTreeMap::new();
    for candidate in found {
        // In order of cost: the first of a cell is its cheapest.
        cells.entry((&candidate.gpu, candidate.gpus_per_replica)).or_insert(candidate);
    }
    cells.into_values().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> SizeAsk {
        SizeAsk {
            peak_calls_per_sec: 20.0,
            prompt_tokens: 1500.0,
            output_tokens: 300.0,
            ttft_secs: 2.0,
            tpot_secs: 0.05,
            headroom: 0.3,
            engine: Engine::Vllm,
        }
    }

    fn found(ask: &SizeAsk) -> Sizes {
        let catalog = Catalog::shipped();
        let models = [
            (catalog.model("llama-3.1-8b").unwrap().clone(), 0.8),
            (catalog.model("llama-3.3-70b").unwrap().clone(), 0.9),
        ];
        size(&models, ask, catalog, Calibration::shipped())
    }

    #[test]
    fn every_choice_keeps_the_targets_and_carries_the_peak() {
        let sizes = found(&ask());
        assert!(sizes.tried > 300 && !sizes.front.is_empty());
        assert_eq!(sizes.best.len(), Objective::ALL.len());
        for Best { candidate: c, .. } in &sizes.best {
            assert!(c.ttft_secs <= 2.0 && c.tpot_secs <= 0.05, "{c:?}");
            assert!(c.replicas * c.calls_per_sec_per_replica >= 20.0 * 1.3 - 1e-6, "{c:?}");
            let hours = c.gpus * c.usd_per_gpu_hour * HOURS_PER_MONTH;
            assert!((c.usd_per_month / hours - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_mixture_is_tried_under_every_parallelism_and_a_stop_is_felt() {
        let catalog = Catalog::shipped();
        let models = [(catalog.model("deepseek-v3").unwrap().clone(), 0.9)];
        let calibration = Calibration::shipped();
        let sizes = size(&models, &ask(), catalog, calibration);
        let layouts = layouts(&models[0].0, 8);
        assert_eq!(layouts.len(), 4);
        assert!(layouts.iter().flatten().all(|layout| layout.tensor(8).is_some()));
        assert!(sizes.by_gpu.iter().all(|c| !c.split().is_empty()) && !sizes.by_gpu.is_empty());
        let stopped = size_watched(&models, &ask(), catalog, calibration, &mut |done, _| done < 3);
        assert!(stopped.is_err());
    }

    #[test]
    fn each_objective_is_best_at_what_it_asks_for() {
        let sizes = found(&ask());
        let of = |objective| {
            let best = sizes.best.iter().find(|b| b.objective == objective).unwrap();
            best.candidate.clone()
        };
        let cost = of(Objective::Cost);
        assert!(sizes.by_gpu.iter().all(|c| c.usd_per_month >= cost.usd_per_month));
        assert!(of(Objective::Latency).call_secs <= cost.call_secs);
        assert!((of(Objective::Quality).quality - 0.9).abs() < 1e-12);
        assert!(of(Objective::Enterprise).replicas >= 2.0);
    }

    #[test]
    fn nothing_on_the_front_is_beaten() {
        let front = found(&ask()).front;
        for a in &front {
            for b in &front {
                let beats =
                    b.usd_per_month < a.usd_per_month && b.call_secs <= a.call_secs && b.quality >= a.quality;
                assert!(!beats, "{b:?} beats {a:?}");
            }
        }
    }

    #[test]
    fn a_tighter_target_never_costs_less_and_an_impossible_one_finds_nothing() {
        let loose = found(&ask()).best[0].candidate.usd_per_month;
        let tight = found(&SizeAsk { tpot_secs: 0.012, ..ask() });
        assert!(tight.best.first().is_none_or(|b| b.candidate.usd_per_month >= loose));
        let none = found(&SizeAsk { tpot_secs: 1e-5, ..ask() });
        assert!(none.best.is_empty() && none.front.is_empty() && none.too_slow > 0);
    }
}
