//! Isolation levels down, ways of writing the transfer across: what each makes of each, in the model
//! and in real databases. (The table of `models/transfer/README.md` is held against the same records, by
//! `command/tests/readme`.)

use toctou::db::Cluster;
use toctou::models::transfer::{BODIES, Transfer};
use toctou::models::{Model, Scenario, Variant};

use super::known;

/// Every way of writing it at every level that it makes sense at.
fn cells() -> impl Iterator<Item = (&'static str, &'static str, &'static Variant)> {
    let bodies = BODIES.into_iter();
    bodies.flat_map(|body| {
        let levels = Transfer.levels().iter();
        levels.filter_map(move |level| Some((body, *level, Transfer.at_level(body, level)?)))
    })
}

fn systems() -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    let all =
        cells().flat_map(|(.., variant)| Transfer.scenarios().iter().map(move |it| (variant, it)));
    all.filter(|(variant, scenario)| Transfer.has(variant.name, scenario.name))
}

#[test]
fn each_isolation_level_keeps_what_it_is_known_to_keep() {
    known::assert_verdicts_of(&Transfer, systems(), 1..=3);
}

/// A lock that is let go of at once is none.
#[test]
fn there_is_every_way_at_every_level_but_a_lock_outside_of_a_transaction() {
    assert_eq!(cells().count(), BODIES.len() * Transfer.levels().len() - 1);
    assert!(Transfer.at_level("select-for-update", "autocommit").is_none());
    // Nor is there what nobody wrote for levels, and no level that no database has.
    assert!(Transfer.at_level("process-mutex", "SERIALIZABLE").is_none());
    assert!(Transfer.at_level("ordered", "autocommit, retried").is_none());
    assert!(Transfer.at_level("ordered", "READ UNCOMMITTED").is_none());
}

#[test]
fn what_the_catalogue_has_by_another_name_goes_by_that_and_by_no_second_one() {
    let name = |body, level| Transfer.at_level(body, level).map(|variant| variant.name);
    assert_eq!(name("conditional-debit", "autocommit"), Some("two-statements"));
    assert_eq!(name("check-then-debit", "REPEATABLE READ"), Some("snapshot"));
    assert_eq!(name("ordered", "READ COMMITTED"), Some("ordered"));
    assert_eq!(name("ordered", "SERIALIZABLE"), Some("ordered at SERIALIZABLE"));
    let names: Vec<_> = cells().map(|(.., variant)| variant.name).collect();
    for (index, name) in names.iter().enumerate() {
        assert!(!names[..index].contains(name), "{name} twice");
    }
}

/// A stronger level alone is no cure, and neither is a retry loop: something breaks at each level that
/// is broken by one way of writing it and kept by another.
#[test]
fn each_level_but_autocommit_has_something_to_lose_and_something_to_keep() {
    for level in Transfer.levels() {
        let breaks = |(body, ..): &(&str, &str, &Variant)| {
            let variant = Transfer.at_level(body, level).expect("there is one");
            let mut breaks = variant.breaks().filter(|it| Transfer.levels_matter(it.scenario));
            breaks.any(|breaks| breaks.from_size <= 2)
        };
        let here: Vec<_> = cells().filter(|(_, known, _)| known == level).collect();
        let broken = here.iter().filter(|cell| breaks(cell)).count();
        assert!(broken > 0, "{level}");
        let retried = *level == "READ COMMITTED" || level.ends_with("retried");
        assert_eq!(broken < here.len(), retried, "{level}");
    }
}

/// Each cell that is not ✓ has a schedule, and that happens: on SQLite without a transaction, on
/// PostgreSQL with one.
#[test]
fn every_broken_cell_is_replayed_on_a_real_database_as_simulated() {
    let happened = known::breaks_for_real(&Transfer, systems(), |_| 2, super::left_out);
    let mut recorded = 0;
    for (variant, scenario) in systems() {
        let two = variant.breaks().filter(|breaks| breaks.from_size <= 2);
        recorded += two.filter(|breaks| breaks.scenario == scenario.name).count();
    }
    assert!(recorded > 80, "{recorded}");
    // Each of these, and whatever shows that something can be reached.
    assert!(happened > recorded || Cluster::shared().is_err(), "{happened} of {recorded}");
    assert!(happened >= 20, "SQLite is always there: {happened}");
}
