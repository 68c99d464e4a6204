//! The system of `order` and what is claimed of it. Fourth floor: imports
//! [`check`](crate::check), [`db`](crate::db) and its neighbours.

use std::sync::Arc;

use super::super::ends_with;
use super::super::request::{Requests, requests};
use super::{Actor, ORDER, Protocol, REFUNDS, Scene, Surroundings, Told};
use crate::check::{Local, State};
use crate::db::{Servers, Service, SimDb, SimSession, Table, Value};
use crate::handlers::PENDING;

type Simulated = Actor<SimSession>;
pub(super) type OrderSystem = Requests<Told>;
type OrderState<'a> = State<'a, Servers<SimDb>, Simulated>;

/// One pending order, and no refund.
fn furnished(protocol: Protocol) -> SimDb {
    let table = protocol.table();
    let columns = table.columns.iter().map(|column| match column.name {
        "id" => Value::from(ORDER),
        "status" => Value::from(PENDING),
        _ => Value::from(0),
    });
    let db = SimDb::new().with_table(table, [columns.collect()]);
    if protocol == Protocol::RefundInside { db.with_table(&REFUNDS, []) } else { db }
}

pub(super) fn system(scene: Scene) -> OrderSystem {
    let table = scene.protocol.table();
    let system =
        scene.clients().into_iter().fold(requests(furnished(scene.protocol)), |system, clients| {
            let (server, count) = clients;
            system.clients(count, scene.client(server))
        });
    let system = match scene.other() {
        Some((name, actor)) => system.actor(name, actor),
        None => system,
    };
    // The crash is nobody who could be late.
    let actors = system.actors().len() - usize::from(scene.around.server_dies());
    let mut system = system
        .at_most(1, "one-ending", |local| {
            local.output().filter(|told| told.is_ending()).map(|_| ())
        })
        .finally("told-the-truth", move |state| is_true(state, scene))
        .finally("no-server-error", |state| {
            !state.outputs().any(|told| matches!(told, Told::Failed(_)))
        })
        .reaches("somebody-cancels", ends_with(Told::Cancelled));
    if matches!(scene.around, Surroundings::Ship | Surroundings::UnlockedWriter) {
        system = system.reaches("it-is-shipped", ends_with(Told::Shipped));
    }
    let has_ended = move |state: &OrderState<'_>| status(state, table).as_deref() != Some(PENDING);
    if scene.around.server_dies() {
        system = system.reachable("dies-before-it-answers", move |state| {
            state.world().is_dead(0) && !state.outputs().any(Told::is_ending) && has_ended(state)
        });
    }
    if scene.around == Surroundings::AsksAgain {
        system = system
            .finally("refunded", move |state| !has_ended(state) || is_refunded(state, scene))
            // Nobody else has ended it: all others are still to be answered.
            .reachable("asks-again-after-its-own", move |state| {
                let mut locals = state.locals().filter_map(Local::running);
                let asks_again = locals.any(|request| request.server() == 1);
                asks_again && state.outputs().all(|told| *told == Told::Crashed) && has_ended(state)
            });
    }
    if actors > 1 {
        system = system.reaches("somebody-is-late", |local| {
            matches!(local.output(), Some(Told::NotPending(_) | Told::NoRow))
        });
    }
    system
}

/// The order's status.
fn status(state: &OrderState<'_>, table: &'static Table) -> Option<Arc<str>> {
    let rows = state.world().db.rows(table);
    table.column("status").and_then(|column| Some(rows.first()?.get(column)?.text()?.into()))
}

/// Whether somebody was told to have cancelled the order, and so refunds it; or a refund is written
/// down.
fn is_refunded(state: &OrderState<'_>, scene: Scene) -> bool {
    match scene.protocol {
        Protocol::RefundInside => !state.world().db.rows(&REFUNDS).is_empty(),
        _ => state.outputs().any(|told| *told == Told::Cancelled),
    }
}

/// Whether what the actors were told agrees with how the order stands in the end. Who was told nothing
/// may have ended it, whether it asked again or not.
fn is_true(state: &OrderState<'_>, scene: Scene) -> bool {
    let status = status(state, scene.protocol.table());
    let status = status.as_deref();
    let told = |told: &Told| state.outputs().filter(|output| *output == told).count();
    let endings = match status {
        Some(PENDING) => (0, 0),
        Some("cancelled") => (1, 0),
        Some("shipped") => (0, 1),
        _ => return false,
    };
    let others = state.outputs().all(|output| match output {
        // How an order ended stays so: whoever was told of it is still right.
        Told::NotPending(said) => Some(&**said) == status && status != Some(PENDING),
        Told::NoRow => status != Some(PENDING),
        Told::NoSuchOrder => false,
        Told::Cancelled | Told::Shipped | Told::Failed(_) | Told::Died | Told::Crashed => true,
    });
    let untold = match scene.around {
        Surroundings::AsksAgain => state.world().is_dead(0),
        _ => told(&Told::Died) > 0,
    };
    let unknown = usize::from(untold && told(&Told::Cancelled) == 0);
    let cancelled = told(&Told::Cancelled)..=told(&Told::Cancelled) + unknown;
    cancelled.contains(&endings.0) && told(&Told::Shipped) == endings.1 && others
}
