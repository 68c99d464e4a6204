//! First floor, `net`: several addresses, of which the first one that accepts is taken (RFC 8305, "happy
//! eyeballs"). Imports its neighbours in `net`, and rustix's sockets.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt::socket_error,
};

use super::stream::left;
use super::{NetError, OsConnection, OsNet};
use crate::fs::Errno;

/// An address that is being connected to.
struct Attempt {
    /// The index of its address.
    number: usize,
    socket: OwnedFd,
    /// Until when it is waited for.
    until: Instant,
}

/// What has become of an attempt at once.
pub(super) enum Begun {
    Connected(OwnedFd),
    UnderWay(OwnedFd),
}

/// Connects to the first of these addresses that accepts. Waits for each of them as long as
/// `timeout`, and for none beyond the deadline. Returns the index of that address, or that of the
/// last one with its error.
pub(super) fn connected(
    first: SocketAddr,
    others: &[SocketAddr],
    timeout: Duration,
    deadline: Instant,
) -> (usize, Result<OsConnection, NetError>) {
    let last = others.len();
    if timeout.is_zero() {
        return (last, Err(NetError::TimedOut));
    }
    let mut waiting = [first].into_iter().chain(others.iter().copied()).enumerate();
    let mut next = waiting.next();
    let mut attempts: Vec<Attempt> = Vec::new();
    // Of the last one, if it has failed.
    let mut error = NetError::TimedOut;
    // When the next one is begun with at the latest: at once, when one has failed.
    let mut turn = Instant::now();
    while next.is_some() || !attempts.is_empty() {
        let now = Instant::now();
        if now >= deadline {
            return (last, Err(NetError::TimedOut));
        }
        if let Some((number, to)) = next.filter(|_| attempts.is_empty() || now >= turn) {
            next = waiting.next();
            turn = now + OsNet::CONNECT_DELAY;
            let until = now.checked_add(timeout).map_or(deadline, |until| until.min(deadline));
            match begun(to) {
                Ok(Begun::Connected(socket)) => return (number, taken(socket, deadline)),
                Ok(Begun::UnderWay(socket)) => attempts.push(Attempt { number, socket, until }),
                Err(errno) => {
                    turn = now;
                    if number == last {
                        error = NetError::Os(errno);
                    }
                }
            }
            continue;
        }
        let begins = next.map(|_| turn);
        let wakes = attempts.iter().map(|attempt| attempt.until).chain(begins).min();
        if let Err(errno) = wait(&attempts, wakes.unwrap_or(deadline).min(deadline)) {
            return (last, Err(NetError::Os(errno)));
        }
        for attempt in std::mem::take(&mut attempts) {
            match outcome(&attempt) {
                None => attempts.push(attempt),
                Some(Ok(())) => return (attempt.number, taken(attempt.socket, deadline)),
                Some(Err(failed)) => {
                    turn = Instant::now();
                    if attempt.number == last {
                        error = failed;
                    }
                }
            }
        }
    }
    (last, Err(error))
}

/// Begins to connect to an address.
pub(super) fn begun(to: SocketAddr) -> Result<Begun, Errno> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &to) {
        Ok(()) => Ok(Begun::Connected(socket)),
        // Interrupted, it goes on like one that is not waited for.
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(Begun::UnderWay(socket)),
        Err(errno) => Err(errno),
    }
}

/// Waits until something has become of an attempt, or until then.
fn wait(attempts: &[Attempt], until: Instant) -> Result<(), Errno> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
    let ready = |attempt| PollFd::new(attempt, PollFlags::OUT);
    let mut ready: Vec<_> = attempts.iter().map(|attempt| ready(&attempt.socket)).collect();
    match poll(&mut ready, Some(&left)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// What has become of an attempt; `None` as long as nothing has.
fn outcome(attempt: &Attempt) -> Option<Result<(), NetError>> {
    let mut ready = [PollFd::new(&attempt.socket, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut ready, Some(&at_once)) {
        Ok(0) | Err(Errno::INTR) => {
            (Instant::now() >= attempt.until).then_some(Err(NetError::TimedOut))
        }
        Ok(_) => match socket_error(&attempt.socket) {
            Ok(Ok(())) => Some(Ok(())),
            Ok(Err(errno)) | Err(errno) => Some(Err(NetError::Os(errno))),
        },
        Err(errno) => Some(Err(NetError::Os(errno))),
    }
}

/// The connection by a socket that is connected, which waits from here on.
fn taken(socket: OwnedFd, deadline: Instant) -> Result<OsConnection, NetError> {
    left(deadline)?;
    ioctl_fionbio(&socket, false).map_err(NetError::Os)?;
    OsConnection::new(TcpStream::from(socket), deadline)
}
