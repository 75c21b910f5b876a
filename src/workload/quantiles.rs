//! An observed distribution of lengths as a short table of quantiles, and how it is made from a sample.
//!
//! Between two knots the quantile function is a straight line, so that mean, limited mean, tail and quantile are
//! closed forms of the table. Start with [`Quantiles::new`] for a table and [`Quantiles::of_tokens`] for a sample.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most knots of a table that is made from a sample: two pages of a file, and off by less than rounding.
pub const KNOTS_MADE: usize = 101;

/// Most knots that are read: a table is a summary; more would only slow every trial.
pub const KNOTS_MAX: usize = 1_000;

/// Longest length over the median, and longest length in tokens, that are computed with.
const RATIO_MAX: f64 = 1e6;
const TOKENS_MAX: f64 = 1e9;

/// A count of tokens stands for half a token to each side.
const HALF_TOKEN: f64 = 0.5;

/// How much an error of the mean counts against one of a percentile. Errors of stretches add up to that of the mean,
/// so each must be smaller.
const MEAN_WEIGHT: f64 = 10.0;

/// Decimals of a share in a table: finer than one row of a million.
const SHARE_DECIMALS: f64 = 1e7;

/// Quantiles of a length: a share `shares[i]` of the lengths is at most `tokens[i]`, a straight line in between.
///
/// In a file `(shares: [0.0, 0.5, 1.0], tokens: [10.0, 300.0, 4000.0])`. Both lists rise or stay level, the shares
/// from 0 to 1. Level tokens are many requests of one length, level shares a gap that no request falls into. A
/// [`Length`](super::Length) scales the table so that its median is the length's.
///
/// ```
/// use breakeven::workload::Quantiles;
///
/// // Uniform from 0 to 200: mean 100, and min(X, 100) has mean 75.
/// let table = Quantiles::new(vec![0.0, 1.0], vec![0.0, 200.0]);
/// assert_eq!(table.fault(), None);
/// assert_eq!((table.median(), table.mean()), (100.0, 100.0));
/// assert_eq!(table.mean() - table.tail(100.0).1, 75.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Lists", into = "Lists")]
pub struct Quantiles {
    shares: Vec<f64>,
    tokens: Vec<f64>,
    /// Integral of the quantile function from each knot's share to 1, in tokens.
    above: Vec<f64>,
    median: f64,
    fault: Option<QuantilesError>,
}

/// The table as a file holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename = "Quantiles", deny_unknown_fields)]
struct Lists {
    shares: Vec<f64>,
    tokens: Vec<f64>,
}

impl From<Lists> for Quantiles {
    fn from(lists: Lists) -> Self {
        Self::new(lists.shares, lists.tokens)
    }
}

impl From<Quantiles> for Lists {
    fn from(table: Quantiles) -> Self {
        Self { shares: table.shares, tokens: table.tokens }
    }
}

/// Why a table of quantiles cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum QuantilesError {
    /// The lists do not belong together.
    #[error("there are {shares} shares and {tokens} tokens")]
    Uneven {
        /// Length of one list.
        shares: usize,
        /// Length of the other.
        tokens: usize,
    },
    /// Fewer than two or more than [`KNOTS_MAX`].
    #[error("the table has {found} knots")]
    Knots {
        /// Its knots.
        found: usize,
    },
    /// The shares do not cover everything.
    #[error("the shares run from {first} to {last}")]
    Ends {
        /// First share.
        first: f64,
        /// Last share.
        last: f64,
    },
    /// A list falls.
    #[error("{list} fall from {before} to {after} (number {position})")]
    Falling {
        /// `shares` or `tokens`.
        list: &'static str,
        /// The larger one.
        before: f64,
        /// The smaller one behind it.
        after: f64,
        /// Where the smaller one stands, from 1.
        position: usize,
    },
    /// A number that no length can be.
    #[error("found a length of {found} tokens")]
    NotALength {
        /// What was found.
        found: f64,
    },
    /// Half of the lengths are 0, so that no median scales them.
    #[error("half of the lengths are 0")]
    NoMedian,
    /// A tail beyond what is computed with.
    #[error("the longest is {longest} tokens, {:.0} times the median", longest / median)]
    TooWide {
        /// Longest length.
        longest: f64,
        /// Median length.
        median: f64,
    },
}

