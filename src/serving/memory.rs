//! What fits: weights, working memory, and what is left for KV.

use thiserror::Error;

use super::{Deployment, GpuFacts, ModelFacts, PerfError};
use crate::stats::Num;
use crate::unit::Bytes;

/// Memory of one replica, in bytes over all its GPUs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory<N = f64> {
    /// Weights.
    pub weights_bytes: f64,
    /// KV of one more token while every layer still grows, all copies.
    pub kv_bytes_per_token: f64,
    /// Activations, buffers and runtime.
    pub activation_bytes: f64,
    /// What the engine may use.
    pub usable_bytes: N,
    /// What is left for KV; > 0 in at least one lane, and in the others the model does not fit.
    pub kv_budget_bytes: N,
    /// Tokens whose KV fits, while every layer still grows. Models with sliding windows hold more: see
    /// [`Memory::sequences`].
    pub kv_tokens: N,
}

/// Why a deployment cannot be run.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum ServingError {
    /// Weights and working memory exceed what the engine may use.
    #[error(
        "the model does not fit: it needs {:.1} GB and has {:.1} GB; take more GPUs per replica, a smaller weight format or a larger memory share",
        need.get() / 1e9, have.get() / 1e9
    )]
    DoesNotFit {
        /// Weights and working memory.
        need: Bytes,
        /// What the engine may use.
        have: Bytes,
    },
    /// Attention heads cannot be divided evenly over the GPUs.
    #[error(
        "{heads} attention heads cannot be split over {gpus} GPUs; write a number of GPUs that divides {heads}"
    )]
    TensorParallel {
        /// Query heads of the model.
        heads: u32,
        /// GPUs of a replica.
        gpus: u32,
    },
    /// The calibrated model refuses it for another reason.
    #[error(transparent)]
    Refused(PerfError),
}

impl ServingError {
    /// What is needed and what is there, in bytes, where it is a matter of size.
    #[must_use]
    pub fn sizes(&self) -> Option<(f64, f64)> {
        match self {
            Self::DoesNotFit { need, have } => Some((need.get(), have.get())),
            Self::TensorParallel { .. } | Self::Refused(_) => None,
        }
    }
}

/// Runtime, graphs and communication buffers per GPU. Source: vLLM measured, non-torch .13-.55 GiB.
const RUNTIME_BYTES_PER_GPU: f64 = 0.5e9;

/// Tokens that one step may process: vLLM's default of `max_num_batched_tokens` on large GPUs.
pub(super) const STEP_TOKENS: f64 = 8192.0;

/// Activation bytes per token and unit of width, dense: (4 + 7/tp) x 2 bytes, which follows AIConfigurator's
/// 11/6.5/5/5 at tp 1/2/4/8; mixtures of experts take twice that.
fn activation_bytes_per_gpu(model: &ModelFacts, gpus: f64) -> f64 {
    let width = if model.experts.is_some() { 2.0 } else { 1.0 };
    2.0 * STEP_TOKENS * model.hidden * width * (4.0 + 7.0 / gpus)
}

/// Memory of one replica.
///
/// Weights: [`ModelFacts::weights_bytes`], one copy over the GPUs; usable = GPUs x memory x `memory_share`; the rest
/// after working memory is KV. Not modelled: pipeline parallelism, the state of layers without KV.
///
/// # Errors
/// [`ServingError::DoesNotFit`] with both sizes, [`ServingError::TensorParallel`] if heads do not divide.
#[inline(always)]
pub fn memory<N: Num>(
    model: &ModelFacts,
    gpu: &GpuFacts,
    d: &Deployment<N>,
) -> Result<Memory<N>, ServingError> {
    let gpus = f64::from(d.gpus_per_replica.max(1));
    if model.heads >= 1.0 && model.heads % gpus != 0.0 {
        return Err(ServingError::TensorParallel {
            heads: model.heads as u32,
            gpus: d.gpus_per_replica.max(1),
        });
    }
    let weights_bytes = model.weights_bytes(d.weights);
    let activation_bytes = gpus * (RUNTIME_BYTES_PER_GPU + activation_bytes_per_gpu(model, gpus));
    let usable_bytes = d.memory_share.at_least(0.0).at_most(1.0) * (gpus * gpu.memory_bytes);
    let kv_budget_bytes = usable_bytes - weights_bytes - activation_bytes;
    if !kv_budget_bytes.any_above(0.0) {
        let need = Bytes(weights_bytes + activation_bytes);
        return Err(ServingError::DoesNotFit { need, have: Bytes(usable_bytes.lane(0)) });
    }
    let kv_bytes_per_token = model.kv_bytes(1.0, d.kv_cache) * model.kv_copies(gpus);
    let kv_tokens = kv_budget_bytes / kv_bytes_per_token.max(1e-3);
    Ok(Memory {
        weights_bytes,
        kv_bytes_per_token,
        activation_bytes,
        usable_bytes,
        kv_budget_bytes,
        kv_tokens,
    })
}

impl<N: Num> Memory<N> {
    /// Sequences of `context` tokens whose KV fits at once; a real number, below 0 where not even the weights fit.
    #[must_use]
    #[inline(always)]
    pub fn sequences(&self, model: &ModelFacts, d: &Deployment<N>, context: N) -> N {
        let copies = model.kv_copies(f64::from(d.gpus_per_replica.max(1)));
        self.kv_budget_bytes / (model.kv_bytes(context.at_least(1.0), d.kv_cache) * copies).at_least(1e-3)
    }
}
