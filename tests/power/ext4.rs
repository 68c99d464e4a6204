//! The profile [`Ext4`], judged by the kernel: a program runs on ext4, on a disk that keeps a log, and the
//! kernel mounts what a power failure may leave of that disk.
//!
//! The kernel decides by itself when it writes something back. Here it is pushed to do so, between the
//! calls of a program, in one way after the other.
//!
//! `TOCTOU_EXT4_CASES` sets how many random programs are tried, and then they are others each time.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use toctou::fs::Profile::{self, Ext4, MetadataPrefix, Posix, Sequential};
use toctou::fs::{OsFile, OsFs};

use super::device::{BLOCK, Formatted, Recorded, apart};
use super::litmus::{appends, content, create, replace, synced};
use super::programs::{Call, Open, Program, State, append, ever, perform, state, survivals};
use crate::tries::Tries;

/// What makes the kernel write something to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Push {
    /// What is in the journal, as the `fsync` of another file does.
    Commit,
    /// The bytes of the file of this number, as it does when they are some seconds old.
    WriteBack(usize),
    /// Those of a file from its second block on, then the journal. The kernel may begin there: it goes on
    /// where it stopped the last time.
    SecondBlock(usize),
    /// Both, without a wait for the bytes.
    Race(usize),
}

/// What is pushed before each call of a program, and after the last one.
type Schedule = Vec<Option<Push>>;

/// When a power failure happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// When so many calls have been made.
    After(usize),
    /// When so many calls have been made, and the next one has begun.
    In(usize),
}

/// What was there after a power failure.
#[derive(Clone, Debug)]
struct Seen {
    state: State,
    moments: Vec<Moment>,
    schedule: Schedule,
}

fn push(open: &Open<OsFile>, other: &File, push: Push) {
    let write_back = |number: usize, from: usize, flags| {
        if let Some(Some(file)) = open.0.get(number) {
            // SAFETY: the descriptor is open, and no memory is passed.
            let answer =
                unsafe { libc::sync_file_range(file.as_fd().as_raw_fd(), from as i64, 0, flags) };
            assert_eq!(answer, 0, "the kernel writes back");
        }
    };
    let commit = || {
        // There is something to commit.
        let mode = other.metadata().expect("it is open").permissions().mode();
        other.set_permissions(Permissions::from_mode(mode ^ 0o100)).expect("it is ours");
        other.sync_all().expect("the disk is well");
    };
    const WRITE: u32 = libc::SYNC_FILE_RANGE_WRITE;
    const WAIT: u32 = libc::SYNC_FILE_RANGE_WAIT_AFTER;
    match push {
        Push::Commit => commit(),
        Push::WriteBack(number) => write_back(number, 0, WRITE | WAIT),
        Push::SecondBlock(number) => {
            write_back(number, BLOCK, WRITE | WAIT);
            commit();
        }
        Push::Race(number) => {
            write_back(number, 0, WRITE);
            commit();
        }
    }
}

/// Runs a program so, and reads what each power failure may leave.
fn observed(
    formatted: &Formatted,
    options: &str,
    program: &Program,
    schedule: &[Option<Push>],
) -> Vec<Seen> {
    const WORLD: &str = "world";
    let recorded = Recorded::mount(formatted, options);
    let world = recorded.mounted().join(WORLD);
    for directory in [world.clone(), world.join("d"), world.join("e")] {
        fs::create_dir(&directory).expect("there is room");
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).expect("it is ours");
    }
    let other = File::create(recorded.mounted().join("other")).expect("there is room");
    let anchor = OsFs::open(&world).expect("it is there");
    let (mut files, mut open) = (&anchor, Open::default());
    program.setup.iter().for_each(|call| perform(&mut files, &mut open, call));
    rustix::fs::syncfs(&other).expect("the disk is well");

    let from = recorded.logged();
    let mut moments = Vec::new();
    let mut begun = from;
    for (number, pushed) in schedule.iter().enumerate() {
        pushed.iter().for_each(|pushed| push(&open, &other, *pushed));
        if let Some(call) = program.calls.get(number) {
            let start = recorded.logged();
            moments.push((Moment::After(number), begun, start));
            perform(&mut files, &mut open, call);
            begun = recorded.logged();
            moments.push((Moment::In(number), start, begun));
        }
    }
    rustix::fs::syncfs(&other).expect("the disk is well");
    let to = recorded.logged();
    moments.push((Moment::After(program.calls.len()), begun, to));
    drop((open, other, anchor));

    let seen = recorded.unmount().trees(from, to, WORLD);
    seen.into_iter()
        .map(|(tree, (least, most))| {
            let possible = moments.iter().filter(|(_, start, end)| *start <= most && least <= *end);
            let moments = possible.map(|(moment, ..)| *moment).collect();
            Seen { state: state(&tree), moments, schedule: schedule.to_vec() }
        })
        .collect()
}

