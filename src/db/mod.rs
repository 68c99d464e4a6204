//! The database world: the trait, [`SimDb`] (a pure value that behaves as PostgreSQL does), and
//! `SqliteDb` and `PostgresDb` (real databases, by feature). First floor: imports
//! [`process`](crate::process) and [`calls`](crate::calls), nothing above.
//!
//! The trait uses SQL's terms: a [`Statement`] renders to the text that a real database gets, and
//! an error is its SQLSTATE. A reader who knows PostgreSQL's chapters on
//! [isolation](https://www.postgresql.org/docs/current/transaction-iso.html) and
//! [locks](https://www.postgresql.org/docs/current/explicit-locking.html) needs no further guide.
//!
//! # A handler of one's own
//!
//! The body of a handler is a function that executes statements. It chooses each statement by the
//! answers to those before. A [`Way`] says how its transaction runs: which isolation level, how
//! many retries. [`transact`](crate::handlers::transact) runs the body in that way, on any
//! [`Database`]. The same handler is proved over [`SimDb`] and ships over a real database.
//!
//! ```
//! # #[cfg(feature = "sql")] {
//! use toctou::check::System;
//! use toctou::db::{Database, Failure, Isolation, SimDb, SimSession, Way};
//! use toctou::direct::{Code, SessionCode};
//! use toctou::handlers::{Next, Tx, transact};
//!
//! fn redeem(tx: &mut Tx<'_, impl Database>) -> Result<Next<bool>, Failure> {
//!     let used = tx.query("SELECT used FROM coupons WHERE id = $1", [1.into()])?;
//!     if used.value() != Some(&false.into()) {
//!         return Ok(Next::Rollback(false));
//!     }
//!     tx.query("UPDATE coupons SET used = true WHERE id = $1", [1.into()])?;
//!     Ok(Next::Commit(true))
//! }
//!
//! const SETUP: &str = "CREATE TABLE coupons (id BIGINT PRIMARY KEY, used BOOLEAN NOT NULL);
//!                      INSERT INTO coupons VALUES (1, false)";
//!
//! type Request = SessionCode<Result<bool, Failure>>;
//!
//! fn redeemed_by(clients: usize, way: Way) -> System<SimDb, Request> {
//!     let db = SimDb::new().with_setup(SETUP).expect("SQL that is simulated");
//!     let request =
//!         Code::session(SimSession::new(), move |db, session| transact(db, session, way, redeem));
//!     System::new(db)
//!         .clients(clients, request)
//!         .at_most(1, "one-grant", |local| local.output().filter(|told| **told == Ok(true)).cloned())
//!         .finally("no-error", |state| state.outputs().all(Result::is_ok))
//!         .reaches("a-refusal", |local| local.output() == Some(&Ok(false)))
//!         // For the picture: who waits for whom, and which circle a deadlock was.
//!         .waits_for(|db, one: &Request, other| one.held().wait_for(other.held(), db))
//!         .breaks_deadlocks(SimDb::patient)
//! }
//!
//! // A transaction round it changes nothing; a stricter one does, for whoever begins anew.
//! redeemed_by(2, Way::within(Isolation::ReadCommitted)).assert_breaks("one-grant");
//! redeemed_by(2, Way::within(Isolation::RepeatableRead)).assert_breaks("no-error");
//! redeemed_by(3, Way::within(Isolation::RepeatableRead).retrying(2)).assert_holds();
//! # }
//! ```
//!
//! With the feature `sql`, statements and tables are text. Without it, and in a program that makes its
//! statements, they are values: [`Select`], [`Insert`], [`Update`], [`Delete`], of a [`Table`].
//!
//! # What SERIALIZABLE promises here, and what it does not
//!
//! All transactions that commit have a serial order: executed one after the other in that order,
//! they would get the same answers. This leaves open two things that a property can see:
//!
//! - **Real time.** A transaction that begins after another one has committed may stand before it
//!   in that order, if it reads nothing that the other one wrote. PostgreSQL promises no more than
//!   that. A property about the order in which clients were answered does not follow from the
//!   level: claim it by itself.
//! - **Who fails.** Here the transaction fails that closes a cycle of reads and writes. PostgreSQL
//!   may fail another transaction of the cycle (`two-ids` and `receipt-report` of its own isolation
//!   tests are such cases), or one that is in no cycle. So "the first one succeeds" or "nobody is
//!   answered 40001" is proved of the simulation alone. Properties that hold for every client that
//!   retries after a 40001 are not concerned.
//!
//! An `ON CONFLICT DO NOTHING` that did nothing counts as a read in some versions of PostgreSQL and
//! not in others: [`SimDb::with_conflicts_as_reads`] has it either way. [`SimDb`] lists all that is
//! simulated and all that is refused.
//!
//! # Mistakes
//!
//! A statement that names a missing column fails in the same way for every client. Then many
//! properties hold vacuously. So the simulation [tells](crate::calls::mistaken) of such an answer
//! as a mistake of the model. The check then fails, unless the system
//! [expects](crate::check::System::expects) the mistake. These answers are mistakes:
//!
//! - SQLSTATEs of the classes 42 and 22: a table, a column, a type, a number out of range;
//! - `0A000`: something that is not simulated, or a body that executes `BEGIN`, `COMMIT` or
//!   `ROLLBACK`;
//! - `23000`: a column without a value;
//! - `25001` and `25P01`: `BEGIN` inside of a transaction, its end outside of one;
//! - an [`Answer`] that is taken for rows where it is a count.
//!
//! An answer that other sessions can cause is no mistake: `23505`, `40001`, `40P01`, and the
//! `25P02` that comes after one of them.

