//! Third floor, `run`: what a program sees of itself and of the time. It is the same each time that it is
//! run. Imports its neighbours in `run`.
//!
//! A program has numbers of its own for its processes, random bytes of its own, and a clock that only its
//! sleeps move on. They come from its identity.

use std::time::Duration;

use libc::pid_t;

use super::memory;
use super::tree::registers;
use crate::direct;

/// Who a program is: where its process numbers and its random bytes come from.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    number: u32,
    random: u64,
}

/// Above the largest number that Linux gives a process: nobody else is called so.
pub(super) const FIRST_PROCESS: u32 = 4_200_000;

/// The numbers of one program's processes.
const PROCESSES: u32 = 1_000;

/// What the clock shows when a program begins, in seconds since 1970: the beginning of the year 2020.
pub(super) const BEGINNING: i64 = 1_577_836_800;

impl Identity {
    /// The identity for a run of a program that has known so many answers.
    ///
    /// Programs that share a number are told apart by nobody. So what one does must not depend on its
    /// identity, and each further run of it has another one: what it asks is compared with the run before.
    pub(super) fn of_this_run() -> Identity {
        let number = match direct::process() {
            None | Some(1) => 1 + (direct::answers_known() % 2) as u32,
            Some(number) => 1 + number,
        };
        Identity { number, random: 0 }
    }

    /// The number of the process or thread of this index.
    pub(super) fn number(&self, index: u32) -> u32 {
        FIRST_PROCESS + self.number * PROCESSES + index
    }

    /// Whether it is the number of a process of this program, of one that has ended, or of none yet.
    pub(super) fn has(&self, number: u32) -> bool {
        (self.number(0)..self.number(PROCESSES)).contains(&number)
    }

    /// The next random bytes.
    pub(super) fn random(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            self.random += 1;
            bytes.extend(mixed(self.number.into(), self.random).to_ne_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// A process has begun a new program. The kernel gave it random bytes, and a way to ask for the time
    /// without a call: both are taken away.
    pub(super) fn of_new_program(&self, pid: pid_t, index: u32) {
        const AT_IGNORE: u64 = 1;
        let Some(at) = registers(pid).map(|now| now.rsp) else { return };
        let word = |at: u64| {
            let bytes = memory::read(pid, at, 8).ok()?;
            bytes.try_into().ok().map(u64::from_ne_bytes)
        };
        // The number of arguments; they and the environment, each with a zero at its end; pairs.
        let mut at = at + 8;
        for _ in 0..2 {
            while word(at).is_some_and(|word| word != 0) {
                at += 8;
            }
            at += 8;
        }
        while let Some(kind) = word(at).filter(|kind| *kind != libc::AT_NULL) {
            match kind {
                libc::AT_SYSINFO_EHDR => {
                    let _ = memory::write(pid, at, &AT_IGNORE.to_ne_bytes());
                }
                libc::AT_RANDOM => {
                    let to = word(at + 8).unwrap_or(0);
                    let seed = u64::from(self.number(index));
                    for half in 0..2 {
                        let bytes = mixed(seed, u64::MAX - half).to_ne_bytes();
                        let _ = memory::write(pid, to + 8 * half, &bytes);
                    }
                }
                _ => {}
            }
            at += 16;
        }
    }
}

/// What a world's clock shows when the programs begin.
pub(super) const WORLD_BEGINS: i64 = 1;

/// The same as a length of time.
pub(super) const BEGINS: Duration = Duration::from_secs(WORLD_BEGINS as u64);

/// A length of time without the little that [tells two times apart](time).
pub(super) fn rounded(time: Duration) -> Duration {
    let nanoseconds = time.subsec_nanos();
    Duration::from_secs(time.as_secs())
        + Duration::from_micros(u64::from(nanoseconds.saturating_add(500) / 1_000))
}

/// Whether it is a clock of the processor's time.
pub(super) fn is_of_the_processor(clock: i32) -> bool {
    [libc::CLOCK_PROCESS_CPUTIME_ID, libc::CLOCK_THREAD_CPUTIME_ID].contains(&clock)
}

/// A time of the world, as programs see it. A time of the kernel, where a schedule is replayed, is one of now:
/// within an hour of it, or as much older.
pub(super) fn told_time(seconds: i64) -> i64 {
    /// Invented times are smaller.
    const REAL: i64 = 1_000_000_000;
    match seconds {
        REAL.. => {
            let now = real_now();
            let age = now - seconds;
            if age < 3_600 { BEGINNING } else { BEGINNING - age }
        }
        _ => BEGINNING + seconds - WORLD_BEGINS,
    }
}

/// A time that a program gives, by the world's clock.
pub(super) fn world_time(seconds: i64) -> i64 {
    seconds - BEGINNING + WORLD_BEGINS
}

/// What the kernel's clock shows, in seconds since 1970.
pub(super) fn real_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64)
}

/// SplitMix64: looks random, and that is all.
fn mixed(seed: u64, index: u64) -> u64 {
    let mut it = seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

/// What a clock shows after so much sleep, if it was asked so often.
pub(super) fn time(clock: i32, slept: Duration, asked: u32) -> Duration {
    /// The machine has been up for so long.
    const UP: Duration = Duration::from_secs(1_000);
    // So little that no program sees it, and enough that no two times are the same.
    let passed = slept + Duration::from_nanos(asked.into());
    match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => {
            Duration::from_secs(BEGINNING as u64) + passed
        }
        libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID => {
            Duration::from_nanos(asked.into())
        }
        _ => UP + passed,
    }
}
