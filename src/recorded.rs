//! Ground floor: a world that tells what is done to it. Imports [`process`](crate::process) and the
//! marks in what is told.
//!
//! [`Recorded`] is the wrapper, and knows no world; how the calls of a file system or the statements
//! of a database are told stands with them, on the first floor.

use crate::{Process, Step, marks};

/// How a step is told that made no call.
pub(crate) const NO_CALL: &str = "no call";

/// A world round another that records each operation and its answer as one line of text:
/// `rename(content → content.download) = ok`, `SELECT EXISTS (…) -- false`.
///
/// What its processes hold is the inner world's, so one that runs in `W` runs here unchanged.
/// Exploring uses the bare world and pays nothing; only a schedule that is shown is run in this one.
///
/// Whoever makes a world of their own implements its trait for `Recorded` too, and
/// [records](Recorded::record) what this crate cannot know how to tell.
#[derive(Clone, Debug, Default)]
pub struct Recorded<W> {
    world: W,
    labels: Vec<String>,
}

/// Performs a step in a simulated world and says what it did there: how the steps of a protocol are
/// [told](crate::check::System::described_by). In the text are marks where a complete
/// [trace](crate::check::Trace) says which file it was.
pub fn recorded_step<W: Clone, P: Process<Recorded<W>>>(
    world: &mut W,
    process: P,
) -> (Step<P, P::Output>, String) {
    let mut recorded = Recorded::new(world.clone());
    let step = process.step(&mut recorded);
    let label = recorded.marked();
    *world = recorded.into_inner();
    (step, label)
}

impl<W> Recorded<W> {
    /// Records what happens to `world` from here on.
    pub fn new(world: W) -> Self {
        Recorded { world, labels: Vec::new() }
    }

    /// The world as it is now.
    pub fn inner(&self) -> &W {
        &self.world
    }

    /// The world itself; what is done to it through here is not recorded.
    pub fn inner_mut(&mut self) -> &mut W {
        &mut self.world
    }

    /// The world, without the record.
    pub fn into_inner(self) -> W {
        self.world
    }

    /// Tells of one operation and its answer.
    pub fn record(&mut self, label: String) {
        self.labels.push(label);
    }

    /// The operations since the last `take` as one text, and no more of them: `no call` if there was
    /// none.
    pub fn told(&mut self) -> String {
        marks::plain(&self.marked()).into_owned()
    }

    /// The same, with the marks that a complete trace [resolves](marks::resolve).
    pub(crate) fn marked(&mut self) -> String {
        let labels = std::mem::take(&mut self.labels);
        if labels.is_empty() { NO_CALL.to_owned() } else { labels.join("; ") }
    }

    /// The labels of the operations since the last `take`, oldest first.
    pub fn take(&mut self) -> Vec<String> {
        let labels = std::mem::take(&mut self.labels);
        labels.into_iter().map(|label| marks::plain(&label).into_owned()).collect()
    }

    /// What `look` sees; what it does to see it is not told.
    pub(crate) fn unrecorded<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let told = self.labels.len();
        let seen = look(self);
        self.labels.truncate(told);
        seen
    }
}
