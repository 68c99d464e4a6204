//! The litmus tests of Bornholt and others, “Specifying and Checking File System Crash-Consistency
//! Models” (ASPLOS 2016), section 3. Their model checker found fewer states on ext4: a new block does not
//! show zeros there, as it does since Linux 5.6. `ext4.rs` has their numbers.

use toctou::fs::Profile::{self, Ext4, MetadataPrefix, Posix, Sequential};

use super::programs::{Call, Program, State, append, ever, survivals};

pub(crate) fn content<'s>(state: &'s State, name: &str) -> Option<&'s str> {
    let (_, told) = state.iter().find(|(path, _)| path == name)?;
    told.split_once(' ').map(|(_, content)| content)
}

/// Asserts which profiles let the surprise happen, of all.
fn surprises(
    block: usize,
    setup: &[Call],
    calls: &[Call],
    such: impl Fn(&State) -> bool,
    expected: &[Profile],
) {
    let surprised = Profile::ALL.into_iter().filter(|profile| {
        let states = ever(*profile, block, setup, calls);
        assert!(states.len() > 1, "nothing can be lost");
        states.iter().any(&such)
    });
    assert_eq!(surprised.collect::<Vec<_>>(), expected);
}

const BLOCK: usize = 4096;

/// Their `append-chrome`, with the same numbers of bytes.
pub(crate) fn appends() -> Program {
    Program {
        setup: vec![Call::Create("file"), append(0, "a", 2509)],
        calls: vec![append(0, "b", 13), append(0, "b", 2500)],
    }
}

#[test]
fn prefix_append() {
    let Program { setup, calls } = appends();
    let whole = "a".repeat(2509) + &"b".repeat(2513);
    let is_no_prefix = |state: &State| !whole.starts_with(content(state, "file").unwrap());
    surprises(BLOCK, &setup, &calls, is_no_prefix, &[MetadataPrefix, Ext4, Posix]);
    // Each block, and how long the file is, in order.
    assert_eq!(ever(Ext4, BLOCK, &setup, &calls).len(), 12);
    // What people saw: the length of the first block, and no byte of it.
    let zeros = "a".repeat(2509) + &"\0".repeat(1587);
    let saw = |state: &State| content(state, "file") == Some(&zeros);
    assert!(ever(Ext4, BLOCK, &setup, &calls).iter().any(saw));
}

#[test]
fn ordered_same_file_overwrites() {
    let length = 40 * 1024;
    let setup = [Call::Create("f"), append(0, "0", length)];
    let write = |at| Call::Write(0, at, b"1".to_vec());
    let calls = [write(length - 1), write(0)];
    let second_alone = |state: &State| {
        let content = content(state, "f").unwrap();
        content.starts_with('1') && content.ends_with('0')
    };
    surprises(BLOCK, &setup, &calls, second_alone, &[MetadataPrefix, Ext4, Posix]);
    // Within one block they are ordered.
    let calls = [Call::Write(0, 9, b"1".to_vec()), Call::Write(0, 0, b"1".to_vec())];
    let second_alone = |state: &State| {
        let content = content(state, "f").unwrap().as_bytes();
        content[0] == b'1' && content[9] == b'0'
    };
    surprises(BLOCK, &setup, &calls, second_alone, &[]);
}

#[test]
fn ordered_two_file_overwrites() {
    let setup = [Call::Create("f"), Call::Create("g"), append(0, "0", 1), append(1, "0", 1)];
    let write = |file| Call::Write(file, 0, b"1".to_vec());
    let second_alone =
        |state: &State| content(state, "f") == Some("0") && content(state, "g") == Some("1");
    let calls = [write(0), write(1)];
    surprises(BLOCK, &setup, &calls, second_alone, &[MetadataPrefix, Ext4, Posix]);
    let calls = [write(0), Call::Fsync(0), write(1)];
    surprises(BLOCK, &setup, &calls, second_alone, &[]);
}

#[test]
fn directory_operations_of_one_directory_and_of_two() {
    let second_alone = |state: &State| content(state, "d/a").is_none();
    let same = [Call::Create("d/a"), Call::Create("d/b")];
    let surprised = |state: &State| second_alone(state) && content(state, "d/b").is_some();
    surprises(BLOCK, &[], &same, surprised, &[Posix]);
    let two = [Call::Create("d/a"), Call::Create("e/b")];
    let surprised = |state: &State| second_alone(state) && content(state, "e/b").is_some();
    surprises(BLOCK, &[], &two, surprised, &[Ext4, Posix]);
}

pub(crate) fn synced() -> Program {
    let calls = vec![Call::Create("file"), append(0, "x", 5), Call::Fsync(0)];
    Program { setup: vec![], calls }
}

#[test]
fn implied_directory_fsync() {
    let Program { calls, .. } = synced();
    let missing = |profile| {
        let after = survivals(profile, BLOCK, &[], &calls);
        after.last().unwrap().iter().any(|state| content(state, "file").is_none())
    };
    let surprised: Vec<_> = Profile::ALL.into_iter().filter(|it| missing(*it)).collect();
    assert_eq!(surprised, [Posix]);
    // With the directory's own, it is there in each.
    let calls = [&calls[..], &[Call::FsyncDir(".")]].concat();
    for profile in Profile::ALL {
        let after = survivals(profile, BLOCK, &[], &calls);
        let whole = |state: &State| content(state, "file") == Some("xxxxx");
        assert!(after.last().unwrap().iter().all(whole), "{profile:?}");
    }
}

