//! First floor, `db`: PostgreSQL, and whoever speaks its protocol. Imports its neighbours in `db`,
//! and (its children) `tokio-postgres`, rustls and [`tls`](crate::tls).

mod blocking;
mod encryption;
mod error;
mod server;
mod target;
mod url;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use r2d2::{ManageConnection, PooledConnection};

use super::link::Link;
use super::pool::{self, Pool, Pooled, Pooling};
use super::{Database, Reply, Row, SqlError, SqlState, Statement, Table};
use blocking::may_block;
pub(super) use server::{Notices, Server};
pub(super) use target::Target;

/// A PostgreSQL database, or another one that speaks its protocol, such as CockroachDB's. A clone is
/// the same one.
///
/// Its sessions come from a pool. A statement waits in the server, so none is ever answered
/// [`Queued`](Reply::Queued) or [`Waiting`](Reply::Waiting). Statements are prepared once a session.
/// An error is the server's own SQLSTATE; `08001` where it cannot be reached or trusted, `08006` where
/// the connection broke, `53300` where no session of the pool became free in time.
///
/// # Encryption
///
/// A connection is plain, or it is encrypted and the server has proved who it is, by a certificate
/// for the host of the URL from an authority that is trusted. There is nothing between the two:
/// encryption without that proof keeps out nobody who is on the way.
///
/// | `sslmode` in the URL | |
/// | --- | --- |
/// | none, `disable`, `allow`, `prefer` | plain, even where the server could encrypt |
/// | `require`, `verify-ca`, `verify-full` | encrypted and verified, all three; libpq does not verify for `require`, and not the name for `verify-ca` |
///
/// Trusted are Mozilla's authorities, of the list that this program was built with, or, with
/// `sslrootcert=PATH`, those of that file (PEM, read once) and no others; `sslrootcert=system` says
/// Mozilla's list. Who names them means to verify: without an `sslmode` that is `verify-full`. A
/// cloud's own authority, as Amazon RDS and CockroachDB Cloud have one, is such a file. As with libpq,
/// a Unix socket is never encrypted, whatever `sslmode` says. A password by SCRAM is bound to the
/// encrypted connection (`channel_binding=require` insists on it). There are no certificates for
/// clients, and no lists of revoked ones.
///
/// # Time
///
/// Nothing waits for ever. Making a connection, with all that is said until the session is there, takes
/// the pool's [patience](Pooling::patience) at most for each host of the URL; with a `connect_timeout`
/// of the URL, which is for an address, twice that. A statement is given up by the server
/// ([`PostgresOptions::statement`]): `57014`, or `55P03` by [`PostgresOptions::lock`]. It has changed
/// nothing then, its transaction can only be rolled back, and the session goes on. If the server does
/// not do so itself within the pool's patience, because its process is stopped, its host hangs or the
/// network is cut, it is given up here: `08006`, the session is replaced, and nobody knows what the
/// server will do yet with what it was sent.
///
/// A URL's own words come first: `options='-c statement_timeout=5min'` (the server is then waited for
/// without an end, as this side does not know for how long), `connect_timeout`, `tcp_user_timeout`
/// (seconds, where libpq's are milliseconds) and `keepalives…`. The lookup of the host's name is within
/// the limit; a commit that the server has begun to write is not given up by it, but by this side.
///
/// # CockroachDB, poolers
///
/// Nobody has tried CockroachDB. Of the [`Statement`]s one is PostgreSQL's alone, `RETURNING (xmax = 0)`
/// ([`Returning::Inserted`](super::Returning::Inserted)); no handler has it. `READ COMMITTED` and
/// `REPEATABLE READ` are `SERIALIZABLE` there, unless the cluster is set up for them: that promises
/// more, and asks for more retries (`40001`), also of statements by themselves. A commit whose end it
/// does not know (`40003`) is told as not known. `SELECT … FOR UPDATE` locks as much as its cluster's
/// settings say, which no handler stands on.
///
/// A pooler that hands out a server's session for one transaction only has to know of prepared
/// statements (PgBouncer from 1.21 does); one that passes no `options` on refuses the limits, and has
/// to be reached with [`PostgresOptions`] that have none.
///
/// # Asynchronous code
///
/// It blocks, so an asynchronous handler has to ask it on a thread for that (tokio's
/// `spawn_blocking`, Actix's `web::block`). Asked on a thread that runs tasks, it answers `0A000` and
/// says so; tokio's own complaint goes to the panic hook.
#[derive(Clone, Debug)]
pub struct PostgresDb {
    pool: Pool<Manager>,
}

/// How a PostgreSQL database is spoken to, where its URL does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// How long the server may take for a statement (`statement_timeout`), in milliseconds, waits for
    /// locks included. `None`: as the server has it, for the role or the database; usually for ever.
    pub statement: Option<Duration>,
    /// How long a statement may wait for one lock (`lock_timeout`). If that is the shorter of the two,
    /// an error says whether somebody else was in the way (`55P03`) or there was too much to do
    /// (`57014`). `None`: as the server has it.
    pub lock: Option<Duration>,
    /// After how much silence of the server's host, in seconds, the connection counts as broken: what
    /// was sent is not acknowledged, or what the system asks an idle connection by itself (TCP's
    /// keepalives). `None`: as the system has it, mostly after hours.
    pub silence: Option<Duration>,
    /// The sessions.
    pub pooling: Pooling,
}

