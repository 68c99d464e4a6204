//! First floor, `net`: what a host's own files say of names, `/etc/hosts` and `/etc/resolv.conf`. Imports
//! nothing of this crate.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The port of name servers.
const PORT: u16 = 53;
/// So many of the name servers in a file are asked, as the C library does.
const MOST_SERVERS: usize = 3;

/// The addresses that `/etc/hosts` gives a name, in the file's order. `name` is in lower case.
pub(super) fn addresses(hosts: &str, name: &str) -> Vec<IpAddr> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let found = lines.filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        // One with a zone is no address here: such a name is not known by this file.
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    });
    found.collect()
}

/// What `/etc/resolv.conf` says of name servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configured {
    pub(super) servers: Vec<SocketAddr>,
    /// How long one answer is waited for.
    pub(super) patience: Duration,
    /// How often each of them is asked.
    pub(super) attempts: u32,
}

/// Reads the file, and passes over what it does not know, as the C library does.
pub(super) fn configured(resolv_conf: &str) -> Configured {
    let mut read =
        Configured { servers: Vec::new(), patience: Duration::from_secs(5), attempts: 2 };
    for line in resolv_conf.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") if read.servers.len() < MOST_SERVERS => {
                let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                read.servers.extend(address.map(|address| SocketAddr::new(address, PORT)));
            }
            Some("options") => words.for_each(|word| read.option(word)),
            _ => {}
        }
    }
    if read.servers.is_empty() {
        read.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
    }
    read
}

impl Configured {
    /// The C library's bounds, 30 seconds and 5 attempts.
    fn option(&mut self, word: &str) {
        match word.split_once(':').map(|(name, value)| (name, value.parse::<u32>())) {
            Some(("timeout", Ok(seconds))) => {
                self.patience = Duration::from_secs(seconds.clamp(1, 30).into());
            }
            Some(("attempts", Ok(attempts))) => self.attempts = attempts.clamp(1, 5),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_addresses_of_each_line_that_has_it() {
        let hosts = "# 127.0.0.9 a\n127.0.0.1\tlocalhost A.test # a.text\n::1 localhost\n\
                     fe80::1%eth0 link\n192.0.2.1 b a.test\nnonsense a.test\n";
        let of = |name| addresses(hosts, name);
        assert_eq!(of("localhost"), ["127.0.0.1", "::1"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        assert_eq!(of("a.test"), [[127, 0, 0, 1], [192, 0, 2, 1]].map(IpAddr::from));
        assert_eq!((of("link"), of("a"), of("test")), (vec![], vec![], vec![]));
    }

    #[test]
    fn name_servers_are_read_and_what_is_not_known_is_passed_over() {
        let read = configured(
            "; x\nsearch a.test\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n\
             nameserver 2001:db8::1\noptions timeout:1 rotate attempts:9 timeout:x\n\
             nameserver 192.0.2.3\nnameserver 192.0.2.4\n",
        );
        let servers = ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"];
        assert_eq!(read.servers, servers.map(|at| at.parse::<SocketAddr>().unwrap()));
        assert_eq!((read.patience, read.attempts), (Duration::from_secs(1), 5));
        let nothing = configured("");
        assert_eq!(nothing.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!((nothing.patience, nothing.attempts), (Duration::from_secs(5), 2));
    }
}
