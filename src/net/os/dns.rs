//! First floor, `net`: a resolver that asks name servers itself, and never waits beyond the
//! deadline. Imports its neighbours in `net`.
//!
//! `getaddrinfo(3)` cannot be interrupted and waits for both address families of a name. It does
//! not tell a name that does not exist from a server that does not answer. So its work is done
//! here: read the host's own files, and ask its name servers.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::NetError;
use super::hosts::{self, Configured};
use super::message::{Answer, Kind, answer, question};
use super::race::{Begun, begun};
use super::resolve::Resolve;
use crate::fs::Errno;

/// Asks the host's name servers, or others. It asks for both address families at once, over UDP,
/// and over TCP if an answer does not fit.
///
/// The calling thread does everything, with sockets of its own. A silent name server holds up only
/// the caller that asks for that name, until the deadline. When one family is there, the other is
/// waited for only [this long](NameServers::PATIENCE). A name that no server knows, or that has no
/// address, is [`NetError::NoSuchName`]. A failing server is [`NetError::Resolver`].
///
/// `/etc/hosts` comes first. Names are asked for as they are, with no search list appended.
/// `localhost` and all names below it are the host itself (RFC 6761). To ask the other sources that
/// the system is configured for, use [`SystemResolver`](super::SystemResolver).
#[derive(Clone, Debug)]
pub struct NameServers {
    /// Those of the host's files, if nothing else is said.
    servers: Option<Vec<SocketAddr>>,
}

/// So long is an answer by UDP at the most.
const DATAGRAM: usize = 4096;

impl NameServers {
    /// How long to wait for the other addresses of a name when those of one family are there (RFC
    /// 8305).
    pub const PATIENCE: Duration = Duration::from_millis(50);

    /// How long to wait for an answer before the same question is sent again.
    pub const REPEATS: Duration = Duration::from_secs(1);

    /// The servers of `/etc/resolv.conf`, after `/etc/hosts`. The file is read anew for each name.
    pub fn system() -> Self {
        NameServers { servers: None }
    }

    /// These servers alone, one after the other, without the host's files.
    pub fn at(servers: &[SocketAddr]) -> Self {
        NameServers { servers: Some(servers.to_vec()) }
    }
}

impl Resolve for NameServers {
    fn resolve(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, NetError> {
        let plain = name.strip_suffix('.').unwrap_or(name);
        let (known, configured) = match &self.servers {
            // A file that is not there says nothing.
            None => {
                let known = fs::read_to_string("/etc/hosts").unwrap_or_default();
                let file = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
                (hosts::addresses(&known, plain), hosts::configured(&file))
            }
            Some(servers) => {
                let read = hosts::configured("");
                (Vec::new(), Configured { servers: servers.clone(), ..read })
            }
        };
        if !known.is_empty() {
            return Ok(known);
        }
        if plain == "localhost" || plain.ends_with(".localhost") {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        asked_in_turn(name, &configured, deadline)
    }
}

/// Asks each server, and each one as often as is configured, until one answers.
fn asked_in_turn(
    name: &str,
    configured: &Configured,
    deadline: Instant,
) -> Result<Vec<IpAddr>, NetError> {
    let mut error = NetError::resolver(&"there is no name server");
    for _ in 0..configured.attempts {
        for server in &configured.servers {
            let now = Instant::now();
            if now >= deadline {
                return Err(NetError::TimedOut);
            }
            let until = deadline.min(now + configured.patience);
            match asked(name, *server, until) {
                Ok(addresses) => return Ok(addresses),
                // That is an answer.
                Err(NetError::NoSuchName) => return Err(NetError::NoSuchName),
                Err(other) => error = other,
            }
        }
    }
    Err(error)
}

/// A question under way.
struct Asked {
    kind: Kind,
    socket: UdpSocket,
    question: Vec<u8>,
    /// When the answer did not fit into a datagram.
    by_tcp: Option<ByTcp>,
    answer: Option<Result<Answer, NetError>>,
}

impl Asked {
    /// From a port of the kernel's choice, with a number that nobody can guess.
    fn new(name: &str, kind: Kind, server: SocketAddr) -> Result<Self, NetError> {
        let mut id = [0; 2];
        getrandom::fill(&mut id).map_err(|error| NetError::resolver(&error))?;
        let question = question(u16::from_be_bytes(id), name, kind).ok_or(NetError::NoSuchName)?;
        let own: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((own, 0))?;
        // Nobody else is heard by it.
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        socket.send(&question)?;
        Ok(Asked { kind, socket, question, by_tcp: None, answer: None })
    }

    /// Asks again, if there is no answer: a datagram may be lost.
    fn repeat(&mut self) {
        if self.answer.is_none()
            && self.by_tcp.is_none()
            && let Err(error) = self.socket.send(&self.question)
        {
            self.answer = Some(Err(error.into()));
        }
    }

    /// Takes an answer, if one has come; waits for nothing, so that neither family holds up the other.
    fn receive(&mut self, server: SocketAddr) {
        let mut bytes = [0; DATAGRAM];
        while self.answer.is_none() {
            if let Some(by_tcp) = &mut self.by_tcp {
                self.answer = by_tcp.advance(&self.question, self.kind);
                return;
            }
            match self.socket.recv(&mut bytes) {
                Ok(length) => match answer(&self.question, &bytes[..length], self.kind) {
                    Some(Answer::Truncated) => match ByTcp::new(&self.question, server) {
                        Ok(by_tcp) => self.by_tcp = Some(by_tcp),
                        Err(error) => self.answer = Some(Err(error)),
                    },
                    // What is no answer to this is passed over: anybody may have sent it.
                    said => self.answer = said.map(Ok),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.answer = Some(Err(error.into())),
            }
        }
    }

    /// The socket by which the answer is to come, and what it waits for.
    fn awaited(&self) -> PollFd<'_> {
        match &self.by_tcp {
            Some(by_tcp) => PollFd::new(&by_tcp.stream, by_tcp.awaited()),
            None => PollFd::new(&self.socket, PollFlags::IN),
        }
    }

    fn has_addresses(&self) -> bool {
        matches!(&self.answer, Some(Ok(Answer::Addresses(addresses))) if !addresses.is_empty())
    }
}

/// Asks one server for both families.
fn asked(name: &str, server: SocketAddr, until: Instant) -> Result<Vec<IpAddr>, NetError> {
    // IPv6 first, as it is to be tried (RFC 6724).
    let mut both = [Asked::new(name, Kind::Aaaa, server)?, Asked::new(name, Kind::A, server)?];
    let mut until = until;
    let mut is_hurried = false;
    let mut repeats = Instant::now() + NameServers::REPEATS;
    while both.iter().any(|it| it.answer.is_none()) && Instant::now() < until {
        wait(&both, until.min(repeats))?;
        both.iter_mut().for_each(|it| it.receive(server));
        if Instant::now() >= repeats {
            repeats += NameServers::REPEATS;
            both.iter_mut().for_each(Asked::repeat);
        }
        if !is_hurried && both.iter().any(Asked::has_addresses) {
            is_hurried = true;
            until = until.min(Instant::now() + NameServers::PATIENCE);
        }
    }
    said(both.map(|it| it.answer))
}

/// What both answers together say.
fn said(answers: [Option<Result<Answer, NetError>>; 2]) -> Result<Vec<IpAddr>, NetError> {
    let (mut addresses, mut error) = (Vec::new(), None);
    for answer in answers {
        match answer {
            Some(Ok(Answer::Addresses(some))) => addresses.extend(some),
            Some(Ok(Answer::NoSuchName)) => {}
            Some(Ok(Answer::Failed(code))) => {
                let words = format!("the name server answers with code {code} ({})", word(code));
                error = Some(NetError::resolver(&words));
            }
            Some(Ok(Answer::Truncated)) => {
                error = Some(NetError::resolver(&"the name server cuts its answer short"));
            }
            Some(Err(failed)) => error = Some(failed),
            None => error = error.or(Some(NetError::TimedOut)),
        }
    }
    match error {
        _ if !addresses.is_empty() => Ok(addresses),
        Some(error) => Err(error),
        None => Err(NetError::NoSuchName),
    }
}

/// A name server's code by its name.
fn word(code: u8) -> &'static str {
    match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        4 => "NOTIMP",
        5 => "REFUSED",
        _ => "an error",
    }
}

