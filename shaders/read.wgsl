// Sum of an array. Reads 16 B and adds 4 numbers per element (vec4<f32>); writes 4 B per invocation.
// CPU twin: bench/reference.rs::element, summed. Mirrors `Stream` in bench/suite/memory.rs.
//
// Each invocation reads ITEMS elements, four at a time that do not wait for each other, a workgroup's width apart so that
// neighbours read neighbours. 64 B in flight per invocation are some 17 MB on 132 multiprocessors of 2,048 threads; at
// 4.8 TB/s and 700 ns of latency 3.4 MB would do, so that occupancy has room to spare. Nothing is shared within a
// workgroup: no barrier to wait at. One result of 4 B per 256 B (16 items) costs 1.6 % of writes that are not counted.
//
// Workgroups go through the tiles in a circle, `rounds` of them each, so that a small array is read by the whole device
// many times in one dispatch: that is what shows the caches.
struct Params { tiles: u32, rounds: u32, first: u32, s: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> b: array<vec4<Number>>;
@group(0) @binding(2) var<storage, read_write> found: array<Number>;
override WG: u32 = 256u;
override ITEMS: u32 = 16u;
// The suite writes f64 here where 64 bit at a time are faster: on processors that imitate a GPU lane by lane.
alias Number = f32;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    var s0 = vec4<Number>();
    var s1 = vec4<Number>();
    var s2 = vec4<Number>();
    var s3 = vec4<Number>();
    var tile = group.x % params.tiles;
    for (var round = 0u; round < params.rounds; round += 1u) {
        let at = tile * (WG * ITEMS) + local.x;
        for (var k = 0u; k < ITEMS; k += 4u) {
            s0 += b[at + k * WG];
            s1 += b[at + (k + 1u) * WG];
            s2 += b[at + (k + 2u) * WG];
            s3 += b[at + (k + 3u) * WG];
        }
        tile += 1u;
        if tile == params.tiles { tile = 0u; }
    }
    let sum = s0 + s1 + s2 + s3;
    found[group.x * WG + local.x] = sum.x + sum.y + sum.z + sum.w;
}
