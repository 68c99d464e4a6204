//! What the attacker of `avatar` can do, and every script of it. Fourth floor: imports
//! [`net`](crate::net).

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;

use super::{EVIL, GIVEN, NAME, PICTURE, VAULT};
use crate::net::{Page, Scripted};

/// What an attacker does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// The name gets these addresses.
    Bind(Binding),
    /// The server answers so.
    Serve(Answer),
    /// The server refuses connections, or accepts them.
    Listen(bool),
}

/// Which addresses the attacker's name has: those of the attacker's server and of the internal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Binding {
    Public,
    Internal,
    /// The internal server's, as an IPv6 address.
    Mapped,
    PublicFirst,
    InternalFirst,
}

/// What the attacker's server answers: a picture, or a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Picture,
    ToCdn,
    ToItself,
    /// To a name of the internal server, or to its address in several ways.
    ToName,
    ToAddress,
    ToHexadecimal,
    ToMapped,
}

/// What the attacker owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Powers {
    NameServer,
    WebServer,
    Both,
}

impl Powers {
    /// All that can be done with them.
    pub(super) fn actions(self) -> Vec<Action> {
        use {Answer::*, Binding::*};
        let bindings = [Internal, Mapped, PublicFirst, InternalFirst, Public].map(Action::Bind);
        let answers = [ToName, ToAddress, ToHexadecimal, ToMapped, ToItself, ToCdn, Picture];
        let answers = answers.map(Action::Serve).into_iter();
        let answers = answers.chain([false, true].map(Action::Listen));
        match self {
            Powers::NameServer => bindings.into(),
            Powers::WebServer => answers.collect(),
            Powers::Both => bindings.into_iter().chain(answers).collect(),
        }
    }
}

/// Whether every action of a script changes how things stand with the attacker's name and server. If
/// one does not, this is the shorter script without it, since nobody but the attacker has a say in it.
pub(super) fn changes(script: &[Action]) -> bool {
    let (mut binding, mut answer, mut listens) = (Binding::Public, Answer::Picture, true);
    script.iter().all(|action| match *action {
        Action::Bind(next) => std::mem::replace(&mut binding, next) != next,
        Action::Serve(next) => std::mem::replace(&mut answer, next) != next,
        Action::Listen(next) => std::mem::replace(&mut listens, next) != next,
    })
}

/// How a start with this script is called.
pub(super) fn told(script: &[Action]) -> String {
    match script {
        [] => "nobody attacks".to_owned(),
        actions => actions.iter().map(Action::to_string).collect::<Vec<_>>().join("; "),
    }
}

impl Binding {
    /// How it is called, and the addresses.
    fn told(self) -> (&'static str, Vec<IpAddr>) {
        let mapped = match VAULT {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
            v6 => v6,
        };
        match self {
            Binding::Public => ("bind public", vec![EVIL]),
            Binding::Internal => ("bind internal", vec![VAULT]),
            Binding::Mapped => ("bind mapped", vec![mapped]),
            Binding::PublicFirst => ("bind public, internal", vec![EVIL, VAULT]),
            Binding::InternalFirst => ("bind internal, public", vec![VAULT, EVIL]),
        }
    }
}

impl Answer {
    /// How it is called, and the page.
    fn told(self) -> (&'static str, Page) {
        let (told, location) = match self {
            Answer::Picture => return ("serve picture", Page::text(PICTURE)),
            Answer::ToCdn => ("redirect to cdn", "http://cdn.example/"),
            Answer::ToItself => ("redirect to itself", GIVEN),
            Answer::ToName => ("redirect to name", "http://vault.example/"),
            Answer::ToAddress => ("redirect to address", "http://127.0.0.3/"),
            Answer::ToHexadecimal => ("redirect to hexadecimal", "http://0x7f.3/"),
            Answer::ToMapped => ("redirect to mapped", "http://[::ffff:127.0.0.3]/"),
        };
        (told, Page::redirect(location))
    }
}

impl Action {
    pub(super) fn perform(self, net: &mut impl Scripted) {
        match self {
            Action::Bind(binding) => net.bind(NAME, &binding.told().1),
            Action::Serve(answer) => net.serve(EVIL, &answer.told().1),
            Action::Listen(listens) => net.listen(EVIL, listens),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Bind(binding) => binding.told().0,
            Action::Serve(answer) => answer.told().0,
            Action::Listen(true) => "accept",
            Action::Listen(false) => "refuse",
        })
    }
}
