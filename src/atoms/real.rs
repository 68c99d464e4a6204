//! Ground floor, `atoms`: the standard library's atomics, on real threads. The threads perform one
//! atomic operation at a time, each when it is its [turn](in_turn), or all run [at once](at_once).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering as Order};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::notes::{self, Notes};

/// What the source needs of the standard library.
mod engine {
    pub(super) use std::sync::Mutex;
    pub(super) use std::sync::atomic::AtomicU8;

    pub(super) use super::{NotApart as Apart, Untracked as Tracked, arrive, enter, leave, thread};

    pub(super) fn value(atomic: &mut AtomicU8) -> u8 {
        *atomic.get_mut()
    }
}

#[allow(clippy::duplicate_mod, reason = "one source, compiled over each engine")]
#[path = "noted.rs"]
mod noted;

pub(crate) use noted::constructors;
pub use noted::{Atomic, Lock, Ordering, Room, perform};

/// Where no engine looks at who accesses what.
pub(super) struct Untracked<T>(T);

impl<T> Untracked<T> {
    pub(super) fn new(value: T) -> Self {
        Untracked(value)
    }

    pub(super) fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0)
    }

    pub(super) fn with_mut<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0)
    }
}

/// Where the engine tries accesses in every order anyway.
pub(super) struct NotApart;

impl NotApart {
    pub(super) fn new(_number: usize) -> Self {
        NotApart
    }

    pub(super) fn accessed(&self) {}
}

/// Threads that share notes and turns with the thread that starts them.
pub mod thread {
    pub use std::thread::{JoinHandle, current, yield_now};

    /// See [`std::thread::spawn`].
    pub fn spawn<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let share = super::Share::of_this_thread();
        std::thread::spawn(move || {
            share.enter();
            act()
        })
    }
}

/// How often a thread looks whether all are there before it lets others run.
const SPINS: u32 = 200;

/// Who may act.
enum Gate {
    /// One at a time: whoever's turn it is.
    Turns(Mutex<Turns>, Condvar),
    /// All of so many, once each is there.
    Start { threads: usize, arrived: AtomicUsize },
}

#[derive(Default)]
struct Turns {
    left: VecDeque<usize>,
    /// Who has it, up to its next operation.
    has: Option<usize>,
    ended: Vec<usize>,
}

/// What the threads of one execution have in common, and who of them this is.
#[derive(Clone, Default)]
struct Place {
    gate: Option<Arc<Gate>>,
    actor: usize,
    acted: bool,
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::default();
}

/// What a thread brings along from the one that started it.
struct Share(Option<Arc<Gate>>, notes::Shared);

impl Share {
    fn of_this_thread() -> Share {
        Share(PLACE.with_borrow(|place| place.gate.clone()), notes::shared())
    }

    fn enter(self) {
        PLACE.set(Place { gate: self.0, ..Place::default() });
        notes::share(self.1);
    }
}

/// Runs this many actors on real threads, the first of them on the calling thread. `run` starts the
/// threads, [performs](perform) the first actor, and waits for the others.
///
/// An actor performs an atomic operation when the schedule says so and no earlier. After the
/// schedule's end the actors go on in any order. A turn of an actor that does not exist or has
/// ended is skipped.
pub fn in_turn(actors: usize, turns: &[usize], run: impl FnOnce()) -> Notes {
    let left = turns.iter().copied().filter(|actor| *actor < actors).collect();
    let turns = Turns { left, ..Turns::default() };
    execute(actors, true, Gate::Turns(Mutex::new(turns), Condvar::new()), run)
}

/// The same as [`in_turn`], without turns: once all threads are there, none waits for another. The
/// notes do not say what the threads did, because noting it would make them wait.
pub fn at_once(actors: usize, run: impl FnOnce()) -> Notes {
    execute(actors, false, Gate::Start { threads: actors, arrived: AtomicUsize::new(0) }, run)
}

fn execute(actors: usize, told: bool, gate: Gate, run: impl FnOnce()) -> Notes {
    notes::begin(actors, notes::Options { told, ..notes::Options::default() });
    PLACE.set(Place { gate: Some(Arc::new(gate)), ..Place::default() });
    run();
    PLACE.set(Place::default());
    notes::end()
}

fn enter(actor: usize) {
    PLACE.with_borrow_mut(|place| place.actor = actor);
}

/// Waits until this thread may do its next operation.
fn arrive() {
    let place = PLACE.with_borrow_mut(|place| {
        let now = place.clone();
        place.acted = true;
        now
    });
    match place.gate.as_deref() {
        None => {}
        Some(Gate::Start { .. }) if place.acted => {}
        Some(Gate::Start { threads, arrived }) => {
            arrived.fetch_add(1, Order::AcqRel);
            let mut spun = 0;
            while arrived.load(Order::Acquire) < *threads {
                // Where there are fewer processors than threads, somebody has to make room.
                match spun {
                    SPINS => std::thread::yield_now(),
                    _ => std::hint::spin_loop(),
                }
                spun = SPINS.min(spun + 1);
            }
        }
        Some(Gate::Turns(turns, changed)) => {
            let mut turns = lock(turns);
            turns.give_back(place.actor);
            changed.notify_all();
            while !turns.may_act(place.actor) {
                turns = changed.wait(turns).unwrap_or_else(PoisonError::into_inner);
            }
            turns.left.pop_front();
            turns.has = Some(place.actor);
        }
    }
}

/// This thread does no operation any more.
fn leave() {
    let place = PLACE.take();
    match place.gate.as_deref() {
        None => {}
        Some(Gate::Start { .. }) if place.acted => {}
        // Who never did one is waited for as well.
        Some(Gate::Start { arrived, .. }) => _ = arrived.fetch_add(1, Order::AcqRel),
        Some(Gate::Turns(turns, changed)) => {
            let mut turns = lock(turns);
            turns.give_back(place.actor);
            turns.ended.push(place.actor);
            changed.notify_all();
        }
    }
}

impl Turns {
    fn give_back(&mut self, actor: usize) {
        self.has = self.has.filter(|has| *has != actor);
    }

    fn may_act(&mut self, actor: usize) -> bool {
        // Turns of who has ended are nobody's: else all would wait for ever.
        while self.left.front().is_some_and(|next| self.ended.contains(next)) {
            self.left.pop_front();
        }
        self.has.is_none() && self.left.front().is_none_or(|next| *next == actor)
    }
}

fn lock(turns: &Mutex<Turns>) -> MutexGuard<'_, Turns> {
    turns.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
