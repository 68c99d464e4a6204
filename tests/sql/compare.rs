//! Whether the simulation and the server tell one story.

use toctou::db::{Answer, Reply, SqlState, Statement};

use super::drive::{Event, Play, World, told};
use super::generate::{Program, TABLES};
use super::oracle::Transaction;
use super::tally::Tally;

/// Plays a program in both worlds at once; where they disagree, says how. Answers with the
/// transactions that committed.
///
/// A serializable transaction may fail in the real world where the simulated one admits it: then it is
/// given up in both. Where the simulated one refuses it, the real one must not let it commit, and must
/// not have a reason for which nobody tries again.
pub(crate) fn compare<S: World + Clone, R: World>(
    simulated: &mut S,
    real: &mut R,
    program: &Program,
    tally: &Tally,
) -> Result<Vec<Transaction>, String> {
    let mut play = Play::new(program);
    match run(simulated, real, program, &mut play, tally) {
        Ok(()) => Ok(play.committed),
        Err(difference) => Err(format!("{}\n{difference}", play.story.join("\n"))),
    }
}

fn run<S: World + Clone, R: World>(
    simulated: &mut S,
    real: &mut R,
    program: &Program,
    play: &mut Play<'_>,
    tally: &Tally,
) -> Result<(), String> {
    while let Some(event) = play.next()? {
        match event {
            Event::Asks(who, statement) => {
                ask(simulated, real, (who, &statement), play, tally)?;
            }
            Event::HangsUp(who) => {
                simulated.hang_up(who);
                real.hang_up(who);
                let what = if play.is_waiting(who) { "waiting" } else { "in a transaction" };
                tally.note("hung up", what);
                play.hung_up(who);
            }
        }
        for waiting in (0..program.sessions.len()).filter(|who| play.is_waiting(*who)) {
            let (ours, theirs) = (simulated.waits_for(waiting), real.waits_for(waiting));
            if ours != theirs {
                return Err(format!(
                    "after the last of these {waiting} waits for {ours:?} in the simulation, and \
                     for {theirs:?} on the server"
                ));
            }
        }
    }
    for table in TABLES {
        let (ours, theirs) = (simulated.rows(table), real.rows(table));
        if ours != theirs {
            return Err(format!("{}: simulated {ours:?}, real {theirs:?}", table.name));
        }
    }
    Ok(())
}

/// Asks for one statement in both worlds.
fn ask<S: World + Clone, R: World>(
    simulated: &mut S,
    real: &mut R,
    (who, statement): (usize, &Statement),
    play: &mut Play<'_>,
    tally: &Tally,
) -> Result<(), String> {
    let before = play.is_serializable(who).then(|| simulated.clone());
    let theirs = real.execute(who, statement);
    let ours = simulated.execute(who, statement);
    tally.count(statement, &theirs);
    match before {
        _ if same(&ours, &theirs) => {
            if before.is_some() && is_failure(&theirs) {
                tally.note("serializable", "failed in both");
            }
            play.replied(who, statement, &theirs);
        }
        Some(before) if is_failure(&theirs) => {
            tally.note("serializable", "failed on the server only");
            *simulated = before;
            simulated.hang_up(who);
            roll_back(real, who, statement);
            play.gave_up(who, statement, "the server fails it");
        }
        Some(_) if is_failure(&ours) => {
            let difference = difference(who, statement, &ours, &theirs);
            // It may have it wait first, and be the one who closes a circle: that is tried again, too.
            if matches!(&theirs, Reply::Answer(Err(error)) if !error.state.is_worth_a_retry()) {
                return Err(difference);
            }
            if is_committed(real, who, statement, &theirs) {
                return Err(difference + ", and commits");
            }
            tally.note("serializable", "failed in the simulation first");
            roll_back(simulated, who, statement);
            play.gave_up(who, statement, "the simulation fails it");
        }
        _ => return Err(difference(who, statement, &ours, &theirs)),
    }
    Ok(())
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
        Reply::Queued | Reply::Waiting => {
            world.hang_up(who);
            false
        }
    }
}