impl Default for PostgresOptions {
    /// 30 seconds for a statement, with no other limit for a lock; 30 seconds of silence.
    fn default() -> Self {
        PostgresOptions {
            statement: Some(Duration::from_secs(30)),
            lock: None,
            silence: Some(Duration::from_secs(30)),
            pooling: Pooling::default(),
        }
    }
}

impl PostgresDb {
    /// The database at a URL, `postgresql://user:password@host/database?sslmode=verify-full`, or in
    /// libpq's words, `host=… user=… dbname=…`; a session is tried.
    ///
    /// # Errors
    ///
    /// `08001` where the URL makes no sense, or the server cannot be reached, or trusted: it says what
    /// to do. The server's own if it refuses, such as `3D000` for a database that is not there.
    pub fn connect(url: &str) -> Result<Self, SqlError> {
        Self::connect_with(url, PostgresOptions::default())
    }

    /// The same, with another pool.
    ///
    /// # Errors
    ///
    /// As of [`connect`](Self::connect).
    pub fn pooled(url: &str, pooling: Pooling) -> Result<Self, SqlError> {
        Self::connect_with(url, PostgresOptions { pooling, ..PostgresOptions::default() })
    }

    /// The same, in another way.
    ///
    /// # Errors
    ///
    /// As of [`connect`](Self::connect).
    pub fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, SqlError> {
        may_block()?;
        let target = Target::limited(url, &options)?;
        let patience = options.pooling.patience / 2;
        let manager = Manager { target, patience, silent: Mutex::default() };
        Ok(PostgresDb { pool: Pool::new(manager, options.pooling)? })
    }

    /// Creates those of the tables that are not there, whoever else does so meanwhile.
    ///
    /// # Errors
    ///
    /// The database's; `42601` or `42703` where there can be no such table (see
    /// [`Table::definition`]), and then none of them is made.
    pub fn create(&self, tables: &[&'static Table]) -> Result<(), SqlError> {
        tables.iter().try_for_each(|table| table.check())?;
        let mut link = self.session()?;
        tables.iter().try_for_each(|table| create(&mut link.wire, table))
    }

    fn session(&self) -> Result<PooledConnection<Manager>, SqlError> {
        may_block()?;
        self.pool.get()
    }

    /// Puts rows into a table, all or none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn insert(
        &self,
        table: &'static Table,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<(), SqlError> {
        pool::insert(&mut self.clone(), table, rows, false)
    }

    /// Has a table hold these rows and no others.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn fill(
        &self,
        table: &'static Table,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<(), SqlError> {
        pool::insert(&mut self.clone(), table, rows, true)
    }

    /// The committed rows of a table, sorted.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn rows(&self, table: &'static Table) -> Result<Vec<Row>, SqlError> {
        pool::rows(&mut self.clone(), table)
    }
}

impl Database for PostgresDb {
    type Session = PostgresSession;

    fn connect(&mut self) -> Result<PostgresSession, SqlError> {
        self.session().map(|session| PostgresSession(Pooled::new(session)))
    }

    fn execute(&mut self, session: &mut PostgresSession, statement: &Statement) -> Reply {
        Reply::Answer(session.0.get().execute(statement))
    }

    fn disconnect(&mut self, session: PostgresSession) {
        drop(session);
    }
}

/// A session of a [`PostgresDb`]. Dropped in the middle of a transaction, it rolls that back; the
/// connection goes back to the pool, unless it broke.
#[derive(Debug)]
pub struct PostgresSession(Pooled<Manager>);

impl Drop for PostgresSession {
    fn drop(&mut self) {
        // If it fails the transaction is still there, and the pool will not have it.
        let _ = self.0.get().end();
    }
}

/// PostgreSQL's `CREATE TABLE IF NOT EXISTS` looks first and acts then: of two at once one is told of
/// a key, a table or a type that is there already. It finds the table when it looks again.
fn create(server: &mut Server, table: &Table) -> Result<(), SqlError> {
    let definition = table.definition();
    let came_second = |error: &SqlError| ["23505", "42P07", "42710"].contains(&error.state.code());
    match server.run(&definition) {
        Err(error) if came_second(&error) => server.run(&definition),
        created => created,
    }
}

/// Opens sessions for the pool.
#[derive(Debug)]
struct Manager {
    target: Target,
    /// How long a session that was not in use may take to answer.
    patience: Duration,
    /// When one last did not answer in time.
    silent: Mutex<Option<Instant>>,
}

impl ManageConnection for Manager {
    type Connection = Link<Server>;
    type Error = SqlError;

    fn connect(&self) -> Result<Link<Server>, SqlError> {
        Server::connect(&self.target).map(Link::new)
    }

    fn is_valid(&self, link: &mut Link<Server>) -> Result<(), SqlError> {
        let silent = || self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        // Where one has kept somebody waiting for nothing, the others of its time need not as well.
        if silent().is_some_and(|when| link.wire.opened() <= when) {
            return Err(SqlError::new(SqlState::CONNECTION_FAILURE, "the server was silent"));
        }
        let answered = link.wire.answers(self.patience);
        if answered.is_err() && link.wire.is_over() {
            *silent() = Some(Instant::now());
        }
        answered
    }

    fn has_broken(&self, link: &mut Link<Server>) -> bool {
        link.is_spoilt() || link.wire.is_over()
    }
}
