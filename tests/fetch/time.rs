//! Servers and resolvers that take their time, or never end.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use toctou::fetch::{Act, FetchError, Fetched, Limits};
use toctou::net::{NetError, Opening};

use crate::names::{Client, limits, net_error, outside};
use crate::server::{BlackHoles, OUTSIDE, Server, ok, redirect};

const SHORT: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(50);

/// Fetches with a short deadline, and sees that it was kept.
fn in_time(url: &str) -> Result<Fetched, FetchError> {
    let client = Client::new(Limits { timeout: SHORT, ..limits() });
    let began = Instant::now();
    let fetched = client.fetch(url);
    let took = began.elapsed();
    // A busy machine may be late, but not by as much as a patient client would be.
    assert!(took < SHORT + Duration::from_secs(5), "it took {took:?}");
    fetched
}

fn timed_out(server: &Server) {
    let began = Instant::now();
    let error = in_time(&server.url("/")).unwrap_err();
    assert!(began.elapsed() >= SHORT, "it did not wait");
    assert!(error.is_timed_out() && !error.is_refusal(), "{error}");
    assert!(matches!(error, FetchError::Network { act: Act::Receive(_), .. }), "{error}");
}

#[test]
fn a_server_that_says_nothing_is_waited_for_until_the_deadline() {
    timed_out(&Server::endless("", "", TICK));
}

#[test]
fn a_head_that_trickles_does_not_get_past_the_deadline() {
    timed_out(&Server::endless("HTTP/1.1 200 OK\r\nX: ", "x", TICK));
}

#[test]
fn a_body_that_trickles_does_not_get_past_the_deadline() {
    timed_out(&Server::endless("HTTP/1.1 200 OK\r\n\r\n", "x", TICK));
    timed_out(&Server::endless("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", "x", TICK));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    timed_out(&Server::endless(chunked, "1\r\nx\r\n", TICK));
}

#[test]
fn answers_before_the_final_one_that_trickle_do_not_get_past_the_deadline() {
    timed_out(&Server::endless("", "HTTP/1.1 103 Early Hints\r\n\r\n", TICK));
}

#[test]
fn redirects_have_one_deadline_together() {
    let server = Server::at(OUTSIDE, |stream, reached| {
        reached.request(stream)?;
        thread::sleep(Duration::from_millis(80));
        stream.write_all(redirect("/again").as_bytes())
    });
    let client = Client::new(Limits { timeout: SHORT, redirects: 1000, ..limits() });
    let error = client.fetch(&server.url("/")).unwrap_err();
    assert!(error.is_timed_out() && error.hop() >= 1, "{error}");
}

/// The error of a response that goes on for ever, which memory and patience are bounded for.
fn endless(first: &'static str, then: &'static str) -> NetError {
    let server = Server::endless(first, then, Duration::ZERO);
    net_error(Client::new(limits()).fetch(&server.url("/")))
}

#[test]
fn what_has_no_end_is_too_large() {
    let head = NetError::HeadTooLarge { limit: 64 * 1024 };
    assert_eq!(endless("HTTP/1.1 200 OK\r\nX: ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), head);
    assert_eq!(endless("", "HTTP/1.1 103 Early Hints\r\nX: xxxxxxxxxxxxxxxxxxxxxx\r\n\r\n"), head);
    assert_eq!(endless("HTTP/1.1 200 OK\r\n\r\n", "xxxxxxx"), NetError::TooLarge { limit: 1000 });
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(endless(chunked, "1\r\nx\r\n"), NetError::TooLarge { limit: 1000 });
    let trailers = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    assert_eq!(endless(trailers, "Trailer: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"), head);
    for line in [chunked, trailers] {
        let error = endless(line, "1111111111111111111111111111111111");
        assert!(matches!(&error, NetError::Http(_)), "{error}");
    }
    let error = endless("HTTP/1.1 200 OK\r\n", "X: x\r\n");
    assert!(matches!(&error, NetError::Http(words) if words.contains("too many")) || error == head);
}

#[test]
fn a_resolver_that_gives_up_at_the_deadline_is_what_took_too_long() {
    let client = Client::resolving(limits(), |_, _| Err(NetError::TimedOut));
    let error = client.fetch("http://a.test/").unwrap_err();
    assert!(error.is_timed_out(), "{error}");
    assert!(matches!(error, FetchError::Network { act: Act::Resolve, .. }), "{error}");
}

#[test]
fn a_resolver_that_is_late_leaves_no_time_to_connect() {
    let server = Server::answering(ok("cat"));
    let client = Client::resolving(Limits { timeout: SHORT, ..limits() }, |_, _| {
        thread::sleep(SHORT * 2);
        Ok(vec![OUTSIDE])
    });
    let error = client.fetch(&server.url("/")).unwrap_err();
    assert!(error.is_timed_out(), "{error}");
    assert!(matches!(error, FetchError::Network { act: Act::Connect(_), .. }), "{error}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn limits_beyond_all_measure_are_limits_still() {
    let server = Server::answering(ok("cat"));
    let all = Limits {
        bytes: u64::MAX,
        redirects: u32::MAX,
        timeout: Duration::MAX,
        connect_timeout: Duration::MAX,
        https_only: false,
    };
    assert_eq!(Client::new(all).fetch(&server.url("/")).unwrap().bytes, b"cat");

    let none = Limits { timeout: Duration::ZERO, ..limits() };
    assert!(Client::new(none).fetch(&server.url("/")).unwrap_err().is_timed_out());
    let none = Limits { connect_timeout: Duration::ZERO, ..limits() };
    assert!(Client::new(none).fetch(&server.url("/")).unwrap_err().is_timed_out());
}

#[test]
fn an_address_that_does_not_answer_leaves_time_for_the_next_one() {
    let other = IpAddr::from([127, 0, 0, 4]);
    let holes = BlackHoles::beside(other, &[OUTSIDE]);
    let (port, listener) = (holes.port, holes.listener.try_clone().unwrap());
    let answers = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(ok("cat").as_bytes()).unwrap();
        // Closed before the request is read, the connection would be reset.
        let _ = stream.read(&mut [0; 1024]);
    });
    let connect_timeout = Duration::from_millis(200);
    let client = Client::resolving(Limits { connect_timeout, ..limits() }, move |_, _| {
        Ok(vec![OUTSIDE, other])
    });
    let policy = outside().opening(Opening::of(other).at(0..=u16::MAX));
    let fetched =
        client.fetcher.clone().with_policy(policy).fetch(&format!("http://a.test:{port}/"));
    assert_eq!(fetched.unwrap().address.ip(), other);
    answers.join().unwrap();
}
