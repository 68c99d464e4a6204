//! Which programs of several sessions are tried: few keys and few values, so that sessions meet.
//!
//! A statement is read from a few small numbers, and proptest draws and shrinks only these. The
//! smaller a number, the more to the front of a choice, so the front is where failures shrink to.

use std::fmt;

use proptest::array::{uniform6, uniform14};
use proptest::collection::vec;
use proptest::prelude::*;
use toctou::db::{
    Column, Comparison, Delete, Insert, Isolation, OnConflict, Returning, Row, Select, Statement,
    Table, Update, Value, row,
};

/// A unique column, and it is the first one.
pub(crate) static ACCOUNT: Table = Table {
    name: "account",
    columns: &[Column::int("id"), Column::int("balance")],
    unique: Some("id"),
};
/// A unique column that is a text and not the first one, so that rows come in another order than keys.
pub(crate) static TOKEN: Table = Table {
    name: "token",
    columns: &[Column::int("uses"), Column::text("code"), Column::int("owner")],
    unique: Some("code"),
};
/// No unique column. (Most rows that a program inserts have an `id` of their own all the same, so that an
/// `UPDATE` by it has one row to meet.)
pub(crate) static ENTRY: Table = Table {
    name: "entry",
    columns: &[Column::int("id"), Column::int("amount"), Column::text("kind")],
    unique: None,
};
/// All of them.
pub(crate) static TABLES: [&Table; 3] = [&ACCOUNT, &TOKEN, &ENTRY];

/// At which levels the transactions of a program run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Levels {
    /// READ COMMITTED, REPEATABLE READ, and statements by themselves: where the simulation is exact.
    Exact,
    /// SERIALIZABLE, and nothing outside of a transaction.
    Serializable,
    /// As `Serializable`, with REPEATABLE READ put in its place.
    Snapshot,
    /// Any of the three, and statements by themselves.
    Mixed,
}

/// How much the sessions of a program come into each other's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowd {
    /// Two or three sessions, all tables, all kinds of statements.
    Loose,
    /// Three or four sessions and one row or two that nearly everything is about, more of which is locked,
    /// removed and rolled back; and now and then a session hangs up.
    Dense,
}

impl Crowd {
    /// How often a statement has a second condition, of a hundred: a crowd is about rows that fit.
    fn conditions(self, loose: usize) -> usize {
        match self {
            Crowd::Loose => loose,
            Crowd::Dense => 10,
        }
    }

    /// How often a statement that changes rows does not name their key, of a hundred.
    fn unkeyed(self) -> usize {
        match self {
            Crowd::Loose => 30,
            Crowd::Dense => 10,
        }
    }
}

/// Which programs are tried.
pub(crate) type Profile = (Levels, Crowd);

/// How many sessions a program has at most.
pub(crate) const MOST_SESSIONS: usize = 4;

/// Who is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// This session: with its next statement, or by asking again after the one that waits.
    Acts(usize),
    /// This session hangs up, whatever it is doing.
    HangsUp(usize),
}

/// What several sessions ask, and who acts when.
#[derive(Clone)]
pub(crate) struct Program {
    /// What is in each table at first.
    pub(crate) rows: Vec<(&'static Table, Vec<Row>)>,
    /// The statements of each session.
    pub(crate) sessions: Vec<Vec<Statement>>,
    pub(crate) schedule: Vec<Turn>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, rows) in self.rows.iter().filter(|(_, rows)| !rows.is_empty()) {
            writeln!(f, "  {}: {rows:?}", table.name)?;
        }
        for (who, statements) in self.sessions.iter().enumerate() {
            writeln!(f, "  session {who}:")?;
            for statement in statements {
                writeln!(f, "    {statement};")?;
            }
        }
        let schedule = self.schedule.iter().map(|turn| match turn {
            Turn::Acts(who) => who.to_string(),
            Turn::HangsUp(who) => format!("{who} hangs up"),
        });
        writeln!(f, "  schedule: [{}]", schedule.collect::<Vec<_>>().join(", "))
    }
}

/// What a statement is read from.
type Numbers = [u16; 14];

