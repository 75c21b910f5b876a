//! A run over a device: which points, in which order, how long, and what to do when something goes wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::job::Ctl;
use crate::stats::Z95;

use super::kernel::{Kernel, Quantity};
use super::repeat::{Settled, Timed, settle};
use super::result::{Clock, Device, DeviceKind, End, Flag, Pace, Point, Run, SCHEMA, Skipped};

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Case {
    /// Kernel.
    pub kernel: Kernel,
    /// Bytes that one pass should touch; the device may round it.
    pub bytes: u64,
}

/// What one pass of a prepared case does.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Bytes that it touches, after rounding: the place on the axis.
    pub working_set_bytes: u64,
    /// Units per pass: bytes, FLOP or steps, by the kernel's quantity; > 0.
    pub units: f64,
    /// How it is run, where there is a choice.
    pub variant: String,
}

/// Why a case cannot be measured.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CaseError {
    /// The device has no such ability.
    #[error("the device has no {what}")]
    Unsupported {
        /// Which.
        what: String,
    },
    /// More memory than there is.
    #[error("it needs {} MB, and the device gave less", need_bytes / 1_000_000)]
    OutOfMemory {
        /// Needed, in bytes.
        need_bytes: u64,
    },
    /// The result is not what the reference computes: no time is reported.
    #[error("the result is wrong at {at}: {found} instead of {expected}")]
    Wrong {
        /// Where.
        at: u64,
        /// What the device computed.
        found: f64,
        /// What the reference computes.
        expected: f64,
    },
    /// The driver refused it.
    #[error("the driver refused it: {why}")]
    Refused {
        /// What it said.
        why: String,
    },
    /// The device is gone; nothing more can be measured.
    #[error("the device was lost: {why}")]
    Lost {
        /// What is known.
        why: String,
    },
}

/// A device that runs cases.
pub trait Backend {
    /// The device.
    fn device(&self) -> &Device;

    /// Kernels that it has, in the order in which they matter.
    fn kernels(&self) -> Vec<Kernel>;

    /// Allocates a case, runs it once over poisoned outputs and holds the result to the reference.
    ///
    /// # Errors
    /// [`CaseError`] says why not.
    fn prepare(&mut self, case: &Case) -> Result<Work, CaseError>;

    /// Runs passes of the prepared case and returns their time.
    ///
    /// # Errors
    /// [`CaseError`], should the device fail on the way.
    fn time(&mut self, passes: u32) -> Result<Timed, CaseError>;

    /// Frees what was prepared.
    fn release(&mut self);

    /// What to know of the way in which it measured.
    fn remarks(&self) -> Vec<Flag> {
        Vec::new()
    }
}

/// What to measure, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How thoroughly.
    pub pace: Pace,
    /// These kernels alone; all where empty.
    pub kernels: Vec<Kernel>,
    /// Largest working set, in bytes; what is safe where `None`.
    pub bytes_max: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { pace: Pace::Quick, kernels: Vec::new(), bytes_max: None }
    }
}

impl Settings {
    /// Time for all, in seconds; a point that was begun is finished, so that quick stays below 30.
    #[must_use]
    pub const fn secs_max(&self) -> f64 {
        match self.pace {
            Pace::Quick => 20.0,
            Pace::Full => 600.0,
        }
    }

    /// Time for one point.
    const fn patience(&self) -> Duration {
        match self.pace {
            Pace::Quick => Duration::from_millis(300),
            Pace::Full => Duration::from_millis(1500),
        }
    }
}

/// Smallest working set.
pub const BYTES_MIN: u64 = 16 << 10;

/// Largest working set that is safe on a device: far above any cache, far below its memory.
///
/// A quarter of the memory; the processor's own memory is shared with everybody else, so an eighth there. 2 GiB at
/// most for quick and 16 GiB for full; 512 MiB where nothing says how much memory there is.
#[must_use]
pub fn safe_bytes(device: &Device, pace: Pace) -> u64 {
    let most = match (pace, device.kind.is_processor()) {
        // Four times the caches of most processors; it takes its time.
        (Pace::Quick, true) => 128 << 20,
        (Pace::Quick, false) => 2 << 30,
        (Pace::Full, true) => 2 << 30,
        (Pace::Full, false) => 16 << 30,
    };
    let shared = device.kind.is_processor() || device.kind == DeviceKind::Integrated;
    let share = if shared { 8 } else { 4 };
    device.memory_bytes.map_or(512 << 20, |bytes| bytes / share).clamp(BYTES_MIN, most)
}

