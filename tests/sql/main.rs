//! The simulated database answers as PostgreSQL does: random programs of two to four sessions are
//! played in both, step by step, by one schedule. Each answer, each error, who waits for whom, and
//! the rows that are left have to be the same. PostgreSQL is the judge.
//!
//! A serializable transaction may fail on the server where the simulation admits it. So there what is
//! asked is that nothing commits on the server which the simulation refuses, and that all that commits
//! in either is serializable: some serial order gives the same answers and leaves the same rows. (But for
//! an `ON CONFLICT DO NOTHING` that did nothing, which not every version of PostgreSQL counts as a read:
//! the server is asked, and the simulation set up as it is.)
//!
//! In which order a statement takes several rows nobody promises. So one order of those that the simulation
//! explores has to be the server's.
//!
//! The server is a throw-away one. Where there is no PostgreSQL, what it would have judged is left out,
//! and that is said. Two test runs try the same programs, so that what turns red is what was changed;
//! `TOCTOU_SQL_CASES` sets how many are tried, and then they are others each time.
mod advisory;
mod anomalies;
mod compare;
mod drive;
mod generate;
mod keys;
mod oracle;
mod queues;
mod server;
mod several;
mod story;
mod surprises;
mod tally;
mod text;
#[path = "../throwaway/mod.rs"]
mod throwaway;
#[path = "../tries/mod.rs"]
mod tries;
mod wrong;

use std::cell::RefCell;
use std::thread;
use std::time::Instant;

use compare::compare;
use drive::{Run, World, outcomes, play};
use generate::{Crowd, Levels, Profile, Program, TABLES, Turn, program};
use oracle::{Tables, Transaction, alone, serial_order, without_idle_inserts};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use server::{Lane, cluster, conflicts_are_reads};
use story::{accounts, idle_insert};
use tally::Tally;
use toctou::db::{Reply, Statement};
use tries::Tries;

/// How many programs are tried on the server, unless the environment says otherwise.
const CASES: usize = 2_000;
/// How many serializable programs are tried in the simulation alone.
const CASES_ALONE: usize = 20_000;

const TRIES: Tries = Tries("TOCTOU_SQL_CASES");

fn cases() -> usize {
    TRIES.number(CASES)
}

/// Where the random programs of one search begin.
fn seed(search: u64) -> RngSeed {
    TRIES.seed(search)
}

/// Tries `cases` random programs; answers with one, shrunk in at most so many steps, that fails.
fn search<T>(
    (rng_seed, cases): (RngSeed, usize),
    shrinking: u32,
    profile: Profile,
    check: impl Fn(&Program) -> Result<T, String>,
) -> Result<(), TestError<Program>> {
    search_among((rng_seed, cases), shrinking, program(profile), check)
}

/// The same, among these programs.
fn search_among<T>(
    (rng_seed, cases): (RngSeed, usize),
    shrinking: u32,
    programs: impl Strategy<Value = Program>,
    check: impl Fn(&Program) -> Result<T, String>,
) -> Result<(), TestError<Program>> {
    let config = Config {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        failure_persistence: None,
        max_shrink_iters: shrinking,
        rng_seed,
        ..Config::default()
    };
    TestRunner::new(config).run(&programs, |program| match check(&program) {
        Ok(_) => Ok(()),
        Err(difference) => Err(TestCaseError::fail(difference)),
    })
}

fn assert_none(found: Result<(), TestError<Program>>) {
    match found {
        Ok(()) => {}
        Err(TestError::Fail(difference, program)) => panic!("{difference}\n\n{program:?}"),
        Err(aborted) => panic!("{aborted}"),
    }
}

/// Whether what committed is serializable, given what the tables hold now, and whether an insert that did
/// nothing has read what it found.
fn assert_serializable(
    program: &Program,
    committed: &[Transaction],
    world: &mut impl World,
    conflicts_are_reads: bool,
    tally: &Tally,
) -> Result<(), String> {
    let after: Tables = TABLES.iter().map(|table| (*table, world.rows(table))).collect();
    if serial_order(&program.rows, committed, &after).is_some() {
        return Ok(());
    }
    // What PostgreSQL promises is a little less: see `surprises`.
    let counted = without_idle_inserts(committed);
    if !conflicts_are_reads && serial_order(&program.rows, &counted, &after).is_some() {
        tally.note("serializable", "but for inserts that did nothing");
        return Ok(());
    }
    let committed = committed.iter().map(|transaction| {
        let said = transaction.iter().map(|(asked, said)| format!("{asked} -- {said}\n"));
        said.collect()
    });
    let committed: Vec<String> = committed.collect();
    Err(format!("no serial order of these transactions:\n{}", committed.join("\n")))
}

