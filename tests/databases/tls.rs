//! PostgreSQL itself, encrypted: whom it is spoken to, what it says of the connection, and what the
//! handlers make of it.

use std::fs::{Permissions, set_permissions, write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use toctou::db::{Cluster, Database, PostgresDb, SqlError, SqlState};
use toctou::handlers::{API_KEYS, ApiKeys, Issued};

use crate::certificates::Authority;
use crate::throwaway;

/// A server that encrypts, for `localhost` and 127.0.0.1; and whom to trust for that.
struct Secure {
    cluster: Cluster,
    port: u16,
    roots: PathBuf,
    strangers: PathBuf,
}

/// Who may come how: `toctou` encrypted only, `plain` not encrypted only, `scram` in both ways, with
/// a password.
const ENTRIES: &str = "local all all trust
hostssl all toctou 127.0.0.1/32 trust
hostnossl all plain 127.0.0.1/32 trust
host all scram 127.0.0.1/32 scram-sha-256
";

impl Secure {
    /// The one that these tests share, if PostgreSQL is there.
    fn shared(test: &str) -> Option<&'static Secure> {
        static SHARED: OnceLock<Option<Secure>> = OnceLock::new();
        SHARED.get_or_init(|| Secure::new(test)).as_ref()
    }

    fn new(test: &str) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = throwaway::own_on(port, test)?;
        let owner = std::fs::metadata(cluster.directory()).unwrap();
        let file = |name: &str, text: &str, mode| {
            let path = cluster.directory().join(name);
            write(&path, text).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let authority = Authority::new();
        let (certificate, key) = authority.signed(&["localhost", "127.0.0.1"], |_| {});
        let certificate = file("server.crt", &certificate.pem(), 0o644);
        let key = file("server.key", &key.serialize_pem(), 0o600);
        let roots = file("roots.pem", &authority.pem(), 0o644);
        let strangers = file("strangers.pem", &Authority::called("another").pem(), 0o644);
        file("data/pg_hba.conf", ENTRIES, 0o600);
        let secure = Secure { cluster, port, roots, strangers };
        let mut client = secure.admin();
        for sql in [
            "CREATE ROLE plain LOGIN",
            "SET password_encryption = 'scram-sha-256'",
            "CREATE ROLE scram LOGIN PASSWORD 'secret'",
            &format!("ALTER SYSTEM SET ssl_cert_file = '{}'", certificate.display()),
            &format!("ALTER SYSTEM SET ssl_key_file = '{}'", key.display()),
            "ALTER SYSTEM SET ssl = on",
            "SELECT pg_reload_conf()",
        ] {
            client.batch_execute(sql).unwrap();
        }
        let until = Instant::now() + Duration::from_secs(30);
        while let Err(error) = secure.connect("toctou", "verify-full", "") {
            assert!(Instant::now() < until, "{error}");
            thread::sleep(Duration::from_millis(20));
        }
        Some(secure)
    }

    fn admin(&self) -> Client {
        Client::connect(&self.cluster.url(), NoTls).expect("the server answers")
    }

    /// Where it is, as this user, encrypted in this mode, and trusted.
    fn url(&self, user: &str, mode: &str) -> String {
        let (port, roots) = (self.port, self.roots.display());
        format!("postgresql://{user}@localhost:{port}/postgres?sslmode={mode}&sslrootcert={roots}")
    }

    fn connect(&self, user: &str, mode: &str, more: &str) -> Result<PostgresDb, SqlError> {
        PostgresDb::connect(&format!("{}{more}", self.url(user, mode)))
    }

    fn plain(&self, user: &str, more: &str) -> Result<PostgresDb, SqlError> {
        let url = format!("host=localhost port={} user={user} dbname=postgres", self.port);
        PostgresDb::connect(&format!("{url} {more}"))
    }

    /// Whether a connection of this name is encrypted, and by which protocol, as the server has it.
    fn encryption_of(&self, name: &str) -> (bool, Option<String>) {
        let sql = "SELECT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = $1";
        let row = self.admin().query_one(sql, &[&name]).expect("there is one");
        (row.get(0), row.get(1))
    }
}

