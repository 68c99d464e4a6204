//! Schemas that shops have: which fit, and what is told of those that do not.

use toctou::db::SqlState;
use toctou::handlers::{
    Accounts, ApiKey, ApiKeys, Ended, HandlerError, Issued, Orders, TransferError, Transferred,
};

use crate::real::{Real, postgres, sqlite};

/// Columns in another order and more of them, a primary key in place of the unique constraint.
fn fits(db: impl Real) {
    let orders = Orders::new(db.db());
    assert_eq!(orders.cancel(1), Ok(Ended::ByThis));
    assert_eq!(orders.ship(1), Ok(Ended::NotPending("cancelled".into())));
    assert_eq!(db.value("SELECT note FROM orders WHERE id = 1"), "a gift");
    let accounts = Accounts::new(db.db());
    assert_eq!(accounts.transfer(1, 2, 7), Ok(Transferred::Done));
    assert_eq!(accounts.transfer(1, 2, 7), Ok(Transferred::Insufficient));
    assert_eq!(db.value("SELECT CAST(balance AS INTEGER) FROM accounts WHERE id = 2"), "7");
    let keys = ApiKeys::new(db.db());
    assert!(matches!(keys.issue(1), Ok(Issued::Created(_))));
    assert_eq!(keys.issue(1), Ok(Issued::Exists));
}

#[test]
fn on_sqlite_other_columns_and_a_primary_key_fit() {
    fits(sqlite(
        "CREATE TABLE orders (note TEXT, status VARCHAR(20) NOT NULL, id INTEGER PRIMARY KEY);
         CREATE TABLE accounts (owner TEXT, balance INT NOT NULL, id INTEGER PRIMARY KEY);
         CREATE TABLE api_keys (key VARCHAR(64), made TEXT, user_id INTEGER PRIMARY KEY);
         INSERT INTO orders VALUES ('a gift', 'pending', 1);
         INSERT INTO accounts VALUES ('a', 10, 1), ('b', 0, 2);",
    ));
}

#[test]
fn on_postgresql_narrower_types_other_columns_and_a_primary_key_fit() {
    let test = "on_postgresql_narrower_types_other_columns_and_a_primary_key_fit";
    let Some(db) = postgres(
        test,
        "CREATE TABLE orders (note TEXT, status VARCHAR(20) NOT NULL, id INT PRIMARY KEY);
         CREATE TABLE accounts (owner TEXT, balance INT NOT NULL, id INT PRIMARY KEY);
         CREATE TABLE api_keys (key VARCHAR(64), made TIMESTAMP DEFAULT now(), user_id INT PRIMARY KEY);
         INSERT INTO orders VALUES ('a gift', 'pending', 1);
         INSERT INTO accounts VALUES ('a', 10, 1), ('b', 0, 2);",
    ) else {
        return;
    };
    fits(db);
}

/// What is told of a user's key, and that none is stored.
fn refused(db: &impl Real, key: ApiKey) -> HandlerError {
    let error = ApiKeys::new(db.db()).issue_key(1, key).expect_err("it does not fit");
    assert_eq!(db.value("SELECT count(*) FROM api_keys"), "0");
    let said = error.to_string();
    assert!(said.matches("the database").count() <= 1, "said once: {said}");
    error
}

fn random() -> ApiKey {
    ApiKey::random().expect("the system has random numbers")
}

