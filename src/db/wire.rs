//! First floor, `db`: PostgreSQL's wire protocol (version 3), the server's side of it. Imports its neighbours in
//! `db`.
//!
//! A [`Conversation`] is with one client. It gets the client's bytes, has each statement performed, and says
//! what to send back. What a statement answers, and of which types that is, comes from the tables of a simulated
//! database; who performs it may be any database.
//!
//! The source modelled is the chapter
//! [Frontend/Backend Protocol](https://www.postgresql.org/docs/15/protocol.html) of PostgreSQL's manual.

mod messages;
mod settings;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use messages::{Asked, Body, Inbox, Message, Outbox, Status};
use settings::Setting;
use values::Format;

use super::sim::{Described, Says};
use super::{Answer, Isolation, Row, SimDb, SqlError, SqlState, Statement, Value};

/// A statement, or a message, that is not simulated; or a client that does not speak the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

/// Who performs a statement.
pub(crate) type Perform<'a> = &'a mut dyn FnMut(&Statement) -> Result<Answer, SqlError>;

/// What is said with one client so far.
#[derive(Debug)]
pub(crate) struct Conversation {
    inbox: Inbox,
    outbox: Outbox,
    prepared: BTreeMap<String, Arc<Prepared>>,
    portals: BTreeMap<String, Portal>,
    status: Status,
    /// The transaction is one of several statements that the client sent at once.
    is_implicit: bool,
    /// How many statements about rows were executed since the last `Sync`.
    since_sync: usize,
    /// The same since the transaction began.
    since_begin: usize,
    /// A message of the extended protocol failed: all is skipped up to the next `Sync`.
    skips: bool,
    /// Of a transaction that does not name its level.
    level: Isolation,
    /// Of the transaction that is under way.
    of_this: Isolation,
    has_ended: bool,
    takes_session_locks: bool,
}

/// A statement that was parsed.
#[derive(Debug)]
struct Prepared {
    text: Arc<str>,
    does: Does,
    /// The types that the client declared for its parameters, by their numbers; 0 where it did not.
    declared: Vec<u32>,
}

/// What a statement is about.
#[derive(Debug)]
enum Does {
    /// Nothing: it is empty.
    Nothing,
    /// It begins or ends a transaction.
    Control(Statement),
    /// It begins a transaction of the level that the session has.
    Begins,
    Sets(Setting),
    /// It is about rows.
    Rows(Described),
}

/// A statement with the values of its parameters.
#[derive(Debug)]
struct Portal {
    of: Arc<Prepared>,
    parameters: Vec<Value>,
    formats: Vec<Format>,
    /// The rows that the client has not asked for yet, once it was executed.
    rest: Option<VecDeque<Row>>,
}

/// What a statement came to.
#[derive(Debug, Default)]
struct Came {
    rows: VecDeque<Row>,
    /// How many rows it touched, or how many it answers.
    count: u64,
    /// It was to commit, and its transaction had failed.
    was_rolled_back: bool,
}

impl Came {
    /// One row with one text.
    fn one(text: &str) -> Self {
        let row = Row::from([Value::from(text)]);
        Came { rows: VecDeque::from([row]), count: 1, ..Came::default() }
    }
}

/// Why a message is not answered as it asks.
enum Failed {
    /// It is answered with an error.
    Error(SqlError),
    Refused(Refused),
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Self {
        Failed::Error(error)
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Failed::Refused(refused)
    }
}

/// This is not simulated.
fn refused<T>(what: impl std::fmt::Display) -> Result<T, Failed> {
    Err(Failed::Refused(Refused(format!("{what} is not simulated"))))
}

impl Conversation {
    /// With a client that has just connected.
    pub(crate) fn new() -> Self {
        Conversation {
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            prepared: BTreeMap::new(),
            portals: BTreeMap::new(),
            status: Status::Idle,
            is_implicit: false,
            since_sync: 0,
            since_begin: 0,
            skips: false,
            level: Isolation::ReadCommitted,
            of_this: Isolation::ReadCommitted,
            has_ended: false,
            takes_session_locks: false,
        }
    }

