//! Single kernels and collectives: the layer below a step, as profilers measure it.
//!
//! ```text
//! kernel = launch + max~(bytes / (bandwidth × share), FLOP / (peak × share))
//! ```
//!
//! The same physics as in a step, without engine or host. [`super::Perf`] folds many of these into one stream, so that
//! its shares differ: a step has no gaps between kernels but more traffic than the kernels' own.

use serde::{Deserialize, Serialize};

use super::facts::GpuFacts;
use super::format::{WeightFormat, Width};
use super::knee::smooth_max_of;
use super::roofline::{experts_touched, within};

/// Constants of single kernels. Shares are of the data sheet's dense figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelConstants {
    /// Share of the bandwidth of matrix products, 16 bit.
    pub stream_16: f64,
    /// The same, 8 bit.
    pub stream_8: f64,
    /// The same, 4 bit.
    pub stream_4: f64,
    /// Share of the peak of matrix products, 16 bit.
    pub compute_16: f64,
    /// The same, 8 bit.
    pub compute_8: f64,
    /// The same, 4 bit.
    pub compute_4: f64,
    /// Launch of a matrix product, in seconds.
    pub launch_secs: f64,
    /// More where activations are narrowed first, in seconds.
    pub narrow_secs: f64,
    /// Exponent of the smooth maximum.
    pub knee: f64,
    /// Share of the bandwidth of decode attention.
    pub attention_stream: f64,
    /// Launch of decode attention, in seconds.
    pub attention_launch_secs: f64,
    /// Share of the 16 bit peak of prefill attention.
    pub attention_compute: f64,
    /// Pairs of half that rate: tokens at which prefill attention reaches half of its share.
    pub attention_half_tokens: f64,
    /// Experts: factor on the share of the bandwidth.
    pub expert_stream: f64,
    /// Experts: factor on the share of the peak.
    pub expert_compute: f64,
    /// Launches of an expert layer, in seconds.
    pub expert_launch_secs: f64,
    /// Tokens that count as independent in the draw of experts.
    pub routing_skew: f64,
    /// Latency of an all-reduce of two GPUs, in seconds.
    pub reduce_secs: f64,
    /// Growth of that latency with each doubling of the GPUs.
    pub reduce_growth: f64,
    /// The same latency over PCIe.
    pub reduce_pcie_secs: f64,
    /// Share of the link that an all-reduce reaches.
    pub link: f64,
    /// The same over PCIe.
    pub link_pcie: f64,
}

/// A kernel and its sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// `m x k` times `k x n`.
    Gemm {
        /// Rows: tokens.
        m: f64,
        /// Columns.
        n: f64,
        /// Depth.
        k: f64,
        /// Format of both operands.
        format: WeightFormat,
    },
    /// One new token for each sequence.
    DecodeAttention {
        /// Sequences.
        batch: f64,
        /// Query heads.
        heads: f64,
        /// Key-value heads.
        kv_heads: f64,
        /// Width of a head.
        width: f64,
        /// Context.
        context: f64,
        /// Bytes of an element of KV.
        kv_bytes: f64,
    },
    /// Whole prompts, causal.
    PromptAttention {
        /// Sequences.
        batch: f64,
        /// Query heads.
        heads: f64,
        /// Width of a head.
        width: f64,
        /// Tokens of each prompt.
        tokens: f64,
    },
    /// A gated expert layer, on one of its ranks.
    Experts {
        /// Tokens, before they are shared out.
        tokens: f64,
        /// Width of the residual stream.
        hidden: f64,
        /// Width of one expert on this rank.
        inter: f64,
        /// Experts of a token.
        top_k: f64,
        /// Experts of the layer.
        experts: f64,
        /// Ranks over which whole experts are spread.
        ranks: f64,
        /// Format of the weights.
        format: WeightFormat,
        /// Whether routing is even.
        even: bool,
    },
    /// A sum over GPUs.
    AllReduce {
        /// GPUs.
        gpus: f64,
        /// Bytes of the message.
        bytes: f64,
    },
}

impl KernelConstants {
    /// Nothing lost, for baselines.
    pub const IDEAL: Self = Self {
        stream_16: 1.0,
        stream_8: 1.0,
        stream_4: 1.0,
        compute_16: 1.0,
        compute_8: 1.0,
        compute_4: 1.0,
        launch_secs: 0.0,
        narrow_secs: 0.0,
        knee: 64.0,
        attention_stream: 1.0,
        attention_launch_secs: 0.0,
        attention_compute: 1.0,
        attention_half_tokens: 0.0,
        expert_stream: 1.0,
        expert_compute: 1.0,
        expert_launch_secs: 0.0,
        routing_skew: 1.0,
        reduce_secs: 0.0,
        reduce_growth: 0.0,
        reduce_pcie_secs: 0.0,
        link: 1.0,
        link_pcie: 1.0,
    };

    /// Share of the bandwidth, share of the peak and the peak of a format; formats that the hardware lacks are
    /// widened to 16 bit.
    fn rates(&self, gpu: &GpuFacts, format: WeightFormat) -> (f64, f64, f64) {
        let (stream, share, native) = match format.width() {
            Width::Sixteen => (self.stream_16, self.compute_16, Some(gpu.bf16_flops)),
            Width::Eight => (self.stream_8, self.compute_8, gpu.fp8_flops.or(gpu.int8_ops)),
            Width::Four => (self.stream_4, self.compute_4, gpu.fp4_flops),
        };
        let peak = native.map_or(gpu.bf16_flops * self.compute_16, |peak| peak * share);
        (stream, peak, if format.width() == Width::Sixteen { 0.0 } else { self.narrow_secs })
    }
}

