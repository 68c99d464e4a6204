//! Ground floor, `atoms`: the one source of all atomics that note their operations. Imports the
//! `engine` of the module above it.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
pub use core::sync::atomic::Ordering;
use std::sync::PoisonError;

use super::engine::{self, Apart, AtomicU8, Mutex, Tracked};
use crate::atoms::Word;
pub(crate) use crate::atoms::not_const as constructors;
use crate::atoms::notes::{self, Access, Act, Done};

/// Performs an actor on this thread: all that the thread does until the end of `act` is noted as
/// the actor's. `act` returns the actor's output.
pub fn perform(actor: usize, act: impl FnOnce() -> String) {
    notes::i_am(me(), actor);
    engine::enter(actor);
    let _leaves = Leaves;
    let told = act();
    notes::ended(me(), told);
}

/// Leaves even where `act` panics: else the others would wait for its turns for ever.
struct Leaves;

impl Drop for Leaves {
    fn drop(&mut self) {
        engine::leave();
    }
}

/// One atomic byte, whose values mean what `W` says. Each operation is noted when it is done.
pub struct Atomic<W> {
    value: AtomicU8,
    apart: Apart,
    number: usize,
    word: PhantomData<W>,
}

impl<W: Word> Atomic<W> {
    /// An atomic with this value.
    pub fn new(value: u8) -> Self {
        let number = notes::atomic(value);
        Atomic { value: AtomicU8::new(value), apart: Apart::new(number), number, word: PhantomData }
    }

    /// See [`load`](core::sync::atomic::AtomicU8::load).
    pub fn load(&self, ordering: Ordering) -> u8 {
        about();
        let value = self.value.load(ordering);
        self.done(Access::Load(value), ordering, || format!("load = {}", W::name(value)));
        value
    }

    /// See [`store`](core::sync::atomic::AtomicU8::store).
    pub fn store(&self, value: u8, ordering: Ordering) {
        about();
        self.value.store(value, ordering);
        self.done(Access::Store(value), ordering, || format!("store({})", W::name(value)));
    }

    /// See [`swap`](core::sync::atomic::AtomicU8::swap).
    pub fn swap(&self, value: u8, ordering: Ordering) -> u8 {
        about();
        let before = self.value.swap(value, ordering);
        self.done(Access::Exchange(before, value), ordering, || {
            format!("swap({}) = {}", W::name(value), W::name(before))
        });
        before
    }

    /// See [`compare_exchange`](core::sync::atomic::AtomicU8::compare_exchange).
    pub fn compare_exchange(
        &self,
        current: u8,
        new: u8,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u8, u8> {
        about();
        let exchanged = self.value.compare_exchange(current, new, success, failure);
        let (access, ordering, result) = match exchanged {
            Ok(before) => (Access::Exchange(before, new), success, "ok"),
            Err(found) => (Access::Refused(found), failure, W::name(found)),
        };
        self.done(access, ordering, || {
            format!("exchange({} → {}) = {result}", W::name(current), W::name(new))
        });
        exchanged
    }

    /// The value, for a caller that has the atomic alone.
    pub fn get_mut(&mut self) -> u8 {
        match panicking() {
            true => notes::newest(self.number),
            false => engine::value(&mut self.value),
        }
    }

    fn done(&self, access: Access, ordering: Ordering, label: impl FnOnce() -> String) {
        self.apart.accessed();
        notes::note(me(), Act::Atomic(self.number, access, ordering), label);
    }
}

/// Room for a value that may or may not be there. An [`Atomic`] beside it says whether it is.
pub struct Room<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    number: usize,
    /// What the engine sees of the accesses; none where it is not to look for data races.
    tracked: Option<Tracked<()>>,
}

impl<T> Room<T> {
    /// A room with a value in it.
    pub fn full(value: T) -> Self {
        Self::with(MaybeUninit::new(value))
    }

    /// A room without a value.
    pub fn empty() -> Self {
        Self::with(MaybeUninit::uninit())
    }

    fn with(value: MaybeUninit<T>) -> Self {
        let tracked = notes::looks_for_races().then(|| Tracked::new(()));
        Room { value: UnsafeCell::new(value), number: notes::room(), tracked }
    }

    /// Puts a value in. A value that is already there is forgotten.
    ///
    /// # Safety
    ///
    /// As with the standard library's room: no other thread reads or writes it meanwhile. If one
    /// does, loom panics.
    pub unsafe fn write(&self, value: T) {
        notes::note(me(), Act::Room(self.number, Done::Written), || "write".to_owned());
        if let Some(tracked) = self.tracked.as_ref().filter(|_| !panicking()) {
            tracked.with_mut(|_| ());
        }
        // SAFETY: the engine runs one thread at a time, from one atomic operation to the next, so nobody
        // else has access now; on real threads let loose it is the caller's to see to that.
        unsafe { (*self.value.get()).write(value) };
    }

    /// Takes the value out, and leaves a copy of its bytes behind.
    ///
    /// # Safety
    ///
    /// There is a value. If another thread writes the room meanwhile, loom panics. A thread that
    /// takes a value that another has taken makes a second owner of it.
    pub unsafe fn take(&self) -> T {
        notes::note(me(), Act::Room(self.number, Done::Read), || "read".to_owned());
        if let Some(tracked) = self.tracked.as_ref().filter(|_| !panicking()) {
            tracked.with(|_| ());
        }
        // SAFETY: it was written, by this function's own condition; as above, nobody writes now.
        unsafe { (*self.value.get()).assume_init_read() }
    }
}

/// A value behind a lock. Each time that a thread takes the lock is noted.
pub struct Lock<T> {
    value: Mutex<T>,
    number: usize,
}

impl<T> Lock<T> {
    /// A lock around this value.
    pub fn new(value: T) -> Self {
        Lock { value: Mutex::new(value), number: notes::atomic(0) }
    }

    /// Runs `act` on the value while no other thread can use it.
    pub fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        about();
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        notes::note(me(), Act::Lock(self.number), || "lock".to_owned());
        let result = act(&mut value);
        // While it is still so: else another might note that it has the lock before.
        notes::note(me(), Act::Unlock(self.number), || "unlock".to_owned());
        result
    }
}

/// Whether an execution is being cut short: loom ends one with a data race by a panic. Whatever is dropped then
/// must not ask it anything, as it would panic again, and that would end the process.
fn panicking() -> bool {
    std::thread::panicking()
}

/// The next that this thread does is an atomic operation.
fn about() {
    engine::arrive();
    notes::about(me());
}

fn me() -> notes::Thread {
    notes::thread_of(&engine::thread::current().id())
}