#[test]
fn on_postgresql_what_does_not_fit_is_told_and_nothing_is_done() {
    let test = "on_postgresql_what_does_not_fit_is_told_and_nothing_is_done";
    let postgres = |script: &str| postgres(test, script);
    for (definition, code) in [
        ("user_id BIGINT UNIQUE, key VARCHAR(32)", "22001"),
        ("user_id BIGINT UNIQUE, key TEXT CHECK (key LIKE 'key_%')", "23514"),
        ("user_id BIGINT UNIQUE REFERENCES users (id), key TEXT", "23503"),
    ] {
        let users = "CREATE TABLE users (id BIGINT PRIMARY KEY);";
        let Some(db) = postgres(&format!("{users} CREATE TABLE api_keys ({definition})")) else {
            return;
        };
        let error = refused(&db, random());
        let HandlerError::Refused(inside) = &error else { panic!("{error:?}") };
        assert_eq!(inside.state, SqlState::of(code), "{definition}");
    }
    // What is debited needs no reading; why nothing was, does.
    let numeric = "CREATE TABLE accounts (id BIGINT UNIQUE, balance NUMERIC);
                   INSERT INTO accounts VALUES (1, 10), (2, 0);";
    let Some(db) = postgres(numeric) else { return };
    let accounts = Accounts::new(db.db());
    assert_eq!(accounts.transfer(1, 2, 7), Ok(Transferred::Done));
    let told = accounts.transfer(1, 2, 7);
    assert!(matches!(told, Err(TransferError::Handler(HandlerError::Schema(_)))), "{told:?}");
    assert_eq!(db.value("SELECT balance FROM accounts WHERE id = 1"), "3");
    let status = "CREATE TYPE status AS ENUM ('pending', 'cancelled', 'shipped');
                  CREATE TABLE orders (id BIGINT UNIQUE, status status);
                  INSERT INTO orders VALUES (1, 'pending');";
    let Some(db) = postgres(status) else { return };
    let told = Orders::new(db.db()).cancel(1);
    assert!(
        matches!(&told, Err(HandlerError::Schema(e)) if e.state == SqlState::DATATYPE_MISMATCH),
        "{told:?}"
    );
    assert_eq!(db.value("SELECT status FROM orders"), "pending");
}

#[test]
fn on_sqlite_a_check_that_spells_it_otherwise_is_told_and_nothing_is_done() {
    let db = sqlite(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT
             CHECK (status IN ('pending', 'canceled', 'shipped')));
         CREATE TABLE api_keys (user_id INTEGER UNIQUE, key TEXT CHECK (key LIKE 'key_%'));
         INSERT INTO orders VALUES (1, 'pending');",
    );
    let orders = Orders::new(db.db());
    assert!(matches!(orders.cancel(1), Err(HandlerError::Refused(_))));
    assert_eq!(db.value("SELECT status FROM orders"), "pending");
    assert_eq!(orders.ship(1), Ok(Ended::ByThis));
    assert!(matches!(refused(&db, random()), HandlerError::Refused(_)));
}

#[test]
fn on_sqlite_a_status_or_balance_of_another_type_is_told_and_is_no_row_that_is_not_there() {
    let db = sqlite(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, status INTEGER);
         CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance TEXT);
         INSERT INTO orders VALUES (1, 0);
         INSERT INTO accounts VALUES (1, 'much'), (2, 'little');",
    );
    let mismatch = |error: &HandlerError| matches!(error, HandlerError::Schema(e) if e.state == SqlState::DATATYPE_MISMATCH);
    let told = Orders::new(db.db()).cancel(1).expect_err("it is no text");
    assert!(mismatch(&told), "{told:?}");
    assert_eq!(db.value("SELECT status FROM orders WHERE id = 1"), "0");
    let balances = "SELECT group_concat(balance) FROM accounts";
    for (from, to) in [(1, 2), (2, 1)] {
        let told = Accounts::new(db.db()).transfer(from, to, 7);
        let Err(TransferError::Handler(error)) = &told else { panic!("{told:?}") };
        assert!(mismatch(error), "{told:?}");
        assert_eq!(db.value(balances), "much,little");
    }
}

#[test]
fn a_key_made_elsewhere_is_stored_as_it_is() {
    let db = sqlite(&toctou::handlers::schema().join(";"));
    let (keys, stored) = (ApiKeys::new(db.db()), ApiKey::new("a digest"));
    assert_eq!(keys.issue_key(1, stored.clone()), Ok(Issued::Created(stored.clone())));
    // Of another request, which has made the same: it is not its own.
    assert_eq!(keys.issue_key(1, stored), Ok(Issued::Exists));
    assert_eq!(db.value("SELECT key FROM api_keys WHERE user_id = 1"), "a digest");
}
