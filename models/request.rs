//! A request as a server handles it: poll, verify, lock, ask the database, unlock, answer. Fourth
//! floor: imports [`db`](crate::db) and [`process`](crate::process).
//!
//! What the requests of `order` and `transfer` have in common: each is a [`Body`], run by
//! [`Transact`], inside of what the published handlers put round it. Every line of such a handler
//! that another request can notice is a step of its own:
//!
//! ```text
//! verify(signature)            changes nothing, and nobody notices
//! let guard = MUTEX.lock()     blocks the thread, not the task
//! client.query(…).await        gives the worker back; the database acts; the worker polls again
//! drop(guard)                  at the end of the scope
//! ```

use crate::db::{
    Body, Database, Failure, Reply, Servers, Service, SimDb, SimSession, SqlError, Statement,
    Transact, Way,
};
use crate::{Process, Step};

/// What a handler puts round its statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Round {
    /// In which server process it runs.
    pub server: usize,
    /// Verifies the request's signature first.
    pub verifies: bool,
    /// Holds the server's mutex from then on to the end.
    pub locks: bool,
    /// Is an async task: all tasks of the server share one worker thread.
    pub is_task: bool,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum End<T> {
    /// It was answered; or the database had no answer for it.
    Answered(Result<T, Failure>),
    /// Its server died before.
    Died,
}

/// One request, from its arrival to its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request<S, B: Body> {
    round: Round,
    at: At<Transact<S, B>, B::Output>,
}

/// Where a request stands: in which line, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At<Q, T> {
    /// Nobody has polled it yet.
    Arrived(Q),
    Verify(Q),
    Lock(Q),
    /// It has a statement to send, and awaits the answer.
    Await(Q),
    /// The database has the statement.
    Ask(Q),
    /// The answer is there, and nobody has polled it since.
    Ready(Q),
    /// So is the last answer.
    Last(Result<T, Failure>),
    Unlock(Result<T, Failure>),
}

impl Round {
    /// The first thing that a request does once it runs.
    fn first<Q, T>(self, transact: Q) -> At<Q, T> {
        if self.verifies { At::Verify(transact) } else { self.verified(transact) }
    }

    fn verified<Q, T>(self, transact: Q) -> At<Q, T> {
        if self.locks { At::Lock(transact) } else { self.locked(transact) }
    }

    fn locked<Q, T>(self, transact: Q) -> At<Q, T> {
        if self.is_task { At::Await(transact) } else { At::Ask(transact) }
    }
}

impl<S, B: Body> Request<S, B> {
    /// A request before its first step, over a session that has no transaction under way.
    pub fn new(round: Round, session: S, body: B, way: Way) -> Self {
        let transact = Transact::new(session, body, way);
        let at = if round.is_task { At::Arrived(transact) } else { round.first(transact) };
        Request { round, at }
    }

    /// Its session, while it has something to ask.
    fn session(&self) -> Option<&S> {
        match &self.at {
            At::Arrived(transact)
            | At::Verify(transact)
            | At::Lock(transact)
            | At::Await(transact)
            | At::Ask(transact)
            | At::Ready(transact) => Some(transact.session()),
            At::Last(_) | At::Unlock(_) => None,
        }
    }

    /// Whether it holds the mutex of its server.
    fn has_locked(&self) -> bool {
        self.round.locks && !matches!(self.at, At::Arrived(_) | At::Verify(_) | At::Lock(_))
    }

    /// Whether it is what the worker of its server is at.
    fn is_polled(&self) -> bool {
        let suspended = matches!(self.at, At::Arrived(_) | At::Ask(_) | At::Ready(_) | At::Last(_));
        self.round.is_task && !suspended
    }

    fn next<T>(round: Round, at: At<Transact<S, B>, B::Output>) -> Step<Self, T> {
        Step::Next(Request { round, at })
    }
}