impl QuantilesError {
    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Uneven { .. } => "write one number of tokens for each share".to_owned(),
            Self::Knots { .. } => format!("write 2 to {KNOTS_MAX} knots"),
            Self::Ends { .. } => {
                "begin with a share of 0 (the shortest) and end with 1 (the longest)".to_owned()
            }
            Self::Falling { .. } => "write both lists in rising order".to_owned(),
            Self::NotALength { .. } => format!("write numbers from 0 to {TOKENS_MAX:e}"),
            Self::NoMedian => "leave out the requests without tokens".to_owned(),
            Self::TooWide { .. } => format!("leave out what is longer than {RATIO_MAX:e} medians"),
        }
    }
}

impl Quantiles {
    /// A table; whether it can be used says [`Quantiles::fault`].
    #[must_use]
    pub fn new(shares: Vec<f64>, tokens: Vec<f64>) -> Self {
        let mut table =
            Self { fault: find_fault(&shares, &tokens), shares, tokens, above: Vec::new(), median: 0.0 };
        if table.fault.is_some() {
            return table;
        }
        table.above = vec![0.0; table.shares.len()];
        for knot in (1..table.shares.len()).rev() {
            let width = table.shares[knot] - table.shares[knot - 1];
            table.above[knot - 1] =
                table.above[knot] + width * f64::midpoint(table.tokens[knot - 1], table.tokens[knot]);
        }
        table.median = table.quantile(0.5);
        let (longest, median) = (table.longest(), table.median);
        if median <= 0.0 {
            table.fault = Some(QuantilesError::NoMedian);
        } else if longest > RATIO_MAX * median {
            table.fault = Some(QuantilesError::TooWide { longest, median });
        }
        if table.fault.is_some() {
            (table.above, table.median) = (Vec::new(), 0.0);
        }
        table
    }

    /// The table of whole numbers of tokens, with at most [`KNOTS_MADE`] knots: a count of 91 stands for 90.5 to
    /// 91.5. `None` of an empty sample.
    ///
    /// - `sorted`: ascending, finite, above 0.
    ///
    /// Starts from the two ends and adds, one after the other, the observed value that lies farthest from the line
    /// in the stretch that is farthest off, either in probability or in the area between the two curves (tokens over
    /// the mean): the first keeps percentiles, the second the mean.
    #[must_use]
    pub fn of_tokens(sorted: &[f64]) -> Option<Self> {
        let outline = Outline::of(sorted)?;
        let knots = outline.simplified(KNOTS_MADE);
        let share = |at: &usize| (outline.points[*at].share * SHARE_DECIMALS).round() / SHARE_DECIMALS;
        Some(Self::new(
            knots.iter().map(share).collect(),
            knots.iter().map(|at| outline.points[*at].tokens).collect(),
        ))
    }

    /// What makes the table unusable, if anything.
    #[must_use]
    pub const fn fault(&self) -> Option<&QuantilesError> {
        self.fault.as_ref()
    }

    /// Number of knots.
    #[must_use]
    pub fn knots(&self) -> usize {
        self.shares.len()
    }

    /// Median, in tokens; 0 for an unusable table, like everything else that follows.
    #[must_use]
    pub const fn median(&self) -> f64 {
        self.median
    }