#[cfg(feature = "postgres")]
mod cluster;
mod error;
mod form;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod link;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod recorded;
mod schema;
mod service;
mod shared;
mod sim;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;
#[cfg(feature = "postgres")]
mod stepped;
mod watch;
mod way;
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod wire;

#[cfg(feature = "postgres")]
pub use cluster::{Cluster, ClusterError};
pub use error::{SqlError, SqlState};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use pool::Pooling;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresDb, PostgresOptions, PostgresSession};
pub use schema::{Column, Kind, Row, Table, Value, row};
pub use service::{ServerMemory, Servers, Service};
pub use shared::{Handle, SharedServers};
#[cfg(feature = "sql")]
pub use sim::Prepared;
#[cfg(all(feature = "command", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use sim::split;
pub use sim::{SimDb, SimSession};
pub use sql::{Dialect, Query};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteDb, SqliteOptions, SqliteSession, Synchronous};
#[cfg(feature = "sql")]
pub use statement::Text;
pub use statement::{
    Comparison, Condition, Delete, Expression, Filter, Insert, Isolation, OnConflict, Returning,
    Select, Statement, Update, What,
};
#[cfg(feature = "postgres")]
pub use stepped::{SteppedDb, SteppedSession};
pub use watch::{Said, Watch};
pub use way::{Failure, Way};

use crate::recorded::TO_GO;

/// A database, as far as this crate's protocols need one.
///
/// A session (a connection) is a value that its process holds. A statement is one atomic step,
/// unless it has to wait for another transaction. Then it is two steps: it begins to wait in one,
/// and goes on after the wait in another. Anybody else may act between the end of the other
/// transaction and that second step.
///
/// A statement that changes or locks several rows takes them one by one, as PostgreSQL does. In the
/// simulation each of them is a step. If any may be the first, another step before these chooses it,
/// and changes nothing.
///
/// A statement outside of a transaction commits by itself. In the simulation that is a step of its own
/// where it matters: the statement has changed rows that it found by more than their key, or by a query.
pub trait Database {
    /// A session: the server has one for each connection.
    type Session;

    /// Opens a session. This is not a step of a protocol: its sessions are open before it begins.
    fn connect(&mut self) -> Result<Self::Session, SqlError>;

    /// Sends a statement. If the statement was [queued](Reply::Queued), or is
    /// [under way](Reply::Underway), call this again with the same statement, until there is an
    /// answer.
    ///
    /// A statement that cannot be sent at all ([`Statement::query`] lists the reasons) is an error
    /// with the same code in every world.
    fn execute(&mut self, session: &mut Self::Session, statement: &Statement) -> Reply;

