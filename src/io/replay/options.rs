//! How a trace is to be replayed.

use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use super::super::trace::{Chosen, seconds_per};

/// Rows that wait to be sorted into place.
const WAITING_ROWS: usize = 65_536;

/// How a trace is to be replayed; the default is as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayOptions {
    /// Requests per time against the trace's: 2 plays it in half the time. Finite, above 0.
    pub rate: f64,
    /// Length of prompts against the trace's, and of the blocks that they share. Finite, above 0.
    pub prompt: f64,
    /// Length of answers against the trace's. Finite, above 0.
    pub output: f64,
    /// Where to begin, in the trace's own seconds after its first request; from 0.
    pub from_secs: f64,
    /// Where to end, likewise, this moment excluded; `None` is its end.
    pub until_secs: Option<f64>,
    /// How often to play it, at least 1. Each pass has sessions and blocks of its own: nothing of an earlier pass is
    /// found in a cache, not even a beginning that all requests of the trace share.
    pub repeat: u32,
    /// Trace seconds from the start of a pass to the start of the next; `None` is the asked stretch of time where it
    /// has an end, else the trace's span and one mean time between two requests.
    pub repeat_every_secs: Option<f64>,
    /// Longest prompt and answer together, in tokens and after scaling; longer requests are left out.
    pub context_tokens: Option<u32>,
    /// Which column is what, where names do not tell.
    pub columns: ColumnMap,
    /// Tokens per hashed block, at least 1; `None` finds out from the first row, 512 (Mooncake) first.
    pub block_tokens: Option<u32>,
    /// Rows that are read ahead and sorted, at least 1: a row may stand so many rows behind its place.
    pub waiting_rows: usize,
    /// Silences longer than this are counted, in seconds of the trace.
    pub gap_secs: f64,
    /// New sessions per hour, for a file whose sessions have clocks of their own: they start as a Poisson process.
    pub sessions_per_hour: Option<f64>,
    /// Lengths of requests, for a file of rates that has none.
    pub lengths: Option<WindowLengths>,
    /// The pool to play, for a file of rates of several.
    pub pool: Option<String>,
    /// Seed of what is drawn: the starts of sessions, the arrivals and lengths of a file of rates.
    pub seed: u64,
    /// The stream that the requests belong to.
    pub stream: u16,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            rate: 1.0,
            prompt: 1.0,
            output: 1.0,
            from_secs: 0.0,
            until_secs: None,
            repeat: 1,
            repeat_every_secs: None,
            context_tokens: None,
            columns: ColumnMap::default(),
            block_tokens: None,
            waiting_rows: WAITING_ROWS,
            gap_secs: 600.0,
            sessions_per_hour: None,
            lengths: None,
            pool: None,
            seed: 1,
            stream: 0,
        }
    }
}

/// How long the requests of a file of rates are.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowLengths {
    /// All the same.
    Fixed {
        /// Tokens sent, at least 1.
        prompt: u32,
        /// Tokens answered, at least 1.
        output: u32,
    },
    /// As a table says per client and window: columns `pool`, `client`, `window_start_s`, and `in_mean`, `in_p50`,
    /// `in_p95`, `in_p99`, likewise `out_…`.
    File(PathBuf),
}

impl FromStr for WindowLengths {
    type Err = std::convert::Infallible;

    /// `PROMPT:OUTPUT` in tokens; all else is the path of a table.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fixed = text.split_once(':').and_then(|(prompt, output)| {
            Some(Self::Fixed { prompt: prompt.trim().parse().ok()?, output: output.trim().parse().ok()? })
        });
        Ok(fixed.unwrap_or_else(|| Self::File(text.trim().into())))
    }
}

/// An option that makes no sense.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{name} is {found}; write {instead}")]
pub struct OptionError {
    /// The option.
    pub name: &'static str,
    /// Its value.
    pub found: String,
    /// What to write instead.
    pub instead: &'static str,
}

