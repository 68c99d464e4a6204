//! First floor, `net`: what can go wrong with a network. Imports `Errno` and its names from
//! [`fs`](crate::fs).

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use crate::fs::{Errno, errno_name};

/// Why an operation on the network failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The name has no address.
    #[error("the name has no address")]
    NoSuchName,
    /// The resolver could not find out whether the name has an address.
    #[error("the name could not be resolved: {}", printable(.0))]
    Resolver(Arc<str>),
    /// The operating system's answer: `ECONNREFUSED`, `ENETUNREACH`, `ECONNRESET`.
    #[error("{}", errno_name(*.0))]
    Os(Errno),
    /// The time limit passed.
    #[error("it took too long")]
    TimedOut,
    /// There is no secure connection: the server's certificate is not valid for this host, for
    /// example.
    #[error("TLS: {}", printable(.0))]
    Tls(Arc<str>),
    /// The response is not HTTP, or not HTTP that is understood here, or it ended too soon.
    #[error("HTTP: {}", printable(.0))]
    Http(Arc<str>),
    /// The response's body is longer than this many bytes.
    #[error("the response has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The part before the response's body, between its chunks or after it is longer than any
    /// server's is.
    #[error("the response has more than {limit} bytes beside its body")]
    HeadTooLarge {
        /// How many bytes of it are read.
        limit: u64,
    },
}

impl NetError {
    /// The error's word in a trace: `ECONNREFUSED`, `timed out`.
    pub fn word(&self) -> String {
        match self {
            NetError::NoSuchName => "no such name".to_owned(),
            NetError::Resolver(_) => "not resolved".to_owned(),
            NetError::Os(errno) => errno_name(*errno).into_owned(),
            NetError::TimedOut => "timed out".to_owned(),
            NetError::Tls(_) => "TLS failed".to_owned(),
            NetError::Http(_) => "not HTTP".to_owned(),
            NetError::TooLarge { .. } => "too large".to_owned(),
            NetError::HeadTooLarge { .. } => "head too large".to_owned(),
        }
    }

    pub(super) fn resolver(words: &impl Display) -> Self {
        NetError::Resolver(printable(&words.to_string()).into())
    }

    pub(super) fn tls(words: &impl Display) -> Self {
        NetError::Tls(printable(&words.to_string()).into())
    }

    pub(crate) fn http(words: &impl Display) -> Self {
        NetError::Http(printable(&words.to_string()).into())
    }
}

impl From<io::Error> for NetError {
    /// A socket answers `EAGAIN` when its time is over.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => return NetError::TimedOut,
            io::ErrorKind::UnexpectedEof => {
                return NetError::http(&"the connection ended too soon");
            }
            _ => {}
        }
        if let Some(errno) = Errno::from_io_error(&error) {
            return NetError::Os(errno);
        }
        // What is neither the system's nor about time comes from TLS.
        NetError::tls(&error)
    }
}

impl From<NetError> for io::Error {
    /// Of the kind `TimedOut` for [`NetError::TimedOut`]; the error is in it.
    fn from(error: NetError) -> Self {
        let kind = match error {
            NetError::TimedOut => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// A text that somebody else may have written (a certificate, a header), in a form for one line of
/// a log: without control characters, and cut after 300 characters.
pub(crate) fn printable(text: &str) -> String {
    const MOST: usize = 300;
    let mut told = String::new();
    for (at, char) in text.chars().enumerate() {
        if at == MOST {
            told.push_str("...");
            break;
        }
        // Of the others, some turn the direction of writing.
        match char {
            ' '..='~' => told.push(char),
            _ => told.extend(char.escape_unicode()),
        }
    }
    told
}
