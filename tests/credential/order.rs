//! The order of the steps of what ships: which of them have to come in which order, and that this is
//! all. Every program with one step moved anywhere else breaks a property (or never writes) exactly
//! if it turns one of the listed pairs round.

use toctou::writer::{NEW, Op, REPLACE};

use super::mutants::{broken, name};

/// The program with the step at `from` moved to `to`.
fn moved(program: &[Op], from: usize, to: usize) -> Vec<Op> {
    let mut moved = program.to_vec();
    let step = moved.remove(from);
    moved.insert(to, step);
    moved
}

/// The first of the pairs that this program turns round.
fn turned_round(program: &[Op], pairs: &[(&str, &str)]) -> Option<String> {
    let position = |wanted: &str| program.iter().position(|op| name(op) == wanted);
    let turned = pairs.iter().find(|(first, second)| {
        let (first, second) = (position(first), position(second));
        assert!(first.is_some() && second.is_some(), "steps of the program");
        first > second
    });
    turned.map(|(first, second)| format!("{second} before {first}"))
}

fn assert_only_these_matter(program: &[Op], scenarios: &[&str], pairs: &[(&str, &str)]) {
    // Within two actions the program itself breaks nothing.
    let told = |program: &[Op]| {
        (0..=2).find_map(|actions| {
            scenarios.iter().find_map(|scenario| {
                let property = broken(program, scenario, actions).into_iter().next()?;
                Some(format!("{property} in {scenario} with {actions} actions"))
            })
        })
    };
    assert_eq!(told(program), None);
    let mut wrong = Vec::new();
    let mut seen: Vec<Vec<Op>> = Vec::new();
    for from in 0..program.len() {
        for to in (0..program.len()).filter(|to| *to != from) {
            let mutant = moved(program, from, to);
            if seen.contains(&mutant) {
                continue;
            }
            let what = format!("{} from {from} to {to}", name(&program[from]));
            match (turned_round(&mutant, pairs), told(&mutant)) {
                (Some(pair), Some(how)) => println!("{what}, so {pair}: {how}"),
                (None, None) => println!("{what}: equivalent"),
                (Some(pair), None) => wrong.push(format!("{what}: {pair}, and nothing shows")),
                (None, Some(how)) => wrong.push(format!("{what}: no pair is turned, and {how}")),
            }
            seen.push(mutant);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// An unnamed file is nobody else's to reach, so what is done to it may come in any order, and it is
/// in no directory, so that may be opened after. The last call has to be the one that names it.
#[test]
fn the_new_file_is_made_before_it_is_filled_and_named_last() {
    assert_only_these_matter(
        NEW,
        &["new-shared", "new-parent-swap"],
        &[
            ("CreateUnnamed", "SetMode"),
            ("CreateUnnamed", "Write"),
            ("CreateUnnamed", "Sync"),
            ("Anchor", "Link"),
            ("SetMode", "Link"),
            ("Write", "Link"),
            ("Sync", "Link"),
        ],
    );
}

/// What is done in the private directory may come in any order. The exchange looks for itself, so
/// the early look may come at any time before.
#[test]
fn the_replacement_is_whole_before_it_is_exchanged_and_looked_at_last() {
    assert_only_these_matter(
        REPLACE,
        &["force-shared", "force-parent-swap"],
        &[
            ("Anchor", "PrivateDirectory"),
            ("Look", "Exchange"),
            ("PrivateDirectory", "CreateTemporary"),
            ("CreateTemporary", "SetMode"),
            ("CreateTemporary", "Identify"),
            ("CreateTemporary", "Write"),
            ("CreateTemporary", "Sync"),
            ("Write", "Exchange"),
            ("CreateTemporary", "Exchange"),
            ("Exchange", "RemovePrivate"),
            ("Identify", "Exchange"),
            ("Identify", "Verify"),
            ("RemovePrivate", "Verify"),
            ("SetMode", "Verify"),
            ("Sync", "Verify"),
        ],
    );
}
