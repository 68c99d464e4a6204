//! Second floor, `check`: a trace as columns, one an actor, one row a step.
//! Imports its neighbours in `check`.

use std::fmt::{self, Write};

use super::trace::{Trace, TraceStep, Unfinished};

/// What a terminal, a review comment and a test log all have.
pub(super) const WIDTH: usize = 100;
/// The number of a step, and the space after it.
const GUTTER: usize = 6;
const GAP: usize = 2;
/// Below this width a column says nothing any more: then steps are listed one below the other.
const NARROWEST: usize = 20;

/// What a piece of a told trace is, for whoever wants to colour it.
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
    /// What it all came to.
    End,
}

type Paint<'a> = &'a dyn Fn(Part, &str) -> String;

impl fmt::Display for Trace {
    /// How the system began, where it may in several ways. Below, one column an actor, one row a
    /// step, what an actor ended with below its last one; and what it all came to. At most 100 characters wide: labels that do not fit go on below, and for more actors than there is
    /// room for, each row begins with the name instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&|_, text| text.to_owned()))
    }
}

impl Trace {
    /// The same, with each piece painted; `paint` must not change how wide it is.
    pub fn told(&self, paint: Paint<'_>) -> String {
        let mut told = String::new();
        for line in
            self.start.iter().filter(|start| !start.is_empty()).flat_map(|start| wrap(start, WIDTH))
        {
            let _ = writeln!(told, "{}", paint(Part::Start, &line));
        }
        told += &match widths(self) {
            Some(widths) => in_columns(self, &widths, paint),
            None => listed(self, paint),
        };
        let lines = self.end.iter().flat_map(|end| end.lines());
        for line in lines.flat_map(|line| wrap(line, WIDTH - GUTTER)) {
            let _ = writeln!(told, "{:GUTTER$}{}", "", paint(Part::End, &line));
        }
        told
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

/// A column as wide as its longest text where all fit; where not, the widest give way first.
fn widths(trace: &Trace) -> Option<Vec<usize>> {
    let mut wanted: Vec<usize> = trace.actors.iter().map(|name| columns(name)).collect();
    let mut want = |actor: usize, text: &str| {
        if let Some(width) = wanted.get_mut(actor) {
            *width = columns(text).max(*width);
        }
    };
    for step in &trace.steps {
        want(step.actor, &trace.call(step));
        want(step.actor, &waiting(trace, step).unwrap_or_default());
        want(step.actor, &ending(step).unwrap_or_default());
    }
    for left in &trace.unfinished {
        want(left.actor, &unfinished(trace, left));
    }
    let room = WIDTH.checked_sub(GUTTER + GAP * wanted.len().saturating_sub(1))?;
    let fits = |cap: usize| wanted.iter().map(|width| cap.min(*width)).sum::<usize>() <= room;
    let cap = (NARROWEST..=WIDTH).rev().find(|cap| fits(*cap))?;
    Some(wanted.into_iter().map(|width| width.min(cap)).collect())
}

fn in_columns(trace: &Trace, widths: &[usize], paint: Paint<'_>) -> String {
    let mut out = String::new();
    // One row: the number, and the cells that are not empty, by actor.
    let mut row = |number: &str, cells: &[(usize, Part, &str)]| {
        let wrapped: Vec<Vec<String>> = cells
            .iter()
            .map(|(actor, _, text)| wrap(text, widths.get(*actor).copied().unwrap_or(WIDTH)))
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let number = if line == 0 { number } else { "" };
            let mut told = paint(Part::Number, &format!("{number:>4}"));
            let mut at = GUTTER - 2;
            for (lines, (actor, part, _)) in wrapped.iter().zip(cells) {
                let Some(text) = lines.get(line) else { continue };
                let start = GUTTER + widths.iter().take(*actor).map(|w| w + GAP).sum::<usize>();
                let _ = write!(told, "{:1$}{2}", "", start - at, paint(*part, text));
                at = start + columns(text);
            }
            out.push_str(&told);
            out.push('\n');
        }
    };
    let names = trace.actors.iter().enumerate();
    let names: Vec<_> = names.map(|(actor, name)| (actor, Part::Name, name.as_str())).collect();
    row("", &names);
    for (number, step) in trace.steps.iter().enumerate() {
        row(&(number + 1).to_string(), &[(step.actor, Part::Call, &trace.call(step))]);
        if let Some(waiting) = waiting(trace, step) {
            row("", &[(step.actor, Part::Unfinished, &waiting)]);
        }
        if let Some(ending) = ending(step) {
            row("", &[(step.actor, Part::Output, &ending)]);
        }
    }
    let left = trace.unfinished.iter();
    let left: Vec<_> = left.map(|left| (left.actor, unfinished(trace, left))).collect();
    let left = left.iter().map(|(actor, text)| (*actor, Part::Unfinished, text.as_str()));
    row("", &left.collect::<Vec<_>>());
    out
}

/// For more actors than there is room for columns.
fn listed(trace: &Trace, paint: Paint<'_>) -> String {
    let actors = trace.actors.iter().map(|name| columns(name)).max().unwrap_or(0).min(24);
    let room = WIDTH - GUTTER - GAP - actors;
    let name = |actor: usize| trace.actors.get(actor).map_or("?", String::as_str);
    let mut out = String::new();
    let mut row = |number: &str, actor: &str, part: Part, text: &str| {
        for (line, text) in wrap(text, room).iter().enumerate() {
            let (number, actor) = if line == 0 { (number, actor) } else { ("", "") };
            let number = paint(Part::Number, &format!("{number:>4}"));
            let actor = paint(Part::Name, &format!("{actor:actors$}"));
            let _ = writeln!(out, "{number}  {actor}  {}", paint(part, text));
        }
    };
    for (number, step) in trace.steps.iter().enumerate() {
        row(&(number + 1).to_string(), name(step.actor), Part::Call, &trace.call(step));
        if let Some(waiting) = waiting(trace, step) {
            row("", "", Part::Unfinished, &waiting);
        }
        if let Some(ending) = ending(step) {
            row("", "", Part::Output, &ending);
        }
    }
    for left in &trace.unfinished {
        row("", name(left.actor), Part::Unfinished, &unfinished(trace, left));
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
