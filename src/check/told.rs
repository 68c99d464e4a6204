//! Second floor, `check`: compares values by their `Debug` forms, and shows what has changed.
//! Imports [`process`](crate::process) and the names of the kernel's error codes.

use std::fmt::Debug;

use super::columns::columns;
use crate::Step;
use crate::errno::shown;

/// Two values that together are no longer than this are shown whole.
const SHORT: usize = 40;
/// A single value that is longer than this is shown by its name.
const LONG: usize = 60;
/// Values that are nested deeper than this are compared as text.
const DEEPEST: usize = 32;

/// Describes a step of which the world tells nothing: where the process stands before and after,
/// and what has changed in the world: `Look → Mark`, `Mark; world: Shelf { books: 3 → 2, .. }`.
pub(super) fn step<W: Debug, P: Debug, T>(
    process: &P,
    step: &Step<P, T>,
    before: &W,
    after: &W,
) -> String {
    let process = shown(process);
    let went = match step {
        Step::Next(next) => change(&process, &shown(next)).unwrap_or_else(|| brief(&process)),
        Step::Blocked(_) => format!("{} waits", brief(&process)),
        Step::Done(_) => brief(&process),
        Step::Choice(ways) => format!("{} chooses one of {}", brief(&process), ways.len()),
    };
    match change(&shown(before), &shown(after)) {
        Some(change) => format!("{went}; world: {change}"),
        None => went,
    }
}

/// What has changed in a value, by its `Debug` forms: `Shelf { books: 3 → 2, .. }`. `None` if
/// nothing has.
pub(super) fn change(before: &str, after: &str) -> Option<String> {
    if before == after {
        return None;
    }
    let whole = format!("{before} → {after}");
    if columns(&whole) <= SHORT {
        return Some(whole);
    }
    let parts = difference(&Shown::of(before), &Shown::of(after))?;
    Some(if columns(&parts) < columns(&whole) { parts } else { whole })
}

/// What a value consists of, told in its `Debug` form: its fields, entries or elements, each after its name or
/// place. A value that is one whole has no name: `[("", "3")]`.
#[cfg(feature = "command")]
pub(crate) fn fields(value: &str) -> Vec<(String, String)> {
    let whole = || vec![(String::new(), value.to_owned())];
    match Shown::of(value).parts {
        Some(Parts { items, .. }) if !items.is_empty() => {
            let named = |(at, item): (usize, &Item<'_>)| {
                let key = item.key.map_or_else(|| at.to_string(), str::to_owned);
                (key, item.value.text.to_owned())
            };
            items.iter().enumerate().map(named).collect()
        }
        _ => whole(),
    }
}

/// A value, or its name where it is long: `Claiming(..)`.
pub(crate) fn brief(value: &str) -> String {
    if columns(value) <= LONG {
        return value.to_owned();
    }
    match Shown::of(value).parts {
        Some(Parts { head, open, .. }) => match open {
            '{' if !head.is_empty() => format!("{head} {{ .. }}"),
            _ => format!("{head}{open}..{}", closing(open)),
        },
        None => value.chars().take(LONG - 1).chain(['…']).collect(),
    }
}

/// A `Debug` form, taken apart where it is one that `derive` makes.
struct Shown<'t> {
    text: &'t str,
    parts: Option<Parts<'t>>,
}

/// `Shelf { books: 3, open: true }`, `Some(3)`, `[1, 2]`, `{"a": 1}`.
struct Parts<'t> {
    /// `Shelf`; empty for a tuple, a list, a map or a set.
    head: &'t str,
    open: char,
    items: Vec<Item<'t>>,
}

/// A field, an entry of a map or an element.
struct Item<'t> {
    key: Option<&'t str>,
    value: Shown<'t>,
}

impl<'t> Shown<'t> {
    fn of(text: &'t str) -> Self {
        Self::within(text, DEEPEST)
    }

    fn within(text: &'t str, depth: usize) -> Self {
        Shown { text, parts: depth.checked_sub(1).and_then(|depth| Parts::of(text, depth)) }
    }
}

impl<'t> Parts<'t> {
    /// `None` for what is not a head and one pair of brackets.
    fn of(text: &'t str, depth: usize) -> Option<Self> {
        let at = outside(text, |_, letter| matches!(letter, '{' | '(' | '['))?;
        let (head, rest) = text.split_at(at);
        let open = rest.chars().next()?;
        let inner = rest.strip_prefix(open)?.strip_suffix(closing(open))?;
        // The bracket at the end is the first one's.
        let is_whole = after_bracket(rest) == Some("");
        let is_name = !head.contains(['"', ',', '\'']);
        if !is_whole || !is_name {
            return None;
        }
        let mut items = Vec::new();
        let mut rest = inner.trim();
        while !rest.is_empty() {
            let end = outside(rest, |_, letter| letter == ',').unwrap_or(rest.len());
            let (item, after) = rest.split_at(end);
            let colon = outside(item, |rest, _| rest.starts_with(": "));
            let (key, value) = match colon {
                Some(at) => (Some(&item[..at]), &item[at + 2..]),
                None => (None, item),
            };
            items.push(Item { key, value: Shown::within(value, depth) });
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        }
        Some(Parts { head: head.trim_end(), open, items })
    }
}

