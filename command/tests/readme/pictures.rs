//! The pictures on the pages: what `toctou show` printed for the command that is named above.

use std::process::Command;

/// What a page says that a command prints.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Picture<'t> {
    /// `download/open-then-remove --scenario clients`: what is asked of `show`.
    pub(crate) asked: &'t str,
    text: &'t str,
}

const SHOW: &str = "`toctou show ";
const FENCE: &str = "\n```text\n";

/// The pictures of a page: fenced text whose first line is a system's name. The command is the last one named
/// before it.
pub(crate) fn of(page: &str) -> Vec<Picture<'_>> {
    page.match_indices(FENCE).filter_map(|(at, _)| picture(page, at)).collect()
}

fn picture(page: &str, at: usize) -> Option<Picture<'_>> {
    let (text, _) = page[at + FENCE.len()..].split_once("```")?;
    if !text.lines().next()?.contains(" · ") {
        return None;
    }
    let (_, asked) = page[..at].rsplit_once(SHOW)?;
    let (asked, _) = asked.split_once('`')?;
    Some(Picture { asked, text })
}

impl Picture<'_> {
    /// Whether it is among what the command prints.
    pub(crate) fn is_in(&self, printed: &str) -> bool {
        lines(printed).contains(&lines(self.text))
    }
}

/// The same without spaces at the ends of lines.
fn lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What `toctou show` prints.
pub(crate) fn printed(asked: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_toctou"))
        .arg("show")
        .args(asked.split_whitespace())
        .output();
    let output = output.expect("the command is there");
    assert!(output.status.success(), "{asked}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a picture is text")
}

#[test]
fn a_picture_that_is_not_printed_is_found_out() {
    let page = "See `toctou show a/b`, or `toctou show c/d --scenario e`:\n\n```text\nc/d · e · 2 clients\n\n\
                1 open  \n```\n";
    let pictures = of(page);
    let [picture] = pictures.as_slice() else { panic!("one picture: {pictures:?}") };
    assert_eq!(picture.asked, "c/d --scenario e");
    assert!(picture.is_in("c/d · e · 2 clients\n\n1 open\n"));
    assert!(!picture.is_in("c/d · e · 2 clients\n\n1 close\n"));
}
