//! Every error is a sentence that a person can act on.

use std::path::PathBuf;

use toctou::fs::Errno;
use toctou::store::{ClaimError, ExpireError, KeyError, Left, OpenError, PutError};

fn claim_failed(call: &'static str, errno: Errno, left: Left) -> String {
    let claim_name = PathBuf::from("k7Qp/content.0123");
    ClaimError::Failed { key: "k7Qp".to_owned(), call, errno, left, claim_name }.to_string()
}

#[test]
fn a_key_error_says_what_a_key_is() {
    let character = KeyError::Character { key: "a/b\n".to_owned(), character: '/' };
    for (error, text) in [
        (KeyError::Empty, "a key must not be empty"),
        (KeyError::TooLong(256), "a key is a file name, so at most 255 bytes; this one has 256"),
        (
            KeyError::NotAName("..".to_owned()),
            "`..` is no key: it would not name an entry of the store's own directory",
        ),
        (character, r"`a/b\n` is no key: '/' is not allowed in one"),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(PutError::from(error.clone()).to_string(), text);
        assert_eq!(ClaimError::from(error.clone()).to_string(), text);
        assert_eq!(ExpireError::from(error).to_string(), text);
    }
}

#[test]
fn a_store_that_does_not_open_says_what_to_do_about_its_directory() {
    let path = || PathBuf::from("/srv/secrets");
    for (error, text) in [
        (
            OpenError::Missing { path: path() },
            "no directory /srv/secrets: create it first, for its owner only (mkdir -m 700)",
        ),
        (OpenError::NotADirectory { path: path() }, "/srv/secrets is not a directory"),
        (
            OpenError::NotPrivate { path: path(), mode: 0o770 },
            "others than its owner may write to /srv/secrets (mode 770): chmod 700 it first",
        ),
        (
            OpenError::Failed { path: path(), errno: Errno::ACCESS },
            "cannot open the store /srv/secrets: EACCES, permission denied \
             (the store must be the user's own)",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_put_that_failed_says_what_is_left() {
    let key = || "k7Qp".to_owned();
    let failed = |errno, left| PutError::Failed { key: key(), call: "write", errno, left };
    for (error, text) in [
        (
            PutError::Occupied { key: key() },
            "`k7Qp` holds content that nobody has claimed; it was left as it is",
        ),
        (
            failed(Errno::NOSPC, None),
            "cannot put `k7Qp`: write failed: ENOSPC, no space left on device \
             (free some space and try again)",
        ),
        (
            failed(Errno::IO, Some("k7Qp/.put.01".into())),
            "cannot put `k7Qp`: write failed: EIO, input/output error; \
             k7Qp/.put.01 could not be removed: remove it by hand",
        ),
        (
            PutError::NotDurable { key: key(), call: "fsync", errno: Errno::IO },
            "`k7Qp` is there, but perhaps not after a power failure: \
             fsync failed: EIO, input/output error",
        ),
        (
            PutError::Used { key: key(), marker: "k7Qp/claim".into() },
            "`k7Qp` was used before: choose another key, or remove k7Qp/claim to use it again",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_claim_that_failed_says_where_the_content_is() {
    let gone = ClaimError::Gone { key: "k7Qp".to_owned() };
    assert_eq!(gone.to_string(), "`k7Qp` is gone: claimed, expired, or never put");
    for (left, text) in [
        (Left::Content, "the content is untouched and can be claimed again"),
        (Left::ClaimName, "the content is safe in k7Qp/content.0123: rename it to content"),
        (Left::Nothing, "somebody else took the content"),
        (
            Left::ContentAndMarker,
            "the content is untouched; remove k7Qp/content.0123 to let it be claimed again",
        ),
        (Left::Marker, "there was no content; remove k7Qp/content.0123 to let the key be used"),
    ] {
        assert_eq!(
            claim_failed("open", Errno::MFILE, left),
            format!(
                "cannot claim `k7Qp`: open failed: EMFILE, too many open files \
                 (close some, or raise the limit, and try again); {text}"
            )
        );
    }
    assert!(claim_failed("rename", Errno::ROFS, Left::Content).contains("(mount it writable)"));
}

#[test]
fn an_expiry_that_failed_says_that_the_secret_is_still_out() {
    let error = ExpireError::Failed { key: "k7Qp".to_owned(), errno: Errno::ROFS };
    assert_eq!(
        error.to_string(),
        "cannot expire `k7Qp`, it can still be claimed: unlink failed: \
         EROFS, read-only file system (mount it writable)"
    );
}
