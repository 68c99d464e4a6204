//! TLS on loopback: the server has to be the URL's host, whatever address it is at.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, Stream};
use toctou::fetch::{Act, FetchError, Fetched, Limits};
use toctou::net::NetError;

use crate::certificates::{Authority, years};
use crate::names::{Client, limits};
use crate::server::{OUTSIDE, Reached, Server, ok, redirect};

/// Fetching from [`OUTSIDE`].
trait Fetching {
    /// Trusting this authority alone.
    fn fetch(&self, url: &str, limits: Limits) -> Result<Fetched, FetchError>;
}

impl Fetching for Authority {
    fn fetch(&self, url: &str, limits: Limits) -> Result<Fetched, FetchError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Client::new(limits).fetcher.with_tls(Arc::new(config)).fetch(url)
    }
}

/// A server that speaks TLS, and the names that it was asked for by (SNI).
struct Secure {
    server: Server,
    names: Arc<Mutex<Vec<Option<String>>>>,
}

impl Secure {
    fn new(
        config: ServerConfig,
        serve: impl Fn(&mut Stream<'_, ServerConnection, TcpStream>, &Reached) -> io::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let config = Arc::new(config);
        let names = Arc::new(Mutex::new(Vec::new()));
        let noted = names.clone();
        let server = Server::at(OUTSIDE, move |tcp, reached| {
            let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            let mut stream = Stream::new(&mut tls, tcp);
            // As soon as a name is said, or an error.
            let hello = stream.conn.complete_io(stream.sock);
            noted.lock().unwrap().push(stream.conn.server_name().map(str::to_owned));
            hello?;
            serve(&mut stream, reached)
        });
        Secure { server, names }
    }

    /// One that answers each request with these bytes, and says that it ends.
    fn answering(config: ServerConfig, response: String) -> Self {
        Self::new(config, move |stream, reached| {
            reached.request(stream)?;
            stream.write_all(response.as_bytes())?;
            stream.conn.send_close_notify();
            stream.flush()
        })
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.server.port())
    }
}

#[test]
fn a_server_with_the_hosts_certificate_is_spoken_to_at_whatever_address() {
    let authority = Authority::new();
    let secure = Secure::answering(authority.server(&["a.test"], |_| {}), ok("cat"));
    let fetched = authority.fetch(&secure.url("a.test"), limits()).unwrap();
    assert_eq!(fetched.bytes, b"cat");
    assert_eq!(fetched.address, secure.server.address());
    assert_eq!(*secure.names.lock().unwrap(), [Some("a.test".to_owned())]);
    let requests = secure.server.requests();
    let host = format!("\r\nhost: a.test:{}\r\n", secure.server.port());
    assert!(requests.len() == 1 && requests[0].contains(&host), "{requests:?}");
}

#[test]
fn a_host_that_is_an_address_needs_a_certificate_for_that_address() {
    let authority = Authority::new();
    let secure = Secure::answering(authority.server(&["127.0.0.2"], |_| {}), ok("cat"));
    assert_eq!(authority.fetch(&secure.url("127.0.0.2"), limits()).unwrap().bytes, b"cat");
    assert_eq!(*secure.names.lock().unwrap(), [None], "an address is no server name");
    // The name leads to that address, but it is the name that was to be spoken to.
    refused(authority.fetch(&secure.url("a.test"), limits()), "not valid for name");
    assert_eq!(secure.server.requests().len(), 1);
}

