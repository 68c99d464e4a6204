//! Drives a program's sessions in one world, or in two that have to answer alike.

use std::collections::VecDeque;

use toctou::db::{Answer, Database, Isolation, Reply, Row, SimDb, SimSession, Statement, Table};

use super::advisory;
use super::generate::{Program, Turn};
use super::oracle::Transaction;
use super::server::conflicts_are_reads;
use super::tally::Tally;
use super::text;

/// A database with some sessions, seen from outside.
pub(crate) trait World {
    /// Sends a statement in this session, or asks again after the one that waits. Of several rows, all
    /// are taken at once.
    fn execute(&mut self, who: usize, statement: &Statement) -> Reply;

    /// The same, but of several rows only the next one is taken: one of those that may be it, by this
    /// number.
    fn step(&mut self, who: usize, statement: &Statement, _next: usize) -> Reply {
        self.execute(who, statement)
    }

    /// In which orders rows are taken, where this world may take them in several.
    fn orders(&mut self) -> Option<&mut Orders> {
        None
    }

    /// For whom this session's statement waits, sorted; nobody if it does not wait, or no longer.
    fn waits_for(&mut self, who: usize) -> Vec<usize>;

    /// Ends this session, whatever it is doing, and opens another one in its place.
    fn hang_up(&mut self, who: usize);

    /// The committed rows, sorted.
    fn rows(&mut self, table: &'static Table) -> Vec<Row>;
}

/// Which of the rows that may be next is taken, each time that there are several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// What is still to be chosen so; the first row once that is over.
    script: VecDeque<usize>,
    /// What was chosen, and of how many.
    trail: Vec<(usize, usize)>,
}

impl Orders {
    fn choose(&mut self, count: usize) -> usize {
        let chosen = self.script.pop_front().unwrap_or(0);
        self.trail.push((chosen, count));
        chosen
    }

    /// What to choose the next time, so that each order comes once.
    fn following(mut self) -> Option<Orders> {
        while let Some((chosen, count)) = self.trail.pop() {
            if chosen + 1 < count {
                let before = self.trail.iter().map(|(chosen, _)| *chosen);
                let script = before.chain([chosen + 1]).collect();
                return Some(Orders { script, trail: Vec::new() });
            }
        }
        None
    }
}

/// What comes of a statement, in each order in which its rows may be taken.
pub(crate) fn outcomes<W: World + Clone + PartialEq>(
    world: &W,
    who: usize,
    statement: &Statement,
) -> Vec<(W, Reply)> {
    let mut all: Vec<(W, Reply)> = Vec::new();
    let mut next = Some(Orders::default());
    while let Some(orders) = next {
        let mut world = world.clone();
        if let Some(its) = world.orders() {
            *its = orders;
        }
        let reply = world.execute(who, statement);
        next = world.orders().and_then(|orders| std::mem::take(orders).following());
        let outcome = (world, reply);
        if !all.contains(&outcome) {
            all.push(outcome);
        }
    }
    all
}

/// A simulated database with sessions.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) db: SimDb,
    pub(crate) sessions: Vec<SimSession>,
    orders: Orders,
}

impl Run {
    /// As the server is, if there is one.
    pub(crate) fn new(program: &Program) -> Self {
        Self::counting(program, conflicts_are_reads())
    }

    /// One in which a conflict that nothing comes of counts as a read, or does not.
    pub(crate) fn counting(program: &Program, conflicts_are_reads: bool) -> Self {
        let db = text::simulated(&program.rows).unwrap_or_else(|| {
            let tables = program.rows.iter();
            tables.fold(SimDb::new(), |db, (table, rows)| db.with_table(table, rows.clone()))
        });
        Self::on(db.with_conflicts_as_reads(conflicts_are_reads), program)
    }

    /// On this database.
    pub(crate) fn on(db: SimDb, program: &Program) -> Self {
        let sessions = vec![SimSession::new(); program.sessions.len()];
        Run { db, sessions, orders: Orders::default() }
    }

