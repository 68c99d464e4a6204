//! A call fails in one of several who act at once, in every interleaving: nobody gets what another
//! got, and no secret vanishes.

use std::collections::BTreeSet;
use std::path::Path;

use toctou::check::{Checker, GraphOptions, State, System, Verdict};
use toctou::direct::{Code, DirectFs, Files};
use toctou::fs::{Errno, FileSystem, Mode, SimFile, SimFs};
use toctou::store::{
    self, ClaimEnd, ClaimFailure, Durability, ExpireEnd, Left, Mechanism, Names, PutEnd,
    PutRequest, expire, put,
};
use toctou::{Process, Step};

use crate::faulty::{Fault, Faulty, Script, drive, fault_at};

const KEY: &str = "key";
const FIRST: &[u8] = b"alpha";
const SECOND: &[u8] = b"bravo";
/// Which error it is makes no difference to the machines, as the runs with one actor show.
const FAULT: Fault = Fault::Fails(Errno::MFILE);

/// A process that meets the faults of a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cursed {
    role: Role,
    names: Names,
    script: Script,
    steps: usize,
}

type Acting<T> = Code<Files<SimFile>, T>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    Claiming(Acting<Result<Told, Left>>),
    Putting(Acting<Told>),
    /// With the content that is there before its first step, which is the one that removes it.
    Expiring(Acting<ExpireEnd>, Option<Vec<u8>>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Told {
    Delivered(Vec<u8>),
    Gone,
    ClaimFailed { left: Left, names: Names },
    Stored,
    NotStored,
    Expired(Vec<u8>),
    NotExpired,
}

impl Process<Faulty<SimFs>> for Role {
    type Output = Result<Told, Left>;

    fn step(self, fs: &mut Faulty<SimFs>) -> Step<Self, Self::Output> {
        match self {
            Role::Claiming(claim) => claim.step(fs).map(Role::Claiming),
            Role::Putting(put) => {
                put.step(fs).map(Role::Putting).and_then(|told| Step::Done(Ok(told)))
            }
            Role::Expiring(expire, seen) => {
                let content = |fs: &mut Faulty<SimFs>| {
                    fs.observed(|fs| fs.world.tree().bytes("key/content").map(<[u8]>::to_vec))
                };
                let seen = if expire.answers() == 0 { content(fs) } else { seen };
                let goes_on = |expire| Role::Expiring(expire, seen.clone());
                expire.step(fs).map(goes_on).and_then(|end| {
                    Step::Done(Ok(match (end, seen.clone()) {
                        (ExpireEnd::Expired, seen) => Told::Expired(seen.expect("it was there")),
                        (ExpireEnd::Gone | ExpireEnd::Failed(_), _) => Told::NotExpired,
                        (ExpireEnd::NotDurable { .. }, _) => unreachable!("it is not to be"),
                    }))
                })
            }
        }
    }
}

/// Claims, and reads what it has.
fn claim_and_read(fs: &mut DirectFs, mechanism: Mechanism, names: &Names) -> Result<Told, Left> {
    match store::claim(fs, mechanism, Durability::None, names) {
        ClaimEnd::Claimed { mut file, .. } => {
            let mut buffer = [0; 64];
            // Whatever befalls the read, it has the file.
            let count = loop {
                if let Ok(count) = fs.read(&mut file, &mut buffer) {
                    break count;
                }
            };
            Ok(Told::Delivered(buffer[..count].to_vec()))
        }
        ClaimEnd::Gone => Ok(Told::Gone),
        ClaimEnd::Failed(ClaimFailure { left, .. }) => Err(left),
    }
}

impl Process<Faulty<SimFs>> for Cursed {
    type Output = Told;

    fn step(self, fs: &mut Faulty<SimFs>) -> Step<Self, Told> {
        let Cursed { role, names, script, steps } = self;
        match fs.step(role, fault_at(&script, steps)) {
            Step::Next(role) => Step::Next(Cursed { role, names, script, steps: steps + 1 }),
            Step::Blocked(role) => Step::Blocked(Cursed { role, names, script, steps }),
            Step::Done(Ok(told)) => Step::Done(told),
            Step::Done(Err(left)) => Step::Done(Told::ClaimFailed { left, names }),
            Step::Choice(_) => unreachable!("they leave nothing open"),
        }
    }
}

/// Who acts beside two claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Others {
    Nobody,
    Janitor,
    Uploader,
    Replacer,
    JanitorAndUploader,
}

