//! From a catalogue row to the numbers that the serving maths reads.

use crate::catalog::{GpuClass, GpuSpec, ModelSpec, NativeDtype};

use super::Precision;
use super::facts::{
    ExpertFacts, GpuFacts, LatentFacts, Make, ModelFacts, PCIE_BYTES_PER_S, PublishedWeights, SlidingFacts,
};

/// Matrices of a gated feed-forward expert: gate, up and down. Every mixture in the catalogue is gated.
const EXPERT_MATRICES: f64 = 3.0;

impl ModelFacts {
    /// The facts of a catalogue model.
    #[must_use]
    pub fn from_spec(spec: &ModelSpec) -> Self {
        let layers = f64::from(spec.layers);
        let attention_layers = f64::from(spec.kv_layers.unwrap_or(spec.layers));
        let hidden = f64::from(spec.hidden);
        let head_params = f64::from(spec.vocab) * hidden;
        let lookup_params = if spec.tied_embeddings { 0.0 } else { head_params };
        let per_layer = match &spec.mla {
            Some(mla) => f64::from(mla.kv_lora_rank + mla.rope_dim),
            None => 2.0 * f64::from(spec.kv_heads) * f64::from(spec.head_dim),
        };
        let sliding = spec.sliding_window.as_ref().map(|sliding| SlidingFacts {
            window: f64::from(sliding.window),
            layers: f64::from(sliding.sliding_layers),
            kv_elements: per_layer * f64::from(sliding.sliding_layers),
        });
        let growing = match &spec.sliding_window {
            Some(sliding) => {
                f64::from(sliding.global_layers) * sliding.global_kv_elements.map_or(per_layer, f64::from)
            }
            None => attention_layers * per_layer,
        };
        Self {
            total_params: spec.total_params,
            active_params: spec.active_params,
            lookup_params,
            head_params,
            published: Some(PublishedWeights::of(spec)),
            layers,
            attention_layers,
            hidden,
            heads: f64::from(spec.heads),
            kv_heads: f64::from(spec.kv_heads),
            attention_params: layers * attention_params_per_layer(spec),
            head_dim: f64::from(spec.head_dim),
            kv_elements: growing,
            experts: spec.moe.as_ref().map(|moe| ExpertFacts {
                count: f64::from(moe.experts),
                top_k: f64::from(moe.top_k),
                params: f64::from(spec.moe_layers())
                    * f64::from(moe.experts)
                    * EXPERT_MATRICES
                    * hidden
                    * f64::from(moe.intermediate),
                layers: f64::from(spec.moe_layers()),
                width: f64::from(moe.intermediate),
            }),
            mla: spec.mla.as_ref().map(|mla| LatentFacts {
                latent: f64::from(mla.kv_lora_rank),
                rope: f64::from(mla.rope_dim),
                nope: f64::from(mla.nope_dim),
                value: f64::from(mla.v_dim),
            }),
            sliding,
            context_max: f64::from(spec.context_max),
        }
    }
}

/// Weights of the projections of attention of one layer: queries, keys, values, output; for latent attention the
/// compressions and expansions. Layers with linear attention are counted like the others.
fn attention_params_per_layer(spec: &ModelSpec) -> f64 {
    let (hidden, heads) = (f64::from(spec.hidden), f64::from(spec.heads));
    match &spec.mla {
        None => hidden * f64::from(spec.head_dim) * 2.0 * (heads + f64::from(spec.kv_heads)),
        Some(mla) => {
            let key = f64::from(mla.nope_dim + mla.rope_dim);
            let latent = f64::from(mla.kv_lora_rank);
            let queries = match mla.q_lora_rank {
                Some(rank) => f64::from(rank) * (hidden + heads * key),
                None => hidden * heads * key,
            };
            queries
                + hidden * (latent + f64::from(mla.rope_dim))
                + latent * heads * f64::from(mla.nope_dim + mla.v_dim)
                + heads * f64::from(mla.v_dim) * hidden
        }
    }
}

impl PublishedWeights {
    fn of(spec: &ModelSpec) -> Self {
        let (format, rest) = match spec.native_dtype {
            NativeDtype::Fp16 | NativeDtype::Bf16 => (Precision::Bf16, Precision::Bf16),
            NativeDtype::Fp8 => (Precision::Fp8, Precision::Fp8),
            NativeDtype::Mxfp4Experts => (Precision::Fp4, Precision::Bf16),
            NativeDtype::Int4Experts => (Precision::Int4, Precision::Bf16),
        };
        Self { format, rest, bytes: spec.checkpoint_bytes }
    }
}

impl GpuFacts {
    /// The facts of a catalogue GPU. One without a link of its own talks over PCIe.
    #[must_use]
    pub fn from_spec(spec: &GpuSpec) -> Self {
        Self {
            memory_bytes: spec.memory_bytes,
            bandwidth_bytes_per_s: spec.bandwidth_bytes_per_s,
            bf16_flops: spec.bf16_flops_dense,
            vector_ops: spec.vector_ops(),
            fp8_flops: spec.fp8_flops_dense,
            int8_ops: spec.int8_ops_dense,
            fp4_flops: spec.fp4_flops_dense,
            link_bytes_per_s: spec.link_bytes_per_s_per_dir.unwrap_or(PCIE_BYTES_PER_S),
            watts: spec.tdp_watts,
            make: Make::of(spec),
        }
    }
}

impl Make {
    /// From vendor and class; a server card of NVIDIA has HBM where its link is NVLink or it streams at least 1.2 TB/s
    /// without being an RTX card.
    fn of(spec: &GpuSpec) -> Self {
        match (spec.vendor.as_str(), spec.class) {
            ("Apple", _) | (_, GpuClass::Apple) => Self::Apple,
            ("AMD", GpuClass::DataCentre) => Self::AmdServer,
            ("AMD" | "Intel", GpuClass::Workstation | GpuClass::Consumer) => Self::AmdCard,
            (_, GpuClass::Workstation | GpuClass::Consumer) => Self::Gddr,
            _ if spec.name.contains("RTX") => Self::Gddr,
            _ if spec.link.contains("NVLink") || spec.bandwidth_bytes_per_s >= 1.2e12 => Self::Hbm,
            ("NVIDIA", _) => Self::Gddr,
            _ => Self::Hbm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::serving::Precision;

    #[test]
    fn the_facts_of_every_shipped_model_agree_with_its_row_on_kv() {
        for spec in &Catalog::shipped().models {
            let facts = ModelFacts::from_spec(spec);
            let context = 2048.0;
            let (row, mine) = (spec.kv_bytes(context, 2.0), facts.kv_bytes(context, Precision::Bf16));
            assert!(
                (row - mine).abs() <= 1e-9 * row,
                "{}: the row says {row} bytes, the facts {mine}",
                spec.id
            );
        }
    }

    #[test]
    fn routed_experts_are_a_part_of_all_weights() {
        for spec in &Catalog::shipped().models {
            let facts = ModelFacts::from_spec(spec);
            if let Some(experts) = facts.experts {
                assert!(
                    experts.params < facts.total_params,
                    "{}: {} of {} weights are experts",
                    spec.id,
                    experts.params,
                    facts.total_params
                );
            }
        }
    }
}
