//! Fourth floor, `report`: one HTML page that shows what was found, and lets a person explore it. Imports
//! [`check`](crate::check), [`scene`](crate::scene) and [`survey`](crate::survey).
//!
//! The page is one file. It loads nothing and works from the disk. In it are the matrix of verdicts as JSON
//! and, for each cell, what there is to see of it: compressed, and unpacked when a person opens it.

mod cell;
mod index;
mod own;
mod pack;

use crate::survey::Survey;
use index::Index;

/// The page without what is shown in it.
const PAGE: &str = include_str!("index.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 8] = [
    include_str!("marks.js"),
    include_str!("scene.js"),
    include_str!("svg.js"),
    include_str!("world.js"),
    include_str!("execution.js"),
    include_str!("view.js"),
    include_str!("matrix.js"),
    include_str!("page.js"),
];

/// Systems of up to so many states can be explored in the page. Of larger ones it has the counterexamples, and
/// what else could be done at each step.
pub const EXPLORABLE: usize = 3_000;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// What is to be shown cannot be told as JSON.
    #[error("cannot tell what was found as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The page of all systems of a survey: a section for each model, a cell for each variant in each scenario.
pub fn page(survey: &Survey) -> Result<String, PageError> {
    let (index, cells) = Index::of(survey);
    filled(&index, &cells)
}

/// The page with this in it.
fn filled(index: &Index, cells: &[cell::Cell]) -> Result<String, PageError> {
    let cells: Result<Vec<String>, _> = cells.iter().map(pack::packed).collect();
    let scripts = SCRIPTS.join("\n");
    // What is not known when this is compiled comes last, so that nothing in it is taken for a place.
    let page = PAGE
        .replacen("/*STYLE*/", STYLE, 1)
        .replacen("/*SCRIPT*/", &scripts, 1)
        .replacen("/*CELLS*/", &cells?.join("\n"), 1)
        .replacen("/*INDEX*/", &pack::embedded(index)?, 1);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_page_has_its_place() {
        for place in ["/*STYLE*/", "/*SCRIPT*/", "/*INDEX*/", "/*CELLS*/"] {
            assert_eq!(PAGE.matches(place).count(), 1, "{place}");
        }
        for part in SCRIPTS.iter().chain([&STYLE]) {
            assert!(!part.contains("/*INDEX*/") && !part.contains("</script"), "{part}");
        }
    }
}
