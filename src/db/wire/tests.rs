use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use postgres::types::ToSql;
use postgres::{Client, NoTls, SimpleQueryMessage};

use super::*;
use crate::db::{Cluster, Database, Reply, SimSession};

const TABLES: &str = "CREATE TABLE jobs (id BIGINT PRIMARY KEY, name TEXT, small INTEGER NOT NULL DEFAULT 7, \
                      done BOOLEAN NOT NULL); INSERT INTO jobs VALUES (1, 'a', 1, false), (2, NULL, 2, true)";

/// A server of the protocol for one client, over a simulated database.
fn served(mut client: TcpStream) -> Result<(), Refused> {
    let mut db = SimDb::new().with_setup(TABLES).expect("it is simulated");
    let tables = db.clone();
    let mut session = SimSession::new();
    let mut conversation = Conversation::new();
    let mut bytes = [0; 4096];
    while !conversation.has_ended() {
        let Ok(count @ 1..) = client.read(&mut bytes) else { break };
        conversation.takes(&bytes[..count], &tables, &mut |statement| {
            loop {
                match db.execute(&mut session, statement) {
                    Reply::Answer(answer) => {
                        return answer.map_err(|error| error.state.in_postgresql());
                    }
                    Reply::Underway(_) => session.takes_next(0),
                    Reply::Queued | Reply::Waiting => panic!("nobody else is there"),
                }
            }
        })?;
        let _ = client.write_all(&conversation.take_answers());
    }
    Ok(())
}

fn server() -> (String, thread::JoinHandle<Result<(), Refused>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("host=127.0.0.1 port={port} user=toctou dbname=toctou");
    (url, thread::spawn(move || served(listener.accept().unwrap().0)))
}

/// What a client is told: columns, rows, tags and codes.
fn simply(client: &mut Client, text: &str) -> Vec<String> {
    match client.simple_query(text) {
        Ok(messages) => messages
            .iter()
            .map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    let cells = (0..row.len()).map(|cell| format!("{:?}", row.get(cell)));
                    cells.collect::<Vec<_>>().join(", ")
                }
                SimpleQueryMessage::CommandComplete(count) => format!("{count} rows"),
                SimpleQueryMessage::RowDescription(columns) => {
                    let names = columns.iter().map(|column| column.name());
                    names.collect::<Vec<_>>().join(", ")
                }
                _ => "?".to_owned(),
            })
            .collect(),
        Err(error) => vec![format!("{:?}", error.code().map(|code| code.code().to_owned()))],
    }
}

