//! An example, `order_service`: requests that are signed. Imports nothing of this crate.
//!
//! A request is signed as a whole: method, path, query, body, the time, and a nonce. A signature says
//! who asks and for what. It does not say that nobody asks the same at the same time: both requests
//! of a race are well signed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What is signed begins with this, so that a signature of anything else is no signature of a request.
const PURPOSE: &[u8] = b"order_service: a request, 1";

/// How many seconds a request may be older or newer than the server's clock.
pub(crate) const WINDOW: u64 = 60;

/// How many requests a server remembers; more within one [`WINDOW`] are refused.
const REMEMBERED: usize = 1 << 20;

/// A key that is too short to be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of {0} bytes is too short: at least {least} (`openssl rand -hex 32`)", least = Key::LEAST)]
pub(crate) struct ShortKey(usize);

/// The secret that clients and server share.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl Key {
    /// As long as what SHA-256 gives: a shorter one would be the weakest part.
    pub(crate) const LEAST: usize = 32;

    /// A key of these bytes.
    pub(crate) fn new(secret: &[u8]) -> Result<Self, ShortKey> {
        if secret.len() < Self::LEAST {
            return Err(ShortKey(secret.len()));
        }
        Hmac::new_from_slice(secret).map(Key).map_err(|_| ShortKey(secret.len()))
    }

    /// Signs a request.
    pub(crate) fn sign(&self, request: &Request<'_>, stamp: Stamp) -> Signature {
        Signature(self.mac(request, stamp).finalize().into_bytes().into())
    }

    /// Whether it was signed with this key. Takes as long for one wrong bit as for another.
    pub(crate) fn verifies(&self, request: &Request<'_>, signed: Signed) -> bool {
        self.mac(request, signed.stamp).verify_slice(&signed.signature.0).is_ok()
    }

    /// Every part is preceded by its length, and an absent query is not an empty one: no two requests
    /// are the same bytes, so none can be passed off as another by moving bytes between its parts.
    fn mac(&self, request: &Request<'_>, stamp: Stamp) -> Hmac<Sha256> {
        let Request { method, path, query, body } = *request;
        let mut mac = self.0.clone();
        let mut part = |bytes: &[u8]| {
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        };
        part(PURPOSE);
        part(&stamp.time.to_be_bytes());
        part(&stamp.nonce);
        part(method.as_bytes());
        part(path.as_bytes());
        part(&[u8::from(query.is_some())]);
        part(query.unwrap_or_default().as_bytes());
        part(body);
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// What is signed of a request, as it is on the wire: nothing is decoded before it is verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// When a request was signed, and what makes it different from any other of that second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// 16 random bytes.
    pub(crate) nonce: [u8; 16],
}

/// An HMAC-SHA256. Not comparable: [`Key::verifies`] is how it is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Signature([u8; 32]);

/// What a signed request has in its headers.
#[derive(Clone, Copy)]
pub(crate) struct Signed {
    pub(crate) stamp: Stamp,
    pub(crate) signature: Signature,
}

/// The headers of a signed request: the time in decimal, nonce and signature in lower-case hex.
pub(crate) const HEADERS: [&str; 3] = ["x-timestamp", "x-nonce", "x-signature"];

impl Signed {
    /// The values of the [`HEADERS`].
    pub(crate) fn headers(&self) -> [String; 3] {
        [self.stamp.time.to_string(), to_hex(&self.stamp.nonce), to_hex(&self.signature.0)]
    }

    /// Makes the signature a wrong one, as an attacker would have it who guesses.
    pub(crate) fn spoil(&mut self) {
        self.signature.0[0] ^= 1;
    }

