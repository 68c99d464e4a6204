//! However a URL writes an address, it is judged before anybody is asked anything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use toctou::fetch::{Ask, FetchError, Rules, UrlFault, fetch};
use toctou::net::{NetError, Network, Policy, Request, Response};

use crate::draw::{internal, public};
use crate::written::written;

const CASES: u32 = 20_000;

pub(crate) fn rules() -> Arc<Rules> {
    Arc::new(Rules { policy: Policy::public(), bytes: 1_000, redirects: 3, https_only: false })
}

/// A network that is not there.
struct Nothing {
    asked: bool,
}

impl Network for Nothing {
    type Connection = ();

    fn resolve(&mut self, _: &str) -> Result<Vec<IpAddr>, NetError> {
        self.asked = true;
        Err(NetError::NoSuchName)
    }

    fn connect(&mut self, _: SocketAddr) -> Result<(), NetError> {
        self.asked = true;
        Err(NetError::TimedOut)
    }

    fn peer(&self, (): &()) -> Result<SocketAddr, NetError> {
        Err(NetError::TimedOut)
    }

    fn send(&mut self, (): &mut (), _: &Request) -> Result<(), NetError> {
        Err(NetError::TimedOut)
    }

    fn receive(&mut self, (): (), _: u64) -> Result<Response, NetError> {
        Err(NetError::TimedOut)
    }
}

/// What is said of a URL before anybody is asked anything.
fn said(url: &str) -> Result<(), FetchError> {
    let mut net = Nothing { asked: false };
    let fetched = fetch(&mut net, url, Ask::get(), rules());
    if net.asked { Ok(()) } else { fetched.map(drop) }
}

fn each_written(
    address: impl Strategy<Value = Ipv4Addr>,
    check: impl Fn(Ipv4Addr, Result<(), FetchError>) -> bool,
) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(6),
        ..Config::default()
    };
    let found = TestRunner::new(config).run(&written(address), |(v4, url)| {
        let said = said(&url);
        let told = format!("{v4} as {url}: {said:?}");
        if check(v4, said) { Ok(()) } else { Err(TestCaseError::fail(told)) }
    });
    if let Err(error) = found {
        panic!("{error}");
    }
}

#[test]
fn an_address_that_is_not_public_is_refused_however_it_is_written() {
    each_written(internal(), |v4, said| match said {
        Err(FetchError::Refused { hop, address, .. }) => {
            hop.number == 0 && address.to_canonical() == v4
        }
        _ => false,
    });
}

#[test]
fn a_public_address_is_not_refused_however_it_is_written() {
    each_written(public(), |_, said| said.is_ok());
}

#[test]
fn well_known_ways_to_write_loopback_are_refused() {
    let urls = [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://0177.0.0.01/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "https://１２７.０.０.１/",
        "http://①②⑦.⓪.⓪.①/",
        "http://%31%32%37.0.0.1/",
        "http://127。0。0。1/",
        "http://0/",
        "http://0x/",
        "http://1\t2\n7.1/",
        r"http:\\127.1\",
        "http:127.1",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
    ];
    for url in urls {
        let said = said(url);
        assert!(matches!(said, Err(FetchError::Refused { .. })), "{url}: {said:?}");
    }
}

#[test]
fn a_refusal_tells_the_url_the_address_and_why() {
    let error = said("http://[::ffff:7f00:1]/").expect_err("not public");
    assert_eq!(
        error.to_string(),
        "http://[::ffff:7f00:1]/ is not fetched: its address ::ffff:127.0.0.1 is not public \
         (::ffff:0:0/96, IPv4-mapped Address of 127.0.0.1 in 127.0.0.0/8, Loopback)"
    );
}

#[test]
fn zone_identifiers_are_refused_and_what_is_almost_an_address_too() {
    let urls = [
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1%251]/",
        "http://[2606:4700::1111%25eth0]/",
        "http://[::ffff:127.0.0.1%25lo]/",
        "http://[::ffff:127.1]/",
        "http://[::ffff:0x7f.0.0.1]/",
        "http://[127.0.0.1]/",
        "http://[v1.a]/",
        "http://256.0.0.1/",
        "http://1.2.3.4.5/",
        "http://127.0.0.08/",
        "http://0x100000000/",
        "http://127.0.0.1%00/",
        "http://127.0.0.1%20/",
        "http://127.0.0.1%0a.a.example/",
        "http://127.0.0.1%2f.a.example/",
        "http://a.example%40127.0.0.1/",
    ];
    for url in urls {
        match said(url) {
            Err(FetchError::BadUrl { number: 0, fault: UrlFault::NotAUrl(why), .. }) => {
                assert!(!why.is_empty(), "{url}");
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    let error = said("http://[fe80::1%25eth0]/").expect_err("a zone");
    assert_eq!(
        error.to_string(),
        "\"http://[fe80::1%25eth0]/\" is not fetched: it is not a URL: invalid IPv6 address"
    );
}
