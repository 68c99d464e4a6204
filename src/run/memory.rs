//! Third floor, `run`: the memory of a traced process. Imports libc only.

use std::io;

use libc::{c_void, iovec, pid_t};

/// The longest path that the kernel takes, its NUL included.
const PATH_MAX: usize = 4096;

/// Reads so many bytes there, or fewer where the memory ends.
pub(super) fn read(pid: pid_t, address: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; count];
    let here = iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: count };
    let there = iovec { iov_base: address as *mut c_void, iov_len: count };
    // SAFETY: `here` is a buffer of this length; what `there` says is the kernel's to judge.
    let read = unsafe { libc::process_vm_readv(pid, &here, 1, &there, 1, 0) };
    let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Writes these bytes there, all of them.
pub(super) fn write(pid: pid_t, address: u64, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let here = iovec { iov_base: bytes.as_ptr() as *mut c_void, iov_len: bytes.len() };
    let there = iovec { iov_base: address as *mut c_void, iov_len: bytes.len() };
    // SAFETY: `here` is a buffer of this length that is only read.
    let written = unsafe { libc::process_vm_writev(pid, &here, 1, &there, 1, 0) };
    match usize::try_from(written) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Reads a text that ends with NUL: a path.
pub(super) fn text(pid: pid_t, address: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    while text.len() < PATH_MAX {
        // Up to the end of a page: the next one may not be there.
        let at = address + text.len() as u64;
        let part = read(pid, at, 4096 - (at % 4096) as usize)?;
        match part.iter().position(|byte| *byte == 0) {
            Some(end) => {
                text.extend_from_slice(&part[..end]);
                return Ok(text);
            }
            None if part.is_empty() => return Err(io::Error::from_raw_os_error(libc::EFAULT)),
            None => text.extend_from_slice(&part),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
}
