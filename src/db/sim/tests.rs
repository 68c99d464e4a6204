//! First floor, `db`: the simulated database answers by itself as it should; whether PostgreSQL does so
//! too is asked in `tests/sql`. Imports its neighbours in `db`.

use super::*;
use crate::calls::{Listen, Mistake, listened};
use crate::db::{Column, Insert, OnConflict, Returning, Select, Update, Value, row};
use crate::recorded::Recorded;

static ACCOUNT: Table = Table {
    name: "account",
    columns: &[Column::int("id"), Column::int("balance")],
    unique: Some("id"),
};
static KEY: Table = Table {
    name: "api_key",
    columns: &[Column::int("user_id"), Column::text("key")],
    unique: Some("user_id"),
};

fn bank() -> SimDb {
    let rows = [row([1.into(), 100.into()]), row([2.into(), 100.into()])];
    SimDb::new().with_table(&ACCOUNT, rows).with_table(&KEY, [])
}

fn add(id: i64, amount: i64) -> Statement {
    Update::new(&ACCOUNT).add("balance", amount).filter("id", id).into()
}

fn told(db: &mut SimDb, session: &mut SimSession, statement: impl Into<Statement>) -> String {
    match db.execute(session, &statement.into()) {
        Reply::Answer(Ok(answer)) => answer.to_string(),
        Reply::Answer(Err(error)) => format!("{error:?}"),
        Reply::Queued => "queued".into(),
        Reply::Waiting => "waiting".into(),
        Reply::Underway(underway) => underway.to_string(),
    }
}

#[test]
fn an_update_waits_for_the_row_and_works_on_what_it_has_become() {
    let mut db = bank();
    let (mut one, mut two) = (SimSession::new(), SimSession::new());
    assert_eq!(told(&mut db, &mut one, Statement::Begin(Isolation::ReadCommitted)), "ok");
    assert_eq!(told(&mut db, &mut one, add(1, -60)), "1 row");
    let debit = Update::new(&ACCOUNT).add("balance", -60).filter("id", 1).condition(
        "balance",
        crate::db::Comparison::AtLeast,
        60,
    );
    assert_eq!(told(&mut db, &mut two, debit.clone()), "queued");
    let before = db.clone();
    assert_eq!(told(&mut db, &mut two, debit.clone()), "waiting");
    assert_eq!(db, before);
    assert!(db.waits_for(&two, &one) && !db.waits_for(&one, &two));
    assert_eq!(told(&mut db, &mut one, Statement::Commit), "ok");
    assert_eq!(told(&mut db, &mut two, debit), "0 rows");
    assert!(db.is_idle(), "{db:?}");
    assert_eq!(two, SimSession::new());
}

#[test]
fn two_who_wait_for_one_another_are_a_deadlock() {
    let mut db = bank();
    let (mut one, mut two) = (SimSession::new(), SimSession::new());
    for (session, id) in [(&mut one, 1), (&mut two, 2)] {
        told(&mut db, session, Statement::Begin(Isolation::ReadCommitted));
        assert_eq!(told(&mut db, session, add(id, 1)), "1 row");
    }
    assert_eq!(told(&mut db, &mut one, add(2, 1)), "queued");
    assert_eq!(told(&mut db, &mut two, add(1, 1)), "40P01");
    assert_eq!(told(&mut db, &mut two, add(1, 1)), "25P02");
    assert_eq!(told(&mut db, &mut one, add(2, 1)), "1 row");
    assert_eq!(told(&mut db, &mut two, Statement::Commit), "rolled back");
    assert_eq!(told(&mut db, &mut one, Statement::Commit), "ok");
    assert!(db.is_idle());
    assert_eq!(db.rows(&ACCOUNT), [row([1.into(), 101.into()]), row([2.into(), 101.into()])]);
}

