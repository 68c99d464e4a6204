//! Second floor, `check`: a trace as columns, one an actor, one row a step.
//! Imports its neighbours in `check`.

use std::fmt;

use super::trace::Trace;

/// What a terminal, a review comment and a test log all have.
const WIDTH: usize = 100;
/// Room for the number of a step.
const NUMBER: usize = 5;
/// Between columns.
const GAP: usize = 2;

impl fmt::Display for Trace {
    /// One column an actor, one row a step, what an actor ended with below its last one. At most
    /// 100 characters wide for up to six actors; labels that do not fit go on below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.column_widths();
        write!(f, "{:NUMBER$}", "")?;
        for (actor, (name, width)) in self.actors.iter().zip(&columns).enumerate() {
            if actor + 1 == self.actors.len() {
                write!(f, "{name}")?;
            } else {
                write!(f, "{name:<width$}{:GAP$}", "")?;
            }
        }
        writeln!(f)?;
        for (number, step) in self.steps.iter().enumerate() {
            let Some(width) = columns.get(step.actor) else { continue };
            let indent: usize = columns[..step.actor].iter().map(|width| width + GAP).sum();
            let mut cells = wrapped(&step.label, *width);
            if step.blocked {
                cells.push("waits".to_owned());
            }
            if let Some(output) = &step.output {
                cells.extend(wrapped(&format!("→ {output}"), *width));
            }
            for (line, cell) in cells.iter().enumerate() {
                match line {
                    0 => write!(f, "{:>3}  ", number + 1)?,
                    _ => write!(f, "{:NUMBER$}", "")?,
                }
                writeln!(f, "{:indent$}{cell}", "")?;
            }
        }
        for (actor, waits) in &self.unfinished {
            let Some(name) = self.actors.get(*actor) else { continue };
            let state =
                if *waits { "waits, and nobody lets it go on" } else { "has not ended yet" };
            writeln!(f, "{:NUMBER$}({name} {state})", "")?;
        }
        Ok(())
    }
}

impl Trace {
    /// As wide as each actor's widest cell, or less where that is too much for all of them.
    fn column_widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.actors.iter().map(|name| name.chars().count()).collect();
        for step in &self.steps {
            if let Some(width) = widths.get_mut(step.actor) {
                let output = step.output.as_ref().map_or(0, |output| output.chars().count() + 2);
                *width = (*width).max(step.label.chars().count()).max(output);
            }
        }
        let gaps = GAP * self.actors.len().saturating_sub(1);
        let room = WIDTH.saturating_sub(NUMBER + gaps);
        // The widest give way first, down to a width at which words still fit.
        while widths.iter().sum::<usize>() > room {
            match widths.iter_mut().max() {
                Some(widest) if *widest > 12 => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

/// `text` in lines of at most `width` characters, broken at spaces where there are any; lines after
/// the first are indented.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(4);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let used = line.chars().count();
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
        } else if used > 0 && line != "  " {
            line.push(' ');
        }
        for letter in word.chars() {
            if line.chars().count() == width {
                lines.push(std::mem::replace(&mut line, "  ".to_owned()));
            }
            line.push(letter);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::TraceStep;

    fn step(actor: usize, label: &str, output: Option<&str>) -> TraceStep {
        let output = output.map(str::to_owned);
        TraceStep { actor, label: label.to_owned(), output, blocked: false }
    }

    #[test]
    fn each_actor_has_a_column_and_its_end_stands_below_its_last_step() {
        let trace = Trace {
            actors: vec!["client 1".into(), "client 2".into()],
            steps: vec![
                step(0, "open(content) = ok", None),
                step(1, "open(content) = ENOENT", Some("Gone")),
            ],
            unfinished: vec![(0, false)],
        };
        let expected = "     client 1            client 2\n  1  open(content) = ok\n  \
                        2                      open(content) = ENOENT\n                         \
                        → Gone\n     (client 1 has not ended yet)\n";
        assert_eq!(trace.to_string(), expected);
    }

    #[test]
    fn long_labels_go_on_below_and_no_line_is_wider_than_a_hundred_characters() {
        let long = "rename(key/content → key/content.download, no replace) = ok";
        let trace = Trace {
            actors: (1..=4).map(|number| format!("client {number}")).collect(),
            steps: (0..4).map(|actor| step(actor, long, Some("Delivered(\"alpha\")"))).collect(),
            unfinished: Vec::new(),
        };
        let told = trace.to_string();
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH), "{told}");
        assert!(told.lines().count() > 9, "nothing is cut off: {told}");
    }
}