/// Each way to push, once.
fn schedules(program: &Program) -> Vec<Schedule> {
    let pushes = pushes(program);
    let gaps = program.calls.len() + 1;
    let once = (1..gaps).flat_map(|gap| pushes.iter().map(move |push| (gap, *push)));
    let once = once.map(|(gap, push)| {
        let mut schedule = vec![None; gaps];
        schedule[gap] = Some(push);
        schedule
    });
    std::iter::once(vec![None; gaps]).chain(once).collect()
}

fn pushes(program: &Program) -> Vec<Push> {
    let changed = program.calls.iter().filter_map(|call| match call {
        Call::Append(file, _) | Call::Write(file, ..) | Call::Truncate(file, _) => Some(*file),
        _ => None,
    });
    let changed: BTreeSet<usize> = changed.collect();
    let of_files = changed.into_iter().flat_map(|file| [Push::WriteBack(file), Push::Race(file)]);
    std::iter::once(Push::Commit).chain(of_files).collect()
}

/// What was seen and is not among what the profile lets survive.
fn disagreements(profile: Profile, program: &Program, seen: &[Seen]) -> Vec<(Moment, Seen)> {
    let survivals = survivals(profile, BLOCK, &program.setup, &program.calls);
    let is_allowed = |moment: &Moment, state: &State| match *moment {
        Moment::After(calls) => survivals[calls].contains(state),
        Moment::In(call) => survivals[call].contains(state) || survivals[call + 1].contains(state),
    };
    let mut found = Vec::new();
    for seen in seen {
        let wrong = seen.moments.iter().filter(|moment| !is_allowed(moment, &seen.state));
        found.extend(wrong.map(|moment| (*moment, seen.clone())));
    }
    found
}

fn whole(state: &State, name: &str) -> Option<String> {
    state.iter().find(|(path, _)| path == name).map(|(_, told)| told.clone())
}

/// A text, with runs of a letter as their lengths.
fn brief(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let runs = letters.chunk_by(|one, other| one == other);
    let told = runs.map(|run| match run {
        [one] => one.escape_debug().to_string(),
        run => format!("{}*{} ", run[0].escape_debug(), run.len()),
    });
    told.collect()
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, told) in self.state.iter().filter(|(_, told)| !told.starts_with('/')) {
            write!(f, "{name}: {}; ", brief(told))?;
        }
        write!(f, "pushed by {:?}", self.schedule)
    }
}

/// Asserts that the profile lets all survive that was seen.
fn assert_agrees(name: &str, options: &str, program: &Program, seen: &[Seen]) {
    if let Some((moment, seen)) = disagreements(Ext4, program, seen).first() {
        let calls: Vec<String> = program.calls.iter().map(told).collect();
        panic!("{name}, {options:?}: {moment:?} of {}: {seen}", calls.join(", "));
    }
}

fn told(call: &Call) -> String {
    let text = |bytes: &[u8]| brief(&String::from_utf8_lossy(bytes));
    match call {
        Call::Append(file, bytes) => format!("Append({file}, {})", text(bytes)),
        Call::Write(file, at, bytes) => format!("Write({file}, {at}, {})", text(bytes)),
        call => format!("{call:?}"),
    }
}