#[test]
fn snapshots_do_not_see_write_skew_and_serializable_does() {
    for (isolation, last) in [(Isolation::RepeatableRead, "ok"), (Isolation::Serializable, "40001")]
    {
        let mut db = bank();
        let (mut one, mut two) = (SimSession::new(), SimSession::new());
        for session in [&mut one, &mut two] {
            told(&mut db, session, Statement::Begin(isolation));
            assert_eq!(told(&mut db, session, Select::sum(&ACCOUNT, "balance")), "200");
        }
        assert_eq!(told(&mut db, &mut one, add(1, -200)), "1 row");
        assert_eq!(told(&mut db, &mut two, add(2, -200)), "1 row");
        assert_eq!(told(&mut db, &mut one, Statement::Commit), "ok");
        assert_eq!(told(&mut db, &mut two, Statement::Commit), last);
        assert!(db.is_idle());
    }
}

#[test]
fn the_first_updater_wins_above_read_committed() {
    let mut db = bank();
    let (mut one, mut two) = (SimSession::new(), SimSession::new());
    for session in [&mut one, &mut two] {
        told(&mut db, session, Statement::Begin(Isolation::RepeatableRead));
        told(&mut db, session, Select::columns(&ACCOUNT, &["balance"]));
    }
    assert_eq!(told(&mut db, &mut one, add(1, 0)), "1 row");
    assert_eq!(told(&mut db, &mut two, add(1, 0)), "queued");
    assert_eq!(told(&mut db, &mut one, Statement::Commit), "ok");
    assert_eq!(told(&mut db, &mut two, add(1, 0)), "40001");
}

/// Whoever wrote the statement may believe in a constraint that nobody has made.
#[test]
fn what_is_unique_is_for_the_database_to_say() {
    static BARE: Table = Table { name: KEY.name, columns: KEY.columns, unique: None };
    let mut db = SimDb::new().with_table(&BARE, []);
    let mut session = SimSession::new();
    let insert = Insert::new(&KEY, row([7.into(), "a".into()]));
    let kind = insert.clone().on_conflict(OnConflict::DoNothing);
    assert_eq!(told(&mut db, &mut session, kind), "42P10");
    for _ in 0..2 {
        assert_eq!(told(&mut db, &mut session, insert.clone()), "1 row");
    }
    assert_eq!(db.rows(&KEY).len(), 2);
}

#[test]
fn a_key_that_is_being_inserted_is_waited_for() {
    let insert = |key: &str| {
        Insert::new(&KEY, row([7.into(), Value::from(key)]))
            .on_conflict(OnConflict::DoNothing)
            .returning(Returning::Columns(vec!["key"]))
    };
    for (end, answer) in [(Statement::Commit, "no row"), (Statement::Rollback, "'b'")] {
        let mut db = bank();
        let (mut one, mut two) = (SimSession::new(), SimSession::new());
        told(&mut db, &mut one, Statement::Begin(Isolation::ReadCommitted));
        assert_eq!(told(&mut db, &mut one, insert("a")), "'a'");
        assert_eq!(told(&mut db, &mut two, insert("b")), "queued");
        told(&mut db, &mut one, end);
        assert_eq!(told(&mut db, &mut two, insert("b")), answer);
        assert_eq!(db.rows(&KEY).len(), 1);
    }
}

#[test]
fn a_session_that_ends_in_the_middle_leaves_nothing() {
    let mut db = bank();
    let before = db.clone();
    let mut one = SimSession::new();
    told(&mut db, &mut one, Statement::Begin(Isolation::Serializable));
    told(&mut db, &mut one, add(1, -10));
    db.disconnect(one);
    assert_eq!(db, before);
}

/// What a step that asks this tells.
fn heard(
    db: &mut SimDb,
    session: &mut SimSession,
    statement: &Statement,
) -> (Vec<String>, Option<Mistake>) {
    let (_, calls) = listened(Listen::Tell, || db.execute(session, statement));
    assert_eq!(calls.count, calls.told.len());
    (calls.told, calls.mistake)
}

