//! The oracle: IANA's tables as IANA publishes them, and the rules by a scan over all rows. It shares
//! no line with the policy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// A block of a registry, as its table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) block: String,
    pub(crate) name: String,
    pub(crate) rfc: String,
    /// `True`, `False`, `N/A` or nothing.
    pub(crate) reachable: String,
    pub(crate) first: u128,
    pub(crate) mask: u128,
}

impl Entry {
    /// Whether its addresses are public: reachable from everywhere, and not whoever is nearest.
    fn is_public(&self) -> bool {
        self.reachable == "True" && !self.name.ends_with(" Anycast")
    }

    pub(crate) fn last(&self) -> u128 {
        self.first | !self.mask
    }
}

/// A registry. The addresses of IPv4 are numbers below 2³².
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
    bits: u32,
}

/// What is to become of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Public,
    /// It is not, by this block of a registry, or by what no registry's row says.
    Refused(Option<String>),
}

pub(crate) static IPV4: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("iana-ipv4-special-registry-1.csv"), 32));
pub(crate) static IPV6: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("iana-ipv6-special-registry-1.csv"), 128));

const HEADER: &str = "Address Block,Name,RFC,Allocation Date,Termination Date,Source,Destination,\
                      Forwardable,Globally Reachable,Reserved-by-Protocol";

impl Table {
    fn read(csv: &str, bits: u32) -> Self {
        let mut records = records(csv);
        assert_eq!(records.remove(0).join(","), HEADER);
        let entries = records.iter().flat_map(|record| {
            let [blocks, name, rfc, _, _, _, _, _, reachable, _] = &record[..] else {
                panic!("ten fields: {record:?}");
            };
            blocks.split(',').map(move |block| {
                let block = without_footnote(block).trim();
                let (first, length) = block.split_once('/').expect("an address and a length");
                let first = number(first.parse().expect("an address"));
                let length: u32 = length.parse().expect("a length");
                let own = u128::MAX.checked_shr(128 - (bits - length)).unwrap_or(0);
                Entry {
                    block: block.to_owned(),
                    name: name.clone(),
                    rfc: rfc.split_whitespace().collect::<Vec<_>>().join(" "),
                    reachable: without_footnote(reachable).to_owned(),
                    first,
                    mask: !own,
                }
            })
        });
        Table { entries: entries.collect(), bits }
    }

    pub(crate) fn address(&self, number: u128) -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if self.bits == 32 => IpAddr::V4(Ipv4Addr::from_bits(number)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(number)),
        }
    }

    /// The last number of an address.
    pub(crate) fn end(&self) -> u128 {
        u128::MAX >> (128 - self.bits)
    }

    /// The row that decides: the one with the most bits in its mask.
    pub(crate) fn deciding(&self, number: u128) -> Option<&Entry> {
        let mut deciding: Option<&Entry> = None;
        for entry in &self.entries {
            let is_in = number & entry.mask == entry.first;
            if is_in && deciding.is_none_or(|other| other.mask < entry.mask) {
                deciding = Some(entry);
            }
        }
        deciding
    }
}

pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

/// `2002::/16 [3]` without `[3]`.
fn without_footnote(field: &str) -> &str {
    field.split(" [").next().unwrap_or(field)
}

/// The records of a CSV file: fields in quotes may hold commas, line breaks, and quotes twice.
fn records(csv: &str) -> Vec<Vec<String>> {
    let (mut records, mut fields) = (Vec::new(), Vec::new());
    let (mut field, mut is_quoted) = (String::new(), false);
    let mut characters = csv.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            '\n' if !is_quoted => {
                fields.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut fields));
            }
            _ => field.push(character),
        }
    }
    assert!(!is_quoted && fields.is_empty() && field.is_empty(), "the file ends with a line");
    records
}

pub(crate) fn judge(address: IpAddr) -> Verdict {
    match address {
        IpAddr::V4(v4) => judge_v4(v4),
        IpAddr::V6(v6) => judge_v6(v6),
    }
}

fn judge_v4(v4: Ipv4Addr) -> Verdict {
    match IPV4.deciding(number(v4.into())) {
        Some(entry) if entry.is_public() => Verdict::Public,
        Some(entry) => Verdict::Refused(Some(entry.block.clone())),
        None if (224..=239).contains(&v4.octets()[0]) => Verdict::Refused(None),
        None => Verdict::Public,
    }
}

fn judge_v6(v6: Ipv6Addr) -> Verdict {
    let groups = v6.segments();
    let two = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let last = judge_v4(two(groups[6], groups[7]));
    let refused = |block: &str| Verdict::Refused(Some(block.to_owned()));
    if groups[..6] == [0, 0, 0, 0, 0, 0xffff] {
        return match last {
            Verdict::Public => Verdict::Public,
            Verdict::Refused(_) => refused("::ffff:0:0/96"),
        };
    }
    let is_passed = match IPV6.deciding(v6.into()) {
        Some(entry) if entry.is_public() => true,
        Some(entry) => return refused(&entry.block),
        None => groups[0] >= 0x2000 && groups[0] <= 0x3fff,
    };
    if !is_passed {
        return Verdict::Refused(None);
    }
    let is_nat64 = groups[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let is_isatap = (groups[4] == 0 || groups[4] == 0x200) && groups[5] == 0x5efe;
    match last {
        Verdict::Refused(_) if is_nat64 => refused("64:ff9b::/96"),
        Verdict::Refused(_) if is_isatap => Verdict::Refused(None),
        _ => Verdict::Public,
    }
}