    /// Takes what the client sent, and answers each message that is complete: [`take_answers`](Self::take_answers) has
    /// the answers. `perform` performs each statement about rows, and each that begins or ends a transaction.
    ///
    /// # Errors
    ///
    /// Where the client asks for something that is not simulated, or does not speak this protocol. The
    /// conversation cannot go on then.
    pub(crate) fn takes(
        &mut self,
        bytes: &[u8],
        tables: &SimDb,
        perform: Perform<'_>,
    ) -> Result<(), Refused> {
        self.inbox.takes(bytes);
        while let Some(message) = self.inbox.next().map_err(Refused)? {
            if self.has_ended {
                break;
            }
            self.answers(&message, tables, perform)?;
        }
        Ok(())
    }

    /// What is to be sent to the client, once.
    pub(crate) fn take_answers(&mut self) -> Vec<u8> {
        self.outbox.take()
    }

    /// Whether the client has said that this is the end.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether the session may hold a lock outside of a transaction.
    pub(crate) fn takes_session_locks(&self) -> bool {
        self.takes_session_locks
    }

    fn answers(
        &mut self,
        message: &Message,
        tables: &SimDb,
        perform: Perform<'_>,
    ) -> Result<(), Refused> {
        match message {
            Message::Begins { settings } => return self.begins(settings),
            Message::AsksForEncryption => self.outbox.no_encryption(),
            // There is nothing that it could stop: a statement is answered before anything else is read.
            Message::Cancels => self.has_ended = true,
            Message::Asked(Asked { letter: b'X', .. }) => self.has_ended = true,
            Message::Asked(asked) => {
                let came = match asked.letter {
                    b'S' => self.synchronizes(perform),
                    _ if self.skips => Ok(()),
                    b'Q' => self.query(asked, tables, perform),
                    _ => self.extended(asked, tables, perform),
                };
                match came {
                    Ok(()) => {}
                    Err(Failed::Refused(refused)) => return Err(refused),
                    Err(Failed::Error(error)) => {
                        self.fails(&error);
                        self.skips = asked.letter != b'S';
                    }
                }
            }
        }
        Ok(())
    }

    fn begins(&mut self, settings: &[(String, String)]) -> Result<(), Refused> {
        for (name, value) in settings {
            match name.as_str() {
                "user" | "database" | "application_name" => {}
                "options" if value.trim().is_empty() => {}
                "replication" | "options" => {
                    let said =
                        format!("the setting `{name}={value}` of a connection is not simulated");
                    return Err(Refused(said));
                }
                _ => match Setting::of(name, value) {
                    Ok(setting) => _ = self.sets(&setting),
                    Err(why) => return Err(Refused(format!("{why} is not simulated"))),
                },
            }
        }
        self.outbox.welcome();
        self.outbox.ready(self.status);
        Ok(())
    }

    fn fails(&mut self, error: &SqlError) {
        if self.status == Status::Within {
            self.status = Status::Failed;
        }
        self.outbox.error(error);
    }

    /// A text of any number of statements.
    fn query(&mut self, asked: &Asked, tables: &SimDb, perform: Perform<'_>) -> Result<(), Failed> {
        let text = asked.body().text().map_err(Refused)?;
        let came = self.all_of(&text, tables, perform);
        match came {
            Err(Failed::Error(error)) => {
                self.fails(&error);
                self.ends_implicit(perform, Statement::Rollback);
            }
            came => came?,
        }
        self.outbox.ready(self.status);
        Ok(())
    }

