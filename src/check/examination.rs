//! Second floor, `check`: one call that reports all there is to say of a system. Imports its
//! neighbours in `check`.

use std::fmt;
use std::time::Duration;

use rustc_hash::FxHashSet;

use super::columns::{WIDTH, columns, wrap};
use super::ends::Ends;
use super::{
    AnyLimits, Checker, Disagreement, End, Engine, Finding, GraphOptions, Limits, PropertyKind,
    Report, Schedule, System, Trace, Value, Verdict, audit,
};
use crate::{Process, errno};

/// Graphs with more transitions than this are not put before the slower engines as well.
const WORTH_A_SECOND_OPINION: u64 = 1_000;

/// How long the search for the number of clients that break a property may take. At that point it
/// is known that some number of them does.
const BEYOND: Duration = Duration::from_secs(2);

/// Where `any` finishes at all, it does with fewer configurations.
const CONFIGURATIONS: usize = 2_000;

/// Graphs with more states than this are not walked once more to list their ends.
const ENDS_OF: u64 = 20_000;

/// What all engines report of one system, and whether that is a proof.
///
/// Its `Display` form is for people. It shows what was explored, whether the engines agree, and
/// each property with its verdict. Then come the shortest interleaving that breaks a property, as
/// columns, and every distinct end.
///
/// ```
/// use toctou::check::System;
/// use toctou::fs::{Errno, FileSystem, Mode, OFlags, SimFs};
/// use toctou::{Process, Step};
///
/// /// `test -e lock || touch lock`
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// enum Lock { Look, Make }
///
/// impl<F: FileSystem> Process<F> for Lock {
///     type Output = &'static str;
///
///     fn step(self, fs: &mut F) -> Step<Self, &'static str> {
///         match self {
///             Lock::Look => match fs.open("lock", OFlags::RDONLY, Mode::empty()) {
///                 Ok(_) => Step::Done("busy"),
///                 Err(_) => Step::Next(Lock::Make),
///             },
///             Lock::Make => match fs.open("lock", OFlags::CREATE, Mode::RUSR) {
///                 Ok(_) => Step::Done("mine"),
///                 Err(_) => Step::Done("error"),
///             },
///         }
///     }
/// }
///
/// let examination = System::new(SimFs::new())
///     .clients(2, Lock::Look)
///     .at_most(1, "one-owner", |local| local.output().filter(|told| **told == "mine").copied())
///     .reaches("busy", |local| local.output() == Some(&"busy"))
///     .examine();
/// assert!(!examination.is_proof());
/// println!("{examination}");
/// ```
#[derive(Clone, Debug)]
pub struct Examination {
    /// The actors' names.
    pub actors: Vec<String>,
    /// How many of them are [clients](System::clients).
    pub clients: usize,
    /// The names of the ways in which the system may begin.
    pub starts: Vec<String>,
    /// What each engine found, the state graph first. loom and shuttle run only where the graph is
    /// small.
    pub reports: Vec<Report>,
    /// Where engines contradict one another.
    pub disagreements: Vec<Disagreement>,
    /// The executions that violate something, each once.
    pub shown: Vec<Shown>,
    /// The properties that break only with more clients.
    pub larger: Vec<Larger>,
    /// Every distinct end, those with the most interleavings first. Empty where the system is too
    /// large to list them.
    pub ends: Vec<End>,
    /// Why this is no proof although nothing is violated: one sentence each.
    pub vacuous: Vec<String>,
    /// What the examination does not show, even where it is a proof: one sentence each.
    pub notes: Vec<String>,
}

/// An execution that violates something.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The properties that this execution violates and no shorter one does.
    pub properties: Vec<String>,
    /// The execution.
    pub schedule: Schedule,
    /// The same execution as a trace, or why it cannot be played.
    pub trace: Result<Trace, super::PlayError>,
}

/// A property that holds with as many clients as there are, and breaks with more.
#[derive(Clone, Debug)]
pub struct Larger {
    /// The property.
    pub property: String,
    /// The number of clients with which it breaks; `None` if no schedule was found within the
    /// limits.
    pub clients: Option<usize>,
    /// How many kinds of clients there are. With one kind, fewer clients do not break the property.
    /// With several, the search added one client of each kind at a time.
    pub kinds: usize,
    /// A shortest execution that breaks the property.
    pub shown: Option<Shown>,
}

