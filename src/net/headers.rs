//! First floor, `net`: the headers of requests and responses. Imports nothing of this crate.

use std::fmt;
use std::sync::Arc;

/// Headers in their order: names in lower case, values as text. [`Debug`](fmt::Debug) shows only
/// the names, since a value is often a secret.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Headers(Vec<(Arc<str>, Arc<str>)>);

/// Why a header is not sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Its name is not valid.
    #[error("{0:?} is not the name of a header, such as accept-language")]
    Name(Arc<str>),
    /// Its value cannot be sent. The value is not shown: it may be a secret.
    #[error(
        "the value of `{0}` has something else than printable ASCII, or begins or ends with a space"
    )]
    Value(Arc<str>),
    /// It belongs to the connection or to the body.
    #[error("`{0}` is not for you to set: it says how a request is sent, and follows from that")]
    Reserved(Arc<str>),
}

/// What follows from how a request is sent.
const RESERVED: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is sent to another origin than the one that it was meant for.
const FOR_EVERYBODY: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the first header of this name; the name is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all headers of this name; the name is in lower case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(it, _)| *it == name).map(|(_, value)| value)
    }

    /// Each name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The same headers with this one, which replaces all of its name.
    ///
    /// # Errors
    ///
    /// [`HeaderError`], if the header cannot or must not be sent.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, HeaderError> {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(HeaderError::Name(name.into()));
        }
        let name: Arc<str> = name.to_ascii_lowercase().into();
        if RESERVED.contains(&&*name) {
            return Err(HeaderError::Reserved(name));
        }
        if value.trim() != value || !value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            return Err(HeaderError::Value(name));
        }
        self.0.retain(|(it, _)| *it != name);
        self.push(name, value.into());
        Ok(self)
    }

    /// With a header as it is.
    pub(crate) fn push(&mut self, name: Arc<str>, value: Arc<str>) {
        self.0.push((name, value));
    }

    /// Without those that tell of a body.
    pub(crate) fn bodiless(mut self) -> Self {
        self.0.retain(|(name, _)| !name.starts_with("content-"));
        self
    }

    /// Without headers that were meant for one origin: cookies, authorization, and all others that
    /// are not for everybody.
    pub(crate) fn for_everybody(mut self) -> Self {
        self.0.retain(|(name, _)| FOR_EVERYBODY.contains(&&**name));
        self
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_would_change_the_request_is_refused() {
        let with = |name: &str, value: &str| Headers::new().with(name, value);
        for name in ["", "a b", "a:", "a\r\nb", "ä"] {
            assert_eq!(with(name, "x"), Err(HeaderError::Name(name.into())));
        }
        for name in ["Host", "content-length", "Transfer-Encoding", "CONNECTION"] {
            assert_eq!(with(name, "x"), Err(HeaderError::Reserved(name.to_lowercase().into())));
        }
        for value in ["a\r\nHost: b", "a\n", " a", "a\0", "ä", "\u{7f}"] {
            assert_eq!(with("X-A", value), Err(HeaderError::Value("x-a".into())), "{value:?}");
        }
        let headers = with("Accept", "a").and_then(|it| it.with("ACCEPT", "b")).unwrap();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("accept", "b")]);
        assert_eq!(format!("{headers:?}"), "{\"accept\"}");
    }
}
