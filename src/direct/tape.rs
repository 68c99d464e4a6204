//! Second floor, `direct`: the operations that a program asked for so far, and their answers.
//! Imports nothing of this crate except [`Value`].

use std::any::Any;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;

use crate::check::Value;

/// An answer, of whatever type.
pub(super) trait Answered: Any + Debug + Send + Sync {
    fn is(&self, other: &dyn Answered) -> bool;
    fn hash_of(&self) -> u64;
}

impl<T: Value> Answered for T {
    fn is(&self, other: &dyn Answered) -> bool {
        (other as &dyn Any).downcast_ref::<T>().is_some_and(|other| self == other)
    }

    fn hash_of(&self) -> u64 {
        let mut hasher = FxHasher::default();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// What was asked: enough to know it again, and its text.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) fingerprint: u64,
    pub(super) text: Arc<str>,
}

/// A question and its answer; or what was [kept](super::forget) of several of them.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) question: Question,
    pub(super) answer: Arc<dyn Answered>,
    /// What an observer saw: it belongs to the step before.
    pub(super) is_look: bool,
}

/// All that was answered so far: the last answer, and those before it. A longer one shares what it has in
/// common with a shorter one.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(Option<Arc<Node>>);

#[derive(Debug)]
struct Node {
    entry: Entry,
    before: Past,
    len: usize,
    /// Of the whole.
    hash: u64,
}

impl Past {
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |node| node.len)
    }

    fn hash_of(&self) -> u64 {
        self.0.as_ref().map_or(0, |node| node.hash)
    }

    pub(super) fn push(&mut self, entry: Entry) {
        let before = std::mem::take(self);
        let mut hasher = FxHasher::default();
        // Many an answer is hashed to 0: as many of them as there are have to count.
        let len = before.len() + 1;
        (before.hash_of(), len, entry.answer.hash_of()).hash(&mut hasher);
        let hash = hasher.finish();
        self.0 = Some(Arc::new(Node { entry, before, len, hash }));
    }

    /// The first so many entries.
    pub(super) fn first(&self, count: usize) -> Past {
        let mut past = self.clone();
        while let Some(node) = past.0.as_ref().filter(|node| node.len > count) {
            past = node.before.clone();
        }
        past
    }

    /// The entries, oldest first.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.len());
        let mut past = self;
        while let Some(node) = &past.0 {
            entries.push(node.entry.clone());
            past = &node.before;
        }
        entries.reverse();
        entries
    }
}

/// Equal answers: the questions of a program that is deterministic follow from them.
impl PartialEq for Past {
    fn eq(&self, other: &Past) -> bool {
        let (mut one, mut other) = (self, other);
        loop {
            match (&one.0, &other.0) {
                (None, None) => return true,
                (Some(a), Some(b)) => {
                    if Arc::ptr_eq(a, b) {
                        return true;
                    }
                    let alike =
                        (a.len, a.hash, a.entry.is_look) == (b.len, b.hash, b.entry.is_look);
                    if !alike || !a.entry.answer.is(&*b.entry.answer) {
                        return false;
                    }
                    (one, other) = (&a.before, &b.before);
                }
                _ => return false,
            }
        }
    }
}

impl Eq for Past {}

impl Hash for Past {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_of().hash(state);
    }
}

/// Not by recursion: a past may be long.
impl Drop for Past {
    fn drop(&mut self) {
        let mut past = self.0.take();
        while let Some(mut node) = past.and_then(Arc::into_inner) {
            past = node.before.0.take();
        }
    }
}
