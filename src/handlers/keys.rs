//! Third floor, `handlers`: one API key a user. Imports [`db`](crate::db), [`process`](crate::process)
//! and its neighbours in `handlers`.

use std::fmt;
use std::sync::Arc;

use super::{HandlerError, once_more, perform};
use crate::db::{
    Answer, Body, Column, Database, Failure, Insert, Next, OnConflict, Returning, Select, SqlState,
    Statement, Table, Transact, Way, row,
};
use crate::nonce::DIGITS;
use crate::{Process, Step};

/// A user's key. At most one row a user: `user_id` is unique, and all else stands on that.
pub static API_KEYS: Table = Table {
    name: "api_keys",
    columns: &[Column::int("user_id"), Column::text("key")],
    unique: Some("user_id"),
};

/// How often a request is sent again after its connection broke.
const RESENDS: u32 = 2;

/// How the handler runs its machine: without a transaction. PostgreSQL's usual level never asks for
/// a retry of a statement by itself; a server that makes every statement serializable may.
const WAY: Way = Way::AUTOCOMMIT.retrying(10);

/// An API key: a secret. Its `Debug` form does not tell it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiKey(Arc<str>);

impl ApiKey {
    /// This text as a key: for a model, or a key made elsewhere.
    pub fn new(text: &str) -> Self {
        ApiKey(text.into())
    }

    /// A key that nobody has or can guess: 256 random bits, as 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`HandlerError::NoRandomness`].
    pub fn random() -> Result<Self, HandlerError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| HandlerError::NoRandomness)?;
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        let text: String = digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect();
        Ok(ApiKey(text.into()))
    }

    /// Its text: for the response that hands it out, and nowhere else.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What a request for a key comes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Issued {
    /// The user had none, and has this one now (201).
    Created(ApiKey),
    /// The user had one already (409). Which one, only its own request was told.
    Exists,
}

/// Issues API keys: at most one a user, told to exactly one request.
///
/// ```
/// use toctou::handlers::{ApiKeys, HandlerError, Issued};
/// # fn request(keys: &ApiKeys<impl toctou::db::Database + Clone>) -> Result<(), HandlerError> {
/// let (status, body) = match keys.issue(42)? {
///     Issued::Created(key) => (201, key.as_str().to_owned()),
///     Issued::Exists => (409, "there is a key already".to_owned()),
/// };
/// # drop((status, body));
/// # Ok(()) }
/// ```
///
/// # The guarantee
///
/// However many requests come at once, through however many servers on one database:
///
/// - a user has at most one key, at any time;
/// - a key that was told ([`Issued::Created`]) is the one that is stored;
/// - of the requests that have an answer, exactly one is told `Created` for a user who had none.
///
/// It needs `UNIQUE (user_id)` ([`API_KEYS`]) and no isolation beyond the statement: one `INSERT …
/// ON CONFLICT DO NOTHING RETURNING` decides, and its answer is looked at. Where no row went in, the one
/// that is there is looked for before it is said to be. Without that constraint
/// every request fails with [`HandlerError::Schema`] and nothing is stored. (A plain `INSERT` whose
/// unique violation is taken for an answer would be as good with the constraint, and store two keys
/// without it.)
///
/// # Its limits
///
/// - A connection that breaks leaves open whether the key was stored. The request is then sent
///   again, with the same key, twice at most: who finds a key of 256 random bits
///   stored has stored it. If the database stays away, the error is [`HandlerError::Unknown`], and
///   the user may have a key that nobody was told; a later request will then say `Exists`. Whoever
///   offers keys has to offer to revoke them as well.
/// - A response that is lost on its way to the user is such a case, too, and not in the database's hands.
/// - [`issue`](Self::issue) stores the key as it is, for whoever can read the table. To keep a digest only:
///   [`issue_key`](Self::issue_key).
/// - Its calls block: [in an async handler](super#in-an-async-handler),
///   `web::block(move || keys.issue(user)).await`.
#[derive(Clone, Debug)]
pub struct ApiKeys<D> {
    database: D,
}

impl<D: Database + Clone> ApiKeys<D> {
    /// Issues keys from this database. A clone of `database` is another handle to the same rows.
    pub fn new(database: D) -> Self {
        ApiKeys { database }
    }

    /// Gives a user a key, unless there is one.
    ///
    /// # Errors
    ///
    /// See [`HandlerError`]. After [`HandlerError::Unknown`] there may be a key; after any other
    /// error this request has left none.
    pub fn issue(&self, user: i64) -> Result<Issued, HandlerError> {
        self.issue_key(user, ApiKey::random()?)
    }

