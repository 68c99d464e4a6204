//! Programs made wrong on purpose, and the properties that tell on them; and that the scripts which
//! are not run could have shown nothing more.

use toctou::check::{Checker, GraphOptions, System, Verdict};
use toctou::fs::{OFlags, ResolveFlags, SimFile, SimFs};
use toctou::models::credential::{Actor, with_every_script, with_program};
use toctou::writer::{Exchange, NEW, NEW_BY_NAME, Op, Options, REPLACE};

const MADE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL);
const ANCHOR: Op = Op::Anchor(OFlags::DIRECTORY, ResolveFlags::NO_SYMLINKS);

/// What [`NEW`] comes down to where no file without a name can be made.
const NEW_WITH_A_NAME: &[Op] =
    &[ANCHOR, Op::CreateTemporary(MADE), Op::SetMode, Op::Write, Op::Sync, Op::Link];

fn violated(system: System<SimFs, Actor<SimFile>>) -> Vec<String> {
    let options = GraphOptions { count_interleavings_up_to: 0, ..GraphOptions::default() };
    let report = Checker::new(system).graph(&options);
    assert!(report.exhaustive());
    let findings = report.findings.into_iter();
    let violated = findings.filter(|finding| matches!(finding.verdict, Verdict::Violated(_)));
    violated.map(|finding| finding.property).collect()
}

fn broken(program: &[Op], scenario: &str, actions: usize) -> Vec<String> {
    violated(with_program(program.to_vec(), scenario, actions).expect("a scenario"))
}

fn breaks(program: &[Op], scenario: &str, property: &str) -> bool {
    broken(program, scenario, 0).iter().any(|broken| broken == property)
}

#[test]
fn a_change_of_mode_is_a_change_of_what_was_there() {
    let program = [Op::SetModeOfPath];
    assert!(breaks(&program, "new-parent-swap", "refuses-without-force"));
}

#[test]
fn what_was_there_and_is_moved_aside_for_good_was_not_left_as_it_was() {
    let keeping = Exchange { removes: false, ..Exchange::WHOLE };
    let displacing: Vec<Op> = REPLACE
        .iter()
        .filter(|op| **op != Op::Look)
        .map(|op| if matches!(op, Op::Exchange(_)) { Op::Exchange(keeping) } else { *op })
        .collect();
    for scenario in ["new-shared", "new-sticky", "new-guarded", "new-parent-swap"] {
        assert!(breaks(&displacing, scenario, "refuses-without-force"), "{scenario}");
    }
}

/// Where the file system makes no file without a name, the temporary name stands where all can
/// exchange it.
#[test]
fn a_new_file_that_has_to_have_a_name_first_promises_less_where_all_may_write() {
    for scenario in ["new-sticky", "new-guarded", "new-parent-swap"] {
        assert!(broken(NEW_WITH_A_NAME, scenario, 2).is_empty(), "{scenario}");
    }
    assert_eq!(
        broken(NEW_WITH_A_NAME, "new-shared", 1),
        ["others-untouched", "refuses-without-force", "success-is-private"]
    );
    assert!(broken(NEW, "new-shared", 1).is_empty());
    assert!(broken(NEW_BY_NAME, "new-shared", 1).is_empty());
}

#[test]
fn the_scripts_that_are_not_run_can_show_nothing_more() {
    let original = [Op::Access, Op::Create(OFlags::WRONLY | OFlags::CREATE), Op::Write];
    let follows: &[Op] = &[Op::Look, Op::Unlink, Op::Create(MADE), Op::Write];
    let programs = [&original, follows, NEW, NEW_BY_NAME, REPLACE, NEW_WITH_A_NAME];
    let scenarios =
        ["new-shared", "new-guarded", "new-parent-swap", "force-shared", "force-parent-swap"];
    for program in programs {
        for scenario in scenarios {
            for actions in 1..=2 {
                let every = with_every_script(program.to_vec(), scenario, actions);
                let every = every.expect("a scenario");
                let found = broken(program, scenario, actions);
                assert_eq!(found, violated(every), "{program:?} {scenario} {actions}");
            }
        }
    }
}

/// What ships differs by its flushes from what is proved, and a flush takes time.
#[test]
fn a_durable_new_file_is_told_of_after_a_flush_in_which_it_can_be_moved_away() {
    let durable = |replace| Options { durable: true, replace, ..Options::default() }.program(false);
    assert_eq!(broken(&durable(false), "new-shared", 1), ["success-is-private"]);
    assert!(broken(&durable(false), "new-parent-swap", 3).is_empty());
    // One that replaces looks for it again.
    assert!(broken(&durable(true), "force-shared", 1).is_empty());
}