/// As ext4 was mounted by default until Linux 5.5.
const UNTIL_5_5: &str = "dioread_lock";

/// As it is mounted by default.
const DEFAULT: &str = "";

/// Random programs, pushed in one way each.
const TRIES: Tries = Tries("TOCTOU_EXT4_CASES");

/// What a program leaves, pushed in each of these ways.
fn seen(options: &str, program: &Program, schedules: &[Schedule]) -> Vec<Seen> {
    let formatted = Formatted::new();
    schedules.iter().flat_map(|it| observed(&formatted, options, program, it)).collect()
}

/// Asserts that the profile lets all survive that was seen, and that so much of what it lets survive was
/// seen.
fn judge(name: &str, options: &str, program: &Program, least: usize) {
    let seen = seen(options, program, &schedules(program));
    assert_agrees(name, options, program, &seen);
    let states: BTreeSet<State> = seen.iter().map(|seen| seen.state.clone()).collect();
    let simulated = ever(Ext4, BLOCK, &program.setup, &program.calls);
    let (images, both) = (seen.len(), simulated.intersection(&states).count());
    let all = simulated.len();
    println!("{name} ({options:?}): {both} of {all} states of the profile seen, {images} disks");
    assert!(both >= least, "{name}, {options:?}: {both} of {all}");
}

#[test]
fn prefix_append() {
    apart("ext4::prefix_append", || judge("prefix-append", DEFAULT, &appends(), 5));
}

#[test]
fn ordered_overwrites() {
    apart("ext4::ordered_overwrites", || {
        let write = |file, at| Call::Write(file, at, b"1".to_vec());
        let setup = vec![Call::Create("f"), append(0, "0", 2 * BLOCK)];
        let one = Program { setup, calls: vec![write(0, BLOCK), write(0, 0)] };
        judge("ordered-same-file-overwrites", DEFAULT, &one, 4);
        let setup = [Call::Create("f"), Call::Create("g"), append(0, "0", 1), append(1, "0", 1)];
        let two = Program { setup: setup.to_vec(), calls: vec![write(0, 0), write(1, 0)] };
        judge("ordered-two-file-overwrites", DEFAULT, &two, 4);
    });
}

#[test]
fn implied_directory_fsync() {
    apart("ext4::implied_directory_fsync", || {
        judge("implied-directory-fsync", DEFAULT, &synced(), 3);
    });
}

#[test]
fn atomic_replace_via_rename() {
    apart("ext4::atomic_replace_via_rename", || {
        judge("atomic-replace-via-rename", DEFAULT, &replace(false), 3);
        // Not with the care that ext4 takes of programs without an fsync.
        judge("atomic-replace-via-rename", "noauto_da_alloc", &replace(false), 4);
        judge("atomic-replace-via-rename, synced", DEFAULT, &replace(true), 4);
    });
}

#[test]
fn atomic_create_via_rename() {
    apart("ext4::atomic_create_via_rename", || {
        judge("atomic-create-via-rename", DEFAULT, &create(false), 4);
        judge("atomic-create-via-rename, synced", DEFAULT, &create(true), 4);
    });
}

#[test]
fn a_wrong_profile_is_found_out() {
    apart("ext4::a_wrong_profile_is_found_out", || {
        let program = appends();
        let seen = seen(DEFAULT, &program, &schedules(&program)[..3]);
        let wrong = disagreements(Sequential, &program, &seen);
        let zeros = |state: &State| content(state, "file").unwrap().contains('\0');
        assert!(wrong.iter().any(|(_, seen)| zeros(&seen.state)));
    });
}

