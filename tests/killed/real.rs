//! This machine: real processes in a directory of its file system.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use toctou::fs::{Errno, FileSystem, FlockOperation, Mode, OFlags, OsFs, Tree};

use crate::roles::{KEY, Role, Scene};
use crate::schedule::{Machine, Outcome, Schedule, perform};
use crate::shipped::shipped;
use crate::traced::{Page, Traced, dies_with_its_parent, within};

/// Where schedules are performed, one after the other.
pub(crate) struct Arena {
    folder: tempfile::TempDir,
    page: Page,
    performed: usize,
    /// How often `OneTimeStore::recover` was called, from its first call to its end.
    pub(crate) recovered_as_shipped: usize,
}

impl Arena {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Arena { folder, page: Page::new(), performed: 0, recovered_as_shipped: 0 }
    }

    /// What comes of a schedule here.
    pub(crate) fn perform(&mut self, scene: &Scene, schedule: &Schedule) -> Outcome {
        self.with(scene, By::Functions, |real| perform(real, scene, schedule))
    }

    /// The same, where the processes use the types that ship.
    pub(crate) fn perform_as_shipped(&mut self, scene: &Scene, schedule: &Schedule) -> Outcome {
        self.with(scene, By::WhatShips, |real| perform(real, scene, schedule))
    }

    /// Furnishes a directory for this, and removes it.
    fn with<T>(&mut self, scene: &Scene, by: By, act: impl FnOnce(&mut Real<'_>) -> T) -> T {
        within(30);
        self.performed += 1;
        let path = self.folder.path().join(self.performed.to_string());
        fs::DirBuilder::new().mode(0o700).create(&path).expect("a new directory");
        let fs = scene.opened(&path).expect("it can be opened");
        scene.furnish(&mut &fs);
        let (page, processes, recovered_as_shipped) = (&self.page, Vec::new(), 0);
        let mut real = Real { scene, by, path: &path, fs, page, processes, recovered_as_shipped };
        let came = act(&mut real);
        self.recovered_as_shipped += real.recovered_as_shipped;
        fs::remove_dir_all(&path).expect("it can be removed");
        came
    }
}

/// By what a process does what it does.
#[derive(Clone, Copy)]
enum By {
    /// The functions that the simulation runs.
    Functions,
    /// `OneTimeStore` and `write_exclusive_in`.
    WhatShips,
}

struct Real<'a> {
    scene: &'a Scene,
    by: By,
    path: &'a Path,
    fs: OsFs,
    page: &'a Page,
    processes: Vec<Traced>,
    recovered_as_shipped: usize,
}

impl Machine for Real<'_> {
    fn start(&mut self, role: &Role) {
        let process = match self.by {
            By::Functions => Traced::start(self.page, || played(role, self.scene, self.path)),
            By::WhatShips => Traced::start(self.page, || shipped(role, self.path)),
        };
        self.processes.push(process.expect("a process that is traced"));
    }

    fn step(&mut self, process: usize) -> Option<String> {
        self.processes[process].step(self.page)
    }

    /// Tries what the process would wait for, so that it need not.
    fn waits(&mut self, process: usize) -> Option<String> {
        let next = self.processes[process].next()?;
        let fs = &mut &self.fs;
        let answer = fs
            .open(KEY, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
            .and_then(|mut file| fs.flock(&mut file, FlockOperation::NonBlockingLockExclusive));
        let answer = match answer {
            Err(Errno::WOULDBLOCK) => "would wait".to_owned(),
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
        match (self.by, role) {
            (By::WhatShips, Role::Recover { .. }) => {
                self.recovered_as_shipped += 1;
                shipped(role, self.path).expect("the store recovers")()
            }
            _ => role.play(&mut &self.fs),
        }
    }
}

/// A role, by the functions that the simulation runs.
fn played(role: &Role, scene: &Scene, path: &Path) -> Option<impl FnOnce() -> String> {
    let fs = scene.opened(path).ok()?;
    Some(move || role.play(&mut &fs))
}

/// Lets a process die that has started another, and asserts that the other one is killed by that.
pub(crate) fn ends_with_its_tracer(scene: &Scene) {
    Arena::new().with(scene, By::Functions, |real| {
        let (role, scene, path) = (&scene.roles[0], real.scene, real.path);
        dies_with_its_parent(|| Traced::start(real.page, || played(role, scene, path)));
    });
}
