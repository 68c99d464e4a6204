//! First floor, `db`: a transaction as a machine, its retries included. Imports
//! [`process`](crate::process), [`calls`](crate::calls) and its neighbours in `db`.
//!
//! What a handler asks and what it decides is its [`Body`]; how it is kept apart from others, and how
//! often it is tried, is its [`Way`]. Each variant of a protocol and each one that ships is a body and
//! a way, run by the one machine here: [`Transact`].

use std::fmt;

use super::{Answer, Database, Isolation, SqlError, SqlState, Statement};
use crate::calls::mistaken;
use crate::{Process, Step};

/// What a handler asks of a database, and what it makes of the answers. A value: where in its program
/// it stands, and what it has to remember.
pub trait Body: Clone {
    /// What it comes to in the end.
    type Output;

    /// What it asks next. Not `BEGIN`, `COMMIT` or `ROLLBACK`: those are the machine's. It refuses them
    /// with [`FEATURE_NOT_SUPPORTED`](SqlState::FEATURE_NOT_SUPPORTED), without asking
    /// [`failed`](Body::failed), and the check of a simulation fails.
    fn statement(&self) -> Statement;

    /// Where it goes with the answer.
    fn answered(self, answer: Answer) -> Next<Self, Self::Output>;

    /// What it makes of an error, if it has something to say to it that is not itself an error. Of one
    /// that is [worth a retry](SqlState::is_worth_a_retry) it is asked once there are none left. The
    /// transaction is rolled back then.
    fn failed(self, error: &SqlError) -> Option<Self::Output> {
        let _ = error;
        None
    }
}

/// Where a [`Body`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next<B, T> {
    /// On, with another statement.
    Ask(B),
    /// To the end, with this output; what was done is kept.
    Commit(T),
    /// To the end, with this output; what was done in the transaction is undone. (What was done
    /// outside of one stays.)
    Rollback(T),
    /// To the end, with this error: the database is not what the body was made for. What was done in
    /// the transaction is undone; outside of one, something [may have
    /// happened](Failure::may_have_happened).
    Fail(SqlState),
    /// To the end, with this error, of a body none of whose statements has done anything so far, or
    /// only in the transaction, which is undone: nothing has happened, inside of one or outside.
    GiveUp(SqlState),
}

impl<B, T> Next<B, T> {
    /// The same for a body that embeds another one, and has an output of its own.
    pub fn map<C, U>(self, body: impl FnOnce(B) -> C, output: impl FnOnce(T) -> U) -> Next<C, U> {
        match self {
            Next::Ask(inner) => Next::Ask(body(inner)),
            Next::Commit(inner) => Next::Commit(output(inner)),
            Next::Rollback(inner) => Next::Rollback(output(inner)),
            Next::Fail(state) => Next::Fail(state),
            Next::GiveUp(state) => Next::GiveUp(state),
        }
    }
}

/// How a body is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// In a transaction of this level, or each statement by itself.
    pub isolation: Option<Isolation>,
    /// How many times it is begun anew after an error that is worth it. Outside of a transaction it is
    /// the statement that failed which is sent again, for those before it have taken effect.
    pub retries: u32,
}

impl Way {
    /// Each statement by itself, tried once.
    pub const AUTOCOMMIT: Way = Way { isolation: None, retries: 0 };

    /// In a transaction of this level, tried once.
    pub const fn within(isolation: Isolation) -> Self {
        Way { isolation: Some(isolation), retries: 0 }
    }

    /// The same, [begun anew](Way::retries) so many times after an error that is worth it.
    pub const fn retrying(self, retries: u32) -> Self {
        Way { retries, ..self }
    }
}

/// Why a transaction came to nothing.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{error}{}", if *.may_have_happened { "; whether it took effect is not known" } else { "" })]
pub struct Failure {
    /// The last error.
    #[source]
    pub error: SqlError,
    /// The connection broke while the database was to make it permanent: it may have done so.
    pub may_have_happened: bool,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = if self.may_have_happened { ", perhaps done" } else { "" };
        write!(f, "{:?}{unknown}", self.error)
    }
}

/// Runs a [`Body`] in a [`Way`]: one statement a step.
///
/// An error that is [worth a retry](SqlState::is_worth_a_retry) rolls the transaction back and begins
/// it anew, while there are retries left. This is the one place where that is done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transact<S, B: Body> {
    session: S,
    /// As it was given, for beginning anew.
    body: B,
    way: Way,
    at: At<B, B::Output>,
}

/// Where a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At<B, T> {
    Begin,
    Ask(B),
    Commit(T),
    Rollback(Then<T>),
}