fn closing(open: char) -> char {
    match open {
        '{' => '}',
        '(' => ')',
        _ => ']',
    }
}

/// The first place at which `found` is true of the rest of a text and that rest's first letter,
/// outside of all quotes and brackets. A bracket that opens is outside of itself.
fn outside(text: &str, found: impl Fn(&str, char) -> bool) -> Option<usize> {
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if found(rest, letter) {
            return Some(text.len() - rest.len());
        }
        rest = match letter {
            '{' | '(' | '[' => after_bracket(rest)?,
            '"' => after_quote(rest)?,
            '\'' => after_letter(rest).unwrap_or(&rest[1..]),
            other => &rest[other.len_utf8()..],
        };
    }
    None
}

/// What comes after the bracket that is opened here is closed; `None` if it never is.
fn after_bracket(text: &str) -> Option<&str> {
    let mut open = Vec::new();
    let mut rest = text;
    loop {
        let letter = rest.chars().next()?;
        rest = match letter {
            '"' => after_quote(rest)?,
            '\'' => after_letter(rest).unwrap_or(&rest[1..]),
            other => &rest[other.len_utf8()..],
        };
        match letter {
            '{' | '(' | '[' => open.push(closing(letter)),
            '}' | ')' | ']' if open.pop() != Some(letter) => return None,
            _ => {}
        }
        if open.is_empty() {
            return Some(rest);
        }
    }
}

/// What comes after a text in quotes.
fn after_quote(text: &str) -> Option<&str> {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => _ = letters.next(),
            '"' => return Some(&text[at + 1..]),
            _ => {}
        }
    }
    None
}

/// What comes after a letter in quotes: `'('`, `'\n'`. `None` if it is an apostrophe.
fn after_letter(text: &str) -> Option<&str> {
    let mut letters = text.char_indices().skip(1);
    let (_, letter) = letters.next()?;
    if letter == '\\' {
        letters.next();
        // `'\u{1b}'`
        let (at, _) = letters.find(|(_, letter)| *letter == '\'')?;
        return Some(&text[at + 1..]);
    }
    let (at, end) = letters.next()?;
    (end == '\'').then(|| &text[at + 1..])
}

/// `None` where both are the same.
fn difference(before: &Shown<'_>, after: &Shown<'_>) -> Option<String> {
    if before.text == after.text {
        return None;
    }
    match (&before.parts, &after.parts) {
        (Some(one), Some(other)) if (one.head, one.open) == (other.head, other.open) => {
            Some(within(one, other))
        }
        _ => Some(format!("{} → {}", brief(before.text), brief(after.text))),
    }
}

/// What differs between values of one name.
fn within(before: &Parts<'_>, after: &Parts<'_>) -> String {
    let is_keyed = |parts: &Parts<'_>| parts.items.iter().all(|item| item.key.is_some());
    let mut changes = if is_keyed(before) && is_keyed(after) {
        entries(&before.items, &after.items)
    } else if before.open != '{' && before.items.len() == after.items.len() {
        elements(before, after)
    } else {
        members(&before.items, &after.items)
    };
    if changes.is_empty() {
        changes.push("in another order".to_owned());
    }
    let is_positional = before.open == '(' && before.items.len() == after.items.len();
    if !is_positional && changes.len() < before.items.len().max(after.items.len()) {
        changes.push("..".to_owned());
    }
    let (head, open, close) = (before.head, before.open, closing(before.open));
    let changes = changes.join(", ");
    match open {
        '{' if !head.is_empty() => format!("{head} {{ {changes} }}"),
        _ => format!("{head}{open}{changes}{close}"),
    }
}

/// Fields, or entries of a map.
fn entries(before: &[Item<'_>], after: &[Item<'_>]) -> Vec<String> {
    let named = |items: &'_ [Item<'_>], key| items.iter().position(|item| item.key == key);
    let mut changes = Vec::new();
    for item in after {
        let key = item.key.unwrap_or_default();
        match named(before, item.key) {
            Some(at) => {
                let change = difference(&before[at].value, &item.value);
                changes.extend(change.map(|change| format!("{key}: {change}")));
            }
            None => changes.push(format!("+ {key}: {}", brief(item.value.text))),
        }
    }
    let gone = before.iter().filter(|item| named(after, item.key).is_none());
    let told =
        |item: &Item<'_>| format!("− {}: {}", item.key.unwrap_or_default(), brief(item.value.text));
    changes.extend(gone.map(told));
    changes
}

