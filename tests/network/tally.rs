//! What happened over a whole run, so that no idle one passes for an agreement.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use toctou::net::Visit;

use super::play::Told;
use super::program::Act;

/// How often each kind of act had each kind of answer.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(String, String), usize>>);

/// Answers that a run has to have seen.
const INTERESTING: [(&str, &str); 19] = [
    ("resolve", "an answer"),
    ("resolve", "no such name"),
    ("connect", "ok"),
    ("connect", "ECONNREFUSED"),
    ("connect by IPv6", "ok"),
    ("connect by IPv6", "ECONNREFUSED"),
    ("send", "ok"),
    ("send", "TLS failed"),
    ("receive", "200"),
    ("receive", "302"),
    ("receive", "too large"),
    ("receive", "timed"),
    ("send", "not HTTP"),
    ("visit", "GET"),
    ("visit", "HEAD"),
    ("visit", "POST"),
    ("bind", ""),
    ("serve", ""),
    ("refuse", ""),
];

impl Tally {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<(String, String), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, act: &Act, told: &Told) {
        for label in &told.labels {
            let (what, answer) = label.split_once(" = ").unwrap_or((label, ""));
            let what = what.split(['(', ' ']).next().unwrap_or_default();
            let answer = match (what, answer) {
                ("resolve", "no such name") => answer,
                ("resolve", _) => "an answer",
                ("receive", "too large") => answer,
                ("receive", _) => answer.split(' ').next().unwrap_or_default(),
                _ => answer,
            };
            let by = match act {
                Act::Client(_, turn) if what == "connect" && turn.to.is_ipv6() => " by IPv6",
                _ => "",
            };
            self.note(&format!("{what}{by}"), answer);
            if (what, answer) == ("send", "ok") {
                let last = told.servers.iter().filter_map(|(_, visits)| visits.last());
                if let Some(Visit::Asked(method, ..)) = last.max() {
                    self.note("visit", method.word());
                }
            }
        }
    }

    fn note(&self, what: &str, answer: &str) {
        *self.counts().entry((what.to_owned(), answer.to_owned())).or_default() += 1;
    }

    pub(crate) fn print(&self) {
        for ((what, answer), count) in self.counts().iter() {
            println!("{what:16} {answer:12} {count}");
        }
    }

    /// Asserts that a run of `cases` programs was no idle one.
    pub(crate) fn assert_varied(&self, cases: usize) {
        let counts = self.counts();
        for (what, answer) in INTERESTING {
            let seen = counts.get(&(what.to_owned(), answer.to_owned())).copied().unwrap_or(0);
            assert!(seen * 20 >= cases, "{what}: {answer} only {seen} times in {cases} programs");
        }
    }
}
