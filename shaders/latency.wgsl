// A walk along a cycle of cache lines, each load waiting for the one before it. One load of 4 B per step, one invocation.
// CPU twin: bench/reference.rs::walk over `cycle`. Mirrors `Chain` in bench/suite/compute.rs.
struct Params { steps: u32, seed: u32, a: f32, b: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> next: array<u32>;
@group(0) @binding(2) var<storage, read_write> found: array<u32>;

@compute @workgroup_size(1)
fn main() {
    var at = 0u;
    for (var k = 0u; k < params.steps; k += 1u) {
        // 16 words of 4 B to a line of 64 B.
        at = next[at * 16u];
    }
    found[0] = at;
}
