//! The simulated network behaves as sockets do: random programs of two clients and of somebody who owns
//! the names and the servers are played in [`SimNet`] and on loopback, act by act. Each answer, each
//! peer, and what has reached each server after each act have to be the same. The kernel and the HTTP
//! client that ships are the judges.
//!
//! Two test runs try the same programs, so that what turns red is what was changed;
//! `TOCTOU_NETWORK_CASES` sets how many are tried, and then they are others each time. Nothing is sent to
//! anything but loopback.
mod play;
mod program;
mod stories;
mod tally;
#[path = "../tries/mod.rs"]
mod tries;
mod wrong;

use std::time::Instant;

use play::{World, compare};
use program::{Program, furnished, program};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use tally::Tally;
use toctou::net::{LoopbackNet, SimNet};
use tries::Tries;

/// How many programs are tried, unless the environment says otherwise.
const CASES: usize = 2_000;

const TRIES: Tries = Tries("TOCTOU_NETWORK_CASES");

fn cases() -> usize {
    TRIES.number(CASES)
}

/// Where the random programs of one search begin.
fn seed(search: u64) -> RngSeed {
    TRIES.seed(search)
}

/// Plays `cases` random programs in two worlds, furnished alike; answers with one, shrunk, in which they
/// part.
fn search<A: World, B: World>(
    (rng_seed, cases): (RngSeed, usize),
    tally: &Tally,
    worlds: impl Fn(SimNet) -> (A, B),
) -> Result<(), TestError<Program>> {
    let config = Config {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        rng_seed,
        ..Config::default()
    };
    TestRunner::new(config).run(&program(), |program| {
        let (simulated, real) = worlds(furnished());
        compare(simulated, real, &program, tally).map_err(TestCaseError::fail)
    })
}

/// The real world of this furniture.
fn on_loopback(net: &SimNet) -> LoopbackNet {
    LoopbackNet::furnished(net).expect("servers on loopback")
}

#[test]
fn the_simulated_network_behaves_as_sockets_on_loopback() {
    let (tally, begun, cases) = (Tally::default(), Instant::now(), cases());
    let found = search((seed(1), cases), &tally, |net| {
        let real = on_loopback(&net);
        (net, real)
    });
    match found {
        Ok(()) => {}
        Err(TestError::Fail(difference, program)) => panic!("{difference}\n\n{program:?}"),
        Err(aborted) => panic!("{aborted}"),
    }
    println!("{cases} programs in {:.1} s", begun.elapsed().as_secs_f64());
    tally.print();
    tally.assert_varied(cases);
}
