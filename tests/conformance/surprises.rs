//! Answers of the kernel that surprise, each as a small story that both worlds have to tell alike.

use std::env;

use toctou::fs::{
    Access, AtFlags, FlockOperation, OFlags, Protections, Recorded, RenameFlags, SimFs, Users,
};

use super::arena::{Apart, Arena, Profile, Settings, apart, memory};
use super::ops::{Call, Cast, Op, Run, Spot, Who};

const CREATE: OFlags = OFlags::CREATE.union(OFlags::RDWR);

fn create(slot: usize, name: &'static str) -> Call {
    open(slot, name, CREATE)
}

fn open(slot: usize, name: &'static str, flags: OFlags) -> Call {
    Call::Open(slot, name.into(), flags, 0o600)
}

fn link(from: &'static str, to: &'static str) -> Call {
    Call::Link(from.into(), to.into())
}

fn rename(from: &'static str, to: &'static str) -> Call {
    Call::Rename(from.into(), to.into())
}

fn mkdir(name: &'static str) -> Call {
    Call::Mkdir(name.into(), 0o700)
}

fn symlink(target: &'static str, name: &'static str) -> Call {
    Call::Symlink(target, name.into())
}

/// Who does what, and how that is told.
type Story<'s> = [(Who, Call, &'s str)];

fn told<W: Users>(world: W, cast: Cast, story: &Story<'_>) -> Vec<String> {
    let mut run = Run::new(Recorded::new(world), cast);
    for &(by, call, _) in story {
        let op = Op { by, umask: 0o022, call };
        assert!(run.perform(&op).is_some(), "its slot holds an open file: {op:?}");
    }
    run.leave().expect("a way back");
    run.world.take()
}

/// Asserts that the calls are answered so in the simulation and on each file system.
fn assert_stories(profile: Profile, protections: Protections, story: &Story<'_>) {
    let expected: Vec<&str> = story.iter().map(|(_, _, label)| *label).collect();
    apart(|Apart { cast, rooted }| {
        let several = cast.users[0] != cast.users[1];
        if (profile == Profile::Wild && !rooted)
            || (story.iter().any(|(by, ..)| *by != Who::Root) && !several)
        {
            println!("on the kernel this is root's to try");
            return;
        }
        let simulated = SimFs::of(cast.users[0]).with_protections(protections);
        assert_eq!(told(simulated, cast, story), expected, "in the simulation");
        for parent in [memory(), env::temp_dir()] {
            let arena = Arena::new(&parent).expect("a directory to try it in");
            let labels = arena.with(profile, |world| told(world, cast, story));
            assert_eq!(labels.expect("a directory"), expected, "in {}", parent.display());
        }
    });
}

/// A story of several users, who find the anchor open to all.
fn assert_users_story(story: &Story<'_>) {
    let opened = (Who::Root, Call::Chmod(".".into(), 0o777), "chmod(., 0777) = ok");
    let story: Vec<_> = std::iter::once(opened).chain(story.iter().copied()).collect();
    assert_stories(Profile::Tame, Settings::read().protections, &story);
}

/// A story of root's alone.
fn assert_story(story: &[(Call, &str)]) {
    let story: Vec<_> = story.iter().map(|(call, label)| (Who::Root, *call, *label)).collect();
    assert_stories(Profile::Tame, Settings::read().protections, &story);
}

#[test]
fn renaming_two_links_of_one_file_does_nothing() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (link("a", "b"), "link(a → b) = ok"),
        (rename("a", "b"), "rename(a → b) = ok"),
        (Call::Access("a".into(), Access::EXISTS, AtFlags::empty()), "access(a) = ok"),
        (
            Call::RenameWith("a".into(), "b".into(), RenameFlags::NOREPLACE),
            "rename(a → b, no replace) = EEXIST",
        ),
    ]);
}

#[test]
fn renaming_without_replacing_misses_the_source_before_it_sees_the_target() {
    let no_replace =
        |from, to| Call::RenameWith(Spot(None, from), Spot(None, to), RenameFlags::NOREPLACE);
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (no_replace("b", "a"), "rename(b → a, no replace) = ENOENT"),
        (no_replace("a", "."), "rename(a → ., no replace) = EEXIST"),
        (rename("a", "."), "rename(a → .) = EBUSY"),
        (no_replace(".", "."), "rename(. → ., no replace) = EBUSY"),
        (no_replace("a/", "a"), "rename(a/ → a, no replace) = EEXIST"),
        (no_replace("a/", "b"), "rename(a/ → b, no replace) = ENOTDIR"),
        (no_replace("a", "b"), "rename(a → b, no replace) = ok"),
    ]);
}

#[test]
fn a_failed_conversion_of_a_lock_has_lost_it() {
    let flock = Call::Flock;
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (create(1, "a"), "open(a, create) = ok"),
        (flock(0, FlockOperation::NonBlockingLockShared), "flock(shared, no wait) = ok"),
        (flock(1, FlockOperation::NonBlockingLockShared), "flock(shared, no wait) = ok"),
        (
            flock(0, FlockOperation::NonBlockingLockExclusive),
            "flock(exclusive, no wait) = would wait",
        ),
        (flock(1, FlockOperation::NonBlockingLockExclusive), "flock(exclusive, no wait) = ok"),
    ]);
}