    fn all_of(&mut self, text: &str, tables: &SimDb, perform: Perform<'_>) -> Result<(), Failed> {
        let texts = super::sim::split(text)?;
        if texts.is_empty() {
            self.outbox.empty();
        }
        let mut left = texts.len();
        for text in texts {
            left -= 1;
            let prepared = self.prepares(text, tables, Vec::new())?;
            if let Does::Rows(described) = &prepared.does {
                if !described.parameters.is_empty() {
                    let said = format!("a parameter has no value here: {text}");
                    return Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, &said).into());
                }
                // All of one message are one transaction.
                if left > 0 {
                    self.begins_implicit(perform)?;
                }
                self.outbox.columns(described, &[]);
            }
            let came = self.performs(&prepared, &[], perform)?;
            if let Does::Sets(Setting::Shows(name, _) | Setting::Asks(name, _)) = &prepared.does {
                self.outbox.column(name);
            }
            self.sends(&prepared, &[], &came);
        }
        self.ends_implicit(perform, Statement::Commit);
        Ok(())
    }

    /// Begins a transaction for statements that come together, unless there is one.
    fn begins_implicit(&mut self, perform: Perform<'_>) -> Result<(), Failed> {
        if self.status == Status::Idle {
            perform(&Statement::Begin(self.level))?;
            self.status = Status::Within;
            self.is_implicit = true;
        }
        Ok(())
    }

    /// Ends it.
    fn ends_implicit(&mut self, perform: Perform<'_>, how: Statement) {
        if std::mem::take(&mut self.is_implicit) {
            let ended = perform(&how);
            self.status = Status::Idle;
            if let Err(error) = ended {
                self.fails(&error);
            }
        }
    }

    fn prepares(
        &self,
        text: &str,
        tables: &SimDb,
        declared: Vec<u32>,
    ) -> Result<Arc<Prepared>, Failed> {
        if let Some(asked) = Setting::asked(text) {
            return Ok(Arc::new(Prepared { text: text.into(), does: Does::Sets(asked), declared }));
        }
        let does = match tables.says(text) {
            Ok(Says::Nothing) => Does::Nothing,
            Ok(Says::Begins(None)) => Does::Begins,
            Ok(Says::Begins(Some(level))) => Does::Control(Statement::Begin(level)),
            Ok(Says::Ends(statement)) => Does::Control(statement),
            Ok(Says::Sets(statement)) => match Setting::said(&statement) {
                Ok(setting) => Does::Sets(setting),
                Err(why) => return Err(Refused(format!("{why} is not simulated: {text}")).into()),
            },
            Ok(Says::Rows(described)) => Does::Rows(described),
            // A program that goes on after such an answer does so for every client: nothing would be proved.
            Err(error) => return Err(Refused(error.words().to_owned()).into()),
        };
        Ok(Arc::new(Prepared { text: text.into(), does, declared }))
    }

    /// Performs it.
    fn performs(
        &mut self,
        prepared: &Prepared,
        parameters: &[Value],
        perform: Perform<'_>,
    ) -> Result<Came, Failed> {
        match &prepared.does {
            Does::Nothing => Ok(Came::default()),
            Does::Begins => self.controls(&Statement::Begin(self.level), perform),
            Does::Control(statement) => self.controls(statement, perform),
            Does::Sets(_) if self.status == Status::Failed => {
                Err(SqlState::IN_FAILED_TRANSACTION.in_postgresql().into())
            }
            Does::Sets(Setting::LevelOfThis(level)) => {
                if self.status == Status::Idle || self.is_implicit {
                    return refused("SET TRANSACTION outside of a transaction");
                }
                if self.since_begin > 0 {
                    return refused("SET TRANSACTION after the first statement of a transaction");
                }
                // It has done nothing yet, so nobody can tell it from one that has just begun.
                perform(&Statement::Rollback)?;
                perform(&Statement::Begin(*level))?;
                self.of_this = *level;
                Ok(Came::default())
            }
            Does::Sets(setting) => Ok(self.sets(setting)),
            Does::Rows(described) => {
                self.takes_session_locks |= described.takes_session_locks;
                let is_alone =
                    self.status == Status::Idle && self.level != Isolation::ReadCommitted;
                if is_alone {
                    self.begins_implicit(perform)?;
                }
                self.since_sync += 1;
                self.since_begin += 1;
                let statement = Statement::sql(&prepared.text, parameters.iter().cloned());
                let answer = perform(&statement)?;
                if is_alone {
                    self.is_implicit = false;
                    self.status = Status::Idle;
                    perform(&Statement::Commit)?;
                }
                Ok(match answer {
                    Answer::Rows(rows) => {
                        Came { count: rows.len() as u64, rows: rows.into(), ..Came::default() }
                    }
                    Answer::Count(count) => Came { count, ..Came::default() },
                    Answer::Begun | Answer::Committed | Answer::RolledBack => Came::default(),
                })
            }
        }
    }

    /// Begins or ends a transaction.
    fn controls(&mut self, statement: &Statement, perform: Perform<'_>) -> Result<Came, Failed> {
        let mut came = Came::default();
        match (statement, self.status) {
            (Statement::Begin(level), Status::Idle) => {
                perform(statement)?;
                self.of_this = *level;
                self.status = Status::Within;
                self.since_begin = 0;
            }
            (Statement::Begin(_), _) if self.is_implicit => {
                return refused("BEGIN after other statements of the same message");
            }
            (Statement::Begin(_), Status::Failed) => {
                return Err(SqlState::IN_FAILED_TRANSACTION.in_postgresql().into());
            }
            (Statement::Begin(_), Status::Within) => {
                let said = "there is already a transaction in progress";
                self.outbox.warns(SqlState::ACTIVE_TRANSACTION, said);
            }
            (_, Status::Idle) => {
                let said = "there is no transaction in progress";
                self.outbox.warns(SqlState::NO_ACTIVE_TRANSACTION, said);
            }
            (_, Status::Within | Status::Failed) => {
                self.is_implicit = false;
                let ended = perform(statement);
                self.status = Status::Idle;
                came.was_rolled_back = ended? == Answer::RolledBack;
            }
        }
        Ok(came)
    }

    /// Takes a setting, or says what it is.
    fn sets(&mut self, setting: &Setting) -> Came {
        match setting {
            Setting::Level(level) => self.level = *level,
            Setting::LevelOfThis(_) | Setting::NoMatter(_) => {}
            Setting::Forgets => self.prepared.clear(),
            Setting::Shows(_, Some(shown)) | Setting::Asks(_, shown) => return Came::one(shown),
            Setting::Shows(name, None) => {
                let is_of_this = *name == "transaction_isolation"
                    && self.status == Status::Within
                    && !self.is_implicit;
                let level = if is_of_this { self.of_this } else { self.level };
                return Came::one(&level.sql().to_lowercase());
            }
        }
        Came::default()
    }

    /// Sends rows, and says what was done.
    fn sends(&mut self, prepared: &Prepared, formats: &[Format], came: &Came) {
        let tag = match &prepared.does {
            Does::Nothing => return self.outbox.empty(),
            Does::Begins | Does::Control(Statement::Begin(_)) => "BEGIN".to_owned(),
            Does::Control(Statement::Commit) if !came.was_rolled_back => "COMMIT".to_owned(),
            Does::Control(_) => "ROLLBACK".to_owned(),
            Does::Sets(setting) => {
                self.outbox.rows(&[], &came.rows, formats);
                setting.tag().to_owned()
            }
            Does::Rows(described) => {
                let columns = described.columns.as_deref().unwrap_or(&[]);
                self.outbox.rows(columns, &came.rows, formats);
                format!("{} {}", described.tag, came.count)
            }
        };
        self.outbox.done(&tag);
    }

    /// The end of messages that belong together.
    fn synchronizes(&mut self, perform: Perform<'_>) -> Result<(), Failed> {
        let how = if self.skips { Statement::Rollback } else { Statement::Commit };
        self.ends_implicit(perform, how);
        self.skips = false;
        if self.status == Status::Idle {
            self.portals.clear();
        }
        self.since_sync = 0;
        self.outbox.ready(self.status);
        Ok(())
    }

    /// A message of the extended protocol.
    fn extended(
        &mut self,
        asked: &Asked,
        tables: &SimDb,
        perform: Perform<'_>,
    ) -> Result<(), Failed> {
        let mut body = asked.body();
        match asked.letter {
            b'P' => {
                let name = body.text().map_err(Refused)?;
                let text = body.text().map_err(Refused)?;
                let declared = body.numbers().map_err(Refused)?;
                self.parses(name, &text, declared, tables)
            }
            b'B' => self.binds(&mut body),
            b'D' => self.describes(&mut body),
            b'E' => {
                let name = body.text().map_err(Refused)?;
                let most = body.number().map_err(Refused)?;
                self.executes(&name, most, perform)
            }
            b'C' => {
                let what = body.byte().map_err(Refused)?;
                let name = body.text().map_err(Refused)?;
                match what {
                    b'S' => _ = self.prepared.remove(&name),
                    _ => _ = self.portals.remove(&name),
                }
                self.outbox.says(b'3');
                Ok(())
            }
            // All is sent at once anyway.
            b'H' => Ok(()),
            b'd' | b'c' | b'f' => refused("COPY"),
            b'F' => refused("a function call of the protocol"),
            b'p' => refused("an authentication that was not asked for"),
            other => refused(format!("a message `{}` of the protocol", char::from(other))),
        }
    }

    fn parses(
        &mut self,
        name: String,
        text: &str,
        declared: Vec<u32>,
        tables: &SimDb,
    ) -> Result<(), Failed> {
        let texts = super::sim::split(text)?;
        if texts.len() > 1 {
            let said = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, said).into());
        }
        let text = texts.first().copied().unwrap_or_default();
        let prepared = self.prepares(text, tables, declared)?;
        if let Does::Rows(described) = &prepared.does {
            for (number, (declared, kind)) in
                (1..).zip(prepared.declared.iter().zip(&*described.parameters))
            {
                if !values::may_be(*declared, *kind) {
                    let said = format!(
                        "${number} is declared with the type of number {declared}, and {} is simulated there: {text}",
                        kind.sql()
                    );
                    return Err(Refused(said).into());
                }
            }
        }
        if !name.is_empty() && self.prepared.contains_key(&name) {
            let said = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new(SqlState::of("42P05"), &said).into());
        }
        self.prepared.insert(name, prepared);
        self.outbox.says(b'1');
        Ok(())
    }

    fn binds(&mut self, body: &mut Body<'_>) -> Result<(), Failed> {
        let portal = body.text().map_err(Refused)?;
        let name = body.text().map_err(Refused)?;
        let of = self.named(&name)?;
        let formats = body.formats().map_err(Refused)?;
        let given = body.values().map_err(Refused)?;
        let results = body.formats().map_err(Refused)?;
        let kinds = match &of.does {
            Does::Rows(described) => &*described.parameters,
            _ => &[],
        };
        if kinds.len() != given.len() {
            let said = format!(
                "bind message supplies {} parameters, but prepared statement \"{name}\" requires {}",
                given.len(),
                kinds.len()
            );
            return Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, &said).into());
        }
        let mut parameters = Vec::with_capacity(given.len());
        for (index, (value, kind)) in given.into_iter().zip(kinds).enumerate() {
            let format = values::format_of(&formats, index);
            parameters.push(match value {
                None => Value::Null,
                Some(bytes) => values::read(bytes, format, *kind)?,
            });
        }
        self.portals.insert(portal, Portal { of, parameters, formats: results, rest: None });
        self.outbox.says(b'2');
        Ok(())
    }

    fn describes(&mut self, body: &mut Body<'_>) -> Result<(), Failed> {
        let what = body.byte().map_err(Refused)?;
        let name = body.text().map_err(Refused)?;
        let (of, formats) = if what == b'S' {
            let of = self.named(&name)?;
            if let Does::Rows(described) = &of.does {
                self.outbox.parameters(&described.parameters, &of.declared);
            } else {
                self.outbox.parameters(&[], &[]);
            }
            (of, Vec::new())
        } else {
            let portal = self.portals.get(&name).ok_or_else(|| no_portal(&name))?;
            (portal.of.clone(), portal.formats.clone())
        };
        match &of.does {
            Does::Rows(described) if described.columns.is_some() => {
                self.outbox.columns(described, &formats);
            }
            Does::Sets(Setting::Shows(name, _) | Setting::Asks(name, _)) => {
                self.outbox.column(name);
            }
            _ => self.outbox.says(b'n'),
        }
        Ok(())
    }

    fn named(&self, name: &str) -> Result<Arc<Prepared>, Failed> {
        self.prepared.get(name).cloned().ok_or_else(|| {
            let said = format!("prepared statement \"{name}\" does not exist");
            SqlError::new(SqlState::of("26000"), &said).into()
        })
    }

    fn executes(&mut self, name: &str, most: u32, perform: Perform<'_>) -> Result<(), Failed> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_portal(name))?;
        let mut came = match portal.rest.take() {
            Some(rest) => Came { count: rest.len() as u64, rows: rest, ..Came::default() },
            None => {
                if matches!(portal.of.does, Does::Rows(_)) && self.status == Status::Idle {
                    // What comes before the next `Sync` is one transaction.
                    if self.since_sync > 0 {
                        return refused(
                            "a statement after another one that no Sync and no transaction divides",
                        );
                    }
                    if self.inbox.executes_more() {
                        self.begins_implicit(perform)?;
                    }
                }
                self.performs(&portal.of, &portal.parameters, perform)?
            }
        };
        let now = if most == 0 { usize::MAX } else { most as usize };
        let later = came.rows.split_off(came.rows.len().min(now));
        if later.is_empty() {
            if !came.rows.is_empty() {
                came.count = came.rows.len() as u64;
            }
            self.sends(&portal.of, &portal.formats, &came);
        } else {
            if let Does::Rows(described) = &portal.of.does {
                let columns = described.columns.as_deref().unwrap_or(&[]);
                self.outbox.rows(columns, &came.rows, &portal.formats);
            }
            self.outbox.says(b's');
        }
        portal.rest = Some(later);
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }
}

