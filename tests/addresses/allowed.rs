//! What a policy allows beside the public addresses.

use std::net::IpAddr;

use toctou::net::{Block, Policy};

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_public_policy_allows_public_addresses_only() {
    assert_eq!(Policy::public().judge(address("8.8.8.8")), Ok(()));
    let special = Policy::public().judge(address("127.0.0.1")).expect_err("not public");
    assert_eq!((special.block, special.name), ("127.0.0.0/8", "Loopback"));
    assert_eq!(special.rfc, "[RFC1122], Section 3.2.1.3");
}

#[test]
fn an_allowed_address_is_allowed_in_its_mapped_form_and_in_no_other() {
    for allowed in ["127.0.0.2", "::ffff:127.0.0.2"] {
        let policy = Policy::public().allowing(address(allowed));
        for same in ["127.0.0.2", "::ffff:127.0.0.2"] {
            assert_eq!(policy.judge(address(same)), Ok(()), "{same}");
        }
        for other in
            ["127.0.0.1", "127.0.0.3", "64:ff9b::127.0.0.2", "::127.0.0.2", "2002:7f00:2::"]
        {
            assert!(policy.judge(address(other)).is_err(), "{other}");
        }
    }
}

#[test]
fn an_allowed_address_does_not_take_back_another() {
    let policy = Policy::public().allowing(address("127.0.0.2")).allowing(address("::1"));
    for allowed in ["127.0.0.2", "::1", "1.1.1.1"] {
        assert_eq!(policy.judge(address(allowed)), Ok(()), "{allowed}");
    }
    assert!(policy.judge(address("::2")).is_err());
}

#[test]
fn an_allowed_block_allows_its_addresses_and_not_its_neighbours() {
    let block: Block = "10.1.0.0/16".parse().expect("a block");
    let policy = Policy::public().allowing_block(block);
    for allowed in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"] {
        assert_eq!(policy.judge(address(allowed)), Ok(()), "{allowed}");
    }
    for other in ["10.0.255.255", "10.2.0.0", "64:ff9b::10.1.0.1", "::ffff:0:10.1.0.1"] {
        assert!(policy.judge(address(other)).is_err(), "{other}");
    }
}

/// Azure's host has a service at a public address.
#[test]
fn a_denied_block_is_refused_in_each_form_that_carries_it_whatever_else_is_allowed() {
    let block = |text: &str| text.parse::<Block>().expect("a block");
    let policy = Policy::public()
        .denying_block(block("168.63.129.16"))
        .denying_block(block("2001:67c:2e8::/48"))
        .allowing_block(block("168.63.0.0/16"));
    let denied = [
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "64:ff9b::168.63.129.16",
        "2a00::5efe:168.63.129.16",
        "2001:67c:2e8::1",
    ];
    for denied in denied {
        let special = policy.judge(address(denied)).expect_err("denied");
        assert_eq!(special.to_string(), "denied, by this policy", "{denied}");
        assert_eq!(Policy::public().judge(address(denied)), Ok(()), "{denied}");
    }
    for other in ["168.63.129.17", "64:ff9b::168.63.129.17", "2001:67c:2e9::1"] {
        assert_eq!(policy.judge(address(other)), Ok(()), "{other}");
    }
}
