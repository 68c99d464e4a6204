//! Ground floor, `atoms`: notes of what the threads of an execution did. Imports nothing of this
//! crate.
//!
//! loom and shuttle run all threads of an execution on one thread of the operating system. So all
//! of them see the same thread-local, and the engines do not explore accesses to it.
//! [Real](super::real) threads share their notes.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// A thread of loom's or shuttle's, or a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread(u64);

/// The thread that has this id.
pub fn thread_of(id: &impl Hash) -> Thread {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    Thread(hasher.finish())
}

/// An operation on an atomic, with the values read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// This value was read.
    Load(u8),
    /// This value was read by an exchange that failed.
    Refused(u8),
    /// This value was written.
    Store(u8),
    /// The first value was read and the second written, in one operation.
    Exchange(u8, u8),
}

impl Access {
    /// The value that was read.
    pub fn read(self) -> Option<u8> {
        match self {
            Access::Load(read) | Access::Refused(read) | Access::Exchange(read, _) => Some(read),
            Access::Store(_) => None,
        }
    }

    /// The value that was written.
    pub fn written(self) -> Option<u8> {
        match self {
            Access::Store(written) | Access::Exchange(_, written) => Some(written),
            Access::Load(_) | Access::Refused(_) => None,
        }
    }
}

/// An access to a [room](super::std::Room).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its value was read.
    Read,
    /// It was written.
    Written,
}

/// An operation or access, and its object. Atomics, locks and rooms are numbered in the order in
/// which they were made; atomics and locks are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// An atomic operation.
    Atomic(usize, Access, Ordering),
    /// A lock was taken.
    Lock(usize),
    /// A lock was released. This is not an operation of its own: no other actor has acted since the
    /// lock was taken.
    Unlock(usize),
    /// An access that is not atomic. Not an operation of its own.
    Room(usize, Done),
}

impl Act {
    /// Whether it takes a turn.
    pub fn is_operation(self) -> bool {
        matches!(self, Act::Atomic(..) | Act::Lock(_))
    }
}

/// What an actor did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The actor.
    pub actor: usize,
    /// What the actor did.
    pub act: Act,
    /// What it did and saw: `swap(TAKEN) = FULL`.
    pub label: String,
    /// How many writes old the value was that was read; 0 if nothing was read.
    pub behind: usize,
    /// The actor's output, if this was its last event.
    pub output: Option<String>,
}

/// What the notes of an execution contain.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to look for data races, if the engine can.
    pub looks_for_races: bool,
    /// The atomics whose accesses exclude one another, for an engine that would otherwise miss some
    /// order.
    pub apart: Arc<[usize]>,
    /// Whether to keep the events, and not only their results.
    pub told: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { looks_for_races: false, apart: Arc::default(), told: true }
    }
}

/// The notes of one execution so far.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What the actors did, in order.
    pub events: Vec<Event>,
    /// The output of each actor.
    pub outputs: Vec<Option<String>>,
    /// For each token that was made, how many times it was dropped.
    pub dropped: Vec<usize>,
    options: Options,
    threads: Vec<(Thread, usize)>,
    /// By actor: whether anybody has begun to perform it.
    performed: Vec<bool>,
    /// What the program did that a program must not.
    fault: Option<String>,
    /// By actor: whether an operation is the next that it does.
    about: Vec<bool>,
    /// By atomic: what was written to it, in the order of the events.
    written: Vec<Vec<u8>>,
    rooms: usize,
}

/// The notes that some threads have in common.
pub(super) type Shared = Arc<Mutex<Notes>>;

thread_local! {
    static NOTES: RefCell<Shared> = RefCell::default();
    /// Whether they tell events: looked up without a lock, which would make threads wait for one another.
    static TOLD: Cell<bool> = const { Cell::new(true) };
}

fn with<T>(look: impl FnOnce(&mut Notes) -> T) -> T {
    let notes = shared();
    look(&mut notes.lock().unwrap_or_else(PoisonError::into_inner))
}

/// This thread's, to be shared.
pub(super) fn shared() -> Shared {
    NOTES.with_borrow(Shared::clone)
}

/// From here on this thread's are those.
pub(super) fn share(notes: Shared) {
    TOLD.set(notes.lock().unwrap_or_else(PoisonError::into_inner).options.told);
    NOTES.set(notes);
}

/// Begins an execution with this many actors.
pub fn begin(actors: usize, options: Options) {
    let (outputs, about) = (vec![None; actors], vec![false; actors]);
    let performed = about.clone();
    share(Arc::new(Mutex::new(Notes { outputs, about, performed, options, ..Notes::default() })));
}

