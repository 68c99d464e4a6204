//! Top floor, the command: the page of everything that was found. Imports
//! [`report`](crate::report).

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::report::{count, page};

use super::arguments::Report;
use super::check::Only;
use super::out::Out;
use super::{AsItShould, Failure, check};
use crate::survey::{Names, Survey};

pub(super) fn report(names: Names, asked: &Report) -> Result<AsItShould, Failure> {
    let draft = Draft::new(&asked.file)?;
    let plan = check::plan(names, &asked.systems, Only::default())?;
    draft.write(&check::run(&plan), &mut Out::new())?;
    Ok(AsItShould::Be)
}

/// A page that is to be written. It is made before the work, which may take minutes: a folder that takes no
/// file is told at once.
pub(super) struct Draft<'f> {
    path: &'f Path,
    file: tempfile::NamedTempFile,
}

impl<'f> Draft<'f> {
    pub(super) fn new(path: &'f Path) -> Result<Self, Failure> {
        Ok(Draft { path, file: draft(&folder(path)?, path)? })
    }

    /// Writes the page of this survey, and says so.
    pub(super) fn write(mut self, survey: &Survey, out: &mut Out) -> Result<(), Failure> {
        let page = page::page(survey)?;
        let written = self.file.write_all(page.as_bytes()).and_then(|()| self.file.flush());
        let unwritten = |error| Failure::Report(self.path.to_owned(), error);
        written.map_err(unwritten)?;
        self.file.persist(self.path).map_err(|error| unwritten(error.error))?;
        let size = count(page.len(), "byte");
        out.line(&format!("{}: {size}; open it in a browser", self.path.display()))
    }
}

/// The folder that the file is to be in, which has to be there.
fn folder(file: &Path) -> Result<PathBuf, Failure> {
    if file.is_dir() {
        let told = format!("{} is a folder: name a file, such as report.html", file.display());
        return Err(Failure::Usage(told));
    }
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        let told = format!("there is no folder {}: make it first", folder.display());
        return Err(Failure::Usage(told));
    }
    Ok(folder)
}

/// A file beside the one that is to be, which becomes that one once it is whole: what is there stays until then.
fn draft(folder: &Path, file: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    let unwritten = |error| Failure::Report(file.to_owned(), error);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".toctou-report-").suffix(".html");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any file that a person makes: the umask takes away what it does.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map_err(unwritten)
}
