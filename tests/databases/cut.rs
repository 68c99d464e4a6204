//! A connection that is cut at a word: what the client can know then, and what is true.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use tempfile::TempDir;
use toctou::db::{Cluster, PostgresDb, SqlState};

use crate::server::{ACCOUNTS, account, cluster, open};

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// The word does not reach the server.
    Before,
    /// The word does, and the server's answer does not come back.
    After,
}

/// A server between a client and the cluster.
struct Between {
    folder: TempDir,
}

impl Between {
    fn new(cluster: &Cluster, word: &'static [u8], cut: Cut) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("it is new");
        let server: PathBuf = cluster.directory().join(".s.PGSQL.5432");
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = UnixStream::connect(&server).expect("it is there");
                thread::spawn(move || pass_on(client, server, word, cut));
            }
        });
        Between { folder }
    }

    /// A database in the cluster's schema of that name, by way of this.
    fn database(&self, options: &str) -> PostgresDb {
        let host = self.folder.path().display();
        let url = format!("host='{host}' user=toctou dbname=postgres options='{options}'");
        PostgresDb::connect(&url).expect("all gets through so far")
    }
}

/// A client says something whole, and then waits for the answer: what is read is a message or some,
/// and what comes back after the word was passed on is its answer.
fn pass_on(mut client: UnixStream, mut server: UnixStream, word: &'static [u8], cut: Cut) {
    let mut back = (server.try_clone().expect("it is"), client.try_clone().expect("it is"));
    let (spoken, heard) = std::sync::mpsc::channel::<()>();
    let answers = thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = back.0.read(&mut buffer) {
            if heard.try_recv().is_ok() || back.1.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = back.1.shutdown(std::net::Shutdown::Both);
    });
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let is_the_word = buffer[..count].windows(word.len()).any(|bytes| bytes == word);
        if is_the_word && cut == Cut::Before {
            break;
        }
        if is_the_word {
            let _ = spoken.send(());
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Write);
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = answers.join();
}

/// Opens an account over a connection that is cut at this word.
fn cut_at(cluster: &Cluster, word: &'static [u8], cut: Cut) -> (bool, bool) {
    static NAMES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let name = NAMES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let options = format!("-c search_path=cut{name}");
    let url = format!("{} options='{options}'", cluster.url());
    let direct = PostgresDb::connect(&url).expect("the server answers");
    postgres::Client::connect(&url, postgres::NoTls)
        .and_then(|mut client| client.batch_execute(&format!("CREATE SCHEMA cut{name}")))
        .expect("it is new");
    direct.create(&[&ACCOUNTS]).expect("it is new");
    let between = Between::new(cluster, word, cut);
    let failure = open(&mut between.database(&options), 1).expect_err("it is cut");
    assert_eq!(failure.error.state, SqlState::CONNECTION_FAILURE, "{failure}");
    let told = failure.to_string();
    assert!(told.starts_with("the connection to the database broke (SQLSTATE 08006): "), "{told}");
    let unknown = "; whether it took effect is not known";
    assert_eq!(told.ends_with(unknown), failure.may_have_happened, "{told}");
    // The one who was cut off may still hold the key; who asks for it waits for their end.
    open(&mut direct.clone(), 2).expect("nothing is in the way");
    let rows = direct.rows(&ACCOUNTS).expect("it is there");
    (failure.may_have_happened, rows.contains(&account(1, 0)))
}

#[test]
fn a_commit_that_is_cut_off_may_have_happened_and_sometimes_has() {
    let Some(cluster) = cluster("a commit that is cut off") else { return };
    assert_eq!(cut_at(cluster, b"COMMIT", Cut::Before), (true, false));
    assert_eq!(cut_at(cluster, b"COMMIT", Cut::After), (true, true));
}

#[test]
fn a_statement_that_is_cut_off_within_a_transaction_has_not_happened() {
    let Some(cluster) = cluster("a statement that is cut off") else { return };
    for word in [&b"BEGIN"[..], b"INSERT"] {
        for cut in [Cut::Before, Cut::After] {
            assert_eq!(cut_at(cluster, word, cut), (false, false), "{cut:?}");
        }
    }
}