impl Others {
    const ALL: [Others; 5] = [
        Others::Nobody,
        Others::Janitor,
        Others::Uploader,
        Others::Replacer,
        Others::JanitorAndUploader,
    ];

    fn roles(self) -> Vec<Role> {
        let put = |replace| {
            let request = PutRequest::new(Path::new(KEY), "second", SECOND.to_vec());
            let request = PutRequest { replace, ..request };
            Role::Putting(Code::files(move |fs| match put(fs, &request) {
                PutEnd::Stored | PutEnd::NotDurable { .. } => Told::Stored,
                PutEnd::Occupied | PutEnd::Failed(_) => Told::NotStored,
            }))
        };
        let janitor = || Role::Expiring(Code::files(|fs| expire(fs, Path::new(KEY), false)), None);
        match self {
            Others::Nobody => vec![],
            Others::Janitor => vec![janitor()],
            Others::Uploader => vec![put(false)],
            Others::Replacer => vec![put(true)],
            Others::JanitorAndUploader => vec![janitor(), put(false)],
        }
    }
}

fn claim(mechanism: Mechanism, token: &str) -> (Role, Names) {
    let names = Names::new(Path::new(KEY), mechanism, Durability::None, token);
    let known = names.clone();
    (Role::Claiming(Code::files(move |fs| claim_and_read(fs, mechanism, &known))), names)
}

fn start() -> Faulty<SimFs> {
    let world = SimFs::new().with_directory(KEY, Mode::RWXU);
    let world = world.and_then(|world| {
        world.with_file(format!("{KEY}/content"), Mode::from_raw_mode(0o600), FIRST)
    });
    Faulty::new(world.expect("an empty world takes a file"))
}

/// Two claims and the others; the actor at index `victim` meets the faults of `script`.
fn system(
    mechanism: Mechanism,
    others: Others,
    victim: usize,
    script: &Script,
) -> System<Faulty<SimFs>, Cursed> {
    let claims = ["1", "2"].map(|token| claim(mechanism, token));
    let names = claims[0].1.clone();
    let others_roles = others.roles().into_iter().map(|role| (role, names.clone()));
    let mut system = System::new(start());
    for (index, (role, names)) in claims.into_iter().chain(others_roles).enumerate() {
        let script = if index == victim { script.clone() } else { Vec::new() };
        system = system.actor(format!("{index}"), Cursed { role, names, script, steps: 0 });
    }
    let told = |such: fn(&Told) -> bool| {
        move |state: &State<'_, Faulty<SimFs>, Cursed>| state.outputs().any(such)
    };
    system
        .at_most(1, AT_MOST_ONCE, |local| match local.output() {
            Some(Told::Delivered(secret)) => Some(secret.clone()),
            _ => None,
        })
        .finally(NOTHING_VANISHES, move |state| nothing_vanishes(state, mechanism, others))
        .finally(EXPIRED_MEANS_UNCLAIMED, |state| {
            let delivered = |secret: &Vec<u8>| {
                state.outputs().any(|told| matches!(told, Told::Delivered(got) if got == secret))
            };
            state.outputs().all(|told| match told {
                Told::Expired(secret) => !delivered(secret),
                _ => true,
            })
        })
        .reachable("delivered", told(|told| matches!(told, Told::Delivered(_))))
        .reachable("left content", told(|told| is_left(told, Left::Content)))
        .reachable("left under its claim name", told(|told| is_left(told, Left::ClaimName)))
        .reachable("left with the marker", told(|told| is_left(told, Left::ContentAndMarker)))
        .reachable("gone and put back", |state| {
            state.outputs().any(|told| is_left(told, Left::Content))
                && state.outputs().any(|told| *told == Told::Gone)
                && state.world().world.tree().bytes("key/content") == Some(FIRST)
        })
}

const AT_MOST_ONCE: &str = "at most once";
const NOTHING_VANISHES: &str = "nothing vanishes";
const EXPIRED_MEANS_UNCLAIMED: &str = "expired means unclaimed";

