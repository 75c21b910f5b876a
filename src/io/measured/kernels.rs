//! Readers of measured kernels and collectives: the layer below a step.

use super::readers::{Read, millis, row};
use super::{BadRecord, Record};
use crate::analysis::fidelity::{Figures, Load, Measured};
use crate::serving::{Kernel, WeightFormat};

/// The row of a kernel.
fn kernel(record: &Record<'_>, kernel: Kernel) -> Read {
    record.needed("latency_ms")?;
    let published = Figures { kernel_secs: millis(record, "latency_ms"), ..Figures::default() };
    let engine = record.text("framework").to_owned();
    Ok(vec![Measured { model: String::new(), engine, published, ..row(record, Load::Kernel(kernel)) }])
}

fn format(record: &Record<'_>, column: &str) -> Result<WeightFormat, BadRecord> {
    WeightFormat::parse(record.text(column)).map_err(|error| BadRecord::other(error.to_string()))
}

pub(super) fn gemm(record: &Record<'_>) -> Read {
    let size = |name| record.needed(name);
    let (m, n, k) = (size("m")?, size("n")?, size("k")?);
    kernel(record, Kernel::Gemm { m, n, k, format: format(record, "gemm_dtype")? })
}

pub(super) fn attention(record: &Record<'_>) -> Read {
    let size = |name| record.needed(name);
    let (batch, heads, width) = (size("batch_size")?, size("num_heads")?, size("head_dim")?);
    let shape = match record.above_zero("kv_len") {
        Some(context) => Kernel::DecodeAttention {
            batch,
            heads,
            kv_heads: size("num_key_value_heads")?,
            width,
            context,
            kv_bytes: format(record, "kv_cache_dtype")?.bytes_per_weight(),
        },
        None => Kernel::PromptAttention { batch, heads, width, tokens: size("isl")? },
    };
    kernel(record, shape)
}

pub(super) fn experts(record: &Record<'_>) -> Read {
    let size = |name| record.needed(name);
    let shape = Kernel::Experts {
        tokens: size("num_tokens")?,
        hidden: size("hidden_size")?,
        inter: size("inter_size")? / size("moe_tp_size")?,
        top_k: size("topk")?,
        experts: size("num_experts")?,
        ranks: size("moe_ep_size")?,
        format: format(record, "moe_dtype")?,
        even: record.text("distribution") == "balanced",
    };
    kernel(record, shape)
}

/// Collectives: all-reduces as engines launch them, captured in a graph, and those of NCCL.
pub(super) fn collective(record: &Record<'_>) -> Read {
    if record.text("op_name") != "all_reduce" {
        return Err(BadRecord::other(format!("{} is not modelled", record.text("op_name"))));
    }
    if record.text("kernel_source").contains("eager") {
        return Err(BadRecord::other("launched by hand, outside a graph: no engine does"));
    }
    let (gpus, bytes) = (record.needed("num_gpus")?, record.needed("message_bytes")?);
    kernel(record, Kernel::AllReduce { gpus, bytes })
}
