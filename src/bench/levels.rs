//! Cache levels in a curve of bandwidth over working set.

use serde::Serialize;

use super::result::Point;

/// A stretch of working sets with about the same bandwidth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// Smallest working set measured in it, in bytes.
    pub from_bytes: u64,
    /// Largest working set measured in it, in bytes.
    pub to_bytes: u64,
    /// Its bandwidth: the median of its points, in bytes per second.
    pub bytes_per_s: f64,
}

/// A point this much below the best of its level so far begins a fall to the next one.
const FALL: f64 = 0.75;

/// Two stretches whose bandwidths are closer than this are one.
const SAME: f64 = 0.85;

/// The levels of a curve, smallest working set first; the last one is memory, if the curve reaches it.
///
/// A new level begins where bandwidth falls below three quarters of the level's best. A point on the slope between two
/// levels is given to the lower one; levels that differ by less than 15 % are joined. Start-up costs make the smallest
/// working sets look slow: points before the best one do not begin a level.
#[must_use]
pub fn levels(curve: &[&Point]) -> Vec<Level> {
    let mut groups: Vec<Vec<&Point>> = Vec::new();
    let mut best = 0.0_f64;
    for point in curve {
        let falls = point.value < FALL * best;
        match groups.last_mut() {
            Some(group) if !falls => {
                group.push(point);
                best = best.max(point.value);
            }
            _ => {
                groups.push(vec![point]);
                best = point.value;
            }
        }
    }
    let mut levels: Vec<Level> = Vec::new();
    for group in &groups {
        let mut values: Vec<f64> = group.iter().map(|point| point.value).collect();
        values.sort_by(f64::total_cmp);
        let level = Level {
            from_bytes: group[0].working_set_bytes,
            to_bytes: group[group.len() - 1].working_set_bytes,
            bytes_per_s: values[values.len() / 2],
        };
        match levels.last_mut() {
            Some(last) if level.bytes_per_s >= SAME * last.bytes_per_s => last.to_bytes = level.to_bytes,
            _ => levels.push(level),
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Clock, Kernel};

    fn curve(values: &[f64]) -> Vec<Point> {
        let point = |(i, value): (usize, &f64)| Point {
            kernel: Kernel::Read,
            working_set_bytes: 16_384 << i,
            value: *value,
            low: *value,
            high: *value,
            samples: 9,
            passes: 1,
            pass_secs: 1.0,
            clock: Clock::HostClock,
            steady: true,
            variant: String::new(),
        };
        values.iter().enumerate().map(point).collect()
    }

    fn found(values: &[f64]) -> Vec<(u64, f64)> {
        let points = curve(values);
        levels(&points.iter().collect::<Vec<_>>()).iter().map(|l| (l.to_bytes, l.bytes_per_s)).collect()
    }

    #[test]
    fn two_caches_and_memory_are_three_levels() {
        let found = found(&[100.0, 101.0, 99.0, 50.0, 51.0, 10.0, 10.0]);
        assert_eq!(found, [(65_536, 100.0), (16_384 << 4, 51.0), (16_384 << 6, 10.0)]);
    }

    #[test]
    fn a_slow_start_and_noise_are_no_levels() {
        assert_eq!(found(&[20.0, 60.0, 98.0, 100.0, 97.0, 99.0]).len(), 1);
        assert_eq!(found(&[]), []);
    }
}
