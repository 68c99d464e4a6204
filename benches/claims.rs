//! Claims per second, for every variant, beside the bare system calls written by hand: uncontended,
//! one download wanted by 2 to 16 threads, many downloads claimed by several threads.
//!
//! The bare calls get the paths ready made, as C strings; only a name that has to be new for each
//! claim is made new, in the cheapest way. What `OneTimeStore` does beyond the calls (look at the
//! key, build the paths, make a name that nobody else has) is therefore counted against it in full.

mod crowd;

use std::ffi::{CStr, CString};
use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use rustix::fs::{self as sys, Access, AtFlags, CWD, FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use toctou::fs::OsFs;
use toctou::models::download::{Told, download_from};
use toctou::store::{ClaimError, Durability, Mechanism, OneTimeStore};

const SECRET: &[u8] = b"the launch code";
/// Claims timed in one go: many, so that reading the clock costs nothing; few, so that noise
/// falls on a few.
const BATCH: usize = 64;
const THREADS: [usize; 4] = [2, 4, 8, 16];

/// How a download is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    OpenThenRemove,
    MetaCheckFirst,
    Shipping(Mechanism),
}

impl Variant {
    fn all() -> Vec<Variant> {
        let vulnerable = [Variant::OpenThenRemove, Variant::MetaCheckFirst];
        vulnerable.into_iter().chain(Mechanism::ALL.map(Variant::Shipping)).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Variant::OpenThenRemove => "open-then-remove",
            Variant::MetaCheckFirst => "meta-check-first",
            Variant::Shipping(Mechanism::RenameFixed) => "rename-fixed-name",
            Variant::Shipping(Mechanism::RenameUnique) => "rename-unique-name",
            Variant::Shipping(Mechanism::UnlinkDecides) => "unlink-decides",
            Variant::Shipping(Mechanism::ClaimFile) => "claim-file",
            Variant::Shipping(Mechanism::AdvisoryLock) => "advisory-lock",
        }
    }
}

/// Who claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The system calls alone.
    Bare,
    /// The library: `OneTimeStore`, or the model's machine for what no store ships.
    Library,
}

impl By {
    const BOTH: [By; 2] = [By::Bare, By::Library];

    fn name(self) -> &'static str {
        match self {
            By::Bare => "bare",
            By::Library => "library",
        }
    }
}

/// A directory of downloads, and all that is needed to claim them either way.
struct Place {
    variant: Variant,
    durability: Durability,
    store: OneTimeStore,
    directory: OwnedFd,
    downloads: Vec<Download>,
    folder: tempfile::TempDir,
}

struct Download {
    name: String,
    /// For the machines of the model, which know one download only, by the name `key`: a world
    /// of its own.
    world: OsFs,
    paths: Paths,
}

/// One download's files, as the bare calls name them.
struct Paths {
    directory: CString,
    content: CString,
    meta: CString,
    fixed: CString,
    marker: CString,
    /// A claim name whose last digits are still to be written.
    unique: CString,
}

impl Place {
    fn new(variant: Variant, downloads: usize) -> Place {
        Self::promising(variant, Durability::None, downloads, &parent())
    }

    fn promising(
        variant: Variant,
        durability: Durability,
        downloads: usize,
        parent: &Path,
    ) -> Place {
        let folder = tempfile::tempdir_in(parent).expect("a temporary directory");
        let mechanism = match variant {
            Variant::Shipping(mechanism) => mechanism,
            _ => Mechanism::default(),
        };
        let store = OneTimeStore::open(folder.path()).expect("a directory of our own");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = sys::openat(CWD, folder.path(), flags, Mode::empty()).expect("it is there");
        let downloads = (0..downloads).map(|number| download(folder.path(), variant, number));
        let downloads = downloads.collect();
        let store = store.mechanism(mechanism).durability(durability).durable(false);
        Place { variant, durability, store, directory, downloads, folder }
    }

