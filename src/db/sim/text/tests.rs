use super::*;
use crate::db::{Answer, Database, Reply, SimSession};

const SETUP: &str =
    "CREATE TABLE item (id BIGINT PRIMARY KEY, n INTEGER, done BOOLEAN NOT NULL DEFAULT false,
                         CHECK (n <> 9));
                     CREATE UNIQUE INDEX open_n ON item (n) WHERE NOT done;
                     CREATE TABLE log (item BIGINT);
                     INSERT INTO item (id, n) VALUES (1, 5), (2, NULL)";

fn db() -> SimDb {
    SimDb::new().with_setup(SETUP).expect("it is simulated")
}

/// What a statement is answered if nobody else is there.
fn alone(db: &mut SimDb, statement: &Statement) -> Result<Answer, SqlError> {
    let mut session = SimSession::new();
    loop {
        match db.execute(&mut session, statement) {
            Reply::Answer(answer) => return answer,
            Reply::Underway(_) => session.takes_next(0),
            reply => panic!("{statement}: {reply:?}"),
        }
    }
}

#[track_caller]
fn assert_refused(text: &str, state: SqlState, said: &str) {
    let error = db().prepare(text).expect_err(text);
    assert_eq!((error.state, error.words()), (state, &*format!("{said}: {text}")));
}

#[test]
fn what_is_not_simulated_is_refused_by_name_and_place() {
    let refused = |text, said: &str| assert_refused(text, SqlState::FEATURE_NOT_SUPPORTED, said);
    refused("SELECT DISTINCT n FROM item", "DISTINCT is not simulated at character 1");
    refused("SELECT n FROM item WHERE n LIKE 'x'", "`n LIKE 'x'` is not simulated at character 26");
    refused(
        "SELECT n\nFROM item\nWHERE n = 1.5",
        "the number 1.5 (BIGINT is the widest) is not simulated at line 3, character 11",
    );
    refused(
        "INSERT INTO item VALUES (1) ON CONFLICT (n) WHERE n > 1 DO NOTHING",
        "a WHERE in other words than those of the index on `n` is not simulated at character 1",
    );
    refused(
        "SELECT (SELECT count(*) FROM log WHERE item = id) FROM item",
        "`id` of the query round this one is not simulated at character 47",
    );
    refused(
        "SELECT sum(id) FROM item",
        "the sum of a BIGINT as an answer, which is a NUMERIC (cast it AS BIGINT) is not simulated at \
         character 8",
    );
    refused(
        "SELECT n FROM item LIMIT 1",
        "LIMIT in an order that leaves open which rows are first (add a unique column) is not simulated at \
         character 1",
    );
}

#[test]
fn what_is_wrong_is_told_by_its_place() {
    let wrong = assert_refused;
    wrong(
        "SELECT nope FROM item",
        SqlState::UNDEFINED_COLUMN,
        "there is no column `nope` here at character 8",
    );
    wrong(
        "SELECT 1 FROM nowhere",
        SqlState::UNDEFINED_TABLE,
        "there is no table `nowhere` at character 15",
    );
    wrong(
        "SELECT done + 1 FROM item",
        SqlState::DATATYPE_MISMATCH,
        "BOOLEAN and INTEGER do not go together at character 8",
    );
    wrong(
        "SELECT n, count(*) FROM item",
        SqlState::GROUPING_ERROR,
        "a column is neither in GROUP BY nor in an aggregate function at character 1",
    );
    wrong(
        "SELECT n FROM item WHERE n",
        SqlState::DATATYPE_MISMATCH,
        "a condition is a truth value, and this is none at character 26",
    );
    wrong(
        "INSERT INTO item VALUES (1) ON CONFLICT (done) DO NOTHING",
        SqlState::INVALID_COLUMN_REFERENCE,
        "there is no unique index on `done` at character 1",
    );
    wrong(
        "INSERT INTO item VALUES (1) ON CONFLICT ON CONSTRAINT open_n DO NOTHING",
        SqlState::UNDEFINED_OBJECT,
        "there is no unique constraint `open_n` at character 55",
    );
    for text in ["SELEC 1", "SELECT 1; SELECT 2", "SELECT 'x"] {
        let error = db().prepare(text).expect_err(text);
        assert_eq!(error.state, SqlState::SYNTAX_ERROR, "{error}");
    }
}

