//! First floor, `net`: which addresses are public, by IANA's registries of special-purpose
//! addresses, and which names are [special](special_name). Imports nothing of this crate.
//!
//! - **Rows.** The most specific row of the [registries](registry) that contains an address
//!   decides. A row that says "globally reachable" lets the address pass. A row that denies it, or
//!   does not say, refuses the address.
//! - **Anycast** addresses that stand for the nearest server of their kind are refused. A packet to
//!   them may go anywhere, but the nearest server may be on one's own network.
//! - **Multicast** addresses are refused, whatever their scope.
//! - **IPv6 outside of `2000::/3`** is refused unless a row lets it pass: that is the one part that
//!   IANA assigns as global unicast. Inside of it, an address not yet assigned counts as public, as
//!   it does in IPv4: there is nobody to reach.
//! - **An IPv6 address that carries an IPv4 address** is judged by that address too. An IPv4-mapped
//!   one *is* that address, since sockets connect to it. Behind NAT64's `64:ff9b::/96` and behind
//!   an ISATAP interface identifier, the IPv4 address has to be public. The addresses in 6to4,
//!   Teredo and the old forms (compatible, translated) do not matter: these forms are refused in
//!   any case.
//!
//! An address does not show what an operator's own NAT64 prefix stands for. If such a prefix leads
//! to internal addresses, the operator has to configure the translator to refuse them, as RFC 6052
//! (section 5.1) asks.

mod block;
mod name;
pub mod registry;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

pub use block::{Block, BlockError};
pub use name::{Name, NameError, SPECIAL_NAMES, SpecialName, special_name};
use registry::{Carries, ISATAP_GLOBAL, ISATAP_LOCAL, Row};

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Special {
    /// The most specific block that contains the address: `10.0.0.0/8`.
    pub block: &'static str,
    /// The purpose of the block: `Private-Use`.
    pub name: &'static str,
    /// The document that says so, in the registry's words: `[RFC1918]`.
    pub rfc: &'static str,
    /// The IPv4 address that it carries, if its form carries one.
    pub carried: Option<Carried>,
    /// The use that the policy opens the address for, if it opens it for another one.
    pub opened: Option<Elsewhere>,
}

/// A [policy](Policy::opening) opens the address, but not for this use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Elsewhere {
    /// At ports other than this one.
    AtOtherPorts(u16),
    /// For URLs with other hosts.
    ForOtherHosts,
}

/// An IPv4 address inside an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Carried {
    /// The address.
    pub address: Ipv4Addr,
    /// Why this address is not public; `None` if it is.
    pub special: Option<&'static Row>,
}

impl Special {
    fn new(row: &Row, carried: Option<Carried>) -> Self {
        Special { block: row.text, name: row.name, rfc: row.rfc, carried, opened: None }
    }
}

impl fmt::Display for Special {
    /// `10.0.0.0/8, Private-Use`; `2002::/16, 6to4 of 192.0.43.8`;
    /// `64:ff9b::/96, IPv4-IPv6 Translat. of 10.0.0.1 in 10.0.0.0/8, Private-Use`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.block, self.name)?;
        if let Some(Carried { address, special }) = self.carried {
            write!(f, " of {address}")?;
            if let Some(row) = special {
                write!(f, " in {}, {}", row.text, row.name)?;
            }
        }
        match self.opened {
            Some(Elsewhere::AtOtherPorts(port)) => write!(f, "; allowed, but not at port {port}"),
            Some(Elsewhere::ForOtherHosts) => f.write_str("; allowed, but not for this host"),
            None => Ok(()),
        }
    }
}

/// An exception of a [policy](Policy::opening) besides public addresses: addresses, at some ports,
/// for URLs with some host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Opening {
    block: Block,
    ports: Option<RangeInclusive<u16>>,
    host: Option<Name>,
}

impl Opening {
    /// The default ports of the URL schemes `http` and `https`.
    pub const PORTS: [u16; 2] = [80, 443];

    /// Opens these addresses, at the [ports](Opening::PORTS) of `http` and `https`, whatever the
    /// URL's host.
    ///
    /// An IPv4 address is also opened in its IPv6-mapped form, and in no other. An address that
    /// carries it by NAT64 or ISATAP leads there through another party's translator or tunnel. It
    /// has to be opened itself.
    pub fn of(block: impl Into<Block>) -> Self {
        Opening { block: block.into(), ports: None, host: None }
    }

