//! Top floor, the command: the sessions and properties of a file of `sql`, as a system. Imports
//! [`check`](crate::check), [`db`](crate::db), [`direct`](crate::direct) and its neighbours in `sql`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::check;
use super::grammar::{File, Kind, file};
use super::place::{Parses, Wrong};
use super::psql::{Statements, Terminal, Told, filled};
use super::statements::Part;
use crate::calls::untold;
use crate::case::DbCase;
use crate::check::{Property, PropertyKind, State, System};
use crate::db::{
    Answer, Database, Isolation, Reply, SimDb, SimSession, SqlError, SqlState, Statement, Table,
};
use crate::direct::{Code, DirectDb, DirectSession, SessionCode};
use crate::replay::{Scripted, Tables};

pub(super) type Sessions = System<SimDb, SessionCode<Told>>;

/// What a file says, compiled.
#[derive(Debug)]
pub(super) struct Race {
    /// After the setup.
    db: SimDb,
    /// As real databases get it.
    setup: Vec<String>,
    kinds: Vec<Kinds>,
    pub(super) claims: Vec<Claimed>,
    /// What there is to say of the file beside the verdicts.
    pub(super) notes: Vec<String>,
}

/// Sessions that run the same.
#[derive(Debug)]
struct Kinds {
    name: String,
    count: usize,
    /// Whether they are numbered.
    are_several: bool,
    setup: Arc<[Part]>,
    script: Arc<[Part]>,
    statements: Arc<Statements>,
}

/// A property.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub(super) name: String,
    kind: PropertyKind,
    /// Whether it is about a row that is there, or about none.
    row: bool,
    query: String,
    tables: Vec<&'static Table>,
}

/// Of which properties the tables were changed.
#[derive(Clone, Debug)]
pub(super) struct Changed(Arc<[AtomicBool]>);

impl Changed {
    /// Whether the tables of this property have other rows in some state than at the start.
    pub(super) fn has(&self, claim: usize) -> bool {
        self.0.get(claim).is_some_and(|it| it.load(Ordering::Relaxed))
    }
}

impl Race {
    /// Reads a file and compiles all that it says. `clients`: how many of each kind of sessions that there are
    /// several of.
    pub(super) fn of(text: &str, clients: Option<usize>) -> Parses<Race> {
        let file = file(text)?;
        let db = check::database(&file, text)?;
        let mut kinds = Vec::with_capacity(file.sessions.len());
        for session in &file.sessions {
            let statements = Arc::new(check::session(&db, session, text)?);
            let count = session.count.map_or(1, |count| clients.unwrap_or(count));
            kinds.push(Kinds {
                name: session.name.clone(),
                count,
                are_several: session.count.is_some(),
                setup: session.setup.clone().into(),
                script: session.script.clone().into(),
                statements,
            });
        }
        let mut claims: Vec<Claimed> = Vec::with_capacity(file.claims.len());
        for claim in &file.claims {
            let tables = check::claim(&db, claim, text)?;
            let query = filled(&claim.query.pieces, |_| None);
            let (kind, row) = match claim.kind {
                Kind::Never => (PropertyKind::Always, false),
                Kind::Always => (PropertyKind::Always, true),
                Kind::Finally => (PropertyKind::Finally, true),
                Kind::FinallyNever => (PropertyKind::Finally, false),
                Kind::Reachable => (PropertyKind::Reachable, true),
            };
            let mut name = format!("{}: {query}", if row { "a row" } else { "no row" });
            if claims.iter().any(|known| known.name == name) {
                name = format!("{name} ({})", kind.word());
            }
            if claims.iter().any(|known| known.name == name) {
                let said = "this property is claimed twice".to_owned();
                return Err(Wrong { at: claim.query.at, said });
            }
            claims.push(Claimed { name, kind, row, query, tables });
        }
        let setup = file.setup.iter().map(|sql| filled(&sql.pieces, |_| None)).collect();
        let notes = notes(&file, clients);
        Ok(Race { db, setup, kinds, claims, notes })
    }

