//! First floor, `db`: the messages of PostgreSQL's wire protocol, as bytes. Imports its neighbours in `db`.

use std::collections::VecDeque;

use super::values::{self, Format};
use crate::db::schema::Kind;
use crate::db::sim::Described;
use crate::db::{Row, SqlError, SqlState, Value};

/// What a client sent, and was not answered yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: VecDeque<u8>,
    has_begun: bool,
}

/// A message of a client.
#[derive(Debug)]
pub(super) enum Message {
    /// The conversation begins, with these settings.
    Begins {
        settings: Vec<(String, String)>,
    },
    /// Whether what follows may be encrypted.
    AsksForEncryption,
    /// A statement of another conversation is to be stopped.
    Cancels,
    Asked(Asked),
}

/// A message once the conversation has begun.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) letter: u8,
    body: Vec<u8>,
}

impl Asked {
    pub(super) fn body(&self) -> Body<'_> {
        Body(&self.body)
    }
}

/// No message is longer.
const LONGEST: usize = 16 << 20;

impl Inbox {
    pub(super) fn takes(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The next message, if all of it is there.
    pub(super) fn next(&mut self) -> Result<Option<Message>, String> {
        let head = usize::from(self.has_begun);
        let Some(length) = self.length_at(head) else { return Ok(None) };
        if !(4..=LONGEST).contains(&length) {
            return Err(format!(
                "what it sends is no message of PostgreSQL's: {length} bytes long"
            ));
        }
        if self.bytes.len() < head + length {
            return Ok(None);
        }
        let mut message: Vec<u8> = self.bytes.drain(..head + length).collect();
        let body = message.split_off(head + 4);
        if self.has_begun {
            return Ok(Some(Message::Asked(Asked { letter: message[0], body })));
        }
        let begins = self.beginning(&body)?;
        Ok(Some(begins))
    }

    fn beginning(&mut self, body: &[u8]) -> Result<Message, String> {
        let mut body = Body(body);
        let (major, minor) = (body.short()?, body.short()?);
        match (major, minor) {
            (1234, 5679 | 5680) => Ok(Message::AsksForEncryption),
            (1234, 5678) => Ok(Message::Cancels),
            // A client that knows a later one is content with this, if it asks for nothing of that.
            (3, _) => {
                self.has_begun = true;
                let mut settings = Vec::new();
                loop {
                    let name = body.text()?;
                    if name.is_empty() {
                        return Ok(Message::Begins { settings });
                    }
                    settings.push((name, body.text()?));
                }
            }
            _ => Err(format!("version {major}.{minor} of PostgreSQL's protocol")),
        }
    }

    fn length_at(&self, at: usize) -> Option<usize> {
        let mut length = [0; 4];
        for (index, byte) in length.iter_mut().enumerate() {
            *byte = *self.bytes.get(at + index)?;
        }
        usize::try_from(u32::from_be_bytes(length)).ok()
    }

    /// Whether a statement is to be executed before the messages come to a `Sync`.
    pub(super) fn executes_more(&self) -> bool {
        let mut at = 0;
        loop {
            match self.bytes.get(at) {
                Some(b'E' | b'Q') => return true,
                Some(b'S') | None => return false,
                Some(_) => {}
            }
            let Some(length) = self.length_at(at + 1) else { return false };
            at += 1 + length.max(4);
        }
    }
}

/// What is left to read of a message.
#[derive(Debug)]
pub(super) struct Body<'m>(&'m [u8]);

const TORN: &str = "a message of its protocol is shorter than it says";

impl<'m> Body<'m> {
    fn bytes(&mut self, count: usize) -> Result<&'m [u8], String> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(TORN)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.bytes(1)?[0])
    }

    fn short(&mut self) -> Result<u16, String> {
        let bytes = self.bytes(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn number(&mut self) -> Result<u32, String> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A text that ends with a zero byte.
    pub(super) fn text(&mut self) -> Result<String, String> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(TORN)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        String::from_utf8(text.to_vec()).map_err(|_| "a text that is not UTF-8".to_owned())
    }

    /// So many numbers as the first says.
    pub(super) fn numbers(&mut self) -> Result<Vec<u32>, String> {
        (0..self.short()?).map(|_| self.number()).collect()
    }

    pub(super) fn formats(&mut self) -> Result<Vec<Format>, String> {
        (0..self.short()?).map(|_| Format::of(self.short()?)).collect()
    }

    /// Values, `None` for `NULL`.
    pub(super) fn values(&mut self) -> Result<Vec<Option<&'m [u8]>>, String> {
        let values = (0..self.short()?).map(|_| match self.number()? {
            u32::MAX => Ok(None),
            length => self.bytes(length as usize).map(Some),
        });
        values.collect()
    }
}

/// Where a session stands, as each `ReadyForQuery` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Idle,
    Within,
    Failed,
}

