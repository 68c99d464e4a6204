//! Third floor, `handlers`: money moves whole, and no account is overdrawn. Imports
//! [`db`](crate::db) and its neighbours in `handlers`.

use super::{HandlerError, once_more, perform};
use crate::db::{
    Answer, Body, Column, Comparison, Database, Isolation, Next, Select, SqlState, Statement,
    Table, Transact, Update, Way,
};

/// An account and what is in it, in the smallest unit there is.
pub static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[Column::int("id"), Column::int("balance")],
    unique: Some("id"),
};

/// How the handler runs its machine. Its transfers never wait for one another in a circle; other
/// programs' transactions may, and a server may run all of them at a stricter level.
const WAY: Way = Way::within(Isolation::ReadCommitted).retrying(10);

/// What a transfer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transferred {
    /// The money is in the other account (200).
    Done,
    /// There is not as much in the account (409). Nothing was done.
    Insufficient,
    /// The receiving account cannot hold as much more: its balance would be no number of 64 bits (409).
    /// Nothing was done.
    Overflow,
    /// There is no account of this id (404). Nothing was done.
    NoSuchAccount(i64),
}

/// Why a transfer has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// The amount is not positive (400).
    #[error("nothing was done: {0} is no amount to transfer, it has to be positive")]
    Amount(i64),
    /// Both accounts are the same (400).
    #[error("nothing was done: account {0} would be both payer and receiver")]
    SameAccount(i64),
    /// The database has no answer.
    #[error(transparent)]
    Handler(#[from] HandlerError),
}

/// Moves money between accounts: whole or not at all, and never more than there is.
///
/// ```
/// use toctou::handlers::{Accounts, TransferError, Transferred};
/// # fn request(accounts: &Accounts<impl toctou::db::Database + Clone>) -> Result<(), TransferError> {
/// let (status, body) = match accounts.transfer(1, 2, 250)? {
///     Transferred::Done => (200, "done".to_owned()),
///     Transferred::Insufficient => (409, "there is not as much in the account".to_owned()),
///     Transferred::Overflow => (409, "the account cannot take as much".to_owned()),
///     Transferred::NoSuchAccount(id) => (404, format!("no account {id}")),
/// };
/// # drop((status, body));
/// # Ok(()) }
/// ```
///
/// # The guarantee
///
/// However many requests come at once, through however many servers on one database, and wherever
/// one of them dies:
///
/// - the sum of all balances stays what it is, at every moment that anybody can see;
/// - no balance falls below zero by a transfer;
/// - [`Transferred::Done`] is told exactly where the money moved; [`Transferred::Insufficient`] only if
///   there was a moment during the request at which there was too little;
/// - transfers never wait for one another in a circle, in whichever directions they go.
///
/// It needs a transaction at READ COMMITTED or above. The decision is in the statement (`UPDATE … SET
/// balance = balance - … WHERE id = … AND balance >= …`), whose row is locked until the commit. The account
/// of the smaller id always comes first: where that is the receiver's, it is credited first and
/// the transaction rolled back if the payer then has too little.
///
/// # Its limits
///
/// - A connection that breaks while the database commits leaves open whether it did:
///   [`HandlerError::Unknown`]. To ask again might then move the money twice: look first.
/// - A request that is sent again is one more transfer. Whoever lets clients repeat theirs needs a key
///   of the request's own, unique in a table, [in the same
///   transaction](super#more-in-the-same-transaction).
/// - A rule over several accounts (their *sum* must not fall below zero) is not kept by this: each
///   account is judged by itself.
/// - Its calls block: [in an async handler](super#in-an-async-handler),
///   `web::block(move || accounts.transfer(from, to, amount)).await`.
#[derive(Clone, Debug)]
pub struct Accounts<D> {
    database: D,
}

impl<D: Database + Clone> Accounts<D> {
    /// Moves money in this database. A clone of `database` is another handle to the same rows.
    pub fn new(database: D) -> Self {
        Accounts { database }
    }

    /// Moves `amount` from one account to another, if there is as much.
    ///
    /// # Errors
    ///
    /// [`TransferError::Amount`] and [`TransferError::SameAccount`] for what is no transfer, and
    /// whatever [`HandlerError`] says. After [`HandlerError::Unknown`] the money may have moved; after
    /// any other error it has not.
    pub fn transfer(&self, from: i64, to: i64, amount: i64) -> Result<Transferred, TransferError> {
        let body = Transfer::new(from, to, amount)?;
        Ok(perform(&self.database, |session| Transact::new(session, body, WAY))?)
    }
}

