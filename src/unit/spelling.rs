//! Which of the known names was meant by a misspelt one.

/// Letters to insert, remove or replace to make one word of the other (Levenshtein distance); case does not count.
///
/// ```
/// use breakeven::unit::spelling::edits;
/// assert_eq!(edits("request_per_day", "requests_per_day"), 1);
/// ```
#[must_use]
pub fn edits(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().collect();
    let mut previous: Vec<usize> = (0..=from.len()).collect();
    for (row, letter) in to.to_lowercase().chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in from.iter().enumerate() {
            let replaced = previous[column] + usize::from(*other != letter);
            current.push(replaced.min(previous[column + 1] + 1).min(current[column] + 1));
        }
        previous = current;
    }
    previous[from.len()]
}

/// The known name with the fewest edits, the first by the alphabet among equals; none if more than a third of the
/// letters (and more than two) would change.
#[must_use]
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (found.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| (edits(found, name), name))
        .filter(|(edits, _)| *edits <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_both_ways_and_whatever_the_case() {
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("EUR", "eur", 0), ("ä", "a", 1)]
        {
            assert_eq!((edits(a, b), edits(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_name_is_near_enough_to_be_meant() {
        let known = ["estimate", "forecast", "fit"];
        assert_eq!(nearest("estmate", known), Some("estimate"));
        assert_eq!(nearest("Forcast", known), Some("forecast"));
        assert_eq!(nearest("weather", known), None);
        assert_eq!(nearest("", []), None);
    }
}
