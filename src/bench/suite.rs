//! The kernels on an adapter.
//!
//! A case is prepared (memory, inputs made on the device, outputs poisoned, one run held to the CPU twin) and then
//! timed. Arrays larger than what one kernel may see are split into pieces that are dispatched one after the other.

mod buffers;
mod compute;
mod matrix;
mod memory;
mod transfer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::device::Gpu;
use super::kernel::Kernel;
use super::repeat::Timed;
use super::result::{Device, Flag};
use super::run::{Backend, Case, CaseError, Work};
use super::timing::Stopwatch;

use memory::Variant;

/// An adapter that runs the kernels.
#[derive(Debug)]
pub struct Adapter {
    gpu: Gpu,
    stopwatch: Stopwatch,
    prepared: Option<Prepared>,
    /// How each memory kernel runs fastest here, found at its first, largest case.
    tuned: HashMap<Kernel, Variant>,
}

/// A case that is ready.
#[derive(Debug)]
enum Prepared {
    /// Dispatches.
    Shader(Shader),
    /// Copies from buffer to buffer.
    Copies(memory::Copies),
    /// Copies between host and device.
    Transfer(transfer::Transfer),
}

impl Prepared {
    const fn work(&self) -> &Work {
        match self {
            Self::Shader(shader) => &shader.work,
            Self::Copies(copies) => &copies.work,
            Self::Transfer(transfer) => &transfer.work,
        }
    }

    fn time(&self, gpu: &Gpu, stopwatch: &mut Stopwatch, passes: u32) -> Result<Timed, CaseError> {
        match self {
            Self::Shader(shader) => stopwatch.time(gpu, |pass| shader.record(pass, passes)),
            Self::Copies(copies) => copies.time(gpu, passes),
            Self::Transfer(transfer) => transfer.time(gpu, passes),
        }
    }
}

/// Dispatches of one pass, in order.
#[derive(Debug)]
struct Shader {
    pipeline: wgpu::ComputePipeline,
    steps: Vec<(wgpu::BindGroup, [u32; 3])>,
    work: Work,
}

impl Shader {
    fn record(&self, pass: &mut wgpu::ComputePass<'_>, passes: u32) {
        pass.set_pipeline(&self.pipeline);
        for _ in 0..passes {
            for (group, [x, y, z]) in &self.steps {
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(*x, *y, *z);
            }
        }
    }

    /// Runs one pass.
    fn once(&self, gpu: &Gpu) -> Result<(), CaseError> {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()), 1);
        gpu.queue.submit([encoder.finish()]);
        gpu.wait()
    }
}

impl Adapter {
    /// The kernels on an opened adapter.
    #[must_use]
    pub fn new(gpu: Gpu) -> Self {
        Self { stopwatch: Stopwatch::new(&gpu), gpu, prepared: None, tuned: HashMap::new() }
    }
}

impl Backend for Adapter {
    fn device(&self) -> &Device {
        &self.gpu.info
    }

    fn kernels(&self) -> Vec<Kernel> {
        use Kernel::{
            Add, Copy, Dispatch, Download, FmaF16, FmaF32, GemmF16, GemmF32, GemvBatch, GemvF16, GemvF32,
            GemvInt4, GemvInt8, Latency, Read, Scale, Triad, Upload, Write,
        };
        vec![
            Read, GemvF16, Triad, Copy, GemmF16, GemvInt4, GemvInt8, GemvF32, GemvBatch, FmaF32, FmaF16,
            GemmF32, Write, Scale, Add, Dispatch, Upload, Download, Latency,
        ]
    }

    fn prepare(&mut self, case: &Case) -> Result<Work, CaseError> {
        self.prepared = None;
        self.gpu.alive()?;
        let gpu = &self.gpu;
        let prepared = match case.kernel {
            Kernel::Read | Kernel::Write | Kernel::Copy | Kernel::Scale | Kernel::Add | Kernel::Triad => {
                memory::tuned(gpu, &mut self.stopwatch, &mut self.tuned, case)?
            }
            Kernel::GemvF32 | Kernel::GemvF16 | Kernel::GemvInt8 | Kernel::GemvInt4 | Kernel::GemvBatch => {
                Prepared::Shader(matrix::gemv(gpu, case)?)
            }
            Kernel::GemmF32 | Kernel::GemmF16 => Prepared::Shader(matrix::gemm(gpu, case)?),
            Kernel::FmaF32 | Kernel::FmaF16 => Prepared::Shader(compute::fma(gpu, case.kernel)?),
            Kernel::Latency => Prepared::Shader(compute::latency(gpu, case.bytes)?),
            Kernel::Dispatch => Prepared::Shader(compute::dispatch(gpu)?),
            Kernel::Upload | Kernel::Download => Prepared::Transfer(transfer::prepare(gpu, case)?),
        };
        let work = prepared.work().clone();
        self.prepared = Some(prepared);
        Ok(work)
    }

    fn time(&mut self, passes: u32) -> Result<Timed, CaseError> {
        let Self { gpu, stopwatch, prepared, .. } = self;
        match prepared {
            Some(prepared) => prepared.time(gpu, stopwatch, passes),
            None => Err(CaseError::Refused { why: "nothing is prepared".to_owned() }),
        }
    }

    fn release(&mut self) {
        self.prepared = None;
        // Memory of what was dropped goes back now, not at the next submission. A lost device says so at the next case.
        drop(self.gpu.wait());
    }

    fn remarks(&self) -> Vec<Flag> {
        if self.stopwatch.disagrees { vec![Flag::ClockDisagrees] } else { Vec::new() }
    }
}
