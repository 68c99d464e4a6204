//! Fourth floor, `case`: cases whose world is a file system. Imports [`check`](crate::check),
//! [`replay`](crate::replay), [`fs`](crate::fs).

use std::time::Duration;

use super::tally::Tally;
use super::{CaseError, CaseOn, Comparison, RealWorld, Stress, actors_by_start, compared, run_on};
use crate::Process;
use crate::check::{PlayError, Schedule, System, Value};
use crate::direct::{Code, Files};
use crate::fs::{
    Errno, FileSystem, Node, OFlags, OsFile, OsFs, Recorded, SimFile, SimFs, Tree, Uid, User,
};
use crate::replay::{
    Furnished, Place, Remains, ReplayError, Replayed, Search, Threads, replay, search, stress,
};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::run::{Ended, ProgramCode};

/// A case whose world is a file system. `P` are its processes in the simulation, `Q` the same
/// processes on the kernel.
pub type FsCase<P, Q> = CaseOn<SimFs, P, OnKernel<P, Q>>;

/// The same system on the kernel's file system.
pub struct OnKernel<P: Process<SimFs>, Q> {
    kernel: Furnished<Q>,
    /// What to replay where the system itself cannot be.
    stand_in: Option<StandIn<P, Q>>,
    judges_free_runs: bool,
}

/// The same system with fewer users: what a user who is not root can run.
struct StandIn<P: Process<SimFs>, Q> {
    system: System<SimFs, P>,
    kernel: Furnished<Q>,
    why: &'static str,
}

impl<P: Process<SimFs, Output: Value> + Value, Q> FsCase<P, Q> {
    /// A case of a simulated system and the same system on the kernel.
    pub fn new(system: System<SimFs, P>, kernel: Furnished<Q>) -> Self {
        Self::on_real(system, OnKernel { kernel, stand_in: None, judges_free_runs: true })
    }

    /// A case of a simulated system, with the kernel's directory filled [as the simulation
    /// starts](Furnished::like), so the scene is written once. `actors` are the processes of a
    /// start on the kernel, in the order of the system's actors.
    ///
    /// ```text
    /// FsCase::on_kernel(system, move |_| actors(protocol, clients))
    /// ```
    pub fn on_kernel(
        system: System<SimFs, P>,
        actors: impl Fn(usize) -> Vec<Q> + Send + Sync + 'static,
    ) -> Self {
        let kernel = Furnished::like(&system, actors);
        Self::new(system, kernel)
    }

    /// Sets a stand-in that is replayed instead, for the reason given. It has the same starts and
    /// actors.
    pub fn standing_in(
        mut self,
        system: System<SimFs, P>,
        kernel: Furnished<Q>,
        why: &'static str,
    ) -> Self {
        self.real.stand_in = Some(StandIn { system, kernel, why });
        self
    }

    /// Searches every order of calls on the kernel, for so long: a second way to the outcomes.
    ///
    /// # Errors
    ///
    /// Where a directory of the kernel cannot be filled as the simulation starts.
    pub fn search<T>(&self, limit: Duration) -> Result<Search, CaseError>
    where
        P: Process<SimFs, Output = T>,
        Q: for<'a> Process<&'a OsFs, Output = T>,
        T: Value,
    {
        Ok(search(self.checker.system(), &self.real.kernel, limit)?)
    }

    /// Excludes free runs: the files left at the end do not show whether the properties hold.
    pub fn without_free_runs(mut self) -> Self {
        self.real.judges_free_runs = false;
        self
    }
}

