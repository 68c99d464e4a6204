//! What the handlers of `transfer` ask the database, and what they tell. Fourth floor: imports
//! [`handlers`], [`db`](crate::db) and its neighbours.

use std::fmt;

use super::super::request::{End, Request};
use super::CUSTOMERS;
use crate::db::{
    Answer, Body, Comparison, Next, Select, Servers, Service, SimDb, SimSession, SqlState,
    Statement, Update,
};
use crate::handlers::{self, ACCOUNTS, Transferred};
use crate::{Process, Step};

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
}

/// What a handler asks the database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Handling {
    /// The shipping body.
    Ships(Payment, handlers::Transfer),
    /// One of the others.
    Checked(Checked),
    /// Not even asked.
    Refused,
}

/// Debits in some way, then credits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checked {
    payment: Payment,
    rule: Rule,
    debit: Debit,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Read,
    /// What was read: the balance of the payer, and of the others that count.
    Debit {
        own: i64,
        others: i64,
    },
    Credit,
}

impl Checked {
    pub(super) fn new(payment: Payment, rule: Rule, debit: Debit) -> Self {
        let reads = match debit {
            Debit::Set | Debit::Subtract | Debit::Locked | Debit::Refuses => true,
            Debit::Conditional | Debit::Blind => rule == Rule::Sum,
            Debit::Unchecked => false,
        };
        let at = if reads { At::Read } else { At::Debit { own: 0, others: 0 } };
        Checked { payment, rule, debit, at }
    }

    fn statement(&self) -> Statement {
        let Payment { from, to, amount } = self.payment;
        let update = Update::new(&ACCOUNTS);
        match self.at {
            At::Read => {
                let select = Select::columns(&ACCOUNTS, &["id", "balance"]);
                let select = match (self.rule, self.debit) {
                    (Rule::Balance, debit) if debit != Debit::Locked => select.filter("id", from),
                    // The account that is credited is locked as well: two who pay one another would
                    // wait in a circle for it otherwise.
                    _ => select.condition("id", Comparison::AtMost, CUSTOMERS),
                };
                if self.debit == Debit::Locked { select.for_update() } else { select }.into()
            }
            At::Debit { own, others } => match self.debit {
                Debit::Set => update.set("balance", own - amount).filter("id", from).into(),
                Debit::Subtract | Debit::Locked | Debit::Unchecked | Debit::Refuses => {
                    update.add("balance", -amount).filter("id", from).into()
                }
                Debit::Conditional | Debit::Blind => update
                    .add("balance", -amount)
                    .filter("id", from)
                    .condition("balance", Comparison::AtLeast, amount - others)
                    .into(),
            },
            At::Credit => update.add("balance", amount).filter("id", to).into(),
        }
    }

    fn answered(self, answer: Answer) -> Next<Handling, Told> {
        let ask = |at| Next::Ask(Handling::Checked(Checked { at, ..self }));
        match self.at {
            At::Read => {
                let (mut own, mut others) = (0, 0);
                for row in answer.rows() {
                    let mut numbers = row.iter().filter_map(|value| value.int());
                    let (id, balance) = (numbers.next(), numbers.next().unwrap_or_default());
                    *(if id == Some(self.payment.from) { &mut own } else { &mut others }) +=
                        balance;
                }
                // What others have does not count where each is judged by itself.
                let counted = if self.rule == Rule::Sum { own + others } else { own };
                match counted < self.payment.amount || self.debit == Debit::Refuses {
                    true => Next::Rollback(Told::Insufficient(self.payment)),
                    false => ask(At::Debit { own, others }),
                }
            }
            At::Debit { .. } if answer.count() == 0 && self.debit == Debit::Conditional => {
                Next::Rollback(Told::Insufficient(self.payment))
            }
            At::Debit { .. } => ask(At::Credit),
            At::Credit => Next::Commit(Told::Paid(self.payment)),
        }
    }
}

impl Handling {
    /// The shipping body.
    pub(super) fn ships(payment: Payment) -> Self {
        match handlers::Transfer::new(payment.from, payment.to, payment.amount) {
            Ok(transfer) => Handling::Ships(payment, transfer),
            Err(_) => Handling::Refused,
        }
    }
}

impl Body for Handling {
    type Output = Told;

    fn statement(&self) -> Statement {
        match self {
            Handling::Ships(_, body) => body.statement(),
            Handling::Checked(body) => body.statement(),
            Handling::Refused => Select::exists(&ACCOUNTS).into(),
        }
    }

    fn answered(self, answer: Answer) -> Next<Self, Told> {
        match self {
            Handling::Ships(payment, body) => {
                let next = body.answered(answer);
                next.map(|body| Handling::Ships(payment, body), |end| told(payment, end))
            }
            Handling::Checked(body) => body.answered(answer),
            Handling::Refused => Next::Rollback(Told::Refused),
        }
    }
}

fn told(payment: Payment, end: Transferred) -> Told {
    match end {
        Transferred::Done => Told::Paid(payment),
        Transferred::Insufficient => Told::Insufficient(payment),
        Transferred::Overflow | Transferred::NoSuchAccount(_) => Told::Refused,
    }
}

/// Anybody who acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor<S> {
    /// A request, and what its sender is told.
    Request(Payment, Request<S, Handling>),
    /// At some moment the server dies.
    Crash,
}

impl Actor<SimSession> {
    /// Whether it cannot go on before `other` does.
    pub fn waits_for(&self, other: &Self, world: &Servers<SimDb>) -> bool {
        match (self, other) {
            (Actor::Request(_, one), Actor::Request(_, other)) => one.waits_for(other, world),
            _ => false,
        }
    }
}

impl<W: Service> Process<W> for Actor<W::Session> {
    type Output = Told;

    fn step(self, world: &mut W) -> Step<Self, Told> {
        let Actor::Request(payment, request) = self else {
            world.kill(0);
            return Step::Done(Told::Crashed);
        };
        request.step(world).map(|request| Actor::Request(payment, request)).and_then(|end| {
            Step::Done(match end {
                End::Answered(Ok(told)) => told,
                End::Answered(Err(failure)) => Told::Failed(failure.error.state),
                End::Died => Told::Died(payment),
            })
        })
    }
}
