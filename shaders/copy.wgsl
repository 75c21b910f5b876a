// STREAM copy: a[i] = b[i].  Moves 2 x 16 B and 0 flops per element (vec4<f32>).
// CPU twin: bench/reference.rs::copy. Mirrors `Stream` in bench/suite/memory.rs.
//
// ITEMS elements per invocation, a workgroup's width apart: neighbours touch neighbours, and the loads of all ITEMS are
// in flight before the first store needs its value.
struct Params { tiles: u32, rounds: u32, first: u32, s: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> a: array<vec4<f32>>;
override WG: u32 = 256u;
override ITEMS: u32 = 4u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let at = group.x * (WG * ITEMS) + local.x;
    for (var k = 0u; k < ITEMS; k += 1u) {
        let i = at + k * WG;
        a[i] = b[i];
    }
}
