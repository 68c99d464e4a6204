//! A scripted resolver, and fetchers that ask it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use toctou::fetch::{FetchError, Fetched, Fetcher, Limits};
use toctou::net::{NetError, Opening, Policy, Resolve};

use crate::server::OUTSIDE;

type Answer = Result<Vec<IpAddr>, NetError>;
/// What a name's addresses are, asked for so often before.
type Script = dyn Fn(&str, usize) -> Answer + Send + Sync;

/// Answers by a script, and notes what it is asked.
pub(crate) struct Names {
    script: Box<Script>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Names {
    fn resolve(&self, name: &str, _deadline: Instant) -> Answer {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.iter().filter(|before| *before == name).count();
        asked.push(name.to_owned());
        (self.script)(name, times)
    }
}

/// A fetcher that may reach [`OUTSIDE`] and public addresses, of which no test has any.
pub(crate) struct Client {
    names: Arc<Names>,
    pub(crate) fetcher: Fetcher,
}

/// What tests have patience for, where it is not about time.
pub(crate) fn limits() -> Limits {
    Limits { timeout: Duration::from_secs(60), bytes: 1000, ..Limits::default() }
}

/// The policy of these tests: public addresses, and [`OUTSIDE`], at whatever port a server gets.
pub(crate) fn outside() -> Policy {
    Policy::public().opening(Opening::of(OUTSIDE).at(0..=u16::MAX))
}

impl Client {
    /// Every name is [`OUTSIDE`].
    pub(crate) fn new(limits: Limits) -> Self {
        Self::resolving(limits, |_, _| Ok(vec![OUTSIDE]))
    }

    /// Names have addresses by a script, which is told how often the name was asked for before.
    pub(crate) fn resolving(
        limits: Limits,
        script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let names = Arc::new(Names { script: Box::new(script), asked: Mutex::default() });
        let fetcher = Fetcher::new(limits).with_policy(outside()).with_resolver(names.clone());
        Client { names, fetcher }
    }

    pub(crate) fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        self.fetcher.fetch(url)
    }

    /// The names that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.names.asked.lock().unwrap().clone()
    }
}

/// Fetches from [`OUTSIDE`], whatever the name, within the usual limits.
pub(crate) fn fetch(url: &str) -> Result<Fetched, FetchError> {
    Client::new(limits()).fetch(url)
}

/// What went wrong on the network.
pub(crate) fn net_error(fetched: Result<Fetched, FetchError>) -> NetError {
    match fetched {
        Err(FetchError::Network { error, .. }) => error,
        other => panic!("no error of the network: {other:?}"),
    }
}
