//! Fourth floor, `replay`: schedules on the kernel's file system. Imports [`fs`](crate::fs), the
//! schedules of [`check`](crate::check) and its neighbours in `replay`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    Remains, ReplayError, Replayed, Threads, one_after_the_other, take_step, told,
    while_as_simulated,
};
use crate::Process;
use crate::check::{Schedule, System, Trace, TraceStep, Value};
use crate::fs::{
    Access, AtFlags, Errno, FileSystem, Node, OsFs, Recorded, SimFs, Time, Timespec, Timestamps,
    Tree, Uid, User, Users, errno_name,
};

/// A system on the kernel's file system, before its first step.
pub struct Furnished<Q> {
    furnish: Box<Furnish>,
    pub(super) actors: Box<dyn Fn(usize) -> Vec<Q> + Send + Sync>,
    adjust: Box<dyn Fn(usize, OsFs) -> OsFs + Send + Sync>,
    require: Box<dyn Fn(usize) -> Result<(), String> + Send + Sync>,
    several_users: bool,
}

/// Given also where its directory is.
type Furnish = dyn Fn(usize, &OsFs, &Path) -> Result<(), ReplayError> + Send + Sync;

impl<Q> Furnished<Q> {
    /// The worlds are the starts of a simulated system, as [`put_on_disk`] makes them. `actors` are
    /// the processes of a start, in the order of the system's, with no file open.
    pub fn like<P: Process<SimFs, Output: Value> + Value>(
        system: &System<SimFs, P>,
        actors: impl Fn(usize) -> Vec<Q> + Send + Sync + 'static,
    ) -> Self {
        let worlds: Vec<SimFs> = system.starts().iter().map(|start| start.world.clone()).collect();
        let clocks: Vec<_> = worlds.iter().map(SimFs::clock_of_sleeps).collect();
        let furnished = Self::by(
            move |start, _, directory| match worlds.get(start) {
                Some(world) => put_on_disk(world, directory),
                None => Err(ReplayError::Furnish(Errno::INVAL)),
            },
            actors,
        );
        furnished.adjusted(move |start, fs| match clocks.get(start).copied().flatten() {
            Some(shows) => fs.with_clock(shows),
            None => fs,
        })
    }

    /// `furnish` turns an empty directory into the initial world. `actors` makes the processes, in
    /// the order of the simulated system's.
    pub fn new(
        furnish: impl Fn(&OsFs) -> Result<(), Errno> + Send + Sync + 'static,
        actors: impl Fn() -> Vec<Q> + Send + Sync + 'static,
    ) -> Self {
        Self::family(move |_, fs| furnish(fs), move |_| actors())
    }

    /// The same for a system that may begin in several ways. Both functions get the index of the
    /// start.
    pub fn family(
        furnish: impl Fn(usize, &OsFs) -> Result<(), Errno> + Send + Sync + 'static,
        actors: impl Fn(usize) -> Vec<Q> + Send + Sync + 'static,
    ) -> Self {
        Self::by(move |start, fs, _| furnish(start, fs).map_err(ReplayError::Furnish), actors)
    }

    fn by(
        furnish: impl Fn(usize, &OsFs, &Path) -> Result<(), ReplayError> + Send + Sync + 'static,
        actors: impl Fn(usize) -> Vec<Q> + Send + Sync + 'static,
    ) -> Self {
        Furnished {
            furnish: Box::new(furnish),
            actors: Box::new(actors),
            adjust: Box::new(|_, fs| fs),
            require: Box::new(|_| Ok(())),
            several_users: false,
        }
    }

    /// Adjusts the world after it is furnished: makes its writes short, say.
    pub fn adjusted(self, adjust: impl Fn(usize, OsFs) -> OsFs + Send + Sync + 'static) -> Self {
        Furnished { adjust: Box::new(adjust), ..self }
    }

    /// Sets a condition without which the kernel does not do as the simulation says. `require`
    /// returns an error with the reason if the condition is not met here.
    pub fn requiring(
        self,
        require: impl Fn(usize) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Furnished { require: Box::new(require), ..self }
    }

    /// For processes that act [as](crate::fs::As) users of their own. Each thread gets a umask of
    /// its own, so that replays can run concurrently.
    pub fn by_several_users(self) -> Self {
        Furnished { several_users: true, ..self }
    }

    /// A fresh temporary directory, furnished.
    pub(super) fn world(&self, start: usize) -> Result<(tempfile::TempDir, OsFs), ReplayError> {
        let directory = temporary_directory()?;
        let fs = self.furnished(start, directory.path())?;
        Ok((directory, fs.telling_apart()))
    }

    pub(super) fn furnished(&self, start: usize, directory: &Path) -> Result<OsFs, ReplayError> {
        (self.require)(start).map_err(ReplayError::NotHere)?;
        let fs = OsFs::open(directory).map_err(ReplayError::furnish)?;
        (self.furnish)(start, &fs, directory)?;
        Ok((self.adjust)(start, fs))
    }

