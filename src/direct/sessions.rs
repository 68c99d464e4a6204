//! Second floor, `direct`: a database for ordinary code, whichever world it runs in. Imports
//! [`db`](crate::db) and its neighbours in `direct`.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;

use super::held::Held;
use super::lent::{Lent, taken};
use super::run::{self, Performed, ask, fingerprint};
use crate::db::{Answer, Database, Reply, SqlError, SqlState, Statement};

/// The sessions that a program has, by the numbers of its [`DirectSession`]s.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Sessions<S>(Vec<Option<Arc<S>>>);

// By hand, because a derive would ask it of `S`.
impl<S> Clone for Sessions<S> {
    fn clone(&self) -> Self {
        Sessions(self.0.clone())
    }
}

impl<S> Default for Sessions<S> {
    fn default() -> Self {
        Sessions(Vec::new())
    }
}

impl<S> Sessions<S> {
    /// The sessions that it has now.
    pub fn iter(&self) -> impl Iterator<Item = &S> {
        self.0.iter().flatten().map(|session| &**session)
    }

    pub(super) fn of(sessions: impl IntoIterator<Item = S>) -> Self {
        Sessions(sessions.into_iter().map(|session| Some(Arc::new(session))).collect())
    }
}

impl<S: Held> Sessions<S> {
    fn get(&mut self, number: u32) -> Option<&mut S> {
        S::of_one(self.0.get_mut(number as usize)?.as_mut()?)
    }

    fn take(&mut self, number: u32) -> Option<S> {
        S::taken(self.0.get_mut(number as usize)?.take()?)
    }
}

/// A [`Database`] and the sessions with it, whatever their type.
pub(super) trait Port {
    fn connect(&mut self) -> Result<u32, SqlError>;
    fn execute(&mut self, session: u32, statement: &Statement) -> Reply;
    fn disconnect(&mut self, session: u32);
    fn forget(&mut self, session: u32);
}

pub(super) struct Connected<'m, D: Database> {
    pub(super) database: &'m mut D,
    pub(super) sessions: &'m mut Sessions<D::Session>,
}

impl<D: Database<Session: Held>> Port for Connected<'_, D> {
    fn connect(&mut self) -> Result<u32, SqlError> {
        self.sessions.0.push(Some(Arc::new(self.database.connect()?)));
        Ok(self.sessions.0.len() as u32 - 1)
    }

    fn execute(&mut self, session: u32, statement: &Statement) -> Reply {
        match self.sessions.get(session) {
            Some(session) => self.database.execute(session, statement),
            None => Reply::Answer(Err(SqlState::CONNECTION_FAILURE.into())),
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

thread_local! {
    static PORT: Cell<Option<NonNull<dyn Port>>> = const { Cell::new(None) };
}

/// Runs `during` with this as the database of the thread.
pub(super) fn connected<T>(port: &mut (dyn Port + '_), during: impl FnOnce() -> T) -> T {
    let port: NonNull<dyn Port + '_> = NonNull::from(port);
    // SAFETY: only the bound on its lifetime is changed. It is taken away before this function returns
    // or unwinds, and so before what it borrows ends.
    let port: NonNull<dyn Port + 'static> = unsafe { std::mem::transmute(port) };
    let _lent = Lent::at(&PORT, port);
    during()
}

fn port<T>(with: impl FnOnce(&mut dyn Port) -> T) -> Option<T> {
    // SAFETY: it is exclusively borrowed for as long as it is there, and nobody else finds it there now.
    taken(&PORT, |mut port| with(unsafe { port.as_mut() }))
}

/// A database for ordinary code that is checked: the [`Database`] of the world that the program is run in,
/// whether simulated or real. The program that [`Code::session`](super::Code::session) takes gets one.
#[derive(Debug)]
pub struct DirectDb(());

/// A session of a [`DirectDb`]. Dropping it within a transaction ends it, as the server ends one whose
/// client is gone: that is a step.
#[derive(Debug)]
pub struct DirectSession {
    number: u32,
    run: u64,
}

impl DirectSession {
    pub(super) fn numbered(number: u32) -> Self {
        DirectSession { number, run: run::serial() }
    }

    #[track_caller]
    fn end(&self) {
        let number = self.number;
        ask(&"disconnect", fingerprint(&("disconnect", number)), || {
            port(|port| port.disconnect(number));
            Performed::Answer(())
        });
        run::unlock(number);
    }
}

impl Drop for DirectSession {
    fn drop(&mut self) {
        if self.run != run::serial() || run::is_over() {
            return;
        }
        if run::has_lock(self.number) {
            self.end();
        } else if run::is_at_the_end() {
            port(|port| port.forget(self.number));
        }
    }
}

impl DirectDb {
    pub(super) fn new() -> Self {
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

    /// Waits without the program knowing: the reply is always an answer.
    #[track_caller]
    fn execute(&mut self, session: &mut DirectSession, statement: &Statement) -> Reply {
        let number = session.number;
        let answer: Option<Result<Answer, SqlError>> =
            ask(statement, fingerprint(&(statement, number)), || {
                let reply = port(|port| port.execute(number, statement));
                match reply.unwrap_or_else(|| not_a_database(&statement.to_string())) {
                    Reply::Answer(answer) => Performed::Answer(answer),
                    Reply::Queued => Performed::Began,
                    Reply::Waiting => Performed::Waits,
                }
            });
        match (statement, &answer) {
            (Statement::Begin(_), Some(Ok(_))) => run::lock(number),
            (Statement::Commit | Statement::Rollback, _) => run::unlock(number),
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

/// The program was given another kind of world.
#[track_caller]
fn not_a_database(what: &str) -> ! {
    panic!(
        "`{what}`: the program is checked in a world that is no database (`Code::session` takes one that is)"
    )
}
