//! What a policy allows beside the public addresses.

use std::net::IpAddr;

use toctou::net::policy::{SPECIAL_NAMES, special_name};
use toctou::net::{Block, Name, Opening, Policy};

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

/// RFC 6052 has an IPv4 address in one of several places, by the length of the translator's prefix.
#[test]
fn a_denied_block_is_refused_behind_nat64_for_local_use_in_each_of_its_places() {
    let block = |text: &str| text.parse::<Block>().expect("a block");
    let open = Policy::public().allowing_block(block("64:ff9b:1::/48"));
    let policy = open.clone().denying_block(block("10.20.30.40"));
    let carrying = [
        "64:ff9b:1:a14:1e:2800::",
        "64:ff9b:1:ab0a:14:1e28::",
        "64:ff9b:1:abcd:a:141e:2800:0",
        "64:ff9b:1:abcd::a14:1e28",
        // What stands beside it is no translator's business.
        "64:ff9b:1:a14:ff1e:28ff:ffff:ffff",
    ];
    for carrying in carrying {
        assert_eq!(open.judge(address(carrying)), Ok(()), "{carrying}");
        let special = policy.judge(address(carrying)).expect_err("denied");
        assert_eq!(special.block, "denied", "{carrying}");
        assert!(Policy::public().judge(address(carrying)).is_err(), "{carrying}");
    }
    for other in ["64:ff9b:1:a14:1e:2900::", "64:ff9b:1:abcd::a14:1e29", "64:ff9b:1::1"] {
        assert_eq!(policy.judge(address(other)), Ok(()), "{other}");
    }
}

#[test]
fn an_allowed_address_is_open_at_the_ports_of_http_and_https_alone() {
    let at = |policy: &Policy, port: u16| policy.judge_at("", (address("10.0.0.7"), port).into());
    let policy = Policy::public().allowing(address("10.0.0.7"));
    for port in 0..=u16::MAX {
        assert_eq!(at(&policy, port).is_ok(), [80, 443].contains(&port), "{port}");
    }
    let opening = Opening::of(address("10.0.0.7")).at(8000..=8001);
    let policy = Policy::public().opening(opening);
    for port in 0..=u16::MAX {
        assert_eq!(at(&policy, port).is_ok(), [8000, 8001].contains(&port), "{port}");
    }
    let public = Policy::public().judge_at("", "8.8.8.8:22".parse().expect("a socket's address"));
    assert_eq!(public, Ok(()), "any port of a public address is open");
}

#[test]
fn what_is_opened_for_a_host_is_open_for_that_host_alone() {
    let host: Name = "Pictures.Internal.".parse().expect("a name");
    let policy = Policy::public().opening(Opening::of(address("10.0.0.7")).called(host));
    let to = (address("10.0.0.7"), 80).into();
    for host in ["pictures.internal", "pictures.internal."] {
        assert_eq!(
            (policy.judge_at(host, to), policy.judge_name(host)),
            (Ok(()), Ok(())),
            "{host}"
        );
    }
    for host in ["10.0.0.7", "a.pictures.internal", "internal", "xpictures.internal", "a.test", ""]
    {
        assert!(policy.judge_at(host, to).is_err(), "{host}");
    }
    assert!(policy.judge_name("a.pictures.internal").is_err());
    assert!(policy.judge(address("10.0.0.7")).is_err());
}

#[test]
fn a_denied_name_is_not_looked_up_nor_one_below_it_whatever_else_is_allowed() {
    let name = |text: &str| text.parse::<Name>().expect("a name");
    let policy = Policy::public().allowing_name(name("b.internal")).denying_name(name("a.test"));
    let policy = policy.denying_name(name("a.b.internal"));
    for denied in ["a.test", "x.a.test.", "a.b.internal"] {
        let special = policy.judge_name(denied).expect_err(denied);
        assert_eq!(special.to_string(), "denied by this policy", "{denied}");
    }
    for other in ["b.test", "xa.test", "b.internal", "c.b.internal"] {
        assert_eq!(policy.judge_name(other), Ok(()), "{other}");
    }
}

#[test]
fn names_are_special_by_their_last_labels() {
    for row in SPECIAL_NAMES {
        for name in
            [row.domain.to_owned(), format!("a.{}", row.domain), format!("a.{}.", row.domain)]
        {
            assert_eq!(special_name(&name), Some(*row), "{name}");
        }
        for name in [format!("{}.test", row.domain), format!("a.x{}", row.domain)] {
            assert_eq!(special_name(&name), None, "{name}");
        }
    }
    assert_eq!(special_name("printer.").map(|special| special.domain), Some(""));
    for text in ["", ".", "127.0.0.1", "[::1]", "a b", "a/b", "0x7f.1"] {
        let error = text.parse::<Name>().expect_err(text);
        assert!(error.to_string().contains("is not a host's name"), "{error}");
    }
}
