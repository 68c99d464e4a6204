//! The simulated file system has the kernel's answers: random sequences of operations by several
//! users are performed in both, and each answer and the tree that is left have to be the same. The
//! kernel is the judge.
//!
//! Run as root it has several users, and links that lead anywhere; else one user, and links to
//! below. `TOCTOU_CONFORMANCE_CASES` sets how many sequences are tried on the memory file system.
//! `TOCTOU_CONFORMANCE_SYSCTLS=1` lets it change the kernel's settings (and put them back).

mod arena;
mod generate;
mod ops;
mod surprises;
mod tally;
mod wrong;

use std::path::Path;
use std::{env, io, thread};

use arena::{Apart, Arena, Changed, Profile, Settings, apart, format, memory};
use generate::sequence;
use ops::{Answer, Cast, Op, Run, World};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tally::Tally;
use toctou::fs::{Clock, Errno, Format, Protections, SimFs, errno_name};

/// How many sequences are tried on the memory file system, unless the environment says otherwise.
const CASES: usize = 50_000;
/// How many sequences are tried on the file system of the ordinary temporary directory.
const CASES_ON_DISK: usize = 2_000;
/// How many sequences are tried under each combination of the kernel's settings.
const CASES_A_SETTING: usize = 4_000;

/// Performs `ops` in both worlds; where they disagree, says how.
fn disagreement<A: World, B: World>(
    mut simulated: A,
    mut real: B,
    ops: &[Op],
    tally: &Tally,
) -> Option<String> {
    let found = first_difference(&mut simulated, &mut real, ops, tally);
    // Whatever was found, the real one is left as who it was entered.
    match (simulated.tree(), real.tree()) {
        _ if found.is_some() => found,
        (Ok(ours), Ok(theirs)) if ours == theirs => None,
        // One who is not root has taken away what it takes to look.
        (Ok(_), Err(Errno::ACCESS)) => None,
        (Ok(ours), Ok(theirs)) => Some(format!("simulated tree:\n{ours}real tree:\n{theirs}")),
        (ours, theirs) => Some(format!("trees: simulated {ours:?}, real {theirs:?}")),
    }
}

/// The first call that the worlds answer differently.
fn first_difference<A: World, B: World>(
    simulated: &mut A,
    real: &mut B,
    ops: &[Op],
    tally: &Tally,
) -> Option<String> {
    for (index, op) in ops.iter().enumerate() {
        let (ours, theirs) = (simulated.perform(op), real.perform(op));
        if ours != theirs {
            let tell = |answer: Answer| match answer {
                None => "nothing open".to_owned(),
                Some(Ok(did)) => format!("{did:?}"),
                Some(Err(errno)) => errno_name(errno).into_owned(),
            };
            let (ours, theirs) = (tell(ours), tell(theirs));
            return Some(format!("{index}: {op:?}: simulated {ours}, real {theirs}"));
        }
        if let Some(answer) = theirs {
            tally.count(&op.call, answer.err());
        }
    }
    None
}

/// Tries `cases` random sequences; answers with a shrunk one on which the worlds disagree.
fn search<W: World>(
    cases: usize,
    parent: &Path,
    (profile, cast): (Profile, Cast),
    tally: &Tally,
    simulated: impl Fn(Profile, Cast) -> W,
) -> io::Result<Result<(), TestError<Vec<Op>>>> {
    let arena = Arena::new(parent)?;
    let config = Config {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    Ok(TestRunner::new(config).run(&sequence(profile), |ops| {
        let found = arena.with(profile, |world| {
            disagreement(simulated(profile, cast), Run::new(world, cast), &ops, tally)
        });
        match found.map_err(|error| TestCaseError::fail(error.to_string()))? {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    }))
}

/// The kernel's simulation, under these settings, on a file system of this format.
fn simulated(
    protections: Protections,
    format: Format,
) -> impl Fn(Profile, Cast) -> Run<SimFs> + Copy {
    move |profile, cast| {
        let world = SimFs::of(cast.users[0]).with_protections(protections).with_format(format);
        let world = world.with_short_writes(profile.write_limit()).with_clock(Clock::Changes);
        Run::new(world, cast)
    }
}

fn assert_agreement(cases: usize, parent: &Path, protections: Protections) {
    let (tally, format) = (Tally::default(), format(parent));
    // On two threads, of different profiles if there are two.
    let half = |cases, profile| {
        apart(|Apart { cast, rooted }| {
            let profile = if rooted { profile } else { Profile::Tame };
            let simulated = simulated(protections, format);
            let found = search(cases, parent, (profile, cast), &tally, simulated);
            match found.expect("a directory to try it in") {
                Ok(()) => cast,
                Err(TestError::Fail(difference, ops)) => {
                    let ops: String = ops.iter().map(|op| format!("    {op:?},\n")).collect();
                    panic!("in {}, {profile:?}: {difference}\n{ops}", parent.display())
                }
                Err(aborted) => panic!("in {}: {aborted}", parent.display()),
            }
        })
    };
    let cast = thread::scope(|scope| {
        let other = scope.spawn(|| half(cases / 2, Profile::Wild));
        half(cases - cases / 2, Profile::Tame);
        other.join().expect("both halves agree")
    });
    if cases >= 1_000 {
        let [root, alice, ..] = cast.users;
        tally.assert_varied(cases, root != alice, format);
    }
}

#[test]
fn the_simulation_answers_as_the_kernel_on_a_memory_file_system() {
    let cases = env::var("TOCTOU_CONFORMANCE_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(CASES);
    assert_agreement(cases, &memory(), Settings::read().protections);
}

#[test]
fn the_simulation_answers_as_the_kernel_on_the_file_system_of_the_temporary_directory() {
    assert_agreement(CASES_ON_DISK, &env::temp_dir(), Settings::read().protections);
}

#[test]
fn the_simulation_answers_as_the_kernel_under_each_of_its_settings() -> io::Result<()> {
    let Some(mut settings) = Changed::allowed()? else {
        println!("not tried: TOCTOU_CONFORMANCE_SYSCTLS=1 allows it");
        return Ok(());
    };
    for symlinks in 0..=1 {
        for regular in 0..=2 {
            for hardlinks in 0..=1 {
                let protections = settings.set([symlinks, regular, hardlinks])?;
                println!("{protections:?}");
                assert_agreement(CASES_A_SETTING, &memory(), protections);
            }
        }
    }
    Ok(())
}
