//! What ships is no longer than it has to be: without any one of its steps or flags some property
//! breaks, or the mutant is listed here, with the reason why nothing can show it.

use toctou::fs::{OFlags, ResolveFlags};
use toctou::models::credential::with_program;
use toctou::writer::{Exchange, NEW, NEW_BY_NAME, Op, REPLACE};

use super::known;

/// What was done to a program, and what is left of it.
struct Mutant {
    name: String,
    program: Vec<Op>,
}

/// The name of an operation, without its fields.
pub(super) fn name(op: &Op) -> String {
    let debug = format!("{op:?}");
    debug.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

/// Every program with one step less, or with one flag less. For one whose steps come in another order,
/// see [`order`](super::order).
fn mutants(program: &[Op]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for position in 0..program.len() {
        let mut shorter = program.to_vec();
        let removed = shorter.remove(position);
        mutants.push(Mutant { name: format!("without {}", name(&removed)), program: shorter });
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
        Op::Anchor(flags, limits) => vec![
            ("RESOLVE_NO_SYMLINKS", Op::Anchor(flags, ResolveFlags::empty())),
            ("O_DIRECTORY", Op::Anchor(flags.difference(OFlags::DIRECTORY), limits)),
            ("O_PATH", Op::Anchor(flags.difference(OFlags::PATH), limits)),
        ],
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
pub(super) fn broken(program: &[Op], scenario: &str, actions: usize) -> Vec<String> {
    known::broken(with_program(program.to_vec(), scenario, actions).expect("a scenario"))
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
const NOTHING_IN_IT: &str = "what is no directory has nothing in it: the next call says so";
const READABLE: &str = "it asks for permission to read the directory, which everybody has here";
const ALONE: &str = "nobody else can make or move anything in the private directory";

#[test]
fn no_step_of_the_new_file_can_be_left_out() {
    assert_all_told_apart(
        NEW,
        &["new-shared", "new-parent-swap"],
        &[
            ("Anchor without O_DIRECTORY", NOTHING_IN_IT),
            ("Anchor without O_PATH", READABLE),
            ("without SetMode", MODE),
            ("without Sync", POWER),
        ],
    );
}

#[test]
fn no_step_of_the_replacement_can_be_left_out() {
    assert_all_told_apart(
        REPLACE,
        &["force-shared", "force-parent-swap"],
        &[
            ("CreateTemporary without O_EXCL", ALONE),
            ("CreateTemporary without O_NOFOLLOW", ALONE),
            ("Anchor without O_DIRECTORY", NOTHING_IN_IT),
            ("Anchor without O_PATH", READABLE),
            ("without SetMode", MODE),
            ("without Sync", POWER),
        ],
    );
}

#[test]
fn no_step_of_the_new_file_by_name_can_be_left_out() {
    assert_all_told_apart(
        NEW_BY_NAME,
        &["new-shared", "new-sticky", "new-parent-swap"],
        &[
            ("without Look", "what is there is refused by the rename; the look only says by what"),
            ("CreateTemporary without O_EXCL", ALONE),
            ("CreateTemporary without O_NOFOLLOW", ALONE),
            ("Anchor without O_DIRECTORY", NOTHING_IN_IT),
            ("Anchor without O_PATH", READABLE),
            ("without SetMode", MODE),
            ("without Sync", POWER),
        ],
    );
}
