//! Tables of text, aligned for a terminal.

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table of text. Columns are as wide as their widest cell, two blanks apart; nothing is cut. A column in which no row
/// says anything is left out.
///
/// ```
/// use breakeven::report::{Align, Table};
/// let mut table = Table::new(&[("Plan", Align::Left), ("Cost", Align::Right)]);
/// table.row(["API", "$820"]);
/// table.row(["Own GPUs", "$2,160"]);
/// assert_eq!(table.to_string(), "Plan        Cost\nAPI         $820\nOwn GPUs  $2,160\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(title, align)| ((*title).to_owned(), *align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; cells that are missing are blank, cells beyond the last column are left out.
    pub fn row<I: IntoIterator<Item: Into<String>>>(&mut self, cells: I) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether no row was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let heading: Vec<String> = self.columns.iter().map(|(title, _)| title.clone()).collect();
        let lines = || std::iter::once(&heading).chain(&self.rows);
        let width_of = |column: usize| {
            lines().filter_map(|cells| cells.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let says = |column: &usize| {
            self.rows.is_empty()
                || self.rows.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty()))
        };
        let shown: Vec<(usize, Align, usize)> = (0..self.columns.len())
            .filter(says)
            .map(|column| (column, self.columns[column].1, width_of(column)))
            .collect();
        for cells in lines() {
            let mut line = String::new();
            for (place, (column, align, width)) in shown.iter().copied().enumerate() {
                let cell = cells.get(column).map_or("", String::as_str);
                let gap = if place == 0 { "" } else { "  " };
                match align {
                    Align::Left => line.push_str(&format!("{gap}{cell:<width$}")),
                    Align::Right => line.push_str(&format!("{gap}{cell:>width$}")),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_in_which_no_row_says_anything_is_left_out() {
        let mut table = Table::new(&[("Plan", Align::Left), ("Band", Align::Right), ("Cost", Align::Right)]);
        table.row(["API", "", "$1"]);
        table.row(["Own", "", "$12"]);
        assert_eq!(table.to_string(), "Plan  Cost\nAPI     $1\nOwn    $12\n");
        assert_eq!(Table::new(&[("Plan", Align::Left)]).to_string(), "Plan\n");
    }
}
