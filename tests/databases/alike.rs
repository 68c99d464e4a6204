//! One program after the other, in one session: every database answers alike.

use toctou::db::{
    Answer, Column, Comparison, Database, Delete, Dialect, Insert, Isolation, OnConflict,
    PostgresDb, Returning, Row, Select, SimDb, SqlError, SqlState, SqliteDb, Statement, Table,
    Update, Value, row,
};

use crate::server::{ACCOUNTS, account, add, answer, balance, begin, cluster, insert};

static NOTES: Table =
    Table { name: "notes", columns: &[Column::int("id"), Column::text("text")], unique: None };

/// The accounts, by somebody who knows their columns in another order.
static TURNED: Table = Table {
    name: ACCOUNTS.name,
    columns: &[Column::int("balance"), Column::int("id")],
    unique: Some("id"),
};

/// Nobody creates it.
static NOWHERE: Table = Table { name: "nowhere", columns: &[Column::int("id")], unique: None };

fn programs() -> Vec<Vec<Statement>> {
    let id = Comparison::AtLeast;
    let upsert =
        |on_conflict: OnConflict| Insert::new(&ACCOUNTS, account(1, 7)).on_conflict(on_conflict);
    let update = || upsert(OnConflict::DoUpdate(vec!["balance"]));
    let all = || Select::columns(&ACCOUNTS, &["id", "balance"]);
    let note = |id: i64, text: &str| Insert::new(&NOTES, row([id.into(), text.into()]));
    let programs = vec![
        vec![all().into(), balance(1), balance(9), add(1, 5), add(9, 5), add(1, -7), balance(1)],
        vec![
            Select::exists(&ACCOUNTS).filter("id", 1).into(),
            Select::exists(&ACCOUNTS).filter("id", 9).into(),
            Select::sum(&ACCOUNTS, "balance").into(),
            Select::sum(&ACCOUNTS, "balance").filter("id", 9).into(),
            all().condition("id", id, 2).condition("balance", Comparison::AtMost, 100).into(),
            all().condition("id", Comparison::NotEqual, 2).into(),
        ],
        vec![begin(), all().for_update().filter("id", 1).into(), add(1, 1), Statement::Commit],
        vec![insert(1, 0), insert(3, 0), all().into()],
        vec![upsert(OnConflict::DoNothing).into(), update().into(), balance(1)],
        vec![
            upsert(OnConflict::DoNothing).returning(Returning::Columns(vec!["id"])).into(),
            update().returning(Returning::Columns(vec!["balance", "id"])).into(),
        ],
        vec![Delete::new(&ACCOUNTS).filter("id", 2).into(), all().into()],
        vec![Update::new(&ACCOUNTS).set("balance", 1).filter("balance", 7).into(), all().into()],
        vec![begin(), Statement::Commit, begin(), Statement::Rollback],
        // The columns in another order.
        vec![
            Insert::new(&TURNED, row([7.into(), 3.into()])).into(),
            Insert::new(&TURNED, row([8.into(), 3.into()])).into(),
            Insert::new(&TURNED, row([9.into(), 1.into()]))
                .on_conflict(OnConflict::DoUpdate(vec!["balance"]))
                .returning(Returning::Columns(vec!["id", "balance"]))
                .into(),
            Select::columns(&TURNED, &["id", "balance"]).into(),
        ],
        vec![note(1, "it's").into(), note(1, "").into(), note(0, "ü").into()],
        vec![
            note(1, "a").into(),
            Update::new(&NOTES).set("text", "b").filter("text", "a").into(),
            Select::columns(&NOTES, &["text"]).into(),
        ],
        // Where a transaction begins and ends.
        vec![
            Statement::Commit,
            Statement::Rollback,
            begin(),
            begin(),
            add(1, 1),
            Statement::Commit,
        ],
        vec![begin(), add(1, 1), Statement::Rollback, balance(1)],
        vec![begin(), add(1, 1), insert(2, 0), balance(1), Statement::Commit, balance(1)],
        vec![begin(), insert(2, 0), begin(), Statement::Rollback, Statement::Rollback],
        vec![Statement::Begin(Isolation::Serializable), add(1, 1), Statement::Commit, balance(1)],
        // What cannot be.
        vec![Select::columns(&NOWHERE, &["id"]).into(), Delete::new(&NOWHERE).into()],
        vec![Select::columns(&ACCOUNTS, &["missing"]).into(), add(1, i64::MAX), balance(1)],
        vec![all().filter("missing", 1).into(), Update::new(&ACCOUNTS).add("missing", 1).into()],
        vec![all().filter("id", "one").into(), Update::new(&ACCOUNTS).set("balance", "all").into()],
        vec![add(1, i64::MAX - 100), balance(1), Select::sum(&ACCOUNTS, "balance").into()],
        vec![note(1, "a").on_conflict(OnConflict::DoNothing).into()],
    ];
    // Malformed, in a transaction and by itself.
    let within = |statement: Statement| {
        vec![
            note(1, "a").into(),
            statement.clone(),
            begin(),
            add(1, 1),
            statement,
            balance(1),
            Statement::Commit,
            Select::columns(&NOTES, &["text", "id"]).into(),
        ]
    };
    let malformed = malformed().into_iter().map(|(statement, _)| within(statement));
    programs.into_iter().chain(malformed).collect()
}

