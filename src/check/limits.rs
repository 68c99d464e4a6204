//! Second floor, `check`: how long an engine explores, and how it reports its progress. Imports its
//! neighbours in `check`.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::verdict::{Bound, Engine};

/// How much time and memory one engine may take.
///
/// An engine that reaches a limit ends with what it knows. A property that it has not decided is
/// [unfinished](super::Verdict::Unfinished).
///
/// ```
/// # use toctou::check::{Checker, Limits, System};
/// # use toctou::{Process, Step};
/// # use std::time::Duration;
/// # #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// # struct Adds;
/// # impl Process<u64> for Adds {
/// #     type Output = ();
/// #     fn step(self, world: &mut u64) -> Step<Self, ()> { *world += 1; Step::Next(self) }
/// # }
/// let endless = System::new(0).clients(1, Adds).always("small", |state| *state.world() < 1 << 60);
/// let limits = Limits { time: Some(Duration::from_millis(20)), ..Limits::default() };
/// let report = Checker::new(endless).within(limits).graph(&Default::default());
/// assert!(!report.holds() && !report.exhaustive());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long one engine explores; without limit if `None`. A minute by default.
    pub time: Option<Duration>,
    /// By how many bytes the memory of the whole process may grow meanwhile; without limit if
    /// `None`. 4 GiB by default.
    ///
    /// The memory is known on Linux only. The engine checks it between rounds of up to 131,072
    /// states. Memory that other threads of the process take counts as well.
    pub memory: Option<u64>,
    /// Whether an engine reports its progress on the standard error stream: every three seconds, if
    /// it runs longer than that.
    pub tells: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { time: Some(Duration::from_secs(60)), memory: Some(4 << 30), tells: true }
    }
}

impl Limits {
    /// No limit, and no progress reports.
    pub const NONE: Limits = Limits { time: None, memory: None, tells: false };

    /// Starts the clock for an engine.
    pub(super) fn start(&self, engine: Engine) -> Meter {
        let started = Instant::now();
        let before = if self.memory.is_some() { resident() } else { None };
        Meter { limits: self.clone(), engine, started, before, looked: started, told: started }
    }
}

/// How often an engine tells how far it is.
const EVERY: Duration = Duration::from_secs(3);

/// How often it looks how much memory there is.
const LOOKS: Duration = Duration::from_millis(50);

/// What one engine has taken so far.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    engine: Engine,
    started: Instant,
    before: Option<u64>,
    looked: Instant,
    told: Instant,
}

impl Meter {
    /// The limit that is reached, if one is. `far` says how far the engine is: `1,200,000 states`.
    pub(super) fn reached(&mut self, far: impl FnOnce() -> String) -> Option<Bound> {
        let now = Instant::now();
        if let Some(bound) = self.late(now) {
            return Some(bound);
        }
        if now.duration_since(self.looked) >= LOOKS {
            self.looked = now;
            if let (Some(limit), Some(before), Some(after)) =
                (self.limits.memory, self.before, self.before.and_then(|_| resident()))
                && after.saturating_sub(before) > limit
            {
                return Some(Bound::Memory(limit));
            }
        }
        if self.limits.tells && now.duration_since(self.told) >= EVERY {
            self.told = now;
            let seconds = now.duration_since(self.started).as_secs();
            let _ = writeln!(std::io::stderr(), "{}: {} after {seconds} s", self.engine, far());
        }
        None
    }

    /// That the time was up.
    pub(super) fn time(&self) -> Bound {
        Bound::Time(self.limits.time.unwrap_or_default())
    }

    fn late(&self, now: Instant) -> Option<Bound> {
        let limit = self.limits.time?;
        (now.duration_since(self.started) > limit).then_some(Bound::Time(limit))
    }

    /// When the time is up, if there is a limit to it.
    pub(super) fn until(&self) -> Option<Instant> {
        self.started.checked_add(self.limits.time?)
    }

    /// How long it has taken.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// How many bytes of memory this process has in use: `VmRSS` of
/// [`/proc/self/status`](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html).
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_reached_and_named() {
        let limits = Limits { time: Some(Duration::ZERO), ..Limits::NONE };
        std::thread::sleep(Duration::from_millis(1));
        let mut meter = limits.start(Engine::Graph);
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(meter.reached(String::new), Some(Bound::Time(Duration::ZERO)));
        let mut free = Limits::NONE.start(Engine::Graph);
        assert_eq!(free.reached(String::new), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_measured() {
        let limits = Limits { memory: Some(16 << 20), ..Limits::NONE };
        let mut meter = limits.start(Engine::Graph);
        meter.looked = Instant::now().checked_sub(LOOKS).unwrap();
        assert_eq!(meter.reached(String::new), None);
        let taken = vec![1_u8; 64 << 20];
        meter.looked = Instant::now().checked_sub(LOOKS).unwrap();
        assert_eq!(meter.reached(String::new), Some(Bound::Memory(16 << 20)));
        drop(taken);
    }
}
