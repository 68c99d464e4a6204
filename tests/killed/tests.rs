//! The tests: all schedules of a claim with a put, random ones, and what would be found out.

use std::collections::BTreeMap;

use toctou::store::{Durability, Mechanism};
use toctou::writer::Options;

use crate::draw::Draw;
use crate::real::{Arena, ends_with_its_tracer};
use crate::roles::{Role, Scene};
use crate::schedule::{Event, Outcome, Schedule};
use crate::shipped::{has_own_name, without_names};
use crate::simulated::{Simulated, all};

/// All tests.
pub(crate) const ALL: &[(&str, fn())] = &[
    (
        "every_schedule_of_a_claim_with_a_put_ends_as_in_the_simulation",
        every_schedule_of_a_claim_with_a_put_ends_as_in_the_simulation,
    ),
    ("random_schedules_end_as_in_the_simulation", random_schedules_end_as_in_the_simulation),
    (
        "what_ships_makes_the_same_calls_and_leaves_the_same_wherever_it_is_killed",
        what_ships_makes_the_same_calls_and_leaves_the_same_wherever_it_is_killed,
    ),
    (
        "a_victim_that_dies_one_call_later_is_found_out",
        a_victim_that_dies_one_call_later_is_found_out,
    ),
    ("a_recovery_that_is_left_out_is_found_out", a_recovery_that_is_left_out_is_found_out),
    (
        "a_process_ends_when_the_test_that_started_it_dies",
        a_process_ends_when_the_test_that_started_it_dies,
    ),
];

/// Whether there is content, whether the put replaces it, and how many schedules there are for each promise.
type Beginning = (bool, bool, usize);

const PROMISES: [(Durability, [Beginning; 3]); 3] = [
    (Durability::None, [(false, false, 36), (true, false, 290), (true, true, 264)]),
    (Durability::AtMostOnce, [(false, false, 38), (true, false, 656), (true, true, 613)]),
    (Durability::NothingLost, [(false, false, 36), (true, false, 290), (true, true, 264)]),
];

/// One claim with one put: of each promise, where nothing is there, where the put finds content, and where it
/// replaces content. With each, all schedules.
fn claims_with_puts() -> Vec<(Scene, Vec<Schedule>)> {
    let mechanism = Mechanism::RenameUnique;
    let mut scenes = Vec::new();
    for (durability, beginnings) in PROMISES {
        for (has_content, replace, count) in beginnings {
            let roles = vec![
                Role::Claim { token: "claim".to_owned(), mechanism, durability },
                Role::Put { token: "second".to_owned(), replace, durable: false },
            ];
            let (has_file, write_limit) = (false, None);
            let scene = Scene { has_content, has_file, write_limit, mechanism, durability, roles };
            let schedules = all(&scene);
            assert_eq!(schedules.len(), count, "{scene:?}");
            scenes.push((scene, schedules));
        }
    }
    scenes
}

/// Performs a schedule here and in the simulation. Both have to come to the same.
fn compared(arena: &mut Arena, scene: &Scene, schedule: &Schedule) -> Outcome {
    let (simulated, real) = (Simulated::outcome(scene, schedule), arena.perform(scene, schedule));
    let differs = simulated.differs(&real);
    assert!(differs.is_empty(), "{scene:#?}\nschedule: {schedule}\n{}", differs.join("\n"));
    real
}

fn every_schedule_of_a_claim_with_a_put_ends_as_in_the_simulation() {
    let (mut arena, mut count, mut killed) = (Arena::new(), 0, 0);
    for (scene, schedules) in claims_with_puts() {
        for schedule in &schedules {
            compared(&mut arena, &scene, schedule);
            count += 1;
            killed += usize::from(!schedule.kills().is_empty());
        }
    }
    assert_eq!((count, killed), (2487, 1988));
}

/// How many random schedules there are.
const RANDOM: usize = 2000;

