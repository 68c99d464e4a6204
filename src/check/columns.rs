//! Second floor, `check`: a trace as columns, one for each actor, with one row for each step.
//! Imports its neighbours in `check`.

use std::fmt::{self, Write};

use super::lost;
use super::trace::{Trace, TraceStep, Unfinished};

/// The width that a terminal, a review comment and a test log all have.
pub(super) const WIDTH: usize = 100;
/// The number of a step, and the space after it.
const GUTTER: usize = 6;
const GAP: usize = 2;
/// A column narrower than this is useless: then the steps are listed one below the other.
const NARROWEST: usize = 20;

/// The kinds of pieces that a printed trace consists of, for a caller that colours them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// How the system began.
    Start,
    /// An actor's name.
    Name,
    /// The number of a step.
    Number,
    /// What a step did and saw.
    Call,
    /// What an actor ended with.
    Output,
    /// That an actor has not ended.
    Unfinished,
    /// How the execution ended as a whole.
    End,
    /// How many of the continuations violate a property, and when the execution was lost.
    Share,
}

type Paint<'a> = &'a dyn Fn(Part, &str) -> String;

impl fmt::Display for Trace {
    /// Draws the trace as columns, at most 100 characters wide: one column for each actor, one row
    /// for each step.
    ///
    /// A line above says how the system began, if it may begin in several ways. An actor's output
    /// stands below its last step. At the bottom stand the end as a whole, and when the execution
    /// was lost.
    ///
    /// A label that does not fit goes on in the next line. If there is no room for a column for
    /// each actor, each row begins with the actor's name instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&|_, text| text.to_owned()))
    }
}

impl Trace {
    /// The same columns, with each piece painted. `paint` must not change the width of a piece.
    pub fn told(&self, paint: Paint<'_>) -> String {
        self.told_beside(&[], paint)
    }

    /// The same columns, with a narrow one at the right. It shows, before the first step and after
    /// each, how many of the continuations violate the property (`4/6`, `2/3`, `all`). It is left
    /// out if it would take a further line, or if nothing was counted.
    pub fn told_with_shares(&self, paint: Paint<'_>) -> String {
        let plain: Paint<'_> = &|_, text| text.to_owned();
        let shares = lost::cells(&self.lost);
        let in_columns = |shares| widths(self, WIDTH - Shares(shares).room()).is_some();
        let height = |shares| self.told_beside(shares, plain).lines().count();
        let fits = in_columns(&shares) == in_columns(&[]) && height(&shares) == height(&[]);
        self.told_beside(if fits { &shares } else { &[] }, paint)
    }

    fn told_beside(&self, shares: &[String], paint: Paint<'_>) -> String {
        let mut told = String::new();
        for line in
            self.start.iter().filter(|start| !start.is_empty()).flat_map(|start| wrap(start, WIDTH))
        {
            let _ = writeln!(told, "{}", paint(Part::Start, &line));
        }
        let shares = Shares(shares);
        told += &match widths(self, WIDTH - shares.room()) {
            Some(widths) => in_columns(self, &widths, shares, paint),
            None => listed(self, shares, paint),
        };
        let lines = self.end.iter().flat_map(|end| end.lines());
        for line in lines.flat_map(|line| wrap(line, WIDTH - GUTTER)) {
            let _ = writeln!(told, "{:GUTTER$}{}", "", paint(Part::End, &line));
        }
        let lost = lost::lines(&self.lost);
        for line in lost.iter().flat_map(|line| wrap(line, WIDTH - GUTTER)) {
            let _ = writeln!(told, "{:GUTTER$}{}", "", paint(Part::Share, &line));
        }
        told
    }
}

/// The cells of the column at the right, the one before the first step first; empty if there is no
/// such column.
#[derive(Clone, Copy)]
struct Shares<'s>(&'s [String]);

impl Shares<'_> {
    fn width(&self) -> usize {
        self.0.iter().map(|cell| columns(cell)).max().unwrap_or(0)
    }

    /// What it takes, with the gap before it.
    fn room(&self) -> usize {
        if self.0.is_empty() { 0 } else { GAP + self.width() }
    }

    /// The cell after so many steps, to stand behind a row that is `at` columns wide and may be up to
    /// `end`.
    fn beside(&self, steps: usize, at: usize, end: usize, paint: Paint<'_>) -> String {
        let Some(cell) = self.0.get(steps) else { return String::new() };
        let fill = (end + self.room()).saturating_sub(at + columns(cell));
        format!("{:fill$}{}", "", paint(Part::Share, cell))
    }
}

/// What is shown below an actor's last step.
fn ending(step: &TraceStep) -> Option<String> {
    step.output.as_ref().map(|output| format!("→ {output}"))
}

