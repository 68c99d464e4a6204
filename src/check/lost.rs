//! Second floor, `check`: when a counterexample is lost. It counts, before the first step and after
//! each, how many interleavings continue from there, and how many of those violate the property.
//! Imports only its neighbours in `check`.

use num_bigint::BigUint;

use super::columns::columns;

/// When an execution is lost to a violation, by exact counts.
///
/// After the first steps of a counterexample, the system may still come to a good end. Step by step
/// the number of good continuations changes. From one step on there is none: the point of no
/// return. Look first at what that step did, or at what allowed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The property that is violated.
    pub property: String,
    /// How many continuations violate the property, of how many: before the first step, and after
    /// each. Before the first step these are all interleavings from the schedule's start.
    pub shares: Vec<Share>,
}

/// How many interleavings violate a property, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many violate it.
    pub violating: BigUint,
    /// How many there are.
    pub all: BigUint,
}

/// Where an execution is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReturn {
    /// Before the first step: every interleaving from the start violates the property, and no
    /// single step is to blame.
    BeforeTheFirst,
    /// At this step, counted from 1. Before it some continuation does not violate the property;
    /// after it every one does.
    AtStep(usize),
}

/// A share is shown as a ratio up to this width, and as a percentage beyond.
const RATIO: usize = 9;
/// The same width in a sentence, which has more room.
const SAID: usize = 20;

impl Share {
    /// Whether every interleaving violates the property.
    pub fn is_all(&self) -> bool {
        self.violating == self.all
    }

    /// `20/23`
    fn ratio(&self) -> String {
        format!("{}/{}", self.violating, self.all)
    }

    /// `86.9%`: never more than it is, so that only all of them are a hundred.
    fn percent(&self) -> String {
        let all = self.all.clone().max(BigUint::from(1u32));
        let thousandths = &self.violating * 1_000u32 / all;
        match u32::try_from(thousandths).unwrap_or_default() {
            0 => "<0.1%".to_owned(),
            some => format!("{}.{}%", some / 10, some % 10),
        }
    }
}

impl Lost {
    /// How an execution is lost. `all` counts the continuations before its first step and after
    /// each; `sound` counts those of them that do not violate the property from there on.
    pub(super) fn of(property: &str, all: Vec<BigUint>, sound: Vec<BigUint>) -> Lost {
        let mut is_lost = false;
        let shares = all.into_iter().zip(sound).map(|(all, sound)| {
            // What has violated the property once has done so, whatever comes after.
            is_lost |= sound == BigUint::ZERO;
            let violating = if is_lost { all.clone() } else { &all - sound };
            Share { violating, all }
        });
        Lost { property: property.to_owned(), shares: shares.collect() }
    }

    /// Where the execution is lost. `None` if it is not lost; a counterexample always is.
    pub fn no_return(&self) -> Option<NoReturn> {
        match self.shares.iter().position(Share::is_all)? {
            0 => Some(NoReturn::BeforeTheFirst),
            step => Some(NoReturn::AtStep(step)),
        }
    }

    /// The step after which every continuation violates the property, counted from 1. `None` if
    /// every interleaving violates it, so that no single step is to blame.
    pub fn point_of_no_return(&self) -> Option<usize> {
        match self.no_return()? {
            NoReturn::BeforeTheFirst => None,
            NoReturn::AtStep(step) => Some(step),
        }
    }

    /// `lost at step 2: before it 20 of 23 continuations violate, after it all`.
    fn told(&self) -> Option<String> {
        let step = match self.no_return()? {
            NoReturn::BeforeTheFirst => {
                let told = "lost before step 1: from here every interleaving violates";
                return Some(told.to_owned());
            }
            NoReturn::AtStep(step) => step,
        };
        let before = self.shares.get(step - 1)?;
        let share = format!("{} of {}", before.violating, before.all);
        let share = if columns(&share) <= SAID { share } else { before.percent() + " of the" };
        let verb = if before.violating == BigUint::from(1u32) { "violates" } else { "violate" };
        Some(format!("lost at step {step}: before it {share} continuations {verb}, after it all"))
    }
}

/// One line that says when an execution is lost. If it is not lost to all its properties in the
/// same way, several lines, each after the names of its properties.
pub(crate) fn lines(lost: &[Lost]) -> Vec<String> {
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for (lost, told) in lost.iter().filter_map(|lost| Some((lost, lost.told()?))) {
        match alike.iter_mut().find(|(known, _)| *known == told) {
            Some((_, names)) => names.push(&lost.property),
            None => alike.push((told, vec![&lost.property])),
        }
    }
    match &alike[..] {
        [(told, _)] => vec![told.clone()],
        several => {
            several.iter().map(|(told, names)| format!("{}: {told}", names.join(", "))).collect()
        }
    }
}

