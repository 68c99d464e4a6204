//! Third floor, `fetch`: what is asked of a server, and what a redirect makes of that. Imports
//! [`net`](crate::net).

use std::sync::Arc;

use crate::net::{HeaderError, Headers, Method};

/// What is asked at a URL.
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
/// As RFC 9110 has them: 303 is followed with a `GET`, and so are 301 and 302 after a `POST`; 307 and 308
/// repeat the request, body included. Where one leads to another origin (scheme, host or port), nothing
/// goes along but `accept`, `accept-language`, `user-agent` and `content-type`: no `authorization`, no
/// `cookie`, no header of your own. It does not come back where another redirect leads back.
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
    /// For what is there.
    pub fn get() -> Self {
        Ask { method: Method::Get, headers: Headers::new(), body: Arc::from([]), follows: true }
    }

    /// For what is known of it, without a body.
    pub fn head() -> Self {
        Ask { method: Method::Head, ..Self::get() }
    }

    /// For what comes of this body, of this type.
    ///
    /// # Errors
    ///
    /// [`HeaderError`], if the type cannot be sent.
    pub fn post(content_type: &str, body: impl Into<Vec<u8>>) -> Result<Self, HeaderError> {
        let body = body.into().into();
        Ask { method: Method::Post, body, ..Self::get() }.with("content-type", content_type)
    }

    /// The same with this header, in place of one of that name.
    ///
    /// # Errors
    ///
    /// [`HeaderError`], if it cannot or must not be sent.
    pub fn with(self, name: &str, value: &str) -> Result<Self, HeaderError> {
        Ok(Ask { headers: self.headers.with(name, value)?, ..self })
    }

    /// The same, without following redirects: one is what is fetched then, with its status, its
    /// `location`, and no body.
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
