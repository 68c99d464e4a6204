//! `fetch_public` itself, with the system's resolver and no exceptions: all that a test can reach by it
//! is loopback, and that it refuses.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use toctou::fetch::{FetchError, Limits, fetch_public};

use crate::server::{Server, ok};

fn refused(server: &Server, host: &str) {
    let url = format!("http://{host}:{}/", server.port());
    match fetch_public(&url, Limits::default()) {
        Err(FetchError::Refused { hop, .. } | FetchError::RefusedName { hop, .. }) => {
            assert_eq!(hop.number, 0);
        }
        other => panic!("{url}: {other:?}"),
    }
    assert_eq!(server.connections(), 0, "{url}");
}

fn at(address: IpAddr) -> Server {
    Server::at(address, |stream, reached| {
        reached.request(stream)?;
        stream.write_all(ok("secret").as_bytes())
    })
}

#[test]
fn loopback_is_not_public_however_it_is_written() {
    let server = at(Ipv4Addr::LOCALHOST.into());
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f000001",
        "017700000001",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "LOCALHOST",
    ] {
        refused(&server, host);
    }
}

#[test]
fn loopback_of_ipv6_is_not_public_either() {
    // Where a machine has none, its kernel says so.
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => {
            let server = at(Ipv6Addr::LOCALHOST.into());
            for host in ["[::1]", "[0:0:0:0:0:0:0:1]", "[::0.0.0.1]", "localhost"] {
                refused(&server, host);
            }
        }
        Err(error) => eprintln!("without IPv6: {error}"),
    }
}

#[test]
fn a_zone_in_a_url_is_no_url() {
    for url in ["http://[fe80::1%eth0]/", "http://[fe80::1%25eth0]/", "http://[::1%251]/"] {
        let error = fetch_public(url, Limits::default()).unwrap_err();
        assert!(matches!(error, FetchError::BadUrl { number: 0, .. }), "{error}");
    }
}

#[test]
fn what_is_no_url_of_the_web_is_refused_before_anybody_is_asked() {
    for url in
        ["", "/", "a.test", "http://", "http:///", "//a.test/", "file:///etc/passwd", "unix:/x"]
    {
        let error = fetch_public(url, Limits::default()).unwrap_err();
        assert!(matches!(error, FetchError::BadUrl { number: 0, .. }), "{url}: {error}");
        assert!(error.is_refusal());
    }
}
