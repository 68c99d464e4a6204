//! First floor, `db`: PostgreSQL with its sessions in lockstep, so that a schedule decides which
//! session goes next. Imports its neighbours in `db`, and rustix for signals.

use std::fmt;
use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio_postgres::error::DbError;

use super::link::Link;
use super::postgres::{Notices, PostgresDb, Server, Target};
use super::watch::{Said, Watch};
use super::{Answer, Cluster, Database, Reply, SqlError, SqlState, Statement};
#[cfg(feature = "command")]
use super::{Row, Table};

/// How long the server may take for anything that is no wait for another transaction.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a server that is not one's own is asked whether a statement waits.
const POLL: Duration = Duration::from_millis(20);

/// A PostgreSQL database whose sessions run one at a time, each only in its own step. It does in a
/// server's own processes what [`SimDb`](super::SimDb) does in a simulation.
///
/// A statement that has to wait for another transaction is answered [`Queued`](Reply::Queued), once
/// the server has begun to wait and has looked for a deadlock. (The server reports this, by
/// `log_lock_waits`.) Then a signal stops the server's process of that session.
///
/// When the wait is over, nothing happens at first. The process goes on only in its session's next
/// step, so that another session can act in between. While the wait is not over, a step is answered
/// [`Waiting`](Reply::Waiting). The server itself is asked whether the wait is over.
///
/// No wait here takes longer than half a minute. After that it is an [internal
/// error](SqlState::INTERNAL_ERROR).
#[derive(Debug)]
pub struct SteppedDb {
    database: PostgresDb,
    target: Target,
    /// Asks who waits for whom.
    observer: Server,
    /// The server's processes, in the order of their sessions.
    processes: Vec<i32>,
    /// Sessions that are over and can be used again.
    idle: Idle,
    watch: Watch,
    /// The server is somebody else's: its processes are not stopped. A session that waits goes on by itself.
    foreign: Option<Foreign>,
}

/// A schema of one's own on a server that others use.
#[derive(Debug)]
struct Foreign {
    schema: String,
    /// How long a statement waits before the server looks for a deadlock.
    looks: Duration,
}

type Idle = Arc<Mutex<Vec<Worker>>>;

/// A session of a [`SteppedDb`]. If it is dropped, it ends as by [`Database::disconnect`].
pub struct SteppedSession {
    index: usize,
    /// `None` while it is being dropped.
    worker: Option<Worker>,
    idle: Idle,
}

/// A thread with a connection, and the server's process at the other end of it.
#[derive(Debug)]
struct Worker {
    process: Pid,
    statements: Sender<Order>,
    events: Mutex<Receiver<Event>>,
    /// Its statement waits, and its process is stopped, if it may be.
    is_stopped: bool,
    /// Where to ask for the end of a process that is not to get signals from here.
    ends_at: Option<Target>,
}

enum Order {
    Execute(Statement),
    End,
}

enum Event {
    /// It has begun to wait, and there is no deadlock.
    Waits,
    /// The wait is over.
    Acquired,
    Answer(Result<Answer, SqlError>),
}

impl SteppedDb {
    /// A database on this server with no tables that nobody else knows of.
    ///
    /// # Errors
    ///
    /// Those of a server that does not answer.
    pub fn new(cluster: &Cluster) -> Result<Self, SqlError> {
        let url = cluster.namespace()?;
        let target = Target::unlimited(&url)?;
        let observer = Server::connect(&target)?;
        let database = PostgresDb::connect(&url)?;
        let (processes, idle, watch) = (Vec::new(), Idle::default(), Watch::default());
        Ok(SteppedDb { database, target, observer, processes, idle, watch, foreign: None })
    }

    /// A database in a new schema of its own on the server at this URL. Nothing else there is touched;
    /// [`leave`](Self::leave) removes the schema.
    ///
    /// No process of that server is stopped. So a session that waited goes on as soon as it may, and not in its
    /// next step.
    ///
    /// # Errors
    ///
    /// Those of a server that does not answer, or that lets its user make no schema.
    pub fn visiting(url: &str) -> Result<Self, SqlError> {
        let database = PostgresDb::connect(url)?;
        let mut target = Target::unlimited(url)?;
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let schema = format!("toctou_{}_{}", std::process::id(), since.as_nanos());
        Server::connect(&target)?.run(&format!("CREATE SCHEMA {schema}"))?;
        target.add_options(&format!("-c search_path={schema}"));
        let mut observer = Server::connect(&target)?;
        let looks = "SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout'";
        let looks = observer.numbers(looks, &[])?.first().copied().unwrap_or(1_000);
        let looks = Duration::from_millis(u64::try_from(looks).unwrap_or(1_000)) + POLL * 5;
        let (processes, idle, watch) = (Vec::new(), Idle::default(), Watch::default());
        let foreign = Some(Foreign { schema, looks });
        Ok(SteppedDb { database, target, observer, processes, idle, watch, foreign })
    }

