//! Cancels, keys and transfers per second, on SQLite and on PostgreSQL: the shipping handlers beside
//! the same statements written by hand, and every variant that keeps its promises under 1 to 16
//! concurrent callers.
//!
//! Both databases are spared the disk, which would measure itself: SQLite's file (in WAL mode, without
//! syncs) is in memory where the system has a place for that, and the PostgreSQL server is a throw-away
//! one with `fsync` off, which looks for deadlocks after a millisecond already. Where there is none it is
//! left out, loudly.
//!
//! Each concurrent caller has a session of its own, kept open. What a variant answers with 500 because
//! its retries ran out is asked again, as a client would, and that costs time, too. Who waits for
//! SQLite's lock sleeps inside of it, longer each time.

mod crowd;

use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use postgres::{Client, NoTls};
use rusqlite::Connection;
use toctou::db::{
    Cluster, Database, Pooling, PostgresDb, Reply, Row, Service, SqlError, SqlState, SqliteDb,
    SqliteOptions, Statement, Synchronous, Table, Update, row,
};
use toctou::handlers::{
    ACCOUNTS, API_KEYS, Accounts, ApiKeys, Ended, Issued, ORDERS, Orders, PENDING, Transferred,
};
use toctou::models::api_key::{self, Status};
use toctou::models::order::{self, VERSIONED_ORDERS};
use toctou::models::transfer::{self, Payment};

const CALLERS: [usize; 5] = [1, 2, 4, 8, 16];
const MOST_CALLERS: usize = 16;
/// What each caller asks for in a round.
const EACH: usize = 16;
/// Requests timed in one go, where there is one caller.
const BATCH: usize = 64;
/// So few that callers get in each other's way.
const FEW_ACCOUNTS: i64 = 4;
/// Those of the model's customers: `select-for-update` locks these, and knows no others.
const CUSTOMERS: i64 = 2;
/// Enough for all that any benchmark moves.
const BALANCE: i64 = 1_000_000_000_000;

/// What callers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Cancel,
    Issue,
    Transfer,
}

impl Task {
    const ALL: [Task; 3] = [Task::Cancel, Task::Issue, Task::Transfer];

    fn name(self) -> &'static str {
        match self {
            Task::Cancel => "cancel",
            Task::Issue => "issue",
            Task::Transfer => "transfer",
        }
    }

    /// The variants that break no property where nobody else acts, at a level at which they do not, the
    /// one that ships first. (Those with a retry loop only give up at times, and are asked again; those
    /// that differ from one of them in having no such loop are not measured.)
    fn variants(self) -> &'static [&'static str] {
        match self {
            Task::Cancel => &[
                "conditional-update",
                "version-column",
                "select-for-update",
                "process-mutex",
                "serializable-retry",
            ],
            Task::Issue => &[
                "on-conflict-returning",
                "insert-decides",
                "select-for-update",
                "select-then-insert",
            ],
            Task::Transfer => &[
                "ordered",
                "select-for-update",
                "conditional-retry",
                "snapshot-retry",
                "serializable-retry",
            ],
        }
    }
}

