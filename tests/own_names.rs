//! Names of which each client has one of its own. What comes of them with as many clients as one likes comes of
//! some number of clients, each with a name that was given to it, and nothing else does.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRng, TestRunner};
use toctou::Process;
use toctou::check::{AnyLimits, Checker, GraphOptions, Report, System, Value};
use toctou::direct::{Code, DirectFs, FileCode};
use toctou::fs::{AtFlags, Errno, FileSystem, Mode, OFlags, OWN, Owner, RenameFlags, SimFs};

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// What a client does: with the content, that all have, and with the name that is its own.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Renames the content to its own name.
    Take,
    /// Renames what it has to the content, if there is none.
    GiveBack,
    /// The same, whatever is there.
    Replace,
    /// Makes a file of its own.
    Make,
    OpenOwn,
    RemoveOwn,
    RemoveContent,
    Look,
    /// Removes the directory, which all of them hinder.
    RemoveDirectory,
}

const ACTS: [Act; 9] = [
    Act::Take,
    Act::GiveBack,
    Act::Replace,
    Act::Make,
    Act::OpenOwn,
    Act::RemoveOwn,
    Act::RemoveContent,
    Act::Look,
    Act::RemoveDirectory,
];

impl Act {
    fn perform(self, fs: &mut DirectFs, own: &str) -> Result<(), Errno> {
        let make = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        match self {
            Act::Take => fs.rename("key/content", own),
            Act::GiveBack => fs.rename_with(own, "key/content", RenameFlags::NOREPLACE),
            Act::Replace => fs.rename(own, "key/content"),
            Act::Make => fs.open(own, make, PRIVATE).map(drop),
            Act::OpenOwn => fs.open(own, OFlags::RDONLY, Mode::empty()).map(drop),
            Act::RemoveOwn => fs.unlink(own),
            Act::RemoveContent => fs.unlink("key/content"),
            Act::Look => fs.stat("key/content", AtFlags::empty()).map(drop),
            Act::RemoveDirectory => fs.rmdir("key"),
        }
    }
}

/// Does all of it; whether each act succeeded. It ends at one that fails, if it is to.
fn client(acts: Vec<Act>, gives_up: bool, own: &str) -> FileCode<Vec<bool>> {
    let own = format!("key/content.{own}");
    Code::files(move |fs| {
        let mut done = Vec::new();
        for act in &acts {
            done.push(act.perform(fs, &own).is_ok());
            if gives_up && done.last() == Some(&false) {
                break;
            }
        }
        done
    })
}

fn world() -> SimFs {
    let mut fs = SimFs::new();
    fs.mkdir("key", Mode::RWXU).expect("a directory");
    fs.with_file("key/content", PRIVATE, b"alpha").expect("a file")
}

fn claimed<P: Process<SimFs, Output = Vec<bool>> + Value>(
    system: System<SimFs, P>,
    acts: usize,
) -> System<SimFs, P> {
    let all = move |done: &Vec<bool>| done.len() == acts && done.iter().all(|done| *done);
    system
        .at_most(1, "one-does-it-all", move |client| client.output().filter(|d| all(d)).map(drop))
        .reaches("somebody-fails-at-last", move |client| {
            client.output().is_some_and(|done| done.last() == Some(&false))
        })
}

fn check<P: Process<SimFs, Output = Vec<bool>> + Value>(system: System<SimFs, P>) -> Report {
    let options = GraphOptions { count_interleavings_up_to: 0, ..GraphOptions::default() };
    let report = Checker::new(system).graph(&options);
    assert!(report.exhaustive());
    report
}

fn word(report: &Report, property: &str) -> &'static str {
    report.finding(property).expect("it is claimed").verdict.word()
}

fn acts() -> impl Strategy<Value = (Vec<Act>, bool)> {
    (prop::collection::vec(select(&ACTS), 1..4), any::<bool>())
}

#[test]
fn any_number_of_clients_with_names_of_their_own_covers_every_number_of_them() {
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (proofs, refutations, all_seven) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |of: &Cell<u32>, is: bool| of.set(of.get() + u32::from(is));
    runner
        .run(&acts(), |(acts, gives_up)| {
            let owner = || Owner::new(client(acts.clone(), gives_up, OWN));
            let owners =
                |clients| claimed(System::new(world()).clients(clients, owner()), acts.len());
            let any = Checker::new(owners(1)).any(&AnyLimits { max_configurations: 500 });
            // Where a few have many states, more of them would take too long.
            let mut few: Vec<Report> = Vec::new();
            while few.len() <= 6 && few.last().is_none_or(|last| last.states < Some(3_000)) {
                few.push(check(owners(few.len())));
            }
            count(&all_seven, few.len() == 7);
            // With names that were given to them, it is the same.
            for (clients, few) in few.iter().enumerate().take(4) {
                let numbered = (0..clients).fold(System::new(world()), |system, number| {
                    let client = client(acts.clone(), gives_up, &number.to_string());
                    system.actor(format!("client {number}"), client)
                });
                let numbered = check(claimed(numbered, acts.len()));
                for finding in &numbered.findings {
                    let property = &*finding.property;
                    prop_assert_eq!(
                        finding.verdict.word(),
                        word(few, property),
                        "{} {}",
                        property,
                        clients
                    );
                }
            }
            for property in ["one-does-it-all", "somebody-fails-at-last"] {
                let few: Vec<_> = few.iter().map(|report| word(report, property)).collect();
                let met = if property == "one-does-it-all" { "violated" } else { "holds" };
                match word(&any, property) {
                    "unfinished" => prop_assert!(!any.exhaustive()),
                    for_any => {
                        // For any number exactly if for some number, and six are enough for so few acts.
                        prop_assert_eq!(
                            for_any == met,
                            few.contains(&met),
                            "{}: {:?}",
                            property,
                            few
                        );
                        count(&proofs, property == "one-does-it-all" && for_any == "holds");
                        count(&refutations, property == "one-does-it-all" && for_any == "violated");
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    let counts = (proofs.get(), refutations.get(), all_seven.get());
    assert!(counts.0 > 20 && counts.1 > 3 && counts.2 > 20, "{counts:?}");
}

/// A world that grows with each client has no end of configurations, and that is no proof.
#[test]
fn files_that_stay_for_each_client_are_not_decided() {
    let makes = Owner::new(client(vec![Act::Make], true, OWN));
    let system = claimed(System::new(world()).clients(1, makes), 1);
    let any = Checker::new(system).any(&AnyLimits { max_configurations: 500 });
    assert_eq!(word(&any, "somebody-fails-at-last"), "unfinished");
    assert_eq!(word(&any, "one-does-it-all"), "violated", "two of them do");
}

#[test]
fn who_learns_anothers_own_name_is_told_so() {
    let lists = |fs: &mut DirectFs| {
        let mut directory = fs.open("key", OFlags::DIRECTORY, Mode::empty())?;
        fs.getdents(&mut directory).map(|names| names.len())
    };
    let takes = |fs: &mut DirectFs| {
        fs.rename("key/content", format!("key/content.{OWN}").as_str()).map(|()| 0)
    };
    let system = System::new(world())
        .actor("lists", Owner::new(Code::files(lists)))
        .clients(1, Owner::new(Code::files(takes)));
    let told = system.examine().complaint();
    assert!(told.contains("own: getdents: somebody learns the name"), "{told}");
}
