//! First floor, `db`: PostgreSQL, and whoever speaks its protocol. Imports its neighbours in `db`,
//! and the `postgres` crate.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use postgres::error::{DbError, Severity};
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, NoTls};
use r2d2::{ManageConnection, PooledConnection};

use super::link::{Link, Wire, unread};
use super::pool::{self, Pool, Pooling};
use super::{Answer, Database, Dialect, Query, Reply, Row, SqlError, SqlState, Statement};
use super::{Returning, Table, Value};

/// A PostgreSQL database, or another one that speaks its protocol, such as CockroachDB's. A clone is
/// the same one.
///
/// Its sessions come from a pool. A statement waits in the server, so none is ever answered
/// [`Queued`](Reply::Queued) or [`Waiting`](Reply::Waiting). Statements are prepared once a session.
/// An error is the server's own SQLSTATE; `08001` where it cannot be reached, `08006` where the
/// connection broke, `53300` where no session of the pool became free in time.
///
/// Of the [`Statement`]s one is PostgreSQL's alone, `RETURNING (xmax = 0)`
/// ([`Returning::Inserted`]). Connections are not encrypted: a server elsewhere is
/// reached through a tunnel.
///
/// # Panics
///
/// It blocks, so an asynchronous handler has to ask it on a thread for that (tokio's
/// `spawn_blocking`, Actix's `web::block`); tokio panics otherwise.
#[derive(Clone, Debug)]
pub struct PostgresDb {
    pool: Pool<Manager>,
}

impl PostgresDb {
    /// The database at a URL, `postgresql://user:password@host/database?options…`, or in libpq's
    /// words, `host=… user=… dbname=…`; a session is tried.
    ///
    /// # Errors
    ///
    /// `08001` where the URL makes no sense or the server cannot be reached; the server's own if it
    /// refuses, such as `3D000` for a database that is not there.
    pub fn connect(url: &str) -> Result<Self, SqlError> {
        Self::pooled(url, Pooling::default())
    }

    /// The same, with another pool.
    ///
    /// # Errors
    ///
    /// As of [`connect`](Self::connect).
    pub fn pooled(url: &str, pooling: Pooling) -> Result<Self, SqlError> {
        let mut config = config(url)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(pooling.patience.max(Duration::from_millis(1)));
        }
        Ok(PostgresDb { pool: Pool::new(Manager(config), pooling)? })
    }

    /// Creates those of the tables that are not there.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn create(&self, tables: &[&'static Table]) -> Result<(), SqlError> {
        let mut link = self.pool.get()?;
        tables.iter().try_for_each(|table| link.wire.run(&table.definition()))
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
        self.pool.get().map(PostgresSession)
    }

    fn execute(&mut self, session: &mut PostgresSession, statement: &Statement) -> Reply {
        Reply::Answer(session.0.execute(statement))
    }

    fn disconnect(&mut self, session: PostgresSession) {
        drop(session);
    }
}

/// A session of a [`PostgresDb`]. Dropped in the middle of a transaction, it rolls that back; the
/// connection goes back to the pool, unless it broke.
#[derive(Debug)]
pub struct PostgresSession(PooledConnection<Manager>);

impl Drop for PostgresSession {
    fn drop(&mut self) {
        // If it fails the transaction is still there, and the pool will not have it.
        let _ = self.0.end();
    }
}

/// Opens sessions for the pool.
#[derive(Debug)]
struct Manager(Config);

impl ManageConnection for Manager {
    type Connection = Link<Server>;
    type Error = SqlError;

    fn connect(&self) -> Result<Link<Server>, SqlError> {
        Server::connect(&self.0).map(Link::new)
    }

    fn is_valid(&self, link: &mut Link<Server>) -> Result<(), SqlError> {
        let patience = self.0.get_connect_timeout().copied();
        let valid = link.wire.client.is_valid(patience.unwrap_or(Duration::from_secs(5)));
        valid.map_err(|error| failed(&error))
    }

    fn has_broken(&self, link: &mut Link<Server>) -> bool {
        link.is_spoilt() || link.wire.client.is_closed()
    }
}

/// What a URL says.
pub(super) fn config(url: &str) -> Result<Config, SqlError> {
    url.parse::<Config>().map_err(|error| refused(&error))
}

/// A client, and the statements prepared in its connection.
pub(super) struct Server {
    client: Client,
    prepared: HashMap<String, postgres::Statement>,
}

impl Server {
    pub(super) fn connect(config: &Config) -> Result<Self, SqlError> {
        let client = config.connect(NoTls).map_err(|error| refused(&error))?;
        Ok(Server { client, prepared: HashMap::new() })
    }

    /// Runs what has no parameters and no answer.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), SqlError> {
        self.client.batch_execute(sql).map_err(|error| failed(&error))
    }

    /// Returns once the server is done with what it has answered: it tells of an error first, and
    /// rolls back then.
    pub(super) fn settle(&mut self) {
        // If this fails, whatever is asked next does.
        let _ = self.client.simple_query("");
    }

    /// A column of numbers.
    pub(super) fn numbers(
        &mut self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<i32>, SqlError> {
        let rows = self.client.query(sql, values).map_err(|error| failed(&error))?;
        let number = |row: &postgres::Row| row.try_get(0).map_err(|error| failed(&error));
        rows.iter().map(number).collect()
    }
}

impl Wire for Server {
    fn control(&mut self, statement: &Statement) -> Result<(), SqlError> {
        let query = statement.query(Dialect::Postgres)?;
        self.run(&query.text)
    }

