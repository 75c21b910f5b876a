//! The constants that are fitted, each with where it starts and how far it may go.

use crate::serving::Calibration;

/// A constant of the calibration.
#[derive(Debug, Clone, Copy)]
pub struct Constant {
    /// Its name in the file.
    pub name: &'static str,
    /// Its place.
    pub of: fn(&mut Calibration) -> &mut f64,
    /// Where a fit starts, and what it is drawn to.
    pub start: f64,
    /// Least; > 0.
    pub low: f64,
    /// Most.
    pub high: f64,
}

macro_rules! constants {
    ($($($path:ident).+ = $start:literal in $low:literal..$high:literal;)+) => {
        &[$(Constant {
            name: stringify!($($path).+),
            of: |c| &mut c.$($path).+,
            start: $start,
            low: $low,
            high: $high,
        },)+]
    };
}

/// Serving in batches. Starts and bounds: measured kernels where there are any (16 bit GEMMs stream at 0.75 to 0.95
/// of the data sheet and compute at 0.75 to 0.85, FP8 at 0.65 to 0.8 and 0.35 to 0.45, decode attention at 0.8 to
/// 0.95, an all-reduce of a few kB takes 5 to 10 us), physics elsewhere.
pub(super) const BATCHES: &[Constant] = constants![
    serving.stream_16 = 0.86 in 0.8..0.92;
    serving.stream_narrow = 0.86 in 0.7..0.97;
    serving.stream_kv = 0.85 in 0.5..0.95;
    serving.stream_experts = 0.8 in 0.3..1.0;
    serving.stream_experts_widened = 0.8 in 0.3..1.0;
    serving.compute_16 = 0.86 in 0.8..0.92;
    serving.compute_8 = 0.55 in 0.3..0.8;
    serving.compute_4 = 0.5 in 0.2..0.8;
    serving.compute_widened = 0.55 in 0.3..0.8;
    serving.compute_experts = 0.8 in 0.3..1.0;
    serving.compute_attention = 0.5 in 0.2..0.8;
    serving.knee = 2.0 in 1.6..4.0;
    serving.knee_narrow = 1.5 in 1.1..4.0;
    serving.stream_gddr = 1.05 in 0.95..1.15;
    serving.compute_power = 0.3 in 0.2..0.4;
    serving.compute_gddr = 0.8 in 0.7..1.0;
    serving.activation_passes = 12.0 in 2.0..60.0;
    serving.expert_passes = 4.0 in 0.5..30.0;
    serving.routing_skew = 0.8 in 0.4..1.0;
    serving.expert_imbalance = 1.2 in 1.0..2.0;
    serving.all_reduce_secs = 8e-6 in 3e-6..3e-5;
    serving.all_reduce_pcie_secs = 2e-5 in 5e-6..1e-4;
    serving.all_reduce_growth = 0.15 in 0.02..1.0;
    serving.link = 0.6 in 0.2..0.95;
    serving.link_pcie = 0.63 in 0.5..0.7;
    serving.link_pcie_crowd = 0.5 in 0.05..2.0;
    serving.all_to_all_secs = 1e-5 in 3e-6..1e-4;
    serving.layer_secs.trtllm = 3e-5 in 5e-6..2e-4;
    serving.layer_secs.vllm = 3e-5 in 5e-6..2e-4;
    serving.layer_secs.sglang = 3e-5 in 5e-6..2e-4;
    serving.layer_secs.lmdeploy = 3e-5 in 5e-6..2e-4;
    serving.prompt_layer_secs = 1e-4 in 1e-6..2e-3;
    serving.prompt_latent_layer_secs = 2e-4 in 1e-6..4e-3;
    serving.expert_layer_secs = 1.5e-5 in 2e-6..1e-4;
    serving.widened_layer_secs = 1e-5 in 1e-6..1e-4;
    serving.latent_layer_secs = 3e-5 in 2e-6..1e-4;
    serving.step_secs.trtllm = 7e-4 in 5e-5..1e-2;
    serving.step_secs.vllm = 1e-3 in 5e-5..1e-2;
    serving.step_secs.sglang = 1e-3 in 5e-5..1e-2;
    serving.step_secs.lmdeploy = 7e-4 in 5e-5..1e-2;
    serving.sequence_secs.trtllm = 5e-6 in 2e-7..1e-4;
    serving.sequence_secs.vllm = 5e-6 in 2e-7..1e-4;
    serving.sequence_secs.sglang = 5e-6 in 2e-7..1e-4;
    serving.sequence_secs.lmdeploy = 5e-6 in 2e-7..1e-4;
    serving.sequence_secs_compiled = 5e-6 in 2e-7..1e-4;
    serving.maturing_trtllm = 0.4 in 0.05..1.2;
    serving.maturing = 0.4 in 0.05..1.2;
    serving.amd_compute = 0.7 in 0.3..1.0;
    serving.amd_overhead = 1.5 in 0.5..6.0;
    serving.interference = 0.9 in 0.3..1.2;
    serving.ttft_secs.trtllm = 0.04 in 0.003..0.3;
    serving.ttft_secs.vllm = 0.04 in 0.003..0.3;
    serving.ttft_secs.sglang = 0.04 in 0.003..0.3;
    serving.ttft_secs.lmdeploy = 0.01 in 0.003..0.3;
    serving.ttft_prefill = 1.0 in 0.5..3.0;
    serving.ttft_wave = 0.1 in 0.01..0.6;
    serving.output_reserved = 0.7 in 0.4..1.0;
    serving.sequences.trtllm = 1024.0 in 128.0..4096.0;
    serving.sequences.vllm = 512.0 in 128.0..2048.0;
    serving.sequences.sglang = 512.0 in 128.0..2048.0;
    serving.request_secs = 5e-3 in 2e-4..3e-2;
    serving.burst_tail = 0.7 in 0.1..1.0;
    serving.under_target = 0.9 in 0.5..1.0;
    serving.mtp_yield = 2.2 in 1.2..3.0;
];

