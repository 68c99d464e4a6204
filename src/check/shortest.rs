//! Second floor, `check`: finds the schedule that reads best among the shortest ones. Imports
//! [`process`](crate::process) and its neighbours in `check`.
//!
//! A breadth-first search finds one shortest schedule to a state. Other schedules are as short, and
//! change less often from one actor to another, or are shortest for several properties at once.

use rustc_hash::FxHashMap;

use super::Schedule;
use super::property::PropertyKind;
use super::steps::{Coded, Initial, Shape, Successor, Worker};

/// At most this many states are looked at for one schedule, each with the actor whose step led
/// there. Beyond that, the schedule stays as it was found.
const MOST: usize = 5_000;

/// The number above is for up to this many actors and steps together. For more of these, it shrinks
/// in proportion.
const WIDTH: usize = 40;

/// Takes, for each property and for freedom from deadlock last, a shortest schedule that decides
/// it. Replaces each by one as short that
///
/// 1. decides as many of the others as one of its length can,
/// 2. changes from one actor to another as seldom as possible, and least of all within an operation that
///    the real world performs at once,
/// 3. has no actor step that need not, and
/// 4. is the first of these in the order of their numbers.
///
/// A counterexample is shared with counterexamples only, a witness with witnesses only. The answer
/// depends on the system and on the lengths alone.
pub(super) fn settled(
    (steps, initial): (&dyn Coded, &Initial),
    decided: Vec<Option<Schedule>>,
) -> Vec<Option<Schedule>> {
    settled_within((steps, initial), decided, MOST)
}

fn settled_within(
    (steps, initial): (&dyn Coded, &Initial),
    decided: Vec<Option<Schedule>>,
    most: usize,
) -> Vec<Option<Schedule>> {
    let mut settled = decided.clone();
    let shape = steps.shape();
    let mut worker = Worker::new(steps);
    for (first, schedule) in decided.iter().enumerate() {
        let Some(schedule) = schedule else { continue };
        let is_alike = |goal: &usize| {
            let other = decided.get(*goal).and_then(Option::as_ref);
            is_witness(shape, *goal) == is_witness(shape, first)
                && other.is_some_and(|other| size(other) == size(schedule))
        };
        let alike: Vec<usize> = (0..decided.len()).filter(is_alike).collect();
        if alike.first() != Some(&first) {
            continue;
        }
        let mut looked = Look { shape, worker: &mut worker, most };
        let found = looked.best(initial, schedule, &alike, None);
        // Too much to look at: then each among those in which its own actors step as often.
        let found = found.unwrap_or_else(|| {
            let each = alike.iter().filter_map(|goal| {
                let own = decided.get(*goal)?.as_ref()?;
                looked.best(initial, own, &[*goal], Some(&counts(shape, own)))
            });
            each.flatten().collect()
        });
        for (goal, schedule) in found {
            settled[goal] = Some(schedule);
        }
    }
    settled
}

/// Schedules of the same size are alternatives to one another.
fn size(schedule: &Schedule) -> (usize, usize) {
    (schedule.start, schedule.turns.len())
}

fn is_witness(shape: &Shape, goal: usize) -> bool {
    let property = shape.properties.get(goal);
    property.is_some_and(|(_, kind)| *kind == PropertyKind::Reachable)
}

/// How often each actor steps.
fn counts(shape: &Shape, schedule: &Schedule) -> Vec<usize> {
    let of = |actor| schedule.turns.iter().filter(|turn| **turn == actor).count();
    (0..shape.actors).map(of).collect()
}

/// A state, and who stepped last on the way there.
type Place = (u32, Box<[u32]>, Option<usize>);

/// The best way to a place, by these: how often it changes from one actor to another within an operation,
/// and how often at all; how many actors step; and which actors step, in order. With a step that is a
/// choice goes its way.
type Way = (usize, usize, usize, Vec<(usize, usize)>);

