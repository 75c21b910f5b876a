//! The catalogue's files: what ships, and the user's overlay of the same form.

use ron::Options;
use ron::error::{Error as RonError, SpannedError};
use ron::extensions::Extensions;
use serde::{Deserialize, Serialize};

use super::{Catalog, CatalogError, CloudRate, Fault, GpuSpec, ModelSpec, PriceSheet, check};

/// Version of the form of the files.
pub const SCHEMA: u32 = 1;

/// Longest overlay that is read, in bytes. The shipped files together are a tenth of it.
const OVERLAY_BYTES_MAX: usize = 8_000_000;

/// A catalogue file: any of the four lists. Options are written without `Some`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogFile {
    /// Version of the form; [`SCHEMA`].
    pub schema: u32,
    /// Accelerators.
    #[serde(default)]
    pub gpus: Vec<GpuSpec>,
    /// Open models.
    #[serde(default)]
    pub models: Vec<ModelSpec>,
    /// API price sheets.
    #[serde(default)]
    pub prices: Vec<PriceSheet>,
    /// Cloud rates.
    #[serde(default)]
    pub rates: Vec<CloudRate>,
}

impl From<&Catalog> for CatalogFile {
    fn from(catalog: &Catalog) -> Self {
        let Catalog { gpus, models, prices, rates, hash: _ } = catalog.clone();
        Self { schema: SCHEMA, gpus, models, prices, rates }
    }
}

impl CatalogFile {
    /// Reads a file.
    ///
    /// - `path`: how to name the file in messages.
    ///
    /// # Errors
    /// [`CatalogError`] with the line and the remedy when the text is not of this form or of another schema.
    pub fn from_ron(text: &str, path: &str) -> Result<Self, CatalogError> {
        let refuse = |fault| CatalogError { path: path.to_owned(), faults: vec![fault] };
        if text.len() > OVERLAY_BYTES_MAX {
            return Err(refuse(Fault {
                line: None,
                row: String::new(),
                field: String::new(),
                found: format!("the file has {} bytes", text.len()),
                remedy: format!("write at most {OVERLAY_BYTES_MAX}"),
            }));
        }
        let file: Self = options().from_str(text).map_err(|error| refuse(fault_of(&error, text)))?;
        if file.schema != SCHEMA {
            return Err(refuse(Fault {
                line: line_of(text, 1, "schema"),
                row: String::new(),
                field: "schema".to_owned(),
                found: format!("{} is unknown", file.schema),
                remedy: format!("write schema: {SCHEMA}"),
            }));
        }
        Ok(file)
    }

    /// The file as compact JSON, fields in order of declaration.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn options() -> Options {
    Options::default().with_default_extension(Extensions::IMPLICIT_SOME)
}

/// Reads what is embedded.
pub(super) fn shipped() -> Result<Catalog, CatalogError> {
    const FILES: [(&str, &str); 4] = [
        ("presets/gpus.ron", include_str!("../../presets/gpus.ron")),
        ("presets/models.ron", include_str!("../../presets/models.ron")),
        ("presets/prices.ron", include_str!("../../presets/prices.ron")),
        ("presets/rates.ron", include_str!("../../presets/rates.ron")),
    ];
    FILES.iter().try_fold(Catalog::default(), |catalog, (path, text)| overlay(&catalog, text, path))
}

/// `base` with the rows of a file.
pub(super) fn overlay(base: &Catalog, text: &str, path: &str) -> Result<Catalog, CatalogError> {
    if text.trim().is_empty() {
        return Ok(base.clone());
    }
    let file = CatalogFile::from_ron(text, path)?;
    let mut faults = check::faults(&file, base);
    if !faults.is_empty() {
        for fault in &mut faults {
            fault.line = line_of_fault(text, fault);
        }
        faults.sort_by_key(|fault| fault.line);
        return Err(CatalogError { path: path.to_owned(), faults });
    }
    // Made anew, so that the hash is too.
    let mut merged = Catalog {
        gpus: base.gpus.clone(),
        models: base.models.clone(),
        prices: base.prices.clone(),
        rates: base.rates.clone(),
        ..Catalog::default()
    };
    merge(&mut merged.gpus, file.gpus, |row| &row.id);
    merge(&mut merged.models, file.models, |row| &row.id);
    merge(&mut merged.prices, file.prices, |row| &row.id);
    merge(&mut merged.rates, file.rates, |row| &row.id);
    Ok(merged)
}

