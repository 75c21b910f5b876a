//! The processor as a device: STREAM kernels over all cores, a chain of loads and a chain of multiply-adds.
//!
//! Safe code that the compiler vectorises, in versions for the instruction sets of the day. Each thread works on its own
//! part of every array, which it also touched first, and goes through it many times without waiting for the others:
//! the time is that of the slowest. Copying is left to `memcpy`, as compilers do with STREAM's loop in C.

use std::hint::black_box;
use std::time::Instant;

use multiversion::multiversion;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::kernel::Kernel;
use super::reference::{SCALAR, add, copy, cycle, element, fma_chain, scale, sum, triad, walk};
use super::repeat::Timed;
use super::result::{Clock, Device, DeviceKind, Flag};
use super::run::{Backend, Case, CaseError, Work};

/// The processor.
pub struct Processor {
    device: Device,
    pool: ThreadPool,
    prepared: Option<Prepared>,
}

/// What is prepared: per thread its parts of the arrays.
struct Prepared {
    kernel: Kernel,
    parts: Vec<Part>,
}

/// One thread's parts of `a`, `b` and `c`; those that a kernel does not use are empty.
struct Part {
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
    /// Links of the chain of loads, one per line.
    next: Vec<Line>,
    /// What a reading kernel found.
    found: f64,
    /// Whether the system gave less memory than was asked for.
    refused: bool,
}

/// A cache line with one link in it.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(u32);

