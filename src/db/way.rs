//! First floor, `db`: how statements are kept apart from those of others, and how that can fail. Imports its
//! neighbours in `db`.

use std::fmt;

use super::{Isolation, SqlError, SqlState};

/// How the statements of a handler are run: `handlers::transact` does so.
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
