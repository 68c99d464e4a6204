//! The cell on real threads, which meet before each round.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use toctou::claim_cell::ClaimCell;

use super::ledger::{Counted, Ledger};

const ROUNDS: usize = 4000;

/// Lets so many threads act at once, round after round; what each answered, by thread. None may panic:
/// the others would wait for it.
fn together<T: Send>(threads: usize, act: impl Fn(usize, usize) -> T + Sync) -> Vec<Vec<T>> {
    let arrived = AtomicUsize::new(0);
    let meet = |round: usize| {
        arrived.fetch_add(1, Ordering::AcqRel);
        let mut waited = 0;
        while arrived.load(Ordering::Acquire) < (round + 1) * threads {
            // No pause: where a hypervisor looks at pauses, it takes the processor away for them.
            waited += 1;
            if waited % 200 == 0 {
                thread::yield_now();
            }
        }
    };
    let rounds = |thread: usize| {
        let round = |round| {
            meet(round);
            act(thread, round)
        };
        (0..ROUNDS).map(round).collect::<Vec<_>>()
    };
    let rounds = &rounds;
    thread::scope(|scope| {
        let started: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || rounds(thread))).collect();
        started.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// Claims until the value is somebody's.
fn claim_until_claimed<T>(cell: &ClaimCell<T>) -> Option<T> {
    let mut tries = 0;
    loop {
        if let Some(value) = cell.claim() {
            return Some(value);
        }
        if cell.is_claimed() {
            return None;
        }
        tries += 1;
        if tries % 200 == 0 {
            thread::yield_now();
        }
    }
}

/// Panics unless just these values were claimed, each once and in its own round.
fn assert_claimed_once(claimed: &[Vec<Option<Counted>>]) {
    for round in 0..ROUNDS {
        let numbers: Vec<_> = claimed
            .iter()
            .filter_map(|thread| thread[round].as_ref().map(Counted::number))
            .collect();
        assert_eq!(numbers, [round], "round {round}");
    }
}

fn assert_handed_out_once(threads: usize) {
    let ledger = Ledger::of(ROUNDS);
    let cells: Vec<_> = (0..ROUNDS).map(|round| ClaimCell::new(ledger.value(round))).collect();
    let claimed = together(threads, |_, round| {
        let claimed = cells[round].claim();
        // Whoever comes too late can tell.
        (cells[round].is_claimed(), claimed)
    });
    assert!(claimed.iter().flatten().all(|(is_claimed, _)| *is_claimed));
    let claimed: Vec<Vec<_>> = claimed
        .into_iter()
        .map(|thread| thread.into_iter().map(|(_, claimed)| claimed).collect())
        .collect();
    assert_claimed_once(&claimed);
    drop(cells);
    assert_eq!(ledger.drops(), [0; ROUNDS], "claimed values are their claimants'");
    drop(claimed);
    ledger.assert_all_dropped_once();
}

#[test]
fn two_threads_never_both_get_a_value_and_one_does() {
    assert_handed_out_once(2);
}

#[test]
fn of_three_threads_one_gets_each_value() {
    assert_handed_out_once(3);
}

#[test]
fn of_eight_threads_one_gets_each_value() {
    assert_handed_out_once(8);
}

/// A value that is seen to be torn, or not yet there, by its fields.
struct Wide {
    fields: [usize; 31],
    counted: Counted,
}

impl Wide {
    fn new(ledger: &Ledger, number: usize) -> Wide {
        Wide { fields: [number + 1; 31], counted: ledger.value(number) }
    }

    fn is_whole(&self) -> bool {
        self.fields == [self.counted.number() + 1; 31]
    }
}

fn assert_put_later_is_claimed_whole(threads: usize) {
    let ledger = Ledger::of(ROUNDS);
    let cells: Vec<_> = (0..ROUNDS).map(|_| ClaimCell::empty()).collect();
    let ended = together(threads, |thread, round| match thread {
        0 => (cells[round].put(Wide::new(&ledger, round)).is_ok(), None),
        _ => match claim_until_claimed(&cells[round]) {
            Some(wide) => (wide.is_whole(), Some(wide.counted)),
            None => (true, None),
        },
    });
    let mut claimed = Vec::new();
    for (number, thread) in ended.into_iter().enumerate() {
        let (well, values): (Vec<_>, Vec<_>) = thread.into_iter().unzip();
        let bad = well.iter().position(|well| !well);
        assert_eq!(bad, None, "thread {number}: a put refused, or a torn value, in this round");
        claimed.push(values);
    }
    assert_claimed_once(&claimed);
    drop((cells, claimed));
    ledger.assert_all_dropped_once();
}

#[test]
fn a_value_put_in_while_one_thread_waits_for_it_is_claimed_whole() {
    assert_put_later_is_claimed_whole(2);
}

#[test]
fn a_value_put_in_while_seven_threads_wait_for_it_is_claimed_whole_by_one() {
    assert_put_later_is_claimed_whole(8);
}

/// What a thread of [`puts_race`] has at the end of a round.
enum Has {
    Put,
    /// Its own value back, or another's.
    Refused(Counted),
    Claimed(Counted),
    Nothing,
}

/// `putters` put one value each, the others claim once, whether there is one or not.
fn puts_race(putters: usize, claimants: usize) {
    let ledger = Ledger::of(ROUNDS * putters);
    let number = |thread: usize, round: usize| round * putters + thread;
    let cells: Vec<_> = (0..ROUNDS).map(|_| ClaimCell::empty()).collect();
    let ended = together(putters + claimants, |thread, round| {
        if thread < putters {
            match cells[round].put(ledger.value(number(thread, round))) {
                Ok(()) => Has::Put,
                Err(value) => Has::Refused(value),
            }
        } else {
            cells[round].claim().map_or(Has::Nothing, Has::Claimed)
        }
    });
    let mut left = 0;
    for round in 0..ROUNDS {
        let put: Vec<_> =
            (0..putters).filter(|thread| matches!(ended[*thread][round], Has::Put)).collect();
        assert_eq!(put.len(), 1, "round {round}: one put is let in");
        let mut claims = Vec::new();
        for (thread, had) in ended.iter().map(|thread| &thread[round]).enumerate() {
            match had {
                Has::Put | Has::Nothing => {}
                Has::Refused(value) => assert_eq!(value.number(), number(thread, round)),
                Has::Claimed(value) => claims.push(value.number()),
            }
        }
        let value = number(put[0], round);
        assert!(claims.is_empty() || claims == [value], "round {round}: {claims:?} of {value}");
        assert_eq!(cells[round].is_claimed(), !claims.is_empty());
        left += usize::from(claims.is_empty());
    }
    println!("{left} of {ROUNDS} values were left to be dropped with their cells");
    let kept = ROUNDS * putters - left;
    assert_eq!(ledger.drops().iter().filter(|drops| **drops == 0).count(), kept + left);
    drop(cells);
    assert_eq!(ledger.drops().iter().sum::<usize>(), left, "those that nobody claimed");
    drop(ended);
    ledger.assert_all_dropped_once();
}

#[test]
fn of_two_puts_one_is_let_in_and_the_other_gets_its_own_value_back() {
    puts_race(2, 0);
}

#[test]
fn puts_and_claims_race_and_each_value_has_one_owner() {
    puts_race(2, 2);
    puts_race(3, 1);
}

#[test]
fn what_is_left_comes_out_of_a_cell_that_threads_have_shared() {
    let ledger = Ledger::of(ROUNDS);
    let cells: Vec<_> = (0..ROUNDS).map(|_| ClaimCell::empty()).collect();
    let claimed = together(2, |thread, round| match thread {
        0 => cells[round].put(ledger.value(round)).err(),
        _ => cells[round].claim(),
    });
    for (round, cell) in cells.into_iter().enumerate() {
        let was_claimed = cell.is_claimed();
        let left = cell.into_inner();
        assert!(claimed[0][round].is_none(), "nobody else puts");
        assert_eq!(claimed[1][round].is_some(), was_claimed);
        assert_eq!(left.map(|value| value.number()), (!was_claimed).then_some(round));
    }
    drop(claimed);
    ledger.assert_all_dropped_once();
}
