//! Ground floor: which thing a line of a trace speaks of. Imports nothing.
//!
//! A world numbers its things as it likes, and two worlds number the same things differently. So a
//! call is told with a *mark* where its line could say which thing it was, and the marks of a trace are
//! [resolved](resolve) once the trace is complete: things are numbered as they appear, and a number is
//! shown only where a reader could take one thing for another. Both worlds then tell the same line if
//! it was the same thing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

/// Around a mark and between its parts: no text that is shown to a person has these in it.
const OPEN: char = '\u{1}';
const PART: char = '\u{2}';
const CLOSE: char = '\u{3}';

/// A place in a line that says which thing it speaks of, where that has to be said.
pub(crate) struct Mark<N> {
    /// The thing, as its world numbers it.
    pub(crate) thing: (u64, u64),
    /// What it is called in this line, if it is called anything.
    pub(crate) name: Option<N>,
    /// What stands here where it needs no number: `ok`.
    pub(crate) plain: &'static str,
    /// What it is, which stands before its number: `file`.
    pub(crate) word: &'static str,
    /// What stands behind its number.
    pub(crate) tail: &'static str,
}

impl<N: fmt::Display> fmt::Display for Mark<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, number) = self.thing;
        write!(f, "{OPEN}{device:x}.{number:x}{PART}")?;
        if let Some(name) = &self.name {
            let mut hasher = DefaultHasher::new();
            hasher.write(name.to_string().as_bytes());
            write!(f, "{:x}", hasher.finish())?;
        }
        let Mark { plain, word, tail, .. } = self;
        write!(f, "{PART}{plain}{PART}{word}{PART}{tail}{CLOSE}")
    }
}

/// A mark as it is read.
struct Read<'l> {
    thing: &'l str,
    name: &'l str,
    plain: &'l str,
    word: &'l str,
    tail: &'l str,
}

/// The text before the first mark of a line, the mark, and the text behind it.
fn first(line: &str) -> Option<(&str, Read<'_>, &str)> {
    let (before, rest) = line.split_once(OPEN)?;
    let (mark, behind) = rest.split_once(CLOSE)?;
    let mut parts = mark.split(PART);
    let mut part = || parts.next();
    let (thing, name, plain, word, tail) = (part()?, part()?, part()?, part()?, part()?);
    Some((before, Read { thing, name, plain, word, tail }, behind))
}

/// The line with each of its marks replaced by what `say` says.
fn replaced(line: &str, mut say: impl FnMut(&Read<'_>) -> String) -> String {
    let (mut told, mut rest) = (String::with_capacity(line.len()), line);
    while let Some((before, mark, behind)) = first(rest) {
        told.push_str(before);
        told.push_str(&say(&mark));
        rest = behind;
    }
    told.push_str(rest);
    told
}

/// The line as it reads on its own.
pub(crate) fn plain(line: &str) -> Cow<'_, str> {
    if !line.contains(OPEN) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(replaced(line, |mark| mark.plain.to_owned()))
}

/// Resolves the marks of a complete trace.
///
/// A thing gets a number if one name stands for it and for another thing, if it goes by two names, or
/// if a line does not name it and there are others of its kind.
pub(crate) fn resolve<'l>(lines: impl Iterator<Item = &'l mut String>) {
    let mut lines: Vec<_> = lines.filter(|line| line.contains(OPEN)).collect();
    let numbers = numbers(lines.iter().map(|line| line.as_str()));
    for line in &mut lines {
        **line = replaced(line, |mark| match numbers.get(mark.thing) {
            Some(number) => format!("{} {number}{}", mark.word, mark.tail),
            None => mark.plain.to_owned(),
        });
    }
}