    /// The same addresses at these ports, and at no others.
    pub fn at(self, ports: RangeInclusive<u16>) -> Self {
        Opening { ports: Some(ports), ..self }
    }

    /// The same addresses for URLs with exactly this host. The policy then also [looks the name
    /// up](Policy::allowing_name), even if it is special.
    pub fn called(self, host: Name) -> Self {
        Opening { host: Some(host), ..self }
    }

    fn has_port(&self, port: u16) -> bool {
        match &self.ports {
            Some(ports) => ports.contains(&port),
            None => Self::PORTS.contains(&port),
        }
    }

    fn is_for(&self, host: &str) -> bool {
        self.host.as_ref().is_none_or(|name| name.is(host))
    }
}

/// Which names may be looked up and which addresses may be connected to: public ones and those that
/// are [allowed](Policy::allowing), except those that are [denied](Policy::denying_block).
///
/// An address that is public by IANA's registries may be internal all the same. Examples are a
/// network's own public addresses behind its firewall, the prefix of its own NAT64, and a service
/// of a cloud's host (Azure has one at 168.63.129.16). No registry knows them: deny them.
///
/// ```
/// use toctou::net::policy::{Opening, Policy};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = Policy::public()
///     // At the ports 80 and 443.
///     .allowing("10.0.0.7".parse()?)
///     // Only for `http://images.internal:8080/…`.
///     .opening(Opening::of("10.0.0.8".parse::<std::net::IpAddr>()?).at(8080..=8080)
///         .called("images.internal".parse()?))
///     .denying_block("168.63.129.16".parse()?);
/// assert!(policy.judge("10.0.0.7".parse()?).is_ok());
/// assert!(policy.judge_at("10.0.0.7", "10.0.0.7:6379".parse()?).is_err());
/// assert!(policy.judge_at("images.internal", "10.0.0.8:8080".parse()?).is_ok());
/// assert!(policy.judge_at("10.0.0.8", "10.0.0.8:8080".parse()?).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    opened: Arc<[Opening]>,
    names: Arc<[Name]>,
    denied: Arc<[Block]>,
    denied_names: Arc<[Name]>,
}

/// The same with one more.
fn with<T: Clone>(all: &[T], one: T) -> Arc<[T]> {
    all.iter().cloned().chain([one]).collect()
}

impl Policy {
    /// Public addresses only, and no [special](special_name) names.
    pub fn public() -> Self {
        Self::default()
    }

    /// The same policy, which also allows this address, whatever it is, at the ports of `http` and
    /// `https`. For other ports, or for some hosts only, use [`opening`](Policy::opening).
    pub fn allowing(self, address: IpAddr) -> Self {
        self.allowing_block(address.into())
    }

    /// The same policy, which also allows every address of this block, as
    /// [`allowing`](Policy::allowing) does.
    pub fn allowing_block(self, block: Block) -> Self {
        self.opening(Opening::of(block))
    }

    /// The same policy with this opening.
    pub fn opening(self, opening: Opening) -> Self {
        Policy { opened: with(&self.opened, opening), ..self }
    }

    /// The same policy, which also looks up this name and every name below it, even if they are
    /// [special](special_name). Their addresses are judged as before.
    pub fn allowing_name(self, name: Name) -> Self {
        Policy { names: with(&self.names, name), ..self }
    }

    /// The same policy, which denies every address of this block, whatever else allows it. If the
    /// block has IPv4 addresses, the policy also denies every IPv6 address that carries one of
    /// them.
    ///
    /// Only its translator knows where an address of NAT64 for local use (`64:ff9b:1::/48`) carries
    /// an IPv4 address. Such an address is denied if it carries a denied one in any of the places
    /// of RFC 6052.
    pub fn denying_block(self, block: Block) -> Self {
        Policy { denied: with(&self.denied, block), ..self }
    }

    /// The same policy, which looks up neither this name nor any name below it, whatever else
    /// allows it.
    pub fn denying_name(self, name: Name) -> Self {
        Policy { denied_names: with(&self.denied_names, name), ..self }
    }

