//! One replica with continuous batching: a queue, a running batch, paged KV, steps in time.
//!
//! What it does follows vLLM's scheduler (version 1, first come first served): in each step every running sequence gets
//! its next token, then the prompt that is under way and the ones that wait get what is left of the step's tokens. A
//! prompt starts when a place in the batch and KV blocks for the whole prompt are free. When a running sequence needs a
//! block and none is free, the youngest is preempted, waits in front and is computed again.
//!
//! Steps without prompts are not played one by one: until something changes they are summed in closed form, to the
//! same nanosecond. Neither queue nor batch looks at how long an answer will be; the end of an answer is an event.
//!
//! Not modelled: the lag of asynchronous scheduling, graphs that are padded to the next captured batch. Under
//! speculative decoding the blocks of the whole answer are taken at the start, and nothing is preempted.

mod room;
mod withdraw;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::blocks::Blocks;
use super::job::{Done, Job, Refused, ReplicaCounts, ReplicaLimits, ReplicaState, Role};
use super::pace::Pace;
use super::prefix::{Prefix, PrefixCache};
use crate::unit::SimTime;

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Answered, or taken back.
    Gone,
    Waiting,
    Prompt,
    Decoding,
}

#[derive(Clone, Debug)]
struct Sequence {
    job: Job,
    stage: Stage,
    /// Taken back while it runs: it leaves at the end of the step.
    leaving: bool,
    scheduled: SimTime,
    first_token: SimTime,
    /// Tokens whose KV is there when it decodes: the prompt; after a preemption with what was answered.
    kv: u32,
    /// Of these, computed.
    computed: u32,
    /// Tokens answered before it decodes.
    answered: u32,
    /// The KV is brought, not computed.
    brought: bool,
    /// Number of the first step in which it decodes.
    decodes_from: u64,
    /// Blocks of its own when it began to decode.
    own_blocks: u64,
    /// Blocks of the prefix cache that it uses.
    shared_blocks: u64,
    cached_tokens: u32,
    preemptions: u32,
    /// Changes when it leaves the batch: entries that carry another are void.
    stamp: u32,
}

/// Steps that are under way.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: SimTime,
    end: SimTime,
    /// Nanoseconds before the first step, in which preempted KV is moved.
    before_ns: f64,
    steps: u64,
    /// Prompts are in it; then it is one step.
    mixed: bool,
}

/// One replica.
#[derive(Clone, Debug)]
pub struct Replica {
    limits: ReplicaLimits,
    role: Role,
    pace: Pace,
    blocks: Blocks,
    prefixes: Option<PrefixCache>,
    sequences: Vec<Sequence>,
    free: Vec<u32>,
    /// Calls that wait; those that were taken back stay in it, save in front, until their turn comes.
    waiting: VecDeque<u32>,
    /// Of these, taken back.
    waiting_gone: usize,
    /// Taken back, and out at the end of the step.
    leaving: Vec<u32>,
    /// Ends of answers: number of the step after the last, place, stamp.
    ends: BinaryHeap<Reverse<(u64, u32, u32)>>,
    /// Numbers of the steps from which on windows are full, place, stamp.
    fills: BinaryHeap<Reverse<(u64, u32, u32)>>,
    /// Place and stamp in order of admission, the youngest last; some void.
    admitted: Vec<(u32, u32)>,
    /// Sequences that decode.
    decoding: u32,
    /// Tokens of KV of those that decode.
    kv_tokens: f64,
    /// Prompts of the step under way, with the tokens computed in it.
    prompts: Vec<(u32, u32)>,
    /// The prompt that did not fit into the last step.
    partial: Option<u32>,
    /// Number of the next step.
    step: u64,
    run: Option<Run>,
    swap_ns: f64,
    counts: ReplicaCounts,
}

impl Replica {
    /// A replica that does nothing yet; with `prefixes` it keeps the KV of prompts for others.
    #[must_use]
    pub fn new(limits: ReplicaLimits, pace: Pace, role: Role, prefixes: bool) -> Self {
        let sequences_max = limits.sequences_max.clamp(1, pace.sequences_max().max(1));
        let limits = ReplicaLimits {
            sequences_max,
            step_tokens_max: limits.step_tokens_max.max(sequences_max),
            block_tokens: limits.block_tokens.clamp(1, 1 << 16).next_power_of_two(),
            window: limits.window.filter(|_| !prefixes),
            ..limits
        };
        Self {
            blocks: Blocks::new(limits.kv_blocks, limits.block_tokens, limits.window),
            prefixes: prefixes.then(PrefixCache::default),
            limits,
            role,
            pace,
            sequences: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            waiting_gone: 0,
            leaving: Vec::new(),
            ends: BinaryHeap::new(),
            fills: BinaryHeap::new(),
            admitted: Vec::new(),
            decoding: 0,
            kv_tokens: 0.0,
            prompts: Vec::new(),
            partial: None,
            step: 0,
            run: None,
            swap_ns: 0.0,
            counts: ReplicaCounts::default(),
        }
    }

