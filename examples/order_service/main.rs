//! A web service that cancels orders, once as published and once as proved, and a driver that asks
//! both for the same at the same time. An example: a program on top of the house. Imports `toctou`.
//!
//! ```text
//! cargo run --release --example order_service -- drive
//! ORDER_SERVICE_KEY=… cargo run --release --example order_service -- serve
//! ```
//!
//! Every request is signed ([`signature`]), verified in constant time, and refused where it is stale
//! or was here before. None of it helps the vulnerable endpoint: whoever may cancel an order may ask
//! twice. The signature says nothing of secrecy either: on a network, the service belongs behind TLS.

mod client;
mod drive;
mod service;
mod shop;
mod signature;
#[cfg(test)]
mod tests;
mod told;

use std::ffi::OsString;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::task::Poll;

use actix_web::dev::Server;
use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::{HttpServer, web};
use clap::{Parser, Subcommand};
use tempfile::TempDir;
use toctou::db::{Database, PostgresDb, SqlError, SqliteDb};

use crate::drive::{Load, Report, Stopped, Target};
use crate::service::Gate;
use crate::shop::{Shop, TABLES};
use crate::signature::{Key, ShortKey};

/// Where the key comes from.
const KEY: &str = "ORDER_SERVICE_KEY";

/// Cancels orders, once as published and once as proved.
///
/// Exit status: 0 if the fixed endpoint refunded every order once and replays were harmless; 1 if
/// not; 2 for bad usage, for what cannot be opened or reached, and for a drive that was interrupted.
#[derive(Debug, Parser)]
#[command(name = "order_service", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, with the key of requests in ORDER_SERVICE_KEY
    Serve {
        /// sqlite:PATH, or a URL postgres://… (encrypted with ?sslmode=verify-full) [default: a
        /// temporary SQLite file]
        #[arg(long, value_name = "DATABASE", value_parser = place)]
        database: Option<Place>,
        /// The address to listen on
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// Ask both endpoints to cancel the same orders, at once, and count refunds
    Drive {
        /// A service that runs, with the same ORDER_SERVICE_KEY [default: one of its own, with a
        /// random key]
        #[arg(long, value_name = "http://HOST:PORT", value_parser = http, conflicts_with = "database")]
        url: Option<String>,
        /// The database of its own service: sqlite:PATH, or a URL postgres://… (encrypted with
        /// ?sslmode=verify-full) [default: a temporary SQLite file]
        #[arg(long, value_name = "DATABASE", value_parser = place)]
        database: Option<Place>,
        /// Orders for each endpoint
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = rounds)]
        rounds: usize,
        /// Requests to cancel each of them, at once
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = concurrent)]
        concurrent: usize,
    },
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

fn place(text: &str) -> Result<Place, &'static str> {
    match text.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(Place::Sqlite(path.into())),
        Some(("postgres" | "postgresql", _)) => Ok(Place::Postgres(text.to_owned())),
        _ => Err("neither sqlite:PATH nor postgres://…"),
    }
}

fn http(text: &str) -> Result<String, &'static str> {
    match text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#']) => Ok(text.to_owned()),
        _ => Err("not http://HOST:PORT"),
    }
}

fn rounds(text: &str) -> Result<usize, &'static str> {
    within(text, 1, 1_000_000).ok_or("not a number from 1 to 1000000")
}

fn concurrent(text: &str) -> Result<usize, &'static str> {
    within(text, 2, 256).ok_or("not a number from 2 to 256")
}

