//! Second floor, `check`: what can be claimed of a system.
//! Imports [`process`](crate::process) and its neighbours in `check`.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::intern::LocalOf;
use super::system::{Local, State};
use crate::Process;

/// Over which states a property speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PropertyKind {
    /// Every reachable state.
    Always,
    /// Every state in which all actors have ended.
    Finally,
    /// Some reachable state.
    Reachable,
}

impl PropertyKind {
    /// The word for it: `always`, `finally`, `reachable`.
    pub fn word(self) -> &'static str {
        match self {
            PropertyKind::Always => "always",
            PropertyKind::Finally => "finally",
            PropertyKind::Reachable => "reachable",
        }
    }
}

/// A named claim about the executions of a system.
pub struct Property<W, P: Process<W>> {
    name: String,
    kind: PropertyKind,
    test: Test<W, P>,
}

type OnState<W, P> = Box<dyn Fn(&State<'_, W, P>) -> bool + Send + Sync>;
type OnCounts<W, P> =
    Box<dyn Fn(&mut dyn Iterator<Item = (&LocalOf<W, P>, Count)>) -> bool + Send + Sync>;

enum Test<W, P: Process<W>> {
    State(OnState<W, P>),
    /// Depends only on how many actors are in each local state, and cannot be repaired by adding
    /// actors (`Always`) or broken by it (`Reachable`): what makes it decidable for any number.
    Counts(OnCounts<W, P>),
}

/// A number of actors: so many, or (ω) as many as you like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Count {
    Exactly(u32),
    Unbounded,
}

impl Count {
    fn plus(self, other: Count) -> Count {
        match (self, other) {
            (Count::Exactly(a), Count::Exactly(b)) => Count::Exactly(a + b),
            _ => Count::Unbounded,
        }
    }
}

impl<W, P: Process<W>> Property<W, P> {
    /// A property of single states; see [`System::always`](super::System::always) and its like.
    pub fn on_states(
        name: &str,
        kind: PropertyKind,
        holds: impl Fn(&State<'_, W, P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property { name: name.to_owned(), kind, test: Test::State(Box::new(holds)) }
    }

    /// See [`System::at_most`](super::System::at_most).
    pub fn at_most<K: Eq + Hash>(
        max: usize,
        name: &str,
        key: impl Fn(&Local<P, P::Output>) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        let max = Count::Exactly(u32::try_from(max).unwrap_or(u32::MAX));
        let test = move |counts: &mut dyn Iterator<Item = (&LocalOf<W, P>, Count)>| {
            let mut keyed = counts.filter_map(|(local, count)| Some((key(local)?, count)));
            // Mostly there is one key or none: then no table is needed.
            let Some((first, mut total)) = keyed.next() else { return true };
            let mut others: FxHashMap<K, Count> = FxHashMap::default();
            for (key, count) in keyed {
                if key == first {
                    total = total.plus(count);
                } else {
                    let sum = others.entry(key).or_insert(Count::Exactly(0));
                    *sum = sum.plus(count);
                }
            }
            total <= max && others.values().all(|sum| *sum <= max)
        };
        Property {
            name: name.to_owned(),
            kind: PropertyKind::Always,
            test: Test::Counts(Box::new(test)),
        }
    }

    /// See [`System::reaches`](super::System::reaches).
    pub fn reaches(
        name: &str,
        there: impl Fn(&Local<P, P::Output>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let test = move |counts: &mut dyn Iterator<Item = (&LocalOf<W, P>, Count)>| {
            counts.map(|(local, _)| local).any(&there)
        };
        Property {
            name: name.to_owned(),
            kind: PropertyKind::Reachable,
            test: Test::Counts(Box::new(test)),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Over which states it speaks.
    pub fn kind(&self) -> PropertyKind {
        self.kind
    }

    /// Whether more actors than it allows are what breaks it: an `always` over counts.
    pub(super) fn is_over_counts(&self) -> bool {
        self.kind == PropertyKind::Always && matches!(self.test, Test::Counts(_))
    }

    /// Whether its condition is true in `state`.
    pub fn is_true_in(&self, state: &State<'_, W, P>) -> bool {
        match &self.test {
            Test::State(test) => test(state),
            Test::Counts(test) => test(&mut state.locals().map(|local| (local, Count::Exactly(1)))),
        }
    }

    /// Whether its condition is true of a configuration, where it is a matter of counts alone.
    pub(super) fn is_true_of_counts(
        &self,
        counts: &mut dyn Iterator<Item = (&LocalOf<W, P>, Count)>,
    ) -> Option<bool> {
        match &self.test {
            Test::State(_) => None,
            Test::Counts(test) => Some(test(counts)),
        }
    }
}