    /// When the steps under way end; `None` while idle.
    #[must_use]
    #[inline]
    pub fn next_event(&self) -> Option<SimTime> {
        self.run.map(|run| run.end)
    }

    /// Calls that wait or run.
    #[must_use]
    #[inline]
    pub fn load(&self) -> usize {
        self.waiting() + self.running() as usize
    }

    /// Calls that wait.
    #[must_use]
    #[inline]
    pub fn waiting(&self) -> usize {
        self.waiting.len() - self.waiting_gone
    }

    /// What it has done until the last event.
    #[must_use]
    pub fn counts(&self) -> ReplicaCounts {
        self.counts
    }

    /// Leading tokens of a prompt whose KV is here.
    #[must_use]
    pub fn cached_tokens(&self, prefix: &Prefix, prompt_tokens: u32) -> u64 {
        let size = u64::from(self.limits.block_tokens);
        self.prefixes.as_ref().map_or(0, |cache| cache.hits(prefix, u64::from(prompt_tokens), size) * size)
    }

    fn running(&self) -> u32 {
        self.decoding + self.prompts.len() as u32 + u32::from(self.partial.is_some())
    }

    /// How it looks at `now`, which is not before the last event and not after the next.
    #[must_use]
    pub fn state(&self, now: SimTime) -> ReplicaState {
        let (mut held, mut busy_ns) = (self.held_blocks(), self.counts.busy_ns);
        if let Some(run) = self.run {
            busy_ns += now.min(run.end).since(run.start).0;
            if !run.mixed {
                held += self.blocks.needed(self.step, self.steps_at(&run, now).min(run.steps));
            }
        }
        ReplicaState {
            waiting: self.waiting(),
            running: self.running(),
            kv_share: held as f64 / self.blocks.total().max(1) as f64,
            busy_ns,
        }
    }

    /// Blocks that sequences hold, their own and shared ones.
    fn held_blocks(&self) -> u64 {
        self.blocks.held() + self.prefixes.as_ref().map_or(0, |cache| cache.blocks() - cache.idle())
    }

    /// Blocks that nobody holds, those of the prefix cache included.
    fn available(&self) -> u64 {
        self.blocks.total().saturating_sub(self.held_blocks())
    }

    /// Gives it a call at `now`, which is not before the last event and not after the next; returns its place, by which
    /// [`Self::withdraw`] finds it again.
    ///
    /// # Errors
    /// [`Refused`] where it can never be answered or too many wait.
    pub fn enqueue(&mut self, job: Job, now: SimTime) -> Result<u32, Refused> {
        let tokens = u64::from(job.prompt_tokens) + u64::from(job.output_tokens);
        if tokens > self.limits.context_max || self.blocks.of(tokens) > self.blocks.total() {
            return Err(Refused::TooLong);
        }
        if self.waiting() >= self.limits.waiting_max {
            return Err(Refused::QueueFull);
        }
        let brought = job.first_token.is_some();
        let at = self.place(Sequence {
            scheduled: SimTime::NEVER,
            first_token: job.first_token.unwrap_or(SimTime::NEVER),
            kv: job.prompt_tokens.max(1),
            computed: 0,
            answered: u32::from(brought),
            brought,
            job,
            stage: Stage::Waiting,
            leaving: false,
            decodes_from: 0,
            own_blocks: 0,
            shared_blocks: 0,
            cached_tokens: 0,
            preemptions: 0,
            stamp: 0,
        });
        self.waiting.push_back(at);
        match self.run {
            // Not at once: who comes at the same moment takes part in the step.
            None => self.run = Some(Run { start: now, end: now, before_ns: 0.0, steps: 0, mixed: false }),
            Some(run) if self.waiting() == 1 => self.cut_short(run, now),
            Some(_) => {}
        }
        Ok(at)
    }