    /// Removes the schema that [`visiting`](Self::visiting) made. All sessions have to be over.
    ///
    /// # Errors
    ///
    /// Those of a server that does not answer.
    pub fn leave(mut self) -> Result<(), SqlError> {
        match &self.foreign {
            Some(Foreign { schema, .. }) => {
                self.observer.run(&format!("DROP SCHEMA {schema} CASCADE"))
            }
            None => Ok(()),
        }
    }

    /// Performs a statement by itself, whatever it is, and asks for no answer.
    #[cfg(feature = "command")]
    pub(crate) fn run(&mut self, sql: &str) -> Result<(), SqlError> {
        self.observer.run(sql)
    }

    /// The committed rows of a table, sorted.
    #[cfg(feature = "command")]
    pub(crate) fn rows(&mut self, table: &'static Table) -> Result<Vec<Row>, SqlError> {
        super::pool::rows(self, table)
    }

    /// The same database with sessions that are not stepped: to create tables, to fill them and to
    /// read them. Its statements must not have to wait for a session that is stepped.
    pub fn database(&self) -> &PostgresDb {
        &self.database
    }

    /// The sessions that this session's statement waits for, as the server reports them
    /// (`pg_blocking_pids`): those that hold what it wants, or are before it in a queue. They are
    /// given as [indices](SteppedSession::index), sorted. Empty if the statement does not wait, or
    /// no longer does.
    ///
    /// # Errors
    ///
    /// Those of a server that does not answer.
    pub fn blockers(&mut self, session: &SteppedSession) -> Result<Vec<usize>, SqlError> {
        let Some(worker) = session.worker.as_ref().filter(|worker| worker.is_stopped) else {
            return Ok(Vec::new());
        };
        let found = self.blocking(worker.process)?;
        let mut blockers: Vec<_> =
            found.into_iter().filter_map(|process| self.session_of(process)).collect();
        blockers.sort_unstable();
        blockers.dedup();
        Ok(blockers)
    }

    /// Where the database leaves what the server says of each statement: whom it waits for, or in
    /// which cycle it failed.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// The last session of a process, for a process serves one after the other.
    fn session_of(&self, process: i32) -> Option<usize> {
        self.processes.iter().rposition(|known| *known == process)
    }

    /// What there is to say of a session's last statement.
    fn said(&mut self, session: &SteppedSession, reply: &Reply) -> Said {
        let waits_for = match reply {
            Reply::Queued | Reply::Waiting => self.blockers(session).ok(),
            Reply::Answer(_) | Reply::Underway(_) => None,
        };
        let circle = match reply {
            Reply::Answer(Err(error)) if error.state == SqlState::DEADLOCK_DETECTED => {
                self.circle(session.index, error)
            }
            _ => None,
        };
        Said { session: session.index, waits_for, circle }
    }

    /// The cycle that made this session fail: "Process 47 waits for ShareLock on transaction 740;
    /// blocked by process 48." and so on, whichever session found it first.
    fn circle(&self, session: usize, error: &SqlError) -> Option<Vec<usize>> {
        let parts = error.said.as_deref()?.split("Process ").skip(1);
        let process = |part: &str| part.split(' ').next()?.parse().ok();
        let sessions = parts.map(|part| self.session_of(process(part)?));
        let mut circle: Vec<usize> = sessions.collect::<Option<_>>()?;
        circle.push(session);
        (circle.first() == Some(&session)).then_some(circle)
    }

    fn blocking(&mut self, process: Pid) -> Result<Vec<i32>, SqlError> {
        let process = process.as_raw_nonzero().get();
        self.observer.numbers("SELECT unnest(pg_blocking_pids($1))", &[&process])
    }

