//! What each thread of a program does, for all values that it may read.

use crate::program::{Got, Op, Ordering, PLACES, Place, Program, goes_on};

/// Where the payload is, after the places.
pub(super) const PAYLOAD: usize = PLACES.len();
/// Where a fence is.
pub(super) const NOWHERE: usize = PAYLOAD + 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    /// Both in one.
    Update,
    Fence,
}

impl Kind {
    pub(super) fn reads(self) -> bool {
        matches!(self, Kind::Read | Kind::Update)
    }

    pub(super) fn writes(self) -> bool {
        matches!(self, Kind::Write | Kind::Update)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) thread: usize,
    pub(super) place: usize,
    pub(super) kind: Kind,
    /// Relaxed for what is not atomic.
    pub(super) order: Ordering,
    pub(super) read: u8,
    pub(super) written: u8,
}

impl Event {
    pub(super) fn first_write(place: usize) -> Self {
        let order = Ordering::Relaxed;
        Event { thread: usize::MAX, place, kind: Kind::Write, order, read: 0, written: 0 }
    }
}

/// One way through a thread's operations.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) events: Vec<Event>,
    pub(super) reads: Vec<Got>,
}

/// For each thread, its runs with all values that can be in the places.
pub(super) fn runs(program: &Program, spurious_failures: bool) -> Vec<Vec<Run>> {
    let values = values(program);
    let threads = program.threads.iter().enumerate();
    let runs = threads.map(|(thread, ops)| {
        let mut found = Vec::new();
        Unfolding { thread, values: &values, spurious_failures }.go(
            ops,
            Run::default(),
            &mut found,
        );
        found
    });
    runs.collect()
}

/// What can be in each place, and in the payload: 0, what is written there, and what additions make of it.
fn values(program: &Program) -> Vec<Vec<u8>> {
    let mut values = vec![vec![0]; PAYLOAD + 1];
    for op in program.ops() {
        match *op {
            Op::Store(place, value, _) | Op::Swap(place, value, _) => {
                values[place as usize].push(value);
            }
            Op::Exchange { place, to, .. } => values[place as usize].push(to),
            Op::WritePayload(value) => values[PAYLOAD].push(value),
            _ => {}
        }
    }
    for op in program.ops() {
        if let Op::Add(place, more, _) = *op {
            let sums: Vec<u8> =
                values[place as usize].iter().map(|value| value.wrapping_add(more)).collect();
            values[place as usize].extend(sums);
        }
    }
    for values in &mut values {
        values.sort_unstable();
        values.dedup();
    }
    values
}

struct Unfolding<'a> {
    thread: usize,
    values: &'a [Vec<u8>],
    spurious_failures: bool,
}

impl Unfolding<'_> {
    fn go(&self, ops: &[Op], run: Run, found: &mut Vec<Run>) {
        let Some((op, rest)) = ops.split_first() else { return found.push(run) };
        match *op {
            Op::Load(place, order) => {
                for &read in self.at(place) {
                    self.read((place as usize, order, read), &run, rest, found);
                }
            }
            Op::ReadPayload => {
                for &read in &self.values[PAYLOAD] {
                    self.read((PAYLOAD, Ordering::Relaxed, read), &run, rest, found);
                }
            }
            Op::Store(place, value, order) => {
                let event = self.event(place as usize, Kind::Write, order, 0, value);
                self.go(rest, run.with(event, None), found);
            }
            Op::WritePayload(value) => {
                let event = self.event(PAYLOAD, Kind::Write, Ordering::Relaxed, 0, value);
                self.go(rest, run.with(event, None), found);
            }
            Op::Swap(place, value, order) => {
                for &read in self.at(place) {
                    self.update((place, order, read, value), &run, rest, found);
                }
            }
            Op::Add(place, more, order) => {
                for &read in self.at(place) {
                    self.update((place, order, read, read.wrapping_add(more)), &run, rest, found);
                }
            }
            Op::Exchange { place, from, to, success, failure, weak } => {
                for &read in self.at(place) {
                    if read == from {
                        self.update((place, success, read, to), &run, rest, found);
                    }
                    if read != from || weak && self.spurious_failures {
                        let event = self.event(place as usize, Kind::Read, failure, read, 0);
                        self.go(rest, run.with(event, Some(Got::Failed(read))), found);
                    }
                }
            }
            Op::Fence(order) => {
                let event = self.event(NOWHERE, Kind::Fence, order, 0, 0);
                self.go(rest, run.with(event, None), found);
            }
            Op::OnlyAfter(value) if goes_on(&run.reads, value) => self.go(rest, run, found),
            Op::OnlyAfter(_) => found.push(run),
        }
    }

    fn at(&self, place: Place) -> &[u8] {
        &self.values[place as usize]
    }

    fn read(
        &self,
        (place, order, read): (usize, Ordering, u8),
        run: &Run,
        rest: &[Op],
        found: &mut Vec<Run>,
    ) {
        let event = self.event(place, Kind::Read, order, read, 0);
        self.go(rest, run.with(event, Some(Got::Value(read))), found);
    }

    fn update(
        &self,
        (place, order, read, written): (Place, Ordering, u8, u8),
        run: &Run,
        rest: &[Op],
        found: &mut Vec<Run>,
    ) {
        let event = self.event(place as usize, Kind::Update, order, read, written);
        self.go(rest, run.with(event, Some(Got::Value(read))), found);
    }

    fn event(&self, place: usize, kind: Kind, order: Ordering, read: u8, written: u8) -> Event {
        Event { thread: self.thread, place, kind, order, read, written }
    }
}

impl Run {
    fn with(&self, event: Event, read: Option<Got>) -> Run {
        let mut run = self.clone();
        run.events.push(event);
        run.reads.extend(read);
        run
    }
}