/// A real database, as far as these benchmarks look into it.
trait Real: Database<Session: Send> + Clone + Send + Sync {
    fn fill(&self, table: &'static Table, rows: impl IntoIterator<Item = Row>);
    fn rows(&self, table: &'static Table) -> Vec<Row>;
}

impl Real for SqliteDb {
    fn fill(&self, table: &'static Table, rows: impl IntoIterator<Item = Row>) {
        SqliteDb::fill(self, table, rows).expect("there is room");
    }

    fn rows(&self, table: &'static Table) -> Vec<Row> {
        SqliteDb::rows(self, table).expect("the table is there")
    }
}

impl Real for PostgresDb {
    fn fill(&self, table: &'static Table, rows: impl IntoIterator<Item = Row>) {
        PostgresDb::fill(self, table, rows).expect("the server answers");
    }

    fn rows(&self, table: &'static Table) -> Vec<Row> {
        PostgresDb::rows(self, table).expect("the table is there")
    }
}

/// The statements written by hand, prepared once in a connection of their own; each answers how long
/// they took.
trait ByHand {
    fn cancel(&mut self, orders: &[i64]) -> Duration;
    fn issue(&mut self, keys: &[(i64, String)]) -> Duration;
    fn transfer(&mut self, payments: &[Payment]) -> Duration;
}

const CANCEL: &str = "UPDATE orders SET status = $1 WHERE id = $2 AND status = $3";
const ISSUE: &str = "INSERT INTO api_keys (user_id, key) VALUES ($1, $2) \
                     ON CONFLICT (user_id) DO NOTHING RETURNING key";
const DEBIT: &str = "UPDATE accounts SET balance = balance - $1 WHERE id = $2 AND balance >= $1";
const CREDIT: &str = "UPDATE accounts SET balance = balance + $1 WHERE id = $2 AND balance <= $3";

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

impl ByHand for Connection {
    fn cancel(&mut self, orders: &[i64]) -> Duration {
        let mut cancel = self.prepare_cached(CANCEL).expect("it is SQL");
        timed(|| {
            for id in orders {
                let count = cancel.execute(("cancelled", id, PENDING)).expect("nobody else writes");
                assert_eq!(count, 1);
            }
        })
    }

    fn issue(&mut self, keys: &[(i64, String)]) -> Duration {
        let mut issue = self.prepare_cached(ISSUE).expect("it is SQL");
        timed(|| {
            for (user, key) in keys {
                let stored = issue.query_row((user, key), |row| row.get::<_, String>(0));
                assert_eq!(stored.as_ref(), Ok(key));
            }
        })
    }

    fn transfer(&mut self, payments: &[Payment]) -> Duration {
        let [mut begin, mut commit, mut debit, mut credit] =
            ["BEGIN IMMEDIATE", "COMMIT", DEBIT, CREDIT]
                .map(|text| self.prepare_cached(text).expect("it is SQL"));
        timed(|| {
            for Payment { from, to, amount } in payments {
                begin.execute(()).expect("nobody else writes");
                let mut debit = || debit.execute((amount, from));
                let mut credit = || credit.execute((amount, to, i64::MAX - amount));
                let counts = if from < to { [debit(), credit()] } else { [credit(), debit()] };
                assert_eq!(counts, [Ok(1), Ok(1)]);
                commit.execute(()).expect("nobody else writes");
            }
        })
    }
}

/// A client and its prepared statements. (One that is prepared anew is planned anew for the first times.)
struct Prepared {
    client: Client,
    cancel: postgres::Statement,
    issue: postgres::Statement,
    debit: postgres::Statement,
    credit: postgres::Statement,
}

impl Prepared {
    fn new(mut client: Client) -> Self {
        let [cancel, issue, debit, credit] =
            [CANCEL, ISSUE, DEBIT, CREDIT].map(|text| client.prepare(text).expect("it is SQL"));
        Prepared { client, cancel, issue, debit, credit }
    }
}

impl ByHand for Prepared {
    fn cancel(&mut self, orders: &[i64]) -> Duration {
        let Prepared { client, cancel, .. } = self;
        timed(|| {
            for id in orders {
                let count = client.execute(cancel, &[&"cancelled", id, &PENDING]);
                assert_eq!(count.expect("the server answers"), 1);
            }
        })
    }

    fn issue(&mut self, keys: &[(i64, String)]) -> Duration {
        let Prepared { client, issue, .. } = self;
        timed(|| {
            for (user, key) in keys {
                let row = client.query_one(issue, &[user, key]).expect("the server answers");
                assert_eq!(row.get::<_, &str>(0), key);
            }
        })
    }

    fn transfer(&mut self, payments: &[Payment]) -> Duration {
        let Prepared { client, debit, credit, .. } = self;
        timed(|| {
            for Payment { from, to, amount } in payments {
                let mut ask = || {
                    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")?;
                    for account in [from.min(to), from.max(to)] {
                        let count = match account == from {
                            true => client.execute(debit, &[amount, from])?,
                            false => client.execute(credit, &[amount, to, &(i64::MAX - amount)])?,
                        };
                        assert_eq!(count, 1);
                    }
                    client.batch_execute("COMMIT")
                };
                ask().expect("the server answers");
            }
        })
    }
}

/// A database with all that is needed to ask it either way.
struct Place<D: Database> {
    name: &'static str,
    db: D,
    /// A session for each caller.
    seats: Vec<Mutex<D::Session>>,
    /// The mutex of the server process that the callers would be threads of.
    mutex: Mutex<()>,
    /// Nobody has a key from this user on.
    fresh: AtomicI64,
    by_hand: Mutex<Box<dyn ByHand + Send>>,
    /// Where the file is.
    _directory: Option<tempfile::TempDir>,
}

/// One for each caller, and some for looking.
const POOLING: Pooling =
    Pooling { sessions: MOST_CALLERS as u32 + 4, patience: Duration::from_secs(30) };

const TABLES: [&Table; 3] = [&API_KEYS, &VERSIONED_ORDERS, &ACCOUNTS];

fn sqlite() -> Place<SqliteDb> {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let directory = directory.expect("a temporary directory");
    let path = directory.path().join("db");
    let options = SqliteOptions {
        synchronous: Synchronous::Off,
        busy_timeout: Duration::from_secs(30),
        pooling: POOLING,
        ..SqliteOptions::default()
    };
    let db = SqliteDb::open_with(&path, options).expect("a directory of our own");
    db.create(&TABLES).expect("there is room");
    let by_hand = Connection::open(&path).expect("it was just made");
    by_hand.pragma_update(None, "synchronous", "OFF").expect("SQLite knows it");
    Place { _directory: Some(directory), ..Place::new("SQLite", db, by_hand) }
}

/// None where there is no server, which is said.
fn postgres() -> Option<Place<PostgresDb>> {
    static SCHEMAS: AtomicI64 = AtomicI64::new(0);
    let cluster = Cluster::shared()
        .map_err(|error| eprintln!("\nSKIPPED: everything on PostgreSQL: {error}\n"))
        .ok()?;
    let schema = format!("bench{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
    let mut client = Client::connect(&cluster.url(), NoTls).expect("the server answers");
    let make = format!("CREATE SCHEMA {schema}; SET search_path = {schema}");
    client.batch_execute(&make).expect("the server answers");
    let url = format!("{} options='-c search_path={schema}'", cluster.url());
    let db = PostgresDb::pooled(&url, POOLING).expect("the server answers");
    db.create(&TABLES).expect("the server answers");
    Some(Place::new("PostgreSQL", db, Prepared::new(client)))
}

impl<D: Real> Place<D> {
    fn new(name: &'static str, db: D, by_hand: impl ByHand + Send + 'static) -> Self {
        let ids = 1..=(MOST_CALLERS * EACH).max(BATCH) as i64;
        db.fill(&VERSIONED_ORDERS, ids.map(|id| row([id.into(), PENDING.into(), 0.into()])));
        db.fill(&ACCOUNTS, (1..=FEW_ACCOUNTS).map(|id| row([id.into(), BALANCE.into()])));
        let seat = |_| Mutex::new(db.clone().connect().expect("the pool is large enough"));
        let seats = (0..MOST_CALLERS).map(seat).collect();
        let by_hand: Mutex<Box<dyn ByHand + Send>> = Mutex::new(Box::new(by_hand));
        let (mutex, fresh) = (Mutex::new(()), AtomicI64::new(1));
        Place { name, db, seats, mutex, fresh, by_hand, _directory: None }
    }

    /// Has all orders pending, and so many users without a key; the first of what is asked for.
    fn prepare(&self, task: Task) {
        match task {
            Task::Cancel => {
                let mut db = self.db.clone();
                let mut session = db.connect().expect("the pool is large enough");
                let all: Statement = Update::new(&ORDERS).set("status", PENDING).into();
                assert!(matches!(db.execute(&mut session, &all), Reply::Answer(Ok(_))));
            }
            Task::Issue => {
                let most = (MOST_CALLERS * EACH).max(BATCH) as i64;
                self.fresh.fetch_add(most, Ordering::Relaxed);
            }
            Task::Transfer => {}
        }
    }

    /// The order, or the user, of this number in a round.
    fn id(&self, task: Task, number: usize) -> i64 {
        match task {
            Task::Issue => self.fresh.load(Ordering::Relaxed) + number as i64,
            _ => 1 + number as i64,
        }
    }

    /// Whether so many orders were cancelled since, and no money has come or gone.
    fn check(&self, task: Task, winners: usize) {
        match task {
            Task::Cancel => {
                let rows = self.db.rows(&ORDERS);
                let status = |row: &Row| row.get(1).and_then(|value| value.text()) != Some(PENDING);
                assert_eq!(rows.iter().filter(|row| status(row)).count(), winners);
            }
            Task::Issue => {}
            Task::Transfer => {
                let rows = self.db.rows(&ACCOUNTS);
                let balances = rows.iter().filter_map(|row| row.get(1)?.int());
                assert_eq!(balances.sum::<i64>(), FEW_ACCOUNTS * BALANCE);
            }
        }
    }

    fn forget_keys(&self) {
        self.db.fill(&API_KEYS, []);
    }
}

/// Payments go round so many accounts; every other caller's against the others'.
fn payment(accounts: i64, caller: usize, number: usize) -> Payment {
    let from = (caller + number) as i64 % accounts;
    let to = (from + if caller.is_multiple_of(2) { 1 } else { accounts - 1 }) % accounts;
    Payment { from: 1 + from, to: 1 + to, amount: 1 }
}

/// One of several callers: its session, which stays open from one request to the next, and the mutex
/// that its server has. It is the thread that waits for that.
struct Caller<'a, D: Database> {
    db: D,
    session: MutexGuard<'a, D::Session>,
    mutex: &'a Mutex<()>,
    guard: Option<MutexGuard<'a, ()>>,
}

impl<D: Database> Database for Caller<'_, D> {
    type Session = ();

    fn connect(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    fn execute(&mut self, (): &mut (), statement: &Statement) -> Reply {
        self.db.execute(&mut self.session, statement)
    }

    fn disconnect(&mut self, (): ()) {}
}

impl<D: Database> Service for Caller<'_, D> {
    fn try_lock(&mut self, _: usize) -> bool {
        self.guard = Some(self.mutex.lock().unwrap_or_else(PoisonError::into_inner));
        true
    }

    fn unlock(&mut self, _: usize) {
        self.guard = None;
    }

    fn try_poll(&mut self, _: usize) -> bool {
        true
    }

    fn suspend(&mut self, _: usize) {}

    fn kill(&mut self, _: usize) {}

    fn is_dead(&self, _: usize) -> bool {
        false
    }
}

/// Callers that are let go together, round after round, with one variant.
struct Crowd<'a, D: Database> {
    place: &'a Place<D>,
    task: Task,
    variant: &'static str,
    callers: usize,
    /// Whether everybody wants the same, or each has orders and users of its own.
    all_want_all: bool,
}