    /// Puts a download as if for the first time.
    fn put(&self, number: usize) {
        let download = &self.downloads[number];
        for old in [&download.paths.marker, &download.paths.meta] {
            let _ = sys::unlinkat(&self.directory, old.as_c_str(), AtFlags::empty());
        }
        match self.variant {
            Variant::Shipping(_) => {
                self.store.replace(&download.name, SECRET).expect("there is room");
            }
            _ => {
                let content = Path::new(&download.name).join("key/content");
                std::fs::write(self.folder.path().join(content), SECRET).expect("there is room");
            }
        }
    }

    /// Claims a download; whether it was won.
    #[inline]
    fn claim(&self, by: By, number: usize, thread: usize) -> bool {
        match (by, self.variant) {
            (By::Library, Variant::Shipping(_)) => {
                match self.store.claim(&self.downloads[number].name) {
                    Ok(claimed) => {
                        black_box(&claimed);
                        self.store.delivered(claimed).expect("it is there");
                        true
                    }
                    Err(ClaimError::Gone { .. }) => false,
                    Err(error) => panic!("{error}"),
                }
            }
            (By::Library, variant) => {
                let mut world = &self.downloads[number].world;
                match download_from(&mut world, variant.name(), thread) {
                    Some(Told::Delivered(secret)) => black_box(secret) == SECRET,
                    Some(Told::Gone) => false,
                    told => panic!("{told:?}"),
                }
            }
            (By::Bare, variant) => {
                let paths = &self.downloads[number].paths;
                match bare(&self.directory, paths, variant, self.durability) {
                    Ok(won) => won,
                    Err(errno) => panic!("{errno}"),
                }
            }
        }
    }
}

fn download(folder: &Path, variant: Variant, number: usize) -> Download {
    let name = format!("download-{number}");
    let inner = match variant {
        Variant::Shipping(_) => name.clone(),
        _ => format!("{name}/key"),
    };
    std::fs::create_dir_all(folder.join(&inner)).expect("a directory of our own");
    let c = |path: String| CString::new(path).expect("no NUL in it");
    Download {
        world: OsFs::open(folder.join(&name)).expect("it was just made"),
        paths: Paths {
            content: c(format!("{inner}/content")),
            meta: c(format!("{inner}/meta")),
            fixed: c(format!("{inner}/content.download")),
            marker: c(format!("{inner}/claim")),
            unique: c(format!("{inner}/content.f00500000000ba11-2a2e-{:08x}", 0)),
            directory: c(inner),
        },
        name,
    }
}

