//! Programs of a few calls, and every state in which a power failure may leave them.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use toctou::fs::{Errno, FileSystem, Mode, Node, OFlags, Profile, SimFile, SimFs, Tree};

/// A call of a program. Files are open by their numbers, in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Create(&'static str),
    /// At the end of the file.
    Append(usize, Vec<u8>),
    /// At this offset.
    Write(usize, usize, Vec<u8>),
    Truncate(usize, usize),
    Chmod(usize, u32),
    Rename(&'static str, &'static str),
    Exchange(&'static str, &'static str),
    Link(&'static str, &'static str),
    Unlink(&'static str),
    Fsync(usize),
    Fdatasync(usize),
    /// An `fsync` that fails, in the simulation alone.
    FailingFsync(usize),
    /// Of a directory.
    FsyncDir(&'static str),
}

/// A program, and what is on disk before.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) setup: Vec<Call>,
    pub(crate) calls: Vec<Call>,
}

/// Appends so many letters.
pub(crate) fn append(file: usize, letter: &str, count: usize) -> Call {
    Call::Append(file, letter.repeat(count).into_bytes())
}

/// What is there after a power failure: each name with mode and content.
pub(crate) type State = BTreeSet<(String, String)>;

/// The files that a program has open.
pub(crate) struct Open<F>(pub(crate) Vec<Option<F>>);

impl<F> Default for Open<F> {
    fn default() -> Self {
        Open(Vec::new())
    }
}

/// Makes a call. One that fails changes nothing.
pub(crate) fn perform<W: FileSystem>(world: &mut W, open: &mut Open<W::File>, call: &Call) {
    use toctou::fs::{RenameFlags, SeekFrom};
    let mut with = |number: usize, act: &mut dyn FnMut(&mut W, &mut W::File)| {
        if let Some(Some(it)) = open.0.get_mut(number) {
            act(world, it);
        }
    };
    match call {
        Call::Create(name) => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR;
            open.0.push(world.open(*name, flags, Mode::from_raw_mode(0o600)).ok());
        }
        Call::Append(number, bytes) => with(*number, &mut |world, file| {
            let _ = world.lseek(file, SeekFrom::End(0));
            let _ = world.write(file, bytes);
        }),
        Call::Write(number, at, bytes) => with(*number, &mut |world, file| {
            let _ = world.pwrite(file, bytes, *at as u64);
        }),
        Call::Truncate(number, length) => with(*number, &mut |world, file| {
            let _ = world.ftruncate(file, *length as u64);
        }),
        Call::Chmod(number, mode) => with(*number, &mut |world, file| {
            let _ = world.fchmod(file, Mode::from_raw_mode(*mode));
        }),
        Call::Fsync(number) => with(*number, &mut |world, file| {
            let _ = world.fsync(file);
        }),
        Call::Fdatasync(number) => with(*number, &mut |world, file| {
            let _ = world.fdatasync(file);
        }),
        Call::FailingFsync(_) => unreachable!("only a simulated disk fails on demand"),
        Call::FsyncDir(name) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            if let Ok(mut directory) = world.open(*name, flags, Mode::empty()) {
                let _ = world.fsync(&mut directory);
                world.close(directory);
            }
        }
        Call::Rename(from, to) => drop(world.rename(*from, *to)),
        Call::Exchange(from, to) => drop(world.rename_with(*from, *to, RenameFlags::EXCHANGE)),
        Call::Link(from, to) => drop(world.link(*from, *to)),
        Call::Unlink(name) => drop(world.unlink(*name)),
    }
}

/// Makes a call in the simulation.
pub(crate) fn simulate(world: &mut SimFs, open: &mut Open<SimFile>, call: &Call) {
    match call {
        Call::FailingFsync(number) => {
            if let Some(Some(file)) = open.0.get_mut(*number) {
                world.fail_next_sync();
                assert_eq!(world.fsync(file), Err(Errno::IO));
            }
        }
        call => perform(world, open, call),
    }
}

/// What there is.
pub(crate) fn state(tree: &Tree) -> State {
    let named = tree.iter().filter(|(path, _)| path.as_os_str() != ".");
    named
        .map(|(path, node)| {
            let told = match node {
                Node::File { mode, bytes, .. } => {
                    format!("{:o} {}", mode.as_raw_mode(), String::from_utf8_lossy(bytes))
                }
                node => node.to_string(),
            };
            (path.display().to_string(), told)
        })
        .collect()
}

/// A world in which these calls were made and everything is on disk, and what they opened.
pub(crate) fn prepared(profile: Profile, block: usize, setup: &[Call]) -> (SimFs, Open<SimFile>) {
    let (mut world, mut open) = (SimFs::new(), Open::default());
    for directory in ["d", "e"] {
        world = world.with_directory(directory, Mode::RWXU).unwrap();
    }
    setup.iter().for_each(|call| perform(&mut world, &mut open, call));
    (world.with_disk(profile).with_blocks(NonZeroUsize::new(block).unwrap()), open)
}

/// Each state in which a power failure may leave the program, by how many calls it had made.
pub(crate) fn survivals(
    profile: Profile,
    block: usize,
    setup: &[Call],
    calls: &[Call],
) -> Vec<BTreeSet<State>> {
    let (mut world, mut open) = prepared(profile, block, setup);
    let now = |world: &SimFs| world.survivals().iter().map(|it| state(&it.world.tree())).collect();
    let mut all = vec![now(&world)];
    for call in calls {
        simulate(&mut world, &mut open, call);
        all.push(now(&world));
    }
    all
}

/// The same, whenever the power fails.
pub(crate) fn ever(
    profile: Profile,
    block: usize,
    setup: &[Call],
    calls: &[Call],
) -> BTreeSet<State> {
    survivals(profile, block, setup, calls).into_iter().flatten().collect()
}
