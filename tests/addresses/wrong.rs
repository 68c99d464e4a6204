//! Negative controls: policies that are wrong the way policies usually are. Each is found out, both
//! by random addresses and, where it errs about a row, at that row's borders.

use std::net::{IpAddr, Ipv6Addr};

use toctou::net::policy::registry::{IPV4, IPV6, Reachable};
use toctou::net::policy::special;

use crate::agree::search;
use crate::oracle::{Verdict, judge};
use crate::tables::borders;

type IsPublic = fn(IpAddr) -> bool;

fn check(is_public: IsPublic, address: IpAddr) -> Result<(), String> {
    let is_right = is_public(address) == (judge(address) == Verdict::Public);
    if is_right { Ok(()) } else { Err(address.to_string()) }
}

/// Whether random addresses and borders find an error.
fn found(is_public: IsPublic) -> (bool, bool) {
    let at_random = search(|address| check(is_public, address)).is_err();
    (at_random, borders().into_iter().any(|border| check(is_public, border).is_err()))
}

fn is_public(address: IpAddr) -> bool {
    special(address).is_none()
}

fn knows_rfc_1918_only(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !v4.is_private() && !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_loopback(),
    }
}

fn forgets_mapped_forms(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) || is_public(address)
}

fn refuses_mapped_forms_of_public_addresses(address: IpAddr) -> bool {
    !matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) && is_public(address)
}

fn takes_the_least_specific_row(address: IpAddr) -> bool {
    let rows = IPV4.iter().chain(IPV6).filter(|row| row.contains(address));
    let row = rows.min_by_key(|row| row.text.split_once('/').map(|(_, n)| n.parse::<u8>().ok()));
    row.map_or_else(|| is_public(address), |row| row.reachable == Reachable::Yes)
}

fn takes_not_applicable_for_reachable(address: IpAddr) -> bool {
    let rows = IPV4.iter().chain(IPV6).filter(|row| row.contains(address));
    let row = rows.max_by_key(|row| row.text.split_once('/').map(|(_, n)| n.parse::<u8>().ok()));
    row.is_some_and(|row| row.reachable == Reachable::Unsaid) || is_public(address)
}

fn looks_not_behind_nat64(address: IpAddr) -> bool {
    let prefix = [0x64, 0xff9b, 0, 0, 0, 0];
    matches!(address, IpAddr::V6(v6) if v6.segments()[..6] == prefix) || is_public(address)
}

fn looks_not_behind_isatap(address: IpAddr) -> bool {
    let without = |v6: Ipv6Addr| Ipv6Addr::from(u128::from(v6) & !(0xffff << 32));
    is_public(match address {
        IpAddr::V6(v6) if v6.segments()[5] == 0x5efe => without(v6).into(),
        _ => address,
    })
}

fn lets_multicast_pass(address: IpAddr) -> bool {
    address.is_multicast() || is_public(address)
}

fn lets_the_nearest_pass(address: IpAddr) -> bool {
    let mut rows = IPV4.iter().chain(IPV6).filter(|row| row.nearest);
    rows.any(|row| row.contains(address)) || is_public(address)
}

#[test]
fn wrong_policies_are_found_out_and_the_right_one_is_not() {
    assert_eq!(found(is_public), (false, false));
    let wrong: [(&str, IsPublic, bool); 9] = [
        ("knows RFC 1918 only", knows_rfc_1918_only, true),
        ("forgets mapped forms", forgets_mapped_forms, true),
        ("refuses mapped forms", refuses_mapped_forms_of_public_addresses, false),
        ("takes the least specific row", takes_the_least_specific_row, true),
        ("takes N/A for reachable", takes_not_applicable_for_reachable, true),
        ("looks not behind NAT64", looks_not_behind_nat64, true),
        ("looks not behind ISATAP", looks_not_behind_isatap, false),
        ("lets multicast pass", lets_multicast_pass, true),
        ("lets the nearest pass", lets_the_nearest_pass, true),
    ];
    for (name, is_public, at_borders) in wrong {
        assert_eq!(found(is_public), (true, at_borders), "{name}");
    }
}
