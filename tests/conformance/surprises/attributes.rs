//! Modes, owners, groups and times.

use super::*;

#[test]
fn a_link_that_is_not_followed_has_no_mode_to_change_whoever_owns_it() {
    let chmod = |name: &'static str| Call::ChmodWith(name.into(), 0o640, AtFlags::SYMLINK_NOFOLLOW);
    assert_users_story(&[
        (Who::Root, Call::Chmod(".".into(), 0o777), "chmod(., 0777) = ok"),
        (Who::Root, create(0, "a"), "open(a, create) = ok"),
        (Who::Root, symlink("a", "l"), "symlink(l → a) = ok"),
        (Who::Alice, chmod("l"), "chmod(l, 0640, no follow) = ENOTSUP"),
        (Who::Root, chmod("l"), "chmod(l, 0640, no follow) = ENOTSUP"),
        (Who::Alice, chmod("a"), "chmod(a, 0640, no follow) = EPERM"),
        (Who::Root, chmod("a"), "chmod(a, 0640, no follow) = ok"),
        (Who::Root, chmod("l/"), "chmod(l/, 0640, no follow) = ENOTDIR"),
    ]);
}

#[test]
fn a_program_that_changes_hands_loses_its_bits_even_by_root_and_to_whom_it_belongs() {
    let fstat = Call::Fstat(0);
    assert_users_story(&[
        (Who::Root, create(0, "a"), "open(a, create) = ok"),
        (Who::Root, Call::Fchmod(0, 0o6755), "fchmod(6755) = ok"),
        (Who::Root, Call::Fchown(0, None, None), "fchown(nobody else) = ok"),
        (Who::Root, fstat, "fstat = file 0755"),
        // Where its group may not run it, the bit is about locks: who is in the group keeps it.
        (Who::Root, Call::Fchmod(0, 0o2644), "fchmod(2644) = ok"),
        (
            Who::Root,
            Call::Fchown(0, Some(Who::Alice), Some(Who::Alice)),
            "fchown(61001:61001) = ok",
        ),
        (Who::Root, fstat, "fstat = file 2644"),
        (Who::Alice, Call::Fchown(0, None, None), "fchown(nobody else) = ok"),
        (Who::Alice, fstat, "fstat = file 2644"),
    ]);
}

#[test]
fn an_owner_gives_nothing_away_but_chooses_among_its_groups() {
    let fchown = |uid, gid| Call::Fchown(0, uid, gid);
    assert_users_story(&[
        (Who::Root, create(0, "a"), "open(a, create) = ok"),
        (Who::Root, fchown(Some(Who::Erin), None), "fchown(61005) = ok"),
        (Who::Erin, fchown(Some(Who::Bob), None), "fchown(61002) = EPERM"),
        (Who::Erin, fchown(Some(Who::Erin), Some(Who::Bob)), "fchown(61005:61002) = ok"),
        (Who::Erin, fchown(None, Some(Who::Root)), "fchown(:0) = EPERM"),
        (Who::Bob, fchown(None, Some(Who::Bob)), "fchown(:61002) = EPERM"),
        // Whoever asks for nothing gets it, unless there is a bit to lose.
        (Who::Carol, fchown(None, None), "fchown(nobody else) = ok"),
        (Who::Root, Call::Fchmod(0, 0o4644), "fchmod(4644) = ok"),
        (Who::Carol, fchown(None, None), "fchown(nobody else) = EPERM"),
    ]);
}

#[test]
fn a_supplementary_group_opens_what_a_group_may() {
    let (read, chmod) = (open(1, "a", OFlags::RDONLY), Call::Chmod("a".into(), 0o2640));
    assert_users_story(&[
        (Who::Root, Call::Chmod(".".into(), 0o777), "chmod(., 0777) = ok"),
        (Who::Alice, Call::Open(0, "a".into(), CREATE, 0o640), "open(a, create) = ok"),
        (Who::Carol, read, "open(a) = ok"),
        (Who::Erin, read, "open(a) = ok"),
        (Who::Bob, read, "open(a) = EACCES"),
        (Who::Root, Call::Fchown(0, Some(Who::Erin), None), "fchown(61005) = ok"),
        (Who::Erin, chmod, "chmod(a, 2640) = ok"),
        (Who::Erin, Call::Fstat(1), "fstat = file 2640"),
    ]);
}

#[test]
fn whoever_may_write_may_say_now_and_only_an_owner_when_it_was() {
    let (now, then) = ([When::Now; 2], [When::Omit, When::Then(5)]);
    assert_users_story(&[
        (Who::Root, Call::Open(0, "a".into(), CREATE, 0o600), "open(a, create) = ok"),
        (Who::Root, Call::Fchmod(0, 0o666), "fchmod(0666) = ok"),
        (Who::Bob, Call::Futimens(0, now), "futimens(now, now) = ok"),
        (Who::Bob, Call::Futimens(0, then), "futimens(omit, 5.000000007) = EPERM"),
        (Who::Bob, Call::Futimens(0, [When::Omit, When::Now]), "futimens(omit, now) = EPERM"),
        (Who::Root, Call::Fchmod(0, 0o644), "fchmod(0644) = ok"),
        (Who::Bob, Call::Futimens(0, now), "futimens(now, now) = EACCES"),
        (Who::Root, Call::Futimens(0, then), "futimens(omit, 5.000000007) = ok"),
    ]);
}

#[test]
fn where_no_time_is_to_be_set_nothing_is_looked_at() {
    let utimensat =
        |path: &'static str, when| Call::Utimensat(path.into(), when, AtFlags::SYMLINK_NOFOLLOW);
    let (never, now) = ([When::Never, When::Omit], [When::Now; 2]);
    assert_story(&[
        (create(0, "a"), "open(a, create) = ok"),
        (open(0, "a", OFlags::PATH), "open(a) = ok"),
        (Call::Futimens(0, [When::Omit; 2]), "futimens(omit, omit) = ok"),
        (Call::Futimens(0, now), "futimens(now, now) = EBADF"),
        (utimensat("b", [When::Omit; 2]), "utimensat(b, omit, omit, no follow) = ok"),
        (utimensat("b", never), "utimensat(b, 0.1000000000, omit, no follow) = ENOENT"),
        (utimensat("a", never), "utimensat(a, 0.1000000000, omit, no follow) = EINVAL"),
    ]);
}
