//! Fourth floor, `replay`: threads that are let go together, round after round. Imports its
//! neighbours in `replay`.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::ReplayError;

/// How long a round may take. No result depends on it: it only ends a round that would never end.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Threads that each do one job in each round. They are started once, and released together in each
/// round, to give chance the best chance.
///
/// They end with the crowd, unless a round was given up. A thread that is late then stays behind
/// until the call that it waits in returns.
pub(super) struct Crowd<J, T> {
    threads: Vec<Member<J, T>>,
    patience: Duration,
    /// The actor with which the last round failed.
    failed: Option<usize>,
    is_late: bool,
}

struct Member<J, T> {
    give: Sender<J>,
    told: Receiver<T>,
    thread: JoinHandle<()>,
}

impl<J: Send + 'static, T: Send + 'static> Crowd<J, T> {
    /// Starts this many threads. Each does `work` on the job that it is given.
    pub(super) fn new(
        count: usize,
        patience: Duration,
        work: impl Fn(J) -> T + Clone + Send + 'static,
    ) -> Result<Self, ReplayError> {
        let go = Arc::new(Barrier::new(count));
        let start = |_| {
            let (give, jobs) = channel();
            let (tell, told) = channel();
            let (go, work) = (Arc::clone(&go), work.clone());
            let thread = Builder::new().spawn(move || {
                for job in jobs {
                    go.wait();
                    if tell.send(work(job)).is_err() {
                        return;
                    }
                }
            });
            thread.map(|thread| Member { give, told, thread }).map_err(ReplayError::Thread)
        };
        let threads = (0..count).map(start).collect::<Result<_, _>>()?;
        Ok(Crowd { threads, patience, failed: None, is_late: false })
    }

    /// Releases all threads, each with a job, and returns their results in this order. After an
    /// error there is no further round.
    ///
    /// # Panics
    ///
    /// If there are not as many jobs as threads: the other threads would wait for a job that does
    /// not come.
    pub(super) fn round(&mut self, jobs: Vec<J>) -> Result<Vec<T>, ReplayError> {
        assert_eq!(jobs.len(), self.threads.len(), "a job for each thread");
        if let Some(actor) = self.failed {
            return Err(ReplayError::Panicked(actor));
        }
        let until = Instant::now() + self.patience;
        for (job, member) in jobs.into_iter().zip(&self.threads) {
            // None has failed, so each is there; if not, it is found out below.
            let _ = member.give.send(job);
        }
        let mut results = Vec::with_capacity(self.threads.len());
        for (actor, member) in self.threads.iter().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            let error = match member.told.recv_timeout(left) {
                Ok(result) => {
                    results.push(result);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => ReplayError::Panicked(actor),
                Err(RecvTimeoutError::Timeout) => {
                    self.is_late = true;
                    ReplayError::Late { seconds: self.patience.as_secs_f32() }
                }
            };
            self.failed = Some(actor);
            return Err(error);
        }
        Ok(results)
    }
}

impl<J, T> Drop for Crowd<J, T> {
    fn drop(&mut self) {
        for Member { give, told, thread } in self.threads.drain(..) {
            drop((give, told));
            if !self.is_late {
                // That it panicked was told.
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn each_does_its_job_each_round_and_ends_with_the_last() {
        let held = Arc::new(1);
        let one = Arc::clone(&held);
        let mut crowd = Crowd::new(3, PATIENCE, move |number: usize| number + *one).unwrap();
        for round in 0..200 {
            assert_eq!(
                crowd.round(vec![round, 10, 20]).unwrap(),
                [round + 1, 11, 21],
                "in their order"
            );
        }
        assert!(Arc::strong_count(&held) > 1);
        drop(crowd);
        assert_eq!(Arc::strong_count(&held), 1, "no thread has it any longer");
    }

    #[test]
    fn who_panics_is_told_and_nobody_waits_for_it() {
        let work = |panics: bool| assert!(!panics, "as it is to");
        let mut crowd = Crowd::new(2, PATIENCE, work).unwrap();
        assert!(crowd.round(vec![false, false]).is_ok());
        let failed = [crowd.round(vec![false, true]), crowd.round(vec![false, false])];
        for failed in failed {
            assert!(matches!(failed, Err(ReplayError::Panicked(1))), "{failed:?}");
        }
    }

    #[test]
    fn who_never_comes_back_is_given_up() {
        let (answer, answered) = channel::<()>();
        let answered = Arc::new(std::sync::Mutex::new(answered));
        let hangs = move |hangs: bool| {
            if hangs {
                let _ = answered.lock().map(|answered| answered.recv());
            }
        };
        let mut crowd = Crowd::new(2, SHORT, hangs).unwrap();
        let late = crowd.round(vec![true, false]).unwrap_err();
        assert!(late.to_string().contains("no answer within 0.05 seconds"), "{late}");
        // It does not wait for the one that hangs.
        drop(crowd);
        drop(answer);
    }
}
