//! Read, write, copy, scale, add and triad, over pieces that respect what one kernel may see.

use std::collections::HashMap;

use super::Shader;
use super::buffers::{Content, fill, filled, group, hold, looked_at, numbers, params, piece_max, pipeline};
use crate::bench::device::Gpu;
use crate::bench::kernel::Kernel;
use crate::bench::reference::{SCALAR, add, copy, element, scale, triad};
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

/// How a kernel is cut: invocations of a workgroup, elements of 16 B per invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    workgroup: u32,
    items: u32,
}

/// What is tried at the first case of a kernel. Wide workgroups with few elements suit drivers that schedule well,
/// narrow ones with many those that do not.
const VARIANTS: &[Variant] = &[
    Variant { workgroup: 256, items: 4 },
    Variant { workgroup: 256, items: 16 },
    Variant { workgroup: 128, items: 8 },
    Variant { workgroup: 64, items: 32 },
];

/// All tiles of [`VARIANTS`] divide this; arrays of so much and more are a multiple of it.
const TILE_BYTES_MAX: u64 = 64 << 10;

/// Smallest tile: that of [`Variant::fitting`].
const TILE_BYTES_MIN: u64 = 4 << 10;

/// Most workgroups in a row, by the standard.
const GROUPS_MAX: u64 = 65_535;

impl Variant {
    const fn tile_bytes(self) -> u64 {
        self.workgroup as u64 * self.items as u64 * 16
    }

    /// The variant, or a smaller one that divides so many bytes.
    fn fitting(self, bytes: u64) -> Self {
        if bytes.is_multiple_of(self.tile_bytes()) { self } else { Self { workgroup: 64, items: 4 } }
    }

    fn label(self) -> String {
        format!("{} x {} x 16 B", self.workgroup, self.items)
    }
}

/// A piece of every array.
struct Piece {
    /// Index of its first element of 4 B.
    first: u32,
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
        let most = piece_max(gpu).min(GROUPS_MAX * 16_384) / unit * unit;
        let mut pieces = Vec::new();
        let mut done = 0;
        while done < array_bytes {
            let bytes = most.max(unit).min(array_bytes - done);
            let first = u32::try_from(done / 4).unwrap_or(u32::MAX);
            let inputs = (1..).take(kernel.inputs());
            let inputs = inputs.map(|seed| filled(gpu, bytes, Content::Elements, first, seed));
            let output = (kernel != Kernel::Read).then(|| filled(gpu, bytes, Content::Poison, 0, 0));
            pieces.push(Piece {
                first,
                bytes,
                inputs: inputs.collect::<Result<_, _>>()?,
                output: output.transpose()?,
            });
            done += bytes;
        }
        Ok(Self { kernel, pieces })
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
    fn of(gpu: &Gpu, kernel: Kernel, piece: &Piece, variant: Variant) -> Self {
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let tiles = piece.bytes / variant.tile_bytes();
        if kernel != Kernel::Read {
            return Self { tiles: small(tiles), groups: small(tiles), rounds: 1 };
        }
        // Enough to fill 132 multiprocessors seven times over; some threads of a processor.
        let (busy, worth) = if gpu.info.kind.is_processor() { (16, 16 << 20) } else { (1024, 512 << 20) };
        let groups = tiles.max(busy);
        let rounds = (worth / (groups * variant.tile_bytes())).max(1);
        Self { tiles: small(tiles), groups: small(groups), rounds: small(rounds) }
    }
}

fn shader(gpu: &Gpu, arrays: &Arrays, variant: Variant) -> Result<Shader, CaseError> {
    let kernel = arrays.kernel;
    let variant = variant.fitting(arrays.pieces.iter().map(|piece| piece.bytes).min().unwrap_or(0));
    let constants = [("WG", f64::from(variant.workgroup)), ("ITEMS", f64::from(variant.items))];
    let pipeline = pipeline(gpu, source(kernel), &constants)?;
    let (mut steps, mut cuts, mut found, mut units) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for piece in &arrays.pieces {
        let cut = Cut::of(gpu, kernel, piece, variant);
        let value = Stream { tiles: cut.tiles, rounds: cut.rounds, first: piece.first, s: SCALAR };
        let params = params(gpu, &value)?;
        let output = match &piece.output {
            Some(output) => output.clone(),
            None => filled(gpu, 4 * u64::from(cut.groups * variant.workgroup), Content::Poison, 0, 0)?,
        };
        let mut buffers = vec![&params];
        buffers.extend(&piece.inputs);
        buffers.push(&output);
        steps.push((group(gpu, &pipeline, &buffers)?, [cut.groups, 1, 1]));
        units += match kernel {
            Kernel::Read => f64::from(cut.groups) * f64::from(cut.rounds) * variant.tile_bytes() as f64,
            _ => (kernel.arrays().unwrap_or(1) * piece.bytes) as f64,
        };
        found.push(output);
        cuts.push(cut);
    }
    let work = Work { working_set_bytes: arrays.bytes(), units, variant: variant.label() };
    let shader = Shader { pipeline, steps, work };
    shader.once(gpu)?;
    for ((piece, output), cut) in arrays.pieces.iter().zip(&found).zip(&cuts) {
        if kernel == Kernel::Read {
            check_sums(gpu, piece, output, cut, variant)?;
        } else {
            check(gpu, kernel, piece, output)?;
        }
    }
    Ok(shader)
}

