//! Third floor, `handlers`: one API key a user. Imports [`db`](crate::db) and its neighbours in
//! `handlers`.

use std::fmt;
use std::sync::Arc;

use super::{BY_STATEMENT, HandlerError, Next, ROUNDS, Tx, perform, transact};
use crate::db::{
    Column, Database, Failure, Insert, OnConflict, Returning, Select, SqlState, Table, Way, row,
};

/// A user's key. There is at most one row for each user: `user_id` is unique, and every promise
/// relies on that.
pub static API_KEYS: Table = Table {
    name: "api_keys",
    columns: &[Column::int("user_id"), Column::text("key")],
    unique: Some("user_id"),
};

/// How often a request is sent again after its connection broke.
const RESENDS: u32 = 2;

/// An API key: a secret. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiKey(Arc<str>);

impl ApiKey {
    /// Makes a key of this text: for a model, or for a key made elsewhere.
    pub fn new(text: &str) -> Self {
        ApiKey(text.into())
    }

    /// A key that nobody has and nobody can guess: 256 random bits, as 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`HandlerError::NoRandomness`].
    pub fn random() -> Result<Self, HandlerError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| HandlerError::NoRandomness)?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(ApiKey(text.into()))
    }

    /// The key's text. Use it in the response that hands the key out, and nowhere else.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The result of a request for a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Issued {
    /// The user had no key and has this one now (201).
    Created(ApiKey),
    /// The user has a key already (409). Only the request that made it was told which one.
    Exists,
}

/// Issues API keys: at most one for each user, told to exactly one request.
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
/// For any number of concurrent requests, through any number of servers on one database:
///
/// - a user has at most one key, at any time;
/// - a key that a request was told ([`Issued::Created`]) is the one that is stored;
/// - of the requests that get an answer, exactly one is told `Created` for a user who had no key.
///
/// It needs `UNIQUE (user_id)` ([`API_KEYS`]), and no isolation beyond the statement. One `INSERT …
/// ON CONFLICT DO NOTHING RETURNING` decides, and the handler checks its answer. If no row was
/// inserted, the handler looks for the existing row before it answers `Exists`.
///
/// Without the constraint every request fails with [`HandlerError::Schema`] and nothing is stored.
/// (A plain `INSERT` whose unique violation is taken as the answer works as well with the
/// constraint. Without it, that `INSERT` stores two keys.)
///
/// # Its limits
///
/// - A connection that breaks leaves open whether the key was stored. The handler then sends the
///   request again with the same key, twice at most. If it finds its key of 256 random bits stored,
///   it has stored that key itself.
/// - If the database stays away, the error is [`HandlerError::Unknown`]. The user may then have a
///   key that nobody was told, and a later request says `Exists`. So a service that offers keys has
///   to offer to revoke them as well.
/// - A response that is lost on its way to the user has the same effect. The database cannot help
///   there.
/// - [`issue`](Self::issue) stores the key as it is, so everybody who can read the table can read
///   it. To store only a digest, use [`issue_key`](Self::issue_key).
/// - Its calls [block](super#in-an-async-handler).
#[derive(Clone, Debug)]
pub struct ApiKeys<D> {
    database: D,
}

impl<D: Database + Clone> ApiKeys<D> {
    /// Issues keys from this database. A clone of `database` is another handle to the same rows.
    pub fn new(database: D) -> Self {
        ApiKeys { database }
    }

    /// Gives a user a new key, unless the user has one.
    ///
    /// # Errors
    ///
    /// See [`HandlerError`]. After [`HandlerError::Unknown`] there may be a new key. After any
    /// other error this request has left none.
    pub fn issue(&self, user: i64) -> Result<Issued, HandlerError> {
        self.issue_key(user, ApiKey::random()?)
    }

    /// Gives a user this key, unless the user has one. `stored` goes into the table: the key
    /// itself, or something that identifies it (a digest).
    ///
    /// No two requests may use the same `stored`. When a request is sent again because its answer
    /// was lost, it recognises its own row by this value.
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
        perform(&self.database, |database, session| {
            issue(database, session, BY_STATEMENT, user, &stored)
        })
    }
}

/// Gives `user` this key, unless the user has one, as [`ApiKeys::issue_key`] does. The session has no
/// transaction under way.
///
/// The key is an argument, so that a check knows it. Two requests have different keys.
///
/// # Errors
///
/// The error of the last attempt.
pub fn issue<D: Database>(
    database: &mut D,
    session: &mut D::Session,
    way: Way,
    user: i64,
    key: &ApiKey,
) -> Result<Issued, Failure> {
    let (mut may_be_ours, mut resends) = (false, RESENDS);
    loop {
        let failure =
            match transact(database, session, way, |tx| issuing(tx, user, key, may_be_ours)) {
                Err(failure) => failure,
                issued => return issued,
            };
        // Once it is not known, no later failure makes it known.
        may_be_ours |= failure.may_have_happened;
        let failure = Failure { may_have_happened: may_be_ours, ..failure };
        if !failure.error.state.is_connection() || resends == 0 {
            return Err(failure);
        }
        resends -= 1;
        // Opening a session is no step of a protocol.
        let Ok(another) = database.connect() else { return Err(failure) };
        *session = another;
    }
}

fn issuing<D: Database>(
    tx: &mut Tx<'_, D>,
    user: i64,
    key: &ApiKey,
    may_be_ours: bool,
) -> Result<Next<Issued>, Failure> {
    let is_ours = |row: Option<&str>| row == Some(key.as_str());
    for _ in 0..=ROUNDS {
        let insert = Insert::new(&API_KEYS, row([user.into(), key.as_str().into()]));
        let insert = insert.on_conflict(OnConflict::DoNothing);
        let inserted = tx.ask(insert.returning(Returning::Columns(vec!["key"])))?;
        match inserted.value().map(|value| value.text()) {
            None => {}
            Some(inserted) if is_ours(inserted) => return Ok(Next::Commit(Issued::Created(key.clone()))),
            Some(_) => return Err(tx.fail(SqlState::DATATYPE_MISMATCH)),
        }
        // None went in: is there a row, and is it ours?
        let stored = tx.ask(Select::columns(&API_KEYS, &["key"]).filter("user_id", user))?;
        match stored.value().map(|value| value.text()) {
            // Somebody has removed it since, or there was none.
            None => {}
            // A key that is no text, in a table of somebody else's making.
            Some(None) => return Err(tx.fail(SqlState::DATATYPE_MISMATCH)),
            Some(stored) if may_be_ours && is_ours(stored) => {
                return Ok(Next::Commit(Issued::Created(key.clone())));
            }
            Some(_) => return Ok(Next::Commit(Issued::Exists)),
        }
    }
    Err(SqlState::NO_DATA.into())
}
