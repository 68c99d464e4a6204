//! Servers that are not the one that was meant, or none: what they are told, and what they get to see.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, Stream};
use toctou::db::{Pooling, PostgresDb, SqlError, SqlState};

use crate::certificates::{Authority, years};

/// What a client says first if it wants encryption.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What a client says of itself at last.
const WHO: &[u8] = b"user\0toctou\0";

/// A server, and what its clients have told it that was not encrypted for somebody else.
struct Impostor {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
    served: Receiver<()>,
}

impl Impostor {
    fn new(serve: impl Fn(TcpStream, &Mutex<Vec<u8>>) -> io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (ended, served) = channel();
        let shared = heard.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serve(stream, &shared);
                if ended.send(()).is_err() {
                    return;
                }
            }
        });
        Impostor { port, heard, served }
    }

    /// One that encrypts, and would hear all.
    fn encrypting(config: ServerConfig) -> Self {
        let config = Arc::new(config);
        Impostor::new(move |mut tcp, heard| {
            let mut request = [0; 8];
            tcp.read_exact(&mut request)?;
            assert_eq!(request, REQUEST);
            tcp.write_all(b"S")?;
            let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            hear(&mut Stream::new(&mut tls, &mut tcp), heard)
        })
    }

    /// One that answers the first words with these and hears what comes then.
    fn answering(words: &'static [u8]) -> Self {
        Impostor::new(move |mut tcp, heard| {
            tcp.read_exact(&mut [0; 8])?;
            tcp.write_all(words)?;
            hear(&mut tcp, heard)
        })
    }

    fn connect(&self, words: &str) -> Result<(), SqlError> {
        let url = format!("host=localhost hostaddr=127.0.0.1 port={} user=toctou", self.port);
        let pooling = Pooling { sessions: 1, patience: Duration::from_secs(2) };
        PostgresDb::pooled(&format!("{url} {words}"), pooling).map(drop)
    }

    /// What it has heard, once a client is gone.
    fn heard(&self) -> Vec<u8> {
        self.served.recv_timeout(Duration::from_secs(10)).expect("a client has come");
        self.heard.lock().unwrap().clone()
    }
}

fn hear(stream: &mut impl Read, heard: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut bytes = [0; 512];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            count => heard.lock().unwrap().extend(&bytes[..count]),
        }
        // It could go on now, and ask for a password.
        if heard.lock().unwrap().windows(WHO.len()).any(|words| words == WHO) {
            return Ok(());
        }
    }
}

fn file(folder: &Path, name: &str, text: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    format!("sslrootcert={}", path.display())
}

#[track_caller]
fn assert_refused(told: Result<(), SqlError>, words: &str) {
    let error = told.expect_err("it is to be refused");
    assert_eq!(error.state, SqlState::CONNECTION_REFUSED, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn a_server_is_told_who_comes_only_after_it_has_proved_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let roots = file(folder.path(), "roots.pem", authority.pem().as_bytes());
    let nobody = "is signed by nobody in ";
    let name = &["localhost"][..];
    for (config, words) in [
        (authority.server(&["wrong.test"], |_| {}), "not valid for name \"localhost\""),
        (authority.server(&["127.0.0.1"], |_| {}), "not valid for name \"localhost\""),
        (Authority::called("another").server(name, |_| {}), nobody),
        (Authority::new().server(name, |_| {}), nobody),
        (authority.server(name, years(2001, 2002)), "expired"),
        (authority.server(name, years(2001, 2002)), "needs another certificate, or a clock is"),
        (authority.server(name, years(4001, 4002)), "not valid yet"),
    ] {
        for mode in ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", ""] {
            let impostor = Impostor::encrypting(config.clone());
            assert_refused(impostor.connect(&format!("{mode} {roots}")), words);
            assert_eq!(impostor.heard(), b"", "{words} {mode}");
        }
    }
    // Who has proved it, is.
    let server = Impostor::encrypting(authority.server(name, |_| {}));
    let error = server.connect(&format!("sslmode=require {roots}")).expect_err("it goes away");
    assert_eq!(error.state, SqlState::CONNECTION_REFUSED, "{error}");
    let heard = server.heard();
    assert!(heard.windows(WHO.len()).any(|words| words == WHO), "{heard:?}");
}

#[test]
fn a_server_that_does_not_encrypt_is_not_told_who_comes_either() {
    let no =
        "the server does not encrypt (its `ssl` is off): turn that on, or write sslmode=disable";
    for (words, told) in [(&b"N"[..], no), (b"HTTP/1.1 400 Bad Request\r\n\r\n", no), (b"", "")] {
        let impostor = match words {
            // It hangs up.
            b"" => Impostor::new(|mut tcp, _| tcp.read_exact(&mut [0; 8])),
            words => Impostor::answering(words),
        };
        assert_refused(impostor.connect("sslmode=require"), told);
        assert_eq!(impostor.heard(), b"");
    }
    // Who does not ask for it tells everybody.
    let impostor = Impostor::new(|mut tcp, heard| hear(&mut tcp, heard));
    impostor.connect("").expect_err("it goes away");
    assert!(impostor.heard().ends_with(&[0]));
}

#[test]
fn roots_that_cannot_be_read_or_are_none_are_told_so_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = authority.pem().replace("-----END CERTIFICATE-----", "");
    for (roots, words) in [
        ("sslrootcert=/nowhere/roots.pem".to_owned(), "roots.pem: No such file or directory"),
        (format!("sslrootcert={}", folder.path().display()), "Is a directory"),
        (file(folder.path(), "empty", b""), "empty: there is no certificate in it"),
        (file(folder.path(), "garbage", b"\xff\0nonsense\n"), "there is no certificate in it"),
        (file(folder.path(), "binary", &authority.der()), "there is no certificate in it"),
        (file(folder.path(), "broken", broken.as_bytes()), "broken: "),
        (file(folder.path(), "cut", cut.as_bytes()), "cut: "),
    ] {
        let url = format!("host=127.0.0.1 port=1 user=toctou sslmode=verify-full {roots}");
        let told = PostgresDb::connect(&url).map(drop);
        assert_refused(told.clone(), words);
        assert_refused(told, "it has to be a file of certificates (PEM), or the word `system`");
    }
    let whole = file(folder.path(), "whole", authority.pem().as_bytes());
    let url = format!("host=127.0.0.1 port=1 user=toctou sslmode=verify-full {whole}");
    assert_refused(PostgresDb::connect(&url).map(drop), "Connection refused");
}

#[test]
fn whoever_says_nothing_is_not_waited_for_longer_than_the_patience() {
    for mode in ["sslmode=disable", "sslmode=require"] {
        let silent = Impostor::new(|mut tcp, _| match tcp.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
            read => read.map(drop),
        });
        let begun = Instant::now();
        assert_refused(silent.connect(mode), "the server has not let us in within 2s");
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(4), "{took:?}");
    }
}