/// `⋯ waits for client 2`.
fn waits(trace: &Trace, waits_for: Option<&Vec<usize>>) -> String {
    match waits_for {
        None => "⋯ waits".to_owned(),
        Some(nobody) if nobody.is_empty() => "⋯ waits for nobody".to_owned(),
        Some(them) => format!("⋯ waits for {}", trace.names(them)),
    }
}

/// What is shown below a step after which its actor waits.
fn waiting(trace: &Trace, step: &TraceStep) -> Option<String> {
    step.waits_for.as_ref().map(|them| waits(trace, Some(them)))
}

/// What is shown of an actor that had not ended.
fn unfinished(trace: &Trace, left: &Unfinished) -> String {
    match left.waits {
        true => waits(trace, left.waits_for.as_ref()),
        false => "⋯ had not finished".to_owned(),
    }
}

/// Each column is as wide as its longest text, if all columns fit. If not, the widest give way
/// first.
fn widths(trace: &Trace, width: usize) -> Option<Vec<usize>> {
    let mut wanted: Vec<usize> = trace.actors.iter().map(|name| columns(name)).collect();
    let mut want = |actor: usize, text: &str| {
        if let Some(width) = wanted.get_mut(actor) {
            *width = columns(text).max(*width);
        }
    };
    for (_, step) in trace.shown() {
        if !step.concerns_all() {
            want(step.actor, &trace.call(step));
        }
        want(step.actor, &waiting(trace, step).unwrap_or_default());
        want(step.actor, &ending(step).unwrap_or_default());
    }
    for left in &trace.unfinished {
        want(left.actor, &unfinished(trace, left));
    }
    let room = width.checked_sub(GUTTER + GAP * wanted.len().saturating_sub(1))?;
    let fits = |cap: usize| wanted.iter().map(|width| cap.min(*width)).sum::<usize>() <= room;
    let cap = (NARROWEST..=WIDTH).rev().find(|cap| fits(*cap))?;
    Some(wanted.into_iter().map(|width| width.min(cap)).collect())
}

fn in_columns(trace: &Trace, widths: &[usize], shares: Shares<'_>, paint: Paint<'_>) -> String {
    let mut out = String::new();
    let end = GUTTER + widths.iter().map(|width| width + GAP).sum::<usize>().saturating_sub(GAP);
    // One row: the number, the cells that are not empty, by actor, and after how many steps it is.
    let mut row = |number: &str, cells: &[(usize, Part, &str)], steps: Option<usize>| {
        let wrapped: Vec<Vec<String>> = cells
            .iter()
            .map(|(actor, _, text)| {
                let all = if *actor == ALL { end - GUTTER } else { WIDTH };
                wrap(text, widths.get(*actor).copied().unwrap_or(all))
            })
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let number = if line == 0 { number } else { "" };
            let mut told = paint(Part::Number, &format!("{number:>4}"));
            let mut at = GUTTER - 2;
            for (lines, (actor, part, _)) in wrapped.iter().zip(cells) {
                let Some(text) = lines.get(line) else { continue };
                let before = widths.iter().take(if *actor == ALL { 0 } else { *actor });
                let start = GUTTER + before.map(|w| w + GAP).sum::<usize>();
                let _ = write!(told, "{:1$}{2}", "", start - at, paint(*part, text));
                at = start + columns(text);
            }
            if let Some(steps) = steps.filter(|_| line == 0) {
                told += &shares.beside(steps, at, end, paint);
            }
            out.push_str(&told);
            out.push('\n');
        }
    };
    let names = trace.actors.iter().enumerate();
    let names: Vec<_> = names.map(|(actor, name)| (actor, Part::Name, name.as_str())).collect();
    row("", &names, Some(0));
    for (number, step) in trace.shown() {
        let call = trace.call(step);
        match step.concerns_all() {
            true => {
                let room = end - GUTTER;
                row(&number.to_string(), &[(ALL, Part::Call, &across(&call, room))], Some(number));
            }
            false => row(&number.to_string(), &[(step.actor, Part::Call, &call)], Some(number)),
        }
        if let Some(waiting) = waiting(trace, step) {
            row("", &[(step.actor, Part::Unfinished, &waiting)], None);
        }
        if let Some(ending) = ending(step) {
            row("", &[(step.actor, Part::Output, &ending)], None);
        }
    }
    let left = trace.unfinished.iter();
    let left: Vec<_> = left.map(|left| (left.actor, unfinished(trace, left))).collect();
    let left = left.iter().map(|(actor, text)| (*actor, Part::Unfinished, text.as_str()));
    row("", &left.collect::<Vec<_>>(), None);
    out
}

/// In the place of an actor, what concerns every actor.
const ALL: usize = usize::MAX;