/// The numbers of the things that need one, in the order in which they appear.
fn numbers<'l>(lines: impl Iterator<Item = &'l str> + Clone) -> BTreeMap<String, usize> {
    let marks = lines.flat_map(|line| {
        let mut rest = line;
        std::iter::from_fn(move || {
            let (_, mark, behind) = first(rest)?;
            rest = behind;
            Some(mark)
        })
    });
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for mark in marks.clone() {
        kinds.entry(mark.word).or_default().insert(mark.thing);
        if !mark.name.is_empty() {
            named.entry(mark.name).or_default().insert(mark.thing);
            names.entry(mark.thing).or_default().insert(mark.name);
        }
    }
    let confused: BTreeSet<&str> = marks
        .clone()
        .filter(|mark| {
            let others = match mark.name {
                "" => kinds.get(mark.word),
                name => named.get(name),
            };
            others.is_some_and(|others| others.len() > 1)
                || names.get(mark.thing).is_some_and(|names| names.len() > 1)
        })
        .map(|mark| mark.thing)
        .collect();
    let mut numbers = BTreeMap::new();
    for mark in marks.filter(|mark| confused.contains(mark.thing)) {
        let next = numbers.len() + 1;
        numbers.entry(mark.thing.to_owned()).or_insert(next);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, thing: u64) -> String {
        let mark =
            Mark { thing: (7, thing), name: Some(name), plain: "ok", word: "file", tail: "" };
        format!("open({name}) = {mark}")
    }

    fn flock(thing: u64) -> String {
        let thing = (7, thing);
        let mark = Mark { thing, name: None::<&str>, plain: "", word: "file", tail: ", " };
        format!("flock({mark}shared) = ok")
    }

    fn resolved<const N: usize>(mut lines: [String; N]) -> [String; N] {
        resolve(lines.iter_mut());
        lines
    }

    #[test]
    fn nothing_is_numbered_where_each_name_is_of_one_thing() {
        let lines = [open("a", 30), open("b", 10), open("a", 30), "flock(shared) = ok".into()];
        let told = ["open(a) = ok", "open(b) = ok", "open(a) = ok", "flock(shared) = ok"];
        assert_eq!(resolved(lines), told);
    }

    #[test]
    fn a_name_of_two_things_has_both_numbered_as_they_appear() {
        let lines = [open("c", 50), open("a", 30), open("a", 10), flock(30), open("a", 10)];
        let told = [
            "open(c) = ok",
            "open(a) = file 1",
            "open(a) = file 2",
            "flock(file 1, shared) = ok",
            "open(a) = file 2",
        ];
        assert_eq!(resolved(lines), told);
    }

    #[test]
    fn a_thing_of_two_names_is_numbered() {
        let lines = [open("b", 1), open("a", 2), open("c", 2)];
        assert_eq!(resolved(lines), ["open(b) = ok", "open(a) = file 1", "open(c) = file 1"]);
    }

    #[test]
    fn a_thing_that_a_line_does_not_name_is_numbered_where_there_are_others() {
        let told = ["open(a) = ok", "open(b) = file 1", "flock(file 1, shared) = ok"];
        assert_eq!(resolved([open("a", 1), open("b", 2), flock(2)]), told);
        assert_eq!(resolved([open("b", 2), flock(2)]), ["open(b) = ok", "flock(shared) = ok"]);
    }

    #[test]
    fn worlds_that_number_differently_tell_the_same_of_the_same_things_alone() {
        let one = || resolved([open("a", 1), open("a", 2), open("a", 1)]);
        assert_eq!(one(), resolved([open("a", 9), open("a", 3), open("a", 9)]));
        assert_ne!(one(), resolved([open("a", 9), open("a", 3), open("a", 3)]));
        assert_ne!(one(), resolved([open("a", 9), open("a", 9), open("a", 9)]));
    }

    #[test]
    fn a_line_on_its_own_has_no_numbers_and_a_line_without_marks_is_left_as_it_is() {
        assert_eq!(plain(&open("a", 1)), "open(a) = ok");
        assert_eq!(plain(&flock(1)), "flock(shared) = ok");
        let broken = format!("{OPEN}not a mark");
        assert_eq!(plain(&broken), broken);
        assert_eq!(resolved([broken.clone()]), [broken]);
    }
}
