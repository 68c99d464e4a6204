//! A program in two worlds, and whether these tell one story.

use std::net::{IpAddr, SocketAddr};

use toctou::net::{
    LoopbackNet, Method, NetError, Network, Request, Response, Scripted, SimNet, Url, Visit,
};
use toctou::recorded::Recorded;

use super::program::{Act, Program, Turn};
use super::tally::Tally;

/// A network that somebody owns, and what has reached each of its servers.
pub(crate) trait World: Network + Scripted {
    fn servers(&self) -> Vec<(IpAddr, Vec<Visit>)>;
}

fn owned<'v>(servers: impl Iterator<Item = (IpAddr, &'v [Visit])>) -> Vec<(IpAddr, Vec<Visit>)> {
    servers.map(|(address, visits)| (address, visits.to_vec())).collect()
}

impl World for SimNet {
    fn servers(&self) -> Vec<(IpAddr, Vec<Visit>)> {
        owned(SimNet::servers(self))
    }
}

impl World for LoopbackNet {
    fn servers(&self) -> Vec<(IpAddr, Vec<Visit>)> {
        owned(LoopbackNet::servers(self))
    }
}

/// How far a client is.
enum Client<C> {
    Idle,
    Connected(C),
    Asked(C),
}

/// A world, and two clients in it.
pub(crate) struct Stage<W: World> {
    world: Recorded<W>,
    clients: [Client<W::Connection>; 2],
}

/// What came of an act.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// As it is recorded.
    pub(crate) labels: Vec<String>,
    /// What labels leave out.
    pub(crate) more: Option<More>,
    /// What has reached each server.
    pub(crate) servers: Vec<(IpAddr, Vec<Visit>)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum More {
    Peer(Result<SocketAddr, String>),
    Response(Result<Response, String>),
}

fn word(error: NetError) -> String {
    error.word()
}

impl<W: World> Stage<W> {
    pub(crate) fn new(world: W) -> Self {
        Stage { world: Recorded::new(world), clients: [Client::Idle, Client::Idle] }
    }

    pub(crate) fn act(&mut self, act: &Act) -> Told {
        let world = &mut self.world;
        let mut more = None;
        match act {
            Act::Bind(name, addresses) => world.bind(name, addresses),
            Act::Serve(server, page) => world.serve(*server, page),
            Act::Listen(server, listens) => world.listen(*server, *listens),
            Act::Client(who, turn) => {
                let client = std::mem::replace(&mut self.clients[*who], Client::Idle);
                (self.clients[*who], more) = turned(world, client, turn);
            }
        }
        Told { labels: self.world.take(), more, servers: self.world.inner().servers() }
    }
}

fn turned<W: World>(
    world: &mut Recorded<W>,
    client: Client<W::Connection>,
    turn: &Turn,
) -> (Client<W::Connection>, Option<More>) {
    match client {
        Client::Idle => match turn.resolve {
            Some(name) => {
                // Labels have the whole of the answer.
                let _ = world.resolve(name);
                (Client::Idle, None)
            }
            None => match world.connect(turn.to) {
                Ok(connection) => {
                    let peer = world.peer(&connection).map_err(word);
                    (Client::Connected(connection), Some(More::Peer(peer)))
                }
                Err(_) => (Client::Idle, None),
            },
        },
        Client::Connected(_) | Client::Asked(_) if turn.hangs_up => (Client::Idle, None),
        Client::Connected(connection) if turn.strays => received(world, connection, turn),
        Client::Connected(mut connection) => match sent(world, &mut connection, turn) {
            Ok(()) => (Client::Asked(connection), None),
            // It may try again.
            Err(_) => (Client::Connected(connection), None),
        },
        Client::Asked(mut connection) if turn.strays => {
            let _ = sent(world, &mut connection, turn);
            (Client::Asked(connection), None)
        }
        Client::Asked(connection) => received(world, connection, turn),
    }
}

fn sent<W: World>(
    world: &mut Recorded<W>,
    connection: &mut W::Connection,
    turn: &Turn,
) -> Result<(), NetError> {
    let (method, url) = turn.request;
    let url = Url::parse(url).expect("a URL");
    let body: &[u8] = if method == Method::Post { b"size=2" } else { b"" };
    world.send(connection, &Request { body: body.into(), ..Request::new(method, url) })
}

fn received<W: World>(
    world: &mut Recorded<W>,
    connection: W::Connection,
    turn: &Turn,
) -> (Client<W::Connection>, Option<More>) {
    let response = world.receive(connection, turn.limit).map_err(word);
    (Client::Idle, Some(More::Response(response)))
}

/// Plays a program in both worlds at once; where they part, says how.
pub(crate) fn compare<S: World, R: World>(
    simulated: S,
    real: R,
    program: &Program,
    tally: &Tally,
) -> Result<(), String> {
    let (mut simulated, mut real) = (Stage::new(simulated), Stage::new(real));
    let mut story = Vec::new();
    for act in program {
        let (ours, theirs) = (simulated.act(act), real.act(act));
        story.extend(theirs.labels.iter().cloned());
        if ours != theirs {
            let story = story.join("\n");
            return Err(format!("{story}\nsimulated {ours:#?}\nreal {theirs:#?}"));
        }
        tally.count(act, &theirs);
    }
    Ok(())
}