fn is_left(told: &Told, where_: Left) -> bool {
    matches!(told, Told::ClaimFailed { left, .. } if *left == where_)
}

/// Every secret that was put was delivered, or can be claimed still, or a failed claim says where
/// it is; or it was expired or replaced.
fn nothing_vanishes(
    state: &State<'_, Faulty<SimFs>, Cursed>,
    mechanism: Mechanism,
    others: Others,
) -> bool {
    let tree = state.world().world.tree();
    let stored = state.outputs().any(|told| *told == Told::Stored);
    let found = |secret: &[u8]| {
        let answered = state.outputs().any(|told| match told {
            Told::Delivered(got) | Told::Expired(got) => got == secret,
            Told::ClaimFailed { left: Left::ClaimName, names } => {
                tree.bytes(names.claim()) == Some(secret)
            }
            Told::ClaimFailed { left: Left::ContentAndMarker, names } => {
                tree.bytes(names.content()) == Some(secret) && tree.bytes(names.claim()).is_some()
            }
            _ => false,
        });
        answered || next_claim_gets(state.world(), mechanism, secret)
    };
    let replaced = stored && others == Others::Replacer;
    (replaced || found(FIRST)) && (!stored || found(SECOND))
}

fn next_claim_gets(world: &Faulty<SimFs>, mechanism: Mechanism, secret: &[u8]) -> bool {
    let (role, _) = claim(mechanism, "late");
    let got = drive(role, &[], &mut world.clone()).0;
    got == Ok(Told::Delivered(secret.to_vec()))
}

/// No fault, one at any step, two at any two steps.
fn scripts() -> Vec<Script> {
    const STEPS: usize = 8;
    let mut scripts = vec![Vec::new()];
    for first in 0..STEPS {
        scripts.push(vec![(first, FAULT)]);
        scripts.extend((first + 1..STEPS).map(|second| vec![(first, FAULT), (second, FAULT)]));
    }
    scripts
}

/// What breaks, and what was reached, over every script of every victim.
#[derive(Default)]
struct Found {
    broken: BTreeSet<String>,
    broken_without_fault: BTreeSet<String>,
    reached: BTreeSet<String>,
    systems: usize,
    states: u64,
}

fn explore(mechanism: Mechanism, others: Others) -> Found {
    let mut found = Found::default();
    let options =
        GraphOptions { count_interleavings_up_to: 0, threads: Some(1), ..GraphOptions::default() };
    // The first claim stands for the second as well.
    for victim in [0].into_iter().chain(2..2 + others.roles().len()) {
        for script in scripts() {
            let system = system(mechanism, others, victim, &script);
            let report = Checker::new(system).graph(&options);
            assert!(report.exhaustive());
            found.systems += 1;
            found.states += report.states.unwrap_or(0);
            for finding in report.findings {
                match (finding.kind.word(), &finding.verdict) {
                    ("reachable", Verdict::Holds(_)) => {
                        found.reached.insert(finding.property);
                    }
                    ("reachable", _) | (_, Verdict::Holds(_)) => {}
                    (_, verdict) => {
                        if script.is_empty() {
                            found.broken_without_fault.insert(finding.property.clone());
                        }
                        if found.broken.insert(finding.property.clone()) {
                            let schedule = verdict.schedule().map(ToString::to_string);
                            println!(
                                "{mechanism:?} {others:?}: {} by actor {victim}, {script:?}: {}",
                                finding.property,
                                schedule.unwrap_or_default()
                            );
                        }
                    }
                }
            }
        }
    }
    println!(
        "{mechanism:?} {others:?}: {} systems, {} states, broken {:?}",
        found.systems, found.states, found.broken
    );
    found
}

/// The one weakness that takes a fault: by a fixed name, a claim may rename back what another
/// claim has renamed meanwhile.
const ONLY_WITH_A_FAULT: ((Mechanism, Others), &str) =
    ((Mechanism::RenameFixed, Others::JanitorAndUploader), EXPIRED_MEANS_UNCLAIMED);