#[test]
fn every_statement_is_told_as_one_call_and_as_a_recorded_database_tells_it() {
    let mut db = bank();
    let mut recorded = Recorded::new(bank());
    let mut sessions = vec![SimSession::new(); 2];
    let mut others = sessions.clone();
    let begin = Statement::Begin(Isolation::ReadCommitted);
    for (who, statement) in [
        (0, begin.clone()),
        (0, add(1, -60)),
        (1, add(1, 1)),
        (1, add(1, 1)),
        (0, Statement::Commit),
        (1, add(1, 1)),
        (0, Select::columns(&KEY, &["nope"]).into()),
        (0, begin),
    ] {
        recorded.execute(&mut others[who], &statement);
        let (told, _) = heard(&mut db, &mut sessions[who], &statement);
        assert_eq!(told, recorded.take());
    }
    let (_, calls) = listened(Listen::Tell, || db.disconnect(sessions.remove(0)));
    recorded.disconnect(others.remove(0));
    assert_eq!(calls.told, recorded.take());
    let (_, calls) = listened(Listen::Tell, || db.connect().map(drop));
    assert_eq!(calls.count, 0, "to connect is no step");
}

#[test]
fn an_answer_that_only_a_wrong_model_is_given_is_told_as_a_mistake() {
    static NOWHERE: Table = Table { name: "nowhere", columns: &[Column::int("id")], unique: None };
    static MISSPELT: Table = Table {
        name: ACCOUNT.name,
        columns: &[Column::int("id"), Column::int("balanse")],
        unique: Some("id"),
    };
    static WRONG_KIND: Table = Table {
        name: KEY.name,
        columns: &[Column::int("user_id"), Column::int("key")],
        unique: None,
    };
    static NARROW: Table =
        Table { name: KEY.name, columns: &[Column::int("user_id")], unique: None };
    let begin = || Statement::Begin(Isolation::ReadCommitted);
    let mistakes: [(&[Statement], &str, &str); 13] = [
        (&[Select::exists(&NOWHERE).into()], "42P01", "there is no table `nowhere`"),
        (&[Select::sum(&ACCOUNT, "sum").into()], "42703", "`account` has no column `sum`"),
        (
            &[Select::sum(&MISSPELT, "id").filter("balanse", 1).into()],
            "42703",
            "`balanse` in the database",
        ),
        (&[Select::columns(&MISSPELT, &["id"]).into()], "42703", "`balanse` in the database"),
        (&[Select::columns(&ACCOUNT, &[]).into()], "42601", "no column of `account` is asked for"),
        (&[Select::exists(&KEY).filter("key", 1).into()], "42804", "`key` holds texts"),
        (
            &[Select::exists(&WRONG_KIND).filter("key", 1).into()],
            "42804",
            "another type in the database",
        ),
        (&[Select::exists(&KEY).filter("key", "\0").into()], "22021", "zero byte"),
        (&[Select::exists(&KEY).for_update().into()], "0A000", "FOR UPDATE locks"),
        (&[add(1, i64::MAX)], "22003", "a number is out of range"),
        (&[begin(), begin()], "25001", "a transaction is under way"),
        (&[Statement::Commit], "25P01", "no transaction is under way"),
        (
            &[Insert::new(&NARROW, row([7.into()])).into()],
            "23000",
            "`key` of `api_key` gets no value",
        ),
    ];
    for (statements, code, words) in mistakes {
        let (mut db, mut session) = (bank(), SimSession::new());
        let mistakes: Vec<_> =
            statements.iter().map(|it| heard(&mut db, &mut session, it).1).collect();
        let (last, before) = mistakes.split_last().expect("something is asked");
        assert!(before.iter().all(Option::is_none), "{before:?}");
        let mistake = last.as_ref().unwrap_or_else(|| panic!("{statements:?} is a mistake"));
        assert_eq!(mistake.code, code, "{mistake:?}");
        let statement = statements.last().expect("something is asked");
        assert!(mistake.what.starts_with(&format!("`{statement}`: ")), "{mistake:?}");
        assert!(mistake.what.contains(words), "{mistake:?}");
    }
}