    /// Makes the calling thread ready to act.
    fn enter(&self) -> Result<(), ReplayError> {
        if !self.several_users {
            return Ok(());
        }
        OsFs::unshare_umask().map_err(|errno| {
            let errno = errno_name(errno);
            ReplayError::NotHere(format!("a thread cannot have a umask of its own here ({errno})"))
        })
    }
}

/// Fills an empty directory with the files, directories and links of a simulated world: their
/// content, modes, owners and groups. Files that root owns there belong to the user of this process
/// here.
///
/// # Errors
///
/// [`ReplayError::NotHere`] if another user owns something and this process may not give it away.
/// [`ReplayError::Furnish`] for any other error of the kernel.
pub fn put_on_disk(world: &SimFs, directory: &Path) -> Result<(), ReplayError> {
    let (tree, mut modes) = (world.tree(), Vec::new());
    let mut linked: Vec<(usize, PathBuf)> = Vec::new();
    for (path, node) in tree.iter() {
        let place = directory.join(path);
        let number = world.named(path).map(|inode| inode.number());
        let known = linked.iter().find(|(known, _)| Some(*known) == number);
        if let Some((_, first)) = known {
            std::fs::hard_link(first, &place).map_err(furnish)?;
            continue;
        }
        match node {
            Node::Directory { .. } if path == Path::new(".") => {}
            Node::Directory { .. } => std::fs::create_dir(&place).map_err(furnish)?,
            Node::File { bytes, .. } => std::fs::write(&place, bytes).map_err(furnish)?,
            Node::Symlink { target, .. } => {
                std::os::unix::fs::symlink(target, &place).map_err(furnish)?;
            }
            Node::Special { kind, mode, .. } => {
                let disk = OsFs::open(directory).map_err(ReplayError::Furnish)?;
                let made = (&disk).mknod(path, kind.file_type(), *mode, 0);
                made.map_err(ReplayError::Furnish)?;
            }
        }
        give_away(world, path, &place)?;
        if let Node::Directory { mode, .. } | Node::File { mode, .. } | Node::Special { mode, .. } =
            node
        {
            modes.push((place.clone(), *mode));
        }
        linked.extend(number.map(|number| (number, place)));
    }
    old(world, &tree, directory)?;
    // Last, and what is inside first: who is not root could not get in any more.
    for (place, mode) in modes.into_iter().rev() {
        let mode = Permissions::from_mode(mode.as_raw_mode());
        std::fs::set_permissions(place, mode).map_err(furnish)?;
    }
    Ok(())
}

/// Makes what is old in a world with a clock as old on disk. What is as old as the clock is new. Where sleeps
/// move the clock on, the times are those of the world.
fn old(world: &SimFs, tree: &Tree, directory: &Path) -> Result<(), ReplayError> {
    let mut looked_at = world.clone();
    let mut modified = |path: &Path| {
        looked_at.stat(path, AtFlags::SYMLINK_NOFOLLOW).ok().and_then(|status| status.modified)
    };
    let is_of_sleeps = world.clock_of_sleeps().is_some();
    let newest = tree.iter().filter_map(|(path, _)| modified(path)).max_by_key(|it| it.seconds);
    let Some(newest) = newest else { return Ok(()) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
    for (path, _) in tree.iter() {
        let is_old = |time: &Time| is_of_sleeps || time.seconds < newest.seconds;
        let Some(time) = modified(path).filter(is_old) else { continue };
        let then = match is_of_sleeps {
            true => Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() },
            false => Timespec { tv_sec: now - (newest.seconds - time.seconds), tv_nsec: 0 },
        };
        let times = Timestamps { last_access: then, last_modification: then };
        let place = directory.join(path);
        rustix::fs::utimensat(rustix::fs::CWD, place, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(ReplayError::Furnish)?;
    }
    Ok(())
}

/// Hands something over to whom it belongs in the simulated world.
fn give_away(world: &SimFs, path: &Path, place: &Path) -> Result<(), ReplayError> {
    let mut looked_at = world.clone();
    let asked = looked_at.act_as(User::ROOT).map_err(ReplayError::Furnish);
    let status = asked.and_then(|_| {
        looked_at.stat(path, AtFlags::SYMLINK_NOFOLLOW).map_err(ReplayError::Furnish)
    })?;
    let me = User::current();
    if status.uid == Uid::ROOT || status.uid == me.uid {
        return Ok(());
    }
    let (uid, gid) = (status.uid.as_raw(), status.gid.as_raw());
    std::os::unix::fs::lchown(place, Some(uid), Some(gid)).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            ReplayError::NotHere(format!("only root can give `{}` to user {uid}", path.display()))
        }
        _ => furnish(error),
    })
}

