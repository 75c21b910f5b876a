//! A text line by line, and the cells of a line.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, Read as _};

use super::super::packed::Input;
use super::super::trace::LINE_BYTES_MAX;

/// How much further a quoted cell is followed over line ends, in bytes.
const QUOTED_BYTES_MAX: usize = 1 << 16;

/// Lines of a text, counted from 1; holds one line, or the few over which a quoted cell goes.
pub(super) struct Lines {
    reader: Input,
    line: u64,
    buffer: Vec<u8>,
    /// Read already, to be given again; `None` for one that is too long.
    ahead: VecDeque<Option<Vec<u8>>>,
}

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// A text, without its end, and its number.
    Text(u64, &'a [u8]),
    /// Longer than any row is.
    TooLong(u64),
}

impl Lines {
    pub fn new(reader: Input) -> Self {
        Self { reader, line: 0, buffer: Vec::new(), ahead: VecDeque::new() }
    }

    /// The next line that is not empty; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            match self.fill()? {
                None => return Ok(None),
                Some(false) => return Ok(Some(Line::TooLong(self.line))),
                Some(true) if self.buffer.iter().all(u8::is_ascii_whitespace) => {}
                Some(true) => return Ok(Some(Line::Text(self.line, &self.buffer))),
            }
        }
    }

    /// As [`Lines::next`], and where a quoted cell is open at a line's end the lines until it closes, if that is soon.
    pub fn next_quoted(&mut self) -> io::Result<Option<Line<'_>>> {
        match self.next()? {
            Some(Line::Text(..)) => {}
            Some(Line::TooLong(line)) => return Ok(Some(Line::TooLong(line))),
            None => return Ok(None),
        }
        let first = self.line;
        if open(&self.buffer) {
            self.close()?;
        }
        Ok(Some(Line::Text(first, &self.buffer)))
    }

    /// Appends lines until the quotes pair; takes all back if they never do.
    fn close(&mut self) -> io::Result<()> {
        let first = self.line;
        let mut row = std::mem::take(&mut self.buffer);
        let kept = row.len();
        let mut taken = Vec::new();
        let mut closed = false;
        while !closed && row.len() - kept < QUOTED_BYTES_MAX {
            match self.fill()? {
                Some(true) => {}
                Some(false) => {
                    taken.push(None);
                    break;
                }
                None => break,
            }
            row.push(b'\n');
            row.extend_from_slice(&self.buffer);
            closed = open(&self.buffer);
            taken.push(Some(std::mem::take(&mut self.buffer)));
        }
        if !closed {
            row.truncate(kept);
            for line in taken.into_iter().rev() {
                self.ahead.push_front(line);
            }
            self.line = first;
        }
        self.buffer = row;
        Ok(())
    }

    /// Reads a line; `Some(false)` for one that is too long, of which nothing is kept.
    fn fill(&mut self) -> io::Result<Option<bool>> {
        if let Some(line) = self.ahead.pop_front() {
            self.line += 1;
            let kept = line.is_some();
            self.buffer = line.unwrap_or_default();
            return Ok(Some(kept));
        }
        self.buffer.clear();
        let read = (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if read as u64 == LINE_BYTES_MAX {
            self.buffer = Vec::new();
            skip_line(&mut self.reader)?;
            return Ok(Some(false));
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        Ok(Some(true))
    }
}

fn skip_line(reader: &mut Input) -> io::Result<()> {
    loop {
        let some = reader.fill_buf()?;
        let (n, ended) = match some.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (some.len(), some.is_empty()),
        };
        reader.consume(n);
        if ended {
            return Ok(());
        }
    }
}

/// Whether a quote is open at the end.
fn open(line: &[u8]) -> bool {
    line.iter().filter(|b| **b == b'"').count() % 2 == 1
}

/// The cells of a CSV row; what is quoted is unquoted.
pub(super) fn cells<'a>(row: &'a [u8], delimiter: u8, quoted: &'a mut csv::ByteRecord) -> Vec<&'a [u8]> {
    if !row.contains(&b'"') {
        return row.split(|b| *b == delimiter).collect();
    }
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(row);
    quoted.clear();
    // Reading from memory does not fail, and rows may have any number of cells.
    let _ = reader.read_byte_record(quoted);
    quoted.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static [u8]) -> Lines {
        Lines::new(Input::new(Box::new(text)))
    }

    #[test]
    fn lines_are_counted_and_empty_ones_skipped() {
        let mut all = lines(b"a\r\n\n  \nb");
        assert_eq!(all.next().expect("reads"), Some(Line::Text(1, b"a")));
        assert_eq!(all.next().expect("reads"), Some(Line::Text(4, b"b")));
        assert_eq!(all.next().expect("reads"), None);
    }

    #[test]
    fn a_quoted_cell_may_go_over_lines_and_a_stray_quote_costs_its_own_line() {
        let mut all = lines(b"1,\"a\nb\",2\n3,\"x\n4,5\n6,7\n");
        assert_eq!(all.next_quoted().expect("reads"), Some(Line::Text(1, b"1,\"a\nb\",2")));
        assert_eq!(all.next_quoted().expect("reads"), Some(Line::Text(3, b"3,\"x")));
        assert_eq!(all.next_quoted().expect("reads"), Some(Line::Text(4, b"4,5")));
        assert_eq!(all.next_quoted().expect("reads"), Some(Line::Text(5, b"6,7")));
        assert_eq!(all.next_quoted().expect("reads"), None);
        let mut record = csv::ByteRecord::new();
        assert_eq!(cells(b"1,\"a,b\"\"\",2", b',', &mut record), [&b"1"[..], b"a,b\"", b"2"]);
    }

    #[test]
    fn a_line_without_end_is_not_kept_in_memory() {
        let endless = io::repeat(b'x').take(40_000_000).chain(&b"\nlast"[..]);
        let mut all = Lines::new(Input::new(Box::new(endless)));
        assert_eq!(all.next().expect("reads"), Some(Line::TooLong(1)));
        assert_eq!(all.next().expect("reads"), Some(Line::Text(2, b"last")));
        assert!(all.buffer.capacity() < 1 << 20);
    }
}
