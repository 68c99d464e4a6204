//! The handler on SQLite and on PostgreSQL: with many threads, where the schema is wrong, and where
//! the database fails.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use toctou::db::{Database, PostgresDb, Row, SqlState, SqliteDb, Table, row};
use toctou::handlers::{API_KEYS, ApiKeys, HandlerError, Issued, TABLES};
use toctou::models::api_key::WITHOUT_CONSTRAINT;

use super::flaky::{Fault, Flaky};

/// A real database, as far as these tests look into it.
trait Real: Database + Clone + Send + Sync + 'static {
    fn make(&self, tables: &[&'static Table]);
    fn keys(&self) -> Vec<Row>;
}

impl Real for SqliteDb {
    fn make(&self, tables: &[&'static Table]) {
        self.create(tables).expect("the file can be written to");
    }

    fn keys(&self) -> Vec<Row> {
        self.rows(&API_KEYS).expect("the table is there")
    }
}

impl Real for PostgresDb {
    fn make(&self, tables: &[&'static Table]) {
        self.create(tables).expect("the server answers");
    }

    fn keys(&self) -> Vec<Row> {
        self.rows(&API_KEYS).expect("the table is there")
    }
}

fn sqlite() -> SqliteDb {
    SqliteDb::in_memory().expect("there is room for a file")
}

/// A database of its own on the server that tests share, if there is one.
fn postgres(test: &str) -> Option<PostgresDb> {
    Some(crate::throwaway::shared(test)?.database().expect("the server answers"))
}

/// Many threads, a request a user each, all at once.
fn keys_are_issued_once(db: &impl Real) {
    const USERS: i64 = 25;
    const REQUESTS: usize = 8;
    db.make(TABLES);
    let keys = ApiKeys::new(db.clone());
    let told: Vec<(i64, Issued)> = thread::scope(|scope| {
        let requests: Vec<_> = (0..REQUESTS)
            .map(|_| {
                scope.spawn(|| {
                    (0..USERS)
                        .map(|user| (user, keys.issue(user).expect("the database is there")))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        requests.into_iter().flat_map(|request| request.join().expect("no panic")).collect()
    });
    assert_eq!(told.len(), USERS as usize * REQUESTS);
    let mut created = BTreeMap::new();
    for (user, issued) in told {
        if let Issued::Created(key) = issued {
            assert_eq!(key.as_str().len(), 64);
            assert!(created.insert(user, key).is_none(), "user {user} was told of two keys");
        }
    }
    let expected: Vec<Row> =
        created.iter().map(|(user, key)| row([(*user).into(), key.as_str().into()])).collect();
    assert_eq!(db.keys(), expected, "who was told a key can use it, and there is no other");
    assert_eq!(expected.len(), USERS as usize);
}

#[test]
fn of_many_requests_at_once_one_is_told_a_key_in_sqlite() {
    keys_are_issued_once(&sqlite());
}

#[test]
fn of_many_requests_at_once_one_is_told_a_key_in_postgresql() {
    if let Some(db) = postgres("of_many_requests_at_once_one_is_told_a_key_in_postgresql") {
        keys_are_issued_once(&db);
    }
}

/// Without its constraint, or its table, it does nothing and says so.
fn a_wrong_schema_is_told(missing: &impl Real, bare: &impl Real) {
    let error = ApiKeys::new(missing.clone()).issue(1).expect_err("there is no table");
    assert!(
        matches!(&error, HandlerError::Schema(e) if e.state == SqlState::UNDEFINED_TABLE),
        "{error:?}"
    );
    bare.make(&[&WITHOUT_CONSTRAINT]);
    let keys = ApiKeys::new(bare.clone());
    for _ in 0..2 {
        let error = keys.issue(1).expect_err("there is no constraint");
        assert!(
            matches!(&error, HandlerError::Schema(e) if e.state == SqlState::INVALID_COLUMN_REFERENCE),
            "{error:?}"
        );
        assert!(!error.is_temporary());
        assert!(
            error.to_string().contains("42P10") && error.to_string().contains("schema"),
            "{error}"
        );
    }
    assert_eq!(bare.keys(), []);
}

#[test]
fn a_table_without_its_constraint_gets_no_key_in_sqlite() {
    a_wrong_schema_is_told(&sqlite(), &sqlite());
}

#[test]
fn a_table_without_its_constraint_gets_no_key_in_postgresql() {
    let test = "a_table_without_its_constraint_gets_no_key_in_postgresql";
    if let (Some(missing), Some(bare)) = (postgres(test), postgres(test)) {
        a_wrong_schema_is_told(&missing, &bare);
    }
}

/// What a request comes to under a script of faults, and how many keys are there then.
fn under(db: &impl Real, user: i64, script: &[Fault]) -> (Result<Issued, HandlerError>, usize) {
    let issued = ApiKeys::new(Flaky::new(db.clone(), script)).issue(user);
    let keys = db.keys();
    let of_user = keys.iter().filter(|row| row.first().and_then(|id| id.int()) == Some(user));
    if let Ok(Issued::Created(key)) = &issued {
        assert!(of_user.clone().any(|row| row.get(1).and_then(|k| k.text()) == Some(key.as_str())));
    }
    let count = of_user.count();
    (issued, count)
}

fn failures_are_told(db: &impl Real) {
    use Fault::{Conflict, Full, Unanswered, Unreachable, Unsent};
    use HandlerError::{Busy, Refused, Unavailable, Unknown};
    db.make(TABLES);
    // One connection that breaks is made up for, whether or not the key was stored.
    assert!(matches!(under(db, 1, &[Unsent]), (Ok(Issued::Created(_)), 1)));
    assert!(matches!(under(db, 2, &[Unanswered]), (Ok(Issued::Created(_)), 1)));
    assert!(matches!(under(db, 3, &[Unanswered, Unanswered]), (Ok(Issued::Created(_)), 1)));
    assert!(matches!(under(db, 3, &[Unanswered, Unanswered]), (Ok(Issued::Exists), 1)));
    // If the database stays away, it is not known.
    assert!(matches!(under(db, 4, &[Unsent, Unreachable]), (Err(Unknown(_)), 0)));
    assert!(matches!(under(db, 5, &[Unanswered, Unreachable]), (Err(Unknown(_)), 1)));
    assert!(matches!(under(db, 5, &[]), (Ok(Issued::Exists), 1)));
    // Nor does a later, certain error make it known.
    assert!(matches!(under(db, 6, &[Unanswered, Full]), (Err(Unknown(_)), 1)));
    assert!(matches!(under(db, 7, &[Full]), (Err(Refused(_)), 0)));
    assert!(matches!(under(db, 8, &[Conflict]), (Ok(Issued::Created(_)), 1)));
    let (busy, none) = under(db, 9, &[Conflict; 11]);
    assert!(matches!(&busy, Err(Busy(_))), "{busy:?}");
    assert!(busy.is_err_and(|error| error.is_temporary()) && none == 0);
    let (away, none) = under(db, 10, &[Unreachable]);
    assert!(matches!(&away, Err(Unavailable(_))), "{away:?}");
    assert!(away.is_err_and(|error| error.is_temporary()) && none == 0);
}

#[test]
fn a_failing_sqlite_is_never_told_as_a_success() {
    failures_are_told(&sqlite());
}

#[test]
fn a_failing_postgresql_is_never_told_as_a_success() {
    if let Some(db) = postgres("a_failing_postgresql_is_never_told_as_a_success") {
        failures_are_told(&db);
    }
}

/// Whatever is told before, while and after a server dies is there when it is back.
#[test]
fn keys_that_were_told_outlive_the_server() {
    let Some(cluster) = crate::throwaway::own("keys_that_were_told_outlive_the_server") else {
        return;
    };
    let db = cluster.database().expect("the server answers");
    db.make(TABLES);
    let keys = ApiKeys::new(db.clone());
    let (asked, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let request = |user| {
        let issued = keys.issue(user);
        asked.fetch_add(1, Ordering::Relaxed);
        (user, issued)
    };
    let several_more = || {
        let enough = asked.load(Ordering::Relaxed) + 100;
        while asked.load(Ordering::Relaxed) < enough {
            thread::sleep(Duration::from_millis(1));
        }
    };
    let told: Vec<(i64, Result<Issued, HandlerError>)> = thread::scope(|scope| {
        let until_over = || {
            let users = (0..).take_while(|_| !is_over.load(Ordering::Relaxed));
            users.map(request).collect::<Vec<_>>()
        };
        let requests: Vec<_> = (0..4).map(|_| scope.spawn(until_over)).collect();
        several_more();
        cluster.kill().expect("it runs");
        cluster.restart().expect("it starts again");
        several_more();
        is_over.store(true, Ordering::Relaxed);
        requests.into_iter().flat_map(|request| request.join().expect("no panic")).collect()
    });
    let stored = db.keys();
    let mut users: Vec<_> = stored.iter().filter_map(|row| row.first()).collect();
    users.dedup();
    assert_eq!(users.len(), stored.len(), "two keys of one user");
    let mut owners = BTreeMap::new();
    for (user, issued) in told {
        match issued {
            Ok(Issued::Created(key)) => {
                let row = row([user.into(), key.as_str().into()]);
                assert!(stored.contains(&row), "user {user} was told a key that is not there");
                assert!(owners.insert(user, ()).is_none(), "user {user} was told of two keys");
            }
            Ok(Issued::Exists) => {
                assert!(users.iter().any(|id| id.int() == Some(user)), "user {user} has no key");
            }
            Err(HandlerError::Unknown(_)) => {
                owners.insert(user, ());
            }
            Err(error) => assert!(error.is_temporary(), "{error:?}"),
        }
    }
}