/// Plays random programs on the server and in the simulation, in two threads.
fn assert_agreement(cases: usize, (levels, crowd): Profile) -> Option<Tally> {
    let cluster = cluster()?;
    let tally = Tally::default();
    let begun = Instant::now();
    let half = |number, cases| {
        let lane = RefCell::new(Lane::new(cluster).expect("sessions on the server"));
        let found = search((seed(number), cases), 1_000, (levels, crowd), |program| {
            let lane = &mut *lane.borrow_mut();
            lane.reset(program)?;
            let committed = compare(Run::new(program), lane, program, &tally)?;
            lane.done();
            if levels == Levels::Serializable {
                assert_serializable(program, &committed, lane, conflicts_are_reads(), &tally)?;
            }
            Ok(())
        });
        assert_none(found);
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half(1, cases / 2));
        half(2, cases - cases / 2);
        other.join().expect("both halves agree");
    });
    println!("{cases} programs, {levels:?}, {crowd:?}, in {:.1} s", begun.elapsed().as_secs_f64());
    tally.print();
    Some(tally)
}

#[test]
fn the_simulation_behaves_as_postgresql_at_read_committed_and_repeatable_read() {
    let Some(tally) = assert_agreement(cases(), (Levels::Exact, Crowd::Loose)) else { return };
    tally.assert_varied(cases());
    let seen = [
        ("are updated", tally.of("update", "count 2")),
        ("are deleted", tally.of("delete", "count 2")),
        ("leave several orders possible", tally.of("orders", "more than one is possible")),
    ];
    for (what, seen) in seen {
        assert!(seen * 50 >= cases(), "several rows {what} only {seen} times");
    }
    let by = |how| tally.of("orders told apart", how);
    let seen = by("by a wait") + by("by an answer");
    assert!(seen * 200 >= cases(), "an order is told apart only {seen} times");
}

#[test]
fn what_postgresql_commits_at_serializable_is_serializable_and_the_simulation_allows_it() {
    let cases = cases().div_ceil(2);
    let Some(tally) = assert_agreement(cases, (Levels::Serializable, Crowd::Loose)) else { return };
    for what in ["failed in both", "failed on the server only"] {
        let seen = tally.of("serializable", what);
        assert!(seen * 100 >= cases, "{what} only {seen} times in {cases} programs");
    }
}

#[test]
fn transactions_of_different_levels_meet_in_the_simulation_as_in_postgresql() {
    let cases = cases().div_ceil(2);
    let Some(tally) = assert_agreement(cases, (Levels::Mixed, Crowd::Loose)) else { return };
    // Transactions of all levels end, wait for one another, and are refused for one another's sake.
    let seen = [
        ("commits", tally.of("commit", "committed")),
        ("waits", tally.of("update", "queued")),
        ("conflicts", conflicts(&tally)),
    ];
    for (what, seen) in seen {
        assert!(seen * 100 >= cases, "only {seen} {what} in {cases} programs");
    }
}

/// Plays random programs on the server and in the simulated world that is made of each.
fn search_on_server<S: World + Clone + PartialEq>(
    (number, cases): (u64, usize),
    programs: impl Strategy<Value = Program>,
    shrinking: u32,
    tally: &Tally,
    simulated: impl Fn(&Program) -> S,
) -> Option<Result<(), TestError<Program>>> {
    let lane = RefCell::new(Lane::new(cluster()?).expect("sessions on the server"));
    Some(search_among((seed(number), cases), shrinking, programs, |program| {
        let lane = &mut *lane.borrow_mut();
        lane.reset(program)?;
        compare(simulated(program), lane, program, tally)?;
        lane.done();
        Ok(())
    }))
}

/// The same, in two halves at once; and both worlds have to agree.
fn assert_texts_agree<P: Strategy<Value = Program>>(
    (number, cases): (u64, usize),
    programs: impl Fn() -> P + Sync,
    what: &str,
) -> Tally {
    let tally = Tally::default();
    let half = |number, cases| assert_agrees((number, cases), programs(), &tally);
    thread::scope(|scope| {
        let other = scope.spawn(|| half(number, cases / 2));
        half(number + 1, cases - cases / 2);
        other.join().expect("both halves agree");
    });
    println!("{cases} programs in text, {what}");
    tally.print();
    tally
}

