//! The shipping machine proved for so many clients, and each of its parts left out or weakened: then
//! something breaks, and it is known what.

use toctou::check::{Checker, GraphOptions, Report, System, Verdict};
use toctou::db::{SimDb, SimSession};
use toctou::direct::Code;
use toctou::handlers::API_KEYS;
use toctou::models::api_key::{Client, USERS, claimed, handle};

use super::flaky::{Flaky, Mistake};
use super::{case, graph, verdict};

const SHIPS: &str = "on-conflict-returning";
/// Where it ships: the constraint, and no transaction.
const WHERE: &str = "unique-autocommit";

#[test]
fn what_ships_keeps_every_promise_with_up_to_eight_clients_of_one_user_and_of_two() {
    for scenario in [WHERE, "two-users-autocommit"] {
        for clients in 1..=8 {
            let report = case(SHIPS, scenario, clients).check(&graph());
            assert!(report.exhaustive() && report.holds(), "{scenario} {clients}");
            let companions = ["somebody-is-told", "somebody-is-late"];
            let claimed = companions.iter().filter(|name| report.finding(name).is_some()).count();
            // With two users, the third request is the first that can be late.
            let late_from = if scenario == WHERE { 2 } else { 3 };
            assert_eq!(claimed, if clients >= late_from { 2 } else { 1 });
        }
    }
}

/// The shipping machine, each client with a key of its own, over a world that makes a mistake of it.
fn mistaken(mistake: Option<Mistake>, clients: usize) -> Report {
    let mut world = Flaky::new(SimDb::new().with_table(&API_KEYS, []), &[]);
    if let Some(mistake) = mistake {
        world = world.mistaken(mistake);
    }
    let user = USERS[0];
    let mut system: System<Flaky<SimDb>, Client<SimSession>> = System::new(world);
    for number in 0..clients {
        let key = format!("key-{number}");
        let client = Code::session(SimSession::new(), move |db, session| {
            handle(db, session, (SHIPS, WHERE), user, &key).expect("a variant")
        });
        system = system.actor(format!("client {number}"), client);
    }
    let system = claimed(system, &vec![user; clients], |world| &world.db);
    Checker::new(system).graph(&GraphOptions::default())
}

#[test]
fn whatever_is_left_out_of_it_or_weakened_breaks_it() {
    assert!(mistaken(None, 3).holds(), "it is the mistake that breaks it");
    for (mistake, from, broken) in [
        (Mistake::NoOnConflict, 2, &["no-server-error", "somebody-is-late"][..]),
        (Mistake::Overwrites, 2, &["key-is-valid", "creator-told", "one-creator"]),
        (Mistake::NoReturning, 1, &["creator-told", "somebody-is-told"]),
        (Mistake::TrustsTheInsert, 2, &["key-is-valid", "creator-told", "one-creator"]),
        (Mistake::LooksInstead, 1, &["key-is-valid"]),
        (Mistake::OtherUser, 1, &["key-is-valid"]),
    ] {
        for clients in 1..=3 {
            let report = mistaken(Some(mistake), clients);
            assert!(report.exhaustive());
            for property in broken {
                let Some(finding) = report.finding(property) else { continue };
                let violated = matches!(finding.verdict, Verdict::Violated(_));
                assert_eq!(violated, clients >= from, "{mistake:?} {property} {clients}");
            }
        }
    }
}

/// A request that is not sent again looks only that there is a key: whose it is, is for the faults' tests.
#[test]
fn without_a_fault_it_makes_no_difference_whose_key_it_finds() {
    let report = mistaken(Some(Mistake::NeverLooks), 3);
    assert!(report.holds());
    assert!(matches!(verdict(&report, "somebody-is-told"), Verdict::Holds(_)));
}
