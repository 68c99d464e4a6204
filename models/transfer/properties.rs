//! The system of `transfer` and what is claimed of it. Fourth floor: imports
//! [`check`](crate::check), [`db`](crate::db) and its neighbours.

use super::super::request::{Requests, crash, requests};
use super::bodies::Rule;
use super::{Actor, CUSTOMERS, PAYMENTS, Payment, Scene, Surroundings, Told};
use crate::check::{Local, State};
use crate::db::{Servers, Service, SimDb, SimSession, row};
use crate::handlers::ACCOUNTS;

type Simulated = Actor<SimSession>;
pub(super) type TransferSystem = Requests<Told>;
type TransferState<'a> = State<'a, Servers<SimDb>, Simulated>;

pub(super) fn system(scene: Scene) -> TransferSystem {
    let Scene { around, clients, .. } = scene;
    let rows = (1..).zip(scene.balances()).map(|(id, balance)| row([id.into(), balance.into()]));
    let db = SimDb::new().with_table(&ACCOUNTS, rows);
    let is_keyed = scene.protocol.debit.is_keyed();
    let system = requests(if is_keyed { db.with_table(&PAYMENTS, []) } else { db });
    let client = |number| scene.client(number);
    let system = match around {
        // Each has a key of its own, so they are not identical.
        _ if is_keyed => named_clients(system, scene),
        Surroundings::Out | Surroundings::AsksAgain => system.clients(clients, client(0)),
        Surroundings::BothWays => system
            .clients(clients.div_ceil(2), client(0))
            .clients(clients / 2, client(clients.saturating_sub(1))),
        // Each has a till of its own, so they are not identical.
        Surroundings::Sum => named_clients(system, scene),
        Surroundings::Crash => {
            let others = (0..clients).filter(|number| scene.server(*number) > 0).count();
            let system = system.clients(clients - others, client(0));
            system.clients(others, client(clients.saturating_sub(1)))
        }
    };
    let system = match around.server_dies() {
        true => system.actor("crash", crash(Told::Crashed)),
        false => system,
    };
    let first = scene.balances();
    let total: i64 = first.iter().sum();
    let conserved = move |state: &TransferState<'_>| balances(state).iter().sum::<i64>() == total;
    let mut system = system
        .always("no-overdraft", move |state| match scene.rule() {
            Rule::Balance => balances(state).iter().all(|balance| *balance >= 0),
            Rule::Sum => customers(state) >= 0,
        })
        .always("conserved-at-every-commit", conserved)
        .finally("money-conserved", conserved)
        .finally("told-the-truth", move |state| is_true(state, scene, &first))
        .finally("no-server-error", |state| {
            !state.outputs().any(|told| matches!(told, Told::Failed(_)))
        })
        .reaches("somebody-pays", |local| local.output().is_some_and(is_paid));
    if around.server_dies() {
        // The server is dead, and somebody had begun and not finished.
        system = system.reachable("dies-halfway", move |state| {
            let servers = state.world();
            servers.is_dead(0) && !(servers.db.is_idle() && conserved(state))
        });
        // The money has moved, and nobody was told.
        let first = scene.balances();
        system = system.reachable("dies-before-it-answers", move |state| {
            state.world().is_dead(0) && balances(state) != first && !state.outputs().any(is_paid)
        });
    }
    if around == Surroundings::AsksAgain {
        let first = scene.balances();
        system = system
            .finally("paid-once", move |state| {
                usize::try_from(payments(state, scene)).is_ok_and(|made| made <= clients)
            })
            // Nobody has been told that the money has moved.
            .reachable("asks-again-after-its-own", move |state| {
                let mut locals = state.locals().filter_map(Local::running);
                let asks_again = locals.any(|request| request.server() == 1);
                asks_again && !state.outputs().any(is_paid) && balances(state) != first
            });
    }
    if around == Surroundings::Crash && clients > 1 {
        // It is there to pay, so to be `deadlock-free` says that what the dead server had begun is
        // undone: whoever lives would wait for its locks for ever.
        system = system.reachable("a-survivor-pays", move |state| {
            let count = |it: fn(&Told) -> bool| state.outputs().filter(|told| it(told)).count();
            count(|told| matches!(told, Told::Died(_))) == clients - 1 && count(is_paid) == 1
        });
    }
    if clients == 1 || around == Surroundings::AsksAgain {
        return system;
    }
    match around {
        Surroundings::BothWays => system.reachable("both-pay", |state| {
            state.outputs().filter(|told| is_paid(told)).count() > 1
        }),
        _ => system.reaches("somebody-is-refused", |local| {
            matches!(local.output(), Some(Told::Insufficient(_)))
        }),
    }
}

/// Each client by a name of its own.
fn named_clients(system: TransferSystem, scene: Scene) -> TransferSystem {
    (0..scene.clients).fold(system, |system, number| {
        system.actor(format!("client {}", number + 1), scene.client(number))
    })
}

fn is_paid(told: &Told) -> bool {
    matches!(told, Told::Paid(_))
}

/// The committed balances, by account.
fn balances(state: &TransferState<'_>) -> Vec<i64> {
    let rows = state.world().db.rows(&ACCOUNTS);
    rows.iter().filter_map(|row| row.get(1)?.int()).collect()
}

/// How many payments have left the first account.
fn payments(state: &TransferState<'_>, scene: Scene) -> i64 {
    let (first, found) = (scene.balances(), balances(state));
    first.iter().zip(&found).take(1).map(|(first, found)| first - found).sum()
}

/// What the customers have together.
fn customers(state: &TransferState<'_>) -> i64 {
    (1..=CUSTOMERS).zip(balances(state)).map(|(_, balance)| balance).sum()
}

/// Whether what the actors were told agrees with what is in the accounts in the end. Of a payment
/// whose server died it is unknown whether it was made, also if it was asked for again; but not, that
/// half of it was.
fn is_true(state: &TransferState<'_>, scene: Scene, first: &[i64]) -> bool {
    let paid = |told: &Told| match told {
        Told::Paid(payment) => Some(*payment),
        _ => None,
    };
    let mut expected = first.to_vec();
    pay(&mut expected, state.outputs().filter_map(paid));
    let died = |told: &Told| match told {
        Told::Died(payment) => Some(*payment),
        _ => None,
    };
    let dead: Vec<_> = match scene.around {
        Surroundings::AsksAgain if state.world().is_dead(0) => {
            vec![scene.payment(0); scene.clients]
        }
        _ => state.outputs().filter_map(died).collect(),
    };
    let found = balances(state);
    // They are all alike: how many of them were made is all there is to it.
    let made = (0..=dead.len()).any(|made| {
        let mut balances = expected.clone();
        pay(&mut balances, dead[..made].iter().copied());
        balances == found
    });
    let amount = scene.payment(0).amount;
    let rightly = |refused: &Payment| match scene.around {
        // There was enough at first: another payment has to have left the account before. (Whether it
        // was back already when the account was looked at, the end does not tell.)
        Surroundings::BothWays => {
            state.outputs().filter_map(paid).any(|payment| payment.from == refused.from)
        }
        // Where money only goes out, there is still too little for who was told so.
        Surroundings::Out | Surroundings::Crash | Surroundings::AsksAgain => {
            found.first() < Some(&amount)
        }
        Surroundings::Sum => customers(state) < amount,
    };
    let truly_refused = state.outputs().all(|told| match told {
        Told::Insufficient(payment) => rightly(payment),
        _ => true,
    });
    made && truly_refused && !state.outputs().any(|told| *told == Told::Refused)
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