impl SqlState {
    /// An error with this code, in PostgreSQL's words as far as they do not depend on who is concerned.
    pub(crate) fn in_postgresql(self) -> SqlError {
        let said = match self {
            SqlState::CARDINALITY_VIOLATION => {
                "ON CONFLICT DO UPDATE command cannot affect row a second time"
            }
            SqlState::DIVISION_BY_ZERO => "division by zero",
            SqlState::NUMERIC_OUT_OF_RANGE => "integer out of range",
            SqlState::NOT_NULL_VIOLATION => "null value in a column violates not-null constraint",
            SqlState::CHECK_VIOLATION => "new row violates check constraint",
            SqlState::UNIQUE_VIOLATION => "duplicate key value violates unique constraint",
            SqlState::IN_FAILED_TRANSACTION => {
                "current transaction is aborted, commands ignored until end of transaction block"
            }
            SqlState::SERIALIZATION_FAILURE => "could not serialize access",
            SqlState::DEADLOCK_DETECTED => "deadlock detected",
            SqlState::LOCK_NOT_AVAILABLE => "could not obtain lock",
            other => other.meaning(),
        };
        SqlError::new(self, said)
    }
}

fn no_portal(name: &str) -> Failed {
    SqlError::new(SqlState::of("34000"), &format!("portal \"{name}\" does not exist")).into()
}