/// A text as a line across all columns, if they are wide enough for that.
fn across(text: &str, room: usize) -> String {
    match room.checked_sub(columns(text) + 4) {
        Some(rest) => format!("── {text} {}", "─".repeat(rest)),
        None => format!("── {text}"),
    }
}

/// For more actors than there is room for columns.
fn listed(trace: &Trace, shares: Shares<'_>, paint: Paint<'_>) -> String {
    let actors = trace.actors.iter().map(|name| columns(name)).max().unwrap_or(0).min(24);
    let room = WIDTH - GUTTER - GAP - actors - shares.room();
    let longest = trace.shown().map(|(_, step)| columns(&trace.call(step))).max().unwrap_or(0);
    let before = GUTTER + actors + GAP;
    let name = |actor: usize| trace.actors.get(actor).map_or("?", String::as_str);
    let mut out = String::new();
    let mut row = |number: &str, actor: &str, part: Part, text: &str, steps: Option<usize>| {
        for (line, text) in wrap(text, room).iter().enumerate() {
            let (number, actor) = if line == 0 { (number, actor) } else { ("", "") };
            let number = paint(Part::Number, &format!("{number:>4}"));
            let actor = paint(Part::Name, &format!("{actor:actors$}"));
            let share = steps.filter(|_| line == 0).map(|steps| {
                shares.beside(steps, before + columns(text), before + longest.min(room), paint)
            });
            let share = share.unwrap_or_default();
            let _ = writeln!(out, "{number}  {actor}  {}{share}", paint(part, text));
        }
    };
    for (number, step) in trace.shown() {
        let call = trace.call(step);
        row(&number.to_string(), name(step.actor), Part::Call, &call, Some(number));
        if let Some(waiting) = waiting(trace, step) {
            row("", "", Part::Unfinished, &waiting, None);
        }
        if let Some(ending) = ending(step) {
            row("", "", Part::Output, &ending, None);
        }
    }
    for left in &trace.unfinished {
        row("", name(left.actor), Part::Unfinished, &unfinished(trace, left), None);
    }
    out
}