#[test]
fn truncating_needs_no_file_open_for_writing() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (Call::Write(0, b"s3cret"), "write(\"s3cret\") = 6"),
        (open(1, "a", OFlags::RDONLY | OFlags::TRUNC), "open(a, truncate) = ok"),
        (Call::Read(1, 8), "read = \"\""),
        (Call::Write(0, b"x"), "write(\"x\") = 1"),
        (Call::Read(1, 8), "read = \"\\x00\\x00\\x00\\x00\\x00\\x00x\""),
    ]);
}

#[test]
fn an_empty_append_leaves_the_offset_where_it_was() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (Call::Write(0, b"x"), "write(\"x\") = 1"),
        (open(1, "a", OFlags::RDWR | OFlags::APPEND), "open(a, append) = ok"),
        (Call::Write(1, b""), "write(\"\") = 0"),
        (Call::Read(1, 8), "read = \"x\""),
    ]);
}

#[test]
fn creating_a_directory_by_open_is_invalid_and_a_trailing_slash_a_directory() {
    assert_story(&[
        (open(0, "a", CREATE | OFlags::DIRECTORY), "open(a, create directory) = EINVAL"),
        (create(0, "a/"), "open(a/, create) = EISDIR"),
        (create(0, "a"), "open(a, create) = ok"),
        (create(0, "a/"), "open(a/, create) = EISDIR"),
        (open(0, "a/", CREATE | OFlags::EXCL), "open(a/, create exclusive) = EISDIR"),
        (open(0, ".", CREATE | OFlags::EXCL), "open(., create exclusive) = EEXIST"),
        (open(0, "a/", OFlags::RDONLY), "open(a/) = ENOTDIR"),
        (link("a", "b/"), "link(a → b/) = ENOENT"),
        (link("a/", "b"), "link(a/ → b) = ENOTDIR"),
        (Call::Unlink("a/".into()), "unlink(a/) = ENOTDIR"),
    ]);
}

#[test]
fn a_directory_moves_neither_below_itself_nor_over_what_it_is_in() {
    assert_story(&[
        (mkdir("d"), "mkdir(d) = ok"),
        (mkdir("d/e"), "mkdir(d/e) = ok"),
        (rename("d", "d/e/f"), "rename(d → d/e/f) = EINVAL"),
        (rename("d", "d/e"), "rename(d → d/e) = EINVAL"),
        (rename("d/e", "d"), "rename(d/e → d) = ENOTEMPTY"),
        (rename("d/e", "d/e/"), "rename(d/e → d/e/) = ok"),
        (create(0, "d/e/a"), "open(d/e/a, create) = ok"),
        (rename("d/e/a", "d"), "rename(d/e/a → d) = ENOTEMPTY"),
        (rename("d/e/a", "d/e"), "rename(d/e/a → d/e) = ENOTEMPTY"),
        (mkdir("g"), "mkdir(g) = ok"),
        (rename("d/e/a", "g"), "rename(d/e/a → g) = EISDIR"),
    ]);
}

#[test]
fn removing_dots_is_answered_by_each_call_in_its_own_way() {
    assert_story(&[
        (mkdir("d"), "mkdir(d) = ok"),
        (Call::Rmdir(".".into()), "rmdir(.) = EINVAL"),
        (Call::Rmdir("d/..".into()), "rmdir(d/..) = ENOTEMPTY"),
        (Call::Unlink("d/..".into()), "unlink(d/..) = EISDIR"),
        (rename("d/.", "e"), "rename(d/. → e) = EBUSY"),
        (mkdir("d/.."), "mkdir(d/..) = EEXIST"),
        (Call::Rmdir("..".into()), "rmdir(..) = EXDEV"),
    ]);
}

#[test]
fn a_link_to_a_directory_is_refused_only_after_its_new_name_is_looked_at() {
    assert_story(&[
        (mkdir("d"), "mkdir(d) = ok"),
        (link("d", "d"), "link(d → d) = EEXIST"),
        (link("d", "e/"), "link(d → e/) = ENOENT"),
        (link("d", "e"), "link(d → e) = EPERM"),
    ]);
}

#[test]
fn a_file_open_neither_for_reading_nor_writing_may_truncate_but_not_lock() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (open(1, "a", OFlags::RWMODE | OFlags::TRUNC), "open(a, truncate) = ok"),
        (Call::Read(1, 8), "read = EBADF"),
        (Call::Write(1, b"x"), "write(\"x\") = EBADF"),
        (Call::Flock(1, FlockOperation::LockShared), "flock(shared) = EBADF"),
        (Call::Flock(1, FlockOperation::Unlock), "flock(unlock) = ok"),
    ]);
}