    /// How many sessions there are.
    pub(super) fn sessions(&self) -> usize {
        self.kinds.iter().map(|kind| kind.count).sum()
    }

    /// Whether the file says itself what is to be reached.
    pub(super) fn says_what_is_reached(&self) -> bool {
        self.claims.iter().any(|claim| claim.kind == PropertyKind::Reachable)
    }

    /// The system at this level, and what will be known of its properties' tables once it was explored.
    pub(super) fn system(&self, level: Isolation) -> Result<(Sessions, Changed), SqlError> {
        let mut db = self.db.clone();
        let mut actors: Vec<(&Kinds, Vec<SessionCode<Told>>)> = Vec::new();
        for kind in &self.kinds {
            // Those that have done nothing yet are all alike.
            let different = if kind.setup.is_empty() { 1 } else { kind.count };
            let codes = (0..different).map(|_| kind.simulated(level, &mut db));
            actors.push((kind, codes.collect::<Result<_, _>>()?));
        }
        let mut system = System::new(db);
        for (kind, codes) in actors {
            system = match &codes[..] {
                [code] if kind.are_several && kind.setup.is_empty() => {
                    system.alike(kind.count, &kind.name, code.clone())
                }
                _ => (1..).zip(codes).fold(system, |system, (number, code)| {
                    let several = format!("{} {number}", kind.name);
                    system.actor(if kind.are_several { &several } else { &kind.name }, code)
                }),
            };
        }
        let changed = Changed(self.claims.iter().map(|_| AtomicBool::new(false)).collect());
        for (number, claim) in self.claims.iter().enumerate() {
            system = system.property(claim.property(number, &self.db, changed.clone()));
        }
        // What a statement may be answered that is performed here as there.
        for code in ["22003", "22012", "22021", "42601"] {
            system = system.expects(code);
        }
        let is_open = self.says_what_is_reached() || self.claims.is_empty();
        let system = system
            .waits_for(|db, one: &SessionCode<Told>, other| one.held().wait_for(other.held(), db))
            .breaks_deadlocks(SimDb::patient)
            .described_by(crate::recorded::recorded_step)
            .ends_well(move |told: &Told| is_open || told.is_well());
        Ok((system, changed))
    }

    /// The system with a real database beside it.
    pub(super) fn case(
        &self,
        level: Isolation,
        url: Option<&str>,
    ) -> Result<DbCase<SimDb, SessionCode<Told>>, SqlError> {
        let (system, _) = self.system(level)?;
        let programs: Vec<Program> = self
            .kinds
            .iter()
            .flat_map(|kind| std::iter::repeat_n(kind, kind.count))
            .map(|kind| Program {
                setup: Arc::clone(&kind.setup),
                script: Arc::clone(&kind.script),
                terminal: Terminal::new(level, Arc::clone(&kind.statements)),
            })
            .collect();
        let actors = move |_: usize, db: &mut crate::db::SteppedDb| {
            let sessions = programs.iter().map(|program| {
                let mut session = db.connect()?;
                let mut terminal = program.terminal.clone();
                terminal.performs(&program.setup, &mut |it| db.answer(&mut session, it));
                Ok(Code::session(session, going_on(Arc::clone(&program.script), terminal)))
            });
            sessions.collect::<Result<Vec<_>, SqlError>>()
        };
        let stage = Scripted {
            setup: self.setup.clone(),
            url: url.map(str::to_owned),
            world: Box::new(|_, db| Ok(db)),
            actors: Box::new(actors),
        };
        Ok(DbCase::new(system, Tables::of).staged(stage))
    }

    /// Whether a statement names a schema: a real database would look there, and not in the one that is made.
    pub(super) fn names_a_schema(&self) -> bool {
        let names = |sql: &str| {
            let sql = sql.to_ascii_lowercase();
            sql.contains("public.") || sql.contains("public\".")
        };
        let in_parts = |parts: &[Part]| names(&format!("{parts:?}").replace("\\\"", "\""));
        self.setup.iter().any(|sql| names(sql))
            || self.kinds.iter().any(|kind| in_parts(&kind.setup) || in_parts(&kind.script))
    }
}

