// Next to no work: one invocation adds one to one word. What remains is the cost of a dispatch.
// CPU twin: the word is the number of dispatches.
@group(0) @binding(0) var<storage, read_write> count: array<u32>;

@compute @workgroup_size(1)
fn main() {
    count[0] = count[0] + 1u;
}
