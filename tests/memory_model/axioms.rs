//! What C11 allows, in the wording of C++20, computed: every candidate execution of a program is tried
//! against the axioms.
//!
//! A candidate says from which write each read takes its value (*rf*) and in which order the writes to a
//! place are done (*mo*). The axioms are those of C++20, [intro.races] and [atomics.order]:
//!
//! - *happens before* is what is sequenced before or synchronises with it, over release sequences of
//!   updates alone (C++20 has dropped the stores of the same thread) and over fences, and has no cycle;
//! - coherence, in its four forms: *mo* and what is read agree with *happens before*;
//! - an update reads the write just before its own;
//! - there is one order of all `SeqCst` operations, in agreement with *strongly happens before* and with
//!   *coherence-ordered before*, over `SeqCst` fences as well.
//!
//! There is no axiom against values out of thin air, as the standard has none; [`Model::load_buffering`]
//! is the simplest one (*sb* and *rf* together have no cycle, as RC11 has it, and Batty et al. before).

mod relation;
mod runs;

use relation::Relation;
use runs::{Event, Kind, NOWHERE, PAYLOAD, Run, runs};

use crate::program::{Got, Ordering, Outcomes, PLACES, Program, SC, outcome};

/// How much of C11 there is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    /// A load may read from a store that is done later in its own thread's eyes.
    pub(crate) load_buffering: bool,
    /// `SeqCst` loads, stores and updates are more than acquire and release.
    pub(crate) seq_cst_accesses: bool,
    /// An update reads the write just before its own.
    pub(crate) atomicity: bool,
    /// A weak exchange may fail though it read what it was to find.
    pub(crate) spurious_failures: bool,
}

/// All of it.
pub(crate) const C11: Model = Model {
    load_buffering: true,
    seq_cst_accesses: true,
    atomicity: true,
    spurious_failures: true,
};

/// What a model allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) outcomes: Outcomes,
    /// Two threads may access the payload at once, one of them to write. Then the outcomes mean nothing.
    pub(crate) race: bool,
}

/// What a model allows a program to do.
pub(crate) fn allowed(program: &Program, model: Model) -> Allowed {
    let of_threads = runs(program, model.spurious_failures);
    let mut allowed = Allowed::default();
    let mut choice = vec![0; of_threads.len()];
    loop {
        let chosen: Vec<&Run> =
            choice.iter().zip(&of_threads).map(|(index, runs)| &runs[*index]).collect();
        Candidates::of(&chosen, model).judge(program, &chosen, &mut allowed);
        let Some(more) = (0..choice.len()).find(|&at| choice[at] + 1 < of_threads[at].len()) else {
            return allowed;
        };
        choice[..more].fill(0);
        choice[more] += 1;
    }
}

/// The executions in which each thread reads given values.
struct Candidates {
    model: Model,
    /// The first writes of all places, then the operations of each thread.
    events: Vec<Event>,
    sequenced: Relation,
    /// From which write each event reads, for those that read.
    from: Vec<usize>,
}

impl Candidates {
    fn of(chosen: &[&Run], model: Model) -> Self {
        let first = (0..=PAYLOAD).map(Event::first_write);
        let events: Vec<Event> =
            first.chain(chosen.iter().flat_map(|run| run.events.iter().copied())).collect();
        let mut sequenced = Relation::new(events.len());
        for (later, event) in events.iter().enumerate() {
            for (earlier, other) in events[..later].iter().enumerate() {
                if other.thread == event.thread || earlier <= PAYLOAD {
                    sequenced.add(earlier, later);
                }
            }
        }
        let from = vec![usize::MAX; events.len()];
        Candidates { model, events, sequenced, from }
    }

    /// Tries every write for every read, and every order of writes.
    fn judge(&mut self, program: &Program, chosen: &[&Run], allowed: &mut Allowed) {
        self.choose_from(0, program, chosen, allowed);
    }

