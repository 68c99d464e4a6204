//! First floor, `net`: resolvers of names. Imports its neighbours in `net`.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::NetError;

/// A resolver: it knows the addresses of names.
pub trait Resolve: Send + Sync {
    /// The addresses that a name has, in the order in which to try them.
    ///
    /// It has to return by `deadline`, with [`NetError::TimedOut`] if necessary: nobody interrupts
    /// it.
    ///
    /// An address with a zone (`fe80::1%eth0`) belongs to one link only, and an [`IpAddr`] cannot
    /// hold the zone. Without its zone it is another address. So a name that has such an address
    /// has to be an error.
    ///
    /// # Errors
    ///
    /// [`NetError::NoSuchName`] or [`NetError::Resolver`].
    fn resolve(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, NetError>;
}

/// The system's resolver, `getaddrinfo(3)`: `/etc/hosts`, name servers, and whatever else the
/// system is configured to ask.
///
/// `getaddrinfo(3)` cannot be interrupted, so it is called in a thread of its own. That thread is
/// left to itself when the deadline comes first. At most [`SystemResolver::MOST`] of these threads
/// exist in the process. If so many hang, the next caller waits for one to end, at most until the
/// deadline.
///
/// A name that has an address with a zone is refused as a whole ([`NetError::Resolver`]). A name
/// that does not exist is [`NetError::Resolver`], too: the C library's reason is not passed on.
///
/// [`NameServers`](super::NameServers) has none of these limits, and is the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl SystemResolver {
    /// How many names may be looked up at once, in the whole process.
    pub const MOST: usize = 64;
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, NetError> {
        static SLOTS: Slots = Slots::new(SystemResolver::MOST);
        let name = name.to_owned();
        in_thread(&SLOTS, deadline, move || {
            let told = (name.as_str(), 0).to_socket_addrs();
            unzoned(told.map_err(|error| NetError::resolver(&error))?)
        })
    }
}

/// The addresses without ports, if none has a zone.
fn unzoned(told: impl Iterator<Item = SocketAddr>) -> Result<Vec<IpAddr>, NetError> {
    told.map(|socket| match socket {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let (address, zone) = (v6.ip(), v6.scope_id());
            Err(NetError::resolver(&format!(
                "it has the address {address}%{zone}, of one link only"
            )))
        }
        SocketAddr::V6(_) | SocketAddr::V4(_) => Ok(socket.ip()),
    })
    .collect()
}

/// How many threads there may still be.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    const fn new(most: usize) -> Self {
        Slots { free: Mutex::new(most), freed: Condvar::new() }
    }

    /// Waits for a slot, until the deadline.
    fn take(&'static self, deadline: Instant) -> Result<Slot, NetError> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.freed.wait_timeout_while(free, left, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1).ok_or(NetError::TimedOut)?;
        Ok(Slot(self))
    }
}

/// The right to have a thread, until it is dropped.
struct Slot(&'static Slots);

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

/// What `look` answers, if it does so by the deadline. It goes on by itself otherwise, and keeps its
/// slot until it ends.
fn in_thread(
    slots: &'static Slots,
    deadline: Instant,
    look: impl FnOnce() -> Result<Vec<IpAddr>, NetError> + Send + 'static,
) -> Result<Vec<IpAddr>, NetError> {
    let slot = slots.take(deadline)?;
    let (tell, told) = sync_channel(1);
    let thread = thread::Builder::new().name("toctou-resolve".to_owned()).spawn(move || {
        // Freed before anybody is told, so that who comes next finds it free.
        let answer = {
            let _slot = slot;
            look()
        };
        // Nobody may be there any more to be told.
        let _ = tell.send(answer);
    });
    thread.map_err(|error| NetError::resolver(&error))?;
    match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(NetError::TimedOut),
        Err(RecvTimeoutError::Disconnected) => Err(NetError::resolver(&"the resolver panicked")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, SocketAddrV6};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    fn within(time: Duration) -> Instant {
        Instant::now() + time
    }

    #[test]
    fn a_resolver_that_hangs_is_left_to_itself_at_the_deadline_and_keeps_its_slot() {
        static SLOTS: Slots = Slots::new(1);
        let (release, released) = channel::<()>();
        let began = Instant::now();
        let hangs = in_thread(&SLOTS, within(Duration::from_millis(100)), move || {
            let _ = released.recv();
            Ok(Vec::new())
        });
        assert_eq!(hangs, Err(NetError::TimedOut));
        assert!(began.elapsed() < Duration::from_secs(5));

        let next = || in_thread(&SLOTS, within(Duration::from_millis(100)), || Ok(Vec::new()));
        assert_eq!(next(), Err(NetError::TimedOut), "there is one slot");
        release.send(()).unwrap();
        let patient = in_thread(&SLOTS, within(Duration::from_secs(60)), || Ok(Vec::new()));
        assert_eq!(patient, Ok(Vec::new()), "the slot is free again");
        assert_eq!(next(), Ok(Vec::new()));
    }

    #[test]
    fn a_resolver_that_panics_is_an_error_and_frees_its_slot() {
        static SLOTS: Slots = Slots::new(1);
        for _ in 0..2 {
            let deadline = within(Duration::from_secs(60));
            let panics = in_thread(&SLOTS, deadline, || std::panic::resume_unwind(Box::new(())));
            assert!(matches!(panics, Err(NetError::Resolver(_))), "{panics:?}");
        }
    }

    #[test]
    fn a_name_with_an_address_of_one_link_is_refused_and_the_zone_is_told() {
        let link: Ipv6Addr = "fe80::1".parse().unwrap();
        let told = ["192.0.2.1:0".parse().unwrap(), SocketAddrV6::new(link, 0, 0, 3).into()];
        let refused = unzoned(told.into_iter()).unwrap_err();
        assert!(refused.to_string().contains("fe80::1%3"), "{refused}");

        let whole: [SocketAddr; 2] =
            ["192.0.2.1:0".parse().unwrap(), "[2001:db8::1]:0".parse().unwrap()];
        assert_eq!(unzoned(whole.into_iter()), Ok(whole.map(|socket| socket.ip()).to_vec()));
    }
}
