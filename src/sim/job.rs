//! What a replica is given, what it gives back, and what it may do.

use serde::Serialize;

use crate::serving::PerfMemory;
use crate::unit::SimTime;

use super::prefix::Prefix;

/// What a replica may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplicaLimits {
    /// Most sequences at once.
    pub sequences_max: u32,
    /// Most tokens of a step, decoding and prompts together (`max_num_batched_tokens`).
    pub step_tokens_max: u32,
    /// Blocks of KV.
    pub kv_blocks: u64,
    /// Tokens of a block; made a power of two.
    pub block_tokens: u32,
    /// Longest prompt with its answer that is taken, in tokens.
    pub context_max: u64,
    /// Most calls that wait; beyond, calls are turned away.
    pub waiting_max: usize,
    /// Layers that keep no more than a window of KV. Not with a prefix cache: whose blocks count whole.
    pub window: Option<KvWindow>,
    /// Preempted sequences are written to host memory and read back, so many tokens per second, instead of computed
    /// again.
    pub swap_tokens_per_sec: Option<f64>,
}

/// Layers that keep the KV of the last tokens alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvWindow {
    /// Tokens that they keep; each starts within a block, so that one block more is held.
    pub tokens: u32,
    /// Their share of the bytes of a token's KV, 0..=1.
    pub share: f64,
}

impl KvWindow {
    /// Of a model's memory; `None` where every layer keeps all.
    #[must_use]
    pub fn of(memory: &PerfMemory) -> Option<Self> {
        let windowed = memory.kv_bytes_per_token_window;
        (windowed > 0.0).then(|| Self {
            tokens: memory.window.clamp(1.0, 1e9) as u32,
            share: windowed / (memory.kv_bytes_per_token + windowed),
        })
    }
}

/// Size of a KV block where nothing else is said: vLLM's default, in tokens.
pub const BLOCK_TOKENS: u32 = 16;

/// What a replica is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Prompts and answers.
    #[default]
    Both,
    /// Prompts and first tokens; their KV goes to another replica.
    Prefill,
}

/// A call at a replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Who asks; given back in [`Done`].
    pub id: u64,
    /// When it came to the replica.
    pub arrival: SimTime,
    /// Tokens sent.
    pub prompt_tokens: u32,
    /// Tokens that the answer will have; at least 1.
    pub output_tokens: u32,
    /// What its prompt shares with others.
    pub prefix: Prefix,
    /// Leading prompt tokens that count as computed whatever the cache holds: a share of hits that is given.
    pub given_tokens: u32,
    /// The prompt's KV comes from a prefill replica; its first token was out then.
    pub first_token: Option<SimTime>,
}

/// A call that has been answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The call.
    pub job: Job,
    /// When it first got a place in the batch.
    pub scheduled: SimTime,
    /// When its first token was out.
    pub first_token: SimTime,
    /// When its last token was out.
    pub finished: SimTime,
    /// Prompt tokens that were not computed, since their KV was there.
    pub cached_tokens: u32,
    /// How often it was preempted.
    pub preemptions: u32,
}

/// Why a replica does not take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// Prompt and answer exceed the context or all of the KV.
    TooLong,
    /// As many wait as may.
    QueueFull,
}

/// What a replica looks like at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplicaState {
    /// Calls that wait.
    pub waiting: usize,
    /// Sequences in the batch.
    pub running: u32,
    /// Share of the KV blocks that sequences hold, 0..=1.
    pub kv_share: f64,
    /// Nanoseconds with work so far.
    pub busy_ns: u64,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplicaCounts {
    /// Steps, of both kinds.
    pub steps: u64,
    /// Steps with prompts in them.
    pub prompt_steps: u64,
    /// Preemptions.
    pub preemptions: u64,
    /// Prompt tokens computed, repetitions included.
    pub prompt_tokens: u64,
    /// Prompt tokens found in the prefix cache.
    pub cached_tokens: u64,
    /// Calls that were taken back, waiting or running.
    pub withdrawn: u64,
    /// Nanoseconds with work.
    pub busy_ns: u64,
}

impl ReplicaCounts {
    /// Takes in the counts of another replica.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.prompt_steps += other.prompt_steps;
        self.preemptions += other.preemptions;
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.withdrawn += other.withdrawn;
        self.busy_ns += other.busy_ns;
    }
}