/// What others do can be the reason for these, so they are part of a protocol.
#[test]
fn an_error_that_others_are_the_reason_for_is_no_mistake() {
    let mut db = bank();
    let (mut one, mut two) = (SimSession::new(), SimSession::new());
    let mut asks = |session: &mut SimSession, statement: Statement, expected: &str| {
        let (told, mistake) = heard(&mut db, session, &statement);
        assert!(told[0].ends_with(&format!(" -- {expected}")), "{told:?}");
        assert_eq!(mistake, None);
    };
    for session in [&mut one, &mut two] {
        asks(session, Statement::Begin(Isolation::RepeatableRead), "ok");
    }
    asks(&mut two, Select::sum(&ACCOUNT, "balance").into(), "200");
    asks(&mut one, Insert::new(&ACCOUNT, row([1.into(), 0.into()])).into(), "23505");
    asks(&mut one, add(1, 1), "25P02");
    asks(&mut one, Statement::Commit, "rolled back");
    asks(&mut one, add(1, 1), "1 row");
    asks(&mut two, add(1, 1), "40001");
    asks(&mut two, Statement::Rollback, "rolled back");
    for (session, id) in [(&mut one, 1), (&mut two, 2)] {
        asks(session, Statement::Begin(Isolation::ReadCommitted), "ok");
        asks(session, add(id, 1), "1 row");
    }
    asks(&mut one, add(2, 1), "waits");
    asks(&mut two, add(1, 1), "40P01");
}

#[test]
fn who_looks_at_the_database_in_a_step_has_made_a_call() {
    let db = SimDb::new().with_table(&ACCOUNT, [row([1.into(), 100.into()])]);
    let calls = |look: &dyn Fn()| listened(Listen::Tell, look).1.told;
    assert_eq!(calls(&|| _ = db.rows(&ACCOUNT)), ["SimDb::committed"]);
    assert_eq!(calls(&|| _ = db.is_idle()), ["SimDb::is_idle"]);
    // Who shows it for a message has not.
    assert_eq!(calls(&|| _ = format!("{db:?}")), [""; 0]);
}

#[test]
fn who_asks_something_else_while_a_statement_waits_is_told_so() {
    let mut db = bank();
    let (mut one, mut two) = (SimSession::new(), SimSession::new());
    for session in [&mut one, &mut two] {
        told(&mut db, session, Statement::Begin(Isolation::ReadCommitted));
    }
    told(&mut db, &mut one, add(1, 1));
    assert_eq!(told(&mut db, &mut two, add(1, 1)), "queued");
    told(&mut db, &mut one, Statement::Commit);
    let (told, mistake) = heard(&mut db, &mut two, &Statement::Commit);
    assert_eq!(told, ["COMMIT -- XX000"]);
    assert!(mistake.is_some_and(|it| it.what.contains("has a statement that waits")));
}

/// A statement may know the columns in another order, as SQL names them.
#[test]
fn values_go_into_their_columns_by_name() {
    static TURNED: Table = Table {
        name: ACCOUNT.name,
        columns: &[Column::int("balance"), Column::int("id")],
        unique: Some("id"),
    };
    let mut db = bank();
    let mut session = SimSession::new();
    let insert = |balance: i64, id: i64| Insert::new(&TURNED, row([balance.into(), id.into()]));
    assert_eq!(told(&mut db, &mut session, insert(7, 3)), "1 row");
    assert_eq!(told(&mut db, &mut session, insert(8, 3)), "23505");
    let upsert = insert(9, 1).on_conflict(OnConflict::DoUpdate(vec!["balance"]));
    let upsert = upsert.returning(Returning::Columns(vec!["id", "balance"]));
    assert_eq!(told(&mut db, &mut session, upsert), "(1, 9)");
    let rows = [(1, 9), (2, 100), (3, 7)].map(|(id, it): (i64, i64)| row([id.into(), it.into()]));
    assert_eq!(db.rows(&ACCOUNT), rows);
    // And sorts by its own.
    let all = Select::columns(&TURNED, &["id"]);
    assert_eq!(told(&mut db, &mut session, all), "3, 1, 2");
}