/// Each variant's system calls, by hand.
fn bare(
    at: &OwnedFd,
    paths: &Paths,
    variant: Variant,
    durability: Durability,
) -> Result<bool, Errno> {
    let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |path: &CStr| sys::openat(at, path, read, Mode::empty());
    let unlink = |path: &CStr| sys::unlinkat(at, path, AtFlags::empty());
    let mark = || {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        sys::openat(at, paths.meta.as_c_str(), flags, Mode::RUSR | Mode::WUSR).map(drop)
    };
    let won = |content: OwnedFd| {
        mark()?;
        black_box(&content);
        Ok(true)
    };
    let by_rename = |claim: &CStr| {
        match sys::renameat(at, paths.content.as_c_str(), at, claim) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(errno),
        }
        if durability == Durability::AtMostOnce {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = sys::openat(at, paths.directory.as_c_str(), flags, Mode::empty())?;
            sys::fsync(&directory)?;
        }
        let content = open(claim)?;
        unlink(claim)?;
        won(content)
    };
    match variant {
        Variant::OpenThenRemove | Variant::MetaCheckFirst => {
            if variant == Variant::MetaCheckFirst {
                let found = AtFlags::SYMLINK_NOFOLLOW;
                match sys::accessat(at, paths.meta.as_c_str(), Access::EXISTS, found) {
                    Ok(()) => return Ok(false),
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            let content = match open(&paths.content) {
                Ok(content) => content,
                Err(Errno::NOENT) => return Ok(false),
                Err(errno) => return Err(errno),
            };
            let _ = unlink(&paths.content);
            mark()?;
            let mut buffer = [0; 64];
            let count = rustix::io::read(&content, &mut buffer)?;
            Ok(black_box(&buffer[..count]) == SECRET)
        }
        Variant::Shipping(Mechanism::RenameFixed) => by_rename(&paths.fixed),
        Variant::Shipping(Mechanism::RenameUnique) => {
            // A name that is new each time takes the kernel longer than one it has just seen, and
            // none is one's own after a fork unless the process is asked for. So both belong to
            // the calls of this mechanism; the name is made in the cheapest way there is.
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            black_box(rustix::process::getpid());
            let mut number = NEXT.fetch_add(1, Ordering::Relaxed);
            let template = paths.unique.as_bytes_with_nul();
            let mut name = [0; 96];
            let name = &mut name[..template.len()];
            name.copy_from_slice(template);
            for digit in name[template.len() - 9..].iter_mut().take(8).rev() {
                *digit = b"0123456789abcdef"[number & 0xf];
                number >>= 4;
            }
            by_rename(CStr::from_bytes_with_nul(name).expect("it ends as the template does"))
        }
        Variant::Shipping(Mechanism::UnlinkDecides) => {
            let content = match open(&paths.content) {
                Ok(content) => content,
                Err(Errno::NOENT) => return Ok(false),
                Err(errno) => return Err(errno),
            };
            match unlink(&paths.content) {
                Ok(()) => won(content),
                Err(Errno::NOENT) => Ok(false),
                Err(errno) => Err(errno),
            }
        }
        Variant::Shipping(Mechanism::ClaimFile) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR;
            match sys::openat(at, paths.marker.as_c_str(), flags, mode) {
                Ok(marker) => drop(marker),
                Err(Errno::EXIST) => return Ok(false),
                Err(errno) => return Err(errno),
            }
            let content = open(&paths.content)?;
            unlink(&paths.content)?;
            won(content)
        }
        Variant::Shipping(Mechanism::AdvisoryLock) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let lock = sys::openat(at, paths.directory.as_c_str(), flags, Mode::empty())?;
            flock(&lock, FlockOperation::LockExclusive)?;
            let content = match open(&paths.content) {
                Ok(content) => Some(content),
                Err(Errno::NOENT) => None,
                Err(errno) => return Err(errno),
            };
            let won = match content {
                None => false,
                Some(content) => {
                    unlink(&paths.content)?;
                    won(content)?
                }
            };
            flock(&lock, FlockOperation::Unlock)?;
            Ok(won)
        }
    }
}

/// Memory, where the system has a directory for that; a disk measures itself rather than claims.
fn parent() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let usable = tempfile::tempdir_in(&memory).is_ok();
    if usable { memory } else { std::env::temp_dir() }
}

/// Puts and claims every download once; the time that the claims took.
fn batch(place: &Place, by: By) -> Duration {
    let count = place.downloads.len();
    (0..count).for_each(|number| place.put(number));
    let started = Instant::now();
    for number in 0..count {
        assert!(place.claim(by, number, 0), "nobody else claims");
    }
    started.elapsed()
}

/// One claim after the other: the library and the bare calls take turns in one directory, so that
/// what the machine does meanwhile falls on both.
fn overhead(criterion: &mut Criterion) {
    println!("downloads are in {}", parent().display());
    let mut group = criterion.benchmark_group("overhead");
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(1));
    for variant in Variant::all() {
        let place = Place::new(variant, BATCH);
        for by in By::BOTH {
            group.bench_function(BenchmarkId::new(by.name(), variant.name()), |bencher| {
                bencher.iter_custom(|count| {
                    let mut took = Duration::ZERO;
                    let batches = count.div_ceil(BATCH as u64);
                    for _ in 0..batches {
                        took += batch(&place, by);
                    }
                    took.mul_f64(count as f64 / (batches * BATCH as u64) as f64)
                });
            });
        }
        print_overhead(&place);
    }
    group.finish();
}

