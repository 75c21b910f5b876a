//! Lengths of many texts.

use serde::Serialize;

/// How a pasted or dropped text becomes several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Split {
    /// One text.
    #[default]
    Whole,
    /// A text per line; empty lines are none.
    Lines,
    /// A text per block of lines, parted by empty lines.
    Paragraphs,
}

impl Split {
    /// The parts of `text` that hold more than white space, in order.
    #[must_use]
    pub fn parts(self, text: &str) -> Vec<&str> {
        match self {
            Self::Whole => Some(text).filter(|text| !text.trim().is_empty()).into_iter().collect(),
            Self::Lines => text.lines().filter(|line| !line.trim().is_empty()).collect(),
            Self::Paragraphs => paragraphs(text),
        }
    }
}

fn paragraphs(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            parts.extend(start.take().and_then(|from| text.get(from..at)));
        } else if start.is_none() {
            start = Some(at);
        }
        at += line.len();
    }
    parts.extend(start.and_then(|from| text.get(from..)));
    parts.into_iter().map(str::trim_end).collect()
}

/// The lengths of at least one text, in tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LengthSummary {
    /// Number of texts, at least 1.
    pub texts: usize,
    /// Tokens of all of them.
    pub total: usize,
    /// Shortest.
    pub min: usize,
    /// Longest.
    pub max: usize,
    /// Mean tokens per text.
    pub mean: f64,
    /// Median, interpolated between the two middle ones.
    pub median: f64,
    /// 95th percentile, interpolated linearly between order statistics.
    pub p95: f64,
    /// Each length, ascending.
    pub sorted: Vec<usize>,
}

impl LengthSummary {
    /// The summary of `counts`; `None` when empty.
    ///
    /// ```
    /// use breakeven::tokenizer::LengthSummary;
    /// let summary = LengthSummary::of(vec![30, 10, 20]).expect("three texts");
    /// assert_eq!((summary.mean, summary.median, summary.p95), (20.0, 20.0, 29.0));
    /// ```
    #[must_use]
    pub fn of(mut counts: Vec<usize>) -> Option<Self> {
        counts.sort_unstable();
        let (&min, &max) = (counts.first()?, counts.last()?);
        let total: usize = counts.iter().sum();
        let (mean, median, p95) =
            (total as f64 / counts.len() as f64, quantile(&counts, 0.5), quantile(&counts, 0.95));
        Some(Self { texts: counts.len(), total, min, max, mean, median, p95, sorted: counts })
    }
}

/// Hyndman and Fan's type 7: linear between order statistics, the default of R and NumPy.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position within the slice")]
fn quantile(sorted: &[usize], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let at = |i: usize| sorted.get(i.min(sorted.len() - 1)).map_or(0.0, |&v| v as f64);
    at(below) + (at(below + 1) - at(below)) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_splits_into_lines_and_blocks_without_empty_ones() {
        let text = "\na\nb\n\n \nc\r\n\r\nd";
        assert_eq!(Split::Lines.parts(text), ["a", "b", "c", "d"]);
        assert_eq!(Split::Paragraphs.parts(text), ["a\nb", "c", "d"]);
        assert_eq!(Split::Whole.parts(text), [text]);
        for split in [Split::Whole, Split::Lines, Split::Paragraphs] {
            assert!(split.parts(" \n\t\n").is_empty());
        }
    }

    #[test]
    fn the_percentiles_of_one_to_a_hundred_are_known() {
        let summary = LengthSummary::of((0..=100).collect()).expect("some");
        assert_eq!((summary.texts, summary.min, summary.max), (101, 0, 100));
        assert_eq!((summary.mean, summary.median, summary.p95), (50.0, 50.0, 95.0));
        assert_eq!(LengthSummary::of(Vec::new()), None);
    }
}