/// Programs of two to four sessions.
pub(crate) fn program((levels, crowd): Profile) -> impl Strategy<Value = Program> {
    let session = || vec(uniform14(any::<u16>()), 2..=8);
    let sessions = (session(), session(), session(), session());
    let longest = if crowd == Crowd::Dense { 60 } else { 40 };
    let schedule = vec(any::<u16>(), 6..=longest);
    (uniform6(any::<u16>()), sessions, schedule).prop_map(
        move |(first, (one, two, three, four), schedule)| {
            let mut choices = Choices { numbers: first.iter(), crowd };
            let least = if crowd == Crowd::Dense { MOST_SESSIONS - 1 } else { 2 };
            let count = if choices.chance(60) { least + 1 } else { least };
            let sessions = [one, two, three, four].into_iter().take(count).enumerate();
            Program {
                rows: rows(&mut choices),
                sessions: sessions
                    .map(|(who, numbers)| session_of((levels, crowd), who, &numbers))
                    .collect(),
                schedule: schedule.iter().map(|number| turn(*number, count, crowd)).collect(),
            }
        },
    )
}

/// One of so many sessions is next.
fn turn(number: u16, count: usize, crowd: Crowd) -> Turn {
    let who = (usize::from(number) * count) >> 16;
    // By what the choice of a session leaves of the number.
    if crowd == Crowd::Dense && number % 20 == 19 { Turn::HangsUp(who) } else { Turn::Acts(who) }
}

fn rows(choices: &mut Choices<'_>) -> Vec<(&'static Table, Vec<Row>)> {
    let accounts = choices.weighed(&[(1, 0), (2, 1), (5, 2), (2, 3)]);
    let accounts = (1..=accounts).map(|id| row([id.into(), (id % 2 + 1).into()]));
    let tokens = choices.weighed(&[(1, 0), (2, 1), (3, 2)]);
    let tokens = CODES[..tokens].iter().zip([2, 1]);
    let tokens = tokens.map(|(code, uses)| row([uses.into(), (*code).into(), 1.into()]));
    let entries = choices.weighed(&[(1, 0), (2, 1), (3, 2)]);
    let are_equal = choices.chance(25);
    let entries = (1..=entries).map(|id| if are_equal { 1 } else { id });
    let entries = entries.map(|id| row([id.into(), 1.into(), "x".into()]));
    let mut rows: Vec<(&'static Table, Vec<Row>)> = vec![
        (&ACCOUNT, accounts.collect()),
        (&TOKEN, tokens.collect()),
        (&ENTRY, entries.collect()),
    ];
    // Rows stand on the server's disk in the order in which they are put in.
    if choices.chance(50) {
        rows.iter_mut().for_each(|(_, rows)| rows.reverse());
    }
    rows
}

/// The statements of a session.
fn session_of((levels, crowd): Profile, who: usize, numbers: &[Numbers]) -> Vec<Statement> {
    let mut statements = Vec::with_capacity(numbers.len() + 4);
    let mut is_open = false;
    let mut entries = 10 * (who as i64 + 1)..;
    for numbers in numbers {
        let mut choices = Choices { numbers: numbers.iter(), crowd };
        let (percent, commits, rollbacks) = match crowd {
            Crowd::Loose => (18, 7, 2),
            Crowd::Dense => (25, 5, 4),
        };
        if is_open && choices.chance(percent) {
            let ends = [(commits, Statement::Commit), (rollbacks, Statement::Rollback)];
            statements.push(choices.weighed(&ends));
            is_open = false;
            continue;
        }
        if !is_open && (levels.is_pure() || choices.chance(70)) {
            statements.push(Statement::Begin(choices.level(levels)));
            is_open = true;
        } else if choices.chance(1) {
            statements.push(choices.misplaced(is_open));
        }
        statements.push(choices.statement(levels, &mut entries));
    }
    if is_open {
        statements.push(Statement::Commit);
    }
    statements
}

impl Levels {
    /// Whether all is done in transactions of one level.
    fn is_pure(self) -> bool {
        matches!(self, Levels::Serializable | Levels::Snapshot)
    }
}

/// What can be a key of `token`.
const CODES: [&str; 3] = ["a", "b", "c"];
const COMPARISONS: [Comparison; 4] =
    [Comparison::Equal, Comparison::NotEqual, Comparison::AtLeast, Comparison::AtMost];