/// What comes after a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Then<T> {
    End(T),
    Fail(SqlError),
    /// Begin anew, after this error.
    Anew(SqlError),
}

impl<S, B: Body> Transact<S, B> {
    /// Runs `body` in this session, which has no transaction under way.
    pub fn new(session: S, body: B, way: Way) -> Self {
        let at = match way.isolation {
            Some(_) => At::Begin,
            None => At::Ask(body.clone()),
        };
        Transact { session, body, way, at }
    }

    /// The session it runs in.
    pub fn session(&self) -> &S {
        &self.session
    }

    /// The session, from a process that dies here: see [`Database::disconnect`].
    pub fn into_session(self) -> S {
        self.session
    }

    fn statement(&self) -> Statement {
        match &self.at {
            At::Begin => Statement::Begin(self.way.isolation.unwrap_or(Isolation::Serializable)),
            At::Ask(body) => body.statement(),
            At::Commit(_) => Statement::Commit,
            At::Rollback(_) => Statement::Rollback,
        }
    }

    /// Why the body may not ask this.
    fn refusal(&self, statement: &Statement) -> Option<SqlError> {
        let is_control =
            matches!(statement, Statement::Begin(_) | Statement::Commit | Statement::Rollback);
        if !is_control || !matches!(self.at, At::Ask(_)) {
            return None;
        }
        let said = format!(
            "a body cannot ask `{statement}`: its `Way` says whether there is a transaction, and \
             `Next::Commit` and `Next::Rollback` end it"
        );
        Some(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said))
    }

    /// Undoes what the body has done in its transaction, and ends with this error.
    fn refused(self, error: SqlError) -> Step<Self, Result<B::Output, Failure>> {
        match self.way.isolation {
            Some(_) => self.go(At::Rollback(Then::Fail(error))),
            None => Step::Done(Err(error.into())),
        }
    }

    fn go(self, at: At<B, B::Output>) -> Step<Self, Result<B::Output, Failure>> {
        Step::Next(Transact { at, ..self })
    }

    fn answered(self, answer: Answer) -> Step<Self, Result<B::Output, Failure>> {
        let transaction = self.way.isolation.is_some();
        let Transact { session, body, way, at } = self;
        let again = Transact { session, body, way, at: At::Begin };
        match at {
            At::Begin => {
                let body = again.body.clone();
                again.go(At::Ask(body))
            }
            At::Ask(body) => match body.answered(answer) {
                Next::Ask(body) => again.go(At::Ask(body)),
                Next::Commit(output) if transaction => again.go(At::Commit(output)),
                Next::Rollback(output) if transaction => again.go(At::Rollback(Then::End(output))),
                Next::Commit(output) | Next::Rollback(output) => Step::Done(Ok(output)),
                Next::Fail(state) | Next::GiveUp(state) if transaction => {
                    again.go(At::Rollback(Then::Fail(state.into())))
                }
                // What was done outside of a transaction stays.
                Next::Fail(state) => {
                    Step::Done(Err(Failure { error: state.into(), may_have_happened: true }))
                }
                Next::GiveUp(state) => Step::Done(Err(state.into())),
            },
            At::Commit(output) => Step::Done(match answer {
                Answer::RolledBack => Err(SqlState::IN_FAILED_TRANSACTION.into()),
                _ => Ok(output),
            }),
            At::Rollback(Then::End(output)) => Step::Done(Ok(output)),
            At::Rollback(Then::Fail(error)) => Step::Done(Err(error.into())),
            At::Rollback(Then::Anew(_)) => again.anew(),
        }
    }

    fn anew(self) -> Step<Self, Result<B::Output, Failure>> {
        let way = Way { retries: self.way.retries.saturating_sub(1), ..self.way };
        Step::Next(Transact::new(self.session, self.body, way))
    }

    fn failed(self, error: SqlError) -> Step<Self, Result<B::Output, Failure>> {
        let Transact { session, body, way, at } = self;
        let again = Transact { session, body, way, at: At::Begin };
        let transaction = way.isolation.is_some();
        let broken = error.state.is_connection();
        let unknown = broken || error.state == SqlState::STATEMENT_COMPLETION_UNKNOWN;
        let begun = match at {
            At::Begin => {
                if error.state.is_worth_a_retry() && way.retries > 0 {
                    return again.anew();
                }
                return Step::Done(Err(error.into()));
            }
            // A statement by itself, or a commit, may have taken effect before the connection broke.
            At::Commit(_) if unknown => {
                return Step::Done(Err(Failure { error, may_have_happened: true }));
            }
            At::Ask(_) if broken || unknown && !transaction => {
                return Step::Done(Err(Failure { error, may_have_happened: !transaction }));
            }
            // A commit that failed has ended its transaction.
            At::Commit(_) => None,
            // Whatever comes of a rollback, nothing was done.
            At::Rollback(then) => {
                return match then {
                    Then::End(output) => Step::Done(Ok(output)),
                    Then::Fail(error) => Step::Done(Err(error.into())),
                    // What came first is what it failed of.
                    Then::Anew(first) => Step::Done(Err(first.into())),
                };
            }
            At::Ask(body) => Some(body),
        };
        let open = transaction && begun.is_some();
        if error.state.is_worth_a_retry() && way.retries > 0 {
            return match begun {
                Some(_) if open => again.go(At::Rollback(Then::Anew(error))),
                Some(body) => {
                    let way = Way { retries: way.retries - 1, ..way };
                    Step::Next(Transact { way, at: At::Ask(body), ..again })
                }
                None => again.anew(),
            };
        }
        match begun.and_then(|body| body.failed(&error)) {
            Some(output) if open => again.go(At::Rollback(Then::End(output))),
            Some(output) => Step::Done(Ok(output)),
            None if open => again.go(At::Rollback(Then::Fail(error))),
            None => Step::Done(Err(error.into())),
        }
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Failure { error, may_have_happened: false }
    }
}

