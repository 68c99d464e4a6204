//! A disk with ext4 that keeps a log of what the kernel writes to it, and each disk that a power failure
//! may leave of that.
//!
//! The kernel mounts a loop device on a file that `qemu-storage-daemon` shows by FUSE. The daemon logs each
//! write and each flush, in order. What was written before a flush is on the disk. Of what was written
//! since, any blocks may be: a block is written as a whole or not at all.

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use toctou::fs::{OsFs, Tree};

/// Of the file system, and a page of the kernel.
pub(crate) const BLOCK: usize = 4096;

/// Says that a test runs where it may mount.
const CHILD: &str = "TOCTOU_EXT4_CHILD";

/// A place for mounts, by the Filesystem Hierarchy Standard.
const PLACE: &str = "/mnt";

/// Runs the test of this name as a process of its own, the first one in namespaces for mounts and for
/// processes. When it ends, or is killed, the kernel ends all that it started, and unmounts all that it
/// mounted. Its files are in a tmpfs that goes, too.
pub(crate) fn apart(test: &str, body: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=700", "toctou", PLACE]));
        return body();
    }
    if let Err(why) = is_possible() {
        let required = env::var_os("TOCTOU_EXT4").is_some_and(|value| value == "required");
        assert!(!required, "{test}: {why}");
        let _ = writeln!(io::stderr(), "SKIPPED: {test}: {why}");
        return;
    }
    let mut child = Command::new("setpriv");
    child.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"]);
    child.arg(env::current_exe().expect("a program has a file"));
    child.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    let output = child.output().expect("it can be run again");
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{complaint}");
}

/// Whether ext4 can be mounted here on a disk that keeps a log, or why not.
fn is_possible() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root may mount ext4".into());
    }
    let tools = [
        ("mount", "mount"),
        ("umount", "mount"),
        ("mkfs.ext4", "e2fsprogs"),
        ("qemu-storage-daemon", "qemu-utils"),
        ("setpriv", "util-linux"),
        ("unshare", "util-linux"),
    ];
    for (tool, package) in tools {
        if !is_installed(tool) {
            return Err(format!("there is no {tool} (Debian: apt-get install {package})"));
        }
    }
    for device in ["/dev/fuse", "/dev/loop-control", PLACE] {
        if !Path::new(device).exists() {
            return Err(format!("there is no {device}"));
        }
    }
    let unshare = Command::new("unshare").args(["--mount", "--pid", "--fork", "true"]).output();
    match unshare {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn is_installed(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(tool).exists())
}

/// Runs a command that has to succeed.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
}

/// Unmounts. A process that another thread is starting may still have a file open for a moment.
fn unmount(mounted: &Path) {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let output = Command::new("umount").arg(mounted).output().expect("it is installed");
        let complaint = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return;
        }
        assert!(complaint.contains("busy") && Instant::now() < until, "{complaint}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The blocks of a disk that are not all zeros.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Image(BTreeMap<u64, Arc<[u8]>>);

impl Image {
    fn put(&mut self, block: u64, bytes: &Arc<[u8]>) {
        match bytes.iter().all(|byte| *byte == 0) {
            true => drop(self.0.remove(&block)),
            false => drop(self.0.insert(block, bytes.clone())),
        }
    }

    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).expect("it is ours");
        let mut image = Image::default();
        for (number, bytes) in bytes.chunks(BLOCK).enumerate() {
            image.put(number as u64, &bytes.into());
        }
        image
    }

    fn write(&self, path: &Path) {
        let file = File::create(path).expect("there is room");
        file.set_len(SIZE).expect("there is room");
        for (number, bytes) in &self.0 {
            file.write_all_at(bytes, number * BLOCK as u64).expect("there is room");
        }
    }
}

/// Of the disk, in bytes: with less there is no room for the smallest journal, of 4 MiB.
const SIZE: u64 = 12 << 20;

/// What the disk was told, in order.
#[derive(Debug)]
enum Told {
    /// Blocks, each with its bytes.
    Write(Vec<(u64, Arc<[u8]>)>),
    Flush,
}

/// An empty ext4 file system, as `mkfs.ext4` makes it.
pub(crate) struct Formatted(Image);

impl Formatted {
    pub(crate) fn new() -> Self {
        let path = Path::new(PLACE).join("formatted");
        File::create(&path).and_then(|file| file.set_len(SIZE)).expect("there is room");
        let mut mkfs = Command::new("mkfs.ext4");
        // Nothing is written later by a thread of the kernel.
        let extended = "nodiscard,lazy_itable_init=0,lazy_journal_init=0";
        mkfs.args(["-q", "-b", "4096", "-N", "64", "-J", "size=4", "-E", extended]);
        run(mkfs.arg(&path));
        Formatted(Image::read(&path))
    }
}