/// Waits until one of those that are not answered yet is, or until then.
fn wait(both: &[Asked; 2], until: Instant) -> Result<(), NetError> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(|_| NetError::Os(Errno::INVAL))?;
    let open = both.iter().filter(|it| it.answer.is_none());
    let mut ready: Vec<_> = open.map(Asked::awaited).collect();
    match poll(&mut ready, Some(&left)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(NetError::Os(errno)),
    }
}

/// A question that is asked again by TCP, where an answer may have 64 KiB.
struct ByTcp {
    stream: TcpStream,
    /// What is still to be written.
    unwritten: Vec<u8>,
    /// What has come: the answer's length, and the answer.
    read: Vec<u8>,
}

impl ByTcp {
    fn new(question: &[u8], server: SocketAddr) -> Result<Self, NetError> {
        let length = u16::try_from(question.len()).map_err(|_| NetError::NoSuchName)?;
        let (Begun::Connected(socket) | Begun::UnderWay(socket)) =
            begun(server).map_err(NetError::Os)?;
        let unwritten = [&length.to_be_bytes(), question].concat();
        Ok(ByTcp { stream: TcpStream::from(socket), unwritten, read: Vec::new() })
    }

    /// What it waits for.
    fn awaited(&self) -> PollFlags {
        if self.unwritten.is_empty() { PollFlags::IN } else { PollFlags::OUT }
    }

    /// Goes on as far as it can without waiting; the answer, if it is there.
    fn advance(&mut self, question: &[u8], kind: Kind) -> Option<Result<Answer, NetError>> {
        let mut bytes = [0; DATAGRAM];
        loop {
            let done = match self.unwritten.is_empty() {
                false => self.stream.write(&self.unwritten),
                true => self.stream.read(&mut bytes),
            };
            match done {
                // Also while it is not connected yet.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(Err(error.into())),
                Ok(0) => return Some(Err(NetError::resolver(&"the name server hangs up"))),
                Ok(written) if !self.unwritten.is_empty() => drop(self.unwritten.drain(..written)),
                Ok(read) => self.read.extend_from_slice(&bytes[..read]),
            }
            if let Some(whole) = self.whole() {
                let said = answer(question, whole, kind);
                let other = || NetError::resolver(&"the name server answers something else");
                return Some(said.ok_or_else(other));
            }
        }
    }

    /// The answer, when all of it has come.
    fn whole(&self) -> Option<&[u8]> {
        let (length, bytes) = self.read.split_first_chunk()?;
        bytes.get(..usize::from(u16::from_be_bytes(*length)))
    }
}
