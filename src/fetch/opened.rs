//! Third floor, `fetch`: a response whose body is read as it comes. Imports [`net`](crate::net).

use std::net::SocketAddr;

use crate::net::{Headers, OsBody, Url};

/// The response from a URL, with its body still to be [read](std::io::Read).
#[derive(Debug)]
pub struct Opened {
    /// The URL of the response, after all redirects.
    pub url: Url,
    /// The address that the response comes from.
    pub address: SocketAddr,
    /// The status code.
    pub status: u16,
    /// The headers. They may be lying.
    pub headers: Headers,
    /// The body: at most as many bytes as the limits allow, by the deadline.
    pub body: OsBody,
}
