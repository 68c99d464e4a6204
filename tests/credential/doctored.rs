//! Programs made wrong on purpose, and the properties that tell on them; and that the scripts which
//! are not run could have shown nothing more.

use toctou::fs::OFlags;
use toctou::models::credential::with_every_script;
use toctou::writer::{Exchange, NEW, NEW_BY_NAME, Op, REPLACE};

use super::known;
use super::mutants::broken;

const MADE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL);

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

#[test]
fn the_scripts_that_are_not_run_can_show_nothing_more() {
    let original = [Op::Access, Op::Create(OFlags::WRONLY | OFlags::CREATE), Op::Write];
    let follows: &[Op] = &[Op::Look, Op::Unlink, Op::Create(MADE), Op::Write];
    let programs = [&original, follows, NEW, NEW_BY_NAME, REPLACE];
    let scenarios =
        ["new-shared", "new-guarded", "new-parent-swap", "force-shared", "force-parent-swap"];
    for program in programs {
        for scenario in scenarios {
            for actions in 1..=2 {
                let every = with_every_script(program.to_vec(), scenario, actions);
                let every = every.expect("a scenario");
                let found = broken(program, scenario, actions);
                assert_eq!(found, known::broken(every), "{program:?} {scenario} {actions}");
            }
        }
    }
}
