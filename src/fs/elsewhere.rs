//! First floor: Linux flags that other systems do not have, so that code there can name them for a
//! simulated Linux. Imports rustix only.

use std::ops::BitOr;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Limits of [`open_within`](super::FileSystem::open_within), as Linux numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResolveFlags(u64);

impl ResolveFlags {
    /// `RESOLVE_NO_XDEV`
    pub const NO_XDEV: Self = ResolveFlags(0x01);
    /// `RESOLVE_NO_MAGICLINKS`
    pub const NO_MAGICLINKS: Self = ResolveFlags(0x02);
    /// `RESOLVE_NO_SYMLINKS`
    pub const NO_SYMLINKS: Self = ResolveFlags(0x04);
    /// `RESOLVE_BENEATH`
    pub const BENEATH: Self = ResolveFlags(0x08);
    /// `RESOLVE_IN_ROOT`
    pub const IN_ROOT: Self = ResolveFlags(0x10);

    /// No limits.
    pub const fn empty() -> Self {
        ResolveFlags(0)
    }

    /// Whether there are no limits.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among these.
    pub const fn contains(&self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is among these.
    pub const fn intersects(&self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together: those of either.
    pub const fn union(self, other: Self) -> Self {
        ResolveFlags(self.0 | other.0)
    }

    /// These without `other`.
    pub const fn difference(self, other: Self) -> Self {
        ResolveFlags(self.0 & !other.0)
    }
}

impl BitOr for ResolveFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

/// Flags of `open` that only Linux has. Their bits are never given to this system's `open`.
pub trait LinuxOpenFlags {
    /// `O_PATH`
    const PATH: OFlags = OFlags::from_bits_retain(1 << 31);
    /// `O_TMPFILE`, with the `O_DIRECTORY` in it
    const TMPFILE: OFlags = OFlags::from_bits_retain(1 << 28).union(OFlags::DIRECTORY);
}

impl LinuxOpenFlags for OFlags {}

/// What this system's `open` is given for these flags: a mere place is opened for reading, and there
/// is no file without a name (`EOPNOTSUPP`).
pub(super) fn native(flags: OFlags) -> Result<OFlags, Errno> {
    if flags.contains(OFlags::TMPFILE) {
        return Err(Errno::OPNOTSUPP);
    }
    Ok(flags.difference(OFlags::PATH))
}
