//! Fourth floor, `case`: cases whose world is a database, or contains one. Imports
//! [`check`](crate::check), [`replay`](crate::replay), [`db`](crate::db).

use super::free::{AroundDb, Free};
use super::{CaseError, CaseOn, Comparison, RealWorld, Stress, actors_by_start, compared, run_on};
use crate::Process;
use crate::check::{Schedule, System, Value};
use crate::db::{Database, PostgresDb, SimDb, SqlError, SqliteDb, SteppedDb};
use crate::direct::{Code, Held, SessionCode, Sessions};
use crate::replay::{
    FreeDb, LetLoose, Loose, Place, RealDb, Remains, ReplayError, Replayed, Stage, Staged, Tables,
    Threads,
};

/// A case whose world is a simulated database, or contains one. [`on`](DbCase::on) sets the real
/// database for replays, and [`let_loose`](DbCase::let_loose) the one for free runs.
///
/// ```text
/// DbCase::new(system, |db| Tables::new().with(&KEYS, db.rows(&KEYS)))
///     .on(Stage::<SteppedDb, _, _>::new(move |_, db| actors(variant, db)))
///     .let_loose(Loose::<PostgresDb, _>::new(move |_, db| actors(variant, db)), &[])
/// ```
pub type DbCase<W, P> = CaseOn<W, P, OnDatabase<W, <P as Process<W>>::Output>>;

/// The same system on a real database, if one is set. Its actors end with `T`.
pub struct OnDatabase<W, T> {
    tables: Box<dyn Fn(&W) -> Tables + Send + Sync>,
    stage: Option<Box<dyn Staged>>,
    free: Option<Free<W, T>>,
}

impl<W: Value, P: Process<W, Output: Value> + Value> DbCase<W, P> {
    /// A case of a simulated system. `tables` gives the tables of a world with their committed
    /// rows. A real database is filled with the rows of a start, and its rows are compared with
    /// those of the end.
    pub fn new(
        system: System<W, P>,
        tables: impl Fn(&W) -> Tables + Send + Sync + 'static,
    ) -> Self {
        Self::on_real(system, OnDatabase { tables: Box::new(tables), stage: None, free: None })
    }

    /// Sets the real database on which schedules are run.
    pub fn on<D, R, Q>(self, stage: Stage<D, R, Q>) -> Self
    where
        Stage<D, R, Q>: Staged + 'static,
    {
        self.staged(stage)
    }

    /// Sets the real database, whatever it is furnished with.
    pub(crate) fn staged(mut self, stage: impl Staged + 'static) -> Self {
        self.real.stage = Some(Box::new(stage));
        self
    }

    /// Sets the real database on which the actors can run freely.
    ///
    /// Each property is judged by the answers that the actors got and by the rows that they left.
    /// An `always` is judged by the end only. The properties in `passing` are about moments that
    /// the end does not show: they are not judged.
    pub fn let_loose(
        mut self,
        loose: impl LetLoose<P::Output> + 'static,
        passing: &'static [&'static str],
    ) -> Self
    where
        W: AroundDb,
    {
        self.real.free = Some(Free::new(loose, passing));
        self
    }
}

impl<T: Value> DbCase<SimDb, SessionCode<T>> {
    /// A case of ordinary code: the simulated system, and the same code on SQLite. For statements
    /// without a transaction.
    pub fn direct_on_sqlite(system: System<SimDb, SessionCode<T>>) -> Self {
        Self::direct::<SqliteDb, SqliteDb>(system)
    }

    /// A case of ordinary code, with the same code on PostgreSQL. The server is started where it is
    /// installed.
    pub fn direct_on_postgres(system: System<SimDb, SessionCode<T>>) -> Self {
        Self::direct::<SteppedDb, PostgresDb>(system)
    }

    /// The same code let loose on a database, without another real one.
    pub(crate) fn loose<F: FreeDb<Session: Held>>(system: System<SimDb, SessionCode<T>>) -> Self {
        let actors = actors_by_start(&system, SessionCode::clone);
        let loose = Loose::new(move |start, db: &mut F| connected(actors(start), db));
        DbCase::new(system, Tables::of).let_loose(loose, &[])
    }

    fn direct<D, F>(system: System<SimDb, SessionCode<T>>) -> Self
    where
        D: RealDb<Session: Held>,
        F: FreeDb<Session: Held>,
    {
        let actors = actors_by_start(&system, SessionCode::clone);
        let stage = Stage::new(move |start, db: &mut D| connected(actors(start), db));
        Self::loose::<F>(system).on(stage)
    }
}

type Codes<D, T> = Vec<Code<Sessions<<D as Database>::Session>, T>>;

fn connected<D: Database, T>(
    actors: Vec<SessionCode<T>>,
    db: &mut D,
) -> Result<Codes<D, T>, SqlError> {
    actors.iter().map(|code| Ok(code.over_session(db.connect()?))).collect()
}

