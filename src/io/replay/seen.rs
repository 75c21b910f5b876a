//! Which ids came before, as far back as a bounded memory reaches.

use rustc_hash::FxHashMap;

/// Ids per generation: the last so many are always known, and up to twice as many.
const IDS: usize = 1 << 17;

/// Ids of two generations and what was told with each; the older one is forgotten when the newer is full.
#[derive(Default)]
pub(super) struct Ids {
    newer: FxHashMap<u64, u64>,
    older: FxHashMap<u64, u64>,
}

impl Ids {
    /// What was told with this id when it was last seen; remembers what is `told` now.
    pub fn see(&mut self, id: u64, told: u64) -> Option<u64> {
        let before = self.newer.get(&id).or_else(|| self.older.get(&id)).copied();
        if self.newer.len() >= IDS {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(id, told);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ids_are_known_and_memory_is_bounded() {
        let mut ids = Ids::default();
        for id in 0..10 * IDS as u64 {
            assert_eq!(ids.see(id, id + 1), None);
            assert!(ids.newer.len() + ids.older.len() <= 2 * IDS);
        }
        let last = 10 * IDS as u64 - 1;
        assert_eq!(ids.see(last - IDS as u64 + 2, 7), Some(last - IDS as u64 + 3));
        assert_eq!(ids.see(0, 1), None);
    }
}
