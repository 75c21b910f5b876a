//! A self-hosted deployment, as the scenario holds it.

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::{plain, quantified};

quantified! {
    /// A model on GPUs: replicas of one kind.
    pub struct Deployment<Q> {
        /// Catalogue id of the model.
        pub model: String,
        /// Catalogue id of the GPU.
        pub gpu: String,
        /// GPUs of one replica, over which the model is split (tensor parallel); >= 1.
        pub gpus_per_replica: u32,
        /// How the GPUs of a replica share the work where it is not tensor parallelism alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub layout: Option<Layout>,
        /// Format of the weights.
        pub weights: Precision,
        /// Format of the KV cache.
        pub kv_cache: Precision,
        /// Share of the GPU's memory that the engine may use, 0..=1.
        pub memory_share: Q,
        /// Most sequences that run at once on a replica; >= 1.
        pub max_sequences: u32,
        /// Class of the inference engine. With one, the calibrated constants of the serving model say how much of the
        /// data sheet is reached, and `efficiency` is not read; without, `efficiency` does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub engine: Option<Engine>,
        /// How much of the data sheet is reached, where no engine is named.
        pub efficiency: Efficiency<Q>,
        /// Factor on the predicted throughput: the residual of the serving model, 1 is none; > 0.
        pub capacity_factor: Q,
        /// Speculative decoding, if used.
        pub speculative: Option<Speculative<Q>>,
        /// What becomes of the KV of a sequence that has to make room; `None` is [`Preemption::Recompute`]. Played by the
        /// traffic simulation; in closed form nothing is preempted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub preemption: Option<Preemption>,
        /// Replicas of the fleet that compute prompts alone. Played by the traffic simulation; the closed form, and with it
        /// every cost, takes all replicas of the fleet as doing both.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub prefill: Option<PrefillReplicas>,
        /// How many replicas.
        pub fleet: Fleet<Q>,
    }

    /// The few constants of the serving model that a user can state.
    pub struct Efficiency<Q> {
        /// Share of the dense peak that prefill reaches (model FLOP utilisation), 0..=1.
        pub prefill_mfu: Q,
        /// Share of the data-sheet bandwidth that decode reaches (model bandwidth utilisation), 0..=1.
        pub decode_mbu: Q,
        /// Host and kernel-launch time of one step, in seconds.
        pub step_overhead_secs: Q,
        /// Latency of one small all-reduce, in seconds.
        pub all_reduce_secs: Q,
    }

    /// A small model drafts, the large one verifies.
    pub struct Speculative<Q> {
        /// Probability that a drafted token is accepted, 0..=1.
        pub acceptance: Q,
        /// Tokens drafted per step; >= 1.
        pub draft_tokens: Q,
        /// Cost of drafting one token, as a share of a decode step of the large model.
        pub draft_cost_share: Q,
    }

    /// The number of replicas and how it follows the load.
    pub struct Fleet<Q> {
        /// How it follows the load.
        pub scaling: Scaling,
        /// Capacity kept free above the peak, as a share of the peak; the reference says 0.3-0.5.
        pub headroom: Q,
        /// Replicas beyond what the load needs (N+1 is 1).
        pub spare_replicas: u32,
    }
}

/// Parallelism beside tensor parallelism, which has the GPUs that these leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Groups of layers; >= 1.
    pub pipeline: u32,
    /// Copies of attention that share the experts; >= 1.
    pub data: u32,
    /// Whether whole experts, not slices of them, are spread over the GPUs.
    pub expert: bool,
}

impl Layout {
    /// Tensor parallelism on so many GPUs; `None` where the degrees do not divide them.
    #[must_use]
    pub const fn tensor(self, gpus: u32) -> Option<u32> {
        let others = self.pipeline.saturating_mul(self.data);
        if others == 0 || !gpus.is_multiple_of(others) { None } else { Some(gpus / others) }
    }
}

/// What becomes of the KV of a running sequence when others need the room.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Preemption {
    /// It is given up and computed again.
    Recompute,
    /// It is written to host memory and read back.
    Swap {
        /// Bytes per second between a replica's GPUs and host memory, one way; > 0.
        host_bytes_per_sec: f64,
    },
}

/// Disaggregated prefill: replicas of the fleet that compute prompts and first tokens; the KV crosses the GPUs' link to
/// the others, which answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefillReplicas {
    /// How many of the fleet's; they do not scale. >= 1, and fewer than the fleet has.
    pub replicas: u32,
}

/// How the number of replicas follows the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scaling {
    /// This many, always.
    Fixed(u32),
    /// As many as the week's busiest hour needs, all week.
    Peak,
    /// As many as each hour needs, between two bounds; a scale-up is started this many minutes ahead and paid.
    Auto {
        /// Fewest replicas.
        min: u32,
        /// Most replicas.
        max: u32,
        /// Minutes until a new replica serves.
        startup_minutes: u32,
    },
}

/// A number format of weights or KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Precision {
    /// 32 bit.
    Fp32,
    /// 16 bit (fp16 or bf16).
    Bf16,
    /// 8 bit floating point.
    Fp8,
    /// 8 bit integer.
    Int8,
    /// 4 bit integer with group scales.
    Int4,
    /// 4 bit floating point with block scales (mxfp4, nvfp4).
    Fp4,
}

plain!(Scaling, Precision, Engine, Layout, Preemption, PrefillReplicas);
