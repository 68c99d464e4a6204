//! Third floor, `handlers`: one API key a user. Imports [`db`](crate::db) and its neighbours in `handlers`.

use std::fmt;
use std::sync::Arc;

use super::{HandlerError, Next, ROUNDS, Tx, perform, transact};
use crate::db::{
    Column, Database, Failure, Insert, OnConflict, Returning, Select, SqlState, Table, Way, row,
};
use crate::nonce::DIGITS;

/// A user's key. At most one row a user: `user_id` is unique, and all else stands on that.
pub static API_KEYS: Table = Table {
    name: "api_keys",
    columns: &[Column::int("user_id"), Column::text("key")],
    unique: Some("user_id"),
};

/// How often a request is sent again after its connection broke.
const RESENDS: u32 = 2;

/// How the handler runs its statements: without a transaction. PostgreSQL's usual level never asks for
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
        perform(&self.database, |database, session| issue(database, session, WAY, user, &stored))
    }
}

/// Gives `user` this key, unless there is one, in a session that has no transaction under way. It inserts, and
/// whoever's row it is that went in has the key. The others look that there is one. Where the connection
/// breaks, it is sent again, with the same key in a new session.
///
/// The key is an input, so that a check knows it. Two requests have different keys.
///
/// # Errors
///
/// As the last one sent.
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
        match inserted.value().and_then(|value| value.text()) {
            None => {}
            inserted if is_ours(inserted) => return Ok(Next::Commit(Issued::Created(key.clone()))),
            Some(_) => return Err(tx.fail(SqlState::DATATYPE_MISMATCH)),
        }
        // None went in: is there a row, and is it ours?
        let stored = tx.ask(Select::columns(&API_KEYS, &["key"]).filter("user_id", user))?;
        match stored.value().and_then(|value| value.text()) {
            // Somebody has removed it since, or there was none.
            None => {}
            stored if may_be_ours && is_ours(stored) => {
                return Ok(Next::Commit(Issued::Created(key.clone())));
            }
            Some(_) => return Ok(Next::Commit(Issued::Exists)),
        }
    }
    Err(SqlState::NO_DATA.into())
}
