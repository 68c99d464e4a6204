//! The handlers on schemas that are not quite theirs: right, or an error and nothing done.

use postgres::{Client, NoTls};
use toctou::db::{Cluster, Column, Database, PostgresDb, SqliteDb, Table, row};
use toctou::handlers::{Accounts, ApiKeys, HandlerError, Issued, TransferError};

use crate::server::{answer, cluster};

/// The columns of `api_keys` in another order.
static TURNED: Table = Table {
    name: "api_keys",
    columns: &[Column::text("key"), Column::int("user_id")],
    unique: Some("user_id"),
};

/// Accounts that may share an id.
static SHARED: Table =
    Table { name: "accounts", columns: &[Column::int("id"), Column::int("balance")], unique: None };

fn keys_in_another_order(db: impl Database + Clone) {
    let keys = ApiKeys::new(db);
    assert!(matches!(keys.issue(1), Ok(Issued::Created(_))));
    assert_eq!(keys.issue(1), Ok(Issued::Exists));
}

fn accounts_that_share_an_id(db: impl Database + Clone) {
    let accounts = Accounts::new(db);
    for (from, to) in [(1, 2), (2, 1)] {
        let told = accounts.transfer(from, to, 50);
        let schema = Err(TransferError::Handler(HandlerError::Schema(told_of(&told))));
        assert_eq!(told, schema);
    }
}

/// The error inside, whatever it is; the comparison then says whether it is the right kind.
fn told_of<T>(told: &Result<T, TransferError>) -> toctou::db::SqlError {
    match told {
        Err(TransferError::Handler(HandlerError::Schema(error))) => error.clone(),
        _ => toctou::db::SqlState::INTERNAL_ERROR.into(),
    }
}

#[test]
fn sqlite_has_its_columns_in_any_order_and_money_is_not_lost_between_accounts_that_share_an_id() {
    let db = SqliteDb::in_memory().unwrap();
    db.create(&[&TURNED, &SHARED]).unwrap();
    keys_in_another_order(db.clone());
    let rows =
        [(1, 100), (1, 100), (2, 100)].map(|(id, it): (i64, i64)| row([id.into(), it.into()]));
    db.fill(&SHARED, rows.clone()).unwrap();
    accounts_that_share_an_id(db.clone());
    assert_eq!(db.rows(&SHARED).unwrap(), rows);
}

#[test]
fn postgresql_has_its_columns_in_any_order_and_money_is_not_lost_between_accounts_that_share_an_id()
{
    let Some(cluster) = cluster("a schema of one's own") else { return };
    let db = cluster.database().unwrap();
    db.create(&[&TURNED, &SHARED]).unwrap();
    keys_in_another_order(db.clone());
    let rows =
        [(1, 100), (1, 100), (2, 100)].map(|(id, it): (i64, i64)| row([id.into(), it.into()]));
    db.fill(&SHARED, rows.clone()).unwrap();
    accounts_that_share_an_id(db.clone());
    assert_eq!(db.rows(&SHARED).unwrap(), rows);
}

/// In the server's usual schema, where `definition` made the table of keys.
fn with_keys(cluster: &Cluster, definition: &str) -> PostgresDb {
    let url = cluster.url();
    let mut client = Client::connect(&url, NoTls).unwrap();
    let made = format!("DROP TABLE IF EXISTS api_keys; CREATE TABLE api_keys ({definition})");
    client.batch_execute(&made).unwrap();
    PostgresDb::connect(&url).unwrap()
}

#[test]
fn keys_of_bounded_length_are_keys_and_what_cannot_be_read_is_not_stored() {
    let Some(cluster) = cluster("types of one's own") else { return };
    let varchar = "user_id INTEGER NOT NULL UNIQUE, label TEXT, key VARCHAR(64) NOT NULL";
    keys_in_another_order(with_keys(cluster, varchar));

    let db = with_keys(cluster, "user_id BIGINT NOT NULL UNIQUE, key NAME NOT NULL");
    let told = ApiKeys::new(db.clone()).issue(1);
    assert!(matches!(told, Err(HandlerError::Schema(_))), "{told:?}");
    let count = toctou::db::Select::exists(&TURNED).into();
    let mut session = db.clone().connect().unwrap();
    let found = answer(&mut db.clone(), &mut session, &count);
    assert_eq!(found.map(|found| found.to_string()), Ok("false".to_owned()));
}
