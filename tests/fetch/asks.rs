//! What is asked beside a plain `GET`, and what redirects make of it; bodies that are read as they come,
//! fetches that somebody else waits for, and addresses for other clients.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use toctou::fetch::{Ask, FetchError, Fetched, Fetcher, Limits};
use toctou::net::{HeaderError, NetError};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::names::{Client, limits, outside};
use crate::server::{INSIDE, OUTSIDE, Server, ok, redirect};

/// A request, with its body.
type Whole = Arc<Mutex<Vec<(String, String)>>>;

/// A server that notes whole requests and answers with what `respond` makes of the request's line.
fn noting(whole: &Whole, respond: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
    let noted = whole.clone();
    Server::at(OUTSIDE, move |stream, reached| {
        let head = reached.request(stream)?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body)?;
        let response = respond(head.lines().next().unwrap());
        noted.lock().unwrap().push((head, String::from_utf8(body).unwrap()));
        stream.write_all(response.as_bytes())
    })
}

fn answer(status: &str, to: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
}

fn post() -> Ask {
    let ask = Ask::post("text/x", "secret body").unwrap();
    let ask = ask.with("Authorization", "Bearer t0k").and_then(|it| it.with("Cookie", "c00k"));
    ask.and_then(|it| it.with("X-Api-Key", "k3y")).and_then(|it| it.with("Accept", "a/b")).unwrap()
}

