//! Logs with a row per request: Azure, BurstGPT, Mooncake, Qwen-Bailian, JSON lines of engines and load generators, any
//! CSV with a time and two counts of tokens.

use std::hash::Hasher as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::DateTime;
use rustc_hash::FxHasher;
use serde_json::{Map, Value};

use super::super::trace::{
    Clock, Columns, TraceError, delimiter_of, fields, named, plain_name, plain_text, shortened,
};
use super::lines::{Line, Lines, cells};
use super::order::Sorted;
use super::seen::Ids;
use super::{ReplayAccount, ReplayError, ReplayOptions, Row, failed_read, mixed};
use crate::sim::{Prefix, Talk};
use crate::workload::DropReason;

/// Names of a conversation's column; compared without case and separators.
const SESSION: [&str; 5] = ["sessionid", "session", "conversationid", "conversation", "sessionhash"];

/// Names of a request's own name.
const ID: [&str; 3] = ["requestid", "reqid", "id"];

/// Names of the identities of a prompt's blocks.
const BLOCKS: [&str; 2] = ["hashids", "blockhashes"];

/// Tokens per block that are looked for, the likelier first: Mooncake's, then engines' own.
const BLOCK_TOKENS: [u32; 9] = [512, 16, 64, 256, 128, 32, 1024, 8, 2048];

/// How far a clock that goes back to its start, or before it, goes back at least, in seconds: less is a row that came a
/// little late. A clock that goes back to the very start needs less.
const BACK_SECS: f64 = 60.0;
const BACK_TO_START_SECS: f64 = 5.0;

/// A cell of a row, or none.
type Cell = Option<Vec<u8>>;

/// The cells of a row that matter.
#[derive(Default)]
struct Cells {
    time: Cell,
    prompt: Cell,
    output: Cell,
    session: Cell,
    id: Cell,
    key: Cell,
    blocks: Option<Vec<u64>>,
}

/// Where the cells are: name and place.
struct Layout {
    columns: Columns,
    session: Option<(String, usize)>,
    id: Option<(String, usize)>,
    key: Option<(String, usize)>,
    blocks: Option<(String, usize)>,
}

impl Layout {
    fn of(names: &[String], options: &ReplayOptions, path: &Path) -> Result<Self, ReplayError> {
        let map = &options.columns;
        let columns = Columns::of(names, &map.chosen(), path)?;
        let plain: Vec<String> = names.iter().map(|name| plain_name(name)).collect();
        let find = |chosen: &Option<String>, usual: &[&str]| match chosen {
            Some(name) => named(names, name).map(Some).ok_or_else(|| missing(name, names, path)),
            None => Ok(usual.iter().find_map(|u| plain.iter().position(|name| name == u))),
        };
        let with_name = |at: Option<usize>| at.and_then(|at| Some((names.get(at)?.clone(), at)));
        Ok(Self {
            columns,
            session: with_name(find(&map.session, &SESSION)?),
            id: with_name(find(&map.id, &ID)?),
            key: with_name(find(&map.key, &[])?),
            blocks: with_name(find(&map.blocks, &BLOCKS)?),
        })
    }

    fn of_csv(&self, row: &[&[u8]]) -> Cells {
        let cell = |at: usize| row.get(at).map(|cell| cell.to_vec());
        let may = |place: &Option<(String, usize)>| place.as_ref().and_then(|(_, at)| cell(*at));
        Cells {
            time: cell(self.columns.time_at),
            prompt: cell(self.columns.prompt_at),
            output: cell(self.columns.output_at),
            session: may(&self.session),
            id: may(&self.id),
            key: may(&self.key),
            blocks: may(&self.blocks).map(|text| identities(&text)),
        }
    }

