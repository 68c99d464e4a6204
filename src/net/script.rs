//! First floor, `net`: the powers of somebody who owns a name server and web servers. Imports its
//! neighbours in `net`.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use url::Host;

use super::{Headers, Method, Request, Url};

/// The answer of a web server to every request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Page {
    /// 200, with this type and this body.
    Content(Arc<str>, Arc<str>),
    /// 302, to this URL.
    Redirect(Arc<str>),
}

impl Page {
    /// A page of plain text.
    pub fn text(body: &str) -> Self {
        Page::Content("text/plain".into(), body.into())
    }

    /// A redirect to this URL.
    pub fn redirect(to: &str) -> Self {
        Page::Redirect(to.into())
    }
}

impl Page {
    /// The status and the headers that a server sends before it.
    pub(super) fn head(&self) -> (u16, Headers) {
        let (status, name, value, length) = match self {
            Page::Content(kind, body) => (200, "content-type", kind, body.len()),
            Page::Redirect(to) => (302, "location", to, 0),
        };
        let mut headers = Headers::new();
        headers.push(name.into(), value.clone());
        headers.push("content-length".into(), length.to_string().into());
        headers.push("connection".into(), "close".into());
        (status, headers)
    }

    /// Why no server can answer so.
    pub(super) fn fault(&self) -> Option<String> {
        let (name, value) = match self {
            Page::Content(kind, _) => ("Content-Type", kind),
            Page::Redirect(to) => ("Location", to),
        };
        // A header's value begins and ends with something that can be seen, and has one line.
        let is_one = value.trim_matches([' ', '\t']) == &**value
            && value.chars().all(|char| char == '\t' || !char.is_ascii_control());
        (!is_one).then(|| format!("no server can say `{name}: {}`", value.escape_debug()))
    }
}

/// Why no URL can have this name as its host. URLs are looked up as they are written there, in
/// lower case and in ASCII letters.
pub(super) fn name_fault(name: &str) -> Option<String> {
    let url = Url::parse(&format!("http://{name}/")).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(host)) if host == name => None,
        Some(Host::Domain(host)) => {
            Some(format!("no URL has the host {name:?}: it would be `{host}` there"))
        }
        _ => Some(format!("no URL has the host {name:?}, as a name")),
    }
}

impl fmt::Display for Page {
    /// `200 "cat"`, `302 → http://a.example/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Page::Content(_, body) => write!(f, "200 {body:?}"),
            Page::Redirect(to) => write!(f, "302 → {to}"),
        }
    }
}

/// A visit of a server: a connection, or a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Visit {
    /// A connection was made.
    Connected,
    /// A request came: its method, its host and its target, by the request's own word.
    Asked(Method, Arc<str>, Arc<str>),
}

impl Visit {
    /// The request as a server sees it.
    pub fn of(request: &Request) -> Self {
        let url = &request.url;
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        // A fragment is not sent.
        let asked = &url[url::Position::BeforePath..url::Position::AfterQuery];
        Visit::Asked(request.method, host.into(), asked.into())
    }

    /// Whether the visit is a request.
    pub fn is_request(&self) -> bool {
        matches!(self, Visit::Asked(..))
    }
}

impl fmt::Display for Visit {
    /// `connected`, `GET / of a.example`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Visit::Connected => f.write_str("connected"),
            Visit::Asked(method, host, path) => write!(f, "{} {path} of {host}", method.word()),
        }
    }
}

/// A network whose names and servers somebody owns: an attacker's powers. Each takes effect at
/// once.
pub trait Scripted {
    /// From now on the name has these addresses, in this order.
    fn bind(&mut self, name: &str, addresses: &[IpAddr]);

    /// From now on the server at this address answers with this page, also to requests that it has
    /// received and not answered.
    fn serve(&mut self, server: IpAddr, page: &Page);

    /// From now on the server at this address accepts connections, or refuses them.
    fn listen(&mut self, server: IpAddr, listens: bool);
}
