//! First floor: processes with names of their own, which are equal up to which process has which
//! name. Imports [`process`](crate::process), [`calls`](crate::calls) and its parent module.
//!
//! Identical clients whose claims have names of their own are not identical: a number tells them
//! apart. A check of clients that are told apart proves nothing for any number of them. But which
//! name belongs to which client makes no difference. So here all of them use the same name,
//! [`OWN`], and are identical. The owner of such a name is recorded where the world has the name,
//! and nowhere else.

use std::sync::Arc;

use super::SimFs;
use super::inode::Body;
use crate::{Process, Step};

/// The part of a name that stands for something that no other process has or can guess: a random
/// number, or the number of a process.
pub const OWN: &str = "{own}";

/// A process with names of its own: those that end with [`OWN`].
///
/// During a step of the process, the world shows its names as they are. Between its steps they bear
/// a number (`content.{own}1`). It is the smallest number that was free when the first of the names
/// was made. A process has no number while the world has none of its names.
///
/// So two states are one if they differ only in which of these processes has which name. At any
/// time, the world has as many numbers as it has processes with such names.
///
/// This changes nothing of what can happen, provided that the process treats the name as a whole,
/// and that no other process uses it. A process that lists a directory would learn the name. Then
/// the world [tells](crate::calls::mistaken) of a mistake (`own`), and the check fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner<P> {
    process: P,
    number: Option<u32>,
}

impl<P> Owner<P> {
    /// A process that has no name in the world yet.
    pub fn new(process: P) -> Self {
        Owner { process, number: None }
    }
}

/// How names end in the world that are the process's of this number.
fn numbered(number: u32) -> String {
    format!("{OWN}{number}")
}

impl<P: Process<SimFs>> Process<SimFs> for Owner<P> {
    type Output = P::Output;

    fn step(self, fs: &mut SimFs) -> Step<Self, P::Output> {
        let Owner { process, number } = self;
        if let Some(number) = number {
            fs.rename_owned(&numbered(number), OWN);
        }
        let step = process.step(fs);
        // Who has to wait leaves everything as it was.
        let free = || (1..).find(|number| !fs.has_owned(&numbered(*number)));
        let number = number.or_else(free).filter(|number| fs.rename_owned(OWN, &numbered(*number)));
        step.map(|process| Owner { process, number })
    }
}

impl SimFs {
    fn has_owned(&self, end: &str) -> bool {
        self.inodes.iter().any(|inode| match &inode.body {
            Body::Directory { entries, .. } => {
                entries.keys().any(|name| name.ends_with(end.as_bytes()))
            }
            _ => false,
        })
    }

    /// Has all names that end so end otherwise; whether there are any. It is no operation.
    fn rename_owned(&mut self, from: &str, to: &str) -> bool {
        let mut any = false;
        for inode in &mut self.inodes {
            let Body::Directory { entries, .. } = &inode.body else { continue };
            let names = entries.keys();
            let owned: Vec<_> =
                names.filter(|name| name.ends_with(from.as_bytes())).cloned().collect();
            if owned.is_empty() {
                continue;
            }
            any = true;
            let Body::Directory { entries, .. } = &mut Arc::make_mut(inode).body else {
                continue;
            };
            for name in owned {
                let stem = &name[..name.len() - from.len()];
                let renamed = [stem, to.as_bytes()].concat().into_boxed_slice();
                if let Some(inode) = entries.remove(&name) {
                    entries.insert(renamed, inode);
                }
            }
        }
        any
    }
}