/// A mounted file system whose disk keeps a log.
pub(crate) struct Recorded {
    folder: PathBuf,
    before: Image,
    daemon: Option<Pid>,
}

impl Recorded {
    /// Mounts a copy of an empty file system.
    pub(crate) fn mount(formatted: &Formatted, options: &str) -> Self {
        let folder = Path::new(PLACE).join("recorded");
        fs::create_dir_all(folder.join("mounted")).expect("there is room");
        let before = formatted.0.clone();
        before.write(&folder.join("disk"));
        for file in ["log", "shown"] {
            File::create(folder.join(file)).expect("there is room");
        }
        let mut recorded = Recorded { folder, before, daemon: None };
        recorded.start();
        recorded.mount_shown(options);
        recorded
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn start(&mut self) {
        let path = |name| self.path(name).display().to_string();
        let mut daemon = Command::new("qemu-storage-daemon");
        let log = "driver=blklogwrites,node-name=logging,log-super-update-interval=1";
        for node in [
            format!("driver=file,node-name=disk,filename={}", path("disk")),
            format!("driver=file,node-name=log,filename={}", path("log")),
            format!("{log},file.driver=raw,file.file=disk,log.driver=raw,log.file=log"),
        ] {
            daemon.args(["--blockdev", &node]);
        }
        let shown = format!("mountpoint={}", path("shown"));
        daemon.args(["--export", &format!("fuse,id=shown,node-name=logging,{shown},writable=on")]);
        daemon.args(["--pidfile", &path("pid"), "--daemonize"]);
        // Not for its output: the daemon keeps that open.
        let status = daemon.stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(status.expect("it is installed").success(), "{daemon:?}");
        let pid = fs::read_to_string(self.path("pid")).expect("it is written at the start");
        self.daemon = pid.trim().parse().ok().and_then(Pid::from_raw);
    }

    fn mount_shown(&self, options: &str) {
        let options = format!("loop,{options}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", options.trim_end_matches(',')]);
        run(mount.args([self.path("shown"), self.path("mounted")]));
    }

    /// Where it is mounted.
    pub(crate) fn mounted(&self) -> PathBuf {
        self.path("mounted")
    }

    /// How much the log has now.
    pub(crate) fn logged(&self) -> usize {
        let log = File::open(self.path("log")).expect("it is ours");
        Header::read(&log).entries
    }

