//! Real databases whose tables are made by SQL of one's own.

use std::sync::atomic::{AtomicUsize, Ordering};

use postgres::{Client, NoTls, SimpleQueryMessage};
use rusqlite::Connection;
use tempfile::TempDir;
use toctou::db::{Database, PostgresDb, SqliteDb};

/// A database, and a way to it beside the handlers.
pub(crate) trait Real {
    /// What the handlers get.
    type Db: Database + Clone;

    /// A handle to it.
    fn db(&self) -> Self::Db;

    /// Runs any SQL.
    fn sql(&self, script: &str);

    /// The only value of a query.
    fn value(&self, query: &str) -> String;
}

/// SQLite in a file of its own.
pub(crate) struct Lite {
    db: SqliteDb,
    directory: TempDir,
}

/// A schema of its own on the server that tests share.
pub(crate) struct Server {
    db: PostgresDb,
    url: String,
}

impl Lite {
    fn beside(&self) -> Connection {
        Connection::open(self.directory.path().join("tables.db")).expect("it was opened before")
    }
}

impl Real for Lite {
    type Db = SqliteDb;

    fn db(&self) -> SqliteDb {
        self.db.clone()
    }

    fn sql(&self, script: &str) {
        self.beside().execute_batch(script).expect(script);
    }

    fn value(&self, query: &str) -> String {
        let value =
            self.beside().query_row(query, [], |row| row.get::<_, rusqlite::types::Value>(0));
        match value.expect(query) {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{query}: {other:?}"),
        }
    }
}

impl Real for Server {
    type Db = PostgresDb;

    fn db(&self) -> PostgresDb {
        self.db.clone()
    }

    fn sql(&self, script: &str) {
        Client::connect(&self.url, NoTls).expect("it runs").batch_execute(script).expect(script);
    }

    fn value(&self, query: &str) -> String {
        let mut client = Client::connect(&self.url, NoTls).expect("it runs");
        let told = client.simple_query(query).expect(query);
        let row = told.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        row.expect(query).to_owned()
    }
}

/// SQLite, with these tables.
pub(crate) fn sqlite(script: &str) -> Lite {
    let directory = tempfile::tempdir().expect("there is room");
    let db = SqliteDb::open(directory.path().join("tables.db")).expect("there is room");
    let lite = Lite { db, directory };
    lite.sql(script);
    lite
}

/// PostgreSQL, with these tables, if there is a server.
pub(crate) fn postgres(test: &str, script: &str) -> Option<Server> {
    postgres_as(test, script, "toctou")
}

/// The same, where the handlers are somebody who is not the owner, once the script has made the role.
pub(crate) fn postgres_as(test: &str, script: &str, role: &str) -> Option<Server> {
    static SCHEMAS: AtomicUsize = AtomicUsize::new(0);
    let server = crate::throwaway::shared(test)?.url();
    let schema = format!("handlers{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
    let url = format!("{server} options='-c search_path={schema}'");
    let mut client = Client::connect(&url, NoTls).expect("it runs");
    client.batch_execute(&format!("CREATE SCHEMA {schema}; {script}")).expect(script);
    let options = format!("{server} options='-c search_path={schema} -c role={role}'");
    let db = PostgresDb::connect(&options).expect("it runs");
    Some(Server { db, url })
}
