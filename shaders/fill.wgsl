// Fills an array of words: poison, numbers, or packed weights. Writes 4 B per element; not timed.
// CPU twins: bench/reference.rs::{element, hash, f16_bits, group_scale}. Mirrors `Fill` in bench/suite/buffers.rs.
struct Params { count: u32, first: u32, seed: u32, mode: u32, word: u32, width: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> data: array<u32>;

fn hash(index: u32, seed: u32) -> u32 {
    var x = index ^ (seed * 0x9e3779b9u);
    x ^= x >> 16u;
    x *= 0x85ebca6bu;
    x ^= x >> 13u;
    x *= 0xc2b2ae35u;
    return x ^ (x >> 16u);
}

fn element(index: u32, seed: u32) -> f32 {
    return (f32(hash(index, seed) & 0xffu) - 128.0) / 128.0;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
    // A second dimension, as one holds 65,535 workgroups at most.
    let i = gid.y * params.width + gid.x;
    if gid.x >= params.width || i >= params.count { return; }
    let index = params.first + i;
    switch params.mode {
        case 1u: { data[i] = bitcast<u32>(element(index, params.seed)); }
        case 2u: {
            let low = element(2u * index, params.seed);
            let high = element(2u * index + 1u, params.seed);
            data[i] = pack2x16float(vec2<f32>(low, high));
        }
        case 3u: { data[i] = hash(index, params.seed); }
        case 4u: { data[i] = (123u + hash(index, params.seed ^ 0x5ca1eu) % 4u) << 23u; }
        case 5u: {
            // A number of 64 bit: the low word is zero, as an element has 8 significant bits.
            let bits = bitcast<u32>(element(index / 2u, params.seed));
            let wide = (bits & 0x80000000u) | (((bits & 0x7fffffffu) >> 3u) + 0x38000000u);
            data[i] = select(0u, wide, index % 2u == 1u && (bits & 0x7fffffffu) != 0u);
        }
        default: { data[i] = params.word; }
    }
}
