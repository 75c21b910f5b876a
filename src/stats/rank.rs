//! Ranks and rank correlation.

use super::order::order;

/// Ranks from 1 to n in the order of `values`; equal values share the mean of their ranks.
#[must_use]
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let order = order(values);
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    // `==`, so that 0 and -0 are one value.
    for group in order.chunk_by(|a, b| values[*a as usize] == values[*b as usize]) {
        let rank = start as f64 + (group.len() as f64 + 1.0) / 2.0;
        for index in group {
            ranks[*index as usize] = rank;
        }
        start += group.len();
    }
    ranks
}

/// Spearman's rank correlation, -1 to 1: Pearson's correlation of the ranks, so that ties are right.
///
/// `None` when the lengths differ, there are fewer than two pairs, a value is not a number, or one side
/// is constant.
///
/// Source: Kendall and Gibbons, "Rank Correlation Methods", 5th edition, chapter 3.
#[must_use]
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.len() < 2 || x.iter().chain(y).any(|value| value.is_nan()) {
        return None;
    }
    rank_correlation(&ranks(x), &ranks(y))
}

/// Sums of a correlation that are added up side by side.
const SUMS: usize = 8;

/// [`spearman`] of values that are ranked already: ranking is the dear part, and one ranking serves many pairs.
#[must_use]
pub fn rank_correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let mean = (x.len() as f64 + 1.0) / 2.0;
    // Eight sums side by side: one alone would wait for itself at every step.
    let (mut xy, mut xx, mut yy) = ([0.0; SUMS], [0.0; SUMS], [0.0; SUMS]);
    for (x, y) in x.chunks(SUMS).zip(y.chunks(SUMS)) {
        for (sum, (a, b)) in x.iter().zip(y).enumerate() {
            let (a, b) = (a - mean, b - mean);
            xy[sum] += a * b;
            xx[sum] += a * a;
            yy[sum] += b * b;
        }
    }
    let [xy, xx, yy] = [xy, xx, yy].map(|sums| sums.iter().sum::<f64>());
    let scale = (xx * yy).sqrt();
    (scale > 0.0).then(|| (xy / scale).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_the_mean_of_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(ranks(&[0.0, -0.0]), [1.5, 1.5]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn any_increasing_transformation_keeps_the_rank_correlation() {
        let x = [1.0, 2.0, 5.0, 7.0, 11.0];
        let y = x.map(f64::exp);
        assert_eq!(spearman(&x, &y), Some(1.0));
        assert_eq!(spearman(&x, &y.map(|y| -y)), Some(-1.0));
    }

    #[test]
    fn without_ties_it_is_one_minus_six_sum_of_squares_over_n_cubed_minus_n() {
        // Ranks 1..5 against 2 1 4 3 5: squares sum to 4, so 1 - 24/120.
        let rho = spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 1.0, 4.0, 3.0, 5.0]).unwrap();
        assert!((rho - 0.8).abs() < 1e-15);
    }

    #[test]
    fn there_is_no_correlation_with_a_constant_or_of_unequal_lengths() {
        assert_eq!(spearman(&[1.0, 2.0], &[3.0, 3.0]), None);
        assert_eq!(spearman(&[1.0, 2.0], &[3.0]), None);
        assert_eq!(spearman(&[1.0, f64::NAN], &[3.0, 4.0]), None);
    }
}
