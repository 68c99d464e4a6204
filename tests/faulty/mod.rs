//! A world in which the next call fails, without being performed, and what drives a machine in it.

use std::path::{Path, PathBuf};

use toctou::fs::{
    Access, At, AtFlags, ByteRange, Dev, Dirent, Errno, FileSystem, FileType, FlockOperation, Gid,
    Mode, OFlags, RenameFlags, ResolveFlags, SeekFrom, Status, Timestamps, Uid,
};
use toctou::{Process, Step};

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// It fails with this error and does nothing.
    Fails(Errno),
    /// If it is a write, it takes half of the bytes, rounded down.
    Short,
}

/// A world round another, in which a fault may be set for the next call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Faulty<F> {
    pub(crate) world: F,
    next: Option<Fault>,
    /// Calls since the last step began; closing is none, it cannot fail.
    calls: usize,
    /// The calls that failed by a fault, in their order, where that is recorded.
    met: Option<Vec<&'static str>>,
    /// Which calls meet a fault, where no step says so.
    script: Vec<(usize, Fault)>,
}

impl<F> Faulty<F> {
    pub(crate) fn new(world: F) -> Self {
        Faulty { world, next: None, calls: 0, met: None, script: Vec::new() }
    }

    /// The same, which also records what calls a fault befell.
    #[allow(dead_code)] // not every test binary asks
    pub(crate) fn recording(world: F) -> Self {
        Faulty { met: Some(Vec::new()), ..Self::new(world) }
    }

    /// The calls that a fault befell.
    #[allow(dead_code)]
    pub(crate) fn met(&self) -> &[&'static str] {
        self.met.as_deref().unwrap_or_default()
    }

    /// Lets `process` take a step in which its call meets `fault`.
    pub(crate) fn step<P: Process<Self>>(
        &mut self,
        process: P,
        fault: Option<Fault>,
    ) -> Step<P, P::Output> {
        self.next = fault;
        let step = process.step(self);
        assert!(self.calls <= 1, "a step is at most one call");
        (self.next, self.calls) = (None, 0);
        step
    }

    /// Lets `act` make its calls, which meet the faults of this script; says how many there were.
    #[allow(dead_code)]
    pub(crate) fn during<T>(
        &mut self,
        script: &[(usize, Fault)],
        act: impl FnOnce(&mut Self) -> T,
    ) -> (T, usize) {
        (self.script, self.calls) = (script.to_vec(), 0);
        let came = act(self);
        let calls = std::mem::take(&mut self.calls);
        (self.script, self.next) = (Vec::new(), None);
        (came, calls)
    }

    fn fails(&mut self, call: &'static str) -> Result<(), Errno> {
        if !self.script.is_empty() {
            self.next = fault_at(&self.script, self.calls);
        }
        self.calls += 1;
        match self.next {
            Some(Fault::Fails(errno)) => {
                if let Some(met) = &mut self.met {
                    met.push(call);
                }
                Err(errno)
            }
            Some(Fault::Short) | None => Ok(()),
        }
    }
}