    /// Sends a statement, and waits for its answer. For code that does nothing else meanwhile.
    #[track_caller]
    fn answer(
        &mut self,
        session: &mut Self::Session,
        statement: &Statement,
    ) -> Result<Answer, SqlError> {
        loop {
            match self.execute(session, statement) {
                Reply::Answer(answer) => return answer,
                Reply::Queued | Reply::Waiting => std::thread::yield_now(),
                Reply::Underway(_) => {}
            }
        }
    }

    /// Ends a session abruptly, as the death of its process does: its transaction is rolled back,
    /// and a statement that waits is given up.
    fn disconnect(&mut self, session: Self::Session);
}

impl<D: Database> Database for &mut D {
    type Session = D::Session;

    fn connect(&mut self) -> Result<D::Session, SqlError> {
        (**self).connect()
    }

    fn execute(&mut self, session: &mut D::Session, statement: &Statement) -> Reply {
        (**self).execute(session, statement)
    }

    fn disconnect(&mut self, session: D::Session) {
        (**self).disconnect(session);
    }
}

/// What became of a statement so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The statement is over.
    Answer(Result<Answer, SqlError>),
    /// The statement has just begun to wait, or now waits for another transaction than before. A
    /// real database that waits by itself never answers so.
    Queued,
    /// The statement still waits for the same transaction: nothing has changed.
    Waiting,
    /// The statement changes or locks several rows, one after the other, and has not come to its
    /// end; or it is a transaction by itself, and has not committed. Others may act before it goes on.
    /// Only the simulated database answers so: a real one cannot be stopped there.
    Underway(Underway),
}

/// How far a statement has come that takes several rows, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Underway {
    /// The row that it has just taken, as it was; none where it has just found its rows, and where
    /// others have removed the row meanwhile.
    pub took: Option<Row>,
    /// How many rows are still to come; 0 where nothing is left to do but to commit.
    pub left: usize,
    /// How many of them may be the next one: all of them, where the statement does not sort them.
    /// [`SimSession::takes_next`] says which; the first of them otherwise.
    pub next: usize,
}

impl std::fmt::Display for Underway {
    /// `2 rows to go`; `takes (2, 0), 1 row to go`; `commit to go`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(row) = &self.took {
            write!(f, "takes {}, ", schema::told(row))?;
        }
        match self.left {
            0 => write!(f, "commit{TO_GO}"),
            1 => write!(f, "1 row{TO_GO}"),
            left => write!(f, "{left} rows{TO_GO}"),
        }
    }
}

/// What a statement answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The rows of a `SELECT` or a `RETURNING`.
    Rows(Vec<Row>),
    /// How many rows an `INSERT`, `UPDATE` or `DELETE` touched.
    Count(u64),
    /// `BEGIN`.
    Begun,
    /// `COMMIT`.
    Committed,
    /// `ROLLBACK`; or `COMMIT` of a transaction that had failed.
    RolledBack,
}

impl Answer {
    /// The rows; none where the answer is not rows.
    pub fn rows(&self) -> &[Row] {
        match self {
            Answer::Rows(rows) => rows,
            _ => &[],
        }
    }

    /// The first value of the first row.
    pub fn value(&self) -> Option<&Value> {
        self.rows().first()?.first()
    }

    /// How many rows were touched; 0 where the answer is not a count.
    pub fn count(&self) -> u64 {
        match self {
            Answer::Count(count) => *count,
            _ => 0,
        }
    }
}

impl std::fmt::Display for Answer {
    /// `2 rows`, `(1, 'pending')`, `no row`, `ok`: the text behind a statement that is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Rows(rows) if rows.is_empty() => f.write_str("no row"),
            Answer::Rows(rows) => {
                for (index, row) in rows.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", schema::told(row))?;
                }
                Ok(())
            }
            Answer::Count(1) => f.write_str("1 row"),
            Answer::Count(count) => write!(f, "{count} rows"),
            Answer::Begun | Answer::Committed => f.write_str("ok"),
            Answer::RolledBack => f.write_str("rolled back"),
        }
    }
}
