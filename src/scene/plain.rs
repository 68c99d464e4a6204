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

#[cfg(test)]
mod tests {
    use super::super::sections;

    /// A world of one's own.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Shelf {
        books: u32,
        names: Vec<&'static str>,
    }

    #[test]
    fn a_world_of_ones_own_is_told_by_its_parts() {
        let told = |world: &[super::Section]| {
            let rows = world.iter().flat_map(|section| &section.rows);
            rows.map(|row| row.cells.join(" = ")).collect::<Vec<_>>()
        };
        let shelf = Shelf { books: 2, names: vec!["a", "b"] };
        assert_eq!(told(&sections(&shelf)), ["books = 2", "names = [\"a\", \"b\"]"]);
        assert_eq!(told(&sections(&7u32)), ["all of it = 7"]);
        assert_eq!(told(&sections(&(1u32, true))), ["0 = 1", "1 = true"]);
    }
}
