//! Second floor, `check`: which accesses of an execution race. Imports [`atoms`](crate::atoms).
//!
//! loom decides whether there is a data race. But it stops there, and does not name the two
//! accesses. This module finds them in the notes of any execution, so that they can be shown.
//!
//! It keeps a clock for each actor, and with each value written the clock of the actor that
//! released it. (Flanagan and Freund, "FastTrack", 2009, with release sequences as C++20 has them.)

use std::sync::atomic::Ordering;

use super::notes::{Access, Act, Done, Event};

/// Two accesses of the same memory, at least one of them a write, with nothing that puts one before
/// the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Race {
    /// The one that came first here, by its index among the events.
    pub(super) first: usize,
    /// The other.
    pub(super) second: usize,
}

/// How far each actor's doings have been seen.
type Clock = Vec<usize>;

/// The first race of an execution.
pub(super) fn race(actors: usize, events: &[Event]) -> Option<Race> {
    let mut now: Vec<Clock> = vec![vec![0; actors]; actors];
    // With each value written, and with the one from the start.
    let mut released: Vec<Vec<Clock>> = Vec::new();
    let mut rooms: Vec<Vec<(usize, Done)>> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        // Itself it has seen up to here.
        now[event.actor][event.actor] = index + 1;
        match event.act {
            Act::Atomic(number, access, ordering) => {
                let released = at(&mut released, number, || vec![vec![0; actors]]);
                let read = released.iter().rev().nth(event.behind);
                if let Some(read) = read.filter(|_| access.read().is_some() && acquires(ordering)) {
                    join(&mut now[event.actor], read);
                }
                // Only an exchange continues what another released.
                let mut continued = match access {
                    Access::Load(_) | Access::Refused(_) => continue,
                    Access::Store(_) => vec![0; actors],
                    Access::Exchange(..) => read.cloned().unwrap_or_else(|| vec![0; actors]),
                };
                if releases(ordering) {
                    join(&mut continued, &now[event.actor]);
                }
                released.push(continued);
            }
            Act::Lock(number) => {
                let released = at(&mut released, number, || vec![vec![0; actors]]);
                released.iter().for_each(|released| join(&mut now[event.actor], released));
            }
            Act::Unlock(number) => {
                let released = at(&mut released, number, || vec![vec![0; actors]]);
                released.push(now[event.actor].clone());
            }
            Act::Room(number, done) => {
                let accesses = at(&mut rooms, number, Vec::new);
                let races = accesses.iter().find(|(first, then)| {
                    let is_before = *first < now[event.actor][events[*first].actor];
                    !is_before && (done == Done::Written || *then == Done::Written)
                });
                if let Some(&(first, _)) = races {
                    return Some(Race { first, second: index });
                }
                accesses.push((index, done));
            }
        }
    }
    None
}

fn at<T>(known: &mut Vec<T>, number: usize, new: impl FnMut() -> T) -> &mut T {
    if known.len() <= number {
        known.resize_with(number + 1, new);
    }
    &mut known[number]
}

fn join(clock: &mut Clock, other: &Clock) {
    for (seen, other) in clock.iter_mut().zip(other) {
        *seen = (*seen).max(*other);
    }
}

fn acquires(ordering: Ordering) -> bool {
    matches!(ordering, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

fn releases(ordering: Ordering) -> bool {
    matches!(ordering, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_an_old_value_has_seen_only_what_was_released_with_that() {
        // Written anew meanwhile, and then the old one is read.
        let mut events = passed(Ordering::Release, Ordering::Acquire);
        events.insert(1, event(0, Act::Atomic(0, Access::Store(2), Ordering::Release)));
        assert_eq!(race(2, &events), None);
        events[3].behind = 1;
        assert_eq!(race(2, &events), None);
        // What was there from the start was released by nobody.
        events[3].behind = 2;
        assert_eq!(race(2, &events), Some(Race { first: 0, second: 4 }));
        let late = [events[1].clone(), events[0].clone(), events[2].clone()];
        let late: Vec<Event> = late.into_iter().chain(events[3..].iter().cloned()).collect();
        let behind = |behind| {
            let mut late = late.clone();
            late[3].behind = behind;
            race(2, &late)
        };
        assert_eq!(behind(0), None);
        assert_eq!(behind(1), Some(Race { first: 1, second: 4 }));
    }

    fn event(actor: usize, act: Act) -> Event {
        Event { actor, act, label: String::new(), behind: 0, output: None }
    }

    /// Actor 0 writes and says so; actor 1 sees that and reads.
    fn passed(store: Ordering, load: Ordering) -> Vec<Event> {
        vec![
            event(0, Act::Room(0, Done::Written)),
            event(0, Act::Atomic(0, Access::Store(1), store)),
            event(1, Act::Atomic(0, Access::Load(1), load)),
            event(1, Act::Room(0, Done::Read)),
        ]
    }

    #[test]
    fn what_is_released_and_acquired_does_not_race_and_anything_less_does() {
        assert_eq!(race(2, &passed(Ordering::Release, Ordering::Acquire)), None);
        let found = Some(Race { first: 0, second: 3 });
        assert_eq!(race(2, &passed(Ordering::Relaxed, Ordering::Acquire)), found);
        assert_eq!(race(2, &passed(Ordering::Release, Ordering::Relaxed)), found);
    }

    #[test]
    fn an_exchange_between_passes_on_what_was_released_and_a_store_does_not() {
        let mut events = passed(Ordering::Release, Ordering::Acquire);
        events.insert(2, event(2, Act::Atomic(0, Access::Exchange(1, 1), Ordering::Relaxed)));
        assert_eq!(race(3, &events), None);
        events[2].act = Act::Atomic(0, Access::Store(1), Ordering::Relaxed);
        assert_eq!(race(3, &events), Some(Race { first: 0, second: 4 }));
    }

    #[test]
    fn two_that_only_read_do_not_race_and_a_lock_keeps_the_others_apart() {
        let read = |actor| event(actor, Act::Room(0, Done::Read));
        let write = |actor| event(actor, Act::Room(0, Done::Written));
        assert_eq!(race(2, &[read(0), read(1)]), None);
        assert_eq!(race(2, &[read(0), write(1)]), Some(Race { first: 0, second: 1 }));
        let locked = |actor, act| [event(actor, Act::Lock(0)), act, event(actor, Act::Unlock(0))];
        let events: Vec<_> = locked(0, write(0)).into_iter().chain(locked(1, write(1))).collect();
        assert_eq!(race(2, &events), None);
        // The second did not take it.
        assert_eq!(
            race(2, &[events[0].clone(), write(0), events[2].clone(), write(1)]).unwrap().second,
            3
        );
    }
}
