//! First floor: what may be a path here, for every world alike. Imports rustix and its vocabulary
//! elsewhere.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, OFlags, RenameFlags, SeekFrom};
use rustix::io::Errno;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::LinuxOpenFlags as _;
use super::ResolveFlags;

/// The flags of `open` that every world understands; with any other it answers `EINVAL`, so that
/// no protocol is proved with a flag the simulation would have to ignore.
const UNDERSTOOD: OFlags = OFlags::RWMODE
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::TRUNC)
    .union(OFlags::APPEND)
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::PATH)
    .union(OFlags::TMPFILE)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY)
    .union(OFlags::NONBLOCK)
    .union(OFlags::DSYNC)
    .union(OFlags::SYNC);

/// Likewise the limits of `openat2`. No simulated directory is a mount point or a magic link.
const LIMITS: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::IN_ROOT)
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Refuses (`EINVAL`) flags of `open` that some world does not understand.
#[inline]
pub(super) fn understood(flags: OFlags) -> Result<(), Errno> {
    if flags.difference(UNDERSTOOD).is_empty() { Ok(()) } else { Err(Errno::INVAL) }
}

/// Refuses (`EINVAL`) limits of `openat2` that some world does not understand.
#[inline]
pub(super) fn limits(resolve: ResolveFlags) -> Result<(), Errno> {
    if resolve.difference(LIMITS).is_empty() { Ok(()) } else { Err(Errno::INVAL) }
}

/// Whether a final link is followed; `EINVAL` for flags that some world does not understand.
#[inline]
pub(super) fn follows(flags: AtFlags) -> Result<bool, Errno> {
    match flags {
        AtFlags::SYMLINK_NOFOLLOW => Ok(false),
        none if none.is_empty() => Ok(true),
        _ => Err(Errno::INVAL),
    }
}

/// Whether a link that gets a name is followed first; `EINVAL` for flags that some world does not
/// understand.
#[inline]
pub(super) fn links(flags: AtFlags) -> Result<bool, Errno> {
    match flags {
        AtFlags::SYMLINK_FOLLOW => Ok(true),
        none if none.is_empty() => Ok(false),
        _ => Err(Errno::INVAL),
    }
}

/// Refuses (`EINVAL`) flags of `renameat2` that some world does not understand, the two together
/// among them.
#[inline]
pub(super) fn renames(flags: RenameFlags) -> Result<(), Errno> {
    match flags {
        RenameFlags::NOREPLACE | RenameFlags::EXCHANGE => Ok(()),
        none if none.is_empty() => Ok(()),
        _ => Err(Errno::INVAL),
    }
}

/// Refuses (`EINVAL`) what is no position in any file: it would be negative to the kernel.
#[inline]
pub(super) fn position(offset: u64) -> Result<(), Errno> {
    if i64::try_from(offset).is_ok() { Ok(()) } else { Err(Errno::INVAL) }
}

/// Refuses (`EINVAL`) to look for data or holes: where they are is up to the file system.
#[inline]
pub(super) fn seekable(to: SeekFrom) -> Result<(), Errno> {
    match to {
        SeekFrom::Start(_) | SeekFrom::Current(_) | SeekFrom::End(_) => Ok(()),
        #[allow(unreachable_patterns)] // which others there are differs between systems
        _ => Err(Errno::INVAL),
    }
}

/// Refuses (`EXDEV`, as `openat2` does with `RESOLVE_BENEATH`) a path that leaves the directory the
/// walk starts at: an absolute one, or one with more `..` than names before it.
///
/// It looks at the text alone. Where symbolic links are, they still lead out.
#[inline(always)]
pub(super) fn confined(path: &Path) -> Result<(), Errno> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.first() == Some(&b'/') {
        return Err(Errno::XDEV);
    }
    if has_one_dot_at_most(bytes) { Ok(()) } else { climbs_no_higher(bytes) }
}

/// The same of a path that may have a `..`, name by name.
#[cold]
fn climbs_no_higher(bytes: &[u8]) -> Result<(), Errno> {
    let mut depth = 0_usize;
    for component in bytes.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => depth = depth.checked_sub(1).ok_or(Errno::XDEV)?,
            _ => depth += 1,
        }
    }
    Ok(())
}

/// Whether there is at most one dot in it, so no `..`: almost every path, told a block at a time.
#[inline(always)]
fn has_one_dot_at_most(bytes: &[u8]) -> bool {
    const BLOCK: usize = 32;
    let dots =
        |block: &[u8; BLOCK]| block.iter().fold(0_u8, |dots, byte| dots + u8::from(*byte == b'.'));
    let (blocks, rest) = bytes.as_chunks();
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    blocks.iter().fold(dots(&last), |all, block| all.saturating_add(dots(block))) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_counted_wherever_they_are() {
        for length in [0, 1, 31, 32, 33, 64, 200] {
            let plain = vec![b'a'; length];
            assert!(has_one_dot_at_most(&plain));
            for first in 0..length {
                let mut dotted = plain.clone();
                dotted[first] = b'.';
                assert!(has_one_dot_at_most(&dotted), "{length} {first}");
                for second in first + 1..length {
                    let mut dotted = dotted.clone();
                    dotted[second] = b'.';
                    assert!(!has_one_dot_at_most(&dotted), "{length} {first} {second}");
                }
            }
        }
        assert!(!has_one_dot_at_most(&[b'.'; 4096]));
    }

    #[test]
    fn a_path_is_confined_while_it_has_no_more_dots_than_names() {
        for inside in ["", ".", "a", "a/", "a/..", "./a/../b", "a/b/../../c", "..a", "a.."] {
            assert_eq!(confined(Path::new(inside)), Ok(()), "{inside}");
        }
        for outside in ["/", "/a", "..", "../a", "a/../..", "a/../../a", "./.."] {
            assert_eq!(confined(Path::new(outside)), Err(Errno::XDEV), "{outside}");
        }
    }
}
