//! Ground floor: a world that records the operations on it. Imports [`process`](crate::process) and
//! the marks in the records.
//!
//! [`Recorded`] is the wrapper, and knows no world. The first floor defines how the calls of a file
//! system and the statements of a database are recorded, beside each of them.

use crate::{Process, Step, marks};

/// How a step is told that made no call.
pub(crate) const NO_CALL: &str = "no call";

/// How a step is told with which the power fails, and how one begins with which it returns: they concern
/// every actor.
pub(crate) const POWER_FAILS: &str = "the power fails";
pub(crate) const POWER_RETURNS: &str = "the power is back";

/// How a step is told after which a statement has rows still to come.
pub(crate) const TO_GO: &str = " to go";

/// A wrapper around a world that records each operation and its answer as one line of text:
/// `rename(content → content.download) = ok`, `SELECT EXISTS (…) -- false`.
///
/// The things that its processes hold are those of the inner world, so a process that runs in `W`
/// runs here unchanged. Exploring uses the bare world and pays nothing. Only a schedule that is
/// shown runs in a recorded world.
///
/// If you make a world of your own, implement its trait for `Recorded` too, and
/// [record](Recorded::record) the operations that this crate cannot know.
#[derive(Clone, Debug, Default)]
pub struct Recorded<W> {
    world: W,
    labels: Vec<String>,
}

/// Performs a step in a simulated world and returns a text of what the step did there. It is how
/// the steps of a protocol are [described](crate::check::System::described_by).
///
/// The text contains marks. In their place a complete [trace](crate::check::Trace) says which file
/// it was.
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
    /// Records the operations on `world` from here on.
    pub fn new(world: W) -> Self {
        Recorded { world, labels: Vec::new() }
    }

    /// The world as it is now.
    pub fn inner(&self) -> &W {
        &self.world
    }

    /// The world itself. Operations on it through this reference are not recorded.
    pub fn inner_mut(&mut self) -> &mut W {
        &mut self.world
    }

    /// The world, without the record.
    pub fn into_inner(self) -> W {
        self.world
    }

    /// Records one operation and its answer.
    pub fn record(&mut self, label: String) {
        self.labels.push(label);
    }

    /// Takes over what is recorded there.
    #[cfg(all(feature = "command", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn takes_over<V>(&mut self, other: &mut Recorded<V>) {
        self.labels.append(&mut other.labels);
    }

    /// Adds to what the last operation is told as.
    pub(crate) fn add(&mut self, what: &str) {
        if let Some(last) = self.labels.last_mut() {
            last.push_str(what);
        }
    }

    /// Removes the operations recorded since the last `take` or `told`, and returns them as one
    /// text: `no call` if there was none.
    pub fn told(&mut self) -> String {
        marks::plain(&self.marked()).into_owned()
    }

    /// The same, with the marks that a complete trace [resolves](marks::resolve).
    pub(crate) fn marked(&mut self) -> String {
        let labels = std::mem::take(&mut self.labels);
        if labels.is_empty() { NO_CALL.to_owned() } else { labels.join("; ") }
    }

    /// Removes the operations recorded since the last `take` or `told`, and returns their texts,
    /// oldest first.
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
