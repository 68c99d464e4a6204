//! Second floor, `check`: values as small integers. A world or a local state that occurs in a
//! million states is kept once, and a state becomes a short tuple of codes.
//! Imports [`process`](crate::process) and its neighbours in `check`.

use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::system::{Group, Local};
use super::{Value, lock};
use crate::Process;

/// Where an actor of a `System<W, P>` stands.
pub(super) type LocalOf<W, P> = Local<P, <P as Process<W>>::Output>;

/// Gives equal values equal codes: 0, 1, 2 … in the order of first sight.
pub(super) struct Interner<T> {
    /// Each code after its value's hash: a large world is not hashed again when the table grows.
    codes: HashTable<(u64, u32)>,
    values: Vec<Arc<T>>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { codes: HashTable::new(), values: Vec::new() }
    }
}

impl<T: Eq + Hash> Interner<T> {
    pub(super) fn code(&mut self, value: T) -> u32 {
        let hash = FxBuildHasher.hash_one(&value);
        self.find(hash, &value).unwrap_or_else(|| self.insert(hash, value))
    }

    /// The same for a value of which a copy is kept only if it is new.
    pub(super) fn code_of(&mut self, value: &T) -> u32
    where
        T: Clone,
    {
        let hash = FxBuildHasher.hash_one(value);
        self.find(hash, value).unwrap_or_else(|| self.insert(hash, value.clone()))
    }

    fn find(&self, hash: u64, value: &T) -> Option<u32> {
        let is_it =
            |known: &(u64, u32)| known.0 == hash && *self.values[known.1 as usize] == *value;
        self.codes.find(hash, is_it).map(|(_, code)| *code)
    }

    fn insert(&mut self, hash: u64, value: T) -> u32 {
        let code = u32::try_from(self.values.len()).expect("fewer than 2^32 distinct values");
        self.values.push(Arc::new(value));
        self.codes.insert_unique(hash, (hash, code), |(hash, _)| *hash);
        code
    }

    pub(super) fn values(&self) -> &[Arc<T>] {
        &self.values
    }
}

/// The codes of one system's worlds and local states.
pub(super) struct Codes<W, P: Process<W>> {
    pub(super) worlds: Interner<W>,
    pub(super) locals: Interner<LocalOf<W, P>>,
}

impl<W, P: Process<W>> Default for Codes<W, P> {
    fn default() -> Self {
        Codes { worlds: Interner::default(), locals: Interner::default() }
    }
}

/// [`Codes`] that all engines of one checker share, so that their outcomes can be compared.
pub(super) struct SharedCodes<W, P: Process<W>>(Mutex<Codes<W, P>>);

impl<W, P: Process<W>> Default for SharedCodes<W, P> {
    fn default() -> Self {
        SharedCodes(Mutex::default())
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> SharedCodes<W, P> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Codes<W, P>> {
        lock(&self.0)
    }

    /// The state as codes: the world's, then each actor's.
    pub(super) fn state(&self, world: &W, locals: &[LocalOf<W, P>]) -> Vec<u32> {
        let mut codes = self.lock();
        let mut state = Vec::with_capacity(1 + locals.len());
        state.push(codes.worlds.code_of(world));
        for local in locals {
            state.push(codes.locals.code_of(local));
        }
        state
    }
}

/// Puts interchangeable actors in order, so that states equal but for their names become equal.
pub(super) fn sort_groups(groups: &[Group], locals: &mut [u32]) {
    for group in groups {
        if group.members.len() > 1 {
            locals[group.members.clone()].sort_unstable();
        }
    }
}
