//! An example, `order_service`: a client that signs what it sends. Imports `signature`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use ureq::{Agent, http};

use crate::signature::{HEADERS, Key, Request, Signed, Stamp};

/// Seconds since 1970, as this machine's clock has it.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The connection failed, or the response is none.
    #[error("{0}")]
    Http(#[from] ureq::Error),
    /// The address, or what is asked of it, is no part of a request.
    #[error("not to be asked for: {0}")]
    Request(#[from] http::Error),
    /// The system has no random numbers.
    #[error("the system has no random numbers for a nonce: {0}")]
    NoRandomness(#[from] getrandom::Error),
}

/// A client of one service. It has connections of its own.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    key: Key,
}

/// A signed request, as somebody on the way could record it.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) signed: Signed,
}

/// What the service answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Null where it is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// A field of the body, if it is a text.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

impl std::fmt::Display for Answer {
    /// `200 cancelled`, `409 not_pending (cancelled)`, `404 no_such_order`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        match (self.field("error"), self.field("status")) {
            ("", "") => Ok(()),
            ("", word) | (word, "") => write!(f, " {word}"),
            (error, status) => write!(f, " {error} ({status})"),
        }
    }
}

impl Client {
    /// A client of the service at this address, `http://host:port`, without a path.
    pub(crate) fn new(base: &str, key: Key) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .max_redirects(0)
            // The service is asked itself, whatever the environment says.
            .proxy(None);
        let agent = config.build().new_agent();
        Client { agent, base: base.trim_end_matches('/').to_owned(), key }
    }

    /// Signs a request now.
    pub(crate) fn sign(
        &self,
        method: &'static str,
        path: &str,
        body: &[u8],
    ) -> Result<Recorded, ClientError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        let stamp = Stamp { time: now(), nonce };
        let signature = self.key.sign(&Request { method, path, query: None, body }, stamp);
        let signed = Signed { stamp, signature };
        Ok(Recorded { method, path: path.to_owned(), query: None, body: body.to_vec(), signed })
    }

    /// Sends a request as it is recorded.
    pub(crate) fn send(&self, recorded: &Recorded) -> Result<Answer, ClientError> {
        let query = recorded.query.iter().map(|query| format!("?{query}")).collect::<String>();
        let mut request = http::Request::builder()
            .method(recorded.method)
            .uri(format!("{}{}{query}", self.base, recorded.path));
        for (name, value) in HEADERS.iter().zip(recorded.signed.headers()) {
            request = request.header(*name, value);
        }
        // Who asks to look has no body to send.
        let mut response = if recorded.body.is_empty() && recorded.method == "GET" {
            self.agent.run(request.body(())?)?
        } else {
            self.agent.run(request.body(&recorded.body[..])?)?
        };
        let body = response.body_mut().read_to_vec()?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    /// Signs and sends.
    pub(crate) fn ask(
        &self,
        method: &'static str,
        path: &str,
        body: &[u8],
    ) -> Result<Answer, ClientError> {
        self.send(&self.sign(method, path, body)?)
    }
}
