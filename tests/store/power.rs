//! Puts and claims across power failures, over every profile of disks.

use std::path::Path;

use toctou::check::{Checker, GraphOptions, System, Verdict};
use toctou::crash::{Crashing, Mortal};
use toctou::direct::{Code, DirectFs, FileCode, section};
use toctou::fs::{FileSystem, Mode, OFlags, Profile, SimFs};
use toctou::store::{
    ClaimEnd, Durability, ExpireEnd, Mechanism, Names, PutEnd, PutRequest, claim, delivered,
    expire, put, recover,
};
use toctou::{Process, Step};

/// What somebody was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Told {
    Stored,
    Got,
    Gone,
    Died,
    Recovered,
    Expired,
    Otherwise,
}

type Actor = Crashing<Handing, Told>;

/// The section of a program that has handed the content on.
const HANDED_ON: &str = "handed on";

/// A program that may die after it has handed the content on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Handing(FileCode<Told>);

impl Process<SimFs> for Handing {
    type Output = Told;

    fn step(self, fs: &mut SimFs) -> Step<Self, Told> {
        self.0.step(fs).map(Handing)
    }
}

impl Mortal<SimFs> for Handing {
    fn die(self, fs: &mut SimFs) {
        self.0.die(fs);
    }

    fn vanish(self) {
        Mortal::<SimFs>::vanish(self.0);
    }

    fn last_words(&self) -> Option<Told> {
        self.0.is_in(HANDED_ON).then_some(Told::Got)
    }
}

fn putting(token: &'static str, key: &'static str, durable: bool) -> Handing {
    Handing(Code::files(move |fs| {
        let request = PutRequest::new(Path::new(key), token, b"secret".to_vec());
        match put(fs, &PutRequest { durable, ..request }) {
            PutEnd::Stored => Told::Stored,
            _ => Told::Otherwise,
        }
    }))
}

fn got(
    fs: &mut impl FileSystem,
    mechanism: Mechanism,
    durability: Durability,
    token: &str,
) -> Told {
    let names = Names::new(Path::new("key"), mechanism, durability, token);
    match claim(fs, mechanism, durability, &names) {
        ClaimEnd::Claimed { mut file, .. } => {
            let mut bytes = [0; 16];
            let count = fs.read(&mut file, &mut bytes).unwrap_or(0);
            if &bytes[..count] != b"secret" {
                return Told::Otherwise;
            }
            if durability == Durability::NothingLost {
                let _handed_on = section(HANDED_ON);
                if delivered(fs, &names).is_err() {
                    return Told::Otherwise;
                }
            }
            Told::Got
        }
        ClaimEnd::Gone => Told::Gone,
        ClaimEnd::Failed(_) => Told::Otherwise,
    }
}

/// Whether there is content for the next client, once the store has recovered.
fn is_there(world: &SimFs, key: &str) -> bool {
    world.tree().bytes(Path::new(key).join("content")) == Some(b"secret")
}

/// Two puts under keys of their own in one directory that neither of them finds there, and the power.
fn puts(profile: Profile, durable: bool) -> System<SimFs, Actor> {
    System::new(SimFs::new().with_disk(profile))
        .actor("first", Crashing::program(putting("1", "key", durable), Told::Died))
        .actor("second", Crashing::program(putting("2", "key", durable), Told::Died))
        .actor("power", Crashing::power(Told::Recovered))
        .finally("what-is-stored-is-there", |state| {
            !state.outputs().any(|told| *told == Told::Stored) || is_there(state.world(), "key")
        })
        .reachable("it-is-stored-before-the-failure", |state| {
            state.world().power_failures() > 0 && state.outputs().any(|it| *it == Told::Stored)
        })
}

#[test]
fn what_was_put_survives_if_it_was_to_and_else_need_not() {
    for profile in Profile::ALL {
        puts(profile, true).assert_holds();
        puts(profile, false).assert_breaks("what-is-stored-is-there");
    }
}

/// A put, two claims by clients that come again, and a recovery, in which the power may fail again.
fn claims(profile: Profile, mechanism: Mechanism, durability: Durability) -> System<SimFs, Actor> {
    on(mechanism, durability, |world| world.with_disk(profile))
}