    fn choose_from(
        &mut self,
        at: usize,
        program: &Program,
        chosen: &[&Run],
        allowed: &mut Allowed,
    ) {
        let Some(event) = self.events.get(at).copied() else {
            return self.with_reads(program, chosen, allowed);
        };
        if !event.kind.reads() {
            return self.choose_from(at + 1, program, chosen, allowed);
        }
        for write in 0..self.events.len() {
            let source = self.events[write];
            let fits = source.kind.writes() && source.place == event.place && write != at;
            if fits && source.written == event.read {
                self.from[at] = write;
                self.choose_from(at + 1, program, chosen, allowed);
            }
        }
    }

    /// Every read has its write.
    fn with_reads(&self, program: &Program, chosen: &[&Run], allowed: &mut Allowed) {
        let synchronised = self.synchronised();
        let before = self.sequenced.union(&synchronised).closed();
        let read = self.read();
        if before.has_cycle()
            || !self.model.load_buffering && self.sequenced.union(&read).closed().has_cycle()
        {
            return;
        }
        let orders: Vec<_> = (0..=PAYLOAD).map(|place| self.orders(place, &before)).collect();
        if orders.iter().any(Vec::is_empty) {
            return;
        }
        let reads: Vec<Vec<Got>> = chosen.iter().map(|run| run.reads.clone()).collect();
        let mut choice = [0; PAYLOAD + 1];
        loop {
            let order: Vec<&[usize]> =
                choice.iter().zip(&orders).map(|(index, orders)| &orders[*index][..]).collect();
            if self.one_order_of_seq_cst(&before, &synchronised, &read, &order) {
                let left = |place: crate::program::Place| {
                    let last = order[place as usize].last();
                    (place, last.map_or(0, |last| self.events[*last].written))
                };
                let told = outcome(&reads, program.told().into_iter().map(left));
                allowed.outcomes.insert(told);
                allowed.race |= self.races(&before);
            }
            let Some(more) = (0..choice.len()).find(|&at| choice[at] + 1 < orders[at].len()) else {
                return;
            };
            choice[..more].fill(0);
            choice[more] += 1;
        }
    }

    /// *rf*.
    fn read(&self) -> Relation {
        let mut read = Relation::new(self.events.len());
        for at in self.indices(|event| event.kind.reads()) {
            read.add(self.from[at], at);
        }
        read
    }

    /// What synchronises with what: a release, by a store or by a fence before a store, with an acquire
    /// that reads from it or from an update that does, by a load or by a fence after a load.
    fn synchronised(&self) -> Relation {
        let mut synchronised = Relation::new(self.events.len());
        let fences = |order: fn(Ordering) -> bool| {
            self.indices(move |event| event.kind == Kind::Fence && order(event.order))
        };
        for read in self.indices(|event| event.kind.reads() && event.place < PAYLOAD) {
            let after = fences(acquires).filter(|fence| self.sequenced.has(read, *fence));
            let itself = acquires(self.events[read].order).then_some(read);
            let acquired: Vec<usize> = after.chain(itself).collect();
            let mut head = self.from[read];
            while head > PAYLOAD {
                let before = fences(releases).filter(|fence| self.sequenced.has(*fence, head));
                let itself = releases(self.events[head].order).then_some(head);
                for released in before.chain(itself) {
                    acquired.iter().for_each(|acquired| synchronised.add(released, *acquired));
                }
                if self.events[head].kind != Kind::Update {
                    break;
                }
                head = match self.from[head] {
                    // An update that reads from itself by way of others; no order of writes has it.
                    next if next == self.from[read] => break,
                    next => next,
                };
            }
        }
        synchronised
    }

    /// The orders in which the writes to a place can be done.
    fn orders(&self, place: usize, before: &Relation) -> Vec<Vec<usize>> {
        let writes: Vec<usize> =
            self.indices(|event| event.kind.writes() && event.place == place).collect();
        let mut found = Vec::new();
        self.extend(&mut Vec::new(), &writes, before, &mut found);
        found
    }

