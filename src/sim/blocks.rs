//! Paged KV: who holds how many blocks, and when a running batch needs the next ones.
//!
//! Knows counts only. A sequence needs a block whenever its KV fills one; which step that is depends on the step's number
//! modulo the size of a block, so that sixteen counters tell what any number of steps will take.

/// Blocks of one replica.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    total: u64,
    /// Held by sequences.
    held: u64,
    /// Sequences that take a block in a step, by the step's number modulo the size of a block.
    phases: Vec<u32>,
    growing: u64,
    mask: u64,
    shift: u32,
}

impl Blocks {
    /// `block_tokens` is a power of two.
    pub fn new(total: u64, block_tokens: u32) -> Self {
        Self {
            total,
            held: 0,
            phases: vec![0; block_tokens as usize],
            growing: 0,
            mask: u64::from(block_tokens) - 1,
            shift: block_tokens.trailing_zeros(),
        }
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn held(&self) -> u64 {
        self.held
    }

    /// Blocks that hold so many tokens.
    #[inline]
    pub fn of(&self, tokens: u64) -> u64 {
        (tokens + self.mask) >> self.shift
    }

    pub fn take(&mut self, blocks: u64) {
        self.held += blocks;
    }

    pub fn give(&mut self, blocks: u64) {
        debug_assert!(blocks <= self.held, "{blocks} blocks given back, {} held", self.held);
        self.held -= blocks;
    }

    fn phase(&self, kv: u64, step: u64) -> usize {
        (step.wrapping_sub(kv) & self.mask) as usize
    }

    /// A sequence with `kv` tokens takes part from step number `step` on.
    pub fn join(&mut self, kv: u64, step: u64) {
        let phase = self.phase(kv, step);
        self.phases[phase] += 1;
        self.growing += 1;
    }

    /// The sequence that joined so leaves.
    pub fn leave(&mut self, kv: u64, step: u64) {
        let phase = self.phase(kv, step);
        self.phases[phase] -= 1;
        self.growing -= 1;
    }

    /// Blocks that `steps` steps take from number `step` on.
    #[inline]
    pub fn needed(&self, step: u64, steps: u64) -> u64 {
        let rest: u64 = (0..(steps & self.mask)).map(|i| self.at(step + i)).sum();
        (steps >> self.shift) * self.growing + rest
    }

    #[inline]
    fn at(&self, step: u64) -> u64 {
        u64::from(self.phases[(step & self.mask) as usize])
    }

    /// Takes what these steps need.
    pub fn grow(&mut self, step: u64, steps: u64) {
        self.held += self.needed(step, steps);
    }

    /// The most steps, up to `most`, for which `free` blocks last.
    #[inline]
    pub fn steps_within(&self, step: u64, free: u64, most: u64) -> u64 {
        // No step takes more than one block per sequence, and a round of steps takes one of each.
        if ((most >> self.shift) + 1) * self.growing <= free || self.needed(step, most) <= free {
            return most;
        }
        let rounds = free / self.growing;
        let (mut steps, mut left) = (rounds << self.shift, free - rounds * self.growing);
        while steps < most && self.at(step + steps) <= left {
            left -= self.at(step + steps);
            steps += 1;
        }
        steps.min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steps_need_is_what_each_sequence_needs_step_by_step() {
        let mut blocks = Blocks::new(1_000, 16);
        let sequences = [(1_u64, 0_u64), (15, 3), (16, 3), (17, 7), (160, 9), (31, 9)];
        for (kv, step) in sequences {
            blocks.join(kv, step);
        }
        for start in 9..60 {
            for steps in 0..70 {
                let each = sequences
                    .iter()
                    .map(|(kv, from)| blocks.of(kv + start + steps - from) - blocks.of(kv + start - from));
                assert_eq!(blocks.needed(start, steps), each.sum::<u64>(), "{start} {steps}");
            }
        }
    }

    #[test]
    fn blocks_last_for_as_many_steps_as_need_no_more_than_are_free() {
        let mut blocks = Blocks::new(1_000, 16);
        for kv in 0..40 {
            blocks.join(kv * 7, 0);
        }
        for free in 0..300 {
            let steps = blocks.steps_within(5, free, 100);
            assert!(blocks.needed(5, steps) <= free);
            assert!(steps == 100 || blocks.needed(5, steps + 1) > free, "{free} {steps}");
        }
    }
}
