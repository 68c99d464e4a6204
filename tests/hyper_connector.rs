//! The connector for hyper, under the client of `hyper-util`, on real sockets of loopback: what it does not
//! connect to, whatever the URL says.
//!
//! Nothing here leaves loopback: names are resolved by a script.

#[allow(dead_code)]
#[path = "fetch/names.rs"]
mod names;
#[allow(dead_code)]
#[path = "fetch/server.rs"]
mod server;

use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use http::Uri;
use http_body_util::BodyExt;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use toctou::fetch::{Act, Connector, FetchError, Fetcher, Limits, UrlFault};
use toctou::net::policy::Elsewhere;
use toctou::net::{NetError, Opening, OsNet, Policy};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tower_service::Service;

use names::{Client, limits, outside};
use server::{BlackHoles, INSIDE, OUTSIDE, Server, ok};

type Hyper = legacy::Client<Connector, String>;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn hyper(connector: Connector) -> Hyper {
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// The body of what is at a URL, as text.
async fn text(hyper: &Hyper, url: &str) -> Result<String, legacy::Error> {
    let response = hyper.get(url.parse().expect("hyper takes the URL"));
    // Who is connected to by mistake may never answer.
    let response = timeout(PATIENCE, response).await.expect("it ends")?;
    let body = response.into_body().collect().await.expect("the body comes");
    Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
}

/// Gets a URL by a client of its own, with what the connector says if it refuses.
fn get(fetcher: &Fetcher, url: &str) -> Result<String, FetchError> {
    let fetched = runtime().block_on(text(&hyper(fetcher.connector()), url));
    fetched.map_err(|error| {
        assert!(error.is_connect(), "{error:?}");
        let source = error.source().expect("it has a source");
        source.downcast_ref::<FetchError>().expect("it is the connector's").clone()
    })
}

/// A server that nobody is to reach.
fn inside() -> Server {
    Server::at(INSIDE, |stream, reached| {
        reached.request(stream)?;
        stream.write_all(ok("a secret").as_bytes())
    })
}

/// A client whose policy allows [`INSIDE`], too.
fn careless(client: &Client) -> Fetcher {
    let policy = outside().opening(Opening::of(INSIDE).at(0..=u16::MAX));
    client.fetcher.clone().with_policy(policy.allowing_name("internal".parse().unwrap()))
}

/// Answers any number of requests of one connection.
fn keeping(address: IpAddr) -> Server {
    Server::at(address, |stream, reached| {
        loop {
            reached.request(stream)?;
            stream.write_all(ok("hello").as_bytes())?;
        }
    })
}

#[test]
fn a_server_that_is_allowed_is_fetched_from() {
    let server = Server::answering(ok("hello"));
    let client = Client::new(limits());
    assert_eq!(get(&client.fetcher, &server.url("/x?y")).unwrap(), "hello");
    assert_eq!(client.asked(), ["a.test"]);
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /x?y HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[0].contains(&format!("host: a.test:{}\r\n", server.port())), "{requests:?}");
}

