//! First floor: each call of a simulated file system is told, and a mistaken one is noticed.

use super::super::super::Recorded;
use super::super::Clock;
use super::super::open::TMPFILE_BIT;
use super::*;
use crate::calls::{Calls, Listen, listened};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use crate::fs::LinuxOpenFlags as _;
use crate::marks::plain;
use rustix::fs::{Timespec, UTIME_NOW, UTIME_OMIT};

const MODE: Mode = Mode::from_bits_retain(0o600);
const CREATE: OFlags = OFlags::CREATE.union(OFlags::RDWR);

fn heard<T>(step: impl FnOnce() -> T) -> (T, Calls) {
    listened(Listen::Tell, step)
}

/// The code and the text of the mistake in this step.
fn mistaken<T>(step: impl FnOnce() -> T) -> Option<(String, String)> {
    heard(step).1.mistake.map(|mistake| (mistake.code, mistake.what))
}

fn world() -> Result<SimFs, Errno> {
    SimFs::new().with_directory("d", Mode::RWXU)?.with_file("d/a", MODE, b"s3cret")
}

/// Every kind of call, one after the other.
fn everything<F: FileSystem>(fs: &mut F, mut told: impl FnMut(&mut F)) -> Result<(), Errno> {
    let mut step = |fs: &mut F| told(fs);
    let mut d = fs.open("d", OFlags::DIRECTORY, Mode::empty())?;
    step(fs);
    let mut a = fs.open((&d, "a"), CREATE, MODE)?;
    step(fs);
    drop(fs.open_within((&d, "a"), OFlags::RDONLY, Mode::empty(), ResolveFlags::BENEATH)?);
    step(fs);
    fs.read(&mut a, &mut [0; 8])?;
    step(fs);
    fs.write(&mut a, b"x")?;
    step(fs);
    fs.fsync(&mut a)?;
    step(fs);
    fs.fdatasync(&mut a)?;
    step(fs);
    fs.pread(&mut a, &mut [0; 8], 1)?;
    step(fs);
    fs.pwrite(&mut a, b"y", 9)?;
    step(fs);
    fs.lseek(&mut a, SeekFrom::End(-2))?;
    step(fs);
    fs.ftruncate(&mut a, 7)?;
    step(fs);
    fs.stat("d/a", AtFlags::empty())?;
    step(fs);
    fs.fstat(&mut d)?;
    step(fs);
    fs.access("d/a", Access::READ_OK, AtFlags::empty())?;
    step(fs);
    fs.chmod("d", Mode::from_bits_retain(0o755))?;
    step(fs);
    fs.chmod_with("d/a", MODE, AtFlags::SYMLINK_NOFOLLOW)?;
    step(fs);
    fs.fchmod(&mut a, MODE)?;
    step(fs);
    let (owner, group) = (Some(Uid::from_raw(7)), Some(Gid::from_raw(8)));
    fs.chown("d/a", owner, None, AtFlags::SYMLINK_NOFOLLOW)?;
    step(fs);
    fs.fchown(&mut a, None, group)?;
    step(fs);
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let then = Timespec { tv_sec: -1, tv_nsec: 50 };
    let times = Timestamps { last_access: now, last_modification: then };
    fs.utimensat("d/a", &times, AtFlags::SYMLINK_NOFOLLOW)?;
    step(fs);
    fs.futimens(&mut a, &Timestamps { last_access: omit, last_modification: now })?;
    step(fs);
    fs.link("d/a", "b")?;
    step(fs);
    fs.link_file(&mut a, (&d, "c"))?;
    step(fs);
    fs.rename("b", "e")?;
    step(fs);
    fs.rename_with("e", (&d, "c"), RenameFlags::EXCHANGE)?;
    step(fs);
    fs.symlink(Path::new("e"), "l")?;
    step(fs);
    fs.readlink("l")?;
    step(fs);
    fs.link_with("l", "m", AtFlags::SYMLINK_FOLLOW)?;
    step(fs);
    fs.mkdir("f", Mode::RWXU)?;
    step(fs);
    fs.rmdir("f")?;
    step(fs);
    fs.mknod("p", FileType::Fifo, MODE, 0)?;
    step(fs);
    fs.unlink("l")?;
    step(fs);
    fs.getdents(&mut d)?;
    step(fs);
    fs.getdents(&mut d)?;
    step(fs);
    fs.flock(&mut a, FlockOperation::LockExclusive)?;
    step(fs);
    fs.fcntl_ofd_setlk(&mut a, FlockOperation::LockShared, ByteRange { start: 3, length: 4 })?;
    step(fs);
    fs.close(a);
    step(fs);
    // What fails is told as well.
    let gone = fs.open("no", OFlags::RDONLY, Mode::empty()).map(drop);
    step(fs);
    if gone == Err(Errno::NOENT) { Ok(()) } else { Err(Errno::NOENT) }
}

