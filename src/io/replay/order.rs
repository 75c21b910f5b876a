//! Rows that stand a little out of order, put into it while reading on.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Identities of blocks that wait at most, 64 MB of them: rows of long prompts wait in smaller number.
const IDENTITIES_MAX: usize = 8 << 20;

struct Waiting<T> {
    at: f64,
    /// Place in the file: what comes at one time keeps its order.
    place: u64,
    weight: usize,
    row: T,
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at).then(self.place.cmp(&other.place))
    }
}

/// Rows that wait until no earlier one is expected; the earliest comes out first.
pub(super) struct Sorted<T> {
    heap: BinaryHeap<Reverse<Waiting<T>>>,
    rows_max: usize,
    weight: usize,
    place: u64,
    /// Time of the last row that came out.
    out: f64,
}

impl<T> Sorted<T> {
    /// Keeps up to `rows_max` rows.
    pub fn new(rows_max: usize) -> Self {
        Self { heap: BinaryHeap::new(), rows_max, weight: 0, place: 0, out: f64::NEG_INFINITY }
    }

    /// Rows that wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether one has to come out before the next goes in.
    pub fn is_full(&self) -> bool {
        self.heap.len() >= self.rows_max || self.weight >= IDENTITIES_MAX
    }

    /// When the earliest comes.
    pub fn first(&self) -> Option<f64> {
        self.heap.peek().map(|Reverse(waiting)| waiting.at)
    }

    /// Puts a row in its place, `weight` identities with it; gives it back if a later one has come out already.
    pub fn push(&mut self, at: f64, weight: usize, row: T) -> Result<(), T> {
        if at < self.out {
            return Err(row);
        }
        self.weight += weight;
        self.heap.push(Reverse(Waiting { at, place: self.place, weight, row }));
        self.place += 1;
        Ok(())
    }

    /// Takes the earliest out.
    pub fn next(&mut self) -> Option<T> {
        let Reverse(first) = self.heap.pop()?;
        self.weight -= first.weight;
        self.out = first.at;
        Some(first.row)
    }
}