    /// Gives a user this key, unless there is one: `stored` is what goes into the table, the key itself
    /// or something that it is known by.
    ///
    /// No two requests may come with the same: one whose answer was lost knows by it, when it is sent
    /// again, whether the row is its own.
    ///
    /// ```
    /// use sha2::{Digest, Sha256};
    /// use toctou::handlers::{ApiKey, ApiKeys, HandlerError, Issued};
    /// # fn request(keys: &ApiKeys<impl toctou::db::Database + Clone>) -> Result<(), HandlerError> {
    /// let key = ApiKey::random()?;
    /// // A key of 256 random bits needs no salt, and no slow hash.
    /// let digest: String = Sha256::digest(key.as_str()).iter().map(|it| format!("{it:02x}")).collect();
    /// let told = match keys.issue_key(42, ApiKey::new(&digest))? {
    ///     Issued::Created(_) => Some(key),
    ///     Issued::Exists => None,
    /// };
    /// # drop(told);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue).
    pub fn issue_key(&self, user: i64, stored: ApiKey) -> Result<Issued, HandlerError> {
        let issue = Issue::new(user, stored);
        perform(&self.database, |session| Issuing::new(session, issue, WAY))
    }
}

/// The shipping machine's [`Body`]: insert, and whoever's row it is that went in has the key; the others
/// look that there is one.
///
/// The key is an input, because processes make no random choice. Two requests have different keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issue {
    user: i64,
    key: ApiKey,
    /// An earlier attempt may have stored this very key, and its answer was lost.
    again: bool,
    at: At,
    /// How often there was no row after none went in.
    rounds: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Insert,
    /// None went in: is there a row, and is it ours?
    Look,
}

impl Issue {
    /// Gives `user` this key, unless there is one.
    pub fn new(user: i64, key: ApiKey) -> Self {
        Issue { user, key, again: false, at: At::Insert, rounds: 0 }
    }
}

impl Body for Issue {
    type Output = Issued;

    fn statement(&self) -> Statement {
        match self.at {
            At::Insert => Insert::new(&API_KEYS, row([self.user.into(), self.key.as_str().into()]))
                .on_conflict(OnConflict::DoNothing)
                .returning(Returning::Columns(vec!["key"]))
                .into(),
            At::Look => Select::columns(&API_KEYS, &["key"]).filter("user_id", self.user).into(),
        }
    }

    fn answered(self, answer: Answer) -> Next<Self, Issued> {
        let row = answer.value().and_then(|value| value.text());
        match self.at {
            At::Insert if row == Some(self.key.as_str()) => Next::Commit(Issued::Created(self.key)),
            At::Insert if row.is_some() => Next::Fail(SqlState::DATATYPE_MISMATCH),
            At::Insert => Next::Ask(Issue { at: At::Look, ..self }),
            // Somebody has removed it since, or there was none.
            At::Look if row.is_none() => match once_more(self.rounds) {
                Some(rounds) => Next::Ask(Issue { at: At::Insert, rounds, ..self }),
                None => Next::GiveUp(SqlState::NO_DATA),
            },
            At::Look if self.again && row == Some(self.key.as_str()) => {
                Next::Commit(Issued::Created(self.key))
            }
            At::Look => Next::Commit(Issued::Exists),
        }
    }
}

/// The machine that [`ApiKeys::issue`] runs: [`Issue`] in a [`Way`], and again with the same key, in
/// a new session, where a connection broke.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issuing<S> {
    transact: Transact<S, Issue>,
    issue: Issue,
    way: Way,
    resends: u32,
}

impl<S> Issuing<S> {
    /// Runs `issue` in this session, which has no transaction under way.
    pub fn new(session: S, issue: Issue, way: Way) -> Self {
        let transact = Transact::new(session, issue.clone(), way);
        Issuing { transact, issue, way, resends: RESENDS }
    }

    /// The session it runs in.
    pub fn session(&self) -> &S {
        self.transact.session()
    }
}

impl<D: Database> Process<D> for Issuing<D::Session> {
    type Output = Result<Issued, Failure>;

    fn step(self, db: &mut D) -> Step<Self, Self::Output> {
        let Issuing { transact, issue, way, resends } = self;
        match transact.step(db) {
            Step::Next(transact) => Step::Next(Issuing { transact, issue, way, resends }),
            Step::Blocked(transact) => Step::Blocked(Issuing { transact, issue, way, resends }),
            Step::Done(Err(failure)) => {
                // Once it is not known, no later failure makes it known.
                let unknown = issue.again || failure.may_have_happened;
                let failure = Failure { may_have_happened: unknown, ..failure };
                if !failure.error.state.is_connection() || resends == 0 {
                    return Step::Done(Err(failure));
                }
                // Opening a session is no step of a protocol.
                let Ok(session) = db.connect() else { return Step::Done(Err(failure)) };
                let issue = Issue { again: unknown, ..issue };
                let resent = Issuing::new(session, issue, way);
                Step::Next(Issuing { resends: resends - 1, ..resent })
            }
            Step::Done(Ok(issued)) => Step::Done(Ok(issued)),
            Step::Choice(_) => unreachable!("a transaction leaves nothing open"),
        }
    }
}
