//! Whether the simulation and the server tell one story.

use toctou::db::{Answer, Reply, SqlState, Statement};

use super::drive::{Event, Play, World, outcomes, told};
use super::generate::Program;
use super::keys;
use super::oracle::Transaction;
use super::tally::Tally;

/// Plays a program in both worlds at once; where they disagree, says how. Answers with the
/// transactions that committed.
///
/// In which order a statement takes several rows is the real world's to choose. So there is a simulated
/// world for each order that may have been taken, and some of them has to tell the same story to its end.
///
/// A serializable transaction may fail in the real world where the simulated one admits it: then it is
/// given up in both. Where the simulated one refuses it, the real one must not let it commit, and must
/// not have a reason for which nobody tries again. (But for a key that is there, of a table with several:
/// PostgreSQL then asks by which index others have read.)
pub(crate) fn compare<S: World + Clone + PartialEq, R: World>(
    simulated: S,
    real: &mut R,
    program: &Program,
    tally: &Tally,
) -> Result<Vec<Transaction>, String> {
    let mut play = Play::new(program);
    match run(vec![simulated], real, program, &mut play, tally) {
        Ok(()) => Ok(play.committed),
        Err(difference) => Err(format!("{}\n{difference}", play.story.join("\n"))),
    }
}

fn run<S: World + Clone + PartialEq, R: World>(
    mut worlds: Vec<S>,
    real: &mut R,
    program: &Program,
    play: &mut Play<'_>,
    tally: &Tally,
) -> Result<(), String> {
    while let Some(event) = play.next()? {
        match event {
            Event::Asks(who, statement) => {
                let several_keys = program.rows.iter().any(|(table, _)| *table == &keys::SEAT);
                ask(&mut worlds, real, (who, &statement, several_keys), play, tally)?;
            }
            Event::HangsUp(who) => {
                worlds.iter_mut().for_each(|world| world.hang_up(who));
                real.hang_up(who);
                let what = if play.is_waiting(who) { "waiting" } else { "in a transaction" };
                tally.note("hung up", what);
                play.hung_up(who);
            }
        }
        for waiting in (0..program.sessions.len()).filter(|who| play.is_waiting(*who)) {
            let theirs = real.waits_for(waiting);
            keep(&mut worlds, "by a wait", tally, |world| world.waits_for(waiting), &theirs).map_err(
                |ours| {
                    format!(
                        "after the last of these {waiting} waits for {ours:?} in the simulation, and \
                         for {theirs:?} on the server"
                    )
                },
            )?;
        }
    }
    for (table, _) in &program.rows {
        let theirs = real.rows(table);
        keep(&mut worlds, "by what is left", tally, |world| world.rows(table), &theirs)
            .map_err(|ours| format!("{}: simulated {ours:?}, real {theirs:?}", table.name))?;
    }
    Ok(())
}

/// Keeps the worlds in which something is as in the real one. If there is none, answers with what it is in
/// one of them.
fn keep<S, T: PartialEq>(
    worlds: &mut Vec<S>,
    how: &str,
    tally: &Tally,
    mut look: impl FnMut(&mut S) -> T,
    theirs: &T,
) -> Result<(), T> {
    let before = worlds.len();
    let mut other = None;
    worlds.retain_mut(|world| {
        let ours = look(world);
        let same = ours == *theirs;
        if !same {
            other = Some(ours);
        }
        same
    });
    match other {
        Some(other) if worlds.is_empty() => return Err(other),
        Some(_) if before > 1 => tally.note("orders told apart", how),
        _ => {}
    }
    Ok(())
}

/// Asks for one statement in both worlds.
fn ask<S: World + Clone + PartialEq, R: World>(
    worlds: &mut Vec<S>,
    real: &mut R,
    (who, statement, several_keys): (usize, &Statement, bool),
    play: &mut Play<'_>,
    tally: &Tally,
) -> Result<(), String> {
    let may_fail = play.is_serializable(who);
    let theirs = real.execute(who, statement);
    tally.count(statement, &theirs);
    let ours = worlds.iter().flat_map(|world| outcomes(world, who, statement));
    let (alike, others): (Vec<_>, Vec<_>) = ours.partition(|(_, ours)| same(ours, &theirs));
    if !alike.is_empty() {
        if may_fail && is_failure(&theirs) {
            tally.note("serializable", "failed in both");
        }
        if !others.is_empty() {
            tally.note("orders told apart", "by an answer");
        }
        *worlds = distinct(alike);
        if worlds.len() > 1 {
            tally.note("orders", "more than one is possible");
        }
        play.replied(who, statement, &theirs);
        return Ok(());
    }
    let difference = others
        .first()
        .map_or_else(String::new, |(_, ours)| difference(who, statement, ours, &theirs));
    if may_fail && is_failure(&theirs) {
        tally.note("serializable", "failed on the server only");
        worlds.iter_mut().for_each(|world| world.hang_up(who));
        roll_back(real, who, statement);
        play.gave_up(who, statement, "the server fails it");
        return Ok(());
    }
    if !may_fail || !others.iter().all(|(_, ours)| is_failure(ours)) {
        return Err(difference);
    }
    // It may have it wait first, and be the one who closes a circle: that is tried again, too.
    match &theirs {
        Reply::Answer(Err(error)) if error.state.is_worth_a_retry() => {}
        Reply::Answer(Err(error)) if error.state == SqlState::UNIQUE_VIOLATION && several_keys => {
            tally.note("serializable", "failed in the simulation, by a key on the server");
        }
        Reply::Answer(Err(_)) => return Err(difference),
        _ => {}
    }
    if is_committed(real, who, statement, &theirs) {
        return Err(difference + ", and commits");
    }
    tally.note("serializable", "failed in the simulation first");
    *worlds = distinct(others);
    worlds.iter_mut().for_each(|world| roll_back(world, who, statement));
    play.gave_up(who, statement, "the simulation fails it");
    Ok(())
}

fn distinct<S: PartialEq>(outcomes: Vec<(S, Reply)>) -> Vec<S> {
    let mut worlds: Vec<S> = Vec::with_capacity(outcomes.len());
    for (world, _) in outcomes {
        if !worlds.contains(&world) {
            worlds.push(world);
        }
    }
    worlds
}

fn difference(who: usize, statement: &Statement, ours: &Reply, theirs: &Reply) -> String {
    let (ours, theirs) = (told(ours), told(theirs));
    format!("{who}: {statement} -- simulated {ours}, real {theirs}")
}

fn same(ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Answer(Err(ours)), Reply::Answer(Err(theirs))) => ours.state == theirs.state,
        _ => ours == theirs,
    }
}

fn is_failure(reply: &Reply) -> bool {
    matches!(reply, Reply::Answer(Err(error)) if error.state == SqlState::SERIALIZATION_FAILURE)
}

fn roll_back(world: &mut impl World, who: usize, after: &Statement) {
    if *after != Statement::Commit {
        world.execute(who, &Statement::Rollback);
    }
}

/// Whether a transaction commits, if it tries to now. It is over afterwards.
fn is_committed(world: &mut impl World, who: usize, last: &Statement, reply: &Reply) -> bool {
    match reply {
        Reply::Answer(Ok(Answer::Committed)) => true,
        Reply::Answer(Ok(_)) => {
            let end = world.execute(who, &Statement::Commit);
            matches!(end, Reply::Answer(Ok(Answer::Committed)))
        }
        Reply::Answer(Err(_)) => {
            roll_back(world, who, last);
            false
        }
        Reply::Queued | Reply::Waiting | Reply::Underway(_) => {
            world.hang_up(who);
            false
        }
    }
}
