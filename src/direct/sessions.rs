//! Second floor, `direct`: a database for ordinary code, in whichever world it runs. Imports
//! [`db`](crate::db) and its neighbours in `direct`.

use std::fmt;

use super::held::{Held, Slots};
use super::lent::ports;
use super::run::{self, Performed, ask, fingerprint};
use crate::db::{Answer, Database, Reply, Service, SqlError, SqlState, Statement};

/// A [`Database`] and the sessions with it, whatever their type.
pub(super) trait Port {
    fn connect(&mut self) -> Result<u32, SqlError>;
    fn execute(&mut self, session: u32, statement: &Statement) -> Reply;
    fn takes_next(&mut self, session: u32, which: usize);
    fn disconnect(&mut self, session: u32);
    fn forget(&mut self, session: u32);
    /// Whether it is done; `None` where there are no server processes.
    fn serve(&mut self, call: Call) -> Option<bool>;
}

/// What is done in the memory of a server process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Verify,
    Lock(usize),
    Unlock(usize),
    Poll(usize),
    Suspend(usize),
    Kill(usize),
    IsDead(usize),
}

/// By which a [`Call`] is told to come from a program that has to wait with it.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Verify => f.write_str("verify"),
            Call::Lock(server) => write!(f, "lock({server})"),
            Call::Unlock(server) => write!(f, "unlock({server})"),
            Call::Poll(server) => write!(f, "poll({server})"),
            Call::Suspend(server) => write!(f, "suspend({server})"),
            Call::Kill(server) => write!(f, "kill({server})"),
            Call::IsDead(server) => write!(f, "is_dead({server})"),
        }
    }
}

/// How the run counts the sessions that hold something, beside the files that do.
const IN_TRANSACTION: u32 = 1 << 31;

pub(super) struct Connected<'m, D: Database> {
    pub(super) database: &'m mut D,
    pub(super) sessions: &'m mut Slots<D::Session>,
    pub(super) serve: Serve<D>,
}

/// The server processes of a world, if it has some.
type Serve<D> = fn(&mut D, Call) -> Option<bool>;

impl<D: Service> Connected<'_, D> {
    pub(super) const SERVES: Serve<D> = |world, call| {
        Some(match call {
            Call::Lock(server) => world.try_lock(server),
            Call::Poll(server) => world.try_poll(server),
            Call::IsDead(server) => world.is_dead(server),
            Call::Verify => {
                world.verify();
                true
            }
            Call::Unlock(server) => {
                world.unlock(server);
                true
            }
            Call::Suspend(server) => {
                world.suspend(server);
                true
            }
            Call::Kill(server) => {
                world.kill(server);
                true
            }
        })
    };
}

impl<D: Database<Session: Held>> Port for Connected<'_, D> {
    fn serve(&mut self, call: Call) -> Option<bool> {
        (self.serve)(self.database, call)
    }

    fn connect(&mut self) -> Result<u32, SqlError> {
        Ok(self.sessions.add(self.database.connect()?))
    }

    fn execute(&mut self, session: u32, statement: &Statement) -> Reply {
        match self.sessions.get(session) {
            Some(session) => self.database.execute(session, statement),
            None => Reply::Answer(Err(SqlState::CONNECTION_FAILURE.into())),
        }
    }

    fn takes_next(&mut self, session: u32, which: usize) {
        if let Some(session) = self.sessions.get(session) {
            session.takes_next(which);
        }
    }

    fn disconnect(&mut self, session: u32) {
        if let Some(session) = self.sessions.take(session) {
            self.database.disconnect(session);
        }
    }

    fn forget(&mut self, session: u32) {
        self.sessions.take(session);
    }
}

ports! {
    /// Runs `during` with this as the database of the thread.
    connected
}

/// A database for ordinary code that is checked. It is the [`Database`] of the world in which the
/// program runs, simulated or real.
///
/// The program that [`Code::session`](super::Code::session) takes gets one.
#[derive(Debug)]
pub struct DirectDb(());

/// A session of a [`DirectDb`]. Dropping it within a transaction ends the transaction, as the
/// server does when the client is gone. That is a step.
#[derive(Debug)]
pub struct DirectSession {
    number: u32,
    run: u64,
}

impl DirectSession {
    pub(super) fn numbered(number: u32) -> Self {
        DirectSession { number, run: run::serial() }
    }

    /// Its number, in the run that opened it.
    #[track_caller]
    fn number(&self) -> u32 {
        run::of_this(self.run, "session");
        self.number
    }

