//! A source file as the checks see it: code without comments, without what is in quotes, and without its tests.

use std::path::Path;

/// A source file without comments, quoted text and tests; lines stay where they were.
pub struct Source {
    /// Path from the root, with `/`.
    pub path: String,
    code: String,
}

impl Source {
    /// Reads a file's text.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), code: without_tests(&bare(text)) }
    }

    /// The code that is left.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Numbers (from 1) of the lines for which something holds.
    pub fn lines_where(&self, holds: impl Fn(&str) -> bool) -> impl Iterator<Item = usize> {
        self.code.lines().enumerate().filter(move |(_, line)| holds(line)).map(|(line, _)| line + 1)
    }

    /// What follows `crate::`, with its line; each name of a braced list.
    pub fn crate_paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (at, matched) in self.code.match_indices("crate::") {
            if self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let line = line_of(&self.code, at);
            let rest = &self.code[at + matched.len()..];
            if let Some(list) = rest.strip_prefix('{') {
                found.extend(heads(list).into_iter().map(|name| (line, name)));
            } else {
                found.extend(head(rest).map(|name| (line, name)));
            }
        }
        found
    }
}

/// A function and how many lines it takes, its signature included.
pub struct Function {
    /// Its name.
    pub name: String,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
}

/// The functions with a body.
pub fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, word) in words(code) {
        if word != "fn" {
            continue;
        }
        let Some(name) = head(code[at + 2..].trim_start()) else { continue };
        let Some(end) = body_end(&code[at..]) else { continue };
        found.push(Function { name, lines: code[at..at + end].lines().count() });
    }
    found
}

/// Where the first braced block ends; none when a `;` comes first at depth zero.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut others) = (0_i32, 0_i32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            ';' if braces == 0 && others == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The words of a text with where they start.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(is_word)?;
        let end = start + text[start..].find(|c| !is_word(c)).unwrap_or(text.len() - start);
        rest = end;
        Some((start, &text[start..end]))
    })
}

/// The line (from 1) of a place in a text.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The arguments of a type, from its `<`.
pub fn type_arguments(code: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for c in code.chars() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 1 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| part.trim_start_matches('<').trim().to_owned()).collect()
}

fn head(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The first names of a braced list of paths, from after its brace.
fn heads(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut fresh) = (0, true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if c.is_whitespace() => {}
            _ if fresh => {
                names.extend(head(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// The files and folders of modules that a file declares for tests only.
pub fn test_files(path: &str, text: &str) -> Vec<String> {
    let own = Path::new(path);
    let folder = match own.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "lib.rs" | "main.rs") => own.with_file_name(""),
        _ => own.with_extension(""),
    };
    let folder = folder.to_string_lossy().trim_end_matches('/').to_owned();
    let code = bare(text);
    let mut found = Vec::new();
    for (at, mark) in code.match_indices("#[cfg(test)]") {
        let rest = code[at + mark.len()..].trim_start();
        let rest = rest.strip_prefix("pub(crate) ").or(rest.strip_prefix("pub ")).unwrap_or(rest);
        let Some(name) = rest.strip_prefix("mod ").and_then(head) else { continue };
        if rest["mod ".len() + name.len()..].trim_start().starts_with(';') {
            found.extend([format!("{folder}/{name}.rs"), format!("{folder}/{name}/")]);
        }
    }
    found
}

/// Blanks every item that is marked for tests only.
fn without_tests(code: &str) -> String {
    let mut left = code.to_owned();
    while let Some(at) = left.find("#[cfg(test)]") {
        let item = &left[at..];
        let end = match body_end(item) {
            Some(end) => end,
            None => item.find(';').map_or(item.len(), |end| end + 1),
        };
        let blank: String = item[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        left.replace_range(at..at + end, &blank);
    }
    left
}

/// Blanks comments and what is in quotes; lines stay where they were.
fn bare(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or quote that starts here ends; here when none starts.
fn skip(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match (chars[at], next) {
        ('/', Some('/')) => position(chars, at, |c| c == '\n'),
        ('/', Some('*')) => block_comment_end(chars, at),
        ('"', _) => quote_end(chars, at),
        ('\'', _) => char_end(chars, at),
        ('r', Some('"' | '#')) if at == 0 || !is_word(chars[at - 1]) || chars[at - 1] == 'b' => {
            raw_end(chars, at)
        }
        _ => at,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn position(chars: &[char], from: usize, is: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|c| is(*c)).map_or(chars.len(), |offset| from + offset)
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut here) = (0, at);
    while here < chars.len() {
        match (chars[here], chars.get(here + 1)) {
            ('/', Some('*')) => (depth, here) = (depth + 1, here + 2),
            ('*', Some('/')) => (depth, here) = (depth - 1, here + 2),
            _ => here += 1,
        }
        if depth == 0 {
            return here;
        }
    }
    here
}

fn quote_end(chars: &[char], at: usize) -> usize {
    let mut here = at + 1;
    while here < chars.len() {
        match chars[here] {
            '\\' => here += 2,
            '"' => return here + 1,
            _ => here += 1,
        }
    }
    chars.len()
}

/// The end of a character; a lifetime ends where it starts.
fn char_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => (position(chars, at + 3, |c| c == '\'') + 1).min(chars.len()),
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = position(chars, at + 1, |c| c != '#') - (at + 1);
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let mut here = at + 2 + hashes;
    while here < chars.len() {
        let close = (1..=hashes).all(|offset| chars.get(here + offset) == Some(&'#'));
        if chars[here] == '"' && close {
            return here + 1 + hashes;
        }
        here += 1;
    }
    chars.len()
}