/// The shipping machine's [`Body`]: debit where there is enough and credit where there is room, the
/// account of the smaller id first. Within a transaction only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transfer {
    from: i64,
    to: i64,
    amount: i64,
    at: At,
    /// One of the two is done.
    half: bool,
    /// How often there was enough, or room, after nothing was changed.
    rounds: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Debit,
    /// Nothing was debited: why not?
    LookAtPayer,
    Credit,
    /// Nothing was credited: why not?
    LookAtReceiver,
}

impl Transfer {
    /// Moves `amount`, if there is as much.
    ///
    /// # Errors
    ///
    /// [`TransferError::Amount`] and [`TransferError::SameAccount`].
    pub fn new(from: i64, to: i64, amount: i64) -> Result<Self, TransferError> {
        if amount <= 0 {
            return Err(TransferError::Amount(amount));
        }
        if from == to {
            return Err(TransferError::SameAccount(from));
        }
        let at = if from < to { At::Debit } else { At::Credit };
        Ok(Transfer { from, to, amount, at, half: false, rounds: 0 })
    }

    /// The highest balance to which the amount can still be added.
    fn room(&self) -> i64 {
        i64::MAX - self.amount
    }

    fn ask(self, at: At) -> Next<Self, Transferred> {
        Next::Ask(Transfer { at, ..self })
    }

    /// Nothing was changed, and now it could be.
    fn again(self, at: At) -> Next<Self, Transferred> {
        match once_more(self.rounds) {
            Some(rounds) => Transfer { rounds, ..self }.ask(at),
            None => Next::GiveUp(SqlState::NO_DATA),
        }
    }

    /// One of the two is done; the other one follows, or the end.
    fn done(self, other: At) -> Next<Self, Transferred> {
        match self.half {
            true => Next::Commit(Transferred::Done),
            false => Next::Ask(Transfer { at: other, half: true, ..self }),
        }
    }
}

impl Body for Transfer {
    type Output = Transferred;

    fn statement(&self) -> Statement {
        let balance = |id| Select::columns(&ACCOUNTS, &["balance"]).filter("id", id).into();
        match self.at {
            At::Debit => Update::new(&ACCOUNTS)
                .add("balance", -self.amount)
                .filter("id", self.from)
                .condition("balance", Comparison::AtLeast, self.amount)
                .into(),
            At::Credit => Update::new(&ACCOUNTS)
                .add("balance", self.amount)
                .filter("id", self.to)
                .condition("balance", Comparison::AtMost, self.room())
                .into(),
            At::LookAtPayer => balance(self.from),
            At::LookAtReceiver => balance(self.to),
        }
    }

    fn answered(self, answer: Answer) -> Next<Self, Transferred> {
        let balance = answer.value().and_then(|value| value.int());
        match (self.at, balance) {
            // Accounts that share an id.
            (At::Debit | At::Credit, _) if answer.count() > 1 => {
                Next::Fail(SqlState::INVALID_COLUMN_REFERENCE)
            }
            (At::Debit, _) if answer.count() > 0 => self.done(At::Credit),
            (At::Debit, _) => self.ask(At::LookAtPayer),
            (At::Credit, _) if answer.count() > 0 => self.done(At::Debit),
            (At::Credit, _) => self.ask(At::LookAtReceiver),
            // A balance that is no number, in a table of somebody else's making.
            (At::LookAtPayer | At::LookAtReceiver, None) if answer.value().is_some() => {
                Next::Fail(SqlState::DATATYPE_MISMATCH)
            }
            // Not to be told as a reason: it has come since.
            (At::LookAtPayer, Some(balance)) if balance >= self.amount => self.again(At::Debit),
            (At::LookAtPayer, Some(_)) => Next::Rollback(Transferred::Insufficient),
            (At::LookAtPayer, None) => Next::Rollback(Transferred::NoSuchAccount(self.from)),
            (At::LookAtReceiver, Some(balance)) if balance <= self.room() => self.again(At::Credit),
            (At::LookAtReceiver, Some(_)) => Next::Rollback(Transferred::Overflow),
            (At::LookAtReceiver, None) => Next::Rollback(Transferred::NoSuchAccount(self.to)),
        }
    }
}
