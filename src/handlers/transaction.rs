//! Third floor, `handlers`: a transaction as a function, its retries included. Imports
//! [`db`](crate::db), [`calls`](crate::calls) and [`direct`].
//!
//! A handler's statements and decisions are its body, a function. Its [`Way`] says how the body is
//! isolated from others, and how often it is tried. Each variant of a protocol and each one that
//! ships is a body and a way.

use crate::calls::mistaken;
#[cfg(feature = "sql")]
use crate::db::Value;
use crate::db::{Answer, Database, Failure, SqlError, SqlState, Statement, Way};
use crate::direct;

/// How a body that has an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next<T> {
    /// The changes are kept.
    Commit(T),
    /// The changes made in the transaction are undone. (Changes made outside of a transaction
    /// stay.)
    Rollback(T),
}

impl<T> Next<T> {
    /// The same end with another output: for a body that contains another body.
    pub fn map<U>(self, output: impl FnOnce(T) -> U) -> Next<U> {
        match self {
            Next::Commit(inner) => Next::Commit(output(inner)),
            Next::Rollback(inner) => Next::Rollback(output(inner)),
        }
    }
}

/// The connection of a body to its database: within a transaction, or for each statement by itself.
#[derive(Debug)]
pub struct Tx<'a, D: Database> {
    database: &'a mut D,
    session: &'a mut D::Session,
    is_transaction: bool,
    retries: u32,
}

impl<D: Database> Tx<'_, D> {
    /// Sends a statement and waits for the answer. Outside of a transaction, a statement whose
    /// error is [worth a retry](SqlState::is_worth_a_retry) is sent again, while there are retries
    /// left.
    ///
    /// # Errors
    ///
    /// The database's error; within a transaction the body has to end with it. A body may not ask
    /// `BEGIN`, `COMMIT` or `ROLLBACK`: they are refused with
    /// [`FEATURE_NOT_SUPPORTED`](SqlState::FEATURE_NOT_SUPPORTED), and the check of a simulation
    /// fails.
    #[track_caller]
    pub fn ask(&mut self, statement: impl Into<Statement>) -> Result<Answer, Failure> {
        let statement = statement.into();
        if let Some(error) = refusal(&statement) {
            mistaken(error.state.code(), format_args!("{}", error.words()));
            return Err(error.into());
        }
        loop {
            let error = match self.database.answer(self.session, &statement) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if self.is_transaction {
                return Err(error.into());
            }
            // It may have taken effect before the connection broke.
            if is_unknown(&error) {
                return Err(Failure { error, may_have_happened: true });
            }
            if !error.state.is_worth_a_retry() || self.retries == 0 {
                return Err(error.into());
            }
            self.retries -= 1;
        }
    }

    /// Sends a statement as [text](Statement::sql), with the values of `$1`, `$2` and so on, and waits for
    /// the answer.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    #[cfg(feature = "sql")]
    #[track_caller]
    pub fn query(
        &mut self,
        text: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Answer, Failure> {
        self.ask(Statement::sql(text, parameters))
    }

    /// An error for a body to end with: the database is not what the body was made for. Changes
    /// made in a transaction are undone; outside of one, something may have happened.
    pub fn fail(&self, state: SqlState) -> Failure {
        Failure { error: state.into(), may_have_happened: !self.is_transaction }
    }
}

/// Why a body may not ask this.
fn refusal(statement: &Statement) -> Option<SqlError> {
    if !matches!(statement, Statement::Begin(_) | Statement::Commit | Statement::Rollback) {
        return None;
    }
    let said = format!(
        "a body cannot ask `{statement}`: its `Way` says whether there is a transaction, and \
         `Next::Commit` and `Next::Rollback` end it"
    );
    Some(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said))
}

fn is_unknown(error: &SqlError) -> bool {
    error.state.is_connection() || error.state == SqlState::STATEMENT_COMPLETION_UNKNOWN
}

