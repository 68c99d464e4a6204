//! Fetches per second on loopback: `Fetcher`, with a policy and a deadline, beside a bare client
//! (`ureq`, which neither judges addresses nor has a deadline here) and beside the acts of `OsNet`
//! alone, without the machine that decides about them.
//!
//! All three make a connection for each fetch and ask a resolver that knows the answer, so that neither
//! name servers nor pools of connections are measured. The server is one thread that has its answers
//! ready.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use toctou::fetch::{Fetcher, Limits};
use toctou::net::{Method, NetError, Network, Opening, OsNet, Policy, Request, Resolve, Url};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Where the server is.
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// The bodies' sizes.
const SIZES: [usize; 2] = [1024, 256 * 1024];
/// Fetches timed in one go.
const BATCH: usize = 16;

/// Answers each connection's request with a body as long as its path says, for ever.
fn serve(listener: &TcpListener) -> std::io::Result<()> {
    let pages = SIZES.map(|size| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {size}");
        let page = [head.as_bytes(), b"\r\n\r\n", &vec![7; size]].concat();
        (format!("GET /{size} "), page)
    });
    let mut request = [0; 4096];
    loop {
        let (mut stream, _) = listener.accept()?;
        let mut end = 0;
        while !request[..end].ends_with(b"\r\n\r\n") {
            end += match stream.read(&mut request[end..])? {
                0 => break,
                read => read,
            };
        }
        let page = pages.iter().find(|(start, _)| request.starts_with(start.as_bytes()));
        let (_, page) = page.expect("nobody asks for anything else");
        stream.write_all(page)?;
    }
}

/// Knows that every name is the server's.
#[derive(Debug)]
struct Known(SocketAddr);

impl Resolve for Known {
    fn resolve(&self, _: &str, _: Instant) -> Result<Vec<IpAddr>, NetError> {
        Ok(vec![self.0.ip()])
    }
}

impl Resolver for Known {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = Resolver::empty(self);
        addresses.push(self.0);
        Ok(addresses)
    }
}

/// Who fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Bare,
    Acts,
    Fetcher,
}

impl By {
    const ALL: [By; 3] = [By::Bare, By::Acts, By::Fetcher];

    fn name(self) -> &'static str {
        match self {
            By::Bare => "ureq",
            By::Acts => "acts",
            By::Fetcher => "fetcher",
        }
    }
}

struct Clients {
    server: SocketAddr,
    agent: ureq::Agent,
    resolver: Arc<Known>,
    fetcher: Fetcher,
}

impl Clients {
    fn new() -> Self {
        let listener = TcpListener::bind((SERVER, 0)).expect("an address of loopback");
        let server = listener.local_addr().expect("it listens");
        thread::spawn(move || serve(&listener).expect("a server that goes on"));
        let config = ureq::Agent::config_builder().max_idle_connections(0).proxy(None).build();
        let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), Known(server));
        let resolver = Arc::new(Known(server));
        let fetcher = Fetcher::new(Limits::default())
            .with_policy(Policy::public().opening(Opening::of(SERVER).at(0..=u16::MAX)))
            .with_resolver(resolver.clone());
        Clients { server, agent, resolver, fetcher }
    }

    /// Fetches a body of this size once.
    fn fetch(&self, by: By, url: &str) -> Vec<u8> {
        match by {
            By::Bare => {
                let mut response = self.agent.get(url).call().expect("an answer");
                response.body_mut().read_to_vec().expect("a body")
            }
            By::Acts => self.acts(url).expect("an answer"),
            By::Fetcher => self.fetcher.fetch(url).expect("an answer").bytes,
        }
    }

    fn acts(&self, url: &str) -> Result<Vec<u8>, NetError> {
        let Limits { bytes, timeout, .. } = Limits::default();
        let url = Url::parse(url).expect("a URL");
        let mut net = OsNet::new(timeout).with_resolver(self.resolver.clone());
        let addresses = net.resolve(url.host_str().unwrap_or_default())?;
        let port = url.port_or_known_default().unwrap_or_default();
        let mut connection = net.connect((addresses[0], port).into())?;
        net.send(&mut connection, &Request::new(Method::Get, url))?;
        Ok(net.receive(connection, bytes)?.body)
    }

    /// How long a batch takes.
    fn batch(&self, by: By, size: usize) -> Duration {
        let url = format!("http://images.test:{}/{size}", self.server.port());
        let began = Instant::now();
        for _ in 0..BATCH {
            assert_eq!(black_box(self.fetch(by, &url)).len(), size);
        }
        began.elapsed()
    }
}

fn fetches(criterion: &mut Criterion) {
    let clients = Clients::new();
    let mut group = criterion.benchmark_group("fetch");
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        for by in By::ALL {
            group.bench_function(BenchmarkId::new(by.name(), size), |bencher| {
                bencher.iter_custom(|count| {
                    let batches = count.div_ceil(BATCH as u64);
                    let took: Duration = (0..batches).map(|_| clients.batch(by, size)).sum();
                    took.mul_f64(count as f64 / (batches * BATCH as u64) as f64)
                });
            });
        }
    }
    group.finish();
    for size in SIZES {
        print_ratios(&clients, size);
    }
}

/// Prints how much longer a fetch takes: the median over many rounds of batches run next to one another,
/// so that what the machine does meanwhile falls on all.
fn print_ratios(clients: &Clients, size: usize) {
    const ROUNDS: usize = 300;
    let mut times = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        // Who goes first takes turns, too.
        for turn in 0..By::ALL.len() {
            let by = (round + turn) % By::ALL.len();
            times[by].push(clients.batch(By::ALL[by], size).as_secs_f64() / BATCH as f64);
        }
    }
    let [bare, acts, fetcher] = &times;
    println!(
        "fetch/{size}: ureq {:.1} us, acts {:.1} us, fetcher {:.1} us; median of {ROUNDS} ratios: \
         fetcher to ureq {:+.1} %, fetcher to acts {:+.1} %",
        median(bare) * 1e6,
        median(acts) * 1e6,
        median(fetcher) * 1e6,
        more(bare, fetcher),
        more(acts, fetcher),
    );
}

/// By how many percent one takes more than the other next to it.
fn more(than: &[f64], takes: &[f64]) -> f64 {
    let ratios: Vec<f64> = than.iter().zip(takes).map(|(than, takes)| takes / than).collect();
    (median(&ratios) - 1.0) * 100.0
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

criterion_group!(benches, fetches);
criterion_main!(benches);
