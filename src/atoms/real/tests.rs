//! Real threads in turn, and at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;
use crate::atoms::Word;
use crate::atoms::notes::Token;

struct Count;

impl Word for Count {
    const NAMES: &'static [&'static str] = &["0", "1", "2", "3"];
}

/// Threads that wait for one another for ever fail the test instead of hanging it.
fn within_a_minute<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(act()));
    told.recv_timeout(Duration::from_secs(60)).expect("it ends")
}

/// So many threads; each loads, and stores one more.
fn count(threads: usize) {
    let value = Arc::new(Atomic::<Count>::new(0));
    let acts = (0..threads).map(|actor| {
        let value = value.clone();
        move || {
            perform(actor, || {
                let seen = value.load(Ordering::SeqCst);
                value.store(seen + 1, Ordering::SeqCst);
                (seen + 1).to_string()
            });
        }
    });
    run(acts);
}

fn run(mut acts: impl Iterator<Item = impl FnOnce() + Send + 'static>) {
    let first = acts.next().expect("there is one");
    let others: Vec<_> = acts.map(thread::spawn).collect();
    first();
    others.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}

fn in_turns(threads: usize, turns: &[usize]) -> (Vec<usize>, Vec<String>) {
    let turns = turns.to_vec();
    let notes = within_a_minute(move || in_turn(threads, &turns, || count(threads)));
    let went = notes.operations().map(|event| event.actor).collect();
    (went, notes.outputs.into_iter().flatten().collect())
}

#[test]
fn each_acts_when_it_is_its_turn() {
    let (both, apart) = ([0, 1, 0, 1], [1, 1, 0, 0]);
    assert_eq!(in_turns(2, &both), (both.to_vec(), vec!["1".to_owned(), "1".to_owned()]));
    assert_eq!(in_turns(2, &apart), (apart.to_vec(), vec!["2".to_owned(), "1".to_owned()]));
    let three = [2, 0, 1, 1, 0, 2];
    assert_eq!(in_turns(3, &three).0, three);
}

#[test]
fn turns_of_who_is_not_there_or_has_ended_hold_nobody_up() {
    for turns in [&[][..], &[9], &[usize::MAX, 0, 7, 0], &[0; 9], &[1, 1, 1, 0, 1, 0, 1]] {
        let (went, outputs) = in_turns(2, turns);
        assert_eq!((went.len(), outputs.len()), (4, 2), "{turns:?}");
    }
    assert_eq!(in_turns(2, &[9, 1, 8, 1, 7, 0, 0]).0, [1, 1, 0, 0]);
    assert_eq!(in_turns(2, &[1, 1, 1, 1, 0, 0]).0, [1, 1, 0, 0]);
}

/// The first panics, and the second, whose turn comes later, goes on.
#[test]
fn who_panics_has_no_turn_any_more() {
    let outputs = within_a_minute(|| {
        let notes = in_turn(2, &[0, 0, 0, 1], || {
            let value = Arc::new(Atomic::<Count>::new(0));
            let other = value.clone();
            let other =
                thread::spawn(move || perform(1, || other.load(Ordering::SeqCst).to_string()));
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                perform(0, || {
                    value.store(3, Ordering::SeqCst);
                    std::panic::resume_unwind(Box::new(()))
                });
            }));
            assert!(panicked.is_err());
            other.join().expect("it does not panic");
        });
        notes.outputs
    });
    assert_eq!(outputs, [None, Some("3".to_owned())]);
}

#[test]
fn who_does_nothing_is_not_waited_for_at_the_start() {
    let outputs = within_a_minute(|| {
        let notes = at_once(2, || {
            let value = Arc::new(Atomic::<Count>::new(1));
            let other = thread::spawn(|| perform(1, || "nothing".to_owned()));
            perform(0, || value.load(Ordering::SeqCst).to_string());
            other.join().expect("it does not panic");
        });
        assert!(notes.events.is_empty());
        notes.outputs
    });
    assert_eq!(outputs, [Some("1".to_owned()), Some("nothing".to_owned())]);
}

#[test]
fn who_has_a_lock_keeps_it_until_it_is_done() {
    let notes = within_a_minute(|| {
        in_turn(2, &[1, 0], || {
            let value = Arc::new(Lock::new(0));
            run((0..2).map(|actor| {
                let value = value.clone();
                move || {
                    perform(actor, || {
                        value.with(|value| {
                            *value += 1;
                            value.to_string()
                        })
                    });
                }
            }));
        })
    });
    assert_eq!(notes.outputs, [Some("2".to_owned()), Some("1".to_owned())]);
    let acts: Vec<_> = notes.events.iter().map(|event| (event.actor, &*event.label)).collect();
    assert_eq!(acts, [(1, "lock"), (1, "unlock"), (0, "lock"), (0, "unlock")]);
}

#[test]
fn tokens_count_their_drops_on_whatever_thread() {
    type Way = fn(usize, fn()) -> Notes;
    let ways: [Way; 2] =
        [|actors, run| in_turn(actors, &[], run), |actors, run| at_once(actors, run)];
    for way in ways {
        let notes = within_a_minute(move || {
            way(3, || {
                let value = Arc::new(Atomic::<Count>::new(0));
                run((0..3).map(|actor| {
                    let (value, token) = (value.clone(), Token::new());
                    move || {
                        perform(actor, || {
                            value.load(Ordering::SeqCst);
                            // The second one's is forgotten.
                            match actor {
                                1 => std::mem::forget(token),
                                _ => drop(token),
                            }
                            String::new()
                        });
                    }
                }));
            })
        });
        assert_eq!(notes.dropped, [1, 0, 1]);
    }
}

#[test]
fn executions_at_the_same_time_have_nothing_in_common() {
    let executions: Vec<_> =
        (0..4).map(|_| std::thread::spawn(|| in_turn(2, &[0, 1, 1, 0], || count(2)))).collect();
    for execution in executions {
        let notes = execution.join().expect("it does not panic");
        let went: Vec<usize> = notes.operations().map(|event| event.actor).collect();
        assert_eq!(went, [0, 1, 1, 0]);
    }
}
