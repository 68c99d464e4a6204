//! The simulated file system has the kernel's answers: random sequences of operations are performed
//! in both, and each answer and the tree that is left have to be the same. The kernel is the judge.
//!
//! `TOCTOU_CONFORMANCE_CASES` sets how many sequences are tried on the memory file system.

mod ops;
mod surprises;
mod wrong;

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, io, thread};

use ops::{KINDS, Op, Run, World, sequence};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use rustix::fs::Mode;
use tempfile::TempDir;
use toctou::fs::{OsFs, SimFs, errno_name};

/// How many sequences are tried on the memory file system, unless the environment says otherwise.
const CASES: usize = 40_000;
/// How many sequences are tried on the file system of the ordinary temporary directory.
const CASES_ON_DISK: usize = 2_000;

/// How often each kind of operation succeeded, and failed, over a whole run.
#[derive(Default)]
struct Tally([[AtomicUsize; 2]; KINDS.len()]);

impl Tally {
    fn count(&self, op: &Op, succeeded: bool) {
        self.0[op.kind()][usize::from(!succeeded)].fetch_add(1, Ordering::Relaxed);
    }

    /// Asserts that a run of `cases` sequences was no idle one: each kind of operation succeeded
    /// often, and failed often where it can fail.
    fn assert_varied(&self, cases: usize) {
        for (kind, counts) in KINDS.iter().zip(&self.0) {
            let [succeeded, failed] = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
            println!("{kind:12} {succeeded:8} ok {failed:8} failed");
            assert!(succeeded * 40 >= cases, "{kind} succeeded only {succeeded} times");
            let never_fails = matches!(*kind, "fsync" | "close");
            assert!(never_fails || failed * 40 >= cases, "{kind} failed only {failed} times");
        }
    }
}

/// Performs `ops` in both worlds; where they disagree, says how.
fn disagreement<A: World, B: World>(
    simulated: A,
    real: B,
    ops: &[Op],
    tally: &Tally,
) -> Option<String> {
    let (mut simulated, mut real) = (Run::new(simulated), Run::new(real));
    for (index, op) in ops.iter().enumerate() {
        let (ours, theirs) = (simulated.perform(op), real.perform(op));
        if ours != theirs {
            let tell = |answer: Option<Result<ops::Did, _>>| match answer {
                None => "nothing open".to_owned(),
                Some(Ok(did)) => format!("{did:?}"),
                Some(Err(errno)) => errno_name(errno).into_owned(),
            };
            let (ours, theirs) = (tell(ours), tell(theirs));
            return Some(format!("{index}: {op:?}: simulated {ours}, real {theirs}"));
        }
        if let Some(answer) = theirs {
            tally.count(op, answer.is_ok());
        }
    }
    match (simulated.world.tree(), real.world.tree()) {
        (Ok(ours), Ok(theirs)) if ours == theirs => None,
        (Ok(ours), Ok(theirs)) => Some(format!("simulated tree:\n{ours}real tree:\n{theirs}")),
        (ours, theirs) => Some(format!("trees: simulated {ours:?}, real {theirs:?}")),
    }
}

/// A directory of mode 0700 for one sequence after the other.
struct Arena {
    folder: TempDir,
    used: AtomicUsize,
}

impl Arena {
    fn new(parent: &Path) -> io::Result<Self> {
        static UMASK: Once = Once::new();
        UMASK.call_once(|| {
            rustix::process::umask(Mode::from_raw_mode(0o022));
        });
        let folder = tempfile::Builder::new().prefix("toctou-conformance-").tempdir_in(parent)?;
        Ok(Arena { folder, used: AtomicUsize::new(0) })
    }

    /// Runs `body` in a world that is empty, and cleans up.
    fn with<T>(&self, body: impl FnOnce(&OsFs) -> T) -> io::Result<T> {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        let root = self.folder.path().join(number.to_string());
        rustix::fs::mkdir(&root, Mode::RWXU)?;
        let result = body(&OsFs::open(&root)?);
        fs::remove_dir_all(&root)?;
        Ok(result)
    }
}

/// Where a memory file system usually is, or the temporary directory.
fn memory() -> PathBuf {
    let shared_memory = Path::new("/dev/shm");
    match tempfile::tempdir_in(shared_memory) {
        Ok(_) => shared_memory.to_path_buf(),
        Err(_) => env::temp_dir(),
    }
}

/// Tries `cases` random sequences; answers with a shrunk one on which the worlds disagree.
fn search<W: World>(
    cases: usize,
    parent: &Path,
    tally: &Tally,
    simulated: impl Fn() -> W,
) -> io::Result<Result<(), TestError<Vec<Op>>>> {
    let arena = Arena::new(parent)?;
    let config = Config {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    Ok(TestRunner::new(config).run(&sequence(), |ops| {
        let found = arena.with(|world| disagreement(simulated(), world, &ops, tally));
        match found.map_err(|error| TestCaseError::fail(error.to_string()))? {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    }))
}

fn assert_agreement(cases: usize, parent: &Path) {
    let tally = Tally::default();
    let half = |cases| match search(cases, parent, &tally, SimFs::new)
        .expect("a directory to try it in")
    {
        Ok(()) => {}
        Err(failure) => panic!("in {}: {failure}", parent.display()),
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half(cases / 2));
        half(cases - cases / 2);
        other.join().expect("both halves agree");
    });
    if cases >= 1_000 {
        tally.assert_varied(cases);
    }
}

#[test]
fn the_simulation_answers_as_the_kernel_on_a_memory_file_system() {
    let cases = env::var("TOCTOU_CONFORMANCE_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(CASES);
    assert_agreement(cases, &memory());
}

#[test]
fn the_simulation_answers_as_the_kernel_on_the_file_system_of_the_temporary_directory() {
    assert_agreement(CASES_ON_DISK, &env::temp_dir());
}
