//! A request as a server handles it: poll, verify, lock, ask the database, unlock, answer. Fourth
//! floor: imports [`handlers`](crate::handlers), [`direct`] and [`db`](crate::db).
//!
//! What the requests of `order` and `transfer` have in common: each is a body, run by [`transact`],
//! inside of what the published handlers put round it. Every line of such a handler that another
//! request can notice is a step of its own:
//!
//! ```text
//! verify(signature)            changes nothing, and nobody notices
//! let guard = MUTEX.lock()     blocks the thread, not the task
//! client.query(…).await        gives the worker back; the database acts; the worker polls again
//! drop(guard)                  at the end of the scope
//! ```

use std::sync::Arc;

use crate::case::{Case, DbCase, actors_by_start};
use crate::check::{System, Value};
use crate::db::{
    Database, Failure, PostgresDb, Reply, Servers, Service, SimDb, SimSession, SqlError, SqliteDb,
    Statement, SteppedDb, Way,
};
use crate::direct::{self, Code, DirectDb, Held, Section, Served};
use crate::handlers::{Next, Tx, transact};
use crate::recorded::recorded_step;
use crate::replay::{FreeDb, Loose, RealDb, Stage, Tables};
use crate::{Process, Step};

/// What a handler puts round its statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Round {
    /// In which server process it runs.
    pub server: usize,
    /// Verifies the request's signature first.
    pub verifies: bool,
    /// Holds the server's mutex from then on to the end.
    pub locks: bool,
    /// Is an async task: all tasks of the server share one worker thread.
    pub is_task: bool,
    /// Sends its answer in a step of its own: a server that dies before it has done all, and says nothing.
    pub answers: bool,
}

/// The sections of a request in which others wait for it.
const LOCKED: &str = "the mutex is locked";
const POLLED: &str = "polled";

/// Handles a request: what a server does from its arrival to its answer.
pub(super) fn handle<W: Service, T>(
    world: &mut W,
    session: &mut W::Session,
    Round { server, verifies, locks, is_task, .. }: Round,
    way: Way,
    body: impl Fn(&mut Tx<'_, Awaits<'_, W>>) -> Result<Next<T>, Failure>,
) -> Result<T, Failure> {
    let mut awaits = Awaits { world, task: is_task.then_some(server), polled: None };
    awaits.poll();
    if verifies {
        awaits.world.verify();
    }
    let locked = locks.then(|| {
        while !awaits.world.try_lock(server) {
            std::thread::yield_now();
        }
        direct::section(LOCKED)
    });
    let came = transact(&mut awaits, session, way, body);
    if locked.is_some() {
        awaits.world.unlock(server);
    }
    if is_task {
        // With its answer it gives the worker back: that is no step of its own.
        direct::observed(|| awaits.world.suspend(server));
    }
    came
}

/// A service whose statements are awaited, where the request is a task.
#[derive(Debug)]
pub(super) struct Awaits<'w, W> {
    world: &'w mut W,
    task: Option<usize>,
    polled: Option<Section>,
}

impl<W: Service> Awaits<'_, W> {
    fn poll(&mut self) {
        let Some(server) = self.task else { return };
        while !self.world.try_poll(server) {
            std::thread::yield_now();
        }
        self.polled = Some(direct::section(POLLED));
    }
}

impl<W: Service> Database for Awaits<'_, W> {
    type Session = W::Session;

    fn connect(&mut self) -> Result<W::Session, SqlError> {
        self.world.connect()
    }

    fn execute(&mut self, session: &mut W::Session, statement: &Statement) -> Reply {
        if let Some(server) = self.task {
            self.world.suspend(server);
            self.polled = None;
        }
        let answer = self.world.answer(session, statement);
        self.poll();
        Reply::Answer(answer)
    }

    fn disconnect(&mut self, session: W::Session) {
        self.world.disconnect(session);
    }
}

/// One request, from its arrival to its answer; or to the death of its server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request<S, T> {
    round: Round,
    doing: Doing<S, T>,
    /// What its sender is told if the server dies.
    died: T,
    /// The same request, as its sender then asks another server.
    again: Option<Arc<Request<SimSession, T>>>,
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Doing<S, T> {
    Code(Code<Served<S>, T>),
    /// It sends this answer.
    Answers(T),
}

impl<T: From<Failure> + 'static> Request<SimSession, T> {
    /// A request before its first step, over a session that has no transaction under way.
    pub(super) fn new(
        round: Round,
        way: Way,
        died: T,
        body: impl Fn(&mut Tx<'_, Awaits<'_, DirectDb>>) -> Result<Next<T>, Failure>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let code = Code::served(SimSession::new(), move |world, session| {
            handle(world, session, round, way, &body).unwrap_or_else(T::from)
        });
        Request { round, doing: Doing::Code(code), died, again: None }
    }
}

impl<T> Request<SimSession, T> {
    /// A program that is no request: it ends whichever server dies.
    pub(super) fn beside(code: Code<Served<SimSession>, T>, died: T) -> Self {
        let round = Round { server: usize::MAX, ..Round::default() };
        Request { round, doing: Doing::Code(code), died, again: None }
    }

    /// The same request, whose sender asks again if it is told nothing.
    pub(super) fn asking_again(self, again: Self) -> Self {
        Request { again: Some(Arc::new(again)), ..self }
    }

    /// Which server it asks.
    pub(super) fn server(&self) -> usize {
        self.round.server
    }