    /// Mean, in tokens.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.above.first().copied().unwrap_or_default()
    }

    /// Longest length, in tokens.
    #[must_use]
    pub fn longest(&self) -> f64 {
        if self.above.is_empty() { 0.0 } else { self.tokens.last().copied().unwrap_or_default() }
    }

    /// `P(X > x)` and the mean excess over it, `E[max(X - x, 0)]`; `x` in tokens.
    #[must_use]
    pub fn tail(&self, x: f64) -> (f64, f64) {
        let next = self.tokens.partition_point(|tokens| *tokens <= x);
        if self.above.is_empty() || next == self.tokens.len() {
            return (0.0, 0.0);
        }
        if next == 0 {
            return (1.0, self.mean() - x);
        }
        let (low, high) = (self.tokens[next - 1], self.tokens[next]);
        let share =
            self.shares[next] - (self.shares[next] - self.shares[next - 1]) * (high - x) / (high - low);
        let survival = (1.0 - share).max(0.0);
        // What lies in the stretch of x itself, and what lies in the ones above, each less x.
        let here = (self.shares[next] - share) * f64::midpoint(x, high);
        (survival, (self.above[next] + here - x * survival).max(0.0))
    }

    /// The length that a share `p` of the lengths does not exceed; `p` in 0..=1.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        let next = self.shares.partition_point(|share| *share < p).min(self.shares.len().saturating_sub(1));
        if self.above.is_empty() || next == 0 {
            return if self.above.is_empty() { 0.0 } else { self.tokens[0] };
        }
        let (from, to) = (self.shares[next - 1], self.shares[next]);
        let along = if to > from { ((p - from) / (to - from)).clamp(0.0, 1.0) } else { 1.0 };
        self.tokens[next - 1] + along * (self.tokens[next] - self.tokens[next - 1])
    }
}

fn find_fault(shares: &[f64], tokens: &[f64]) -> Option<QuantilesError> {
    if shares.len() != tokens.len() {
        return Some(QuantilesError::Uneven { shares: shares.len(), tokens: tokens.len() });
    }
    if !(2..=KNOTS_MAX).contains(&shares.len()) {
        return Some(QuantilesError::Knots { found: shares.len() });
    }
    let (first, last) = (shares[0], shares[shares.len() - 1]);
    if first != 0.0 || last != 1.0 {
        return Some(QuantilesError::Ends { first, last });
    }
    if let Some(found) = tokens.iter().copied().find(|tokens| !(0.0..=TOKENS_MAX).contains(tokens)) {
        return Some(QuantilesError::NotALength { found });
    }
    [("shares", shares), ("tokens", tokens)].into_iter().find_map(|(list, values)| {
        // Not-a-number is neither above nor below: it counts as falling.
        let at = values.windows(2).position(|pair| !matches!(pair, [a, b] if a <= b))?;
        Some(QuantilesError::Falling { list, before: values[at], after: values[at + 1], position: at + 2 })
    })
}

/// The cumulative distribution of a sample as a line through points, each count half a token wide to both sides.
struct Outline {
    points: Vec<Point>,
    mean: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    share: f64,
    tokens: f64,
}

/// How far a stretch of the outline is from a straight line.
struct Stretch {
    from: usize,
    to: usize,
    /// The point of the outline that is farthest from the line in probability.
    farthest: usize,
    /// The larger of the two distances.
    distance: f64,
}

impl Outline {
    fn of(sorted: &[f64]) -> Option<Self> {
        let n = sorted.len() as f64;
        let mut points: Vec<Point> = Vec::new();
        let mut below = 0;
        for ties in sorted.chunk_by(|a, b| a == b) {
            let tokens = *ties.first()?;
            let start = Point { share: below as f64 / n, tokens: (tokens - HALF_TOKEN).max(0.0) };
            // Neighbouring counts meet.
            if points.last() != Some(&start) {
                points.push(start);
            }
            below += ties.len();
            points.push(Point { share: below as f64 / n, tokens: tokens + HALF_TOKEN });
        }
        let mean = sorted.iter().sum::<f64>() / n;
        (!points.is_empty()).then_some(Self { points, mean })
    }