/// The cases of a run, most important first, so that a stop or the end of the time costs least.
///
/// First every kernel out of memory, then the curves from small to large.
#[must_use]
pub fn cases(backend: &dyn Backend, settings: &Settings) -> Vec<Case> {
    let device = backend.device();
    let most = settings.bytes_max.unwrap_or_else(|| safe_bytes(device, settings.pace)).max(BYTES_MIN);
    let wanted = |kernel: &Kernel| settings.kernels.is_empty() || settings.kernels.contains(kernel);
    let kernels: Vec<Kernel> = backend.kernels().into_iter().filter(wanted).collect();
    let mut cases: Vec<Case> = kernels
        .iter()
        .map(|kernel| Case { kernel: *kernel, bytes: headline_bytes(*kernel, most, device.kind) })
        .collect();
    for kernel in &kernels {
        for bytes in curve_bytes(*kernel, most, settings.pace, device.kind) {
            let case = Case { kernel: *kernel, bytes };
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
    }
    cases
}

/// The size that stands for a kernel.
fn headline_bytes(kernel: Kernel, most: u64, kind: DeviceKind) -> u64 {
    match kernel {
        // Barriers of an imitated GPU take their time, not memory.
        Kernel::GemvF32 | Kernel::GemvF16 | Kernel::GemvInt8 | Kernel::GemvInt4 | Kernel::GemvBatch
            if kind == DeviceKind::Software =>
        {
            most.min(8 << 20)
        }
        // Three square matrices of 1,024.
        Kernel::GemmF32 | Kernel::GemmF16 => most.min(12 << 20),
        Kernel::FmaF32 | Kernel::FmaF16 | Kernel::Dispatch => BYTES_MIN,
        Kernel::Latency | Kernel::Upload | Kernel::Download => most.min(64 << 20),
        _ => most,
    }
}

/// Sizes of the curve of a kernel.
fn curve_bytes(kernel: Kernel, most: u64, pace: Pace, kind: DeviceKind) -> Vec<u64> {
    let step = match (kernel, pace) {
        // An imitated GPU takes its time to make arrays.
        (Kernel::Read, Pace::Quick) if kind == DeviceKind::Software => 4,
        (Kernel::Read, _) => 2,
        (Kernel::Copy | Kernel::Triad | Kernel::Latency, Pace::Quick) => 8,
        (
            Kernel::FmaF32
            | Kernel::FmaF16
            | Kernel::Dispatch
            | Kernel::GemmF32
            | Kernel::GemmF16
            | Kernel::Upload
            | Kernel::Download,
            _,
        )
        | (_, Pace::Quick) => return Vec::new(),
        (_, Pace::Full) => 2,
    };
    let mut sizes = Vec::new();
    let mut bytes = BYTES_MIN;
    // A walk through more than this takes its time and says no more.
    let end = if kernel == Kernel::Latency { most.min(256 << 20) } else { most };
    while bytes <= end {
        sizes.push(bytes);
        bytes *= step;
    }
    sizes
}

/// One run at a time in a process: two would measure each other.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Somebody else measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Another measurement is running; two at once would measure each other. Wait for it, or stop it")]
pub struct Occupied;

/// The right to measure; given back when dropped.
#[derive(Debug)]
pub struct Turn(());

impl Turn {
    /// Takes the right to measure in this process.
    ///
    /// # Errors
    /// [`Occupied`] while another has it.
    pub fn take() -> Result<Self, Occupied> {
        if RUNNING.swap(true, Ordering::AcqRel) { Err(Occupied) } else { Ok(Self(())) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::Release);
    }
}

/// Measures a device.
///
/// - `began`: when, as text, for the record.
/// - `ctl`: asked between samples; says how many points are done.
/// - `observe`: sees the run after every point.
///
/// Never fails: what could not be measured is in [`Run::skipped`], and how it ended in [`Run::end`].
pub fn measure(
    backend: &mut dyn Backend,
    settings: &Settings,
    began: &str,
    ctl: &Ctl,
    observe: &mut dyn FnMut(&Run),
) -> Run {
    let begun = Instant::now();
    let cases = cases(backend, settings);
    let mut run = Run {
        schema: SCHEMA,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        began: began.to_owned(),
        secs: 0.0,
        pace: settings.pace,
        device: backend.device().clone(),
        points: Vec::new(),
        skipped: Vec::new(),
        flags: Vec::new(),
        end: End::Running,
    };
    let mut end = End::Complete;
    let mut slept_secs = 0.0;
    for (i, case) in cases.iter().enumerate() {
        ctl.progress.set(i as u64, cases.len() as u64, case.kernel.label());
        if ctl.cancel.is_cancelled() {
            end = End::Stopped;
            break;
        }
        if begun.elapsed().as_secs_f64() > settings.secs_max() {
            end = End::OutOfTime { left: u32::try_from(cases.len() - i).unwrap_or(u32::MAX) };
            break;
        }
        match point(backend, case, settings, ctl) {
            Ok(Some((point, slept))) => {
                slept_secs += slept;
                run.points.push(point);
            }
            Ok(None) => {}
            Err(CaseError::Lost { why }) => {
                end = End::Lost { why };
                break;
            }
            Err(error) => run.skipped.push(Skipped {
                kernel: case.kernel,
                working_set_bytes: case.bytes,
                why: error.to_string(),
            }),
        }
        run.secs = begun.elapsed().as_secs_f64();
        observe(&run);
    }
    if ctl.cancel.is_cancelled() && end == End::Complete {
        end = End::Stopped;
    }
    if slept_secs > 0.0 {
        run.flags.push(Flag::Slept { secs: slept_secs });
    }
    if end == End::Complete
        && let Some(flag) = slower(backend, &run, settings, ctl)
    {
        run.flags.push(flag);
    }
    backend.release();
    run.flags.extend(busy(&run));
    run.flags.extend(backend.remarks());
    run.secs = begun.elapsed().as_secs_f64();
    run.end = end;
    observe(&run);
    run
}

/// One point, and how long the system slept meanwhile; `None` when stopped too early to say anything.
fn point(
    backend: &mut dyn Backend,
    case: &Case,
    settings: &Settings,
    ctl: &Ctl,
) -> Result<Option<(Point, f64)>, CaseError> {
    backend.release();
    let work = backend.prepare(case)?;
    let settled = settle(|passes| backend.time(passes), || ctl.cancel.is_cancelled(), settings.patience())?;
    Ok(settled.map(|settled| (of(case.kernel, &work, &settled), settled.slept_secs)))
}

fn of(kernel: Kernel, work: &Work, settled: &Settled) -> Point {
    let (value, low, high) = match kernel.quantity() {
        Quantity::Bandwidth | Quantity::Compute => {
            (work.units / settled.pass_secs, work.units / settled.high, work.units / settled.low)
        }
        Quantity::Latency => {
            (settled.pass_secs / work.units, settled.low / work.units, settled.high / work.units)
        }
    };
    Point {
        kernel,
        working_set_bytes: work.working_set_bytes,
        value,
        low,
        high,
        samples: settled.samples,
        passes: settled.passes,
        pass_secs: settled.pass_secs,
        clock: settled.clock,
        steady: settled.steady,
        variant: work.variant.clone(),
    }
}

/// A first point that is slower by this much when repeated at the end was throttled.
const SLOWER: f64 = 0.93;

/// Repeats the first bandwidth point at the end of a run.
fn slower(backend: &mut dyn Backend, run: &Run, settings: &Settings, ctl: &Ctl) -> Option<Flag> {
    let first = run.points.iter().find(|p| p.kernel.arrays().is_some())?;
    if run.points.len() < 4 {
        return None;
    }
    let case = Case { kernel: first.kernel, bytes: first.working_set_bytes };
    let (again, _) = point(backend, &case, settings, ctl).ok()??;
    let ratio = again.value / first.value;
    // Beyond the noise of both.
    let noise = Z95 / 2.0 * (first.spread() + again.spread());
    (ratio < SLOWER && 1.0 - ratio > noise).then_some(Flag::Slower { ratio })
}

fn busy(run: &Run) -> Option<Flag> {
    let wide = run.points.iter().filter(|point| point.spread() > 0.10).count();
    // One in ten is chance.
    (wide * 10 > run.points.len()).then(|| Flag::Busy { points: u32::try_from(wide).unwrap_or(u32::MAX) })
}

/// Two devices at the same work in turns.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Versus {
    /// Kernel.
    pub kernel: Kernel,
    /// Working set of the first device, in bytes.
    pub working_set_bytes: u64,
    /// Median of the first device, in the unit of the kernel.
    pub first: f64,
    /// Median of the second device.
    pub second: f64,
    /// Median over the rounds of first over second.
    pub ratio: f64,
    /// The ratio of each round, in order.
    pub ratios: Vec<f64>,
}