fn assert_agrees(
    (number, cases): (u64, usize),
    programs: impl Strategy<Value = Program>,
    tally: &Tally,
) {
    if let Some(found) = search_on_server((number, cases), programs, 2_000, tally, Run::new) {
        assert_none(found);
    }
}

#[test]
fn statements_as_text_are_answered_as_by_postgresql() {
    for (levels, cases) in [(Levels::Exact, cases()), (Levels::Mixed, cases().div_ceil(4))] {
        let what = format!("{levels:?}");
        let tally = assert_texts_agree((11, cases), || text::program(levels), &what);
        if levels == Levels::Exact && cluster().is_some() {
            tally.assert_text_varied(cases);
        }
    }
}

#[test]
fn rows_of_several_keys_get_into_their_indexes_as_in_postgresql() {
    for (levels, cases) in [(Levels::Exact, cases()), (Levels::Mixed, cases().div_ceil(4))] {
        let what = format!("several keys, {levels:?}");
        let tally = assert_texts_agree((15, cases), || keys::program(levels), &what);
        if levels == Levels::Exact && cluster().is_some() {
            tally.assert_seen(&keys::INTERESTING, cases);
        }
    }
}

#[test]
fn advisory_locks_are_given_and_taken_as_in_postgresql() {
    let _alone = advisory::alone();
    for (levels, cases) in [(Levels::Exact, cases()), (Levels::Mixed, cases().div_ceil(4))] {
        let tally = Tally::default();
        assert_agrees((19, cases), advisory::program(levels), &tally);
        println!("{cases} programs in text, advisory locks, {levels:?}");
        tally.print();
        if levels == Levels::Exact && cluster().is_some() {
            tally.assert_seen(&advisory::INTERESTING, cases);
        }
    }
}

fn assert_told_apart<S: World + Clone + PartialEq>(
    number: u64,
    programs: impl Strategy<Value = Program>,
    simulated: impl Fn(&Program) -> S,
    what: &(&str, &str),
) {
    let tally = Tally::default();
    match search_on_server((number, CASES / 2), programs, 0, &tally, simulated) {
        None | Some(Err(TestError::Fail(..))) => {}
        Some(other) => panic!("{what:?} were not told apart: {other:?}"),
    }
}

/// The comparison of text is able to fail: each word that is taken for another is found out.
#[test]
fn worlds_that_misread_a_text_are_found_out() {
    for words in text::MISREADINGS {
        let simulated = |program: &Program| text::Misreading::new(words, Run::new(program));
        assert_told_apart(13, text::program(Levels::Exact), simulated, &words);
    }
    for words in keys::MISREADINGS {
        let simulated = |program: &Program| text::Misreading::new(words, Run::new(program));
        assert_told_apart(17, keys::program(Levels::Exact), simulated, &words);
    }
    let _alone = advisory::alone();
    for words in advisory::MISREADINGS {
        let simulated = |program: &Program| text::Misreading::new(words, Run::new(program));
        assert_told_apart(21, advisory::program(Levels::Exact), simulated, &words);
    }
    for words in keys::MISDEFINED {
        let misdefined = |program: &Program| keys::misdefined(words, program);
        let simulated =
            |program: &Program| Run::on(misdefined(program).expect("they were left out"), program);
        let programs = keys::program(Levels::Exact);
        let programs = programs.prop_filter("its rows fit", |it| misdefined(it).is_some());
        assert_told_apart(18, programs, simulated, &words);
    }
}

/// How many statements were refused for the sake of other transactions.
fn conflicts(tally: &Tally) -> usize {
    let statements = [
        "select",
        "for update",
        "insert",
        "insert do nothing",
        "insert do update",
        "update",
        "delete",
        "commit",
    ];
    statements.iter().map(|statement| tally.of(statement, "40001")).sum()
}

/// How many programs of a dense crowd are tried: they are longer than others.
fn dense_cases() -> usize {
    cases().div_ceil(8)
}

#[test]
fn four_sessions_that_crowd_round_one_row_and_hang_up_are_answered_as_by_postgresql() {
    let cases = dense_cases();
    let Some(tally) = assert_agreement(cases, (Levels::Exact, Crowd::Dense)) else { return };
    let seen = [
        ("waits for a lock", tally.of("for update", "queued")),
        ("rollbacks", tally.of("rollback", "rolledback")),
        ("who hang up while they wait", tally.of("hung up", "waiting")),
        ("who hang up in a transaction", tally.of("hung up", "in a transaction")),
    ];
    for (what, seen) in seen {
        assert!(seen * 10 >= cases, "only {seen} {what} in {cases} programs");
    }
}

