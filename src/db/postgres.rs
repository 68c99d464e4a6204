//! First floor, `db`: PostgreSQL, and databases that speak its protocol. Imports its neighbours in
//! `db`, and (its children) `tokio-postgres`, rustls and [`tls`](crate::tls).

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

/// A PostgreSQL database, or another one that speaks its protocol, such as CockroachDB. A clone is
/// the same database.
///
/// Its sessions come from a pool. A statement waits in the server, so none is ever answered
/// [`Queued`](Reply::Queued) or [`Waiting`](Reply::Waiting). Each session prepares a statement
/// once.
///
/// An error is the server's own SQLSTATE, except in these cases: `08001` if the server cannot be
/// reached or trusted, `08006` if the connection broke, `53300` if no session of the pool became
/// free in time.
///
/// # Encryption
///
/// A connection is either plain, or encrypted to a server that has proved its identity. The proof
/// is a certificate for the URL's host from a trusted authority. There is nothing between the two:
/// encryption without that proof does not keep out an attacker on the way.
///
/// | `sslmode` in the URL | |
/// | --- | --- |
/// | none, `disable`, `allow`, `prefer` | plain, even where the server could encrypt |
/// | `require`, `verify-ca`, `verify-full` | encrypted and verified, all three; libpq does not verify for `require`, and does not verify the name for `verify-ca` |
///
/// Mozilla's authorities are trusted, as listed when this program was built. With
/// `sslrootcert=PATH` only those of that file are trusted (PEM, read once); `sslrootcert=system`
/// means Mozilla's list. A cloud's own authority, such as that of Amazon RDS or CockroachDB Cloud,
/// is such a file.
///
/// A URL with `sslrootcert` and without `sslmode` means `verify-full`. As with libpq, a Unix socket
/// is never encrypted, whatever `sslmode` says. A SCRAM password is bound to the encrypted
/// connection (`channel_binding=require` insists on it). There are no client certificates, and no
/// lists of revoked certificates.
///
/// # Time
///
/// Every wait ends.
///
/// - **Making a connection**, up to a session that is ready, takes at most the pool's
///   [patience](Pooling::patience) for each host of the URL. With a `connect_timeout` in the URL,
///   which is for one address, it takes at most twice that timeout for each host. The lookup of the
///   host's name is within the limit.
/// - **A statement** is given up by the server ([`PostgresOptions::statement`]): `57014`, or
///   `55P03` by [`PostgresOptions::lock`]. Then it has changed nothing, its transaction can only be
///   rolled back, and the session goes on.
/// - **A silent server** may not give the statement up within the pool's patience: its process is
///   stopped, its host hangs or the network is cut. Then this side gives it up: `08006`, and the
///   session is replaced. Nobody knows what the server will still do with the statement.
/// - **A commit** that the server has begun to write is not given up by the server, but by this
///   side.
///
/// The URL's own settings come first: `options='-c statement_timeout=5min'`, `connect_timeout`,
/// `tcp_user_timeout` (in seconds, where libpq's is in milliseconds) and `keepalives…`. With a
/// `statement_timeout` in `options`, this side waits for the server without a limit, since it does
/// not know the server's.
///
/// # CockroachDB, poolers
///
/// CockroachDB has not been tried. One [`Statement`] is PostgreSQL's alone, `RETURNING (xmax = 0)`
/// ([`Returning::Inserted`](super::Returning::Inserted)); no handler uses it.
///
/// `READ COMMITTED` and `REPEATABLE READ` are `SERIALIZABLE` in CockroachDB, unless the cluster is
/// set up for them. That promises more, and takes more retries (`40001`), also of statements by
/// themselves. A commit whose result CockroachDB does not know (`40003`) is reported as unknown.
/// `SELECT … FOR UPDATE` locks as much as the cluster's settings say; no handler relies on it.
///
/// A pooler may give a server's session to a client for one transaction only. Such a pooler has to
/// support prepared statements (PgBouncer does from 1.21 on). A pooler that does not pass `options`
/// on refuses the limits. Use [`PostgresOptions`] without limits with it.
///
/// # Asynchronous code
///
/// A call blocks, so an asynchronous handler has to make it on a thread for blocking calls (tokio's
/// `spawn_blocking`, Actix's `web::block`). On a thread that runs tasks, a call answers `0A000` and
/// says so; tokio's own message goes to the panic hook.
#[derive(Clone, Debug)]
pub struct PostgresDb {
    pool: Pool<Manager>,
}

