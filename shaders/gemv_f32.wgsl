// Matrix-vector product, 32 bit: y = W x. Per element (vec4<f32>) of W 16 B and 8 flops; x stays in caches.
// CPU twin: bench/reference.rs::dot. Mirrors `Gemv` in bench/suite/matrix.rs.
//
// A workgroup of 128 takes ROWS rows and walks their columns together: x is loaded once for ROWS rows, and ROWS loads of
// 16 B per invocation are in flight at a time. The sums of 128 invocations are folded once per ROWS x 4,096 weights, in
// seven steps, while the other workgroups of the multiprocessor go on loading.
struct Params { rows: u32, columns: u32, first_row: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
// 8 on processors that imitate a GPU: barriers of more cost more there than the memory.
override WG: u32 = 128u;
const ROWS: u32 = 8u;
var<workgroup> partial: array<f32, 1024>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let width = params.columns / 4u;
    let row = group.x * ROWS;
    var sums: array<f32, ROWS>;
    for (var column = local.x; column < width; column += WG) {
        let v = x[column];
        for (var r = 0u; r < ROWS; r += 1u) {
            sums[r] += dot(w[(row + r) * width + column], v);
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
