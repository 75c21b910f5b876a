// STREAM triad: a[i] = b[i] + s c[i].  Moves 3 x 16 B and 8 flops per element (vec4<f32>).
// CPU twin: bench/reference.rs::triad. Mirrors `Stream` in bench/suite/memory.rs.
//
// ITEMS elements per invocation, a workgroup's width apart: neighbours touch neighbours, and four elements are on their
// way at a time.
struct Params { tiles: u32, rounds: u32, first: u32, s: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> b: array<vec4<Number>>;
@group(0) @binding(2) var<storage, read> c: array<vec4<Number>>;
@group(0) @binding(3) var<storage, read_write> a: array<vec4<Number>>;
override WG: u32 = 256u;
override ITEMS: u32 = 4u;
// The suite writes f64 here where 64 bit at a time are faster: on processors that imitate a GPU lane by lane.
alias Number = f32;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let at = group.x * (WG * ITEMS) + local.x;
    let s = Number(params.s);
    for (var k = 0u; k < ITEMS; k += 4u) {
        let i0 = at + k * WG;
        let i1 = at + (k + 1u) * WG;
        let i2 = at + (k + 2u) * WG;
        let i3 = at + (k + 3u) * WG;
        let v0 = b[i0] + s * c[i0];
        let v1 = b[i1] + s * c[i1];
        let v2 = b[i2] + s * c[i2];
        let v3 = b[i3] + s * c[i3];
        a[i0] = v0;
        a[i1] = v1;
        a[i2] = v2;
        a[i3] = v3;
    }
}
