//! The source's tables are IANA's, row by row, and each block's borders are where IANA has them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use toctou::net::policy::registry::{self, Reachable, Row};
use toctou::net::policy::special;

use crate::oracle::{Entry, IPV4, IPV6, Table, Verdict, judge};

/// A row as words that can be compared.
type Words<'a> = [&'a str; 4];

fn words_of_source(row: &Row) -> [Words<'_>; 2] {
    let words = |reachable| [row.text, row.name, row.rfc, reachable];
    match row.reachable {
        Reachable::Yes => [words("True"); 2],
        Reachable::No => [words("False"); 2],
        Reachable::Unsaid => [words("N/A"), words("")],
    }
}

fn words_of_iana(entry: &Entry) -> Words<'_> {
    [&entry.block, &entry.name, &entry.rfc, &entry.reachable]
}

fn assert_equal(source: &[Row], iana: &Table, rows: usize) {
    let told: BTreeSet<_> = source.iter().flat_map(words_of_source).collect();
    let published: BTreeSet<_> = iana.entries.iter().map(words_of_iana).collect();
    let missing: Vec<_> = published.difference(&told).collect();
    assert!(missing.is_empty(), "not in the source: {missing:?}");
    let more = source
        .iter()
        .filter(|row| !words_of_source(row).iter().any(|words| published.contains(words)));
    assert_eq!(more.count(), 0, "in the source only");
    assert_eq!((source.len(), iana.entries.len()), (rows, rows));
    for (row, entry) in source.iter().zip(&iana.entries) {
        assert_eq!(row.text, entry.block, "IANA's order");
        let is_in = |number| row.contains(iana.address(number));
        assert!(is_in(entry.first) && is_in(entry.last()), "{}", entry.block);
        let before = entry.first.checked_sub(1);
        let after = entry.last().checked_add(1).filter(|after| *after <= iana.end());
        assert!(!before.is_some_and(is_in) && !after.is_some_and(is_in), "{}", entry.block);
    }
}

#[test]
fn the_table_for_ipv4_is_the_registry() {
    assert_equal(registry::IPV4, &IPV4, 26);
}

#[test]
fn the_table_for_ipv6_is_the_registry() {
    assert_equal(registry::IPV6, &IPV6, 25);
}

/// The first and the last address of each block, and the neighbours on either side of it.
pub(crate) fn borders() -> Vec<IpAddr> {
    let tables: [&Table; 2] = [&IPV4, &IPV6];
    let borders = tables.into_iter().flat_map(|table| {
        let end = table.end();
        table.entries.iter().flat_map(move |entry| {
            let (first, last) = (entry.first, entry.last());
            let before = first.checked_sub(1);
            let after = last.checked_add(1).filter(|after| *after <= end);
            let numbers = [before, Some(first), Some(last), after].into_iter().flatten();
            numbers.map(move |number| table.address(number))
        })
    });
    borders.collect()
}

#[test]
fn the_borders_of_each_block_are_judged_as_the_most_specific_row_says() {
    let borders = borders();
    for address in &borders {
        assert_eq!(agrees(*address), Ok(()));
    }
    // `0.0.0.0/8`, `0.0.0.0/32` and `::/128` have no neighbour before them, `240.0.0.0/4` and
    // `255.255.255.255/32` none behind.
    assert_eq!(borders.len(), 4 * (26 + 25) - 5);
    let public = borders.iter().filter(|address| special(**address).is_none()).count();
    assert!((50..100).contains(&public), "{public} of {} are public", borders.len());
}

/// Whether the policy judges an address as the oracle does, by the same block.
pub(crate) fn agrees(address: IpAddr) -> Result<(), String> {
    let said = match special(address) {
        None => Verdict::Public,
        Some(special) => {
            let block = special.block.to_owned();
            let entries = IPV4.entries.iter().chain(&IPV6.entries);
            let is_of_iana = entries.map(|entry| &entry.block).any(|known| *known == block);
            Verdict::Refused(is_of_iana.then_some(block))
        }
    };
    let expected = judge(address);
    if said == expected { Ok(()) } else { Err(format!("{address}: {said:?}, not {expected:?}")) }
}

#[test]
fn addresses_that_everybody_knows_are_judged_as_everybody_knows() {
    let refused = [
        ("0.0.0.0", "0.0.0.0/32"),
        ("10.0.0.1", "10.0.0.0/8"),
        ("100.100.100.200", "100.64.0.0/10"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("169.254.169.254", "169.254.0.0/16"),
        ("172.31.255.255", "172.16.0.0/12"),
        ("192.0.0.9", "192.0.0.9/32"),
        ("192.0.0.10", "192.0.0.10/32"),
        ("192.0.0.11", "192.0.0.0/24"),
        ("192.88.99.1", "192.88.99.0/24"),
        ("224.0.0.1", "224.0.0.0/4"),
        ("239.255.255.255", "224.0.0.0/4"),
        ("255.255.255.255", "255.255.255.255/32"),
        ("::", "::/128"),
        ("::1", "::1/128"),
        ("100::1", "100::/64"),
        ("64:ff9b:1::1", "64:ff9b:1::/48"),
        ("2001:1::1", "2001:1::1/128"),
        ("2001:1::2", "2001:1::2/128"),
        ("2001:1::3", "2001:1::3/128"),
        ("2001:10::1", "2001:10::/28"),
        ("2001:db8::1", "2001:db8::/32"),
        ("3fff:fff::1", "3fff::/20"),
        ("4000::", "::/0"),
        ("5f00::1", "5f00::/16"),
        ("fd00:ec2::254", "fc00::/7"),
        ("fe80::1", "fe80::/10"),
        ("fec0::1", "fec0::/10"),
        ("ff0e::1", "ff00::/8"),
        ("1fff:ffff::", "::/0"),
    ];
    for (address, block) in refused {
        let special = special(address.parse().expect("an address"));
        assert_eq!(special.map(|special| special.block), Some(block), "{address}");
    }
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "192.31.196.1",
        "172.32.0.0",
        "223.255.255.255",
        "2000::",
        "2001:3::1",
        "2001:4:112::1",
        "2001:20::1",
        "2001:30::1",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "2620:4f:8000::1",
        "3fff:1000::",
    ];
    for address in public {
        assert_eq!(special(address.parse().expect("an address")), None, "{address}");
    }
}
