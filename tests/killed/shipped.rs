//! The same roles by the types that ship. They choose their own names, and answer in other words.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use toctou::fs::{OsFs, Tree};
use toctou::store::OneTimeStore;
use toctou::writer::write_exclusive_in;

use crate::roles::{FOLDER, KEY, NAME, Role};
use crate::schedule::Outcome;

/// What a process does that uses the types that ship. `None` where none of them does that.
pub(crate) fn shipped(role: &Role, directory: &Path) -> Option<Box<dyn FnOnce() -> String>> {
    let store = || OneTimeStore::open(directory).ok();
    Some(match role.clone() {
        Role::Put { token, replace, durable } => {
            let store = store()?.durable(durable);
            Box::new(move || match replace {
                true => format!("{:?}", store.replace(KEY, token.as_bytes())),
                false => format!("{:?}", store.put(KEY, token.as_bytes())),
            })
        }
        Role::Claim { mechanism, durability, .. } => {
            let store = store()?.mechanism(mechanism).durability(durability);
            Box::new(move || claimed(&store))
        }
        Role::Expire { durable } => {
            let store = store()?.durable(durable);
            Box::new(move || format!("{:?}", store.expire(KEY)))
        }
        Role::Write { token, options, by_name: false } => {
            let (fs, path) = (OsFs::open(directory).ok()?, Path::new(FOLDER).join(NAME));
            Box::new(move || {
                format!("{:?}", write_exclusive_in(&fs, &path, token.as_bytes(), &options))
            })
        }
        Role::Recover { mechanism } => {
            let store = store()?.mechanism(mechanism);
            Box::new(move || format!("{:?}", store.recover()))
        }
        Role::Read { .. } | Role::Write { by_name: true, .. } => return None,
    })
}

fn claimed(store: &OneTimeStore) -> String {
    let mut claimed = match store.claim(KEY) {
        Ok(claimed) => claimed,
        Err(error) => return error.to_string(),
    };
    let read = claimed.read(&mut [0; 64]);
    format!("{read:?}, {:?}", store.delivered(claimed))
}

/// What of an outcome does not depend on the names that a process chooses, nor on its words.
pub(crate) fn without_names(outcome: Outcome) -> Outcome {
    Outcome {
        // Whether there is one.
        answers: outcome.answers.into_iter().map(|it| it.map(|_| String::new())).collect(),
        left: outcome.left.iter().map(unnamed).collect(),
        interrupted: without_answer(outcome.interrupted),
        recovery: String::new(),
        recovered: unnamed(&outcome.recovered),
        end: unnamed(&outcome.end),
        ..outcome
    }
}

/// The calls of a recovery, whether or not it has ended and says what it did.
fn without_answer(mut interrupted: Vec<String>) -> Vec<String> {
    if interrupted.last().is_some_and(|last| last.starts_with("Ok(") || last.starts_with("Err(")) {
        interrupted.pop();
    }
    interrupted
}

fn unnamed(tree: &Tree) -> Tree {
    let path = |path: &Path| path.components().map(component).collect::<PathBuf>();
    tree.iter().map(|(from, node)| (path(from), node.clone())).collect()
}

/// `content.f005ba11` as `content.…`, and so on.
fn component(component: Component<'_>) -> PathBuf {
    let name = component.as_os_str().to_string_lossy();
    let is_fixed = name == "content.download" || name == "content.kept";
    let own = ["content.kept.", "content.", ".put.", ".toctou."]
        .into_iter()
        .find(|own| name.starts_with(own));
    own.filter(|_| !is_fixed).map_or_else(|| name.as_ref().into(), |own| format!("{own}…").into())
}

/// Whether something has a name that a process chose.
pub(crate) fn has_own_name(tree: &Tree) -> bool {
    tree.iter().any(|(path, _)| path.to_string_lossy().ends_with('…'))
}
