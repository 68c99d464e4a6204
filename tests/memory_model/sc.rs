//! Every interleaving of whole operations in one memory: sequential consistency, whatever the orderings
//! say. Written for itself; shuttle is held against it.

use std::collections::HashSet;

use crate::program::{Got, Op, Outcomes, PLACES, Place, Program, goes_on, outcome};

/// Where an interleaving stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    places: [u8; PLACES.len()],
    payload: u8,
    /// How many operations each thread has behind it.
    done: Vec<usize>,
    reads: Vec<Vec<Got>>,
}

/// What can come of a program.
pub(crate) fn interleavings(program: &Program) -> Outcomes {
    let start = State::start(program);
    let (mut seen, mut open) = (HashSet::from([start.clone()]), vec![start]);
    let mut outcomes = Outcomes::new();
    while let Some(state) = open.pop() {
        let mut ended = true;
        for (thread, ops) in program.threads.iter().enumerate() {
            let Some(op) = ops.get(state.done[thread]) else { continue };
            ended = false;
            let mut next = state.clone();
            next.perform(thread, op, ops.len());
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
        if ended {
            let left = |place: Place| (place, state.places[place as usize]);
            outcomes.insert(outcome(&state.reads, program.told().into_iter().map(left)));
        }
    }
    outcomes
}

impl State {
    fn start(program: &Program) -> Self {
        let threads = program.threads.len();
        State {
            places: [0; PLACES.len()],
            payload: 0,
            done: vec![0; threads],
            reads: vec![Vec::new(); threads],
        }
    }

    /// Does what comes before the thread's next operation on a place.
    fn catch_up(&mut self, thread: usize, ops: &[Op]) {
        while let Some(op) = ops.get(self.done[thread]).filter(|op| op.place().is_none()) {
            self.perform(thread, op, ops.len());
        }
    }

    fn executions(&self, threads: &[Vec<Op>]) -> u64 {
        let mut count = 0;
        for (thread, ops) in threads.iter().enumerate() {
            let Some(op) = ops.get(self.done[thread]) else { continue };
            let mut next = self.clone();
            next.perform(thread, op, ops.len());
            next.catch_up(thread, ops);
            count += next.executions(threads);
        }
        count.max(1)
    }

    fn perform(&mut self, thread: usize, op: &Op, end: usize) {
        self.done[thread] += 1;
        match *op {
            Op::Load(place, _) => self.update(thread, place, |old| old),
            Op::Store(place, value, _) => self.places[place as usize] = value,
            Op::Swap(place, value, _) => self.update(thread, place, |_| value),
            Op::Add(place, value, _) => self.update(thread, place, |old| old.wrapping_add(value)),
            Op::Exchange { place, from, to, .. } => match self.places[place as usize] {
                old if old == from => self.update(thread, place, |_| to),
                old => self.reads[thread].push(Got::Failed(old)),
            },
            Op::Fence(_) => {}
            Op::ReadPayload => self.reads[thread].push(Got::Value(self.payload)),
            Op::WritePayload(value) => self.payload = value,
            Op::OnlyAfter(value) if goes_on(&self.reads[thread], value) => {}
            Op::OnlyAfter(_) => self.done[thread] = end,
        }
    }

    fn update(&mut self, thread: usize, place: Place, new: impl FnOnce(u8) -> u8) {
        let at = &mut self.places[place as usize];
        self.reads[thread].push(Got::Value(*at));
        *at = new(*at);
    }
}

/// How many executions there are: orders of whole operations. What is no operation on a place is done with
/// the operation before it, as nobody else can tell when it was.
pub(crate) fn executions(program: &Program) -> u64 {
    let mut start = State::start(program);
    for thread in 0..program.threads.len() {
        start.catch_up(thread, &program.threads[thread]);
    }
    start.executions(&program.threads)
}
