//! Memory on the device: made, filled there, and read back for the check.

use wgpu::BufferUsages as Usage;

use crate::bench::device::Gpu;
use crate::bench::run::CaseError;
use crate::bench::timing::mapped;

/// What an array is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// One word throughout: the poison of outputs, which no kernel writes.
    Poison,
    /// `reference::element` in 32 bit.
    Elements,
    /// Two of them per word, in 16 bit.
    Halves,
    /// `reference::hash`: packed integers.
    Words,
    /// `reference::group_scale`.
    Scales,
    /// `reference::element` in 64 bit.
    Doubles,
}

/// A word that is NaN as a number of 32 bit, and twice that as one of 64.
pub const POISON: u32 = 0x7ffd_dead;

/// Parameters of fill.wgsl.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Fill {
    count: u32,
    first: u32,
    seed: u32,
    mode: u32,
    word: u32,
    width: u32,
    pad: [u32; 2],
}

/// A buffer of so many bytes that kernels see and the host can read back through a copy.
///
/// # Errors
/// [`CaseError::OutOfMemory`].
pub fn buffer(gpu: &Gpu, bytes: u64) -> Result<wgpu::Buffer, CaseError> {
    made(gpu, bytes, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST)
}

/// A buffer with a use of its own.
///
/// # Errors
/// [`CaseError::OutOfMemory`].
pub fn made(gpu: &Gpu, bytes: u64, usage: Usage) -> Result<wgpu::Buffer, CaseError> {
    gpu.guarded(bytes, || {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage,
            mapped_at_creation: false,
        })
    })
}

/// A small buffer of parameters.
///
/// # Errors
/// [`CaseError::OutOfMemory`].
pub fn params(gpu: &Gpu, value: &impl bytemuck::NoUninit) -> Result<wgpu::Buffer, CaseError> {
    let bytes = bytemuck::bytes_of(value);
    let buffer = made(gpu, bytes.len() as u64, Usage::UNIFORM | Usage::COPY_DST)?;
    gpu.queue.write_buffer(&buffer, 0, bytes);
    Ok(buffer)
}

/// Largest piece of an array, in bytes: what one kernel may see, at most 1 GiB so that indices of words and bytes stay
/// below 2^32, a multiple of 1 MiB where there is so much.
pub fn piece_max(gpu: &Gpu) -> u64 {
    let most = gpu.limits.max_storage_buffer_binding_size.min(gpu.limits.max_buffer_size).min(1 << 30);
    let unit = if most >= 1 << 20 { 1 << 20 } else { 1 << 12 };
    (most / unit).max(1) * unit
}

/// Fills a buffer on the device; `first` is the index of its first word (or pair).
///
/// # Errors
/// [`CaseError`] of the driver.
pub fn fill(
    gpu: &Gpu,
    buffer: &wgpu::Buffer,
    content: Content,
    first: u32,
    seed: u32,
) -> Result<(), CaseError> {
    let count = u32::try_from(buffer.size() / 4).unwrap_or(u32::MAX);
    // 256 to a workgroup, at most 16,384 workgroups in a row.
    let width = count.div_ceil(256).clamp(1, 16_384) * 256;
    let value = Fill {
        count,
        first,
        seed,
        mode: match content {
            Content::Poison => 0,
            Content::Elements => 1,
            Content::Halves => 2,
            Content::Words => 3,
            Content::Scales => 4,
            Content::Doubles => 5,
        },
        word: POISON,
        width,
        pad: [0; 2],
    };
    let pipeline = pipeline(gpu, include_str!("../../../shaders/fill.wgsl"), &[])?;
    let params = params(gpu, &value)?;
    let group = group(gpu, &pipeline, &[&params, buffer])?;
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(width / 256, count.div_ceil(width).max(1), 1);
    }
    gpu.queue.submit([encoder.finish()]);
    gpu.wait()
}

/// A filled buffer.
///
/// # Errors
/// [`CaseError`] of the driver.
pub fn filled(
    gpu: &Gpu,
    bytes: u64,
    content: Content,
    first: u32,
    seed: u32,
) -> Result<wgpu::Buffer, CaseError> {
    let made = buffer(gpu, bytes)?;
    fill(gpu, &made, content, first, seed)?;
    Ok(made)
}

/// A pipeline of a shader with its constants.
///
/// # Errors
/// [`CaseError::Refused`] with what the compiler said.
pub fn pipeline(
    gpu: &Gpu,
    source: &str,
    constants: &[(&str, f64)],
) -> Result<wgpu::ComputePipeline, CaseError> {
    gpu.guarded(0, || {
        let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // Kernels write what they read.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        })
    })
}

/// Binds whole buffers, in order.
///
/// # Errors
/// [`CaseError::Refused`].
pub fn group(
    gpu: &Gpu,
    pipeline: &wgpu::ComputePipeline,
    buffers: &[&wgpu::Buffer],
) -> Result<wgpu::BindGroup, CaseError> {
    gpu.guarded(0, || {
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0_u32..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    })
}

/// Words of a buffer.
///
/// # Errors
/// [`CaseError`] of the driver.
pub fn words(gpu: &Gpu, from: &wgpu::Buffer, first: u64, count: u64) -> Result<Vec<u32>, CaseError> {
    let bytes = 4 * count;
    let read = made(gpu, bytes, Usage::MAP_READ | Usage::COPY_DST)?;
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(from, 4 * first, &read, 0, Some(bytes));
    gpu.queue.submit([encoder.finish()]);
    Ok(bytemuck::pod_collect_to_vec(&mapped(gpu, &read, bytes)?))
}

/// Numbers of a buffer.
///
/// # Errors
/// [`CaseError`] of the driver.
pub fn numbers(gpu: &Gpu, from: &wgpu::Buffer, first: u64, count: u64) -> Result<Vec<f32>, CaseError> {
    Ok(words(gpu, from, first, count)?.into_iter().map(f32::from_bits).collect())
}

/// Numbers of 64 bit of a buffer.
///
/// # Errors
/// [`CaseError`] of the driver.
pub fn doubles(gpu: &Gpu, from: &wgpu::Buffer, first: u64, count: u64) -> Result<Vec<f64>, CaseError> {
    let words = words(gpu, from, 2 * first, 2 * count)?;
    let pairs = words.as_chunks::<2>().0.iter();
    Ok(pairs.map(|[low, high]| f64::from_bits(u64::from(*high) << 32 | u64::from(*low))).collect())
}

/// Where results are looked at: all of a short array; begin, middle and end of a long one.
pub fn looked_at(count: u64) -> Vec<(u64, u64)> {
    const LOOK: u64 = 16_384;
    if count <= 4 * LOOK {
        return vec![(0, count)];
    }
    vec![(0, LOOK), (count / 2 - LOOK / 2, LOOK), (count - LOOK, LOOK)]
}

/// Holds a number to its twin.
///
/// # Errors
/// [`CaseError::Wrong`] if they differ by more than `tolerance`, or the number is none.
pub fn hold(at: u64, found: f64, expected: f64, tolerance: f64) -> Result<(), CaseError> {
    if (found - expected).abs() <= tolerance { Ok(()) } else { Err(CaseError::Wrong { at, found, expected }) }
}