#[test]
fn more_transactions_than_there_is_room_for_are_refused() {
    let mut db = bank();
    let mut sessions = vec![SimSession::new(); 257];
    let begin = Statement::Begin(Isolation::ReadCommitted);
    let told: Vec<_> = sessions.iter_mut().map(|it| told(&mut db, it, begin.clone())).collect();
    assert!(told[..256].iter().all(|told| told == "ok"));
    assert_eq!(told[256], "53300");
    assert!(sessions[256].slot.is_none());
}

/// What somebody says who panics.
fn panics(act: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let said = std::panic::catch_unwind(act).expect_err("it panics");
    *said.downcast::<String>().expect("words")
}

fn leaked(name: &'static str, columns: &[Column], unique: Option<&'static str>) -> &'static Table {
    Box::leak(Box::new(Table { name, columns: columns.to_vec().leak(), unique }))
}

#[test]
fn a_table_that_cannot_be_is_refused_where_it_is_made() {
    let id = Column::int("id");
    for (table, words) in [
        (leaked("t", &[id], Some("idd")), "the table `t` has no column `idd` that could be unique"),
        (leaked("t", &[], None), "the table `t` has no column: give it one"),
        (leaked("t", &[id, Column::text("id")], None), "the table `t` has two columns `id`"),
        (leaked("order", &[id], None), "the table `order`: SQL has that word for itself"),
        (leaked("t", &[Column::int("xmax")], None), "SQL has that word for itself"),
        (leaked("T", &[id], None), "the table `T`: a name is made of a-z"),
        (
            leaked("t", &[Column::int("user id")], None),
            "the column `user id` of the table `t`: a name",
        ),
        (leaked("", &[id], None), "the table ``: a name is made of a-z"),
        (leaked("t", &[Column::int("1st")], None), "does not begin with a digit"),
    ] {
        for said in [
            panics(move || drop(table.definition())),
            panics(move || drop(SimDb::new().with_table(table, []))),
        ] {
            assert!(said.contains(words), "{said}");
        }
    }
    let table = leaked("shop.orders_2", &[id, Column::text("_state")], Some("id"));
    assert!(table.definition().starts_with("CREATE TABLE IF NOT EXISTS shop.orders_2 ("));
    assert!(SimDb::new().with_table(table, []).rows(table).is_empty());
}

#[test]
fn rows_that_a_table_cannot_hold_are_refused_where_it_is_made() {
    let account = |id: i64| row([id.into(), 0.into()]);
    for (rows, words) in [
        (vec![row([1.into()])], "`account` has 2 columns, and the row 1 values"),
        (vec![row([1.into(), "a".into()])], "`balance` holds numbers"),
        (vec![account(1), account(2), account(1)], "another row before it has its key"),
    ] {
        let said = panics(move || drop(SimDb::new().with_table(&ACCOUNT, rows)));
        assert!(said.starts_with("the row [") && said.contains(words), "{said}");
    }
    let said = panics(|| drop(bank().with_table(&KEY, [])));
    assert_eq!(said, "there is a table `api_key` already: give this one another name");
    let said = panics(|| drop(SimDb::new().rows(&KEY)));
    assert_eq!(said, "there is no table `api_key`: `SimDb::with_table` makes one");
}

