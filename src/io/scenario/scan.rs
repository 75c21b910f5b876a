//! One pass over the raw text: brackets, depth, numbers that are none, the schema, and the path of any place.
//!
//! It reads tokens only, so it cannot overflow a stack, and it is the part that knows where things are.

use super::DEPTH_MAX;
use super::error::Fault;

/// A fault and its byte offset.
pub(super) type Located = (usize, Fault);

/// What the file says of its schema: the number as written and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SchemaText {
    pub(super) text: String,
    pub(super) offset: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Open(u8),
    Close(u8),
    Comma,
    Colon,
    Word,
    Number,
    Text,
    Other,
}

/// A token and its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The tokens of a text; white space and comments are left out.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// The text or comment that the end of the file closes.
    open: Option<Located>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, open: None }
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn rest(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    /// The length of a text that begins at `start`; one that is not closed goes to the end.
    fn quoted(&mut self, start: usize, length: Option<usize>) -> usize {
        if length.is_none() {
            self.open = Some((start, Fault::OpenText));
        }
        length.unwrap_or(self.text.len() - start)
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest(self.at);
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                let length = block_comment(trimmed);
                self.open =
                    self.open.take().or_else(|| length.is_none().then_some((self.at, Fault::OpenComment)));
                self.at += length.unwrap_or(trimmed.len());
            } else {
                return;
            }
        }
    }
}

/// Length of a block comment, if it is closed; they nest.
fn block_comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                at += 2;
            }
            Some(b"*/") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let start = self.at;
        let first = self.rest(start).chars().next()?;
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let (kind, length) = match first {
            '(' | '[' | '{' => (Kind::Open(self.byte(start)), 1),
            ')' | ']' | '}' => (Kind::Close(self.byte(start)), 1),
            ',' => (Kind::Comma, 1),
            ':' => (Kind::Colon, 1),
            '"' => (Kind::Text, self.quoted(start, quoted(self.rest(start)))),
            'r' if raw_string(self.rest(start)).is_some() => {
                (Kind::Text, self.quoted(start, raw_string(self.rest(start)).flatten()))
            }
            '0'..='9' => (Kind::Number, number(self.rest(start))),
            '-' | '+' | '.' if self.byte(start + 1).is_ascii_digit() || self.byte(start + 1) == b'.' => {
                (Kind::Number, number(self.rest(start)))
            }
            c if word(c) => {
                let rest = self.rest(start);
                (Kind::Word, rest.find(|c: char| !word(c)).unwrap_or(rest.len()))
            }
            c => (Kind::Other, c.len_utf8()),
        };
        self.at = start + length;
        Some(Token { kind, start, end: self.at })
    }
}

/// Length of a quoted string, if it is closed.
fn quoted(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Length of `r"..."`, `r#"..."#`, if that is what the text begins with and if it is closed.
fn raw_string(text: &str) -> Option<Option<usize>> {
    let rest = text.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let head = 1 + hashes + 1;
    Some(body.find(&end).map(|at| head + at + end.len()))
}

fn number(text: &str) -> usize {
    let mut before = b' ';
    for (at, byte) in text.bytes().enumerate() {
        let sign = matches!(byte, b'+' | b'-') && (at == 0 || matches!(before, b'e' | b'E'));
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || sign) {
            return at;
        }
        before = byte;
    }
    text.len()
}

/// One open bracket: where we are inside it.
#[derive(Debug, Clone)]
struct Frame<'a> {
    open: u8,
    start: usize,
    item: usize,
    key: Option<&'a str>,
    id: Option<&'a str>,
}

/// The brackets that are open, from the outside in.
struct Frames<'a> {
    text: &'a str,
    frames: Vec<Frame<'a>>,
    word: Option<Token>,
}

impl<'a> Frames<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, frames: Vec::new(), word: None }
    }

    fn slice(&self, token: Token) -> &'a str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    fn step(&mut self, token: Token) -> Result<(), Located> {
        match token.kind {
            Kind::Open(open) => {
                if self.frames.len() >= DEPTH_MAX {
                    return Err((token.start, Fault::TooDeep { limit: DEPTH_MAX }));
                }
                self.frames.push(Frame { open, start: token.start, item: 0, key: None, id: None });
            }
            Kind::Close(close) => match self.frames.pop() {
                Some(frame) if closer(frame.open) == close => {}
                Some(frame) => {
                    let (opened_line, _) = line_column(self.text, frame.start);
                    let fault = Fault::Mismatched {
                        found: char::from(close),
                        expected: char::from(closer(frame.open)),
                        opened_line,
                    };
                    return Err((token.start, fault));
                }
                None => return Err((token.start, Fault::Unopened { found: char::from(close) })),
            },
            Kind::Comma => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.item += 1;
                    frame.key = None;
                }
            }
            Kind::Colon => {
                if let (Some(word), Some(frame)) = (self.word, self.frames.last_mut()) {
                    frame.key = self.text.get(word.start..word.end);
                }
            }
            Kind::Text => {
                let text = self.slice(token).trim_matches('"');
                if let Some(frame) = self.frames.last_mut()
                    && frame.key == Some("id")
                {
                    frame.id = Some(text);
                }
            }
            Kind::Word | Kind::Number | Kind::Other => {}
        }
        self.word = (token.kind == Kind::Word).then_some(token);
        Ok(())
    }

    fn path(&self) -> String {
        let mut segments: Vec<String> = Vec::new();
        for (position, frame) in self.frames.iter().enumerate() {
            match frame.key {
                Some(key) => segments.push(key.to_owned()),
                None if frame.open == b'[' => {
                    let id = self.frames.get(position + 1).and_then(|inner| inner.id);
                    segments.push(id.map_or_else(|| frame.item.to_string(), str::to_owned));
                }
                None => {}
            }
        }
        segments.join(".")
    }
}

