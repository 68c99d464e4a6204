//! What `claim_cell` promises. Fourth floor: imports [`check`](crate::check) and its neighbours.

use super::{PUT, Scene, told_claimed};
use crate::check::threads::{End, Program};

/// How many have claimed a value, this one if there are several.
fn claims(end: End<'_>, token: usize) -> usize {
    let told = told_claimed(token);
    end.outputs.iter().filter(|output| output.as_deref() == Some(&*told)).count()
}

/// How many have put theirs in.
fn puts(end: End<'_>) -> usize {
    end.outputs.iter().filter(|output| output.as_deref() == Some(PUT)).count()
}

fn tokens(end: End<'_>) -> impl Iterator<Item = usize> + Clone {
    1..=end.dropped.len()
}

/// Claims all of it.
pub(super) fn claimed(program: Program, scene: Scene) -> Program {
    let program =
        program.finally("at-most-once", |end| tokens(end).all(|token| claims(end, token) <= 1));
    let program = match scene.puts {
        // Where the value may come too late for everybody, there need not be one who has it.
        0 => program.finally("exactly-once", |end| claims(end, 1) == 1),
        _ => program.finally("put-once", |end| puts(end) == 1),
    };
    let program = program
        .finally("no-leak", |end| end.dropped.iter().all(|times| *times > 0))
        .finally("no-double-drop", |end| end.dropped.iter().all(|times| *times <= 1));
    match scene.claims {
        0 => program.reachable("somebody-puts", |end| puts(end) > 0),
        _ => program
            .reachable("somebody-claims", |end| tokens(end).any(|token| claims(end, token) > 0)),
    }
}
