//! Results as JSON: full precision, stable field names, one document per question.
//!
//! Every document begins with `document` (what it is) and `format` (the version of the field names: it grows when
//! one of them changes its meaning or goes away; new fields do not count). Money is US dollars (a header says so in
//! `money`; `shown_in` is the currency of the verdict's words, if it is another one), time seconds, shares 0..=1. A number that does not exist is `null`.

use serde::Serialize;

/// Version of the field names.
pub const FORMAT: u32 = 1;

/// A document: its kind and version, then the fields of `body`.
#[derive(Debug, Clone, Serialize)]
pub struct Document<T> {
    /// What it is: `estimate`, `forecast`, `check`, ...
    pub document: &'static str,
    /// [`FORMAT`].
    pub format: u32,
    /// The fields.
    #[serde(flatten)]
    pub body: T,
}

/// A result and what a reader needs with it.
#[derive(Debug, Clone, Serialize)]
pub struct Answer<'a, T> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// Whether the work was stopped before its end; the header's `draws` says how far it came.
    pub partial: bool,
    /// Warnings of the check.
    pub warnings: &'a [crate::scenario::Problem],
    /// The answer in words.
    pub verdict: Option<&'a crate::report::Verdict>,
    /// The result.
    pub result: &'a T,
}

/// The text of a document, indented by two, with a line end.
///
/// # Errors
/// If a map has keys that are no text, which no result of this program has.
pub fn to_text<T: Serialize>(document: &'static str, body: T) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&Document { document, format: FORMAT, body })?;
    text.push('\n');
    Ok(text)
}
