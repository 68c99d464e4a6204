//! Who acts in `api_key`, and how. Fourth floor: imports [`handlers`](crate::handlers) and the floors below.

use std::fmt;
use std::sync::Arc;

use super::Protocol;
use crate::db::{
    Answer, Database, Failure, Insert, OnConflict, Returning, Select, SimSession, SqlState, Way,
    row,
};
use crate::direct::{Code, Sessions};
use crate::handlers::{API_KEYS, ApiKey, Issued, Next, Tx, issue, transact};

/// What a request is answered, and for which user.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Response {
    /// Who asked.
    pub user: i64,
    /// The answer.
    pub status: Status,
}

/// A response's status, and the key in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Status {
    /// 201: this key was made for you.
    Created(Arc<str>),
    /// 200: this is your key.
    Has(Arc<str>),
    /// 409: you have a key.
    Conflict,
    /// 500: the database failed in a way that nobody thought of.
    ServerError(SqlState),
}

impl Response {
    /// The key in it, if there is one.
    pub fn key(&self) -> Option<&Arc<str>> {
        match &self.status {
            Status::Created(key) | Status::Has(key) => Some(key),
            Status::Conflict | Status::ServerError(_) => None,
        }
    }

    /// Whether it is a 201.
    pub fn is_created(&self) -> bool {
        matches!(self.status, Status::Created(_))
    }

    /// Whether it is a 500.
    pub fn is_server_error(&self) -> bool {
        matches!(self.status, Status::ServerError(_))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.status, f)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Created(key) => write!(f, "201 {key}"),
            Status::Has(key) => write!(f, "200 {key}"),
            Status::Conflict => f.write_str("409"),
            Status::ServerError(state) => write!(f, "500 ({state})"),
        }
    }
}

/// One request of a user for a key, as it was written by others: which statements, and what its
/// response is. The key that it would issue is an input.
fn published<D: Database>(
    tx: &mut Tx<'_, D>,
    protocol: Protocol,
    user: i64,
    key: &Arc<str>,
) -> Result<Next<Status>, Failure> {
    let created = || Next::Commit(Status::Created(Arc::clone(key)));
    let keys = || Select::columns(&API_KEYS, &["key"]).filter("user_id", user);
    let is = |answer: &Answer| answer.value().and_then(|value| value.bool()) == Some(true);
    let insert = Insert::new(&API_KEYS, row([user.into(), key.into()]));
    Ok(match protocol {
        Protocol::SelectThenInsert => {
            if is(&tx.ask(Select::exists(&API_KEYS).filter("user_id", user))?) {
                return Ok(Next::Commit(Status::Conflict));
            }
            tx.ask(insert)?;
            created()
        }
        Protocol::SelectForUpdate => {
            if !tx.ask(keys().for_update())?.rows().is_empty() {
                return Ok(Next::Rollback(Status::Conflict));
            }
            tx.ask(insert)?;
            created()
        }
        Protocol::OnConflictSelect => {
            tx.ask(insert.on_conflict(OnConflict::DoNothing))?;
            match tx.ask(keys())?.value().and_then(|value| value.text()) {
                Some(key) => Next::Commit(Status::Has(key.into())),
                None => created(),
            }
        }
        Protocol::UpsertReturning => {
            let upsert = insert.on_conflict(OnConflict::DoUpdate(vec!["key"]));
            match is(&tx.ask(upsert.returning(Returning::Inserted))?) {
                true => created(),
                false => Next::Commit(Status::Conflict),
            }
        }
        Protocol::InsertDecides => match tx.ask(insert) {
            Err(failure) if failure.error.state == SqlState::UNIQUE_VIOLATION => {
                Next::Rollback(Status::Conflict)
            }
            inserted => inserted.map(|_| created())?,
        },
        // It does not look how many rows went in.
        Protocol::ControlTrustsTheInsert => {
            tx.ask(insert.on_conflict(OnConflict::DoNothing))?;
            created()
        }
        Protocol::OnConflictReturning => unreachable!("that one ships, and is called by itself"),
    })
}

/// A request, from its first statement to its response.
pub type Client<S> = Code<Sessions<S>, Response>;

/// A request of this user in a session of its own; `key` is the one that it would issue.
pub(super) fn client(protocol: Protocol, way: Way, user: i64, key: &str) -> Client<SimSession> {
    let key: Arc<str> = key.into();
    Code::session(SimSession::new(), move |db, session| {
        respond(db, session, protocol, way, user, &key)
    })
}

/// Answers a request.
pub(super) fn respond<D: Database>(
    db: &mut D,
    session: &mut D::Session,
    protocol: Protocol,
    way: Way,
    user: i64,
    key: &Arc<str>,
) -> Response {
    let status = match protocol {
        Protocol::OnConflictReturning => {
            issue(db, session, way, user, &ApiKey::new(key)).map(|issued| match issued {
                Issued::Created(key) => Status::Created(key.as_str().into()),
                Issued::Exists => Status::Conflict,
            })
        }
        _ => transact(db, session, way, |tx| published(tx, protocol, user, key)),
    };
    let failed = |failure: Failure| Status::ServerError(failure.error.state);
    Response { user, status: status.unwrap_or_else(failed) }
}
