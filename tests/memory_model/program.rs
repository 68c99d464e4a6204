//! A litmus test as data: a few threads, each a short list of operations on named places.

use std::collections::BTreeSet;
use std::fmt;
pub(crate) use std::sync::atomic::Ordering;

/// An atomic byte that is 0 at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    X,
    Y,
    Z,
}

/// All places.
pub(crate) const PLACES: [Place; 3] = [Place::X, Place::Y, Place::Z];

/// What a thread does next. Besides the places there is one byte that is not atomic, the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Load(Place, Ordering),
    Store(Place, u8, Ordering),
    Swap(Place, u8, Ordering),
    Add(Place, u8, Ordering),
    /// `compare_exchange`, or the weak one.
    Exchange {
        place: Place,
        from: u8,
        to: u8,
        success: Ordering,
        failure: Ordering,
        weak: bool,
    },
    Fence(Ordering),
    ReadPayload,
    WritePayload(u8),
    /// The thread ends here, unless what it read last was this (and no exchange that failed).
    OnlyAfter(u8),
}

/// What an operation read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Got {
    Value(u8),
    /// By an exchange that failed.
    Failed(u8),
}

/// What can come of a program, told by [`outcome`].
pub(crate) type Outcomes = BTreeSet<String>;

/// Threads, and whether what is left in the places at the end is part of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) threads: Vec<Vec<Op>>,
    pub(crate) finals: bool,
}

impl Program {
    pub(crate) fn new<const N: usize>(threads: [&[Op]; N]) -> Self {
        Program { threads: threads.map(<[Op]>::to_vec).to_vec(), finals: false }
    }

    /// The same, and what is left at the end is told.
    pub(crate) fn with_finals(self) -> Self {
        Program { finals: true, ..self }
    }

    /// The places whose last values are told.
    pub(crate) fn told(&self) -> Vec<Place> {
        let used = |place: &Place| self.ops().any(|op| op.place() == Some(*place));
        PLACES.into_iter().filter(|place| self.finals && used(place)).collect()
    }

    pub(crate) fn ops(&self) -> impl Iterator<Item = &Op> {
        self.threads.iter().flatten()
    }
}

impl Op {
    /// The place that it accesses.
    pub(crate) fn place(&self) -> Option<Place> {
        match *self {
            Op::Load(place, _) | Op::Store(place, ..) => Some(place),
            Op::Swap(place, ..) | Op::Add(place, ..) | Op::Exchange { place, .. } => Some(place),
            Op::Fence(_) | Op::ReadPayload | Op::WritePayload(_) | Op::OnlyAfter(_) => None,
        }
    }

    /// Whether what it reads is told.
    pub(crate) fn reads(&self) -> bool {
        match self {
            Op::Load(..) | Op::Swap(..) | Op::Add(..) | Op::Exchange { .. } => true,
            Op::ReadPayload => true,
            Op::Store(..) | Op::Fence(_) | Op::WritePayload(_) | Op::OnlyAfter(_) => false,
        }
    }
}

/// The shorter names in which programs are written here.
pub(crate) const RLX: Ordering = Ordering::Relaxed;
pub(crate) const ACQ: Ordering = Ordering::Acquire;
pub(crate) const REL: Ordering = Ordering::Release;
pub(crate) const ACQ_REL: Ordering = Ordering::AcqRel;
pub(crate) const SC: Ordering = Ordering::SeqCst;

/// `compare_exchange`.
pub(crate) fn exchange(place: Place, from: u8, to: u8, success: Ordering, failure: Ordering) -> Op {
    Op::Exchange { place, from, to, success, failure, weak: false }
}

/// What each thread that read anything read, in order, `!` after what made an exchange fail; then what
/// is left at the end. `10 0 x=1`: the first thread that reads read 1 and 0, the second 0, and `x` ends as 1.
pub(crate) fn outcome(reads: &[Vec<Got>], finals: impl Iterator<Item = (Place, u8)>) -> String {
    let reads = reads.iter().filter(|reads| !reads.is_empty()).map(|reads| {
        let told = reads.iter().map(|got| match got {
            Got::Value(value) => value.to_string(),
            Got::Failed(value) => format!("{value}!"),
        });
        told.collect::<String>()
    });
    let finals = finals.map(|(place, value)| format!("{place}={value}"));
    reads.chain(finals).collect::<Vec<_>>().join(" ")
}

/// Outcomes as they are written in a test: `;` between them.
pub(crate) fn outcomes(told: &str) -> Outcomes {
    told.split(';').map(|outcome| outcome.trim().to_owned()).collect()
}

/// Whether a thread goes on past [`Op::OnlyAfter`].
pub(crate) fn goes_on(reads: &[Got], value: u8) -> bool {
    reads.last() == Some(&Got::Value(value))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::X => "x",
            Place::Y => "y",
            Place::Z => "z",
        })
    }
}

fn short(order: Ordering) -> &'static str {
    match order {
        RLX => "rlx",
        ACQ => "acq",
        REL => "rel",
        ACQ_REL => "acq_rel",
        _ => "sc",
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Op::Load(place, order) => write!(f, "{place}.load({})", short(order)),
            Op::Store(place, value, order) => write!(f, "{place}.store({value}, {})", short(order)),
            Op::Swap(place, value, order) => write!(f, "{place}.swap({value}, {})", short(order)),
            Op::Add(place, value, order) => write!(f, "{place}.add({value}, {})", short(order)),
            Op::Exchange { place, from, to, success, failure, weak } => {
                let weak = if weak { "_weak" } else { "" };
                let (success, failure) = (short(success), short(failure));
                write!(f, "{place}.exchange{weak}({from}, {to}, {success}, {failure})")
            }
            Op::Fence(order) => write!(f, "fence({})", short(order)),
            Op::ReadPayload => f.write_str("read"),
            Op::WritePayload(value) => write!(f, "write({value})"),
            Op::OnlyAfter(value) => write!(f, "if {value}"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ops) in self.threads.iter().enumerate() {
            let ops: Vec<_> = ops.iter().map(Op::to_string).collect();
            write!(f, "{}{}", if index > 0 { "  ||  " } else { "" }, ops.join("; "))?;
        }
        Ok(())
    }
}
