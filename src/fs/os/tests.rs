//! First floor: files that are told apart.

use super::*;

const CREATE: OFlags = OFlags::CREATE.union(OFlags::RDWR);

/// On the file system of the temporary directory, which may well use a number again, and in memory.
#[test]
fn a_file_that_is_made_when_another_is_gone_is_told_apart_from_it() {
    let memory = Path::new("/dev/shm");
    for parent in [&std::env::temp_dir(), memory].into_iter().filter(|parent| parent.is_dir()) {
        let folder = tempfile::tempdir_in(parent).expect("a temporary directory");
        let world = OsFs::open(folder.path()).expect("a directory").telling_apart();
        let mut fs = &world;
        let mut seen = Vec::new();
        for index in 0..6 {
            let mut file = fs.open("a", CREATE, Mode::RWXU).expect("a new file");
            // Open or by its name.
            let status = match index % 2 {
                0 => fs.which(&mut file),
                _ => fs.stat("a", AtFlags::SYMLINK_NOFOLLOW).ok(),
            };
            seen.push(status.map(|status| (status.device, status.inode)));
            fs.unlink("a").expect("it is there");
        }
        let known = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), known, "in {}: {seen:?}", parent.display());
        assert!(!seen.contains(&None));
    }
}

#[test]
fn a_file_that_is_told_apart_is_locked_by_nobody_for_that() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let world = OsFs::open(folder.path()).expect("a directory").telling_apart();
    let mut fs = &world;
    let mut first = fs.open("a", CREATE, Mode::RWXU).expect("a new file");
    assert!(fs.which(&mut first).is_some());
    assert_eq!(fs.flock(&mut first, FlockOperation::LockExclusive), Ok(()));
    fs.close(first);
    let mut second = fs.open("a", CREATE, Mode::RWXU).expect("the file");
    assert_eq!(fs.flock(&mut second, FlockOperation::LockExclusive), Ok(()));
}