/// Calls that fail where one is to, and else are the inner world's.
macro_rules! delegate {
    ($(fn $name:ident $(<$p:lifetime>)? ($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $name $(<$p>)? (&mut self, $($argument: $type),*) -> Result<$answer, Errno> {
            self.fails(stringify!($name))?;
            self.world.$name($($argument),*)
        }
    )*};
}

impl<F: FileSystem> FileSystem for Faulty<F> {
    type File = F::File;

    delegate! {
        fn open<'p>(at: impl Into<At<'p, F::File>>, flags: OFlags, mode: Mode) -> F::File;
        fn open_within<'p>(
            at: impl Into<At<'p, F::File>>, flags: OFlags, mode: Mode, resolve: ResolveFlags
        ) -> F::File;
        fn read(file: &mut F::File, buffer: &mut [u8]) -> usize;
        fn pread(file: &mut F::File, buffer: &mut [u8], offset: u64) -> usize;
        fn lseek(file: &mut F::File, to: SeekFrom) -> u64;
        fn ftruncate(file: &mut F::File, length: u64) -> ();
        fn fsync(file: &mut F::File) -> ();
        fn fdatasync(file: &mut F::File) -> ();
        fn stat<'p>(at: impl Into<At<'p, F::File>>, flags: AtFlags) -> Status;
        fn fstat(file: &mut F::File) -> Status;
        fn access<'p>(at: impl Into<At<'p, F::File>>, access: Access, flags: AtFlags) -> ();
        fn chmod<'p>(at: impl Into<At<'p, F::File>>, mode: Mode) -> ();
        fn chmod_with<'p>(at: impl Into<At<'p, F::File>>, mode: Mode, flags: AtFlags) -> ();
        fn fchmod(file: &mut F::File, mode: Mode) -> ();
        fn chown<'p>(
            at: impl Into<At<'p, F::File>>, owner: Option<Uid>, group: Option<Gid>, flags: AtFlags
        ) -> ();
        fn fchown(file: &mut F::File, owner: Option<Uid>, group: Option<Gid>) -> ();
        fn utimensat<'p>(
            at: impl Into<At<'p, F::File>>, times: &Timestamps, flags: AtFlags
        ) -> ();
        fn futimens(file: &mut F::File, times: &Timestamps) -> ();
        fn unlink<'p>(at: impl Into<At<'p, F::File>>) -> ();
        fn rename<'p>(from: impl Into<At<'p, F::File>>, to: impl Into<At<'p, F::File>>) -> ();
        fn rename_with<'p>(
            from: impl Into<At<'p, F::File>>, to: impl Into<At<'p, F::File>>, flags: RenameFlags
        ) -> ();
        fn link<'p>(from: impl Into<At<'p, F::File>>, to: impl Into<At<'p, F::File>>) -> ();
        fn link_with<'p>(
            from: impl Into<At<'p, F::File>>, to: impl Into<At<'p, F::File>>, flags: AtFlags
        ) -> ();
        fn link_file<'p>(file: &mut F::File, to: impl Into<At<'p, F::File>>) -> ();
        fn symlink<'p>(target: &Path, at: impl Into<At<'p, F::File>>) -> ();
        fn readlink<'p>(at: impl Into<At<'p, F::File>>) -> PathBuf;
        fn mkdir<'p>(at: impl Into<At<'p, F::File>>, mode: Mode) -> ();
        fn mknod<'p>(
            at: impl Into<At<'p, F::File>>, kind: FileType, mode: Mode, device: Dev
        ) -> ();
        fn rmdir<'p>(at: impl Into<At<'p, F::File>>) -> ();
        fn getdents(file: &mut F::File) -> Vec<Dirent>;
        fn fcntl_ofd_setlk(
            file: &mut F::File, operation: FlockOperation, bytes: ByteRange
        ) -> ();
        fn flock(file: &mut F::File, operation: FlockOperation) -> ();
    }

    fn write(&mut self, file: &mut F::File, bytes: &[u8]) -> Result<usize, Errno> {
        self.fails("write")?;
        match self.next {
            Some(Fault::Short) => self.world.write(file, &bytes[..bytes.len() / 2]),
            Some(Fault::Fails(_)) | None => self.world.write(file, bytes),
        }
    }

    fn pwrite(&mut self, file: &mut F::File, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        self.fails("pwrite")?;
        match self.next {
            Some(Fault::Short) => self.world.pwrite(file, &bytes[..bytes.len() / 2], offset),
            Some(Fault::Fails(_)) | None => self.world.pwrite(file, bytes, offset),
        }
    }

    fn close(&mut self, file: F::File) {
        self.world.close(file);
    }
}

/// Which steps of a process meet a fault.
pub(crate) type Script = Vec<(usize, Fault)>;

/// What befalls step number `index` by this script.
pub(crate) fn fault_at(script: &[(usize, Fault)], index: usize) -> Option<Fault> {
    script.iter().find(|(at, _)| *at == index).map(|(_, fault)| *fault)
}

/// Drives `process` to its end, alone in the world; also says how many steps it took.
#[allow(dead_code)]
pub(crate) fn drive<F, P: Process<Faulty<F>>>(
    mut process: P,
    script: &[(usize, Fault)],
    world: &mut Faulty<F>,
) -> (P::Output, usize) {
    for index in 0..1000 {
        match world.step(process, fault_at(script, index)) {
            Step::Next(next) => process = next,
            Step::Blocked(_) => panic!("it waits for ever: {script:?}"),
            Step::Done(output) => return (output, index + 1),
            Step::Choice(_) => panic!("it leaves nothing open: {script:?}"),
        }
    }
    panic!("it does not end: {script:?}")
}

/// Calls `run` with no fault, with each of `faults` at each step, and with any two and any three of
/// them; `run` answers how many steps were taken. Returns how many runs there were.
pub(crate) fn every_script(
    faults: &[Fault],
    mut run: impl FnMut(&[(usize, Fault)]) -> usize,
) -> usize {
    extend(&mut Vec::new(), faults, &mut run)
}

fn extend(
    script: &mut Script,
    faults: &[Fault],
    run: &mut impl FnMut(&[(usize, Fault)]) -> usize,
) -> usize {
    let steps = run(script);
    let mut runs = 1;
    if script.len() < 3 {
        for at in script.last().map_or(0, |(at, _)| at + 1)..steps {
            for fault in faults {
                script.push((at, *fault));
                runs += extend(script, faults, run);
                script.pop();
            }
        }
    }
    runs
}
