//! A replica's prefix cache: blocks of KV that stay after their sequence is gone, the least recently used first to go.
//!
//! A hit is a block at the start of a prompt that is there, with all blocks before it. *Hit ratio* is always prompt
//! tokens found over prompt tokens sent, unless a name says otherwise.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// What a prompt shares with others.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Prefix {
    /// Nothing.
    #[default]
    None,
    /// Identities of its blocks, as a trace gives them; what is answered is not known to come back.
    Blocks {
        /// One per block, from the start of the prompt; each stands for all that is before it too.
        ids: Arc<[u64]>,
        /// Tokens of a block, at least 1; the last block may be shorter.
        tokens: u32,
    },
    /// A context that grew, was cut and grew again, as an agent's does; what is answered is sent again.
    Pieces(Arc<[Piece]>),
    /// A beginning that many share, and a conversation that goes on.
    Session {
        /// Identity of the shared beginning.
        root: u64,
        /// Its tokens.
        root_tokens: u32,
        /// The conversation; `None` if it is this call alone.
        talk: Option<Talk>,
    },
}

/// A conversation that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// Its identity.
    pub id: u64,
    /// Number of the turn; the calls of one turn each begin with all of the call before.
    pub turn: u32,
    /// Leading tokens that the next turn will begin with as well; beyond it, context that was retrieved for this turn
    /// alone, or a history that is shortened, parts them.
    pub kept_tokens: u32,
}

/// A stretch of a prompt, from the end of the piece before it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it ends, in tokens from the start of the prompt; the last piece goes on into the answer.
    pub end: u32,
    /// Identity of what was written there; stands for all that is before it too.
    pub id: u64,
}

/// Odd, its bits well mixed (the golden ratio): spreads block numbers over identities.
pub(super) const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Prefix {
    /// Identity of the turn that it is a call of, if it is one of a conversation.
    #[must_use]
    pub fn turn(&self) -> Option<u64> {
        match self {
            Self::Session { talk: Some(talk), .. } => {
                Some(mixed(talk.id ^ u64::from(talk.turn).wrapping_mul(SPREAD)))
            }
            _ => None,
        }
    }

    /// Leading blocks of `tokens` tokens that have an identity.
    fn known(&self, tokens: u64, block_tokens: u64) -> u64 {
        match self {
            Self::None => 0,
            Self::Blocks { ids, tokens: each } => {
                tokens.min(ids.len() as u64 * u64::from(*each)) / block_tokens
            }
            Self::Pieces(pieces) => {
                if pieces.is_empty() {
                    0
                } else {
                    tokens / block_tokens
                }
            }
            Self::Session { root_tokens, talk, .. } => {
                let tokens = if talk.is_some() { tokens } else { tokens.min(u64::from(*root_tokens)) };
                tokens / block_tokens
            }
        }
    }

    fn id(&self, block: u64, block_tokens: u64) -> u64 {
        match self {
            Self::None => block,
            Self::Blocks { ids, tokens } if u64::from(*tokens) == block_tokens => ids[block as usize],
            Self::Blocks { ids, tokens } => {
                let last = (block + 1) * block_tokens - 1;
                mixed(ids[(last / u64::from(*tokens)) as usize] ^ block.wrapping_mul(SPREAD))
            }
            Self::Pieces(pieces) => {
                let last = (block + 1) * block_tokens - 1;
                let at = pieces.partition_point(|piece| u64::from(piece.end) <= last);
                mixed(pieces[at.min(pieces.len() - 1)].id ^ block.wrapping_mul(SPREAD))
            }
            Self::Session { root, root_tokens, talk } => {
                let end = (block + 1) * block_tokens;
                let of = match talk {
                    Some(talk) if end > u64::from(*root_tokens) => {
                        let turn =
                            if end > u64::from(talk.kept_tokens) { u64::from(talk.turn) + 1 } else { 0 };
                        talk.id ^ turn.rotate_right(20)
                    }
                    _ => *root,
                };
                mixed(of ^ block.wrapping_mul(SPREAD))
            }
        }
    }
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    z ^ (z >> 32)
}

