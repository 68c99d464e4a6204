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
