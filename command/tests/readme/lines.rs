//! Lines of Markdown, without those of its code.

use crate::table::WIDTH;

/// The lines outside of fenced code.
pub(crate) fn outside_of_code(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The rows of tables that are wider than a page.
pub(crate) fn wide_rows(text: &str) -> Vec<&str> {
    let rows = outside_of_code(text).filter(|line| line.trim_start().starts_with('|'));
    rows.filter(|row| row.chars().count() > WIDTH).collect()
}

#[test]
fn a_wide_row_is_found() {
    let wide = format!("| {} |", "✓ ".repeat(60));
    let text = format!("| ✓ |\n{wide}\n```text\n{wide}\n```\n");
    assert_eq!(wide_rows(&text), [wide.as_str()]);
}
