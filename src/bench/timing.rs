//! Timing on an adapter: its own time stamps where it has them, else the host's clock around a long chain.

use std::time::Instant;

use super::device::Gpu;
use super::repeat::Timed;
use super::result::Clock;
use super::run::CaseError;

/// Two time stamps and where they are read.
#[derive(Debug)]
struct Stamps {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    read: wgpu::Buffer,
    tick_secs: f64,
}

/// The clock of an adapter.
#[derive(Debug)]
pub struct Stopwatch {
    stamps: Option<Stamps>,
    /// Contradictions in a row.
    absurd: u32,
    /// Whether time stamps were given up as wrong.
    pub disagrees: bool,
}

/// Bytes of two time stamps.
const BYTES: u64 = 16;

/// Contradictions in a row that end the use of time stamps: one may be a busy host that looked late.
const ABSURD_MAX: u32 = 3;

/// Work that the host saw take so long was certainly seen by time stamps too.
const CERTAIN_SECS: f64 = 0.02;

impl Stopwatch {
    /// A stopwatch for a device.
    pub fn new(gpu: &Gpu) -> Self {
        let has = gpu.features.contains(wgpu::Features::TIMESTAMP_QUERY);
        let stamps = has.then(|| gpu.guarded(2 * BYTES, || Stamps::new(gpu)).ok()).flatten();
        Self { stamps, absurd: 0, disagrees: false }
    }

    /// Runs a pass and returns how long it took.
    ///
    /// Time stamps that say more than the host saw, or less than a quarter of it for work that is long enough, are not
    /// used; three in a row are the last.
    ///
    /// # Errors
    /// [`CaseError::Lost`] if the device is gone.
    pub fn time(
        &mut self,
        gpu: &Gpu,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<Timed, CaseError> {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let writes = self.stamps.as_ref().map(|stamps| wgpu::ComputePassTimestampWrites {
                query_set: &stamps.set,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            });
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes: writes };
            record(&mut encoder.begin_compute_pass(&descriptor));
        }
        if let Some(stamps) = &self.stamps {
            encoder.resolve_query_set(&stamps.set, 0..2, &stamps.resolved, 0);
            encoder.copy_buffer_to_buffer(&stamps.resolved, 0, &stamps.read, 0, Some(BYTES));
        }
        let commands = encoder.finish();
        let begun = Instant::now();
        gpu.queue.submit([commands]);
        gpu.wait()?;
        let host_secs = begun.elapsed().as_secs_f64();
        let host = Timed { secs: host_secs, clock: Clock::HostClock };
        let Some(secs) = self.stamps.as_ref().map(|stamps| stamps.secs(gpu)).transpose()? else {
            return Ok(host);
        };
        let absurd = secs > 1.05 * host_secs + 1e-4 || (host_secs > CERTAIN_SECS && secs < 0.25 * host_secs);
        self.absurd = if absurd { self.absurd + 1 } else { 0 };
        if self.absurd >= ABSURD_MAX {
            (self.stamps, self.disagrees) = (None, true);
        }
        // A chain that is too short for the clock's tick is no contradiction.
        if absurd || secs <= 0.0 {
            return Ok(host);
        }
        Ok(Timed { secs, clock: Clock::DeviceTimestamps })
    }
}

impl Stamps {
    fn new(gpu: &Gpu) -> Self {
        let buffer = |usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("time stamps"),
                size: BYTES,
                usage,
                mapped_at_creation: false,
            })
        };
        Self {
            set: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            read: buffer(wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ),
            tick_secs: f64::from(gpu.queue.get_timestamp_period()) * 1e-9,
        }
    }

    fn secs(&self, gpu: &Gpu) -> Result<f64, CaseError> {
        let bytes = mapped(gpu, &self.read, BYTES)?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
        #[expect(clippy::cast_precision_loss, reason = "a difference of ticks is far below 2^53")]
        let ticks = ticks[1].saturating_sub(ticks[0]) as f64;
        Ok(ticks * self.tick_secs)
    }
}

/// The first bytes of a buffer that the host may read.
///
/// # Errors
/// [`CaseError::Lost`] or [`CaseError::Refused`].
pub fn mapped(gpu: &Gpu, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>, CaseError> {
    let refused = |why: String| CaseError::Refused { why };
    let (send, receive) = std::sync::mpsc::channel();
    buffer.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
        // The receiver waits below; it is gone only if the device is.
        drop(send.send(result));
    });
    gpu.wait()?;
    match receive.try_recv() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(refused(error.to_string())),
        Err(_) => return Err(CaseError::Lost { why: "memory could not be read back".to_owned() }),
    }
    let copied = {
        let view = buffer.get_mapped_range(0..bytes).map_err(|error| refused(error.to_string()))?;
        view.to_vec()
    };
    buffer.unmap();
    Ok(copied)
}