fn within(text: &str, least: usize, most: usize) -> Option<usize> {
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

/// Why it cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(
        "there is no key: set {KEY} to at least {} characters (`openssl rand -hex 32`)",
        Key::LEAST
    )]
    NoKey,
    #[error("{KEY}: {0}")]
    ShortKey(#[from] ShortKey),
    #[error("the system has no random numbers for a key: {0}")]
    NoRandomness(#[from] getrandom::Error),
    #[error("cannot open the database {0}: {1}")]
    Database(String, #[source] SqlError),
    #[error("there is no place for a temporary database: {0}")]
    Temporary(#[source] std::io::Error),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    #[error("the service has failed: {0}")]
    Served(#[source] std::io::Error),
    #[error("{}", .0.why)]
    Drive(Box<Stopped>),
    #[error("interrupted")]
    Interrupted,
    #[error("cannot be told of signals: {0}")]
    Signals(#[source] std::io::Error),
    #[error("the driver has died")]
    Died,
    #[error("cannot print: {0}")]
    Print(#[source] std::io::Error),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is well.
fn run(command: Command) -> Result<bool, Failure> {
    match command {
        Command::Serve { database, listen } => {
            let key = key()?;
            match open(database)? {
                Open::Sqlite(db, name, _directory) => serve(&db, &name, key, listen),
                Open::Postgres(db, name) => serve(&db, &name, key, listen),
            }
        }
        Command::Drive { url: Some(url), rounds, concurrent, .. } => {
            let target = Target { url, sibling: None, key: key()? };
            say(&format!("The service at {}:\n", target.url))?;
            told(drive::drive(&target, Load { rounds, concurrent }).map_err(Failure::Drive))
        }
        Command::Drive { url: None, database, rounds, concurrent } => {
            let load = Load { rounds, concurrent };
            let begin = |name: String| say(&format!("A service of its own, on {name}:\n"));
            let report = match open(database)? {
                Open::Sqlite(db, name, _directory) => {
                    begin(name).and_then(|()| drive_own(&db, load))
                }
                Open::Postgres(db, name) => begin(name).and_then(|()| drive_own(&db, load)),
            };
            told(report)
        }
    }
}

/// Whether all is well; of a drive that stopped, what was counted is told before the error is.
fn told(report: Result<Report, Failure>) -> Result<bool, Failure> {
    if let Err(Failure::Drive(stopped)) = &report {
        say(&stopped.to_string())?;
    }
    let report = report?;
    say(&report.to_string())?;
    Ok(report.is_well())
}

fn say(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Nobody reads any more: the exit status still tells.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        said => said.map_err(Failure::Print),
    }
}

/// The key in the environment.
fn key() -> Result<Key, Failure> {
    key_of(std::env::var_os(KEY))
}

fn key_of(secret: Option<OsString>) -> Result<Key, Failure> {
    let secret = secret.ok_or(Failure::NoKey)?;
    Ok(Key::new(secret.as_encoded_bytes())?)
}

/// A database, open; and its name for a person.
enum Open {
    Sqlite(SqliteDb, String, Option<TempDir>),
    Postgres(PostgresDb, String),
}

fn open(place: Option<Place>) -> Result<Open, Failure> {
    let sqlite = |path: &Path, name: &str| {
        let open = SqliteDb::open(path).and_then(|db| db.create(TABLES).map(|()| db));
        open.map_err(|error| Failure::Database(name.to_owned(), error))
    };
    match place {
        None => {
            let directory = tempfile::Builder::new().prefix("order_service-").tempdir();
            let directory = directory.map_err(Failure::Temporary)?;
            let name = "SQLite in a temporary file".to_owned();
            let db = sqlite(&directory.path().join("orders.db"), &name)?;
            Ok(Open::Sqlite(db, name, Some(directory)))
        }
        Some(Place::Sqlite(path)) => {
            let name = format!("SQLite in {}", path.display());
            Ok(Open::Sqlite(sqlite(&path, &name)?, name, None))
        }
        Some(Place::Postgres(url)) => {
            // Not the URL: it may have a password.
            let name = "PostgreSQL".to_owned();
            let open = PostgresDb::connect(&url).and_then(|db| db.create(TABLES).map(|()| db));
            let db = open.map_err(|error| Failure::Database(name.clone(), error))?;
            Ok(Open::Postgres(db, name))
        }
    }
}

/// Serves until a signal ends it.
///
/// The database outlives the service, here and below: on a thread that belongs to an asynchronous
/// runtime, its connections end without a word to the server.
fn serve<D>(db: &D, name: &str, key: Key, listen: SocketAddr) -> Result<bool, Failure>
where
    D: Database + Clone + Send + Sync + 'static,
{
    let (listener, address) = bind(listen)?;
    let served = actix_web::rt::System::new().block_on(async {
        let server = server(db, key, listener, Signals::Heeded)?;
        say(&format!("{name}; listening on http://{address}\n"))?;
        say("POST /vulnerable/orders/{id}/cancel is vulnerable on purpose.\n")?;
        server.await.map_err(Failure::Served)
    });
    served.map(|()| true)
}

/// Drives a service of its own, and another one on the same database for the replay.
fn drive_own<D>(db: &D, load: Load) -> Result<Report, Failure>
where
    D: Database + Clone + Send + Sync + 'static,
{
    let mut secret = [0; Key::LEAST];
    getrandom::fill(&mut secret)?;
    let key = Key::new(&secret)?;
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let ((listener, address), (second, sibling)) = (bind(loopback)?, bind(loopback)?);
    actix_web::rt::System::new().block_on(async {
        let servers = [
            server(db, key.clone(), listener, Signals::Ignored)?,
            server(db, key.clone(), second, Signals::Ignored)?,
        ];
        let handles = servers.map(|server| {
            let handle = server.handle();
            actix_web::rt::spawn(server);
            handle
        });
        let url = |address| format!("http://{address}");
        let target = Target { url: url(address), sibling: Some(url(sibling)), key };
        let report = unless_interrupted(web::block(move || drive::drive(&target, load))).await;
        // Who drives then has no answer any more, and ends.
        for handle in handles {
            handle.stop(false).await;
        }
        report?.map_err(|_| Failure::Died)?.map_err(Failure::Drive)
    })
}

/// Its end, or the signal that came before: then there are servers to stop, and a directory to remove.
async fn unless_interrupted<T>(drive: impl Future<Output = T>) -> Result<T, Failure> {
    let listen = |kind| signal(kind).map_err(Failure::Signals);
    let mut signals = [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?];
    let mut drive = pin!(drive);
    poll_fn(move |context| {
        if signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            return Poll::Ready(Err(Failure::Interrupted));
        }
        drive.as_mut().poll(context).map(Ok)
    })
    .await
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address);
    let bound = listener.and_then(|listener| listener.local_addr().map(|at| (listener, at)));
    bound.map_err(|error| Failure::Listen(address, error))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signals {
    /// End the service in good order.
    Heeded,
    /// Are for who runs the service.
    Ignored,
}

/// A server that runs once it is awaited.
fn server<D>(db: &D, key: Key, listener: TcpListener, signals: Signals) -> Result<Server, Failure>
where
    D: Database + Clone + Send + Sync + 'static,
{
    let address = listener.local_addr().map_err(Failure::Served)?;
    // One gate and one shop for all workers.
    let gate = web::Data::new(Gate::new(key, client::now));
    let shop = web::Data::new(Shop::new(db.clone()));
    let server = HttpServer::new(move || service::app(shop.clone(), gate.clone()));
    let server = if signals == Signals::Ignored { server.disable_signals() } else { server };
    let server = server.listen(listener).map_err(|error| Failure::Listen(address, error))?;
    Ok(server.run())
}