    fn worker(&self) -> Result<Worker, SqlError> {
        while let Some(worker) = idle(&self.idle).pop() {
            if test_kill_process(worker.process).is_ok() {
                return Ok(worker);
            }
        }
        let (statements, orders) = channel();
        let (events, received) = channel();
        let (opened, process) = channel();
        let mut target = self.target.clone();
        target.add_options("-c client_min_messages=log");
        let notices = Mutex::new(events.clone());
        let notice = move |notice: &DbError| {
            // "process 4711 still waiting for ShareLock on transaction 740 after 1.024 ms"
            let message = notice.message();
            let event = if message.contains(" still waiting for ") {
                Event::Waits
            } else if message.contains(" acquired ") {
                Event::Acquired
            } else {
                return;
            };
            let events = notices.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = events.send(event);
        };
        let spawned = thread::Builder::new().name("stepped session".to_owned()).spawn(move || {
            let mut link = match open(&target, Box::new(notice)) {
                Ok((link, process)) => {
                    let _ = opened.send(Ok(process));
                    link
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            for order in orders {
                let answer = match order {
                    Order::Execute(statement) => link.execute(&statement),
                    Order::End => match link.leave() {
                        Ok(()) if link.is_spoilt() => Err(SqlState::CONNECTION_FAILURE.into()),
                        ended => ended.map(|()| Answer::RolledBack),
                    },
                };
                if answer.is_err() {
                    link.wire.settle();
                }
                if events.send(Event::Answer(answer)).is_err() {
                    return;
                }
            }
        });
        spawned.map_err(|error| SqlError::new(SqlState::INTERNAL_ERROR, &error.to_string()))?;
        let process = process.recv_timeout(PATIENCE).map_err(late)??;
        let ends_at = self.foreign.is_some().then(|| self.target.clone());
        Ok(Worker { process, statements, events: Mutex::new(received), is_stopped: false, ends_at })
    }

    /// A step on a server whose processes are not stopped.
    fn visits(
        &mut self,
        worker: &mut Worker,
        statement: &Statement,
        looks: Duration,
    ) -> Result<Reply, SqlError> {
        if worker.is_stopped {
            if !self.blocking(worker.process)?.is_empty() {
                return Ok(Reply::Waiting);
            }
            worker.is_stopped = false;
        } else {
            worker.send(Order::Execute(statement.clone()))?;
        }
        let begun = Instant::now();
        let mut waits = None;
        loop {
            match worker.event_within(POLL) {
                Ok(Event::Answer(answer)) => return Ok(Reply::Answer(answer)),
                Ok(Event::Waits | Event::Acquired) => {}
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < PATIENCE => {
                    if self.blocking(worker.process)?.is_empty() {
                        waits = None;
                    } else if waits.get_or_insert_with(Instant::now).elapsed() > looks {
                        worker.is_stopped = true;
                        return Ok(Reply::Queued);
                    }
                }
                Err(error) => return Err(late(error)),
            }
        }
    }

    fn step(&mut self, worker: &mut Worker, statement: &Statement) -> Result<Reply, SqlError> {
        if let Some(Foreign { looks, .. }) = self.foreign {
            return self.visits(worker, statement, looks);
        }
        if worker.is_stopped {
            if !self.blocking(worker.process)?.is_empty() {
                return Ok(Reply::Waiting);
            }
            worker.resume()?;
            // It may tell a second time that it waits, until it tells that it does no longer.
            loop {
                match worker.event()? {
                    Event::Waits => {}
                    Event::Acquired => break,
                    Event::Answer(answer) => return Ok(Reply::Answer(answer)),
                }
            }
        } else {
            worker.send(Order::Execute(statement.clone()))?;
        }
        loop {
            match worker.event()? {
                Event::Waits => {
                    worker.stop()?;
                    return Ok(Reply::Queued);
                }
                // It has waited for no longer than it takes to look for a deadlock.
                Event::Acquired => {}
                Event::Answer(answer) => return Ok(Reply::Answer(answer)),
            }
        }
    }
}

/// Opens a connection, and asks for the process at its other end.
fn open(target: &Target, notices: Notices) -> Result<(Link<Server>, Pid), SqlError> {
    let mut server = Server::noticing(target, notices)?;
    let process = server.numbers("SELECT pg_backend_pid()", &[])?;
    let process = process.first().and_then(|process| Pid::from_raw(*process));
    process.map(|process| (Link::new(server), process)).ok_or(SqlState::INTERNAL_ERROR.into())
}

impl Database for SteppedDb {
    type Session = SteppedSession;

    fn connect(&mut self) -> Result<SteppedSession, SqlError> {
        let worker = self.worker()?;
        let index = self.processes.len();
        self.processes.push(worker.process.as_raw_nonzero().get());
        Ok(SteppedSession { index, worker: Some(worker), idle: Arc::clone(&self.idle) })
    }

    fn execute(&mut self, session: &mut SteppedSession, statement: &Statement) -> Reply {
        let Some(worker) = &mut session.worker else {
            return Reply::Answer(Err(SqlState::CONNECTION_FAILURE.into()));
        };
        let reply = self.step(worker, statement).unwrap_or_else(|error| {
            // Where it stands nobody knows.
            if let Some(mut worker) = session.worker.take() {
                worker.kill();
            }
            Reply::Answer(Err(error))
        });
        let said = self.said(session, &reply);
        self.watch.tell(said);
        reply
    }

    fn disconnect(&mut self, session: SteppedSession) {
        drop(session);
    }
}

impl SteppedSession {
    /// The session's number in its database, by the order of connecting: the first is 0.
    pub fn index(&self) -> usize {
        self.index
    }
}

impl fmt::Debug for SteppedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.index)
    }
}

