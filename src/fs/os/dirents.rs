//! First floor: reading a directory of the kernel's, one `getdents64(2)` at a time. Imports rustix.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::super::Dirent;

/// As many bytes as the C library asks for at once.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BUFFER: usize = 32 << 10;

/// What one call answers, without `.` and `..`, in the order of the names. A call that answers only
/// these two says nothing of the directory and is followed by the next.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn getdents(directory: &OwnedFd) -> Result<Vec<Dirent>, Errno> {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use rustix::fs::RawDir;

    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
        let (mut found, mut is_end) = (Vec::new(), true);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            is_end = false;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                found.push(Dirent {
                    name: OsString::from_vec(name.to_vec()),
                    kind: super::super::status::kind_of(entry.file_type()),
                    inode: entry.ino(),
                });
            }
            if entries.is_buffer_empty() {
                break;
            }
        }
        if is_end || !found.is_empty() {
            found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            return Ok(found);
        }
    }
}

/// Elsewhere, there is no such call.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn getdents(_directory: &OwnedFd) -> Result<Vec<Dirent>, Errno> {
    Err(Errno::NOSYS)
}
