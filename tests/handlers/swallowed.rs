//! A database that changes nothing and says nothing: no handler asks for ever, and none says that
//! something was done.

use toctou::db::SqlState;
use toctou::handlers::{
    Accounts, ApiKeys, Ended, HandlerError, Issued, Orders, TransferError, Transferred,
};

use crate::real::{Real, postgres, postgres_as, sqlite};

/// The tables that the handlers need, with an order and two accounts.
fn tables() -> String {
    toctou::handlers::schema().join(";\n")
        + ";\nINSERT INTO orders VALUES (1, 'pending');
           INSERT INTO accounts VALUES (1, 5), (2, 5);"
}

#[track_caller]
fn assert_told(error: &HandlerError) {
    assert!(
        matches!(error, HandlerError::Unchanged(error) if error.state == SqlState::NO_DATA),
        "{error:?}"
    );
    assert!(!error.is_temporary());
    let said = error.to_string();
    assert!(said.starts_with("nothing was done") && said.contains("trigger"), "{said}");
}

/// As `hold` begins to let changes of the orders fall, and `release` ends it.
fn an_order_that_cannot_be_changed_is_not_ended(db: impl Real, hold: &str, release: &str) {
    let orders = Orders::new(db.db());
    db.sql(hold);
    assert_told(&orders.cancel(1).expect_err("the change falls"));
    assert_told(&orders.ship(1).expect_err("the change falls"));
    assert_eq!(orders.cancel(2), Ok(Ended::NoSuchOrder));
    assert_eq!(db.value("SELECT status FROM orders WHERE id = 1"), "pending");
    db.sql(release);
    assert_eq!(orders.cancel(1), Ok(Ended::ByThis));
}

/// As `hold` begins to let changes of one account fall; to be released each time.
fn money_that_cannot_be_moved_stays(db: impl Real, hold: impl Fn(i64) -> String, release: &str) {
    let accounts = Accounts::new(db.db());
    for held in [1, 2] {
        db.sql(&hold(held));
        for (from, to) in [(1, 2), (2, 1)] {
            match accounts.transfer(from, to, 5) {
                Err(TransferError::Handler(error)) => assert_told(&error),
                told => panic!("{held} is held, {from} to {to}: {told:?}"),
            }
        }
        // Whoever has too little is still told so.
        let poor = if held == 1 { (1, 2) } else { (2, 1) };
        let told = accounts.transfer(poor.0, poor.1, 6);
        assert_eq!(told, Ok(Transferred::Insufficient), "{held} is held");
        db.sql(release);
        let found = db.value("SELECT CAST(sum(balance * balance) AS BIGINT) FROM accounts");
        assert_eq!(found, "50", "both have 5, and nobody has left a lock behind");
    }
    assert_eq!(accounts.transfer(2, 1, 5), Ok(Transferred::Done));
}

/// As `hold` begins to let new keys fall.
fn a_key_that_is_not_stored_is_not_said_to_exist(db: impl Real, hold: &str, release: &str) {
    let keys = ApiKeys::new(db.db());
    assert!(matches!(keys.issue(1), Ok(Issued::Created(_))));
    db.sql(hold);
    assert_told(&keys.issue(2).expect_err("nothing is stored"));
    assert_eq!(keys.issue(1), Ok(Issued::Exists), "who has one is still told so");
    assert_eq!(db.value("SELECT count(*) FROM api_keys"), "1");
    db.sql(release);
    assert!(matches!(keys.issue(2), Ok(Issued::Created(_))));
}

/// A trigger of SQLite.
fn ignore(before: &str) -> String {
    format!("CREATE TRIGGER hold BEFORE {before} BEGIN SELECT RAISE(IGNORE); END;")
}

#[test]
fn on_sqlite_an_order_whose_change_a_trigger_ignores_is_told_as_not_done() {
    let hold = ignore("UPDATE ON orders");
    an_order_that_cannot_be_changed_is_not_ended(sqlite(&tables()), &hold, "DROP TRIGGER hold");
}

#[test]
fn on_sqlite_a_transfer_of_which_a_trigger_ignores_a_half_is_told_as_not_done() {
    let hold = |id| ignore(&format!("UPDATE ON accounts WHEN OLD.id = {id}"));
    money_that_cannot_be_moved_stays(sqlite(&tables()), hold, "DROP TRIGGER hold");
}

#[test]
fn on_sqlite_a_key_that_a_trigger_ignores_is_told_as_not_stored() {
    let hold = ignore("INSERT ON api_keys");
    a_key_that_is_not_stored_is_not_said_to_exist(sqlite(&tables()), &hold, "DROP TRIGGER hold");
}

/// The same for PostgreSQL: its function first, which lets a row fall.
fn with_function() -> String {
    tables()
        + "CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
}

#[test]
fn on_postgresql_an_order_whose_change_a_trigger_drops_is_told_as_not_done() {
    let test = "on_postgresql_an_order_whose_change_a_trigger_drops_is_told_as_not_done";
    let Some(db) = postgres(test, &with_function()) else { return };
    let hold = "CREATE TRIGGER hold BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION fall()";
    an_order_that_cannot_be_changed_is_not_ended(db, hold, "DROP TRIGGER hold ON orders");
}

#[test]
fn on_postgresql_a_transfer_of_which_a_trigger_drops_a_half_is_told_as_not_done() {
    let test = "on_postgresql_a_transfer_of_which_a_trigger_drops_a_half_is_told_as_not_done";
    let Some(db) = postgres(test, &with_function()) else { return };
    let hold = |id| {
        format!(
            "CREATE TRIGGER hold BEFORE UPDATE ON accounts FOR EACH ROW WHEN (OLD.id = {id}) \
             EXECUTE FUNCTION fall()"
        )
    };
    money_that_cannot_be_moved_stays(db, hold, "DROP TRIGGER hold ON accounts");
}

#[test]
fn on_postgresql_a_key_that_a_trigger_drops_is_told_as_not_stored() {
    let test = "on_postgresql_a_key_that_a_trigger_drops_is_told_as_not_stored";
    let Some(db) = postgres(test, &with_function()) else { return };
    let hold = "CREATE TRIGGER hold BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION fall()";
    a_key_that_is_not_stored_is_not_said_to_exist(db, hold, "DROP TRIGGER hold ON api_keys");
}

/// Whom row-level security lets look, and not change.
#[test]
fn on_postgresql_an_order_that_a_policy_only_lets_be_seen_is_told_as_not_done() {
    let test = "on_postgresql_an_order_that_a_policy_only_lets_be_seen_is_told_as_not_done";
    let script = tables()
        + "CREATE ROLE clerk; GRANT ALL ON orders TO clerk;
           CREATE POLICY seen ON orders FOR SELECT USING (true);
           DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO clerk', current_schema()); END $$;";
    let Some(db) = postgres_as(test, &script, "clerk") else { return };
    let hold = "ALTER TABLE orders ENABLE ROW LEVEL SECURITY";
    let release = "ALTER TABLE orders DISABLE ROW LEVEL SECURITY";
    an_order_that_cannot_be_changed_is_not_ended(db, hold, release);
}
