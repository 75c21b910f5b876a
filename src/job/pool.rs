//! A loop over all cores with the result of one core.

use std::ops::Range;

use rayon::prelude::*;

use super::cancel::Stopped;
use super::progress::Ctl;

/// `0..n` in consecutive ranges of `size`, the last one shorter; a size of 0 counts as 1.
pub fn split(n: usize, size: usize) -> impl DoubleEndedIterator<Item = Range<usize>> + ExactSizeIterator {
    let size = size.max(1);
    (0..n.div_ceil(size)).map(move |k| k * size..((k + 1) * size).min(n))
}

/// `work` on each block of `0..n`, in parallel; the results in order of the blocks.
///
/// Progress advances by the length of each finished block. The result does not depend on the number of
/// threads, as long as `work` depends on its range only.
///
/// # Errors
/// [`Stopped`] when a stop was asked for before every block had begun; what was computed is dropped.
pub fn map_blocks<T: Send>(
    n: usize,
    size: usize,
    ctl: &Ctl,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Result<Vec<T>, Stopped> {
    let blocks: Vec<Range<usize>> = split(n, size).collect();
    blocks
        .into_par_iter()
        .map(|block| {
            ctl.check()?;
            let units = block.len() as u64;
            let result = work(block);
            ctl.progress.advance(units);
            Ok(result)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_everything_once_and_in_order() {
        for (n, size) in [(0, 3), (1, 3), (9, 3), (10, 3), (5, 0)] {
            assert_eq!(split(n, size).flatten().collect::<Vec<_>>(), (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_result_is_the_same_at_any_number_of_threads_and_block_size() {
        let run = |threads: usize, size: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let ctl = Ctl::default();
            let squares = |block: Range<usize>| block.map(|i| (i as f64).sqrt()).collect::<Vec<_>>();
            let all = pool.install(|| map_blocks(1000, size, &ctl, squares)).unwrap();
            assert_eq!(ctl.progress.get().done, 1000);
            all.concat()
        };
        let one = run(1, 1000);
        assert_eq!(one, run(4, 7));
        assert_eq!(one, run(3, 64));
    }

    #[test]
    fn a_stop_ends_the_loop() {
        let ctl = Ctl::default();
        ctl.cancel.cancel();
        assert_eq!(map_blocks(10, 1, &ctl, |_| ()), Err(Stopped));
    }
}
