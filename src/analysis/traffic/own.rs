//! A deployment of own GPUs as replicas to simulate.

use crate::cache::PromptCache;
use crate::pricing::CapacityTerms;
use crate::routing::{Endpoint, SelfHosted};
use crate::scenario::OwnFacts;
use crate::serving::{
    Calibration, Deployment, Engine, LARGE_GPU_BYTES, Preemption, Scaling, ServingError, Speed, Steady,
    decode_step_secs, prefill_secs,
};
use crate::sim::{
    AutoScaling, KvWindow, Pace, PoolSpec, PrefillPool, ReplicaLimits, ReplicaScaling, SpotInterruptions,
};

use super::ask::{DAY, TrafficAsk};

/// Tokens of a step: vLLM's defaults for an API server, on GPUs with 70 GiB or more and on smaller ones.
/// Source: vLLM 0.11, `EngineArgs._set_default_args` (`max_num_batched_tokens`), read 2026-11-24.
const STEP_TOKENS: (u32, u32) = (8_192, 2_048);

/// Time between two looks of an autoscaler, and how long it waits before it stops a replica: Kubernetes' defaults
/// (`--horizontal-pod-autoscaler-sync-period`, `stabilizationWindowSeconds`), read 2026-11-24.
const LOOK_SECS: f64 = 15.0;
const PATIENCE_SECS: f64 = 300.0;

/// Calls that may wait at a replica before the next is turned away: bounds the memory of a plan that cannot keep up.
const WAITING_MAX: usize = 20_000;

/// What an own endpoint's replicas may do, and how fast they are.
pub(super) fn pool_spec(
    (own, facts): (&SelfHosted<f64>, &OwnFacts),
    endpoint: &Endpoint<f64>,
    ask: &TrafficAsk,
    replicas: f64,
    steady: Option<Steady>,
    calibration: &Calibration,
) -> Result<PoolSpec, ServingError> {
    let d = &own.deployment;
    let speed = Speed::with(&facts.model, &facts.gpu, d, calibration)?;
    let sequences_max = d.max_sequences.clamp(1, 8_192);
    let (pace, front_secs) = match &speed {
        Speed::Calibrated(prepared) => (Pace::of(&prepared.0, sequences_max), prepared.0.front_secs()),
        Speed::Stated(_) => (stated_pace(facts, d, sequences_max, steady), 0.0),
    };
    let prefix_cache = matches!(endpoint.prompt_cache, PromptCache::Derived(_));
    let per_token = kv_bytes_per_token(&speed, steady, prefix_cache);
    let moved = kv_bytes_per_token(&speed, steady, true);
    let limits = ReplicaLimits {
        sequences_max,
        step_tokens_max: step_tokens(facts, d),
        kv_blocks: kv_blocks(&speed, per_token, ask.block_tokens),
        block_tokens: ask.block_tokens,
        context_max: facts.model.context_max.clamp(1.0, 1e12) as u64,
        waiting_max: WAITING_MAX,
        window: kv_window(&speed),
        swap_tokens_per_sec: match d.preemption {
            Some(Preemption::Swap { host_bytes_per_sec }) => Some(host_bytes_per_sec / moved.max(1e-3)),
            Some(Preemption::Recompute) | None => None,
        },
    };
    let pace = pace.slowed(1.0 / d.capacity_factor.clamp(1e-3, 1e3));
    let prompts_alone = d.prefill.map_or(0, |prefill| prefill.replicas);
    let scaling = ask.replicas.map_or_else(|| scaling(d, replicas, steady), ReplicaScaling::Fixed);
    Ok(PoolSpec {
        limits,
        prefill: (prompts_alone > 0).then(|| PrefillPool {
            replicas: prompts_alone,
            limits,
            pace: pace.clone(),
            transfer_secs: (0.0, moved / facts.gpu.link_bytes_per_s.max(1.0)),
        }),
        pace,
        prefix_cache,
        balance: ask.balance,
        scaling: without(scaling, prompts_alone),
        spot: spot(&own.terms, d.gpus_per_replica),
        front_secs,
    })
}

/// The replicas of a fleet that answer, where so many of it compute prompts alone; one at least.
fn without(scaling: ReplicaScaling, prompts_alone: u32) -> ReplicaScaling {
    let left = |replicas: u32| replicas.saturating_sub(prompts_alone).max(1);
    match scaling {
        same if prompts_alone == 0 => same,
        ReplicaScaling::Fixed(replicas) => ReplicaScaling::Fixed(left(replicas)),
        ReplicaScaling::Auto(auto) => ReplicaScaling::Auto(AutoScaling {
            first: auto.first.saturating_sub(prompts_alone),
            min: auto.min.saturating_sub(prompts_alone),
            max: left(auto.max),
            ..auto
        }),
    }
}

