//! Sorting and order statistics of draws, in about one pass over them.
//!
//! Draws of a smooth distribution fall evenly enough into bins of equal width: each is put into its bin, and only the
//! few of a bin are compared. Where they do not fall evenly (a far draw, many alike), a bin holds more and is sorted as
//! usual, so that nothing depends on it but time.

use super::elementary::ULP_IS_ONE;

/// Bins per draw of [`order`] and [`sorted`]: one, so that a bin holds one draw in the mean.
const BINS_MAX: usize = 1 << 16;

/// Bins in which [`order_statistics`] looks for ranks: few enough to stay in the first cache.
const BINS_OF_RANKS: usize = 1024;

/// Values by the bins that they fall into. The bin never falls as the value rises.
struct Bins {
    low: f64,
    per_width: f64,
    last: f64,
}

impl Bins {
    /// `count` bins over the range of values; none where that range is empty, infinite or not a number.
    fn over(values: &[f64], count: usize) -> Option<Self> {
        let (mut low, mut high) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
        let mut finite = true;
        for chunk in values.chunks(8) {
            for (lane, x) in chunk.iter().enumerate() {
                low[lane] = if *x < low[lane] { *x } else { low[lane] };
                high[lane] = if *x > high[lane] { *x } else { high[lane] };
                finite &= x.is_finite();
            }
        }
        let (low, high) = (
            low.iter().copied().fold(f64::INFINITY, f64::min),
            high.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
        let per_width = count as f64 / (high - low);
        (finite && high > low && per_width.is_finite() && per_width > 0.0).then_some(Self {
            low,
            per_width,
            last: count as f64 - 1.0,
        })
    }

    #[inline]
    fn of(&self, x: f64) -> usize {
        // The sum rounds to a whole number, which stands in the low bits: cheaper than a conversion.
        let bin = (x - self.low) * self.per_width;
        let bin = if bin < self.last { bin } else { self.last };
        (bin + ULP_IS_ONE).to_bits() as u32 as usize
    }
}

/// The positions of `values` in ascending order of the values; equal ones in any order.
#[must_use]
pub fn order(values: &[f64]) -> Vec<u32> {
    let mut placed = spread_out(values, |x, at| (x, at), |pair| pair.0);
    let mut order: Vec<u32> = Vec::with_capacity(values.len());
    order.extend(placed.drain(..).map(|(_, at)| at));
    order
}

/// The values in ascending order.
#[must_use]
pub fn sorted(values: &[f64]) -> Vec<f64> {
    spread_out(values, |x, _| x, |x| *x)
}

/// Sorts what `item` makes of each value and its position by its value.
fn spread_out<T: Copy>(values: &[f64], item: impl Fn(f64, u32) -> T, value: impl Fn(&T) -> f64) -> Vec<T> {
    let items = || values.iter().zip(0..).map(|(x, at)| item(*x, at));
    let count = values.len().clamp(1, BINS_MAX);
    let by_value = |a: &T, b: &T| value(a).total_cmp(&value(b));
    let Some(bins) = Bins::over(values, count) else {
        let mut all: Vec<T> = items().collect();
        all.sort_unstable_by(by_value);
        return all;
    };
    // Where each bin begins; while items are placed, where its next one goes.
    let mut ends = vec![0_u32; count + 1];
    values.iter().for_each(|x| ends[bins.of(*x) + 1] += 1);
    for bin in 0..count {
        ends[bin + 1] += ends[bin];
    }
    let mut out: Vec<T> = items().collect();
    for (at, x) in (0..).zip(values) {
        let end = &mut ends[bins.of(*x)];
        out[*end as usize] = item(*x, at);
        *end += 1;
    }
    // Each bin now ends where its end is, and the next one begins there.
    let mut start = 0;
    for end in &ends[..count] {
        let end = *end as usize;
        if end - start > 1 {
            out[start..end].sort_unstable_by(by_value);
        }
        start = end;
    }
    out
}

/// The values at ascending ranks (0 is the smallest), each below the number of values.
#[must_use]
pub fn order_statistics<const K: usize>(values: &[f64], ranks: [usize; K]) -> [f64; K] {
    let Some(bins) = Bins::over(values, BINS_OF_RANKS) else {
        let mut all = values.to_vec();
        all.sort_unstable_by(f64::total_cmp);
        return ranks.map(|rank| all[rank]);
    };
    // Two loops: the first has vector instructions, the second cannot.
    let bin_of: Vec<u16> = values.iter().map(|x| bins.of(*x) as u16).collect();
    let mut counts = [0_u32; BINS_OF_RANKS];
    bin_of.iter().for_each(|bin| counts[*bin as usize % BINS_OF_RANKS] += 1);
    // The bin of each rank, how many values lie below that bin, and which bins are looked into.
    let mut wanted = [false; BINS_OF_RANKS];
    let (mut bin, mut below) = (0, 0);
    let places = ranks.map(|rank| {
        while below + counts[bin] as usize <= rank {
            below += counts[bin] as usize;
            bin += 1;
        }
        wanted[bin] = true;
        (bin, below)
    });
    let mut held: Vec<(u16, f64)> = Vec::with_capacity(values.len() / 8);
    held.extend(
        bin_of
            .iter()
            .zip(values)
            .filter(|(bin, _)| wanted[**bin as usize % BINS_OF_RANKS])
            .map(|(bin, x)| (*bin, *x)),
    );
    held.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut answer = [0.0; K];
    for ((answer, rank), (bin, below)) in answer.iter_mut().zip(ranks).zip(places) {
        let start = held.partition_point(|held| usize::from(held.0) < bin);
        *answer = held[start + rank - below].1;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Stream;

    /// Smooth, with a far draw, all alike, with ties, of two values, with what is no number, few.
    fn sets() -> Vec<Vec<f64>> {
        let mut smooth = vec![0.0; 5_000];
        Stream::new(3, "order").fill(0, &mut smooth);
        let mut far = smooth.clone();
        far[17] = 1e300;
        let ties = smooth.iter().map(|u| (u * 20.0).floor() - 7.0).collect();
        let two = smooth.iter().map(|u| if *u < 0.3 { -1.0 } else { 1.0 }).collect();
        let mut odd = smooth.clone();
        (odd[5], odd[6], odd[7]) = (f64::NAN, f64::INFINITY, -0.0);
        let skewed = smooth.iter().map(|u| (20.0 * u).exp()).collect();
        vec![smooth, far, vec![2.5; 100], ties, two, odd, skewed, vec![1.0], vec![3.0, -2.0], vec![0.0, -0.0]]
    }

    fn by_comparison(values: &[f64]) -> Vec<f64> {
        let mut all = values.to_vec();
        all.sort_by(f64::total_cmp);
        all
    }

    #[test]
    fn sorted_is_sorted_by_comparison() {
        for values in sets() {
            let (found, expected) = (sorted(&values), by_comparison(&values));
            // 0 and -0 fall into one bin, where they are told apart like any others.
            assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{expected:?}");
            let through: Vec<f64> = order(&values).iter().map(|at| values[*at as usize]).collect();
            assert!(through.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
        assert!(sorted(&[]).is_empty() && order(&[]).is_empty());
    }

    #[test]
    fn an_order_statistic_is_the_sorted_value_at_its_rank() {
        for values in sets() {
            let n = values.len();
            let ranks = [0, n / 20, n / 20, n / 4, n / 2, n - 1];
            let expected = by_comparison(&values);
            for (found, rank) in order_statistics(&values, ranks).into_iter().zip(ranks) {
                assert_eq!(found.to_bits(), expected[rank].to_bits(), "rank {rank} of {n}");
            }
        }
    }
}