/// Why the processor cannot be measured.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no threads to measure with: {0}")]
pub struct NoThreads(#[from] rayon::ThreadPoolBuildError);

/// Steps of the chain of multiply-adds in a pass.
const FMA_STEPS: u32 = 4096;

/// Independent chains per thread: twelve vectors of 8 lanes or six of 16, near what two units with a latency of four
/// need, and no more than there are registers for.
const FMA_LANES: usize = 96;

/// Factor and summand of the chain: a value becomes 3 less it and, after an even number of steps, itself again.
const FMA_A: f32 = -1.0;
const FMA_B: f32 = 3.0;

/// Poison of outputs: what no kernel writes.
const POISON: f32 = f32::NAN;

impl Processor {
    /// The processor with a thread for each core that this process may use.
    ///
    /// # Errors
    /// [`NoThreads`] where the system refuses them.
    pub fn new() -> Result<Self, NoThreads> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let pool =
            ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("measure {i}")).build()?;
        Ok(Self { device: described(threads), pool, prepared: None })
    }

    /// The device alone, without starting threads.
    #[must_use]
    pub fn described() -> Device {
        described(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

fn described(threads: usize) -> Device {
    // Where the system says nothing, the name is plain and the memory unknown.
    let system = sysinfo::System::new().ok().map(|mut system| {
        system.refresh_memory();
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
        system
    });
    let cpu = system.as_ref().and_then(|system| system.cpus().first());
    let name = cpu.map(|cpu| cpu.brand().trim().to_owned()).unwrap_or_default();
    let name = if name.is_empty() { "Processor".to_owned() } else { name };
    Device {
        kind: DeviceKind::Cpu,
        name: format!("{name}, {threads} {}", if threads == 1 { "thread" } else { "threads" }),
        backend: "threads".to_owned(),
        driver: String::new(),
        memory_bytes: system.map(|system| system.total_memory()).filter(|bytes| *bytes > 0),
        binding_bytes_max: None,
        features: Vec::new(),
        missing: Vec::new(),
    }
}

impl Backend for Processor {
    fn device(&self) -> &Device {
        &self.device
    }

    fn kernels(&self) -> Vec<Kernel> {
        use Kernel::{Add, Copy, FmaF32, Latency, Read, Scale, Triad, Write};
        vec![Read, Triad, Copy, Write, Scale, Add, FmaF32, Latency]
    }

    fn prepare(&mut self, case: &Case) -> Result<Work, CaseError> {
        let threads = self.pool.current_num_threads();
        let mut parts = Vec::new();
        // Made inside the pool, so that memory is near the core that uses it.
        self.pool.scope(|scope| {
            parts = (0..threads).map(|_| Part::empty()).collect();
            for (i, part) in parts.iter_mut().enumerate() {
                scope.spawn(move |_| part.fill(case, i, threads));
            }
        });
        if parts.iter().any(|part| part.refused) {
            return Err(CaseError::OutOfMemory { need_bytes: case.bytes });
        }
        let mut prepared = Prepared { kernel: case.kernel, parts };
        run(&self.pool, &mut prepared, 1);
        check(&prepared)?;
        let work = prepared.work();
        self.prepared = Some(prepared);
        Ok(work)
    }

    fn time(&mut self, passes: u32) -> Result<Timed, CaseError> {
        let Some(prepared) = &mut self.prepared else {
            return Err(CaseError::Refused { why: "nothing is prepared".to_owned() });
        };
        let begun = Instant::now();
        run(&self.pool, prepared, passes);
        Ok(Timed { secs: begun.elapsed().as_secs_f64(), clock: Clock::HostClock })
    }

    fn release(&mut self) {
        self.prepared = None;
    }

    fn remarks(&self) -> Vec<Flag> {
        if cfg!(debug_assertions) { vec![Flag::DebugBuild] } else { Vec::new() }
    }
}

impl Prepared {
    fn work(&self) -> Work {
        let elements: usize = self.parts.iter().map(|part| part.a.len() + part.b.len() + part.c.len()).sum();
        let threads = self.parts.len();
        let lines: usize = self.parts.iter().map(|part| part.next.len()).sum();
        let bytes = (elements * size_of::<f32>() + lines * size_of::<Line>()) as u64;
        let units = match self.kernel {
            Kernel::FmaF32 => 2.0 * f64::from(FMA_STEPS) * (threads * FMA_LANES) as f64,
            Kernel::Latency => f64::from(LATENCY_STEPS),
            _ => bytes as f64,
        };
        Work { working_set_bytes: bytes, units, variant: format!("{threads} threads") }
    }
}

/// Steps along the chain of loads in a pass.
const LATENCY_STEPS: u32 = 4096;

/// Elements in flight in the kernels' inner loops: a few cache lines, which the compiler turns into vectors.
const LANES: usize = 64;

impl Part {
    const fn empty() -> Self {
        Self { a: Vec::new(), b: Vec::new(), c: Vec::new(), next: Vec::new(), found: 0.0, refused: false }
    }

    /// Allocates and fills the parts of thread `i` of `threads`.
    fn fill(&mut self, case: &Case, i: usize, threads: usize) {
        match case.kernel {
            Kernel::Latency if i > 0 => {}
            Kernel::Latency => {
                let lines = u32::try_from(case.bytes / 64).unwrap_or(u32::MAX).max(2);
                self.refused = self.next.try_reserve_exact(lines as usize).is_err();
                if !self.refused {
                    self.next.extend(cycle(lines, 1).into_iter().map(Line));
                }
            }
            Kernel::FmaF32 => self.a = (0..FMA_LANES).map(|lane| start(i, lane)).collect(),
            kernel => {
                let arrays = kernel.arrays().unwrap_or(1);
                let bytes = case.bytes / arrays / threads as u64;
                let n = (usize::try_from(bytes).unwrap_or(usize::MAX) / 4 / LANES).max(1) * LANES;
                let seed = |array: u32| array + 16 * u32::try_from(i).unwrap_or(0);
                let mut filled = |array: &mut Vec<f32>, wanted: bool, value: &dyn Fn(u32) -> f32| {
                    if !wanted {
                        return;
                    }
                    self.refused |= array.try_reserve_exact(n).is_err();
                    if !self.refused {
                        array.extend((0..n).map(|k| value(u32::try_from(k).unwrap_or(u32::MAX))));
                    }
                };
                filled(&mut self.a, kernel != Kernel::Read, &|_| POISON);
                filled(&mut self.b, kernel.inputs() > 0, &|k| element(k, seed(1)));
                filled(&mut self.c, kernel.inputs() > 1, &|k| element(k, seed(2)));
            }
        }
    }

    /// Runs passes of a kernel over the parts.
    fn run(&mut self, kernel: Kernel, passes: u32) {
        let Self { a, b, c, next, found, .. } = self;
        for _ in 0..passes {
            match kernel {
                Kernel::Read => *found = read(black_box(b)),
                Kernel::Write => write(black_box(a), black_box(SCALAR)),
                Kernel::Copy => black_box(&mut *a).copy_from_slice(black_box(b)),
                Kernel::Scale => scaled(black_box(a), black_box(b), black_box(SCALAR)),
                Kernel::Add => added(black_box(a), black_box(b), black_box(c)),
                Kernel::Triad => triads(black_box(a), black_box(b), black_box(c), black_box(SCALAR)),
                Kernel::FmaF32 => chains(black_box(a), black_box(FMA_A), black_box(FMA_B)),
                Kernel::Latency if !next.is_empty() => *found = f64::from(chase(black_box(next))),
                _ => {}
            }
        }
    }
}

fn start(thread: usize, lane: usize) -> f32 {
    element(u32::try_from(thread * FMA_LANES + lane).unwrap_or(0), 3)
}

fn run(pool: &ThreadPool, prepared: &mut Prepared, passes: u32) {
    let kernel = prepared.kernel;
    pool.scope(|scope| {
        for part in &mut prepared.parts {
            scope.spawn(move |_| part.run(kernel, passes));
        }
    });
}

/// Holds every part to the reference, after exactly one pass.
fn check(prepared: &Prepared) -> Result<(), CaseError> {
    let kernel = prepared.kernel;
    for (i, part) in prepared.parts.iter().enumerate() {
        let wrong =
            |at: usize, found: f64, expected: f64| CaseError::Wrong { at: at as u64, found, expected };
        let n = part.b.len();
        match kernel {
            Kernel::Read => {
                let expected =
                    sum(0, u32::try_from(n).unwrap_or(u32::MAX), 1 + 16 * u32::try_from(i).unwrap_or(0));
                if part.found != expected {
                    return Err(wrong(i, part.found, expected));
                }
            }
            Kernel::Latency if i > 0 => {}
            Kernel::Latency => {
                let next: Vec<u32> = part.next.iter().map(|line| line.0).collect();
                let expected = f64::from(walk(&next, LATENCY_STEPS));
                if next.is_empty() || part.found != expected {
                    return Err(wrong(0, part.found, expected));
                }
            }
            _ => {
                for (k, found) in part.a.iter().enumerate() {
                    let expected = match kernel {
                        Kernel::Write => SCALAR,
                        Kernel::Copy => copy(part.b[k]),
                        Kernel::Scale => scale(part.b[k]),
                        Kernel::Add => add(part.b[k], part.c[k]),
                        Kernel::FmaF32 => fma_chain(start(i, k), FMA_A, FMA_B, FMA_STEPS),
                        _ => triad(part.b[k], part.c[k]),
                    };
                    // Exact in 32 bit, and NaN equals nothing.
                    if *found != expected {
                        return Err(wrong(k, f64::from(*found), f64::from(expected)));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Sum of an array; exact, as its elements are multiples of 1/128 and each lane's sum stays below 2^17.
#[multiversion(targets = "simd")]
fn read(b: &[f32]) -> f64 {
    let mut total = 0.0_f64;
    // Blocks, so that a lane of 32 bit stays exact: 2^16 elements of at most 1 in steps of 2^-7.
    for block in b.chunks(LANES * 65_536) {
        let mut lanes = [0.0_f32; LANES];
        for chunk in block.as_chunks::<LANES>().0 {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane += x;
            }
        }
        total += lanes.iter().map(|x| f64::from(*x)).sum::<f64>();
    }
    total
}

#[multiversion(targets = "simd")]
fn write(a: &mut [f32], value: f32) {
    for x in a {
        *x = value;
    }
}

#[multiversion(targets = "simd")]
fn scaled(a: &mut [f32], b: &[f32], s: f32) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = s * b;
    }
}

#[multiversion(targets = "simd")]
fn added(a: &mut [f32], b: &[f32], c: &[f32]) {
    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
        *a = b + c;
    }
}

#[multiversion(targets = "simd")]
fn triads(a: &mut [f32], b: &[f32], c: &[f32], s: f32) {
    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
        *a = b + s * c;
    }
}

/// The chains of one thread, each [`FMA_STEPS`] long.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn chains(a: &mut [f32], factor: f32, summand: f32) {
    let Some(lanes) = a.first_chunk_mut::<FMA_LANES>() else { return };
    let mut x = *lanes;
    for _ in 0..FMA_STEPS {
        for lane in &mut x {
            // One instruction on every processor of the last ten years; a slow library call before.
            *lane = lane.mul_add(factor, summand);
        }
    }
    *lanes = x;
}

fn chase(next: &[Line]) -> u32 {
    (0..LATENCY_STEPS).fold(0, |at, _| next[at as usize].0)
}
