// Matrix-matrix product, operands in 16 bit, sums in 32 bit: C = A B', square. 2 n^3 flops; moves 3 n^2 x 2 B to 4 B if caches held all.
// CPU twin: bench/reference.rs::dot. Mirrors `Gemm` in bench/suite/matrix.rs.
//
// Tiles of 64 x 64, 16 x 16 invocations with 4 x 4 sums each: 32 flops per two loads of 16 B from workgroup memory.
// Plain arithmetic, no matrix units: a lower bound of what a vendor's library reaches.
struct Params { n: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> b: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>;
// One column of 64 rows per depth, 16 vectors of four rows: depth 16.
var<workgroup> ta: array<f32, 1024>;
var<workgroup> tb: array<f32, 1024>;

fn load_a(row: u32, depth: u32) -> vec4<f32> {
    let q = a[(row * params.n + depth) / 4u];
    return vec4<f32>(unpack2x16float(q.x), unpack2x16float(q.y));
}

fn load_b(row: u32, depth: u32) -> vec4<f32> {
    let q = b[(row * params.n + depth) / 4u];
    return vec4<f32>(unpack2x16float(q.x), unpack2x16float(q.y));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = local / 4u;
    let part = local % 4u;
    let x = local % 16u;
    let y = local / 16u;
    var sums: array<vec4<f32>, 4>;
    for (var depth = 0u; depth < params.n; depth += 16u) {
        let va = load_a(group.y * 64u + row, depth + 4u * part);
        let vb = load_b(group.x * 64u + row, depth + 4u * part);
        for (var k = 0u; k < 4u; k += 1u) {
            ta[(4u * part + k) * 64u + row] = va[k];
            tb[(4u * part + k) * 64u + row] = vb[k];
        }
        workgroupBarrier();
        for (var k = 0u; k < 16u; k += 1u) {
            let at = k * 64u + 4u * x;
            let v = vec4<f32>(tb[at], tb[at + 1u], tb[at + 2u], tb[at + 3u]);
            let start = k * 64u + 4u * y;
            sums[0] = fma(vec4<f32>(ta[start]), v, sums[0]);
            sums[1] = fma(vec4<f32>(ta[start + 1u]), v, sums[1]);
            sums[2] = fma(vec4<f32>(ta[start + 2u]), v, sums[2]);
            sums[3] = fma(vec4<f32>(ta[start + 3u]), v, sums[3]);
        }
        workgroupBarrier();
    }
    for (var r = 0u; r < 4u; r += 1u) {
        let at = (group.y * 64u + 4u * y + r) * params.n + group.x * 64u + 4u * x;
        c[at / 4u] = sums[r];
    }
}
