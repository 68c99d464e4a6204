//! Third floor, `run`: what a program does with sockets. Imports [`fs`](crate::fs) and its neighbours in
//! `run`.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{c_long, pid_t, user_regs_struct};

use super::Answer::{self, Is, Kernel, With};
use super::Call;
use crate::fs::Errno;
use crate::run::connections::{Broken, PORT, is_for_datagrams};
use crate::run::tree::{AtReturn, Tree, WorksIn, registers, stop};
use crate::run::{WORLD, memory};

/// The calls that send.
const SEND: [c_long; 4] = [libc::SYS_write, libc::SYS_writev, libc::SYS_sendto, libc::SYS_sendmsg];

/// An address that a socket is given.
struct Address(Vec<u8>);

impl Address {
    fn family(&self) -> i32 {
        let family = self.0.get(..2).and_then(|it| it.try_into().ok());
        family.map_or(0, |family| u16::from_ne_bytes(family).into())
    }

    fn port(&self) -> u16 {
        let port = self.0.get(2..4).and_then(|it| it.try_into().ok());
        port.map_or(0, u16::from_be_bytes)
    }

    fn is_of_network(&self) -> bool {
        [libc::AF_INET, libc::AF_INET6].contains(&self.family())
    }

    /// Whether it is this machine, by the address that has no version 6.
    fn is_loopback(&self) -> bool {
        self.family() == libc::AF_INET
            && self.0.get(4..8).is_some_and(|it| it == Ipv4Addr::LOCALHOST.octets())
    }

    fn is_loopback_of_version_6(&self) -> bool {
        self.family() == libc::AF_INET6
            && self.0.get(8..24).is_some_and(|it| it == Ipv6Addr::LOCALHOST.octets())
    }

    fn path(&self) -> &Path {
        let path = self.0.get(2..).unwrap_or_default().split(|byte| *byte == 0).next();
        Path::new(OsStr::from_bytes(path.unwrap_or_default()))
    }
}

/// Whether the call before which a process is stopped concerns the database.
pub(super) fn asks_the_database(tree: &Tree<'_>, pid: pid_t, now: &user_regs_struct) -> bool {
    SEND.contains(&(now.orig_rax as c_long)) && tree.connection(pid, now.rdi).is_some()
}

/// Whether the call before which a process is stopped makes a socket that may be for the database.
pub(super) fn may_be_for_the_database(tree: &Tree<'_>, now: &user_regs_struct) -> bool {
    tree.program.database.is_some()
        && now.orig_rax as c_long == libc::SYS_socket
        && [libc::AF_INET, libc::AF_INET6].contains(&(now.rdi as i32))
        && now.rsi as i32 & 0xf == libc::SOCK_STREAM
}

impl Call<'_, '_, '_> {
    /// What goes to the database, of what a program sends.
    pub(super) fn for_the_database(&mut self, number: c_long) -> Option<Answer> {
        let closes = [libc::SYS_close, libc::SYS_shutdown].contains(&number);
        if !closes && !SEND.contains(&number) {
            return None;
        }
        let connection = self.tree.connection(self.pid, self.of[0])?;
        let then = if closes { AtReturn::Closed } else { AtReturn::Sent(connection) };
        if let Some(task) = self.tree.task(self.pid) {
            task.at_return = Some(then);
        }
        Some(Kernel)
    }

    /// A socket with a name in the world, or one that others meet outside of it.
    pub(super) fn socket(&mut self, address: u64, length: u64, is_bound: bool) -> Answer {
        let bytes = memory::read(self.pid, address, length.min(128) as usize);
        let address = Address(bytes.unwrap_or_default());
        if !is_bound
            && address.is_of_network()
            && self.tree.program.database.is_some()
            && let Some(answer) = self.connects(&address)
        {
            return answer;
        }
        if address.is_of_network() && address.port() != 0 {
            self.refuse(&format!("the network: it is no part of the world{}", self.hint()));
        }
        let is_local = address.family() == libc::AF_UNIX;
        if is_bound && is_local && address.0.get(2) == Some(&0) {
            self.refuse("a socket with a name that all programs share");
        }
        let path = address.path();
        let names_a_server =
            path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".s.PGSQL."));
        if is_local && names_a_server && self.tree.program.database.is_some() {
            self.refuse(&format!("a database that is not the world's{}", self.hint()));
        }
        let is_there = match path.is_relative() {
            true => !matches!(self.tree.works_in(self.pid), WorksIn::Elsewhere),
            false => path.starts_with(WORLD),
        };
        if is_local && !path.as_os_str().is_empty() && is_there {
            self.refuse("a socket with a name in the world");
        }
        Kernel
    }

    fn hint(&self) -> &'static str {
        match self.tree.program.database {
            Some(_) => ". The world's database is at 127.0.0.1:5432, as `DATABASE_URL` says",
            None => "",
        }
    }

    /// A connection with the database, if it is one. It is led to a socket of this process.
    fn connects(&mut self, address: &Address) -> Option<Answer> {
        let socket = self.of[0];
        // By which the resolver finds out which address is the better one. Nothing is sent.
        if is_for_datagrams(self.pid, socket) == Some(true)
            && (address.is_loopback() || address.is_loopback_of_version_6())
        {
            return Some(Kernel);
        }
        if address.port() != PORT {
            return None;
        }
        if address.is_loopback_of_version_6() {
            return Some(Is(Err(Errno::CONNREFUSED)));
        }
        if !address.is_loopback() {
            return None;
        }
        let Some(inode) = self.tree.socket(self.pid, socket) else {
            return Some(Is(Err(Errno::BADF)));
        };
        let led_to = match self.tree.connections.address() {
            Ok(led_to) => led_to,
            Err(error) => self.tree.program.fails("no socket for its database", &error),
        };
        let Some(now) = registers(self.pid) else { return Some(Kernel) };
        // It stands below what the stack may be used for.
        let at = (now.rsp - 1024) & !15;
        let mut other = address.0.clone();
        if let Some(port) = other.get_mut(2..4) {
            port.copy_from_slice(&led_to.port().to_be_bytes());
        }
        if memory::write(self.pid, at, &other).is_err() {
            self.refuse("there is no room on its stack");
        }
        if let Some(task) = self.tree.task(self.pid) {
            task.at_return = Some(AtReturn::Connected(inode));
        }
        let mut changed = self.of;
        changed[1] = at;
        Some(With(changed))
    }
}

/// A connection with the database has begun, if it has.
pub(super) fn connected(tree: &mut Tree<'_>, inode: u64, answer: i64) {
    if (answer == 0 || answer == -i64::from(libc::EINPROGRESS))
        && let Err(error) = tree.connections.begins(inode)
    {
        tree.program.fails("its connection with the database does not come about", &error);
    }
}

/// So many bytes were sent to the database.
pub(super) fn sent(tree: &mut Tree<'_>, pid: pid_t, inode: u64, answer: i64) {
    let (Ok(count), Some(tables)) = (usize::try_from(answer), &tree.program.database) else {
        return;
    };
    let program = tree.program;
    let sent = tree.connections.sent(inode, count, tables, &mut || program.may_be_killed_here());
    match sent {
        Ok(()) => {}
        Err(Broken::Refused(why)) => {
            let by = super::comm(pid).unwrap_or_else(|| program.name.clone());
            stop(format!("`{by}` and its database: {why}"))
        }
        Err(Broken::Failed(what, error)) => program.fails(what, &error),
    }
}