impl Kernel {
    /// Name of its kind.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Gemm { .. } => "kernel: matrix product",
            Self::DecodeAttention { .. } => "kernel: decode attention",
            Self::PromptAttention { .. } => "kernel: prompt attention",
            Self::Experts { .. } => "kernel: experts",
            Self::AllReduce { .. } => "kernel: all-reduce",
        }
    }

    /// How long it takes, in seconds; finite, > 0 with constants that are.
    #[must_use]
    pub fn secs(self, gpu: &GpuFacts, c: &KernelConstants) -> f64 {
        let bandwidth = within(gpu.bandwidth_bytes_per_s, 1.0);
        let meet = |bytes: f64, share: f64, flops: f64, peak: f64| {
            smooth_max_of(c.knee, bytes / within(bandwidth * share, 1.0), flops / within(peak, 1.0))
        };
        match self {
            Self::Gemm { m, n, k, format } => {
                let (stream, peak, narrow) = c.rates(gpu, format);
                let bytes = (n * k + m * k) * format.bytes_per_weight() + 2.0 * m * n;
                c.launch_secs + narrow + meet(bytes, stream, 2.0 * m * n * k, peak)
            }
            Self::DecodeAttention { batch, heads, kv_heads, width, context, kv_bytes } => {
                let bytes = batch * (2.0 * kv_heads * width * context * kv_bytes + 4.0 * heads * width);
                let flops = 4.0 * batch * heads * width * context;
                c.attention_launch_secs
                    + meet(bytes, c.attention_stream, flops, gpu.bf16_flops * c.attention_compute)
            }
            Self::PromptAttention { batch, heads, width, tokens } => {
                let pairs = batch * tokens * (tokens + c.attention_half_tokens) / 2.0;
                let flops = 4.0 * heads * width * pairs;
                let bytes = 8.0 * batch * tokens * heads * width;
                c.attention_launch_secs
                    + meet(bytes, c.attention_stream, flops, gpu.bf16_flops * c.attention_compute)
            }
            Self::Experts { tokens, hidden, inter, top_k, experts, ranks, format, even } => {
                let (stream, peak, narrow) = c.rates(gpu, format);
                let independent = if even { tokens } else { tokens * c.routing_skew };
                let touched = experts_touched(experts, top_k, independent) / within(ranks, 1.0);
                let pairs = tokens * top_k / within(ranks, 1.0);
                let bytes = touched * 3.0 * hidden * inter * format.bytes_per_weight()
                    + pairs * (2.0 * hidden + 3.0 * inter) * 2.0;
                let flops = 6.0 * pairs * hidden * inter;
                c.expert_launch_secs
                    + narrow
                    + meet(bytes, stream * c.expert_stream, flops, peak * c.expert_compute)
            }
            Self::AllReduce { gpus, bytes } => {
                let fast = gpu.link_bytes_per_s > super::perf::FAST_LINK;
                let (latency, share) =
                    if fast { (c.reduce_secs, c.link) } else { (c.reduce_pcie_secs, c.link_pcie) };
                let doublings = (gpus.max(2.0) / 2.0).log2();
                latency * (1.0 + c.reduce_growth * doublings)
                    + 2.0 * (gpus - 1.0) / within(gpus, 1.0) * bytes
                        / within(gpu.link_bytes_per_s * share, 1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::serving::Calibration;

    fn h100() -> GpuFacts {
        GpuFacts::from_spec(Catalog::shipped().gpu("h100-sxm-80gb").unwrap())
    }

    const BF16: WeightFormat = WeightFormat::Bf16;

    fn all(x: f64) -> [Kernel; 5] {
        [
            Kernel::Gemm { m: x, n: 4096.0, k: 4096.0, format: BF16 },
            Kernel::DecodeAttention {
                batch: x,
                heads: 32.0,
                kv_heads: 8.0,
                width: 128.0,
                context: 1e3,
                kv_bytes: 2.0,
            },
            Kernel::PromptAttention { batch: 1.0, heads: 32.0, width: 128.0, tokens: x },
            Kernel::Experts {
                tokens: x,
                hidden: 4096.0,
                inter: 2048.0,
                top_k: 8.0,
                experts: 128.0,
                ranks: 1.0,
                format: BF16,
                even: true,
            },
            Kernel::AllReduce { gpus: 8.0, bytes: 1e3 * x },
        ]
    }

    #[test]
    fn a_matrix_product_of_one_row_takes_its_weights_over_the_bandwidth() {
        let one = Kernel::Gemm { m: 1.0, n: 8192.0, k: 8192.0, format: BF16 };
        let bytes = 2.0 * (8192.0 * 8192.0 + 8192.0 + 8192.0);
        let secs = one.secs(&h100(), &KernelConstants::IDEAL);
        assert!((secs / (bytes / 3.35e12) - 1.0).abs() < 1e-9, "{secs}");
    }

    #[test]
    fn more_work_never_takes_less_and_nothing_beats_the_data_sheet() {
        let (gpu, c) = (h100(), &Calibration::shipped().kernels);
        for (small, large) in all(64.0).into_iter().zip(all(128.0)) {
            let (a, b) = (small.secs(&gpu, c), large.secs(&gpu, c));
            assert!(a.is_finite() && 0.0 < a && a <= b, "{small:?}: {a} {b}");
            assert!(small.secs(&gpu, &KernelConstants::IDEAL) <= a, "{small:?}");
        }
    }
}