impl<W, P> RealWorld<W, P> for OnDatabase<W, P::Output>
where
    W: Value,
    P: Process<W, Output: Value> + Value,
{
    fn place(&self) -> Place {
        self.stage.as_ref().map_or(Place::Nowhere, |stage| stage.place())
    }

    fn remains(&self, world: &W) -> Remains {
        Remains::Rows((self.tables)(world))
    }

    /// Runs on the sessions of a real database. The server works on them concurrently, so `threads`
    /// makes no difference.
    fn replay(
        &self,
        system: &System<W, P>,
        schedule: &Schedule,
        _threads: Threads,
    ) -> Result<Comparison, CaseError> {
        let (schedule, played) = run_on(system, schedule)?;
        let Some(stage) = &self.stage else {
            return Err(ReplayError::Nowhere.into());
        };
        let remains = RealWorld::<W, P>::remains(self, &played.world);
        let simulated = Replayed { trace: played.trace, remains };
        let furniture = (self.tables)(&system.start(schedule.start)?.world);
        let real = stage.replay(&simulated.trace, &furniture, &schedule)?;
        Ok(compared(stage.place(), schedule, simulated, real, None))
    }

    fn can_run_free(&self) -> bool {
        self.free.is_some()
    }

    fn stress(
        &self,
        system: &System<W, P>,
        start: usize,
        rounds: usize,
    ) -> Result<Stress, CaseError> {
        let Some(free) = &self.free else { return Err(ReplayError::Nowhere.into()) };
        let tables = (self.tables)(&system.start(start)?.world);
        free.stress(system, &tables, start, rounds)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::case::{Case, Method};
    use crate::check::{GraphOptions, Trace};
    use crate::db::{Column, Failure, Isolation, Row, SimSession, Table, Update, Way, row};
    use crate::handlers::{Next, transact};
    use crate::recorded::recorded_step;

    static ACCOUNTS: Table = Table {
        name: "accounts",
        columns: &[Column::int("id"), Column::int("balance")],
        unique: Some("id"),
    };

    type Adder = SessionCode<Result<&'static str, Failure>>;

    /// Adds one to both accounts, in this order.
    fn adder(order: [i64; 2], way: Way) -> Adder {
        Code::session(SimSession::new(), move |db, session| {
            transact(db, session, way, |tx| {
                for account in order {
                    tx.ask(Update::new(&ACCOUNTS).add("balance", 1).filter("id", account))?;
                }
                Ok(Next::Commit("added"))
            })
        })
    }

    fn accounts(balance: i64) -> [Row; 2] {
        [1, 2].map(|id| row([id.into(), balance.into()]))
    }

    fn system(way: Way) -> System<SimDb, Adder> {
        System::new(SimDb::new().with_table(&ACCOUNTS, accounts(0)))
            .described_by(recorded_step)
            .breaks_deadlocks(SimDb::patient)
            .waits_for(|db, waiting: &Adder, other| waiting.held().wait_for(other.held(), db))
            .finally("both-added", |state| {
                let both = |told: &Result<_, Failure>| told.is_ok();
                state.outputs().filter(|told| both(told)).count() == 2
            })
            .actor("there", adder([1, 2], way))
            .actor("back", adder([2, 1], way))
    }

    /// Each interleaving, on the real database beside the simulated one; how many there were.
    fn all_replayed(case: &DbCase<SimDb, Adder>) -> Option<usize> {
        let mut schedules = Vec::new();
        case.interleavings(&mut |schedule| {
            schedules.push(schedule.clone());
            true
        });
        for schedule in &schedules {
            let compared = match case.replay(schedule, Threads::OneEach) {
                // Said loudly: what was left out was not seen to work.
                Err(error) if error.is_not_here() => {
                    let _ = writeln!(std::io::stderr(), "SKIPPED: a replay: {error}");
                    return None;
                }
                compared => compared.unwrap(),
            };
            assert!(compared.agrees(), "{schedule}\n{}\n{compared:?}", compared.real.trace);
        }
        Some(schedules.len())
    }

    #[test]
    fn a_deadlock_that_the_simulation_breaks_postgresql_breaks_alike() {
        let way = Way::within(Isolation::ReadCommitted);
        let case = DbCase::direct_on_postgres(system(way));
        let report = case.check(&Method::Graph(GraphOptions::default()));
        let broken = report.finding("both-added").unwrap().verdict.schedule().unwrap().clone();
        let trace = case.play(&broken).unwrap();
        let waits: Vec<_> = trace.steps.iter().filter_map(|step| step.waits_for.clone()).collect();
        assert_eq!(waits, [[0]], "{trace}");
        assert!(trace.to_string().contains("⋯ waits for there"), "{trace}");
        let circle = "-- 40P01 deadlock: there → back → there";
        let told =
            |trace: &Trace| trace.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told(&trace).contains(circle), "{trace}");

        let Some(replayed) = all_replayed(&case) else { return };
        assert!(replayed > 20, "{replayed}");
        let compared = case.replay(&broken, Threads::OneEach).unwrap();
        let real = &compared.real.trace;
        assert!(told(real).contains("-- waits ⋯ waits for there"), "{real}");
        assert!(told(real).contains(circle), "the server says so, too:\n{real}");
        // One of them was undone.
        assert_eq!(
            compared.real.remains,
            Remains::Rows(Tables::new().with(&ACCOUNTS, accounts(1)))
        );
    }

    #[test]
    fn what_needs_no_transaction_is_replayed_on_sqlite() {
        let case = DbCase::direct_on_sqlite(system(Way::AUTOCOMMIT));
        assert_eq!(case.place(), Place::Sqlite);
        assert_eq!(all_replayed(&case), Some(6));
        let compared = case.replay(&Schedule::from_start(0, vec![]), Threads::One).unwrap();
        assert_eq!(
            compared.real.remains,
            Remains::Rows(Tables::new().with(&ACCOUNTS, accounts(2)))
        );
        assert_eq!(
            compared.real.trace.steps[0].label,
            "UPDATE accounts SET balance = balance + 1 WHERE id = 1 -- 1 row"
        );
    }

    #[test]
    fn without_a_real_database_it_happens_in_the_simulation_alone() {
        let case = DbCase::new(system(Way::AUTOCOMMIT), |_| Tables::new());
        assert_eq!(case.place(), Place::Nowhere);
        let error = case.replay(&Schedule::from_start(0, vec![]), Threads::One).unwrap_err();
        assert!(matches!(error, CaseError::Replay(ReplayError::Nowhere)), "{error}");
    }
}
