//! What ships is no longer than it has to be: without any one of its steps or flags, or with two
//! steps the other way round, some property breaks; or the mutant is listed here, with the reason
//! why nothing can show it.

use toctou::check::{Checker, GraphOptions, Verdict};
use toctou::fs::{OFlags, ResolveFlags};
use toctou::models::credential::with_program;
use toctou::writer::{Exchange, NEW, NEW_BY_NAME, Op, REPLACE};

/// What was done to a program, and what is left of it.
struct Mutant {
    name: String,
    program: Vec<Op>,
}

/// The name of an operation, without its fields.
fn name(op: &Op) -> String {
    let debug = format!("{op:?}");
    debug.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

/// Every program with one step less, with two neighbours the other way round, or with one flag less.
fn mutants(program: &[Op]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for position in 0..program.len() {
        let mut shorter = program.to_vec();
        let removed = shorter.remove(position);
        mutants.push(Mutant { name: format!("without {}", name(&removed)), program: shorter });
        if position > 0 {
            let mut swapped = program.to_vec();
            swapped.swap(position - 1, position);
            let (first, second) = (name(&swapped[position - 1]), name(&swapped[position]));
            mutants.push(Mutant { name: format!("{first} before {second}"), program: swapped });
        }
        for (what, weaker) in weakened(program[position]) {
            let mut program = program.to_vec();
            program[position] = weaker;
            mutants.push(Mutant { name: format!("{} without {what}", name(&weaker)), program });
        }
    }
    mutants
}

fn weakened(op: Op) -> Vec<(&'static str, Op)> {
    let fewer = |flags: OFlags| {
        [("O_EXCL", OFlags::EXCL), ("O_NOFOLLOW", OFlags::NOFOLLOW)]
            .into_iter()
            .filter(move |(_, flag)| flags.contains(*flag))
            .map(move |(name, flag)| (name, flags.difference(flag)))
    };
    match op {
        Op::Anchor(flags, _) => {
            vec![("RESOLVE_NO_SYMLINKS", Op::Anchor(flags, ResolveFlags::empty()))]
        }
        Op::CreateTemporary(flags) => {
            fewer(flags).map(|(name, flags)| (name, Op::CreateTemporary(flags))).collect()
        }
        Op::PrivateDirectory { .. } => {
            vec![("its look at what it opened", Op::PrivateDirectory { inspects: false })]
        }
        Op::Exchange(whole) => vec![
            ("looking", Op::Exchange(Exchange { inspects: false, ..whole })),
            ("putting back", Op::Exchange(Exchange { puts_back: false, ..whole })),
            ("looking again", Op::Exchange(Exchange { reinspects: false, ..whole })),
            ("removing", Op::Exchange(Exchange { removes: false, ..whole })),
        ],
        _ => Vec::new(),
    }
}

/// Which properties this program breaks.
fn broken(program: &[Op], scenario: &str, actions: usize) -> Vec<String> {
    let system = with_program(program.to_vec(), scenario, actions).expect("a scenario");
    let options = GraphOptions { count_interleavings_up_to: 0, ..GraphOptions::default() };
    let report = Checker::new(system).graph(&options);
    assert!(report.exhaustive());
    let findings = report.findings.into_iter();
    let broken = findings.filter(|finding| matches!(finding.verdict, Verdict::Violated(_)));
    broken.map(|finding| finding.property).collect()
}

/// In a sticky directory an attacker can do less than in one that is not, so these are all it takes.
fn assert_all_told_apart(program: &'static [Op], scenarios: &[&str], equivalent: &[(&str, &str)]) {
    // Few actions first: most mutants are found out by none or one.
    let systems: Vec<(usize, &str)> =
        (0..=3).flat_map(|actions| scenarios.iter().map(move |name| (actions, *name))).collect();
    let known: Vec<Vec<String>> =
        systems.iter().map(|(actions, scenario)| broken(program, scenario, *actions)).collect();
    let mut wrong = Vec::new();
    for Mutant { name, program: mutant } in mutants(program) {
        let told_apart = systems.iter().zip(&known).find_map(|((actions, scenario), known)| {
            let broken = broken(&mutant, scenario, *actions);
            let new = broken.into_iter().find(|property| !known.contains(property))?;
            Some(format!("{new} in {scenario} with {actions} actions"))
        });
        let listed = equivalent.iter().find(|(known, _)| *known == name);
        match (told_apart, listed) {
            (Some(how), None) => println!("{name}: {how}"),
            (None, Some((_, why))) => println!("{name}: equivalent: {why}"),
            (Some(how), Some(_)) => wrong.push(format!("{name}: not equivalent: {how}")),
            (None, None) => wrong.push(format!("{name}: nothing tells it apart")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const POWER: &str = "it is for a power failure, and in this world there is none";
const MODE: &str = "the umask here takes nothing from 0600; for others, see the writer's own tests";
const ALONE: &str = "nobody else can make or move anything in the private directory";

#[test]
fn no_step_of_the_new_file_can_be_left_out_or_moved() {
    assert_all_told_apart(
        NEW,
        &["new-shared", "new-parent-swap"],
        &[
            ("CreateUnnamed before Anchor", "a file without a name is in no directory"),
            ("without SetMode", MODE),
            ("Write before SetMode", "nobody can reach a file without a name"),
            ("without Sync", POWER),
            ("Sync before Write", POWER),
        ],
    );
}

#[test]
fn no_step_of_the_replacement_can_be_left_out_or_moved() {
    assert_all_told_apart(
        REPLACE,
        &["force-shared", "force-parent-swap"],
        &[
            (
                "Look before Anchor",
                "a link from before is refused either way; the exchange decides",
            ),
            ("PrivateDirectory before Look", "it is removed again where the look ends it"),
            ("CreateTemporary without O_EXCL", ALONE),
            ("CreateTemporary without O_NOFOLLOW", ALONE),
            ("without SetMode", MODE),
            ("Identify before SetMode", ALONE),
            ("Write before Identify", ALONE),
            ("without Sync", POWER),
            ("Sync before Write", POWER),
            ("Exchange before Sync", POWER),
        ],
    );
}

#[test]
fn no_step_of_the_new_file_by_name_can_be_left_out_or_moved() {
    assert_all_told_apart(
        NEW_BY_NAME,
        &["new-shared", "new-sticky", "new-parent-swap"],
        &[
            ("without Look", "what is there is refused by the rename; the look only says by what"),
            ("Look before Anchor", "likewise"),
            ("PrivateDirectory before Look", "it is removed again where the look ends it"),
            ("CreateTemporary without O_EXCL", ALONE),
            ("CreateTemporary without O_NOFOLLOW", ALONE),
            ("without SetMode", MODE),
            ("Identify before SetMode", ALONE),
            ("Write before Identify", ALONE),
            ("without Sync", POWER),
            ("Sync before Write", POWER),
            ("RenameNew before Sync", POWER),
        ],
    );
}
