//! From the schema of the file to the schema of the program, one function per step.

use std::borrow::Cow;

use crate::scenario::SCHEMA;

use super::error::Fault;
use super::scan::{Located, SchemaText};

/// One step: the text of schema n in, the text of schema n + 1 out, its `schema:` line included.
type Step = fn(&str) -> Result<String, Fault>;

/// `STEPS[n - 1]` goes from schema n to n + 1.
const STEPS: [Step; (SCHEMA - 1) as usize] = [];

/// The text in the current schema.
pub(super) fn to_current(text: &str, schema: Option<SchemaText>) -> Result<Cow<'_, str>, Located> {
    let Some(schema) = schema else {
        return Err((0, Fault::NoSchema));
    };
    let offset = schema.offset;
    let Ok(version) = schema.text.parse::<u32>() else {
        return Err((offset, Fault::SchemaUnknown { found: schema.text }));
    };
    if version > SCHEMA {
        return Err((offset, Fault::SchemaNewer { found: version }));
    }
    if version == 0 {
        return Err((offset, Fault::SchemaUnknown { found: schema.text }));
    }
    let mut text = Cow::Borrowed(text);
    for step in STEPS.iter().skip(version as usize - 1) {
        text = Cow::Owned(step(&text).map_err(|fault| (offset, fault))?);
    }
    Ok(text)
}
