//! First floor, `net`: which addresses are public, by IANA's registries of special-purpose addresses.
//! Imports nothing of this crate.
//!
//! - The most specific row of the [registries](registry) that an address is in decides. One that says
//!   "globally reachable" lets it pass; one that denies it, or does not say, refuses it.
//! - Multicast addresses are refused, of whichever scope.
//! - IPv6 addresses outside of `2000::/3`, the one part that IANA gives out as global unicast, are
//!   refused unless a row lets them pass. Inside of it, what no registry of addresses is given yet is
//!   taken for public, as it is in IPv4: there is nobody to reach.
//! - An IPv6 address that carries an IPv4 address is judged by that too. An IPv4-mapped one *is* that
//!   address, since sockets connect to it. Behind NAT64's `64:ff9b::/96` and behind an ISATAP
//!   interface identifier has to be a public one. What 6to4, Teredo and the forms of old (compatible,
//!   translated) carry does not matter: they are refused in any case.
//!
//! What an operator's own NAT64 prefix stands for cannot be told by an address. Who has one that leads
//! to internal addresses has to keep the translator from it, as RFC 6052 (section 5.1) asks.

mod block;
pub mod registry;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub use block::{Block, BlockError};
use registry::{Carries, ISATAP_GLOBAL, ISATAP_LOCAL, Reachable, Row};

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Special {
    /// The block that it is in, the most specific one: `10.0.0.0/8`.
    pub block: &'static str,
    /// What that is for: `Private-Use`.
    pub name: &'static str,
    /// Who says so, in the registry's words: `[RFC1918]`.
    pub rfc: &'static str,
    /// The IPv4 address that it carries, if it is of a form that does.
    pub carried: Option<Carried>,
}

/// An IPv4 address inside an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Carried {
    /// The address.
    pub address: Ipv4Addr,
    /// Why that is not public; `None` if it is.
    pub special: Option<&'static Row>,
}

impl Special {
    fn new(row: &Row, carried: Option<Carried>) -> Self {
        Special { block: row.text, name: row.name, rfc: row.rfc, carried }
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
        Ok(())
    }
}

/// Which addresses may be connected to: public ones, and those that are [allowed](Policy::allowing), but
/// for those that are [denied](Policy::denying_block).
///
/// What is public by IANA's registries may be internal all the same: a network's own public addresses
/// behind its firewall, the prefix of its own NAT64, a service of a cloud's host (Azure has one at
/// 168.63.129.16). No registry knows them: deny them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    allowed: Arc<[Block]>,
    denied: Arc<[Block]>,
}

impl Policy {
    /// Public addresses only.
    pub fn public() -> Self {
        Self::default()
    }

    /// The same, and this address, whatever it is; an IPv4 address also in its IPv6-mapped form.
    ///
    /// In no other form: what carries an allowed IPv4 address by NAT64 or ISATAP leads there through
    /// somebody else's translator or tunnel, and has to be allowed itself.
    pub fn allowing(self, address: IpAddr) -> Self {
        self.allowing_block(address.into())
    }

    /// The same, and every address of this block, as if [each](Policy::allowing) were allowed.
    pub fn allowing_block(self, block: Block) -> Self {
        let allowed = self.allowed.iter().copied().chain([block]);
        Policy { allowed: allowed.collect(), ..self }
    }

    /// The same, and no address of this block, whatever else allows it; of IPv4 addresses, none that
    /// carries one of them either.
    pub fn denying_block(self, block: Block) -> Self {
        let denied = self.denied.iter().copied().chain([block]);
        Policy { denied: denied.collect(), ..self }
    }

    /// Whether an address may be connected to.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn judge(&self, address: IpAddr) -> Result<(), Special> {
        if self.denies(address) {
            return Err(Special {
                block: "denied",
                name: "by this policy",
                rfc: "",
                carried: None,
            });
        }
        if self.allowed.iter().any(|block| block.contains(address)) {
            return Ok(());
        }
        special(address).map_or(Ok(()), Err)
    }
}

impl Policy {
    fn denies(&self, address: IpAddr) -> bool {
        if self.denied.is_empty() {
            return false;
        }
        let carried = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => carried(v6),
        };
        let mut addresses = [Some(address), carried.map(IpAddr::from)].into_iter().flatten();
        addresses.any(|it| self.denied.iter().any(|block| block.contains(it)))
    }
}

/// The IPv4 address that an address carries, if it is of a form that does.
fn carried(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let by_form = registry::most_specific(v6.into()).and_then(|row| row.carries);
    let by_isatap = || isatap(v6).map(|(_, carried)| carried.address);
    by_form.map(|carries| carries.out_of(v6)).or_else(by_isatap)
}

/// Why an address is not public; `None` if it is.
pub fn special(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(v4) => special_v4(v4).map(|row| Special::new(row, None)),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(v4: Ipv4Addr) -> Option<&'static Row> {
    registry::most_specific(v4.into()).filter(|row| row.reachable != Reachable::Yes)
}

fn special_v6(v6: Ipv6Addr) -> Option<Special> {
    let row = registry::most_specific(v6.into())?;
    let carried = row.carries.map(|carries| Carried::new(carries.out_of(v6)));
    let is_carried_public = carried.is_none_or(|carried| carried.special.is_none());
    let is_public = match (row.carries, row.reachable) {
        (Some(Carries::Mapped), _) | (_, Reachable::Yes) => is_carried_public,
        (_, Reachable::No | Reachable::Unsaid) => false,
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