/// What is to be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox(Vec<u8>);

/// What a server says of itself when a conversation begins.
const OF_SERVER: [(&str, &str); 10] = [
    ("server_version", "15.0"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
    ("in_hot_standby", "off"),
    ("default_transaction_read_only", "off"),
];

impl Outbox {
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn message(&mut self, letter: u8, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(letter);
        let at = self.0.len();
        self.0.extend([0; 4]);
        write(&mut self.0);
        let length = (self.0.len() - at) as u32;
        self.0[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// A message without a body.
    pub(super) fn says(&mut self, letter: u8) {
        self.message(letter, |_| {});
    }

    pub(super) fn no_encryption(&mut self) {
        self.0.push(b'N');
    }

    pub(super) fn welcome(&mut self) {
        // No password is asked for.
        self.message(b'R', |to| to.extend(0_u32.to_be_bytes()));
        for (name, value) in OF_SERVER {
            self.message(b'S', |to| {
                text(to, name);
                text(to, value);
            });
        }
        // By which it could be cancelled.
        self.message(b'K', |to| to.extend([0; 8]));
    }

    pub(super) fn ready(&mut self, status: Status) {
        let letter = match status {
            Status::Idle => b'I',
            Status::Within => b'T',
            Status::Failed => b'E',
        };
        self.message(b'Z', |to| to.push(letter));
    }

    pub(super) fn error(&mut self, error: &SqlError) {
        self.notes(b'E', "ERROR", error.state, error.words());
    }

    pub(super) fn warns(&mut self, state: SqlState, said: &str) {
        self.notes(b'N', "WARNING", state, said);
    }

    fn notes(&mut self, letter: u8, severity: &str, state: SqlState, said: &str) {
        self.message(letter, |to| {
            for (field, value) in
                [(b'S', severity), (b'V', severity), (b'C', state.code()), (b'M', said)]
            {
                to.push(field);
                text(to, value);
            }
            to.push(0);
        });
    }

    pub(super) fn empty(&mut self) {
        self.says(b'I');
    }

    pub(super) fn done(&mut self, tag: &str) {
        self.message(b'C', |to| text(to, tag));
    }

    /// The types of a statement's parameters: as they were declared, or as they are here.
    pub(super) fn parameters(&mut self, kinds: &[Kind], declared: &[u32]) {
        self.message(b't', |to| {
            to.extend((kinds.len() as u16).to_be_bytes());
            for (index, kind) in kinds.iter().enumerate() {
                let number = declared.get(index).copied().filter(|it| values::is_known(*it));
                to.extend(number.unwrap_or(values::number_of(*kind)).to_be_bytes());
            }
        });
    }

    /// The columns of an answer, if it has some.
    pub(super) fn columns(&mut self, described: &Described, formats: &[Format]) {
        if let Some(columns) = &described.columns {
            let columns = columns.iter().map(|(name, kind)| (name.as_str(), *kind));
            self.head(columns.collect(), formats);
        }
    }

    /// One column of texts.
    pub(super) fn column(&mut self, name: &str) {
        self.head(vec![(name, Some(Kind::Text))], &[]);
    }

    fn head(&mut self, columns: Vec<(&str, Option<Kind>)>, formats: &[Format]) {
        self.message(b'T', |to| {
            to.extend((columns.len() as u16).to_be_bytes());
            for (index, (name, kind)) in columns.iter().enumerate() {
                text(to, name);
                // Of no table that a client could ask for.
                to.extend([0; 6]);
                let (number, length) = values::described(*kind);
                to.extend(number.to_be_bytes());
                to.extend(length.to_be_bytes());
                to.extend((-1_i32).to_be_bytes());
                to.extend(values::format_of(formats, index).number().to_be_bytes());
            }
        });
    }

    pub(super) fn rows(
        &mut self,
        columns: &[(String, Option<Kind>)],
        rows: &VecDeque<Row>,
        formats: &[Format],
    ) {
        for row in rows {
            self.message(b'D', |to| {
                to.extend((row.len() as u16).to_be_bytes());
                for (index, value) in row.iter().enumerate() {
                    let kind = columns.get(index).map_or(Some(Kind::Text), |(_, kind)| *kind);
                    match (value, kind) {
                        // What a function answers that answers nothing.
                        (Value::Null, None) => to.extend(0_u32.to_be_bytes()),
                        (Value::Null, Some(_)) => to.extend(u32::MAX.to_be_bytes()),
                        (value, kind) => {
                            let format = values::format_of(formats, index);
                            let bytes = values::written(value, format, kind);
                            to.extend((bytes.len() as u32).to_be_bytes());
                            to.extend(bytes);
                        }
                    }
                }
            });
        }
    }
}

fn text(to: &mut Vec<u8>, text: &str) {
    to.extend(text.bytes().filter(|byte| *byte != 0));
    to.push(0);
}