fn random_schedules_end_as_in_the_simulation() {
    let (mut arena, mut seen) = (Arena::new(), BTreeMap::<String, usize>::new());
    for index in 0..RANDOM {
        let mut draw = Draw::new(index);
        let scene = draw.scene();
        let schedule = draw.schedule(&scene);
        let outcome = compared(&mut arena, &scene, &schedule);
        for what in told(&scene, &schedule, &outcome) {
            *seen.entry(what).or_default() += 1;
        }
    }
    for (what, least) in SHARES {
        let count = seen.get(*what).copied().unwrap_or_default();
        assert!(
            count >= *least,
            "{what}: {count} of {RANDOM} schedules, and {least} were expected"
        );
    }
}

/// How often each of these happens at least.
const SHARES: &[(&str, usize)] = &[
    ("somebody is killed amid their calls", 1200),
    ("nobody is killed", 300),
    ("several are killed", 600),
    ("a claim is killed amid its calls", 350),
    ("a put is killed amid its calls", 110),
    ("a durable put is killed amid its calls", 120),
    ("an expiry is killed amid its calls", 80),
    ("a durable expiry is killed amid its calls", 80),
    ("a writer is killed amid its calls", 180),
    ("a writer by name is killed amid its calls", 70),
    ("a replacing writer is killed amid its calls", 300),
    ("a reader is killed amid its calls", 100),
    ("a recovery is killed amid its calls", 550),
    ("a recovery changes something", 270),
    ("a process waits for a lock", 20),
    ("writes are short", 600),
    ("1 processes", 350),
    ("2 processes", 1100),
    ("3 processes", 350),
    ("RenameUnique", 300),
    ("RenameFixed", 300),
    ("UnlinkDecides", 300),
    ("ClaimFile", 300),
    ("AdvisoryLock", 300),
    ("None", 700),
    ("AtMostOnce", 700),
    ("NothingLost", 250),
];

/// What happens in a schedule that is worth to be counted.
fn told(scene: &Scene, schedule: &Schedule, outcome: &Outcome) -> Vec<String> {
    let kills = schedule.kills();
    let amid: Vec<_> = kills.iter().filter(|(_, calls)| *calls > 0).collect();
    let mut told = vec![
        format!("{:?}", scene.mechanism),
        format!("{:?}", scene.durability),
        format!("{} processes", scene.roles.len()),
    ];
    let mut add = |what: &str, happens: bool| told.extend(happens.then(|| what.to_owned()));
    add("nobody is killed", kills.is_empty());
    add("several are killed", kills.len() > 1);
    add("somebody is killed amid their calls", !amid.is_empty());
    add("writes are short", scene.write_limit.is_some());
    let waits = |event: &Event| matches!(event, Event::Waits(_));
    add("a process waits for a lock", schedule.events.iter().any(waits));
    add("a recovery changes something", outcome.has_recovered());
    let recovery_calls = schedule.recovery_dies_after.unwrap_or_default();
    add("a recovery is killed amid its calls", recovery_calls > 0);
    for (victim, _) in amid {
        add(&format!("{} is killed amid its calls", scene.roles[*victim].name()), true);
    }
    told
}

/// Each operation of the store and of the writer, alone.
fn operations() -> Vec<Scene> {
    let mut roles = vec![Role::Expire { durable: false }, Role::Expire { durable: true }];
    for (replace, durable) in [(false, false), (false, true), (true, false), (true, true)] {
        roles.push(Role::Put { token: "second".to_owned(), replace, durable });
        let options = Options { replace, durable, ..Options::default() };
        roles.push(Role::Write { token: "second".to_owned(), options, by_name: false });
    }
    let mut scenes = Vec::new();
    let mut add = |mechanism, durability, role: &Role| {
        for is_there in [false, true] {
            let (has_content, has_file, roles) = (is_there, is_there, vec![role.clone()]);
            let write_limit = None;
            let scene = Scene { has_content, has_file, write_limit, mechanism, durability, roles };
            scenes.push(scene);
        }
    };
    for role in &roles {
        add(Mechanism::RenameUnique, Durability::None, role);
    }
    for mechanism in Mechanism::ALL {
        for (durability, _) in PROMISES {
            // The store refuses to make such a claim.
            let is_kept = durability == Durability::NothingLost;
            if !is_kept || matches!(mechanism, Mechanism::RenameUnique | Mechanism::RenameFixed) {
                let token = "claim".to_owned();
                add(mechanism, durability, &Role::Claim { token, mechanism, durability });
            }
        }
    }
    scenes
}

