//! Second floor, `direct`: an executor for an `async fn` that is explored. Imports its neighbours in `direct`.
//!
//! A future that performs an operation waits for its turn. If several futures of one program wait
//! for theirs, the next one is a [choice](super::choose): every order is explored.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::run::choose;

/// The futures of the program that runs on this thread that wait to perform something.
#[derive(Debug, Default)]
struct Turns {
    next: u64,
    waiting: Vec<(u64, Waker)>,
    granted: Option<u64>,
}

thread_local! {
    static TURNS: RefCell<Vec<Turns>> = const { RefCell::new(Vec::new()) };
}

fn turns<T>(with: impl FnOnce(&mut Turns) -> T) -> Option<T> {
    TURNS.with_borrow_mut(|all| all.last_mut().map(with))
}

/// The innermost program's turns are there until this is dropped, also by an unwinding.
struct Began;

impl Began {
    fn new() -> Self {
        TURNS.with_borrow_mut(|all| all.push(Turns::default()));
        Began
    }
}

impl Drop for Began {
    fn drop(&mut self) {
        TURNS.with_borrow_mut(Vec::pop);
    }
}

/// Runs a future to its end.
#[track_caller]
pub(super) fn complete<F: Future>(future: F) -> F::Output {
    let _began = Began::new();
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        let waiting = turns(|turns| turns.waiting.len()).unwrap_or_default();
        let turn = match waiting {
            0 => panic!(
                "the program waits for a future that performs nothing in the world of the exploration: a \
                 timer, a channel, a socket, a task. `direct::operation` makes a future that does"
            ),
            1 => 0,
            several => choose(several),
        };
        // A combinator polls only those of its futures that were woken.
        let woken = turns(|turns| {
            let (number, waker) = turns.waiting.get(turn)?;
            turns.granted = Some(*number);
            Some(waker.clone())
        });
        woken.flatten().inspect(Waker::wake_by_ref);
    }
}

/// A future waits for its turn; given up before, it waits no more.
struct Waits(Option<u64>);

impl Waits {
    fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        let waker = context.waker();
        let turn = turns(|turns| {
            let number = *self.0.get_or_insert_with(|| {
                turns.next += 1;
                turns.waiting.push((turns.next, waker.clone()));
                turns.next
            });
            if let Some((_, known)) = turns.waiting.iter_mut().find(|(it, _)| *it == number) {
                known.clone_from(waker);
            }
            turns.granted == Some(number)
        });
        match turn {
            Some(false) => Poll::Pending,
            // Or it is in nobody's hands but those of another executor.
            Some(true) | None => Poll::Ready(()),
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if let Some(number) = self.0 {
            turns(|turns| {
                turns.waiting.retain(|(known, _)| *known != number);
                turns.granted = turns.granted.filter(|granted| *granted != number);
            });
        }
    }
}

/// A future that performs an operation in the world of the exploration: the one that `perform` asks
/// for. In the program of a [`Code::future`](super::Code::future) it waits for its turn. Elsewhere
/// it performs the operation at once.
///
/// If a program awaits several of them together (`join!`, `select!`), every order is explored. An
/// operation that has begun runs to its end before the next one. To explore how they overlap, put
/// them into processes of their own.
pub async fn operation<T>(perform: impl FnOnce() -> T) -> T {
    let mut waits = Waits(None);
    poll_fn(|context| waits.poll(context)).await;
    drop(waits);
    perform()
}