/// Numbers, read one after the other; 0 where there are no more.
pub(crate) struct Choices<'n> {
    numbers: std::slice::Iter<'n, u16>,
    crowd: Crowd,
}

impl<'n> Choices<'n> {
    pub(crate) fn new(numbers: &'n [u16], crowd: Crowd) -> Self {
        Choices { numbers: numbers.iter(), crowd }
    }
}

impl Choices<'_> {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let number = self.numbers.next().copied().unwrap_or(0);
        (usize::from(number) * bound) >> 16
    }

    /// False if the number is 0.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    pub(crate) fn of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }

    pub(crate) fn weighed<T: Clone>(&mut self, values: &[(usize, T)]) -> T {
        let mut rest = self.below(values.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in values {
            if rest < *weight {
                return value.clone();
            }
            rest -= weight;
        }
        values[0].1.clone()
    }

    pub(crate) fn level(&mut self, levels: Levels) -> Isolation {
        match levels {
            Levels::Exact => self.of(&[Isolation::ReadCommitted, Isolation::RepeatableRead]),
            Levels::Serializable => Isolation::Serializable,
            Levels::Snapshot => Isolation::RepeatableRead,
            Levels::Mixed => self.of(&Isolation::ALL),
        }
    }

    /// A `BEGIN` inside of a transaction, or an end outside of one.
    fn misplaced(&mut self, is_open: bool) -> Statement {
        if is_open {
            Statement::Begin(Isolation::ReadCommitted)
        } else {
            self.of(&[Statement::Commit, Statement::Rollback])
        }
    }

    fn table(&mut self) -> &'static Table {
        match self.crowd {
            Crowd::Loose => self.weighed(&[(9, &ACCOUNT), (3, &TOKEN), (2, &ENTRY)]),
            Crowd::Dense => self.weighed(&[(15, &ACCOUNT), (1, &TOKEN)]),
        }
    }

    /// A value of a column, mostly one that some row has.
    fn value(&mut self, table: &Table, column: &str) -> Value {
        match column {
            "code" => self.weighed(&[(4, CODES[0]), (4, CODES[1]), (4, CODES[2]), (1, "B")]).into(),
            "kind" => self.weighed(&[(5, "x"), (5, "y"), (1, ""), (1, "X"), (1, "é")]).into(),
            "id" if table.unique.is_none() => {
                self.weighed(&[(4, 1_i64), (4, 2), (1, 10), (1, 20), (1, 30)]).into()
            }
            "id" if self.crowd == Crowd::Dense => self.weighed(&[(16, 1_i64), (4, 2)]).into(),
            "id" => self.weighed(&[(6, 1_i64), (6, 2), (1, 3)]).into(),
            _ => self
                .weighed(&[(12, 1_i64), (12, 2), (3, 0), (3, 3), (1, i64::MIN), (1, i64::MAX)])
                .into(),
        }
    }

    /// Whether a statement that changes rows finds them by their key. Else several may fit.
    fn is_keyed(&mut self) -> bool {
        !self.chance(self.crowd.unkeyed())
    }

    /// The column by which one row is found.
    fn key(&mut self, table: &'static Table) -> (&'static str, Value) {
        let key = table.unique.unwrap_or("id");
        (key, self.value(table, key))
    }

    fn condition(&mut self, table: &'static Table) -> (&'static str, Comparison, Value) {
        let column = self.of(table.columns).name;
        let comparison = self.of(&COMPARISONS);
        (column, comparison, self.value(table, column))
    }

    fn statement(&mut self, levels: Levels, entries: &mut impl Iterator<Item = i64>) -> Statement {
        let table = self.table();
        // Of 24: reads, inserts and updates; what is left is deletes.
        let (select, insert, update) = match self.crowd {
            Crowd::Loose => (8, 6, 8),
            Crowd::Dense => (7, 6, 8),
        };
        let kind = self.below(24);
        if kind < select {
            self.select(table, levels)
        } else if kind < select + insert {
            self.insert(table, entries)
        } else if kind < select + insert + update {
            self.update(table)
        } else if levels == Levels::Exact {
            self.delete(table)
        } else {
            // Which keys that were freed can be taken again at SERIALIZABLE, PostgreSQL decides by what
            // its scans have happened to lock.
            self.delete(&ENTRY)
        }
    }

    fn select(&mut self, table: &'static Table, levels: Levels) -> Statement {
        let kind = self.below(8);
        let mut select = match kind {
            0 => Select::exists(table),
            1 => Select::sum(table, if table == &TOKEN { "uses" } else { table.columns[1].name }),
            2 => {
                let [first, second] = [0, 1].map(|index: usize| table.columns[index].name);
                Select::columns(table, &[second, first, second])
            }
            _ => {
                let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
                Select::columns(table, &columns)
            }
        };
        // Those from here on answer columns.
        let locks_from = if self.crowd == Crowd::Dense { 3 } else { 5 };
        if kind >= locks_from {
            select = select.for_update();
        }
        // At SERIALIZABLE PostgreSQL reads for an `EXISTS` only up to the first row that it comes across.
        let is_one = kind == 0 && levels != Levels::Exact;
        let is_keyed = if self.crowd == Crowd::Dense { 80 } else { 50 };
        if is_one || self.chance(is_keyed) {
            let (key, value) = self.key(table);
            select = select.filter(key, value);
        }
        if self.chance(self.crowd.conditions(40)) {
            let (column, comparison, value) = self.condition(table);
            select = select.condition(column, comparison, value);
        }
        select.into()
    }

    fn insert(
        &mut self,
        table: &'static Table,
        entries: &mut impl Iterator<Item = i64>,
    ) -> Statement {
        let on_conflict = if table.unique.is_none() {
            OnConflict::Fail
        } else {
            match self.below(6) {
                0 | 1 => OnConflict::Fail,
                2 | 3 => OnConflict::DoNothing,
                4 if table == &ACCOUNT && self.crowd == Crowd::Dense => {
                    OnConflict::DoUpdate(vec!["id", "balance"])
                }
                _ if table == &ACCOUNT => OnConflict::DoUpdate(vec!["balance"]),
                4 => OnConflict::DoUpdate(vec!["uses", "owner"]),
                _ => OnConflict::DoUpdate(vec!["owner"]),
            }
        };
        let returning = match self.below(4) {
            0 | 1 => Returning::Count,
            2 => Returning::Columns(vec![table.columns[1].name, table.columns[0].name]),
            _ => Returning::Inserted,
        };
        let values: Row = table
            .columns
            .iter()
            .map(|column| match (table.unique, column.name) {
                (None, "id") if !self.chance(10) => entries.next().unwrap_or(0).into(),
                _ => self.value(table, column.name),
            })
            .collect();
        Insert::new(table, values).on_conflict(on_conflict).returning(returning).into()
    }

    fn update(&mut self, table: &'static Table) -> Statement {
        let (key, value) = self.key(table);
        let mut update = Update::new(table);
        if self.is_keyed() {
            update = update.filter(key, value);
        }
        let number = if table == &TOKEN { "uses" } else { table.columns[1].name };
        update = match self.below(16) {
            0..=4 => update.add(number, 1),
            5..=7 => update.add(number, -1),
            8 => update.add(number, 0),
            9..=12 => {
                let value = self.value(table, number);
                update.set(number, value)
            }
            15 => {
                let amount = self.of(&[i64::MAX, -i64::MAX, i64::MIN]);
                update.add(number, amount)
            }
            _ => match table.columns.iter().find(|other| ![key, number].contains(&other.name)) {
                Some(column) => {
                    let value = self.value(table, column.name);
                    update.add(number, 1).set(column.name, value)
                }
                None => update.add(number, 2),
            },
        };
        if self.chance(self.crowd.conditions(40)) {
            let (column, comparison, value) = self.condition(table);
            update = update.condition(column, comparison, value);
        }
        update.into()
    }

    fn delete(&mut self, table: &'static Table) -> Statement {
        let (key, value) = self.key(table);
        let mut delete = Delete::new(table);
        if self.is_keyed() {
            delete = delete.filter(key, value);
        }
        if self.chance(self.crowd.conditions(30)) {
            let (column, comparison, value) = self.condition(table);
            delete = delete.condition(column, comparison, value);
        }
        delete.into()
    }
}
