// Independent chains of multiply-adds in 16 bit. No memory but one result; 32 chains x 2 flops per step.
// CPU twin: bench/reference.rs::fma_chain. Mirrors `Chain` in bench/suite/compute.rs.
//
// Eight vectors of four: enough independent work to hide a latency of four to eight cycles on one warp, so that even
// few resident warps fill the units. Factor and summand are parameters: -1 and 3, which swap a value for 3 less it and
// give the start back after an even number of steps, exactly, fused or not. Needs 16 bit arithmetic.
enable f16;

struct Params { steps: u32, seed: u32, a: f32, b: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> found: array<f32>;

fn start(index: u32) -> vec4<f16> {
    let x = vec4<u32>(index, index + 1u, index + 2u, index + 3u) ^ vec4<u32>(params.seed);
    return vec4<f16>((vec4<f32>(x & vec4<u32>(0xffu)) - 128.0) / 128.0);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
    let i = gid.x;
    var x0 = start(i);
    var x1 = start(i + 1u);
    var x2 = start(i + 2u);
    var x3 = start(i + 3u);
    var x4 = start(i + 4u);
    var x5 = start(i + 5u);
    var x6 = start(i + 6u);
    var x7 = start(i + 7u);
    let a = vec4<f16>(vec4<f32>(params.a));
    let b = vec4<f16>(vec4<f32>(params.b));
    for (var k = 0u; k < params.steps; k += 1u) {
        x0 = fma(x0, a, b);
        x1 = fma(x1, a, b);
        x2 = fma(x2, a, b);
        x3 = fma(x3, a, b);
        x4 = fma(x4, a, b);
        x5 = fma(x5, a, b);
        x6 = fma(x6, a, b);
        x7 = fma(x7, a, b);
    }
    // Summed in 32 bit, so that the result is exact.
    let x = vec4<f32>(x0) + vec4<f32>(x1) + vec4<f32>(x2) + vec4<f32>(x3) + vec4<f32>(x4) + vec4<f32>(x5) + vec4<f32>(x6) + vec4<f32>(x7);
    found[i] = x.x + x.y + x.z + x.w;
}