impl<D: Real> Crowd<'_, D> {
    fn rounds(&self, rounds: u64) -> Duration {
        let Crowd { place, task, callers, .. } = *self;
        let winners = match task {
            Task::Cancel | Task::Issue if self.all_want_all => EACH,
            _ => callers * EACH,
        };
        place.forget_keys();
        let work = |caller: usize| {
            let mut database = Caller {
                db: place.db.clone(),
                session: place.seats[caller].lock().unwrap_or_else(PoisonError::into_inner),
                mutex: &place.mutex,
                guard: None,
            };
            let asks = |number: &usize| self.wins(&mut database, caller, *number);
            (0..EACH).filter(asks).count()
        };
        let check = |won| {
            assert_eq!(won, winners, "{task:?}, {}: one winner each", self.variant);
            place.check(task, winners);
        };
        let took = crowd::rounds(callers, rounds, || place.prepare(task), work, check);
        if task == Task::Issue {
            let keys = place.db.rows(&API_KEYS).len() as u64;
            assert_eq!(keys, winners as u64 * rounds, "a key a user");
        }
        took
    }

    /// Asks until there is an answer; whether it is that this request did it.
    fn wins(&self, database: &mut Caller<'_, D>, caller: usize, number: usize) -> bool {
        let mine = if self.all_want_all { number } else { caller * EACH + number };
        let id = self.place.id(self.task, mine);
        loop {
            let state = match self.task {
                Task::Cancel => {
                    let told = order::cancel(database, &mut (), self.variant, id);
                    match told.expect("a known variant") {
                        order::Told::Cancelled => return true,
                        order::Told::NotPending(_) => return false,
                        order::Told::Failed(state) => state,
                        told => panic!("{told:?}"),
                    }
                }
                Task::Issue => {
                    let scenario = match self.variant {
                        "select-for-update" | "select-then-insert" => "unique-serializable-retry",
                        _ => "unique-autocommit",
                    };
                    let key = format!("key-{caller}-{id}");
                    let which = (self.variant, scenario);
                    let told = api_key::handle(database, &mut (), which, id, &key);
                    match told.expect("a known variant").status {
                        Status::Created(_) => return true,
                        Status::Has(_) | Status::Conflict => return false,
                        Status::ServerError(state) => state,
                    }
                }
                Task::Transfer => {
                    let accounts = match self.variant {
                        "select-for-update" => CUSTOMERS,
                        _ => FEW_ACCOUNTS,
                    };
                    let payment = payment(accounts, caller, number);
                    let told = transfer::pay(database, &mut (), self.variant, payment);
                    match told.expect("a known variant") {
                        transfer::Told::Paid(_) => return true,
                        transfer::Told::Failed(state) => state,
                        told => panic!("{told:?}"),
                    }
                }
            };
            let crowded = state.is_worth_a_retry() || state == SqlState::LOCK_NOT_AVAILABLE;
            assert!(crowded, "{:?}, {}: {state}", self.task, self.variant);
        }
    }
}

