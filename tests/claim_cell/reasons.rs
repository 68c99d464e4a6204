//! That each variant fails for the reason it is known for, and for no other.

use toctou::check::threads::NO_DATA_RACE;
use toctou::check::{Report, Trace, Verdict};

use super::known::verdict;
use super::spec::Which;
use super::{all, schedule};

/// What loom says is broken.
fn broken(which: Which) -> Vec<&'static str> {
    let findings = which.found().loom.findings.iter();
    let broken = findings.filter(|finding| matches!(finding.verdict, Verdict::Violated(_)));
    broken.map(|finding| &*finding.property).collect()
}

/// How a property is broken, soonest, as this engine has it.
fn broken_in(which: Which, report: &Report, property: &str) -> (String, Trace) {
    let schedule = verdict(report, property).schedule().expect("it is broken");
    let trace = which.case().play(schedule).expect("a schedule of this system");
    (schedule.to_string(), trace)
}

fn labels(trace: &Trace) -> Vec<&str> {
    trace.steps.iter().map(|step| &*step.label).collect()
}

fn of(variant: &str) -> impl Iterator<Item = Which> {
    all().filter(move |which| which.variant == variant)
}

/// Two look before either stores: an order of whole operations shows it, so that shuttle has it, too.
#[test]
fn load_then_store_loses_the_race_with_no_data_race_and_nothing_stale() {
    let which = Which::new("load-then-store", "full", 2);
    for report in [&which.found().loom, &which.found().shuttle] {
        let (schedule, trace) = broken_in(which, report, "at-most-once");
        assert_eq!(schedule, "[0, 1, 0, 1]");
        let stores = "store(TAKEN); read";
        assert_eq!(labels(&trace), ["load = FULL", "load = FULL", stores, stores]);
        assert_eq!(trace.end.as_deref(), Some("value 1 dropped twice"));
    }
    for which in of("load-then-store") {
        let report = &which.found().loom;
        assert!(matches!(verdict(report, NO_DATA_RACE), Verdict::Holds(None)), "{which:?}");
        for property in broken(which) {
            let schedule = verdict(report, property).schedule().expect("an execution shows it");
            assert_eq!(schedule.stale, [], "{which:?} {property}");
        }
    }
}

/// Each looks at the other's flag after it has raised its own. In any one order of all operations, who
/// looks last sees the other's; only by reading what was there before do both go on.
#[test]
fn flag_each_takes_a_stale_read_of_either_for_two_to_have_it() {
    let which = Which::new("flag-each", "full", 2);
    let (schedule, trace) = broken_in(which, &which.found().loom, "at-most-once");
    assert_eq!(schedule, "[0, 1, 1~1, 0~1]");
    let stale = "load = NO (stale); read";
    assert_eq!(labels(&trace), ["store(WANTED)", "store(WANTED)", stale, stale]);
    for which in of("flag-each").filter(|which| broken(*which).contains(&"at-most-once")) {
        for property in ["at-most-once", "no-double-drop"] {
            let (schedule, trace) = broken_in(which, &which.found().loom, property);
            assert!(schedule.contains('~'), "{which:?} {schedule}");
            assert!(labels(&trace).iter().any(|label| label.contains("(stale)")), "{trace}");
            // Every order of whole operations was tried.
            let shuttle = verdict(&which.found().shuttle, property);
            assert!(matches!(shuttle, Verdict::Unfinished(_)), "{which:?} {shuttle:?}");
        }
        assert!(!which.interleavings().iter().any(|told| told.is_claimed_twice()), "{which:?}");
    }
    // That nobody has it takes none: both raise their flags before either looks.
    let (schedule, trace) = broken_in(which, &which.found().loom, "exactly-once");
    assert_eq!(schedule, "[0, 1, 1, 0]");
    let wanted = "load = WANTED";
    assert_eq!(labels(&trace), ["store(WANTED)", "store(WANTED)", wanted, wanted]);
}

/// One winner, always; and where another thread has put the value in, nothing that orders that before.
#[test]
fn swap_relaxed_breaks_nothing_but_the_order_of_two_accesses() {
    for which in of("swap-relaxed") {
        let races = which.scenario != "full" && (which.scenario, which.threads) != ("two-puts", 2);
        let expected: &[&str] = if races { &[NO_DATA_RACE] } else { &[] };
        assert_eq!(broken(which), expected, "{which:?}");
        if races {
            let (_, trace) = broken_in(which, &which.found().loom, NO_DATA_RACE);
            let last = trace.steps.last().expect("it has steps");
            assert!(trace.actors[last.actor].starts_with("client"), "{trace}");
            let told = "swap(TAKEN) = FULL; read: a data race with the write of writer";
            assert!(last.label.starts_with(told), "{trace}");
        }
    }
}