/// To the side, with or without an fsync, then a rename. `file` is the number of the new one.
fn aside(file: usize, synced: bool) -> Vec<Call> {
    let mut calls = vec![Call::Create("file.tmp"), Call::Append(file, b"new".to_vec())];
    if synced {
        calls.push(Call::Fsync(file));
    }
    calls.push(Call::Rename("file.tmp", "file"));
    calls
}

pub(crate) fn create(synced: bool) -> Program {
    Program { setup: vec![], calls: aside(0, synced) }
}

pub(crate) fn replace(synced: bool) -> Program {
    Program { setup: vec![Call::Create("file"), append(0, "old", 1)], calls: aside(1, synced) }
}

#[test]
fn atomic_replace_via_rename() {
    let Program { setup, .. } = replace(true);
    let aside = |synced| replace(synced).calls;
    let neither = |state: &State| !matches!(content(state, "file"), Some("old" | "new"));
    surprises(BLOCK, &setup, &aside(false), neither, &[MetadataPrefix, Ext4, Posix]);
    // A rename that is torn can lose the old one, too.
    surprises(BLOCK, &setup, &aside(true), neither, &[]);
    let gone = |state: &State| {
        content(state, "file") == Some("old") && content(state, "file.tmp").is_none()
    };
    let calls = [&aside(true)[..], &[Call::FsyncDir(".")]].concat();
    let after = |profile| survivals(profile, BLOCK, &setup, &calls);
    assert!(after(Posix)[calls.len() - 1].iter().any(gone));
    for profile in Profile::ALL {
        let done = |state: &State| content(state, "file") == Some("new");
        assert!(after(profile).last().unwrap().iter().all(done), "{profile:?}");
    }
}

#[test]
fn atomic_create_via_rename() {
    let aside = |synced| create(synced).calls;
    let partial = |state: &State| !matches!(content(state, "file"), None | Some("new"));
    surprises(BLOCK, &[], &aside(false), partial, &[MetadataPrefix, Ext4, Posix]);
    surprises(BLOCK, &[], &aside(true), partial, &[]);
    // Their `create-rename`: four states in order. On ext4 two more where the file has zeros, and one
    // where it is empty under its last name.
    let count = |profile, synced| ever(profile, BLOCK, &[], &aside(synced)).len();
    assert_eq!([count(Sequential, false), count(Sequential, true)], [4, 4]);
    assert_eq!([count(Ext4, false), count(Ext4, true)], [7, 5]);
}

/// Rebello and others, “Can Applications Recover from fsync Failures?” (USENIX ATC 2020): the pages whose
/// writing failed are taken for clean.
#[test]
fn after_a_failed_fsync_the_bytes_may_be_gone_though_a_later_one_succeeds() {
    let setup = [Call::Create("f")];
    let is_gone = |state: &State| content(state, "f") != Some("new");
    for profile in Profile::ALL {
        let after = |calls: &[Call]| survivals(profile, BLOCK, &setup, calls).pop().unwrap();
        let retried = [append(0, "new", 1), Call::FailingFsync(0), Call::Fsync(0)];
        let states = after(&retried);
        assert!(states.iter().any(is_gone), "{profile:?}: {states:?}");
        assert!(!states.iter().all(is_gone), "{profile:?}: they may be there, too");
        // Where none fails, they are there. So are they where they are written once more.
        let once = [append(0, "new", 1), Call::Fsync(0)];
        assert!(!after(&once).iter().any(is_gone), "{profile:?}");
        let again = Call::Write(0, 0, b"new".to_vec());
        let written = [append(0, "new", 1), Call::FailingFsync(0), again, Call::Fsync(0)];
        assert!(!after(&written).iter().any(is_gone), "{profile:?}");
    }
}

/// A file whose `fsync` failed, opened with `O_TRUNC` and written anew: the usual way to try again. What is
/// there is the new content once that is synced, and never the old one behind it.
#[test]
fn after_a_failed_fsync_a_file_that_is_truncated_and_written_anew_is_as_any_other() {
    use toctou::fs::{FileSystem, Mode, OFlags, SimFs};
    for profile in Profile::ALL {
        for fails in [false, true] {
            let mut world = SimFs::new().with_disk(profile);
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC;
            let mut left = Vec::new();
            for (bytes, fails) in [(&b"first, and longer"[..], fails), (b"second", false)] {
                let mut file = world.open("f", flags, Mode::RUSR | Mode::WUSR).unwrap();
                world.write(&mut file, bytes).unwrap();
                if fails {
                    world.fail_next_sync();
                }
                assert_eq!(world.fsync(&mut file).is_err(), fails);
                world.close(file);
                let survivals = world.survivals();
                let bytes =
                    survivals.iter().map(|it| it.world.tree().bytes("f").map(<[u8]>::to_vec));
                left.push(bytes.collect::<Vec<_>>());
            }
            assert_eq!(left[0].len() > 1, fails || profile == Posix, "{profile:?}: {left:?}");
            let found: Vec<_> = left[1].iter().flatten().collect();
            assert!(found.iter().all(|bytes| ***bytes == *b"second"), "{profile:?}: {left:?}");
            assert_eq!(left[1].iter().any(Option::is_none), profile == Posix, "{left:?}");
        }
    }
}
