//! Secrets written per second, each safe way beside the naive one, beside tempfile's `persist` and
//! beside the bare system calls written by hand: new files and files replaced, in memory and
//! flushed to a disk, by one thread and by up to 16.
//!
//! In memory nobody flushes: what the variants of `credential` have of `fsync` is left out, as
//! `write_exclusive` leaves it out unless it is to be durable. On the disk everybody flushes the file
//! before it has its name; `write_exclusive` then flushes the directory as well, which none of the
//! others do.
//!
//! The bare calls are those of `write_exclusive`, with the paths ready made as C strings. Only what
//! has to be new for each write (the name of the private directory) is made new. What
//! `write_exclusive` does beyond (take the path apart, build paths, go from one operation to the next) is
//! therefore counted against it in full.

mod crowd;

use std::ffi::{CStr, CString};
use std::fs::{File, Permissions};
use std::hint::black_box;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use rustix::fs::{self as sys, AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;
use toctou::fs::OsFs;
use toctou::models::credential::program_of;
use toctou::writer::{
    Op, Options, Outcome, Plan, WriteError, WriteFault, carry_out, write_exclusive,
};

const SECRET: &[u8] = b"4242 4242 4242 4242";
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);
/// Writes timed in one go: many, so that reading the clock costs nothing; few, so that noise falls
/// on a few.
const BATCH: usize = 64;
/// The same where each waits for a disk.
const DURABLE_BATCH: usize = 4;
const THREADS: [usize; 5] = [1, 2, 4, 8, 16];
/// Writes of each thread in a round.
const EACH: usize = 16;

/// How a secret is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `std::fs::write`, then `set_permissions`.
    Naive,
    /// A variant of `credential`, by the library's function.
    Variant(&'static str),
    /// A `NamedTempFile` and its `persist`, or `persist_noclobber`.
    Persist,
    /// The system calls of `write_exclusive` alone.
    Bare,
    /// `write_exclusive`.
    Exclusive,
}

impl Way {
    /// The first is the naive one.
    const ALL: [Way; 9] = [
        Way::Naive,
        Way::Persist,
        Way::Variant("check-then-write"),
        Way::Variant("lstat-then-create"),
        Way::Variant("temporary-then-rename"),
        Way::Variant("anchored"),
        Way::Variant("link-or-exchange"),
        Way::Bare,
        Way::Exclusive,
    ];
    /// Those that several can go about at once in one place, and nobody is told of an error.
    const SHARED: [Way; 5] = [
        Way::Naive,
        Way::Persist,
        Way::Variant("temporary-then-rename"),
        Way::Bare,
        Way::Exclusive,
    ];