fn on(
    mechanism: Mechanism,
    durability: Durability,
    disk: impl FnOnce(SimFs) -> SimFs,
) -> System<SimFs, Actor> {
    let client = |token: &'static str, again: &'static str| {
        let claims = |token| Handing(Code::files(move |fs| got(fs, mechanism, durability, token)));
        Crashing::program(claims(token), Told::Died).again(claims(again))
    };
    let recovery = move |fs: &mut DirectFs| match recover(fs, mechanism, |_| true) {
        Ok(_) => Told::Recovered,
        Err(_) => Told::Otherwise,
    };
    // A put that was cut short long ago: a recovery has something to do before it looks at the key.
    let mut world = SimFs::new()
        .with_directory("also", Mode::RWXU)
        .and_then(|world| world.with_file("also/.put.first", Mode::RUSR, b"sec"))
        .expect("a file");
    let request = PutRequest::new(Path::new("key"), "first", b"secret".to_vec());
    assert_eq!(put(&mut world, &request), PutEnd::Stored);
    let recovery = Handing(Code::files(recovery));
    let power = Crashing::power(Told::Recovered).failing(2).recovering(recovery);
    System::new(disk(world))
        .actor("client 1", client("1", "2"))
        .actor("client 2", client("3", "4"))
        .actor("power", power)
        .at_most(1, "at-most-once", |local| {
            local.output().filter(|told| **told == Told::Got).cloned()
        })
        .finally("nothing-lost", |state| {
            state.outputs().any(|told| *told == Told::Got) || is_there(state.world(), "key")
        })
        .finally("nothing-fails", |state| !state.outputs().any(|told| *told == Told::Otherwise))
        .reachable("it-fails-twice", |state| {
            state.world().power_failures() == 2 && state.world().has_lost()
        })
        .reachable("a-recovery-is-cut-short", |state| state.world().has_lost_of_recovery())
}

/// Which of these the system breaks.
fn broken(system: System<SimFs, Actor>) -> Vec<&'static str> {
    let report = Checker::new(system).graph(&GraphOptions::default());
    assert!(report.exhaustive(), "{report:?}");
    let properties = ["at-most-once", "nothing-lost", "nothing-fails"];
    let is_violated = |name: &&str| {
        let finding = report.finding(name).expect("it is claimed");
        matches!(finding.verdict, Verdict::Violated(_))
    };
    let others = report.findings.iter().filter(|it| !properties.contains(&&*it.property));
    others.for_each(|it| assert!(matches!(it.verdict, Verdict::Holds(_)), "{it:?}"));
    properties.into_iter().filter(is_violated).collect()
}

#[test]
fn each_promise_is_kept_on_every_disk_and_by_every_mechanism() {
    for profile in Profile::ALL {
        for mechanism in Mechanism::ALL {
            let broken = |durability| broken(claims(profile, mechanism, durability));
            let at_most_once = broken(Durability::AtMostOnce);
            assert_eq!(at_most_once, ["nothing-lost"], "{profile:?} {mechanism:?}");
            let none = broken(Durability::None);
            assert!(none.contains(&"at-most-once"), "{profile:?} {mechanism:?}: {none:?}");
            if !matches!(mechanism, Mechanism::RenameUnique | Mechanism::RenameFixed) {
                continue;
            }
            let kept = broken(Durability::NothingLost);
            let expected: &[_] = match (profile, mechanism) {
                // Its rename may be torn. Then both names are there, and a fixed one is shared: one
                // claim removes what another one is about to open.
                (Profile::Posix, Mechanism::RenameFixed) => {
                    &["at-most-once", "nothing-lost", "nothing-fails"]
                }
                (Profile::Posix, _) => &["at-most-once", "nothing-lost"],
                _ => &["at-most-once"],
            };
            assert_eq!(kept, expected, "{profile:?} {mechanism:?}");
        }
    }
}

/// One durable put on a disk that does not do this `fsync`, though it says so.
fn put_on(disk: SimFs) -> System<SimFs, Actor> {
    System::new(disk)
        .actor("put", Crashing::program(putting("1", "key", true), Told::Died))
        .actor("power", Crashing::power(Told::Recovered))
        .finally("what-is-stored-is-there", |state| {
            !state.outputs().any(|told| *told == Told::Stored) || is_there(state.world(), "key")
        })
}

#[test]
fn every_flush_of_a_put_and_of_a_claim_is_needed() {
    // Its file, its directory, the directory above.
    for lost in 0..3 {
        let breaks = |profile| {
            let system = put_on(SimFs::new().with_disk(profile).with_lost_sync(lost));
            let report = Checker::new(system).graph(&GraphOptions::default());
            assert!(report.exhaustive());
            !report.holds()
        };
        let breaking: Vec<_> = Profile::ALL.into_iter().filter(|it| breaks(*it)).collect();
        assert!(!breaking.is_empty(), "the flush {lost} of a put is not needed");
        println!("a put without flush {lost} loses with {breaking:?}");
    }
    let nothing_lost = put_on(SimFs::new().with_disk(Profile::Posix).with_lost_sync(3));
    nothing_lost.assert_holds();
    for mechanism in Mechanism::ALL {
        for profile in Profile::ALL {
            let system = on(mechanism, Durability::AtMostOnce, |world| {
                world.with_disk(profile).with_lost_sync(0)
            });
            assert!(broken(system).contains(&"at-most-once"), "{mechanism:?} {profile:?}");
        }
    }
}