struct Look<'l, 's> {
    shape: &'l Shape,
    worker: &'l mut Worker<'s>,
    most: usize,
}

impl Look<'_, '_> {
    /// For each of these properties the best schedule of this one's size. If there is a limit, each
    /// actor steps at most that often. `None` if there is too much to look at.
    fn best(
        &mut self,
        initial: &Initial,
        schedule: &Schedule,
        goals: &[usize],
        limit: Option<&[usize]>,
    ) -> Option<Vec<(usize, Schedule)>> {
        // A step from a place takes about as long as the place and its way are large.
        let width = self.shape.actors + schedule.turns.len();
        let most = self.most.min(MOST * WIDTH / width.max(1));
        let (world, locals) = initial.states().nth(schedule.start)?;
        let mut ways: FxHashMap<Place, Way> = FxHashMap::default();
        ways.insert((world, locals.into(), None), (0, 0, 0, Vec::new()));
        let mut looked_at = 0;
        for _ in &schedule.turns {
            let mut next: FxHashMap<Place, Way> = FxHashMap::default();
            for (place, way) in &ways {
                for (place, way) in self.steps(place, way, limit) {
                    let known = next.entry(place).or_insert_with(|| way.clone());
                    if way < *known {
                        *known = way;
                    }
                }
                if looked_at + next.len() > most {
                    return None;
                }
            }
            looked_at += next.len();
            ways = next;
        }
        let mut ends: Vec<(Way, Vec<usize>)> = Vec::new();
        for ((world, locals, _), way) in ways {
            let reached = |goal: &usize| self.is_reached(*goal, world, &locals);
            let reached: Vec<usize> = goals.iter().copied().filter(reached).collect();
            ends.push((way, reached));
        }
        let mut open = goals.to_vec();
        let mut found = Vec::new();
        while !open.is_empty() {
            let best = ends.iter().min_by_key(|(way, reached)| {
                let new = reached.iter().filter(|goal| open.contains(goal)).count();
                (std::cmp::Reverse(new), way)
            });
            let Some(((.., turns), reached)) = best else { break };
            let mut best = Schedule::from_start(schedule.start, Vec::with_capacity(turns.len()));
            turns.iter().for_each(|(actor, way)| best.push(*actor, *way));
            let left = open.len();
            open.retain(|goal| {
                let is_new = reached.contains(goal);
                if is_new {
                    found.push((*goal, best.clone()));
                }
                !is_new
            });
            if open.len() == left {
                break;
            }
        }
        Some(found)
    }

    /// Where a step leads from this place, and by which way.
    fn steps(
        &mut self,
        (world, locals, last): &Place,
        (interruptions, switches, involved, turns): &Way,
        limit: Option<&[usize]>,
    ) -> Vec<(Place, Way)> {
        let mut steps = Vec::new();
        for (actor, local) in locals.iter().enumerate() {
            let stepped = turns.iter().filter(|(turn, _)| *turn == actor).count();
            let most = limit.map_or(usize::MAX, |limit| limit.get(actor).copied().unwrap_or(0));
            if stepped >= most || self.could_be_another(actor, locals, *last) {
                continue;
            }
            let left = last.filter(|last| *last != actor);
            let interrupts = left.is_some_and(|left| self.worker.view().is_underway(locals[left]));
            // Whoever waits, has ended or goes wrong does not lead on.
            for (which, world, local) in self.worker.leads(*world, *local) {
                let mut locals = locals.clone();
                locals[actor] = local;
                let way = (
                    interruptions + usize::from(interrupts),
                    switches + usize::from(left.is_some()),
                    involved + usize::from(stepped == 0),
                    [turns, &[(actor, which)][..]].concat(),
                );
                steps.push(((world, locals, Some(actor)), way));
            }
        }
        steps
    }

