//! Third floor, `fetch`: why nothing was fetched. Imports [`net`](crate::net).
//!
//! Errors end in logs, and strangers wrote part of their text. So an error [shows](shown) a URL
//! without its query, on one line, without control characters, and shortened. Of an invalid URL it
//! shows nothing that could be a user name or a password.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::shown::{is_scheme, shown, whole};
use crate::net::{Headers, NetError, Special, SpecialName, Url};

/// One URL of a fetch: the one that was given, or one that a redirect led to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Hop {
    /// How many redirects led here: 0 for the URL that was given.
    pub number: u32,
    /// The full URL, including the parts that are not shown.
    pub url: Url,
}

impl fmt::Debug for Hop {
    /// The same text as [`Display`](fmt::Display).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hop({self})")
    }
}

impl fmt::Display for Hop {
    /// `http://a.example/`, `http://a.example/?… (redirect 2)`: without the query, and shortened if
    /// it is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&told(&whole(&self.url), self.number))
    }
}

/// What is wrong with a URL, independent of where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UrlFault {
    /// It is not a URL.
    #[error("it is not a URL: {0}")]
    NotAUrl(Arc<str>),
    /// It has more than [`LONGEST`](UrlFault::LONGEST) bytes.
    #[error("it has more than {} bytes", UrlFault::LONGEST)]
    TooLong,
    /// Its scheme is not allowed. A well-known scheme is shown. For any other word it says `***`: a
    /// word before a colon may be a user's name.
    #[error("the scheme `{0}` is not allowed")]
    Scheme(Arc<str>),
    /// It contains a user name or a password.
    #[error("it has a user name or a password in it")]
    Credentials,
    /// Its host is neither an address nor a name that can be looked up.
    #[error("its host is neither an address nor a name")]
    Host,
    /// It has no host.
    #[error("it has no host")]
    NoHost,
}

impl UrlFault {
    /// The most bytes that a URL may have.
    pub const LONGEST: usize = 8192;

    pub(super) fn scheme(scheme: &str) -> Self {
        UrlFault::Scheme(if is_scheme(scheme) { scheme } else { "***" }.into())
    }
}

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Resolving the host's name.
    Resolve,
    /// Connecting to this address.
    Connect(SocketAddr),
    /// Sending the request to this address. With `https`, this includes checking the server's
    /// certificate.
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
#[non_exhaustive]
pub enum FetchError {
    /// The URL is not fetched, wherever it leads. Nobody was asked anything about it.
    #[error("{} is not fetched: {fault}", told(&format!("{url:?}"), *number))]
    BadUrl {
        /// How many redirects led here: 0 for the URL that was given.
        number: u32,
        /// The URL that was given or that the redirect named, in a form that is safe for a log:
        /// without a query, without anything that could be a user name or a password, without
        /// control characters, shortened.
        url: Arc<str>,
        /// What is wrong with it.
        fault: UrlFault,
    },
    /// A host has an address that is not public. No connection was made for this hop.
    #[error("{hop} is not fetched: its address {address} is not public ({special})")]
    Refused {
        /// Which hop.
        hop: Box<Hop>,
        /// Which of its addresses.
        address: IpAddr,
        /// Why the address is not public.
        special: Special,
    },
    /// A host has a name that is not looked up for strangers. No name server was asked for it.
    #[error("{hop} is not fetched: its host is a special name ({special})")]
    RefusedName {
        /// Which hop.
        hop: Box<Hop>,
        /// Why the name is special.
        special: SpecialName,
    },
    /// There were more redirects than allowed.
    #[error("{hop} is not fetched: more than {limit} redirects")]
    TooManyRedirects {
        /// The first hop beyond the limit.
        hop: Box<Hop>,
        /// How many redirects were allowed.
        limit: u32,
    },
    /// The server answered with a status that the fetch cannot use: not 2xx, or a part (206).
    #[error("{hop} was answered {status}")]
    Status {
        /// Which hop.
        hop: Box<Hop>,
        /// The status code.
        status: u16,
        /// The headers of the response: `retry-after`, say. They may be lying.
        headers: Headers,
    },
    /// A step on the network failed.
    #[error("{hop} was not fetched: {act}: {error}")]
    Network {
        /// Which hop.
        hop: Box<Hop>,
        /// What was being done.
        act: Act,
        /// What went wrong.
        error: NetError,
    },
}

impl FetchError {
    /// Whether a rule refuses the URL that was given, or a URL that it led to. Then asking again
    /// does not help, and nothing is wrong with the network.
    pub fn is_refusal(&self) -> bool {
        match self {
            FetchError::BadUrl { .. }
            | FetchError::Refused { .. }
            | FetchError::RefusedName { .. }
            | FetchError::TooManyRedirects { .. } => true,
            FetchError::Status { .. } | FetchError::Network { .. } => false,
        }
    }

    /// Whether it took too long.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, FetchError::Network { error: NetError::TimedOut, .. })
    }

    /// Whether the body is larger than [allowed](super::Limits::bytes).
    pub fn is_too_large(&self) -> bool {
        matches!(self, FetchError::Network { error: NetError::TooLarge { .. }, .. })
    }

    /// The hop at which the fetch ended: how many redirects led there, 0 for the URL that was
    /// given.
    pub fn hop(&self) -> u32 {
        match self {
            FetchError::BadUrl { number, .. } => *number,
            FetchError::Refused { hop, .. }
            | FetchError::RefusedName { hop, .. }
            | FetchError::TooManyRedirects { hop, .. }
            | FetchError::Status { hop, .. }
            | FetchError::Network { hop, .. } => hop.number,
        }
    }

    /// One sentence for the person who gave the URL. It does not tell which addresses and names
    /// there are inside, nor whether there are any. A refused host, a host that does not exist and
    /// one that does not accept a connection all get the same sentence. [`Display`](fmt::Display)
    /// is for the operator's log.
    pub fn public(&self) -> String {
        match self {
            FetchError::BadUrl { number: 0, fault, .. } => match fault {
                UrlFault::Scheme(_) => "the URL's scheme is not allowed".to_owned(),
                fault => format!("the URL cannot be fetched: {fault}"),
            },
            FetchError::BadUrl { .. } => {
                "the URL leads to another one that cannot be fetched".to_owned()
            }
            FetchError::TooManyRedirects { limit, .. } => {
                format!("the URL leads through more than {limit} redirects")
            }
            FetchError::Status { status, .. } => format!("the server answered {status}"),
            FetchError::Refused { .. }
            | FetchError::RefusedName { .. }
            | FetchError::Network { act: Act::Resolve | Act::Connect(_), .. } => {
                "the URL's host cannot be reached".to_owned()
            }
            FetchError::Network { error, .. } => match error {
                NetError::TimedOut => "the server took too long".to_owned(),
                NetError::Tls(_) => "there is no secure connection to the server".to_owned(),
                NetError::TooLarge { limit } => {
                    format!("the response has more than {limit} bytes")
                }
                _ => "the server's response could not be received".to_owned(),
            },
        }
    }

    pub(super) fn bad_url(number: u32, url: &str, fault: UrlFault) -> Self {
        FetchError::BadUrl { number, url: shown(url).into(), fault }
    }
}

fn told(url: &str, number: u32) -> String {
    match number {
        0 => url.to_owned(),
        number => format!("{url} (redirect {number})"),
    }
}