    fn extend(
        &self,
        order: &mut Vec<usize>,
        writes: &[usize],
        before: &Relation,
        found: &mut Vec<Vec<usize>>,
    ) {
        if order.len() == writes.len() {
            if self.is_coherent(order, before) {
                found.push(order.clone());
            }
            return;
        }
        for &next in writes {
            let left = |write: &usize| !order.contains(write);
            let waits = writes.iter().any(|write| left(write) && before.has(*write, next));
            let update = self.events[next].kind == Kind::Update && self.model.atomicity;
            if !left(&next) || waits || update && order.last() != Some(&self.from[next]) {
                continue;
            }
            order.push(next);
            self.extend(order, writes, before, found);
            order.pop();
        }
    }

    /// Whether what is read from these writes agrees with what happens before what.
    fn is_coherent(&self, order: &[usize], before: &Relation) -> bool {
        let position = |write: usize| order.iter().position(|other| *other == write);
        let place = self.events[order[0]].place;
        self.indices(|event| event.kind.reads() && event.place == place).all(|read| {
            let from = position(self.from[read]);
            let fits = |other: usize| {
                let (earlier, later) = (before.has(other, read), before.has(read, other));
                let event = self.events[other];
                let write = event.kind.writes();
                // Write-read and read-write, then read-read coherence.
                let behind = |write: usize| position(write) <= from;
                (!write || !earlier || behind(other))
                    && (!write || !later || !behind(other))
                    && (!event.kind.reads() || !earlier || behind(self.from[other]))
            };
            // An update comes after what it reads from.
            let own = self.events[read].kind != Kind::Update || position(read) > from;
            own && self.indices(|event| event.place == place).filter(|at| *at != read).all(fits)
        })
    }

    /// Whether the `SeqCst` operations can be put in one order.
    fn one_order_of_seq_cst(
        &self,
        before: &Relation,
        synchronised: &Relation,
        read: &Relation,
        order: &[&[usize]],
    ) -> bool {
        let counts = |event: &Event| {
            event.order == SC && (event.kind == Kind::Fence || self.model.seq_cst_accesses)
        };
        let members: Vec<usize> = self.indices(counts).collect();
        if members.len() < 2 {
            return true;
        }
        let mut coherence = read.clone();
        for order in order {
            for (index, write) in order.iter().enumerate() {
                order[index + 1..].iter().for_each(|later| coherence.add(*write, *later));
                for reader in self.indices(|event| event.kind.reads()) {
                    if self.from[reader] == *write {
                        let later = order[index + 1..].iter().filter(|later| **later != reader);
                        later.for_each(|later| coherence.add(reader, *later));
                    }
                }
            }
        }
        let coherence = coherence.closed();
        let mut strongly = self.sequenced.union(&self.sequenced.then(before).then(&self.sequenced));
        for &one in &members {
            for &other in &members {
                if synchronised.has(one, other) {
                    strongly.add(one, other);
                }
            }
        }
        let strongly = strongly.closed();
        let is_fence = |at: usize| self.events[at].kind == Kind::Fence;
        let mut needed = Relation::new(self.events.len());
        for &one in &members {
            for &other in &members {
                let starts = |at: usize| at == one || is_fence(one) && before.has(one, at);
                let ends = |at: usize| at == other || is_fence(other) && before.has(at, other);
                if strongly.has(one, other) || coherence.any(starts, ends) {
                    needed.add(one, other);
                }
            }
        }
        !needed.closed().has_cycle()
    }

    /// Whether two threads access the payload, one of them to write, and neither before the other.
    fn races(&self, before: &Relation) -> bool {
        let accesses: Vec<usize> = self.indices(|event| event.place == PAYLOAD).collect();
        accesses.iter().any(|&one| {
            accesses.iter().any(|&other| {
                one != other
                    && self.events[one].kind.writes()
                    && !before.has(one, other)
                    && !before.has(other, one)
            })
        })
    }

    fn indices(&self, which: impl Fn(&Event) -> bool) -> impl Iterator<Item = usize> {
        (0..self.events.len()).filter(move |at| which(&self.events[*at]))
    }
}

fn acquires(order: Ordering) -> bool {
    matches!(order, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

fn releases(order: Ordering) -> bool {
    matches!(order, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

const _: () = assert!(PAYLOAD == PLACES.len() && NOWHERE > PAYLOAD);
