//! First floor, `net`: a request and its response, in HTTP/1.1. Imports its neighbours in `net`, and
//! ureq-proto.

use std::sync::Arc;

use rustls::ClientConfig;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvResponseResult, SendRequestResult};
use ureq_proto::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION,
    TRANSFER_ENCODING, USER_AGENT,
};
use ureq_proto::http::{self, HeaderMap, HeaderName, Version};
use ureq_proto::{BodyMode, Error};
use url::Position;

use super::{NetError, OsConnection};
use crate::net::{Method, Request, Response};

/// A response's head may have so many bytes, with all that is sent before it (answers that are not the
/// final one); so may what comes after its body.
const HEAD: usize = 64 * 1024;

/// So many bytes are read at once, and twice as many each time that there are as many, up to
/// [`INPUT_MOST`]. A line between chunks is not longer than this.
const INPUT: usize = 16 * 1024;
const INPUT_MOST: usize = 64 * 1024;

/// For each byte of a body that came, room is made for so many of those that are promised. (A body whose
/// room doubled would go through the allocator again and again, and fresh pages are what costs most.)
const TRUST: usize = 8;

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
    let (bytes, call) = written(request)?;
    match request.url.scheme() {
        "https" => connection.secure(&request.url, tls)?,
        "http" => {}
        scheme => return Err(NetError::http(&format!("there is no `{scheme}` by HTTP"))),
    }
    connection.write(&bytes)?;
    connection.asked = Some(call);
    Ok(())
}

/// A request as it is sent, and how to read its response.
fn written(request: &Request) -> Result<(Vec<u8>, Call<RecvResponse>), NetError> {
    let Request { method, url } = request;
    let method = match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
    };
    // Put together from what a request says: a user name or a password in the URL is not in it.
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{}://{host}{path}", url.scheme()))
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .body(())
        .map_err(|error| NetError::http(&error))?;
    let mut call = Call::new(request)?.proceed();
    // The method, the version and the headers that are the same in every request have 130 bytes.
    let mut bytes = vec![0; host.len() + path.len() + 256];
    let length = call.write(&mut bytes)?;
    bytes.truncate(length);
    match call.proceed()? {
        Some(SendRequestResult::RecvResponse(call)) => Ok((bytes, call)),
        _ => Err(NetError::http(&"the request does not fit")),
    }
}

/// Receives the response to the request that was sent.
pub(super) fn receive(mut connection: OsConnection, limit: u64) -> Result<Response, NetError> {
    // Nobody answers who was not asked.
    let mut call = connection.asked.take().ok_or(NetError::TimedOut)?;
    let mut input = Input::new(connection);
    let head = head(&mut input, &mut call)?;
    let status = head.status().as_u16();
    let location = location(head.headers())?;
    let content_type = head.headers().get(CONTENT_TYPE);
    let content_type = content_type.map(|said| String::from_utf8_lossy(said.as_bytes()).into());
    let body = match call.proceed() {
        Some(RecvResponseResult::RecvBody(call)) if head.status().is_success() => {
            undisguised(&head)?;
            body(&mut input, call, limit)?
        }
        _ => Vec::new(),
    };
    Ok(Response { status, location, content_type, body })
}

