//! The pages never claim more than was seen. Their tables of verdicts are written by the code here, from the
//! models; the engines find the same verdicts (`every_variant_has_just_the_verdicts_it_is_known_for…`).
//!
//! `TOCTOU_BLESS=1 cargo test -p toctou-command --test readme` writes the generated blocks anew. Read the difference before you
//! commit it.

mod fixes;
mod levels;
mod lines;
mod links;
mod page;
mod pictures;
mod table;
mod verdicts;

use page::{Block, Page};
use toctou::models::{self, Model};

/// The README is at most so long.
const LINES: usize = 200;
/// The same in bytes.
const BYTES: usize = 12_000;

/// What is generated on a model's page.
fn blocks(model: &dyn Model) -> Vec<Block> {
    let mut blocks = vec![verdicts::block(model)];
    if !model.levels().is_empty() {
        blocks.push(levels::block(model));
    }
    blocks
}

#[test]
fn the_tables_on_the_pages_are_the_models() {
    for model in models::ALL {
        let page = Page::of(*model);
        let blocks = blocks(*model);
        if page::is_blessing() {
            page.bless(&blocks);
            continue;
        }
        for block in &blocks {
            assert_eq!(
                page.found(block),
                block.text(),
                "{}: the {} should be as above at the right; to write them: TOCTOU_BLESS=1",
                page.name(),
                block.title()
            );
        }
    }
}

#[test]
fn an_edited_table_is_found_out() {
    for model in models::ALL {
        let page = Page::of(*model);
        let block = verdicts::block(*model);
        let edited = page.text().replace('✗', "✓");
        let edited = Page::new(page.name(), edited);
        assert_ne!(edited.found(&block), block.text(), "{}", model.name());
    }
}

#[test]
fn some_model_has_levels() {
    assert!(models::ALL.iter().any(|model| blocks(*model).len() == 2));
}

#[test]
fn the_pictures_on_the_pages_are_what_the_command_prints() {
    for page in &Page::all() {
        let pictures = pictures::of(page.text());
        let needs_one = page.name() == "README.md" || page.name().starts_with("models/");
        assert!(!(needs_one && pictures.is_empty()), "{} has no picture", page.name());
        for picture in pictures {
            let printed = pictures::printed(picture.asked);
            assert!(
                picture.is_in(&printed),
                "{}: `toctou show {}` prints:\n{printed}",
                page.name(),
                picture.asked
            );
        }
    }
}

/// `1, 2 and 3 clients`.
fn sizes(model: &dyn Model) -> String {
    let size = model.size();
    let numbers: Vec<String> = size.usual.iter().map(usize::to_string).collect();
    match numbers.split_last() {
        Some((last, before)) if !before.is_empty() => {
            format!("{} and {last} {}", before.join(", "), size.plural())
        }
        _ => format!("{} {}", numbers.concat(), size.plural()),
    }
}

#[test]
fn each_page_says_before_its_table_what_was_checked() {
    for model in models::ALL {
        let page = Page::of(*model);
        let before = page.before(&verdicts::block(*model));
        let section = before.rsplit("\n## ").next().unwrap_or_default();
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
        let sizes = sizes(*model);
        assert!(section.contains(&sizes), "{}: not checked with {sizes}?", page.name());
    }
}

#[test]
fn the_readme_is_one_page() {
    let readme = Page::read("README.md");
    let (lines, bytes) = (readme.text().lines().count(), readme.text().len());
    assert!(lines <= LINES, "the README has {lines} lines: at most {LINES}");
    assert!(bytes <= BYTES, "the README has {bytes} bytes: at most {BYTES}");
}

#[test]
fn the_readmes_published_fixes_are_as_the_models_say() {
    let rows = fixes::rows(Page::read("README.md").text());
    assert!(rows.len() >= 6, "a row for each published report: {rows:?}");
    for row in rows {
        assert_eq!(row.says_it_breaks, row.breaks(), "{row:?}");
    }
}

#[test]
fn the_tables_of_all_pages_fit() {
    for page in Page::all() {
        assert_eq!(lines::wide_rows(page.text()), [""; 0], "{}", page.name());
    }
}

#[test]
fn the_links_of_all_pages_lead_somewhere() {
    let pages = Page::all();
    assert!(pages.iter().any(|page| !links::of(page.text()).is_empty()));
    for page in &pages {
        assert_eq!(links::broken(page), [""; 0], "{}", page.name());
    }
}
