//! The README's table of published fixes: a row names a case and one or more of its variants, and says of them
//! whether they hold.

use toctou::models::{self, Variant};

use crate::lines::outside_of_code;

/// A row: ``| [download] | `rename-fixed-name` | ✗ when … |``.
#[derive(Debug)]
pub(crate) struct Row {
    variants: Vec<&'static Variant>,
    pub(crate) says_it_breaks: bool,
}

impl Row {
    /// Whether each of its fixes breaks in some scenario. They all do, or none does.
    pub(crate) fn breaks(&self) -> bool {
        let breaks = |variant: &&&Variant| variant.breaks().next().is_some();
        let broken = self.variants.iter().filter(breaks).count();
        assert!(broken == 0 || broken == self.variants.len(), "two verdicts in one row: {self:?}");
        broken > 0
    }
}

/// The rows whose first cell is a link that goes by a model's name.
pub(crate) fn rows(readme: &str) -> Vec<Row> {
    outside_of_code(readme).filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.strip_prefix("| [")?.split(" | ");
    let name = cells.next()?.trim_end().strip_suffix(']')?;
    let fixes = cells.next().expect("the second cell names the fixes");
    let verdict = cells.next().expect("the third cell says whether they hold");
    let model = models::ALL.iter().find(|model| model.name() == name);
    let model = model.unwrap_or_else(|| panic!("there is no model {name}"));
    let variant = |named: &str| model.variants().iter().find(|variant| variant.name == named);
    let variants: Vec<_> = fixes
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|named| variant(named).unwrap_or_else(|| panic!("{name} has no variant {named}")))
        .collect();
    assert!(!variants.is_empty(), "no fix is named: {line}");
    Some(Row { variants, says_it_breaks: verdict.starts_with('✗') })
}

#[test]
fn a_row_that_says_otherwise_is_found_out() {
    let rows = rows("| [download] | `rename-fixed-name` | ✓ | – |\n");
    assert_eq!(rows.len(), 1);
    assert!(rows.iter().all(|row| row.says_it_breaks != row.breaks()));
}