#[test]
fn the_trace_of_a_data_race_is_the_shortest_and_names_both_sides() {
    let which = Which::new("swap-relaxed", "put-later", 2);
    let (schedule, trace) = broken_in(which, &which.found().loom, NO_DATA_RACE);
    assert_eq!(schedule, "[1, 1, 0, 0]");
    assert_eq!(
        labels(&trace),
        [
            "exchange(EMPTY → WRITING) = ok; write",
            "store(FULL)",
            "load = FULL",
            "swap(TAKEN) = FULL; read: a data race with the write of writer",
        ]
    );
}

/// The last thread to go drops the cell, with the value that nobody has claimed. It comes after all
/// others, and what it does is not the first actor's doing.
#[test]
fn the_drop_of_an_unclaimed_value_is_no_data_race_and_nobodys_read() {
    for variant in ["compare-exchange", "swap-relaxed", "load-then-store"] {
        let which = Which::new(variant, "put-later", 2);
        let trace = which.case().play(&schedule("[0, 1, 1]")).expect("a schedule of this system");
        assert!(!trace.steps[0].label.contains("read"), "{trace}");
        assert_eq!(trace.end.as_deref(), Some("value 1 dropped once"));
    }
}

/// loom decides; what is told of an execution comes from elsewhere. Both say the same of every system.
#[test]
fn a_data_race_is_told_in_some_interleaving_just_where_loom_finds_one() {
    for which in all() {
        let case = which.case();
        let is_told = which.interleavings().iter().any(|told| {
            let schedule = toctou::check::Schedule::of(told.turns());
            let trace = case.play(&schedule).expect("an interleaving of this system");
            labels(&trace).iter().any(|label| label.contains("a data race with"))
        });
        assert_eq!(is_told, broken(which).contains(&NO_DATA_RACE), "{which:?}");
    }
}

#[test]
fn the_controls_that_drop_wrong_break_that_and_nothing_else() {
    for which in of("control-forgets-drop") {
        let leaks = which.scenario != "full";
        assert_eq!(broken(which), if leaks { vec!["no-leak"] } else { vec![] }, "{which:?}");
        if leaks {
            let (_, trace) = broken_in(which, &which.found().loom, "no-leak");
            let end = trace.end.as_deref().expect("all have ended");
            assert!(end.contains("value 1 never dropped"), "{end}");
        }
    }
    for which in of("control-drops-again") {
        let nobody_claims = (which.scenario, which.threads) == ("two-puts", 2);
        let expected = if nobody_claims { vec![] } else { vec!["no-double-drop"] };
        assert_eq!(broken(which), expected, "{which:?}");
        if !nobody_claims {
            let (_, trace) = broken_in(which, &which.found().loom, "no-double-drop");
            let end = trace.end.as_deref().expect("all have ended");
            assert!(end.contains("dropped twice"), "{end}");
        }
    }
}

/// It cannot tell a cell that had its value from one that is yet to get it.
#[test]
fn a_mutex_takes_a_second_value_once_the_first_is_claimed() {
    for which in of("mutex-take") {
        let is_broken = (which.scenario, which.threads) == ("two-puts", 3);
        assert_eq!(broken(which), if is_broken { vec!["put-once"] } else { vec![] }, "{which:?}");
    }
    let which = Which::new("mutex-take", "two-puts", 3);
    let (_, trace) = broken_in(which, &which.found().loom, "put-once");
    let told = |step: &toctou::check::TraceStep| (step.actor, step.output.clone());
    let told: Vec<_> = trace.steps.iter().map(told).collect();
    let put = || Some("Put".to_owned());
    assert_eq!(told, [(1, put()), (0, Some("Claimed(1)".to_owned())), (2, put())]);
    assert_eq!(trace.end.as_deref(), Some("value 1 dropped once, value 2 dropped once"));
}

#[test]
fn what_ships_breaks_nothing() {
    for which in of("compare-exchange") {
        assert!(which.found().loom.holds() && which.found().loom.exhaustive(), "{which:?}");
    }
}
