//! Ground floor: the names of the kernel's error codes. Imports rustix only.

use std::borrow::Cow;
use std::fmt::Debug;

use rustix::io::Errno;

macro_rules! names {
    ($errno:expr; $($constant:ident => $name:literal),* $(,)?) => {
        match $errno {
            $(Errno::$constant => Cow::Borrowed($name),)*
            other => Cow::Owned(format!("errno {}", other.raw_os_error())),
        }
    };
}

/// The name by which manual pages call `errno`: `ENOENT`; `errno 123` for one that has none here.
pub fn errno_name(errno: Errno) -> Cow<'static, str> {
    names!(errno;
        ACCESS => "EACCES",
        ADDRINUSE => "EADDRINUSE",
        ADDRNOTAVAIL => "EADDRNOTAVAIL",
        AFNOSUPPORT => "EAFNOSUPPORT",
        AGAIN => "EAGAIN",
        ALREADY => "EALREADY",
        BADF => "EBADF",
        BUSY => "EBUSY",
        CANCELED => "ECANCELED",
        CHILD => "ECHILD",
        CONNABORTED => "ECONNABORTED",
        CONNREFUSED => "ECONNREFUSED",
        CONNRESET => "ECONNRESET",
        DEADLK => "EDEADLK",
        DQUOT => "EDQUOT",
        EXIST => "EEXIST",
        FAULT => "EFAULT",
        FBIG => "EFBIG",
        HOSTUNREACH => "EHOSTUNREACH",
        INPROGRESS => "EINPROGRESS",
        INTR => "EINTR",
        INVAL => "EINVAL",
        IO => "EIO",
        ISCONN => "EISCONN",
        ISDIR => "EISDIR",
        LOOP => "ELOOP",
        MFILE => "EMFILE",
        MLINK => "EMLINK",
        NAMETOOLONG => "ENAMETOOLONG",
        NETUNREACH => "ENETUNREACH",
        NFILE => "ENFILE",
        NODEV => "ENODEV",
        NOENT => "ENOENT",
        NOEXEC => "ENOEXEC",
        NOLCK => "ENOLCK",
        NOMEM => "ENOMEM",
        NOSPC => "ENOSPC",
        NOSYS => "ENOSYS",
        NOTCONN => "ENOTCONN",
        NOTDIR => "ENOTDIR",
        NOTEMPTY => "ENOTEMPTY",
        NOTSUP => "ENOTSUP",
        NOTTY => "ENOTTY",
        NXIO => "ENXIO",
        OVERFLOW => "EOVERFLOW",
        PERM => "EPERM",
        PIPE => "EPIPE",
        RANGE => "ERANGE",
        ROFS => "EROFS",
        SPIPE => "ESPIPE",
        SRCH => "ESRCH",
        STALE => "ESTALE",
        TIMEDOUT => "ETIMEDOUT",
        TXTBSY => "ETXTBSY",
        XDEV => "EXDEV",
    )
}

/// `ENOSPC, no space left on device`.
pub(crate) fn errno_told(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    format!("{}, {text}", errno_name(errno))
}

/// The `Debug` form of a value, in which each code of the kernel's goes by its name.
pub(crate) fn shown(value: &(impl Debug + ?Sized)) -> String {
    named(&format!("{value:?}"))
}

/// How `Errno` and `std::io::Error` begin in their `Debug` form: `Os { code: 17, kind: AlreadyExists,
/// message: "File exists" }`.
const OS_ERROR: &str = "Os { code: ";

/// The same text, in which each `Os { code: 17, … }` is `EEXIST`.
fn named(text: &str) -> String {
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OS_ERROR) {
        let (before, error) = rest.split_at(at);
        let is_word = before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        match os_error(&error[OS_ERROR.len()..]).filter(|_| !is_word) {
            Some((errno, after)) => {
                named += before;
                named += &errno_name(errno);
                rest = after;
            }
            None => {
                let (as_it_is, after) = rest.split_at(at + OS_ERROR.len());
                named += as_it_is;
                rest = after;
            }
        }
    }
    named + rest
}

/// The code of which the rest of an `Os { … }` tells, and what comes after it.
fn os_error(text: &str) -> Option<(Errno, &str)> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '-')?;
    let (code, mut rest) = text.split_at(digits);
    let errno = Errno::from_raw_os_error(code.parse().ok().filter(|code| *code > 0)?);
    if let Some(kind) = rest.strip_prefix(", kind: ") {
        rest = kind.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric());
        let message = rest.strip_prefix(", message: \"")?;
        // The kernel's messages have no quote in them.
        let (_, after) = message.split_once('"')?;
        rest = after;
    }
    Some((errno, rest.strip_prefix(" }")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_in_a_debug_form_goes_by_its_name() {
        assert_eq!(shown(&("mkdir", Errno::EXIST)), "(\"mkdir\", EEXIST)");
        let os = std::io::Error::from_raw_os_error;
        let all = [Err(os(13)), Ok(1), Err(os(4000))];
        assert_eq!(shown(&all), "[Err(EACCES), Ok(1), Err(errno 4000)]");
    }

    #[test]
    fn what_only_looks_like_a_code_stays_as_it_is() {
        for text in [
            "Os { code: x }",
            "Os { code: 17, kind: AlreadyExists, message: \"File",
            "Os { code: 17",
            "Bios { code: 17 }",
            "Os { code: 99999999999999999999 }",
        ] {
            assert_eq!(named(text), text);
        }
        assert_eq!(named("Os { code: Os { code: 2 }"), "Os { code: ENOENT");
    }

    #[test]
    fn known_codes_have_their_manual_page_name_and_others_their_number() {
        assert_eq!(errno_name(Errno::NOENT), "ENOENT");
        assert_eq!(errno_name(Errno::ACCESS), "EACCES");
        assert_eq!(errno_name(Errno::WOULDBLOCK), "EAGAIN");
        assert_eq!(errno_name(Errno::from_raw_os_error(4000)), "errno 4000");
    }
}