    /// Of the values of the [`HEADERS`]; none where one of them is not what it should be.
    pub(crate) fn parse([time, nonce, signature]: [&str; 3]) -> Option<Self> {
        // `parse` alone would take a sign, too.
        let time = time.bytes().all(|byte| byte.is_ascii_digit()).then(|| time.parse().ok())??;
        let stamp = Stamp { time, nonce: from_hex(nonce)? };
        Some(Signed { stamp, signature: Signature(from_hex(signature)?) })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// Why a request that is well signed is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// Its time is too far from the server's.
    Stale,
    /// It has been here before.
    Replayed,
    /// There are too many to remember.
    Full,
}

/// The requests that have been here, for as long as they could come again.
///
/// An extra, not what keeps a replay harmless: it is one server's memory, and gone when that starts
/// anew. What is relied on is in the database: an order that is not pending is not cancelled, an
/// order that is there is not created.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// What is older has been forgotten, so it is stale even if the clock was set back since.
    oldest: u64,
    stamps: BTreeSet<Stamp>,
}

impl Seen {
    /// Lets in what is neither stale nor a replay, and remembers it. Look and mark under one lock: or
    /// two copies of a request would both be let in.
    ///
    /// Only for a request that is [verified](Key::verifies): strangers have nothing remembered.
    pub(crate) fn admit(&self, stamp: Stamp, now: u64) -> Result<(), Turned> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.oldest = memory.oldest.max(now.saturating_sub(WINDOW));
        while memory.stamps.first().is_some_and(|first| first.time < memory.oldest) {
            memory.stamps.pop_first();
        }
        if stamp.time < memory.oldest || stamp.time > now.saturating_add(WINDOW) {
            Err(Turned::Stale)
        } else if memory.stamps.contains(&stamp) {
            Err(Turned::Replayed)
        } else if memory.stamps.len() >= REMEMBERED {
            Err(Turned::Full)
        } else {
            memory.stamps.insert(stamp);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { time: 1_000_000, nonce: [7; 16] };
    const CANCEL: Request<'_> =
        Request { method: "POST", path: "/orders/42/cancel", query: Some("why=late"), body: b"{}" };

    fn key() -> Key {
        Key::new(&[b'k'; 32]).unwrap()
    }

    fn signed() -> Signed {
        Signed { stamp: STAMP, signature: key().sign(&CANCEL, STAMP) }
    }

    #[test]
    fn what_was_signed_is_verified_and_no_other_key_verifies_it() {
        assert!(key().verifies(&CANCEL, signed()));
        assert!(!Key::new(&[b'j'; 32]).unwrap().verifies(&CANCEL, signed()));
    }

    #[test]
    fn a_change_of_any_part_is_noticed() {
        let changed = [
            Request { method: "GET", ..CANCEL },
            Request { path: "/orders/43/cancel", ..CANCEL },
            Request { path: "/vulnerable/orders/42/cancel", ..CANCEL },
            Request { query: Some("why=lat"), ..CANCEL },
            Request { query: None, ..CANCEL },
            Request { body: b"{ }", ..CANCEL },
            Request { body: b"", ..CANCEL },
        ];
        for request in changed {
            assert!(!key().verifies(&request, signed()), "{request:?}");
        }
        let stamps = [Stamp { time: STAMP.time + 1, ..STAMP }, Stamp { nonce: [8; 16], ..STAMP }];
        for stamp in stamps {
            assert!(!key().verifies(&CANCEL, Signed { stamp, ..signed() }), "{stamp:?}");
        }
    }

    #[test]
    fn every_single_bit_of_a_signature_counts() {
        let Signature(right) = signed().signature;
        for bit in 0..256 {
            let mut wrong = right;
            wrong[bit / 8] ^= 1 << (bit % 8);
            let signed = Signed { signature: Signature(wrong), ..signed() };
            assert!(!key().verifies(&CANCEL, signed), "bit {bit}");
        }
    }

    #[test]
    fn bytes_moved_from_one_part_to_the_next_make_another_request() {
        let plain = Request { method: "POST", path: "/a/b", query: None, body: b"cd" };
        let with_query = Request { query: Some("c"), body: b"d", ..plain };
        let alike = [
            plain,
            Request { method: "POST/a", path: "/b", ..plain },
            Request { path: "/a/bc", body: b"d", ..plain },
            Request { path: "/a/bcd", body: b"", ..plain },
            Request { path: "/a", body: b"/bcd", ..plain },
            Request { query: Some(""), ..plain },
            Request { query: Some("cd"), body: b"", ..plain },
            with_query,
            Request { path: "/a/bc", query: Some(""), ..with_query },
        ];
        for (index, one) in alike.iter().enumerate() {
            let signed = Signed { stamp: STAMP, signature: key().sign(one, STAMP) };
            for (other, request) in alike.iter().enumerate() {
                assert_eq!(key().verifies(request, signed), index == other, "{one:?} {request:?}");
            }
        }
    }

    #[test]
    fn a_signature_is_hmac_sha256_of_the_parts_as_documented() {
        let mut bytes = Vec::new();
        let time = STAMP.time.to_be_bytes();
        let parts: [&[u8]; 8] =
            [PURPOSE, &time, &[7; 16], b"POST", b"/orders/42/cancel", &[1], b"why=late", b"{}"];
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        let mac = Hmac::<Sha256>::new_from_slice(&[b'k'; 32]).unwrap().chain_update(bytes);
        assert_eq!(signed().signature.0, <[u8; 32]>::from(mac.finalize().into_bytes()));
    }

    #[test]
    fn headers_have_one_spelling() {
        let [time, nonce, signature] = signed().headers();
        assert!(Signed::parse([&time, &nonce, &signature]).is_some());
        let upper = nonce.replace('0', "A");
        for (time, nonce, signature) in [
            ("", &*nonce, &*signature),
            ("+1000000", &nonce, &signature),
            ("-1", &nonce, &signature),
            ("99999999999999999999", &nonce, &signature),
            (&time, &upper, &signature),
            (&time, &nonce[1..], &signature),
            (&time, &nonce[2..], &signature),
            (&time, &nonce, &signature[2..]),
            (&time, &nonce, "é"),
            (&time, &nonce, ""),
        ] {
            assert!(
                Signed::parse([time, nonce, signature]).is_none(),
                "{time} {nonce} {signature}"
            );
        }
    }

    #[test]
    fn a_short_key_is_refused_and_none_is_printed() {
        let error = Key::new(b"secret").unwrap_err();
        assert!(error.to_string().contains("6 bytes is too short: at least 32"), "{error}");
        assert_eq!(format!("{:?}", key()), "Key(secret)");
    }

    #[test]
    fn a_request_is_let_in_once_within_the_window_only() {
        let seen = Seen::default();
        let now = 1000;
        let at = |time| Stamp { time, nonce: [1; 16] };
        assert_eq!(seen.admit(at(now - WINDOW - 1), now), Err(Turned::Stale));
        assert_eq!(seen.admit(at(now + WINDOW + 1), now), Err(Turned::Stale));
        for time in [now - WINDOW, now, now + WINDOW] {
            assert_eq!(seen.admit(at(time), now), Ok(()), "{time}");
            assert_eq!(seen.admit(at(time), now), Err(Turned::Replayed), "{time}");
        }
        assert_eq!(seen.admit(Stamp { nonce: [2; 16], ..at(now) }, now), Ok(()));
    }

    #[test]
    fn what_is_forgotten_is_stale_whatever_the_clock_says_then() {
        let seen = Seen::default();
        let stamp = Stamp { time: 1000, nonce: [1; 16] };
        assert_eq!(seen.admit(stamp, 1000), Ok(()));
        assert_eq!(seen.admit(stamp, 1000 + WINDOW), Err(Turned::Replayed));
        assert_eq!(seen.admit(stamp, 1001 + WINDOW), Err(Turned::Stale));
        assert_eq!(seen.0.lock().unwrap().stamps.len(), 0, "forgotten");
        assert_eq!(seen.admit(stamp, 1000), Err(Turned::Stale), "the clock was set back");
    }

    #[test]
    fn of_many_copies_at_once_one_is_let_in() {
        let seen = Seen::default();
        let admit = || seen.admit(STAMP, STAMP.time).is_ok();
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(admit)).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(admitted, 1);
    }
}
