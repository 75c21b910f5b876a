//! Finding rows by what a person types.

use crate::unit::spelling::edits;

use super::{Catalog, CloudRate, GpuSpec, ModelSpec, PriceSheet, RowKind, UnknownId};

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hit<'a> {
    /// An accelerator.
    Gpu(&'a GpuSpec),
    /// An open model.
    Model(&'a ModelSpec),
    /// A price sheet.
    Price(&'a PriceSheet),
    /// A cloud rate.
    Rate(&'a CloudRate),
}

impl Hit<'_> {
    /// Id of the row.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Gpu(row) => &row.id,
            Self::Model(row) => &row.id,
            Self::Price(row) => &row.id,
            Self::Rate(row) => &row.id,
        }
    }

    /// Name of the row for people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Gpu(row) => &row.name,
            Self::Model(row) => &row.name,
            Self::Price(row) => &row.name,
            Self::Rate(row) => &row.id,
        }
    }

    /// Kind of the row.
    #[must_use]
    pub const fn kind(&self) -> RowKind {
        match self {
            Self::Gpu(_) => RowKind::Gpu,
            Self::Model(_) => RowKind::Model,
            Self::Price(_) => RowKind::Price,
            Self::Rate(_) => RowKind::Rate,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Gpu(row) => format!("{} {} {} {}", row.id, row.name, row.vendor, row.class.label()),
            Self::Model(row) => format!("{} {} {} {}", row.id, row.name, row.hf_id, row.family),
            Self::Price(row) => format!("{} {} {} {}", row.id, row.name, row.provider, row.api_name),
            Self::Rate(row) => format!("{} {} {}", row.id, row.gpu, row.provider),
        }
        .to_lowercase()
    }
}

impl Catalog {
    /// Rows that contain every word of `text`, in the order of the catalogue: GPUs, models, prices, rates.
    ///
    /// Case does not matter; empty text finds everything.
    #[must_use]
    pub fn search(&self, text: &str) -> Vec<Hit<'_>> {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let rows = self.gpus.iter().map(Hit::Gpu);
        let rows = rows.chain(self.models.iter().map(Hit::Model));
        let rows = rows.chain(self.prices.iter().map(Hit::Price));
        let rows = rows.chain(self.rates.iter().map(Hit::Rate));
        rows.filter(|row| {
            let haystack = row.text();
            words.iter().all(|word| haystack.contains(word.as_str()))
        })
        .collect()
    }
}

/// The error for an id that is not among `known`, with the nearest of them.
pub(super) fn unknown<'a>(kind: RowKind, id: &str, known: impl Iterator<Item = &'a str>) -> UnknownId {
    /// How many suggestions to make.
    const SUGGESTIONS: usize = 3;
    /// Longer input is no misspelt id; it also bounds the work.
    const LONGEST: usize = 80;

    let wanted: String = id.trim().to_lowercase().chars().take(LONGEST).collect();
    let length = wanted.chars().count();
    let mut near: Vec<(usize, &str)> = known
        .filter_map(|candidate| {
            let contains = !wanted.is_empty() && candidate.contains(&wanted);
            let distance = edits(&wanted, candidate);
            // Half of the letters wrong is no longer a misspelling.
            let plausible = distance * 2 <= length.max(candidate.len());
            (contains || plausible).then_some((if contains { 0 } else { distance }, candidate))
        })
        .collect();
    near.sort_unstable();
    near.truncate(SUGGESTIONS);
    UnknownId { kind, id: id.to_owned(), nearest: near.into_iter().map(|(_, id)| id.to_owned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_ignores_case_and_needs_every_word() {
        let catalog = Catalog::shipped();
        assert!(catalog.search("H100 SXM").iter().any(|hit| hit.id() == "h100-sxm-80gb"));
        assert!(catalog.search("h100 gemini").is_empty());
        let all = catalog.gpus.len() + catalog.models.len() + catalog.prices.len() + catalog.rates.len();
        assert_eq!(catalog.search(" ").len(), all);
    }

    #[test]
    fn an_unknown_id_names_the_nearest_known_ones() {
        let error = Catalog::shipped().gpu("h100-sxm-80g").unwrap_err();
        assert_eq!(error.nearest.first().map(String::as_str), Some("h100-sxm-80gb"));
        let error = Catalog::shipped().price("gpt-5.6-lunna").unwrap_err();
        assert_eq!(error.nearest.first().map(String::as_str), Some("gpt-5.6-luna"));
        assert!(error.to_string().contains("did you mean gpt-5.6-luna"));
        assert!(
            Catalog::shipped().model("\u{1F600}".repeat(10_000).as_str()).unwrap_err().nearest.is_empty()
        );
    }
}
