//! What the handlers of `transfer` ask the database, and what they tell. Fourth floor: imports
//! [`handlers`], [`db`](crate::db) and its neighbours.

use std::fmt;

use super::{CUSTOMERS, PAYMENTS};
use crate::db::{Comparison, Database, Failure, Insert, OnConflict, Select, SqlState, Update, row};
use crate::handlers::{self, ACCOUNTS, Next, Transferred, Tx};

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Payment {
    /// Whose money.
    pub from: i64,
    /// To whom.
    pub to: i64,
    /// How much.
    pub amount: i64,
}

impl fmt::Debug for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {}", self.amount, self.from, self.to)
    }
}

/// What an actor is told in the end.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// The money has moved.
    Paid(Payment),
    /// There was too little for this payment.
    Insufficient(Payment),
    /// It is not to be done: no such account, or no room there.
    Refused,
    /// The database had no answer (500).
    Failed(SqlState),
    /// Nothing: the server died, with this payment under way.
    Died(Payment),
    /// The crash: the server is dead.
    Crashed,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Paid(payment) => write!(f, "Paid({payment:?})"),
            Told::Insufficient(payment) => write!(f, "Insufficient({payment:?})"),
            Told::Refused => f.write_str("Refused"),
            Told::Failed(state) => write!(f, "500 ({state})"),
            Told::Died(payment) => write!(f, "Died({payment:?})"),
            Told::Crashed => f.write_str("Crashed"),
        }
    }
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        Told::Failed(failure.error.state)
    }
}

type Ends = Result<Next<Told>, Failure>;

/// What must not fall below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    /// The balance of each account.
    Balance,
    /// The sum of the customers' balances.
    Sum,
}

/// How an account is debited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Debit {
    /// Reads; sets the balance to what was read minus the amount.
    Set,
    /// Reads; subtracts the amount from whatever the balance is by then.
    Subtract,
    /// Locks the rows of all customers in the order of their ids and reads; subtracts.
    Locked,
    /// Subtracts if the balance is enough by itself. Where others count too, they are read before.
    Conditional,
    /// A negative control: that, and nobody looks at how many rows were changed.
    Blind,
    /// A negative control: subtracts.
    Unchecked,
    /// A negative control: reads, and says that it is too little, whatever was read.
    Refuses,
    /// As the shipping function does it, which also credits.
    Ordered,
    /// The same, where the key of the payment is new.
    Keyed,
    /// A negative control: the same, whether the key is new or not.
    KeyedBlindly,
}

impl Debit {
    /// Whether it looks at the balances first.
    fn reads(self, rule: Rule) -> bool {
        match self {
            Debit::Set | Debit::Subtract | Debit::Locked | Debit::Refuses => true,
            Debit::Conditional | Debit::Blind => rule == Rule::Sum,
            Debit::Unchecked | Debit::Ordered | Debit::Keyed | Debit::KeyedBlindly => false,
        }
    }

    /// Whether each payment has a key.
    pub(super) fn is_keyed(self) -> bool {
        matches!(self, Debit::Keyed | Debit::KeyedBlindly)
    }
}

/// A payment by the shipping function.
fn ordered<D: Database>(tx: &mut Tx<'_, D>, payment: Payment) -> Ends {
    let Payment { from, to, amount } = payment;
    let Ok(transfer) = handlers::Transfer::new(from, to, amount) else {
        return Ok(Next::Rollback(Told::Refused));
    };
    Ok(transfer.perform(tx)?.map(|end| match end {
        Transferred::Done => Told::Paid(payment),
        Transferred::Insufficient => Told::Insufficient(payment),
        Transferred::Overflow | Transferred::NoSuchAccount(_) => Told::Refused,
    }))
}

/// The same, in one transaction with the key of the payment. If the key is there, it was made before.
pub(super) fn keyed<D: Database>(
    tx: &mut Tx<'_, D>,
    payment: Payment,
    key: i64,
    looks: bool,
) -> Ends {
    let insert = Insert::new(&PAYMENTS, row([key.into()])).on_conflict(OnConflict::DoNothing);
    if tx.ask(insert)?.count() == 0 && looks {
        return Ok(Next::Rollback(Told::Paid(payment)));
    }
    ordered(tx, payment)
}

/// Debits in some way, then credits.
pub(super) fn paid<D: Database>(
    tx: &mut Tx<'_, D>,
    payment: Payment,
    rule: Rule,
    debit: Debit,
) -> Ends {
    let Payment { from, to, amount } = payment;
    let (mut own, mut others) = (0, 0);
    if debit.reads(rule) {
        let select = Select::columns(&ACCOUNTS, &["id", "balance"]);
        let select = match rule {
            Rule::Balance if debit != Debit::Locked => select.filter("id", from),
            // The account that is credited is locked as well: two who pay one another would
            // wait in a circle for it otherwise.
            _ => select.condition("id", Comparison::AtMost, CUSTOMERS),
        };
        let seen = tx.ask(if debit == Debit::Locked { select.for_update() } else { select })?;
        for row in seen.rows() {
            let mut numbers = row.iter().filter_map(|value| value.int());
            let (id, balance) = (numbers.next(), numbers.next().unwrap_or_default());
            *(if id == Some(from) { &mut own } else { &mut others }) += balance;
        }
        // What others have does not count where each is judged by itself.
        let counted = if rule == Rule::Sum { own + others } else { own };
        if counted < amount || debit == Debit::Refuses {
            return Ok(Next::Rollback(Told::Insufficient(payment)));
        }
    }
    let update = Update::new(&ACCOUNTS).filter("id", from);
    let debited = tx.ask(match debit {
        Debit::Ordered | Debit::Keyed | Debit::KeyedBlindly => return ordered(tx, payment),
        Debit::Set => update.set("balance", own - amount),
        Debit::Subtract | Debit::Locked | Debit::Unchecked | Debit::Refuses => {
            update.add("balance", -amount)
        }
        Debit::Conditional | Debit::Blind => update.add("balance", -amount).condition(
            "balance",
            Comparison::AtLeast,
            amount - others,
        ),
    })?;
    if debited.count() == 0 && debit == Debit::Conditional {
        return Ok(Next::Rollback(Told::Insufficient(payment)));
    }
    tx.ask(Update::new(&ACCOUNTS).add("balance", amount).filter("id", to))?;
    Ok(Next::Commit(Told::Paid(payment)))
}
