//! First floor, `db`: SQLite. Imports its neighbours in `db`, and the `rusqlite` crate.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use r2d2::ManageConnection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, TransactionBehavior, ffi};
use tempfile::TempDir;

use super::link::{Link, Wire, unread};
use super::pool::{self, Pool, Pooled, Pooling};
use super::{Answer, Database, Dialect, Query, Reply, Row, SqlError, SqlState};
use super::{Select, Statement, Table, Value, What};

/// A SQLite database in a file. A clone is the same database.
///
/// Its sessions come from a pool; the file is in WAL mode. A transaction takes the one write lock
/// when it begins (`BEGIN IMMEDIATE`), so transactions are serial whatever isolation is asked for.
/// A session that has to wait for the lock waits inside of SQLite, up to a timeout. So no statement
/// is ever answered [`Queued`](Reply::Queued) or [`Waiting`](Reply::Waiting).
///
/// An error is the SQLSTATE that PostgreSQL would give:
///
/// | SQLSTATE | reason |
/// | --- | --- |
/// | `55P03` | another session has the lock for longer than the timeout |
/// | `53100` | the disk is full |
/// | `25006` | the file may not be written to |
/// | `08001` | the file cannot be opened |
/// | `XX001` | the file is damaged or not a database |
/// | `08006` | the disk fails; the data of a commit may have been written |
/// | `53300` | no session of the pool became free in time |
///
/// SQLite goes on after a failed statement. Here, as elsewhere, the transaction accepts nothing
/// more. A value has to be of its column's type.
#[derive(Clone, Debug)]
pub struct SqliteDb {
    pool: Pool<Manager>,
    /// To be removed in the end. Not the pool's: that ends when its last thread does, and the program
    /// may be over before.
    directory: Option<Arc<TempDir>>,
}

/// How a SQLite database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// How long to wait for another session's lock.
    pub busy_timeout: Duration,
    /// What SQLite syncs to disk.
    pub synchronous: Synchronous,
    /// How many pages the file may have at most, if that is limited.
    pub max_pages: Option<u32>,
    /// The pool of sessions.
    pub pooling: Pooling,
}

impl Default for SqliteOptions {
    /// 5 seconds for a lock; committed data survives a power failure.
    fn default() -> Self {
        SqliteOptions {
            busy_timeout: Duration::from_secs(5),
            synchronous: Synchronous::Full,
            max_pages: None,
            pooling: Pooling::default(),
        }
    }
}

/// What SQLite syncs to disk: `PRAGMA synchronous`, in WAL mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    /// Nothing: a power failure may damage the database.
    Off,
    /// A power failure may undo the last commits.
    Normal,
    /// Every commit.
    Full,
}

