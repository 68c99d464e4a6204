//! What is in directories, and other things than files.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;

use rustix::fs::RawDir;
use toctou::fs::OsFs;

use super::*;

#[test]
fn a_link_that_leads_nowhere_gets_a_second_name_unless_it_is_followed() {
    let link = |from, to: &'static str, flags| Call::LinkWith(Spot(None, from), to.into(), flags);
    let follow = AtFlags::SYMLINK_FOLLOW;
    assert_story(&[
        (symlink("a", "l"), "symlink(l → a) = ok"),
        (link("l", "m", AtFlags::empty()), "link(l → m) = ok"),
        (link("l", "n", follow), "link(l → n, follow) = ENOENT"),
        (create(0, "a"), "open(a, create) = ok"),
        (link("m", "n", follow), "link(m → n, follow) = ok"),
        (Call::Stat("n".into(), AtFlags::SYMLINK_NOFOLLOW), "lstat(n) = file 0600, 2 links"),
        (link("m", "o", AtFlags::EMPTY_PATH), "link(m → o, other flags) = EINVAL"),
    ]);
}

#[test]
fn a_directory_is_read_by_whoever_has_it_open_until_it_is_removed() {
    let read = Call::Getdents(0);
    assert_users_story(&[
        (Who::Root, Call::Mkdir("d".into(), 0o700), "mkdir(d) = ok"),
        (Who::Root, mkdir("d/e"), "mkdir(d/e) = ok"),
        (Who::Root, create(1, "d/b"), "open(d/b, create) = ok"),
        (Who::Root, open(0, "d", OFlags::DIRECTORY), "open(d, directory) = ok"),
        (Who::Root, symlink("b", "d/a"), "symlink(d/a → b) = ok"),
        (Who::Bob, read, "getdents = a b e/"),
        (Who::Root, create(1, "d/c"), "open(d/c, create) = ok"),
        (Who::Bob, read, "getdents = the end"),
        (Who::Root, Call::Unlink("d/b".into()), "unlink(d/b) = ok"),
        (Who::Bob, Call::Lseek(0, SeekFrom::Start(0)), "lseek(0) = 0"),
        (Who::Bob, read, "getdents = a c e/"),
        (Who::Root, open(1, "d", OFlags::PATH), "open(d) = ok"),
        (Who::Root, Call::Getdents(1), "getdents = EBADF"),
        (Who::Root, open(1, "d/c", OFlags::RDONLY), "open(d/c) = ok"),
        (Who::Root, Call::Getdents(1), "getdents = ENOTDIR"),
        (Who::Root, mkdir("f"), "mkdir(f) = ok"),
        (Who::Root, open(0, "f", OFlags::DIRECTORY), "open(f, directory) = ok"),
        (Who::Root, Call::Rmdir("f".into()), "rmdir(f) = ok"),
        (Who::Root, read, "getdents = ENOENT"),
    ]);
}

#[test]
fn a_directory_that_was_read_to_its_end_is_where_its_format_says() {
    for (format, answer) in [(Format::TMPFS, "EISDIR"), (Format::EXT4, "EINVAL")] {
        let answer = format!("read = {answer}");
        let root = |(call, label)| (Who::Root, call, label);
        let story = [
            (mkdir("d"), "mkdir(d) = ok"),
            (open(0, "d", OFlags::DIRECTORY), "open(d, directory) = ok"),
            (Call::Read(0, 1), "read = EISDIR"),
            (Call::Getdents(0), "getdents = the end"),
            (Call::Read(0, 1), &answer),
            (Call::Pread(0, 1, 0), "pread(at 0) = EISDIR"),
            (Call::Lseek(0, SeekFrom::Start(0)), "lseek(0) = 0"),
            (Call::Read(0, 1), "read = EISDIR"),
        ]
        .map(root);
        let settings = Settings::read();
        Told { format: Some(format), ..told(&story, settings.protections) }.assert();
    }
}