/// Requests per second under so many callers, for each variant of a task.
fn crowds<D: Real>(
    criterion: &mut Criterion,
    place: &Place<D>,
    task: Task,
    wanted: &str,
    all_want_all: bool,
) {
    let mut group = criterion.benchmark_group(format!("{}, {wanted}/{}", task.name(), place.name));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(20)).measurement_time(Duration::from_millis(200));
    for variant in task.variants() {
        for callers in CALLERS {
            let crowd = Crowd { place, task, variant, callers, all_want_all };
            group.throughput(Throughput::Elements((callers * EACH) as u64));
            group.bench_function(BenchmarkId::new(*variant, callers), |bencher| {
                bencher.iter_custom(|count| crowd.rounds(count));
            });
        }
    }
    group.finish();
}

fn callers_of<D: Real>(criterion: &mut Criterion, place: &Place<D>) {
    crowds(criterion, place, Task::Cancel, "own orders", false);
    crowds(criterion, place, Task::Cancel, "same orders", true);
    crowds(criterion, place, Task::Issue, "own users", false);
    crowds(criterion, place, Task::Issue, "same users", true);
    crowds(criterion, place, Task::Transfer, "few accounts", true);
}

fn callers(criterion: &mut Criterion) {
    callers_of(criterion, &sqlite());
    if let Some(place) = postgres() {
        callers_of(criterion, &place);
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The statements alone, prepared, in one connection; a key is there ready made.
    Bare,
    /// The shipping handler, each call with a session from the pool.
    Library,
}

impl By {
    const BOTH: [By; 2] = [By::Bare, By::Library];

    fn name(self) -> &'static str {
        match self {
            By::Bare => "bare",
            By::Library => "library",
        }
    }
}

