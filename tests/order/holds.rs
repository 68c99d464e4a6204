//! What holds in the simulation, in the real database: one interleaving after the other is made to
//! happen there, and each answer, each wait and every row has to be the same.

use toctou::replay::Threads;

use super::{case, graph, left_out};

/// At most so many interleavings of a system are tried, from all over.
const MOST: u64 = 300;

fn assert_interleavings_agree(variant: &str) {
    for scenario in ["cancels", "ship"] {
        let case = case(variant, scenario, 2);
        let report = case.check(&graph());
        assert!(report.findings.iter().all(|finding| finding.verdict.word() == "holds"));
        let all: u64 = report.interleavings.to_string().parse().expect("counted");
        let (mut seen, mut schedules) = (0, Vec::new());
        case.interleavings(&mut |schedule| {
            if seen % all.div_ceil(MOST) == 0 {
                schedules.push(schedule.clone());
            }
            seen += 1;
            true
        });
        assert_eq!(seen, all, "{variant} {scenario}");
        assert!(!schedules.is_empty());
        for schedule in &schedules {
            match case.replay(schedule, Threads::One) {
                Ok(compared) => {
                    let (simulated, real) = (&compared.simulated, &compared.real);
                    let what = format!("{variant} {scenario} {schedule}");
                    assert!(compared.agrees(), "{what}\n{}\n{}", simulated.trace, real.trace);
                }
                Err(error) => {
                    left_out(&format!("{variant} {scenario} {schedule}"), error);
                    return;
                }
            }
        }
        println!("{variant} {scenario}: {} of {all}", schedules.len());
    }
}

#[test]
fn what_ships_goes_as_in_the_simulation() {
    assert_interleavings_agree("conditional-update");
}

#[test]
fn a_version_column_goes_as_in_the_simulation() {
    assert_interleavings_agree("version-column");
}

#[test]
fn a_locked_row_goes_as_in_the_simulation() {
    assert_interleavings_agree("select-for-update");
}
