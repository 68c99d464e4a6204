//! Runs the operations of a thread. One source, compiled with the atomics that the module above it
//! brings along: the standard library's, loom's or shuttle's.

use super::atoms::{AtomicU8, Payload, fence};
use crate::program::{Got, Op, PLACES, Place, Program, RLX, goes_on, outcome};

/// A place in a line of the cache of its own, so that a processor may get at one and not the other.
#[repr(align(128))]
struct Line(AtomicU8);

/// The places and the payload, all 0.
pub(crate) struct Memory {
    places: [Line; PLACES.len()],
    payload: Payload,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Memory { places: PLACES.map(|_| Line(AtomicU8::new(0))), payload: Payload::new() }
    }

    fn at(&self, place: Place) -> &AtomicU8 {
        &self.places[place as usize].0
    }

    /// Does what a thread does; answers with what it read.
    pub(crate) fn run(&self, ops: &[Op]) -> Vec<Got> {
        let mut reads = Vec::with_capacity(ops.len());
        for op in ops {
            match *op {
                Op::Load(place, order) => reads.push(Got::Value(self.at(place).load(order))),
                Op::Store(place, value, order) => self.at(place).store(value, order),
                Op::Swap(place, value, order) => {
                    reads.push(Got::Value(self.at(place).swap(value, order)));
                }
                Op::Add(place, value, order) => {
                    reads.push(Got::Value(self.at(place).fetch_add(value, order)));
                }
                Op::Exchange { place, from, to, success, failure, weak } => {
                    let at = self.at(place);
                    let exchanged = match weak {
                        false => at.compare_exchange(from, to, success, failure),
                        true => at.compare_exchange_weak(from, to, success, failure),
                    };
                    reads.push(exchanged.map_or_else(Got::Failed, Got::Value));
                }
                Op::Fence(order) => fence(order),
                Op::ReadPayload => reads.push(Got::Value(self.payload.read())),
                Op::WritePayload(value) => self.payload.write(value),
                Op::OnlyAfter(value) if goes_on(&reads, value) => {}
                Op::OnlyAfter(_) => break,
            }
        }
        reads
    }

    /// What came of it, by a thread that all others have ended before.
    pub(crate) fn outcome(&self, program: &Program, reads: &[Vec<Got>]) -> String {
        let finals = program.told().into_iter().map(|place| (place, self.at(place).load(RLX)));
        outcome(reads, finals)
    }
}
