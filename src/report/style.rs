//! Fourth floor, `report`: the few styles there are, and text fitted into columns. Imports anstyle.

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

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Breaks a text into lines of at most `width` columns: at spaces where there are any, within a
/// word where it is longer than a line. Lines after the first are indented.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let indent = if width > 12 { "  " } else { "" };
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        let space = usize::from(!line.trim().is_empty());
        if columns(&line) + space + columns(word) > width && space == 1 {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        }
        // Longer than any line.
        while columns(&line) + columns(word) > width.max(4) {
            let room = width.max(4) - columns(&line);
            let cut = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
            let cut = word[..cut].rfind('/').map_or(cut, |slash| slash + 1);
            line.push_str(&word[..cut]);
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            word = &word[cut..];
        }
        if !line.trim().is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_spaces_or_else_within_words() {
        let call = "rename(key/content → key/content.download) = ok";
        assert_eq!(wrap(call, 60), [call]);
        assert_eq!(wrap(call, 28), ["rename(key/content →", "  key/content.download) = ok"]);
        for width in 4..60 {
            let lines = wrap(call, width);
            assert!(lines.iter().all(|line| columns(line) <= width), "{width}: {lines:?}");
            let squeezed = |text: &str| text.replace(' ', "");
            assert_eq!(squeezed(&lines.concat()), squeezed(call));
        }
    }
}
