//! Multiply-adds, a chain of loads, and dispatches of next to no work.

use wgpu::BufferUsages as Usage;

use super::Shader;
use super::buffers::{Content, filled, group, hold, made, numbers, params, pipeline, words};
use crate::bench::device::Gpu;
use crate::bench::kernel::Kernel;
use crate::bench::reference::{cycle, fma_chain, walk};
use crate::bench::run::{CaseError, Work};

/// Parameters of the chains.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Chain {
    steps: u32,
    seed: u32,
    a: f32,
    b: f32,
}

/// Seed of the starts.
const SEED: u32 = 5;

/// Chains per invocation.
const CHAINS: u32 = 32;

/// The sum of the chains of an invocation after an even number of steps.
fn chains(index: u32, steps: u32) -> f64 {
    let start = |k: u32| {
        let byte = (k ^ SEED) & 0xff;
        #[expect(clippy::cast_precision_loss, reason = "at most 255")]
        let value = byte as f32;
        (value - 128.0) / 128.0
    };
    let vectors = (0..8).flat_map(|v| (0..4).map(move |lane| index + v + lane));
    vectors.map(|k| f64::from(fma_chain(start(k), -1.0, 3.0, steps))).sum()
}

/// Chains of multiply-adds over the whole device.
///
/// # Errors
/// [`CaseError::Unsupported`] for 16 bit where the adapter has no such arithmetic; else [`CaseError`] of the driver.
pub fn fma(gpu: &Gpu, kernel: Kernel) -> Result<Shader, CaseError> {
    let half = kernel == Kernel::FmaF16;
    if half && !gpu.features.contains(wgpu::Features::SHADER_F16) {
        return Err(CaseError::Unsupported { what: "16 bit arithmetic".to_owned() });
    }
    let source = if half {
        include_str!("../../../shaders/fma_f16.wgsl")
    } else {
        include_str!("../../../shaders/fma_f32.wgsl")
    };
    // A million invocations fill 132 multiprocessors of 2,048 four times; a processor has no use for so many.
    let (groups, steps) = if gpu.info.kind.is_processor() { (64, 256) } else { (4096, 512) };
    let invocations = groups * 256;
    let pipeline = pipeline(gpu, source, &[])?;
    let found = filled(gpu, 4 * u64::from(invocations), Content::Poison, 0, 0)?;
    let params = params(gpu, &Chain { steps, seed: SEED, a: -1.0, b: 3.0 })?;
    let steps_of = vec![(group(gpu, &pipeline, &[&params, &found])?, [groups, 1, 1])];
    let flops = 2.0 * f64::from(CHAINS) * f64::from(steps) * f64::from(invocations);
    let work = Work {
        working_set_bytes: 4 * u64::from(invocations),
        units: flops,
        variant: format!("{CHAINS} chains x {invocations}"),
    };
    let shader = Shader { pipeline, steps: steps_of, work };
    shader.once(gpu)?;
    for (index, found) in (0..invocations).zip(numbers(gpu, &found, 0, u64::from(invocations))?) {
        // The starts repeat every 256 but for the carries of the index; every 97th is looked at.
        if index % 97 == 0 {
            hold(u64::from(index), f64::from(found), chains(index, steps), 0.0)?;
        }
    }
    Ok(shader)
}

/// Steps of the walk in one dispatch: a millisecond or so at 500 ns each.
const STEPS: u32 = 2048;

/// A walk along a cycle of lines.
///
/// # Errors
/// [`CaseError`] of the driver.
pub fn latency(gpu: &Gpu, bytes: u64) -> Result<Shader, CaseError> {
    let most = gpu.limits.max_storage_buffer_binding_size.min(gpu.limits.max_buffer_size);
    let lines = u32::try_from(bytes.min(most) / 64).unwrap_or(u32::MAX).max(2);
    let order = cycle(lines, 1);
    let spread: Vec<u32> = order.iter().flat_map(|next| std::iter::once(*next).chain([0; 15])).collect();
    let next = made(gpu, 64 * u64::from(lines), Usage::STORAGE | Usage::COPY_DST)?;
    gpu.queue.write_buffer(&next, 0, bytemuck::cast_slice(&spread));
    let pipeline = pipeline(gpu, include_str!("../../../shaders/latency.wgsl"), &[])?;
    let found = filled(gpu, 4, Content::Poison, 0, 0)?;
    let params = params(gpu, &Chain { steps: STEPS, seed: 0, a: 0.0, b: 0.0 })?;
    let steps = vec![(group(gpu, &pipeline, &[&params, &next, &found])?, [1, 1, 1])];
    let work = Work {
        working_set_bytes: 64 * u64::from(lines),
        units: f64::from(STEPS),
        variant: "one line of 64 B per step".to_owned(),
    };
    let shader = Shader { pipeline, steps, work };
    shader.once(gpu)?;
    let found = words(gpu, &found, 0, 1)?[0];
    hold(0, f64::from(found), f64::from(walk(&order, STEPS)), 0.0)?;
    Ok(shader)
}

/// A dispatch of one invocation.
///
/// # Errors
/// [`CaseError`] of the driver.
pub fn dispatch(gpu: &Gpu) -> Result<Shader, CaseError> {
    let pipeline = pipeline(gpu, include_str!("../../../shaders/dispatch.wgsl"), &[])?;
    let count = made(gpu, 4, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST)?;
    gpu.queue.write_buffer(&count, 0, bytemuck::bytes_of(&0_u32));
    let steps = vec![(group(gpu, &pipeline, &[&count])?, [1, 1, 1])];
    let work = Work { working_set_bytes: 4, units: 1.0, variant: "in one command buffer".to_owned() };
    let shader = Shader { pipeline, steps, work };
    for _ in 0..3 {
        shader.once(gpu)?;
    }
    hold(0, f64::from(words(gpu, &count, 0, 1)?[0]), 3.0, 0.0)?;
    Ok(shader)
}