#[test]
fn each_call_is_told_once_and_as_a_recorder_tells_it() -> Result<(), Errno> {
    let mut recorded = Vec::new();
    let mut recorder = Recorded::new(world()?.with_clock(Clock::Changes));
    everything(&mut recorder, |recorder| recorded.extend(recorder.take()))?;
    let mut steps = 0;
    let (done, calls) =
        heard(|| everything(&mut world()?.with_clock(Clock::Changes), |_| steps += 1));
    done?;
    let told = calls.told.iter().map(|line| plain(line).into_owned());
    assert_eq!(told.collect::<Vec<_>>(), recorded);
    assert_eq!((calls.count, calls.mistake), (steps, None));
    Ok(())
}

#[test]
fn neither_setting_up_nor_acting_as_somebody_nor_looking_is_a_call() {
    let (told, calls) = heard(|| {
        let mut world = world()?;
        world.act_as(User::numbered(7))?;
        let look = |world: &mut SimFs| world.stat("d/a", AtFlags::empty()).is_ok();
        world.observed(look);
        Recorded::new(world).observed(|world| world.inner_mut().observed(look));
        Ok::<_, Errno>(())
    });
    assert_eq!((told, calls), (Ok(()), Calls::default()));
}

#[test]
fn who_looks_into_the_world_and_acts_in_one_step_has_made_two_calls() {
    let look_and_act = || {
        let mut world = world()?;
        if world.named("b").is_none() {
            world.mkdir("b", Mode::RWXU)?;
        }
        Ok::<_, Errno>(())
    };
    assert_eq!(heard(look_and_act).1.told, ["SimFs::named", "mkdir(b) = ok"]);
    let looks: [fn(&SimFs); 3] = [
        |world| drop(world.tree()),
        |world| drop(world.inodes()),
        |world| drop(world.readable_by(User::ROOT)),
    ];
    for look in looks {
        assert_eq!(heard(|| world().map(|world| look(&world))).1.count, 1);
    }
}

