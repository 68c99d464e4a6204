//! The acts of `OsNet`, one by one, without a machine that decides about them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use toctou::fs::Errno;
use toctou::net::{Method, NetError, Network, OsNet, Request, Resolve, Response, Url};

use crate::server::{OUTSIDE, Server, ok, redirect};

fn net() -> OsNet {
    OsNet::new(Duration::from_secs(60))
}

/// Asks the server at this address for the URL.
fn ask(method: Method, url: &str, at: SocketAddr, limit: u64) -> Result<Response, NetError> {
    let mut net = net();
    let mut connection = net.connect(at)?;
    net.send(&mut connection, &Request::new(method, Url::parse(url).expect("a URL")))?;
    net.receive(connection, limit)
}

#[test]
fn a_connection_leads_where_it_was_to_lead_and_speaks_to_the_urls_host() {
    let server = Server::answering(ok("cat"));
    let mut net = net();
    let mut connection = net.connect(server.address()).unwrap();
    assert_eq!(net.peer(&connection), Ok(server.address()));
    // Nobody asks where `b.test` is.
    let url = Url::parse("http://b.test/").unwrap();
    net.send(&mut connection, &Request::new(Method::Get, url)).unwrap();
    assert_eq!(net.receive(connection, 3).unwrap().body, b"cat");
    assert!(server.requests()[0].contains("\r\nhost: b.test\r\n"), "{:?}", server.requests());
}

#[test]
fn the_host_of_a_request_is_as_in_its_url() {
    let server = Server::answering(ok(""));
    for (url, host) in [
        ("http://b.test:80/", "b.test"),
        ("http://b.test:81/", "b.test:81"),
        ("http://[::1]:81/", "[::1]:81"),
        ("http://2130706433/", "127.0.0.1"),
        ("http://BÜCHER.test/", "xn--bcher-kva.test"),
    ] {
        ask(Method::Get, url, server.address(), 0).unwrap();
        let request = server.requests().pop().unwrap();
        assert!(request.contains(&format!("\r\nhost: {host}\r\n")), "{request}");
    }
}

#[test]
fn a_user_name_and_a_password_are_not_sent() {
    let server = Server::answering(ok(""));
    ask(Method::Get, "http://u53r:p455@b.test/x", server.address(), 0).unwrap();
    let request = server.requests().pop().unwrap().to_lowercase();
    assert!(!request.contains("authorization") && !request.contains("u53r"), "{request}");
}

#[test]
fn of_a_head_and_of_a_redirect_there_is_no_body() {
    let server = Server::answering(ok("cat"));
    let response = ask(Method::Head, "http://b.test/", server.address(), 0).unwrap();
    assert_eq!((response.status, response.body), (200, Vec::new()));
    assert!(server.requests()[0].starts_with("HEAD / HTTP/1.1\r\n"));

    let long = redirect("/there").replace("Length: 0", "Length: 1000000");
    let server = Server::answering(long);
    let response = ask(Method::Get, "http://b.test/", server.address(), 0).unwrap();
    assert_eq!(response.redirect(), Some("/there"));
    assert_eq!(response.body, b"");
}

#[test]
fn a_connection_is_for_one_request() {
    let server = Server::answering(ok("cat"));
    let mut net = net();
    let connection = net.connect(server.address()).unwrap();
    assert_eq!(net.receive(connection, 3), Err(NetError::TimedOut), "nothing was asked");

    let mut connection = net.connect(server.address()).unwrap();
    let request = |url| Request::new(Method::Get, Url::parse(url).unwrap());
    net.send(&mut connection, &request("http://b.test/")).unwrap();
    let again = net.send(&mut connection, &request("http://b.test/"));
    assert!(matches!(again, Err(NetError::Http(_))), "{again:?}");

    let mut connection = net.connect(server.address()).unwrap();
    let other = net.send(&mut connection, &request("ftp://b.test/"));
    assert!(matches!(other, Err(NetError::Http(_))), "{other:?}");
}

#[test]
fn a_closed_port_answers_econnrefused() {
    let closed = TcpListener::bind((OUTSIDE, 0)).unwrap().local_addr().unwrap();
    assert_eq!(net().connect(closed).unwrap_err(), NetError::Os(Errno::CONNREFUSED));
}

#[test]
fn a_mapped_address_leads_to_the_ipv4_server() {
    let server = Server::answering(ok("cat"));
    let IpAddr::V4(v4) = OUTSIDE else { panic!("it is an IPv4 address") };
    let mapped = SocketAddr::new(v4.to_ipv6_mapped().into(), server.port());
    // Without IPv6 there are no such sockets.
    if TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok() {
        assert_eq!(ask(Method::Get, "http://b.test/", mapped, 3).unwrap().body, b"cat");
    }
}

#[test]
fn what_a_resolver_says_twice_is_said_once_and_in_order() {
    struct Twice;
    impl Resolve for Twice {
        fn resolve(&self, _: &str, _: Instant) -> Result<Vec<IpAddr>, NetError> {
            let [a, b] = [[192, 0, 2, 2], [192, 0, 2, 1]].map(IpAddr::from);
            Ok(vec![a, b, a, b, b])
        }
    }
    let said = net().with_resolver(Arc::new(Twice)).resolve("a.test").unwrap();
    assert_eq!(said, [[192, 0, 2, 2], [192, 0, 2, 1]].map(IpAddr::from));
}

#[test]
fn the_systems_resolver_knows_localhost() {
    let addresses = net().resolve("localhost").unwrap();
    assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
}
