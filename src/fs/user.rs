//! First floor: on whose behalf a call is made. Imports [`process`](crate::process), the
//! [`FileSystem`] trait and rustix's vocabulary.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Gid, Mode, Uid};

use super::{Errno, FileSystem};
use crate::{Process, Step};

/// The caller of a system call, as a file system knows it: a user, its groups, and the umask.
///
/// Only root has capabilities, and root has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The user.
    pub uid: Uid,
    /// The user's own group. A file that the user makes belongs to it; in a set-group-ID directory
    /// it belongs to the directory's group.
    pub gid: Gid,
    /// The other groups that the user is in.
    pub groups: Groups,
    /// The bits that are taken away from the mode of a new file.
    pub umask: Mode,
}

impl User {
    /// Root, with umask 022.
    pub const ROOT: User = User {
        uid: Uid::ROOT,
        gid: Gid::ROOT,
        groups: Groups::NONE,
        umask: Mode::from_bits_retain(0o022),
    };

    /// The user with this number, in no group but that of the same number, with umask 022.
    pub fn numbered(id: u32) -> User {
        User {
            uid: Uid::from_raw(id),
            gid: Gid::from_raw(id),
            groups: Groups::NONE,
            umask: Mode::from_bits_retain(0o022),
        }
    }

    /// The same user with another umask.
    pub const fn with_umask(self, umask: Mode) -> User {
        User { umask, ..self }
    }

    /// The same user, in these groups besides its own.
    pub fn with_groups(self, groups: impl IntoIterator<Item = Gid>) -> User {
        User { groups: groups.into_iter().collect(), ..self }
    }

    /// The effective user and the groups of the calling thread. The umask is 022, since the
    /// thread's own cannot be read without changing it.
    pub fn current() -> User {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        // It fails where another thread changes them, which none does.
        let groups = rustix::process::getgroups().unwrap_or_default();
        User { uid, gid, ..User::ROOT }.with_groups(groups)
    }

    /// Whether the user is in this group.
    pub fn is_in(&self, group: Gid) -> bool {
        self.gid == group || self.groups.as_slice().contains(&group)
    }

    /// Whether the user is root. No permission stops root.
    pub fn is_root(&self) -> bool {
        self.uid.is_root()
    }
}

/// Supplementary groups: group numbers, each once.
///
/// A small value, like a [`User`]: the numbers themselves are stored once and never freed.
///
/// ```
/// use toctou::fs::{Gid, Groups};
///
/// let [staff, backup] = [50, 34].map(Gid::from_raw);
/// let groups: Groups = [staff, backup, staff].into_iter().collect();
/// assert_eq!(groups.as_slice(), [backup, staff]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Groups(&'static [Gid]);

impl Groups {
    /// No group.
    pub const NONE: Groups = Groups(&[]);

    /// Their numbers, in order.
    pub const fn as_slice(&self) -> &'static [Gid] {
        self.0
    }
}

/// Nothing where there are none, so that who has none is as quickly told apart as ever.
impl Hash for Groups {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.0.is_empty() {
            self.0.hash(state);
        }
    }
}

impl FromIterator<Gid> for Groups {
    fn from_iter<I: IntoIterator<Item = Gid>>(groups: I) -> Self {
        static KNOWN: Mutex<Vec<&'static [Gid]>> = Mutex::new(Vec::new());
        let mut groups: Vec<Gid> = groups.into_iter().collect();
        groups.sort_unstable_by_key(|group| group.as_raw());
        groups.dedup();
        if groups.is_empty() {
            return Groups::NONE;
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.iter().find(|known| ***known == groups[..]);
        Groups(same.copied().unwrap_or_else(|| {
            let kept = groups.leak();
            known.push(kept);
            kept
        }))
    }
}

/// A file system that several users act on.
pub trait Users: FileSystem {
    /// Makes the calls that follow on behalf of `user`. Returns the user who made the calls before.
    ///
    /// On a real system this changes the calling thread alone. Only root can become another user
    /// (else `EPERM`), and can become root again.
    fn act_as(&mut self, user: User) -> Result<User, Errno>;
}

/// A process that makes each of its steps on behalf of a user.
///
/// Between its steps the world is back at the user it had before. So worlds that differ only in who
/// acted last are equal.
///
/// # Panics
///
/// A step panics where the world does not let it become that user: a step on behalf of somebody
/// else would show something that is not so. A caller can try [`Users::act_as`] before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct As<P> {
    /// The user who acts.
    pub user: User,
    /// The process.
    pub process: P,
}

impl<F: Users, P: Process<F>> Process<F> for As<P> {
    type Output = P::Output;

    fn step(self, world: &mut F) -> Step<Self, P::Output> {
        let As { user, process } = self;
        let before = world.act_as(user).unwrap_or_else(|errno| refused(user, errno));
        // Nobody is left as somebody else by a panic.
        let step = catch_unwind(AssertUnwindSafe(|| process.step(world)));
        world.act_as(before).unwrap_or_else(|errno| refused(before, errno));
        let step = step.unwrap_or_else(|panic| resume_unwind(panic));
        step.map(|process| As { user, process })
    }
}

#[cold]
fn refused(user: User, errno: Errno) -> User {
    panic!("cannot act as user {}: {errno}; only root can act as several", user.uid.as_raw())
}

#[cfg(test)]
mod tests {
    use super::super::{OFlags, SimFs};
    use super::*;

    /// Makes a file, then another.
    #[derive(Clone, Debug)]
    struct TwoFiles(&'static [&'static str]);

    impl<F: FileSystem> Process<F> for TwoFiles {
        type Output = ();

        fn step(self, world: &mut F) -> Step<Self, ()> {
            let Some((name, rest)) = self.0.split_first() else { return Step::Done(()) };
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
            match world.open(*name, flags, Mode::from_raw_mode(0o666)) {
                Ok(_) => Step::Next(TwoFiles(rest)),
                Err(_) => Step::Done(()),
            }
        }
    }

    /// Panics.
    #[derive(Clone, Debug)]
    struct Panicking;

    impl<F> Process<F> for Panicking {
        type Output = ();

        fn step(self, _: &mut F) -> Step<Self, ()> {
            panic!("as it is to");
        }
    }

    #[test]
    fn a_step_that_panics_leaves_nobody_as_somebody_else() {
        let mut world = SimFs::new();
        let process = As { user: User::numbered(7), process: Panicking };
        let panicked = catch_unwind(AssertUnwindSafe(|| process.step(&mut world).map(drop)));
        assert!(panicked.is_err());
        assert_eq!(world.act_as(User::ROOT), Ok(User::ROOT));
    }

    #[test]
    fn each_step_is_its_users_and_the_world_nobodys_between_them() -> Result<(), Errno> {
        let alice = User::numbered(7).with_umask(Mode::from_bits_retain(0o077));
        let mut world = SimFs::new();
        world.chmod(".", Mode::from_raw_mode(0o777))?;
        let mut process = As { user: alice, process: TwoFiles(&["a", "b"]) };
        for name in ["a", "b"] {
            let Step::Next(next) = process.step(&mut world) else { panic!("{name} is not there") };
            process = next;
            let made = world.named(name).expect("it was made");
            assert_eq!((made.owner(), made.mode()), (alice.uid, Mode::from_raw_mode(0o600)));
            // Acting as somebody answers who it was before.
            assert_eq!(world.act_as(User::ROOT)?, User::ROOT);
        }
        assert!(matches!(process.step(&mut world), Step::Done(())));
        assert_eq!(world.act_as(User::ROOT)?, User::ROOT);
        Ok(())
    }
}
