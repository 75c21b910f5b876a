// Matrix-vector product, weights in 4 bit integers (less 8) with a scale per 128: y = W x. Per element (32 weights in
// vec4<u32>) 16 B, 1 B of scale and 64 flops, and the widening; x stays in caches.
// CPU twin: bench/reference.rs::dot. Mirrors `Gemv` in bench/suite/matrix.rs.
//
// A workgroup of 128 takes ROWS rows and walks their columns together: x is loaded once for ROWS rows, and ROWS loads of
// 16 B per invocation are in flight at a time. The sums of 128 invocations are folded once per ROWS x 4,096 weights, in
// seven steps, while the other workgroups of the multiprocessor go on loading.
struct Params { rows: u32, columns: u32, first_row: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
// 8 on processors that imitate a GPU: barriers of more cost more there than the memory.
override WG: u32 = 128u;
const ROWS: u32 = 8u;
var<workgroup> partial: array<f32, 1024>;

fn low(word: u32) -> vec4<f32> {
    return vec4<f32>(vec4<u32>(word, word >> 4u, word >> 8u, word >> 12u) & vec4<u32>(15u)) - 8.0;
}

fn high(word: u32) -> vec4<f32> {
    return low(word >> 16u);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let width = params.columns / 32u;
    let row = group.x * ROWS;
    var sums: array<f32, ROWS>;
    for (var column = local.x; column < width; column += WG) {
        var v: array<vec4<f32>, 8>;
        for (var k = 0u; k < 8u; k += 1u) {
            v[k] = x[8u * column + k];
        }
        for (var r = 0u; r < ROWS; r += 1u) {
            let at = (row + r) * width + column;
            let q = w[at];
            let sum = dot(low(q.x), v[0]) + dot(high(q.x), v[1]) + dot(low(q.y), v[2]) + dot(high(q.y), v[3])
                + dot(low(q.z), v[4]) + dot(high(q.z), v[5]) + dot(low(q.w), v[6]) + dot(high(q.w), v[7]);
            // Four elements of 32 weights share a scale.
            sums[r] += scales[at / 4u] * sum;
        }
    }
    for (var r = 0u; r < ROWS; r += 1u) {
        partial[r * WG + local.x] = sums[r];
    }
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local.x < half {
            for (var r = 0u; r < ROWS; r += 1u) {
                partial[r * WG + local.x] += partial[r * WG + local.x + half];
            }
        }
    }
    // The last half was one: invocation 0 has written what it reads.
    if local.x == 0u {
        for (var r = 0u; r < ROWS; r += 1u) {
            y[row + r] = partial[r * WG];
        }
    }
}
