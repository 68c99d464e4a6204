//! One execution of `claim_cell`, and how the cell can be written. Fourth floor: imports the `atoms` and the
//! shipping `Ships` cell that the module above it brings along: loom's, shuttle's or real threads'.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::{NOTHING, PUT, Protocol, REFUSED, Scene, told_claimed};
use super::Ships;
use super::atoms::{Atomic, Lock, Ordering, Room, perform, thread};
use crate::atoms::Word;
use crate::atoms::notes::Token;

/// Runs the threads of a scene, and drops the cell.
pub(crate) fn execute(protocol: Protocol, scene: Scene) {
    let value = (scene.puts == 0).then(Token::new);
    match protocol {
        Protocol::CompareExchange => run(scene, value.map_or_else(Ships::empty, Ships::new)),
        Protocol::MutexTake => run(scene, Lock::new(value)),
        way => run(scene, Flagged::new(way, value, scene.claims)),
    }
}

fn run(scene: Scene, cell: impl Cell + 'static) {
    let cell = Arc::new(cell);
    let mut acts = (0..scene.claims + scene.puts).map(|actor| {
        let cell = cell.clone();
        // Now, so that values are counted by who puts them in.
        let value = (actor >= scene.claims).then(Token::new);
        move || {
            perform(actor, || match value {
                None => match cell.claim(actor) {
                    Some(token) => told_claimed(token.number()),
                    None => NOTHING.to_owned(),
                },
                Some(value) => match cell.put(value) {
                    Ok(()) => PUT.to_owned(),
                    Err(_) => REFUSED.to_owned(),
                },
            });
        }
    });
    let first = acts.next();
    // All of them, before the first acts.
    let others: Vec<_> = acts.map(thread::spawn).collect();
    if let Some(act) = first {
        act();
    }
    for thread in others {
        thread.join().expect("no thread panics");
    }
    // Whoever comes after all of them: so what is dropped was there.
    drop(cell);
}

/// A cell, however it is written.
trait Cell: Send + Sync {
    fn put(&self, value: Token) -> Result<(), Token>;
    /// By the claimant of this number, from 0 on.
    fn claim(&self, me: usize) -> Option<Token>;
}

impl Cell for Ships<Token> {
    fn put(&self, value: Token) -> Result<(), Token> {
        Ships::put(self, value)
    }

    fn claim(&self, _me: usize) -> Option<Token> {
        Ships::claim(self)
    }
}

impl Cell for Lock<Option<Token>> {
    /// An empty cell may have been claimed: so a value is put in again, and there is none to keep
    /// it from that but whoever writes.
    fn put(&self, value: Token) -> Result<(), Token> {
        self.with(|place| match place {
            Some(_) => Err(value),
            None => {
                *place = Some(value);
                Ok(())
            }
        })
    }

    fn claim(&self, _me: usize) -> Option<Token> {
        self.with(Option::take)
    }
}

/// A value beside a flag that says how it stands, in one way of getting it wrong.
struct Flagged {
    way: Protocol,
    flag: Atomic<Flag>,
    /// Whether each of them wants it, where that is asked.
    wants: Vec<Atomic<Wants>>,
    /// Whether it was empty at first.
    comes_later: bool,
    taken: AtomicBool,
    room: Room<Token>,
}

// SAFETY: it is shared by threads that are to find out what goes wrong where it should not be. Its value
// owns nothing, and the engines run one thread at a time.
unsafe impl Sync for Flagged {}
// SAFETY: as above.
unsafe impl Send for Flagged {}

struct Flag;

impl Word for Flag {
    const NAMES: &'static [&'static str] = &["EMPTY", "WRITING", "FULL", "TAKEN"];
}

struct Wants;

impl Word for Wants {
    const NAMES: &'static [&'static str] = &["NO", "WANTED"];
}

const WANTED: u8 = 1;

const EMPTY: u8 = 0;
const WRITING: u8 = 1;
const FULL: u8 = 2;
const TAKEN: u8 = 3;

impl Flagged {
    fn new(way: Protocol, value: Option<Token>, claimants: usize) -> Self {
        let comes_later = value.is_none();
        let (flag, room) = match value {
            Some(value) => (FULL, Room::full(value)),
            None => (EMPTY, Room::empty()),
        };
        let claimants = if way == Protocol::FlagEach { claimants } else { 0 };
        let wants = (0..claimants).map(|_| Atomic::new(0)).collect();
        let taken = AtomicBool::new(false);
        Flagged { way, flag: Atomic::new(flag), wants, comes_later, taken, room }
    }
}

impl Cell for Flagged {
    /// As the shipping cell does it.
    fn put(&self, value: Token) -> Result<(), Token> {
        let won = self.flag.compare_exchange(EMPTY, WRITING, Ordering::Relaxed, Ordering::Relaxed);
        if won.is_err() {
            return Err(value);
        }
        // SAFETY: one thread gets here, and nobody reads before it is `FULL`.
        unsafe { self.room.write(value) };
        self.flag.store(FULL, Ordering::Release);
        Ok(())
    }

    fn claim(&self, me: usize) -> Option<Token> {
        let won = match self.way {
            Protocol::LoadThenStore => {
                let full = self.flag.load(Ordering::Acquire) == FULL;
                if full {
                    self.flag.store(TAKEN, Ordering::Release);
                }
                full
            }
            // An empty cell would be taken, too: so it is looked at first, which decides nothing.
            Protocol::SwapRelaxed
                if self.comes_later && self.flag.load(Ordering::Relaxed) != FULL =>
            {
                false
            }
            Protocol::SwapRelaxed => self.flag.swap(TAKEN, Ordering::Relaxed) == FULL,
            Protocol::FlagEach if self.comes_later && self.flag.load(Ordering::Acquire) != FULL => {
                false
            }
            Protocol::FlagEach => {
                self.wants[me].store(WANTED, Ordering::Release);
                let others = self.wants.iter().enumerate().filter(|(other, _)| *other != me);
                let alone = others.fold(true, |alone, (_, other)| {
                    alone && other.load(Ordering::Acquire) != WANTED
                });
                // Only the drop looks at this, when all is over.
                self.taken.fetch_or(alone, Ordering::Relaxed);
                alone
            }
            Protocol::ControlNeverClaims => self.flag.load(Ordering::Acquire) == TAKEN,
            _ => self
                .flag
                .compare_exchange(FULL, TAKEN, Ordering::Acquire, Ordering::Relaxed)
                .is_ok(),
        };
        // SAFETY: it was `FULL`, so there is a value. That somebody else takes it as well, or that it is
        // not seen yet, is what is to be found out.
        won.then(|| unsafe { self.room.take() })
    }
}

impl Drop for Flagged {
    fn drop(&mut self) {
        let flag = self.flag.get_mut();
        let drops = match self.way {
            Protocol::ControlForgetsDrop => false,
            Protocol::FlagEach => flag == FULL && !*self.taken.get_mut(),
            Protocol::ControlDropsAgain => flag == FULL || flag == TAKEN,
            _ => flag == FULL,
        };
        if drops {
            // SAFETY: there is a value, or was; that it has another owner by now is what is to be found
            // out.
            drop(unsafe { self.room.take() });
        }
    }
}