/// The notes since the execution began.
pub fn end() -> Notes {
    with(std::mem::take)
}

/// Looks at the notes so far.
pub fn so_far<T>(look: impl FnOnce(&Notes) -> T) -> T {
    with(|notes| look(notes))
}

/// From here on what this thread does is the actor's, until that has [ended].
pub(super) fn i_am(thread: Thread, actor: usize) {
    with(|notes| {
        let actors = notes.outputs.len();
        if actor >= actors {
            notes.is_at_fault(format!("it performs actor {actor}, and there are only {actors}"));
        } else if std::mem::replace(&mut notes.performed[actor], true) {
            notes.is_at_fault(format!("it performs actor {actor} twice"));
        }
        notes.threads.push((thread, actor));
    });
}

/// Notes that an actor has ended with this output. From here on nothing that its thread does is an
/// actor's: for example, it waits for the others, and drops what they share.
pub(super) fn ended(thread: Thread, output: String) {
    with(|notes| {
        let Some(actor) = notes.actor(thread) else { return };
        notes.threads.retain(|(known, _)| *known != thread);
        let mut its = notes.events.iter_mut().rev().filter(|event| event.actor == actor);
        if let Some(last) = its.find(|event| event.act.is_operation()) {
            last.output = Some(output.clone());
        }
        if let Some(place) = notes.outputs.get_mut(actor) {
            *place = Some(output);
        }
    });
}

/// The next that this thread does is an atomic operation.
pub(super) fn about(thread: Thread) {
    if !TOLD.get() {
        return;
    }
    with(|notes| {
        let actor = notes.actor(thread);
        if let Some(about) = actor.and_then(|actor| notes.about.get_mut(actor)) {
            *about = true;
        }
    });
}

/// Something was done, or, where it is not atomic, is being done.
pub(super) fn note(thread: Thread, act: Act, label: impl FnOnce() -> String) {
    if !TOLD.get() {
        return;
    }
    with(|notes| {
        let behind = match act {
            Act::Atomic(number, access, _) => notes.accessed(number, access),
            Act::Lock(_) | Act::Unlock(_) | Act::Room(..) => 0,
        };
        let Some(actor) = notes.actor(thread) else { return };
        if act.is_operation() {
            notes.about[actor] = false;
        }
        let stale = if behind > 0 { " (stale)" } else { "" };
        let label = format!("{}{stale}", label());
        notes.events.push(Event { actor, act, label, behind, output: None });
    });
}

/// One more atomic, with this value; which one.
pub(super) fn atomic(value: u8) -> usize {
    with(|notes| {
        notes.written.push(vec![value]);
        notes.written.len() - 1
    })
}

/// Whether it matters which of two operations comes first.
fn depend(one: Act, other: Act) -> bool {
    match (one, other) {
        (Act::Atomic(_, Access::Load(_), _), Act::Atomic(_, Access::Load(_), _)) => false,
        (Act::Atomic(one, ..) | Act::Lock(one), Act::Atomic(other, ..) | Act::Lock(other)) => {
            one == other
        }
        _ => false,
    }
}

/// What was written to an atomic last; 0 where nobody knows.
pub(super) fn newest(number: usize) -> u8 {
    with(|notes| notes.written.get(number).and_then(|written| written.last()).copied().unwrap_or(0))
}

/// One more room; which one.
pub(super) fn room() -> usize {
    with(|notes| {
        notes.rooms += 1;
        notes.rooms - 1
    })
}

pub(super) fn looks_for_races() -> bool {
    with(|notes| notes.options.looks_for_races)
}

/// Whether accesses to this atomic exclude one another.
pub(super) fn is_apart(number: usize) -> bool {
    with(|notes| notes.options.apart.contains(&number))
}

/// Each actor has to be performed by the thread that an engine takes for its own.
pub(super) fn is_misplaced(actor: usize) {
    with(|notes| {
        notes.is_at_fault(format!(
            "it performs actor {actor} on another thread than the one started in its place"
        ));
    });
}

