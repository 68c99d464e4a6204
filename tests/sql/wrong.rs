//! The comparison is able to fail: worlds that are wrong in one way each are found out.

use std::cell::RefCell;

use proptest::test_runner::TestError;
use toctou::db::{
    Answer, Insert, Isolation, OnConflict, Reply, Returning, Row, Select, SimSession, SqlState,
    Statement, Table, Value,
};

use super::compare::compare;
use super::drive::{Orders, Run, World};
use super::generate::{ACCOUNT, Crowd, Levels, Profile, Program};
use super::oracle::rows_that_fit;
use super::server::{Lane, cluster};
use super::tally::Tally;
use super::{CASES, search, seed};

/// In what a [`Wrong`] world differs from `SimDb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// After a wait an `UPDATE` does not look again at its conditions.
    NoRecheck,
    /// A statement that waited begins anew, with a new view of the tables and no place in a queue.
    Anew,
    /// Who has waited goes on at once when the wait is over: nobody overtakes.
    NobodyOvertakes,
    /// `FOR UPDATE` locks nothing.
    LostLock,
    /// A row held by another transaction is what everybody waits for, whoever came before.
    NoQueue,
    /// A circle of waits is not noticed.
    Deadlock,
    /// `ON CONFLICT DO NOTHING` takes a key that is being inserted for one that is there.
    InProgress,
    /// After an error a transaction goes on.
    Unfailed,
    /// READ COMMITTED sees what is not committed.
    DirtyRead,
    /// REPEATABLE READ is READ COMMITTED.
    Unrepeatable,
    /// The snapshot is taken by `BEGIN`.
    SnapshotAtBegin,
    /// An updated row counts as a new one.
    EverythingIsNew,
    /// No serializable transaction commits while another one is open.
    Refusing,
    /// A key that is there is told as a conflict between transactions, as if it could be gone the next time.
    EveryKeyIsWorthARetry,
    /// What a session that hung up has locked stays locked.
    Undying,
    /// `BEGIN`, `COMMIT` and `ROLLBACK` are but words.
    NoTransactions,
    /// An `UPDATE` of several rows goes from one to the other in the order of their keys.
    KeysInOrder,
    /// A `FOR UPDATE` locks the last row first.
    LastRowFirst,
}

/// A world that is wrong.
#[derive(Clone, PartialEq)]
pub(crate) struct Wrong {
    run: Run,
    mistake: Mistake,
    /// By session.
    places: Vec<Place>,
}

#[derive(Clone, Default, PartialEq)]
struct Place {
    level: Option<Isolation>,
    has_waited: bool,
    waiting: Option<Statement>,
    /// What it will be answered.
    answer: Option<Reply>,
    /// What is left of a statement that goes from row to row.
    pieces: Option<Pieces>,
}

/// A statement as one for each of its rows.
#[derive(Clone, Default, PartialEq)]
struct Pieces {
    todo: Vec<Statement>,
    rows: Vec<Row>,
    count: u64,
}

impl Wrong {
    pub(crate) fn new(mistake: Mistake, program: &Program) -> Self {
        let places = vec![Place::default(); program.sessions.len()];
        Wrong { run: Run::new(program), mistake, places }
    }

    /// The statement as this world misunderstands it.
    fn misread(&self, who: usize, statement: &Statement) -> Statement {
        match (self.mistake, statement.clone()) {
            (Mistake::NoRecheck, Statement::Update(mut update)) if self.places[who].has_waited => {
                update.filter.truncate(1);
                update.into()
            }
            (Mistake::LostLock, Statement::Select(select)) => {
                Select { for_update: false, ..select }.into()
            }
            (Mistake::Unrepeatable, Statement::Begin(Isolation::RepeatableRead)) => {
                Statement::Begin(Isolation::ReadCommitted)
            }
            (_, statement) => statement,
        }
    }

