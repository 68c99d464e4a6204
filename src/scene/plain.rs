//! Fourth floor, `scene`: a world of one's own, by its `Debug` form. Imports [`check`](crate::check).

use super::Section;
use crate::check::fields;

/// What the world consists of: its fields, entries or elements.
pub(super) fn section(value: &str) -> Section {
    let mut section = Section::new("World", &["part", "value"]);
    for (name, value) in fields(value) {
        let name = if name.is_empty() { "all of it".to_owned() } else { name };
        section.row(name.clone(), vec![name, value]);
    }
    section
}
