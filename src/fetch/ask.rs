//! Third floor, `fetch`: the request to a server, and what a redirect makes of it. Imports
//! [`net`](crate::net).

use std::sync::Arc;

use crate::net::{HeaderError, Headers, Method};

/// The request to send to a URL.
///
/// ```
/// use toctou::fetch::Ask;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let picture = Ask::get().with("accept", "image/*")?.with("user-agent", "Avatars/1.0")?;
/// let event = Ask::post("application/json", r#"{"id": 7}"#)?.with("authorization", "Bearer x")?;
/// # Ok(())
/// # }
/// ```
///
/// # Redirects
///
/// Redirects follow RFC 9110. 303 is followed with a `GET`, and so are 301 and 302 after a `POST`.
/// 307 and 308 repeat the request, body included.
///
/// A redirect to another origin (scheme, host or port) carries only the headers `accept`,
/// `accept-language`, `user-agent` and `content-type`: no `authorization`, no `cookie`, no header
/// of your own. Headers that were dropped stay dropped, even where another redirect leads back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    pub(super) method: Method,
    pub(super) headers: Headers,
    pub(super) body: Arc<[u8]>,
    pub(super) follows: bool,
}

impl Default for Ask {
    /// [`Ask::get`].
    fn default() -> Self {
        Self::get()
    }
}

impl Ask {
    /// A `GET` request.
    pub fn get() -> Self {
        Ask { method: Method::Get, headers: Headers::new(), body: Arc::from([]), follows: true }
    }

    /// A `HEAD` request: the headers of the response, without a body.
    pub fn head() -> Self {
        Ask { method: Method::Head, ..Self::get() }
    }

    /// A `POST` request with this body, of this type.
    ///
    /// # Errors
    ///
    /// [`HeaderError`], if the type cannot be sent.
    pub fn post(content_type: &str, body: impl Into<Vec<u8>>) -> Result<Self, HeaderError> {
        let body = body.into().into();
        Ask { method: Method::Post, body, ..Self::get() }.with("content-type", content_type)
    }

    /// Adds this header, in place of one of the same name.
    ///
    /// # Errors
    ///
    /// [`HeaderError`], if it cannot or must not be sent.
    pub fn with(self, name: &str, value: &str) -> Result<Self, HeaderError> {
        Ok(Ask { headers: self.headers.with(name, value)?, ..self })
    }

    /// Does not follow redirects. A redirect is then the result, with its status, its `location`
    /// and no body.
    pub fn unfollowed(self) -> Self {
        Ask { follows: false, ..self }
    }

    /// What is asked where a redirect leads.
    pub(super) fn redirected(mut self, status: u16, is_same_origin: bool) -> Self {
        if !is_same_origin {
            self.headers = self.headers.for_everybody();
        }
        match (status, self.method) {
            (303, Method::Get | Method::Post) | (301 | 302, Method::Post) => Ask {
                method: Method::Get,
                headers: self.headers.bodiless(),
                body: Arc::from([]),
                ..self
            },
            _ => self,
        }
    }
}
