//! Third floor: fetching what is at a URL that somebody else gave, and reaching nothing that is not
//! public. Imports [`net`](crate::net) and the floors below.

mod error;
mod machine;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::net::{Policy, Url};

pub use error::{Act, FetchError, Hop, UrlFault};
pub use machine::Fetch;

/// What is asked of every hop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Which addresses may be connected to.
    pub policy: Policy,
    /// How many bytes the body may have.
    pub bytes: u64,
    /// How many redirects are followed.
    pub redirects: u32,
    /// Whether plain HTTP is refused.
    pub https_only: bool,
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetched {
    /// Where it was, after all redirects.
    pub url: Url,
    /// The address that it came from.
    pub address: SocketAddr,
    /// Of which type the server says that it is. It may be lying.
    pub content_type: Option<Arc<str>>,
    /// What it is.
    pub bytes: Vec<u8>,
}