/// Measures two devices in turns, `rounds` times, so that whatever else the machine does hits both alike.
///
/// - Kernels that one of the two lacks are left out.
///
/// # Errors
/// [`CaseError`] of the first case that fails.
pub fn versus(
    first: &mut dyn Backend,
    second: &mut dyn Backend,
    kernels: &[Kernel],
    bytes: u64,
    rounds: u32,
    ctl: &Ctl,
) -> Result<Vec<Versus>, CaseError> {
    let settings = Settings::default();
    let both: Vec<Kernel> = kernels
        .iter()
        .copied()
        .filter(|kernel| first.kernels().contains(kernel) && second.kernels().contains(kernel))
        .collect();
    let mut found: Vec<Versus> = Vec::new();
    for kernel in both {
        let case = Case { kernel, bytes };
        let (mut ones, mut twos, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let mut working_set_bytes = bytes;
        for _ in 0..rounds.max(1) {
            if ctl.cancel.is_cancelled() {
                break;
            }
            let one = point(first, &case, &settings, ctl)?;
            let two = point(second, &case, &settings, ctl)?;
            let (Some((one, _)), Some((two, _))) = (one, two) else { break };
            working_set_bytes = one.working_set_bytes;
            ratios.push(one.value / two.value);
            ones.push(one.value);
            twos.push(two.value);
        }
        if !ratios.is_empty() {
            found.push(Versus {
                kernel,
                working_set_bytes,
                first: median(&ones),
                second: median(&twos),
                ratio: median(&ratios),
                ratios,
            });
        }
    }
    first.release();
    second.release();
    Ok(found)
}

/// The median; NaN of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
    }
}

/// A run that is further than this from the median of earlier ones is an outlier.
const OUTLIER: f64 = 0.10;

/// Whether a run's read bandwidth is far from that of earlier runs of the same device, driver and thoroughness; `None`
/// of fewer than three.
#[must_use]
pub fn outlier(run: &Run, earlier: &[Run]) -> Option<Flag> {
    let same = |other: &&Run| other.device.key() == run.device.key() && other.pace == run.pace;
    let before: Vec<f64> = earlier.iter().filter(same).filter_map(Run::read_bytes_per_s).collect();
    let ratio = run.read_bytes_per_s()? / median(&before);
    (before.len() >= 3 && (ratio - 1.0).abs() > OUTLIER).then_some(Flag::Outlier { ratio })
}

/// The clock that most points of a run used; `None` of nothing.
#[must_use]
pub fn clock(run: &Run) -> Option<Clock> {
    let stamps = run.points.iter().filter(|point| point.clock == Clock::DeviceTimestamps).count();
    (!run.points.is_empty()).then_some(if stamps * 2 > run.points.len() {
        Clock::DeviceTimestamps
    } else {
        Clock::HostClock
    })
}

#[cfg(test)]
mod tests;
