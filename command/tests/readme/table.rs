//! Tables of Markdown, and lists, no wider than a page.

use std::fmt::Write as _;

/// A page is so many characters wide.
pub(crate) const WIDTH: usize = 100;

/// A table whose first row is its head.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn new(head: Vec<String>) -> Self {
        Table(vec![head])
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.0.push(row);
    }

    /// How wide each column is: three at least, for the rule below the head.
    fn widths(&self) -> Vec<usize> {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default().max(3)
        };
        (0..columns).map(width).collect()
    }

    /// How many characters a row takes.
    pub(crate) fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + 3 * widths.len() + 1
    }

    pub(crate) fn text(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for (index, row) in self.0.iter().enumerate() {
            let cells = row.iter().zip(&widths);
            let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
            let _ = writeln!(text, "| {} |", cells.collect::<Vec<_>>().join(" | "));
            if index == 0 {
                let rules = widths.iter().map(|width| "-".repeat(*width));
                let _ = writeln!(text, "| {} |", rules.collect::<Vec<_>>().join(" | "));
            }
        }
        text
    }
}

/// So many letters, this one first.
pub(crate) fn letters(first: char, count: usize) -> Vec<String> {
    (first..).take(count).map(String::from).collect()
}

/// Lines of at most a page's width: the first begins with `first`, the others with as many spaces.
pub(crate) fn wrapped(first: &str, text: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(lines, "{line}");
            line = indent.clone();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    let _ = writeln!(lines, "{line}");
    lines
}

#[test]
fn a_list_is_no_wider_than_a_page() {
    let text = wrapped("- ", &"word ".repeat(60));
    assert!(text.lines().count() > 1, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    assert!(text.lines().skip(1).all(|line| line.starts_with("  word")), "{text}");
}
