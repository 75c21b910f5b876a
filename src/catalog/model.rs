//! Open models: what the serving maths needs of their architecture.

use serde::{Deserialize, Serialize};

use super::Source;

/// An open model. Lengths are counts, parameters are numbers of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Stable id, such as `llama-3.1-8b`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Repository on Hugging Face.
    pub hf_id: String,
    /// Family, such as `llama3`.
    pub family: String,
    /// All weights; > 0.
    pub total_params: f64,
    /// Weights that one token is multiplied with (the embedding look-up left out); > 0, <= `total_params`.
    pub active_params: f64,
    /// Transformer layers.
    pub layers: u32,
    /// Layers that hold KV, where other layers keep a state of fixed size; `None` means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_layers: Option<u32>,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Query heads.
    pub heads: u32,
    /// Key-value heads; unused with `mla`.
    pub kv_heads: u32,
    /// Width of one head's query and key.
    pub head_dim: u32,
    /// Width of a dense feed-forward layer.
    pub intermediate: u32,
    /// Size of the vocabulary.
    pub vocab: u32,
    /// Longest context, in tokens.
    pub context_max: u32,
    /// Mixture of experts, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moe: Option<Moe>,
    /// Multi-head latent attention, if it has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mla: Option<Mla>,
    /// Sliding-window layers, if it has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<SlidingWindow>,
    /// Whether input and output embedding are one matrix.
    pub tied_embeddings: bool,
    /// Format in which the weights are published.
    pub native_dtype: NativeDtype,
    /// Bytes of the published weights, where measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_bytes: Option<f64>,
    /// Whether the architecture was read in a configuration file (else partly from general knowledge).
    pub verified: bool,
    /// What to know before using the row.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Where it came from.
    pub source: Source,
}

/// Mixture of experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moe {
    /// Routed experts per layer.
    pub experts: u32,
    /// Experts that answer each token.
    pub top_k: u32,
    /// Width of one expert.
    pub intermediate: u32,
    /// Width of the experts that always answer; 0 is none.
    pub shared_intermediate: u32,
    /// Layers at the start without experts.
    pub first_dense_layers: u32,
    /// Every n-th of the other layers has experts; 1 is all.
    pub every_n: u32,
}

/// Multi-head latent attention: keys and values are kept as one compressed vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mla {
    /// Width of the compressed query, where queries are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q_lora_rank: Option<u32>,
    /// Width of the compressed keys and values.
    pub kv_lora_rank: u32,
    /// Width of the part of the key that carries the position.
    pub rope_dim: u32,
    /// Width of the rest of a head's key.
    pub nope_dim: u32,
    /// Width of a head's value.
    pub v_dim: u32,
}

/// Layers that look back only so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlidingWindow {
    /// How far back, in tokens.
    pub window: u32,
    /// Layers that do so.
    pub sliding_layers: u32,
    /// Layers that see everything.
    pub global_layers: u32,
    /// Elements that one token leaves in a global layer, where it is not `2 * kv_heads * head_dim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_kv_elements: Option<u32>,
}

/// Format of published weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NativeDtype {
    /// IEEE half precision.
    Fp16,
    /// bfloat16.
    Bf16,
    /// FP8 with block scales.
    Fp8,
    /// Experts in MXFP4, the rest in bfloat16.
    Mxfp4Experts,
    /// Experts in 4-bit integers with group scales, the rest in bfloat16.
    Int4Experts,
}

impl ModelSpec {
    /// Layers that hold KV.
    #[must_use]
    pub fn layers_with_kv(&self) -> u32 {
        self.kv_layers.unwrap_or(self.layers)
    }

    /// Elements that one token leaves in an ordinary layer: `2 * kv_heads * head_dim`, or
    /// `kv_lora_rank + rope_dim` with latent attention.
    fn kv_elements_per_layer(&self) -> f64 {
        match &self.mla {
            Some(mla) => f64::from(mla.kv_lora_rank) + f64::from(mla.rope_dim),
            None => 2.0 * f64::from(self.kv_heads) * f64::from(self.head_dim),
        }
    }

    fn kv_elements_per_global_layer(&self) -> f64 {
        let own = self.sliding_window.and_then(|sliding| sliding.global_kv_elements);
        own.map_or_else(|| self.kv_elements_per_layer(), f64::from)
    }

