//! How many random programs a target tries, and which: the same each time, unless somebody asks for a
//! number of them.

use std::env;
use std::ffi::OsStr;

use proptest::test_runner::RngSeed;

/// The variable of the environment by which more programs, or fewer, are asked for.
pub(crate) struct Tries(pub(crate) &'static str);

impl Tries {
    /// How many: `usual`, unless the environment says otherwise.
    pub(crate) fn number(&self, usual: usize) -> usize {
        env::var_os(self.0).map_or(usual, |asked| self.number_of(&asked))
    }

    /// How many are asked for: some.
    fn number_of(&self, asked: &OsStr) -> usize {
        let number = asked.to_str().and_then(|asked| asked.parse().ok());
        let number = number.filter(|number| *number > 0);
        number.unwrap_or_else(|| panic!("{} has to be a number above 0: {asked:?}", self.0))
    }

    /// Where the random programs of one search begin.
    pub(crate) fn seed(&self, search: u64) -> RngSeed {
        match env::var_os(self.0) {
            Some(_) => RngSeed::Random,
            None => RngSeed::Fixed(search),
        }
    }
}

#[test]
fn a_number_of_programs_is_taken_as_it_is_asked_for() {
    assert_eq!(Tries("CASES").number_of(OsStr::new("12")), 12);
}

#[test]
#[should_panic(expected = "CASES has to be a number above 0: \"0\"")]
fn to_try_no_program_at_all_is_refused() {
    Tries("CASES").number_of(OsStr::new("0"));
}

#[test]
#[should_panic(expected = "CASES has to be a number above 0: \"many\"")]
fn what_is_no_number_of_programs_is_refused() {
    Tries("CASES").number_of(OsStr::new("many"));
}
