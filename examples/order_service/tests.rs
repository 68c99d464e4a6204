//! An example, `order_service`: its tests, in process. Imports all of it.

use std::sync::{Arc, Barrier};

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use actix_web::{App, Error};
use clap::error::ErrorKind;
use serde_json::Value;
use toctou::db::{Answer, Insert, Reply, SqlState, Statement, Update};
use toctou::handlers::{Ended, ORDERS};

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

async fn answer<S, B>(service: &S, request: TestRequest) -> (u16, Value)
where
    S: Service<actix_http_request::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let response = call_service(service, request.to_request()).await;
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&read_body(response).await).unwrap_or(Value::Null))
}

/// `call_service` names this type; Actix re-exports it here only.
mod actix_http_request {
    pub(super) use actix_web::dev::ServiceRequest;
    pub(super) type Request = <ServiceRequest as super::Raw>::Request;
}