    /// Whether a URL's host may be looked up, if it is a name.
    ///
    /// # Errors
    ///
    /// The reason, if it may not.
    pub fn judge_name(&self, host: &str) -> Result<(), SpecialName> {
        if self.denied_names.iter().any(|name| name.contains(host)) {
            return Err(SpecialName { domain: "", name: "denied by this policy", rfc: "" });
        }
        let opened =
            self.opened.iter().any(|it| it.host.as_ref().is_some_and(|name| name.is(host)));
        if opened || self.names.iter().any(|name| name.contains(host)) {
            return Ok(());
        }
        special_name(host).map_or(Ok(()), Err)
    }

    /// Whether an address may be connected to at a port of `http` or `https`, for a URL with this
    /// same address as its host.
    ///
    /// # Errors
    ///
    /// The reason, if it may not.
    pub fn judge(&self, address: IpAddr) -> Result<(), Special> {
        // No name is an address.
        let at = |port| self.judge_at("", SocketAddr::new(address, port));
        let [http, https] = Opening::PORTS;
        at(http).or_else(|_| at(https))
    }

    /// Whether this address may be connected to at this port, for a URL with this host.
    ///
    /// # Errors
    ///
    /// The reason, if it may not.
    pub fn judge_at(&self, host: &str, to: SocketAddr) -> Result<(), Special> {
        let address = to.ip();
        if self.denies(address) {
            return Err(Special {
                block: "denied",
                name: "by this policy",
                rfc: "",
                carried: None,
                opened: None,
            });
        }
        let Some(special) = special(address) else { return Ok(()) };
        let mut opened = None;
        for opening in self.opened.iter().filter(|opening| opening.block.contains(address)) {
            match (opening.has_port(to.port()), opening.is_for(host)) {
                (true, true) => return Ok(()),
                (false, true) => opened = Some(Elsewhere::AtOtherPorts(to.port())),
                (_, false) => opened = opened.or(Some(Elsewhere::ForOtherHosts)),
            }
        }
        Err(Special { opened, ..special })
    }

    fn denies(&self, address: IpAddr) -> bool {
        let denied = |address: IpAddr| self.denied.iter().any(|block| block.contains(address));
        if self.denied.is_empty() {
            return false;
        }
        denied(address)
            || match address {
                IpAddr::V4(_) => false,
                IpAddr::V6(v6) => carried(v6).any(|v4| denied(v4.into())),
            }
    }
}

/// The IPv4 addresses that an address carries, or may, if it is of a form that does.
fn carried(v6: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let row = registry::most_specific(v6.into());
    let by_form = row.and_then(|row| row.carries).map(|carries| carries.out_of(v6));
    let by_isatap = isatap(v6).map(|(_, carried)| carried.address);
    let by_nat64 = registry::local_nat64(v6).into_iter().flatten();
    by_form.into_iter().chain(by_isatap).chain(by_nat64)
}

/// Why an address is not public; `None` if it is.
pub fn special(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(v4) => special_v4(v4).map(|row| Special::new(row, None)),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(v4: Ipv4Addr) -> Option<&'static Row> {
    registry::most_specific(v4.into()).filter(|row| !row.is_public())
}

fn special_v6(v6: Ipv6Addr) -> Option<Special> {
    let row = registry::most_specific(v6.into())?;
    let carried = row.carries.map(|carries| Carried::new(carries.out_of(v6)));
    let is_carried_public = carried.is_none_or(|carried| carried.special.is_none());
    let is_public = match row.carries {
        Some(Carries::Mapped) => is_carried_public,
        _ => row.is_public() && is_carried_public,
    };
    if !is_public {
        return Some(Special::new(row, carried));
    }
    // Whatever the first half of the address is, it may be a tunnel's.
    let (row, carried) = isatap(v6)?;
    carried.special.map(|_| Special::new(row, Some(carried)))
}

/// What an interface identifier carries that is one of ISATAP.
fn isatap(v6: Ipv6Addr) -> Option<(&'static Row, Carried)> {
    let row = match v6.segments()[4..6] {
        [0, 0x5efe] => &ISATAP_LOCAL,
        [0x200, 0x5efe] => &ISATAP_GLOBAL,
        _ => return None,
    };
    Some((row, Carried::new(registry::last_32_bits(v6))))
}

impl Carried {
    fn new(address: Ipv4Addr) -> Self {
        Carried { address, special: special_v4(address) }
    }
}