/// Runs a body in a [`Way`]. The session must have no transaction under way.
///
/// An error that is [worth a retry](SqlState::is_worth_a_retry) rolls the transaction back and
/// begins it anew, while there are retries left. Only this function retries a transaction. So the
/// body may run several times. Anything it does beside asking, it has to undo itself.
///
/// # Errors
///
/// The error of the body, of `BEGIN` or of `COMMIT`. Then nothing was done, unless [it may have
/// been](Failure::may_have_happened).
#[track_caller]
pub fn transact<D: Database, T>(
    database: &mut D,
    session: &mut D::Session,
    way: Way,
    body: impl Fn(&mut Tx<'_, D>) -> Result<Next<T>, Failure>,
) -> Result<T, Failure> {
    let mut retries = way.retries;
    loop {
        let mut ended = None;
        direct::attempt(|| {
            ended = attempt(database, session, Way { retries, ..way }, &body);
            ended.is_some()
        });
        if let Some(ended) = ended {
            return ended;
        }
        retries = retries.saturating_sub(1);
    }
}

/// One attempt; `None` if it is to be begun anew.
fn attempt<D: Database, T>(
    database: &mut D,
    session: &mut D::Session,
    Way { isolation, retries }: Way,
    body: impl Fn(&mut Tx<'_, D>) -> Result<Next<T>, Failure>,
) -> Option<Result<T, Failure>> {
    let is_again = |error: &SqlError| error.state.is_worth_a_retry() && retries > 0;
    let is_transaction = isolation.is_some();
    if let Some(level) = isolation
        && let Err(error) = database.answer(session, &Statement::Begin(level))
    {
        return (!is_again(&error)).then(|| Err(error.into()));
    }
    let came = body(&mut Tx { database, session, is_transaction, retries });
    if !is_transaction {
        return Some(came.map(|(Next::Commit(output) | Next::Rollback(output))| output));
    }
    match came {
        Ok(Next::Commit(output)) => match database.answer(session, &Statement::Commit) {
            Ok(Answer::RolledBack) => Some(Err(SqlState::IN_FAILED_TRANSACTION.into())),
            Ok(_) => Some(Ok(output)),
            Err(error) if is_unknown(&error) => {
                Some(Err(Failure { error, may_have_happened: true }))
            }
            // A commit that failed has ended its transaction.
            Err(error) => (!is_again(&error)).then(|| Err(error.into())),
        },
        // Whatever comes of a rollback, nothing was done.
        Ok(Next::Rollback(output)) => {
            let _ = database.answer(session, &Statement::Rollback);
            Some(Ok(output))
        }
        // There is nobody to tell of a rollback.
        Err(failure) if failure.error.state.is_connection() => Some(Err(failure)),
        Err(failure) => {
            let undone = database.answer(session, &Statement::Rollback);
            (undone.is_err() || !is_again(&failure.error)).then_some(Err(failure))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{Listen, listened};
    use crate::db::{Column, Delete, Isolation, Reply, Select, Table};

    static ONE: Table = Table { name: "one", columns: &[Column::int("id")], unique: None };

    type Ended = Result<Next<&'static str>, Failure>;

    /// Looks once, and keeps.
    fn looks<D: Database>(tx: &mut Tx<'_, D>) -> Ended {
        match tx.ask(Select::exists(&ONE)) {
            Err(failure) if failure.error.state == SqlState::UNIQUE_VIOLATION => {
                Ok(Next::Rollback("there already"))
            }
            asked => asked.map(|_| Next::Commit("kept")),
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
        let told = transact(&mut db, &mut (), way, looks);
        (format!("{told:?}"), db.asked.join(" "))
    }

    const RETRY: Option<SqlState> = Some(SqlState::SERIALIZATION_FAILURE);
    const BROKEN: Option<SqlState> = Some(SqlState::CONNECTION_FAILURE);
    const TWICE: Way = Way::within(Isolation::Serializable).retrying(1);

    #[track_caller]
    fn assert_told(way: Way, script: &[Option<SqlState>], told_as: &str, asked: &str) {
        assert_eq!(told(way, script), (told_as.to_owned(), asked.to_owned()));
    }

    #[test]
    fn a_body_that_asks_for_a_transaction_or_its_end_is_refused_and_it_is_not_sent() {
        let begin = Statement::Begin(Isolation::ReadCommitted);
        for statement in [begin, Statement::Commit, Statement::Rollback] {
            for (way, asked) in [(Way::AUTOCOMMIT, ""), (TWICE, "BEGIN ROLLBACK")] {
                let mut db = Scripted { script: Vec::new(), asked: Vec::new() };
                let (told, calls) = listened(Listen::Count, || {
                    transact(&mut db, &mut (), way, |tx| {
                        tx.ask(statement.clone()).map(Next::Commit)
                    })
                });
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
        let (told, calls) = listened(Listen::Count, || transact(&mut db, &mut (), TWICE, looks));
        assert_eq!((told, db.asked.join(" ")), (Ok("kept"), "BEGIN SELECT COMMIT".to_owned()));
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

    #[test]
    fn outside_of_a_transaction_only_the_statement_that_failed_is_sent_again() {
        for (way, asked) in [
            (Way::AUTOCOMMIT.retrying(1), "DELETE SELECT SELECT"),
            (TWICE, "BEGIN DELETE ROLLBACK BEGIN DELETE SELECT COMMIT"),
        ] {
            let mut db = Scripted { script: vec![None, RETRY], asked: Vec::new() };
            let told = transact(&mut db, &mut (), way, |tx| {
                tx.ask(Delete::new(&ONE))?;
                tx.ask(Select::exists(&ONE)).map(|_| Next::Commit(()))
            });
            assert_eq!(told, Ok(()));
            assert_eq!(db.asked.join(" "), asked);
        }
    }

    #[test]
    fn who_gives_up_has_done_nothing_and_who_fails_may_have_outside_of_a_transaction() {
        for (way, fails, told, asked) in [
            (Way::AUTOCOMMIT, true, "Err(02000, perhaps done)", "SELECT"),
            (Way::AUTOCOMMIT, false, "Err(02000)", "SELECT"),
            (TWICE, true, "Err(02000)", "BEGIN SELECT ROLLBACK"),
            (TWICE, false, "Err(02000)", "BEGIN SELECT ROLLBACK"),
        ] {
            let mut db = Scripted { script: Vec::new(), asked: Vec::new() };
            let ended = transact(&mut db, &mut (), way, |tx| -> Result<Next<()>, Failure> {
                tx.ask(Select::exists(&ONE))?;
                Err(if fails { tx.fail(SqlState::NO_DATA) } else { SqlState::NO_DATA.into() })
            });
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
        let told = transact(&mut db, &mut (), TWICE, looks);
        assert_eq!(told.unwrap_err().error.state, SqlState::IN_FAILED_TRANSACTION);
    }

    #[test]
    fn what_is_to_be_undone_is_undone_even_if_nobody_answers() {
        for script in [vec![], vec![None, None, BROKEN]] {
            let mut db = Scripted { script, asked: Vec::new() };
            let told = transact(&mut db, &mut (), TWICE, |tx| {
                tx.ask(Select::exists(&ONE)).map(|_| Next::Rollback("undone"))
            });
            assert_eq!(told, Ok("undone"));
            assert_eq!(db.asked.join(" "), "BEGIN SELECT ROLLBACK");
        }
    }
}
