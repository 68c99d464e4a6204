//! First floor, `net`: IANA's registries of special-purpose addresses. Imports its neighbours in
//! `net::policy`.
//!
//! The tables are those of 18 July 2026, complete, in IANA's order and words:
//! [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry),
//! [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry). Their newest row is of
//! April 2025. A block that is registered later is unknown here until somebody adds it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::block::{Block, bits};
use Reachable::{No, Unsaid, Yes};

/// A block of addresses, and its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The block as the registry writes it: `10.0.0.0/8`.
    pub text: &'static str,
    block: Block,
    /// The block's first address and the bits that its addresses have in common, [from the
    /// left](bits): every address is held against every row, of its family.
    first: u128,
    mask: u128,
    /// The purpose: `Private-Use`.
    pub name: &'static str,
    /// The document that says so: `[RFC1918]`.
    pub rfc: &'static str,
    /// Whether a packet to the block leaves one's own network.
    pub reachable: Reachable,
    /// Where an IPv4 address is in each of its addresses, if there is one.
    pub(super) carries: Option<Carries>,
    /// Whether an address of it stands for the nearest server of a kind, which may be one's own.
    pub nearest: bool,
}

/// The registry's column "Globally Reachable".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reachable {
    /// True.
    Yes,
    /// False.
    No,
    /// Not applicable; or empty, for an allocation that has ended.
    Unsaid,
}

/// Where an IPv4 address is in an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Carries {
    /// In the last 32 bits, and it is what a socket connects to.
    Mapped,
    /// In the last 32 bits.
    Last,
    /// After the first 16 bits.
    Second,
    /// In the last 32 bits, each of them inverted.
    Inverted,
}

impl Carries {
    pub(super) fn out_of(self, v6: Ipv6Addr) -> Ipv4Addr {
        match self {
            Carries::Mapped | Carries::Last => last_32_bits(v6),
            Carries::Inverted => Ipv4Addr::from_bits(!last_32_bits(v6).to_bits()),
            Carries::Second => {
                let [_, _, a, b, c, d, ..] = v6.octets();
                [a, b, c, d].into()
            }
        }
    }
}

/// The IPv4 addresses that an address of NAT64 for local use (`64:ff9b:1::/48`) carries, one in
/// each of the places that RFC 6052 (section 2.2) defines for prefixes of 48, 56, 64 or 96 bits.
pub(super) fn local_nat64(v6: Ipv6Addr) -> Option<[Ipv4Addr; 4]> {
    let b = match v6.octets() {
        b @ [0, 0x64, 0xff, 0x9b, 0, 1, ..] => b,
        _ => return None,
    };
    // The ninth byte has no part in it.
    Some([
        [b[6], b[7], b[9], b[10]].into(),
        [b[7], b[9], b[10], b[11]].into(),
        [b[9], b[10], b[11], b[12]].into(),
        [b[12], b[13], b[14], b[15]].into(),
    ])
}

/// The last 32 bits of an IPv6 address, as an IPv4 address.
pub(super) fn last_32_bits(v6: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = v6.octets();
    [a, b, c, d].into()
}

const fn row(
    text: &'static str,
    name: &'static str,
    rfc: &'static str,
    reachable: Reachable,
) -> Row {
    let block = block(text);
    let (first, mask) = (bits(block.first()), block.mask());
    Row { text, block, first, mask, name, rfc, reachable, carries: None, nearest: false }
}

impl Row {
    /// Whether an address is in the block. An IPv4-mapped address counts as the IPv6 address that
    /// it is written as.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.block.has(address)
    }

    /// Whether its addresses are, but for what they carry.
    pub(super) fn is_public(&self) -> bool {
        self.reachable == Reachable::Yes && !self.nearest
    }

    const fn nearest(self) -> Self {
        Row { nearest: true, ..self }
    }

    const fn carrying(self, carries: Carries) -> Self {
        Row { carries: Some(carries), ..self }
    }
}