impl<W: Value, P: Process<W, Output: Value> + Value> System<W, P> {
    /// Puts the system before all engines, audits them, and reports what they found.
    /// [`assert_holds`](Self::assert_holds) fails with the same report where it is no proof.
    pub fn examine(self) -> Examination {
        Checker::new(self).examine()
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// Examines the system within the [limits](Self::within) of this checker.
    pub fn examine(&self) -> Examination {
        let mut examination = self.proof();
        let graph = examination.reports.first();
        let small = graph.is_some_and(|graph| {
            graph.fault().is_none() && graph.states.is_some_and(|states| states <= ENDS_OF)
        });
        match small.then(|| self.ends(ENDS_OF as usize)).flatten() {
            Some(ends) => examination.ends = ends,
            None => examination.notes.push("the ends are not listed".to_owned()),
        }
        examination
    }

    /// All but the ends.
    pub(super) fn proof(&self) -> Examination {
        let system = self.system();
        let mut reports = self.opinions();
        let graph = &reports[0];
        let shown = shown(&graph.findings, |schedule, of| system.show(schedule, of));
        let (mut larger, mut notes, mut any) = (Vec::new(), Vec::new(), None);
        if graph.fault().is_none() && system.count_clients() > 0 {
            any = self.asks_any(graph);
            larger = self.larger(graph, any.as_ref());
            notes = notes_of(system.count_clients(), graph, any.as_ref());
        }
        let vacuous = self.vacuous(graph, any.as_ref());
        reports.extend(any);
        let disagreements = audit(&reports);
        Examination {
            actors: system.actors().to_vec(),
            clients: system.count_clients(),
            starts: system.starts().iter().map(|start| start.name.clone()).collect(),
            reports,
            disagreements,
            shown,
            larger,
            ends: Vec::new(),
            vacuous,
            notes,
        }
    }

    /// What the graph says, and where it is small what the others say.
    fn opinions(&self) -> Vec<Report> {
        let graph = self.graph(&GraphOptions::default());
        if graph.fault().is_some() {
            return vec![graph];
        }
        let mut reports = vec![graph];
        // Without symmetry hundreds of clients have states without end: a second opinion as far
        // as it is cheap.
        let max_states = (1_000_000 / self.system().actors().len().max(1)).min(100_000);
        let plain = GraphOptions { symmetry: false, max_states, ..Default::default() };
        let every_state = self.graph(&plain);
        let small = every_state.transitions.is_some_and(|count| count <= WORTH_A_SECOND_OPINION);
        let small = small && every_state.exhaustive();
        if every_state.exhaustive() {
            reports.push(every_state);
        }
        if small {
            #[cfg(feature = "loom")]
            if self.system().actors().len() <= ::loom::MAX_THREADS {
                let skip = super::LoomOptions { skip_known_states: true, ..Default::default() };
                reports.push(self.loom(&skip));
            }
            #[cfg(feature = "shuttle")]
            reports.push(self.shuttle(super::ShuttleMode::KnownStates));
        }
        reports
    }

    /// What `any` says, where it has something to say that the graph does not.
    fn asks_any(&self, graph: &Report) -> Option<Report> {
        let is_open = |property: &crate::check::Property<W, P>| {
            let finding = graph.finding(property.name());
            let is_broken =
                finding.is_some_and(|it| matches!(it.verdict, Verdict::Violated(Some(_))));
            property.is_over_counts() && !is_broken
        };
        if !self.system().properties().iter().any(is_open) {
            return None;
        }
        let limits = self.limits.clone();
        let time = [limits.time, self.any_time].into_iter().flatten().min();
        let asked = self.share().within(Limits { time, ..limits });
        Some(asked.any(&AnyLimits { max_configurations: CONFIGURATIONS }))
    }

    /// The properties that hold with as many clients as there are, but that `any` says are
    /// violated, faults among them. The search adds one client of each kind at a time, until the
    /// graph finds a schedule.
    fn larger(&self, graph: &Report, any: Option<&Report>) -> Vec<Larger> {
        let holds = |finding: &&Finding| {
            let here = graph.finding(&finding.property).map(|finding| &finding.verdict);
            matches!(here, Some(Verdict::Holds(_)) | None)
                && finding.kind == PropertyKind::Always
                && matches!(finding.verdict, Verdict::Violated(_))
        };
        let findings = any.into_iter().flat_map(|any| &any.findings);
        let mut open: Vec<String> =
            findings.filter(holds).map(|finding| finding.property.clone()).collect();
        let mut found = Vec::new();
        let started = std::time::Instant::now();
        let kinds = self.system().groups.iter().filter(|group| group.scalable).count();
        for more in 1.. {
            let left = BEYOND.saturating_sub(started.elapsed());
            if open.is_empty() || left.is_zero() {
                break;
            }
            let larger = Checker::new(self.system().with_more_clients(more));
            let limits = Limits { time: Some(left), tells: false, ..self.limits.clone() };
            let options = GraphOptions { max_states: 5_000_000, ..GraphOptions::default() };
            let report = larger.within(limits);
            let system = report.system.clone();
            let report = report.graph(&options);
            // A fault ends the exploring, whatever was looked for.
            if let Some(kind) = report.fault() {
                let fault = kind.property().to_owned();
                open = vec![fault];
            }
            let show = |schedule: &Schedule, of: &[String]| system.show(schedule, of);
            open.retain(|property| {
                let broken = report.finding(property).cloned().into_iter();
                let shown = shown(&broken.collect::<Vec<_>>(), show).pop();
                let is_broken = shown.is_some();
                if is_broken {
                    let clients = Some(system.count_clients());
                    found.push(Larger { property: property.clone(), clients, kinds, shown });
                }
                !is_broken
            });
            if !report.exhaustive() {
                break;
            }
        }
        let unknown = open.into_iter();
        found.extend(unknown.map(|property| Larger {
            property,
            clients: None,
            kinds,
            shown: None,
        }));
        found
    }

    /// Why nothing is proved although nothing is violated.
    fn vacuous(&self, graph: &Report, any: Option<&Report>) -> Vec<String> {
        let mut vacuous = Vec::new();
        let system = self.system();
        if !graph.exhaustive() {
            return vacuous;
        }
        if system.actors().is_empty() {
            vacuous.push("there is no actor, so nothing ever happens".to_owned());
            return vacuous;
        }
        if graph.outcomes.as_ref().is_none_or(|outcomes| outcomes.is_empty()) {
            vacuous.push("no execution ever ends, so nothing is shown of any end".to_owned());
        }
        for property in &graph.untested {
            let claimed = system.properties().iter().find(|known| known.name() == property);
            vacuous.push(match claimed.map(super::Property::kind) {
                Some(PropertyKind::Finally) => {
                    format!("`{property}` was never put to the test: no execution ends")
                }
                _ => format!("`{property}` was never put to the test: no actor is ever counted"),
            });
        }
        for property in system.properties() {
            let decided = any.and_then(|any| any.finding(property.name()));
            let decided = decided.is_some_and(|any| !matches!(any.verdict, Verdict::Unfinished(_)));
            let actors = system.actors().len();
            if let Some(most) = property.most().filter(|most| *most >= actors && !decided) {
                vacuous.push(format!(
                    "`{}` was never put to the test: it lets {most} actors be counted, and there are \
                     {actors}",
                    property.name()
                ));
            }
        }
        vacuous.extend(self.nobody_ends_well(graph));
        vacuous
    }

    /// Reports each kind of clients of which none ever ends with a good output. Without clients, it
    /// reports if no actor does.
    fn nobody_ends_well(&self, graph: &Report) -> Vec<String> {
        let system = self.system();
        let Some(outcomes) = &graph.outcomes else { return Vec::new() };
        let kinds = system.groups.iter().filter(|group| group.scalable);
        let several = kinds.clone().count() > 1;
        let mut kinds: Vec<(String, Vec<usize>)> = kinds
            .filter_map(|group| {
                let name = system.actors().get(group.members.start)?;
                let kind = match (several, group.members.len()) {
                    (false, _) => "no client ever ends well".to_owned(),
                    (true, 1) => format!("`{name}` never ends well"),
                    (true, _) => format!("no client like `{name}` ever ends well"),
                };
                Some((kind, group.members.clone().collect()))
            })
            .collect();
        if kinds.is_empty() {
            let everybody = (0..system.actors().len()).collect();
            kinds.push(("no actor ever ends well".to_owned(), everybody));
        }
        let codes = self.codes.lock();
        let locals = codes.locals.values();
        let judge = |(who, members): (String, Vec<usize>)| {
            let ends = outcomes
                .iter()
                .flat_map(|outcome| members.iter().filter_map(|member| outcome.get(1 + member)));
            let ends: FxHashSet<u32> = ends.copied().collect();
            let outputs = ends.iter().filter_map(|code| locals.get(*code as usize)?.output());
            let outputs: Vec<&P::Output> = outputs.collect();
            if outputs.is_empty() || outputs.iter().any(|output| system.is_good(output)) {
                return None;
            }
            let mut told: Vec<String> = outputs.iter().map(errno::shown).collect();
            told.sort();
            let more = if told.len() > 3 { ", …" } else { "" };
            told.truncate(3);
            Some(format!(
                "{who}, so the properties may hold because everybody fails: {}{more}. \
                 `System::ends_well` says which outputs are good.",
                told.join(", ")
            ))
        };
        kinds.into_iter().filter_map(judge).collect()
    }
}

/// What the numbers do not say.
fn notes_of(clients: usize, graph: &Report, any: Option<&Report>) -> Vec<String> {
    let mut notes = Vec::new();
    let mut only_here = Vec::new();
    for finding in &graph.findings {
        let holds = matches!(finding.verdict, Verdict::Holds(_));
        if !holds || finding.kind == PropertyKind::Reachable {
            continue;
        }
        match any.and_then(|any| any.finding(&finding.property)).map(|any| &any.verdict) {
            Some(Verdict::Unfinished(bound)) if !bound.is_by_nature() => notes.push(format!(
                "`{}`: only {clients} {} looked at; for any number, {bound}",
                finding.property,
                were(clients)
            )),
            Some(Verdict::Holds(_) | Verdict::Violated(_)) => {}
            _ => only_here.push(format!("`{}`", finding.property)),
        }
    }
    if !only_here.is_empty() {
        let only = format!("only {clients} {} looked at", were(clients));
        notes.push(format!("{}: {only}", only_here.join(", ")));
    }
    notes
}

fn were(clients: usize) -> &'static str {
    if clients == 1 { "client was" } else { "clients were" }
}