/// A session of a real database.
struct Program {
    setup: Arc<[Part]>,
    script: Arc<[Part]>,
    terminal: Terminal,
}

impl Kinds {
    /// One of them, after its setup.
    fn simulated(&self, level: Isolation, db: &mut SimDb) -> Result<SessionCode<Told>, SqlError> {
        let mut terminal = Terminal::new(level, Arc::clone(&self.statements));
        let mut session = SimSession::new();
        let mut waits = false;
        terminal.performs(&self.setup, &mut |statement| {
            let answer = untold(|| alone(db, &mut session, statement));
            waits |= answer.is_none();
            answer.unwrap_or_else(|| Err(SqlState::LOCK_NOT_AVAILABLE.into()))
        });
        if waits {
            let said = format!("the setup of session `{}` waits for another session", self.name);
            return Err(SqlError::new(SqlState::LOCK_NOT_AVAILABLE, &said));
        }
        Ok(Code::session(session, going_on(Arc::clone(&self.script), terminal)))
    }
}

/// The answer to a statement while nobody else does anything; none if it waits. In which order it takes its rows
/// makes no difference.
fn alone(
    db: &mut SimDb,
    session: &mut SimSession,
    statement: &Statement,
) -> Option<Result<Answer, SqlError>> {
    loop {
        match db.execute(session, statement) {
            Reply::Answer(answer) => return Some(answer),
            Reply::Underway(_) => session.takes_next(0),
            Reply::Queued | Reply::Waiting => return None,
        }
    }
}

/// A script, from where its session stands.
fn going_on(
    script: Arc<[Part]>,
    terminal: Terminal,
) -> impl Fn(&mut DirectDb, &mut DirectSession) -> Told + Send + Sync + 'static {
    move |db, session| {
        let mut terminal = terminal.clone();
        let mut send = |statement: &Statement| db.answer(session, statement);
        terminal.performs(&script, &mut send);
        terminal.ends(&mut send)
    }
}

impl Claimed {
    fn property(
        &self,
        number: usize,
        start: &SimDb,
        changed: Changed,
    ) -> Property<SimDb, SessionCode<Told>> {
        let Claimed { query, row, .. } = self.clone();
        let before: Vec<_> = self.tables.iter().map(|table| (*table, start.rows(table))).collect();
        Property::on_states(
            &self.name,
            self.kind,
            move |state: &State<'_, SimDb, SessionCode<Told>>| {
                let db = state.world();
                if !changed.has(number)
                    && before.iter().any(|(table, rows)| db.rows(table) != *rows)
                    && let Some(changed) = changed.0.get(number)
                {
                    changed.store(true, Ordering::Relaxed);
                }
                let rows = db.query(&query).unwrap_or_else(|error| {
                    // No line of this crate is to blame.
                    std::panic::resume_unwind(Box::new(format!(
                        "the property `{query}` fails: {error}"
                    )))
                });
                rows.is_empty() != row
            },
        )
    }

    /// Whether it is claimed to hold, and not to be reached.
    pub(super) fn may_be_empty(&self) -> bool {
        self.kind != PropertyKind::Reachable
    }
}

/// What there is to say of a file.
fn notes(file: &File, clients: Option<usize>) -> Vec<String> {
    let mut notes = Vec::new();
    if file.permutations > 0 {
        let listed = crate::report::count(file.permutations, "permutation");
        notes.push(match file.partial {
            0 => format!("the file lists {listed}: all orders are explored, and those among them"),
            partial => format!(
                "the file lists {listed}; {partial} of them leave out or repeat steps, and are not among the orders \
                 that are explored: each session takes all its steps, one after the other"
            ),
        });
    }
    if file.has_blockers {
        notes.push(
            "what a permutation says in brackets of waits and notices is not looked at".to_owned(),
        );
    }
    if clients.is_some() && file.sessions.iter().all(|session| session.count.is_none()) {
        notes.push(
            "`--clients` changes nothing: it is for sessions with a number, as in `session redeem * 2`"
                .to_owned(),
        );
    }
    notes
}