    /// Ends it. What a power failure may have left is known from then on.
    pub(crate) fn unmount(self) -> Log {
        unmount(&self.path("mounted"));
        let log = File::open(self.path("log")).expect("it is ours");
        Log { before: self.before.clone(), told: read_log(&log) }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let quietly = |command: &mut Command| drop(command.stderr(Stdio::null()).status());
        quietly(Command::new("umount").arg("--lazy").arg(self.path("mounted")));
        quietly(Command::new("umount").arg("--lazy").arg(self.path("shown")));
        if let Some(daemon) = self.daemon {
            let _ = kill_process(daemon, Signal::KILL);
            // Whoever started it has ended: it is a child of the first process now, which is this one.
            let _ = waitpid(Some(daemon), WaitOptions::empty());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a log begins with. Its format is that of the kernel's `dm-log-writes`.
struct Header {
    entries: usize,
    sector: usize,
}

fn number(bytes: &[u8], index: usize) -> u64 {
    u64::from_le_bytes(bytes[8 * index..][..8].try_into().expect("these are eight"))
}

impl Header {
    fn read(log: &File) -> Self {
        const MAGIC: u64 = 0x006a_7366_7773_6872;
        let mut bytes = [0; 32];
        log.read_exact_at(&mut bytes, 0).expect("a log has a header");
        assert_eq!((number(&bytes, 0), number(&bytes, 1)), (MAGIC, 1), "a log of version 1");
        let sector = u32::from_le_bytes(bytes[24..28].try_into().expect("these are four"));
        Header { entries: number(&bytes, 2) as usize, sector: sector as usize }
    }
}

fn read_log(log: &File) -> Vec<Told> {
    const FLUSH: u64 = 1;
    const DISCARD: u64 = 4;
    let header = Header::read(log);
    let mut at = header.sector as u64;
    let mut entry = || {
        let mut bytes = [0; 32];
        log.read_exact_at(&mut bytes, at).expect("an entry has a header");
        at += header.sector as u64;
        let (start, length) = (number(&bytes, 0), number(&bytes, 1));
        let [start, length] = [start, length].map(|sectors| sectors * header.sector as u64);
        let block = BLOCK as u64;
        assert!(start % block == 0 && length % block == 0, "only blocks are written");
        match number(&bytes, 2) {
            FLUSH if length == 0 => Told::Flush,
            flags @ (0 | DISCARD) => {
                let mut bytes = vec![0; length as usize];
                if flags == 0 {
                    log.read_exact_at(&mut bytes, at).expect("an entry has its bytes");
                    at += length;
                }
                let blocks = (start / block..).zip(bytes.chunks(BLOCK));
                Told::Write(blocks.map(|(block, bytes)| (block, bytes.into())).collect())
            }
            flags => panic!("a loop device asks for no such write: {flags}"),
        }
    };
    (0..header.entries).map(|_| entry()).collect()
}

/// What the disk was told.
pub(crate) struct Log {
    before: Image,
    told: Vec<Told>,
}

/// A disk that a power failure may leave.
struct Left {
    image: Image,
    /// So much of the log there was at least, and at most, when the power failed.
    logged: (usize, usize),
}

/// All sets of blocks between two flushes are looked at where there are no more than so many.
const MOST_SETS: u64 = 16;

impl Log {
    /// The disks that a failure may leave between these two points of the log, each once. What was
    /// logged before the first is on the disk.
    fn disks(&self, from: usize, to: usize) -> Vec<Left> {
        let mut image = self.before.clone();
        self.told[..from].iter().for_each(|told| told.apply(&mut image));
        let (mut left, mut at, mut random) = (Vec::new(), from, Random(1));
        while at <= to {
            let rest = &self.told[at..to];
            let flush = rest.iter().position(|told| matches!(told, Told::Flush));
            let end = flush.map_or(to, |flush| at + flush);
            self.disks_before(&image, at, end, &mut random, &mut left);
            self.told[at..end].iter().for_each(|told| told.apply(&mut image));
            at = end + 1;
        }
        left
    }

    /// Those that a failure may leave before this flush, when `image` is on the disk.
    fn disks_before(
        &self,
        image: &Image,
        start: usize,
        flush: usize,
        random: &mut Random,
        left: &mut Vec<Left>,
    ) {
        let writes = self.told[start..flush].iter().zip(start + 1..);
        let blocks: Vec<_> = writes
            .flat_map(|(told, at)| told.blocks().iter().map(move |block| (block, at)))
            .collect();
        let count = blocks.len();
        let is_small = count <= MOST_SETS.ilog2() as usize;
        let sets: Vec<u64> = match is_small {
            true => (0..1 << count).collect(),
            // Half of them at random, and those that are written in order.
            false => {
                assert!(count < 64, "a program writes less between two flushes");
                let ordered = (0..=count).map(|count| (1 << count) - 1);
                ordered.chain((0..MOST_SETS / 2).map(|_| random.next() % (1 << count))).collect()
            }
        };
        let mut seen = HashSet::new();
        for set in sets {
            let (mut image, mut least) = (image.clone(), start);
            for (index, ((number, bytes), at)) in blocks.iter().enumerate() {
                if set >> index & 1 == 1 {
                    image.put(*number, bytes);
                    least = *at;
                }
            }
            if seen.insert(image.clone()) {
                left.push(Left { image, logged: (least, flush) });
            }
        }
    }

    /// Mounts each disk that a failure may leave between these two points of the log, and reads the
    /// directory. Says how much was logged, at least and at most, when the power failed.
    pub(crate) fn trees(
        &self,
        from: usize,
        to: usize,
        directory: impl AsRef<OsStr>,
    ) -> Vec<(Tree, (usize, usize))> {
        // A mount waits, most of the time.
        const THREADS: usize = 12;
        let disks = Mutex::new(self.disks(from, to).into_iter());
        let trees = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (disks, trees, directory) = (&disks, &trees, directory.as_ref());
                scope.spawn(move || {
                    let next = || disks.lock().expect("no thread panics with it").next();
                    while let Some(Left { image, logged }) = next() {
                        let tree = tree(&image, number, directory);
                        trees.lock().expect("no thread panics with it").push((tree, logged));
                    }
                });
            }
        });
        trees.into_inner().expect("no thread has panicked")
    }
}

impl Told {
    fn blocks(&self) -> &[(u64, Arc<[u8]>)] {
        match self {
            Told::Write(blocks) => blocks,
            Told::Flush => &[],
        }
    }

    fn apply(&self, image: &mut Image) {
        self.blocks().iter().for_each(|(number, bytes)| image.put(*number, bytes));
    }
}

/// What is in a directory of a disk, once the kernel has recovered it.
fn tree(image: &Image, number: usize, directory: &OsStr) -> Tree {
    let disk = Path::new(PLACE).join(format!("left-{number}"));
    let mounted = disk.with_extension("mounted");
    fs::create_dir_all(&mounted).expect("there is room");
    image.write(&disk);
    run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).args([&disk, &mounted]));
    let tree = OsFs::open(mounted.join(directory)).and_then(|files| files.tree());
    unmount(&mounted);
    fs::remove_file(&disk).expect("it is ours");
    tree.expect("a recovered file system can be read")
}

/// Numbers by “SplitMix64” (Steele and others, “Fast splittable pseudorandom number generators”).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
