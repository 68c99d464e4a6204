//! Where sequences are performed on the kernel: an empty directory each, as whom, in which root
//! directory, under which settings.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::{env, fs, io, thread};

use rustix::fs::Gid;
use rustix::thread::UnshareFlags;
use tempfile::TempDir;
use toctou::fs::{Errno, FileSystem, Format, Mode, OFlags, OsFs, Protections, User, Users};

use super::ops::Cast;

/// What symbolic links say in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Names below the link's directory. Everybody may give an open file a name.
    Tame,
    /// Anything: absolute paths, `..`. Performed in a root directory of its own, as root only. There
    /// is no `/proc` in it, by way of which users give an open file a name: root alone does. Writes are
    /// short.
    Wild,
}

impl Profile {
    /// How many bytes one `write` takes at most, if not all.
    pub(crate) fn write_limit(self) -> Option<NonZeroUsize> {
        match self {
            Profile::Tame => None,
            Profile::Wild => NonZeroUsize::new(3),
        }
    }
}

/// An arena's worker thread: alone with its umask and root directory, if the system lets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Apart {
    pub(crate) cast: Cast,
    /// Whether the thread can have a root directory of its own.
    pub(crate) rooted: bool,
}

/// Runs `work` on a thread with a umask and a root directory of its own.
pub(crate) fn apart<T: Send>(work: impl FnOnce(Apart) -> T + Send) -> T {
    // For threads that cannot be apart.
    static UMASK: Once = Once::new();
    UMASK.call_once(|| {
        rustix::process::umask(Mode::from_raw_mode(0o022));
    });
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            // SAFETY: only the table of descriptors must not be parted from other threads', and is
            // not.
            let alone = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }.is_ok();
            work(Apart { cast: cast(alone), rooted: alone && rustix::process::chroot("/").is_ok() })
        });
        worker.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Several users, if this one is root.
fn cast(umask: bool) -> Cast {
    static TOLD: Once = Once::new();
    let me = User::current();
    let numbered = |uid, gid| User { gid: Gid::from_raw(gid), ..User::numbered(uid) };
    let [alice, bob, carol] =
        [numbered(61001, 61001), numbered(61002, 61002), numbered(61003, 61001)];
    if me.is_root() && can_become(me, alice) {
        let [dave, staff] = [numbered(61004, 0), numbered(0, 61001)];
        let erin = numbered(61005, 61005).with_groups([alice.gid, bob.gid]);
        return Cast { users: [me, alice, bob, carol, dave, staff, erin], umask };
    }
    TOLD.call_once(|| eprintln!("not root: everything is done by the one user, links stay below"));
    Cast { users: [me; 7], umask }
}

fn can_become(me: User, other: User) -> bool {
    OsFs::open("/").is_ok_and(|world| {
        let became = (&world).act_as(other).is_ok();
        became && (&world).act_as(me).is_ok()
    })
}

/// A directory in which sequences are performed, one after the other.
pub(crate) struct Arena {
    folder: TempDir,
    used: AtomicUsize,
    /// The root directory to come back to.
    outside: OwnedFd,
}

impl Arena {
    pub(crate) fn new(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("toctou-conformance-").tempdir_in(parent)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let outside = rustix::fs::open("/", flags, Mode::empty())?;
        Ok(Arena { folder, used: AtomicUsize::new(0), outside })
    }

    /// Runs `body` in a world that is empty, mode 0700, and cleans up.
    pub(crate) fn with<T>(&self, profile: Profile, body: impl FnOnce(&OsFs) -> T) -> io::Result<T> {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        let root = self.folder.path().join(number.to_string());
        rustix::fs::mkdir(&root, Mode::RWXU)?;
        let world = OsFs::open(&root)?.with_short_writes(profile.write_limit());
        let result = match profile {
            Profile::Tame => body(&world),
            Profile::Wild => {
                rustix::process::fchdir(&world)?;
                rustix::process::chroot(".")?;
                let result = body(&world);
                rustix::process::fchdir(&self.outside)?;
                rustix::process::chroot(".")?;
                result
            }
        };
        // Its owner may have lost the right to look into it.
        remove_all(&root)?;
        Ok(result)
    }
}

