//! Fourth floor, `replay`: free runs on the kernel's file system, without the step-lock: what a
//! test sees that fires requests and hopes. Imports [`fs`](crate::fs) and its neighbours in
//! `replay`.

use std::path::Path;

use super::crowd::{Crowd, PATIENCE};
use super::files::temporary_directory;
use super::{Furnished, ReplayError};
use crate::fs::{OsFs, Tree};
use crate::{Process, run};

/// Runs all actors of a start at once on real threads, `rounds` times, each time in a fresh
/// directory. Calls `judge` with the results of the actors (in their order) and with what they
/// left.
pub fn stress<Q, T>(
    furnished: &Furnished<Q>,
    start: usize,
    rounds: usize,
    mut judge: impl FnMut(Vec<T>, &Tree),
) -> Result<(), ReplayError>
where
    Q: for<'a> Process<&'a OsFs, Output = T> + Send + 'static,
    T: Send + 'static,
{
    let parent = temporary_directory()?;
    let act = |(process, fs): (Q, OsFs)| run(process, &mut &fs);
    let mut crowd = Crowd::new((furnished.actors)(start).len(), PATIENCE, act)?;
    for round in 0..rounds {
        let directory = parent.path().join(round.to_string());
        std::fs::create_dir(&directory)
            .map_err(|error| ReplayError::Directory(directory.clone().into(), error))?;
        let fs = furnished.furnished(start, &directory)?;
        let actors = (furnished.actors)(start).into_iter();
        let jobs = actors.map(|actor| Ok((actor, waiting(&directory)?)));
        let ended = crowd.round(jobs.collect::<Result<_, ReplayError>>()?)?;
        judge(ended, &fs.tree().map_err(ReplayError::Tree)?);
        let _ = std::fs::remove_dir_all(&directory);
    }
    Ok(())
}

fn waiting(directory: &Path) -> Result<OsFs, ReplayError> {
    Ok(OsFs::open(directory).map_err(ReplayError::furnish)?.waiting())
}
