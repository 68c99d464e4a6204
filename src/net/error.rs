//! First floor, `net`: what can go wrong with a network. Imports rustix's `Errno`.

use std::sync::Arc;

use crate::fs::{Errno, errno_name};

/// Why something on the network did not happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NetError {
    /// The name has no address.
    #[error("the name has no address")]
    NoSuchName,
    /// Whether the name has an address could not be found out.
    #[error("the name could not be resolved: {0}")]
    Resolver(Arc<str>),
    /// The operating system's answer: `ECONNREFUSED`, `ENETUNREACH`, `ECONNRESET`.
    #[error("{}", errno_name(*.0))]
    Os(Errno),
    /// It took longer than was allowed.
    #[error("it took too long")]
    TimedOut,
    /// No secure connection: the server's certificate is not valid for this host, say.
    #[error("TLS: {0}")]
    Tls(Arc<str>),
    /// What came is not HTTP, or ended too soon.
    #[error("this is not HTTP: {0}")]
    Http(Arc<str>),
    /// The response's body, or its head, is longer than this many bytes.
    #[error("the response has more than {limit} bytes")]
    TooLarge {
        /// So many were allowed.
        limit: u64,
    },
}

impl NetError {
    /// The word for it in a trace: `ECONNREFUSED`, `timed out`.
    pub fn word(&self) -> String {
        match self {
            NetError::NoSuchName => "no such name".to_owned(),
            NetError::Resolver(_) => "not resolved".to_owned(),
            NetError::Os(errno) => errno_name(*errno).into_owned(),
            NetError::TimedOut => "timed out".to_owned(),
            NetError::Tls(_) => "TLS failed".to_owned(),
            NetError::Http(_) => "not HTTP".to_owned(),
            NetError::TooLarge { .. } => "too large".to_owned(),
        }
    }
}
