//! First floor, `db`: how a handler's statements are isolated from those of others, and how they
//! fail. Imports its neighbours in `db`.

use std::fmt;

use super::{Isolation, SqlError, SqlState};

/// How `handlers::transact` runs the statements of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// In a transaction of this level, or each statement by itself.
    pub isolation: Option<Isolation>,
    /// How many times the transaction is begun anew after an error that is worth a retry. Outside
    /// of a transaction only the failed statement is sent again, since those before it have taken
    /// effect.
    pub retries: u32,
}

impl Way {
    /// Each statement by itself, tried once.
    pub const AUTOCOMMIT: Way = Way { isolation: None, retries: 0 };

    /// In a transaction of this level, tried once.
    pub const fn within(isolation: Isolation) -> Self {
        Way { isolation: Some(isolation), retries: 0 }
    }

    /// The same way, [begun anew](Way::retries) up to so many times after an error that is worth a
    /// retry.
    pub const fn retrying(self, retries: u32) -> Self {
        Way { retries, ..self }
    }
}

/// Why a transaction failed.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{error}{}", if *.may_have_happened { "; whether it took effect is not known" } else { "" })]
pub struct Failure {
    /// The last error.
    #[source]
    pub error: SqlError,
    /// The connection broke during the commit: the transaction may have taken effect.
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