    /// Ends the steps under way and starts the next; `done` is told of the answers that are complete.
    #[inline]
    pub fn advance(&mut self, done: &mut impl FnMut(Done)) {
        let Some(run) = self.run.take() else { return };
        self.counts.busy_ns += run.end.since(run.start).0;
        self.counts.steps += run.steps;
        self.counts.prompt_steps += u64::from(run.mixed);
        self.evict_for(self.blocks.needed(self.step, run.steps));
        self.blocks.grow(self.step, run.steps);
        self.kv_tokens += self.growth() * run.steps as f64;
        self.step += run.steps;
        self.fill_windows();
        self.let_go();
        self.end_answers(run.end, done);
        self.end_prompts(run.end, done);
        self.schedule(run.end);
    }

    /// Takes away all that waits or runs, as when the machine is lost at `now`.
    pub fn evict(&mut self, now: SimTime) -> Vec<Job> {
        if let Some(run) = self.run.take() {
            self.counts.busy_ns += now.min(run.end).since(run.start).0;
        }
        let live = |(at, stamp): &(u32, u32)| self.sequences[*at as usize].stamp == *stamp;
        let mut places: Vec<u32> =
            self.admitted.iter().filter(|entry| live(entry)).map(|&(at, _)| at).collect();
        places.extend(self.waiting.drain(..));
        places.retain(|at| {
            let sequence = &self.sequences[*at as usize];
            sequence.stage != Stage::Gone && !sequence.leaving
        });
        let jobs = places.into_iter().map(|at| self.sequences[at as usize].job.clone()).collect();
        self.sequences.clear();
        self.free.clear();
        self.ends.clear();
        self.admitted.clear();
        self.prompts.clear();
        self.leaving.clear();
        self.waiting_gone = 0;
        (self.partial, self.decoding, self.kv_tokens) = (None, 0, 0.0);
        self.fills.clear();
        self.blocks = Blocks::new(self.limits.kv_blocks, self.limits.block_tokens, self.limits.window);
        self.prefixes = self.prefixes.is_some().then(PrefixCache::default);
        jobs
    }

    fn place(&mut self, mut sequence: Sequence) -> u32 {
        if let Some(at) = self.free.pop() {
            sequence.stamp = self.sequences[at as usize].stamp;
            self.sequences[at as usize] = sequence;
            return at;
        }
        self.sequences.push(sequence);
        (self.sequences.len() - 1) as u32
    }

    /// Tokens by which the KV grows in a step.
    fn growth(&self) -> f64 {
        f64::from(self.decoding) * self.pace.yielded
    }

    /// Whether blocks are taken for a whole answer at its start.
    fn reserves(&self) -> bool {
        self.pace.yielded > 1.0
    }

    /// Steps of a run that are over at `now`, the one under way included.
    fn steps_at(&self, run: &Run, now: SimTime) -> u64 {
        let gone = now.since(run.start);
        let ns = gone.0 as f64 - run.before_ns;
        if ns <= 0.0 {
            return 0;
        }
        let step = self.pace.decode(self.decoding);
        let mut steps = step.steps_until(ns, self.kv_tokens, self.growth());
        // Ends are whole nanoseconds: who comes at the very end of a step is not in it.
        let end =
            |steps: f64| SimTime::from_ns(run.before_ns + step.run_ns(steps, self.kv_tokens, self.growth()));
        while steps > 1.0 && end(steps - 1.0) >= gone {
            steps -= 1.0;
        }
        steps as u64
    }

    /// Another call is the first to wait: if only answers are under way and it can start then, they go on to the end of
    /// the step.
    fn cut_short(&mut self, run: Run, now: SimTime) {
        let Some(&front) = self.waiting.front() else { return };
        if run.mixed || self.running() >= self.limits.sequences_max {
            return;
        }
        let steps = self.steps_at(&run, now).max(1);
        if steps >= run.steps {
            return;
        }
        // What the answers take until then and in the step itself comes first.
        let grown = self.blocks.needed(self.step, steps + 1);
        if self.blocks_to_start(front).0 > self.available().saturating_sub(grown) {
            return;
        }
        self.end_after(run, steps);
    }

    fn end_after(&mut self, run: Run, steps: u64) {
        let ns = self.pace.decode(self.decoding).run_ns(steps as f64, self.kv_tokens, self.growth());
        self.run = Some(Run { steps, end: run.start + SimTime::from_ns(run.before_ns + ns), ..run });
    }