    fn one(&mut self, who: usize, statement: &Statement) -> Reply {
        let before = self.db.is_waiting(&self.sessions[who]).then(|| self.db.clone());
        let reply = self.db.execute(&mut self.sessions[who], statement);
        assert_eq!(reply == Reply::Waiting, before.is_some(), "{statement}");
        assert!(before.is_none_or(|before| before == self.db), "who waits changes nothing");
        reply
    }
}

impl World for Run {
    fn execute(&mut self, who: usize, statement: &Statement) -> Reply {
        loop {
            match self.one(who, statement) {
                Reply::Underway(underway) if underway.next > 1 => {
                    let which = self.orders.choose(underway.next);
                    self.sessions[who].takes_next(which);
                }
                Reply::Underway(_) => {}
                reply => return reply,
            }
        }
    }

    fn step(&mut self, who: usize, statement: &Statement, next: usize) -> Reply {
        let reply = self.one(who, statement);
        if let Reply::Underway(underway) = &reply {
            self.sessions[who].takes_next(next % underway.next);
        }
        reply
    }

    fn orders(&mut self) -> Option<&mut Orders> {
        Some(&mut self.orders)
    }

    fn waits_for(&mut self, who: usize) -> Vec<usize> {
        let session = &self.sessions[who];
        let others = self.sessions.iter().enumerate();
        let others = others.filter(|(_, other)| self.db.waits_for(session, other));
        others.map(|(other, _)| other).collect()
    }

    fn hang_up(&mut self, who: usize) {
        self.db.disconnect(std::mem::take(&mut self.sessions[who]));
    }

    fn rows(&mut self, table: &'static Table) -> Vec<Row> {
        self.db.rows(table)
    }
}

/// What happens next in a program.
pub(crate) enum Event {
    /// A session asks this, or asks again.
    Asks(usize, Statement),
    /// A session that has done something hangs up.
    HangsUp(usize),
}

/// How far a program has come.
pub(crate) struct Play<'p> {
    program: &'p Program,
    turn: usize,
    places: Vec<Place<'p>>,
    /// The sessions still to be asked once the schedule is over.
    last: VecDeque<usize>,
    /// How many of them in a row could not go on.
    stuck: usize,
    /// The transactions that committed, in the order of their commits.
    pub(crate) committed: Vec<Transaction>,
    /// What was asked and answered.
    pub(crate) story: Vec<String>,
}

/// Where a session stands.
struct Place<'p> {
    next: std::slice::Iter<'p, Statement>,
    waiting: Option<Statement>,
    /// Of its transaction, while one is open.
    level: Option<Isolation>,
    /// What its transaction has done.
    done: Transaction,
}

