//! The links of a page, and whether they lead somewhere.

use std::fs;
use std::path::Path;

use crate::lines::outside_of_code;
use crate::page::{Page, path};

/// Where the links of a text lead, those of its code excepted: what stands between `](` and `)`, or after the
/// `]: ` of a definition.
pub(crate) fn of(text: &str) -> Vec<&str> {
    outside_of_code(text).flat_map(|line| of_line(line).chain(defined(line))).collect()
}

/// `[name]: target`
fn defined(line: &str) -> Option<&str> {
    Some(line.strip_prefix('[')?.split_once("]: ")?.1)
}

fn of_line(line: &str) -> impl Iterator<Item = &str> {
    // Every second piece stands between backticks. A link's text may stand between them, too, and then the link
    // itself begins a piece that does not.
    let pieces = line.split('`').step_by(2);
    pieces.flat_map(|piece| {
        piece.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
    })
}

/// The relative links of a page that lead to no file, or to no heading of it.
pub(crate) fn broken(page: &Page) -> Vec<String> {
    let links = of(page.text()).into_iter();
    links.filter(|link| !is_whole(page, link)).map(str::to_owned).collect()
}

fn is_whole(page: &Page, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() {
        return has_heading(page.text(), anchor);
    }
    let folder = Path::new(page.name()).parent().unwrap_or(Path::new(""));
    let target = path("").join(folder).join(file);
    match anchor {
        "" => target.exists(),
        anchor => fs::read_to_string(target).is_ok_and(|text| has_heading(&text, anchor)),
    }
}

fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = outside_of_code(text).filter(|line| line.starts_with('#'));
    headings.map(|line| slug(line.trim_start_matches('#').trim())).any(|slug| slug == anchor)
}

/// A heading as it is called in an address.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_link_is_found() {
        let text = "# A page\n\n[here](#a-page), [there](LICENSE-MIT), [`so`](README.md), \
                    [far](https://example.com/)\n\
                    [nowhere](no/such/file.md), [no heading](#none), [nor there](README.md#none)\n\
                    `[code](is/none.md)`\n```\n[nor](this.md)\n```\n[defined]: nor/here.md\n";
        let page = Page::new("a-page.md", text.to_owned());
        assert_eq!(of(text).len(), 8);
        let nowhere = ["no/such/file.md", "#none", "README.md#none", "nor/here.md"];
        assert_eq!(broken(&page), nowhere);
    }

    #[test]
    fn a_link_is_relative_to_its_page() {
        let page = Page::new("docs/a-page.md", "[up](../README.md), [here](README.md)".to_owned());
        assert_eq!(broken(&page), ["README.md"]);
    }

    #[test]
    fn a_heading_is_called_as_it_is_on_the_web() {
        assert_eq!(slug("What `show` prints, and why"), "what-show-prints-and-why");
    }
}