    fn of_json(&self, row: &Map<String, Value>) -> Cells {
        let cell = |name: &str| row.get(name).filter(|v| !v.is_null()).map(|v| plain_text(v).into_bytes());
        let may = |place: &Option<(String, usize)>| place.as_ref().and_then(|(name, _)| cell(name));
        let blocks = self.blocks.as_ref().and_then(|(name, _)| match row.get(name)? {
            Value::Array(all) => Some(
                all.iter()
                    .map(|id| id.as_u64().unwrap_or_else(|| hashed(plain_text(id).as_bytes())))
                    .collect(),
            ),
            Value::Null => None,
            other => Some(identities(plain_text(other).as_bytes())),
        });
        Cells {
            time: cell(&self.columns.time),
            prompt: cell(&self.columns.prompt),
            output: cell(&self.columns.output),
            session: may(&self.session),
            id: may(&self.id),
            key: may(&self.key),
            blocks,
        }
    }
}

fn missing(name: &str, names: &[String], path: &Path) -> ReplayError {
    ReplayError::Trace(TraceError::MissingColumn {
        path: path.to_owned(),
        missing: name.to_owned(),
        found: super::super::trace::found(names),
        expected: "one of these".to_owned(),
    })
}

/// Identities in a cell: `[1, 2]`, `1 2`, `a;b`.
fn identities(text: &[u8]) -> Vec<u64> {
    text.split(|b| b"[](),; \t\"'".contains(b))
        .filter(|id| !id.is_empty())
        .map(|id| std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()).unwrap_or_else(|| hashed(id)))
        .collect()
}

fn hashed(text: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.trim_ascii());
    mixed(hasher.finish())
}

enum Kind {
    Csv { delimiter: u8, quoted: csv::ByteRecord },
    Json,
}

/// Rows of a log, in order of time.
pub(super) struct Log {
    path: PathBuf,
    options: ReplayOptions,
    lines: Lines,
    kind: Kind,
    /// Of JSON lines, known from the first of them that is an object.
    layout: Option<Layout>,
    clock: Option<Clock>,
    ids: Ids,
    sorted: Sorted<Row>,
    ended: bool,
    block_tokens: Option<u32>,
    /// Time of the first row and of the latest, in seconds.
    first: Option<f64>,
    latest: f64,
    went_back: u64,
    went_back_line: u64,
}

impl Log {
    /// A log whose header, if it is CSV, is `header`.
    pub fn new(
        path: &Path,
        options: &ReplayOptions,
        lines: Lines,
        header: Option<(&str, &[String])>,
        account: &mut ReplayAccount,
    ) -> Result<Self, ReplayError> {
        let (kind, layout) = match header {
            None => (Kind::Json, None),
            Some((text, names)) => (
                Kind::Csv { delimiter: delimiter_of(text), quoted: csv::ByteRecord::new() },
                Some(Layout::of(names, options, path)?),
            ),
        };
        let mut log = Self {
            path: path.to_owned(),
            options: options.clone(),
            lines,
            kind,
            layout: None,
            clock: None,
            ids: Ids::default(),
            sorted: Sorted::new(options.waiting_rows),
            ended: false,
            block_tokens: options.block_tokens,
            first: None,
            latest: 0.0,
            went_back: 0,
            went_back_line: 0,
        };
        if let Some(layout) = layout {
            log.begin(layout, account);
        }
        Ok(log)
    }

    fn begin(&mut self, layout: Layout, account: &mut ReplayAccount) {
        account.format = layout.columns.format.to_owned();
        if layout.blocks.is_some() {
            account.notes.push(
                "prompts share the blocks whose identities the trace gives, each standing for all before it; \
                 requests with the same first two blocks count as one session"
                    .to_owned(),
            );
        } else if layout.session.is_some() {
            account.notes.push(
                "a request of a session begins with all that earlier ones sent and got, as far as its own prompt \
                 reaches"
                    .to_owned(),
            );
        }
        self.layout = Some(layout);
    }

    /// Wall clock `secs` after the first row.
    pub fn wall_clock(&self, secs: f64) -> Option<DateTime> {
        self.clock.as_ref()?.wall_clock(secs)
    }

