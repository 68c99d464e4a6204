//! Second floor, `check`: the ends of a system's executions. Imports [`process`](crate::process)
//! and its neighbours in `check`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::columns::{WIDTH, columns, wrap};
use super::intern::LocalOf;
use super::system::{Local, Locals, State};
use super::{Checker, End, GraphOptions, PropertyKind, Value, Verdict};
use crate::Process;

/// The distinct ends of a system as a table: how many interleavings end so, the output of each
/// actor, and the world that is left. A branch that is never taken has no line.
pub(super) struct Ends<'e> {
    /// The actors' names, by index.
    pub(super) actors: &'e [String],
    /// The ends, those of most interleavings first.
    pub(super) ends: &'e [End],
}

/// At most this many ends are shown.
const MOST: usize = 12;
/// At most this much of the world that is left is shown.
const LEFT: usize = 240;
/// Between two columns.
const GAP: usize = 2;
/// Below this width a column says nothing any more.
const NARROWEST: usize = 12;
/// What stands for the output of an actor that has none.
const WAITS: &str = "⋯ waits";

impl Ends<'_> {
    /// The cells of the table, its head first.
    fn cells(&self) -> Vec<Vec<String>> {
        let shown = self.ends.iter().take(MOST);
        let number = std::iter::once("interleavings".to_owned());
        let head = number.chain(self.actors.iter().cloned()).chain(["left".to_owned()]).collect();
        let rows = shown.map(|end| {
            let output = |output: &Option<String>| output.as_deref().unwrap_or(WAITS).to_owned();
            let number = std::iter::once(end.interleavings.to_string());
            number.chain(end.outputs.iter().map(output)).chain([limited(&end.world)]).collect()
        });
        std::iter::once(head).chain(rows).collect()
    }
}

fn limited(world: &str) -> String {
    match columns(world) <= LEFT {
        true => world.to_owned(),
        false => world.chars().take(LEFT - 1).chain(['…']).collect(),
    }
}

impl fmt::Display for Ends<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.cells();
        let (all, noun) = (self.ends.len(), if self.ends.len() == 1 { "end" } else { "ends" });
        writeln!(f, "{all} distinct {noun}:")?;
        let wanted: Vec<usize> = (0..cells.first().map_or(0, Vec::len))
            .map(|column| {
                let lines = cells.iter().flat_map(|row| row.get(column)).flat_map(|it| it.lines());
                lines.map(columns).max().unwrap_or(0)
            })
            .collect();
        match fitted(&wanted) {
            Some(widths) => table(f, &cells, &widths),
            None => listed(f, &cells),
        }?;
        match all.saturating_sub(MOST) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

/// Each column is as wide as its longest text, if all columns fit. If not, the widest give way
/// first. `None` if there are more columns than there is room for.
fn fitted(wanted: &[usize]) -> Option<Vec<usize>> {
    let room = WIDTH.checked_sub(GAP * wanted.len().saturating_sub(1))?;
    let fits = |cap: usize| wanted.iter().map(|width| cap.min(*width)).sum::<usize>() <= room;
    let cap = (NARROWEST..=WIDTH).rev().find(|cap| fits(*cap))?;
    Some(wanted.iter().map(|width| cap.min(*width)).collect())
}

fn table(f: &mut fmt::Formatter<'_>, cells: &[Vec<String>], widths: &[usize]) -> fmt::Result {
    for row in cells {
        let wrapped: Vec<Vec<String>> =
            row.iter().zip(widths).map(|(text, width)| lines(text, *width)).collect();
        for line in 0..wrapped.iter().map(Vec::len).max().unwrap_or(0) {
            let mut told = String::new();
            for (column, (lines, width)) in wrapped.iter().zip(widths).enumerate() {
                let text = lines.get(line).map_or("", String::as_str);
                let fill = " ".repeat(width.saturating_sub(columns(text)));
                // Numbers end where their heading ends, words begin where it begins.
                let (before, after) = if column == 0 { (&*fill, "") } else { ("", &*fill) };
                let gap = if column == 0 { 0 } else { GAP };
                let _ = write!(told, "{:gap$}{before}{text}{after}", "");
            }
            writeln!(f, "{}", told.trim_end())?;
        }
    }
    Ok(())
}

/// One cell below the other, each after the name of its column.
fn listed(f: &mut fmt::Formatter<'_>, cells: &[Vec<String>]) -> fmt::Result {
    let [head, rows @ ..] = cells else { return Ok(()) };
    let name = head.iter().map(|name| columns(name)).max().unwrap_or(0).min(24);
    for (position, row) in rows.iter().enumerate() {
        if position > 0 {
            writeln!(f)?;
        }
        for (column, text) in head.iter().zip(row) {
            let mut column = column.as_str();
            for line in lines(text, WIDTH - GAP - name) {
                writeln!(f, "{column:name$}  {line}")?;
                column = "";
            }
        }
    }
    Ok(())
}