impl From<SqlState> for Failure {
    fn from(state: SqlState) -> Self {
        SqlError::from(state).into()
    }
}

impl<D: Database, B: Body> Process<D> for Transact<D::Session, B> {
    type Output = Result<B::Output, Failure>;

    fn step(mut self, db: &mut D) -> Step<Self, Self::Output> {
        let statement = self.statement();
        if let Some(error) = self.refusal(&statement) {
            mistaken(error.state.code(), format_args!("{}", error.words()));
            return self.refused(error);
        }
        let reply = db.execute(&mut self.session, &statement);
        reply.step(self, |transact, answer| match answer {
            Ok(answer) => transact.answered(answer),
            Err(error) => transact.failed(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{Listen, listened};
    use crate::db::{Column, Reply, Select, Table};
    use crate::run;

    static ONE: Table = Table { name: "one", columns: &[Column::int("id")], unique: None };

    /// Looks once, and keeps or undoes.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Looks {
        keeps: bool,
    }

    impl Body for Looks {
        type Output = &'static str;

        fn statement(&self) -> Statement {
            Select::exists(&ONE).into()
        }

        fn answered(self, _: Answer) -> Next<Self, &'static str> {
            if self.keeps { Next::Commit("kept") } else { Next::Rollback("undone") }
        }

        fn failed(self, error: &SqlError) -> Option<&'static str> {
            (error.state == SqlState::UNIQUE_VIOLATION).then_some("there already")
        }
    }

    /// Answers with these errors, one a statement, and with success where it says so; notes what it
    /// was asked.
    struct Scripted {
        script: Vec<Option<SqlState>>,
        asked: Vec<String>,
    }

    impl Database for Scripted {
        type Session = ();

        fn connect(&mut self) -> Result<(), SqlError> {
            Ok(())
        }

        fn execute(&mut self, (): &mut (), statement: &Statement) -> Reply {
            let verb = statement.to_string();
            self.asked.push(verb.split(' ').next().unwrap_or_default().to_owned());
            let scripted = self.script.get(self.asked.len() - 1).copied().flatten();
            Reply::Answer(match scripted {
                Some(state) => Err(state.into()),
                None => Ok(match statement {
                    Statement::Begin(_) => Answer::Begun,
                    Statement::Commit => Answer::Committed,
                    Statement::Rollback => Answer::RolledBack,
                    _ => Answer::Rows(Vec::new()),
                }),
            })
        }

        fn disconnect(&mut self, (): ()) {}
    }

    fn told(way: Way, script: &[Option<SqlState>]) -> (String, String) {
        let mut db = Scripted { script: script.to_vec(), asked: Vec::new() };
        let told = run(Transact::new((), Looks { keeps: true }, way), &mut db);
        (format!("{told:?}"), db.asked.join(" "))
    }

    const RETRY: Option<SqlState> = Some(SqlState::SERIALIZATION_FAILURE);
    const BROKEN: Option<SqlState> = Some(SqlState::CONNECTION_FAILURE);
    const TWICE: Way = Way::within(Isolation::Serializable).retrying(1);

    #[track_caller]
    fn assert_told(way: Way, script: &[Option<SqlState>], told_as: &str, asked: &str) {
        assert_eq!(told(way, script), (told_as.to_owned(), asked.to_owned()));
    }

    /// Asks what is its transaction's to ask, and takes every error for an answer.
    #[derive(Clone, Debug)]
    struct Meddles(Statement);

    impl Body for Meddles {
        type Output = &'static str;

        fn statement(&self) -> Statement {
            self.0.clone()
        }

        fn answered(self, _: Answer) -> Next<Self, &'static str> {
            Next::Commit("answered")
        }

        fn failed(self, _: &SqlError) -> Option<&'static str> {
            Some("failed")
        }
    }

    #[test]
    fn a_body_that_asks_for_a_transaction_or_its_end_is_refused_and_it_is_not_sent() {
        let begin = Statement::Begin(Isolation::ReadCommitted);
        for statement in [begin, Statement::Commit, Statement::Rollback] {
            for (way, asked) in [(Way::AUTOCOMMIT, ""), (TWICE, "BEGIN ROLLBACK")] {
                let mut db = Scripted { script: Vec::new(), asked: Vec::new() };
                let transact = Transact::new((), Meddles(statement.clone()), way);
                let (told, calls) = listened(Listen::Count, || run(transact, &mut db));
                let failure = told.expect_err("it is refused");
                assert_eq!(failure.error.state, SqlState::FEATURE_NOT_SUPPORTED);
                assert!(!failure.may_have_happened);
                let said = failure.to_string();
                assert!(said.contains(&format!("a body cannot ask `{statement}`")), "{said}");
                assert_eq!(db.asked.join(" "), asked);
                let mistake = calls.mistake.expect("it is a mistake of the model");
                assert_eq!(mistake.code, "0A000");
                assert!(mistake.what.contains("its `Way` says"), "{mistake:?}");
            }
        }
        // What is a body's to ask is sent, and no mistake.
        let mut db = Scripted { script: Vec::new(), asked: Vec::new() };
        let transact = Transact::new((), Meddles(Select::exists(&ONE).into()), TWICE);
        let (told, calls) = listened(Listen::Count, || run(transact, &mut db));
        assert_eq!((told, db.asked.join(" ")), (Ok("answered"), "BEGIN SELECT COMMIT".to_owned()));
        assert_eq!(calls.mistake, None);
    }

    #[test]
    fn what_succeeds_is_committed() {
        assert_told(TWICE, &[], r#"Ok("kept")"#, "BEGIN SELECT COMMIT");
        assert_told(Way::AUTOCOMMIT, &[], r#"Ok("kept")"#, "SELECT");
    }

    #[test]
    fn what_is_worth_a_retry_is_rolled_back_and_begun_anew() {
        let again = "BEGIN SELECT ROLLBACK BEGIN SELECT COMMIT";
        assert_told(TWICE, &[None, RETRY], r#"Ok("kept")"#, again);
        // A commit that fails has ended its transaction.
        let again = "BEGIN SELECT COMMIT BEGIN SELECT COMMIT";
        assert_told(TWICE, &[None, None, RETRY], r#"Ok("kept")"#, again);
    }

    #[test]
    fn retries_come_to_an_end() {
        let both = "BEGIN SELECT ROLLBACK BEGIN SELECT ROLLBACK";
        assert_told(TWICE, &[None, RETRY, None, None, RETRY], "Err(40001)", both);
        assert_told(TWICE.retrying(0), &[None, RETRY], "Err(40001)", "BEGIN SELECT ROLLBACK");
    }

    /// Looks twice.
    #[derive(Clone, Debug)]
    struct Twice(bool);

    impl Body for Twice {
        type Output = ();

        fn statement(&self) -> Statement {
            if self.0 { Select::exists(&ONE).into() } else { crate::db::Delete::new(&ONE).into() }
        }

        fn answered(self, _: Answer) -> Next<Self, ()> {
            if self.0 { Next::Commit(()) } else { Next::Ask(Twice(true)) }
        }
    }

    #[test]
    fn outside_of_a_transaction_only_the_statement_that_failed_is_sent_again() {
        for (way, asked) in [
            (Way::AUTOCOMMIT.retrying(1), "DELETE SELECT SELECT"),
            (TWICE, "BEGIN DELETE ROLLBACK BEGIN DELETE SELECT COMMIT"),
        ] {
            let mut db = Scripted { script: vec![None, RETRY], asked: Vec::new() };
            assert_eq!(run(Transact::new((), Twice(false), way), &mut db), Ok(()));
            assert_eq!(db.asked.join(" "), asked);
        }
    }

    /// Looks, and ends with an error.
    #[derive(Clone, Debug)]
    struct Ends(Next<(), ()>);

    impl Body for Ends {
        type Output = ();

        fn statement(&self) -> Statement {
            Select::exists(&ONE).into()
        }

        fn answered(self, _: Answer) -> Next<Self, ()> {
            self.0.map(|()| Ends(Next::Ask(())), |()| ())
        }
    }

    #[test]
    fn who_gives_up_has_done_nothing_and_who_fails_may_have_outside_of_a_transaction() {
        let (fails, gives_up) = (Next::Fail(SqlState::NO_DATA), Next::GiveUp(SqlState::NO_DATA));
        for (way, next, told, asked) in [
            (Way::AUTOCOMMIT, fails, "Err(02000, perhaps done)", "SELECT"),
            (Way::AUTOCOMMIT, gives_up, "Err(02000)", "SELECT"),
            (TWICE, fails, "Err(02000)", "BEGIN SELECT ROLLBACK"),
            (TWICE, gives_up, "Err(02000)", "BEGIN SELECT ROLLBACK"),
        ] {
            let mut db = Scripted { script: Vec::new(), asked: Vec::new() };
            let ended = run(Transact::new((), Ends(next), way), &mut db);
            assert_eq!((format!("{ended:?}"), db.asked.join(" ")), (told.into(), asked.into()));
        }
    }

    #[test]
    fn a_rollback_that_fails_is_told_with_what_it_was_for() {
        let full = Some(SqlState::DISK_FULL);
        assert_told(TWICE, &[None, RETRY, full], "Err(40001)", "BEGIN SELECT ROLLBACK");
    }

    #[test]
    fn a_statement_whose_end_is_not_known_may_have_happened_unless_it_is_rolled_back() {
        let lost = Some(SqlState::STATEMENT_COMPLETION_UNKNOWN);
        assert_told(Way::AUTOCOMMIT, &[lost], "Err(40003, perhaps done)", "SELECT");
        assert_told(TWICE, &[None, lost], "Err(40003)", "BEGIN SELECT ROLLBACK");
        let commit = "BEGIN SELECT COMMIT";
        assert_told(TWICE, &[None, None, lost], "Err(40003, perhaps done)", commit);
    }

    #[test]
    fn an_error_that_the_body_knows_what_to_say_to_is_its_output() {
        let there = Some(SqlState::UNIQUE_VIOLATION);
        assert_told(TWICE, &[None, there], r#"Ok("there already")"#, "BEGIN SELECT ROLLBACK");
        assert_told(Way::AUTOCOMMIT, &[there], r#"Ok("there already")"#, "SELECT");
    }

    #[test]
    fn a_connection_that_breaks_at_the_commit_leaves_it_open_what_happened() {
        let unknown = "Err(08006, perhaps done)";
        assert_told(TWICE, &[None, None, BROKEN], unknown, "BEGIN SELECT COMMIT");
        assert_told(Way::AUTOCOMMIT, &[BROKEN], unknown, "SELECT");
        // Before the commit nothing can have happened, and there is nobody to tell of a rollback.
        assert_told(TWICE, &[None, BROKEN], "Err(08006)", "BEGIN SELECT");
        assert_told(TWICE, &[BROKEN], "Err(08006)", "BEGIN");
    }

    #[test]
    fn a_commit_that_is_answered_with_a_rollback_is_no_success() {
        struct Forgetful(Scripted);
        impl Database for Forgetful {
            type Session = ();
            fn connect(&mut self) -> Result<(), SqlError> {
                Ok(())
            }
            fn execute(&mut self, session: &mut (), statement: &Statement) -> Reply {
                match statement {
                    Statement::Commit => Reply::Answer(Ok(Answer::RolledBack)),
                    _ => self.0.execute(session, statement),
                }
            }
            fn disconnect(&mut self, (): ()) {}
        }
        let mut db = Forgetful(Scripted { script: Vec::new(), asked: Vec::new() });
        let told = run(Transact::new((), Looks { keeps: true }, TWICE), &mut db);
        assert_eq!(told.unwrap_err().error.state, SqlState::IN_FAILED_TRANSACTION);
    }

    #[test]
    fn what_is_to_be_undone_is_undone_even_if_nobody_answers() {
        for script in [vec![], vec![None, None, BROKEN]] {
            let mut db = Scripted { script, asked: Vec::new() };
            let told = run(Transact::new((), Looks { keeps: false }, TWICE), &mut db);
            assert_eq!(told, Ok("undone"));
            assert_eq!(db.asked.join(" "), "BEGIN SELECT ROLLBACK");
        }
    }
}
