//! Fourth floor, `case`: cases whose world is a file system. Imports [`check`](crate::check),
//! [`replay`](crate::replay), [`fs`](crate::fs).

use super::tally::Tally;
use super::{CaseError, CaseOn, Comparison, RealWorld, Stress};
use crate::Process;
use crate::check::{PlayError, Schedule, System, Trace, Value};
use crate::fs::{Errno, FileSystem, Node, OFlags, OsFs, Recorded, SimFs, Tree, Uid, User};
use crate::replay::{Furnished, Place, Remains, ReplayError, Replayed, Threads, replay, stress};

/// A case whose world is a file system: `P` are its processes in the simulation, `Q` the same ones
/// on the kernel.
pub type FsCase<P, Q> = CaseOn<SimFs, P, OnKernel<P, Q>>;

/// The same system on the kernel's file system.
pub struct OnKernel<P: Process<SimFs>, Q> {
    kernel: Furnished<Q>,
    /// What to replay where the system itself cannot be.
    stand_in: Option<StandIn<P, Q>>,
    judges_free_runs: bool,
}

/// The same system with fewer users: all that somebody who is not root can be.
struct StandIn<P: Process<SimFs>, Q> {
    system: System<SimFs, P>,
    kernel: Furnished<Q>,
    why: &'static str,
}

impl<P: Process<SimFs, Output: Value> + Value, Q> FsCase<P, Q> {
    /// A simulated system and the same one on the kernel.
    pub fn new(system: System<SimFs, P>, kernel: Furnished<Q>) -> Self {
        Self::on_real(system, OnKernel { kernel, stand_in: None, judges_free_runs: true })
    }

    /// Replays this instead, for that reason. It has the same starts and actors.
    pub fn standing_in(
        mut self,
        system: System<SimFs, P>,
        kernel: Furnished<Q>,
        why: &'static str,
    ) -> Self {
        self.real.stand_in = Some(StandIn { system, kernel, why });
        self
    }

    /// Its properties ask for more than what is left on disk in the end can tell.
    pub fn without_free_runs(mut self) -> Self {
        self.real.judges_free_runs = false;
        self
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
        let schedule = match (system.completed(schedule), but) {
            (Ok(schedule), _) => schedule,
            // A schedule of the system that is none of its stand-in.
            (Err(PlayError::Ended { .. }), Some(why)) => {
                return Err(ReplayError::NotHere(why.to_owned()).into());
            }
            (Err(error), _) => return Err(error.into()),
        };
        let played = system.play(&schedule)?;
        // What is root's in the simulation is, here, whoever's this process is.
        let tree = played.world.tree().handed_over(Uid::ROOT, User::current().uid);
        let simulated = Replayed { trace: played.trace, remains: Remains::Files(tree) };
        let Trace { start, actors, .. } = &simulated.trace;
        let real = replay(start.as_deref(), actors, kernel, &schedule, threads)?;
        Ok(Comparison { place: Place::Kernel, schedule, simulated, real, but })
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
            Node::Other => {}
        }
    }
    Ok(world)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;
    use crate::case::Case;
    use crate::check::Start;
    use crate::fs::{Mode, recorded_step};
    use std::path::Path;

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

    /// What the simulation and the kernel tell of opening these, where the kernel's world begins so.
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
}
