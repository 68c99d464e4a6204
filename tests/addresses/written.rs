//! The ways to write an IPv4 address in a URL.

use std::net::Ipv4Addr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Copy, Debug)]
enum Radix {
    Decimal,
    Octal,
    Hex,
    UpperHex,
}

/// How a character is written.
#[derive(Clone, Copy, Debug)]
enum Character {
    Plain,
    FullWidth,
    Bold,
    Percent,
    /// Percent-encoded in full width.
    PercentFullWidth,
}

/// An address from this strategy, and a URL whose host it is.
pub(crate) fn written(
    address: impl Strategy<Value = Ipv4Addr>,
) -> impl Strategy<Value = (Ipv4Addr, String)> {
    address.prop_flat_map(|v4| {
        let host = prop_oneof![4 => as_numbers(v4), 1 => as_mapped(v4)];
        (host, select(vec!["http", "https", "HTTP", "hTTps"]), select(vec!["", ":80", ":8080"]))
            .prop_map(move |(host, scheme, port)| (v4, format!("{scheme}://{host}{port}/a?b#c")))
    })
}

fn as_numbers(v4: Ipv4Addr) -> impl Strategy<Value = String> {
    use Character::{Bold, FullWidth, Percent, PercentFullWidth, Plain};
    use Radix::{Decimal, Hex, Octal, UpperHex};
    let numbers = vec((select(vec![Decimal, Octal, Hex, UpperHex]), 0..3_usize), 4);
    let characters = select(vec![Plain, Plain, FullWidth, Bold, Percent, PercentFullWidth]);
    // Each character in its own way, or all in one.
    let characters = prop_oneof![
        vec(characters.clone(), 64),
        characters.prop_map(|character| vec![character; 64]),
    ];
    let dots = select(vec![".", "。", "．", "%2e", "%2E"]);
    (1..=4_usize, numbers, characters, dots, any::<bool>()).prop_map(
        move |(count, numbers, characters, dot, has_last_dot)| {
            let parts = parts(v4, count).into_iter().zip(numbers);
            let parts: Vec<String> = parts
                .map(|(part, (radix, zeros))| {
                    let digits = number(part, radix, zeros);
                    let digits = digits.chars().zip(&characters);
                    digits.map(|(digit, character)| character.write(digit)).collect()
                })
                .collect();
            format!("{}{}", parts.join(dot), if has_last_dot { dot } else { "" })
        },
    )
}

/// The address in so many numbers, the last of which takes up all that is left.
fn parts(v4: Ipv4Addr, count: usize) -> Vec<u32> {
    let octets = v4.octets().map(u32::from);
    let (alone, together) = octets.split_at(count - 1);
    let last = together.iter().fold(0, |number, octet| number << 8 | octet);
    alone.iter().copied().chain([last]).collect()
}

fn number(number: u32, radix: Radix, zeros: usize) -> String {
    let zeros = "0".repeat(zeros);
    match radix {
        Radix::Decimal => number.to_string(),
        Radix::Octal => format!("0{zeros}{number:o}"),
        Radix::Hex => format!("0x{zeros}{number:x}"),
        Radix::UpperHex => format!("0X{zeros}{number:X}"),
    }
}

impl Character {
    fn write(self, character: char) -> String {
        match self {
            Character::Plain => character.to_string(),
            Character::FullWidth => full_width(character).to_string(),
            Character::Bold => match character.to_digit(10) {
                Some(digit) => char::from_u32(0x1d7ce + digit).into_iter().collect(),
                None => character.to_string(),
            },
            Character::Percent => percent(character),
            Character::PercentFullWidth => percent(full_width(character)),
        }
    }
}

/// `ａ` for `a`.
fn full_width(character: char) -> char {
    char::from_u32(u32::from(character) - 0x21 + 0xff01).unwrap_or(character)
}

fn percent(character: char) -> String {
    let mut bytes = [0; 4];
    let bytes = character.encode_utf8(&mut bytes).bytes();
    bytes.map(|byte| format!("%{byte:02x}")).collect()
}

/// The address as an IPv4-mapped IPv6 address.
fn as_mapped(v4: Ipv4Addr) -> impl Strategy<Value = String> {
    let [a, b, c, d] = v4.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let last =
        [format!("{a}.{b}.{c}.{d}"), format!("{high:x}:{low:x}"), format!("{high:04X}:{low:04X}")];
    let first = [
        "::ffff:",
        "::FFFF:",
        "0:0:0:0:0:ffff:",
        "0000:0000:0000:0000:0000:FFFF:",
        "0::ffff:",
        "0:0::0:ffff:",
    ];
    (select(first.to_vec()), select(last.to_vec()))
        .prop_map(|(first, last)| format!("[{first}{last}]"))
}
