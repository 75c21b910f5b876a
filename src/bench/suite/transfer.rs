//! Copies between host and device, by the host's clock.

use std::time::Instant;

use wgpu::BufferUsages as Usage;

use super::buffers::{buffer, hold, made, words};
use crate::bench::device::Gpu;
use crate::bench::kernel::Kernel;
use crate::bench::reference::hash;
use crate::bench::repeat::Timed;
use crate::bench::result::Clock;
use crate::bench::run::{Case, CaseError, Work};
use crate::bench::timing::mapped;

/// A transfer that is ready.
#[derive(Debug)]
pub struct Transfer {
    kernel: Kernel,
    host: Vec<u32>,
    device: wgpu::Buffer,
    read: Option<wgpu::Buffer>,
    pub(super) work: Work,
}

/// Prepares a transfer and holds its result to what was sent.
///
/// # Errors
/// [`CaseError`] of the driver, or [`CaseError::Wrong`].
pub fn prepare(gpu: &Gpu, case: &Case) -> Result<Transfer, CaseError> {
    let bytes = case.bytes.min(gpu.limits.max_buffer_size) / 4 * 4;
    let count = u32::try_from(bytes / 4).unwrap_or(u32::MAX);
    let host: Vec<u32> = (0..count).map(|i| hash(i, 9)).collect();
    let device = buffer(gpu, bytes)?;
    let read = (case.kernel == Kernel::Download)
        .then(|| made(gpu, bytes, Usage::MAP_READ | Usage::COPY_DST))
        .transpose()?;
    let work = Work {
        working_set_bytes: bytes,
        units: bytes as f64,
        variant: "through a staging buffer".to_owned(),
    };
    let transfer = Transfer { kernel: case.kernel, host, device, read, work };
    transfer.upload(gpu)?;
    let found = match &transfer.read {
        Some(read) => bytemuck::pod_collect_to_vec(&transfer.download(gpu, read)?),
        None => words(gpu, &transfer.device, 0, u64::from(count))?,
    };
    for (at, (found, sent)) in (0_u64..).zip(found.iter().zip(&transfer.host)) {
        hold(at, f64::from(*found), f64::from(*sent), 0.0)?;
    }
    Ok(transfer)
}

impl Transfer {
    fn upload(&self, gpu: &Gpu) -> Result<(), CaseError> {
        gpu.queue.write_buffer(&self.device, 0, bytemuck::cast_slice(&self.host));
        gpu.queue.submit([]);
        gpu.wait()
    }

    fn download(&self, gpu: &Gpu, read: &wgpu::Buffer) -> Result<Vec<u8>, CaseError> {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&self.device, 0, read, 0, Some(self.work.working_set_bytes));
        gpu.queue.submit([encoder.finish()]);
        mapped(gpu, read, self.work.working_set_bytes)
    }

    /// Runs transfers one after the other.
    ///
    /// # Errors
    /// [`CaseError`] of the driver.
    pub fn time(&self, gpu: &Gpu, passes: u32) -> Result<Timed, CaseError> {
        let begun = Instant::now();
        for _ in 0..passes {
            match &self.read {
                Some(read) if self.kernel == Kernel::Download => {
                    std::hint::black_box(self.download(gpu, read)?);
                }
                _ => self.upload(gpu)?,
            }
        }
        Ok(Timed { secs: begun.elapsed().as_secs_f64(), clock: Clock::HostClock })
    }
}
