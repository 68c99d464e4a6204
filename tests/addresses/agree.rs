//! The policy agrees with the oracle on random addresses.

use std::net::IpAddr;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use crate::draw::address;
use crate::tables::agrees;

const CASES: u32 = 200_000;

/// Tries random addresses, the same each run; answers with one, made simple, at which `check` fails.
pub(crate) fn search(
    check: impl Fn(IpAddr) -> Result<(), String>,
) -> Result<(), TestError<IpAddr>> {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(5),
        ..Config::default()
    };
    TestRunner::new(config).run(&address(), |address| check(address).map_err(TestCaseError::fail))
}

#[test]
fn the_policy_agrees_with_the_oracle_on_random_addresses() {
    match search(agrees) {
        Ok(()) => {}
        Err(error) => panic!("{error}"),
    }
}
