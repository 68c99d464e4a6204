//! Bytes, offsets and lengths of files, and locks on bytes.

use super::*;

#[test]
fn appending_writes_at_the_end_whatever_the_offset_that_is_asked_for() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (Call::Write(0, b"s3cret"), "write(\"s3cret\") = 6"),
        (open(1, "a", OFlags::RDWR | OFlags::APPEND), "open(a, append) = ok"),
        (Call::Pwrite(1, b"x", 0), "pwrite(\"x\", at 0) = 1"),
        (Call::Pread(1, 8, 4), "pread(at 4) = \"etx\""),
        (Call::Lseek(1, SeekFrom::Current(0)), "lseek(+0) = 0"),
    ]);
}

#[test]
fn an_offset_beyond_the_end_makes_a_hole_only_once_something_is_written_there() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (Call::Lseek(0, SeekFrom::End(3)), "lseek(end +3) = 3"),
        (Call::Read(0, 8), "read = \"\""),
        (Call::Write(0, b""), "write(\"\") = 0"),
        (Call::Lseek(0, SeekFrom::End(0)), "lseek(end) = 0"),
        (Call::Lseek(0, SeekFrom::Current(-1)), "lseek(-1) = EINVAL"),
        (Call::Pwrite(0, b"x", 3), "pwrite(\"x\", at 3) = 1"),
        (Call::Read(0, 8), "read = \"\\x00\\x00\\x00x\""),
    ]);
}

#[test]
fn a_length_is_invalid_where_the_file_is_not_open_for_writing() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (Call::Write(0, b"s3cret"), "write(\"s3cret\") = 6"),
        (open(1, "a", OFlags::RDONLY), "open(a) = ok"),
        (Call::Ftruncate(1, 0), "ftruncate(0) = EINVAL"),
        (open(1, "a", OFlags::PATH), "open(a) = ok"),
        (Call::Ftruncate(1, 0), "ftruncate(0) = EBADF"),
        (Call::Ftruncate(1, 1 << 63), "ftruncate(9223372036854775808) = EINVAL"),
        (Call::Ftruncate(0, 2), "ftruncate(2) = ok"),
        (Call::Write(0, b"x"), "write(\"x\") = 1"),
        (Call::Pread(0, 8, 0), "pread(at 0) = \"s3\\x00\\x00\\x00\\x00x\""),
    ]);
}

#[test]
fn an_offset_that_is_negative_to_the_kernel_is_invalid_before_the_file_is_looked_at() {
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (open(1, "a", OFlags::WRONLY), "open(a) = ok"),
        (Call::Pread(1, 8, u64::MAX), "pread(at 18446744073709551615) = EINVAL"),
        (Call::Pread(1, 8, i64::MAX as u64), "pread(at 9223372036854775807) = EBADF"),
        (Call::Pread(0, 8, i64::MAX as u64), "pread(at 9223372036854775807) = EINVAL"),
        (Call::Pread(0, 0, i64::MAX as u64), "pread(at 9223372036854775807) = \"\""),
        (open(1, ".", OFlags::DIRECTORY), "open(., directory) = ok"),
        (Call::Pread(1, 8, 0), "pread(at 0) = EISDIR"),
        (Call::Lseek(1, SeekFrom::Start(0)), "lseek(0) = 0"),
        (Call::Lseek(1, SeekFrom::Current(0)), "lseek(+0) = EINVAL"),
    ]);
}

#[test]
fn a_program_that_is_made_longer_or_shorter_by_somebody_loses_its_set_user_id_bit() {
    let length = |length| (Who::Bob, Call::Ftruncate(0, length));
    let (same, fstat) = (length(0), Call::Fstat(0));
    assert_users_story(&[
        (Who::Root, Call::Chmod(".".into(), 0o777), "chmod(., 0777) = ok"),
        (Who::Root, Call::Open(0, "a".into(), CREATE, 0o666), "open(a, create) = ok"),
        (Who::Root, Call::Fchmod(0, 0o6666), "fchmod(6666) = ok"),
        (Who::Root, Call::Ftruncate(0, 3), "ftruncate(3) = ok"),
        (Who::Root, fstat, "fstat = file 6666"),
        (same.0, same.1, "ftruncate(0) = ok"),
        (same.0, fstat, "fstat = file 0666"),
    ]);
}

#[test]
fn a_lock_on_bytes_is_changed_at_once_or_not_at_all_and_minds_no_lock_on_the_file() {
    let (shared, exclusive) = (FlockOperation::LockShared, FlockOperation::LockExclusive);
    let lock =
        |slot, operation, start, length| Call::Ofd(slot, operation, ByteRange { start, length });
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (create(1, "a"), "open(a, create) = ok"),
        (Call::Flock(1, exclusive), "flock(exclusive) = ok"),
        (lock(0, shared, 0, 8), "fcntl(shared, 0..8) = ok"),
        (lock(1, shared, 4, 0), "fcntl(shared, 4..) = ok"),
        (lock(0, exclusive, 0, 5), "fcntl(exclusive, 0..5) = would wait"),
        (lock(1, exclusive, 7, 1), "fcntl(exclusive, 7..8) = would wait"),
        (lock(0, FlockOperation::Unlock, 4, 1), "fcntl(unlock, 4..5) = ok"),
        (lock(1, exclusive, 4, 1), "fcntl(exclusive, 4..5) = ok"),
        (lock(0, exclusive, 0, 4), "fcntl(exclusive, 0..4) = ok"),
        (lock(0, shared, 3, 3), "fcntl(shared, 3..6) = would wait"),
        (Call::Close(1), "close = ok"),
        (lock(0, shared, 3, 3), "fcntl(shared, 3..6) = ok"),
        (lock(0, shared, 3, i64::MAX as u64), "fcntl(shared, 3..9223372036854775810) = EOVERFLOW"),
        (open(1, "a", OFlags::RDONLY), "open(a) = ok"),
        (lock(1, exclusive, 100, 1), "fcntl(exclusive, 100..101) = EBADF"),
        (lock(1, shared, 5, 1), "fcntl(shared, 5..6) = ok"),
    ]);
}