/// No entry.
const END: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Entry {
    id: u64,
    /// Sequences that use it; idle at 0.
    users: u32,
    before: u32,
    after: u32,
}

/// Blocks by identity; idle ones in a list, the least recently used first.
#[derive(Clone, Debug)]
pub struct PrefixCache {
    by_id: FxHashMap<u64, u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    first: u32,
    last: u32,
    idle: u64,
}

impl Default for PrefixCache {
    fn default() -> Self {
        Self {
            by_id: FxHashMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
            first: END,
            last: END,
            idle: 0,
        }
    }
}

impl PrefixCache {
    /// Blocks that are there.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.by_id.len() as u64
    }

    /// Blocks that no sequence uses.
    #[must_use]
    pub fn idle(&self) -> u64 {
        self.idle
    }

    /// Leading blocks of a prompt of `tokens` tokens that are there.
    #[must_use]
    pub fn hits(&self, prefix: &Prefix, tokens: u64, block_tokens: u64) -> u64 {
        let known = prefix.known(tokens, block_tokens);
        (0..known).take_while(|block| self.by_id.contains_key(&prefix.id(*block, block_tokens))).count()
            as u64
    }

    /// Of the first `blocks` blocks, which are all there, those that no sequence uses.
    pub(super) fn idle_of(&self, prefix: &Prefix, blocks: u64, block_tokens: u64) -> u64 {
        let idle = |block| {
            self.by_id
                .get(&prefix.id(block, block_tokens))
                .is_some_and(|at| self.entries[*at as usize].users == 0)
        };
        (0..blocks).filter(|block| idle(*block)).count() as u64
    }

    /// A sequence uses the first `blocks` blocks, which are all there.
    pub fn hold(&mut self, prefix: &Prefix, blocks: u64, block_tokens: u64) {
        for block in 0..blocks {
            if let Some(&at) = self.by_id.get(&prefix.id(block, block_tokens)) {
                self.hold_entry(at);
            }
        }
    }

    fn hold_entry(&mut self, at: u32) {
        if self.entries[at as usize].users == 0 {
            self.unlink(at);
        }
        self.entries[at as usize].users += 1;
    }

    /// Blocks from number `from` on, computed by a sequence with `tokens` tokens of KV, are there from now on and used
    /// by it. Returns how many blocks it uses now in all, and how many of these are new here.
    pub fn insert(&mut self, prefix: &Prefix, from: u64, tokens: u64, block_tokens: u64) -> (u64, u64) {
        let known = prefix.known(tokens, block_tokens);
        let mut new = 0;
        for block in from..known {
            let id = prefix.id(block, block_tokens);
            if let Some(&at) = self.by_id.get(&id) {
                self.hold_entry(at);
                continue;
            }
            new += 1;
            let entry = Entry { id, users: 1, before: END, after: END };
            let at = if let Some(at) = self.free.pop() {
                self.entries[at as usize] = entry;
                at
            } else {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            };
            self.by_id.insert(id, at);
        }
        (known.max(from), new)
    }

    /// A sequence no longer uses the first `blocks` blocks; the last of them will be the first to go.
    pub fn release(&mut self, prefix: &Prefix, blocks: u64, block_tokens: u64) {
        for block in (0..blocks).rev() {
            let Some(&at) = self.by_id.get(&prefix.id(block, block_tokens)) else { continue };
            self.entries[at as usize].users -= 1;
            if self.entries[at as usize].users == 0 {
                self.link_last(at);
            }
        }
    }

    /// Lets go of up to `blocks` idle blocks; returns how many went.
    pub fn evict(&mut self, blocks: u64) -> u64 {
        let mut gone = 0;
        while gone < blocks && self.first != END {
            let at = self.first;
            self.unlink(at);
            self.by_id.remove(&self.entries[at as usize].id);
            self.free.push(at);
            gone += 1;
        }
        gone
    }

    fn link_last(&mut self, at: u32) {
        self.entries[at as usize].before = self.last;
        self.entries[at as usize].after = END;
        match self.last {
            END => self.first = at,
            last => self.entries[last as usize].after = at,
        }
        self.last = at;
        self.idle += 1;
    }

    fn unlink(&mut self, at: u32) {
        let Entry { before, after, .. } = self.entries[at as usize];
        match before {
            END => self.first = after,
            before => self.entries[before as usize].after = after,
        }
        match after {
            END => self.last = before,
            after => self.entries[after as usize].before = before,
        }
        self.idle -= 1;
    }
}