fn check(gpu: &Gpu, kernel: Kernel, piece: &Piece, output: &wgpu::Buffer) -> Result<(), CaseError> {
    for (at, count) in looked_at(piece.bytes / 4) {
        for (k, found) in (at..).zip(numbers(gpu, output, at, count)?) {
            let index = piece.first + u32::try_from(k).unwrap_or(u32::MAX);
            let (b, c) = (element(index, 1), element(index, 2));
            let expected = match kernel {
                Kernel::Write => SCALAR,
                Kernel::Copy => copy(b),
                Kernel::Scale => scale(b),
                Kernel::Add => add(b, c),
                _ => triad(b, c),
            };
            hold(u64::from(index), f64::from(found), f64::from(expected), 0.0)?;
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
    variant: Variant,
) -> Result<(), CaseError> {
    let Variant { workgroup, items } = variant;
    // What one invocation finds in one tile.
    let in_tile = |tile: u32, local: u32| -> f64 {
        let vectors = (0..items).map(|k| tile * workgroup * items + local + k * workgroup);
        vectors
            .flat_map(|vector| (0..4).map(move |lane| 4 * vector + lane))
            .map(|index| f64::from(element(piece.first + index, 1)))
            .sum()
    };
    let mut groups = vec![0, cut.groups / 2, cut.groups - 1];
    groups.dedup();
    for at in groups {
        let first = u64::from(at * workgroup);
        let found = numbers(gpu, output, first, u64::from(workgroup))?;
        // Rounds go over the tiles in a circle: whole circles are the same for everybody.
        let (circles, rest) = (cut.rounds / cut.tiles, cut.rounds % cut.tiles);
        for (local, found) in (0..workgroup).zip(found) {
            let whole: f64 = if circles == 0 { 0.0 } else { (0..cut.tiles).map(|t| in_tile(t, local)).sum() };
            let part: f64 = (0..rest).map(|r| in_tile((at + r) % cut.tiles, local)).sum();
            let expected = f64::from(circles) * whole + part;
            hold(first + u64::from(local), f64::from(found), expected, 0.0)?;
        }
    }
    Ok(())
}

/// The kernel, cut as it runs fastest on this device; what that is, is found at the first case.
///
/// # Errors
/// [`CaseError`] of the driver, or [`CaseError::Wrong`].
pub fn tuned(
    gpu: &Gpu,
    stopwatch: &mut Stopwatch,
    known: &mut HashMap<Kernel, Variant>,
    case: &Case,
) -> Result<Shader, CaseError> {
    let arrays = Arrays::new(gpu, case)?;
    if let Some(variant) = known.get(&case.kernel) {
        return shader(gpu, &arrays, *variant);
    }
    let mut best: Option<(f64, Variant, Shader)> = None;
    for variant in VARIANTS {
        if u64::from(variant.workgroup) > u64::from(gpu.limits.max_compute_invocations_per_workgroup) {
            continue;
        }
        for piece in &arrays.pieces {
            // Each variant is held to the reference over poison of its own.
            if let Some(output) = &piece.output {
                fill(gpu, output, Content::Poison, 0, 0)?;
            }
        }
        let shader = shader(gpu, &arrays, *variant)?;
        let mut speeds = Vec::new();
        for _ in 0..3 {
            let timed = stopwatch.time(gpu, |pass| shader.record(pass, 1))?;
            speeds.push(shader.work.units / timed.secs);
        }
        let speed = median(&speeds);
        if best.as_ref().is_none_or(|(fastest, ..)| speed > *fastest) {
            best = Some((speed, *variant, shader));
        }
    }
    let Some((_, variant, shader)) = best else {
        return Err(CaseError::Unsupported { what: "workgroups of 64".to_owned() });
    };
    // Small first cases say nothing about large ones.
    if arrays.bytes() >= 1 << 20 {
        known.insert(case.kernel, variant);
    }
    Ok(shader)
}
