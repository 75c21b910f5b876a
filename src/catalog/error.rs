//! What can go wrong with the catalogue.

use thiserror::Error;

/// Kind of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowKind {
    /// An accelerator.
    Gpu,
    /// An open model.
    Model,
    /// A price sheet.
    Price,
    /// A cloud rate.
    Rate,
}

impl RowKind {
    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Gpu => "GPU",
            Self::Model => "model",
            Self::Price => "price sheet",
            Self::Rate => "cloud rate",
        }
    }
}

impl std::fmt::Display for RowKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

/// No row has this id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the catalogue has no {kind} \"{id}\"{}", did_you_mean(nearest))]
pub struct UnknownId {
    /// What was looked for.
    pub kind: RowKind,
    /// The id that was asked for.
    pub id: String,
    /// The nearest known ids, best first; at most three.
    pub nearest: Vec<String>,
}

fn did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; did you mean {}?", nearest.join(", ")) }
}

/// One thing that is wrong in a catalogue file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1; `None` where it belongs to no line.
    pub line: Option<usize>,
    /// Id of the row, empty where it is not known.
    pub row: String,
    /// Field, empty where it is not known.
    pub field: String,
    /// What was found.
    pub found: String,
    /// What to write instead.
    pub remedy: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, row, field, found, remedy } = self;
        if let Some(line) = line {
            write!(f, "line {line}: ")?;
        }
        if !row.is_empty() {
            write!(f, "{row}: ")?;
        }
        if !field.is_empty() {
            write!(f, "{field}: ")?;
        }
        write!(f, "{found}; {remedy}")
    }
}

/// A catalogue file that cannot be used. All faults that were found, in the order of their lines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Cannot use the catalogue file\n{}\n{path}", list(faults))]
pub struct CatalogError {
    /// The file, as it was named by the caller.
    pub path: String,
    /// What is wrong; at least one.
    pub faults: Vec<Fault>,
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}