    /// Goes from row to row, where this world does so, or on from where it had to wait.
    fn row_by_row(&mut self, who: usize, statement: &Statement) -> Option<Reply> {
        self.places[who].level?;
        let mut pieces = match self.places[who].pieces.take() {
            Some(pieces) => pieces,
            None => self.pieces(who, statement)?,
        };
        while let Some(piece) = pieces.todo.first() {
            match self.run.execute(who, piece) {
                Reply::Answer(Ok(Answer::Rows(rows))) => {
                    pieces.rows.splice(..0, rows).for_each(drop)
                }
                Reply::Answer(Ok(answer)) => pieces.count += answer.count(),
                Reply::Answer(Err(error)) => return Some(Reply::Answer(Err(error))),
                waits => {
                    self.places[who].pieces = Some(pieces);
                    return Some(waits);
                }
            }
            pieces.todo.remove(0);
        }
        Some(Reply::Answer(Ok(match statement {
            Statement::Select(_) => Answer::Rows(pieces.rows),
            _ => Answer::Count(pieces.count),
        })))
    }

    fn pieces(&mut self, who: usize, statement: &Statement) -> Option<Pieces> {
        let (is_update, is_lock) = match statement {
            Statement::Update(_) => (true, false),
            Statement::Select(select) => (false, select.for_update),
            _ => (false, false),
        };
        let has_pieces = match self.mistake {
            Mistake::KeysInOrder => is_update,
            Mistake::LastRowFirst => is_lock,
            _ => false,
        };
        if !has_pieces {
            return None;
        }
        let mut fork = self.run.clone();
        let Reply::Answer(Ok(found)) = fork.execute(who, &rows_that_fit(statement)?) else {
            return None;
        };
        let piece = |row: &Row| match statement.clone() {
            Statement::Update(update) => {
                let (key, value) = key_of(update.table, row)?;
                Some(update.filter(key, value).into())
            }
            Statement::Select(select) => {
                let (key, value) = key_of(select.table, row)?;
                Some(select.filter(key, value).into())
            }
            _ => None,
        };
        let mut todo = found.rows().iter().map(piece).collect::<Option<Vec<Statement>>>()?;
        if is_lock {
            todo.reverse();
        }
        (todo.len() > 1).then_some(Pieces { todo, ..Pieces::default() })
    }

    /// Reads as if everybody had committed.
    fn dirty(&self, who: usize, statement: &Statement) -> Reply {
        let mut fork = self.run.clone();
        for other in (0..self.places.len()).filter(|other| *other != who) {
            fork.execute(other, &Statement::Commit);
        }
        fork.execute(who, statement)
    }

    /// Lets those whose wait is over go on.
    fn wake(&mut self) {
        while let Some(who) = (0..self.places.len()).find(|who| {
            let is_over = self.run.waits_for(*who).is_empty();
            is_over && self.places[*who].waiting.is_some()
        }) {
            let Some(statement) = self.places[who].waiting.take() else { return };
            let reply = self.run.execute(who, &statement);
            if reply == Reply::Queued {
                self.places[who].waiting = Some(statement);
            }
            self.places[who].answer = Some(reply);
        }
    }
}

