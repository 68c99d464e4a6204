//! First floor: on whose behalf a call is made. Imports [`process`](crate::process), the
//! [`FileSystem`] trait and rustix's vocabulary.

use rustix::fs::{Gid, Mode, Uid};

use super::{Errno, FileSystem};
use crate::{Process, Step};

/// Who makes a call, as far as a file system asks: a user, one group, and the umask.
///
/// There are no supplementary groups and no capabilities but root's, who has all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The user.
    pub uid: Uid,
    /// The group.
    pub gid: Gid,
    /// What is taken away from the mode of a file that is made.
    pub umask: Mode,
}

impl User {
    /// Root, with umask 022.
    pub const ROOT: User =
        User { uid: Uid::ROOT, gid: Gid::ROOT, umask: Mode::from_bits_retain(0o022) };

    /// The user of this number, alone in the group of the same number, with umask 022.
    pub fn numbered(id: u32) -> User {
        User {
            uid: Uid::from_raw(id),
            gid: Gid::from_raw(id),
            umask: Mode::from_bits_retain(0o022),
        }
    }

    /// The same user with another umask.
    pub const fn with_umask(self, umask: Mode) -> User {
        User { umask, ..self }
    }

    /// The effective user and group of this process, with the umask 022 (which cannot be asked for
    /// without being changed).
    pub fn current() -> User {
        User { uid: rustix::process::geteuid(), gid: rustix::process::getegid(), ..User::ROOT }
    }

    /// Whether it is root, whom no permission stops.
    pub fn is_root(&self) -> bool {
        self.uid.is_root()
    }
}

/// A file system that several users act on.
pub trait Users: FileSystem {
    /// Makes the calls that follow on behalf of `user`; answers who it was before.
    ///
    /// On a real system this is about the calling thread alone, and only root (`EPERM`) can become
    /// somebody else, and root again.
    fn act_as(&mut self, user: User) -> Result<User, Errno>;
}

/// A process each of whose steps is made on behalf of a user.
///
/// Between its steps the world is nobody's in particular (whoever it was before), so that worlds
/// which differ only in who acted last are one.
///
/// # Panics
///
/// A step panics where the world does not let it become that user: to go on as somebody else would
/// show something that is not so. [`Users::act_as`] can be tried before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct As<P> {
    /// On whose behalf.
    pub user: User,
    /// What is done.
    pub process: P,
}

impl<F: Users, P: Process<F>> Process<F> for As<P> {
    type Output = P::Output;

    fn step(self, world: &mut F) -> Step<Self, P::Output> {
        let As { user, process } = self;
        let before = world.act_as(user).unwrap_or_else(|errno| refused(user, errno));
        let step = process.step(world);
        world.act_as(before).unwrap_or_else(|errno| refused(before, errno));
        step.map(|process| As { user, process })
    }
}

#[cold]
fn refused(user: User, errno: Errno) -> User {
    panic!("cannot act as user {}: {errno}; only root can act as several", user.uid.as_raw())
}
