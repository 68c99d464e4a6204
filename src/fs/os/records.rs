//! First floor: record locks of the kernel's open files. Imports libc, whose `fcntl` rustix does not
//! have in full.

use std::os::fd::OwnedFd;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::super::ByteRange;

/// `F_OFD_SETLK`, or `F_OFD_SETLKW` where the operation waits. The range is one of positive numbers.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn set(
    file: &OwnedFd,
    operation: FlockOperation,
    bytes: ByteRange,
) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;

    let (command, kind) = match operation {
        FlockOperation::LockShared => (libc::F_OFD_SETLKW, libc::F_RDLCK),
        FlockOperation::LockExclusive => (libc::F_OFD_SETLKW, libc::F_WRLCK),
        FlockOperation::NonBlockingLockShared => (libc::F_OFD_SETLK, libc::F_RDLCK),
        FlockOperation::NonBlockingLockExclusive => (libc::F_OFD_SETLK, libc::F_WRLCK),
        FlockOperation::Unlock | FlockOperation::NonBlockingUnlock => {
            (libc::F_OFD_SETLK, libc::F_UNLCK)
        }
    };
    let offset = |offset| libc::off64_t::try_from(offset).map_err(|_| Errno::INVAL);
    let lock = libc::flock64 {
        l_type: kind as _,
        l_whence: libc::SEEK_SET as _,
        l_start: offset(bytes.start)?,
        l_len: offset(bytes.length)?,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open, and the kernel reads no more than the lock, which lives on.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &lock) } {
        -1 => {
            let error = std::io::Error::last_os_error();
            Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
        }
        _ => Ok(()),
    }
}

/// Elsewhere, there are none.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn set(
    _file: &OwnedFd,
    _operation: FlockOperation,
    _bytes: ByteRange,
) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