impl<T: Value> FsCase<Code<Files<SimFile>, T>, Code<Files<OsFile>, T>> {
    /// A case of ordinary code: the simulated system, and the same code on the kernel, whose
    /// directory is filled as the simulation starts.
    pub fn direct(system: System<SimFs, Code<Files<SimFile>, T>>) -> Self {
        let actors = actors_by_start(&system, Code::over_files);
        Self::on_kernel(system, actors)
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl FsCase<ProgramCode, Code<Files<OsFile>, Ended>> {
    /// A case of programs: the simulated system, and the same programs, whose calls are passed on to the
    /// kernel. Its directory is filled as the simulation starts.
    pub fn programs(system: System<SimFs, ProgramCode>) -> Self {
        let actors = actors_by_start(&system, ProgramCode::on_kernel);
        Self::on_kernel(system, actors)
    }
}

impl<P, Q, T> RealWorld<SimFs, P> for OnKernel<P, Q>
where
    P: Process<SimFs, Output = T> + Value,
    Q: for<'a> Process<&'a OsFs, Output = T>
        + for<'a> Process<Recorded<&'a OsFs>, Output = T>
        + Send
        + 'static,
    T: Value,
{
    fn place(&self) -> Place {
        Place::Kernel
    }

    /// Files that root owns in the simulation are, here, owned by the user of this process.
    fn remains(&self, world: &SimFs) -> Remains {
        Remains::Files(world.tree().handed_over(Uid::ROOT, User::current().uid))
    }

    fn replay(
        &self,
        system: &System<SimFs, P>,
        schedule: &Schedule,
        threads: Threads,
    ) -> Result<Comparison, CaseError> {
        let (system, kernel) = match &self.stand_in {
            Some(stand_in) => (&stand_in.system, &stand_in.kernel),
            None => (system, &self.kernel),
        };
        let but = self.stand_in.as_ref().map(|stand_in| stand_in.why);
        let (schedule, played) = match (run_on(system, schedule), but) {
            (Ok(run), _) => run,
            // A schedule of the system that is none of its stand-in.
            (Err(PlayError::Ended { .. }), Some(why)) => {
                return Err(ReplayError::NotHere(why.to_owned()).into());
            }
            (Err(error), _) => return Err(error.into()),
        };
        let remains = RealWorld::<SimFs, P>::remains(self, &played.world);
        let simulated = Replayed { trace: played.trace, remains };
        let real = replay(&simulated.trace, kernel, &schedule, threads)?;
        Ok(compared(Place::Kernel, schedule, simulated, real, but))
    }

    fn can_run_free(&self) -> bool {
        self.judges_free_runs
    }

    fn stress(
        &self,
        system: &System<SimFs, P>,
        start: usize,
        rounds: usize,
    ) -> Result<Stress, CaseError> {
        let mut tally = Tally::of_ends(system, &[]);
        stress(&self.kernel, start, rounds, |ended, tree| {
            // A tree that the simulation cannot hold would be a wonder; then nothing is judged.
            let Ok(world) = simulated(tree) else { return };
            tally.judge(&world, ended);
        })?;
        Ok(tally.after(rounds))
    }
}

/// A simulated file system that holds what was found on disk.
fn simulated(tree: &Tree) -> Result<SimFs, Errno> {
    let mut world = SimFs::new();
    for (path, node) in tree.iter() {
        match node {
            Node::Directory { .. } if path.as_os_str() == "." => {}
            Node::Directory { mode, .. } => world.mkdir(path, *mode)?,
            Node::File { mode, bytes, .. } => {
                let mut file = world.open(path, OFlags::CREATE | OFlags::WRONLY, *mode)?;
                world.write(&mut file, bytes)?;
            }
            Node::Symlink { target, .. } => world.symlink(target, path)?,
            Node::Special { kind, mode, .. } => world.mknod(path, kind.file_type(), *mode, 0)?,
        }
    }
    Ok(world)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use super::*;
    use crate::Step;
    use crate::case::{Case, Method};
    use crate::check::{Counted, DEADLOCK_FREE, GraphOptions, Local, Start, Trace};
    use crate::fs::{FlockOperation, Mode, recorded_step};
    use crate::replay::put_on_disk;

    /// Looks whether the marker is there.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Looks;

    impl<F: FileSystem> Process<F> for Looks {
        type Output = bool;

        fn step(self, fs: &mut F) -> Step<Self, bool> {
            let marker = fs.open(Path::new("marker"), OFlags::RDONLY, Mode::empty());
            Step::Done(marker.is_ok())
        }
    }

    fn furnish(start: usize, fs: &mut impl FileSystem) -> Result<(), Errno> {
        if start == 1 {
            fs.open(Path::new("marker"), OFlags::CREATE | OFlags::WRONLY, Mode::RUSR)?;
        }
        Ok(())
    }

    fn with_and_without() -> FsCase<Looks, Looks> {
        let starts = ["no marker", "a marker"].into_iter().enumerate().map(|(start, name)| {
            let mut world = SimFs::new();
            furnish(start, &mut world).unwrap();
            Start { name: name.to_owned(), world, processes: vec![Looks] }
        });
        let system = System::family(&["looks"], starts.collect())
            .described_by(recorded_step)
            .finally("sees-nothing", |state| !state.outputs().any(|seen| *seen));
        let kernel = Furnished::family(|start, mut fs| furnish(start, &mut fs), |_| vec![Looks]);
        FsCase::new(system, kernel)
    }

    /// Opens each of these, removing what it opened before if it goes by the same name.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    enum Opens<File> {
        Open(&'static [&'static str], Option<File>),
        Remove(&'static [&'static str]),
        Stat,
    }

    const FLAGS: OFlags = OFlags::CREATE.union(OFlags::WRONLY);

    impl<F: FileSystem> Process<F> for Opens<F::File> {
        type Output = ();

        fn step(self, fs: &mut F) -> Step<Self, ()> {
            match self {
                Opens::Open([first, rest @ ..], _) => {
                    let file = fs.open(*first, FLAGS, Mode::RUSR).ok();
                    let again = rest.first() == Some(first);
                    Step::Next(if again { Opens::Remove(rest) } else { Opens::Open(rest, file) })
                }
                Opens::Remove(rest) => {
                    let _ = fs.unlink(rest[0]);
                    Step::Next(Opens::Open(rest, None))
                }
                Opens::Open([], Some(mut file)) => {
                    let _ = fs.fstat(&mut file);
                    Step::Next(Opens::Stat)
                }
                Opens::Open([], None) | Opens::Stat => Step::Done(()),
            }
        }
    }

    /// What the simulation and the kernel tell of opening these, where the kernel's world begins
    /// so.
    fn opening(
        names: &'static [&'static str],
        furnish: fn(&OsFs) -> Result<(), Errno>,
    ) -> Comparison {
        let system = System::new(SimFs::new()).described_by(recorded_step);
        let system = system.actor("opens", Opens::Open(names, None));
        let kernel = Furnished::new(furnish, move || vec![Opens::Open(names, None)]);
        let schedule = Schedule::from_start(0, vec![0]);
        FsCase::new(system, kernel).replay(&schedule, Threads::OneEach).unwrap()
    }

    fn labels(trace: &Trace) -> Vec<&str> {
        trace.steps.iter().map(|step| step.label.as_str()).collect()
    }

    #[test]
    fn a_name_that_stood_for_two_files_is_told_with_which_it_was() {
        let compared = opening(&["a", "b", "a", "a"], |_| Ok(()));
        assert!(compared.agrees(), "{compared:?}");
        let told = [
            "open(a, create) = file 1",
            "open(b, create) = ok",
            "open(a, create) = file 1",
            "unlink(a) = ok",
            "open(a, create) = file 2",
            "fstat = file 2, 0400",
            "no call",
        ];
        assert_eq!(labels(&compared.real.trace), told);
        assert_eq!(labels(&compared.simulated.trace), told);
    }

    #[test]
    fn a_kernel_that_opens_another_file_than_the_simulation_is_found_out() {
        let same = |fs: &OsFs| {
            let mut fs = fs;
            fs.open("a", FLAGS, Mode::RUSR)?;
            fs.link("a", "b")
        };
        let compared = opening(&["a", "b"], same);
        assert!(!compared.agrees(), "{compared:?}");
        let [ours, theirs] = [&compared.simulated, &compared.real].map(|one| labels(&one.trace));
        assert_eq!(ours[..2], ["open(a, create) = ok", "open(b, create) = file 1"]);
        assert_eq!(theirs[..2], ["open(a, create) = file 1", "open(b, create) = file 1"]);
    }

    #[test]
    fn the_kernel_begins_as_the_schedule_says() {
        let case = with_and_without();
        for (start, name) in case.starts().into_iter().enumerate() {
            let schedule = Schedule::from_start(start, Vec::new());
            let compared = case.replay(&schedule, Threads::OneEach).unwrap();
            assert!(compared.agrees(), "{compared:?}");
            assert_eq!(compared.real.trace.start, Some(name));
            let seen = format!("{:?}", start == 1);
            assert_eq!(compared.real.trace.steps[0].output, Some(seen));
            let broken = case.stress(start, 3).unwrap().violations;
            assert_eq!(broken, [("sees-nothing".to_owned(), 3 * start)]);
        }
        let gone = PlayError::NoSuchStart { start: 2, starts: 2 };
        let schedule = Schedule::from_start(2, Vec::new());
        let replayed = case.replay(&schedule, Threads::One);
        assert!(matches!(replayed, Err(CaseError::Play(error)) if error == gone));
        let stressed = case.stress(2, 1);
        assert!(matches!(stressed, Err(CaseError::Play(error)) if error == gone));
    }

    /// Takes a lock on each of two files and ends, or writes a word and counts the calls that it
    /// takes.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    enum Acts<File> {
        Open(&'static [&'static str], Vec<File>),
        Lock(Vec<File>, usize),
        Create,
        Write(File, usize, usize),
    }

    const WORD: &[u8] = b"KEY";

    impl<F: FileSystem> Process<F> for Acts<F::File> {
        type Output = usize;

        fn step(self, fs: &mut F) -> Step<Self, usize> {
            let open = |fs: &mut F, path: &str, flags| {
                fs.open(path, flags, Mode::RUSR | Mode::WUSR).expect("a file that can be opened")
            };
            match self {
                Acts::Open([], files) => Step::Next(Acts::Lock(files, 0)),
                Acts::Open([path, rest @ ..], mut files) => {
                    files.push(open(fs, path, OFlags::RDONLY));
                    Step::Next(Acts::Open(rest, files))
                }
                Acts::Lock(mut files, held) if held == files.len() => match files.pop() {
                    Some(file) => {
                        fs.close(file);
                        Step::Next(Acts::Lock(files, held - 1))
                    }
                    None => Step::Done(held),
                },
                Acts::Lock(mut files, held) => {
                    match fs.flock(&mut files[held], FlockOperation::LockExclusive) {
                        Ok(()) => Step::Next(Acts::Lock(files, held + 1)),
                        Err(_) => Step::Blocked(Acts::Lock(files, held)),
                    }
                }
                Acts::Create => {
                    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
                    Step::Next(Acts::Write(open(fs, "key", flags), 0, 0))
                }
                Acts::Write(mut file, done, calls) => {
                    let taken = fs.write(&mut file, &WORD[done..]).expect("a write that works");
                    let (done, calls) = (done + taken, calls + 1);
                    let is_whole = done == WORD.len();
                    if is_whole {
                        Step::Done(calls)
                    } else {
                        Step::Next(Acts::Write(file, done, calls))
                    }
                }
            }
        }
    }

    type Acting = FsCase<Acts<SimFile>, Acts<OsFile>>;

    fn locking<File>(orders: [&'static [&'static str]; 2]) -> Vec<Acts<File>> {
        orders.map(|order| Acts::Open(order, Vec::new())).into()
    }

    const CROSSED: [&[&str]; 2] = [&["a", "b"], &["b", "a"]];

    /// Two who lock two files, in orders of their own on the kernel.
    fn two_locks(on_kernel: [&'static [&'static str]; 2]) -> Acting {
        let mode = Mode::RUSR | Mode::WUSR;
        let world = SimFs::new().with_file("a", mode, b"").unwrap();
        let world = world.with_file("b", mode, b"").unwrap();
        let named = ["there", "back"].into_iter().zip(locking(CROSSED));
        let system = System::new(world).described_by(recorded_step);
        let system = named.fold(system, |system, (name, actor)| system.actor(name, actor));
        FsCase::on_kernel(system, move |_| locking(on_kernel))
    }

    fn deadlock(case: &Acting) -> Schedule {
        let report = case.check(&Method::Graph(GraphOptions::default()));
        let found = report.finding(DEADLOCK_FREE).unwrap().verdict.schedule();
        found.unwrap_or_else(|| panic!("a deadlock: {report}")).clone()
    }

    #[test]
    fn a_deadlock_on_the_kernel_is_as_simulated() {
        let case = two_locks(CROSSED);
        let schedule = deadlock(&case);
        for threads in [Threads::One, Threads::OneEach] {
            let compared = case.replay(&schedule, threads).unwrap();
            assert!(compared.agrees(), "{compared:?}");
            let real = compared.real.trace;
            assert!(real.unfinished.iter().all(|left| left.waits), "{real}");
            assert_eq!(real.unfinished.len(), 2);
            assert_eq!(real.to_string().matches(") = would wait").count(), 2);
        }
    }

    #[test]
    fn a_deadlock_that_the_kernel_does_not_have_is_told_at_its_step() {
        let case = two_locks([&["a", "b"], &["a", "b"]]);
        let schedule = deadlock(&two_locks(CROSSED));
        let compared = case.replay(&schedule, Threads::OneEach).unwrap();
        assert!(!compared.agrees());
        let told = crate::report::replay::difference(&compared);
        assert!(
            told.contains("the kernel says `open(a) = file 1`, the simulation `open(b) = ok`"),
            "{told}"
        );
    }

    fn writes(on_kernel: Option<NonZeroUsize>) -> Acting {
        let system = System::new(SimFs::new()).described_by(recorded_step);
        let system = system.clients(2, Acts::Open(&[], Vec::new())).actor("writer", Acts::Create);
        let kernel = Furnished::like(&system, |_| {
            vec![Acts::Open(&[], vec![]), Acts::Open(&[], vec![]), Acts::Create]
        });
        FsCase::new(system, kernel.adjusted(move |_, fs| fs.with_short_writes(on_kernel)))
    }

    #[test]
    fn a_real_step_that_goes_otherwise_is_told_with_both_answers_and_the_replay_stops_there() {
        // In the simulation the writer ends by its second step.
        let schedule = Schedule::of(vec![2, 2, 0, 0, 1, 1]);
        assert!(writes(None).replay(&schedule, Threads::OneEach).unwrap().agrees());
        for threads in [Threads::One, Threads::OneEach] {
            let compared = writes(NonZeroUsize::new(2)).replay(&schedule, threads).unwrap();
            assert!(!compared.agrees());
            assert_eq!(compared.real.trace.steps.len(), 2);
            assert_eq!(
                crate::report::replay::difference(&compared),
                "step 2: the kernel says `write(\"KEY\") = 2`, the simulation `write(\"KEY\") = 3` and \
                 ends with 1; what comes after it was not replayed"
            );
        }
    }

    #[test]
    fn what_only_those_who_still_run_can_break_is_not_judged_by_free_runs() {
        let holds = |local: &Local<Acts<SimFile>, usize>| match local {
            Local::Running(Acts::Write(..)) => Some(()),
            _ => None,
        };
        let system = System::new(SimFs::new())
            .clients(1, Acts::Create)
            .at_most(0, "nobody-writes", holds)
            .finally("nothing-there", |state| state.world().tree().get("key").is_none())
            .always("never-there", |state| state.world().tree().get("key").is_none());
        let stress = FsCase::on_kernel(system, |_| vec![Acts::Create]).stress(0, 5).unwrap();
        assert_eq!(stress.unjudged, ["nobody-writes"]);
        let broken = [("nothing-there".to_owned(), 5), ("never-there".to_owned(), 5)];
        assert_eq!(stress.violations, broken, "what is seen in the end is judged by it");
    }

    #[test]
    fn what_is_left_and_who_counts_is_shown_with_an_execution() {
        let writes = |local: &Local<Acts<SimFile>, usize>| match local {
            Local::Running(Acts::Lock(..)) => Some(()),
            _ => None,
        };
        let system = System::new(SimFs::new())
            .clients(3, Acts::Open(&[], Vec::new()))
            .actor("writer", Acts::Create)
            .at_most(1, "one-locks", writes);
        let case: Acting = FsCase::on_kernel(system, |_| Vec::new());
        let shown = case.show(&Schedule::of(vec![3, 0, 2])).unwrap();
        let counted = Counted { property: "one-locks".to_owned(), actors: vec![0, 2], most: 1 };
        assert_eq!(shown.counted, [counted]);
        let told = crate::report::diagram::coming_to(&shown, case.place(), &["one-locks"]);
        let told = anstream::adapter::strip_str(&told).to_string();
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "  one-locks: client 1, client 3 count, and at most 1 may",
                "what was left on disk by then",
                "      ./ 0700",
                "      key 0600 \"\"",
            ]
        );
        assert!(case.show(&Schedule::of(vec![3, 0])).unwrap().counted.is_empty());
    }

    /// A world with something of everything.
    fn furnished_world(owner: User) -> SimFs {
        let mode = Mode::from_raw_mode;
        let mut world = SimFs::of(owner).with_umask(Mode::empty());
        world = world.with_directory("tmp", mode(0o1777)).unwrap();
        world = world.with_directory("tmp/closed", mode(0o500)).unwrap();
        world = world.with_file("tmp/a", mode(0o640), b"first").unwrap();
        world = world.with_file("empty", mode(0), b"").unwrap();
        world.link("tmp/a", "again").unwrap();
        world.symlink(Path::new("../nowhere"), "tmp/link").unwrap();
        world.link("tmp/link", "tmp/link too").unwrap();
        world.chmod(".", mode(0o755)).unwrap();
        world
    }

    #[test]
    fn a_simulated_world_is_on_disk_what_it_was_told_to_be() {
        let me = User::current();
        let mut owners = vec![me, User::ROOT];
        if me.is_root() {
            owners.push(User::numbered(61_003));
        }
        for owner in owners {
            let world = furnished_world(owner);
            let directory = tempfile::tempdir().unwrap();
            put_on_disk(&world, directory.path()).unwrap();
            let told = |tree: Tree| tree.handed_over(Uid::ROOT, me.uid).to_string();
            let found = OsFs::open(directory.path()).unwrap().tree().unwrap();
            assert_eq!(told(found.clone()), told(world.tree()));
            let other = world.with_file("tmp/more", Mode::RUSR, b"").unwrap();
            assert_ne!(told(found), told(other.tree()), "what is missing is seen");
        }
    }
}
