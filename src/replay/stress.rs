//! Fourth floor, `replay`: the actors let loose, no step-lock: what a test that fires requests and
//! hopes would see. Imports [`fs`](crate::fs).

use std::path::Path;
use std::sync::Barrier;
use std::sync::mpsc::channel;

use super::files::temporary_directory;
use super::{Furnished, ReplayError};
use crate::fs::{OsFs, Tree};
use crate::{Process, run};

/// Runs all actors of a start at once on real threads, `rounds` times, each in a fresh directory, and
/// shows `judge` what they ended with (in their order) and what they left.
///
/// The threads are started once and let go together each round, so chance gets as good a chance as
/// one can give it.
pub fn stress<Q, T>(
    furnished: &Furnished<Q>,
    start: usize,
    rounds: usize,
    mut judge: impl FnMut(Vec<T>, &Tree),
) -> Result<(), ReplayError>
where
    Q: for<'a> Process<&'a OsFs, Output = T> + Send,
    T: Send,
{
    let parent = temporary_directory()?;
    let count = (furnished.actors)(start).len();
    let go = Barrier::new(count);
    std::thread::scope(|scope| {
        let go = &go;
        let threads: Vec<_> = (0..count)
            .map(|_| {
                let (give, work) = channel::<(Q, OsFs)>();
                let (tell, told) = channel();
                scope.spawn(move || {
                    for (process, fs) in work {
                        go.wait();
                        if tell.send(run(process, &mut &fs)).is_err() {
                            return;
                        }
                    }
                });
                (give, told)
            })
            .collect();
        for round in 0..rounds {
            let directory = parent.path().join(round.to_string());
            std::fs::create_dir(&directory)
                .map_err(|error| ReplayError::Directory(directory.clone().into(), error))?;
            let fs = furnished.furnished(start, &directory)?;
            // All are opened before any is handed out: a thread that got none would leave the
            // others waiting at the barrier.
            let worlds: Vec<OsFs> =
                (0..count).map(|_| waiting(&directory)).collect::<Result<_, _>>()?;
            let actors = (furnished.actors)(start).into_iter();
            for (actor, ((process, fs), (give, _))) in actors.zip(worlds).zip(&threads).enumerate()
            {
                give.send((process, fs)).map_err(|_| ReplayError::Panicked(actor))?;
            }
            let mut ended = Vec::with_capacity(count);
            for (actor, (_, told)) in threads.iter().enumerate() {
                ended.push(told.recv().map_err(|_| ReplayError::Panicked(actor))?);
            }
            judge(ended, &fs.tree().map_err(ReplayError::Tree)?);
            let _ = std::fs::remove_dir_all(&directory);
        }
        Ok(())
    })
}

fn waiting(directory: &Path) -> Result<OsFs, ReplayError> {
    Ok(OsFs::open(directory).map_err(ReplayError::furnish)?.waiting())
}
