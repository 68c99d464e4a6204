//! What happened over a whole run, so that no idle one passes for an agreement.

use std::sync::atomic::{AtomicUsize, Ordering};

use toctou::fs::{Errno, Format, errno_name};

use super::ops::{Call, KINDS};

/// One more than the greatest error code that is counted.
const CODES: usize = 134;

/// How often each kind of call succeeded (0), and failed with each error.
pub(crate) struct Tally([[AtomicUsize; CODES]; KINDS.len()]);

/// Answers that a run has to have seen, since much of what they depend on is easily got wrong:
/// permissions, the sticky bit, links that go round in circles, limits.
const INTERESTING: [(&str, Errno); 69] = [
    ("open", Errno::ACCESS),
    ("open", Errno::EXIST),
    ("open", Errno::INVAL),
    ("open", Errno::ISDIR),
    ("open", Errno::LOOP),
    ("open", Errno::NOENT),
    ("open", Errno::NOTDIR),
    ("open_within", Errno::ACCESS),
    ("open_within", Errno::INVAL),
    ("open_within", Errno::LOOP),
    ("open_within", Errno::XDEV),
    ("stat", Errno::ACCESS),
    ("stat", Errno::LOOP),
    ("stat", Errno::NOTDIR),
    ("access", Errno::ACCESS),
    ("access", Errno::LOOP),
    ("chmod", Errno::ACCESS),
    ("chmod", Errno::PERM),
    ("fchmod", Errno::BADF),
    ("fchmod", Errno::PERM),
    ("unlink", Errno::ACCESS),
    ("unlink", Errno::ISDIR),
    ("unlink", Errno::PERM),
    ("rename", Errno::ACCESS),
    ("rename", Errno::INVAL),
    ("rename", Errno::NOTEMPTY),
    ("rename", Errno::PERM),
    ("rename_with", Errno::ACCESS),
    ("rename_with", Errno::EXIST),
    ("rename_with", Errno::PERM),
    ("link", Errno::ACCESS),
    ("link", Errno::EXIST),
    ("link", Errno::PERM),
    ("link_file", Errno::NOENT),
    ("symlink", Errno::ACCESS),
    ("symlink", Errno::EXIST),
    ("readlink", Errno::INVAL),
    ("mkdir", Errno::ACCESS),
    ("mkdir", Errno::EXIST),
    ("rmdir", Errno::PERM),
    ("flock", Errno::AGAIN),
    ("pread", Errno::ISDIR),
    ("pread", Errno::INVAL),
    ("pwrite", Errno::BADF),
    ("lseek", Errno::INVAL),
    ("ftruncate", Errno::INVAL),
    ("ftruncate", Errno::BADF),
    ("chmod_with", Errno::OPNOTSUPP),
    ("chmod_with", Errno::PERM),
    ("chown", Errno::ACCESS),
    ("chown", Errno::PERM),
    ("fchown", Errno::PERM),
    ("getdents", Errno::BADF),
    ("getdents", Errno::NOENT),
    ("getdents", Errno::NOTDIR),
    ("utimensat", Errno::ACCESS),
    ("utimensat", Errno::INVAL),
    ("utimensat", Errno::PERM),
    ("futimens", Errno::BADF),
    ("futimens", Errno::PERM),
    ("mknod", Errno::ACCESS),
    ("mknod", Errno::EXIST),
    ("mknod", Errno::INVAL),
    ("mknod", Errno::PERM),
    ("fcntl", Errno::AGAIN),
    ("fcntl", Errno::BADF),
    ("fcntl", Errno::OVERFLOW),
    ("link_with", Errno::LOOP),
    ("link_with", Errno::NOENT),
];

impl Default for Tally {
    fn default() -> Self {
        Tally(std::array::from_fn(|_| std::array::from_fn(|_| AtomicUsize::new(0))))
    }
}

impl Tally {
    pub(crate) fn count(&self, call: &Call, failure: Option<Errno>) {
        let code = failure.map_or(0, |errno| usize::try_from(errno.raw_os_error()).unwrap_or(0));
        self.0[call.kind()][code.min(CODES - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// Asserts that a run of `cases` sequences was no idle one: each kind of call succeeded often,
    /// and failed often where it can fail, in each of the ways that are interesting. Only several
    /// users are refused anything; some formats refuse to make a file without a name in a directory that
    /// was removed.
    pub(crate) fn assert_varied(&self, cases: usize, several_users: bool, format: Format) {
        let refused = (!format.unnamed_in_removed).then_some(("open", Errno::PERM));

        for (kind, counts) in KINDS.iter().zip(&self.0) {
            let counts = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
            let (succeeded, failed) = (counts[0], counts[1..].iter().sum::<usize>());
            let codes = counts.iter().enumerate().skip(1).filter(|(_, count)| **count > 0);
            let codes = codes.map(|(code, count)| {
                let errno = Errno::from_raw_os_error(i32::try_from(code).unwrap_or(0));
                format!(" {} {count}", errno_name(errno))
            });
            println!("{kind:12} {succeeded:8} ok {failed:8} failed:{}", codes.collect::<String>());
            assert!(succeeded * 40 >= cases, "{kind} succeeded only {succeeded} times");
            let never_fails = matches!(*kind, "fsync" | "fdatasync" | "fstat" | "close");
            assert!(never_fails || failed * 40 >= cases, "{kind} failed only {failed} times");
            for (interesting, errno) in INTERESTING.into_iter().chain(refused) {
                // What a format refuses, it refuses everybody.
                let is_refusal = matches!(errno, Errno::ACCESS | Errno::PERM)
                    && Some((interesting, errno)) != refused;
                if interesting != *kind || (is_refusal && !several_users) {
                    continue;
                }
                let code = usize::try_from(errno.raw_os_error()).unwrap_or(0);
                let seen = counts[code];
                assert!(seen * 1_000 >= cases, "{kind}: {} only {seen} times", errno_name(errno));
            }
        }
    }
}
