//! Tables that cannot be are refused before a database is asked, with a reason, and nothing is made.

use postgres::{Client, NoTls};
use toctou::db::{Column, SqlError, SqlState, SqliteDb, Table};

use crate::server::{ACCOUNTS, cluster};

static NO_SUCH_KEY: Table =
    Table { name: "no_such_key", columns: &[Column::int("id")], unique: Some("idd") };
static TWICE: Table =
    Table { name: "twice", columns: &[Column::int("id"), Column::int("id")], unique: None };
static NOTHING: Table = Table { name: "nothing", columns: &[], unique: None };
static RESERVED: Table = Table { name: "order", columns: &[Column::int("id")], unique: None };

/// And what the code of the error is.
fn wrong() -> [(&'static Table, SqlState); 4] {
    [
        (&NO_SUCH_KEY, SqlState::UNDEFINED_COLUMN),
        (&TWICE, SqlState::SYNTAX_ERROR),
        (&NOTHING, SqlState::SYNTAX_ERROR),
        (&RESERVED, SqlState::SYNTAX_ERROR),
    ]
}

#[track_caller]
fn assert_refused(created: Result<(), SqlError>, table: &Table, state: SqlState) {
    let error = created.expect_err("there is no such table");
    assert_eq!(error.state, state, "{error}");
    assert!(error.to_string().contains(&format!("the table `{}`", table.name)), "{error}");
}

#[test]
fn a_table_that_cannot_be_is_not_made_nor_those_that_are_asked_for_with_it() {
    let db = SqliteDb::in_memory().expect("there is room");
    for (table, state) in wrong() {
        assert_refused(db.create(&[&ACCOUNTS, table]), table, state);
    }
    assert_eq!(db.rows(&ACCOUNTS).map_err(|error| error.state), Err(SqlState::UNDEFINED_TABLE));
    let Some(cluster) = cluster("tables that cannot be") else { return };
    let db = cluster.database().expect("the server answers");
    for (table, state) in wrong() {
        assert_refused(db.create(&[&ACCOUNTS, table]), table, state);
    }
    assert_eq!(db.rows(&ACCOUNTS).map_err(|error| error.state), Err(SqlState::UNDEFINED_TABLE));
}

/// A column of that name, in a table of another.
fn with_column(name: &str) -> &'static Table {
    let columns = vec![Column::int(name.to_owned().leak())].leak();
    Box::leak(Box::new(Table { name: "words", columns, unique: None }))
}

/// The server is asked for its words, and each is tried: those that it reserves are refused here, and those
/// that it does not are not.
#[test]
fn just_the_words_that_the_server_reserves_are_no_names() {
    let Some(cluster) = cluster("the words that PostgreSQL reserves") else { return };
    let mut client = Client::connect(&cluster.url(), NoTls).expect("the server answers");
    let keywords = "SELECT word, catcode IN ('R', 'T') FROM pg_get_keywords() \
                    UNION SELECT attname, true FROM pg_attribute \
                    WHERE attrelid = 'pg_class'::regclass AND attnum < 0";
    let words = client.query(keywords, &[]).expect("the server has words");
    let mut reserved = 0;
    for word in &words {
        let (word, is_reserved): (&str, bool) = (word.get(0), word.get(1));
        let made = client.batch_execute(&format!("CREATE TEMP TABLE words ({word} BIGINT)"));
        assert_eq!(made.is_err(), is_reserved, "{word}: {made:?}");
        if made.is_ok() {
            client.batch_execute("DROP TABLE words").expect("it is there");
        }
        let refused = std::panic::catch_unwind(|| with_column(word).definition()).is_err();
        assert_eq!(refused, is_reserved, "{word}");
        reserved += usize::from(is_reserved);
    }
    assert!(reserved > 90 && words.len() > 4 * reserved, "{reserved} of {}", words.len());
}