/// A batch of requests, one after the other; the time that they took.
fn batch<D: Real>(place: &Place<D>, task: Task, by: By) -> Duration {
    place.prepare(task);
    let ids: Vec<_> = (0..BATCH).map(|number| place.id(task, number)).collect();
    let payments: Vec<_> =
        (0..BATCH).map(|number| payment(FEW_ACCOUNTS, number % 2, number)).collect();
    let mut by_hand = place.by_hand.lock().unwrap_or_else(PoisonError::into_inner);
    let took = match (by, task) {
        (By::Bare, Task::Cancel) => by_hand.cancel(&ids),
        (By::Bare, Task::Issue) => {
            // As long as those that the handler makes.
            let keys: Vec<_> = ids.iter().map(|user| (*user, format!("{user:064x}"))).collect();
            by_hand.issue(&keys)
        }
        (By::Bare, Task::Transfer) => by_hand.transfer(&payments),
        (By::Library, Task::Cancel) => {
            let orders = Orders::new(place.db.clone());
            timed(|| ids.iter().for_each(|id| assert_eq!(orders.cancel(*id), Ok(Ended::ByThis))))
        }
        (By::Library, Task::Issue) => {
            let keys = ApiKeys::new(place.db.clone());
            timed(|| {
                for user in &ids {
                    let issued = black_box(keys.issue(*user));
                    assert!(matches!(issued, Ok(Issued::Created(_))));
                }
            })
        }
        (By::Library, Task::Transfer) => {
            let accounts = Accounts::new(place.db.clone());
            timed(|| {
                for Payment { from, to, amount } in &payments {
                    assert_eq!(accounts.transfer(*from, *to, *amount), Ok(Transferred::Done));
                }
            })
        }
    };
    place.check(task, BATCH);
    took
}