/// What cannot be asked, whatever the tables hold, and the code of its error. Asked as they are, the
/// real databases take some of them, each its own, or have codes of their own.
fn malformed() -> Vec<(Statement, &'static str)> {
    let upsert = |id: i64, columns: &[&'static str]| -> Statement {
        let on_conflict = OnConflict::DoUpdate(columns.to_vec());
        Insert::new(&ACCOUNTS, account(id, 7)).on_conflict(on_conflict).into()
    };
    let update = || Update::new(&ACCOUNTS).filter("id", 1);
    let rename = |text: &str| Update::new(&NOTES).set("text", text);
    let insert = || Insert::new(&ACCOUNTS, account(3, 7));
    let returning = |columns: &[&'static str]| -> Statement {
        insert().returning(Returning::Columns(columns.to_vec())).into()
    };
    vec![
        (Select::exists(&ACCOUNTS).for_update().into(), "0A000"),
        (Select::sum(&ACCOUNTS, "balance").for_update().into(), "0A000"),
        (Select::sum(&NOTES, "text").into(), "42804"),
        (Select::columns(&ACCOUNTS, &[]).into(), "42601"),
        (upsert(3, &["nope"]), "42703"),
        (upsert(1, &["balance", "nope"]), "42703"),
        (upsert(3, &[]), "42601"),
        (upsert(1, &["balance", "balance"]), "42601"),
        (returning(&[]), "42601"),
        (returning(&["balance", "nope"]), "42703"),
        (update().into(), "42601"),
        (update().set("balance", 1).set("balance", 2).into(), "42601"),
        (update().set("balance", 1).add("balance", 2).into(), "42601"),
        (update().set("id", 3).into(), "0A000"),
        (update().add("id", 0).into(), "0A000"),
        (update().set("balance", Value::Bool(true)).into(), "42804"),
        (Update::new(&NOTES).set("text", 1).into(), "42804"),
        (Update::new(&NOTES).add("text", 1).into(), "42804"),
        (rename("a\0b").into(), "22021"),
        (rename("a").filter("text", "\0").into(), "22021"),
        (Insert::new(&NOTES, row([1.into(), "\0".into()])).into(), "22021"),
        (Insert::new(&NOTES, row([1.into(), 1.into()])).into(), "42804"),
        (Insert::new(&NOTES, row([1.into()])).into(), "42601"),
        (Insert::new(&NOTES, row([1.into(), "a".into(), 2.into()])).into(), "42601"),
        (Delete::new(&NOTES).filter("text", "a\0").into(), "22021"),
        (Delete::new(&NOTES).filter("text", 1).into(), "42804"),
        (Delete::new(&NOTES).filter("nope", 1).into(), "42703"),
    ]
}

type Told = (Vec<Result<Answer, SqlError>>, Vec<Row>);

fn run_in<D: Database>(db: &mut D, program: &[Statement], rows: impl Fn(&D) -> Vec<Row>) -> Told {
    let mut session = db.connect().expect("there is room");
    let told = program.iter().map(|statement| answer(db, &mut session, statement)).collect();
    db.disconnect(session);
    (told, rows(db))
}

/// What a real database said differs in words.
fn codes(told: Told) -> (Vec<Result<Answer, SqlState>>, Vec<Row>) {
    let (answers, rows) = told;
    (answers.into_iter().map(|answer| answer.map_err(|error| error.state)).collect(), rows)
}

fn first() -> [Row; 2] {
    [account(1, 100), account(2, 100)]
}

fn simulated(program: &[Statement]) -> Told {
    let mut db = SimDb::new().with_table(&ACCOUNTS, first()).with_table(&NOTES, []);
    run_in(&mut db, program, |db| db.rows(&ACCOUNTS))
}