#[test]
fn four_sessions_of_different_levels_crowd_round_one_row_as_in_postgresql() {
    let cases = dense_cases().div_ceil(4);
    let Some(tally) = assert_agreement(cases, (Levels::Mixed, Crowd::Dense)) else { return };
    let seen = conflicts(&tally);
    assert!(seen * 10 >= cases, "only {seen} conflicts in {cases} programs");
}

/// Whether an insert that did nothing is a read, in the simulation and for the one who judges it.
#[derive(Clone, Copy, Debug)]
struct Counted {
    simulated: bool,
    judged: bool,
}

/// Plays random programs in the simulation alone, and asks of each whether it is serializable.
fn judged(levels: Levels, counted: Counted, tally: &Tally) -> Result<(), TestError<Program>> {
    search((seed(3), CASES_ALONE), 5_000, (levels, Crowd::Loose), |program| {
        let mut run = Run::counting(program, counted.simulated);
        let committed = play(&mut run, program, tally)?;
        tally.note("transactions", &format!("{} committed", committed.len()));
        assert_serializable(program, &committed, &mut run, counted.judged, tally)
    })
}

#[test]
fn what_the_simulation_commits_at_serializable_is_serializable_whatever_counts_as_a_read() {
    for counts in [false, true] {
        let tally = Tally::default();
        let counted = Counted { simulated: counts, judged: counts };
        assert_none(judged(Levels::Serializable, counted, &tally));
        tally.print();
        for statement in ["select", "update", "insert", "commit"] {
            let failed = tally.of(statement, "40001");
            assert!(failed >= CASES_ALONE / 1_000, "{statement} never fails, {counted:?}");
        }
    }
}

#[test]
fn snapshots_alone_are_not_serializable_and_that_is_found_out() {
    let counted = Counted { simulated: false, judged: false };
    match judged(Levels::Snapshot, counted, &Tally::default()) {
        Err(TestError::Fail(difference, program)) => println!("{difference}\n{program:?}"),
        other => panic!("no write skew was found: {other:?}"),
    }
}

/// The random programs take no key away at SERIALIZABLE, so that nobody could notice: a story does.
#[test]
fn inserts_that_do_nothing_and_do_not_count_are_not_serializable_and_that_is_found_out() {
    let (turns, asked): (Vec<usize>, Vec<Statement>) = idle_insert().into_iter().unzip();
    let session = |who| {
        let asked = turns.iter().zip(&asked).filter(|(turn, _)| **turn == who);
        asked.map(|(_, statement)| statement.clone()).collect()
    };
    let program = Program {
        sessions: vec![session(0), session(1)],
        schedule: turns.iter().map(|who| Turn::Acts(*who)).collect(),
        ..accounts(&[(1, 10)])
    };
    let is_serializable = |counted: Counted| {
        let tally = Tally::default();
        let mut run = Run::counting(&program, counted.simulated);
        let committed = play(&mut run, &program, &tally).expect("nobody waits");
        assert_serializable(&program, &committed, &mut run, counted.judged, &tally).is_ok()
    };
    assert!(is_serializable(Counted { simulated: true, judged: true }));
    assert!(is_serializable(Counted { simulated: false, judged: false }));
    assert!(!is_serializable(Counted { simulated: false, judged: true }));
}

#[test]
fn who_is_alone_is_answered_as_the_oracle_says() {
    let profile = (Levels::Exact, Crowd::Loose);
    let found = search((seed(4), CASES), 5_000, profile, |program| {
        let mut run = Run::new(program);
        let mut tables = program.rows.clone();
        for statement in program.sessions.iter().flatten() {
            use Statement::{Begin, Commit, Rollback};
            if matches!(statement, Begin(_) | Commit | Rollback) {
                continue;
            }
            let before = tables.clone();
            let expected = alone(&mut tables, statement);
            if expected.is_none() {
                tables = before;
            }
            let mut after = Vec::new();
            // In whichever order it takes its rows, it makes no difference to who is alone.
            for (world, reply) in outcomes(&run, 0, statement) {
                match reply {
                    Reply::Answer(answer) if answer.as_ref().ok() == expected.as_ref() => {}
                    reply => {
                        return Err(format!("{statement}: {reply:?}, the oracle: {expected:?}"));
                    }
                }
                after.push(world);
            }
            run = after.swap_remove(0);
            if after.iter().any(|other| *other != run) {
                return Err(format!("{statement} leaves different worlds behind"));
            }
        }
        Ok(())
    });
    assert_none(found);
}
