//! Why a scenario file was refused: the place, what was found, what to write instead.

use ron::error::SpannedError;
use serde::Serialize;
use thiserror::Error;

use crate::scenario::SCHEMA;
use crate::unit::spelling::nearest;

use super::BYTES_MAX;
use super::scan::{self, field_at, line_column, offset_of};

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Why a scenario file was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", self.text())]
pub struct ScenarioFileError {
    /// What the file is called.
    pub name: Box<str>,
    /// Where, if the fault has a place.
    pub place: Option<Place>,
    /// Path of the field, `workload.use_cases.chat.requests_per_day`; empty if none is meant.
    pub field: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a scenario file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The disk says no.
    #[error("it cannot be read ({reason})")]
    Unreadable {
        /// The words of the operating system.
        reason: String,
    },
    /// A folder.
    #[error("it is a folder")]
    Directory,
    /// Above [`BYTES_MAX`].
    #[error("it is {:.1} MB, the limit is {} MB", *bytes as f64 / 1e6, BYTES_MAX / 1_000_000)]
    TooLarge {
        /// Size in bytes.
        bytes: u64,
    },
    /// Not text.
    #[error("byte {offset} (0x{byte:02X}) is not UTF-8 text")]
    NotUtf8 {
        /// Offset from the start, in bytes, from 0.
        offset: usize,
        /// The byte there.
        byte: u8,
    },
    /// Nothing but blanks and comments.
    #[error("the file is empty")]
    Empty,
    /// Does not begin as a scenario does.
    #[error("it begins with {found:?}, so it is no scenario")]
    NotAScenario {
        /// The beginning of its first line.
        found: String,
    },
    /// A quote is missing.
    #[error("the text that begins here is not closed")]
    OpenText,
    /// The end of a comment is missing.
    #[error("the comment that begins here is not closed")]
    OpenComment,
    /// Ends inside a bracket.
    #[error("the file ends with {open} open bracket{}; the innermost is the \"{bracket}\" of line {opened_line}", if *open == 1 { "" } else { "s" })]
    Truncated {
        /// How many brackets are open.
        open: usize,
        /// The innermost of them.
        bracket: char,
        /// Its line, from 1.
        opened_line: usize,
    },
    /// A bracket of another kind closes.
    #[error("found \"{found}\" where \"{expected}\" would close the bracket of line {opened_line}")]
    Mismatched {
        /// The bracket found.
        found: char,
        /// The bracket that would fit.
        expected: char,
        /// Line of the opening bracket, from 1.
        opened_line: usize,
    },
    /// A bracket closes that was never opened.
    #[error("found \"{found}\" with no bracket open")]
    Unopened {
        /// The bracket found.
        found: char,
    },
    /// Nested deeper than [`super::DEPTH_MAX`].
    #[error("brackets are nested more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// NaN or an infinity.
    #[error("found {found}, which is not a finite number")]
    NotFinite {
        /// As written.
        found: String,
    },
    /// No `schema` at the top.
    #[error("it does not say its schema")]
    NoSchema,
    /// Written by a newer program.
    #[error("schema is {found}, this program reads up to {SCHEMA}")]
    SchemaNewer {
        /// As written.
        found: u32,
    },
    /// No schema that ever was.
    #[error("schema is {found}, which no version of this program wrote")]
    SchemaUnknown {
        /// As written.
        found: String,
    },
    /// A key or a choice that does not exist.
    #[error("\"{found}\" is not known here")]
    UnknownName {
        /// As written.
        found: String,
        /// What may stand here.
        known: &'static [&'static str],
    },
    /// A key that must be there.
    #[error("\"{field}\" is missing")]
    MissingField {
        /// The key.
        field: &'static str,
    },
    /// A key that is there twice.
    #[error("\"{field}\" is written twice")]
    DuplicateField {
        /// The key.
        field: &'static str,
    },
    /// A value of another kind.
    #[error("found {found}")]
    Mistyped {
        /// What was found.
        found: String,
        /// What is expected.
        expected: String,
    },
}