impl<'p> Play<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        let places = program.sessions.iter().map(|statements| Place {
            next: statements.iter(),
            waiting: None,
            level: None,
            done: Transaction::new(),
        });
        Play {
            program,
            turn: 0,
            places: places.collect(),
            last: (0..program.sessions.len()).collect(),
            stuck: 0,
            committed: Vec::new(),
            story: Vec::new(),
        }
    }

    /// Who acts next, and how. After the schedule nobody begins anything: who waits is asked again,
    /// who has a transaction open rolls it back.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, String> {
        while let Some(turn) = self.program.schedule.get(self.turn).copied() {
            self.turn += 1;
            match turn {
                Turn::Acts(who) => {
                    let place = &mut self.places[who];
                    let statement = place.waiting.clone().or_else(|| place.next.next().cloned());
                    if let Some(statement) = statement {
                        return Ok(Some(Event::Asks(who, statement)));
                    }
                }
                Turn::HangsUp(who) => {
                    let place = &self.places[who];
                    if place.waiting.is_some() || place.level.is_some() {
                        return Ok(Some(Event::HangsUp(who)));
                    }
                }
            }
        }
        while let Some(who) = self.last.front().copied() {
            let place = &self.places[who];
            if let Some(waiting) = &place.waiting {
                if self.stuck == self.last.len() {
                    return Err(format!("nobody goes on any more: {:?}", self.last));
                }
                self.stuck += 1;
                let waiting = waiting.clone();
                self.last.rotate_left(1);
                return Ok(Some(Event::Asks(who, waiting)));
            }
            if place.level.is_some() {
                return Ok(Some(Event::Asks(who, Statement::Rollback)));
            }
            self.last.pop_front();
            // Others may wait for a lock that it would keep.
            if advisory::takes_locks(self.program) {
                let all = Statement::sql("SELECT pg_advisory_unlock_all()", []);
                return Ok(Some(Event::Asks(who, all)));
            }
        }
        Ok(None)
    }

    /// Takes note of what a statement was answered.
    pub(crate) fn replied(&mut self, who: usize, statement: &Statement, reply: &Reply) {
        self.story.push(format!("{who}: {statement} -- {}", told(reply)));
        let place = &mut self.places[who];
        if *reply != Reply::Waiting {
            self.stuck = 0;
        }
        place.waiting = None;
        match reply {
            Reply::Queued | Reply::Waiting | Reply::Underway(_) => {
                place.waiting = Some(statement.clone());
            }
            Reply::Answer(Ok(Answer::Begun)) => {
                if let Statement::Begin(level) = statement {
                    place.level = Some(*level);
                }
            }
            Reply::Answer(Ok(Answer::Committed)) => {
                self.committed.push(std::mem::take(&mut place.done));
                place.level = None;
            }
            Reply::Answer(Ok(Answer::RolledBack)) => {
                place.done.clear();
                place.level = None;
            }
            Reply::Answer(Ok(answer)) if place.level.is_some() => {
                place.done.push((statement.clone(), answer.clone()));
            }
            Reply::Answer(Ok(_)) => {}
            // Failed, it is over all the same.
            Reply::Answer(Err(_)) if *statement == Statement::Commit => {
                place.done.clear();
                place.level = None;
            }
            Reply::Answer(Err(_)) => {}
        }
    }

    /// Takes note that a session's transaction was rolled back after this statement: what was still to
    /// come in it is left out.
    pub(crate) fn gave_up(&mut self, who: usize, last: &Statement, why: &str) {
        self.story.push(format!("{who}: {last} -- {why}; given up"));
        self.end(who, !is_end(last));
    }

    /// Takes note that a session hung up: another one goes on in its place, with what comes after the
    /// transaction that was open.
    pub(crate) fn hung_up(&mut self, who: usize) {
        let what = if self.is_waiting(who) { "while it waits" } else { "in its transaction" };
        self.story.push(format!("{who}: hangs up {what}"));
        self.end(who, self.places[who].level.is_some());
    }

    /// Its transaction is over; what was still to come in it is left out, if anything was.
    fn end(&mut self, who: usize, has_more: bool) {
        self.stuck = 0;
        let place = &mut self.places[who];
        place.waiting = None;
        place.level = None;
        place.done.clear();
        if has_more {
            place.next.find(|statement| is_end(statement));
        }
    }

    /// Whether a session's transaction is serializable.
    pub(crate) fn is_serializable(&self, who: usize) -> bool {
        self.places[who].level == Some(Isolation::Serializable)
    }

    /// Whether a session has a statement that waits, as far as it knows.
    pub(crate) fn is_waiting(&self, who: usize) -> bool {
        self.places[who].waiting.is_some()
    }
}

fn is_end(statement: &Statement) -> bool {
    matches!(statement, Statement::Commit | Statement::Rollback)
}

/// A reply in a word.
pub(crate) fn told(reply: &Reply) -> String {
    match reply {
        Reply::Answer(Ok(answer)) => answer.to_string(),
        Reply::Answer(Err(error)) => format!("{error:?}"),
        Reply::Queued => "queued".to_owned(),
        Reply::Waiting => "waiting".to_owned(),
        Reply::Underway(underway) => underway.to_string(),
    }
}

/// Plays a program in one world, and answers with the transactions that committed.
pub(crate) fn play(
    world: &mut impl World,
    program: &Program,
    tally: &Tally,
) -> Result<Vec<Transaction>, String> {
    let mut play = Play::new(program);
    while let Some(event) = play.next()? {
        match event {
            Event::Asks(who, statement) => {
                let reply = world.step(who, &statement, play.story.len());
                tally.count(&statement, &reply);
                play.replied(who, &statement, &reply);
            }
            Event::HangsUp(who) => {
                world.hang_up(who);
                play.hung_up(who);
            }
        }
    }
    Ok(play.committed)
}