    /// Positions of at most so many points, ascending, the ends among them.
    fn simplified(&self, most: usize) -> Vec<usize> {
        let mut stretches = vec![self.stretch(0, self.points.len() - 1)];
        while stretches.len() + 1 < most {
            let worst = (0..stretches.len())
                .max_by(|a, b| stretches[*a].distance.total_cmp(&stretches[*b].distance))
                .filter(|worst| stretches[*worst].distance > 0.0);
            let Some(worst) = worst else { break };
            let Stretch { from, to, farthest, .. } = stretches[worst];
            stretches[worst] = self.stretch(from, farthest);
            stretches.insert(worst + 1, self.stretch(farthest, to));
        }
        let mut kept: Vec<usize> = stretches.iter().map(|stretch| stretch.from).collect();
        kept.push(self.points.len() - 1);
        kept
    }

    fn stretch(&self, from: usize, to: usize) -> Stretch {
        let (start, end) = (self.points[from], self.points[to]);
        let width = end.tokens - start.tokens;
        let slope = if width > 0.0 { (end.share - start.share) / width } else { 0.0 };
        let (mut farthest, mut distance, mut area) = (from, 0.0, 0.0);
        let (mut before, mut off_before) = (start, 0.0_f64);
        for at in from + 1..=to {
            let point = self.points[at];
            let off =
                if at < to { point.share - start.share - slope * (point.tokens - start.tokens) } else { 0.0 };
            if off.abs() > distance {
                (farthest, distance) = (at, off.abs());
            }
            area += f64::midpoint(off_before, off) * (point.tokens - before.tokens);
            (before, off_before) = (point, off);
        }
        // Without a point off the line there is no area either.
        Stretch { from, to, farthest, distance: distance.max(MEAN_WEIGHT * area.abs() / self.mean) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            "found {found}, expected {expected}"
        );
    }

    /// A gap from 20 to 50, and a tenth of all requests with exactly 80 tokens.
    fn gap_and_atom() -> Quantiles {
        Quantiles::new(vec![0.0, 0.3, 0.3, 0.6, 0.7, 1.0], vec![10.0, 20.0, 50.0, 80.0, 80.0, 380.0])
    }

    #[test]
    fn moments_are_those_of_the_pieces_added_up() {
        // Uniform pieces and an atom: 0.3 x 15 + 0.3 x 65 + 0.1 x 80 + 0.3 x 230, by hand.
        let table = gap_and_atom();
        assert_eq!(table.fault(), None);
        check(table.mean(), 4.5 + 19.5 + 8.0 + 69.0);
        check(table.median(), 70.0);
        // Above 230: half of the last piece, 0.15, with a mean excess of 75.
        check(table.tail(230.0).0, 0.15);
        check(table.tail(230.0).1, 0.15 * 75.0);
        // In the gap nothing changes but the excess; at the atom the probability falls by its share.
        check(table.tail(20.0).0, 0.7);
        check(table.tail(49.0).0, 0.7);
        check(table.tail(79.999_999_999).0, 0.4);
        check(table.tail(80.0).0, 0.3);
        check(table.tail(0.0).1, table.mean());
        assert_eq!(table.tail(380.0), (0.0, 0.0));
    }

    #[test]
    fn the_excess_is_the_area_under_the_tail() {
        let table = gap_and_atom();
        for x in [0.0, 5.0, 15.0, 30.0, 60.0, 80.0, 100.0, 379.0] {
            let steps = 400_000;
            let width = (380.0 - x) / f64::from(steps);
            let area: f64 = (0..steps).map(|i| table.tail(x + (f64::from(i) + 0.5) * width).0 * width).sum();
            assert!((table.tail(x).1 - area).abs() < 1e-3, "{x}: {} {area}", table.tail(x).1);
        }
    }

    #[test]
    fn quantile_and_tail_are_inverses_outside_gaps_and_atoms() {
        let table = gap_and_atom();
        for p in [0.01, 0.15, 0.4, 0.59, 0.71, 0.9, 0.999] {
            check(1.0 - table.tail(table.quantile(p)).0, p);
        }
        assert_eq!((table.quantile(0.65), table.quantile(0.0), table.quantile(1.0)), (80.0, 10.0, 380.0));
    }

