//! Third floor, `writer`: taking a path apart into where it starts, its directory and its name.
//! Imports its neighbours in `writer` only.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::error::PathFault;

/// A path, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'p> {
    /// Where it starts: `/`, `.`, `..`, `../..`.
    pub(super) anchor: &'p Path,
    /// Its directory from there: no more `..` than names before them, and empty for none.
    pub(super) directory: &'p Path,
    /// The name of the file.
    pub(super) name: &'p Path,
}

/// Takes a path apart; says why where it names no file.
pub(super) fn parts(path: &Path) -> Result<Parts<'_>, PathFault> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(PathFault::Empty);
    }
    if bytes.contains(&0) {
        return Err(PathFault::Nul);
    }
    let split = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (directory, name) = bytes.split_at(split);
    if matches!(name, b"" | b"." | b"..") {
        return Err(PathFault::NoName);
    }
    let (anchor, directory) = if directory.first() == Some(&b'/') {
        (&b"/"[..], trimmed(directory))
    } else {
        match climbed(directory) {
            0 => (&b"."[..], trimmed(directory)),
            up => (&directory[..up], trimmed(&directory[up..])),
        }
    };
    if climbs(directory) {
        return Err(PathFault::Climbs);
    }
    let path = |bytes| Path::new(OsStr::from_bytes(bytes));
    Ok(Parts { anchor: path(anchor), directory: path(directory), name: path(name) })
}

/// Without the slashes at both ends.
fn trimmed(directory: &[u8]) -> &[u8] {
    let start = directory.iter().position(|byte| *byte != b'/').unwrap_or(directory.len());
    let end = directory.iter().rposition(|byte| *byte != b'/').map_or(start, |last| last + 1);
    &directory[start..end]
}

/// How long the part is that goes up, `../` and `./` only, if it goes up at all.
fn climbed(directory: &[u8]) -> usize {
    let (mut end, mut up) = (0, 0);
    for component in directory.split_inclusive(|byte| *byte == b'/') {
        end += component.len();
        match component {
            b"/" | b"./" => {}
            b"../" => up = end,
            _ => break,
        }
    }
    up
}

/// Whether there are more `..` than names before them.
fn climbs(directory: &[u8]) -> bool {
    let mut depth = 0;
    directory.split(|byte| *byte == b'/').any(|component| {
        depth += match component {
            b"" | b"." => 0,
            b".." => -1,
            _ => 1,
        };
        depth < 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_an_anchor_a_directory_and_a_name() {
        for (path, anchor, directory, name) in [
            ("P", ".", "", "P"),
            ("./P", ".", ".", "P"),
            ("/P", "/", "", "P"),
            ("//P", "/", "", "P"),
            ("/a//b/P", "/", "a//b", "P"),
            ("a/b/P", ".", "a/b", "P"),
            ("a/../P", ".", "a/..", "P"),
            ("../P", "../", "", "P"),
            (".././..//a/P", ".././../", "a", "P"),
            ("./../a/../P", "./../", "a/..", "P"),
            ("...", ".", "", "..."),
            ("..a/P", ".", "..a", "P"),
        ] {
            let parts = parts(Path::new(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"));
            let told = [parts.anchor, parts.directory, parts.name].map(|part| part.to_str());
            assert_eq!(told, [Some(anchor), Some(directory), Some(name)], "{path}");
        }
    }

    #[test]
    fn a_path_that_names_no_file_is_none() {
        for (path, fault) in [
            ("", PathFault::Empty),
            ("a\0b", PathFault::Nul),
            ("/", PathFault::NoName),
            ("a/", PathFault::NoName),
            (".", PathFault::NoName),
            ("a/.", PathFault::NoName),
            ("..", PathFault::NoName),
            ("a/../..", PathFault::NoName),
            ("a/../../P", PathFault::Climbs),
            ("/../P", PathFault::Climbs),
        ] {
            assert_eq!(parts(Path::new(path)), Err(fault), "{path:?}");
        }
    }
}
