//! An example, `order_service`: its tests, in process. Imports all of it.

use std::sync::{Arc, Barrier};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use clap::error::ErrorKind;
use serde_json::Value;
use toctou::db::Cluster;
use toctou::db::{Insert, Reply, SqlState, Statement, Update};
use toctou::handlers::Ended;

use super::*;
use crate::shop::Order;
use crate::signature::{HEADERS, Request, Signed, Stamp, WINDOW};

const NOW: u64 = 1_000_000_000;

fn test_key() -> Key {
    Key::new(&[b'k'; 32]).unwrap()
}

fn database() -> SqliteDb {
    let db = SqliteDb::in_memory().unwrap();
    db.create(TABLES).unwrap();
    db
}

fn at_now(key: Key) -> Data<Gate> {
    Data::new(Gate::new(key, || NOW))
}

/// A service on this database.
macro_rules! service {
    ($db:expr) => {
        init_service(service::app(Data::new(Shop::new($db.clone())), at_now(test_key()))).await
    };
}

/// A request that can be signed.
#[derive(Clone)]
struct Ask {
    method: Method,
    path: String,
    query: Option<&'static str>,
    body: Vec<u8>,
    stamp: Stamp,
}

impl Ask {
    fn new(method: Method, path: &str, body: &str) -> Self {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).unwrap();
        let stamp = Stamp { time: NOW, nonce };
        Ask { method, path: path.to_owned(), query: None, body: body.into(), stamp }
    }

    fn cancel(order: i64) -> Self {
        Ask::new(Method::POST, &format!("/orders/{order}/cancel"), "")
    }

    fn at(mut self, time: u64) -> Self {
        self.stamp.time = time;
        self
    }

    fn signed(&self) -> Signed {
        let Ask { method, path, query, body, stamp } = self;
        let request = Request { method: method.as_str(), path, query: *query, body };
        Signed { stamp: *stamp, signature: test_key().sign(&request, *stamp) }
    }

    /// This request, with the headers of `signed`.
    fn with(&self, signed: &Signed) -> TestRequest {
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        let request = TestRequest::default()
            .method(self.method.clone())
            .uri(&format!("{}{query}", self.path))
            .set_payload(self.body.clone());
        HEADERS.into_iter().zip(signed.headers()).fold(request, TestRequest::insert_header)
    }

    fn request(&self) -> TestRequest {
        self.with(&self.signed())
    }
}

async fn call<S, R, B>(service: &S, request: R) -> (u16, Value)
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let response = call_service(service, request).await;
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&read_body(response).await).unwrap_or(Value::Null))
}

/// What a service answers: the status, and the error's word if there is one.
macro_rules! told {
    ($service:expr, $request:expr) => {{
        let (status, body) = call(&$service, $request.to_request()).await;
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    }};
}