const fn closer(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

/// Checks brackets, depth and numbers, and finds the schema.
///
/// A quote that is missing turns text and structure around for the rest of the file: it is named before anything that
/// seems wrong because of it.
pub(super) fn scan(text: &str) -> Result<Option<SchemaText>, Located> {
    let schema = scan_brackets(text);
    match (&schema, open_text(text)) {
        // Nesting is refused as soon as it is seen, however long the file is.
        (Err((_, Fault::TooDeep { .. })), _) | (_, None) => {}
        (_, Some(open)) => return Err(open),
    }
    if schema == Ok(None) && !begins_as_a_scenario(text) {
        let found = text.trim_start().lines().next().unwrap_or_default().chars().take(30).collect();
        return Err((text.len() - text.trim_start().len(), Fault::NotAScenario { found }));
    }
    schema
}

/// The text or comment that is never closed. Of texts it is the first that runs on into the line of another field.
fn open_text(text: &str) -> Option<Located> {
    let mut tokens = Tokens::new(text);
    let mut suspect = None;
    for token in tokens.by_ref() {
        if token.kind == Kind::Text && suspect.is_none() {
            let inside = text.get(token.start..token.end).unwrap_or_default();
            suspect = inside.lines().skip(1).any(is_a_field).then_some(token.start);
        }
    }
    let (start, fault) = tokens.open?;
    Some(if fault == Fault::OpenText { (suspect.unwrap_or(start), fault) } else { (start, fault) })
}

/// Whether a line reads `name: ...` as the lines of a scenario do.
fn is_a_field(line: &str) -> bool {
    line.trim_start().split_once(':').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

/// Whether a text begins with a round bracket, or with a name and one.
fn begins_as_a_scenario(text: &str) -> bool {
    let mut kinds = Tokens::new(text).map(|token| token.kind);
    match kinds.next() {
        Some(Kind::Word) => kinds.next() == Some(Kind::Open(b'(')),
        first => first == Some(Kind::Open(b'(')),
    }
}

fn scan_brackets(text: &str) -> Result<Option<SchemaText>, Located> {
    let mut frames = Frames::new(text);
    let mut schema = None;
    let mut last = 0;
    for token in Tokens::new(text) {
        if let Some(found) = not_finite(frames.slice(token), token.kind) {
            return Err((token.start, Fault::NotFinite { found }));
        }
        frames.step(token)?;
        last = token.end;
        let top = frames.frames.len() == 1;
        if top
            && token.kind != Kind::Colon
            && frames.frames.last().and_then(|frame| frame.key) == Some("schema")
        {
            schema = schema
                .or_else(|| Some(SchemaText { text: frames.slice(token).to_owned(), offset: token.start }));
        }
    }
    match frames.frames.last() {
        None if last == 0 => Err((0, Fault::Empty)),
        None => Ok(schema),
        Some(frame) => {
            let (opened_line, _) = line_column(text, frame.start);
            let fault =
                Fault::Truncated { open: frames.frames.len(), bracket: char::from(frame.open), opened_line };
            Err((text.trim_end().len(), fault))
        }
    }
}

fn not_finite(token: &str, kind: Kind) -> Option<String> {
    let finite = match kind {
        Kind::Word => !matches!(token, "NaN" | "nan" | "inf" | "Infinity" | "infinity"),
        Kind::Number => token.replace('_', "").parse::<f64>().map_or(true, f64::is_finite),
        _ => true,
    };
    (!finite).then(|| token.to_owned())
}

/// The path of the field at a byte offset: `workload.use_cases.chat.requests_per_day`; empty at the top.
pub(super) fn field_at(text: &str, offset: usize) -> String {
    frames_at(text, offset).path()
}

/// The path of the bracket that a byte offset lies in.
pub(super) fn bracket_at(text: &str, offset: usize) -> String {
    let mut frames = frames_at(text, offset);
    if let Some(inner) = frames.frames.last_mut() {
        inner.key = None;
    }
    frames.path()
}

/// The brackets that are open at a byte offset; a name that begins there counts as the key.
fn frames_at(text: &str, offset: usize) -> Frames<'_> {
    let mut frames = Frames::new(text);
    let mut tokens = Tokens::new(text).peekable();
    while let Some(token) = tokens.next_if(|token| token.start < offset) {
        if frames.step(token).is_err() {
            return frames;
        }
    }
    if let (Some(name), Some(colon)) = (tokens.next(), tokens.next())
        && (name.kind, colon.kind) == (Kind::Word, Kind::Colon)
        && frames.step(name).is_ok()
    {
        // A colon opens and closes nothing: it cannot be refused.
        let _ = frames.step(colon);
    }
    frames
}

/// Line and column of a byte offset, both from 1, the column in characters.
pub(super) fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The byte offset of a line and column.
pub(super) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}