/// The executions that violate something, each once, with all that it violates.
pub(super) fn shown(
    findings: &[Finding],
    show: impl Fn(&Schedule, &[String]) -> Result<Trace, super::PlayError>,
) -> Vec<Shown> {
    let mut executions: Vec<(&Schedule, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let Verdict::Violated(Some(schedule)) = &finding.verdict else { continue };
        match executions.iter_mut().find(|(known, _)| *known == schedule) {
            Some((_, violated)) => violated.push(finding),
            None => executions.push((schedule, vec![finding])),
        }
    }
    let shown = executions.into_iter().map(|(schedule, violated)| {
        let properties = violated.iter().map(|finding| finding.property.clone());
        let properties: Vec<String> = properties.collect();
        let lost = violated.iter().filter_map(|finding| finding.lost.clone()).collect();
        let trace = show(schedule, &properties).map(|trace| Trace { lost, ..trace });
        Shown { properties, schedule: schedule.clone(), trace }
    });
    shown.collect()
}

impl Examination {
    /// Whether this is a proof: every property was shown to hold, by engines that agree, and some
    /// execution put each property to the test. Where any number of clients was decided, the
    /// properties hold for that as well.
    pub fn is_proof(&self) -> bool {
        self.complaint().is_empty()
    }

    /// Why this is no proof; empty if it is one.
    pub fn complaint(&self) -> String {
        use fmt::Write as _;
        let mut complaint = String::new();
        for disagreement in &self.disagreements {
            let _ = writeln!(complaint, "the engines disagree: {disagreement}");
        }
        if let Some(report) = self.reports.first() {
            complaint += &super::proof::violations(report, &self.shown);
        }
        for larger in &self.larger {
            let _ = write!(complaint, "{larger}");
        }
        if complaint.is_empty() {
            for vacuous in &self.vacuous {
                let _ = writeln!(complaint, "nothing is proved: {vacuous}");
            }
        }
        wrapped(&complaint)
    }
}

