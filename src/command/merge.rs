//! Top floor, the command: `merge`. Imports [`report`](crate::report).

use std::fs;

use crate::report::merged::{Merged, Rows, merged};
use crate::report::{overview, summary, table};
use crate::survey::Names;

use super::arguments::Merge;
use super::out::Out;
use super::report::Draft;
use super::{AsItShould, Failure};

/// The shares of several machines as one table, and whether all in it is as recorded.
pub(super) fn merge(names: Names, asked: &Merge, verbose: bool) -> Result<AsItShould, Failure> {
    let read = asked.files.iter().map(|path| match fs::read_to_string(path) {
        Ok(text) => Ok(Rows { name: path.display().to_string(), text }),
        Err(error) => Err(Failure::Read(path.clone(), error)),
    });
    let Merged { survey, disagreements } = merged(names, &read.collect::<Result<Vec<_>, _>>()?)?;
    let draft = asked.report.as_deref().map(Draft::new).transpose()?;
    let mut out = Out::new();
    out.say(&match verbose {
        true => table::tables(&survey),
        false => overview::overview(&survey),
    })?;
    out.line("")?;
    out.say(&summary::engines(&survey))?;
    out.line("")?;
    for disagreement in &disagreements {
        out.line(disagreement)?;
    }
    out.say(&summary::audit(&survey))?;
    if let Some(draft) = draft {
        draft.write(&survey, &mut out)?;
    }
    let as_recorded = survey.is_as_recorded() && disagreements.is_empty();
    Ok(AsItShould::be_if(as_recorded && summary::is_checked(&survey)))
}
