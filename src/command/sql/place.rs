//! Top floor, the command: places in a file of `sql`, and what is wrong there. Imports nothing of this crate.

use std::fmt;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The offset of the place in the text.
    pub(super) at: usize,
    pub(super) said: String,
}

/// What a parser answers.
pub(super) type Parses<T> = Result<T, Wrong>;

/// Something is wrong at this offset.
pub(super) fn wrong<T>(at: usize, said: impl Into<String>) -> Parses<T> {
    Err(Wrong { at, said: said.into() })
}

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// Where this offset is in the text.
    pub(super) fn of(text: &str, at: usize) -> Place {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|it| *it != '\n').count() + 1;
        Place { line, column }
    }

    /// What stands before a text so that its places are those of the file.
    pub(super) fn padding(self) -> String {
        "\n".repeat(self.line - 1) + &" ".repeat(self.column - 1)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What a database said of a text that was [padded](Place::padding), without the text; and its own place, if it
/// gave one. `else_at`: where the text stands.
pub(super) fn in_file(words: &str, else_at: Place) -> (Place, String) {
    let found = [(" at line ", ", character "), (" at Line: ", ", Column: ")].iter().find_map(
        |(line, column)| {
            let (said, rest) = words.split_once(line)?;
            let (line, rest) = rest.split_once(column)?;
            let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let place = Place { line: line.parse().ok()?, column: column.parse().ok()? };
            Some((place, said.to_owned()))
        },
    );
    found
        .or_else(|| {
            let (said, rest) = words.split_once(" at character ")?;
            let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
            Some((Place { line: 1, column: column.parse().ok()? }, said.to_owned()))
        })
        .unwrap_or_else(|| (else_at, words.split_whitespace().collect::<Vec<_>>().join(" ")))
}
