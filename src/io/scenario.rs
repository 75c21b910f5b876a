//! The scenario file: strict RON, read with errors that name the place and the remedy, replaced as a whole.
//!
//! A file is read in this order: its size, its encoding, its brackets and numbers ([`scan`]), its schema, and only
//! then its content. So a file of 100 MB or one that is nested 10,000 deep costs nothing, and a file of a newer
//! program says so rather than complaining about a key.
//!
//! Start with [`read`] and [`save`]; [`parse`] and [`to_text`] are the same without a disk, and
//! `parse(&to_text(&draft), name)` is `draft` again for every draft of finite numbers.

mod error;
mod layout;
mod migrate;
mod save;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use ron::Options;
use ron::extensions::Extensions;
use ron::ser::PrettyConfig;

use crate::scenario::ScenarioDraft;

pub use error::{Fault, Place, ScenarioFileError};
pub use save::{Replacement, SaveError, replace, save};

/// Largest scenario file that is read, in bytes; the largest of a person's own is some 100 kB.
pub const BYTES_MAX: u64 = 8_000_000;

/// Deepest nesting of brackets that is read; a scenario needs some fifteen levels.
pub const DEPTH_MAX: usize = 64;

/// Reads a scenario from the disk.
///
/// # Errors
/// [`ScenarioFileError`] with the place, the field, what was found and what to write instead.
pub fn read(path: &Path) -> Result<ScenarioDraft, ScenarioFileError> {
    let name = path.display().to_string();
    let fail = |fault| ScenarioFileError::whole(&name, fault);
    let io = |error: std::io::Error| fail(Fault::Unreadable { reason: error.to_string() });
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(fail(Fault::Directory));
    }
    if metadata.len() > BYTES_MAX {
        return Err(fail(Fault::TooLarge { bytes: metadata.len() }));
    }
    let mut bytes = Vec::new();
    // A pipe has no size of its own, and a file may grow: never read more than the limit.
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    parse_bytes(&bytes, &name)
}

/// Reads a scenario from bytes that may not be text; `name` is what messages call them.
///
/// # Errors
/// As [`read`].
pub fn parse_bytes(bytes: &[u8], name: &str) -> Result<ScenarioDraft, ScenarioFileError> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(ScenarioFileError::whole(name, Fault::TooLarge { bytes: bytes.len() as u64 }));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, name),
        Err(error) => {
            let offset = error.valid_up_to();
            let before =
                bytes.get(..offset).and_then(|head| std::str::from_utf8(head).ok()).unwrap_or_default();
            let byte = bytes.get(offset).copied().unwrap_or_default();
            Err(ScenarioFileError::at(name, before, offset, Fault::NotUtf8 { offset, byte }))
        }
    }
}

/// Reads a scenario from text; `name` is what messages call it.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, name: &str) -> Result<ScenarioDraft, ScenarioFileError> {
    if text.len() as u64 > BYTES_MAX {
        return Err(ScenarioFileError::whole(name, Fault::TooLarge { bytes: text.len() as u64 }));
    }
    // Editors on some systems put a byte-order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let fail = |(offset, fault)| ScenarioFileError::at(name, text, offset, fault);
    let schema = scan::scan(text).map_err(fail)?;
    let text = match migrate::to_current(text, schema) {
        Ok(Cow::Borrowed(_)) => Cow::Borrowed(text),
        Ok(Cow::Owned(migrated)) => Cow::Owned(migrated),
        Err(fault) => return Err(fail(fault)),
    };
    options().from_str(&text).map_err(|error| ScenarioFileError::content(name, &text, error))
}

/// The text of a scenario's file: stable, four spaces per level, what fits on a line on one line.
///
/// A draft that holds NaN or an infinity has a text too, which [`parse`] refuses; [`save`] refuses it before it
/// touches the disk.
#[must_use]
pub fn to_text(draft: &ScenarioDraft) -> String {
    let config = PrettyConfig::new().escape_strings(false).new_line("\n").indentor("");
    match options().to_string_pretty(draft, config) {
        Ok(flat) => layout::pretty(&flat),
        // Writing to memory fails for no draft; were it to, `save` would refuse the empty text.
        Err(_) => String::new(),
    }
}

fn options() -> Options {
    Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES)
        .with_recursion_limit(2 * DEPTH_MAX)
}