fn what_ships_makes_the_same_calls_and_leaves_the_same_wherever_it_is_killed() {
    let (mut arena, mut count, mut with_own_names, mut changed) = (Arena::new(), 0, 0, 0);
    let mut compared = |arena: &mut Arena, scene: &Scene, schedule: &Schedule| {
        let simulated = without_names(Simulated::outcome(scene, schedule));
        let real = without_names(arena.perform_as_shipped(scene, schedule));
        let differs = simulated.differs(&real);
        assert!(differs.is_empty(), "{scene:#?}\n{schedule}\n{}", differs.join("\n"));
        count += 1;
        with_own_names += usize::from(real.left.iter().any(has_own_name));
        changed += usize::from(real.has_recovered());
        real
    };
    let (mut interrupted, mut amid) = (0, 0);
    for scene in operations() {
        for schedule in all(&scene) {
            if !compared(&mut arena, &scene, &schedule).has_recovered() {
                continue;
            }
            // The recovery is killed before each of its calls, too, and begun again.
            for calls in 0.. {
                let schedule = Schedule { recovery_dies_after: Some(calls), ..schedule.clone() };
                let real = compared(&mut arena, &scene, &schedule);
                interrupted += 1;
                amid += real.interrupted.len();
                if real.interrupted.len() < calls {
                    break;
                }
            }
        }
    }
    assert_eq!((count, with_own_names, changed), (736, 381, 506));
    assert_eq!((interrupted, amid), (460, 2024));
    assert_eq!(arena.recovered_as_shipped, count, "`OneTimeStore::recover` ran each time");
}

/// Each fourth of the schedules in which somebody is killed.
fn some_kills() -> Vec<(Scene, Vec<Schedule>)> {
    let mut scenes = claims_with_puts();
    for (_, schedules) in &mut scenes {
        schedules.retain(|schedule| !schedule.kills().is_empty());
        *schedules = schedules.iter().step_by(4).cloned().collect();
    }
    scenes
}

fn a_victim_that_dies_one_call_later_is_found_out() {
    let (mut arena, mut by_what_is_left, mut count) = (Arena::new(), 0, 0);
    for (scene, schedules) in some_kills() {
        for schedule in &schedules {
            let later = Simulated::outcome(&scene, &schedule.with_later_kills());
            let real = arena.perform(&scene, schedule);
            assert_ne!(later.calls, real.calls, "{scene:#?}\nschedule: {schedule}");
            let (later, real) = ((later.left, later.answers), (real.left, real.answers));
            by_what_is_left += usize::from(later != real);
            count += 1;
        }
    }
    // Elsewhere the call that it makes leaves no trace but itself.
    assert_eq!((by_what_is_left, count), (420, 501));
}

fn a_recovery_that_is_left_out_is_found_out() {
    let (mut arena, mut found, mut count) = (Arena::new(), 0, 0);
    for (scene, schedules) in some_kills() {
        for schedule in &schedules {
            let without = Schedule { leaves_recovery_out: true, ..schedule.clone() };
            let without = Simulated::outcome(&scene, &without);
            let real = arena.perform(&scene, schedule);
            let is_found = (without.claim, without.end) != (real.claim.clone(), real.end.clone());
            assert_eq!(is_found, real.has_recovered(), "{scene:#?}\nschedule: {schedule}");
            found += usize::from(is_found);
            count += 1;
        }
    }
    assert_eq!((found, count), (257, 501));
}

fn a_process_ends_when_the_test_that_started_it_dies() {
    let (scene, _) = claims_with_puts().swap_remove(1);
    ends_with_its_tracer(&scene);
}
