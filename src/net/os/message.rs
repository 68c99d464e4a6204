//! First floor, `net`: questions to a name server, and what it answers (RFC 1035). Imports nothing of this
//! crate.

use std::net::IpAddr;

/// What is asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its IPv4 addresses.
    A,
    /// Its IPv6 addresses.
    Aaaa,
}

impl Kind {
    fn number(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Aaaa => 28,
        }
    }
}

/// What a name server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// These addresses; none, if the name has none of this kind.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// It cannot say, or will not: its code.
    Failed(u8),
    /// There is more than fits: ask by TCP.
    Truncated,
}

const CLASS_IN: u16 = 1;
const HEADER: usize = 12;

/// A question as it is sent: `id`, one name of at most 253 bytes in labels of at most 63, recursion
/// desired. `None` if the name is not one.
pub(super) fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut bytes = Vec::with_capacity(HEADER + name.len() + 6);
    bytes.extend(id.to_be_bytes());
    bytes.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.number().to_be_bytes());
    bytes.extend(CLASS_IN.to_be_bytes());
    (name.len() <= 253).then_some(bytes)
}

/// Reads the answer to a question; `None` if it is none, or one to something else.
///
/// Every address of the right kind counts, whatever name it stands with. The server resolves names
/// that stand for others, and addresses are judged whoever has them.
pub(super) fn answer(question: &[u8], bytes: &[u8], kind: Kind) -> Option<Answer> {
    let (asked, id) = (question.get(HEADER..)?, question.get(..2)?);
    let header = bytes.get(..HEADER)?;
    let [flags, code] = [header[2], header[3] & 0x0f];
    let echoed = bytes.get(HEADER..question.len())?;
    // An answer, to a query, to this one.
    if header[..2] != *id || flags & 0xf8 != 0x80 || header[4..6] != [0, 1] {
        return None;
    }
    if !echoed.eq_ignore_ascii_case(asked) {
        return None;
    }
    match code {
        _ if flags & 0x02 != 0 => return Some(Answer::Truncated),
        0 => {}
        3 => return Some(Answer::NoSuchName),
        code => return Some(Answer::Failed(code)),
    }
    let mut rest = bytes.get(question.len()..)?;
    let mut addresses = Vec::new();
    for _ in 0..u16::from_be_bytes([header[6], header[7]]) {
        let (record, after) = record(rest)?;
        addresses.extend(record.address(kind));
        rest = after;
    }
    Some(Answer::Addresses(addresses))
}

struct Record<'a> {
    kind: u16,
    class: u16,
    data: &'a [u8],
}

impl Record<'_> {
    fn address(&self, kind: Kind) -> Option<IpAddr> {
        let is_it = self.kind == kind.number() && self.class == CLASS_IN;
        match kind {
            _ if !is_it => None,
            Kind::A => <[u8; 4]>::try_from(self.data).ok().map(IpAddr::from),
            Kind::Aaaa => <[u8; 16]>::try_from(self.data).ok().map(IpAddr::from),
        }
    }
}

/// The first record, and what comes after it.
fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let rest = after_name(bytes)?;
    let (fixed, rest) = rest.split_at_checked(10)?;
    let two = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let (data, rest) = rest.split_at_checked(usize::from(two(8)))?;
    Some((Record { kind: two(0), class: two(2), data }, rest))
}

/// What comes after a name, which ends with an empty label or with the place of its rest.
fn after_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, rest) = bytes.split_first()?;
        match length {
            0 => return Some(rest),
            1..=63 => bytes = rest.get(usize::from(length)..)?,
            64..=191 => return None,
            192..=255 => return rest.get(1..),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked() -> Vec<u8> {
        question(7, "a.test", Kind::A).unwrap()
    }

    /// An answer to it, with this code and these records.
    fn said(code: u8, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = asked();
        bytes[2] |= 0x80;
        bytes[3] |= code;
        bytes[7] = records.len() as u8;
        for (kind, data) in records {
            bytes.extend([0xc0, 12]);
            bytes.extend(kind.to_be_bytes());
            bytes.extend([0, 1, 0, 0, 0, 9, 0, data.len() as u8]);
            bytes.extend(*data);
        }
        bytes
    }

    #[test]
    fn a_question_is_written_as_the_standard_says() {
        let expected = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";
        assert_eq!(asked(), expected);
        assert_eq!(question(7, "a.test.", Kind::A).unwrap(), expected);
        for name in ["", ".", "a..test", &"a".repeat(64), &"a.".repeat(127)] {
            assert_eq!(question(7, name, Kind::A).is_some(), name.len() == 254, "{name}");
        }
        assert_eq!(question(7, &"aa.".repeat(85), Kind::A), None);
    }

    #[test]
    fn an_answer_is_read_and_what_is_none_is_not() {
        let read = |bytes: &[u8]| answer(&asked(), bytes, Kind::A);
        let addresses = Answer::Addresses(vec![[192, 0, 2, 1].into()]);
        // Another name that this one stands for, an address, and one of the other family.
        let records: [(u16, &[u8]); 3] = [(5, &[0xc0, 12]), (1, &[192, 0, 2, 1]), (28, &[0; 16])];
        assert_eq!(read(&said(0, &records)), Some(addresses));
        assert_eq!(read(&said(0, &[])), Some(Answer::Addresses(vec![])));
        assert_eq!(read(&said(3, &[])), Some(Answer::NoSuchName));
        assert_eq!(read(&said(2, &[])), Some(Answer::Failed(2)));
        let mut truncated = said(0, &records);
        truncated[2] |= 0x02;
        assert_eq!(read(&truncated), Some(Answer::Truncated));

        let whole = said(0, &records);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
        assert_eq!(read(&asked()), None, "the question itself");
        for at in [0, 1, 5, 12, 13, 15, 19, 20] {
            let mut other = whole.clone();
            other[at] ^= 0x80;
            assert_eq!(read(&other), None, "another byte {at}");
        }
        let mut loud = whole;
        loud[13] = b'A';
        assert!(read(&loud).is_some(), "a server may write a name in capitals");
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_read_or_passed_over(
            tail in proptest::collection::vec(any::<u8>(), 0..64),
            count in any::<u8>(),
        ) {
            let mut bytes = said(0, &[]);
            bytes[7] = count;
            bytes.extend(tail);
            let _ = answer(&asked(), &bytes, Kind::A);
            let _ = answer(&asked(), &bytes, Kind::Aaaa);
        }
    }
}