/// Replays requests through a cache of `capacity` blocks, least recently used first to go, without any time in them.
///
/// What a trace's identities are worth at a size of the cache, all requests at one replica and none running. A request
/// asks for the blocks of its prompt: as many as its trace identifies where the trace's blocks are the cache's (a last
/// block that is not full counts there), else the full ones. Found are those at the start of the prompt that are all
/// there. Then all its blocks are there, just used, its first block more recently than its last; and only then do the
/// least recently used go. Since a block never outlives the one before it, counting every block that is there gives
/// the same.
#[derive(Clone, Debug)]
pub struct BlockReplay {
    cache: PrefixCache,
    capacity: u64,
    block_tokens: u32,
    /// Blocks asked for.
    pub asked: u64,
    /// Blocks found at the start of their prompt.
    pub found: u64,
    /// Requests played.
    pub requests: u64,
    /// Prompt tokens sent.
    pub sent_tokens: u64,
    /// Prompt tokens found; a last block counts with the tokens that it holds.
    pub found_tokens: u64,
    shares: f64,
}

impl BlockReplay {
    /// An empty cache of blocks of `block_tokens` tokens, at least 1; `None` is unbounded.
    #[must_use]
    pub fn new(capacity: Option<u64>, block_tokens: u32) -> Self {
        Self {
            cache: PrefixCache::default(),
            capacity: capacity.unwrap_or(u64::MAX),
            block_tokens: block_tokens.max(1),
            asked: 0,
            found: 0,
            requests: 0,
            sent_tokens: 0,
            found_tokens: 0,
            shares: 0.0,
        }
    }

    /// One request with a prompt of `tokens` tokens; returns the blocks found.
    pub fn request(&mut self, prefix: &Prefix, tokens: u64) -> u64 {
        let size = u64::from(self.block_tokens);
        let identified = match prefix {
            Prefix::Blocks { ids, tokens: each } if *each == self.block_tokens => ids.len() as u64 * size,
            _ => tokens,
        };
        let hits = self.cache.hits(prefix, identified, size);
        self.cache.hold(prefix, hits, size);
        let (held, _) = self.cache.insert(prefix, hits, identified, size);
        self.cache.release(prefix, held, size);
        let over = self.cache.blocks().saturating_sub(self.capacity);
        self.cache.evict(over);
        self.asked += prefix.known(identified, size);
        self.found += hits;
        self.requests += 1;
        let found = (hits * size).min(tokens);
        self.sent_tokens += tokens;
        self.found_tokens += found;
        self.shares += found as f64 / (tokens as f64).max(1.0);
        hits
    }

    /// Blocks found over blocks asked for; 0 before the first.
    #[must_use]
    pub fn block_hit_ratio(&self) -> f64 {
        self.found as f64 / (self.asked as f64).max(1.0)
    }

    /// Prompt tokens found over prompt tokens sent; 0 before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> f64 {
        self.found_tokens as f64 / (self.sent_tokens as f64).max(1.0)
    }

    /// Mean over requests of the share of their prompt's tokens that was found; 0 before the first.
    #[must_use]
    pub fn hit_ratio_per_request(&self) -> f64 {
        self.shares / (self.requests as f64).max(1.0)
    }
}