    fn ask(&mut self, statement: &Statement) -> Result<Answer, SqlError> {
        let Query { mut text, parameters } = statement.query(Dialect::Postgres)?;
        let parameters: Vec<_> = parameters.iter().map(Parameter::of).collect();
        let types: Vec<_> = parameters.iter().map(Parameter::kind).collect();
        let values: Vec<_> = parameters.iter().map(Parameter::value).collect();
        // Prepared for values of these types, so that the server is the judge of them.
        let length = text.len();
        text.extend(parameters.iter().map(Parameter::letter));
        let prepared = match self.prepared.get(&text) {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = self.client.prepare_typed(&text[..length], &types);
                let prepared = prepared.map_err(|error| failed(&error))?;
                // Before it is executed: what it does could not be undone because its answer is odd.
                prepared.columns().iter().try_for_each(is_readable)?;
                self.prepared.insert(text.clone(), prepared.clone());
                prepared
            }
        };
        let answer = if has_rows(statement) {
            self.client.query(&prepared, &values).map(Ok)
        } else {
            self.client.execute(&prepared, &values).map(Err)
        };
        match answer {
            Ok(Err(count)) => Ok(Answer::Count(count)),
            Ok(Ok(rows)) => {
                let rows = rows.iter().map(row).collect::<Result<_, _>>();
                rows.map(Answer::Rows).map_err(|error| unread(statement, error))
            }
            Err(error) => {
                let error = failed(&error);
                if error.state == SqlState::FEATURE_NOT_SUPPORTED {
                    // The table is another one than when this was prepared: the next time will do.
                    self.prepared.remove(&text);
                }
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// Whether a statement is answered by rows.
fn has_rows(statement: &Statement) -> bool {
    match statement {
        Statement::Select(_) => true,
        Statement::Insert(insert) => insert.returning != Returning::Count,
        _ => false,
    }
}

/// A value on its way to the server.
enum Parameter<'a> {
    Int(i64),
    Text(&'a str),
    Bool(bool),
}

impl<'a> Parameter<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Int(number) => Parameter::Int(*number),
            Value::Text(text) => Parameter::Text(text),
            Value::Bool(truth) => Parameter::Bool(*truth),
        }
    }

    fn kind(&self) -> Type {
        match self {
            Parameter::Int(_) => Type::INT8,
            Parameter::Text(_) => Type::TEXT,
            Parameter::Bool(_) => Type::BOOL,
        }
    }

    fn letter(&self) -> char {
        match self {
            Parameter::Int(_) => 'i',
            Parameter::Text(_) => 't',
            Parameter::Bool(_) => 'b',
        }
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        match self {
            Parameter::Int(number) => number,
            Parameter::Text(text) => text,
            Parameter::Bool(truth) => truth,
        }
    }
}

/// [`DATATYPE_MISMATCH`](SqlState::DATATYPE_MISMATCH) for a column of a type that no
/// [`Value`] is.
fn is_readable(column: &postgres::Column) -> Result<(), SqlError> {
    match *column.type_() {
        Type::INT8 | Type::INT4 | Type::BOOL | Type::TEXT | Type::VARCHAR => Ok(()),
        ref other => {
            let said = format!("column `{}` is of type {other}", column.name());
            Err(SqlError::new(SqlState::DATATYPE_MISMATCH, &said))
        }
    }
}

fn row(row: &postgres::Row) -> Result<Row, SqlError> {
    let value = |(index, column): (usize, &postgres::Column)| {
        is_readable(column)?;
        let value = match *column.type_() {
            Type::INT8 => row.try_get(index).map(Value::Int),
            Type::INT4 => row.try_get::<_, i32>(index).map(i64::from).map(Value::Int),
            Type::BOOL => row.try_get(index).map(Value::Bool),
            _ => row.try_get::<_, &str>(index).map(Value::from),
        };
        value.map_err(|error| SqlError::new(SqlState::DATATYPE_MISMATCH, &said(&error)))
    };
    row.columns().iter().enumerate().map(value).collect()
}

/// An error of making a connection.
fn refused(error: &postgres::Error) -> SqlError {
    match error.as_db_error() {
        Some(db) => told(db),
        None => SqlError::new(SqlState::CONNECTION_REFUSED, &said(error)),
    }
}

/// An error in a session. After one that did not come from the server, nobody knows what the server
/// makes of what it was sent: the connection counts as broken.
fn failed(error: &postgres::Error) -> SqlError {
    match error.as_db_error() {
        // Whatever it was about, the session is over.
        Some(db) if is_fatal(db) => fatal(db),
        Some(db) => told(db),
        None => SqlError::new(SqlState::CONNECTION_FAILURE, &said(error)),
    }
}

/// The server has ended the session.
fn is_fatal(error: &DbError) -> bool {
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // Where it is told in some language only; mostly this one.
        None => matches!(error.severity(), "FATAL" | "PANIC"),
    }
}

fn fatal(error: &DbError) -> SqlError {
    let told = told(error);
    if told.state.is_connection() {
        return told;
    }
    let said = format!("{} (SQLSTATE {})", error.message(), error.code().code());
    SqlError::new(SqlState::CONNECTION_FAILURE, &said)
}

/// An error as the server told it.
fn told(error: &DbError) -> SqlError {
    let state = match error.code().code() {
        // No `=` or `sum` for such a type.
        "42883" => SqlState::DATATYPE_MISMATCH,
        // CockroachDB does not know whether it has committed, which is what a broken connection
        // comes to.
        code => SqlState::of(code),
    };
    match error.detail() {
        // Who waits for whom is in the details, a line each.
        Some(detail) if state == SqlState::DEADLOCK_DETECTED => {
            let detail = detail.lines().collect::<Vec<_>>().join(" ");
            SqlError::new(state, &format!("{}: {detail}", error.message()))
        }
        _ => SqlError::new(state, error.message()),
    }
}

/// An error and its causes, on one line.
fn said(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
