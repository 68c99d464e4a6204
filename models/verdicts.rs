//! Fourth floor: the verdicts that a model is known for, from the text file beside it. Imports nothing of
//! this crate but the catalogue's vocabulary.

use std::fmt::Write as _;
use std::sync::OnceLock;

use super::Variant;

/// What the variants of a model are known to break: a text that people review, `verdicts.txt` beside the
/// model. `toctou check --bless` writes it.
///
/// ```text
/// # Anything.
/// open-then-remove
///   clients: at-most-once 2, exactly-once 2
/// ```
///
/// A variant begins its line. Those beneath it are indented: a scenario, and each property that breaks in
/// it with the smallest size of which it does.
#[derive(Debug)]
pub struct Verdicts {
    text: &'static str,
    read: OnceLock<Result<Vec<Known>, BadVerdicts>>,
}

/// A property that a variant is known to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaks<'t> {
    /// In which scenario.
    pub scenario: &'t str,
    /// Which property.
    pub property: &'t str,
    /// From which size on: how many clients, for most models.
    pub from_size: usize,
}

/// A line that says nothing of what a variant breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the recorded verdicts: {why}: {text:?}")]
pub struct BadVerdicts {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
    /// Its text.
    pub text: String,
}

/// Of a variant of this name.
type Known = (&'static str, Breaks<'static>);

impl Verdicts {
    /// Those of a text: `Verdicts::new(include_str!("verdicts.txt"))`.
    pub const fn new(text: &'static str) -> Self {
        Verdicts { text, read: OnceLock::new() }
    }

    /// A variant whose verdicts stand here.
    pub const fn variant(
        &'static self,
        name: &'static str,
        origin: &'static str,
        about: &'static str,
    ) -> Variant {
        Variant { name, origin, about, verdicts: self }
    }

    /// Whether the text is as it has to be.
    pub fn check(&self) -> Result<(), &BadVerdicts> {
        self.known().map(drop)
    }

    /// What a variant of this name breaks.
    ///
    /// # Panics
    ///
    /// If the text is not as it has to be; [`check`](Verdicts::check) says so before.
    pub fn of(&self, variant: &str) -> impl Iterator<Item = Breaks<'static>> {
        let known = self.known().unwrap_or_else(|bad| panic!("{bad}"));
        known.iter().filter(move |(of, _)| *of == variant).map(|(_, breaks)| *breaks)
    }

    fn known(&self) -> Result<&[Known], &BadVerdicts> {
        self.read.get_or_init(|| read(self.text)).as_deref()
    }
}

fn read(text: &'static str) -> Result<Vec<Known>, BadVerdicts> {
    let (mut all, mut variant) = (Vec::new(), None);
    let lines = text.lines().enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let bad = |why| BadVerdicts { line: index + 1, why, text: line.to_owned() };
        if !line.starts_with(char::is_whitespace) {
            variant = Some(line.trim_end());
            continue;
        }
        let variant = variant.ok_or_else(|| bad("of which variant?"))?;
        let (scenario, properties) =
            line.trim().split_once(": ").ok_or_else(|| bad("no `scenario: property size`"))?;
        for broken in properties.split(',') {
            let broken = broken.trim().rsplit_once(' ');
            let (property, size) = broken.ok_or_else(|| bad("no size after a property"))?;
            let from_size = size.parse().map_err(|_| bad("no size after a property"))?;
            all.push((variant, Breaks { scenario, property, from_size }));
        }
    }
    Ok(all)
}

/// The text that says so: what each of these variants breaks, in this order. Those that break nothing are
/// left out.
pub fn verdicts_text<'t>(variants: impl IntoIterator<Item = (&'t str, Vec<Breaks<'t>>)>) -> String {
    let mut text = "# What each variant breaks, in which scenario, and from which size on (how many clients, for most models).\n\
         # All else holds. Written by `toctou check --bless models`; read what differs before it is committed.\n"
        .to_owned();
    for (variant, breaks) in variants {
        let mut scenario = None;
        for (index, broken) in breaks.iter().enumerate() {
            let _ = match (index, scenario == Some(broken.scenario)) {
                (0, _) => write!(text, "\n{variant}\n  {}: ", broken.scenario),
                (_, true) => write!(text, ", "),
                (_, false) => write!(text, "\n  {}: ", broken.scenario),
            };
            scenario = Some(broken.scenario);
            let _ = write!(text, "{} {}", broken.property, broken.from_size);
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    static TEXT: &str = "# Anything.\n\nfirst at a level, retried\n  clients: at-most-once 2, exactly-once 3\n  \
                         others: at-most-once 1\nsecond\n  clients: at-most-once 0\n";

    #[test]
    fn a_text_says_what_each_variant_breaks() {
        let verdicts = Verdicts::new(TEXT);
        assert_eq!(verdicts.check(), Ok(()));
        let first: Vec<_> = verdicts.of("first at a level, retried").collect();
        let breaks = |scenario, property, from_size| Breaks { scenario, property, from_size };
        let expected = [
            breaks("clients", "at-most-once", 2),
            breaks("clients", "exactly-once", 3),
            breaks("others", "at-most-once", 1),
        ];
        assert_eq!(first, expected);
        assert_eq!(verdicts.of("third").count(), 0);
        let all = ["first at a level, retried", "second", "third"];
        let again = verdicts_text(all.map(|name| (name, verdicts.of(name).collect())));
        let bare = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
            lines.map(str::to_owned).collect()
        };
        assert_eq!(bare(&again), bare(TEXT));
    }

    #[test]
    fn a_line_that_says_nothing_is_told() {
        for (text, line, why) in [
            ("  clients: at-most-once 2", 1, "of which variant?"),
            ("one\n\n  clients at-most-once 2", 3, "no `scenario: property size`"),
            ("one\n  clients: at-most-once", 2, "no size after a property"),
            ("one\n  clients: at-most-once 2, exactly-once many", 2, "no size after a property"),
        ] {
            let verdicts = Verdicts::new(text);
            let bad = verdicts.check().expect_err(text);
            assert_eq!((bad.line, bad.why), (line, why), "{text:?}");
        }
        let told = Verdicts::new("one\n  two").check().map_err(BadVerdicts::to_string);
        assert_eq!(
            told,
            Err("line 2 of the recorded verdicts: no `scenario: property size`: \"  two\""
                .to_owned())
        );
    }
}