    /// Rows that were read and wait.
    pub fn waiting(&self) -> u64 {
        self.sorted.len() as u64
    }

    /// The next row in order of time; `None` at the end.
    pub fn next(&mut self, account: &mut ReplayAccount) -> Result<Option<Row>, ReplayError> {
        while !self.ended && !self.sorted.is_full() {
            match self.read(account)? {
                Read::Row(row) => self.take(row, account)?,
                Read::Nothing => {}
                Read::End => self.ended = true,
            }
            account.waiting_max = account.waiting_max.max(self.sorted.len());
        }
        Ok(self.sorted.next())
    }

    fn take(&mut self, row: Row, account: &mut ReplayAccount) -> Result<(), ReplayError> {
        let (at, line) = (row.at, row.line);
        let first = *self.first.get_or_insert(at);
        let back = self.latest - at;
        if at == first && back > BACK_TO_START_SECS || at <= first && back > BACK_SECS {
            self.went_back_line = if self.went_back == 0 { line } else { self.went_back_line };
            self.went_back += 1;
            if self.went_back >= 2 {
                return Err(ReplayError::Trace(TraceError::ClockRestarts {
                    path: self.path.clone(),
                    times: self.went_back,
                    line: self.went_back_line,
                }));
            }
        }
        let behind = at < self.latest;
        self.latest = if self.latest > at { self.latest } else { at };
        let ids = match &row.prefix {
            Prefix::Blocks { ids, .. } => ids.len(),
            _ => 0,
        };
        match self.sorted.push(at, ids, row) {
            Ok(()) if behind => account.out_of_order.add(line),
            Ok(()) => {}
            Err(_) => account.drop_row(DropReason::Late, line, || {
                format!(
                    "it came {back:.0} s before a row that stands before it; sort the file by time, or read more \
                     rows ahead"
                )
            }),
        }
        Ok(())
    }

    fn read(&mut self, account: &mut ReplayAccount) -> Result<Read, ReplayError> {
        let rows = account.rows;
        let failed = |source| failed_read(&self.path, rows, source);
        let line = match self.kind {
            Kind::Csv { .. } => self.lines.next_quoted(),
            Kind::Json => self.lines.next(),
        };
        let Some(line) = line.map_err(failed)? else { return Ok(Read::End) };
        account.rows += 1;
        let (line, text) = match line {
            Line::Text(line, text) => (line, text),
            Line::TooLong(line) => {
                let example = || "the line has more than 16 MB; write a row per line".to_owned();
                account.drop_row(DropReason::NotARecord, line, example);
                return Ok(Read::Nothing);
            }
        };
        let cells = match &mut self.kind {
            Kind::Csv { delimiter, quoted } => {
                let Some(layout) = &self.layout else { return Ok(Read::End) };
                layout.of_csv(&cells(text, *delimiter, quoted))
            }
            Kind::Json => {
                let object = match serde_json::from_slice::<Map<String, Value>>(text) {
                    Ok(object) => object,
                    Err(error) => {
                        account.drop_row(DropReason::NotARecord, line, || {
                            let shown = shortened(&String::from_utf8_lossy(text));
                            format!("\"{shown}\" is not a JSON object ({error}); write one object per line")
                        });
                        return Ok(Read::Nothing);
                    }
                };
                if self.layout.is_none() {
                    let names: Vec<String> = object.keys().cloned().collect();
                    let layout = Layout::of(&names, &self.options, &self.path)?;
                    self.begin(layout, account);
                }
                let Some(layout) = &self.layout else { return Ok(Read::End) };
                layout.of_json(&object)
            }
        };
        self.row(line, cells, account)
    }

