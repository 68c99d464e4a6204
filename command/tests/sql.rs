//! `toctou sql`, as a person or a script meets it: the files of `examples/sql`, and files with mistakes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use toctou::db::{Cluster, Database, Statement};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/sql").join(name)
}

fn sql(file: &Path, options: &[&str]) -> Output {
    let mut toctou = Command::new(env!("CARGO_BIN_EXE_toctou"));
    toctou.arg("sql").args(options).arg(file).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What it printed of an example, with this exit status.
fn told(status: i32, name: &str, options: &[&str]) -> String {
    let output = sql(&example(name), options);
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{name} {options:?}: {said}{error}");
    for line in said.lines().filter(|line| !line.starts_with('{') && !line.starts_with("    Note"))
    {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
    said
}

/// What it says of a file with this text, with this exit status: on standard output, and on standard error on one
/// line, without the file's path.
fn of_text(status: i32, script: &str, options: &[&str]) -> (String, String) {
    let mut file = tempfile::Builder::new().suffix(".sql").tempfile().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    let output = sql(file.path(), options);
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{script}: {said}{error}");
    let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
    (said, error.replace(&file.path().display().to_string(), "FILE"))
}

/// Why a file is refused.
fn refused(script: &str) -> String {
    let (said, error) = of_text(2, script, &[]);
    assert_eq!(said, "", "{script}");
    error
}

const COUPONS: &str = "setup { CREATE TABLE coupons (id INT PRIMARY KEY, used INT NOT NULL);\nINSERT INTO coupons VALUES (1, 0); }\n";

/// A session that reads the coupon, and these lines, from line 4 on.
fn with_coupons(session: &str, rest: &str) -> String {
    format!("{COUPONS}session one {{\n{session}\n}}\n{rest}\n")
}

#[test]
fn a_coupon_is_redeemed_twice_where_one_looks_before_one_takes() {
    let said = told(1, "coupon.sql", &[]);
    assert!(said.contains("✗ always no row: SELECT * FROM coupons WHERE used > 1: "), "{said}");
    assert!(said.contains("2  SELECT used = 0 AS free FROM coupons WHERE id"), "{said}");
    assert!(said.contains("✓ reachable a row: SELECT * FROM coupons WHERE used = 1"), "{said}");
    assert!(said.contains("graph, loom, shuttle agree"), "{said}");
}

#[test]
fn a_lock_and_a_condition_each_are_a_fix() {
    for name in ["coupon_for_update.sql", "coupon_conditional.sql"] {
        let said = told(0, name, &[]);
        assert!(said.contains("✓ always no row: SELECT * FROM coupons WHERE used > 1\n"), "{said}");
        assert!(said.contains("✓ finally a row: SELECT * FROM coupons WHERE used = 1\n"), "{said}");
    }
}

#[test]
fn a_row_is_created_twice_without_a_unique_key_and_once_with_it() {
    let said = told(1, "create_once.sql", &[]);
    assert!(said.contains("✗ always no row: SELECT email FROM members GROUP BY email"), "{said}");
    let said = told(0, "create_once_unique.sql", &[]);
    assert!(said.contains("23505"), "{said}");
}

#[test]
fn workers_that_skip_locked_jobs_do_each_once() {
    told(0, "job_queue.sql", &[]);
    let said = told(1, "job_queue_unlocked.sql", &[]);
    assert!(said.contains("✗ always no row: SELECT * FROM jobs WHERE done > 1"), "{said}");
}

/// A worker without a job has no `:id`: PostgreSQL gets the statement as it is written.
#[test]
fn a_variable_that_got_no_value_is_a_syntax_error() {
    let said = told(0, "job_queue.sql", &["--clients", "3"]);
    assert!(said.contains("no row for \\gset, 42601"), "{said}");
}

#[test]
fn write_skew_is_prevented_by_serializable_alone() {
    let said = told(1, "write_skew.sql", &["--levels"]);
    let marks = |level: &str| -> Vec<&str> {
        let line = said.lines().find_map(|line| line.strip_prefix(level)).unwrap();
        line.split_whitespace().collect()
    };
    assert_eq!(marks("READ COMMITTED"), ["✓", "✗", "✓"], "{said}");
    assert_eq!(marks("REPEATABLE READ"), ["✓", "✗", "✓"], "{said}");
    assert_eq!(marks("SERIALIZABLE"), ["✓", "✓", "✓"], "{said}");
    assert!(said.contains(" 2  always a row: SELECT * FROM doctors WHERE on_call"), "{said}");
    told(0, "write_skew.sql", &["--isolation", "serializable"]);
}

/// Above READ COMMITTED the lock comes after the snapshot; at SERIALIZABLE that is noticed.
#[test]
fn an_advisory_lock_comes_too_late_at_repeatable_read() {
    let said = told(1, "once_advisory_lock.sql", &["--levels"]);
    let marks = |level: &str| -> Vec<&str> {
        let line = said.lines().find_map(|line| line.strip_prefix(level)).unwrap();
        line.split_whitespace().take(2).collect()
    };
    assert_eq!(marks("READ COMMITTED"), ["✓", "✓"], "{said}");
    assert_eq!(marks("REPEATABLE READ"), ["✓", "✗"], "{said}");
    assert_eq!(marks("SERIALIZABLE"), ["✓", "✓"], "{said}");
    told(0, "once_advisory_lock.sql", &[]);
}

#[test]
fn an_isolation_test_of_postgresql_is_read_and_all_its_ends_are_told() {
    let said = told(0, "accounts.spec", &[]);
    assert!(said.contains("the file lists 2 permutations: all orders are explored"), "{said}");
    assert!(said.contains("40P01"), "{said}");
    assert!(said.contains("{accounts: [[1, 110], [2, 90]]}"), "{said}");
    assert!(said.contains("the file claims nothing"), "{said}");
}

#[test]
fn a_counterexample_happens_on_postgresql() {
    let output = sql(&example("coupon.sql"), &["--replay"]);
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    if error.contains("there is no PostgreSQL server") || error.contains("there is no user") {
        let required = std::env::var_os("TOCTOU_POSTGRES").is_some_and(|it| it == "required");
        assert!(!required, "{error}");
        let _ = writeln!(std::io::stderr(), "SKIPPED: a replay: {error}");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{said}{error}");
    assert!(said.contains("on PostgreSQL: "), "{said}");
    assert!(said.contains("PostgreSQL agrees"), "{said}");
}

/// On a server that others use: in a schema that is gone afterwards, and no process is stopped.
#[test]
fn a_counterexample_happens_in_a_database_of_ones_own() {
    let cluster = match Cluster::shared() {
        Ok(cluster) => cluster,
        Err(error) => {
            let required = std::env::var_os("TOCTOU_POSTGRES").is_some_and(|it| it == "required");
            assert!(!required, "{error}");
            let _ = writeln!(std::io::stderr(), "SKIPPED: a replay: {error}");
            return;
        }
    };
    for (name, waits) in [("coupon.sql", false), ("deadlock.sql", true)] {
        let said = told(1, name, &["--replay", "--database", &cluster.url()]);
        assert!(said.contains("PostgreSQL agrees"), "{said}");
        assert_eq!(said.matches("-- waits").count() > 1, waits, "{said}");
    }
    let mut db = cluster.database().unwrap();
    let mut session = db.connect().unwrap();
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'toctou%'";
    let schemas = db.answer(&mut session, &Statement::sql(schemas, [])).unwrap();
    assert_eq!(schemas.value(), Some(&0.into()));
}

#[test]
fn rows_and_pictures_are_for_other_programs() {
    let rows = told(1, "coupon.sql", &["--format", "json"]);
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let property = "no row: SELECT * FROM coupons WHERE used > 1";
    let row = rows.iter().find(|row| row["property"] == property).unwrap();
    assert_eq!((&row["engine"], &row["verdict"]), (&"graph".into(), &"violated".into()));
    assert_eq!(rows.last().unwrap()["is_proof"], false);
    let picture = told(1, "coupon.sql", &["--format", "mermaid"]);
    assert!(picture.starts_with("sequenceDiagram\n"), "{picture}");
    let rows = told(1, "write_skew.sql", &["--levels", "--format", "json"]);
    assert!(rows.starts_with("{\"level\":\"READ COMMITTED\"}\n"), "{rows}");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (script, said) in [
        (with_coupons("SELECT * FROM cupons;", ""), "FILE:4:15: there is no table `cupons`"),
        (with_coupons("SELECT usd FROM coupons;", ""), "FILE:4:8: "),
        (
            with_coupons(
                "MERGE INTO coupons USING coupons c ON true WHEN MATCHED THEN DELETE;",
                "",
            ),
            "FILE:4:1: `MERGE INTO` is not simulated",
        ),
        (with_coupons("SELECT 1;", "newer: SELECT 1"), "FILE:6:1: there is no property `newer:`"),
        (
            with_coupons("SELECT 1;", "finally nver: SELECT 1"),
            "there is no property `finally nver:`",
        ),
        (with_coupons("COMMIT \\gset", ""), "FILE:4:1: this answers no row"),
        (with_coupons("SELECT 1;", "never: SELECT * FROM coupons WHERE usd > 1"), "FILE:6:36: "),
        (with_coupons("SELECT 1;", "never: DELETE FROM coupons"), "FILE:6:8: it changes rows"),
        (format!("{COUPONS}session one {{\nSELECT 1;\n"), "FILE:3:13: the block is not closed"),
        (
            with_coupons("SELECT * FROM coupons WHERE id = :id;", ""),
            "FILE:4:34: there is no variable `id` here",
        ),
        (
            with_coupons("\\if :free\nSELECT 1;\n\\endif", ""),
            "FILE:4:5: there is no variable `free`",
        ),
        (with_coupons("\\if true\nSELECT 1;", ""), "FILE:4:1: the `\\if` is not closed"),
        (with_coupons("\\copy coupons FROM 'x'", ""), "FILE:4:1: `\\copy` is not known here"),
        (with_coupons("SELECT 1; \\gset", ""), "FILE:4:11: no statement stands before `\\gset`"),
        (COUPONS.to_owned(), "there is no session"),
        (with_coupons("SELECT 'x;", ""), "FILE:4:8: the text is not closed"),
        (with_coupons("SELECT FROM WHERE;", ""), "FILE:4:"),
        (
            with_coupons("SELECT $1;", "").replace("$1", "used + $1 FROM coupons"),
            "FILE:4:1: a parameter has no value here",
        ),
        (
            "setup { CREATE TABLE a (x INT REFERENCES b); }\nsession one { SELECT 1; }".to_owned(),
            "FILE:1:25: a foreign key (REFERENCES) is not simulated",
        ),
    ] {
        let error = refused(&script);
        assert!(error.starts_with("error: ") && error.contains(said), "{said}\n{error}");
    }
}

/// Properties that hold because nothing happens are no proof.
#[test]
fn a_property_that_was_never_put_to_the_test_is_told() {
    let script =
        with_coupons("SELECT * FROM coupons;", "never: SELECT * FROM coupons WHERE used > 1");
    let (said, _) = of_text(1, &script, &[]);
    assert!(
        said.contains("was never put to the test: no\n  session ever changes its tables"),
        "{said}"
    );
    let script = with_coupons(
        "INSERT INTO coupons VALUES (1, 0);",
        "never: SELECT * FROM coupons WHERE used > 1",
    );
    let (said, _) = of_text(1, &script, &[]);
    assert!(said.contains("23505") && said.contains("nothing is proved"), "{said}");
}

/// As `psql` does: an error is told, and the script goes on. A failed transaction answers 25P02 to its end.
#[test]
fn an_error_is_told_and_the_script_goes_on() {
    let session = "BEGIN;\nINSERT INTO coupons VALUES (1, 1);\nSELECT * FROM coupons;\nCOMMIT;\n\
                   COMMIT;\nUPDATE coupons SET used = used + 1;\n";
    let (said, _) = of_text(
        0,
        &with_coupons(
            session,
            "finally: SELECT * FROM coupons WHERE used = 1\nreachable: SELECT 1",
        ),
        &[],
    );
    assert!(said.contains("23505, 25P02"), "{said}");
}

#[test]
fn variables_are_literals_of_their_types() {
    let session = "\\set by 2\n\\set word 'it''s'\nSELECT used + :by AS sum, :word AS word FROM coupons \\gset its_\n\
                   \\if :{?its_sum}\nUPDATE coupons SET used = :its_sum WHERE :'word' = :its_word;\n\\else\n\
                   UPDATE coupons SET used = 9;\n\\endif";
    let rest = "finally: SELECT * FROM coupons WHERE used = 2";
    of_text(0, &with_coupons(session, rest), &[]);
}
