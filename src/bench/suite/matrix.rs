//! Matrix-vector and matrix-matrix products, as decoding and prefill do them.

use super::Shader;
use super::buffers::{Content, filled, group, hold, numbers, params, piece_max, pipeline};
use crate::bench::device::Gpu;
use crate::bench::kernel::Kernel;
use crate::bench::reference::{GROUP, dot, element, group_scale, hash, int4, int8};
use crate::bench::run::{Case, CaseError, Work};

/// Parameters of the matrix-vector products.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Gemv {
    rows: u32,
    columns: u32,
    first_row: u32,
    pad: u32,
}

/// Columns: the width of an 8B model.
pub const COLUMNS: u32 = 4096;

/// Seeds of weights, vector and scales.
const WEIGHTS: u32 = 1;
const VECTOR: u32 = 2;
const SCALES: u32 = 3;

/// One shape of a matrix-vector product.
struct Shape {
    source: &'static str,
    content: Content,
    /// Weights in a word of 4 B.
    per_word: u32,
    /// Rows that a workgroup takes.
    rows: u32,
    /// Vectors.
    batch: u32,
    scaled: bool,
}

fn shape(kernel: Kernel) -> Shape {
    let (source, content, per_word, rows, batch) = match kernel {
        Kernel::GemvF32 => (include_str!("../../../shaders/gemv_f32.wgsl"), Content::Elements, 1, 8, 1),
        Kernel::GemvF16 => (include_str!("../../../shaders/gemv_f16.wgsl"), Content::Halves, 2, 8, 1),
        Kernel::GemvInt8 => (include_str!("../../../shaders/gemv_int8.wgsl"), Content::Words, 4, 8, 1),
        Kernel::GemvInt4 => (include_str!("../../../shaders/gemv_int4.wgsl"), Content::Words, 8, 8, 1),
        _ => (include_str!("../../../shaders/gemv_batch.wgsl"), Content::Halves, 2, 2, 8),
    };
    let scaled = matches!(kernel, Kernel::GemvInt8 | Kernel::GemvInt4);
    Shape { source, content, per_word, rows, batch, scaled }
}

/// Most workgroups in a row, by the standard.
const GROUPS_MAX: u64 = 65_535;

/// A matrix-vector product of a matrix of about so many bytes, in pieces of whole rows.
///
/// # Errors
/// [`CaseError`] of the driver, or [`CaseError::Wrong`].
pub fn gemv(gpu: &Gpu, case: &Case) -> Result<Shader, CaseError> {
    let shape = shape(case.kernel);
    let words_per_row = COLUMNS / shape.per_word;
    let unit = u64::from(words_per_row) * 4 * u64::from(shape.rows);
    let groups_in_all = (case.bytes / unit).max(1);
    let groups_max = (piece_max(gpu) / unit).clamp(1, GROUPS_MAX);
    let workgroup = if gpu.info.kind.is_processor() { 8.0 } else { 128.0 };
    let pipeline = pipeline(gpu, shape.source, &[("WG", workgroup)])?;
    let x = filled(gpu, u64::from(4 * COLUMNS * shape.batch), Content::Elements, 0, VECTOR)?;
    let (mut steps, mut outputs, mut bytes) = (Vec::new(), Vec::new(), 0_u64);
    let mut done = 0;
    while done < groups_in_all {
        let groups = u32::try_from(groups_max.min(groups_in_all - done)).unwrap_or(1);
        let (rows, first_row) = (groups * shape.rows, u32::try_from(done).unwrap_or(0) * shape.rows);
        let w = filled(
            gpu,
            u64::from(groups) * unit,
            shape.content,
            first_row.wrapping_mul(words_per_row),
            WEIGHTS,
        )?;
        let per_row = COLUMNS / GROUP;
        let scales = shape
            .scaled
            .then(|| filled(gpu, u64::from(4 * rows * per_row), Content::Scales, first_row * per_row, SCALES))
            .transpose()?;
        let y = filled(gpu, u64::from(4 * rows * shape.batch), Content::Poison, 0, 0)?;
        let params = params(gpu, &Gemv { rows, columns: COLUMNS, first_row, pad: 0 })?;
        let mut buffers = vec![&params, &w, &x];
        buffers.extend(scales.as_ref());
        buffers.push(&y);
        steps.push((group(gpu, &pipeline, &buffers)?, [groups, 1, 1]));
        bytes += w.size() + scales.as_ref().map_or(0, wgpu::Buffer::size) + y.size();
        outputs.push((first_row, rows, y));
        done += u64::from(groups);
    }
    bytes += x.size();
    let work = Work {
        working_set_bytes: bytes,
        units: bytes as f64,
        variant: format!("{COLUMNS} columns, {} rows to {workgroup} invocations", shape.rows),
    };
    let shader = Shader { pipeline, steps, work };
    shader.once(gpu)?;
    for (first_row, rows, y) in &outputs {
        check(gpu, case.kernel, &shape, *first_row, *rows, y)?;
    }
    Ok(shader)
}

