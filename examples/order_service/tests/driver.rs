//! An example, `order_service`: the driver, and what the program is asked. Imports all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::error::ErrorKind;

use super::*;

const LITTLE: Load = Load { rounds: 4, concurrent: 4 };

fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn a_drive_finds_the_fixed_endpoint_right_and_replays_harmless() {
    let db = database();
    let report = drive_own(&db, LITTLE).unwrap();
    let text = report.to_string();
    assert!(report.is_well(), "{text}");
    assert_fits(&text);
    assert_eq!(
        (report.counted.vulnerable.requests, report.counted.fixed.requests),
        (16, 16),
        "{text}"
    );
    assert_eq!((report.counted.fixed.most_told, report.counted.fixed.conflicts), (1, 12), "{text}");
    assert_eq!(report.counted.vulnerable.errors + report.counted.fixed.errors, 0, "{text}");
    assert_eq!(report.replay.tampered.len(), 8);
    assert_eq!(report.replay.sibling.as_ref().unwrap().field("error"), "not_pending");
    assert!(text.contains("409 replayed\n"), "{text}");
    assert!(text.contains("refunded every order once"), "{text}");
    assert_eq!(text.contains("Chance did not find"), report.counted.vulnerable.refunded_again == 0);
    // And once more on the same database.
    assert!(drive_own(&db, LITTLE).unwrap().is_well());
}

/// A database that is gone once there are four refunds: one for each order by the vulnerable endpoint,
/// at least.
#[derive(Clone)]
struct GoneLater(Arc<AtomicUsize>);

impl Change for GoneLater {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        let refunds = usize::from(writes_a_refund(statement));
        let refunds = refunds + self.0.fetch_add(refunds, Ordering::Relaxed);
        (refunds > 4).then_some(SqlState::CONNECTION_REFUSED)
    }
}

#[test]
fn a_drive_whose_database_dies_tells_what_was_counted_and_speaks_of_no_other_key() {
    let db = Changed { db: database(), change: GoneLater(Arc::default()) };
    let load = Load { rounds: 1_000, concurrent: 2 };
    let Err(Failure::Drive(stopped)) = drive_own(&db, load) else { panic!("it cannot end") };
    let (why, text) = (stopped.why.to_string(), stopped.to_string());
    assert!(why.contains("could not go on") && !why.contains("key"), "{why}");
    assert!(stopped.counted.vulnerable.orders > 0, "{text}");
    assert!(text.contains("counted until it stopped"), "{text}");
    assert_fits(&text);
}

/// Forgets the second half of `WHERE id = … AND status = 'pending'`.
#[derive(Clone)]
struct Careless;

impl Change for Careless {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        if let Statement::Update(update) = statement {
            update.filter.retain(|condition| condition.column != "status");
        }
        None
    }
}

#[test]
fn a_drive_notices_an_endpoint_that_is_called_fixed_and_is_not() {
    let report = drive_own(&Changed { db: database(), change: Careless }, LITTLE).unwrap();
    let text = report.to_string();
    assert!(!report.is_well(), "{text}");
    assert_eq!(
        (report.counted.fixed.refunded_again, report.counted.fixed.most_told),
        (4, 4),
        "{text}"
    );
    assert_eq!(report.counted.fixed.lost_cents, 4 * 3 * 4_999);
    assert!(text.contains("The fixed endpoint refunded an order twice."), "{text}");
    assert_fits(&text);
}

#[test]
fn a_drive_does_not_take_a_service_that_fails_for_one_that_is_safe() {
    let db = Changed { db: database(), change: Failing(SqlState::LOCK_NOT_AVAILABLE) };
    let report = drive_own(&db, LITTLE).unwrap();
    let text = report.to_string();
    assert!(!report.is_well(), "{text}");
    assert_eq!((report.counted.fixed.errors, report.counted.fixed.not_refunded), (16, 4), "{text}");
    assert!(text.contains("503 unavailable"), "{text}");
    assert!(text.contains("did not do all that it should"), "{text}");
    assert_fits(&text);
}

#[test]
fn a_drive_on_postgresql_is_as_one_on_sqlite() {
    let Some(cluster) = super::throwaway::shared("a drive on PostgreSQL") else { return };
    let db = cluster.database().unwrap();
    db.create(TABLES).unwrap();
    let report = drive_own(&db, LITTLE).unwrap();
    assert!(report.is_well(), "{report}");
    assert_eq!(
        (report.counted.fixed.most_told, report.counted.fixed.conflicts),
        (1, 12),
        "{report}"
    );
}

