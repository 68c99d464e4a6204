//! First floor, `net`: a connection whose every wait ends at the deadline, with TLS or without.
//! Imports its neighbours in `net`, and rustls.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use url::Host;

use super::NetError;
use crate::net::{Method, Url};

/// HTTP/1.1 by its name in TLS.
pub(super) const HTTP_1_1: &[u8] = b"http/1.1";

/// A connection of [`OsNet`](super::OsNet), for one request.
pub struct OsConnection {
    tcp: Timed,
    /// From the moment on at which a request for an `https` URL is to be sent.
    tls: Option<Box<ClientConnection>>,
    /// Whether a request was sent, or was to be.
    pub(super) used: bool,
    /// What was asked, until the answer is received.
    pub(super) asked: Option<Method>,
}

impl OsConnection {
    /// By a socket that is connected.
    pub(super) fn new(stream: TcpStream, deadline: Instant) -> Result<Self, NetError> {
        // What is written is whole, so there is nothing to wait for.
        stream.set_nodelay(true)?;
        Ok(OsConnection { tcp: Timed { stream, deadline }, tls: None, used: false, asked: None })
    }

    pub(super) fn peer(&self) -> Result<SocketAddr, NetError> {
        Ok(self.tcp.stream.peer_addr()?)
    }

    /// Has the server prove that it is the URL's host, and encrypts from here on.
    pub(super) fn secure(&mut self, url: &Url, config: &Arc<ClientConfig>) -> Result<(), NetError> {
        let name = match url.host() {
            Some(Host::Domain(name)) => {
                ServerName::try_from(name.to_owned()).map_err(|error| NetError::tls(&error))?
            }
            Some(Host::Ipv4(v4)) => ServerName::from(IpAddr::from(v4)),
            Some(Host::Ipv6(v6)) => ServerName::from(IpAddr::from(v6)),
            None => return Err(NetError::tls(&"the URL has no host")),
        };
        let mut tls =
            ClientConnection::new(config.clone(), name).map_err(|error| NetError::tls(&error))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.tcp).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => NetError::tls(&"the handshake was cut short"),
                _ => error.into(),
            })?;
        }
        if tls.alpn_protocol().is_some_and(|protocol| protocol != HTTP_1_1) {
            return Err(NetError::tls(&"the server chose another protocol than HTTP/1.1"));
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// Writes all of it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), NetError> {
        match &mut self.tls {
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut self.tcp);
                stream.write_all(bytes)?;
                Ok(stream.flush()?)
            }
            None => Ok(self.tcp.write_all(bytes)?),
        }
    }

    /// Reads what there is, at least a byte; 0 at the end. With TLS, an end that the server did not
    /// announce is an error.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Result<usize, NetError> {
        loop {
            let read = match &mut self.tls {
                Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).read(bytes),
                None => self.tcp.read(bytes),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Ok(read?),
            }
        }
    }
}

impl fmt::Debug for OsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsConnection").field("tcp", &self.tcp.stream).finish_non_exhaustive()
    }
}

/// A socket of which every call ends at the deadline, however many bytes trickle in between.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

/// What is left until the deadline, and more than nothing.
pub(super) fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(bytes)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