    /// Blocks that must be free to start a call, and the leading blocks that it would find.
    fn blocks_to_start(&self, at: u32) -> (u64, u64) {
        let sequence = &self.sequences[at as usize];
        let whole =
            sequence.kv + if self.reserves() { sequence.job.output_tokens - sequence.answered } else { 0 };
        let needed = self.blocks.of(u64::from(whole));
        let Some(cache) = self.prefixes.as_ref().filter(|_| !sequence.brought) else { return (needed, 0) };
        let size = u64::from(self.limits.block_tokens);
        // The last token is always computed: its result is the next token.
        let hits = cache.hits(&sequence.job.prefix, u64::from(sequence.kv - 1), size);
        let idle = cache.idle_of(&sequence.job.prefix, hits, size);
        (needed - hits + idle, hits)
    }

    /// Starts the next step, at its beginning `now`.
    fn schedule(&mut self, now: SimTime) {
        let preempted = self.make_room();
        let mut left = self.limits.step_tokens_max.saturating_sub(self.decoding);
        if let Some(at) = self.partial.take() {
            self.compute(at, &mut left);
        }
        if !preempted {
            self.admit(now, &mut left);
        }
        if self.prompts.is_empty() { self.decode_on(now) } else { self.mixed_step(now) }
    }

    /// Computes as much of a prompt as the step has left.
    fn compute(&mut self, at: u32, left: &mut u32) {
        let sequence = &mut self.sequences[at as usize];
        sequence.stage = Stage::Prompt;
        let chunk = (sequence.kv - sequence.computed).min(*left);
        *left -= chunk;
        self.prompts.push((at, chunk));
    }

    /// Starts calls that wait, in their order, until tokens, places or blocks run out.
    fn admit(&mut self, now: SimTime, left: &mut u32) {
        while let Some(&at) = self.waiting.front() {
            if *left == 0 || self.running() >= self.limits.sequences_max {
                return;
            }
            let (needed, hits) = self.blocks_to_start(at);
            // Answers that go on take their blocks first.
            if needed + self.blocks.needed(self.step, 1) > self.available() {
                return;
            }
            self.waiting.pop_front();
            self.forget_gone();
            self.start(at, hits, now);
            if self.sequences[at as usize].brought {
                self.begin_decoding(at);
            } else {
                self.compute(at, left);
            }
        }
    }

    fn start(&mut self, at: u32, hits: u64, now: SimTime) {
        let size = u64::from(self.limits.block_tokens);
        let reserves = self.reserves();
        if let Some(cache) = &mut self.prefixes {
            cache.hold(&self.sequences[at as usize].job.prefix, hits, size);
        }
        let sequence = &mut self.sequences[at as usize];
        let whole = sequence.kv + if reserves { sequence.job.output_tokens - sequence.answered } else { 0 };
        let own = self.blocks.of(u64::from(whole)) - hits;
        sequence.shared_blocks = hits;
        sequence.own_blocks = own;
        // The last token is always computed: its result is the next token.
        let given = sequence.job.given_tokens.min(sequence.kv - 1);
        sequence.computed = given.max((hits * size) as u32);
        if sequence.scheduled == SimTime::NEVER {
            sequence.scheduled = now;
            sequence.cached_tokens = sequence.computed;
            self.counts.cached_tokens += u64::from(sequence.computed);
        }
        let stamp = sequence.stamp;
        self.evict_for(own);
        self.blocks.take(own);
        self.remember(at, stamp);
    }

    /// Notes the order of admission; void entries are dropped once they are the most.
    fn remember(&mut self, at: u32, stamp: u32) {
        if self.admitted.len() > 64 + 4 * self.limits.sequences_max as usize {
            let sequences = &self.sequences;
            self.admitted.retain(|(at, stamp)| sequences[*at as usize].stamp == *stamp);
        }
        self.admitted.push((at, stamp));
    }

    /// From the next step on the sequence decodes.
    fn begin_decoding(&mut self, at: u32) {
        let (step, yielded, reserves) = (self.step, self.pace.yielded, self.reserves());
        let sequence = &mut self.sequences[at as usize];
        sequence.stage = Stage::Decoding;
        sequence.decodes_from = step;
        let left = f64::from(sequence.job.output_tokens - sequence.answered);
        let steps = if yielded > 1.0 { (left / yielded).ceil() as u64 } else { left as u64 };
        self.ends.push(Reverse((step + steps.max(1), at, sequence.stamp)));
        self.decoding += 1;
        self.kv_tokens += f64::from(sequence.kv);
        if !reserves && let Some(full) = self.blocks.join(u64::from(sequence.kv), step) {
            self.fills.push(Reverse((full, at, sequence.stamp)));
        }
    }