/// The IPv4 Special-Purpose Address Registry.
pub static IPV4: &[Row] = &[
    row("0.0.0.0/8", "\"This network\"", "[RFC791], Section 3.2", No),
    row("0.0.0.0/32", "\"This host on this network\"", "[RFC1122], Section 3.2.1.3", No),
    row("10.0.0.0/8", "Private-Use", "[RFC1918]", No),
    row("100.64.0.0/10", "Shared Address Space", "[RFC6598]", No),
    row("127.0.0.0/8", "Loopback", "[RFC1122], Section 3.2.1.3", No),
    row("169.254.0.0/16", "Link Local", "[RFC3927]", No),
    row("172.16.0.0/12", "Private-Use", "[RFC1918]", No),
    row("192.0.0.0/24", "IETF Protocol Assignments", "[RFC6890], Section 2.1", No),
    row("192.0.0.0/29", "IPv4 Service Continuity Prefix", "[RFC7335]", No),
    row("192.0.0.8/32", "IPv4 dummy address", "[RFC7600]", No),
    row("192.0.0.9/32", "Port Control Protocol Anycast", "[RFC7723]", Yes).nearest(),
    row("192.0.0.10/32", "Traversal Using Relays around NAT Anycast", "[RFC8155]", Yes).nearest(),
    row("192.0.0.170/32", "NAT64/DNS64 Discovery", "[RFC8880][RFC7050], Section 2.2", No),
    row("192.0.0.171/32", "NAT64/DNS64 Discovery", "[RFC8880][RFC7050], Section 2.2", No),
    row("192.0.2.0/24", "Documentation (TEST-NET-1)", "[RFC5737]", No),
    row("192.31.196.0/24", "AS112-v4", "[RFC7535]", Yes),
    row("192.52.193.0/24", "AMT", "[RFC7450]", Yes),
    row("192.88.99.0/24", "Deprecated (6to4 Relay Anycast)", "[RFC7526]", Unsaid),
    row("192.88.99.2/32", "6a44-relay anycast address", "[RFC6751]", No),
    row("192.168.0.0/16", "Private-Use", "[RFC1918]", No),
    row("192.175.48.0/24", "Direct Delegation AS112 Service", "[RFC7534]", Yes),
    row("198.18.0.0/15", "Benchmarking", "[RFC2544]", No),
    row("198.51.100.0/24", "Documentation (TEST-NET-2)", "[RFC5737]", No),
    row("203.0.113.0/24", "Documentation (TEST-NET-3)", "[RFC5737]", No),
    row("240.0.0.0/4", "Reserved", "[RFC1112], Section 4", No),
    row("255.255.255.255/32", "Limited Broadcast", "[RFC8190] [RFC919], Section 7", No),
];

/// The IPv6 Special-Purpose Address Registry.
pub static IPV6: &[Row] = &[
    row("::1/128", "Loopback Address", "[RFC4291]", No),
    row("::/128", "Unspecified Address", "[RFC4291]", No),
    row("::ffff:0:0/96", "IPv4-mapped Address", "[RFC4291]", No).carrying(Carries::Mapped),
    row("64:ff9b::/96", "IPv4-IPv6 Translat.", "[RFC6052]", Yes).carrying(Carries::Last),
    row("64:ff9b:1::/48", "IPv4-IPv6 Translat.", "[RFC8215]", No),
    row("100::/64", "Discard-Only Address Block", "[RFC6666]", No),
    row("100:0:0:1::/64", "Dummy IPv6 Prefix", "[RFC9780]", No),
    row("2001::/23", "IETF Protocol Assignments", "[RFC2928]", No),
    row("2001::/32", "TEREDO", "[RFC4380] [RFC8190]", Unsaid).carrying(Carries::Inverted),
    row("2001:1::1/128", "Port Control Protocol Anycast", "[RFC7723]", Yes).nearest(),
    row("2001:1::2/128", "Traversal Using Relays around NAT Anycast", "[RFC8155]", Yes).nearest(),
    row("2001:1::3/128", "DNS-SD Service Registration Protocol Anycast", "[RFC9665]", Yes)
        .nearest(),
    row("2001:2::/48", "Benchmarking", "[RFC5180][RFC Errata 1752]", No),
    row("2001:3::/32", "AMT", "[RFC7450]", Yes),
    row("2001:4:112::/48", "AS112-v6", "[RFC7535]", Yes),
    row("2001:10::/28", "Deprecated (previously ORCHID)", "[RFC4843]", Unsaid),
    row("2001:20::/28", "ORCHIDv2", "[RFC7343]", Yes),
    row("2001:30::/28", "Drone Remote ID Protocol Entity Tags (DETs) Prefix", "[RFC9374]", Yes),
    row("2001:db8::/32", "Documentation", "[RFC3849]", No),
    row("2002::/16", "6to4", "[RFC3056]", Unsaid).carrying(Carries::Second),
    row("2620:4f:8000::/48", "Direct Delegation AS112 Service", "[RFC7534]", Yes),
    row("3fff::/20", "Documentation", "[RFC9637]", No),
    row("5f00::/16", "Segment Routing (SRv6) SIDs", "[RFC9602]", No),
    row("fc00::/7", "Unique-Local", "[RFC4193] [RFC8190]", No),
    row("fe80::/10", "Link-Local Unicast", "[RFC4291]", No),
];