impl SqliteDb {
    /// Opens the database in this file, and creates the file if there is none.
    ///
    /// # Errors
    ///
    /// `08001` if the file cannot be opened, `25006` if it cannot be written to, `XX001` if it is
    /// not a database.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SqlError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// Like [`open`](Self::open), with these options.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, SqlError> {
        let manager = Manager { path: path.as_ref().to_owned(), options };
        Ok(SqliteDb { pool: Pool::new(manager, options.pooling)?, directory: None })
    }

    /// A database that is removed with its last session and clone. Its file is in memory, where the
    /// system has a place for such files (`/dev/shm`), else in the temporary directory.
    ///
    /// # Errors
    ///
    /// `08001` if no such file can be made.
    pub fn in_memory() -> Result<Self, SqlError> {
        Self::pooled_in_memory(Pooling::default())
    }

    /// Like [`in_memory`](Self::in_memory), with another pool.
    ///
    /// # Errors
    ///
    /// Those of [`in_memory`](Self::in_memory).
    pub fn pooled_in_memory(pooling: Pooling) -> Result<Self, SqlError> {
        let builder = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix("toctou-sqlite-");
            builder
        };
        let directory = builder().tempdir_in("/dev/shm").or_else(|_| builder().tempdir());
        let directory = directory
            .map_err(|error| SqlError::new(SqlState::CONNECTION_REFUSED, &error.to_string()))?;
        let path = directory.path().join("db");
        let synchronous = Synchronous::Off;
        let options = SqliteOptions { synchronous, pooling, ..SqliteOptions::default() };
        let pool = Pool::new(Manager { path, options }, options.pooling)?;
        Ok(SqliteDb { pool, directory: Some(Arc::new(directory)) })
    }

    /// Creates those of the tables that are missing, all or none, even if others create them at the
    /// same time.
    ///
    /// # Errors
    ///
    /// The database's; `42601` or `42703` if one of the tables is not possible (see
    /// [`Table::definition`]), and then none is created.
    pub fn create(&self, tables: &[&'static Table]) -> Result<(), SqlError> {
        tables.iter().try_for_each(|table| table.check())?;
        let mut link = self.pool.get()?;
        // The lock first: what is there is looked at under it.
        let begun = link.wire.0.transaction_with_behavior(TransactionBehavior::Immediate);
        let created = begun.and_then(|transaction| {
            tables.iter().try_for_each(|table| transaction.execute_batch(&definition(table)))?;
            transaction.commit()
        });
        created.map_err(|error| told(&error))
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

impl Database for SqliteDb {
    type Session = SqliteSession;

    fn connect(&mut self) -> Result<SqliteSession, SqlError> {
        let directory = self.directory.clone();
        self.pool.get().map(|link| SqliteSession { link: Pooled::new(link), _directory: directory })
    }

    fn execute(&mut self, session: &mut SqliteSession, statement: &Statement) -> Reply {
        Reply::Answer(session.link.get().execute(statement))
    }

    fn disconnect(&mut self, session: SqliteSession) {
        drop(session);
    }
}

/// A session of a [`SqliteDb`]. If it is dropped in the middle of a transaction, the transaction is
/// rolled back.
#[derive(Debug)]
pub struct SqliteSession {
    link: Pooled<Manager>,
    _directory: Option<Arc<TempDir>>,
}

impl Drop for SqliteSession {
    fn drop(&mut self) {
        // If it fails the transaction is still there, and the pool will not have it.
        let _ = self.link.get().end();
    }
}

/// Opens sessions for the pool.
#[derive(Debug)]
struct Manager {
    path: PathBuf,
    options: SqliteOptions,
}

impl ManageConnection for Manager {
    type Connection = Link<File>;
    type Error = SqlError;

    fn connect(&self) -> Result<Link<File>, SqlError> {
        File::open(&self.path, &self.options).map(Link::new).map_err(|error| told(&error))
    }

    fn is_valid(&self, _: &mut Link<File>) -> Result<(), SqlError> {
        Ok(())
    }

    fn has_broken(&self, link: &mut Link<File>) -> bool {
        link.is_spoilt()
    }
}

/// An open database.
#[derive(Debug)]
struct File(Connection);

impl File {
    fn open(path: &Path, options: &SqliteOptions) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(options.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(64);
        // Where there can be no shared memory, it stays what it is: slower, and as safe.
        // In a file that is new to several, each wants it to itself for this, and SQLite does not wait.
        patiently(options.busy_timeout, || connection.pragma_update(None, "journal_mode", "WAL"))?;
        let synchronous = match options.synchronous {
            Synchronous::Off => "OFF",
            Synchronous::Normal => "NORMAL",
            Synchronous::Full => "FULL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        if let Some(pages) = options.max_pages {
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        Ok(File(connection))
    }
}

/// Tries again while somebody else has the lock, for so long.
fn patiently<T>(
    patience: Duration,
    attempt: impl Fn() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let until = Instant::now() + patience;
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && Instant::now() < until => {
                thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

impl Wire for File {
    fn control(&mut self, statement: &Statement) -> Result<(), SqlError> {
        // Some errors have rolled it back.
        if *statement == Statement::Rollback && self.0.is_autocommit() {
            return Ok(());
        }
        let query = statement.query(Dialect::Sqlite)?;
        let done = self.0.prepare_cached(&query.text).and_then(|mut text| text.execute(()));
        if done.is_err() && *statement == Statement::Commit && !self.0.is_autocommit() {
            // SQLite would let us commit once more.
            let _ = self.0.execute_batch("ROLLBACK");
        }
        done.map(drop).map_err(|error| told(&error))
    }

    fn ask(&mut self, statement: &Statement) -> Result<Answer, SqlError> {
        let Query { text, parameters } = statement.query(Dialect::Sqlite)?;
        let prepared = self.0.prepare_cached(&text);
        let mut prepared = prepared.map_err(|error| told(&error))?;
        let parameters = rusqlite::params_from_iter(parameters.iter().map(Parameter));
        if prepared.column_count() == 0 {
            let count = prepared.execute(parameters).map_err(|error| told(&error))?;
            return Ok(Answer::Count(count as u64));
        }
        let truth = matches!(statement, Statement::Select(Select { what: What::Exists, .. }));
        let columns = prepared.column_count();
        let mut rows = prepared.query(parameters).map_err(|error| told(&error))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| told(&error))? {
            let value = |index| {
                let value = row.get_ref(index).map_err(|error| told(&error))?;
                value_of(value, truth)
            };
            let row = (0..columns).map(value).collect::<Result<Row, _>>();
            found.push(row.map_err(|error| unread(statement, error))?);
        }
        Ok(Answer::Rows(found))
    }
}

struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Int(number) => (*number).into(),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Bool(truth) => (*truth).into(),
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
        })
    }
}

