//! Room for KV: preemption, blocks given back, windows that fill.

use std::cmp::Reverse;

use crate::unit::NS_PER_SEC;

use super::{Replica, Stage, next_of};

impl Replica {
    /// Lets the prefix cache go so far that `blocks` are free.
    pub(super) fn evict_for(&mut self, blocks: u64) {
        if let Some(cache) = &mut self.prefixes {
            let free = self.blocks.total().saturating_sub(self.blocks.held() + cache.blocks());
            cache.evict(blocks.saturating_sub(free));
        }
    }

    /// Preempts until the next step of those that decode has its blocks; whether it had to.
    pub(super) fn make_room(&mut self) -> bool {
        let mut preempted = false;
        while self.decoding > 0 && self.blocks.needed(self.step, 1) > self.available() {
            preempted = true;
            if !self.preempt_youngest() {
                break;
            }
        }
        preempted
    }

    pub(super) fn preempt_youngest(&mut self) -> bool {
        while let Some((at, stamp)) = self.admitted.pop() {
            if self.sequences[at as usize].stamp != stamp {
                continue;
            }
            if self.partial == Some(at) {
                self.partial = None;
            } else {
                self.stop_decoding(at);
            }
            self.release_blocks(at);
            let sequence = &mut self.sequences[at as usize];
            sequence.stamp = sequence.stamp.wrapping_add(1);
            sequence.preemptions += 1;
            sequence.computed = 0;
            // With a place in host memory the KV is brought back, there and back over the link.
            if let Some(rate) = self.limits.swap_tokens_per_sec {
                sequence.brought = true;
                self.swap_ns += 2.0 * f64::from(sequence.kv) / rate.max(1.0) * NS_PER_SEC;
            } else {
                sequence.brought = false;
                sequence.kv = sequence.job.prompt_tokens.max(1) + sequence.answered;
            }
            sequence.stage = Stage::Waiting;
            self.counts.preemptions += 1;
            self.waiting.push_front(at);
            return true;
        }
        false
    }

    /// A sequence leaves those that decode: what it answered and holds is settled.
    pub(super) fn stop_decoding(&mut self, at: u32) {
        let reserves = self.reserves();
        let sequence = &mut self.sequences[at as usize];
        let steps = self.step - sequence.decodes_from;
        self.decoding -= 1;
        self.kv_tokens -= f64::from(sequence.kv) + steps as f64 * self.pace.yielded;
        if self.decoding == 0 {
            self.kv_tokens = 0.0;
        }
        let before = u64::from(sequence.kv);
        let more = (steps as f64 * self.pace.yielded) as u32;
        let more = more.min(sequence.job.output_tokens - sequence.answered);
        sequence.answered += more;
        sequence.kv += more;
        if !reserves {
            self.blocks.leave(before, sequence.decodes_from, self.step);
            sequence.own_blocks += self.blocks.of(u64::from(sequence.kv)) - self.blocks.of(before);
        }
    }

    /// Gives back the blocks of a sequence; those of the prefix cache stay there.
    pub(super) fn release_blocks(&mut self, at: u32) {
        let sequence = &mut self.sequences[at as usize];
        self.blocks.give(sequence.own_blocks);
        sequence.own_blocks = 0;
        if let Some(cache) = &mut self.prefixes {
            let size = u64::from(self.limits.block_tokens);
            cache.release(&sequence.job.prefix, sequence.shared_blocks, size);
            sequence.shared_blocks = 0;
        }
    }

    /// Sequences whose windows are full by now take no more there.
    pub(super) fn fill_windows(&mut self) {
        while next_of(&mut self.fills, &self.sequences).is_some_and(|step| step <= self.step) {
            if let Some(Reverse((_, at, _))) = self.fills.pop() {
                let sequence = &self.sequences[at as usize];
                self.blocks.fill_window(u64::from(sequence.kv), sequence.decodes_from);
            }
        }
    }
}