/// What is special of IPv4 addresses by other registries.
static IPV4_ELSEWHERE: &[Row] = &[row("224.0.0.0/4", "Multicast", "[RFC5771]", No)];

/// What is special of IPv6 addresses by other registries, and by RFCs that have become history.
static IPV6_ELSEWHERE: &[Row] = &[
    row("::/0", "not Global Unicast", "[RFC4291], Section 2.4", No),
    row("2000::/3", "Global Unicast", "[RFC4291], Section 2.4", Yes),
    row("::/96", "IPv4-Compatible Address", "[RFC4291], Section 2.5.5.1", No)
        .carrying(Carries::Last),
    row("::ffff:0:0:0/96", "IPv4-translated Address", "[RFC2765], Section 2.1", No)
        .carrying(Carries::Last),
    row("fec0::/10", "Deprecated (Site-Local Unicast)", "[RFC3879]", No),
    row("ff00::/8", "Multicast", "[RFC4291], Section 2.7", No),
];

/// Interface identifiers of ISATAP, behind any prefix, that carry an address of somebody's own.
pub(super) static ISATAP_LOCAL: Row = isatap("*::5efe:0:0/96", "::5efe:0:0/96");
/// The same for an address that is said to be globally unique.
pub(super) static ISATAP_GLOBAL: Row = isatap("*::200:5efe:0:0/96", "::200:5efe:0:0/96");

const fn isatap(text: &'static str, identifier: &'static str) -> Row {
    Row { text, ..row(identifier, "ISATAP Interface Identifier", "[RFC5214], Section 6.1", No) }
        .carrying(Carries::Last)
}

/// The most specific row that an address is in. IPv4-mapped addresses are in the row of their form.
/// Every IPv6 address is in one.
pub(super) fn most_specific(address: IpAddr) -> Option<&'static Row> {
    let (special, elsewhere) = match address {
        IpAddr::V4(_) => (IPV4, IPV4_ELSEWHERE),
        IpAddr::V6(_) => (IPV6, IPV6_ELSEWHERE),
    };
    let bits = bits(address);
    let rows = special.iter().chain(elsewhere).filter(|row| bits & row.mask == row.first);
    rows.max_by_key(|row| row.mask)
}

/// Reads a block of the tables above while the crate is compiled; what is none does not compile.
const fn block(text: &str) -> Block {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b':' {
            return ipv6_block(bytes);
        }
        at += 1;
    }
    ipv4_block(bytes)
}

const fn ipv4_block(text: &[u8]) -> Block {
    let (mut at, mut numbers, mut address, mut number) = (0, 0, 0, 0);
    while at < text.len() {
        match text[at] {
            digit @ b'0'..=b'9' => number = 10 * number + (digit - b'0') as u32,
            b'.' | b'/' => {
                assert!(number < 256);
                (numbers, address, number) = (numbers + 1, address << 8 | number, 0);
            }
            _ => panic!("not a block of IPv4 addresses"),
        }
        at += 1;
    }
    assert!(numbers == 4 && number <= 32 && (address as u64) << number & 0xffff_ffff == 0);
    Block::new(IpAddr::V4(Ipv4Addr::from_bits(address)), number as u8)
}

const fn ipv6_block(text: &[u8]) -> Block {
    // The groups so far, and how many of them; those before `::` stand at the left.
    let (mut before, mut address, mut groups, mut is_shortened) = (0_u128, 0_u128, 0, false);
    let (mut at, mut group) = (0, 0);
    while text[at] != b'/' {
        match text[at] {
            digit @ b'0'..=b'9' => group = group << 4 | (digit - b'0') as u128,
            digit @ b'a'..=b'f' => group = group << 4 | (digit - b'a' + 10) as u128,
            b':' => {
                if at > 0 && text[at - 1] == b':' {
                    assert!(!is_shortened);
                    is_shortened = true;
                    if groups > 0 {
                        before = address << (128 - 16 * groups);
                    }
                    address = 0;
                } else if at > 0 {
                    (groups, address, group) = (groups + 1, address << 16 | group, 0);
                }
            }
            _ => panic!("not a block of IPv6 addresses"),
        }
        assert!(group < 0x1_0000);
        at += 1;
    }
    if text[at - 1] != b':' {
        (groups, address) = (groups + 1, address << 16 | group);
    }
    assert!(if is_shortened { groups < 8 } else { groups == 8 });
    let (mut length, address) = (0, before | address);
    at += 1;
    while at < text.len() {
        assert!(text[at].is_ascii_digit());
        length = 10 * length + (text[at] - b'0') as u32;
        at += 1;
    }
    assert!(length == 128 || (length < 128 && address << length == 0));
    Block::new(IpAddr::V6(Ipv6Addr::from_bits(address)), length as u8)
}
