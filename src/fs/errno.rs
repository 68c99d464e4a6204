//! First floor: the names of the kernel's error codes. Imports rustix only.

use std::borrow::Cow;

use rustix::io::Errno;

macro_rules! names {
    ($errno:expr; $($constant:ident => $name:literal),* $(,)?) => {
        match $errno {
            $(Errno::$constant => Cow::Borrowed($name),)*
            other => Cow::Owned(format!("errno {}", other.raw_os_error())),
        }
    };
}

/// The name by which manual pages call `errno`: `ENOENT`; `errno 123` for one that no call here
/// answers.
pub fn errno_name(errno: Errno) -> Cow<'static, str> {
    names!(errno;
        ACCESS => "EACCES",
        ADDRINUSE => "EADDRINUSE",
        ADDRNOTAVAIL => "EADDRNOTAVAIL",
        AFNOSUPPORT => "EAFNOSUPPORT",
        AGAIN => "EAGAIN",
        BADF => "EBADF",
        BUSY => "EBUSY",
        CANCELED => "ECANCELED",
        CONNABORTED => "ECONNABORTED",
        CONNREFUSED => "ECONNREFUSED",
        CONNRESET => "ECONNRESET",
        DEADLK => "EDEADLK",
        DQUOT => "EDQUOT",
        EXIST => "EEXIST",
        FAULT => "EFAULT",
        FBIG => "EFBIG",
        HOSTUNREACH => "EHOSTUNREACH",
        INTR => "EINTR",
        INVAL => "EINVAL",
        IO => "EIO",
        ISDIR => "EISDIR",
        LOOP => "ELOOP",
        MFILE => "EMFILE",
        MLINK => "EMLINK",
        NAMETOOLONG => "ENAMETOOLONG",
        NETUNREACH => "ENETUNREACH",
        NFILE => "ENFILE",
        NODEV => "ENODEV",
        NOENT => "ENOENT",
        NOLCK => "ENOLCK",
        NOMEM => "ENOMEM",
        NOSPC => "ENOSPC",
        NOSYS => "ENOSYS",
        NOTCONN => "ENOTCONN",
        NOTDIR => "ENOTDIR",
        NOTEMPTY => "ENOTEMPTY",
        NOTSUP => "ENOTSUP",
        NXIO => "ENXIO",
        OVERFLOW => "EOVERFLOW",
        PERM => "EPERM",
        PIPE => "EPIPE",
        RANGE => "ERANGE",
        ROFS => "EROFS",
        SPIPE => "ESPIPE",
        STALE => "ESTALE",
        TIMEDOUT => "ETIMEDOUT",
        TXTBSY => "ETXTBSY",
        XDEV => "EXDEV",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_have_their_manual_page_name_and_others_their_number() {
        assert_eq!(errno_name(Errno::NOENT), "ENOENT");
        assert_eq!(errno_name(Errno::ACCESS), "EACCES");
        assert_eq!(errno_name(Errno::WOULDBLOCK), "EAGAIN");
        assert_eq!(errno_name(Errno::from_raw_os_error(4000)), "errno 4000");
    }
}