#[track_caller]
fn refused(connected: Result<PostgresDb, SqlError>, state: SqlState, words: &str) {
    let error = connected.map(drop).expect_err("it is to be refused");
    assert_eq!(error.state, state, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn a_connection_is_encrypted_as_the_server_itself_says() {
    let Some(secure) = Secure::shared("an encrypted connection") else { return };
    for mode in ["require", "verify-ca", "verify-full"] {
        let name = format!("&application_name={mode}");
        let mut db = secure.connect("toctou", mode, &name).unwrap();
        let _session = db.connect().unwrap();
        assert_eq!(secure.encryption_of(mode), (true, Some("TLSv1.3".to_owned())));
    }
    let words = format!(
        "host=127.0.0.1 port={} user=toctou dbname=postgres application_name=words sslmode = \
         'verify-full' sslrootcert='{}'",
        secure.port,
        secure.roots.display()
    );
    let mut db = PostgresDb::connect(&words).unwrap();
    let _session = db.connect().unwrap();
    assert!(secure.encryption_of("words").0);
    // The server is not fooled by a client that only thinks it is encrypted.
    for mode in ["disable", "prefer"] {
        let options = format!("sslmode={mode} application_name=plain-{mode}");
        let mut db = secure.plain("plain", &options).unwrap();
        let _session = db.connect().unwrap();
        assert_eq!(secure.encryption_of(&format!("plain-{mode}")), (false, None));
    }
}

#[test]
fn a_server_that_has_not_proved_who_it_is_is_not_spoken_to() {
    let Some(secure) = Secure::shared("a server that proves nothing") else { return };
    let at = |host: &str, roots: &str| {
        let port = secure.port;
        PostgresDb::connect(&format!(
            "host={host} hostaddr=127.0.0.1 port={port} user=toctou sslmode=require {roots} \
             dbname=postgres"
        ))
    };
    let roots = format!("sslrootcert={}", secure.roots.display());
    let unknown = SqlState::CONNECTION_REFUSED;
    at("localhost", &roots).expect("that is its name");
    refused(at("wrong.test", &roots), unknown, "not valid for name \"wrong.test\"");
    refused(at("wrong.test", &roots), unknown, "connect by a name that the server's certificate");
    let strangers = secure.strangers.display();
    refused(
        at("localhost", &format!("sslrootcert={strangers}")),
        unknown,
        &format!("is signed by nobody in {strangers}: name the file (PEM) with its authority's"),
    );
    for mozillas in ["", "sslrootcert=system"] {
        refused(at("localhost", mozillas), unknown, "is signed by nobody in Mozilla's list: name");
    }
}

#[test]
fn a_server_that_insists_on_encryption_says_so_to_whoever_does_not_ask_for_it() {
    let Some(secure) = Secure::shared("a server that insists on encryption") else { return };
    let state = SqlState::of("28000");
    let words = "no encryption; sslmode=verify-full in the URL encrypts the connection";
    refused(secure.plain("toctou", ""), state, words);
    // The other way round there is nothing to advise.
    let error = secure.connect("plain", "require", "").map(drop).expect_err("it is refused");
    assert_eq!(error.state, state, "{error}");
    assert!(!error.to_string().contains("sslmode"), "{error}");
}

#[test]
fn a_password_is_bound_to_the_encrypted_connection() {
    let Some(secure) = Secure::shared("a password bound to a connection") else { return };
    let with = |password: &str, more: &str| {
        let url = secure.url(&format!("scram:{password}"), "verify-full");
        PostgresDb::connect(&format!("{url}{more}"))
    };
    with("secret", "&channel_binding=require").unwrap();
    refused(with("guess", ""), SqlState::of("28P01"), "password authentication failed");
    secure.plain("scram", "password=secret").expect("plain, there is nothing to bind to");
    let bound = secure.plain("scram", "password=secret channel_binding=require");
    refused(bound, SqlState::CONNECTION_REFUSED, "channel binding");
}

#[test]
fn a_unix_socket_is_not_encrypted_whatever_is_asked_for() {
    let Some(secure) = Secure::shared("a Unix socket") else { return };
    let roots = secure.roots.display();
    let url = secure.cluster.url();
    let url = format!("{url} sslmode=verify-full sslrootcert={roots} application_name=socket");
    let mut db = PostgresDb::connect(&url).unwrap();
    let _session = db.connect().unwrap();
    assert_eq!(secure.encryption_of("socket"), (false, None));
}

#[test]
fn handlers_issue_keys_over_an_encrypted_connection() {
    let Some(secure) = Secure::shared("handlers over TLS") else { return };
    secure.admin().batch_execute("CREATE SCHEMA keys").unwrap();
    let options = "&options=-c%20search_path%3Dkeys&application_name=keys";
    let db = secure.connect("toctou", "verify-full", options).unwrap();
    db.create(&[&API_KEYS]).unwrap();
    let told = thread::scope(|scope| {
        let issue = || ApiKeys::new(db.clone()).issue(7).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(issue)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let created: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            Issued::Created(key) => Some(key.as_str()),
            Issued::Exists => None,
        })
        .collect();
    let rows = db.rows(&API_KEYS).unwrap();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(created, [row[1].text().unwrap()]);
}
