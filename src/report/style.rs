//! Fourth floor, `report`: the few styles there are, and text fitted into columns. Imports anstyle.

pub(super) use crate::check::{columns, wrap};
use anstyle::{AnsiColor, Style};

pub(super) const HEAD: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const UNSURE: Style = AnsiColor::Yellow.on_default();
pub(super) const PLAIN: Style = Style::new();

/// The text in this style.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The text in this style, filled up with spaces on the right; these are left plain.
pub(super) fn cell(style: Style, text: &str, width: usize) -> String {
    let fill = width.saturating_sub(columns(text));
    format!("{style}{text}{style:#}{:fill$}", "")
}
