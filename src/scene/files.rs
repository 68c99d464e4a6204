//! Fourth floor, `scene`: a simulated file system. Imports [`fs`](crate::fs).

use super::{Line, Section, holders};
use crate::fs::{Kind, SimFs, SimInode};
use crate::held;

/// The names with what they stand for, and what is open without a name.
pub(super) fn sections(fs: &SimFs) -> Vec<Section> {
    let inodes: Vec<SimInode<'_>> = fs.inodes().collect();
    let mut files = Section::new(
        "Files",
        &["name", "inode", "what", "owner", "links", "content", "lock", "open by"],
    );
    if let Some(root) = inodes.first() {
        named(&inodes, root, "", &mut files);
    }
    let mut nameless = Section::new(
        "Files without a name",
        &["inode", "what", "owner", "content", "lock", "open by"],
    );
    for inode in inodes.iter().filter(|inode| inode.links() == 0) {
        let (number, what, content) = (inode.number().to_string(), what(inode), content(inode));
        let owner = inode.owner().as_raw().to_string();
        let cells = vec![number.clone(), what, owner, content, inode.locks(), open_by(inode)];
        nameless.rows.push(Line { key: number, cells, is_for_holders: true });
    }
    let mut sections = vec![files];
    if !nameless.rows.is_empty() {
        sections.push(nameless);
    }
    sections
}

/// What is in a directory, and below.
fn named(inodes: &[SimInode<'_>], directory: &SimInode<'_>, path: &str, files: &mut Section) {
    for (name, number) in directory.entries() {
        let Some(inode) = inodes.get(number) else { continue };
        let slash = if inode.kind() == Kind::Directory { "/" } else { "" };
        let path = format!("{path}{}{slash}", String::from_utf8_lossy(name).escape_debug());
        let links = match inode.kind() {
            Kind::Directory => String::new(),
            _ => inode.links().to_string(),
        };
        let owner = inode.owner().as_raw().to_string();
        let cells = vec![
            path.clone(),
            number.to_string(),
            what(inode),
            owner,
            links,
            content(inode),
            inode.locks(),
            open_by(inode),
        ];
        files.row(path.clone(), cells);
        if inode.kind() == Kind::Directory {
            named(inodes, inode, &path, files);
        }
    }
}

/// `file 0600`
fn what(inode: &SimInode<'_>) -> String {
    let kind = match inode.kind() {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => return "symbolic link".to_owned(),
        Kind::Fifo => "pipe",
        Kind::Socket => "socket",
        Kind::CharacterDevice | Kind::BlockDevice => "device",
        Kind::Other => "something else",
    };
    format!("{kind} {:04o}", inode.mode().as_raw_mode())
}

fn content(inode: &SimInode<'_>) -> String {
    match (inode.bytes(), inode.target()) {
        (Some([]), _) => "empty".to_owned(),
        (Some(bytes), _) => format!("{:?}", String::from_utf8_lossy(bytes)),
        (None, Some(target)) => format!("→ {}", target.escape_debug()),
        (None, None) => String::new(),
    }
}

fn open_by(inode: &SimInode<'_>) -> String {
    holders(held::Kind::File, inode.number() as u64)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::sections;
    use crate::fs::{Errno, FileSystem, FlockOperation, Mode, OFlags, SimFs};
    use crate::held;

    #[test]
    fn a_file_goes_by_its_inode_through_all_its_names_and_after_the_last() -> Result<(), Errno> {
        let mode = Mode::RUSR | Mode::WUSR;
        let mut fs =
            SimFs::new().with_file("a", mode, b"s3cret")?.with_directory("d", Mode::RWXU)?;
        fs.link("a", "d/b")?;
        fs.symlink(Path::new("a"), "l")?;
        let mut file = fs.open("a", OFlags::RDONLY, Mode::empty())?;
        fs.flock(&mut file, FlockOperation::NonBlockingLockShared)?;
        let told = |fs: &SimFs| -> Vec<String> {
            let rows = sections(fs).into_iter().flat_map(|section| section.rows);
            rows.map(|row| row.cells.join(" | ")).collect()
        };
        let open_by = "\u{1}f1\u{2}";
        assert_eq!(
            told(&fs),
            [
                format!("a | 1 | file 0600 | 0 | 2 | \"s3cret\" | shared by 1 | {open_by}"),
                "d/ | 2 | directory 0700 | 0 |  |  |  | \u{1}f2\u{2}".to_owned(),
                format!("d/b | 1 | file 0600 | 0 | 2 | \"s3cret\" | shared by 1 | {open_by}"),
                "l | 3 | symbolic link | 0 | 1 | → a |  | \u{1}f3\u{2}".to_owned(),
            ]
        );
        fs.unlink("a")?;
        fs.unlink("d/b")?;
        let nameless = sections(&fs).pop().unwrap();
        assert_eq!(nameless.title, "Files without a name");
        assert!(nameless.rows.iter().all(|row| row.is_for_holders));
        let cells = nameless.rows[0].cells.join(" | ");
        assert_eq!(cells, format!("1 | file 0600 | 0 | \"s3cret\" | shared by 1 | {open_by}"));
        let holdings: Vec<String> = held::of(&file).into_iter().map(|it| it.how).collect();
        assert_eq!(holdings, ["read, shared lock"]);
        fs.close(file);
        Ok(())
    }
}
