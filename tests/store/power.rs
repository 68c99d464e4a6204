//! Puts and claims across power failures, over every profile of disks.

use std::path::Path;

use toctou::Process;
use toctou::check::{Report, System, Value};
use toctou::crash::{Crashing, Mortal};
use toctou::direct::{Code, DirectFs, FileCode};
use toctou::fs::{AtFlags, FileSystem, Mode, OFlags, Profile, SimFs};
use toctou::store::{
    ClaimEnd, Durability, Mechanism, Names, PutEnd, PutRequest, claim, delivered, put, recover,
};

/// What somebody was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Told {
    Stored,
    Got,
    Gone,
    Died,
    Recovered,
    Otherwise,
}

type Actor = Crashing<FileCode<Told>, Told>;

fn putting(token: &'static str, key: &'static str, durable: bool) -> FileCode<Told> {
    Code::files(move |fs| {
        let request = PutRequest::new(Path::new(key), token, b"secret".to_vec());
        match put(fs, &PutRequest { durable, ..request }) {
            PutEnd::Stored => Told::Stored,
            _ => Told::Otherwise,
        }
    })
}

fn got(fs: &mut impl FileSystem, mechanism: Mechanism, durability: Durability, token: &str) -> Told {
    let names = Names::new(Path::new("key"), mechanism, token);
    match claim(fs, mechanism, durability, &names) {
        ClaimEnd::Claimed { mut file, .. } => {
            let mut bytes = [0; 16];
            let count = fs.read(&mut file, &mut bytes).unwrap_or(0);
            if durability == Durability::NothingLost {
                let _ = delivered(fs, &names);
            }
            if &bytes[..count] == b"secret" { Told::Got } else { Told::Otherwise }
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
        let lost: Report = puts(profile, false).assert_breaks("what-is-stored-is-there");
        drop(lost);
    }
}
