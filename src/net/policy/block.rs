//! First floor, `net`: a block of addresses. Imports nothing of this crate.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// The addresses of one family with a common prefix: `10.1.0.0/16`, `2001:db8::/32`, or a single
/// address.
///
/// IPv6 addresses that are IPv4-mapped are IPv4 addresses: `::ffff:10.1.0.0/112` is `10.1.0.0/16`.
/// A block of IPv6 addresses contains no IPv4 address, however large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block {
    first: IpAddr,
    length: u8,
}

/// Why a text is not a [`Block`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BlockError {
    /// It is neither an address nor an address, a slash and a number.
    #[error("{0:?} is not a block of addresses, such as 10.1.0.0/16 or 2001:db8::1")]
    Malformed(Arc<str>),
    /// The number after the slash is larger than an address has bits.
    #[error("{0:?} is not a block of addresses: no address has so many bits")]
    TooLong(Arc<str>),
    /// The address is not the block's first one: it has bits set after the prefix.
    #[error("{0:?} is not a block of addresses: it has bits set after the first {1}")]
    NotTheFirst(Arc<str>, u8),
}

impl Block {
    /// `length` is at most what the family's addresses have, and `first` has no bits after that.
    pub(super) const fn new(first: IpAddr, length: u8) -> Self {
        Block { first, length }
    }

    pub(super) const fn first(self) -> IpAddr {
        self.first
    }

    /// Ones where its addresses are alike, [from the left](bits).
    pub(super) const fn mask(self) -> u128 {
        if self.length == 0 { 0 } else { u128::MAX << (128 - self.length) }
    }

    /// Whether an address is in the block.
    pub fn contains(self, address: IpAddr) -> bool {
        self.has(address.to_canonical())
    }

    /// The same, with IPv4-mapped addresses taken as the IPv6 addresses that they are written as.
    pub(super) fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && bits(address) & self.mask() == bits(self.first)
    }
}

/// An address's bits, from the left.
pub(super) const fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => (v4.to_bits() as u128) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl From<IpAddr> for Block {
    /// The block of this address alone.
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Block::new(first, if first.is_ipv4() { 32 } else { 128 })
    }
}

impl FromStr for Block {
    type Err = BlockError;

    fn from_str(text: &str) -> Result<Self, BlockError> {
        let malformed = || BlockError::Malformed(text.into());
        let Some((address, length)) = text.split_once('/') else {
            return text.parse().map(IpAddr::into).map_err(|_| malformed());
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        // No sign, no zeros in front: nothing that two readers could read differently.
        if length.is_empty()
            || !length.bytes().all(|byte| byte.is_ascii_digit())
            || (length.len() > 1 && length.starts_with('0'))
        {
            return Err(malformed());
        }
        let bits_there_are = if address.is_ipv4() { 32 } else { 128 };
        let length = length.parse().ok().filter(|length| *length <= bits_there_are);
        let length = length.ok_or_else(|| BlockError::TooLong(text.into()))?;
        if bits(address).checked_shl(u32::from(length)).unwrap_or(0) != 0 {
            return Err(BlockError::NotTheFirst(text.into(), length));
        }
        // The common bits of IPv4-mapped addresses are 96 more: the last of those is set in all.
        let first = address.to_canonical();
        let length = if first == address { length } else { length - 96 };
        Ok(Block::new(first, length))
    }
}

impl fmt::Display for Block {
    /// `10.1.0.0/16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        text.parse().expect("a block")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_block_contains_what_begins_like_it() {
        let cases = [
            ("10.1.0.0/16", "10.1.0.0", "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3", "10.1.2.3", "::ffff:10.1.2.3", "10.1.2.2"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", "::1"),
            ("::/0", "::", "ffff::", "1.2.3.4"),
            ("::/0", "::", "ffff::", "::ffff:1.2.3.4"),
            ("2001:db8::/33", "2001:db8::", "2001:db8:7fff::", "2001:db8:8000::"),
            ("::ffff:10.1.0.0/112", "10.1.0.0", "::ffff:10.1.2.3", "10.2.0.0"),
            ("::ffff:0:0/96", "0.0.0.0", "::ffff:255.0.0.1", "::fffe:0:0"),
        ];
        for (text, first, inside, outside) in cases {
            assert!(block(text).contains(address(first)), "{first} in {text}");
            assert!(block(text).contains(address(inside)), "{inside} in {text}");
            assert!(!block(text).contains(address(outside)), "{outside} in {text}");
        }
    }

    #[test]
    fn a_block_is_written_as_it_is_read() {
        for text in ["10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "::/0", "2001:db8::/32"] {
            assert_eq!(block(text).to_string(), text);
        }
        assert_eq!(block("::ffff:10.1.0.0/112"), block("10.1.0.0/16"));
        assert_eq!(block("10.1.2.3"), Block::from(address("::ffff:10.1.2.3")));
    }

    #[test]
    fn what_is_no_block_is_refused_and_why() {
        for text in ["", "/", "10.1.0.0/", "/8", "10/8", "10.0.0.0/+8", "10.0.0.0/08", "a", "::1/x"]
        {
            assert_eq!(text.parse::<Block>(), Err(BlockError::Malformed(text.into())), "{text}");
        }
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/4294967304"] {
            assert_eq!(text.parse::<Block>(), Err(BlockError::TooLong(text.into())), "{text}");
        }
        for (text, length) in [("10.0.0.1/8", 8), ("::1/0", 0), ("::ffff:0:0/95", 95)] {
            let refused = BlockError::NotTheFirst(text.into(), length);
            assert_eq!(text.parse::<Block>(), Err(refused), "{text}");
        }
    }
}