#[test]
fn a_post_and_headers_of_ones_own_are_sent_and_status_and_headers_come_back() {
    let whole = Whole::default();
    let created =
        "HTTP/1.1 201 Created\r\nETag: \"7\"\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nok";
    let server = noting(&whole, move |_| created.to_owned());
    let ask = post().with("User-Agent", "Avatars/1.0").unwrap();
    let fetched = Client::new(limits()).fetcher.ask(&server.url("/x?y"), ask).unwrap();
    assert_eq!((fetched.status, &fetched.bytes[..]), (201, &b"ok"[..]));
    assert_eq!(fetched.headers.get("etag"), Some("\"7\""));
    assert_eq!(fetched.headers.all("x-a").collect::<Vec<_>>(), ["1", "2"]);
    let (head, body) = &whole.lock().unwrap()[0];
    assert_eq!(body, "secret body");
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /x?y HTTP/1.1");
    lines.sort();
    let host = format!("host: a.test:{}", server.port());
    let expected = [
        "accept-encoding: identity",
        "accept: a/b",
        "authorization: Bearer t0k",
        "connection: close",
        "content-length: 11",
        "content-type: text/x",
        "cookie: c00k",
        &host,
        "user-agent: Avatars/1.0",
        "x-api-key: k3y",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_head_has_no_body() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    let fetched = Client::new(limits()).fetcher.ask(&server.url("/"), Ask::head()).unwrap();
    assert_eq!((fetched.bytes.len(), fetched.headers.get("content-length")), (0, Some("99999999")));
    assert!(server.requests()[0].starts_with("HEAD / "));
}

#[test]
fn a_redirect_makes_a_get_of_a_post_or_repeats_it_as_the_standard_says() {
    for (status, method) in
        [("301", "GET"), ("302", "GET"), ("303", "GET"), ("307", "POST"), ("308", "POST")]
    {
        let whole = Whole::default();
        let server = noting(&whole, move |line| match line.contains("/start") {
            true => answer(status, "/end"),
            false => ok("cat"),
        });
        Client::new(limits()).fetcher.ask(&server.url("/start"), post()).unwrap();
        let requests = whole.lock().unwrap();
        let (head, body) = &requests[1];
        assert!(head.starts_with(&format!("{method} /end HTTP/1.1\r\n")), "{status}: {head}");
        let repeated = method == "POST";
        assert_eq!(body.as_str(), if repeated { "secret body" } else { "" }, "{status}");
        assert_eq!(head.contains("\r\ncontent-"), repeated, "{status}: {head}");
        // It is the same origin.
        assert!(head.contains("t0k") && head.contains("c00k") && head.contains("k3y"), "{head}");
    }
}

#[test]
fn what_was_meant_for_one_origin_is_not_sent_to_another_and_does_not_come_back() {
    let whole = Whole::default();
    let other = noting(&whole, |line| match line.contains("/back") {
        true => answer("307", "http://a.test:PORT/end")
            .replace("PORT", line.split('?').nth(1).unwrap().split(' ').next().unwrap()),
        false => ok("cat"),
    });
    let there = other.url("/there");
    let back = other.url("/back");
    for to in ["there", "back", "name"] {
        whole.lock().unwrap().clear();
        let (there, back) = (there.clone(), back.clone());
        let server = noting(&whole, move |line| match line {
            line if line.contains("/start") => {
                let port = line.split('?').nth(1).unwrap().split(' ').next().unwrap();
                answer(
                    "307",
                    &match to {
                        "there" => there.clone(),
                        "back" => format!("{back}?{port}"),
                        _ => format!("http://b.test:{port}/end"),
                    },
                )
            }
            _ => ok("cat"),
        });
        let url = server.url(&format!("/start?{}", server.port()));
        Client::new(limits()).fetcher.ask(&url, post()).unwrap();
        let requests = whole.lock().unwrap();
        assert_eq!(requests.len(), if to == "back" { 3 } else { 2 });
        assert!(requests[0].0.contains("t0k"));
        for (head, body) in &requests[1..] {
            for secret in ["t0k", "c00k", "k3y"] {
                assert!(!head.contains(secret), "{to}: {head}");
            }
            assert!(
                head.contains("accept: a/b") && head.contains("content-type: text/x"),
                "{head}"
            );
            assert_eq!(body, "secret body", "307 repeats it");
        }
    }
}

#[test]
fn a_redirect_that_is_not_followed_is_what_is_fetched() {
    let inside = Server::at(INSIDE, |_, _| Ok(()));
    let to = format!("http://{INSIDE}:{}/", inside.port());
    let server = Server::answering(redirect(&to));
    let fetched =
        Client::new(limits()).fetcher.ask(&server.url("/"), Ask::get().unfollowed()).unwrap();
    assert_eq!((fetched.status, fetched.headers.get("location")), (302, Some(&*to)));
    assert_eq!((fetched.bytes.len(), server.requests().len(), inside.connections()), (0, 1, 0));
}

#[test]
fn an_error_has_the_headers_of_the_answer_and_does_not_tell_them() {
    let server =
        Server::answering("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nSet-Cookie: c00k\r\n\r\n");
    let error = Client::new(limits()).fetch(&server.url("/")).unwrap_err();
    let FetchError::Status { status: 429, headers, .. } = &error else { panic!("{error}") };
    assert_eq!(headers.get("retry-after"), Some("7"));
    assert!(!format!("{error} {error:?}").contains("c00k"));
}

#[test]
fn a_post_that_is_redirected_inside_reaches_nobody() {
    let inside = Server::at(INSIDE, |_, _| Ok(()));
    for status in ["301", "307", "308"] {
        let server =
            Server::answering(answer(status, &format!("http://{INSIDE}:{}/", inside.port())));
        let error = Client::new(limits()).fetcher.ask(&server.url("/"), post()).unwrap_err();
        assert!(matches!(error, FetchError::Refused { .. }), "{error}");
    }
    assert_eq!(inside.connections(), 0);
}

#[test]
fn a_header_that_would_change_the_request_is_refused_and_its_value_not_told() {
    for (name, value) in
        [("Host", "b"), ("x\r\ny", "b"), ("content-length", "0"), ("x", "a\r\nHost: s3cret")]
    {
        let error = Ask::get().with(name, value).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert!(matches!(Ask::post("a\nb", ""), Err(HeaderError::Value(_))));
}

#[test]
fn a_body_is_read_as_it_comes_and_never_more_than_is_allowed() {
    let client = Client::new(limits());
    let open = |response: &str| {
        let server = Server::answering(response);
        client.fetcher.open(&server.url("/"), Ask::get())
    };
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut opened = open(&format!("{chunked}2\r\nca\r\n1;x\r\nt\r\n0\r\n\r\n")).unwrap();
    assert_eq!((opened.status, opened.headers.get("transfer-encoding")), (200, Some("chunked")));
    let (mut byte, mut body) = ([0], Vec::new());
    while opened.body.read(&mut byte).unwrap() == 1 {
        body.push(byte[0]);
    }
    assert_eq!(body, b"cat");
    assert_eq!(opened.body.read(&mut byte).unwrap(), 0, "it stays over");

    let error = open("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n").unwrap_err();
    assert!(error.is_too_large(), "{error}");
    for response in [
        format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1001)),
        format!("{chunked}3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001)),
    ] {
        let mut got = Vec::new();
        let error = open(&response).unwrap().body.read_to_end(&mut got).unwrap_err();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<NetError>());
        assert_eq!(inner, Some(&NetError::TooLarge { limit: 1000 }));
        assert!(got.len() <= 1000);
    }
    let mut cut = open("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncat").unwrap().body;
    assert!(cut.read_to_end(&mut Vec::new()).unwrap_err().to_string().contains("cut short"));
}

#[test]
fn a_body_that_is_read_late_or_trickles_ends_by_the_deadline() {
    let timeout = Duration::from_millis(400);
    let server = Server::endless("HTTP/1.1 200 OK\r\n\r\n", "x", Duration::from_millis(50));
    let client = Client::new(Limits { timeout, ..limits() });
    let began = Instant::now();
    let mut opened = client.fetcher.open(&server.url("/"), Ask::get()).unwrap();
    let error = opened.body.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(began.elapsed() >= timeout && began.elapsed() < timeout + Duration::from_secs(5));
}

