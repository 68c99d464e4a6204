//! Random scenes and schedules, the same ones in every run.

use std::num::NonZeroUsize;

use toctou::fs::Mode;
use toctou::store::{Durability, Mechanism};
use toctou::writer::Options;

use crate::roles::{Role, Scene};
use crate::schedule::Schedule;
use crate::simulated::{calls_alone, chosen};

/// How many bytes a write writes where writes are short.
const SHORT: Option<NonZeroUsize> = NonZeroUsize::new(3);

/// Numbers that look random (splitmix64).
pub(crate) struct Draw(u64);

impl Draw {
    /// The numbers of this index.
    pub(crate) fn new(index: usize) -> Self {
        Draw((index as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A scene of one, two or three processes, which are mostly about the same thing.
    pub(crate) fn scene(&mut self) -> Scene {
        let mechanism = self.one_of(&Mechanism::ALL);
        let promises = [Durability::None, Durability::AtMostOnce, Durability::NothingLost];
        let mut durability = self.one_of(&promises);
        let renames = matches!(mechanism, Mechanism::RenameUnique | Mechanism::RenameFixed);
        // That ends without a call, which is soon seen.
        if durability == Durability::NothingLost && !renames && !self.one_in(8) {
            durability = self.one_of(&[Durability::None, Durability::AtMostOnce]);
        }
        let count = self.one_of(&[1, 2, 2, 2, 3]);
        let (is_mixed, is_about_p) = (self.one_in(6), self.one_in(3));
        let role = |index: usize| {
            let is_about_p = if is_mixed { self.one_in(2) } else { is_about_p };
            let token = format!("token{index}");
            if is_about_p { self.writer(token) } else { self.store(token, mechanism, durability) }
        };
        let roles = (0..count).map(role).collect();
        Scene {
            has_content: !self.one_in(4),
            has_file: self.one_in(2),
            write_limit: self.one_in(3).then_some(SHORT).flatten(),
            mechanism,
            durability,
            roles,
        }
    }

    fn store(&mut self, token: String, mechanism: Mechanism, durability: Durability) -> Role {
        match self.below(10) {
            0..5 => Role::Claim { token, mechanism, durability },
            5..7 => Role::Put { token, replace: self.one_in(2), durable: self.one_in(2) },
            7 => Role::Read { of_download: true },
            _ => Role::Expire { durable: self.one_in(2) },
        }
    }

    fn writer(&mut self, token: String) -> Role {
        if self.one_in(5) {
            return Role::Read { of_download: false };
        }
        let (replace, durable) = (self.one_in(2), self.one_in(2));
        let mode = Mode::from_raw_mode(self.one_of(&[0o600, 0o644, 0o666]));
        let options = Options { replace, durable, mode, ..Options::default() };
        Role::Write { token, options, by_name: !replace && self.one_in(3) }
    }

    /// A schedule of this scene, in which mostly one process is killed.
    pub(crate) fn schedule(&mut self, scene: &Scene) -> Schedule {
        let mut kills = Vec::new();
        for (process, calls) in calls_alone(scene).into_iter().enumerate() {
            if !self.one_in(3) {
                kills.push((process, self.below(calls.max(1))));
            }
        }
        let recovery_dies_after = self.one_in(3).then(|| self.below(9));
        let events = chosen(scene, &kills, |count| self.below(count));
        Schedule { events, recovery_dies_after, ..Schedule::default() }
    }
}
