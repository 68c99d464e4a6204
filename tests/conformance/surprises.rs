//! Answers of the kernel that surprise, each as a small story that both worlds have to tell alike.

mod attributes;
mod bytes;
mod entries;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, io, thread};

use toctou::fs::{
    Access, AtFlags, ByteRange, Clock, Errno, FileSystem, FileType, FlockOperation, Format, Mode,
    OFlags, Protections, Recorded, RenameFlags, ResolveFlags, SeekFrom, SimFs, Users,
};

use super::arena::{Apart, Arena, Changed, Profile, Settings, apart, format, memory};
use super::ops::{Call, Cast, Op, Run, Spot, When, Who};

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

/// Under which circumstances a story is told.
struct Told<'s> {
    story: &'s Story<'s>,
    profile: Profile,
    protections: Protections,
    umask: u32,
    /// On file systems of this format alone.
    format: Option<Format>,
    /// Whether the kernel's settings are these, so that it can be asked.
    real: bool,
}

impl Told<'_> {
    fn labels<W: Users>(&self, world: W, cast: Cast) -> Vec<String> {
        let mut run = Run::new(Recorded::new(world), cast);
        let mut labels = Vec::new();
        for &(by, call, _) in self.story {
            let op = Op { by, umask: self.umask, call };
            assert!(run.perform(&op).is_some(), "its slot holds an open file: {op:?}");
            // The call's own; what the slots ask for (a close, say) comes after it.
            labels.extend(run.world.take().into_iter().next());
        }
        run.leave().expect("a way back");
        labels
    }

    fn formats(&self) -> Vec<Format> {
        self.format.map_or_else(|| vec![Format::TMPFS, Format::EXT4], |format| vec![format])
    }

    /// Asserts that the calls are answered so in the simulation and on each file system.
    fn assert(&self) {
        let expected: Vec<&str> = self.story.iter().map(|(_, _, label)| *label).collect();
        apart(|Apart { cast, rooted }| {
            let several = cast.users[0] != cast.users[1];
            if !several && self.story.iter().any(|(by, ..)| *by != Who::Root) {
                println!("not tried: it takes several users, which only root can be");
                return;
            }
            let world = SimFs::of(cast.users[0]).with_protections(self.protections);
            let world = world.with_clock(Clock::Changes);
            for format in self.formats() {
                let world = world.clone().with_format(format);
                assert_eq!(self.labels(world, cast), expected, "in the simulation: {format:?}");
            }
            if !self.real || (self.profile == Profile::Wild && !rooted) {
                println!("the kernel was not asked");
                return;
            }
            for parent in [memory(), env::temp_dir()] {
                if !self.formats().contains(&format(&parent)) {
                    continue;
                }
                let arena = Arena::new(&parent).expect("a directory to try it in");
                let labels = arena.with(self.profile, |world| self.labels(world, cast));
                assert_eq!(labels.expect("a directory"), expected, "in {}", parent.display());
            }
        });
    }
}

fn told<'s>(story: &'s Story<'s>, protections: Protections) -> Told<'s> {
    let (profile, umask) = (Profile::Tame, 0o022);
    Told { story, profile, protections, umask, format: None, real: true }
}

/// A story of several users, under the kernel's settings as they are.
fn assert_users_story(story: &Story<'_>) {
    let settings = Settings::read();
    told(story, settings.protections).assert();
}

/// A story of root's alone.
fn assert_story(story: &[(Call, &str)]) {
    let story: Vec<_> = story.iter().map(|(call, label)| (Who::Root, *call, *label)).collect();
    assert_users_story(&story);
}

