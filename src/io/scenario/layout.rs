//! How a file is laid out: what fits on a line stands on one, the rest one item per line, four spaces deep.

use super::scan::{Kind, Token, Tokens};

/// Columns that a line may fill.
const WIDTH: usize = 100;

/// Numbers on a line of a long list: half a day of a weekly profile.
const NUMBERS_PER_LINE: usize = 12;

const INDENT: &str = "    ";

/// Lays out RON text that holds no comments.
pub(super) fn pretty(text: &str) -> String {
    let tokens: Vec<Token> = Tokens::new(text).collect();
    let mut writer = Writer { text, tokens: &tokens, out: String::with_capacity(text.len()) };
    writer.run(0..tokens.len(), 0);
    writer.out.push('\n');
    writer.out
}

struct Writer<'a> {
    text: &'a str,
    tokens: &'a [Token],
    out: String,
}

impl Writer<'_> {
    fn slice(&self, at: usize) -> &str {
        self.tokens.get(at).and_then(|token| self.text.get(token.start..token.end)).unwrap_or_default()
    }

    fn kind(&self, at: usize) -> Kind {
        self.tokens.get(at).map_or(Kind::Other, |token| token.kind)
    }

    /// Writes a run of tokens that stands on one line, except for the brackets that are too long for it.
    fn run(&mut self, range: std::ops::Range<usize>, level: usize) {
        let mut at = range.start;
        while at < range.end {
            if !matches!(self.kind(at), Kind::Open(_)) {
                let word = self.slice(at).to_owned();
                self.out.push_str(&word);
                if self.kind(at) == Kind::Colon {
                    self.out.push(' ');
                }
                at += 1;
                continue;
            }
            let close = self.close_of(at);
            let flat = self.flat(at..close + 1);
            let used = self.out.rsplit('\n').next().map_or(0, |line| line.chars().count());
            if !flat.contains('\n') && used + flat.chars().count() < WIDTH {
                self.out.push_str(&flat);
            } else {
                self.block(at, close, level);
            }
            at = close + 1;
        }
    }

    /// Writes a bracket with an item per line.
    fn block(&mut self, open: usize, close: usize, level: usize) {
        let bracket = self.slice(open).to_owned();
        self.out.push_str(&bracket);
        let items = self.items(open + 1..close);
        let numbers = items.iter().all(|item| item.len() == 1 && self.kind(item.start) == Kind::Number);
        for (position, item) in items.into_iter().enumerate() {
            if numbers && position % NUMBERS_PER_LINE != 0 {
                self.out.push(' ');
            } else {
                self.out.push('\n');
                self.out.push_str(&INDENT.repeat(level + 1));
            }
            self.run(item, level + 1);
            self.out.push(',');
        }
        self.out.push('\n');
        self.out.push_str(&INDENT.repeat(level));
        let bracket = self.slice(close).to_owned();
        self.out.push_str(&bracket);
    }

    /// The items between two brackets, split at their commas.
    fn items(&self, range: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
        let (mut items, mut start, mut at) = (Vec::new(), range.start, range.start);
        while at < range.end {
            match self.kind(at) {
                Kind::Open(_) => at = self.close_of(at),
                Kind::Comma => {
                    items.push(start..at);
                    start = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        if start < range.end {
            items.push(start..range.end);
        }
        items
    }

    fn close_of(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in open..self.tokens.len() {
            match self.kind(at) {
                Kind::Open(_) => depth += 1,
                Kind::Close(_) => {
                    depth -= 1;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    fn flat(&self, range: std::ops::Range<usize>) -> String {
        let mut out = String::new();
        for at in range {
            match self.kind(at) {
                Kind::Comma if matches!(self.kind(at + 1), Kind::Close(_)) => {}
                Kind::Comma => out.push_str(", "),
                Kind::Colon => out.push_str(": "),
                _ => out.push_str(self.slice(at)),
            }
        }
        out
    }
}
