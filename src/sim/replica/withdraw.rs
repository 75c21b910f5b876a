//! Calls that are taken back: out of the queue at once, out of the batch at the end of the step.

use crate::unit::SimTime;

use super::{Replica, Sequence, Stage};

impl Replica {
    /// Takes a call back at `now`, which is not before the last event and not after the next: one that waits is gone at
    /// once, one that runs leaves the batch, and its KV is free, at the end of the step under way. It is not told as
    /// done. Whether it was here.
    ///
    /// - `place`: what [`Self::enqueue`] returned; without it the call is searched for.
    pub fn withdraw(&mut self, id: u64, place: Option<u32>, now: SimTime) -> bool {
        let is_it =
            |sequence: &Sequence| sequence.job.id == id && sequence.stage != Stage::Gone && !sequence.leaving;
        let at = match place {
            Some(at) => self.sequences.get(at as usize).is_some_and(is_it).then_some(at),
            None => self.sequences.iter().position(is_it).map(|at| at as u32),
        };
        let Some(at) = at else { return false };
        self.counts.withdrawn += 1;
        if self.sequences[at as usize].stage == Stage::Waiting {
            let front = self.waiting.front() == Some(&at);
            self.sequences[at as usize].stage = Stage::Gone;
            self.waiting_gone += 1;
            self.forget_gone();
            if let Some(run) = self.run.filter(|_| front) {
                self.cut_short(run, now);
            }
            return true;
        }
        self.sequences[at as usize].leaving = true;
        self.leaving.push(at);
        if let Some(run) = self.run.filter(|run| !run.mixed) {
            let steps = self.steps_at(&run, now).max(1);
            if steps < run.steps {
                self.end_after(run, steps);
            }
        }
        true
    }

    /// Calls that were taken back go from the front of the queue, and from all of it once they are the most.
    pub(super) fn forget_gone(&mut self) {
        const FEW: usize = 64;
        if self.waiting_gone == 0 {
            return;
        }
        let Self { waiting, sequences, free, .. } = self;
        let is_gone = |at: &u32| sequences[*at as usize].stage == Stage::Gone;
        while let Some(at) = waiting.pop_front_if(|at| is_gone(at)) {
            free.push(at);
            self.waiting_gone -= 1;
        }
        if self.waiting_gone > FEW.max(waiting.len() / 2) {
            free.extend(waiting.iter().filter(|at| is_gone(at)));
            waiting.retain(|at| !is_gone(at));
            self.waiting_gone = 0;
        }
    }

    /// Calls that were taken back leave the batch.
    pub(super) fn let_go(&mut self) {
        while let Some(at) = self.leaving.pop() {
            if self.sequences[at as usize].stage == Stage::Decoding {
                self.stop_decoding(at);
            }
            self.prompts.retain(|(prompt, _)| *prompt != at);
            self.release_blocks(at);
            self.retire(at);
        }
    }
}