/// A story under other settings (see [`Changed::set`]): on the kernel only if they may be changed.
fn assert_story_under(values: [u8; 3], story: &Story<'_>) -> io::Result<()> {
    let changed = Changed::allowed()?.map(|mut settings| settings.set(values).map(|_| settings));
    let settings = changed.transpose()?;
    let [symlinks, regular, hardlinks] = values;
    let protections = Protections {
        symlinks: symlinks > 0,
        regular: regular > 0,
        regular_in_groups: regular > 1,
        hardlinks: hardlinks > 0,
    };
    Told { real: settings.is_some(), ..told(story, protections) }.assert();
    Ok(())
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

#[test]
fn a_file_without_a_name_has_to_be_open_for_writing_and_truncating_is_not_enough() {
    let unnamed = |flags| open(0, ".", flags | OFlags::TMPFILE);
    assert_story(&[
        (unnamed(OFlags::RDONLY), "open(., unnamed) = EINVAL"),
        (unnamed(OFlags::TRUNC), "open(., truncate unnamed) = EINVAL"),
        (unnamed(OFlags::RWMODE), "open(., unnamed) = ok"),
        (unnamed(OFlags::WRONLY | OFlags::EXCL), "open(., exclusive unnamed) = ok"),
        (Call::LinkFile(0, "a".into()), "link(the open file → a) = ENOENT"),
        (unnamed(OFlags::WRONLY), "open(., unnamed) = ok"),
        (Call::LinkFile(0, "a".into()), "link(the open file → a) = ok"),
    ]);
}

#[test]
fn a_file_without_a_name_in_a_directory_that_was_removed_is_up_to_the_format() {
    for (format, answer) in [(Format::TMPFS, "ok"), (Format::EXT4, "EPERM")] {
        let (unnamed, inside) = (OFlags::TMPFILE | OFlags::RDWR, Spot(Some(0), "."));
        let answer = format!("open(./., unnamed) = {answer}");
        let root = |(call, label)| (Who::Root, call, label);
        let story = [
            (mkdir("d"), "mkdir(d) = ok"),
            (open(0, "d", OFlags::DIRECTORY), "open(d, directory) = ok"),
            (Call::Open(1, inside, unnamed, 0o600), "open(./., unnamed) = ok"),
            (Call::Rmdir("d".into()), "rmdir(d) = ok"),
            (Call::Open(1, inside, unnamed, 0o600), &answer),
            (Call::Open(1, Spot(Some(0), "a"), CREATE, 0o600), "open(./a, create) = ENOENT"),
        ]
        .map(root);
        let settings = Settings::read();
        Told { format: Some(format), ..told(&story, settings.protections) }.assert();
    }
}

#[test]
fn a_file_that_has_lost_its_last_name_gets_none_again() {
    assert_story(&[
        (open(0, ".", OFlags::TMPFILE | OFlags::WRONLY), "open(., unnamed) = ok"),
        (Call::LinkFile(0, "a".into()), "link(the open file → a) = ok"),
        (Call::LinkFile(0, "b".into()), "link(the open file → b) = ok"),
        (Call::Unlink("a".into()), "unlink(a) = ok"),
        (Call::LinkFile(0, "a".into()), "link(the open file → a) = ok"),
        (Call::Unlink("a".into()), "unlink(a) = ok"),
        (Call::Unlink("b".into()), "unlink(b) = ok"),
        (Call::Fstat(0), "fstat = file 0600, 0 links"),
        (Call::LinkFile(0, "a".into()), "link(the open file → a) = ENOENT"),
    ]);
}

#[test]
fn a_link_opened_as_a_path_gets_another_name_as_long_as_it_has_one() {
    let place = OFlags::PATH | OFlags::NOFOLLOW;
    assert_story(&[
        (symlink("a", "l"), "symlink(l → a) = ok"),
        (open(0, "l", place), "open(l, no follow) = ok"),
        (Call::LinkFile(0, "m".into()), "link(the open file → m) = ok"),
        (Call::Unlink("l".into()), "unlink(l) = ok"),
        (Call::Fstat(0), "fstat = link 0777"),
        (Call::Unlink("m".into()), "unlink(m) = ok"),
        (Call::LinkFile(0, "l".into()), "link(the open file → l) = ENOENT"),
    ]);
}

#[test]
fn a_slash_asks_for_a_directory_even_of_a_path_alone() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (open(0, "a/", CREATE | OFlags::PATH), "open(a/, create) = ENOTDIR"),
        (open(0, "b", CREATE | OFlags::PATH), "open(b, create) = ENOENT"),
    ]);
}

#[test]
fn whether_a_file_may_run_as_the_directorys_group_is_decided_before_the_umask() {
    let create = Call::Open(0, "t/a".into(), CREATE, 0o2775);
    let story = [
        (Who::Root, Call::Chmod(".".into(), 0o755), "chmod(., 0755) = ok"),
        (Who::Root, mkdir("t"), "mkdir(t) = ok"),
        (Who::Root, Call::Chmod("t".into(), 0o2777), "chmod(t, 2777) = ok"),
        (Who::Alice, create, "open(t/a, create) = ok"),
        (Who::Root, Call::Fstat(0), "fstat = file 0700"),
    ];
    let settings = Settings::read();
    Told { umask: 0o077, ..told(&story, settings.protections) }.assert();
}

