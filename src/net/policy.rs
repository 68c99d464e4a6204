//! First floor, `net`: which addresses are public, by IANA's registries of special-purpose addresses.
//! Imports nothing of this crate.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Special {
    /// The block that it is in: `10.0.0.0/8`.
    pub block: &'static str,
    /// What that is for: `Private-Use`.
    pub name: &'static str,
}

impl fmt::Display for Special {
    /// `10.0.0.0/8, Private-Use`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.block, self.name)
    }
}

/// Which addresses may be connected to: public ones, and those that are [allowed](Policy::allowing).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    allowed: Arc<[IpAddr]>,
}

impl Policy {
    /// Public addresses only.
    pub fn public() -> Self {
        Self::default()
    }

    /// The same, and this address, whatever it is; an IPv4 address also in its IPv6-mapped form.
    pub fn allowing(self, address: IpAddr) -> Self {
        let allowed = self.allowed.iter().copied().chain([address.to_canonical()]);
        Policy { allowed: allowed.collect() }
    }

    /// Whether an address may be connected to.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn judge(&self, address: IpAddr) -> Result<(), Special> {
        if self.allowed.contains(&address.to_canonical()) {
            return Ok(());
        }
        special(address).map_or(Ok(()), Err)
    }
}

/// Why an address is not public; `None` if it is.
pub fn special(address: IpAddr) -> Option<Special> {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => {
            Some(Special { block: "127.0.0.0/8", name: "Loopback" })
        }
        IpAddr::V4(v4) if v4.is_private() => {
            Some(Special { block: "10.0.0.0/8", name: "Private-Use" })
        }
        IpAddr::V4(_) => None,
        IpAddr::V6(_) => Some(Special { block: "::/0", name: "IPv6" }),
    }
}
