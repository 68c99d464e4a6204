//! The system of `order` and what is claimed of it. Fourth floor: imports
//! [`check`](crate::check), [`db`](crate::db) and its neighbours.

use super::super::ends_with;
use super::super::request::{Requests, requests};
use super::{Actor, ORDER, Scene, Surroundings, Told};
use crate::check::State;
use crate::db::{Servers, Service, SimDb, SimSession, Table, Value};
use crate::handlers::{Ending, PENDING};

type Simulated = Actor<SimSession>;
pub(super) type OrderSystem = Requests<Told>;
type OrderState<'a> = State<'a, Servers<SimDb>, Simulated>;

/// One pending order.
fn furnished(table: &'static Table) -> SimDb {
    let columns = table.columns.iter().map(|column| match column.name {
        "id" => Value::from(ORDER),
        "status" => Value::from(PENDING),
        _ => Value::from(0),
    });
    SimDb::new().with_table(table, [columns.collect()])
}

pub(super) fn system(scene: Scene) -> OrderSystem {
    let table = scene.protocol.table();
    let system =
        scene.clients().into_iter().fold(requests(furnished(table)), |system, (server, count)| {
            system.clients(count, scene.request(Ending::Cancel, server))
        });
    let system = match scene.other() {
        Some((name, actor)) => system.actor(name, actor),
        None => system,
    };
    // The crash is nobody who could be late.
    let actors = system.actors().len() - usize::from(scene.around == Surroundings::Crash);
    let mut system = system
        .at_most(1, "one-ending", |local| {
            local.output().filter(|told| told.is_ending()).map(|_| ())
        })
        .finally("told-the-truth", move |state| is_true(state, table))
        .finally("no-server-error", |state| {
            !state.outputs().any(|told| matches!(told, Told::Failed(_)))
        })
        .reaches("somebody-cancels", ends_with(Told::Cancelled));
    if matches!(scene.around, Surroundings::Ship | Surroundings::UnlockedWriter) {
        system = system.reaches("it-is-shipped", ends_with(Told::Shipped));
    }
    if scene.around == Surroundings::Crash {
        system = system.reachable("dies-before-it-answers", move |state| {
            let ended = |told: &Told| told.is_ending();
            let is_pending = |row: &[Value]| row.iter().any(|value| value.text() == Some(PENDING));
            let rows = state.world().db.rows(table);
            state.world().is_dead(0)
                && !state.outputs().any(ended)
                && !rows.iter().any(|row| is_pending(row))
        });
    }
    if actors > 1 {
        system = system.reaches("somebody-is-late", |local| {
            matches!(local.output(), Some(Told::NotPending(_) | Told::NoRow))
        });
    }
    system
}

/// Whether what the actors were told agrees with how the order stands in the end.
fn is_true(state: &OrderState<'_>, table: &'static Table) -> bool {
    let rows = state.world().db.rows(table);
    let status = table.column("status").and_then(|column| rows.first()?.get(column)?.text());
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
    // Who was told nothing may have ended it.
    let unknown = usize::from(told(&Told::Died) > 0 && told(&Told::Cancelled) == 0);
    let cancelled = told(&Told::Cancelled)..=told(&Told::Cancelled) + unknown;
    cancelled.contains(&endings.0) && told(&Told::Shipped) == endings.1 && others
}
