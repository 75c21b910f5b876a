// Matrix-vector product, weights in 8 bit integers with a scale per 128: y = W x. Per element (16 weights in vec4<u32>)
// 16 B, 0.5 B of scale and 32 flops, and the widening; x stays in caches.
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

fn widened(word: u32) -> vec4<f32> {
    // Each byte to the top, then down with its sign.
    let bytes = vec4<u32>(word << 24u, word << 16u, word << 8u, word);
    return vec4<f32>(bitcast<vec4<i32>>(bytes) >> vec4<u32>(24u));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let width = params.columns / 16u;
    let row = group.x * ROWS;
    var sums: array<f32, ROWS>;
    for (var column = local.x; column < width; column += WG) {
        let x0 = x[4u * column];
        let x1 = x[4u * column + 1u];
        let x2 = x[4u * column + 2u];
        let x3 = x[4u * column + 3u];
        for (var r = 0u; r < ROWS; r += 1u) {
            let at = (row + r) * width + column;
            let q = w[at];
            let sum = dot(widened(q.x), x0) + dot(widened(q.y), x1) + dot(widened(q.z), x2) + dot(widened(q.w), x3);
            // Eight elements of 16 weights share a scale.
            sums[r] += scales[at / 8u] * sum;
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
