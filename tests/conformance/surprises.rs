//! Answers of the kernel that surprise, each as a small story that both worlds have to tell alike.

use std::env;

use toctou::fs::{FlockOperation, OFlags, Recorded, RenameFlags, SimFs};

use super::ops::{Op, Run, World};
use super::{Arena, memory};

const CREATE: OFlags = OFlags::CREATE.union(OFlags::RDWR);

fn create(slot: usize, name: &'static str) -> Op {
    Op::Open(slot, name, CREATE, 0o600)
}

fn open(slot: usize, name: &'static str, flags: OFlags) -> Op {
    Op::Open(slot, name, flags, 0o600)
}

fn told<W: World>(world: W, story: &[(Op, &str)]) -> Vec<String> {
    let mut run = Run::new(Recorded::new(world));
    for (op, _) in story {
        assert!(run.perform(op).is_some(), "its slot holds an open file: {op:?}");
    }
    run.world.take()
}

/// Asserts that the calls are answered so in the simulation and on each file system.
fn assert_story(story: &[(Op, &str)]) {
    let expected: Vec<&str> = story.iter().map(|(_, label)| *label).collect();
    assert_eq!(told(SimFs::new(), story), expected, "in the simulation");
    for parent in [memory(), env::temp_dir()] {
        let arena = Arena::new(&parent).expect("a directory to try it in");
        let labels = arena.with(|world| told(world, story)).expect("a directory to try it in");
        assert_eq!(labels, expected, "in {}", parent.display());
    }
}

#[test]
fn renaming_two_links_of_one_file_does_nothing() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (Op::Link("a", "b"), "link(a → b) = ok"),
        (Op::Rename("a", "b"), "rename(a → b) = ok"),
        (Op::Access("a"), "access(a) = ok"),
        (Op::RenameWith("a", "b", RenameFlags::NOREPLACE), "rename(a → b, no replace) = EEXIST"),
    ]);
}

#[test]
fn renaming_without_replacing_misses_the_source_before_it_sees_the_target() {
    let no_replace = |from, to| Op::RenameWith(from, to, RenameFlags::NOREPLACE);
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (no_replace("b", "a"), "rename(b → a, no replace) = ENOENT"),
        (no_replace("a", "."), "rename(a → ., no replace) = EEXIST"),
        (Op::Rename("a", "."), "rename(a → .) = EBUSY"),
        (no_replace(".", "."), "rename(. → ., no replace) = EBUSY"),
        (no_replace("a/", "a"), "rename(a/ → a, no replace) = EEXIST"),
        (no_replace("a/", "b"), "rename(a/ → b, no replace) = ENOTDIR"),
        (no_replace("a", "b"), "rename(a → b, no replace) = ok"),
    ]);
}

#[test]
fn a_failed_conversion_of_a_lock_has_lost_it() {
    let flock = Op::Flock;
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
        (Op::Write(0, b"s3cret"), "write(\"s3cret\") = 6"),
        (open(1, "a", OFlags::RDONLY | OFlags::TRUNC), "open(a, truncate) = ok"),
        (Op::Read(1, 8), "read = \"\""),
        (Op::Write(0, b"x"), "write(\"x\") = 1"),
        (Op::Read(1, 8), "read = \"\\x00\\x00\\x00\\x00\\x00\\x00x\""),
    ]);
}

#[test]
fn an_empty_append_leaves_the_offset_where_it_was() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (Op::Write(0, b"x"), "write(\"x\") = 1"),
        (open(1, "a", OFlags::RDWR | OFlags::APPEND), "open(a, append) = ok"),
        (Op::Write(1, b""), "write(\"\") = 0"),
        (Op::Read(1, 8), "read = \"x\""),
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
        (Op::Link("a", "b/"), "link(a → b/) = ENOENT"),
        (Op::Link("a/", "b"), "link(a/ → b) = ENOTDIR"),
        (Op::Unlink("a/"), "unlink(a/) = ENOTDIR"),
    ]);
}

#[test]
fn a_directory_moves_neither_below_itself_nor_over_what_it_is_in() {
    assert_story(&[
        (Op::Mkdir("d", 0o700), "mkdir(d) = ok"),
        (Op::Mkdir("d/e", 0o700), "mkdir(d/e) = ok"),
        (Op::Rename("d", "d/e/f"), "rename(d → d/e/f) = EINVAL"),
        (Op::Rename("d", "d/e"), "rename(d → d/e) = EINVAL"),
        (Op::Rename("d/e", "d"), "rename(d/e → d) = ENOTEMPTY"),
        (Op::Rename("d/e", "d/e/"), "rename(d/e → d/e/) = ok"),
        (create(0, "d/e/a"), "open(d/e/a, create) = ok"),
        (Op::Rename("d/e/a", "d"), "rename(d/e/a → d) = ENOTEMPTY"),
        (Op::Rename("d/e/a", "d/e"), "rename(d/e/a → d/e) = ENOTEMPTY"),
        (Op::Mkdir("g", 0o700), "mkdir(g) = ok"),
        (Op::Rename("d/e/a", "g"), "rename(d/e/a → g) = EISDIR"),
    ]);
}

#[test]
fn removing_dots_is_answered_by_each_call_in_its_own_way() {
    assert_story(&[
        (Op::Mkdir("d", 0o700), "mkdir(d) = ok"),
        (Op::Rmdir("."), "rmdir(.) = EINVAL"),
        (Op::Rmdir("d/.."), "rmdir(d/..) = ENOTEMPTY"),
        (Op::Unlink("d/.."), "unlink(d/..) = EISDIR"),
        (Op::Rename("d/.", "e"), "rename(d/. → e) = EBUSY"),
        (Op::Mkdir("d/..", 0o700), "mkdir(d/..) = EEXIST"),
        (Op::Rmdir(".."), "rmdir(..) = EXDEV"),
    ]);
}

#[test]
fn a_link_to_a_directory_is_refused_only_after_its_new_name_is_looked_at() {
    assert_story(&[
        (Op::Mkdir("d", 0o700), "mkdir(d) = ok"),
        (Op::Link("d", "d"), "link(d → d) = EEXIST"),
        (Op::Link("d", "e/"), "link(d → e/) = ENOENT"),
        (Op::Link("d", "e"), "link(d → e) = EPERM"),
    ]);
}

#[test]
fn a_file_open_neither_for_reading_nor_writing_may_truncate_but_not_lock() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (open(1, "a", OFlags::RWMODE | OFlags::TRUNC), "open(a, truncate) = ok"),
        (Op::Read(1, 8), "read = EBADF"),
        (Op::Write(1, b"x"), "write(\"x\") = EBADF"),
        (Op::Flock(1, FlockOperation::LockShared), "flock(shared) = EBADF"),
        (Op::Flock(1, FlockOperation::Unlock), "flock(unlock) = ok"),
    ]);
}
