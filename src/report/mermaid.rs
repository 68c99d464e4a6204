//! Fourth floor, `report`: an execution as a Mermaid sequence diagram. Imports
//! [`check`](crate::check).

use std::fmt::Write;

use crate::check::{Lost, NoReturn, Trace, Unfinished};

/// A `sequenceDiagram`. The actors and the world are participants, and calls are messages to the
/// world. Notes show what actors did besides (`-- locks the mutex of server 1`) and their results.
pub fn mermaid(trace: &Trace, world: &str, closing: &str) -> String {
    let mut out = String::from("sequenceDiagram\n    autonumber\n");
    for (actor, name) in trace.actors.iter().enumerate() {
        let _ = writeln!(out, "    participant a{actor} as {}", escaped(name));
    }
    let _ = writeln!(out, "    participant world as {}", escaped(world));
    let last = trace.actors.len().checked_sub(1);
    if let (Some(last), Some(start)) = (last, &trace.start) {
        let _ = writeln!(out, "    Note over a0,a{last}: {}", escaped(start));
    }
    let lost = |out: &mut String, steps: usize| {
        if let (Some(last), Some(note)) = (last, note(&trace.lost, steps)) {
            let _ = writeln!(out, "    Note over a0,a{last}: {}", escaped(&note));
        }
    };
    lost(&mut out, 0);
    for (number, step) in trace.shown() {
        let arrow = if step.blocked { "--x" } else { "->>" };
        let _ = match step.label.strip_prefix("-- ") {
            None if step.concerns_all() => {
                let last = trace.actors.len().saturating_sub(1);
                writeln!(out, "    Note over a0,a{last}: {}", escaped(&step.label))
            }
            // What is no statement, and a comment in SQL.
            Some(beside) => writeln!(out, "    Note over a{}: {}", step.actor, escaped(beside)),
            None => {
                writeln!(out, "    a{}{arrow}world: {}", step.actor, escaped(&trace.call(step)))
            }
        };
        if let Some(them) = &step.waits_for {
            let whom = escaped(&trace.names(them));
            let _ = writeln!(out, "    Note over a{}: waits for {whom}", step.actor);
        }
        if let Some(output) = &step.output {
            let _ = writeln!(out, "    Note over a{}: {}", step.actor, escaped(output));
        }
        lost(&mut out, number);
    }
    for Unfinished { actor, waits, waits_for } in &trace.unfinished {
        let how = match (waits, waits_for) {
            (false, _) => "had not finished".to_owned(),
            (true, None) => "waits".to_owned(),
            (true, Some(nobody)) if nobody.is_empty() => "waits for nobody".to_owned(),
            (true, Some(them)) => format!("waits for {}", escaped(&trace.names(them))),
        };
        let _ = writeln!(out, "    Note over a{actor}: {how}");
    }
    if let (Some(last), Some(end)) = (last, &trace.end) {
        let _ = writeln!(out, "    Note over a0,a{last}: {}", escaped(end));
    }
    if let Some(last) = last {
        let _ = writeln!(out, "    Note over a0,a{last}: {}", escaped(closing));
    }
    out
}

/// That after so many steps every continuation violates these properties, if they are lost just
/// then.
fn note(lost: &[Lost], steps: usize) -> Option<String> {
    let (at, who) = match steps {
        0 => (NoReturn::BeforeTheFirst, "from here every interleaving"),
        steps => (NoReturn::AtStep(steps), "from here every continuation"),
    };
    let here = lost.iter().filter(|lost| lost.no_return() == Some(at));
    let names: Vec<&str> = here.map(|lost| &*lost.property).collect();
    (!names.is_empty()).then(|| format!("{who} violates {}", names.join(", ")))
}

/// Text that Mermaid takes for text: what it would take for more, as its own entities.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '#' | ';' | '<' | '>' | '&' | '"' | '{' | '}' | '%' | ':' => {
                let _ = write!(out, "#{};", u32::from(letter));
            }
            control if control.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Share, TraceStep};

    #[test]
    fn what_mermaid_would_read_as_syntax_is_escaped() {
        let step = TraceStep {
            output: Some("Delivered(\"<x>\")".into()),
            ..TraceStep::new(0, "read = \"a;b#c\"")
        };
        let trace = Trace {
            start: None,
            actors: vec!["client 1".into()],
            steps: vec![step],
            unfinished: Vec::new(),
            end: None,
            lost: Vec::new(),
        };
        let lines: Vec<_> =
            mermaid(&trace, "file system", "done").lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "sequenceDiagram");
        assert_eq!(lines[2], "    participant a0 as client 1");
        assert_eq!(lines[4], "    a0->>world: read = #34;a#59;b#35;c#34;");
        assert_eq!(lines[5], "    Note over a0: Delivered(#34;#60;x#62;#34;)");
    }

    #[test]
    fn what_might_happen_and_does_not_is_left_out() {
        let labels = ["is it killed? no", "take", "is it killed? yes", "is killed"];
        let trace = Trace {
            start: None,
            actors: vec!["client 1".into()],
            steps: labels.map(|label| TraceStep::new(0, label)).into(),
            unfinished: Vec::new(),
            end: None,
            lost: Vec::new(),
        };
        let told = mermaid(&trace, "shelf", "done");
        let messages = told.lines().filter_map(|line| line.split_once("world: "));
        let messages: Vec<_> = messages.map(|(_, message)| message).collect();
        assert_eq!(messages, ["take", "is it killed? yes", "is killed"]);
    }

    #[test]
    fn a_note_stands_where_all_is_lost() {
        let share =
            |violating: u32, all: u32| Share { violating: violating.into(), all: all.into() };
        let lost = |property: &str, shares| Lost { property: property.to_owned(), shares };
        let trace = Trace {
            start: None,
            actors: vec!["client 1".into(), "client 2".into()],
            steps: vec![
                TraceStep::new(0, "look"),
                TraceStep { output: Some("mine".into()), ..TraceStep::new(1, "take") },
            ],
            unfinished: Vec::new(),
            end: None,
            lost: vec![
                lost("one-owner", vec![share(2, 6), share(1, 2), share(1, 1)]),
                lost("one-key", vec![share(3, 6), share(1, 2), share(1, 1)]),
                lost("no-client", vec![share(6, 6), share(2, 2), share(1, 1)]),
            ],
        };
        let told = mermaid(&trace, "shelf", "done");
        let expected = [
            "    Note over a0,a1: from here every interleaving violates no-client",
            "    a0->>world: look",
            "    a1->>world: take",
            "    Note over a1: mine",
            "    Note over a0,a1: from here every continuation violates one-owner, one-key",
            "    Note over a0,a1: done",
        ];
        assert_eq!(told.lines().skip(5).collect::<Vec<_>>(), expected);
    }
}
