//! Read, write, copy, scale, add and triad, over pieces that respect what one kernel may see.

use std::collections::HashMap;
use std::time::Instant;

use super::buffers::{
    Content, buffer, doubles, fill, filled, group, hold, looked_at, numbers, params, piece_max, pipeline,
};
use super::{Prepared, Shader};
use crate::bench::device::Gpu;
use crate::bench::kernel::Kernel;
use crate::bench::reference::{SCALAR, add, copy, element, scale, triad};
use crate::bench::repeat::Timed;
use crate::bench::result::Clock;
use crate::bench::run::{Case, CaseError, Work, median};
use crate::bench::timing::Stopwatch;

/// Parameters of the six shaders.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Stream {
    tiles: u32,
    rounds: u32,
    first: u32,
    s: f32,
}

/// How a kernel is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// By a shader: invocations of a workgroup, elements per invocation, each four numbers of 32 bit, or of 64.
    Shader {
        /// Invocations.
        workgroup: u32,
        /// Elements; a multiple of four.
        items: u32,
        /// 64 bit at a time.
        wide: bool,
    },
    /// By the interface's own command: what copies in applications go through.
    Command {
        /// Whether what is copied are numbers of 64 bit; that of the other variants, so that inputs are made once.
        wide: bool,
    },
}

const fn cut(workgroup: u32, items: u32) -> Variant {
    Variant::Shader { workgroup, items, wide: false }
}

/// What is tried on a GPU at the first case of a kernel. Wide workgroups with few elements suit drivers that schedule
/// well, narrow ones with many those that do not.
const GPU: &[Variant] =
    &[Variant::Command { wide: false }, cut(256, 4), cut(256, 16), cut(128, 8), cut(64, 32)];

/// What is used on a processor that imitates one, the first that is possible. llvmpipe runs eight invocations as one vector and loads and stores
/// for each of them apart: a workgroup of eight walks memory in order, and 64 bit at a time halve the steps.
const PROCESSOR: &[Variant] =
    &[Variant::Command { wide: true }, Variant::Shader { workgroup: 8, items: 256, wide: true }];

/// The same without 64 bit numbers.
const NARROW_PROCESSOR: &[Variant] = &[Variant::Command { wide: false }, cut(8, 256)];

/// All tiles divide this; arrays of so much and more are a multiple of it.
const TILE_BYTES_MAX: u64 = 64 << 10;

/// Smallest tile: that of the smallest variant of [`Variant::fitting`].
const TILE_BYTES_MIN: u64 = 4 << 10;

/// Most workgroups in a row, by the standard.
const GROUPS_MAX: u64 = 65_535;

impl Variant {
    /// The variant with a tile that divides so many bytes.
    fn fitting(self, bytes: u64) -> Self {
        let Self::Shader { workgroup, mut items, wide } = self else { return self };
        let element = if wide { 32 } else { 16 };
        while items > 4 && !bytes.is_multiple_of(u64::from(workgroup * items) * element) {
            items /= 2;
        }
        // Halving ends at 4 KiB or below, which divides every array.
        Self::Shader { workgroup, items, wide }
    }

    const fn is_wide(self) -> bool {
        matches!(self, Self::Shader { wide: true, .. } | Self::Command { wide: true })
    }

    fn label(self) -> String {
        match self {
            Self::Shader { workgroup, items, wide } => {
                format!("{workgroup} x {items} x {} B", if wide { 32 } else { 16 })
            }
            Self::Command { .. } => "by command".to_owned(),
        }
    }

    /// Whether the device can run it.
    fn is_possible(self, gpu: &Gpu, kernel: Kernel) -> bool {
        match self {
            Self::Command { .. } => kernel == Kernel::Copy,
            Self::Shader { workgroup, .. } => workgroup <= gpu.limits.max_compute_invocations_per_workgroup,
        }
    }
}

/// What a shader's tile is: invocations, elements per invocation, bytes of an element.
#[derive(Clone, Copy)]
struct Tile {
    workgroup: u32,
    items: u32,
    wide: bool,
}

impl Tile {
    const fn element_bytes(self) -> u64 {
        if self.wide { 32 } else { 16 }
    }

    const fn bytes(self) -> u64 {
        self.workgroup as u64 * self.items as u64 * self.element_bytes()
    }

    /// Bytes of a number.
    const fn number_bytes(self) -> u64 {
        self.element_bytes() / 4
    }