impl Drop for SteppedSession {
    fn drop(&mut self) {
        let Some(mut worker) = self.worker.take() else { return };
        let is_over = !worker.is_stopped && worker.end().is_ok();
        if !is_over {
            worker.kill();
        } else if worker.ends_at.is_none() {
            idle(&self.idle).push(worker);
        }
    }
}

fn idle(idle: &Idle) -> MutexGuard<'_, Vec<Worker>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    fn send(&self, order: Order) -> Result<(), SqlError> {
        self.statements.send(order).map_err(|_| SqlState::CONNECTION_FAILURE.into())
    }

    fn event(&self) -> Result<Event, SqlError> {
        self.event_within(PATIENCE).map_err(late)
    }

    fn event_within(&self, time: Duration) -> Result<Event, RecvTimeoutError> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.recv_timeout(time)
    }

    fn end(&mut self) -> Result<(), SqlError> {
        self.send(Order::End)?;
        loop {
            if let Event::Answer(answer) = self.event()? {
                return answer.map(drop);
            }
        }
    }

    /// Stops the server's process, and returns once it stands.
    fn stop(&mut self) -> Result<(), SqlError> {
        self.signal(Signal::STOP)?;
        self.is_stopped = true;
        let stat = format!("/proc/{}/stat", self.process.as_raw_nonzero());
        let until = Instant::now() + PATIENCE;
        loop {
            // Its state is what comes after its name; elsewhere than on Linux nobody can tell.
            let Ok(stat) = fs::read_to_string(&stat) else { return Ok(()) };
            if stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(late(RecvTimeoutError::Timeout));
            }
            thread::yield_now();
        }
    }

    fn resume(&mut self) -> Result<(), SqlError> {
        self.is_stopped = false;
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), SqlError> {
        kill_process(self.process, signal).map_err(|errno| {
            let state = match errno {
                rustix::io::Errno::SRCH => SqlState::CONNECTION_FAILURE,
                _ => SqlState::INTERNAL_ERROR,
            };
            SqlError::new(state, &format!("the server's process {}: {errno}", self.process))
        })
    }

    /// Ends the server's process, which rolls its transaction back, and returns once it is gone.
    fn kill(&mut self) {
        if let Some(target) = &self.ends_at {
            let process = self.process.as_raw_nonzero().get();
            let ended = Server::connect(target).and_then(|mut server| {
                server.run(&format!("SELECT pg_terminate_backend({process})"))
            });
            // If it cannot be asked, the server notices that the connection is gone.
            drop(ended);
            return;
        }
        // It comes to know of the one before it does anything else after the other.
        let _ = self.signal(Signal::TERM);
        let _ = self.resume();
        let until = Instant::now() + PATIENCE;
        while test_kill_process(self.process).is_ok() && Instant::now() < until {
            thread::sleep(Duration::from_micros(200));
        }
    }
}

fn late(error: RecvTimeoutError) -> SqlError {
    match error {
        RecvTimeoutError::Timeout => {
            let said = format!("no answer within {} seconds", PATIENCE.as_secs());
            SqlError::new(SqlState::INTERNAL_ERROR, &said)
        }
        RecvTimeoutError::Disconnected => SqlState::CONNECTION_FAILURE.into(),
    }
}
