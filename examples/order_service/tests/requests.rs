//! An example, `order_service`: who is let in, and what he is told. Imports all of it.

use super::*;

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
async fn a_stranger_is_told_401_and_nothing_else_but_that_a_body_is_too_long() {
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
        let spoiled = ask.with(&spoiled);
        if ask.body.len() < 100 {
            assert_eq!(call(&service, spoiled.to_request()).await, unauthorized, "{path}");
        } else {
            assert_eq!(told!(service, spoiled), refused(413, "no_body"), "it cannot be verified");
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
