//! Statements as text: random ones of the wider language, played in both worlds as the others are.

use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use toctou::db::{
    Column, Database, Kind, Reply, Row, SimDb, SimSession, SqlError, Statement, Table, Value, row,
};

use super::drive::{Orders, Run, World};
use super::generate::{Choices, Crowd, Levels, Program, Turn};
use super::keys;

/// What the definitions below say, as far as a [`Table`] can.
pub(crate) static ITEM: Table = Table {
    name: "item",
    columns: &[
        Column::int("id"),
        Column { name: "n", kind: Kind::Integer, nullable: true },
        Column::text("word").nullable(),
        Column::bool("done"),
    ],
    unique: Some("id"),
};
/// No unique column.
pub(crate) static LOG: Table = Table {
    name: "log",
    columns: &[Column::int("item"), Column::int("n").nullable()],
    unique: None,
};

/// The tables as text.
pub(crate) const SETUP: [&str; 2] = [
    "CREATE TABLE item (id BIGINT PRIMARY KEY, n INTEGER, word TEXT, done BOOLEAN NOT NULL DEFAULT false, \
     CHECK (n IS DISTINCT FROM 9))",
    "CREATE TABLE log (item INT8 NOT NULL, n BIGINT DEFAULT 5)",
];

/// A simulated database with these rows in the tables that were made by text; none where there is another
/// table.
pub(crate) fn simulated(rows: &[(&'static Table, Vec<Row>)]) -> Option<SimDb> {
    static EMPTY: OnceLock<[SimDb; 2]> = OnceLock::new();
    let [items, seats] = EMPTY.get_or_init(|| {
        [SETUP, keys::SETUP].map(|it| SimDb::new().with_setup(&it.join(";")).expect("its text"))
    });
    let has = |table: &Table| rows.iter().any(|(other, _)| *other == table);
    let empty = if has(&ITEM) { Some(items) } else { has(&keys::SEAT).then_some(seats) };
    empty.map(|empty| filled(empty.clone(), rows).expect("they fit"))
}

/// The same database, with these rows.
pub(crate) fn filled(
    mut db: SimDb,
    rows: &[(&'static Table, Vec<Row>)],
) -> Result<SimDb, SqlError> {
    for (table, rows) in rows {
        for row in rows {
            let places: Vec<_> = (1..=row.len()).map(|number| format!("${number}")).collect();
            let text = format!("INSERT INTO {} VALUES ({})", table.name, places.join(", "));
            let insert = Statement::sql(&text, row.iter().cloned());
            match db.execute(&mut SimSession::new(), &insert) {
                Reply::Answer(answer) => drop(answer?),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
    Ok(db)
}

/// Programs of two or three sessions that speak in text.
pub(crate) fn program(levels: Levels) -> impl Strategy<Value = Program> {
    program_of(levels, rows, |choices, parameters| {
        let mut writing = Writing { choices, parameters };
        writing.statement()
    })
}

/// Programs of these rows and these statements, with their parameters.
pub(crate) fn program_of(
    levels: Levels,
    rows: impl Fn(&mut Choices<'_>) -> Vec<(&'static Table, Vec<Row>)>,
    statement: impl Fn(&mut Choices<'_>, &mut Vec<Value>) -> String,
) -> impl Strategy<Value = Program> {
    let write = statement;
    let statement = || vec(any::<u16>(), 40..=40);
    let session = || vec(statement(), 2..=6);
    let schedule = vec(any::<u16>(), 6..=30);
    (vec(any::<u16>(), 20..=20), [session(), session(), session()], schedule).prop_map(
        move |(first, sessions, schedule)| {
            let mut choices = Choices::new(&first, Crowd::Loose);
            let count = if choices.chance(40) { 3 } else { 2 };
            let sessions = sessions.iter().take(count);
            Program {
                rows: rows(&mut choices),
                sessions: sessions.map(|numbers| session_of(levels, numbers, &write)).collect(),
                schedule: schedule
                    .iter()
                    .map(|number| Turn::Acts((usize::from(*number) * count) >> 16))
                    .collect(),
            }
        },
    )
}

fn rows(choices: &mut Choices<'_>) -> Vec<(&'static Table, Vec<Row>)> {
    let items = choices.weighed(&[(1, 0), (2, 1), (4, 2), (2, 3)]);
    let items: Vec<Row> = (1..=items)
        .map(|id| {
            let n = choices.of(&[Value::Null, 1.into(), 2.into(), 0.into()]);
            let word = choices.of(&[Value::Null, "x".into(), "y".into()]);
            row([id.into(), n, word, choices.chance(40).into()])
        })
        .collect();
    let logs = choices.below(3);
    let logs =
        (0..logs).map(|_| row([choices.of(&[1, 2]).into(), choices.of(&[Value::Null, 1.into()])]));
    let logs = logs.collect();
    vec![(&ITEM, items), (&LOG, logs)]
}

fn session_of(
    levels: Levels,
    numbers: &[Vec<u16>],
    write: impl Fn(&mut Choices<'_>, &mut Vec<Value>) -> String,
) -> Vec<Statement> {
    let mut statements = Vec::with_capacity(numbers.len() + 4);
    let mut is_open = false;
    for numbers in numbers {
        let mut choices = Choices::new(numbers, Crowd::Loose);
        if is_open && choices.chance(18) {
            statements.push(choices.weighed(&[(7, Statement::Commit), (2, Statement::Rollback)]));
            is_open = false;
            continue;
        }
        if !is_open && (levels != Levels::Exact || choices.chance(70)) {
            let level = choices.level(levels);
            statements.push(Statement::sql(&format!("BEGIN ISOLATION LEVEL {}", level.sql()), []));
            is_open = true;
        }
        let mut parameters = Vec::new();
        let text = write(&mut choices, &mut parameters);
        let (text, parameters) = numbered(&text, &parameters);
        statements.push(Statement::sql(&text, parameters));
    }
    if is_open {
        statements.push(Statement::Commit);
    }
    statements
}

/// The same text with the parameters that are in it, by the numbers that they have then.
fn numbered(text: &str, all: &[Value]) -> (String, Vec<Value>) {
    let mut parts = text.split('$');
    let mut numbered = parts.next().unwrap_or("").to_owned();
    let mut parameters = Vec::new();
    for part in parts {
        let rest = part.trim_start_matches(|it: char| it.is_ascii_digit());
        let number: usize = part[..part.len() - rest.len()].parse().expect("a number behind $");
        parameters.push(all[number - 1].clone());
        numbered.push_str(&format!("${}{rest}", parameters.len()));
    }
    (numbered, parameters)
}

/// Writes one statement.
struct Writing<'w, 'n> {
    choices: &'w mut Choices<'n>,
    parameters: &'w mut Vec<Value>,
}

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// A row of `item`.
    Item,
    /// A row of `log`.
    Log,
    /// No row.
    Nothing,
}

impl Writing<'_, '_> {
    fn parameter(&mut self, value: impl Into<Value>) -> String {
        self.parameters.push(value.into());
        format!("${}", self.parameters.len())
    }

    fn literal(&mut self) -> String {
        self.choices.weighed(&[(6, "1"), (6, "2"), (2, "0"), (2, "3"), (1, "-1")]).to_owned()
    }

    /// A number, which is never the word `NULL` alone.
    fn number(&mut self, of: Of, depth: usize) -> String {
        if depth == 0 || self.choices.chance(35) {
            return match (of, self.choices.below(8)) {
                (Of::Item, 0..=2) => "n".to_owned(),
                (Of::Item, 3) => "id".to_owned(),
                (Of::Log, 0..=1) => "n".to_owned(),
                (Of::Log, 2..=3) => "item".to_owned(),
                (_, 4) if of != Of::Nothing => {
                    let value = self.choices.of(&[1_i64, 2, 3]);
                    let parameter = self.parameter(value);
                    format!("({} + {parameter})", if of == Of::Item { "id" } else { "item" })
                }
                _ => self.literal(),
            };
        }
        let one = self.number(of, depth - 1);
        match self.choices.below(12) {
            0 | 1 => format!("({one} + {})", self.number(of, depth - 1)),
            2 => format!("({one} - {})", self.number(of, depth - 1)),
            3 => format!("({one} * {})", self.number(of, depth - 1)),
            4 => format!("({one} / {})", self.choices.of(&[1, 2, 3])),
            5 => format!("({one} % {})", self.choices.of(&[1, 2, 3])),
            6 => format!("- {one}"),
            7 => {
                let when = self.truth(of, depth - 1);
                let other = self.choices.of(&["NULL", "1", "2"]);
                format!("CASE WHEN {when} THEN {one} ELSE {other} END")
            }
            8 => format!("COALESCE({one}, {})", self.number(of, depth - 1)),
            9 => format!("CAST({one} AS BIGINT)"),
            10 => {
                let filter = self.truth(Of::Log, 0);
                format!("(SELECT count(*) FROM log WHERE {filter})")
            }
            _ => {
                let id = self.literal();
                format!("(SELECT n FROM item WHERE id = {id})")
            }
        }
    }

    fn truth(&mut self, of: Of, depth: usize) -> String {
        if depth > 0 && self.choices.chance(40) {
            let one = self.truth(of, depth - 1);
            return match self.choices.below(4) {
                0 | 1 => format!("({one} AND {})", self.truth(of, depth - 1)),
                2 => format!("({one} OR {})", self.truth(of, depth - 1)),
                _ => format!("NOT ({one})"),
            };
        }
        let number = self.number(of, depth.min(1));
        match (of, self.choices.below(14)) {
            (Of::Item, 0..=3) => {
                let id = self.choices.weighed(&[(5, "1"), (5, "2"), (1, "3")]);
                format!("id = {id}")
            }
            (Of::Log, 0..=1) => format!("item = {}", self.literal()),
            (Of::Item, 4) => self
                .choices
                .of(&["done", "NOT done", "done IS NOT TRUE", "done IS FALSE"])
                .to_owned(),
            (Of::Item, 5) => match self.choices.below(5) {
                0 => format!("word = {}", self.parameter("x")),
                1 => "word || 'y' = 'xy'".to_owned(),
                2 => "word IN ('x', 'z')".to_owned(),
                3 => "word >= 'y'".to_owned(),
                _ => "word IS NULL".to_owned(),
            },
            (_, 6) => format!("{number} IS NULL"),
            (_, 7) => format!("{number} IN (1, {}, NULL)", self.literal()),
            (_, 8) => format!("{number} NOT IN (0, {})", self.literal()),
            (_, 9) => format!("{number} BETWEEN {} AND 2", self.literal()),
            (_, 10) => format!("{number} IS DISTINCT FROM {}", self.literal()),
            (_, 11) if depth > 0 => {
                let filter = self.truth(Of::Item, 0);
                let not = self.choices.of(&["", "NOT "]);
                format!("{not}EXISTS (SELECT 1 FROM item WHERE {filter})")
            }
            (_, 12) => format!("{number} = NULL"),
            _ => {
                let operator = self.choices.of(&["=", "<>", "<", "<=", ">", ">="]);
                format!("{number} {operator} {}", self.number(of, depth.min(1)))
            }
        }
    }

    fn filter(&mut self, of: Of) -> String {
        if self.choices.chance(85) {
            format!(" WHERE {}", self.truth(of, 2))
        } else {
            String::new()
        }
    }

    fn statement(&mut self) -> String {
        match self.choices.below(24) {
            0..=7 => self.select(),
            8..=13 => self.insert(),
            14..=20 => self.update(),
            _ => self.delete(),
        }
    }

    fn select(&mut self) -> String {
        match self.choices.below(10) {
            0 => {
                let filter = self.filter(Of::Item);
                format!(
                    "SELECT count(*), count(n), sum(n), min(id), max(word) AS most FROM item{filter}"
                )
            }
            1 => {
                let filter = self.filter(Of::Item);
                let having =
                    self.choices.of(&["", " HAVING count(*) > 1", " HAVING sum(n) IS NOT NULL"]);
                format!(
                    "SELECT word, count(*), CAST(sum(id) AS BIGINT) AS all_ids FROM item{filter} GROUP BY word{having} \
                     ORDER BY word DESC"
                )
            }
            2 => {
                let filter = self.choices.of(&[
                    "i.id = 1",
                    "i.done",
                    "i.n = l.n",
                    "l.n IS NULL OR word = 'x'",
                ]);
                format!(
                    "SELECT i.id, l.n FROM item AS i JOIN log AS l ON l.item = i.id WHERE {filter} \
                     ORDER BY 1, l.n NULLS FIRST"
                )
            }
            3 => {
                let asked = self.number(Of::Nothing, 2);
                let exists = self.truth(Of::Item, 1);
                format!("SELECT {asked}, EXISTS (SELECT 1 FROM item WHERE {exists})")
            }
            kind => {
                let items = match self.choices.below(3) {
                    0 => "*".to_owned(),
                    1 => format!("id, {} AS it", self.number(Of::Item, 2)),
                    _ => "n, word, id".to_owned(),
                };
                let filter = self.filter(Of::Item);
                // A snapshot may show two rows of one `id`: its own, and one that others have removed.
                let order = self.choices.of(&["id", "id DESC", "n, id"]);
                let limit = self.choices.of(&["", "", " LIMIT 1", " LIMIT 2"]);
                let lock = match kind {
                    4 | 5 => "",
                    6 | 7 => " FOR UPDATE",
                    8 => " FOR UPDATE NOWAIT",
                    _ => " FOR UPDATE SKIP LOCKED",
                };
                format!(
                    "SELECT {items} FROM item{filter} ORDER BY {order}, n, word, done{limit}{lock}"
                )
            }
        }
    }

    fn insert(&mut self) -> String {
        let id =
            |writing: &mut Self| writing.choices.weighed(&[(4, "1"), (4, "2"), (3, "3"), (1, "4")]);
        match self.choices.below(10) {
            0 => {
                let filter = self.filter(Of::Item);
                format!("INSERT INTO log SELECT id, n FROM item{filter} ORDER BY id, n")
            }
            1 => "INSERT INTO log VALUES (1, DEFAULT), (2, NULL)".to_owned(),
            2 => {
                let (n, filter) = (self.number(Of::Nothing, 1), self.truth(Of::Item, 1));
                format!(
                    "INSERT INTO item (id, n) SELECT {}, 7 + {n} WHERE NOT EXISTS (SELECT 1 FROM item \
                     WHERE {filter})",
                    id(self),
                )
            }
            kind => {
                let mut rows = Vec::new();
                for _ in 0..self.choices.weighed(&[(4, 1), (3, 2)]) {
                    let n = self.number(Of::Nothing, 1);
                    let word = self.choices.of(&["'x'", "'y'", "NULL", "DEFAULT"]);
                    rows.push(format!("({}, {n}, {word})", id(self)));
                }
                let rows = rows.join(", ");
                let conflict = match kind {
                    3 | 4 => String::new(),
                    5 => " ON CONFLICT DO NOTHING".to_owned(),
                    6 => " ON CONFLICT (id) DO NOTHING".to_owned(),
                    7 => {
                        let filter = self.choices.of(&["item.n < 3", "EXCLUDED.n IS NOT NULL", "NOT item.done"]);
                        format!(" ON CONFLICT (id) DO UPDATE SET n = item.n + EXCLUDED.n WHERE {filter}")
                    }
                    _ => " ON CONFLICT (id) DO UPDATE SET n = COALESCE(item.n, 0) + 1, word = EXCLUDED.word || 'y'"
                        .to_owned(),
                };
                let returning =
                    self.choices.of(&["", "", " RETURNING *", " RETURNING id, n + 1, (xmax = 0)"]);
                format!("INSERT INTO item (id, n, word) VALUES {rows}{conflict}{returning}")
            }
        }
    }

    fn update(&mut self) -> String {
        if self.choices.chance(15) {
            let (n, filter) = (self.number(Of::Log, 2), self.filter(Of::Log));
            return format!("UPDATE log SET n = {n}{filter}");
        }
        let set = match self.choices.below(8) {
            0 | 1 => "n = n + 1".to_owned(),
            2 => "n = n * 2147483647 * 2".to_owned(),
            3 => format!("done = {}", self.truth(Of::Item, 1)),
            4 => "done = NULL".to_owned(),
            5 => format!("word = CASE n WHEN 1 THEN {} ELSE word END, n = 9", self.parameter("z")),
            6 => format!("n = id / n, word = {}", self.choices.of(&["NULL", "DEFAULT", "'x'"])),
            _ => format!("n = {}", self.number(Of::Item, 2)),
        };
        let filter = self.filter(Of::Item);
        let returning = self.choices.of(&["", "", "", " RETURNING id, n, done"]);
        format!("UPDATE item SET {set}{filter}{returning}")
    }

    fn delete(&mut self) -> String {
        if self.choices.chance(25) {
            return format!("DELETE FROM log{}", self.filter(Of::Log));
        }
        let filter = self.filter(Of::Item);
        let returning = self.choices.of(&["", "", " RETURNING id, word"]);
        format!("DELETE FROM item{filter}{returning}")
    }
}

/// A world that takes some words for others.
#[derive(Clone, PartialEq)]
pub(crate) struct Misreading {
    run: Run,
    words: (&'static str, &'static str),
}

/// What such worlds take for what.
pub(crate) const MISREADINGS: [(&str, &str); 16] = [
    ("IS DISTINCT FROM", "<>"),
    (" NULLS FIRST", " NULLS LAST"),
    (" SKIP LOCKED", ""),
    (" NOWAIT", ""),
    ("NOT EXISTS", "EXISTS"),
    (" / ", " * "),
    ("EXCLUDED.word", "item.word"),
    ("DEFAULT", "NULL"),
    (" BETWEEN ", " NOT BETWEEN "),
    ("count(n)", "count(*)"),
    (" OR ", " AND "),
    ("COALESCE(item.n, 0)", "item.n"),
    ("(xmax = 0)", "true"),
    (" HAVING count(*) > 1", ""),
    ("NOT IN (0, ", "NOT IN (NULL, "),
    (" LIMIT 1", " LIMIT 2"),
];

impl Misreading {
    pub(crate) fn new(words: (&'static str, &'static str), run: Run) -> Self {
        Misreading { run, words }
    }

    fn misread(&self, statement: &Statement) -> Statement {
        let (from, to) = self.words;
        match statement {
            Statement::Text(text) if text.text().contains(from) => {
                let parameters = text.parameters().iter().cloned();
                Statement::sql(&text.text().replace(from, to), parameters)
            }
            other => other.clone(),
        }
    }
}

impl World for Misreading {
    fn execute(&mut self, who: usize, statement: &Statement) -> Reply {
        let misread = self.misread(statement);
        self.run.execute(who, &misread)
    }

    fn orders(&mut self) -> Option<&mut Orders> {
        self.run.orders()
    }

    fn waits_for(&mut self, who: usize) -> Vec<usize> {
        self.run.waits_for(who)
    }

    fn hang_up(&mut self, who: usize) {
        self.run.hang_up(who);
    }

    fn rows(&mut self, table: &'static Table) -> Vec<Row> {
        self.run.rows(table)
    }
}
