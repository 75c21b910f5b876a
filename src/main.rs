//! The binary: parse, dispatch, map the outcome to an exit code.

fn main() {}
