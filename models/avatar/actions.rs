//! What the attacker of `avatar` can do, and every script of it. Fourth floor: imports
//! [`net`](crate::net).

use std::fmt;
use std::net::IpAddr;

use super::{EVIL, NAME, PICTURE, VAULT};
use crate::net::{Page, Scripted};

/// What an attacker does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Action {
    /// The name gets these addresses.
    Bind(Binding),
    /// The server answers so.
    Serve(Answer),
    /// The server refuses connections, or accepts them.
    Listen(bool),
}

/// Which addresses the attacker's name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Binding {
    /// The attacker's server's.
    Public,
    /// The internal server's.
    Internal,
    /// The internal server's, as an IPv6 address.
    Mapped,
    /// Both, the public one first.
    PublicFirst,
    /// Both, the internal one first.
    InternalFirst,
}

/// What the attacker's server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Answer {
    /// A picture.
    Picture,
    /// A redirect to the honest server.
    ToCdn,
    /// A redirect to the same URL.
    ToItself,
    /// A redirect to an internal name.
    ToName,
    /// A redirect to the internal server's address.
    ToAddress,
    /// The same, in hexadecimal.
    ToHexadecimal,
    /// The same, as an IPv6 address.
    ToMapped,
}

/// What the attacker owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Powers {
    pub(super) name_server: bool,
    pub(super) web_server: bool,
}

impl Powers {
    /// Those in this scenario.
    pub(super) fn of(scenario: &str) -> Option<Powers> {
        let (name_server, web_server) = match scenario {
            "name-server" => (true, false),
            "web-server" => (false, true),
            "both" => (true, true),
            _ => return None,
        };
        Some(Powers { name_server, web_server })
    }

    /// All that can be done with them.
    pub(super) fn actions(self) -> impl Iterator<Item = Action> {
        use {Answer::*, Binding::*};
        let bindings = [Internal, Mapped, PublicFirst, InternalFirst, Public].map(Action::Bind);
        let answers = [ToName, ToAddress, ToHexadecimal, ToMapped, ToItself, ToCdn, Picture];
        let answers = answers.map(Action::Serve).into_iter();
        let answers = answers.chain([false, true].map(Action::Listen));
        let bindings = bindings.into_iter().filter(move |_| self.name_server);
        bindings.chain(answers.filter(move |_| self.web_server))
    }
}

/// How things stand with the attacker's name and server.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stand {
    binding: Binding,
    answer: Answer,
    listens: bool,
}

impl Stand {
    const FIRST: Stand = Stand { binding: Binding::Public, answer: Answer::Picture, listens: true };

    fn after(self, action: Action) -> Stand {
        match action {
            Action::Bind(binding) => Stand { binding, ..self },
            Action::Serve(answer) => Stand { answer, ..self },
            Action::Listen(listens) => Stand { listens, ..self },
        }
    }
}

/// Every script of at most so many actions, shortest first.
pub(super) fn every_script(powers: Powers, length: usize) -> Vec<Vec<Action>> {
    extended(powers, length, |_, _| true)
}

/// The same but for those with an action that changes nothing: one of these is the shorter script
/// without it, since nobody but the attacker has a say in how these things stand.
pub(super) fn scripts(powers: Powers, length: usize) -> Vec<Vec<Action>> {
    extended(powers, length, |before, after| before != after)
}

fn extended(
    powers: Powers,
    length: usize,
    is_worth_it: impl Fn(Stand, Stand) -> bool,
) -> Vec<Vec<Action>> {
    let mut all = vec![(Vec::new(), Stand::FIRST)];
    let mut from = 0;
    for _ in 0..length {
        let shorter = from..all.len();
        from = all.len();
        for index in shorter {
            for action in powers.actions() {
                let (script, before) = &all[index];
                let after = before.after(action);
                if is_worth_it(*before, after) {
                    let script = script.iter().copied().chain([action]).collect();
                    all.push((script, after));
                }
            }
        }
    }
    all.into_iter().map(|(script, _)| script).collect()
}

/// How a start with this script is called.
pub(super) fn told(script: &[Action]) -> String {
    match script {
        [] => "nobody attacks".to_owned(),
        actions => actions.iter().map(Action::to_string).collect::<Vec<_>>().join("; "),
    }
}

impl Binding {
    fn addresses(self) -> Vec<IpAddr> {
        let mapped = match VAULT {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
            v6 => v6,
        };
        match self {
            Binding::Public => vec![EVIL],
            Binding::Internal => vec![VAULT],
            Binding::Mapped => vec![mapped],
            Binding::PublicFirst => vec![EVIL, VAULT],
            Binding::InternalFirst => vec![VAULT, EVIL],
        }
    }
}

impl Answer {
    fn page(self) -> Page {
        match self {
            Answer::Picture => Page::text(PICTURE),
            Answer::ToCdn => Page::redirect("http://cdn.example/"),
            Answer::ToItself => Page::redirect(super::GIVEN),
            Answer::ToName => Page::redirect("http://vault.example/"),
            Answer::ToAddress => Page::redirect("http://127.0.0.3/"),
            Answer::ToHexadecimal => Page::redirect("http://0x7f.3/"),
            Answer::ToMapped => Page::redirect("http://[::ffff:127.0.0.3]/"),
        }
    }
}

impl Action {
    pub(super) fn perform(self, net: &mut impl Scripted) {
        match self {
            Action::Bind(binding) => net.bind(NAME, &binding.addresses()),
            Action::Serve(answer) => net.serve(EVIL, &answer.page()),
            Action::Listen(listens) => net.listen(EVIL, listens),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Bind(binding) => f.write_str(match binding {
                Binding::Public => "bind public",
                Binding::Internal => "bind internal",
                Binding::Mapped => "bind mapped",
                Binding::PublicFirst => "bind public, internal",
                Binding::InternalFirst => "bind internal, public",
            }),
            Action::Serve(answer) => f.write_str(match answer {
                Answer::Picture => "serve picture",
                Answer::ToCdn => "redirect to cdn",
                Answer::ToItself => "redirect to itself",
                Answer::ToName => "redirect to name",
                Answer::ToAddress => "redirect to address",
                Answer::ToHexadecimal => "redirect to hexadecimal",
                Answer::ToMapped => "redirect to mapped",
            }),
            Action::Listen(true) => f.write_str("accept"),
            Action::Listen(false) => f.write_str("refuse"),
        }
    }
}
