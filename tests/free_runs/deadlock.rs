//! The published mutex on one worker: it really stops, is counted, and ends.

use toctou::db::{PostgresDb, SqliteDb};
use toctou::direct::Held;
use toctou::replay::FreeDb;

use super::{count, on, stressed};

/// Lets the published fix loose on one worker; in how many rounds that was stopped by itself, until it
/// was `enough` times.
fn deadlocks<D: FreeDb<Session: Held>>(
    clients: usize,
    enough: usize,
    most_rounds: usize,
) -> Option<usize> {
    let case = on::<D>(("order", "process-mutex", "one-worker", clients));
    let what = format!("process-mutex on one worker, {clients} clients");
    let (mut deadlocks, mut rounds) = (0, 0);
    while deadlocks < enough && rounds < most_rounds {
        let stress = stressed(&what, &*case, 200)?;
        deadlocks += count(&stress, "deadlock-free");
        rounds += stress.rounds;
        // A round ends in a deadlock, or well.
        let others = stress.violations.iter().filter(|(name, _)| name != "deadlock-free");
        assert_eq!(others.map(|(_, broken)| broken).sum::<usize>(), 0, "{what}: {stress:?}");
    }
    println!("{what}: {deadlocks} of {rounds}");
    Some(deadlocks)
}

/// More often than there are sessions in the pool: so those who were stopped have given theirs back.
const ENOUGH: usize = 12;

#[test]
fn a_mutex_held_across_an_await_stops_the_worker_and_each_time_is_counted() {
    for clients in [2, 3] {
        let Some(deadlocks) = deadlocks::<PostgresDb>(clients, ENOUGH, 6_000) else { return };
        assert!(deadlocks >= ENOUGH, "{deadlocks}");
    }
}

/// There chance may or may not find it.
#[test]
fn on_sqlite_whatever_comes_of_it_the_rounds_end() {
    for clients in [2, 3] {
        deadlocks::<SqliteDb>(clients, ENOUGH, 3_000);
    }
}

#[test]
fn a_thread_for_each_request_is_never_stopped_nor_is_one_worker_without_the_mutex() {
    for system in [
        ("order", "process-mutex", "cancels", 3),
        ("order", "check-then-update", "one-worker", 3),
        ("transfer", "process-mutex", "both-ways", 3),
    ] {
        let stress = on::<SqliteDb>(system).stress(0, 1_000).expect("SQLite is compiled in");
        assert_eq!(count(&stress, "deadlock-free"), 0, "{system:?}: {stress:?}");
    }
}