impl Fault {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check the path and its permissions".to_owned(),
            Self::Directory => "name a file".to_owned(),
            Self::TooLarge { .. } => {
                "a scenario is some 100 kB: is it the right file? A trace is read with `breakeven fit`"
                    .to_owned()
            }
            Self::NotUtf8 { .. } => "save the file as UTF-8".to_owned(),
            Self::Empty => {
                format!("write a scenario that begins with (schema: {SCHEMA}, or start from a preset")
            }
            Self::NotAScenario { .. } => format!(
                "a scenario begins with (schema: {SCHEMA}; `breakeven presets` lists some to start from, and a trace \
                 is read with `breakeven fit`"
            ),
            Self::OpenText => {
                "write the quote that is missing at its end, unless the end of the file is lost".to_owned()
            }
            Self::OpenComment => "write */ at its end".to_owned(),
            Self::Truncated { bracket, .. } => {
                format!("the end of the file is lost, or a \"{}\" is missing", closing(*bracket))
            }
            Self::Mismatched { expected, .. } => format!("write \"{expected}\""),
            Self::Unopened { found } => format!("remove \"{found}\", or open its bracket"),
            Self::TooDeep { .. } => {
                "a scenario needs some fifteen levels; remove the extra brackets".to_owned()
            }
            Self::NotFinite { .. } => {
                "write a finite number; for no limit write None where that is allowed".to_owned()
            }
            Self::NoSchema => format!("write schema: {SCHEMA} as its first field"),
            Self::SchemaNewer { .. } => {
                "open it with the version of the program that wrote it, or a newer one".to_owned()
            }
            Self::SchemaUnknown { .. } => format!("write schema: {SCHEMA}"),
            Self::UnknownName { found, known } => match nearest(found, known.iter().copied()) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None if known.is_empty() => "remove it".to_owned(),
                None => format!("write one of {}", known.join(", ")),
            },
            Self::MissingField { field } => format!("add {field}: with a value"),
            Self::DuplicateField { .. } => "remove one of the two".to_owned(),
            Self::Mistyped { expected, .. } => format!("write {expected}"),
        }
    }
}