/// A sticky directory of Alice's that all can write to, and in it a file and a link of Bob's.
const STICKY: [(Who, Call, &str); 5] = [
    (Who::Root, Call::Chmod(Spot(None, "."), 0o777), "chmod(., 0777) = ok"),
    (Who::Alice, Call::Mkdir(Spot(None, "t"), 0o700), "mkdir(t) = ok"),
    (Who::Alice, Call::Chmod(Spot(None, "t"), 0o1777), "chmod(t, 1777) = ok"),
    (Who::Bob, Call::Open(0, Spot(None, "t/a"), CREATE, 0o666), "open(t/a, create) = ok"),
    (Who::Bob, Call::Symlink("a", Spot(None, "t/l")), "symlink(t/l → a) = ok"),
];

fn in_sticky<'s>(rest: &[(Who, Call, &'s str)]) -> Vec<(Who, Call, &'s str)> {
    [&STICKY[..], rest].concat()
}

#[test]
fn from_a_sticky_directory_only_owners_remove() {
    assert_users_story(&in_sticky(&[
        (Who::Carol, Call::Unlink("t/a".into()), "unlink(t/a) = EPERM"),
        (Who::Carol, rename("t/a", "b"), "rename(t/a → b) = EPERM"),
        (Who::Carol, Call::Chmod("t/a".into(), 0o777), "chmod(t/a, 0777) = EPERM"),
        (Who::Bob, Call::Unlink("t/a".into()), "unlink(t/a) = ok"),
        (Who::Alice, Call::Unlink("t/l".into()), "unlink(t/l) = ok"),
    ]));
}

#[test]
fn protected_links_are_followed_for_their_owner_and_protected_files_opened_without_create()
-> io::Result<()> {
    assert_story_under(
        [1, 1, 1],
        &in_sticky(&[
            (Who::Root, open(0, "t/l", OFlags::RDONLY), "open(t/l) = EACCES"),
            (Who::Bob, open(0, "t/l", OFlags::RDONLY), "open(t/l) = ok"),
            (Who::Root, create(0, "t/a"), "open(t/a, create) = EACCES"),
            (Who::Root, open(0, "t/a", OFlags::RDWR), "open(t/a) = ok"),
            (Who::Carol, link("t/l", "l"), "link(t/l → l) = EPERM"),
            (Who::Bob, link("t/l", "l"), "link(t/l → l) = ok"),
        ]),
    )
}

#[test]
fn a_link_is_protected_from_all_but_not_from_a_group() -> io::Result<()> {
    let flags = CREATE | OFlags::NOFOLLOW;
    assert_story_under(
        [0, 2, 0],
        &in_sticky(&[
            (Who::Root, open(0, "t/l", flags), "open(t/l, create no follow) = EACCES"),
            (Who::Alice, Call::Chmod("t".into(), 0o1775), "chmod(t, 1775) = ok"),
            (Who::Root, open(0, "t/l", flags), "open(t/l, create no follow) = ELOOP"),
            (Who::Root, create(0, "t/a"), "open(t/a, create) = EACCES"),
        ]),
    )
}

#[test]
fn creating_follows_a_dangling_link_unless_it_is_exclusive() {
    assert_story(&[
        (symlink("b", "l"), "symlink(l → b) = ok"),
        (open(0, "l", CREATE | OFlags::EXCL), "open(l, create exclusive) = EEXIST"),
        (open(0, "l", CREATE | OFlags::NOFOLLOW), "open(l, create no follow) = ELOOP"),
        (create(0, "l"), "open(l, create) = ok"),
        (Call::Stat("b".into(), AtFlags::SYMLINK_NOFOLLOW), "lstat(b) = file 0600"),
    ]);
}