fn merge<T>(rows: &mut Vec<T>, news: Vec<T>, id: impl Fn(&T) -> &String) {
    let mut places: std::collections::HashMap<String, usize> =
        rows.iter().enumerate().map(|(place, row)| (id(row).clone(), place)).collect();
    for new in news {
        match places.get(id(&new)) {
            Some(&place) => rows[place] = new,
            None => {
                places.insert(id(&new).clone(), rows.len());
                rows.push(new);
            }
        }
    }
}

/// Line, from 1, of the first occurrence of `what` at or after line `from`.
fn line_of(text: &str, from: usize, what: &str) -> Option<usize> {
    text.lines().enumerate().skip(from - 1).find(|(_, line)| line.contains(what)).map(|(index, _)| index + 1)
}

/// Line of the field that a fault names, else of its row.
fn line_of_fault(text: &str, fault: &Fault) -> Option<usize> {
    let quoted = format!("\"{}\"", fault.row);
    if fault.field == "id" {
        // Of a row that is there twice, the later one is the surprise.
        return text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains(&quoted))
            .map(|(index, _)| index + 1)
            .last();
    }
    let row = line_of(text, 1, &quoted)?;
    line_of(text, row, &format!("{}:", fault.field)).or(Some(row))
}

/// A parser's error in our words.
fn fault_of(error: &SpannedError, text: &str) -> Fault {
    let line = error.span.start.line.max(1);
    let on_line = || key_on_line(text, line);
    let (field, remedy) = match &error.code {
        RonError::NoSuchStructField { found, expected, .. } => {
            (found.clone(), format!("write one of {}", expected.join(", ")))
        }
        RonError::NoSuchEnumVariant { expected, .. } => {
            (on_line(), format!("write one of {}", expected.join(", ")))
        }
        RonError::MissingStructField { field, .. } => {
            ((*field).to_owned(), format!("add {field}: to the row that ends here"))
        }
        RonError::DuplicateStructField { field, .. } => ((*field).to_owned(), "write it once".to_owned()),
        RonError::Eof => (String::new(), "close every bracket; the file looks cut off".to_owned()),
        RonError::ExceededRecursionLimit => (String::new(), "nest less deeply".to_owned()),
        RonError::ExpectedComma => (on_line(), "separate fields and rows with commas".to_owned()),
        _ => (on_line(), "write a value of the kind that the shipped rows have there".to_owned()),
    };
    let found = error.code.to_string();
    Fault { line: Some(line), row: row_before(text, line), field, found, remedy }
}

/// The key of `key: value` on a line, empty where there is none.
fn key_on_line(text: &str, line: usize) -> String {
    let Some(line) = text.lines().nth(line - 1) else { return String::new() };
    let key: String =
        line.trim_start_matches([' ', '\t', '(']).split(':').next().unwrap_or_default().to_owned();
    let plain = !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if plain { key } else { String::new() }
}

