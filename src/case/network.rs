//! Fourth floor, `case`: cases whose world is a network. Imports [`check`](crate::check),
//! [`replay`](crate::replay), [`net`](crate::net).

use std::fmt::Debug;

use super::{CaseError, CaseOn, Comparison, RealWorld, actors_by_start, compared, run_on};
use crate::Process;
use crate::check::{Schedule, System, Value};
use crate::direct::{Code, Connections};
use crate::net::{LoopbackConnection, LoopbackNet, SimConnection, SimNet};
use crate::recorded::Recorded;
use crate::replay::{Place, Remains, Replayed, Threads, Visits, replay_on_loopback};

/// A case whose world is a network. `P` are its processes in the simulation, `Q` the same processes
/// with real connections.
pub type NetCase<P, Q> = CaseOn<SimNet, P, OnLoopback<Q>>;

/// The same system on sockets of the loopback interface.
pub struct OnLoopback<Q> {
    actors: Box<dyn Fn(usize) -> Vec<Q> + Send + Sync>,
}

impl<P: Process<SimNet, Output: Value> + Value, Q> NetCase<P, Q> {
    /// A case of a simulated system. `actors` gives its processes with real connections, for the
    /// start with this index and in the order of the system's actors. The servers are those of the
    /// simulated system's start.
    pub fn new(
        system: System<SimNet, P>,
        actors: impl Fn(usize) -> Vec<Q> + Send + Sync + 'static,
    ) -> Self {
        Self::on_real(system, OnLoopback { actors: Box::new(actors) })
    }
}

impl<T: Value>
    NetCase<Code<Connections<SimConnection>, T>, Code<Connections<LoopbackConnection>, T>>
{
    /// A case of ordinary code: the simulated system, and the same code on loopback sockets.
    pub fn direct(system: System<SimNet, Code<Connections<SimConnection>, T>>) -> Self {
        let actors = actors_by_start(&system, Code::over_network);
        Self::new(system, actors)
    }
}