/// The documented weaknesses, all of them of a key that is put anew meanwhile.
fn known_to_break(mechanism: Mechanism, others: Others) -> &'static [&'static str] {
    use Mechanism::{AdvisoryLock, ClaimFile, RenameFixed, RenameUnique, UnlinkDecides};
    match (mechanism, others) {
        (RenameUnique, _) | (_, Others::Nobody | Others::Janitor) => &[],
        (RenameFixed | UnlinkDecides, Others::Uploader | Others::Replacer) => {
            &[AT_MOST_ONCE, NOTHING_VANISHES]
        }
        (RenameFixed | UnlinkDecides, Others::JanitorAndUploader) => {
            &[AT_MOST_ONCE, EXPIRED_MEANS_UNCLAIMED, NOTHING_VANISHES]
        }
        (ClaimFile, Others::Uploader | Others::Replacer) | (AdvisoryLock, Others::Replacer) => {
            &[NOTHING_VANISHES]
        }
        (AdvisoryLock, Others::Uploader) => &[],
        (ClaimFile | AdvisoryLock, Others::JanitorAndUploader) => {
            &[EXPIRED_MEANS_UNCLAIMED, NOTHING_VANISHES]
        }
    }
}

#[test]
fn whatever_fails_a_secret_is_delivered_at_most_once_and_never_vanishes() {
    let (mut systems, mut states) = (0, 0);
    for mechanism in Mechanism::ALL {
        let mut reached = BTreeSet::new();
        for others in Others::ALL {
            let found = explore(mechanism, others);
            let known = known_to_break(mechanism, others).iter().map(ToString::to_string);
            assert_eq!(found.broken, known.collect(), "{mechanism:?} {others:?}");
            let without_fault = if (mechanism, others) == ONLY_WITH_A_FAULT.0 {
                found.broken.iter().filter(|name| **name != ONLY_WITH_A_FAULT.1).cloned().collect()
            } else {
                found.broken
            };
            assert_eq!(found.broken_without_fault, without_fault, "{mechanism:?} {others:?}");
            reached.extend(found.reached);
            systems += found.systems;
            states += found.states;
        }
        let renames = matches!(mechanism, Mechanism::RenameUnique | Mechanism::RenameFixed);
        for (name, expected) in [
            ("delivered", true),
            ("left content", true),
            ("gone and put back", renames || mechanism == Mechanism::ClaimFile),
            ("left under its claim name", renames),
            ("left with the marker", mechanism == Mechanism::ClaimFile),
        ] {
            assert_eq!(reached.contains(name), expected, "{mechanism:?}: {name}");
        }
    }
    println!("{systems} systems, {states} states");
    assert!(systems > 1_500 && states > 100_000, "{systems} systems, {states} states");
}

#[test]
fn content_that_cannot_go_back_because_new_content_is_there_stays_under_its_claim_name() {
    let mut world = start();
    let (claiming, names) = claim(Mechanism::RenameUnique, "1");
    let Step::Next(claiming) = world.step(claiming, None) else { panic!("renamed") };
    let Step::Next(claiming) = world.step(claiming, Some(FAULT)) else { panic!("to be put back") };
    let [uploader] = <[Role; 1]>::try_from(Others::Uploader.roles()).expect("one");
    assert_eq!(drive(uploader, &[], &mut world).0, Ok(Told::Stored));
    assert_eq!(world.step(claiming, None), Step::Done(Err(Left::ClaimName)));
    assert_eq!(world.world.tree().bytes(names.claim()), Some(FIRST));
    assert!(next_claim_gets(&world, Mechanism::RenameUnique, SECOND));
}

#[test]
fn a_claim_by_marker_that_came_too_early_uses_up_the_key_and_says_so() {
    let world = SimFs::new().with_directory(KEY, Mode::RWXU).expect("it is empty");
    let mut world = Faulty::new(world);
    let (early, names) = claim(Mechanism::ClaimFile, "1");
    assert_eq!(drive(early, &[], &mut world).0, Err(Left::Marker));
    let [uploader] = <[Role; 1]>::try_from(Others::Uploader.roles()).expect("one");
    assert_eq!(drive(uploader, &[], &mut world).0, Ok(Told::Stored));
    assert!(!next_claim_gets(&world, Mechanism::ClaimFile, SECOND));
    world.world.unlink(names.claim()).expect("it is there");
    assert!(next_claim_gets(&world, Mechanism::ClaimFile, SECOND));
}