    fn row(&mut self, line: u64, cells: Cells, account: &mut ReplayAccount) -> Result<Read, ReplayError> {
        let Some(layout) = &self.layout else { return Ok(Read::End) };
        let columns = &layout.columns;
        let dropped = &mut account.dropped;
        let prompt = fields::tokens(dropped, line, &columns.prompt, cells.prompt.as_deref());
        let output =
            prompt.and_then(|_| fields::tokens(dropped, line, &columns.output, cells.output.as_deref()));
        let time = output.and_then(|_| fields::text(dropped, line, &columns.time, cells.time.as_deref()));
        let (Some(prompt), Some(output), Some(time)) = (prompt, output, time) else {
            return Ok(Read::Nothing);
        };
        let column = (columns.time.as_str(), columns.time_scale);
        let at = fields::time(dropped, &mut self.clock, (&self.path, line), column, time)?;
        let Some(at) = at else { return Ok(Read::Nothing) };
        if columns.format == "BurstGPT" && output == 0 {
            let example =
                || format!("{} is 0, which BurstGPT writes for a failure; it loads nothing", columns.output);
            account.drop_row(DropReason::Failed, line, example);
            return Ok(Read::Nothing);
        }
        if prompt == 0 {
            let example = || format!("{} is 0; write the tokens that were sent", columns.prompt);
            account.drop_row(DropReason::NoPrompt, line, example);
            return Ok(Read::Nothing);
        }
        if let Some(id) = cells.id.as_deref().filter(|id| !id.trim_ascii().is_empty()) {
            let told = mixed(at.to_bits() ^ mixed(u64::from(prompt) << 32 | u64::from(output)));
            match self.ids.see(hashed(id), told) {
                None => {}
                Some(same) if same == told => {
                    account.drop_row(DropReason::Duplicate, line, || {
                        let shown = shortened(&String::from_utf8_lossy(id));
                        format!(
                            "id {shown} came before, at the same time and as long; write each request once"
                        )
                    });
                    return Ok(Read::Nothing);
                }
                Some(_) => account.ids_again.add(line),
            }
        }
        let blocks = cells.blocks.map(|ids| self.blocks(line, prompt, ids)).transpose()?;
        let Some(layout) = &self.layout else { return Ok(Read::End) };
        let told = cells.session.as_deref().filter(|text| !text.trim_ascii().is_empty()).map(hashed);
        let (prefix, session) = match (blocks, told) {
            (Some((prefix, session)), told) => (prefix, told.unwrap_or(session)),
            (None, Some(session)) => {
                let talk = Talk { id: session, turn: 0, kept_tokens: u32::MAX };
                let prefix = Prefix::Session { root: session, root_tokens: 0, talk: Some(talk) };
                (prefix, session)
            }
            (None, None) => (Prefix::None, mixed(line)),
        };
        let key = layout.key.as_ref().and_then(|_| cells.key.as_deref().map(hashed));
        if output == 0 {
            account.empty_answers.add(line);
        }
        Ok(Read::Row(Row { at, line, prompt, output: output.max(1), prefix, session, key }))
    }

    /// What blocks a prompt has, and the session that they tell.
    fn blocks(&mut self, line: u64, prompt: u32, ids: Vec<u64>) -> Result<(Prefix, u64), ReplayError> {
        let n = ids.len() as u64;
        let fits = |each: &u32| u64::from(prompt).div_ceil(u64::from(*each)) == n;
        if self.block_tokens.is_none() && n > 0 {
            let found = BLOCK_TOKENS.into_iter().find(fits).ok_or_else(|| ReplayError::BlockTokens {
                path: self.path.clone(),
                line,
                prompt,
                blocks: n,
            })?;
            self.block_tokens = Some(found);
        }
        // The first block may be a beginning that all share; the second is a conversation's own.
        let session = ids.get(1).or(ids.first()).map_or(mixed(line), |id| mixed(*id));
        let tokens = self.block_tokens.unwrap_or(1);
        Ok((Prefix::Blocks { ids: Arc::from(ids), tokens }, session))
    }
}

/// What a line gave.
enum Read {
    Row(Row),
    /// A row that is left out, and counted.
    Nothing,
    End,
}