#[test]
fn a_pipe_is_anybodys_to_make_and_a_device_roots_but_for_the_one_that_stands_for_nothing() {
    let mknod = |name: &'static str, kind, device| Call::Mknod(name.into(), kind, 0o666, device);
    let device = FileType::CharacterDevice;
    assert_users_story(&[
        (Who::Root, Call::Chmod(".".into(), 0o777), "chmod(., 0777) = ok"),
        (Who::Alice, mknod("p", FileType::Fifo, 7), "mknod(p, pipe) = ok"),
        (Who::Alice, Call::Stat("p".into(), AtFlags::empty()), "stat(p) = pipe 0644"),
        (Who::Alice, mknod("p", FileType::Socket, 0), "mknod(p, socket) = EEXIST"),
        (Who::Alice, mknod("s", FileType::Socket, 0), "mknod(s, socket) = ok"),
        (Who::Alice, mknod("c", device, 259), "mknod(c, character device) = EPERM"),
        (Who::Alice, mknod("c", device, 0), "mknod(c, character device) = ok"),
        (Who::Root, mknod("d", FileType::Directory, 0), "mknod(d, directory) = EPERM"),
        (Who::Root, mknod("no/d", FileType::Directory, 0), "mknod(no/d, directory) = EPERM"),
        (Who::Root, mknod("l", FileType::Symlink, 0), "mknod(l, link) = EINVAL"),
        (Who::Root, mknod("a/", FileType::RegularFile, 0), "mknod(a/, file) = ENOENT"),
        (Who::Root, mknod("a", FileType::RegularFile, 0), "mknod(a, file) = ok"),
        // A socket is not opened, and a pipe as a path.
        (Who::Bob, open(0, "s", OFlags::RDWR), "open(s) = EACCES"),
        (Who::Root, open(0, "s", OFlags::RDWR), "open(s) = ENXIO"),
        (Who::Root, open(0, "p", OFlags::PATH), "open(p) = ok"),
        (Who::Root, Call::LinkFile(0, "q".into()), "link(the open file → q) = ok"),
        (Who::Root, open(1, ".", OFlags::DIRECTORY), "open(., directory) = ok"),
        (Who::Root, Call::Getdents(1), "getdents = a c p q s"),
    ]);
}

/// The law by which the simulation says what may be answered, in a directory that takes many calls.
/// What is gone may be answered: ext4 keeps the name that did not fit into the last answer.
#[test]
fn a_name_that_stays_is_answered_once_by_the_kernel_too_whatever_comes_and_goes() {
    const STAY: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let read = |world: &OsFs| -> Result<(), Errno> {
        let mut world = world;
        for name in STAY.into_iter().chain(["x", "y", "z"]) {
            world.open(name, CREATE, Mode::RWXU)?;
        }
        let directory = world.open(".", OFlags::DIRECTORY, Mode::empty())?;
        let mut seen = BTreeMap::<String, usize>::new();
        for round in 0.. {
            // Two names, and some of alignment.
            let mut buffer = [MaybeUninit::uninit(); 56];
            let mut batch = RawDir::new(&directory, &mut buffer);
            let mut is_end = true;
            while let Some(entry) = batch.next() {
                is_end = false;
                let name = entry?.file_name().to_string_lossy().into_owned();
                *seen.entry(name).or_default() += 1;
                if batch.is_buffer_empty() {
                    break;
                }
            }
            if is_end {
                break;
            }
            match round {
                0 => world.unlink("x")?,
                1 => world.rename("y", "y2")?,
                2 => world.rename("z", "h2").and_then(|()| world.unlink("h2"))?,
                _ if round < 20 => drop(world.open(&*format!("n{round}"), CREATE, Mode::RWXU)?),
                _ => {}
            }
        }
        assert!(STAY.iter().all(|name| seen.get(*name) == Some(&1)), "{seen:?}");
        assert!(seen.values().all(|times| *times == 1), "{seen:?}");
        Ok(())
    };
    for parent in [memory(), env::temp_dir()] {
        let arena = Arena::new(&parent).expect("a directory to try it in");
        let answer = arena.with(Profile::Tame, read).expect("a directory to try it in");
        assert_eq!(answer, Ok(()), "in {}", parent.display());
    }
}