const fn closing(bracket: char) -> char {
    match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

impl ScenarioFileError {
    /// A fault of the file as a whole.
    pub(super) fn whole(name: &str, fault: Fault) -> Self {
        Self { name: name.into(), place: None, field: String::new(), fault }
    }

    /// A fault at a byte offset.
    pub(super) fn at(name: &str, text: &str, offset: usize, fault: Fault) -> Self {
        let (line, column) = line_column(text, offset);
        Self { name: name.into(), place: Some(Place { line, column }), field: field_at(text, offset), fault }
    }

    /// A fault that the parser found.
    pub(super) fn content(name: &str, text: &str, error: SpannedError) -> Self {
        use ron::Error as E;
        let start = offset_of(text, error.span.start.line, error.span.start.col);
        let end = offset_of(text, error.span.end.line, error.span.end.col);
        // The cursor of the parser may already have passed the name or value that it refuses.
        let mut offset = start + text.get(start..end).map_or(0, |span| span.len() - span.trim_start().len());
        let mut missing = None;
        let fault = match error.code {
            E::NoSuchStructField { expected, found, .. } | E::NoSuchEnumVariant { expected, found, .. } => {
                offset = backwards(text, end, &found).unwrap_or(offset);
                Fault::UnknownName { found, known: expected }
            }
            E::MissingStructField { field, .. } => {
                offset = end;
                missing = Some(field);
                Fault::MissingField { field }
            }
            E::DuplicateStructField { field, .. } => {
                offset = backwards(text, end, field).unwrap_or(offset);
                Fault::DuplicateField { field }
            }
            E::InvalidValueForType { expected, found } => Fault::Mistyped { found, expected },
            other => match number_around(text, offset) {
                Some((start, found)) => {
                    offset = start;
                    Fault::Mistyped { found: found.to_owned(), expected: expected_of_number(&other, found) }
                }
                None => Fault::Mistyped {
                    found: found_at(text, offset),
                    expected: expected_by(&other, text.get(..offset).unwrap_or_default()),
                },
            },
        };
        let mut refused = Self::at(name, text, offset, fault);
        if let Some(field) = missing {
            let parent = scan::bracket_at(text, offset);
            refused.field = if parent.is_empty() { field.to_owned() } else { format!("{parent}.{field}") };
        }
        refused
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        self.fault.remedy()
    }

    fn text(&self) -> String {
        let mut text = self.name.to_string();
        if let Some(Place { line, column }) = self.place {
            text.push_str(&format!(", line {line}, column {column}"));
        }
        text.push_str(": ");
        if !self.field.is_empty() {
            text.push_str(&format!("{}: ", self.field));
        }
        format!("{text}{}; {}", self.fault, self.remedy())
    }
}

/// Where a name was last written before a place.
fn backwards(text: &str, end: usize, name: &str) -> Option<usize> {
    text.get(..end)?.rfind(name)
}

/// The value at a place, as written, shortened.
fn found_at(text: &str, offset: usize) -> String {
    let rest = text.get(offset..).unwrap_or_default().trim_start();
    let stop = |c: char| matches!(c, ',' | ')' | ']' | '}' | '\n');
    let found: String = rest.split(stop).next().unwrap_or_default().trim().chars().take(40).collect();
    match (found.is_empty(), rest.chars().next()) {
        (false, _) => found,
        (true, Some(c)) if c != '\n' => format!("\"{c}\""),
        (true, _) => "the end of the file".to_owned(),
    }
}

/// The number whose middle the parser stumbled over: `270k`, `24.5` where whole ones are meant, `-1`.
fn number_around(text: &str, offset: usize) -> Option<(usize, &str)> {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    let (before, after) = text.split_at_checked(offset)?;
    let head = before.len() - before.trim_end_matches(inside).len();
    let tail = after.len() - after.trim_start_matches(inside).len();
    let found = text.get(offset - head..offset + tail)?;
    let number = found.trim_start_matches(['-', '+', '.']).starts_with(|c: char| c.is_ascii_digit());
    (head > 0 && tail > 0 && number).then_some((offset - head, found))
}

/// What should stand instead of a number.
fn expected_of_number(error: &ron::Error, found: &str) -> String {
    match (error, found.parse::<f64>()) {
        (ron::Error::IntegerOutOfBounds, _) => expected_by(error, ""),
        (_, Ok(_)) => "a whole number, such as 12".to_owned(),
        (_, Err(_)) => "a plain number without a unit, such as 12000".to_owned(),
    }
}

/// What would have been right, in words; `before` is what stands before the place.
fn expected_by(error: &ron::Error, before: &str) -> String {
    use ron::Error as E;
    match error {
        E::ExpectedArray => "a list: [ ... ]".to_owned(),
        E::ExpectedArrayEnd => "a comma, or ] to close the list".to_owned(),
        E::ExpectedBoolean => "true or false".to_owned(),
        E::ExpectedComma => "a comma before the next field".to_owned(),
        E::ExpectedFloat => "a number, such as 3.0".to_owned(),
        E::ExpectedInteger | E::InvalidIntegerDigit { .. } => "a whole number, such as 12".to_owned(),
        E::IntegerOutOfBounds => "a whole number of 0 or more that is not so large".to_owned(),
        E::ExpectedString => "text in quotes".to_owned(),
        E::ExpectedStringEnd => "a closing quote".to_owned(),
        E::ExpectedStructLike | E::ExpectedNamedStructLike(_) => "( field: value, ... )".to_owned(),
        E::ExpectedStructLikeEnd => "a comma, or ) to close the bracket".to_owned(),
        E::ExpectedMapColon => "a colon after the name of the field".to_owned(),
        E::ExpectedIdentifier => "a name, such as Fixed(3.0) for a quantity".to_owned(),
        E::ExpectedOption => "a value, or None".to_owned(),
        // A number where a name must stand: which, shows what stands before it.
        E::SuggestRawIdentifier(found) | E::InvalidIdentifier(found)
            if before.trim_end().ends_with(['(', ',']) =>
        {
            format!("the name of a field before it, such as p50: {found}")
        }
        E::SuggestRawIdentifier(found) | E::InvalidIdentifier(found) => {
            format!("a name around it, such as Fixed({found}) for a quantity")
        }
        E::TrailingCharacters => "nothing after the last bracket".to_owned(),
        other => format!("a value that fits ({other})"),
    }
}