#[test]
fn an_address_inside_is_not_connected_to_however_it_is_written() {
    let client = Client::new(limits());
    let server = inside();
    let hosts = [
        "127.0.0.3",
        "2130706435",
        "0x7f000003",
        "0x7f.3",
        "127.3",
        "0177.0.0.3",
        "127.0.0.3.",
        "[::ffff:127.0.0.3]",
        "[::ffff:7f00:3]",
    ];
    for host in hosts {
        let url = format!("http://{host}:{}/", server.port());
        match get(&client.fetcher, &url) {
            Err(error @ FetchError::Refused { .. }) => {
                assert_eq!(error.public(), "the URL's host cannot be reached");
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    assert_eq!(server.connections(), 0);
    // The same requests arrive where they are allowed.
    for host in hosts {
        let url = format!("http://{host}:{}/", server.port());
        assert_eq!(get(&careless(&client), &url).expect(host), "a secret");
    }
    assert_eq!(server.connections(), hosts.len());
    assert!(client.asked().is_empty());
}

#[test]
fn a_name_is_judged_by_all_its_addresses() {
    for addresses in [vec![INSIDE], vec![OUTSIDE, INSIDE], vec![INSIDE, OUTSIDE]] {
        let server = inside();
        let answer = addresses.clone();
        let client = Client::resolving(limits(), move |_, _| Ok(answer.clone()));
        let url = format!("http://inside.test:{}/", server.port());
        let refused = get(&client.fetcher, &url);
        let is_refused =
            matches!(&refused, Err(FetchError::Refused { address, .. }) if *address == INSIDE);
        assert!(is_refused, "{addresses:?}: {refused:?}");
        assert_eq!(server.connections(), 0);
        assert_eq!(get(&careless(&client), &url).unwrap(), "a secret");
        assert_eq!(client.asked(), ["inside.test"; 2]);
    }
}

#[test]
fn a_special_name_is_not_looked_up() {
    let server = Server::answering(ok("hello"));
    let client = Client::new(limits());
    for name in ["images.internal", "localhost", "printer.local", "db"] {
        let refused = get(&client.fetcher, &format!("http://{name}:{}/", server.port()));
        assert!(matches!(refused, Err(FetchError::RefusedName { .. })), "{name}: {refused:?}");
    }
    assert!(client.asked().is_empty());
    assert_eq!(server.connections(), 0);
    let url = format!("http://images.internal:{}/", server.port());
    assert_eq!(get(&careless(&client), &url).unwrap(), "hello");
    assert_eq!(client.asked(), ["images.internal"]);
}

#[test]
fn a_port_that_is_not_allowed_is_not_connected_to() {
    let (server, other) = (keeping(OUTSIDE), keeping(OUTSIDE));
    let port = server.port();
    let policy = Policy::public().opening(Opening::of(OUTSIDE).at(port..=port));
    let client = Client::new(limits());
    let fetcher = client.fetcher.clone().with_policy(policy);
    for host in ["a.test", "127.0.0.2"] {
        let url = |server: &Server| format!("http://{host}:{}/", server.port());
        assert_eq!(get(&fetcher, &url(&server)).unwrap(), "hello");
        match get(&fetcher, &url(&other)) {
            Err(FetchError::Refused { special, .. }) => {
                assert_eq!(special.opened, Some(Elsewhere::AtOtherPorts(other.port())));
            }
            reached => panic!("{host}: {reached:?}"),
        }
        assert!(other.requests().is_empty());
    }
    assert_eq!(other.connections(), 0);
    assert_eq!(get(&client.fetcher, &other.url("/")).unwrap(), "hello");
}

#[test]
fn a_name_that_changes_is_looked_up_once_for_a_connection() {
    // At the same port, or it would be missed for that alone.
    let (server, trap) = (0..100)
        .find_map(|_| {
            let server = Server::answering(ok("hello"));
            let trap = TcpListener::bind((INSIDE, server.port())).ok()?;
            Some((server, trap))
        })
        .expect("a port that is free at both addresses");
    trap.set_nonblocking(true).unwrap();
    let rebound = |_: &str, times| Ok(vec![if times == 0 { OUTSIDE } else { INSIDE }]);
    let client = Client::resolving(limits(), rebound);
    let hyper = hyper(client.fetcher.connector());
    let runtime = runtime();
    let url = server.url("/");
    assert_eq!(runtime.block_on(text(&hyper, &url)).unwrap(), "hello");
    assert_eq!(client.asked(), ["a.test"]);
    // The server has closed: the next request needs a connection of its own, which is judged anew.
    let refused = loop {
        match runtime.block_on(text(&hyper, &url)) {
            // It was sent before the end of the first connection was seen.
            Err(error) if !error.is_connect() => {}
            refused => break refused.unwrap_err(),
        }
    };
    let refused = refused.source().and_then(|it| it.downcast_ref());
    assert!(matches!(refused, Some(FetchError::Refused { .. })), "{refused:?}");
    assert_eq!(client.asked(), ["a.test"; 2]);
    assert!(trap.accept().is_err(), "somebody came");
    // Where it is allowed, somebody does come.
    let policy = outside().opening(Opening::of(INSIDE).at(0..=u16::MAX));
    let mut connector = client.fetcher.clone().with_policy(policy).connector();
    let uri: Uri = url.parse().unwrap();
    let reached = runtime.block_on(connector.call(uri)).unwrap();
    assert_eq!(reached.inner().peer_addr().unwrap().ip(), INSIDE);
    assert!(trap.accept().is_ok());
}

#[test]
fn a_connection_that_is_kept_needs_no_other_lookup() {
    let server = keeping(OUTSIDE);
    let client = Client::new(limits());
    let hyper = hyper(client.fetcher.connector());
    runtime().block_on(async {
        for _ in 0..3 {
            assert_eq!(text(&hyper, &server.url("/")).await.unwrap(), "hello");
        }
    });
    assert_eq!(server.requests().len(), 3);
    assert_eq!(server.connections(), 1);
    assert_eq!(client.asked(), ["a.test"]);
}

#[test]
fn https_is_for_a_connector_that_encrypts() {
    let server = keeping(OUTSIDE);
    let client = Client::new(limits());
    let uri: Uri = format!("https://a.test:{}/", server.port()).parse().unwrap();
    let mut plain = client.fetcher.connector();
    match runtime().block_on(plain.call(uri.clone())) {
        Err(FetchError::BadUrl { fault: UrlFault::Scheme(scheme), .. }) => {
            assert_eq!(&*scheme, "https");
        }
        other => panic!("{other:?}"),
    }
    assert!(client.asked().is_empty());
    assert_eq!(server.connections(), 0);
    let mut under_tls = plain.under_tls();
    let reached =
        runtime().block_on(async { under_tls.call(uri).await.unwrap().inner().peer_addr() });
    assert_eq!(reached.unwrap(), server.address());
    // Under TLS, addresses and schemes are judged as ever.
    let uri: Uri = format!("https://127.0.0.3:{}/", server.port()).parse().unwrap();
    let refused = runtime().block_on(under_tls.call(uri));
    assert!(matches!(refused, Err(FetchError::Refused { .. })), "{refused:?}");
    let strict = Fetcher::new(Limits { https_only: true, ..limits() }).with_policy(outside());
    let refused =
        runtime().block_on(strict.connector().under_tls().call(server.url("/").parse().unwrap()));
    assert!(matches!(refused, Err(FetchError::BadUrl { .. })), "{refused:?}");
}

#[test]
fn passwords_in_urls_are_refused_and_not_told() {
    let server = keeping(OUTSIDE);
    let client = Client::new(limits());
    let url = format!("http://user:p455@a.test:{}/", server.port());
    let refused = runtime().block_on(client.fetcher.connector().call(url.parse().unwrap()));
    let refused = refused.unwrap_err();
    assert!(matches!(refused, FetchError::BadUrl { fault: UrlFault::Credentials, .. }));
    assert!(!refused.to_string().contains("p455"), "{refused}");
    assert_eq!(server.connections(), 0);
}

/// So many addresses that do not answer, and one that does.
fn beside_holes(holes: &[IpAddr], timeouts: Limits) -> (BlackHoles, Client) {
    let answer: Vec<IpAddr> = holes.iter().copied().chain([OUTSIDE]).collect();
    let client = Client::resolving(timeouts, move |_, _| Ok(answer.clone()));
    (BlackHoles::beside(OUTSIDE, holes), client)
}

#[test]
fn silent_addresses_hold_nobody_up() {
    let holes: [IpAddr; 2] = ["127.0.2.1", "127.0.2.2"].map(|hole| hole.parse().unwrap());
    let (black, client) = beside_holes(&holes, limits());
    let policy = outside().opening(Opening::of(holes[0]).at(0..=u16::MAX));
    let policy = policy.opening(Opening::of(holes[1]).at(0..=u16::MAX));
    let mut connector = client.fetcher.clone().with_policy(policy.clone()).connector();
    let uri: Uri = format!("http://a.test:{}/", black.port).parse().unwrap();
    let begun = Instant::now();
    let reached = runtime().block_on(connector.call(uri.clone())).unwrap();
    let took = begun.elapsed();
    assert_eq!(reached.inner().peer_addr().unwrap(), SocketAddr::new(OUTSIDE, black.port));
    assert!(took >= 2 * OsNet::CONNECT_DELAY, "{took:?}");
    assert!(took < limits().connect_timeout, "{took:?}");

    // Where nobody answers, it is over at the deadline, and the operator is told what it was about.
    let brief = Limits { timeout: Duration::from_millis(400), ..limits() };
    let client = Client::resolving(brief, move |_, _| Ok(holes.to_vec()));
    let fetcher = client.fetcher.clone().with_policy(policy);
    let begun = Instant::now();
    let error = runtime().block_on(fetcher.connector().call(uri)).unwrap_err();
    let took = begun.elapsed();
    assert!(error.is_timed_out(), "{error}");
    assert!(matches!(error, FetchError::Network { act: Act::Connect(_), .. }), "{error}");
    assert!(took >= brief.timeout && took < limits().connect_timeout, "{took:?}");
}

#[test]
fn what_does_not_answer_is_an_error_that_says_so() {
    let port = TcpListener::bind((OUTSIDE, 0)).unwrap().local_addr().unwrap().port();
    let client = Client::new(limits());
    match get(&client.fetcher, &format!("http://a.test:{port}/")) {
        Err(FetchError::Network { act: Act::Connect(to), error: NetError::Os(errno), .. }) => {
            assert_eq!(to, SocketAddr::new(OUTSIDE, port));
            assert_eq!(NetError::Os(errno).word(), "ECONNREFUSED");
        }
        other => panic!("{other:?}"),
    }
    let client = Client::resolving(limits(), |_, _| Err(NetError::NoSuchName));
    match get(&client.fetcher, "http://a.test/") {
        Err(FetchError::Network { act: Act::Resolve, error: NetError::NoSuchName, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_resolver_that_panics_or_hangs_is_an_error() {
    let client = Client::resolving(limits(), |_, _| panic!("a mistake of the resolver's"));
    match get(&client.fetcher, "http://a.test/") {
        Err(FetchError::Network { error: NetError::Resolver(said), .. }) => {
            assert!(said.contains("panic"), "{said}");
        }
        other => panic!("{other:?}"),
    }
    let hangs = Duration::from_secs(2);
    let brief = Limits { timeout: Duration::from_millis(200), ..limits() };
    let client = Client::resolving(brief, move |_, _| {
        std::thread::sleep(hangs);
        Ok(vec![OUTSIDE])
    });
    let mut connector = client.fetcher.connector();
    // The runtime itself waits for the thread when it ends.
    let (error, took) = runtime().block_on(async {
        let begun = Instant::now();
        let error = connector.call(Uri::from_static("http://a.test/")).await.unwrap_err();
        (error, begun.elapsed())
    });
    assert!(error.is_timed_out(), "{error}");
    assert!(matches!(error, FetchError::Network { act: Act::Resolve, .. }), "{error}");
    assert!(took >= brief.timeout && took < hangs, "{took:?}");
}
