//! Third floor, `fetch`: a connector for hyper's client. Imports [`net`](crate::net), its
//! neighbours in `fetch`, and Tokio's sockets.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::timeout;
use tower_service::Service;

use super::{Act, Ask, Errand, FetchError, Fetcher, UrlFault, failed};
use crate::net::{NetError, OsNet};

/// Makes the connections of hyper's client, and only those that its [`Fetcher`] allows.
///
/// ```no_run
/// use http_body_util::BodyExt;
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
/// use toctou::fetch::{FetchError, Fetcher, Limits};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let connector = Fetcher::new(Limits::default()).connector();
/// let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector);
/// match client.get("http://images.example/cat.png".parse()?).await {
///     Ok(response) => {
///         // The size of the body is for you to limit.
///         let body = http_body_util::Limited::new(response.into_body(), 1 << 20);
///         println!("{} bytes", body.collect().await?.to_bytes().len());
///     }
///     Err(error) => match std::error::Error::source(&error).and_then(|it| it.downcast_ref()) {
///         // For whoever gave the URL. The error itself is for the operator's log.
///         Some(error) => println!("{}", FetchError::public(error)),
///         None => println!("the server's response could not be received"),
///     },
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Promised
///
/// The client makes no connection to an address that the policy does not allow, whatever URL or
/// redirect it follows: each of its connections comes from this connector. For each connection:
///
/// - The URL's scheme, host and port are judged like those of a [fetch](Fetcher::fetch). This
///   includes an address in the URL, however it is written.
/// - The host's name is resolved once, every address of the name is judged, and exactly these
///   addresses are connected to. As with [`OsNet`], while an address is silent the next one is
///   tried beside it [a moment later](OsNet::CONNECT_DELAY).
/// - All of this ends by the fetcher's [deadline](super::Limits::timeout), which starts with the
///   connection. Each address gets the fetcher's
///   [`connect_timeout`](super::Limits::connect_timeout).
///
/// A connection that is refused or fails is a [`FetchError`]: the
/// [`source`](std::error::Error::source) of the client's error.
///
/// # Not promised
///
/// - TLS. The connector connects to `http` only, unless another connector that encrypts is [wrapped
///   around it](Connector::under_tls).
/// - A limit on the size or the time of a response. Of the fetcher's limits, only those above apply
///   here.
/// - Redirects. hyper follows none. Code that follows them is judged at each hop. It has to count
///   them, and to decide which headers go to another origin.
/// - Another lookup for a connection that the client keeps open. That connection leads where it was
///   judged to lead.
/// - Anything about servers behind a proxy. If a connector for a proxy wraps this one, the proxy's
///   address is judged and the target's is not.
///
/// It needs a Tokio runtime with I/O and time enabled.
#[derive(Clone, Debug)]
pub struct Connector {
    fetcher: Fetcher,
    is_under_tls: bool,
}

/// A connection that is being made by a [`Connector`].
pub struct Connecting(Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, FetchError>> + Send>>);

impl Fetcher {
    /// A connector for hyper's client that connects to nothing that this fetcher would not connect
    /// to.
    pub fn connector(&self) -> Connector {
        Connector { fetcher: self.clone(), is_under_tls: false }
    }
}

impl Connector {
    /// The same connector, for wrapping in a connector that encrypts
    /// (`hyper_rustls::HttpsConnector`, say). It also connects to URLs with `https`. Its own
    /// connection is plain, so without that wrapper the request would be sent in the clear.
    pub fn under_tls(self) -> Self {
        Connector { is_under_tls: true, ..self }
    }

    /// Before anybody is asked anything.
    fn begun(&self, uri: &Uri) -> Result<Errand, FetchError> {
        let errand = Errand::new(&uri.to_string(), Ask::get(), self.fetcher.rules.clone())?;
        match errand.hop.url.scheme() {
            "https" if !self.is_under_tls => {
                let (url, fault) = (errand.hop.url.as_str(), UrlFault::scheme("https"));
                Err(FetchError::bad_url(0, url, fault))
            }
            _ => Ok(errand),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = FetchError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let begun = self.begun(&uri);
        // From here on time counts.
        let mut net = self.fetcher.net();
        let limits = self.fetcher.limits;
        Connecting(Box::pin(async move {
            let errand = begun?;
            let hop = errand.hop.clone();
            let mut act = Act::Resolve;
            let connected = async {
                let looked = spawn_blocking(move || errand.addresses(&mut net)).await;
                let lost = |error: JoinError| NetError::Resolver(error.to_string().into());
                let addresses =
                    looked.map_err(|error| failed(&hop, Act::Resolve, lost(error)))??;
                if let Some(first) = addresses.first() {
                    act = Act::Connect(*first);
                }
                let raced = first_accepted(&addresses, limits.connect_timeout).await;
                raced.map_err(|(to, error)| failed(&hop, Act::Connect(to), error))
            };
            let connected = timeout(limits.timeout, connected).await;
            let stream =
                connected.unwrap_or_else(|_| Err(failed(&hop, act, NetError::TimedOut)))?;
            Ok(TokioIo::new(stream))
        }))
    }
}

impl Future for Connecting {
    type Output = Result<TokioIo<TcpStream>, FetchError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

/// Connects to the first of these addresses that accepts: the next one is begun with when one has
/// failed, and at the latest after [`OsNet::CONNECT_DELAY`]. Those that are not taken are given up.
async fn first_accepted(
    addresses: &[SocketAddr],
    connect_timeout: Duration,
) -> Result<TcpStream, (SocketAddr, NetError)> {
    let mut waiting = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    let mut failed = None;
    loop {
        if let Some(to) = waiting.next() {
            attempts.spawn(async move {
                match timeout(connect_timeout, connected(to)).await {
                    Ok(connected) => connected.map_err(|error| (to, NetError::from(error))),
                    Err(_) => Err((to, NetError::TimedOut)),
                }
            });
        }
        let delay = if waiting.len() == 0 { Duration::MAX } else { OsNet::CONNECT_DELAY };
        match timeout(delay, attempts.join_next()).await {
            // It is the next one's turn.
            Err(_) => {}
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => failed = Some(error),
            // The runtime is going away.
            Ok(Some(Err(_))) => {}
            Ok(None) => {
                let unsaid = SocketAddr::from(([0; 4], 0));
                return Err(failed.unwrap_or((unsaid, NetError::TimedOut)));
            }
        }
    }
}

async fn connected(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    // hyper writes what is whole.
    stream.set_nodelay(true)?;
    Ok(stream)
}