/// Removes a directory and all in it, whatever the modes.
fn remove_all(root: &Path) -> io::Result<()> {
    if fs::remove_dir_all(root).is_ok() {
        return Ok(());
    }
    open_up(root)?;
    fs::remove_dir_all(root)
}

fn open_up(directory: &Path) -> io::Result<()> {
    rustix::fs::chmod(directory, Mode::RWXU)?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// What the file system of this directory does where formats differ: found out by trying.
pub(crate) fn format(parent: &Path) -> Format {
    let tried = || -> Result<Format, Errno> {
        let folder = tempfile::tempdir_in(parent).map_err(|_| Errno::IO)?;
        let world = OsFs::open(folder.path())?;
        let mut world = &world;
        world.mkdir("d", Mode::RWXU)?;
        let removed = world.open("d", OFlags::DIRECTORY, Mode::empty())?;
        let mut read = world.open("d", OFlags::DIRECTORY, Mode::empty())?;
        world.getdents(&mut read)?;
        let directories_end_last = match world.read(&mut read, &mut [0]) {
            Err(Errno::INVAL) => true,
            Err(Errno::ISDIR) => false,
            other => return Err(other.err().unwrap_or(Errno::IO)),
        };
        world.rmdir("d")?;
        let flags = OFlags::TMPFILE | OFlags::RDWR;
        let unnamed_in_removed = match world.open((&removed, "."), flags, Mode::RWXU) {
            Ok(_) => true,
            Err(Errno::PERM) => false,
            Err(errno) => return Err(errno),
        };
        Ok(Format { unnamed_in_removed, directories_end_last })
    };
    tried().unwrap_or_else(|errno| {
        panic!("{} is of no format that is simulated: {errno}", parent.display())
    })
}

/// Where a memory file system usually is, or the temporary directory.
pub(crate) fn memory() -> PathBuf {
    let shared_memory = Path::new("/dev/shm");
    match tempfile::tempdir_in(shared_memory) {
        Ok(_) => shared_memory.to_path_buf(),
        Err(_) => env::temp_dir(),
    }
}

/// Whoever relies on the settings reads; whoever changes them writes.
static SETTINGS: RwLock<()> = RwLock::new(());

/// The kernel's settings, which stay so while this lives.
pub(crate) struct Settings<'l> {
    pub(crate) protections: Protections,
    _unchanged: RwLockReadGuard<'l, ()>,
}

impl Settings<'_> {
    pub(crate) fn read() -> Self {
        let unchanged = SETTINGS.read().unwrap_or_else(PoisonError::into_inner);
        Settings { protections: OsFs::protections(), _unchanged: unchanged }
    }
}

/// Each setting's file, in the order of [`Changed::set`]'s values.
const FILES: [&str; 3] = [
    "/proc/sys/fs/protected_symlinks",
    "/proc/sys/fs/protected_regular",
    "/proc/sys/fs/protected_hardlinks",
];

/// The right to change the kernel's settings, which it puts back in the end.
pub(crate) struct Changed<'l> {
    before: [String; 3],
    _alone: RwLockWriteGuard<'l, ()>,
}

impl Changed<'_> {
    /// `None` unless the environment allows it (`TOCTOU_CONFORMANCE_SYSCTLS=1`).
    pub(crate) fn allowed() -> io::Result<Option<Self>> {
        if env::var_os("TOCTOU_CONFORMANCE_SYSCTLS").is_none_or(|value| value != "1") {
            return Ok(None);
        }
        let alone = SETTINGS.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = [const { String::new() }; 3];
        for (text, file) in before.iter_mut().zip(FILES) {
            *text = fs::read_to_string(file)?;
        }
        Ok(Some(Changed { before, _alone: alone }))
    }

    /// `protected_symlinks`, `protected_regular` and `protected_hardlinks`.
    pub(crate) fn set(&mut self, values: [u8; 3]) -> io::Result<Protections> {
        for (file, value) in FILES.iter().zip(values) {
            fs::write(file, value.to_string())?;
        }
        Ok(OsFs::protections())
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        for (file, value) in FILES.iter().zip(&self.before) {
            if let Err(error) = fs::write(file, value) {
                eprintln!("{file} is not put back to {}: {error}", value.trim());
            }
        }
    }
}
