//! Fourth floor, `report`: columns fitted into the width there is. Imports its neighbours in
//! `report`.

use std::fmt::Write;
use std::ops::Range;

use super::WIDTH;
use super::style::{FAINT, columns, paint};

/// What stands before every line of a table.
pub(super) const INDENT: usize = 2;

/// A column is never narrower, so that signs do not stand shoulder to shoulder.
const NARROWEST: usize = 4;

/// In more lines than this, a heading is no longer read as one.
const MOST_LINES: usize = 3;

/// How the columns of a table are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Each heading, line by line.
    pub(super) heads: Vec<Vec<String>>,
    /// How wide each column is.
    pub(super) widths: Vec<usize>,
    /// Spaces before each column.
    pub(super) gap: usize,
    /// Which columns stand beside one another; the names of the rows stand before each of these.
    pub(super) blocks: Vec<Range<usize>>,
}

impl Layout {
    /// Fits columns of these headings, and of cells that are at most so wide, beside names of this
    /// width: with headings as flat as possible, then with less space between the columns, and where
    /// nothing else helps one block below the other.
    pub(super) fn of(heads: &[(&str, usize)], name: usize) -> Layout {
        let with = |lines: usize, gap: usize| {
            let broken: Vec<Vec<String>> =
                heads.iter().map(|(head, _)| broken(head, lines)).collect();
            let widths: Vec<usize> = broken
                .iter()
                .zip(heads)
                .map(|(lines, (_, cells))| widest(lines).max(*cells).max(NARROWEST))
                .collect();
            let all = 0..widths.len();
            Layout { heads: broken, widths, gap, blocks: vec![all] }
        };
        let ways = [(2, 2), (MOST_LINES, 2), (MOST_LINES, 1)];
        let mut layouts = ways.into_iter().map(|(lines, gap)| with(lines, gap));
        let fitting = layouts.find(|layout| layout.width(name, 0..heads.len()) <= WIDTH);
        fitting.unwrap_or_else(|| with(2, 2).in_blocks(name))
    }

    /// How wide lines of these columns are.
    pub(super) fn width(&self, name: usize, block: Range<usize>) -> usize {
        let columns = self.widths[block].iter().map(|width| self.gap + width);
        INDENT + name + columns.sum::<usize>()
    }

    /// The headings of these columns, beside which names of this width will stand.
    pub(super) fn tell_heads(&self, out: &mut String, block: Range<usize>, name: usize) {
        let (heads, widths) = (&self.heads[block.clone()], &self.widths[block]);
        for line in 0..heads.iter().map(Vec::len).max().unwrap_or(0) {
            let mut told = format!("  {:name$}", "");
            for (lines, width) in heads.iter().zip(widths) {
                let text = lines.get(line).map_or("", String::as_str);
                let _ = write!(told, "{:1$}{text:width$}", "", self.gap);
            }
            let _ = writeln!(out, "{}", paint(FAINT, told.trim_end()));
        }
    }

    /// As many columns beside one another as there is room for, and at least one.
    fn in_blocks(mut self, name: usize) -> Layout {
        self.blocks.clear();
        let mut start = 0;
        for end in 1..=self.widths.len() {
            let is_last = end == self.widths.len();
            if is_last || self.width(name, start..end + 1) > WIDTH {
                self.blocks.push(start..end);
                start = end;
            }
        }
        self
    }
}

fn widest(lines: &[String]) -> usize {
    lines.iter().map(|line| columns(line)).max().unwrap_or(0)
}

/// A heading, broken after hyphens and at spaces into as few lines, of at most so many, as make it
/// as narrow as it can be.
fn broken(head: &str, most: usize) -> Vec<String> {
    let whole = vec![head.to_owned()];
    if most <= 1 {
        return whole;
    }
    let breaks = head.char_indices().filter(|(_, letter)| matches!(letter, '-' | ' '));
    let ways = breaks.map(|(at, _)| {
        let (first, rest) = head.split_at(at + 1);
        let mut lines = vec![first.trim_end().to_owned()];
        lines.extend(broken(rest, most - 1));
        lines
    });
    ways.chain([whole.clone()]).min_by_key(|lines| (widest(lines), lines.len())).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(heads: &[&str], name: usize) -> Layout {
        let heads: Vec<_> = heads.iter().map(|head| (*head, 3)).collect();
        Layout::of(&heads, name)
    }

    const LONG: [&str; 8] = [
        "deadlock-free",
        "secret-stays-secret",
        "others-untouched",
        "symlink-survives",
        "refuses-without-force",
        "success-is-private",
        "all-or-nothing",
        "all reached",
    ];

    #[test]
    fn a_heading_is_broken_where_it_becomes_narrowest_and_no_more_often_than_that() {
        assert_eq!(broken("at-most-once", 2), ["at-most-", "once"]);
        assert_eq!(broken("any number", 2), ["any", "number"]);
        assert_eq!(broken("refuses-without-force", 2), ["refuses-", "without-force"]);
        assert_eq!(broken("refuses-without-force", 3), ["refuses-", "without-", "force"]);
        assert_eq!(broken("all-or-nothing", 3), ["all-or-", "nothing"]);
        assert_eq!(broken("whole", 3), ["whole"]);
    }

    #[test]
    fn headings_of_two_lines_are_left_at_that_where_they_fit() {
        let layout = layout(&["deadlock-free", "refuses-without-force", "all reached"], 22);
        assert_eq!(layout.gap, 2);
        assert_eq!(layout.widths, [9, 13, 7]);
    }

    #[test]
    fn seven_long_headings_fit_with_a_third_line() {
        let layout = layout(&LONG[..7], 22);
        assert!(layout.heads.iter().any(|lines| lines.len() == 3));
        assert_eq!((layout.gap, layout.blocks.len()), (2, 1));
        assert!(layout.width(22, 0..7) <= WIDTH);
    }

    #[test]
    fn eight_long_headings_beside_names_of_22_letters_fit_in_one_block() {
        let layout = layout(&LONG, 22);
        assert_eq!((layout.gap, layout.blocks.len()), (1, 1));
        assert!(layout.width(22, 0..8) <= WIDTH);
    }

    #[test]
    fn what_does_not_fit_goes_below_in_a_block_of_its_own() {
        let twice: Vec<&str> = LONG.into_iter().chain(LONG).collect();
        let layout = layout(&twice, 30);
        let shown: Vec<usize> = layout.blocks.iter().cloned().flatten().collect();
        assert_eq!(shown, (0..16).collect::<Vec<_>>(), "every column once, in order");
        for block in &layout.blocks {
            assert!(layout.width(30, block.clone()) <= WIDTH);
        }
        // Even where a single column is too wide, it is shown.
        assert_eq!(super::Layout::of(&[("a", 200), ("b", 200)], 10).blocks, [0..1, 1..2]);
    }
}
