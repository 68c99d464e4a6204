//! What happened over a whole run, so that no idle one passes for an agreement.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use toctou::db::{OnConflict, Reply, Statement};

use super::{advisory, keys};

/// How often each kind of statement had each kind of answer.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(&'static str, String), usize>>);

/// Answers that a run has to have seen at READ COMMITTED and REPEATABLE READ, since these are what
/// is easily got wrong.
const INTERESTING: [(&str, &str); 29] = [
    ("select", "rows"),
    ("select", "no row"),
    ("for update", "rows"),
    ("for update", "no row"),
    ("for update", "queued"),
    ("for update", "waiting"),
    ("for update", "40001"),
    ("insert", "count 1"),
    ("insert", "rows"),
    ("insert", "queued"),
    ("insert", "23505"),
    ("insert do nothing", "count 0"),
    ("insert do nothing", "count 1"),
    ("insert do nothing", "no row"),
    ("insert do nothing", "queued"),
    ("insert do nothing", "40001"),
    ("insert do update", "count 1"),
    ("insert do update", "rows"),
    ("insert do update", "queued"),
    ("insert do update", "40001"),
    ("update", "count 0"),
    ("update", "count 1"),
    ("update", "queued"),
    ("update", "waiting"),
    ("update", "40001"),
    ("update", "40P01"),
    ("update", "25P02"),
    ("delete", "queued"),
    ("delete", "40001"),
];

/// The same of statements as text.
const INTERESTING_TEXT: [(&str, &str); 26] = [
    ("text: select", "rows"),
    ("text: groups", "rows"),
    ("text: join", "rows"),
    ("text: for update", "rows"),
    ("text: for update", "queued"),
    ("text: for update", "40001"),
    ("text: nowait", "rows"),
    ("text: nowait", "55P03"),
    ("text: skip locked", "rows"),
    ("text: insert", "rows"),
    ("text: insert", "queued"),
    ("text: insert do nothing", "count 0"),
    ("text: insert do nothing", "queued"),
    ("text: insert do update", "21000"),
    ("text: insert do update", "count 2"),
    ("text: insert do update", "queued"),
    ("text: insert into log", "count 2"),
    ("text: insert select", "count 0"),
    ("text: insert select", "count 1"),
    ("text: update", "22003"),
    ("text: update", "22012"),
    ("text: update", "23502"),
    ("text: update", "23514"),
    ("text: update", "count 2"),
    ("text: update", "rows"),
    ("text: delete", "rows"),
];

impl Tally {
    /// Asserts that a run of `cases` programs in text was no idle one.
    pub(crate) fn assert_text_varied(&self, cases: usize) {
        self.assert_seen(&INTERESTING_TEXT, cases);
    }

    /// Asserts that each of these kinds of statements was answered so in a run of `cases` programs.
    pub(crate) fn assert_seen(&self, interesting: &[(&'static str, &str)], cases: usize) {
        for (kind, what) in interesting {
            let seen = self.of(kind, what);
            assert!(seen * 400 >= cases, "{kind}: {what} only {seen} times in {cases} programs");
        }
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<(&'static str, String), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, statement: &Statement, reply: &Reply) {
        let kind = match statement {
            Statement::Begin(_) => "begin",
            Statement::Commit => "commit",
            Statement::Rollback => "rollback",
            Statement::Select(select) if select.for_update => "for update",
            Statement::Select(_) => "select",
            Statement::Insert(insert) => match insert.on_conflict {
                OnConflict::Fail => "insert",
                OnConflict::DoNothing => "insert do nothing",
                OnConflict::DoUpdate(_) => "insert do update",
            },
            Statement::Update(_) => "update",
            Statement::Delete(_) => "delete",
            Statement::Text(_) => Self::kind_of(&statement.to_string()),
        };
        let outcome = match reply {
            Reply::Queued => "queued".to_owned(),
            Reply::Waiting => "waiting".to_owned(),
            Reply::Underway(_) => "underway".to_owned(),
            Reply::Answer(Err(error)) => error.state.to_string(),
            Reply::Answer(Ok(answer)) => match answer {
                toctou::db::Answer::Rows(rows) if rows.is_empty() => "no row".to_owned(),
                toctou::db::Answer::Rows(_) => "rows".to_owned(),
                toctou::db::Answer::Count(count) => format!("count {count}"),
                other => format!("{other:?}").to_lowercase(),
            },
        };
        self.note(kind, &outcome);
    }

    /// What a statement as text is.
    fn kind_of(text: &str) -> &'static str {
        if let Some(kind) = keys::kind_of(text).or_else(|| advisory::kind_of(text)) {
            return kind;
        }
        let has = |words: &str| text.contains(words);
        match text.split(' ').next() {
            Some("SELECT") if has("SKIP LOCKED") => "text: skip locked",
            Some("SELECT") if has("NOWAIT") => "text: nowait",
            Some("SELECT") if has("FOR UPDATE") => "text: for update",
            Some("SELECT") if has("JOIN") => "text: join",
            Some("SELECT") if has("GROUP BY") => "text: groups",
            Some("SELECT") => "text: select",
            Some("INSERT") if has("DO NOTHING") => "text: insert do nothing",
            Some("INSERT") if has("DO UPDATE") => "text: insert do update",
            Some("INSERT") if has("INSERT INTO log") => "text: insert into log",
            Some("INSERT") if has("SELECT") => "text: insert select",
            Some("INSERT") => "text: insert",
            Some("UPDATE") => "text: update",
            Some("DELETE") => "text: delete",
            _ => "text: else",
        }
    }

    /// Counts something else.
    pub(crate) fn note(&self, kind: &'static str, what: &str) {
        *self.counts().entry((kind, what.to_owned())).or_default() += 1;
    }

    pub(crate) fn of(&self, kind: &'static str, what: &str) -> usize {
        self.counts().get(&(kind, what.to_owned())).copied().unwrap_or(0)
    }

    pub(crate) fn print(&self) {
        let counts = self.counts();
        let mut last = "";
        for ((kind, what), count) in counts.iter() {
            if *kind != last {
                print!("{}{kind:18}", if last.is_empty() { "" } else { "\n" });
                last = kind;
            }
            print!(" {what} {count},");
        }
        println!();
    }

    /// Asserts that a run of `cases` programs was no idle one.
    pub(crate) fn assert_varied(&self, cases: usize) {
        for (kind, what) in INTERESTING {
            let seen = self.of(kind, what);
            assert!(seen * 1_000 >= cases, "{kind}: {what} only {seen} times in {cases} programs");
        }
    }
}
