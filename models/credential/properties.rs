//! What `credential` promises. Fourth floor: imports [`check`](crate::check) and [`fs`](crate::fs).

use super::super::ends_with;
use super::actors::{Actor, Told};
use super::{Cast, OLD, OPEN, PRECIOUS, SECRET, TARGET, TEMPORARY};
use crate::check::{Local, System};
use crate::fs::{Kind, Mode, SimFile, SimFs, SimInode};

type Simulated = Actor<SimFile>;
pub(super) type CredentialSystem = System<SimFs, Simulated>;

/// Claims all of it. `force`: what is at P may be replaced. `initial`: how many inodes every start
/// has before the first step. `attacked`: some attacker does something.
pub(super) fn claimed(
    system: CredentialSystem,
    cast: Cast,
    force: bool,
    initial: usize,
    attacked: bool,
) -> CredentialSystem {
    let mut system = system
        .always("secret-stays-secret", move |state| {
            let world = state.world();
            let in_hands = state.locals().any(|local| match local {
                Local::Running(Actor::Attacker(attacker)) => attacker
                    .process
                    .held()
                    .any(|file| world.opened(file).and_then(|i| i.bytes()).is_some_and(is_secret)),
                Local::Done(Told::Read(bytes)) => is_secret(bytes),
                _ => false,
            });
            !in_hands && !world.readable_by(cast.attacker).into_iter().any(is_secret)
        })
        .always("others-untouched", move |state| {
            let world = state.world();
            let mut inodes = world.inodes();
            let target_is_whole = inodes.find(|inode| inode.bytes().is_some()).is_some_and(|t| {
                t.bytes() == Some(TARGET)
                    && t.mode() == Mode::from_bits_retain(0o666)
                    && t.removed_by() != Some(cast.victim.uid)
            });
            let precious = world.named("home/P");
            target_is_whole
                && precious.is_some_and(|file| file.bytes() == Some(PRECIOUS))
                && world.named("home").is_some_and(|home| home.entries().count() == 2)
                && world.named("home/new").is_some_and(|new| new.entries().count() == 0)
        })
        .always("symlink-survives", move |state| {
            let destroyed = |inode: &SimInode<'_>| {
                inode.kind() == Kind::Symlink && inode.removed_by() == Some(cast.victim.uid)
            };
            !state.world().inodes().any(|inode| destroyed(&inode))
        });
    if !force {
        system = system.always("refuses-without-force", move |state| {
            let foreign = |inode: &SimInode<'_>| {
                inode.kind() != Kind::Directory
                    && (inode.number() < initial || inode.owner() == cast.attacker.uid)
            };
            // Under the temporary name the attacker brings T and nothing else.
            let moved: Vec<usize> = named(state.world(), TEMPORARY).map(|it| it.number()).collect();
            state.world().inodes().filter(foreign).all(|inode| {
                if inode.bytes() != Some(TARGET) && moved.contains(&inode.number()) {
                    return false;
                }
                let is_as_made = inode.bytes().is_none_or(|bytes| {
                    [OLD, OPEN, PRECIOUS, TARGET, b""].contains(&bytes) && is_mode_as_made(&inode)
                });
                // An old file that was emptied.
                let is_emptied = inode.number() < initial && inode.bytes() == Some(b"");
                is_as_made && !is_emptied && inode.removed_by() != Some(cast.victim.uid)
            })
        });
    }
    system = system
        .finally("success-is-private", |state| {
            !state.outputs().any(|told| *told == Told::Written { is_private: false })
        })
        .always("all-or-nothing", move |state| {
            !named(state.world(), "P").any(|inode| match inode.bytes() {
                // Made and not yet written, or what was there, emptied; the attacker's own files are
                // empty from the first.
                Some(b"") => inode.number() < initial || inode.owner() == cast.victim.uid,
                Some(bytes) => is_secret(bytes) && bytes != SECRET,
                None => false,
            })
        })
        .finally("nothing-left", move |state| {
            // What the attacker brought elsewhere, nobody can clean up.
            !named(state.world(), TEMPORARY).any(|inode| inode.owner() == cast.victim.uid)
        })
        .reaches("it-is-written", ends_with(Told::Written { is_private: true }));
    if attacked {
        // The attacker's next action falls between two steps of the writer's.
        system = system.reachable("the-writer-is-overtaken", move |state| {
            let attacks = state.locals().any(|local| match local {
                Local::Running(Actor::Attacker(attacker)) => attacker.process.is_about_to_act(),
                _ => false,
            });
            let is_writing = |local: &_| match local {
                Local::Running(Actor::Victim(victim)) => victim.process.answers() > 0,
                _ => false,
            };
            attacks && state.locals().any(is_writing)
        });
    }
    if force {
        return system;
    }
    system.reaches("it-is-refused", |local| matches!(local, Local::Done(Told::Not(_))))
}

/// What has this name in some directory.
fn named<'w>(world: &'w SimFs, name: &str) -> impl Iterator<Item = SimInode<'w>> {
    let entries = world.inodes().flat_map(|directory| directory.entries());
    let named = entries.filter(move |(entry, _)| *entry == name.as_bytes());
    named.filter_map(|(_, number)| world.inodes().nth(number))
}

/// Whether a byte of the secret is in it; nothing else here has any of its letters.
fn is_secret(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| SECRET.contains(byte))
}

/// Whether nobody changed the mode: of all files that are there first or that the attacker makes,
/// only the victim's own are for nobody else.
fn is_mode_as_made(inode: &SimInode<'_>) -> bool {
    let is_private = matches!(inode.bytes(), Some(OLD | PRECIOUS));
    inode.mode().as_raw_mode() == if is_private { 0o600 } else { 0o666 }
}