fn refused(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

const DONE: (u16, String) = (200, String::new());

fn order<D: Database + Clone>(db: &D, id: i64) -> Order {
    Shop::new(db.clone()).order(id).unwrap().unwrap()
}

/// A database with the pending orders 42 and 43.
fn furnished() -> SqliteDb {
    let db = database();
    for id in [42, 43] {
        assert!(Shop::new(db.clone()).create(id, 100).unwrap());
    }
    db
}

#[actix_web::test]
async fn an_order_is_created_looked_at_cancelled_and_refunded() {
    let db = database();
    let service = service!(db);
    let create = Ask::new(Method::POST, "/orders", r#"{"id": 42, "cents": 100}"#);
    assert_eq!(told!(service, create.request()), (201, String::new()));
    let look = Ask::new(Method::GET, "/orders/42", "");
    let (status, body) = call(&service, look.request().to_request()).await;
    let mut expected = serde_json::json!({
        "id": 42, "status": "pending", "paid_cents": 100, "refunds": 0, "refunded_cents": 0
    });
    assert_eq!((status, body), (200, expected.clone()));
    assert_eq!(told!(service, Ask::cancel(42).request()), DONE);
    let look = Ask::new(Method::GET, "/orders/42", "");
    let (_, body) = call(&service, look.request().to_request()).await;
    expected["status"] = "cancelled".into();
    expected["refunds"] = 1.into();
    expected["refunded_cents"] = 100.into();
    assert_eq!(body, expected);
    let (status, body) = call(&service, Ask::cancel(42).request().to_request()).await;
    assert_eq!(
        (status, &body["error"], &body["status"]),
        (409, &"not_pending".into(), &"cancelled".into())
    );
    assert_eq!(order(&db, 42).refunds, 1);
}

#[actix_web::test]
async fn the_vulnerable_endpoint_does_the_same_while_nobody_else_asks() {
    let db = furnished();
    let service = service!(db);
    let cancel = |id| Ask::new(Method::POST, &format!("/vulnerable/orders/{id}/cancel"), "");
    assert_eq!(told!(service, cancel(42).request()), DONE);
    assert_eq!(told!(service, cancel(42).request()), refused(409, "not_pending"));
    assert_eq!(told!(service, cancel(44).request()), refused(404, "no_such_order"));
    assert_eq!((order(&db, 42).refunds, order(&db, 43).refunds), (1, 0));
}

#[actix_web::test]
async fn a_stranger_is_told_401_and_nothing_else_wherever_he_knocks() {
    let db = furnished();
    let service = service!(db);
    let unauthorized = call(&service, TestRequest::get().uri("/").to_request()).await;
    assert_eq!(unauthorized.0, 401);
    let long = " ".repeat(100_000);
    for (method, path, body) in [
        (Method::GET, "/orders/42", ""),
        (Method::GET, "/orders/44", ""),
        (Method::POST, "/orders", "{"),
        (Method::POST, "/orders", &long),
        (Method::POST, "/orders/42/cancel", ""),
        (Method::POST, "/vulnerable/orders/42/cancel", ""),
        (Method::DELETE, "/orders/42", ""),
        (Method::GET, "/nowhere", ""),
    ] {
        let ask = Ask::new(method, path, body);
        let mut spoiled = ask.signed();
        spoiled.spoil();
        let plain = TestRequest::default().method(ask.method.clone()).uri(path);
        let plain = plain.set_payload(ask.body.clone());
        assert_eq!(call(&service, plain.to_request()).await, unauthorized, "{path}");
        if ask.body.len() < 100 {
            let spoiled = ask.with(&spoiled).to_request();
            assert_eq!(call(&service, spoiled).await, unauthorized, "{path}");
        }
    }
    assert_eq!(order(&db, 42).status, "pending");
}

#[actix_web::test]
async fn a_header_that_is_missing_twice_there_or_no_text_is_no_signature() {
    let db = furnished();
    let service = service!(db);
    let headers = Ask::cancel(42).signed().headers();
    for (index, name) in HEADERS.into_iter().enumerate() {
        let ask = Ask::cancel(42);
        let signed = ask.signed();
        let without = HEADERS.into_iter().zip(signed.headers()).filter(|(other, _)| *other != name);
        let request = TestRequest::post().uri("/orders/42/cancel");
        let without = without.fold(request, TestRequest::insert_header);
        assert_eq!(told!(service, without), refused(401, "unauthorized"), "no {name}");
        let twice = ask.with(&signed).append_header((name, headers[index].clone()));
        assert_eq!(told!(service, twice), refused(401, "unauthorized"), "two {name}");
        let bytes = actix_web::http::header::HeaderValue::from_bytes(b"\xff").unwrap();
        let bytes = ask.with(&signed).insert_header((name, bytes));
        assert_eq!(told!(service, bytes), refused(401, "unauthorized"), "{name} of bytes");
    }
    assert_eq!(order(&db, 42).status, "pending");
    assert_eq!(told!(service, Ask::cancel(42).request()), DONE);
}

#[actix_web::test]
async fn a_request_that_was_changed_in_any_part_is_answered_401_and_does_nothing() {
    let db = furnished();
    let service = service!(db);
    let body = r#"{"id": 44, "cents": 100}"#;
    let create = Ask::new(Method::POST, "/orders", body);
    let cancel = Ask::cancel(42);
    let moved = Ask { path: "/orders/42/cance".to_owned(), body: b"l".to_vec(), ..cancel.clone() };
    for (was, changed) in [
        (&create, Ask { body: body.replace("100", "900").into(), ..create.clone() }),
        (&create, Ask { body: format!("{body} ").into(), ..create.clone() }),
        (&cancel, Ask { path: "/orders/43/cancel".to_owned(), ..cancel.clone() }),
        (&cancel, Ask { path: "/vulnerable/orders/42/cancel".to_owned(), ..cancel.clone() }),
        (&cancel, Ask { path: "/orders/%34%32/cancel".to_owned(), ..cancel.clone() }),
        (&cancel, Ask { query: Some(""), ..cancel.clone() }),
        (&cancel, Ask { query: Some("force=1"), ..cancel.clone() }),
        (&cancel, Ask { method: Method::PUT, ..cancel.clone() }),
        (&moved, cancel.clone()),
    ] {
        let request = changed.with(&was.signed());
        assert_eq!(told!(service, request), refused(401, "unauthorized"), "{}", changed.path);
    }
    let mut later = cancel.signed();
    later.stamp.time += 1;
    assert_eq!(told!(service, cancel.with(&later)), refused(401, "unauthorized"));
    let mut another = cancel.signed();
    another.stamp.nonce[15] ^= 1;
    assert_eq!(told!(service, cancel.with(&another)), refused(401, "unauthorized"));
    assert!(Shop::new(db.clone()).order(44).unwrap().is_none());
    assert_eq!(order(&db, 42).status, "pending");
    assert_eq!(order(&db, 43).status, "pending");
    // Not one of them used up the nonce of the request that it was made of.
    assert_eq!(told!(service, cancel.request()), DONE);
    assert_eq!(told!(service, create.request()), (201, String::new()));
}

#[actix_web::test]
async fn a_query_that_is_signed_is_let_in() {
    let db = furnished();
    let service = service!(db);
    let ask = Ask { query: Some("why=late"), ..Ask::cancel(42) };
    assert_eq!(told!(service, ask.request()), DONE);
}

#[actix_web::test]
async fn a_request_of_another_time_is_stale() {
    let db = furnished();
    let service = service!(db);
    for time in [0, NOW - WINDOW - 1, NOW + WINDOW + 1, u64::MAX] {
        let ask = Ask::cancel(42).at(time);
        assert_eq!(told!(service, ask.request()), refused(401, "stale"), "{time}");
    }
    assert_eq!(order(&db, 42).status, "pending");
    assert_eq!(told!(service, Ask::cancel(42).at(NOW - WINDOW).request()), DONE);
    assert_eq!(told!(service, Ask::cancel(43).at(NOW + WINDOW).request()), DONE);
}

#[actix_web::test]
async fn a_replay_is_refused_and_one_to_another_server_has_no_second_effect_either() {
    let db = furnished();
    let (service, sibling) = (service!(db), service!(db));
    let cancel = Ask::cancel(42);
    assert_eq!(told!(service, cancel.request()), DONE);
    assert_eq!(told!(service, cancel.request()), refused(409, "replayed"));
    // The other server has not seen it; the database has.
    assert_eq!(told!(sibling, cancel.request()), refused(409, "not_pending"));
    assert_eq!(order(&db, 42).refunds, 1);

    let create = Ask::new(Method::POST, "/orders", r#"{"id": 44, "cents": 100}"#);
    assert_eq!(told!(service, create.request()), (201, String::new()));
    assert_eq!(told!(service, create.request()), refused(409, "replayed"));
    assert_eq!(told!(sibling, create.request()), refused(409, "order_exists"));
    assert_eq!(order(&db, 44).paid_cents, 100);
}

#[actix_web::test]
async fn what_cannot_be_done_is_told_in_json() {
    let db = furnished();
    let service = service!(db);
    let long = format!(r#"{{"id": 44, "cents": 100{}}}"#, " ".repeat(5000));
    for (method, path, body, told) in [
        (Method::GET, "/orders/44", "", refused(404, "no_such_order")),
        (Method::POST, "/orders/44/cancel", "", refused(404, "no_such_order")),
        (Method::GET, "/orders/99999999999999999999", "", refused(404, "no_such_path")),
        (Method::POST, "/orders/all/cancel", "", refused(404, "no_such_path")),
        (Method::GET, "/", "", refused(404, "no_such_path")),
        (Method::GET, "/orders/42/cancel", "", refused(405, "other_method")),
        (Method::DELETE, "/orders/42", "", refused(405, "other_method")),
        (Method::POST, "/orders", "", refused(400, "not_an_order")),
        (Method::POST, "/orders", r#"{"id": 44}"#, refused(400, "not_an_order")),
        (Method::POST, "/orders", r#"{"id": 44, "cents": -1}"#, refused(400, "not_an_order")),
        (Method::POST, "/orders", r#"{"id": 42, "cents": 1}"#, refused(409, "order_exists")),
        (Method::POST, "/orders", &long, refused(413, "no_body")),
    ] {
        let ask = Ask::new(method, path, body);
        assert_eq!(told!(service, ask.request()), told, "{path} {body}");
    }
    assert_eq!(order(&db, 42).paid_cents, 100);
}

/// A database with one thing changed.
#[derive(Clone)]
struct Changed<C> {
    db: SqliteDb,
    change: C,
}

/// What comes before a statement: nothing, another statement, or a reply instead.
trait Change: Clone + Send + Sync + 'static {
    fn before(&self, statement: &mut Statement) -> Option<SqlState>;
}

impl<C: Change> Database for Changed<C> {
    type Session = <SqliteDb as Database>::Session;

    fn connect(&mut self) -> Result<Self::Session, SqlError> {
        self.db.connect()
    }

    fn execute(&mut self, session: &mut Self::Session, statement: &Statement) -> Reply {
        let mut statement = statement.clone();
        match self.change.before(&mut statement) {
            Some(state) => Reply::Answer(Err(SqlError::new(state, "a secret of the server"))),
            None => self.db.execute(session, &statement),
        }
    }

    fn disconnect(&mut self, session: Self::Session) {
        self.db.disconnect(session);
    }
}

/// Whether it is about an order's status.
fn updates_an_order(statement: &Statement) -> bool {
    matches!(statement, Statement::Update(Update { table, .. }) if table.name == "orders")
}

/// Fails with this whenever an order would be updated.
#[derive(Clone)]
struct Failing(SqlState);

impl Change for Failing {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        updates_an_order(statement).then_some(self.0)
    }
}

#[actix_web::test]
async fn a_failing_database_is_never_told_as_success_nor_what_it_said() {
    for (state, status, word) in [
        (SqlState::CONNECTION_REFUSED, 500, "unknown"),
        (SqlState::CONNECTION_FAILURE, 500, "unknown"),
        (SqlState::LOCK_NOT_AVAILABLE, 503, "unavailable"),
        (SqlState::SERIALIZATION_FAILURE, 503, "unavailable"),
        (SqlState::DISK_FULL, 500, "failed"),
        (SqlState::UNDEFINED_TABLE, 500, "failed"),
    ] {
        let db = furnished();
        let service = service!(Changed { db: db.clone(), change: Failing(state) });
        for path in ["/orders/42/cancel", "/vulnerable/orders/42/cancel"] {
            let ask = Ask::new(Method::POST, path, "");
            let (told, body) = call(&service, ask.request().to_request()).await;
            assert_eq!((told, &body["error"]), (status, &word.into()), "{state} {path}");
            assert!(!body.to_string().contains("secret"), "{body}");
        }
        assert_eq!((&*order(&db, 42).status, order(&db, 42).refunds), ("pending", 0));
    }
}

/// Fails whenever a refund would be written down.
#[derive(Clone)]
struct NoRefunds;

impl Change for NoRefunds {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        let refund =
            matches!(statement, Statement::Insert(Insert { table, .. }) if table.name == "refunds");
        refund.then_some(SqlState::DISK_FULL)
    }
}

#[actix_web::test]
async fn a_cancel_whose_refund_fails_says_that_it_is_owed() {
    let db = furnished();
    let service = service!(Changed { db: db.clone(), change: NoRefunds });
    assert_eq!(told!(service, Ask::cancel(42).request()), refused(500, "refund_owed"));
    assert_eq!((&*order(&db, 42).status, order(&db, 42).refunds), ("cancelled", 0));
}

/// Two requests are both about to update an order before either does.
#[derive(Clone)]
struct Meeting(Arc<Barrier>);

impl Change for Meeting {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        if updates_an_order(statement) {
            self.0.wait();
        }
        None
    }
}

/// What two requests are told that meet before their updates, sorted, and how often the order is
/// refunded.
fn meet(cancel: fn(&Shop<Changed<Meeting>>) -> Ended) -> (Vec<bool>, usize) {
    let db = furnished();
    let change = Meeting(Arc::new(Barrier::new(2)));
    let shop = Shop::new(Changed { db: db.clone(), change });
    let mut told: Vec<_> = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| cancel(&shop) == Ended::ByThis));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    told.sort_unstable();
    (told, order(&db, 42).refunds)
}

#[test]
fn two_that_meet_before_the_update_are_both_refunded_by_the_vulnerable_endpoint() {
    let (told, refunds) = meet(|shop| shop.cancel_vulnerable(42).unwrap());
    assert_eq!((told, refunds), (vec![true, true], 2));
}

#[test]
fn of_two_that_meet_before_the_update_one_is_refunded_by_the_fixed_endpoint() {
    let (told, refunds) = meet(|shop| shop.cancel(42).unwrap());
    assert_eq!((told, refunds), (vec![false, true], 1));
}

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
    assert_eq!((report.vulnerable.requests, report.fixed.requests), (16, 16), "{text}");
    assert_eq!((report.fixed.most_told, report.fixed.conflicts), (1, 12), "{text}");
    assert_eq!(report.vulnerable.errors + report.fixed.errors, 0, "{text}");
    assert_eq!(report.replay.tampered.len(), 8);
    assert_eq!(report.replay.sibling.as_ref().unwrap().field("error"), "not_pending");
    assert!(text.contains("409 replayed\n"), "{text}");
    assert!(text.contains("refunded every order once"), "{text}");
    assert_eq!(text.contains("Chance did not find"), report.vulnerable.refunded_again == 0);
    // And once more on the same database.
    assert!(drive_own(&db, LITTLE).unwrap().is_well());
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
    assert_eq!((report.fixed.refunded_again, report.fixed.most_told), (4, 4), "{text}");
    assert_eq!(report.fixed.lost_cents, 4 * 3 * 4_999);
    assert!(text.contains("The fixed endpoint refunded an order twice."), "{text}");
    assert_fits(&text);
}