fn lines(text: &str, width: usize) -> Vec<String> {
    text.lines().flat_map(|line| wrap(line, width)).collect()
}

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// The properties claimed `always` that some state violates, but no state in which all actors
    /// have ended. An observer that sees only the end of an execution cannot judge them.
    ///
    /// It returns the properties that are known to be so: none if the graph [has to give
    /// up](GraphOptions::max_states).
    pub fn unjudged_by_ends(&self, options: &GraphOptions) -> Vec<String> {
        let report = self.graph(options);
        let Some(outcomes) = report.outcomes.as_ref().filter(|_| report.exhaustive()) else {
            return Vec::new();
        };
        let violated = self.system.properties.iter().filter(|property| {
            let finding = report.finding(property.name());
            let verdict = finding.map(|finding| &finding.verdict);
            property.kind() == PropertyKind::Always && matches!(verdict, Some(Verdict::Violated(_)))
        });
        let mut open: Vec<_> = violated.collect();
        if open.is_empty() {
            return Vec::new();
        }
        let codes = self.codes.lock();
        let worlds: Vec<Arc<W>> = codes.worlds.values().to_vec();
        let locals: Vec<Arc<LocalOf<W, P>>> = codes.locals.values().to_vec();
        // A property is the user's code: it is not to find the codes locked.
        drop(codes);
        for outcome in outcomes {
            let [world, actors @ ..] = &**outcome else { continue };
            let Some(world) = worlds.get(*world as usize) else { continue };
            let state = State::<W, P> { world, locals: Locals::Coded(actors, &locals) };
            if state.locals().all(|local| matches!(local, Local::Done(_))) {
                open.retain(|property| property.is_true_in(&state));
            }
        }
        open.into_iter().map(|property| property.name().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;
    use crate::check::System;

    fn end(outputs: &[Option<&str>], world: &str, interleavings: u32) -> End {
        let outputs = outputs.iter().map(|told| told.map(str::to_owned)).collect();
        End { outputs, world: world.to_owned(), interleavings: interleavings.into() }
    }

    #[test]
    fn each_end_has_a_line() {
        let actors = ["client 1", "client 2"].map(str::to_owned);
        let ends = [
            end(&[Some("Delivered(\"alpha\")"), Some("Delivered(\"alpha\")")], "meta 0600", 40),
            end(&[Some("Gone"), Some("Delivered(\"alpha\")")], "meta 0600\nold 0600", 3),
            end(&[None, None], "", 3),
        ];
        assert_eq!(
            Ends { actors: &actors, ends: &ends }.to_string().lines().collect::<Vec<_>>(),
            [
                "3 distinct ends:",
                "interleavings  client 1            client 2            left",
                "           40  Delivered(\"alpha\")  Delivered(\"alpha\")  meta 0600",
                "            3  Gone                Delivered(\"alpha\")  meta 0600",
                "                                                       old 0600",
                "            3  ⋯ waits             ⋯ waits",
            ]
        );
    }

    #[test]
    fn every_number_of_actors_fits_and_of_many_ends_as_many_are_told() {
        for actors in 0..30 {
            let output = Some("Delivered(\"a secret of some length\")");
            let names: Vec<String> =
                (1..=actors).map(|number| format!("client {number}")).collect();
            let world = "key/content 0600 ".repeat(actors);
            let ends = vec![end(&vec![output; actors], &world, 7); MOST + actors];
            let told = Ends { actors: &names, ends: &ends }.to_string();
            assert!(told.lines().all(|line| columns(line) <= WIDTH), "{actors}:\n{told}");
            assert!(actors == 0 || told.contains(&format!("client {actors}")), "{told}");
            assert_eq!(told.contains(&format!("and {actors} more")), actors > 0, "{told}");
        }
    }

    /// A branch that is never taken has no line, and each line has its share of the interleavings.
    #[test]
    fn the_ends_of_a_system_are_told_with_their_interleavings() {
        let system = System::new(0).clients(2, Visitor::Outside { stays: false });
        let told = system.examine().to_string();
        let table = "1 distinct end:\ninterleavings  a client  a client  left\n";
        let row = "            6  \"left\"    \"left\"    0\n";
        assert!(told.ends_with(&format!("{table}{row}")), "{told}");
    }

    /// Goes in and out again, or stays.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    enum Visitor {
        Outside { stays: bool },
        Inside,
    }

    impl Process<u32> for Visitor {
        type Output = &'static str;

        fn step(self, inside: &mut u32) -> Step<Self, &'static str> {
            match self {
                Visitor::Outside { stays } => {
                    *inside += 1;
                    if stays { Step::Done("stays") } else { Step::Next(Visitor::Inside) }
                }
                Visitor::Inside => {
                    *inside -= 1;
                    Step::Done("left")
                }
            }
        }
    }

    fn unjudged(stays: bool) -> Vec<String> {
        let system = System::new(0)
            .clients(2, Visitor::Outside { stays })
            .always("one-inside", |state| *state.world() <= 1)
            .always("two-inside", |state| *state.world() <= 2)
            .finally("nobody-inside", |state| *state.world() == 0)
            .at_most(1, "one-visitor", |local| {
                matches!(local, Local::Running(Visitor::Inside)).then_some(())
            });
        Checker::new(system).unjudged_by_ends(&GraphOptions::default())
    }

    #[test]
    fn what_is_violated_before_the_end_only_cannot_be_judged_by_it() {
        assert_eq!(unjudged(false), ["one-inside", "one-visitor"]);
        assert_eq!(unjudged(true), Vec::<String>::new(), "who stays is seen at the end as well");
    }
}
