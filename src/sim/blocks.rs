//! Paged KV: who holds how many blocks, and when a running batch needs the next ones.
//!
//! Knows counts only. Layers with a sliding window hold no more than it: what a block takes there is counted apart, and a
//! sequence whose window is full takes its next blocks in the other layers alone. A sequence needs a block whenever its KV fills one; which step that is depends on the step's number
//! modulo the size of a block, so that sixteen counters tell what any number of steps will take.

use super::job::KvWindow;

/// Blocks of one replica, counted in parts: what a block takes in the layers that see all, and in those with a window.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    total: u64,
    /// Held by sequences.
    held: u64,
    /// Parts that sequences take in a step, by the step's number modulo the size of a block.
    phases: Vec<u64>,
    growing: u64,
    mask: u64,
    shift: u32,
    /// Parts of a block in the layers that see all.
    all: u64,
    /// Parts of a block in the layers with a window, and the blocks that fill it.
    windowed: u64,
    window_blocks: u64,
}

/// Parts of a block where some layers have a window: what their share is rounded to.
const PARTS: u64 = 64;

impl Blocks {
    /// `block_tokens` is a power of two.
    pub fn new(total: u64, block_tokens: u32, window: Option<KvWindow>) -> Self {
        let shift = block_tokens.trailing_zeros();
        let mask = u64::from(block_tokens) - 1;
        let (all, windowed) = match window {
            None => (1, 0),
            Some(window) => {
                let windowed = (window.share.clamp(0.0, 1.0) * PARTS as f64).round() as u64;
                (PARTS - windowed, windowed)
            }
        };
        Self {
            total: total.saturating_mul(all + windowed),
            held: 0,
            phases: vec![0; block_tokens as usize],
            growing: 0,
            mask,
            shift,
            all,
            windowed,
            window_blocks: window.map_or(0, |window| (u64::from(window.tokens) + mask) >> shift),
        }
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn held(&self) -> u64 {
        self.held
    }

    /// Parts that hold so many tokens of a sequence. A window is filled by its own blocks and the one that is begun.
    #[inline]
    pub fn of(&self, tokens: u64) -> u64 {
        let blocks = (tokens + self.mask) >> self.shift;
        self.all * blocks + self.windowed * blocks.min(self.window_blocks + 1)
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

    /// A sequence with `kv` tokens takes part from step number `step` on. Returns the number of the step from which on its
    /// window is full: then [`Self::fill_window`] has to be told, before that step is played.
    pub fn join(&mut self, kv: u64, step: u64) -> Option<u64> {
        let within = self.within_window(kv);
        let takes = self.all + if within { self.windowed } else { 0 };
        let phase = self.phase(kv, step);
        self.phases[phase] += takes;
        self.growing += takes;
        within.then(|| step + (self.window_blocks << self.shift) - kv + 1)
    }

    /// The sequence that joined so has filled its window: from now on it takes blocks in the other layers alone.
    pub fn fill_window(&mut self, kv: u64, step: u64) {
        let phase = self.phase(kv, step);
        self.phases[phase] -= self.windowed;
        self.growing -= self.windowed;
    }

    /// The sequence that joined so leaves before step number `now`.
    pub fn leave(&mut self, kv: u64, step: u64, now: u64) {
        let within = self.within_window(kv + (now - step));
        let takes = self.all + if within { self.windowed } else { 0 };
        let phase = self.phase(kv, step);
        self.phases[phase] -= takes;
        self.growing -= takes;
    }

    fn within_window(&self, kv: u64) -> bool {
        self.windowed > 0 && kv <= self.window_blocks << self.shift
    }

    /// Parts that `steps` steps take from number `step` on.
    #[inline]
    pub fn needed(&self, step: u64, steps: u64) -> u64 {
        let rest: u64 = (0..(steps & self.mask)).map(|i| self.at(step + i)).sum();
        (steps >> self.shift) * self.growing + rest
    }

    #[inline]
    fn at(&self, step: u64) -> u64 {
        self.phases[(step & self.mask) as usize]
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
        let mut blocks = Blocks::new(1_000, 16, None);
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
        let mut blocks = Blocks::new(1_000, 16, None);
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