impl Notes {
    fn is_at_fault(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    /// What is wrong with the program itself, once an execution has ended.
    pub fn fault(&self) -> Option<String> {
        let left_out = self.outputs.iter().position(Option::is_none);
        let left_out = left_out.map(|actor| format!("it does not perform actor {actor}"));
        self.fault.clone().or(left_out)
    }

    /// The atomics of which a load was hidden from loom.
    ///
    /// A load is hidden by a later load of another actor (possibly the writer) that comes before
    /// the last operation of the writer before its write.
    ///
    /// One operation comes before another in an actor's own order. It also does where both use the
    /// same atomic or lock, unless both only load.
    pub fn hidden_looks(&self) -> Vec<usize> {
        let operations: Vec<&Event> = self.operations().collect();
        let mut known: Vec<Vec<usize>> = vec![vec![0; self.outputs.len()]; self.outputs.len()];
        // Of each operation: which of its actor's it is, and how many of each actor's come before.
        let mut clocks: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut hidden: Vec<usize> = Vec::new();
        for event in &operations {
            let mut clock = known[event.actor].clone();
            let earlier = || operations.iter().zip(&clocks);
            if let Act::Atomic(number, access, _) = event.act
                && !matches!(access, Access::Load(_))
                && !hidden.contains(&number)
            {
                let loads = |load: &Event| matches!(load.act, Act::Atomic(same, Access::Load(_), _) if same == number);
                let loads: Vec<_> = earlier().filter(|(load, _)| loads(load)).collect();
                let comes_before =
                    |(load, (nth, _)): &(&&Event, &(usize, Vec<usize>))| *nth <= clock[load.actor];
                let last_before = loads.iter().rposition(comes_before).unwrap_or(0);
                let hider = loads.get(last_before).map(|(load, _)| load.actor);
                let is_hidden = |load: &(&&Event, &(usize, Vec<usize>))| {
                    !comes_before(load) && Some(load.0.actor) != hider
                };
                if loads[..last_before].iter().any(is_hidden) {
                    hidden.push(number);
                }
            }
            for (_, (_, before)) in earlier().filter(|(other, _)| depend(event.act, other.act)) {
                for (seen, before) in clock.iter_mut().zip(before) {
                    *seen = (*seen).max(*before);
                }
            }
            let nth = known[event.actor][event.actor] + 1;
            clock[event.actor] = nth;
            known[event.actor].clone_from(&clock);
            clocks.push((nth, clock));
        }
        hidden
    }

    fn actor(&self, thread: Thread) -> Option<usize> {
        let known = self.threads.iter().find(|(known, _)| *known == thread);
        known.map(|(_, actor)| *actor).filter(|actor| *actor < self.about.len())
    }

    /// How many writes behind the newest it was that was read.
    fn accessed(&mut self, number: usize, access: Access) -> usize {
        let Some(written) = self.written.get_mut(number) else { return 0 };
        let behind = |read: u8| written.iter().rev().position(|value| *value == read);
        let behind = access.read().and_then(behind).unwrap_or(0);
        written.extend(access.written());
        behind
    }

    /// Whether this actor's next act is an atomic operation. If not, the actor may still begin or
    /// end, or do something that no other actor can notice.
    pub fn is_about_to_act(&self, actor: usize) -> bool {
        self.about.get(actor).copied().unwrap_or(false)
    }

    /// The same notes up to this many operations, with what came before the next operation.
    pub fn cut_after(&self, operations: usize) -> Notes {
        let mut left = operations;
        let until = self.events.iter().position(|event| {
            let is_over = left == 0 && event.act.is_operation();
            left = left.saturating_sub(usize::from(event.act.is_operation()));
            is_over
        });
        let mut cut = self.clone();
        if let Some(until) = until {
            cut.events.truncate(until);
            cut.outputs.fill(None);
            for event in cut.events.iter().filter(|event| event.output.is_some()) {
                cut.outputs[event.actor].clone_from(&event.output);
            }
        }
        cut
    }

    /// The operations. Each of them took a turn.
    pub fn operations(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.act.is_operation())
    }
}

/// A value whose drops are counted. It owns nothing, so a broken protocol that makes a second copy
/// of it does no harm.
#[derive(Debug)]
pub struct Token(usize);

impl Token {
    /// One more token.
    #[allow(clippy::new_without_default, reason = "it is counted")]
    pub fn new() -> Self {
        with(|notes| {
            notes.dropped.push(0);
            Token(notes.dropped.len() - 1)
        })
    }

    /// The token's number, from 1 on.
    pub fn number(&self) -> usize {
        self.0 + 1
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // Not where an execution was cut short, and its thread ends.
        let Ok(notes) = NOTES.try_with(|notes| notes.try_borrow().map(|notes| notes.clone()))
        else {
            return;
        };
        let Ok(notes) = notes else { return };
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = notes.dropped.get_mut(self.0) {
            *times += 1;
        }
    }
}

#[cfg(test)]
mod tests;
