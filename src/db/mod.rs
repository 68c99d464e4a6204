//! The database world: the trait, [`SimDb`] (a pure value, PostgreSQL's ways), `SqliteDb` and
//! `PostgresDb` (the real ones, by feature). First floor: imports [`process`](crate::process) and
//! [`calls`](crate::calls), nothing above.
//!
//! The trait speaks SQL: a [`Statement`] renders to the text that a real database gets, an error is
//! its SQLSTATE. Whoever knows PostgreSQL's chapters on
//! [isolation](https://www.postgresql.org/docs/current/transaction-iso.html) and
//! [locks](https://www.postgresql.org/docs/current/explicit-locking.html) needs no further guide.
//!
//! # A handler of one's own
//!
//! Its body is a function that asks statements, each chosen by the answers to those before. Its transaction
//! (which level, how many retries) is a [`Way`]. [`transact`](crate::handlers::transact) runs the one in the
//! other, for any [`Database`]. Over [`SimDb`] it is proved, over a real one it ships.
//!
//! ```
//! use toctou::check::System;
//! use toctou::db::{
//!     Column, Database, Failure, Isolation, Select, SimDb, SimSession, Table, Update, Way, row,
//! };
//! use toctou::direct::{Code, SessionCode};
//! use toctou::handlers::{Next, Tx, transact};
//!
//! static COUPONS: Table = Table {
//!     name: "coupons",
//!     columns: &[Column::int("id"), Column::text("state")],
//!     unique: Some("id"),
//! };
//!
//! /// `SELECT state FROM coupons WHERE id = 1`; if it is 'new', `UPDATE … SET state = 'used'`.
//! fn redeem(tx: &mut Tx<'_, impl Database>) -> Result<Next<bool>, Failure> {
//!     let seen = tx.ask(Select::columns(&COUPONS, &["state"]).filter("id", 1))?;
//!     if seen.value() != Some(&"new".into()) {
//!         return Ok(Next::Rollback(false));
//!     }
//!     tx.ask(Update::new(&COUPONS).set("state", "used").filter("id", 1))?;
//!     Ok(Next::Commit(true))
//! }
//!
//! type Request = SessionCode<Result<bool, Failure>>;
//!
//! fn redeemed_by(clients: usize, way: Way) -> System<SimDb, Request> {
//!     let db = SimDb::new().with_table(&COUPONS, [row([1.into(), "new".into()])]);
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
//! ```
//!
//! # What SERIALIZABLE promises here, and what it does not
//!
//! All that commits has a serial order: one after the other, the transactions would have been answered the
//! same. A property can see two things that this leaves open:
//!
//! - **Real time.** A transaction that begins after another one has committed may stand before it in that
//!   order, if it reads nothing that the other one wrote. PostgreSQL promises no more than that. A property
//!   about who was answered before whom does not follow from the level: claim it by itself.
//! - **Who fails.** Here it is the one who closes a circle of reads and writes. PostgreSQL may fail another
//!   one of the circle (`two-ids` and `receipt-report` of its own isolation tests are such), and somebody
//!   who is in none. So "the first one succeeds" or "nobody is told 40001" is proved of the simulation
//!   alone; what holds for every client that begins anew after a 40001 is not concerned.
//!
//! Not every version of PostgreSQL counts an `ON CONFLICT DO NOTHING` that did nothing as a read:
//! [`SimDb::with_conflicts_as_reads`] has it either way. What is simulated at all, and what is refused, is
//! listed at [`SimDb`].
//!
//! # Mistakes
//!
//! A statement that names a column that is not there fails the same way for every client, and then many a
//! property holds of nothing. So the simulation [tells](crate::calls::mistaken) such an answer as a mistake
//! of the model, and the check fails, unless the system [expects](crate::check::System::expects) it:
//! SQLSTATEs of the classes 42 and 22 (a table, a column, a type, a number out of range), `0A000` (what is
//! not simulated, and a body that asks `BEGIN`, `COMMIT` or `ROLLBACK`), `23000` (a column without a
//! value), `25001` and `25P01` (`BEGIN` inside of a transaction, its end outside), and an [`Answer`] that is
//! taken for rows where it is a count. What others can be the reason for is none: `23505`, `40001`,
//! `40P01`, and the `25P02` that comes after one of them.

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
pub use sim::{SimDb, SimSession};
pub use sql::{Dialect, Query};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteDb, SqliteOptions, SqliteSession, Synchronous};
pub use statement::{
    Comparison, Condition, Delete, Expression, Filter, Insert, Isolation, OnConflict, Returning,
    Select, Statement, Update, What,
};
#[cfg(feature = "postgres")]
pub use stepped::{SteppedDb, SteppedSession};
pub use watch::{Said, Watch};
pub use way::{Failure, Way};

/// A database, as far as this crate's protocols need one.
///
/// A session (a connection) is a value its process holds. A statement is one step, and atomic, unless
/// it has to wait for another transaction: then beginning to wait is a step, and what comes after the
/// wait is another. Between the end of the one that was waited for and that step anybody else may act.
pub trait Database {
    /// A session: what a connection is to the server.
    type Session;

    /// Opens a session. Not a step of a protocol: its sessions are there before it begins.
    fn connect(&mut self) -> Result<Self::Session, SqlError>;

    /// Sends a statement, or, after it was [queued](Reply::Queued), asks for its answer: with the
    /// same statement, until there is one. What cannot be asked at all ([`Statement::query`] says what)
    /// is an error with one code in every world, and is not sent.
    fn execute(&mut self, session: &mut Self::Session, statement: &Statement) -> Reply;

    /// Sends a statement, and waits for its answer: for code that does nothing meanwhile.
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
            }
        }
    }

    /// Ends a session without a word, as the death of its process does: its transaction is rolled
    /// back, a statement that waits is given up.
    fn disconnect(&mut self, session: Self::Session);
}

/// What became of a statement so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is over.
    Answer(Result<Answer, SqlError>),
    /// It has begun to wait for another transaction: in this moment, or for another one than before.
    /// A real database that waits by itself never says so.
    Queued,
    /// It still waits, as before: nothing has changed.
    Waiting,
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
    /// The rows; none where it is not about rows.
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

    /// How many rows were touched; 0 where it is not about that.
    pub fn count(&self) -> u64 {
        match self {
            Answer::Count(count) => *count,
            _ => 0,
        }
    }
}

impl std::fmt::Display for Answer {
    /// `2 rows`, `(1, 'pending')`, `no row`, `ok`: what comes after a statement that is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Rows(rows) if rows.is_empty() => f.write_str("no row"),
            Answer::Rows(rows) => {
                for (index, row) in rows.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    match &row[..] {
                        [value] => write!(f, "{comma}{value}")?,
                        values => {
                            let values: Vec<_> = values.iter().map(Value::to_string).collect();
                            write!(f, "{comma}({})", values.join(", "))?;
                        }
                    }
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
