//! Third floor, `writer`: how a file is to be written, and which operations that takes. Imports
//! [`fs`](crate::fs) and its neighbours in `writer`.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::NEW as MAKING;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::NEW_BY_NAME as MAKING;
use super::REPLACE;
use super::program::Op;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use crate::fs::LinuxOpenFlags as _;
use crate::fs::{Mode, OFlags, ResolveFlags};

/// How [`write_exclusive`](super::write_exclusive) writes.
///
/// ```
/// use toctou::fs::Mode;
/// use toctou::writer::Options;
///
/// let options = Options { replace: true, ..Options::default() };
/// assert_eq!(options.mode, Mode::from_raw_mode(0o600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// Whether an existing file is replaced. A symbolic link, a directory or a device is never
    /// replaced. `false` by default.
    pub replace: bool,
    /// The exact mode of the file: no umask is applied to it. 0600 by default.
    pub mode: Mode,
    /// Whether to wait until the file would survive a power failure. The file is flushed before it
    /// gets its name, and its directory after. The directory has to be readable for that. `false`
    /// by default.
    pub durable: bool,
    /// Whether symbolic links on the way to the file's directory are followed. `false` by default:
    /// anybody who can make a link there decides where the file is written.
    pub follow_parents: bool,
}

impl Default for Options {
    fn default() -> Self {
        let mode = Mode::RUSR | Mode::WUSR;
        Options { replace: false, mode, durable: false, follow_parents: false }
    }
}

impl Options {
    /// The operations: [`NEW`](super::NEW) or [`REPLACE`], or [`NEW_BY_NAME`](super::NEW_BY_NAME)
    /// off Linux. They contain the calls of `fsync` that [`durable`](Options::durable) asks for.
    /// `beneath` is for a path that must not leave the directory it starts from.
    ///
    /// ```
    /// use toctou::writer::{NEW, Op, Options};
    ///
    /// let quick = Options::default().program(false);
    /// # #[cfg(target_os = "linux")]
    /// assert!(NEW.iter().filter(|op| **op != Op::Sync).eq(&quick));
    /// ```
    pub fn program(&self, beneath: bool) -> Vec<Op> {
        self.adapted(if self.replace { REPLACE } else { MAKING }, beneath)
    }

    /// Another list of operations, adapted in the same way.
    pub fn adapted(&self, proved: &[Op], beneath: bool) -> Vec<Op> {
        let mut program = Vec::with_capacity(proved.len() + 3);
        let verifies = proved.contains(&Op::Verify);
        for &op in proved {
            match op {
                Op::Anchor(flags, limits) => program.push(self.anchor(flags, limits, beneath)),
                Op::Sync if !self.durable => {}
                // What is told last is what was seen last.
                Op::Verify if self.durable => program.extend([Op::SyncDirectory, Op::Verify]),
                Op::SetMode if self.durable && !verifies => {
                    program.extend([Op::SetMode, Op::Identify]);
                }
                op => program.push(op),
            }
        }
        // Others may act while the directory is flushed.
        if self.durable && !verifies {
            program.extend([Op::SyncDirectory, Op::Verify]);
        }
        program
    }

    fn anchor(&self, flags: OFlags, limits: ResolveFlags, beneath: bool) -> Op {
        // What is open as a mere place cannot be flushed.
        let flags = if self.durable { flags.difference(OFlags::PATH) } else { flags };
        let limits = match self.follow_parents {
            true => limits.difference(ResolveFlags::NO_SYMLINKS),
            false => limits,
        };
        let beneath = if beneath { ResolveFlags::BENEATH } else { ResolveFlags::empty() };
        Op::Anchor(flags, limits | beneath)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_and_limits(program: &[Op]) -> (OFlags, ResolveFlags) {
        match program.first() {
            Some(Op::Anchor(flags, limits)) => (*flags, *limits),
            first => panic!("no anchor first: {first:?}"),
        }
    }

    #[test]
    fn what_ships_is_what_is_proved_but_for_its_flushes_and_its_limits() {
        for index in 0..16 {
            let [replace, durable, follow_parents, beneath] =
                [1, 2, 4, 8].map(|bit| index & bit != 0);
            let options = Options { replace, durable, follow_parents, ..Options::default() };
            let program = options.program(beneath);
            // A flush of the directory brings a last look with it.
            let brought = |op: &&Op| durable && !replace && matches!(op, Op::Identify | Op::Verify);
            let is_flush = |op: &&Op| matches!(op, Op::Sync | Op::SyncDirectory);
            let unflushed = |program: &[Op]| -> Vec<Op> {
                program[1..].iter().filter(|op| !is_flush(op) && !brought(op)).copied().collect()
            };
            let proved = if replace { REPLACE } else { MAKING };
            assert_eq!(unflushed(&program), unflushed(proved), "{options:?}");
            let flushes: Vec<_> = program.iter().filter(is_flush).collect();
            let expected: &[&Op] = if durable { &[&Op::Sync, &Op::SyncDirectory] } else { &[] };
            assert_eq!(flushes, expected, "{options:?}");
            assert!(!(replace || durable) || program.last() == Some(&Op::Verify), "{options:?}");

            let (flags, limits) = flags_and_limits(&program);
            assert_eq!(flags.contains(OFlags::PATH), !durable);
            assert!(flags.contains(OFlags::DIRECTORY));
            assert_eq!(limits.contains(ResolveFlags::NO_SYMLINKS), !follow_parents);
            assert_eq!(limits.contains(ResolveFlags::BENEATH), beneath);
        }
        assert_eq!(
            flags_and_limits(&Options::default().program(false)),
            flags_and_limits(MAKING),
            "by default, the proved one's"
        );
    }
}