    #[track_caller]
    fn end(&self) {
        let number = self.number();
        ask(&"disconnect", fingerprint(&("disconnect", number)), || {
            port(|port| port.disconnect(number));
            Performed::Answer(())
        });
        run::unlock(number | IN_TRANSACTION);
    }
}

impl Drop for DirectSession {
    fn drop(&mut self) {
        if self.run != run::serial() || run::is_over() {
            return;
        }
        if run::has_lock(self.number | IN_TRANSACTION) {
            self.end();
        } else if run::is_at_the_end() {
            port(|port| port.forget(self.number));
        }
    }
}

impl DirectDb {
    pub(crate) fn new() -> Self {
        DirectDb(())
    }
}

impl Database for DirectDb {
    type Session = DirectSession;

    #[track_caller]
    fn connect(&mut self) -> Result<DirectSession, SqlError> {
        let number = run::observed(|| {
            ask(&"connect", fingerprint(&"connect"), || {
                Performed::Answer(
                    port(|port| port.connect()).unwrap_or_else(|| not_a_database("connect")),
                )
            })
        });
        match number {
            Some(number) => Ok(DirectSession::numbered(number?)),
            None => Err(SqlState::CONNECTION_FAILURE.into()),
        }
    }

    /// The program does not notice a wait: the reply is always an answer.
    #[track_caller]
    fn execute(&mut self, session: &mut DirectSession, statement: &Statement) -> Reply {
        let number = session.number();
        let answer: Option<Result<Answer, SqlError>> =
            ask(statement, fingerprint(&(statement, number)), || {
                if let Some(which) = run::way() {
                    port(|port| port.takes_next(number, which));
                    return Performed::Began;
                }
                let reply = port(|port| port.execute(number, statement));
                match reply.unwrap_or_else(|| not_a_database(&statement.to_string())) {
                    Reply::Answer(answer) => Performed::Answer(answer),
                    Reply::Underway(underway) if underway.next > 1 => {
                        Performed::Ways(underway.next)
                    }
                    Reply::Queued | Reply::Underway(_) => Performed::Began,
                    Reply::Waiting => Performed::Waits,
                }
            });
        match (statement, &answer) {
            (Statement::Begin(_), Some(Ok(_))) => run::lock(number | IN_TRANSACTION),
            (Statement::Commit | Statement::Rollback, _) => run::unlock(number | IN_TRANSACTION),
            _ => {}
        }
        Reply::Answer(answer.unwrap_or(Err(SqlState::CONNECTION_FAILURE.into())))
    }

    #[track_caller]
    fn disconnect(&mut self, session: DirectSession) {
        session.end();
        // It is ended.
        std::mem::forget(session);
    }
}

impl DirectDb {
    #[track_caller]
    fn serve(&mut self, call: Call) -> Option<bool> {
        ask(&call, fingerprint(&call), || {
            let done = port(|port| port.serve(call));
            match done.unwrap_or_else(|| not_a_database(&call.to_string())) {
                Some(false) if !matches!(call, Call::IsDead(_)) => Performed::Waits,
                Some(done) => Performed::Answer(done),
                None => panic!(
                    "`{call}`: there are no server processes in the world in which the program is checked \
                     (`Code::served` takes one that has them)"
                ),
            }
        })
    }
}

/// For a world that has server processes: see [`Code::served`](super::Code::served). The program
/// does not notice a wait: each attempt to lock succeeds.
impl Service for DirectDb {
    #[track_caller]
    fn verify(&mut self) {
        self.serve(Call::Verify);
    }

    #[track_caller]
    fn try_lock(&mut self, server: usize) -> bool {
        self.serve(Call::Lock(server)).unwrap_or_default()
    }

    #[track_caller]
    fn unlock(&mut self, server: usize) {
        self.serve(Call::Unlock(server));
    }

    #[track_caller]
    fn try_poll(&mut self, server: usize) -> bool {
        self.serve(Call::Poll(server)).unwrap_or_default()
    }

    #[track_caller]
    fn suspend(&mut self, server: usize) {
        self.serve(Call::Suspend(server));
    }

    #[track_caller]
    fn kill(&mut self, server: usize) {
        self.serve(Call::Kill(server));
    }

    #[track_caller]
    fn is_dead(&self, server: usize) -> bool {
        run::observed(|| DirectDb(()).serve(Call::IsDead(server))).unwrap_or_default()
    }
}

/// The program was given another kind of world.
fn not_a_database(what: &str) -> ! {
    panic!(
        "`{what}`: the program is checked in a world that is no database (`Code::session` takes one that is){}",
        run::line()
    )
}
