//! The best deployment for a workload: GPU, count, parallelism, formats, replicas.
//!
//! Every candidate is prepared once and asked for what it serves within the latency targets; replicas follow from the
//! busiest hour, headroom included. Prices are the cheapest on-demand rates of the catalogue. Quality is that of the
//! model as the scenario states it: what a narrower format costs in quality is not known, so formats are shown, not
//! judged; the objectives that care prefer the wider one among equals.

use serde::Serialize;

use crate::catalog::{Catalog, GpuClass, ModelSpec, NativeDtype};
use crate::serving::{
    Calibration, Engine, GpuFacts, Lengths, ModelFacts, Perf, Precision, Setup, WeightFormat,
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

/// Searches models (each with its quality) x GPUs x counts x formats.
#[must_use]
pub fn size(models: &[(ModelSpec, f64)], ask: &SizeAsk, catalog: &Catalog) -> Sizes {
    let calibration = Calibration::shipped();
    let mut sizes = Sizes {
        ask: *ask,
        tried: 0,
        impossible: 0,
        too_slow: 0,
        best: Vec::new(),
        front: Vec::new(),
        by_gpu: Vec::new(),
    };
    let mut found = Vec::new();
    for gpu in catalog.gpus.iter().filter(|gpu| gpu.class != GpuClass::Tpu && gpu.class != GpuClass::Apple) {
        let cheapest = catalog
            .rates_of(&gpu.id)
            .filter_map(|rate| Some((rate.on_demand_usd_per_gpu_hour.filter(|usd| *usd > 0.0)?, rate)))
            .min_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| x.id.cmp(&y.id)));
        let Some((usd, rate)) = cheapest else { continue };
        let device = GpuFacts::from_spec(gpu);
        for (model, quality) in models {
            let facts = ModelFacts::from_spec(model);
            for &count in COUNTS {
                for &(weights, kv) in FORMATS {
                    // A format that the hardware only widens saves memory; FP4 without hardware is INT4's place.
                    let hopeless = weights == WeightFormat::Nvfp4 && device.fp4_flops.is_none();
                    if hopeless || !is_usual(model, weights) {
                        continue;
                    }
                    sizes.tried += 1;
                    let setup = Setup::new(count, weights, kv, ask.engine);
                    let Ok(perf) = Perf::with(&facts, &device, &setup, &calibration.serving) else {
                        sizes.impossible += 1;
                        continue;
                    };
                    let Some((replicas, served)) = replicas(&perf, ask) else {
                        sizes.too_slow += 1;
                        continue;
                    };
                    let gpus = replicas * f64::from(count);
                    found.push(Candidate {
                        model: model.id.clone(),
                        quality: *quality,
                        gpu: gpu.id.clone(),
                        gpus_per_replica: count,
                        weights: weights.label().to_owned(),
                        kv: kv.label().to_owned(),
                        replicas,
                        gpus,
                        usd_per_month: gpus * usd * HOURS_PER_MONTH,
                        usd_per_gpu_hour: usd,
                        rate: rate.id.clone(),
                        calls_per_sec_per_replica: served.capacity,
                        ttft_secs: served.ttft_secs,
                        tpot_secs: served.tpot_secs,
                        call_secs: served.ttft_secs + served.tpot_secs * (ask.output_tokens - 1.0).max(0.0),
                        on_front: false,
                        bytes_per_weight: weights.bytes_per_weight(),
                    });
                }
            }
        }
    }
    mark_front(&mut found);
    sizes.best = Objective::ALL
        .iter()
        .filter_map(|objective| Some(Best { objective: *objective, candidate: best(&found, *objective)? }))
        .collect();
    sizes.front = found.iter().filter(|c| c.on_front).cloned().collect();
    sizes.by_gpu = cheapest_by_gpu(&found);
    sizes
}

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
                (&a.gpu, a.gpus_per_replica, &a.weights, &a.kv).cmp(&(
                    &b.gpu,
                    b.gpus_per_replica,
                    &b.weights,
                    &b.kv,
                ))
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
        size(&models, ask, catalog)
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
