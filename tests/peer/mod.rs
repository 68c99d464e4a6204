//! The download model put before stateright, a peer: the same world type, the same machines, one
//! action an actor. For agreement in tests and for comparison in benches.

use stateright::{Checker, Model, Property};
use toctou::check::{Local, System};
use toctou::fs::{SimFile, SimFs};
use toctou::models::download::{Actor, Told};
use toctou::{Process, Step};

/// Where one actor stands.
pub(crate) type Place = Local<Actor<SimFile>, Told>;

/// A whole state, as stateright keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Whole {
    world: SimFs,
    places: Vec<Place>,
}

/// How stateright is to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Breadth first, as the graph engine does.
    Breadth,
    /// Depth first, which stateright is faster at.
    Depth,
}

/// The model.
#[derive(Clone)]
pub(crate) struct Peer(Whole);

impl Peer {
    /// The world and the actors of `system`.
    pub(crate) fn of(system: &System<SimFs, Actor<SimFile>>) -> Self {
        let [start] = system.starts() else { panic!("the peer is given one start") };
        let places = start.processes.iter().cloned().map(Local::Running).collect();
        Peer(Whole { world: start.world.clone(), places })
    }

    /// Searches every state; returns how many there are.
    pub(crate) fn unique_states(&self, order: Order, threads: usize) -> u64 {
        let checker = self.clone().checker().threads(threads);
        let states = match order {
            Order::Breadth => checker.spawn_bfs().join().unique_state_count(),
            Order::Depth => checker.spawn_dfs().join().unique_state_count(),
        };
        states as u64
    }
}

impl Model for Peer {
    type State = Whole;
    type Action = usize;

    fn init_states(&self) -> Vec<Whole> {
        vec![self.0.clone()]
    }

    fn actions(&self, state: &Whole, actions: &mut Vec<usize>) {
        let running = |place: &Place| matches!(place, Local::Running(_));
        actions.extend((0..state.places.len()).filter(|actor| running(&state.places[*actor])));
    }

    fn next_state(&self, last: &Whole, actor: usize) -> Option<Whole> {
        let Local::Running(process) = &last.places[actor] else { return None };
        let process = process.clone();
        let mut next = last.clone();
        next.places[actor] = match process.step(&mut next.world) {
            Step::Next(process) => Local::Running(process),
            Step::Blocked(_) => return None,
            Step::Done(told) => Local::Done(told),
            Step::Choice(_) => unreachable!("a download leaves nothing open"),
        };
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("at-most-once", |_, state: &Whole| {
                let delivered = |place: &&Place| matches!(place.output(), Some(Told::Delivered(_)));
                state.places.iter().filter(delivered).count() <= 1
            }),
            // stateright stops once every property is decided. This one never is, so that all
            // states are searched.
            Property::sometimes("never", |_, _| false),
        ]
    }
}