/// A weight of the matrix.
fn weight(kernel: Kernel, row: u32, column: u32) -> f64 {
    let index = row.wrapping_mul(COLUMNS).wrapping_add(column);
    let word = |per: u32| hash(row.wrapping_mul(COLUMNS / per).wrapping_add(column / per), WEIGHTS);
    let scale = || f64::from(group_scale(row * (COLUMNS / GROUP) + column / GROUP, SCALES));
    match kernel {
        Kernel::GemvInt8 => scale() * int8(word(4), column),
        Kernel::GemvInt4 => scale() * int4(word(8), column),
        _ => f64::from(element(index, WEIGHTS)),
    }
}

/// Holds rows of every piece to the twin: all of few, 64 at either end of many.
fn check(
    gpu: &Gpu,
    kernel: Kernel,
    shape: &Shape,
    first_row: u32,
    rows: u32,
    y: &wgpu::Buffer,
) -> Result<(), CaseError> {
    let spans = if rows <= 128 { vec![(0, rows)] } else { vec![(0, 64), (rows - 64, 64)] };
    let vectors: Vec<Vec<f32>> = (0..shape.batch)
        .map(|n| (0..COLUMNS).map(|column| element(n * COLUMNS + column, VECTOR)).collect())
        .collect();
    for (from, count) in spans {
        let found = numbers(gpu, y, u64::from(from * shape.batch), u64::from(count * shape.batch))?;
        for (at, found) in (0..count * shape.batch).zip(found) {
            let (row, n) = (first_row + from + at / shape.batch, at % shape.batch);
            let x = &vectors[n as usize];
            let weights = |column| weight(kernel, row, column);
            let expected = dot((0..COLUMNS).map(weights), x);
            // Rounding of 4,096 products in 32 bit, in any order: far above it, far below any real mistake.
            let size: f64 = (0..COLUMNS).zip(x).map(|(c, x)| (weights(c) * f64::from(*x)).abs()).sum();
            hold(u64::from(row), f64::from(found), expected, 1e-5 * size + 1e-6)?;
        }
    }
    Ok(())
}

/// Parameters of the matrix-matrix products.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Gemm {
    n: u32,
    pad: [u32; 3],
}

/// A square matrix-matrix product.
///
/// # Errors
/// [`CaseError`] of the driver, or [`CaseError::Wrong`].
pub fn gemm(gpu: &Gpu, case: &Case) -> Result<Shader, CaseError> {
    let half = case.kernel == Kernel::GemmF16;
    // Large enough to fill a GPU; small enough for a processor to be done in a tenth of a second.
    let n: u32 = if gpu.info.kind.is_processor() { 256 } else { 2048 };
    let (source, content, bytes) = if half {
        (include_str!("../../../shaders/gemm_f16.wgsl"), Content::Halves, 2)
    } else {
        (include_str!("../../../shaders/gemm_f32.wgsl"), Content::Elements, 4)
    };
    let area = u64::from(n) * u64::from(n);
    let pipeline = pipeline(gpu, source, &[])?;
    let a = filled(gpu, bytes * area, content, 0, WEIGHTS)?;
    let b = filled(gpu, bytes * area, content, 0, VECTOR)?;
    let c = filled(gpu, 4 * area, Content::Poison, 0, 0)?;
    let params = params(gpu, &Gemm { n, pad: [0; 3] })?;
    let steps = vec![(group(gpu, &pipeline, &[&params, &a, &b, &c])?, [n / 64, n / 64, 1])];
    let work = Work {
        working_set_bytes: (2 * bytes + 4) * area,
        units: 2.0 * f64::from(n).powi(3),
        variant: format!("{n} x {n} x {n}, tiles of 64 x 64"),
    };
    let shader = Shader { pipeline, steps, work };
    shader.once(gpu)?;
    // One element of every row and column, along a diagonal with a stride that meets every tile position.
    let found = numbers(gpu, &c, 0, area)?;
    for row in 0..n {
        let column = (row * 67 + 13) % n;
        let left: Vec<f32> = (0..n).map(|k| element(row * n + k, WEIGHTS)).collect();
        let expected = dot((0..n).map(|k| f64::from(element(column * n + k, VECTOR))), &left);
        let at = u64::from(row * n + column);
        let found = f64::from(found[usize::try_from(at).unwrap_or(0)]);
        hold(at, found, expected, 1e-5 * f64::from(n) + 1e-6)?;
    }
    Ok(shader)
}
