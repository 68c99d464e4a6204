//! Fourth floor: what a model says of itself, from the text file beside it. Imports nothing of this
//! crate but the catalogue's vocabulary.

use super::{Scenario, Variant, Verdicts};

/// What a model says of itself: a text that people read, `model.txt` beside the model.
///
/// ```text
/// lock: A lock file: one holder at a time, and somebody gets it.
///
/// # The variants, each with its origin and with what it does.
/// look-then-make: the vulnerable original
///   if it is not there, make it
/// make-new: ours
///   make it, and fail if it is there
///
/// # The scenarios.
/// clients: several clients want the lock at once
/// ```
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The model's name: `download`.
    pub name: &'static str,
    /// The system and its promise, in one or two sentences.
    pub about: &'static str,
    /// The variants of the protocol, the vulnerable original first.
    pub variants: Vec<Variant>,
    /// The scenarios: what may surround the protocol.
    pub scenarios: Vec<Scenario>,
}

impl Sheet {
    /// Reads a text: `Sheet::read(include_str!("model.txt"), &VERDICTS)`.
    ///
    /// # Panics
    ///
    /// If the text is not as above.
    pub fn read(text: &'static str, verdicts: &'static Verdicts) -> Self {
        let mut blocks = text.split("\n\n");
        let mut next = || blocks.next().expect("a title, the variants and the scenarios");
        let (name, about) = named(next().trim_end());
        let variants = verdicts.variants(next());
        let scenario = |(name, about)| Scenario { name, about };
        let scenarios = lines(next()).map(named).map(scenario).collect();
        Sheet { name, about, variants, scenarios }
    }
}

impl Verdicts {
    /// The variants of a text, as in a [`Sheet`], with their verdicts from here.
    ///
    /// # Panics
    ///
    /// If the text is not as in a sheet.
    pub fn variants(&'static self, text: &'static str) -> Vec<Variant> {
        let mut lines = lines(text);
        let mut variants = Vec::new();
        while let Some(line) = lines.next() {
            let (name, origin) = named(line);
            let about = lines.next().unwrap_or_else(|| panic!("what does {name} do?"));
            variants.push(self.variant(name, origin, about.trim_start()));
        }
        variants
    }
}

/// The lines of a text that are no comments.
fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn named(line: &'static str) -> (&'static str, &'static str) {
    line.split_once(": ").unwrap_or_else(|| panic!("no `name: …`: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    static NONE: Verdicts = Verdicts::new("");

    #[test]
    fn a_sheet_names_the_model_its_variants_and_its_scenarios() {
        let text = "lock: One: a holder.\n\n# Variants.\nlook: the original: bad\n  look\nnew: ours\n  \
                    make\n\n# Scenarios.\nclients: several\nothers: none\n";
        let Sheet { name, about, variants, scenarios } = Sheet::read(text, &NONE);
        assert_eq!((name, about), ("lock", "One: a holder."));
        let variants: Vec<_> = variants.iter().map(|it| [it.name, it.origin, it.about]).collect();
        assert_eq!(variants, [["look", "the original: bad", "look"], ["new", "ours", "make"]]);
        let scenarios: Vec<_> = scenarios.iter().map(|it| (it.name, it.about)).collect();
        assert_eq!(scenarios, [("clients", "several"), ("others", "none")]);
    }

    #[test]
    #[should_panic(expected = "what does look do?")]
    fn a_variant_of_which_nothing_is_said_is_told() {
        NONE.variants("look: the original");
    }
}