/// The model checker of those who defined the profile found seven, five and four states.
#[test]
fn until_linux_5_5_there_were_as_many_states_as_published() {
    apart("ext4::until_linux_5_5_there_were_as_many_states_as_published", || {
        let programs = [(appends(), 5, 7), (create(false), 4, 5), (create(true), 4, 4)];
        for (program, least, published) in programs {
            let seen = seen(UNTIL_5_5, &program, &schedules(&program));
            let states: BTreeSet<State> = seen.into_iter().map(|seen| seen.state).collect();
            println!("{} of {published} published states", states.len());
            assert!((least..=published).contains(&states.len()), "{states:?}");
        }
    });
}

/// Asserts that ext4 leaves this after all calls of a program, and which profiles let it survive, of all.
fn surprise(
    options: &str,
    program: &Program,
    push: Option<Push>,
    such: impl Fn(&State) -> bool,
    expected: &[Profile],
) {
    let all = program.calls.len();
    let schedule = [vec![None; all], vec![push]].concat();
    let is_such = |seen: &&Seen| seen.moments.contains(&Moment::After(all)) && such(&seen.state);
    // It may take the kernel a few tries to be that slow.
    let found = (0..20).find_map(|_| {
        let seen = seen(options, program, std::slice::from_ref(&schedule));
        seen.iter().find(is_such).cloned()
    });
    let calls: Vec<String> = program.calls.iter().map(told).collect();
    let found =
        found.unwrap_or_else(|| panic!("ext4, {options:?}, leaves no such state: {calls:?}"));
    let after = Seen { moments: vec![Moment::After(all)], ..found };
    let after = std::slice::from_ref(&after);
    let allowed = Profile::ALL.into_iter();
    let allowed = allowed.filter(|profile| disagreements(*profile, program, after).is_empty());
    assert_eq!(allowed.collect::<Vec<_>>(), expected, "{calls:?}");
}

/// Definition 7 has a new block and its length at once. By default, Linux 5.6 and later first have it as a
/// block without bytes (`dioread_nolock`).
#[test]
fn a_new_block_survives_as_zeros() {
    apart("ext4::a_new_block_survives_as_zeros", || {
        let zeros = |state: &State| content(state, "file") == Some("\0\0\0");
        surprise(DEFAULT, &create(false), None, zeros, &[MetadataPrefix, Ext4, Posix]);
        surprise(DEFAULT, &replace(false), None, zeros, &[MetadataPrefix, Ext4, Posix]);
    });
}

/// Definition 7 has changes of one file's length and mode in order. What was appended comes late.
#[test]
fn a_mode_survives_without_the_length_before_it() {
    apart("ext4::a_mode_survives_without_the_length_before_it", || {
        let calls = vec![append(0, "a", 3), Call::Chmod(0, 0o640)];
        let program = Program { setup: vec![Call::Create("a")], calls };
        let such = |state: &State| whole(state, "a").as_deref() == Some("640 ");
        for options in [DEFAULT, UNTIL_5_5] {
            surprise(options, &program, Some(Push::Commit), such, &[Ext4, Posix]);
        }
    });
}

#[test]
fn a_length_that_was_set_survives_without_the_append_before_it() {
    apart("ext4::a_length_that_was_set_survives_without_the_append_before_it", || {
        let such = |state: &State| content(state, "a").is_some_and(|it| it.starts_with('\0'));
        for length in [2, 8] {
            let calls = vec![append(0, "a", 3), Call::Truncate(0, length)];
            let program = Program { setup: vec![Call::Create("a")], calls };
            surprise(UNTIL_5_5, &program, Some(Push::Commit), such, &[MetadataPrefix, Ext4, Posix]);
        }
    });
}

/// ext4 fills the rest of the block with zeros, which may be there before the length.
#[test]
fn a_shorter_length_survives_as_zeros() {
    apart("ext4::a_shorter_length_survives_as_zeros", || {
        let setup = vec![Call::Create("a"), append(0, "a", 8)];
        let program = Program { setup, calls: vec![Call::Truncate(0, 2)] };
        let such = |state: &State| content(state, "a") == Some("aa\0\0\0\0\0\0");
        for options in [DEFAULT, UNTIL_5_5] {
            surprise(options, &program, Some(Push::WriteBack(0)), such, &[Ext4, Posix]);
        }
    });
}

