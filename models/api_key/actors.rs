//! Who acts in `api_key`, and how. Fourth floor: imports [`handlers`](crate::handlers) and the floors below.

use std::fmt;
use std::sync::Arc;

use super::Protocol;
use crate::db::{
    Answer, Body, Database, Failure, Insert, Next, OnConflict, Returning, Select, SqlError,
    SqlState, Statement, Transact, Way, row,
};
use crate::handlers::{API_KEYS, ApiKey, Issue, Issued, Issuing};
use crate::{Process, Step};

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Request {
    protocol: Protocol,
    user: i64,
    key: Arc<str>,
    at: At,
}

/// The statement that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    /// Is there a key?
    Check,
    Insert,
    /// Which key is there?
    Read,
}

impl Request {
    fn new(protocol: Protocol, user: i64, key: &str) -> Self {
        let at = match protocol {
            Protocol::SelectThenInsert | Protocol::SelectForUpdate => At::Check,
            _ => At::Insert,
        };
        Request { protocol, user, key: key.into(), at }
    }

    fn insert(&self) -> Insert {
        let insert = Insert::new(&API_KEYS, row([self.user.into(), (&self.key).into()]));
        match self.protocol {
            Protocol::OnConflictSelect | Protocol::ControlTrustsTheInsert => {
                insert.on_conflict(OnConflict::DoNothing)
            }
            Protocol::UpsertReturning => {
                insert.on_conflict(OnConflict::DoUpdate(vec!["key"])).returning(Returning::Inserted)
            }
            _ => insert,
        }
    }
}

impl Body for Request {
    type Output = Status;

    fn statement(&self) -> Statement {
        let keys = || Select::columns(&API_KEYS, &["key"]).filter("user_id", self.user);
        match (self.at, self.protocol) {
            (At::Check, Protocol::SelectForUpdate) => keys().for_update().into(),
            (At::Check, _) => Select::exists(&API_KEYS).filter("user_id", self.user).into(),
            (At::Insert, _) => self.insert().into(),
            (At::Read, _) => keys().into(),
        }
    }

    fn answered(self, answer: Answer) -> Next<Self, Status> {
        let created = || Status::Created(Arc::clone(&self.key));
        match (self.at, self.protocol) {
            // `SELECT … FOR UPDATE` answers the rows, `EXISTS` whether there are any.
            (At::Check, Protocol::SelectForUpdate) if answer.rows().is_empty() => {
                Next::Ask(Request { at: At::Insert, ..self })
            }
            (At::Check, Protocol::SelectForUpdate) => Next::Rollback(Status::Conflict),
            (At::Check, _) => match answer.value().and_then(|value| value.bool()) {
                Some(true) => Next::Commit(Status::Conflict),
                _ => Next::Ask(Request { at: At::Insert, ..self }),
            },
            (At::Insert, Protocol::OnConflictSelect) => Next::Ask(Request { at: At::Read, ..self }),
            (At::Insert, Protocol::UpsertReturning) => {
                match answer.value().and_then(|value| value.bool()) {
                    Some(true) => Next::Commit(created()),
                    _ => Next::Commit(Status::Conflict),
                }
            }
            // The control does not look how many rows went in; a plain insert that answers has put in one.
            (At::Insert, _) => Next::Commit(created()),
            (At::Read, _) => Next::Commit(match answer.value().and_then(|value| value.text()) {
                Some(key) => Status::Has(key.into()),
                None => created(),
            }),
        }
    }

    fn failed(self, error: &SqlError) -> Option<Status> {
        let decides = self.protocol == Protocol::InsertDecides;
        (decides && error.state == SqlState::UNIQUE_VIOLATION).then_some(Status::Conflict)
    }
}

/// A request, from its first statement to its response.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client<S> {
    user: i64,
    handler: Handler<S>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Handler<S> {
    /// Somebody else's.
    Published(Transact<S, Request>),
    /// The one that ships.
    Ships(Issuing<S>),
}

impl<S> Client<S> {
    /// A request of this user in a session of its own; `key` is the one that it would issue.
    pub(super) fn new(protocol: Protocol, way: Way, session: S, user: i64, key: &str) -> Self {
        let handler = match protocol {
            Protocol::OnConflictReturning => {
                Handler::Ships(Issuing::new(session, Issue::new(user, ApiKey::new(key)), way))
            }
            _ => {
                let request = Request::new(protocol, user, key);
                Handler::Published(Transact::new(session, request, way))
            }
        };
        Client { user, handler }
    }

    /// The session of its connection.
    pub fn session(&self) -> &S {
        match &self.handler {
            Handler::Published(transact) => transact.session(),
            Handler::Ships(issuing) => issuing.session(),
        }
    }
}

impl<D: Database> Process<D> for Client<D::Session> {
    type Output = Response;

    fn step(self, db: &mut D) -> Step<Self, Response> {
        let Client { user, handler } = self;
        let go = |handler| Client { user, handler };
        let end = |status: Result<Status, Failure>| {
            let failed = |failure: Failure| Status::ServerError(failure.error.state);
            Step::Done(Response { user, status: status.unwrap_or_else(failed) })
        };
        match handler {
            Handler::Published(transact) => {
                transact.step(db).map(|transact| go(Handler::Published(transact))).and_then(end)
            }
            Handler::Ships(issuing) => {
                let issuing = issuing.step(db).map(|issuing| go(Handler::Ships(issuing)));
                issuing.and_then(|issued| {
                    end(issued.map(|issued| match issued {
                        Issued::Created(key) => Status::Created(key.as_str().into()),
                        Issued::Exists => Status::Conflict,
                    }))
                })
            }
        }
    }
}