/// How many columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Breaks a text into lines of at most `width` columns: at spaces where there are any, within a
/// word where it is longer than a line. Lines after the first are indented.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let indent = if width > 12 { "  " } else { "" };
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        let space = usize::from(!line.trim().is_empty());
        if columns(&line) + space + columns(word) > width && space == 1 {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        }
        // Longer than any line.
        while columns(&line) + columns(word) > width.max(4) {
            let room = width.max(4) - columns(&line);
            let cut = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
            let cut = word[..cut].rfind('/').map_or(cut, |slash| slash + 1);
            line.push_str(&word[..cut]);
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            word = &word[cut..];
        }
        if !line.trim().is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::super::{Lost, Share};
    use super::*;

    fn step(actor: usize, label: &str, output: Option<&str>) -> TraceStep {
        let output = output.map(str::to_owned);
        TraceStep { output, ..TraceStep::new(actor, label) }
    }

    #[test]
    fn each_actor_has_a_column_and_its_end_stands_below_its_last_step() {
        let trace = Trace {
            start: None,
            actors: vec!["client 1".into(), "client 2".into()],
            steps: vec![
                step(0, "open(content) = ok", None),
                step(1, "open(content) = ENOENT", Some("Gone")),
            ],
            unfinished: vec![Unfinished { actor: 0, waits: false, waits_for: None }],
            end: Some("the download is still there".into()),
            lost: Vec::new(),
        };
        let expected = [
            "      client 1            client 2",
            "   1  open(content) = ok",
            "   2                      open(content) = ENOENT",
            "                          → Gone",
            "      ⋯ had not finished",
            "      the download is still there",
        ];
        assert_eq!(trace.to_string().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_number_of_actors_fits() {
        let long = "rename(key/content → key/content.download) = ok";
        for actors in 0..30 {
            let trace = Trace {
                start: Some("the key is there; attacker: rename, unlink, ".repeat(actors)),
                actors: (1..=actors).map(|number| format!("client {number}")).collect(),
                steps: (0..actors).map(|actor| step(actor, long, Some("Gone"))).collect(),
                unfinished: vec![Unfinished { actor: 0, waits: true, waits_for: None }],
                end: Some("value 1 dropped once, ".repeat(actors)),
                lost: Vec::new(),
            };
            let told = trace.to_string();
            for line in told.lines() {
                assert!(columns(line) <= WIDTH, "{actors} actors: {line}");
            }
            assert!(actors == 0 || told.contains(&format!("client {actors}")));
            assert!(told.contains("⋯ waits"));
            assert_eq!(told.matches("→ Gone").count(), actors);
        }
    }

    /// An execution of that many steps by so many actors, lost at the last step.
    fn losing(actors: usize, label: &str) -> Trace {
        let share = |all: usize| Share { violating: 1u32.into(), all: all.into() };
        Trace {
            start: None,
            actors: (1..=actors).map(|number| format!("client {number}")).collect(),
            steps: (0..actors).map(|actor| step(actor, label, Some("Gone"))).collect(),
            unfinished: Vec::new(),
            end: Some("left: 0".into()),
            lost: vec![Lost {
                property: "one-winner".into(),
                shares: (1..=actors + 1).rev().map(share).collect(),
            }],
        }
    }

    fn told_with_shares(trace: &Trace) -> String {
        trace.told_with_shares(&|_, text| text.to_owned())
    }

    #[test]
    fn beside_each_step_stands_how_many_of_its_continuations_violate() {
        let line = "      lost at step 2: before it 1 of 2 continuations violates, after it all";
        let expected = [
            "      client 1   client 2   1/3",
            "   1  take = ok             1/2",
            "      → Gone",
            "   2             take = ok  all",
            "                 → Gone",
            "      left: 0",
            line,
        ];
        let trace = losing(2, "take = ok");
        assert_eq!(told_with_shares(&trace).lines().collect::<Vec<_>>(), expected);
        let without = trace.to_string();
        assert!(without.ends_with(&format!("   left: 0\n{line}\n")), "{without}");
        assert!(!without.contains('/'), "only where it is asked for: {without}");
        let listed = told_with_shares(&losing(12, "take = ok"));
        let first = "   1  client 1   take = ok  1/12";
        assert!(listed.lines().next() == Some(first), "{listed}");
    }

    /// What may happen before each step, and does not, takes no row; the numbers stay.
    #[test]
    fn a_question_is_shown_where_it_is_answered_yes_or_all_is_lost_by_no() {
        let share = |violating: u32| Share { violating: violating.into(), all: 4_u32.into() };
        let steps = ["is it killed? no", "take = ok", "is it killed? no", "put = ok"];
        let mut steps: Vec<_> = steps.map(|label| step(0, label, None)).into();
        steps.extend([step(0, "is it killed? yes", None), step(0, "is killed", Some("Died"))]);
        let trace = |shares: [u32; 7]| Trace {
            start: None,
            actors: vec!["client 1".into()],
            steps: steps.clone(),
            unfinished: Vec::new(),
            end: None,
            lost: vec![Lost { property: "kept".into(), shares: shares.map(share).into() }],
        };
        let rows = |trace: &Trace| {
            let told = trace.to_string();
            let rows = told.lines().filter_map(|line| line[..4].trim().parse().ok());
            rows.collect::<Vec<usize>>()
        };
        let at_yes = trace([1, 1, 1, 2, 3, 4, 4]);
        assert_eq!(rows(&at_yes), [2, 4, 5, 6], "{at_yes}");
        let at_no = trace([1, 1, 3, 4, 4, 4, 4]);
        assert_eq!(rows(&at_no), [2, 3, 4, 5, 6], "{at_no}");
        assert!(at_no.to_string().contains("lost at step 3"), "{at_no}");
        // What comes last is what it ends with.
        let cut = Trace { steps: steps[..3].to_vec(), lost: Vec::new(), ..at_no };
        assert_eq!(rows(&cut), [2, 3], "{cut}");
        // In a list, too.
        let many = Trace { actors: vec!["client".into(); 30], ..at_yes };
        assert_eq!(rows(&many), [2, 4, 5, 6], "{many}");
    }

    #[test]
    fn the_shares_take_no_further_line_and_fit() {
        let (mut with, mut without) = (0, 0);
        for actors in 1..30 {
            for width in 1..100 {
                let trace = losing(actors, &"read ".repeat(width)[..width]);
                let (beside, plain) = (told_with_shares(&trace), trace.to_string());
                assert_eq!(beside.lines().count(), plain.lines().count(), "{beside}");
                assert!(beside.lines().all(|line| columns(line) <= WIDTH), "{beside}");
                // But for the shares it is the same picture.
                assert!(beside == plain || beside.contains("  all\n"), "{beside}");
                *if beside == plain { &mut without } else { &mut with } += 1;
            }
        }
        assert!(with > 1_000 && without > 100, "{with} {without}");
    }

    #[test]
    fn text_is_wrapped_at_spaces_or_else_within_words() {
        let call = "rename(key/content → key/content.download) = ok";
        assert_eq!(wrap(call, 60), [call]);
        assert_eq!(wrap(call, 28), ["rename(key/content →", "  key/content.download) = ok"]);
        for width in 4..60 {
            let lines = wrap(call, width);
            assert!(lines.iter().all(|line| columns(line) <= width), "{width}: {lines:?}");
            let squeezed = |text: &str| text.replace(' ', "");
            assert_eq!(squeezed(&lines.concat()), squeezed(call));
        }
    }
}
