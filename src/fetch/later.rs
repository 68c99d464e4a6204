//! Third floor, `fetch`: a fetch that somebody else waits for. Imports its neighbours in `fetch`.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use super::{FetchError, Fetched};

type Outcome = thread::Result<Result<Fetched, FetchError>>;

/// A fetch that is running in a thread of its own: a future for every executor. If the fetch
/// panics, the future panics when it is awaited. Only a resolver of your own can panic.
///
/// Dropping the future does not end the fetch, which ends by its deadline. Each fetch keeps its
/// thread until then. Limit how many there are, as you would with `spawn_blocking`.
#[derive(Debug)]
#[must_use = "a future does nothing for whoever does not wait for it"]
pub struct Fetching(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fetching {
    /// What is known already.
    pub(super) fn done(outcome: Result<Fetched, FetchError>) -> Self {
        let outcome = Some(Ok(outcome));
        Fetching(Arc::new(Mutex::new(Shared { outcome, waker: None })))
    }

    /// What comes of `fetch`; `unless` there is no thread for it.
    pub(super) fn begun(
        fetch: impl FnOnce() -> Result<Fetched, FetchError> + Send + 'static,
        unless: impl FnOnce(std::io::Error) -> FetchError,
    ) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let told = shared.clone();
        let thread = thread::Builder::new().name("toctou-fetch".to_owned()).spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(fetch));
            let waker = {
                let mut shared = locked(&told);
                shared.outcome = Some(outcome);
                shared.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        match thread {
            Ok(_) => Fetching(shared),
            Err(error) => Self::done(Err(unless(error))),
        }
    }
}

impl Future for Fetching {
    type Output = Result<Fetched, FetchError>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut shared = locked(&self.0);
        match shared.outcome.take() {
            Some(Ok(fetched)) => Poll::Ready(fetched),
            Some(Err(panic)) => {
                drop(shared);
                resume_unwind(panic)
            }
            // It was told, and nobody is left to wake.
            None if Arc::strong_count(&self.0) == 1 => panic!("polled after it was ready"),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
