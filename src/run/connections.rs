//! Third floor, `run`: the connections of a program with the database of its world. Imports
//! [`db`](crate::db), [`direct`](crate::direct) and its neighbours in `run`.
//!
//! A program connects to [`PORT`] of this machine. It is led to a socket of the check instead, which speaks
//! PostgreSQL's protocol. What it sends there goes through the kernel; the statements in it are operations on the
//! world. The answer is there before the program goes on, so it waits for nothing but the world.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use libc::{c_int, pid_t};

use super::checkpoint::{handle_of, same_file};
use super::tree::Tree;
use crate::db::wire::{Conversation, Refused};
use crate::db::{Answer, Database, Reply, SimDb, SqlError, SqlState, Statement};
use crate::direct::{DirectDb, DirectSession};

/// The port at which programs find the database: PostgreSQL's own.
pub(super) const PORT: u16 = 5432;

/// What a program finds in its environment where there is a database.
pub(super) const ENVIRONMENT: [&str; 7] = [
    "DATABASE_URL=postgresql://toctou@127.0.0.1:5432/toctou?sslmode=disable",
    "PGHOST=127.0.0.1",
    "PGPORT=5432",
    "PGUSER=toctou",
    "PGDATABASE=toctou",
    "PGSSLMODE=disable",
    "PGGSSENCMODE=disable",
];

/// How long the kernel may take to pass bytes on from one socket of this machine to another.
const PASSED_ON: Duration = Duration::from_secs(5);

/// No answer is longer: it has to fit into a socket, because the program reads none of it before it goes on.
const LONGEST: usize = 1 << 20;

/// The connections of one run.
#[derive(Debug, Default)]
pub(super) struct Connections {
    listener: Option<TcpListener>,
    /// By the inodes of the program's sockets.
    all: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    conversation: Conversation,
    session: Option<DirectSession>,
}

/// Why a connection cannot go on.
pub(super) enum Broken {
    /// The program asks for what is not simulated.
    Refused(Refused),
    Failed(&'static str, io::Error),
}

impl Connections {
    /// Where the socket is to which a program is led.
    pub(super) fn address(&mut self) -> io::Result<SocketAddr> {
        let listener = match &self.listener {
            Some(listener) => listener,
            None => self.listener.insert(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?),
        };
        listener.local_addr()
    }

    /// A program's socket has been led there.
    pub(super) fn begins(&mut self, inode: u64) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        readable(listener.as_raw_fd())?;
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PASSED_ON))?;
        let room = LONGEST as c_int;
        // SAFETY: `room` is a number of this length, and is only read.
        unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_SNDBUF,
                (&raw const room).cast(),
                size_of_val(&room) as libc::socklen_t,
            );
        }
        let connection = Connection { stream, conversation: Conversation::new(), session: None };
        self.all.insert(inode, connection);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn has(&self, inode: u64) -> bool {
        self.all.contains_key(&inode)
    }

    /// A program has sent so many bytes. They are answered; `before` comes before each statement.
    pub(super) fn sent(
        &mut self,
        inode: u64,
        count: usize,
        tables: &SimDb,
        before: &mut dyn FnMut(),
    ) -> Result<(), Broken> {
        let Some(Connection { stream, conversation, session }) = self.all.get_mut(&inode) else {
            return Ok(());
        };
        let mut bytes = vec![0; count];
        let read = stream.read_exact(&mut bytes);
        read.map_err(|error| {
            Broken::Failed("what it sent to the database does not arrive", error)
        })?;
        let mut db = DirectDb::new();
        let mut perform = |statement: &Statement| -> Result<Answer, SqlError> {
            before();
            let session = match session {
                Some(session) => session,
                None => session.insert(db.connect()?),
            };
            match db.execute(session, statement) {
                // In the same words, whichever database it was.
                Reply::Answer(answer) => answer.map_err(|error| error.state.in_postgresql()),
                // A program does not notice that it waits.
                Reply::Queued | Reply::Waiting | Reply::Underway(_) => {
                    Err(SqlState::INTERNAL_ERROR.into())
                }
            }
        };
        conversation.takes(&bytes, tables, &mut perform).map_err(Broken::Refused)?;
        let answer = conversation.take_answers();
        if answer.len() > LONGEST / 2 {
            let error = io::Error::other("it is longer than half a mebibyte");
            return Err(Broken::Failed("an answer of the database cannot be sent", error));
        }
        // Whoever has closed its end wants no answer.
        let _ = stream.write_all(&answer);
        if conversation.has_ended() {
            self.ends(inode);
        }
        Ok(())
    }

    /// Ends the connections on which nobody speaks any more.
    pub(super) fn end_those(&mut self, is_gone: impl Fn(u64) -> bool) {
        let gone = self.all.keys().copied().filter(|inode| is_gone(*inode));
        for inode in gone.collect::<Vec<_>>() {
            self.ends(inode);
        }
    }

    /// Ends a session, as the server does when its client is gone: that is an operation, if the session holds
    /// anything.
    fn ends(&mut self, inode: u64) {
        let Some(connection) = self.all.remove(&inode) else { return };
        if let Some(session) = connection.session
            && connection.conversation.takes_session_locks()
        {
            DirectDb::new().disconnect(session);
        }
    }
}

impl Tree<'_> {
    /// The socket that a descriptor stands for.
    pub(super) fn socket(&self, pid: pid_t, descriptor: u64) -> Option<u64> {
        let link = fs::read_link(format!("/proc/{pid}/fd/{}", descriptor as i32)).ok()?;
        socket_of(&link)
    }

    /// The connection that a descriptor stands for, by its socket.
    pub(super) fn connection(&self, pid: pid_t, descriptor: u64) -> Option<u64> {
        if self.connections.is_empty() {
            return None;
        }
        self.socket(pid, descriptor).filter(|inode| self.connections.has(*inode))
    }

    /// Ends the connections for which no process has a descriptor.
    pub(super) fn end_what_nobody_talks_on(&mut self) {
        let mut held = Vec::new();
        for task in self.processes() {
            let Ok(entries) = fs::read_dir(format!("/proc/{task}/fd")) else { continue };
            held.extend(
                entries.flatten().filter_map(|it| socket_of(&fs::read_link(it.path()).ok()?)),
            );
        }
        self.connections.end_those(|inode| !held.contains(&inode));
    }
}

/// The socket of a link in `/proc/PID/fd`.
fn socket_of(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Whether a descriptor of a process is a socket for datagrams, with which nothing is sent by a `connect`.
/// `None` where the kernel does not say.
pub(super) fn is_for_datagrams(pid: pid_t, descriptor: u64) -> Option<bool> {
    let same = same_file(&handle_of(pid).ok()?, descriptor as c_int).ok()?;
    let (mut kind, mut length) = (0 as c_int, size_of::<c_int>() as libc::socklen_t);
    // SAFETY: `kind` and `length` are places for what is told.
    let told = unsafe {
        libc::getsockopt(
            same.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut length,
        )
    };
    (told == 0).then_some(kind == libc::SOCK_DGRAM)
}

/// Waits until there is something to read or to accept.
fn readable(descriptor: c_int) -> io::Result<()> {
    let mut waited = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    // SAFETY: `waited` is one such value.
    match unsafe { libc::poll(&raw mut waited, 1, PASSED_ON.as_millis() as c_int) } {
        1 => Ok(()),
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Err(io::Error::last_os_error()),
    }
}
