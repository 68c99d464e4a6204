//! One execution of `claim_cell`, and how the cell can be written. Fourth floor: imports the `atoms` and the
//! shipping `Ships` cell that the module above it brings along: loom's, shuttle's or real threads'.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::{NOTHING, PUT, Protocol, REFUSED, Role, Scene, told_claimed};
use super::Ships;
use super::atoms::{Atomic, Lock, Ordering, Room, perform, thread};
use crate::atoms::Word;
use crate::atoms::notes::Token;

/// Runs the threads of a scene, and drops the cell.
pub(crate) fn execute(protocol: Protocol, scene: Scene) {
    let value = (scene.puts == 0).then(Token::new);
    match protocol {
        Protocol::CompareExchange => run::<Ships<Token>>(scene, value),
        Protocol::LoadThenStore => run::<Flagged<LOAD_THEN_STORE>>(scene, value),
        Protocol::SwapRelaxed => run::<Flagged<SWAP_RELAXED>>(scene, value),
        Protocol::FlagEach => run::<Flagged<FLAG_EACH>>(scene, value),
        Protocol::MutexTake => run::<Lock<Option<Token>>>(scene, value),
        Protocol::ControlForgetsDrop => run::<Flagged<FORGETS_DROP>>(scene, value),
        Protocol::ControlDropsAgain => run::<Flagged<DROPS_AGAIN>>(scene, value),
        Protocol::ControlNeverClaims => run::<Flagged<NEVER_CLAIMS>>(scene, value),
    }
}

fn run<C: Cell + 'static>(scene: Scene, value: Option<Token>) {
    let cell = Arc::new(C::holding(value, scene.claims));
    let mut acts = scene.roles().enumerate().map(|(actor, role)| {
        let cell = cell.clone();
        // Now, so that values are counted by who puts them in.
        let value = (role == Role::Puts).then(Token::new);
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
    /// With this value, for so many who claim it.
    fn holding(value: Option<Token>, claimants: usize) -> Self;
    fn put(&self, value: Token) -> Result<(), Token>;
    /// By the claimant of this number, from 0 on.
    fn claim(&self, me: usize) -> Option<Token>;
}

impl Cell for Ships<Token> {
    fn holding(value: Option<Token>, _claimants: usize) -> Self {
        value.map_or_else(Self::empty, Self::new)
    }

    fn put(&self, value: Token) -> Result<(), Token> {
        Ships::put(self, value)
    }

    fn claim(&self, _me: usize) -> Option<Token> {
        Ships::claim(self)
    }
}

impl Cell for Lock<Option<Token>> {
    fn holding(value: Option<Token>, _claimants: usize) -> Self {
        Lock::new(value)
    }

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

const LOAD_THEN_STORE: u8 = 0;
const SWAP_RELAXED: u8 = 1;
const FORGETS_DROP: u8 = 2;
const DROPS_AGAIN: u8 = 3;
const NEVER_CLAIMS: u8 = 4;
const FLAG_EACH: u8 = 5;

/// A value beside a flag that says how it stands, in one way of getting it wrong.
struct Flagged<const WAY: u8> {
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
unsafe impl<const WAY: u8> Sync for Flagged<WAY> {}
// SAFETY: as above.
unsafe impl<const WAY: u8> Send for Flagged<WAY> {}

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

impl<const WAY: u8> Cell for Flagged<WAY> {
    fn holding(value: Option<Token>, claimants: usize) -> Self {
        let comes_later = value.is_none();
        let (flag, room) = match value {
            Some(value) => (FULL, Room::full(value)),
            None => (EMPTY, Room::empty()),
        };
        let claimants = if WAY == FLAG_EACH { claimants } else { 0 };
        let wants = (0..claimants).map(|_| Atomic::new(0)).collect();
        let taken = AtomicBool::new(false);
        Flagged { flag: Atomic::new(flag), wants, comes_later, taken, room }
    }

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
        let won = match WAY {
            LOAD_THEN_STORE => {
                let full = self.flag.load(Ordering::Acquire) == FULL;
                if full {
                    self.flag.store(TAKEN, Ordering::Release);
                }
                full
            }
            // An empty cell would be taken, too: so it is looked at first, which decides nothing.
            SWAP_RELAXED if self.comes_later && self.flag.load(Ordering::Relaxed) != FULL => false,
            SWAP_RELAXED => self.flag.swap(TAKEN, Ordering::Relaxed) == FULL,
            FLAG_EACH if self.comes_later && self.flag.load(Ordering::Acquire) != FULL => false,
            FLAG_EACH => {
                self.wants[me].store(WANTED, Ordering::Release);
                let others = self.wants.iter().enumerate().filter(|(other, _)| *other != me);
                let alone = others.fold(true, |alone, (_, other)| {
                    alone && other.load(Ordering::Acquire) != WANTED
                });
                // Only the drop looks at this, when all is over.
                self.taken.fetch_or(alone, Ordering::Relaxed);
                alone
            }
            NEVER_CLAIMS => self.flag.load(Ordering::Acquire) == TAKEN,
            _ => {
                let taken =
                    self.flag.compare_exchange(FULL, TAKEN, Ordering::Acquire, Ordering::Relaxed);
                taken.is_ok()
            }
        };
        // SAFETY: it was `FULL`, so there is a value. That somebody else takes it as well, or that it is
        // not seen yet, is what is to be found out.
        won.then(|| unsafe { self.room.take() })
    }
}

impl<const WAY: u8> Drop for Flagged<WAY> {
    fn drop(&mut self) {
        let flag = self.flag.get_mut();
        let drops = match WAY {
            FORGETS_DROP => false,
            FLAG_EACH => flag == FULL && !*self.taken.get_mut(),
            DROPS_AGAIN => flag == FULL || flag == TAKEN,
            _ => flag == FULL,
        };
        if drops {
            // SAFETY: there is a value, or was; that it has another owner by now is what is to be found
            // out.
            drop(unsafe { self.room.take() });
        }
    }
}
