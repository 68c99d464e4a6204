//! Second floor, `check`: what can be claimed of a system.
//! Imports [`process`](crate::process) and its neighbours in `check`.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::intern::LocalOf;
use super::system::{Local, State};
use crate::Process;

/// Which states a property is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "command", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "command", serde(rename_all = "snake_case"))]
pub enum PropertyKind {
    /// Every reachable state.
    Always,
    /// Every state in which all actors have ended.
    Finally,
    /// Some reachable state.
    Reachable,
}

impl PropertyKind {
    /// Its name: `always`, `finally` or `reachable`.
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

type OnState<W, P> = Arc<dyn Fn(&State<'_, W, P>) -> bool + Send + Sync>;
type OnCounts<W, P> =
    Arc<dyn Fn(&mut dyn Iterator<Item = (&LocalOf<W, P>, Count)>) -> bool + Send + Sync>;
type OnLocal<W, P> = Arc<dyn Fn(&LocalOf<W, P>) -> bool + Send + Sync>;

enum Test<W, P: Process<W>> {
    State(OnState<W, P>),
    /// Depends only on how many actors are in each local state. More actors cannot repair a
    /// violated `Always`, and cannot break a `Reachable` that holds. So it can be decided for any
    /// number of actors.
    Counts {
        holds: OnCounts<W, P>,
        /// Whether an actor that stands there is counted.
        counts: OnLocal<W, P>,
        /// How many actors may be counted.
        most: u32,
    },
}

// By hand, because a derive would ask it of `W` and `P`.
impl<W, P: Process<W>> Clone for Property<W, P> {
    fn clone(&self) -> Self {
        let test = match &self.test {
            Test::State(holds) => Test::State(holds.clone()),
            Test::Counts { holds, counts, most } => {
                Test::Counts { holds: holds.clone(), counts: counts.clone(), most: *most }
            }
        };
        Property { name: self.name.clone(), kind: self.kind, test }
    }
}

/// A number of actors: exactly this many, or arbitrarily many (ω).
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
    /// A property of single states; see [`System::always`](super::System::always) and the functions
    /// beside it.
    pub fn on_states(
        name: &str,
        kind: PropertyKind,
        holds: impl Fn(&State<'_, W, P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property { name: name.to_owned(), kind, test: Test::State(Arc::new(holds)) }
    }

    /// See [`System::at_most`](super::System::at_most).
    pub fn at_most<K: Eq + Hash>(
        max: usize,
        name: &str,
        key: impl Fn(&Local<P, P::Output>) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        let most = u32::try_from(max).unwrap_or(u32::MAX);
        let max = Count::Exactly(most);
        let key = Arc::new(key);
        let counts = {
            let key = key.clone();
            move |local: &LocalOf<W, P>| key(local).is_some()
        };
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
            test: Test::Counts { holds: Arc::new(test), counts: Arc::new(counts), most },
        }
    }

    /// See [`System::reaches`](super::System::reaches).
    pub fn reaches(
        name: &str,
        there: impl Fn(&Local<P, P::Output>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let there = Arc::new(there);
        let counts = there.clone();
        let test = move |counts: &mut dyn Iterator<Item = (&LocalOf<W, P>, Count)>| {
            counts.map(|(local, _)| local).any(|local| there(local))
        };
        Property {
            name: name.to_owned(),
            kind: PropertyKind::Reachable,
            test: Test::Counts { holds: Arc::new(test), counts, most: u32::MAX },
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which states it is about.
    pub fn kind(&self) -> PropertyKind {
        self.kind
    }

    /// Whether more actors than it allows are what breaks it: an `always` over counts.
    pub(super) fn is_over_counts(&self) -> bool {
        self.kind == PropertyKind::Always && matches!(self.test, Test::Counts { .. })
    }

    /// How many actors it lets be counted under one key; `None` where it is no `always` over counts.
    pub(super) fn most(&self) -> Option<usize> {
        match &self.test {
            Test::Counts { most, .. } if self.kind == PropertyKind::Always => Some(*most as usize),
            _ => None,
        }
    }

    /// Whether the property counts an actor that stands at `local`; `None` if the property is about
    /// whole states.
    pub fn counts(&self, local: &LocalOf<W, P>) -> Option<bool> {
        match &self.test {
            Test::State(_) => None,
            Test::Counts { counts, .. } => Some(counts(local)),
        }
    }

    /// Whether its condition is true in `state`.
    pub fn is_true_in(&self, state: &State<'_, W, P>) -> bool {
        match &self.test {
            Test::State(test) => test(state),
            Test::Counts { holds, .. } => {
                holds(&mut state.locals().map(|local| (local, Count::Exactly(1))))
            }
        }
    }

    /// Whether its condition is true of a configuration, where it is a matter of counts alone.
    pub(super) fn is_true_of_counts(
        &self,
        counts: &mut dyn Iterator<Item = (&LocalOf<W, P>, Count)>,
    ) -> Option<bool> {
        match &self.test {
            Test::State(_) => None,
            Test::Counts { holds, .. } => Some(holds(counts)),
        }
    }
}
