//! The catalogue: accelerators, open models, API prices and cloud rates, each with its source and date.
//!
//! Facts only: nothing here knows a workload or a plan. What ships is embedded from `presets/`; a user's own file of
//! the same form adds rows or replaces them by id. Start with [`Catalog::shipped`].
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use breakeven::catalog::{Catalog, ServiceTier};
//!
//! let catalog = Catalog::shipped();
//! // 2 (key, value) * 32 layers * 8 heads * 128 wide * 2 bytes
//! assert_eq!(catalog.model("llama-3-8b")?.kv_bytes_per_token(2.0), 131_072.0);
//!
//! let sheet = catalog.price("gpt-4o-mini")?;
//! let row = sheet.row_on(jiff::civil::date(2026, 11, 23)).ok_or("not priced on that day")?;
//! assert_eq!(row.rates(ServiceTier::Standard, false).input.map(|rate| rate.get()), Some(0.15));
//! # Ok(())
//! # }
//! ```

use std::sync::OnceLock;

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

mod alias;
mod check;
mod error;
mod file;
mod gpu;
#[cfg(test)]
mod laws;
mod model;
mod price;
mod rate;
mod search;
mod source;

pub use error::{CatalogError, Fault, RowKind, UnknownId};
pub use file::{CatalogFile, SCHEMA};
pub use gpu::{GpuClass, GpuSpec};
pub use model::{Mla, ModelSpec, Moe, NativeDtype, SlidingWindow};
pub use price::{
    LongContext, OffPeak, OffPeakWindow, PriceMode, PriceRow, PriceSheet, Rates, RowFit, ServiceTier,
    TokenCounting, TokenRates,
};
pub use rate::CloudRate;
pub use search::Hit;
pub use source::Source;

/// All rows, each list in the order in which it is shown, ids unique within a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// Accelerators.
    pub gpus: Vec<GpuSpec>,
    /// Open models.
    pub models: Vec<ModelSpec>,
    /// API price sheets.
    pub prices: Vec<PriceSheet>,
    /// Cloud rates.
    pub rates: Vec<CloudRate>,
    /// The content hash, computed on first use; rows are not changed after that.
    hash: OnceLock<String>,
}

impl Catalog {
    /// What ships with the program, parsed on first use.
    ///
    /// # Panics
    /// If the embedded files are broken: our own bug, which a test shows before anything ships.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static SHIPPED: OnceLock<Catalog> = OnceLock::new();
        SHIPPED.get_or_init(|| match file::shipped() {
            Ok(catalog) => catalog,
            Err(error) => unreachable!("the embedded presets are broken: {error}"),
        })
    }

    /// A copy with the rows of a user's file added; a row with a known id replaces the whole row.
    ///
    /// - `text`: the file, in the form of [`CatalogFile`]; empty text changes nothing.
    /// - `path`: how to name the file in messages.
    ///
    /// # Errors
    /// [`CatalogError`] with line, field and remedy of everything that is wrong; the catalogue itself is unchanged.
    pub fn with_overlay(&self, text: &str, path: &str) -> Result<Self, CatalogError> {
        file::overlay(self, text, path)
    }

    /// The accelerator with this id.
    ///
    /// # Errors
    /// [`UnknownId`] with the nearest known ids.
    pub fn gpu(&self, id: &str) -> Result<&GpuSpec, UnknownId> {
        let found = self.gpus.iter().find(|row| row.id == id);
        found.ok_or_else(|| search::unknown(RowKind::Gpu, id, self.gpus.iter().map(|row| row.id.as_str())))
    }

    /// The open model with this id.
    ///
    /// # Errors
    /// [`UnknownId`] with the nearest known ids.
    pub fn model(&self, id: &str) -> Result<&ModelSpec, UnknownId> {
        let found = self.models.iter().find(|row| row.id == id);
        found
            .ok_or_else(|| search::unknown(RowKind::Model, id, self.models.iter().map(|row| row.id.as_str())))
    }

    /// The price sheet with this id.
    ///
    /// # Errors
    /// [`UnknownId`] with the nearest known ids.
    pub fn price(&self, id: &str) -> Result<&PriceSheet, UnknownId> {
        let found = self.prices.iter().find(|row| row.id == id);
        found
            .ok_or_else(|| search::unknown(RowKind::Price, id, self.prices.iter().map(|row| row.id.as_str())))
    }

    /// The cloud rate with this id (`provider/instance/region`).
    ///
    /// # Errors
    /// [`UnknownId`] with the nearest known ids.
    pub fn rate(&self, id: &str) -> Result<&CloudRate, UnknownId> {
        let found = self.rates.iter().find(|row| row.id == id);
        found.ok_or_else(|| search::unknown(RowKind::Rate, id, self.rates.iter().map(|row| row.id.as_str())))
    }

    /// Cloud rates of one accelerator, in the order of the catalogue.
    pub fn rates_of<'a>(&'a self, gpu: &'a str) -> impl Iterator<Item = &'a CloudRate> {
        self.rates.iter().filter(move |row| row.gpu == gpu)
    }

    /// The latest day on which an API price was read; `None` without prices.
    #[must_use]
    pub fn prices_as_of(&self) -> Option<Date> {
        self.prices.iter().map(|sheet| sheet.source.read).max()
    }

    /// SHA-256 of all rows, in hexadecimal: equal rows in equal order give equal hashes on every machine.
    ///
    /// Costs a few milliseconds the first time and nothing after that.
    #[must_use]
    pub fn content_hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let text = CatalogFile::from(self).to_json();
            Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
        })
    }
}