impl<B: Body> Request<SimSession, B> {
    /// Whether it cannot go on before `other` does: for the mutex, for the worker, or for a lock of
    /// the database.
    pub fn waits_for(&self, other: &Self, world: &Servers<SimDb>) -> bool {
        let server = self.round.server;
        let together = server == other.round.server && !world.is_dead(server);
        match &self.at {
            At::Arrived(_) | At::Ready(_) | At::Last(_) => {
                self.round.is_task && together && world.is_polling(server) && other.is_polled()
            }
            At::Lock(_) => together && world.is_locked(server) && other.has_locked(),
            At::Ask(transact) => other
                .session()
                .is_some_and(|session| world.db.waits_for(transact.session(), session)),
            At::Verify(_) | At::Await(_) | At::Unlock(_) => false,
        }
    }
}

impl<W: Service, B: Body> Process<W> for Request<W::Session, B> {
    type Output = End<B::Output>;

    fn step(self, world: &mut W) -> Step<Self, Self::Output> {
        let Request { round, at } = self;
        if world.is_dead(round.server) {
            return died(at, world);
        }
        match at {
            At::Arrived(transact) if world.try_poll(round.server) => {
                Self::next(round, round.first(transact))
            }
            At::Verify(transact) => {
                world.verify();
                Self::next(round, round.verified(transact))
            }
            At::Lock(transact) if world.try_lock(round.server) => {
                Self::next(round, round.locked(transact))
            }
            At::Await(transact) => {
                world.suspend(round.server);
                Self::next(round, At::Ask(transact))
            }
            At::Ask(transact) => ask(round, transact, world),
            At::Ready(transact) if world.try_poll(round.server) => {
                Self::next(round, At::Await(transact))
            }
            At::Last(result) if world.try_poll(round.server) => match round.locks {
                true => Self::next(round, At::Unlock(result)),
                false => answered(round, result, world),
            },
            At::Unlock(result) => {
                world.unlock(round.server);
                answered(round, result, world)
            }
            at @ (At::Arrived(_) | At::Lock(_) | At::Ready(_) | At::Last(_)) => {
                Step::Blocked(Request { round, at })
            }
        }
    }
}

/// Its server is dead, and it with it: the database sees the connection end.
fn died<W: Service, P, B: Body>(
    at: At<Transact<W::Session, B>, B::Output>,
    world: &mut W,
) -> Step<P, End<B::Output>> {
    match at {
        At::Arrived(transact)
        | At::Verify(transact)
        | At::Lock(transact)
        | At::Await(transact)
        | At::Ask(transact)
        | At::Ready(transact) => world.disconnect(transact.into_session()),
        At::Last(_) | At::Unlock(_) => {}
    }
    Step::Done(End::Died)
}

fn ask<W: Service, B: Body>(
    round: Round,
    transact: Transact<W::Session, B>,
    world: &mut W,
) -> Step<Request<W::Session, B>, End<B::Output>> {
    let mut heard = Heard { world, answered: false };
    match transact.step(&mut heard) {
        Step::Next(transact) if heard.answered && round.is_task => {
            Request::next(round, At::Ready(transact))
        }
        Step::Next(transact) => Request::next(round, At::Ask(transact)),
        Step::Blocked(transact) => Step::Blocked(Request { round, at: At::Ask(transact) }),
        Step::Done(result) if round.is_task => Request::next(round, At::Last(result)),
        Step::Done(result) if round.locks => Request::next(round, At::Unlock(result)),
        Step::Done(result) => Step::Done(End::Answered(result)),
        Step::Choice(_) => unreachable!("a transaction leaves nothing open"),
    }
}

/// The request's end; if it was polled, the worker is free again.
fn answered<W: Service, P, T>(
    round: Round,
    result: Result<T, Failure>,
    world: &mut W,
) -> Step<P, End<T>> {
    if round.is_task {
        world.suspend(round.server);
    }
    Step::Done(End::Answered(result))
}

/// A database that notes whether it has answered, or only said that one has to wait.
struct Heard<'a, D> {
    world: &'a mut D,
    answered: bool,
}

impl<D: Database> Database for Heard<'_, D> {
    type Session = D::Session;

    fn connect(&mut self) -> Result<D::Session, SqlError> {
        self.world.connect()
    }

    fn execute(&mut self, session: &mut D::Session, statement: &Statement) -> Reply {
        let reply = self.world.execute(session, statement);
        self.answered |= matches!(reply, Reply::Answer(_));
        reply
    }

    fn disconnect(&mut self, session: D::Session) {
        self.world.disconnect(session);
    }
}