fn parsed(arguments: &[&str]) -> Result<Command, ErrorKind> {
    let arguments = ["order_service"].iter().chain(arguments);
    let parsed = Arguments::try_parse_from(arguments);
    parsed.map(|arguments| arguments.command).map_err(|error| {
        assert_eq!(error.exit_code(), 2);
        error.kind()
    })
}

#[test]
fn bad_arguments_are_bad_usage() {
    for value in [
        &["serve", "--database", "orders.db"][..],
        &["serve", "--database", "sqlite:"],
        &["serve", "--listen", "8080"],
        &["drive", "--rounds", "0"],
        &["drive", "--rounds", "many"],
        &["drive", "--concurrent", "1"],
        &["drive", "--concurrent", "257"],
        &["drive", "--url", "https://localhost"],
        &["drive", "--url", "http://"],
        &["drive", "--url", "http://localhost/path"],
    ] {
        assert_eq!(parsed(value).unwrap_err(), ErrorKind::ValueValidation, "{value:?}");
    }
    let both = ["drive", "--url", "http://localhost", "--database", "sqlite:x"];
    assert_eq!(parsed(&both).unwrap_err(), ErrorKind::ArgumentConflict);
    assert_eq!(parsed(&["ship"]).unwrap_err(), ErrorKind::InvalidSubcommand);
    assert_eq!(parsed(&["serve", "--ship"]).unwrap_err(), ErrorKind::UnknownArgument);
    assert!(parsed(&["drive", "--database", "postgres://localhost/shop"]).is_ok());
}

/// What it says before it ends with status 2.
fn failed(arguments: &[&str]) -> String {
    run(parsed(arguments).unwrap()).unwrap_err().to_string()
}

#[test]
fn a_database_that_cannot_be_opened_is_an_error_that_names_it() {
    let said = failed(&["drive", "--database", "sqlite:/nowhere/orders.db"]);
    assert!(said.contains("cannot open the database SQLite in /nowhere/orders.db: "), "{said}");
    assert!(said.contains("08001"), "{said}");
    let said = failed(&["drive", "--database", "postgres://me:secret@127.0.0.1:1/shop"]);
    assert!(said.contains("cannot open the database PostgreSQL: "), "{said}");
    assert!(!said.contains("secret"), "{said}");
    for (parameters, why) in [
        ("sslmode=verify-full", "Connection refused"),
        ("sslmode=full", "sslmode=full is none of disable, prefer"),
        ("sslmode=require&sslrootcert=/nowhere/roots.pem", "/nowhere/roots.pem: No such file"),
    ] {
        let url = format!("postgres://me:secret@127.0.0.1:1/shop?{parameters}");
        let said = failed(&["drive", "--database", &url]);
        assert!(said.contains(why) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_service_that_is_not_there_is_an_error_that_names_it() {
    let (listener, address) = bind(([127, 0, 0, 1], 0).into()).unwrap();
    drop(listener);
    let target = Target { url: format!("http://{address}"), sibling: None, key: test_key() };
    let stopped = drive::drive(&target, LITTLE).unwrap_err();
    assert!(stopped.why.to_string().contains(&address.to_string()), "{stopped:?}");
    assert_eq!(stopped.to_string(), "", "nothing was counted");
}

#[test]
fn a_driver_with_another_key_is_told_so() {
    let (listener, address) = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let key = Key::new(&[b'j'; 32]).unwrap();
    let target = Target { url: format!("http://{address}"), sibling: None, key };
    let error = actix_web::rt::System::new().block_on(async {
        let server = server(&database(), test_key(), listener, Signals::Ignored).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let stopped = web::block(move || drive::drive(&target, LITTLE)).await.unwrap();
        handle.stop(false).await;
        stopped.unwrap_err().why
    });
    assert!(error.to_string().contains("another key"), "{error}");
    assert!(error.to_string().contains("401 unauthorized"), "{error}");
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let (_listener, address) = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let error = bind(address).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn a_key_that_is_missing_or_short_is_an_error_that_says_how_to_make_one() {
    for key in [None, Some("short".into())] {
        let error = key_of(key).unwrap_err().to_string();
        assert!(error.contains(KEY) && error.contains("openssl rand -hex 32"), "{error}");
        assert!(!error.contains("short\""), "{error}");
    }
    assert!(key_of(Some("k".repeat(32).into())).is_ok());
}
