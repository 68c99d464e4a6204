//! Second floor, `linear`: a history as intervals. Imports nothing of this crate.

use std::fmt::Write;

/// A call, to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who asks.
    pub name: String,
    /// When it began.
    pub begin: u64,
    /// When it ended; `None`: there is no answer.
    pub end: Option<u64>,
    /// What was asked and answered.
    pub told: String,
    /// Whether it is one of those that cannot be ordered.
    pub is_marked: bool,
}

/// How wide the part with the intervals is.
const BAR: usize = 32;

/// One line a call: its interval, and what was told. `width`: how many columns there are.
///
/// ```text
///   * request 1  ├──────────────┤                  POST /orders/1/cancel → 200
///   * request 2     ├────────────────┤             POST /orders/1/cancel → 200
/// ```
pub fn intervals(lines: &[Line], width: usize) -> String {
    let first = lines.iter().map(|line| line.begin).min().unwrap_or(0);
    let last = lines.iter().map(|line| line.end.unwrap_or(line.begin)).max().unwrap_or(first);
    let span = (last - first).max(1);
    let column = |moment: u64| {
        let place = u128::from(moment.saturating_sub(first)) * (BAR as u128 - 1);
        (place / u128::from(span)) as usize
    };
    let names = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for line in lines {
        let begin = column(line.begin);
        let end = line.end.map_or(BAR - 1, column).max(begin);
        let bar: String = (0..BAR)
            .map(|place| match place {
                _ if place < begin || place > end => ' ',
                _ if place == begin => '├',
                // Nobody knows when it ends.
                _ if place == end && line.end.is_none() => '┄',
                _ if place == end => '┤',
                _ if line.end.is_none() => '┄',
                _ => '─',
            })
            .collect();
        let mark = if line.is_marked { '*' } else { ' ' };
        let head = format!("  {mark} {:names$}  {bar}  ", line.name);
        let room = width.saturating_sub(head.chars().count()).max(8);
        let _ = writeln!(out, "{}", format!("{head}{}", cut(&line.told, room)).trim_end());
    }
    out
}

/// A text of at most so many columns.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let short: String = text.chars().take(room - 1).collect();
    format!("{short}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(begin: u64, end: Option<u64>, told: &str) -> Line {
        Line { name: "request 1".to_owned(), begin, end, told: told.to_owned(), is_marked: true }
    }

    #[test]
    fn intervals_keep_their_order_and_fit() {
        let told = "x".repeat(200);
        let picture = intervals(&[line(0, Some(10), "a"), line(11, Some(31), &told)], 100);
        let [first, second] = picture.lines().collect::<Vec<_>>()[..] else { panic!("{picture}") };
        assert!(picture.lines().all(|line| line.chars().count() <= 100), "{picture}");
        let place = |line: &str, of| line.chars().position(|it| it == of).unwrap();
        assert!(place(first, '┤') < place(second, '├'), "{picture}");
        assert!(second.ends_with("x…"), "{picture}");
    }

    #[test]
    fn a_call_without_an_answer_has_no_end() {
        let picture =
            intervals(&[line(0, None, ""), line(0, Some(10), ""), line(5, Some(5), "")], 100);
        let first = picture.lines().next().unwrap();
        assert!(first.ends_with('┄') && !first.contains('┤'), "{picture}");
    }
}