/// The same text with no line wider than a screen. The lines of a picture already are not.
fn wrapped(text: &str) -> String {
    let lines = text.lines().flat_map(|line| match columns(line) <= WIDTH {
        true => vec![line.to_owned()],
        false => wrap(line, WIDTH),
    });
    lines.map(|line| line + "\n").collect()
}

impl fmt::Display for Larger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Larger { property, clients, kinds, shown } = self;
        let Some(clients) = clients else {
            return writeln!(
                f,
                "always `{property}` is violated with more clients: `any` says so. How many it takes was \
                 not found in time."
            );
        };
        match kinds {
            1 => write!(f, "always `{property}` is violated from {clients} clients on")?,
            _ => write!(f, "always `{property}` is violated with {clients} clients")?,
        }
        match shown {
            Some(Shown { schedule, trace: Ok(trace), .. }) => {
                writeln!(f, ", soonest by {schedule}:\n\n{trace}")
            }
            _ => writeln!(f),
        }
    }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let Some(graph) = self.reports.first() else { return Ok(()) };
        let mut head = String::new();
        let engines: Vec<&str> = Engine::ALL
            .iter()
            .filter(|engine| **engine != Engine::Any)
            .filter(|engine| {
                let mut reports = self.reports.iter();
                reports.any(|report| report.engine == **engine && report.exhaustive())
            })
            .map(|engine| engine.name())
            .collect();
        let agree = match (&self.disagreements[..], &engines[..]) {
            ([], [] | [_]) => String::new(),
            ([], _) => format!("; {} agree", engines.join(", ")),
            (disagreements, _) => format!("; {} disagreements", disagreements.len()),
        };
        writeln!(head, "{}: {graph}{agree}", actors(&self.actors))?;
        for finding in &graph.findings {
            let beyond = self.beyond(&finding.property);
            writeln!(head, "  {}{beyond}", Told(finding, graph))?;
        }
        if let Some(growth) = &graph.growth {
            writeln!(head, "  {growth}")?;
        }
        for note in &self.notes {
            writeln!(head, "  {note}")?;
        }
        f.write_str(&wrapped(&head))?;
        let complaint = self.complaint();
        if !complaint.is_empty() {
            write!(f, "\n{complaint}")?;
        }
        if !self.ends.is_empty() {
            // Which of several identical clients it was makes no difference, and is not told.
            let alike = |name: &String| match name.starts_with("client ") && self.clients > 1 {
                true => "a client".to_owned(),
                false => name.clone(),
            };
            let actors: Vec<String> = self.actors.iter().map(alike).collect();
            write!(f, "\n{}", Ends { actors: &actors, ends: &self.ends })?;
        }
        Ok(())
    }
}