    fn numbers(self, gpu: &Gpu, from: &wgpu::Buffer, first: u64, count: u64) -> Result<Vec<f64>, CaseError> {
        if self.wide {
            doubles(gpu, from, first, count)
        } else {
            Ok(numbers(gpu, from, first, count)?.into_iter().map(f64::from).collect())
        }
    }
}

/// A piece of every array.
struct Piece {
    /// Where it begins in the whole array.
    start_bytes: u64,
    bytes: u64,
    inputs: Vec<wgpu::Buffer>,
    /// The output of all but reading, which has one per variant.
    output: Option<wgpu::Buffer>,
}

/// The arrays of a case.
struct Arrays {
    kernel: Kernel,
    pieces: Vec<Piece>,
}

impl Arrays {
    fn new(gpu: &Gpu, case: &Case) -> Result<Self, CaseError> {
        let Case { kernel, bytes } = *case;
        let array_bytes = bytes / kernel.arrays().unwrap_or(1);
        let unit = if array_bytes >= TILE_BYTES_MAX { TILE_BYTES_MAX } else { TILE_BYTES_MIN };
        let array_bytes = (array_bytes / unit).max(1) * unit;
        // So that even the smallest tile that is tried needs no second row of workgroups.
        let most = piece_max(gpu).min(GROUPS_MAX * TILE_BYTES_MIN) / unit * unit;
        let mut pieces = Vec::new();
        let mut done = 0;
        while done < array_bytes {
            let bytes = most.max(unit).min(array_bytes - done);
            let inputs = (0..kernel.inputs()).map(|_| buffer(gpu, bytes)).collect::<Result<_, _>>()?;
            let output = (kernel != Kernel::Read).then(|| buffer(gpu, bytes)).transpose()?;
            pieces.push(Piece { start_bytes: done, bytes, inputs, output });
            done += bytes;
        }
        Ok(Self { kernel, pieces })
    }

    /// Fills inputs with numbers of a width; poison is laid by whoever checks.
    fn fill(&self, gpu: &Gpu, wide: bool) -> Result<(), CaseError> {
        let content = if wide { Content::Doubles } else { Content::Elements };
        for piece in &self.pieces {
            let first = u32::try_from(piece.start_bytes / 4).unwrap_or(u32::MAX);
            for (seed, input) in (1..).zip(&piece.inputs) {
                fill(gpu, input, content, first, seed)?;
            }
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let arrays = self.kernel.arrays().unwrap_or(1);
        arrays * self.pieces.iter().map(|piece| piece.bytes).sum::<u64>()
    }
}

fn source(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Read => include_str!("../../../shaders/read.wgsl"),
        Kernel::Write => include_str!("../../../shaders/write.wgsl"),
        Kernel::Copy => include_str!("../../../shaders/copy.wgsl"),
        Kernel::Scale => include_str!("../../../shaders/scale.wgsl"),
        Kernel::Add => include_str!("../../../shaders/add.wgsl"),
        _ => include_str!("../../../shaders/triad.wgsl"),
    }
}

/// Tiles, workgroups and rounds of a dispatch over a piece.
struct Cut {
    tiles: u32,
    groups: u32,
    rounds: u32,
}

impl Cut {
    /// Reading a small array goes round it many times, with the whole device at work; everything else once.
    fn of(gpu: &Gpu, kernel: Kernel, piece: &Piece, tile: Tile) -> Self {
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let tiles = piece.bytes / tile.bytes();
        if kernel != Kernel::Read {
            return Self { tiles: small(tiles), groups: small(tiles), rounds: 1 };
        }
        // Enough to fill 132 multiprocessors; some workgroups for each thread of a processor.
        let (busy, worth) = if gpu.info.kind.is_processor() { (16, 16 << 20) } else { (1024, 512 << 20) };
        let groups = tiles.max(busy);
        let rounds = (worth / (groups * tile.bytes())).max(1);
        Self { tiles: small(tiles), groups: small(groups), rounds: small(rounds) }
    }
}