    #[test]
    fn a_small_sample_is_kept_as_it_is() {
        let sample = [3.0, 3.0, 4.0, 10.0, 10.0, 10.0, 200.0];
        let table = Quantiles::of_tokens(&sample).expect("a table");
        assert_eq!(table.fault(), None);
        assert!((table.mean() - 240.0 / 7.0).abs() < 1e-4, "{}", table.mean());
        for (x, above) in
            [(2.0, 7.0), (3.0, 6.0), (3.5, 5.0), (4.5, 4.0), (7.0, 4.0), (10.5, 1.0), (201.0, 0.0)]
        {
            assert!((table.tail(x).0 - above / 7.0).abs() < 1e-6, "{x}: {:?}", table.tail(x));
        }
    }

    #[test]
    fn a_large_sample_is_summarised_to_less_than_its_rounding() {
        // Two humps, a spike and a long tail, as chat traces have them.
        let mut sample: Vec<f64> = (0..20_000_u32)
            .map(|i| {
                let u = (f64::from(i) + 0.5) / 20_000.0;
                match i % 10 {
                    0..4 => 90.0 + 40.0 * u,
                    4..6 => 1_000.0,
                    _ => 400.0 / (1.0 - u).powf(0.3),
                }
                .round()
            })
            .collect();
        sample.sort_by(f64::total_cmp);
        let table = Quantiles::of_tokens(&sample).expect("a table");
        assert!(table.fault().is_none() && table.knots() <= KNOTS_MADE);
        let mean = sample.iter().sum::<f64>() / sample.len() as f64;
        assert!((table.mean() / mean - 1.0).abs() < 1e-3, "{} {mean}", table.mean());
        for (position, value) in sample.iter().enumerate().step_by(37) {
            let above = sample.partition_point(|other| other <= value) as f64 / sample.len() as f64;
            let off = (1.0 - table.tail(value + 0.5).0 - above).abs();
            assert!(off < 0.005, "at {value} ({position}): off by {off}");
        }
    }

    #[test]
    fn an_unusable_table_says_why() {
        let fault = |shares: &[f64], tokens: &[f64]| {
            let table = Quantiles::new(shares.to_vec(), tokens.to_vec());
            assert_eq!(
                (table.mean(), table.tail(1.0), table.quantile(0.5)),
                (0.0, (0.0, 0.0), 0.0),
                "unused"
            );
            table.fault().cloned().expect("a fault")
        };
        assert_eq!(fault(&[0.0, 1.0], &[1.0]), QuantilesError::Uneven { shares: 2, tokens: 1 });
        assert_eq!(fault(&[], &[]), QuantilesError::Knots { found: 0 });
        assert_eq!(fault(&[0.1, 1.0], &[1.0, 2.0]), QuantilesError::Ends { first: 0.1, last: 1.0 });
        let falling =
            |list, before, after, position| QuantilesError::Falling { list, before, after, position };
        assert_eq!(fault(&[0.0, 0.6, 0.5, 1.0], &[1.0; 4]), falling("shares", 0.6, 0.5, 3));
        assert_eq!(fault(&[0.0, 0.5, 1.0], &[1.0, 3.0, 2.0]), falling("tokens", 3.0, 2.0, 3));
        assert_eq!(fault(&[0.0, 1.0], &[-1.0, 2.0]), QuantilesError::NotALength { found: -1.0 });
        assert!(matches!(fault(&[0.0, 1.0], &[0.0, f64::NAN]), QuantilesError::NotALength { .. }));
        assert!(matches!(fault(&[0.0, f64::NAN, 1.0], &[0.0, 1.0, 2.0]), QuantilesError::Falling { .. }));
    }

    #[test]
    fn a_median_of_nothing_and_an_endless_tail_are_faults() {
        let fault = |shares: &[f64], tokens: &[f64]| {
            Quantiles::new(shares.to_vec(), tokens.to_vec()).fault().cloned()
        };
        assert_eq!(fault(&[0.0, 0.6, 1.0], &[0.0, 0.0, 5.0]), Some(QuantilesError::NoMedian));
        assert!(matches!(fault(&[0.0, 0.9, 1.0], &[1.0, 1.0, 1e8]), Some(QuantilesError::TooWide { .. })));
    }
}