impl Examination {
    /// What is known of a property beyond the clients that there are.
    fn beyond(&self, property: &str) -> String {
        let any = self.reports.iter().find(|report| report.engine == Engine::Any);
        match any.and_then(|any| any.finding(property)).map(|finding| &finding.verdict) {
            // What was never put to the test holds for nobody.
            Some(Verdict::Holds(_)) if self.vacuous.is_empty() => {
                " (any number of clients)".to_owned()
            }
            _ => String::new(),
        }
    }
}

/// `3 clients`, `janitor, 2 clients`.
fn actors(names: &[String]) -> String {
    let clients = names.iter().filter(|name| name.starts_with("client ")).count();
    let mut told: Vec<String> =
        names.iter().filter(|name| !name.starts_with("client ")).cloned().collect();
    match clients {
        0 => {}
        1 => told.push("1 client".to_owned()),
        clients => told.push(format!("{clients} clients")),
    }
    told.join(", ")
}

/// A property and its verdict: `✗ at-most-once: 40 of 46 interleavings`.
struct Told<'a>(&'a Finding, &'a Report);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told(finding, report) = self;
        let kind = finding.kind.word();
        let name = &finding.property;
        match &finding.verdict {
            Verdict::Holds(_) => write!(f, "✓ {kind} {name}"),
            Verdict::Unfinished(bound) => write!(f, "? {kind} {name}: {bound}"),
            Verdict::Violated(None) => write!(f, "✗ {kind} {name}: no execution gets there"),
            Verdict::Violated(Some(schedule)) => {
                write!(f, "✗ {kind} {name}: ")?;
                if let Some(violating) = &finding.violating {
                    let (number, noun) = report.counted();
                    write!(f, "{violating} of {number} {noun}s, ")?;
                }
                write!(f, "soonest {schedule}")
            }
        }
    }
}

impl fmt::Display for Report {
    /// `graph (symmetry): 50 states, 10836 interleavings`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.engine, self.mode)?;
        let mut separator = ": ";
        let mut part = |f: &mut fmt::Formatter<'_>, number: String, noun: &str| {
            let plural = if number == "1" { "" } else { "s" };
            write!(f, "{separator}{number} {noun}{plural}")?;
            separator = ", ";
            Ok(())
        };
        if let Some(states) = self.states {
            let noun = if self.engine == Engine::Any { "configuration" } else { "state" };
            part(f, states.to_string(), noun)?;
        }
        if let Some(executions) = self.executions {
            part(f, executions.to_string(), "execution")?;
        }
        match &self.interleavings {
            super::Interleavings::NotCounted => {}
            super::Interleavings::Infinite => write!(f, "{separator}executions without end")?,
            super::Interleavings::Exactly(number) => part(f, number.to_string(), "interleaving")?,
        }
        if let Some(bound) = &self.bound {
            write!(f, "; {bound}")?;
        }
        Ok(())
    }
}
