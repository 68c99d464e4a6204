//! The deadlock of the published fix, made to happen: two async tasks, one thread, and a standard
//! mutex that is held across an await.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// An await that is not ready at first, as a query's is not.
async fn query() {
    let mut sent = false;
    poll_fn(|_| if std::mem::replace(&mut sent, true) { Poll::Ready(()) } else { Poll::Pending })
        .await
}

/// The published handler: check, then update, under the mutex. (clippy knows this bug by name.)
#[expect(clippy::await_holding_lock)]
async fn holds_across_awaits(mutex: Arc<Mutex<u32>>) {
    let mut cancelled = mutex.lock().unwrap_or_else(PoisonError::into_inner);
    query().await;
    query().await;
    *cancelled += 1;
}

/// The same, with the mutex held where nothing is awaited.
async fn holds_in_between(mutex: Arc<Mutex<u32>>) {
    query().await;
    *mutex.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    query().await;
}

/// One worker that polls two tasks in turn, in a thread of its own; whether both come to their end.
/// If not, the thread stays where it is until the process ends.
fn both_end<F: Future<Output = ()> + 'static>(task: fn(Arc<Mutex<u32>>) -> F) -> bool {
    let (ended, ends) = channel();
    thread::spawn(move || {
        let mutex = Arc::new(Mutex::new(0));
        let (one, other) = (pin!(task(Arc::clone(&mutex))), pin!(task(mutex)));
        let mut tasks: Vec<Pin<&mut F>> = vec![one, other];
        let mut context = Context::from_waker(Waker::noop());
        while !tasks.is_empty() {
            tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        }
        let _ = ended.send(());
    });
    let waited = ends.recv_timeout(Duration::from_millis(500));
    assert_ne!(waited, Err(RecvTimeoutError::Disconnected), "a task panicked");
    waited.is_ok()
}

#[test]
fn a_mutex_held_across_an_await_stops_a_real_worker_for_ever() {
    assert!(both_end(holds_in_between), "the worker itself is sound");
    assert!(!both_end(holds_across_awaits));
}