fn furnish(error: std::io::Error) -> ReplayError {
    ReplayError::Furnish(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// A fresh temporary directory, its owner's alone.
pub(super) fn temporary_directory() -> Result<tempfile::TempDir, ReplayError> {
    let place = place();
    tempfile::Builder::new()
        .prefix("toctou-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(&place)
        .map_err(|error| ReplayError::Directory(place.into(), error))
}

/// Where to make it: in memory, where a file system there is (an `fsync` on a disk takes longer
/// than all the rest of a replay), unless `TMPDIR` says otherwise.
pub(crate) fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let is_usable = || rustix::fs::access(memory, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    if std::env::var_os("TMPDIR").is_none() && is_usable() {
        return memory.to_owned();
    }
    std::env::temp_dir()
}

/// Replays `schedule` in a fresh temporary directory, step by step as long as it goes as
/// `simulated`.
pub fn replay<Q, T>(
    simulated: &Trace,
    furnished: &Furnished<Q>,
    schedule: &Schedule,
    threads: Threads,
) -> Result<Replayed, ReplayError>
where
    Q: for<'a> Process<Recorded<&'a OsFs>, Output = T> + Send,
    T: std::fmt::Debug + Send,
{
    let ((directory, fs), steps) = if furnished.several_users {
        thread::scope(|scope| {
            let apart = scope.spawn(|| {
                furnished.enter()?;
                performed(simulated, furnished, schedule, threads)
            });
            apart.join().map_err(|_| ReplayError::Panicked(0))?
        })?
    } else {
        performed(simulated, furnished, schedule, threads)?
    };
    let trace = told(simulated, steps);
    let tree = fs.tree().map_err(ReplayError::Tree)?;
    drop(directory);
    Ok(Replayed { trace, remains: Remains::Files(tree) })
}

type Performed = ((tempfile::TempDir, OsFs), Vec<TraceStep>);

/// Furnishes a world and performs the schedule in it.
fn performed<Q, T>(
    simulated: &Trace,
    furnished: &Furnished<Q>,
    schedule: &Schedule,
    threads: Threads,
) -> Result<Performed, ReplayError>
where
    Q: for<'a> Process<Recorded<&'a OsFs>, Output = T> + Send,
    T: std::fmt::Debug + Send,
{
    let world = furnished.world(schedule.start)?;
    let actors = (furnished.actors)(schedule.start);
    let steps = match threads {
        Threads::OneEach => on_threads(furnished, &world.1, actors, simulated, schedule)?,
        Threads::One => {
            let fs = &mut Recorded::new(&world.1);
            one_after_the_other(fs, actors, simulated, schedule, &mut |_| {})?
        }
    };
    Ok((world, steps))
}

/// What gives a thread its turns, each with the way to go, and what it tells of each.
type Turns = (Sender<usize>, Receiver<Option<TraceStep>>);

fn on_threads<Q, T>(
    furnished: &Furnished<Q>,
    fs: &OsFs,
    actors: Vec<Q>,
    simulated: &Trace,
    schedule: &Schedule,
) -> Result<Vec<TraceStep>, ReplayError>
where
    Q: for<'a> Process<Recorded<&'a OsFs>, Output = T> + Send,
    T: std::fmt::Debug + Send,
{
    thread::scope(|scope| {
        let (turns, running): (Vec<Turns>, Vec<_>) = actors
            .into_iter()
            .enumerate()
            .map(|(actor, process)| {
                let (go, turn) = channel();
                let (tell, told) = channel();
                let thread = scope.spawn(move || {
                    // The thread that furnished the world could enter; a new one can.
                    let entered = furnished.enter();
                    let mut process = entered.is_ok().then_some(process);
                    for way in turn {
                        let step = process
                            .take()
                            .map(|now| take_step(&mut Recorded::new(fs), (actor, way), now));
                        let step = step.map(|(step, left)| {
                            process = left;
                            step
                        });
                        if tell.send(step).is_err() {
                            return;
                        }
                    }
                });
                ((go, told), thread)
            })
            .unzip();
        let steps = while_as_simulated(simulated, schedule, |position, actor| {
            let gone = || ReplayError::Actor { position, actor };
            let (go, told) = turns.get(actor).ok_or_else(gone)?;
            // A thread that is gone has panicked: it waits for its turn until there are no more.
            go.send(schedule.way(position - 1)).map_err(|_| ReplayError::Panicked(actor))?;
            let step = told.recv().map_err(|_| ReplayError::Panicked(actor))?;
            step.ok_or_else(gone)
        });
        drop(turns);
        for thread in running {
            // A panic is told of by now; one that nobody joins, the scope would pass on.
            let _ = thread.join();
        }
        steps
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;

    /// Panics.
    #[derive(Clone, Debug)]
    struct Panicking;

    impl<F> Process<F> for Panicking {
        type Output = ();

        fn step(self, _: &mut F) -> Step<Self, ()> {
            panic!("as it is to");
        }
    }

    #[test]
    fn an_actor_that_panics_is_an_error_that_names_it() {
        let simulated = Trace {
            start: None,
            actors: ["first", "second"].map(str::to_owned).to_vec(),
            steps: Vec::new(),
            unfinished: Vec::new(),
            end: None,
            lost: Vec::new(),
        };
        let furnished = Furnished::new(|_| Ok(()), || vec![Panicking, Panicking]);
        let schedule = Schedule::from_start(0, vec![1]);
        let replayed = replay(&simulated, &furnished, &schedule, Threads::OneEach);
        assert!(matches!(replayed, Err(ReplayError::Panicked(1))), "{replayed:?}");
    }
}