#[test]
fn a_drive_does_not_take_a_service_that_fails_for_one_that_is_safe() {
    let db = Changed { db: database(), change: Failing(SqlState::LOCK_NOT_AVAILABLE) };
    let report = drive_own(&db, LITTLE).unwrap();
    let text = report.to_string();
    assert!(!report.is_well(), "{text}");
    assert_eq!((report.fixed.errors, report.fixed.not_refunded), (16, 4), "{text}");
    assert!(text.contains("503 unavailable"), "{text}");
    assert!(text.contains("did not do all that it should"), "{text}");
    assert_fits(&text);
}

#[test]
fn a_drive_on_postgresql_is_as_one_on_sqlite() {
    let cluster = match Cluster::shared() {
        Ok(cluster) => cluster,
        Err(error) => {
            eprintln!("SKIPPED: a drive on PostgreSQL: {error}");
            return;
        }
    };
    let db = cluster.database().unwrap();
    db.create(TABLES).unwrap();
    let report = drive_own(&db, LITTLE).unwrap();
    assert!(report.is_well(), "{report}");
    assert_eq!((report.fixed.most_told, report.fixed.conflicts), (1, 12), "{report}");
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
}

#[test]
fn a_service_that_is_not_there_is_an_error_that_names_it() {
    let (listener, address) = bind(([127, 0, 0, 1], 0).into()).unwrap();
    drop(listener);
    let target = Target { url: format!("http://{address}"), sibling: None, key: test_key() };
    let error = drive::drive(&target, LITTLE).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
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
        let error = web::block(move || drive::drive(&target, LITTLE)).await.unwrap().unwrap_err();
        handle.stop(false).await;
        error
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
