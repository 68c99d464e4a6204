//! An example, `order_service`: its tests, in process, and what they share. Imports all of it.

#[path = "../../../tests/throwaway/mod.rs"]
mod throwaway;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use serde_json::Value;
use toctou::db::{Insert, Reply, SqlState, Statement, Update};

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

/// A database with one thing changed.
#[derive(Clone)]
struct Changed<C, D = SqliteDb> {
    db: D,
    change: C,
}

/// What comes before a statement: nothing, another statement, or a reply instead.
trait Change: Clone + Send + Sync + 'static {
    fn before(&self, statement: &mut Statement) -> Option<SqlState>;
}

impl<C: Change, D: Database> Database for Changed<C, D> {
    type Session = D::Session;

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

fn writes_a_refund(statement: &Statement) -> bool {
    matches!(statement, Statement::Insert(Insert { table, .. }) if table.name == "refunds")
}

/// Fails with this whenever an order would be updated.
#[derive(Clone)]
struct Failing(SqlState);

impl Change for Failing {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        updates_an_order(statement).then_some(self.0)
    }
}

// Below the macros, which they use.
mod databases;
mod driver;
mod proof;
mod requests;