    /// The same request before its first step, with a session of its own of another database.
    fn connected<D: Database>(&self, db: &mut D) -> Result<Request<D::Session, T>, SqlError>
    where
        T: Clone,
    {
        let doing = match &self.doing {
            Doing::Code(code) => Doing::Code(code.over_service(db.connect()?)),
            Doing::Answers(told) => Doing::Answers(told.clone()),
        };
        let (round, died, again) = (self.round, self.died.clone(), self.again.clone());
        Ok(Request { round, doing, died, again })
    }

    /// Whether it cannot go on before `other` does: for the mutex, for the worker, or for a lock of
    /// the database.
    pub fn waits_for(&self, other: &Self, world: &Servers<SimDb>) -> bool {
        let Round { server, is_task, .. } = self.round;
        let together = server == other.round.server && !world.is_dead(server);
        let (Doing::Code(code), Doing::Code(others)) = (&self.doing, &other.doing) else {
            return false;
        };
        let asks = code.asks().unwrap_or(if is_task { "poll" } else { "lock" });
        if asks.starts_with("poll") {
            let waits = together && world.is_polling(server) && others.is_in(POLLED);
            return is_task && waits;
        }
        if asks.starts_with("lock") {
            return together && world.is_locked(server) && others.is_in(LOCKED);
        }
        code.held().wait_for(others.held(), &world.db)
    }
}

impl<W: Service<Session: Held>, T: Clone> Process<W> for Request<W::Session, T> {
    type Output = T;

    fn step(self, world: &mut W) -> Step<Self, T> {
        let Request { round, doing, died, again } = self;
        let code = match doing {
            Doing::Answers(answer) if !world.is_dead(round.server) => return Step::Done(answer),
            Doing::Answers(_) => return told_nothing(world, died, again),
            Doing::Code(code) => code,
        };
        if world.is_dead(round.server) {
            // And it with it: the database sees the connection end.
            code.into_held().into_iter().for_each(|session| world.disconnect(session));
            return told_nothing(world, died, again);
        }
        let going = |doing| Request { round, doing, died: died.clone(), again: again.clone() };
        let step = code.step(world).map(|code| going(Doing::Code(code)));
        match round.answers {
            true => step.and_then(|told| Step::Next(going(Doing::Answers(told)))),
            false => step,
        }
    }

    fn is_underway(&self) -> bool {
        matches!(&self.doing, Doing::Code(code) if Process::<W>::is_underway(code))
    }
}

/// The sender of a request whose server has died asks another one, or gives up.
fn told_nothing<W: Service, T: Clone>(
    world: &mut W,
    died: T,
    again: Option<Arc<Request<SimSession, T>>>,
) -> Step<Request<W::Session, T>, T> {
    let Some(again) = again else { return Step::Done(died) };
    world.ask_again(again.server());
    // Opening a session is no step of a protocol.
    again.connected(world).map_or(Step::Done(died), Step::Next)
}

/// At some moment the first server dies; `crashed` is what this actor ends with.
pub(super) fn crash<T: Clone + From<Failure> + Send + Sync + 'static>(
    crashed: T,
) -> Request<SimSession, T> {
    let told = crashed.clone();
    let dies = Code::served(SimSession::new(), move |world, _| {
        world.kill(0);
        told.clone()
    });
    Request::beside(dies, crashed)
}

/// A system of requests to two servers, before it has any. Mostly only the first server has something
/// to do.
pub(super) type Requests<T> = System<Servers<SimDb>, Request<SimSession, T>>;

pub(super) fn requests<T: Value>(db: SimDb) -> Requests<T> {
    System::new(Servers::new(db, SERVERS))
        .described_by(recorded_step)
        .breaks_deadlocks(Servers::patient)
        .waits_for(|world, request: &Request<SimSession, T>, other| request.waits_for(other, world))
}

const SERVERS: usize = 2;

/// How often a transaction is begun anew where it is: enough for three clients, if each failure is
/// another one's success. (A deadlock's need not be.)
pub(super) const RETRIES: u32 = 2;

/// A case of such a system.
type RequestsCase<T> = DbCase<Servers<SimDb>, Request<SimSession, T>>;

/// The case of a system of requests. Statements of a transaction run on PostgreSQL, and those that
/// stand by themselves on SQLite. Free runs do not judge the properties in `passing`.
pub(super) fn case<T: Value>(
    system: Requests<T>,
    way: Way,
    passing: &'static [&'static str],
) -> Box<dyn Case> {
    match way.isolation {
        None => Box::new(on::<SqliteDb, SqliteDb, T>(system, passing)),
        Some(_) => Box::new(on::<SteppedDb, PostgresDb, T>(system, passing)),
    }
}

fn on<D: RealDb<Session: Held>, F: FreeDb<Session: Held>, T: Value>(
    system: Requests<T>,
    passing: &'static [&'static str],
) -> RequestsCase<T> {
    let actors = actors_by_start(&system, Request::clone);
    loose::<F, T>(system, passing).on(Stage::within(
        |_, db: D| Servers::new(db, SERVERS),
        |servers| servers.db,
        move |start, world| connected(actors(start), world),
    ))
}

/// The same case, with free runs on this database and no other real world.
pub(super) fn loose<F: FreeDb<Session: Held>, T: Value>(
    system: Requests<T>,
    passing: &'static [&'static str],
) -> RequestsCase<T> {
    let actors = actors_by_start(&system, Request::clone);
    let loose = Loose::new(move |start, db: &mut F| connected(actors(start), db));
    DbCase::new(system, |world| Tables::of(&world.db)).let_loose(loose, passing)
}

/// The same requests, each with a session of its own of a real database.
fn connected<D: Database, T: Clone>(
    actors: Vec<Request<SimSession, T>>,
    db: &mut D,
) -> Result<Vec<Request<D::Session, T>>, SqlError> {
    actors.iter().map(|actor| actor.connected(db)).collect()
}