    /// Answers go on until the first ends, or the blocks do.
    fn decode_on(&mut self, now: SimTime) {
        let Some(next) = self.next_end().filter(|_| self.decoding > 0) else { return };
        let next = next_of(&mut self.fills, &self.sequences).map_or(next, |full| full.min(next));
        let steps = self.blocks.steps_within(self.step, self.available(), next - self.step).max(1);
        let ns = self.pace.decode(self.decoding).run_ns(steps as f64, self.kv_tokens, self.growth());
        let before_ns = std::mem::take(&mut self.swap_ns);
        let end = now + SimTime::from_ns(before_ns + ns);
        self.run = Some(Run { start: now, end, before_ns, steps, mixed: false });
    }

    /// Number of the step after the one in which the next answer ends.
    fn next_end(&mut self) -> Option<u64> {
        next_of(&mut self.ends, &self.sequences)
    }

    fn mixed_step(&mut self, now: SimTime) {
        let (mut tokens, mut looked) = (0.0, 0.0);
        for &(at, chunk) in &self.prompts {
            let (chunk, computed) = (f64::from(chunk), f64::from(self.sequences[at as usize].computed));
            tokens += chunk;
            looked += chunk * (computed + 0.5 * chunk);
        }
        self.counts.prompt_tokens += tokens as u64;
        let ns = self.pace.mixed_ns(self.decoding, self.kv_tokens, tokens, looked / f64::max(tokens, 1.0));
        let before_ns = std::mem::take(&mut self.swap_ns);
        let end = now + SimTime::from_ns(before_ns + ns);
        self.run = Some(Run { start: now, end, before_ns, steps: 1, mixed: true });
    }

    /// A sequence is over: what still names it is void, and its place is free.
    fn retire(&mut self, at: u32) {
        let sequence = &mut self.sequences[at as usize];
        sequence.stamp = sequence.stamp.wrapping_add(1);
        sequence.stage = Stage::Gone;
        self.free.push(at);
    }

    fn end_answers(&mut self, now: SimTime, done: &mut impl FnMut(Done)) {
        while self.next_end().is_some_and(|step| step <= self.step) {
            if let Some(Reverse((_, at, _))) = self.ends.pop() {
                self.stop_decoding(at);
                self.finish(at, now, done);
            }
        }
    }

    fn end_prompts(&mut self, now: SimTime, done: &mut impl FnMut(Done)) {
        for i in 0..self.prompts.len() {
            let (at, chunk) = self.prompts[i];
            let sequence = &mut self.sequences[at as usize];
            sequence.computed += chunk;
            if sequence.computed < sequence.kv {
                self.partial = Some(at);
                continue;
            }
            sequence.answered += 1;
            if sequence.first_token == SimTime::NEVER {
                sequence.first_token = now;
            }
            if self.role == Role::Prefill || sequence.answered >= sequence.job.output_tokens {
                self.finish(at, now, done);
            } else {
                self.share(at);
                self.begin_decoding(at);
            }
        }
        self.prompts.clear();
    }

    /// The KV of a sequence is there for others from now on.
    fn share(&mut self, at: u32) {
        let Some(cache) = &mut self.prefixes else { return };
        let sequence = &mut self.sequences[at as usize];
        let size = u64::from(self.limits.block_tokens);
        let before = sequence.shared_blocks;
        let (held, _) = cache.insert(&sequence.job.prefix, before, u64::from(sequence.kv), size);
        sequence.shared_blocks = held;
        sequence.own_blocks -= held - before;
        self.blocks.give(held - before);
    }

    fn finish(&mut self, at: u32, now: SimTime, done: &mut impl FnMut(Done)) {
        self.share(at);
        self.release_blocks(at);
        let sequence = &mut self.sequences[at as usize];
        let job = Job { prefix: std::mem::take(&mut sequence.job.prefix), ..sequence.job };
        done(Done {
            job,
            scheduled: sequence.scheduled,
            first_token: sequence.first_token,
            finished: now,
            cached_tokens: sequence.cached_tokens,
            preemptions: sequence.preemptions,
        });
        self.retire(at);
    }
}

/// Number of the first step in a heap of what is due; entries of sequences that have left the batch are void.
fn next_of(due: &mut BinaryHeap<Reverse<(u64, u32, u32)>>, sequences: &[Sequence]) -> Option<u64> {
    while let Some(&Reverse((step, at, stamp))) = due.peek() {
        if sequences[at as usize].stamp == stamp {
            return Some(step);
        }
        due.pop();
    }
    None
}