#[test]
fn an_absolute_link_starts_at_the_root_or_leaves_what_a_walk_is_limited_to() {
    let within = |limit| Call::OpenWithin(1, Spot(Some(0), "l"), OFlags::RDONLY, 0, limit);
    let root = |(call, label)| (Who::Root, call, label);
    let story = [
        (create(1, "a"), "open(a, create) = ok"),
        (mkdir("d"), "mkdir(d) = ok"),
        (symlink("/../a", "d/l"), "symlink(d/l → /../a) = ok"),
        (open(1, "d/l", OFlags::RDONLY), "open(d/l) = ok"),
        (open(0, "d", OFlags::DIRECTORY), "open(d, directory) = ok"),
        (within(ResolveFlags::empty()), "open(./l) = ok"),
        (within(ResolveFlags::BENEATH), "open(./l, beneath) = EXDEV"),
        (within(ResolveFlags::IN_ROOT), "open(./l, in root) = ENOENT"),
        (within(ResolveFlags::NO_SYMLINKS), "open(./l, no links) = ELOOP"),
    ]
    .map(root);
    let settings = Settings::read();
    Told { profile: Profile::Wild, ..told(&story, settings.protections) }.assert();
}

/// The kernel looks up where the root is only when it has to: at a `..`.
#[test]
fn where_mounts_must_not_be_crossed_an_absolute_link_is_followed_only_after_dots() {
    let within = |path| Call::OpenWithin(0, path, OFlags::RDONLY, 0, ResolveFlags::NO_XDEV);
    let root = |(call, label)| (Who::Root, call, label);
    let story = [
        (create(0, "a"), "open(a, create) = ok"),
        (mkdir("d"), "mkdir(d) = ok"),
        (symlink("/a", "l"), "symlink(l → /a) = ok"),
        (within("l".into()), "open(l) = EXDEV"),
        (within("d/../l".into()), "open(d/../l) = ok"),
        (within("d/../a".into()), "open(d/../a) = ok"),
    ]
    .map(root);
    let settings = Settings::read();
    Told { profile: Profile::Wild, ..told(&story, settings.protections) }.assert();
}

#[test]
fn forty_links_are_followed_on_one_path_and_no_more() {
    let through = |links: usize| &*format!("{}a", "m/".repeat(links)).leak();
    let (most, more) = (through(40), through(41));
    let looks = |path: &'static str| Call::Access(path.into(), Access::EXISTS, AtFlags::empty());
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (symlink(".", "m"), "symlink(m → .) = ok"),
        (looks(most), &format!("access({most}) = ok")),
        (looks(more), &format!("access({more}) = ELOOP")),
    ]);
}

#[test]
fn asking_for_more_than_there_is_to_permit_is_invalid_and_a_umask_takes_no_more_than_permissions() {
    let looks = |path: &'static str, access| Call::Access(path.into(), access, AtFlags::empty());
    let story = [
        (Who::Root, looks("a", Access::from_bits_retain(8)), "access(a) = EINVAL"),
        (Who::Root, Call::Open(0, "a".into(), CREATE, 0o6777), "open(a, create) = ok"),
        (Who::Root, Call::Fstat(0), "fstat = file 6000"),
    ];
    let settings = Settings::read();
    Told { umask: 0o7777, ..told(&story, settings.protections) }.assert();
}

/// The kernel answers `EAGAIN` to a limited walk that passes a `..` while anything is renamed; here
/// every few walks, if it were not asked again.
#[test]
fn renames_elsewhere_do_not_disturb_a_walk_within_limits() {
    let arena = Arena::new(&memory()).expect("a directory to try it in");
    let answers = arena.with(Profile::Tame, |world| -> Result<bool, Errno> {
        let mut here = world;
        here.mkdir("d", Mode::RWXU)?;
        here.open("x", CREATE, Mode::RWXU)?;
        // A long walk: round in a circle until it is enough.
        here.symlink(Path::new("../d/l"), "d/l")?;
        let is_over = AtomicBool::new(false);
        Ok(thread::scope(|scope| {
            scope.spawn(|| {
                let mut there = world;
                while !is_over.load(Ordering::Relaxed) {
                    let _ = there.rename("x", "y").and_then(|()| there.rename("y", "x"));
                    // Some walks have to get through undisturbed.
                    thread::sleep(Duration::from_micros(50));
                }
            });
            let is_circle = (0..20_000).all(|_| {
                let limit = ResolveFlags::BENEATH;
                let opened = here.open_within("d/l", OFlags::RDONLY, Mode::empty(), limit);
                opened.is_err_and(|errno| errno == Errno::LOOP)
            });
            is_over.store(true, Ordering::Relaxed);
            is_circle
        }))
    });
    assert_eq!(answers.expect("a directory to try it in"), Ok(true));
}