    fn name(self) -> &'static str {
        match self {
            Way::Naive => "naive",
            Way::Variant(name) => name,
            Way::Persist => "persist",
            Way::Bare => "bare calls",
            Way::Exclusive => "write_exclusive",
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
struct Job {
    way: Way,
    replace: bool,
    durable: bool,
    /// A variant's.
    program: &'static [Op],
}

impl Job {
    fn new(way: Way, replace: bool, durable: bool) -> Job {
        let mut program = Vec::new();
        if let Way::Variant(name) = way {
            let published = program_of(name, replace).expect("the model has this variant");
            for op in published.iter().filter(|op| **op != Op::Sync) {
                program.push(*op);
                if durable && *op == Op::Write {
                    program.push(Op::Sync);
                }
            }
        }
        // There are a few dozen of them in all.
        Job { way, replace, durable, program: program.leak() }
    }

    fn all(replace: bool, durable: bool) -> Vec<Job> {
        Way::ALL.map(|way| Job::new(way, replace, durable)).into()
    }
}

/// A directory of secrets, and all that is needed to write them any way.
struct Place {
    folder: tempfile::TempDir,
    world: OsFs,
    /// Where it is from the root directory.
    below_root: CString,
    targets: Vec<Target>,
}

struct Target {
    path: PathBuf,
    name: PathBuf,
    c_name: CString,
}

impl Place {
    /// A place below this directory.
    fn new(parent: &Path, targets: usize) -> Place {
        // Through no link, as `write_exclusive` wants it.
        let parent = parent.canonicalize().expect("it is there");
        let folder = tempfile::tempdir_in(parent).expect("a temporary directory");
        let world = OsFs::open(folder.path()).expect("it was just made");
        let below_root = folder.path().strip_prefix("/").expect("it is absolute");
        let below_root = below_root.as_os_str().as_encoded_bytes();
        let below_root = CString::new(below_root).expect("no NUL in it");
        let targets = (0..targets).map(|number| {
            let name = format!("credential-{number}");
            Target {
                path: folder.path().join(&name),
                c_name: CString::new(name.as_str()).expect("no NUL in it"),
                name: name.into(),
            }
        });
        Place { targets: targets.collect(), folder, world, below_root }
    }

    /// Makes every target as the job is to find it.
    fn prepare(&self, job: &Job) {
        for target in &self.targets {
            match std::fs::remove_file(&target.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
                _ if job.replace => std::fs::write(&target.path, "old").expect("there is room"),
                _ => {}
            }
        }
    }

    /// Writes; whether it is there in the end, which it is unless somebody else replaced it.
    #[inline]
    fn write(&self, job: &Job, number: usize) -> bool {
        let target = &self.targets[number];
        match job.way {
            Way::Naive => {
                naive(&target.path, job.durable).expect("there is room");
                true
            }
            Way::Persist => {
                self.persist(target, job).expect("there is room");
                true
            }
            Way::Variant(_) => self.drive(target, job),
            Way::Bare => match self.bare(target, job) {
                Ok(written) => written,
                Err(errno) => panic!("{errno}"),
            },
            Way::Exclusive => {
                let Job { replace, durable, .. } = *job;
                let options = Options { replace, durable, ..Options::default() };
                match write_exclusive(&target.path, SECRET, &options) {
                    Ok(()) => true,
                    Err(WriteError { fault: WriteFault::NotPrivate, .. }) => false,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    fn persist(&self, target: &Target, job: &Job) -> std::io::Result<()> {
        let mut file = NamedTempFile::new_in(self.folder.path())?;
        file.write_all(SECRET)?;
        if job.durable {
            file.as_file().sync_all()?;
        }
        let file = match job.replace {
            true => file.persist(&target.path)?,
            false => file.persist_noclobber(&target.path)?,
        };
        black_box(file);
        Ok(())
    }

    fn drive(&self, target: &Target, job: &Job) -> bool {
        let temporary = format!(".credential.{:016x}", next());
        let plan = Plan {
            program: job.program,
            directory: Path::new(""),
            name: &target.name,
            temporary: Path::new(&temporary),
            bytes: SECRET,
            mode: PRIVATE,
            owner: rustix::process::geteuid(),
            replace: job.replace,
        };
        match black_box(carry_out(&mut &self.world, &plan)).outcome {
            Outcome::Written => true,
            outcome => panic!("{outcome:?}"),
        }
    }

    /// The system calls of `write_exclusive`, by hand.
    fn bare(&self, target: &Target, job: &Job) -> Result<bool, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = sys::openat(CWD, c"/", flags | OFlags::RDONLY, Mode::empty())?;
        let place = if job.durable { OFlags::empty() } else { OFlags::PATH };
        let limits = ResolveFlags::NO_SYMLINKS;
        let directory =
            sys::openat2(&root, &self.below_root, flags | place, Mode::empty(), limits)?;
        let directory = directory.as_fd();
        let written = match job.replace {
            true => bare_replace(directory, &target.c_name, job.durable)?,
            false => bare_new(directory, &target.c_name, job.durable)?,
        };
        if job.durable {
            sys::fsync(directory)?;
        }
        Ok(written)
    }

    /// Writes each secret once; the time that it took.
    fn batch(&self, job: &Job) -> Duration {
        self.prepare(job);
        let started = Instant::now();
        for number in 0..self.targets.len() {
            assert!(self.write(job, number), "nobody else writes");
        }
        started.elapsed()
    }

    /// Panics unless every secret is there, for its owner only, and nothing else is.
    fn verify(&self, job: &Job) {
        self.batch(job);
        for target in &self.targets {
            let content = std::fs::read(&target.path).expect("it was written");
            let mode = target.path.metadata().expect("it was written").permissions().mode();
            assert_eq!((&content[..], mode & 0o7777), (SECRET, 0o600), "{job:?}");
        }
        let entries = self.folder.path().read_dir().expect("it is there").count();
        assert_eq!(entries, self.targets.len(), "{job:?}");
    }
}

fn naive(path: &Path, durable: bool) -> std::io::Result<()> {
    if durable {
        let mut file = File::create(path)?;
        file.write_all(SECRET)?;
        file.sync_all()?;
    } else {
        std::fs::write(path, SECRET)?;
    }
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
}

fn bare_new(directory: BorrowedFd<'_>, name: &CStr, durable: bool) -> Result<bool, Errno> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = sys::openat(directory, c".", flags, PRIVATE)?;
    fill(file.as_fd(), durable, false)?;
    sys::linkat(&file, c"", directory, name, AtFlags::EMPTY_PATH)?;
    Ok(true)
}

fn bare_replace(directory: BorrowedFd<'_>, name: &CStr, durable: bool) -> Result<bool, Errno> {
    let look = |at: BorrowedFd<'_>, name: &CStr| sys::statat(at, name, AtFlags::SYMLINK_NOFOLLOW);
    // Whose a private directory is cannot be told without, nor a name made that nobody guesses.
    let owner = rustix::process::geteuid();
    let nonce = getrandom::u64().map_err(|_| Errno::IO)?;
    let temporary = name_of(nonce);
    let temporary = CStr::from_bytes_with_nul(&temporary).expect("it ends with one");

    black_box(look(directory, name)?);
    sys::mkdirat(directory, temporary, Mode::RWXU)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let private = sys::openat(directory, temporary, flags, Mode::empty())?;
    assert_eq!(sys::fstat(&private)?.st_uid, owner.as_raw());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = sys::openat(&private, temporary, flags, PRIVATE)?;
    let inode = fill(file.as_fd(), durable, true)?;
    let rename = |flags| sys::renameat_with(&private, temporary, directory, name, flags);
    match rename(RenameFlags::NOREPLACE) {
        Err(Errno::EXIST) => {
            rename(RenameFlags::EXCHANGE)?;
            black_box(look(private.as_fd(), temporary)?);
            sys::unlinkat(&private, temporary, AtFlags::empty())?;
        }
        answer => answer?,
    }
    sys::unlinkat(directory, temporary, AtFlags::REMOVEDIR)?;
    Ok(look(directory, name)?.st_ino == inode)
}

/// Writes the secret to an open file; which that is, if asked.
fn fill(file: BorrowedFd<'_>, durable: bool, identify: bool) -> Result<u64, Errno> {
    sys::fchmod(file, PRIVATE)?;
    let inode = if identify { sys::fstat(file)?.st_ino } else { 0 };
    assert_eq!(rustix::io::write(file, SECRET)?, SECRET.len());
    if durable {
        sys::fsync(file)?;
    }
    Ok(inode)
}

/// A name of the same length as `write_exclusive`'s, ending with NUL.
fn name_of(mut number: u64) -> [u8; 25] {
    let mut name = *b".toctou.0000000000000000\0";
    for digit in &mut name[8..24] {
        *digit = b"0123456789abcdef"[number as usize & 0xf];
        number >>= 4;
    }
    name
}

/// A number for a name that is new each time, in the cheapest way there is.
fn next() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Memory, where the system has a directory for that: a disk measures itself rather than writers.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let usable = tempfile::tempdir_in(&memory).is_ok();
    if usable { memory } else { std::env::temp_dir() }
}

/// One write after the other in memory.
fn in_memory(criterion: &mut Criterion) {
    println!("secrets are in {}", memory().display());
    alone(criterion, &Place::new(&memory(), BATCH), false);
}

/// One write after the other, each flushed to the disk that temporary files are on.
fn durable(criterion: &mut Criterion) {
    println!("durable secrets are in {}", std::env::temp_dir().display());
    alone(criterion, &Place::new(&std::env::temp_dir(), DURABLE_BATCH), true);
}

fn alone(criterion: &mut Criterion, place: &Place, durable: bool) {
    let batch = place.targets.len() as u64;
    for replace in [false, true] {
        let jobs = Job::all(replace, durable);
        jobs.iter().for_each(|job| place.verify(job));
        let kind = if replace { "replace" } else { "new" };
        let kind = if durable { format!("durable {kind}") } else { kind.to_owned() };
        let mut group = criterion.benchmark_group(&kind);
        group.sample_size(if durable { 10 } else { 20 }).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
        group.throughput(Throughput::Elements(1));
        for job in &jobs {
            group.bench_function(job.way.name(), |bencher| {
                bencher.iter_custom(|count| {
                    let batches = count.div_ceil(batch);
                    let took: Duration = (0..batches).map(|_| place.batch(job)).sum();
                    took.mul_f64(count as f64 / (batches * batch) as f64)
                });
            });
        }
        group.finish();
        print_ratios(place, &jobs, &kind, if durable { 60 } else { 300 });
    }
}

/// Prints how long each way takes beside the naive one, `persist` and the bare calls: the median
/// over many rounds, in each of which all of them take turns, so that what the machine does
/// meanwhile falls on all.
fn print_ratios(place: &Place, jobs: &[Job], kind: &str, rounds: usize) {
    let mut took = vec![Vec::with_capacity(rounds); jobs.len()];
    for round in 0..rounds {
        // Who goes first takes turns, too, and so does who goes after whom.
        for turn in 0..jobs.len() {
            let turn = if round % 2 == 0 { turn } else { jobs.len() - 1 - turn };
            let index = (round / 2 + turn) % jobs.len();
            let time = place.batch(&jobs[index]).as_nanos() as f64 / place.targets.len() as f64;
            took[index].push(time);
        }
    }
    let beside = |index: usize, way: Way| {
        let base = jobs.iter().position(|job| job.way == way).expect("all ways are here");
        median(took[index].iter().zip(&took[base]).map(|(mine, theirs)| mine / theirs))
    };
    for (index, job) in jobs.iter().enumerate() {
        println!(
            "{kind}/{}: {:.0} ns a secret; {:.2} of naive, {:.2} of persist, {:+.1} % over the \
             bare calls of write_exclusive (medians of {rounds} ratios)",
            job.way.name(),
            median(took[index].iter().copied()),
            beside(index, Way::Naive),
            beside(index, Way::Persist),
            (beside(index, Way::Bare) - 1.0) * 100.0,
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Threads that are started once and let go together, round after round.
///
/// In each round every thread writes so many times. The time counted is from the first thread's
/// first write to the last one's last.
struct Crowd<'a> {
    place: &'a Place,
    job: Job,
    threads: usize,
}

impl Crowd<'_> {
    fn rounds(&self, rounds: u64) -> Duration {
        let Crowd { place, job, threads } = self;
        let work = |thread| {
            let mine = thread * EACH..(thread + 1) * EACH;
            // One path is everybody's, or each has their own.
            let mine = mine.map(|number| number % place.targets.len());
            mine.filter(|number| place.write(job, *number)).count()
        };
        let check = |written| {
            assert!(written >= place.targets.len().min(threads * EACH), "{job:?}");
            let content = std::fs::read(&place.targets[0].path).expect("it is there");
            assert_eq!(content, SECRET, "{job:?}");
        };
        crowd::rounds(*threads, rounds, || place.prepare(job), work, check)
    }
}

/// Several threads write to one path, replacing what is there, or each to new ones of their own.
fn together(criterion: &mut Criterion) {
    for (kind, replace) in [("one path", true), ("own paths", false)] {
        for way in Way::SHARED {
            let mut group = criterion.benchmark_group(format!("{kind}/{}", way.name()));
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
            group.warm_up_time(Duration::from_millis(50));
            group.measurement_time(Duration::from_millis(200));
            for threads in THREADS {
                let place = Place::new(&memory(), if replace { 1 } else { threads * EACH });
                let crowd = Crowd { place: &place, job: Job::new(way, replace, false), threads };
                group.throughput(Throughput::Elements((threads * EACH) as u64));
                group.bench_function(BenchmarkId::from_parameter(threads), |bencher| {
                    bencher.iter_custom(|count| crowd.rounds(count));
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, in_memory, durable, together);
criterion_main!(benches);
