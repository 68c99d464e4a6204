//! Every error is a sentence that a person can act on.

use std::path::PathBuf;

use toctou::fs::Errno;
use toctou::store::{
    ClaimError, DeliveryError, ExpireError, KeyError, Left, Mechanism, OpenError, PutError,
    RecoverError, Recovered,
};

fn claim_failed(call: &'static str, errno: Errno, left: Left, claim_name: &str) -> String {
    let claim_name = PathBuf::from(claim_name);
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
    let cannot = ClaimError::CannotKeep(Mechanism::AdvisoryLock).to_string();
    let text = "nothing can be kept by AdvisoryLock: \
                claim by RenameUnique or RenameFixed, or promise less";
    assert_eq!(cannot, text);
    let (own, kept, marker) = ("k7Qp/content.0123", "k7Qp/content.kept.0123", "k7Qp/claim");
    for (left, name, text) in [
        (Left::Content, own, "the content is untouched and can be claimed again"),
        (
            Left::ClaimName,
            own,
            "the content is in k7Qp/content.0123: \
             rename it to content before a recover, which removes it",
        ),
        (
            Left::ClaimName,
            kept,
            "the content is safe in k7Qp/content.kept.0123: \
             rename it to content, as a recover does",
        ),
        (
            Left::ClaimName,
            "content.kept/content.0123",
            "the content is in content.kept/content.0123: \
             rename it to content before a recover, which removes it",
        ),
        (Left::Nothing, own, "somebody else took the content"),
        (
            Left::ContentAndMarker,
            marker,
            "the content is untouched; \
             remove k7Qp/claim before a recover, which removes the content",
        ),
        (Left::Marker, marker, "there was no content; remove k7Qp/claim to let the key be used"),
        (Left::Lost, own, "the content is gone, and nobody got it"),
    ] {
        assert_eq!(
            claim_failed("open", Errno::MFILE, left, name),
            format!(
                "cannot claim `k7Qp`: open failed: EMFILE, too many open files \
                 (close some, or raise the limit, and try again); {text}"
            )
        );
    }
    assert!(
        claim_failed("rename", Errno::ROFS, Left::Content, own).contains("(mount it writable)")
    );
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

#[test]
fn an_expiry_that_is_not_on_disk_says_so() {
    let error = ExpireError::NotDurable { key: "k7Qp".to_owned(), call: "fsync", errno: Errno::IO };
    assert_eq!(
        error.to_string(),
        "`k7Qp` is gone, but perhaps not after a power failure: \
         fsync failed: EIO, input/output error; expire it again"
    );
}

#[test]
fn a_delivery_that_did_not_end_says_whether_the_content_is_still_there() {
    let claim_name = "k7Qp/content.kept.0123".into();
    assert_eq!(
        DeliveryError::Kept { errno: Errno::IO, claim_name }.to_string(),
        "cannot remove what was delivered: unlink failed: EIO, input/output error; \
         remove k7Qp/content.kept.0123, or a recover puts it back"
    );
    assert_eq!(
        DeliveryError::NotRecorded { errno: Errno::NOSPC }.to_string(),
        "it was delivered and is gone, but that could not be recorded: open failed: \
         ENOSPC, no space left on device (free some space and try again)"
    );
}

#[test]
fn a_recovery_that_is_not_complete_says_where_it_failed() {
    let (path, call, errno) = ("lost+found".into(), "open", Errno::ACCESS);
    assert_eq!(
        RecoverError { path, call, errno, done: Recovered::default() }.to_string(),
        "cannot recover lost+found: open failed: EACCES, permission denied \
         (the store must be the user's own); \
         all else was recovered: put this right, then recover again"
    );
}
