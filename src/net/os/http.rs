//! First floor, `net`: a request and the head of its response, in HTTP/1.1. Imports its neighbours in
//! `net`, and the parser of ureq-proto.

use std::sync::Arc;

use rustls::ClientConfig;
use ureq_proto::Error;
use ureq_proto::http::{self, HeaderMap, Version};
use ureq_proto::parser::try_parse_response;
use url::Position;

use super::body::{Framing, Input, OsBody};
use super::{NetError, OsConnection};
use crate::net::{Headers, Method, Request, Response};

/// How many bytes the head of a response may have, with all that is sent before it (answers that
/// are not the final one).
const HEAD: usize = 64 * 1024;

/// How many headers a response may have.
const HEADERS: usize = 128;

const AGENT: &str = concat!("toctou/", env!("CARGO_PKG_VERSION"));

impl From<Error> for NetError {
    fn from(error: Error) -> Self {
        NetError::http(&error)
    }
}

/// Sends a request, by TLS if its URL says so.
pub(super) fn send(
    connection: &mut OsConnection,
    request: &Request,
    tls: &Arc<ClientConfig>,
) -> Result<(), NetError> {
    // What a server thinks of half a request, or of a handshake that failed, is not found out.
    if std::mem::replace(&mut connection.used, true) {
        return Err(NetError::http(&"a connection is for one request"));
    }
    let bytes = written(request)?;
    match request.url.scheme() {
        "https" => connection.secure(&request.url, tls)?,
        "http" => {}
        scheme => return Err(NetError::http(&format!("there is no `{scheme}` by HTTP"))),
    }
    connection.write(&bytes)?;
    connection.asked = Some(request.method);
    Ok(())
}

/// A request as it is sent.
fn written(request: &Request) -> Result<Vec<u8>, NetError> {
    let Request { method, url, headers, body } = request;
    // Put together from what a request says: a user name or a password in the URL is not in it.
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let is_line = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if host.is_empty() || !path.starts_with('/') || !is_line(host) || !is_line(path) {
        return Err(NetError::http(&"the URL does not fit into a request"));
    }
    let mut head = format!("{} {path} HTTP/1.1\r\nhost: {host}\r\n", method.word());
    let mut line = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
    line("user-agent", headers.get("user-agent").unwrap_or(AGENT));
    line("accept", headers.get("accept").unwrap_or("*/*"));
    line("accept-encoding", "identity");
    line("connection", "close");
    for (name, value) in headers.iter().filter(|(name, _)| !["user-agent", "accept"].contains(name))
    {
        line(name, value);
    }
    let body = match method {
        Method::Get | Method::Head => &[][..],
        Method::Post => {
            line("content-length", &body.len().to_string());
            body
        }
    };
    Ok([head.as_bytes(), b"\r\n", body].concat())
}

/// Receives the response to the request that was sent, whole.
pub(super) fn receive(connection: OsConnection, limit: u64) -> Result<Response, NetError> {
    let (mut response, body) = open(connection, limit)?;
    response.body = body.whole()?;
    Ok(response)
}

/// Receives the head of the response to the request that was sent, and leaves its body to be read.
pub(super) fn open(
    mut connection: OsConnection,
    limit: u64,
) -> Result<(Response, OsBody), NetError> {
    // Nobody answers who was not asked.
    let method = connection.asked.take().ok_or(NetError::TimedOut)?;
    let mut input = Input::new(connection);
    let head = head(&mut input)?;
    let framing = match head.status() {
        _ if method == Method::Head => Framing::Length(0),
        http::StatusCode::NO_CONTENT => Framing::Length(0),
        status if status.is_success() => framing(&head)?,
        _ => Framing::Length(0),
    };
    let response = Response {
        status: head.status().as_u16(),
        headers: told(head.headers()),
        body: Vec::new(),
    };
    Ok((response, OsBody::new(input, framing, limit)?))
}