/// The head of the final response.
fn head(input: &mut Input, call: &mut Call<RecvResponse>) -> Result<http::Response<()>, NetError> {
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
        if ends(bytes, seen) {
            match call.try_response(bytes, false)? {
                (used, Some(response)) => {
                    input.consume(used);
                    return Ok(response);
                }
                // Something before it, like `103 Early Hints`.
                (used, None) if used > 0 => {
                    input.consume(used);
                    consumed += used;
                    seen = 0;
                    continue;
                }
                (_, None) => {}
            }
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

/// Where a redirect leads, if it says so.
fn location(headers: &HeaderMap) -> Result<Option<Arc<str>>, NetError> {
    let Some(value) = headers.get(LOCATION) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(Some(text.into())),
        Err(_) => Err(NetError::http(&"the response's `location` is not UTF-8")),
    }
}

/// Nothing but the framing that is understood here, and the content as it is.
fn undisguised(head: &http::Response<()>) -> Result<(), NetError> {
    let is = |name: HeaderName, word: &str| {
        let all = head.headers().get_all(&name);
        match all.iter().find(|value| !value.as_bytes().eq_ignore_ascii_case(word.as_bytes())) {
            Some(other) => {
                Err(NetError::http(&format!("`{name}` is {other:?}, which was not asked for")))
            }
            None => Ok(()),
        }
    };
    is(CONTENT_ENCODING, "identity")?;
    is(TRANSFER_ENCODING, "chunked")?;
    if head.version() == Version::HTTP_10 && head.headers().contains_key(TRANSFER_ENCODING) {
        return Err(NetError::http(&"HTTP/1.0 knows no chunks"));
    }
    Ok(())
}

/// The whole body, if it has at most `limit` bytes.
fn body(input: &mut Input, mut call: Call<RecvBody>, limit: u64) -> Result<Vec<u8>, NetError> {
    let too_large = || NetError::TooLarge { limit };
    let mode = call.body_mode();
    if matches!(mode, BodyMode::LengthDelimited(length) if length > limit) {
        return Err(too_large());
    }
    let until_close = mode == BodyMode::CloseDelimited;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let promised = match mode {
        BodyMode::LengthDelimited(length) => usize::try_from(length).unwrap_or(most),
        _ => 0,
    };
    let mut body = Vec::new();
    let mut framing = 0;
    while until_close || !call.can_proceed() {
        make_room(&mut body, input.bytes().len(), promised, most);
        let (used, got) =
            taken(&mut call, input.bytes(), &mut body, most)?.ok_or_else(too_large)?;
        input.consume(used);
        // Only what comes after the body can go on and on without being one.
        framing = if got > 0 { 0 } else { framing + used };
        if framing > HEAD {
            return Err(NetError::HeadTooLarge { limit: HEAD as u64 });
        }
        if used > 0 {
            continue;
        }
        if input.bytes().len() >= INPUT {
            return Err(NetError::http(&"a line between chunks does not end"));
        }
        if input.fill(INPUT_MOST)? == 0 {
            return match until_close || call.is_ended_chunked() {
                true => Ok(body),
                false => Err(NetError::http(&"the response's body is cut short")),
            };
        }
    }
    Ok(body)
}

/// Makes room for so many more bytes, and for some of those that are promised: never for more than
/// `most` in all.
fn make_room(body: &mut Vec<u8>, more: usize, promised: usize, most: usize) {
    let needed = body.len().saturating_add(more).min(most);
    if body.capacity() < needed {
        let ahead = promised.min(needed.saturating_mul(TRUST));
        let doubled = body.len().saturating_mul(2);
        let room = needed.max(ahead).max(doubled).min(most);
        body.reserve_exact(room - body.len());
    }
}

/// Moves from `bytes` to `body` what belongs there: how many were used, and how many of them were the
/// body's. `None` if it would have more than `most`.
fn taken(
    call: &mut Call<RecvBody>,
    bytes: &[u8],
    body: &mut Vec<u8>,
    most: usize,
) -> Result<Option<(usize, usize)>, Error> {
    let before = body.len();
    let room = bytes.len().min(most - before);
    if room == 0 {
        let mut one_more = [0];
        let (used, got) = call.read(bytes, &mut one_more)?;
        return Ok((got == 0).then_some((used, 0)));
    }
    body.resize(before + room, 0);
    let (used, got) = call.read(bytes, &mut body[before..])?;
    body.truncate(before + got);
    Ok(Some((used, got)))
}

/// What was read and not yet consumed.
struct Input {
    connection: OsConnection,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the last read filled the buffer: there may be more where that came from.
    full: bool,
}

impl Input {
    fn new(connection: OsConnection) -> Self {
        Input { connection, buffer: vec![0; INPUT], start: 0, end: 0, full: false }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads more, until there are `most` bytes at most; how many it got: 0 at the end.
    fn fill(&mut self, most: usize) -> Result<usize, NetError> {
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.full {
            let size = (self.buffer.len() * 2).min(INPUT_MOST);
            self.buffer.resize(size, 0);
        }
        let end = self.buffer.len().min(self.start + most);
        let got = self.connection.read(&mut self.buffer[self.end..end])?;
        self.end += got;
        self.full = self.end == self.buffer.len();
        Ok(got)
    }
}