impl World for Wrong {
    fn execute(&mut self, who: usize, statement: &Statement) -> Reply {
        if let Some(answer) = self.places[who].answer.take() {
            return answer;
        }
        let before = self.run.clone();
        let has_waited = self.places[who].has_waited;
        let misread = self.misread(who, statement);
        let reply = match self.row_by_row(who, statement) {
            Some(reply) => reply,
            None => self.run.execute(who, &misread),
        };
        let place = &mut self.places[who];
        place.has_waited = matches!(reply, Reply::Queued | Reply::Waiting);
        place.waiting = place.has_waited.then(|| statement.clone());
        if let (Statement::Begin(level), Reply::Answer(Ok(_))) = (statement, &reply) {
            place.level = Some(*level);
        }
        let is_open = place.level.is_some();
        if matches!(statement, Statement::Commit | Statement::Rollback) {
            place.level = None;
        }
        let level = place.level;
        let failed = matches!(reply, Reply::Answer(Err(_)));
        match (self.mistake, statement) {
            (Mistake::NoTransactions, Statement::Begin(_)) => {
                self.run = before;
                Reply::Answer(Ok(Answer::Begun))
            }
            (Mistake::NoTransactions, Statement::Commit) => Reply::Answer(Ok(Answer::Committed)),
            (Mistake::NoTransactions, Statement::Rollback) => Reply::Answer(Ok(Answer::RolledBack)),
            (Mistake::SnapshotAtBegin, Statement::Begin(_)) if !failed => {
                self.run.execute(who, &Select::exists(&ACCOUNT).into());
                reply
            }
            (Mistake::Anew, _) if reply == Reply::Queued => {
                self.run = before;
                if has_waited { Reply::Waiting } else { reply }
            }
            (Mistake::Deadlock, _) if is(&reply, SqlState::DEADLOCK_DETECTED) => Reply::Queued,
            (Mistake::EveryKeyIsWorthARetry, _) if is(&reply, SqlState::UNIQUE_VIOLATION) => {
                Reply::Answer(Err(SqlState::SERIALIZATION_FAILURE.into()))
            }
            (Mistake::InProgress, Statement::Insert(insert))
                if reply == Reply::Queued && insert.on_conflict == OnConflict::DoNothing =>
            {
                self.run = before;
                Reply::Answer(Ok(untouched(insert)))
            }
            (Mistake::Unfailed, _) if is_open && failed => {
                self.run = before;
                reply
            }
            (Mistake::DirtyRead, Statement::Select(select))
                if !select.for_update && level == Some(Isolation::ReadCommitted) =>
            {
                self.dirty(who, statement)
            }
            (Mistake::EverythingIsNew, Statement::Insert(Insert { returning, .. }))
                if *returning == Returning::Inserted =>
            {
                match reply {
                    Reply::Answer(Ok(Answer::Rows(rows))) if !rows.is_empty() => {
                        Reply::Answer(Ok(Answer::Rows(vec![Row::from([Value::Bool(true)])])))
                    }
                    reply => reply,
                }
            }
            (Mistake::Refusing, Statement::Commit)
                if self.places.iter().any(|other| other.level.is_some()) =>
            {
                Reply::Answer(Err(SqlState::SERIALIZATION_FAILURE.into()))
            }
            (Mistake::NobodyOvertakes, _) => {
                self.wake();
                reply
            }
            _ => reply,
        }
    }

    fn orders(&mut self) -> Option<&mut Orders> {
        self.run.orders()
    }

    fn waits_for(&mut self, who: usize) -> Vec<usize> {
        match self.mistake {
            Mistake::Anew => {
                let mut fork = self.run.clone();
                let Some(statement) = &self.places[who].waiting else { return Vec::new() };
                fork.execute(who, statement);
                fork.waits_for(who)
            }
            Mistake::NoQueue => {
                let mut holders = self.run.waits_for(who);
                while let Some(at) =
                    holders.iter().position(|it| !self.run.waits_for(*it).is_empty())
                {
                    let waiting = holders.remove(at);
                    holders.extend(self.run.waits_for(waiting));
                }
                holders.sort_unstable();
                holders
            }
            _ => self.run.waits_for(who),
        }
    }

    fn hang_up(&mut self, who: usize) {
        if self.mistake == Mistake::Undying {
            self.run.sessions[who] = SimSession::new();
        } else {
            self.run.hang_up(who);
        }
        self.places[who] = Place::default();
    }

    fn rows(&mut self, table: &'static Table) -> Vec<Row> {
        self.run.rows(table)
    }
}

fn key_of(table: &Table, row: &Row) -> Option<(&'static str, Value)> {
    Some((table.unique?, row.get(table.unique()?)?.clone()))
}

