//! Real servers on loopback: raw bytes over the standard library's sockets, and a record of what
//! reached them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The address that the tests' policy allows.
pub(crate) const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// One that it does not.
pub(crate) const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// A server that does the same with every connection, each in a thread of its own, until it is
/// dropped.
pub(crate) struct Server {
    address: SocketAddr,
    reached: Arc<Reached>,
    acceptor: Option<JoinHandle<()>>,
}

/// What reached a server.
#[derive(Default)]
pub(crate) struct Reached {
    connections: Mutex<Vec<SocketAddr>>,
    requests: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Reached {
    /// Whether nobody will look any more: what goes on for ever ends then.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Reads a request's head, and notes it.
    pub(crate) fn request(&self, stream: &mut impl Read) -> io::Result<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("requests are text");
        self.requests.lock().unwrap().push(head.clone());
        Ok(head)
    }
}

impl Server {
    /// Listens at an address, on a port of the system's choice.
    pub(crate) fn at(
        address: IpAddr,
        serve: impl Fn(&mut TcpStream, &Reached) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("an address of loopback");
        let address = listener.local_addr().unwrap();
        let reached = Arc::new(Reached::default());
        let (noting, serve) = (reached.clone(), Arc::new(serve));
        let acceptor = thread::spawn(move || {
            while let Ok((mut stream, peer)) = listener.accept() {
                if noting.is_over() {
                    return;
                }
                noting.connections.lock().unwrap().push(peer);
                let (noting, serve) = (noting.clone(), serve.clone());
                thread::spawn(move || {
                    // The client may go at any time.
                    let _ = serve(&mut stream, &noting);
                });
            }
        });
        Server { address, reached, acceptor: Some(acceptor) }
    }

    /// Reads each request and answers with these bytes, then closes.
    pub(crate) fn answering(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::at(OUTSIDE, move |stream, reached| {
            reached.request(stream)?;
            stream.write_all(&response)
        })
    }

    /// Reads each request and answers with what `respond` makes of it.
    pub(crate) fn responding(respond: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::at(OUTSIDE, move |stream, reached| {
            let response = respond(&reached.request(stream)?);
            stream.write_all(response.as_bytes())
        })
    }

    /// Reads each request, sends `first`, and then `then` again and again, pausing so long in between.
    pub(crate) fn endless(first: &'static str, then: &'static str, pause: Duration) -> Self {
        Self::at(OUTSIDE, move |stream, reached| {
            reached.request(stream)?;
            stream.write_all(first.as_bytes())?;
            while !reached.is_over() {
                stream.write_all(then.as_bytes())?;
                thread::sleep(pause);
            }
            Ok(())
        })
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://a.test:port` and this path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://a.test:{}{path}", self.port())
    }

    /// The heads of the requests that came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.reached.requests.lock().unwrap().clone()
    }

    /// How many connections came. They are accepted in order, so one more is made, and all before it
    /// are counted when it has come.
    pub(crate) fn connections(&self) -> usize {
        let probe = TcpStream::connect(self.address).expect("it listens");
        let probe = probe.local_addr().expect("it is connected");
        loop {
            let mut connections = self.reached.connections.lock().unwrap();
            if let Some(before) = connections.iter().position(|peer| *peer == probe) {
                connections.remove(before);
                return before;
            }
            drop(connections);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.reached.over.store(true, Ordering::Relaxed);
        // Wakes it up.
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(acceptor)) = (woken, self.acceptor.take()) {
            let _ = acceptor.join();
        }
    }
}

/// A response with this body, and its length.
pub(crate) fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A redirect to there.
pub(crate) fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
}

/// Addresses with one port, of which the first ones answer nobody, like hosts that are off.
pub(crate) struct BlackHoles {
    pub(crate) port: u16,
    /// At the last address, for whoever wants to answer.
    pub(crate) listener: TcpListener,
    /// They never accept, and their queues are full.
    _holes: Vec<TcpListener>,
    _queued: Vec<TcpStream>,
}

impl BlackHoles {
    /// At `holes`, beside a listener at `answering`.
    pub(crate) fn beside(answering: IpAddr, holes: &[IpAddr]) -> Self {
        // A port that is free at one address may not be at another.
        let (listener, holes) = (0..100)
            .find_map(|_| {
                let listener = TcpListener::bind((answering, 0)).ok()?;
                let port = listener.local_addr().ok()?.port();
                let holes = holes.iter().map(|hole| TcpListener::bind((*hole, port)).ok());
                Some((listener, holes.collect::<Option<Vec<_>>>()?))
            })
            .expect("a port that is free at each address");
        let mut queued = Vec::new();
        for hole in &holes {
            let to = hole.local_addr().unwrap();
            let queue = || TcpStream::connect_timeout(&to, Duration::from_millis(100)).ok();
            let more: Vec<_> = (0..5000).map_while(|_| queue()).collect();
            assert!(more.len() < 5000, "the queue is never full");
            queued.extend(more);
        }
        let port = listener.local_addr().unwrap().port();
        BlackHoles { port, listener, _holes: holes, _queued: queued }
    }
}
