// Eight vectors against one matrix of 16 bit weights: Y = W X. Per element (8 weights in vec4<u32>) 16 B and 128 flops;
// the vectors stay in caches.
// CPU twin: bench/reference.rs::dot. Mirrors `Gemv` in bench/suite/matrix.rs.
//
// As gemv_f16, with two rows at a time so that the sums of 2 x 8 products stay in registers.
struct Params { rows: u32, columns: u32, first_row: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
// 8 on processors that imitate a GPU: barriers of more cost more there than the memory.
override WG: u32 = 128u;
const ROWS: u32 = 2u;
const BATCH: u32 = 8u;
var<workgroup> partial: array<f32, 2048>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let width = params.columns / 8u;
    let row = group.x * ROWS;
    var sums: array<f32, 16>;
    for (var column = local.x; column < width; column += WG) {
        let q0 = w[row * width + column];
        let q1 = w[(row + 1u) * width + column];
        let a0 = vec4<f32>(unpack2x16float(q0.x), unpack2x16float(q0.y));
        let b0 = vec4<f32>(unpack2x16float(q0.z), unpack2x16float(q0.w));
        let a1 = vec4<f32>(unpack2x16float(q1.x), unpack2x16float(q1.y));
        let b1 = vec4<f32>(unpack2x16float(q1.z), unpack2x16float(q1.w));
        for (var n = 0u; n < BATCH; n += 1u) {
            let at = n * 2u * width + 2u * column;
            let low = x[at];
            let high = x[at + 1u];
            sums[n] += dot(a0, low) + dot(b0, high);
            sums[BATCH + n] += dot(a1, low) + dot(b1, high);
        }
    }
    for (var r = 0u; r < ROWS * BATCH; r += 1u) {
        partial[r * WG + local.x] = sums[r];
    }
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local.x < half {
            for (var r = 0u; r < ROWS * BATCH; r += 1u) {
                partial[r * WG + local.x] += partial[r * WG + local.x + half];
            }
        }
    }
    if local.x == 0u {
        // Result of row i and vector n at 8 i + n.
        for (var r = 0u; r < ROWS * BATCH; r += 1u) {
            y[(row + r / BATCH) * BATCH + r % BATCH] = partial[r * WG];
        }
    }
}
