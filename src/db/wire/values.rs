//! First floor, `db`: values as PostgreSQL's wire protocol has them. Imports its neighbours in `db`.

use crate::db::schema::Kind;
use crate::db::{SqlError, SqlState, Value};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
}

impl Format {
    pub(super) fn of(number: u16) -> Result<Format, String> {
        match number {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            other => Err(format!("the format {other} of values")),
        }
    }

    pub(super) fn number(self) -> u16 {
        match self {
            Format::Text => 0,
            Format::Binary => 1,
        }
    }
}

/// The format of this value: there is one for each, or one for all, or none for text.
pub(super) fn format_of(formats: &[Format], index: usize) -> Format {
    match formats {
        [] => Format::Text,
        [all] => *all,
        each => each.get(index).copied().unwrap_or(Format::Text),
    }
}

/// The numbers of types, as `pg_type` has them.
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const TEXT: u32 = 25;
    pub(super) const UNKNOWN: u32 = 705;
    pub(super) const BPCHAR: u32 = 1042;
    pub(super) const VARCHAR: u32 = 1043;
    pub(super) const VOID: u32 = 2278;
}

pub(super) fn number_of(kind: Kind) -> u32 {
    match kind {
        Kind::Int => oid::INT8,
        Kind::Integer => oid::INT4,
        Kind::Text => oid::TEXT,
        Kind::Bool => oid::BOOL,
    }
}

/// The number of a column's type, and its length; `None` is the type of a function that answers nothing.
pub(super) fn described(kind: Option<Kind>) -> (u32, i16) {
    let Some(kind) = kind else { return (oid::VOID, 4) };
    let length = match kind {
        Kind::Int => 8,
        Kind::Integer => 4,
        Kind::Bool => 1,
        Kind::Text => -1,
    };
    (number_of(kind), length)
}

/// Whether a client has said of a parameter what it is.
pub(super) fn is_known(declared: u32) -> bool {
    declared != 0 && declared != oid::UNKNOWN
}

/// Whether a parameter that is declared so may stand where a value of this kind is asked for.
pub(super) fn may_be(declared: u32, kind: Kind) -> bool {
    if !is_known(declared) {
        return true;
    }
    let may: &[u32] = match kind {
        Kind::Int | Kind::Integer => &[oid::INT2, oid::INT4, oid::INT8],
        Kind::Text => &[oid::TEXT, oid::VARCHAR, oid::BPCHAR],
        Kind::Bool => &[oid::BOOL],
    };
    may.contains(&declared)
}

/// The value of a parameter.
pub(super) fn read(bytes: &[u8], format: Format, kind: Kind) -> Result<Value, SqlError> {
    match (kind, format) {
        (_, Format::Text) | (Kind::Text, Format::Binary) => {
            if bytes.contains(&0) {
                return Err(SqlState::CHARACTER_NOT_IN_REPERTOIRE.into());
            }
            let text = std::str::from_utf8(bytes)
                .map_err(|_| SqlError::from(SqlState::CHARACTER_NOT_IN_REPERTOIRE))?;
            kind.read(text).ok_or_else(|| {
                let name = kind.sql().to_ascii_lowercase();
                if kind != Kind::Bool && text.trim().parse::<i128>().is_ok() {
                    return out_of_range(text, &name);
                }
                let said = format!("invalid input syntax for type {name}: \"{text}\"");
                SqlError::new(SqlState::INVALID_TEXT, &said)
            })
        }
        (Kind::Bool, Format::Binary) => match bytes {
            [byte] => Ok((*byte != 0).into()),
            _ => Err(torn()),
        },
        (Kind::Int | Kind::Integer, Format::Binary) => {
            let number = match bytes.len() {
                2 => bytes.try_into().map(i16::from_be_bytes).map(i64::from),
                4 => bytes.try_into().map(i32::from_be_bytes).map(i64::from),
                _ => bytes.try_into().map(i64::from_be_bytes),
            };
            let value = Value::Int(number.map_err(|_| torn())?);
            match kind.holds(&value) {
                true => Ok(value),
                false => Err(out_of_range(&value.to_string(), "integer")),
            }
        }
    }
}

fn out_of_range(number: &str, kind: &str) -> SqlError {
    let said = format!("value \"{number}\" is out of range for type {kind}");
    SqlError::new(SqlState::NUMERIC_OUT_OF_RANGE, &said)
}

fn torn() -> SqlError {
    SqlError::new(SqlState::of("22P03"), "incorrect binary data format in bind parameter")
}

/// A value that is not `NULL`, as it is sent.
pub(super) fn written(value: &Value, format: Format, kind: Option<Kind>) -> Vec<u8> {
    match (value, format) {
        (Value::Int(number), Format::Binary) => match (kind, i32::try_from(*number)) {
            (Some(Kind::Integer), Ok(number)) => number.to_be_bytes().to_vec(),
            _ => number.to_be_bytes().to_vec(),
        },
        (Value::Int(number), Format::Text) => number.to_string().into_bytes(),
        (Value::Bool(truth), Format::Binary) => vec![u8::from(*truth)],
        (Value::Bool(truth), Format::Text) => vec![if *truth { b't' } else { b'f' }],
        (Value::Text(text), _) => text.as_bytes().to_vec(),
        (Value::Null, _) => Vec::new(),
    }
}