/// The settings for a PostgreSQL database that its URL does not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// How long the server may take for a statement, waits for locks included (`statement_timeout`):
    /// whole milliseconds, at least one. `None`: the server's own setting for the role or the
    /// database; usually no limit.
    pub statement: Option<Duration>,
    /// How long a statement may wait for one lock (`lock_timeout`). If this is the shorter of the
    /// two limits, the error says whether another session held a lock (`55P03`) or the statement
    /// took too long (`57014`). `None`: the server's own setting.
    pub lock: Option<Duration>,
    /// After how much silence of the server's host the connection counts as broken: whole seconds,
    /// at least one.
    /// Silence means that the host does not acknowledge sent data, or does not answer the system's
    /// probes of an idle connection (TCP's keepalives). `None`: the system's own setting, mostly
    /// hours.
    pub silence: Option<Duration>,
    /// The pool of sessions.
    pub pooling: Pooling,
}

impl Default for PostgresOptions {
    /// 30 seconds for a statement, with no limit of its own for a lock; 30 seconds of silence.
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
    /// Connects to the database at a URL,
    /// `postgresql://user:password@host/database?sslmode=verify-full`, or in libpq's form, `host=…
    /// user=… dbname=…`. It opens one session to try it.
    ///
    /// # Errors
    ///
    /// `08001` if the URL is not valid, or the server cannot be reached or trusted; the error says
    /// what to do. The server's own error if it refuses, such as `3D000` if the database does not
    /// exist.
    pub fn connect(url: &str) -> Result<Self, SqlError> {
        Self::connect_with(url, PostgresOptions::default())
    }

    /// Like [`connect`](Self::connect), with another pool.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn pooled(url: &str, pooling: Pooling) -> Result<Self, SqlError> {
        Self::connect_with(url, PostgresOptions { pooling, ..PostgresOptions::default() })
    }

    /// Like [`connect`](Self::connect), with these options.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, SqlError> {
        may_block()?;
        let target = Target::limited(url, &options)?;
        let patience = options.pooling.patience / 2;
        let manager = Manager { target, patience, silent: Mutex::default() };
        Ok(PostgresDb { pool: Pool::new(manager, options.pooling)? })
    }

    /// Creates those of the tables that are missing, even if others create them at the same time.
    ///
    /// # Errors
    ///
    /// The database's; `42601` or `42703` if one of the tables is not possible (see
    /// [`Table::definition`]), and then none is created.
    pub fn create(&self, tables: &[&'static Table]) -> Result<(), SqlError> {
        tables.iter().try_for_each(|table| table.check())?;
        let mut link = self.session()?;
        tables.iter().try_for_each(|table| create(&mut link.wire, table))
    }

    fn session(&self) -> Result<PooledConnection<Manager>, SqlError> {
        may_block()?;
        self.pool.get()
    }

    /// Inserts rows into a table, all or none.
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

    /// Replaces all rows of a table with these.
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

/// A session of a [`PostgresDb`]. If it is dropped in the middle of a transaction, the transaction
/// is rolled back. The connection goes back to the pool, unless it broke.
#[derive(Debug)]
pub struct PostgresSession(Pooled<Manager>);

impl Drop for PostgresSession {
    fn drop(&mut self) {
        // If it fails the transaction is still there, and the pool will not have it.
        let _ = self.0.get().leave();
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