/// The names of a file are no part of its data, but for the first one.
#[test]
fn an_fdatasync_leaves_a_rename_pending() {
    apart("ext4::an_fdatasync_leaves_a_rename_pending", || {
        let setup = vec![Call::Create("a"), append(0, "a", 3)];
        let such = |state: &State| content(state, "a").is_some() && content(state, "b").is_none();
        for change in [Call::Rename("a", "b"), Call::Link("a", "b")] {
            let program = Program { setup: setup.clone(), calls: vec![change, Call::Fdatasync(0)] };
            surprise(DEFAULT, &program, None, such, &[MetadataPrefix, Ext4, Posix]);
        }
    });
}

/// Definition 7 has all bytes of a file before its next new block.
#[test]
fn a_new_block_survives_without_the_bytes_before_it() {
    apart("ext4::a_new_block_survives_without_the_bytes_before_it", || {
        let setup = vec![Call::Create("a"), append(0, "a", BLOCK)];
        let calls = vec![Call::Write(0, 0, b"1".to_vec()), append(0, "b", 3)];
        let program = Program { setup, calls };
        let such = |state: &State| {
            let content = content(state, "a").unwrap();
            content.starts_with('a') && content.ends_with("bbb")
        };
        for options in [DEFAULT, UNTIL_5_5] {
            surprise(
                options,
                &program,
                Some(Push::SecondBlock(0)),
                such,
                &[MetadataPrefix, Ext4, Posix],
            );
        }
    });
}

fn call() -> impl Strategy<Value = Call> {
    let name = || prop::sample::select(vec!["a", "b", "d/c"]);
    let file = 0..2_usize;
    let letters = || (prop::sample::select(vec!["x", "y"]), prop::sample::select(vec![3, 5000]));
    let at = prop::sample::select(vec![0, 2, BLOCK]);
    prop_oneof![
        2 => name().prop_map(Call::Create),
        3 => (file.clone(), letters()).prop_map(|(file, (it, count))| append(file, it, count)),
        2 => (file.clone(), at).prop_map(|(file, at)| Call::Write(file, at, b"z".to_vec())),
        2 => (name(), name()).prop_map(|(from, to)| Call::Rename(from, to)),
        1 => (name(), name()).prop_map(|(from, to)| Call::Exchange(from, to)),
        1 => (name(), name()).prop_map(|(from, to)| Call::Link(from, to)),
        1 => name().prop_map(Call::Unlink),
        1 => (file.clone(), prop::sample::select(vec![0, 2, 3000, 5000]))
            .prop_map(|(file, length)| Call::Truncate(file, length)),
        1 => file.clone().prop_map(|file| Call::Chmod(file, 0o640)),
        2 => file.clone().prop_map(Call::Fsync),
        1 => file.prop_map(Call::Fdatasync),
        1 => Just(Call::FsyncDir(".")),
    ]
}

#[test]
fn random_programs_leave_what_the_profile_says() {
    apart("ext4::random_programs_leave_what_the_profile_says", || {
        let config =
            Config { rng_seed: TRIES.seed(0), failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let picks = prop::collection::vec(any::<usize>(), 8);
        let programs = (prop::collection::vec(call(), 3..7), picks);
        let (number, mut disks) = (TRIES.number(25), 0);
        for _ in 0..number {
            let (calls, mut picks) = programs.new_tree(&mut runner).unwrap().current();
            let setup = vec![Call::Create("a"), append(0, "a", 10)];
            let program = Program { setup, calls };
            let pushes = pushes(&program);
            picks.truncate(program.calls.len() + 1);
            let pick = |pick: usize| pushes.get(pick % (2 * pushes.len())).copied();
            let schedule = picks.into_iter().map(pick).collect();
            let seen = seen(DEFAULT, &program, &[schedule]);
            disks += seen.len();
            assert_agrees("random", DEFAULT, &program, &seen);
        }
        println!("{number} random programs: {disks} disks");
    });
}