#[test]
fn a_call_that_makes_no_sense_is_a_mistake_that_says_so() -> Result<(), Errno> {
    let mut fs = world()?;
    let mut reading = fs.open("d/a", OFlags::RDONLY, Mode::empty())?;
    let mut writing = fs.open("d/a", OFlags::WRONLY, Mode::empty())?;
    let mut neither = fs.open("d/a", OFlags::RWMODE, Mode::empty())?;
    let mut path = fs.open("d/a", OFlags::PATH, Mode::empty())?;
    let mut foreign = reading.clone();
    foreign.inode = 99;
    let opening = |flags| {
        let mut fs = fs.clone();
        mistaken(move || fs.open("d/a", flags, Mode::empty()).map(drop))
    };
    let within = |flags, mode, resolve| {
        let mut fs = fs.clone();
        mistaken(move || fs.open_within("d/a", flags, mode, resolve).map(drop))
    };
    let none = Mode::empty();
    let leaves = |call: &str| {
        let why = "the path leaves the directory that it starts at";
        Some(("EXDEV".to_owned(), format!("{call}: {why}")))
    };
    let is = |code: &str, what: &str| Some((code.to_owned(), what.to_owned()));
    let cases = [
        (
            opening(OFlags::CREATE | OFlags::DIRECTORY),
            is("EINVAL", "open(d/a, create directory): O_CREAT makes no directory; mkdir does"),
        ),
        (
            opening(OFlags::TMPFILE),
            is("EINVAL", "open(d/a, unnamed): a file without a name has to be opened for writing"),
        ),
        (
            opening(TMPFILE_BIT | OFlags::RDWR),
            is("EINVAL", "open(d/a): O_TMPFILE lacks the O_DIRECTORY that is part of it"),
        ),
        (
            opening(OFlags::from_bits_retain(1 << 30)),
            is(
                "EINVAL",
                "open(d/a): it has a flag that simulations do not keep (O_DIRECT, O_NOATIME, …)",
            ),
        ),
        (
            within(OFlags::RDONLY, MODE, ResolveFlags::empty()),
            is("EINVAL", "open(d/a): there is a mode, and no file to make with it"),
        ),
        (
            within(OFlags::CREATE, Mode::from_bits_retain(0o10000), ResolveFlags::empty()),
            is("EINVAL", "open(d/a, create): the mode has bits that no file has"),
        ),
        (
            within(OFlags::PATH | OFlags::RDWR, none, ResolveFlags::empty()),
            is("EINVAL", "open(d/a): O_PATH goes with O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC only"),
        ),
        (
            within(OFlags::RDONLY, none, ResolveFlags::BENEATH | ResolveFlags::IN_ROOT),
            is(
                "EINVAL",
                "open(d/a, beneath, in root): RESOLVE_BENEATH and RESOLVE_IN_ROOT exclude one another",
            ),
        ),
        (
            mistaken(|| fs.read(&mut writing, &mut [0; 8])),
            is("EBADF", "read: the file is open for writing only"),
        ),
        (
            mistaken(|| fs.write(&mut reading, b"x")),
            is("EBADF", "write(\"x\"): the file is open for reading only"),
        ),
        (
            mistaken(|| fs.flock(&mut neither, FlockOperation::LockShared)),
            is("EBADF", "flock(shared): the file is open neither for reading nor for writing"),
        ),
        (
            mistaken(|| fs.fchmod(&mut path, MODE)),
            is("EBADF", "fchmod(0600): the file is open as a path alone (O_PATH)"),
        ),
        (
            mistaken(|| fs.fsync(&mut foreign)),
            is("EBADF", "fsync: the open file is one of another world"),
        ),
        (
            mistaken(|| fs.stat((&foreign, "a"), AtFlags::empty())),
            is("EBADF", "stat(./a): the open file is one of another world"),
        ),
        (
            mistaken(|| fs.pwrite(&mut reading, b"x", 1)),
            is("EBADF", "pwrite(\"x\", at 1): the file is open for reading only"),
        ),
        (
            mistaken(|| fs.pwrite(&mut writing, b"x", 1 << 40)),
            is("EFBIG", "pwrite(\"x\", at 1099511627776): no simulated file is so large (16 MiB)"),
        ),
        (
            mistaken(|| fs.ftruncate(&mut reading, 1)),
            is("EINVAL", "ftruncate(1): the file is not open for writing"),
        ),
        (
            mistaken(|| fs.lseek(&mut reading, SeekFrom::Start(1 << 63))),
            is(
                "EINVAL",
                "lseek(9223372036854775808): it is about bytes beyond the end of any file (2⁶³)",
            ),
        ),
        (
            mistaken(|| {
                let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
                let times = Timestamps { last_access: now, last_modification: now };
                fs.futimens(&mut reading, &times)
            }),
            is("ENOSYS", "futimens(now, now): the world has no clock (SimFs::with_clock)"),
        ),
        (mistaken(|| fs.unlink("../a")), leaves("unlink(../a)")),
        (mistaken(|| fs.rename("d/a", "/b")), leaves("rename(d/a → /b)")),
        (
            mistaken(|| fs.mkdir("a\0", MODE)),
            is("EINVAL", "mkdir(a\\0): the path has a NUL byte in it"),
        ),
        (
            mistaken(|| fs.rmdir("d/.")),
            is("EINVAL", "rmdir(d/.): a path that ends in `.` names nothing that can be removed"),
        ),
        (
            mistaken(|| fs.stat("d", AtFlags::EMPTY_PATH)),
            is("EINVAL", "stat(d): no flag is understood but AT_SYMLINK_NOFOLLOW"),
        ),
        (
            mistaken(|| fs.access("d", Access::from_bits_retain(8), AtFlags::empty())),
            is("EINVAL", "access(d): it asks for more than to read, to write and to execute"),
        ),
        (
            mistaken(|| {
                let both = RenameFlags::NOREPLACE | RenameFlags::EXCHANGE;
                fs.rename_with("d", "e", both)
            }),
            is(
                "EINVAL",
                "rename(d → e, other flags): no flag is understood but RENAME_NOREPLACE or \
                 RENAME_EXCHANGE, one of them",
            ),
        ),
        (
            mistaken(|| fs.symlink(Path::new("a\0"), "l")),
            is("EINVAL", "symlink(l → a\\0): what the link is to say has a NUL byte in it"),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    Ok(())
}

#[test]
fn what_others_can_bring_about_is_no_mistake() -> Result<(), Errno> {
    let mut fs = world()?;
    fs.symlink(Path::new("/"), "d/l")?;
    let mut here = fs.open("d", OFlags::DIRECTORY, Mode::empty())?;
    let mut file = fs.open("d/a", OFlags::RDONLY, Mode::empty())?;
    let beneath = ResolveFlags::BENEATH;
    let found = mistaken(|| {
        let answers = [
            fs.readlink("d/a").map(drop),
            fs.rename("d", "d/e"),
            fs.open_within((&here, "l"), OFlags::RDONLY, Mode::empty(), beneath).map(drop),
            fs.read(&mut here, &mut [0; 8]).map(drop),
            fs.stat("d/a/b", AtFlags::empty()).map(drop),
            // Where the end is, others decide.
            fs.lseek(&mut file, SeekFrom::End(-9)).map(drop),
        ];
        let [inval, xdev, isdir, notdir] = [Errno::INVAL, Errno::XDEV, Errno::ISDIR, Errno::NOTDIR];
        assert_eq!(answers, [inval, inval, xdev, isdir, notdir, inval].map(Err));
    });
    assert_eq!(found, None);
    Ok(())
}

#[test]
fn a_lock_that_is_dropped_or_given_back_twice_is_a_mistake() -> Result<(), Errno> {
    let mut fs = world()?;
    let mut file = fs.open("d/a", OFlags::RDONLY, Mode::empty())?;
    fs.flock(&mut file, FlockOperation::LockExclusive)?;
    let copy = file.clone();
    let dropped = file.clone();
    let dropped = mistaken(|| drop(dropped)).map(|(code, _)| code);
    assert_eq!(dropped.as_deref(), Some("flock"));
    assert_eq!(mistaken(|| fs.close(file)), None);
    // Somebody else has it by now, and keeps it.
    let mut other = fs.open("d/a", OFlags::RDONLY, Mode::empty())?;
    fs.flock(&mut other, FlockOperation::LockShared)?;
    let what = "close: the file is a copy of one that has let go of the lock meanwhile";
    let twice = mistaken(|| fs.close(copy));
    assert_eq!(twice, Some(("EBADF".to_owned(), what.to_owned())));
    let mut third = fs.open("d/a", OFlags::RDONLY, Mode::empty())?;
    assert_eq!(fs.flock(&mut third, FlockOperation::LockExclusive), Err(Errno::WOULDBLOCK));
    Ok(())
}