fn shader(gpu: &Gpu, arrays: &Arrays, tile: Tile, variant: String) -> Result<Shader, CaseError> {
    let kernel = arrays.kernel;
    let constants = [("WG", f64::from(tile.workgroup)), ("ITEMS", f64::from(tile.items))];
    let source = if tile.wide {
        source(kernel).replace("alias Number = f32;", "alias Number = f64;")
    } else {
        source(kernel).to_owned()
    };
    let pipeline = pipeline(gpu, &source, &constants)?;
    let (mut steps, mut cuts, mut found, mut units) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for piece in &arrays.pieces {
        let cut = Cut::of(gpu, kernel, piece, tile);
        let params = params(gpu, &Stream { tiles: cut.tiles, rounds: cut.rounds, first: 0, s: SCALAR })?;
        let output = match &piece.output {
            Some(output) => {
                fill(gpu, output, Content::Poison, 0, 0)?;
                output.clone()
            }
            None => {
                let invocations = u64::from(cut.groups) * u64::from(tile.workgroup);
                filled(gpu, tile.number_bytes() * invocations, Content::Poison, 0, 0)?
            }
        };
        let mut buffers = vec![&params];
        buffers.extend(&piece.inputs);
        buffers.push(&output);
        steps.push((group(gpu, &pipeline, &buffers)?, [cut.groups, 1, 1]));
        units += match kernel {
            Kernel::Read => f64::from(cut.groups) * f64::from(cut.rounds) * tile.bytes() as f64,
            _ => (kernel.arrays().unwrap_or(1) * piece.bytes) as f64,
        };
        found.push(output);
        cuts.push(cut);
    }
    let shader = Shader { pipeline, steps, work: Work { working_set_bytes: arrays.bytes(), units, variant } };
    shader.once(gpu)?;
    for ((piece, output), cut) in arrays.pieces.iter().zip(&found).zip(&cuts) {
        if kernel == Kernel::Read {
            check_sums(gpu, piece, output, cut, tile)?;
        } else {
            check(gpu, kernel, piece, output, tile)?;
        }
    }
    Ok(shader)
}

/// Index of the first number of a piece.
fn first(piece: &Piece, tile: Tile) -> u32 {
    u32::try_from(piece.start_bytes / tile.number_bytes()).unwrap_or(u32::MAX)
}

fn check(
    gpu: &Gpu,
    kernel: Kernel,
    piece: &Piece,
    output: &wgpu::Buffer,
    tile: Tile,
) -> Result<(), CaseError> {
    for (at, count) in looked_at(piece.bytes / tile.number_bytes()) {
        for (k, found) in (at..).zip(tile.numbers(gpu, output, at, count)?) {
            let index = first(piece, tile) + u32::try_from(k).unwrap_or(u32::MAX);
            let (b, c) = (element(index, 1), element(index, 2));
            let expected = match kernel {
                Kernel::Write => SCALAR,
                Kernel::Copy => copy(b),
                Kernel::Scale => scale(b),
                Kernel::Add => add(b, c),
                _ => triad(b, c),
            };
            hold(u64::from(index), found, f64::from(expected), 0.0)?;
        }
    }
    Ok(())
}

/// Holds the sums of the first, middle and last workgroup to the sum of what each invocation has read.
fn check_sums(
    gpu: &Gpu,
    piece: &Piece,
    output: &wgpu::Buffer,
    cut: &Cut,
    tile: Tile,
) -> Result<(), CaseError> {
    let Tile { workgroup, items, .. } = tile;
    let begin = first(piece, tile);
    // What one invocation finds in one tile.
    let in_tile = |at: u32, local: u32| -> f64 {
        let vectors = (0..items).map(|k| at * workgroup * items + local + k * workgroup);
        vectors
            .flat_map(|vector| (0..4).map(move |lane| 4 * vector + lane))
            .map(|index| f64::from(element(begin + index, 1)))
            .sum()
    };
    let mut groups = vec![0, cut.groups / 2, cut.groups - 1];
    groups.dedup();
    for at in groups {
        let from = u64::from(at) * u64::from(workgroup);
        let found = tile.numbers(gpu, output, from, u64::from(workgroup))?;
        // Rounds go over the tiles in a circle: whole circles are the same for everybody.
        let (circles, rest) = (cut.rounds / cut.tiles, cut.rounds % cut.tiles);
        for (local, found) in (0..workgroup).zip(found) {
            let whole: f64 = if circles == 0 { 0.0 } else { (0..cut.tiles).map(|t| in_tile(t, local)).sum() };
            let part: f64 = (0..rest).map(|r| in_tile((at + r) % cut.tiles, local)).sum();
            hold(from + u64::from(local), found, f64::from(circles) * whole + part, 0.0)?;
        }
    }
    Ok(())
}