/// The head of the final response.
fn head(input: &mut Input) -> Result<http::Response<()>, NetError> {
    const START: &[u8] = b"HTTP/1.";
    let mut consumed = 0;
    let mut seen = 0;
    loop {
        let bytes = input.bytes();
        let common = bytes.len().min(START.len());
        if bytes[..common] != START[..common] {
            return Err(NetError::http(&"the response does not begin with `HTTP/1.`"));
        }
        // Parsed when it is whole, and not after each byte that comes.
        if ends(bytes, seen)
            && let Some((used, head)) = try_parse_response::<HEADERS>(bytes)?
        {
            input.consume(used);
            let status = head.status();
            if !status.is_informational() || status == http::StatusCode::SWITCHING_PROTOCOLS {
                return Ok(head);
            }
            // Something before it, like `103 Early Hints`.
            consumed += used;
            seen = 0;
            continue;
        }
        seen = bytes.len();
        if consumed + seen >= HEAD {
            return Err(NetError::HeadTooLarge { limit: HEAD as u64 });
        }
        if input.fill(HEAD - consumed)? == 0 {
            let nothing = consumed + seen == 0;
            let words =
                if nothing { "there is no response" } else { "the response's head is cut short" };
            return Err(NetError::http(&words));
        }
    }
}

/// Whether there is an empty line that was not there yet when `seen` bytes were.
fn ends(bytes: &[u8], seen: usize) -> bool {
    let new = &bytes[seen.saturating_sub(2)..];
    let mut lines = new.split(|byte| *byte == b'\n');
    // What is before the first line's end is not known to be a line of its own; what is after the
    // last one's is not ended.
    lines.next();
    lines.next_back();
    lines.any(|line| matches!(line, b"" | b"\r"))
}

/// Headers as text. Of a `location` that is not UTF-8, each other byte is written as URLs have it.
fn told(headers: &HeaderMap) -> Headers {
    let mut told = Headers::new();
    for (name, value) in headers {
        let value = match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => text.into(),
            Err(_) if name == http::header::LOCATION => escaped(value.as_bytes()).into(),
            Err(_) => String::from_utf8_lossy(value.as_bytes()).into(),
        };
        told.push(name.as_str().into(), value);
    }
    told
}

fn escaped(bytes: &[u8]) -> String {
    let escaped = bytes.iter().map(|byte| match byte {
        0..=0x7f => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

/// How the body of a success is framed. An error if the framing is not understood here, or if the
/// content is encoded.
fn framing(head: &http::Response<()>) -> Result<Framing, NetError> {
    use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

    let headers = head.headers();
    // Whatever stands in the header is the server's word, and it ends in a log.
    let refused = |name: &http::HeaderName, value: &http::HeaderValue| {
        NetError::http(&match known(value.as_bytes()) {
            Some(encoding) => format!("`{name}` has `{encoding}`, which was not asked for"),
            None => format!("`{name}` has something that was not asked for"),
        })
    };
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if let Some(other) = encodings.find(|value| !is_plain(value.as_bytes())) {
        return Err(refused(&CONTENT_ENCODING, other));
    }
    let mut transfers = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(other) = transfers.find(|it| !it.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(refused(&TRANSFER_ENCODING, other));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        return match head.version() {
            Version::HTTP_10 => Err(NetError::http(&"HTTP/1.0 knows no chunks")),
            _ => Ok(Framing::Chunked),
        };
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(length);
    let Some(first) = lengths.next() else { return Ok(Framing::UntilClose) };
    let first = first.ok_or_else(|| NetError::http(&"`content-length` is not a length"))?;
    match lengths.all(|length| length == Some(first)) {
        true => Ok(Framing::Length(first)),
        false => Err(NetError::http(&"`content-length` says two things")),
    }
}

fn length(value: &http::HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The first encoding in a header that has a name of IANA's.
fn known(encodings: &[u8]) -> Option<&'static str> {
    const KNOWN: [&str; 8] =
        ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "exi"];
    let encodings = String::from_utf8_lossy(encodings);
    encodings
        .split(',')
        .find_map(|one| KNOWN.into_iter().find(|known| one.trim().eq_ignore_ascii_case(known)))
}

/// Whether a `content-encoding` leaves the content as it is. It may say so, be empty, or name
/// something that servers mistake for an encoding: a character set, or an encoding of mail.
fn is_plain(encodings: &[u8]) -> bool {
    const PLAIN: [&str; 9] =
        ["", "identity", "none", "binary", "7bit", "8bit", "ascii", "us-ascii", "utf8"];
    const CHARSETS: [&str; 4] = ["utf-", "iso-8859-", "iso8859-", "windows-125"];
    String::from_utf8_lossy(encodings)
        .to_ascii_lowercase()
        .split(',')
        .map(str::trim)
        .all(|one| PLAIN.contains(&one) || CHARSETS.iter().any(|charset| one.starts_with(charset)))
}
