//! Short stories of a few sessions, told in the simulation and on the server.

use toctou::db::{
    Answer, Delete, Insert, Isolation, OnConflict, Reply, Row, Select, Statement, Table, Update,
    Value, row,
};

use super::drive::{Run, World, told};
use super::generate::{ACCOUNT, Program, TABLES};
use super::server::{Lane, cluster};

/// Who asks what, and how that is answered.
pub(crate) type Told<'s> = (usize, Statement, &'s str);

/// Three sessions on these rows of `account`.
pub(crate) fn accounts(rows: &[(i64, i64)]) -> Program {
    let rows = rows.iter().map(|(id, balance)| row([(*id).into(), (*balance).into()]));
    stage(&ACCOUNT, rows.collect())
}

/// Three sessions on these rows of one table; the others are empty.
pub(crate) fn stage(with: &'static Table, rows: Vec<Row>) -> Program {
    // Tables that were made by text stand alone.
    let tables = if TABLES.contains(&with) { TABLES.to_vec() } else { vec![with] };
    let rows = |table: &Table| if table == with { rows.clone() } else { Vec::new() };
    let rows = tables.into_iter().map(|table| (table, rows(table)));
    Program { rows: rows.collect(), sessions: vec![Vec::new(); 3], schedule: Vec::new() }
}

pub(crate) fn begin(level: Isolation) -> Statement {
    Statement::Begin(level)
}

pub(crate) fn read(id: i64) -> Statement {
    Select::columns(&ACCOUNT, &["balance"]).filter("id", id).into()
}

pub(crate) fn all() -> Statement {
    Select::columns(&ACCOUNT, &["id", "balance"]).into()
}

pub(crate) fn set(id: i64, balance: i64) -> Statement {
    Update::new(&ACCOUNT).set("balance", balance).filter("id", id).into()
}

pub(crate) fn add(id: i64, amount: i64) -> Statement {
    Update::new(&ACCOUNT).add("balance", amount).filter("id", id).into()
}

/// Locks one account, and reads it.
pub(crate) fn lock(id: i64) -> Statement {
    Select::columns(&ACCOUNT, &["balance"]).filter("id", id).for_update().into()
}

/// Removes one account.
pub(crate) fn delete(id: i64) -> Statement {
    Delete::new(&ACCOUNT).filter("id", id).into()
}

/// Puts an account in place of whichever is there.
pub(crate) fn upsert(id: i64, balance: i64) -> Insert {
    let upsert = Insert::new(&ACCOUNT, row([id.into(), balance.into()]));
    upsert.on_conflict(OnConflict::DoUpdate(vec!["balance"]))
}

/// It finds the key and says so; is that a read? If it is, the first transaction is before the second
/// (which removes what it found) and after it (for it can insert the key).
pub(crate) fn idle_insert() -> [(usize, Statement); 8] {
    let insert = Insert::new(&ACCOUNT, row([1.into(), 1.into()]));
    let insert = Statement::from(insert.on_conflict(OnConflict::DoNothing));
    [
        (0, begin(Isolation::Serializable)),
        (1, begin(Isolation::Serializable)),
        (0, insert.clone()),
        (1, all()),
        (1, delete(1)),
        (1, Statement::Commit),
        (0, insert),
        (0, Statement::Commit),
    ]
}

/// Asserts that a story goes so in the simulation, and on the server if there is one.
pub(crate) fn assert_story(stage: &Program, story: &[Told<'_>]) {
    let expected: Vec<_> = story.iter().map(|(.., told)| *told).collect();
    each(stage, |world, place| {
        let replies: Vec<_> =
            story.iter().map(|(who, statement, _)| told(&world.execute(*who, statement))).collect();
        let asked = story.iter().map(|(who, statement, _)| format!("{who}: {statement}"));
        let asked: Vec<_> = asked.collect();
        assert_eq!(replies, expected, "{place}, {asked:#?}");
    });
}

/// Does something in a world with three sessions in the simulation, and on the server if there is one.
pub(crate) fn each(stage: &Program, mut act: impl FnMut(&mut dyn World, &'static str)) {
    act(&mut Run::new(stage), "in the simulation");
    if let Some(cluster) = cluster() {
        let mut lane = Lane::new(cluster).expect("sessions on the server");
        lane.reset(stage).expect("its tables");
        act(&mut lane, "on the server");
    }
}

/// Plays what sessions ask in this order, as clients do that wait for their answers: whoever can go on
/// after a wait goes on at once. Answers with what each statement came to in the end.
pub(crate) fn played(
    world: &mut (impl World + ?Sized),
    asked: &[(usize, Statement)],
) -> Vec<Reply> {
    let mut replies: Vec<Reply> = Vec::with_capacity(asked.len());
    for (who, statement) in asked {
        replies.push(world.execute(*who, statement));
        while let Some(index) = (0..replies.len()).find(|index| {
            let is_waiting = matches!(replies[*index], Reply::Queued | Reply::Waiting);
            is_waiting && world.waits_for(asked[*index].0).is_empty()
        }) {
            replies[index] = world.execute(asked[index].0, &asked[index].1);
        }
    }
    replies
}

/// The number that a statement read, if it was answered at all.
pub(crate) fn number(reply: &Reply) -> Option<i64> {
    match reply {
        Reply::Answer(Ok(answer)) => answer.value().and_then(Value::int),
        _ => None,
    }
}

pub(crate) fn is_committed(reply: &Reply) -> bool {
    matches!(reply, Reply::Answer(Ok(Answer::Committed)))
}