    /// Bytes of KV that one more token takes, while every layer still grows.
    ///
    /// `layers * 2 * kv_heads * head_dim * bytes`; latent attention: `layers * (kv_lora_rank + rope_dim) * bytes`.
    /// Beyond the window of sliding layers it overstates: use [`Self::kv_bytes`] for a context.
    ///
    /// - `bytes_per_element`: 2 for BF16, 1 for FP8; >= 0.
    #[must_use]
    pub fn kv_bytes_per_token(&self, bytes_per_element: f64) -> f64 {
        self.kv_bytes(1.0, bytes_per_element)
    }

    /// Bytes of KV of one sequence of `context_tokens`.
    ///
    /// Sliding layers stop growing at their window. The state of layers without KV (linear attention) is left out:
    /// it does not grow with the context.
    ///
    /// - `context_tokens`: >= 0; negative values count as zero.
    /// - `bytes_per_element`: 2 for BF16, 1 for FP8; >= 0.
    #[must_use]
    pub fn kv_bytes(&self, context_tokens: f64, bytes_per_element: f64) -> f64 {
        let context = context_tokens.max(0.0);
        let element_tokens = match &self.sliding_window {
            None => f64::from(self.layers_with_kv()) * self.kv_elements_per_layer() * context,
            Some(sliding) => {
                let seen = context.min(f64::from(sliding.window));
                f64::from(sliding.sliding_layers) * self.kv_elements_per_layer() * seen
                    + f64::from(sliding.global_layers) * self.kv_elements_per_global_layer() * context
            }
        };
        element_tokens * bytes_per_element
    }

    /// FLOPs of attention for one query token and one key token, over all heads of one layer.
    ///
    /// `4 * heads * head_dim`; latent attention in prefill: `2 * heads * (nope + rope + v)`.
    #[must_use]
    pub fn attention_flops_per_pair(&self) -> f64 {
        let heads = f64::from(self.heads);
        match &self.mla {
            Some(mla) => 2.0 * heads * (f64::from(mla.nope_dim + mla.rope_dim) + f64::from(mla.v_dim)),
            None => 4.0 * heads * f64::from(self.head_dim),
        }
    }

    /// Layers with experts; 0 for a dense model.
    #[must_use]
    pub fn moe_layers(&self) -> u32 {
        self.moe.map_or(0, |moe| self.layers.saturating_sub(moe.first_dense_layers) / moe.every_n.max(1))
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::Catalog;

    fn check(id: &str, per_token_bf16: f64) {
        let model = Catalog::shipped().model(id).unwrap();
        assert_eq!(model.kv_bytes_per_token(2.0), per_token_bf16, "{id}");
    }

    #[test]
    fn kv_per_token_is_as_worked_out_by_hand() {
        check("llama-3-8b", 131_072.0); // 2 * 32 layers * 8 heads * 128 * 2 B
        check("llama-3.1-70b", 327_680.0); // 2 * 80 * 8 * 128 * 2 B
        check("llama-2-7b", 524_288.0); // 2 * 32 * 32 * 128 * 2 B: no grouped queries
        check("deepseek-v3", 70_272.0); // 61 * (512 + 64) * 2 B
        check("qwen3-next-80b-a3b", 24_576.0); // 2 * 12 layers with KV * 2 * 256 * 2 B
        check("gpt-oss-120b", 73_728.0); // 2 * 36 * 8 * 64 * 2 B
        check("gemma-4-26b-a4b", 215_040.0); // (25 * 2*8*256 + 5 * 2*512) * 2 B
    }

    #[test]
    fn kv_of_a_latent_model_at_one_byte_is_half_of_bf16() {
        let model = Catalog::shipped().model("deepseek-r1").unwrap();
        assert_eq!(model.kv_bytes_per_token(1.0), 35_136.0);
    }

    #[test]
    fn sliding_layers_stop_growing_at_their_window() {
        let model = Catalog::shipped().model("gpt-oss-20b").unwrap();
        let per_token_and_layer = 2.0 * 8.0 * 64.0 * 2.0;
        let inside = model.kv_bytes(100.0, 2.0);
        let beyond = model.kv_bytes(10_000.0, 2.0);
        assert_eq!(inside, 24.0 * per_token_and_layer * 100.0);
        assert_eq!(beyond, 12.0 * per_token_and_layer * 128.0 + 12.0 * per_token_and_layer * 10_000.0);
    }

    #[test]
    fn interleaved_experts_fill_half_of_the_layers_of_maverick() {
        assert_eq!(Catalog::shipped().model("llama-4-maverick").unwrap().moe_layers(), 24);
        assert_eq!(Catalog::shipped().model("deepseek-v3").unwrap().moe_layers(), 58);
    }
}