    /// Whether one before it, of the identical ones, stands where it does: then that one steps.
    fn could_be_another(&self, actor: usize, locals: &[u32], last: Option<usize>) -> bool {
        let Some(group) = self.shape.groups.iter().find(|group| group.members.contains(&actor))
        else {
            return false;
        };
        let mut before = group.members.start..actor;
        last != Some(actor)
            && before.any(|other| last != Some(other) && locals.get(other) == locals.get(actor))
    }

    /// Whether this state decides the property; one beyond all properties is freedom from deadlock.
    fn is_reached(&mut self, goal: usize, world: u32, locals: &[u32]) -> bool {
        let Some((_, kind)) = self.shape.properties.get(goal) else {
            let mut next = locals.iter().map(|local| self.worker.successor(world, *local));
            let all: Vec<Successor> = next.by_ref().collect();
            return all.contains(&Successor::Blocked)
                && all.iter().all(|next| matches!(next, Successor::Blocked | Successor::Ended));
        };
        let view = self.worker.view();
        match kind {
            PropertyKind::Always => !view.is_true(goal, world, locals),
            PropertyKind::Finally => {
                let ended = locals.iter().all(|local| view.has_ended(*local));
                ended && !view.is_true(goal, world, locals)
            }
            PropertyKind::Reachable => view.is_true(goal, world, locals),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::steps::Steps;
    use crate::check::system::System;
    use crate::{Process, Step};

    /// A few steps, each a number that is added to the world modulo 7; waits where that is a multiple of
    /// its own last number.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Adds(Vec<u32>);

    impl Process<u32> for Adds {
        type Output = u32;

        fn step(mut self, world: &mut u32) -> Step<Self, u32> {
            let Some(number) = self.0.pop() else { return Step::Done(*world) };
            if number == 6 && *world == 0 {
                self.0.push(number);
                return Step::Blocked(self);
            }
            *world = (*world * 3 + number) % 7;
            if self.0.is_empty() { Step::Done(*world) } else { Step::Next(self) }
        }
    }

    type Decided = Vec<Option<Schedule>>;

    /// For each property, and for freedom from deadlock last, the first of the shortest schedules that
    /// decide it; and what becomes of these.
    fn settled_by(system: &System<u32, Adds>, most: usize) -> (Decided, Decided) {
        let mut found: Decided = vec![None; system.properties().len() + 1];
        let mut layer = vec![Schedule::default()];
        while !layer.is_empty() {
            for (goal, found) in found.iter_mut().enumerate().filter(|(_, it)| it.is_none()) {
                *found = layer.iter().find(|schedule| shows(system, goal, schedule)).cloned();
            }
            layer = longer(system, &layer);
        }
        let (steps, initial) = Steps::of(system);
        let settled = settled_within((&steps, &initial), found.clone(), most);
        (found, settled)
    }

    fn switches(schedule: &Schedule) -> usize {
        schedule.turns.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    /// Every schedule that is one step longer than these, in their order.
    fn longer(system: &System<u32, Adds>, all: &[Schedule]) -> Vec<Schedule> {
        let longer = all.iter().flat_map(|schedule| {
            let actors = 0..system.actors().len();
            actors.map(|actor| Schedule::of([&schedule.turns[..], &[actor]].concat()))
        });
        let is_played = |schedule: &Schedule| {
            let played = system.play(schedule);
            played.is_ok_and(|played| !played.trace.steps.iter().any(|step| step.blocked))
        };
        longer.filter(is_played).collect()
    }

    /// Whether a schedule shows what it is to show, by playing it.
    fn shows(system: &System<u32, Adds>, goal: usize, schedule: &Schedule) -> bool {
        let played = system.play(schedule).expect("a schedule of the system");
        let ended = played.trace.unfinished.is_empty();
        let Some(property) = system.properties().get(goal) else {
            return !ended && played.trace.unfinished.iter().all(|left| left.waits);
        };
        let holds = system.is_true_in(property.name(), &played.world, &played.locals);
        match property.kind() {
            PropertyKind::Always => holds == Some(false),
            PropertyKind::Finally => ended && holds == Some(false),
            PropertyKind::Reachable => holds == Some(true),
        }
    }

    /// Systems of three actors, two of them the same.
    fn systems() -> impl Iterator<Item = System<u32, Adds>> {
        let mut seed = 1u32;
        let mut random = move |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        (0..60).map(move |_| {
            let mut numbers = || (0..=random(2)).map(|_| random(7)).collect::<Vec<u32>>();
            let (twin, other) = (numbers(), numbers());
            let (one, two) = (random(7), random(7));
            let system = System::new(random(7)).clients(2, Adds(twin)).actor("other", Adds(other));
            system
                .always("never-one", move |state| *state.world() != one)
                .always("never-two", move |state| *state.world() != two)
                .finally("not-in-the-end", move |state| *state.world() != one)
                .finally("odd", |state| *state.world() % 2 == 1)
                .reachable("six", |state| *state.world() == 6)
        })
    }

    #[test]
    fn no_schedule_as_short_has_fewer_switches_and_none_decides_more() {
        let (mut changed, mut shared, mut seen) = (0, 0, 0);
        for system in &systems().collect::<Vec<_>>() {
            let (found, settled) = settled_by(system, MOST);
            let steps = Steps::of(system).0;
            let shape = steps.shape();
            for (goal, (found, settled)) in found.iter().zip(&settled).enumerate() {
                let (Some(found), Some(best)) = (found, settled) else {
                    assert_eq!(found, settled);
                    continue;
                };
                seen += 1;
                changed += usize::from(found != best);
                assert_eq!(size(found), size(best));
                assert!(shows(system, goal, best), "{best}");
                let alike: Vec<usize> = (0..system.properties().len() + 1)
                    .filter(|other| is_witness(shape, *other) == is_witness(shape, goal))
                    .collect();
                let decides = |schedule: &Schedule| {
                    alike.iter().filter(|goal| shows(system, **goal, schedule)).count()
                };
                let none = vec![Schedule::default()];
                let mut all = best.turns.iter().fold(none, |all, _| longer(system, &all));
                all.retain(|schedule| shows(system, goal, schedule));
                // What decides most decides it first; the others are those that it leaves.
                let most = all.iter().map(&decides).max().unwrap_or(0);
                shared += usize::from(most > 1);
                if decides(best) == most {
                    let fewest = all.iter().filter(|it| decides(it) == most).map(switches).min();
                    assert_eq!(Some(switches(best)), fewest, "{best}");
                }
            }
        }
        assert!(changed > 20 && shared > 20, "{changed} of {seen} changed, {shared} shared");
    }

    #[test]
    fn where_there_is_too_much_to_look_at_the_schedule_stays_one_of_the_same_actors_or_as_it_is() {
        for system in &systems().take(20).collect::<Vec<_>>() {
            let (found, untouched) = settled_by(system, 0);
            // Even the first step is too much; a schedule of none has nothing to change.
            assert_eq!(found, untouched);
            for most in [2, 5, 10, 20] {
                let (found, settled) = settled_by(system, most);
                for (goal, both) in found.iter().zip(&settled).enumerate() {
                    let (Some(found), Some(settled)) = both else { continue };
                    assert!(shows(system, goal, settled) && size(found) == size(settled));
                    assert!(switches(settled) <= switches(found) || most > 2);
                }
            }
        }
    }

    #[test]
    fn who_need_not_step_does_not() {
        // Of the first two, one is enough.
        let system = System::new(0)
            .actor("idle", Adds(vec![1, 0, 0]))
            .actor("first", Adds(vec![3, 2, 0]))
            .actor("second", Adds(vec![3, 2, 0]))
            .always("never-one", |state| *state.world() != 2);
        let (_, settled) = settled_by(&system, MOST);
        assert_eq!(settled[0], Some(Schedule::of(vec![1, 1])));
    }
}
