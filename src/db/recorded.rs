//! First floor, `db`: how statements are told, by a [`Recorded`] database and by the simulated one.
//! Imports [`recorded`](crate::recorded) and its neighbours in `db`.

use std::fmt;

use super::{Database, Reply, SqlError, Statement};
use crate::recorded::Recorded;

/// A statement and what became of it.
pub(super) struct Told<'a>(pub(super) &'a Statement, pub(super) &'a Reply);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told(statement, reply) = self;
        match reply {
            Reply::Answer(Ok(answer)) => write!(f, "{statement} -- {answer}"),
            Reply::Answer(Err(error)) => write!(f, "{statement} -- {}", error.state),
            Reply::Queued | Reply::Waiting => write!(f, "{statement} -- waits"),
            Reply::Underway(underway) => write!(f, "{statement} -- {underway}"),
        }
    }
}

/// How the end of a session is told.
pub(super) const SESSION_ENDS: &str = "-- the session ends";

/// Writes each statement with its values, and its answer behind `--`, as an SQL comment. The line
/// can be typed into a real database as it is.
///
/// ```text
/// UPDATE orders SET status = 'cancelled' WHERE id = 1 AND status = 'pending' -- 1 row
/// COMMIT -- 40001
/// SELECT balance FROM accounts WHERE id = 1 FOR UPDATE -- waits
/// ```
impl<D: Database> Database for Recorded<D> {
    type Session = D::Session;

    fn connect(&mut self) -> Result<D::Session, SqlError> {
        self.inner_mut().connect()
    }

    fn execute(&mut self, session: &mut D::Session, statement: &Statement) -> Reply {
        let reply = self.inner_mut().execute(session, statement);
        self.record(Told(statement, &reply).to_string());
        reply
    }

    fn disconnect(&mut self, session: D::Session) {
        self.inner_mut().disconnect(session);
        self.record(SESSION_ENDS.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Column, Isolation, Select, SqlState, Table, Update, row};
    use super::*;

    static ORDERS: Table = Table {
        name: "orders",
        columns: &[Column::int("id"), Column::text("status")],
        unique: Some("id"),
    };

    /// Answers what it is told to, last first.
    struct Canned(Vec<Reply>);

    impl Database for Canned {
        type Session = ();

        fn connect(&mut self) -> Result<(), SqlError> {
            Ok(())
        }

        fn execute(&mut self, (): &mut (), _: &Statement) -> Reply {
            self.0.pop().unwrap_or(Reply::Waiting)
        }

        fn disconnect(&mut self, (): ()) {}
    }

    #[test]
    fn every_statement_is_told_with_its_values_and_its_answer() -> Result<(), SqlError> {
        let cancel = || {
            let update = Update::new(&ORDERS).set("status", "cancelled");
            Statement::from(update.filter("id", 1).filter("status", "pending"))
        };
        let select = || Statement::from(Select::columns(&ORDERS, &["status"]).filter("id", 1));
        let pending = Answer::Rows(vec![row(["pending".into()])]);
        let asked = [
            (Statement::Begin(Isolation::Serializable), Reply::Answer(Ok(Answer::Begun))),
            (select(), Reply::Answer(Ok(pending))),
            (select(), Reply::Answer(Ok(Answer::Rows(Vec::new())))),
            (cancel(), Reply::Queued),
            (cancel(), Reply::Waiting),
            (cancel(), Reply::Answer(Ok(Answer::Count(1)))),
            (Statement::Commit, Reply::Answer(Err(SqlState::SERIALIZATION_FAILURE.into()))),
        ];
        let (statements, replies): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let mut db = Recorded::new(Canned(replies.iter().rev().cloned().collect()));
        db.connect()?;
        let mut session = ();
        for (statement, reply) in statements.iter().zip(replies) {
            assert_eq!(db.execute(&mut session, statement), reply, "it is passed on as it is");
        }
        db.disconnect(());
        let update =
            "UPDATE orders SET status = 'cancelled' WHERE id = 1 AND status = 'pending' --";
        assert_eq!(
            db.take(),
            [
                "BEGIN ISOLATION LEVEL SERIALIZABLE -- ok",
                "SELECT status FROM orders WHERE id = 1 -- 'pending'",
                "SELECT status FROM orders WHERE id = 1 -- no row",
                &format!("{update} waits"),
                &format!("{update} waits"),
                &format!("{update} 1 row"),
                "COMMIT -- 40001",
                "-- the session ends",
            ]
        );
        assert_eq!(db.told(), "no call");
        Ok(())
    }
}