/// The same of a statement that is prepared, with parameters and values in binary.
fn prepared(client: &mut Client, text: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<String> {
    let failed = |error: postgres::Error| {
        vec![format!("{:?}", error.code().map(|code| code.code().to_owned()))]
    };
    let statement = match client.prepare(text) {
        Ok(statement) => statement,
        Err(error) => return failed(error),
    };
    let mut told = vec![
        format!("{:?}", statement.params()),
        format!(
            "{:?}",
            statement.columns().iter().map(|it| (it.name(), it.type_())).collect::<Vec<_>>()
        ),
    ];
    if statement.columns().is_empty() {
        return match client.execute(&statement, parameters) {
            Ok(count) => told.into_iter().chain([format!("{count} rows")]).collect(),
            Err(error) => failed(error),
        };
    }
    let rows = match client.query(&statement, parameters) {
        Ok(rows) => rows,
        Err(error) => return failed(error),
    };
    for row in rows {
        let cells =
            row.columns().iter().enumerate().map(|(index, column)| match column.type_().name() {
                "int8" => format!("{:?}", row.get::<_, Option<i64>>(index)),
                "int4" => format!("{:?}", row.get::<_, Option<i32>>(index)),
                "bool" => format!("{:?}", row.get::<_, Option<bool>>(index)),
                _ => format!("{:?}", row.get::<_, Option<String>>(index)),
            });
        told.push(cells.collect::<Vec<_>>().join(", "));
    }
    told
}

/// All that is asked of either server.
fn asked(url: &str) -> Vec<(String, Vec<String>)> {
    let mut client = Client::connect(url, NoTls).expect("a connection");
    let mut told = Vec::new();
    for text in [
        "SELECT id, name, small, done FROM jobs ORDER BY id",
        "",
        ";;",
        "SELECT 'a;b' AS \"q;\"; SELECT id FROM jobs WHERE done -- ; no end\n;",
        "BEGIN",
        "BEGIN",
        "UPDATE jobs SET small = small + 1 RETURNING id, small",
        "SELECT 1 / (id - 1) AS n FROM jobs WHERE id = 1",
        "SELECT id FROM jobs",
        "SHOW transaction_isolation",
        "COMMIT",
        "ROLLBACK",
        "SELECT sum(small) AS n FROM jobs",
        // One transaction: all of it, or nothing.
        "UPDATE jobs SET small = 50 WHERE id = 1; INSERT INTO jobs VALUES (1, 'again', 1, false)",
        "SELECT small FROM jobs ORDER BY id",
        "INSERT INTO jobs (id, done) VALUES (3, true), (4, false)",
        "BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SHOW transaction_isolation; COMMIT",
        "START TRANSACTION ISOLATION LEVEL REPEATABLE READ; DELETE FROM jobs WHERE id > 3; END",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SHOW transaction_isolation",
        "SELECT count(*) AS n FROM jobs",
        "INSERT INTO jobs VALUES (3, 'again', 1, false) ON CONFLICT DO NOTHING",
        "INSERT INTO jobs VALUES (5, 'x', 3000000000, false)",
        // A text in quotes has the type that is asked for.
        "SELECT id FROM jobs WHERE id = ' 1 ' OR done = 'off' ORDER BY id",
        "SELECT small FROM jobs WHERE small IN ('1', '50') AND done <> 'tru'",
        "INSERT INTO jobs VALUES ('9', 'n', '-1', 'Y') RETURNING id, small, done",
        "DEALLOCATE ALL",
        "DISCARD ALL",
    ] {
        told.push((text.to_owned(), simply(&mut client, text)));
    }
    let (one, big, name, none): (i64, i64, &str, Option<&str>) = (1, i64::MAX, "it's", None);
    let questions: [(&str, &[&(dyn ToSql + Sync)]); 12] = [
        ("SELECT id, name, small, done FROM jobs WHERE id = $1", &[&one]),
        ("SELECT id FROM jobs WHERE id >= $1 AND name IS NULL ORDER BY id", &[&one]),
        ("UPDATE jobs SET name = $1 WHERE id = $2", &[&name, &one]),
        ("UPDATE jobs SET name = $1 WHERE id = 2", &[&none]),
        ("SELECT name, name IS NULL AS missing FROM jobs WHERE id <= 2 ORDER BY id", &[]),
        ("INSERT INTO jobs VALUES ($1, $2, $3, $4) RETURNING id, small", &[&big, &name, &7, &true]),
        ("INSERT INTO jobs VALUES ($1, $2, $3, $4)", &[&big, &name, &7, &true]),
        ("DELETE FROM jobs WHERE done = $1", &[&true]),
        ("SELECT id FROM jobs WHERE false", &[]),
        ("BEGIN", &[]),
        ("SELECT id FROM jobs WHERE id = 1 FOR UPDATE", &[]),
        ("ROLLBACK", &[]),
    ];
    for (text, parameters) in questions {
        told.push((text.to_owned(), prepared(&mut client, text, parameters)));
    }
    // Many rows, some at a time.
    let mut within = client.transaction().expect("a transaction");
    let portal = within.bind("SELECT id FROM jobs ORDER BY id", &[]).expect("a portal");
    for _ in 0..3 {
        let rows = within.query_portal(&portal, 1).expect("rows");
        let rows = rows.iter().map(|row| row.get::<_, i64>(0).to_string()).collect();
        told.push(("one more row".to_owned(), rows));
    }
    within.rollback().expect("an end");
    told
}

/// A well-kept client hears from this server what it hears from PostgreSQL.
#[test]
fn a_client_hears_what_it_hears_from_postgresql() {
    let (url, server) = server();
    let ours = asked(&url);
    assert_eq!(server.join().unwrap(), Ok(()));
    assert!(ours.iter().all(|(_, told)| !told.contains(&"None".to_owned())), "{ours:?}");
    let cluster = match Cluster::shared() {
        Ok(cluster) => cluster,
        Err(error) => {
            let is_required =
                std::env::var_os("TOCTOU_POSTGRES").is_some_and(|it| it == "required");
            assert!(!is_required, "{error}");
            eprintln!("SKIPPED: {error}");
            return;
        }
    };
    let mut furnished = Client::connect(&cluster.url(), NoTls).unwrap();
    furnished.batch_execute(&format!("DROP TABLE IF EXISTS jobs; {TABLES}")).unwrap();
    let theirs = asked(&cluster.url());
    furnished.batch_execute("DROP TABLE jobs").unwrap();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

fn refused(text: &str) -> String {
    let (url, server) = server();
    let mut client = Client::connect(&url, NoTls).unwrap();
    assert!(client.simple_query(text).is_err());
    server.join().unwrap().unwrap_err().to_string()
}

#[test]
fn what_is_not_simulated_ends_the_conversation() {
    assert_eq!(
        refused("COPY jobs TO STDOUT"),
        "`COPY jobs` is not simulated at character 6: COPY jobs TO STDOUT"
    );
    assert_eq!(refused("LISTEN x"), "`LISTEN x` is not simulated: LISTEN x");
    assert_eq!(
        refused("SELECT id FROM nothing"),
        "there is no table `nothing` at character 16: SELECT id FROM nothing"
    );
    let late = "BEGIN; SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
    assert_eq!(
        refused(late),
        "SET TRANSACTION after the first statement of a transaction is not simulated"
    );
    assert_eq!(
        refused("SELECT 1; BEGIN"),
        "BEGIN after other statements of the same message is not simulated"
    );
}

/// Whatever is sent: an answer, or a word of why not.
#[test]
fn no_bytes_are_too_strange() {
    let begins = [&0_u32.to_be_bytes()[..0], &[0, 0, 0, 9, 0, 3, 0, 0, 0]].concat();
    let query = [&b"Q\0\0\0\x0d"[..], b"SELECT 1\0"].concat();
    let whole = [begins, query, b"X\0\0\0\x04".to_vec()].concat();
    let tables = SimDb::new().with_setup(TABLES).unwrap();
    let perform: Perform<'_> = &mut |_| Ok(Answer::Rows(Vec::new()));
    let mut refusals = 0;
    for at in 0..whole.len() {
        for byte in [0, 1, 3, b'B', b'D', b'E', b'P', b'S', 0x7f, 0xff] {
            let mut changed = whole.clone();
            changed[at] = byte;
            refusals += usize::from(Conversation::new().takes(&changed, &tables, perform).is_err());
            refusals +=
                usize::from(Conversation::new().takes(&changed[at..], &tables, perform).is_err());
        }
    }
    assert!(refusals > 50, "{refusals}");
    // In parts, it is the same as at once.
    let (mut one, mut other) = (Conversation::new(), Conversation::new());
    one.takes(&whole, &tables, perform).unwrap();
    for byte in &whole {
        other.takes(&[*byte], &tables, perform).unwrap();
    }
    assert!(one.has_ended() && other.has_ended());
    let said = one.take_answers();
    assert!(said.len() > 100 && said == other.take_answers());
}