/// The id that was last given at or before a line, empty where there is none.
fn row_before(text: &str, line: usize) -> String {
    let ids = text.lines().take(line).filter_map(|line| {
        let (before, rest) = line.split_once("id:")?;
        let own_word =
            before.chars().next_back().is_none_or(|letter| !letter.is_alphanumeric() && letter != '_');
        own_word.then(|| rest.split('"').nth(1).unwrap_or_default())
    });
    ids.last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: &str = r#"(
    schema: 1,
    rates: [
        (
            id: "aws/p5.48xlarge/us-east-1",
            provider: "aws",
            region: "us-east-1",
            gpu: "h100-sxm-80gb",
            instance: "p5.48xlarge",
            gpus: 8,
            on_demand_usd_per_gpu_hour: 2.5,
            source: (citation: "our contract", read: "2026-11-01"),
        ),
        (
            id: "own/rack/cellar",
            provider: "own",
            region: "cellar",
            gpu: "rtx-4090",
            instance: "rack",
            gpus: 4,
            source: (citation: "us", read: "2026-11-01"),
        ),
    ],
)"#;

    fn refused(text: &str) -> CatalogError {
        Catalog::shipped().with_overlay(text, "catalogue.ron").unwrap_err()
    }

    #[test]
    fn an_overlay_replaces_known_ids_in_place_and_appends_new_ones() {
        let shipped = Catalog::shipped();
        let merged = shipped.with_overlay(RATE, "catalogue.ron").unwrap();
        assert_eq!(merged.rates.len(), shipped.rates.len() + 1);
        let own = merged.rate("aws/p5.48xlarge/us-east-1").unwrap();
        assert_eq!(own.on_demand_usd_per_gpu_hour, Some(2.5));
        assert_eq!(own.spot_usd_per_gpu_hour, None, "the whole row is replaced");
        assert_ne!(merged.content_hash(), shipped.content_hash());
        assert_eq!(merged.gpus, shipped.gpus);
    }

    #[test]
    fn empty_text_changes_nothing() {
        let shipped = Catalog::shipped();
        assert_eq!(shipped.with_overlay(" \n", "x").unwrap().content_hash(), shipped.content_hash());
    }

    #[test]
    fn a_negative_price_is_refused_with_its_line_row_and_field() {
        let error = refused(&RATE.replace(": 2.5", ": -2.5"));
        let fault = &error.faults[0];
        assert_eq!(fault.line, Some(11));
        assert_eq!(fault.row, "aws/p5.48xlarge/us-east-1");
        assert_eq!(fault.field, "on_demand_usd_per_gpu_hour");
        assert!(error.to_string().ends_with("catalogue.ron"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_known_keys() {
        let fault = refused(&RATE.replace("gpus: 4", "cards: 4")).faults.remove(0);
        assert_eq!((fault.line, fault.field.as_str()), (Some(20), "cards"));
        assert!(fault.remedy.contains("gpus"), "{}", fault.remedy);
    }

    #[test]
    fn a_text_where_a_number_belongs_is_refused_with_its_line_and_field() {
        let fault = refused(&RATE.replace("gpus: 4", "gpus: \"four\"")).faults.remove(0);
        assert_eq!(
            (fault.line, fault.field.as_str(), fault.row.as_str()),
            (Some(20), "gpus", "own/rack/cellar")
        );
    }

    #[test]
    fn an_unknown_gpu_is_refused_and_the_nearest_is_named() {
        let fault = refused(&RATE.replace("rtx-4090", "rtx-409")).faults.remove(0);
        assert_eq!((fault.line, fault.field.as_str()), (Some(18), "gpu"));
        assert!(fault.remedy.contains("rtx-4090"), "{}", fault.remedy);
    }

    #[test]
    fn damaged_files_are_refused_without_a_panic() {
        let deep = format!("(schema: 1, gpus: {})", "[".repeat(100_000));
        let bad_date = RATE.replace("2026-11-01", "2026-13-01");
        let infinite = RATE.replace(": 2.5", ": inf");
        let twice = RATE.replace("own/rack/cellar", "aws/p5.48xlarge/us-east-1");
        let other = RATE.replace("schema: 1", "schema: 2");
        assert_eq!(refused(&twice).faults[0].line, Some(15));
        for text in [&RATE[..200], "nonsense", "(", &deep, &bad_date, &infinite, &twice, &other] {
            assert!(!refused(text).faults.is_empty());
        }
        for end in (0..RATE.len()).filter(|end| RATE.is_char_boundary(*end)) {
            let _ = Catalog::shipped().with_overlay(&RATE[..end], "cut");
        }
    }

    #[test]
    fn the_shipped_rows_survive_a_round_trip_through_ron() {
        let file = CatalogFile::from(Catalog::shipped());
        let text = options().to_string(&file).unwrap();
        assert_eq!(CatalogFile::from_ron(&text, "x").unwrap(), file);
    }
}
