//! The kernel does as the simulation says.

use std::sync::{PoisonError, RwLock};
use std::{env, fs, io};

use toctou::case::{Case, CaseError, Comparison};
use toctou::fs::{OsFs, User};
use toctou::replay::Threads;

use super::{case, everything, graph};

/// Held for reading while the kernel's protections are to stay as they are.
static SETTINGS: RwLock<()> = RwLock::new(());

/// What the kernel did, or nothing where this machine cannot do it.
fn replayed(case: &dyn Case, schedule: &toctou::check::Schedule) -> Option<Comparison> {
    match case.replay(schedule, Threads::OneEach) {
        Ok(comparison) => Some(comparison),
        Err(error) if error.is_not_here() => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_counterexample_happens_on_the_kernel_as_simulated() {
    let _as_they_are = SETTINGS.read().unwrap_or_else(PoisonError::into_inner);
    let (happened, not_here) = replay_all(|_| true);
    println!("{happened} happened; {not_here} could not, on this machine or as this user");
    assert!(happened > 100, "{happened}");
}

/// The kernel's protections, which are put back in the end.
struct Protected([(&'static str, String); 2]);

impl Protected {
    fn new() -> io::Result<Self> {
        let read = |file| Ok::<_, io::Error>((file, fs::read_to_string(file)?));
        let before = Protected([
            read("/proc/sys/fs/protected_symlinks")?,
            read("/proc/sys/fs/protected_regular")?,
        ]);
        for (file, _) in &before.0 {
            fs::write(file, "1")?;
        }
        Ok(before)
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        for (file, value) in &self.0 {
            if let Err(error) = fs::write(file, value) {
                eprintln!("{file} is not put back to {}: {error}", value.trim());
            }
        }
    }
}

#[test]
fn under_the_kernels_protections_too() -> io::Result<()> {
    let _alone = SETTINGS.write().unwrap_or_else(PoisonError::into_inner);
    let is_allowed = env::var_os("TOCTOU_CONFORMANCE_SYSCTLS").is_some_and(|value| value == "1");
    if !is_allowed || !User::current().is_root() {
        println!(
            "left out: root with TOCTOU_CONFORMANCE_SYSCTLS=1 may change the kernel's settings"
        );
        return Ok(());
    }
    let _protected = Protected::new()?;
    assert!(OsFs::protections().symlinks && OsFs::protections().regular);
    let (happened, not_here) = replay_all(|scenario| scenario.ends_with("-guarded"));
    println!("{happened} happened");
    assert!(happened > 20 && not_here == 0, "{happened} and {not_here}");
    Ok(())
}

/// Replays the shortest counterexamples and witnesses of every variant in these scenarios: how many
/// went as simulated, and how many could not be replayed here.
fn replay_all(scenarios: impl Fn(&str) -> bool) -> (usize, usize) {
    let (mut happened, mut not_here) = (0, 0);
    for (variant, scenario) in everything().filter(|(_, scenario)| scenarios(scenario.name)) {
        let mut shown: Vec<String> = Vec::new();
        for actions in 0..=2 {
            let case = case(variant.name, scenario.name, actions);
            for finding in case.check(&graph()).findings {
                let Some(schedule) = finding.verdict.schedule() else { continue };
                if shown.contains(&finding.property) {
                    continue;
                }
                shown.push(finding.property.clone());
                match replayed(&*case, schedule) {
                    Some(comparison) => {
                        assert!(
                            comparison.agrees(),
                            "{} {}: {comparison:#?}",
                            variant.name,
                            schedule
                        );
                        happened += 1;
                    }
                    None => not_here += 1,
                }
            }
        }
    }
    (happened, not_here)
}

#[test]
fn the_secret_is_seen_in_the_attackers_hands() -> Result<(), CaseError> {
    if !User::current().is_root() {
        println!("left out: it takes root to act as two users");
        return Ok(());
    }
    let _as_they_are = SETTINGS.read().unwrap_or_else(PoisonError::into_inner);
    for (scenario, property) in
        [("new-shared", "others-untouched"), ("new-shared", "secret-stays-secret")]
    {
        let case = case("check-then-write", scenario, 1);
        let report = case.check(&graph());
        let finding = report.finding(property).expect("claimed");
        let schedule = finding.verdict.schedule().expect("a counterexample");
        let comparison = case.replay(schedule, Threads::OneEach)?;
        assert!(comparison.agrees());
        let attacker = comparison.real.trace.steps.iter().filter(|step| step.actor == 1);
        let output = attacker.filter_map(|step| step.output.as_deref()).next_back();
        assert_eq!(output, Some("Has(\"KEY\")"), "{property}");
    }
    Ok(())
}

/// Every interleaving with every script of one action, of the published fix and of what ships.
#[test]
fn every_interleaving_with_one_action_goes_on_the_kernel_as_simulated() {
    let _as_they_are = SETTINGS.read().unwrap_or_else(PoisonError::into_inner);
    let mut agreed = 0;
    for (variant, scenario) in [
        ("lstat-then-create", "new-shared"),
        ("lstat-then-create", "force-shared"),
        ("check-then-write", "new-shared"),
        ("link-or-exchange", "new-shared"),
        ("link-or-exchange", "new-parent-swap"),
    ] {
        let case = case(variant, scenario, 1);
        case.interleavings(&mut |schedule| {
            match case.replay(schedule, Threads::One) {
                Ok(comparison) => {
                    assert!(
                        comparison.agrees(),
                        "{variant} {scenario} {schedule}: {comparison:#?}"
                    );
                    agreed += 1;
                }
                Err(error) if error.is_not_here() => {}
                Err(error) => panic!("{error}"),
            }
            true
        });
    }
    println!("{agreed} interleavings");
    assert!(agreed > 1_000 || !User::current().is_root(), "{agreed}");
}
