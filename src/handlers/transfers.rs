//! Third floor, `handlers`: money moves whole, and no account is overdrawn. Imports
//! [`db`](crate::db) and its neighbours in `handlers`.

use super::{HandlerError, Next, ROUNDS, Tx, perform, transact};
use crate::db::{
    Column, Comparison, Database, Failure, Isolation, Select, SqlState, Table, Update, Way,
};

/// An account and its balance, in the smallest unit of the currency.
pub static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[Column::int("id"), Column::int("balance")],
    unique: Some("id"),
};

/// How the handler runs its statements. Its transfers never deadlock with one another. Other
/// programs' transactions may deadlock, and a server may run all transactions at a stricter level.
/// So it retries.
const WAY: Way = Way::within(Isolation::ReadCommitted).retrying(10);

/// The result of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transferred {
    /// The money is in the other account (200).
    Done,
    /// There is not enough money in the account (409). Nothing has changed.
    Insufficient,
    /// The receiving account cannot hold that much more: its balance would not fit in 64 bits
    /// (409). Nothing has changed.
    Overflow,
    /// There is no account with this id (404). Nothing was done.
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
    /// The database gave no answer.
    #[error(transparent)]
    Handler(#[from] HandlerError),
}

/// Moves money between accounts: the whole amount or nothing, and never more than there is.
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
/// For any number of concurrent requests, through any number of servers on one database, and
/// wherever one of them dies:
///
/// - the sum of all balances never changes, at any moment that anybody can see;
/// - no transfer takes a balance below zero;
/// - a request is told [`Transferred::Done`] exactly if the money moved, and
///   [`Transferred::Insufficient`] only if there was too little at some moment during the request;
/// - transfers never deadlock with one another, in whichever directions they go.
///
/// It needs a transaction at READ COMMITTED or above. One statement decides (`UPDATE … SET balance
/// = balance - … WHERE id = … AND balance >= …`), and its row is locked until the commit. The
/// account with the smaller id always comes first. If that is the receiver's, it is credited first,
/// and the transaction is rolled back if the payer then has too little.
///
/// # Its limits
///
/// - A connection that breaks while the database commits leaves open whether it did:
///   [`HandlerError::Unknown`]. To ask again might move the money twice, so look first.
/// - A request that is sent again is one more transfer. If clients may repeat requests, give each
///   request a key of its own, unique in a table, [in the same
///   transaction](super#more-in-the-same-transaction).
/// - It does not keep a rule over several accounts (that their *sum* must not fall below zero,
///   say). Each account is judged by itself.
/// - Its calls [block](super#in-an-async-handler).
#[derive(Clone, Debug)]
pub struct Accounts<D> {
    database: D,
}

impl<D: Database + Clone> Accounts<D> {
    /// Moves money in this database. A clone of `database` is another handle to the same rows.
    pub fn new(database: D) -> Self {
        Accounts { database }
    }

    /// Moves `amount` from one account to another, if there is enough money.
    ///
    /// # Errors
    ///
    /// [`TransferError::Amount`] and [`TransferError::SameAccount`] for an invalid transfer, and
    /// the errors of [`HandlerError`]. After [`HandlerError::Unknown`] the money may have moved.
    /// After any other error it has not.
    pub fn transfer(&self, from: i64, to: i64, amount: i64) -> Result<Transferred, TransferError> {
        let transfer = Transfer::new(from, to, amount)?;
        Ok(perform(&self.database, |database, session| {
            transact(database, session, WAY, |tx| transfer.perform(tx))
        })?)
    }
}

/// A valid payment: a positive amount, between two different accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transfer {
    from: i64,
    to: i64,
    amount: i64,
}

impl Transfer {
    /// A transfer of `amount`.
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
        Ok(Transfer { from, to, amount })
    }

    /// Debits if there is enough money and credits if there is room, the account with the smaller
    /// id first. This is a body, for [`transact`] within a transaction only.
    ///
    /// # Errors
    ///
    /// The database's error. `42804` if a balance is not an integer. `42P10` if several accounts
    /// share an id. `02000` if the row was there to be changed again and again, and was not
    /// changed.
    pub fn perform<D: Database>(self, tx: &mut Tx<'_, D>) -> Result<Next<Transferred>, Failure> {
        let debit_first = self.from < self.to;
        let mut rounds = 0;
        for debits in [debit_first, !debit_first] {
            while let Some(why_not) = self.half(tx, debits)? {
                // It has come since: not to be told as a reason.
                if why_not != Transferred::Done {
                    return Ok(Next::Rollback(why_not));
                }
                rounds += 1;
                if rounds > ROUNDS {
                    return Err(SqlState::NO_DATA.into());
                }
            }
        }
        Ok(Next::Commit(Transferred::Done))
    }

    /// The debit or the credit; where no row was changed, why not: `Done` if it could be by now.
    fn half<D: Database>(
        self,
        tx: &mut Tx<'_, D>,
        debits: bool,
    ) -> Result<Option<Transferred>, Failure> {
        let Transfer { from, to, amount } = self;
        // The highest balance to which the amount can still be added.
        let room = i64::MAX - amount;
        let (id, change, comparison, limit) = match debits {
            true => (from, -amount, Comparison::AtLeast, amount),
            false => (to, amount, Comparison::AtMost, room),
        };
        let update = Update::new(&ACCOUNTS).add("balance", change).filter("id", id);
        match tx.ask(update.condition("balance", comparison, limit))?.count() {
            0 => {}
            1 => return Ok(None),
            // Accounts that share an id.
            _ => return Err(tx.fail(SqlState::INVALID_COLUMN_REFERENCE)),
        }
        let seen = tx.ask(Select::columns(&ACCOUNTS, &["balance"]).filter("id", id))?;
        Ok(Some(match seen.value().map(|value| value.int()) {
            None => Transferred::NoSuchAccount(id),
            // A balance that is no number, in a table of somebody else's making.
            Some(None) => return Err(tx.fail(SqlState::DATATYPE_MISMATCH)),
            Some(Some(balance)) if debits && balance < amount => Transferred::Insufficient,
            Some(Some(balance)) if !debits && balance > room => Transferred::Overflow,
            Some(Some(_)) => Transferred::Done,
        }))
    }
}