#[test]
fn tables_that_are_not_simulated_are_refused() {
    let refused = |text: &str, words: &str| {
        let error = SimDb::new().with_setup(text).expect_err(text);
        assert!(error.words().contains(words), "{text}: {error}");
    };
    refused(
        "CREATE TABLE t (a INT REFERENCES u (a))",
        "a foreign key (REFERENCES) is not simulated",
    );
    refused("CREATE TABLE t (a INT UNIQUE DEFERRABLE)", "`UNIQUE DEFERRABLE` is not simulated");
    refused("CREATE TABLE t (a INT, UNIQUE NULLS NOT DISTINCT (a))", "NULLS NOT DISTINCT");
    refused("CREATE TABLE t (a INT, PRIMARY KEY (a, b))", "`t` has no column `b`");
    refused("CREATE TABLE t (a INT, UNIQUE (a, a))", "`a` is there twice");
    refused("CREATE TABLE t (a INT); CREATE UNIQUE INDEX ON t ((a + 1))", "a unique expression");
    refused(
        "CREATE TABLE t (a INT); CREATE INDEX ON t USING hash (a)",
        "this form of CREATE INDEX",
    );
    refused(
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (1); CREATE UNIQUE INDEX ON t (a)",
        "there is a row with that key",
    );
    refused("CREATE TABLE t (a VARCHAR(3))", "the type VARCHAR(3)");
    refused("CREATE TABLE t (a TIMESTAMP)", "the type TIMESTAMP");
    refused("CREATE TABLE t (a SERIAL)", "the type SERIAL");
    refused("CREATE TABLE t (a INT DEFAULT 'x')", "\"x\" is no value of type INTEGER");
    refused("CREATE TABLE t (a INT); CREATE TABLE T (b INT)", "there is a table `t` already");
    refused("CREATE TABLE t (a INT); DROP TABLE t", "`DROP TABLE` is not simulated");
    refused("CREATE TABLE t (a INT NOT NULL); INSERT INTO t VALUES (NULL)", "`a` of `t` is NULL");
}

#[test]
fn parameters_have_types_and_all_of_them_get_values() {
    let db = db();
    let mut other = db.clone();
    let mut ask = |statement: &Statement| alone(&mut other, statement);
    let adds = db.prepare("UPDATE item SET n = n + $2 WHERE id = $1").expect("it is simulated");
    assert_eq!(ask(&adds.with([1.into(), 3.into()])), Ok(Answer::Count(1)));
    let told = adds.with([1.into(), 3.into()]).to_string();
    assert_eq!(told, "UPDATE item SET n = n + 3 WHERE id = 1");
    let state = |answer: Result<Answer, SqlError>| answer.expect_err("it does not fit").state;
    assert_eq!(state(ask(&adds.with([1.into()]))), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(state(ask(&adds.with([1.into(), "x".into()]))), SqlState::DATATYPE_MISMATCH);
    assert_eq!(state(ask(&adds.with([1.into(), 1.into()]))), SqlState::CHECK_VIOLATION);
    let untyped = db.prepare("SELECT $1 IS NULL").expect_err("nobody knows");
    assert_eq!(untyped.words(), "the type of $1 is not known: cast it");
}

#[test]
fn words_that_begin_and_end_a_transaction_are_known() {
    let begins = |text: &str, isolation| {
        assert_eq!(Statement::sql(text, []), Statement::Begin(isolation), "{text}");
    };
    begins("begin", Isolation::ReadCommitted);
    begins("START TRANSACTION ISOLATION LEVEL SERIALIZABLE", Isolation::Serializable);
    begins("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ;", Isolation::RepeatableRead);
    assert_eq!(Statement::sql("end", []), Statement::Commit);
    assert_eq!(Statement::sql("Rollback;", []), Statement::Rollback);
    assert!(matches!(Statement::sql("BEGIN READ ONLY", []), Statement::Text(_)));
}

/// A plain index says nothing, and names of keys are those of PostgreSQL.
#[test]
fn keys_have_names_and_say_which_of_them_is_violated() {
    let setup = "CREATE TABLE t (a INT UNIQUE, b INT, c INT, CONSTRAINT both UNIQUE (b, c), PRIMARY KEY (c));
                 CREATE INDEX ON t (b);
                 CREATE UNIQUE INDEX ON t (b) WHERE a > 1;
                 INSERT INTO t VALUES (1, 1, 1)";
    let db = SimDb::new().with_setup(setup).expect("it is simulated");
    let names: Vec<&str> = db.keys(0).iter().map(|key| &*key.name).collect();
    assert_eq!(names, ["t_pkey", "t_a_key", "both", "t_b_idx"]);
    let refused = |text: &str| {
        let error = alone(&mut db.clone(), &Statement::sql(text, [])).expect_err(text);
        error.words().to_owned()
    };
    let by = |name: &str| format!("there is a row with that key, by `{name}`");
    assert_eq!(refused("INSERT INTO t VALUES (1, 2, 2)"), by("t_a_key"));
    assert_eq!(refused("INSERT INTO t VALUES (1, 1, 1)"), by("t_pkey"));
    assert_eq!(refused("INSERT INTO t VALUES (2, 1, 2), (3, 1, 3)"), by("t_b_idx"));
    assert_eq!(refused("UPDATE t SET c = NULL"), "`c` of `t` is NULL");
}
