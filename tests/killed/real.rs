//! This machine: real processes in a directory of its file system.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use toctou::fs::{FileSystem, FlockOperation, Mode, OFlags, OsFs, Tree};

use crate::roles::{KEY, Role, Scene};
use crate::schedule::{Machine, Outcome, Schedule, perform};
use crate::traced::{Page, Traced, within};

/// Where schedules are performed, one after the other.
pub(crate) struct Arena {
    folder: tempfile::TempDir,
    page: Page,
    performed: usize,
}

impl Arena {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Arena { folder, page: Page::new(), performed: 0 }
    }

    /// What comes of a schedule here.
    pub(crate) fn perform(&mut self, scene: &Scene, schedule: &Schedule) -> Outcome {
        within(30);
        self.performed += 1;
        let path = self.folder.path().join(self.performed.to_string());
        fs::DirBuilder::new().mode(0o700).create(&path).expect("a new directory");
        let fs = OsFs::open(&path).expect("it can be opened");
        scene.furnish(&mut &fs);
        let mut real = Real { path: &path, fs, page: &self.page, processes: Vec::new() };
        let outcome = perform(&mut real, scene, schedule);
        drop(real);
        fs::remove_dir_all(&path).expect("it can be removed");
        outcome
    }
}

struct Real<'a> {
    path: &'a Path,
    fs: OsFs,
    page: &'a Page,
    processes: Vec<Traced>,
}

impl Machine for Real<'_> {
    fn start(&mut self, role: &Role) {
        let process = Traced::start(self.path, role, self.page);
        self.processes.push(process.expect("a process that is traced"));
    }

    fn step(&mut self, process: usize) -> Option<String> {
        self.processes[process].step(self.page)
    }

    /// Tries what the process would wait for, so that it need not.
    fn waits(&mut self, process: usize) -> Option<String> {
        let next = self.processes[process].next()?;
        let fs = &mut &self.fs;
        let directory = PathBuf::from(KEY);
        let answer = fs
            .open(&directory, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
            .and_then(|mut file| fs.flock(&mut file, FlockOperation::NonBlockingLockExclusive));
        let answer = match answer {
            Err(toctou::fs::Errno::WOULDBLOCK) => "would wait".to_owned(),
            other => format!("{other:?}"),
        };
        Some(format!("{next} = {answer}"))
    }

    fn kill(&mut self, process: usize) {
        self.processes[process].kill();
    }

    fn answer(&self, process: usize) -> Option<String> {
        self.processes[process].answer().map(str::to_owned)
    }

    fn tree(&mut self) -> Tree {
        self.fs.tree().expect("all of it can be read")
    }

    fn at_once(&mut self, role: &Role) -> String {
        role.play(&mut &self.fs)
    }
}
