//! First floor, `db`: SQLSTATE codes, and the error type that has one. Imports nothing of this
//! crate.

use std::fmt;
use std::sync::Arc;

/// A code of five characters, as the SQL standard and
/// [PostgreSQL's appendix A](https://www.postgresql.org/docs/current/errcodes-appendix.html) list them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// No row was changed. A database never answers this: a handler's body fails with it if it
    /// expected a row to change.
    pub const NO_DATA: SqlState = SqlState(*b"02000");
    /// A message that does not fit: a statement gets another number of parameters than it has.
    pub const PROTOCOL_VIOLATION: SqlState = SqlState(*b"08P01");
    /// The connection broke, or the server went away.
    pub const CONNECTION_FAILURE: SqlState = SqlState(*b"08006");
    /// No connection could be made at all.
    pub const CONNECTION_REFUSED: SqlState = SqlState(*b"08001");
    /// `ON CONFLICT DO UPDATE` would change one row twice.
    pub const CARDINALITY_VIOLATION: SqlState = SqlState(*b"21000");
    /// A number is out of its type's range.
    pub const NUMERIC_OUT_OF_RANGE: SqlState = SqlState(*b"22003");
    /// A number is divided by zero.
    pub const DIVISION_BY_ZERO: SqlState = SqlState(*b"22012");
    /// A text has a character in it that the database cannot hold.
    pub const CHARACTER_NOT_IN_REPERTOIRE: SqlState = SqlState(*b"22021");
    /// A text is none of a value's type.
    pub const INVALID_TEXT: SqlState = SqlState(*b"22P02");
    /// A constraint other than that of a unique index is violated.
    pub const INTEGRITY_VIOLATION: SqlState = SqlState(*b"23000");
    /// A column that must have a value gets none.
    pub const NOT_NULL_VIOLATION: SqlState = SqlState(*b"23502");
    /// A `CHECK` does not allow the row.
    pub const CHECK_VIOLATION: SqlState = SqlState(*b"23514");
    /// A unique index already has this key.
    pub const UNIQUE_VIOLATION: SqlState = SqlState(*b"23505");
    /// `BEGIN` inside a transaction. (PostgreSQL only warns; every world here refuses.)
    pub const ACTIVE_TRANSACTION: SqlState = SqlState(*b"25001");
    /// The database is read-only.
    pub const READ_ONLY: SqlState = SqlState(*b"25006");
    /// `COMMIT` or `ROLLBACK` outside a transaction. (PostgreSQL only warns; every world here
    /// refuses.)
    pub const NO_ACTIVE_TRANSACTION: SqlState = SqlState(*b"25P01");
    /// The transaction has failed before, and accepts nothing but its end.
    pub const IN_FAILED_TRANSACTION: SqlState = SqlState(*b"25P02");
    /// The transaction fits into no serial order with others, or another one updated a row first.
    pub const SERIALIZATION_FAILURE: SqlState = SqlState(*b"40001");
    /// Whether the statement took effect is not known. The connection still works.
    pub const STATEMENT_COMPLETION_UNKNOWN: SqlState = SqlState(*b"40003");
    /// The transaction was chosen to break a deadlock.
    pub const DEADLOCK_DETECTED: SqlState = SqlState(*b"40P01");
    /// The statement is incomplete, or names something twice.
    pub const SYNTAX_ERROR: SqlState = SqlState(*b"42601");
    /// A name, or the type of a parameter, may mean several things.
    pub const AMBIGUOUS: SqlState = SqlState(*b"42P18");
    /// There is a table of that name already.
    pub const DUPLICATE_TABLE: SqlState = SqlState(*b"42P07");
    /// A column is answered that is neither grouped by nor in an aggregate function, or such a function stands
    /// where there is no group.
    pub const GROUPING_ERROR: SqlState = SqlState(*b"42803");
    /// There is no such column.
    pub const UNDEFINED_COLUMN: SqlState = SqlState(*b"42703");
    /// There is no constraint of that name.
    pub const UNDEFINED_OBJECT: SqlState = SqlState(*b"42704");
    /// There is no such table.
    pub const UNDEFINED_TABLE: SqlState = SqlState(*b"42P01");
    /// There is no unique index on the column that `ON CONFLICT` names.
    pub const INVALID_COLUMN_REFERENCE: SqlState = SqlState(*b"42P10");
    /// A value is of another type than its column.
    pub const DATATYPE_MISMATCH: SqlState = SqlState(*b"42804");
    /// The server, or the pool, has no more sessions to give.
    pub const TOO_MANY_CONNECTIONS: SqlState = SqlState(*b"53300");
    /// The disk is full.
    pub const DISK_FULL: SqlState = SqlState(*b"53100");
    /// A lock was not free in time.
    pub const LOCK_NOT_AVAILABLE: SqlState = SqlState(*b"55P03");
    /// The statement took too long, or somebody cancelled it.
    pub const QUERY_CANCELED: SqlState = SqlState(*b"57014");
    /// The server is shutting down.
    pub const ADMIN_SHUTDOWN: SqlState = SqlState(*b"57P01");
    /// The database does not have this feature.
    pub const FEATURE_NOT_SUPPORTED: SqlState = SqlState(*b"0A000");
    /// The database's own file is damaged.
    pub const DATA_CORRUPTED: SqlState = SqlState(*b"XX001");
    /// Anything else that went wrong inside of the database.
    pub const INTERNAL_ERROR: SqlState = SqlState(*b"XX000");

    /// The code with these five characters; [`INTERNAL_ERROR`](Self::INTERNAL_ERROR) if there are
    /// not five.
    pub fn of(code: &str) -> Self {
        code.as_bytes().try_into().map_or(Self::INTERNAL_ERROR, SqlState)
    }

    /// The five characters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }

    /// Whether the same transaction may well succeed if it is begun anew: after a serialization
    /// failure or a deadlock.
    pub fn is_worth_a_retry(self) -> bool {
        self == Self::SERIALIZATION_FAILURE || self == Self::DEADLOCK_DETECTED
    }

    /// Whether the connection is gone, so that this session can send nothing more. Classes 08 and
    /// 57P.
    pub fn is_connection(self) -> bool {
        self.0.starts_with(b"08") || self.0.starts_with(b"57P")
    }

    /// Whether the code means trouble of the database itself or its machine, whatever the
    /// statement: the connection is gone, a resource is used up, somebody stopped it, a lock was
    /// not free for long, data is damaged. Classes 08, 53, 57, 58, XX, and 25006 and 55P03. A
    /// simulated database answers so only if the model is wrong.
    pub fn is_outage(self) -> bool {
        let classes: [&[u8]; 5] = [b"08", b"53", b"57", b"58", b"XX"];
        let alone = [Self::READ_ONLY, Self::LOCK_NOT_AVAILABLE];
        classes.iter().any(|class| self.0.starts_with(class)) || alone.contains(&self)
    }

    /// Whether a [simulated](super::SimDb) database answers so only if the model is wrong. The
    /// statement cannot be performed there, whatever others do (42, 0A, 22, XX), leaves a column
    /// without its value (23000), or is out of place (25001, 25P01). Or there is one session too
    /// many (53300).
    ///
    /// PostgreSQL only warns of a `BEGIN` inside of a transaction and of an end outside of one. So
    /// a program that does this behaves differently there than in the simulation, which refuses it.
    pub(super) fn is_mistake(self) -> bool {
        let classes: [&[u8]; 4] = [b"0A", b"22", b"42", b"XX"];
        let alone = [
            Self::INTEGRITY_VIOLATION,
            Self::ACTIVE_TRANSACTION,
            Self::NO_ACTIVE_TRANSACTION,
            Self::TOO_MANY_CONNECTIONS,
        ];
        classes.iter().any(|class| self.0.starts_with(class)) || alone.contains(&self)
    }

    /// The code's meaning, in a few words.
    pub fn meaning(&self) -> &'static str {
        match *self {
            Self::NO_DATA => "no row was changed",
            Self::CONNECTION_FAILURE => "the connection to the database broke",
            Self::CONNECTION_REFUSED => "the database cannot be reached",
            Self::CARDINALITY_VIOLATION => "one row would be changed twice",
            Self::NUMERIC_OUT_OF_RANGE => "a number is out of range",
            Self::DIVISION_BY_ZERO => "a number is divided by zero",
            Self::CHARACTER_NOT_IN_REPERTOIRE => "a text has a character that cannot be stored",
            Self::INVALID_TEXT => "a text is no value of that type",
            Self::INTEGRITY_VIOLATION => "the table does not allow such a row",
            Self::NOT_NULL_VIOLATION => "a column that must have a value gets none",
            Self::CHECK_VIOLATION => "a CHECK does not allow the row",
            Self::UNIQUE_VIOLATION => "there is a row with that key",
            Self::ACTIVE_TRANSACTION => "a transaction is under way",
            Self::READ_ONLY => "the database cannot be written to",
            Self::NO_ACTIVE_TRANSACTION => "no transaction is under way",
            Self::IN_FAILED_TRANSACTION => "the transaction has failed before",
            Self::SERIALIZATION_FAILURE => "a concurrent transaction came first",
            Self::STATEMENT_COMPLETION_UNKNOWN => "whether the statement took effect is not known",
            Self::DEADLOCK_DETECTED => "transactions waited for one another",
            Self::SYNTAX_ERROR => "the statement is not complete, or says something twice",
            Self::UNDEFINED_COLUMN => "there is no such column",
            Self::UNDEFINED_OBJECT => "there is no such constraint",
            Self::UNDEFINED_TABLE => "there is no such table",
            Self::INVALID_COLUMN_REFERENCE => "that column has no unique index",
            Self::DATATYPE_MISMATCH => "a value is of another type than its column",
            Self::DISK_FULL => "the database's disk is full",
            Self::TOO_MANY_CONNECTIONS => "no connection to the database is free",
            Self::LOCK_NOT_AVAILABLE => "the database is locked by somebody else",
            Self::QUERY_CANCELED => "the statement was cancelled, or took too long",
            Self::ADMIN_SHUTDOWN => "the database is shutting down",
            Self::DATA_CORRUPTED => "the database's file is damaged, or not one",
            Self::FEATURE_NOT_SUPPORTED => "this database cannot do that",
            _ => "the database failed",
        }
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why a statement failed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SqlError {
    /// The code.
    pub state: SqlState,
    /// What the database itself said, if it is a real one; or what is wrong with the statement, if
    /// that is known without sending it.
    pub said: Option<Arc<str>>,
}

impl SqlError {
    /// An error with the database's own words.
    pub fn new(state: SqlState, said: &str) -> Self {
        SqlError { state, said: Some(said.into()) }
    }

    /// What is wrong, without the code.
    pub(crate) fn words(&self) -> &str {
        self.said.as_deref().unwrap_or_else(|| self.state.meaning())
    }
}

impl From<SqlState> for SqlError {
    fn from(state: SqlState) -> Self {
        SqlError { state, said: None }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.state.meaning(), self.state)?;
        if let Some(said) = &self.said {
            write!(f, ": {said}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SqlError {
    /// The code alone, which a simulation and a real database have in common.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.state, f)
    }
}

impl std::error::Error for SqlError {}