#[test]
fn sqlite_answers_as_the_simulation_does() {
    let mut db = SqliteDb::in_memory().expect("there is room");
    db.create(&[&ACCOUNTS, &NOTES]).expect("they are new");
    let mut failed = 0;
    for program in programs() {
        db.fill(&ACCOUNTS, first()).expect("it is there");
        db.fill(&NOTES, []).expect("it is there");
        let told = run_in(&mut db, &program, |db| db.rows(&ACCOUNTS).expect("it is there"));
        failed += told.0.iter().filter(|answer| answer.is_err()).count();
        assert_eq!(codes(told), codes(simulated(&program)), "{program:#?}");
    }
    assert!(failed > 15 + 2 * malformed().len(), "{failed} errors");
}

#[test]
fn postgresql_answers_as_the_simulation_does() {
    let Some(cluster) = cluster("PostgreSQL and the simulation") else { return };
    let mut db: PostgresDb = cluster.database().expect("the server answers");
    db.create(&[&ACCOUNTS, &NOTES]).expect("they are new");
    for program in programs() {
        db.fill(&ACCOUNTS, first()).expect("it is there");
        db.fill(&NOTES, []).expect("it is there");
        let told = run_in(&mut db, &program, |db| db.rows(&ACCOUNTS).expect("it is there"));
        assert_eq!(codes(told), codes(simulated(&program)), "{program:#?}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused_with_a_reason_and_without_having_done_anything() {
    for (statement, code) in malformed() {
        let (told, rows) = simulated(std::slice::from_ref(&statement));
        let error = told[0].as_ref().expect_err("it is malformed");
        assert_eq!(error.state.code(), code, "{statement}: {error}");
        assert!(error.said.is_some(), "{statement}: {error}");
        assert_eq!(rows, first());
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            assert_eq!(statement.query(dialect).as_ref(), Err(error), "{statement}");
        }
    }
}

#[test]
fn several_rows_are_changed_alike() {
    let rich = Comparison::AtLeast;
    let update = Update::new(&ACCOUNTS).set("balance", 1);
    let delete = Delete::new(&ACCOUNTS).condition("balance", rich, 1);
    let program = [update.into(), delete.into()];
    let changed = || (vec![Ok(Answer::Count(2)), Ok(Answer::Count(2))], vec![]);
    assert_eq!(simulated(&program), changed());
    let mut db = SqliteDb::in_memory().expect("there is room");
    db.create(&[&ACCOUNTS]).expect("it is new");
    db.fill(&ACCOUNTS, first()).expect("it is there");
    let told = run_in(&mut db, &program, |db| db.rows(&ACCOUNTS).expect("it is there"));
    assert_eq!(told, changed());
    let Some(cluster) = cluster("several rows in PostgreSQL") else { return };
    let mut db = cluster.database().expect("the server answers");
    db.create(&[&ACCOUNTS]).expect("it is new");
    db.fill(&ACCOUNTS, first()).expect("it is there");
    let told = run_in(&mut db, &program, |db| db.rows(&ACCOUNTS).expect("it is there"));
    assert_eq!(told, changed());
}

#[test]
fn what_only_postgresql_has_is_refused_elsewhere_and_ends_the_transaction() {
    let upsert = Insert::new(&ACCOUNTS, account(1, 7)).returning(Returning::Inserted);
    let upsert: Statement = upsert.into();
    let refused = upsert.query(Dialect::Sqlite).map_err(|error| error.state);
    assert_eq!(refused, Err(SqlState::FEATURE_NOT_SUPPORTED));
    let mut db = SqliteDb::in_memory().expect("there is room");
    db.create(&[&ACCOUNTS]).expect("it is new");
    let program = [begin(), upsert.clone(), balance(1), Statement::Commit];
    let (told, rows) = run_in(&mut db, &program, |db| db.rows(&ACCOUNTS).expect("it is there"));
    let states: Vec<_> = told.iter().map(|answer| answer.as_ref().err().map(|e| e.state)).collect();
    let [refused, over] = [SqlState::FEATURE_NOT_SUPPORTED, SqlState::IN_FAILED_TRANSACTION];
    assert_eq!(states, [None, Some(refused), Some(over), None]);
    assert_eq!((told.last(), rows), (Some(&Ok(Answer::RolledBack)), vec![]));
    let Some(cluster) = cluster("what only PostgreSQL has") else { return };
    let mut db = cluster.database().expect("the server answers");
    db.create(&[&ACCOUNTS]).expect("it is new");
    let (told, _) = run_in(&mut db, &[upsert], |_| vec![]);
    assert_eq!(told, [Ok(Answer::Rows(vec![row([Value::Bool(true)])]))]);
}
