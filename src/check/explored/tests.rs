//! Second floor, `check`: looking steps up, held against playing them. Imports its neighbours in `check`.

use super::*;
use crate::Step;
use crate::check::{Checker, GraphOptions, Played};

/// Takes the lock, adds its number to the world while it has it, and lets go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Adds {
    Lock(u32),
    Choose(u32),
    Add(u32),
    Unlock,
}

type World = (bool, u32);

impl Process<World> for Adds {
    type Output = u32;

    fn step(self, world: &mut World) -> Step<Self, u32> {
        match self {
            Adds::Lock(_) if world.0 => Step::Blocked(self),
            Adds::Lock(number) => {
                world.0 = true;
                Step::Next(Adds::Choose(number))
            }
            Adds::Choose(number) => {
                Step::Choice(vec![Step::Next(Adds::Add(number)), Step::Next(Adds::Unlock)])
            }
            Adds::Add(number) => {
                world.1 += number;
                Step::Next(Adds::Unlock)
            }
            Adds::Unlock => {
                world.0 = false;
                Step::Done(world.1)
            }
        }
    }
}

fn system() -> System<World, Adds> {
    System::new((false, 0))
        .clients(2, Adds::Lock(1))
        .actor("other", Adds::Lock(5))
        .waits_for(|world, one, other| {
            world.0 && matches!(one, Adds::Lock(_)) && !matches!(other, Adds::Lock(_))
        })
        .always("below-7", |state| state.world().1 < 7)
        .finally("not-6", |state| state.world().1 != 6)
        .reachable("all-added", |state| state.world().1 == 7)
}

fn entry(explored: &Explored<World, Adds>, world: u32, local: u32) -> Option<&Entry> {
    explored.steps.iter().find(|entry| (entry.world, entry.local) == (world, local))
}

/// Follows a schedule by looking steps up.
fn followed(explored: &Explored<World, Adds>, schedule: &Schedule) -> Vec<(u32, Vec<u32>)> {
    let mut states = vec![explored.initial.clone()];
    for (turn, actor) in schedule.turns.iter().enumerate() {
        let (world, mut locals) = states.last().unwrap().clone();
        let (world, local) = match &entry(explored, world, locals[*actor]).unwrap().to {
            To::Next(world, local) => (*world, *local),
            To::Choice(world, ways) => (*world, ways[schedule.way(turn)]),
            other => panic!("{other:?}"),
        };
        locals[*actor] = local;
        states.push((world, locals));
    }
    states
}

#[test]
fn looking_steps_up_leads_where_playing_them_leads() {
    let system = system();
    let explored = system.explored(0, &[], 10_000).unwrap();
    assert!(explored.is_whole);
    let report = Checker::new(self::system()).graph(&GraphOptions::default());
    assert_eq!(report.states, Some(explored.states as u64));
    let (mut seen, mut waits, mut decided) = (0, 0, [0; 3]);
    system.interleavings(&mut |schedule| {
        for (steps, (world, locals)) in followed(&explored, schedule).into_iter().enumerate() {
            let mut prefix = schedule.clone();
            prefix.turns.truncate(steps);
            prefix.ways.retain(|(turn, _)| *turn < steps);
            let Played { trace, world: played, locals: stand } = system.play(&prefix).unwrap();
            assert_eq!(*explored.worlds[world as usize], played);
            let told = locals.iter().map(|local| (*explored.locals[*local as usize]).clone());
            assert_eq!(told.collect::<Vec<_>>(), stand);
            for left in &trace.unfinished {
                let stuck = entry(&explored, world, locals[left.actor]).unwrap();
                assert_eq!(left.waits, stuck.to == To::Waits);
                let waited = explored.waits.as_ref().unwrap();
                let them = (0..3).filter(|other| {
                    *other != left.actor
                        && waited.contains(&(world, locals[left.actor], locals[*other]))
                });
                if left.waits {
                    assert_eq!(left.waits_for, Some(them.collect()));
                    waits += 1;
                }
            }
            let mut key = locals.clone();
            key[..2].sort_unstable();
            key.insert(0, world);
            for (index, (name, kind, states)) in explored.decided.iter().enumerate() {
                let is_true = system.is_true_in(name, &played, &stand).unwrap();
                let has_ended = trace.unfinished.is_empty();
                let decides = match kind {
                    PropertyKind::Always => !is_true,
                    PropertyKind::Finally => has_ended && !is_true,
                    PropertyKind::Reachable => is_true,
                };
                assert_eq!(states.contains(&Box::from(key.clone())), decides, "{name}");
                decided[index] += usize::from(decides);
            }
            seen += 1;
        }
        true
    });
    assert!(
        seen > 500 && waits > 100 && decided.iter().all(|it| *it > 10),
        "{seen} {waits} {decided:?}"
    );
}

#[test]
fn of_a_large_system_there_is_what_is_along_its_schedules_and_a_step_beside() {
    let system = system();
    let schedule = Schedule { ways: vec![(1, 1)], ..Schedule::of(vec![0, 0, 0, 2]) };
    let explored = system.explored(0, &[&schedule], 3).unwrap();
    assert!(!explored.is_whole);
    assert_eq!(explored.states, 5);
    let states = followed(&explored, &schedule);
    for (world, locals) in &states {
        for local in locals {
            let has_ended = explored.locals[*local as usize].output().is_some();
            assert_eq!(entry(&explored, *world, *local).is_some(), !has_ended);
        }
    }
    assert!(system.explored(1, &[], 10).is_none(), "there is one start");
}