/// The fewest replicas with which a deployment can answer: those for prompts alone and one more.
pub(super) fn fewest_replicas(own: &SelfHosted<f64>) -> u32 {
    own.deployment.prefill.map_or(0, |prefill| prefill.replicas).saturating_add(1)
}

fn step_tokens(facts: &OwnFacts, d: &Deployment<f64>) -> u32 {
    let default = if facts.gpu.memory_bytes >= LARGE_GPU_BYTES { STEP_TOKENS.0 } else { STEP_TOKENS.1 };
    match d.engine {
        // llama.cpp's batch: `--batch-size`, 2048.
        Some(Engine::LlamaCpp) => STEP_TOKENS.1,
        _ => default,
    }
}

/// Blocks of KV that hold `per_token` bytes for each token.
fn kv_blocks(speed: &Speed, per_token: f64, block_tokens: u32) -> u64 {
    let bytes = match speed {
        Speed::Calibrated(prepared) => prepared.0.memory.kv_bytes,
        Speed::Stated(memory) => memory.kv_budget_bytes,
    };
    (bytes / per_token.max(1e-3) / f64::from(block_tokens.max(1))).clamp(1.0, 1e15) as u64
}

/// Layers that keep no more than a window of KV, if the model has any.
fn kv_window(speed: &Speed) -> Option<KvWindow> {
    let Speed::Calibrated(prepared) = speed else { return None };
    KvWindow::of(&prepared.0.memory)
}

/// Bytes of KV of a token, in all layers; `mean`: with what layers with a window hold of it at the mean context, as counts
/// for a prefix cache, whose blocks are whole, and for KV that is moved.
fn kv_bytes_per_token(speed: &Speed, steady: Option<Steady>, mean: bool) -> f64 {
    let perf = match speed {
        Speed::Calibrated(prepared) => &prepared.0,
        Speed::Stated(memory) => return memory.kv_bytes_per_token,
    };
    let memory = &perf.memory;
    let context = steady.map_or(memory.window, |steady| {
        (steady.prompt_tokens_per_sec + steady.output_tokens_per_sec) / steady.calls_per_sec.max(1e-12)
    });
    let seen = if mean && context > 0.0 { (memory.window / context).min(1.0) } else { 1.0 };
    memory.kv_bytes_per_token + memory.kv_bytes_per_token_window * seen
}

/// Steps of a deployment whose efficiencies are stated.
fn stated_pace(facts: &OwnFacts, d: &Deployment<f64>, sequences_max: u32, steady: Option<Steady>) -> Pace {
    let (model, gpu) = (&facts.model, &facts.gpu);
    let prompt = steady
        .map_or(1_000.0, |steady| (steady.prompt_tokens_per_sec / steady.calls_per_sec.max(1e-12)).max(1.0));
    let whole = prefill_secs(model, gpu, d, prompt, prompt);
    let empty = prefill_secs(model, gpu, d, 1.0, 1.0);
    let per_token = (whole - empty).max(0.0) / prompt.max(1.0);
    let yielded = d
        .speculative
        .as_ref()
        .map_or(1.0, |s| crate::serving::accepted_tokens(s.acceptance, s.draft_tokens.clamp(0.0, 64.0)));
    let drafting =
        d.speculative.as_ref().map_or(1.0, |s| 1.0 + s.draft_tokens.max(0.0) * s.draft_cost_share.max(0.0));
    Pace::sampled(sequences_max, yielded, per_token, |batch, context| {
        if batch < 1.0 { empty } else { drafting * decode_step_secs(model, gpu, d, batch, context) }
    })
}

fn scaling(d: &Deployment<f64>, replicas: f64, steady: Option<Steady>) -> ReplicaScaling {
    match d.fleet.scaling {
        Scaling::Fixed(replicas) => ReplicaScaling::Fixed(replicas),
        Scaling::Peak => ReplicaScaling::Fixed(replicas.clamp(0.0, 1e5).ceil() as u32),
        Scaling::Auto { min, max, startup_minutes } => {
            let batch = steady.map_or(1.0, |steady| steady.batch.max(1.0));
            ReplicaScaling::Auto(AutoScaling {
                first: replicas.clamp(0.0, 1e5).ceil() as u32,
                min,
                max: max.max(min),
                start_secs: f64::from(startup_minutes) * 60.0,
                calls_per_replica: (batch / (1.0 + d.fleet.headroom.max(0.0))).max(1.0),
                every_secs: LOOK_SECS,
                patience_secs: PATIENCE_SECS,
            })
        }
    }
}

fn spot(terms: &CapacityTerms<f64>, gpus: u32) -> Option<SpotInterruptions> {
    let CapacityTerms::Spot(spot) = terms else { return None };
    let per_day = spot.interruptions_per_day * f64::from(gpus.max(1));
    (per_day > 0.0).then(|| SpotInterruptions {
        every_secs: DAY / per_day,
        back_secs: spot.lost_minutes.max(0.0) * 60.0,
    })
}
