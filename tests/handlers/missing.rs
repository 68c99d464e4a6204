//! Tables without their unique constraint: what the handlers notice, and what they do not, as their
//! documentation has it.

use toctou::handlers::{
    Accounts, ApiKeys, Ended, HandlerError, Orders, TransferError, Transferred,
};

use crate::real::{Real, postgres, sqlite};

const BARE: &str = "
    CREATE TABLE api_keys (user_id BIGINT NOT NULL, key TEXT NOT NULL);
    CREATE TABLE orders (id BIGINT NOT NULL, status TEXT NOT NULL);
    CREATE TABLE accounts (id BIGINT NOT NULL, balance BIGINT NOT NULL);";

/// The accounts with these balances; what becomes of `amount` from 1 to 2, and the balances then.
fn moved(
    db: &impl Real,
    accounts: &[(i64, i64)],
    amount: i64,
) -> (Result<Transferred, TransferError>, String) {
    let rows: Vec<_> = accounts.iter().map(|(id, it)| format!("({id}, {it})")).collect();
    db.sql(&format!("DELETE FROM accounts; INSERT INTO accounts VALUES {}", rows.join(", ")));
    let told = Accounts::new(db.db()).transfer(1, 2, amount);
    let all = "SELECT string_agg(one, ' ') FROM (SELECT id || ':' || balance AS one FROM accounts
               ORDER BY id, balance) AS a";
    (told, db.value(all))
}

/// An update looks only at the rows that fit its condition: of those that share an id, it is told
/// of the others where several fit, and else it is not.
fn without_constraints(db: impl Real) {
    const MOST: i64 = i64::MAX;
    assert!(matches!(ApiKeys::new(db.db()).issue(1), Err(HandlerError::Schema(_))));
    assert_eq!(db.value("SELECT count(*) FROM api_keys"), "0");

    let (told, left) = moved(&db, &[(1, 10), (1, 10), (2, 0)], 5);
    assert!(matches!(told, Err(TransferError::Handler(HandlerError::Schema(_)))), "{told:?}");
    assert_eq!(left, "1:10 1:10 2:0");
    let (told, left) = moved(&db, &[(1, 10), (2, 0), (2, 0)], 5);
    assert!(matches!(told, Err(TransferError::Handler(HandlerError::Schema(_)))), "{told:?}");
    assert_eq!(left, "1:10 2:0 2:0");

    let done = |left: &str| (Ok(Transferred::Done), left.to_owned());
    assert_eq!(moved(&db, &[(1, 10), (1, 0), (2, 0)], 5), done("1:0 1:5 2:5"));
    let full = format!("1:5 2:5 2:{MOST}");
    assert_eq!(moved(&db, &[(1, 10), (2, MOST), (2, 0)], 5), done(&full));
    let (told, left) = moved(&db, &[(1, 0), (1, 10), (1, 3), (2, 0)], 50);
    assert_eq!((told, &*left), (Ok(Transferred::Insufficient), "1:0 1:3 1:10 2:0"));

    db.sql(
        "INSERT INTO orders VALUES (1, 'shipped'), (1, 'pending'), (2, 'pending'), (2, 'pending')",
    );
    let orders = Orders::new(db.db());
    assert_eq!((orders.cancel(1), orders.cancel(2)), (Ok(Ended::ByThis), Ok(Ended::ByThis)));
    assert_eq!(db.value("SELECT count(*) FROM orders WHERE status = 'cancelled'"), "3");
}

#[test]
fn on_sqlite_a_missing_constraint_is_noticed_only_where_several_rows_fit() {
    without_constraints(sqlite(BARE));
}

#[test]
fn on_postgresql_a_missing_constraint_is_noticed_only_where_several_rows_fit() {
    let test = "on_postgresql_a_missing_constraint_is_noticed_only_where_several_rows_fit";
    if let Some(db) = postgres(test, BARE) {
        without_constraints(db);
    }
}