/// Elements by their place: `Pair(_, 1 → 2)`, `[3: 1 → 2, ..]`.
fn elements(before: &Parts<'_>, after: &Parts<'_>) -> Vec<String> {
    let both = before.items.iter().zip(&after.items).enumerate();
    let changes = both.filter_map(|(place, (one, other))| {
        let change = difference(&one.value, &other.value);
        match (before.open, change) {
            ('(', change) => Some(change.unwrap_or_else(|| "_".to_owned())),
            (_, change) => change.map(|change| format!("{place}: {change}")),
        }
    });
    changes.collect()
}

/// What a list or a set has gained and lost.
fn members(before: &[Item<'_>], after: &[Item<'_>]) -> Vec<String> {
    let text = |item: &Item<'_>| match item.key {
        Some(key) => format!("{key}: {}", item.value.text),
        None => item.value.text.to_owned(),
    };
    let (before, after): (Vec<String>, Vec<String>) =
        (before.iter().map(text).collect(), after.iter().map(text).collect());
    let without = |from: &[String], these: &[String]| {
        let mut left = from.to_vec();
        for this in these {
            if let Some(at) = left.iter().position(|known| known == this) {
                left.remove(at);
            }
        }
        left
    };
    let lost = without(&before, &after).into_iter().map(|text| format!("− {}", brief(&text)));
    let gained = without(&after, &before).into_iter().map(|text| format!("+ {}", brief(&text)));
    lost.chain(gained).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Shop {
        name: &'static str,
        stock: BTreeMap<&'static str, u32>,
        members: BTreeSet<u32>,
        log: Vec<&'static str>,
        till: (u32, u32),
        door: Option<char>,
    }

    fn shop() -> Shop {
        Shop {
            name: "a, {b: (c\"",
            stock: [("apples", 3), ("pears: \"ripe\"", 1)].into(),
            members: [1, 2].into(),
            log: vec!["opened"; 30],
            till: (0, 5),
            door: Some('('),
        }
    }

    fn told(change: impl Fn(&mut Shop)) -> Option<String> {
        let (before, mut after) = (shop(), shop());
        change(&mut after);
        super::change(&shown(&before), &shown(&after))
    }

    #[test]
    fn only_what_changed_is_told() {
        assert_eq!(told(|_| {}), None);
        let told = |change: fn(&mut Shop)| told(change).unwrap();
        assert_eq!(
            told(|shop| *shop.stock.get_mut("apples").unwrap() = 2),
            "Shop { stock: {\"apples\": 3 → 2, ..}, .. }"
        );
        assert_eq!(
            told(|shop| _ = shop.stock.remove("pears: \"ripe\"")),
            "Shop { stock: {− \"pears: \\\"ripe\\\"\": 1, ..}, .. }"
        );
        assert_eq!(told(|shop| _ = shop.members.insert(3)), "Shop { members: {+ 3, ..}, .. }");
        assert_eq!(told(|shop| shop.log.push("shut")), "Shop { log: [+ \"shut\", ..], .. }");
        assert_eq!(
            told(|shop| shop.log[7] = "shut"),
            "Shop { log: [7: \"opened\" → \"shut\", ..], .. }"
        );
        assert_eq!(told(|shop| shop.till.1 = 6), "Shop { till: (_, 5 → 6), .. }");
        assert_eq!(told(|shop| shop.door = None), "Shop { door: Some('(') → None, .. }");
        assert_eq!(
            told(|shop| {
                shop.name = "d";
                shop.door = Some('\'');
            }),
            "Shop { name: \"a, {b: (c\\\"\" → \"d\", door: Some('(' → '\\''), .. }"
        );
    }

    #[test]
    fn short_values_are_told_whole_and_long_ones_by_their_names() {
        assert_eq!(change("Look", "Mark"), Some("Look → Mark".to_owned()));
        assert_eq!(
            change("At { a: 1, b: 2 }", "At { a: 1, b: 3 }").unwrap().matches("a: 1").count(),
            2
        );
        let (one, other) = (format!("Read({:?})", "x".repeat(70)), "Done(\"yes\")");
        assert_eq!(change(&one, other), Some("Read(..) → Done(\"yes\")".to_owned()));
        assert_eq!(brief(&one), "Read(..)");
        assert_eq!(columns(&brief(&"x".repeat(70))), LONG);
    }

    /// Forms that no `derive` makes: told as text, and never a panic.
    #[test]
    fn any_text_can_be_compared() {
        let odd = [
            "",
            "(",
            "a(b]c)",
            "it's, isn't it",
            "f(x) and g(y)",
            "\"open",
            "'",
            "'\\",
            "{{{{",
            ": ",
            "a: b: c",
            "→(é, 'ß')",
            "[1, 2",
            "X { a: }",
            "X { , }",
            "}",
        ];
        let nested = "(".repeat(500) + &")".repeat(500);
        for one in odd.iter().copied().chain([nested.as_str()]) {
            for other in odd {
                let (one, other) = (one.repeat(3), other.repeat(3));
                assert_eq!(change(&one, &other).is_none(), one == other, "{one:?} {other:?}");
                let long = format!("S {{ a: {one}, b: {} }}", "y".repeat(50));
                assert!(change(&long, &format!("{long}z")).is_some());
            }
        }
    }
}
