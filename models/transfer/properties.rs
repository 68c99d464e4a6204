//! The system of `transfer` and what is claimed of it. Fourth floor: imports
//! [`check`](crate::check), [`db`](crate::db) and its neighbours.

use super::bodies::{Actor, Payment, Rule, Told};
use super::{CUSTOMERS, Protocol, Surroundings};
use crate::check::{Local, State, System};
use crate::db::{Servers, SimDb, SimSession, row};
use crate::handlers::ACCOUNTS;
use crate::recorded::recorded_step;

type Simulated = Actor<SimSession>;
pub(super) type TransferSystem = System<Servers<SimDb>, Simulated>;
type TransferState<'a> = State<'a, Servers<SimDb>, Simulated>;

impl Surroundings {
    fn rule(self) -> Rule {
        if self == Surroundings::Sum { Rule::Sum } else { Rule::Balance }
    }

    /// What is in the accounts at first: there is not enough for two who want the same.
    fn balances(self, clients: usize) -> Vec<i64> {
        match self {
            Surroundings::Out | Surroundings::Crash => vec![1, 0],
            Surroundings::BothWays => vec![1, 1],
            // A till for each: payments to the same one would be in each other's way.
            Surroundings::Sum => [1, 1].into_iter().chain((0..clients).map(|_| 0)).collect(),
        }
    }

    fn payment(self, client: usize) -> Payment {
        let (there, back) =
            (Payment { from: 1, to: 2, amount: 1 }, Payment { from: 2, to: 1, amount: 1 });
        match self {
            Surroundings::Out | Surroundings::Crash => there,
            Surroundings::BothWays => [there, back][client % 2],
            Surroundings::Sum => {
                let client = i64::try_from(client).unwrap_or_default();
                Payment { from: 1 + client % 2, to: CUSTOMERS + 1 + client, amount: 2 }
            }
        }
    }
}

pub(super) fn system(protocol: Protocol, around: Surroundings, clients: usize) -> TransferSystem {
    let balances = around.balances(clients);
    let rows = (1..).zip(&balances).map(|(id, balance)| row([id.into(), (*balance).into()]));
    let db = SimDb::new().with_table(&ACCOUNTS, rows);
    let system = System::new(Servers::new(db, 1))
        .described_by(recorded_step)
        .waits_for(|world, actor, other| actor.waits_for(other, world));
    let client = |number| {
        protocol.request(SimSession::new(), around.payment(number), around.rule())
    };
    let system = match around {
        Surroundings::Out => system.clients(clients, client(0)),
        Surroundings::BothWays => {
            system.clients(clients.div_ceil(2), client(0)).clients(clients / 2, client(1))
        }
        Surroundings::Sum => (0..clients).fold(system, |system, number| {
            system.actor(format!("client {}", number + 1), client(number))
        }),
        Surroundings::Crash => system.clients(clients, client(0)).actor("crash", Actor::Crash),
    };
    with_properties(system, around, clients, balances)
}

fn with_properties(
    system: TransferSystem,
    around: Surroundings,
    clients: usize,
    first: Vec<i64>,
) -> TransferSystem {
    let total: i64 = first.iter().sum();
    let system = system
        .always("no-overdraft", move |state| match around.rule() {
            Rule::Balance => balances(state).iter().all(|balance| *balance >= 0),
            Rule::Sum => customers(state) >= 0,
        })
        .always("conserved-at-every-commit", move |state| {
            balances(state).iter().sum::<i64>() == total
        })
        .finally("money-conserved", move |state| balances(state).iter().sum::<i64>() == total)
        .finally("told-the-truth", move |state| is_true(state, around, &first))
        .finally("no-server-error", |state| {
            !state.outputs().any(|told| matches!(told, Told::Failed(_)))
        })
        .reaches("somebody-pays", |local| matches!(local, Local::Done(Told::Paid(_))));
    let system = match around {
        Surroundings::Crash => {
            system.reaches("somebody-dies", |local| matches!(local, Local::Done(Told::Died(_))))
        }
        _ => system,
    };
    match (around, clients) {
        (_, 1) => system,
        (Surroundings::BothWays, _) => system.reachable("both-pay", |state| {
            state.outputs().filter(|told| matches!(told, Told::Paid(_))).count() > 1
        }),
        _ => system.reaches("somebody-is-refused", |local| {
            matches!(local, Local::Done(Told::Insufficient))
        }),
    }
}

/// The committed balances, by account.
fn balances(state: &TransferState<'_>) -> Vec<i64> {
    let rows = state.world().db.rows(&ACCOUNTS);
    rows.iter().filter_map(|row| row.get(1)?.int()).collect()
}

/// What the customers have together.
fn customers(state: &TransferState<'_>) -> i64 {
    (1..=CUSTOMERS).zip(balances(state)).map(|(_, balance)| balance).sum()
}

/// Whether what the actors were told agrees with what is in the accounts in the end. Of a payment
/// whose server died it is unknown whether it was made; but not, that half of it was.
fn is_true(state: &TransferState<'_>, around: Surroundings, first: &[i64]) -> bool {
    let paid = |told: &Told| match told {
        Told::Paid(payment) => Some(*payment),
        _ => None,
    };
    let mut expected = first.to_vec();
    pay(&mut expected, state.outputs().filter_map(paid));
    let dead: Vec<_> = state
        .outputs()
        .filter_map(|told| match told {
            Told::Died(payment) => Some(*payment),
            _ => None,
        })
        .collect();
    let found = balances(state);
    // They are all alike: how many of them were made is all there is to it.
    let made = (0..=dead.len()).any(|made| {
        let mut balances = expected.clone();
        pay(&mut balances, dead[..made].iter().copied());
        balances == found
    });
    let amount = around.payment(0).amount;
    let refused = state.outputs().any(|told| *told == Told::Insufficient);
    // Where money only goes out, there is still too little for who was told so.
    let rightly = match around {
        Surroundings::BothWays => true,
        Surroundings::Out | Surroundings::Crash => found.first() < Some(&amount),
        Surroundings::Sum => customers(state) < amount,
    };
    made && (rightly || !refused) && !state.outputs().any(|told| *told == Told::Refused)
}

fn pay(balances: &mut [i64], payments: impl Iterator<Item = Payment>) {
    let place = |id: i64| usize::try_from(id - 1).unwrap_or(usize::MAX);
    for Payment { from, to, amount } in payments {
        for (id, amount) in [(from, -amount), (to, amount)] {
            if let Some(balance) = balances.get_mut(place(id)) {
                *balance += amount;
            }
        }
    }
}