/// One request after the other: the handlers and the bare statements take turns in one database, so
/// that what the machine does meanwhile falls on both.
fn overhead_of<D: Real>(criterion: &mut Criterion, place: &Place<D>) {
    let mut group = criterion.benchmark_group(format!("overhead/{}", place.name));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(300));
    group.throughput(Throughput::Elements(BATCH as u64));
    for task in Task::ALL {
        place.forget_keys();
        for by in By::BOTH {
            group.bench_function(BenchmarkId::new(by.name(), task.name()), |bencher| {
                bencher.iter_custom(|count| (0..count).map(|_| batch(place, task, by)).sum());
            });
        }
        print_overhead(place, task);
    }
    group.finish();
}

/// Prints how much more the handler takes: the median over many pairs of batches run next to one
/// another.
fn print_overhead<D: Real>(place: &Place<D>, task: Task) {
    const PAIRS: usize = 50;
    let mut ratios = Vec::with_capacity(PAIRS);
    let mut all = [Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS)];
    for pair in 0..PAIRS {
        // Who goes first takes turns, too.
        let mut took = [Duration::ZERO; 2];
        for by in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
            took[by] = batch(place, task, By::BOTH[by]);
            all[by].push(took[by].as_secs_f64() * 1e6 / BATCH as f64);
        }
        ratios.push(took[1].as_secs_f64() / took[0].as_secs_f64());
    }
    let [bare, library] = &mut all;
    println!(
        "overhead/{}/{}: bare {:.1} µs, library {:.1} µs a request; median of {PAIRS} ratios {:.2}",
        place.name,
        task.name(),
        median(bare),
        median(library),
        median(&mut ratios),
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn overhead(criterion: &mut Criterion) {
    overhead_of(criterion, &sqlite());
    if let Some(place) = postgres() {
        overhead_of(criterion, &place);
    }
}

criterion_group!(benches, overhead, callers);
criterion_main!(benches);