fn value_of(value: ValueRef<'_>, truth: bool) -> Result<Value, SqlError> {
    match value {
        ValueRef::Integer(number) if truth => Ok(Value::Bool(number != 0)),
        ValueRef::Integer(number) => Ok(Value::Int(number)),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text);
            text.map(Value::from).map_err(|_| SqlState::DATATYPE_MISMATCH.into())
        }
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            let said = format!("a value of type {}", value.data_type());
            Err(SqlError::new(SqlState::DATATYPE_MISMATCH, &said))
        }
    }
}

/// `CREATE TABLE`, strict: of SQLite's own accord a sum that overflows would become a rounded one.
fn definition(table: &Table) -> String {
    format!("{} STRICT", table.definition().replace(" BIGINT ", " INTEGER "))
}

/// The SQLSTATE of an error of SQLite, and what SQLite said.
fn told(error: &rusqlite::Error) -> SqlError {
    let said = error.to_string();
    let Some(code) = error.sqlite_error() else {
        return SqlError::new(by_words(&said), &said);
    };
    let state = match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => SqlState::LOCK_NOT_AVAILABLE,
        ErrorCode::ConstraintViolation => constraint(code.extended_code),
        ErrorCode::DiskFull => SqlState::DISK_FULL,
        ErrorCode::CannotOpen => SqlState::CONNECTION_REFUSED,
        ErrorCode::ReadOnly => SqlState::READ_ONLY,
        ErrorCode::PermissionDenied => SqlState::CONNECTION_REFUSED,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => SqlState::DATA_CORRUPTED,
        // No room for the file that the sessions share.
        ErrorCode::SystemIoFailure if code.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
            SqlState::DISK_FULL
        }
        ErrorCode::SystemIoFailure => SqlState::CONNECTION_FAILURE,
        ErrorCode::TypeMismatch => SqlState::DATATYPE_MISMATCH,
        _ => by_words(&said),
    };
    SqlError::new(state, &said)
}

fn constraint(code: c_int) -> SqlState {
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
            SqlState::UNIQUE_VIOLATION
        }
        // The values were looked at, so it is a sum that has become a rounded one.
        ffi::SQLITE_CONSTRAINT_DATATYPE => SqlState::NUMERIC_OUT_OF_RANGE,
        _ => SqlState::INTEGRITY_VIOLATION,
    }
}

/// SQLite has one code for all of these.
fn by_words(said: &str) -> SqlState {
    let words = [
        ("no such table", SqlState::UNDEFINED_TABLE),
        ("no such column", SqlState::UNDEFINED_COLUMN),
        ("integer overflow", SqlState::NUMERIC_OUT_OF_RANGE),
        ("ON CONFLICT clause does not match", SqlState::INVALID_COLUMN_REFERENCE),
    ];
    let known = words.iter().find(|(words, _)| said.contains(words));
    known.map_or(SqlState::INTERNAL_ERROR, |(_, state)| *state)
}
