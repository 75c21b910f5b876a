//! Which column holds what.

use std::path::Path;

use super::TraceError;

/// Names of the prompt's length, as other tools and papers write it; compared without case and separators.
const PROMPT: [&str; 17] = [
    "prompttokens",
    "inputtokens",
    "contexttokens",
    "requesttokens",
    "inputlength",
    "promptlength",
    "inputtoks",
    "inputlen",
    "promptlen",
    "prompttoks",
    "numprefilltokens",
    "numprompttokens",
    "numinputtokens",
    "prefilltokens",
    "promptsize",
    "tokensin",
    "isl",
];

/// Names of the answer's length.
const OUTPUT: [&str; 17] = [
    "outputtokens",
    "completiontokens",
    "generatedtokens",
    "responsetokens",
    "outputlength",
    "generatedlength",
    "outputtoks",
    "outputlen",
    "completionlen",
    "completiontoks",
    "numdecodetokens",
    "numoutputtokens",
    "numgeneratedtokens",
    "decodetokens",
    "tokensize",
    "tokensout",
    "osl",
];

/// Names of the arrival's time; a suffix such as `_s` or `_ms` names the unit.
const TIME: [&str; 14] = [
    "timestamp",
    "arrivaltime",
    "arrivaltimestamp",
    "arrivedat",
    "arrival",
    "at",
    "time",
    "t",
    "starttime",
    "createdat",
    "created",
    "datetime",
    "date",
    "requesttime",
];

/// Spellings of a unit at the end of a time column's name, with seconds per unit.
const TIME_UNITS: [(&str, f64); 12] = [
    ("milliseconds", 1e-3),
    ("microseconds", 1e-6),
    ("nanoseconds", 1e-9),
    ("seconds", 1.0),
    ("msecs", 1e-3),
    ("secs", 1.0),
    ("msec", 1e-3),
    ("sec", 1.0),
    ("ms", 1e-3),
    ("us", 1e-6),
    ("ns", 1e-9),
    ("s", 1.0),
];

/// Columns that somebody named, each by its own name; the others are found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chosen {
    pub time: Option<String>,
    pub prompt: Option<String>,
    pub output: Option<String>,
    /// Seconds per unit of a time that is a number.
    pub time_scale: Option<f64>,
}

/// The columns that matter, by name and position.
#[derive(Debug, Clone)]
pub struct Columns {
    pub format: &'static str,
    pub time: String,
    pub prompt: String,
    pub output: String,
    pub time_at: usize,
    pub prompt_at: usize,
    pub output_at: usize,
    /// Seconds per unit of a time that is a number, where the name or the format says so.
    pub time_scale: Option<f64>,
}

impl Columns {
    /// The columns among `names`.
    pub fn of(names: &[String], chosen: &Chosen, path: &Path) -> Result<Self, TraceError> {
        let plain: Vec<String> = names.iter().map(|name| plain_name(name)).collect();
        let known = |known: &[&str]| known.iter().find_map(|&k| plain.iter().position(|name| name == k));
        let named = |name: &str| named(names, name);
        let time = match &chosen.time {
            Some(name) => named(name).map(|at| (at, last_word_unit(name))),
            None => known(&TIME).map(|at| (at, None)).or_else(|| timed(&plain)),
        };
        let prompt = chosen.prompt.as_deref().map_or_else(|| known(&PROMPT), named);
        let output = chosen.output.as_deref().map_or_else(|| known(&OUTPUT), named);
        let (Some((time_at, scale)), Some(prompt_at), Some(output_at)) = (time, prompt, output) else {
            let missing: Vec<String> = [
                (time.is_none(), "the time", &chosen.time),
                (prompt.is_none(), "the prompt's tokens", &chosen.prompt),
                (output.is_none(), "the output's tokens", &chosen.output),
            ]
            .into_iter()
            .filter(|(missing, ..)| *missing)
            .map(|(_, what, name)| match name {
                Some(name) => format!("{what} ({name})"),
                None => what.to_owned(),
            })
            .collect();
            return Err(TraceError::MissingColumn {
                path: path.to_owned(),
                missing: missing.join(" and "),
                found: found(names),
                expected: "for example timestamp (or time_s, time_ms), prompt_tokens, output_tokens; or \
                           TIMESTAMP, ContextTokens, GeneratedTokens"
                    .to_owned(),
            });
        };
        let has = |wanted: &[&str]| wanted.iter().all(|w| plain.iter().any(|name| name == w));
        let (format, known_scale) = if has(&["timestamp", "contexttokens", "generatedtokens"]) {
            ("Azure LLM inference trace", None)
        } else if has(&["timestamp", "model", "requesttokens", "responsetokens", "logtype"]) {
            // Seconds since the first day of the record: Wang et al. 2024 (BurstGPT), README of the data set.
            ("BurstGPT", Some(1.0))
        } else if has(&["chatid", "parentchatid", "timestamp", "inputlength", "outputlength", "hashids"]) {
            // Seconds: Wang et al. 2025 (KVCache in the wild, USENIX ATC), README of the traces.
            ("Qwen-Bailian", Some(1.0))
        } else if has(&["timestamp", "inputlength", "outputlength", "hashids"]) {
            // Milliseconds: Qin et al. 2025 (Mooncake, FAST), README of the traces.
            ("Mooncake", Some(1e-3))
        } else {
            ("request trace", None)
        };
        let name = |at: usize| names.get(at).cloned().unwrap_or_default();
        Ok(Self {
            format,
            time: name(time_at),
            prompt: name(prompt_at),
            output: name(output_at),
            time_at,
            prompt_at,
            output_at,
            time_scale: chosen.time_scale.or(scale).or(known_scale),
        })
    }
}

/// A time column whose name ends in a unit.
fn timed(plain: &[String]) -> Option<(usize, Option<f64>)> {
    plain.iter().enumerate().find_map(|(at, name)| {
        TIME_UNITS.iter().find_map(|&(unit, scale)| {
            let stem = name.strip_suffix(unit)?;
            TIME.contains(&stem).then_some((at, Some(scale)))
        })
    })
}

/// Seconds per unit of time as people write it: `s`, `ms`, `seconds`.
pub fn seconds_per(unit: &str) -> Option<f64> {
    let plain = plain_name(unit);
    TIME_UNITS.iter().find(|(name, _)| *name == plain).map(|&(_, scale)| scale)
}

/// Seconds per unit where the last word of several in a column's name is one: `begun_ms`, `sent at (s)`.
fn last_word_unit(name: &str) -> Option<f64> {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let last = words.next_back()?;
    words.next().and_then(|_| seconds_per(last))
}

/// Where the column `name` is; case and white space around it do not matter.
pub fn named(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|n| n.trim().eq_ignore_ascii_case(name.trim()))
}

/// Lower case, letters and digits only.
pub fn plain_name(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The columns that are there, for a message.
pub fn found(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| super::shortened(name)).collect();
    if names.len() > SHOWN {
        shown.push(format!("… ({} in all)", names.len()));
    }
    shown.join(", ")
}