impl<P, Q> RealWorld<SimNet, P> for OnLoopback<Q>
where
    P: Process<SimNet, Output: Value> + Value,
    Q: Process<Recorded<LoopbackNet>, Output: Debug>,
{
    fn place(&self) -> Place {
        Place::Loopback
    }

    fn remains(&self, world: &SimNet) -> Remains {
        Remains::Visits(Visits::of(world.servers()))
    }

    /// Runs both ends of each connection on the calling thread: `threads` makes no difference.
    fn replay(
        &self,
        system: &System<SimNet, P>,
        schedule: &Schedule,
        _threads: Threads,
    ) -> Result<Comparison, CaseError> {
        let (schedule, played) = run_on(system, schedule)?;
        let remains = RealWorld::<SimNet, P>::remains(self, &played.world);
        let simulated = Replayed { trace: played.trace, remains };
        let furniture = &system.start(schedule.start)?.world;
        let actors = (self.actors)(schedule.start);
        let real = replay_on_loopback(&simulated.trace, furniture, actors, &schedule)?;
        Ok(compared(Place::Loopback, schedule, simulated, real, None))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::*;
    use crate::Step;
    use crate::case::{Case, Method};
    use crate::check::{GraphOptions, Start};
    use crate::net::{self, Network, Page, Request, Scripted, Url, Visit};
    use crate::recorded::recorded_step;
    use crate::replay::ReplayError;

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    /// A fetcher that looks at one answer of the name server and connects to another, or the owner
    /// of that, who rebinds the name.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    enum Actor<C> {
        Look,
        Resolve,
        Connect(IpAddr),
        Send(C),
        Receive(C),
        Rebind(IpAddr),
    }

    fn request() -> Request {
        let url = Url::parse("http://cat.example/cat.png").unwrap();
        Request::new(net::Method::Get, url)
    }

    impl<N: Network + Scripted> Process<N> for Actor<N::Connection> {
        type Output = String;

        fn step(self, net: &mut N) -> Step<Self, String> {
            match self {
                Actor::Look => match net.resolve("cat.example").as_deref() {
                    Ok([address]) if *address != internal() => Step::Next(Actor::Resolve),
                    _ => Step::Done("refused".to_owned()),
                },
                Actor::Resolve => match net.resolve("cat.example").as_deref() {
                    Ok([address]) => Step::Next(Actor::Connect(*address)),
                    other => Step::Done(format!("{other:?}")),
                },
                Actor::Connect(address) => match net.connect(SocketAddr::new(address, 80)) {
                    Ok(connection) => Step::Next(Actor::Send(connection)),
                    Err(error) => Step::Done(error.to_string()),
                },
                Actor::Send(mut connection) => match net.send(&mut connection, &request()) {
                    Ok(()) => Step::Next(Actor::Receive(connection)),
                    Err(error) => Step::Done(error.to_string()),
                },
                Actor::Receive(connection) => Step::Done(match net.receive(connection, 100) {
                    Ok(response) => String::from_utf8_lossy(&response.body).into_owned(),
                    Err(error) => error.to_string(),
                }),
                Actor::Rebind(address) => {
                    net.bind("cat.example", &[address]);
                    Step::Done("bound".to_owned())
                }
            }
        }
    }

    fn internal() -> IpAddr {
        address(3)
    }

    /// What each start's attacker does.
    fn rebinds() -> [(&'static str, IpAddr); 2] {
        [
            ("rebind to another public server", address(4)),
            ("rebind to the internal one", internal()),
        ]
    }

    fn actors<C>(start: usize) -> Vec<Actor<C>> {
        vec![Actor::Look, Actor::Rebind(rebinds()[start].1)]
    }

    fn system(servers: &[IpAddr]) -> System<SimNet, Actor<net::SimConnection>> {
        let world = SimNet::new().with_name("cat.example", &servers[..1]);
        let world = servers.iter().fold(world, |world, server| {
            world.with_server(*server, Page::text(&format!("of {server}")))
        });
        let starts = rebinds().into_iter().enumerate().map(|(start, (name, _))| Start {
            name: name.to_owned(),
            world: world.clone(),
            processes: actors(start),
        });
        System::family(&["fetcher", "attacker"], starts.collect())
            .described_by(recorded_step)
            .always("no-internal-request", |state| {
                !state.world().visits(internal()).iter().any(Visit::is_request)
            })
            .reachable("honest-fetch-works", |state| {
                state.outputs().any(|output| output == "of 127.0.0.2")
            })
    }

    fn case() -> impl Case {
        NetCase::new(system(&[2, 3, 4].map(address)), actors::<net::LoopbackConnection>)
    }

    #[test]
    fn a_forbidden_request_is_in_the_internal_servers_own_log() {
        let case = case();
        assert_eq!(case.place(), Place::Loopback);
        let report = case.check(&Method::Graph(GraphOptions::default()));
        let broken = report.finding("no-internal-request").unwrap().verdict.schedule().unwrap();
        assert_eq!(broken.start, 1);
        let compared = case.replay(broken, Threads::OneEach).unwrap();
        assert!(compared.agrees(), "{compared:?}");
        let Remains::Visits(visits) = &compared.real.remains else { panic!("{compared:?}") };
        let asked = request();
        assert_eq!(visits.at(internal()), [Visit::Connected, Visit::of(&asked)]);
        assert!(visits.at(address(2)).is_empty());
        let labels = compared.real.trace.steps.iter().map(|step| &*step.label);
        assert_eq!(
            labels.collect::<Vec<_>>(),
            [
                "resolve(cat.example) = 127.0.0.2",
                "bind cat.example → 127.0.0.3",
                "resolve(cat.example) = 127.0.0.3",
                "connect(127.0.0.3:80) = ok",
                "send(GET http://cat.example/cat.png) = ok",
                "receive = 200 \"of 127.0.0.3\"",
            ]
        );
        let told = crate::report::replay::outcome(&compared);
        let told = anstream::adapter::strip_str(&told).to_string();
        for line in [
            "what arrived on loopback",
            "GET /cat.png of cat.example",
            "(nothing)",
            "loopback agrees: every answer and all that arrived is as simulated",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
    }

    #[test]
    fn every_interleaving_goes_on_loopback_as_in_the_simulation() {
        let case = case();
        let mut schedules = Vec::new();
        case.interleavings(&mut |schedule| {
            schedules.push(schedule.clone());
            true
        });
        for schedule in &schedules {
            let compared = case.replay(schedule, Threads::One).unwrap();
            assert!(compared.agrees(), "{schedule}\n{compared:?}");
        }
        assert_eq!(schedules.len(), 12, "{schedules:?}");
    }

    #[test]
    fn a_schedule_that_went_otherwise_is_no_agreement_and_the_difference_is_told() {
        // These processes are not the simulated ones: their attacker does something else.
        let other = |_| vec![Actor::Look, Actor::Rebind(address(4))];
        let case = NetCase::new(system(&[2, 3, 4].map(address)), other);
        let schedule = Schedule::from_start(1, vec![0, 1, 0, 0, 0]);
        let compared = case.replay(&schedule, Threads::One).unwrap();
        assert!(!compared.agrees());
        let told = crate::report::replay::difference(&compared);
        assert!(told.starts_with("step 2: loopback says `bind cat.example → 127.0.0.4`"), "{told}");
        let quiet = Comparison { real: compared.simulated.clone(), ..compared.clone() };
        let quiet = Comparison {
            real: Replayed { remains: compared.real.remains.clone(), ..quiet.real.clone() },
            ..quiet
        };
        let told = crate::report::replay::difference(&quiet);
        assert!(told.starts_with("what arrived differs: on loopback \"127.0.0.2\\n"), "{told}");
    }

    #[test]
    fn a_server_that_is_not_on_loopback_is_not_furnished() {
        let elsewhere: IpAddr = [192, 0, 2, 1].into();
        let case =
            NetCase::new(system(&[address(2), elsewhere]), actors::<net::LoopbackConnection>);
        let replayed = case.replay(&Schedule::from_start(0, vec![]), Threads::One);
        let Err(CaseError::Replay(error @ ReplayError::Network(_))) = replayed else {
            panic!("{replayed:?}")
        };
        let told = "cannot set up the servers on loopback: \
                    192.0.2.1 is not an address of the loopback interface";
        assert_eq!(error.to_string(), told);
    }

    #[test]
    fn a_schedule_that_is_none_of_the_systems_is_refused() {
        let replayed = case().replay(&Schedule::from_start(2, vec![]), Threads::One);
        assert!(matches!(replayed, Err(CaseError::Play(_))), "{replayed:?}");
        let stressed = case().stress(0, 1);
        assert!(matches!(stressed, Err(CaseError::Replay(ReplayError::Nowhere))), "{stressed:?}");
        assert!(!case().can_run_free());
    }
}