/// One stream at a time. Starts: achieved shares of published stream tests, 27 to 120 us of launches a layer.
pub(super) const STREAMS: &[Constant] = constants![
    local.stream_16 = 0.85 in 0.6..0.97;
    local.stream_8 = 0.85 in 0.6..0.97;
    local.stream_4 = 0.85 in 0.5..0.97;
    local.hbm = 0.8 in 0.3..1.0;
    local.apple = 0.9 in 0.5..1.0;
    local.amd = 0.7 in 0.2..1.0;
    local.unpack = 4.0 in 0.3..30.0;
    local.unpack_knee = 2.0 in 1.0..6.0;
    local.unpack_apple = 3.0 in 0.1..30.0;
    local.unpack_apple_k = 6.0 in 0.5..60.0;
    local.layer_cuda_secs = 8e-5 in 1e-5..4e-4;
    local.layer_other_secs = 1e-4 in 1e-5..4e-4;
    local.row_split_secs = 1e-4 in 1e-5..1e-3;
    local.row_split_gpu_secs = 1e-4 in 1e-5..1e-3;
    local.hand_over_secs = 2e-4 in 1e-5..2e-3;
    local.stream_kv = 0.6 in 0.1..0.95;
    local.stream_kv_apple = 0.3 in 0.03..0.95;
    local.prefill = 0.2 in 0.05..0.6;
    local.prefill_16 = 0.4 in 0.05..0.9;
    local.prefill_attention = 0.1 in 0.01..0.6;
    local.prefill_apple = 0.6 in 0.1..0.95;
    local.prefill_half_tokens = 30.0 in 3.0..300.0;
];

/// Single kernels. Starts: the middle of what A100 to GB200 reach.
pub(super) const KERNELS: &[Constant] = constants![
    kernels.stream_16 = 0.85 in 0.4..1.0;
    kernels.stream_8 = 0.7 in 0.3..1.0;
    kernels.stream_4 = 0.65 in 0.3..1.0;
    kernels.compute_16 = 0.8 in 0.4..1.0;
    kernels.compute_8 = 0.4 in 0.2..0.9;
    kernels.compute_4 = 0.5 in 0.2..0.9;
    kernels.launch_secs = 5e-6 in 1e-6..3e-5;
    kernels.narrow_secs = 5e-6 in 1e-6..3e-5;
    kernels.knee = 2.0 in 1.0..12.0;
    kernels.attention_stream = 0.85 in 0.3..1.0;
    kernels.attention_launch_secs = 1e-5 in 1e-6..5e-5;
    kernels.attention_compute = 0.5 in 0.2..0.95;
    kernels.attention_half_tokens = 200.0 in 10.0..4000.0;
    kernels.expert_stream = 0.7 in 0.2..1.2;
    kernels.expert_compute = 0.7 in 0.1..1.2;
    kernels.expert_launch_secs = 2e-5 in 2e-6..2e-4;
    kernels.routing_skew = 0.7 in 0.1..1.0;
    kernels.reduce_secs = 7e-6 in 1e-6..5e-5;
    kernels.reduce_growth = 0.2 in 0.01..2.0;
    kernels.reduce_pcie_secs = 2e-5 in 2e-6..2e-4;
    kernels.link = 0.7 in 0.1..1.2;
    kernels.link_pcie = 0.4 in 0.02..1.2;
];

const ALL: &[&[Constant]] = &[BATCHES, STREAMS, KERNELS];

/// A calibration that has seen no measurement: every fitted constant at its start.
#[must_use]
pub fn neutral() -> Calibration {
    let mut calibration = Calibration::shipped().clone();
    calibration.held_out.clear();
    for constant in ALL.iter().copied().flatten() {
        *(constant.of)(&mut calibration) = constant.start;
    }
    calibration
}

/// Every constant that is fitted, with its value in a calibration.
#[must_use]
pub fn changed(calibration: &Calibration) -> Vec<(&'static Constant, f64)> {
    let mut copy = calibration.clone();
    ALL.iter().copied().flatten().map(|constant| (constant, *(constant.of)(&mut copy))).collect()
}

/// From a value to the line that the solver walks on, and back: a logistic curve between the bounds, geometric.
impl Constant {
    pub(super) fn place_of(self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        let share = share.clamp(1e-6, 1.0 - 1e-6);
        (share / (1.0 - share)).ln()
    }

    pub(super) fn value_at(self, u: f64) -> f64 {
        self.low * (self.high / self.low).powf(1.0 / (1.0 + (-u).exp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constant_starts_within_its_bounds_and_comes_back_from_the_line() {
        for constant in ALL.iter().copied().flatten() {
            assert!(constant.low > 0.0 && constant.low <= constant.start && constant.start <= constant.high);
            let back = constant.value_at(constant.place_of(constant.start));
            assert!((back / constant.start - 1.0).abs() < 1e-4, "{}: {back}", constant.name);
        }
    }
}
