//! What the URL's parser takes for a name is not an address to the system's resolver; and if it
//! were, it would be judged once it is resolved.

use std::net::{IpAddr, Ipv4Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use toctou::fetch::{Ask, FetchError, Fetched, fetch};
use toctou::net::{Page, SimNet, Url, Visit};
use url::Host;

use crate::urls::rules;

const CASES: u32 = 100_000;

/// What `inet_aton(3)` of the GNU C library reads, which is what `getaddrinfo(3)` tries first: up to
/// four numbers, each as in C, the last of which takes up all that is left; then nothing, or white
/// space and whatever.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let end = text.find(|character: char| character == '\0' || is_space(character));
    let numbers: Option<Vec<u64>> =
        text[..end.unwrap_or(text.len())].split('.').map(c_number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() <= 4)?;
    let (last, alone) = numbers.split_last()?;
    let left = 32 - 8 * u32::try_from(alone.len()).ok()?;
    if *last >= 1 << left || alone.iter().any(|number| *number > 255) {
        return None;
    }
    let first = alone.iter().fold(0, |first, number| first << 8 | number);
    u32::try_from(first << left | last).ok().map(Ipv4Addr::from)
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

fn c_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let has_digits_only = digits.chars().all(|character| character.is_digit(radix));
    if has_digits_only { u64::from_str_radix(digits, radix).ok() } else { None }
}

#[test]
fn the_c_librarys_reading_is_the_one_that_is_tested() {
    let loopback = Some(Ipv4Addr::LOCALHOST);
    for text in ["127.0.0.1", "127.1", "0x7f.1", "0177.0.0.01", "2130706433", "127.0.0.1 \u{1}a"] {
        assert_eq!(inet_aton(text), loopback, "{text}");
    }
    for text in ["127.0.0.1.", "127.0.0.1.0", "256.1", "08", "0x", "", ".", "a", "1..2", "+1", "٣"]
    {
        assert_eq!(inet_aton(text), None, "{text}");
    }
}

/// Hosts of the characters that addresses are written with, and of some that are taken for them.
fn host() -> impl Strategy<Value = String> {
    let pieces = [
        "0", "1", "7", "8", "9", "127", "255", "256", "0x", "0X", "7f", "f", "x", "a", "-", "_",
        "+", ".", ".", ".", "..", "。", "％", "%", "%2e", "%00", "%20", "%09", "%0b", "%30", "%31",
        "%78", "１", "ｘ", "．", "٣", "³", "①", "⒈", "𝟏", "\u{ad}", "\u{200b}", "\u{200d}",
        "\u{2060}", "ß", "xn--", "\t", "\u{b}", "~", "!", "e", "1e1",
    ];
    vec(select(pieces.to_vec()), 1..10).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_name_in_a_url_is_read_as_an_address_by_the_c_library() {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..Config::default()
    };
    let (names, addresses) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let found = TestRunner::new(config).run(&host(), |host| {
        let url = Url::parse(&format!("http://{host}/"));
        match url.as_ref().ok().and_then(Url::host) {
            Some(Host::Domain(name)) => {
                names.set(names.get() + 1);
                match inet_aton(name) {
                    Some(v4) => Err(TestCaseError::fail(format!("{name} is {v4}"))),
                    None => Ok(()),
                }
            }
            Some(Host::Ipv4(_)) => {
                addresses.set(addresses.get() + 1);
                Ok(())
            }
            _ => Ok(()),
        }
    });
    if let Err(error) = found {
        panic!("{error}");
    }
    // Neither is what hardly ever comes up.
    assert!(names.get() > 10_000 && addresses.get() > 1_000, "{names:?} {addresses:?}");
}

/// Fetches from a network in which this name has these addresses.
fn fetched(name: &str, addresses: &[IpAddr]) -> (Result<Fetched, FetchError>, usize) {
    let mut net = SimNet::new().with_name(name, addresses);
    for address in addresses {
        net = net.with_server(*address, Page::text("content"));
    }
    let fetched = fetch(&mut net, &format!("http://{name}/"), Ask::get(), rules());
    let visits: usize = net.servers().map(|(_, visits): (_, &[Visit])| visits.len()).sum();
    (fetched, visits)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_name_that_looks_like_an_address_is_judged_by_what_it_resolves_to() {
    for name in ["127.0.0.1.a", "0x7f.0x1g", "a127.0.0.1a", "127.0.0.1-a"] {
        let (fetched, visits) = fetched(name, &[address("127.0.0.1")]);
        let is_refused = matches!(fetched, Err(FetchError::Refused { .. }));
        assert!(is_refused && visits == 0, "{name}: {fetched:?}, {visits} visits");
    }
}

#[test]
fn a_name_with_one_private_address_is_refused() {
    let public = [address("192.0.43.8"), address("2606:4700::1111")];
    let (fetched_, visits) = fetched("a.example", &public);
    assert!(fetched_.is_ok() && visits == 2, "{fetched_:?}, {visits} visits");
    for private in ["10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fe80::1", "0.0.0.0", "::"] {
        for at in 0..=public.len() {
            let mut addresses = public.to_vec();
            addresses.insert(at, address(private));
            let (fetched, visits) = fetched("a.example", &addresses);
            let is_refused = matches!(
                &fetched,
                Err(FetchError::Refused { address: refused, .. }) if *refused == address(private)
            );
            assert!(is_refused && visits == 0, "{addresses:?}: {fetched:?}, {visits} visits");
        }
    }
}