fn is(reply: &Reply, state: SqlState) -> bool {
    matches!(reply, Reply::Answer(Err(error)) if error.state == state)
}

/// What an `INSERT` answers that touches no row.
fn untouched(insert: &Insert) -> Answer {
    match insert.returning {
        Returning::Count => Answer::Count(0),
        Returning::Columns(_) | Returning::Inserted => Answer::Rows(Vec::new()),
    }
}

/// Asserts that the search finds the mistake: against the simulation itself, and against the server
/// where there is one.
fn assert_found(mistake: Mistake, profile: Profile) {
    let tally = Tally::default();
    let by_itself = search((seed(5), CASES), 2_000, profile, |program| {
        compare(Wrong::new(mistake, program), &mut Run::new(program), program, &tally)
    });
    let by_server = cluster().map(|cluster| {
        let lane = RefCell::new(Lane::new(cluster).expect("sessions on the server"));
        search((seed(6), CASES), 0, profile, |program| {
            let lane = &mut *lane.borrow_mut();
            lane.reset(program)?;
            compare(Wrong::new(mistake, program), lane, program, &tally)
        })
    });
    for found in [Some(by_itself), by_server].into_iter().flatten() {
        match found {
            // How far it is shrunk is up to chance.
            Err(TestError::Fail(difference, program)) => {
                println!("{mistake:?}: {difference}\n{program:?}");
            }
            other => panic!("{mistake:?} was not found: {other:?}"),
        }
    }
}

#[test]
fn a_world_that_does_not_look_again_after_a_wait_is_found_out() {
    assert_found(Mistake::NoRecheck, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_in_which_a_statement_that_waited_begins_anew_is_found_out() {
    assert_found(Mistake::Anew, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_in_which_nobody_overtakes_who_has_waited_is_found_out() {
    assert_found(Mistake::NobodyOvertakes, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_whose_for_update_locks_nothing_is_found_out() {
    assert_found(Mistake::LostLock, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_that_does_not_know_of_those_who_wait_before_one_is_found_out() {
    assert_found(Mistake::NoQueue, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_that_does_not_notice_a_deadlock_is_found_out() {
    assert_found(Mistake::Deadlock, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_that_takes_a_key_in_progress_for_one_that_is_there_is_found_out() {
    assert_found(Mistake::InProgress, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_whose_transactions_survive_an_error_is_found_out() {
    assert_found(Mistake::Unfailed, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_that_reads_what_is_not_committed_is_found_out() {
    assert_found(Mistake::DirtyRead, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_whose_repeatable_read_is_read_committed_is_found_out() {
    assert_found(Mistake::Unrepeatable, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_whose_snapshot_is_taken_by_begin_is_found_out() {
    assert_found(Mistake::SnapshotAtBegin, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_that_takes_an_updated_row_for_a_new_one_is_found_out() {
    assert_found(Mistake::EverythingIsNew, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_without_transactions_is_found_out() {
    assert_found(Mistake::NoTransactions, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_that_refuses_what_is_serializable_is_found_out() {
    assert_found(Mistake::Refusing, (Levels::Serializable, Crowd::Loose));
}

#[test]
fn a_world_that_takes_a_key_that_is_there_for_a_conflict_of_transactions_is_found_out() {
    assert_found(Mistake::EveryKeyIsWorthARetry, (Levels::Serializable, Crowd::Loose));
}

#[test]
fn a_world_that_updates_several_rows_in_the_order_of_their_keys_is_found_out() {
    assert_found(Mistake::KeysInOrder, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_that_locks_the_last_of_several_rows_first_is_found_out() {
    assert_found(Mistake::LastRowFirst, (Levels::Exact, Crowd::Loose));
}

#[test]
fn a_world_that_keeps_the_locks_of_who_hung_up_is_found_out() {
    assert_found(Mistake::Undying, (Levels::Exact, Crowd::Dense));
}