/// What the promises about failures cost: the store beside the same calls with the same `fsync`s, on
/// the disk of the ordinary temporary directory, and beside a claim that promises nothing.
fn promises(_: &mut Criterion) {
    println!("promises are kept in {}", std::env::temp_dir().display());
    let variant = Variant::Shipping(Mechanism::RenameUnique);
    for durability in [Durability::None, Durability::NothingLost, Durability::AtMostOnce] {
        let place = Place::promising(variant, durability, BATCH, &std::env::temp_dir());
        println!("promise {durability:?}:");
        print_pairs(&place, 60);
    }
}

/// Prints how much more the library takes: the median over many pairs of batches run next to one
/// another, so that what the machine does meanwhile falls on both.
fn print_overhead(place: &Place) {
    print_pairs(place, 300);
}

fn print_pairs(place: &Place, pairs: usize) {
    let mut ratios = Vec::with_capacity(pairs);
    let mut all = [Vec::with_capacity(pairs), Vec::with_capacity(pairs)];
    for pair in 0..pairs {
        // Who goes first takes turns, too.
        let mut took = [Duration::ZERO; 2];
        for by in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
            took[by] = batch(place, By::BOTH[by]);
            all[by].push(took[by].as_nanos() as f64 / BATCH as f64);
        }
        ratios.push(took[1].as_secs_f64() / took[0].as_secs_f64());
    }
    let [bare, library] = &mut all;
    println!(
        "overhead/{}: bare {:.0} ns, library {:.0} ns a claim; ratio of medians {:+.1} %, \
         median of {pairs} ratios {:+.1} %",
        place.variant.name(),
        median(bare),
        median(library),
        (median(library) / median(bare) - 1.0) * 100.0,
        (median(&mut ratios) - 1.0) * 100.0,
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Threads that are started once and let go together, round after round.
///
/// In each round every thread claims its part of the downloads. The time counted is
/// from the first thread's first claim to the last one's last.
struct Crowd<'a> {
    place: &'a Place,
    by: By,
    threads: usize,
    /// Whether everybody wants every download, or each its part of them.
    all_want_all: bool,
}

impl Crowd<'_> {
    fn rounds(&self, rounds: u64) -> Duration {
        let downloads = self.place.downloads.len();
        let work = |thread| {
            let mine = if self.all_want_all {
                0..downloads
            } else {
                let each = downloads / self.threads;
                thread * each..(thread + 1) * each
            };
            mine.filter(|number| self.place.claim(self.by, *number, thread)).count()
        };
        let check = |winners| {
            if let Variant::Shipping(_) = self.place.variant {
                assert_eq!(winners, downloads, "one winner each");
            }
        };
        let prepare = || (0..downloads).for_each(|number| self.place.put(number));
        crowd::rounds(self.threads, rounds, prepare, work, check)
    }
}

/// One download, everybody wants it: a round of attempts of which one wins.
fn one_key(criterion: &mut Criterion) {
    for variant in Variant::all() {
        let place = Place::new(variant, 1);
        let mut group = criterion.benchmark_group(format!("one key/{}", variant.name()));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
        for threads in THREADS {
            group.throughput(Throughput::Elements(threads as u64));
            for by in By::BOTH {
                let crowd = Crowd { place: &place, by, threads, all_want_all: true };
                group.bench_function(BenchmarkId::new(by.name(), threads), |bencher| {
                    bencher.iter_custom(|count| crowd.rounds(count));
                });
            }
        }
        group.finish();
    }
}

/// Many downloads, each thread has its own: a round claims all.
fn many_keys(criterion: &mut Criterion) {
    const KEYS: usize = 256;
    const CLAIMERS: usize = 4;
    let mut group = criterion.benchmark_group("many keys");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
    group.throughput(Throughput::Elements(KEYS as u64));
    for variant in Variant::all() {
        let place = Place::new(variant, KEYS);
        for by in By::BOTH {
            let crowd = Crowd { place: &place, by, threads: CLAIMERS, all_want_all: false };
            group.bench_function(BenchmarkId::new(by.name(), variant.name()), |bencher| {
                bencher.iter_custom(|count| crowd.rounds(count));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, overhead, promises, one_key, many_keys);
criterion_main!(benches);
