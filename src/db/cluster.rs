//! First floor, `db`: a PostgreSQL server of the caller's own, removed after use. Imports its
//! neighbours in `db`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::postgres::{PostgresDb, Server, Target};
use super::{Pooling, SqlError};

/// The variable that says where `initdb` and `postgres` are.
const BIN: &str = "TOCTOU_POSTGRES_BIN";

/// How long the server may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// PostgreSQL's own port; for a socket, a part of its name.
const PORT: u16 = 5432;

/// The longest path of a socket, its name in the directory and a zero included.
const SOCKET_PATH: usize = 107;

/// A PostgreSQL server in a temporary directory, reached by a Unix socket in it. It never syncs
/// anything to disk. It looks for deadlocks one millisecond after a wait has begun.
///
/// The server ends when this value is dropped or this process dies, for whatever reason. A small
/// shell holds a pipe from this process. When the pipe closes, the shell stops the server and
/// removes the directory.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    port: u16,
    keeper: Mutex<Keeper>,
    namespaces: AtomicU64,
}

/// The shell that keeps the server.
#[derive(Debug)]
struct Keeper {
    shell: Child,
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No PostgreSQL was found on this machine.
    #[error(
        "there is no PostgreSQL server: install one (Debian: apt-get install postgresql), or set \
         {BIN} to the directory of `initdb` and `postgres` (looked in {})",
        paths(.looked)
    )]
    NotInstalled {
        /// The directories that were searched.
        looked: Vec<PathBuf>,
    },
    /// PostgreSQL refuses to run as root, and there is no other user to run it as.
    #[error("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` here")]
    NoUser,
    /// The operating system refused something.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// `initdb` failed to make a cluster.
    #[error("initdb failed: {said}")]
    Initdb {
        /// What `initdb` printed.
        said: String,
    },
    /// The server did not start, or ended.
    #[error("the PostgreSQL server did not start: {said}")]
    Server {
        /// What the server printed last.
        said: String,
    },
}

