//! Percentiles of draws, fast enough to be refreshed while somebody drags.

use super::results::{Band, Probability, Spread};
use crate::stats::{Summary, order_statistics};

/// Band of a column of draws. Percentiles interpolate between order statistics (type 7 of
/// Hyndman and Fan 1996).
pub(super) fn band(draws: &[f64]) -> Band {
    if draws.is_empty() {
        return Band::default();
    }
    // Summed in draw order: the same bytes whatever the threads did.
    let mean = draws.iter().sum::<f64>() / draws.len() as f64;
    let last = draws.len() - 1;
    let places = [0.05, 0.25, 0.5, 0.75, 0.95].map(|share| share * last as f64);
    let mut ranks = [0; 2 * PERCENTILES];
    for (pair, place) in ranks.chunks_exact_mut(2).zip(places) {
        let below = place as usize;
        pair.copy_from_slice(&[below, (below + 1).min(last)]);
    }
    let found = order_statistics(draws, ranks);
    let at = |percentile: usize| {
        let (below, above) = (found[2 * percentile], found[2 * percentile + 1]);
        below + places[percentile].fract() * (above - below)
    };
    Band { p5: at(0), p25: at(1), p50: at(2), p75: at(3), p95: at(4), mean }
}

/// Percentiles of a [`Band`].
const PERCENTILES: usize = 5;

/// Share of successes with its 95 % Wilson interval (Wilson 1927).
pub(super) fn probability(successes: usize, draws: usize) -> Probability {
    if draws == 0 {
        return Probability { share: 0.0, low: 0.0, high: 1.0 };
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, share) = (draws as f64, successes as f64 / draws as f64);
    let centre = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / (1.0 + Z * Z / n);
    Probability { share, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// The spread of a column of draws.
pub(super) fn spread(draws: &[f64]) -> Spread {
    let Ok(summary) = Summary::of(draws) else { return Spread::default() };
    let at = |percent: u8| summary.percentile(percent).map_or((f64::NAN, 0.0), |p| (p.value, p.se));
    Spread {
        mean: summary.mean,
        mean_error: summary.mean_se,
        p5: at(5).0,
        p25: at(25).0,
        p50: at(50).0,
        p75: at(75).0,
        p95: at(95).0,
        p5_error: at(5).1,
        p50_error: at(50).1,
        p95_error: at(95).1,
    }
}

impl Spread {
    /// Every figure times a factor above 0.
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            mean: self.mean * factor,
            mean_error: self.mean_error * factor,
            p5: self.p5 * factor,
            p25: self.p25 * factor,
            p50: self.p50 * factor,
            p75: self.p75 * factor,
            p95: self.p95 * factor,
            p5_error: self.p5_error * factor,
            p50_error: self.p50_error * factor,
            p95_error: self.p95_error * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_interpolates_between_order_statistics() {
        let draws: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let found = band(&draws);
        assert_eq!((found.p5, found.p25, found.p50, found.p75, found.p95), (5.0, 25.0, 50.0, 75.0, 95.0));
        assert_eq!((found.mean, band(&[3.0, 1.0]).p25), (50.0, 1.5));
    }
}