#[test]
fn an_opened_url_is_judged_hop_by_hop_as_ever() {
    let inside = Server::at(INSIDE, |_, _| Ok(()));
    let server = Server::answering(redirect(&format!("http://{INSIDE}:{}/", inside.port())));
    let error = Client::new(limits()).fetcher.open(&server.url("/"), Ask::get()).unwrap_err();
    assert!(matches!(&error, FetchError::Refused { hop, .. } if hop.number == 1), "{error}");
    assert_eq!(inside.connections(), 0);
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future, without a clock: who is not woken waits for ever.
fn awaited<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_fetch_can_be_waited_for_by_any_executor() {
    let server = Server::at(OUTSIDE, |stream, reached| {
        reached.request(stream)?;
        thread::sleep(Duration::from_millis(50));
        stream.write_all(ok("cat").as_bytes())
    });
    let fetcher = Client::new(limits()).fetcher;
    let both = [Ask::get(), Ask::get()].map(|ask| fetcher.ask_later(&server.url("/"), ask));
    let fetched: Vec<Fetched> = both.into_iter().map(|it| awaited(it).unwrap()).collect();
    assert!(fetched.iter().all(|it| it.bytes == b"cat"));
    let error = awaited(fetcher.ask_later("http://127.0.0.1/", Ask::get())).unwrap_err();
    assert!(matches!(error, FetchError::Refused { .. }), "{error}");
    let closed = awaited(fetcher.ask_later(&format!("http://{OUTSIDE}:1/"), Ask::get()));
    assert!(matches!(closed, Err(FetchError::Network { .. })));
}

#[test]
fn a_resolver_that_panics_is_the_panic_of_who_waits() {
    let client =
        Client::resolving(limits(), |_, _| std::panic::resume_unwind(Box::new("a test's")));
    let later = client.fetcher.ask_later("http://a.test/", Ask::get());
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| awaited(later)));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"a test's"));
}

#[test]
fn addresses_for_another_client_are_judged() {
    let client = Client::resolving(limits(), |name, _| {
        Ok(if name == "in.test" { vec![OUTSIDE, INSIDE] } else { vec![OUTSIDE] })
    });
    let to = |url: &str| client.fetcher.addresses(url);
    assert_eq!(to("http://a.test/").unwrap(), [SocketAddr::new(OUTSIDE, 80)]);
    assert_eq!(to("https://a.test:81/").unwrap(), [SocketAddr::new(OUTSIDE, 81)]);
    assert_eq!(to("http://127.2/").unwrap(), [SocketAddr::new(OUTSIDE, 80)]);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    for url in
        ["http://in.test/", "http://127.0.0.3/", "http://0x7f.3/", &format!("http://[{v6}]/")]
    {
        assert!(matches!(to(url), Err(FetchError::Refused { .. })), "{url}");
    }
    assert!(matches!(to("http://a.local/"), Err(FetchError::RefusedName { .. })));
    assert!(matches!(to("ftp://a.test/"), Err(FetchError::BadUrl { .. })));
}

/// `ureq`, which asks its resolver for each host of each hop, addresses included.
#[derive(Debug)]
struct Judged(Fetcher);

impl Resolver for Judged {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let judged = self.0.addresses(&uri.to_string());
        let judged = judged.map_err(|error| ureq::Error::Other(error.into()))?;
        let mut addresses = self.empty();
        judged.into_iter().for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}

#[test]
fn another_client_with_these_addresses_reaches_nothing_inside() {
    let inside = Server::at(INSIDE, |_, _| Ok(()));
    let port = inside.port();
    let client = Client::resolving(limits(), |name, _| {
        Ok(vec![if name == "inside.test" { INSIDE } else { OUTSIDE }])
    });
    let config = ureq::Agent::config_builder().proxy(None).build();
    let agent = ureq::Agent::with_parts(
        config,
        DefaultConnector::default(),
        Judged(client.fetcher.clone().with_policy(outside())),
    );
    let server = Server::answering(ok("cat"));
    let body = agent.get(server.url("/")).call().unwrap().body_mut().read_to_string();
    assert_eq!(body.unwrap(), "cat");
    for host in ["inside.test", "127.0.0.3", "[::ffff:127.0.0.3]"] {
        let to = format!("http://{host}:{port}/");
        assert!(agent.get(&to).call().is_err(), "{to}");
        let server = Server::answering(redirect(&to));
        let error = agent.get(server.url("/")).call().unwrap_err().to_string();
        assert!(error.contains("is not public"), "{to}: {error}");
    }
    assert_eq!(inside.connections(), 0);
}