/// A cell before the first step and one for each step: `4/6`, `2/3`, `all` where it is lost, and
/// none after that. If it violates several properties, the cells of the first one. Empty if nothing
/// was counted.
pub(crate) fn cells(lost: &[Lost]) -> Vec<String> {
    let Some(Lost { shares, .. }) = lost.first() else { return Vec::new() };
    let open = shares.iter().take_while(|share| !share.is_all());
    let mut cells: Vec<String> = open.clone().map(Share::ratio).collect();
    if cells.iter().any(|cell| columns(cell) > RATIO) {
        cells = open.map(Share::percent).collect();
    }
    cells.push("all".to_owned());
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{
        Checker, DEADLOCK_FREE, Finding, GraphOptions, Interleavings, Local, Played, PropertyKind,
        Report, Schedule, Start, System, Verdict,
    };
    use crate::{Process, Step};

    /// A few steps, each a number that is mixed into the world; a 6 waits while the world is 0.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Mixes(Vec<u32>);

    impl Process<u32> for Mixes {
        type Output = u32;

        fn step(mut self, world: &mut u32) -> Step<Self, u32> {
            let Some(number) = self.0.pop() else { return Step::Done(*world) };
            if number == 6 && *world == 0 {
                self.0.push(number);
                return Step::Blocked(self);
            }
            *world = (*world * 3 + number) % 7;
            if self.0.is_empty() { Step::Done(*world) } else { Step::Next(self) }
        }
    }

    /// Systems of two identical actors and one more, that may begin in two ways, with a property of each
    /// kind.
    fn systems() -> impl Iterator<Item = System<u32, Mixes>> {
        let mut seed = 7u32;
        let mut random = move |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        (0..150).map(move |_| {
            let mut numbers = || Mixes((0..=random(3)).map(|_| random(7)).collect());
            let (twin, other) = (numbers(), numbers());
            let mut start = |name: &str| Start {
                name: name.to_owned(),
                world: random(7),
                processes: vec![other.clone()],
            };
            let starts = vec![start("one way"), start("another")];
            let (one, two) = (random(7), random(7));
            System::family(&["other"], starts)
                .clients(2, twin)
                .always("never", move |state| *state.world() != one)
                .finally("not-in-the-end", move |state| *state.world() != two)
                .at_most(1, "once", move |local| local.output().filter(|it| **it == one).copied())
        })
    }

    /// How many interleavings continue from here, one by one, and how many of them violate the property;
    /// all of them where it `was_violated` before.
    fn walk<P: Process<u32, Output: crate::check::Value> + crate::check::Value>(
        system: &System<u32, P>,
        property: &str,
        (world, locals): (u32, &[Local<P, P::Output>]),
        was_violated: bool,
    ) -> (u32, u32) {
        let kind = system.properties().iter().find(|known| known.name() == property);
        let kind = kind.map(crate::check::Property::kind);
        let holds = system.is_true_in(property, &world, locals);
        let is_violated =
            was_violated || kind == Some(PropertyKind::Always) && holds == Some(false);
        let mut counted = None;
        for (actor, local) in locals.iter().enumerate() {
            let Local::Running(process) = local else { continue };
            let mut next_world = world;
            let step = process.clone().step(&mut next_world);
            let Some(next) = Local::after(step) else { continue };
            let mut next_locals = locals.to_vec();
            next_locals[actor] = next;
            let (more, all) = walk(system, property, (next_world, &next_locals), is_violated);
            let (violating, known) = counted.unwrap_or((0, 0));
            counted = Some((violating + more, known + all));
        }
        counted.unwrap_or_else(|| {
            let has_ended = locals.iter().all(|local| local.output().is_some());
            let is_violated = match kind {
                None => !has_ended,
                Some(PropertyKind::Finally) => has_ended && holds == Some(false),
                Some(_) => is_violated,
            };
            (u32::from(is_violated), 1)
        })
    }

    /// The shares along a schedule, by walking every interleaving from each of its steps.
    fn walked<P: Process<u32, Output: crate::check::Value> + crate::check::Value>(
        system: &System<u32, P>,
        property: &str,
        schedule: &Schedule,
    ) -> Vec<Share> {
        let mut was_violated = false;
        let prefixes = (0..=schedule.turns.len()).map(|steps| {
            let turns = schedule.turns[..steps].to_vec();
            let prefix = Schedule::from_start(schedule.start, turns);
            let Played { world, locals, .. } = system.play(&prefix).unwrap();
            let (violating, all) = walk(system, property, (world, &locals), was_violated);
            let kind = system.properties().iter().find(|known| known.name() == property);
            was_violated |= kind.is_some_and(|known| known.kind() == PropertyKind::Always)
                && system.is_true_in(property, &world, &locals) == Some(false);
            Share { violating: violating.into(), all: all.into() }
        });
        prefixes.collect()
    }

    fn violated(report: &Report) -> impl Iterator<Item = (&Finding, &Schedule)> {
        let of = |finding: &'_ Finding| matches!(finding.verdict, Verdict::Violated(_));
        let findings = report.findings.iter().filter(move |finding| of(finding));
        findings.filter_map(|finding| Some((finding, finding.verdict.schedule()?)))
    }

    fn graph<P: Process<u32, Output: crate::check::Value> + crate::check::Value>(
        system: System<u32, P>,
        symmetry: bool,
    ) -> Report {
        Checker::new(system).graph(&GraphOptions { symmetry, ..GraphOptions::default() })
    }

    #[test]
    fn the_shares_are_those_of_all_interleavings_walked_one_by_one() {
        let (mut seen, mut deadlocks, mut from_the_start, mut falls) = (0, 0, 0, 0);
        for (system, same) in systems().zip(systems()) {
            let (classes, states) = (graph(system, true), Checker::new(same));
            let plain = GraphOptions { symmetry: false, ..GraphOptions::default() };
            let each = states.graph(&plain);
            for (finding, schedule) in violated(&classes).chain(violated(&each)) {
                let lost = finding.lost.as_ref().expect("all is counted");
                let walked = walked(states.system(), &finding.property, schedule);
                assert_eq!(lost.shares, walked, "{} by {schedule}", finding.property);
                assert_eq!(lost.property, finding.property);
                seen += 1;
                deadlocks += usize::from(finding.property == DEADLOCK_FREE);
                match lost.no_return().expect("a counterexample is lost") {
                    NoReturn::BeforeTheFirst => from_the_start += 1,
                    NoReturn::AtStep(step) => {
                        assert!(lost.shares[step..].iter().all(Share::is_all));
                        assert!(!lost.shares[..step].iter().any(Share::is_all));
                    }
                }
                let rises = |pair: &[Share]| {
                    &pair[0].violating * &pair[1].all <= &pair[1].violating * &pair[0].all
                };
                falls += usize::from(!lost.shares.windows(2).all(rises));
            }
            // Which of two identical actors steps makes no difference to any count.
            for (finding, schedule) in violated(&classes) {
                let other = each.finding(&finding.property).expect("the same properties");
                if other.verdict.schedule() == Some(schedule) {
                    assert_eq!(finding.lost, other.lost);
                }
            }
        }
        let kinds = format!("{seen} {deadlocks} {from_the_start} {falls}");
        assert!(seen > 300 && deadlocks > 20 && from_the_start > 20 && falls > 20, "{kinds}");
    }

    /// Says something a few times, and then what it finds.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    enum Gate {
        Opens,
        Looks { after: u32 },
    }

    impl Process<u32> for Gate {
        type Output = bool;

        fn step(self, open: &mut u32) -> Step<Self, bool> {
            match self {
                Gate::Opens => {
                    *open += 1;
                    Step::Done(true)
                }
                Gate::Looks { after: 0 } => Step::Done(*open > 0),
                Gate::Looks { after } => Step::Next(Gate::Looks { after: after - 1 }),
            }
        }
    }

    fn gate(after: u32, openers: usize) -> System<u32, Gate> {
        System::new(0).actor("looks", Gate::Looks { after }).clients(openers, Gate::Opens)
    }

    fn lost(report: &Report, property: &str) -> Lost {
        report.finding(property).and_then(|finding| finding.lost.clone()).expect("is counted")
    }

    fn shares(lost: &Lost) -> Vec<String> {
        lost.shares.iter().map(Share::ratio).collect()
    }

    #[test]
    fn what_only_the_last_step_decides_is_lost_at_the_last_step() {
        let report = graph(
            gate(2, 1).always("never-closed", |state| !state.outputs().any(|open| !open)),
            true,
        );
        let lost = lost(&report, "never-closed");
        assert_eq!(shares(&lost), ["1/4", "1/3", "1/2", "1/1"]);
        assert_eq!(lost.point_of_no_return(), Some(3));
        let told = "lost at step 3: before it 1 of 2 continuations violates, after it all";
        assert_eq!(lines(std::slice::from_ref(&lost)), [told]);
        assert_eq!(cells(&[lost]), ["1/4", "1/3", "1/2", "all"]);
    }

    #[test]
    fn where_every_interleaving_violates_no_step_is_to_blame() {
        let report = graph(
            gate(1, 1)
                .finally("closed-again", |state| *state.world() == 0)
                .always("open", |state| *state.world() > 0),
            true,
        );
        for (property, steps) in [("closed-again", 3), ("open", 0)] {
            let lost = lost(&report, property);
            assert_eq!(shares(&lost)[0], "3/3");
            assert_eq!(lost.shares.len(), steps + 1);
            assert!(lost.shares.iter().all(Share::is_all), "{property}");
            assert_eq!(lost.no_return(), Some(NoReturn::BeforeTheFirst));
            assert_eq!(lost.point_of_no_return(), None);
            assert_eq!(
                lines(&[lost]),
                ["lost before step 1: from here every interleaving violates"]
            );
        }
    }

    #[test]
    fn before_the_first_step_it_is_what_is_reported_of_the_property() {
        let report = graph(
            gate(2, 3).always("never-closed", |state| !state.outputs().any(|open| !open)),
            true,
        );
        let Interleavings::Exactly(all) = &report.interleavings else { panic!("{report}") };
        let violating = report.finding("never-closed").unwrap().violating.clone();
        let lost = lost(&report, "never-closed");
        assert_eq!(lost.shares[0].all, *all);
        assert_eq!(Some(&lost.shares[0].violating), violating.as_ref());
    }

    #[test]
    fn where_not_all_is_counted_nothing_is_said() {
        /// Goes round and round until it is told to leave.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        struct Round(u32);

        impl Process<u32> for Round {
            type Output = ();

            fn step(self, world: &mut u32) -> Step<Self, ()> {
                *world = (*world + 1) % 4;
                if self.0 == 1 { Step::Done(()) } else { Step::Next(Round(self.0)) }
            }
        }

        let never_2 = |system: System<u32, Round>| system.always("never-2", |it| *it.world() != 2);
        let endless = never_2(System::new(0).actor("one", Round(1)).actor("round", Round(0)));
        let report = graph(endless, true);
        let finding = report.finding("never-2").expect("is claimed");
        assert!(matches!(finding.verdict, Verdict::Violated(Some(_))));
        assert_eq!(report.interleavings, Interleavings::Infinite);
        assert_eq!(finding.lost, None);

        let two = || never_2(System::new(0).clients(5, Round(1)));
        let options = GraphOptions { max_states: 3, ..GraphOptions::default() };
        let report = Checker::new(two()).graph(&options);
        let finding = report.finding("never-2").expect("is claimed");
        assert!(matches!(finding.verdict, Verdict::Violated(Some(_))), "{report}");
        assert!(!report.exhaustive());
        assert_eq!(finding.lost, None);
        assert!(graph(two(), true).finding("never-2").is_some_and(|it| it.lost.is_some()));
    }

    #[test]
    fn long_numbers_are_told_as_percentages_and_only_all_as_all() {
        let share =
            |violating: u128, all: u128| Share { violating: violating.into(), all: all.into() };
        let large = 10u128.pow(30);
        let shares =
            vec![share(1, large), share(large - 1, large), share(2, 3), share(7, 7), share(1, 1)];
        let lost = [Lost { property: "p".to_owned(), shares }];
        assert_eq!(cells(&lost), ["<0.1%", "99.9%", "66.6%", "all"]);
        let told = "lost at step 3: before it 2 of 3 continuations violate, after it all";
        assert_eq!(lines(&lost), [told]);
        let shares = vec![share(large - 1, large), share(1, 1)];
        let late = Lost { property: "q".to_owned(), shares };
        let told = [
            "p: lost at step 3: before it 2 of 3 continuations violate, after it all",
            "q: lost at step 1: before it 99.9% of the continuations violate, after it all",
        ];
        let [early] = lost;
        assert_eq!(lines(&[early, late]), told);
    }
}
