//! Whether the simulation and the server tell one story.

use toctou::db::{Answer, Reply, SqlState, Statement};

use super::drive::{Event, Play, World, told};
use super::generate::{Program, TABLES};
use super::oracle::{Transaction, rows_that_fit};
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
    let ours = simulated.execute(who, statement);
    if is_refused(&ours) {
        return refused(simulated, real, (who, statement), play, tally);
    }
    let theirs = real.execute(who, statement);
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

/// What the simulation refuses is not asked of the real world. Instead that is asked whether the statement
/// has several rows to change; what it does not refuse is compared.
fn refused<S: World, R: World>(
    simulated: &mut S,
    real: &mut R,
    (who, statement): (usize, &Statement),
    play: &mut Play<'_>,
    tally: &Tally,
) -> Result<(), String> {
    let changes = matches!(statement, Statement::Update(_) | Statement::Delete(_));
    let look = rows_that_fit(statement).filter(|_| changes && !play.is_waiting(who));
    let look = look.ok_or_else(|| format!("{who}: {statement} is refused"))?;
    match real.execute(who, &look) {
        Reply::Answer(Ok(answer)) if answer.rows().len() > 1 => {
            tally.note("refused", "several rows")
        }
        // It fails there before that is known.
        reply if play.is_serializable(who) && is_failure(&reply) => {}
        reply => {
            return Err(format!("{who}: {statement} is refused, and {look} -- {}", told(&reply)));
        }
    }
    if play.is_open(who) {
        roll_back(simulated, who, statement);
        roll_back(real, who, statement);
        play.gave_up(who, statement, "the simulation refuses it");
    } else {
        play.replied(who, statement, &Reply::Answer(Err(SqlState::FEATURE_NOT_SUPPORTED.into())));
    }
    Ok(())
}

fn is_refused(reply: &Reply) -> bool {
    matches!(reply, Reply::Answer(Err(error)) if error.state == SqlState::FEATURE_NOT_SUPPORTED)
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