/// Copies by command, piece by piece.
fn command(gpu: &Gpu, arrays: &Arrays, variant: String, wide: bool) -> Result<Copies, CaseError> {
    let mut pairs = Vec::new();
    for piece in &arrays.pieces {
        let (Some(from), Some(to)) = (piece.inputs.first(), &piece.output) else { continue };
        fill(gpu, to, Content::Poison, 0, 0)?;
        pairs.push((from.clone(), to.clone()));
    }
    let bytes = arrays.bytes();
    let copies = Copies { pairs, work: Work { working_set_bytes: bytes, units: bytes as f64, variant } };
    copies.time(gpu, 1)?;
    let plain = Tile { workgroup: 1, items: 1, wide };
    for (piece, (_, to)) in arrays.pieces.iter().zip(&copies.pairs) {
        check(gpu, Kernel::Copy, piece, to, plain)?;
    }
    Ok(copies)
}

/// Copies from buffer to buffer.
#[derive(Debug)]
pub struct Copies {
    pairs: Vec<(wgpu::Buffer, wgpu::Buffer)>,
    pub(super) work: Work,
}

impl Copies {
    /// Runs passes, timed by the host: time stamps belong to compute passes.
    ///
    /// # Errors
    /// [`CaseError`] of the driver.
    pub fn time(&self, gpu: &Gpu, passes: u32) -> Result<Timed, CaseError> {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for _ in 0..passes {
            for (from, to) in &self.pairs {
                encoder.copy_buffer_to_buffer(from, 0, to, 0, None);
            }
        }
        let commands = encoder.finish();
        let begun = Instant::now();
        gpu.queue.submit([commands]);
        gpu.wait()?;
        Ok(Timed { secs: begun.elapsed().as_secs_f64(), clock: Clock::HostClock })
    }
}

fn made(gpu: &Gpu, arrays: &Arrays, variant: Variant) -> Result<Prepared, CaseError> {
    let fitted = variant.fitting(arrays.pieces.iter().map(|piece| piece.bytes).min().unwrap_or(0));
    match fitted {
        Variant::Shader { workgroup, items, wide } => {
            let tile = Tile { workgroup, items, wide };
            Ok(Prepared::Shader(shader(gpu, arrays, tile, fitted.label())?))
        }
        Variant::Command { wide } => Ok(Prepared::Copies(command(gpu, arrays, fitted.label(), wide)?)),
    }
}

/// The kernel, run as it is fastest on this device; what that is, is found at the first case.
///
/// # Errors
/// [`CaseError`] of the driver, or [`CaseError::Wrong`].
pub fn tuned(
    gpu: &Gpu,
    stopwatch: &mut Stopwatch,
    known: &mut HashMap<Kernel, Variant>,
    case: &Case,
) -> Result<Prepared, CaseError> {
    let arrays = Arrays::new(gpu, case)?;
    if let Some(variant) = known.get(&case.kernel) {
        arrays.fill(gpu, variant.is_wide())?;
        return made(gpu, &arrays, *variant);
    }
    let variants = match (gpu.info.kind.is_processor(), gpu.features.contains(wgpu::Features::SHADER_F64)) {
        (false, _) => GPU,
        (true, true) => PROCESSOR,
        (true, false) => NARROW_PROCESSOR,
    };
    let possible: Vec<Variant> =
        variants.iter().copied().filter(|variant| variant.is_possible(gpu, case.kernel)).collect();
    if gpu.info.kind.is_processor() {
        // Known beforehand; trying takes more of the run than it gives.
        let wide = possible.iter().any(|variant| variant.is_wide());
        arrays.fill(gpu, wide)?;
        let Some(variant) = possible.first() else {
            return Err(CaseError::Unsupported { what: "workgroups of 8".to_owned() });
        };
        return made(gpu, &arrays, *variant);
    }
    let mut best: Option<(f64, Variant)> = None;
    // All of a list have one width: inputs are made once.
    arrays.fill(gpu, possible.iter().any(|variant| variant.is_wide()))?;
    for variant in &possible {
        let prepared = made(gpu, &arrays, *variant)?;
        let mut speeds = Vec::new();
        for _ in 0..3 {
            let timed = prepared.time(gpu, stopwatch, 1)?;
            speeds.push(prepared.work().units / timed.secs);
        }
        let speed = median(&speeds);
        if best.as_ref().is_none_or(|(fastest, _)| speed > *fastest) {
            best = Some((speed, *variant));
        }
    }
    let Some((_, variant)) = best else {
        return Err(CaseError::Unsupported { what: "workgroups of 64".to_owned() });
    };
    // Small first cases say nothing about large ones.
    if arrays.bytes() >= 1 << 20 {
        known.insert(case.kernel, variant);
    }
    made(gpu, &arrays, variant)
}
