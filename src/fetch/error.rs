//! Third floor, `fetch`: why nothing was fetched. Imports [`net`](crate::net).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::net::{NetError, Special, Url};

/// One URL on the way: the one that was given, or where a redirect led.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// How many redirects led here: 0 for the URL that was given.
    pub number: u32,
    /// The URL.
    pub url: Url,
}

impl fmt::Display for Hop {
    /// `http://a.example/`, `http://a.example/ (redirect 2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(f, "{}", self.url),
            number => write!(f, "{} (redirect {number})", self.url),
        }
    }
}

/// What is wrong with a URL, whatever it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UrlFault {
    /// It is none.
    #[error("it is not a URL: {0}")]
    NotAUrl(Arc<str>),
    /// Its scheme is not allowed.
    #[error("the scheme `{0}` is not allowed")]
    Scheme(Arc<str>),
    /// There is a user name or a password in it.
    #[error("it has a user name or a password in it")]
    Credentials,
    /// It has no host.
    #[error("it has no host")]
    NoHost,
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Resolving the host's name.
    Resolve,
    /// Connecting to this address.
    Connect(SocketAddr),
    /// Sending the request to this address.
    Send(SocketAddr),
    /// Receiving the response from this address.
    Receive(SocketAddr),
}

impl fmt::Display for Act {
    /// `connecting to 192.0.2.1:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Resolve => f.write_str("resolving its host"),
            Act::Connect(to) => write!(f, "connecting to {to}"),
            Act::Send(to) => write!(f, "sending the request to {to}"),
            Act::Receive(from) => write!(f, "receiving the response from {from}"),
        }
    }
}

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FetchError {
    /// A URL that is not fetched, wherever it leads. Nobody was asked anything about it.
    #[error("{} is not fetched: {fault}", told(url, *number))]
    BadUrl {
        /// How many redirects led here: 0 for the URL that was given.
        number: u32,
        /// What was given, or what the redirect said.
        url: Arc<str>,
        /// What is wrong with it.
        fault: UrlFault,
    },
    /// A host has an address that is not public. Nobody was connected to for this hop.
    #[error("{hop} is not fetched: its address {address} is not public ({special})")]
    Refused {
        /// Which hop.
        hop: Hop,
        /// Which of its addresses.
        address: IpAddr,
        /// Why that is not public.
        special: Special,
    },
    /// There were more redirects than allowed.
    #[error("{hop} is not fetched: more than {limit} redirects")]
    TooManyRedirects {
        /// The one too many.
        hop: Hop,
        /// So many were allowed.
        limit: u32,
    },
    /// The server answered with something else than what was asked for (not 2xx).
    #[error("{hop} was answered {status}")]
    Status {
        /// Which hop.
        hop: Hop,
        /// The status code.
        status: u16,
    },
    /// Something on the network did not happen.
    #[error("{hop} was not fetched: {act}: {error}")]
    Network {
        /// Which hop.
        hop: Hop,
        /// What was being done.
        act: Act,
        /// What went wrong.
        error: NetError,
    },
}

fn told(url: &str, number: u32) -> String {
    match number {
        0 => format!("{url:?}"),
        number => format!("{url:?} (redirect {number})"),
    }
}
