//! Addresses inside addresses, and what is said of them.

use std::net::IpAddr;

use toctou::net::policy::special;

/// What is said of an address: nothing, if it is public.
fn said(address: &str) -> String {
    let address: IpAddr = address.parse().expect("an address");
    special(address).map_or_else(String::new, |special| special.to_string())
}

#[test]
fn an_ipv4_address_is_told_with_its_block() {
    assert_eq!(said("10.1.2.3"), "10.0.0.0/8, Private-Use");
    assert_eq!(said("0.0.0.0"), "0.0.0.0/32, \"This host on this network\"");
}

#[test]
fn a_mapped_address_is_the_ipv4_address_that_sockets_connect_to() {
    let told = "::ffff:0:0/96, IPv4-mapped Address of 127.0.0.1 in 127.0.0.0/8, Loopback";
    assert_eq!(said("::ffff:127.0.0.1"), told);
    assert_eq!(said("::ffff:7f00:1"), told);
    assert_eq!(said("::ffff:8.8.8.8"), "");
    assert_eq!(said("::ffff:192.31.196.1"), "");
}

#[test]
fn behind_nat64_has_to_be_a_public_address() {
    let told = "64:ff9b::/96, IPv4-IPv6 Translat. of 169.254.169.254 in 169.254.0.0/16, Link Local";
    assert_eq!(said("64:ff9b::169.254.169.254"), told);
    assert_eq!(said("64:ff9b::8.8.8.8"), "");
    // Who has a prefix of their own decides what is behind it, and how it is written there.
    assert_eq!(said("64:ff9b:1::8.8.8.8"), "64:ff9b:1::/48, IPv4-IPv6 Translat.");
}

#[test]
fn tunnels_are_refused_wherever_they_lead() {
    assert_eq!(said("2002:7f00:1::"), "2002::/16, 6to4 of 127.0.0.1 in 127.0.0.0/8, Loopback");
    assert_eq!(said("2002:808:808::1"), "2002::/16, 6to4 of 8.8.8.8");
    // RFC 4380, section 4: the client's address is the last, its bits inverted.
    let client = "2001:0:4136:e378:8000:63bf:3fff:fdd2";
    let told = "2001::/32, TEREDO of 192.0.2.45 in 192.0.2.0/24, Documentation (TEST-NET-1)";
    assert_eq!(said(client), told);
}

#[test]
fn the_forms_of_old_are_refused_whatever_they_carry() {
    let told = "::/96, IPv4-Compatible Address of 10.0.0.1 in 10.0.0.0/8, Private-Use";
    assert_eq!(said("::10.0.0.1"), told);
    assert_eq!(said("::8.8.8.8"), "::/96, IPv4-Compatible Address of 8.8.8.8");
    let told = "::ffff:0:0:0/96, IPv4-translated Address of 10.0.0.1 in 10.0.0.0/8, Private-Use";
    assert_eq!(said("::ffff:0:10.0.0.1"), told);
    assert_eq!(said("::ffff:0:8.8.8.8"), "::ffff:0:0:0/96, IPv4-translated Address of 8.8.8.8");
    assert_eq!(said("::1"), "::1/128, Loopback Address");
}

#[test]
fn an_isatap_identifier_of_an_address_that_is_not_public_is_refused_behind_any_prefix() {
    let told = "*::5efe:0:0/96, ISATAP Interface Identifier of 10.0.0.1 in 10.0.0.0/8, Private-Use";
    assert_eq!(said("2606:4700::5efe:10.0.0.1"), told);
    assert_eq!(said("2606:4700::200:5efe:10.0.0.1"), told.replace("*::", "*::200:"));
    assert_eq!(said("2606:4700::5efe:8.8.8.8"), "");
    assert_eq!(said("2606:4700::100:5efe:10.0.0.1"), "");
    assert_eq!(said("fe80::5efe:8.8.8.8"), "fe80::/10, Link-Local Unicast");
}

#[test]
fn the_nearest_server_of_a_kind_is_refused_in_each_form_that_carries_its_address() {
    assert_eq!(said("192.0.0.9"), "192.0.0.9/32, Port Control Protocol Anycast");
    for v4 in ["192.0.0.9", "192.0.0.10"] {
        for form in ["::ffff:", "64:ff9b::", "2606:4700::5efe:"] {
            assert_ne!(said(&format!("{form}{v4}")), "", "{form}{v4}");
        }
    }
}