/// An expiry, or what takes its place.
type Expiring = fn(&mut DirectFs) -> ExpireEnd;

const DURABLE: Expiring = |fs| expire(fs, Path::new("key"), true);
const NOT_DURABLE: Expiring = |fs| expire(fs, Path::new("key"), false);
/// Opens the directory only when the content is removed.
const OPENS_LATE: Expiring = |fs| {
    if fs.unlink("key/content").is_err() {
        return ExpireEnd::Gone;
    }
    if let Ok(mut directory) = fs.open("key", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
        fs.fsync(&mut directory).expect("it is open");
    }
    ExpireEnd::Expired
};

fn expiring(expiring: Expiring) -> Actor {
    let told = move |fs: &mut DirectFs| match expiring(fs) {
        ExpireEnd::Expired => Told::Expired,
        ExpireEnd::Gone => Told::Gone,
        ExpireEnd::Failed(_) | ExpireEnd::NotDurable { .. } => Told::Otherwise,
    };
    Crashing::program(Handing(Code::files(told)), Told::Died)
}

/// Two expiries of content that is on disk, and the power.
fn expiries(first: Expiring, disk: impl FnOnce(SimFs) -> SimFs) -> System<SimFs, Actor> {
    let mut world = SimFs::new();
    let request = PutRequest::new(Path::new("key"), "first", b"secret".to_vec());
    assert_eq!(put(&mut world, &request), PutEnd::Stored);
    System::new(disk(world))
        .actor("first", expiring(first))
        .actor("second", expiring(DURABLE))
        .actor("power", Crashing::power(Told::Recovered))
        .finally("what-is-gone-stays-away", |state| {
            let is_gone = |told: &Told| matches!(told, Told::Expired | Told::Gone);
            !state.outputs().any(is_gone) || !is_there(state.world(), "key")
        })
        .finally("nothing-fails", |state| !state.outputs().any(|told| *told == Told::Otherwise))
        .reachable("it-is-gone-before-the-failure", |state| {
            state.world().power_failures() > 0 && state.outputs().any(|it| *it == Told::Expired)
        })
}

#[test]
fn what_was_expired_stays_away_if_it_was_to_and_else_need_not() {
    for profile in Profile::ALL {
        expiries(DURABLE, |world| world.with_disk(profile)).assert_holds();
        let lost = expiries(DURABLE, |world| world.with_disk(profile).with_lost_sync(0));
        lost.assert_breaks("what-is-gone-stays-away");
        let not_durable = expiries(NOT_DURABLE, |world| world.with_disk(profile));
        not_durable.assert_breaks("what-is-gone-stays-away");
    }
}

/// An expiry of content that is on disk, beside somebody who removes the directory once it is empty, as a
/// put does that was refused; and the power.
fn expiry_in_a_removed_directory(profile: Profile, how: Expiring) -> System<SimFs, Actor> {
    let mut world = SimFs::new();
    let request = PutRequest::new(Path::new("key"), "first", b"secret".to_vec());
    assert_eq!(put(&mut world, &request), PutEnd::Stored);
    let removed = |fs: &mut DirectFs| match fs.rmdir("key") {
        Ok(()) => Told::Gone,
        Err(_) => Told::Otherwise,
    };
    System::new(world.with_disk(profile))
        .actor("expiry", expiring(how))
        .actor("put", Crashing::program(Handing(Code::files(removed)), Told::Died))
        .actor("power", Crashing::power(Told::Recovered))
        .finally("what-is-expired-stays-away", |state| {
            !state.outputs().any(|told| *told == Told::Expired) || !is_there(state.world(), "key")
        })
        .reachable("the-directory-is-removed-amid-an-expiry", |state| {
            let has_ended = |such: Told| state.outputs().any(|told| *told == such);
            has_ended(Told::Gone) && !has_ended(Told::Expired)
        })
}

#[test]
fn an_expiry_flushes_the_directory_that_held_the_content() {
    for profile in Profile::ALL {
        expiry_in_a_removed_directory(profile, DURABLE).assert_holds();
        let late = expiry_in_a_removed_directory(profile, OPENS_LATE);
        late.assert_breaks("what-is-expired-stays-away");
    }
}
