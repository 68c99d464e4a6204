//! A table to test with, and short words for statements.

use toctou::db::{
    Answer, Column, Database, Failure, Insert, Isolation, Reply, Row, Select, SqlError, Statement,
    Table, Update, Way, row,
};
use toctou::handlers::{Next, transact};

/// Accounts and what is on them.
pub(crate) static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[Column::int("id"), Column::int("balance")],
    unique: Some("id"),
};

pub(crate) use crate::throwaway::{own as cluster_of_ones_own, shared as cluster};

pub(crate) fn account(id: i64, balance: i64) -> Row {
    row([id.into(), balance.into()])
}

pub(crate) fn begin() -> Statement {
    Statement::Begin(Isolation::ReadCommitted)
}

pub(crate) fn add(id: i64, amount: i64) -> Statement {
    Update::new(&ACCOUNTS).add("balance", amount).filter("id", id).into()
}

pub(crate) fn insert(id: i64, balance: i64) -> Statement {
    Insert::new(&ACCOUNTS, account(id, balance)).into()
}

pub(crate) fn balance(id: i64) -> Statement {
    Select::columns(&ACCOUNTS, &["balance"]).filter("id", id).into()
}

/// The answer of a statement that does not have to wait.
pub(crate) fn answer<D: Database>(
    db: &mut D,
    session: &mut D::Session,
    statement: &Statement,
) -> Result<Answer, SqlError> {
    loop {
        match db.execute(session, statement) {
            Reply::Answer(answer) => return answer,
            Reply::Underway(_) => {}
            waits => panic!("{statement}: {waits:?}"),
        }
    }
}

/// Opens an account in a transaction, in a session of its own.
pub(crate) fn open<D: Database>(db: &mut D, id: i64) -> Result<(), Failure> {
    let mut session = db.connect()?;
    transact(db, &mut session, Way::within(Isolation::Serializable), |tx| {
        tx.ask(insert(id, 0)).map(|_| Next::Commit(()))
    })
}
