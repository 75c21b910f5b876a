// STREAM-like write: a[i] = s.  Moves 16 B and 0 flops per element (vec4<f32>).
// CPU twin: bench/reference.rs::SCALAR. Mirrors `Stream` in bench/suite/memory.rs.
//
// ITEMS elements per invocation, a workgroup's width apart: neighbours touch neighbours, and four elements are on their
// way at a time.
struct Params { tiles: u32, rounds: u32, first: u32, s: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> a: array<vec4<Number>>;
override WG: u32 = 256u;
override ITEMS: u32 = 4u;
// The suite writes f64 here where 64 bit at a time are faster: on processors that imitate a GPU lane by lane.
alias Number = f32;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let at = group.x * (WG * ITEMS) + local.x;
    let s = Number(params.s);
    for (var k = 0u; k < ITEMS; k += 4u) {
        a[at + k * WG] = vec4<Number>(s);
        a[at + (k + 1u) * WG] = vec4<Number>(s);
        a[at + (k + 2u) * WG] = vec4<Number>(s);
        a[at + (k + 3u) * WG] = vec4<Number>(s);
    }
}