fn paths(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

impl Cluster {
    /// Starts a server, which takes one or two seconds.
    ///
    /// # Errors
    ///
    /// Each says what to do about it.
    pub fn start() -> Result<Self, ClusterError> {
        Self::listening("", PORT)
    }

    /// Like [`start`](Self::start), and the server also listens on 127.0.0.1 at this port, for
    /// every user of this machine. It speaks TLS once it is configured: `ssl` and its certificate
    /// can be set while it runs.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start); also where the port is taken.
    pub fn start_on(port: u16) -> Result<Self, ClusterError> {
        Self::listening("127.0.0.1", port)
    }

    fn listening(addresses: &str, port: u16) -> Result<Self, ClusterError> {
        let bin = programs()?;
        let user = user()?;
        let directory =
            tempfile::Builder::new().prefix("toctou-postgres-").tempdir_in(parent(user));
        let directory = directory.map_err(system("make a temporary directory"))?;
        if let Some((uid, gid)) = user {
            let chown = std::os::unix::fs::chown(directory.path(), Some(uid), Some(gid));
            chown.map_err(system("hand a directory over to the server's user"))?;
        }
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("cluster.sh"), "toctou-postgres"]);
        command.arg(bin).arg(directory.path()).args([addresses, &port.to_string()]);
        command.current_dir(directory.path());
        // What comes from a terminal is not for it.
        command.process_group(0);
        command.env("LC_ALL", "C").env_remove("PGDATA").env_remove("PGOPTIONS");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        let shell = command.spawn();
        let mut shell = shell.map_err(system("run a shell as the server's user"))?;
        let (orders, reports) = (shell.stdin.take(), shell.stdout.take());
        let Some(reports) = reports.map(BufReader::new) else {
            return Err(system("talk to a shell")(io::ErrorKind::BrokenPipe.into()));
        };
        let keeper = Mutex::new(Keeper { shell, orders, reports });
        // From here on the shell removes it.
        let directory = directory.keep();
        let cluster = Cluster { directory, port, keeper, namespaces: AtomicU64::new(0) };
        match cluster.keeper().report() {
            Ok(report) if report == "started" => {}
            Ok(_) => return Err(ClusterError::Initdb { said: cluster.log() }),
            Err(error) => return Err(system("talk to a shell")(error)),
        }
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// The server that everything in this process shares, started at the first call.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start), the same at each call.
    pub fn shared() -> Result<&'static Cluster, &'static ClusterError> {
        static SHARED: OnceLock<Result<Cluster, ClusterError>> = OnceLock::new();
        SHARED.get_or_init(Cluster::start).as_ref()
    }

    /// A database with no tables that nobody else knows of: a schema of its own.
    ///
    /// # Errors
    ///
    /// Those of a server that does not answer.
    pub fn database(&self) -> Result<PostgresDb, SqlError> {
        self.pooled_database(Pooling::default())
    }

    /// Like [`database`](Self::database), with another pool.
    ///
    /// # Errors
    ///
    /// Those of [`database`](Self::database).
    pub fn pooled_database(&self, pooling: Pooling) -> Result<PostgresDb, SqlError> {
        PostgresDb::pooled(&self.namespace()?, pooling)
    }

    /// Where a client reaches a new schema of its own.
    pub(super) fn namespace(&self) -> Result<String, SqlError> {
        let name = format!("ns{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        self.run(&format!("CREATE SCHEMA {name}"))?;
        Ok(format!("{} options='-c search_path={name}'", self.url()))
    }

    /// The server's URL, as libpq and [`PostgresDb::connect`] read it.
    pub fn url(&self) -> String {
        let host = self.directory.display();
        format!("host='{host}' port={} user=toctou dbname=postgres", self.port)
    }

    /// The server's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Kills every process of the server at once, without notice to its clients, as a power failure
    /// does. Committed data is there again after [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// If the shell that keeps the server is gone.
    pub fn kill(&self) -> Result<(), ClusterError> {
        self.keeper().order("kill").map_err(system("kill the server"))
    }

    /// Starts the server again, if it is not running.
    ///
    /// # Errors
    ///
    /// If the server does not start.
    pub fn restart(&self) -> Result<(), ClusterError> {
        self.keeper().order("start").map_err(system("start the server again"))?;
        self.wait_until_ready()
    }

    fn run(&self, sql: &str) -> Result<(), SqlError> {
        Server::connect(&Target::unlimited(&self.url())?)?.run(sql)
    }

    fn wait_until_ready(&self) -> Result<(), ClusterError> {
        let until = Instant::now() + PATIENCE;
        loop {
            // Asked first: a server that ends after this is found out by the next connection.
            let started = self.directory.join("data/postmaster.pid").exists();
            match self.run("SELECT 1") {
                Ok(()) => return Ok(()),
                Err(error) if !error.state.is_connection() => {
                    return Err(ClusterError::Server { said: error.to_string() });
                }
                Err(_) if Instant::now() > until => break,
                // It says why it ended where it had not even begun.
                Err(_) if !started && self.log().contains("FATAL") => break,
                Err(_) => thread::sleep(Duration::from_millis(3)),
            }
        }
        Err(ClusterError::Server { said: self.log() })
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last that the programs said, on one line.
    fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let mut lines: Vec<_> = log.lines().rev().filter(|line| !line.is_empty()).take(4).collect();
        lines.reverse();
        lines.join("; ")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut keeper = self.keeper();
        drop(keeper.orders.take());
        let _ = keeper.shell.wait();
    }
}

impl Keeper {
    fn order(&mut self, order: &str) -> io::Result<()> {
        let orders = self.orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(orders, "{order}")?;
        self.report().map(drop)
    }

    fn report(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.reports.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> ClusterError {
    move |error| ClusterError::System { what, error }
}

/// The directory of `initdb` and `postgres`: the one that is set; else of those in the path and of
/// Debian's and Red Hat's the newest.
fn programs() -> Result<PathBuf, ClusterError> {
    let has = |directory: &PathBuf| {
        ["initdb", "postgres"].iter().all(|program| directory.join(program).is_file())
    };
    let mut looked: Vec<PathBuf> = match std::env::var_os(BIN) {
        Some(set) => vec![set.into()],
        None => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect(),
    };
    if std::env::var_os(BIN).is_none() {
        let mut versions: Vec<(u32, PathBuf)> = Vec::new();
        for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
            let entries = fs::read_dir(parent).into_iter().flatten().flatten();
            versions.extend(entries.filter_map(|entry| {
                let name: OsString = entry.file_name();
                let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            }));
        }
        versions.sort();
        looked.extend(versions.into_iter().rev().map(|(_, path)| path));
        if !looked.iter().any(|path| path.starts_with("/usr/lib/postgresql")) {
            looked.push("/usr/lib/postgresql/*/bin".into());
        }
    }
    match looked.iter().find(|directory| has(directory)) {
        Some(found) => Ok(found.clone()),
        None => Err(ClusterError::NotInstalled { looked }),
    }
}

/// Whom the server runs as, where it cannot be us.
fn user() -> Result<Option<(u32, u32)>, ClusterError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next()? != name {
                return None;
            }
            Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
        })
    };
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or(ClusterError::NoUser)
}

/// Where temporary directories are made; `/tmp` where a socket's path would be too long there, or where
/// the server's user, if it is not us, cannot get at what is in it or remove it in the end.
fn parent(user: Option<(u32, u32)>) -> PathBuf {
    let parent = std::env::temp_dir();
    let longest = "/toctou-postgres-xxxxxx/.s.PGSQL.5432".len() + 1;
    let is_short = parent.as_os_str().len() + longest <= SOCKET_PATH;
    if is_short && (user.is_none() || is_for_everybody(&parent)) { parent } else { "/tmp".into() }
}

/// Whether everybody may create and remove files in a directory of theirs in there.
fn is_for_everybody(directory: &Path) -> bool {
    let allows = |path: &Path, bits: u32| {
        fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits == bits)
    };
    let real = directory.canonicalize().unwrap_or_default();
    allows(&real, 0o003) && real.ancestors().all(|above| allows(above, 0o001))
}