/// The server did not prove who it is, and that is said.
fn refused(fetched: Result<Fetched, FetchError>, words: &str) {
    match fetched {
        Err(FetchError::Network { act: Act::Send(_), error: NetError::Tls(told), .. }) => {
            assert!(told.contains(words), "{told}");
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_server_that_does_not_prove_to_be_the_host_sees_no_byte_of_a_request() {
    let authority = Authority::new();
    let others = [
        (authority.server(&["b.test"], |_| {}), "not valid for name"),
        (authority.server(&["127.0.0.2"], |_| {}), "not valid for name"),
        (Authority::called("another").server(&["a.test"], |_| {}), "UnknownIssuer"),
        (Authority::new().server(&["a.test"], |_| {}), "BadSignature"),
        (authority.server(&["a.test"], years(2001, 2002)), "expired"),
        (authority.server(&["a.test"], years(4001, 4002)), "not valid yet"),
    ];
    for (config, words) in others {
        let secure = Secure::new(config, |stream, reached| {
            // Whatever comes is noted, whole or not.
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            reached.request(&mut (&byte[..]).chain(stream)).map(drop)
        });
        refused(authority.fetch(&secure.url("a.test"), limits()), words);
        assert_eq!(secure.server.connections(), 1, "{words}");
        assert_eq!(secure.server.requests(), [""; 0], "{words}");
    }
}

/// No certificate can have such a name, so nobody can show one.
#[test]
fn a_host_with_a_hyphen_at_a_labels_end_cannot_prove_who_it_is() {
    let authority = Authority::new();
    let secure = Secure::answering(authority.server(&["a.test"], |_| {}), ok("cat"));
    refused(authority.fetch(&secure.url("a-.test"), limits()), "dns name");
    assert_eq!(secure.server.requests(), [""; 0]);
}

#[test]
fn mozillas_roots_do_not_trust_strangers() {
    let stranger = Authority::new();
    let secure = Secure::answering(stranger.server(&["a.test"], |_| {}), ok("cat"));
    let client = Client::new(limits());
    refused(client.fetch(&secure.url("a.test")), "UnknownIssuer");
    assert_eq!(secure.server.requests(), [""; 0]);
}

#[test]
fn a_body_that_ends_with_the_connection_has_to_be_ended_by_the_server() {
    let authority = Authority::new();
    let until_close = "HTTP/1.1 200 OK\r\n\r\ncat";
    let secure = Secure::answering(authority.server(&["a.test"], |_| {}), until_close.to_owned());
    assert_eq!(authority.fetch(&secure.url("a.test"), limits()).unwrap().bytes, b"cat");

    let cut = |response: &'static str| {
        Secure::new(authority.server(&["a.test"], |_| {}), move |stream, reached| {
            reached.request(stream)?;
            stream.write_all(response.as_bytes())?;
            stream.flush()
        })
    };
    let secure = cut(until_close);
    let error = authority.fetch(&secure.url("a.test"), limits()).unwrap_err();
    assert!(
        matches!(
            &error,
            FetchError::Network { act: Act::Receive(_), error: NetError::Http(_), .. }
        ),
        "anybody on the way may have cut it: {error}"
    );
    // Where the length is known, it does not matter.
    let secure = cut("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncat");
    assert_eq!(authority.fetch(&secure.url("a.test"), limits()).unwrap().bytes, b"cat");
}

#[test]
fn a_redirect_from_https_to_http_is_refused_if_so_told() {
    let authority = Authority::new();
    let plain = Server::answering(ok("cat"));
    let response = redirect(&plain.url("/"));
    let secure = Secure::answering(authority.server(&["a.test"], |_| {}), response);
    let strict = Limits { https_only: true, ..limits() };
    let error = authority.fetch(&secure.url("a.test"), strict).unwrap_err();
    assert!(matches!(error, FetchError::BadUrl { number: 1, .. }), "{error}");
    assert_eq!(plain.connections(), 0);
    assert_eq!(authority.fetch(&secure.url("a.test"), limits()).unwrap().bytes, b"cat");
}

#[test]
fn a_server_that_speaks_no_tls_is_not_spoken_to() {
    let plain = Server::at(OUTSIDE, |stream, _| stream.write_all(ok("cat").as_bytes()));
    let url = plain.url("/").replace("http:", "https:");
    refused(Client::new(limits()).fetch(&url), "corrupt message");

    let closed = Server::at(OUTSIDE, |stream, _| stream.read(&mut [0; 4096]).map(drop));
    let url = closed.url("/").replace("http:", "https:");
    refused(Client::new(limits()).fetch(&url), "cut short");
}

#[test]
fn a_handshake_that_never_ends_does_not_get_past_the_deadline() {
    let silent = Server::at(OUTSIDE, |stream, _| stream.read_to_end(&mut Vec::new()).map(drop));
    let timeout = std::time::Duration::from_millis(300);
    let url = silent.url("/").replace("http:", "https:");
    let error = Client::new(Limits { timeout, ..limits() }).fetch(&url).unwrap_err();
    assert!(error.is_timed_out(), "{error}");
    assert!(matches!(error, FetchError::Network { act: Act::Send(_), .. }), "{error}");
}