#[cfg(feature = "sql")]
#[test]
fn a_query_sees_what_is_committed_and_nothing_else() {
    let db = SimDb::new().with_setup(
        "CREATE TABLE coupons (id INT PRIMARY KEY, used INT NOT NULL); INSERT INTO coupons VALUES (1, 0), (2, 5)",
    );
    let mut db = db.unwrap();
    let mut session = SimSession::new();
    let update = Statement::sql("UPDATE coupons SET used = 7 WHERE id = 1", []);
    db.answer(&mut session, &Statement::Begin(Isolation::ReadCommitted)).unwrap();
    db.answer(&mut session, &update).unwrap();
    let most = "SELECT max(used) FROM coupons WHERE used < (SELECT count(*) * 5 FROM coupons)";
    assert_eq!(db.query(most).unwrap(), [row([5.into()])]);
    db.answer(&mut session, &Statement::Commit).unwrap();
    assert_eq!(db.query(most).unwrap(), [row([7.into()])]);
    assert_eq!(db.query("SELECT id FROM coupons WHERE used > 7").unwrap(), []);
    for (text, code) in [
        ("SELECT * FROM coupons FOR UPDATE", "0A000"),
        ("DELETE FROM coupons", "0A000"),
        ("SELECT * FROM coupons WHERE id = $1", "0A000"),
        ("SELECT * FROM cupons", "42P01"),
        ("SELECT 1 / (used - 7) FROM coupons WHERE id = 1", "22012"),
        ("SELECT 1; SELECT 2", "42601"),
    ] {
        assert_eq!(db.query(text).unwrap_err().state.code(), code, "{text}");
    }
}

/// Each finds that there is none, for neither sees what has not committed: a statement by itself is no lock.
#[cfg(feature = "sql")]
#[test]
fn others_act_before_a_statement_by_itself_commits() {
    let setup = "CREATE TABLE tickets (seat INT); CREATE TABLE seats (id INT PRIMARY KEY, taken BOOLEAN NOT NULL);
                 INSERT INTO seats VALUES (1, false), (2, true)";
    let start = SimDb::new().with_setup(setup).unwrap();
    let told = |asked: &[(usize, &str)]| {
        let mut db = start.clone();
        let mut sessions = [SimSession::new(), SimSession::new()];
        let told = asked.iter().map(|(who, text)| {
            match db.execute(&mut sessions[*who], &Statement::sql(text, [])) {
                Reply::Answer(answer) => {
                    answer.map_or_else(|it| format!("{it:?}"), |it| it.to_string())
                }
                Reply::Underway(underway) => underway.to_string(),
                waits => format!("{waits:?}"),
            }
        });
        (told.collect::<Vec<_>>(), db)
    };
    let takes = "INSERT INTO tickets SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM tickets)";
    let (said, db) = told(&[(0, takes), (1, takes), (0, takes), (1, takes)]);
    assert_eq!(said, ["commit to go", "commit to go", "1 row", "1 row"]);
    assert_eq!(db.query("SELECT count(*) FROM tickets").unwrap(), [row([2.into()])]);
    let (said, _) = told(&[(0, takes), (0, takes), (1, takes)]);
    assert_eq!(said, ["commit to go", "1 row", "0 rows"]);
    // Each turns the row of the other one.
    let (frees, takes) = (
        "UPDATE seats SET taken = false WHERE taken",
        "UPDATE seats SET taken = true WHERE NOT taken",
    );
    let (said, db) = told(&[(0, frees), (1, takes), (0, frees), (1, takes)]);
    assert_eq!(said, ["commit to go", "commit to go", "1 row", "1 row"]);
    let left = db.query("SELECT id, taken FROM seats ORDER BY id").unwrap();
    assert_eq!(left, [row([1.into(), true.into()]), row([2.into(), false.into()])]);
    // What is about one key commits at once: nobody else can change what it looked at.
    let keyed = "UPDATE seats SET taken = NOT taken WHERE id = 1 AND NOT taken";
    let (said, _) = told(&[(0, keyed), (1, keyed)]);
    assert_eq!(said, ["1 row", "0 rows"]);
}