impl ReplayOptions {
    /// Whether all makes sense.
    ///
    /// # Errors
    /// [`OptionError`] for the first that does not.
    pub fn check(&self) -> Result<(), OptionError> {
        let positive = |v: f64| v.is_finite() && v > 0.0;
        let fail = |name, found: String, instead| Err(OptionError { name, found, instead });
        for (name, v) in
            [("the rate", self.rate), ("the prompt factor", self.prompt), ("the output factor", self.output)]
        {
            if !(positive(v) && (1e-9..=1e9).contains(&v)) {
                return fail(name, v.to_string(), "a factor above 0, such as 1 or 2.5");
            }
        }
        if !(self.from_secs.is_finite() && self.from_secs >= 0.0) {
            return fail("the start", self.from_secs.to_string(), "seconds from 0 on");
        }
        if let Some(until) = self.until_secs.filter(|until| !(until.is_finite() && *until > self.from_secs)) {
            return fail("the end", until.to_string(), "seconds after the start");
        }
        if self.repeat == 0 {
            return fail("repeat", "0".to_owned(), "how often to play the trace, from 1 on");
        }
        if let Some(every) = self.repeat_every_secs.filter(|every| !positive(*every)) {
            return fail("the time between passes", every.to_string(), "seconds above 0");
        }
        if self.context_tokens == Some(0) || self.block_tokens == Some(0) {
            return fail("the context or block", "0".to_owned(), "tokens from 1 on");
        }
        if self.waiting_rows == 0 {
            return fail("the rows read ahead", "0".to_owned(), "a number from 1 on");
        }
        if let Some(rate) = self.sessions_per_hour.filter(|rate| !positive(*rate)) {
            return fail("sessions per hour", rate.to_string(), "a rate above 0");
        }
        if let Some(WindowLengths::Fixed { prompt, output }) = &self.lengths
            && (*prompt == 0 || *output == 0)
        {
            return fail("a length", "0".to_owned(), "tokens from 1 on");
        }
        Ok(())
    }
}

/// Which columns of a file are what; those that are not named are looked for by their usual names.
///
/// ```
/// use breakeven::io::replay::ColumnMap;
///
/// let map: ColumnMap = "time=begun, time_unit=ms, prompt=in, output=out, session=user".parse()?;
/// assert_eq!((map.time.as_deref(), map.time_scale, map.id), (Some("begun"), Some(1e-3), None));
/// assert!("prompts=in".parse::<ColumnMap>().is_err());
/// # Ok::<(), breakeven::io::replay::ColumnMapError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnMap {
    /// When a request came.
    pub time: Option<String>,
    /// Seconds per unit of a time that is a number.
    pub time_scale: Option<f64>,
    /// Tokens sent.
    pub prompt: Option<String>,
    /// Tokens answered.
    pub output: Option<String>,
    /// The conversation or agent's session: later requests begin with what earlier ones sent and got.
    pub session: Option<String>,
    /// What names a request.
    pub id: Option<String>,
    /// Identities of the prompt's blocks.
    pub blocks: Option<String>,
    /// What is asked, where it repeats.
    pub key: Option<String>,
}

/// Why a mapping of columns cannot be read.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ColumnMapError {
    /// Not a name and a column.
    #[error("\"{0}\" is not a pair; write for example time=when,prompt=tokens_in,output=tokens_out")]
    NotAPair(String),
    /// Nothing that a column can be.
    #[error("\"{0}\" is not known; write time, time_unit, prompt, output, session, id, blocks or key")]
    Unknown(String),
    /// Said twice.
    #[error("{0} is said twice; write it once")]
    Twice(String),
    /// Not a unit of time.
    #[error("\"{0}\" is not a unit of time; write s, ms, us or ns")]
    Unit(String),
}

impl FromStr for ColumnMap {
    type Err = ColumnMapError;

    fn from_str(text: &str) -> Result<Self, ColumnMapError> {
        let mut map = Self::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (what, name) = pair
                .split_once('=')
                .map(|(what, name)| (what.trim(), name.trim()))
                .filter(|(_, name)| !name.is_empty())
                .ok_or_else(|| ColumnMapError::NotAPair(pair.to_owned()))?;
            if what == "time_unit" {
                let scale = seconds_per(name).ok_or_else(|| ColumnMapError::Unit(name.to_owned()))?;
                if map.time_scale.replace(scale).is_some() {
                    return Err(ColumnMapError::Twice(what.to_owned()));
                }
                continue;
            }
            let place = match what {
                "time" => &mut map.time,
                "prompt" => &mut map.prompt,
                "output" => &mut map.output,
                "session" => &mut map.session,
                "id" => &mut map.id,
                "blocks" => &mut map.blocks,
                "key" => &mut map.key,
                _ => return Err(ColumnMapError::Unknown(what.to_owned())),
            };
            if place.replace(name.to_owned()).is_some() {
                return Err(ColumnMapError::Twice(what.to_owned()));
            }
        }
        Ok(map)
    }
}

impl ColumnMap {
    pub(super) fn chosen(&self) -> Chosen {
        Chosen {
            time: self.time.clone(),
            prompt: self.prompt.clone(),
            output: self.output.clone(),
            time_scale: self.time_scale,
        }
    }
}
